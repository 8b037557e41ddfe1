#include "linalg/divide.h"
#include "base/base.h"
#include "base/parallel.h"
#include "linalg/lapack.h"
#include "linalg/lapack_end.h"
#include "linalg/linalg.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdatomic.h>
#include <string.h>

/* Cuppen's method, as LAPACK's dstedc does it: the matrix is torn into small ones by taking |e|
 * from the diagonal on both sides of a number e beside it, and two that are solved are put together
 * again as a diagonal matrix plus one of rank one. dstedc itself would multiply by BLAS's threads;
 * here it solves the small ones, and the roots of a rank-one change are LAPACK's dlaed4's. Up to
 * LEAF rows it is QR iteration, without products of matrices. */
#define LEAF 25

/* LAPACKE leaves it out. Root i, from 1, of diag(d) + rho z zᵀ; delta: d less the root, or for two
 * rows the eigenvector. */
extern void LAPACK_GLOBAL(dlaed4, DLAED4)(const lapack_int *n, const lapack_int *i, const double *d,
                                          const double *z, double *delta, const double *rho,
                                          double *root, lapack_int *info);

typedef struct divide {
    int64_t n, count, leaves, apart; /* apart: leaves from the start of a pair to its middle */
    const double *diagonal, *off_diagonal;
    double scale;
    double *values;                /* of what is solved so far, in no order */
    double *rows, *gathered;       /* n x n: eigenvectors; the same as a merge wants them */
    double *secular;               /* n x n: eigenvectors of a merge's rank-one change */
    double *z, *poles, *change;    /* n: a merge's */
    double *roots;                 /* n */
    int64_t *order, *kept, *moved; /* n: a merge's */
    char *side;                    /* n: which half of a merge's columns a row has numbers in */
    atomic_int failure;            /* info of a routine; */
    atomic_bool failed, by_leaf;
} divide;

enum { LEFT, BOTH, RIGHT };

static int64_t leaf_start(const divide *d, int64_t leaf) {
    return leaf * d->n / d->leaves;
}

static void fail(divide *d, lapack_int info, bool by_leaf) {
    if (!atomic_exchange(&d->failed, true)) {
        atomic_store(&d->failure, (int)info);
        atomic_store(&d->by_leaf, by_leaf);
    }
}

/* ---- Leaves ---------------------------------------------------------------------------------- */

static double torn(const divide *d, int64_t row) {
    return fabs(d->off_diagonal[row]) * d->scale;
}

static void solve_leaf(void *context, int64_t leaf, int worker) {
    (void)worker;
    divide *d = context;
    double own[LEAF], beside[LEAF], vectors[LEAF * LEAF], work[1 + 4 * LEAF + LEAF * LEAF];
    lapack_int whole[3 + 5 * LEAF];
    int64_t first = leaf_start(d, leaf), last = leaf_start(d, leaf + 1), size = last - first;
    assert(size > 0);
    for (int64_t i = 0; i < size; i++) {
        own[i] = d->diagonal[first + i] * d->scale;
        beside[i] = i + 1 < size ? d->off_diagonal[first + i] * d->scale : 0;
    }
    if (first > 0)
        own[0] -= torn(d, first - 1);
    if (last < d->n)
        own[size - 1] -= torn(d, last - 1);
    lapack_int info =
        LAPACKE_dstedc_work(LAPACK_COL_MAJOR, 'I', (lapack_int)size, own, beside, vectors,
                            (lapack_int)size, work, (lapack_int)(sizeof work / sizeof *work), whole,
                            (lapack_int)(sizeof whole / sizeof *whole));
    bool finite = true;
    for (int64_t i = 0; i < size && info == 0; i++) {
        finite &= isfinite(own[i]) != 0;
        d->values[first + i] = own[i];
        for (int64_t j = 0; j < size; j++) {
            finite &= isfinite(vectors[i * size + j]) != 0;
            d->rows[(first + i) * d->n + first + j] = vectors[i * size + j];
        }
    }
    if (info != 0 || !finite)
        fail(d, info, true);
}

/* ---- Merges ---------------------------------------------------------------------------------- */

/* Two parts, first ... middle - 1 and middle ... last - 1, of which `count` rows change. */
typedef struct merge {
    divide *d;
    int64_t first, middle, last, count;
    double rho;
    int64_t left, both; /* how many of them have numbers in the left half only, in both */
} merge;

