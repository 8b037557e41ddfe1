/* The straight way from baselines to inputs, and the gradients on it. */
#include "attribution/way.h"
#include "attribution/attribution.h"
#include "base/base.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "tensor/tensor.h"

#include <math.h>
#include <string.h>

enum { MAX_STEPS = 1000 };

/* A few samples at a time, each with so many points of its way, DLZ_EVALUATION_BATCH at most. */
typedef struct walk {
    const dlz_way *way;
    int64_t n, size, num_baselines; /* samples, numbers of each; baselines: 1 or n */
    double *at, *weight; /* of each step: where on the way, 0 to 1, and how much it counts */
    int64_t first, samples, from, points; /* at present; `from`: the first of the steps */
    float *numbers;                       /* samples x points x size: inputs, then gradients */
    double *sums;                         /* samples x size: of the gradients */
    float *maps;
    double *totals;
} walk;

/* Points and weights of Gauss-Legendre quadrature from 0 to 1: the zeros of a Legendre polynomial,
 * by Newton's method. */
static void place_steps(int64_t count, double *at, double *weight) {
    for (int64_t i = 0; i < (count + 1) / 2; i++) {
        double z = cos(3.14159265358979323846 * ((double)i + 0.75) / ((double)count + 0.5));
        double slope = 1;
        for (int round = 0; round < 20; round++) {
            double value = 1, before = 0;
            for (int64_t k = 0; k < count; k++) {
                double next =
                    ((double)(2 * k + 1) * z * value - (double)k * before) / (double)(k + 1);
                before = value;
                value = next;
            }
            slope = (double)count * (z * value - before) / (z * z - 1);
            z -= value / slope;
        }
        at[i] = (1 - z) / 2;
        at[count - 1 - i] = (1 + z) / 2;
        weight[i] = weight[count - 1 - i] = 1 / ((1 - z * z) * slope * slope);
    }
}

static const float *input_of(const walk *w, int64_t sample) {
    return (const float *)w->way->inputs->data + sample * w->size;
}

static const float *baseline_of(const walk *w, int64_t sample) {
    return (const float *)w->way->baselines->data + (w->num_baselines > 1 ? sample * w->size : 0);
}

static void fill_tile(void *context, int64_t row, int worker) {
    (void)worker;
    const walk *w = context;
    int64_t sample = w->first + row / w->points, size = w->size;
    const float *input = input_of(w, sample), *baseline = baseline_of(w, sample);
    double at = w->at[w->from + row % w->points];
    for (int64_t i = 0; i < size; i++)
        w->numbers[row * size + i] =
            (float)((1 - at) * (double)baseline[i] + at * (double)input[i]);
}

static void add_tile(void *context, int64_t sample, int worker) {
    (void)worker;
    const walk *w = context;
    int64_t size = w->size;
    double *sums = w->sums + sample * size;
    for (int64_t k = 0; k < w->points; k++) {
        const float *gradient = w->numbers + (sample * w->points + k) * size;
        double weight = w->weight[w->from + k];
        for (int64_t i = 0; i < size; i++)
            sums[i] += weight * (double)gradient[i];
    }
}

static dlviz_status run_points(walk *w) {
    int64_t rows = w->samples * w->points, samples[DLZ_EVALUATION_BATCH];
    const dlz_way *way = w->way;
    int workers = dlz_threads();
    for (int64_t row = 0; row < rows; row++)
        samples[row] = w->first + row / w->points;
    dlz_parallel_for(rows, workers, fill_tile, w);
    dlz_plan *plan;
    DLZ_TRY(dlz_attribution_forward(way->network, way->node, NULL, w->numbers, rows, &plan));
    way->aim(way->context, plan, samples);
    DLZ_TRY(dlz_plan_backward(plan));
    dlz_read_input_gradient(plan, w->numbers);
    dlz_parallel_for(w->samples, workers, add_tile, w);
    return DLVIZ_OK;
}

/* Makes the maps of the present samples, and what each adds up to, from their sums. */
static void finish_samples(const walk *w) {
    int64_t size = w->size;
    for (int64_t s = 0; s < w->samples; s++) {
        int64_t sample = w->first + s;
        const float *input = input_of(w, sample), *baseline = baseline_of(w, sample);
        double total = 0;
        for (int64_t i = 0; i < size; i++) {
            double share = ((double)input[i] - (double)baseline[i]) * w->sums[s * size + i];
            w->maps[sample * size + i] = (float)share;
            total += share;
        }
        w->totals[sample] = total;
    }
}

