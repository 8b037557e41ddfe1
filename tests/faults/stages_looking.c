/* faults/stages_looking.c - what a trained network says, and what it looked at. */
#include "faults/pipeline.h"

enum { IMAGES = 14 };

static const char *const no_files[] = {NULL};

/* -- Predictions -- */

static struct {
    dlviz_network *network;
    dlviz_dataset *dataset;
    dlviz_tensor *inputs, *outputs, *features, *all_outputs, *all_features, *places;
    dlviz_predictor *predictor, *other;
    double loss, metric, accuracy, top;
    float predicted[IMAGES * 3], more[IMAGES * 3];
} p;

static void make_inputs(void) {
    p.network = make_network(4);
    p.dataset = make_dataset(IMAGES, 8);
    must(dlviz_dataset_samples(p.dataset, 0, IMAGES, &p.inputs));
}

static dlviz_status run_inference(attempt *a) {
    STEP(a, dlviz_network_predict(p.network, p.dataset, &p.outputs));
    STEP(a, dlviz_network_features(p.network, "flat", p.dataset, &p.features));
    STEP(a, dlviz_network_evaluate(p.network, p.dataset, &p.loss, &p.accuracy));
    STEP(a, dlviz_network_inspect(p.network, p.dataset, "pool", &p.loss, &p.metric, &p.all_outputs,
                                  &p.all_features));
    STEP(a, dlviz_network_measure(p.network, p.dataset, "top5_accuracy", &p.top));
    STEP(a, dlviz_tensor_argmax(p.outputs, &p.places));
    STEP(a, dlviz_predictor_create(&p.predictor, p.network, NULL));
    STEP(a, dlviz_predictor_share(p.predictor, &p.other));
    STEP(a, dlviz_predictor_set_num_threads(p.predictor, 2));
    STEP(a, dlviz_predictor_reserve(p.predictor, 4));
    STEP(a, dlviz_predictor_forward_into(p.predictor, IMAGES, dlviz_tensor_const_float(p.inputs),
                                         p.predicted));
    STEP(a, dlviz_predictor_forward_into(p.other, 3, dlviz_tensor_const_float(p.inputs), p.more));
    return DLVIZ_OK;
}

static void note_inference(void) {
    const dlviz_tensor *tensors[] = {p.outputs, p.features, p.all_outputs, p.all_features,
                                     p.places};
    for (int i = 0; i < 5; i++)
        note_tensor(tensors[i]);
    const double numbers[] = {p.loss, p.metric, p.accuracy, p.top};
    note_bytes(numbers, sizeof numbers);
    note_bytes(p.predicted, sizeof p.predicted);
    note_bytes(p.more, 9 * sizeof(float));
}

static void release_inference(void) {
    dlviz_predictor_destroy(p.predictor);
    dlviz_predictor_destroy(p.other);
    dlviz_tensor *tensors[] = {p.inputs,      p.outputs,      p.features,
                               p.all_outputs, p.all_features, p.places};
    for (int i = 0; i < 6; i++)
        dlviz_tensor_destroy(tensors[i]);
    dlviz_network_destroy(p.network);
    dlviz_dataset_destroy(p.dataset);
}

const stage inference_stage = {"inference",    make_inputs,       run_inference,
                               note_inference, release_inference, no_files};

/* -- Attribution -- */

static struct { dlviz_tensor *map, *baselines, *saliency, *shares, *gaps, *cam, *spoke; } g;

static void prepare_attribution(void) {
    make_inputs();
    g.map = make_points(IMAGES, 2, 3);
    must(dlviz_tensor_copy(p.inputs, &g.baselines));
    dlviz_tensor *one;
    must(dlviz_tensor_slice(g.baselines, 0, 1, &one));
    dlviz_tensor_destroy(g.baselines);
    g.baselines = one;
}

static dlviz_status run_attribution(attempt *a) {
    STEP(a, dlviz_network_saliency(p.network, p.inputs, NULL, &g.saliency));
    STEP(a, dlviz_network_integrated_gradients(p.network, p.inputs, NULL, NULL, 5, &g.shares,
                                               &g.gaps));
    STEP(a, dlviz_network_grad_cam(p.network, "relu", p.inputs, NULL, &g.cam));
    STEP(a, dlviz_network_neighborhood(p.network, "flat", p.dataset, g.map, 2, (int64_t[]){1, 5},
                                       NULL, 3, 4, &g.spoke));
    return DLVIZ_OK;
}

static void note_attribution(void) {
    const dlviz_tensor *tensors[] = {g.saliency, g.shares, g.gaps, g.cam, g.spoke};
    for (int i = 0; i < 5; i++)
        note_tensor(tensors[i]);
}

static void release_attribution(void) {
    release_inference();
    dlviz_tensor *tensors[] = {g.map, g.baselines, g.saliency, g.shares, g.gaps, g.cam, g.spoke};
    for (int i = 0; i < 7; i++)
        dlviz_tensor_destroy(tensors[i]);
}

const stage attribution_stage = {"attribution",    prepare_attribution, run_attribution,
                                 note_attribution, release_attribution, no_files};

/* -- Threads that begin with the call that wants them -- */

static void prepare_threads(void) {
    must(dlviz_set_num_threads(1));
    make_inputs();
}

static dlviz_status run_threads(attempt *a) {
    STEP(a, dlviz_set_num_threads(3));
    STEP(a, dlviz_network_predict(p.network, p.dataset, &p.outputs));
    return DLVIZ_OK;
}

static void note_threads(void) {
    note_tensor(p.outputs);
}

static void release_threads(void) {
    release_inference();
    must(dlviz_set_num_threads(2));
}

const stage threads_stage = {"threads",    prepare_threads, run_threads,
                             note_threads, release_threads, no_files};
