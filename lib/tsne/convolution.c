#include "tsne/convolution.h"
#include "base/base.h"
#include "base/parallel.h"

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
    float *image, *lines, *x_factors, *y_factors;
} spectrum_job;

static void image_columns(void *context, int64_t tile, int worker) {
    spectrum_job *job = context;
    dlz_convolution *c = job->convolution;
    c->kernel->columns_forward(&job->grid, true, job->image, tile * c->kernel->lanes, job->lines,
                               c->scratch + worker * c->scratch_size);
}

static void image_lines(void *context, int64_t tile, int worker) {
    spectrum_job *job = context;
    dlz_convolution *c = job->convolution;
    int64_t lanes = c->kernel->lanes;
    c->kernel->spectrum(&job->grid, job->lines + tile * job->grid.line_length * 2 * lanes,
                        job->x_factors, job->y_factors + tile * lanes,
                        c->spectrum + tile * 2 * c->x.n * lanes,
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

static dlviz_status make_spectrum(dlz_convolution *c, int order, dlz_convolution_fn value,
                                  void *context) {
    int64_t lanes = c->kernel->lanes, width = 2 * c->x.n, height = 4 * c->y.n;
    spectrum_job job = {.convolution = c, .grid = c->grid};
    job.grid.stride = job.grid.line_length = dlz_ceil_div(width, lanes) * lanes;
    int64_t groups = c->grid.line_groups;
    job.image = dlz_alloc_array((uint64_t)(height * job.grid.stride), sizeof(float));
    job.lines =
        dlz_alloc_array((uint64_t)(groups * job.grid.line_length * 2 * lanes), sizeof(float));
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
                (float)(correction(order, k, width) / (double)(width * height / 2));
        for (int64_t k = 0; k < groups * lanes; k++)
            job.y_factors[k] = k <= height / 2 ? (float)correction(order, k, height) : 0;
        dlz_parallel_for(job.grid.stride / lanes, c->workers, image_columns, &job);
        dlz_parallel_for(groups, c->workers, image_lines, &job);
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

dlviz_status dlz_convolution_prepare(dlz_convolution *c, int64_t rows, int64_t columns, int order,
                                     dlz_convolution_fn value, void *context) {
    int64_t x = dlz_convolution_size(columns), y = dlz_convolution_size((rows + 1) / 2);
    if (!c->kernel)
        c->kernel = dlz_fft();
    c->workers = dlz_threads();
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
                             .line_groups = dlz_ceil_div(2 * y + 1, lanes),
                             .line_length = dlz_ceil_div(x, lanes) * lanes};
    dlz_free(c->spectrum);
    dlz_free(c->lines);
    dlz_free(c->scratch);
    c->scratch_size = 4 * lanes * dlz_max_i64(4 * y + 2 * lanes, x);
    size_t line = (size_t)(c->grid.line_groups * 2 * lanes) * sizeof(float);
    c->spectrum = dlz_alloc_array((uint64_t)x, line);
    c->lines = dlz_alloc_array((uint64_t)c->grid.line_length, line);
    c->scratch = dlz_alloc_array((uint64_t)c->workers, (uint64_t)c->scratch_size * sizeof(float));
    if (!c->spectrum || !c->lines || !c->scratch)
        return dlz_fail_memory("the repulsion's grid", line * (uint64_t)c->grid.line_length);
    return make_spectrum(c, order, value, context);
}

typedef struct run_job {
    dlz_convolution *convolution;
    float *values;
} run_job;

static void run_forward(void *context, int64_t tile, int worker) {
    run_job *job = context;
    dlz_convolution *c = job->convolution;
    c->kernel->columns_forward(&c->grid, false, job->values, tile * c->kernel->lanes, c->lines,
                               c->scratch + worker * c->scratch_size);
}

static void run_lines(void *context, int64_t tile, int worker) {
    run_job *job = context;
    dlz_convolution *c = job->convolution;
    int64_t lanes = c->kernel->lanes;
    c->kernel->convolve(&c->grid, c->lines + tile * c->grid.line_length * 2 * lanes,
                        c->spectrum + tile * 2 * c->x.n * lanes,
                        c->scratch + worker * c->scratch_size);
}

static void run_inverse(void *context, int64_t tile, int worker) {
    run_job *job = context;
    dlz_convolution *c = job->convolution;
    c->kernel->columns_inverse(&c->grid, c->lines, tile * c->kernel->lanes, job->values,
                               c->scratch + worker * c->scratch_size);
}

void dlz_convolution_run(dlz_convolution *c, int64_t rows, int64_t columns, float *values) {
    run_job job = {c, values};
    int64_t groups = dlz_ceil_div(columns, c->kernel->lanes);
    c->grid.rows = rows;
    c->grid.columns = columns;
    dlz_parallel_for(groups, c->workers, run_forward, &job);
    dlz_parallel_for(c->grid.line_groups, c->workers, run_lines, &job);
    dlz_parallel_for(groups, c->workers, run_inverse, &job);
}

void dlz_convolution_free(dlz_convolution *c) {
    free_plan(&c->x);
    free_plan(&c->y);
    dlz_free(c->turns);
    dlz_free(c->spectrum);
    dlz_free(c->lines);
    dlz_free(c->scratch);
    *c = (dlz_convolution){0};
}
