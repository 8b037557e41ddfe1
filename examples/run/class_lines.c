#include "class_lines.h"

#include <stdlib.h>

enum { MOST_NAME = 256 };

dlviz_status set_class_lines(dlviz_figure *figure, int64_t count, const char *const *names) {
    const char **shown = calloc((size_t)count + 1, sizeof *shown);
    char(*lines)[MOST_NAME] = calloc((size_t)count + 1, sizeof *lines);
    for (int64_t i = 0; shown && lines && i < count; i++) {
        dlviz_printable(lines[i], sizeof *lines, names[i]);
        shown[i] = lines[i];
    }
    dlviz_status status = shown && lines ? dlviz_figure_set_class_names(figure, count, shown)
                                         : dlviz_fail(DLVIZ_ERROR_OUT_OF_MEMORY,
                                                      "no memory for the names of classes");
    free(shown);
    free(lines);
    return status;
}
