/* report/values.h - single values of a page's data, checked. `what` names them in sentences. */
#ifndef DLZ_REPORT_VALUES_H
#define DLZ_REPORT_VALUES_H

#include "base/base.h"

#include <jansson.h>

dlviz_status dlz_value_text(const json_t *value, const char *what, const char **text);
/* A whole number from least to most. */
dlviz_status dlz_value_integer(const json_t *value, const char *what, int64_t least, int64_t most,
                               int64_t *number);
/* NaN for null. */
dlviz_status dlz_value_real(const json_t *value, const char *what, double *number);
dlviz_status dlz_value_array(const json_t *value, const char *what, int64_t least, int64_t *count);
/* `count` numbers of `written` bytes in base64, in a new block (dlz_free) with `size` bytes for each. NULL,
 * with a sentence (dlz_last_status), unless all are below `limit`; where `none` is not 0, the largest
 * number that `written` bytes hold becomes that. */
void *dlz_value_numbers(const json_t *value, const char *what, int64_t count, int written, int size,
                        uint32_t limit, uint32_t none);

#endif
