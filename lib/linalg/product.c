#include "base/base.h"
#include "base/parallel.h"
#include "kernels/embed/scatter.h"
#include "linalg/linalg.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Products run panel by panel through the kernel of PCA's covariance: `width` columns of op(a)ᵀ
 * against `width` of op(b), over DEPTH rows of both at a time. What an element is the sum of, and
 * in which order, depends on k alone, so that products may be cut along m and n at will. */
#define DEPTH 64
#define PANELS 4 /* of op(a), for each of which a panel of op(b) serves */
#define PANEL_SIZE (DLZ_SCATTER_MOST_WIDTH * DEPTH)

/* ---- Where panels lie --------------------------------------------------------------------------
 *
 * They would take most of a small stack, and memory that is asked for here could be refused where
 * nothing can fail. So some wait to be used; where all are, in a process of very many threads, one
 * panel of op(a) at a time lies on the stack. The child of a fork finds those taken that other
 * threads had: it has the others. */
#define ROOMS 64

typedef struct room {
    _Alignas(DLZ_ALIGNMENT) double a[PANELS * PANEL_SIZE], b[PANEL_SIZE];
    atomic_bool taken;
} room;

static room rooms[ROOMS];

/* NULL where none is free. */
static room *take_room(void) {
    for (int i = 0; i < ROOMS; i++)
        if (!atomic_load_explicit(&rooms[i].taken, memory_order_relaxed) &&
            !atomic_exchange_explicit(&rooms[i].taken, true, memory_order_acquire))
            return &rooms[i];
    return NULL;
}

static void give_back_room(room *mine) {
    atomic_store_explicit(&mine->taken, false, memory_order_release);
}

/* ---- One thread's products ------------------------------------------------------------------- */

/* One panel's product, where not all of it is wanted. */
static void add_edge(const dlz_scatter_kernel *kernel, const double *a, const double *b,
                     int64_t rows, int64_t m, int64_t n, int64_t above, double *c, int64_t ldc) {
    double edge[DLZ_SCATTER_MOST_WIDTH * DLZ_SCATTER_MOST_WIDTH] = {0};
    int64_t width = kernel->width;
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n && j <= i + above; j++)
            edge[i * width + j] = c[i * ldc + j];
    kernel->add(a, b, rows, edge, width);
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n && j <= i + above; j++)
            c[i * ldc + j] = edge[i * width + j];
}

static void scale_result(const dlz_product *p) {
    for (int64_t i = 0; i < p->m && p->beta != 1; i++) {
        double *row = p->c + i * p->ldc;
        int64_t n = p->lower ? dlz_min_i64(p->n, i + p->above + 1) : p->n;
        for (int64_t j = 0; j < n; j++)
            row[j] = p->beta == 0 ? 0 : p->beta * row[j];
    }
}

static void add_panels(const dlz_product *p, const dlz_scatter_kernel *kernel, const double *panels,
                       const double *b, int64_t rows, int64_t i, int64_t last, int64_t j) {
    int64_t width = kernel->width, n = dlz_min_i64(width, p->n - j);
    for (int64_t first = i; first < last; first += width) {
        int64_t m = dlz_min_i64(width, p->m - first);
        /* How far right of its own column a row may go; negative: how far it stays behind. */
        int64_t above = p->lower ? first + p->above - j : width;
        double *c = p->c + first * p->ldc + j;
        const double *a = panels + (first - i) * rows;
        if (above + m <= 0)
            continue;
        if (m == width && n == width && above >= width - 1)
            kernel->add(a, b, rows, c, p->ldc);
        else
            add_edge(kernel, a, b, rows, m, n, above, c, p->ldc);
    }
}

