/* The mean gradient on the way from a baseline: M. Sundararajan et al., "Axiomatic attribution for
 * deep networks", 2017. */
#include "attribution/attribution.h"
#include "base/base.h"
#include "base/parallel.h"
#include "tensor/tensor.h"

#include <math.h>
#include <string.h>

enum { MAX_STEPS = 1000 };

/* A few samples at a time, each with so many points of its way, DLZ_EVALUATION_BATCH at most. */
typedef struct ways {
    const dlz_attribution *of;
    const float *baselines;
    int64_t num_baselines; /* 1: for all samples */
    int64_t steps;
    double *at, *weight; /* of each step: where on the way, 0 to 1, and how much it counts */
    int64_t first, samples, from, points; /* at present; `from`: the first of the steps */
    float *numbers;                       /* samples x points x size: inputs, then gradients */
    double *sums;                         /* samples x size: of the gradients */
    float *maps;
    double *totals; /* of each map */
} ways;

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

static const float *input_of(const ways *w, int64_t sample) {
    return (const float *)w->of->inputs->data + sample * w->of->size;
}

static const float *baseline_of(const ways *w, int64_t sample) {
    return w->baselines + (w->num_baselines > 1 ? sample * w->of->size : 0);
}

static void fill_tile(void *context, int64_t row, int worker) {
    (void)worker;
    const ways *w = context;
    int64_t sample = w->first + row / w->points, size = w->of->size;
    const float *input = input_of(w, sample), *baseline = baseline_of(w, sample);
    double at = w->at[w->from + row % w->points];
    for (int64_t i = 0; i < size; i++)
        w->numbers[row * size + i] =
            (float)((1 - at) * (double)baseline[i] + at * (double)input[i]);
}

static void add_tile(void *context, int64_t sample, int worker) {
    (void)worker;
    const ways *w = context;
    int64_t size = w->of->size;
    double *sums = w->sums + sample * size;
    for (int64_t k = 0; k < w->points; k++) {
        const float *gradient = w->numbers + (sample * w->points + k) * size;
        double weight = w->weight[w->from + k];
        for (int64_t i = 0; i < size; i++)
            sums[i] += weight * (double)gradient[i];
    }
}

static dlviz_status run_points(ways *w) {
    int64_t rows = w->samples * w->points, targets[DLZ_EVALUATION_BATCH];
    int workers = dlz_threads();
    for (int64_t row = 0; row < rows; row++)
        targets[row] = w->of->targets[w->first + row / w->points];
    dlz_parallel_for(rows, workers, fill_tile, w);
    dlz_plan *plan;
    DLZ_TRY(dlz_attribution_forward(w->of, NULL, w->numbers, rows, &plan));
    DLZ_TRY(dlz_attribution_backward(plan, targets));
    dlz_read_input_gradient(plan, w->numbers);
    dlz_parallel_for(w->samples, workers, add_tile, w);
    return DLVIZ_OK;
}

