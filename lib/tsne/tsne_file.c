/* A handle as a file: its settings, and of its last fit what transform and the getters need. */
#include "base/base.h"
#include "base/reading.h"
#include "tensor/safetensors.h"
#include "tensor/saved.h"
#include "tensor/settings.h"
#include "tensor/tensor.h"
#include "tsne/extent.h"
#include "tsne/tsne_internal.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define FORMAT_KEY "format"
#define FORMAT_NAME "dlviz-tsne-1"
#define SETTINGS_KEY "dlviz.tsne.settings"
#define FIT_KEY "dlviz.tsne.fit"

/* As files have them. */
typedef struct saved_settings {
    int64_t dimensions, distance, iterations, early_iterations, late_iterations, init, seed, method;
    int64_t patience, transform_iterations;
    double early_factor, late_factor, learning_rate, early_momentum, late_momentum, a, angle, cell;
    double least_gradient, transform_perplexity, transform_learning_rate, transform_exaggeration;
} saved_settings;

#define INTEGER(name)                                                                              \
    { #name, DLZ_SETTING_INTEGER, offsetof(saved_settings, name), false }
#define REAL(name)                                                                                 \
    { #name, DLZ_SETTING_REAL, offsetof(saved_settings, name), false }
static const dlz_setting settings_table[] = {
    INTEGER(dimensions),
    INTEGER(distance),
    INTEGER(iterations),
    REAL(early_factor),
    INTEGER(early_iterations),
    REAL(late_factor),
    INTEGER(late_iterations),
    REAL(learning_rate),
    REAL(early_momentum),
    REAL(late_momentum),
    {"degrees_of_freedom", DLZ_SETTING_REAL, offsetof(saved_settings, a), false},
    INTEGER(init),
    INTEGER(seed), /* its bits: from 2^63 on it is negative */
    INTEGER(method),
    REAL(angle),
    {"cell_size", DLZ_SETTING_REAL, offsetof(saved_settings, cell), false},
    REAL(least_gradient),
    INTEGER(patience),
    REAL(transform_perplexity),
    INTEGER(transform_iterations),
    REAL(transform_learning_rate),
    REAL(transform_exaggeration),
    {0}};
#undef INTEGER
#undef REAL

/* What a fit leaves beside tensors. Results that there are not, which are NaN, files leave out. */
typedef struct saved_fit {
    int64_t distance, iterations, neighbors, method;
    double scale, a, cell;
} saved_fit;

static const dlz_setting fit_table[] = {
    {"distance", DLZ_SETTING_INTEGER, offsetof(saved_fit, distance), false},
    {"iterations", DLZ_SETTING_INTEGER, offsetof(saved_fit, iterations), false},
    {"neighbors", DLZ_SETTING_INTEGER, offsetof(saved_fit, neighbors), false},
    {"method", DLZ_SETTING_INTEGER, offsetof(saved_fit, method), false},
    {"scale", DLZ_SETTING_REAL, offsetof(saved_fit, scale), false},
    {"degrees_of_freedom", DLZ_SETTING_REAL, offsetof(saved_fit, a), false},
    {"cell_size", DLZ_SETTING_REAL, offsetof(saved_fit, cell), false},
    {0}};

/* -- Writing -------------------------------------------------------------------------------------
 */

/* Adds a value to an object, which it takes; NULL when there is no memory for either. */
static json_t *with(json_t *object, const char *name, json_t *value) {
    if (object && json_object_set_new(object, name, value) == 0)
        return object;
    json_decref(object);
    return NULL;
}

static json_t *with_result(json_t *object, const char *name, double value) {
    return isfinite(value) && object ? with(object, name, json_real(value)) : object;
}

static json_t *list_perplexities(const dlz_tsne_settings *from) {
    json_t *list = json_array();
    for (int i = 0; list && i < from->perplexity_count; i++)
        if (json_array_append_new(list, json_real(from->perplexities[i])) != 0) {
            json_decref(list);
            list = NULL;
        }
    return list;
}

static json_t *write_settings(const dlz_tsne_settings *from) {
    const saved_settings saved = {
        .dimensions = from->dimensions,
        .distance = from->distance,
        .iterations = from->iterations,
        .early_iterations = from->early_iterations,
        .late_iterations = from->late_iterations,
        .init = from->init,
        .seed = (int64_t)from->seed,
        .method = from->method,
        .patience = from->patience,
        .transform_iterations = from->transform_iterations,
        .early_factor = from->early_factor,
        .late_factor = from->late_factor,
        .learning_rate = from->learning_rate,
        .early_momentum = from->early_momentum,
        .late_momentum = from->late_momentum,
        .a = from->a,
        .angle = from->angle,
        .cell = from->cell,
        .least_gradient = from->least_gradient,
        .transform_perplexity = from->transform_perplexity,
        .transform_learning_rate = from->transform_learning_rate,
        .transform_exaggeration = from->transform_exaggeration,
    };
    json_t *object = dlz_settings_write(settings_table, &saved);
    return object ? with(object, "perplexities", list_perplexities(from)) : NULL;
}

static json_t *write_fit(const dlz_tsne_result *from) {
    const saved_fit saved = {.distance = from->distance,
                             .iterations = from->iterations,
                             .neighbors = from->neighbors,
                             .method = from->method,
                             .scale = (double)from->scale,
                             .a = from->a,
                             .cell = from->cell};
    json_t *object = dlz_settings_write(fit_table, &saved);
    object = with_result(object, "kl_divergence", from->divergence);
    return with_result(object, "perplexity", from->perplexity);
}

static dlviz_status add(dlviz_safetensors *file, const char *name, int64_t rows, int64_t columns,
                        float *values) {
    dlviz_tensor *tensor;
    if (!values || rows == 0)
        return DLVIZ_OK;
    DLZ_TRY(dlviz_tensor_wrap(&tensor, DLVIZ_FLOAT32, 2, (int64_t[]){rows, columns}, values, NULL,
                              NULL));
    dlviz_status status = dlviz_safetensors_add(file, name, tensor);
    dlviz_tensor_destroy(tensor);
    return status;
}

static dlviz_status fill(const void *handle, dlviz_safetensors *file) {
    const dlviz_tsne *tsne = handle;
    const dlz_tsne_result *fit = &tsne->result;
    DLZ_TRY(dlviz_safetensors_set_metadata(file, FORMAT_KEY, FORMAT_NAME));
    DLZ_TRY(dlz_safetensors_set_json(file, SETTINGS_KEY, write_settings(&tsne->settings)));
    if (tsne->initial_map)
        DLZ_TRY(dlviz_safetensors_add(file, "initial_map", tsne->initial_map));
    if (tsne->fitted) {
        DLZ_TRY(dlz_safetensors_set_json(file, FIT_KEY, write_fit(fit)));
        DLZ_TRY(add(file, "map", fit->n, fit->dimensions, fit->map));
        DLZ_TRY(add(file, "points", fit->n, fit->d, fit->points));
        DLZ_TRY(add(file, "history", fit->rows, 3, fit->history));
    }
    return dlz_safetensors_add_checksums(file);
}

/* From a fit's own callback a shared mark is granted; but then there is no fit yet, nor the earlier one. */
static dlviz_status check_no_fit(const char *who, const dlz_hold *hold) {
    return hold->busy
               ? DLVIZ_OK
               : dlz_fail(DLVIZ_ERROR_STATE,
                          "%s: a fit is under way; its map can be saved when it is over", who);
}

dlviz_status dlviz_tsne_save(const dlviz_tsne *tsne, const char *path) {
    DLZ_REQUIRE(tsne);
    DLZ_REQUIRE(path);
    DLZ_HOLD_SHARED(&tsne->busy, "t-SNE handle");
    DLZ_TRY(check_no_fit(__func__, &dlz_hold_));
    return dlz_saved_write(tsne, fill, path);
}

dlviz_status dlviz_tsne_save_memory(const dlviz_tsne *tsne, void **bytes, size_t *size) {
    DLZ_REQUIRE_OUT(bytes);
    DLZ_REQUIRE(size);
    *size = 0;
    DLZ_REQUIRE(tsne);
    DLZ_HOLD_SHARED(&tsne->busy, "t-SNE handle");
    DLZ_TRY(check_no_fit(__func__, &dlz_hold_));
    return dlz_saved_write_memory(tsne, fill, bytes, size);
}

/* -- Reading: settings ---------------------------------------------------------------------------
 */

static dlviz_status damaged(const char *what) {
    return dlz_fail(DLVIZ_ERROR_FORMAT, "it is not a saved t-SNE: %s", what);
}

/* By the setters, so that what a program could not set a file cannot either. */
static dlviz_status take_settings(dlviz_tsne *to, const saved_settings *from) {
    DLZ_TRY(dlviz_tsne_set_num_dimensions(to, from->dimensions));
    DLZ_TRY(dlviz_tsne_set_distance(to, (dlviz_tsne_distance_kind)from->distance));
    DLZ_TRY(dlviz_tsne_set_num_iterations(to, from->iterations));
    DLZ_TRY(dlviz_tsne_set_early_exaggeration(to, from->early_factor, from->early_iterations));
    DLZ_TRY(dlviz_tsne_set_late_exaggeration(to, from->late_factor, from->late_iterations));
    DLZ_TRY(dlviz_tsne_set_learning_rate(to, from->learning_rate));
    DLZ_TRY(dlviz_tsne_set_momentum(to, from->early_momentum, from->late_momentum));
    DLZ_TRY(dlviz_tsne_set_degrees_of_freedom(to, from->a));
    DLZ_TRY(dlviz_tsne_set_init(to, (dlviz_tsne_init_kind)from->init));
    DLZ_TRY(dlviz_tsne_set_seed(to, (uint64_t)from->seed));
    DLZ_TRY(dlviz_tsne_set_method(to, (dlviz_tsne_method_kind)from->method));
    DLZ_TRY(dlviz_tsne_set_angle(to, from->angle));
    DLZ_TRY(dlviz_tsne_set_cell_size(to, from->cell));
    DLZ_TRY(dlviz_tsne_set_stopping(to, from->least_gradient, from->patience));
    DLZ_TRY(dlviz_tsne_set_transform_perplexity(to, from->transform_perplexity));
    DLZ_TRY(dlviz_tsne_set_num_transform_iterations(to, from->transform_iterations));
    DLZ_TRY(dlviz_tsne_set_transform_learning_rate(to, from->transform_learning_rate));
    return dlviz_tsne_set_transform_exaggeration(to, from->transform_exaggeration);
}

static dlviz_status take_perplexities(dlviz_tsne *to, const json_t *list) {
    double values[DLZ_TSNE_MAX_PERPLEXITIES] = {0};
    size_t count = json_array_size(list);
    for (size_t i = 0; i < count && i < DLZ_TSNE_MAX_PERPLEXITIES; i++)
        values[i] = json_number_value(json_array_get(list, i));
    return dlviz_tsne_set_perplexities(to, (int64_t)count, values);
}

/* Values of enumerations come as integers of 64 bits. */
static bool are_kinds(const saved_settings *settings) {
    return settings->distance == (int)settings->distance && settings->init == (int)settings->init &&
           settings->method == (int)settings->method;
}

static dlviz_status read_settings(const dlviz_safetensors *file, dlviz_tsne *tsne) {
    saved_settings saved = {0};
    json_t *object;
    DLZ_TRY(dlz_safetensors_get_json(file, SETTINGS_KEY, &object));
    dlviz_status status =
        dlz_settings_read(settings_table, "it is not a saved t-SNE", object, &saved);
    if (status == DLVIZ_OK)
        status = are_kinds(&saved) ? take_settings(tsne, &saved) : damaged("it has a kind of none");
    if (status == DLVIZ_OK)
        status = take_perplexities(tsne, json_object_get(object, "perplexities"));
    json_decref(object);
    return status;
}

/* -- Reading: the fit ----------------------------------------------------------------------------
 */

/* Largest size of the kept points, which are scaled or of unit length, and of scales. */
#define LARGEST_POINT 0x1p41f
#define UNIT_ERROR 1e-4
#define LEAST_SCALE 0x1p-64
#define LARGEST_SCALE 0x1p127

/* A copy of a matrix of numbers up to `limit`; its sizes are asked for, or, where they are not 0,
 * required. NULL where there is none. */
static dlviz_status read_matrix(const dlviz_safetensors *file, const char *name, int64_t *rows,
                                int64_t *columns, float limit, float **values) {
    *values = NULL;
    if (!dlviz_safetensors_has(file, name))
        return DLVIZ_OK;
    dlviz_tensor *tensor;
    DLZ_TRY(dlviz_safetensors_get(file, name, &tensor));
    bool fits = tensor->dtype == DLVIZ_FLOAT32 && tensor->ndim == 2 && tensor->size > 0 &&
                (*rows == 0 || tensor->dims[0] == *rows) &&
                (*columns == 0 || tensor->dims[1] == *columns);
    const float *from = tensor->data;
    bool bounded = fits;
    for (int64_t i = 0; bounded && i < tensor->size; i++)
        bounded = fabsf(from[i]) <= limit;
    dlviz_status status = DLVIZ_OK;
    if (!bounded)
        status =
            dlz_fail(DLVIZ_ERROR_FORMAT, "it is not a saved t-SNE: '%s' has %s", name,
                     fits ? "a value that is too large, or no number" : "another type or shape");
    else if (!(*values = dlz_alloc_array((uint64_t)tensor->size, sizeof **values)))
        status = dlz_fail_memory(name, (uint64_t)tensor->size * sizeof **values);
    if (status == DLVIZ_OK) {
        memcpy(*values, from, (size_t)tensor->size * sizeof **values);
        *rows = tensor->dims[0];
        *columns = tensor->dims[1];
    }
    dlviz_tensor_destroy(tensor);
    return status;
}

/* A number of `least` to `most`, or NaN where there is none. */
static dlviz_status read_result(const json_t *object, const char *name, double least, double most,
                                double *result) {
    const json_t *value = json_object_get(object, name);
    *result = json_is_number(value) ? json_number_value(value) : NAN;
    if (!value || (*result >= least && *result <= most))
        return DLVIZ_OK;
    return dlz_fail(DLVIZ_ERROR_FORMAT, "it is not a saved t-SNE: its '%s' cannot have been", name);
}

/* Iterations, divergences and norms of gradients. */
static dlviz_status check_history(const dlz_tsne_result *fit) {
    for (int64_t i = 0; i < 3 * fit->rows; i++)
        if (!(fit->history[i] >= 0))
            return damaged("its history cannot have been");
    return DLVIZ_OK;
}

static bool is_scale(double scale) {
    int exponent;
    return scale >= LEAST_SCALE && scale <= LARGEST_SCALE && frexp(scale, &exponent) == 0.5;
}

static dlviz_status take_fit(const saved_fit *saved, dlz_tsne_result *fit) {
    if (saved->distance != DLVIZ_TSNE_DISTANCE_EUCLIDEAN &&
        saved->distance != DLVIZ_TSNE_DISTANCE_COSINE)
        return damaged("its fit has a distance of none");
    if (saved->iterations < 0 || saved->iterations > INT32_MAX || saved->neighbors < 0 ||
        saved->neighbors >= fit->n || saved->method < DLVIZ_TSNE_METHOD_AUTO ||
        saved->method > DLVIZ_TSNE_METHOD_GRID)
        return damaged("its fit cannot have been");
    if (!(saved->a >= 0.05 && saved->a <= 1e4) ||
        !(saved->cell == 0 || (saved->cell >= 0.05 && saved->cell <= 10)))
        return damaged("its fit was with settings of none");
    fit->distance = (dlviz_tsne_distance_kind)saved->distance;
    fit->iterations = (int)saved->iterations;
    fit->neighbors = (int)saved->neighbors;
    fit->method = (dlviz_tsne_method_kind)saved->method;
    fit->a = saved->a;
    fit->cell = saved->cell;
    fit->scale = is_scale(saved->scale) ? (float)saved->scale : 0;
    return DLVIZ_OK;
}

/* Points that transform can measure distances to. */
static dlviz_status check_points(const dlz_tsne_result *fit) {
    if (fit->scale == 0)
        return damaged("its points have the scale of none");
    for (int64_t i = 0; fit->distance == DLVIZ_TSNE_DISTANCE_COSINE && i < fit->n; i++) {
        double square = 0;
        for (int64_t j = i * fit->d; j < (i + 1) * fit->d; j++)
            square += (double)fit->points[j] * fit->points[j];
        if (!(fabs(square - 1) <= UNIT_ERROR))
            return damaged("a point's length is not 1");
    }
    return DLVIZ_OK;
}

static dlviz_status read_tensors(const dlviz_safetensors *file, const saved_fit *saved,
                                 dlz_tsne_result *fit) {
    int64_t dimensions = 0, three = 3;
    DLZ_TRY(read_matrix(file, "map", &fit->n, &dimensions, DLZ_WIDEST_MAP, &fit->map));
    if (!fit->map || dimensions > 3 || fit->n > INT32_MAX - 64)
        return damaged("its fit has no map of 1 to 3 dimensions");
    fit->dimensions = (int)dimensions;
    DLZ_TRY(read_matrix(file, "points", &fit->n, &fit->d, LARGEST_POINT, &fit->points));
    DLZ_TRY(read_matrix(file, "history", &fit->rows, &three, INFINITY, &fit->history));
    if (!fit->history)
        return damaged("its fit has no history");
    fit->capacity = fit->rows;
    DLZ_TRY(check_history(fit));
    DLZ_TRY(take_fit(saved, fit));
    return fit->points ? check_points(fit) : DLVIZ_OK;
}

static dlviz_status read_fit(const dlviz_safetensors *file, dlz_tsne_result *fit) {
    saved_fit saved = {0};
    json_t *object;
    DLZ_TRY(dlz_safetensors_get_json(file, FIT_KEY, &object));
    dlviz_status status = dlz_settings_read(fit_table, "it is not a saved t-SNE", object, &saved);
    if (status == DLVIZ_OK)
        status = read_tensors(file, &saved, fit);
    if (status == DLVIZ_OK)
        status = read_result(object, "kl_divergence", 0, DBL_MAX, &fit->divergence);
    if (status == DLVIZ_OK)
        status = read_result(object, "perplexity", 1, 1e6, &fit->perplexity);
    json_decref(object);
    return status;
}

/* -- Reading: all of it --------------------------------------------------------------------------
 */

static dlviz_status read_tsne(const dlviz_safetensors *file, void *handle) {
    dlviz_tsne *tsne = handle;
    const char *format = dlviz_safetensors_metadata(file, FORMAT_KEY);
    if (!format || strcmp(format, FORMAT_NAME) != 0)
        return damaged("its format is not '" FORMAT_NAME "'");
    DLZ_TRY(read_settings(file, tsne));
    if (dlviz_safetensors_has(file, "initial_map")) {
        dlviz_tensor *map;
        DLZ_TRY(dlviz_safetensors_get(file, "initial_map", &map));
        dlviz_status status = dlviz_tsne_set_initial_map(tsne, map);
        dlviz_tensor_destroy(map);
        DLZ_TRY(status);
    }
    if (!dlviz_safetensors_metadata(file, FIT_KEY))
        return DLVIZ_OK;
    DLZ_TRY(read_fit(file, &tsne->result));
    tsne->fitted = true;
    return DLVIZ_OK;
}

/* Ends a new handle that could not be filled. */
static dlviz_status give(dlviz_tsne **out, dlviz_tsne *tsne, dlviz_status status) {
    if (status == DLVIZ_OK)
        *out = tsne;
    else
        dlviz_tsne_destroy(tsne);
    return status;
}

dlviz_status dlviz_tsne_open(dlviz_tsne **out, const char *path) {
    DLZ_READING(path);
    DLZ_REQUIRE_OUT(out);
    DLZ_REQUIRE(path);
    dlviz_tsne *tsne;
    DLZ_TRY(dlviz_tsne_create(&tsne));
    return give(out, tsne, dlz_saved_read(__func__, tsne, read_tsne, path));
}

dlviz_status dlviz_tsne_open_memory(dlviz_tsne **out, const void *bytes, size_t size) {
    DLZ_READING(NULL);
    DLZ_REQUIRE_OUT(out);
    dlviz_tsne *tsne;
    DLZ_TRY(dlviz_tsne_create(&tsne));
    return give(out, tsne, dlz_saved_read_memory(__func__, tsne, read_tsne, bytes, size));
}
