/* How a user's layer is computed: its functions see whole batches in PyTorch's order. Where that is
 * the order in memory, they work on the library's own memory; else on a copy. */
#include "base/base.h"
#include "layers/custom.h"
#include "layers/transpose.h"
#include "tensor/tensor.h"

#include <string.h>

/* One tensor of a batch, as the user sees it. */
typedef struct batch_view {
    dlviz_tensor *view;
    float *forward, *backward; /* planned: the copy in PyTorch's order, in each of the passes */
    bool open;                 /* in the present pass */
} batch_view;

struct dlviz_layer_pass {
    const dlz_op *op;
    const dlz_custom *custom;
    const dlz_run *run; /* while one of the functions runs */
    bool backward;
    batch_view output, output_gradient;
    batch_view *inputs, *input_gradients; /* one each an input */
    dlviz_tensor *states[DLZ_MAX_STATES], *state_gradients[DLZ_MAX_STATES];
};

static dlviz_layer_pass *pass_of(const dlz_op *op) {
    return op->own;
}

static bool is_reordered(const dlz_value *value) {
    return value->channels > 1 && value->height * value->width > 1;
}

/* -- Planning -------------------------------------------------------------------------------------
 */

static void release_batch(batch_view *batch) {
    dlviz_tensor_destroy(batch->view);
    batch->view = NULL;
}

static void release(dlz_op *op) {
    dlviz_layer_pass *pass = pass_of(op);
    release_batch(&pass->output);
    release_batch(&pass->output_gradient);
    for (int i = 0; pass->inputs && i < op->num_inputs; i++) {
        release_batch(&pass->inputs[i]);
        release_batch(&pass->input_gradients[i]);
    }
    for (int i = 0; i < DLZ_MAX_STATES; i++) {
        dlviz_tensor_destroy(pass->states[i]);
        dlviz_tensor_destroy(pass->state_gradients[i]);
        pass->states[i] = pass->state_gradients[i] = NULL;
    }
    dlz_free(pass->inputs); /* and the input gradients behind them */
    pass->inputs = pass->input_gradients = NULL;
}

/* A view whose data are set when there are any. */
static dlviz_status make_batch(batch_view *batch, const dlz_setup *setup, const dlz_shape *shape) {
    int64_t dims[4] = {setup->n};
    float nothing;
    memcpy(dims + 1, shape->dims, (size_t)shape->ndim * sizeof *dims);
    DLZ_TRY(dlviz_tensor_wrap(&batch->view, DLVIZ_FLOAT32, shape->ndim + 1, dims, &nothing, NULL,
                              NULL));
    batch->view->data = NULL;
    return DLVIZ_OK;
}

/* Asks for the copy that a pass needs, at the time of that pass. */
static dlviz_status ask(float **copy, const dlz_value *value, const dlz_setup *setup, int time) {
    if (!is_reordered(value))
        return DLVIZ_OK;
    return dlz_memory_ask_array(setup->memory, copy, setup->n * dlz_value_size(value),
                                sizeof(float), time, time);
}

/* Whether the layer's backward will run. */
static bool goes_backward(const dlz_op *op, dlz_mode mode) {
    return mode.gradients && op->out->needs_gradient;
}

static dlviz_status plan_input(dlz_op *op, const dlz_setup *setup, int i) {
    dlviz_layer_pass *pass = pass_of(op);
    const dlz_value *in = op->inputs[i];
    const dlz_shape *shape = &pass->custom->in[i];
    DLZ_TRY(make_batch(&pass->inputs[i], setup, shape));
    DLZ_TRY(ask(&pass->inputs[i].forward, in, setup, setup->forward_time));
    if (!goes_backward(op, setup->mode))
        return DLVIZ_OK;
    DLZ_TRY(ask(&pass->inputs[i].backward, in, setup, setup->backward_time));
    if (!in->needs_gradient)
        return DLVIZ_OK;
    DLZ_TRY(make_batch(&pass->input_gradients[i], setup, shape));
    return ask(&pass->input_gradients[i].backward, in, setup, setup->backward_time);
}

static dlviz_status plan_output(dlz_op *op, const dlz_setup *setup) {
    dlviz_layer_pass *pass = pass_of(op);
    const dlz_value *out = op->out;
    DLZ_TRY(make_batch(&pass->output, setup, &pass->custom->out));
    DLZ_TRY(ask(&pass->output.forward, out, setup, setup->forward_time));
    if (!goes_backward(op, setup->mode))
        return DLVIZ_OK;
    DLZ_TRY(ask(&pass->output.backward, out, setup, setup->backward_time));
    DLZ_TRY(make_batch(&pass->output_gradient, setup, &pass->custom->out));
    return ask(&pass->output_gradient.backward, out, setup, setup->backward_time);
}

