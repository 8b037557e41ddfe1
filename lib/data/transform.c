#include "data/transform.h"

#include <math.h>
#include <string.h>

/* A row of blended source pixels lies on the stack; wider images are done in parts. */
enum { ROW_ROOM = 2048 };
/* A number less such a mean, or a smaller one, is within float32: beside its largest the mean is
 * lost. */
#define NEAR_MEAN 0x1p100f

void dlz_transform_init(dlz_transform *transform, dlviz_dtype dtype, int ndim,
                        const int64_t *sample_dims) {
    *transform = (dlz_transform){.dtype = dtype, .channels = 1, .height = 1, .is_image = ndim > 1};
    transform->width = sample_dims[ndim - 1];
    if (ndim > 1)
        transform->height = sample_dims[ndim - 2];
    if (ndim > 2)
        transform->channels = sample_dims[0];
    transform->rows = (dlz_axis){.from = transform->height, .to = transform->height};
    transform->columns = (dlz_axis){.from = transform->width, .to = transform->width};
}

void dlz_transform_release(dlz_transform *transform) {
    dlz_free(transform->rows.low);
    dlz_free(transform->columns.low);
    dlz_free(transform->means);
}

/* Output i lies at the source coordinate (i + 1/2)·from/to − 1/2, not below 0 (half-pixel centers);
 * beyond the last pixel that one is repeated. */
static dlviz_status make_axis(dlz_axis *axis, int64_t from, int64_t to) {
    *axis = (dlz_axis){.from = from, .to = to};
    if (from == to)
        return DLVIZ_OK;
    size_t count = (size_t)to;
    axis->low = dlz_alloc_array(count, 2 * sizeof(int32_t) + sizeof(float));
    if (!axis->low)
        return dlz_fail_memory("the weights of a resize", count * 12);
    axis->high = axis->low + count;
    axis->weight = (float *)(void *)(axis->high + count);
    for (int64_t i = 0; i < to; i++) {
        double at = fmax(((double)i + 0.5) * (double)from / (double)to - 0.5, 0);
        int64_t low = dlz_min_i64((int64_t)at, from - 1);
        axis->low[i] = (int32_t)low;
        axis->high[i] = (int32_t)dlz_min_i64(low + 1, from - 1);
        axis->weight[i] = (float)(at - (double)low);
    }
    return DLVIZ_OK;
}

static dlviz_status set_size(dlz_transform *transform, int64_t height, int64_t width) {
    dlz_axis rows, columns;
    DLZ_TRY(make_axis(&rows, transform->height, height));
    dlviz_status status = make_axis(&columns, transform->width, width);
    if (status != DLVIZ_OK) {
        dlz_free(rows.low);
        return status;
    }
    dlz_free(transform->rows.low);
    dlz_free(transform->columns.low);
    transform->rows = rows;
    transform->columns = columns;
    return DLVIZ_OK;
}

static dlviz_status set_normalization(dlz_transform *transform, int64_t count, const float *means,
                                      const float *deviations) {
    size_t bytes = (size_t)count * sizeof(float);
    float *block = dlz_alloc(2 * bytes);
    if (!block)
        return dlz_fail_memory("means and deviations", 2 * bytes);
    memcpy(block, means, bytes);
    memcpy(block + count, deviations, bytes);
    dlz_free(transform->means);
    transform->normal_count = count;
    transform->means = block;
    transform->deviations = block + count;
    transform->far_means = false;
    for (int64_t i = 0; i < count; i++)
        transform->far_means = transform->far_means || fabsf(means[i]) > NEAR_MEAN;
    return DLVIZ_OK;
}

dlviz_status dlz_transform_copy(const dlz_transform *from, dlz_transform *to) {
    *to = *from;
    to->rows.low = to->columns.low = NULL;
    to->means = NULL;
    dlviz_status status = set_size(to, from->rows.to, from->columns.to);
    if (status == DLVIZ_OK && from->normal_count > 0)
        status = set_normalization(to, from->normal_count, from->means, from->deviations);
    if (status != DLVIZ_OK) {
        dlz_transform_release(to);
        *to = (dlz_transform){0};
    }
    return status;
}

dlviz_status dlz_transform_set_size(dlz_transform *transform, const char *who, int64_t height,
                                    int64_t width) {
    if (!transform->is_image)
        return dlz_fail(DLVIZ_ERROR_SHAPE, "%s: the samples are vectors of %lld, not images", who,
                        (long long)transform->width);
    if (height < 1 || width < 1 || height > DLZ_MAX_IMAGE_SIZE || width > DLZ_MAX_IMAGE_SIZE)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: %lld x %lld; 1 to %d each way are accepted", who, (long long)height,
                        (long long)width, DLZ_MAX_IMAGE_SIZE);
    if (transform->height > INT32_MAX || transform->width > INT32_MAX)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: images of %lld x %lld are too large to resize", who,
                        (long long)transform->height, (long long)transform->width);
    return set_size(transform, height, width);
}

dlviz_status dlz_transform_set_normalization(dlz_transform *transform, const char *who,
                                             int64_t count, const float *means,
                                             const float *deviations) {
    for (int64_t i = 0; i < count; i++) {
        char mean[DLZ_NUMBER_SIZE], deviation[DLZ_NUMBER_SIZE];
        if (!isfinite(means[i]) || !isfinite(deviations[i]) || deviations[i] <= 0)
            return dlz_fail(
                DLVIZ_ERROR_INVALID_ARGUMENT,
                "%s: mean %s and deviation %s; a finite mean and a finite deviation above 0 "
                "are accepted",
                who, dlz_number(mean, (double)means[i], 6),
                dlz_number(deviation, (double)deviations[i], 6));
    }
    return set_normalization(transform, count, means, deviations);
}

