/* Maps of points: their panels, axes and what stands around them. */
#include "plot/scatter.h"
#include "plot/places.h"
#include "plot/strip.h"
#include "base/base.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef dlz_scatter_view scatter_view;

static const double name_room = 22, tick_room = 20, note_room = 17, gap = 14, axis_size = 13.5;
/* How far points stay from the frame, and the sizes that a frame may take by itself. */
static const double padding = 0.035, lowest_frame = 290, highest_frame = 756, strip_height = 250;
/* Room for a legend below the map, of a figure that chooses its size, and of others as a share. */
static const double lowest_room = 600, lowest_share = 0.45;
enum { MOST_SIDE_COLUMNS = 4, MOST_COLUMNS = 16, LONGEST_NAME = 4200, LONGEST_NOTE = 240 };

/* ---- Axes ------------------------------------------------------------------------------------ */

/* Units a number of the map takes: one scale for all columns and panels. */
static double scale_of(const scatter_view *view) {
    const dlz_extent *extent = &view->extent;
    int dims = view->scatter->dims;
    double per_unit = 0, largest = 0;
    for (int k = 0; k < dims; k++) {
        double width = view->frame.width, height = view->frame.height;
        /* Of three columns, the first is seen across, the last upwards, the second both ways. */
        double room = k == 0 ? width : k == dims - 1 ? height : fmin(width, height);
        room -= view->diameter;
        per_unit = fmax(per_unit, (extent->high[k] - extent->low[k]) / fmax(room, 1));
        largest = fmax(largest, fmax(fabs(extent->low[k]), fabs(extent->high[k])));
    }
    /* All points in one place, as far as a float can tell, still need a range. */
    double least = fmin(view->frame.width, view->frame.height);
    if (per_unit * view->frame.width <= largest * 1e-7)
        per_unit = (largest > 0 ? largest * 0.1 : 1) / least;
    return per_unit * (1 + 2 * padding);
}

static void fit_axis(const scatter_view *view, dlz_axis *axis, int column, double length,
                     double per_unit, int ticks) {
    double low = view->extent.low[column], high = view->extent.high[column];
    double middle = low + (high - low) / 2, half = per_unit * length / 2;
    *axis = (dlz_axis){.low = middle - half, .high = middle + half};
    dlz_axis_place_ticks(axis, ticks, false);
}

static void fit_axes(scatter_view *view) {
    double per_unit = scale_of(view);
    bool small = view->scatter->dims == 3;
    fit_axis(view, &view->x, view->column_x, view->frame.width, per_unit, small ? 5 : 8);
    view->y = (dlz_axis){.low = -1, .high = 1};
    if (view->column_y >= 0)
        fit_axis(view, &view->y, view->column_y, view->frame.height, per_unit, small ? 5 : 7);
}

static double widest_tick(const scatter_view *view) {
    double widest = 0;
    for (int i = 0; i < view->y.count; i++)
        widest = fmax(widest, dlz_tick_width(view->canvas, &view->y.ticks[i], 12));
    return widest;
}

static double x_of(const scatter_view *view, double value) {
    return view->frame.x + view->frame.width * dlz_axis_at(&view->x, value);
}

static double y_of(const scatter_view *view, double value) {
    return view->frame.y + view->frame.height * (1 - dlz_axis_at(&view->y, value));
}

static void draw_ticks(const scatter_view *view) {
    const dlz_box frame = view->frame;
    for (int i = 0; i < view->x.count; i++) {
        double x = x_of(view, view->x.ticks[i].value);
        dlz_stroke_line(view->canvas, x, frame.y, x, frame.y + frame.height, dlz_line, 0.8);
        dlz_tick_text(view->canvas, x, frame.y + frame.height + 11, &view->x.ticks[i],
                      (dlz_style){.size = 12, .color = dlz_soft_ink, .align = 0.5});
    }
    for (int i = 0; i < view->y.count; i++) {
        double y = y_of(view, view->y.ticks[i].value);
        dlz_stroke_line(view->canvas, frame.x, y, frame.x + frame.width, y, dlz_line, 0.8);
        dlz_tick_text(view->canvas, frame.x - 6, y, &view->y.ticks[i],
                      (dlz_style){.size = 12, .color = dlz_soft_ink, .align = 1});
    }
}

/* "t-SNE 3" after "t-SNE 1" and "t-SNE 2". */
static void third_name(const scatter_view *view, char name[LONGEST_NAME]) {
    const char *first = view->figure->x_label, *second = view->figure->y_label;
    size_t length = first ? strlen(first) : 0;
    bool counted = first && second && length == strlen(second) && length > 1 &&
                   first[length - 1] == '1' && second[length - 1] == '2' &&
                   first[length - 2] == ' ' && memcmp(first, second, length - 1) == 0;
    if (counted)
        snprintf(name, LONGEST_NAME, "%.*s3", (int)(length - 1), first);
}

