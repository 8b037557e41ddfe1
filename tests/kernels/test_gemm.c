/* Matrix products of every instruction set this machine has, against sums in double. */
#include "base/parallel.h"
#include "kernels/gemm/gemm_finish.h"
#include "kernels/gemm/gemm_linear.h"
#include "support/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const float GUARD = -12345.0f;

static _Alignas(64) char scratch[DLZ_GEMM_SCRATCH_BYTES];

/* Memory for one product, with guards around C's rows; everything at odd addresses if asked. */
typedef struct problem {
    dlz_gemm g;
    float *memory_a, *memory_b, *memory_c, *start, *bias;
    int64_t c_size;
} problem;

static void *floats(int64_t count) {
    void *memory = aligned_alloc(64, ((size_t)count * sizeof(float) + 127) / 64 * 64);
    ck_assert_ptr_nonnull(memory);
    return memory;
}

static problem make(int64_t m, int64_t n, int64_t k, int variant, int64_t slack, int64_t offset) {
    problem p = {.g = {.m = m,
                       .n = n,
                       .k = k,
                       .transpose_a = variant & 1,
                       .transpose_b = (variant & 2) != 0,
                       .accumulate = (variant & 4) != 0}};
    p.g.lda = (p.g.transpose_a ? m : k) + slack;
    p.g.ldb = (p.g.transpose_b ? k : n) + 2 * slack;
    p.g.ldc = n + 3 * slack;
    int64_t a_size = (p.g.transpose_a ? k : m) * p.g.lda,
            b_size = (p.g.transpose_b ? n : k) * p.g.ldb;
    p.c_size = (m + 2) * p.g.ldc + 2 * offset;
    p.memory_a = floats(a_size + offset);
    p.memory_b = floats(b_size + offset);
    p.memory_c = floats(p.c_size);
    p.start = floats(p.c_size);
    p.bias = floats(n);
    fill_uniform(p.memory_a, a_size + offset, 1);
    fill_uniform(p.memory_b, b_size + offset, 2);
    fill_uniform(p.bias, n, 3);
    /* Only the m x k and k x n numbers that count are finite. */
    for (int64_t i = 0; i < a_size; i++)
        if (i % p.g.lda >= p.g.lda - slack)
            p.memory_a[offset + i] = NAN;
    for (int64_t i = 0; i < b_size; i++)
        if (i % p.g.ldb >= p.g.ldb - 2 * slack)
            p.memory_b[offset + i] = NAN;
    for (int64_t i = 0; i < p.c_size; i++)
        p.memory_c[i] = GUARD;
    p.g.a = p.memory_a + offset;
    p.g.b = p.memory_b + offset;
    p.g.c = p.memory_c + p.g.ldc + offset;
    for (int64_t i = 0; i < m; i++)
        if (p.g.accumulate)
            fill_uniform(p.g.c + i * p.g.ldc, n, 4 + (uint64_t)i);
        else
            for (int64_t j = 0; j < n; j++)
                p.g.c[i * p.g.ldc + j] = NAN; /* must not be read */
    if (variant & 8)
        p.g.bias = p.bias;
    memcpy(p.start, p.memory_c, (size_t)p.c_size * sizeof(float));
    return p;
}

static void reset(problem *p) {
    memcpy(p->memory_c, p->start, (size_t)p->c_size * sizeof(float));
}

static void discard(problem *p) {
    free(p->memory_a);
    free(p->memory_b);
    free(p->memory_c);
    free(p->start);
    free(p->bias);
}

static float a_of(const dlz_gemm *g, int64_t i, int64_t p) {
    return g->transpose_a ? g->a[p * g->lda + i] : g->a[i * g->lda + p];
}
static float b_of(const dlz_gemm *g, int64_t p, int64_t j) {
    return g->transpose_b ? g->b[j * g->ldb + p] : g->b[p * g->ldb + j];
}

/* A sum of at most 288 terms in one go, of block sums after that: its error is below
 * (288 + blocks + 2) half units of the sum of magnitudes; rounding hardly ever conspires, so a
 * bound of 40 units catches a wrong term and any order of summation that is worse. */
