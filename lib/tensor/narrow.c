#include "tensor/narrow.h"
#include "tensor/tensor.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* Of a column's range: a rounding error that is too much. */
#define MOST_LOSS 1e-3
/* Of float64 numbers: a range that may be nothing but their own rounding. */
#define NOISE 1e-12
/* Of the widest range: a range that no distance shows. */
#define NEGLIGIBLE 1e-6
/* With fewer rows, columns are judged together. */
#define FEWEST_ROWS 8
/* A column's mean that is so many deviations from 0 is worth subtracting. */
#define FAR_FROM_ZERO 8

/* A difference of two int64, to the last digit but for 2^64 itself. */
typedef struct difference {
    bool negative;
    uint64_t magnitude;
} difference;

/* A number of a column, less its offset. */
typedef struct number {
    double value;
    float narrow;
    double error;  /* of rounding to `narrow` */
    int64_t whole; /* where the column has integers: as it was */
} number;

/* What is known of a column; NaN and infinities, which float32 has too, are passed over. */
typedef struct column {
    number first; /* the sums are about it */
    double low, high;
    double least, most, sum, square; /* less the first: of integers these are exact */
    double error;                    /* the largest change by rounding */
    int64_t count;
} column;

dlz_wide dlz_wide_of(dlz_element element, int ndim, const int64_t *dims, int64_t size,
                     const void *numbers) {
    int64_t rows = ndim > 0 ? dims[0] : 1;
    return (dlz_wide){.element = element,
                      .rows = rows,
                      .columns = rows > 0 ? size / rows : 0,
                      .numbers = numbers};
}

bool dlz_is_wide(dlz_element element) {
    return element == DLZ_ELEMENT_F64 || element == DLZ_ELEMENT_U32 || element == DLZ_ELEMENT_I32 ||
           element == DLZ_ELEMENT_U64 || element == DLZ_ELEMENT_I64;
}

/* Walks through the numbers in their order. */
typedef struct place {
    int64_t index, column, row; /* row: within a column-major column */
} place;

static void step(const dlz_wide *from, place *at) {
    at->index++;
    if (!from->column_major) {
        if (++at->column == from->columns)
            at->column = 0;
    } else if (++at->row == from->rows) {
        at->row = 0;
        at->column++;
    }
}

static bool inside(const dlz_wide *from, const place *at) {
    return at->index < from->rows * from->columns;
}

/* -- Integers, of which double holds no more than 53 bits ----------------------------------------
 */

static difference less(int64_t whole, int64_t other) {
    uint64_t a = (uint64_t)whole, b = (uint64_t)other;
    return whole < other ? (difference){true, b - a} : (difference){false, a - b};
}

/* The offset is a whole number from -2^63 to 2^63. */
static difference less_offset(int64_t whole, double offset) {
    if (offset < 0x1p63)
        return less(whole, (int64_t)offset);
    uint64_t magnitude = (UINT64_C(1) << 63) - (uint64_t)whole;
    return (difference){true, magnitude ? magnitude : UINT64_MAX};
}

static double as_double(difference d) {
    return d.negative ? -(double)d.magnitude : (double)d.magnitude;
}

static double less_exactly(int64_t whole, int64_t other) {
    int64_t rest;
    return __builtin_sub_overflow(whole, other, &rest) ? as_double(less(whole, other))
                                                       : (double)rest;
}

static number round_far(int64_t whole, double offset) {
    difference d = less_offset(whole, offset);
    float narrow = (float)d.magnitude;
    uint64_t error;
    if (narrow >= 0x1p64f)
        error = 0 - d.magnitude;
    else if ((uint64_t)narrow > d.magnitude)
        error = (uint64_t)narrow - d.magnitude;
    else
        error = d.magnitude - (uint64_t)narrow;
    return (number){.value = as_double(d),
                    .narrow = d.negative ? -narrow : narrow,
                    .error = (double)error,
                    .whole = whole};
}

static number round_real(double value) {
    float narrow = (float)value;
    return (number){.value = value, .narrow = narrow, .error = fabs((double)narrow - value)};
}

static number round_whole(int64_t whole, double offset) {
    const int64_t most = INT64_C(1) << 53;
    int64_t rest;
    if (!(offset < 0x1p63) || __builtin_sub_overflow(whole, (int64_t)offset, &rest) ||
        rest < -most || rest > most)
        return round_far(whole, offset);
    number n = round_real((double)rest);
    n.whole = whole;
    return n;
}

