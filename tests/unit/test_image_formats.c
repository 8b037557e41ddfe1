/* What image files are decoded to: every kind of PNG and JPEG that libpng and libjpeg write, and damage. */
#include "data/image.h"
#include "support/failing.h"
#include "support/images.h"

#include <math.h>
#include <png.h>
#include <stdlib.h>
#include <string.h>

enum { HEIGHT = 11, WIDTH = 13, PIXELS = HEIGHT * WIDTH };

static dlviz_status read_image(image_file file, int background, dlz_image *image) {
    /* Bytes that end where their block ends, for sanitizers. */
    unsigned char *exact = malloc(file.size ? file.size : 1);
    memcpy(exact, file.bytes, file.size);
    dlz_image_bytes bytes = {.name = "it", .bytes = exact, .size = file.size};
    dlviz_status status = dlz_image_read_memory(&bytes, background, image);
    free(exact);
    ck_assert((image->pixels != NULL) == (status == DLVIZ_OK));
    return status;
}

/* -- PNG -----------------------------------------------------------------------------------------
 */

static uint16_t value_at(int64_t i, int bits) {
    uint64_t mixed = (uint64_t)(i + 1) * 0x9E3779B97F4A7C15u;
    return (uint16_t)(mixed >> 20 & ((1u << bits) - 1));
}

/* A sample of the file as 8 bits: the nearest to its share of the largest. */
static int eight_bits(int value, int bits) {
    return (int)floor((double)value * 255 / (double)((1 << bits) - 1) + 0.5);
}

static int over(int color, int alpha, int background) {
    double exact = (color * alpha + background * (255.0 - alpha)) / 255;
    return (int)floor(exact + 0.5);
}

/* Decodes such a file and compares each pixel with the arithmetic of a line or two. */
static void check_png(png_kind kind, int background) {
    static const int all_samples[] = {1, 0, 3, 1, 2, 0, 4};
    int samples = all_samples[kind.color_type], color = kind.color_type & PNG_COLOR_MASK_COLOR;
    uint16_t values[PIXELS * 4];
    for (int64_t i = 0; i < PIXELS * samples; i++) {
        values[i] = value_at(i, kind.bits);
        if (kind.color_type == PNG_COLOR_TYPE_PALETTE)
            values[i] = (uint16_t)(values[i] % kind.num_colors);
    }
    if (kind.transparent)
        for (int s = 0; s < samples; s++)
            values[5 * samples + s] = kind.transparent[s];
    kind.height = HEIGHT;
    kind.width = WIDTH;
    image_file file = make_png(&kind, values);
    dlz_image image;
    ck_ok(read_image(file, background, &image));
    free(file.bytes);
    ck_assert_int_eq(image.height, HEIGHT);
    ck_assert_int_eq(image.width, WIDTH);
    int channels = color ? 3 : 1;
    ck_assert_int_eq(image.channels, channels);
    for (int64_t i = 0; i < PIXELS; i++) {
        const uint16_t *pixel = values + i * samples;
        bool through = kind.transparent &&
                       memcmp(pixel, kind.transparent, (size_t)samples * sizeof *pixel) == 0;
        for (int c = 0; c < channels; c++) {
            int wanted, alpha = 255;
            if (kind.color_type == PNG_COLOR_TYPE_PALETTE) {
                wanted = kind.colors[3 * pixel[0] + c];
                alpha = pixel[0] < kind.num_alphas ? kind.alphas[pixel[0]] : 255;
            } else {
                wanted = eight_bits(pixel[c], kind.bits);
                if (kind.color_type & PNG_COLOR_MASK_ALPHA)
                    alpha = eight_bits(pixel[channels], kind.bits);
            }
            wanted = over(wanted, through ? 0 : alpha, background);
            ck_assert_msg(image.pixels[i * channels + c] == wanted,
                          "pixel %d, channel %d is %d, not %d (%d bits, type %d)", (int)i, c,
                          image.pixels[i * channels + c], wanted, kind.bits, kind.color_type);
        }
    }
    dlz_image_release(&image);
}

