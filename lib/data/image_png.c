/* PNG, through libpng. */
#include "data/image.h"

#include <assert.h>
#include <png.h>
#include <setjmp.h>
#include <string.h>

enum {
    SIGNATURE_SIZE = 8,
    CHUNK_SIZE = 12,       /* of an empty one */
    HEADER_END = 29,       /* signature, length, "IHDR", height, width and five bytes */
    GREATEST_RATIO = 1032, /* of deflate: 258 bytes from two bits */
    MOST_CHUNK = 8 << 20   /* of a chunk that is no image data */
};

static bool is_png(const dlz_image_bytes *file) {
    return file->size >= SIGNATURE_SIZE && png_sig_cmp(file->bytes, 0, SIGNATURE_SIZE) == 0;
}

static dlviz_status cut_short(const dlz_image_bytes *file) {
    return dlz_fail(DLVIZ_ERROR_FORMAT, "'%s' is cut short within a chunk", file->name);
}

/* How many numbers a pixel is in the file, by its color type; 0 for none that there is. */
static int samples_of(int color_type) {
    switch (color_type) {
    case PNG_COLOR_TYPE_GRAY:
    case PNG_COLOR_TYPE_PALETTE:
        return 1;
    case PNG_COLOR_TYPE_GRAY_ALPHA:
        return 2;
    case PNG_COLOR_TYPE_RGB:
        return 3;
    case PNG_COLOR_TYPE_RGB_ALPHA:
        return 4;
    default:
        return 0;
    }
}

static dlviz_status read_header(const dlz_image_bytes *file, dlz_image_header *header) {
    const unsigned char *bytes = file->bytes;
    if (file->size < HEADER_END)
        return cut_short(file);
    int color_type = bytes[25];
    if (memcmp(bytes + 12, "IHDR", 4) != 0 || samples_of(color_type) == 0)
        return dlz_fail(DLVIZ_ERROR_FORMAT, "'%s' is damaged: its header is none of a PNG",
                        file->name);
    *header = (dlz_image_header){.height = png_get_uint_32(bytes + 20),
                                 .width = png_get_uint_32(bytes + 16),
                                 .channels = color_type & PNG_COLOR_MASK_COLOR ? 3 : 1,
                                 .orientation = 1,
                                 .coarse = bytes[24] < 8 || color_type == PNG_COLOR_TYPE_PALETTE};
    return DLVIZ_OK;
}

/* The bytes of all image data, as far as the file has whole chunks. */
static int64_t data_size(const dlz_image_bytes *file) {
    int64_t sum = 0;
    for (size_t at = SIGNATURE_SIZE; file->size - at >= CHUNK_SIZE;) {
        const unsigned char *chunk = file->bytes + at;
        size_t length = png_get_uint_32(chunk);
        if (length > file->size - at - CHUNK_SIZE)
            break;
        if (memcmp(chunk + 4, "IDAT", 4) == 0)
            sum += (int64_t)length;
        at += length + CHUNK_SIZE;
    }
    return sum;
}

static int64_t most_pixels(const dlz_image_bytes *file) {
    assert(samples_of(file->bytes[25]) > 0); /* which reading the header has made sure of */
    int64_t bits = dlz_max_i64(file->bytes[24], 1) * samples_of(file->bytes[25]);
    return data_size(file) * GREATEST_RATIO * 8 / bits;
}

/* -- libpng --------------------------------------------------------------------------------------
 */

typedef struct decoder {
    const dlz_image_bytes *file;
    size_t used;
    png_structp png;
    png_infop info;
    dlviz_status status;
} decoder;

static png_voidp allocate(png_structp png, png_alloc_size_t size) {
    (void)png;
    return dlz_alloc(size);
}

static void release(png_structp png, png_voidp block) {
    (void)png;
    dlz_free(block);
}

/* libpng says "Insufficient memory", "Out of memory" or the like. */
static void fail(png_structp png, png_const_charp reason) {
    decoder *d = png_get_error_ptr(png);
    if (d->status == DLVIZ_OK)
        d->status = strstr(reason, "memory")
                        ? dlz_fail_memory("reading a PNG", 0)
                        : dlz_fail(DLVIZ_ERROR_FORMAT, "'%s' is damaged: libpng says '%s'",
                                   d->file->name, reason);
    png_longjmp(png, 1);
}

