/* One potential on a grid, P = sum of q: its gradient gives the force, since the sum of q w (y_i -
 * y_j) is -1/2 grad P, and its sum over the points gives Z.
 *
 * Where points are many to the square of the cell, the grid's error does not count. Where they are
 * few, q is split as multilevel summation does (R. Skeel et al., J. Comput. Chem. 23, 2002): a
 * Taylor polynomial replaces it nearer than four cells, smooth enough for the grid, and what is
 * missing is summed over the points in the neighboring blocks of four by four cells. In maps
 * smaller than a unit, q differs so little from 1 that the grid takes q - 1 + d^2, and the rest is
 * done in closed form. */
#include "base/base.h"
#include "base/parallel.h"
#include "comm/comm.h"
#include "tsne/columns.h"
#include "tsne/extent.h"
#include "tsne/grid_cells.h"
#include "tsne/repulsion_grid.h"

#include <math.h>
#include <string.h>

#define STRIPE (2 * DLZ_GRID_BLOCK) /* rows that a tile spreads */
#define TILE 4096 /* points sorted together, or more: each tile counts all blocks */
#define MOST_TILES 64
#define SMALLEST_MAP 1e-12 /* a point, for all that matters */
#define WIDEST 2e3         /* beyond, places in a grid are no longer exact enough as floats */
#define SPARSEST 0.05      /* of Z to the number of points: with less, the grid's errors count */
#define RECONSIDER 20      /* computations between looks at the cost */

/* Nanoseconds on one core of 2024: a point sorted, spread and read. */
#define COST_POINT 20

void dlz_grid_free(dlz_grid_repulsion *g) {
    dlz_convolution_free(&g->convolution);
    dlz_free(g->values);
    dlz_free(g->points);
    dlz_free(g->keys);
    dlz_free(g->counts);
    dlz_free(g->sums);
    dlz_free(g->cuts);
    dlz_free(g->shares);
    dlz_free(g->numbers);
    dlz_free(g->rank_of);
    dlz_free(g->work);
    dlz_readings_free(&g->readings);
    *g = (dlz_grid_repulsion){0};
}

typedef struct kernel_shape {
    double a, cell, reach;
    const double *taylor;
    bool small;
} kernel_shape;

static double kernel_value(void *context, int64_t i, int64_t j) {
    const kernel_shape *shape = context;
    double u = (double)(i * i + j * j) * shape->cell * shape->cell;
    if (shape->small)
        return shape->a == 1 ? u * u / (1 + u) : expm1(-shape->a * log1p(u / shape->a)) + u;
    if (u < shape->reach) {
        double v = shape->reach - u, sum = 0;
        for (int k = DLZ_NEAR_DEGREE; k >= 0; k--)
            sum = sum * v + shape->taylor[k];
        return sum;
    }
    return shape->a == 1 ? 1 / (1 + u) : pow(1 + u / shape->a, -shape->a);
}

/* As it was when pairs were counted, for the map's size now. */
static double find_pair_density(const dlz_grid_repulsion *g, int64_t n, const double size[2]) {
    return g->pair_density > 0 ? g->pair_density * g->area / dlz_grid_near_area(size, g->cell)
                               : dlz_grid_guess_pair_density(n, size);
}

double dlz_grid_cost(const dlz_grid_repulsion *g, const dlz_repulsion_settings *settings,
                     const double size[2]) {
    double span = fmax(size[0], size[1]);
    if (span > WIDEST)
        return INFINITY;
    if (span < SMALLEST_MAP)
        return COST_POINT * (double)settings->n;
    double density = find_pair_density(g, settings->n, size);
    return dlz_grid_cells_choose(density, settings, size).cost + COST_POINT * (double)settings->n;
}

static bool fits(const dlz_grid_repulsion *g, const dlz_grid_cells *c) {
    return c->columns <= g->convolution.x.n && c->rows <= 2 * g->convolution.y.n;
}

static dlviz_status reserve_ranks(dlz_grid_repulsion *g) {
    uint64_t ranks = (uint64_t)dlz_comm_size(g->convolution.comm);
    dlz_free(g->cuts);
    dlz_free(g->shares);
    dlz_free(g->numbers);
    g->cuts = dlz_alloc_array(ranks + 1, sizeof *g->cuts);
    g->shares = dlz_alloc_array(ranks, sizeof *g->shares);
    g->numbers = dlz_alloc_array((uint64_t)(g->tiles + 1) * ranks, sizeof *g->numbers);
    if (!g->cuts || !g->shares || !g->numbers)
        return dlz_fail_memory("the repulsion", (uint64_t)g->tiles * ranks * sizeof *g->numbers);
    return DLVIZ_OK;
}

