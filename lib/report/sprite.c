#include "report/sprite.h"
#include "png/png.h"

#include <math.h>
#include <string.h>

void dlz_sprite_release(dlz_sprite *sprite) {
    dlz_free(sprite->places);
    dlz_free(sprite->png);
    *sprite = (dlz_sprite){0};
}

/* -- Rows of the picture -------------------------------------------------------------------------
 */

typedef enum fineness { FULL, FOUR_BITS, COLORS_256, COLORS_128, COLORS_64 } fineness;
static const int num_colors[] = {[COLORS_256] = 256, [COLORS_128] = 128, [COLORS_64] = 64};

typedef struct picture {
    const dlz_thumbnails *thumbnails;
    const dlz_sprite *sprite;
    fineness depth;
    const dlz_palette *palette;
} picture;

static void reduce(const picture *p, const uint8_t *from, int64_t count, uint8_t *to) {
    if (p->depth == FULL)
        memcpy(to, from, (size_t)(count * p->thumbnails->channels));
    else if (p->depth == FOUR_BITS)
        for (int64_t i = 0; i < count; i++)
            to[i] = (uint8_t)((from[i] + 8) / 17);
    else
        for (int64_t i = 0; i < count; i++)
            to[i] = p->palette->places[dlz_palette_cell(from + 3 * i)];
}

static void get_row(const void *context, int64_t y, uint8_t *pixels) {
    const picture *p = context;
    const dlz_thumbnails *from = p->thumbnails;
    int64_t bytes = from->width * (p->depth == FULL ? from->channels : 1);
    int64_t first = y / from->height * p->sprite->columns, row = y % from->height;
    for (int64_t c = 0; c < p->sprite->columns; c++, pixels += bytes)
        if (first + c < p->sprite->count)
            reduce(p,
                   from->pixels + (p->sprite->places[first + c] * from->height + row) *
                                      from->width * from->channels,
                   from->width, pixels);
        else
            memset(pixels, 0, (size_t)bytes);
}

/* -- Palette -------------------------------------------------------------------------------------
 */

static dlviz_status make_palette(picture *p, int most, dlz_palette **out) {
    const dlz_thumbnails *from = p->thumbnails;
    int64_t *counts = dlz_alloc_array_zero(DLZ_PALETTE_CELLS, sizeof *counts);
    dlz_palette *palette = dlz_alloc_zero(sizeof *palette);
    dlviz_status status =
        counts && palette ? DLVIZ_OK : dlz_fail_memory("a palette", sizeof *palette);
    int64_t size = from->height * from->width;
    for (int64_t i = 0; status == DLVIZ_OK && i < p->sprite->count; i++) {
        const uint8_t *pixels = from->pixels + 3 * size * p->sprite->places[i];
        for (int64_t j = 0; j < size; j++)
            counts[dlz_palette_cell(pixels + 3 * j)]++;
    }
    if (status == DLVIZ_OK)
        status = dlz_palette_make(counts, most, palette);
    dlz_free(counts);
    if (status != DLVIZ_OK) {
        dlz_free(palette);
        return status;
    }
    p->palette = *out = palette;
    return DLVIZ_OK;
}

/* -- The picture ---------------------------------------------------------------------------------
 */

/* In place of the one that it has; none, with about its size, where that would be more than enough. */
static dlviz_status compress(const dlviz_report *report, fineness depth, size_t enough,
                             dlz_sprite *sprite) {
    const dlz_thumbnails *from = &report->thumbnails;
    picture p = {from, sprite, depth, NULL};
    dlz_palette *palette = NULL;
    sprite->columns =
        (int64_t)ceil(sqrt((double)sprite->count * (double)from->height / (double)from->width));
    sprite->columns = dlz_min_i64(dlz_max_i64(sprite->columns, 1), sprite->count);
    if (num_colors[depth] > 0)
        DLZ_TRY(make_palette(&p, num_colors[depth], &palette));
    dlz_png png = {.height = dlz_ceil_div(sprite->count, sprite->columns) * from->height,
                   .width = sprite->columns * from->width,
                   .channels = depth == FULL ? (int)from->channels : 1,
                   .bits = depth == FOUR_BITS ? 4 : 8,
                   .num_colors = palette ? palette->count : 0,
                   .palette = palette ? palette->colors : NULL,
                   .row = get_row,
                   .context = &p,
                   .means = DLZ_PNG_SHORTEST,
                   .enough = enough};
    dlz_free(sprite->png);
    dlviz_status status = dlz_png_write(&png, &sprite->png, &sprite->size);
    dlz_free(palette);
    return status;
}

