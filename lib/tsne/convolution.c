#include "tsne/convolution.h"
#include "base/base.h"
#include "base/parallel.h"
#include "comm/comm.h"

#include <assert.h>
#include <math.h>
#include <string.h>

static const double pi = 3.14159265358979323846;

int64_t dlz_convolution_size(int64_t n) {
    for (int64_t size = dlz_max_i64(n, 8);; size++) {
        int64_t rest = size;
        for (int prime = 2; prime <= 5; prime++)
            while (rest % prime == 0)
                rest /= prime;
        /* Odd sizes and those with few factors of 2 take more stages than they save. */
        if (rest == 1 && size % 4 == 0)
            return size;
    }
}

static void free_plan(dlz_fft_plan *plan) {
    dlz_free(plan->twiddles);
    dlz_free(plan->halving);
    dlz_free(plan->position);
    *plan = (dlz_fft_plan){0};
}

static void put_turn(float *to, double numerator, double denominator) {
    double angle = -2 * pi * numerator / denominator;
    to[0] = (float)cos(angle);
    to[1] = (float)sin(angle);
}

static dlviz_status make_plan(dlz_fft_plan *plan, int64_t n) {
    if (plan->n == n)
        return DLVIZ_OK;
    free_plan(plan);
    int64_t rest = n, numbers = 0;
    static const int radices[] = {5, 3, 4, 2};
    for (int r = 0; r < 4; r++)
        while (rest % radices[r] == 0) {
            rest /= radices[r];
            plan->radices[plan->stages++] = radices[r];
        }
    for (int64_t m = n, stage = 0; stage < plan->stages; m /= plan->radices[stage++])
        numbers += 2 * (m / plan->radices[stage]) * (plan->radices[stage] - 1);
    plan->twiddles = dlz_alloc_array((uint64_t)numbers, sizeof(float));
    plan->halving = dlz_alloc_array((uint64_t)n, 2 * sizeof(float));
    plan->position = dlz_alloc_array((uint64_t)n, sizeof(int32_t));
    if (!plan->twiddles || !plan->halving || !plan->position) {
        free_plan(plan);
        return dlz_fail_memory("a Fourier transform", (uint64_t)numbers * sizeof(float));
    }
    plan->n = n;
    float *to = plan->twiddles;
    for (int64_t m = n, stage = 0; stage < plan->stages; m /= plan->radices[stage++])
        for (int64_t j = 0; j < m / plan->radices[stage]; j++)
            for (int s = 1; s < plan->radices[stage]; s++, to += 2)
                put_turn(to, (double)(j * s), (double)m);
    for (int64_t k = 0; k < n; k++) {
        put_turn(plan->halving + 2 * k, (double)k, (double)(2 * n));
        int64_t frequency = k, m = n, position = 0;
        for (int stage = 0; stage < plan->stages; stage++) {
            m /= plan->radices[stage];
            position += frequency % plan->radices[stage] * m;
            frequency /= plan->radices[stage];
        }
        plan->position[k] = (int32_t)position;
    }
    return DLVIZ_OK;
}

double dlz_bspline(int order, double x) {
    /* Differences of truncated powers (I. Schoenberg, 1946), from the side with the fewer of them.
     */
    double sum = 0, factor = 1;
    for (int k = 0; k <= order; k++) {
        double t = order / 2.0 - fabs(x) - k;
        if (t <= 0)
            break;
        sum += factor * pow(t, order - 1);
        factor *= -(double)(order - k) / (k + 1);
    }
    for (int k = 2; k < order; k++)
        sum /= k;
    return sum;
}

/* One over the squared transform of the spline's values at the integers, at frequency k of n. */
static double correction(int order, int64_t k, int64_t n) {
    if (order == 0)
        return 1;
    double sum = dlz_bspline(order, 0);
    for (int i = 1; i < order; i++)
        sum += 2 * dlz_bspline(order, i) * cos(2 * pi * (double)(k * i) / (double)n);
    return 1 / (sum * sum);
}

