/* support/images.h - image files of every kind, written by libpng and libjpeg themselves. */
#ifndef DLZ_TESTS_IMAGES_H
#define DLZ_TESTS_IMAGES_H

#include "support/support.h"

/* A file in memory: free(). */
typedef struct image_file {
    unsigned char *bytes;
    size_t size;
} image_file;

/* What a PNG is. `values`: height x width x samples, each of `bits` bits; color types are libpng's. */
typedef struct png_kind {
    int64_t height, width;
    int bits, color_type;
    bool interlaced;
    int num_colors; /* of a palette: red, green, blue of each */
    const uint8_t *colors;
    int num_alphas; /* of the first colors of a palette */
    const uint8_t *alphas;
    const uint16_t *transparent; /* the one color that is, of the file's samples; or NULL */
} png_kind;

image_file make_png(const png_kind *kind, const uint16_t *values);

/* What a JPEG is: 1, 3 or 4 channels (gray, RGB, CMYK as Adobe's programs keep it), without subsampling. */
typedef struct jpeg_kind {
    int64_t height, width;
    int channels;
    bool progressive, ycck, arithmetic;
    int orientation;    /* 0: no EXIF */
    bool little;        /* EXIF in Intel's order of bytes */
    bool without_adobe; /* CMYK that does not say so: inks as they are */
} jpeg_kind;

image_file make_jpeg(const jpeg_kind *kind, const uint8_t *values);

/* Writes to a file in the scratch folder, whose folders are made, and frees it. */
void put_image(const char *name, image_file file);
/* A PNG of one color (gray, or RGB where channels are 3) with a pattern in it, a function of (size, seed). */
image_file pattern_png(int64_t height, int64_t width, int channels, uint64_t seed);
/* A pixel of that pattern. */
uint8_t pattern_value(uint64_t seed, int64_t y, int64_t x, int64_t channel);
/* Text in a file of the scratch folder. */
void put_text(const char *name, const char *text);

#endif
