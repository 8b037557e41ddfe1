#include "plot/canvas.h"
#include "base/base.h"

#include <math.h>
#include <string.h>

const dlz_color dlz_ink = {0.13, 0.14, 0.16}, dlz_soft_ink = {0.38, 0.40, 0.43},
                dlz_line = {0.87, 0.88, 0.89}, dlz_paper = {1, 1, 1};

enum { LONGEST_LINE = 512 };

void dlz_set_color(const dlz_canvas *canvas, dlz_color color, double opacity) {
    cairo_set_source_rgba(canvas->cr, color.r, color.g, color.b, opacity);
}

void dlz_fill_box(const dlz_canvas *canvas, dlz_box box, dlz_color color) {
    dlz_set_color(canvas, color, 1);
    cairo_rectangle(canvas->cr, box.x, box.y, box.width, box.height);
    cairo_fill(canvas->cr);
}

void dlz_stroke_box(const dlz_canvas *canvas, dlz_box box, dlz_color color, double thickness) {
    dlz_set_color(canvas, color, 1);
    cairo_set_line_width(canvas->cr, thickness);
    cairo_rectangle(canvas->cr, box.x, box.y, box.width, box.height);
    cairo_stroke(canvas->cr);
}

void dlz_stroke_line(const dlz_canvas *canvas, double x0, double y0, double x1, double y1,
                     dlz_color color, double thickness) {
    dlz_set_color(canvas, color, 1);
    cairo_set_line_width(canvas->cr, thickness);
    cairo_move_to(canvas->cr, x0, y0);
    cairo_line_to(canvas->cr, x1, y1);
    cairo_stroke(canvas->cr);
}

