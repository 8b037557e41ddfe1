/* Predictors: the network's numbers to the bit, from many threads, without an allocation; and weights
 * made ready to run, which must never be those of earlier states. */
#include "network/network.h"
#include "support/failing.h"
#include "support/netspec.h"
#include "support/ten_networks.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* Operations of every kind that prepares something: Winograd's and others' convolutions, alone and
 * with a batch norm, batch norms that stand alone, linear layers. */
#define LAYERS                                                                                     \
    "c1:conv,out=16,k=3,pad=same b1:bn r1:relu c2:conv,out=16,k=3,pad=same r2:relu p2:pool,k=2 "   \
    "c3:conv,out=6,k=5,pad=2 b3:bn r3:relu c4:conv,out=8,k=3,stride=2 b4:bn f:flatten "            \
    "l1:linear,out=20 b5:bn r5:relu l2:linear,out=4"
enum { ROWS = 150, OUTPUTS = 4 };

static net_spec spec;

static dlviz_network *new_network(uint64_t seed) {
    parse_net(&spec, "3x12x12", LAYERS);
    dlviz_network *network = build_net(&spec, 1);
    fill_states(network, seed, false);
    return network;
}

static dlviz_tensor *new_inputs(void) {
    parse_net(&spec, "3x12x12", LAYERS);
    return input_tensor(&spec, ROWS, 5, false);
}

static const float *data_of(const dlviz_tensor *tensor) {
    return dlviz_tensor_const_data(tensor);
}

static void assert_same(const float *a, const float *b, int64_t count) {
    for (int64_t i = 0; i < count; i++)
        ck_assert_msg(memcmp(&a[i], &b[i], sizeof *a) == 0, "number %lld of %lld: %.9g and %.9g",
                      (long long)i, (long long)count, (double)a[i], (double)b[i]);
}

/* What the network itself says of the first n rows. */
static dlviz_tensor *forward(dlviz_network *network, const char *layer, const dlviz_tensor *inputs,
                             int64_t n) {
    dlviz_tensor *rows, *outputs;
    ck_ok(dlviz_tensor_slice(inputs, 0, n, &rows));
    ck_ok(layer ? dlviz_network_forward_to(network, layer, rows, &outputs)
                : dlviz_network_forward(network, rows, &outputs));
    dlviz_tensor_destroy(rows);
    return outputs;
}

/* -- What is predicted ---------------------------------------------------------------------------
 */

START_TEST(outputs_are_the_networks_to_the_bit) {
    static const char *const layers[] = {NULL, "c1", "b1", "r1", "p2", "c3", "b4", "f", "r5", "l2"};
    static const int64_t counts[] = {1, 2, 7, 64, 65, 128, ROWS};
    dlviz_network *network = new_network(3);
    dlviz_tensor *inputs = new_inputs();
    for (size_t l = 0; l < sizeof layers / sizeof *layers; l++) {
        dlviz_predictor *predictor;
        ck_ok(dlviz_predictor_create(&predictor, network, layers[l]));
        int64_t size =
            product(dlviz_predictor_output_ndim(predictor), dlviz_predictor_output_dims(predictor));
        float *outputs = malloc((size_t)(ROWS * size) * sizeof *outputs);
        for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
            dlviz_tensor *wanted = forward(network, layers[l], inputs, counts[i]);
            ck_ok(dlviz_predictor_set_num_threads(predictor, 1 + (int64_t)i % 3));
            ck_ok(dlviz_predictor_forward_into(predictor, counts[i], data_of(inputs), outputs));
            ck_assert_int_eq(dlviz_tensor_num_elements(wanted), counts[i] * size);
            assert_same(outputs, data_of(wanted), counts[i] * size);
            dlviz_tensor_destroy(wanted);
        }
        free(outputs);
        dlviz_predictor_destroy(predictor);
    }
    dlviz_tensor_destroy(inputs);
    dlviz_network_destroy(network);
}
END_TEST

