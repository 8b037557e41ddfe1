/* The frames of a run: what its network was like at an epoch. */
#include "report/report.h"
#include "base/grow.h"
#include "tensor/tensor.h"

#include <math.h>

dlviz_status dlz_report_frame_create(const dlviz_report_run *run, int64_t n, bool outputs,
                                     dlz_report_frame *frame) {
    uint64_t maps = (uint64_t)run->maps.count;
    *frame = (dlz_report_frame){0};
    frame->maps = dlz_alloc_array_zero(maps, sizeof *frame->maps);
    frame->outside = dlz_alloc_array_zero(maps, sizeof *frame->outside);
    bool whole = frame->maps && frame->outside;
    for (int64_t m = 0; whole && m < run->maps.count; m++) {
        frame->maps[m] = dlz_alloc_array((uint64_t)n, 2 * sizeof **frame->maps);
        whole = frame->maps[m] != NULL;
    }
    if (whole && outputs) {
        frame->predictions = dlz_alloc_array((uint64_t)n, sizeof *frame->predictions);
        frame->confidence = dlz_alloc_array((uint64_t)n, 1);
        whole = frame->predictions && frame->confidence;
    }
    if (whole)
        return DLVIZ_OK;
    dlz_report_frame_release(run, frame);
    return dlz_fail_memory("a frame of a report", (uint64_t)n * (4 * maps + 3));
}

void dlz_report_frame_release(const dlviz_report_run *run, dlz_report_frame *frame) {
    for (int64_t m = 0; frame->maps && m < run->maps.count; m++)
        dlz_free(frame->maps[m]);
    dlz_free(frame->maps);
    dlz_free(frame->outside);
    dlz_free(frame->predictions);
    dlz_free(frame->confidence);
    *frame = (dlz_report_frame){0};
}

dlviz_status dlz_report_take_frame(dlviz_report_run *run, const dlz_report_frame *frame) {
    dlz_report_frame *all = dlz_list_grow(run->frames, run->num_frames, 1, sizeof *all);
    if (!all)
        return dlz_fail_memory("the frames of a run", (uint64_t)run->num_frames * sizeof *all);
    run->frames = all;
    all[run->num_frames++] = *frame;
    return DLVIZ_OK;
}

double dlz_report_accuracy(int64_t n, const uint16_t *labels, const dlz_report_frame *frame) {
    int64_t right = 0, labeled = 0;
    for (int64_t i = 0; labels && frame->predictions && i < n; i++) {
        labeled += labels[i] != DLZ_REPORT_NO_CLASS;
        right += labels[i] == frame->predictions[i];
    }
    return labeled ? (double)right / (double)labeled : NAN;
}

/* -- Adding one ----------------------------------------------------------------------------------
 */

static dlviz_status check_epoch(const char *who, const dlviz_report_run *run, int64_t epoch) {
    if (epoch < -1)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: epoch %lld; 0 or more is accepted, and -1 where there are none", who,
                        (long long)epoch);
    if (run->num_frames == 0)
        return DLVIZ_OK;
    int64_t before = run->frames[run->num_frames - 1].epoch;
    if (epoch == -1 || before == -1)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: a frame of epoch -1 is a run's only one, and this would be frame %lld",
                        who, (long long)run->num_frames + 1);
    if (epoch <= before)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: epoch %lld comes after epoch %lld; they ascend", who, (long long)epoch,
                        (long long)before);
    return DLVIZ_OK;
}

static dlviz_status check_map(const char *who, const dlviz_report_run *run, int64_t m,
                              const dlviz_tensor *map) {
    int64_t n = run->report->n;
    if (!map)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: map %lld is NULL", who, (long long)m);
    if (map->dtype != DLVIZ_FLOAT32 || map->ndim != 2 || map->dims[0] != n || map->dims[1] != 2) {
        char text[DLZ_SHAPE_TEXT_SIZE];
        return dlz_fail(DLVIZ_ERROR_SHAPE,
                        "%s: map '%s' is %s %s, needs to be float32 %lld x 2, for the report has "
                        "%lld points",
                        who, run->maps.items[m], dlviz_dtype_name(map->dtype),
                        dlz_shape_text(text, map->ndim, map->dims), (long long)n, (long long)n);
    }
    const float *points = map->data;
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(points[2 * i]) || !isfinite(points[2 * i + 1]))
            return dlz_fail(DLVIZ_ERROR_NUMERIC,
                            "%s: row %lld of map '%s' is (%g, %g), which is not finite", who,
                            (long long)i, run->maps.items[m], (double)points[2 * i],
                            (double)points[2 * i + 1]);
    return DLVIZ_OK;
}

