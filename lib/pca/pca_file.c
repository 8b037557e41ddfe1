#include "pca/pca.h"
#include "base/base.h"
#include "base/reading.h"
#include "linalg/linalg.h"
#include "tensor/safetensors.h"
#include "tensor/saved.h"
#include "tensor/tensor.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define FORMAT_KEY "format"
#define FORMAT_NAME "dlviz-pca-1"
/* The bits of float64 numbers as integers: the whole variance, the mean, the variances, the
 * components. The file format of the library's tensors has no float64. */
#define EXACT "exact"
/* Integers: n, whether to whiten. */
#define NUMBERS "numbers"

/* Of which a file may speak: what float64 counts exactly. */
#define MOST_SAMPLES ((int64_t)1 << 53)

static int64_t exact_size(int64_t features, int64_t count) {
    return 1 + features + count + count * features;
}

static dlviz_status add_exact(dlviz_safetensors *file, const dlviz_pca *pca) {
    const dlz_pca_model *model = &pca->model;
    int64_t d = model->features, k = model->count, size = exact_size(d, k);
    dlviz_tensor *exact, *numbers;
    DLZ_TRY(dlz_tensor_create_raw(&exact, DLVIZ_INT64, 1, &size));
    int64_t *to = exact->data;
    memcpy(to, &model->total_variance, sizeof *to);
    memcpy(to + 1, model->mean, (size_t)d * sizeof *to);
    memcpy(to + 1 + d, model->variance, (size_t)k * sizeof *to);
    memcpy(to + 1 + d + k, model->components, (size_t)(k * d) * sizeof *to);
    dlviz_status status = dlviz_safetensors_add(file, EXACT, exact);
    dlviz_tensor_destroy(exact);
    DLZ_TRY(status);
    DLZ_TRY(dlviz_tensor_from_data(&numbers, DLVIZ_INT64, 1, (int64_t[]){2},
                                   (int64_t[]){model->samples, pca->whiten}));
    status = dlviz_safetensors_add(file, NUMBERS, numbers);
    dlviz_tensor_destroy(numbers);
    return status;
}

static dlviz_status fill(const void *handle, dlviz_safetensors *file) {
    const dlviz_pca *pca = handle;
    DLZ_TRY(dlviz_safetensors_set_metadata(file, FORMAT_KEY, FORMAT_NAME));
    DLZ_TRY(dlviz_safetensors_add(file, "mean", pca->mean));
    DLZ_TRY(dlviz_safetensors_add(file, "components", pca->vectors));
    DLZ_TRY(dlviz_safetensors_add(file, "explained_variance", pca->variance));
    DLZ_TRY(add_exact(file, pca));
    return dlz_safetensors_add_checksums(file);
}

static dlviz_status require_fit(const dlviz_pca *pca, const char *who) {
    return pca->model.count > 0
               ? DLVIZ_OK
               : dlz_fail(DLVIZ_ERROR_STATE, "%s: the PCA is not fitted; call dlviz_pca_fit first",
                          who);
}

dlviz_status dlviz_pca_save(const dlviz_pca *pca, const char *path) {
    DLZ_REQUIRE(pca);
    DLZ_REQUIRE(path);
    DLZ_HOLD_SHARED(&pca->busy, "PCA");
    DLZ_TRY(require_fit(pca, __func__));
    return dlz_saved_write(pca, fill, path);
}

dlviz_status dlviz_pca_save_memory(const dlviz_pca *pca, void **bytes, size_t *size) {
    DLZ_REQUIRE_OUT(bytes);
    DLZ_REQUIRE(size);
    *size = 0;
    DLZ_REQUIRE(pca);
    DLZ_HOLD_SHARED(&pca->busy, "PCA");
    DLZ_TRY(require_fit(pca, __func__));
    return dlz_saved_write_memory(pca, fill, bytes, size);
}

static dlviz_status damaged(const char *what) {
    return dlz_fail(DLVIZ_ERROR_FORMAT, "it is not a saved PCA: %s", what);
}

/* A tensor of this name and type, if its size is right too. */
static dlviz_status get(const dlviz_safetensors *file, const char *name, dlviz_dtype dtype,
                        int ndim, dlviz_tensor **tensor) {
    dlviz_status status = dlviz_safetensors_get(file, name, tensor);
    if (status == DLVIZ_ERROR_NOT_FOUND)
        return dlz_fail(DLVIZ_ERROR_FORMAT, "it is not a saved PCA: it has no '%s'", name);
    DLZ_TRY(status);
    if ((*tensor)->dtype == dtype && (*tensor)->ndim == ndim && (*tensor)->size > 0)
        return DLVIZ_OK;
    dlviz_tensor_destroy(*tensor);
    *tensor = NULL;
    return dlz_fail(DLVIZ_ERROR_FORMAT, "it is not a saved PCA: '%s' has another type or shape",
                    name);
}

/* Far above what rounding leaves of a fit's numbers. */
#define ROUNDING 1e-6
/* A first variance below it would make weights for whitening that float32 does not hold. */
#define LEAST_VARIANCE 1e-60

/* Finite in float32, so that no square or sum of them overflows. */
static dlviz_status check_numbers(const double *from, int64_t size) {
    for (int64_t i = 0; i < size; i++)
        if (!(fabs(from[i]) <= FLT_MAX))
            return damaged("it holds NaN, infinity or a number beyond float32");
    return DLVIZ_OK;
}

