/* The bar that explains the colors of values. */
#include "plot/scatter.h"

#include <math.h>

static const double thickness = 14, number_size = 12, name_size = 13, to_numbers = 6;
enum { STEPS = 128, MOST_TICKS = 7 };

static dlz_axis axis_of(const dlz_scatter_view *view) {
    dlz_axis axis = {.low = view->lowest, .high = view->highest};
    dlz_axis_place_ticks(&axis, MOST_TICKS, false);
    return axis;
}

static double widest_number(const dlz_scatter_view *view, const dlz_axis *axis) {
    double widest = 0;
    for (int i = 0; i < axis->count; i++)
        widest = fmax(widest, dlz_tick_width(view->canvas, &axis->ticks[i], number_size));
    return widest;
}

double dlz_value_bar_width(const dlz_scatter_view *view) {
    dlz_axis axis = axis_of(view);
    double name = view->scatter->values_name ? 1.6 * name_size : 0;
    return thickness + to_numbers + widest_number(view, &axis) + name;
}

void dlz_draw_value_bar(const dlz_scatter_view *view, dlz_box box) {
    dlz_axis axis = axis_of(view);
    /* Numbers at the ends need half a line more. */
    dlz_box bar = {box.x, box.y + number_size / 2, thickness, fmax(box.height - number_size, 20)};
    for (int i = 0; i < STEPS; i++) {
        double top = bar.y + bar.height * (STEPS - 1 - i) / STEPS;
        double overlap = i > 0 ? 0.6 : 0; /* no light between two of them */
        dlz_fill_box(view->canvas, (dlz_box){bar.x, top, bar.width, bar.height / STEPS + overlap},
                     dlz_value_color(view->figure, (i + 0.5) / STEPS));
    }
    dlz_stroke_box(view->canvas, bar, dlz_soft_ink, 0.7);
    for (int i = 0; i < axis.count; i++) {
        double y = bar.y + bar.height * (1 - dlz_axis_at(&axis, axis.ticks[i].value));
        dlz_stroke_line(view->canvas, bar.x + thickness, y, bar.x + thickness + 3, y, dlz_soft_ink,
                        0.7);
        dlz_tick_text(view->canvas, bar.x + thickness + to_numbers, y, &axis.ticks[i],
                      (dlz_style){.size = number_size, .color = dlz_soft_ink});
    }
    if (view->scatter->values_name)
        dlz_text(view->canvas,
                 bar.x + thickness + to_numbers + widest_number(view, &axis) + name_size,
                 bar.y + bar.height / 2, view->scatter->values_name,
                 (dlz_style){.size = name_size,
                             .color = dlz_ink,
                             .align = 0.5,
                             .turn = -M_PI / 2,
                             .most = bar.height});
}
