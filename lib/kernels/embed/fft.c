#include "kernels/embed/fft.h"
#include "isa/shuffle.h"

#define L DLZ_LANES

typedef struct pair {
    dlz_v re, im;
} pair;

DLZ_INLINE pair load_pair(const float *from) {
    return (pair){dlz_load(from), dlz_load(from + L)};
}

DLZ_INLINE void store_pair(float *to, pair value) {
    dlz_store(to, value.re);
    dlz_store(to + L, value.im);
}

DLZ_INLINE pair add(pair a, pair b) {
    return (pair){a.re + b.re, a.im + b.im};
}
DLZ_INLINE pair subtract(pair a, pair b) {
    return (pair){a.re - b.re, a.im - b.im};
}
/* a + i b and a - i b */
DLZ_INLINE pair add_i(pair a, pair b) {
    return (pair){a.re - b.im, a.im + b.re};
}
DLZ_INLINE pair subtract_i(pair a, pair b) {
    return (pair){a.re + b.im, a.im - b.re};
}
DLZ_INLINE pair scale(pair a, float s) {
    return (pair){a.re * s, a.im * s};
}
/* By the number (t[0], t[1]), or its conjugate. */
DLZ_INLINE pair turn(pair a, const float *t, const bool conjugate) {
    dlz_v c = dlz_splat(t[0]), s = dlz_splat(conjugate ? -t[1] : t[1]);
    return (pair){a.re * c - a.im * s, a.im * c + a.re * s};
}

/* The transform of `radix` values in place; forward has the negative exponent. */
DLZ_INLINE void butterfly(const int radix, const bool inverse, pair *a) {
    if (radix == 2) {
        pair t = subtract(a[0], a[1]);
        a[0] = add(a[0], a[1]);
        a[1] = t;
    } else if (radix == 3) {
        pair sum = add(a[1], a[2]), difference = scale(subtract(a[1], a[2]), 0.866025404f);
        pair middle = subtract(a[0], scale(sum, 0.5f));
        a[0] = add(a[0], sum);
        a[1] = inverse ? add_i(middle, difference) : subtract_i(middle, difference);
        a[2] = inverse ? subtract_i(middle, difference) : add_i(middle, difference);
    } else if (radix == 4) {
        pair t0 = add(a[0], a[2]), t1 = subtract(a[0], a[2]);
        pair t2 = add(a[1], a[3]), t3 = subtract(a[1], a[3]);
        a[0] = add(t0, t2);
        a[2] = subtract(t0, t2);
        a[1] = inverse ? add_i(t1, t3) : subtract_i(t1, t3);
        a[3] = inverse ? subtract_i(t1, t3) : add_i(t1, t3);
    } else {
        const float c1 = 0.309016994f, c2 = -0.809016994f, s1 = 0.951056516f, s2 = 0.587785252f;
        pair t1 = add(a[1], a[4]), t2 = add(a[2], a[3]);
        pair t3 = subtract(a[1], a[4]), t4 = subtract(a[2], a[3]);
        pair m1 = add(a[0], add(scale(t1, c1), scale(t2, c2)));
        pair m2 = add(a[0], add(scale(t1, c2), scale(t2, c1)));
        pair n1 = add(scale(t3, s1), scale(t4, s2)), n2 = subtract(scale(t3, s2), scale(t4, s1));
        a[0] = add(a[0], add(t1, t2));
        a[1] = inverse ? add_i(m1, n1) : subtract_i(m1, n1);
        a[4] = inverse ? subtract_i(m1, n1) : add_i(m1, n1);
        a[2] = inverse ? add_i(m2, n2) : subtract_i(m2, n2);
        a[3] = inverse ? subtract_i(m2, n2) : add_i(m2, n2);
    }
}

/* One stage of the forward transform on blocks of length m. */
DLZ_INLINE void split(const int radix, int64_t n, int64_t m, const float *twiddles, float *data) {
    int64_t q = m / radix, step = q * 2 * L;
    for (int64_t block = 0; block < n; block += m) {
        float *at = data + block * 2 * L;
        const float *t = twiddles;
        for (int64_t j = 0; j < q; j++, at += 2 * L, t += 2 * (radix - 1)) {
            pair a[5];
#pragma GCC unroll 5
            for (int p = 0; p < radix; p++)
                a[p] = load_pair(at + p * step);
            butterfly(radix, false, a);
            store_pair(at, a[0]);
#pragma GCC unroll 5
            for (int p = 1; p < radix; p++)
                store_pair(at + p * step, turn(a[p], t + 2 * (p - 1), false));
        }
    }
}

DLZ_INLINE void join(const int radix, int64_t n, int64_t m, const float *twiddles, float *data) {
    int64_t q = m / radix, step = q * 2 * L;
    for (int64_t block = 0; block < n; block += m) {
        float *at = data + block * 2 * L;
        const float *t = twiddles;
        for (int64_t j = 0; j < q; j++, at += 2 * L, t += 2 * (radix - 1)) {
            pair a[5];
            a[0] = load_pair(at);
#pragma GCC unroll 5
            for (int p = 1; p < radix; p++)
                a[p] = turn(load_pair(at + p * step), t + 2 * (p - 1), true);
            butterfly(radix, true, a);
#pragma GCC unroll 5
            for (int p = 0; p < radix; p++)
                store_pair(at + p * step, a[p]);
        }
    }
}

