/* report/parse.h - the data of a page that was written before. */
#ifndef DLZ_REPORT_PARSE_H
#define DLZ_REPORT_PARSE_H

#include "report/report.h"

#include <jansson.h>

/* A report as large as the page's, with all of it but the pictures. No value is trusted: each is
 * checked for its kind, its range and its number. Fails with DLVIZ_ERROR_FORMAT, or
 * DLVIZ_ERROR_UNSUPPORTED for a format that came later. */
dlviz_status dlz_report_parse(const json_t *root, dlviz_report **page);
/* The pictures: `base64` holds a PNG. Nothing where the page has none. */
dlviz_status dlz_report_parse_sprite(const json_t *root, const char *base64, size_t length,
                                     dlviz_report *page);

#endif
