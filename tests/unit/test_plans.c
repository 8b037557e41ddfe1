/* The plans that a network keeps: steps of several sizes by turns cost no memory and no planning,
 * and what ran before leaves no trace in the numbers. */
#include "base/random.h"
#include "network/network.h"
#include "support/netspec.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* -- An allocator that counts, and fails once ----------------------------------------------------
 */

static atomic_long made, failing;
static atomic_size_t live, most;

static void *allocate(size_t size, void *user) {
    (void)user;
    if (atomic_fetch_add(&made, 1) + 1 == atomic_load(&failing))
        return NULL;
    size_t *block = malloc(size + 16);
    if (!block)
        return NULL;
    block[0] = size;
    size_t now = atomic_fetch_add(&live, size) + size;
    if (now > atomic_load(&most))
        atomic_store(&most, now);
    return (char *)block + 16;
}

static void release(void *block, void *user) {
    (void)user;
    size_t *start = (size_t *)(void *)((char *)block - 16);
    atomic_fetch_sub(&live, start[0]);
    free(start);
}

static void count_allocations(void) {
    made = failing = 0;
    ck_ok(dlviz_set_allocator(allocate, release, NULL));
}

static void stop_counting(void) {
    ck_ok(dlviz_set_allocator(NULL, NULL, NULL));
}

/* -- What runs -----------------------------------------------------------------------------------
 */

/* Every kind of operation, each with what it leaves to its neighbors. */
#define LAYERS                                                                                     \
    "c1:conv,out=8,k=3,pad=same b1:bn r1:relu c2:conv,out=8,k=3,pad=same b2:bn r2:relu "           \
    "p2:pool,k=2 "                                                                                 \
    "d2:dropout,p=0.25 c3:conv,out=6,k=5,pad=2 r3:relu p3:pool,k=3,stride=2 f:flatten "            \
    "l1:linear,out=20 b4:bn r4:relu d4:dropout,p=0.5 l2:linear,out=4"

static const char *const feature_layers[] = {"c1", "r1", "c2", "r2", "p2", "c3",
                                             "p3", "f",  "l1", "r4", "l2"};
enum { FEATURE_LAYERS = sizeof feature_layers / sizeof *feature_layers, ROWS = 80 };

static net_spec spec;

static dlviz_network *new_network(void) {
    parse_net(&spec, "3x12x12", LAYERS);
    return build_net(&spec, 1);
}

typedef struct material {
    dlviz_tensor *inputs, *labels, *small_labels; /* ROWS of them; int64 and uint8 */
} material;

static material new_material(void) {
    material m;
    parse_net(&spec, "3x12x12", LAYERS);
    m.inputs = input_tensor(&spec, ROWS, 5, false);
    m.labels = label_tensor(ROWS, 4, 6);
    ck_ok(dlviz_tensor_convert(m.labels, DLVIZ_UINT8, &m.small_labels));
    return m;
}

static void drop_material(material *m) {
    dlviz_tensor_destroy(m->inputs);
    dlviz_tensor_destroy(m->labels);
    dlviz_tensor_destroy(m->small_labels);
}

static dlviz_dataset *new_dataset(const material *m, int64_t n) {
    dlviz_tensor *inputs, *labels;
    dlviz_dataset *dataset;
    ck_ok(dlviz_tensor_slice(m->inputs, 0, n, &inputs));
    ck_ok(dlviz_tensor_slice(m->labels, 0, n, &labels));
    ck_ok(dlviz_dataset_create(&dataset, inputs, labels));
    dlviz_tensor_destroy(inputs);
    dlviz_tensor_destroy(labels);
    return dataset;
}

typedef enum { TRAIN, FORWARD, FEATURES, EVALUATE } call_kind;

typedef struct call {
    call_kind kind;
    int64_t first, n; /* rows */
    int layer;        /* of feature_layers */
    bool small_labels;
} call;

