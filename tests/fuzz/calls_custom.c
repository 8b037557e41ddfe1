/* Functions of the program's own that the library calls: layers, losses, schedules, communicators, callbacks.
 * They fail and cancel now and then, ask getters, and from a trainer's callback make any call. */
#include "calls.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A user pointer, which is the library's until it calls `destroy`. */
typedef struct owned {
    uint8_t how;
    bool is_lent;
} owned;
static int64_t num_owned;

int64_t users_left(void) {
    return num_owned;
}

static owned *new_user(void) {
    owned *user = malloc(sizeof *user);
    require(user != NULL, "memory of the target's own");
    *user = (owned){a_byte(), true};
    num_owned++;
    return user;
}

static void destroy_user(void *user) {
    owned *self = user;
    require(self->is_lent, "a user pointer is destroyed once");
    num_owned--;
    free(user);
}

/* A table of functions, as this version has it, an earlier or a later one. */
typedef struct functions {
    union {
        dlviz_layer_functions layer;
        dlviz_loss_functions loss;
        dlviz_comm_functions comm;
    } table;
    unsigned char later[32];
} functions;

/* Says how large the table is. Returns false where it is none, so that nothing of it is read. */
static bool set_size(functions *all, size_t *struct_size, size_t size) {
    *struct_size = size;
    switch (below(40)) {
    case 39:
        *struct_size = 0;
        return false;
    case 38:
        *struct_size = SIZE_MAX;
        return false;
    case 37: /* of a later version, of which nothing is wanted */
        *struct_size = size + 8;
        memset((unsigned char *)&all->table + size, 0, 8);
        return true;
    case 36:
        *struct_size = size + 8;
        memset((unsigned char *)&all->table + size, 1, 8);
        return true;
    default:
        return true;
    }
}

/* What nobody owns, since there was no table to say how to give it back. */
static void end_user(owned *user, bool is_read) {
    if (!is_read)
        destroy_user(user);
}

static bool fails(void) {
    bool failing = one_in(32);
    if (failing)
        disturb();
    return failing;
}

/* -- Layers ------------------------------------------------------------------------------------- */

static dlviz_status set_up(dlviz_layer_setup *setup, void *user) {
    const owned *self = user;
    int64_t index = an_index();
    see_count(dlviz_layer_setup_num_inputs(setup));
    int ndim = dlviz_layer_setup_input_ndim(setup, 0);
    const int64_t *dims = dlviz_layer_setup_input_dims(setup, 0);
    see_dims(dlviz_layer_setup_input_ndim(setup, index),
             dlviz_layer_setup_input_dims(setup, index));
    disturb();
    dlviz_layer_setup_add_parameter(setup, "p", 1, dims, 1, 0.5);
    if (self->how & 8)
        dlviz_layer_setup_add_buffer(setup, self->how & 128 ? a_text() : "q", 0, NULL, 2);
    if (self->how & 16 && one_in(4))
        dlviz_layer_setup_add_parameter(setup, "r", 2, (int64_t[]){a_size(), a_size()}, a_number(),
                                        a_share());
    if (self->how & 32 && one_in(2))
        dlviz_layer_setup_set_output(setup, ndim, (int64_t[]){a_size(), a_size(), a_size()});
    return fails() ? dlviz_fail(DLVIZ_ERROR_SHAPE, "a layer of one's own does not want that")
                   : DLVIZ_OK;
}

/* The output is the first numbers of the input, times the first parameter's first number. */
static dlviz_status forward(const dlviz_layer_pass *pass, void *user) {
    const owned *self = user;
    const dlviz_tensor *input = dlviz_layer_pass_input(pass, 0);
    dlviz_tensor *output = dlviz_layer_pass_output(pass);
    const dlviz_tensor *state = dlviz_layer_pass_state(pass, "p");
    require(dlviz_tensor_dim(input, 0) == dlviz_layer_pass_num_samples(pass), "samples of a batch");
    require(input && output && state, "what a layer computes with");
    require(dlviz_layer_pass_num_inputs(pass) >= 1 && !dlviz_layer_pass_output_gradient(pass),
            "a forward pass");
    dlviz_tensor *buffer = dlviz_layer_pass_buffer(pass, "q");
    require(!buffer || dlviz_layer_pass_is_training(pass), "buffers are written in training alone");
    if (buffer)
        *dlviz_tensor_float(buffer) += self->how & 64 && one_in(8) ? (float)a_number() : 1;
    see_text((const char *)dlviz_layer_pass_state(pass, "none"));
    (void)dlviz_layer_pass_seed(pass);
    (void)dlviz_layer_pass_step(pass);
    if (fails())
        return dlviz_fail((dlviz_status)an_enum(12),
                          "a layer of one's own fails in its forward pass");
    int64_t count = dlviz_tensor_num_elements(output), most = dlviz_tensor_num_elements(input);
    for (int64_t i = 0; i < count && i < most; i++)
        dlviz_tensor_float(output)[i] =
            dlviz_tensor_const_float(input)[i] * *dlviz_tensor_const_float(state);
    return DLVIZ_OK;
}