/* 0 and more, falling, and no more together than the variance of the data. */
static dlviz_status check_variances(double total, const double *variance, int64_t k) {
    double sum = 0;
    if (total < 0)
        return damaged("it has a negative variance");
    if (total > 0 && total < (double)FLT_MIN)
        return damaged("its variance is below what float32 holds");
    for (int64_t i = 0; i < k; i++) {
        if (variance[i] < 0)
            return damaged("it has a negative variance");
        if (i > 0 && variance[i] > variance[i - 1] + ROUNDING * variance[0])
            return damaged("its variances do not fall");
        sum += variance[i];
    }
    if (sum > total * (1 + ROUNDING))
        return damaged("its components have more variance than the data");
    if (variance[0] > 0 && variance[0] < LEAST_VARIANCE)
        return damaged("its variances are below what float32 holds");
    return DLVIZ_OK;
}

static dlviz_status check_components(const double *components, int64_t k, int64_t d) {
    for (int64_t i = 0; i < k; i++) {
        double square = 0;
        for (int64_t j = i * d; j < (i + 1) * d; j++)
            square += components[j] * components[j];
        if (!(fabs(square - 1) <= ROUNDING))
            return damaged("a component's length is not 1");
    }
    size_t room;
    double *products = dlz_mul_overflows((uint64_t)k, DLZ_ORTHONORMALITY_BLOCK, &room)
                           ? NULL
                           : dlz_alloc_array(room, sizeof *products);
    if (!products)
        return dlz_fail_memory("a check of components",
                               (uint64_t)k * DLZ_ORTHONORMALITY_BLOCK * sizeof *products);
    double error = dlz_orthonormality_error(k, d, components, true, products);
    dlz_free(products);
    return error <= ROUNDING ? DLVIZ_OK
                             : damaged("its components are not at right angles to each other");
}

/* Numbers that a fit can have given. They may come from anywhere. */
static dlviz_status check_exact(const double *from, int64_t d, int64_t k) {
    DLZ_TRY(check_numbers(from, exact_size(d, k)));
    DLZ_TRY(check_variances(from[0], from + 1 + d, k));
    return check_components(from + 1 + d + k, k, d);
}

/* The model from the exact numbers. */
static dlviz_status fill_model(const double *from, dlz_pca_model *model) {
    int64_t d = model->features, k = model->count, size = exact_size(d, k);
    DLZ_TRY(check_exact(from, d, k));
    model->mean = dlz_alloc_array((uint64_t)d, sizeof *model->mean);
    model->variance = dlz_alloc_array((uint64_t)k, sizeof *model->variance);
    model->components = dlz_alloc_array((uint64_t)(k * d), sizeof *model->components);
    if (!model->mean || !model->variance || !model->components)
        return dlz_fail_memory("a PCA", (uint64_t)size * sizeof *from);
    model->total_variance = from[0];
    memcpy(model->mean, from + 1, (size_t)d * sizeof *from);
    memcpy(model->variance, from + 1 + d, (size_t)k * sizeof *from);
    memcpy(model->components, from + 1 + d + k, (size_t)(k * d) * sizeof *from);
    return DLVIZ_OK;
}

static dlviz_status read_model(const dlviz_safetensors *file, void *handle) {
    dlviz_pca *pca = handle;
    const char *format = dlviz_safetensors_metadata(file, FORMAT_KEY);
    if (!format || strcmp(format, FORMAT_NAME) != 0)
        return damaged("its format is not '" FORMAT_NAME "'");
    dlviz_tensor *components, *exact = NULL, *numbers = NULL;
    DLZ_TRY(get(file, "components", DLVIZ_FLOAT32, 2, &components));
    dlz_pca_model model = {.count = components->dims[0], .features = components->dims[1]};
    dlviz_tensor_destroy(components);
    dlviz_status status = get(file, NUMBERS, DLVIZ_INT64, 1, &numbers);
    if (status == DLVIZ_OK)
        status = get(file, EXACT, DLVIZ_INT64, 1, &exact);
    if (status == DLVIZ_OK) {
        const int64_t *whole = numbers->data;
        if (numbers->size != 2 || whole[0] < 2 || whole[0] > MOST_SAMPLES ||
            model.count > model.features || model.count > whole[0] ||
            exact->size != exact_size(model.features, model.count)) {
            status = damaged("its sizes do not fit together");
        } else {
            model.samples = whole[0];
            pca->whiten = whole[1] != 0;
            pca->components = model.count;
            status = fill_model(exact->data, &model);
        }
    }
    if (status == DLVIZ_OK)
        status = dlz_pca_adopt(NULL, pca, &model);
    dlz_pca_model_clear(&model);
    dlviz_tensor_destroy(exact);
    dlviz_tensor_destroy(numbers);
    return status;
}

/* Ends a new handle that could not be filled. */
static dlviz_status give(dlviz_pca **out, dlviz_pca *pca, dlviz_status status) {
    if (status == DLVIZ_OK)
        *out = pca;
    else
        dlviz_pca_destroy(pca);
    return status;
}

dlviz_status dlviz_pca_open(dlviz_pca **out, const char *path) {
    DLZ_READING(path);
    DLZ_REQUIRE_OUT(out);
    DLZ_REQUIRE(path);
    dlviz_pca *pca;
    DLZ_TRY(dlviz_pca_create(&pca, 0));
    return give(out, pca, dlz_saved_read(__func__, pca, read_model, path));
}

dlviz_status dlviz_pca_open_memory(dlviz_pca **out, const void *bytes, size_t size) {
    DLZ_READING(NULL);
    DLZ_REQUIRE_OUT(out);
    dlviz_pca *pca;
    DLZ_TRY(dlviz_pca_create(&pca, 0));
    return give(out, pca, dlz_saved_read_memory(__func__, pca, read_model, bytes, size));
}
