/* Class names on a map. A name lies on its class where the class is large enough to spare the room,
 * and else in the nearest free place, with a line to the class when that is not beside it. No
 * names together cover more than a part of what is seen of any class. */
#include "base/base.h"
#include "plot/scatter.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Unless it is set, only few classes are named; and never more than there could be room for. */
enum { MOST_MARKS = 40, MOST_NAMES = 256, STEP = 3 };

/* What may be covered of a class: at first, and where no place is found otherwise. */
static const double small_share = 0.1, large_share = 0.25;
/* Units that a name goes further for a place that is free rather than full of points. */
static const double way_to_free_place = 60;
/* Further away, a name says little of its class. */
static const double longest_way = 150;
static const double cell = 2, halo = 3, longest_name = 130, longest_gap = 8;

/* The drawn points as cells of two units: which class is seen in each. Classes are the view's
 * entries. */
typedef struct ink_grid {
    int columns, rows;
    int32_t *owner; /* a class, DLZ_NO_CLASS, or PAPER */
    int32_t *sums;  /* (rows + 1) x (columns + 1): cells with ink above and left of a corner */
    int64_t *seen, *covered; /* cells of each class */
    /* Of the cells that were counted last: how many each class has, and the classes that have any. */
    int32_t *counts, *found;
    int num_found;
} ink_grid;

enum { PAPER = -2 };

typedef struct mark {
    int class, label;
    bool placed;
    const char *name;
    char number[16];
    double size, x, y, width, height; /* x, y: its middle */
    double anchor_x, anchor_y;        /* the middle of what it names */
} mark;

/* Cells first_x ... last_x - 1, and likewise y. */
typedef struct cells {
    int first_x, last_x, first_y, last_y;
} cells;

/* ---- Ink ------------------------------------------------------------------------------------- */

static int clamp(double value, int most) {
    return (int)fmin(fmax(floor(value), 0), most);
}

static cells cells_of(const dlz_scatter_view *view, const ink_grid *ink, const mark *m) {
    double left = (m->x - m->width / 2 - view->frame.x) / cell;
    double top = (m->y - m->height / 2 - view->frame.y) / cell;
    return (cells){clamp(left, ink->columns), clamp(left + m->width / cell + 1, ink->columns),
                   clamp(top, ink->rows), clamp(top + m->height / cell + 1, ink->rows)};
}

