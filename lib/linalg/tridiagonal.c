#include "linalg/tridiagonal.h"
#include "base/base.h"
#include "base/parallel.h"
#include "kernels/embed/dense.h"
#include "linalg/linalg.h"
#include "linalg/reflect.h"

#include <math.h>
#include <string.h>

/* Row i, from the last to the second, is reflected so that of its numbers left of the diagonal one
 * is left, beside the diagonal. The matrix above it changes by vᵀw + wᵀv, with w from its product
 * with v; these changes are kept for PANEL rows and then made at once. Until then, rows and
 * products are corrected for what has not been made yet. What it takes is half the products of the
 * matrix with vectors, for which it is read once each: all threads do that strip by strip, whose
 * sums are added in the order of strips. */
#define PANEL DLZ_REFLECT_BLOCK
#define MOST_STRIPS 16
#define STRIP 96  /* rows of a strip, about; strips that are higher up are wider */
#define RANGE 128 /* numbers of a vector */
/* Shorter rows leave other threads nothing to do. */
#define ALONE 160

typedef struct reduction {
    int64_t n;
    double *a;
    double *kept;       /* 3 x PANEL x n: rows v, w, and v again */
    double *v, *w;      /* where they begin */
    double *partial;    /* MOST_STRIPS x n */
    double *next;       /* the row above */
    int64_t row, count; /* of the present reflection; reflections kept before it */
    double tau;
    double along_v[PANEL], along_w[PANEL]; /* kept rows times the present v */
    double above_v[PANEL], above_w[PANEL]; /* numbers of kept rows at the next one */
    int64_t strips, bounds[MOST_STRIPS + 1];
    double *dots; /* of ranges of v and w */
} reduction;

/* Strips of about the same area. */
static void cut_strips(reduction *r) {
    int64_t size = r->row;
    r->strips = dlz_max_i64(1, dlz_min_i64(MOST_STRIPS, size / STRIP));
    for (int64_t s = 0; s <= r->strips; s++)
        r->bounds[s] = (int64_t)((double)size * sqrt((double)s / (double)r->strips)) & ~INT64_C(3);
    r->bounds[r->strips] = size;
}

/* partial[strip] = what a strip gives to the product with v; two more tiles multiply the kept rows.
 * The largest strip comes first. */
static void multiply_strip(void *context, int64_t tile, int worker) {
    (void)worker;
    reduction *r = context;
    const double *v = r->v + r->count * r->n;
    if (tile >= r->strips) {
        bool first = tile == r->strips;
        dlz_dense()->dots(first ? r->v : r->w, r->n, r->count, v, r->row,
                          first ? r->along_v : r->along_w);
        return;
    }
    int64_t strip = r->strips - 1 - tile, last = r->bounds[strip + 1];
    double *product = r->partial + strip * r->n;
    memset(product, 0, (size_t)last * sizeof *product);
    dlz_dense()->symmetric(r->a, r->n, r->bounds[strip], last, v, product);
}

/* A range of w but for its part along v, and of the next row but for this reflection. */
static void correct_range(void *context, int64_t tile, int worker) {
    (void)worker;
    reduction *r = context;
    const dlz_dense_kernel *dense = dlz_dense();
    int64_t first = tile * RANGE, size = dlz_min_i64(RANGE, r->row - first), n = r->n;
    double *w = r->w + r->count * n + first, factors[PANEL];
    const double *v = r->v + r->count * n + first;
    memset(w, 0, (size_t)size * sizeof *w);
    for (int64_t s = 0; s < r->strips; s++) {
        int64_t width = dlz_min_i64(size, r->bounds[s + 1] - first);
        for (int64_t j = 0; j < width; j++)
            w[j] += r->partial[s * n + first + j];
    }
    for (int64_t k = 0; k < r->count; k++)
        factors[k] = -r->along_w[k];
    dense->combine(r->v + first, n, r->count, factors, size, w);
    for (int64_t k = 0; k < r->count; k++)
        factors[k] = -r->along_v[k];
    dense->combine(r->w + first, n, r->count, factors, size, w);
    for (int64_t j = 0; j < size; j++)
        w[j] *= r->tau;
    dense->dots(w, n, 1, v, size, r->dots + tile);
    if (r->count + 1 == PANEL)
        return;
    dense->combine(r->v + first, n, r->count, r->above_w, size, r->next + first);
    dense->combine(r->w + first, n, r->count, r->above_v, size, r->next + first);
}

/* The changes of a whole panel, in what is left of the matrix. */
static void update(const reduction *r, int64_t size) {
    dlz_multiply(&(dlz_product){.transpose_a = true,
                                .lower = true,
                                .m = size,
                                .n = size,
                                .k = 2 * PANEL,
                                .alpha = -1,
                                .a = r->v,
                                .lda = r->n,
                                .b = r->w,
                                .ldb = r->n,
                                .beta = 1,
                                .c = r->a,
                                .ldc = r->n});
}

