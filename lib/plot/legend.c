/* The legend of a map: what points look like, the classes, or as many as there is room for, and the
 * sets that were added. */
#include "plot/markers.h"
#include "plot/scatter.h"
#include "base/base.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ITEM_TEXT = 160, NUM_SIZES = 5, MOST_MEASURED = 1024, LONGEST_NAME = 14 /* letter sizes */ };

static int num_class_items(const dlz_scatter_view *view) {
    return view->scatter->values ? 0 : view->num_entries;
}

int dlz_legend_items(const dlz_scatter_view *view) {
    return num_class_items(view) + view->scatter->num_sets;
}

/* Ends between characters. */
static int cut_length(const char *name) {
    size_t length = strnlen(name, 110);
    while (length > 0 && ((unsigned char)name[length] & 0xC0) == 0x80)
        length--;
    return (int)length;
}

static void item_name(const dlz_scatter_view *view, int item, char text[ITEM_TEXT]) {
    int set = item - num_class_items(view);
    char number[16];
    if (set >= 0) {
        const char *name = view->scatter->sets[set].name;
        snprintf(text, ITEM_TEXT, "%.*s", cut_length(name), name);
        return;
    }
    const dlz_entry *entry = &view->entries[item];
    const char *name =
        entry->label < 0 ? "no class" : dlz_class_name(view->figure, entry->label, number);
    if (view->scatter->counts)
        snprintf(text, ITEM_TEXT, "%.*s  (%lld)", cut_length(name), name, (long long)entry->size);
    else
        snprintf(text, ITEM_TEXT, "%.*s", cut_length(name), name);
}

/* ---- Which items ----------------------------------------------------------------------------- */

typedef struct ranked {
    int64_t size;
    int item;
} ranked;

static int compare_ranked(const void *x, const void *y) {
    const ranked *a = x, *b = y;
    if (a->size != b->size)
        return a->size > b->size ? -1 : 1;
    return (a->item > b->item) - (a->item < b->item);
}

