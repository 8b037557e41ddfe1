/* Optimizer steps of every instruction set this machine has, against the formulas in double. */
#include "support/guarded.h"
#include "support/support.h"
#include "train/optimizer.h"

#include <math.h>
#include <string.h>

enum { N = 403, OFFSET = 3, STEPS = 8, ARRAYS = 5 };
static const float GUARD = -12345.0f;

/* Parameters, gradients and up to three moments, with a guard on either side. */
typedef struct state {
    float values[ARRAYS][N + OFFSET + 1];
} state;

enum { P, G, S1, S2, S3 };

/* An optimizer of a kind, whose bits are: the gradient is scaled, there is weight decay, gradients
 * are set to zero; the others are the rule's own. */
typedef dlviz_optimizer *make_fn(int kind);
/* The formulas' idea of a step, which is 0 for the first. */
typedef void formula_fn(int kind, int step, double *values);

static float *at(state *s, int array, int64_t i) {
    return s->values[array] + OFFSET + i;
}

static dlviz_optimizer *with_decay(int kind, dlviz_optimizer *optimizer, double decay) {
    ck_ok(dlviz_optimizer_set_weight_decay(optimizer, kind & 2 ? decay : 0));
    return optimizer;
}

/* Parameters `from` … from + count − 1 take a step. */
static void take_step(const dlviz_optimizer *optimizer, dlz_isa isa, int kind, int step, state *s,
                      int64_t from, int64_t count) {
    dlz_step_terms terms = {.number = step + 1,
                            .learning_rate = optimizer->learning_rate,
                            .weight_decay = optimizer->weight_decay};
    dlz_update update = {.n = count,
                         .parameters = at(s, P, from),
                         .gradients = at(s, G, from),
                         .gradient_scale = kind & 1 ? 0.5f : 1.0f};
    for (int m = 0; optimizer->type->moments[m].name; m++)
        if (dlz_optimizer_keeps(optimizer, m))
            update.moments[m] = at(s, S1 + m, from);
    optimizer->type->prepare(optimizer, &terms, optimizer->step);
    optimizer->type->updates(isa)->update(optimizer->step, &update);
}

static double scaled_gradient(int kind, double *v) {
    return v[G] * (kind & 1 ? 0.5 : 1.0) + (kind & 2 ? (double)0.01f : 0.0) * v[P];
}

/* 4: Nesterov, or dampening without; 8: momentum. */
static dlviz_optimizer *make_sgd(int kind) {
    dlviz_optimizer *sgd;
    ck_ok(dlviz_sgd_create(&sgd, 0.1));
    if (kind & 8)
        ck_ok(dlviz_sgd_set_momentum(sgd, 0.9, kind & 4 ? 0 : 0.25, (kind & 4) != 0));
    return with_decay(kind, sgd, 0.01);
}

static void sgd_formula(int kind, int step, double *v) {
    double g = scaled_gradient(kind, v), d = g;
    if (kind & 8) {
        v[S1] = step == 0 ? g : (double)0.9f * v[S1] + (kind & 4 ? 1.0 : 0.75) * g;
        d = kind & 4 ? g + (double)0.9f * v[S1] : v[S1];
    }
    v[P] -= (double)0.1f * d;
}

/* 4: AdamW, 8: other betas, 16: amsgrad. */
static dlviz_optimizer *make_adam(int kind) {
    dlviz_optimizer *adam;
    ck_ok((kind & 4 ? dlviz_adamw_create : dlviz_adam_create)(&adam, 0.01));
    if (kind & 8)
        ck_ok(dlviz_adam_set_betas(adam, 0.8, 0.9));
    ck_ok(dlviz_adam_set_amsgrad(adam, (kind & 16) != 0));
    return with_decay(kind, adam, kind & 4 ? 0.1 : 0.01);
}

static void adam_formula(int kind, int step, double *v) {
    double beta1 = kind & 8 ? 0.8 : 0.9, beta2 = kind & 8 ? 0.9 : 0.999;
    double g = scaled_gradient(kind & 4 ? kind & ~2 : kind, v);
    if ((kind & 4) && (kind & 2))
        v[P] *= (double)0.999f;
    v[S1] = beta1 * v[S1] + (1 - beta1) * g;
    v[S2] = beta2 * v[S2] + (1 - beta2) * g * g;
    double square = v[S2];
    if (kind & 16)
        square = v[S3] = fmax(v[S3], v[S2]);
    v[P] -= 0.01 / (1 - pow(beta1, step + 1)) * v[S1] /
            (sqrt(square) / sqrt(1 - pow(beta2, step + 1)) + 1e-8);
}

