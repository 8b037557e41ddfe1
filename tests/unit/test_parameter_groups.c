/* Factors of rates and decays for some of a network's parameters. That the steps are PyTorch's is
 * tests/parity/test_optimizers.c's subject. */
#include "support/netspec.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INVALID DLVIZ_ERROR_INVALID_ARGUMENT
#define NET "conv:conv,out=4,k=3,bias=0 bn:bn r:relu f:flatten fc1:linear,out=6 fc2:linear,out=3"

/* A network, an optimizer, and what it trains on. */
typedef struct subject {
    dlviz_network *network;
    dlviz_optimizer *optimizer;
    dlviz_tensor *inputs, *labels;
} subject;

static subject begin(const char *dims, const char *net, int classes) {
    subject s = {.network = NULL};
    net_spec spec;
    parse_net(&spec, dims, net);
    s.network = build_net(&spec, 1);
    s.inputs = input_tensor(&spec, 4, 1, false);
    s.labels = label_tensor(4, classes, 2);
    fill_states(s.network, 1, false);
    ck_ok(dlviz_adamw_create(&s.optimizer, 0.125));
    ck_ok(dlviz_optimizer_set_weight_decay(s.optimizer, 0.5));
    return s;
}

static subject begin_usual(void) {
    return begin("2x5x5", NET, 3);
}

static void end(subject *s) {
    dlviz_optimizer_destroy(s->optimizer);
    dlviz_network_destroy(s->network);
    dlviz_tensor_destroy(s->inputs);
    dlviz_tensor_destroy(s->labels);
}

static dlviz_status step(subject *s, uint64_t number) {
    ck_ok(dlviz_network_backward(s->network, s->inputs, s->labels, 0, number, NULL));
    return dlviz_optimizer_step(s->optimizer, s->network);
}

static bool same_state(const subject *a, const subject *b, const char *name) {
    dlviz_tensor *x, *y;
    ck_ok(dlviz_network_get_state(a->network, name, &x));
    ck_ok(dlviz_network_get_state(b->network, name, &y));
    bool same =
        memcmp(dlviz_tensor_const_data(x), dlviz_tensor_const_data(y),
               (size_t)dlviz_tensor_num_elements(x) * dlviz_dtype_size(dlviz_tensor_dtype(x))) == 0;
    dlviz_tensor_destroy(x);
    dlviz_tensor_destroy(y);
    return same;
}

/* Asserts that the parameters in a list, and no others, are the same in both. */
static void assert_same_are(const subject *a, const subject *b, const char *names) {
    static const char *const all[] = {"conv.weight", "bn.weight",  "bn.bias", "fc1.weight",
                                      "fc1.bias",    "fc2.weight", "fc2.bias"};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        bool listed = strstr(names, all[i]) != NULL;
        ck_assert_msg(same_state(a, b, all[i]) == listed, "'%s' is %s", all[i],
                      listed ? "another" : "the same");
    }
}