static int compare_items(const void *a, const void *b) {
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

/* The items that are shown: the sets and the largest classes, in their order. */
static int32_t *choose_items(const dlz_scatter_view *view, int shown) {
    int items = dlz_legend_items(view), classes = num_class_items(view);
    ranked *all = dlz_alloc_array((uint64_t)items, sizeof *all);
    int32_t *chosen = dlz_alloc_array((uint64_t)items, sizeof *chosen);
    for (int i = 0; all && i < items; i++)
        all[i] = (ranked){i < classes ? view->entries[i].size : INT64_MAX, i};
    if (all && chosen) {
        qsort(all, (size_t)items, sizeof *all, compare_ranked);
        for (int i = 0; i < shown; i++)
            chosen[i] = all[i].item;
        qsort(chosen, (size_t)shown, sizeof *chosen, compare_items);
    }
    bool done = all && chosen;
    dlz_free(all);
    if (done)
        return chosen;
    dlz_free(chosen);
    return NULL;
}

/* ---- Size ------------------------------------------------------------------------------------ */

/* The width of the widest name in letters of size 1; of very many names, of some. */
static double widest_name(const dlz_scatter_view *view) {
    char text[ITEM_TEXT];
    double widest = 0;
    int items = dlz_legend_items(view), step = items / MOST_MEASURED + 1;
    for (int i = 0; i < items; i += step) {
        item_name(view, i, text);
        widest = fmax(widest, dlz_text_width(view->canvas, text, 16, false) / 16);
    }
    return widest;
}

static dlz_legend with_letters(double size, double widest, bool largest) {
    dlz_legend plan = {.size = size, .pitch = (largest ? 1.6 : 1.4) * size};
    double share = widest > LONGEST_NAME ? fmax(LONGEST_NAME / widest, 0.75) : 1;
    plan.name_size = share * size;
    plan.name_width = 1.005 * fmin(widest * plan.name_size, LONGEST_NAME * size);
    plan.column_width = plan.name_width + 2.2 * size;
    return plan;
}

/* Tries smaller letters before it shows a part. One that is wide takes few rows, others take few
 * columns. */
dlz_legend dlz_plan_legend(const dlz_scatter_view *view, double width, double height, int columns,
                           bool wide) {
    static const double sizes[NUM_SIZES] = {13.5, 12, 10.5, 9, 8};
    int items = dlz_legend_items(view);
    double widest = widest_name(view);
    dlz_legend plan = {0};
    for (int i = 0; items > 0 && i < NUM_SIZES; i++) {
        plan = with_letters(sizes[i], widest, i == 0);
        int rows = (int)floor(height / plan.pitch);
        int most = (int)fmin(floor(width / plan.column_width), columns);
        if (rows < 1 || most < 1)
            continue;
        int needed = (items + rows - 1) / rows;
        if (needed <= most) {
            plan.rows = (items + (wide ? most : needed) - 1) / (wide ? most : needed);
            plan.columns = (items + plan.rows - 1) / plan.rows;
            plan.shown = items;
            return plan;
        }
        plan.columns = most;
        plan.rows = rows;
        plan.shown = most * rows - 1;
    }
    return plan.columns > 0 && plan.shown > 0 ? plan : (dlz_legend){0};
}

/* ---- Drawing --------------------------------------------------------------------------------- */

static void draw_item(const dlz_scatter_view *view, const dlz_legend *plan, int item, double x,
                      double y) {
    char text[ITEM_TEXT];
    int set = item - num_class_items(view);
    dlz_look look = set < 0 ? view->looks[item] : dlz_class_look(-1);
    double diameter = (set < 0 ? 0.75 : 0.6) * plan->size;
    dlz_look_path(view->canvas, look, x + 0.5 * plan->size, y, diameter);
    dlz_set_color(view->canvas, look.color, 1);
    cairo_fill(view->canvas->cr);
    if (set >= 0) {
        dlz_ring_path(view->canvas, look.marker, x + 0.5 * plan->size, y, diameter, set + 1);
        dlz_set_color(view->canvas, dlz_ink, 0.85);
        cairo_set_line_width(view->canvas->cr, 0.9);
        cairo_stroke(view->canvas->cr);
    }
    item_name(view, item, text);
    dlz_text(view->canvas, x + 1.35 * plan->size, y, text,
             (dlz_style){.size = plan->name_size, .color = dlz_ink, .most = plan->name_width});
}

/* Columns of short names have no room for words, of which what is cut off would be the number. */
static void draw_rest(const dlz_scatter_view *view, const dlz_legend *plan, double x, double y) {
    char text[ITEM_TEXT];
    int rest = dlz_legend_items(view) - plan->shown;
    double most = fmax(plan->column_width, plan->size * 4);
    snprintf(text, sizeof text, "\xE2\x80\xA6 and %d smaller", rest);
    if (0.75 * dlz_text_width(view->canvas, text, plan->size, false) > most)
        snprintf(text, sizeof text, "\xE2\x80\xA6 +%d", rest);
    dlz_text(view->canvas, x + 0.2 * plan->size, y, text,
             (dlz_style){.size = plan->size, .color = dlz_soft_ink, .most = most});
}

dlviz_status dlz_draw_legend(const dlz_scatter_view *view, const dlz_legend *plan, double left,
                             double top) {
    int32_t *items = choose_items(view, plan->shown);
    if (!items)
        return dlz_fail_memory("a legend", (uint64_t)dlz_legend_items(view) * sizeof *items);
    int lines = plan->shown + (plan->shown < dlz_legend_items(view));
    for (int at = 0; at < lines; at++) {
        int column = at / plan->rows, row = at % plan->rows;
        double x = left + column * plan->column_width;
        double y = top + (row + 0.5) * plan->pitch;
        if (at < plan->shown)
            draw_item(view, plan, items[at], x, y);
        else
            draw_rest(view, plan, x, y);
    }
    dlz_free(items);
    return DLVIZ_OK;
}