/* Reflects row `row`, which has all corrections, and brings them to the row above it. */
static void step(reduction *r, double *diagonal, double *off_diagonal, double *tau) {
    int64_t size = r->row, n = r->n;
    double *row = r->a + size * n, *v = r->v + r->count * n, *w = r->w + r->count * n;
    diagonal[size] = row[size];
    off_diagonal[size - 1] = dlz_reflection(row[size - 1], row, size - 1, &r->tau);
    tau[size] = r->tau;
    memcpy(v, row, (size_t)(size - 1) * sizeof *v);
    v[size - 1] = 1;
    memcpy(v + 2 * PANEL * n, v, (size_t)size * sizeof *v);
    r->next = r->a + (size - 1) * n;
    for (int64_t k = 0; k < r->count; k++) {
        r->above_v[k] = -r->v[k * n + size - 1];
        r->above_w[k] = -r->w[k * n + size - 1];
    }
    int workers = size < ALONE ? 1 : dlz_threads();
    int64_t ranges = dlz_ceil_div(size, RANGE);
    cut_strips(r);
    dlz_parallel_for(r->strips + (r->count > 0 ? 2 : 0), workers, multiply_strip, r);
    dlz_parallel_for(ranges, workers, correct_range, r);
    double sum = 0;
    for (int64_t i = 0; i < ranges; i++)
        sum += r->dots[i];
    sum *= -0.5 * r->tau;
    for (int64_t j = 0; j < size; j++)
        w[j] += sum * v[j];
    if (++r->count < PANEL) {
        double pivot = w[size - 1];
        for (int64_t j = 0; j < size; j++)
            r->next[j] -= w[j] + pivot * v[j];
    } else {
        update(r, size);
        r->count = 0;
    }
}

dlviz_status dlz_tridiagonal_reduce(int64_t n, double *a, double *diagonal, double *off_diagonal,
                                    double *tau) {
    uint64_t rows = 3 * PANEL + MOST_STRIPS + 1;
    reduction r = {.n = n, .a = a};
    r.kept = dlz_alloc_array(rows * sizeof *a, (uint64_t)n);
    if (!r.kept)
        return dlz_fail_memory("a reduction to tridiagonal form", rows * (uint64_t)n * sizeof *a);
    r.v = r.kept;
    r.w = r.v + PANEL * n;
    r.partial = r.kept + 3 * PANEL * n;
    r.dots = r.partial + MOST_STRIPS * n;
    for (r.row = n - 1; r.row > 0; r.row--)
        step(&r, diagonal, off_diagonal, tau);
    diagonal[0] = a[0];
    tau[0] = 0;
    dlz_free(r.kept);
    return DLVIZ_OK;
}

/* ---- The way back ------------------------------------------------------------------------------
 *
 * Eigenvectors x of the tridiagonal matrix become x H₁ H₂ ... of the rows rising. */

typedef struct factor_pass {
    int64_t n;
    double *a;
    const double *tau;
    double *factors;
} factor_pass;

/* Rows `first` and those after it, of one block: how many there are, and how long. */
static int64_t block_rows(int64_t n, int64_t block, int64_t *first) {
    *first = 1 + block * PANEL;
    return dlz_min_i64(PANEL, n - *first);
}

/* Completes the rows of a block with their pivots and zeros, and puts them together. */
static void factor_block(void *context, int64_t block, int worker) {
    (void)worker;
    const factor_pass *p = context;
    int64_t first, count = block_rows(p->n, block, &first), width = first + count - 1;
    for (int64_t i = first; i < first + count; i++) {
        double *row = p->a + i * p->n;
        row[i - 1] = 1;
        for (int64_t j = i; j < width; j++)
            row[j] = 0;
    }
    dlz_reflect_factor(count, width, p->a + first * p->n, p->n, p->tau + first,
                       p->factors + block * PANEL * PANEL);
}

dlviz_status dlz_tridiagonal_restore(int64_t n, double *a, const double *tau, int64_t count,
                                     double *vectors) {
    int64_t blocks = dlz_ceil_div(n - 1, PANEL);
    uint64_t doubles = (uint64_t)blocks * PANEL * PANEL;
    factor_pass pass = {n, a, tau, dlz_alloc_array(doubles, sizeof(double))};
    if (!pass.factors)
        return dlz_fail_memory("reflections", doubles * sizeof(double));
    dlz_parallel_for(blocks, dlz_threads(), factor_block, &pass);
    for (int64_t block = 0; block < blocks; block++) {
        int64_t first, rows = block_rows(n, block, &first);
        dlz_reflect_rows(count, first + rows - 1, vectors, n, rows, a + first * n, n,
                         pass.factors + block * PANEL * PANEL, false);
    }
    dlz_free(pass.factors);
    return DLVIZ_OK;
}