/* Nor do they depend on what is predicted beside, or on how many threads do it. */
START_TEST(an_image_alone_is_as_in_a_batch) {
    enum { BATCH = 70 };
    const ten_network *which = &ten_networks[_i];
    dlviz_network *network;
    dlviz_predictor *predictor;
    ck_ok(ten_networks_create(which, &network));
    fill_states(network, 7, false);
    ck_ok(dlviz_predictor_create(&predictor, network, NULL));
    int64_t size = product(which->ndim, which->dims);
    int64_t out_size =
        product(dlviz_predictor_output_ndim(predictor), dlviz_predictor_output_dims(predictor));
    float *inputs = malloc((size_t)(BATCH * size) * sizeof *inputs);
    float *outputs = malloc((size_t)(BATCH * out_size) * sizeof *outputs);
    float *alone = malloc((size_t)(5 * out_size) * sizeof *alone);
    fill_uniform(inputs, BATCH * size, 8);
    ck_ok(dlviz_predictor_forward_into(predictor, BATCH, inputs, outputs));
    for (int64_t n = 1; n <= 5; n += 2)
        for (int64_t i = 0; i < BATCH - 5; i += 23) {
            ck_ok(dlviz_predictor_set_num_threads(predictor, 1 + i % 3));
            ck_ok(dlviz_predictor_forward_into(predictor, n, inputs + i * size, alone));
            ck_assert_msg(
                memcmp(alone, outputs + i * out_size, (size_t)(n * out_size) * sizeof *alone) == 0,
                "%s: images %d to %d give other outputs in a batch", which->name, (int)i,
                (int)(i + n - 1));
        }
    free(inputs);
    free(outputs);
    free(alone);
    dlviz_predictor_destroy(predictor);
    dlviz_network_destroy(network);
}
END_TEST

/* Pieces of a batch on 1, 2, 3 and 8 threads, whole and with a rest; the network's outputs and losses
 * as well, before and after its states have changed. */
START_TEST(pieces_give_the_same_on_any_threads) {
    enum { MOST = 77 };
    static const int64_t counts[] = {16, 17, 31, 64, 65, MOST};
    static const int64_t threads[] = {1, 2, 3, 8};
    const ten_network *which = &ten_networks[_i];
    dlviz_network *network;
    ck_ok(ten_networks_create(which, &network));
    int64_t size = product(which->ndim, which->dims), dims[4] = {MOST};
    memcpy(dims + 1, which->dims, (size_t)which->ndim * sizeof *dims);
    dlviz_tensor *inputs, *targets, *wanted, *found;
    ck_ok(dlviz_tensor_create(&inputs, DLVIZ_FLOAT32, which->ndim + 1, dims));
    fill_uniform(dlviz_tensor_float(inputs), MOST * size, 8);
    if (which->reconstructs)
        ck_ok(dlviz_tensor_reshape(inputs, which->ndim + 1, dims, &targets));
    else
        targets = label_tensor(MOST, 10, 6);
    dlviz_dataset *set;
    ck_ok(dlviz_dataset_create(&set, inputs, targets));
    for (uint64_t seed = 7; seed < 9; seed++) {
        double loss, other;
        dlviz_predictor *predictor;
        fill_states(network, seed, false);
        ck_ok(dlviz_predictor_create(&predictor, network, NULL));
        ck_ok(dlviz_set_num_threads(1));
        ck_ok(dlviz_network_forward(network, inputs, &wanted));
        ck_ok(dlviz_network_evaluate(network, set, &loss, NULL));
        int64_t numbers = dlviz_tensor_num_elements(wanted), each = numbers / MOST;
        float *outputs = malloc((size_t)numbers * sizeof *outputs);
        for (int t = 0; t < 4; t++) {
            ck_ok(dlviz_set_num_threads(threads[t]));
            ck_ok(dlviz_network_forward(network, inputs, &found));
            assert_same(data_of(found), data_of(wanted), numbers);
            dlviz_tensor_destroy(found);
            ck_ok(dlviz_network_evaluate(network, set, &other, NULL));
            ck_assert(memcmp(&loss, &other, sizeof loss) == 0);
            for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
                memset(outputs, 0xFF, (size_t)numbers * sizeof *outputs);
                ck_ok(dlviz_predictor_forward_into(predictor, counts[i], data_of(inputs), outputs));
                assert_same(outputs, data_of(wanted), counts[i] * each);
            }
        }
        free(outputs);
        dlviz_tensor_destroy(wanted);
        dlviz_predictor_destroy(predictor);
    }
    ck_ok(dlviz_set_num_threads(0));
    dlviz_dataset_destroy(set);
    dlviz_tensor_destroy(inputs);
    dlviz_tensor_destroy(targets);
    dlviz_network_destroy(network);
}
END_TEST

