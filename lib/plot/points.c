/* The points of a map's panel. */
#include "plot/markers.h"
#include "plot/scatter.h"
#include "base/base.h"

#include <math.h>
#include <string.h>

enum { CHUNKS = 8, MOST_RINGS = 2000 };
static const double arrow = 12, thin = 0.9;

/* To a sixteenth of a point of the file: invisible, and half the digits in an SVG. */
static double grid_of(const dlz_scatter_view *view) {
    return 8 * view->canvas->unit;
}

static double snap(const dlz_scatter_view *view, double v) {
    double grid = grid_of(view);
    return view->canvas->vector ? round(v * grid) / grid : v;
}

static void add_marker(const dlz_scatter_view *view, int64_t i, dlz_look look) {
    dlz_look_path(view->canvas, look, snap(view, view->at[2 * i]), snap(view, view->at[2 * i + 1]),
                  view->diameter);
}

/* ---- Many in one path ------------------------------------------------------------------------ */

/* In a vector file, circles are the ends of lines without length: a fifth of the bytes. Squares and
 * diamonds are the ends of lines that are hardly there, and lie flat or aslant: square ends of none
 * are left out by some readers. */
static bool is_line_end(dlz_look look) {
    return !look.hollow &&
           (look.marker == DLVIZ_MARKER_CIRCLE || look.marker == DLVIZ_MARKER_SQUARE ||
            look.marker == DLVIZ_MARKER_DIAMOND);
}

static void add_to_path(const dlz_scatter_view *view, int64_t i) {
    dlz_look look = dlz_scatter_look(view, i);
    if (!is_line_end(look)) {
        add_marker(view, i, look);
        return;
    }
    double x = snap(view, view->at[2 * i]), y = snap(view, view->at[2 * i + 1]);
    double right = look.marker == DLVIZ_MARKER_CIRCLE ? 0 : 1 / grid_of(view);
    double down = look.marker == DLVIZ_MARKER_DIAMOND ? right : 0;
    cairo_move_to(view->canvas->cr, x, y);
    cairo_line_to(view->canvas->cr, x + right, y + down);
}

static void paint_path(const dlz_scatter_view *view, dlz_look look) {
    cairo_t *cr = view->canvas->cr;
    dlz_set_color(view->canvas, look.color, view->opacity);
    if (!is_line_end(look)) {
        cairo_fill(cr);
        return;
    }
    bool round_end = look.marker == DLVIZ_MARKER_CIRCLE;
    cairo_set_line_cap(cr, round_end ? CAIRO_LINE_CAP_ROUND : CAIRO_LINE_CAP_SQUARE);
    cairo_set_line_width(cr, round_end ? view->diameter : DLZ_SQUARE_SIDE * view->diameter);
    cairo_stroke(cr);
    cairo_set_line_cap(cr, CAIRO_LINE_CAP_BUTT);
}

/* Sorts points by their groups, that beneath all others first, and leaves their order otherwise:
 * counts, then deals. `starts` has room for the groups and one more. */
static void sort_by_group(const dlz_scatter_view *view, int64_t n, const int64_t *points,
                          int64_t *starts, int64_t *sorted) {
    int slots = view->num_groups;
    memset(starts, 0, (size_t)(slots + 1) * sizeof *starts);
    int last = view->beneath >= 0 ? slots - 1 : -1; /* that one is the last, and comes first */
    for (int64_t k = 0; k < n; k++) {
        int group = view->group_of[points[k]];
        starts[(group == last ? 0 : group + (last >= 0)) + 1]++;
    }
    for (int slot = 1; slot <= slots; slot++)
        starts[slot] += starts[slot - 1];
    for (int64_t k = 0; k < n; k++) {
        int group = view->group_of[points[k]];
        sorted[starts[group == last ? 0 : group + (last >= 0)]++] = points[k];
    }
}

/* Points of an added set, which look alike: with outlines. */
static void paint_outlined(const dlz_scatter_view *view, int64_t n, const int64_t *points,
                           int set) {
    dlz_look look = dlz_scatter_look(view, points[0]);
    for (int64_t k = 0; k < n; k++)
        if (dlz_scatter_is_inside(view, points[k]))
            add_marker(view, points[k], look);
    dlz_set_color(view->canvas, look.color, view->opacity);
    cairo_fill(view->canvas->cr);
    for (int64_t k = 0; k < n; k++)
        if (dlz_scatter_is_inside(view, points[k]))
            dlz_ring_path(view->canvas, look.marker, snap(view, view->at[2 * points[k]]),
                          snap(view, view->at[2 * points[k] + 1]), view->diameter, set);
    dlz_set_color(view->canvas, dlz_ink, 0.85);
    cairo_set_line_width(view->canvas->cr, thin);
    cairo_stroke(view->canvas->cr);
}

static void paint_group(const dlz_scatter_view *view, int64_t n, const int64_t *points, int set) {
    if (set > 0) {
        paint_outlined(view, n, points, set);
        return;
    }
    for (int64_t k = 0; k < n; k++)
        if (dlz_scatter_is_inside(view, points[k]))
            add_to_path(view, points[k]);
    paint_path(view, dlz_scatter_look(view, points[0]));
}

