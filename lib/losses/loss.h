/* losses/loss.h - what a loss is to the library: a type, which says everything about the losses of
 * its kind, and settings, which are the loss's own.
 *
 * A loss's file defines a struct that begins with a dlviz_loss, the constructor and setters of that
 * struct, and a dlz_loss_type. Nothing else in the library knows the kind. */
#ifndef DLZ_LOSSES_LOSS_H
#define DLZ_LOSSES_LOSS_H

#include "base/part.h"
#include "graph/layer.h"

#include <dlviz/loss.h>

/* A batch of outputs and what they should be. Outputs and targets are channels-last. */
typedef struct dlz_loss_batch {
    int64_t n;
    dlz_shape shape;  /* of one sample's outputs */
    int64_t size;     /* and how many numbers that is */
    int64_t channels; /* the innermost dimension */
    const float *outputs;
    const int64_t *labels; /* where the loss takes labels: one a sample, or one a pixel */
    int64_t num_labels;    /* of one sample */
    bool label_maps;       /* one a pixel, be it one pixel */
    const float *targets;  /* as the outputs, where it takes numbers */
    const float *weights;  /* n; NULL: each is 1 */
    double *losses;        /* room for n */
    const int64_t *names;  /* how sentences call the samples; NULL: 0 … n − 1 */
} dlz_loss_batch;

static inline double dlz_loss_weight(const dlz_loss_batch *batch, int64_t i) {
    return batch->weights ? (double)batch->weights[i] : 1;
}

/* Up to DLZ_LOSS_BLOCK numbers of one sample. */
enum { DLZ_LOSS_BLOCK = 256 };
typedef struct dlz_loss_block {
    int64_t first, count; /* numbers of the sample, which come channel after channel */
    int64_t channels;
    const float *outputs, *targets;
    double *terms;   /* each receives the loss of one number */
    double scale;    /* of the gradient */
    float *gradient; /* NULL: not wanted */
} dlz_loss_block;

/* How good outputs are in other words. The last `num_whole` metrics need all outputs at once, the
 * others are made of sums, to which batches are added; sums begin as zeros. */
enum { DLZ_MAX_METRICS = 8 };
typedef struct dlz_metrics {
    int count, num_whole;
    const char *const *names;
    int num_unwritten; /* the last so many of those made of sums are no columns of a history file */
    int64_t (*num_sums)(const dlviz_loss *loss, const dlz_shape *shape);
    /* Leaves the sums as they were when it fails. */
    dlviz_status (*add)(const dlviz_loss *loss, const dlz_loss_batch *batch, double *sums);
    void (*finish)(const dlviz_loss *loss, const dlz_shape *shape, const double *sums,
                   double *values);
    /* Optional: the last ones, of outputs and targets in PyTorch's order. */
    dlviz_status (*judge)(const dlviz_tensor *outputs, const dlviz_tensor *targets, double *values);
} dlz_metrics;

/* What all losses of a kind have in common. What is optional may be NULL. */
typedef struct dlz_loss_type {
    const char *name;
    size_t size; /* of the struct that begins with a dlviz_loss */
    /* Optional: the settings as files keep them; the last has no name. */
    const dlz_setting *settings;
    const char *weights; /* optional: as what a file keeps loss->weights */
    bool takes_labels;   /* as targets; else numbers */
    bool labels_pixels;  /* outputs of three dimensions need a label a pixel */
    /* Optional: fails when settings are out of range; a message starts after "dlviz_<type>: ". */
    dlviz_status (*check)(const dlviz_loss *loss);

    /* Optional: what targets may be that are numbers; without it, any. */
    void (*target_range)(const dlviz_loss *loss, double *least, double *most);
    /* Optional: fails when outputs of this shape are nothing for the loss. A message starts after
     * "<type>: ". */
    dlviz_status (*check_output)(const dlviz_loss *loss, const dlz_shape *output);
    /* Optional, for labels: whether one is let pass that is no number of an output; and how a user
     * has one let pass, for sentences. */
    bool (*lets_pass)(const dlviz_loss *loss, int64_t label);
    const char *how_to_let_pass;

    /* Optional: by what the batch's sum is to be divided; without it, the sum of the weights. */
    double (*norm)(const dlviz_loss *loss, const dlz_loss_batch *batch);
    /* The sum of the samples' weighted losses, and unless NULL its gradient times scale; or, where
     * numbers have losses of their own, the losses of some. */
    dlviz_status (*value)(const dlviz_loss *loss, const dlz_loss_batch *batch, double scale,
                          float *gradient, double *sum);
    void (*terms)(const dlviz_loss *loss, const dlz_loss_block *block);
    bool adds_numbers; /* a sample's loss is the sum of its terms, not the mean */

    const dlz_metrics *metrics; /* optional */
    /* Optional: frees what the struct points to. */
    void (*destroy)(dlviz_loss *loss);
} dlz_loss_type;

struct dlviz_loss {
    dlz_part part;
    const dlz_loss_type *type;
    const char *name;  /* the type's, or the user's */
    bool takes_labels; /* as the type does, or the user says */
    int64_t num_weights;
    double *weights; /* of classes or channels; NULL: all 1 */
};