typedef struct spectrum_job {
    dlz_convolution *convolution;
    dlz_fft_grid grid; /* of the whole kernel */
    dlz_share groups;  /* of lines */
    int64_t step;      /* floats from one group of lines to the next */
    float *image, *lines, *x_factors, *y_factors;
} spectrum_job;

static void image_columns(void *context, int64_t tile, int worker) {
    spectrum_job *job = context;
    dlz_convolution *c = job->convolution;
    int64_t lanes = c->kernel->lanes;
    c->kernel->columns_forward(&job->grid, true, job->image + tile * lanes,
                               job->lines + tile * 2 * lanes * lanes, job->step,
                               c->scratch + worker * c->scratch_size);
}

static void image_lines(void *context, int64_t tile, int worker) {
    spectrum_job *job = context;
    dlz_convolution *c = job->convolution;
    int64_t lanes = c->kernel->lanes, group = job->groups.first + tile;
    c->kernel->spectrum(&job->grid, job->lines + group * job->step, job->x_factors,
                        job->y_factors + group * lanes, c->spectrum + tile * 2 * c->x.n * lanes,
                        c->scratch + worker * c->scratch_size);
}

typedef struct image_job {
    float *image;
    int64_t stride, width, height;
    dlz_convolution_fn value;
    void *context;
} image_job;

/* One row of the kernel's image and its mirror image. */
static void image_row(void *context, int64_t row, int worker) {
    image_job *job = context;
    (void)worker;
    float *to = job->image + row * job->stride;
    for (int64_t x = 0; x <= job->width / 2; x++)
        to[x] = (float)job->value(job->context, row, x);
    for (int64_t x = job->width / 2 + 1; x < job->width; x++)
        to[x] = to[job->width - x];
    for (int64_t x = job->width; x < job->stride; x++)
        to[x] = 0;
    if (row > 0 && row < job->height / 2)
        memcpy(job->image + (job->height - row) * job->stride, to,
               (size_t)job->stride * sizeof *to);
}

/* The groups of lines that this rank convolves. */
static dlz_share own_groups(const dlz_convolution *c) {
    return dlz_comm_even_share(c->comm, dlz_comm_rank(c->comm), c->grid.line_groups);
}

static dlviz_status make_spectrum(dlz_convolution *c, int order, dlz_convolution_fn value,
                                  void *context) {
    int64_t lanes = c->kernel->lanes, width = 2 * c->x.n, height = 4 * c->y.n;
    spectrum_job job = {.convolution = c, .grid = c->grid, .groups = own_groups(c)};
    job.grid.stride = dlz_ceil_div(width, lanes) * lanes;
    job.step = job.grid.stride * 2 * lanes;
    int64_t groups = c->grid.line_groups;
    job.image = dlz_alloc_array((uint64_t)(height * job.grid.stride), sizeof(float));
    job.lines = dlz_alloc_array((uint64_t)(groups * job.step), sizeof(float));
    job.x_factors = dlz_alloc_array((uint64_t)width, sizeof(float));
    job.y_factors = dlz_alloc_array((uint64_t)(groups * lanes), sizeof(float));
    dlviz_status status = DLVIZ_OK;
    if (!job.image || !job.lines || !job.x_factors || !job.y_factors)
        status = dlz_fail_memory("the repulsion's grid",
                                 (uint64_t)(height * job.grid.stride) * sizeof(float));
    else {
        image_job image = {job.image, job.grid.stride, width, height, value, context};
        dlz_parallel_for(height / 2 + 1, c->workers, image_row, &image);
        for (int64_t k = 0; k < width; k++)
            job.x_factors[(k & 1) * c->x.n + c->x.position[k >> 1]] =
                (float)(correction(order, k, width) / ((double)width * (double)height / 2));
        for (int64_t k = 0; k < groups * lanes; k++)
            job.y_factors[k] = k <= height / 2 ? (float)correction(order, k, height) : 0;
        dlz_parallel_for(job.grid.stride / lanes, c->workers, image_columns, &job);
        dlz_parallel_for(job.groups.count, c->workers, image_lines, &job);
    }
    dlz_free(job.image);
    dlz_free(job.lines);
    dlz_free(job.x_factors);
    dlz_free(job.y_factors);
    return status;
}