static dlviz_status plan_states(dlz_op *op) {
    dlviz_layer_pass *pass = pass_of(op);
    for (int i = 0; i < pass->custom->num_states; i++) {
        const dlz_state_spec *spec = &pass->custom->states[i];
        DLZ_TRY(dlviz_tensor_wrap(&pass->states[i], DLVIZ_FLOAT32, spec->ndim, spec->dims,
                                  op->states[i].value, NULL, NULL));
        if (op->states[i].gradient)
            DLZ_TRY(dlviz_tensor_wrap(&pass->state_gradients[i], DLVIZ_FLOAT32, spec->ndim,
                                      spec->dims, op->states[i].gradient, NULL, NULL));
    }
    return DLVIZ_OK;
}

static dlviz_status plan(dlz_op *op, const dlz_setup *setup) {
    dlviz_layer_pass *pass = pass_of(op);
    release(op);
    pass->op = op;
    pass->custom = (const dlz_custom *)op->layer;
    size_t count = 2 * (size_t)op->num_inputs;
    pass->inputs = dlz_alloc_array_zero(count, sizeof *pass->inputs);
    if (!pass->inputs)
        return dlz_fail_memory("a layer's inputs", count * sizeof *pass->inputs);
    pass->input_gradients = pass->inputs + op->num_inputs;
    for (int i = 0; i < op->num_inputs; i++)
        DLZ_TRY(plan_input(op, setup, i));
    DLZ_TRY(plan_output(op, setup));
    DLZ_TRY(plan_states(op));
    DLZ_TRY(dlz_op_ask_output(op, setup));
    return goes_backward(op, setup->mode) ? dlz_op_ask_input_gradients(op, setup) : DLVIZ_OK;
}

/* -- One pass -------------------------------------------------------------------------------------
 */

static float *copy_of(const dlviz_layer_pass *pass, const batch_view *batch) {
    return pass->backward ? batch->backward : batch->forward;
}

/* Shows the user what lies in memory. */
static void open_to_read(const dlviz_layer_pass *pass, batch_view *batch, const dlz_value *value,
                         const float *data) {
    batch->open = true;
    batch->view->data = (void *)data;
    if (!is_reordered(value))
        return;
    batch->view->data = copy_of(pass, batch);
    dlz_transpose_samples(pass->run, data, value->height * value->width, value->channels,
                          batch->view->data);
}

/* Shows zeros, which the user replaces. */
static void open_to_write(const dlviz_layer_pass *pass, batch_view *batch, const dlz_value *value,
                          float *data) {
    batch->open = true;
    batch->view->data = is_reordered(value) ? copy_of(pass, batch) : data;
    memset(batch->view->data, 0, (size_t)batch->view->size * sizeof(float));
}

/* Takes what the user wrote. */
static void close_written(const dlviz_layer_pass *pass, batch_view *batch, const dlz_value *value,
                          float *data) {
    if (is_reordered(value))
        dlz_transpose_samples(pass->run, batch->view->data, value->channels,
                              value->height * value->width, data);
}

static void start(dlviz_layer_pass *pass, const dlz_run *run, bool backward) {
    pass->run = run;
    pass->backward = backward;
    pass->output.open = pass->output_gradient.open = false;
    for (int i = 0; i < pass->op->num_inputs; i++) {
        pass->input_gradients[i].open = false;
        open_to_read(pass, &pass->inputs[i], pass->op->inputs[i], pass->op->inputs[i]->data);
    }
}

static void forward(dlz_op *op, const dlz_run *run) {
    dlviz_layer_pass *pass = pass_of(op);
    const dlz_custom *custom = pass->custom;
    start(pass, run, false);
    open_to_write(pass, &pass->output, op->out, op->out->data);
    uint64_t failures = dlz_num_failures();
    dlviz_status status =
        dlz_user_result("forward", custom->functions.forward(pass, custom->user), failures);
    if (status != DLVIZ_OK)
        dlz_run_fail(run, status);
    else
        close_written(pass, &pass->output, op->out, op->out->data);
}

