/* Optimizer steps of every instruction set this machine has, against the formulas in double. */
#include "kernels/nn/optimizer.h"
#include "support/support.h"

#include <math.h>
#include <string.h>

enum { N = 403, OFFSET = 3, STEPS = 5, ARRAYS = 5 };
static const float GUARD = -12345.0f;

/* Parameters, gradients and up to three states, with a guard on either side. */
typedef struct state {
    float values[ARRAYS][N + OFFSET + 1];
} state;

enum { P, G, S1, S2, S3 };

/* The state itself, and the formulas' idea of it. */
typedef void step_fn(const dlz_optimizer_table *kernels, int kind, int step, state *s, int64_t from,
                     int64_t count);
typedef void formula_fn(int kind, int step, double *values);

static float *at(state *s, int array, int64_t i) {
    return s->values[array] + OFFSET + i;
}

static dlz_gradient gradient_of(state *s, int kind, int64_t from) {
    return (dlz_gradient){.gradient = at(s, G, from),
                          .scale = kind & 1 ? 0.5f : 1.0f,
                          .weight_decay = kind & 2 ? 0.01f : 0.0f,
                          .zero_gradient = (kind & 4) != 0};
}

static double scaled_gradient(int kind, double *v) {
    double g = v[G] * (kind & 1 ? 0.5 : 1.0) + (kind & 2 ? (double)0.01f : 0.0) * v[P];
    if (kind & 4)
        v[G] = 0;
    return g;
}

static void sgd_step(const dlz_optimizer_table *kernels, int kind, int step, state *s, int64_t from,
                     int64_t count) {
    dlz_sgd rule = {.learning_rate = 0.1f,
                    .momentum = 0.9f,
                    .damping = kind & 8 ? 1.0f : 0.75f,
                    .nesterov = (kind & 8) != 0,
                    .first = step == 0};
    dlz_gradient g = gradient_of(s, kind, from);
    kernels->sgd(&rule, count, at(s, P, from), &g, kind & 16 ? at(s, S1, from) : NULL);
}

static void sgd_formula(int kind, int step, double *v) {
    double g = scaled_gradient(kind, v), d = g;
    if (kind & 16) {
        v[S1] = step == 0 ? g : (double)0.9f * v[S1] + (kind & 8 ? 1.0 : 0.75) * g;
        d = kind & 8 ? g + (double)0.9f * v[S1] : v[S1];
    }
    v[P] -= (double)0.1f * d;
}

static void adam_step(const dlz_optimizer_table *kernels, int kind, int step, state *s,
                      int64_t from, int64_t count) {
    dlz_adam rule = {.decay = kind & 8 ? 0.999f : 1.0f,
                     .beta1 = 0.9f,
                     .one_minus_beta1 = 0.1f,
                     .beta2 = 0.999f,
                     .one_minus_beta2 = 0.001f,
                     .step_size = (float)(0.01 / (1 - pow(0.9, step + 1))),
                     .inv_sqrt_correction2 = (float)(1 / sqrt(1 - pow(0.999, step + 1))),
                     .eps = 1e-8f};
    dlz_gradient g = gradient_of(s, kind, from);
    kernels->adam(&rule, count, at(s, P, from), &g, at(s, S1, from), at(s, S2, from));
}

static void adam_formula(int kind, int step, double *v) {
    double g = scaled_gradient(kind, v);
    if (kind & 8)
        v[P] *= (double)0.999f;
    v[S1] = 0.9 * v[S1] + 0.1 * g;
    v[S2] = 0.999 * v[S2] + 0.001 * g * g;
    v[P] -= 0.01 / (1 - pow(0.9, step + 1)) * v[S1] /
            (sqrt(v[S2]) / sqrt(1 - pow(0.999, step + 1)) + 1e-8);
}

static void rmsprop_step(const dlz_optimizer_table *kernels, int kind, int step, state *s,
                         int64_t from, int64_t count) {
    (void)step;
    dlz_rmsprop rule = {.learning_rate = 0.01f,
                        .alpha = 0.9f,
                        .one_minus_alpha = 0.1f,
                        .eps = 1e-3f,
                        .momentum = 0.5f};
    dlz_gradient g = gradient_of(s, kind, from);
    kernels->rmsprop(&rule, count, at(s, P, from), &g, at(s, S1, from),
                     kind & 8 ? at(s, S2, from) : NULL, kind & 16 ? at(s, S3, from) : NULL);
}