static void check(const problem *p, const char *what) {
    const dlz_gemm *g = &p->g;
    const float *start = p->start + (g->c - p->memory_c);
    for (int64_t i = 0; i < g->m; i++)
        for (int64_t j = 0; j < g->n; j++) {
            double sum = 0, size = 0;
            if (g->accumulate)
                sum = start[i * g->ldc + j];
            else if (g->bias)
                sum = g->bias[j];
            size = fabs(sum);
            for (int64_t q = 0; q < g->k; q++) {
                double term = (double)a_of(g, i, q) * (double)b_of(g, q, j);
                sum += term;
                size += fabs(term);
            }
            double error = fabs(sum - (double)g->c[i * g->ldc + j]);
            ck_assert_msg(error <= 40 * 0x1p-24 * size,
                          "%s: m %d n %d k %d, transposed %d %d: C[%d][%d] is %.9g, not %.9g", what,
                          (int)g->m, (int)g->n, (int)g->k, g->transpose_a, g->transpose_b, (int)i,
                          (int)j, (double)g->c[i * g->ldc + j], sum);
        }
    for (int64_t i = 0; i < p->c_size; i++) {
        int64_t at = i - (g->c - p->memory_c);
        if (at < 0 || at >= g->m * g->ldc || at % g->ldc >= g->n)
            ck_assert_msg(p->memory_c[i] == GUARD, "%s: wrote outside C (m %d n %d k %d)", what,
                          (int)g->m, (int)g->n, (int)g->k);
    }
}

static void check_all_isas(int64_t m, int64_t n, int64_t k, int variant, int64_t slack,
                           int64_t offset) {
    problem p = make(m, n, k, variant, slack, offset);
    for (int isa = 0; isa < DLZ_ISA_COUNT; isa++)
        if (dlz_isa_available((dlz_isa)isa)) {
            const dlz_gemm_table *kernels = dlz_gemm_kernels_of((dlz_isa)isa);
            reset(&p);
            kernels->gemm(&p.g, scratch);
            check(&p, dlz_isa_name((dlz_isa)isa));
        }
    discard(&p);
}

START_TEST(odd_sizes_agree_with_sums_in_double) {
    static const int64_t ms[] = {1, 2, 5, 14, 29, 131};
    static const int64_t ns[] = {1, 3, 16, 17, 33, 100, 259};
    static const int64_t ks[] = {1, 2, 16, 50, 95, 96, 300};
    int variant = 0;
    for (size_t i = 0; i < sizeof ms / sizeof *ms; i++)
        for (size_t j = 0; j < sizeof ns / sizeof *ns; j++)
            for (size_t q = 0; q < sizeof ks / sizeof *ks; q++, variant++) {
                /* Every transposition; start, bias, slack and alignment in turn. */
                for (int transposed = 0; transposed < 4; transposed++) {
                    int start = (variant + transposed) % 3 * 4;
                    check_all_isas(ms[i], ns[j], ks[q], transposed | start, variant % 4,
                                   (variant + transposed) % 7);
                }
            }
}
END_TEST

START_TEST(long_sums_are_blocked) {
    for (int transposed = 0; transposed < 4; transposed++) {
        check_all_isas(3, 37, 4096, transposed, 0, 1);
        check_all_isas(17, 5, 5003, transposed | 4, 1, 0);
        check_all_isas(67, 8, 1025, transposed | 8, 0, 0);
    }
}
END_TEST

START_TEST(nothing_to_do_and_nothing_to_add) {
    for (int variant = 0; variant < 16; variant++) {
        check_all_isas(0, 5, 3, variant, 1, 0);
        check_all_isas(5, 0, 3, variant, 1, 0);
        check_all_isas(5, 7, 0, variant, 1, 0);
    }
}
END_TEST

