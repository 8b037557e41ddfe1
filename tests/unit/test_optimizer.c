/* Settings and states of optimizers. What a step does is tests/parity/test_optimizers.c's subject.
 */
#include "support/netspec.h"
#include "train/optimizer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define INVALID DLVIZ_ERROR_INVALID_ARGUMENT

typedef dlviz_status (*create_fn)(dlviz_optimizer **out, double learning_rate);
static const create_fn creators[] = {dlviz_adam_create,  dlviz_adamw_create, dlviz_lion_create,
                                     dlviz_nadam_create, dlviz_radam_create, dlviz_rmsprop_create,
                                     dlviz_sgd_create};
enum { NUM_CREATORS = sizeof creators / sizeof *creators };

START_TEST(learning_rates_are_checked) {
    for (int i = 0; i < NUM_CREATORS; i++) {
        dlviz_optimizer *o = (dlviz_optimizer *)1;
        ck_fails(creators[i](NULL, 0.1), INVALID, "out");
        ck_fails(creators[i](&o, -0.5), INVALID, "-0.5");
        ck_assert_ptr_null(o);
        ck_fails(creators[i](&o, NAN), INVALID, "nan");
        ck_fails(creators[i](&o, INFINITY), INVALID, "inf");
        ck_ok(creators[i](&o, 0));
        ck_assert_double_eq(dlviz_optimizer_learning_rate(o), 0);
        ck_ok(dlviz_optimizer_set_learning_rate(o, 0.25));
        ck_fails(dlviz_optimizer_set_learning_rate(o, -1), INVALID, "-1");
        ck_fails(dlviz_optimizer_set_learning_rate(o, NAN), INVALID, "nan");
        ck_assert_double_eq(dlviz_optimizer_learning_rate(o), 0.25);
        ck_fails(dlviz_optimizer_set_weight_decay(o, -1), INVALID, "-1");
        ck_fails(dlviz_optimizer_set_weight_decay(o, NAN), INVALID, "nan");
        ck_fails(dlviz_optimizer_set_weight_decay(o, INFINITY), INVALID, "inf");
        ck_assert_int_eq(dlviz_optimizer_num_steps(o), 0);
        dlviz_optimizer_destroy(o);
    }
    ck_fails(dlviz_optimizer_set_learning_rate(NULL, 1), INVALID, "optimizer");
    ck_fails(dlviz_optimizer_set_weight_decay(NULL, 1), INVALID, "optimizer");
    dlviz_optimizer_destroy(NULL);
}
END_TEST

