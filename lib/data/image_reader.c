/* Settings of reading image files, and the list of what was skipped. */
#include "data/image_reader.h"
#include "data/image.h"
#include "data/transform.h"

#include <string.h>

void dlz_image_reader_init(dlviz_image_reader *reader) {
    *reader = (dlviz_image_reader){.background = 255, .fit = DLVIZ_IMAGE_FIT_CROP};
}

dlviz_status dlviz_image_reader_create(dlviz_image_reader **out) {
    DLZ_REQUIRE_OUT(out);
    dlviz_image_reader *reader = dlz_alloc(sizeof *reader);
    if (!reader)
        return dlz_fail_memory("an image reader", sizeof *reader);
    dlz_image_reader_init(reader);
    *out = reader;
    return DLVIZ_OK;
}

void dlviz_image_reader_destroy(dlviz_image_reader *reader) {
    if (reader)
        dlz_image_reader_forget(reader);
    dlz_free(reader);
}

/* -- Settings ------------------------------------------------------------------------------------
 */

dlviz_status dlviz_image_reader_set_size(dlviz_image_reader *reader, int64_t height,
                                         int64_t width) {
    DLZ_REQUIRE(reader);
    DLZ_HOLD_ALONE(&reader->busy, "image reader");
    bool own = height == 0 && width == 0;
    if (!own &&
        (height < 1 || width < 1 || height > DLZ_MAX_IMAGE_SIZE || width > DLZ_MAX_IMAGE_SIZE))
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: %lld x %lld; 1 to %d each way are accepted, and 0 x 0 for the images' "
                        "own size",
                        __func__, (long long)height, (long long)width, DLZ_MAX_IMAGE_SIZE);
    reader->height = height;
    reader->width = width;
    return DLVIZ_OK;
}

void dlviz_image_reader_size(const dlviz_image_reader *reader, int64_t *height, int64_t *width) {
    if (height)
        *height = reader ? reader->height : 0;
    if (width)
        *width = reader ? reader->width : 0;
}

dlviz_status dlviz_image_reader_set_fit(dlviz_image_reader *reader, dlviz_image_fit fit) {
    DLZ_REQUIRE(reader);
    DLZ_HOLD_ALONE(&reader->busy, "image reader");
    if (fit != DLVIZ_IMAGE_FIT_STRETCH && fit != DLVIZ_IMAGE_FIT_CROP && fit != DLVIZ_IMAGE_FIT_PAD)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: %d is not DLVIZ_IMAGE_FIT_STRETCH, _CROP or _PAD", __func__, (int)fit);
    reader->fit = fit;
    return DLVIZ_OK;
}

dlviz_image_fit dlviz_image_reader_fit(const dlviz_image_reader *reader) {
    return reader ? reader->fit : DLVIZ_IMAGE_FIT_STRETCH;
}

dlviz_status dlviz_image_reader_set_num_channels(dlviz_image_reader *reader, int64_t num_channels) {
    DLZ_REQUIRE(reader);
    DLZ_HOLD_ALONE(&reader->busy, "image reader");
    if (num_channels != 0 && num_channels != 1 && num_channels != 3)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: %lld channels; 1 (gray) and 3 (color) are accepted, and 0 for what "
                        "the images have",
                        __func__, (long long)num_channels);
    reader->num_channels = num_channels;
    return DLVIZ_OK;
}

int64_t dlviz_image_reader_num_channels(const dlviz_image_reader *reader) {
    return reader ? reader->num_channels : 0;
}

dlviz_status dlviz_image_reader_set_background(dlviz_image_reader *reader, int64_t value) {
    DLZ_REQUIRE(reader);
    DLZ_HOLD_ALONE(&reader->busy, "image reader");
    if (value < 0 || value > 255)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: the background is %lld; 0 (black) to 255 (white) are accepted",
                        __func__, (long long)value);
    reader->background = value;
    return DLVIZ_OK;
}

int64_t dlviz_image_reader_background(const dlviz_image_reader *reader) {
    return reader ? reader->background : 0;
}

dlviz_status dlviz_image_reader_set_skip_unreadable(dlviz_image_reader *reader, bool skip) {
    DLZ_REQUIRE(reader);
    DLZ_HOLD_ALONE(&reader->busy, "image reader");
    reader->skips = skip;
    return DLVIZ_OK;
}

bool dlviz_image_reader_skips_unreadable(const dlviz_image_reader *reader) {
    return reader && reader->skips;
}

dlviz_status dlviz_image_reader_set_memory_limit(dlviz_image_reader *reader, int64_t num_bytes) {
    DLZ_REQUIRE(reader);
    DLZ_HOLD_ALONE(&reader->busy, "image reader");
    if (num_bytes < 0)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: %lld bytes; 1 or more are accepted, and 0 for no limit", __func__,
                        (long long)num_bytes);
    reader->memory_limit = num_bytes;
    return DLVIZ_OK;
}

int64_t dlviz_image_reader_memory_limit(const dlviz_image_reader *reader) {
    return reader ? reader->memory_limit : 0;
}

/* -- What was skipped ----------------------------------------------------------------------------
 */

dlviz_status dlz_image_reader_skip(dlviz_image_reader *reader, const char *path) {
    const char *reason = dlviz_last_error();
    if (reader->num_skipped == reader->skipped_room) {
        int64_t room = reader->skipped_room ? 2 * reader->skipped_room : 16;
        dlz_skipped *larger =
            dlz_realloc_array(reader->skipped, (uint64_t)room, sizeof *reader->skipped);
        if (!larger)
            return dlz_fail_memory("a list of files", (uint64_t)room * sizeof *larger);
        reader->skipped = larger;
        reader->skipped_room = room;
    }
    size_t length = strlen(path) + 1, size = length + strlen(reason) + 1;
    char *text = dlz_alloc(size);
    if (!text)
        return dlz_fail_memory("a list of files", size);
    dlz_skipped *one = &reader->skipped[reader->num_skipped++];
    one->path = memcpy(text, path, length);
    one->reason = memcpy(text + length, reason, size - length);
    return DLVIZ_OK;
}

void dlz_image_reader_forget(dlviz_image_reader *reader) {
    for (int64_t i = 0; i < reader->num_skipped; i++)
        dlz_free(reader->skipped[i].path);
    dlz_free(reader->skipped);
    reader->skipped = NULL;
    reader->num_skipped = reader->skipped_room = 0;
}

int64_t dlviz_image_reader_num_skipped(const dlviz_image_reader *reader) {
    return reader ? reader->num_skipped : 0;
}

const char *dlviz_image_reader_skipped_path(const dlviz_image_reader *reader, int64_t index) {
    return index >= 0 && index < dlviz_image_reader_num_skipped(reader)
               ? reader->skipped[index].path
               : NULL;
}

const char *dlviz_image_reader_skipped_reason(const dlviz_image_reader *reader, int64_t index) {
    return index >= 0 && index < dlviz_image_reader_num_skipped(reader)
               ? reader->skipped[index].reason
               : NULL;
}