/* Not even where a few numbers are far larger than the others, which convolutions look for, and where
 * most are 0, as behind a relu: in images so small that they are computed together. */
START_TEST(an_image_is_the_same_beside_uneven_ones) {
    static const struct {
        int64_t channels, size, outputs, kernel;
        float zeros; /* this share of the numbers */
    } cases[] = {{128, 2, 128, 3, 0},    {128, 2, 128, 3, 0.8F},  {128, 4, 128, 3, 0},
                 {128, 4, 128, 3, 0.8F}, {128, 4, 128, 3, 0.95F}, {64, 8, 64, 3, 0.95F},
                 {64, 8, 64, 3, 0.995F}, {32, 20, 32, 3, 0},      {64, 6, 2, 5, 0},
                 {64, 4, 4, 5, 0}};
    enum { BATCH = 64 };
    int64_t channels = cases[_i].channels, dims[] = {channels, cases[_i].size, cases[_i].size};
    int64_t size = product(3, dims), out_size = cases[_i].outputs * dims[1] * dims[2];
    dlviz_network *network;
    dlviz_predictor *predictor;
    ck_ok(dlviz_network_create(&network, 3, dims));
    ck_ok(dlviz_network_add(
        network, "c", dlviz_conv2d(cases[_i].outputs, cases[_i].kernel, cases[_i].kernel / 2)));
    ck_ok(dlviz_network_build(network, 1));
    ck_ok(dlviz_predictor_create(&predictor, network, NULL));
    float *inputs = malloc((size_t)(BATCH * size) * sizeof *inputs);
    float *kept = malloc((size_t)(BATCH * size) * sizeof *kept);
    float *outputs = malloc((size_t)(BATCH * out_size) * sizeof *outputs);
    float *alone = malloc((size_t)out_size * sizeof *alone);
    fill_uniform(inputs, BATCH * size, 2);
    fill_uniform(kept, BATCH * size, 3);
    for (int64_t i = 0; i < BATCH * size; i++) /* both are from -1 to 1 */
        if (kept[i] < 2 * cases[_i].zeros - 1)
            inputs[i] = 0;
    for (int64_t c = 0; c < channels; c++)
        inputs[5 * size + c * dims[1] * dims[2]] = 1e5F;
    inputs[8 * size] = NAN;
    ck_ok(dlviz_predictor_forward_into(predictor, BATCH, inputs, outputs));
    for (int64_t i = 0; i < BATCH; i++) {
        ck_ok(dlviz_predictor_forward_into(predictor, 1, inputs + i * size, alone));
        ck_assert_msg(memcmp(alone, outputs + i * out_size, (size_t)out_size * sizeof *alone) == 0,
                      "image %d gives other outputs in a batch", (int)i);
    }
    free(inputs);
    free(kept);
    free(outputs);
    free(alone);
    dlviz_predictor_destroy(predictor);
    dlviz_network_destroy(network);
}
END_TEST

