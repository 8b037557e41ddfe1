/* What a film is made of: the frames, as they are taken, kept and asked for. */
#include "film/film.h"
#include "base/base.h"
#include "neighbors/distances.h"
#include "pca/pca.h"
#include "tensor/tensor.h"

#include <math.h>
#include <string.h>

#define LEAST_FEATURE 1e-9f  /* of frames' largest values, without a factor */
#define LARGEST_FEATURE 1e17 /* root of the number of columns: that components have distances */

dlviz_status dlviz_film_create(dlviz_film **out) {
    DLZ_REQUIRE_OUT(out);
    dlviz_film *film = dlz_alloc_zero(sizeof *film);
    if (!film)
        return dlz_fail_memory("a film", sizeof *film);
    *out = film;
    return DLVIZ_OK;
}

void dlz_film_forget_maps(dlz_film_maps *maps) {
    dlviz_tensor_destroy(maps->pca);
    dlviz_tensor_destroy(maps->tsne);
    *maps = (dlz_film_maps){.divergence = NAN};
}

void dlz_film_clear_frame(dlz_frame *frame) {
    dlviz_tensor_destroy(frame->components);
    dlviz_tensor_destroy(frame->outputs);
    dlz_film_forget_maps(&frame->maps);
}

void dlviz_film_destroy(dlviz_film *film) {
    if (!film)
        return;
    for (int64_t i = 0; i < film->count; i++)
        dlz_film_clear_frame(&film->frames[i]);
    dlz_free(film->frames);
    dlz_free(film);
}

dlviz_status dlviz_film_set_num_later_iterations(dlviz_film *film, int64_t num_iterations) {
    DLZ_REQUIRE(film);
    DLZ_HOLD_ALONE(&film->busy, "film");
    if (num_iterations < 0 || num_iterations > INT32_MAX)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: %lld iterations; 0 to %d are accepted",
                        __func__, (long long)num_iterations, INT32_MAX);
    film->later_iterations = num_iterations;
    return DLVIZ_OK;
}

int64_t dlviz_film_num_later_iterations(const dlviz_film *film) {
    return film ? film->later_iterations : 0;
}

/* -- Taking a frame ------------------------------------------------------------------------------
 */

dlviz_status dlz_film_grow(dlviz_film *film) {
    if (film->count < film->room)
        return DLVIZ_OK;
    int64_t room = 2 * film->room + DLZ_FILM_FRAMES;
    dlz_frame *frames = dlz_realloc_array(film->frames, (uint64_t)room, sizeof *frames);
    if (!frames)
        return dlz_fail_memory("the frames of a film", (uint64_t)room * sizeof *frames);
    film->frames = frames;
    film->room = room;
    return DLVIZ_OK;
}

/* Where the epoch is, or would be: at the end. */
static dlviz_status find_place(const dlviz_film *film, const char *who, int64_t epoch,
                               int64_t *place) {
    if (epoch < 0)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: 'epoch' is %lld; 0 or more is accepted",
                        who, (long long)epoch);
    for (*place = 0; *place < film->count; ++*place)
        if (film->frames[*place].epoch == epoch)
            return DLVIZ_OK;
    int64_t last = film->count > 0 ? film->frames[film->count - 1].epoch : -1;
    if (epoch < last)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: 'epoch' is %lld and the film has come to %lld; later ones are "
                        "accepted, and those that it has, to replace them",
                        who, (long long)epoch, (long long)last);
    return DLVIZ_OK;
}

