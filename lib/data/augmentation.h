/* data/augmentation.h - what an augmentation is to the library: a type, which says everything about
 * those of its kind, and settings, which are its own.
 *
 * An augmentation's file (lib/data/augmentations/) defines a struct that begins with a
 * dlviz_augmentation, the constructor and setters of that struct, and a dlz_augmentation_type.
 * Nothing else in the library knows the kind. */
#ifndef DLZ_DATA_AUGMENTATION_H
#define DLZ_DATA_AUGMENTATION_H

#include "base/part.h"
#include "base/random.h"
#include "tensor/settings.h"

#include <dlviz/augmentation.h>

#include <stdatomic.h>

/* From a pixel to where it comes from, both as distances from the image's center, to the right and
 * down: x′ = xx·x + xy·y + x0, y′ = yx·x + yy·y + y0. */
typedef struct dlz_map {
    double xx, xy, x0, yx, yy, y0;
} dlz_map;

/* A sample before it is normalized, channel after channel; a vector has one channel and one row. */
typedef struct dlz_picture {
    float *values;
    int64_t channels, height, width;
    bool limited; /* what changes its values puts them into 0 … 1 */
} dlz_picture;

/* What all augmentations of a kind have in common. What is optional may be NULL. */
typedef struct dlz_augmentation_type {
    const char *name;
    size_t size; /* of the struct that begins with a dlviz_augmentation */
    /* The settings as files keep them: integers and reals; the last has no name. */
    const dlz_setting *settings;
    /* Optional: fails when settings are out of range; a message starts after "dlviz_<type>: ". */
    dlviz_status (*check)(const dlviz_augmentation *augmentation);
    bool takes_vectors; /* else images alone */
    bool input_only;    /* where targets are the samples, these are left alone */

    /* One of these, which draw from `random` and from nothing else: */
    /* geometry: where the pixels of an image of this size come from */
    void (*map)(const dlviz_augmentation *augmentation, dlz_random *random, int64_t height,
                int64_t width, dlz_map *map);
    /* a change of values in place */
    void (*change)(const dlviz_augmentation *augmentation, dlz_random *random,
                   const dlz_picture *picture);
    /* a mixture with another sample: the share of the sample itself, 0 to 1 */
    double (*share)(const dlviz_augmentation *augmentation, dlz_random *random);
} dlz_augmentation_type;

struct dlviz_augmentation {
    dlz_part part; /* owned by datasets, or not */
    const dlz_augmentation_type *type;
    atomic_int datasets; /* that own it: one, and those that were cut from it */
};

/* -- For augmentations' files --------------------------------------------------------------------
 */

/* An augmentation of type->size bytes with settings zero; NULL when out of memory. */
dlviz_augmentation *dlz_augmentation_create(const dlz_augmentation_type *type);
/* Ends a constructor: checks the settings, and lets the augmentation remember what is wrong. */
dlviz_augmentation *dlz_augmentation_checked(dlviz_augmentation *augmentation);
/* For setters: as dlz_part_set. */
dlviz_status dlz_augmentation_set(const char *who, dlviz_augmentation *augmentation,
                                  const dlz_augmentation_type *type, size_t offset,
                                  const void *value, size_t size);
/* The augmentation as one of the type, or NULL: for getters. */
const void *dlz_augmentation_as(const dlviz_augmentation *augmentation,
                                const dlz_augmentation_type *type);
/* The number at `offset`; NaN of one that is NULL or of another kind. */
double dlz_augmentation_real(const dlviz_augmentation *augmentation,
                             const dlz_augmentation_type *type, size_t offset);
/* The two from `offset` on, likewise; either out parameter may be NULL. */
void dlz_augmentation_reals(const dlviz_augmentation *augmentation,
                            const dlz_augmentation_type *type, size_t offset, double *first,
                            double *second);

/* For `check`: fail unless a number is within the limits, or a range is and goes up. */
dlviz_status dlz_augmentation_check_number(const char *what, double value, double least,
                                           double most);
dlviz_status dlz_augmentation_check_range(const char *what, const double range[2], double least,
                                          double most);

/* Uniform in least … most. */
double dlz_random_between(dlz_random *random, double least, double most);

/* -- Those of a dataset --------------------------------------------------------------------------
 */

typedef struct dlz_augmentations {
    dlviz_augmentation **list; /* each may be shared by several datasets */
    int64_t count;
    bool moves_pixels;             /* one is geometry */
    const dlviz_augmentation *mix; /* the one that mixes, or NULL */
    int64_t mix_index;
    bool input_only; /* one leaves targets alone that are the samples */
    double fill;
    int64_t label_fill;
} dlz_augmentations;

void dlz_augmentations_init(dlz_augmentations *augmentations);
/* The same augmentations, shared; after a failure `to` has none. */
dlviz_status dlz_augmentations_share(const dlz_augmentations *from, dlz_augmentations *to);
void dlz_augmentations_release(dlz_augmentations *augmentations);
/* Adds one that has been checked, and takes it over. */
dlviz_status dlz_augmentations_add(dlz_augmentations *augmentations,
                                   dlviz_augmentation *augmentation);
extern const dlz_noun dlz_augmentation_noun;

/* All that decides over what they do, number by number, for marks: calls `take` with each. */
void dlz_augmentations_tell(const dlz_augmentations *augmentations,
                            void (*take)(void *context, const char *name, int64_t number),
                            void *context);

#endif