static void open_backward(dlviz_layer_pass *pass) {
    const dlz_op *op = pass->op;
    open_to_read(pass, &pass->output, op->out, op->out->data);
    open_to_read(pass, &pass->output_gradient, op->out, op->out->gradient.dy);
    for (int i = 0; i < op->num_inputs; i++)
        if (op->inputs[i]->needs_gradient)
            open_to_write(pass, &pass->input_gradients[i], op->inputs[i], op->inputs[i]->dy);
    for (int i = 0; i < pass->custom->num_states; i++) {
        dlviz_tensor *gradient = pass->state_gradients[i];
        if (gradient)
            memset(gradient->data, 0, (size_t)gradient->size * sizeof(float));
    }
}

static dlviz_status call_backward(const dlviz_layer_pass *pass) {
    const dlviz_layer_functions *functions = &pass->custom->functions;
    if (!functions->backward)
        return dlz_fail(
            DLVIZ_ERROR_UNSUPPORTED,
            "the layer has no backward and cannot be trained, nor what comes before it");
    uint64_t failures = dlz_num_failures();
    return dlz_user_result("backward", functions->backward(pass, pass->custom->user), failures);
}

static void backward(dlz_op *op, const dlz_run *run) {
    if (!goes_backward(op, run->mode))
        return;
    dlviz_layer_pass *pass = pass_of(op);
    start(pass, run, true);
    open_backward(pass);
    dlviz_status status = call_backward(pass);
    if (status != DLVIZ_OK) {
        dlz_run_fail(run, status);
        return;
    }
    for (int i = 0; i < op->num_inputs; i++)
        if (op->inputs[i]->needs_gradient)
            close_written(pass, &pass->input_gradients[i], op->inputs[i], op->inputs[i]->dy);
    dlz_op_give_gradients(op);
}

const dlz_op_type dlz_custom_op_type = {
    .name = "custom",
    .own = sizeof(dlviz_layer_pass),
    .abilities = DLZ_OP_NEEDS_OUTPUT,
    .plan = plan,
    .forward = forward,
    .backward = backward,
    .release = release,
};

/* -- What the user's functions ask ----------------------------------------------------------------
 */

int64_t dlviz_layer_pass_num_samples(const dlviz_layer_pass *pass) {
    return pass ? pass->run->n : 0;
}

int64_t dlviz_layer_pass_num_inputs(const dlviz_layer_pass *pass) {
    return pass ? pass->op->num_inputs : 0;
}

static bool has_input(const dlviz_layer_pass *pass, int64_t input) {
    return input >= 0 && input < dlviz_layer_pass_num_inputs(pass);
}

const dlviz_tensor *dlviz_layer_pass_input(const dlviz_layer_pass *pass, int64_t input) {
    return has_input(pass, input) ? pass->inputs[input].view : NULL;
}

dlviz_tensor *dlviz_layer_pass_output(const dlviz_layer_pass *pass) {
    return pass ? pass->output.view : NULL;
}

const dlviz_tensor *dlviz_layer_pass_output_gradient(const dlviz_layer_pass *pass) {
    return pass && pass->output_gradient.open ? pass->output_gradient.view : NULL;
}

dlviz_tensor *dlviz_layer_pass_input_gradient(const dlviz_layer_pass *pass, int64_t input) {
    return has_input(pass, input) && pass->input_gradients[input].open
               ? pass->input_gradients[input].view
               : NULL;
}

/* −1 when there is none of this name. */
static int find_state(const dlviz_layer_pass *pass, const char *name) {
    for (int i = 0; pass && name && i < pass->custom->num_states; i++)
        if (strcmp(pass->custom->states[i].suffix, name) == 0)
            return i;
    return -1;
}

const dlviz_tensor *dlviz_layer_pass_state(const dlviz_layer_pass *pass, const char *name) {
    int i = find_state(pass, name);
    return i >= 0 ? pass->states[i] : NULL;
}

dlviz_tensor *dlviz_layer_pass_buffer(const dlviz_layer_pass *pass, const char *name) {
    int i = find_state(pass, name);
    bool writable =
        i >= 0 && !pass->custom->states[i].trainable && !pass->backward && pass->run->mode.training;
    return writable ? pass->states[i] : NULL;
}

dlviz_tensor *dlviz_layer_pass_state_gradient(const dlviz_layer_pass *pass, const char *name) {
    int i = find_state(pass, name);
    return i >= 0 && pass->backward ? pass->state_gradients[i] : NULL;
}

bool dlviz_layer_pass_is_training(const dlviz_layer_pass *pass) {
    return pass && pass->run->mode.training;
}

uint64_t dlviz_layer_pass_seed(const dlviz_layer_pass *pass) {
    return pass ? pass->run->seed : 0;
}

uint64_t dlviz_layer_pass_step(const dlviz_layer_pass *pass) {
    return pass ? pass->run->step : 0;
}
