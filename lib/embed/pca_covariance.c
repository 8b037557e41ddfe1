#include "embed/pca.h"
#include "base/base.h"
#include "base/parallel.h"
#include "kernels/center.h"
#include "linalg/linalg.h"

#include <math.h>
#include <string.h>

/* A scatter matrix is summed chunk by chunk. A chunk is converted to centred float64 by all
 * threads; then each thread adds its products to blocks of the result that are its own. So every
 * element is a sum in chunk order whatever the number of threads, and there is one matrix, not one
 * a thread. Matrices too narrow for blocks are summed by groups of rows instead, group by group. */
#define BLOCK 136
#define CHUNK_DOUBLES (1 << 19)
#define NARROW 96
#define GROUPS 64

typedef struct scatter_pass {
    const dlz_pca_input *input;
    bool gram;
    int64_t size;         /* rows of the result */
    int64_t first, depth; /* the chunk: rows of the data, or columns with gram */
    double *chunk;        /* depth x size, or size x depth with gram */
    double *matrix;
    int64_t blocks, width;
} scatter_pass;

static void convert_row(void *context, int64_t tile, int worker) {
    (void)worker;
    const scatter_pass *pass = context;
    const dlz_pca_input *input = pass->input;
    int64_t d = input->features, rows = pass->gram ? pass->size : pass->depth;
    int64_t last = dlz_min_i64((tile + 1) * 16, rows);
    for (int64_t i = tile * 16; i < last; i++) {
        if (pass->gram)
            dlz_center()->to_double(input->data + i * d + pass->first, input->mean + pass->first,
                                    pass->chunk + i * pass->depth, pass->depth);
        else
            dlz_center()->to_double(input->data + (pass->first + i) * d, input->mean,
                                    pass->chunk + i * d, d);
    }
}

static void add_block(void *context, int64_t tile, int worker) {
    (void)worker;
    const scatter_pass *pass = context;
    int64_t row = 0;
    while ((row + 1) * (row + 2) / 2 <= tile)
        row++;
    int64_t i = row * pass->width, j = (tile - row * (row + 1) / 2) * pass->width;
    int64_t m = dlz_min_i64(pass->width, pass->size - i),
            n = dlz_min_i64(pass->width, pass->size - j);
    int64_t stride = pass->gram ? pass->depth : pass->size;
    int64_t step = pass->gram ? pass->depth : 1;
    double *to = pass->matrix + i * pass->size + j;
    if (i == j)
        dlz_dsyrk(!pass->gram, m, pass->depth, pass->chunk + i * step, stride, to, pass->size);
    else
        dlz_dgemm(!pass->gram, pass->gram, m, n, pass->depth, 1, pass->chunk + i * step, stride,
                  pass->chunk + j * step, stride, 1, to, pass->size);
}

static dlviz_status scatter_by_blocks(const dlz_pca_input *input, bool gram, double *matrix) {
    scatter_pass pass = {.input = input, .gram = gram, .matrix = matrix};
    pass.size = gram ? input->samples : input->features;
    int64_t total = gram ? input->features : input->samples;
    int64_t depth = dlz_max_i64(64, dlz_min_i64(1024, CHUNK_DOUBLES / pass.size));
    depth = dlz_min_i64(depth, total);
    pass.blocks = dlz_ceil_div(pass.size, BLOCK);
    pass.width = dlz_ceil_div(dlz_ceil_div(pass.size, pass.blocks), 8) * 8;
    pass.blocks = dlz_ceil_div(pass.size, pass.width);
    size_t doubles;
    if (dlz_mul_overflows((size_t)depth, (size_t)pass.size, &doubles))
        return dlz_fail_memory("a chunk of data", SIZE_MAX);
    pass.chunk = dlz_alloc_array(doubles, sizeof *pass.chunk);
    if (!pass.chunk)
        return dlz_fail_memory("a chunk of data", doubles * sizeof *pass.chunk);
    memset(matrix, 0, (size_t)pass.size * (size_t)pass.size * sizeof *matrix);
    dlviz_status status = DLVIZ_OK;
    for (; pass.first < total && status == DLVIZ_OK; pass.first += depth) {
        pass.depth = dlz_min_i64(depth, total - pass.first);
        dlz_parallel_for(dlz_ceil_div(gram ? pass.size : pass.depth, 16), dlz_threads(),
                         convert_row, &pass);
        dlz_parallel_for(pass.blocks * (pass.blocks + 1) / 2, dlz_threads(), add_block, &pass);
        status =
            dlz_pca_report(input->pca, 0.8 * (double)(pass.first + pass.depth) / (double)total);
    }
    dlz_free(pass.chunk);
    return status;
}

