/* ONNX's operators on tensors of any shape, in double precision. */
#include "support/onnx_model.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* -- Attributes and outputs -----------------------------------------------------------------------
 */

static const onnx_attribute *attribute(const onnx_call *call, const char *name, int kind) {
    for (int i = 0; i < call->node->num_attributes; i++) {
        const onnx_attribute *found = &call->node->attributes[i];
        if (strcmp(found->name, name) == 0) {
            ck_assert_msg(found->kind == kind, "%s of %s", name, call->node->op);
            return found;
        }
    }
    return NULL;
}

int64_t onnx_whole(const onnx_call *call, const char *name, int64_t otherwise) {
    const onnx_attribute *found = attribute(call, name, 2);
    return found ? found->whole : otherwise;
}

double onnx_real(const onnx_call *call, const char *name, double otherwise) {
    const onnx_attribute *found = attribute(call, name, 1);
    return found ? (double)found->real : otherwise;
}

const char *onnx_text(const onnx_call *call, const char *name, const char *otherwise) {
    const onnx_attribute *found = attribute(call, name, 3);
    return found ? found->text : otherwise;
}

void onnx_list(const onnx_call *call, const char *name, int64_t count, int64_t otherwise,
               int64_t *to) {
    const onnx_attribute *found = attribute(call, name, 7);
    ck_assert_msg(!found || found->count == count, "%s of %s", name, call->node->op);
    for (int64_t i = 0; i < count; i++)
        to[i] = found ? found->list[i] : otherwise;
}

void onnx_shape(const onnx_call *call, int ndim, const int64_t *dims) {
    onnx_value *out = call->out;
    out->ndim = ndim;
    out->size = 1;
    for (int i = 0; i < ndim; i++) {
        ck_assert_msg(dims[i] > 0, "dimension %d of '%s' is %lld", i, out->name,
                      (long long)dims[i]);
        out->size *= out->dims[i] = dims[i];
    }
    out->numbers = calloc((size_t)out->size, sizeof *out->numbers);
    ck_assert(out->numbers != NULL);
}

static int64_t product_of(const int64_t *dims, int first, int end) {
    int64_t size = 1;
    for (int i = first; i < end; i++)
        size *= dims[i];
    return size;
}

/* -- Number by number -----------------------------------------------------------------------------
 */

/* Where number `index` of the output comes from in an input that is as large or repeated. */
static int64_t source(const onnx_value *in, const onnx_value *out, int64_t index) {
    int64_t at = 0, stride = 1;
    for (int i = out->ndim - 1, k = in->ndim - 1; i >= 0; i--, k--) {
        int64_t place = index % out->dims[i];
        index /= out->dims[i];
        if (k < 0)
            continue;
        at += in->dims[k] == 1 ? 0 : place * stride;
        stride *= in->dims[k];
    }
    return at;
}

static void check_fits(const onnx_value *in, const onnx_value *out) {
    for (int k = in->ndim - 1, i = out->ndim - 1; k >= 0; i--, k--)
        ck_assert(in->dims[k] == out->dims[i] || in->dims[k] == 1);
}

static void broadcast_shape(const onnx_call *call) {
    int64_t dims[ONNX_MAX_DIMS];
    int ndim = 0;
    for (int i = 0; i < call->num_inputs; i++)
        ndim = call->in[i]->ndim > ndim ? call->in[i]->ndim : ndim;
    for (int i = 0; i < ndim; i++) {
        dims[i] = 1;
        for (int k = 0; k < call->num_inputs; k++) {
            int at = i - ndim + call->in[k]->ndim;
            if (at >= 0 && call->in[k]->dims[at] > dims[i])
                dims[i] = call->in[k]->dims[at];
        }
    }
    onnx_shape(call, ndim, dims);
    for (int k = 0; k < call->num_inputs; k++)
        check_fits(call->in[k], call->out);
}

static double of_one(const onnx_call *call, const char *op, double x) {
    if (strcmp(op, "Relu") == 0)
        return x > 0 ? x : 0;
    if (strcmp(op, "LeakyRelu") == 0)
        return x >= 0 ? x : onnx_real(call, "alpha", 0.01) * x;
    if (strcmp(op, "Elu") == 0)
        return x >= 0 ? x : onnx_real(call, "alpha", 1) * expm1(x);
    if (strcmp(op, "Sigmoid") == 0)
        return 1 / (1 + exp(-x));
    if (strcmp(op, "Tanh") == 0)
        return tanh(x);
    if (strcmp(op, "HardSwish") == 0)
        return x * fmax(0, fmin(1, x / 6 + 0.5));
    if (strcmp(op, "Erf") == 0)
        return erf(x);
    if (strcmp(op, "Softplus") == 0)
        return fmax(x, 0) + log1p(exp(-fabs(x)));
    return x; /* Identity */
}

