/* plot/type.h - lines of text: how wide they are, where they break, and how they are drawn, in any
 * script. Sizes are in units of the canvas. Set by Pango, with fonts and caches of its own for each
 * drawing, so that drawings in several threads have nothing in common. */
#ifndef DLZ_TYPE_H
#define DLZ_TYPE_H

#include <cairo.h>
#include <dlviz/status.h>
#include <stdbool.h>
#include <stddef.h>

#include "plot/bytes.h"

typedef struct dlz_type dlz_type;

/* A piece of UTF-8 without newlines. */
typedef struct dlz_text_line {
    const char *text;
    size_t length;
    bool leftwards; /* its paragraph runs from right to left */
    double size;
    bool bold;
} dlz_text_line;

/* What stands behind a line that was cut: bytes of a line, without a zero. */
extern const char dlz_ellipsis[3];

/* Fails where there is no font to draw text with. To be called before anything is drawn. */
dlviz_status dlz_type_create(dlz_type **out);
void dlz_type_destroy(dlz_type *type);
/* Looks whether memory was missing that nobody has told of: soon after what may have missed it. */
void dlz_type_note_failures(dlz_type *type);
/* What has gone wrong since, if anything has, also what cairo did not notice. */
dlviz_status dlz_type_status(dlz_type *type);

/* The family of the font that plain text is set in. */
const char *dlz_type_family(const dlz_type *type);
/* What Unicode says are no characters cairo refuses to write into a PDF. *replaced is a copy with
 * U+FFFD in their places, or in planes beyond the first, where that would be shorter, what comes before
 * them, which is a box too: so all other text stays where it is. NULL where there are none; false
 * where there is no memory. */
bool dlz_type_replace(const char *text, size_t length, char **replaced);
/* Whether the first letter that has a direction runs from right to left. */
bool dlz_type_leftwards(const char *text, size_t length);
double dlz_type_width(dlz_type *type, const dlz_text_line *line);
/* How many bytes of the line fit a width: up to a place where it may break, or between two
 * characters as readers see them if there is none; one character at least. */
size_t dlz_type_break(dlz_type *type, const dlz_text_line *line, double most);
/* How many bytes of the line fit a width with an ellipsis behind them, between two characters as
 * readers see them. */
size_t dlz_type_cut(dlz_type *type, const dlz_text_line *line, double most);
/* The left end of the baseline is at (x, y). */
void dlz_type_draw(dlz_type *type, cairo_t *cr, double x, double y, const dlz_text_line *line);
/* The outline of what dlz_type_draw would draw, added to the path. */
void dlz_type_outline(dlz_type *type, cairo_t *cr, double x, double y, const dlz_text_line *line);

#endif
