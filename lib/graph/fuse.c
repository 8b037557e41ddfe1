/* Which operations compute a node of a graph: decided from what the layers' types say, and from who
 * reads what. Layers are computed together only where nobody else reads what lies between them. */
#include "base/base.h"
#include "base/random.h"
#include "graph/graph.h"
#include "graph/post.h"
#include "graph/split.h"

#include <assert.h>
#include <string.h>

/* One input of one node. */
typedef struct edge {
    int reader;
    dlz_value *value; /* what the reader reads; set when it has been computed */
} edge;

/* DLZ_CONSTANT_BY_PLACE and DLZ_CONSTANT_EVERYWHERE, by their values. */
enum { NUM_CONSTANTS = DLZ_CONSTANT_TAKEN_OUT };

/* Nodes are counted from the input on: it is number 0 of these arrays, and node i is number i + 1.
 */
typedef struct fuser {
    const dlz_graph *graph;
    int target;
    dlz_mode mode;
    dlz_program *program;
    bool keeps; /* the mode does, and what it keeps is computed to the same bits as by itself */
    bool *wanted, *done;
    bool (
        *taken_out)[NUM_CONSTANTS]; /* whether such a constant in a node's output is, further on */
    int *first_edge; /* of each node's readers, in the order of the graph; one more at the end */
    int *first_input, *input_edges;
    edge *edges;
} fuser;

static const dlz_node *node_at(const fuser *f, int at) {
    return &f->graph->nodes[at];
}

static dlz_stage stage_of(const dlz_node *node) {
    return node->layer->type->stage ? node->layer->type->stage(node->layer) : DLZ_STAGE_NONE;
}

static int num_readers(const fuser *f, int at) {
    return f->first_edge[at + 2] - f->first_edge[at + 1];
}

static bool is_watched(const fuser *f, int at) {
    return f->mode.watches && at == f->mode.watched;
}

/* The one node that reads this one, or −1 when there are more or none; who watches is one more. */
static int only_reader(const fuser *f, int at) {
    bool one = num_readers(f, at) == 1 && !is_watched(f, at);
    return one ? f->edges[f->first_edge[at + 1]].reader : -1;
}

/* -- Preparation ----------------------------------------------------------------------------------
 */

static int count_edges(fuser *f) {
    int count = 0;
    for (int i = 0; i <= f->target; i++) {
        f->first_input[i] = count;
        count += f->wanted[i + 1] ? node_at(f, i)->num_inputs : 0;
    }
    return count;
}

static void connect(fuser *f) {
    int count = f->target + 2;
    for (int i = 0; i <= f->target; i++)
        for (int k = 0; f->wanted[i + 1] && k < node_at(f, i)->num_inputs; k++)
            f->first_edge[node_at(f, i)->inputs[k] + 2]++;
    for (int i = 1; i <= count; i++)
        f->first_edge[i] += f->first_edge[i - 1];
    /* Fill each node's list from its start, which moves to the next one's; then move all back. */
    for (int i = 0; i <= f->target; i++)
        for (int k = 0; f->wanted[i + 1] && k < node_at(f, i)->num_inputs; k++) {
            int at = f->first_edge[node_at(f, i)->inputs[k] + 1]++;
            f->edges[at].reader = i;
            f->input_edges[f->first_input[i] + k] = at;
        }
    memmove(f->first_edge + 1, f->first_edge, (size_t)count * sizeof *f->first_edge);
    f->first_edge[0] = 0;
}

/* What a batch norm further on does to a constant in the output of node `at`, when it is known
 * of those after it. */
static bool is_taken_out(const fuser *f, int at, dlz_constant constant) {
    int next = only_reader(f, at);
    if (next < 0 || !node_at(f, next)->layer->type->hand_on)
        return false;
    const dlz_node *node = node_at(f, next);
    bool one_place = node->in[0].ndim == 1 || node->in[0].dims[1] * node->in[0].dims[2] == 1;
    constant =
        node->layer->type->hand_on(node->layer, one_place ? DLZ_CONSTANT_EVERYWHERE : constant);
    if (constant == DLZ_CONSTANT_TAKEN_OUT && node->fixed) /* it would be in a batch's statistics */
        return false;
    if (constant == DLZ_CONSTANT_LOST || constant == DLZ_CONSTANT_TAKEN_OUT)
        return constant == DLZ_CONSTANT_TAKEN_OUT;
    return f->taken_out[next + 1][constant];
}

