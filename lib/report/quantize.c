/* Maps as the page has them: 65,536 places each way. */
#include "report/report.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

/* How many times as far as all others a point must lie to be moved to the border. */
#define FAR 3.0
/* From the middle to 2 % before the border. */
#define REACH (0.48 * 65535)

static int ascending(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* Half the width, and the middle, of what all numbers but `rest` of the lowest and of the highest lie
 * in. */
static double middle(float *sorted, int64_t n, int64_t rest, double *half) {
    double low = sorted[rest], high = sorted[n - 1 - rest];
    *half = (high - low) / 2;
    return low + *half;
}

/* The square of all points, and of all but `rest` on each side. */
static void find_squares(int64_t n, const float *points, int64_t rest, float *scratch,
                         double whole[3], double most[3]) {
    whole[2] = most[2] = 0;
    for (int axis = 0; axis < 2; axis++) {
        double half;
        for (int64_t i = 0; i < n; i++)
            scratch[i] = points[2 * i + axis];
        qsort(scratch, (size_t)n, sizeof *scratch, ascending);
        whole[axis] = middle(scratch, n, 0, &half);
        whole[2] = fmax(whole[2], half);
        most[axis] = middle(scratch, n, rest, &half);
        most[2] = fmax(most[2], half);
    }
}

/* Makes a square as large as it must be for all points but `rest`, and for those of these that are not
 * far beyond. */
static void widen(int64_t n, const float *points, int64_t rest, float *scratch, double square[3]) {
    for (int64_t i = 0; i < n; i++)
        scratch[i] = (float)fmin(
            fmax(fabs(points[2 * i] - square[0]), fabs(points[2 * i + 1] - square[1])), FLT_MAX);
    qsort(scratch, (size_t)n, sizeof *scratch, ascending);
    int64_t last = n - 1 - rest;
    double most = FAR * scratch[last];
    while (last < n - 1 && scratch[last + 1] <= most)
        last++;
    square[2] = scratch[last];
}

void dlz_report_quantize(int64_t n, const float *points, float *scratch, uint16_t *to,
                         int64_t *outside) {
    int64_t rest = dlz_max_i64(n / 1000, dlz_min_i64(n / 20, 3));
    double whole[3], most[3];
    find_squares(n, points, rest, scratch, whole, most);
    widen(n, points, rest, scratch, most);
    const double *square = most[2] > 0 && FAR * most[2] < whole[2] ? most : whole;
    double scale = square[2] > 0 ? REACH / square[2] : 0;
    *outside = 0;
    for (int64_t i = 0; i < n; i++) {
        bool beyond = false;
        for (int axis = 0; axis < 2; axis++) {
            double at = floor((points[2 * i + axis] - square[axis]) * scale + 32768);
            beyond |= at < 0 || at > 65535;
            to[2 * i + axis] = (uint16_t)fmin(fmax(at, 0), 65535);
        }
        *outside += beyond;
    }
}