START_TEST(states_are_those_of_the_time_it_was_made) {
    dlviz_network *network = new_network(3);
    dlviz_tensor *inputs = new_inputs(), *labels = label_tensor(ROWS, OUTPUTS, 6);
    dlviz_tensor *wanted = forward(network, NULL, inputs, 20);
    dlviz_predictor *early, *late;
    dlviz_optimizer *adam;
    float outputs[20 * OUTPUTS];
    ck_ok(dlviz_predictor_create(&early, network, NULL)); /* nothing is prepared yet */
    ck_ok(dlviz_adam_create(&adam, 0.1));
    ck_ok(dlviz_network_backward(network, inputs, labels, 1, 1, NULL));
    ck_ok(dlviz_optimizer_step(adam, network));
    ck_ok(dlviz_predictor_forward_into(early, 20, data_of(inputs), outputs));
    assert_same(outputs, data_of(wanted), 20 * OUTPUTS);
    dlviz_tensor *after = forward(network, NULL, inputs, 20);
    ck_ok(dlviz_predictor_create(&late, network, NULL));
    dlviz_network_destroy(network);
    ck_ok(dlviz_predictor_forward_into(late, 20, data_of(inputs), outputs));
    assert_same(outputs, data_of(after), 20 * OUTPUTS);
    ck_assert_int_ne(memcmp(data_of(after), data_of(wanted), sizeof outputs), 0);
    dlviz_predictor_destroy(early);
    dlviz_predictor_destroy(late);
    dlviz_optimizer_destroy(adam);
    dlviz_tensor_destroy(wanted);
    dlviz_tensor_destroy(after);
    dlviz_tensor_destroy(inputs);
    dlviz_tensor_destroy(labels);
}
END_TEST

/* -- Many threads --------------------------------------------------------------------------------
 */

enum { THREADS = 8, CALLS = 60 };

typedef struct server {
    dlviz_predictor *predictor;
    const float *inputs, *wanted; /* wanted[n - 1]: outputs of the first n rows */
    int number, wrong;
} server;

static void *serve(void *of) {
    server *s = of;
    float outputs[5 * OUTPUTS];
    for (int call = 0; call < CALLS; call++) {
        int64_t n = 1 + (call + s->number) % 5;
        if (dlviz_predictor_forward_into(s->predictor, n, s->inputs, outputs) != DLVIZ_OK ||
            memcmp(outputs, s->wanted + (n - 1) * 5 * OUTPUTS,
                   (size_t)(n * OUTPUTS) * sizeof(float)) != 0)
            s->wrong++;
    }
    dlviz_predictor_destroy(s->predictor);
    return NULL;
}

START_TEST(many_threads_share_the_weights) {
    dlviz_network *network = new_network(3);
    dlviz_tensor *inputs = new_inputs(), *labels = label_tensor(ROWS, OUTPUTS, 6);
    static float wanted[5][5 * OUTPUTS];
    for (int64_t n = 1; n <= 5; n++) {
        dlviz_tensor *outputs = forward(network, NULL, inputs, n);
        memcpy(wanted[n - 1], data_of(outputs), (size_t)(n * OUTPUTS) * sizeof(float));
        dlviz_tensor_destroy(outputs);
    }
    server servers[THREADS];
    pthread_t threads[THREADS];
    dlviz_predictor *first;
    ck_ok(dlviz_set_num_threads(3));
    ck_ok(dlviz_predictor_create(&first, network, NULL));
    for (int i = 0; i < THREADS; i++) {
        servers[i] = (server){.inputs = data_of(inputs), .wanted = wanted[0], .number = i};
        ck_ok(dlviz_predictor_share(first, &servers[i].predictor));
        ck_ok(dlviz_predictor_set_num_threads(servers[i].predictor, i % 3));
    }
    dlviz_predictor_destroy(first);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, serve, &servers[i]), 0);
    /* Meanwhile the network is trained on. */
    for (uint64_t step = 1; step <= 5; step++)
        ck_ok(dlviz_network_backward(network, inputs, labels, 1, step, NULL));
    dlviz_network_destroy(network);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        ck_assert_int_eq(servers[i].wrong, 0);
    }
    dlviz_tensor_destroy(inputs);
    dlviz_tensor_destroy(labels);
}
END_TEST

