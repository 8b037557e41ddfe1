/* plot/scales.h - from numbers to places on an axis, and which of them to label. */
#ifndef DLZ_SCALES_H
#define DLZ_SCALES_H

#include <stdbool.h>
#include <stdint.h>

enum { DLZ_MAX_TICKS = 64 };

/* Widens a range, which begins as (INFINITY, -INFINITY) or as a value of it, to hold one more; NaN
 * changes nothing. Comparisons, not fmin and fmax: where those gather floats into a double in a
 * loop, GCC 12.2 for arm64 ends with an internal compiler error. */
static inline void dlz_range_include(double *low, double *high, double value) {
    if (value < *low)
        *low = value;
    if (value > *high)
        *high = value;
}

/* "1.5" with exponent "" is 1.5; "5·10" with exponent "-4" is drawn with a raised exponent. Both
 * empty: a tick without a label. */
typedef struct dlz_tick {
    double value;
    char text[64], exponent[16];
} dlz_tick;

typedef struct dlz_axis {
    double low, high; /* low < high; both > 0 when logarithmic */
    bool logarithmic;
    bool powers; /* its labels are written with powers of ten */
    int count;
    dlz_tick ticks[DLZ_MAX_TICKS]; /* rising */
} dlz_axis;

/* An axis over the data's range, widened by `padding` of its length at both ends (a range of zero
 * length becomes one around the value), with at most `most` (2 to 20) labeled ticks at multiples
 * of 1, 2 or 5 times a power of ten; `whole` keeps them at whole numbers. low <= high, both finite.
 */
void dlz_axis_linear(dlz_axis *axis, double low, double high, double padding, int most, bool whole);
/* A logarithmic one, 0 < low <= high: powers of ten with the lines between them unlabeled; on short
 * ranges also as many of their multiples as there is room for. */
void dlz_axis_log(dlz_axis *axis, double low, double high, double padding, int most);
/* Linear ticks anew over axis->low … axis->high as they are. */
void dlz_axis_place_ticks(dlz_axis *axis, int most, bool whole);
/* A value in as many significant digits, written as the axis's labels are: with a power of ten or
 * in plain digits, of which those before the point are all there. */
enum { DLZ_AXIS_NUMBER_SIZE = 64 };
const char *dlz_axis_number(const dlz_axis *axis, double value, int digits,
                            char text[DLZ_AXIS_NUMBER_SIZE]);
/* Where a value lies: 0 at low, 1 at high. */
double dlz_axis_at(const dlz_axis *axis, double value);

#endif
