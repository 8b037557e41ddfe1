/* Training by several processes that share each batch: the bits of one process. */
#include "support/ranks.h"
#include "support/support.h"
#include "support/ten_networks.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLES 72

/* -- Networks ------------------------------------------------------------------------------------
 */

typedef struct small_net {
    const char *name;
    int64_t dims[3];
    void (*add)(dlviz_network *network);
} small_net;

static void add(dlviz_network *network, const char *name, dlviz_layer *layer) {
    ck_ok(dlviz_network_add(network, name, layer));
}

static dlviz_layer *grouped(int64_t out, int64_t kernel, int64_t groups) {
    dlviz_layer *layer = dlviz_conv2d(out, kernel, DLVIZ_PAD_SAME);
    ck_ok(dlviz_conv2d_set_groups(layer, groups));
    return layer;
}

/* What a chain fuses: pending batch norms, pools and dropout. */
static void add_chain(dlviz_network *net) {
    add(net, "c1", dlviz_conv2d(16, 3, DLVIZ_PAD_SAME));
    add(net, "b1", dlviz_batchnorm());
    add(net, "r1", dlviz_relu());
    add(net, "c2", dlviz_conv2d(16, 3, DLVIZ_PAD_SAME));
    add(net, "b2", dlviz_batchnorm());
    add(net, "r2", dlviz_relu());
    add(net, "p2", dlviz_maxpool2d(2));
    add(net, "d2", dlviz_dropout(0.25));
    add(net, "c3", dlviz_conv2d(6, 5, 2));
    add(net, "r3", dlviz_relu());
    add(net, "d3", dlviz_dropout2d(0.25));
    add(net, "f", dlviz_flatten());
    add(net, "l1", dlviz_linear(40));
    add(net, "b4", dlviz_batchnorm());
    add(net, "r4", dlviz_relu());
    add(net, "d4", dlviz_dropout(0.5));
    add(net, "l2", dlviz_linear(4));
}

/* Branches, groups of channels, and norms of samples. */
static void add_branches(dlviz_network *net) {
    add(net, "c1", dlviz_conv2d(8, 3, DLVIZ_PAD_SAME));
    add(net, "b1", dlviz_batchnorm());
    add(net, "r1", dlviz_relu());
    add(net, "g1", grouped(8, 3, 2));
    add(net, "b2", dlviz_batchnorm());
    ck_ok(dlviz_network_add_from(net, "sum", dlviz_add(), 2, (const char *[]){"b2", "r1"}));
    add(net, "r2", dlviz_relu());
    add(net, "dw", grouped(8, 3, 8));
    add(net, "b3", dlviz_batchnorm());
    add(net, "r3", dlviz_relu());
    add(net, "g5", grouped(12, 5, 4));
    add(net, "gn", dlviz_groupnorm(3));
    add(net, "r4", dlviz_gelu());
    add(net, "pw", dlviz_conv2d(12, 1, 0));
    add(net, "ln", dlviz_layernorm());
    add(net, "up", dlviz_conv_transpose2d(5, 3, 1));
    add(net, "b5", dlviz_batchnorm());
    add(net, "r5", dlviz_relu());
    add(net, "pool", dlviz_global_avgpool2d());
    add(net, "fc", dlviz_linear(4));
}

/* So many weights that each rank keeps the moments of its own. */
static void add_wide(dlviz_network *net) {
    add(net, "f", dlviz_flatten());
    add(net, "l1", dlviz_linear(130));
    add(net, "b1", dlviz_batchnorm());
    add(net, "r1", dlviz_relu());
    add(net, "l2", dlviz_linear(520));
    add(net, "r2", dlviz_relu());
    add(net, "l3", dlviz_linear(4));
}

static const small_net nets[] = {{"wide", {3, 16, 16}, add_wide},
                                 {"chain", {3, 12, 12}, add_chain},
                                 {"branches", {3, 10, 10}, add_branches}};
enum { NETS = sizeof nets / sizeof *nets };

/* -- A run ---------------------------------------------------------------------------------------
 */

