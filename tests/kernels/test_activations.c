/* Activations and their derivatives on every instruction set this machine has, against the closed
 * forms in double. */
#include "kernels/activations/activation.h"
#include "support/support.h"

#include <float.h>
#include <math.h>
#include <string.h>

DLZ_ACTIVATION_TABLE(elu)
DLZ_ACTIVATION_TABLE(gelu)
DLZ_ACTIVATION_TABLE(gelu_tanh)
DLZ_ACTIVATION_TABLE(hardswish)
DLZ_ACTIVATION_TABLE(leaky_relu)
DLZ_ACTIVATION_TABLE(sigmoid)
DLZ_ACTIVATION_TABLE(silu)
DLZ_ACTIVATION_TABLE(softplus)
DLZ_ACTIVATION_TABLE(tanh)

/* A result, and what its error is measured by: `terms` is the sum of the magnitudes of what is
 * added up to it, `condition` how many times larger a relative error of an intermediate result is
 * in it. */
typedef struct truth {
    double result, terms, condition;
} truth;

typedef truth formula(double x, const float *settings);

static truth exact(double result) {
    return (truth){result, fabs(result), 0};
}

static truth leaky_relu(double x, const float *s) {
    return exact(x > 0 ? x : s[0] == 0 ? 0 : x * (double)s[0]);
}

static truth leaky_relu_slope(double x, const float *s) {
    return exact(x > 0 ? 1 : (double)s[0]);
}

static truth elu(double x, const float *s) {
    return exact(x > 0 ? x : (double)s[0] * expm1(x));
}

static truth elu_slope(double x, const float *s) {
    return exact(x > 0 ? 1 : (double)s[0] * exp(x));
}

static truth hardswish(double x, const float *s) {
    (void)s;
    return exact(x <= -3 ? 0 : x * (fmin(x + 3, 6) / 6));
}

static truth hardswish_slope(double x, const float *s) {
    (void)s;
    return exact(x < -3 ? 0 : x > 3 ? 1 : (x + 1.5) / 3);
}

static double logistic(double z) {
    return z < 0 ? exp(z) / (1 + exp(z)) : 1 / (1 + exp(-z));
}

static truth sigmoid(double x, const float *s) {
    (void)s;
    return exact(logistic(x));
}

static truth sigmoid_slope(double x, const float *s) {
    (void)s;
    return exact(logistic(x) * logistic(-x));
}

static truth tanh_(double x, const float *s) {
    (void)s;
    return exact(tanh(x));
}

static truth tanh_slope(double x, const float *s) {
    (void)s;
    return exact(4 * logistic(2 * x) * logistic(-2 * x));
}

/* Where beta x is rounded, the rounding is magnified by the exponential. */
static double softplus_condition(double x, const float *s) {
    int exponent;
    double z = fabs(x * (double)s[0]);
    return frexpf(s[0], &exponent) == 0.5f ? 0 : fmin(z, 110);
}

static truth softplus(double x, const float *s) {
    double beta = s[0], z = beta * x;
    bool linear = (float)x * s[0] > s[1];
    double result = linear ? x : (fmax(z, 0) + log1p(exp(-fabs(z)))) / beta;
    return (truth){result, fabs(result), x > 0 ? 0 : softplus_condition(x, s)};
}

static truth softplus_slope(double x, const float *s) {
    double result = (float)x * s[0] > s[1] ? 1 : logistic((double)s[0] * x);
    return (truth){result, fabs(result), x > 0 ? 0 : softplus_condition(x, s)};
}

/* x σ(z) and its derivative, which is the sum of two terms; at the infinities their limits. */
static truth times_logistic(double x, double z, double condition) {
    double result = x == -INFINITY ? 0 : x * logistic(z);
    return (truth){result, fabs(result), x > 0 ? 0 : condition};
}

static truth times_logistic_slope(double x, double z, double z_slope, double condition) {
    double own = logistic(z), through = fabs(z) > 1000 ? 0 : own * logistic(-z) * x * z_slope;
    return (truth){own + through, own + fabs(through), x > 0 ? 0 : condition};
}