START_TEST(every_png) {
    static const int types[] = {PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_RGB, PNG_COLOR_TYPE_GRAY_ALPHA,
                                PNG_COLOR_TYPE_RGB_ALPHA};
    for (int interlaced = 0; interlaced < 2; interlaced++)
        for (int t = 0; t < 4; t++)
            for (int bits = types[t] == PNG_COLOR_TYPE_GRAY ? 1 : 8; bits <= 16; bits *= 2) {
                png_kind kind = {
                    .bits = bits, .color_type = types[t], .interlaced = interlaced != 0};
                check_png(kind, 255);
                check_png(kind, 0);
                check_png(kind, 99);
            }
}
END_TEST

START_TEST(palettes) {
    uint8_t colors[3 * 256], alphas[256];
    for (int i = 0; i < 256; i++) {
        for (int c = 0; c < 3; c++)
            colors[3 * i + c] = (uint8_t)value_at(3 * i + c, 8);
        alphas[i] = (uint8_t)value_at(1000 + i, 8);
    }
    for (int bits = 1; bits <= 8; bits *= 2) {
        png_kind kind = {.bits = bits,
                         .color_type = PNG_COLOR_TYPE_PALETTE,
                         .num_colors = 1 << bits,
                         .colors = colors};
        check_png(kind, 255);
        kind.alphas = alphas;
        kind.num_alphas = (1 << bits) - 1; /* the last color has none */
        kind.interlaced = bits == 4;
        check_png(kind, 255);
        check_png(kind, 7);
    }
}
END_TEST

START_TEST(one_transparent_color) {
    static const uint16_t gray[] = {3}, color[] = {200, 100, 50}, deep[] = {40000, 513, 65535};
    check_png((png_kind){.bits = 2, .transparent = gray, .color_type = PNG_COLOR_TYPE_GRAY}, 255);
    check_png((png_kind){.bits = 8, .transparent = color, .color_type = PNG_COLOR_TYPE_RGB}, 10);
    check_png((png_kind){.bits = 16, .transparent = deep, .color_type = PNG_COLOR_TYPE_RGB}, 10);
}
END_TEST

START_TEST(sixteen_bits_are_rounded) {
    enum { SIDE = 256 };
    uint16_t *values = malloc(SIDE * SIDE * sizeof *values);
    for (int i = 0; i < SIDE * SIDE; i++)
        values[i] = (uint16_t)i;
    png_kind kind = {.height = SIDE, .width = SIDE, .bits = 16, .color_type = PNG_COLOR_TYPE_GRAY};
    image_file file = make_png(&kind, values);
    dlz_image image;
    ck_ok(read_image(file, 255, &image));
    for (int i = 0; i < SIDE * SIDE; i++)
        ck_assert_int_eq(image.pixels[i], (2 * i + 257) / 514);
    dlz_image_release(&image);
    free(file.bytes);
    free(values);
}
END_TEST

/* -- JPEG ----------------------------------------------------------------------------------------
 */

/* Blocks of 8 x 8 of one color each, which a JPEG of quality 100 keeps within a step or two, or as
 * they are where it has no other colors to go through. */
enum { ROWS = 2, COLUMNS = 3, BLOCK = 8, TALL = ROWS * BLOCK, WIDE = COLUMNS * BLOCK };

static uint8_t block_value(int64_t y, int64_t x, int channel) {
    return (uint8_t)(20 + 35 * (y / BLOCK * COLUMNS + x / BLOCK) + 13 * channel);
}

static void fill_blocks(int channels, uint8_t *values) {
    for (int64_t y = 0; y < TALL; y++)
        for (int64_t x = 0; x < WIDE; x++)
            for (int c = 0; c < channels; c++)
                *values++ = block_value(y, x, c);
}