START_TEST(factors_are_listed_in_the_order_of_the_calls) {
    dlviz_optimizer *o;
    ck_ok(dlviz_sgd_create(&o, 1));
    ck_assert_int_eq(dlviz_optimizer_num_rate_factors(o), 0);
    ck_assert_int_eq(dlviz_optimizer_num_decay_factors(o), 0);
    ck_assert(!dlviz_optimizer_decay_weights_only(o));
    ck_assert_ptr_null(dlviz_optimizer_rate_factor_pattern(o, 0));
    ck_assert_ptr_null(dlviz_optimizer_decay_factor_pattern(o, -1));
    ck_assert(isnan(dlviz_optimizer_rate_factor(o, 0)));
    ck_assert(isnan(dlviz_optimizer_decay_factor(o, INT64_MAX)));
    char pattern[] = "a.*";
    ck_ok(dlviz_optimizer_set_rate_factor(o, pattern, 0.25));
    pattern[0] = 'x'; /* the optimizer has a copy */
    ck_ok(dlviz_optimizer_set_rate_factor(o, "b.*", 0));
    ck_ok(dlviz_optimizer_set_rate_factor(o, "c.*", 1e30));
    ck_ok(dlviz_optimizer_set_decay_factor(o, "b.*", 3));
    ck_ok(dlviz_optimizer_set_decay_weights_only(o, true));
    ck_assert(dlviz_optimizer_decay_weights_only(o));
    ck_assert_int_eq(dlviz_optimizer_num_rate_factors(o), 3);
    ck_assert_str_eq(dlviz_optimizer_rate_factor_pattern(o, 0), "a.*");
    ck_assert_double_eq(dlviz_optimizer_rate_factor(o, 0), 0.25);
    ck_assert_double_eq(dlviz_optimizer_rate_factor(o, 1), 0);
    ck_assert_int_eq(dlviz_optimizer_num_decay_factors(o), 1);
    ck_assert_str_eq(dlviz_optimizer_decay_factor_pattern(o, 0), "b.*");
    ck_assert_double_eq(dlviz_optimizer_decay_factor(o, 0), 3);
    /* A pattern that is there already. */
    ck_ok(dlviz_optimizer_set_rate_factor(o, "a.*", 0.5));
    ck_assert_int_eq(dlviz_optimizer_num_rate_factors(o), 3);
    ck_assert_str_eq(dlviz_optimizer_rate_factor_pattern(o, 0), "b.*");
    ck_assert_str_eq(dlviz_optimizer_rate_factor_pattern(o, 1), "c.*");
    ck_assert_str_eq(dlviz_optimizer_rate_factor_pattern(o, 2), "a.*");
    ck_assert_double_eq(dlviz_optimizer_rate_factor(o, 0), 0);
    ck_assert_double_eq(dlviz_optimizer_rate_factor(o, 1), 1e30);
    ck_assert_double_eq(dlviz_optimizer_rate_factor(o, 2), 0.5);
    ck_assert_ptr_null(dlviz_optimizer_rate_factor_pattern(o, 3));
    dlviz_optimizer_destroy(o);
}
END_TEST

START_TEST(factors_and_patterns_are_checked) {
    dlviz_optimizer *o;
    ck_ok(dlviz_sgd_create(&o, 1));
    ck_fails(dlviz_optimizer_set_rate_factor(NULL, "*", 1), INVALID, "'optimizer' is NULL");
    ck_fails(dlviz_optimizer_set_rate_factor(o, NULL, 1), INVALID, "'pattern' is NULL");
    ck_fails(dlviz_optimizer_set_rate_factor(o, "", 1), INVALID, "the pattern is ''");
    ck_fails(dlviz_optimizer_set_decay_factor(o, "\xff*", 1), INVALID, "UTF-8");
    ck_fails(dlviz_optimizer_set_rate_factor(o, "fc.*", -0.5), INVALID,
             "the rate factor of 'fc.*' is -0.5; 0 to 1e30 is accepted");
    ck_fails(dlviz_optimizer_set_decay_factor(o, "fc.*", NAN), INVALID,
             "the decay factor of 'fc.*' is nan");
    ck_fails(dlviz_optimizer_set_decay_factor(o, "fc.*", INFINITY), INVALID, "inf");
    ck_fails(dlviz_optimizer_set_rate_factor(o, "fc.*", 2e30), INVALID, "2e+30");
    ck_assert_int_eq(dlviz_optimizer_num_rate_factors(o), 0);
    ck_assert_int_eq(dlviz_optimizer_num_decay_factors(o), 0);
    dlviz_optimizer_destroy(o);
}
END_TEST

#define WORDS                                                                                      \
    "no parameter matches '%n*.bios', which has a decay factor; the network's are conv.weight, "   \
    "bn.weight, bn.bias, fc1.weight, fc1.bias, fc2.weight, fc2.bias"