static void sort_by_value(const double *values, int64_t *order, int64_t count, int64_t *room) {
    for (int64_t width = 1; width < count; width *= 2) {
        for (int64_t start = 0; start < count; start += 2 * width) {
            int64_t middle = dlz_min_i64(start + width, count);
            int64_t end = dlz_min_i64(start + 2 * width, count), a = start, b = middle;
            for (int64_t i = start; i < end; i++)
                room[i] = b >= end || (a < middle && values[order[a]] <= values[order[b]])
                              ? order[a++]
                              : order[b++];
        }
        memcpy(order, room, (size_t)count * sizeof *order);
    }
}

/* The rows of both parts where they were torn, for a change rho z zᵀ with |z| = 1. */
static void find_change(merge *m) {
    divide *d = m->d;
    double beside = d->off_diagonal[m->middle - 1] * d->scale;
    m->rho = 2 * fabs(beside);
    for (int64_t i = m->first; i < m->last; i++) {
        bool left = i < m->middle;
        double z = d->rows[i * d->n + m->middle - left] * sqrt(0.5);
        d->z[i] = !left && beside < 0 ? -z : z;
        d->side[i] = left ? LEFT : RIGHT;
        d->order[i] = i;
    }
    sort_by_value(d->values, d->order + m->first, m->last - m->first, d->moved + m->first);
}

/* Turns two rows whose values are nearly the same so that one of them has no part in the change;
 * false when they are too far apart for that. */
static bool turn(const merge *m, int64_t one, int64_t other, double tolerance) {
    divide *d = m->d;
    double size = hypot(d->z[one], d->z[other]);
    double c = d->z[other] / size, s = -d->z[one] / size, a = d->values[one], b = d->values[other];
    if (fabs((b - a) * c * s) > tolerance)
        return false;
    d->z[other] = size;
    d->z[one] = 0;
    if (d->side[one] != d->side[other])
        d->side[one] = d->side[other] = BOTH;
    double *x = d->rows + one * d->n, *y = d->rows + other * d->n;
    for (int64_t j = m->first; j < m->last; j++) {
        double old = x[j];
        x[j] = c * old + s * y[j];
        y[j] = c * y[j] - s * old;
    }
    d->values[one] = a * c * c + b * s * s;
    d->values[other] = a * s * s + b * c * c;
    return true;
}

/* Sorts out the rows that the change leaves as they are: kept[first ...] are those that it does
 * not, rising, moved[first ...] the others. */
static void deflate(merge *m) {
    divide *d = m->d;
    double largest = 0;
    for (int64_t i = m->first; i < m->last; i++)
        largest = fmax(largest, fmax(fabs(d->values[i]), fabs(d->z[i])));
    double tolerance = 4 * DBL_EPSILON * largest;
    int64_t pending = -1, moved = m->first;
    m->count = 0;
    for (int64_t i = m->first; i < m->last; i++) {
        int64_t row = d->order[i];
        if (m->rho * fabs(d->z[row]) <= tolerance) {
            d->order[moved++] = row; /* never ahead of i */
            continue;
        }
        if (pending >= 0) {
            if (turn(m, pending, row, tolerance))
                d->order[moved++] = pending;
            else
                d->kept[m->first + m->count++] = pending;
        }
        pending = row;
    }
    if (pending >= 0)
        d->kept[m->first + m->count++] = pending;
    memcpy(d->moved + m->first, d->order + m->first, (size_t)(moved - m->first) * sizeof *d->moved);
}

/* The order in which the rows that change are multiplied: by the halves that they have numbers in.
 */
static void group(merge *m) {
    divide *d = m->d;
    int64_t place = 0;
    for (int side = LEFT; side <= RIGHT; side++) {
        for (int64_t i = 0; i < m->count; i++)
            if (d->side[d->kept[m->first + i]] == side)
                d->order[m->first + place++] = i;
        if (side == LEFT)
            m->left = place;
        else if (side == BOTH)
            m->both = place - m->left;
    }
}