static dlviz_status reserve_points(dlz_grid_repulsion *g, int64_t n) {
    if (g->capacity == n)
        return DLVIZ_OK;
    int64_t size = dlz_max_i64(TILE, dlz_ceil_div(n, MOST_TILES));
    dlz_free(g->points);
    dlz_free(g->keys);
    g->capacity = 0;
    g->points = dlz_alloc_array_zero((uint64_t)n + 16, 7 * sizeof(float));
    g->keys = dlz_alloc_array((uint64_t)n, 2 * sizeof(int32_t));
    if (!g->points || !g->keys)
        return dlz_fail_memory("the repulsion", (uint64_t)n * 9 * sizeof(float));
    g->tile_size = size;
    g->tiles = dlz_ceil_div(n, size);
    DLZ_TRY(reserve_ranks(g));
    g->capacity = n;
    return DLVIZ_OK;
}

static dlviz_status prepare(dlz_grid_repulsion *g, const dlz_repulsion_settings *settings,
                            const dlz_grid_cells *c, bool small) {
    double reach = c->near ? DLZ_GRID_BLOCK * c->cell * DLZ_GRID_BLOCK * c->cell : 0,
           taylor[DLZ_NEAR_DEGREE + 1];
    double term = pow(1 + reach / settings->a, -settings->a);
    for (int k = 0; k <= DLZ_NEAR_DEGREE; k++) {
        taylor[k] = term;
        g->near.taylor[k] = (float)term;
        term *= (settings->a + k) / settings->a / (1 + reach / settings->a) / (k + 1);
    }
    g->near.a = (float)settings->a;
    g->near.reach = (float)reach;
    g->cell = c->cell;
    g->small = small;
    g->has_near = c->near;
    kernel_shape shape = {settings->a, c->cell, reach, taylor, small};
    g->prepared = false;
    /* Room to grow by a tenth before the next step. */
    DLZ_TRY(dlz_convolution_prepare(&g->convolution, c->rows + c->rows / 12,
                                    c->columns + c->columns / 12, DLZ_SPLINE_ORDER, kernel_value,
                                    &shape));
    int64_t rows = 2 * g->convolution.y.n, columns = g->convolution.x.n;
    g->all_rows = dlz_ceil_div(rows, 2 * STRIPE) * 2 * STRIPE + STRIPE;
    int64_t across = dlz_ceil_div(columns, DLZ_GRID_BLOCK),
            blocks = dlz_ceil_div(rows, DLZ_GRID_BLOCK) * across;
    dlz_free(g->values);
    dlz_free(g->counts);
    dlz_free(g->sums);
    dlz_free(g->rank_of);
    dlz_free(g->work);
    g->values = dlz_alloc_array((uint64_t)(g->all_rows * dlz_convolution_stride(&g->convolution)),
                                sizeof(float));
    g->counts = dlz_alloc_array((uint64_t)(g->tiles + 1) * (uint64_t)blocks + 1, sizeof(int32_t));
    g->sums = dlz_alloc_array((uint64_t)dlz_ceil_div(rows, DLZ_GRID_BLOCK), sizeof(double));
    g->rank_of = dlz_alloc_array((uint64_t)across, sizeof *g->rank_of);
    g->work = dlz_alloc_array((uint64_t)across, 2 * sizeof *g->work);
    if (!g->values || !g->counts || !g->sums || !g->rank_of || !g->work)
        return dlz_fail_memory("the repulsion's grid", (uint64_t)(rows * columns) * sizeof(float));
    g->prepared = true;
    return DLVIZ_OK;
}

typedef struct grid_job {
    dlz_grid_repulsion *g;
    const dlz_particles_kernel *kernel;
    const dlz_repulsion_settings *settings;
    const float *map;
    float *forces;
    float least[3];
    dlz_grid_columns columns;
    int64_t all_across, across,
        down;                        /* blocks: of the map's width, of the columns, of the height */
    int64_t blocks, stride, sorted;  /* sorted: points in these columns */
    int64_t first_value, last_value; /* the part of a row that the columns' splines are spread to */
    float *x, *y, *raw_x, *raw_y, *potential, *fx, *fy;
    int32_t *keys, *order, *starts;
    int first_stripe, rank, ranks;
} grid_job;