START_TEST(packed_gives_the_bits_of_unpacked) {
    static const int64_t sizes[][3] = {{1, 1, 1},      {48, 32, 288}, {37, 10, 9}, {7, 300, 75},
                                       {130, 17, 577}, {1, 300, 600}, {2, 280, 75}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int variant = 0; variant < 16; variant++)
            for (int isa = 0; isa < DLZ_ISA_COUNT; isa++) {
                if (!dlz_isa_available((dlz_isa)isa))
                    continue;
                const dlz_gemm_table *kernels = dlz_gemm_kernels_of((dlz_isa)isa);
                problem p = make(sizes[i][0], sizes[i][1], sizes[i][2], variant, 1, 3);
                size_t packed_size = kernels->packed_size(p.g.k, p.g.n);
                float *packed = floats((int64_t)packed_size + 1);
                packed[packed_size] = GUARD;
                kernels->pack(&p.g, packed);
                ck_assert(packed[packed_size] == GUARD);
                kernels->gemm_packed(&p.g, packed, scratch);
                check(&p, dlz_isa_name((dlz_isa)isa));

                /* B stored the other way gives the bits of gemm() on rows. */
                float *rows = floats(p.g.k * p.g.n), *result = floats(p.c_size);
                for (int64_t q = 0; q < p.g.k; q++)
                    for (int64_t j = 0; j < p.g.n; j++)
                        rows[q * p.g.n + j] = b_of(&p.g, q, j);
                memcpy(result, p.memory_c, (size_t)p.c_size * sizeof(float));
                reset(&p);
                dlz_gemm same = p.g;
                same.transpose_b = false;
                same.b = rows;
                same.ldb = p.g.n;
                kernels->gemm(&same, scratch);
                ck_assert_mem_eq(result, p.memory_c, (size_t)p.c_size * sizeof(float));
                free(rows);
                free(result);
                free(packed);
                discard(&p);
            }
}
END_TEST

START_TEST(tiles_have_the_bits_of_the_whole) {
    static const int64_t depths[] = {5, 64, 300, 1100};
    for (size_t d = 0; d < sizeof depths / sizeof *depths; d++)
        for (int variant = 0; variant < 8; variant++)
            for (int isa = 0; isa < DLZ_ISA_COUNT; isa++) {
                if (!dlz_isa_available((dlz_isa)isa))
                    continue;
                const dlz_gemm_table *kernels = dlz_gemm_kernels_of((dlz_isa)isa);
                problem p = make(61, 297, depths[d], variant, 1, 0);
                float *whole = floats(p.c_size);
                kernels->gemm(&p.g, scratch);
                memcpy(whole, p.memory_c, (size_t)p.c_size * sizeof(float));
                reset(&p);
                /* Of 9 rows, of 1 and of 2, which have ways of their own. */
                static const int64_t heights[] = {9, 1, 2};
                for (int64_t i = 0, k = 0, rows; i < p.g.m; i += rows, k++)
                    for (int64_t j = rows = 0; j < p.g.n; j += rows < 9 ? 150 : 35) {
                        rows = heights[k % 3];
                        dlz_gemm tile = p.g;
                        int64_t columns = rows < 9 ? 150 : 35;
                        tile.m = p.g.m - i < rows ? p.g.m - i : rows;
                        tile.n = p.g.n - j < columns ? p.g.n - j : columns;
                        tile.a += p.g.transpose_a ? i : i * p.g.lda;
                        tile.b += p.g.transpose_b ? j * p.g.ldb : j;
                        tile.c += i * p.g.ldc + j;
                        kernels->gemm(&tile, scratch);
                    }
                ck_assert_mem_eq(whole, p.memory_c, (size_t)p.c_size * sizeof(float));
                free(whole);
                discard(&p);
            }
}
END_TEST

