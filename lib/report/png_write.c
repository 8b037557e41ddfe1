#include "base/parallel.h"
#include "report/png.h"
#include "report/png_filter.h"

#include <string.h>
#include <zlib.h>

enum { ADAPTIVE = DLZ_PNG_NUM_FILTERS /* each row's own */ };

/* Digits and the like compress best as runs of equal bytes, icons as what was there before. */
static const struct way {
    int filter, level, strategy;
} ways[] = {
    {DLZ_PNG_NONE, 6, Z_RLE},      {DLZ_PNG_NONE, 6, Z_FILTERED},  {DLZ_PNG_UP, 6, Z_RLE},
    {DLZ_PNG_UP, 6, Z_FILTERED},   {DLZ_PNG_PAETH, 6, Z_FILTERED}, {ADAPTIVE, 6, Z_FILTERED},
    {ADAPTIVE, 6, Z_HUFFMAN_ONLY},
};
enum { NUM_WAYS = sizeof ways / sizeof *ways };

static void *allocate(void *user, uInt count, uInt size) {
    (void)user;
    return dlz_alloc_array(count, size);
}

static void release(void *user, void *block) {
    (void)user;
    dlz_free(block);
}

/* -- Rows ----------------------------------------------------------------------------------------
 */

static int64_t bytes_of_row(const dlz_png *png) {
    return png->bits == 4 ? dlz_ceil_div(png->width, 2) : png->width * png->channels;
}

/* `pixels` has room for one more than the row's. */
static void get_row(const dlz_png *png, int64_t y, uint8_t *pixels) {
    png->row(png->context, y, pixels);
    if (png->bits != 4)
        return;
    pixels[png->width] = 0;
    for (int64_t x = 0; x < png->width; x += 2)
        pixels[x / 2] = (uint8_t)(pixels[x] << 4 | pixels[x + 1]);
}

/* With a filter that the compiler knows. */
static inline uint64_t filter_by(int filter, const uint8_t *row, const uint8_t *above, int64_t size,
                                 int64_t pixel, uint8_t *to) {
    uint64_t sum = 0;
    for (int64_t i = 0; i < size; i++) {
        int left = i >= pixel ? row[i - pixel] : 0, corner = i >= pixel ? above[i - pixel] : 0;
        to[i] = (uint8_t)(row[i] - dlz_png_expect(filter, left, above[i], corner));
        sum += to[i] < 128 ? to[i] : 256u - to[i];
    }
    return sum;
}

/* Returns the sum of the magnitudes of what is written. */
static uint64_t filter_row(int filter, const uint8_t *row, const uint8_t *above, int64_t size,
                           int64_t pixel, uint8_t *to) {
    *to++ = (uint8_t)filter;
    switch (filter) {
    case DLZ_PNG_SUB:
        return filter_by(DLZ_PNG_SUB, row, above, size, pixel, to);
    case DLZ_PNG_UP:
        return filter_by(DLZ_PNG_UP, row, above, size, pixel, to);
    case DLZ_PNG_AVERAGE:
        return filter_by(DLZ_PNG_AVERAGE, row, above, size, pixel, to);
    case DLZ_PNG_PAETH:
        return filter_by(DLZ_PNG_PAETH, row, above, size, pixel, to);
    default:
        return filter_by(DLZ_PNG_NONE, row, above, size, pixel, to);
    }
}

/* -- One way -------------------------------------------------------------------------------------
 */

/* A picture that is large is tried with some of its rows: bands of them, evenly far apart. */
enum { SAMPLE = 1 << 20 /* bytes */, NUM_BANDS = 8 };

typedef struct packing {
    const dlz_png *png;
    int64_t row_bytes;
    int64_t num_bands, band;  /* of so many rows each; all there are: one band */
    int only;                 /* way, or -1: each tile is one */
    uint8_t *bytes[NUM_WAYS]; /* NULL: out of memory */
    size_t sizes[NUM_WAYS];
} packing;

