/* What all losses share: making, checking and describing them, and the loss of a batch. */
#include "losses/loss.h"
#include "base/base.h"
#include "base/parallel.h"
#include "tensor/tensor.h"

#include <math.h>
#include <string.h>

/* Numbers of a sample that are worth threads. */
enum { MANY_NUMBERS = 4096 };

static dlviz_status check(const dlz_part *part) {
    const dlviz_loss *loss = (const dlviz_loss *)part;
    return loss->type->check ? loss->type->check(loss) : DLVIZ_OK;
}

const dlz_noun dlz_loss_noun = {"loss", "network", "dlviz_network_set_loss", check};

dlviz_loss *dlz_loss_create(const dlz_loss_type *type) {
    dlviz_loss *loss = dlz_alloc_zero(type->size);
    if (!loss) {
        dlz_fail_memory(type->name, type->size);
        return NULL;
    }
    loss->part = (dlz_part){.noun = &dlz_loss_noun, .kind = type->name};
    loss->type = type;
    loss->name = type->name;
    loss->takes_labels = type->takes_labels;
    return loss;
}

void dlviz_loss_destroy(dlviz_loss *loss) {
    if (!loss || loss->part.owned)
        return;
    if (loss->type->destroy)
        loss->type->destroy(loss);
    dlz_free(loss->weights);
    dlz_free(loss);
}

/* -- Settings ------------------------------------------------------------------------------------
 */

dlviz_loss *dlz_loss_checked(dlviz_loss *loss) {
    if (loss)
        dlz_part_check(&loss->part);
    return loss;
}

dlviz_status dlz_loss_set(const char *who, dlviz_loss *loss, const dlz_loss_type *type,
                          size_t offset, const void *value, size_t size) {
    return dlz_part_set(who, &dlz_loss_noun, (dlz_part *)loss, type->name, offset, value, size);
}

/* Times sample weights, and summed up, these are far from what a double cannot hold, and so is 1 over
 * the sum. */
#define LEAST_WEIGHT 1e-100
#define LARGEST_WEIGHT 1e100

static dlviz_status copy_weights(const char *who, int64_t count, const double *weights,
                                 double **copy) {
    *copy = NULL;
    if (count < 0 || (count > 0 && !weights))
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: %lld weights in %s; 0 or more, and an array, are accepted", who,
                        (long long)count, weights ? "an array" : "NULL");
    for (int64_t i = 0; i < count; i++)
        if (weights[i] != 0 && !(weights[i] >= LEAST_WEIGHT && weights[i] <= LARGEST_WEIGHT))
            return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                            "%s: weight %lld is %g; 0 and %g to %g are accepted", who, (long long)i,
                            weights[i], LEAST_WEIGHT, LARGEST_WEIGHT);
    if (count == 0)
        return DLVIZ_OK;
    *copy = dlz_alloc_array((uint64_t)count, sizeof **copy);
    if (!*copy)
        return dlz_fail_memory("a loss's weights", (uint64_t)count * sizeof **copy);
    memcpy(*copy, weights, (size_t)count * sizeof **copy);
    return DLVIZ_OK;
}

dlviz_status dlz_loss_set_weights(const char *who, dlviz_loss *loss, const dlz_loss_type *type,
                                  int64_t count, const double *weights) {
    double *copy;
    DLZ_TRY(dlz_part_require(who, &dlz_loss_noun, (dlz_part *)loss, type->name));
    DLZ_TRY(dlz_part_remember(&loss->part, copy_weights(who, count, weights, &copy)));
    dlz_free(loss->weights);
    loss->weights = copy;
    loss->num_weights = count;
    return DLVIZ_OK;
}

const void *dlz_loss_as(const dlviz_loss *loss, const dlz_loss_type *type) {
    return loss && loss->type == type ? loss : NULL;
}

int64_t dlz_loss_num_weights(const dlviz_loss *loss, const dlz_loss_type *type) {
    return dlz_loss_as(loss, type) ? loss->num_weights : 0;
}

double dlz_loss_weights(const dlviz_loss *loss, const dlz_loss_type *type, int64_t index) {
    return index >= 0 && index < dlz_loss_num_weights(loss, type) ? loss->weights[index] : NAN;
}

const char *dlviz_loss_name(const dlviz_loss *loss) {
    return loss ? loss->name : NULL;
}

