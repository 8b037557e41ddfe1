#include "support/custom_layers.h"

#include <limits.h>
#include <math.h>
#include <string.h>

const void *probe_thread(void) {
    static _Thread_local char place;
    return &place;
}

static dlviz_status enter(probe *p, int function) {
    static const char *const names[] = {"setup", "forward", "backward"};
    if (!p || ++p->calls[function] != p->fail_at || function != p->fail_function)
        return DLVIZ_OK;
    return p->silent ? p->status
                     : dlviz_fail(p->status, "call %d of %s is to fail (%.1f)", p->fail_at,
                                  names[function], 0.5);
}

static dlviz_status enter_pass(const dlviz_layer_pass *pass, probe *p, int function) {
    if (p) {
        int64_t n = dlviz_layer_pass_num_samples(pass);
        p->largest = n > p->largest ? n : p->largest;
        p->trained = dlviz_layer_pass_is_training(pass);
        p->seed = dlviz_layer_pass_seed(pass);
        p->step = dlviz_layer_pass_step(pass);
        p->thread = probe_thread();
        p->saw_input_gradient = dlviz_layer_pass_input_gradient(pass, 0) != NULL;
    }
    return enter(p, function);
}

#define ENTER(call)                                                                                \
    do {                                                                                           \
        dlviz_status status_ = (call);                                                             \
        if (status_ != DLVIZ_OK)                                                                   \
            return status_;                                                                        \
    } while (0)

static void destroy(void *user) {
    if (user)
        ((probe *)user)->destroyed++;
}

static const float *state_of(const dlviz_layer_pass *pass, const char *name) {
    return dlviz_tensor_const_float(dlviz_layer_pass_state(pass, name));
}

static dlviz_status setup_same(dlviz_layer_setup *setup, void *user) {
    (void)setup;
    return enter(user, CALL_SETUP);
}

/* -- relu -----------------------------------------------------------------------------------------
 */

static dlviz_status relu_forward(const dlviz_layer_pass *pass, void *user) {
    ENTER(enter_pass(pass, user, CALL_FORWARD));
    const dlviz_tensor *input = dlviz_layer_pass_input(pass, 0);
    const float *x = dlviz_tensor_const_float(input);
    float *y = dlviz_tensor_float(dlviz_layer_pass_output(pass));
    for (int64_t i = 0; i < dlviz_tensor_num_elements(input); i++)
        y[i] = x[i] > 0 ? x[i] : 0;
    return DLVIZ_OK;
}

/* From the output, which forward wrote. */
static dlviz_status relu_backward(const dlviz_layer_pass *pass, void *user) {
    ENTER(enter_pass(pass, user, CALL_BACKWARD));
    const float *y = dlviz_tensor_const_float(dlviz_layer_pass_output(pass));
    const float *dy = dlviz_tensor_const_float(dlviz_layer_pass_output_gradient(pass));
    dlviz_tensor *wanted = dlviz_layer_pass_input_gradient(pass, 0);
    for (int64_t i = 0; wanted && i < dlviz_tensor_num_elements(wanted); i++)
        dlviz_tensor_float(wanted)[i] = y[i] > 0 ? dy[i] : 0;
    return DLVIZ_OK;
}

const dlviz_layer_functions probe_relu = {.struct_size = sizeof probe_relu,
                                          .name = "relu",
                                          .setup = setup_same,
                                          .forward = relu_forward,
                                          .backward = relu_backward,
                                          .destroy = destroy};

/* -- add ------------------------------------------------------------------------------------------
 */

/* Into what is 0 at first. */
static dlviz_status add_forward(const dlviz_layer_pass *pass, void *user) {
    ENTER(enter_pass(pass, user, CALL_FORWARD));
    float *y = dlviz_tensor_float(dlviz_layer_pass_output(pass));
    for (int k = 0; k < dlviz_layer_pass_num_inputs(pass); k++) {
        const dlviz_tensor *input = dlviz_layer_pass_input(pass, k);
        for (int64_t i = 0; i < dlviz_tensor_num_elements(input); i++)
            y[i] += dlviz_tensor_const_float(input)[i];
    }
    return DLVIZ_OK;
}