typedef struct setting {
    const small_net *net;
    const ten_network *ten; /* instead of it */
    int64_t batch, epochs, samples;
    bool constant; /* inputs that batch norms must find constant */
    double clip;
    int64_t accumulation;
} setting;

typedef struct outcome {
    dlviz_status status;
    char sentence[300];
    int64_t size;
    float *states; /* all of them, and the history */
} outcome;

typedef struct job {
    const setting *setting;
    outcome outcomes[9];
} job;

static dlviz_dataset *new_dataset(const setting *s, int64_t samples, uint64_t seed) {
    int ndim = s->ten ? s->ten->ndim : 3;
    const int64_t *dims = s->ten ? s->ten->dims : s->net->dims;
    int64_t size = 1, all[4] = {samples};
    for (int i = 0; i < ndim; i++)
        size *= all[1 + i] = dims[i];
    dlviz_tensor *inputs, *labels;
    dlviz_dataset *dataset;
    ck_ok(dlviz_tensor_create(&inputs, DLVIZ_FLOAT32, ndim + 1, all));
    fill_uniform(dlviz_tensor_float(inputs), samples * size, seed);
    if (s->constant)
        memset(dlviz_tensor_data(inputs), 0, (size_t)(samples * size) * sizeof(float));
    bool reconstructs = s->ten && s->ten->reconstructs;
    ck_ok(dlviz_tensor_create(&labels, DLVIZ_INT64, 1, all));
    for (int64_t i = 0; i < samples; i++)
        ((int64_t *)dlviz_tensor_data(labels))[i] = (i * 7 + i / 5) % 4;
    ck_ok(dlviz_dataset_create(&dataset, inputs, reconstructs ? inputs : labels));
    dlviz_tensor_destroy(inputs);
    dlviz_tensor_destroy(labels);
    return dataset;
}

static dlviz_network *new_network(const setting *s) {
    dlviz_network *network;
    if (s->ten) {
        ck_ok(ten_networks_create(s->ten, &network));
        return network;
    }
    ck_ok(dlviz_network_create(&network, 3, s->net->dims));
    s->net->add(network);
    ck_ok(dlviz_network_build(network, 3));
    return network;
}

static void keep(outcome *out, const float *values, int64_t count) {
    out->states = realloc(out->states, (size_t)(out->size + count) * sizeof *values);
    ck_assert_ptr_nonnull(out->states);
    memcpy(out->states + out->size, values, (size_t)count * sizeof *values);
    out->size += count;
}

static void keep_all(outcome *out, dlviz_network *network, const dlviz_trainer *trainer) {
    for (int64_t i = 0; i < dlviz_network_num_states(network); i++) {
        dlviz_tensor *state;
        ck_ok(dlviz_network_get_state(network, dlviz_network_state_name(network, i), &state));
        if (dlviz_tensor_dtype(state) == DLVIZ_FLOAT32)
            keep(out, dlviz_tensor_const_float(state), dlviz_tensor_num_elements(state));
        dlviz_tensor_destroy(state);
    }
    for (int64_t epoch = 0; epoch < dlviz_trainer_num_epochs(trainer); epoch++) {
        const double losses[] = {dlviz_trainer_history(trainer, epoch, "train_loss"),
                                 dlviz_trainer_history(trainer, epoch, "validation_loss")};
        ck_assert(losses[0] > 0 && losses[1] > 0);
        keep(out, (const float *)losses, 4);
    }
}

static dlviz_status train(const setting *s, dlviz_comm *comm, outcome *out) {
    dlviz_network *network = new_network(s);
    dlviz_dataset *dataset = new_dataset(s, s->samples, 5);
    dlviz_dataset *validation = new_dataset(s, s->ten ? 20 : 150, 6);
    dlviz_optimizer *optimizer;
    dlviz_trainer *trainer;
    ck_ok(dlviz_adam_create(&optimizer, 1e-3));
    ck_ok(dlviz_trainer_create(&trainer, network, optimizer));
    ck_ok(dlviz_trainer_set_batch_size(trainer, s->batch));
    ck_ok(dlviz_trainer_set_clip_norm(trainer, s->clip));
    if (s->accumulation)
        ck_ok(dlviz_trainer_set_accumulation(trainer, s->accumulation));
    ck_ok(dlviz_trainer_set_validation(trainer, validation));
    ck_ok(dlviz_trainer_set_comm(trainer, comm));
    dlviz_status status = dlviz_trainer_fit(trainer, dataset, s->epochs);
    if (status == DLVIZ_OK)
        keep_all(out, network, trainer);
    dlviz_trainer_destroy(trainer);
    dlviz_optimizer_destroy(optimizer);
    dlviz_dataset_destroy(dataset);
    dlviz_dataset_destroy(validation);
    dlviz_network_destroy(network);
    return status;
}