/* Makes the maps of the present samples, and what each adds up to, from their sums. */
static void finish_samples(const ways *w) {
    int64_t size = w->of->size;
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

static dlviz_status run_samples(ways *w, int64_t together) {
    for (w->first = 0; w->first < w->of->n; w->first += w->samples) {
        w->samples = dlz_min_i64(together, w->of->n - w->first);
        memset(w->sums, 0, (size_t)(w->samples * w->of->size) * sizeof *w->sums);
        for (w->from = 0; w->from < w->steps; w->from += w->points) {
            w->points = dlz_min_i64(w->steps - w->from, DLZ_EVALUATION_BATCH);
            DLZ_TRY(run_points(w));
        }
        finish_samples(w);
    }
    return DLVIZ_OK;
}

static dlviz_status with_room(ways *w) {
    uint64_t size = (uint64_t)w->of->size;
    int64_t together = dlz_max_i64(1, DLZ_EVALUATION_BATCH / w->steps);
    w->at = dlz_alloc_array((uint64_t)w->steps, 2 * sizeof(double));
    w->numbers = dlz_alloc_array(DLZ_EVALUATION_BATCH * size, sizeof *w->numbers);
    w->sums = dlz_alloc_array((uint64_t)together * size, sizeof *w->sums);
    if (!w->at || !w->numbers || !w->sums)
        return dlz_fail_memory("the points on the way", DLZ_EVALUATION_BATCH * size * 4);
    w->weight = w->at + w->steps;
    place_steps(w->steps, w->at, w->weight);
    return run_samples(w, together);
}

/* What is shared out, less what was to be. */
static dlviz_status find_gaps(const ways *w, const dlviz_tensor *baselines, float *gaps) {
    dlviz_tensor *outputs;
    DLZ_TRY(dlz_network_outputs(w->of->network, baselines, &outputs));
    dlviz_status status = dlz_attribution_check(w->of->who, "the outputs of baseline", outputs);
    int64_t size = w->of->outputs->size / w->of->n;
    const float *ends = w->of->outputs->data, *starts = outputs->data;
    for (int64_t i = 0; status == DLVIZ_OK && i < w->of->n; i++) {
        int64_t target = w->of->targets[i], start = w->num_baselines > 1 ? i * size : 0;
        double difference = (double)ends[i * size + target] - (double)starts[start + target];
        gaps[i] = (float)(w->totals[i] - difference);
    }
    dlviz_tensor_destroy(outputs);
    return status;
}

/* `baselines`: 1 or n of them, with that number in front. `gaps` NULL: not wanted. */
static dlviz_status integrate(const dlz_attribution *of, const dlviz_tensor *baselines,
                              int64_t num_steps, dlviz_tensor *maps, dlviz_tensor *gaps) {
    ways w = {.of = of,
              .baselines = baselines->data,
              .num_baselines = baselines->dims[0],
              .steps = num_steps,
              .maps = maps->data};
    w.totals = dlz_alloc_array((uint64_t)of->n, sizeof *w.totals);
    dlviz_status status =
        w.totals ? with_room(&w) : dlz_fail_memory("sums", (uint64_t)of->n * sizeof *w.totals);
    if (status == DLVIZ_OK)
        status = dlz_attribution_check(of->who, "the map of sample", maps);
    if (status == DLVIZ_OK && gaps)
        status = find_gaps(&w, baselines, gaps->data);
    dlz_free(w.at);
    dlz_free(w.numbers);
    dlz_free(w.sums);
    dlz_free(w.totals);
    return status;
}

/* Makes the results, both or none. */
static dlviz_status with_results(const dlz_attribution *of, const dlviz_tensor *baselines,
                                 int64_t num_steps, dlviz_tensor **maps, dlviz_tensor **gaps) {
    dlviz_tensor *map, *gap = NULL;
    DLZ_TRY(dlz_tensor_create_raw(&map, DLVIZ_FLOAT32, of->inputs->ndim, of->inputs->dims));
    dlviz_status status = DLVIZ_OK;
    if (gaps)
        status = dlz_tensor_create_raw(&gap, DLVIZ_FLOAT32, 1, &of->n);
    if (status == DLVIZ_OK)
        status = integrate(of, baselines, num_steps, map, gap);
    if (status != DLVIZ_OK) {
        dlviz_tensor_destroy(map);
        dlviz_tensor_destroy(gap);
        return status;
    }
    *maps = map;
    if (gaps)
        *gaps = gap;
    return DLVIZ_OK;
}

/* The baselines with their number in front: a view, or zeros where there are none. */
static dlviz_status take_baselines(const dlz_attribution *of, const dlviz_tensor *baselines,
                                   dlviz_tensor **out) {
    const dlviz_tensor *inputs = of->inputs;
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
        (n == 1 || n == of->n) &&
        memcmp(one ? dims + 1 : dims, baselines->dims, (size_t)baselines->ndim * sizeof *dims) == 0;
    if (!fits) {
        char given[DLZ_SHAPE_TEXT_SIZE], sample[DLZ_SHAPE_TEXT_SIZE], all[DLZ_SHAPE_TEXT_SIZE];
        return dlz_fail(DLVIZ_ERROR_SHAPE, "%s: 'baselines' is %s %s, needs float32 %s or %s",
                        of->who, dlviz_dtype_name(baselines->dtype),
                        dlz_shape_text(given, baselines->ndim, baselines->dims),
                        dlz_shape_text(sample, inputs->ndim - 1, inputs->dims + 1),
                        dlz_shape_text(all, inputs->ndim, inputs->dims));
    }
    DLZ_TRY(dlviz_tensor_reshape(baselines, inputs->ndim, dims, out));
    dlviz_status status = dlz_attribution_check(of->who, "baseline", *out);
    if (status != DLVIZ_OK)
        dlviz_tensor_destroy(*out);
    return status;
}

static dlviz_status from_baselines(const dlz_attribution *of, const dlviz_tensor *baselines,
                                   int64_t num_steps, dlviz_tensor **maps, dlviz_tensor **gaps) {
    dlviz_tensor *taken;
    DLZ_TRY(take_baselines(of, baselines, &taken));
    dlviz_status status = with_results(of, taken, num_steps, maps, gaps);
    dlviz_tensor_destroy(taken);
    return status;
}

dlviz_status dlviz_network_integrated_gradients(dlviz_network *network, const dlviz_tensor *inputs,
                                                const dlviz_tensor *baselines,
                                                const dlviz_tensor *targets, int64_t num_steps,
                                                dlviz_tensor **maps, dlviz_tensor **gaps) {
    if (gaps)
        *gaps = NULL;
    DLZ_REQUIRE_OUT(maps);
    DLZ_TRY(dlz_require_built(network, __func__));
    DLZ_USE_NETWORK(__func__, network);
    if (num_steps < 1 || num_steps > MAX_STEPS)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: %lld steps; 1 to %d are accepted",
                        __func__, (long long)num_steps, MAX_STEPS);
    dlz_attribution of;
    dlviz_status status =
        dlz_attribution_begin(&of, __func__, network, inputs, targets, gaps != NULL);
    if (status == DLVIZ_OK)
        status = from_baselines(&of, baselines, num_steps, maps, gaps);
    dlz_attribution_end(&of);
    return status;
}
