/* Class names on a map. A name lies on its class where the class is large enough to spare the room,
 * and else in the nearest free place, with a line to the class where that could be another's. No
 * names together cover more than a part of what is seen of any class. */
#include "base/base.h"
#include "plot/thumbnails.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Never more than there could be room for; smaller the more there are. */
enum { MOST_NAMES = 256, MANY_NAMES = 20, STEP = 3 };

/* What may be covered of a class: at first, and where no place is found otherwise. */
static const double small_share = 0.1, large_share = 0.25;
/* Units that a name goes further for a place that is free rather than full of points. */
static const double way_to_free_place = 60, way_among_many = 160;
/* Further away than this many of its heights, a name says little of its class. Where names would
 * take more than this part of the frame, they have to stay nearer. */
static const double longest_way = 8, crowded_share = 0.15;
static const double halo = 3, longest_name = 130, longest_gap = 6;

typedef struct mark {
    int class, label;
    bool placed;
    const char *name;
    char number[16];
    double size, x, y, width, height; /* x, y: its middle */
    double anchor_x, anchor_y;        /* the middle of what it names */
} mark;

static dlz_box box_of(const mark *m) {
    return (dlz_box){m->x - m->width / 2, m->y - m->height / 2, m->width, m->height};
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

static void settle(dlz_ink_grid *ink, mark *m) {
    dlz_ink_count(ink, box_of(m));
    dlz_ink_cover(ink);
    m->placed = true;
}

/* On its class, in its middle, when most of what it covers there is of that class. A class whose
 * middle is empty or another's, as a ring's, is named at the part nearest to it. */
static void place_on_class(const dlz_scatter_view *view, dlz_ink_grid *ink, mark *marks, int count,
                           mark *m) {
    dlz_box frame = view->frame;
    for (int attempt = 0; attempt < 2; attempt++) {
        m->x =
            fmin(fmax(m->anchor_x, frame.x + m->width / 2), frame.x + frame.width - m->width / 2);
        m->y = fmin(fmax(m->anchor_y, frame.y + m->height / 2),
                    frame.y + frame.height - m->height / 2);
        int32_t others = 0;
        dlz_ink_count(ink, box_of(m));
        for (int f = 0; f < ink->num_found; f++)
            others += ink->found[f] != m->class ? ink->counts[ink->found[f]] : 0;
        if (ink->counts[m->class] > others) {
            if (is_inside(m, frame) && dlz_ink_leaves_enough(ink, small_share) &&
                !meets_another(marks, count, m))
                settle(ink, m);
            return;
        }
        dlz_ink_nearest(ink, m->class, &m->anchor_x, &m->anchor_y);
    }
}

/* What a place costs: the way to the class, and points that it covers. Of equal places the one to
 * the right comes first, then above, below and left. */
static double cost(const dlz_ink_grid *ink, const mark *m, double way_to_free) {
    double dx = m->x - m->anchor_x, dy = m->y - m->anchor_y, length = hypot(dx, dy);
    double gap = hypot(fmax(fabs(dx) - m->width / 2, 0), fmax(fabs(dy) - m->height / 2, 0));
    double turn = length > 0 ? 6 * (1 - dx / length) + fmax(dy, 0) / length : 0;
    return gap + 0.1 * length + turn + way_to_free * dlz_ink_share(ink, box_of(m));
}

/* The cheapest place, looked for in growing squares around the class. */
static void place_near_class(const dlz_scatter_view *view, dlz_ink_grid *ink, mark *marks,
                             int count, mark *m, double share, double way) {
    double best = INFINITY, reach = fmax(m->width, m->height) / 2;
    mark found = *m;
    for (int ring = 0; STEP * ring - reach < fmin(best, way); ring++)
        for (int j = -ring; j <= ring; j++)
            for (int i = -ring; i <= ring; i += abs(j) == ring || ring == 0 ? 1 : 2 * ring) {
                m->x = m->anchor_x + STEP * i;
                m->y = m->anchor_y + STEP * j;
                if (!is_inside(m, view->frame))
                    continue;
                double price =
                    cost(ink, m, count > MANY_NAMES ? way_among_many : way_to_free_place);
                if (price >= best || meets_another(marks, count, m))
                    continue;
                dlz_ink_count(ink, box_of(m));
                if (!dlz_ink_leaves_enough(ink, share))
                    continue;
                best = price;
                found = *m;
            }
    *m = found;
    if (isfinite(best))
        settle(ink, m);
}

/* ---- Names ----------------------------------------------------------------------------------- */

static int compare_numbers(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int64_t n) {
    qsort(values, (size_t)n, sizeof *values, compare_numbers);
    return n % 2 ? values[n / 2] : values[n / 2 - 1] + (values[n / 2] - values[n / 2 - 1]) / 2;
}

/* Where each class's points begin in a list of them all, sorted by class; `classes` + 1. */
static void list_by_class(const dlz_scatter_view *view, int64_t *starts, int64_t *list) {
    memset(starts, 0, ((size_t)view->classes + 1) * sizeof *starts);
    for (int64_t i = 0; i < view->scatter->n; i++)
        if (view->entry_of[i] >= 0)
            starts[view->entry_of[i]]++;
    int64_t end = 0;
    for (int class = 0; class <= view->classes; class ++) {
        end += class < view->classes ? starts[class] : 0;
        starts[class] = end;
    }
    for (int64_t i = view->scatter->n - 1; i >= 0; i--)
        if (view->entry_of[i] >= 0)
            list[--starts[view->entry_of[i]]] = i;
}

typedef struct class_lists {
    int64_t *starts, *points;
    double *values; /* room for all points */
} class_lists;

/* The middle of the points that are inside the frame, or else of all. */
static double class_median(const dlz_scatter_view *view, const class_lists *lists, int class,
                           int axis) {
    int64_t found = 0;
    for (int all = 0; all < 2 && found == 0; all++)
        for (int64_t k = lists->starts[class]; k < lists->starts[class + 1]; k++) {
            int64_t i = lists->points[k];
            if (all || dlz_scatter_is_inside(view, i))
                lists->values[found++] = view->at[2 * i + axis];
        }
    return median(lists->values, found);
}

static double size_of_name(const char *name, int count) {
    if (count > 100)
        return 9;
    if (count > 40)
        return 11;
    return strlen(name) <= 2 ? (count > MANY_NAMES ? 16 : 19) : (count > MANY_NAMES ? 12 : 14);
}

static void name_class(const dlz_scatter_view *view, const class_lists *lists, int class, int count,
                       mark *m) {
    *m = (mark){.class = class, .label = view->entries[class].label};
    m->name = dlz_class_name(view->figure, m->label, m->number);
    m->size = size_of_name(m->name, count);
    double width = dlz_text_width(view->canvas, m->name, m->size, true);
    m->width = fmin(width, longest_name) + 5;
    m->height = 1.05 * m->size;
    m->anchor_x = class_median(view, lists, class, 0);
    m->anchor_y = class_median(view, lists, class, 1);
}

/* How far names may go, in their heights. */
static double way_of(const dlz_scatter_view *view, const mark *marks, int count) {
    double area = 0;
    for (int i = 0; i < count; i++)
        area += marks[i].width * marks[i].height;
    double share = area / (view->frame.width * view->frame.height);
    double room = crowded_share / fmax(share, 1e-9);
    return longest_way * fmin(1, room * room);
}

/* Names on classes come first: they have one place each. A name for which there is no place even
 * at the larger share is left to the legend. */
static void place(const dlz_scatter_view *view, dlz_ink_grid *ink, mark *marks, int count) {
    const double shares[] = {small_share, large_share}, way = way_of(view, marks, count);
    for (int i = 0; i < count; i++)
        place_on_class(view, ink, marks, count, &marks[i]);
    for (int s = 0; s < 2; s++)
        for (int i = 0; i < count; i++)
            if (!marks[i].placed)
                place_near_class(view, ink, marks, count, &marks[i], shares[s],
                                 way * marks[i].size);
}

static dlz_color name_color(const dlz_scatter_view *view, const mark *m) {
    return dlz_color_mix(dlz_look_of(view->scatter, m->label).color, dlz_ink, 0.6);
}

/* Whether most of what is next to a name is of other classes. */
static bool is_ambiguous(dlz_ink_grid *ink, const mark *m) {
    dlz_box around = {m->x - m->width / 2 - longest_gap, m->y - m->height / 2 - longest_gap,
                      m->width + 2 * longest_gap, m->height + 2 * longest_gap};
    int64_t all = 0;
    dlz_ink_count(ink, around);
    for (int f = 0; f < ink->num_found; f++)
        all += ink->counts[ink->found[f]];
    return all > 0 && 2 * ink->counts[m->class] < all;
}

/* From the name's border to a place. */
static void start_of_line(const mark *m, double to_x, double to_y, double *x, double *y) {
    *x = fmin(fmax(to_x, m->x - m->width / 2), m->x + m->width / 2);
    *y = fmin(fmax(to_y, m->y - m->height / 2), m->y + m->height / 2);
}

/* A name that is away from its class has a line to where the class begins; one that is nearer to
 * others, to where the class is seen next to its middle. */
static void draw_line(const dlz_scatter_view *view, dlz_ink_grid *ink, const mark *m) {
    double x = m->x, y = m->y, from_x, from_y;
    bool lies_on_class = fabs(m->anchor_x - m->x) < 1 && fabs(m->anchor_y - m->y) < 1;
    bool ambiguous = !lies_on_class && is_ambiguous(ink, m);
    if (ambiguous) {
        x = m->anchor_x;
        y = m->anchor_y;
    }
    dlz_ink_nearest(ink, m->class, &x, &y);
    start_of_line(m, x, y, &from_x, &from_y);
    if (hypot(x - from_x, y - from_y) <= (ambiguous ? 2 : longest_gap))
        return;
    dlz_set_color(view->canvas, dlz_paper, 0.75);
    cairo_set_line_width(view->canvas->cr, 2.6);
    cairo_move_to(view->canvas->cr, from_x, from_y);
    cairo_line_to(view->canvas->cr, x, y);
    cairo_stroke(view->canvas->cr);
    dlz_stroke_line(view->canvas, from_x, from_y, x, y, name_color(view, m), 0.9);
}

static void draw_name(const dlz_scatter_view *view, const mark *m) {
    dlz_text(view->canvas, m->x, m->y, m->name,
             (dlz_style){.size = m->size,
                         .bold = true,
                         .color = name_color(view, m),
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
static dlviz_status choose_classes(const dlz_scatter_view *view, int count,
                                   const class_lists *lists, mark *marks) {
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
                name_class(view, lists, class, count, &marks[at++]);
    }
    dlviz_status status = all && chosen ? DLVIZ_OK
                                        : dlz_fail_memory("the largest classes",
                                                          (uint64_t)view->classes * sizeof *all);
    dlz_free(all);
    dlz_free(chosen);
    return status;
}

static dlviz_status name_classes(const dlz_scatter_view *view, int count, mark *marks) {
    uint64_t n = (uint64_t)view->scatter->n;
    class_lists lists = {dlz_alloc_array((uint64_t)view->classes + 1, sizeof(int64_t)),
                         dlz_alloc_array(n, sizeof(int64_t)), dlz_alloc_array(n, sizeof(double))};
    dlviz_status status = DLVIZ_OK;
    if (lists.starts && lists.points && lists.values) {
        list_by_class(view, lists.starts, lists.points);
        status = choose_classes(view, count, &lists, marks);
    } else {
        status = dlz_fail_memory("class medians", 16 * n);
    }
    dlz_free(lists.starts);
    dlz_free(lists.points);
    dlz_free(lists.values);
    return status;
}

static dlviz_status place_and_draw(const dlz_scatter_view *view, int count, mark *marks,
                                   dlz_box *taken) {
    dlz_ink_grid ink = {0};
    if (count > 0)
        DLZ_TRY(name_classes(view, count, marks));
    dlviz_status status = dlz_ink_make(&ink, view);
    if (status == DLVIZ_OK) {
        place(view, &ink, marks, count);
        int num_taken = 0;
        for (int i = 0; i < count; i++)
            if (marks[i].placed)
                taken[num_taken++] = box_of(&marks[i]);
        status = dlz_draw_thumbnails(view, &ink, num_taken, taken);
    }
    for (int i = 0; status == DLVIZ_OK && i < count; i++)
        if (marks[i].placed)
            draw_line(view, &ink, &marks[i]);
    for (int i = 0; status == DLVIZ_OK && i < count; i++)
        if (marks[i].placed)
            draw_name(view, &marks[i]);
    dlz_ink_free(&ink);
    return status;
}

dlviz_status dlz_draw_marks(const dlz_scatter_view *view) {
    int wanted = view->scatter->marks, count = 0;
    if (wanted == -1 ? view->classes <= MOST_NAMES : wanted)
        count = view->classes < MOST_NAMES ? view->classes : MOST_NAMES;
    if (count == 0 && !view->scatter->thumbnails)
        return DLVIZ_OK;
    mark *marks = dlz_alloc_array((uint64_t)count + 1, sizeof *marks);
    dlz_box *taken = dlz_alloc_array((uint64_t)count + 1, sizeof *taken);
    dlviz_status status = marks && taken
                              ? place_and_draw(view, count, marks, taken)
                              : dlz_fail_memory("class names", (uint64_t)count * sizeof *marks);
    dlz_free(marks);
    dlz_free(taken);
    return status;
}
