/* A film's maps, its outputs and its epochs as the frames of a run. */
#include "film/film.h"
#include "report/report.h"
#include "tensor/tensor.h"

static const char *const map_names[] = {"t-SNE", "PCA"};

static dlviz_status check_run(const char *who, const dlviz_report_run *run) {
    if (run->maps.count == 0 && run->num_frames == 0)
        return DLVIZ_OK;
    return dlz_fail(DLVIZ_ERROR_STATE,
                    "%s: the run has %lld maps already; a film brings its own to a run without any",
                    who, (long long)run->maps.count);
}

static dlviz_status check_frame(const char *who, const dlviz_report *report,
                                const dlz_frame *frame) {
    const dlviz_tensor *map = frame->maps.tsne;
    if (!map || !frame->maps.pca)
        return dlz_fail(DLVIZ_ERROR_STATE,
                        "%s: the film has no maps yet; dlviz_film_fit makes them", who);
    if (map->dims[0] != report->n)
        return dlz_fail(DLVIZ_ERROR_SHAPE, "%s: the film has %lld points, and the report %lld", who,
                        (long long)map->dims[0], (long long)report->n);
    if (map->dims[1] != 2)
        return dlz_fail(DLVIZ_ERROR_SHAPE,
                        "%s: the film's maps have %lld dimensions; a page shows maps of 2", who,
                        (long long)map->dims[1]);
    return DLVIZ_OK;
}

static dlviz_status check_film(const char *who, const dlviz_report *report,
                               const dlviz_film *film) {
    if (film->count == 0)
        return dlz_fail(DLVIZ_ERROR_STATE, "%s: the film has no frames", who);
    for (int64_t i = 0; i < film->count; i++)
        DLZ_TRY(check_frame(who, report, &film->frames[i]));
    return DLVIZ_OK;
}

static dlviz_status add_frames(dlviz_report_run *run, const dlviz_film *film) {
    for (int m = 0; m < 2; m++)
        DLZ_TRY(dlz_report_add_map_name(run, map_names[m]));
    for (int64_t i = 0; i < film->count; i++) {
        const dlz_frame *frame = &film->frames[i];
        const dlviz_tensor *maps[] = {frame->maps.tsne, frame->maps.pca};
        DLZ_TRY(dlviz_report_run_add_frame(run, frame->epoch, 2, maps, frame->outputs));
    }
    return DLVIZ_OK;
}

dlviz_status dlviz_report_run_add_film(dlviz_report_run *run, const dlviz_film *film) {
    DLZ_REQUIRE(run);
    DLZ_REQUIRE(film);
    DLZ_HOLD_SHARED(&film->busy, "film");
    DLZ_TRY(check_run(__func__, run));
    DLZ_TRY(check_film(__func__, run->report, film));
    dlviz_status status = add_frames(run, film);
    if (status != DLVIZ_OK)
        dlz_report_forget_frames(run);
    return status;
}
