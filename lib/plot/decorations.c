/* What all figures have around them: title, subtitle, footnote, axis names. */
#include "plot/draw.h"

#include <math.h>
#include <stdio.h>

static const double margin = 22;
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

dlz_box dlz_draw_decorations(const dlz_canvas *canvas, const dlviz_figure *figure) {
    double head = draw_head(canvas, figure, true), foot = draw_foot(canvas, figure, true);
    return (dlz_box){margin, head, canvas->width - 2 * margin, canvas->height - head - foot};
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