/* 4: other betas, 8: μ grows soon. */
static dlviz_optimizer *make_nadam(int kind) {
    dlviz_optimizer *nadam;
    ck_ok(dlviz_nadam_create(&nadam, 0.01));
    if (kind & 4)
        ck_ok(dlviz_nadam_set_betas(nadam, 0.8, 0.9));
    if (kind & 8)
        ck_ok(dlviz_nadam_set_momentum_decay(nadam, 20));
    return with_decay(kind, nadam, 0.01);
}

static double mu(int kind, int t) {
    return (kind & 4 ? 0.8 : 0.9) * (1 - 0.5 * pow(0.96, t * (kind & 8 ? 20 : 4e-3)));
}

static void nadam_formula(int kind, int step, double *v) {
    double beta1 = kind & 4 ? 0.8 : 0.9, beta2 = kind & 4 ? 0.9 : 0.999, product = 1;
    double g = scaled_gradient(kind, v);
    for (int t = 1; t <= step + 1; t++)
        product *= mu(kind, t);
    v[S1] = beta1 * v[S1] + (1 - beta1) * g;
    v[S2] = beta2 * v[S2] + (1 - beta2) * g * g;
    double ahead = (1 - mu(kind, step + 1)) / (1 - product) * g +
                   mu(kind, step + 2) / (1 - product * mu(kind, step + 2)) * v[S1];
    v[P] -= 0.01 * ahead / (sqrt(v[S2] / (1 - pow(beta2, step + 1))) + 1e-8);
}

/* 4: other betas, with which no step is rectified; 8: an eps that is felt. */
static dlviz_optimizer *make_radam(int kind) {
    dlviz_optimizer *radam;
    ck_ok(dlviz_radam_create(&radam, 0.01));
    if (kind & 4)
        ck_ok(dlviz_radam_set_betas(radam, 0.8, 0.6));
    if (kind & 8)
        ck_ok(dlviz_radam_set_eps(radam, 0.1));
    return with_decay(kind, radam, 0.01);
}

static void radam_formula(int kind, int step, double *v) {
    double beta1 = kind & 4 ? 0.8 : 0.9, beta2 = kind & 4 ? 0.6 : 0.999, t = step + 1;
    double g = scaled_gradient(kind, v), most = 2 / (1 - beta2) - 1;
    double length = most - 2 * t * pow(beta2, t) / (1 - pow(beta2, t));
    v[S1] = beta1 * v[S1] + (1 - beta1) * g;
    v[S2] = beta2 * v[S2] + (1 - beta2) * g * g;
    double d = v[S1] / (1 - pow(beta1, t));
    ck_assert_int_eq(length > 5, !(kind & 4) && step >= 5);
    if (length > 5)
        d *= sqrt((length - 4) * (length - 2) * most / ((most - 4) * (most - 2) * length)) *
             sqrt(1 - pow(beta2, t)) / (sqrt(v[S2]) + (kind & 8 ? 0.1 : 1e-8));
    v[P] -= 0.01 * d;
}

/* 4: other betas. */
static dlviz_optimizer *make_lion(int kind) {
    dlviz_optimizer *lion;
    ck_ok(dlviz_lion_create(&lion, 0.01));
    if (kind & 4)
        ck_ok(dlviz_lion_set_betas(lion, 0.5, 0.75));
    return with_decay(kind, lion, 0.1);
}

static void lion_formula(int kind, int step, double *v) {
    (void)step;
    double beta1 = kind & 4 ? 0.5 : 0.9, beta2 = kind & 4 ? 0.75 : 0.99;
    double g = scaled_gradient(kind & ~2, v), c = beta1 * v[S1] + (1 - beta1) * g;
    v[P] -= 0.01 * ((c > 0) - (c < 0) + (kind & 2 ? 0.1 : 0) * v[P]);
    v[S1] = beta2 * v[S1] + (1 - beta2) * g;
}

/* 4: centered, 8: momentum. Moments that are not kept leave their places free. */
static dlviz_optimizer *make_rmsprop(int kind) {
    dlviz_optimizer *rmsprop;
    ck_ok(dlviz_rmsprop_create(&rmsprop, 0.01));
    ck_ok(dlviz_rmsprop_set_smoothing(rmsprop, 0.9, 1e-3));
    ck_ok(dlviz_rmsprop_set_centered(rmsprop, (kind & 4) != 0));
    ck_ok(dlviz_rmsprop_set_momentum(rmsprop, kind & 8 ? 0.5 : 0));
    return with_decay(kind, rmsprop, 0.01);
}

