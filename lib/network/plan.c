/* A network made ready to run: operations, values, memory. */
#include "base/base.h"
#include "base/parallel.h"
#include "network/memory.h"
#include "network/network.h"

struct dlz_plan {
    bool training;
    int num_ops;
    dlz_op *ops;
    dlz_value *values;
    dlz_memory memory;
    dlz_run run;
    bool ready; /* for run.n samples */
};

dlviz_status dlz_plan_create(dlz_plan **out, dlviz_network *network, int last, bool training) {
    *out = NULL;
    dlz_plan *plan = dlz_alloc_zero(sizeof *plan);
    if (!plan)
        return dlz_fail_memory("a plan", sizeof *plan);
    plan->training = training;
    size_t most = (size_t)last + 1;
    plan->ops = dlz_alloc_array_zero(most, sizeof *plan->ops);
    plan->values = dlz_alloc_array_zero(most + 1, sizeof *plan->values);
    if (!plan->ops || !plan->values) {
        dlz_plan_destroy(plan);
        return dlz_fail_memory("a plan", most * sizeof *plan->ops);
    }
    plan->num_ops = dlz_fuse(network, last, training, plan->ops, plan->values);
    *out = plan;
    return DLVIZ_OK;
}

void dlz_plan_destroy(dlz_plan *plan) {
    if (!plan)
        return;
    dlz_memory_release(&plan->memory);
    dlz_free(plan->ops);
    dlz_free(plan->values);
    dlz_free(plan);
}

static dlviz_status plan_memory(dlz_plan *plan, int64_t n, int workers) {
    int ops = plan->num_ops;
    dlz_setup setup = {.n = n,
                       .training = plan->training,
                       .end_time = plan->training ? 2 * ops : ops,
                       .memory = &plan->memory};
    dlz_memory_restart(&plan->memory);
    dlz_value *in = &plan->values[0], *out = &plan->values[ops];
    /* One sample in the order it is loaded, channel by channel. */
    dlz_memory_ask_scratch(&plan->memory, (size_t)dlz_value_size(in) * sizeof(float));
    DLZ_TRY(dlz_memory_ask_array(&plan->memory, &in->data, n * dlz_value_size(in), sizeof(float), 0,
                                 setup.end_time));
    if (plan->training)
        DLZ_TRY(dlz_memory_ask_array(&plan->memory, &out->dy, n * dlz_value_size(out),
                                     sizeof(float), ops - 1, ops + 1));
    for (int i = 0; i < ops; i++) {
        setup.forward_time = i;
        setup.backward_time = 2 * ops - 1 - i;
        DLZ_TRY(plan->ops[i].type->plan(&plan->ops[i], &setup));
    }
    return dlz_memory_settle(&plan->memory, workers);
}

dlviz_status dlz_plan_reserve(dlz_plan *plan, int64_t n) {
    int workers = dlz_threads();
    if (plan->ready && plan->run.n == n && plan->run.workers == workers)
        return DLVIZ_OK;
    plan->ready = false;
    DLZ_TRY(plan_memory(plan, n, workers));
    plan->run = (dlz_run){.n = n,
                          .training = plan->training,
                          .workers = workers,
                          .scratch = plan->memory.scratch,
                          .scratch_size = plan->memory.scratch_size};
    plan->ready = true;
    return DLVIZ_OK;
}

dlz_run *dlz_plan_run(dlz_plan *plan) { return &plan->run; }
dlz_value *dlz_plan_input(dlz_plan *plan) { return &plan->values[0]; }
dlz_value *dlz_plan_output(dlz_plan *plan) { return &plan->values[plan->num_ops]; }

void dlz_plan_forward(dlz_plan *plan) {
    for (int i = 0; i < plan->num_ops; i++)
        plan->ops[i].type->forward(&plan->ops[i], &plan->run);
}

void dlz_plan_backward(dlz_plan *plan) {
    dlz_value *out = dlz_plan_output(plan);
    out->gradient = (dlz_gradient_view){.dy = out->dy};
    for (int i = plan->num_ops - 1; i >= 0; i--)
        plan->ops[i].type->backward(&plan->ops[i], &plan->run);
}
