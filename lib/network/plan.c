/* A network made ready to run: operations, values, memory. */
#include "base/base.h"
#include "base/parallel.h"
#include "network/network.h"

#include <string.h>
#include <time.h>

struct dlz_plan {
    int last; /* node */
    bool training;
    int num_ops;
    dlz_op *ops;
    dlz_value *values;
    dlz_memory memory;
    int64_t *labels; /* room for those of run.n samples; training only */
    dlz_run run;
    double (*seconds)[2]; /* of each operation, forward and backward; NULL unless profiled */
};

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void destroy(dlz_plan *plan) {
    if (!plan)
        return;
    dlz_memory_release(&plan->memory);
    dlz_free(plan->ops);
    dlz_free(plan->values);
    dlz_free(plan->seconds);
    dlz_free(plan);
}

static dlviz_status create(dlz_plan **out, dlviz_network *network, int last, bool training) {
    dlz_plan *plan = dlz_alloc_zero(sizeof *plan);
    if (!plan)
        return dlz_fail_memory("a plan", sizeof *plan);
    plan->last = last;
    plan->training = training;
    size_t most = (size_t)last + 1;
    plan->ops = dlz_alloc_array_zero(most, sizeof *plan->ops);
    plan->values = dlz_alloc_array_zero(most + 1, sizeof *plan->values);
    if (!plan->ops || !plan->values) {
        destroy(plan);
        return dlz_fail_memory("a plan", most * sizeof *plan->ops);
    }
    plan->num_ops = dlz_fuse(network, last, training, plan->ops, plan->values);
    *out = plan;
    return DLVIZ_OK;
}

/* Plans for n samples. */
static dlviz_status plan_memory(dlz_plan *plan, int64_t n) {
    int ops = plan->num_ops;
    dlz_memory *memory = &plan->memory;
    dlz_setup setup = {.n = n, .training = plan->training, .memory = memory};
    dlz_memory_restart(memory);
    dlz_value *in = &plan->values[0], *out = &plan->values[ops];
    /* One sample in the order it is loaded, channel by channel. */
    dlz_memory_ask_scratch(memory, (uint64_t)dlz_value_size(in) * sizeof(float));
    DLZ_TRY(dlz_memory_ask_array(memory, &in->data, n * dlz_value_size(in), sizeof(float), 0,
                                 plan->training ? 2 * ops : ops));
    if (plan->training) {
        DLZ_TRY(dlz_memory_ask_array(memory, &out->dy, n * dlz_value_size(out), sizeof(float),
                                     ops - 1, ops + 1));
        DLZ_TRY(dlz_memory_ask_array(memory, &plan->labels, n, sizeof *plan->labels, 0, ops));
    }
    for (int i = 0; i < ops; i++) {
        setup.forward_time = i;
        setup.backward_time = 2 * ops - 1 - i;
        DLZ_TRY(plan->ops[i].type->plan(&plan->ops[i], &setup));
    }
    plan->run = (dlz_run){.n = n, .training = plan->training};
    return dlz_memory_place(memory);
}

static bool same_nodes(const dlz_plan *plan, int last, bool training) {
    return plan->last == last && plan->training == training;
}

/* Takes a plan out of those kept. */
static dlz_plan *take(dlz_plans *plans, int index) {
    dlz_plan *plan = plans->kept[index];
    plans->count--;
    memmove(plans->kept + index, plans->kept + index + 1,
            (size_t)(plans->count - index) * sizeof plan);
    return plan;
}

/* The plan wanted, or a new one for which the one that was used the longest time ago makes room. */
static dlviz_status find_plan(dlviz_network *network, int last, bool training, int64_t n,
                              dlz_plan **out) {
    dlz_plans *plans = &network->plans;
    for (int i = 0; i < plans->count; i++)
        if (same_nodes(plans->kept[i], last, training) && plans->kept[i]->run.n == n) {
            *out = take(plans, i);
            return DLVIZ_OK;
        }
    dlz_plan *plan = plans->count == DLZ_KEPT_PLANS ? take(plans, plans->count - 1) : NULL;
    if (plan && !same_nodes(plan, last, training)) {
        destroy(plan);
        plan = NULL;
    }
    if (!plan)
        DLZ_TRY(create(&plan, network, last, training));
    dlviz_status status = plan_memory(plan, n);
    if (status == DLVIZ_OK)
        *out = plan;
    else
        destroy(plan);
    return status;
}

dlviz_status dlz_plan_get(dlviz_network *network, int last, bool training, int64_t n,
                          dlz_plan **out) {
    dlz_plans *plans = &network->plans;
    dlz_plan *plan;
    DLZ_TRY(find_plan(network, last, training, n, &plan));
    memmove(plans->kept + 1, plans->kept, (size_t)plans->count * sizeof plan);
    plans->kept[0] = plan;
    plans->count++;
    dlz_run *run = &plan->run;
    run->workers = dlz_threads();
    DLZ_TRY(dlz_memory_settle(&plan->memory, &plans->workspace, run->workers));
    run->scratch = plans->workspace.scratch;
    run->scratch_size = plan->memory.scratch_size;
    *out = plan;
    return DLVIZ_OK;
}

void dlz_plans_release(dlz_plans *plans) {
    while (plans->count > 0)
        destroy(take(plans, plans->count - 1));
    dlz_workspace_release(&plans->workspace);
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
int64_t *dlz_plan_labels(dlz_plan *plan) {
    return plan->labels;
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
