/* The legend of a map: what points look like, and the classes, or as many as there is room for. */
#include "plot/scatter.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { LARGEST_LEGEND_COLUMNS = 4 };

dlz_color dlz_point_color(int label) {
    return label < 0 ? dlz_color_mix(dlz_line, dlz_soft_ink, 0.2) : dlz_class_color(label);
}

dlz_marker dlz_point_marker(int label) {
    return label < 0 ? DLZ_MARKER_CIRCLE : dlz_class_marker(label);
}

enum { ENTRY_TEXT = 160 };

static void entry_name(const dlz_scatter_view *view, const dlz_entry *entry,
                       char text[ENTRY_TEXT]) {
    char number[16];
    const char *name = number;
    if (entry->label < 0)
        snprintf(number, sizeof number, "%d", entry->label);
    else
        name = dlz_class_name(view->figure, entry->label, number);
    size_t length = strnlen(name, 110);
    while (length > 0 && ((unsigned char)name[length] & 0xC0) == 0x80)
        length--;
    if (view->scatter->counts)
        snprintf(text, ENTRY_TEXT, "%.*s  (%lld)", (int)length, name, (long long)entry->size);
    else
        snprintf(text, ENTRY_TEXT, "%.*s", (int)length, name);
}

static void more_text(const dlz_scatter_view *view, const dlz_legend *plan, char text[ENTRY_TEXT]) {
    snprintf(text, ENTRY_TEXT, "… and %d more", view->num_entries - plan->shown);
}

/* How wide columns have to be for the entries shown, and the line that counts the others. */
static void measure_names(const dlz_scatter_view *view, dlz_legend *plan) {
    char text[ENTRY_TEXT];
    plan->name_width = 0;
    for (int at = 0; at < plan->shown; at++) {
        entry_name(view, &view->entries[at], text);
        plan->name_width =
            fmax(plan->name_width, dlz_text_width(view->canvas, text, plan->size, false));
    }
    plan->name_width = fmin(plan->name_width, 14 * plan->size);
    if (plan->shown < view->num_entries) {
        more_text(view, plan, text);
        plan->name_width =
            fmax(plan->name_width, dlz_text_width(view->canvas, text, plan->size, false));
    }
    plan->column_width = plan->name_width + 2.2 * plan->size;
}

/* Tries smaller letters before it shows a part: at most 30 % of the width may go to the legend. */
dlz_legend dlz_plan_legend(const dlz_scatter_view *view, double height) {
    static const double sizes[] = {13.5, 12, 10.5, 9};
    double most = 0.30 * view->canvas->width;
    dlz_legend plan = {0};
    if (view->num_entries == 0)
        return plan;
    for (int i = 0; i < 4; i++) {
        plan = (dlz_legend){
            .size = sizes[i], .pitch = (i == 0 ? 1.6 : 1.4) * sizes[i], .shown = view->num_entries};
        plan.rows = (int)floor(height / plan.pitch);
        if (plan.rows < 1 || view->num_entries > LARGEST_LEGEND_COLUMNS * plan.rows)
            continue;
        plan.columns = (view->num_entries + plan.rows - 1) / plan.rows;
        plan.rows = (view->num_entries + plan.columns - 1) / plan.columns;
        measure_names(view, &plan);
        if (plan.columns * plan.column_width <= most)
            return plan;
    }
    plan.rows = (int)floor(height / plan.pitch);
    for (plan.columns = LARGEST_LEGEND_COLUMNS; plan.columns > 0; plan.columns--) {
        plan.shown = plan.columns * plan.rows - 1;
        if (plan.shown < 1 || plan.shown >= view->num_entries)
            continue;
        measure_names(view, &plan);
        if (plan.columns * plan.column_width <= most)
            return plan;
    }
    return (dlz_legend){0};
}

void dlz_draw_legend(const dlz_scatter_view *view, const dlz_legend *plan, double left) {
    char text[ENTRY_TEXT];
    int lines = plan->shown + (plan->shown < view->num_entries);
    for (int at = 0; at < lines; at++) {
        double x = left + at / plan->rows * plan->column_width;
        double y = view->frame.y + (at % plan->rows + 0.5) * plan->pitch;
        dlz_style style = {.size = plan->size, .color = dlz_ink, .most = plan->name_width};
        if (at == plan->shown) {
            more_text(view, plan, text);
            style.color = dlz_soft_ink;
        } else {
            int label = view->entries[at].label;
            dlz_marker_path(view->canvas, dlz_point_marker(label), x + 0.5 * plan->size, y,
                            0.75 * plan->size);
            dlz_set_color(view->canvas, dlz_point_color(label), 1);
            cairo_fill(view->canvas->cr);
            entry_name(view, &view->entries[at], text);
        }
        dlz_text(view->canvas, x + 1.35 * plan->size, y, text, style);
    }
}
