/* Grids of images: ranges, and the room that tiles and captions take. */
#include "support/figures.h"
#include "support/pixels.h"

#include <string.h>

static dlviz_figure *grid_of(int ndim, const int64_t *dims, const float *values) {
    dlviz_tensor *images = tensor_of(DLVIZ_FLOAT32, ndim, dims);
    memcpy(dlviz_tensor_float(images), values,
           (size_t)dlviz_tensor_num_elements(images) * sizeof *values);
    dlviz_figure *figure;
    ck_ok(dlviz_figure_create_images(&figure, images));
    dlviz_tensor_destroy(images);
    return figure;
}

static cairo_surface_t *drawn(const dlviz_figure *figure) {
    ck_ok(dlviz_figure_write(figure, scratch_path("grid.png")));
    cairo_surface_t *surface = cairo_image_surface_create_from_png(scratch_path("grid.png"));
    ck_assert_int_eq(cairo_surface_status(surface), CAIRO_STATUS_SUCCESS);
    return surface;
}

static int width_of(cairo_surface_t *surface) {
    return cairo_image_surface_get_width(surface);
}

static int height_of(cairo_surface_t *surface) {
    return cairo_image_surface_get_height(surface);
}

static int count(cairo_surface_t *surface, dlz_color color) {
    return count_color(surface, color, 0, 0, 0, width_of(surface), height_of(surface));
}

/* A filter ten times weaker than another is paler on the same scale, and as strong on its own. */
START_TEST(signed_images_share_a_range) {
    const float values[] = {-1, 1, -0.1F, 0.1F};
    dlviz_figure *figure = grid_of(3, (int64_t[]){2, 1, 2}, values);
    ck_assert(dlviz_figure_shared_range(figure));
    const dlz_color strong = dlz_colormap_at(DLVIZ_COLORMAP_DIVERGING, 1);
    const dlz_color weak = dlz_colormap_at(DLVIZ_COLORMAP_DIVERGING, 0.55);
    cairo_surface_t *surface = drawn(figure);
    int pixel = count(surface, weak);
    ck_assert_int_gt(pixel, 500);
    /* The bar has a few of each. */
    ck_assert_int_lt(abs(count(surface, strong) - pixel), 200);
    cairo_surface_destroy(surface);
    ck_ok(dlviz_figure_set_shared_range(figure, false));
    ck_assert(!dlviz_figure_shared_range(figure));
    surface = drawn(figure);
    ck_assert_int_eq(count(surface, weak), 0);
    int alone = count(surface, strong);
    ck_assert(alone > 1000 && alone % 2 == 0);
    cairo_surface_destroy(surface);
    dlviz_figure_destroy(figure);
}
END_TEST

START_TEST(gray_images_share_a_range_when_told) {
    const float values[] = {0, 1, 0, 0.5F};
    dlviz_figure *figure = grid_of(3, (int64_t[]){2, 1, 2}, values);
    const dlz_color half = dlz_colormap_at(DLVIZ_COLORMAP_GRAY, 0.5);
    ck_assert(!dlviz_figure_shared_range(figure));
    cairo_surface_t *surface = drawn(figure);
    ck_assert_int_lt(count(surface, half), 50);
    cairo_surface_destroy(surface);
    ck_ok(dlviz_figure_set_shared_range(figure, true));
    surface = drawn(figure);
    ck_assert_int_gt(count(surface, half), 1000);
    cairo_surface_destroy(surface);
    dlviz_figure_destroy(figure);
    /* Heat maps leave images their own ranges. */
    const float signs[] = {-1, 1, -2, 2};
    figure = grid_of(3, (int64_t[]){2, 1, 2}, signs);
    dlviz_tensor *maps = tensor_of(DLVIZ_FLOAT32, 3, (int64_t[]){2, 1, 2});
    ck_ok(dlviz_figure_add_heat_maps(figure, NULL, maps));
    ck_assert(!dlviz_figure_shared_range(figure));
    dlviz_tensor_destroy(maps);
    dlviz_figure_destroy(figure);
}
END_TEST

/* The bar's numbers are the values of its colors. */
START_TEST(the_bar_says_which_color_is_which_value) {
    const float values[] = {-1, 0.25F, 0, 1};
    dlviz_figure *figure = grid_of(3, (int64_t[]){2, 1, 2}, values);
    ck_ok(dlviz_figure_write(figure, scratch_path("bar.svg")));
    size_t size;
    char *svg = read_text(scratch_path("bar.svg"), &size);
    static const char *const labels[] = {">1.0</text>", ">0.0</text>", ">−1.0</text>"};
    double heights[3];
    for (int i = 0; i < 3; i++) {
        const char *at = strstr(svg, labels[i]);
        ck_assert_msg(at != NULL, "no %s", labels[i]);
        while (strncmp(at, " y=\"", 4) != 0)
            at--;
        heights[i] = strtod(at + 4, NULL);
    }
    ck_assert_double_gt(heights[1] - heights[0], 20);
    ck_assert_double_eq_tol(heights[1] - heights[0], heights[2] - heights[1], 0.05);
    free(svg);
    dlviz_figure_destroy(figure);
}
END_TEST