static void scale_bytes(const uint8_t *from, int64_t count, float *out) {
    for (int64_t i = 0; i < count; i++)
        out[i] = (float)from[i] / 255.0f;
}

static void blend_bytes(const uint8_t *a, const uint8_t *b, float weight, int64_t count,
                        float *out) {
    for (int64_t i = 0; i < count; i++) {
        float low = (float)a[i];
        out[i] = (low + weight * ((float)b[i] - low)) / 255.0f;
    }
}

static void blend_floats(const float *a, const float *b, float weight, int64_t count, float *out) {
    for (int64_t i = 0; i < count; i++)
        out[i] = a[i] + weight * (b[i] - a[i]);
}

/* The output columns from `first` on whose source pixels, from `base` on, fit the row. */
static int64_t part_end(const dlz_axis *columns, int64_t first, int64_t base) {
    if (columns->from - base <= ROW_ROOM)
        return columns->to;
    int64_t end = first;
    while (end < columns->to && columns->high[end] - base < ROW_ROOM)
        end++;
    return end;
}

/* One row of output: rows are blended first, which runs along memory, then columns. */
static void resize_row(const dlz_transform *t, const void *plane, int64_t y, float *out) {
    const dlz_axis *rows = &t->rows, *columns = &t->columns;
    int64_t low = rows->low ? rows->low[y] : y, high = rows->low ? rows->high[y] : y;
    float weight = rows->low ? rows->weight[y] : 0, blended[ROW_ROOM];
    if (!columns->low) {
        if (t->dtype == DLVIZ_UINT8)
            blend_bytes((const uint8_t *)plane + low * t->width,
                        (const uint8_t *)plane + high * t->width, weight, t->width, out);
        else
            blend_floats((const float *)plane + low * t->width,
                         (const float *)plane + high * t->width, weight, t->width, out);
        return;
    }
    for (int64_t first = 0, end; first < columns->to; first = end) {
        int64_t base = columns->low[first];
        end = part_end(columns, first, base);
        int64_t span = columns->high[end - 1] - base + 1;
        int64_t a = low * t->width + base, b = high * t->width + base;
        if (t->dtype == DLVIZ_UINT8)
            blend_bytes((const uint8_t *)plane + a, (const uint8_t *)plane + b, weight, span,
                        blended);
        else
            blend_floats((const float *)plane + a, (const float *)plane + b, weight, span, blended);
        for (int64_t x = first; x < end; x++) {
            /* NOLINTNEXTLINE(clang-analyzer-core.uninitialized.Assign): both lie within the span */
            float left = blended[columns->low[x] - base], right = blended[columns->high[x] - base];
            out[x] = left + columns->weight[x] * (right - left);
        }
    }
}

static float normalize_far(float value, float mean, float deviation) {
    return (float)(((double)value - (double)mean) / (double)deviation);
}

static void normalize(float *values, int64_t count, float mean, float deviation) {
    if (fabsf(mean) > NEAR_MEAN) {
        for (int64_t i = 0; i < count; i++)
            values[i] = normalize_far(values[i], mean, deviation);
        return;
    }
    for (int64_t i = 0; i < count; i++)
        values[i] = (values[i] - mean) / deviation;
}

static void normalize_components(const dlz_transform *t, float *values) {
    if (t->far_means) {
        for (int64_t i = 0; i < t->normal_count; i++)
            values[i] = normalize_far(values[i], t->means[i], t->deviations[i]);
        return;
    }
    for (int64_t i = 0; i < t->normal_count; i++)
        values[i] = (values[i] - t->means[i]) / t->deviations[i];
}

static void load_channel(const dlz_transform *t, const void *sample, int64_t channel, float *to) {
    int64_t stored = t->height * t->width;
    const void *plane =
        (const char *)sample + (size_t)(channel * stored) * dlviz_dtype_size(t->dtype);
    if (t->rows.low || t->columns.low)
        for (int64_t y = 0; y < t->rows.to; y++)
            resize_row(t, plane, y, to + y * t->columns.to);
    else if (t->dtype == DLVIZ_UINT8)
        scale_bytes(plane, stored, to);
    else
        memcpy(to, plane, (size_t)stored * sizeof(float));
}

static void normalize_channel(const dlz_transform *t, int64_t channel, float *values) {
    if (t->normal_count == 0 || (!t->is_image && t->normal_count > 1))
        return;
    int64_t which = t->normal_count == 1 ? 0 : channel;
    normalize(values, t->rows.to * t->columns.to, t->means[which], t->deviations[which]);
}

static void normalize_vector(const dlz_transform *t, float *values) {
    if (!t->is_image && t->normal_count > 1)
        normalize_components(t, values);
}

/* Channel by channel, which then lies in the cache. */
void dlz_transform_apply(const dlz_transform *t, const void *sample, float *out) {
    int64_t seen = t->rows.to * t->columns.to;
    for (int64_t channel = 0; channel < t->channels; channel++) {
        load_channel(t, sample, channel, out + channel * seen);
        normalize_channel(t, channel, out + channel * seen);
    }
    normalize_vector(t, out);
}

void dlz_transform_load(const dlz_transform *t, const void *sample, float *out) {
    for (int64_t channel = 0; channel < t->channels; channel++)
        load_channel(t, sample, channel, out + channel * t->rows.to * t->columns.to);
}

void dlz_transform_normalize(const dlz_transform *t, float *values) {
    for (int64_t channel = 0; channel < t->channels; channel++)
        normalize_channel(t, channel, values + channel * t->rows.to * t->columns.to);
    normalize_vector(t, values);
}
