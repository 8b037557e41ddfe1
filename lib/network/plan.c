/* A network made ready to run: operations, values, memory. */
#include "base/base.h"
#include "base/parallel.h"
#include "network/memory.h"
#include "network/network.h"

#include <time.h>

struct dlz_plan {
    bool training;
    int num_ops;
    dlz_op *ops;
    dlz_value *values;
    dlz_memory memory;
    dlz_run run;
    bool ready;           /* for run.n samples */
    double (*seconds)[2]; /* of each operation, forward and backward; NULL unless profiled */
};

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

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
    dlz_free(plan->seconds);
    dlz_free(plan);
}

static dlviz_status plan_memory(dlz_plan *plan, int64_t n, int workers) {
    int ops = plan->num_ops;
    dlz_setup setup = {.n = n, .training = plan->training, .memory = &plan->memory};
    dlz_memory_restart(&plan->memory);
    dlz_value *in = &plan->values[0], *out = &plan->values[ops];
    /* One sample in the order it is loaded, channel by channel. */
    dlz_memory_ask_scratch(&plan->memory, (uint64_t)dlz_value_size(in) * sizeof(float));
    DLZ_TRY(dlz_memory_ask_array(&plan->memory, &in->data, n * dlz_value_size(in), sizeof(float), 0,
                                 plan->training ? 2 * ops : ops));
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

dlz_run *dlz_plan_run(dlz_plan *plan) {
    return &plan->run;
}
dlz_value *dlz_plan_input(dlz_plan *plan) {
    return &plan->values[0];
}
dlz_value *dlz_plan_output(dlz_plan *plan) {
    return &plan->values[plan->num_ops];
}

static void run_op(dlz_plan *plan, int index, bool backward) {
    dlz_op *op = &plan->ops[index];
    double started = plan->seconds ? now() : 0;
    (backward ? op->type->backward : op->type->forward)(op, &plan->run);
    if (plan->seconds)
        plan->seconds[index][backward] += now() - started;
}

void dlz_plan_forward(dlz_plan *plan) {
    for (int i = 0; i < plan->num_ops; i++)
        run_op(plan, i, false);
}

void dlz_plan_backward(dlz_plan *plan) {
    dlz_value *out = dlz_plan_output(plan);
    out->gradient = (dlz_gradient_view){.dy = out->dy};
    for (int i = plan->num_ops - 1; i >= 0; i--)
        run_op(plan, i, true);
}

dlviz_status dlz_plan_profile(dlz_plan *plan) {
    dlz_free(plan->seconds);
    plan->seconds = dlz_alloc_array_zero((uint64_t)plan->num_ops, sizeof *plan->seconds);
    return plan->seconds ? DLVIZ_OK : dlz_fail_memory("a profile", 0);
}

int dlz_plan_num_ops(const dlz_plan *plan) {
    return plan->num_ops;
}
const dlz_op *dlz_plan_op(const dlz_plan *plan, int index) {
    return &plan->ops[index];
}
const double *dlz_plan_seconds(const dlz_plan *plan, int index) {
    return plan->seconds[index];
}