/* -- Shapes --------------------------------------------------------------------------------------
 */

dlviz_status dlz_loss_check_weights(const dlviz_loss *loss, const char *what, int64_t count) {
    if (loss->num_weights == 0 || loss->num_weights == count)
        return DLVIZ_OK;
    return dlz_fail(DLVIZ_ERROR_SHAPE, "%lld weights are set, for %lld %s",
                    (long long)loss->num_weights, (long long)count, what);
}

dlviz_status dlz_loss_check_output(const dlviz_loss *loss, const char *who,
                                   const dlz_shape *output) {
    char out[DLZ_SHAPE_TEXT_SIZE];
    dlviz_status status =
        loss->type->check_output ? loss->type->check_output(loss, output) : DLVIZ_OK;
    return status == DLVIZ_OK
               ? DLVIZ_OK
               : dlz_fail_within(status, "%s: the loss %s, for outputs of %s", who, loss->name,
                                 dlz_shape_text(out, output->ndim, output->dims));
}

static bool is_one_number(int ndim, const int64_t *dims) {
    for (int i = 0; i < ndim; i++)
        if (dims[i] != 1)
            return false;
    return true;
}

static dlviz_status check_labels(const dlviz_loss *loss, const char *who, const dlz_shape *output,
                                 dlz_target_shape targets) {
    char out[DLZ_SHAPE_TEXT_SIZE], given[DLZ_SHAPE_TEXT_SIZE];
    dlz_shape_text(out, output->ndim, output->dims);
    dlz_shape_text(given, targets.ndim, targets.dims);
    if (!loss->takes_labels)
        return dlz_fail(DLVIZ_ERROR_SHAPE,
                        "%s: the loss %s takes numbers of the outputs' shape (%s), as float32; the "
                        "targets are whole numbers, which are class labels",
                        who, loss->name, out);
    if (targets.ndim == 2 && !(output->ndim == 3 && output->dims[1] == targets.dims[0] &&
                               output->dims[2] == targets.dims[1]))
        return dlz_fail(
            DLVIZ_ERROR_SHAPE,
            "%s: the targets are labels for %s pixels of a sample, whose outputs are %s", who,
            given, out);
    if (targets.ndim == 0 && loss->type->labels_pixels && output->ndim == 3)
        return dlz_fail(DLVIZ_ERROR_SHAPE,
                        "%s: the loss %s, for outputs of %s, takes a label for each of %lld x %lld "
                        "pixels; the targets are one a sample: for these a flatten layer makes "
                        "outputs of one dimension",
                        who, loss->name, out, (long long)output->dims[1],
                        (long long)output->dims[2]);
    return DLVIZ_OK;
}

static dlviz_status check_numbers(const dlviz_loss *loss, const char *who, const dlz_shape *output,
                                  dlz_target_shape targets) {
    char out[DLZ_SHAPE_TEXT_SIZE], given[DLZ_SHAPE_TEXT_SIZE];
    dlz_shape_text(out, output->ndim, output->dims);
    dlz_shape_text(given, targets.ndim, targets.dims);
    bool same =
        targets.ndim == output->ndim &&
        memcmp(targets.dims, output->dims, (size_t)targets.ndim * sizeof *targets.dims) == 0;
    if (loss->takes_labels)
        return dlz_fail(DLVIZ_ERROR_SHAPE,
                        "%s: the loss %s takes class labels; the targets are numbers (%s for each "
                        "sample)%s",
                        who, loss->name, given,
                        is_one_number(targets.ndim, targets.dims) ? ": give them as uint8 or int64"
                        : same
                            ? ": of one-hot rows, give the places of the ones as labels, uint8 or "
                              "int64"
                            : "");
    if (same ||
        (is_one_number(targets.ndim, targets.dims) && is_one_number(output->ndim, output->dims)))
        return DLVIZ_OK;
    return dlz_fail(DLVIZ_ERROR_SHAPE,
                    "%s: the loss %s takes targets of the outputs' shape: a sample's outputs are "
                    "%s, its targets %s",
                    who, loss->name, out, given);
}

dlviz_status dlz_loss_check(const dlviz_loss *loss, const char *who, const dlz_shape *output,
                            dlz_target_shape targets) {
    DLZ_TRY(dlz_loss_check_output(loss, who, output));
    return targets.labels ? check_labels(loss, who, output, targets)
                          : check_numbers(loss, who, output, targets);
}

