/* data/dataset.h - the inside of a dataset, and how the network gets at its samples and targets. */
#ifndef DLZ_DATASET_H
#define DLZ_DATASET_H

#include "data/augmentation.h"
#include "data/image_files.h"
#include "data/joined.h"
#include "data/transform.h"
#include <dlviz/dataset.h>

#include <stdatomic.h>

/* Labels go from here to DLZ_DATASET_MAX_CLASSES − 1. Those below 0 belong to no class. */
#define DLZ_DATASET_MIN_LABEL INT32_MIN
#define DLZ_DATASET_MAX_CLASSES (INT64_C(1) << 24)

/* What a network is to give for a sample. */
typedef enum dlz_targets {
    DLZ_TARGETS_NONE,
    DLZ_TARGETS_LABELS,    /* a class: int64 */
    DLZ_TARGETS_FLOATS,    /* numbers of the user's */
    DLZ_TARGETS_SAMPLES,   /* the sample as the network sees it */
    DLZ_TARGETS_LABEL_MAPS /* a class for each pixel: int64 */
} dlz_targets;

/* Of those samples that a mark looks at, and of their targets, the CRC-32. */
enum { DLZ_MARKED_SAMPLES = 64 };
typedef struct dlz_looks {
    uint32_t checks[DLZ_MARKED_SAMPLES][DLZ_ROW_PARTS];
} dlz_looks;

struct dlviz_dataset {
    atomic_int references;      /* the user's handle, and whoever holds it */
    _Atomic(dlz_looks *) looks; /* of a joined dataset, once ranks have told them each other */
    int64_t num_samples;

    dlviz_tensor *samples; /* a view of the storage, shared with every subset; or NULL: `files` */
    dlz_image_files
        *files;         /* that samples were read from, or are whenever they are loaded; or NULL */
    dlz_joined *joined; /* or of several processes; NULL: all are here */
    const dlz_brought *brought; /* those of others that are here, in a view of the dataset */
    int32_t *rows; /* position in the dataset -> row of `samples`, `files` and `joined` */
    dlz_transform transform;
    int ndim; /* of a sample as a network sees it */
    int64_t dims[3];

    dlz_targets target_kind;
    dlviz_tensor *labels;                  /* num_samples of int64, or NULL */
    int64_t smallest_label, largest_label; /* also of maps */
    int64_t num_classes;
    char **class_names;    /* num_classes texts in one block, or NULL */
    dlviz_tensor *targets; /* floats or maps: a view of the storage, shared with every subset */
    int32_t *target_rows;  /* position -> row of `targets`; NULL: the position is the row */
    bool targets_joined;   /* `targets` are those of this process, and others have theirs */
    int target_ndim;       /* of floats or maps */
    int64_t target_dims[3];

    dlviz_tensor *weights; /* num_samples of float32, or NULL */
    dlz_augmentations augmentations;
    int64_t changes; /* how often any of this was set, for those who made something of it */
};

/* dlviz_dataset_create for the public function `who`. */
dlviz_status dlz_dataset_create(dlviz_dataset **out, const char *who, const dlviz_tensor *samples,
                                const dlviz_tensor *targets);
/* As dlviz_dataset_read_idx, of regular files alone. */
dlviz_status dlz_dataset_read_idx_regular(dlviz_dataset **out, const char *who,
                                          const char *images_path, const char *labels_path);
/* A dataset of such files, without targets. `samples`: what they were decoded to; NULL: not kept. */
dlviz_status dlz_dataset_create_of_files(dlviz_dataset **out, const dlz_image_files *files,
                                         const dlviz_tensor *samples);
/* dlviz_dataset_set_targets for the public function `who`. */
dlviz_status dlz_dataset_set_targets(dlviz_dataset *dataset, const char *who,
                                     const dlviz_tensor *targets);
/* A dataset with the settings of this rank's own, whose `num_samples` rows are those of all ranks in
 * order, without targets. Takes `joined` over, also where it fails. */
dlviz_status dlz_dataset_create_joined(dlviz_dataset **out, dlz_joined *joined,
                                       int64_t num_samples);

/* Sets the image size (height, width), unless NULL, and `count` means and deviations, unless 0: one
 * or as many as there are channels or components. After a failure the dataset is as it was. */
dlviz_status dlz_dataset_prepare(dlviz_dataset *dataset, const char *who, const int64_t *size,
                                 int64_t count, const float *means, const float *deviations);

/* Keeps the dataset alive, whoever destroys their handle; dlviz_dataset_destroy ends that too. */
dlviz_dataset *dlz_dataset_hold(const dlviz_dataset *dataset);

/* A number that two different datasets hardly share: of their size, shape and settings, all labels
 * and weights, and up to 64 samples and their targets, spread over the set. The same on every
 * machine. */
