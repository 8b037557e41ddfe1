#include "base/base.h"
#include "kernels/embed/dense.h"
#include "linalg/linalg.h"
#include "linalg/reflect.h"

#include <string.h>

#define BLOCK DLZ_REFLECT_BLOCK

/* Reflections of k rows of n numbers, row j's of what it has from j on; rows become those of R's
 * transpose with the reflection behind the diagonal. Blocks of them are put together, and what they
 * do to later rows is products of matrices. */
typedef struct qr {
    int64_t k, n;
    int64_t
        slope; /* not 0: behind its first slope (j + 1) numbers row j has zeros, and keeps them */
    double *rows;    /* k x n */
    double *tau;     /* k */
    double *factors; /* BLOCK x BLOCK a block of rows */
    double *block;   /* BLOCK x n: a block's reflections with their pivots and zeros */
} qr;

static void release(qr *q) {
    dlz_free(q->tau);
}

static dlviz_status prepare(qr *q, int64_t k, int64_t n, double *rows) {
    uint64_t blocks = (uint64_t)dlz_ceil_div(k, BLOCK) * BLOCK;
    uint64_t doubles = (uint64_t)k + blocks * BLOCK;
    size_t width = 0, total = 0;
    *q = (qr){.k = k, .n = n, .rows = rows};
    if (!dlz_mul_overflows((uint64_t)n, BLOCK, &width) &&
        !dlz_add_overflows(width, (size_t)doubles, &total))
        q->tau = dlz_alloc_array(total, sizeof *q->tau);
    if (!q->tau)
        return dlz_fail_memory("a QR factorization", (uint64_t)total * sizeof *q->tau);
    q->factors = q->tau + k;
    q->block = q->factors + blocks * BLOCK;
    return DLVIZ_OK;
}

/* Where what the reflections of the rows before `next` touch ends. */
static int64_t reach(const qr *q, int64_t next) {
    return q->slope ? dlz_min_i64(q->n, q->slope * next) : q->n;
}

/* The reflections of rows first ... first + count - 1, from column `first` on. */
static void copy_block(const qr *q, int64_t first, int64_t count) {
    int64_t width = reach(q, first + count) - first;
    for (int64_t j = 0; j < count; j++) {
        double *to = q->block + j * width;
        memset(to, 0, (size_t)j * sizeof *to);
        to[j] = 1;
        memcpy(to + j + 1, q->rows + (first + j) * q->n + first + j + 1,
               (size_t)(width - j - 1) * sizeof *to);
    }
}

static void reflect_within(const qr *q, int64_t first, int64_t j, int64_t end) {
    double *row = q->rows + j * q->n;
    for (int64_t l = first; l < j; l++) {
        double sum, *v = q->rows + l * q->n;
        dlz_dense()->dots(v + l + 1, q->n, 1, row + l + 1, end - l - 1, &sum);
        sum = -q->tau[l] * (row[l] + sum);
        row[l] += sum;
        dlz_dense()->combine(v + l + 1, q->n, 1, &sum, end - l - 1, row + l + 1);
    }
    row[j] = dlz_reflection(row[j], row + j + 1, end - j - 1, q->tau + j);
}

static void factor(const qr *q) {
    for (int64_t first = 0; first < q->k; first += BLOCK) {
        int64_t count = dlz_min_i64(BLOCK, q->k - first), next = first + count;
        int64_t end = reach(q, next), width = end - first;
        double *t = q->factors + first * BLOCK;
        for (int64_t j = first; j < next; j++)
            reflect_within(q, first, j, end);
        copy_block(q, first, count);
        dlz_reflect_factor(count, width, q->block, width, q->tau + first, t);
        dlz_reflect_rows(q->k - next, width, q->rows + next * q->n + first, q->n, count, q->block,
                         width, t, false);
    }
}

/* The reflections become the rows of Q. */
static void form(const qr *q) {
    for (int64_t first = (q->k - 1) / BLOCK * BLOCK; first >= 0; first -= BLOCK) {
        int64_t count = dlz_min_i64(BLOCK, q->k - first), width = q->n - first;
        copy_block(q, first, count);
        for (int64_t j = first; j < q->k; j++)
            memset(q->rows + j * q->n, 0,
                   (size_t)(j < first + count ? q->n : first) * sizeof(double));
        for (int64_t j = first; j < first + count; j++)
            q->rows[j * q->n + j] = 1;
        dlz_reflect_rows(q->k - first, width, q->rows + first * q->n + first, q->n, count, q->block,
                         width, q->factors + first * BLOCK, true);
    }
}

#define CORNER 16

static void transpose(int64_t m, int64_t n, const double *from, double *to) {
    for (int64_t row = 0; row < m; row += CORNER)
        for (int64_t column = 0; column < n; column += CORNER)
            for (int64_t i = row; i < dlz_min_i64(row + CORNER, m); i++)
                for (int64_t j = column; j < dlz_min_i64(column + CORNER, n); j++)
                    to[j * m + i] = from[i * n + j];
}

dlviz_status dlz_qr_r(int64_t m, int64_t n, double *a, double *r) {
    double *columns = dlz_alloc_array((uint64_t)m * sizeof *columns, (uint64_t)n);
    if (!columns)
        return dlz_fail_memory("a QR factorization", (uint64_t)m * (uint64_t)n * sizeof *columns);
    qr q;
    dlviz_status status = prepare(&q, n, m, columns);
    if (status == DLVIZ_OK) {
        transpose(m, n, a, columns);
        factor(&q);
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < n; j++)
                r[i * n + j] = j < i ? 0 : columns[j * m + i];
    }
    release(&q);
    dlz_free(columns);
    return status;
}

dlviz_status dlz_qr_merge(int64_t n, double *left, const double *right) {
    double *columns = dlz_alloc_array((uint64_t)n * 2 * sizeof *columns, (uint64_t)n);
    if (!columns)
        return dlz_fail_memory("a QR factorization",
                               (uint64_t)n * 2 * (uint64_t)n * sizeof *columns);
    qr q;
    dlviz_status status = prepare(&q, n, 2 * n, columns);
    q.slope = 2;
    if (status == DLVIZ_OK) {
        for (int64_t j = 0; j < n; j++)
            for (int64_t i = 0; i < n; i++) {
                columns[(j * n + i) * 2] = i <= j ? left[i * n + j] : 0;
                columns[(j * n + i) * 2 + 1] = i <= j ? right[i * n + j] : 0;
            }
        factor(&q);
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = i; j < n; j++)
                left[i * n + j] = columns[j * 2 * n + i];
    }
    release(&q);
    dlz_free(columns);
    return status;
}

/* The rows are the columns of an ordinary QR. */
dlviz_status dlz_orthonormalize_rows(int64_t m, int64_t n, double *a, double *r) {
    qr q;
    DLZ_TRY(prepare(&q, m, n, a));
    factor(&q);
    for (int64_t i = 0; r && i < m; i++)
        for (int64_t j = 0; j < m; j++)
            r[i * m + j] = j > i ? 0 : a[i * n + j];
    form(&q);
    release(&q);
    return DLVIZ_OK;
}
