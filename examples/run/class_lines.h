/* class_lines.h - a figure's names of classes from whatever a file, a folder or a column calls them. */
#ifndef RUN_CLASS_LINES_H
#define RUN_CLASS_LINES_H

#include <dlviz.h>

/* A figure takes lines of text: what is none of a name is made printable, and its end is left out where
 * it is too long. */
dlviz_status set_class_lines(dlviz_figure *figure, int64_t count, const char *const *names);

#endif
