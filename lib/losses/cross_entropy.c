#include "base/base.h"
#include "base/parallel.h"
#include "kernels/nn/loss.h"
#include "losses/losses_list.h"
#include "scores/hits.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

enum { TOP = 5 };

typedef struct cross_entropy {
    dlviz_loss base;
    double label_smoothing;
    int64_t ignored_label;
} cross_entropy;

static dlviz_status check(const dlviz_loss *loss) {
    double smoothing = ((const cross_entropy *)loss)->label_smoothing;
    if (!(smoothing >= 0 && smoothing <= 1))
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "the label smoothing is %g; 0 to 1 is accepted", smoothing);
    return DLVIZ_OK;
}

static dlviz_status check_output(const dlviz_loss *loss, const dlz_shape *output) {
    return dlz_loss_check_weights(loss, "classes", output->dims[0]);
}

static bool ignores(const dlviz_loss *loss, int64_t label) {
    return label == ((const cross_entropy *)loss)->ignored_label;
}

/* Rows first … last − 1 of a batch: a row of outputs is what belongs to one label, that of a sample or
 * of one of its pixels. */
typedef struct rows {
    const cross_entropy *loss;
    const dlz_loss_batch *batch;
    int64_t first, last;
    double weight; /* of the sample that the pixels are of */
} rows;

/* A sample's own, where it has one row. */
static double sample_weight(const rows *r, int64_t i) {
    return r->batch->num_labels == 1 ? dlz_loss_weight(r->batch, i) : r->weight;
}

/* What row i's loss is multiplied by. */
static double weight_of(const rows *r, int64_t i) {
    const dlviz_loss *loss = &r->loss->base;
    int64_t label = r->batch->labels[i];
    if (ignores(loss, label))
        return 0;
    return sample_weight(r, i) * (loss->weights ? loss->weights[label] : 1);
}

static rows all_of(const dlviz_loss *loss, const dlz_loss_batch *batch) {
    return (rows){(const cross_entropy *)loss, batch, 0, batch->n, 1};
}

static rows pixels_of(const dlviz_loss *loss, const dlz_loss_batch *batch, int64_t sample) {
    int64_t size = batch->num_labels;
    return (rows){(const cross_entropy *)loss, batch, sample * size, (sample + 1) * size,
                  dlz_loss_weight(batch, sample)};
}

static double sum_weights(rows r) {
    double sum = 0;
    for (int64_t i = r.first; i < r.last; i++)
        sum += weight_of(&r, i);
    return sum;
}

static double norm(const dlviz_loss *loss, const dlz_loss_batch *batch) {
    if (batch->num_labels == 1)
        return sum_weights(all_of(loss, batch));
    double sum = 0;
    for (int64_t i = 0; i < batch->n; i++)
        sum += sum_weights(pixels_of(loss, batch, i));
    return sum;
}

/* -- With one class a sample to train towards ----------------------------------------------------
 */

/* Rows of one weight that follow each other are computed together: mostly all of them. */
static double of_labels(const rows *r, double scale, float *gradient) {
    const dlz_loss_batch *batch = r->batch;
    double sum = 0;
    int64_t classes = batch->channels, end;
    for (int64_t i = r->first; i < r->last; i = end) {
        double weight = weight_of(r, i);
        for (end = i + 1; end < r->last && weight_of(r, end) == weight;)
            end++;
        float *to = gradient ? gradient + i * classes : NULL;
        if (weight > 0)
            sum += weight * dlz_cross_entropy(end - i, classes, batch->outputs + i * classes,
                                              batch->labels + i, scale * weight, NULL, to, NULL);
        else if (to)
            memset(to, 0, (size_t)((end - i) * classes) * sizeof *to);
    }
    return sum;
}

/* -- Towards all classes -------------------------------------------------------------------------
 */

/* What the output of class c is trained towards. */
static double target_of(const cross_entropy *loss, int64_t classes, int64_t c, int64_t label) {
    double target = loss->label_smoothing / (double)classes;
    if (c == label)
        target += 1 - loss->label_smoothing;
    return target * (loss->base.weights ? loss->base.weights[c] : 1);
}

