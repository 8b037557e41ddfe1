/* A network's states as they were, and what runs on them in one thread. */
#include <dlviz/predictor.h>

#include "base/base.h"
#include "base/busy.h"
#include "base/parallel.h"
#include "graph/lanes.h"
#include "network/network.h"
#include "network/run.h"

#include <stdatomic.h>
#include <string.h>

/* What all predictors of the same states have in common; it does not change. */
typedef struct weights {
    atomic_int references;
    dlviz_network *network; /* held: its layers */
    dlz_graph graph;        /* the network's, whose nodes have these states */
    float *parameters;
    void *buffers;
    dlz_prepared_set *prepared;
} weights;

struct dlviz_predictor {
    dlz_busy busy;
    weights *weights;
    int node;
    atomic_int threads; /* read by who shares it, too */
    dlz_plans plans;
};

/* -- Weights -------------------------------------------------------------------------------------
 */

static void drop_weights(weights *w) {
    if (!w || atomic_fetch_sub(&w->references, 1) != 1)
        return;
    dlz_prepared_set_destroy(w->prepared);
    dlz_free(w->graph.nodes);
    dlz_free(w->parameters);
    dlz_free(w->buffers);
    dlviz_network_destroy(w->network);
    dlz_free(w);
}

static void *copy(const void *from, size_t bytes) {
    void *block = dlz_alloc(bytes);
    if (block)
        memcpy(block, from, bytes);
    return block;
}

/* The place in the copies of what lies in the network's blocks. */
static void *moved(const weights *w, void *value) {
    const dlviz_network *network = w->network;
    float *parameter = value;
    if (!value)
        return NULL;
    if (parameter >= network->parameters &&
        parameter < network->parameters + network->parameter_floats)
        return w->parameters + (parameter - network->parameters);
    return (char *)w->buffers + ((char *)value - (char *)network->buffers);
}

static void hand_states(weights *w) {
    for (int i = 0; i < w->graph.num_nodes; i++)
        for (int j = 0; j < w->graph.nodes[i].num_states; j++) {
            dlz_parameter *state = &w->graph.nodes[i].states[j];
            state->value = moved(w, state->value);
            state->count = moved(w, state->count);
            state->gradient = NULL;
        }
}

static dlviz_status copy_weights(weights *w) {
    const dlviz_network *network = w->network;
    size_t parameter_bytes = (size_t)network->parameter_floats * sizeof(float);
    size_t node_bytes = (size_t)network->graph.num_nodes * sizeof *network->graph.nodes;
    w->graph = network->graph;
    w->graph.nodes = copy(network->graph.nodes, node_bytes);
    w->parameters = copy(network->parameters, parameter_bytes);
    w->buffers = copy(network->buffers, network->buffer_bytes);
    if (!w->graph.nodes || !w->parameters || !w->buffers)
        return dlz_fail_memory("a copy of the parameters", parameter_bytes);
    hand_states(w);
    return dlz_prepared_set_create(&w->prepared);
}

static dlviz_status make_weights(weights **out, const dlviz_network *network) {
    weights *w = dlz_alloc_zero(sizeof *w);
    if (!w)
        return dlz_fail_memory("a predictor", sizeof *w);
    atomic_init(&w->references, 1);
    /* Holding changes nothing that a const handle shows. */
    w->network = dlz_network_hold((dlviz_network *)(uintptr_t)network);
    dlviz_status status = copy_weights(w);
    if (status == DLVIZ_OK)
        *out = w;
    else
        drop_weights(w);
    return status;
}

/* -- Predictors ----------------------------------------------------------------------------------
 */

/* One that has the weights from then on, unless it fails. */
static dlviz_status make(dlviz_predictor **out, weights *w, int node) {
    dlviz_predictor *predictor = dlz_alloc_zero(sizeof *predictor);
    if (!predictor)
        return dlz_fail_memory("a predictor", sizeof *predictor);
    predictor->weights = w;
    predictor->node = node;
    predictor->plans.prepared = w->prepared;
    predictor->plans.shares = true;
    *out = predictor;
    return DLVIZ_OK;
}

dlviz_status dlviz_predictor_create(dlviz_predictor **out, const dlviz_network *network,
                                    const char *layer) {
    DLZ_REQUIRE_OUT(out);
    DLZ_TRY(dlz_require_built(network, __func__));
    DLZ_HOLD_SHARED(&network->busy, "network");
    DLZ_TRY(dlz_require_states(network, __func__));
    int node = network->graph.num_nodes - 1;
    if (layer)
        DLZ_TRY(dlz_network_find_layer(network, __func__, layer, &node));
    if (node == DLZ_GRAPH_INPUT)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: 'layer' is 'input'; a layer's name, or NULL for the last, is accepted",
                        __func__);
    weights *w = NULL;
    DLZ_TRY(make_weights(&w, network));
    dlviz_status status = make(out, w, node);
    if (status != DLVIZ_OK)
        drop_weights(w);
    return status;
}

dlviz_status dlviz_predictor_share(const dlviz_predictor *predictor, dlviz_predictor **other) {
    DLZ_REQUIRE_OUT(other);
    DLZ_REQUIRE(predictor);
    DLZ_TRY(make(other, predictor->weights, predictor->node));
    atomic_fetch_add(&predictor->weights->references, 1);
    atomic_init(&(*other)->threads, atomic_load(&predictor->threads));
    return DLVIZ_OK;
}