START_TEST(settings_are_checked) {
    dlviz_optimizer *adam, *adamw, *sgd, *rmsprop;
    ck_ok(dlviz_adam_create(&adam, 1));
    ck_ok(dlviz_adamw_create(&adamw, 1));
    ck_ok(dlviz_sgd_create(&sgd, 1));
    ck_ok(dlviz_rmsprop_create(&rmsprop, 1));
    ck_fails(dlviz_adam_set_betas(adam, 1, 0.9), INVALID, "1");
    ck_fails(dlviz_adam_set_betas(adam, 0.9, -0.125), INVALID, "-0.125");
    ck_fails(dlviz_adam_set_betas(adamw, NAN, 0.9), INVALID, "nan");
    ck_fails(dlviz_adam_set_eps(adam, 0), INVALID, "0");
    ck_fails(dlviz_adam_set_eps(adam, -3), INVALID, "-3");
    ck_fails(dlviz_adam_set_eps(adamw, NAN), INVALID, "nan");
    ck_ok(dlviz_adam_set_betas(adam, 0, 0));
    ck_ok(dlviz_adam_set_eps(adamw, 1e-6));
    ck_fails(dlviz_sgd_set_momentum(sgd, -0.5, 0, false), INVALID, "-0.5");
    ck_fails(dlviz_sgd_set_momentum(sgd, NAN, 0, false), INVALID, "nan");
    ck_fails(dlviz_sgd_set_momentum(sgd, 0, 0, true), INVALID, "momentum");
    ck_fails(dlviz_sgd_set_momentum(sgd, 0.9, 0.25, true), INVALID, "0.25");
    ck_fails(dlviz_sgd_set_momentum(sgd, 0.9, NAN, false), INVALID, "nan");
    ck_ok(dlviz_sgd_set_momentum(sgd, 0.9, 0, true));
    ck_fails(dlviz_rmsprop_set_smoothing(rmsprop, 1, 1e-8), INVALID, "1");
    ck_fails(dlviz_rmsprop_set_smoothing(rmsprop, -0.5, 1e-8), INVALID, "-0.5");
    ck_fails(dlviz_rmsprop_set_smoothing(rmsprop, 0.5, 0), INVALID, "0");
    ck_ok(dlviz_rmsprop_set_smoothing(rmsprop, 0, 1e-3));
    ck_fails(dlviz_rmsprop_set_momentum(rmsprop, -0.5), INVALID, "-0.5");
    ck_fails(dlviz_rmsprop_set_momentum(rmsprop, NAN), INVALID, "nan");
    ck_ok(dlviz_rmsprop_set_momentum(rmsprop, 0));
    ck_ok(dlviz_rmsprop_set_centered(rmsprop, false));
    ck_assert_int_eq(dlviz_rmsprop_set_momentum(sgd, 0.9), INVALID);
    ck_assert_int_eq(dlviz_rmsprop_set_centered(adam, true), INVALID);
    /* A setter of another kind. */
    ck_assert_int_eq(dlviz_adam_set_betas(sgd, 0.9, 0.9), INVALID);
    ck_assert_int_eq(dlviz_adam_set_eps(rmsprop, 1), INVALID);
    ck_assert_int_eq(dlviz_sgd_set_momentum(adam, 0.9, 0, false), INVALID);
    ck_assert_int_eq(dlviz_rmsprop_set_smoothing(adamw, 0.9, 1e-8), INVALID);
    ck_assert_int_eq(dlviz_adam_set_eps(NULL, 1), INVALID);
    dlviz_optimizer_destroy(adam);
    dlviz_optimizer_destroy(adamw);
    dlviz_optimizer_destroy(sgd);
    dlviz_optimizer_destroy(rmsprop);
}
END_TEST

START_TEST(settings_of_adams_relatives_are_checked) {
    dlviz_optimizer *nadam, *radam, *lion;
    ck_ok(dlviz_nadam_create(&nadam, 1));
    ck_ok(dlviz_radam_create(&radam, 1));
    ck_ok(dlviz_lion_create(&lion, 1));
    ck_fails(dlviz_nadam_set_betas(nadam, 1, 0.9), INVALID, "the betas are 1 and 0.9");
    ck_fails(dlviz_nadam_set_betas(nadam, 0.9, NAN), INVALID, "nan");
    ck_fails(dlviz_nadam_set_eps(nadam, 0), INVALID, "0");
    ck_fails(dlviz_nadam_set_momentum_decay(nadam, -0.25), INVALID, "-0.25");
    ck_fails(dlviz_nadam_set_momentum_decay(nadam, NAN), INVALID, "nan");
    ck_fails(dlviz_nadam_set_momentum_decay(nadam, INFINITY), INVALID, "inf");
    ck_ok(dlviz_nadam_set_momentum_decay(nadam, 0));
    ck_fails(dlviz_radam_set_betas(radam, -0.5, 0.9), INVALID, "-0.5");
    ck_fails(dlviz_radam_set_betas(radam, 0.9, 1), INVALID, "1");
    ck_fails(dlviz_radam_set_eps(radam, -3), INVALID, "-3");
    ck_fails(dlviz_lion_set_betas(lion, 1.5, 0.9), INVALID, "1.5");
    ck_ok(dlviz_lion_set_betas(lion, 0, 0));
    /* Setters of another kind. */
    ck_assert_int_eq(dlviz_adam_set_betas(nadam, 0.9, 0.9), INVALID);
    ck_assert_int_eq(dlviz_adam_set_amsgrad(radam, true), INVALID);
    ck_assert_int_eq(dlviz_nadam_set_betas(lion, 0.9, 0.9), INVALID);
    ck_assert_int_eq(dlviz_nadam_set_eps(radam, 1), INVALID);
    ck_assert_int_eq(dlviz_nadam_set_momentum_decay(radam, 1), INVALID);
    ck_assert_int_eq(dlviz_radam_set_betas(nadam, 0.9, 0.9), INVALID);
    ck_assert_int_eq(dlviz_radam_set_eps(lion, 1), INVALID);
    ck_assert_int_eq(dlviz_lion_set_betas(nadam, 0.9, 0.9), INVALID);
    dlviz_optimizer_destroy(nadam);
    dlviz_optimizer_destroy(radam);
    dlviz_optimizer_destroy(lion);
}
END_TEST