static dlviz_status train_rank(dlviz_comm *comm, void *user) {
    job *j = user;
    outcome *out = &j->outcomes[dlviz_comm_rank(comm)];
    out->status = train(j->setting, comm, out);
    if (out->status != DLVIZ_OK)
        snprintf(out->sentence, sizeof out->sentence, "%s", dlviz_last_error());
    return out->status;
}

static void drop(job *j) {
    for (int i = 0; i < 9; i++)
        free(j->outcomes[i].states);
    memset(j->outcomes, 0, sizeof j->outcomes);
}

/* All ranks come to what one process comes to. */
static void check(const setting *s, int ranks, const outcome *alone) {
    job j = {.setting = s};
    ranks_result results[RANKS_MOST];
    ranks_run(ranks, train_rank, &j, results);
    for (int rank = 0; rank < ranks; rank++) {
        const outcome *out = &j.outcomes[rank];
        ck_assert_msg(out->status == DLVIZ_OK, "%d ranks, rank %d: %s", ranks, rank, out->sentence);
        ck_assert_int_eq(out->size, alone->size);
        for (int64_t i = 0; i < alone->size; i++)
            ck_assert_msg(memcmp(&out->states[i], &alone->states[i], sizeof(float)) == 0,
                          "%d ranks, rank %d, number %lld of %lld: %a, alone %a", ranks, rank,
                          (long long)i, (long long)alone->size, (double)out->states[i],
                          (double)alone->states[i]);
    }
    drop(&j);
}

static void check_ranks(const setting *s, int count, const int *ranks) {
    outcome alone = {0};
    ck_ok(dlviz_set_num_threads(2));
    ck_ok(train(s, NULL, &alone));
    ck_assert_int_gt(alone.size, 0);
    for (int i = 0; i < count; i++)
        for (int threads = 1; threads <= 2; threads++) {
            ck_ok(dlviz_set_num_threads(threads));
            check(s, ranks[i], &alone);
        }
    free(alone.states);
}

static const int all_ranks[] = {1, 2, 3, 4, 5, 8};
#define ALL_RANKS (int)(sizeof all_ranks / sizeof *all_ranks), all_ranks

START_TEST(same_bits) {
    /* whole batches of eighths, and 8 at the end; 20, 12: no eighths; 24: eighths of 3, and 12 at the
     * end, of which there are none */
    const int64_t batches[] = {16, 20, 24, 12, 64};
    for (int net = 0; net < NETS; net++)
        for (int i = 0; i < 5; i++)
            check_ranks(&(setting){.net = &nets[net],
                                   .batch = batches[i],
                                   .epochs = 2,
                                   .samples = i == 2 ? 60 : SAMPLES},
                        ALL_RANKS);
}
END_TEST

START_TEST(same_bits_of_clipped_and_accumulated) {
    for (int net = 0; net < NETS; net++)
        check_ranks(&(setting){.net = &nets[net],
                               .batch = 16,
                               .epochs = 2,
                               .samples = 48,
                               .clip = 0.5,
                               .accumulation = 2},
                    ALL_RANKS);
}
END_TEST

START_TEST(same_bits_of_constant_inputs) {
    for (int net = 0; net < NETS; net++)
        check_ranks(
            &(setting){
                .net = &nets[net], .batch = 16, .epochs = 1, .samples = 32, .constant = true},
            ALL_RANKS);
}
END_TEST

