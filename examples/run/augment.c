#include "augment.h"
#include "text.h"
#include "try.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static dlviz_augmentation *shift(double pixels) {
    return dlviz_random_shift((int64_t)pixels, (int64_t)pixels);
}

static dlviz_augmentation *crop(double pixels) {
    return dlviz_random_crop((int64_t)pixels);
}

/* Turned by so many degrees, and a tenth of everything else. */
static dlviz_augmentation *affine(double degrees) {
    dlviz_augmentation *made = dlviz_random_affine(degrees);
    dlviz_random_affine_set_scale(made, 0.9, 1.1);
    dlviz_random_affine_set_translation(made, 0.1, 0.1);
    return made;
}

static const struct kind {
    const char *name;
    dlviz_augmentation *(*make)(double amount);
    double usual;
    bool whole; /* the amount is a number of pixels */
} kinds[] = {{"shift", shift, 2, true},
             {"crop", crop, 4, true},
             {"flip", dlviz_random_horizontal_flip, 0.5, false},
             {"vertical-flip", dlviz_random_vertical_flip, 0.5, false},
             {"affine", affine, 10, false},
             {"brightness", dlviz_random_brightness, 0.2, false},
             {"contrast", dlviz_random_contrast, 0.2, false},
             {"noise", dlviz_random_noise, 0.05, false},
             {"erase", dlviz_random_erase, 0.25, false},
             {"mixup", dlviz_mixup, 0.2, false}};
enum { MOST_PIXELS = 1000000 /* more than images have */ };
enum { NUM_KINDS = sizeof kinds / sizeof *kinds };

static const struct kind *kind_named(const char *name, size_t length) {
    for (int i = 0; i < NUM_KINDS; i++)
        if (strlen(kinds[i].name) == length && strncmp(kinds[i].name, name, length) == 0)
            return &kinds[i];
    return NULL;
}

static dlviz_status unknown(const char *name, int length) {
    char names[192] = "";
    for (int i = 0; i < NUM_KINDS; i++) {
        size_t end = strlen(names);
        snprintf(names + end, sizeof names - end, "%s%s", i > 0 ? ", " : "", kinds[i].name);
    }
    return dlviz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "--augment: there is no '%.*s'; there are %s",
                      length, name, names);
}

/* Makes what the text up to `end` says: a name, or a name and an amount. */
static dlviz_status make(const char *text, const char *end, dlviz_augmentation **made) {
    const char *equals = memchr(text, '=', (size_t)(end - text));
    size_t length = (size_t)((equals ? equals : end) - text);
    const struct kind *kind = kind_named(text, length);
    *made = NULL;
    if (!kind)
        return unknown(text, (int)length);
    double amount = kind->usual;
    if (equals) {
        char *stop;
        amount = strtod(equals + 1, &stop);
        if (stop != end || stop == equals + 1 || !isfinite(amount) || amount < 0 ||
            (kind->whole && (amount != floor(amount) || amount > MOST_PIXELS)))
            return dlviz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                              "--augment %.*s: a %s is accepted, such as %s=%g", (int)(end - text),
                              text, kind->whole ? "whole number up to 1000000" : "number",
                              kind->name, kind->usual);
    }
    *made = kind->make(amount);
    return *made ? DLVIZ_OK
                 : dlviz_fail(DLVIZ_ERROR_OUT_OF_MEMORY, "no memory for an augmentation");
}

static dlviz_status add(dlviz_dataset *dataset, dlviz_augmentation *made, const char *text,
                        int length) {
    dlviz_status status = dlviz_dataset_add_augmentation(dataset, made);
    if (status == DLVIZ_ERROR_SHAPE && dlviz_dataset_ndim(dataset) == 1)
        return dlviz_fail(status,
                          "--augment %.*s: it is for images, and the data are rows of "
                          "numbers; noise and mixup are for both",
                          length, text);
    return status == DLVIZ_OK
               ? status
               : dlviz_fail(status, "--augment %.*s: %s", length, text, plain_error());
}

/* NULL for the dataset: they are only made. */
static dlviz_status for_each(dlviz_dataset *dataset, const char *list) {
    for (const char *at = list;; at++) {
        const char *end = at + strcspn(at, ",");
        dlviz_augmentation *made;
        TRY(make(at, end, &made));
        if (dataset)
            TRY(add(dataset, made, at, (int)(end - at)));
        else
            dlviz_augmentation_destroy(made);
        at = end;
        if (*at == '\0')
            return DLVIZ_OK;
    }
}

dlviz_status add_augmentations(dlviz_dataset *dataset, const char *list) {
    return for_each(dataset, list);
}

dlviz_status check_augmentations(const char *list) {
    return for_each(NULL, list);
}