static dlviz_status backward(const dlviz_layer_pass *pass, void *user) {
    (void)user;
    const dlviz_tensor *gradient = dlviz_layer_pass_output_gradient(pass);
    dlviz_tensor *of_input = dlviz_layer_pass_input_gradient(pass, 0);
    dlviz_tensor *of_state = dlviz_layer_pass_state_gradient(pass, "p");
    require(gradient != NULL && !dlviz_layer_pass_buffer(pass, "p"), "a backward pass");
    see_tensor(dlviz_layer_pass_output(pass));
    for (int64_t i = 0; of_input && i < dlviz_tensor_num_elements(of_input); i++)
        dlviz_tensor_float(of_input)[i] =
            i < dlviz_tensor_num_elements(gradient) ? dlviz_tensor_const_float(gradient)[i] : 0;
    if (of_state)
        *dlviz_tensor_float(of_state) = one_in(64) ? (float)a_number() : 0.5f;
    return fails()
               ? dlviz_fail(DLVIZ_ERROR_NUMERIC, "a layer of one's own fails in its backward pass")
               : DLVIZ_OK;
}

dlviz_layer *custom_layer(void) {
    owned *user = new_user();
    functions all = {.table.layer = {.name = one_in(16) ? a_text() : "own",
                                     .setup = set_up,
                                     .forward = one_in(64) ? NULL : forward,
                                     .backward = user->how & 2 ? backward : NULL,
                                     .destroy = destroy_user}};
    if (one_in(16)) {
        all.table.layer.min_inputs = (int)an_int();
        all.table.layer.max_inputs = a_bool() ? INT_MAX : (int)an_int();
    }
    bool is_read = set_size(&all, &all.table.layer.struct_size, sizeof all.table.layer);
    const dlviz_layer_functions *table = &all.table.layer;
    if (one_in(64)) {
        is_read = false;
        table = NULL;
    }
    dlviz_layer *layer = dlviz_layer_custom(table, user);
    end_user(user, is_read);
    return layer;
}

/* -- Losses ------------------------------------------------------------------------------------- */

/* Half the sum of the squared outputs, whatever the targets. */
static dlviz_status value(const dlviz_loss_pass *pass, void *user) {
    (void)user;
    const dlviz_tensor *outputs = dlviz_loss_pass_outputs(pass);
    dlviz_tensor *gradient = dlviz_loss_pass_gradient(pass);
    double *losses = dlviz_loss_pass_losses(pass);
    int64_t samples = dlviz_loss_pass_num_samples(pass),
            each = dlviz_tensor_num_elements(outputs) / samples;
    require(samples == dlviz_tensor_dim(outputs, 0) && losses &&
                !dlviz_loss_pass_metric(pass, an_index()),
            "a batch of a loss");
    see_tensor(dlviz_loss_pass_targets(pass));
    for (int64_t i = 0; i < samples * each; i++) {
        float output = dlviz_tensor_const_float(outputs)[i];
        losses[i / each] += 0.5 * (double)output * (double)output;
        if (gradient)
            dlviz_tensor_float(gradient)[i] = output;
    }
    if (one_in(32))
        losses[0] = a_number();
    if (one_in(32) && gradient)
        *dlviz_tensor_float(gradient) = (float)a_number();
    return fails()
               ? dlviz_fail((dlviz_status)an_enum(12), "a loss of one's own fails in this batch")
               : DLVIZ_OK;
}

static dlviz_status measure(const dlviz_loss_pass *pass, void *user) {
    (void)user;
    double *metric = dlviz_loss_pass_metric(pass, 0);
    require(metric && !dlviz_loss_pass_gradient(pass), "a measuring pass");
    for (int64_t i = 0; i < dlviz_loss_pass_num_samples(pass); i++)
        metric[i] = one_in(8) ? a_number() : 1;
    return fails() ? dlviz_fail(DLVIZ_ERROR_NUMERIC, "a metric of one's own fails in this batch")
                   : DLVIZ_OK;
}

dlviz_loss *custom_loss(void) {
    owned *user = new_user();
    const char *names[8] = {"good", "better", "good", "", "a,b", "c", "d", "e"};
    functions all = {.table.loss = {.name = one_in(16) ? a_text() : "own_loss",
                                    .takes_labels = user->how & 1,
                                    .value = one_in(64) ? NULL : value,
                                    .num_metrics = user->how & 2 ? 1
                                                   : one_in(8)   ? below(9)
                                                                 : 0,
                                    .metric_names = names,
                                    .measure = measure,
                                    .destroy = destroy_user}};
    bool is_read = set_size(&all, &all.table.loss.struct_size, sizeof all.table.loss);
    const dlviz_loss_functions *table = &all.table.loss;
    if (one_in(64)) {
        is_read = false;
        table = NULL;
    }
    dlviz_loss *loss = dlviz_loss_custom(table, user);
    end_user(user, is_read);
    return loss;
}