uint32_t dlz_dataset_mark(const dlviz_dataset *dataset);
/* Before the mark of a joined dataset is asked for: by all ranks, which tell each other what it looks
 * at. Does nothing with others. */
dlviz_status dlz_dataset_share_looks(const dlviz_dataset *dataset, dlviz_comm *comm);

/* The positions first … first + count − 1, which the caller frees; fails where a dataset has others. */
dlviz_status dlz_dataset_positions(const dlviz_dataset *dataset, const char *who, int64_t first,
                                   int64_t count, int64_t **positions);
/* The samples at `positions` as a dataset of their own, all of them valid. */
dlviz_status dlz_dataset_subset(const dlviz_dataset *dataset, int64_t count,
                                const int64_t *positions, dlviz_dataset **out);
/* Targets, classes and weights of the samples at `positions`; part of the above. */
dlviz_status dlz_dataset_subset_targets(const dlviz_dataset *dataset, int64_t count,
                                        const int64_t *positions, dlviz_dataset *subset);
void dlz_dataset_release_targets(dlviz_dataset *dataset);
/* Copies names of classes: pointers and texts in one block, which the caller frees. */
dlviz_status dlz_copy_names(int64_t count, const char *const *names, char ***copy);

/* -- What a batch is made of. None of these starts threads, so tiles may call them. What loads samples
 * or targets fails where these are decoded from files, or read from a large mapped one, which takes
 * memory besides, and only there: DLVIZ_ERROR_IO, _FORMAT or _OUT_OF_MEMORY. `indices` are positions
 * in the dataset, all valid; NULL stands for 0 … count − 1. --------------------------------------- */

/* The number of floats in one sample as a network sees it. */
int64_t dlz_dataset_sample_size(const dlviz_dataset *dataset);

/* A sample as it is stored; where it is decoded, or read from a file, for the purpose, *block is its
 * memory until dlz_dataset_done, else NULL. */
dlviz_status dlz_dataset_fetch(const dlviz_dataset *dataset, int64_t position, const void **sample,
                               void **block);
void dlz_dataset_done(const dlviz_dataset *dataset, void *block);
/* Its targets as they are stored: numbers or a map, not one label; *block is their memory until
 * dlz_row_done, or NULL. */
dlviz_status dlz_dataset_fetch_targets(const dlviz_dataset *dataset, int64_t position,
                                       const void **targets, void **block);
/* The row of the targets that a sample has; not where these are joined. */
static inline int64_t dlz_dataset_target_row(const dlviz_dataset *dataset, int64_t position) {
    return dataset->target_rows ? dataset->target_rows[position] : position;
}

/* These are going to be loaded soon; of samples that are in memory nothing is done. */
void dlz_dataset_expect(const dlviz_dataset *dataset, const int64_t *indices, int64_t count);

/* Writes samples, count x channels x height x width. */
dlviz_status dlz_dataset_load(const dlviz_dataset *dataset, const int64_t *indices, int64_t count,
                              float *samples);

dlz_targets dlz_dataset_target_kind(const dlviz_dataset *dataset);
/* The shape of one sample's targets: 1 or 3 dimensions where they are floats or samples, 2 of a map
 * of labels; otherwise 0 and NULL. The dimensions are valid until the dataset is changed. */
int dlz_dataset_target_ndim(const dlviz_dataset *dataset);
const int64_t *dlz_dataset_target_dims(const dlviz_dataset *dataset);
/* How many numbers the targets of one sample are; 0 without targets. */
int64_t dlz_dataset_target_size(const dlviz_dataset *dataset);
/* What they are loaded as: int64 where they are labels, else float32. */
dlviz_dtype dlz_dataset_target_dtype(const dlviz_dataset *dataset);
/* Writes targets as that, those of one sample after those of another in PyTorch's order; where the
 * targets are the samples, those as a network sees them. */
dlviz_status dlz_dataset_load_targets(const dlviz_dataset *dataset, const int64_t *indices,
                                      int64_t count, void *targets);
/* The shape of one sample's float targets: one number is a vector of one, and an image gets one channel
 * where there is none. Returns its number of dimensions. */
int dlz_entry_shape(const dlviz_tensor *targets, int64_t dims[3]);
/* Element i of labels of uint8 or int64, which are in memory. */
int64_t dlz_label_at(const dlviz_tensor *labels, int64_t i);
/* Writes elements first … first + count − 1 of any, also of a large file. */
dlviz_status dlz_labels_get(const dlviz_tensor *labels, int64_t first, int64_t count, int64_t *to);
/* The labels among which those of the sample at a position are, from element *first on; NULL where
 * another process has them. */