static dlviz_status add_backward(const dlviz_layer_pass *pass, void *user) {
    ENTER(enter_pass(pass, user, CALL_BACKWARD));
    const dlviz_tensor *dy = dlviz_layer_pass_output_gradient(pass);
    for (int k = 0; k < dlviz_layer_pass_num_inputs(pass); k++) {
        dlviz_tensor *dx = dlviz_layer_pass_input_gradient(pass, k);
        if (dx)
            memcpy(dlviz_tensor_data(dx), dlviz_tensor_const_data(dy),
                   (size_t)dlviz_tensor_num_elements(dy) * sizeof(float));
    }
    return DLVIZ_OK;
}

const dlviz_layer_functions probe_add = {.struct_size = sizeof probe_add,
                                         .name = "sum",
                                         .min_inputs = 2,
                                         .max_inputs = INT_MAX,
                                         .forward = add_forward,
                                         .backward = add_backward,
                                         .destroy = destroy};

/* -- flatten --------------------------------------------------------------------------------------
 */

static dlviz_status flatten_setup(dlviz_layer_setup *setup, void *user) {
    ENTER(enter(user, CALL_SETUP));
    int64_t size = 1;
    for (int i = 0; i < dlviz_layer_setup_input_ndim(setup, 0); i++)
        size *= dlviz_layer_setup_input_dims(setup, 0)[i];
    return dlviz_layer_setup_set_output(setup, 1, &size);
}

/* PyTorch's order is that of the vector. */
static dlviz_status flatten_forward(const dlviz_layer_pass *pass, void *user) {
    ENTER(enter_pass(pass, user, CALL_FORWARD));
    dlviz_tensor *output = dlviz_layer_pass_output(pass);
    memcpy(dlviz_tensor_data(output), dlviz_tensor_const_data(dlviz_layer_pass_input(pass, 0)),
           (size_t)dlviz_tensor_num_elements(output) * sizeof(float));
    return DLVIZ_OK;
}

const dlviz_layer_functions probe_flatten = {.struct_size = sizeof probe_flatten,
                                             .name = "my flatten",
                                             .setup = flatten_setup,
                                             .forward = flatten_forward,
                                             .backward = add_backward,
                                             .destroy = destroy};

/* -- linear ---------------------------------------------------------------------------------------
 */

enum { OUTPUTS = 3 };

static dlviz_status linear_setup(dlviz_layer_setup *setup, void *user) {
    ENTER(enter(user, CALL_SETUP));
    int64_t inputs = dlviz_layer_setup_input_dims(setup, 0)[0], dims[] = {OUTPUTS, inputs};
    double bound = 1 / sqrt((double)inputs);
    ENTER(dlviz_layer_setup_add_parameter(setup, "weight", 2, dims, 0, bound));
    ENTER(dlviz_layer_setup_add_parameter(setup, "bias", 1, dims, 0, bound));
    return dlviz_layer_setup_set_output(setup, 1, dims);
}

static dlviz_status linear_forward(const dlviz_layer_pass *pass, void *user) {
    ENTER(enter_pass(pass, user, CALL_FORWARD));
    int64_t n = dlviz_layer_pass_num_samples(pass);
    int64_t inputs = dlviz_tensor_dim(dlviz_layer_pass_input(pass, 0), 1);
    const float *x = dlviz_tensor_const_float(dlviz_layer_pass_input(pass, 0));
    const float *weight = state_of(pass, "weight"), *bias = state_of(pass, "bias");
    float *y = dlviz_tensor_float(dlviz_layer_pass_output(pass));
    for (int64_t i = 0; i < n; i++)
        for (int64_t o = 0; o < OUTPUTS; o++) {
            double sum = (double)bias[o];
            for (int64_t j = 0; j < inputs; j++)
                sum += (double)x[i * inputs + j] * (double)weight[o * inputs + j];
            y[i * OUTPUTS + o] = (float)sum;
        }
    return DLVIZ_OK;
}

