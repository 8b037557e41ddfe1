/* Predictions of numbers. */
#include "base/base.h"
#include "base/parallel.h"
#include "metrics/predictions.h"
#include "scores/errors.h"

#include <math.h>

/* Numbers of a sample that a tile has. */
#define TILE 64

typedef struct error_pass {
    const float *outputs, *targets;
    int64_t n, size, tiles;
    double *sums; /* dlz_errors_num_sums(TILE) a tile */
} error_pass;

static int64_t tile_size(const error_pass *pass, int64_t tile) {
    return dlz_min_i64(TILE, pass->size - tile * TILE);
}

static double *tile_sums(const error_pass *pass, int64_t tile) {
    return pass->sums + tile * dlz_errors_num_sums(TILE);
}

static void add_tile(void *context, int64_t tile, int worker) {
    (void)worker;
    const error_pass *pass = context;
    dlz_errors_add(tile_sums(pass, tile), pass->n, tile_size(pass, tile), pass->size,
                   pass->outputs + tile * TILE, pass->targets + tile * TILE);
}

static dlviz_status require_pair(const char *who, const dlviz_tensor *outputs,
                                 const dlviz_tensor *targets) {
    char given[DLZ_SHAPE_TEXT_SIZE], wanted[DLZ_SHAPE_TEXT_SIZE];
    if (!outputs || !targets)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: '%s' is NULL", who,
                        outputs ? "targets" : "outputs");
    dlz_shape_text(wanted, outputs->ndim, outputs->dims);
    dlz_shape_text(given, targets->ndim, targets->dims);
    if (outputs->dtype != DLVIZ_FLOAT32 || outputs->ndim < 1 || outputs->size == 0)
        return dlz_fail(DLVIZ_ERROR_SHAPE,
                        "%s: 'outputs' is %s of %s; n samples of float32 are accepted", who, wanted,
                        dlviz_dtype_name(outputs->dtype));
    bool fits = targets->dtype == DLVIZ_FLOAT32 && targets->ndim == outputs->ndim;
    for (int i = 0; fits && i < outputs->ndim; i++)
        fits = targets->dims[i] == outputs->dims[i];
    if (!fits)
        return dlz_fail(DLVIZ_ERROR_SHAPE, "%s: 'targets' is %s of %s, needs %s of float32", who,
                        given, dlviz_dtype_name(targets->dtype), wanted);
    DLZ_TRY(dlz_require_finite(who, "outputs", outputs));
    return dlz_require_finite(who, "targets", targets);
}

/* The sums of all tiles, for the caller to free. */
static dlviz_status add_errors(const char *who, const dlviz_tensor *outputs,
                               const dlviz_tensor *targets, double *result, error_pass *pass) {
    if (!result)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: 'result' is NULL", who);
    *result = 0;
    DLZ_TRY(require_pair(who, outputs, targets));
    int64_t n = outputs->dims[0], size = outputs->size / n;
    *pass = (error_pass){.outputs = outputs->data,
                         .targets = targets->data,
                         .n = n,
                         .size = size,
                         .tiles = dlz_ceil_div(size, TILE)};
    uint64_t bytes = (uint64_t)dlz_errors_num_sums(TILE) * sizeof(double);
    pass->sums = dlz_alloc_array_zero((uint64_t)pass->tiles, bytes);
    if (!pass->sums)
        return dlz_fail_memory("sums of errors", (uint64_t)pass->tiles * bytes);
    dlz_parallel_for(pass->tiles, dlz_threads(), add_tile, pass);
    return DLVIZ_OK;
}

static double total(const error_pass *pass, int which) {
    double sum = 0;
    for (int64_t tile = 0; tile < pass->tiles; tile++)
        sum += tile_sums(pass, tile)[which];
    return sum;
}

dlviz_status dlviz_metrics_mae(const dlviz_tensor *outputs, const dlviz_tensor *targets,
                               double *result) {
    error_pass pass;
    DLZ_TRY(add_errors(__func__, outputs, targets, result, &pass));
    *result = total(&pass, DLZ_ERRORS_ABSOLUTE) / (double)outputs->size;
    dlz_free(pass.sums);
    return DLVIZ_OK;
}

dlviz_status dlviz_metrics_mse(const dlviz_tensor *outputs, const dlviz_tensor *targets,
                               double *result) {
    error_pass pass;
    DLZ_TRY(add_errors(__func__, outputs, targets, result, &pass));
    *result = total(&pass, DLZ_ERRORS_SQUARED) / (double)outputs->size;
    dlz_free(pass.sums);
    return DLVIZ_OK;
}

dlviz_status dlviz_metrics_rmse(const dlviz_tensor *outputs, const dlviz_tensor *targets,
                                double *result) {
    error_pass pass;
    DLZ_TRY(add_errors(__func__, outputs, targets, result, &pass));
    double sum = 0;
    for (int64_t tile = 0; tile < pass.tiles; tile++) {
        const double *squares = dlz_errors_squares(tile_sums(&pass, tile));
        for (int64_t j = 0; j < tile_size(&pass, tile); j++)
            sum += sqrt(squares[j] / (double)pass.n);
    }
    *result = sum / (double)pass.size;
    dlz_free(pass.sums);
    return DLVIZ_OK;
}

/* -- R² ------------------------------------------------------------------------------------------
 */

/* Over the numbers of a sample: their sums, those of the numbers that vary, and the sum of R². */
typedef struct variance {
    double squares, deviations, explained, each;
} variance;

static variance add_up(const error_pass *pass) {
    variance v = {0, 0, 0, 0};
    for (int64_t tile = 0; tile < pass->tiles; tile++) {
        int64_t size = tile_size(pass, tile);
        const double *squares = dlz_errors_squares(tile_sums(pass, tile)),
                     *deviations = dlz_errors_deviations(tile_sums(pass, tile), size);
        for (int64_t j = 0; j < size; j++) {
            v.squares += squares[j];
            v.deviations += deviations[j];
            v.explained += deviations[j] > 0 ? deviations[j] - squares[j] : 0;
            v.each += dlz_r2(squares[j], deviations[j]);
        }
    }
    return v;
}

dlviz_status dlviz_metrics_r2(const dlviz_tensor *outputs, const dlviz_tensor *targets,
                              dlviz_average average, double *result) {
    error_pass pass;
    DLZ_REQUIRE(result);
    *result = 0;
    DLZ_TRY(dlz_require_average(__func__, average));
    if (outputs && outputs->ndim > 0 && outputs->dims[0] == 1)
        return dlz_fail(DLVIZ_ERROR_SHAPE, "%s: 'outputs' has one sample; 2 or more are accepted",
                        __func__);
    DLZ_TRY(add_errors(__func__, outputs, targets, result, &pass));
    variance v = add_up(&pass);
    if (average == DLVIZ_AVERAGE_MICRO)
        *result = dlz_r2(v.squares, v.deviations);
    else if (average == DLVIZ_AVERAGE_WEIGHTED && v.deviations > 0)
        *result = v.explained / v.deviations;
    else
        *result = v.each / (double)pass.size;
    dlz_free(pass.sums);
    return DLVIZ_OK;
}
