#include "pca/pca.h"
#include "base/base.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "kernels/embed/center.h"
#include "kernels/embed/scatter.h"
#include "linalg/linalg.h"

#include <string.h>

/* A scatter matrix is summed chunk by chunk. A chunk is converted to centered float64 by all
 * threads; then each thread adds its products to blocks of the result that are its own. So every
 * element is a sum in chunk order whatever the number of threads, and there is one matrix, not one
 * a thread. Matrices too narrow for blocks are summed by groups of rows instead, group by group. */
#define CHUNK_DOUBLES (1 << 19)
#define ROWS_TILE 16
#define NARROW 96
#define GROUPS 64

static dlviz_status make_chunk(double **chunk, int64_t depth, int64_t size) {
    size_t doubles;
    if (dlz_mul_overflows((uint64_t)depth, (uint64_t)size, &doubles))
        return dlz_fail_memory("a chunk of data", SIZE_MAX);
    *chunk = dlz_alloc_array(doubles, sizeof **chunk);
    if (!*chunk)
        return dlz_fail_memory("a chunk of data", doubles * sizeof **chunk);
    return DLVIZ_OK;
}

/* The block of a lower triangle of blocks, counted row by row. */
static void locate(int64_t tile, int64_t *row, int64_t *column) {
    *row = 0;
    while ((*row + 1) * (*row + 2) / 2 <= tile)
        ++*row;
    *column = tile - *row * (*row + 1) / 2;
}

/* ---- Products of features ------------------------------------------------------------------- */

#define BLOCK_COLUMNS 144 /* of the result; both sides of a block fit into a core's cache */
#define DEPTH 192         /* rows of a panel in the first level of it */

typedef struct feature_pass {
    const dlz_pca_input *input;
    const dlz_scatter_kernel *kernel;
    int64_t size, panels, block; /* columns; panels of them; panels a block */
    int64_t first, depth;        /* the chunk */
    double *chunk, *matrix;
    double *mean; /* of the varying columns; */
    float *rows;  /* and a row of them a worker: where there are others */
} feature_pass;

static void pack_rows(void *context, int64_t tile, int worker) {
    const feature_pass *pass = context;
    const int64_t *columns = pass->input->varying.columns;
    int64_t last = dlz_min_i64((tile + 1) * ROWS_TILE, pass->depth), width = pass->kernel->width;
    for (int64_t row = tile * ROWS_TILE; row < last; row++) {
        const float *from = pass->input->data + (pass->first + row) * pass->input->features;
        float *some = pass->rows + worker * pass->size;
        for (int64_t j = 0; columns && j < pass->size; j++)
            some[j] = from[columns[j]];
        pass->kernel->pack(columns ? some : from, columns ? pass->mean : pass->input->mean,
                           pass->size, pass->chunk + row * width, pass->depth * width);
    }
}

static void add_panels(const feature_pass *pass, int64_t i, int64_t j, int64_t row, int64_t rows) {
    int64_t width = pass->kernel->width, size = pass->size;
    const double *a = pass->chunk + (i * pass->depth + row) * width;
    const double *b = pass->chunk + (j * pass->depth + row) * width;
    double *to = pass->matrix + i * width * size + j * width;
    int64_t m = dlz_min_i64(width, size - i * width), n = dlz_min_i64(width, size - j * width);
    if (m == width && n == width) {
        pass->kernel->add(a, b, rows, to, size);
        return;
    }
    double edge[DLZ_SCATTER_MOST_WIDTH * DLZ_SCATTER_MOST_WIDTH] = {0};
    for (int64_t r = 0; r < m; r++)
        memcpy(edge + r * width, to + r * size, (size_t)n * sizeof *edge);
    pass->kernel->add(a, b, rows, edge, width);
    for (int64_t r = 0; r < m; r++)
        memcpy(to + r * size, edge + r * width, (size_t)n * sizeof *edge);
}