static truth silu(double x, const float *s) {
    (void)s;
    return times_logistic(x, x, 0);
}

static truth silu_slope(double x, const float *s) {
    (void)s;
    return times_logistic_slope(x, x, 1, 0);
}

static const double GELU_A = 1.5957691216057307, GELU_B = 0.044715;

static truth gelu_tanh(double x, const float *s) {
    (void)s;
    double z = GELU_A * (x + GELU_B * x * x * x);
    return times_logistic(x, z, 2.5 * fmin(fabs(z), 110));
}

static truth gelu_tanh_slope(double x, const float *s) {
    (void)s;
    double z = GELU_A * (x + GELU_B * x * x * x);
    return times_logistic_slope(x, z, GELU_A * (1 + 3 * GELU_B * x * x), 2.5 * fmin(fabs(z), 110));
}

static truth gelu(double x, const float *s) {
    (void)s;
    return exact(x == -INFINITY ? 0 : x * 0.5 * erfc(-x * sqrt(0.5)));
}

static truth gelu_slope(double x, const float *s) {
    (void)s;
    double own = 0.5 * erfc(-x * sqrt(0.5));
    double through = fabs(x) > 1000 ? 0 : x * exp(-x * x / 2) * 0.3989422804014327;
    return (truth){own + through, fabs(own) + fabs(through), 0};
}

/* An activation with settings, and the errors allowed in units in the last place. */
typedef struct function {
    const char *name;
    const dlz_activation_table *(*kernels)(dlz_isa isa);
    float settings[DLZ_ACTIVATION_SETTINGS];
    formula *value, *slope;
    double value_error, slope_error;
} function;

static const function FUNCTIONS[] = {
    {"leaky_relu", dlz_leaky_relu_kernels_of, {0.01f}, leaky_relu, leaky_relu_slope, 0.51, 0},
    {"leaky_relu, 0", dlz_leaky_relu_kernels_of, {0}, leaky_relu, leaky_relu_slope, 0, 0},
    {"leaky_relu, -2", dlz_leaky_relu_kernels_of, {-2}, leaky_relu, leaky_relu_slope, 0, 0},
    {"elu", dlz_elu_kernels_of, {1}, elu, elu_slope, 2, 2},
    {"elu, 0.3", dlz_elu_kernels_of, {0.3f}, elu, elu_slope, 2.5, 2.5},
    {"hardswish", dlz_hardswish_kernels_of, {0}, hardswish, hardswish_slope, 2.5, 1.5},
    {"sigmoid", dlz_sigmoid_kernels_of, {0}, sigmoid, sigmoid_slope, 3, 4.5},
    {"tanh", dlz_tanh_kernels_of, {0}, tanh_, tanh_slope, 3, 4.5},
    {"softplus", dlz_softplus_kernels_of, {1, 20}, softplus, softplus_slope, 3, 3},
    {"softplus, 0.7", dlz_softplus_kernels_of, {0.7f, 5}, softplus, softplus_slope, 4, 3},
    {"softplus, 4", dlz_softplus_kernels_of, {4, 1000}, softplus, softplus_slope, 3, 3},
    {"silu", dlz_silu_kernels_of, {0}, silu, silu_slope, 3, 5},
    {"gelu", dlz_gelu_kernels_of, {0}, gelu, gelu_slope, 4, 4},
    {"gelu_tanh", dlz_gelu_tanh_kernels_of, {0}, gelu_tanh, gelu_tanh_slope, 4, 4},
};
enum { NUM_FUNCTIONS = sizeof FUNCTIONS / sizeof *FUNCTIONS };

/* Numbers of all sizes, a grid where the functions bend, and the places where something ends. */
enum { GRID = 200000, ALL_SIZES = 200000, ENDS = 40 * 5, NUM_X = GRID + ALL_SIZES + ENDS };

