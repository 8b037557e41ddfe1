/* All that libpng is asked to write. */
#include "png/encode.h"

#include <png.h>
#include <setjmp.h>
#include <string.h>

enum { PIECE = 1 << 18 /* of compressed data: a chunk */, MOST_COLORS = 256 };

typedef struct encoder {
    const dlz_png *picture;
    const dlz_png_way *way;
    dlz_png_rows rows;
    png_structp png;
    png_infop info;
    uint8_t *row;
    uint8_t *bytes;
    size_t size, room;
    bool out_of_memory;
    dlviz_status status;
} encoder;

/* -- What libpng calls ---------------------------------------------------------------------------
 */

static png_voidp allocate(png_structp png, png_alloc_size_t size) {
    encoder *e = png_get_mem_ptr(png);
    void *block = dlz_alloc(size);
    e->out_of_memory |= !block;
    return block;
}

static void release(png_structp png, png_voidp block) {
    (void)png;
    dlz_free(block);
}

static void fail(png_structp png, png_const_charp reason) {
    encoder *e = png_get_error_ptr(png);
    e->status = e->out_of_memory
                    ? dlz_fail_memory("a PNG", e->room)
                    : dlz_fail(DLVIZ_ERROR_UNSUPPORTED,
                               "libpng does not write a picture of %lld x %lld pixels: %s",
                               (long long)e->picture->height, (long long)e->picture->width, reason);
    png_longjmp(png, 1);
}

static void pass_over(png_structp png, png_const_charp warning) {
    (void)png;
    (void)warning;
}

static void append(png_structp png, png_bytep bytes, size_t size) {
    encoder *e = png_get_io_ptr(png);
    if (size > e->room - e->size) {
        size_t room = 2 * (e->size + size);
        uint8_t *more = dlz_realloc_array(e->bytes, room, 1);
        if (!more) {
            e->out_of_memory = true;
            png_error(png, "");
        }
        e->bytes = more;
        e->room = room;
    }
    memcpy(e->bytes + e->size, bytes, size);
    e->size += size;
}

static void flush_nothing(png_structp png) {
    (void)png;
}

/* -- The file ------------------------------------------------------------------------------------
 */

static int color_type_of(const dlz_png *picture) {
    return picture->num_colors > 0  ? PNG_COLOR_TYPE_PALETTE
           : picture->channels == 3 ? PNG_COLOR_TYPE_RGB
                                    : PNG_COLOR_TYPE_GRAY;
}

static void set_way(const encoder *e) {
    png_set_filter(e->png, PNG_FILTER_TYPE_BASE, e->way->filters);
    png_set_compression_level(e->png, e->way->level);
    png_set_compression_strategy(e->png, e->way->strategy);
    png_set_compression_mem_level(e->png, e->way->memory_level);
    png_set_compression_buffer_size(e->png, PIECE);
}

static void write_head(const encoder *e) {
    const dlz_png *picture = e->picture;
    png_set_user_limits(e->png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_set_IHDR(e->png, e->info, (png_uint_32)picture->width,
                 (png_uint_32)(e->rows.num_bands * e->rows.band), picture->bits,
                 color_type_of(picture), PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    png_color colors[MOST_COLORS];
    for (int i = 0; i < picture->num_colors; i++) {
        const uint8_t *color = picture->palette + 3 * i;
        colors[i] = (png_color){color[0], color[1], color[2]};
    }
    if (picture->num_colors > 0)
        png_set_PLTE(e->png, e->info, colors, picture->num_colors);
    png_write_info(e->png, e->info);
    png_set_packing(e->png);
}

/* All that may jump, and nothing that a jump could leave undone. */
static void write_all(encoder *e) {
    if (setjmp(png_jmpbuf(e->png)))
        return;
    const dlz_png *picture = e->picture;
    const dlz_png_rows *rows = &e->rows;
    png_set_write_fn(e->png, e, append, flush_nothing);
    set_way(e);
    write_head(e);
    for (int64_t i = 0; i < rows->num_bands * rows->band; i++) {
        int64_t y = i / rows->band * (picture->height / rows->num_bands) + i % rows->band;
        picture->row(picture->context, y, e->row);
        png_write_row(e->png, e->row);
    }
    png_write_end(e->png, NULL);
}

dlviz_status dlz_png_encode(const dlz_png *picture, const dlz_png_way *way, dlz_png_rows rows,
                            uint8_t **bytes, size_t *size) {
    encoder e = {.picture = picture, .way = way, .rows = rows, .status = DLVIZ_OK};
    *bytes = NULL;
    e.row = dlz_alloc_array((uint64_t)picture->width, (uint64_t)picture->channels);
    if (e.row)
        e.png = png_create_write_struct_2(PNG_LIBPNG_VER_STRING, &e, fail, pass_over, &e, allocate,
                                          release);
    if (e.png)
        e.info = png_create_info_struct(e.png);
    if (e.info)
        write_all(&e);
    else if (e.status == DLVIZ_OK)
        e.status = dlz_fail_memory("a PNG", (uint64_t)picture->width);
    png_destroy_write_struct(&e.png, &e.info);
    dlz_free(e.row);
    if (e.status != DLVIZ_OK) {
        dlz_free(e.bytes);
        return e.status;
    }
    *bytes = e.bytes;
    *size = e.size;
    return DLVIZ_OK;
}