/* They decide which moments there are. */
START_TEST(some_settings_come_before_the_first_step) {
    net_spec spec;
    dlviz_optimizer *sgd, *rmsprop, *adam;
    parse_net(&spec, "5", "fc:linear,out=3");
    dlviz_network *a = build_net(&spec, 1), *b = build_net(&spec, 1), *c = build_net(&spec, 1);
    dlviz_tensor *inputs = input_tensor(&spec, 4, 1, false), *labels = label_tensor(4, 3, 2);
    ck_ok(dlviz_sgd_create(&sgd, 1e-3));
    ck_ok(dlviz_rmsprop_create(&rmsprop, 1e-3));
    ck_ok(dlviz_adam_create(&adam, 1e-3));
    for (int step = 0; step < 2; step++) {
        ck_ok(dlviz_network_backward(a, inputs, labels, 0, 0, NULL));
        ck_ok(dlviz_optimizer_step(sgd, a));
        ck_ok(dlviz_network_backward(b, inputs, labels, 0, 0, NULL));
        ck_ok(dlviz_optimizer_step(rmsprop, b));
        ck_ok(dlviz_network_backward(c, inputs, labels, 0, 0, NULL));
        ck_ok(dlviz_optimizer_step(adam, c));
    }
    ck_fails(dlviz_sgd_set_momentum(sgd, 0.9, 0, false), DLVIZ_ERROR_STATE,
             "the optimizer has taken 2 steps; momentum is set before the first");
    ck_fails(dlviz_rmsprop_set_momentum(rmsprop, 0.9), DLVIZ_ERROR_STATE, "taken 2 steps");
    ck_fails(dlviz_rmsprop_set_centered(rmsprop, true), DLVIZ_ERROR_STATE,
             "the optimizer has taken 2 steps; centering is set before the first");
    ck_fails(dlviz_adam_set_amsgrad(adam, true), DLVIZ_ERROR_STATE,
             "the optimizer has taken 2 steps; amsgrad is set before the first");
    ck_ok(dlviz_rmsprop_set_smoothing(rmsprop, 0.5, 1e-4));
    dlviz_tensor_destroy(inputs);
    dlviz_tensor_destroy(labels);
    dlviz_optimizer_destroy(sgd);
    dlviz_optimizer_destroy(rmsprop);
    dlviz_optimizer_destroy(adam);
    dlviz_network_destroy(a);
    dlviz_network_destroy(b);
    dlviz_network_destroy(c);
}
END_TEST

