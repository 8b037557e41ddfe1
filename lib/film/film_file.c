#include "base/base.h"
#include "base/reading.h"
#include "film/film.h"
#include "neighbors/distances.h"
#include "tensor/safetensors.h"
#include "tensor/saved.h"
#include "tensor/tensor.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define FORMAT_KEY "format"
#define FORMAT_NAME "dlviz-film-1"
#define FILM_KEY "dlviz.film"
#define NAME_SIZE 64

/* -- Writing -------------------------------------------------------------------------------------
 */

/* {"later_iterations": …, "epochs": […], "kl_divergences": […]}, the last where there are maps. */
static json_t *describe(const dlviz_film *film, bool fitted) {
    json_t *whole = json_object(), *epochs = json_array(), *divergences = json_array();
    bool good = whole && epochs && divergences;
    good = good && json_object_set_new(whole, "later_iterations",
                                       json_integer(film->later_iterations)) == 0;
    for (int64_t i = 0; good && i < film->count; i++) {
        good = json_array_append_new(epochs, json_integer(film->frames[i].epoch)) == 0;
        if (good && fitted)
            good =
                json_array_append_new(divergences, json_real(film->frames[i].maps.divergence)) == 0;
    }
    good = good && json_object_set(whole, "epochs", epochs) == 0 &&
           (!fitted || json_object_set(whole, "kl_divergences", divergences) == 0);
    json_decref(epochs);
    json_decref(divergences);
    if (good)
        return whole;
    json_decref(whole);
    return NULL;
}

static dlviz_status add(dlviz_safetensors *file, int64_t frame, const char *what,
                        const dlviz_tensor *tensor) {
    char name[NAME_SIZE];
    if (!tensor)
        return DLVIZ_OK;
    snprintf(name, sizeof name, "%lld.%s", (long long)frame, what);
    return dlviz_safetensors_add(file, name, tensor);
}

static dlviz_status fill(const void *handle, dlviz_safetensors *file) {
    const dlviz_film *film = handle;
    bool fitted = film->count > 0 && film->frames[0].maps.tsne;
    DLZ_TRY(dlviz_safetensors_set_metadata(file, FORMAT_KEY, FORMAT_NAME));
    DLZ_TRY(dlz_safetensors_set_json(file, FILM_KEY, describe(film, fitted)));
    for (int64_t i = 0; i < film->count; i++) {
        const dlz_frame *frame = &film->frames[i];
        DLZ_TRY(add(file, i, "components", frame->components));
        DLZ_TRY(add(file, i, "outputs", frame->outputs));
        DLZ_TRY(add(file, i, "pca", frame->maps.pca));
        DLZ_TRY(add(file, i, "tsne", frame->maps.tsne));
    }
    return dlz_safetensors_add_checksums(file);
}

dlviz_status dlviz_film_save(const dlviz_film *film, const char *path) {
    DLZ_REQUIRE(film);
    DLZ_REQUIRE(path);
    DLZ_HOLD_SHARED(&film->busy, "film");
    return dlz_saved_write(film, fill, path);
}

dlviz_status dlviz_film_save_memory(const dlviz_film *film, void **bytes, size_t *size) {
    DLZ_REQUIRE_OUT(bytes);
    DLZ_REQUIRE(size);
    *size = 0;
    DLZ_REQUIRE(film);
    DLZ_HOLD_SHARED(&film->busy, "film");
    return dlz_saved_write_memory(film, fill, bytes, size);
}

/* -- Reading -------------------------------------------------------------------------------------
 */

static dlviz_status damaged(const char *what) {
    return dlz_fail(DLVIZ_ERROR_FORMAT, "it is not a saved film: %s", what);
}

/* A matrix of finite numbers, with this many rows (any, where 0) and 1 to `most` columns; NULL
 * where there is none and none is needed. */
static dlviz_status get(const dlviz_safetensors *file, int64_t frame, const char *what, bool needed,
                        int64_t rows, int64_t most, dlviz_tensor **tensor) {
    char name[NAME_SIZE];
    snprintf(name, sizeof name, "%lld.%s", (long long)frame, what);
    *tensor = NULL;
    if (!needed && !dlviz_safetensors_has(file, name))
        return DLVIZ_OK;
    dlviz_status status = dlviz_safetensors_get(file, name, tensor);
    if (status == DLVIZ_ERROR_NOT_FOUND)
        return dlz_fail(DLVIZ_ERROR_FORMAT, "it is not a saved film: it has no '%s'", name);
    DLZ_TRY(status);
    const dlviz_tensor *t = *tensor;
    if (t->dtype != DLVIZ_FLOAT32 || t->ndim != 2 || t->dims[0] < 2 || t->dims[1] < 1 ||
        t->dims[1] > most || (rows > 0 && t->dims[0] != rows))
        return dlz_fail(DLVIZ_ERROR_FORMAT,
                        "it is not a saved film: '%s' has another type or shape", name);
    const float *values = t->data;
    for (int64_t i = 0; i < t->size; i++)
        if (!isfinite(values[i]))
            return dlz_fail(DLVIZ_ERROR_FORMAT,
                            "it is not a saved film: '%s' holds NaN or infinity", name);
    return DLVIZ_OK;
}

