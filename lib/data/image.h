/* data/image.h - images as files have them, and as samples. A format is a file of its own (image_<format>.c)
 * and a line in the list in image.c. */
#ifndef DLZ_DATA_IMAGE_H
#define DLZ_DATA_IMAGE_H

#include "base/base.h"

#include <dlviz/dataset_files.h>

/* The most of what is decoded: JPEG's own limit, and what a photograph does not have. */
#define DLZ_IMAGE_MAX_SIDE 65535
#define DLZ_IMAGE_MAX_PIXELS (INT64_C(1) << 28)

/* What a file says of its image before anything is decoded. */
typedef struct dlz_image_header {
    int64_t height, width; /* as decoded: not turned yet */
    int64_t channels;      /* 1: gray, 3: color */
    int orientation;       /* EXIF's: 1 to 8, 1 is upright */
    bool coarse;           /* of less than 8 bits a channel, or of a palette */
} dlz_image_header;

/* Pixel by pixel, the channels of each side by side. */
typedef struct dlz_image {
    int64_t height, width, channels;
    uint8_t *pixels; /* dlz_free */
} dlz_image;

/* Bytes that sentences call `name`. */
typedef struct dlz_image_bytes {
    const char *name;
    const unsigned char *bytes;
    size_t size;
} dlz_image_bytes;

typedef struct dlz_image_format {
    const char *name, *library;
    dlviz_image_format number;
    bool (*is)(const dlz_image_bytes *file);
    /* Fails with DLVIZ_ERROR_FORMAT also where the bytes end before the header does. */
    dlviz_status (*read_header)(const dlz_image_bytes *file, dlz_image_header *header);
    /* No file of so many bytes has more, and so none needs memory for more. */
    int64_t (*most_pixels)(const dlz_image_bytes *file);
    /* Fills image->pixels, whose room is there, in the header's shape; NULL in a build without the library.
     * `background` shows through. */
    dlviz_status (*decode)(const dlz_image_bytes *file, int background, dlz_image *image);
} dlz_image_format;

extern const dlz_image_format dlz_image_png, dlz_image_jpeg;

/* Fails where the library does not read such a file, or does not want one of such a size. */
dlviz_status dlz_image_read_header(const dlz_image_bytes *file, dlz_image_header *header);
/* The image, upright, in its own size and channels. After a failure there is none. */
dlviz_status dlz_image_read_memory(const dlz_image_bytes *file, int background, dlz_image *image);
void dlz_image_release(dlz_image *image);

/* -- Orientation -------------------------------------------------------------------------------- */

/* That of the TIFF structure that an EXIF segment holds; 1 where there is none, or no valid one. */
int dlz_exif_orientation(const unsigned char *tiff, size_t size);
/* Whether height and width change places. */
bool dlz_orientation_is_transposed(int orientation);
/* Turns an image upright, in new memory. */
dlviz_status dlz_image_turn(dlz_image *image, int orientation);

/* -- Samples ------------------------------------------------------------------------------------ */

/* What all samples of a dataset are. */
typedef struct dlz_image_form {
    int64_t channels, height, width;
    dlviz_image_fit fit;
    int background;
} dlz_image_form;

/* Gray from color, or color from gray, in place or in new memory. */
dlviz_status dlz_image_set_channels(dlz_image *image, int64_t channels);
/* Writes a sample, channel by channel; the channels are those of the form. */
dlviz_status dlz_image_fit_to(const dlz_image *image, const dlz_image_form *form, uint8_t *sample);

#endif
