/* A graph made ready to run: operations, values, memory. */
#include "base/base.h"
#include "base/parallel.h"
#include "graph/graph.h"

#include <assert.h>
#include <string.h>
#include <time.h>

/* Work is measured in multiply-adds, of which a core does about 200,000 in a microsecond. A
 * thread that watches for work takes some within a few microseconds; one that sleeps, as between
 * two predictions, comes after about fifty. */
#define SMALL_OP 4e5
#define SMALL_PLAN 1e7
/* A weight that is read from memory takes as long as so many. */
#define WORK_OF_WEIGHT 10

/* What a plan knows of an operation. */
typedef struct planned_op {
    bool small;             /* one thread does it sooner than many */
    int first_kept;         /* of the memory's kept requests, those that it makes */
    size_t bytes;           /* of what it prepares that outlasts a run */
    dlz_prepared *prepared; /* NULL: nothing, or there is no room yet */
} planned_op;

struct dlz_plan {
    const dlz_graph *graph;
    int node; /* that it computes */
    dlz_mode mode;
    dlz_program program;
    dlz_plans *plans; /* that it is one of */
    dlz_memory memory;
    dlz_extras extras;
    dlz_run run;
    uint64_t version; /* of what is prepared, when it was looked at last; 0: never */
    double work;      /* of all operations */
    bool settled;     /* all that is to be prepared has room */
    planned_op *ops;
    dlviz_status failed;  /* of the present pass */
    double (*seconds)[2]; /* of each operation, forward and backward; NULL unless profiled */
};

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void drop_prepared(dlz_plan *plan) {
    for (int i = 0; plan->ops && i < plan->program.num_ops; i++) {
        if (plan->ops[i].prepared)
            dlz_prepared_drop(plan->plans->prepared, plan->ops[i].prepared);
        plan->ops[i].prepared = NULL;
    }
    plan->version = 0;
    plan->settled = false;
}

static void destroy(dlz_plan *plan) {
    if (!plan)
        return;
    drop_prepared(plan);
    dlz_memory_release(&plan->memory);
    dlz_program_release(&plan->program);
    dlz_free(plan->ops);
    dlz_free(plan->seconds);
    dlz_free(plan);
}

static dlviz_status create(dlz_plan **out, const dlz_graph *graph, int node, dlz_mode mode) {
    dlz_plan *plan = dlz_alloc_zero(sizeof *plan);
    if (!plan)
        return dlz_fail_memory("a plan", sizeof *plan);
    plan->graph = graph;
    plan->node = node;
    plan->mode = mode;
    dlviz_status status = dlz_fuse(graph, node, mode, &plan->program);
    if (status == DLVIZ_OK) {
        plan->ops = dlz_alloc_array_zero((uint64_t)plan->program.num_ops, sizeof *plan->ops);
        if (!plan->ops)
            status = dlz_fail_memory("a plan", (uint64_t)plan->program.num_ops);
    }
    if (status == DLVIZ_OK)
        *out = plan;
    else
        destroy(plan);
    return status;
}

/* -- Lifetimes ------------------------------------------------------------------------------------
 */

static int backward_time(const dlz_program *program, int op) {
    return 2 * program->num_ops - 1 - op;
}

/* Data are needed until the last operation has read them, also those that read them as handed on.
 */
static void find_last_readers(const dlz_program *program) {
    program->output->data_last = program->num_ops;
    if (program->watched)
        program->watched->data_last = program->num_ops;
    for (int i = program->num_ops - 1; i >= 0; i--) {
        const dlz_op *op = program->ops[i];
        int last = i;
        if (op->abilities & DLZ_OP_HANDS_DATA_ON) {
            last = dlz_max_int(last, op->out->data_last);
            for (int part = 0; part < op->num_parts; part++)
                last = dlz_max_int(last, op->parts[part]->data_last);
        }
        for (int k = 0; k < op->num_inputs; k++)
            op->inputs[k]->data_last = dlz_max_int(op->inputs[k]->data_last, last);
    }
}

/* A gradient is needed until the producer has read it, and where that hands it on, until its own
 * producers have. Data are kept until the same time, for the reader may put the gradient in their
 * place, and until all have read what the producer itself puts there. */
