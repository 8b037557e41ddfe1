#include "pca/pca.h"
#include "base/base.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "kernels/embed/center.h"
#include "kernels/gemm/gemm.h"
#include "linalg/krylov.h"
#include "linalg/linalg.h"

#include <math.h>
#include <string.h>

/* rows (X - μ)ᵀ(X - μ), in one pass over the data: a tile of points is centered, multiplied by the
 * rows, and by the result while it is still in the cache. Sums are float64 from tile to tile, and
 * from group to group of tiles; within a tile they are float32 unless the product is to be precise.
 */
#define TILE 192
#define GROUPS 16

typedef struct product_pass {
    const dlz_pca_input *input;
    int64_t count, tiles, groups;
    uint64_t scratch_bytes; /* of one worker */
    const void *rows;       /* count x features, in the precision of the product */
    char *scratch;
    double *sums; /* groups x count x features */
} product_pass;

static void add_group_float(void *context, int64_t group, int worker) {
    const product_pass *pass = context;
    const dlz_pca_input *input = pass->input;
    int64_t d = input->features, l = pass->count;
    char *gemm_scratch = pass->scratch + (uint64_t)worker * pass->scratch_bytes;
    float *points = (float *)(gemm_scratch + DLZ_GEMM_SCRATCH_BYTES);
    float *inner = points + TILE * d, *outer = inner + TILE * l;
    double *sum = pass->sums + group * l * d;
    memset(sum, 0, (size_t)(l * d) * sizeof *sum);
    for (int64_t tile = group * pass->tiles / pass->groups;
         tile < (group + 1) * pass->tiles / pass->groups; tile++) {
        int64_t first = tile * TILE, n = dlz_min_i64(TILE, input->samples - first);
        for (int64_t i = 0; i < n; i++)
            dlz_center()->to_float(input->data + (first + i) * d, input->mean, points + i * d, d);
        dlz_gemm project = {.m = l,
                            .n = n,
                            .k = d,
                            .a = pass->rows,
                            .lda = d,
                            .b = points,
                            .ldb = d,
                            .c = inner,
                            .ldc = n,
                            .transpose_b = true};
        dlz_gemm_kernels()->gemm(&project, gemm_scratch);
        dlz_gemm back = {.m = l,
                         .n = d,
                         .k = n,
                         .a = inner,
                         .lda = n,
                         .b = points,
                         .ldb = d,
                         .c = outer,
                         .ldc = d};
        dlz_gemm_kernels()->gemm(&back, gemm_scratch);
        dlz_center()->add(outer, sum, l * d);
    }
}

static void add_group_double(void *context, int64_t group, int worker) {
    const product_pass *pass = context;
    const dlz_pca_input *input = pass->input;
    int64_t d = input->features, l = pass->count;
    double *points = (double *)(pass->scratch + (uint64_t)worker * pass->scratch_bytes);
    double *inner = points + TILE * d, *sum = pass->sums + group * l * d;
    memset(sum, 0, (size_t)(l * d) * sizeof *sum);
    for (int64_t tile = group * pass->tiles / pass->groups;
         tile < (group + 1) * pass->tiles / pass->groups; tile++) {
        int64_t first = tile * TILE, n = dlz_min_i64(TILE, input->samples - first);
        for (int64_t i = 0; i < n; i++)
            dlz_center()->to_double(input->data + (first + i) * d, input->mean, points + i * d, d);
        dlz_dgemm(false, true, n, l, d, 1, points, d, pass->rows, d, 0, inner, l);
        dlz_dgemm(true, false, l, d, n, 1, inner, l, points, d, 1, sum, d);
    }
}

/* Adds the groups' sums, by ranges of elements. */
typedef struct gather_pass {
    const double *sums;
    double *product;
    int64_t groups, elements;
} gather_pass;

#define GATHER 8192

static void gather_tile(void *context, int64_t tile, int worker) {
    (void)worker;
    const gather_pass *pass = context;
    int64_t first = tile * GATHER, last = dlz_min_i64(first + GATHER, pass->elements);
    memcpy(pass->product + first, pass->sums + first, (size_t)(last - first) * sizeof(double));
    for (int64_t group = 1; group < pass->groups; group++)
        for (int64_t i = first; i < last; i++)
            pass->product[i] += pass->sums[group * pass->elements + i];
}

typedef struct operator{
    const dlz_pca_input *input;
    bool wide; /* products might leave the range of float32 */
    int products;
}
operator;

