#include "base/base.h"
#include "base/parallel.h"
#include "kernels/embed/dense.h"
#include "linalg/lapack.h"
#include "linalg/linalg.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* One-sided Jacobi: rows v of an orthonormal basis are turned in pairs until their images A v are
 * orthogonal; the images' lengths are the singular values then, and the small ones have as many
 * right digits as the large, until they are noise beside the largest. The eigenvectors of AᵀA are a
 * basis to begin with that leaves little to do: they are good as far as squares of values differ,
 * and what squaring loses of the small ones comes back here. Where there are none, the unit vectors
 * do, in some more sweeps.
 *
 * A sweep turns each pair once. Rows are taken in blocks, and pairs of blocks in rounds as in a
 * tournament: the pairs of a round have no block in common, so all threads turn at once and the
 * bits do not depend on them. */
#define BLOCK 8
#define MOST_SWEEPS 60

typedef struct jacobi {
    int64_t n, blocks, round; /* blocks: even, the last may be empty */
    double *images, *vectors; /* n x n */
    double *squares;          /* n: of the images' lengths */
    double shortest;          /* what is shorter is noise */
    int64_t *turned;          /* of each pair of blocks of a round */
} jacobi;

/* The two blocks of a pair: one of the blocks stands still, the others go round. */
static void find_pair(const jacobi *j, int64_t pair, int64_t *one, int64_t *other) {
    int64_t circle = j->blocks - 1;
    *one = pair == 0 ? circle : (j->round + pair) % circle;
    *other = (j->round + circle - pair) % circle;
    if (*one > *other) {
        int64_t block = *one;
        *one = *other;
        *other = block;
    }
}

/* Whether the pair had to be turned, or only to change places: then other pairs of the sweep are
 * not those they would have been, and some may have been left out. */
static bool turn(const jacobi *s, int64_t p, int64_t q) {
    const dlz_dense_kernel *dense = dlz_dense();
    int64_t n = s->n;
    double *x = s->images + p * n, *y = s->images + q * n, xy, tangent = 0;
    double xx = s->squares[p], yy = s->squares[q];
    if (fmin(sqrt(xx), sqrt(yy)) <= s->shortest)
        return false;
    dense->dots(x, n, 1, y, n, &xy);
    bool turned = fabs(xy) > DBL_EPSILON * sqrt((double)n) * sqrt(xx) * sqrt(yy);
    if (turned) {
        double zeta = (yy - xx) / (2 * xy);
        tangent = copysign(1, zeta) / (fabs(zeta) + hypot(1, zeta));
    }
    double cosine = 1 / sqrt(1 + tangent * tangent), sine = cosine * tangent;
    /* The longer one comes first: in that order fewer sweeps are needed. */
    if (xx - tangent * xy < yy + tangent * xy) {
        double old = cosine;
        cosine = sine;
        sine = -old;
    } else if (!turned) {
        return false;
    }
    dense->rotate(x, y, cosine, sine, n);
    dense->rotate(s->vectors + p * n, s->vectors + q * n, cosine, sine, n);
    dense->dots(x, n, 1, x, n, s->squares + p);
    dense->dots(y, n, 1, y, n, s->squares + q);
    return true;
}

static void turn_blocks(void *context, int64_t pair, int worker) {
    (void)worker;
    jacobi *s = context;
    int64_t one, other, turned = 0;
    find_pair(s, pair, &one, &other);
    int64_t first = one * BLOCK, middle = dlz_min_i64(first + BLOCK, s->n);
    int64_t start = dlz_min_i64(other * BLOCK, s->n), end = dlz_min_i64(start + BLOCK, s->n);
    for (int64_t p = first; p < middle; p++) {
        for (int64_t q = p + 1; q < middle && s->round == 0; q++)
            turned += turn(s, p, q);
        for (int64_t q = start; q < end; q++)
            turned += turn(s, p, q);
    }
    for (int64_t p = start; p < end && s->round == 0; p++)
        for (int64_t q = p + 1; q < end; q++)
            turned += turn(s, p, q);
    s->turned[pair] = turned;
}