static void key_tile(void *context, int64_t tile, int worker) {
    grid_job *job = context;
    (void)worker;
    int dimensions = job->settings->dimensions;
    int32_t *counts = job->g->counts + (tile + 1) * job->blocks;
    int64_t *of_ranks = job->g->numbers + (tile + 1) * job->ranks;
    memset(counts, 0, (size_t)job->blocks * sizeof *counts);
    memset(of_ranks, 0, (size_t)job->ranks * sizeof *of_ranks);
    int64_t size = job->g->tile_size, last = dlz_min_i64(job->settings->n, (tile + 1) * size);
    float scale = (float)(1 / job->g->cell);
    for (int64_t i = tile * size; i < last; i++) {
        float x = (job->map[i * dimensions] - job->least[0]) * scale, y = 0;
        int64_t column = (int64_t)x / DLZ_GRID_BLOCK - job->columns.first;
        if (job->ranks > 1) {
            of_ranks[job->g->rank_of[column + job->columns.first]]++;
            if ((uint64_t)column >= (uint64_t)job->across) {
                job->keys[i] = -1;
                continue;
            }
        }
        if (dimensions > 1)
            y = (job->map[i * dimensions + 1] - job->least[1]) * scale;
        int32_t key = (int32_t)((int64_t)y / DLZ_GRID_BLOCK * job->across + column);
        job->raw_x[i] = x;
        job->raw_y[i] = y;
        job->keys[i] = key;
        counts[key]++;
    }
}

/* Turns each tile's counts into the places of its first points of a block. */
static void find_places(grid_job *job) {
    dlz_grid_repulsion *g = job->g;
    int32_t *starts = g->counts, next = 0;
    memset(starts, 0, (size_t)job->blocks * sizeof *starts);
    for (int64_t tile = 0; tile < g->tiles; tile++) {
        int32_t *counts = g->counts + (tile + 1) * job->blocks;
        for (int64_t block = 0; block < job->blocks; block++) {
            int32_t here = counts[block];
            counts[block] = starts[block];
            starts[block] += here;
        }
    }
    /* Now the totals are known, and each tile's places from its block's start on. */
    for (int64_t block = 0; block < job->blocks; block++) {
        int32_t here = starts[block];
        starts[block] = next;
        next += here;
    }
    job->starts = starts;
    job->sorted = next;
}

static void place_tile(void *context, int64_t tile, int worker) {
    grid_job *job = context;
    (void)worker;
    int32_t *places = job->g->counts + (tile + 1) * job->blocks;
    int64_t size = job->g->tile_size, last = dlz_min_i64(job->settings->n, (tile + 1) * size);
    for (int64_t i = tile * size; i < last; i++) {
        if (job->keys[i] < 0)
            continue;
        int32_t place = job->starts[job->keys[i]] + places[job->keys[i]]++;
        job->x[place] = job->raw_x[i];
        job->y[place] = job->raw_y[i];
        job->order[place] = (int32_t)i;
    }
}

/* Where the points of a block begin; behind the last block those end that were sorted. */
static int64_t block_start(const grid_job *job, int64_t block) {
    return block < job->blocks ? job->starts[block] : job->sorted;
}

static void spread_tile(void *context, int64_t tile, int worker) {
    grid_job *job = context;
    (void)worker;
    int64_t stripe = 2 * tile + job->first_stripe;
    int64_t end = dlz_min_i64(job->g->all_rows, (tile + 1) * 2 * STRIPE);
    for (int64_t row = tile * 2 * STRIPE; row < end && job->first_stripe == 0; row++)
        memset(job->g->values + row * job->stride + job->first_value, 0,
               (size_t)(job->last_value - job->first_value) * sizeof(float));
    int64_t first = stripe * 2 * job->across;
    if (first < job->blocks)
        job->kernel->spread(job->x, job->y, job->starts[first],
                            block_start(job, first + 2 * job->across), job->g->values, job->stride);
}

/* The points of the blocks around one, as ranges of the sorted points. */
static int window(const int32_t *starts, int64_t n, int64_t across, int64_t down, int64_t row,
                  int64_t column, dlz_range ranges[3]) {
    int64_t left = dlz_max_i64(column - 1, 0), right = dlz_min_i64(column + 1, across - 1);
    int count = 0;
    for (int64_t r = dlz_max_i64(row - 1, 0); r <= dlz_min_i64(row + 1, down - 1); r++) {
        int64_t end = r * across + right + 1;
        dlz_range range = {starts[r * across + left], end < across * down ? starts[end] : n};
        if (range.first < range.last)
            ranges[count++] = range;
    }
    return count;
}

