#include "pca/pca.h"
#include "base/base.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "kernels/embed/center.h"
#include "kernels/gemm/gemm.h"
#include "linalg/krylov.h"
#include "linalg/linalg.h"
#include "pca/leaves.h"

#include <math.h>
#include <string.h>

/* rows (X - μ)ᵀ(X - μ), in one pass over the data: a tile of points is centered, multiplied by the
 * rows, and by the result while it is still in the cache. Sums are float64 from tile to tile, and
 * from group to group of tiles; within a tile they are float32 unless the product is to be precise.
 */
#define TILE 192
#define GROUPS 2 /* of a leaf */

typedef struct product_pass {
    const dlz_pca_input *input;
    dlz_leaves leaves;
    int64_t count, groups;  /* groups: of a leaf */
    uint64_t scratch_bytes; /* of one worker */
    const void *rows;       /* count x features, in the precision of the product */
    char *scratch;
    double *sums; /* leaves x groups x count x features */
} product_pass;

static void add_group_float(void *context, int64_t job, int worker) {
    const product_pass *pass = context;
    const dlz_pca_input *input = pass->input;
    int64_t d = input->features, l = pass->count;
    char *gemm_scratch = pass->scratch + (uint64_t)worker * pass->scratch_bytes;
    float *points = (float *)(gemm_scratch + DLZ_GEMM_SCRATCH_BYTES);
    float *inner = points + TILE * d, *outer = inner + TILE * l;
    double *sum = pass->sums + job * l * d;
    memset(sum, 0, (size_t)(l * d) * sizeof *sum);
    dlz_group group = dlz_leaves_group(&pass->leaves, pass->groups, job);
    for (int64_t tile = group.tile; tile < group.last; tile++) {
        dlz_rows rows = dlz_leaves_tile(&pass->leaves, tile);
        int64_t first = rows.first, n = rows.count;
        if (n == 0)
            continue;
        dlz_pages_read(&input->pages, first, n);
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
    dlz_pages_done(&input->pages, group.rows.first, group.rows.count);
}

static void add_group_double(void *context, int64_t job, int worker) {
    const product_pass *pass = context;
    const dlz_pca_input *input = pass->input;
    int64_t d = input->features, l = pass->count;
    double *points = (double *)(pass->scratch + (uint64_t)worker * pass->scratch_bytes);
    double *inner = points + TILE * d, *sum = pass->sums + job * l * d;
    memset(sum, 0, (size_t)(l * d) * sizeof *sum);
    dlz_group group = dlz_leaves_group(&pass->leaves, pass->groups, job);
    for (int64_t tile = group.tile; tile < group.last; tile++) {
        dlz_rows rows = dlz_leaves_tile(&pass->leaves, tile);
        int64_t first = rows.first, n = rows.count;
        if (n == 0)
            continue;
        dlz_pages_read(&input->pages, first, n);
        for (int64_t i = 0; i < n; i++)
            dlz_center()->to_double(input->data + (first + i) * d, input->mean, points + i * d, d);
        dlz_dgemm(false, true, n, l, d, 1, points, d, pass->rows, d, 0, inner, l);
        dlz_dgemm(true, false, l, d, n, 1, inner, l, points, d, 1, sum, d);
    }
    dlz_pages_done(&input->pages, group.rows.first, group.rows.count);
}

static dlviz_status multiply(const dlz_pca_input *input, const double *rows, int64_t count,
                             bool precise, double *product) {
    int64_t d = input->features;
    int workers = dlz_threads();
    product_pass pass = {
        .input = input, .leaves = dlz_leaves_of(input->comm, input->samples, TILE), .count = count};
    pass.groups = dlz_min_i64(GROUPS, dlz_ceil_div(pass.leaves.most, TILE));
    int64_t jobs = pass.leaves.count * pass.groups;
    uint64_t cells = (uint64_t)count * (uint64_t)d;
    pass.scratch_bytes =
        precise ? (uint64_t)(TILE * (d + count)) * sizeof(double)
                : ((uint64_t)(TILE * (d + count)) + cells) * sizeof(float) + DLZ_GEMM_SCRATCH_BYTES;
    pass.scratch_bytes = (pass.scratch_bytes + 127) / 128 * 128;
    pass.scratch = dlz_alloc_array((uint64_t)workers, pass.scratch_bytes);
    pass.sums = dlz_alloc_array((uint64_t)jobs, cells * sizeof(double));
    float *narrow = precise ? NULL : dlz_alloc_array(cells, sizeof *narrow);
    dlviz_status status = DLVIZ_OK;
    if (!pass.scratch || !pass.sums || (!precise && !narrow)) {
        status = dlz_fail_memory("products", (uint64_t)jobs * cells * sizeof(double));
    } else {
        for (uint64_t i = 0; !precise && i < cells; i++)
            narrow[i] = (float)rows[i];
        pass.rows = precise ? (const void *)rows : (const void *)narrow;
        status = dlz_parallel_for_task(jobs, workers, precise ? add_group_double : add_group_float,
                                       &pass);
    }
    dlz_pages_release(&input->pages);
    status = dlz_pca_agree(input, status);
    if (status == DLVIZ_OK)
        status = dlz_leaves_sum(input->comm, pass.sums, pass.groups, (int64_t)cells, product);
    dlz_free(narrow);
    dlz_free(pass.scratch);
    dlz_free(pass.sums);
    return status;
}

typedef struct operator{
    dlz_pca_input *input;
    bool wide; /* products might leave the range of float32 */
    int products;
    dlviz_status status; /* of the last product */
}
operator;

/* How many products it takes is not known: each takes a part of what is left. */
static dlviz_status begin_product(operator* op) {
    op->products++;
    double done = 0.8 * (1 - pow(0.85, op->products));
    dlz_task_part(done, 0.8 * (1 - pow(0.85, op->products + 1)));
    return dlz_pca_report(op->input->pca, done);
}

/* The iteration is the leading rank's: what it decides and rounds is so for all. The others are told
 * what to multiply, or of the end, and how it came to it. */
typedef struct product_order {
    int64_t count; /* of rows; 0: the end */
    int64_t precise, status, converged;
} product_order;

static dlviz_status obey(operator* op, const product_order *order, const double *rows,
                         double *product) {
    DLZ_TRY(dlz_pca_agree(op->input, begin_product(op)));
    return multiply(op->input, rows, order->count, order->precise != 0, product);
}

static dlviz_status apply(void *context, const double *rows, int64_t count, bool precise,
                          double *product) {
    operator* op = context;
    dlviz_comm *comm = op->input->comm;
    product_order order = {.count = count, .precise = precise || op->wide};
    op->status = comm ? dlz_comm_broadcast(comm, &order, sizeof order) : DLVIZ_OK;
    if (op->status == DLVIZ_OK && comm) /* a broadcast does not change what rank 0 gives */
        op->status = dlz_comm_broadcast(comm, (void *)rows,
                                        (size_t)(count * op->input->features) * sizeof *rows);
    if (op->status == DLVIZ_OK)
        op->status = obey(op, &order, rows, product);
    return op->status;
}

/* A rank that does not lead. */
static dlviz_status serve(operator* op, int64_t most, bool *converged) {
    const dlz_pca_input *input = op->input;
    uint64_t cells = (uint64_t)most * (uint64_t)input->features;
    double *rows = dlz_alloc_array(cells * 2, sizeof *rows);
    dlviz_status status = dlz_pca_agree(
        input, rows ? DLVIZ_OK : dlz_fail_memory("products", cells * 2 * sizeof *rows));
    while (status == DLVIZ_OK) {
        product_order order;
        status = dlz_comm_broadcast(input->comm, &order, sizeof order);
        if (status == DLVIZ_OK && order.count == 0) {
            *converged = order.converged != 0;
            /* Of any other failure the leading rank tells next. */
            if (order.status == (int64_t)DLVIZ_ERROR_NUMERIC)
                status = DLVIZ_ERROR_NUMERIC;
            break;
        }
        if (status == DLVIZ_OK)
            status = dlz_comm_broadcast(input->comm, rows,
                                        (size_t)(order.count * input->features) * sizeof *rows);
        if (status == DLVIZ_OK)
            status = obey(op, &order, rows, rows + cells);
        op->status = status;
    }
    dlz_free(rows);
    return status;
}

/* The leading rank's iteration, to its end. */
static dlviz_status lead(operator* op, const dlz_krylov *krylov, dlz_pca_model *model,
                         bool *converged) {
    const dlz_pca_input *input = op->input;
    DLZ_TRY(dlz_pca_agree(input, DLVIZ_OK)); /* that the others can serve */
    dlviz_status status = dlz_krylov_largest(krylov, model->variance, model->components, converged);
    if (!input->comm || op->status != DLVIZ_OK)
        return status;
    product_order end = {.status = status, .converged = *converged};
    dlviz_status told = dlz_comm_broadcast(input->comm, &end, sizeof end);
    return status != DLVIZ_OK ? status : told;
}

/* No product with a unit vector is larger than the scatter. */
#define MOST_SCATTER 1e36

/* To tell when the variances are exact takes some beyond them. */
#define LEAST_EXTRA 5

/* With all products' rows together near the number of features, iteration has nothing to gain. */
static bool too_small(const dlz_krylov *krylov, int64_t most) {
    return most <= 2 * (krylov->wanted + krylov->extra) || most <= 4 * krylov->block;
}

/* Rooms for the results where they are found. */
static dlviz_status iterate(dlz_pca_input *input, const dlz_krylov *krylov, operator* op,
                            dlz_pca_model *model, bool *converged) {
    bool leads = dlz_pca_leads(input);
    uint64_t cells = (uint64_t)krylov->wanted * (uint64_t)input->features;
    dlviz_status status = DLVIZ_OK;
    if (leads) {
        model->variance = dlz_alloc_array((uint64_t)krylov->wanted, sizeof *model->variance);
        model->components = dlz_alloc_array(cells, sizeof *model->components);
        if (!model->variance || !model->components)
            status = dlz_fail_memory("components", cells * sizeof *model->components);
    }
    DLZ_TRY(dlz_pca_agree(input, status));
    return leads ? lead(op, krylov, model, converged)
                 : serve(op, krylov->wanted + krylov->extra, converged);
}

static dlz_krylov settings(const dlviz_pca *pca, const dlz_pca_input *input, int64_t most) {
    bool automatic = pca->solver == DLVIZ_PCA_SOLVER_AUTO;
    dlz_krylov krylov = {.apply = apply,
                         .size = input->features,
                         .wanted = dlz_pca_wanted(pca, most),
                         .extra = pca->oversampling,
                         .iterations = automatic ? 0 : pca->iterations,
                         .limit = automatic ? 24 : 200,
                         .tolerance = 1e-10,
                         .seed = pca->seed};
    if (krylov.iterations == 0)
        krylov.extra = dlz_max_i64(krylov.extra, LEAST_EXTRA);
    krylov.block = krylov.wanted + krylov.extra;
    return krylov;
}

dlviz_status dlz_pca_solve_randomized(dlz_pca_input *input, dlz_pca_model *model) {
    const dlviz_pca *pca = input->pca;
    int64_t most = dlz_min_i64(input->samples, input->features);
    dlz_krylov krylov = settings(pca, input, most);
    if (pca->fraction > 0 || too_small(&krylov, most))
        return dlz_pca_solve_covariance(input, model);
    DLZ_TRY(dlz_pca_find_scatter(input));
    DLZ_TRY(dlz_pca_set_variance("dlviz_pca_fit", input, model));
    operator op = {.input = input, .wide = input->scatter > MOST_SCATTER};
    krylov.context = &op;
    input->used = DLVIZ_PCA_SOLVER_RANDOMIZED;
    bool converged = false;
    dlz_failure before;
    dlz_failure_keep(&before);
    dlviz_status status = iterate(input, &krylov, &op, model, &converged);
    bool stuck = status == DLVIZ_OK && !converged && krylov.iterations == 0;
    if (stuck || status == DLVIZ_ERROR_NUMERIC) {
        dlz_failure_put_back(&before);
        dlz_pca_forget_components(model);
        return dlz_pca_solve_covariance(input, model);
    }
    if (op.status == DLVIZ_OK) /* else all have agreed on it */
        DLZ_TRY(dlz_pca_agree(input, status));
    DLZ_TRY(status);
    model->count = krylov.wanted;
    for (int64_t i = 0; dlz_pca_leads(input) && i < model->count; i++)
        model->variance[i] = fmax(model->variance[i], 0) / (double)(input->samples - 1);
    return dlz_pca_share(input, DLVIZ_OK, model);
}
