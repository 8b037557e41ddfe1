#include "support/reference.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The states of a layer in the library's order, with their sizes. */
static int64_t state_size(const net_spec *spec, int at, int index, const char **what) {
    const layer_spec *layer = &spec->layers[at];
    static const char *const names[] = {"weight", "bias", "running_mean", "running_var"};
    int ndim = at > 0 ? spec->layers[at - 1].ndim : spec->ndim;
    const int64_t *in = at > 0 ? spec->layers[at - 1].dims : spec->dims;
    *what = names[index];
    if (layer->kind == BATCHNORM)
        return layer->dims[0];
    if ((layer->kind != CONV && layer->kind != LINEAR) || index > 1 || (index == 1 && !layer->bias))
        return 0;
    if (index == 1)
        return layer->out;
    return layer->kind == CONV ? layer->out * in[0] * layer->kernel[0] * layer->kernel[1]
                               : layer->out * product(ndim, in);
}

reference *reference_create_empty(const net_spec *spec) {
    reference *ref = calloc(1, sizeof *ref);
    ck_assert_ptr_nonnull(ref);
    ref->spec = *spec;
    for (int at = 0; at < spec->count; at++)
        for (int index = 0; index < 4; index++) {
            const char *what;
            int64_t size = state_size(spec, at, index, &what);
            if (size == 0)
                continue;
            reference_state_entry *s = &ref->states[ref->count++];
            snprintf(s->name, sizeof s->name, "%s.%s", spec->layers[at].name, what);
            s->count = size;
            s->layer = at;
            s->values = calloc((size_t)size, sizeof *s->values);
            ck_assert_ptr_nonnull(s->values);
        }
    return ref;
}

reference *reference_create(const net_spec *spec, const dlviz_network *network) {
    reference *ref = reference_create_empty(spec);
    for (int i = 0; i < ref->count; i++) {
        reference_state_entry *s = &ref->states[i];
        dlviz_tensor *tensor;
        ck_ok(dlviz_network_get_state(network, s->name, &tensor));
        ck_assert_int_eq(dlviz_tensor_num_elements(tensor), s->count);
        for (int64_t j = 0; j < s->count; j++)
            s->values[j] = dlviz_tensor_const_float(tensor)[j];
        dlviz_tensor_destroy(tensor);
    }
    return ref;
}

void reference_destroy(reference *ref) {
    for (int i = 0; i < ref->count; i++)
        free(ref->states[i].values);
    free(ref);
}

double *reference_state(reference *ref, const char *name, int64_t *count) {
    for (int i = 0; i < ref->count; i++)
        if (strcmp(ref->states[i].name, name) == 0) {
            if (count)
                *count = ref->states[i].count;
            return ref->states[i].values;
        }
    return NULL;
}

int reference_find(const reference *ref, int layer, const char *what) {
    for (int i = 0; i < ref->count; i++)
        if (ref->states[i].layer == layer &&
            strcmp(strchr(ref->states[i].name, '.') + 1, what) == 0)
            return i;
    return -1;
}

double *reference_outputs(reference *ref, const float *inputs, int64_t n, bool training,
                          const char *name) {
    const net_spec *spec = &ref->spec;
    int last = spec->count;
    reference_setup setup = {.n = n, .inputs = inputs, .training = training};
    reference_pass pass;
    for (int i = 0; name && i < spec->count; i++)
        if (strcmp(spec->layers[i].name, name) == 0)
            last = i + 1;
    reference_run(ref, &setup, &pass);
    double *outputs = pass.value[last];
    pass.value[last] = NULL;
    reference_pass_free(&pass);
    return outputs;
}

double reference_loss(reference *ref, const float *inputs, const int64_t *labels, int64_t n) {
    double *logits = reference_outputs(ref, inputs, n, true, NULL), total = 0;
    int64_t classes = ref->spec.layers[ref->spec.count - 1].dims[0];
    for (int64_t i = 0; i < n; i++) {
        double most = -INFINITY, sum = 0;
        for (int64_t c = 0; c < classes; c++)
            most = fmax(most, logits[i * classes + c]);
        for (int64_t c = 0; c < classes; c++)
            sum += exp(logits[i * classes + c] - most);
        total += most + log(sum) - logits[i * classes + labels[i]];
    }
    free(logits);
    return total / (double)n;
}