static double of_many(const char *op, int count, const double *x) {
    double y = x[0];
    for (int i = 1; strcmp(op, "Where") != 0 && i < count; i++)
        if (strcmp(op, "Add") == 0 || strcmp(op, "Sum") == 0)
            y += x[i];
        else if (strcmp(op, "Mul") == 0)
            y *= x[i];
        else if (strcmp(op, "Div") == 0)
            y /= x[i];
        else
            y = y > x[i]; /* Greater */
    return strcmp(op, "Where") != 0 ? y : x[0] != 0 ? x[1] : x[2];
}

static bool is_any(const char *op, const char *const *names) {
    while (*names && strcmp(op, *names) != 0)
        names++;
    return *names != NULL;
}

static bool run_by_number(const onnx_call *call) {
    static const char *const one[] = {"Relu",      "LeakyRelu", "Elu",      "Sigmoid",  "Tanh",
                                      "HardSwish", "Erf",       "Softplus", "Identity", NULL};
    static const char *const many[] = {"Add", "Sum", "Mul", "Div", "Greater", "Where", NULL};
    const char *op = call->node->op;
    bool is_one = is_any(op, one);
    if (!is_one && !is_any(op, many))
        return false;
    broadcast_shape(call);
    for (int64_t i = 0; i < call->out->size; i++) {
        double x[8];
        for (int k = 0; k < call->num_inputs; k++)
            x[k] = call->in[k]->numbers[source(call->in[k], call->out, i)];
        call->out->numbers[i] = is_one ? of_one(call, op, x[0]) : of_many(op, call->num_inputs, x);
    }
    return true;
}

/* -- Shapes ---------------------------------------------------------------------------------------
 */

static void run_reshape(const onnx_call *call) {
    const onnx_value *x = call->in[0], *shape = call->in[1];
    int64_t dims[ONNX_MAX_DIMS], known = 1;
    int open = -1;
    ck_assert(shape->is_whole && shape->size <= ONNX_MAX_DIMS);
    for (int i = 0; i < shape->size; i++) {
        dims[i] = (int64_t)shape->numbers[i];
        dims[i] = dims[i] == 0 ? x->dims[i] : dims[i];
        open = dims[i] == -1 ? i : open;
        known *= dims[i] == -1 ? 1 : dims[i];
    }
    if (open >= 0)
        dims[open] = x->size / known;
    onnx_shape(call, (int)shape->size, dims);
    ck_assert_int_eq(call->out->size, x->size);
    memcpy(call->out->numbers, x->numbers, (size_t)x->size * sizeof *x->numbers);
}

static void run_flatten(const onnx_call *call) {
    const onnx_value *x = call->in[0];
    int axis = (int)onnx_whole(call, "axis", 1);
    onnx_shape(call, 2,
               (int64_t[]){product_of(x->dims, 0, axis), product_of(x->dims, axis, x->ndim)});
    memcpy(call->out->numbers, x->numbers, (size_t)x->size * sizeof *x->numbers);
}

static void run_concat(const onnx_call *call) {
    int axis = (int)onnx_whole(call, "axis", -1), ndim = call->in[0]->ndim;
    int64_t dims[ONNX_MAX_DIMS], first = 0;
    memcpy(dims, call->in[0]->dims, sizeof dims);
    for (int k = 1; k < call->num_inputs; k++)
        dims[axis] += call->in[k]->dims[axis];
    onnx_shape(call, ndim, dims);
    int64_t row = product_of(dims, axis, ndim);
    for (int k = 0; k < call->num_inputs; k++) {
        const onnx_value *x = call->in[k];
        int64_t part = product_of(x->dims, axis, ndim);
        for (int64_t i = 0; i < x->size; i++)
            call->out->numbers[i / part * row + first + i % part] = x->numbers[i];
        first += part;
    }
}

static void run_gather(const onnx_call *call) {
    const onnx_value *x = call->in[0], *places = call->in[1];
    int axis = (int)onnx_whole(call, "axis", 0);
    int64_t dims[ONNX_MAX_DIMS], inner = product_of(x->dims, axis + 1, x->ndim);
    memcpy(dims, x->dims, sizeof dims);
    ck_assert(places->ndim == 1 && places->is_whole);
    dims[axis] = places->size;
    onnx_shape(call, x->ndim, dims);
    for (int64_t i = 0; i < places->size; i++)
        ck_assert(places->numbers[i] >= 0 && places->numbers[i] < (double)x->dims[axis]);
    for (int64_t i = 0; i < call->out->size; i++) {
        int64_t place = (int64_t)places->numbers[i / inner % dims[axis]];
        call->out->numbers[i] =
            x->numbers[(i / inner / dims[axis] * x->dims[axis] + place) * inner + i % inner];
    }
}

