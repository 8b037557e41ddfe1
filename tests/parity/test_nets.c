/* Networks as people train them: the losses of steps against PyTorch (nets_training.py). */
#include "network/network.h"
#include "support/fixture.h"
#include "support/netspec.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *text_of(const json_t *entry, const char *key) {
    return json_string_value(json_object_get(entry, key));
}

static dlviz_tensor *uniform_tensor(int64_t n, const dlz_shape *shape, uint64_t seed) {
    int64_t dims[4] = {n};
    memcpy(dims + 1, shape->dims, (size_t)shape->ndim * sizeof *dims);
    dlviz_tensor *tensor;
    ck_ok(dlviz_tensor_create(&tensor, DLVIZ_FLOAT32, shape->ndim + 1, dims));
    fill_uniform(dlviz_tensor_float(tensor), dlviz_tensor_num_elements(tensor), seed);
    return tensor;
}

/* Mean squared error of outputs y; targets become the gradient 2 (y − t) / count. */
static double mse(float *targets, const float *y, int64_t count) {
    double sum = 0;
    for (int64_t i = 0; i < count; i++) {
        double apart = (double)y[i] - (double)targets[i];
        sum += apart * apart;
        targets[i] = (float)(2 * apart / (double)count);
    }
    return sum / (double)count;
}

/* The same of binary cross-entropy of logits: sigmoid(y) − t. */
static double bce_with_logits(float *targets, const float *y, int64_t count) {
    double sum = 0;
    for (int64_t i = 0; i < count; i++) {
        double logit = (double)y[i], t = (double)targets[i];
        sum += fmax(logit, 0) - logit * t + log1p(exp(-fabs(logit)));
        targets[i] = (float)((1 / (1 + exp(-logit)) - t) / (double)count);
    }
    return sum / (double)count;
}

/* One batch's loss, which leaves its gradients in the network: by the library's loss, or from a gradient that
 * is worked out here, from outputs in evaluation: those networks compute the same in training. */
static double back(dlviz_network *network, const char *loss, bool by_hand, int64_t batch,
                   uint64_t t) {
    const dlz_node *last = &network->graph.nodes[network->graph.num_nodes - 1];
    dlviz_tensor *x = uniform_tensor(batch, &network->graph.in, 400 + t % 4), *targets, *y;
    double value;
    if (strcmp(loss, "cross_entropy") == 0)
        targets = label_tensor(batch, last->out.dims[0], 500 + t % 4);
    else
        targets = uniform_tensor(batch, &last->out, 500 + t % 4);
    float *numbers = dlviz_tensor_float(targets);
    int64_t count = dlviz_tensor_num_elements(targets);
    for (int64_t i = 0; strcmp(loss, "bce_with_logits") == 0 && i < count; i++)
        numbers[i] = numbers[i] > 0;
    if (by_hand) {
        ck_ok(dlviz_network_forward(network, x, &y));
        value = (strcmp(loss, "mse") == 0 ? mse : bce_with_logits)(
            numbers, dlviz_tensor_const_float(y), count);
        ck_ok(dlviz_network_backward_from(network, last->name, x, targets, 1, t, NULL));
        dlviz_tensor_destroy(y);
    } else {
        ck_ok(dlviz_network_backward(network, x, targets, 1, t, &value));
    }
    dlviz_tensor_destroy(targets);
    dlviz_tensor_destroy(x);
    return value;
}

/* 0: not at all. */
static void clip(dlviz_network *network, double norm, double value) {
    double found;
    if (norm > 0) {
        ck_ok(dlviz_network_clip_gradient_norm(network, norm, &found));
        ck_assert(found > 0);
    }
    if (value > 0)
        ck_ok(dlviz_network_clip_gradient_value(network, value));
}

/* A loss is the same within 1e-4, or within four times what PyTorch's float32 runs are apart by then, as in
 * test_report.c. Returns how many are not. */
static int train(const fixture *file, const json_t *entry, bool by_hand) {
    const char *name = text_of(entry, "name"), *loss_name = text_of(entry, "loss");
    int64_t steps = json_integer_value(json_object_get(entry, "steps"));
    char key[64];
    snprintf(key, sizeof key, "%s/float64", name);
    const double *wide = fixture_doubles(file, key, steps);
    snprintf(key, sizeof key, "%s/apart", name);
    const double *apart = fixture_doubles(file, key, steps);
    dlviz_network *network;
    dlviz_optimizer *optimizer;
    bool clipped = json_object_get(entry, "clip_norm") || json_object_get(entry, "clip_value");
    ck_ok(dlz_network_open_description(&network, json_object_get(entry, "network")));
    ck_ok(dlviz_network_build(network, 0));
    fill_states(network, 1, false);
    if (!by_hand && strcmp(loss_name, "mse") == 0)
        ck_ok(dlviz_network_set_loss(network, dlviz_mse()));
    if (!by_hand && strcmp(loss_name, "bce_with_logits") == 0)
        ck_ok(dlviz_network_set_loss(network, dlviz_bce_with_logits()));
    double rate = json_number_value(json_object_get(entry, "rate"));
    ck_ok((clipped ? dlviz_sgd_create : dlviz_adam_create)(&optimizer, rate));
    double torch = 0, worst = 0;
    int far = 0;
    for (int64_t t = 0; t < steps; t++) {
        double loss = back(network, loss_name, by_hand,
                           json_integer_value(json_object_get(entry, "batch")), (uint64_t)t);
        clip(network, json_real_value(json_object_get(entry, "clip_norm")),
             json_real_value(json_object_get(entry, "clip_value")));
        ck_ok(dlviz_optimizer_step(optimizer, network));
        for (int64_t ahead = t; ahead < steps && ahead <= t + 20; ahead++)
            torch = fmax(torch, apart[ahead]);
        double error = fabs(loss - wide[t]) / wide[t];
        bool near = error <= fmax(1e-4, 4 * torch);
        worst = fmax(worst, error);
        far += !near;
        if (!near)
            printf("%s, step %d: loss %.6f, off by %.1e, PyTorch float32 by %.1e  TOO FAR\n", name,
                   (int)t, loss, error, torch);
    }
    printf("%-16s %3d steps, loss %.6f to %.6f: off by %.1e at most, PyTorch float32 by %.1e\n",
           name, (int)steps, wide[0], wide[steps - 1], worst, torch);
    fflush(stdout);
    dlviz_optimizer_destroy(optimizer);
    dlviz_network_destroy(network);
    return far;
}

START_TEST(losses_are_pytorchs) {
    json_error_t error;
    json_t *trainings = json_load_file(fixture_path("nets_training.json"), 0, &error), *entry;
    ck_assert_msg(json_array_size(trainings) > 0, "%s", error.text);
    fixture *file = fixture_open("nets_training.safetensors");
    size_t at;
    int far = 0;
    json_array_foreach(trainings, at, entry) {
        far += train(file, entry, false);
        if (strcmp(text_of(entry, "loss"), "cross_entropy") != 0)
            far += train(file, entry, true);
    }
    json_decref(trainings);
    fixture_close(file);
    ck_assert_msg(far == 0, "%d losses are too far from PyTorch's", far);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {losses_are_pytorchs, NULL};
    return run_tests("networks trained like PyTorch's", tests);
}