START_TEST(a_step_needs_gradients_and_one_network) {
    for (int i = 0; i < NUM_CREATORS; i++) {
        net_spec spec;
        dlviz_optimizer *o;
        parse_net(&spec, "5", "fc:linear,out=3");
        dlviz_network *a = build_net(&spec, 1), *b = build_net(&spec, 1), *raw;
        dlviz_tensor *inputs = input_tensor(&spec, 4, 1, false), *labels = label_tensor(4, 3, 2);
        ck_ok(creators[i](&o, 0.1));
        ck_fails(dlviz_optimizer_step(o, a), DLVIZ_ERROR_STATE, "gradient");
        ck_fails(dlviz_optimizer_step(o, NULL), INVALID, "network");
        ck_fails(dlviz_optimizer_step(NULL, a), INVALID, "optimizer");
        ck_ok(dlviz_network_create(&raw, 1, (int64_t[]){5}));
        ck_assert_int_eq(dlviz_optimizer_step(o, raw), DLVIZ_ERROR_STATE);
        ck_assert_int_eq(dlviz_optimizer_num_steps(o), 0);
        /* None of these made it any network's. */
        ck_ok(dlviz_network_backward(b, inputs, labels, 0, 0, NULL));
        ck_ok(dlviz_optimizer_step(o, b));
        ck_assert_int_eq(dlviz_optimizer_num_steps(o), 1);
        ck_ok(dlviz_network_backward(a, inputs, labels, 0, 0, NULL));
        ck_fails(dlviz_optimizer_step(o, a), DLVIZ_ERROR_STATE, "network");
        ck_assert_int_eq(dlviz_optimizer_num_steps(o), 1);
        dlviz_tensor_destroy(inputs);
        dlviz_tensor_destroy(labels);
        dlviz_optimizer_destroy(o);
        dlviz_network_destroy(a);
        dlviz_network_destroy(b);
        dlviz_network_destroy(raw);
    }
}
END_TEST

/* Else another network could come to lie where the first one lay, and be taken for it. */
START_TEST(an_optimizer_holds_its_network) {
    net_spec spec;
    dlviz_optimizer *o;
    parse_net(&spec, "5", "fc:linear,out=3");
    dlviz_tensor *inputs = input_tensor(&spec, 4, 1, false), *labels = label_tensor(4, 3, 2);
    ck_ok(dlviz_adam_create(&o, 0.1));
    for (int i = 0; i < 20; i++) {
        dlviz_network *network = build_net(&spec, 1);
        ck_ok(dlviz_network_backward(network, inputs, labels, 0, 0, NULL));
        if (i == 0)
            ck_ok(dlviz_optimizer_step(o, network));
        else
            ck_fails(dlviz_optimizer_step(o, network), DLVIZ_ERROR_STATE, "another network");
        dlviz_network_destroy(network);
    }
    ck_assert_int_eq(dlviz_optimizer_num_steps(o), 1);
    dlviz_optimizer_destroy(o);
    dlviz_tensor_destroy(inputs);
    dlviz_tensor_destroy(labels);
}
END_TEST

START_TEST(a_rate_of_zero_changes_no_parameter) {
    for (int i = 0; i < NUM_CREATORS; i++) {
        net_spec spec;
        dlviz_optimizer *o;
        parse_net(&spec, "2x5x5", "c:conv,out=3,k=3 r:relu f:flatten fc:linear,out=3");
        dlviz_network *a = build_net(&spec, 1), *b = build_net(&spec, 1);
        dlviz_tensor *inputs = input_tensor(&spec, 4, 1, false), *labels = label_tensor(4, 3, 2);
        ck_ok(creators[i](&o, 0));
        ck_ok(dlviz_network_backward(a, inputs, labels, 0, 0, NULL));
        ck_ok(dlviz_optimizer_step(o, a));
        assert_same_states(a, b);
        dlviz_tensor_destroy(inputs);
        dlviz_tensor_destroy(labels);
        dlviz_optimizer_destroy(o);
        dlviz_network_destroy(a);
        dlviz_network_destroy(b);
    }
}
END_TEST

