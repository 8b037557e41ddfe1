/* What a run must have in common with the one that it goes on with and that the checkpoint does not
 * know: else a page would show epochs of different things as one film. */
#include "compact.h"
#include "folder.h"
#include "run.h"
#include "try.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SETTINGS "settings.json"
#define KEPT "checkpoint kept" /* no setting that two runs must share */

static uint64_t mix(uint64_t hash, const void *bytes, size_t size) {
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ ((const unsigned char *)bytes)[i]) * 0x100000001b3u;
    return hash;
}

/* Tells samples apart by their number, their classes and their files' names, in order. */
static json_t *describe(const dlviz_dataset *set) {
    uint64_t hash = 0xcbf29ce484222325u;
    int64_t n = dlviz_dataset_num_samples(set);
    const dlviz_tensor *labels = dlviz_dataset_labels(set);
    char text[64];
    for (int64_t i = 0; labels && i < n; i++) {
        const char *path = dlviz_dataset_sample_path(set, i);
        hash = mix(hash, (const int64_t *)dlviz_tensor_const_data(labels) + i, sizeof(int64_t));
        hash = path ? mix(hash, path, strlen(path) + 1) : hash;
    }
    snprintf(text, sizeof text, "%lld of mark %016" PRIx64, (long long)n, hash);
    return json_string(text);
}

static json_t *list_settings(const struct run *run) {
    const struct options *options = &run->options;
    return json_pack(
        "{s:s, s:f, s:s, s:o, s:o, s:o}", "layer", run->layer, "learning rate",
        options->learning_rate, "augmentation", options->augment ? options->augment : "none",
        "samples to train on", describe(run->data.train), "samples to validate on",
        describe(run->data.validation), "samples to test on", describe(run->data.test));
}

dlviz_status write_settings(const struct run *run) {
    const char *path = result_path(run->options.out, SETTINGS);
    json_t *settings = list_settings(run);
    if (settings &&
        json_object_set_new(settings, KEPT, json_boolean(run->options.keep_checkpoint)) != 0) {
        json_decref(settings);
        settings = NULL;
    }
    dlviz_status status = settings ? write_compact(settings, path)
                                   : dlviz_fail(DLVIZ_ERROR_OUT_OF_MEMORY,
                                                "cannot write '%s': not enough memory", path);
    json_decref(settings);
    return status;
}

static dlviz_status compare(const char *path, json_t *there, json_t *here) {
    const char *key;
    json_t *value;
    json_object_foreach(here, key, value) {
        const json_t *other = json_object_get(there, key);
        if (json_equal(other, value))
            continue;
        char *was = other ? json_dumps(other, JSON_ENCODE_ANY | JSON_REAL_PRECISION(9)) : NULL;
        char *is = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(9));
        dlviz_status status =
            dlviz_fail(DLVIZ_ERROR_STATE, "cannot resume from '%s': %s: %s in the file and %s here",
                       path, key, was ? was : "nothing", is ? is : "another");
        free(was);
        free(is);
        return status;
    }
    return DLVIZ_OK;
}

/* Once asked for, the checkpoint is kept: also by a run that goes on and does not ask again. */
static dlviz_status keep_asking(struct run *run, const json_t *there) {
    bool asked = json_is_true(json_object_get(there, KEPT));
    if (asked == run->options.keep_checkpoint)
        return DLVIZ_OK;
    run->options.keep_checkpoint = true;
    return asked ? DLVIZ_OK : write_settings(run);
}

dlviz_status compare_settings(struct run *run) {
    const char *path = result_path(run->options.out, SETTINGS);
    json_error_t error;
    json_t *there = json_load_file(path, 0, &error);
    if (!there)
        return dlviz_fail(DLVIZ_ERROR_IO, "cannot resume from '%s': %s", path, error.text);
    json_t *here = list_settings(run);
    dlviz_status status = here ? compare(path, there, here)
                               : dlviz_fail(DLVIZ_ERROR_OUT_OF_MEMORY, "no memory for settings");
    if (status == DLVIZ_OK)
        status = keep_asking(run, there);
    json_decref(there);
    json_decref(here);
    return status;
}
