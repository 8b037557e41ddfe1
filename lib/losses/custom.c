/* A loss of the user's own. */
#include "base/base.h"
#include "losses/loss.h"
#include "tensor/tensor.h"

#include <stdio.h>
#include <string.h>

/* Of tables that later versions may hand over. */
#define LARGEST_SIZE 4096

typedef struct custom {
    dlviz_loss base;
    dlviz_loss_functions functions;
    void *user;
} custom;

/* What the user's function sees: all in PyTorch's order. */
typedef struct view {
    dlviz_tensor *outputs, *targets, *gradient;
} view;

static void release(view *v) {
    dlviz_tensor_destroy(v->outputs);
    dlviz_tensor_destroy(v->targets);
    dlviz_tensor_destroy(v->gradient);
}

/* From n × rows × columns to n × columns × rows. */
static void transpose(int64_t n, int64_t rows, int64_t columns, const float *from, float *to) {
    for (int64_t i = 0; i < n; i++)
        for (int64_t r = 0; r < rows; r++)
            for (int64_t c = 0; c < columns; c++)
                to[(i * columns + c) * rows + r] = from[(i * rows + r) * columns + c];
}

static dlviz_status make(const dlz_loss_batch *batch, const float *from, dlviz_tensor **tensor) {
    int64_t dims[4] = {batch->n};
    memcpy(dims + 1, batch->shape.dims, (size_t)batch->shape.ndim * sizeof *dims);
    DLZ_TRY(dlviz_tensor_create(tensor, DLVIZ_FLOAT32, batch->shape.ndim + 1, dims));
    if (from)
        transpose(batch->n, batch->size / batch->channels, batch->channels, from, (*tensor)->data);
    return DLVIZ_OK;
}

static dlviz_status look(const dlviz_loss *loss, const dlz_loss_batch *batch, bool with_gradient,
                         view *v) {
    DLZ_TRY(make(batch, batch->outputs, &v->outputs));
    if (loss->takes_labels)
        DLZ_TRY(dlviz_tensor_from_data(&v->targets, DLVIZ_INT64, 1, &batch->n, batch->labels));
    else
        DLZ_TRY(make(batch, batch->targets, &v->targets));
    return with_gradient ? make(batch, NULL, &v->gradient) : DLVIZ_OK;
}

static dlviz_status call(const dlviz_loss *loss, const dlz_loss_batch *batch, view *v) {
    const custom *c = (const custom *)loss;
    uint64_t failures = dlz_num_failures();
    dlviz_status status =
        c->functions.value(c->user, v->outputs, v->targets, batch->losses, v->gradient);
    return dlz_user_result(loss->name, status, failures);
}

static dlviz_status value(const dlviz_loss *loss, const dlz_loss_batch *batch, double scale,
                          float *gradient, double *sum) {
    view v = {0};
    dlviz_status status = look(loss, batch, gradient != NULL, &v);
    for (int64_t i = 0; i < batch->n; i++)
        batch->losses[i] = 0;
    if (status == DLVIZ_OK)
        status = call(loss, batch, &v);
    if (status == DLVIZ_OK && gradient)
        transpose(batch->n, batch->channels, batch->size / batch->channels, v.gradient->data,
                  gradient);
    release(&v);
    DLZ_TRY(status);
    *sum = 0;
    for (int64_t i = 0; i < batch->n; i++) {
        double weight = dlz_loss_weight(batch, i);
        *sum += weight > 0 ? weight * batch->losses[i] : 0;
        for (int64_t j = 0; gradient && j < batch->size; j++) {
            float *number = &gradient[i * batch->size + j];
            *number = weight > 0 ? (float)((double)*number * (weight * scale)) : 0;
        }
    }
    return DLVIZ_OK;
}

/* Labels are the user's to interpret. */
static bool lets_pass(const dlviz_loss *loss, int64_t label) {
    (void)loss;
    (void)label;
    return true;
}

static void destroy(dlviz_loss *loss) {
    custom *c = (custom *)loss;
    if (c->functions.destroy)
        c->functions.destroy(c->user);
    dlz_free((char *)(uintptr_t)c->functions.name);
}

static const dlz_loss_type custom_type = {
    .name = "custom",
    .size = sizeof(custom),
    .lets_pass = lets_pass,
    .value = value,
    .destroy = destroy,
};

static dlviz_status take(custom *c, const dlviz_loss_functions *functions) {
    if (!functions)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "dlviz_loss_custom: 'functions' is NULL");
    if (functions->struct_size < sizeof *functions || functions->struct_size > LARGEST_SIZE)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "dlviz_loss_custom: struct_size is %zu; sizeof(dlviz_loss_functions), %zu, "
                        "is accepted",
                        functions->struct_size, sizeof *functions);
    for (size_t i = sizeof *functions; i < functions->struct_size; i++)
        if (((const char *)functions)[i])
            return dlz_fail(
                DLVIZ_ERROR_INVALID_ARGUMENT,
                "dlviz_loss_custom: struct_size is %zu and has functions beyond the %zu "
                "bytes that this library knows",
                functions->struct_size, sizeof *functions);
    /* What follows may fail: the user's data belong to the loss all the same. */
    c->functions.destroy = functions->destroy;
    if (!functions->name || !functions->name[0] || !dlz_is_utf8(functions->name) ||
        !functions->value)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "dlviz_loss_custom: %s is needed",
                        functions->value ? "a name in UTF-8" : "the function 'value'");
    char *name = dlz_strdup(functions->name);
    if (!name)
        return dlz_fail_memory("a loss's name", 0);
    c->functions = *functions;
    c->base.name = c->functions.name = name;
    c->base.takes_labels = functions->takes_labels;
    return DLVIZ_OK;
}

dlviz_loss *dlviz_loss_custom(const dlviz_loss_functions *functions, void *user) {
    dlviz_loss *loss = dlz_loss_create(&custom_type);
    if (!loss)
        return NULL;
    custom *c = (custom *)loss;
    c->user = user;
    dlz_part_remember(&loss->part, take(c, functions));
    return loss;
}