/* The outcome goes to *outputs or *loss. What is sliced off the material is made beforehand. */
static dlviz_status make_call(dlviz_network *network, const call *c, const dlviz_tensor *inputs,
                              const dlviz_tensor *labels, const dlviz_dataset *dataset,
                              dlviz_tensor **outputs, double *loss) {
    switch (c->kind) {
    case TRAIN:
        return dlviz_network_backward(network, inputs, labels, 3, 7, loss);
    case FORWARD:
        return dlviz_network_forward(network, inputs, outputs);
    case FEATURES:
        return dlviz_network_features(network, feature_layers[c->layer], dataset, outputs);
    default:
        return dlviz_network_evaluate(network, dataset, loss, NULL);
    }
}

typedef struct prepared {
    call c;
    dlviz_tensor *inputs, *labels;
    dlviz_dataset *dataset;
} prepared;

static prepared prepare(const material *m, call c) {
    prepared p = {.c = c, .dataset = new_dataset(m, c.n)};
    ck_ok(dlviz_tensor_slice(m->inputs, c.first, c.n, &p.inputs));
    ck_ok(
        dlviz_tensor_slice(c.small_labels ? m->small_labels : m->labels, c.first, c.n, &p.labels));
    return p;
}

static void drop_prepared(prepared *p) {
    dlviz_tensor_destroy(p->inputs);
    dlviz_tensor_destroy(p->labels);
    dlviz_dataset_destroy(p->dataset);
}

static void run(dlviz_network *network, const prepared *p) {
    dlviz_tensor *outputs = NULL;
    ck_ok(make_call(network, &p->c, p->inputs, p->labels, p->dataset, &outputs, NULL));
    dlviz_tensor_destroy(outputs);
}

/* -- Tests ---------------------------------------------------------------------------------------
 */

static long allocations_of(dlviz_network *network, const prepared *p) {
    long before = made;
    run(network, p);
    return made - before;
}

/* What a tensor of that many dimensions takes to make. */
static long allocations_of_a_tensor(void) {
    long before = made;
    dlviz_tensor *tensor;
    ck_ok(dlviz_tensor_create(&tensor, DLVIZ_FLOAT32, 2, (int64_t[]){3, 4}));
    dlviz_tensor_destroy(tensor);
    return made - before;
}

START_TEST(steps_of_several_sizes_allocate_nothing) {
    count_allocations();
    material m = new_material();
    dlviz_network *network = new_network();
    const call calls[] = {{TRAIN, 0, 16, 0, false},
                          {TRAIN, 16, 5, 0, true},
                          {EVALUATE, 0, 70, 0, false},
                          {FORWARD, 3, 1, 0, false},
                          {FEATURES, 0, 70, 4, false}};
    enum { CALLS = sizeof calls / sizeof *calls };
    prepared p[CALLS];
    for (int i = 0; i < CALLS; i++) {
        p[i] = prepare(&m, calls[i]);
        ck_assert_int_gt(allocations_of(network, &p[i]), 0);
    }
    long result = allocations_of_a_tensor();
    for (int round = 0; round < 5; round++)
        for (int i = 0; i < CALLS; i++) {
            long wanted = calls[i].kind == FORWARD || calls[i].kind == FEATURES ? result : 0;
            ck_ok(dlviz_set_num_threads(1 + (round + i) % 2));
            if (round == 0)
                run(network, &p[i]); /* the scratch memory of a second thread */
            else
                ck_assert_int_eq(allocations_of(network, &p[i]), wanted);
        }
    for (int i = 0; i < CALLS; i++)
        drop_prepared(&p[i]);
    dlviz_network_destroy(network);
    drop_material(&m);
    stop_counting();
}
END_TEST

static long allocations_of_fit(dlviz_trainer *trainer, const dlviz_dataset *train, int epochs) {
    long before = made;
    ck_ok(dlviz_trainer_fit(trainer, train, epochs));
    return made - before;
}

