/* The maps of a film, each made from the one before it. */
#include "film/film.h"
#include "base/base.h"
#include "base/progress.h"
#include "comm/comm.h"
#include "comm/enter.h"
#include "tensor/tensor.h"
#include "tsne/tsne_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* The first components; zeros where the features have fewer. */
static dlviz_status take_pca_map(const dlviz_tensor *components, int64_t dimensions,
                                 dlviz_tensor **map) {
    int64_t n = components->dims[0], kept = dlz_min_i64(components->dims[1], dimensions);
    DLZ_TRY(dlviz_tensor_create(map, DLVIZ_FLOAT32, 2, (int64_t[]){n, dimensions}));
    const float *from = components->data;
    float *to = (*map)->data;
    for (int64_t i = 0; i < n; i++)
        memcpy(to + i * dimensions, from + i * components->dims[1], (size_t)kept * sizeof *to);
    return DLVIZ_OK;
}

/* Of starts, as where t-SNE makes its own of principal components. */
#define START_DEVIATION 1e-4

/* The map before, made as small as any start. Started from a map of full size the descent goes on
 * where the one before ended: the maps grow and part from frame to frame by iterations alone, as if
 * the network had learned that, and parts of a class that the first map has in several places stay
 * apart. Measured on 10,000 pictures of clothes, six epochs of a ConvNet: the last of such maps has
 * a divergence of 1.575 after 500 iterations each, with an exaggeration of 4 for the first 100, and
 * 1.525 after 1000; a fit of its own has 1.511 (from random starts 1.510 to 1.515), and this one
 * 1.515. On digits 1.430, and 1.435 by itself. */
static dlviz_status shrink(const dlviz_tensor *map, dlviz_tensor **start) {
    int64_t n = map->dims[0], e = map->dims[1];
    DLZ_TRY(dlviz_tensor_copy(map, start));
    float *values = (*start)->data;
    double largest = 0;
    for (int64_t c = 0; c < e; c++) {
        double sum = 0, squares = 0;
        for (int64_t i = c; i < n * e; i += e)
            sum += values[i];
        for (int64_t i = c; i < n * e; i += e)
            squares += (values[i] - sum / (double)n) * (values[i] - sum / (double)n);
        largest = fmax(largest, sqrt(squares / (double)n));
    }
    double scale = largest > 0 ? START_DEVIATION / largest : 1;
    for (int64_t i = 0; i < n * e; i++)
        values[i] = (float)(values[i] * scale);
    return DLVIZ_OK;
}

static int64_t later_iterations(const dlviz_film *film, const dlviz_tsne *tsne) {
    return film->later_iterations > 0 ? film->later_iterations : tsne->settings.iterations;
}

/* A fit from the map before, with other settings for as long as it runs: fewer iterations, and as
 * many fewer of the early ones. */
static dlviz_status fit_from(dlviz_tsne *tsne, const char *who, const dlz_frame *frame,
                             const dlviz_tensor *before, int64_t iterations, dlviz_tensor **map) {
    dlz_tsne_settings settings = tsne->settings;
    dlviz_tensor *initial_map = tsne->initial_map, *start = NULL;
    dlviz_status made = dlz_comm_agree(tsne->comm, shrink(before, &start));
    if (made != DLVIZ_OK) {
        dlviz_tensor_destroy(start);
        return made;
    }
    double share = settings.iterations > 0 ? (double)iterations / settings.iterations : 1;
    tsne->settings.iterations = (int)iterations;
    tsne->settings.early_iterations = (int)(fmin(share, 1) * settings.early_iterations);
    tsne->initial_map = start;
    dlviz_status status = dlz_tsne_fit_points(tsne, who, frame->components, DLVIZ_OK, map);
    tsne->settings = settings;
    tsne->initial_map = initial_map;
    dlviz_tensor_destroy(start);
    return status;
}

static dlviz_status fit_frame(const dlviz_film *film, dlviz_tsne *tsne, const char *who, int64_t i,
                              const dlviz_tensor *before, dlviz_tensor **map) {
    const dlz_frame *frame = &film->frames[i];
    return before ? fit_from(tsne, who, frame, before, later_iterations(film, tsne), map)
                  : dlz_tsne_fit_points(tsne, who, frame->components, DLVIZ_OK, map);
}

