/* From an image to a sample: channels, and size by the triangle filter. */
#include "data/image.h"

#include <math.h>
#include <string.h>

/* -- Channels ------------------------------------------------------------------------------------
 */

dlviz_status dlz_image_set_channels(dlz_image *image, int64_t channels) {
    if (channels == image->channels)
        return DLVIZ_OK;
    int64_t pixels = image->height * image->width;
    if (channels == 1) {
        const uint8_t *from = image->pixels;
        for (int64_t i = 0; i < pixels; i++, from += 3)
            image->pixels[i] =
                (uint8_t)((299 * from[0] + 587 * from[1] + 114 * from[2] + 500) / 1000);
    } else {
        uint8_t *to = dlz_alloc_array((uint64_t)pixels, (uint64_t)channels);
        if (!to)
            return dlz_fail_memory("an image", (uint64_t)pixels * (uint64_t)channels);
        for (int64_t i = 0; i < pixels; i++)
            memset(to + i * channels, image->pixels[i], (size_t)channels);
        dlz_free(image->pixels);
        image->pixels = to;
    }
    image->channels = channels;
    return DLVIZ_OK;
}

/* -- Where the sample's pixels come from ---------------------------------------------------------
 */

/* One way: the pixels first … first + count − 1 of a sample show what lies from `start` on in the image,
 * `step` of its pixels each. */
typedef struct extent {
    int64_t first, count, from; /* from: the image's pixels in all */
    double start, step;
} extent;

static void stretch(extent *e, int64_t from, int64_t to) {
    *e = (extent){.count = to, .from = from, .step = (double)from / (double)to};
}

/* The same scale both ways, that of the way which needs fewer of the image's pixels to one of the sample's. */
static void crop(extent *e, double step, int64_t to) {
    e->step = step;
    e->start = ((double)e->from - step * (double)to) / 2;
}

static void pad(extent *e, double step, int64_t to) {
    int64_t count = (int64_t)floor((double)e->from / step + 0.5);
    e->count = dlz_min_i64(dlz_max_i64(count, 1), to);
    e->first = (to - e->count) / 2;
    e->step = (double)e->from / (double)e->count;
}

static void find_extents(const dlz_image *image, const dlz_image_form *form, extent *rows,
                         extent *columns) {
    stretch(rows, image->height, form->height);
    stretch(columns, image->width, form->width);
    double least = fmin(rows->step, columns->step), most = fmax(rows->step, columns->step);
    if (form->fit == DLVIZ_IMAGE_FIT_CROP) {
        crop(rows, least, form->height);
        crop(columns, least, form->width);
    } else if (form->fit == DLVIZ_IMAGE_FIT_PAD) {
        pad(rows, most, form->height);
        pad(columns, most, form->width);
    }
}

/* -- The filter ----------------------------------------------------------------------------------
 */

/* Of one pixel of the sample: the image's pixels low … low + count − 1, with weights that add up to 1. */
typedef struct window {
    int64_t low, count;
    float *weights;
} window;

/* One way's windows, in one block with their weights. */
static window *make_windows(const extent *e) {
    double reach = fmax(e->step, 1);
    int64_t most = dlz_min_i64(2 * (int64_t)ceil(reach) + 1, e->from);
    uint64_t room = (uint64_t)most * sizeof(float) + sizeof(window);
    window *windows = dlz_alloc_array((uint64_t)e->count, room);
    if (!windows) {
        dlz_fail_memory("the weights of an image's pixels", (uint64_t)e->count * room);
        return NULL;
    }
    float *weights = (float *)(void *)(windows + e->count);
    for (int64_t i = 0; i < e->count; i++, weights += most) {
        double center = e->start + ((double)i + 0.5) * e->step - 0.5, sum = 0;
        int64_t low = dlz_max_i64((int64_t)floor(center - reach) + 1, 0);
        int64_t high = dlz_min_i64((int64_t)ceil(center + reach) - 1, e->from - 1);
        low = dlz_min_i64(low, e->from - 1);
        high = dlz_max_i64(high, low);
        windows[i] = (window){.low = low, .count = high - low + 1, .weights = weights};
        for (int64_t j = low; j <= high; j++)
            sum += fmax(1 - fabs((double)j - center) / reach, 0);
        for (int64_t j = low; j <= high; j++)
            weights[j - low] = (float)(fmax(1 - fabs((double)j - center) / reach, 0) / sum);
    }
    return windows;
}

/* A row of the sample's height and the image's width: the sum runs along memory. */
static void blend_rows(const dlz_image *image, const window *rows, float *blended) {
    int64_t size = image->width * image->channels;
    memset(blended, 0, (size_t)size * sizeof *blended);
    for (int64_t j = 0; j < rows->count; j++) {
        const uint8_t *from = image->pixels + (rows->low + j) * size;
        float weight = rows->weights[j];
        for (int64_t x = 0; x < size; x++)
            blended[x] += weight * (float)from[x];
    }
}

static uint8_t blend_columns(const float *blended, const window *columns, int64_t channels) {
    float sum = 0;
    for (int64_t j = 0; j < columns->count; j++)
        sum += columns->weights[j] * blended[(columns->low + j) * channels];
    return (uint8_t)fminf(sum + 0.5f, 255);
}

static void resize(const dlz_image *image, const dlz_image_form *form, const extent *rows,
                   const window *row_windows, const extent *columns, const window *column_windows,
                   float *blended, uint8_t *sample) {
    for (int64_t y = 0; y < rows->count; y++) {
        blend_rows(image, &row_windows[y], blended);
        for (int64_t c = 0; c < form->channels; c++) {
            uint8_t *to = sample + (c * form->height + rows->first + y) * form->width;
            for (int64_t x = 0; x < columns->count; x++)
                to[columns->first + x] =
                    blend_columns(blended + c, &column_windows[x], form->channels);
        }
    }
}

/* -- All of it -----------------------------------------------------------------------------------
 */

static void copy(const dlz_image *image, uint8_t *sample) {
    int64_t pixels = image->height * image->width;
    for (int64_t c = 0; c < image->channels; c++)
        for (int64_t i = 0; i < pixels; i++)
            *sample++ = image->pixels[i * image->channels + c];
}

dlviz_status dlz_image_fit_to(const dlz_image *image, const dlz_image_form *form, uint8_t *sample) {
    if (image->height == form->height && image->width == form->width) {
        copy(image, sample);
        return DLVIZ_OK;
    }
    extent rows, columns;
    find_extents(image, form, &rows, &columns);
    window *row_windows = make_windows(&rows), *column_windows = make_windows(&columns);
    uint64_t size = (uint64_t)(image->width * image->channels) * sizeof(float);
    float *blended = row_windows && column_windows ? dlz_alloc_array(1, size) : NULL;
    dlviz_status status = DLVIZ_OK;
    if (blended) {
        if (form->fit == DLVIZ_IMAGE_FIT_PAD)
            memset(sample, form->background, (size_t)(form->channels * form->height * form->width));
        resize(image, form, &rows, row_windows, &columns, column_windows, blended, sample);
    } else {
        status = dlz_fail_memory("an image's new size", size);
    }
    dlz_free(blended);
    dlz_free(row_windows);
    dlz_free(column_windows);
    return status;
}
