/* PNG files of every kind that the library writes: what they are read as, and what they are when something
 * goes wrong. */
#include "data/image.h"
#include "png/png.h"
#include "support/failing.h"
#include "support/support.h"

#include <stdlib.h>
#include <string.h>

/* -- Pictures ------------------------------------------------------------------------------------
 */

typedef struct kind {
    int channels, bits, num_colors;
} kind;

static const kind kinds[] = {{1, 1, 0}, {1, 2, 0}, {1, 4, 0},  {1, 8, 0},  {3, 8, 0},
                             {1, 1, 2}, {1, 2, 3}, {1, 4, 16}, {1, 8, 17}, {1, 8, 256}};
enum { NUM_KINDS = sizeof kinds / sizeof *kinds };

static const uint8_t *palette(void) {
    static uint8_t colors[3 * 256];
    for (int i = 0; i < 3 * 256; i++)
        colors[i] = (uint8_t)(i * 37 + i / 256);
    return colors;
}

/* What byte `i` of a row is: noise, or, for a kind of 8 bits, slopes on every other ten rows. */
static uint8_t byte_at(const dlz_png *png, int64_t y, int64_t i) {
    uint32_t state = (uint32_t)(y * 7919 + i) * 2654435761u;
    state = (state ^ state >> 15) * 2246822519u;
    state ^= state >> 13;
    if (png->bits == 8 && png->num_colors == 0 && y / 10 % 2 == 0)
        state = (uint32_t)(3 * y + i / png->channels) + state % 2;
    return (uint8_t)(state % (uint32_t)(png->num_colors > 0 ? png->num_colors : 1 << png->bits));
}

static void get_row(const void *context, int64_t y, uint8_t *pixels) {
    const dlz_png *png = context;
    for (int64_t i = 0; i < png->width * png->channels; i++)
        pixels[i] = byte_at(png, y, i);
}

static void set_picture(dlz_png *png, kind of, int64_t height, int64_t width) {
    *png = (dlz_png){.height = height,
                     .width = width,
                     .channels = of.channels,
                     .bits = of.bits,
                     .num_colors = of.num_colors,
                     .palette = palette(),
                     .row = get_row,
                     .context = png};
}

static void check_pixels(const dlz_png *png, const dlz_image *image) {
    const uint8_t *at = image->pixels;
    for (int64_t y = 0; y < png->height; y++)
        for (int64_t i = 0; i < png->width * png->channels; i++) {
            uint8_t byte = byte_at(png, y, i);
            if (png->num_colors > 0) {
                ck_assert_int_eq(memcmp(at, png->palette + 3 * byte, 3), 0);
                at += 3;
            } else {
                ck_assert_int_eq(*at++, byte * 255 / ((1 << png->bits) - 1));
            }
        }
}

static void check_file(const dlz_png *png, const uint8_t *bytes, size_t size) {
    dlz_image_bytes file = {.name = "it", .bytes = bytes, .size = size};
    dlz_image_header header;
    dlz_image image;
    ck_ok(dlz_image_read_header(&file, &header));
    ck_assert_int_eq(header.coarse, png->num_colors > 0 || png->bits < 8);
    ck_assert_int_eq(bytes[24], png->bits);
    ck_ok(dlz_image_read_memory(&file, 255, &image));
    ck_assert(image.height == png->height && image.width == png->width);
    ck_assert_int_eq(image.channels, png->num_colors > 0 ? 3 : png->channels);
    check_pixels(png, &image);
    dlz_image_release(&image);
}

START_TEST(every_kind_comes_back) {
    static const int sizes[][2] = {{1, 1}, {1, 9}, {9, 1}, {3, 8}, {11, 7}, {67, 130}};
    for (int k = 0; k < NUM_KINDS; k++)
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
            for (int means = DLZ_PNG_SHORTEST; means <= DLZ_PNG_FILTERED; means++) {
                dlz_png png;
                uint8_t *bytes;
                size_t size;
                set_picture(&png, kinds[k], sizes[s][0], sizes[s][1]);
                png.means = (dlz_png_means)means;
                ck_ok(dlz_png_write(&png, &bytes, &size));
                check_file(&png, bytes, size);
                dlz_free(bytes);
            }
}
END_TEST

/* Of a picture that is large, some rows decide. */
START_TEST(large_pictures_are_the_same_for_any_number_of_threads) {
    for (int k = 3; k <= 4; k++) {
        uint8_t *first = NULL, *bytes;
        size_t first_size = 0, size;
        dlz_png png;
        set_picture(&png, kinds[k], 1800, k == 3 ? 701 : 250);
        for (int threads = 1; threads <= 4; threads++) {
            ck_ok(dlviz_set_num_threads(threads));
            ck_ok(dlz_png_write(&png, &bytes, &size));
            if (threads == 1) {
                check_file(&png, bytes, size);
                first = bytes;
                first_size = size;
                continue;
            }
            ck_assert_uint_eq(size, first_size);
            ck_assert_int_eq(memcmp(bytes, first, size), 0);
            dlz_free(bytes);
        }
        dlz_free(first);
    }
}
END_TEST

