/* Heat maps over images: where and in which colors they are drawn, and what is refused. */
#include "support/failing.h"
#include "support/figures.h"
#include "support/pixels.h"

#include <math.h>

static dlz_color diverging(double share) {
    return dlz_colormap_at(DLVIZ_COLORMAP_DIVERGING, 0.5 + 0.5 * share);
}

static dlz_color gray(double share) {
    return (dlz_color){share, share, share};
}

/* Draws them 400 wide and 300 high. */
static cairo_surface_t *drawn(dlviz_figure *figure) {
    ck_ok(dlviz_figure_set_size(figure, 300, 400));
    ck_ok(dlviz_figure_write(figure, scratch_path("heat.png")));
    dlviz_figure_destroy(figure);
    return read_png(scratch_path("heat.png"), 400, 300);
}

static int count(cairo_surface_t *surface, dlz_color color) {
    return count_color(surface, color, 1, 0, 0, 400, 300);
}

static dlviz_tensor *tensor_with(int ndim, const int64_t *dims, const float *values) {
    dlviz_tensor *tensor = tensor_of(DLVIZ_FLOAT32, ndim, dims);
    memcpy(dlviz_tensor_float(tensor), values,
           (size_t)dlviz_tensor_num_elements(tensor) * sizeof *values);
    return tensor;
}

/* An image of three values, the darkest below 0, is gray, not blue; beside it, each pixel of the map
 * has the color of its value over the pale image. */
START_TEST(red_is_above_0_and_blue_below) {
    dlviz_tensor *image = tensor_with(3, (int64_t[]){1, 1, 3}, (float[]){-1, 1, 0});
    dlviz_tensor *map = tensor_with(3, (int64_t[]){1, 1, 3}, (float[]){-4, 4, 0});
    dlviz_figure *figure;
    ck_ok(dlviz_figure_create_images(&figure, image));
    ck_ok(dlviz_figure_add_heat_maps(figure, NULL, map));
    cairo_surface_t *surface = drawn(figure);
    dlz_color colors[] = {gray(0), gray(0.5), diverging(-1), diverging(1), gray(0.85)};
    int first = count(surface, colors[0]);
    ck_assert_int_gt(first, 100);
    for (int i = 1; i < 5; i++)
        ck_assert_int_eq(count(surface, colors[i]), first);
    cairo_surface_destroy(surface), dlviz_tensor_destroy(image), dlviz_tensor_destroy(map);
}
END_TEST

/* Of 400 pixels, 4 may be beyond the limit: the 5th largest has the full color. */
START_TEST(one_in_a_hundred_may_be_beyond_the_full_color) {
    float values[400] = {0};
    for (int i = 0; i < 4; i++)
        values[100 * i] = 1000;
    values[20] = 3;
    values[21] = 1.5f;
    dlviz_tensor *image = tensor_of(DLVIZ_FLOAT32, 3, (int64_t[]){1, 20, 20});
    dlviz_tensor *map = tensor_with(3, (int64_t[]){1, 20, 20}, values);
    for (int turn = 0; turn < 2; turn++) {
        dlviz_figure *figure;
        ck_ok(dlviz_figure_create_images(&figure, image));
        ck_ok(dlviz_figure_add_heat_maps(figure, NULL, map));
        cairo_surface_t *surface = drawn(figure);
        int pixel = count(surface, diverging(1)) / (turn ? 4 : 5);
        ck_assert_int_gt(pixel, 10);
        /* Without the 5th, the map is nearly empty, and the largest sets the limit. */
        dlz_color half = dlz_color_mix(gray(0.7), diverging(0.5), 0.5);
        ck_assert_int_eq(count(surface, half), turn ? 0 : pixel);
        cairo_surface_destroy(surface);
        dlviz_tensor_float(map)[20] = dlviz_tensor_float(map)[21] = 0;
    }
    dlviz_tensor_destroy(image), dlviz_tensor_destroy(map);
}
END_TEST

/* A map in channels is their sum; one of another size covers the image all the same. */
START_TEST(channels_are_added_up_and_sizes_adapted) {
    dlviz_tensor *image = tensor_with(4, (int64_t[]){1, 3, 1, 2}, (float[]){0, 1, 0, 1, 0, 1});
    dlviz_tensor *sums = tensor_with(4, (int64_t[]){1, 2, 1, 2}, (float[]){3, -4, -1, -2});
    dlviz_tensor *small = tensor_with(3, (int64_t[]){1, 1, 1}, (float[]){2e38f});
    dlviz_tensor *large = tensor_with(4, (int64_t[]){1, 2, 1, 1}, (float[]){-3e38f, -3e38f});
    dlviz_figure *figure;
    ck_ok(dlviz_figure_create_images(&figure, image));
    ck_ok(dlviz_figure_add_heat_maps(figure, "sum", sums));
    ck_ok(dlviz_figure_add_heat_maps(figure, NULL, small));
    ck_ok(dlviz_figure_add_heat_maps(figure, NULL, large));
    cairo_surface_t *surface = drawn(figure);
    int pixel = count(surface, dlz_color_mix(gray(0.7), diverging(1.0 / 3), 1.0 / 3));
    ck_assert_int_gt(pixel, 100);
    ck_assert_int_eq(count(surface, diverging(1)), 2 * pixel);
    ck_assert_int_eq(count(surface, diverging(-1)), 3 * pixel);
    cairo_surface_destroy(surface), dlviz_tensor_destroy(image), dlviz_tensor_destroy(sums);
    dlviz_tensor_destroy(small), dlviz_tensor_destroy(large);
}
END_TEST