/* The name of a column's axis, "" for none. */
static const char *axis_name(const scatter_view *view, int column, char text[LONGEST_NAME]) {
    const dlz_scatter *scatter = view->scatter;
    text[0] = '\0';
    if (column < 0)
        return text;
    const char *given = column == 0   ? view->figure->x_label
                        : column == 1 ? view->figure->y_label
                                      : NULL;
    bool has_share = column < scatter->num_shares;
    if (given)
        snprintf(text, LONGEST_NAME, "%s", given);
    else if (column == 2)
        third_name(view, text);
    if (!text[0] && (has_share || scatter->dims == 3))
        snprintf(text, LONGEST_NAME, has_share ? "PC %d" : "dimension %d", column + 1);
    if (has_share) {
        long tenths = lround(1000 * scatter->shares[column]);
        size_t used = strlen(text);
        snprintf(text + used, LONGEST_NAME - used, " (%ld.%ld %%)", tenths / 10, tenths % 10);
    }
    return text;
}

static bool has_name(const scatter_view *view, int column) {
    char text[LONGEST_NAME];
    return axis_name(view, column, text)[0] != '\0';
}

static void draw_axis_names(const scatter_view *view, double left, bool below) {
    char text[LONGEST_NAME];
    dlz_box frame = view->frame;
    dlz_style style = {.size = axis_size, .color = dlz_ink, .align = 0.5, .most = frame.width};
    if (below)
        dlz_text(view->canvas, frame.x + frame.width / 2,
                 frame.y + frame.height + (view->scatter->ticks ? tick_room : 0) + name_room - 8,
                 axis_name(view, view->column_x, text), style);
    style.turn = -M_PI / 2;
    style.most = frame.height;
    if (left > 0)
        dlz_text(view->canvas, frame.x - left + 8, frame.y + frame.height / 2,
                 axis_name(view, view->column_y, text), style);
}

/* ---- Panels ---------------------------------------------------------------------------------- */

static void choose_look(scatter_view *view) {
    int64_t n = view->scatter->n;
    double area = view->frame.width * view->frame.height;
    view->diameter = view->scatter->point_size / view->canvas->unit;
    if (view->diameter == 0)
        view->diameter = fmin(fmax(sqrt(0.4 * area / (double)n), 1.1), 9);
    view->opacity = view->scatter->opacity;
    if (view->opacity == 0)
        view->opacity = fmin(fmax(1.1 - 0.1 * log10((double)n), 0.35), 0.9);
    view->plain = view->diameter < 3 && view->scatter->num_markers == 0;
    for (int i = 0; view->plain && i < view->num_groups; i++) {
        view->looks[i].marker = DLVIZ_MARKER_CIRCLE;
        view->looks[i].hollow = false;
    }
}

static dlviz_status place_points(scatter_view *view) {
    const dlz_scatter *scatter = view->scatter;
    for (int64_t i = 0; i < scatter->n; i++) {
        const float *point = scatter->points + i * scatter->dims;
        view->at[2 * i] = x_of(view, (double)point[view->column_x]);
        view->at[2 * i + 1] = view->column_y < 0 ? 0 : y_of(view, (double)point[view->column_y]);
    }
    if (view->column_y >= 0)
        return DLVIZ_OK;
    double *x = dlz_alloc_array((uint64_t)scatter->n, 2 * sizeof *x);
    if (!x)
        return dlz_fail_memory("the stacks of a strip", (uint64_t)scatter->n * 2 * sizeof *x);
    double *y = x + scatter->n;
    for (int64_t i = 0; i < scatter->n; i++)
        x[i] = view->at[2 * i];
    dlviz_status status = dlz_stack(scatter->n, x, view->entry_of, view->outside, view->diameter,
                                    view->frame.height - 8, y);
    for (int64_t i = 0; status == DLVIZ_OK && i < scatter->n; i++)
        view->at[2 * i + 1] = view->frame.y + view->frame.height / 2 - y[i];
    dlz_free(x);
    return status;
}

/* To whole pixels, so that the frame's lines are sharp. */
static dlz_box snap(const scatter_view *view, dlz_box box) {
    double unit = view->canvas->unit;
    double left = round(box.x * unit) / unit, top = round(box.y * unit) / unit;
    return (dlz_box){left, top, round((box.x + box.width) * unit) / unit - left,
                     round((box.y + box.height) * unit) / unit - top};
}