static void find_gradient_lives(const dlz_program *program) {
    dlz_value *input = &program->values[0];
    input->backward_time = input->gradient_last = input->data_last = 2 * program->num_ops;
    for (int i = 0; i < program->num_ops; i++) {
        const dlz_op *op = program->ops[i];
        int own = backward_time(program, i), last = own;
        for (int k = 0; k < op->num_inputs; k++)
            if (op->inputs[k]->needs_gradient)
                last = dlz_max_int(last, op->inputs[k]->gradient_last);
        bool hands_on = (op->abilities & DLZ_OP_HANDS_GRADIENT_ON) != 0;
        bool replaces = (op->abilities & DLZ_OP_REPLACES_OUTPUT) != 0;
        for (int part = 0; part <= op->num_parts; part++) {
            dlz_value *out = part < op->num_parts ? op->parts[part] : op->out;
            out->backward_time = own;
            out->gradient_last = hands_on ? last : own;
            out->data_last = hands_on || replaces ? last : own;
        }
    }
}

static dlviz_status ask_for_batch(dlz_plan *plan, int64_t n, const dlz_batch *batch) {
    const dlz_program *program = &plan->program;
    dlz_memory *memory = &plan->memory;
    dlz_value *in = &program->values[0], *out = program->output;
    int ops = program->num_ops, end = dlz_max_int(ops + 1, out->gradient_last);
    /* One sample, or its targets, in the order in which they are loaded, channel by channel; in
     * training also two that augmentations make it of. */
    int64_t longest = dlz_max_i64(dlz_value_size(in), dlz_value_size(out));
    uint64_t held = plan->mode.training ? 3 : 1;
    dlz_memory_ask_scratch(memory, held * (uint64_t)longest * sizeof(float));
    DLZ_TRY(dlz_memory_ask_array(memory, &in->data, n * dlz_value_size(in), sizeof(float), 0,
                                 in->data_last));
    if (!plan->mode.gradients)
        return DLVIZ_OK;
    dlz_extras *extras = &plan->extras;
    int64_t all = batch->all, size = all * dlz_value_size(out);
    int64_t pixels = all * out->height * out->width;
    int64_t targets = dlz_max_i64(size, 2 * pixels); /* a label takes the room of two floats */
    DLZ_TRY(dlz_memory_ask_array(memory, &out->dy, n * dlz_value_size(out), sizeof(float), ops - 1,
                                 end));
    extras->outputs = extras->gradient = NULL;
    if (batch->comm) {
        DLZ_TRY(dlz_memory_ask_array(memory, &extras->outputs, size, sizeof(float), ops, ops));
        DLZ_TRY(dlz_memory_ask_array(memory, &extras->gradient, size, sizeof(float), ops, ops));
    }
    DLZ_TRY(dlz_memory_ask_array(memory, &extras->targets, targets, sizeof(float), 0, ops));
    DLZ_TRY(dlz_memory_ask_array(memory, &extras->weights, all, sizeof(float), 0, ops));
    return dlz_memory_ask_array(memory, &extras->losses, all, sizeof *extras->losses, ops - 1, ops);
}

/* What an operation costs for n samples, forward. */
static double work_of(const dlz_graph *graph, const dlz_op *op, int64_t n) {
    double each = (double)dlz_value_size(op->out), once = 0;
    for (int k = 0; k < op->num_inputs; k++)
        each += (double)dlz_value_size(op->inputs[k]);
    for (int i = dlz_max_int(op->first_layer, 0); i <= op->last_layer; i++) {
        const dlz_node *node = &graph->nodes[i];
        once += WORK_OF_WEIGHT * dlz_node_num_weights(node);
        if (node->layer->type->multiply_adds)
            each += node->layer->type->multiply_adds(node->layer, node->in, &node->out);
    }
    return once + (double)n * each;
}

bool dlz_plan_is_small(const dlz_plan *plan, int64_t count) {
    return (double)count * plan->work < SMALL_PLAN;
}

/* Finds the operations that one thread does sooner than many, and what all cost. */
static void find_small(dlz_plan *plan, int64_t n) {
    double sum = 0;
    for (int i = 0; i < plan->program.num_ops; i++) {
        double work = work_of(plan->graph, plan->program.ops[i], n);
        plan->ops[i].small = work < SMALL_OP;
        sum += work;
    }
    /* The way back costs twice as much. */
    plan->work = (plan->mode.gradients ? 3 : 1) * sum;
}

/* Whether processes could share a batch. A layer of the user's own is to see all of it. */
static bool may_share(const dlz_plan *plan) {
    bool may = plan->mode.training;
    for (int node = 0; node < plan->graph->num_nodes; node++)
        may &= !plan->graph->nodes[node].layer->type->is_users;
    return may;
}