START_TEST(every_parameter_is_trained) {
    for (int i = 0; i < NUM_CREATORS; i++) {
        net_spec spec;
        dlviz_optimizer *o;
        parse_net(&spec, "2x9x9",
                  "c:conv,out=5,k=3 b:bn r:relu p:pool,k=2 f:flatten fc:linear,out=3");
        dlviz_network *a = build_net(&spec, 1), *b = build_net(&spec, 1);
        fill_states(a, 1, false);
        fill_states(b, 1, false);
        dlviz_tensor *inputs = input_tensor(&spec, 4, 1, false), *labels = label_tensor(4, 3, 2);
        dlviz_tensor *before, *after;
        ck_ok(creators[i](&o, 0.1));
        ck_ok(dlviz_network_backward(a, inputs, labels, 0, 0, NULL));
        ck_ok(dlviz_optimizer_step(o, a));
        for (int s = 0; s < dlviz_network_num_states(a); s++) {
            const char *name = dlviz_network_state_name(a, s);
            ck_ok(dlviz_network_get_state(a, name, &after));
            ck_ok(dlviz_network_get_state(b, name, &before));
            size_t bytes = (size_t)dlviz_tensor_num_elements(after) *
                           dlviz_dtype_size(dlviz_tensor_dtype(after));
            ck_assert_msg(strcmp(name, "c.bias") == 0 || /* its gradient is 0 but for rounding */
                              memcmp(dlviz_tensor_const_data(before),
                                     dlviz_tensor_const_data(after), bytes) != 0,
                          "'%s' did not change", name);
            dlviz_tensor_destroy(before);
            dlviz_tensor_destroy(after);
        }
        dlviz_tensor_destroy(inputs);
        dlviz_tensor_destroy(labels);
        dlviz_optimizer_destroy(o);
        dlviz_network_destroy(a);
        dlviz_network_destroy(b);
    }
}
END_TEST

/* A gradient is good for one step, at the parameters it was taken at. */
START_TEST(no_gradient_is_used_twice) {
    for (int i = 0; i < NUM_CREATORS; i++) {
        net_spec spec;
        dlviz_optimizer *o, *second;
        dlviz_tensor *gradient, *weight;
        parse_net(&spec, "5", "fc1:linear,out=6 b:bn fc:linear,out=3");
        dlviz_network *a = build_net(&spec, 1), *once = build_net(&spec, 1);
        dlviz_tensor *inputs = input_tensor(&spec, 4, 1, false), *labels = label_tensor(4, 3, 2);
        dlviz_tensor *single = input_tensor(&spec, 1, 1, false), *label = label_tensor(1, 3, 2);
        ck_ok(creators[i](&o, 0.1));
        ck_ok(creators[i](&second, 0.1));
        ck_ok(dlviz_network_backward(once, inputs, labels, 0, 0, NULL));
        ck_ok(dlviz_optimizer_step(second, once));
        dlviz_optimizer_destroy(second);
        ck_ok(creators[i](&second, 0.1));
        ck_ok(dlviz_network_backward(a, inputs, labels, 0, 0, NULL));
        ck_ok(dlviz_optimizer_step(o, a));
        ck_fails(dlviz_optimizer_step(o, a), DLVIZ_ERROR_STATE, "used the network's gradients");
        /* Nor by another optimizer, nor when the next batch was refused. */
        ck_fails(dlviz_optimizer_step(second, a), DLVIZ_ERROR_STATE, "already");
        ck_assert_int_ne(dlviz_network_backward(a, single, label, 0, 1, NULL), DLVIZ_OK);
        ck_fails(dlviz_optimizer_step(o, a), DLVIZ_ERROR_STATE, "already");
        ck_assert_int_eq(dlviz_optimizer_num_steps(o), 1);
        ck_assert_int_eq(dlviz_optimizer_num_steps(second), 0);
        assert_same_states(a, once);
        ck_ok(dlviz_network_get_gradient(a, "fc.weight", &gradient)); /* looking is no step */
        dlviz_tensor_destroy(gradient);
        /* Evaluation leaves it alone, and so does a change of parameters by hand, such as a decay
         * of one's own between the two. */
        ck_ok(dlviz_network_backward(a, inputs, labels, 0, 1, NULL));
        dlviz_tensor *out;
        ck_ok(dlviz_network_forward(a, inputs, &out));
        dlviz_tensor_destroy(out);
        ck_ok(dlviz_network_get_state(a, "fc.weight", &weight));
        ck_ok(dlviz_network_set_state(a, "fc.weight", weight));
        dlviz_tensor_destroy(weight);
        ck_ok(dlviz_optimizer_step(o, a));
        /* A file's parameters are others than those the gradient belongs to. */
        ck_ok(dlviz_network_save(a, scratch_path("step")));
        ck_ok(dlviz_network_backward(a, inputs, labels, 0, 2, NULL));
        ck_ok(dlviz_network_load(a, scratch_path("step")));
        ck_fails(dlviz_optimizer_step(o, a), DLVIZ_ERROR_STATE, "no gradients");
        ck_fails(dlviz_network_get_gradient(a, "fc.weight", &gradient), DLVIZ_ERROR_STATE,
                 "gradient");
        ck_assert_int_eq(dlviz_optimizer_num_steps(o), 2);
        ck_ok(dlviz_network_backward(a, inputs, labels, 0, 2, NULL));
        ck_ok(dlviz_optimizer_step(o, a));
        dlviz_tensor_destroy(inputs);
        dlviz_tensor_destroy(labels);
        dlviz_tensor_destroy(single);
        dlviz_tensor_destroy(label);
        dlviz_optimizer_destroy(o);
        dlviz_optimizer_destroy(second);
        dlviz_network_destroy(a);
        dlviz_network_destroy(once);
    }
}
END_TEST