START_TEST(more_epochs_allocate_no_more) {
    count_allocations();
    material m = new_material();
    dlviz_network *network = new_network();
    dlviz_dataset *train = new_dataset(&m, 37), *validation = new_dataset(&m, 70);
    dlviz_optimizer *adam;
    dlviz_trainer *trainer;
    ck_ok(dlviz_adam_create(&adam, 1e-4));
    ck_ok(dlviz_trainer_create(&trainer, network, adam));
    ck_ok(dlviz_trainer_set_batch_size(trainer, 16)); /* 16, 16 and 5; then 64 and 6 */
    ck_ok(dlviz_trainer_set_validation(trainer, validation));
    allocations_of_fit(trainer, train, 1);
    long one = allocations_of_fit(trainer, train, 1);
    ck_assert_int_eq(allocations_of_fit(trainer, train, 4), one);
    dlviz_trainer_destroy(trainer);
    dlviz_optimizer_destroy(adam);
    dlviz_network_destroy(network);
    dlviz_dataset_destroy(train);
    dlviz_dataset_destroy(validation);
    drop_material(&m);
    stop_counting();
}
END_TEST

static size_t prepared_bytes(const dlviz_network *network) {
    size_t sum = 0;
    for (const dlz_prepared *at = network->plans.prepared->first; at; at = at->next)
        sum += at->bytes;
    return sum;
}

/* What the lanes run in beside the network's own block. */
static size_t lane_bytes(const dlviz_network *network) {
    size_t sum = 0;
    for (const dlz_plans *lane = network->plans.next_lane; lane; lane = lane->next_lane)
        sum += lane->workspace.block_size + lane->workspace.scratch_size;
    return sum;
}

START_TEST(one_block_serves_all_plans) {
    count_allocations();
    ck_ok(dlviz_set_num_threads(2));
    material m = new_material();
    dlviz_network *network = new_network();
    size_t without = live;
    prepared large = prepare(&m, (call){TRAIN, 0, 64, 0, false});
    run(network, &large);
    size_t with = live, block = with - without;
    ck_assert_uint_gt(block, 1000000);
    most = live;
    for (int i = 0; i < FEATURE_LAYERS; i++)
        for (int64_t n = 1; n <= 70; n += 23) {
            prepared p[] = {prepare(&m, (call){FEATURES, 0, n, i, false}),
                            prepare(&m, (call){TRAIN, 0, n + 1 < 64 ? n + 1 : 64, 0, false})};
            for (int j = 0; j < 2; j++) {
                run(network, &p[j]);
                drop_prepared(&p[j]);
            }
        }
    drop_prepared(&large);
    /* Features that are handed out count too; so do weights made ready to run, of each convolution by
     * itself and with what follows it. */
    ck_assert_uint_lt(most - with, block / 5);
    size_t weights = prepared_bytes(network);
    ck_assert_uint_lt(weights, block / 16);
    /* A second lane holds one of four pieces, and no gradients. */
    size_t lanes = lane_bytes(network);
    ck_assert_uint_lt(lanes, block / 8);
    /* What is left are the plans themselves, 16 in each of two lanes. */
    ck_assert_uint_lt(live - with - weights - lanes, 2 * DLZ_KEPT_PLANS * (block / 320));
    dlviz_network_destroy(network);
    drop_material(&m);
    stop_counting();
}
END_TEST

static void copy_states(const dlviz_network *from, dlviz_network *to) {
    for (int i = 0; i < dlviz_network_num_states(from); i++) {
        const char *name = dlviz_network_state_name(from, i);
        dlviz_tensor *tensor;
        ck_ok(dlviz_network_get_state(from, name, &tensor));
        ck_ok(dlviz_network_set_state(to, name, tensor));
        dlviz_tensor_destroy(tensor);
    }
}

static void assert_same_tensors(const dlviz_tensor *a, const dlviz_tensor *b) {
    ck_assert_int_eq(!a, !b);
    if (!a)
        return;
    ck_assert_int_eq(dlviz_tensor_num_elements(a), dlviz_tensor_num_elements(b));
    ck_assert_int_eq(memcmp(dlviz_tensor_const_data(a), dlviz_tensor_const_data(b),
                            (size_t)dlviz_tensor_num_elements(a) * sizeof(float)),
                     0);
}