START_TEST(a_pattern_without_parameters_is_an_error) {
    subject s = begin_usual(), other = begin_usual();
    dlviz_trainer *trainer = (dlviz_trainer *)1;
    ck_ok(dlviz_optimizer_set_decay_factor(s.optimizer, "*.bias", 0));
    ck_ok(dlviz_optimizer_set_decay_factor(s.optimizer, "%n*.bios", 0));
    ck_fails(step(&s, 0), DLVIZ_ERROR_NOT_FOUND, "dlviz_optimizer_step: " WORDS);
    ck_fails(dlviz_trainer_create(&trainer, s.network, s.optimizer), DLVIZ_ERROR_NOT_FOUND,
             "dlviz_trainer_create: " WORDS);
    ck_assert_ptr_null(trainer);
    /* Nothing has happened. */
    ck_assert_int_eq(dlviz_optimizer_num_steps(s.optimizer), 0);
    assert_same_are(&s, &other,
                    "conv.weight bn.weight bn.bias fc1.weight fc1.bias fc2.weight "
                    "fc2.bias");
    dlviz_optimizer_destroy(s.optimizer);
    ck_ok(dlviz_adamw_create(&s.optimizer, 0.125));
    /* Statistics are no parameters. */
    ck_ok(dlviz_optimizer_set_rate_factor(s.optimizer, "*.running_mean", 0));
    ck_fails(step(&s, 0), DLVIZ_ERROR_NOT_FOUND, "'*.running_mean', which has a rate factor");
    dlviz_optimizer_destroy(s.optimizer);
    ck_ok(dlviz_adamw_create(&s.optimizer, 0.125));
    ck_ok(step(&s, 0));
    /* Once the network is known, the call itself says so, and leaves the optimizer at work. */
    ck_fails(dlviz_optimizer_set_rate_factor(s.optimizer, "*.bios", 2), DLVIZ_ERROR_NOT_FOUND,
             "dlviz_optimizer_set_rate_factor: no parameter matches '*.bios'");
    ck_assert_int_eq(dlviz_optimizer_num_rate_factors(s.optimizer), 0);
    ck_ok(dlviz_optimizer_set_rate_factor(s.optimizer, "*.bias", 2));
    ck_ok(step(&s, 1));
    end(&s);
    end(&other);
}
END_TEST

START_TEST(a_trainer_says_so_again_before_it_fits) {
    subject s = begin_usual();
    dlviz_trainer *trainer;
    dlviz_dataset *dataset;
    ck_ok(dlviz_dataset_create(&dataset, s.inputs, s.labels));
    ck_ok(dlviz_trainer_create(&trainer, s.network, s.optimizer));
    ck_ok(dlviz_optimizer_set_rate_factor(s.optimizer, "fc3.*", 2));
    ck_fails(dlviz_trainer_fit(trainer, dataset, 1), DLVIZ_ERROR_NOT_FOUND,
             "dlviz_trainer_fit: no parameter matches 'fc3.*'");
    dlviz_trainer_destroy(trainer);
    dlviz_dataset_destroy(dataset);
    end(&s);
}
END_TEST

START_TEST(long_patterns_do_no_harm) {
    subject s = begin_usual();
    enum { LENGTH = 1 << 20 };
    char *pattern = malloc(LENGTH + 2);
    for (int i = 0; i < LENGTH; i += 2)
        memcpy(pattern + i, "*c", 2);
    memcpy(pattern + LENGTH, "*", 2);
    ck_ok(dlviz_optimizer_set_rate_factor(s.optimizer, pattern, 0));
    ck_fails(step(&s, 0), DLVIZ_ERROR_NOT_FOUND, "matches '*c*c*c");
    memset(pattern, '*', LENGTH);
    dlviz_optimizer_destroy(s.optimizer);
    ck_ok(dlviz_adamw_create(&s.optimizer, 0.125));
    ck_ok(dlviz_optimizer_set_rate_factor(s.optimizer, pattern, 0));
    ck_ok(step(&s, 0));
    free(pattern);
    end(&s);
}
END_TEST

/* 1 changes no bit, and neither do groups that are all the same. */
START_TEST(factors_of_one_change_nothing) {
    subject plain = begin_usual(), grouped = begin_usual();
    ck_ok(dlviz_optimizer_set_rate_factor(grouped.optimizer, "fc1.*", 1));
    ck_ok(dlviz_optimizer_set_decay_factor(grouped.optimizer, "*.bias", 1));
    ck_ok(dlviz_optimizer_set_decay_weights_only(grouped.optimizer, false));
    for (uint64_t i = 0; i < 3; i++) {
        ck_ok(step(&plain, i));
        ck_ok(step(&grouped, i));
        assert_same_states(plain.network, grouped.network);
    }
    end(&plain);
    end(&grouped);
}
END_TEST