static void add_near(const grid_job *job, int64_t row) {
    for (int64_t column = job->columns.own_first; column < job->columns.own_last; column++) {
        int64_t across = column - job->columns.first, block = row * job->across + across;
        int64_t first = job->starts[block], last = block_start(job, block + 1);
        if (first == last)
            continue;
        dlz_range ranges[3];
        int count = window(job->starts, job->sorted, job->across, job->down, row, across, ranges);
        job->kernel->near(&job->g->near, (float)job->g->cell, job->x, job->y, first, last, job->x,
                          job->y, ranges, count, job->potential, job->fx, job->fy);
    }
}

/* Where this rank's own points of a row of blocks begin, and end. */
static int64_t own_start(const grid_job *job, int64_t row) {
    return block_start(job, row * job->across + job->columns.own_first - job->columns.first);
}
static int64_t own_end(const grid_job *job, int64_t row) {
    return block_start(job, row * job->across + job->columns.own_last - job->columns.first);
}

/* What was found at the points of a row of blocks, for all ranks. */
static void write_row(const grid_job *job, int64_t row) {
    const dlz_readings *readings = &job->g->readings;
    dlz_reading *to =
        dlz_readings_of(readings, job->rank) + dlz_readings_rows(readings, job->rank)[row];
    for (int64_t i = own_start(job, row); i < own_end(job, row); i++)
        *to++ = (dlz_reading){job->potential[i], {job->fx[i], job->fy[i]}, job->order[i]};
}

static void keep_row(const grid_job *job, int64_t row) {
    int dimensions = job->settings->dimensions;
    double sum = 0;
    for (int64_t i = own_start(job, row); i < own_end(job, row); i++) {
        int64_t point = job->order[i];
        sum += job->potential[i];
        job->forces[point * dimensions] = job->fx[i];
        if (dimensions > 1)
            job->forces[point * dimensions + 1] = job->fy[i];
    }
    job->g->sums[row] = sum;
}

static void read_tile(void *context, int64_t row, int worker) {
    grid_job *job = context;
    (void)worker;
    const dlz_grid_repulsion *g = job->g;
    int64_t first = own_start(job, row), last = own_end(job, row);
    job->kernel->gather(job->x, job->y, first, last, g->values, job->stride, job->potential,
                        job->fx, job->fy);
    float scale = (float)(-0.5 / g->cell);
    for (int64_t i = first; i < last; i++) {
        job->fx[i] *= scale;
        job->fy[i] *= scale;
    }
    if (g->has_near)
        add_near(job, row);
    if (job->ranks > 1)
        write_row(job, row);
    else
        keep_row(job, row);
}

/* As keep_row, of what all ranks have written. */
static void join_tile(void *context, int64_t row, int worker) {
    grid_job *job = context;
    (void)worker;
    const dlz_readings *readings = &job->g->readings;
    int dimensions = job->settings->dimensions;
    double sum = 0;
    for (int rank = 0; rank < job->ranks; rank++) {
        const int32_t *rows = dlz_readings_rows(readings, rank);
        const dlz_reading *end = dlz_readings_of(readings, rank) + rows[row + 1];
        for (const dlz_reading *at = dlz_readings_of(readings, rank) + rows[row]; at < end; at++) {
            float *force = job->forces + (int64_t)at->point * dimensions;
            sum += at->potential;
            force[0] = at->force[0];
            if (dimensions > 1)
                force[1] = at->force[1];
        }
    }
    job->g->sums[row] = sum;
}

/* What q's first two terms, 1 - d^2, contribute. Squares are taken about a point of the map, which
 * need not lie about 0. */
static double add_quadratic(const dlz_repulsion_settings *settings, const float *map,
                            float *forces) {
    int64_t n = settings->n;
    double squares = 0, of_sum = 0;
    for (int c = 0; c < settings->dimensions; c++) {
        double sum = 0, origin = map[c];
        for (int64_t i = c; i < n * settings->dimensions; i += settings->dimensions) {
            double from_origin = map[i] - origin;
            sum += from_origin;
            squares += from_origin * from_origin;
        }
        of_sum += sum * sum;
        for (int64_t i = c; i < n * settings->dimensions; i += settings->dimensions)
            forces[i] += (float)((double)n * (map[i] - origin) - sum);
    }
    return (double)n * (double)n - 2 * ((double)n * squares - of_sum);
}

