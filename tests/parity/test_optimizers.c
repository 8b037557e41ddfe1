/* Optimizers step by step, and ReduceLROnPlateau epoch by epoch, against PyTorch. */
#include "support/fixture.h"
#include "support/netspec.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *start; /* of a name */
    dlviz_status (*create)(dlviz_optimizer **out, double learning_rate);
} creators[] = {{"adamw", dlviz_adamw_create}, {"adam", dlviz_adam_create},
                {"lion", dlviz_lion_create},   {"nadam", dlviz_nadam_create},
                {"radam", dlviz_radam_create}, {"rmsprop", dlviz_rmsprop_create},
                {"sgd", dlviz_sgd_create}};

static void set(dlviz_optimizer *o, const char *name) {
    if (strcmp(name, "adam_set") == 0) {
        ck_ok(dlviz_adam_set_betas(o, 0.8, 0.95));
        ck_ok(dlviz_adam_set_eps(o, 1e-4));
        ck_ok(dlviz_optimizer_set_weight_decay(o, 0.1));
    } else if (strcmp(name, "adam_beta0") == 0)
        ck_ok(dlviz_adam_set_betas(o, 0, 0.9));
    else if (strcmp(name, "adam_amsgrad") == 0) {
        ck_ok(dlviz_adam_set_betas(o, 0.9, 0.6));
        ck_ok(dlviz_adam_set_eps(o, 1e-3));
        ck_ok(dlviz_adam_set_amsgrad(o, true));
        ck_ok(dlviz_optimizer_set_weight_decay(o, 0.1));
    } else if (strcmp(name, "adamw_set") == 0) {
        ck_ok(dlviz_adam_set_betas(o, 0.7, 0.99));
        ck_ok(dlviz_adam_set_eps(o, 1e-6));
        ck_ok(dlviz_optimizer_set_weight_decay(o, 0.3));
    } else if (strcmp(name, "adamw_amsgrad") == 0) {
        ck_ok(dlviz_adam_set_betas(o, 0.5, 0.8));
        ck_ok(dlviz_adam_set_eps(o, 1e-3));
        ck_ok(dlviz_adam_set_amsgrad(o, true));
        ck_ok(dlviz_optimizer_set_weight_decay(o, 0.3));
    } else if (strcmp(name, "lion_set") == 0) {
        ck_ok(dlviz_lion_set_betas(o, 0.6, 0.95));
        ck_ok(dlviz_optimizer_set_weight_decay(o, 0.5));
    } else if (strcmp(name, "nadam_set") == 0) {
        ck_ok(dlviz_nadam_set_betas(o, 0.8, 0.95));
        ck_ok(dlviz_nadam_set_eps(o, 1e-4));
        ck_ok(dlviz_nadam_set_momentum_decay(o, 0.2));
        ck_ok(dlviz_optimizer_set_weight_decay(o, 0.1));
    } else if (strcmp(name, "nadam_slow") == 0) {
        ck_ok(dlviz_nadam_set_betas(o, 0.99, 0.9));
        ck_ok(dlviz_nadam_set_momentum_decay(o, 0));
    } else if (strcmp(name, "radam_set") == 0) {
        ck_ok(dlviz_radam_set_betas(o, 0.7, 0.95));
        ck_ok(dlviz_radam_set_eps(o, 1e-3));
        ck_ok(dlviz_optimizer_set_weight_decay(o, 0.1));
    } else if (strcmp(name, "radam_short") == 0)
        ck_ok(dlviz_radam_set_betas(o, 0.9, 0.6));
    else if (strcmp(name, "sgd_decay") == 0)
        ck_ok(dlviz_optimizer_set_weight_decay(o, 0.2));
    else if (strcmp(name, "sgd_momentum") == 0)
        ck_ok(dlviz_sgd_set_momentum(o, 0.9, 0, false));
    else if (strcmp(name, "sgd_dampening") == 0) {
        ck_ok(dlviz_sgd_set_momentum(o, 0.9, 0.3, false));
        ck_ok(dlviz_optimizer_set_weight_decay(o, 0.05));
    } else if (strcmp(name, "sgd_nesterov") == 0)
        ck_ok(dlviz_sgd_set_momentum(o, 0.8, 0, true));
    else if (strcmp(name, "rmsprop_set") == 0) {
        ck_ok(dlviz_rmsprop_set_smoothing(o, 0.8, 1e-3));
        ck_ok(dlviz_optimizer_set_weight_decay(o, 0.1));
    } else if (strcmp(name, "rmsprop_momentum") == 0)
        ck_ok(dlviz_rmsprop_set_momentum(o, 0.9));
    else if (strcmp(name, "rmsprop_centered") == 0) {
        ck_ok(dlviz_rmsprop_set_smoothing(o, 0.9, 1e-3));
        ck_ok(dlviz_rmsprop_set_centered(o, true));
        ck_ok(dlviz_rmsprop_set_momentum(o, 0.5));
    }
}

