#include "support/images.h"
#include "support/valid_files.h"

#include <errno.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <jpeglib.h>

/* -- PNG -----------------------------------------------------------------------------------------
 */

static void append(png_structp png, png_bytep bytes, size_t size) {
    image_file *file = png_get_io_ptr(png);
    file->bytes = realloc(file->bytes, file->size + size);
    memcpy(file->bytes + file->size, bytes, size);
    file->size += size;
}

static int samples_of(int color_type) {
    static const int numbers[] = {[PNG_COLOR_TYPE_GRAY] = 1,
                                  [PNG_COLOR_TYPE_RGB] = 3,
                                  [PNG_COLOR_TYPE_PALETTE] = 1,
                                  [PNG_COLOR_TYPE_GRAY_ALPHA] = 2,
                                  [PNG_COLOR_TYPE_RGB_ALPHA] = 4};
    return numbers[color_type];
}

/* A row as the file has it: the first sample in the highest bits. */
static void pack(const uint16_t *values, int64_t count, int bits, unsigned char *row) {
    memset(row, 0, (size_t)(count * bits + 7) / 8);
    for (int64_t i = 0; i < count; i++)
        if (bits == 16) {
            row[2 * i] = (unsigned char)(values[i] >> 8);
            row[2 * i + 1] = (unsigned char)values[i];
        } else {
            int64_t at = i * bits;
            row[at / 8] = (unsigned char)(row[at / 8] | values[i] << (8 - bits - at % 8));
        }
}

static void set_colors(png_structp png, png_infop info, const png_kind *kind) {
    png_color colors[256];
    for (int i = 0; i < kind->num_colors; i++)
        colors[i] =
            (png_color){kind->colors[3 * i], kind->colors[3 * i + 1], kind->colors[3 * i + 2]};
    if (kind->num_colors > 0)
        png_set_PLTE(png, info, colors, kind->num_colors);
    if (kind->num_alphas > 0)
        png_set_tRNS(png, info, (png_bytep)kind->alphas, kind->num_alphas, NULL);
    if (!kind->transparent)
        return;
    const uint16_t *t = kind->transparent;
    bool color = kind->color_type == PNG_COLOR_TYPE_RGB;
    png_color_16 one = {.red = t[0], .green = t[color], .blue = t[2 * color], .gray = t[0]};
    png_set_tRNS(png, info, NULL, 0, &one);
}