static dlviz_status check_maps(const char *who, const dlviz_report_run *run, int64_t num_maps,
                               const dlviz_tensor *const *maps) {
    if (run->maps.count == 0)
        return dlz_fail(DLVIZ_ERROR_STATE,
                        "%s: the run has no maps yet; dlviz_report_run_add_map names them", who);
    if (num_maps != run->maps.count)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: %lld maps; the run has %lld of them",
                        who, (long long)num_maps, (long long)run->maps.count);
    for (int64_t m = 0; m < num_maps; m++)
        DLZ_TRY(check_map(who, run, m, maps[m]));
    return DLVIZ_OK;
}

static dlviz_status check_outputs(const char *who, const dlviz_report_run *run,
                                  const dlviz_tensor *outputs) {
    int64_t n = run->report->n;
    char text[DLZ_SHAPE_TEXT_SIZE];
    if (outputs->dtype != DLVIZ_FLOAT32 || outputs->ndim != 2 || outputs->dims[0] != n ||
        outputs->dims[1] < 1 || outputs->dims[1] > DLZ_REPORT_MAX_CLASSES)
        return dlz_fail(DLVIZ_ERROR_SHAPE,
                        "%s: 'outputs' is %s %s, needs to be float32 %lld x C with C from 1 to %d, "
                        "for the report has %lld points",
                        who, dlviz_dtype_name(outputs->dtype),
                        dlz_shape_text(text, outputs->ndim, outputs->dims), (long long)n,
                        DLZ_REPORT_MAX_CLASSES, (long long)n);
    if (run->num_outputs > 0 && outputs->dims[1] != run->num_outputs)
        return dlz_fail(DLVIZ_ERROR_SHAPE,
                        "%s: 'outputs' has %lld columns, and that of the frames before %lld", who,
                        (long long)outputs->dims[1], (long long)run->num_outputs);
    return dlz_report_check_classes(who, run->report, "'outputs'", outputs->dims[1]);
}

static dlviz_status fill_maps(const dlviz_report_run *run, const dlviz_tensor *const *maps,
                              dlz_report_frame *frame) {
    int64_t n = run->report->n;
    float *scratch = dlz_alloc_array((uint64_t)n, sizeof *scratch);
    if (!scratch)
        return dlz_fail_memory("a map", (uint64_t)n * sizeof *scratch);
    for (int64_t m = 0; m < run->maps.count; m++)
        dlz_report_quantize(n, maps[m]->data, scratch, frame->maps[m], &frame->outside[m]);
    dlz_free(scratch);
    return DLVIZ_OK;
}

/* The probabilities are those of the last frame: NULL takes them away. */
static dlviz_status fill_and_take(dlviz_report_run *run, const dlviz_tensor *const *maps,
                                  const dlviz_tensor *outputs, dlz_report_frame *frame) {
    dlz_report_probabilities p = {0};
    int64_t n = run->report->n;
    DLZ_TRY(fill_maps(run, maps, frame));
    if (outputs)
        DLZ_TRY(dlz_report_probabilities_create(n, outputs->dims[1], &p));
    if (outputs)
        dlz_report_predict(n, outputs->dims[1], outputs->data, frame, &p);
    dlviz_status status = dlz_report_take_frame(run, frame);
    if (status != DLVIZ_OK) {
        dlz_report_probabilities_release(&p);
        return status;
    }
    dlz_report_probabilities_release(&run->probabilities);
    run->probabilities = p;
    if (outputs)
        run->num_outputs = outputs->dims[1];
    return DLVIZ_OK;
}

dlviz_status dlviz_report_run_add_frame(dlviz_report_run *run, int64_t epoch, int64_t num_maps,
                                        const dlviz_tensor *const *maps,
                                        const dlviz_tensor *outputs) {
    DLZ_REQUIRE(run);
    DLZ_REQUIRE(maps);
    DLZ_TRY(check_epoch(__func__, run, epoch));
    DLZ_TRY(check_maps(__func__, run, num_maps, maps));
    if (outputs)
        DLZ_TRY(check_outputs(__func__, run, outputs));
    dlz_report_frame frame;
    DLZ_TRY(dlz_report_frame_create(run, run->report->n, outputs != NULL, &frame));
    frame.epoch = epoch;
    dlviz_status status = fill_and_take(run, maps, outputs, &frame);
    if (status != DLVIZ_OK)
        dlz_report_frame_release(run, &frame);
    return status;
}

int64_t dlviz_report_run_num_frames(const dlviz_report_run *run) {
    return run ? run->num_frames : 0;
}

int64_t dlviz_report_run_epoch(const dlviz_report_run *run, int64_t frame) {
    return frame >= 0 && frame < dlviz_report_run_num_frames(run) ? run->frames[frame].epoch : 0;
}

double dlviz_report_run_accuracy(const dlviz_report_run *run, int64_t frame) {
    if (frame < 0 || frame >= dlviz_report_run_num_frames(run))
        return NAN;
    return dlz_report_accuracy(run->report->n, run->report->labels, &run->frames[frame]);
}