static void forward(const dlz_fft_plan *plan, float *data) {
    const float *twiddles = plan->twiddles;
    int64_t m = plan->n;
    for (int stage = 0; stage < plan->stages; stage++) {
        int radix = plan->radices[stage];
        if (radix == 4)
            split(4, plan->n, m, twiddles, data);
        else if (radix == 2)
            split(2, plan->n, m, twiddles, data);
        else if (radix == 3)
            split(3, plan->n, m, twiddles, data);
        else
            split(5, plan->n, m, twiddles, data);
        twiddles += 2 * (m / radix) * (radix - 1);
        m /= radix;
    }
}

static void inverse(const dlz_fft_plan *plan, float *data) {
    const float *twiddles = plan->twiddles;
    int64_t m = plan->n;
    for (int stage = 0; stage < plan->stages; stage++) {
        twiddles += 2 * (m / plan->radices[stage]) * (plan->radices[stage] - 1);
        m /= plan->radices[stage];
    }
    for (int stage = plan->stages - 1; stage >= 0; stage--) {
        int radix = plan->radices[stage];
        m *= radix;
        twiddles -= 2 * (m / radix) * (radix - 1);
        if (radix == 4)
            join(4, plan->n, m, twiddles, data);
        else if (radix == 2)
            join(2, plan->n, m, twiddles, data);
        else if (radix == 3)
            join(3, plan->n, m, twiddles, data);
        else
            join(5, plan->n, m, twiddles, data);
    }
}

/* Turns a square of numbers. */
DLZ_INLINE void transpose(const float *from, int64_t from_step, float *to, int64_t to_step) {
    dlz_v square[L];
    DLZ_UNROLL
    for (int i = 0; i < L; i++)
        square[i] = dlz_load(from + i * from_step);
    dlz_transpose(square);
    DLZ_UNROLL
    for (int i = 0; i < L; i++)
        dlz_store(to + i * to_step, square[i]);
}

/* Where frequency k of a sequence of length 2 n lies after its two halves were transformed. */
DLZ_INLINE float *place(const dlz_fft_plan *plan, float *data, int64_t k) {
    return data + ((k & 1) * plan->n + plan->position[k >> 1]) * 2 * L;
}

static void columns_forward(const dlz_fft_grid *grid, bool full, const float *values, float *lines,
                            int64_t step, float *scratch) {
    const dlz_fft_plan *plan = grid->y;
    int64_t half = plan->n, h = 2 * half, stride = grid->stride;
    float *z = scratch, *ordered = scratch + 2 * L * h;
    const float *at = values;
    int64_t rows = full ? 4 * half : grid->rows;
    for (int64_t j = 0; j < half; j++) {
        pair a = {{0}, {0}};
        if (2 * j < rows)
            a.re = dlz_load(at + 2 * j * stride);
        if (2 * j + 1 < rows)
            a.im = dlz_load(at + (2 * j + 1) * stride);
        pair b = a;
        if (full) {
            pair far = {dlz_load(at + 2 * (j + half) * stride),
                        dlz_load(at + (2 * (j + half) + 1) * stride)};
            a = add(a, far);
            b = subtract(b, far);
        }
        store_pair(z + j * 2 * L, a);
        store_pair(z + (half + j) * 2 * L, turn(b, plan->halving + 2 * j, false));
    }
    forward(plan, z);
    forward(plan, z + half * 2 * L);
    /* From the transform of (even rows) + i (odd rows) to that of all rows. */
    pair start = load_pair(place(plan, z, 0));
    store_pair(ordered, (pair){start.re + start.im, dlz_splat(0)});
    store_pair(ordered + h * 2 * L, (pair){start.re - start.im, dlz_splat(0)});
    for (int64_t k = 1; k <= half; k++) {
        pair a = load_pair(place(plan, z, k)), b = load_pair(place(plan, z, h - k));
        b.im = -b.im;
        pair even = scale(add(a, b), 0.5f), odd = scale(subtract(a, b), 0.5f);
        odd = turn((pair){odd.im, -odd.re}, grid->turns + 2 * k, false);
        store_pair(ordered + k * 2 * L, add(even, odd));
        pair other = subtract(even, odd);
        other.im = -other.im;
        if (k < half)
            store_pair(ordered + (h - k) * 2 * L, other);
    }
    for (int64_t k = h + 1; k < grid->line_groups * L; k++)
        store_pair(ordered + k * 2 * L, (pair){dlz_splat(0), dlz_splat(0)});
    for (int64_t group = 0; group < grid->line_groups; group++)
        for (int part = 0; part < 2; part++)
            transpose(ordered + group * L * 2 * L + part * L, 2 * L,
                      lines + group * step + part * L, 2 * L);
}

