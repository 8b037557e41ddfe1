/* PNG by way of zlib: a head, rows each with a filter, compressed, an end. */
#include "plot/png.h"
#include "plot/colors.h"
#include "base/base.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { TYPE_GRAY = 0, TYPE_RGB = 2, TYPE_PALETTE = 3, NUM_FILTERS = 5 };

static void put_u32(unsigned char *to, uint32_t value) {
    for (int i = 0; i < 4; i++)
        to[i] = (unsigned char)(value >> (24 - 8 * i));
}

/* A chunk's length and sum are written when it ends. */
static size_t begin_chunk(dlz_bytes *to, const char *type) {
    size_t at = to->size;
    dlz_bytes_add(to, "\0\0\0\0", 4);
    dlz_bytes_add(to, type, 4);
    return at;
}

static void end_chunk(dlz_bytes *to, size_t at) {
    if (to->out_of_memory)
        return;
    size_t length = to->size - at - 8;
    put_u32(to->data + at, (uint32_t)length);
    unsigned char sum[4];
    put_u32(sum, (uint32_t)crc32(0, to->data + at + 4, (uInt)(length + 4)));
    dlz_bytes_add(to, sum, 4);
}

static void add_head(dlz_bytes *to, int width, int height, int depth, int type) {
    unsigned char head[13] = {0};
    put_u32(head, (uint32_t)width);
    put_u32(head + 4, (uint32_t)height);
    head[8] = (unsigned char)depth;
    head[9] = (unsigned char)type;
    dlz_bytes_add(to, "\x89PNG\r\n\x1A\n", 8);
    size_t at = begin_chunk(to, "IHDR");
    dlz_bytes_add(to, head, sizeof head);
    end_chunk(to, at);
}

static void add_palette(dlz_bytes *to, const dlz_colors *colors) {
    size_t at = begin_chunk(to, "PLTE");
    for (int i = 0; i < colors->palette_size; i++) {
        unsigned char rgb[4];
        put_u32(rgb, colors->palette[i]);
        dlz_bytes_add(to, rgb + 1, 3);
    }
    end_chunk(to, at);
}

/* ---- Rows ------------------------------------------------------------------------------------ */

typedef struct row_writer {
    const dlz_colors *colors;
    int width, depth, type;
    bool filters;
    size_t length;                        /* of a row, without its filter */
    unsigned char *row, *before;          /* as they are */
    unsigned char *filtered[NUM_FILTERS]; /* with the filter's number in front */
} row_writer;

static void read_row(const row_writer *writer, const unsigned char *pixels) {
    if (writer->type == TYPE_PALETTE)
        memset(writer->row, 0, writer->length);
    uint32_t last = UINT32_MAX;
    int entry = 0;
    for (int x = 0; x < writer->width; x++) {
        uint32_t color;
        memcpy(&color, pixels + 4 * (size_t)x, sizeof color);
        color &= 0xFFFFFF;
        if (writer->type == TYPE_RGB) {
            writer->row[3 * x] = (unsigned char)(color >> 16);
            writer->row[3 * x + 1] = (unsigned char)(color >> 8);
            writer->row[3 * x + 2] = (unsigned char)color;
        } else if (writer->type == TYPE_GRAY) {
            writer->row[x] = (unsigned char)color;
        } else {
            if (color != last)
                entry = dlz_colors_entry(writer->colors, color);
            last = color;
            int bit = x * writer->depth;
            writer->row[bit / 8] |= (unsigned char)(entry << (8 - writer->depth - bit % 8));
        }
    }
}

static int paeth(int left, int up, int corner) {
    int guess = left + up - corner;
    int a = abs(guess - left), b = abs(guess - up), c = abs(guess - corner);
    return a <= b && a <= c ? left : b <= c ? up : corner;
}

/* The filter whose bytes are smallest, as PNG's authors advise for pictures; the areas of drawings,
 * and palettes, are best as they are. */
static const unsigned char *filter_row(const row_writer *writer) {
    if (!writer->filters || writer->type == TYPE_PALETTE) {
        memcpy(writer->filtered[0] + 1, writer->row, writer->length);
        return writer->filtered[0];
    }
    const size_t step = writer->type == TYPE_RGB ? 3 : 1;
    uint64_t sums[NUM_FILTERS] = {0};
    for (size_t i = 0; i < writer->length; i++) {
        int here = writer->row[i], up = writer->before[i];
        int left = i < step ? 0 : writer->row[i - step];
        int corner = i < step ? 0 : writer->before[i - step];
        const int guesses[NUM_FILTERS] = {0, left, up, (left + up) / 2, paeth(left, up, corner)};
        for (int f = 0; f < NUM_FILTERS; f++) {
            unsigned char rest = (unsigned char)(here - guesses[f]);
            writer->filtered[f][i + 1] = rest;
            sums[f] += rest < 128 ? rest : 256u - rest;
        }
    }
    int best = 0;
    for (int f = 1; f < NUM_FILTERS; f++)
        if (sums[f] < sums[best])
            best = f;
    return writer->filtered[best];
}