/* How many pixels at the right, and at the left, have no ink. */
static void empty_sides(cairo_surface_t *surface, int *left, int *right) {
    int width = width_of(surface), height = height_of(surface);
    const dlz_color white = {1, 1, 1};
    *left = *right = 0;
    while (count_color(surface, white, 0, *left, 0, *left + 1, height) == height)
        ++*left;
    while (count_color(surface, white, 0, width - *right - 1, 0, width - *right, height) == height)
        ++*right;
}

START_TEST(no_side_of_the_page_is_left_empty) {
    static const int64_t sizes[][2] = {{3, 3}, {28, 28}, {32, 20}};
    float *values = malloc(64 * 28 * 32 * sizeof *values);
    for (int i = 0; i < 64 * 28 * 32; i++)
        values[i] = 1 + (float)(i % 7);
    for (int s = 0; s < 3; s++)
        for (int64_t n = 2; n <= 64; n += n < 7 ? 1 : 19) {
            dlviz_figure *figure = grid_of(3, (int64_t[]){n, sizes[s][0], sizes[s][1]}, values);
            for (int shared = 0; shared < 2; shared++) {
                ck_ok(dlviz_figure_set_shared_range(figure, shared));
                cairo_surface_t *surface = drawn(figure);
                int left, right;
                empty_sides(surface, &left, &right);
                ck_assert_msg(left < 80 && right < (shared ? 130 : 80),
                              "%lld tiles: %d and %d of %d pixels are empty", (long long)n, left,
                              right, width_of(surface));
                cairo_surface_destroy(surface);
            }
            dlviz_figure_destroy(figure);
        }
    free(values);
}
END_TEST

/* Rows are full wherever the number allows it without a strip of a page. */
START_TEST(rows_are_full) {
    static const struct {
        int64_t tiles;
        double least, most; /* width by height */
    } shapes[] = {{16, 0.8, 1.3}, {32, 1.5, 2.5}, {64, 0.8, 1.3}, {10, 1.8, 3}, {12, 1, 1.7}};
    float values[64 * 9];
    for (int i = 0; i < 64 * 9; i++)
        values[i] = (float)(i % 9);
    for (int i = 0; i < 5; i++) {
        dlviz_figure *figure = grid_of(3, (int64_t[]){shapes[i].tiles, 3, 3}, values);
        cairo_surface_t *surface = drawn(figure);
        double shape = (double)width_of(surface) / height_of(surface);
        ck_assert_msg(shape > shapes[i].least && shape < shapes[i].most, "%lld tiles: %g",
                      (long long)shapes[i].tiles, shape);
        cairo_surface_destroy(surface);
        dlviz_figure_destroy(figure);
    }
}
END_TEST

START_TEST(only_rows_with_captions_have_room_for_them) {
    const char *names[40] = {NULL};
    int heights[4];
    for (int kind = 0; kind < 4; kind++) {
        dlviz_figure *figure = images_figure(3, (int64_t[]){40, 5, 5});
        ck_ok(dlviz_figure_set_num_columns(figure, 8));
        for (int i = 0; i < 40; i++)
            names[i] = kind == 1 ? "" : kind == 2 && i != 9 ? NULL : "7";
        if (kind > 0)
            ck_ok(dlviz_figure_set_captions(figure, 40, names));
        cairo_surface_t *surface = drawn(figure);
        heights[kind] = height_of(surface);
        cairo_surface_destroy(surface);
        dlviz_figure_destroy(figure);
    }
    ck_assert_int_eq(heights[0], heights[1]);
    ck_assert_int_gt(heights[2], heights[0]);
    ck_assert_int_lt(heights[2] - heights[0], 40);
    ck_assert_int_eq(heights[3] - heights[0], 5 * (heights[2] - heights[0]));
}
END_TEST

/* Channels of an image stand together; many of them make no page of 16,000 pixels. */
START_TEST(channels_stand_side_by_side) {
    static const int64_t shapes[][4] = {
        {64, 3, 7, 7}, {32, 16, 3, 3}, {64, 64, 3, 3}, {5, 2, 9, 9}};
    for (int i = 0; i < 4; i++) {
        dlviz_figure *figure = images_figure(4, shapes[i]);
        const char *names[64];
        for (int k = 0; k < 64; k++)
            names[k] = "a caption";
        for (int captions = 0; captions < 2; captions++) {
            if (captions)
                ck_ok(dlviz_figure_set_captions(figure, shapes[i][0], names));
            cairo_surface_t *surface = drawn(figure);
            ck_assert_int_lt(height_of(surface), 3200);
            ck_assert_int_gt(width_of(surface), 700);
            cairo_surface_destroy(surface);
        }
        dlviz_figure_destroy(figure);
    }
}
END_TEST