/* -- Schedules ---------------------------------------------------------------------------------- */

static double rate(const dlviz_schedule_event *event, void *user) {
    (void)user;
    require(dlviz_schedule_event_epochs(event) >= 0, "time passes");
    see_count(dlviz_schedule_event_num_steps(event));
    see_number(dlviz_schedule_event_loss(event));
    see_number(dlviz_schedule_event_rate(event));
    return one_in(16) ? a_number() : dlviz_schedule_event_base_rate(event) / 2;
}

dlviz_schedule *custom_schedule(void) {
    return dlviz_schedule_custom(one_in(32) ? NULL : rate, NULL);
}

/* -- Communicators: of one rank, which has nobody to talk to ------------------------------------ */

static dlviz_status start(int64_t slot, int64_t peer, const void *send, size_t send_size,
                          void *receive, size_t receive_size, void *user) {
    (void)slot, (void)peer, (void)send, (void)send_size, (void)receive, (void)receive_size,
        (void)user;
    return dlviz_fail(DLVIZ_ERROR_COMM, "there is no other rank that could be reached");
}

static dlviz_status finish(int64_t slot, bool wait, bool *finished, void *user) {
    (void)slot, (void)wait, (void)finished, (void)user;
    return dlviz_fail(DLVIZ_ERROR_COMM, "there is no other rank that could be reached");
}

static void fail(const char *sentence, void *user) {
    (void)user;
    see_text(sentence);
}

static void make_comm(void) {
    owned *user = new_user();
    functions all = {.table.comm = {.start = one_in(64) ? NULL : start,
                                    .finish = one_in(64) ? NULL : finish,
                                    .fail = one_in(64) ? NULL : fail,
                                    .destroy = destroy_user}};
    int64_t ranks = one_in(8) ? an_int() : 1, rank = one_in(8) ? an_int() : 0;
    bool is_read = set_size(&all, &all.table.comm.struct_size, sizeof all.table.comm);
    dlviz_comm *made = NOT_MADE;
    dlviz_status status = CALL(dlviz_comm_create(&made, rank, ranks, &all.table.comm, user));
    end_user(user, is_read);
    if (!was_made(status, true, made))
        return;
    require(dlviz_comm_rank(made) == rank && dlviz_comm_num_ranks(made) == ranks && rank < ranks &&
                rank >= 0,
            "a rank among ranks");
    keep_comm(made);
}

void call_comm(void) {
    dlviz_comm *comm = a_comm();
    int64_t first = 0, count = 0, rows;
    const dlviz_tensor *own;
    dlviz_status status;
    switch (below(6)) {
    case 0:
    case 1:
        make_comm();
        break;
    case 2:
        rows = a_size();
        dlviz_comm_share(comm, rows, &first, &count);
        dlviz_comm_share(comm, rows, NULL, NULL);
        require(dlviz_comm_num_ranks(comm) > 1 || rows < 0 || (first == 0 && count == rows),
                "all rows of one rank");
        break;
    case 3:
        own = a_tensor();
        MAKE(tensor, dlviz_comm_gather(comm, own, out));
        break;
    case 4:
        status = a_bool() ? DLVIZ_OK : DLVIZ_ERROR_NUMERIC;
        disturb();
        (void)CALL(dlviz_comm_agree(
            comm, status == DLVIZ_OK ? status : dlviz_fail(status, "what this rank comes with")));
        break;
    default:
        drop_comm();
    }
}

/* -- Callbacks ---------------------------------------------------------------------------------- */

bool trainer_function(const dlviz_trainer_event *event, void *user) {
    (void)user;
    const dlviz_trainer *trainer = dlviz_trainer_event_trainer(event);
    require(trainer != NULL, "the trainer that calls");
    see_count(dlviz_trainer_event_epoch(event));
    see_count(dlviz_trainer_event_batch(event));
    see_number(dlviz_trainer_event_loss(event));
    see_number(dlviz_trainer_event_gradient_norm(event));
    see_number(dlviz_trainer_event_learning_rate(event));
    if (one_in(6))
        see_trainer(trainer);
    if (call_depth() == 1 && one_in(3)) {
        disturb();
        call_something();
    }
    return !one_in(16);
}

bool progress_function(const dlviz_progress_event *event, void *user) {
    (void)user;
    see_text(dlviz_progress_event_task(event));
    double share = dlviz_progress_event_share(event);
    require(share >= 0 && share <= 1, "a share of the work");
    return !one_in(12);
}