/* All in double, for there are many small parts. */
static double of_smoothed_row(const cross_entropy *loss, int64_t classes, const float *outputs,
                              int64_t label, double scale, float *gradient) {
    double largest = -INFINITY, sum = 0, total = 0, value = 0;
    for (int64_t c = 0; c < classes; c++)
        largest = (double)outputs[c] > largest ? (double)outputs[c] : largest;
    for (int64_t c = 0; c < classes; c++)
        sum += exp((double)outputs[c] - largest);
    double log_sum = log(sum); /* cppcheck-suppress invalidFunctionArg ; the largest adds 1 */
    for (int64_t c = 0; c < classes; c++) {
        double target = target_of(loss, classes, c, label);
        total += target;
        value += target * (log_sum + (largest - (double)outputs[c]));
    }
    for (int64_t c = 0; gradient && c < classes; c++) {
        double p = exp((double)outputs[c] - largest) / sum;
        gradient[c] = (float)((p * total - target_of(loss, classes, c, label)) * scale);
    }
    return value;
}

static double of_smoothed(const rows *r, double scale, float *gradient) {
    const dlz_loss_batch *batch = r->batch;
    double sum = 0;
    int64_t classes = batch->channels;
    for (int64_t i = r->first; i < r->last; i++) {
        float *to = gradient ? gradient + i * classes : NULL;
        double weight = ignores(&r->loss->base, batch->labels[i]) ? 0 : sample_weight(r, i);
        if (weight > 0)
            sum += weight * of_smoothed_row(r->loss, classes, batch->outputs + i * classes,
                                            batch->labels[i], scale * weight, to);
        else if (to)
            memset(to, 0, (size_t)classes * sizeof *to);
    }
    return sum;
}

static double of_rows(rows r, double scale, float *gradient) {
    return (r.loss->label_smoothing > 0 ? of_smoothed : of_labels)(&r, scale, gradient);
}

typedef struct sample_pass {
    const dlviz_loss *loss;
    const dlz_loss_batch *batch;
    double scale;
    float *gradient;
} sample_pass;

static void sample_tile(void *context, int64_t sample, int worker) {
    (void)worker;
    const sample_pass *pass = context;
    pass->batch->losses[sample] =
        of_rows(pixels_of(pass->loss, pass->batch, sample), pass->scale, pass->gradient);
}

/* A batch of rows is not worth threads; one of images is. */
static dlviz_status value(const dlviz_loss *loss, const dlz_loss_batch *batch, double scale,
                          float *gradient, double *sum) {
    if (batch->num_labels == 1) {
        *sum = of_rows(all_of(loss, batch), scale, gradient);
        return DLVIZ_OK;
    }
    sample_pass pass = {loss, batch, scale, gradient};
    dlz_parallel_for(batch->n, dlz_threads(), sample_tile, &pass);
    *sum = 0;
    for (int64_t i = 0; i < batch->n; i++)
        *sum += batch->losses[i];
    return DLVIZ_OK;
}

/* -- Metrics -------------------------------------------------------------------------------------
 */

enum { SAMPLES, FIRST, AMONG_TOP, NUM_SUMS };

static int64_t num_sums(const dlviz_loss *loss, const dlz_shape *shape) {
    (void)loss;
    (void)shape;
    return NUM_SUMS;
}

/* Rows that a tile counts. */
enum { COUNT_TILE = 4096 };

typedef struct count_pass {
    const dlviz_loss *loss;
    const dlz_loss_batch *batch;
    atomic_llong counts[NUM_SUMS]; /* whole numbers: added in whatever order */
} count_pass;

static void count_tile(void *context, int64_t tile, int worker) {
    (void)worker;
    count_pass *pass = context;
    const dlz_loss_batch *batch = pass->batch;
    int64_t classes = batch->channels, first = tile * COUNT_TILE, counts[NUM_SUMS] = {0};
    int64_t last = dlz_min_i64(first + COUNT_TILE, batch->n * batch->num_labels);
    for (int64_t i = first; i < last; i++) {
        if (ignores(pass->loss, batch->labels[i]))
            continue;
        int64_t place = dlz_label_place(classes, batch->outputs + i * classes, batch->labels[i]);
        counts[SAMPLES]++;
        counts[FIRST] += place == 0;
        counts[AMONG_TOP] += place < TOP;
    }
    for (int i = 0; i < NUM_SUMS; i++)
        atomic_fetch_add(&pass->counts[i], counts[i]);
}

