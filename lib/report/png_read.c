/* Of the bytes nothing is trusted: lengths, checksums and sizes are checked before they are used. */
#include "report/png.h"
#include "report/png_filter.h"

#include <string.h>
#include <zlib.h>

typedef struct reader {
    const uint8_t *bytes;
    size_t size, at;
    int64_t height, width;
    int kind, bits; /* as in the head */
    size_t num_colors;
    uint8_t palette[3 * 256];
    size_t first_data; /* where the first IDAT begins */
} reader;

static dlviz_status damaged(const char *what) {
    return dlz_fail(DLVIZ_ERROR_FORMAT, "the picture of the thumbnails %s", what);
}

static void *allocate(void *user, uInt count, uInt size) {
    (void)user;
    return dlz_alloc_array(count, size);
}

static void release(void *user, void *block) {
    (void)user;
    dlz_free(block);
}

static uint32_t number_at(const uint8_t *at) {
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* -- Chunks --------------------------------------------------------------------------------------
 */

typedef struct chunk {
    const uint8_t *name, *bytes;
    uint32_t size;
} chunk;

static dlviz_status next_chunk(reader *r, chunk *c) {
    size_t left = r->size - r->at;
    if (left < 12)
        return damaged("is cut short");
    c->size = number_at(r->bytes + r->at);
    if (c->size > left - 12)
        return damaged("is cut short");
    c->name = r->bytes + r->at + 4;
    c->bytes = c->name + 4;
    if (crc32(0, c->name, c->size + 4) != number_at(c->bytes + c->size))
        return damaged("is damaged: a checksum is wrong");
    r->at += (size_t)c->size + 12;
    return DLVIZ_OK;
}

static bool is(const chunk *c, const char *name) {
    return memcmp(c->name, name, 4) == 0;
}

static dlviz_status read_head(reader *r, uint64_t most) {
    chunk c = {0};
    DLZ_TRY(next_chunk(r, &c));
    if (!is(&c, "IHDR") || c.size != 13)
        return damaged("does not begin with its size");
    uint32_t width = number_at(c.bytes), height = number_at(c.bytes + 4);
    r->bits = c.bytes[8];
    r->kind = c.bytes[9];
    bool known = (r->kind == 0 && (r->bits == 4 || r->bits == 8)) ||
                 ((r->kind == 2 || r->kind == 3) && r->bits == 8);
    if (!known || c.bytes[10] || c.bytes[11] || c.bytes[12])
        return damaged("is of a kind that the library does not write");
    if (width == 0 || height == 0 || width > INT32_MAX || height > INT32_MAX ||
        (uint64_t)width * height > most)
        return dlz_fail(DLVIZ_ERROR_FORMAT,
                        "the picture of the thumbnails has %llu x %llu pixels, and there are %llu",
                        (unsigned long long)height, (unsigned long long)width,
                        (unsigned long long)most);
    r->width = width;
    r->height = height;
    return DLVIZ_OK;
}

/* Up to the data. */
static dlviz_status find_data(reader *r) {
    chunk c = {0};
    do {
        r->first_data = r->at;
        DLZ_TRY(next_chunk(r, &c));
        if (is(&c, "PLTE")) {
            if (c.size == 0 || c.size % 3 != 0 || c.size > sizeof r->palette)
                return damaged("has no valid palette");
            memcpy(r->palette, c.bytes, c.size);
            r->num_colors = c.size / 3;
        }
        if (is(&c, "IEND"))
            return damaged("has no data");
    } while (!is(&c, "IDAT"));
    return r->kind == 3 && r->num_colors == 0 ? damaged("has no palette") : DLVIZ_OK;
}

/* Gives the stream the next part of the data; false where there is none. */
static bool next_part(reader *r, z_stream *stream) {
    chunk c = {0};
    if (next_chunk(r, &c) != DLVIZ_OK || !is(&c, "IDAT"))
        return false;
    stream->next_in = (Bytef *)(uintptr_t)c.bytes;
    stream->avail_in = c.size;
    return true;
}

static dlviz_status fill(reader *r, z_stream *stream, uint8_t *to, size_t size) {
    stream->next_out = to;
    stream->avail_out = (uInt)size;
    while (stream->avail_out > 0) {
        if (stream->avail_in == 0 && !next_part(r, stream))
            return damaged("ends too soon");
        int result = inflate(stream, Z_NO_FLUSH);
        if (result == Z_MEM_ERROR)
            return dlz_fail_memory("the picture of the thumbnails", 0);
        if (result != Z_OK && result != Z_BUF_ERROR && result != Z_STREAM_END)
            return damaged("has damaged data");
        if (result == Z_STREAM_END && stream->avail_out > 0)
            return damaged("ends too soon");
    }
    return DLVIZ_OK;
}

/* -- Rows ----------------------------------------------------------------------------------------
 */

/* line[0] is the filter; the row comes to stand in its place. */
static dlviz_status unfilter(uint8_t *line, const uint8_t *above, size_t size, size_t pixel) {
    int filter = line[0];
    if (filter >= DLZ_PNG_NUM_FILTERS)
        return damaged("has a row with a filter that there is not");
    for (size_t i = 1; i <= size; i++) {
        int left = i > pixel ? line[i - pixel] : 0, corner = i > pixel ? above[i - pixel] : 0;
        line[i] = (uint8_t)(line[i] + dlz_png_expect(filter, left, above[i], corner));
    }
    return DLVIZ_OK;
}

static dlviz_status unpack(const reader *r, const uint8_t *row, uint8_t *to) {
    size_t width = (size_t)r->width;
    if (r->kind == 0 && r->bits == 4) {
        for (size_t x = 0; x < width; x++)
            to[x] = (uint8_t)(17 * (x % 2 ? row[x / 2] & 15 : row[x / 2] >> 4));
    } else if (r->kind == 3) {
        for (size_t x = 0; x < width; x++) {
            if (row[x] >= r->num_colors)
                return damaged("has a color that its palette has not");
            memcpy(to + 3 * x, r->palette + 3 * row[x], 3);
        }
    } else {
        memcpy(to, row, width * (r->kind == 2 ? 3 : 1));
    }
    return DLVIZ_OK;
}

static dlviz_status read_rows(reader *r, z_stream *stream, uint8_t *lines[2], uint8_t *pixels) {
    size_t width = (size_t)r->width, pixel = r->kind == 2 ? 3 : 1;
    size_t size = r->bits == 4 ? (width + 1) / 2 : width * pixel;
    size_t out = width * (r->kind == 0 ? 1 : 3);
    memset(lines[1], 0, size + 1);
    for (int64_t y = 0; y < r->height; y++) {
        uint8_t *line = lines[y % 2];
        DLZ_TRY(fill(r, stream, line, size + 1));
        DLZ_TRY(unfilter(line, lines[1 - y % 2], size, pixel));
        DLZ_TRY(unpack(r, line + 1, pixels + (size_t)y * out));
    }
    return DLVIZ_OK;
}

static dlviz_status read_data(reader *r, uint8_t *pixels) {
    uint64_t room = (uint64_t)r->width * (r->kind == 2 ? 3 : 1) + 1;
    uint8_t *lines[2] = {dlz_alloc_array(room, 1), dlz_alloc_array(room, 1)};
    z_stream stream = {.zalloc = allocate, .zfree = release};
    dlviz_status status = DLVIZ_OK;
    if (!lines[0] || !lines[1] || inflateInit(&stream) != Z_OK) {
        status = dlz_fail_memory("the picture of the thumbnails", room);
    } else {
        r->at = r->first_data;
        status = read_rows(r, &stream, lines, pixels);
        inflateEnd(&stream);
    }
    dlz_free(lines[0]);
    dlz_free(lines[1]);
    return status;
}

dlviz_status dlz_png_read(const uint8_t *bytes, size_t size, uint64_t most, uint8_t **pixels,
                          int64_t *height, int64_t *width, int *channels, bool *coarse) {
    *pixels = NULL;
    reader r = {.bytes = bytes, .size = size, .at = 8};
    if (size < 8 || memcmp(bytes, "\x89PNG\r\n\x1a\n", 8) != 0)
        return damaged("is no PNG");
    DLZ_TRY(read_head(&r, most));
    DLZ_TRY(find_data(&r));
    *channels = r.kind == 0 ? 1 : 3;
    /* Data can decompress to about a thousand times their size, and to no more. */
    uint64_t count = (uint64_t)r.height * (uint64_t)r.width;
    if (count / 2 / 1100 > size)
        return damaged("ends too soon");
    uint8_t *all = dlz_alloc_array(count, (uint64_t)*channels);
    if (!all)
        return dlz_fail_memory("the thumbnails", count * (uint64_t)*channels);
    dlviz_status status = read_data(&r, all);
    if (status != DLVIZ_OK) {
        dlz_free(all);
        return status;
    }
    *pixels = all;
    *height = r.height;
    *width = r.width;
    *coarse = r.bits < 8 || r.kind == 3;
    return DLVIZ_OK;
}