int64_t dlz_convolution_stride(const dlz_convolution *convolution) {
    return convolution->grid.stride;
}

static dlviz_status reserve_workers(dlz_convolution *c) {
    uint64_t workers = (uint64_t)dlz_threads(), ranks = (uint64_t)dlz_comm_size(c->comm);
    dlz_free(c->scratch);
    dlz_free(c->runs);
    c->workers = 0; /* so that none is taken to have room after a failure */
    c->scratch = dlz_alloc_array(workers, (uint64_t)c->scratch_size * sizeof(float));
    c->runs = dlz_alloc_array(workers * 2 * ranks, sizeof *c->runs);
    if (!c->scratch || !c->runs)
        return dlz_fail_memory("a Fourier transform",
                               workers * (uint64_t)c->scratch_size * sizeof(float));
    c->workers = (int)workers;
    return DLVIZ_OK;
}

static dlviz_status grow(dlz_lines *lines, int64_t size) {
    if (size <= lines->capacity)
        return DLVIZ_OK;
    dlz_free(lines->at);
    lines->capacity = 0;
    lines->at = dlz_alloc_array((uint64_t)size, sizeof(float));
    if (!lines->at)
        return dlz_fail_memory("the repulsion's grid", (uint64_t)size * sizeof(float));
    lines->capacity = size;
    return DLVIZ_OK;
}

static void free_lines(dlz_lines *lines) {
    dlz_free(lines->at);
    *lines = (dlz_lines){0};
}

static dlviz_status reserve(dlz_convolution *c) {
    int64_t lanes = c->kernel->lanes, groups = own_groups(c).count, ranks = dlz_comm_size(c->comm);
    dlz_free(c->spectrum);
    c->spectrum =
        dlz_alloc_array((uint64_t)(2 * c->x.n), (uint64_t)(groups * lanes) * sizeof(float));
    if (!c->offsets)
        c->offsets = dlz_alloc_array((uint64_t)(4 * (ranks + 1)), sizeof *c->offsets);
    if (!c->spectrum || !c->offsets)
        return dlz_fail_memory("the repulsion's grid",
                               (uint64_t)(2 * c->x.n * groups * lanes) * sizeof(float));
    DLZ_TRY(reserve_workers(c));
    if (ranks > 1)
        return DLVIZ_OK;
    int64_t length = dlz_ceil_div(c->x.n, lanes) * lanes;
    return grow(&c->own, c->grid.line_groups * length * 2 * lanes);
}

dlviz_status dlz_convolution_prepare(dlz_convolution *c, int64_t rows, int64_t columns, int order,
                                     dlz_convolution_fn value, void *context) {
    int64_t x = dlz_convolution_size(columns), y = dlz_convolution_size((rows + 1) / 2);
    if (!c->kernel)
        c->kernel = dlz_fft();
    int64_t lanes = c->kernel->lanes;
    if (x != c->x.n || y != c->y.n) {
        dlz_free(c->turns);
        c->turns = dlz_alloc_array((uint64_t)y + 1, 2 * sizeof(float));
        if (!c->turns)
            return dlz_fail_memory("a Fourier transform", (uint64_t)y * 2 * sizeof(float));
        DLZ_TRY(make_plan(&c->x, x));
        DLZ_TRY(make_plan(&c->y, y));
        for (int64_t k = 0; k <= y; k++)
            put_turn(c->turns + 2 * k, (double)k, (double)(4 * y));
    }
    c->grid = (dlz_fft_grid){.x = &c->x,
                             .y = &c->y,
                             .turns = c->turns,
                             .rows = 2 * y,
                             .columns = x,
                             .stride = dlz_ceil_div(x, 16) * 16 + 16,
                             .line_groups = dlz_ceil_div(2 * y + 1, lanes)};
    c->scratch_size = 4 * lanes * dlz_max_i64(4 * y + 2 * lanes, x);
    DLZ_TRY(reserve(c));
    return make_spectrum(c, order, value, context);
}

