/* Which way up an image is, as cameras note it in a JPEG's EXIF segment (CIPA DC-008, tag 0x0112). */
#include "data/image.h"

#include <string.h>

enum { ORIENTATION = 0x0112, SHORT = 3, ENTRY_SIZE = 12 };

/* A number of a TIFF structure, in the order of bytes that its first two say. */
static unsigned number_at(const unsigned char *tiff, size_t at, int size, bool little) {
    unsigned number = 0;
    for (int i = 0; i < size; i++)
        number = number << 8 | tiff[at + (size_t)(little ? size - 1 - i : i)];
    return number;
}

int dlz_exif_orientation(const unsigned char *tiff, size_t size) {
    if (size < 8 || (memcmp(tiff, "II*\0", 4) != 0 && memcmp(tiff, "MM\0*", 4) != 0))
        return 1;
    bool little = tiff[0] == 'I';
    size_t at = number_at(tiff, 4, 4, little);
    if (at > size - 2)
        return 1;
    size_t count = number_at(tiff, at, 2, little);
    for (at += 2; count > 0 && size - at >= ENTRY_SIZE; count--, at += ENTRY_SIZE) {
        if (number_at(tiff, at, 2, little) != ORIENTATION)
            continue;
        unsigned value = number_at(tiff, at + 8, 2, little);
        bool valid = number_at(tiff, at + 2, 2, little) == SHORT && value >= 1 && value <= 8;
        return valid ? (int)value : 1;
    }
    return 1;
}

bool dlz_orientation_is_transposed(int orientation) {
    return orientation >= 5;
}

/* Where the upright image's pixels lie among those that are stored: its first one, and how far it is from
 * one to that below, and to the right. */
typedef struct turning {
    int64_t start, down, right;
} turning;

/* 1 to 4 say at which side the stored first row is, top or bottom, and at which the first column, left
 * or right. 5 to 8 say so of rows that are the upright image's columns. */
static turning turning_of(const dlz_image *image, int orientation) {
    bool transposed = dlz_orientation_is_transposed(orientation);
    bool last_row = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
    bool last_column = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
    int64_t row = last_row ? -image->width : image->width, column = last_column ? -1 : 1;
    return (turning){.start = (last_row ? image->height - 1 : 0) * image->width +
                              (last_column ? image->width - 1 : 0),
                     .down = transposed ? column : row,
                     .right = transposed ? row : column};
}

dlviz_status dlz_image_turn(dlz_image *image, int orientation) {
    turning from = turning_of(image, orientation);
    bool transposed = dlz_orientation_is_transposed(orientation);
    dlz_image turned = {.height = transposed ? image->width : image->height,
                        .width = transposed ? image->height : image->width,
                        .channels = image->channels};
    uint64_t pixels = (uint64_t)(image->height * image->width);
    turned.pixels = dlz_alloc_array(pixels, (uint64_t)image->channels);
    if (!turned.pixels)
        return dlz_fail_memory("an image", pixels * (uint64_t)image->channels);
    uint8_t *to = turned.pixels;
    for (int64_t y = 0; y < turned.height; y++)
        for (int64_t x = 0; x < turned.width; x++) {
            const uint8_t *pixel =
                image->pixels + (from.start + y * from.down + x * from.right) * image->channels;
            for (int64_t c = 0; c < image->channels; c++)
                *to++ = pixel[c];
        }
    dlz_free(image->pixels);
    *image = turned;
    return DLVIZ_OK;
}
