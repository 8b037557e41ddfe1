/* rows.h - points of a page that have no names are called after the rows of their file. */
#ifndef RUN_ROWS_H
#define RUN_ROWS_H

#include <dlviz.h>

/* Names n points "row 37", and so on: rows[i] + 1, or i + 1 where rows is NULL. A header is no row.
 * Pages of very many points stay without, for the sake of their size. */
dlviz_status name_rows(dlviz_report *report, const int64_t *rows, int64_t n);

#endif