static void columns_inverse(const dlz_fft_grid *grid, const float *lines, int64_t step,
                            float *values, float *scratch) {
    const dlz_fft_plan *plan = grid->y;
    int64_t half = plan->n, h = 2 * half, stride = grid->stride;
    float *z = scratch, *ordered = scratch + 2 * L * h;
    for (int64_t group = 0; group < grid->line_groups; group++)
        for (int part = 0; part < 2; part++)
            transpose(lines + group * step + part * L, 2 * L,
                      ordered + group * L * 2 * L + part * L, 2 * L);
    pair low = load_pair(ordered), high = load_pair(ordered + h * 2 * L);
    store_pair(place(plan, z, 0), (pair){(low.re + high.re) * 0.5f, (low.re - high.re) * 0.5f});
    for (int64_t k = 1; k <= half; k++) {
        pair a = load_pair(ordered + k * 2 * L), b = load_pair(ordered + (h - k) * 2 * L);
        b.im = -b.im;
        pair even = scale(add(a, b), 0.5f);
        pair odd = turn(scale(subtract(a, b), 0.5f), grid->turns + 2 * k, true);
        store_pair(place(plan, z, k), add_i(even, odd));
        pair other = subtract_i(even, odd);
        other.im = -other.im;
        store_pair(place(plan, z, h - k), other);
    }
    inverse(plan, z);
    inverse(plan, z + half * 2 * L);
    float *at = values;
    for (int64_t j = 0; j < half; j++) {
        pair a = add(load_pair(z + j * 2 * L),
                     turn(load_pair(z + (half + j) * 2 * L), plan->halving + 2 * j, true));
        if (2 * j < grid->rows)
            dlz_store(at + 2 * j * stride, a.re);
        if (2 * j + 1 < grid->rows)
            dlz_store(at + (2 * j + 1) * stride, a.im);
    }
}

/* How many columns of a run count. */
static int64_t columns_of(const dlz_fft_grid *grid, const dlz_fft_run *run) {
    int64_t count = grid->columns - run->first;
    return count < run->count ? count : run->count;
}

static void convolve(const dlz_fft_grid *grid, const dlz_fft_run *in, int in_count,
                     const dlz_fft_run *out, int out_count, const float *spectrum, float *scratch) {
    const dlz_fft_plan *plan = grid->x;
    int64_t n = plan->n;
    float *high = scratch + n * 2 * L;
    for (const dlz_fft_run *run = in; run < in + in_count; run++)
        for (int64_t i = 0, j = run->first; i < columns_of(grid, run); i++, j++) {
            pair a = load_pair(run->at + i * 2 * L);
            store_pair(scratch + j * 2 * L, a);
            store_pair(high + j * 2 * L, turn(a, plan->halving + 2 * j, false));
        }
    for (int64_t j = grid->columns; j < n; j++) {
        pair a = {{0}, {0}};
        store_pair(scratch + j * 2 * L, a);
        store_pair(high + j * 2 * L, turn(a, plan->halving + 2 * j, false));
    }
    for (int part = 0; part < 2; part++) {
        float *data = scratch + part * n * 2 * L;
        const float *factors = spectrum + part * n * L;
        forward(plan, data);
        for (int64_t p = 0; p < n; p++) {
            dlz_v factor = dlz_load(factors + p * L);
            pair a = load_pair(data + p * 2 * L);
            store_pair(data + p * 2 * L, (pair){a.re * factor, a.im * factor});
        }
        inverse(plan, data);
    }
    for (const dlz_fft_run *run = out; run < out + out_count; run++) {
        int64_t count = columns_of(grid, run);
        for (int64_t i = 0, j = run->first; i < count; i++, j++)
            store_pair(run->at + i * 2 * L,
                       add(load_pair(scratch + j * 2 * L),
                           turn(load_pair(high + j * 2 * L), plan->halving + 2 * j, true)));
        /* Columns that nobody wants, but that a batch has: they are read, times 0. */
        for (int64_t i = count; i < run->count; i++)
            store_pair(run->at + i * 2 * L, (pair){{0}, {0}});
    }
}

static void spectrum_of(const dlz_fft_grid *grid, const float *line, const float *x_factors,
                        const float *y_factors, float *spectrum, float *scratch) {
    const dlz_fft_plan *plan = grid->x;
    int64_t n = plan->n;
    for (int64_t j = 0; j < n; j++) {
        pair a = load_pair(line + j * 2 * L), b = load_pair(line + (j + n) * 2 * L);
        store_pair(scratch + j * 2 * L, add(a, b));
        store_pair(scratch + (n + j) * 2 * L, turn(subtract(a, b), plan->halving + 2 * j, false));
    }
    forward(plan, scratch);
    forward(plan, scratch + n * 2 * L);
    dlz_v factors = dlz_load(y_factors);
    for (int64_t p = 0; p < 2 * n; p++)
        dlz_store(spectrum + p * L, dlz_load(scratch + p * 2 * L) * factors * x_factors[p]);
}

const dlz_fft_kernel DLZ_VARIANT(dlz_fft) = {DLZ_LANES, columns_forward, columns_inverse, convolve,
                                             spectrum_of};
