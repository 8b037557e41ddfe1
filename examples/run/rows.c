#include "rows.h"

#include <stdio.h>
#include <stdlib.h>

enum { MOST_NAMED = 100000 };

dlviz_status name_rows(dlviz_report *report, const int64_t *rows, int64_t n) {
    if (n > MOST_NAMED)
        return DLVIZ_OK;
    char(*texts)[32] = calloc((size_t)n + 1, sizeof *texts);
    const char **names = calloc((size_t)n + 1, sizeof *names);
    for (int64_t i = 0; texts && names && i < n; i++) {
        snprintf(texts[i], sizeof *texts, "row %lld", (long long)(rows ? rows[i] : i) + 1);
        names[i] = texts[i];
    }
    dlviz_status status =
        texts && names ? dlviz_report_set_point_names(report, n, names)
                       : dlviz_fail(DLVIZ_ERROR_OUT_OF_MEMORY, "no memory for the names of rows");
    free(names);
    free(texts);
    return status;
}