START_TEST(same_bits_of_known_networks) {
    const int two[] = {2};
    for (int i = 0; i < ten_networks_count; i++)
        check_ranks(&(setting){.ten = &ten_networks[i], .batch = 16, .epochs = 1, .samples = 16}, 1,
                    two);
}
END_TEST

/* -- Ranks that do not fit together --------------------------------------------------------------
 */

static dlviz_status train_otherwise(dlviz_comm *comm, void *user) {
    job *j = user;
    int64_t rank = dlviz_comm_rank(comm);
    setting s = *j->setting;
    if (rank == 1)
        s.batch = 24;
    j->outcomes[rank].status = train(&s, comm, &j->outcomes[rank]);
    snprintf(j->outcomes[rank].sentence, sizeof j->outcomes[rank].sentence, "%s",
             dlviz_last_error());
    return j->outcomes[rank].status;
}

START_TEST(other_settings_are_refused) {
    setting s = {.net = &nets[0], .batch = 16, .epochs = 1, .samples = 32};
    job j = {.setting = &s};
    ranks_result results[3];
    ranks_run(3, train_otherwise, &j, results);
    for (int rank = 0; rank < 3; rank++) {
        ck_assert_int_eq(j.outcomes[rank].status, DLVIZ_ERROR_INVALID_ARGUMENT);
        ck_assert_msg(strstr(j.outcomes[rank].sentence, "batch_size") &&
                          strstr(j.outcomes[rank].sentence, "rank 1"),
                      "%s", j.outcomes[rank].sentence);
    }
    drop(&j);
}
END_TEST

/* -- A rank whose memory ends --------------------------------------------------------------------
 */

enum { OFFSET = 16 }; /* what jansson gives back goes the same way */
static _Thread_local long json_failing;

static void *allocate_json(size_t size) {
    if (json_failing > 0 && --json_failing == 0)
        return NULL;
    char *block = malloc(size + OFFSET);
    return block ? block + OFFSET : NULL;
}

static void release_json(void *block) {
    free((char *)block - OFFSET);
}

typedef struct short_of_json {
    const setting *setting;
    long failing, left; /* which allocation fails on rank 1; how many more it would have been */
} short_of_json;

static dlviz_status train_short_of_json(dlviz_comm *comm, void *user) {
    short_of_json *j = user;
    outcome out = {0};
    bool odd = dlviz_comm_rank(comm) == 1;
    json_failing = odd ? j->failing : 0;
    dlviz_status status = train(j->setting, comm, &out);
    if (odd)
        j->left = json_failing;
    free(out.states);
    return status;
}

START_TEST(no_memory_is_no_other_setting) {
    for (int i = 0; i < NETS; i++) {
        const setting s = {.net = &nets[i], .batch = 16, .epochs = 1, .samples = 16};
        short_of_json j = {.setting = &s};
        json_set_alloc_funcs(allocate_json, release_json);
        for (;;) {
            ranks_result results[2];
            j.failing++;
            ranks_run(2, train_short_of_json, &j, results);
            if (j.left > 0) {
                ck_assert_int_eq(results[0].status + results[1].status, 2 * DLVIZ_OK);
                break;
            }
            ck_assert_int_eq(results[1].status, DLVIZ_ERROR_OUT_OF_MEMORY);
            ck_assert_int_ne(results[0].status, DLVIZ_OK);
            ck_assert_msg(strstr(results[0].sentence, "rank 1 failed: out of memory"),
                          "%s, allocation %ld: %s", s.net->name, j.failing, results[0].sentence);
        }
        json_set_alloc_funcs(malloc, free);
        ck_assert_int_gt(j.failing, 50);
    }
}
END_TEST

/* -- A rank that fails ---------------------------------------------------------------------------
 */

typedef struct lonely {
    dlviz_status shared, alone, saved, resumed;
    char sentence[300];
} lonely;