static void add_disc(ink_grid *ink, double x, double y, double radius, int32_t class) {
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

static void add_up(ink_grid *ink) {
    size_t pitch = (size_t)ink->columns + 1;
    for (int j = 0; j < ink->rows; j++)
        for (int i = 0; i < ink->columns; i++) {
            int class = ink->owner[(size_t)j * (size_t)ink->columns + (size_t)i];
            int32_t *corner = ink->sums + ((size_t)j + 1) * pitch + (size_t)i + 1;
            corner[0] = (class != PAPER) + corner[-1] + *(corner - pitch) - *(corner - pitch - 1);
            if (class >= 0)
                ink->seen[class]++;
        }
}

static dlviz_status make_ink(const dlz_scatter_view *view, ink_grid *ink) {
    ink->columns = (int)ceil(view->frame.width / cell);
    ink->rows = (int)ceil(view->frame.height / cell);
    size_t count = (size_t)ink->columns * (size_t)ink->rows;
    size_t corners = ((size_t)ink->columns + 1) * ((size_t)ink->rows + 1);
    ink->owner = dlz_alloc_array(count, sizeof *ink->owner);
    ink->sums = dlz_alloc_array_zero(corners, sizeof *ink->sums);
    size_t classes = (size_t)view->classes;
    ink->seen = dlz_alloc_array_zero(classes, sizeof *ink->seen);
    ink->covered = dlz_alloc_array_zero(classes, sizeof *ink->covered);
    ink->counts = dlz_alloc_array_zero(classes, sizeof *ink->counts);
    ink->found = dlz_alloc_array(classes, sizeof *ink->found);
    if (!ink->owner || !ink->sums || !ink->seen || !ink->covered || !ink->counts || !ink->found)
        return dlz_fail_memory("the places of class names", 8 * corners + 24 * classes);
    for (size_t i = 0; i < count; i++)
        ink->owner[i] = PAPER;
    for (int64_t k = 0; k < view->scatter->n; k++) {
        int64_t i = view->order[k];
        const float *point = view->scatter->points + 2 * i;
        add_disc(ink, (dlz_scatter_x(view, point[0]) - view->frame.x) / cell,
                 (dlz_scatter_y(view, point[1]) - view->frame.y) / cell, view->diameter / 2 / cell,
                 dlz_scatter_entry(view, i));
    }
    add_up(ink);
    return DLVIZ_OK;
}

static void free_ink(ink_grid *ink) {
    void *const parts[] = {ink->owner, ink->sums, ink->seen, ink->covered, ink->counts, ink->found};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        dlz_free(parts[i]);
}

/* The part of the cells that has ink. */
static double ink_share(const ink_grid *ink, cells c) {
    size_t pitch = (size_t)ink->columns + 1;
    const int32_t *top = ink->sums + (size_t)c.first_y * pitch,
                  *bottom = ink->sums + (size_t)c.last_y * pitch;
    int32_t found = bottom[c.last_x] - bottom[c.first_x] - top[c.last_x] + top[c.first_x];
    int all = (c.last_x - c.first_x) * (c.last_y - c.first_y);
    return all > 0 ? (double)found / all : 0;
}

static void count_cells(ink_grid *ink, cells c) {
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

/* Whether each class would keep all but this share of what is seen of it, were the cells that were
 * counted covered. */
static bool leaves_enough(const ink_grid *ink, double share) {
    for (int f = 0; f < ink->num_found; f++) {
        int class = ink->found[f];
        if ((double)(ink->covered[class] + ink->counts[class]) > share * (double)ink->seen[class])
            return false;
    }
    return true;
}

/* ---- Places ---------------------------------------------------------------------------------- */

static bool is_inside(const mark *m, dlz_box frame) {
    return m->x - m->width / 2 >= frame.x && m->x + m->width / 2 <= frame.x + frame.width &&
           m->y - m->height / 2 >= frame.y && m->y + m->height / 2 <= frame.y + frame.height;
}

static bool meets_another(const mark *marks, int count, const mark *m) {
    for (int i = 0; i < count; i++)
        if (marks[i].placed && fabs(marks[i].x - m->x) < (marks[i].width + m->width) / 2 &&
            fabs(marks[i].y - m->y) < (marks[i].height + m->height) / 2)
            return true;
    return false;
}

static void settle(const dlz_scatter_view *view, ink_grid *ink, mark *m) {
    count_cells(ink, cells_of(view, ink, m));
    for (int f = 0; f < ink->num_found; f++)
        ink->covered[ink->found[f]] += ink->counts[ink->found[f]];
    m->placed = true;
}

/* The visible part of a class that is the nearest to a place; the place itself when nothing of the
 * class is seen. Returns the distance. */
static double nearest_part(const dlz_scatter_view *view, const ink_grid *ink, int class, double *x,
                           double *y) {
    double best = INFINITY, from_x = *x, from_y = *y;
    for (int j = 0; j < ink->rows; j++)
        for (int i = 0; i < ink->columns; i++) {
            if (ink->owner[(size_t)j * (size_t)ink->columns + (size_t)i] != class)
                continue;
            double at_x = view->frame.x + cell * (i + 0.5), at_y = view->frame.y + cell * (j + 0.5);
            double distance = hypot(at_x - from_x, at_y - from_y);
            if (distance < best) {
                best = distance;
                *x = at_x;
                *y = at_y;
            }
        }
    return isfinite(best) ? best : 0;
}

/* On its class, in its middle, when most of what it covers there is of that class. A class whose
 * middle is empty or another's, as a ring's, is named at the part nearest to it. */
static void place_on_class(const dlz_scatter_view *view, ink_grid *ink, mark *marks, int count,
                           mark *m) {
    dlz_box frame = view->frame;
    for (int attempt = 0; attempt < 2; attempt++) {
        m->x =
            fmin(fmax(m->anchor_x, frame.x + m->width / 2), frame.x + frame.width - m->width / 2);
        m->y = fmin(fmax(m->anchor_y, frame.y + m->height / 2),
                    frame.y + frame.height - m->height / 2);
        int32_t others = 0;
        count_cells(ink, cells_of(view, ink, m));
        for (int f = 0; f < ink->num_found; f++)
            others += ink->found[f] != m->class ? ink->counts[ink->found[f]] : 0;
        if (ink->counts[m->class] > others) {
            if (is_inside(m, frame) && leaves_enough(ink, small_share) &&
                !meets_another(marks, count, m))
                settle(view, ink, m);
            return;
        }
        nearest_part(view, ink, m->class, &m->anchor_x, &m->anchor_y);
    }
}

/* What a place costs: the way to the class, and points that it covers. Of equal places the one to
 * the right comes first, then above, below and left. */
static double cost(const dlz_scatter_view *view, const ink_grid *ink, const mark *m) {
    double dx = m->x - m->anchor_x, dy = m->y - m->anchor_y, length = hypot(dx, dy);
    double gap = hypot(fmax(fabs(dx) - m->width / 2, 0), fmax(fabs(dy) - m->height / 2, 0));
    double turn = length > 0 ? 6 * (1 - dx / length) + fmax(dy, 0) / length : 0;
    return gap + 0.1 * length + turn + way_to_free_place * ink_share(ink, cells_of(view, ink, m));
}

/* The cheapest place, looked for in growing squares around the class. */
static void place_near_class(const dlz_scatter_view *view, ink_grid *ink, mark *marks, int count,
                             mark *m, double share) {
    double best = INFINITY, reach = fmax(m->width, m->height) / 2;
    mark found = *m;
    for (int ring = 0; STEP * ring - reach < fmin(best, longest_way); ring++)
        for (int j = -ring; j <= ring; j++)
            for (int i = -ring; i <= ring; i += abs(j) == ring || ring == 0 ? 1 : 2 * ring) {
                m->x = m->anchor_x + STEP * i;
                m->y = m->anchor_y + STEP * j;
                if (!is_inside(m, view->frame))
                    continue;
                double price = cost(view, ink, m);
                if (price >= best || meets_another(marks, count, m))
                    continue;
                count_cells(ink, cells_of(view, ink, m));
                if (!leaves_enough(ink, share))
                    continue;
                best = price;
                found = *m;
            }
    *m = found;
    if (isfinite(best))
        settle(view, ink, m);
}

/* ---- Names ----------------------------------------------------------------------------------- */

static int compare_floats(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static double median(float *values, int64_t n) {
    qsort(values, (size_t)n, sizeof *values, compare_floats);
    return n % 2 ? values[n / 2] : values[n / 2 - 1] + (values[n / 2] - values[n / 2 - 1]) / 2;
}

static double class_median(const dlz_scatter_view *view, int class, int axis, float *values) {
    int64_t found = 0;
    for (int64_t i = 0; i < view->scatter->n; i++)
        if (dlz_scatter_entry(view, i) == class)
            values[found++] = view->scatter->points[2 * i + axis];
    return median(values, found);
}

static void name_class(const dlz_scatter_view *view, int class, float *values, mark *m) {
    *m = (mark){.class = class, .label = view->entries[class].label};
    m->name = dlz_class_name(view->figure, m->label, m->number);
    m->size = strlen(m->name) <= 2 ? 19 : 14;
    double width = dlz_text_width(view->canvas, m->name, m->size, true);
    m->width = fmin(width, longest_name) + 5;
    m->height = 1.05 * m->size;
    m->anchor_x = dlz_scatter_x(view, class_median(view, class, 0, values));
    m->anchor_y = dlz_scatter_y(view, class_median(view, class, 1, values));
}

/* Names on classes come first: they have one place each. A name for which there is no place even
 * at the larger share is left to the legend. */
static void place(const dlz_scatter_view *view, ink_grid *ink, mark *marks, int count) {
    const double shares[] = {small_share, large_share};
    for (int i = 0; i < count; i++)
        place_on_class(view, ink, marks, count, &marks[i]);
    for (int s = 0; s < 2; s++)
        for (int i = 0; i < count; i++)
            if (!marks[i].placed)
                place_near_class(view, ink, marks, count, &marks[i], shares[s]);
}

static dlz_color name_color(const mark *m) {
    return dlz_color_mix(dlz_class_color(m->label), dlz_ink, 0.7);
}

static void draw_line(const dlz_scatter_view *view, const ink_grid *ink, const mark *m) {
    double x = m->x, y = m->y;
    nearest_part(view, ink, m->class, &x, &y);
    double from_x = fmin(fmax(x, m->x - m->width / 2), m->x + m->width / 2);
    double from_y = fmin(fmax(y, m->y - m->height / 2), m->y + m->height / 2);
    if (hypot(x - from_x, y - from_y) > longest_gap)
        dlz_stroke_line(view->canvas, from_x, from_y, x, y, name_color(m), 0.8);
}

static void draw_name(const dlz_scatter_view *view, const mark *m) {
    dlz_text(view->canvas, m->x, m->y, m->name,
             (dlz_style){.size = m->size,
                         .bold = true,
                         .color = name_color(m),
                         .align = 0.5,
                         .halo = halo,
                         .most = longest_name});
}

static int by_size(const void *a, const void *b) {
    const dlz_entry *x = *(const dlz_entry *const *)a, *y = *(const dlz_entry *const *)b;
    return x->size != y->size ? (x->size < y->size) - (x->size > y->size)
                              : (x->label > y->label) - (x->label < y->label);
}

/* The `count` largest classes, the first of equal ones, in their order. */
static dlviz_status choose_classes(const dlz_scatter_view *view, int count, float *values,
                                   mark *marks) {
    const dlz_entry **all = dlz_alloc_array((uint64_t)view->classes, sizeof *all);
    bool *chosen = dlz_alloc_array_zero((uint64_t)view->classes, sizeof *chosen);
    if (all && chosen) {
        for (int class = 0; class < view->classes; class ++)
            all[class] = &view->entries[class];
        qsort(all, (size_t)view->classes, sizeof *all, by_size);
        for (int i = 0; i < count; i++)
            chosen[all[i] - view->entries] = true;
        for (int class = 0, at = 0; class < view->classes; class ++)
            if (chosen[class])
                name_class(view, class, values, &marks[at++]);
    }
    dlviz_status status = all && chosen ? DLVIZ_OK
                                        : dlz_fail_memory("the largest classes",
                                                          (uint64_t)view->classes * sizeof *all);
    dlz_free(all);
    dlz_free(chosen);
    return status;
}

static dlviz_status place_and_draw(const dlz_scatter_view *view, int count, mark *marks,
                                   ink_grid *ink) {
    float *values = dlz_alloc_array((uint64_t)view->scatter->n, sizeof *values);
    if (!values)
        return dlz_fail_memory("class medians", (uint64_t)view->scatter->n * sizeof *values);
    dlviz_status status = choose_classes(view, count, values, marks);
    dlz_free(values);
    DLZ_TRY(status);
    DLZ_TRY(make_ink(view, ink));
    place(view, ink, marks, count);
    for (int i = 0; i < count; i++)
        if (marks[i].placed)
            draw_line(view, ink, &marks[i]);
    for (int i = 0; i < count; i++)
        if (marks[i].placed)
            draw_name(view, &marks[i]);
    return DLVIZ_OK;
}

dlviz_status dlz_draw_marks(const dlz_scatter_view *view) {
    int wanted = view->scatter->marks;
    if (view->classes == 0 || !(wanted == -1 ? view->classes <= MOST_MARKS : wanted))
        return DLVIZ_OK;
    int count = view->classes < MOST_NAMES ? view->classes : MOST_NAMES;
    mark *marks = dlz_alloc_array((uint64_t)count, sizeof *marks);
    if (!marks)
        return dlz_fail_memory("class names", (uint64_t)count * sizeof *marks);
    ink_grid ink = {0};
    dlviz_status status = place_and_draw(view, count, marks, &ink);
    free_ink(&ink);
    dlz_free(marks);
    return status;
}