/* -- Products and sums ----------------------------------------------------------------------------
 */

static void run_gemm(const onnx_call *call) {
    const onnx_value *a = call->in[0], *b = call->in[1], *c = call->in[2];
    ck_assert(a->ndim == 2 && b->ndim == 2 && onnx_whole(call, "transB", 0) == 1);
    int64_t depth = a->dims[1], outputs = b->dims[0];
    ck_assert(depth == b->dims[1] && (!c || (c->ndim == 1 && c->size == outputs)));
    onnx_shape(call, 2, (int64_t[]){a->dims[0], outputs});
    for (int64_t i = 0; i < call->out->size; i++) {
        double sum = c ? c->numbers[i % outputs] : 0;
        for (int64_t k = 0; k < depth; k++)
            sum += a->numbers[i / outputs * depth + k] * b->numbers[i % outputs * depth + k];
        call->out->numbers[i] = sum;
    }
}

/* One of both is a matrix, which goes for all of the other's. */
static void run_matmul(const onnx_call *call) {
    const onnx_value *a = call->in[0], *b = call->in[1], *large = a->ndim > 2 ? a : b;
    int64_t dims[ONNX_MAX_DIMS], rows = a->dims[a->ndim - 2], depth = a->dims[a->ndim - 1];
    int64_t columns = b->dims[b->ndim - 1];
    ck_assert((a->ndim == 2 || b->ndim == 2) && b->dims[b->ndim - 2] == depth);
    memcpy(dims, large->dims, sizeof dims);
    dims[large->ndim - 2] = rows;
    dims[large->ndim - 1] = columns;
    onnx_shape(call, large->ndim, dims);
    for (int64_t i = 0; i < call->out->size; i++) {
        int64_t which = i / (rows * columns), row = i / columns % rows;
        const double *left = a->numbers + ((a == large ? which * rows : 0) + row) * depth;
        const double *right = b->numbers + (b == large ? which * depth * columns : 0) + i % columns;
        for (int64_t k = 0; k < depth; k++)
            call->out->numbers[i] += left[k] * right[k * columns];
    }
}

static void run_softmax(const onnx_call *call, bool log_of_it) {
    const onnx_value *x = call->in[0];
    int axis = (int)onnx_whole(call, "axis", -1);
    int64_t inner = product_of(x->dims, axis + 1, x->ndim), count = x->dims[axis];
    onnx_shape(call, x->ndim, x->dims);
    for (int64_t i = 0; i < x->size / count; i++) {
        int64_t first = i / inner * inner * count + i % inner;
        const double *from = x->numbers + first;
        double *to = call->out->numbers + first, most = from[0], sum = 0;
        for (int64_t k = 1; k < count; k++)
            most = fmax(most, from[k * inner]);
        for (int64_t k = 0; k < count; k++)
            sum += exp(from[k * inner] - most);
        for (int64_t k = 0; k < count; k++)
            to[k * inner] =
                log_of_it ? from[k * inner] - most - log(sum) : exp(from[k * inner] - most) / sum;
    }
}

/* `count` numbers side by side to mean 0 and deviation 1. */
static void standardize(const double *from, int64_t count, double eps, double *to) {
    double mean = 0, squares = 0;
    for (int64_t i = 0; i < count; i++)
        mean += from[i] / (double)count;
    for (int64_t i = 0; i < count; i++)
        squares += (from[i] - mean) * (from[i] - mean);
    for (int64_t i = 0; i < count; i++)
        to[i] = (from[i] - mean) / sqrt(squares / (double)count + eps);
}

static void run_norm(const onnx_call *call) {
    const onnx_value *x = call->in[0], *scale = call->in[1], *bias = call->in[2];
    bool by_layer = strcmp(call->node->op, "LayerNormalization") == 0;
    int first = by_layer ? (int)onnx_whole(call, "axis", -1) : 2;
    int64_t count = product_of(x->dims, first, x->ndim);
    double eps = onnx_real(call, "epsilon", 1e-5);
    ck_assert(scale->size == (by_layer ? count : x->dims[1]));
    ck_assert(bias ? bias->size == scale->size : by_layer);
    onnx_shape(call, x->ndim, x->dims);
    double *y = call->out->numbers;
    for (int64_t i = 0; i < x->size / count; i++)
        standardize(x->numbers + i * count, count, eps, y + i * count);
    for (int64_t i = 0; i < x->size; i++) {
        int64_t at = by_layer ? i % count : i / count % x->dims[1];
        y[i] = y[i] * scale->numbers[at] + (bias ? bias->numbers[at] : 0);
    }
}