static void find_root(void *context, int64_t i, int worker) {
    (void)worker;
    const merge *m = context;
    divide *d = m->d;
    lapack_int count = (lapack_int)m->count, number = (lapack_int)(i + 1), info = 0;
    LAPACK_GLOBAL(dlaed4, DLAED4)
    (&count, &number, d->poles + m->first, d->change + m->first,
     d->secular + (m->first + i) * d->n + m->first, &m->rho, d->roots + m->first + i, &info);
    if (info != 0)
        fail(d, info, false);
}

/* The change whose roots are exactly those found (Gu and Eisenstat): its eigenvectors come out
 * orthogonal however near roots are. */
static void find_exact_change(const merge *m) {
    divide *d = m->d;
    const double *poles = d->poles + m->first;
    double *products = d->z + m->first, *change = d->change + m->first;
    for (int64_t j = 0; j < m->count; j++)
        products[j] = 1;
    for (int64_t i = 0; i < m->count; i++) {
        const double *delta = d->secular + (m->first + i) * d->n + m->first;
        for (int64_t j = 0; j < m->count; j++)
            products[j] *= j == i ? delta[j] : delta[j] / (poles[j] - poles[i]);
    }
    for (int64_t j = 0; j < m->count; j++)
        change[j] = copysign(sqrt(fmax(-products[j], 0)), change[j]);
}

/* Row i becomes the unit eigenvector, in the order of `group`. */
static void find_vector(void *context, int64_t i, int worker) {
    (void)worker;
    const merge *m = context;
    divide *d = m->d;
    double *delta = d->secular + (m->first + i) * d->n + m->first, square = 0;
    double *room = d->gathered + (m->first + i) * d->n + m->first;
    const double *change = d->change + m->first;
    if (m->count == 1)
        delta[0] = 1;
    for (int64_t j = 0; j < m->count && m->count > 2; j++)
        delta[j] = change[j] / delta[j];
    for (int64_t j = 0; j < m->count; j++)
        square += delta[j] * delta[j];
    double scale = 1 / sqrt(square);
    for (int64_t j = 0; j < m->count; j++)
        room[j] = delta[d->order[m->first + j]] * scale;
    memcpy(delta, room, (size_t)m->count * sizeof *delta);
}

static void gather(const merge *m) {
    divide *d = m->d;
    size_t bytes = (size_t)(m->last - m->first) * sizeof *d->rows;
    for (int64_t i = 0; i < m->last - m->first; i++) {
        int64_t from = i < m->count ? d->kept[m->first + d->order[m->first + i]]
                                    : d->moved[m->first + i - m->count];
        memcpy(d->gathered + (m->first + i) * d->n + m->first, d->rows + from * d->n + m->first,
               bytes);
    }
}

/* Rows of eigenvectors in one half of the columns, from the gathered rows with numbers there. */
static void multiply_half(const merge *m, int64_t start, int64_t column, int64_t columns,
                          int64_t from, int64_t rows) {
    const divide *d = m->d;
    dlz_multiply(&(dlz_product){.m = m->count - start,
                                .n = columns,
                                .k = rows,
                                .alpha = 1,
                                .a = d->secular + (m->first + start) * d->n + m->first + from,
                                .lda = d->n,
                                .b = d->gathered + (m->first + from) * d->n + column,
                                .ldb = d->n,
                                .c = d->rows + (m->first + start) * d->n + column,
                                .ldc = d->n});
}

static void put_together(divide *d, int64_t first, int64_t middle, int64_t last) {
    merge m = {.d = d, .first = first, .middle = middle, .last = last};
    find_change(&m);
    deflate(&m);
    if (m.count == 0)
        return;
    group(&m);
    for (int64_t i = 0; i < m.count; i++) {
        d->poles[first + i] = d->values[d->kept[first + i]];
        d->change[first + i] = d->z[d->kept[first + i]];
    }
    int workers = m.count < 48 ? 1 : dlz_threads();
    dlz_parallel_for(m.count, workers, find_root, &m);
    if (atomic_load(&d->failed))
        return;
    if (m.count > 2)
        find_exact_change(&m);
    dlz_parallel_for(m.count, workers, find_vector, &m);
    gather(&m);
    /* Of the whole matrix the largest alone are wanted. */
    int64_t start = last - first < d->n ? 0 : dlz_max_i64(0, m.count - d->count);
    multiply_half(&m, start, first, middle - first, 0, m.left + m.both);
    multiply_half(&m, start, middle, last - middle, m.left, m.count - m.left);
    for (int64_t i = m.count; i < last - first; i++) {
        d->roots[first + i] = d->values[d->moved[first + i - m.count]];
        memcpy(d->rows + (first + i) * d->n + first, d->gathered + (first + i) * d->n + first,
               (size_t)(last - first) * sizeof *d->rows);
    }
    memcpy(d->values + first, d->roots + first, (size_t)(last - first) * sizeof *d->values);
}