typedef struct narrow_pass {
    const dlz_pca_input *input;
    int64_t tiles, groups;
    double *chunks; /* one DLZ_PCA_TILE x features a worker */
    double *sums;   /* groups x features x features */
} narrow_pass;

static void add_group(void *context, int64_t group, int worker) {
    const narrow_pass *pass = context;
    const dlz_pca_input *input = pass->input;
    int64_t d = input->features;
    double *chunk = pass->chunks + worker * DLZ_PCA_TILE * d, *sum = pass->sums + group * d * d;
    memset(sum, 0, (size_t)(d * d) * sizeof *sum);
    for (int64_t tile = group * pass->tiles / pass->groups;
         tile < (group + 1) * pass->tiles / pass->groups; tile++) {
        int64_t first = tile * DLZ_PCA_TILE,
                rows = dlz_min_i64(DLZ_PCA_TILE, input->samples - first);
        for (int64_t i = 0; i < rows; i++)
            dlz_center()->to_double(input->data + (first + i) * d, input->mean, chunk + i * d, d);
        dlz_dsyrk(true, d, rows, chunk, d, sum, d);
    }
}

static dlviz_status scatter_by_groups(const dlz_pca_input *input, double *matrix) {
    narrow_pass pass = {.input = input, .tiles = dlz_ceil_div(input->samples, DLZ_PCA_TILE)};
    pass.groups = dlz_min_i64(GROUPS, pass.tiles);
    int64_t d = input->features;
    int workers = dlz_threads();
    pass.chunks = dlz_alloc_array((size_t)(workers * DLZ_PCA_TILE * d), sizeof(double));
    pass.sums = dlz_alloc_array((size_t)(pass.groups * d * d), sizeof(double));
    dlviz_status status = DLVIZ_OK;
    if (pass.chunks && pass.sums) {
        dlz_parallel_for(pass.groups, workers, add_group, &pass);
        memcpy(matrix, pass.sums, (size_t)(d * d) * sizeof *matrix);
        for (int64_t group = 1; group < pass.groups; group++)
            for (int64_t i = 0; i < d * d; i++)
                matrix[i] += pass.sums[group * d * d + i];
    } else {
        status =
            dlz_fail_memory("partial covariances", (size_t)(pass.groups * d * d) * sizeof(double));
    }
    dlz_free(pass.chunks);
    dlz_free(pass.sums);
    return status;
}

dlviz_status dlz_pca_scatter_matrix(const dlz_pca_input *input, bool gram, double *matrix) {
    if (!gram && input->features <= NARROW)
        return scatter_by_groups(input, matrix);
    return scatter_by_blocks(input, gram, matrix);
}

/* components[count x features] = vectors[count x samples] (x - μ), by ranges of features. */
typedef struct back_pass {
    const dlz_pca_input *input;
    const double *vectors;
    double *components, *chunks;
    int64_t count;
} back_pass;

#define BACK_WIDTH 64