static double share_done(const walk *w) {
    double of_sample = (double)(w->from + w->points) / (double)w->way->steps;
    return ((double)w->first + (double)w->samples * of_sample) / (double)w->n;
}

static dlviz_status run_samples(walk *w, int64_t together) {
    for (w->first = 0; w->first < w->n; w->first += w->samples) {
        w->samples = dlz_min_i64(together, w->n - w->first);
        memset(w->sums, 0, (size_t)(w->samples * w->size) * sizeof *w->sums);
        for (w->from = 0; w->from < w->way->steps; w->from += w->points) {
            w->points = dlz_min_i64(w->way->steps - w->from, DLZ_EVALUATION_BATCH);
            DLZ_TRY(run_points(w));
            DLZ_TRY(dlz_task_report(share_done(w)));
        }
        finish_samples(w);
    }
    return DLVIZ_OK;
}

static dlviz_status with_room(walk *w) {
    uint64_t size = (uint64_t)w->size;
    int64_t together = dlz_max_i64(1, DLZ_EVALUATION_BATCH / w->way->steps);
    w->at = dlz_alloc_array((uint64_t)w->way->steps, 2 * sizeof(double));
    w->numbers = dlz_alloc_array(DLZ_EVALUATION_BATCH * size, sizeof *w->numbers);
    w->sums = dlz_alloc_array((uint64_t)together * size, sizeof *w->sums);
    if (!w->at || !w->numbers || !w->sums)
        return dlz_fail_memory("the points on the way", DLZ_EVALUATION_BATCH * size * 4);
    w->weight = w->at + w->way->steps;
    place_steps(w->way->steps, w->at, w->weight);
    return run_samples(w, together);
}

dlviz_status dlz_share_out(const dlz_way *way, float *maps, double *totals) {
    int64_t n = way->inputs->dims[0];
    walk w = {.way = way,
              .n = n,
              .size = way->inputs->size / n,
              .num_baselines = way->baselines->dims[0],
              .maps = maps,
              .totals = totals};
    dlviz_status status = with_room(&w);
    dlz_free(w.at);
    dlz_free(w.numbers);
    dlz_free(w.sums);
    return status;
}

dlviz_status dlz_check_steps(const char *who, int64_t num_steps) {
    if (num_steps < 1 || num_steps > MAX_STEPS)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: %lld steps; 1 to %d are accepted", who,
                        (long long)num_steps, MAX_STEPS);
    return DLVIZ_OK;
}

dlviz_status dlz_take_baselines(const char *who, const dlviz_tensor *inputs,
                                const dlviz_tensor *baselines, dlviz_tensor **out) {
    int64_t dims[DLVIZ_MAX_DIMS];
    memcpy(dims, inputs->dims, sizeof dims);
    dims[0] = 1;
    if (!baselines)
        return dlviz_tensor_create(out, DLVIZ_FLOAT32, inputs->ndim, dims);
    bool one = baselines->ndim == inputs->ndim - 1;
    int64_t n = one ? 1 : baselines->dims[0];
    dims[0] = n;
    bool fits =
        baselines->dtype == DLVIZ_FLOAT32 && (one || baselines->ndim == inputs->ndim) &&
        (n == 1 || n == inputs->dims[0]) &&
        memcmp(one ? dims + 1 : dims, baselines->dims, (size_t)baselines->ndim * sizeof *dims) == 0;
    if (!fits) {
        char given[DLZ_SHAPE_TEXT_SIZE], sample[DLZ_SHAPE_TEXT_SIZE], all[DLZ_SHAPE_TEXT_SIZE];
        return dlz_fail(DLVIZ_ERROR_SHAPE, "%s: 'baselines' is %s %s, needs float32 %s or %s", who,
                        dlviz_dtype_name(baselines->dtype),
                        dlz_shape_text(given, baselines->ndim, baselines->dims),
                        dlz_shape_text(sample, inputs->ndim - 1, inputs->dims + 1),
                        dlz_shape_text(all, inputs->ndim, inputs->dims));
    }
    DLZ_TRY(dlviz_tensor_reshape(baselines, inputs->ndim, dims, out));
    dlviz_status status = dlz_attribution_check(who, "baseline", *out);
    if (status != DLVIZ_OK)
        dlviz_tensor_destroy(*out);
    return status;
}