/* generate.py's GROUPS: before the first step, and before the eleventh. */
static void set_groups(dlviz_optimizer *o, const char *name, int step) {
    if (strcmp(name, "adamw_groups") == 0 && step == 0) {
        ck_ok(dlviz_optimizer_set_weight_decay(o, 0.3));
        ck_ok(dlviz_optimizer_set_decay_weights_only(o, true));
        ck_ok(dlviz_optimizer_set_decay_factor(o, "fc2.we*", 2));
        ck_ok(dlviz_optimizer_set_rate_factor(o, "fc1.*", 0.1));
    } else if (strcmp(name, "adamw_groups") == 0) {
        ck_ok(dlviz_optimizer_set_rate_factor(o, "fc1.*", 0.5));
        ck_ok(dlviz_optimizer_set_rate_factor(o, "?.weight", 3));
    } else if (strcmp(name, "sgd_groups") == 0 && step == 0) {
        ck_ok(dlviz_sgd_set_momentum(o, 0.9, 0, false));
        ck_ok(dlviz_optimizer_set_weight_decay(o, 0.2));
        ck_ok(dlviz_optimizer_set_decay_factor(o, "*.bias", 0));
        ck_ok(dlviz_optimizer_set_decay_factor(o, "b.*", 0));
        ck_ok(dlviz_optimizer_set_rate_factor(o, "*", 0.5));
        ck_ok(dlviz_optimizer_set_rate_factor(o, "fc2.*", 2));
        ck_ok(dlviz_optimizer_set_rate_factor(o, "fc2.bias", 0));
    } else if (strcmp(name, "sgd_groups") == 0) {
        ck_ok(dlviz_optimizer_set_decay_factor(o, "fc2.weight", 4));
        ck_ok(dlviz_optimizer_set_rate_factor(o, "fc2.*", 2)); /* now behind fc2.bias */
    }
}

/* Makes generate.py's optimizer of that name. */
static dlviz_optimizer *make(const char *name) {
    dlviz_optimizer *o = NULL;
    size_t i = 0;
    while (strncmp(name, creators[i].start, strlen(creators[i].start)) != 0)
        i++;
    ck_ok(creators[i].create(&o, 0.01));
    set(o, name);
    return o;
}

/* The distance of all parameters from a reference of so many, in the Euclidean norm. */
static double parameter_distance(const dlviz_network *network, const double *reference, int count) {
    double squares = 0;
    int at = 0;
    for (int64_t i = 0; i < dlviz_network_num_states(network); i++) {
        const char *name = dlviz_network_state_name(network, i);
        if (!strstr(name, ".weight") && !strstr(name, ".bias"))
            continue; /* statistics */
        dlviz_tensor *tensor;
        ck_ok(dlviz_network_get_state(network, name, &tensor));
        for (int64_t j = 0; j < dlviz_tensor_num_elements(tensor); j++) {
            double d = (double)dlviz_tensor_const_float(tensor)[j] - reference[at++];
            squares += d * d;
        }
        dlviz_tensor_destroy(tensor);
    }
    ck_assert_int_eq(at, count);
    return sqrt(squares);
}

/* 20 steps, the rate falling to 0.004 at the eleventh. Returns how many are too far: more than 1e-7
 * of the parameters' norm a step, which is their rounding, or than four times PyTorch's float32. */
