/* base/part.h - what is handed over to an owner and until then remembers its first error: losses,
 * schedules, augmentations. Their structs begin with a dlz_part. */
#ifndef DLZ_PART_H
#define DLZ_PART_H

#include "base/base.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct dlz_part dlz_part;

/* What all of a noun have in common. */
typedef struct dlz_noun {
    const char *name;  /* "loss" */
    const char *owner; /* "network" */
    const char *taker; /* the function that hands it over: "dlviz_network_set_loss" */
    /* Fails when settings are out of range. */
    dlviz_status (*check)(const dlz_part *part);
} dlz_noun;

struct dlz_part {
    const dlz_noun *noun; /* that of its owner, where parts of a noun have several */
    const char *kind;     /* the name of its type */
    bool owned;           /* the settings are fixed */
    dlviz_status error;   /* the first one, with its sentence */
    char message[DLZ_SENTENCE_SIZE];
};

/* Records the present last error as the part's own, unless it has one or is owned; returns `status`.
 * The part may be NULL. */
dlviz_status dlz_part_remember(dlz_part *part, dlviz_status status);
/* Ends a constructor: checks the settings, and lets the part remember what is wrong. */
void dlz_part_check(dlz_part *part);
/* For setters: fails, which the part remembers, when the part is NULL, of another kind or owned. */
dlviz_status dlz_part_require(const char *who, const dlz_noun *noun, dlz_part *part,
                              const char *kind);
/* Requires the kind, replaces the `size` bytes, two numbers at most, at `offset` by those of `value`,
 * checks all settings, and takes the change back if they are out of range. */
dlviz_status dlz_part_set(const char *who, const dlz_noun *noun, dlz_part *part, const char *kind,
                          size_t offset, const void *value, size_t size);
/* For getters: the double at `offset` of a part of the right kind, or NaN when it is NULL. */
double dlz_part_real(const void *own, size_t offset);
/* Fails with what the part remembers. */
dlviz_status dlz_part_first_error(const dlz_part *part);
/* For owners: fails when the part is NULL, has an error or is owned already. */
dlviz_status dlz_part_check_handed(const char *who, const dlz_noun *noun, const dlz_part *part);

#endif