/* Of the same points, and outputs of as many classes, as the other frames. */
static dlviz_status check_rows(const dlviz_film *film, const char *who, int64_t place,
                               const dlviz_tensor *features, const dlviz_tensor *outputs) {
    int64_t n = features->dims[0];
    if (n < 2)
        return dlz_fail(DLVIZ_ERROR_SHAPE, "%s: 'features' has 1 row; 2 or more are accepted", who);
    if (outputs && outputs->dims[0] != n)
        return dlz_fail(DLVIZ_ERROR_SHAPE, "%s: 'outputs' has %lld rows, 'features' has %lld", who,
                        (long long)outputs->dims[0], (long long)n);
    for (int64_t i = 0; i < film->count; i++) {
        const dlz_frame *other = &film->frames[i];
        if (i == place)
            continue;
        if (other->components->dims[0] != n)
            return dlz_fail(
                DLVIZ_ERROR_SHAPE, "%s: 'features' has %lld rows; those of epoch %lld had %lld",
                who, (long long)n, (long long)other->epoch, (long long)other->components->dims[0]);
        if (outputs && other->outputs && outputs->dims[1] != other->outputs->dims[1])
            return dlz_fail(DLVIZ_ERROR_SHAPE,
                            "%s: 'outputs' has %lld columns; those of epoch %lld had %lld", who,
                            (long long)outputs->dims[1], (long long)other->epoch,
                            (long long)other->outputs->dims[1]);
    }
    return DLVIZ_OK;
}

static dlviz_status check_finite(const char *who, const char *name, const dlviz_tensor *matrix) {
    const float *values = matrix->data;
    int64_t columns = matrix->dims[1];
    for (int64_t i = 0; i < matrix->size; i++)
        if (!isfinite(values[i]))
            return dlz_fail(DLVIZ_ERROR_NUMERIC,
                            "%s: '%s' has %g in row %lld, column %lld; finite values are accepted",
                            who, name, (double)values[i], (long long)(i / columns),
                            (long long)(i % columns));
    return DLVIZ_OK;
}

/* A power of two that brings features to a size whose squares float32 holds, also those of as many
 * columns together, as those of a network that dies, or diverges, have not; 1 for all that have
 * it. */
static double suitable_factor(const dlviz_tensor *features) {
    const float *values = features->data;
    float largest = 0;
    int exponent;
    for (int64_t i = 0; i < features->size; i++)
        largest = fmaxf(largest, fabsf(values[i]));
    double most = LARGEST_FEATURE / sqrt((double)features->dims[1]);
    if (largest == 0 || (largest >= LEAST_FEATURE && (double)largest <= most))
        return 1;
    frexpf(largest, &exponent);
    return ldexp(1, -exponent);
}

/* The principal components of which the maps are made. */
static dlviz_status project(const char *who, const dlviz_tensor *features,
                            dlviz_tensor **components) {
    dlviz_pca *pca;
    int64_t most = dlz_min_i64(features->dims[0], features->dims[1]);
    DLZ_TRY(dlviz_pca_create(&pca, dlz_min_i64(most, DLZ_FILM_COMPONENTS)));
    dlviz_status status =
        dlz_pca_project_any_size(pca, features, suitable_factor(features), components);
    dlviz_pca_destroy(pca);
    DLZ_TRY(status);
    return dlz_require_distances(who, "the features' components", *components);
}

static dlviz_status take_frame(const char *who, int64_t epoch, const dlviz_tensor *features,
                               const dlviz_tensor *outputs, dlz_frame *frame) {
    *frame = (dlz_frame){.epoch = epoch, .maps = {.divergence = NAN}};
    dlviz_status status = project(who, features, &frame->components);
    if (status == DLVIZ_OK && outputs)
        status = dlviz_tensor_copy(outputs, &frame->outputs);
    if (status != DLVIZ_OK)
        dlz_film_clear_frame(frame);
    return status;
}

dlviz_status dlviz_film_add(dlviz_film *film, int64_t epoch, const dlviz_tensor *features,
                            const dlviz_tensor *outputs) {
    DLZ_REQUIRE(film);
    DLZ_HOLD_ALONE(&film->busy, "film");
    int64_t place = 0;
    dlz_frame frame;
    DLZ_TRY(dlz_require_matrix(__func__, "features", features));
    if (outputs)
        DLZ_TRY(dlz_require_matrix(__func__, "outputs", outputs));
    DLZ_TRY(find_place(film, __func__, epoch, &place));
    DLZ_TRY(check_rows(film, __func__, place, features, outputs));
    DLZ_TRY(check_finite(__func__, "features", features));
    if (outputs)
        DLZ_TRY(check_finite(__func__, "outputs", outputs));
    DLZ_TRY(dlz_film_grow(film));
    DLZ_TRY(take_frame(__func__, epoch, features, outputs, &frame));
    for (int64_t i = 0; i < film->count; i++)
        dlz_film_forget_maps(&film->frames[i].maps);
    if (place < film->count)
        dlz_film_clear_frame(&film->frames[place]);
    else
        film->count++;
    film->frames[place] = frame;
    return DLVIZ_OK;
}