/* Sweeps until one has nothing to turn; false when that does not come. */
static bool sweep(jacobi *s) {
    int64_t pairs = s->blocks / 2;
    for (int sweeps = 0; sweeps < MOST_SWEEPS; sweeps++) {
        int64_t turned = 0;
        for (s->round = 0; s->round < s->blocks - 1; s->round++) {
            dlz_parallel_for(pairs, s->n < 64 ? 1 : dlz_threads(), turn_blocks, s);
            for (int64_t pair = 0; pair < pairs; pair++)
                turned += s->turned[pair];
        }
        if (turned == 0)
            return true;
    }
    return false;
}

/* ---- Where it begins ------------------------------------------------------------------------- */

/* Matrices smaller than this are done sooner from the unit vectors. */
#define WORTH_A_START 32

/* The eigenvectors of AᵀA, if they can be found. */
static dlviz_status start_from_eigenvectors(int64_t n, const double *a, double *square,
                                            double *values, double *vectors, bool *found) {
    dlz_failure before;
    dlz_failure_keep(&before);
    dlz_multiply(&(dlz_product){.transpose_a = true,
                                .lower = true,
                                .m = n,
                                .n = n,
                                .k = n,
                                .alpha = 1,
                                .a = a,
                                .lda = n,
                                .b = a,
                                .ldb = n,
                                .c = square,
                                .ldc = n});
    dlz_eigen *eigen;
    dlviz_status status = dlz_eigen_create(&eigen, n, square);
    if (status == DLVIZ_OK)
        status = dlz_eigen_vectors(eigen, n, values, vectors);
    dlz_eigen_destroy(eigen);
    *found = status == DLVIZ_OK;
    if (status != DLVIZ_ERROR_NUMERIC)
        return status;
    dlz_failure_put_back(&before);
    return DLVIZ_OK;
}

static dlviz_status start(jacobi *s, const double *a, double *values) {
    int64_t n = s->n;
    bool found = false;
    if (n >= WORTH_A_START)
        DLZ_TRY(start_from_eigenvectors(n, a, s->images, values, s->vectors, &found));
    if (!found) {
        memset(s->vectors, 0, (size_t)(n * n) * sizeof *s->vectors);
        for (int64_t i = 0; i < n; i++)
            s->vectors[i * n + i] = 1;
    }
    dlz_multiply(&(dlz_product){.transpose_b = true,
                                .m = n,
                                .n = n,
                                .k = n,
                                .alpha = 1,
                                .a = s->vectors,
                                .lda = n,
                                .b = a,
                                .ldb = n,
                                .c = s->images,
                                .ldc = n});
    double longest = 0;
    for (int64_t i = 0; i < n; i++) {
        dlz_dense()->dots(s->images + i * n, n, 1, s->images + i * n, n, s->squares + i);
        longest = fmax(longest, s->squares[i]);
    }
    s->shortest = DBL_EPSILON * sqrt(longest);
    return DLVIZ_OK;
}

/* ---- Whether the answer can be used ---------------------------------------------------------- */

/* The squares of the singular values sum to those of the matrix, and the vectors are orthonormal.
 */
static dlviz_status check_answer(int64_t n, double square, const double *values,
                                 const double *vectors) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += values[i] * values[i];
    bool good = fabs(sum - square) <= 1e-11 * square;
    size_t room = (size_t)n * DLZ_ORTHONORMALITY_BLOCK;
    double *products = good ? dlz_alloc_array(room, sizeof *products) : NULL;
    if (good && !products)
        return dlz_fail_memory("a check of singular vectors", room * sizeof *products);
    good =
        good && dlz_orthonormality_error(n, n, vectors, true, products) <= DLZ_ORTHONORMALITY_LIMIT;
    dlz_free(products);
    if (good)
        return DLVIZ_OK;
    return dlz_fail(DLVIZ_ERROR_NUMERIC, "the singular vectors of a %lld x %lld matrix are inexact",
                    (long long)n, (long long)n);
}

/* ---- Results --------------------------------------------------------------------------------- */

