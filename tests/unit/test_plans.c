/* The plans that a network keeps: steps of several sizes by turns cost no memory and no planning,
 * and what ran before leaves no trace in the numbers. */
#include "base/random.h"
#include "network/network.h"
#include "network/run.h"
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

/* Batches that leave a rest, which is cut as they are, on any number of threads: outputs and the features
 * of two layers. */
START_TEST(uneven_batches_allocate_nothing) {
    count_allocations();
    material m = new_material();
    dlviz_network *network = new_network();
    const call calls[] = {{TRAIN, 0, 16, 0, false},
                          {TRAIN, 16, 5, 0, true},
                          {EVALUATE, 0, 65, 0, false},
                          {FEATURES, 0, 65, 4, false},
                          {FEATURES, 0, 65, 8, false}};
    enum { CALLS = sizeof calls / sizeof *calls };
    prepared p[CALLS];
    for (int i = 0; i < CALLS; i++)
        p[i] = prepare(&m, calls[i]);
    long result = allocations_of_a_tensor();
    for (int round = 0; round < 12; round++)
        for (int i = 0; i < CALLS; i++) {
            ck_ok(dlviz_set_num_threads(4 - round % 4));
            if (round < 4)
                run(network, &p[i]);
            else
                ck_assert_int_eq(allocations_of(network, &p[i]),
                                 calls[i].kind == FEATURES ? result : 0);
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

/* -- Lanes ---------------------------------------------------------------------------------------
 */

enum { MOST_PIECES = 8 };

/* What is asked of pieces, and what they were. */
typedef struct probe {
    dlviz_network *network;
    const int64_t *bad; /* pieces that fail, as bits */
    atomic_int pieces, samples, workers;
    int64_t firsts[MOST_PIECES];
    float *changed; /* while the second piece runs */
} probe;

static dlviz_status probe_piece(void *context, dlz_plan *plan, int64_t first) {
    probe *p = context;
    int at = atomic_fetch_add(&p->pieces, 1);
    ck_assert_int_lt(at, MOST_PIECES);
    p->firsts[at] = first;
    atomic_fetch_add(&p->samples, (int)dlz_plan_run(plan)->n);
    atomic_fetch_add(&p->workers, dlz_plan_run(plan)->workers);
    memset(dlz_plan_input(plan)->data, 0, sizeof(float));
    for (const int64_t *bad = p->bad; bad && *bad >= 0; bad++)
        if (first == *bad)
            return dlz_fail(*bad ? DLVIZ_ERROR_IO : DLVIZ_ERROR_FORMAT, "from %d on", (int)first);
    return DLVIZ_OK;
}

static int num_lanes(const dlviz_network *network) {
    int count = 1;
    for (const dlz_plans *lane = network->plans.next_lane; lane; lane = lane->next_lane)
        count++;
    return count;
}

static dlz_lane_job whole_job(const dlviz_network *network, int64_t n) {
    return dlz_network_job(network, network->graph.num_nodes - 1, n, n);
}

/* Where they would leave threads idle, the batch runs whole, on all threads. */
START_TEST(pieces_run_where_they_fill_the_threads) {
    static const struct {
        int64_t n;
        int threads, pieces, workers, lanes;
    } cases[] = {{64, 1, 4, 4, 1}, {64, 2, 4, 4, 2},   {64, 3, 1, 3, 1}, {64, 4, 4, 4, 4},
                 {64, 5, 1, 5, 1}, {64, 16, 1, 16, 1}, {16, 1, 2, 2, 1}, {16, 2, 2, 2, 2},
                 {16, 3, 1, 3, 1}, {16, 4, 1, 4, 1},   {31, 2, 2, 2, 2}, {31, 8, 1, 8, 1},
                 {33, 2, 4, 4, 2}, {15, 2, 1, 1, 1} /* too little for two */};
    parse_net(&spec, "3x24x24", LAYERS);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int reserved = 0; reserved < 2; reserved++) {
            dlviz_network *network = build_net(&spec, 1);
            probe p = {.network = network};
            dlz_lane_job job = whole_job(network, cases[i].n);
            ck_ok(dlviz_set_num_threads(cases[i].threads));
            if (reserved)
                ck_ok(dlz_lanes_reserve(&network->plans, &job));
            ck_ok(dlz_lanes_run(&network->plans, &job, probe_piece, &p));
            ck_assert_msg(p.pieces == cases[i].pieces && p.workers == cases[i].workers,
                          "%d samples on %d threads: %d pieces, %d workers", (int)cases[i].n,
                          cases[i].threads, p.pieces, p.workers);
            ck_assert_int_eq(p.samples, cases[i].n);
            if (!reserved) /* else for fewer threads, too */
                ck_assert_int_eq(num_lanes(network), cases[i].lanes);
            dlviz_network_destroy(network);
        }
}
END_TEST

/* The first that fails is told, on any number of threads, whichever is the first to fail. */
START_TEST(the_first_piece_that_fails_is_told) {
    static const int64_t bad[][4] = {{32, -1}, {0, 32, -1}, {16, 32, 48, -1}, {48, -1}};
    static const char *const sentences[] = {"from 32 on", "from 0 on", "from 16 on", "from 48 on"};
    parse_net(&spec, "3x24x24", LAYERS);
    dlviz_network *network = build_net(&spec, 1);
    dlz_lane_job job = whole_job(network, 64);
    for (int round = 0; round < 20; round++)
        for (int threads = 1; threads <= 4; threads *= 2)
            for (int i = 0; i < 4; i++) {
                probe p = {.network = network, .bad = bad[i]};
                ck_ok(dlviz_set_num_threads(threads));
                ck_assert_int_eq(dlz_lanes_run(&network->plans, &job, probe_piece, &p),
                                 bad[i][0] ? DLVIZ_ERROR_IO : DLVIZ_ERROR_FORMAT);
                ck_assert_str_eq(dlviz_last_error(), sentences[i]);
            }
    dlviz_network_destroy(network);
}
END_TEST

static dlviz_status change_a_state(void *context, dlz_plan *plan, int64_t first) {
    probe *p = context;
    dlz_value *in = dlz_plan_input(plan);
    memset(in->data, 0, (size_t)(dlz_plan_run(plan)->n * dlz_value_size(in)) * sizeof(float));
    if (first > 0)
        *p->changed += 1;
    dlviz_status status = dlz_plan_forward(plan);
    if (first > 0)
        *p->changed -= 1;
    return status;
}

/* Builds with asserts make weights ready once more before a plan runs, to compare: not while other lanes
 * read them. Where they do, this ends the program. */
START_TEST(prepared_weights_stay_while_lanes_run) {
    parse_net(&spec, "3x24x24", LAYERS);
    dlviz_network *network = build_net(&spec, 1);
    dlz_lane_job job = whole_job(network, 64);
    probe p = {.network = network, .changed = network->parameters};
    ck_ok(dlviz_set_num_threads(1));
    float before = *p.changed;
    ck_ok(dlz_lanes_run(&network->plans, &job, change_a_state, &p));
    *p.changed = before;
    dlviz_network_destroy(network);
}
END_TEST

/* A network of one convolution, and what a batch of its is for many samples. */
static int64_t batch_of(const char *dims, const char *layers) {
    parse_net(&spec, dims, layers);
    dlviz_network *network = build_net(&spec, 1);
    int64_t batch = dlz_evaluation_batch(&network->graph, network->parameter_floats, 640);
    dlviz_network_destroy(network);
    return batch;
}

START_TEST(large_images_come_a_few_at_a_time) {
    ck_assert_int_eq(batch_of("3x1024x1024", "c:conv,out=64,k=3,pad=same"), 4);
    ck_assert_int_eq(batch_of("1x1024x1024", "c:conv,out=1,k=3,pad=same"), 4);
    ck_assert_int_eq(batch_of("4x362x362", "c:conv,out=4,k=3,pad=same"), 16);
    ck_assert_int_eq(batch_of("1x128x128", "c:conv,out=8,k=3,pad=same"), 16);
    ck_assert_int_eq(batch_of("1x28x28", "c:conv,out=8,k=3,pad=same"), 64);
}
END_TEST

/* Only what computes the layer counts. */
START_TEST(pieces_are_those_of_the_layer) {
    parse_net(&spec, "3x24x24",
              "c1:conv,out=8,k=3,pad=same r1:relu f:flatten l1:linear,out=400 l2:linear,out=4");
    dlviz_network *network = build_net(&spec, 1);
    ck_assert_int_eq(dlz_lanes_piece(&network->graph, 1, 64), 16);
    ck_assert_int_eq(dlz_lanes_piece(&network->graph, network->graph.num_nodes - 1, 64), 32);
    dlviz_network_destroy(network);
}
END_TEST

/* A rest is cut as the batches before it are: then there are two sizes of pieces, of each layer. */
START_TEST(there_are_two_sizes_of_pieces) {
    parse_net(&spec, "3x24x24", LAYERS);
    dlviz_network *network = build_net(&spec, 1);
    dlviz_tensor *inputs = input_tensor(&spec, 65, 5, false), *labels = label_tensor(65, 4, 6);
    dlviz_tensor *features;
    dlviz_dataset *dataset;
    double loss;
    ck_ok(dlviz_dataset_create(&dataset, inputs, labels));
    ck_ok(dlviz_set_num_threads(1));
    for (int round = 0; round < 2; round++) {
        ck_ok(dlviz_network_evaluate(network, dataset, &loss, NULL));
        ck_assert_int_eq(network->plans.count, round ? 10 : 2); /* 36 and 29 are in pieces of 9 */
        ck_ok(dlviz_network_features(network, "p2", dataset, &features));
        dlviz_tensor_destroy(features);
        ck_assert_int_eq(network->plans.count, round ? 10 : 4);
        /* With the loss, and by a pass of its own; that of the loss is one that keeps a layer. */
        static const char *const layers[] = {"p3", "c1"};
        for (int i = 0; i < 2; i++) {
            ck_ok(dlviz_network_inspect(network, dataset, layers[i], &loss, NULL, NULL, &features));
            dlviz_tensor_destroy(features);
            ck_assert_int_eq(network->plans.count, round || i ? 10 : 6);
        }
    }
    dlviz_tensor_destroy(inputs);
    dlviz_tensor_destroy(labels);
    dlviz_dataset_destroy(dataset);
    dlviz_network_destroy(network);
}
END_TEST

/* Outputs of a batch that runs whole are read where they were computed. */
START_TEST(room_for_outputs_is_made_for_pieces_alone) {
    material m = new_material();
    dlviz_network *network = new_network();
    static const int64_t sizes[] = {8, 64, 80};
    static const int64_t rooms[] = {0, 64 * 4, 64 * 4}; /* 80 are two batches of 40 */
    for (int i = 0; i < 3; i++) {
        dlviz_dataset *dataset = new_dataset(&m, sizes[i]);
        double loss;
        ck_ok(dlviz_set_num_threads(2));
        ck_ok(dlviz_network_evaluate(network, dataset, &loss, NULL));
        ck_assert_int_eq(network->most_evaluated, rooms[i]);
        dlviz_dataset_destroy(dataset);
    }
    dlviz_network_destroy(network);
    drop_material(&m);
}
END_TEST

/* Nor does a pass for features ask for the scratch memory of all threads where each runs a lane. */
START_TEST(a_look_takes_no_memory_for_other_threads) {
    material m = new_material();
    dlviz_network *network = new_network();
    dlviz_dataset *dataset = new_dataset(&m, 64);
    dlviz_tensor *features;
    double loss;
    ck_ok(dlviz_set_num_threads(4));
    ck_ok(dlviz_network_inspect(network, dataset, "p2", &loss, NULL, NULL, &features));
    const dlz_plans *plans = &network->plans;
    ck_assert_int_eq(num_lanes(network), 4);
    ck_assert_uint_eq(plans->workspace.scratch_size, plans->next_lane->workspace.scratch_size);
    dlviz_tensor_destroy(features);
    dlviz_dataset_destroy(dataset);
    dlviz_network_destroy(network);
    drop_material(&m);
}
END_TEST

/* -- Depth ---------------------------------------------------------------------------------------
 */

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
                                  uneven_batches_allocate_nothing,
                                  more_epochs_allocate_no_more,
                                  one_block_serves_all_plans,
                                  what_ran_before_leaves_no_trace,
                                  a_call_that_lacked_memory_can_be_repeated,
                                  pieces_run_where_they_fill_the_threads,
                                  the_first_piece_that_fails_is_told,
                                  prepared_weights_stay_while_lanes_run,
                                  large_images_come_a_few_at_a_time,
                                  pieces_are_those_of_the_layer,
                                  there_are_two_sizes_of_pieces,
                                  room_for_outputs_is_made_for_pieces_alone,
                                  a_look_takes_no_memory_for_other_threads,
                                  a_very_deep_network_is_planned_at_once,
                                  NULL};
    return run_tests("plans", tests);
}