static void pass_over(png_structp png, png_const_charp warning) {
    (void)png;
    (void)warning;
}

static void read_bytes(png_structp png, png_bytep to, size_t size) {
    decoder *d = png_get_io_ptr(png);
    if (size > d->file->size - d->used) {
        d->status = cut_short(d->file);
        png_error(png, "");
    }
    memcpy(to, d->file->bytes + d->used, size);
    d->used += size;
}

/* Chunks that do not change pixels are not even looked at: compressed ones may be anything. */
static void set_limits(png_structp png) {
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
    png_set_user_limits(png, DLZ_IMAGE_MAX_SIDE, DLZ_IMAGE_MAX_SIDE);
    png_set_chunk_malloc_max(png, MOST_CHUNK);
}

/* 8 bits of gray, gray and alpha, RGB, or RGB and alpha. */
static void set_transforms(png_structp png) {
    png_set_expand(png);
    png_set_scale_16(png);
}

/* All that may jump, and nothing that a jump could leave undone. Returns the samples of a pixel, 0 after
 * a failure. */
static int decode_pixels(decoder *d, dlz_image *image) {
    png_structp png = d->png;
    if (setjmp(png_jmpbuf(png)))
        return 0;
    png_set_read_fn(png, d, read_bytes);
    set_limits(png);
    png_read_info(png, d->info);
    set_transforms(png);
    int passes = png_set_interlace_handling(png);
    png_read_update_info(png, d->info);
    int samples = png_get_channels(png, d->info);
    size_t row = png_get_rowbytes(png, d->info);
    bool alpha = samples == (int)image->channels + 1;
    if ((samples != (int)image->channels && !alpha) || row != (size_t)(image->width * samples))
        png_error(png, "rows of another length");
    if (alpha) { /* needs room in the image until it is taken out */
        dlz_free(image->pixels);
        image->pixels = dlz_alloc_array((uint64_t)image->height, row);
    }
    if (!image->pixels)
        png_error(png, "out of memory");
    for (int pass = 0; pass < passes; pass++)
        for (int64_t y = 0; y < image->height; y++)
            png_read_row(png, image->pixels + (size_t)y * row, NULL);
    png_read_end(png, NULL);
    return samples;
}

/* -- Alpha ---------------------------------------------------------------------------------------
 */

static uint8_t blend(int color, int alpha, int background) {
    return (uint8_t)((color * alpha + background * (255 - alpha) + 127) / 255);
}

/* Takes out the alpha behind each pixel's channels, in place: a block for the result, which may be large,
 * is not needed. */
static void lay_on_background(int background, const dlz_image *image) {
    const uint8_t *from = image->pixels;
    uint8_t *to = image->pixels;
    for (int64_t i = 0; i < image->height * image->width; i++) {
        for (int64_t c = 0; c < image->channels; c++)
            *to++ = blend(from[c], from[image->channels], background);
        from += image->channels + 1;
    }
}

static dlviz_status decode(const dlz_image_bytes *file, int background, dlz_image *image) {
    decoder d = {.file = file};
    d.png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, &d, fail, pass_over, NULL, allocate,
                                     release);
    if (!d.png)
        return d.status != DLVIZ_OK ? d.status : dlz_fail_memory("reading a PNG", 0);
    d.info = png_create_info_struct(d.png);
    int samples = d.info ? decode_pixels(&d, image) : 0;
    if (samples == (int)image->channels + 1)
        lay_on_background(background, image);
    png_destroy_read_struct(&d.png, &d.info, NULL);
    if (samples == 0 && d.status == DLVIZ_OK)
        return dlz_fail_memory("reading a PNG", 0);
    return d.status;
}

const dlz_image_format dlz_image_png = {.name = "PNG",
                                        .library = "libpng",
                                        .number = DLVIZ_IMAGE_FORMAT_PNG,
                                        .is = is_png,
                                        .read_header = read_header,
                                        .most_pixels = most_pixels,
                                        .decode = decode};
