/* From images to samples of one size and one number of channels, against the formula in double. */
#include "data/image.h"
#include "support/failing.h"
#include "support/images.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static dlz_image make_image(int64_t height, int64_t width, int64_t channels) {
    dlz_image image = {.height = height, .width = width, .channels = channels};
    image.pixels = dlz_alloc((size_t)(height * width * channels));
    uint8_t *to = image.pixels;
    for (int64_t y = 0; y < height; y++)
        for (int64_t x = 0; x < width; x++)
            for (int64_t c = 0; c < channels; c++)
                *to++ = pattern_value(3, y, x, c);
    return image;
}

/* One way: pixel i of the result is the weighted mean of pixels around `start` + (i + 1/2)·step. */
typedef struct way {
    int64_t first, count;
    double start, step;
} way;

static double weight_of(const way *w, int64_t i, int64_t j) {
    double center = w->start + ((double)i + 0.5) * w->step - 0.5;
    return fmax(0, 1 - fabs((double)j - center) / fmax(w->step, 1));
}

static double exact_pixel(const dlz_image *image, const way *rows, const way *columns, int64_t y,
                          int64_t x, int64_t c) {
    double sum = 0, weights = 0;
    for (int64_t i = 0; i < image->height; i++) {
        double vertical = weight_of(rows, y, i);
        for (int64_t j = 0; vertical > 0 && j < image->width; j++) {
            double weight = vertical * weight_of(columns, x, j);
            sum += weight * image->pixels[(i * image->width + j) * image->channels + c];
            weights += weight;
        }
    }
    return sum / weights;
}

static void find_ways(const dlz_image *image, const dlz_image_form *form, way *rows, way *columns) {
    double high = (double)image->height / (double)form->height,
           wide = (double)image->width / (double)form->width;
    *rows = (way){.count = form->height, .step = high};
    *columns = (way){.count = form->width, .step = wide};
    if (form->fit == DLVIZ_IMAGE_FIT_CROP) {
        rows->step = columns->step = fmin(high, wide);
        rows->start = ((double)image->height - rows->step * (double)form->height) / 2;
        columns->start = ((double)image->width - columns->step * (double)form->width) / 2;
    } else if (form->fit == DLVIZ_IMAGE_FIT_PAD) {
        double step = fmax(high, wide);
        rows->count = (int64_t)fmax(1, floor((double)image->height / step + 0.5));
        columns->count = (int64_t)fmax(1, floor((double)image->width / step + 0.5));
        rows->first = (form->height - rows->count) / 2;
        columns->first = (form->width - columns->count) / 2;
        rows->step = (double)image->height / (double)rows->count;
        columns->step = (double)image->width / (double)columns->count;
    }
}

static void check_sample(const dlz_image *image, const dlz_image_form *form,
                         const uint8_t *sample) {
    way rows, columns;
    find_ways(image, form, &rows, &columns);
    for (int64_t c = 0; c < form->channels; c++)
        for (int64_t y = 0; y < form->height; y++)
            for (int64_t x = 0; x < form->width; x++) {
                double got = sample[(c * form->height + y) * form->width + x];
                int64_t i = y - rows.first, j = x - columns.first;
                bool inside = i >= 0 && i < rows.count && j >= 0 && j < columns.count;
                double wanted = inside ? exact_pixel(image, &rows, &columns, i, j, c)
                                       : (double)form->background;
                ck_assert_msg(fabs(got - wanted) < 0.501,
                              "fit %d, %d x %d to %d x %d, (%d, %d): %g, not %g", (int)form->fit,
                              (int)image->height, (int)image->width, (int)form->height,
                              (int)form->width, (int)y, (int)x, got, wanted);
            }
}

START_TEST(sizes) {
    static const int64_t from[][2] = {{1, 1}, {1, 7}, {9, 1}, {5, 8}, {31, 17}, {16, 40}, {64, 48}},
                         to[][2] = {{1, 1}, {1, 5}, {6, 2}, {8, 8}, {13, 29}, {32, 32}};
    for (int f = 0; f < 7; f++)
        for (int t = 0; t < 6; t++)
            for (int fit = DLVIZ_IMAGE_FIT_STRETCH; fit <= DLVIZ_IMAGE_FIT_PAD; fit++) {
                int64_t channels = (f + t) % 2 ? 3 : 1;
                dlz_image image = make_image(from[f][0], from[f][1], channels);
                dlz_image_form form = {.channels = channels,
                                       .height = to[t][0],
                                       .width = to[t][1],
                                       .fit = (dlviz_image_fit)fit,
                                       .background = 77};
                uint8_t *sample = malloc((size_t)(channels * form.height * form.width));
                ck_ok(dlz_image_fit_to(&image, &form, sample));
                check_sample(&image, &form, sample);
                free(sample);
                dlz_image_release(&image);
            }
}
END_TEST