/* -- What columns have ---------------------------------------------------------------------------
 */

static dlz_element element_of(const dlz_wide *from, int64_t j) {
    return from->wholes && from->wholes[j] ? DLZ_ELEMENT_I64 : from->element;
}

/* A number less an offset, which is a whole number when the numbers are. */
static dlviz_status load(const dlz_wide *from, const place *source, double offset, number *to) {
    dlz_element element = element_of(from, source->column);
    size_t size = dlz_element_size(element);
    const char *at = (const char *)from->numbers + (size_t)source->index * size;
    if (element == DLZ_ELEMENT_F64) {
        *to = round_real(dlz_element_double(from->big_endian, at) - offset);
        return DLVIZ_OK;
    }
    int64_t whole;
    if (dlz_element_decode(element, from->big_endian, at, 1, &whole) != DLVIZ_OK)
        return dlz_fail(DLVIZ_ERROR_NUMERIC, "element %lld is beyond the range of int64",
                        (long long)source->index);
    *to = round_whole(whole, offset);
    return DLVIZ_OK;
}

/* Looks at all numbers, each less its column's offset (NULL: none). */
static dlviz_status survey(const dlz_wide *from, const float *offsets, column *columns) {
    memset(columns, 0, (size_t)from->columns * sizeof *columns);
    for (place at = {0}; inside(from, &at); step(from, &at)) {
        column *c = &columns[at.column];
        bool real = element_of(from, at.column) == DLZ_ELEMENT_F64;
        number n = {0};
        DLZ_TRY(load(from, &at, offsets ? (double)offsets[at.column] : 0, &n));
        if (!isfinite(n.value))
            continue;
        if (c->count++ == 0) {
            c->first = n;
            c->low = c->high = n.value;
        }
        double more = real ? n.value - c->first.value : less_exactly(n.whole, c->first.whole);
        c->low = n.value < c->low ? n.value : c->low;
        c->high = n.value > c->high ? n.value : c->high;
        c->least = more < c->least ? more : c->least;
        c->most = more > c->most ? more : c->most;
        c->sum += more;
        c->square += more * more;
        if (n.error <= FLT_MAX) /* what is beyond float32 is refused on its own */
            c->error = fmax(c->error, n.error);
    }
    return DLVIZ_OK;
}

static double range_of(const dlz_wide *from, const column *columns, int64_t j) {
    const column *c = &columns[j];
    return element_of(from, j) == DLZ_ELEMENT_F64 ? c->high - c->low : c->most - c->least;
}

static double largest_magnitude(const column *c) {
    return fmax(fabs(c->low), fabs(c->high));
}

static double offset_size(const float *offsets, int64_t j) {
    return offsets ? fabs((double)offsets[j]) : 0;
}

/* `real`: the numbers are float64. */
static bool loses(bool real, double error, double range, double magnitude) {
    double noise = real ? NOISE * magnitude : 0;
    return error > MOST_LOSS * range && range > noise;
}

static dlviz_status refuse(const dlz_wide *from, int64_t index, const column *c,
                           const char *remedy) {
    char low[DLZ_NUMBER_SIZE], high[DLZ_NUMBER_SIZE], step[DLZ_NUMBER_SIZE];
    const char *type = element_of(from, index) == DLZ_ELEMENT_F64 ? "float64" : "integers";
    double magnitude = largest_magnitude(c);
    float rounded = (float)magnitude;
    if (from->names)
        dlz_fail(DLVIZ_ERROR_NUMERIC, "column '%s'", from->names[index]);
    else
        dlz_fail(DLVIZ_ERROR_NUMERIC, "column %lld (%s)", (long long)index, type);
    return dlz_fail(
        DLVIZ_ERROR_NUMERIC,
        "%s lies between %s and %s, where float32 has steps of %s: that would lose what tells the "
        "rows apart; %s",
        dlviz_last_error(), dlz_number(low, c->low, 12), dlz_number(high, c->high, 12),
        dlz_number(step, (double)nextafterf(rounded, INFINITY) - (double)rounded, 3), remedy);
}