static const float *hostile(void) {
    static float x[NUM_X];
    static const float ends[] = {
        0,      FLT_MIN, 0x1p-149f, 1e-30f, 1e-10f, 1e-4f, 0.25f,   0.34657359f, 0.5f,  1,
        1.5f,   2,       2.5f,      3,      5,      6,     7.1429f, 10,          12,    14.6f,
        15,     17,      20,        20.1f,  30,     40,    43.67f,  44,          60,    80,
        87.33f, 88.73f,  103.97f,   104.0f, 110,    250,   1e4f,    1e30f,       3e38f, INFINITY};
    _Static_assert(5 * sizeof ends / sizeof *ends == ENDS, "each end counts five times");
    float *to = x;
    for (int i = 0; i < GRID; i++)
        *to++ = -120 + 240.0f * (float)i / GRID;
    for (uint32_t i = 0; i < ALL_SIZES; i++) {
        uint32_t bits = (i * 21474u + 7u) ^ (i << 31);
        memcpy(to, &bits, sizeof bits);
        if (!isfinite(*to))
            *to = (float)i / ALL_SIZES;
        to++;
    }
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        *to++ = ends[i];
        *to++ = -ends[i];
        *to++ = nextafterf(ends[i], 0);
        *to++ = nextafterf(-ends[i], 0);
        *to++ = nextafterf(-ends[i], -INFINITY);
    }
    return x;
}

static double last_place(double of) {
    int exponent;
    frexp(of, &exponent);
    return ldexp(1, exponent < -125 ? -149 : exponent - 24);
}

static void check_errors(const char *what, const function *f, dlz_isa isa, formula *truth_of,
                         const float *x, const float *results, double allowed) {
    for (int i = 0; i < NUM_X; i++) {
        truth t = truth_of((double)x[i], f->settings);
        float nearest = (float)t.result;
        double error = fabs((double)results[i] - t.result) / last_place(t.terms);
        if (isfinite(nearest) ? error <= allowed + t.condition : results[i] == nearest)
            continue;
        ck_abort_msg("%s of %s, %s: %.9g gives %.9g, not %.9g: %.2f units in the last place", what,
                     f->name, dlz_isa_name(isa), (double)x[i], (double)results[i], t.result, error);
    }
}