extern const dlz_noun dlz_loss_noun;

/* -- For losses' files ---------------------------------------------------------------------------
 */

/* A loss of type->size bytes with its settings zero; NULL when out of memory. */
dlviz_loss *dlz_loss_create(const dlz_loss_type *type);
/* Ends a constructor: checks the settings, and lets the loss remember what is wrong. */
dlviz_loss *dlz_loss_checked(dlviz_loss *loss);
/* For setters: fails, which the loss remembers, when the loss is NULL, of another type or owned;
 * else replaces the `size` bytes at `offset` by those of `value`, checks all settings, and takes the
 * change back if they are out of range. */
dlviz_status dlz_loss_set(const char *who, dlviz_loss *loss, const dlz_loss_type *type,
                          size_t offset, const void *value, size_t size);
dlviz_status dlz_loss_set_weights(const char *who, dlviz_loss *loss, const dlz_loss_type *type,
                                  int64_t count, const double *weights);
/* The loss as one of the type, or NULL: for getters. */
const void *dlz_loss_as(const dlviz_loss *loss, const dlz_loss_type *type);
int64_t dlz_loss_num_weights(const dlviz_loss *loss, const dlz_loss_type *type);
double dlz_loss_weights(const dlviz_loss *loss, const dlz_loss_type *type, int64_t index);
/* For `check_output`: fails unless as many weights are set as there are `what`, or none. */
dlviz_status dlz_loss_check_weights(const dlviz_loss *loss, const char *what, int64_t count);

/* Of losses of numbers: mean absolute error and R². */
extern const dlz_metrics dlz_regression_metrics;
/* Of numbers that are yes or no: F1, exact match, AUC. */
extern const dlz_metrics dlz_multilabel_metrics;

/* -- For whoever trains --------------------------------------------------------------------------
 */

/* Sums over batches: the mean loss is loss / norm. */
typedef struct dlz_tally {
    double loss, norm;
    double *sums; /* dlz_loss_num_sums of them; NULL: no metrics are wanted */
} dlz_tally;

/* Fails with a sentence that names loss and outputs unless they fit. */
dlviz_status dlz_loss_check_output(const dlviz_loss *loss, const char *who,
                                   const dlz_shape *output);
/* What the targets of one sample are: labels, of which there is one (ndim 0) or a map (2); or numbers
 * of a shape. */
typedef struct dlz_target_shape {
    bool labels;
    int ndim;
    const int64_t *dims;
} dlz_target_shape;

/* Fails with a sentence that names loss, outputs and targets unless they fit. */
dlviz_status dlz_loss_check(const dlviz_loss *loss, const char *who, const dlz_shape *output,
                            dlz_target_shape targets);
/* Fails when weights of classes or channels are set that do not fit the outputs. */
dlviz_status dlz_loss_check_set_weights(const dlviz_loss *loss, const char *who,
                                        const dlz_shape *output);
/* Whether a label is one that the loss can take with so many outputs. */
bool dlz_loss_takes_label(const dlviz_loss *loss, int64_t label, int64_t outputs);
/* Fails with a sentence about one that it cannot take. */
dlviz_status dlz_loss_fail_label(const dlviz_loss *loss, const char *who, int64_t sample,
                                 int64_t label, int64_t outputs);
/* Adds a batch to a tally. *mean receives the batch's loss, and gradient, unless NULL, the gradient
 * of that. Fails with DLVIZ_ERROR_INVALID_ARGUMENT at a target out of range, or with what the user's
 * loss says; the tally is then as it was. */
dlviz_status dlz_loss_add(const dlviz_loss *loss, const char *who, const dlz_loss_batch *batch,
                          float *gradient, double *mean, dlz_tally *tally);
/* The same where samples are mixed: their loss is that of their own labels and that of their
 * partners', each weighted by weights that have the shares in them; both batches are of the same
 * outputs. Metrics count the own ones. `room`: for as many numbers as the gradient. */
dlviz_status dlz_loss_add_mixed(const dlviz_loss *loss, const char *who,
                                const dlz_loss_batch *batch, const dlz_loss_batch *partners,
                                float *gradient, float *room, double *mean, dlz_tally *tally);
double dlz_tally_mean(const dlz_tally *tally);

int64_t dlz_loss_num_sums(const dlviz_loss *loss, const dlz_shape *output);
int dlz_loss_num_metrics(const dlviz_loss *loss);
/* The metrics that sums give, num_metrics − num_whole; NaN for the others. */
void dlz_loss_metrics(const dlviz_loss *loss, const dlz_shape *output, const dlz_tally *tally,
                      double *values);

/* -- In files ------------------------------------------------------------------------------------
 */

/* Name and settings as a new JSON object; NULL when out of memory. */
json_t *dlz_loss_settings(const dlviz_loss *loss);
/* The loss of such an object. In the place of one of the user's own comes one that nothing fits,
 * which says what to do. Fails with DLVIZ_ERROR_FORMAT for what is malformed. */
dlviz_status dlz_loss_open(dlviz_loss **out, const json_t *settings);
/* That one, which has the name of the user's; NULL when out of memory. */
dlviz_loss *dlz_loss_absent(const char *name);

#endif
