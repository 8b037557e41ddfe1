/* What all figures have around them: title, subtitle, footnote, axis names. */
#include "plot/draw.h"

#include <math.h>
#include <stdio.h>

static const double margin = DLZ_MARGIN;
static const double title_size = 21, subtitle_size = 13.5, footnote_size = 11.5, axis_size = 13.5;

/* A title stays on one line as long as that costs no more than a quarter of its size. */
static double fitted_title_size(const dlz_canvas *canvas, const char *title, double most) {
    double width = dlz_text_width(canvas, title, title_size, true);
    if (width <= most)
        return title_size;
    return fmax(title_size * 0.75, title_size * most / width * 0.995);
}

static double draw_head(const dlz_canvas *canvas, const dlviz_figure *figure, bool draw) {
    double y = margin * 0.8, most = canvas->width - 2 * margin;
    if (figure->title) {
        double size = fitted_title_size(canvas, figure->title, most);
        y += dlz_paragraph(canvas, margin, y, figure->title, 3,
                           (dlz_style){.size = size, .bold = true, .color = dlz_ink, .most = most},
                           draw);
    }
    if (figure->subtitle)
        y += 1 + dlz_paragraph(
                     canvas, margin, y + 1, figure->subtitle, 3,
                     (dlz_style){.size = subtitle_size, .color = dlz_soft_ink, .most = most}, draw);
    return figure->title || figure->subtitle ? y + 9 : margin;
}

static double draw_foot(const dlz_canvas *canvas, const dlviz_figure *figure, bool draw) {
    if (!figure->footnote)
        return margin * 0.8;
    dlz_style style = {
        .size = footnote_size, .color = dlz_soft_ink, .most = canvas->width - 2 * margin};
    double height = dlz_paragraph(canvas, margin, 0, figure->footnote, 3, style, false);
    if (draw)
        dlz_paragraph(canvas, margin, canvas->height - 0.6 * margin - height, figure->footnote, 3,
                      style, true);
    return height + 0.6 * margin + 8;
}

double dlz_decorations_height(const dlz_canvas *canvas, const dlviz_figure *figure) {
    return draw_head(canvas, figure, false) + draw_foot(canvas, figure, false);
}

double dlz_decorations_width(const dlz_canvas *canvas, const dlviz_figure *figure) {
    double width = 0;
    if (figure->title)
        width = dlz_text_width(canvas, figure->title, title_size, true);
    if (figure->subtitle)
        width = fmax(width, dlz_text_width(canvas, figure->subtitle, subtitle_size, false));
    if (figure->footnote)
        width = fmax(width, dlz_text_width(canvas, figure->footnote, footnote_size, false));
    return width;
}

dlz_box dlz_draw_decorations(const dlz_canvas *canvas, const dlviz_figure *figure) {
    double head = draw_head(canvas, figure, true), foot = draw_foot(canvas, figure, true);
    return (dlz_box){margin, head, canvas->width - 2 * margin, canvas->height - head - foot};
}

void dlz_draw_color_bar(const dlz_canvas *canvas, dlz_box bar, dlviz_colormap map) {
    enum { STOPS = 48 };
    cairo_pattern_t *colors = cairo_pattern_create_linear(0, bar.y + bar.height, 0, bar.y);
    for (int i = 0; i <= STOPS; i++) {
        dlz_color color = dlz_colormap_at(map, (double)i / STOPS);
        cairo_pattern_add_color_stop_rgb(colors, (double)i / STOPS, color.r, color.g, color.b);
    }
    cairo_set_source(canvas->cr, colors);
    cairo_rectangle(canvas->cr, bar.x, bar.y, bar.width, bar.height);
    cairo_fill(canvas->cr);
    cairo_pattern_destroy(colors);
    dlz_stroke_box(canvas, bar, dlz_color_mix(dlz_line, dlz_ink, 0.25), 1);
}

const char *dlz_class_name(const dlviz_figure *figure, int class, char buffer[16]) {
    if (class < figure->class_names.count && figure->class_names.items[class][0])
        return figure->class_names.items[class];
    snprintf(buffer, 16, "%d", class);
    return buffer;
}

void dlz_draw_axis_names(const dlz_canvas *canvas, const dlviz_figure *figure, dlz_box frame,
                         double x_height, double y_left) {
    dlz_style style = {.size = axis_size, .color = dlz_ink, .align = 0.5, .most = frame.width};
    if (figure->x_label)
        dlz_text(canvas, frame.x + frame.width / 2, frame.y + frame.height + x_height,
                 figure->x_label, style);
    style.turn = -M_PI / 2;
    style.most = frame.height;
    if (figure->y_label)
        dlz_text(canvas, frame.x - y_left, frame.y + frame.height / 2, figure->y_label, style);
}