/* Compresses what the stream has been given; all of it and the end when `flush` is Z_FINISH. */
static void compress_some(z_stream *stream, dlz_bytes *to, int flush) {
    enum { PIECE = 1 << 15 };
    do {
        unsigned char *room = dlz_bytes_reserve(to, PIECE);
        if (!room)
            return;
        stream->next_out = room;
        stream->avail_out = PIECE;
        deflate(stream, flush);
        to->size += PIECE - stream->avail_out;
    } while (stream->avail_out == 0);
}

static dlviz_status compress_rows(row_writer *writer, dlz_bytes *to, const unsigned char *pixels,
                                  int stride, int height) {
    z_stream stream = {0};
    if (deflateInit(&stream, 9) != Z_OK)
        return dlz_fail(DLVIZ_ERROR_OUT_OF_MEMORY, "out of memory while a PNG was compressed");
    for (int y = 0; y < height; y++) {
        read_row(writer, pixels + (size_t)y * (size_t)stride);
        /* zlib does not write to what it reads. */
        stream.next_in = (unsigned char *)(uintptr_t)filter_row(writer);
        stream.avail_in = (uInt)(writer->length + 1);
        compress_some(&stream, to, Z_NO_FLUSH);
        unsigned char *swap = writer->before;
        writer->before = writer->row;
        writer->row = swap;
    }
    compress_some(&stream, to, Z_FINISH);
    deflateEnd(&stream);
    return DLVIZ_OK;
}

static dlviz_status add_rows(dlz_bytes *to, row_writer *writer, const unsigned char *pixels,
                             int stride, int height) {
    writer->length =
        ((size_t)writer->width * (size_t)(writer->type == TYPE_RGB ? 24 : writer->depth) + 7) / 8;
    size_t line = writer->length + 1;
    unsigned char *memory = dlz_alloc_array_zero(NUM_FILTERS + 2, line);
    if (!memory)
        return dlz_fail_memory("the rows of a PNG", (NUM_FILTERS + 2) * line);
    for (int f = 0; f < NUM_FILTERS; f++) {
        writer->filtered[f] = memory + (size_t)f * line;
        writer->filtered[f][0] = (unsigned char)f;
    }
    writer->row = memory + NUM_FILTERS * line;
    writer->before = memory + (NUM_FILTERS + 1) * line;
    size_t at = begin_chunk(to, "IDAT");
    dlviz_status status = compress_rows(writer, to, pixels, stride, height);
    end_chunk(to, at);
    dlz_free(memory);
    return status;
}

/* ---- The file -------------------------------------------------------------------------------- */

static row_writer choose_type(const dlz_colors *colors, int width) {
    row_writer writer = {.colors = colors, .width = width, .depth = 8, .type = TYPE_RGB};
    int size = colors->palette_size;
    if (size > 16 && colors->gray) {
        writer.type = TYPE_GRAY;
    } else if (size > 0) {
        writer.type = TYPE_PALETTE;
        writer.depth = size <= 2 ? 1 : size <= 4 ? 2 : size <= 16 ? 4 : 8;
    }
    return writer;
}

dlviz_status dlz_figure_png(dlz_bytes *to, const unsigned char *pixels, int stride, int width,
                           int height, int most_off) {
    dlz_colors colors;
    dlviz_status status = dlz_colors_count(&colors, pixels, stride, width, height);
    if (status == DLVIZ_OK) {
        if (colors.count > 0)
            dlz_colors_find_palette(&colors, most_off);
        row_writer writer = choose_type(&colors, width);
        writer.filters = most_off < DLZ_PNG_OFF_DRAWING;
        add_head(to, width, height, writer.depth, writer.type);
        if (writer.type == TYPE_PALETTE)
            add_palette(to, &colors);
        status = add_rows(to, &writer, pixels, stride, height);
        end_chunk(to, begin_chunk(to, "IEND"));
        if (status == DLVIZ_OK && to->out_of_memory)
            status = dlz_fail_memory("a PNG", to->size);
    }
    dlz_colors_free(&colors);
    return status;
}