/* In one step, whose gradients are the same, each parameter goes its own way: as with an optimizer
 * that has its rate and its decay for all. */
START_TEST(each_parameter_has_its_own_factors) {
    static const struct {
        double rate, decay;
        const char *names;
    } cases[] = {{1, 0, "bn.weight bn.bias fc1.bias"},
                 {0.5, 1, "conv.weight"},
                 {2, 4, "fc1.weight"},
                 {0, 1, "fc2.weight"},
                 {0.25, 2, "fc2.bias"}};
    subject s = begin_usual();
    ck_ok(dlviz_optimizer_set_decay_weights_only(s.optimizer, true));
    ck_ok(dlviz_optimizer_set_rate_factor(s.optimizer, "conv*", 0.5));
    ck_ok(dlviz_optimizer_set_rate_factor(s.optimizer, "fc1.weight", 8)); /* not the last */
    ck_ok(dlviz_optimizer_set_rate_factor(s.optimizer, "fc?.weight", 2));
    ck_ok(dlviz_optimizer_set_decay_factor(s.optimizer, "fc1.w*", 4));
    ck_ok(dlviz_optimizer_set_rate_factor(s.optimizer, "fc2.*", 0));
    ck_ok(dlviz_optimizer_set_rate_factor(s.optimizer, "fc2.bias", 0.25));
    ck_ok(dlviz_optimizer_set_decay_factor(s.optimizer, "fc2.bias", 2));
    ck_ok(step(&s, 0));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        subject one = begin_usual();
        ck_ok(dlviz_optimizer_set_learning_rate(one.optimizer, 0.125 * cases[i].rate));
        ck_ok(dlviz_optimizer_set_weight_decay(one.optimizer, 0.5 * cases[i].decay));
        ck_ok(step(&one, 0));
        assert_same_are(&s, &one, cases[i].names);
        end(&one);
    }
    end(&s);
}
END_TEST

/* Both change from step to step, and the parameters stay within their moments. */
START_TEST(factors_may_change_between_steps) {
    subject s = begin_usual(), other = begin_usual();
    for (uint64_t i = 0; i < 6; i++) {
        double factor = i % 2 ? 0.5 : 2;
        ck_ok(dlviz_optimizer_set_rate_factor(s.optimizer, "*", factor));
        ck_ok(dlviz_optimizer_set_decay_factor(s.optimizer, "*t", factor));
        ck_ok(dlviz_optimizer_set_decay_factor(s.optimizer, "*s", factor));
        if (i == 3) /* more groups than there were; what they say is what holds anyway */
            ck_ok(dlviz_optimizer_set_rate_factor(s.optimizer, "fc1.weight", factor));
        if (i > 3)
            ck_ok(dlviz_optimizer_set_rate_factor(s.optimizer, "fc1.weight", factor));
        ck_ok(dlviz_optimizer_set_learning_rate(other.optimizer, 0.125 * factor));
        ck_ok(dlviz_optimizer_set_weight_decay(other.optimizer, 0.5 * factor));
        ck_ok(step(&s, i));
        ck_ok(step(&other, i));
        assert_same_states(s.network, other.network);
    }
    end(&s);
    end(&other);
}
END_TEST

/* Runs that begin and end inside tiles, and several in one. */
START_TEST(any_number_of_threads_gives_the_same_bits) {
    static const char net[] = "a:linear,out=300 b:bn r:relu c:linear,out=7 d:linear,out=500 "
                              "e:bn g:linear,out=90 h:linear,out=5";
    int64_t threads = dlviz_num_threads();
    subject first = {.network = NULL};
    for (int n = 1; n <= 9; n = n < 4 ? n + 1 : n + 5) {
        subject s = begin("330", net, 5);
        ck_ok(dlviz_set_num_threads(n));
        ck_ok(dlviz_optimizer_set_decay_weights_only(s.optimizer, true));
        ck_ok(dlviz_optimizer_set_rate_factor(s.optimizer, "?.bias", 0.5));
        ck_ok(dlviz_optimizer_set_rate_factor(s.optimizer, "d.*", 3));
        ck_ok(dlviz_optimizer_set_decay_factor(s.optimizer, "g.weight", 0.125));
        for (uint64_t i = 0; i < 3; i++)
            ck_ok(step(&s, i));
        if (n == 1) {
            first = s;
            continue;
        }
        assert_same_states(s.network, first.network);
        end(&s);
    }
    end(&first);
    ck_ok(dlviz_set_num_threads(threads));
}
END_TEST