static void paint_chunk(const dlz_scatter_view *view, int64_t n, const int64_t *sorted, int set) {
    for (int64_t first = 0, end; first < n; first = end) {
        end = first + 1;
        while (end < n && view->group_of[sorted[end]] == view->group_of[sorted[first]])
            end++;
        paint_group(view, end - first, sorted + first, set);
    }
}

/* All points of a group in a chunk are one path. */
static dlviz_status draw_chunks(const dlz_scatter_view *view, int64_t begin, int64_t end, int set) {
    int64_t n = end - begin, chunks = n > 1000 ? CHUNKS : 1;
    int64_t *sorted = dlz_alloc_array((uint64_t)n, sizeof *sorted);
    int64_t *starts = dlz_alloc_array((uint64_t)view->num_groups + 1, sizeof *starts);
    for (int64_t chunk = 0; sorted && starts && chunk < chunks; chunk++) {
        int64_t first = n * chunk / chunks, count = n * (chunk + 1) / chunks - first;
        sort_by_group(view, count, view->order + begin + first, starts, sorted);
        paint_chunk(view, count, sorted, set);
    }
    bool done = sorted && starts;
    dlz_free(sorted);
    dlz_free(starts);
    return done ? DLVIZ_OK : dlz_fail_memory("the groups of points", (uint64_t)n * sizeof *sorted);
}

/* ---- One by one ------------------------------------------------------------------------------ */

static void draw_one_by_one(const dlz_scatter_view *view, int64_t begin, int64_t end, int set) {
    for (int64_t k = begin; k < end; k++) {
        int64_t i = view->order[k];
        if (set > 0) {
            paint_outlined(view, 1, &i, set);
        } else if (dlz_scatter_is_inside(view, i)) {
            dlz_look look = dlz_scatter_look(view, i);
            dlz_set_color(view->canvas, look.color, view->opacity);
            add_marker(view, i, look);
            cairo_fill(view->canvas->cr);
        }
    }
}

static dlviz_status draw_sets(const dlz_scatter_view *view) {
    const dlz_scatter *scatter = view->scatter;
    for (int set = 0; set <= scatter->num_sets; set++) {
        int64_t begin = set > 0 ? scatter->sets[set - 1].first : 0;
        int64_t end = set < scatter->num_sets ? scatter->sets[set].first : scatter->n;
        if (view->canvas->vector)
            DLZ_TRY(draw_chunks(view, begin, end, set));
        else
            draw_one_by_one(view, begin, end, set);
    }
    return DLVIZ_OK;
}

/* ---- Around points --------------------------------------------------------------------------- */

/* A ring around each place with several points, the larger the more there are. */
static void draw_rings(const dlz_scatter_view *view) {
    if (view->num_shared == 0 || view->num_shared > MOST_RINGS || view->column_y < 0)
        return;
    dlz_set_color(view->canvas, dlz_ink, 0.7);
    cairo_set_line_width(view->canvas->cr, 0.8);
    for (int64_t i = 0; i < view->scatter->n; i++) {
        if (view->shared[i] == 0 || !dlz_scatter_is_inside(view, i))
            continue;
        double growth = 1.2 + 0.45 * log2((double)view->shared[i]);
        dlz_marker_path(view->canvas, DLVIZ_MARKER_CIRCLE, snap(view, view->at[2 * i]),
                        snap(view, view->at[2 * i + 1]), growth * fmax(view->diameter, 4));
        cairo_stroke(view->canvas->cr);
    }
}

/* Where the way from the frame's middle to a point crosses its border. */
static void border_of(dlz_box frame, const double *at, double *x, double *y) {
    double middle_x = frame.x + frame.width / 2, middle_y = frame.y + frame.height / 2;
    double dx = at[0] - middle_x, dy = at[1] - middle_y, inset = 1.5;
    double share = fmin((frame.width / 2 - inset) / fmax(fabs(dx), 1e-9),
                        (frame.height / 2 - inset) / fmax(fabs(dy), 1e-9));
    *x = middle_x + share * dx;
    *y = middle_y + share * dy;
}

static void draw_arrows(const dlz_scatter_view *view) {
    dlz_box frame = view->frame;
    for (int64_t k = 0; view->extent.outside > 0 && k < view->scatter->n; k++) {
        int64_t i = view->order[k];
        if (dlz_scatter_is_inside(view, i))
            continue;
        double x, y;
        border_of(frame, view->at + 2 * i, &x, &y);
        dlz_arrow_path(view->canvas, frame.x + frame.width / 2, frame.y + frame.height / 2, x, y,
                       arrow);
        dlz_set_color(view->canvas, dlz_scatter_look(view, i).color, 1);
        cairo_fill_preserve(view->canvas->cr);
        dlz_set_color(view->canvas, dlz_ink, 0.85);
        cairo_set_line_width(view->canvas->cr, 0.6);
        cairo_stroke(view->canvas->cr);
    }
}

dlviz_status dlz_draw_points(const dlz_scatter_view *view) {
    cairo_t *cr = view->canvas->cr;
    cairo_save(cr);
    cairo_rectangle(cr, view->frame.x, view->frame.y, view->frame.width, view->frame.height);
    cairo_clip(cr);
    dlviz_status status = draw_sets(view);
    draw_rings(view);
    cairo_restore(cr);
    draw_arrows(view);
    return status;
}