static void find_taken_out(fuser *f) {
    for (int at = f->target; at >= 0; at--)
        for (int constant = DLZ_CONSTANT_BY_PLACE; constant < NUM_CONSTANTS; constant++)
            f->taken_out[at + 1][constant] = is_taken_out(f, at, (dlz_constant)constant);
}

/* Whether a program that ends at the node to be kept computes what comes before that as this one
 * does. Not where something is read by one layer only there, with which it is computed, and here
 * by others too: a batch norm that a convolution does itself is rounded otherwise. `before`: the
 * nodes of that program. */
static bool is_computed_alike(const fuser *f, const bool *before) {
    for (int at = 0; at < f->mode.watched; at++) {
        int count = 0, reader = -1;
        for (int i = f->first_edge[at + 1]; i < f->first_edge[at + 2]; i++)
            if (before[f->edges[i].reader + 1]) {
                reader = f->edges[i].reader;
                count++;
            }
        if (count == 1 && num_readers(f, at) > 1 && stage_of(node_at(f, reader)) != DLZ_STAGE_NONE)
            return false;
    }
    return true;
}

static dlviz_status find_whether_to_keep(fuser *f) {
    if (!f->mode.keeps)
        return DLVIZ_OK;
    size_t nodes = (size_t)f->target + 2;
    bool *before = dlz_alloc_array_zero(nodes, sizeof *before);
    if (!before)
        return dlz_fail_memory("a plan", nodes);
    dlz_graph_mark_wanted(f->graph, f->mode.watched, before);
    f->keeps = is_computed_alike(f, before);
    dlz_free(before);
    return DLVIZ_OK;
}

static dlviz_status prepare(fuser *f) {
    size_t nodes = (size_t)f->target + 3;
    f->wanted = dlz_alloc_array_zero(nodes, sizeof *f->wanted);
    f->done = dlz_alloc_array_zero(nodes, sizeof *f->done);
    f->first_edge = dlz_alloc_array_zero(nodes, sizeof *f->first_edge);
    f->first_input = dlz_alloc_array_zero(nodes, sizeof *f->first_input);
    f->taken_out = dlz_alloc_array_zero(nodes, sizeof *f->taken_out);
    if (!f->wanted || !f->done || !f->first_edge || !f->first_input || !f->taken_out)
        return dlz_fail_memory("a plan", nodes * sizeof *f->first_edge);
    dlz_graph_mark_wanted(f->graph, f->target, f->wanted);
    size_t edges = (size_t)count_edges(f);
    f->edges = dlz_alloc_array_zero(edges, sizeof *f->edges);
    f->input_edges = dlz_alloc_array_zero(edges, sizeof *f->input_edges);
    if (!f->edges || !f->input_edges)
        return dlz_fail_memory("a plan", edges * sizeof *f->edges);
    connect(f);
    find_taken_out(f);
    DLZ_TRY(find_whether_to_keep(f));
    /* Each node has one operation at most and each value one split, which has a value for each
     * reader. */
    dlz_program *program = f->program;
    size_t ops = 0, values = 1;
    for (int at = DLZ_GRAPH_INPUT; at <= f->target; at++) {
        bool may_split = num_readers(f, at) > 1;
        ops += (size_t)f->wanted[at + 1] + may_split;
        values += (size_t)f->wanted[at + 1] + (may_split ? (size_t)num_readers(f, at) : 0);
    }
    program->ops = dlz_alloc_array_zero(ops, sizeof(dlz_op *));
    program->values = dlz_alloc_array_zero(values, sizeof *program->values);
    return program->ops && program->values
               ? DLVIZ_OK
               : dlz_fail_memory("a plan", values * sizeof *program->values);
}

static void release(fuser *f) {
    dlz_free(f->wanted);
    dlz_free(f->done);
    dlz_free(f->taken_out);
    dlz_free(f->first_edge);
    dlz_free(f->first_input);
    dlz_free(f->input_edges);
    dlz_free(f->edges);
}

