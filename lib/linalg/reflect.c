#include "linalg/reflect.h"
#include "base/base.h"
#include "base/parallel.h"
#include "kernels/embed/dense.h"
#include "linalg/linalg.h"

#include <math.h>
#include <string.h>

/* Squares below this have lost digits; numbers so small are nothing beside those of a matrix whose
 * largest is at least 2^-256 (dlz_make_safe). */
#define NOTHING 1e-250

double dlz_reflection(double pivot, double *rest, int64_t n, double *tau) {
    double square;
    dlz_dense()->dots(rest, n, 1, rest, n, &square);
    *tau = 0;
    if (!(square > NOTHING)) {
        memset(rest, 0, (size_t)n * sizeof *rest);
        return pivot;
    }
    double size = sqrt(pivot * pivot + square), to = pivot > 0 ? -size : size;
    *tau = (to - pivot) / to;
    double scale = 1 / (pivot - to);
    for (int64_t i = 0; i < n; i++)
        rest[i] *= scale;
    return to;
}

void dlz_reflect_factor(int64_t k, int64_t n, const double *v, int64_t stride, const double *tau,
                        double *t) {
    enum { B = DLZ_REFLECT_BLOCK };
    double products[B * B];
    dlz_dgemm(false, true, k, k, n, 1, v, stride, v, stride, 0, products, B);
    memset(t, 0, B * (size_t)k * sizeof *t);
    for (int64_t j = 0; j < k; j++) {
        for (int64_t i = 0; i < j; i++) {
            double sum = 0;
            for (int64_t l = i; l < j; l++)
                sum += t[i * B + l] * products[l * B + j];
            t[i * B + j] = -tau[j] * sum;
        }
        t[j * B + j] = tau[j];
    }
}

typedef struct reflect_pass {
    int64_t m, n, stride_x, k, stride_v, rows; /* rows of a tile */
    double *x;
    const double *v, *t;
    bool transpose;
} reflect_pass;

/* Of a tile, where there are few vectors and where there are many, for which V is read and packed
 * less often. */
enum { FEW = 24, MANY = 96 };

static void reflect_tile(void *context, int64_t tile, int worker) {
    enum { B = DLZ_REFLECT_BLOCK };
    (void)worker;
    const reflect_pass *p = context;
    int64_t m = dlz_min_i64(p->rows, p->m - tile * p->rows);
    double *x = p->x + tile * p->rows * p->stride_x, products[MANY * B], row[B];
    dlz_dgemm(false, true, m, p->k, p->n, 1, x, p->stride_x, p->v, p->stride_v, 0, products, B);
    for (int64_t i = 0; i < m; i++) {
        memcpy(row, products + i * B, (size_t)p->k * sizeof *row);
        memset(products + i * B, 0, (size_t)p->k * sizeof *row);
        if (p->transpose)
            dlz_dense()->dots(p->t, B, p->k, row, p->k, products + i * B);
        else
            dlz_dense()->combine(p->t, B, p->k, row, p->k, products + i * B);
    }
    dlz_dgemm(false, false, m, p->n, p->k, -1, products, B, p->v, p->stride_v, 1, x, p->stride_x);
}

void dlz_reflect_rows(int64_t m, int64_t n, double *x, int64_t stride_x, int64_t k, const double *v,
                      int64_t stride_v, const double *t, bool transpose) {
    reflect_pass pass = {m, n, stride_x, k,        stride_v, m < 4 * MANY ? FEW : MANY,
                         x, v, t,        transpose};
    bool small = m * n < 8192;
    dlz_parallel_for(dlz_ceil_div(m, pass.rows), small ? 1 : dlz_threads(), reflect_tile, &pass);
}
