/* Text on a canvas: fitted to its place, then drawn, or written down as an element of an SVG. */
#include "plot/canvas.h"
#include "plot/svg.h"
#include "base/base.h"

#include <math.h>
#include <string.h>

/* The longest text there is, and an ellipsis. */
enum { LINE_SIZE = 4096 + 4 };

/* How many bytes a line or paragraph separator has here, 0 for anything else. */
static size_t separator(const char *text) {
    if (*text == '\n')
        return 1;
    if (strncmp(text, "\xC2\x85", 2) == 0)
        return 2;
    return strncmp(text, "\xE2\x80\xA8", 3) == 0 || strncmp(text, "\xE2\x80\xA9", 3) == 0 ? 3 : 0;
}

/* Copies text as one line: separators become spaces. */
static dlz_text_line one_line(char buffer[LINE_SIZE], const char *text, double size, bool bold) {
    size_t used = 0;
    while (*text) {
        size_t skipped = separator(text), length = skipped ? 1 : dlz_utf8_size(text, SIZE_MAX);
        if (used + length > LINE_SIZE - 4) {
            memcpy(buffer + used, dlz_ellipsis, sizeof dlz_ellipsis);
            used += sizeof dlz_ellipsis;
            break;
        }
        memcpy(buffer + used, skipped ? " " : text, length);
        used += length;
        text += skipped ? skipped : length;
    }
    return (dlz_text_line){buffer, used, dlz_type_leftwards(buffer, used), size, bold};
}

double dlz_text_width(const dlz_canvas *canvas, const char *text, double size, bool bold) {
    char buffer[LINE_SIZE];
    dlz_text_line line = one_line(buffer, text, size, bold);
    return dlz_type_width(canvas->type, &line);
}

/* Widths that were measured at another size differ by rounding. */
static bool fits(double width, double most) {
    return width <= most * 1.001 + 0.05;
}

/* Takes characters off the end and puts an ellipsis there unless the line fits. `buffer` has the
 * line. */
static double cut_line(const dlz_canvas *canvas, dlz_text_line *line, char buffer[LINE_SIZE],
                       double most) {
    double width = dlz_type_width(canvas->type, line);
    if (fits(width, most))
        return width;
    line->length = dlz_type_cut(canvas->type, line, most);
    memcpy(buffer + line->length, dlz_ellipsis, sizeof dlz_ellipsis);
    line->length += sizeof dlz_ellipsis;
    return dlz_type_width(canvas->type, line);
}

static void show(const dlz_canvas *canvas, double x, double y, const dlz_text_line *line,
                 double width, const dlz_style *style) {
    cairo_t *cr = canvas->cr;
    if (line->length == 0)
        return;
    if (canvas->svg_text) {
        dlz_svg_add_text(canvas, x, y, line, width, style);
        return;
    }
    cairo_save(cr);
    cairo_translate(cr, x, y);
    cairo_rotate(cr, style->turn);
    double left = -style->align * width, baseline = DLZ_BASELINE_DROP * line->size;
    if (style->halo > 0) {
        dlz_type_outline(canvas->type, cr, left, baseline, line);
        dlz_set_color(canvas, dlz_paper, DLZ_HALO_OPACITY);
        cairo_set_line_width(cr, 2 * style->halo);
        cairo_set_line_join(cr, CAIRO_LINE_JOIN_ROUND);
        cairo_stroke(cr);
    }
    dlz_set_color(canvas, style->color, 1);
    dlz_type_draw(canvas->type, cr, left, baseline, line);
    cairo_restore(cr);
}

double dlz_text(const dlz_canvas *canvas, double x, double y, const char *text, dlz_style style) {
    char buffer[LINE_SIZE];
    dlz_text_line line = one_line(buffer, text, style.size, style.bold);
    double width = dlz_type_width(canvas->type, &line);
    if (style.most > 0 && !fits(width, style.most)) {
        line.size *= fmax(0.75, style.most / width);
        width = cut_line(canvas, &line, buffer, style.most);
    }
    show(canvas, x, y, &line, width, &style);
    return width;
}

double dlz_tick_width(const dlz_canvas *canvas, const dlz_tick *tick, double size) {
    double width = dlz_text_width(canvas, tick->text, size, false);
    if (tick->exponent[0])
        width += dlz_text_width(canvas, tick->exponent, 0.75 * size, false) + 0.08 * size;
    return width;
}

void dlz_tick_text(const dlz_canvas *canvas, double x, double y, const dlz_tick *tick,
                   dlz_style style) {
    double left = x - style.align * dlz_tick_width(canvas, tick, style.size);
    style.align = 0;
    double width = dlz_text(canvas, left, y, tick->text, style);
    double raised = 0.42 * style.size, gap = 0.08 * style.size;
    style.size *= 0.75;
    if (tick->exponent[0])
        dlz_text(canvas, left + width + gap, y - raised, tick->exponent, style);
}

double dlz_paragraph(const dlz_canvas *canvas, double x, double y, const char *text, int lines,
                     dlz_style style, bool draw) {
    double pitch = 1.3 * style.size, height = 0;
    bool begins = true, leftwards = false;
    for (int i = 0; i < lines && *text; i++) {
        char buffer[LINE_SIZE];
        size_t given = 0;
        while (text[given] && separator(text + given) == 0 && given < LINE_SIZE - 4)
            given += dlz_utf8_size(text + given, SIZE_MAX);
        if (begins)
            leftwards = dlz_type_leftwards(text, given);
        dlz_text_line line = {text, given, leftwards, style.size, style.bold};
        bool last = i == lines - 1;
        size_t taken = given;
        if (!last && !fits(dlz_type_width(canvas->type, &line), style.most))
            taken = dlz_type_break(canvas->type, &line, style.most);
        begins = taken == given;
        memcpy(buffer, text, taken);
        line.text = buffer;
        line.length = taken;
        text += taken;
        if (begins)
            text += separator(text);
        while (!begins && *text == ' ')
            text++;
        while (line.length > 0 && buffer[line.length - 1] == ' ')
            line.length--;
        if (last && *text) {
            memcpy(buffer + line.length, dlz_ellipsis, sizeof dlz_ellipsis);
            line.length += sizeof dlz_ellipsis;
        }
        double width = last ? cut_line(canvas, &line, buffer, style.most)
                            : dlz_type_width(canvas->type, &line);
        if (draw)
            show(canvas, x, y + height + 0.5 * pitch, &line, width, &style);
        height += pitch;
    }
    return height;
}