START_TEST(nan_reaches_its_row_or_column_and_no_other) {
    for (int variant = 0; variant < 4; variant++)
        for (int deep = 0; deep < 2; deep++)
            for (int isa = 0; isa < DLZ_ISA_COUNT; isa++) {
                if (!dlz_isa_available((dlz_isa)isa))
                    continue;
                problem p = make(20, 21, deep ? 261 : 21, variant, 0, 0);
                int64_t row = 6, column = 18, q = p.g.k - 1;
                p.memory_a[p.g.transpose_a ? q * p.g.lda + row : row * p.g.lda + q] = NAN;
                p.memory_b[p.g.transpose_b ? column * p.g.ldb + q : q * p.g.ldb + column] =
                    INFINITY;
                dlz_gemm_kernels_of((dlz_isa)isa)->gemm(&p.g, scratch);
                for (int64_t i = 0; i < p.g.m; i++)
                    for (int64_t j = 0; j < p.g.n; j++) {
                        float c = p.g.c[i * p.g.ldc + j];
                        if (i == row)
                            ck_assert(isnan(c));
                        else if (j == column)
                            ck_assert(isinf(c));
                        else
                            ck_assert(isfinite(c));
                    }
                discard(&p);
            }
}
END_TEST

typedef struct layer_job {
    dlz_linear layer;
    dlz_linear_end end;
    const float *x, *weight, *dy;
    float *y, *dx, *dweight, *dbias;
    const float *packed;
    bool accumulate;
    char *scratch;
} layer_job;

static void run_forward(void *context, int64_t tile, int worker) {
    layer_job *job = context;
    dlz_linear_forward_tile(&job->layer, tile, job->x, job->weight, &job->end, job->y,
                            job->scratch + (size_t)worker * DLZ_GEMM_SCRATCH_BYTES);
}
static void run_backward_data(void *context, int64_t tile, int worker) {
    layer_job *job = context;
    dlz_linear_backward_data_tile(&job->layer, tile, job->dy, job->weight, job->accumulate, job->dx,
                                  job->scratch + (size_t)worker * DLZ_GEMM_SCRATCH_BYTES);
}
static void run_backward_weight(void *context, int64_t tile, int worker) {
    layer_job *job = context;
    dlz_linear_backward_weight_tile(&job->layer, NULL, tile, job->dy, job->x, job->accumulate,
                                    job->dweight, job->dbias,
                                    job->scratch + (size_t)worker * DLZ_GEMM_SCRATCH_BYTES);
}

static void run_packed(void *context, int64_t tile, int worker) {
    layer_job *job = context;
    dlz_linear_packed_tile(&job->layer, tile, job->x, job->packed, &job->end, job->y,
                           job->scratch + (size_t)worker * DLZ_GEMM_SCRATCH_BYTES);
}

static void close_to(double got, double sum, double size, const char *what, int64_t at) {
    ck_assert_msg(fabs(got - sum) <= 40 * 0x1p-24 * size, "%s[%d] is %.9g, not %.9g", what, (int)at,
                  got, sum);
}

static void check_layer(const layer_job *job, float before) {
    int64_t batch = job->layer.batch, inputs = job->layer.inputs, outputs = job->layer.outputs;
    for (int64_t b = 0; b < batch; b++)
        for (int64_t o = 0; o < outputs; o++) {
            double sum = job->end.bias ? job->end.bias[o] : 0, size = fabs(sum);
            for (int64_t i = 0; i < inputs; i++) {
                double term = (double)job->x[b * inputs + i] * (double)job->weight[o * inputs + i];
                sum += term;
                size += fabs(term);
            }
            close_to(job->y[b * outputs + o], sum, size, "Y", b * outputs + o);
        }
    for (int64_t b = 0; b < batch; b++)
        for (int64_t i = 0; i < inputs; i++) {
            double sum = before, size = fabs(sum);
            for (int64_t o = 0; o < outputs; o++) {
                double term =
                    (double)job->dy[b * outputs + o] * (double)job->weight[o * inputs + i];
                sum += term;
                size += fabs(term);
            }
            close_to(job->dx[b * inputs + i], sum, size, "dX", b * inputs + i);
        }
    for (int64_t o = 0; o < outputs; o++)
        for (int64_t i = -1; i < inputs; i++) {
            double sum = before, size = fabs(sum);
            for (int64_t b = 0; b < batch; b++) {
                double term = (double)job->dy[b * outputs + o] *
                              (i < 0 ? 1.0 : (double)job->x[b * inputs + i]);
                sum += term;
                size += fabs(term);
            }
            if (i >= 0)
                close_to(job->dweight[o * inputs + i], sum, size, "dW", o * inputs + i);
            else if (job->dbias)
                close_to(job->dbias[o], sum, size, "dbias", o);
        }
}

