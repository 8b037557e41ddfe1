/* A loss of the user's own. */
#include "base/base.h"
#include "base/cancel.h"
#include "losses/loss.h"
#include "tensor/tensor.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Of tables that later versions may hand over. */
#define LARGEST_SIZE 4096

typedef struct custom {
    dlviz_loss base;
    dlz_loss_type type; /* its own: with its metrics */
    dlz_metrics metrics;
    dlviz_loss_functions functions; /* the names are the loss's own */
    char *metric_names[DLZ_MAX_METRICS];
    void *user;
} custom;

/* What the user's functions see: all in PyTorch's order. */
struct dlviz_loss_pass {
    int64_t n, num_metrics;
    dlviz_tensor *outputs, *targets, *gradient;
    double *losses, *metrics; /* num_metrics × n */
};

static void release(dlviz_loss_pass *pass) {
    dlviz_tensor_destroy(pass->outputs);
    dlviz_tensor_destroy(pass->targets);
    dlviz_tensor_destroy(pass->gradient);
    dlz_free(pass->metrics);
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

static dlviz_status look(const dlviz_loss *loss, const dlz_loss_batch *batch,
                         dlviz_loss_pass *pass) {
    pass->n = batch->n;
    DLZ_TRY(make(batch, batch->outputs, &pass->outputs));
    if (loss->takes_labels)
        return dlviz_tensor_from_data(
            &pass->targets, DLVIZ_INT64, batch->label_maps ? 3 : 1,
            (int64_t[]){batch->n, batch->shape.dims[1], batch->shape.dims[2]}, batch->labels);
    return make(batch, batch->targets, &pass->targets);
}

typedef dlviz_status user_function(const dlviz_loss_pass *pass, void *user);

/* Of a name that is too long for the sentence, its beginning. */
static dlviz_status call(const custom *c, const char *function, user_function *body,
                         const dlviz_loss_pass *pass) {
    char called[128];
    snprintf(called, sizeof called, "%s of the loss %s", function, c->base.name);
    uint64_t failures = dlz_num_failures();
    return dlz_user_result(called, body(pass, c->user), failures);
}

static dlviz_status compute(const custom *c, const dlz_loss_batch *batch, float *gradient,
                            dlviz_loss_pass *pass) {
    DLZ_TRY(look(&c->base, batch, pass));
    if (gradient)
        DLZ_TRY(make(batch, NULL, &pass->gradient));
    for (int64_t i = 0; i < batch->n; i++)
        batch->losses[i] = 0;
    pass->losses = batch->losses;
    DLZ_TRY(call(c, "value", c->functions.value, pass));
    if (gradient)
        transpose(batch->n, batch->channels, batch->size / batch->channels, pass->gradient->data,
                  gradient);
    return DLVIZ_OK;
}

static dlviz_status value(const dlviz_loss *loss, const dlz_loss_batch *batch, double scale,
                          float *gradient, double *sum) {
    dlviz_loss_pass pass = {0};
    dlviz_status status = compute((const custom *)loss, batch, gradient, &pass);
    release(&pass);
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

/* -- Metrics: the sum and the number of the samples that count --------------------------------- */

static int64_t num_sums(const dlviz_loss *loss, const dlz_shape *shape) {
    (void)shape;
    return 2 * loss->type->metrics->count;
}

static dlviz_status measure(const custom *c, const dlz_loss_batch *batch, dlviz_loss_pass *pass) {
    DLZ_TRY(look(&c->base, batch, pass));
    uint64_t count = (uint64_t)c->metrics.count * (uint64_t)batch->n;
    pass->metrics = dlz_alloc_array_zero(count, sizeof *pass->metrics);
    if (!pass->metrics)
        return dlz_fail_memory("a batch's metrics", count * sizeof *pass->metrics);
    pass->num_metrics = c->metrics.count;
    return call(c, "measure", c->functions.measure, pass);
}

static dlviz_status add(const dlviz_loss *loss, const dlz_loss_batch *batch, double *sums) {
    dlviz_loss_pass pass = {0};
    dlviz_status status = measure((const custom *)loss, batch, &pass);
    for (int64_t m = 0; status == DLVIZ_OK && m < pass.num_metrics; m++)
        for (int64_t i = 0; i < pass.n; i++) {
            double number = pass.metrics[m * pass.n + i];
            sums[2 * m] += isnan(number) ? 0 : number;
            sums[2 * m + 1] += isnan(number) ? 0 : 1;
        }
    release(&pass);
    return status;
}

static void finish(const dlviz_loss *loss, const dlz_shape *shape, const double *sums,
                   double *values) {
    (void)shape;
    for (int m = 0; m < loss->type->metrics->count; m++)
        values[m] = sums[2 * m] / sums[2 * m + 1];
}

/* -- What a pass gives ------------------------------------------------------------------------- */

int64_t dlviz_loss_pass_num_samples(const dlviz_loss_pass *pass) {
    return pass ? pass->n : 0;
}

const dlviz_tensor *dlviz_loss_pass_outputs(const dlviz_loss_pass *pass) {
    return pass ? pass->outputs : NULL;
}

const dlviz_tensor *dlviz_loss_pass_targets(const dlviz_loss_pass *pass) {
    return pass ? pass->targets : NULL;
}

double *dlviz_loss_pass_losses(const dlviz_loss_pass *pass) {
    return pass ? pass->losses : NULL;
}

dlviz_tensor *dlviz_loss_pass_gradient(const dlviz_loss_pass *pass) {
    return pass ? pass->gradient : NULL;
}

double *dlviz_loss_pass_metric(const dlviz_loss_pass *pass, int64_t index) {
    return pass && index >= 0 && index < pass->num_metrics ? pass->metrics + index * pass->n : NULL;
}

/* -- Making -------------------------------------------------------------------------------------
 */

static void destroy(dlviz_loss *loss) {
    custom *c = (custom *)loss;
    DLZ_NOT_CANCELLED;
    if (c->functions.destroy)
        c->functions.destroy(c->user);
    dlz_free((char *)(uintptr_t)c->functions.name);
    for (int m = 0; m < DLZ_MAX_METRICS; m++)
        dlz_free(c->metric_names[m]);
}

static const dlz_loss_type custom_type = {
    .name = "custom",
    .size = sizeof(custom),
    .lets_pass = lets_pass,
    .value = value,
    .destroy = destroy,
};

static dlviz_status check_size(const dlviz_loss_functions *functions) {
    if (!functions)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "dlviz_loss_custom: 'functions' is NULL");
    if (functions->struct_size < sizeof *functions || functions->struct_size > LARGEST_SIZE)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "dlviz_loss_custom: struct_size is %zu; sizeof(dlviz_loss_functions), %zu, "
                        "is accepted",
                        functions->struct_size, sizeof *functions);
    return DLVIZ_OK;
}