typedef struct run_job {
    dlz_convolution *convolution;
    const dlz_column_share *shares;
    dlz_column_share own;
    int rank, ranks;
    dlz_share groups; /* of lines */
    float *values, *own_back;
    /* Bytes: where the pieces of lines begin that go to each rank and that come from it. */
    int64_t *sent, *received, *sent_back, *received_back;
} run_job;

static void run_forward(void *context, int64_t tile, int worker) {
    run_job *job = context;
    dlz_convolution *c = job->convolution;
    int64_t lanes = c->kernel->lanes, columns = job->own.last - job->own.first;
    c->kernel->columns_forward(&c->grid, false, job->values + (job->own.first + tile) * lanes,
                               c->own.at + tile * 2 * lanes * lanes, columns * 2 * lanes * lanes,
                               c->scratch + worker * c->scratch_size);
}

/* Where a group of this rank's lines, counted from its first, has the columns of a rank. */
static float *find_run(const run_job *job, int rank, int64_t group, int64_t columns, float *own,
                       float *other, const int64_t *offsets) {
    int64_t square = 2 * job->convolution->kernel->lanes * job->convolution->kernel->lanes;
    if (rank == job->rank)
        return own + (job->groups.first + group) * columns * square;
    return other + offsets[rank] / (int64_t)sizeof(float) + group * columns * square;
}

static void run_lines(void *context, int64_t tile, int worker) {
    run_job *job = context;
    dlz_convolution *c = job->convolution;
    int64_t lanes = c->kernel->lanes;
    dlz_fft_run *in = c->runs + (int64_t)worker * 2 * job->ranks, *out = in + job->ranks;
    int in_count = 0, out_count = 0;
    for (int r = 0; r < job->ranks; r++) {
        const dlz_column_share *share = job->shares + r;
        int64_t columns = share->last - share->first;
        int64_t wanted = share->wanted_last - share->wanted_first;
        if (columns > 0)
            in[in_count++] = (dlz_fft_run){
                find_run(job, r, tile, columns, c->own.at, c->other.at, job->received),
                share->first * lanes, columns * lanes};
        if (wanted > 0)
            out[out_count++] = (dlz_fft_run){
                find_run(job, r, tile, wanted, job->own_back, c->other_back.at, job->sent_back),
                share->wanted_first * lanes, wanted * lanes};
    }
    c->kernel->convolve(&c->grid, in, in_count, out, out_count,
                        c->spectrum + tile * 2 * c->x.n * lanes,
                        c->scratch + worker * c->scratch_size);
}

static void run_inverse(void *context, int64_t tile, int worker) {
    run_job *job = context;
    dlz_convolution *c = job->convolution;
    int64_t lanes = c->kernel->lanes, columns = job->own.wanted_last - job->own.wanted_first;
    c->kernel->columns_inverse(&c->grid, job->own_back + tile * 2 * lanes * lanes,
                               columns * 2 * lanes * lanes,
                               job->values + (job->own.wanted_first + tile) * lanes,
                               c->scratch + worker * c->scratch_size);
}

/* Where pieces begin: own columns of each rank's lines, and each rank's columns of own lines, of
 * which this rank's stay where they are. */