static dlviz_status draw_panel(scatter_view *view, int column_x, int column_y, dlz_box frame,
                               double left, bool below) {
    view->column_x = column_x;
    view->column_y = column_y;
    view->frame = frame = snap(view, frame);
    fit_axes(view);
    DLZ_TRY(place_points(view));
    if (view->scatter->ticks)
        draw_ticks(view);
    draw_axis_names(view, left, below);
    DLZ_TRY(dlz_draw_points(view));
    DLZ_TRY(dlz_draw_marks(view));
    dlz_stroke_box(view->canvas, frame, dlz_color_mix(dlz_line, dlz_ink, 0.25), 1);
    return DLVIZ_OK;
}

/* ---- Notes ----------------------------------------------------------------------------------- */

static int64_t the_one_outside(const scatter_view *view) {
    int64_t i = 0;
    while (!view->outside[i])
        i++;
    return i;
}

static void add_note(char note[LONGEST_NOTE], const char *text) {
    size_t used = strlen(note);
    snprintf(note + used, LONGEST_NOTE - used, "%s%s", used > 0 ? " \xC2\xB7 " : "", text);
}

/* What the map does not show by itself; "" where it does. */
static void make_note(const scatter_view *view, char note[LONGEST_NOTE]) {
    const dlz_scatter *scatter = view->scatter;
    long long outside = (long long)view->extent.outside;
    char text[160], numbers[3][DLZ_NUMBER_SIZE];
    note[0] = '\0';
    if (outside == 1) {
        const float *point = scatter->points + the_one_outside(view) * scatter->dims;
        for (int k = 0; k < scatter->dims; k++)
            dlz_number(numbers[k], (double)point[k], 3);
        snprintf(text, sizeof text, "1 point outside, at (%s%s%s%s%s)", numbers[0],
                 scatter->dims > 1 ? ", " : "", scatter->dims > 1 ? numbers[1] : "",
                 scatter->dims > 2 ? ", " : "", scatter->dims > 2 ? numbers[2] : "");
        add_note(note, text);
    } else if (outside > 1) {
        snprintf(text, sizeof text, "%lld points outside", outside);
        add_note(note, text);
    }
    if (view->num_places < scatter->n && scatter->dims > 1) {
        snprintf(text, sizeof text, "%lld points at %lld place%s", (long long)scatter->n,
                 (long long)view->num_places, view->num_places == 1 ? "" : "s");
        add_note(note, text);
    }
    if (view->values_outside > 0) {
        snprintf(text, sizeof text, "%lld value%s beyond the bar", (long long)view->values_outside,
                 view->values_outside == 1 ? "" : "s");
        add_note(note, text);
    }
    if (view->values_missing > 0) {
        snprintf(text, sizeof text, "%lld without a value", (long long)view->values_missing);
        add_note(note, text);
    }
}

/* ---- Layout ---------------------------------------------------------------------------------- */

typedef struct layout {
    double left, below, right; /* around a panel: names and numbers; legend or bar */
    bool bottom;               /* the legend is below the map */
    dlz_legend legend;
    double bottom_height, note;
    double frame_height; /* that suits the map */
} layout;

static double side_width(const scatter_view *view, const dlz_legend *plan) {
    double width = plan->columns * plan->column_width;
    if (view->scatter->values)
        width = fmax(width, dlz_value_bar_width(view));
    return width > 0 ? width + gap : 0;
}

/* That of all panels with the gap between them. */
static double suitable_height(const scatter_view *view, double width) {
    const dlz_extent *extent = &view->extent;
    double length[DLZ_MAX_MAP_DIMS];
    for (int k = 0; k < DLZ_MAX_MAP_DIMS; k++)
        length[k] = k < view->scatter->dims ? extent->high[k] - extent->low[k] : 0;
    if (view->scatter->dims == 1)
        return strip_height;
    double across = length[0], upwards = length[1], panel = width;
    if (view->scatter->dims == 3) {
        across = fmax(length[0], length[1]);
        upwards = fmax(length[1], length[2]);
        panel = (width - gap) / 2 - name_room;
    }
    double share = across > 0 ? upwards / across : upwards > 0 ? 2 : 0.75;
    if (view->scatter->dims == 3)
        return 2 * panel * fmin(fmax(share, 0.6), 1) + gap;
    return fmin(fmax(panel * share, lowest_frame), highest_frame);
}

