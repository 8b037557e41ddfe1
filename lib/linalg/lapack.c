#include "linalg/lapack.h"
#include "base/base.h"
#include "linalg/linalg.h"

#include <math.h>
#include <stdlib.h>

dlviz_status dlz_lapack_check_size(int64_t m, int64_t n) {
    if (m > INT32_MAX || n > INT32_MAX)
        return dlz_fail(DLVIZ_ERROR_UNSUPPORTED,
                        "a %lld x %lld matrix is beyond LAPACK's 32-bit sizes", (long long)m,
                        (long long)n);
    return DLVIZ_OK;
}

/* Powers of two between which squares and sums of squares are far from overflow and underflow. */
#define SAFE_EXPONENT 256

dlviz_status dlz_make_safe(int64_t m, int64_t n, bool lower, double *a, int *exponent) {
    *exponent = 0;
    double largest = 0;
    for (int64_t i = 0; i < m; i++) {
        int64_t width = lower ? i + 1 : n;
        for (int64_t j = 0; j < width; j++) {
            double size = fabs(a[i * n + j]);
            if (!isfinite(size))
                return dlz_fail(DLVIZ_ERROR_NUMERIC,
                                "row %lld, column %lld of a %lld x %lld matrix is %s; LAPACK needs "
                                "finite numbers",
                                (long long)i, (long long)j, (long long)m, (long long)n,
                                isnan(size) ? "NaN" : "infinite");
            largest = fmax(largest, size);
        }
    }
    int power = 0;
    frexp(largest, &power);
    if (abs(power) <= SAFE_EXPONENT)
        return DLVIZ_OK;
    *exponent = power;
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < (lower ? i + 1 : n); j++)
            a[i * n + j] = ldexp(a[i * n + j], -power);
    return DLVIZ_OK;
}

static double dot(const double *a, const double *b, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

/* A NaN counts as an infinite error. */
static double worse(double worst, double product, bool same) {
    double error = fabs(product - (same ? 1 : 0));
    return error <= worst ? worst : isnan(error) ? INFINITY : error;
}

double dlz_orthonormality_error(int64_t count, int64_t n, const double *rows, bool all,
                                double *products) {
    double worst = 0;
    for (int64_t i = 0; !all && i < count; i++) {
        worst = worse(worst, dot(rows + i * n, rows + i * n, n), true);
        if (i > 0)
            worst = worse(worst, dot(rows + i * n, rows + (i - 1) * n, n), false);
    }
    for (int64_t first = 0; all && first < count; first += DLZ_ORTHONORMALITY_BLOCK) {
        int64_t m = dlz_min_i64(DLZ_ORTHONORMALITY_BLOCK, count - first), width = first + m;
        dlz_multiply(&(dlz_product){.transpose_b = true,
                                    .m = m,
                                    .n = width,
                                    .k = n,
                                    .alpha = 1,
                                    .a = rows + first * n,
                                    .lda = n,
                                    .b = rows,
                                    .ldb = n,
                                    .c = products,
                                    .ldc = width});
        for (int64_t i = 0; i < m; i++)
            for (int64_t j = 0; j <= first + i; j++)
                worst = worse(worst, products[i * width + j], j == first + i);
    }
    return worst;
}