void dlviz_predictor_destroy(dlviz_predictor *predictor) {
    if (!predictor)
        return;
    dlz_plans_release(&predictor->plans);
    drop_weights(predictor->weights);
    dlz_free(predictor);
}

dlviz_status dlviz_predictor_set_num_threads(dlviz_predictor *predictor, int64_t num_threads) {
    DLZ_REQUIRE(predictor);
    DLZ_HOLD_ALONE(&predictor->busy, "predictor");
    if (num_threads < 0 || num_threads > DLZ_MAX_THREADS)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: %lld threads; 1 to %d are accepted, or 0 for those of the library",
                        __func__, (long long)num_threads, DLZ_MAX_THREADS);
    atomic_store(&predictor->threads, (int)num_threads);
    return DLVIZ_OK;
}

int64_t dlviz_predictor_num_threads(const dlviz_predictor *predictor) {
    return predictor ? atomic_load(&predictor->threads) : 0;
}

const char *dlviz_predictor_layer(const dlviz_predictor *predictor) {
    return predictor ? predictor->weights->graph.nodes[predictor->node].name : NULL;
}

static const dlz_shape *output_shape(const dlviz_predictor *predictor) {
    return &predictor->weights->graph.nodes[predictor->node].out;
}

int dlviz_predictor_input_ndim(const dlviz_predictor *predictor) {
    return predictor ? predictor->weights->graph.in.ndim : 0;
}

const int64_t *dlviz_predictor_input_dims(const dlviz_predictor *predictor) {
    return predictor ? predictor->weights->graph.in.dims : NULL;
}

int dlviz_predictor_output_ndim(const dlviz_predictor *predictor) {
    return predictor ? output_shape(predictor)->ndim : 0;
}

const int64_t *dlviz_predictor_output_dims(const dlviz_predictor *predictor) {
    return predictor ? output_shape(predictor)->dims : NULL;
}

static dlviz_status check_samples(const char *who, int64_t num_samples) {
    if (num_samples > 0)
        return DLVIZ_OK;
    return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: %lld samples; 1 or more are accepted", who,
                    (long long)num_samples);
}

static int64_t batch_size(const dlviz_predictor *predictor, int64_t num_samples) {
    const weights *w = predictor->weights;
    return dlz_evaluation_batch(&w->graph, w->network->parameter_floats, num_samples);
}

/* What is computed for n samples, cut as a batch of `most` is, so that there are two sizes in all. */
static dlz_lane_job job_for(dlviz_predictor *predictor, int64_t n, int64_t most) {
    const weights *w = predictor->weights;
    predictor->plans.threads = atomic_load(&predictor->threads);
    return (dlz_lane_job){.graph = &w->graph,
                          .node = predictor->node,
                          .mode = DLZ_EVALUATION,
                          .n = n,
                          .piece = dlz_lanes_piece(&w->graph, predictor->node, most)};
}

static dlviz_status reserve(dlviz_predictor *predictor, int64_t n, int64_t most) {
    dlz_lane_job job = job_for(predictor, n, most);
    return dlz_lanes_reserve(&predictor->plans, &job);
}

dlviz_status dlviz_predictor_reserve(dlviz_predictor *predictor, int64_t num_samples) {
    DLZ_REQUIRE(predictor);
    DLZ_HOLD_ALONE(&predictor->busy, "predictor");
    DLZ_TRY(check_samples(__func__, num_samples));
    int64_t most = batch_size(predictor, num_samples), rest = num_samples % most;
    if (num_samples >= most)
        DLZ_TRY(reserve(predictor, most, most));
    return rest > 0 ? reserve(predictor, rest, most) : DLVIZ_OK;
}

typedef struct prediction {
    const float *inputs;
    float *outputs;
    int64_t in_size, out_size;
} prediction;

static dlviz_status predict_piece(void *context, dlz_plan *plan, int64_t first) {
    const prediction *p = context;
    DLZ_TRY(dlz_load_input(plan, &(dlz_input){.samples = p->inputs + first * p->in_size}));
    DLZ_TRY(dlz_plan_forward(plan));
    dlz_read_output(plan, p->outputs + first * p->out_size);
    return DLVIZ_OK;
}

dlviz_status dlviz_predictor_forward_into(dlviz_predictor *predictor, int64_t num_samples,
                                          const float *inputs, float *outputs) {
    DLZ_REQUIRE(predictor);
    DLZ_REQUIRE(inputs);
    DLZ_REQUIRE(outputs);
    DLZ_HOLD_ALONE(&predictor->busy, "predictor");
    DLZ_TRY(check_samples(__func__, num_samples));
    int64_t in_size = dlz_shape_size(&predictor->weights->graph.in);
    int64_t out_size = dlz_shape_size(output_shape(predictor));
    int64_t most = batch_size(predictor, num_samples);
    for (int64_t first = 0; first < num_samples; first += most) {
        dlz_lane_job job = job_for(predictor, dlz_min_i64(most, num_samples - first), most);
        prediction p = {inputs + first * in_size, outputs + first * out_size, in_size, out_size};
        DLZ_TRY(dlz_lanes_run(&predictor->plans, &job, predict_piece, &p));
    }
    return DLVIZ_OK;
}