START_TEST(a_layer_in_tiles) {
    static const dlz_linear layers[] = {{64, 300, 10}, {7, 520, 70}, {1, 33, 257},
                                        {300, 20, 40}, {33, 1, 1},   {128, 257, 513}};
    enum { WORKERS = 3 };
    for (size_t l = 0; l < sizeof layers / sizeof *layers; l++)
        for (int accumulate = 0; accumulate < 2; accumulate++) {
            dlz_linear layer = layers[l];
            int64_t xs = layer.batch * layer.inputs, ws = layer.inputs * layer.outputs;
            int64_t ys = layer.batch * layer.outputs, all = xs + ws + ys + layer.outputs;
            float *in = floats(all), *out[2] = {floats(all), floats(all)};
            fill_uniform(in, all, 5);
            for (int many = 0; many < 2; many++) {
                layer_job job = {.layer = layer,
                                 .x = in,
                                 .weight = in + xs,
                                 .dy = in + xs + ws,
                                 .end.bias = accumulate ? NULL : in + xs + ws + ys,
                                 .dx = out[many],
                                 .dweight = out[many] + xs,
                                 .y = out[many] + xs + ws,
                                 .dbias = out[many] + xs + ws + ys,
                                 .accumulate = accumulate};
                job.scratch = aligned_alloc(64, WORKERS * DLZ_GEMM_SCRATCH_BYTES);
                ck_assert_ptr_nonnull(job.scratch);
                float before = accumulate ? 0.75f : 0;
                for (int64_t i = 0; i < all; i++)
                    out[many][i] = accumulate ? before : NAN;
                int workers = many ? WORKERS : 1;
                dlz_parallel_for(dlz_linear_forward_tiles(&layer), workers, run_forward, &job);
                dlz_parallel_for(dlz_linear_backward_data_tiles(&layer), workers, run_backward_data,
                                 &job);
                dlz_parallel_for(dlz_linear_backward_weight_tiles(&layer, NULL), workers,
                                 run_backward_weight, &job);
                check_layer(&job, before);
                free(job.scratch);
            }
            ck_assert_mem_eq(out[0], out[1], (size_t)all * sizeof(float));
            free(in);
            free(out[0]);
            free(out[1]);
        }
}
END_TEST

typedef struct tree_job {
    dlz_linear layer;
    dlz_linear_leaves leaves;
    const float *dy, *weight;
    float *dx;
    char *scratch;
} tree_job;

static void run_tree(void *context, int64_t tile, int worker) {
    tree_job *job = context;
    dlz_linear_backward_data_tree_tile(
        &job->layer, job->leaves, tile, job->dy, job->weight, job->dx,
        job->scratch + (size_t)worker * DLZ_LINEAR_TREE_SCRATCH_BYTES);
}

/* The sum of a node in float64, leaf after leaf; and of its halves, as they are, to the bit. */
static void check_node(const tree_job *all, dlz_linear_leaves leaves, float *whole) {
    enum { WORKERS = 3 };
    const dlz_linear *layer = &all->layer;
    int64_t size = layer->batch * layer->inputs;
    tree_job job = *all;
    job.leaves = leaves;
    job.dx = whole;
    fill_uniform(whole, size, 11); /* which is not read */
    dlz_parallel_for(dlz_linear_backward_data_tree_tiles(layer), 1 + leaves.first % WORKERS,
                     run_tree, &job);
    int64_t first = layer->outputs * leaves.first / DLZ_LINEAR_LEAVES;
    int64_t end = layer->outputs * (leaves.first + leaves.count) / DLZ_LINEAR_LEAVES;
    for (int64_t b = 0; b < layer->batch; b++)
        for (int64_t i = 0; i < layer->inputs; i++) {
            double sum = 0, sizes = 0;
            for (int64_t o = first; o < end; o++) {
                double term = (double)job.dy[b * layer->outputs + o] *
                              (double)job.weight[o * layer->inputs + i];
                sum += term;
                sizes += fabs(term);
            }
            close_to(whole[b * layer->inputs + i], sum, sizes, "dX", b * layer->inputs + i);
        }
    if (leaves.count == 1)
        return;
    float *left = floats(size), *right = floats(size);
    int half = leaves.count / 2;
    check_node(all, (dlz_linear_leaves){leaves.first, half}, left);
    check_node(all, (dlz_linear_leaves){leaves.first + half, half}, right);
    for (int64_t i = 0; i < size; i++)
        left[i] += right[i];
    ck_assert_mem_eq(whole, left, (size_t)size * sizeof *left);
    free(left);
    free(right);
}