/* Pairs that the near part would look at, divided by the cell's area. */
static dlviz_status count_pairs(grid_job *job) {
    int64_t pairs = 0;
    for (int64_t row = 0; row < job->down; row++)
        for (int64_t c = job->columns.own_first; c < job->columns.own_last; c++) {
            int64_t column = c - job->columns.first, block = row * job->across + column;
            int64_t own = block_start(job, block + 1) - job->starts[block], window = 0;
            if (own == 0)
                continue;
            int64_t left = dlz_max_i64(column - 1, 0);
            int64_t right = dlz_min_i64(column + 1, job->across - 1);
            for (int64_t r = dlz_max_i64(row - 1, 0); r <= dlz_min_i64(row + 1, job->down - 1); r++)
                window += block_start(job, r * job->across + right + 1) -
                          job->starts[r * job->across + left] + 24; /* half-filled vectors */
            pairs += own * window;
        }
    DLZ_TRY(dlz_comm_gather_numbers(job->settings->comm, pairs, job->g->numbers));
    pairs = 0;
    for (int rank = 0; rank < job->ranks; rank++)
        pairs += job->g->numbers[rank];
    job->g->pair_density = (double)pairs / (job->g->cell * job->g->cell);
    return DLVIZ_OK;
}

/* All columns are one process's. */
static void have_all(grid_job *job) {
    job->columns = (dlz_grid_columns){0, job->all_across, 0, job->all_across};
    job->last_value = job->stride;
}

/* The columns of ranks, by what takes time. */
static void cut_columns(grid_job *job) {
    dlz_grid_repulsion *g = job->g;
    double plane =
        DLZ_GRID_COST_VALUE * 4 * (double)g->convolution.x.n * (double)g->convolution.y.n;
    dlz_column_costs costs = {
        .point = COST_POINT,
        .column = plane / (double)job->all_across, /* half of it: the rest are lines */
        .pairs = g->has_near ? DLZ_GRID_COST_PAIR * g->pair_density * g->cell * g->cell : 0};
    dlz_cut_columns(job->settings->comm, job->map, job->settings->n, job->settings->dimensions,
                    job->least[0], (float)(1 / (DLZ_GRID_BLOCK * g->cell)), job->all_across, &costs,
                    g->cuts, g->work);
    for (int rank = 0; rank < job->ranks; rank++)
        for (int64_t column = g->cuts[rank]; column < g->cuts[rank + 1]; column++)
            g->rank_of[column] = rank;
}

/* Batches of the grid's columns: those transformed are cut where they lie nearest to a rank's blocks,
 * those wanted are all that its points' splines reach. */
static void share_batches(grid_job *job) {
    dlz_grid_repulsion *g = job->g;
    int64_t lanes = g->convolution.kernel->lanes, batches = dlz_ceil_div(g->columns, lanes);
    for (int rank = 0; rank < job->ranks; rank++) {
        int64_t first = g->cuts[rank] * DLZ_GRID_BLOCK, last = g->cuts[rank + 1] * DLZ_GRID_BLOCK;
        bool is_last = rank + 1 == job->ranks;
        dlz_column_share share = {
            .first = dlz_min_i64((first + lanes / 2) / lanes, batches),
            .last = is_last ? batches : dlz_min_i64((last + lanes / 2) / lanes, batches)};
        if (first < last) {
            share.wanted_first = dlz_min_i64(first / lanes, batches);
            share.wanted_last =
                dlz_min_i64(dlz_ceil_div(last - 1 + DLZ_SPLINE_REACH, lanes), batches);
        }
        g->shares[rank] = share;
    }
}

