/* The points' pictures: of at most 64 x 64 pixels, in 256 steps. */
#include "base/parallel.h"
#include "report/report.h"
#include "tensor/tensor.h"

#include <math.h>
#include <stdlib.h>

void dlz_thumbnails_release(dlz_thumbnails *thumbnails) {
    dlz_free(thumbnails->points);
    dlz_free(thumbnails->pixels);
    *thumbnails = (dlz_thumbnails){0};
}

void dlz_thumbnail_size(int64_t height, int64_t width, int64_t *to_height, int64_t *to_width) {
    int64_t longer = dlz_max_i64(height, width);
    double share =
        longer > DLZ_REPORT_THUMBNAIL ? (double)DLZ_REPORT_THUMBNAIL / (double)longer : 1;
    *to_height = dlz_max_i64((int64_t)floor((double)height * share + 0.5), 1);
    *to_width = dlz_max_i64((int64_t)floor((double)width * share + 0.5), 1);
}

/* What number `at` of `to` equal parts covers of pixel i of `from`, as a share of the part. */
static double cover(int64_t at, int64_t i, int64_t from, int64_t to) {
    double scale = (double)from / (double)to;
    double begin = fmax((double)at * scale, (double)i);
    double end = fmin((double)(at + 1) * scale, (double)(i + 1));
    return fmax(end - begin, 0) / scale;
}

static double mean_of_area(const float *from, int64_t height, int64_t width, int64_t y, int64_t x,
                           int64_t to_height, int64_t to_width) {
    int64_t last_row = dlz_min_i64((y + 1) * height / to_height, height - 1);
    int64_t last_column = dlz_min_i64((x + 1) * width / to_width, width - 1);
    double sum = 0;
    for (int64_t i = y * height / to_height; i <= last_row; i++) {
        double row = 0;
        for (int64_t j = x * width / to_width; j <= last_column; j++)
            row += cover(x, j, width, to_width) * from[i * width + j];
        sum += cover(y, i, height, to_height) * row;
    }
    return sum;
}

void dlz_shrink(const float *from, int64_t height, int64_t width, float *to, int64_t to_height,
                int64_t to_width) {
    for (int64_t y = 0; y < to_height; y++)
        for (int64_t x = 0; x < to_width; x++)
            to[y * to_width + x] =
                height == to_height && width == to_width
                    ? from[y * width + x]
                    : (float)mean_of_area(from, height, width, y, x, to_height, to_width);
}

/* -- Images of a tensor --------------------------------------------------------------------------
 */

static dlviz_status check_images(const char *who, const dlviz_report *report,
                                 const dlviz_tensor *images) {
    const int64_t *dims = images->dims;
    if (images->dtype == DLVIZ_INT64 || images->ndim != 4 || images->size < 1 ||
        dims[0] != report->n || (dims[1] != 1 && dims[1] != 3)) {
        char text[DLZ_SHAPE_TEXT_SIZE];
        return dlz_fail(
            DLVIZ_ERROR_SHAPE,
            "%s: 'images' is %s %s, needs to be float32 or uint8, %lld x c x h x w with "
            "1 or 3 channels, one image a point",
            who, dlviz_dtype_name(images->dtype), dlz_shape_text(text, images->ndim, dims),
            (long long)report->n);
    }
    const float *values = images->data;
    for (int64_t i = 0; images->dtype == DLVIZ_FLOAT32 && i < images->size; i++)
        if (isnan(values[i]))
            return dlz_fail(DLVIZ_ERROR_NUMERIC, "%s: image %lld has a value that is no number",
                            who, (long long)(i / (images->size / dims[0])));
    return DLVIZ_OK;
}

typedef struct work {
    const dlviz_tensor *images;
    const dlz_thumbnails *to;
    float *scratch; /* a channel as it is and as it is kept, for each worker */
    int64_t room;
} work;

uint8_t dlz_thumbnail_step(float value, bool is_byte) {
    double steps = is_byte ? value : 255.0 * value;
    return (uint8_t)floor(fmin(fmax(steps, 0), 255) + 0.5);
}