/* -- How many pictures, and how fine -------------------------------------------------------------
 */

static dlviz_status pick(const dlviz_report *report, int64_t count, dlz_sprite *sprite) {
    uint64_t all = (uint64_t)report->thumbnails.count;
    bool *chosen = dlz_alloc_array_zero(all, sizeof *chosen);
    uint32_t *places = dlz_alloc_array((uint64_t)count, sizeof *places);
    dlviz_status status = chosen && places ? dlz_sprite_sample(report, count, chosen)
                                           : dlz_fail_memory("a sample of the images", all);
    int64_t used = 0;
    for (uint32_t t = 0; status == DLVIZ_OK && t < all; t++)
        if (chosen[t])
            places[used++] = t;
    dlz_free(chosen);
    if (status != DLVIZ_OK) {
        dlz_free(places);
        return status;
    }
    dlz_free(sprite->places);
    sprite->places = places;
    sprite->count = count;
    return DLVIZ_OK;
}

/* What the rest of a page leaves for the pictures. */
static uint64_t room_for(uint64_t others) {
    uint64_t encoded = others < DLZ_SPRITE_MAX_PAGE ? DLZ_SPRITE_MAX_PAGE - others : 0;
    return encoded / 4 * 3;
}

/* Fewer pictures, so that these take what the rest of the page leaves, or half of a page. */
static dlviz_status pick_fewer(const dlviz_report *report, uint64_t others, fineness depth,
                               dlz_sprite *sprite) {
    uint64_t room = room_for(others), half = DLZ_SPRITE_MAX_PAGE / 2 / 4 * 3;
    room = room > half ? room : half;
    /* The size is a guess at first. */
    for (int attempt = 0; sprite->size > room && sprite->count > 1 && attempt < 4; attempt++) {
        double share = 0.97 * (double)room / (double)sprite->size;
        DLZ_TRY(pick(report, dlz_max_i64((int64_t)((double)sprite->count * share), 1), sprite));
        DLZ_TRY(compress(report, depth, 0, sprite));
    }
    return sprite->png ? DLVIZ_OK : compress(report, depth, 0, sprite);
}

static dlviz_status make(const dlviz_report *report, uint64_t others, dlz_sprite *sprite) {
    static const fineness of_gray[] = {FULL, FOUR_BITS},
                          of_color[] = {FULL, COLORS_256, COLORS_128, COLORS_64};
    const fineness *depths = report->thumbnails.channels == 1 ? of_gray : of_color;
    int num_depths = report->thumbnails.channels == 1 ? 2 : 4, at = 0;
    size_t room = (size_t)dlz_max_i64((int64_t)room_for(others), 1);
    DLZ_TRY(pick(report, dlz_min_i64(report->thumbnails.count, DLZ_SPRITE_MAX_COUNT), sprite));
    DLZ_TRY(compress(report, FULL, room, sprite));
    while (sprite->size > room && at < num_depths - 1)
        DLZ_TRY(compress(report, depths[++at], room, sprite));
    bool fits = sprite->png && sprite->size <= room;
    return fits ? DLVIZ_OK : pick_fewer(report, others, depths[at], sprite);
}

dlviz_status dlz_sprite_make(const dlviz_report *report, uint64_t others, dlz_sprite *sprite) {
    *sprite = (dlz_sprite){0};
    if (report->thumbnails.count == 0)
        return DLVIZ_OK;
    dlviz_status status = make(report, others, sprite);
    if (status != DLVIZ_OK)
        dlz_sprite_release(sprite);
    return status;
}
