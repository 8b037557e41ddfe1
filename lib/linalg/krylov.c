#include "linalg/krylov.h"
#include "base/base.h"
#include "base/parallel.h"
#include "base/random.h"
#include "linalg/linalg.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* The basis Q grows by blocks of rows; T = Q A Qᵀ is projected matrix, and the last block's
 * remainder R, the part of its product outside the basis, tells how far the Ritz pairs are from
 * eigenpairs. The first phase multiplies in float32. The second starts from its Ritz vectors,
 * multiplies in float64, and usually only confirms. A full basis is replaced by its Ritz vectors.
 */
typedef struct basis {
    const dlz_krylov *settings;
    int64_t carried;             /* Ritz pairs kept: wanted + extra */
    int64_t capacity, count;     /* rows of the basis: room, and so far */
    int64_t last;                /* rows of the last block */
    double *rows;                /* capacity x size: Q, then the block under way */
    double *spare;               /* carried x size */
    double *coefficients;        /* block x capacity, for one orthogonalization */
    double *projected, *scratch; /* capacity x capacity: T; destroyed by the eigensolver */
    double *remainder;           /* block x block: R */
    double *values, *ritz;       /* capacity; carried x capacity */
    int products;
} basis;

#define RANGE 256

typedef struct range_pass {
    const double *left, *from;
    double *to;
    int64_t m, k, size, stride;
    double alpha, beta;
} range_pass;

static void multiply_range(void *context, int64_t tile, int worker) {
    (void)worker;
    const range_pass *pass = context;
    int64_t first = tile * RANGE, width = dlz_min_i64(RANGE, pass->size - first);
    dlz_dgemm(false, false, pass->m, width, pass->k, pass->alpha, pass->left, pass->stride,
              pass->from + first, pass->size, pass->beta, pass->to + first, pass->size);
}

/* to[m x size] = alpha left[m x k] from[k x size] + beta to, by ranges of columns. */
static void multiply_rows(int64_t m, int64_t k, int64_t size, double alpha, const double *left,
                          int64_t stride, const double *from, double beta, double *to) {
    range_pass pass = {left, from, to, m, k, size, stride, alpha, beta};
    dlz_parallel_for(dlz_ceil_div(size, RANGE), dlz_threads(), multiply_range, &pass);
}

typedef struct dot_pass {
    const double *block, *rows;
    double *coefficients;
    int64_t m, count, size, stride;
} dot_pass;

static void dot_tile(void *context, int64_t tile, int worker) {
    (void)worker;
    const dot_pass *pass = context;
    int64_t first = tile * 32, n = dlz_min_i64(32, pass->count - first);
    dlz_dgemm(false, true, pass->m, n, pass->size, 1, pass->block, pass->size,
              pass->rows + first * pass->size, pass->size, 0, pass->coefficients + first,
              pass->stride);
}

/* Takes from the m rows of `block` what lies in the basis; with `record`, adds the coefficients to
 * the last rows of T. */
static void project_out(basis *b, double *block, int64_t m, bool record) {
    int64_t size = b->settings->size;
    dot_pass pass = {block, b->rows, b->coefficients, m, b->count, size, b->capacity};
    dlz_parallel_for(dlz_ceil_div(b->count, 32), dlz_threads(), dot_tile, &pass);
    multiply_rows(m, b->count, size, -1, b->coefficients, b->capacity, b->rows, 1, block);
    for (int64_t i = 0; record && i < m; i++) {
        double *to = b->projected + (b->count - m + i) * b->capacity;
        for (int64_t j = 0; j < b->count; j++)
            to[j] += b->coefficients[i * b->capacity + j];
    }
}

/* Orthonormalizes the m rows of `block` among themselves and against the basis; block = r new block
 * as far as what it had outside the basis was more than rounding noise. */
static dlviz_status orthonormalize(basis *b, double *block, int64_t m, double *r) {
    DLZ_TRY(dlz_orthonormalize_rows(m, b->settings->size, block, r));
    double *check = b->scratch;
    for (int pass = 0; pass < 3 && b->count > 0; pass++) {
        project_out(b, block, m, false);
        DLZ_TRY(dlz_orthonormalize_rows(m, b->settings->size, block, check));
        double least = 1;
        for (int64_t i = 0; i < m; i++)
            least = fmin(least, fabs(check[i * m + i]));
        if (least > 0.5)
            break;
    }
    return DLVIZ_OK;
}

/* Multiplies the last block: T grows by its rows, its part outside the basis becomes the next block
 * (behind the basis, not yet counted), with R. */
static dlviz_status advance(basis *b, bool precise) {
    const dlz_krylov *s = b->settings;
    int64_t m = b->last, first = b->count - m;
    double *block = b->rows + first * s->size, *next = b->rows + b->count * s->size;
    DLZ_TRY(s->apply(s->context, block, m, precise, next));
    b->products++;
    for (int64_t i = 0; i < m; i++)
        memset(b->projected + (first + i) * b->capacity, 0,
               (size_t)b->capacity * sizeof *b->projected);
    project_out(b, next, m, true);
    project_out(b, next, m, true);
    return orthonormalize(b, next, m, b->remainder);
}