static void shrink_channel(const work *w, int64_t image, int64_t channel, float *scratch) {
    const dlviz_tensor *images = w->images;
    const dlz_thumbnails *to = w->to;
    int64_t height = images->dims[2], width = images->dims[3], size = height * width;
    int64_t first = (image * images->dims[1] + channel) * size;
    bool is_byte = images->dtype == DLVIZ_UINT8;
    const uint8_t *bytes = images->data;
    const float *values = images->data;
    float *small = scratch + size;
    for (int64_t i = 0; i < size; i++)
        scratch[i] = is_byte ? bytes[first + i] : fminf(fmaxf(values[first + i], 0), 1);
    dlz_shrink(scratch, height, width, small, to->height, to->width);
    int64_t kept = to->height * to->width;
    uint8_t *pixels = to->pixels + image * kept * to->channels + channel;
    for (int64_t i = 0; i < kept; i++)
        pixels[i * to->channels] = dlz_thumbnail_step(small[i], is_byte);
}

static void shrink_image(void *context, int64_t tile, int worker) {
    const work *w = context;
    for (int64_t c = 0; c < w->to->channels; c++)
        shrink_channel(w, tile, c, w->scratch + worker * w->room);
}

static dlviz_status fill(const dlviz_tensor *images, dlz_thumbnails *to) {
    uint64_t kept = (uint64_t)(to->height * to->width);
    uint64_t bytes = (uint64_t)to->count * kept * (uint64_t)to->channels;
    uint64_t room = (uint64_t)(images->dims[2] * images->dims[3]) + kept;
    int workers = dlz_threads();
    to->pixels = dlz_alloc_array((uint64_t)to->count, kept * (uint64_t)to->channels);
    float *scratch = dlz_alloc_array((uint64_t)workers * room, sizeof *scratch);
    if (to->pixels && scratch) {
        work w = {images, to, scratch, (int64_t)room};
        dlz_parallel_for(to->count, workers, shrink_image, &w);
    }
    dlz_free(scratch);
    return to->pixels && scratch ? DLVIZ_OK : dlz_fail_memory("thumbnails", bytes);
}

dlviz_status dlviz_report_set_images(dlviz_report *report, const dlviz_tensor *images) {
    DLZ_REQUIRE(report);
    DLZ_REQUIRE(images);
    DLZ_TRY(dlz_report_require_points(__func__, report));
    DLZ_TRY(check_images(__func__, report, images));
    dlz_thumbnails made = {.channels = images->dims[1], .count = report->n};
    dlz_thumbnail_size(images->dims[2], images->dims[3], &made.height, &made.width);
    dlviz_status status = fill(images, &made);
    if (status != DLVIZ_OK) {
        dlz_thumbnails_release(&made);
        return status;
    }
    dlz_thumbnails_release(&report->thumbnails);
    report->thumbnails = made;
    return DLVIZ_OK;
}

dlviz_status dlviz_report_get_images(const dlviz_report *report, dlviz_tensor **images) {
    DLZ_REQUIRE_OUT(images);
    DLZ_REQUIRE(report);
    const dlz_thumbnails *from = &report->thumbnails;
    if (from->count == 0 || from->points)
        return dlz_fail(DLVIZ_ERROR_STATE, "%s: the report has images of %lld of its %lld points",
                        __func__, (long long)from->count, (long long)report->n);
    DLZ_TRY(
        dlz_tensor_create_raw(images, DLVIZ_UINT8, 4,
                              (int64_t[]){from->count, from->channels, from->height, from->width}));
    int64_t size = from->height * from->width;
    uint8_t *to = (*images)->data;
    for (int64_t i = 0; i < from->count; i++)
        for (int64_t c = 0; c < from->channels; c++)
            for (int64_t p = 0; p < size; p++)
                *to++ = from->pixels[(i * size + p) * from->channels + c];
    return DLVIZ_OK;
}
