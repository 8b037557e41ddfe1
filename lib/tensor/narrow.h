/* tensor/narrow.h - numbers that float32 may not hold: what becomes of them, and what to subtract
 * so that little is lost. */
#ifndef DLZ_NARROW_H
#define DLZ_NARROW_H

#include "tensor/element.h"

/* rows x columns numbers of a type that is wider than float32, as they lie in a file or a tensor.
 */
typedef struct dlz_wide {
    dlz_element element;
    bool big_endian, column_major;
    int64_t rows, columns;
    const void *numbers;      /* need no alignment */
    const char *const *names; /* of the columns, for sentences; NULL where they have none */
    const bool *wholes;       /* which columns of float64 have int64 instead; NULL for none */
} dlz_wide;

/* The numbers of an array: its first dimension counts rows, all others together columns. */
dlz_wide dlz_wide_of(dlz_element element, int ndim, const int64_t *dims, int64_t size,
                     const void *numbers);

/* Whether the type has numbers that float32 has not. */
bool dlz_is_wide(dlz_element element);

/* Fails with DLVIZ_ERROR_NUMERIC when rounding to float32 would lose what tells the rows apart:
 * when it moves numbers of a column by more than a thousandth of the column's range. That range
 * counts unless it is rounding noise itself (10^-12 of float64 numbers) or nothing beside the
 * widest column's (10^-6). Fewer than 8 rows are judged by all columns together, since some of them
 * may be near each other by chance. `remedy` ends the sentence. */
dlviz_status dlz_check_narrow(const dlz_wide *from, const char *remedy);

/* The same, and then rounds to float32, in the order of `from`. */
dlviz_status dlz_narrow_checked(const dlz_wide *from, float *to, const char *remedy);

/* Rounds to float32, in the order of `from`, after subtracting an offset from each column that lies
 * far from 0 beside its spread and would not be exact; offsets[columns] is 0 for all others. Fails
 * with DLVIZ_ERROR_NUMERIC at a number beyond float32, and as dlz_check_narrow when an offset is
 * not enough. */
dlviz_status dlz_narrow_shifted(const dlz_wide *from, float *to, float *offsets);

#endif