/* Plans for n samples of a batch. */
static dlviz_status plan_part(dlz_plan *plan, dlz_batch batch, int64_t n, bool *too_small) {
    const dlz_program *program = &plan->program;
    dlz_setup setup = {.n = n,
                       .batch = batch,
                       .mode = plan->mode,
                       .memory = &plan->memory,
                       .too_small = too_small};
    dlz_memory_restart(&plan->memory);
    drop_prepared(plan);
    for (int i = 0; i < program->num_values; i++)
        program->values[i].data_last = 0;
    find_last_readers(program);
    if (plan->mode.gradients)
        find_gradient_lives(program);
    DLZ_TRY(ask_for_batch(plan, n, &batch));
    for (int i = 0; i < program->num_ops; i++) {
        setup.forward_time = i;
        setup.backward_time = backward_time(program, i);
        planned_op *planned = &plan->ops[i];
        planned->first_kept = plan->memory.num_kept;
        plan->memory.kept_size = 0;
        DLZ_TRY(program->ops[i]->type->plan(program->ops[i], &setup));
        planned->bytes = plan->memory.kept_size;
    }
    plan->run = (dlz_run){.n = n, .batch = batch, .mode = plan->mode, .failed = &plan->failed};
    find_small(plan, n);
    return dlz_memory_place(&plan->memory);
}

/* Plans for a batch of so many samples, which may be shared by processes. */
static dlviz_status plan_memory(dlz_plan *plan, int64_t all, dlviz_comm *comm) {
    int64_t n = all;
    dlz_batch batch = comm && may_share(plan) ? dlz_batch_shared(all, comm, &n)
                                              : dlz_batch_here(all, plan->mode.gradients);
    bool too_small = false;
    dlviz_status status = plan_part(plan, batch, n, &too_small);
    if (status != DLVIZ_OK || !too_small)
        return status;
    dlz_log(DLVIZ_LOG_LEVEL_INFO,
            "a batch of %lld samples is too small for %d processes to share the sums over it; each "
            "trains on all of it",
            (long long)all, dlz_comm_size(comm));
    return plan_part(plan, dlz_batch_here(all, true), all, &too_small);
}

static uint64_t prepared_bytes(const dlz_plan *plan) {
    uint64_t sum = 0;
    for (int i = 0; i < plan->program.num_ops; i++)
        sum += plan->ops[i].bytes;
    return sum;
}

dlviz_status dlz_plan_measure(const dlz_graph *graph, int node, dlz_mode mode, int64_t n,
                              uint64_t *bytes) {
    dlz_plan *plan = NULL;
    DLZ_TRY(create(&plan, graph, node, mode));
    dlviz_status status = plan_memory(plan, n, NULL);
    *bytes =
        plan->memory.block_size == SIZE_MAX
            ? UINT64_MAX
            : (uint64_t)plan->memory.block_size + plan->memory.scratch_size + prepared_bytes(plan);
    destroy(plan);
    return status;
}

/* -- Kept plans -----------------------------------------------------------------------------------
 */