/* All rows, or a sample of them. */
static packing pack_rows(const dlz_png *png, bool sample, int only) {
    packing p = {.png = png, .row_bytes = bytes_of_row(png), .num_bands = 1, .only = only};
    p.band = png->height;
    int64_t rows = dlz_ceil_div(SAMPLE / NUM_BANDS, p.row_bytes + 1);
    if (sample && rows * NUM_BANDS < png->height) {
        p.num_bands = NUM_BANDS;
        p.band = rows;
    }
    return p;
}

/* What one way works with. */
typedef struct work {
    z_stream stream;
    uint8_t *rows[2]; /* this one and the one above */
    uint8_t *lines[2];
    uint8_t *block;
    size_t room;
} work;

/* Feeds bytes, or with none, ends the stream. */
static bool feed(work *w, uint8_t *bytes, size_t size) {
    w->stream.next_in = bytes;
    w->stream.avail_in = (uInt)size;
    for (;;) {
        if (w->stream.avail_out == 0) {
            size_t room = 2 * w->room;
            uint8_t *more = dlz_realloc_array(w->block, room, 1);
            if (!more)
                return false;
            w->block = more;
            w->stream.next_out = more + w->room;
            w->stream.avail_out = (uInt)(room - w->room);
            w->room = room;
        }
        int result = deflate(&w->stream, bytes ? Z_NO_FLUSH : Z_FINISH);
        if (result == Z_STREAM_END || (bytes && w->stream.avail_in == 0 && w->stream.avail_out > 0))
            return true;
        if (result != Z_OK && result != Z_BUF_ERROR)
            return false;
    }
}

/* Into lines[0], by the way's filter or, row by row, by that which leaves least. */
static void filter_by_way(work *w, const packing *p, const struct way *way, const uint8_t *row,
                          const uint8_t *above) {
    int64_t pixel = p->png->bits == 4 ? 1 : p->png->channels;
    int first = way->filter == ADAPTIVE ? 0 : way->filter;
    int last = way->filter == ADAPTIVE ? ADAPTIVE - 1 : first;
    uint64_t best = filter_row(first, row, above, p->row_bytes, pixel, w->lines[0]);
    for (int f = first + 1; f <= last; f++) {
        uint64_t sum = filter_row(f, row, above, p->row_bytes, pixel, w->lines[1]);
        if (sum >= best)
            continue;
        uint8_t *other = w->lines[0];
        w->lines[0] = w->lines[1];
        w->lines[1] = other;
        best = sum;
    }
}

static bool feed_rows(work *w, const packing *p, const struct way *way) {
    memset(w->rows[1], 0, (size_t)p->row_bytes);
    for (int64_t i = 0; i < p->num_bands * p->band; i++) {
        int64_t y = i / p->band * (p->png->height / p->num_bands) + i % p->band;
        uint8_t *row = w->rows[i % 2], *above = w->rows[1 - i % 2];
        get_row(p->png, y, row);
        filter_by_way(w, p, way, row, above);
        if (!feed(w, w->lines[0], (size_t)p->row_bytes + 1))
            return false;
    }
    return feed(w, NULL, 0);
}

static bool get_memory(work *w, const packing *p) {
    size_t row = (size_t)(p->png->width * p->png->channels) + 1;
    bool whole = true;
    for (int i = 0; i < 2; i++) {
        w->rows[i] = dlz_alloc(row);
        w->lines[i] = dlz_alloc(row);
        whole &= w->rows[i] && w->lines[i];
    }
    w->room = 1 << 16;
    w->block = dlz_alloc(w->room);
    return whole && w->block;
}

static void pack(void *context, int64_t tile, int worker) {
    (void)worker;
    packing *p = context;
    const struct way *way = &ways[p->only >= 0 ? p->only : tile];
    work w = {.stream = {.zalloc = allocate, .zfree = release}};
    bool done = get_memory(&w, p) &&
                deflateInit2(&w.stream, way->level, Z_DEFLATED, 15, 9, way->strategy) == Z_OK;
    if (done) {
        w.stream.next_out = w.block;
        w.stream.avail_out = (uInt)w.room;
        done = feed_rows(&w, p, way);
        p->sizes[tile] = w.room - w.stream.avail_out;
        deflateEnd(&w.stream);
    }
    for (int i = 0; i < 2; i++) {
        dlz_free(w.rows[i]);
        dlz_free(w.lines[i]);
    }
    if (done)
        p->bytes[tile] = w.block;
    else
        dlz_free(w.block);
}