static void check_near(int got, double wanted, double allowed) {
    ck_assert_msg(fabs(got - wanted) <= allowed, "%d, not %g", got, wanted);
}

START_TEST(every_jpeg) {
    uint8_t values[TALL * WIDE * 4];
    for (int progressive = 0; progressive < 2; progressive++)
        for (int channels = 1; channels <= 4; channels += channels == 1 ? 2 : 1)
            for (int other = 0; other < (channels == 4 ? 3 : 1); other++) {
                jpeg_kind kind = {.height = TALL,
                                  .width = WIDE,
                                  .channels = channels,
                                  .progressive = progressive != 0,
                                  .ycck = other == 1,
                                  .without_adobe = other == 2};
                fill_blocks(channels, values);
                image_file file = make_jpeg(&kind, values);
                dlz_image image;
                ck_ok(read_image(file, 255, &image));
                free(file.bytes);
                int given = channels == 1 ? 1 : 3;
                ck_assert_int_eq(image.height, TALL);
                ck_assert_int_eq(image.width, WIDE);
                ck_assert_int_eq(image.channels, given);
                for (int64_t y = 0; y < TALL; y++)
                    for (int64_t x = 0; x < WIDE; x++)
                        for (int c = 0; c < given; c++) {
                            double wanted = block_value(y, x, c);
                            if (channels == 4 && other < 2) /* what is kept is 255 less the ink */
                                wanted = wanted * block_value(y, x, 3) / 255;
                            else if (channels == 4)
                                wanted = (255 - wanted) * (255 - block_value(y, x, 3)) / 255;
                            bool kept = channels == 1 || (channels == 4 && other != 1);
                            check_near(image.pixels[(y * WIDE + x) * given + c], wanted,
                                       kept ? 0.5 : 3);
                        }
                dlz_image_release(&image);
            }
}
END_TEST

/* Where a stored pixel is seen, as EXIF says it: "the 0th row is at the visual … of the image, and the 0th
 * column is at the visual …". */
static void seen_at(int orientation, int64_t row, int64_t column, int64_t *y, int64_t *x) {
    int64_t from_bottom = TALL - 1 - row, from_right = WIDE - 1 - column;
    switch (orientation) {
    case 1: /* top, left */
        *y = row, *x = column;
        break;
    case 2: /* top, right */
        *y = row, *x = from_right;
        break;
    case 3: /* bottom, right */
        *y = from_bottom, *x = from_right;
        break;
    case 4: /* bottom, left */
        *y = from_bottom, *x = column;
        break;
    case 5: /* left, top */
        *x = row, *y = column;
        break;
    case 6: /* right, top */
        *x = from_bottom, *y = column;
        break;
    case 7: /* right, bottom */
        *x = from_bottom, *y = from_right;
        break;
    default: /* left, bottom */
        *x = row, *y = from_right;
        break;
    }
}

START_TEST(orientations) {
    uint8_t values[TALL * WIDE * 3];
    for (int channels = 1; channels <= 3; channels += 2)
        for (int orientation = 1; orientation <= 8; orientation++) {
            jpeg_kind kind = {.height = TALL,
                              .width = WIDE,
                              .channels = channels,
                              .orientation = orientation,
                              .little = orientation % 3 == 0};
            fill_blocks(channels, values);
            image_file file = make_jpeg(&kind, values);
            dlz_image image;
            ck_ok(read_image(file, 255, &image));
            free(file.bytes);
            bool turned = orientation > 4;
            ck_assert_int_eq(image.height, turned ? WIDE : TALL);
            ck_assert_int_eq(image.width, turned ? TALL : WIDE);
            for (int64_t row = 0; row < TALL; row++)
                for (int64_t column = 0; column < WIDE; column++) {
                    int64_t y, x;
                    seen_at(orientation, row, column, &y, &x);
                    for (int c = 0; c < channels; c++)
                        check_near(image.pixels[(y * image.width + x) * channels + c],
                                   block_value(row, column, c), 3);
                }
            dlz_image_release(&image);
        }
}
END_TEST