static void rmsprop_formula(int kind, int step, double *v) {
    (void)step;
    double g = scaled_gradient(kind, v);
    v[S1] = 0.9 * v[S1] + 0.1 * g * g;
    double square = v[S1];
    if (kind & 8) {
        v[S2] = 0.9 * v[S2] + 0.1 * g;
        square -= v[S2] * v[S2];
    }
    double d = g / (sqrt(square) + (double)1e-3f);
    if (kind & 16)
        d = v[S3] = 0.5 * v[S3] + d;
    v[P] -= 0.01 * d;
}

static void start(state *s) {
    for (int array = 0; array < ARRAYS; array++) {
        for (int i = 0; i < N + OFFSET + 1; i++)
            s->values[array][i] = GUARD;
        if (array < S1)
            fill_uniform(at(s, array, 0), N, (uint64_t)array + 1);
        else
            memset(at(s, array, 0), 0, N * sizeof(float));
    }
}

/* New gradients for each step; the first element's is always 0. */
static void next_gradient(state *s, int step) {
    fill_uniform(at(s, G, 0), N, (uint64_t)step + 100);
    *at(s, G, 0) = 0;
}

static void check_rule(step_fn *step_of, formula_fn *formula, int kinds) {
    for (int isa = 0; isa < DLZ_ISA_COUNT; isa++) {
        if (!dlz_isa_available((dlz_isa)isa))
            continue;
        const dlz_optimizer_table *kernels = dlz_optimizer_kernels_of((dlz_isa)isa);
        for (int kind = 0; kind < kinds; kind++) {
            static state whole, cut;
            static double expected[N][ARRAYS];
            start(&whole);
            start(&cut);
            for (int i = 0; i < N; i++)
                for (int array = 0; array < ARRAYS; array++)
                    expected[i][array] = (double)*at(&whole, array, i);
            for (int step = 0; step < STEPS; step++) {
                next_gradient(&whole, step);
                next_gradient(&cut, step);
                step_of(kernels, kind, step, &whole, 0, N);
                for (int64_t from = 0, size = 1; from < N; from += size, size = size % 37 + 9)
                    step_of(kernels, kind, step, &cut, from, N - from < size ? N - from : size);
                for (int i = 0; i < N; i++) {
                    state fresh;
                    if (i == 0) {
                        next_gradient(&fresh, step);
                        for (int j = 0; j < N; j++)
                            expected[j][G] = (double)*at(&fresh, G, j);
                    }
                    formula(kind, step, expected[i]);
                }
            }
            ck_assert_msg(memcmp(&whole, &cut, sizeof whole) == 0,
                          "%s: kind %d: chunks change bits", dlz_isa_name((dlz_isa)isa), kind);
            for (int array = 0; array < ARRAYS; array++) {
                for (int i = 0; i < N; i++)
                    ck_assert_msg(fabs((double)*at(&whole, array, i) - expected[i][array]) <=
                                      2e-6 * fmax(1, fabs(expected[i][array])),
                                  "%s: kind %d: array %d[%d] is %.9g, not %.9g",
                                  dlz_isa_name((dlz_isa)isa), kind, array, i,
                                  (double)*at(&whole, array, i), expected[i][array]);
                for (int i = 0; i < OFFSET; i++)
                    ck_assert(whole.values[array][i] == GUARD);
                ck_assert(whole.values[array][N + OFFSET] == GUARD);
            }
        }
    }
}

START_TEST(sgd_follows_its_formula) {
    check_rule(sgd_step, sgd_formula, 32);
}
END_TEST

START_TEST(adam_follows_its_formula) {
    check_rule(adam_step, adam_formula, 16);
}
END_TEST

START_TEST(rmsprop_follows_its_formula) {
    check_rule(rmsprop_step, rmsprop_formula, 32);
}
END_TEST

START_TEST(a_nan_stays_where_it_is) {
    step_fn *const rules[] = {sgd_step, adam_step, rmsprop_step};
    for (int isa = 0; isa < DLZ_ISA_COUNT; isa++)
        for (int rule = 0; rule < 3 && dlz_isa_available((dlz_isa)isa); rule++) {
            static state s;
            start(&s);
            *at(&s, G, 7) = NAN;
            *at(&s, G, N - 1) = NAN;
            rules[rule](dlz_optimizer_kernels_of((dlz_isa)isa), 24, 0, &s, 0, N);
            for (int i = 0; i < N; i++)
                ck_assert_int_eq(isnan(*at(&s, P, i)) != 0, i == 7 || i == N - 1);
        }
}
END_TEST

int main(void) {
    const TTest *const tests[] = {sgd_follows_its_formula, adam_follows_its_formula,
                                  rmsprop_follows_its_formula, a_nan_stays_where_it_is, NULL};
    return run_tests("optimizer", tests);
}