/* Black images, of which a page has room for all. */
static void expect_all(int ndim, const int64_t *dims, int64_t columns, int64_t width,
                       int64_t height) {
    dlviz_tensor *images = tensor_of(DLVIZ_FLOAT32, ndim, dims);
    int tiles = (int)(ndim == 4 ? dims[0] * dims[1] : dims[0]);
    dlviz_figure *figure;
    ck_ok(dlviz_figure_create_images(&figure, images));
    ck_ok(dlviz_figure_set_num_columns(figure, columns));
    if (width > 0)
        ck_ok(dlviz_figure_set_size(figure, width, height));
    cairo_surface_t *surface = drawn(figure);
    int black = count(surface, (dlz_color){0, 0, 0});
    ck_assert_msg(black >= tiles && black % tiles == 0,
                  "%d tiles in %d columns: %d black pixels of %d x %d", tiles, (int)columns, black,
                  height_of(surface), width_of(surface));
    cairo_surface_destroy(surface);
    dlviz_figure_destroy(figure);
    dlviz_tensor_destroy(images);
}

/* None lies beyond the page's edges: where a row or a column would, it is shorter. */
START_TEST(every_image_is_on_the_page) {
    static const int64_t channels[][4] = {{1, 774, 1, 1},  {1, 1024, 7, 7}, {1, 2048, 1, 1},
                                          {2, 2048, 1, 1}, {1, 4093, 3, 3}, {3, 1000, 2, 2}};
    for (int i = 0; i < 6; i++)
        for (int64_t columns = 0; columns <= 2; columns += 2)
            expect_all(4, channels[i], columns, 0, 0);
    expect_all(4, channels[2], 0, 200, 200);
    for (int64_t columns = 1; columns <= 4096; columns *= 8)
        for (int64_t size = 0; size <= 1600; size = size ? 2 * size : 200)
            expect_all(3, (int64_t[]){4096, 1, 1}, columns, size, size);
    for (int64_t columns = 110; columns < 122; columns++)
        expect_all(3, (int64_t[]){columns, 6, 6}, columns, 0, 0);
}
END_TEST

/* Rather than become too small to be seen; those of a few images stay in one row each. */
START_TEST(many_channels_have_several_rows) {
    static const struct {
        int64_t dims[4];
        int least; /* pixels of the page that each pixel of an image takes */
    } cases[] = {{{1, 600, 5, 5}, 16}, {{1, 100, 28, 28}, 4}, {{2, 700, 5, 5}, 4}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const int64_t *dims = cases[i].dims;
        int64_t pixels = dims[0] * dims[1] * dims[2] * dims[3];
        float *zeros = calloc((size_t)pixels, sizeof *zeros);
        ck_assert_ptr_nonnull(zeros);
        dlviz_figure *figure = grid_of(4, dims, zeros);
        ck_ok(dlviz_figure_set_shared_range(figure, false));
        cairo_surface_t *surface = drawn(figure);
        ck_assert_int_ge(count(surface, (dlz_color){0, 0, 0}), pixels * cases[i].least);
        cairo_surface_destroy(surface);
        dlviz_figure_destroy(figure);
        free(zeros);
    }
}
END_TEST

/* Where text leaves no room, the grid is drawn over it. */
START_TEST(text_does_not_drive_images_off_the_page) {
    char title[4000];
    memset(title, 'o', sizeof title);
    for (int i = 9; i < 3999; i += 10)
        title[i] = ' ';
    title[3999] = '\0';
    const float values[] = {0, 0, 0, 0};
    dlviz_figure *figure = grid_of(3, (int64_t[]){4, 1, 1}, values);
    ck_ok(dlviz_figure_set_title(figure, title));
    ck_ok(dlviz_figure_set_subtitle(figure, title));
    ck_ok(dlviz_figure_set_footnote(figure, title));
    ck_ok(dlviz_figure_set_size(figure, 200, 16384));
    cairo_surface_t *surface = drawn(figure);
    int black = count(surface, (dlz_color){0, 0, 0});
    ck_assert_msg(black > 1000 && black % 4 == 0, "%d black pixels", black);
    cairo_surface_destroy(surface);
    dlviz_figure_destroy(figure);
}
END_TEST

START_TEST(a_title_that_is_wider_than_the_grid_is_not_broken) {
    const float values[] = {0, 1, 2, 3};
    dlviz_figure *figure = grid_of(3, (int64_t[]){1, 2, 2}, values);
    ck_ok(dlviz_figure_set_title(figure, "A single image of two by two pixels"));
    ck_ok(dlviz_figure_write(figure, scratch_path("title.svg")));
    size_t size;
    char *svg = read_text(scratch_path("title.svg"), &size);
    ck_assert_ptr_nonnull(strstr(svg, ">A single image of two by two pixels</text>"));
    free(svg);
    dlviz_figure_destroy(figure);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {signed_images_share_a_range,
                                  gray_images_share_a_range_when_told,
                                  the_bar_says_which_color_is_which_value,
                                  no_side_of_the_page_is_left_empty,
                                  rows_are_full,
                                  only_rows_with_captions_have_room_for_them,
                                  channels_stand_side_by_side,
                                  every_image_is_on_the_page,
                                  many_channels_have_several_rows,
                                  text_does_not_drive_images_off_the_page,
                                  a_title_that_is_wider_than_the_grid_is_not_broken,
                                  NULL};
    return run_tests("image grids", tests);
}