START_TEST(exif_that_is_none) {
    uint8_t tiff[26] = {'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, 6};
    ck_assert_int_eq(dlz_exif_orientation(tiff, sizeof tiff), 6);
    ck_assert_int_eq(dlz_exif_orientation(tiff, 22), 6); /* it ends with the entry */
    for (size_t size = 0; size < 22; size++)
        ck_assert_int_eq(dlz_exif_orientation(tiff, size), 1);
    const struct {
        int at;
        uint8_t value;
    } changes[] = {{0, 'X'},   {3, 43}, {4, 255}, {7, 25}, {9, 0},
                   {11, 0x13}, {13, 4}, {19, 9},  {19, 0}};
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        uint8_t changed[sizeof tiff];
        memcpy(changed, tiff, sizeof tiff);
        changed[changes[i].at] = changes[i].value;
        ck_assert_msg(dlz_exif_orientation(changed, sizeof changed) == 1, "change %d", (int)i);
    }
    /* More entries are announced than there are. */
    tiff[8] = 0xFF;
    tiff[11] = 0x13;
    ck_assert_int_eq(dlz_exif_orientation(tiff, sizeof tiff), 1);
}
END_TEST

/* -- Damage --------------------------------------------------------------------------------------
 */

static image_file small_jpeg(bool progressive) {
    uint8_t values[TALL * WIDE * 3];
    for (size_t i = 0; i < sizeof values; i++)
        values[i] = (uint8_t)value_at((int64_t)i, 8);
    return make_jpeg(
        &(jpeg_kind){.height = TALL, .width = WIDE, .channels = 3, .progressive = progressive},
        values);
}

/* However much of a file there is, it is an error unless all is. */
START_TEST(files_that_are_cut_short) {
    image_file files[] = {pattern_png(9, 7, 3, 1), small_jpeg(false), small_jpeg(true)};
    for (int i = 0; i < 3; i++) {
        dlz_image image;
        for (size_t size = 0; size < files[i].size; size++) {
            dlviz_status status = read_image((image_file){files[i].bytes, size}, 255, &image);
            ck_assert_msg(status == DLVIZ_ERROR_FORMAT, "file %d, %d of %d bytes: %s", i, (int)size,
                          (int)files[i].size, dlviz_status_name(status));
            ck_assert_msg(strstr(dlviz_last_error(), "'it'") != NULL, "%s", dlviz_last_error());
        }
        ck_ok(read_image(files[i], 255, &image));
        dlz_image_release(&image);
        free(files[i].bytes);
    }
}
END_TEST

START_TEST(files_that_are_none) {
    static const struct {
        const char *bytes;
        size_t size;
        const char *words;
    } files[] = {
        {"", 0, "no image"},
        {"GIF89a", 6, "no image"},
        {"\xFF\xD8", 2, "no image"},
        {"\xFF\xD8\xFF\xD9", 4, "no frame"},
        {"\xFF\xD8\xFF\xDA\0\2", 6, "no frame"},
        {"\xFF\xD8\xFF\xE0\0\1", 6, "cut short"},
        {"\xFF\xD8\xFF\xC0\0\5\10\0\1", 9, "its frame has 3 bytes"},
        {"\x89PNG\r\n\x1a\n", 8, "cut short"},
    };
    dlz_image image;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        image_file file = {(unsigned char *)(uintptr_t)files[i].bytes, files[i].size};
        ck_fails(read_image(file, 255, &image), DLVIZ_ERROR_FORMAT, files[i].words);
    }
}
END_TEST