static void have_share(grid_job *job) {
    dlz_grid_repulsion *g = job->g;
    cut_columns(job);
    share_batches(job);
    const dlz_column_share *share = g->shares + job->rank;
    int64_t lanes = g->convolution.kernel->lanes, first = share->first * lanes;
    int64_t last = share->last * lanes, own = g->cuts[job->rank], end = g->cuts[job->rank + 1];
    dlz_grid_columns *c = &job->columns;
    *c = (dlz_grid_columns){own, end, own, own};
    if (own < end) {
        c->first = own - 1;
        c->last = end + 1;
    }
    if (first < last) {
        int64_t left = (first - DLZ_SPLINE_REACH + 1) / DLZ_GRID_BLOCK,
                right = dlz_ceil_div(last, DLZ_GRID_BLOCK);
        c->first = own < end ? dlz_min_i64(c->first, left) : left;
        c->last = own < end ? dlz_max_i64(c->last, right) : right;
    }
    c->first = dlz_max_i64(0, c->first);
    c->last = dlz_min_i64(c->last, job->all_across);
    job->first_value = dlz_min_i64(c->first * DLZ_GRID_BLOCK, share->wanted_first * lanes);
    job->last_value =
        dlz_max_i64(c->last * DLZ_GRID_BLOCK, dlz_max_i64(share->last, share->wanted_last) * lanes);
    job->last_value = dlz_min_i64(job->last_value + DLZ_SPLINE_REACH, job->stride);
}

static void sort_points(grid_job *job) {
    dlz_parallel_for(job->g->tiles, dlz_threads(), key_tile, job);
    find_places(job);
    dlz_parallel_for(job->g->tiles, dlz_threads(), place_tile, job);
}

/* Room for what ranks find, of which each has as many as it has points. */
static dlviz_status begin_readings(grid_job *job) {
    dlz_grid_repulsion *g = job->g;
    for (int rank = 0; rank < job->ranks; rank++) {
        g->numbers[rank] = 0;
        for (int64_t tile = 1; tile <= g->tiles; tile++)
            g->numbers[rank] += g->numbers[tile * job->ranks + rank];
    }
    DLZ_TRY(dlz_readings_begin(&g->readings, job->settings->comm, job->down, g->numbers));
    int32_t *rows = dlz_readings_rows(&g->readings, job->rank);
    rows[0] = 0;
    for (int64_t row = 0; row < job->down; row++)
        rows[row + 1] = rows[row] + (int32_t)(own_end(job, row) - own_start(job, row));
    return DLVIZ_OK;
}

static dlviz_status run_grid(grid_job *job) {
    dlz_grid_repulsion *g = job->g;
    int workers = dlz_threads();
    int64_t pairs = dlz_ceil_div(g->all_rows, 2 * STRIPE);
    for (job->first_stripe = 0; job->first_stripe < 2; job->first_stripe++)
        dlz_parallel_for(pairs, workers, spread_tile, job);
    const dlz_column_share *shares = job->ranks > 1 ? g->shares : NULL;
    DLZ_TRY(dlz_convolution_run(&g->convolution, g->rows, g->columns, shares, g->values));
    if (job->ranks > 1)
        DLZ_TRY(begin_readings(job));
    dlz_parallel_for(job->down, workers, read_tile, job);
    if (job->ranks == 1)
        return DLVIZ_OK;
    DLZ_TRY(dlz_readings_gather(&g->readings));
    dlz_parallel_for(job->down, workers, join_tile, job);
    return DLVIZ_OK;
}

/* Whether the grid that there is does for the map, as another one would cost its preparation. */
static bool stays(const dlz_grid_repulsion *g, const dlz_repulsion_settings *settings,
                  const dlz_grid_cells *now, const dlz_grid_cells *best, const double size[2],
                  bool small) {
    if (!g->prepared || small != g->small || !fits(g, now))
        return false;
    if (!g->has_near && dlz_grid_wants_near(g->pair_density, g->cell, settings->a, size))
        return false;
    bool is_cheap = now->cost < 1.1 * best->cost;
    if (best->cell == g->cell)
        return (best->near == g->has_near || is_cheap) && 2 * now->columns > g->convolution.x.n;
    return is_cheap && fmax(size[0], size[1]) > DLZ_GRID_LEAST_CELLS * g->cell * 0.9;
}