/* Every rule, with groups on several tiles, against the rule with each pair for all. */
START_TEST(every_optimizer_has_groups) {
    static dlviz_status (*const creators[])(dlviz_optimizer **, double) = {
        dlviz_adam_create,  dlviz_adamw_create,   dlviz_lion_create, dlviz_nadam_create,
        dlviz_radam_create, dlviz_rmsprop_create, dlviz_sgd_create};
    for (size_t i = 0; i < sizeof creators / sizeof *creators; i++) {
        subject all[3]; /* grouped, and both of what the groups are */
        for (int j = 0; j < 3; j++) {
            all[j] = begin("200", "fc1:linear,out=330 r:relu fc2:linear,out=3", 3);
            dlviz_optimizer_destroy(all[j].optimizer);
            ck_ok(creators[i](&all[j].optimizer, j == 2 ? 0.25 : 0.0625));
            ck_ok(dlviz_optimizer_set_weight_decay(all[j].optimizer, j == 2 ? 0 : 0.5));
        }
        ck_ok(dlviz_optimizer_set_rate_factor(all[0].optimizer, "*.bias", 4));
        ck_ok(dlviz_optimizer_set_decay_weights_only(all[0].optimizer, true));
        for (int j = 0; j < 3; j++)
            ck_ok(step(&all[j], 0));
        ck_assert(same_state(&all[0], &all[1], "fc1.weight"));
        ck_assert(same_state(&all[0], &all[1], "fc2.weight"));
        ck_assert(same_state(&all[0], &all[2], "fc1.bias"));
        ck_assert(same_state(&all[0], &all[2], "fc2.bias"));
        ck_assert(!same_state(&all[1], &all[2], "fc1.weight"));
        ck_assert(!same_state(&all[1], &all[2], "fc2.bias"));
        for (int j = 0; j < 3; j++)
            end(&all[j]);
    }
}
END_TEST

START_TEST(factors_can_be_taken_back) {
    dlviz_optimizer *sgd;
    ck_ok(dlviz_sgd_create(&sgd, 0.1));
    ck_ok(dlviz_optimizer_set_rate_factor(sgd, "nothing.*", 0.5));
    ck_ok(dlviz_optimizer_set_decay_factor(sgd, "nothing.*", 0.5));
    ck_ok(dlviz_optimizer_clear_rate_factors(sgd));
    ck_assert_int_eq(dlviz_optimizer_num_rate_factors(sgd), 0);
    ck_assert_int_eq(dlviz_optimizer_num_decay_factors(sgd), 1);
    ck_ok(dlviz_optimizer_clear_decay_factors(sgd));
    ck_ok(dlviz_optimizer_clear_decay_factors(sgd));
    ck_assert_int_eq(dlviz_optimizer_num_decay_factors(sgd), 0);
    dlviz_network *network = net_from_text("3", "fc:linear,out=2");
    dlviz_trainer *trainer; /* which no pattern that matches nothing keeps from being made */
    ck_ok(dlviz_trainer_create(&trainer, network, sgd));
    ck_ok(dlviz_optimizer_set_rate_factor(sgd, "fc.*", 0.5));
    dlviz_trainer_destroy(trainer);
    dlviz_network_destroy(network);
    dlviz_optimizer_destroy(sgd);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {factors_are_listed_in_the_order_of_the_calls,
                                  factors_and_patterns_are_checked,
                                  a_pattern_without_parameters_is_an_error,
                                  a_trainer_says_so_again_before_it_fits,
                                  long_patterns_do_no_harm,
                                  factors_of_one_change_nothing,
                                  each_parameter_has_its_own_factors,
                                  factors_may_change_between_steps,
                                  any_number_of_threads_gives_the_same_bits,
                                  every_optimizer_has_groups,
                                  factors_can_be_taken_back,
                                  NULL};
    return run_tests("parameter groups", tests);
}