image_file make_png(const png_kind *kind, const uint16_t *values) {
    image_file file = {NULL, 0};
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    int64_t count = kind->width * samples_of(kind->color_type);
    unsigned char **rows = malloc((size_t)kind->height * sizeof *rows);
    for (int64_t y = 0; y < kind->height; y++) {
        rows[y] = malloc((size_t)count * 2);
        pack(values + y * count, count, kind->bits, rows[y]);
    }
    png_set_write_fn(png, &file, append, NULL);
    png_set_IHDR(png, info, (png_uint_32)kind->width, (png_uint_32)kind->height, kind->bits,
                 kind->color_type, kind->interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    set_colors(png, info, kind);
    png_write_info(png, info);
    png_write_image(png, rows);
    png_write_end(png, info);
    png_destroy_write_struct(&png, &info);
    for (int64_t y = 0; y < kind->height; y++)
        free(rows[y]);
    free(rows);
    return file;
}

/* -- JPEG ----------------------------------------------------------------------------------------
 */

static unsigned char *put_number(unsigned char *to, unsigned value, int size, bool little) {
    for (int i = 0; i < size; i++)
        to[little ? i : size - 1 - i] = (unsigned char)(value >> 8 * i);
    return to + size;
}

/* Two entries, of which the second is the orientation. */
static void write_exif(struct jpeg_compress_struct *jpeg, const jpeg_kind *kind) {
    unsigned char exif[64] = "Exif\0", *at = exif + 6;
    bool little = kind->little;
    memcpy(at, little ? "II" : "MM", 2);
    at = put_number(at + 2, 42, 2, little);
    at = put_number(at, 8, 4, little);
    at = put_number(at, 2, 2, little);
    unsigned entries[2][4] = {{0x0103, 3, 1, 6}, {0x0112, 3, 1, (unsigned)kind->orientation}};
    for (int i = 0; i < 2; i++) {
        at = put_number(at, entries[i][0], 2, little);
        at = put_number(at, entries[i][1], 2, little);
        at = put_number(at, entries[i][2], 4, little);
        at = put_number(at, entries[i][3], 2, little);
        at = put_number(at, 0, 2, little);
    }
    at = put_number(at, 0, 4, little);
    jpeg_write_marker(jpeg, JPEG_APP0 + 1, exif, (unsigned)(at - exif));
}

static void set_colorspace(struct jpeg_compress_struct *jpeg, const jpeg_kind *kind) {
    jpeg->input_components = kind->channels;
    jpeg->in_color_space = kind->channels == 1   ? JCS_GRAYSCALE
                           : kind->channels == 3 ? JCS_RGB
                                                 : JCS_CMYK;
    jpeg_set_defaults(jpeg);
    if (kind->ycck)
        jpeg_set_colorspace(jpeg, JCS_YCCK);
    jpeg_set_quality(jpeg, 100, TRUE);
    for (int i = 0; i < jpeg->num_components; i++)
        jpeg->comp_info[i].h_samp_factor = jpeg->comp_info[i].v_samp_factor = 1;
    if (kind->progressive)
        jpeg_simple_progression(jpeg);
    jpeg->arith_code = kind->arithmetic;
    if (kind->channels == 4)
        jpeg->write_Adobe_marker = !kind->without_adobe;
}

image_file make_jpeg(const jpeg_kind *kind, const uint8_t *values) {
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    unsigned char *bytes = NULL;
    unsigned long size = 0;
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    jpeg_mem_dest(&jpeg, &bytes, &size);
    jpeg.image_width = (JDIMENSION)kind->width;
    jpeg.image_height = (JDIMENSION)kind->height;
    set_colorspace(&jpeg, kind);
    jpeg_start_compress(&jpeg, TRUE);
    if (kind->orientation)
        write_exif(&jpeg, kind);
    while (jpeg.next_scanline < jpeg.image_height) {
        JSAMPROW row =
            (uint8_t *)values + (int64_t)jpeg.next_scanline * kind->width * kind->channels;
        jpeg_write_scanlines(&jpeg, &row, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    return (image_file){bytes, (size_t)size};
}

/* -- Files ---------------------------------------------------------------------------------------
 */

static void make_folders(const char *path) {
    char part[4096];
    for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        snprintf(part, sizeof part, "%.*s", (int)(slash - path), path);
        ck_assert(mkdir(part, 0777) == 0 || errno == EEXIST);
    }
}

void put_image(const char *name, image_file file) {
    make_folders(scratch_path(name));
    write_file(scratch_path(name), file.bytes, file.size);
    free(file.bytes);
}

void put_text(const char *name, const char *text) {
    make_folders(scratch_path(name));
    write_file(scratch_path(name), text, strlen(text));
}

uint8_t pattern_value(uint64_t seed, int64_t y, int64_t x, int64_t channel) {
    uint64_t mixed = (uint64_t)(y * 31 + x * 17 + channel * 101) + seed * 0x9E3779B97F4A7C15u;
    mixed ^= mixed >> 29;
    mixed *= 0xBF58476D1CE4E5B9u;
    return (uint8_t)(mixed >> 40);
}

image_file pattern_png(int64_t height, int64_t width, int channels, uint64_t seed) {
    uint16_t *values = malloc((size_t)(height * width * channels) * sizeof *values), *to = values;
    for (int64_t y = 0; y < height; y++)
        for (int64_t x = 0; x < width; x++)
            for (int c = 0; c < channels; c++)
                *to++ = pattern_value(seed, y, x, c);
    png_kind kind = {.height = height,
                     .width = width,
                     .bits = 8,
                     .color_type = channels == 1 ? PNG_COLOR_TYPE_GRAY : PNG_COLOR_TYPE_RGB};
    image_file file = make_png(&kind, values);
    free(values);
    return file;
}

/* -- Samples -------------------------------------------------------------------------------------
 */

enum { SMALL = 9 };

static void fill_values(uint16_t *values, int count, int bits) {
    for (int i = 0; i < count; i++)
        values[i] = (uint16_t)((i * 40503 + i / 3) & ((1 << bits) - 1));
}

void make_pngs(samples *to) {
    static const uint8_t colors[] = {1, 2, 3, 200, 100, 0, 9, 9, 9, 255, 0, 255},
                         alphas[] = {0, 99};
    static const uint16_t transparent[] = {3, 0, 0};
    const png_kind kinds[] = {
        {.bits = 1, .color_type = PNG_COLOR_TYPE_GRAY},
        {.bits = 4, .color_type = PNG_COLOR_TYPE_GRAY, .transparent = transparent},
        {.bits = 16, .color_type = PNG_COLOR_TYPE_GRAY_ALPHA, .interlaced = true},
        {.bits = 8, .color_type = PNG_COLOR_TYPE_RGB},
        {.bits = 8, .color_type = PNG_COLOR_TYPE_RGB_ALPHA, .interlaced = true},
        {.bits = 2, .color_type = PNG_COLOR_TYPE_PALETTE, .num_colors = 4, .colors = colors},
        {.bits = 2,
         .color_type = PNG_COLOR_TYPE_PALETTE,
         .num_colors = 4,
         .colors = colors,
         .num_alphas = 2,
         .alphas = alphas},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        uint16_t values[SMALL * SMALL * 4];
        png_kind kind = kinds[i];
        kind.height = kind.width = SMALL;
        fill_values(values, SMALL * SMALL * samples_of(kind.color_type), kind.bits);
        image_file file = make_png(&kind, values);
        keep_sample(to, file.bytes, file.size);
    }
}

void make_jpegs(samples *to) {
    const jpeg_kind kinds[] = {
        {.channels = 1},
        {.channels = 3, .orientation = 6},
        {.channels = 3, .progressive = true, .orientation = 3, .little = true},
        {.channels = 4},
        {.channels = 4, .ycck = true, .progressive = true},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        uint8_t values[SMALL * SMALL * 4];
        for (int j = 0; j < SMALL * SMALL * 4; j++)
            values[j] = (uint8_t)(j * 7);
        jpeg_kind kind = kinds[i];
        kind.height = kind.width = SMALL;
        image_file file = make_jpeg(&kind, values);
        keep_sample(to, file.bytes, file.size);
    }
}