START_TEST(a_layers_inputs_as_a_tree) {
    /* Leaves of one output, of uneven sizes, and of more than a block. */
    static const dlz_linear layers[] = {
        {3, 40, 8}, {64, 300, 77}, {1, 513, 130}, {300, 140, 50}, {5, 33, 2500}};
    for (size_t l = 0; l < sizeof layers / sizeof *layers; l++) {
        tree_job job = {.layer = layers[l]};
        int64_t ws = job.layer.inputs * job.layer.outputs, ys = job.layer.batch * job.layer.outputs;
        float *in = floats(ws + ys), *dx = floats(job.layer.batch * job.layer.inputs);
        fill_uniform(in, ws + ys, 6);
        job.weight = in;
        job.dy = in + ws;
        job.scratch = aligned_alloc(64, 3 * DLZ_LINEAR_TREE_SCRATCH_BYTES);
        ck_assert_ptr_nonnull(job.scratch);
        check_node(&job, (dlz_linear_leaves){0, DLZ_LINEAR_LEAVES}, dx);
        free(job.scratch);
        free(in);
        free(dx);
    }
}
END_TEST

START_TEST(a_product_is_finished) {
    enum { ROWS = 5, COLUMNS = 37, STEP = 40 };
    float scale[COLUMNS], shift[COLUMNS], before[ROWS * STEP], c[ROWS * STEP];
    fill_uniform(scale, COLUMNS, 7);
    fill_uniform(shift, COLUMNS, 8);
    fill_uniform(before, ROWS * STEP, 9);
    before[3] = before[STEP + 36] = NAN;
    before[5] = -0.0f;
    for (int isa = 0; isa < DLZ_ISA_COUNT; isa++)
        for (int kind = 0; kind < 4 && dlz_isa_available((dlz_isa)isa); kind++)
            for (int64_t columns = 1; columns <= COLUMNS; columns++) {
                memcpy(c, before, sizeof c);
                dlz_gemm_finish_kernels_of((dlz_isa)isa)
                    ->finish(ROWS, columns, kind & 1 ? scale : NULL, shift, kind & 2, c, STEP);
                for (int64_t i = 0; i < ROWS * STEP; i++) {
                    int64_t j = i % STEP;
                    double truth = (double)before[i];
                    if (j < columns && kind & 1)
                        truth = truth * (double)scale[j] + (double)shift[j];
                    if (j < columns && kind & 2 && truth <= 0)
                        truth = 0;
                    ck_assert_msg(isnan(truth) ? isnan(c[i]) : fabs((double)c[i] - truth) <= 3e-7,
                                  "%s, kind %d, number %d: %g, not %g", dlz_isa_name((dlz_isa)isa),
                                  kind, (int)i, (double)c[i], truth);
                }
            }
}
END_TEST