/* -- Operations and values ------------------------------------------------------------------------
 */

static dlz_value *new_value(fuser *f, const dlz_shape *shape) {
    dlz_value *value = &f->program->values[f->program->num_values++];
    value->channels = shape->dims[0];
    value->height = shape->ndim == 3 ? shape->dims[1] : 1;
    value->width = shape->ndim == 3 ? shape->dims[2] : 1;
    return value;
}

/* With room for its inputs and for what is its own. */
static dlviz_status new_op(fuser *f, const dlz_op_type *type, int num_inputs, dlz_op **out) {
    dlz_op *op = dlz_alloc_zero(sizeof *op);
    if (!op)
        return dlz_fail_memory("a plan", sizeof *op);
    f->program->ops[f->program->num_ops++] = op;
    op->type = type;
    op->abilities = type->abilities;
    op->num_inputs = num_inputs;
    op->inputs = dlz_alloc_array_zero((uint64_t)num_inputs, sizeof(dlz_value *));
    op->own = dlz_alloc_zero(type->own);
    if (!op->inputs || !op->own)
        return dlz_fail_memory("a plan", type->own);
    *out = op;
    return DLVIZ_OK;
}

/* A node's state; returns whether any of it is trained. */
static bool get_states(const fuser *f, int at, dlz_parameter states[DLZ_MAX_STATES]) {
    const dlz_node *node = node_at(f, at);
    bool trained = false;
    memcpy(states, node->states, sizeof node->states);
    /* The gradient of a constant that is taken out is 0, and computing it would only give the
     * rounding errors of a sum that cancels. */
    bool lost = f->mode.training && f->taken_out[at + 1][DLZ_CONSTANT_EVERYWHERE];
    for (int i = 0; i < node->num_states; i++) {
        trained |= states[i].gradient != NULL;
        if (states[i].is_constant && lost)
            states[i].gradient = NULL;
    }
    return trained;
}

/* An operation that may hand its gradient on as it comes has something to make of it. */
static void make_gradient(dlz_op *op) {
    op->abilities &= ~(unsigned)DLZ_OP_HANDS_GRADIENT_ON;
    op->abilities |= DLZ_OP_REPLACES_OUTPUT;
}

/* Gives each of those who read a node a part of its own of what the operation hands them. */
static dlviz_status give_parts(fuser *f, int at, dlz_op *op) {
    int count = num_readers(f, at), first = f->first_edge[at + 1];
    op->parts = dlz_alloc_array_zero((uint64_t)count, sizeof(dlz_value *));
    if (!op->parts)
        return dlz_fail_memory("a plan", (uint64_t)count * sizeof(dlz_value *));
    op->num_parts = count;
    for (int i = 0; i < count; i++) {
        dlz_value *part = new_value(f, dlz_graph_shape(f->graph, at));
        part->needs_gradient = part->keep = true;
        op->parts[i] = f->edges[first + i].value = part;
    }
    return DLVIZ_OK;
}

/* Whether a value of node `at` is that of the node to be kept: its own, or that of dropouts behind
 * it, which evaluation leaves out. */
static bool is_kept(const fuser *f, int at) {
    int kept = f->mode.watched;
    if (!f->keeps)
        return false;
    while (kept >= 0 && kept != at && !f->mode.training) {
        kept = only_reader(f, kept);
        if (kept >= 0 && stage_of(node_at(f, kept)) != DLZ_STAGE_DROP)
            return false;
    }
    return kept == at;
}

/* Gives a value that is complete to those who read the node: each a part of its own where their
 * gradients are to be added up. `producer`: the operation whose output the value is, or NULL. */