static void merge_pair(void *context, int64_t pair, int worker) {
    (void)worker;
    divide *d = context;
    int64_t leaf = 2 * pair * d->apart;
    if (!atomic_load(&d->failed))
        put_together(d, leaf_start(d, leaf), leaf_start(d, leaf + d->apart),
                     leaf_start(d, leaf + 2 * d->apart));
}

static dlviz_status conquer(divide *d) {
    dlz_parallel_for(d->leaves, dlz_threads(), solve_leaf, d);
    for (d->apart = 1; d->apart < d->leaves; d->apart *= 2) {
        /* Many pairs are shared out among threads, of few each is. */
        int64_t pairs = d->leaves / (2 * d->apart);
        if (pairs >= 4)
            dlz_parallel_for(pairs, dlz_threads(), merge_pair, d);
        for (int64_t pair = 0; pair < pairs && pairs < 4; pair++)
            merge_pair(d, pair, 0);
    }
    if (!atomic_load(&d->failed))
        return DLVIZ_OK;
    return dlz_fail(DLVIZ_ERROR_NUMERIC, "%s (info %d)",
                    atomic_load(&d->by_leaf) ? "dstedc" : "dlaed4", atomic_load(&d->failure));
}

static void take_largest(const divide *d, double *values, double *vectors) {
    for (int64_t i = 0; i < d->n; i++)
        d->order[i] = i;
    sort_by_value(d->values, d->order, d->n, d->moved);
    for (int64_t i = 0; i < d->count; i++) {
        int64_t row = d->order[d->n - d->count + i];
        values[i] = d->values[row] / d->scale;
        memcpy(vectors + i * d->n, d->rows + row * d->n, (size_t)d->n * sizeof *vectors);
    }
}

/* A power of two that brings the matrix's largest number near 1. */
static double find_scale(const divide *d) {
    double largest = 0;
    int exponent = 0;
    for (int64_t i = 0; i < d->n; i++)
        largest =
            fmax(largest, fmax(fabs(d->diagonal[i]), i + 1 < d->n ? fabs(d->off_diagonal[i]) : 0));
    frexp(largest, &exponent);
    return ldexp(1, -exponent);
}

dlviz_status dlz_divide(int64_t n, const double *diagonal, const double *off_diagonal,
                        int64_t count, double *values, double *vectors) {
    DLZ_IN_LAPACK;
    divide d = {
        .n = n, .count = count, .leaves = 1, .diagonal = diagonal, .off_diagonal = off_diagonal};
    while (dlz_ceil_div(n, d.leaves) > LEAF)
        d.leaves *= 2;
    d.scale = find_scale(&d);
    uint64_t square = (uint64_t)n * (uint64_t)n, lines = (uint64_t)n * 5;
    d.rows = dlz_alloc_array_zero(square * 3 + lines, sizeof *d.rows);
    d.order = dlz_alloc_array((uint64_t)n * 3, sizeof *d.order);
    d.side = dlz_alloc((size_t)n);
    dlviz_status status = DLVIZ_OK;
    if (d.rows && d.order && d.side) {
        d.gathered = d.rows + square;
        d.secular = d.gathered + square;
        d.values = d.secular + square;
        d.z = d.values + n;
        d.poles = d.z + n;
        d.change = d.poles + n;
        d.roots = d.change + n;
        d.kept = d.order + n;
        d.moved = d.kept + n;
        status = conquer(&d);
    } else {
        status = dlz_fail_memory("eigenvectors", (square * 3 + lines) * sizeof *d.rows);
    }
    if (status == DLVIZ_OK)
        take_largest(&d, values, vectors);
    dlz_free(d.rows);
    dlz_free(d.order);
    dlz_free(d.side);
    return status;
}