/* What a rank does after the others are gone: what they had is not made up. */
static dlviz_status go_on_alone(dlviz_comm *comm, void *user) {
    const setting s = {.net = &nets[0], .batch = 16, .epochs = 1, .samples = 64};
    lonely *out = (lonely *)user + dlviz_comm_rank(comm);
    dlviz_network *network = new_network(&s);
    dlviz_dataset *dataset = new_dataset(&s, s.samples, 5);
    dlviz_optimizer *optimizer;
    dlviz_trainer *trainer;
    void *checkpoint;
    size_t size;
    ck_ok(dlviz_adam_create(&optimizer, 1e-3));
    ck_ok(dlviz_trainer_create(&trainer, network, optimizer));
    ck_ok(dlviz_trainer_set_batch_size(trainer, s.batch));
    ck_ok(dlviz_trainer_save_checkpoint_memory(trainer, &checkpoint, &size));
    ck_ok(dlviz_trainer_set_comm(trainer, comm));
    out->shared = dlviz_trainer_fit(trainer, dataset, 4);
    ck_ok(dlviz_trainer_set_comm(trainer, NULL));
    out->alone = dlviz_trainer_fit(trainer, dataset, 4);
    snprintf(out->sentence, sizeof out->sentence, "%s", dlviz_last_error());
    void *saved = NULL;
    size_t saved_size;
    out->saved = dlviz_network_save_memory(network, &saved, &saved_size);
    dlviz_free(saved);
    ck_ok(dlviz_trainer_load_checkpoint_memory(trainer, checkpoint, size));
    out->resumed = dlviz_trainer_fit(trainer, dataset, 1);
    dlviz_free(checkpoint);
    dlviz_trainer_destroy(trainer);
    dlviz_optimizer_destroy(optimizer);
    dlviz_dataset_destroy(dataset);
    dlviz_network_destroy(network);
    return out->shared;
}

START_TEST(after_a_failure_weights_are_not_made_up) {
    lonely out[2];
    ranks_result results[2];
    ranks_run(2, go_on_alone, out, results);
    ck_assert_int_eq(out[0].shared, DLVIZ_OK);
    ck_assert_int_eq(out[0].alone, DLVIZ_OK); /* they were joined at the end */
    ck_assert_int_eq(out[0].saved, DLVIZ_OK);
    const ranks_trouble trouble = {.rank = 1, .call = results[1].calls * 2 / 5};
    ranks_run_with(&trouble, 2, go_on_alone, out, results);
    for (int rank = 0; rank < 2; rank++) {
        ck_assert_int_ne(out[rank].shared, DLVIZ_OK);
        ck_assert_int_eq(out[rank].alone, DLVIZ_ERROR_STATE);
        ck_assert_int_eq(out[rank].saved, DLVIZ_ERROR_STATE);
        ck_assert_msg(strstr(out[rank].sentence, "weights"), "%s", out[rank].sentence);
        ck_assert_int_eq(out[rank].resumed, DLVIZ_OK);
    }
}
END_TEST

/* -- Within an epoch ------------------------------------------------------------------------------
 */

typedef struct looker {
    dlviz_network *network;
    int64_t at;              /* the batch */
    dlviz_status net, saves; /* what is expected there */
    void *checkpoint;
    size_t size;
} looker;

static bool look_amid(const dlviz_trainer_event *event, void *user) {
    looker *l = user;
    dlviz_trainer *trainer = dlviz_trainer_event_trainer(event);
    void *bytes;
    size_t size;
    dlviz_tensor *state;
    if (l->checkpoint || dlviz_trainer_event_batch(event) != l->at)
        return true;
    ck_assert_int_eq(dlviz_network_get_state(l->network, "l1.weight", &state), l->net);
    dlviz_tensor_destroy(state);
    ck_assert_int_eq(dlviz_trainer_save_checkpoint_memory(trainer, &bytes, &size), l->saves);
    dlviz_free(bytes);
    ck_ok(dlviz_trainer_gather(trainer));
    ck_ok(dlviz_network_get_state(l->network, "l1.weight", &state));
    dlviz_tensor_destroy(state);
    ck_ok(dlviz_trainer_save_checkpoint_memory(trainer, &l->checkpoint, &l->size));
    return true;
}

typedef struct look_job {
    int64_t at;
    double averaging;
    const looker *resumed; /* NULL: from the beginning */
    looker lookers[RANKS_MOST];
    outcome outcomes[RANKS_MOST];
} look_job;

