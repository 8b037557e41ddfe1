/* PNG files: small, and what is seen in them is what was drawn. */
#include "plot/colors.h"
#include "plot/png.h"
#include "support/figures.h"
#include "support/pixels.h"

#include <string.h>

typedef struct picture {
    int width, height;
    uint32_t *pixels;
} picture;

static picture new_picture(int width, int height) {
    picture made = {width, height, calloc((size_t)width * (size_t)height, 4)};
    ck_assert_ptr_nonnull(made.pixels);
    return made;
}

static unsigned next(unsigned *state) {
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

typedef struct written {
    int type, depth;
    size_t size;
    int most_off; /* of any channel of any pixel, as another reader has it */
} written;

static written write_picture(const picture *drawn, int most_off) {
    dlz_bytes bytes = {0};
    ck_ok(dlz_figure_png(&bytes, (const unsigned char *)drawn->pixels, 4 * drawn->width,
                         drawn->width, drawn->height, most_off));
    written file = {.type = bytes.data[25], .depth = bytes.data[24], .size = bytes.size};
    write_file(scratch_path("written.png"), bytes.data, bytes.size);
    dlz_bytes_free(&bytes);
    cairo_surface_t *read = read_png(scratch_path("written.png"), drawn->width, drawn->height);
    const unsigned char *data = cairo_image_surface_get_data(read);
    int stride = cairo_image_surface_get_stride(read);
    for (int y = 0; y < drawn->height; y++)
        for (int x = 0; x < drawn->width; x++) {
            uint32_t pixel, wanted = drawn->pixels[y * drawn->width + x];
            memcpy(&pixel, data + y * stride + 4 * x, 4);
            for (int shift = 0; shift < 24; shift += 8) {
                int off = abs((int)(pixel >> shift & 255) - (int)(wanted >> shift & 255));
                file.most_off = off > file.most_off ? off : file.most_off;
            }
        }
    cairo_surface_destroy(read);
    return file;
}

/* Every size and every number of colors up to a palette's comes back as it was. */
START_TEST(few_colors_are_exact) {
    static const int sizes[][2] = {{1, 1}, {1, 9}, {7, 1}, {8, 8}, {13, 5}, {257, 3}, {64, 31}};
    static const int counts[] = {1, 2, 3, 4, 5, 16, 17, 256};
    unsigned state = 1;
    for (int s = 0; s < 7; s++)
        for (int c = 0; c < 8; c++) {
            picture drawn = new_picture(sizes[s][0], sizes[s][1]);
            for (int i = 0; i < drawn.width * drawn.height; i++)
                drawn.pixels[i] = next(&state) % (unsigned)counts[c] * 0x010307u * 7 & 0xFFFFFF;
            written file = write_picture(&drawn, DLZ_PNG_OFF_PICTURE);
            ck_assert_int_eq(file.most_off, 0);
            if (drawn.width * drawn.height > 1500) {
                ck_assert_int_eq(file.type, 3);
                ck_assert_int_eq(file.depth, counts[c] <= 2    ? 1
                                             : counts[c] <= 4  ? 2
                                             : counts[c] <= 16 ? 4
                                                               : 8);
            }
            free(drawn.pixels);
        }
}
END_TEST

START_TEST(gray_is_written_as_gray) {
    picture drawn = new_picture(300, 200);
    for (int i = 0; i < 300 * 200; i++)
        drawn.pixels[i] = (unsigned)(i * 31 % 256) * 0x010101u;
    written file = write_picture(&drawn, DLZ_PNG_OFF_DRAWING);
    ck_assert(file.type == 0 && file.depth == 8 && file.most_off == 0);
    free(drawn.pixels);
}
END_TEST

/* Many colors and no areas: nothing is given up. */
START_TEST(pictures_keep_their_colors) {
    picture drawn = new_picture(200, 150);
    unsigned state = 5;
    for (int i = 0; i < 200 * 150; i++)
        drawn.pixels[i] = next(&state) & 0xFFFFFF;
    written file = write_picture(&drawn, DLZ_PNG_OFF_PICTURE);
    ck_assert(file.type == 2 && file.most_off == 0);
    file = write_picture(&drawn, DLZ_PNG_OFF_DRAWING);
    ck_assert(file.type == 2 && file.most_off == 0);
    /* Smooth in two directions: more than 256 colors within the bound of a picture. */
    for (int i = 0; i < 200 * 150; i++)
        drawn.pixels[i] = (unsigned)(i % 200) << 16 | (unsigned)(i / 200) << 8 | 0x40;
    file = write_picture(&drawn, DLZ_PNG_OFF_PICTURE);
    ck_assert(file.type == 2 && file.most_off == 0);
    free(drawn.pixels);
}
END_TEST

/* Areas of many colors with steps at their edges: a palette, the areas within 2, the edges within
 * 16. */
START_TEST(drawings_lose_nothing_that_is_seen) {
    picture drawn = new_picture(640, 480);
    unsigned state = 9;
    for (int y = 0; y < 480; y++)
        for (int x = 0; x < 640; x++) {
            /* Forty areas that differ by little, and black ones. */
            unsigned k = (unsigned)(x / 40 + 5 * (y / 40)) % 40;
            uint32_t left = 0xA0A0A0 + (k % 8 * 5 << 16) + (k / 8 * 5 << 8);
            uint32_t right = 0;
            bool edge = x % 40 == 39;
            uint32_t mixed = 0;
            unsigned share = next(&state) % 256;
            for (int shift = 0; shift < 24; shift += 8)
                mixed |=
                    ((left >> shift & 255) * share + (right >> shift & 255) * (255 - share)) / 255
                    << shift;
            drawn.pixels[y * 640 + x] = edge ? mixed : left;
        }
    written file = write_picture(&drawn, DLZ_PNG_OFF_DRAWING);
    ck_assert_int_eq(file.type, 3);
    ck_assert_int_gt(file.most_off, 0);
    ck_assert_int_le(file.most_off, DLZ_PNG_OFF_DRAWING);
    cairo_surface_t *read = read_png(scratch_path("written.png"), 640, 480);
    for (int y = 0; y < 480; y++)
        for (int x = 0; x < 639; x++) {
            uint32_t pixel;
            memcpy(&pixel,
                   cairo_image_surface_get_data(read) + y * cairo_image_surface_get_stride(read) +
                       4 * x,
                   4);
            if (x % 40 == 39)
                continue;
            for (int shift = 0; shift < 24; shift += 8)
                ck_assert_int_le(abs((int)(pixel >> shift & 255) -
                                     (int)(drawn.pixels[y * 640 + x] >> shift & 255)),
                                 DLZ_AREA_OFF);
        }
    cairo_surface_destroy(read);
    free(drawn.pixels);
}
END_TEST

/* 300 areas that differ by 5 and more: those are not given up for a palette. */
START_TEST(areas_are_not_merged) {
    picture drawn = new_picture(160, 120);
    for (int i = 0; i < 160 * 120; i++) {
        unsigned k = (unsigned)(i % 160 / 8 + i / 160 / 8 * 20);
        drawn.pixels[i] = k % 20 * 5 << 16 | k / 20 * 5 << 8;
    }
    written file = write_picture(&drawn, DLZ_PNG_OFF_DRAWING);
    ck_assert(file.type == 2 && file.most_off == 0);
    free(drawn.pixels);
}
END_TEST

/* More colors than are counted. */
START_TEST(too_many_colors_are_no_trouble) {
    picture drawn = new_picture(400, 400);
    for (int i = 0; i < 400 * 400; i++)
        drawn.pixels[i] = (unsigned)i * 97u & 0xFFFFFF;
    written file = write_picture(&drawn, DLZ_PNG_OFF_DRAWING);
    ck_assert(file.type == 2 && file.most_off == 0);
    free(drawn.pixels);
}
END_TEST

/* A map of 10,000 points, which is mostly edges. */
START_TEST(a_map_has_a_palette) {
    dlviz_figure *figure = scatter_figure(10000, 10);
    ck_ok(dlviz_figure_write(figure, scratch_path("map.png")));
    dlviz_figure_destroy(figure);
    size_t size;
    char *bytes = read_text(scratch_path("map.png"), &size);
    ck_assert_int_eq(bytes[25], 3);
    ck_assert_uint_lt(size, 150000);
    free(bytes);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {few_colors_are_exact,       gray_is_written_as_gray,
                                  pictures_keep_their_colors, drawings_lose_nothing_that_is_seen,
                                  areas_are_not_merged,       too_many_colors_are_no_trouble,
                                  a_map_has_a_palette,        NULL};
    return run_tests("png", tests);
}