/* A legend below the map, if it shows more than the one beside it. */
static void try_below(const scatter_view *view, double width, double room, layout *plan) {
    dlz_legend below = dlz_plan_legend(view, width, room, MOST_COLUMNS, true);
    if (below.shown <= plan->legend.shown)
        return;
    plan->bottom = true;
    plan->legend = below;
    plan->bottom_height = below.rows * below.pitch + gap;
}

/* Of one panel, with a legend beside it that is no higher than `side`. */
static void lay_out_one(const scatter_view *view, double width, double side, double room,
                        layout *plan) {
    plan->legend = dlz_plan_legend(view, 0.3 * width, side, MOST_SIDE_COLUMNS, false);
    plan->bottom = false;
    plan->bottom_height = 0;
    if (plan->legend.shown < dlz_legend_items(view))
        try_below(view, width, room, plan);
    plan->right = plan->bottom ? 0 : side_width(view, &plan->legend);
    if (plan->bottom && view->scatter->values)
        plan->right = dlz_value_bar_width(view) + gap;
    plan->frame_height = suitable_height(view, width - plan->left - plan->right);
}

/* Of three panels, with a legend where a fourth would be. */
static void lay_out_three(const scatter_view *view, double width, double side, double room,
                          layout *plan) {
    plan->frame_height = side;
    plan->legend = dlz_plan_legend(view, width / 2 - gap, side / 2 - gap, MOST_SIDE_COLUMNS, false);
    if (plan->legend.shown < dlz_legend_items(view))
        try_below(view, width, room, plan);
}

/* A figure whose size is not set takes the one that suits its map; `height` is then of no use. */
static layout lay_out(const scatter_view *view, double width, double height) {
    bool chosen = view->figure->width == 0;
    char note[LONGEST_NOTE];
    make_note(view, note);
    layout plan = {.left = has_name(view, view->scatter->dims > 1 ? 1 : -1) ? name_room : 0,
                   .note = note[0] ? note_room : 0};
    plan.below = (has_name(view, 0) ? name_room : 0) + (view->scatter->ticks ? tick_room : 0);
    double side = chosen ? suitable_height(view, width) : height - plan.below - plan.note;
    double room = chosen ? lowest_room : lowest_share * height;
    if (view->scatter->dims == 3) {
        lay_out_three(view, width, side, room, &plan);
        return plan;
    }
    /* A legend beside the map makes it less wide, and so, if it may choose, less high. */
    lay_out_one(view, width, side, room, &plan);
    for (int i = 0; i < 4 && chosen && plan.frame_height < side && !plan.bottom; i++) {
        side = plan.frame_height;
        lay_out_one(view, width, side, room, &plan);
    }
    return plan;
}

/* ---- All of it ------------------------------------------------------------------------------- */

static dlviz_status prepare(scatter_view *view) {
    const dlz_scatter *scatter = view->scatter;
    uint64_t n = (uint64_t)scatter->n;
    view->outside = dlz_alloc_array_zero(n, sizeof *view->outside);
    view->shared = dlz_alloc_array(n, sizeof *view->shared);
    view->at = dlz_alloc_array(n, 2 * sizeof *view->at);
    if (!view->outside || !view->shared || !view->at)
        return dlz_fail_memory("the places of points", n * 25);
    DLZ_TRY(dlz_find_extent(scatter->points, scatter->n, scatter->dims, scatter->clip,
                            view->outside, &view->extent));
    DLZ_TRY(dlz_count_places(scatter->points, scatter->n, scatter->dims, view->shared,
                             &view->num_places));
    for (int64_t i = 0; i < scatter->n; i++)
        view->num_shared += view->shared[i] > 0;
    return dlz_make_groups(view);
}

static void release(scatter_view *view) {
    dlz_free_groups(view);
    dlz_free(view->outside);
    dlz_free(view->shared);
    dlz_free(view->at);
}

/* Room for the widest number; the few ticks that the narrower frame changes are no wider. */
static double room_for_ticks(scatter_view *view, int column_y) {
    if (!view->scatter->ticks || column_y < 0)
        return 0;
    view->column_x = 0;
    view->column_y = column_y;
    fit_axes(view);
    return widest_tick(view) + 10;
}

static dlviz_status draw_one(scatter_view *view, const layout *plan, dlz_box box) {
    int column_y = view->scatter->dims == 2 ? 1 : -1;
    double left = plan->left, height = box.height - plan->below;
    view->frame =
        (dlz_box){box.x + left, box.y, fmax(box.width - left - plan->right, 40), fmax(height, 40)};
    double ticks = room_for_ticks(view, column_y);
    view->frame.x += ticks;
    view->frame.width = fmax(view->frame.width - ticks, 40);
    choose_look(view);
    return draw_panel(view, 0, column_y, view->frame, left > 0 ? left + ticks : 0, true);
}