/* *width: of the outputs of the frames before, 0 if there are none. */
static dlviz_status read_frame(const dlviz_safetensors *file, const dlviz_film *film,
                               const json_t *divergences, int64_t i, int64_t *width,
                               dlz_frame *frame) {
    const dlz_frame *first = i > 0 ? &film->frames[0] : NULL;
    int64_t n = first ? first->components->dims[0] : 0;
    DLZ_TRY(get(file, i, "components", true, n, DLZ_FILM_COMPONENTS, &frame->components));
    DLZ_TRY(dlz_require_distances("it is not a saved film", "components", frame->components));
    n = frame->components->dims[0];
    DLZ_TRY(get(file, i, "outputs", false, n, INT64_MAX, &frame->outputs));
    if (frame->outputs && *width > 0 && frame->outputs->dims[1] != *width)
        return damaged("its frames have outputs of several widths");
    if (frame->outputs)
        *width = frame->outputs->dims[1];
    if (!divergences)
        return DLVIZ_OK;
    DLZ_TRY(get(file, i, "tsne", true, n, 3, &frame->maps.tsne));
    DLZ_TRY(get(file, i, "pca", true, n, 3, &frame->maps.pca));
    int64_t dimensions = (first ? first : frame)->maps.tsne->dims[1];
    if (frame->maps.tsne->dims[1] != dimensions || frame->maps.pca->dims[1] != dimensions)
        return damaged("its maps have several numbers of dimensions");
    const json_t *divergence = json_array_get(divergences, (size_t)i);
    frame->maps.divergence = json_number_value(divergence);
    return json_is_number(divergence) && frame->maps.divergence >= 0 &&
                   isfinite(frame->maps.divergence)
               ? DLVIZ_OK
               : damaged("a divergence is no number of 0 or more");
}

static dlviz_status read_frames(const dlviz_safetensors *file, const json_t *whole,
                                dlviz_film *film) {
    const json_t *epochs = json_object_get(whole, "epochs");
    const json_t *divergences = json_object_get(whole, "kl_divergences");
    const json_t *later = json_object_get(whole, "later_iterations");
    int64_t count = (int64_t)json_array_size(epochs);
    if (!json_is_array(epochs) || (divergences && !json_is_array(divergences)) ||
        (divergences && (int64_t)json_array_size(divergences) != count))
        return damaged("its frames are not listed");
    film->later_iterations = json_is_integer(later) ? json_integer_value(later) : -1;
    if (film->later_iterations < 0 || film->later_iterations > INT32_MAX)
        return damaged("its 'later_iterations' is no number of iterations");
    int64_t width = 0;
    for (int64_t i = 0; i < count; i++) {
        const json_t *epoch = json_array_get(epochs, (size_t)i);
        int64_t value = json_is_integer(epoch) ? json_integer_value(epoch) : -1;
        if (value < 0 || (i > 0 && value <= film->frames[i - 1].epoch))
            return damaged("its epochs do not rise from 0 on");
        DLZ_TRY(dlz_film_grow(film));
        dlz_frame *frame = &film->frames[film->count++];
        *frame = (dlz_frame){.epoch = value, .maps = {.divergence = NAN}};
        DLZ_TRY(read_frame(file, film, divergences, i, &width, frame));
    }
    return DLVIZ_OK;
}

static dlviz_status read_film(const dlviz_safetensors *file, void *handle) {
    dlviz_film *film = handle;
    const char *format = dlviz_safetensors_metadata(file, FORMAT_KEY);
    if (!format || strcmp(format, FORMAT_NAME) != 0)
        return damaged("its format is not '" FORMAT_NAME "'");
    json_t *whole;
    DLZ_TRY(dlz_safetensors_get_json(file, FILM_KEY, &whole));
    dlviz_status status = read_frames(file, whole, film);
    json_decref(whole);
    return status;
}

/* Ends a new handle that could not be filled. */
static dlviz_status give(dlviz_film **out, dlviz_film *film, dlviz_status status) {
    if (status == DLVIZ_OK)
        *out = film;
    else
        dlviz_film_destroy(film);
    return status;
}

dlviz_status dlviz_film_open(dlviz_film **out, const char *path) {
    DLZ_READING(path);
    DLZ_REQUIRE_OUT(out);
    DLZ_REQUIRE(path);
    dlviz_film *film;
    DLZ_TRY(dlviz_film_create(&film));
    return give(out, film, dlz_saved_read(__func__, film, read_film, path));
}

dlviz_status dlviz_film_open_memory(dlviz_film **out, const void *bytes, size_t size) {
    DLZ_READING(NULL);
    DLZ_REQUIRE_OUT(out);
    dlviz_film *film;
    DLZ_TRY(dlviz_film_create(&film));
    return give(out, film, dlz_saved_read_memory(__func__, film, read_film, bytes, size));
}