static dlviz_status apply(void *context, const double *rows, int64_t count, bool precise,
                          double *product) {
    operator* op = context;
    const dlz_pca_input *input = op->input;
    /* How many products it takes is not known: each takes a part of what is left. */
    op->products++;
    double done = 0.8 * (1 - pow(0.85, op->products));
    DLZ_TRY(dlz_pca_report(input->pca, done));
    precise |= op->wide;
    int64_t d = input->features;
    int workers = dlz_threads();
    product_pass pass = {
        .input = input, .count = count, .tiles = dlz_ceil_div(input->samples, TILE)};
    pass.groups = dlz_min_i64(GROUPS, pass.tiles);
    uint64_t cells = (uint64_t)count * (uint64_t)d;
    pass.scratch_bytes =
        precise ? (uint64_t)(TILE * (d + count)) * sizeof(double)
                : ((uint64_t)(TILE * (d + count)) + cells) * sizeof(float) + DLZ_GEMM_SCRATCH_BYTES;
    pass.scratch_bytes = (pass.scratch_bytes + 127) / 128 * 128;
    pass.scratch = dlz_alloc_array((uint64_t)workers, pass.scratch_bytes);
    pass.sums = dlz_alloc_array((uint64_t)pass.groups, cells * sizeof(double));
    float *narrow = precise ? NULL : dlz_alloc_array(cells, sizeof *narrow);
    dlviz_status status = DLVIZ_OK;
    if (!pass.scratch || !pass.sums || (!precise && !narrow)) {
        status = dlz_fail_memory("products", (uint64_t)pass.groups * cells * sizeof(double));
    } else {
        for (uint64_t i = 0; !precise && i < cells; i++)
            narrow[i] = (float)rows[i];
        pass.rows = precise ? (const void *)rows : (const void *)narrow;
        dlz_task_part(done, 0.8 * (1 - pow(0.85, op->products + 1)));
        status = dlz_parallel_for_task(pass.groups, workers,
                                       precise ? add_group_double : add_group_float, &pass);
    }
    if (status == DLVIZ_OK) {
        gather_pass gather = {pass.sums, product, pass.groups, (int64_t)cells};
        dlz_parallel_for(dlz_ceil_div(gather.elements, GATHER), workers, gather_tile, &gather);
    }
    dlz_free(narrow);
    dlz_free(pass.scratch);
    dlz_free(pass.sums);
    return status;
}

/* No product with a unit vector is larger than the scatter. */
#define MOST_SCATTER 1e36

/* To tell when the variances are exact takes some beyond them. */
#define LEAST_EXTRA 5

/* With all products' rows together near the number of features, iteration has nothing to gain. */
static bool too_small(const dlz_krylov *krylov, int64_t most) {
    return most <= 2 * (krylov->wanted + krylov->extra) || most <= 4 * krylov->block;
}

dlviz_status dlz_pca_solve_randomized(dlz_pca_input *input, dlz_pca_model *model) {
    const dlviz_pca *pca = input->pca;
    int64_t d = input->features, most = dlz_min_i64(input->samples, d);
    operator op = {input, input->scatter > MOST_SCATTER, 0};
    dlz_krylov krylov = {.apply = apply,
                         .context = &op,
                         .size = d,
                         .wanted = dlz_pca_wanted(pca, most),
                         .extra = pca->oversampling,
                         .iterations = pca->solver == DLVIZ_PCA_SOLVER_AUTO ? 0 : pca->iterations,
                         .limit = pca->solver == DLVIZ_PCA_SOLVER_AUTO ? 24 : 200,
                         .tolerance = 1e-10,
                         .seed = pca->seed};
    if (krylov.iterations == 0)
        krylov.extra = dlz_max_i64(krylov.extra, LEAST_EXTRA);
    krylov.block = krylov.wanted + krylov.extra;
    if (pca->fraction > 0 || too_small(&krylov, most))
        return dlz_pca_solve_covariance(input, model);
    size_t cells = (size_t)krylov.wanted * (size_t)d;
    input->used = DLVIZ_PCA_SOLVER_RANDOMIZED;
    model->variance = dlz_alloc_array((uint64_t)krylov.wanted, sizeof *model->variance);
    model->components = dlz_alloc_array(cells, sizeof *model->components);
    if (!model->variance || !model->components)
        return dlz_fail_memory("components", cells * sizeof *model->components);
    bool converged = false;
    dlz_failure before;
    dlz_failure_keep(&before);
    dlviz_status status =
        dlz_krylov_largest(&krylov, model->variance, model->components, &converged);
    bool stuck = status == DLVIZ_OK && !converged && krylov.iterations == 0;
    if (stuck || status == DLVIZ_ERROR_NUMERIC) {
        dlz_failure_put_back(&before);
        dlz_pca_forget_components(model);
        return dlz_pca_solve_covariance(input, model);
    }
    DLZ_TRY(status);
    model->count = krylov.wanted;
    for (int64_t i = 0; i < model->count; i++)
        model->variance[i] = fmax(model->variance[i], 0) / (double)(input->samples - 1);
    return DLVIZ_OK;
}