dlviz_status dlz_loss_check_set_weights(const dlviz_loss *loss, const char *who,
                                        const dlz_shape *output) {
    return loss->num_weights > 0 ? dlz_loss_check_output(loss, who, output) : DLVIZ_OK;
}

bool dlz_loss_takes_label(const dlviz_loss *loss, int64_t label, int64_t outputs) {
    return (label >= 0 && label < outputs) ||
           (loss->type->lets_pass && loss->type->lets_pass(loss, label));
}

dlviz_status dlz_loss_fail_label(const dlviz_loss *loss, const char *who, int64_t sample,
                                 int64_t label, int64_t outputs) {
    /* What has no class is called so by many: -1, -100, 255. */
    const char *how = label < 0 || label == 255 ? loss->type->how_to_let_pass : NULL;
    return dlz_fail(
        DLVIZ_ERROR_INVALID_ARGUMENT,
        "%s: sample %lld has label %lld; the network's %lld outputs allow 0 to %lld%s%s", who,
        (long long)sample, (long long)label, (long long)outputs, (long long)outputs - 1,
        how ? ", and " : "", how ? how : "");
}

/* -- The loss of a batch -------------------------------------------------------------------------
 */

static dlviz_status check_targets(const dlviz_loss *loss, const char *who,
                                  const dlz_loss_batch *batch) {
    double least, most;
    if (!batch->targets || !loss->type->target_range)
        return DLVIZ_OK;
    loss->type->target_range(loss, &least, &most);
    for (int64_t i = 0; i < batch->n; i++)
        for (int64_t j = 0; j < batch->size; j++) {
            double target = (double)batch->targets[i * batch->size + j];
            /* A NaN is told of where the loss turns out to be one. */
            if (target < least || target > most)
                return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                                "%s: a target of sample %lld is %g; the loss %s takes %g to %g",
                                who, (long long)(batch->names ? batch->names[i] : i), target,
                                loss->name, least, most);
        }
    return DLVIZ_OK;
}

typedef struct numbers_pass {
    const dlviz_loss *loss;
    const dlz_loss_batch *batch;
    double scale;
    float *gradient;
} numbers_pass;

/* In eight sums, for speed. */
static double sum_of(int64_t count, const double *terms) {
    double sums[8] = {0}, sum = 0;
    int64_t i = 0;
    for (; i + 8 <= count; i += 8)
        for (int lane = 0; lane < 8; lane++)
            sums[lane] += terms[i + lane];
    for (; i < count; i++)
        sum += terms[i];
    for (int lane = 0; lane < 8; lane++)
        sum += sums[lane];
    return sum;
}

static void numbers_of_sample(void *context, int64_t sample, int worker) {
    (void)worker;
    const numbers_pass *pass = context;
    const dlz_loss_batch *batch = pass->batch;
    const dlz_loss_type *type = pass->loss->type;
    double share = dlz_loss_weight(batch, sample) / (type->adds_numbers ? 1 : (double)batch->size);
    int64_t start = sample * batch->size;
    float *gradient = pass->gradient ? pass->gradient + start : NULL;
    batch->losses[sample] = 0;
    if (share == 0) { /* whatever the numbers are */
        if (gradient)
            memset(gradient, 0, (size_t)batch->size * sizeof *gradient);
        return;
    }
    double terms[DLZ_LOSS_BLOCK], sum = 0;
    for (int64_t first = 0; first < batch->size; first += DLZ_LOSS_BLOCK) {
        dlz_loss_block block = {.first = first,
                                .count = dlz_min_i64(DLZ_LOSS_BLOCK, batch->size - first),
                                .channels = batch->channels,
                                .outputs = batch->outputs + start + first,
                                .targets = batch->targets + start + first,
                                .terms = terms,
                                .scale = pass->scale * share,
                                .gradient = gradient ? gradient + first : NULL};
        type->terms(pass->loss, &block);
        sum += sum_of(block.count, terms);
    }
    batch->losses[sample] = share * sum;
}

static dlviz_status value_of(const dlviz_loss *loss, const dlz_loss_batch *batch, double scale,
                             float *gradient, double *sum) {
    if (loss->type->value)
        return loss->type->value(loss, batch, scale, gradient, sum);
    numbers_pass pass = {loss, batch, scale, gradient};
    dlz_parallel_for(batch->n, dlz_threads(), numbers_of_sample, &pass);
    *sum = 0;
    for (int64_t i = 0; i < batch->n; i++)
        *sum += batch->losses[i];
    return DLVIZ_OK;
}