/* -- Leaving frames out --------------------------------------------------------------------------
 */

/* The frame nearest to an epoch, by the ratio of what has been learned by then. */
static int64_t nearest_frame(const dlviz_film *film, int64_t epoch) {
    int64_t nearest = 0;
    double least = INFINITY;
    for (int64_t i = 0; i < film->count; i++) {
        double ratio = ((double)film->frames[i].epoch + 1) / ((double)epoch + 1);
        double distance = fabs(log(ratio));
        if (distance < least) {
            least = distance;
            nearest = i;
        }
    }
    return nearest;
}

static void keep_nearest(dlviz_film *film, int64_t num_epochs) {
    int64_t epochs[DLZ_FILM_FRAMES], kept[DLZ_FILM_FRAMES], count = 0;
    int64_t wanted = dlz_film_epochs(num_epochs, epochs);
    for (int64_t i = 0; i < wanted; i++) {
        int64_t frame = i == wanted - 1 ? film->count - 1 : nearest_frame(film, epochs[i]);
        if (count == 0 || kept[count - 1] != frame)
            kept[count++] = frame;
    }
    for (int64_t i = 0, next = 0; i < film->count; i++) {
        /* cppcheck-suppress uninitvar ; there are `count` of them */
        if (next == count || kept[next] != i)
            dlz_film_clear_frame(&film->frames[i]);
        else
            film->frames[next++] = film->frames[i];
    }
    film->count = count;
}

dlviz_status dlviz_film_thin(dlviz_film *film, int64_t num_epochs) {
    DLZ_REQUIRE(film);
    DLZ_HOLD_ALONE(&film->busy, "film");
    int64_t last = film->count > 0 ? film->frames[film->count - 1].epoch : 0;
    if (num_epochs < last)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: 'num_epochs' is %lld and the film has epoch %lld; %lld or more are "
                        "accepted",
                        __func__, (long long)num_epochs, (long long)last, (long long)last);
    if (film->count > 0)
        keep_nearest(film, num_epochs);
    return DLVIZ_OK;
}

/* -- What there is -------------------------------------------------------------------------------
 */

static const dlz_frame *frame_at(const dlviz_film *film, int64_t index) {
    return film && index >= 0 && index < film->count ? &film->frames[index] : NULL;
}

int64_t dlviz_film_num_frames(const dlviz_film *film) {
    return film ? film->count : 0;
}

int64_t dlviz_film_num_points(const dlviz_film *film) {
    return film && film->count > 0 ? film->frames[0].components->dims[0] : 0;
}

int64_t dlviz_film_epoch(const dlviz_film *film, int64_t index) {
    const dlz_frame *frame = frame_at(film, index);
    return frame ? frame->epoch : 0;
}

const dlviz_tensor *dlviz_film_components(const dlviz_film *film, int64_t index) {
    const dlz_frame *frame = frame_at(film, index);
    return frame ? frame->components : NULL;
}

const dlviz_tensor *dlviz_film_outputs(const dlviz_film *film, int64_t index) {
    const dlz_frame *frame = frame_at(film, index);
    return frame ? frame->outputs : NULL;
}

const dlviz_tensor *dlviz_film_pca_map(const dlviz_film *film, int64_t index) {
    const dlz_frame *frame = frame_at(film, index);
    return frame ? frame->maps.pca : NULL;
}

const dlviz_tensor *dlviz_film_tsne_map(const dlviz_film *film, int64_t index) {
    const dlz_frame *frame = frame_at(film, index);
    return frame ? frame->maps.tsne : NULL;
}

double dlviz_film_kl_divergence(const dlviz_film *film, int64_t index) {
    const dlz_frame *frame = frame_at(film, index);
    return frame ? frame->maps.divergence : NAN;
}