/* -- Memory --------------------------------------------------------------------------------------
 */

static atomic_long allocations;

static void *counting_allocate(size_t size, void *user) {
    (void)user;
    atomic_fetch_add(&allocations, 1);
    return malloc(size);
}

static void counting_release(void *block, void *user) {
    (void)user;
    atomic_fetch_add(&allocations, 1);
    free(block);
}

START_TEST(what_is_reserved_allocates_nothing) {
    static const int64_t counts[] = {1, 37, 64, 130}; /* 37 and 130 in pieces with a rest */
    ck_ok(dlviz_set_num_threads(3));
    ck_ok(dlviz_set_allocator(counting_allocate, counting_release, NULL));
    dlviz_network *network = new_network(3);
    dlviz_tensor *inputs = new_inputs();
    dlviz_predictor *predictor, *other;
    float outputs[ROWS * OUTPUTS];
    ck_ok(dlviz_predictor_create(&predictor, network, NULL));
    ck_ok(dlviz_predictor_share(predictor, &other));
    for (int i = 0; i < 4; i++) {
        ck_ok(dlviz_predictor_reserve(predictor, counts[i]));
        ck_ok(dlviz_predictor_reserve(other, counts[i]));
    }
    long before = atomic_load(&allocations);
    ck_assert_int_gt(before, 0);
    for (int round = 0; round < 3; round++)
        for (int i = 0; i < 4; i++)
            ck_ok(dlviz_predictor_forward_into(round % 2 ? other : predictor, counts[i],
                                               data_of(inputs), outputs));
    ck_assert_int_eq(atomic_load(&allocations), before);
    dlviz_predictor_destroy(predictor);
    dlviz_predictor_destroy(other);
    dlviz_tensor_destroy(inputs);
    dlviz_network_destroy(network);
    ck_ok(dlviz_set_allocator(NULL, NULL, NULL));
}
END_TEST

static void set_threads(dlviz_predictor *predictor, bool own, int64_t threads) {
    ck_ok(own ? dlviz_predictor_set_num_threads(predictor, threads)
              : dlviz_set_num_threads(threads));
}

static void reserve_each(dlviz_predictor *predictor, bool own, int64_t threads,
                         const int64_t counts[4]) {
    set_threads(predictor, own, threads);
    for (int i = 0; i < 4; i++)
        ck_ok(dlviz_predictor_reserve(predictor, counts[i]));
}

/* Four numbers, each of which takes pieces and batches of two sizes, on as many threads as were set when
 * they were reserved, or fewer: of the predictor, and of the library. */
START_TEST(what_is_reserved_stays_so_on_fewer_threads) {
    static const int64_t counts[] = {37, 130, 65, ROWS}, threads[] = {4, 1, 3, 2, 4, 1, 2, 3};
    ck_ok(dlviz_set_allocator(counting_allocate, counting_release, NULL));
    dlviz_network *network = new_network(3);
    dlviz_tensor *inputs = new_inputs();
    float outputs[ROWS * OUTPUTS];
    for (int own = 0; own < 2; own++)
        for (int most = 1; most <= 9; most++) {
            dlviz_predictor *predictor;
            ck_ok(dlviz_predictor_create(&predictor, network, NULL));
            reserve_each(predictor, own, most, counts);
            if (most == 9) /* those that were not set before */
                reserve_each(predictor, own, 12, counts);
            long before = atomic_load(&allocations);
            for (int round = 0; round < 8; round++) {
                int64_t now = threads[round] < most ? threads[round] : most;
                set_threads(predictor, own, now);
                for (int i = 0; i < 4; i++)
                    ck_ok(dlviz_predictor_forward_into(predictor, counts[i], data_of(inputs),
                                                       outputs));
            }
            long more = atomic_load(&allocations) - before;
            ck_assert_msg(more == 0, "%ld allocations after what was reserved for %d threads", more,
                          most);
            dlviz_predictor_destroy(predictor);
        }
    dlviz_tensor_destroy(inputs);
    dlviz_network_destroy(network);
    ck_ok(dlviz_set_num_threads(0));
    ck_ok(dlviz_set_allocator(NULL, NULL, NULL));
}
END_TEST