static void back_tile(void *context, int64_t tile, int worker) {
    const back_pass *pass = context;
    const dlz_pca_input *input = pass->input;
    int64_t n = input->samples, d = input->features, first = tile * BACK_WIDTH;
    int64_t width = dlz_min_i64(BACK_WIDTH, d - first);
    double *chunk = pass->chunks + worker * n * BACK_WIDTH;
    for (int64_t i = 0; i < n; i++)
        dlz_center()->to_double(input->data + i * d + first, input->mean + first, chunk + i * width,
                                width);
    dlz_dgemm(false, false, pass->count, width, n, 1, pass->vectors, n, chunk, width, 0,
              pass->components + first, d);
}

/* From eigenvectors of the Gram matrix to directions of the data. Those of tiny variance come out
 * inexact; orthonormalizing in falling order puts that right. */
static dlviz_status back_to_features(const dlz_pca_input *input, const double *vectors,
                                     int64_t count, double *components) {
    int workers = dlz_threads();
    size_t doubles = (size_t)workers * (size_t)input->samples * BACK_WIDTH;
    back_pass pass = {input, vectors, components, dlz_alloc_array(doubles, sizeof(double)), count};
    if (!pass.chunks)
        return dlz_fail_memory("a chunk of data", doubles * sizeof(double));
    dlz_parallel_for(dlz_ceil_div(input->features, BACK_WIDTH), workers, back_tile, &pass);
    dlz_free(pass.chunks);
    return dlz_orthonormalize_rows(count, input->features, components, NULL);
}

static dlviz_status solve_eigen(const dlz_pca_input *input, bool gram, const dlz_eigen *eigen,
                                dlz_pca_model *model) {
    int64_t n = input->samples, d = input->features, size = gram ? n : d;
    double *values = dlz_alloc_array((size_t)size, sizeof *values), *vectors = NULL;
    model->variance = values;
    if (!values)
        return dlz_fail_memory("variances", (size_t)size * sizeof *values);
    model->count = dlz_pca_wanted(input->pca, size);
    if (input->pca->fraction > 0) {
        DLZ_TRY(dlz_eigen_values(eigen, values));
        model->count =
            dlz_pca_count_for_fraction(values, size, input->scatter, input->pca->fraction);
    }
    size_t cells = (size_t)model->count * (size_t)d;
    model->components = dlz_alloc_array(cells, sizeof *model->components);
    if (!model->components)
        return dlz_fail_memory("components", cells * sizeof *model->components);
    if (gram) {
        cells = (size_t)model->count * (size_t)n;
        vectors = dlz_alloc_array(cells, sizeof *vectors);
        if (!vectors)
            return dlz_fail_memory("eigenvectors", cells * sizeof *vectors);
    }
    dlviz_status status =
        dlz_eigen_vectors(eigen, model->count, values, gram ? vectors : model->components);
    if (status == DLVIZ_OK && gram)
        status = back_to_features(input, vectors, model->count, model->components);
    dlz_free(vectors);
    for (int64_t i = 0; i < model->count; i++)
        values[i] = fmax(values[i], 0) / (double)(n - 1);
    return status;
}

dlviz_status dlz_pca_solve_covariance(dlz_pca_input *input, dlz_pca_model *model) {
    input->used = DLVIZ_PCA_COVARIANCE;
    bool gram = input->samples < input->features;
    size_t size = (size_t)(gram ? input->samples : input->features), cells;
    if (dlz_mul_overflows(size, size, &cells))
        return dlz_fail_memory("a covariance matrix", SIZE_MAX);
    double *matrix = dlz_alloc_array(cells, sizeof *matrix);
    if (!matrix)
        return dlz_fail_memory("a covariance matrix", cells * sizeof *matrix);
    dlviz_status status = dlz_pca_scatter_matrix(input, gram, matrix);
    dlz_eigen *eigen = NULL;
    if (status == DLVIZ_OK)
        status = dlz_eigen_create(&eigen, (int64_t)size, matrix);
    if (status == DLVIZ_OK)
        status = solve_eigen(input, gram, eigen, model);
    dlz_eigen_destroy(eigen);
    dlz_free(matrix);
    return status;
}