/* Columns 2 and 3 against 1 on the left, 3 against 2 below on the right. */
static dlviz_status draw_three(scatter_view *view, const layout *plan, dlz_box box, dlz_box *rest) {
    double left = plan->left;
    view->frame = (dlz_box){0, 0, fmax((box.width - gap) / 2 - left, 40),
                            fmax((box.height - gap) / 2 - plan->below, 40)};
    double ticks = fmax(room_for_ticks(view, 1), room_for_ticks(view, 2));
    double width = fmax(view->frame.width - ticks, 40), height = view->frame.height;
    double first = box.x + left + ticks, second = first + width + gap + left + ticks;
    double lower = box.y + height + gap + plan->below;
    view->frame.width = width;
    choose_look(view);
    *rest = (dlz_box){second, box.y, width, height};
    left += ticks;
    DLZ_TRY(draw_panel(view, 0, 1, (dlz_box){first, box.y, width, height}, left, true));
    DLZ_TRY(draw_panel(view, 0, 2, (dlz_box){first, lower, width, height}, left, true));
    return draw_panel(view, 1, 2, (dlz_box){second, lower, width, height}, left, true);
}

static void draw_note(const scatter_view *view, dlz_box box, double y) {
    char note[LONGEST_NOTE];
    make_note(view, note);
    dlz_text(view->canvas, box.x + box.width, y, note,
             (dlz_style){
                 .size = 11, .color = dlz_soft_ink, .align = 1, .most = view->canvas->width - 60});
}

/* The legend, and below it the bar of values. */
static dlviz_status draw_explanations(const scatter_view *view, const layout *plan, dlz_box room,
                                      dlz_box whole) {
    double used = 0;
    if (plan->bottom)
        DLZ_TRY(dlz_draw_legend(view, &plan->legend, whole.x,
                                whole.y + whole.height - plan->bottom_height + gap));
    else if (plan->legend.columns > 0) {
        DLZ_TRY(dlz_draw_legend(view, &plan->legend, room.x, room.y));
        used = plan->legend.rows * plan->legend.pitch + gap;
    }
    if (view->scatter->values)
        dlz_draw_value_bar(
            view, (dlz_box){room.x, room.y + used, room.width, fmax(room.height - used, 60)});
    return DLVIZ_OK;
}

static dlviz_status draw(scatter_view *view, dlz_box box) {
    layout plan = lay_out(view, box.width, box.height);
    dlz_box map = box, room;
    map.height -= plan.bottom_height + plan.note;
    if (view->scatter->dims == 3) {
        DLZ_TRY(draw_three(view, &plan, map, &room));
    } else {
        DLZ_TRY(draw_one(view, &plan, map));
        room = view->frame;
        room.x += room.width + gap;
        room.width = plan.right - gap;
    }
    if (plan.note > 0)
        draw_note(view, (dlz_box){map.x, 0, map.width - plan.right, 0},
                  map.y + map.height + plan.note - 7);
    DLZ_TRY(draw_explanations(view, &plan, room, box));
    if (dlz_legend_items(view) == 0 || plan.legend.columns > 0)
        return DLVIZ_OK;
    char note[80];
    snprintf(note, sizeof note, "%d classes; no room for their legend", view->classes);
    dlz_text(view->canvas, view->frame.x + view->frame.width - 6, view->frame.y + 11, note,
             (dlz_style){.size = 11,
                         .color = dlz_soft_ink,
                         .align = 1,
                         .halo = 2,
                         .most = view->frame.width - 12});
    return DLVIZ_OK;
}

dlviz_status dlz_draw_scatter(const dlz_canvas *canvas, const dlviz_figure *figure, dlz_box box) {
    scatter_view view = {.canvas = canvas, .figure = figure, .scatter = &figure->of.scatter};
    dlviz_status status = prepare(&view);
    if (status == DLVIZ_OK)
        status = draw(&view, box);
    release(&view);
    return status;
}

dlviz_status dlz_scatter_height(const dlz_canvas *canvas, const dlviz_figure *figure, double width,
                                double *height) {
    scatter_view view = {.canvas = canvas, .figure = figure, .scatter = &figure->of.scatter};
    dlviz_status status = prepare(&view);
    if (status == DLVIZ_OK) {
        layout plan = lay_out(&view, width, 0);
        int panels = view.scatter->dims == 3 ? 2 : 1;
        *height = plan.frame_height + panels * plan.below + plan.bottom_height + plan.note;
    }
    release(&view);
    return status;
}