typedef struct lifetime {
    const dlviz_network *network;
    const float *inputs;
} lifetime;

static dlviz_status live(dlviz_predictor **one, dlviz_predictor **two, const lifetime *l) {
    float outputs[100 * OUTPUTS];
    TRY(dlviz_predictor_create(one, l->network, NULL));
    TRY(dlviz_predictor_share(*one, two));
    TRY(dlviz_predictor_reserve(*two, 1));
    TRY(dlviz_predictor_set_num_threads(*one, 3));
    TRY(dlviz_predictor_forward_into(*one, 100, l->inputs, outputs));
    return dlviz_predictor_forward_into(*two, 1, l->inputs, outputs);
}

static dlviz_status live_and_die(void *of) {
    dlviz_predictor *one = NULL, *two = NULL;
    dlviz_status status = live(&one, &two, of);
    dlviz_predictor_destroy(one);
    dlviz_predictor_destroy(two);
    return status;
}

START_TEST(each_allocation_fails_in_turn) {
    dlviz_network *network = new_network(3);
    dlviz_tensor *inputs = new_inputs();
    ck_assert_int_gt(fail_each_allocation(live_and_die, &(lifetime){network, data_of(inputs)}), 20);
    dlviz_tensor_destroy(inputs);
    dlviz_network_destroy(network);
}
END_TEST

/* -- Settings and mistakes -----------------------------------------------------------------------
 */

START_TEST(settings_and_mistakes) {
    dlviz_network *network = new_network(3), *plain;
    dlviz_predictor *predictor, *other;
    float numbers[3 * 12 * 12] = {0}, outputs[64 * OUTPUTS];
    ck_ok(dlviz_network_create(&plain, 1, (int64_t[]){4}));
    ck_fails(dlviz_predictor_create(&predictor, plain, NULL), DLVIZ_ERROR_STATE, "not built");
    ck_assert_ptr_null(predictor);
    ck_fails(dlviz_predictor_create(&predictor, network, "c9"), DLVIZ_ERROR_NOT_FOUND, "c1, b1");
    ck_fails(dlviz_predictor_create(&predictor, network, "input"), DLVIZ_ERROR_INVALID_ARGUMENT,
             "'input'");
    ck_ok(dlviz_predictor_create(&predictor, network, "c3"));
    ck_assert_int_eq(dlviz_predictor_num_threads(predictor), 0);
    ck_fails(dlviz_predictor_set_num_threads(predictor, -1), DLVIZ_ERROR_INVALID_ARGUMENT, "-1");
    ck_fails(dlviz_predictor_set_num_threads(predictor, 257), DLVIZ_ERROR_INVALID_ARGUMENT, "256");
    ck_ok(dlviz_predictor_set_num_threads(predictor, 2));
    ck_ok(dlviz_predictor_share(predictor, &other));
    ck_assert_int_eq(dlviz_predictor_num_threads(other), 2);
    ck_assert_str_eq(dlviz_predictor_layer(other), "c3");
    ck_assert_int_eq(dlviz_predictor_input_ndim(other), 3);
    ck_assert_int_eq(dlviz_predictor_input_dims(other)[1], 12);
    ck_assert_int_eq(dlviz_predictor_output_ndim(other), 3);
    ck_assert_int_eq(dlviz_predictor_output_dims(other)[0], 6);
    ck_fails(dlviz_predictor_reserve(other, 0), DLVIZ_ERROR_INVALID_ARGUMENT, "0 samples");
    ck_ok(dlviz_predictor_reserve(other, INT64_MAX)); /* in batches */
    ck_fails(dlviz_predictor_forward_into(other, -3, numbers, outputs),
             DLVIZ_ERROR_INVALID_ARGUMENT, "-3 samples");
    ck_fails(dlviz_predictor_forward_into(other, 1, NULL, outputs), DLVIZ_ERROR_INVALID_ARGUMENT,
             "'inputs'");
    ck_fails(dlviz_predictor_forward_into(other, 1, numbers, NULL), DLVIZ_ERROR_INVALID_ARGUMENT,
             "'outputs'");
    dlviz_predictor_destroy(predictor);
    dlviz_predictor_destroy(other);
    dlviz_network_destroy(network);
    dlviz_network_destroy(plain);
}
END_TEST