static void run_batchnorm(const onnx_call *call) {
    const onnx_value *x = call->in[0];
    double eps = onnx_real(call, "epsilon", 1e-5);
    int64_t inner = product_of(x->dims, 2, x->ndim);
    onnx_shape(call, x->ndim, x->dims);
    for (int k = 1; k < 5; k++)
        ck_assert(call->in[k] && call->in[k]->ndim == 1 && call->in[k]->size == x->dims[1]);
    for (int64_t i = 0; i < x->size; i++) {
        int64_t c = i / inner % x->dims[1];
        call->out->numbers[i] = (x->numbers[i] - call->in[3]->numbers[c]) /
                                    sqrt(call->in[4]->numbers[c] + eps) * call->in[1]->numbers[c] +
                                call->in[2]->numbers[c];
    }
}

/* -- The model ------------------------------------------------------------------------------------
 */

static void run_node(const onnx_call *call) {
    const char *op = call->node->op;
    if (run_by_number(call) || onnx_run_on_images(call))
        return;
    if (strcmp(op, "Reshape") == 0)
        run_reshape(call);
    else if (strcmp(op, "Flatten") == 0)
        run_flatten(call);
    else if (strcmp(op, "Concat") == 0)
        run_concat(call);
    else if (strcmp(op, "Gather") == 0)
        run_gather(call);
    else if (strcmp(op, "Gemm") == 0)
        run_gemm(call);
    else if (strcmp(op, "MatMul") == 0)
        run_matmul(call);
    else if (strcmp(op, "Softmax") == 0 || strcmp(op, "LogSoftmax") == 0)
        run_softmax(call, op[0] == 'L');
    else if (strcmp(op, "LayerNormalization") == 0 || strcmp(op, "InstanceNormalization") == 0)
        run_norm(call);
    else if (strcmp(op, "BatchNormalization") == 0)
        run_batchnorm(call);
    else
        ck_abort_msg("an operator %s", op);
}

static void check_infos(const onnx_model *model, const onnx_info *infos, int count, int64_t n) {
    for (int i = 0; i < count; i++) {
        const onnx_value *value = onnx_find(model, infos[i].name);
        ck_assert_msg(value && value->ndim == infos[i].ndim, "'%s' has other dimensions",
                      infos[i].name);
        for (int k = 0; k < value->ndim; k++)
            ck_assert_msg(value->dims[k] == (infos[i].dims[k] == -1 ? n : infos[i].dims[k]),
                          "dimension %d of '%s' is %lld, and not as the model says", k,
                          infos[i].name, (long long)value->dims[k]);
        ck_assert_int_eq(infos[i].dims[0], -1);
    }
}

/* Between nodes a runtime has floats, which end where doubles go on. */
static void keep_to_floats(onnx_value *value) {
    for (int64_t i = 0; i < value->size && !value->is_whole; i++)
        if (fabs(value->numbers[i]) > FLT_MAX)
            value->numbers[i] = copysign(INFINITY, value->numbers[i]);
}

void onnx_run(onnx_model *model, const dlviz_tensor *input) {
    onnx_call call = {.out = onnx_find(model, model->inputs[0].name)};
    onnx_shape(&call, dlviz_tensor_ndim(input), dlviz_tensor_dims(input));
    for (int64_t i = 0; i < call.out->size; i++)
        call.out->numbers[i] = (double)dlviz_tensor_const_float(input)[i];
    for (int i = 0; i < model->num_nodes; i++) {
        const onnx_node *node = &model->nodes[i];
        call = (onnx_call){
            .node = node, .num_inputs = node->num_inputs, .out = onnx_find(model, node->output)};
        ck_assert(node->num_inputs <= 8);
        for (int k = 0; k < node->num_inputs; k++)
            call.in[k] = *node->inputs[k] ? onnx_find(model, node->inputs[k]) : NULL;
        run_node(&call);
        keep_to_floats(call.out);
    }
    int64_t n = dlviz_tensor_dims(input)[0];
    check_infos(model, model->inputs, model->num_inputs, n);
    check_infos(model, model->outputs, model->num_outputs, n);
    check_infos(model, model->infos, model->num_infos, n);
}