static dlviz_status add(const dlviz_loss *loss, const dlz_loss_batch *batch, double *sums) {
    count_pass pass = {.loss = loss, .batch = batch};
    int threads = batch->num_labels == 1 ? 1 : dlz_threads();
    dlz_parallel_for(dlz_ceil_div(batch->n * batch->num_labels, COUNT_TILE), threads, count_tile,
                     &pass);
    for (int i = 0; i < NUM_SUMS; i++)
        sums[i] += (double)pass.counts[i];
    return DLVIZ_OK;
}

static void finish(const dlviz_loss *loss, const dlz_shape *shape, const double *sums,
                   double *values) {
    (void)loss;
    (void)shape;
    values[0] = sums[FIRST] / sums[SAMPLES];
    values[1] = sums[AMONG_TOP] / sums[SAMPLES];
}

static const char *const names[] = {"accuracy", "top5_accuracy"};

static const dlz_metrics metrics = {
    .count = 2,
    .names = names,
    .num_unwritten = 1,
    .num_sums = num_sums,
    .add = add,
    .finish = finish,
};

/* ------------------------------------------------------------------------------------------------
 */

static const dlz_setting settings[] = {
    {"label_smoothing", DLZ_SETTING_REAL, offsetof(cross_entropy, label_smoothing), false},
    {"ignored_label", DLZ_SETTING_INTEGER, offsetof(cross_entropy, ignored_label), false},
    {0},
};

const dlz_loss_type dlz_cross_entropy_type = {
    .name = "cross_entropy",
    .size = sizeof(cross_entropy),
    .settings = settings,
    .weights = "class_weights",
    .takes_labels = true,
    .labels_pixels = true,
    .check = check,
    .check_output = check_output,
    .lets_pass = ignores,
    .how_to_let_pass = "the label that dlviz_cross_entropy_set_ignored_label names",
    .norm = norm,
    .value = value,
    .metrics = &metrics,
};

dlviz_loss *dlviz_cross_entropy(void) {
    dlviz_loss *loss = dlz_loss_create(&dlz_cross_entropy_type);
    if (loss)
        ((cross_entropy *)loss)->ignored_label = -100;
    return loss;
}

dlviz_status dlviz_cross_entropy_set_label_smoothing(dlviz_loss *loss, double smoothing) {
    return dlz_loss_set(__func__, loss, &dlz_cross_entropy_type,
                        offsetof(cross_entropy, label_smoothing), &smoothing, sizeof smoothing);
}

double dlviz_cross_entropy_label_smoothing(const dlviz_loss *loss) {
    const cross_entropy *as = dlz_loss_as(loss, &dlz_cross_entropy_type);
    return as ? as->label_smoothing : NAN;
}

dlviz_status dlviz_cross_entropy_set_class_weights(dlviz_loss *loss, int64_t num_weights,
                                                   const double *weights) {
    return dlz_loss_set_weights(__func__, loss, &dlz_cross_entropy_type, num_weights, weights);
}

int64_t dlviz_cross_entropy_num_class_weights(const dlviz_loss *loss) {
    return dlz_loss_num_weights(loss, &dlz_cross_entropy_type);
}

double dlviz_cross_entropy_class_weights(const dlviz_loss *loss, int64_t index) {
    return dlz_loss_weights(loss, &dlz_cross_entropy_type, index);
}

dlviz_status dlviz_cross_entropy_set_ignored_label(dlviz_loss *loss, int64_t label) {
    return dlz_loss_set(__func__, loss, &dlz_cross_entropy_type,
                        offsetof(cross_entropy, ignored_label), &label, sizeof label);
}

int64_t dlviz_cross_entropy_ignored_label(const dlviz_loss *loss) {
    const cross_entropy *as = dlz_loss_as(loss, &dlz_cross_entropy_type);
    return as ? as->ignored_label : 0;
}
