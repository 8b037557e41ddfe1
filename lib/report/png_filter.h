/* report/png_filter.h - the filters of PNG: what is written of a row instead of its bytes. */
#ifndef DLZ_REPORT_PNG_FILTER_H
#define DLZ_REPORT_PNG_FILTER_H

#include <stddef.h>
#include <stdint.h>

enum { DLZ_PNG_NONE, DLZ_PNG_SUB, DLZ_PNG_UP, DLZ_PNG_AVERAGE, DLZ_PNG_PAETH, DLZ_PNG_NUM_FILTERS };

/* What a filter expects of a byte by those to the left, above and above left (W3C, "Portable Network
 * Graphics", section 9). */
static inline int dlz_png_expect(int filter, int left, int above, int corner) {
    int a, b, c;
    switch (filter) {
    case DLZ_PNG_SUB:
        return left;
    case DLZ_PNG_UP:
        return above;
    case DLZ_PNG_AVERAGE:
        return (left + above) / 2;
    case DLZ_PNG_PAETH:
        a = above > corner ? above - corner : corner - above;
        b = left > corner ? left - corner : corner - left;
        c = left + above > 2 * corner ? left + above - 2 * corner : 2 * corner - left - above;
        return a <= b && a <= c ? left : b <= c ? above : corner;
    default:
        return 0;
    }
}

#endif
