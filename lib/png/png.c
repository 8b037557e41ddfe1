/* Which way of compressing a picture is taken. */
#include "png/encode.h"
#include "base/failures.h"
#include "base/parallel.h"

#include <png.h>
#include <zlib.h>

/* Digits and the like compress best as runs of equal bytes, icons as what was there before. */
static const dlz_png_way ways[] = {
    {PNG_FILTER_NONE, 6, 9, Z_RLE},
    {PNG_FILTER_NONE, 6, 9, Z_FILTERED},
    {PNG_FILTER_UP, 6, 9, Z_RLE},
    {PNG_FILTER_UP, 6, 9, Z_FILTERED},
    {PNG_FILTER_PAETH, 6, 9, Z_FILTERED},
    {PNG_ALL_FILTERS, 6, 9, Z_FILTERED},
    {PNG_ALL_FILTERS, 6, 9, Z_HUFFMAN_ONLY},
};
enum { NUM_WAYS = sizeof ways / sizeof *ways };

/* With less memory zlib adapts to what it sees more often: drawings change from part to part. */
static const dlz_png_way plain = {PNG_FILTER_NONE, 9, 8, Z_DEFAULT_STRATEGY},
                         filtered = {PNG_ALL_FILTERS, 9, 8, Z_DEFAULT_STRATEGY};

static dlz_png_rows all_rows(const dlz_png *png) {
    return (dlz_png_rows){.num_bands = 1, .band = png->height};
}

/* A picture that is large is tried with some of its rows. */
static dlz_png_rows sample_of_rows(const dlz_png *png) {
    enum { SAMPLE = 1 << 20 /* bytes */, NUM_BANDS = 8 };
    int64_t row = dlz_ceil_div(png->width * png->channels * png->bits, 8);
    int64_t band = dlz_ceil_div(SAMPLE / NUM_BANDS, row + 1);
    return band * NUM_BANDS < png->height ? (dlz_png_rows){NUM_BANDS, band} : all_rows(png);
}

/* -- The shortest way ----------------------------------------------------------------------------
 */

typedef struct trial {
    const dlz_png *png;
    dlz_png_rows rows;
    uint8_t *bytes[NUM_WAYS];
    size_t sizes[NUM_WAYS];
    dlz_failures failures;
} trial;

static void try_way(void *context, int64_t way, int worker) {
    (void)worker;
    trial *t = context;
    dlz_failures_note(&t->failures, way,
                      dlz_png_encode(t->png, &ways[way], t->rows, &t->bytes[way], &t->sizes[way]));
}

/* The way that is best for a sample of the rows; *bytes is what it makes of them, if they are all, and
 * *size about what it would make of all. */
static dlviz_status find_way(const dlz_png *png, int *way, uint8_t **bytes, size_t *size) {
    trial t = {.png = png, .rows = sample_of_rows(png)};
    dlz_failures_init(&t.failures);
    dlz_parallel_for(NUM_WAYS, NUM_WAYS, try_way, &t);
    dlviz_status status = dlz_failures_tell(&t.failures);
    *way = 0;
    *bytes = NULL;
    for (int i = 1; i < NUM_WAYS; i++)
        *way = t.sizes[i] < t.sizes[*way] ? i : *way;
    if (status == DLVIZ_OK)
        *size = (size_t)((double)t.sizes[*way] * (double)png->height /
                         (double)(t.rows.num_bands * t.rows.band));
    if (status == DLVIZ_OK && t.rows.num_bands == 1) {
        *bytes = t.bytes[*way];
        t.bytes[*way] = NULL;
    }
    for (int i = 0; i < NUM_WAYS; i++)
        dlz_free(t.bytes[i]);
    return status;
}

static dlviz_status write_shortest(const dlz_png *png, uint8_t **bytes, size_t *size) {
    int way;
    DLZ_TRY(find_way(png, &way, bytes, size));
    if (png->enough > 0 && *size > png->enough + png->enough / 8) {
        dlz_free(*bytes);
        *bytes = NULL;
        return DLVIZ_OK;
    }
    return *bytes ? DLVIZ_OK : dlz_png_encode(png, &ways[way], all_rows(png), bytes, size);
}

dlviz_status dlz_png_write(const dlz_png *png, uint8_t **bytes, size_t *size) {
    *bytes = NULL;
    if (png->means == DLZ_PNG_SHORTEST)
        return write_shortest(png, bytes, size);
    return dlz_png_encode(png, png->means == DLZ_PNG_PLAIN ? &plain : &filtered, all_rows(png),
                          bytes, size);
}