static void rmsprop_formula(int kind, int step, double *v) {
    (void)step;
    double g = scaled_gradient(kind, v);
    v[S1] = 0.9 * v[S1] + 0.1 * g * g;
    double square = v[S1];
    if (kind & 4) {
        v[S2] = 0.9 * v[S2] + 0.1 * g;
        square -= v[S2] * v[S2];
    }
    double d = g / (sqrt(square) + (double)1e-3f);
    if (kind & 8)
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

static void check_rule(make_fn *make, formula_fn *formula, int kinds) {
    for (int isa = 0; isa < DLZ_ISA_COUNT; isa++) {
        if (!dlz_isa_available((dlz_isa)isa))
            continue;
        for (int kind = 0; kind < kinds; kind++) {
            dlviz_optimizer *optimizer = make(kind);
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
                take_step(optimizer, (dlz_isa)isa, kind, step, &whole, 0, N);
                for (int64_t from = 0, size = 1; from < N; from += size, size = size % 37 + 9)
                    take_step(optimizer, (dlz_isa)isa, kind, step, &cut, from,
                              N - from < size ? N - from : size);
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
            dlviz_optimizer_destroy(optimizer);
        }
    }
}

START_TEST(sgd_follows_its_formula) {
    check_rule(make_sgd, sgd_formula, 16);
}
END_TEST

START_TEST(adam_follows_its_formula) {
    check_rule(make_adam, adam_formula, 32);
}
END_TEST

START_TEST(rmsprop_follows_its_formula) {
    check_rule(make_rmsprop, rmsprop_formula, 16);
}
END_TEST

START_TEST(nadam_follows_its_formula) {
    check_rule(make_nadam, nadam_formula, 16);
}
END_TEST

START_TEST(radam_follows_its_formula) {
    check_rule(make_radam, radam_formula, 16);
}
END_TEST

START_TEST(lion_follows_its_formula) {
    check_rule(make_lion, lion_formula, 8);
}
END_TEST

START_TEST(a_nan_stays_where_it_is) {
    make_fn *const rules[] = {make_sgd, make_adam, make_rmsprop, make_nadam, make_radam, make_lion};
    enum { NUM_RULES = sizeof rules / sizeof *rules };
    for (int isa = 0; isa < DLZ_ISA_COUNT; isa++)
        for (int rule = 0; rule < NUM_RULES && dlz_isa_available((dlz_isa)isa); rule++) {
            static state s;
            dlviz_optimizer *optimizer = rules[rule](24 + 32);
            start(&s);
            *at(&s, G, 7) = NAN;
            *at(&s, G, N - 1) = NAN;
            take_step(optimizer, (dlz_isa)isa, 24 + 32, 0, &s, 0, N);
            for (int i = 0; i < N; i++)
                ck_assert_int_eq(isnan(*at(&s, P, i)) != 0, i == 7 || i == N - 1);
            dlviz_optimizer_destroy(optimizer);
        }
}
END_TEST

/* Nor is anything behind it: an array may be the last thing there is. */
START_TEST(nothing_behind_an_array_is_touched) {
    make_fn *const rules[] = {make_sgd, make_adam, make_rmsprop, make_nadam, make_radam, make_lion};
    enum { NUM_RULES = sizeof rules / sizeof *rules, MOST = 35 };
    for (int count = 1; count <= MOST; count++) {
        float *arrays[ARRAYS];
        for (int array = 0; array < ARRAYS; array++)
            arrays[array] = guarded_floats(count);
        for (int isa = 0; isa < DLZ_ISA_COUNT; isa++)
            for (int rule = 0; rule < NUM_RULES && dlz_isa_available((dlz_isa)isa); rule++)
                for (int kind = 0; kind < 64; kind++) {
                    dlviz_optimizer *optimizer = rules[rule](kind);
                    dlz_step_terms terms = {.number = 1,
                                            .learning_rate = optimizer->learning_rate,
                                            .weight_decay = optimizer->weight_decay};
                    dlz_update update = {.n = count,
                                         .parameters = arrays[P],
                                         .gradients = arrays[G],
                                         .gradient_scale = 1};
                    for (int m = 0; optimizer->type->moments[m].name; m++)
                        if (dlz_optimizer_keeps(optimizer, m))
                            update.moments[m] = arrays[S1 + m];
                    optimizer->type->prepare(optimizer, &terms, optimizer->step);
                    optimizer->type->updates((dlz_isa)isa)->update(optimizer->step, &update);
                    dlviz_optimizer_destroy(optimizer);
                }
        for (int array = 0; array < ARRAYS; array++)
            guarded_free(arrays[array]);
    }
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        sgd_follows_its_formula,   adam_follows_its_formula,           rmsprop_follows_its_formula,
        nadam_follows_its_formula, radam_follows_its_formula,          lion_follows_its_formula,
        a_nan_stays_where_it_is,   nothing_behind_an_array_is_touched, NULL};
    return run_tests("optimizer", tests);
}