/* From the images in any order to values and vectors, falling. */
static void take(const jacobi *s, double *values, double *vectors) {
    int64_t n = s->n;
    double *squares = s->squares;
    for (int64_t i = 0; i < n; i++) {
        int64_t longest = 0;
        for (int64_t k = 1; k < n; k++)
            if (squares[k] > squares[longest])
                longest = k;
        values[i] = sqrt(squares[longest]);
        squares[longest] = -1;
        memcpy(vectors + i * n, s->vectors + longest * n, (size_t)n * sizeof *vectors);
    }
}

static dlviz_status iterate(jacobi *s, const double *a, double *values, double *vectors) {
    double square = 0;
    for (int64_t i = 0; i < s->n * s->n; i++)
        square += a[i] * a[i];
    DLZ_TRY(start(s, a, values));
    if (!sweep(s))
        return dlz_fail(DLVIZ_ERROR_NUMERIC,
                        "%d sweeps did not find the singular vectors of a %lld x %lld matrix",
                        MOST_SWEEPS, (long long)s->n, (long long)s->n);
    take(s, values, vectors);
    return check_answer(s->n, square, values, vectors);
}

/* Of a square matrix. */
static dlviz_status decompose(int64_t n, const double *a, double *values, double *vectors) {
    jacobi s = {.n = n, .blocks = dlz_ceil_div(dlz_ceil_div(n, BLOCK), 2) * 2};
    uint64_t cells = (uint64_t)n * (uint64_t)n;
    s.images = dlz_alloc_array(2 * cells + (uint64_t)n, sizeof *s.images);
    s.turned = dlz_alloc_array((uint64_t)s.blocks / 2, sizeof *s.turned);
    dlviz_status status = DLVIZ_OK;
    if (s.images && s.turned) {
        s.vectors = s.images + cells;
        s.squares = s.vectors + cells;
        status = iterate(&s, a, values, vectors);
    } else {
        status = dlz_fail_memory("singular vectors", cells * 2 * sizeof *s.images);
    }
    dlz_free(s.images);
    dlz_free(s.turned);
    return status;
}

/* a = l q with the rows of q orthonormal: the vectors of l, times q. */
static dlviz_status decompose_wide(int64_t m, int64_t n, double *a, double *values,
                                   double *vectors) {
    uint64_t cells = (uint64_t)m * (uint64_t)m;
    double *small = dlz_alloc_array(cells, 2 * sizeof *small);
    if (!small)
        return dlz_fail_memory("singular vectors", cells * 2 * sizeof *small);
    dlviz_status status = dlz_orthonormalize_rows(m, n, a, small);
    if (status == DLVIZ_OK)
        status = decompose(m, small, values, small + cells);
    if (status == DLVIZ_OK)
        dlz_multiply(&(dlz_product){.m = m,
                                    .n = n,
                                    .k = m,
                                    .alpha = 1,
                                    .a = small + cells,
                                    .lda = m,
                                    .b = a,
                                    .ldb = n,
                                    .c = vectors,
                                    .ldc = n});
    dlz_free(small);
    return status;
}

static dlviz_status decompose_tall(int64_t m, int64_t n, double *a, double *values,
                                   double *vectors) {
    uint64_t cells = (uint64_t)n * (uint64_t)n;
    double *triangle = dlz_alloc_array(cells, sizeof *triangle);
    if (!triangle)
        return dlz_fail_memory("singular vectors", cells * sizeof *triangle);
    dlviz_status status = dlz_qr_r(m, n, a, triangle);
    if (status == DLVIZ_OK)
        status = decompose(n, triangle, values, vectors);
    dlz_free(triangle);
    return status;
}

dlviz_status dlz_svd_right(int64_t m, int64_t n, double *a, double *values, double *vectors) {
    int exponent;
    DLZ_TRY(dlz_lapack_check_size(m, n));
    DLZ_TRY(dlz_make_safe(m, n, false, a, &exponent));
    DLZ_TRY(m < n   ? decompose_wide(m, n, a, values, vectors)
            : m > n ? decompose_tall(m, n, a, values, vectors)
                    : decompose(n, a, values, vectors));
    for (int64_t i = 0; exponent && i < dlz_min_i64(m, n); i++)
        values[i] = ldexp(values[i], exponent);
    return DLVIZ_OK;
}