/* The leading eigenpairs of T, and their residuals' sizes against the tolerance. */
static dlviz_status find_ritz(basis *b, bool *converged) {
    const dlz_krylov *s = b->settings;
    int64_t n = b->count, m = b->last, kept = dlz_min_i64(b->carried, n);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j <= i; j++)
            b->scratch[i * n + j] = b->projected[i * b->capacity + j];
    dlz_eigen *eigen;
    DLZ_TRY(dlz_eigen_create(&eigen, n, b->scratch));
    dlviz_status status = dlz_eigen_vectors(eigen, kept, b->values, b->ritz);
    dlz_eigen_destroy(eigen);
    DLZ_TRY(status);
    *converged = kept == b->carried;
    /* An eigenvalue is as far from its Ritz value as the residual is large, or as its square over
     * the gap to what the basis does not hold: about the last pair carried. */
    double end = b->values[kept - 1], floor = DBL_EPSILON * b->values[0] * 16;
    for (int64_t i = 0; i < s->wanted && *converged; i++) {
        const double *y = b->ritz + i * n + n - m;
        double square = 0;
        for (int64_t c = 0; c < m; c++) {
            double sum = 0;
            for (int64_t r = c; r < m; r++)
                sum += y[r] * b->remainder[r * m + c];
            square += sum * sum;
        }
        double size = sqrt(square), gap = b->values[i] - end;
        double error = gap > size ? square / gap : size;
        *converged = error <= fmax(s->tolerance * b->values[i], floor);
    }
    return DLVIZ_OK;
}

/* Puts the Ritz vectors in the place of the basis. */
static void compress(basis *b) {
    int64_t size = b->settings->size, kept = dlz_min_i64(b->carried, b->count);
    multiply_rows(kept, b->count, size, 1, b->ritz, b->count, b->rows, 0, b->spare);
    memcpy(b->rows, b->spare, (size_t)(kept * size) * sizeof *b->rows);
    b->count = b->last = kept;
}

/* Grows the basis until the Ritz pairs are good enough or `limit` products are spent. On return the
 * basis is those Ritz vectors. */
static dlviz_status run_phase(basis *b, bool precise, int limit, bool stop_early, bool *converged) {
    const dlz_krylov *s = b->settings;
    int start = b->products;
    for (;;) {
        DLZ_TRY(advance(b, precise));
        bool spent = b->products - start >= limit;
        bool full = b->count + 2 * b->last > b->capacity || b->count + b->last > s->size;
        *converged = false;
        if (spent || full || (stop_early && b->count >= b->carried))
            DLZ_TRY(find_ritz(b, converged));
        if (spent || full || (*converged && stop_early)) {
            compress(b);
            if (spent || *converged)
                return DLVIZ_OK;
            continue;
        }
        b->count += b->last;
    }
}

static dlviz_status start_at_random(basis *b) {
    const dlz_krylov *s = b->settings;
    dlz_random random = dlz_random_start(s->seed, DLZ_STREAM_EMBED | 1 << 8);
    for (int64_t i = 0; i < s->block * s->size; i++)
        b->rows[i] = dlz_random_normal(&random);
    b->count = 0;
    b->last = s->block;
    DLZ_TRY(orthonormalize(b, b->rows, s->block, b->remainder));
    b->count = s->block;
    return DLVIZ_OK;
}

static dlviz_status run(basis *b, bool *converged) {
    const dlz_krylov *s = b->settings;
    DLZ_TRY(start_at_random(b));
    if (s->iterations > 0) {
        DLZ_TRY(run_phase(b, false, s->iterations, false, converged));
        return run_phase(b, true, 1, false, converged);
    }
    DLZ_TRY(run_phase(b, false, s->limit, true, converged));
    if (!*converged)
        return DLVIZ_OK;
    return run_phase(b, true, s->limit, true, converged);
}

static double *take(size_t count, size_t size, bool *failed) {
    double *block = dlz_alloc_array(count, size * sizeof(double));
    *failed |= !block;
    return block;
}

dlviz_status dlz_krylov_largest(const dlz_krylov *settings, double *values, double *vectors,
                                bool *converged) {
    basis b = {.settings = settings, .carried = settings->wanted + settings->extra};
    int64_t widest = dlz_max_i64(settings->block, b.carried);
    int64_t blocks = settings->iterations > 0 ? settings->iterations + 1 : 0;
    b.capacity = dlz_max_i64(widest * 4, dlz_max_i64(settings->block * blocks, 8 * b.carried));
    b.capacity = dlz_min_i64(b.capacity, dlz_max_i64(2 * widest, settings->size + widest));
    size_t capacity = (size_t)b.capacity, size = (size_t)settings->size, block = (size_t)widest;
    bool failed = false;
    b.rows = take(capacity, size, &failed);
    b.spare = take((size_t)b.carried, size, &failed);
    b.coefficients = take(block, capacity, &failed);
    b.projected = take(capacity, capacity, &failed);
    b.scratch = take(capacity, capacity, &failed);
    b.remainder = take(block, block, &failed);
    b.values = take(capacity, 1, &failed);
    b.ritz = take((size_t)b.carried, capacity, &failed);
    dlviz_status status = DLVIZ_OK;
    if (failed)
        status = dlz_fail_memory("a Krylov basis", capacity * size * sizeof(double));
    else
        status = run(&b, converged);
    if (status == DLVIZ_OK) {
        memcpy(values, b.values, (size_t)settings->wanted * sizeof *values);
        memcpy(vectors, b.rows, (size_t)settings->wanted * size * sizeof *vectors);
    }
    dlz_free(b.rows);
    dlz_free(b.spare);
    dlz_free(b.coefficients);
    dlz_free(b.projected);
    dlz_free(b.scratch);
    dlz_free(b.remainder);
    dlz_free(b.values);
    dlz_free(b.ritz);
    return status;
}