/* NAdam's look-ahead needs the product of the first t mus. A run that goes on at step t + 1 has no
 * state of it: whatever t is, the step is as if t had been counted. Of a parameter whose gradients
 * are all g the moments are known, and with them the step. */
START_TEST(the_product_of_mus_is_that_of_the_step) {
    static const struct {
        double beta1, momentum_decay;
        int64_t step;
    } cases[] = {{0.9, 4e-3, 1},
                 {0.9, 4e-3, 2},
                 {0.9, 4e-3, 30},
                 {0.9, 4e-3, 5000},
                 {0.999, 0.1, 1000},
                 {0.999, 30, 1000},
                 {0.999999, 1e30, 77},
                 {0.999999, 1e30, INT64_C(1) << 60},
                 {0.999999, 0.12, 1 << 30},
                 {0, 4e-3, 9},
                 {0.5, 0, INT64_C(1) << 60}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dlviz_optimizer *o;
        double beta1 = cases[i].beta1, decay = cases[i].momentum_decay, product = 1, t = 0;
        ck_ok(dlviz_nadam_create(&o, 0.5));
        ck_ok(dlviz_nadam_set_betas(o, beta1, 0));
        ck_ok(dlviz_nadam_set_momentum_decay(o, decay));
        for (; t < (double)cases[i].step && product > 1e-30 && t < 1e6; t++)
            product *= beta1 * (1 - 0.5 * pow(0.96, (t + 1) * decay));
        if (t == 1e6) /* they are all beta1 by then */
            product *= pow(beta1, (double)cases[i].step - t);
        t = (double)cases[i].step;
        double mu = beta1 * (1 - 0.5 * pow(0.96, t * decay));
        double next = beta1 * (1 - 0.5 * pow(0.96, (t + 1) * decay));
        /* Of a gradient of 1 after none: m is 1 - beta1, v is 1. */
        double expected =
            3 - 0.5 * ((1 - mu) / (1 - product) + next / (1 - product * next) * (1 - beta1)) /
                    (1 + 1e-8);
        float p = 3, g = 1, m = 0, v = 0;
        dlz_step_terms terms = {.number = cases[i].step, .learning_rate = 0.5};
        dlz_update update = {
            .n = 1, .parameters = &p, .gradients = &g, .gradient_scale = 1, .moments = {&m, &v}};
        o->type->prepare(o, &terms, o->step);
        o->type->updates(dlz_isa_chosen())->update(o->step, &update);
        ck_assert_msg(fabs((double)p - expected) <= 2e-6, "case %zu: %.9g, not %.9g", i, (double)p,
                      expected);
        dlviz_optimizer_destroy(o);
    }
}
END_TEST

int main(void) {
    const TTest *const tests[] = {learning_rates_are_checked,
                                  settings_are_checked,
                                  settings_of_adams_relatives_are_checked,
                                  the_product_of_mus_is_that_of_the_step,
                                  some_settings_come_before_the_first_step,
                                  a_step_needs_gradients_and_one_network,
                                  an_optimizer_holds_its_network,
                                  no_gradient_is_used_twice,
                                  a_rate_of_zero_changes_no_parameter,
                                  every_parameter_is_trained,
                                  NULL};
    return run_tests("optimizer", tests);
}
