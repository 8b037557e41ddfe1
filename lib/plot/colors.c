/* Which colors there are, and a palette of them. */
#include "plot/colors.h"
#include "base/base.h"
#include "base/sort.h"

#include <stdlib.h>
#include <string.h>

/* Twice the colors: a search ends soon. */
enum { TABLE_SIZE = 2 * DLZ_MOST_COLORS };

static inline bool is_area(dlz_color_count color) {
    return color.run >= DLZ_AREA_RUN;
}

static inline bool comes_first(dlz_color_count a, dlz_color_count b) {
    if (is_area(a) != is_area(b))
        return is_area(a);
    return a.count != b.count ? a.count > b.count : a.color < b.color;
}

DLZ_DEFINE_SORT(sort_colors, dlz_color_count, comes_first)

/* Where a color is in the table, or would be. */
static uint32_t slot_of(const dlz_colors *colors, uint32_t color) {
    uint32_t slot = (color * 2654435761u) >> 15 & (TABLE_SIZE - 1);
    while (colors->table[slot] >= 0 && colors->list[colors->table[slot]].color != color)
        slot = (slot + 1) & (TABLE_SIZE - 1);
    return slot;
}

static void clear_table(dlz_colors *colors) {
    for (int i = 0; i < TABLE_SIZE; i++)
        colors->table[i] = -1;
}

/* False where there are too many. */
static bool count_run(dlz_colors *colors, uint32_t color, uint32_t run) {
    uint32_t slot = slot_of(colors, color);
    if (colors->table[slot] < 0) {
        if (colors->count == DLZ_MOST_COLORS)
            return false;
        colors->table[slot] = colors->count;
        colors->list[colors->count++] = (dlz_color_count){.color = color};
        uint32_t blue = color & 0xFF;
        colors->gray = colors->gray && blue == (color >> 8 & 0xFF) && blue == color >> 16;
    }
    dlz_color_count *found = &colors->list[colors->table[slot]];
    found->count += run;
    found->run = run > found->run ? run : found->run;
    return true;
}

static bool count_row(dlz_colors *colors, const unsigned char *row, int width) {
    uint32_t last = 0, run = 0;
    for (int x = 0; x < width; x++) {
        uint32_t color;
        memcpy(&color, row + 4 * (size_t)x, sizeof color);
        color &= 0xFFFFFF;
        if (run > 0 && color != last) {
            if (!count_run(colors, last, run))
                return false;
            run = 0;
        }
        last = color;
        run++;
    }
    return count_run(colors, last, run);
}

dlviz_status dlz_colors_count(dlz_colors *colors, const unsigned char *pixels, int stride,
                              int width, int height) {
    *colors = (dlz_colors){.gray = true};
    colors->list = dlz_alloc_array(DLZ_MOST_COLORS, sizeof *colors->list);
    colors->entry = dlz_alloc_array(DLZ_MOST_COLORS, 1);
    colors->table = dlz_alloc_array(TABLE_SIZE, sizeof *colors->table);
    if (!colors->list || !colors->entry || !colors->table)
        return dlz_fail_memory("the colors of a figure", DLZ_MOST_COLORS * sizeof *colors->list);
    clear_table(colors);
    for (int y = 0; y < height; y++)
        if (!count_row(colors, pixels + (size_t)y * (size_t)stride, width)) {
            colors->count = 0;
            return DLVIZ_OK;
        }
    sort_colors(colors->list, colors->count);
    clear_table(colors);
    for (int i = 0; i < colors->count; i++)
        colors->table[slot_of(colors, colors->list[i].color)] = i;
    return DLVIZ_OK;
}

/* The largest difference of a channel, and the sum of all three to choose among equals. */
static int distance(uint32_t a, uint32_t b) {
    int largest = 0, sum = 0;
    for (int shift = 0; shift < 24; shift += 8) {
        int off = abs((int)(a >> shift & 0xFF) - (int)(b >> shift & 0xFF));
        largest = off > largest ? off : largest;
        sum += off;
    }
    return largest << 10 | sum;
}

static int nearest(const dlz_colors *colors, uint32_t color, int *off) {
    int best = 0, least = INT32_MAX;
    for (int i = 0; i < colors->palette_size && least > 0; i++) {
        int here = distance(color, colors->palette[i]);
        if (here < least) {
            least = here;
            best = i;
        }
    }
    *off = least >> 10;
    return best;
}

/* Whether a palette covers all colors: each, from the most frequent on, that no earlier one stands
 * for becomes an entry. */
static bool covers(dlz_colors *colors, int off) {
    colors->palette_size = 0;
    for (int i = 0; i < colors->count; i++) {
        uint32_t color = colors->list[i].color;
        int most = is_area(colors->list[i]) && off > DLZ_AREA_OFF ? DLZ_AREA_OFF : off;
        bool covered = false;
        for (int k = 0; k < colors->palette_size && !covered; k++)
            covered = distance(color, colors->palette[k]) >> 10 <= most;
        if (covered)
            continue;
        if (colors->palette_size == DLZ_PALETTE_SIZE)
            return false;
        colors->palette[colors->palette_size++] = color;
    }
    return true;
}

/* Entries to spare are for the most frequent of the other colors. */
static void fill_up(dlz_colors *colors) {
    for (int i = 0; i < colors->count && colors->palette_size < DLZ_PALETTE_SIZE; i++) {
        int off;
        nearest(colors, colors->list[i].color, &off);
        if (off > 0)
            colors->palette[colors->palette_size++] = colors->list[i].color;
    }
}

void dlz_colors_find_palette(dlz_colors *colors, int most_off) {
    static const int tried[] = {0, 1, 2, 3, 4, 6, 8, 10, 12, 14, 16};
    bool found = false;
    for (size_t i = 0; i < sizeof tried / sizeof *tried && tried[i] <= most_off && !found; i++)
        found = covers(colors, tried[i]);
    if (!found) {
        colors->palette_size = 0;
        return;
    }
    fill_up(colors);
    for (int i = 0; i < colors->count; i++) {
        int off;
        colors->entry[i] = (unsigned char)nearest(colors, colors->list[i].color, &off);
    }
}

int dlz_colors_entry(const dlz_colors *colors, uint32_t color) {
    return colors->entry[colors->table[slot_of(colors, color)]];
}

void dlz_colors_free(dlz_colors *colors) {
    dlz_free(colors->list);
    dlz_free(colors->entry);
    dlz_free(colors->table);
    *colors = (dlz_colors){0};
}