/* panels: room for so many of op(a), and one of op(b). */
static void multiply_in(const dlz_product *p, int64_t count, double *panels, double *panel) {
    const dlz_scatter_kernel *kernel = dlz_scatter();
    int64_t width = kernel->width, block = count * width;
    scale_result(p);
    for (int64_t k = 0; k < p->k; k += DEPTH) {
        int64_t rows = dlz_min_i64(DEPTH, p->k - k);
        for (int64_t i = 0; i < p->m; i += block) {
            int64_t last = dlz_min_i64(i + block, p->m);
            for (int64_t first = i; first < last; first += width)
                kernel->lay(p->transpose_a ? p->a + k * p->lda + first : p->a + first * p->lda + k,
                            p->lda, p->transpose_a, dlz_min_i64(width, last - first), rows,
                            p->alpha, panels + (first - i) * rows);
            int64_t end = p->lower ? dlz_min_i64(p->n, last + p->above) : p->n;
            for (int64_t j = 0; j < end; j += width) {
                kernel->lay(p->transpose_b ? p->b + j * p->ldb + k : p->b + k * p->ldb + j, p->ldb,
                            !p->transpose_b, dlz_min_i64(width, p->n - j), rows, 1, panel);
                add_panels(p, kernel, panels, panel, rows, i, last, j);
            }
        }
    }
}

/* A function of its own, so that others do without the stack. */
__attribute__((noinline)) void dlz_multiply_on_stack(const dlz_product *p) {
    double panels[2 * PANEL_SIZE];
    multiply_in(p, 1, panels, panels + PANEL_SIZE);
}

static void multiply(const dlz_product *p) {
    room *mine = take_room();
    if (!mine) {
        dlz_multiply_on_stack(p);
        return;
    }
    multiply_in(p, PANELS, mine->a, mine->b);
    give_back_room(mine);
}

/* ---- With all threads ------------------------------------------------------------------------ */

#define BLOCK_ROWS 96
#define BLOCK_COLUMNS 192

static void multiply_block(void *context, int64_t tile, int worker) {
    (void)worker;
    dlz_product p = *(const dlz_product *)context;
    int64_t across = dlz_ceil_div(p.n, BLOCK_COLUMNS);
    int64_t i = tile / across * BLOCK_ROWS, j = tile % across * BLOCK_COLUMNS;
    p.m = dlz_min_i64(BLOCK_ROWS, p.m - i);
    p.n = dlz_min_i64(BLOCK_COLUMNS, p.n - j);
    p.a += p.transpose_a ? i : i * p.lda;
    p.b += p.transpose_b ? j * p.ldb : j;
    p.c += i * p.ldc + j;
    p.above += i - j;
    if (!p.lower || p.above + p.m > 0)
        multiply(&p);
}

/* Products smaller than this are done before another thread has woken. */
#define SMALL (1 << 17)

void dlz_multiply(const dlz_product *product) {
    int64_t tiles = dlz_ceil_div(product->m, BLOCK_ROWS) * dlz_ceil_div(product->n, BLOCK_COLUMNS);
    bool small = product->m * product->n < SMALL / dlz_max_i64(product->k, 1);
    dlz_parallel_for(tiles, small ? 1 : dlz_threads(), multiply_block, (void *)(uintptr_t)product);
}

void dlz_dgemm(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, double alpha,
               const double *a, int64_t lda, const double *b, int64_t ldb, double beta, double *c,
               int64_t ldc) {
    multiply(&(dlz_product){.transpose_a = transpose_a,
                            .transpose_b = transpose_b,
                            .m = m,
                            .n = n,
                            .k = k,
                            .alpha = alpha,
                            .a = a,
                            .lda = lda,
                            .b = b,
                            .ldb = ldb,
                            .beta = beta,
                            .c = c,
                            .ldc = ldc});
}

void dlz_dsyrk(bool transpose_a, int64_t n, int64_t k, const double *a, int64_t lda, double *c,
               int64_t ldc) {
    multiply(&(dlz_product){.transpose_a = transpose_a,
                            .transpose_b = !transpose_a,
                            .lower = true,
                            .m = n,
                            .n = n,
                            .k = k,
                            .alpha = 1,
                            .a = a,
                            .lda = lda,
                            .b = a,
                            .ldb = lda,
                            .beta = 1,
                            .c = c,
                            .ldc = ldc});
}