static bool is_alike(const dlz_plan *plan, int node, dlz_mode mode) {
    return plan->node == node && plan->mode.training == mode.training &&
           plan->mode.gradients == mode.gradients &&
           plan->mode.input_gradient == mode.input_gradient && plan->mode.watches == mode.watches &&
           plan->mode.keeps == mode.keeps && plan->mode.watched == mode.watched;
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
static dlviz_status find_plan(dlz_plans *plans, const dlz_graph *graph, int node, dlz_mode mode,
                              int64_t n, dlz_plan **out) {
    for (int i = 0; i < plans->count; i++)
        if (is_alike(plans->kept[i], node, mode) && plans->kept[i]->run.batch.all == n) {
            *out = take(plans, i);
            return DLVIZ_OK;
        }
    dlz_plan *plan = plans->count == DLZ_KEPT_PLANS ? take(plans, plans->count - 1) : NULL;
    if (plan && !is_alike(plan, node, mode)) {
        destroy(plan);
        plan = NULL;
    }
    if (!plan)
        DLZ_TRY(create(&plan, graph, node, mode));
    dlviz_status status = plan_memory(plan, n, plans->comm);
    if (status == DLVIZ_OK)
        *out = plan;
    else
        destroy(plan);
    return status;
}

/* Lets the slots of what is prepared point to where it is. */
static void hand_prepared(const dlz_plan *plan) {
    for (int i = 0; i < plan->program.num_ops; i++) {
        int end =
            i + 1 < plan->program.num_ops ? plan->ops[i + 1].first_kept : plan->memory.num_kept;
        for (int k = plan->ops[i].first_kept; k < end; k++) {
            void *place = plan->ops[i].prepared->block + plan->memory.kept[k].offset;
            memcpy(plan->memory.kept[k].slot, &place, sizeof place);
        }
    }
}

/* Room for what the plan's operations prepare. */
static dlviz_status settle_prepared(dlz_plan *plan, dlz_plans *plans) {
    if (plan->settled)
        return DLVIZ_OK;
    for (int i = 0; i < plan->program.num_ops; i++) {
        planned_op *planned = &plan->ops[i];
        if (planned->bytes == 0 || planned->prepared)
            continue;
        if (!plans->prepared)
            DLZ_TRY(dlz_prepared_set_create(&plans->prepared));
        DLZ_TRY(dlz_prepared_take(&planned->prepared, plans->prepared, plan->program.ops[i],
                                  planned->bytes));
    }
    hand_prepared(plan);
    plan->settled = true;
    return DLVIZ_OK;
}

dlviz_status dlz_plan_get(dlz_plans *plans, const dlz_graph *graph, int node, dlz_mode mode,
                          int64_t n, dlz_plan **out) {
    dlz_plan *plan;
    if (plans->running)
        return dlz_fail(DLVIZ_ERROR_STATE,
                        "the network is at work: a function that it calls may not "
                        "use it");
    DLZ_TRY(find_plan(plans, graph, node, mode, n, &plan));
    plan->plans = plans;
    memmove(plans->kept + 1, plans->kept, (size_t)plans->count * sizeof plan);
    plans->kept[0] = plan;
    plans->count++;
    dlz_run *run = &plan->run;
    run->spreads = &plans->spreads;
    run->workers = dlz_plan_is_small(plan, 1) ? 1 : plans->threads ? plans->threads : dlz_threads();
    DLZ_TRY(settle_prepared(plan, plans));
    DLZ_TRY(dlz_memory_settle(&plan->memory, &plans->workspace, run->workers));
    run->scratch = plans->workspace.scratch;
    run->scratch_size = plan->memory.scratch_size;
    *out = plan;
    return DLVIZ_OK;
}

void dlz_plans_forget(dlz_plans *plans) {
    if (plans->next_lane)
        dlz_plans_forget(plans->next_lane);
    while (plans->count > 0)
        destroy(take(plans, plans->count - 1));
}

dlviz_status dlz_plans_join(dlz_plans *plans) {
    for (int i = 0; i < plans->apart.count; i++)
        DLZ_TRY(dlz_spread_gather(&plans->apart.all[i], plans->comm, plans->apart.all[i].value));
    plans->apart.count = 0;
    plans->withheld = false;
    return DLVIZ_OK;
}

void dlz_plans_share(dlz_plans *plans, dlviz_comm *comm) {
    if (dlz_comm_size(comm) == 1)
        comm = NULL;
    if (comm != plans->comm)
        dlz_plans_forget(plans);
    plans->comm = comm;
}

void dlz_plans_release(dlz_plans *plans) {
    if (plans->next_lane)
        dlz_plans_release(plans->next_lane);
    dlz_free(plans->next_lane);
    plans->next_lane = NULL;
    dlz_plans_forget(plans);
    if (!plans->shares)
        dlz_prepared_set_destroy(plans->prepared);
    dlz_workspace_release(&plans->workspace);
}

dlz_run *dlz_plan_run(dlz_plan *plan) {
    return &plan->run;
}
dlz_value *dlz_plan_input(dlz_plan *plan) {
    return &plan->program.values[0];
}
dlz_value *dlz_plan_output(dlz_plan *plan) {
    return plan->program.output;
}
dlz_value *dlz_plan_watched(dlz_plan *plan) {
    return plan->program.watched;
}
const dlz_extras *dlz_plan_extras(const dlz_plan *plan) {
    return &plan->extras;
}

/* Behind an operation nothing of which is trained, nobody has asked for a gradient. */
static bool has_gradient(const dlz_op *op) {
    bool has = op->num_parts == 0 && op->out->needs_gradient;
    for (int part = 0; part < op->num_parts; part++)
        has |= op->parts[part]->needs_gradient;
    return has;
}

void dlz_plans_note_change(dlz_plans *plans) {
    plans->changes++;
}

#ifndef NDEBUG
static uint64_t digest(const dlz_prepared *prepared) {
    uint64_t hash = 1;
    for (size_t i = 0; i < prepared->bytes; i++)
        hash = (hash ^ (unsigned char)prepared->block[i]) * UINT64_C(0x100000001b3);
    return hash;
}

/* Whether the states still give what is there. If not, someone has changed them and did not say
 * so, or has shared it with an operation that makes another. */
static bool is_current(dlz_plan *plan, int index) {
    const dlz_prepared *prepared = plan->ops[index].prepared;
    uint64_t before = digest(prepared);
    dlz_op *op = plan->program.ops[index];
    op->type->prepare(op, &plan->run);
    return digest(prepared) == before;
}
#endif

/* With the lock of the set held. */
static void prepare_op(dlz_plan *plan, int index, uint64_t version) {
    dlz_op *op = plan->program.ops[index];
    dlz_prepared *prepared = plan->ops[index].prepared;
    if (!prepared)
        return;
    if (prepared->version == version) {
        assert(plan->plans->shares || plan->plans->in_lanes || is_current(plan, index));
        return;
    }
    op->type->prepare(op, &plan->run);
    prepared->version = version;
}

void dlz_plan_prepare(dlz_plan *plan) {
    dlz_prepared_set *set = plan->plans->prepared;
    uint64_t version = plan->plans->changes + 1;
#ifdef NDEBUG
    if (plan->version == version)
        return;
#endif
    if (!set || !dlz_mode_keeps_prepared(plan->mode))
        return;
    dlz_lock_take(&set->lock);
    for (int i = 0; i < plan->program.num_ops; i++)
        prepare_op(plan, i, version);
    dlz_lock_give_back(&set->lock);
    plan->version = version;
}

static dlviz_status run_op(dlz_plan *plan, int index, bool backward) {
    dlz_op *op = plan->program.ops[index];
    if (backward && !has_gradient(op))
        return DLVIZ_OK;
    double started = plan->seconds ? now() : 0;
    dlz_run run = plan->run;
    if (plan->ops[index].small)
        run.workers = 1;
    if (!backward && op->type->prepare && !dlz_mode_keeps_prepared(plan->mode))
        op->type->prepare(op, &run);
    (backward ? op->type->backward : op->type->forward)(op, &run);
    if (plan->seconds)
        plan->seconds[index][backward] += now() - started;
    if (plan->failed == DLVIZ_OK)
        return DLVIZ_OK;
    const dlz_node *node = &plan->graph->nodes[op->first_layer];
    return dlz_fail_within(plan->failed, "%s '%s'", node->layer->type->name, node->name);
}

dlviz_status dlz_plan_forward(dlz_plan *plan) {
    dlviz_status status = plan->failed = DLVIZ_OK;
    if (plan->mode.training) {
        dlz_plans_note_change(plan->plans);
        plan->plans->spreads.count = 0;
        /* Each process computes all of such a batch. */
        if (!plan->run.batch.comm)
            DLZ_TRY(dlz_plans_join(plan->plans));
    }
    plan->plans->running = true;
    dlz_plan_prepare(plan);
    for (int i = 0; status == DLVIZ_OK && i < plan->program.num_ops; i++)
        status = run_op(plan, i, false);
    plan->plans->running = false;
    return status;
}

dlviz_status dlz_plan_backward(dlz_plan *plan) {
    plan->failed = DLVIZ_OK;
    dlz_value *out = dlz_plan_output(plan);
    out->gradient = (dlz_gradient_view){.dy = out->dy};
    dlviz_status status = DLVIZ_OK;
    plan->plans->running = true;
    for (int i = plan->program.num_ops - 1; status == DLVIZ_OK && i >= plan->program.first_behind;
         i--) {
        status = run_op(plan, i, true);
        if (status == DLVIZ_OK)
            status = dlz_comm_progress(plan->run.batch.comm);
    }
    if (status == DLVIZ_OK && plan->run.batch.comm)
        status = dlz_comm_sums_finish(plan->run.batch.comm);
    plan->plans->running = false;
    return status;
}

dlviz_status dlz_plan_profile(dlz_plan *plan) {
    dlz_free(plan->seconds);
    plan->seconds = dlz_alloc_array_zero((uint64_t)plan->program.num_ops, sizeof *plan->seconds);
    return plan->seconds ? DLVIZ_OK : dlz_fail_memory("a profile", 0);
}

int dlz_plan_num_ops(const dlz_plan *plan) {
    return plan->program.num_ops;
}
const dlz_op *dlz_plan_op(const dlz_plan *plan, int index) {
    return plan->program.ops[index];
}
const double *dlz_plan_seconds(const dlz_plan *plan, int index) {
    return plan->seconds[index];
}