/* The numbers are less `offsets` (NULL: none), and so is not what float64 rounded. */
static dlviz_status judge(const dlz_wide *from, const column *columns, const float *offsets,
                          const char *remedy) {
    double widest = 0, error = 0, magnitude = 0;
    int64_t worst = 0;
    for (int64_t j = 0; j < from->columns; j++) {
        const column *c = &columns[j];
        widest = fmax(widest, range_of(from, columns, j));
        magnitude = fmax(magnitude, largest_magnitude(c) + offset_size(offsets, j));
        worst = c->error > error ? j : worst;
        error = fmax(error, c->error);
    }
    if (from->rows < FEWEST_ROWS) {
        bool real = element_of(from, worst) == DLZ_ELEMENT_F64;
        return loses(real, error, widest, magnitude) ? refuse(from, worst, &columns[worst], remedy)
                                                     : DLVIZ_OK;
    }
    for (int64_t j = 0; j < from->columns; j++) {
        const column *c = &columns[j];
        bool real = element_of(from, j) == DLZ_ELEMENT_F64;
        double range = range_of(from, columns, j);
        magnitude = largest_magnitude(c) + offset_size(offsets, j);
        if (range >= NEGLIGIBLE * widest && loses(real, c->error, range, magnitude))
            return refuse(from, j, c, remedy);
    }
    return DLVIZ_OK;
}

static dlviz_status make_columns(const dlz_wide *from, column **columns) {
    *columns = dlz_alloc_array((uint64_t)from->columns, sizeof **columns);
    if (!*columns)
        return dlz_fail_memory("the ranges of columns", (uint64_t)from->columns * sizeof **columns);
    return DLVIZ_OK;
}

dlviz_status dlz_check_narrow(const dlz_wide *from, const char *remedy) {
    if (from->rows < 2 || from->columns < 1)
        return DLVIZ_OK;
    column *columns;
    DLZ_TRY(make_columns(from, &columns));
    dlviz_status status = survey(from, NULL, columns);
    if (status == DLVIZ_OK)
        status = judge(from, columns, NULL, remedy);
    dlz_free(columns);
    return status;
}

/* A float32, so that it can be given back exactly; whole where the numbers are. */
static float choose_offset(bool real, const column *c) {
    if (c->error == 0)
        return 0;
    double shift = c->sum / (double)c->count, mean = c->first.value + shift;
    double variance = fmax(c->square / (double)c->count - shift * shift, 0);
    float offset = (float)(real ? mean : rint(mean));
    return isfinite(offset) && fabs(mean) > FAR_FROM_ZERO * sqrt(variance) ? offset : 0;
}

static dlviz_status convert(const dlz_wide *from, const float *offsets, float *to) {
    for (place at = {0}; inside(from, &at); step(from, &at)) {
        number n = {0};
        DLZ_TRY(load(from, &at, offsets ? (double)offsets[at.column] : 0, &n));
        to[at.index] = n.narrow;
        char text[DLZ_NUMBER_SIZE];
        if (isinf(n.narrow) && !isinf(n.value))
            return dlz_fail(DLVIZ_ERROR_NUMERIC, "element %lld is %s, beyond the range of float32",
                            (long long)at.index, dlz_number(text, n.value, 6));
    }
    return DLVIZ_OK;
}

dlviz_status dlz_narrow_checked(const dlz_wide *from, float *to, const char *remedy) {
    DLZ_TRY(dlz_check_narrow(from, remedy));
    return convert(from, NULL, to);
}

dlviz_status dlz_narrow_shifted(const dlz_wide *from, float *to, float *offsets) {
    if (from->rows < 1 || from->columns < 1)
        return DLVIZ_OK;
    column *columns;
    DLZ_TRY(make_columns(from, &columns));
    dlviz_status status = survey(from, NULL, columns);
    bool shifted = false;
    for (int64_t j = 0; status == DLVIZ_OK && j < from->columns; j++) {
        offsets[j] = choose_offset(element_of(from, j) == DLZ_ELEMENT_F64, &columns[j]);
        shifted |= offsets[j] != 0;
    }
    if (status == DLVIZ_OK && shifted)
        status = survey(from, offsets, columns);
    if (status == DLVIZ_OK)
        status = judge(from, columns, offsets,
                       shifted ? "an offset was subtracted already; scale the numbers first"
                               : "scale the numbers first");
    if (status == DLVIZ_OK)
        status = convert(from, offsets, to);
    dlz_free(columns);
    return status;
}