static double norm_of(const dlviz_loss *loss, const dlz_loss_batch *batch) {
    if (loss->type->norm)
        return loss->type->norm(loss, batch);
    double norm = 0;
    for (int64_t i = 0; i < batch->n; i++)
        norm += dlz_loss_weight(batch, i);
    return norm;
}

/* A batch's sum and norm, and its metrics. */
static dlviz_status add_to_tally(const dlviz_loss *loss, const dlz_loss_batch *batch, double sum,
                                 double norm, double *mean, dlz_tally *tally) {
    if (loss->type->metrics && tally->sums)
        DLZ_TRY(loss->type->metrics->add(loss, batch, tally->sums));
    *mean = norm > 0 ? sum / norm : 0;
    tally->loss += sum;
    tally->norm += norm;
    return DLVIZ_OK;
}

dlviz_status dlz_loss_add(const dlviz_loss *loss, const char *who, const dlz_loss_batch *batch,
                          float *gradient, double *mean, dlz_tally *tally) {
    DLZ_TRY(check_targets(loss, who, batch));
    double norm = norm_of(loss, batch), sum = 0;
    if (norm > 0) {
        DLZ_TRY(value_of(loss, batch, 1 / norm, gradient, &sum));
    } else if (gradient) {
        memset(gradient, 0, (size_t)(batch->n * batch->size) * sizeof *gradient);
    }
    return add_to_tally(loss, batch, sum, norm, mean, tally);
}

typedef struct gradient_pass {
    const float *other;
    float *gradient;
    int64_t size;
} gradient_pass;

static void gradient_tile(void *context, int64_t sample, int worker) {
    (void)worker;
    const gradient_pass *pass = context;
    for (int64_t i = sample * pass->size; i < (sample + 1) * pass->size; i++)
        pass->gradient[i] += pass->other[i];
}

dlviz_status dlz_loss_add_mixed(const dlviz_loss *loss, const char *who,
                                const dlz_loss_batch *batch, const dlz_loss_batch *partners,
                                float *gradient, float *room, double *mean, dlz_tally *tally) {
    DLZ_TRY(check_targets(loss, who, batch));
    double norm = norm_of(loss, batch) + norm_of(loss, partners), sum = 0, other = 0;
    if (norm > 0) {
        gradient_pass pass = {room, gradient, batch->size};
        DLZ_TRY(value_of(loss, batch, 1 / norm, gradient, &sum));
        DLZ_TRY(value_of(loss, partners, 1 / norm, room, &other));
        dlz_parallel_for(batch->n, batch->size < MANY_NUMBERS ? 1 : dlz_threads(), gradient_tile,
                         &pass);
    } else {
        memset(gradient, 0, (size_t)(batch->n * batch->size) * sizeof *gradient);
    }
    return add_to_tally(loss, batch, sum + other, norm, mean, tally);
}

double dlz_tally_mean(const dlz_tally *tally) {
    return tally->norm > 0 ? tally->loss / tally->norm : NAN;
}

/* -- Metrics -------------------------------------------------------------------------------------
 */

int dlz_loss_num_metrics(const dlviz_loss *loss) {
    return loss->type->metrics ? loss->type->metrics->count : 0;
}

int64_t dlviz_loss_num_metrics(const dlviz_loss *loss) {
    return loss ? dlz_loss_num_metrics(loss) : 0;
}

const char *dlviz_loss_metric_name(const dlviz_loss *loss, int64_t index) {
    return index >= 0 && index < dlviz_loss_num_metrics(loss) ? loss->type->metrics->names[index]
                                                              : NULL;
}

int64_t dlz_loss_num_sums(const dlviz_loss *loss, const dlz_shape *output) {
    return loss->type->metrics ? loss->type->metrics->num_sums(loss, output) : 0;
}

void dlz_loss_metrics(const dlviz_loss *loss, const dlz_shape *output, const dlz_tally *tally,
                      double *values) {
    const dlz_metrics *metrics = loss->type->metrics;
    if (!metrics)
        return;
    for (int i = 0; i < metrics->count; i++)
        values[i] = NAN;
    metrics->finish(loss, output, tally->sums, values);
}