/* In tiles, to the bits of the product by itself and what is made of it. */
START_TEST(a_layer_finishes_its_tiles) {
    dlz_linear layer = {5, 70, 90};
    float *x = floats(5 * 70), *weight = floats(90 * 70), *bias = floats(90), *scale = floats(90);
    float *y = floats(5 * 90), *plain = floats(5 * 90);
    fill_uniform(x, 5 * 70, 1);
    fill_uniform(weight, 90 * 70, 2);
    fill_uniform(bias, 90, 3);
    fill_uniform(scale, 90, 4);
    for (int kind = 0; kind < 4; kind++) {
        bool scaled = kind & 1, relu = (kind & 2) != 0;
        layer_job job = {.layer = layer, .x = x, .weight = weight, .y = y, .scratch = scratch};
        job.end = (dlz_linear_end){scaled ? scale : NULL, bias, relu};
        dlz_parallel_for(dlz_linear_forward_tiles(&layer), 1, run_forward, &job);
        job.end = (dlz_linear_end){.bias = scaled ? NULL : bias};
        job.y = plain;
        dlz_parallel_for(dlz_linear_forward_tiles(&layer), 1, run_forward, &job);
        dlz_gemm_finish_kernels()->finish(5, 90, scaled ? scale : NULL, bias, relu, plain, 90);
        ck_assert_mem_eq(y, plain, 5 * 90 * sizeof *y);
    }
    free(x);
    free(weight);
    free(bias);
    free(scale);
    free(y);
    free(plain);
}
END_TEST

/* Any number of rows gives the same bits, and what packed weights have left over is not read. */
START_TEST(a_layer_with_packed_weights) {
    static const dlz_linear layers[] = {{1, 300, 128}, {2, 70, 600}, {5, 1100, 150}, {9, 33, 7}};
    for (size_t l = 0; l < sizeof layers / sizeof *layers; l++) {
        dlz_linear layer = layers[l];
        int64_t xs = layer.batch * layer.inputs, ws = layer.inputs * layer.outputs;
        int64_t ys = layer.batch * layer.outputs;
        float *x = floats(xs), *weight = floats(ws), *bias = floats(layer.outputs);
        float *y = floats(ys), *row = floats(ys);
        float *packed = floats((int64_t)dlz_linear_packed_size(&layer) + 1);
        fill_uniform(x, xs, 1);
        fill_uniform(weight, ws, 2);
        fill_uniform(bias, layer.outputs, 3);
        packed[dlz_linear_packed_size(&layer)] = GUARD;
        for (int64_t tile = 0; tile < dlz_linear_pack_tiles(&layer); tile++)
            dlz_linear_pack_tile(&layer, tile, weight, packed);
        ck_assert(packed[dlz_linear_packed_size(&layer)] == GUARD);
        layer_job job = {.layer = layer,
                         .end = {NULL, bias, true},
                         .x = x,
                         .y = y,
                         .packed = packed,
                         .scratch = scratch};
        dlz_parallel_for(dlz_linear_packed_tiles(&layer), 1, run_packed, &job);
        job.layer.batch = 1;
        for (int64_t b = 0; b < layer.batch; b++) {
            job.x = x + b * layer.inputs;
            job.y = row + b * layer.outputs;
            dlz_parallel_for(dlz_linear_packed_tiles(&job.layer), 1, run_packed, &job);
        }
        ck_assert_mem_eq(y, row, (size_t)ys * sizeof *y);
        for (int64_t b = 0; b < layer.batch; b++)
            for (int64_t o = 0; o < layer.outputs; o++) {
                double sum = (double)bias[o], size = fabs(sum);
                for (int64_t i = 0; i < layer.inputs; i++) {
                    double term =
                        (double)x[b * layer.inputs + i] * (double)weight[o * layer.inputs + i];
                    sum += term;
                    size += fabs(term);
                }
                close_to(y[b * layer.outputs + o], sum > 0 ? sum : 0, size, "Y", o);
            }
        free(x);
        free(weight);
        free(bias);
        free(y);
        free(row);
        free(packed);
    }
}
END_TEST

int main(void) {
    const TTest *const tests[] = {odd_sizes_agree_with_sums_in_double,
                                  long_sums_are_blocked,
                                  nothing_to_do_and_nothing_to_add,
                                  packed_gives_the_bits_of_unpacked,
                                  tiles_have_the_bits_of_the_whole,
                                  nan_reaches_its_row_or_column_and_no_other,
                                  a_layer_in_tiles,
                                  a_layers_inputs_as_a_tree,
                                  a_product_is_finished,
                                  a_layer_finishes_its_tiles,
                                  a_layer_with_packed_weights,
                                  NULL};
    return run_tests("gemm", tests);
}