static dlviz_status publish(fuser *f, int at, dlz_op *producer, dlz_value *value) {
    int count = num_readers(f, at), first = f->first_edge[at + 1];
    if (at == f->target)
        f->program->output = value;
    if (is_kept(f, at))
        f->program->watched = value;
    if (is_watched(f, at)) {
        f->program->watched = value;
        f->program->first_behind = f->program->num_ops;
    }
    if (count < 2 || !f->mode.gradients || !value->needs_gradient) {
        for (int i = 0; i < count; i++)
            f->edges[first + i].value = value;
        return DLVIZ_OK;
    }
    if (producer && (producer->abilities & DLZ_OP_SPLITS) && !is_watched(f, at)) {
        make_gradient(producer);
        return give_parts(f, at, producer);
    }
    dlz_op *split;
    DLZ_TRY(new_op(f, &dlz_split_op_type, 1, &split));
    split->inputs[0] = split->in = value;
    split->first_layer = split->last_layer = at;
    DLZ_TRY(give_parts(f, at, split));
    split->out = split->parts[0];
    return DLVIZ_OK;
}

static const dlz_op_type *op_of(const dlz_node *node) {
    const dlz_layer_type *type = node->layer->type;
    const dlz_op_type *chosen = type->choose_op ? type->choose_op(node->layer, node->in) : NULL;
    return chosen ? chosen : type->op;
}

/* -- Stages ---------------------------------------------------------------------------------------
 */

/* Takes the layers from `first` on that one pass can hold; returns the last of them, or −1 if there
 * is none. A pool is decided before the batch norm and the relu, so no other activation may come
 * before it. */
static int collect_post(fuser *f, int first, dlz_post_op *post, bool *trained) {
    int last = -1;
    dlz_stage before = DLZ_STAGE_NONE;
    for (int at = first; at >= 0; at = only_reader(f, at)) {
        const dlz_node *node = node_at(f, at);
        dlz_stage stage = node->num_inputs == 1 ? stage_of(node) : DLZ_STAGE_NONE;
        if (stage <= before || (stage == DLZ_STAGE_POOL && post->activation))
            break;
        dlz_parameter states[DLZ_MAX_STATES];
        *trained |= get_states(f, at, states);
        node->layer->type->join(node->layer, states, post);
        if (stage == DLZ_STAGE_NORMALIZE)
            post->batchnorm.fixed = node->fixed;
        if (stage == DLZ_STAGE_DROP)
            post->stream = DLZ_STREAM_DROPOUT + ((uint64_t)at << 8);
        f->done[at + 1] = true;
        before = stage;
        last = at;
    }
    return last;
}

/* Whether all who read node `at` can apply batch norm and relu while they load. */
static bool is_read_pending(const fuser *f, int at) {
    int count = num_readers(f, at), first = f->first_edge[at + 1];
    for (int i = 0; i < count; i++) {
        const dlz_node *reader = node_at(f, f->edges[first + i].reader);
        if (stage_of(reader) != DLZ_STAGE_NONE ||
            !(op_of(reader)->abilities & DLZ_OP_READS_PENDING))
            return false;
    }
    return count > 0 && !is_watched(f, at);
}

/* In evaluation the producer does the batch norm and the activation. */
static void fold(dlz_op *producer, dlz_post_op *post) {
    producer->fold = (dlz_fold){.relu = post->relu,
                                .has_batchnorm = post->has_batchnorm,
                                .activation = post->activation,
                                .batchnorm = post->batchnorm};
    post->has_batchnorm = post->relu = false;
    post->activation = NULL;
}

static bool is_empty(const dlz_post_op *post) {
    return !post->has_batchnorm && !post->relu && !post->activation && !post->pool &&
           !post->dropout;
}

static bool is_relu_alone(const dlz_post_op *post) {
    dlz_post_op rest = *post;
    rest.relu = false;
    return post->relu && is_empty(&rest);
}