static void add_block(void *context, int64_t tile, int worker) {
    const feature_pass *pass = context;
    (void)worker;
    int64_t block_row, block_column;
    locate(tile, &block_row, &block_column);
    int64_t first_i = block_row * pass->block, first_j = block_column * pass->block;
    int64_t last_i = dlz_min_i64(first_i + pass->block, pass->panels);
    int64_t last_j = dlz_min_i64(first_j + pass->block, pass->panels);
    for (int64_t row = 0; row < pass->depth; row += DEPTH)
        for (int64_t j = first_j; j < last_j; j++)
            for (int64_t i = dlz_max_i64(first_i, j); i < last_i; i++)
                add_panels(pass, i, j, row, dlz_min_i64(DEPTH, pass->depth - row));
}

static dlviz_status add_chunks(feature_pass *pass, int64_t depth) {
    int64_t n = pass->input->samples, blocks = dlz_ceil_div(pass->panels, pass->block);
    dlviz_status status = DLVIZ_OK;
    for (; pass->first < n && status == DLVIZ_OK; pass->first += depth) {
        pass->depth = dlz_min_i64(depth, n - pass->first);
        dlz_parallel_for(dlz_ceil_div(pass->depth, ROWS_TILE), dlz_threads(), pack_rows, pass);
        dlz_task_part(0.8 * (double)pass->first / (double)n,
                      0.8 * (double)(pass->first + pass->depth) / (double)n);
        status = dlz_parallel_for_task(blocks * (blocks + 1) / 2, dlz_threads(), add_block, pass);
        if (status == DLVIZ_OK)
            status = dlz_pca_report(pass->input->pca,
                                    0.8 * (double)(pass->first + pass->depth) / (double)n);
    }
    return status;
}

/* The lower triangle and what panels on the diagonal have above it; pages that hold nothing else
 * are not touched. */
static void clear_lower(double *matrix, int64_t size, int64_t width) {
    for (int64_t i = 0; i < size; i++)
        memset(matrix + i * size, 0,
               (size_t)dlz_min_i64(size, (i / width + 1) * width) * sizeof *matrix);
}

static dlviz_status scatter_of_features(const dlz_pca_input *input, double *matrix) {
    const int64_t *columns = input->varying.columns;
    feature_pass pass = {.input = input,
                         .kernel = dlz_scatter(),
                         .size = columns ? input->varying.count : input->features,
                         .matrix = matrix};
    int64_t width = pass.kernel->width, workers = columns ? dlz_threads() : 0;
    pass.panels = dlz_ceil_div(pass.size, width);
    pass.block = BLOCK_COLUMNS / width;
    int64_t depth = dlz_max_i64(64, dlz_min_i64(1024, CHUNK_DOUBLES / pass.size));
    depth = dlz_min_i64(depth, input->samples);
    DLZ_TRY(make_chunk(&pass.chunk, depth, pass.panels * width));
    pass.rows = dlz_alloc_array((uint64_t)(workers * pass.size), sizeof *pass.rows);
    pass.mean = dlz_alloc_array((uint64_t)pass.size, sizeof *pass.mean);
    dlviz_status status = DLVIZ_OK;
    if (pass.rows && pass.mean) {
        for (int64_t j = 0; columns && j < pass.size; j++)
            pass.mean[j] = input->mean[columns[j]];
        clear_lower(matrix, pass.size, width);
        status = add_chunks(&pass, depth);
    } else {
        status = dlz_fail_memory("a chunk of data", (uint64_t)pass.size * sizeof *pass.mean);
    }
    dlz_free(pass.chunk);
    dlz_free(pass.rows);
    dlz_free(pass.mean);
    return status;
}

/* ---- Products of samples -------------------------------------------------------------------- */

#define BLOCK 136

typedef struct sample_pass {
    const dlz_pca_input *input;
    int64_t size;         /* samples: rows of the result */
    int64_t first, depth; /* the chunk: features */
    double *chunk;        /* size x depth */
    double *matrix;
    int64_t width;
} sample_pass;

