/* tensor/settings.h - settings of layers, losses and whatever else has a struct of them: how they are
 * written into files and read back, and the checks that many need. */
#ifndef DLZ_SETTINGS_H
#define DLZ_SETTINGS_H

#include <dlviz/status.h>

#include <jansson.h>

#include <stddef.h>

typedef enum dlz_setting_kind {
    DLZ_SETTING_INTEGER,   /* int64_t */
    DLZ_SETTING_NUMBER_OF, /* int64_t that files leave out where it is 1, as those do that are older
                              than the setting */
    DLZ_SETTING_PAIR,      /* int64_t[2]: vertical, horizontal */
    DLZ_SETTING_SHAPE,     /* dlz_shape */
    DLZ_SETTING_REAL,      /* double */
    DLZ_SETTING_REALS,     /* dlz_reals */
    DLZ_SETTING_BOOL       /* bool */
} dlz_setting_kind;

/* A list of numbers, which its owner frees. */
typedef struct dlz_reals {
    int64_t count;
    double *values; /* NULL for none */
} dlz_reals;

/* One setting: its name in files, and where in its owner's struct it lies. */
typedef struct dlz_setting {
    const char *name;
    dlz_setting_kind kind;
    size_t offset;
    bool training_only; /* acts in training alone: a model that is only used may have another */
} dlz_setting;

/* Both take a table that may be NULL; the last setting in it has no name. */

/* The owner's settings as a new JSON object; NULL when out of memory. */
json_t *dlz_settings_write(const dlz_setting *settings, const void *owner);
/* The same with the type in front, which is then what differs first. */
json_t *dlz_settings_write_typed(const char *type, const dlz_setting *settings, const void *owner);
/* The owner's settings from such an object. Fails with DLVIZ_ERROR_FORMAT, in a sentence that starts
 * with `who`, when one is missing or of another kind; those before it are then read. */
dlviz_status dlz_settings_read(const dlz_setting *settings, const char *who, const json_t *object,
                               void *owner);

/* Fails unless both numbers of a pair are within the limits. */
dlviz_status dlz_check_pair(const char *what, const int64_t pair[2], int64_t least, int64_t most);
dlviz_status dlz_check_integer(const char *what, int64_t value, int64_t least, int64_t most);

#endif