/* -- Weights that are prepared once --------------------------------------------------------------
 */

/* The network's outputs must be those of a new network that is given its states. */
static void assert_current(dlviz_network *network, const dlviz_tensor *inputs, const char *what) {
    static const char *const layers[] = {NULL, "b1", "c3", "b4"};
    void *bytes;
    size_t size;
    dlviz_network *fresh;
    ck_ok(dlviz_network_save_memory(network, &bytes, &size));
    ck_ok(dlviz_network_open_memory(&fresh, bytes, size));
    dlviz_free(bytes);
    ck_ok(dlviz_set_num_threads(4)); /* in four lanes, where there are pieces */
    for (size_t l = 0; l < sizeof layers / sizeof *layers; l++)
        for (int64_t n = 1; n <= 141; n += 70) {
            dlviz_tensor *outputs = forward(network, layers[l], inputs, n);
            dlviz_tensor *wanted = forward(fresh, layers[l], inputs, n);
            int64_t count = dlviz_tensor_num_elements(wanted);
            ck_assert_msg(
                memcmp(data_of(outputs), data_of(wanted), (size_t)count * sizeof(float)) == 0,
                "after %s the outputs are not those of the states", what);
            dlviz_tensor_destroy(outputs);
            dlviz_tensor_destroy(wanted);
        }
    dlviz_network_destroy(fresh);
    int lanes = 1;
    for (const dlz_plans *lane = network->plans.next_lane; lane; lane = lane->next_lane)
        lanes++;
    ck_assert_int_eq(lanes, 4);
}

START_TEST(weights_are_never_those_of_earlier_states) {
    dlviz_network *network = new_network(3), *donor = new_network(4);
    dlviz_tensor *inputs = new_inputs(), *labels = label_tensor(ROWS, OUTPUTS, 6), *state;
    dlviz_optimizer *adam;
    void *bytes;
    size_t size;
    ck_ok(dlviz_adam_create(&adam, 0.05));
    assert_current(network, inputs, "building");
    for (int i = 0; i < dlviz_network_num_states(network); i++) {
        const char *name = dlviz_network_state_name(network, i);
        ck_ok(dlviz_network_get_state(donor, name, &state));
        ck_ok(dlviz_network_set_state(network, name, state));
        dlviz_tensor_destroy(state);
        assert_current(network, inputs, name);
    }
    ck_ok(dlviz_network_backward(network, inputs, labels, 1, 1, NULL));
    assert_current(network, inputs, "dlviz_network_backward"); /* running statistics */
    ck_ok(dlviz_optimizer_step(adam, network));
    assert_current(network, inputs, "dlviz_optimizer_step");
    fill_states(donor, 9, false);
    ck_ok(dlviz_network_save_memory(donor, &bytes, &size));
    ck_ok(dlviz_network_load_memory(network, bytes, size));
    assert_current(network, inputs, "dlviz_network_load_memory");
    fill_states(network, 3, false);
    assert_current(network, inputs, "dlviz_network_set_state");
    dlviz_safetensors *tensors;
    ck_ok(dlviz_safetensors_open_memory(&tensors, bytes, size));
    ck_ok(dlviz_network_load_tensors(network, tensors, false));
    dlviz_safetensors_destroy(tensors);
    assert_current(network, inputs, "dlviz_network_load_tensors");
    dlviz_free(bytes);
    ck_ok(dlviz_network_freeze(network, "*"));
    ck_ok(dlviz_network_unfreeze(network, "*"));
    assert_current(network, inputs, "dlviz_network_unfreeze");
    dlviz_optimizer_destroy(adam);
    dlviz_network_destroy(network);
    dlviz_network_destroy(donor);
    dlviz_tensor_destroy(inputs);
    dlviz_tensor_destroy(labels);
}
END_TEST

