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

/* What is known of a column; NaN and infinities, which float32 has too, are passed over. */
typedef struct column {
    double first; /* the sums are about it */
    double low, high, sum, square;
    double error; /* the largest change by rounding */
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

/* Number `index`, less an offset that is a whole number when the numbers are. */
static dlviz_status load(const dlz_wide *from, int64_t index, double offset, double *number) {
    size_t size = dlz_element_size(from->element);
    const char *at = (const char *)from->numbers + (size_t)index * size;
    if (from->element == DLZ_ELEMENT_F64) {
        *number = dlz_element_double(from->big_endian, at) - offset;
        return DLVIZ_OK;
    }
    int64_t whole, rest;
    if (dlz_element_decode(from->element, from->big_endian, at, 1, &whole) != DLVIZ_OK)
        return dlz_fail(DLVIZ_ERROR_NUMERIC, "element %lld is beyond the range of int64",
                        (long long)index);
    bool exact = fabs(offset) < 0x1p63 && !__builtin_sub_overflow(whole, (int64_t)offset, &rest);
    *number = exact ? (double)rest : (double)whole - offset;
    return DLVIZ_OK;
}

/* Looks at all numbers, each less its column's offset (NULL: none). */
static dlviz_status survey(const dlz_wide *from, const float *offsets, column *columns) {
    memset(columns, 0, (size_t)from->columns * sizeof *columns);
    for (place at = {0}; inside(from, &at); step(from, &at)) {
        column *c = &columns[at.column];
        double value = 0, offset = offsets ? (double)offsets[at.column] : 0;
        DLZ_TRY(load(from, at.index, offset, &value));
        if (!isfinite(value))
            continue;
        if (c->count++ == 0)
            c->first = c->low = c->high = value;
        c->low = value < c->low ? value : c->low;
        c->high = value > c->high ? value : c->high;
        c->sum += value - c->first;
        c->square += (value - c->first) * (value - c->first);
        double error = fabs((double)(float)value - value);
        if (error <= FLT_MAX) /* what is beyond float32 is refused on its own */
            c->error = fmax(c->error, error);
    }
    return DLVIZ_OK;
}

static double largest_magnitude(const column *c) {
    return fmax(fabs(c->low), fabs(c->high));
}

static double offset_size(const float *offsets, int64_t j) {
    return offsets ? fabs((double)offsets[j]) : 0;
}

static bool loses(const dlz_wide *from, double error, double range, double magnitude) {
    double noise = from->element == DLZ_ELEMENT_F64 ? NOISE * magnitude : 0;
    return error > MOST_LOSS * range && range > noise;
}

static dlviz_status refuse(const dlz_wide *from, int64_t index, const column *c,
                           const char *remedy) {
    char low[DLZ_NUMBER_SIZE], high[DLZ_NUMBER_SIZE], step[DLZ_NUMBER_SIZE];
    const char *type = from->element == DLZ_ELEMENT_F64 ? "float64" : "integers";
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
        widest = fmax(widest, c->high - c->low);
        magnitude = fmax(magnitude, largest_magnitude(c) + offset_size(offsets, j));
        worst = c->error > error ? j : worst;
        error = fmax(error, c->error);
    }
    if (from->rows < FEWEST_ROWS)
        return loses(from, error, widest, magnitude) ? refuse(from, worst, &columns[worst], remedy)
                                                     : DLVIZ_OK;
    for (int64_t j = 0; j < from->columns; j++) {
        const column *c = &columns[j];
        double range = c->high - c->low;
        magnitude = largest_magnitude(c) + offset_size(offsets, j);
        if (range >= NEGLIGIBLE * widest && loses(from, c->error, range, magnitude))
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
static float choose_offset(const dlz_wide *from, const column *c) {
    if (c->error == 0)
        return 0;
    double shift = c->sum / (double)c->count, mean = c->first + shift;
    double variance = fmax(c->square / (double)c->count - shift * shift, 0);
    float offset = (float)(from->element == DLZ_ELEMENT_F64 ? mean : rint(mean));
    return isfinite(offset) && fabs(mean) > FAR_FROM_ZERO * sqrt(variance) ? offset : 0;
}

static dlviz_status convert(const dlz_wide *from, const float *offsets, float *to) {
    for (place at = {0}; inside(from, &at); step(from, &at)) {
        double value = 0;
        DLZ_TRY(load(from, at.index, (double)offsets[at.column], &value));
        float narrow = to[at.index] = (float)value;
        char text[DLZ_NUMBER_SIZE];
        if (isinf(narrow) && !isinf(value))
            return dlz_fail(DLVIZ_ERROR_NUMERIC, "element %lld is %s, beyond the range of float32",
                            (long long)at.index, dlz_number(text, value, 6));
    }
    return DLVIZ_OK;
}

dlviz_status dlz_narrow_shifted(const dlz_wide *from, float *to, float *offsets) {
    if (from->rows < 1 || from->columns < 1)
        return DLVIZ_OK;
    column *columns;
    DLZ_TRY(make_columns(from, &columns));
    dlviz_status status = survey(from, NULL, columns);
    bool shifted = false;
    for (int64_t j = 0; status == DLVIZ_OK && j < from->columns; j++) {
        offsets[j] = choose_offset(from, &columns[j]);
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