/* -- The file ------------------------------------------------------------------------------------
 */

static void put_number(uint8_t *to, uint32_t number) {
    for (int i = 0; i < 4; i++)
        to[i] = (uint8_t)(number >> (24 - 8 * i));
}

static uint8_t *put_chunk(uint8_t *to, const char *name, const uint8_t *bytes, size_t size) {
    put_number(to, (uint32_t)size);
    memcpy(to + 4, name, 4);
    if (size > 0)
        memcpy(to + 8, bytes, size);
    put_number(to + 8 + size, (uint32_t)crc32(0, to + 4, (uInt)size + 4));
    return to + size + 12;
}

/* Of the shortest way's data. */
static dlviz_status put_together(const dlz_png *png, const uint8_t *data, size_t data_size,
                                 uint8_t **bytes, size_t *size) {
    uint8_t head[13] = {0};
    size_t colors = (size_t)png->num_colors * 3, total = 8 + 25 + data_size + 12 + 12;
    total += colors > 0 ? colors + 12 : 0;
    put_number(head, (uint32_t)png->width);
    put_number(head + 4, (uint32_t)png->height);
    head[8] = (uint8_t)png->bits;
    head[9] = colors > 0 ? 3 : png->channels == 3 ? 2 : 0;
    uint8_t *block = dlz_alloc(total), *to = block;
    if (!block)
        return dlz_fail_memory("a picture", total);
    memcpy(to, "\x89PNG\r\n\x1a\n", 8);
    to = put_chunk(to + 8, "IHDR", head, sizeof head);
    if (colors > 0)
        to = put_chunk(to, "PLTE", png->palette, colors);
    to = put_chunk(to, "IDAT", data, data_size);
    put_chunk(to, "IEND", NULL, 0);
    *bytes = block;
    *size = total;
    return DLVIZ_OK;
}

static void release_ways(packing *p) {
    for (int i = 0; i < NUM_WAYS; i++)
        dlz_free(p->bytes[i]);
}

/* The way that is best for a sample of the rows; *bytes is what it makes of them, if they are all, and
 * *size about what it would make of all. */
static dlviz_status find_way(const dlz_png *png, int *way, uint8_t **bytes, size_t *size) {
    packing p = pack_rows(png, true, -1);
    dlz_parallel_for(NUM_WAYS, NUM_WAYS, pack, &p);
    bool whole = true;
    *way = 0;
    *bytes = NULL;
    for (int i = 0; i < NUM_WAYS; i++) {
        whole &= p.bytes[i] != NULL;
        *way = p.sizes[i] < p.sizes[*way] ? i : *way;
    }
    double share = (double)png->height / (double)(p.num_bands * p.band);
    *size = (size_t)((double)p.sizes[*way] * share);
    if (whole && p.num_bands == 1) {
        *bytes = p.bytes[*way];
        p.bytes[*way] = NULL;
    }
    release_ways(&p);
    return whole ? DLVIZ_OK : dlz_fail_memory("a picture", (uint64_t)png->height);
}

dlviz_status dlz_png_write(const dlz_png *png, uint8_t **bytes, size_t *size) {
    int way;
    uint8_t *data;
    *bytes = NULL;
    DLZ_TRY(find_way(png, &way, &data, size));
    if (png->enough > 0 && *size > png->enough + png->enough / 8) {
        dlz_free(data);
        return DLVIZ_OK;
    }
    if (!data) {
        packing p = pack_rows(png, false, way);
        pack(&p, 0, 0);
        data = p.bytes[0];
        *size = p.sizes[0];
    }
    dlviz_status status = DLVIZ_OK;
    if (!data)
        status = dlz_fail_memory("a picture", (uint64_t)png->height * (uint64_t)png->width);
    else if (*size > INT32_MAX)
        status = dlz_fail(DLVIZ_ERROR_UNSUPPORTED,
                          "the thumbnails take %llu bytes as PNG; 2^31 - 1 are possible",
                          (unsigned long long)*size);
    else
        status = put_together(png, data, *size, bytes, size);
    dlz_free(data);
    return status;
}