static dlviz_status train_and_look(dlviz_comm *comm, void *user) {
    look_job *j = user;
    int64_t rank = dlviz_comm_rank(comm);
    const setting s = {.net = &nets[0], .batch = 16, .epochs = 2, .samples = 76};
    looker *l = &j->lookers[rank];
    dlviz_network *network = new_network(&s);
    dlviz_dataset *dataset = new_dataset(&s, s.samples, 5);
    dlviz_optimizer *optimizer;
    dlviz_trainer *trainer;
    ck_ok(dlviz_adam_create(&optimizer, 1e-3));
    ck_ok(dlviz_trainer_create(&trainer, network, optimizer));
    ck_ok(dlviz_trainer_set_batch_size(trainer, s.batch));
    ck_ok(dlviz_trainer_set_validation(trainer, dataset));
    ck_ok(dlviz_trainer_set_averaging(trainer, j->averaging));
    ck_ok(dlviz_trainer_set_comm(trainer, comm));
    ck_ok(dlviz_trainer_gather(trainer)); /* outside of a fit, of nothing */
    /* The last batch is of no eighths: each rank computes all of it, with all weights. */
    bool apart = dlviz_comm_num_ranks(comm) > 1 && j->at < 4;
    *l = (looker){.network = network, .at = j->at};
    l->net = apart && j->averaging == 0 ? DLVIZ_ERROR_STATE : DLVIZ_OK;
    l->saves = apart ? DLVIZ_ERROR_STATE : DLVIZ_OK;
    if (j->resumed)
        ck_ok(dlviz_trainer_load_checkpoint_memory(trainer, j->resumed->checkpoint,
                                                   j->resumed->size));
    else
        ck_ok(dlviz_trainer_set_batch_callback(trainer, look_amid, l));
    ck_ok(dlviz_trainer_fit(trainer, dataset, s.epochs));
    keep_all(&j->outcomes[rank], network, trainer);
    dlviz_trainer_destroy(trainer);
    dlviz_optimizer_destroy(optimizer);
    dlviz_dataset_destroy(dataset);
    dlviz_network_destroy(network);
    return DLVIZ_OK;
}

static void check_equal(const outcome *out, const outcome *alone) {
    ck_assert_int_eq(out->size, alone->size);
    ck_assert_mem_eq(out->states, alone->states, (size_t)out->size * sizeof *out->states);
}

/* Whatever is gathered, the training goes on to the same bits, and from what was saved there. */
static void check_looks(int64_t at, double averaging) {
    look_job alone = {.at = at, .averaging = averaging};
    ck_ok(train_and_look(NULL, &alone));
    for (int ranks = 2; ranks <= 4; ranks++) {
        look_job j = {.at = at, .averaging = averaging};
        ranks_result results[RANKS_MOST];
        ranks_run(ranks, train_and_look, &j, results);
        for (int rank = 0; rank < ranks; rank++) {
            check_equal(&j.outcomes[rank], &alone.outcomes[0]);
            look_job again = {.averaging = averaging, .resumed = &j.lookers[rank]};
            ck_ok(train_and_look(NULL, &again));
            check_equal(&again.outcomes[0], &alone.outcomes[0]);
            free(again.outcomes[0].states);
        }
        for (int rank = 0; rank < ranks; rank++) {
            dlviz_free(j.lookers[rank].checkpoint);
            free(j.outcomes[rank].states);
        }
    }
    dlviz_free(alone.lookers[0].checkpoint);
    free(alone.outcomes[0].states);
}

START_TEST(weights_are_gathered_amid_an_epoch) {
    check_looks(0, 0);
    check_looks(3, 0);
    check_looks(4, 0);
    check_looks(2, 0.9);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {same_bits,
                                  same_bits_of_clipped_and_accumulated,
                                  same_bits_of_constant_inputs,
                                  same_bits_of_known_networks,
                                  other_settings_are_refused,
                                  no_memory_is_no_other_setting,
                                  after_a_failure_weights_are_not_made_up,
                                  weights_are_gathered_amid_an_epoch,
                                  NULL};
    return run_tests("shared training", tests);
}