/* The same call on a network that has done much else and on a new one with its state. */
static void compare(dlviz_network *used, const prepared *p) {
    dlviz_network *fresh = new_network();
    copy_states(used, fresh);
    dlviz_tensor *outputs = NULL, *expected = NULL;
    double loss = 0, expected_loss = 0;
    ck_ok(make_call(used, &p->c, p->inputs, p->labels, p->dataset, &outputs, &loss));
    ck_ok(make_call(fresh, &p->c, p->inputs, p->labels, p->dataset, &expected, &expected_loss));
    ck_assert_int_eq(memcmp(&loss, &expected_loss, sizeof loss), 0);
    assert_same_tensors(outputs, expected);
    assert_same_states(used, fresh);
    if (p->c.kind == TRAIN) {
        size_t size, expected_size;
        void *gradients = all_gradients(used, &size);
        void *expected_gradients = all_gradients(fresh, &expected_size);
        ck_assert_uint_eq(size, expected_size);
        ck_assert_int_eq(memcmp(gradients, expected_gradients, size), 0);
        free(gradients);
        free(expected_gradients);
    }
    dlviz_tensor_destroy(outputs);
    dlviz_tensor_destroy(expected);
    dlviz_network_destroy(fresh);
}

START_TEST(what_ran_before_leaves_no_trace) {
    material m = new_material();
    dlviz_network *used = new_network();
    dlz_random random = dlz_random_start(1, 99);
    static const int64_t sizes[] = {16, 5, 2, 33, 64};
    for (int i = 0; i < 150; i++) {
        call c = {.kind = (call_kind)dlz_random_below(&random, 4),
                  .first = (int64_t)dlz_random_below(&random, 10),
                  .n = sizes[dlz_random_below(&random, i < 75 ? 2 : 5)],
                  .layer = (int)dlz_random_below(&random, i < 75 ? 2 : FEATURE_LAYERS),
                  .small_labels = i % 3 == 0};
        ck_ok(dlviz_set_num_threads(1 + (int)dlz_random_below(&random, 3)));
        prepared p = prepare(&m, c);
        compare(used, &p);
        drop_prepared(&p);
    }
    dlviz_network_destroy(used);
    drop_material(&m);
}
END_TEST

/* Fails the allocation `number`; the call that needed it is made once more. Returns whether one
 * failed. */
static bool fail_one(const prepared *p, int count, long number, const void *expected, size_t size) {
    dlviz_network *network = new_network();
    bool failed = false;
    made = 0;
    failing = number;
    for (int i = 0; i < count; i++) {
        dlviz_tensor *outputs = NULL;
        dlviz_status status =
            make_call(network, &p[i].c, p[i].inputs, p[i].labels, p[i].dataset, &outputs, NULL);
        if (status != DLVIZ_OK) {
            ck_fails(status, DLVIZ_ERROR_OUT_OF_MEMORY, "memory");
            ck_assert(!failed);
            failed = true;
            ck_ok(make_call(network, &p[i].c, p[i].inputs, p[i].labels, p[i].dataset, &outputs,
                            NULL));
        }
        dlviz_tensor_destroy(outputs);
    }
    ck_assert_msg(failed == (made >= number), "allocation %ld failed unnoticed", number);
    failing = 0;
    size_t states_size, gradients_size;
    char *states = all_states(network, &states_size),
         *gradients = all_gradients(network, &gradients_size);
    ck_assert_uint_eq(states_size + gradients_size, size);
    ck_assert_int_eq(memcmp(states, expected, states_size), 0);
    ck_assert_int_eq(memcmp(gradients, (const char *)expected + states_size, gradients_size), 0);
    free(states);
    free(gradients);
    dlviz_network_destroy(network);
    return failed;
}

