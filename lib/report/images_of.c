/* The points' pictures out of a dataset: each sample is loaded, resized, and made smaller at once, so
 * that no more of them are in memory than there are threads. */
#include "base/failures.h"
#include "base/progress.h"
#include "data/dataset.h"
#include "report/report.h"
#include "tensor/tensor.h"

#include <math.h>

typedef struct work {
    const char *who;
    const dlviz_dataset *dataset;
    const dlz_transform *transform;
    int64_t height, width; /* of samples as they are loaded */
    bool bytes; /* not resized: 0 … 255, so that means of pixels round as those of images */
    const dlz_thumbnails *to;
    float least, most; /* what becomes black and white */
    float *scratch;    /* a sample, and a channel of it as it is kept, for each worker */
    int64_t room;
    dlz_failures failures;
} work;

static dlviz_status check_dataset(const char *who, const dlviz_report *report,
                                  const dlviz_dataset *dataset) {
    const int64_t *dims = dataset->dims;
    if (dataset->num_samples != report->n)
        return dlz_fail(DLVIZ_ERROR_SHAPE,
                        "%s: the dataset has %lld samples, and the report %lld points", who,
                        (long long)dataset->num_samples, (long long)report->n);
    if (dataset->ndim != 3)
        return dlz_fail(DLVIZ_ERROR_SHAPE,
                        "%s: the samples are vectors of %lld numbers; images are accepted", who,
                        (long long)dims[0]);
    if (dims[0] != 1 && dims[0] != 3)
        return dlz_fail(DLVIZ_ERROR_SHAPE,
                        "%s: the samples have %lld channels; 1 or 3 are accepted", who,
                        (long long)dims[0]);
    return DLVIZ_OK;
}

/* Float samples have a range of their own: 0 … 1, and whatever finite values lie beyond. */
static dlviz_status find_range(work *w) {
    const dlz_transform *t = &w->dataset->transform;
    if (t->dtype != DLVIZ_FLOAT32)
        return DLVIZ_OK;
    int64_t size = t->channels * t->height * t->width;
    for (int64_t sample = 0; sample < w->dataset->num_samples; sample++) {
        const void *stored;
        void *block;
        DLZ_TRY(dlz_dataset_fetch(w->dataset, sample, &stored, &block));
        const float *values = stored;
        for (int64_t i = 0; i < size; i++) {
            if (isnan(values[i])) {
                dlz_dataset_done(w->dataset, block);
                return dlz_fail(DLVIZ_ERROR_NUMERIC,
                                "%s: sample %lld has a value that is no number", w->who,
                                (long long)sample);
            }
            if (!isfinite(values[i]))
                continue;
            w->least = fminf(w->least, values[i]);
            w->most = fmaxf(w->most, values[i]);
        }
        dlz_dataset_done(w->dataset, block);
    }
    return DLVIZ_OK;
}

static void shrink_values(const work *w, int64_t sample, float *values) {
    const dlz_thumbnails *to = w->to;
    int64_t size = w->height * w->width, kept = to->height * to->width;
    float *small = values + to->channels * size;
    bool spread = w->least < 0 || (!w->bytes && w->most > 1);
    for (int64_t i = 0; i < to->channels * size; i++) {
        float value = fminf(fmaxf(values[i], w->least), w->most);
        values[i] =
            spread ? (float)(((double)value - w->least) / ((double)w->most - w->least)) : value;
    }
    for (int64_t c = 0; c < to->channels; c++) {
        uint8_t *pixels = to->pixels + sample * kept * to->channels + c;
        dlz_shrink(values + c * size, w->height, w->width, small, to->height, to->width);
        for (int64_t i = 0; i < kept; i++)
            pixels[i * to->channels] = dlz_thumbnail_step(small[i], w->bytes);
    }
}

static dlviz_status shrink_sample(const work *w, int64_t sample, float *values) {
    const void *stored;
    void *block;
    DLZ_TRY(dlz_dataset_fetch(w->dataset, sample, &stored, &block));
    for (int64_t i = 0; w->bytes && i < w->to->channels * w->height * w->width; i++)
        values[i] = ((const uint8_t *)stored)[i];
    if (!w->bytes)
        dlz_transform_load(w->transform, stored, values);
    dlz_dataset_done(w->dataset, block);
    shrink_values(w, sample, values);
    return DLVIZ_OK;
}

static void sample_tile(void *context, int64_t tile, int worker) {
    work *w = context;
    if (!dlz_failures_before(&w->failures, tile))
        dlz_failures_note(&w->failures, tile,
                          shrink_sample(w, tile, w->scratch + worker * w->room));
}

static dlviz_status run(work *w, int workers) {
    dlz_failures_init(&w->failures);
    dlviz_status status = dlz_parallel_for_task(w->to->count, workers, sample_tile, w);
    dlviz_status failed = dlz_failures_tell(&w->failures);
    return status != DLVIZ_OK ? status : failed;
}

static dlviz_status fill(work *w, dlz_thumbnails *to) {
    uint64_t kept = (uint64_t)(to->height * to->width), channels = (uint64_t)to->channels;
    uint64_t room = channels * (uint64_t)(w->height * w->width) + kept;
    int workers = dlz_threads();
    dlviz_status status;
    to->pixels = dlz_alloc_array((uint64_t)to->count, kept * channels);
    w->scratch = dlz_alloc_array((uint64_t)workers * room, sizeof *w->scratch);
    w->room = (int64_t)room;
    w->to = to;
    if (to->pixels && w->scratch)
        status = run(w, workers);
    else
        status = dlz_fail_memory("thumbnails", (uint64_t)to->count * kept * channels);
    dlz_free(w->scratch);
    return status;
}

/* As a network sees them, but not made larger: what that adds is in no file. */
static dlz_transform plain_transform(const dlviz_dataset *dataset) {
    dlz_transform plain = dataset->transform;
    if (plain.rows.to >= plain.height && plain.columns.to >= plain.width) {
        plain.rows = (dlz_axis){.from = plain.height, .to = plain.height};
        plain.columns = (dlz_axis){.from = plain.width, .to = plain.width};
    }
    return plain;
}

dlviz_status dlviz_report_set_images_of(dlviz_report *report, const dlviz_dataset *dataset) {
    DLZ_REQUIRE(report);
    DLZ_REQUIRE(dataset);
    DLZ_TRY(dlz_report_require_points(__func__, report));
    DLZ_TRY(check_dataset(__func__, report, dataset));
    DLZ_TASK("thumbnails");
    const dlz_transform plain = plain_transform(dataset);
    work w = {.who = __func__,
              .dataset = dataset,
              .transform = &plain,
              .height = plain.rows.to,
              .width = plain.columns.to};
    w.bytes = plain.dtype == DLVIZ_UINT8 && w.height == plain.height && w.width == plain.width;
    w.most = w.bytes ? 255 : 1;
    DLZ_TRY(find_range(&w));
    dlz_thumbnails made = {.channels = dataset->dims[0], .count = report->n};
    dlz_thumbnail_size(w.height, w.width, &made.height, &made.width);
    dlviz_status status = fill(&w, &made);
    if (status != DLVIZ_OK) {
        dlz_thumbnails_release(&made);
        return status;
    }
    dlz_thumbnails_release(&report->thumbnails);
    report->thumbnails = made;
    return DLVIZ_OK;
}
