/* Which formats there are, and what holds for all of them. */
#include "data/image.h"

static const dlz_image_format *const formats[] = {&dlz_image_png, &dlz_image_jpeg};
enum { NUM_FORMATS = sizeof formats / sizeof *formats };

bool dlviz_images_supported(dlviz_image_format format) {
    for (int i = 0; i < NUM_FORMATS; i++)
        if (formats[i]->number == format)
            return formats[i]->decode != NULL;
    return false;
}

/* NULL, with a sentence, where it is none. */
static const dlz_image_format *find_format(const dlz_image_bytes *file) {
    for (int i = 0; i < NUM_FORMATS; i++)
        if (formats[i]->is(file))
            return formats[i];
    dlz_fail(DLVIZ_ERROR_FORMAT, "'%s' is no image that the library knows: PNG or JPEG",
             file->name);
    return NULL;
}

static dlviz_status check_header(const dlz_image_bytes *file, const dlz_image_header *header) {
    int64_t height = header->height, width = header->width;
    if (height < 1 || width < 1)
        return dlz_fail(DLVIZ_ERROR_FORMAT, "'%s' is damaged: it is %lld pixels wide and %lld high",
                        file->name, (long long)width, (long long)height);
    if (height > DLZ_IMAGE_MAX_SIDE || width > DLZ_IMAGE_MAX_SIDE ||
        height * width > DLZ_IMAGE_MAX_PIXELS)
        return dlz_fail(DLVIZ_ERROR_FORMAT,
                        "'%s' is %lld pixels wide and %lld high; at most %d each way, and %lld in "
                        "all, are accepted",
                        file->name, (long long)width, (long long)height, DLZ_IMAGE_MAX_SIDE,
                        (long long)DLZ_IMAGE_MAX_PIXELS);
    return DLVIZ_OK;
}

/* That the library is missing is no fault of the file's, and has a status of its own. */
static dlviz_status read_header(const dlz_image_format *format, const dlz_image_bytes *file,
                                dlz_image_header *header) {
    if (!format)
        return DLVIZ_ERROR_FORMAT;
    if (!format->decode)
        return dlz_fail(DLVIZ_ERROR_UNSUPPORTED,
                        "'%s' is a %s, which this build of libdlviz does not read: it was built "
                        "without %s",
                        file->name, format->name, format->library);
    DLZ_TRY(format->read_header(file, header));
    return check_header(file, header);
}

dlviz_status dlz_image_read_header(const dlz_image_bytes *file, dlz_image_header *header) {
    return read_header(find_format(file), file, header);
}

dlviz_status dlz_image_read_memory(const dlz_image_bytes *file, int background, dlz_image *image) {
    const dlz_image_format *format = find_format(file);
    dlz_image_header header;
    *image = (dlz_image){.pixels = NULL};
    DLZ_TRY(read_header(format, file, &header));
    if (header.height * header.width > format->most_pixels(file))
        return dlz_fail(DLVIZ_ERROR_FORMAT,
                        "'%s' is cut short: it is %lld pixels wide and %lld high, which need more",
                        file->name, (long long)header.width, (long long)header.height);
    *image =
        (dlz_image){.height = header.height, .width = header.width, .channels = header.channels};
    uint64_t size = (uint64_t)(header.height * header.width);
    image->pixels = dlz_alloc_array(size, (uint64_t)header.channels);
    if (!image->pixels)
        return dlz_fail_memory("an image", size * (uint64_t)header.channels);
    dlviz_status status = format->decode(file, background, image);
    if (status == DLVIZ_OK && header.orientation != 1)
        status = dlz_image_turn(image, header.orientation);
    if (status != DLVIZ_OK)
        dlz_image_release(image);
    return status;
}

void dlz_image_release(dlz_image *image) {
    dlz_free(image->pixels);
    *image = (dlz_image){.pixels = NULL};
}