START_TEST(a_call_that_lacked_memory_can_be_repeated) {
    count_allocations();
    ck_ok(dlviz_set_num_threads(2));
    material m = new_material();
    /* Growing, shrinking, and more plans than are kept. */
    const call calls[] = {{TRAIN, 0, 4, 0, false},     {FORWARD, 0, 3, 0, false},
                          {TRAIN, 2, 9, 0, true},      {FEATURES, 0, 70, 2, false},
                          {TRAIN, 0, 4, 0, true},      {FEATURES, 0, 66, 8, false},
                          {FORWARD, 0, 60, 0, false},  {TRAIN, 5, 11, 0, false},
                          {EVALUATE, 0, 65, 0, false}, {TRAIN, 1, 9, 0, false}};
    enum { CALLS = sizeof calls / sizeof *calls };
    prepared p[CALLS];
    dlviz_network *network = new_network();
    for (int i = 0; i < CALLS; i++) {
        p[i] = prepare(&m, calls[i]);
        run(network, &p[i]);
    }
    size_t states_size, gradients_size;
    char *states = all_states(network, &states_size),
         *gradients = all_gradients(network, &gradients_size);
    char *expected = malloc(states_size + gradients_size);
    ck_assert_ptr_nonnull(expected);
    memcpy(expected, states, states_size);
    memcpy(expected + states_size, gradients, gradients_size);
    long number = 1;
    while (fail_one(p, CALLS, number, expected, states_size + gradients_size))
        number++;
    ck_assert_int_gt(number, 50);
    free(states);
    free(gradients);
    free(expected);
    for (int i = 0; i < CALLS; i++)
        drop_prepared(&p[i]);
    dlviz_network_destroy(network);
    drop_material(&m);
    stop_counting();
}
END_TEST

START_TEST(a_very_deep_network_is_planned_at_once) {
    /* Time that grows with the cube of the depth would be a quarter of an hour here. */
    enum { BLOCKS = 1500, N = 4 };
    dlviz_network *network;
    const int64_t dims[] = {4, 6, 6};
    ck_ok(dlviz_network_create(&network, 3, dims));
    for (int i = 0; i < BLOCKS; i++) {
        char name[32];
        snprintf(name, sizeof name, "c%d", i);
        ck_ok(dlviz_network_add(network, name, dlviz_conv2d(4, 3, DLVIZ_PAD_SAME)));
        snprintf(name, sizeof name, "b%d", i);
        ck_ok(dlviz_network_add(network, name, dlviz_batchnorm()));
        snprintf(name, sizeof name, "r%d", i);
        ck_ok(dlviz_network_add(network, name, dlviz_relu()));
    }
    ck_ok(dlviz_network_add(network, "f", dlviz_flatten()));
    ck_ok(dlviz_network_add(network, "o", dlviz_linear(3)));
    ck_ok(dlviz_network_build(network, 1));
    ck_assert_ptr_nonnull(strstr(dlviz_network_summary(network), "c1499"));
    float values[N * 4 * 6 * 6];
    fill_uniform(values, N * 4 * 6 * 6, 1);
    dlviz_tensor *inputs = float_tensor(4, (int64_t[]){N, 4, 6, 6}, values), *outputs;
    dlviz_tensor *labels = label_tensor(N, 3, 1);
    double loss;
    ck_ok(dlviz_network_backward(network, inputs, labels, 1, 1, &loss));
    ck_ok(dlviz_network_forward(network, inputs, &outputs));
    dlviz_tensor_destroy(inputs);
    dlviz_tensor_destroy(outputs);
    dlviz_tensor_destroy(labels);
    dlviz_network_destroy(network);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {steps_of_several_sizes_allocate_nothing,
                                  more_epochs_allocate_no_more,
                                  one_block_serves_all_plans,
                                  what_ran_before_leaves_no_trace,
                                  a_call_that_lacked_memory_can_be_repeated,
                                  a_very_deep_network_is_planned_at_once,
                                  NULL};
    return run_tests("plans", tests);
}