START_TEST(every_layout_is_drawn) {
    for (int64_t n = 1; n < 30; n += 7)
        for (int64_t columns = 0; columns < 4; columns++) {
            dlviz_figure *figure = heat_maps_figure(n);
            const char *names[30];
            for (int i = 0; i < 30; i++)
                names[i] = i % 2 ? "7, predicted 7" : NULL;
            ck_ok(dlviz_figure_set_num_columns(figure, columns));
            ck_ok(dlviz_figure_write(figure, scratch_path("heat.svg")));
            ck_ok(dlviz_figure_set_captions(figure, n, names));
            ck_ok(dlviz_figure_write(figure, scratch_path("heat.png")));
            cairo_surface_destroy(drawn(figure));
        }
}
END_TEST

START_TEST(mistakes_are_named) {
    dlviz_figure *figure = images_figure(3, (int64_t[]){5, 4, 4}), *curves = curves_figure(3);
    dlviz_figure *deep = images_figure(4, (int64_t[]){5, 2, 4, 4});
    dlviz_tensor *maps = tensor_of(DLVIZ_FLOAT32, 3, (int64_t[]){5, 4, 4});
    dlviz_tensor *few = tensor_of(DLVIZ_FLOAT32, 3, (int64_t[]){4, 4, 4});
    dlviz_tensor *whole = tensor_of(DLVIZ_INT64, 3, (int64_t[]){5, 4, 4});
    ck_fails(dlviz_figure_add_heat_maps(NULL, "a", maps), DLVIZ_ERROR_INVALID_ARGUMENT, "'figure'");
    ck_fails(dlviz_figure_add_heat_maps(figure, "a", NULL), DLVIZ_ERROR_INVALID_ARGUMENT, "'maps'");
    ck_fails(dlviz_figure_add_heat_maps(curves, "a", maps), DLVIZ_ERROR_INVALID_ARGUMENT,
             "this is a figure of curves, and needs to be a grid of images");
    ck_fails(dlviz_figure_add_heat_maps(deep, "a", maps), DLVIZ_ERROR_INVALID_ARGUMENT,
             "the images have 2 channels");
    ck_fails(dlviz_figure_add_heat_maps(figure, "a", few), DLVIZ_ERROR_SHAPE,
             "'maps' is float32 4 x 4 x 4, needs to be float32 n x h x w or n x c x h x w, not "
             "empty, with n the 5 images");
    ck_fails(dlviz_figure_add_heat_maps(figure, "a", whole), DLVIZ_ERROR_SHAPE, "int64 5 x 4 x 4");
    ck_fails(dlviz_figure_add_heat_maps(figure, "\xff", maps), DLVIZ_ERROR_INVALID_ARGUMENT,
             "name");
    dlviz_tensor_float(maps)[40] = NAN;
    ck_fails(dlviz_figure_add_heat_maps(figure, "a", maps), DLVIZ_ERROR_NUMERIC,
             "map 2 has the value nan");
    dlviz_tensor_float(maps)[40] = 0;
    for (int i = 0; i < 16; i++)
        ck_ok(dlviz_figure_add_heat_maps(figure, "a", maps));
    ck_fails(dlviz_figure_add_heat_maps(figure, "a", maps), DLVIZ_ERROR_INVALID_ARGUMENT,
             "no room for more heat maps of 5 images; 16 of each");
    dlviz_figure_destroy(figure), dlviz_figure_destroy(curves), dlviz_figure_destroy(deep);
    dlviz_tensor_destroy(maps), dlviz_tensor_destroy(few), dlviz_tensor_destroy(whole);
}
END_TEST

static dlviz_status draw(void *context) {
    dlviz_tensor *const *tensors = context;
    dlviz_figure *figure;
    dlviz_status status = dlviz_figure_create_images(&figure, tensors[0]);
    for (int i = 0; i < 2 && status == DLVIZ_OK; i++)
        status = dlviz_figure_add_heat_maps(figure, "heat", tensors[1]);
    if (status == DLVIZ_OK)
        status = dlviz_figure_write(figure, scratch_path("heat.png"));
    dlviz_figure_destroy(figure);
    return status;
}

START_TEST(any_allocation_may_fail) {
    dlviz_tensor *tensors[] = {tensor_of(DLVIZ_FLOAT32, 3, (int64_t[]){5, 4, 4}),
                               tensor_of(DLVIZ_FLOAT32, 3, (int64_t[]){5, 3, 4})};
    draw(tensors);
    ck_assert_int_gt(fail_each_allocation(draw, tensors), 8);
    dlviz_tensor_destroy(tensors[0]), dlviz_tensor_destroy(tensors[1]);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {red_is_above_0_and_blue_below,
                                  one_in_a_hundred_may_be_beyond_the_full_color,
                                  channels_are_added_up_and_sizes_adapted,
                                  every_layout_is_drawn,
                                  mistakes_are_named,
                                  any_allocation_may_fail,
                                  NULL};
    return run_tests("heat maps", tests);
}