static void convert_rows(void *context, int64_t tile, int worker) {
    const sample_pass *pass = context;
    const dlz_pca_input *input = pass->input;
    (void)worker;
    int64_t last = dlz_min_i64((tile + 1) * ROWS_TILE, pass->size);
    for (int64_t i = tile * ROWS_TILE; i < last; i++)
        dlz_center()->to_double(input->data + i * input->features + pass->first,
                                input->mean + pass->first, pass->chunk + i * pass->depth,
                                pass->depth);
}

static void multiply_block(void *context, int64_t tile, int worker) {
    const sample_pass *pass = context;
    (void)worker;
    int64_t row, column;
    locate(tile, &row, &column);
    int64_t i = row * pass->width, j = column * pass->width;
    int64_t m = dlz_min_i64(pass->width, pass->size - i);
    int64_t n = dlz_min_i64(pass->width, pass->size - j), depth = pass->depth;
    double *to = pass->matrix + i * pass->size + j;
    if (i == j)
        dlz_dsyrk(false, m, depth, pass->chunk + i * depth, depth, to, pass->size);
    else
        dlz_dgemm(false, true, m, n, depth, 1, pass->chunk + i * depth, depth,
                  pass->chunk + j * depth, depth, 1, to, pass->size);
}

static dlviz_status scatter_of_samples(const dlz_pca_input *input, double *matrix) {
    sample_pass pass = {.input = input, .size = input->samples, .matrix = matrix};
    int64_t d = input->features;
    int64_t depth = dlz_max_i64(64, dlz_min_i64(1024, CHUNK_DOUBLES / pass.size));
    depth = dlz_min_i64(depth, d);
    pass.width = dlz_ceil_div(dlz_ceil_div(pass.size, dlz_ceil_div(pass.size, BLOCK)), 8) * 8;
    int64_t blocks = dlz_ceil_div(pass.size, pass.width);
    DLZ_TRY(make_chunk(&pass.chunk, depth, pass.size));
    memset(matrix, 0, (size_t)pass.size * (size_t)pass.size * sizeof *matrix);
    dlviz_status status = DLVIZ_OK;
    for (; pass.first < d && status == DLVIZ_OK; pass.first += depth) {
        pass.depth = dlz_min_i64(depth, d - pass.first);
        dlz_parallel_for(dlz_ceil_div(pass.size, ROWS_TILE), dlz_threads(), convert_rows, &pass);
        dlz_task_part(0.8 * (double)pass.first / (double)d,
                      0.8 * (double)(pass.first + pass.depth) / (double)d);
        status =
            dlz_parallel_for_task(blocks * (blocks + 1) / 2, dlz_threads(), multiply_block, &pass);
        if (status == DLVIZ_OK)
            status =
                dlz_pca_report(input->pca, 0.8 * (double)(pass.first + pass.depth) / (double)d);
    }
    dlz_free(pass.chunk);
    return status;
}

/* ---- Products of few features --------------------------------------------------------------- */

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
    pass.chunks = dlz_alloc_array((uint64_t)(workers * DLZ_PCA_TILE * d), sizeof(double));
    pass.sums = dlz_alloc_array((uint64_t)(pass.groups * d * d), sizeof(double));
    dlviz_status status = DLVIZ_OK;
    if (pass.chunks && pass.sums) {
        dlz_task_part(0, 0.8);
        status = dlz_parallel_for_task(pass.groups, workers, add_group, &pass);
        if (status == DLVIZ_OK)
            memcpy(matrix, pass.sums, (size_t)(d * d) * sizeof *matrix);
        for (int64_t group = 1; status == DLVIZ_OK && group < pass.groups; group++)
            for (int64_t i = 0; i < d * d; i++)
                matrix[i] += pass.sums[group * d * d + i];
    } else {
        status = dlz_fail_memory("partial covariances",
                                 (uint64_t)(pass.groups * d * d) * sizeof(double));
    }
    dlz_free(pass.chunks);
    dlz_free(pass.sums);
    return status;
}

dlviz_status dlz_pca_scatter_matrix(const dlz_pca_input *input, bool gram, double *matrix) {
    if (gram)
        return scatter_of_samples(input, matrix);
    if (input->features <= NARROW)
        return scatter_by_groups(input, matrix);
    return scatter_of_features(input, matrix);
}