typedef struct watched_training {
    dlviz_network *network;
    const dlviz_tensor *inputs;
} watched_training;

static bool look_after_epoch(const dlviz_trainer_event *event, void *of) {
    (void)event;
    watched_training *w = of;
    assert_current(w->network, w->inputs, "an epoch");
    return true;
}

START_TEST(training_leaves_no_earlier_weights) {
    dlviz_network *network = new_network(3);
    dlviz_tensor *inputs = new_inputs(), *labels = label_tensor(ROWS, OUTPUTS, 6);
    dlviz_dataset *train;
    dlviz_optimizer *adam;
    dlviz_trainer *trainer;
    watched_training watched = {network, inputs};
    ck_ok(dlviz_dataset_create(&train, inputs, labels));
    ck_ok(dlviz_adam_create(&adam, 0.01));
    ck_ok(dlviz_trainer_create(&trainer, network, adam));
    ck_ok(dlviz_trainer_set_validation(trainer, train));
    ck_ok(dlviz_trainer_set_averaging(trainer, 0.9));
    ck_ok(dlviz_trainer_set_early_stopping(trainer, "validation_loss", DLVIZ_BETTER_LOWER, 3));
    ck_ok(dlviz_trainer_set_epoch_callback(trainer, look_after_epoch, &watched));
    ck_ok(dlviz_trainer_fit(trainer, train, 4));
    assert_current(network, inputs, "dlviz_trainer_fit");
    ck_ok(dlviz_trainer_restore_best(trainer));
    assert_current(network, inputs, "dlviz_trainer_restore_best");
    ck_ok(dlviz_trainer_exchange_average(trainer));
    assert_current(network, inputs, "dlviz_trainer_exchange_average");
    ck_ok(dlviz_trainer_exchange_average(trainer));
    assert_current(network, inputs, "exchanging back");
    dlviz_trainer_destroy(trainer);
    dlviz_optimizer_destroy(adam);
    dlviz_dataset_destroy(train);
    dlviz_network_destroy(network);
    dlviz_tensor_destroy(inputs);
    dlviz_tensor_destroy(labels);
}
END_TEST

static void add(Suite *suite, const TTest *test, int count) {
    TCase *tcase = tcase_create(test->name);
    tcase_set_timeout(tcase, 600);
    tcase_add_loop_test(tcase, test, 0, count);
    suite_add_tcase(suite, tcase);
}

int main(void) {
    const TTest *const tests[] = {outputs_are_the_networks_to_the_bit,
                                  states_are_those_of_the_time_it_was_made,
                                  many_threads_share_the_weights,
                                  what_is_reserved_allocates_nothing,
                                  what_is_reserved_stays_so_on_fewer_threads,
                                  each_allocation_fails_in_turn,
                                  settings_and_mistakes,
                                  weights_are_never_those_of_earlier_states,
                                  training_leaves_no_earlier_weights};
    Suite *suite = suite_create("predictor");
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
        add(suite, tests[i], 1);
    add(suite, an_image_alone_is_as_in_a_batch, ten_networks_count);
    add(suite, pieces_give_the_same_on_any_threads, ten_networks_count);
    add(suite, an_image_is_the_same_beside_uneven_ones, 10);
    return run_suite(suite);
}