#define FOR_EACH_FUNCTION(f, isa)                                                                  \
    for (int isa##_ = 0; isa##_ < DLZ_ISA_COUNT; isa##_++)                                         \
        for (const function *f = FUNCTIONS; f < FUNCTIONS + NUM_FUNCTIONS; f++)                    \
            for (dlz_isa isa = (dlz_isa)isa##_, *once = &isa; once && dlz_isa_available(isa);      \
                 once = NULL)

START_TEST(values_are_those_of_the_formula) {
    static float y[NUM_X];
    const float *x = hostile();
    FOR_EACH_FUNCTION(f, isa) {
        f->kernels(isa)->forward(f->settings, NUM_X, x, y);
        check_errors("value", f, isa, f->value, x, y, f->value_error);
    }
}
END_TEST

START_TEST(slopes_are_those_of_the_formula) {
    static float ones[NUM_X], dx[NUM_X];
    const float *x = hostile();
    for (int i = 0; i < NUM_X; i++)
        ones[i] = 1;
    FOR_EACH_FUNCTION(f, isa) {
        f->kernels(isa)->backward(f->settings, NUM_X, x, ones, dx);
        check_errors("slope", f, isa, f->slope, x, dx, f->slope_error);
    }
}
END_TEST

static bool same_bits(const float *a, const float *b, int64_t count) {
    return memcmp(a, b, (size_t)count * sizeof *a) == 0;
}

/* Each number alone, and any part of them, in place or not, gives the bits that it has among
 * others; nothing else is written. */
START_TEST(place_and_neighbors_change_nothing) {
    enum { N = 71, FRAME = 3 };
    float x[N], dy[N], y[N], dx[N], frame[N + 2 * FRAME];
    fill_uniform(x, N, 5);
    fill_uniform(dy, N, 6);
    for (int i = 0; i < N; i++)
        x[i] *= i % 3 ? 4 : i % 2 ? 1e-20f : 100;
    x[20] = NAN;
    FOR_EACH_FUNCTION(f, isa) {
        const dlz_activation_table *kernels = f->kernels(isa);
        for (int i = 0; i < N; i++) {
            kernels->forward(f->settings, 1, x + i, y + i);
            kernels->backward(f->settings, 1, x + i, dy + i, dx + i);
        }
        for (int count = 0; count <= N - 1; count++)
            for (int from = 0; from + count <= N; from += count < 40 ? 5 : 1)
                for (int way = 0; way < 5; way++) {
                    for (int i = 0; i < N + 2 * FRAME; i++)
                        frame[i] = -12345;
                    float *at = frame + 1 + from % FRAME;
                    if (way == 1 || way == 4)
                        memcpy(at, x + from, (size_t)count * sizeof *x);
                    if (way == 3)
                        memcpy(at, dy + from, (size_t)count * sizeof *x);
                    if (way < 2)
                        kernels->forward(f->settings, count, way == 1 ? at : x + from, at);
                    else
                        kernels->backward(f->settings, count, way == 4 ? at : x + from,
                                          way == 3 ? at : dy + from, at);
                    bool right = same_bits(at, (way < 2 ? y : dx) + from, count);
                    for (float *p = frame; p < frame + N + 2 * FRAME; p++)
                        right &= *p == -12345 || (p >= at && p < at + count);
                    if (!right)
                        ck_abort_msg("%s, %s: %d from %d, way %d", f->name, dlz_isa_name(isa),
                                     count, from, way);
                }
    }
}
END_TEST

START_TEST(gradients_are_slopes_times_gradients) {
    enum { N = 4001 };
    static float x[N], ones[N], dy[N], slopes[N], dx[N];
    for (int i = 0; i < N; i++) {
        x[i] = -120 + 240.0f * (float)i / (N - 1);
        ones[i] = 1;
    }
    fill_uniform(dy, N, 9);
    FOR_EACH_FUNCTION(f, isa) {
        f->kernels(isa)->backward(f->settings, N, x, ones, slopes);
        f->kernels(isa)->backward(f->settings, N, x, dy, dx);
        for (int i = 0; i < N; i++)
            if (dx[i] != slopes[i] * dy[i])
                ck_abort_msg("%s, %s: %.9g: %.9g * %.9g gives %.9g", f->name, dlz_isa_name(isa),
                             (double)x[i], (double)slopes[i], (double)dy[i], (double)dx[i]);
    }
}
END_TEST

START_TEST(a_blocked_gradient_is_0_and_a_nan_stays_one) {
    enum { N = 37 };
    static const float wild[] = {INFINITY, -INFINITY, NAN, 1e38f};
    float x[N], dy[N], y[N], dx[N], slopes[N];
    FOR_EACH_FUNCTION(f, isa) {
        const dlz_activation_table *kernels = f->kernels(isa);
        for (int i = 0; i < N; i++) {
            x[i] = i % 5 == 4 ? NAN : i % 2 ? -INFINITY : -1e3f * (float)i;
            dy[i] = 1;
        }
        kernels->backward(f->settings, N, x, dy, slopes);
        for (int w = 0; w < 4; w++) {
            for (int i = 0; i < N; i++)
                dy[i] = wild[w];
            kernels->forward(f->settings, N, x, y);
            kernels->backward(f->settings, N, x, dy, dx);
            for (int i = 0; i < N; i++) {
                if (isnan(x[i]))
                    ck_assert(same_bits(y + i, x + i, 1) && same_bits(dx + i, x + i, 1));
                else if (slopes[i] == 0)
                    ck_assert_msg(dx[i] == 0, "%s, %s: %.9g", f->name, dlz_isa_name(isa),
                                  (double)x[i]);
                else
                    ck_assert(isnan(dy[i]) ? isnan(dx[i]) : dx[i] == slopes[i] * dy[i]);
            }
        }
    }
}
END_TEST

/* What PyTorch decides at the places where the formula changes. */
START_TEST(kinks_and_limits) {
    static const struct {
        const char *name;
        float x, value, slope;
    } places[] = {
        {"leaky_relu", 0, 0, 0.01f},
        {"leaky_relu", -0.0f, -0.0f, 0.01f},
        {"leaky_relu", INFINITY, INFINITY, 1},
        {"leaky_relu", -INFINITY, -INFINITY, 0.01f},
        {"elu", 0, 0, 1},
        {"elu", -0.0f, -0.0f, 1},
        {"elu, 0.3", 0, 0, 0.3f},
        {"elu", -INFINITY, -1, 0},
        {"elu, 0.3", -INFINITY, -0.3f, 0},
        {"elu", INFINITY, INFINITY, 1},
        {"hardswish", -3, 0, -0.5f},
        {"hardswish", 3, 3, 1.5f},
        {"hardswish", -INFINITY, 0, 0},
        {"hardswish", 3e38f, 3e38f, 1},
        {"hardswish", INFINITY, INFINITY, 1},
        {"hardswish", -0.0f, -0.0f, 0.5f},
        {"sigmoid", 0, 0.5f, 0.25f},
        {"sigmoid", INFINITY, 1, 0},
        {"sigmoid", -INFINITY, 0, 0},
        {"tanh", -0.0f, -0.0f, 1},
        {"tanh", INFINITY, 1, 0},
        {"tanh", -INFINITY, -1, 0},
        {"tanh", 1e-40f, 1e-40f, 1},
        {"softplus", 20.000002f, 20.000002f, 1},
        {"softplus", INFINITY, INFINITY, 1},
        {"softplus", -INFINITY, 0, 0},
        {"softplus, 4", INFINITY, INFINITY, 1},
        {"silu", -0.0f, -0.0f, 0.5f},
        {"silu", INFINITY, INFINITY, 1},
        {"silu", -INFINITY, 0, 0},
        {"silu", -3e38f, 0, 0},
        {"gelu", -0.0f, -0.0f, 0.5f},
        {"gelu", INFINITY, INFINITY, 1},
        {"gelu", -INFINITY, 0, 0},
        {"gelu", -20, 0, 0},
        {"gelu_tanh", -0.0f, -0.0f, 0.5f},
        {"gelu_tanh", INFINITY, INFINITY, 1},
        {"gelu_tanh", -INFINITY, 0, 0},
    };
    int met = 0;
    FOR_EACH_FUNCTION(f, isa)
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        if (strcmp(places[i].name, f->name) != 0)
            continue;
        float one = 1, y, dx;
        f->kernels(isa)->forward(f->settings, 1, &places[i].x, &y);
        f->kernels(isa)->backward(f->settings, 1, &places[i].x, &one, &dx);
        ck_assert_msg(y == places[i].value &&
                          (y != 0 || places[i].x != 0 || signbit(y) == signbit(places[i].value)),
                      "%s, %s: %g gives %.9g", f->name, dlz_isa_name(isa), (double)places[i].x,
                      (double)y);
        ck_assert_msg(dx == places[i].slope, "%s, %s: the slope at %g is %.9g", f->name,
                      dlz_isa_name(isa), (double)places[i].x, (double)dx);
        met++;
    }
    ck_assert_int_ge(met, (int)(sizeof places / sizeof *places));
}
END_TEST

int main(void) {
    const TTest *const tests[] = {values_are_those_of_the_formula,
                                  slopes_are_those_of_the_formula,
                                  place_and_neighbors_change_nothing,
                                  gradients_are_slopes_times_gradients,
                                  a_blocked_gradient_is_0_and_a_nan_stays_one,
                                  kinks_and_limits,
                                  NULL};
    return run_tests("activations", tests);
}
