#include "base/base.h"
#include "linalg/lapack.h"
#include "linalg/linalg.h"

#include <math.h>
#include <string.h>

/* To LAPACK the matrix is aᵀ (n x m) = U S Vᵀ; the rows wanted are the columns of its U. */
typedef struct svd {
    lapack_int m, n, least;
    double *a;    /* m x n; overwritten */
    double *left; /* least x m, for dgesdd, which cannot do without */
    double *values, *vectors;
    double square; /* the sum of the squares of `a` */
} svd;

/* Divide and conquer: the fastest. */
static dlviz_status divide_and_conquer(const svd *s, lapack_int *info) {
    double size = 0, *work = NULL;
    lapack_int *whole = dlz_alloc_array((uint64_t)s->least * 8, sizeof *whole);
    if (!whole)
        return dlz_fail_memory("singular vectors", (uint64_t)s->least * 8 * sizeof *whole);
    dlz_blas_enter();
    LAPACKE_dgesdd_work(LAPACK_COL_MAJOR, 'S', s->n, s->m, s->a, s->n, s->values, s->vectors, s->n,
                        s->left, s->least, &size, -1, whole);
    dlz_blas_leave();
    dlviz_status status = dlz_lapack_work(&work, size);
    if (status == DLVIZ_OK) {
        dlz_blas_enter();
        *info =
            LAPACKE_dgesdd_work(LAPACK_COL_MAJOR, 'S', s->n, s->m, s->a, s->n, s->values,
                                s->vectors, s->n, s->left, s->least, work, (lapack_int)size, whole);
        dlz_blas_leave();
    }
    dlz_free(work);
    dlz_free(whole);
    return status;
}

/* QR iteration: slower, and as good as certain. */
static dlviz_status qr_iteration(const svd *s, lapack_int *info) {
    double size = 0, unused = 0, *work = NULL;
    dlz_blas_enter();
    LAPACKE_dgesvd_work(LAPACK_COL_MAJOR, 'S', 'N', s->n, s->m, s->a, s->n, s->values, s->vectors,
                        s->n, &unused, 1, &size, -1);
    dlz_blas_leave();
    DLZ_TRY(dlz_lapack_work(&work, size));
    dlz_blas_enter();
    *info = LAPACKE_dgesvd_work(LAPACK_COL_MAJOR, 'S', 'N', s->n, s->m, s->a, s->n, s->values,
                                s->vectors, s->n, &unused, 1, work, (lapack_int)size);
    dlz_blas_leave();
    dlz_free(work);
    return DLVIZ_OK;
}

/* The squares of the singular values sum to those of the matrix, and the vectors are orthonormal.
 */
static dlviz_status check_answer(const svd *s, bool *good) {
    double sum = 0;
    *good = true;
    for (lapack_int i = 0; i < s->least; i++) {
        *good &= s->values[i] >= 0 && (i == 0 || s->values[i] <= s->values[i - 1]);
        sum += s->values[i] * s->values[i];
    }
    *good &= fabs(sum - s->square) <= 1e-11 * s->square;
    if (!*good)
        return DLVIZ_OK;
    size_t room = (size_t)s->least * DLZ_ORTHONORMALITY_BLOCK;
    double *products = dlz_alloc_array(room, sizeof *products);
    if (!products)
        return dlz_fail_memory("a check of singular vectors", room * sizeof *products);
    *good = dlz_orthonormality_error(s->least, s->n, s->vectors, true, products) <=
            DLZ_ORTHONORMALITY_LIMIT;
    dlz_free(products);
    return DLVIZ_OK;
}

static dlviz_status solve(const svd *s, const double *copy) {
    lapack_int info[2] = {0};
    bool good = false;
    DLZ_TRY(divide_and_conquer(s, &info[0]));
    if (info[0] == 0)
        DLZ_TRY(check_answer(s, &good));
    if (good)
        return DLVIZ_OK;
    memcpy(s->a, copy, (size_t)s->m * (size_t)s->n * sizeof *copy);
    DLZ_TRY(qr_iteration(s, &info[1]));
    if (info[1] == 0)
        DLZ_TRY(check_answer(s, &good));
    if (good)
        return DLVIZ_OK;
    return dlz_fail(DLVIZ_ERROR_NUMERIC,
                    "none of LAPACK's drivers found singular vectors of a %lld x %lld matrix: "
                    "dgesdd (%s, info %lld), dgesvd (%s, info %lld)",
                    (long long)s->m, (long long)s->n, info[0] ? "gave up" : "inexact",
                    (long long)info[0], info[1] ? "gave up" : "inexact", (long long)info[1]);
}

dlviz_status dlz_svd_right(int64_t m, int64_t n, double *a, double *values, double *vectors) {
    DLZ_TRY(dlz_lapack_check_size(m, n));
    int exponent;
    DLZ_TRY(dlz_make_safe(m, n, false, a, &exponent));
    int64_t least = dlz_min_i64(m, n);
    size_t cells, left;
    if (dlz_mul_overflows((uint64_t)m, (uint64_t)n, &cells) ||
        dlz_mul_overflows((uint64_t)least, (uint64_t)m, &left))
        return dlz_fail_memory("singular vectors", SIZE_MAX);
    svd s = {.m = (lapack_int)m,
             .n = (lapack_int)n,
             .least = (lapack_int)least,
             .a = a,
             .left = dlz_alloc_array(left, sizeof *s.left),
             .values = values,
             .vectors = vectors};
    double *copy = dlz_alloc_array(cells, sizeof *copy); /* for a second driver */
    dlviz_status status = DLVIZ_OK;
    if (s.left && copy) {
        memcpy(copy, a, cells * sizeof *copy);
        for (size_t i = 0; i < cells; i++)
            s.square += a[i] * a[i];
        status = solve(&s, copy);
    } else {
        status = dlz_fail_memory("singular vectors", (left + cells) * sizeof *copy);
    }
    dlz_free(s.left);
    dlz_free(copy);
    for (int64_t i = 0; exponent && status == DLVIZ_OK && i < least; i++)
        values[i] = ldexp(values[i], exponent);
    return status;
}