static dlviz_status make_maps(const dlviz_film *film, dlviz_tsne *tsne, const char *who,
                              dlz_film_maps *maps) {
    int64_t first = tsne->settings.iterations + 1, later = later_iterations(film, tsne) + 1;
    double work = (double)first + (double)(film->count - 1) * (double)later, done = 0;
    for (int64_t i = 0; i < film->count; i++) {
        double next = done + (double)(i == 0 ? first : later);
        dlz_task_part(done / work, next / work);
        done = next;
        DLZ_TRY(dlz_comm_agree(tsne->comm, take_pca_map(film->frames[i].components,
                                                        tsne->settings.dimensions, &maps[i].pca)));
        DLZ_TRY(fit_frame(film, tsne, who, i, i == 0 ? NULL : maps[i - 1].tsne, &maps[i].tsne));
        maps[i].divergence = tsne->result.divergence;
    }
    return DLVIZ_OK;
}

static dlviz_status align_to(const dlviz_tensor *last, dlviz_tensor **map) {
    dlviz_tensor *aligned;
    DLZ_TRY(dlviz_align(*map, last, &aligned));
    dlviz_tensor_destroy(*map);
    *map = aligned;
    return DLVIZ_OK;
}

static dlviz_status align_all(const dlviz_film *film, dlz_film_maps *maps) {
    const dlz_film_maps *last = &maps[film->count - 1];
    for (int64_t i = 0; i < film->count - 1; i++) {
        DLZ_TRY(align_to(last->pca, &maps[i].pca));
        DLZ_TRY(align_to(last->tsne, &maps[i].tsne));
    }
    return DLVIZ_OK;
}

static dlviz_status fit(dlviz_film *film, dlviz_tsne *tsne, const char *who, dlz_film_maps *maps) {
    dlviz_status status = make_maps(film, tsne, who, maps);
    if (status == DLVIZ_OK)
        status = dlz_comm_agree(tsne->comm, align_all(film, maps));
    for (int64_t i = 0; i < film->count; i++) {
        dlz_film_maps made = maps[i];
        if (status == DLVIZ_OK) { /* the earlier ones go */
            made = film->frames[i].maps;
            film->frames[i].maps = maps[i];
        }
        dlz_film_forget_maps(&made);
    }
    return status;
}

static dlviz_status begin(const dlviz_film *film, const char *who, dlz_task *task,
                          dlz_film_maps **maps) {
    if (film->count == 0)
        return dlz_fail(DLVIZ_ERROR_STATE, "%s: the film has no frames; dlviz_film_add adds them",
                        who);
    DLZ_TRY(dlz_task_begin(task, "film"));
    *maps = dlz_alloc_array_zero((uint64_t)film->count, sizeof **maps);
    if (!*maps)
        return dlz_fail_memory("the maps of a film", (uint64_t)film->count * sizeof **maps);
    return DLVIZ_OK;
}

/* Frames' points, and t-SNE's settings, are compared where they are fitted. */
static dlviz_status require_same(const dlviz_film *film, const dlviz_tsne *tsne, const char *who) {
    char text[64];
    snprintf(text, sizeof text, "%lld, %lld iterations for the later ones", (long long)film->count,
             (long long)film->later_iterations);
    return dlz_comm_require_same(tsne->comm, who, "the number of frames", text);
}

dlviz_status dlviz_film_fit(dlviz_film *film, dlviz_tsne *tsne) {
    DLZ_REQUIRE(tsne);
    DLZ_HOLD_TOGETHER(&tsne->busy, "t-SNE handle", DLZ_ALONE, tsne->comm);
    if (!film)
        return dlz_comm_enter(
            tsne->comm, __func__,
            dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: 'film' is NULL", __func__));
    dlz_hold film_hold __attribute__((unused, cleanup(dlz_busy_give_back))) = {NULL};
    dlz_hold again __attribute__((unused, cleanup(dlz_busy_give_back))) = {NULL};
    DLZ_TRY(
        dlz_comm_take(__func__, &film->busy, "film", DLZ_ALONE, &tsne->comm, &film_hold, &again));
    dlz_task task __attribute__((unused, cleanup(dlz_task_end))) = {.outer = NULL};
    dlz_film_maps *maps = NULL;
    dlviz_status status = dlz_tsne_enter(tsne->comm, __func__, begin(film, __func__, &task, &maps));
    if (status == DLVIZ_OK)
        status = require_same(film, tsne, __func__);
    if (status == DLVIZ_OK)
        status = fit(film, tsne, __func__, maps);
    dlz_free(maps);
    return status;
}