START_TEST(the_same_size_is_the_same_image) {
    dlz_image image = make_image(6, 5, 3);
    dlz_image_form form = {.channels = 3, .height = 6, .width = 5, .fit = DLVIZ_IMAGE_FIT_PAD};
    uint8_t sample[3 * 6 * 5];
    ck_ok(dlz_image_fit_to(&image, &form, sample));
    for (int64_t c = 0; c < 3; c++)
        for (int64_t i = 0; i < 30; i++)
            ck_assert_int_eq(sample[c * 30 + i], image.pixels[i * 3 + c]);
    dlz_image_release(&image);
}
END_TEST

/* White stays white, black black, and what is between as it is, whatever the weights' rounding. */
START_TEST(one_color_stays) {
    static const uint8_t colors[] = {0, 1, 127, 128, 254, 255};
    for (int64_t side = 1; side < 60; side += 7)
        for (int i = 0; i < 6; i++) {
            dlz_image image = make_image(37, 23, 1);
            memset(image.pixels, colors[i], 37 * 23);
            dlz_image_form form = {.channels = 1, .height = side, .width = 60 - side};
            uint8_t sample[60 * 60];
            ck_ok(dlz_image_fit_to(&image, &form, sample));
            for (int64_t j = 0; j < side * form.width; j++)
                ck_assert_int_eq(sample[j], colors[i]);
            dlz_image_release(&image);
        }
}
END_TEST

/* Stripes of one pixel become gray; taking every eighth pixel would make them black or white. */
START_TEST(stripes_do_not_alias) {
    dlz_image image = make_image(256, 256, 1);
    for (int64_t i = 0; i < 256 * 256; i++)
        image.pixels[i] = i % 2 ? 255 : 0;
    dlz_image_form form = {.channels = 1, .height = 32, .width = 32};
    uint8_t sample[32 * 32];
    ck_ok(dlz_image_fit_to(&image, &form, sample));
    for (int64_t y = 0; y < 32; y++)
        for (int64_t x = 0; x < 32; x++)
            ck_assert_int_le(abs(sample[y * 32 + x] - 128), x == 0 || x == 31 ? 5 : 1);
    dlz_image_release(&image);
}
END_TEST

START_TEST(channels) {
    dlz_image image = make_image(4, 3, 3), color = make_image(4, 3, 3);
    ck_ok(dlz_image_set_channels(&image, 1));
    ck_assert_int_eq(image.channels, 1);
    for (int i = 0; i < 12; i++) {
        const uint8_t *p = color.pixels + 3 * i;
        double wanted = floor(0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2] + 0.5 + 1e-9);
        ck_assert_int_eq(image.pixels[i], (int)wanted);
    }
    uint8_t gray[12];
    memcpy(gray, image.pixels, 12);
    ck_ok(dlz_image_set_channels(&image, 3));
    for (int i = 0; i < 36; i++)
        ck_assert_int_eq(image.pixels[i], gray[i / 3]);
    ck_ok(dlz_image_set_channels(&image, 1));
    ck_assert_int_eq(memcmp(image.pixels, gray, 12), 0);
    dlz_image_release(&image);
    dlz_image_release(&color);
}
END_TEST

static dlviz_status fit_one(void *context) {
    (void)context;
    dlz_image_form form = {.channels = 1, .height = 3, .width = 4};
    uint8_t pixels[25] = {0}, sample[12];
    dlz_image image = {.height = 5, .width = 5, .channels = 1, .pixels = pixels};
    return dlz_image_fit_to(&image, &form, sample);
}

START_TEST(without_memory) {
    ck_assert_int_eq(fail_each_allocation(fit_one, NULL), 3);
}
END_TEST

int main(void) {
    return run_tests("image_fit",
                     (const TTest *const[]){sizes, the_same_size_is_the_same_image, one_color_stays,
                                            stripes_do_not_alias, channels, without_memory, NULL});
}