/* Sizes that the header announces, and nothing behind it. */
START_TEST(sizes_that_are_not_there) {
    image_file png = pattern_png(4, 4, 1, 1), jpeg = small_jpeg(false);
    unsigned char *frame = jpeg.bytes;
    while (frame[0] != 0xFF || frame[1] != 0xC0)
        frame++;
    static const struct {
        unsigned height, width;
        const char *words;
    } sizes[] = {{0, 4, "4 pixels wide and 0 high"},
                 {4, 0, "0 pixels wide and 4 high"},
                 {16000, 16000, "cut short"}};
    dlz_image image;
    for (int i = 0; i < 3; i++) {
        for (int byte = 0; byte < 4; byte++) {
            png.bytes[16 + byte] = (unsigned char)(sizes[i].width >> 8 * (3 - byte));
            png.bytes[20 + byte] = (unsigned char)(sizes[i].height >> 8 * (3 - byte));
        }
        for (int byte = 0; byte < 2; byte++) {
            frame[5 + byte] = (unsigned char)(sizes[i].height >> 8 * (1 - byte));
            frame[7 + byte] = (unsigned char)(sizes[i].width >> 8 * (1 - byte));
        }
        ck_fails(read_image(png, 255, &image), DLVIZ_ERROR_FORMAT, sizes[i].words);
        ck_fails(read_image(jpeg, 255, &image), DLVIZ_ERROR_FORMAT, sizes[i].words);
    }
    memset(png.bytes + 16, 0x7F, 8);
    ck_fails(read_image(png, 255, &image), DLVIZ_ERROR_FORMAT, "at most 65535 each way");
    free(png.bytes);
    free(jpeg.bytes);
}
END_TEST

START_TEST(what_is_refused) {
    uint8_t values[TALL * WIDE * 3];
    fill_blocks(3, values);
    image_file file = make_jpeg(
        &(jpeg_kind){.height = TALL, .width = WIDE, .channels = 3, .arithmetic = true}, values);
    dlz_image image;
    ck_fails(read_image(file, 255, &image), DLVIZ_ERROR_FORMAT, "Huffman coding is accepted");
    free(file.bytes);
}
END_TEST

/* A byte of the pixels changed is found by the checksum of a PNG. */
START_TEST(a_png_with_a_wrong_byte) {
    image_file file = pattern_png(9, 7, 3, 1);
    dlz_image image;
    file.bytes[60] ^= 1;
    ck_fails(read_image(file, 255, &image), DLVIZ_ERROR_FORMAT, "libpng says");
    free(file.bytes);
}
END_TEST

static dlviz_status read_one(void *context) {
    const image_file *file = context;
    dlz_image image;
    dlz_image_bytes bytes = {.name = "it", .bytes = file->bytes, .size = file->size};
    dlviz_status status = dlz_image_read_memory(&bytes, 255, &image);
    dlz_image_release(&image);
    return status;
}

START_TEST(without_memory) {
    uint8_t values[TALL * WIDE * 4];
    fill_blocks(4, values);
    uint16_t wide[PIXELS * 4];
    for (int i = 0; i < PIXELS * 4; i++)
        wide[i] = value_at(i, 16);
    image_file files[] = {
        make_png(&(png_kind){.height = HEIGHT,
                             .width = WIDTH,
                             .bits = 16,
                             .color_type = PNG_COLOR_TYPE_RGB_ALPHA,
                             .interlaced = true},
                 wide),
        make_jpeg(&(jpeg_kind){.height = TALL, .width = WIDE, .channels = 4, .orientation = 6},
                  values)};
    for (int i = 0; i < 2; i++) {
        ck_assert_int_gt(fail_each_allocation(read_one, &files[i]), 1);
        free(files[i].bytes);
    }
}
END_TEST

int main(void) {
    return run_tests("image_formats",
                     (const TTest *const[]){
                         every_png, palettes, one_transparent_color, sixteen_bits_are_rounded,
                         every_jpeg, orientations, exif_that_is_none, files_that_are_cut_short,
                         files_that_are_none, sizes_that_are_not_there, what_is_refused,
                         a_png_with_a_wrong_byte, without_memory, NULL});
}
