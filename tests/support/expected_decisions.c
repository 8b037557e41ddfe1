#include "support/expected_decisions.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct finder {
    const reference *ref;
    int64_t n;
    const reference_pass *truth;
    open_decision *open;
    int count, most;
} finder;

static void add(finder *f, open_decision decision) {
    if (f->count < f->most)
        f->open[f->count] = decision;
    f->count++;
}

static void compare_window(finder *f, int at, const int64_t *in, int64_t index, const double *error,
                           double rounding) {
    const layer_spec *layer = &f->ref->spec.layers[at];
    int64_t area = layer->dims[1] * layer->dims[2], plane = index / area;
    int64_t row = index % area / layer->dims[2], column = index % layer->dims[2];
    const double *x = f->truth->value[at] + plane * in[1] * in[2];
    const double *e = error + plane * in[1] * in[2];
    int32_t winner = f->truth->winner[at][index];
    for (int64_t u = 0; u < layer->kernel[0]; u++)
        for (int64_t v = 0; v < layer->kernel[1]; v++) {
            int64_t r = row * layer->stride[0] - layer->padding[0] + u;
            int64_t c = column * layer->stride[1] - layer->padding[1] + v;
            int32_t here = (int32_t)(r * in[2] + c);
            if (r < 0 || r >= in[1] || c < 0 || c >= in[2] || here == winner)
                continue;
            double gap = x[winner] - x[here], unsure = fabs(e[winner]) + fabs(e[here]);
            /* Different numbers may be rounded to the same one; equal ones stay equal. */
            if (gap > 0)
                unsure += rounding * fmax(fabs(x[winner]), fabs(x[here]));
            if (unsure == 0 || gap > unsure)
                continue;
            if (e[winner] < 0 || e[here] < 0) /* a relu and the pool would turn together */
                f->count += f->most + 1;
            else
                add(f, (open_decision){at, index, here});
        }
}

/* How far each number of value[at + 1] may be off where it is compared with others of its channel.
 * A batch norm adds nothing to that: it maps equal numbers to equal ones. Negative for a number
 * that a relu blocks, but might let pass. */
static double *errors_among(const finder *f, int at, const double *before, const double *in,
                            const double *own) {
    const layer_spec *layer = &f->ref->spec.layers[at];
    const reference_pass *truth = f->truth;
    int64_t count = f->n * product(layer->ndim, layer->dims);
    int64_t channels = layer->dims[0], area = count / f->n / channels;
    const int64_t *dims = at > 0 ? f->ref->spec.layers[at - 1].dims : f->ref->spec.dims;
    double *result = calloc((size_t)count + 1, sizeof *result);
    ck_assert_ptr_nonnull(result);
    for (int64_t i = 0; i < count; i++)
        switch (layer->kind) {
        case CONV:
        case LINEAR:
            result[i] = own[i];
            break;
        case BATCHNORM: {
            int64_t c = i / area % channels;
            double weight = f->ref->states[reference_find(f->ref, at, "weight")].values[c];
            result[i] = before[i] * fabs(weight) / sqrt(truth->variance[at][c] + layer->eps);
            break;
        }
        case RELU:
            if (truth->passes[at][i])
                result[i] = before[i];
            else
                result[i] = fmin(0, fabs(truth->value[at][i]) - fmax(in[i], fabs(before[i])));
            break;
        case DROPOUT:
            result[i] = truth->passes[at][i] ? before[i] / (1 - layer->p) : 0;
            break;
        case POOL:
            result[i] = before[i / area * dims[1] * dims[2] + truth->winner[at][i]];
            break;
        case FLATTEN:
            result[i] = before[i];
        }
    return result;
}

static bool matters(const reference_pass *runs, int num_runs, int value, int64_t index) {
    for (int run = 0; run < num_runs; run++)
        if (runs[run].gradient[value][index] != 0)
            return true;
    return false;
}

int find_open_decisions(const reference *ref, int64_t n, const reference_pass *runs, int num_runs,
                        double *const *errors, open_decision *open, int most) {
    const reference_pass *truth = runs;
    finder f = {ref, n, truth, open, 0, most};
    const net_spec *spec = &ref->spec;
    double *among = calloc((size_t)(n * product(spec->ndim, spec->dims)) + 1, sizeof *among);
    ck_assert_ptr_nonnull(among);
    double largest = 0; /* of what a batch norm added and took away */
    for (int at = 0; at < spec->count; at++) {
        const layer_spec *layer = &spec->layers[at];
        const int64_t *in = at > 0 ? spec->layers[at - 1].dims : spec->dims;
        int64_t count = n * product(layer->ndim, layer->dims);
        if (layer->kind == BATCHNORM)
            largest = 0x1p-20;
        for (int64_t i = 0; i < count; i++) {
            if (!matters(runs, num_runs, at + 1, i))
                continue;
            if (layer->kind == RELU && among[i] < 0) /* two in a row would turn together */
                f.count += most + 1;
            else if (layer->kind == RELU && errors[at][i] > 0 &&
                     fabs(truth->value[at][i]) <= errors[at][i])
                add(&f, (open_decision){at, i, 0});
            else if (layer->kind == POOL)
                compare_window(&f, at, in, i, among, largest);
        }
        double *next = errors_among(&f, at, among, errors[at], errors[at + 1]);
        free(among);
        among = next;
    }
    free(among);
    return f.count;
}

void turn_decision(const reference *ref, reference_pass *truth, open_decision *decision) {
    int at = decision->layer;
    if (ref->spec.layers[at].kind == RELU) {
        truth->passes[at][decision->index] ^= 1;
        return;
    }
    int32_t now = truth->winner[at][decision->index];
    truth->winner[at][decision->index] = decision->instead;
    decision->instead = now;
}