static dlviz_status linear_backward(const dlviz_layer_pass *pass, void *user) {
    ENTER(enter_pass(pass, user, CALL_BACKWARD));
    int64_t n = dlviz_layer_pass_num_samples(pass);
    int64_t inputs = dlviz_tensor_dim(dlviz_layer_pass_input(pass, 0), 1);
    const float *x = dlviz_tensor_const_float(dlviz_layer_pass_input(pass, 0));
    const float *dy = dlviz_tensor_const_float(dlviz_layer_pass_output_gradient(pass));
    const float *weight = state_of(pass, "weight");
    float *dw = dlviz_tensor_float(dlviz_layer_pass_state_gradient(pass, "weight"));
    float *db = dlviz_tensor_float(dlviz_layer_pass_state_gradient(pass, "bias"));
    dlviz_tensor *wanted = dlviz_layer_pass_input_gradient(pass, 0);
    for (int64_t i = 0; i < n; i++)
        for (int64_t o = 0; o < OUTPUTS; o++) {
            float g = dy[i * OUTPUTS + o];
            db[o] += g;
            for (int64_t j = 0; j < inputs; j++) {
                dw[o * inputs + j] += g * x[i * inputs + j];
                if (wanted)
                    dlviz_tensor_float(wanted)[i * inputs + j] += g * weight[o * inputs + j];
            }
        }
    return DLVIZ_OK;
}

const dlviz_layer_functions probe_linear = {.struct_size = sizeof probe_linear,
                                            .name = "my linear",
                                            .setup = linear_setup,
                                            .forward = linear_forward,
                                            .backward = linear_backward,
                                            .destroy = destroy};

/* -- swish ----------------------------------------------------------------------------------------
 */

static dlviz_status swish_setup(dlviz_layer_setup *setup, void *user) {
    ENTER(enter(user, CALL_SETUP));
    const int64_t *channels = dlviz_layer_setup_input_dims(setup, 0);
    ENTER(dlviz_layer_setup_add_parameter(setup, "beta", 1, channels, 1, 0.5));
    return dlviz_layer_setup_add_buffer(setup, "steps", 0, NULL, 0);
}

typedef struct images {
    int64_t size, channels, pixels;
} images;

static images images_of(const dlviz_tensor *tensor) {
    int64_t size = dlviz_tensor_num_elements(tensor), channels = dlviz_tensor_dim(tensor, 1);
    return (images){size, channels, size / channels / dlviz_tensor_dim(tensor, 0)};
}

static dlviz_status swish_forward(const dlviz_layer_pass *pass, void *user) {
    dlviz_tensor *steps = dlviz_layer_pass_buffer(pass, "steps");
    if (steps)
        *dlviz_tensor_float(steps) += 1;
    ENTER(enter_pass(pass, user, CALL_FORWARD));
    images in = images_of(dlviz_layer_pass_input(pass, 0));
    const float *x = dlviz_tensor_const_float(dlviz_layer_pass_input(pass, 0));
    const float *beta = state_of(pass, "beta");
    float *y = dlviz_tensor_float(dlviz_layer_pass_output(pass));
    for (int64_t i = 0; i < in.size; i++)
        y[i] = x[i] / (1 + expf(-beta[i / in.pixels % in.channels] * x[i]));
    return DLVIZ_OK;
}

static dlviz_status swish_backward(const dlviz_layer_pass *pass, void *user) {
    ENTER(enter_pass(pass, user, CALL_BACKWARD));
    images in = images_of(dlviz_layer_pass_input(pass, 0));
    const float *x = dlviz_tensor_const_float(dlviz_layer_pass_input(pass, 0));
    const float *dy = dlviz_tensor_const_float(dlviz_layer_pass_output_gradient(pass));
    const float *beta = state_of(pass, "beta");
    float *dbeta = dlviz_tensor_float(dlviz_layer_pass_state_gradient(pass, "beta"));
    dlviz_tensor *wanted = dlviz_layer_pass_input_gradient(pass, 0);
    for (int64_t i = 0; i < in.size; i++) {
        int64_t c = i / in.pixels % in.channels;
        float s = 1 / (1 + expf(-beta[c] * x[i])), slope = s * (1 - s);
        dbeta[c] += dy[i] * x[i] * x[i] * slope;
        if (wanted)
            dlviz_tensor_float(wanted)[i] = dy[i] * (s + beta[c] * x[i] * slope);
    }
    return DLVIZ_OK;
}

const dlviz_layer_functions probe_swish = {.struct_size = sizeof probe_swish,
                                           .name = "swish",
                                           .setup = swish_setup,
                                           .forward = swish_forward,
                                           .backward = swish_backward,
                                           .destroy = destroy};

dlviz_layer *probe_layer(const dlviz_layer_functions *functions, probe *p) {
    return dlviz_layer_custom(functions, p);
}
