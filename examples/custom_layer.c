/* custom_layer.c - a layer of your own, y = |x|^p with a trained p, finds |u|^3 + |v|^3 = 1. */
#include <dlviz.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static dlviz_status setup(dlviz_layer_setup *setup, void *user) {
    (void)user; /* the output has the input's shape, unless we say otherwise here */
    return dlviz_layer_setup_add_parameter(setup, "power", 0, NULL, 2, 0); /* one number, 2 */
}

static dlviz_status forward(const dlviz_layer_pass *pass, void *user) {
    (void)user;
    const dlviz_tensor *input = dlviz_layer_pass_input(pass, 0); /* the batch: n x … */
    const float *x = dlviz_tensor_const_float(input);
    const float *p = dlviz_tensor_const_float(dlviz_layer_pass_state(pass, "power"));
    float *y = dlviz_tensor_float(dlviz_layer_pass_output(pass));
    for (int64_t i = 0; i < dlviz_tensor_num_elements(input); i++)
        y[i] = powf(fabsf(x[i]), *p);
    return DLVIZ_OK;
}

static dlviz_status backward(const dlviz_layer_pass *pass, void *user) {
    (void)user;
    const dlviz_tensor *input = dlviz_layer_pass_input(pass, 0);
    dlviz_tensor *dx = dlviz_layer_pass_input_gradient(pass, 0); /* NULL: nobody wants it */
    const float *x = dlviz_tensor_const_float(input);
    const float *p = dlviz_tensor_const_float(dlviz_layer_pass_state(pass, "power"));
    const float *dy = dlviz_tensor_const_float(dlviz_layer_pass_output_gradient(pass));
    float *dp = dlviz_tensor_float(dlviz_layer_pass_state_gradient(pass, "power")); /* 0 so far */
    for (int64_t i = 0; i < dlviz_tensor_num_elements(input); i++) {
        *dp += dy[i] * powf(fabsf(x[i]), *p) * logf(fabsf(x[i]) + 1e-12F);
        if (dx)
            dlviz_tensor_float(dx)[i] = dy[i] * *p * copysignf(powf(fabsf(x[i]), *p - 1), x[i]);
    }
    return DLVIZ_OK;
}

static void check(dlviz_status status) {
    if (status != DLVIZ_OK)
        exit((fprintf(stderr, "%s\n", dlviz_last_error()), EXIT_FAILURE));
}

int main(void) {
    enum { N = 2000 };
    dlviz_tensor *points, *inside, *state, *learned, *slope;
    check(dlviz_tensor_create(&points, DLVIZ_FLOAT32, 2, (int64_t[]){N, 2}));
    check(dlviz_tensor_create(&inside, DLVIZ_UINT8, 1, (int64_t[]){N}));
    for (int i = 0; i < N; i++) { /* spread evenly over a square */
        float *p = dlviz_tensor_float(points) + 2 * i;
        p[0] = 2.4F * ((float)i / N - 0.5F), p[1] = 2.4F * (fmodf((float)i * 0.618F, 1) - 0.5F);
        ((uint8_t *)dlviz_tensor_data(inside))[i] = powf(fabsf(p[0]), 3) + powf(fabsf(p[1]), 3) < 1;
    }
    dlviz_layer_functions power = {.struct_size = sizeof power, .name = "power"};
    power.setup = setup, power.forward = forward, power.backward = backward;
    dlviz_network *net;
    check(dlviz_network_create(&net, 1, (int64_t[]){2}));
    dlviz_network_add(net, "curve", dlviz_layer_custom(&power, NULL));
    dlviz_network_add(net, "out", dlviz_linear(2));
    check(dlviz_network_build(net, 1)); /* the first error of all of the above */
    double loss, more;                  /* with the power 2, and with a little more */
    check(dlviz_network_backward(net, points, inside, 0, 0, &loss));
    check(dlviz_network_get_gradient(net, "curve.power", &slope));
    check(dlviz_tensor_from_data(&state, DLVIZ_FLOAT32, 0, NULL, &(float){2.001F}));
    check(dlviz_network_set_state(net, "curve.power", state));
    check(dlviz_network_backward(net, points, inside, 0, 0, &more));
    printf("gradient %.5f, by difference %.5f\n", *dlviz_tensor_float(slope), (more - loss) / 1e-3);
    dlviz_optimizer *adam;
    check(dlviz_adam_create(&adam, 0.3));
    for (uint64_t step = 0; step < 500; step++) {
        check(dlviz_network_backward(net, points, inside, 0, step, &loss));
        check(dlviz_optimizer_step(adam, net));
    }
    check(dlviz_network_get_state(net, "curve.power", &learned));
    printf("power %.2f, loss %.4f\n", *dlviz_tensor_float(learned), loss);
    dlviz_tensor_destroy(points), dlviz_tensor_destroy(inside), dlviz_tensor_destroy(slope);
    dlviz_tensor_destroy(state), dlviz_tensor_destroy(learned), dlviz_network_destroy(net);
    dlviz_optimizer_destroy(adam);
    if (fflush(stdout) != 0 || ferror(stdout))
        return fprintf(stderr, "cannot write to standard output\n"), EXIT_FAILURE;
}