dlviz_status dlz_grid_compute(dlz_grid_repulsion *g, const dlz_repulsion_settings *settings,
                              const float *map, float *forces, double *z) {
    int64_t n = settings->n;
    int dimensions = settings->dimensions;
    grid_job job = {.g = g,
                    .kernel = dlz_particles(),
                    .settings = settings,
                    .map = map,
                    .forces = forces,
                    .rank = dlz_comm_rank(settings->comm),
                    .ranks = dlz_comm_size(settings->comm)};
    g->convolution.comm = settings->comm;
    float greatest[3];
    DLZ_TRY(dlz_require_extent(map, n, dimensions, job.least, greatest));
    job.least[0] -= g->margin;
    greatest[0] += g->margin;
    if (dimensions > 1) {
        job.least[1] -= g->margin;
        greatest[1] += g->margin;
    }
    double size[2] = {(double)greatest[0] - job.least[0],
                      dimensions > 1 ? (double)greatest[1] - job.least[1] : 0};
    double span = fmax(size[0], size[1]);
    if (span > WIDEST) {
        *z = NAN;
        return DLVIZ_OK;
    }
    if (span < SMALLEST_MAP) {
        memset(forces, 0, (size_t)(n * dimensions) * sizeof *forces);
        *z = add_quadratic(settings, map, forces) - (double)n;
        return DLVIZ_OK;
    }
    DLZ_TRY(reserve_points(g, n));
    bool small = span < DLZ_GRID_SMALL_MAP;
    dlz_grid_cells now = {0};
    bool again = !g->prepared || small != g->small;
    if (!again) {
        now = dlz_grid_cells_of(find_pair_density(g, n, size), g->cell, g->has_near, size);
        again = !fits(g, &now) || ++g->since >= RECONSIDER;
    }
    if (again) {
        g->pair_density = find_pair_density(g, n, size);
        g->since = 0;
        dlz_grid_cells best = dlz_grid_cells_choose(g->pair_density, settings, size);
        if (!stays(g, settings, &now, &best, size, small))
            DLZ_TRY(prepare(g, settings, &best, small));
        g->area = dlz_grid_near_area(size, g->cell);
        now = dlz_grid_cells_of(g->pair_density, g->cell, g->has_near, size);
    }
    g->rows = now.rows;
    g->columns = now.columns;
    job.all_across = dlz_ceil_div(now.columns, DLZ_GRID_BLOCK);
    job.down = dlz_ceil_div(now.rows, DLZ_GRID_BLOCK);
    job.stride = dlz_convolution_stride(&g->convolution);
    if (job.ranks > 1)
        have_share(&job);
    else
        have_all(&job);
    job.across = job.columns.last - job.columns.first;
    job.blocks = job.across * job.down;
    float **arrays[] = {&job.x, &job.y, &job.potential, &job.fx, &job.fy, &job.raw_x, &job.raw_y};
    for (int i = 0; i < 7; i++)
        *arrays[i] = g->points + i * (n + 16);
    job.keys = g->keys;
    job.order = g->keys + n;
    sort_points(&job);
    if (g->since == RECONSIDER - 1 || again) {
        DLZ_TRY(count_pairs(&job));
        g->area = dlz_grid_near_area(size, g->cell);
    }
    DLZ_TRY(run_grid(&job));
    memcpy(g->least, job.least, sizeof g->least);
    g->across = job.across;
    g->down = job.down;
    *z = -(double)n;
    for (int64_t row = 0; row < job.down; row++)
        *z += g->sums[row];
    if (small)
        *z += add_quadratic(settings, map, forces);
    else if (!(*z > SPARSEST * (double)n))
        *z = NAN;
    return DLVIZ_OK;
}

bool dlz_grid_read(const dlz_grid_repulsion *g, const float place[2], double *potential,
                   double force[2]) {
    float scale = (float)(1 / g->cell);
    float x = (place[0] - g->least[0]) * scale, y = (place[1] - g->least[1]) * scale;
    if (g->small || !(x >= 0 && y >= 0 && x < (float)(g->columns - DLZ_SPLINE_ORDER) &&
                      y < (float)(g->rows - DLZ_SPLINE_ORDER + 1)))
        return false;
    const dlz_particles_kernel *kernel = dlz_particles();
    float value, fx, fy;
    kernel->gather(&x, &y, 0, 1, g->values, dlz_convolution_stride(&g->convolution), &value, &fx,
                   &fy);
    fx *= (float)(-0.5 / g->cell);
    fy *= (float)(-0.5 / g->cell);
    if (g->has_near) {
        dlz_range ranges[3];
        int count = window(g->counts, g->capacity, g->across, g->down, (int64_t)y / DLZ_GRID_BLOCK,
                           (int64_t)x / DLZ_GRID_BLOCK, ranges);
        kernel->near(&g->near, (float)g->cell, &x, &y, 0, 1, g->points,
                     g->points + g->capacity + 16, ranges, count, &value, &fx, &fy);
    }
    *potential = (double)value;
    force[0] = (double)fx;
    force[1] = (double)fy;
    return value > (float)SPARSEST;
}