static void find_pieces(run_job *job) {
    dlz_convolution *c = job->convolution;
    int64_t square = 2 * c->kernel->lanes * c->kernel->lanes * (int64_t)sizeof(float);
    int64_t columns = job->own.last - job->own.first;
    int64_t wanted = job->own.wanted_last - job->own.wanted_first;
    job->sent = c->offsets;
    job->received = job->sent + job->ranks + 1;
    job->sent_back = job->received + job->ranks + 1;
    job->received_back = job->sent_back + job->ranks + 1;
    job->received[0] = job->sent_back[0] = 0;
    for (int r = 0; r <= job->ranks; r++) {
        int64_t first = r < job->ranks ? dlz_comm_even_share(c->comm, r, c->grid.line_groups).first
                                       : c->grid.line_groups;
        job->sent[r] = first * columns * square;
        job->received_back[r] = first * wanted * square;
        if (r == job->ranks)
            break;
        const dlz_column_share *share = job->shares + r;
        int64_t groups = r == job->rank ? 0 : job->groups.count;
        job->received[r + 1] = job->received[r] + groups * (share->last - share->first) * square;
        job->sent_back[r + 1] =
            job->sent_back[r] + groups * (share->wanted_last - share->wanted_first) * square;
    }
}

/* Memory for them: a little more, as maps grow and shares move. */
static dlviz_status reserve_pieces(run_job *job) {
    dlz_convolution *c = job->convolution;
    const int64_t sizes[] = {job->sent[job->ranks], job->received[job->ranks],
                             job->received_back[job->ranks], job->sent_back[job->ranks]};
    dlz_lines *const lines[] = {&c->own, &c->other, &c->own_back, &c->other_back};
    for (int i = 0; i < 4; i++) {
        int64_t size = sizes[i] / (int64_t)sizeof(float);
        if (size > lines[i]->capacity || !lines[i]->at)
            DLZ_TRY(grow(lines[i], size + size / 8 + 1));
    }
    return DLVIZ_OK;
}

static dlviz_status run_shared(run_job *job) {
    dlz_convolution *c = job->convolution;
    find_pieces(job);
    DLZ_TRY(reserve_pieces(job));
    job->own_back = c->own_back.at;
    dlz_parallel_for(job->own.last - job->own.first, c->workers, run_forward, job);
    DLZ_TRY(dlz_comm_trade_pieces(c->comm, c->own.at, job->sent, c->other.at, job->received));
    dlz_parallel_for(job->groups.count, c->workers, run_lines, job);
    DLZ_TRY(dlz_comm_trade_pieces(c->comm, c->other_back.at, job->sent_back, c->own_back.at,
                                  job->received_back));
    dlz_parallel_for(job->own.wanted_last - job->own.wanted_first, c->workers, run_inverse, job);
    return DLVIZ_OK;
}

dlviz_status dlz_convolution_run(dlz_convolution *c, int64_t rows, int64_t columns,
                                 const dlz_column_share *shares, float *values) {
    int64_t groups = dlz_ceil_div(columns, c->kernel->lanes);
    dlz_column_share all = {0, groups, 0, groups};
    int rank = dlz_comm_rank(c->comm);
    run_job job = {.convolution = c,
                   .shares = shares ? shares : &all,
                   .own = shares ? shares[rank] : all,
                   .rank = rank,
                   .ranks = dlz_comm_size(c->comm),
                   .groups = own_groups(c),
                   .values = values,
                   .own_back = c->own.at};
    c->grid.rows = rows;
    c->grid.columns = columns;
    if (c->workers != dlz_threads())
        DLZ_TRY(reserve_workers(c));
    assert(shares || job.ranks == 1);
    if (job.ranks > 1)
        return run_shared(&job);
    dlz_parallel_for(groups, c->workers, run_forward, &job);
    dlz_parallel_for(c->grid.line_groups, c->workers, run_lines, &job);
    dlz_parallel_for(groups, c->workers, run_inverse, &job);
    return DLVIZ_OK;
}

void dlz_convolution_free(dlz_convolution *c) {
    free_plan(&c->x);
    free_plan(&c->y);
    dlz_free(c->turns);
    dlz_free(c->spectrum);
    dlz_free(c->scratch);
    dlz_free(c->runs);
    dlz_free(c->offsets);
    free_lines(&c->own);
    free_lines(&c->other);
    free_lines(&c->own_back);
    free_lines(&c->other_back);
    *c = (dlz_convolution){0};
}