static void set_font(const dlz_canvas *canvas, double size, bool bold) {
    cairo_select_font_face(canvas->cr, "sans-serif", CAIRO_FONT_SLANT_NORMAL,
                           bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_font_size(canvas->cr, size);
}

double dlz_text_width(const dlz_canvas *canvas, const char *text, double size, bool bold) {
    if (!canvas->has_text || !*text)
        return 0;
    set_font(canvas, size, bold);
    cairo_text_extents_t extents;
    cairo_text_extents(canvas->cr, text, &extents);
    return extents.x_advance;
}

static double longest_prefix_width(const dlz_canvas *canvas, char *line, size_t length, double size,
                                   bool bold) {
    char kept = line[length];
    line[length] = '\0';
    double width = dlz_text_width(canvas, line, size, bold);
    line[length] = kept;
    return width;
}

/* Cairo's own font draws a box for what is not ASCII; a minus that looks like one would be misread.
 */
static void make_ascii(char *line) {
    char *to = line;
    for (const char *from = line; *from; from++) {
        if (strncmp(from, "\xE2\x88\x92", 3) == 0) {
            *to++ = '-';
            from += 2;
        } else if (strncmp(from, "\xC2\xB7", 2) == 0) {
            *to++ = '*';
            from += 1;
        } else {
            *to++ = *from;
        }
    }
    *to = '\0';
}

/* Copies what fits a line buffer, ending between characters; newlines become spaces. */
static void copy_line(char line[LONGEST_LINE], const char *text) {
    size_t used = 0;
    while (text[used]) {
        size_t length = (size_t)dlz_utf8_length(text + used);
        if (used + length > LONGEST_LINE - 8) {
            strcpy(line + used, "\xE2\x80\xA6");
            return;
        }
        memcpy(line + used, text + used, length);
        if (line[used] == '\n')
            line[used] = ' ';
        used += length;
    }
    line[used] = '\0';
}

/* Takes characters off the end and puts an ellipsis there until the line fits. */
static double cut_line(const dlz_canvas *canvas, char line[LONGEST_LINE], double size, bool bold,
                       double most) {
    double width = dlz_text_width(canvas, line, size, bold);
    size_t used = strlen(line);
    while (width > most && used > 0) {
        do
            used--;
        while (used > 0 && ((unsigned char)line[used] & 0xC0) == 0x80);
        while (used > 0 && line[used - 1] == ' ')
            used--;
        strcpy(line + used, "\xE2\x80\xA6");
        width = dlz_text_width(canvas, line, size, bold);
    }
    return width;
}

static void show(const dlz_canvas *canvas, double x, double y, const char *text, double width,
                 dlz_style style) {
    cairo_t *cr = canvas->cr;
    if (!canvas->has_text || !*text)
        return;
    cairo_save(cr);
    cairo_translate(cr, x, y);
    cairo_rotate(cr, style.turn);
    set_font(canvas, style.size, style.bold);
    /* 0.36 of the size is half the height of figures and capitals in common fonts. */
    double left = -style.align * width, baseline = 0.36 * style.size;
    if (style.halo > 0) {
        cairo_move_to(cr, left, baseline);
        cairo_text_path(cr, text);
        dlz_set_color(canvas, dlz_paper, 0.75);
        cairo_set_line_width(cr, 2 * style.halo);
        cairo_set_line_join(cr, CAIRO_LINE_JOIN_ROUND);
        cairo_stroke(cr);
    }
    cairo_move_to(cr, left, baseline);
    dlz_set_color(canvas, style.color, 1);
    cairo_show_text(cr, text);
    cairo_restore(cr);
}

double dlz_text(const dlz_canvas *canvas, double x, double y, const char *text, dlz_style style) {
    char line[LONGEST_LINE];
    copy_line(line, text);
    if (canvas->ascii)
        make_ascii(line);
    double width = dlz_text_width(canvas, line, style.size, style.bold);
    if (style.most > 0 && width > style.most) {
        /* A little less than the part that fits, lest rounding cut a letter off. */
        style.size *= fmax(0.75, 0.995 * style.most / width);
        width = cut_line(canvas, line, style.size, style.bold, style.most);
    }
    show(canvas, x, y, line, width, style);
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

/* The bytes of the longest beginning of `line` that fits `most` and ends before a space, or
 * anywhere when there is no space; at least one character. */
static size_t line_that_fits(const dlz_canvas *canvas, char *line, double size, bool bold,
                             double most) {
    size_t fits = 0, at_space = 0, at = 0;
    while (line[at]) {
        size_t length = (size_t)dlz_utf8_length(line + at);
        if (line[at] == ' ')
            at_space = at;
        at += length;
        if (fits > 0 && longest_prefix_width(canvas, line, at, size, bold) > most)
            return at_space > 0 ? at_space : fits;
        fits = at;
    }
    return fits;
}

double dlz_paragraph(const dlz_canvas *canvas, double x, double y, const char *text, int lines,
                     dlz_style style, bool draw) {
    double pitch = 1.3 * style.size, height = 0;
    for (int i = 0; i < lines && *text; i++) {
        char line[LONGEST_LINE];
        const char *newline = strchr(text, '\n');
        size_t given = newline ? (size_t)(newline - text) : strlen(text);
        copy_line(line, text);
        if (given < strlen(line))
            line[given] = '\0';
        bool last = i == lines - 1;
        size_t taken = strnlen(text, strlen(line));
        if (!last && dlz_text_width(canvas, line, style.size, style.bold) > style.most)
            taken = line_that_fits(canvas, line, style.size, style.bold, style.most);
        bool more = text[taken] != '\0';
        if (!last)
            line[taken] = '\0';
        else if (newline)
            strcpy(line + taken, "\xE2\x80\xA6");
        if (last)
            cut_line(canvas, line, style.size, style.bold, style.most);
        if (draw)
            show(canvas, x, y + height + 0.5 * pitch, line,
                 dlz_text_width(canvas, line, style.size, style.bold), style);
        height += pitch;
        text += taken;
        while (more && (*text == ' ' || *text == '\n'))
            text++;
    }
    return height;
}
