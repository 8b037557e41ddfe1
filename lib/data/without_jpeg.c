/* In place of image_jpeg.c in a build without libjpeg: files are known for what they are, and not read. */
#include "data/image.h"

#include <string.h>

static bool is_jpeg(const dlz_image_bytes *file) {
    return file->size >= 3 && memcmp(file->bytes, "\xFF\xD8\xFF", 3) == 0;
}

const dlz_image_format dlz_image_jpeg = {
    .name = "JPEG", .library = "libjpeg", .number = DLVIZ_IMAGE_FORMAT_JPEG, .is = is_jpeg};
