/* A palette by median cut (P. Heckbert, "Color image quantization for frame buffer display", 1982). */
#include "report/sprite.h"

#include <stdlib.h>

/* Cells are sorted by one of their coordinates at a time; a box is a run of them. */
typedef struct box {
    int first, end;
    int64_t pixels;
    int widest; /* the coordinate in which it is widest: 0 to 2 */
    int width;
} box;

typedef struct cells {
    int count;
    int list[DLZ_PALETTE_CELLS], scratch[DLZ_PALETTE_CELLS];
    const int64_t *pixels;
} cells;

static int coordinate(int cell, int axis) {
    return cell >> (10 - 5 * axis) & 31;
}

static void measure(const cells *c, box *b) {
    b->pixels = 0;
    b->width = -1;
    for (int i = b->first; i < b->end; i++)
        b->pixels += c->pixels[c->list[i]];
    for (int axis = 0; axis < 3; axis++) {
        int low = 31, high = 0;
        for (int i = b->first; i < b->end; i++) {
            int at = coordinate(c->list[i], axis);
            low = at < low ? at : low;
            high = at > high ? at : high;
        }
        if (high - low > b->width) {
            b->width = high - low;
            b->widest = axis;
        }
    }
}

/* A stable sort by counting. */
static void sort_box(cells *c, const box *b) {
    int starts[33] = {0}, size = b->end - b->first;
    for (int i = b->first; i < b->end; i++)
        starts[coordinate(c->list[i], b->widest) + 1]++;
    for (int v = 0; v < 32; v++)
        starts[v + 1] += starts[v];
    for (int i = b->first; i < b->end; i++)
        c->scratch[starts[coordinate(c->list[i], b->widest)]++] = c->list[i];
    for (int i = 0; i < size; i++)
        c->list[b->first + i] = c->scratch[i];
}

/* Where half of the pixels are on either side; no side is empty. */
static int median(const cells *c, const box *b) {
    int64_t sum = 0;
    int at = b->first;
    while (at < b->end - 1 && 2 * sum < b->pixels)
        sum += c->pixels[c->list[at++]];
    return at > b->first ? at : at + 1;
}

/* The box that is worth cutting most: many pixels, far apart. -1: all are single cells. */
static int find_largest(const box *boxes, int count) {
    int best = -1;
    double most = 0;
    for (int i = 0; i < count; i++) {
        double worth = (double)boxes[i].pixels * boxes[i].width * boxes[i].width;
        if (boxes[i].end - boxes[i].first > 1 && worth > most) {
            most = worth;
            best = i;
        }
    }
    return best;
}

/* The middle of a box's pixels. */
static void set_color(const cells *c, const box *b, uint8_t *color) {
    for (int axis = 0; axis < 3; axis++) {
        int64_t sum = 0;
        for (int i = b->first; i < b->end; i++)
            sum += c->pixels[c->list[i]] * coordinate(c->list[i], axis);
        double mean = (double)sum / (double)b->pixels; /* 0 … 31 */
        color[axis] = (uint8_t)(mean * 255 / 31 + 0.5);
    }
}

/* Cuts boxes until there are `most`, or none can be cut. */
static int cut_boxes(cells *c, int most, box *boxes) {
    int count = 1;
    boxes[0] = (box){.first = 0, .end = c->count};
    measure(c, &boxes[0]);
    while (count < most) {
        int at = find_largest(boxes, count);
        if (at < 0)
            break;
        sort_box(c, &boxes[at]);
        int cut = median(c, &boxes[at]);
        boxes[count] = (box){.first = cut, .end = boxes[at].end};
        boxes[at].end = cut;
        measure(c, &boxes[at]);
        measure(c, &boxes[count++]);
    }
    return count;
}

dlviz_status dlz_palette_make(const int64_t *counts, int most, dlz_palette *palette) {
    box boxes[256];
    cells *c = dlz_alloc(sizeof *c);
    if (!c)
        return dlz_fail_memory("a palette", sizeof *c);
    c->count = 0;
    c->pixels = counts;
    for (int i = 0; i < DLZ_PALETTE_CELLS; i++)
        if (counts[i] > 0)
            c->list[c->count++] = i;
    palette->count = cut_boxes(c, most, boxes);
    for (int b = 0; b < palette->count; b++) {
        set_color(c, &boxes[b], palette->colors + 3 * b);
        for (int i = boxes[b].first; i < boxes[b].end; i++)
            palette->places[c->list[i]] = (uint8_t)b;
    }
    dlz_free(c);
    return DLVIZ_OK;
}