static dlviz_status check_unknown(const dlviz_loss_functions *functions) {
    for (size_t i = sizeof *functions; i < functions->struct_size; i++)
        if (((const char *)functions)[i])
            return dlz_fail(
                DLVIZ_ERROR_INVALID_ARGUMENT,
                "dlviz_loss_custom: struct_size is %zu and has functions beyond the %zu "
                "bytes that this library knows",
                functions->struct_size, sizeof *functions);
    return DLVIZ_OK;
}

static dlviz_status take_metric(custom *c, const char *name) {
    if (!name || !name[0] || strpbrk(name, ",\"\r\n") || !dlz_is_utf8(name))
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "dlviz_loss_custom: the name of metric %d is %s%s%s; UTF-8 without comma, "
                        "quote and line break is accepted, not empty",
                        c->metrics.count, name ? "'" : "", name ? name : "NULL", name ? "'" : "");
    if (strcmp(name, "loss") == 0)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "dlviz_loss_custom: the name of metric %d is 'loss', which figures have "
                        "already",
                        c->metrics.count);
    for (int m = 0; m < c->metrics.count; m++)
        if (strcmp(name, c->metric_names[m]) == 0)
            return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                            "dlviz_loss_custom: metrics %d and %d are both called '%s'", m,
                            c->metrics.count, name);
    char *copy = dlz_strdup(name);
    if (!copy)
        return dlz_fail_memory("a metric's name", strlen(name) + 1);
    c->metric_names[c->metrics.count++] = copy;
    return DLVIZ_OK;
}

static dlviz_status take_metrics(custom *c, const dlviz_loss_functions *functions) {
    int64_t count = functions->num_metrics;
    if (count < 0 || count > DLZ_MAX_METRICS)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "dlviz_loss_custom: num_metrics is %lld; 0 to %d are accepted",
                        (long long)count, DLZ_MAX_METRICS);
    if (count > 0 && (!functions->metric_names || !functions->measure))
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "dlviz_loss_custom: %lld metrics need %s",
                        (long long)count,
                        functions->measure ? "'metric_names'" : "the function 'measure'");
    if (count == 0 && functions->measure)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "dlviz_loss_custom: there is a function 'measure', and num_metrics is 0");
    for (int64_t m = 0; m < count; m++)
        DLZ_TRY(take_metric(c, functions->metric_names[m]));
    if (count > 0)
        c->type.metrics = &c->metrics;
    return DLVIZ_OK;
}

/* The user's data belong to the loss, also when the table is refused. */
static dlviz_status take(custom *c, const dlviz_loss_functions *functions) {
    DLZ_TRY(check_size(functions));
    c->functions.destroy = functions->destroy;
    DLZ_TRY(check_unknown(functions));
    if (!functions->name || !functions->name[0] || !dlz_is_utf8(functions->name) ||
        !functions->value)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "dlviz_loss_custom: %s is needed",
                        functions->value ? "a name in UTF-8" : "the function 'value'");
    DLZ_TRY(take_metrics(c, functions));
    char *name = dlz_strdup(functions->name);
    if (!name)
        return dlz_fail_memory("a loss's name", strlen(functions->name) + 1);
    c->functions = *functions;
    c->base.name = c->functions.name = name;
    c->base.takes_labels = functions->takes_labels;
    return DLVIZ_OK;
}

dlviz_loss *dlviz_loss_custom(const dlviz_loss_functions *functions, void *user) {
    DLZ_NOT_CANCELLED;
    dlviz_loss *loss = dlz_loss_create(&custom_type);
    if (!loss) {
        if (check_size(functions) == DLVIZ_OK && functions->destroy)
            functions->destroy(user);
        dlz_fail_memory("a loss", sizeof(custom));
        return NULL;
    }
    custom *c = (custom *)loss;
    c->type = custom_type;
    loss->type = &c->type;
    c->metrics = (dlz_metrics){.names = (const char *const *)c->metric_names,
                               .num_sums = num_sums,
                               .add = add,
                               .finish = finish};
    c->user = user;
    dlz_part_remember(&loss->part, take(c, functions));
    return loss;
}