const dlviz_tensor *dlz_dataset_labels_of(const dlviz_dataset *dataset, int64_t position,
                                          int64_t *first);
/* Shows all labels to a function, sample by sample, those of one in some pieces, until it fails or one
 * cannot be read. */
typedef dlviz_status (*dlz_labels_fn)(void *context, int64_t position, const int64_t *labels,
                                      int64_t count);
dlviz_status dlz_dataset_each_label(const dlviz_dataset *dataset, dlz_labels_fn see, void *context);
/* Writes the samples' weights, each 1 for a dataset without. */
void dlz_dataset_load_weights(const dlviz_dataset *dataset, const int64_t *indices, int64_t count,
                              float *weights);
/* The smallest and the largest label, also of maps, looked for among all of them; and as they were
 * found then, or false without labels. */
dlviz_status dlz_dataset_find_label_range(dlviz_dataset *dataset);
bool dlz_dataset_label_range(const dlviz_dataset *dataset, int64_t *smallest, int64_t *largest);

/* -- Augmented samples: how those who train see them ---------------------------------------------
 */

/* Which of its many forms a sample has: that of an epoch of a run. */
typedef struct dlz_variant {
    uint64_t seed;
    int64_t epoch;
} dlz_variant;

bool dlz_dataset_is_augmented(const dlviz_dataset *dataset);
/* Fails with DLVIZ_ERROR_SHAPE where the targets are to move with the pixels and cannot. */
dlviz_status dlz_dataset_check_augmentations(const dlviz_dataset *dataset, const char *who);
/* Whether pixels may come in whose label is dataset->augmentations.label_fill. */
bool dlz_dataset_fills_labels(const dlviz_dataset *dataset);
/* The floats of room that the next two need. */
int64_t dlz_dataset_variant_room(const dlviz_dataset *dataset);
/* The sample at a position as dlz_dataset_load gives it, but augmented; and its targets as
 * dlz_dataset_load_targets does, after the augmentations were checked. */
dlviz_status dlz_dataset_load_variant(const dlviz_dataset *dataset, const dlz_variant *variant,
                                      int64_t position, float *room, float *sample);
dlviz_status dlz_dataset_load_target_variant(const dlviz_dataset *dataset,
                                             const dlz_variant *variant, int64_t position,
                                             float *room, void *target);
/* Where samples are mixed: that with which this one is, and how much of it remains, 1/2 to 1; else
 * itself, and 1. */
double dlz_dataset_partner(const dlviz_dataset *dataset, const dlz_variant *variant,
                           int64_t position, int64_t *partner);
/* The weights of samples whose float targets are mixed, in the shares of these. */
void dlz_dataset_load_mixed_weights(const dlviz_dataset *dataset, const dlz_variant *variant,
                                    const int64_t *indices, int64_t count, float *weights);
/* With all threads: samples and targets, each unless NULL, and where samples are mixed and have
 * labels, those of their partners. Allocates room. */
dlviz_status dlz_dataset_load_variants(const dlviz_dataset *dataset, const dlz_variant *variant,
                                       const int64_t *indices, int64_t count, float *samples,
                                       void *targets, void *partner_targets);

/* -- With all threads -------------------------------------------------------------------------- */

dlviz_status dlz_dataset_load_parallel(const dlviz_dataset *dataset, const int64_t *indices,
                                       int64_t count, float *samples);
dlviz_status dlz_dataset_load_targets_parallel(const dlviz_dataset *dataset, const int64_t *indices,
                                               int64_t count, void *targets);

/* All targets, as dlviz_dataset_targets gives them, where ranks call it together: of a joined dataset,
 * those that lie with others as well. May fail on one alone, and tells the others. */
dlviz_status dlz_dataset_gather_targets(const dlviz_dataset *dataset, const dlviz_comm *comm,
                                        dlviz_tensor **targets);

/* -- Why a loss is not finite ------------------------------------------------------------------ */

/* Fails with DLVIZ_ERROR_NUMERIC when a sample at `indices` (NULL: any of the first `count`), as a
 * network sees it, or its float targets hold NaN or an infinity: the sentence names the sample by
 * its position in the dataset, and the number. */
dlviz_status dlz_dataset_check_finite(const dlviz_dataset *dataset, const char *who,
                                      const int64_t *indices, int64_t count);
/* The same for numbers of any origin, which the sentence calls `what` ("sample", "the targets of
 * sample") and `sample`. */
dlviz_status dlz_check_finite(const char *who, const char *what, int64_t sample, int ndim,
                              const int64_t *dims, const float *values);

/* The order in which an epoch takes n samples: a permutation that (seed, epoch) determine. */
void dlz_epoch_order(uint64_t seed, int64_t epoch, int64_t n, int64_t *order);

#endif
