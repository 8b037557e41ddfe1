#include "pca/pca.h"
#include "base/base.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "kernels/embed/center.h"
#include "kernels/embed/scatter.h"
#include "linalg/linalg.h"
#include "pca/leaves.h"

#include <string.h>

/* A scatter matrix is summed leaf by leaf, chunk by chunk. A chunk is converted to centered float64 by
 * all threads; then each thread adds its products to blocks of the result that are its own. So every
 * element is a sum in chunk order whatever the number of threads, and there is one matrix for a
 * leaf, not one a thread. Matrices too narrow for blocks are summed by groups of rows instead. */
#define CHUNK_DOUBLES (1 << 19)
#define ROWS_TILE 16
#define GROUPS 8 /* of a leaf */

static dlviz_status make_chunk(double **chunk, int64_t depth, int64_t size) {
    size_t doubles;
    if (dlz_mul_overflows((uint64_t)depth, (uint64_t)size, &doubles))
        return dlz_fail_memory("a chunk of data", SIZE_MAX);
    *chunk = dlz_alloc_array(doubles, sizeof **chunk);
    if (!*chunk)
        return dlz_fail_memory("a chunk of data", doubles * sizeof **chunk);
    return DLVIZ_OK;
}

static dlviz_status make_matrix(double **matrix, int64_t size) {
    size_t cells;
    if (!dlz_mul_overflows((uint64_t)size, (uint64_t)size, &cells))
        *matrix = dlz_alloc_array(cells, sizeof **matrix);
    if (*matrix)
        return DLVIZ_OK;
    return dlz_fail_memory("a covariance matrix",
                           (uint64_t)size * (uint64_t)size * sizeof **matrix);
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
#define BLOCK_CELLS (BLOCK_COLUMNS * BLOCK_COLUMNS)
#define DEPTH 192 /* rows of a panel in the first level of it */

/* Rows of a chunk that belong to one leaf. */
typedef struct piece {
    int64_t first, depth; /* of the chunk's rows */
    bool begins, ends;    /* it is the first of the leaf; the last */
    int place, merges;    /* of the leaf */
} piece;

/* The blocks of the lower triangle lie one after the other: a leaf's are a place. Places that no
 * chunk leaves to the next are a block a worker. */
typedef struct feature_pass {
    const dlz_pca_input *input;
    const dlz_scatter_kernel *kernel;
    int64_t size, panels, block, blocks; /* columns; panels of them; panels a block; blocks */
    int64_t first, depth;                /* the chunk */
    int workers, num_pieces;
    piece pieces[DLZ_LEAVES];
    int num_places; /* that last */
    double *room, *chunk, *places[DLZ_LEAVES], *scratch;
    double *mean;  /* of the varying columns; */
    float *rows;   /* a row of them a worker; */
    int64_t *runs; /* at the first of neighbors, how many they are: where there are others */
} feature_pass;

static void pack_rows(void *context, int64_t tile, int worker) {
    const feature_pass *pass = context;
    const dlz_pca_input *input = pass->input;
    const int64_t *columns = input->varying.columns;
    int64_t last = dlz_min_i64((tile + 1) * ROWS_TILE, pass->depth), width = pass->kernel->width;
    dlz_pages_read(&input->pages, pass->first + tile * ROWS_TILE, last - tile * ROWS_TILE);
    for (int64_t row = tile * ROWS_TILE; row < last; row++) {
        const float *from = input->data + (pass->first + row) * input->features;
        float *some = columns ? pass->rows + worker * pass->size : NULL;
        for (int64_t j = 0; columns && j < pass->size; j += pass->runs[j])
            memcpy(some + j, from + columns[j], (size_t)pass->runs[j] * sizeof *some);
        pass->kernel->pack(columns ? some : from, columns ? pass->mean : input->mean, pass->size,
                           pass->chunk + row * width, pass->depth * width);
    }
}

static double *block_at(const feature_pass *pass, int place, int64_t tile, int worker) {
    if (place < pass->num_places)
        return pass->places[place] + tile * BLOCK_CELLS;
    return pass->scratch + (worker * DLZ_LEAF_PLACES + place) * BLOCK_CELLS;
}

/* The products of the panels of two blocks of columns. */
static void multiply_panels(const feature_pass *pass, const piece *part, const int64_t first[2],
                            double *to) {
    int64_t width = pass->kernel->width, end = part->first + part->depth;
    int64_t last_i = dlz_min_i64(first[0] + pass->block, pass->panels);
    int64_t last_j = dlz_min_i64(first[1] + pass->block, pass->panels);
    int64_t step = DEPTH;
    for (int64_t row = part->first; row < end; row += step)
        for (int64_t j = first[1]; j < last_j; j++)
            for (int64_t i = dlz_max_i64(first[0], j); i < last_i; i++)
                pass->kernel->add(
                    pass->chunk + (i * pass->depth + row) * width,
                    pass->chunk + (j * pass->depth + row) * width, dlz_min_i64(step, end - row),
                    to + ((i - first[0]) * BLOCK_COLUMNS + j - first[1]) * width, BLOCK_COLUMNS);
}

static void add_block(void *context, int64_t tile, int worker) {
    const feature_pass *pass = context;
    int64_t row, column;
    locate(tile, &row, &column);
    int64_t first[2] = {row * pass->block, column * pass->block};
    int64_t cells =
        dlz_min_i64(pass->block, pass->panels - first[0]) * pass->kernel->width * BLOCK_COLUMNS;
    for (int i = 0; i < pass->num_pieces; i++) {
        const piece *part = pass->pieces + i;
        double *to = block_at(pass, part->place, tile, worker);
        if (part->begins)
            memset(to, 0, (size_t)cells * sizeof *to);
        multiply_panels(pass, part, first, to);
        for (int merge = 1; part->ends && merge <= part->merges; merge++) {
            const double *from = to;
            to = block_at(pass, part->place - merge, tile, worker);
            for (int64_t c = 0; c < cells; c++)
                to[c] += from[c];
        }
    }
}

static dlviz_status add_chunk(feature_pass *pass) {
    const dlz_pca_input *input = pass->input;
    double own = (double)input->own, done = 0.8 * (double)(pass->first + pass->depth) / own;
    dlz_parallel_for(dlz_ceil_div(pass->depth, ROWS_TILE), pass->workers, pack_rows, pass);
    dlz_pages_done(&input->pages, pass->first, pass->depth);
    dlz_task_part(0.8 * (double)pass->first / own, done);
    DLZ_TRY(dlz_parallel_for_task(pass->blocks, pass->workers, add_block, pass));
    return dlz_pca_report(input->pca, done);
}

static piece piece_of(const feature_pass *pass, int leaf) {
    bool alone = !pass->input->comm;
    return (piece){.place = alone ? dlz_leaf_place(leaf) : leaf,
                   .merges = alone ? dlz_leaf_merges(leaf) : 0,
                   .begins = true,
                   .ends = true};
}

/* A leaf of several chunks. */
static dlviz_status add_large_leaf(feature_pass *pass, const dlz_leaves *leaves, int leaf,
                                   int64_t depth) {
    int64_t end = leaves->first[leaf + 1], rows = end - leaves->first[leaf];
    int64_t step = dlz_ceil_div(rows, dlz_ceil_div(rows, depth));
    pass->num_pieces = 1;
    pass->pieces[0] = piece_of(pass, leaf);
    for (pass->first = leaves->first[leaf]; pass->first < end; pass->first += step) {
        pass->depth = dlz_min_i64(step, end - pass->first);
        pass->pieces[0].depth = pass->depth;
        pass->pieces[0].ends = pass->first + pass->depth == end;
        DLZ_TRY(add_chunk(pass));
        pass->pieces[0].begins = false;
    }
    return DLVIZ_OK;
}

/* Several leaves that are one chunk. */
static dlviz_status add_small_leaves(feature_pass *pass, const dlz_leaves *leaves, int leaf,
                                     int count) {
    pass->first = leaves->first[leaf];
    pass->depth = leaves->first[leaf + count] - pass->first;
    pass->num_pieces = count;
    for (int i = 0; i < count; i++) {
        pass->pieces[i] = piece_of(pass, leaf + i);
        pass->pieces[i].first = leaves->first[leaf + i] - pass->first;
        pass->pieces[i].depth = leaves->first[leaf + i + 1] - leaves->first[leaf + i];
    }
    return add_chunk(pass);
}

/* together: leaves of a chunk, a power of 2; 0: a leaf takes several. */
static dlviz_status add_leaves(feature_pass *pass, const dlz_leaves *leaves, int64_t depth,
                               int together) {
    dlviz_status status = DLVIZ_OK;
    int step = dlz_max_int(together, 1);
    for (int leaf = 0; leaf < leaves->count && status == DLVIZ_OK; leaf += step)
        status = together == 0
                     ? add_large_leaf(pass, leaves, leaf, depth)
                     : add_small_leaves(pass, leaves, leaf,
                                        leaf + step < leaves->count ? step : leaves->count - leaf);
    dlz_pages_release(&pass->input->pages);
    return status;
}

static double element(const feature_pass *pass, int64_t i, int64_t j) {
    int64_t row = i / BLOCK_COLUMNS, column = j / BLOCK_COLUMNS;
    return pass->places[0][(row * (row + 1) / 2 + column) * BLOCK_CELLS +
                           i % BLOCK_COLUMNS * BLOCK_COLUMNS + j % BLOCK_COLUMNS];
}

/* The lower triangle as a matrix, in the room that there is. */
static void take_matrix(feature_pass *pass, double **matrix) {
    int64_t size = pass->size;
    *matrix = pass->room;
    for (int64_t i = 0; i < size; i++) {
        int64_t row = i / BLOCK_COLUMNS;
        for (int64_t column = 0; column <= row; column++)
            memcpy(*matrix + i * size + column * BLOCK_COLUMNS,
                   pass->places[0] + (row * (row + 1) / 2 + column) * BLOCK_CELLS +
                       i % BLOCK_COLUMNS * BLOCK_COLUMNS,
                   (size_t)dlz_min_i64(BLOCK_COLUMNS, size - column * BLOCK_COLUMNS) *
                       sizeof **matrix);
    }
    pass->room = NULL;
}

/* All that is large is one block, which a process that fits again gets back as it was, and whose
 * beginning becomes the matrix: the sum of all leaves lies at its end. A lone process has as many
 * places as last from one chunk to the next. */
static dlviz_status make_room(feature_pass *pass, int64_t depth, int leaves, int together) {
    static const int lasting[] = {4, 3, 2, 2, 1, 1, 1, 1, 1}; /* by `together` */
    bool alone = !pass->input->comm;
    pass->num_places = alone ? lasting[together] : DLZ_LEAVES;
    int places = alone ? pass->num_places : dlz_max_int(leaves, 1);
    uint64_t cells = (uint64_t)pass->blocks * BLOCK_CELLS, size = (uint64_t)pass->size;
    uint64_t chunk = (uint64_t)(pass->panels * pass->kernel->width * depth);
    uint64_t scratch = (uint64_t)pass->workers * DLZ_LEAF_PLACES * BLOCK_CELLS;
    if (pass->num_places >= DLZ_LEAF_PLACES)
        scratch = 0;
    uint64_t before = chunk + scratch + (alone ? (uint64_t)places - 1 : 0) * cells;
    size_t matrix, total;
    if (dlz_mul_overflows(size, size, &matrix) || matrix > UINT64_MAX / 64)
        return dlz_fail_memory("a covariance matrix", SIZE_MAX);
    if (before < matrix)
        before = matrix;
    total = (size_t)(before + (alone ? 1 : (uint64_t)places) * cells);
    pass->room = dlz_alloc_array(total, sizeof(double));
    if (!pass->room)
        return dlz_fail_memory("a covariance matrix", total * sizeof(double));
    pass->chunk = pass->room;
    pass->scratch = pass->chunk + chunk;
    pass->places[0] = pass->room + before;
    double *next = alone ? pass->scratch + scratch : pass->places[0] + cells;
    for (int i = 1; i < places; i++)
        pass->places[i] = next + (uint64_t)(i - 1) * cells;
    return DLVIZ_OK;
}

static dlviz_status make_rows(feature_pass *pass) {
    const int64_t *columns = pass->input->varying.columns;
    uint64_t size = (uint64_t)pass->size;
    if (columns) {
        pass->rows = dlz_alloc_array((uint64_t)pass->workers * size, sizeof *pass->rows);
        pass->mean = dlz_alloc_array(size, sizeof *pass->mean);
        pass->runs = dlz_alloc_array(size, sizeof *pass->runs);
        if (!pass->rows || !pass->mean || !pass->runs)
            return dlz_fail_memory("a chunk of data", size * sizeof *pass->mean);
        for (int64_t j = pass->size - 1; j >= 0; j--) {
            bool neighbors = j + 1 < pass->size && columns[j + 1] == columns[j] + 1;
            pass->mean[j] = pass->input->mean[columns[j]];
            pass->runs[j] = neighbors ? pass->runs[j + 1] + 1 : 1;
        }
    }
    return DLVIZ_OK;
}

static dlviz_status scatter_of_features(const dlz_pca_input *input, double **matrix,
                                        double *trace) {
    feature_pass pass = {.input = input,
                         .kernel = dlz_scatter(),
                         .workers = dlz_threads(),
                         .size = input->varying.columns ? input->varying.count : input->features};
    dlz_leaves leaves = dlz_leaves_of(input->comm, input->samples, 1);
    pass.panels = dlz_ceil_div(pass.size, pass.kernel->width);
    pass.block = BLOCK_COLUMNS / pass.kernel->width;
    pass.blocks = dlz_ceil_div(pass.panels, pass.block);
    pass.blocks = pass.blocks * (pass.blocks + 1) / 2;
    int64_t depth = dlz_max_i64(64, dlz_min_i64(1024, CHUNK_DOUBLES / pass.size));
    depth = dlz_min_i64(depth, dlz_max_i64(input->own, 1));
    int together = 0;
    while (together < DLZ_LEAVES && leaves.most * dlz_max_int(2 * together, 1) <= depth)
        together = dlz_max_int(2 * together, 1);
    dlviz_status status = make_room(&pass, depth, leaves.count, together);
    if (status == DLVIZ_OK)
        status = make_rows(&pass);
    if (status == DLVIZ_OK)
        status = add_leaves(&pass, &leaves, depth, together);
    dlz_free(pass.rows);
    dlz_free(pass.mean);
    dlz_free(pass.runs);
    int64_t cells = pass.blocks * BLOCK_CELLS;
    status = dlz_pca_agree(input, status);
    if (status == DLVIZ_OK && input->comm)
        status = dlz_comm_sum_doubles(input->comm, pass.places[0], cells, cells, DLZ_LEAVES,
                                      pass.places[0]);
    for (int64_t i = 0; status == DLVIZ_OK && i < pass.size; i++)
        *trace += element(&pass, i, i);
    if (status == DLVIZ_OK && dlz_pca_leads(input))
        take_matrix(&pass, matrix);
    dlz_free(pass.room);
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
        dlz_pages_release(&input->pages);
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
    dlz_leaves leaves;
    int64_t groups; /* of a leaf */
    double *chunks; /* one DLZ_PCA_TILE x features a worker */
    double *sums;   /* leaves x groups x features x features */
} narrow_pass;

static void add_group(void *context, int64_t job, int worker) {
    const narrow_pass *pass = context;
    const dlz_pca_input *input = pass->input;
    int64_t d = input->features;
    dlz_group group = dlz_leaves_group(&pass->leaves, pass->groups, job);
    double *chunk = pass->chunks + worker * DLZ_PCA_TILE * d, *sum = pass->sums + job * d * d;
    memset(sum, 0, (size_t)(d * d) * sizeof *sum);
    for (int64_t tile = group.tile; tile < group.last; tile++) {
        dlz_rows rows = dlz_leaves_tile(&pass->leaves, tile);
        dlz_pages_read(&input->pages, rows.first, rows.count);
        for (int64_t i = 0; i < rows.count; i++)
            dlz_center()->to_double(input->data + (rows.first + i) * d, input->mean, chunk + i * d,
                                    d);
        if (rows.count > 0)
            dlz_dsyrk(true, d, rows.count, chunk, d, sum, d);
    }
    dlz_pages_done(&input->pages, group.rows.first, group.rows.count);
}

static dlviz_status scatter_by_groups(const dlz_pca_input *input, double **matrix, double *trace) {
    narrow_pass pass = {.input = input,
                        .leaves = dlz_leaves_of(input->comm, input->samples, DLZ_PCA_TILE)};
    pass.groups = dlz_min_i64(GROUPS, dlz_ceil_div(pass.leaves.most, DLZ_PCA_TILE));
    int64_t d = input->features, jobs = pass.leaves.count * pass.groups;
    int workers = dlz_threads();
    double *sum = NULL;
    pass.chunks = dlz_alloc_array((uint64_t)(workers * DLZ_PCA_TILE * d), sizeof(double));
    pass.sums = dlz_alloc_array((uint64_t)(jobs * d * d), sizeof(double));
    dlviz_status status = make_matrix(&sum, d);
    if (status == DLVIZ_OK && (!pass.chunks || !pass.sums))
        status = dlz_fail_memory("partial covariances", (uint64_t)(jobs * d * d) * sizeof(double));
    if (status == DLVIZ_OK) {
        dlz_task_part(0, 0.8);
        status = dlz_parallel_for_task(jobs, workers, add_group, &pass);
    }
    dlz_pages_release(&input->pages);
    status = dlz_pca_agree(input, status);
    if (status == DLVIZ_OK)
        status = dlz_leaves_sum(input->comm, pass.sums, pass.groups, d * d, sum);
    dlz_free(pass.chunks);
    dlz_free(pass.sums);
    for (int64_t j = 0; status == DLVIZ_OK && j < d; j++)
        *trace += sum[j * (d + 1)];
    if (status == DLVIZ_OK && dlz_pca_leads(input))
        *matrix = sum;
    else
        dlz_free(sum);
    return status;
}

static dlviz_status scatter(const dlz_pca_input *input, bool gram, double **matrix, double *trace) {
    if (!gram)
        return (input->features <= DLZ_PCA_NARROW ? scatter_by_groups
                                                  : scatter_of_features)(input, matrix, trace);
    int64_t size = input->samples;
    DLZ_TRY(make_matrix(matrix, size));
    DLZ_TRY(scatter_of_samples(input, *matrix));
    for (int64_t i = 0; i < size; i++)
        *trace += (*matrix)[i * (size + 1)];
    return DLVIZ_OK;
}

dlviz_status dlz_pca_scatter_matrix(const dlz_pca_input *input, bool gram, double **matrix,
                                    double *trace) {
    *matrix = NULL;
    *trace = 0;
    dlviz_status status = scatter(input, gram, matrix, trace);
    if (status != DLVIZ_OK) {
        dlz_free(*matrix);
        *matrix = NULL;
    }
    return status;
}
