/* plot/svg.h - what makes cairo's SVG a document: text that can be read and searched, a title, a
 * description, and the same bytes for equal figures. */
#ifndef DLZ_SVG_H
#define DLZ_SVG_H

#include "plot/canvas.h"

/* Writes a line down as an element, where dlz_text draws it in other formats. It keeps its width in
 * whatever font a viewer has. */
void dlz_svg_add_text(const dlz_canvas *canvas, double x, double y, const dlz_text_line *line,
                      double width, const dlz_style *style);

/* Makes what cairo wrote shorter and the same for equal figures, and adds the text and the title
 * (may be NULL) and description. All text comes last: nothing is drawn over it. */
void dlz_svg_complete(dlz_bytes *file, const dlz_canvas *canvas, const char *title,
                      const dlz_bytes *description);

#endif
