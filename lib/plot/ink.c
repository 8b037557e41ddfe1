#include "plot/ink.h"
#include "base/base.h"

#include <math.h>

enum { EMPTY = -2 };
static const double cell = 2;

/* Cells first_x ... last_x - 1, and likewise y. */
typedef struct cells {
    int first_x, last_x, first_y, last_y;
} cells;

static int clamp(double value, int most) {
    return (int)fmin(fmax(floor(value), 0), most);
}

static cells cells_of(const dlz_ink_grid *ink, dlz_box box) {
    double left = (box.x - ink->frame.x) / cell, top = (box.y - ink->frame.y) / cell;
    return (cells){clamp(left, ink->columns), clamp(left + box.width / cell + 1, ink->columns),
                   clamp(top, ink->rows), clamp(top + box.height / cell + 1, ink->rows)};
}

static void add_disc(dlz_ink_grid *ink, double x, double y, double radius, int32_t class) {
    int left = clamp(x - radius, ink->columns - 1), right = clamp(x + radius, ink->columns - 1);
    int top = clamp(y - radius, ink->rows - 1), bottom = clamp(y + radius, ink->rows - 1);
    for (int j = top; j <= bottom; j++)
        for (int i = left; i <= right; i++) {
            double dx = i + 0.5 - x, dy = j + 0.5 - y;
            bool is_middle = fabs(dx) <= 0.5 && fabs(dy) <= 0.5;
            if (is_middle || dx * dx + dy * dy <= radius * radius)
                ink->owner[(size_t)j * (size_t)ink->columns + (size_t)i] = class;
        }
}

static void add_up(dlz_ink_grid *ink) {
    size_t pitch = (size_t)ink->columns + 1;
    for (int j = 0; j < ink->rows; j++)
        for (int i = 0; i < ink->columns; i++) {
            int class = ink->owner[(size_t)j * (size_t)ink->columns + (size_t)i];
            int32_t *corner = ink->sums + ((size_t)j + 1) * pitch + (size_t)i + 1;
            corner[0] = (class != EMPTY) + corner[-1] + *(corner - pitch) - *(corner - pitch - 1);
            if (class >= 0)
                ink->seen[class]++;
        }
}

static dlviz_status allocate(dlz_ink_grid *ink, int classes) {
    uint64_t count = (uint64_t)ink->columns * (uint64_t)ink->rows, of_class = (uint64_t)classes;
    uint64_t corners = ((uint64_t)ink->columns + 1) * ((uint64_t)ink->rows + 1);
    ink->owner = dlz_alloc_array(count, sizeof *ink->owner);
    ink->sums = dlz_alloc_array_zero(corners, sizeof *ink->sums);
    ink->seen = dlz_alloc_array_zero(of_class, sizeof *ink->seen);
    ink->covered = dlz_alloc_array_zero(of_class, sizeof *ink->covered);
    ink->counts = dlz_alloc_array_zero(of_class, sizeof *ink->counts);
    ink->found = dlz_alloc_array(of_class, sizeof *ink->found);
    if (!ink->owner || !ink->sums || !ink->seen || !ink->covered || !ink->counts || !ink->found)
        return dlz_fail_memory("the places of class names", 8 * corners + 24 * of_class);
    for (uint64_t i = 0; i < count; i++)
        ink->owner[i] = EMPTY;
    return DLVIZ_OK;
}

dlviz_status dlz_ink_make(dlz_ink_grid *ink, const dlz_scatter_view *view) {
    *ink = (dlz_ink_grid){.frame = view->frame,
                          .columns = (int)ceil(view->frame.width / cell),
                          .rows = (int)ceil(view->frame.height / cell)};
    DLZ_TRY(allocate(ink, dlz_max_int(view->classes, 1)));
    for (int64_t k = 0; k < view->scatter->n; k++) {
        int64_t i = view->order[k];
        if (dlz_scatter_is_inside(view, i))
            add_disc(ink, (view->at[2 * i] - view->frame.x) / cell,
                     (view->at[2 * i + 1] - view->frame.y) / cell, view->diameter / 2 / cell,
                     dlz_scatter_entry(view, i));
    }
    add_up(ink);
    return DLVIZ_OK;
}

void dlz_ink_free(dlz_ink_grid *ink) {
    void *const parts[] = {ink->owner, ink->sums, ink->seen, ink->covered, ink->counts, ink->found};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        dlz_free(parts[i]);
}

double dlz_ink_share(const dlz_ink_grid *ink, dlz_box box) {
    cells c = cells_of(ink, box);
    size_t pitch = (size_t)ink->columns + 1;
    const int32_t *top = ink->sums + (size_t)c.first_y * pitch,
                  *bottom = ink->sums + (size_t)c.last_y * pitch;
    int32_t found = bottom[c.last_x] - bottom[c.first_x] - top[c.last_x] + top[c.first_x];
    int all = (c.last_x - c.first_x) * (c.last_y - c.first_y);
    return all > 0 ? (double)found / all : 0;
}

void dlz_ink_count(dlz_ink_grid *ink, dlz_box box) {
    cells c = cells_of(ink, box);
    for (int f = 0; f < ink->num_found; f++)
        ink->counts[ink->found[f]] = 0;
    ink->num_found = 0;
    for (int j = c.first_y; j < c.last_y; j++)
        for (int i = c.first_x; i < c.last_x; i++) {
            int class = ink->owner[(size_t)j * (size_t)ink->columns + (size_t)i];
            if (class >= 0 && ink->counts[class]++ == 0)
                ink->found[ink->num_found++] = class;
        }
}

bool dlz_ink_leaves_enough(const dlz_ink_grid *ink, double share) {
    for (int f = 0; f < ink->num_found; f++) {
        int class = ink->found[f];
        if ((double)(ink->covered[class] + ink->counts[class]) > share * (double)ink->seen[class])
            return false;
    }
    return true;
}

void dlz_ink_forgive(dlz_ink_grid *ink, int class, double area) {
    int32_t cells_of_area = (int32_t)ceil(area / (cell * cell));
    if (class >= 0)
        ink->counts[class] -= (int32_t)dlz_min_i64(ink->counts[class], cells_of_area);
}

void dlz_ink_cover(dlz_ink_grid *ink) {
    for (int f = 0; f < ink->num_found; f++)
        ink->covered[ink->found[f]] += ink->counts[ink->found[f]];
}

double dlz_ink_nearest(const dlz_ink_grid *ink, int class, double *x, double *y) {
    double best = INFINITY, from_x = *x, from_y = *y;
    for (int j = 0; j < ink->rows; j++)
        for (int i = 0; i < ink->columns; i++) {
            if (ink->owner[(size_t)j * (size_t)ink->columns + (size_t)i] != class)
                continue;
            double at_x = ink->frame.x + cell * (i + 0.5), at_y = ink->frame.y + cell * (j + 0.5);
            double distance = hypot(at_x - from_x, at_y - from_y);
            if (distance < best) {
                best = distance;
                *x = at_x;
                *y = at_y;
            }
        }
    return isfinite(best) ? best : 0;
}