/* What follows a producer that folds or gates, or, without one, stands alone. */
static dlviz_status fuse_post(fuser *f, int first, dlz_op *producer) {
    dlz_post_op post = {0};
    bool trained = false;
    int last = collect_post(f, first, &post, &trained);
    assert(producer || last >= 0); /* what stands alone is something */
    dlz_value *in =
        producer ? producer->out : f->edges[f->input_edges[f->first_input[first]]].value;
    if (last < 0)
        return publish(f, producer->last_layer, producer, in);
    post.dropout &= f->mode.training;
    if (producer && (producer->abilities & DLZ_OP_GATES) && is_relu_alone(&post)) {
        producer->fold.relu = in->keep = true; /* the output tells what passed */
        make_gradient(producer);
        post.relu = false;
    }
    if (producer && (producer->abilities & DLZ_OP_FOLDS) && !f->mode.gradients)
        fold(producer, &post);
    if (is_empty(&post))
        return publish(f, last, producer, in);
    dlz_op *op;
    DLZ_TRY(new_op(f, &dlz_post_op_type, 1, &op));
    op->first_layer = first;
    op->last_layer = last;
    op->inputs[0] = op->in = in;
    op->out = new_value(f, &node_at(f, last)->out);
    op->out->needs_gradient = f->mode.gradients && (in->needs_gradient || trained);
    post.pending = f->mode.gradients && producer && (producer->abilities & DLZ_OP_READS_VIEW) &&
                   !post.pool && !post.dropout && !post.activation && is_read_pending(f, last);
    in->statistics.wanted =
        f->mode.training && producer && post.has_batchnorm && !post.batchnorm.fixed;
    if (producer && post.pool && (producer->abilities & DLZ_OP_POOLS))
        in->pooled = (dlz_pooled){.wanted = true,
                                  .sign = post.has_batchnorm ? post.batchnorm.weight.value : NULL};
    if (post.pending || in->pooled.wanted)
        op->abilities |= DLZ_OP_HANDS_GRADIENT_ON | DLZ_OP_HANDS_DATA_ON;
    *(dlz_post_op *)op->own = post;
    return publish(f, last, op, op->out);
}

/* -- All together ---------------------------------------------------------------------------------
 */

static dlviz_status fuse_main(fuser *f, int at) {
    const dlz_node *node = node_at(f, at);
    dlz_op *op;
    DLZ_TRY(new_op(f, op_of(node), node->num_inputs, &op));
    f->done[at + 1] = true;
    op->layer = node->layer;
    op->first_layer = op->last_layer = at;
    bool needs_gradient = get_states(f, at, op->states);
    for (int k = 0; k < node->num_inputs; k++) {
        op->inputs[k] = f->edges[f->input_edges[f->first_input[at] + k]].value;
        needs_gradient |= op->inputs[k]->needs_gradient;
    }
    op->in = op->inputs[0];
    op->out = new_value(f, &node->out);
    op->out->needs_gradient = f->mode.gradients && needs_gradient;
    op->out->keep = (op->abilities & DLZ_OP_NEEDS_OUTPUT) != 0;
    for (int k = 0; (op->abilities & DLZ_OP_HANDS_DATA_ON) && k < node->num_inputs; k++)
        op->out->keep |= op->inputs[k]->keep;
    int next = only_reader(f, at);
    if (next >= 0 && (op->abilities & (DLZ_OP_FOLDS | DLZ_OP_GATES)))
        return fuse_post(f, next, op);
    return publish(f, at, op, op->out);
}

static dlviz_status fuse_all(fuser *f) {
    DLZ_TRY(prepare(f));
    dlz_value *input = new_value(f, &f->graph->in);
    input->needs_gradient = f->mode.input_gradient;
    DLZ_TRY(publish(f, DLZ_GRAPH_INPUT, NULL, input));
    for (int at = 0; at <= f->target; at++) {
        if (!f->wanted[at + 1] || f->done[at + 1])
            continue;
        if (stage_of(node_at(f, at)) != DLZ_STAGE_NONE)
            DLZ_TRY(fuse_post(f, at, NULL));
        else
            DLZ_TRY(fuse_main(f, at));
    }
    return DLVIZ_OK;
}

dlviz_status dlz_fuse(const dlz_graph *graph, int node, dlz_mode mode, dlz_program *program) {
    *program = (dlz_program){0};
    fuser f = {.graph = graph, .target = node, .mode = mode, .program = program};
    dlviz_status status = fuse_all(&f);
    release(&f);
    return status;
}

void dlz_program_release(dlz_program *program) {
    for (int i = 0; i < program->num_ops; i++) {
        dlz_op *op = program->ops[i];
        if (op->type->release && op->own)
            op->type->release(op);
        dlz_free(op->inputs);
        dlz_free(op->parts);
        dlz_free(op->own);
        dlz_free(op);
    }
    dlz_free(program->ops);
    dlz_free(program->values);
}