static int follow(const fixture *file, const char *name) {
    char key[64];
    bool grouped = strstr(name, "groups");
    int parameters = 6 * 7 + (grouped ? 6 + 6 : 6) + 3 * 6 + 3;
    const double *track = fixture_doubles(file, name, 20 * parameters);
    snprintf(key, sizeof key, "%s#float32", name);
    const double *torch = fixture_doubles(file, key, 20);
    net_spec spec;
    parse_net(&spec, "7",
              grouped ? "fc1:linear,out=6,bias=0 b:bn relu:relu fc2:linear,out=3"
                      : "fc1:linear,out=6 relu:relu fc2:linear,out=3");
    dlviz_network *network = build_net(&spec, 1);
    dlviz_optimizer *optimizer = make(name);
    int far = 0;
    fill_states(network, 1, false);
    for (int t = 0; t < 20; t++) {
        dlviz_tensor *inputs = input_tensor(&spec, 5, 400 + (uint64_t)t, false);
        dlviz_tensor *labels = label_tensor(5, 3, 500 + (uint64_t)t);
        if (t % 10 == 0)
            set_groups(optimizer, name, t);
        if (t == 10)
            ck_ok(dlviz_optimizer_set_learning_rate(optimizer, 0.004));
        ck_ok(dlviz_network_backward(network, inputs, labels, 0, (uint64_t)t, NULL));
        ck_ok(dlviz_optimizer_step(optimizer, network));
        ck_assert_int_eq(dlviz_optimizer_num_steps(optimizer), t + 1);
        double norm = 0, error = parameter_distance(network, track + t * parameters, parameters);
        for (int i = 0; i < parameters; i++)
            norm += track[t * parameters + i] * track[t * parameters + i];
        double allowed = fmax(1e-7 * (t + 1) * sqrt(norm), 4 * torch[t]);
        if (!(error <= allowed)) {
            printf("%s, step %d: off by %.2e, PyTorch float32 by %.2e\n", name, t + 1, error,
                   torch[t]);
            far++;
        }
        dlviz_tensor_destroy(inputs);
        dlviz_tensor_destroy(labels);
    }
    fflush(stdout);
    dlviz_optimizer_destroy(optimizer);
    dlviz_network_destroy(network);
    return far;
}

START_TEST(each_step_is_pytorchs) {
    static const char *const names[] = {"adam",
                                        "adam_set",
                                        "adam_beta0",
                                        "adam_amsgrad",
                                        "adamw",
                                        "adamw_set",
                                        "adamw_amsgrad",
                                        "adamw_groups",
                                        "lion",
                                        "lion_set",
                                        "nadam",
                                        "nadam_set",
                                        "nadam_slow",
                                        "radam",
                                        "radam_set",
                                        "radam_short",
                                        "rmsprop",
                                        "rmsprop_set",
                                        "rmsprop_momentum",
                                        "rmsprop_centered",
                                        "sgd",
                                        "sgd_decay",
                                        "sgd_momentum",
                                        "sgd_dampening",
                                        "sgd_nesterov",
                                        "sgd_groups"};
    fixture *file = fixture_open("optimizers.safetensors");
    int far = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        far += follow(file, names[i]);
    fixture_close(file);
    ck_assert_msg(far == 0, "%d steps are too far from PyTorch's", far);
}
END_TEST

START_TEST(plateau_is_pytorchs) {
    fixture *file = fixture_open("plateau.safetensors");
    const char *name, *dtype;
    int ndim, cases = 0;
    int64_t dims[8];
    for (int i = 0; fixture_entry(file, i, &name, &dtype, &ndim, dims); i++) {
        char prefix[64], key[96];
        if (!strstr(name, "/metrics"))
            continue;
        snprintf(prefix, sizeof prefix, "%.*s", (int)strcspn(name, "/"), name);
        const double *metrics = fixture_doubles(file, name, dims[0]);
        snprintf(key, sizeof key, "%s/rates", prefix);
        const double *rates = fixture_doubles(file, key, dims[0]);
        snprintf(key, sizeof key, "%s/settings", prefix);
        const double *s = fixture_doubles(file, key, 5);
        dlviz_schedule *schedule = dlviz_plateau(s[0], (int64_t)s[1]);
        if (s[2] != 1e-4)
            ck_ok(dlviz_plateau_set_threshold(schedule, s[2]));
        if (s[3] != 0)
            ck_ok(dlviz_plateau_set_cooldown(schedule, (int)s[3]));
        if (s[4] != 0)
            ck_ok(dlviz_plateau_set_minimum(schedule, s[4]));
        double rate = 1e-3;
        for (int64_t epoch = 0; epoch < dims[0]; epoch++) {
            ck_ok(dlviz_schedule_next(schedule, metrics[epoch], rate, &rate));
            ck_assert_msg(rate == rates[epoch], "%s, epoch %lld: rate %.17g, PyTorch has %.17g",
                          prefix, (long long)epoch, rate, rates[epoch]);
        }
        dlviz_schedule_destroy(schedule);
        cases++;
    }
    fixture_close(file);
    ck_assert_int_eq(cases, 14);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {each_step_is_pytorchs, plateau_is_pytorchs, NULL};
    return run_tests("optimizers against PyTorch", tests);
}