/* The shortest is no longer than the others, and what is clearly too large is not made. */
START_TEST(the_shortest_is_short) {
    for (int k = 0; k < NUM_KINDS; k++) {
        dlz_png png;
        uint8_t *bytes;
        size_t sizes[3], size;
        set_picture(&png, kinds[k], 300, 200);
        for (int means = DLZ_PNG_SHORTEST; means <= DLZ_PNG_FILTERED; means++) {
            png.means = (dlz_png_means)means;
            ck_ok(dlz_png_write(&png, &bytes, &sizes[means]));
            dlz_free(bytes);
        }
        ck_assert_uint_le(sizes[0], sizes[1] + sizes[1] / 50);
        ck_assert_uint_le(sizes[0], sizes[2] + sizes[2] / 50);
        png.means = DLZ_PNG_SHORTEST;
        png.enough = sizes[0] - 1;
        ck_ok(dlz_png_write(&png, &bytes, &size));
        ck_assert_ptr_nonnull(bytes);
        ck_assert_uint_eq(size, sizes[0]);
        dlz_free(bytes);
        png.enough = sizes[0] / 2;
        ck_ok(dlz_png_write(&png, &bytes, &size));
        ck_assert_ptr_null(bytes);
        ck_assert_uint_eq(size, sizes[0]);
    }
}
END_TEST

/* -- Trouble -------------------------------------------------------------------------------------
 */

static dlviz_status write_it(void *context) {
    uint8_t *bytes;
    size_t size;
    dlviz_status status = dlz_png_write(context, &bytes, &size);
    ck_assert_int_eq(bytes != NULL, status == DLVIZ_OK);
    dlz_free(bytes);
    return status;
}

START_TEST(memory_may_run_out_anywhere) {
    dlz_png png;
    ck_ok(dlviz_set_num_threads(1));
    for (int k = 0; k < NUM_KINDS; k++)
        for (int means = DLZ_PNG_SHORTEST; means <= DLZ_PNG_FILTERED; means++) {
            set_picture(&png, kinds[k], 20, 30);
            png.means = (dlz_png_means)means;
            ck_assert_int_gt(fail_each_allocation(write_it, &png), 8);
        }
}
END_TEST

/* libpng's own refusals have a sentence. */
START_TEST(what_is_no_picture_is_refused) {
    dlz_png png;
    uint8_t *bytes;
    size_t size;
    for (int means = DLZ_PNG_SHORTEST; means <= DLZ_PNG_FILTERED; means++) {
        set_picture(&png, (kind){1, 8, 0}, 0, 3);
        png.means = (dlz_png_means)means;
        ck_fails(dlz_png_write(&png, &bytes, &size), DLVIZ_ERROR_UNSUPPORTED, "libpng");
        ck_assert_ptr_null(bytes);
    }
}
END_TEST

/* Every byte of a file counts, but for those of the last chunk's checksum. */
START_TEST(damaged_files_are_refused) {
    dlz_png png;
    uint8_t *bytes;
    size_t size;
    dlz_image image;
    set_picture(&png, kinds[4], 11, 7);
    ck_ok(dlz_png_write(&png, &bytes, &size));
    for (size_t at = 0; at < size - 4; at++) {
        dlz_image_bytes file = {.name = "it", .bytes = bytes, .size = size};
        bytes[at] ^= 0x10;
        ck_fails(dlz_image_read_memory(&file, 255, &image), DLVIZ_ERROR_FORMAT, "'it'");
        ck_assert_ptr_null(image.pixels);
        bytes[at] ^= 0x10;
        uint8_t *part = malloc(at + 1);
        memcpy(part, bytes, at);
        file.bytes = part;
        file.size = at;
        ck_fails(dlz_image_read_memory(&file, 255, &image), DLVIZ_ERROR_FORMAT, "'it'");
        free(part);
    }
    dlz_free(bytes);
}
END_TEST

int main(void) {
    return run_tests("png_writer", (const TTest *const[]){
                                       every_kind_comes_back,
                                       large_pictures_are_the_same_for_any_number_of_threads,
                                       the_shortest_is_short,
                                       memory_may_run_out_anywhere,
                                       what_is_no_picture_is_refused,
                                       damaged_files_are_refused,
                                       NULL,
                                   });
}
