#include "parity/compare.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* The true gradient of a bias in front of a batch normalization is 0, and PyTorch's float64 one is
 * some 1e-17: such tensors are compared absolutely. */
#define ZERO 1e-6

static int compare_logits(const fixture *file, const char *prefix, const char *what,
                          dlviz_network *network, const dlviz_tensor *inputs, double tolerance,
                          bool verbose) {
    char key[96];
    dlviz_tensor *outputs;
    snprintf(key, sizeof key, "%s/%s", prefix, what);
    ck_ok(dlviz_network_forward(network, inputs, &outputs));
    return !tensor_is_near(file, key, outputs, tolerance, ZERO, verbose);
}

static int compare_losses(const fixture *file, const char *prefix, int steps, const double *losses,
                          double tolerance, bool verbose) {
    char key[96];
    snprintf(key, sizeof key, "%s/loss", prefix);
    const double *wide = fixture_doubles(file, key, 2 * steps), *apart = wide + steps;
    int far = 0;
    for (int t = 0; t < steps; t++) {
        double error = fabs(losses[t] - wide[t]), torch = apart[t];
        bool near = error <= fmax(tolerance * fmax(fabs(wide[t]), ZERO), 2 * torch);
        if (verbose || !near)
            printf("%s, step %d: %.9g, off by %.2e  PyTorch float32 by %.2e (absolute)%s\n", key, t,
                   losses[t], error, torch, near ? "" : "  TOO FAR");
        far += !near;
    }
    fflush(stdout);
    return far;
}

int compare_network(const fixture *file, const char *prefix, const net_spec *spec, bool ties,
                    int steps, dlviz_tensor *const *inputs, dlviz_tensor *const *labels,
                    double tolerance, bool verbose) {
    dlviz_network *network = build_net(spec, 1);
    double losses[8];
    ck_assert_int_le(steps, 8);
    fill_states(network, 1, ties);
    int far = compare_logits(file, prefix, "logits_before", network, inputs[0], tolerance, verbose);
    for (int t = 0; t < steps; t++)
        ck_ok(dlviz_network_backward(network, inputs[t], labels[t], 7, (uint64_t)t, &losses[t]));
    far += compare_losses(file, prefix, steps, losses, tolerance, verbose);
    far += compare_logits(file, prefix, "logits", network, inputs[0], tolerance, verbose);
    for (int i = 0; i < dlviz_network_num_states(network); i++) {
        const char *name = dlviz_network_state_name(network, i);
        char key[160];
        dlviz_tensor *tensor;
        if (is_trainable(name)) {
            snprintf(key, sizeof key, "%s/grad/%s", prefix, name);
            ck_ok(dlviz_network_get_gradient(network, name, &tensor));
        } else {
            snprintf(key, sizeof key, "%s/state/%s", prefix, name);
            ck_ok(dlviz_network_get_state(network, name, &tensor));
        }
        if (dlviz_tensor_dtype(tensor) == DLVIZ_INT64) {
            ck_assert_int_eq(*(const int64_t *)dlviz_tensor_const_data(tensor), steps);
            dlviz_tensor_destroy(tensor);
        } else
            far += !tensor_is_near(file, key, tensor, tolerance, ZERO, verbose);
    }
    dlviz_network_destroy(network);
    return far;
}
