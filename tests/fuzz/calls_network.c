/* Calls of dlviz/network.h that make a network, look at it, and evaluate it; and of predictor.h. */
#include "calls.h"

#include <math.h>
#include <string.h>

/* A number made of all states, another where one of them has changed. */
uint64_t states_of(const dlviz_network *network) {
    uint64_t mark = 0;
    if (!network || dlviz_network_num_parameters(network) > 4096)
        return 0;
    spare_allocations(true);
    for (int64_t i = 0; i < dlviz_network_num_states(network); i++) {
        dlviz_tensor *copy = NULL;
        if (dlviz_network_get_state(network, dlviz_network_state_name(network, i), &copy) ==
            DLVIZ_OK)
            mark = mark_of(copy, mark);
        dlviz_tensor_destroy(copy);
    }
    spare_allocations(false);
    return mark;
}

void see_network(const dlviz_network *network) {
    int64_t index = an_index();
    const char *name = a_name();
    require(!network == !dlviz_network_summary(network), "a summary");
    see_text(dlviz_network_summary(network));
    for (int64_t i = 0; i < dlviz_network_num_layers(network); i++)
        require(dlviz_network_layer_name(network, i) != NULL, "a layer has a name");
    for (int64_t i = 0; i < dlviz_network_num_states(network); i++)
        require(dlviz_network_state_name(network, i) != NULL, "a state has a name");
    see_text(dlviz_network_layer_name(network, index));
    see_text(dlviz_network_state_name(network, index));
    see_dims(dlviz_network_layer_ndim(network, name), dlviz_network_layer_dims(network, name));
    see_count(dlviz_network_num_parameters(network));
    (void)dlviz_network_is_frozen(network, name);
    see_count(dlviz_network_num_missing(network));
    see_count(dlviz_network_num_unused(network));
    see_text(dlviz_network_missing_name(network, index));
    see_text(dlviz_network_unused_name(network, index));
    see_count(dlviz_network_num_class_names(network));
    see_text(dlviz_network_class_name(network, index));
    float means[2], deviations[2];
    see_count(dlviz_network_normalization(network, 2, means, deviations));
    see_loss(dlviz_network_loss(network));
}

static void make_network(void) {
    int64_t dims[] = {1 + below(3), a_size(), a_size()};
    const dlviz_dataset *dataset = a_dataset();
    const int64_t *shape = dlviz_dataset_dims(dataset);
    int ndim = dlviz_dataset_ndim(dataset);
    if (!shape || one_in(8)) {
        shape = one_in(20) ? NULL : dims;
        ndim = one_in(10) ? (int)an_int() : a_bool() ? 1 : 3;
        if (ndim > 3)
            shape = NULL;
    }
    MAKE(network, dlviz_network_create(out, ndim, shape));
}

static void add_layer(void) {
    dlviz_network *network = a_network();
    int64_t before = dlviz_network_num_layers(network), count = below(4);
    const char *name = a_name(), *inputs[4];
    for (int i = 0; i < 4; i++)
        inputs[i] = a_name();
    bool after_the_last = a_byte() < 160;
    dlviz_layer *layer = take_layer();
    dlviz_status status =
        after_the_last
            ? CALL(dlviz_network_add(network, name, layer))
            : CALL(dlviz_network_add_from(network, name, layer, one_in(20) ? -1 : count, inputs));
    require(dlviz_network_num_layers(network) == before + (status == DLVIZ_OK), "one layer more");
    if (status != DLVIZ_OK)
        return;
    see_layer(layer);
    if (one_in(4)) { /* an owned layer is left alone */
        dlviz_layer_destroy(layer);
        require(CALL(dlviz_network_add(network, "again", layer)) != DLVIZ_OK, "added twice");
    }
}

/* A layer that reads another twice. */
static void add_twice(dlviz_network *network, const char *read, dlviz_layer *layer) {
    (void)CALL(dlviz_network_add_from(network, "g", layer, 2, (const char *[]){read, read}));
}

/* Layers that fit each other, as a rule. */
static void make_sensible_network(void) {
    static const char *const names[] = {"a", "b", "c", "d", "e", "f"};
    const dlviz_dataset *dataset = a_dataset();
    dlviz_network *network = NULL;
    if (!is_small_dataset(dataset) ||
        CALL(dlviz_network_create(&network, dlviz_dataset_ndim(dataset),
                                  dlviz_dataset_dims(dataset))) != DLVIZ_OK)
        return;
    bool images = dlviz_dataset_ndim(dataset) == 3, vectors;
    int64_t count = below(6);
    for (int64_t i = 0; i < count; i++) {
        dlviz_layer *layer = sensible_layer(images, &vectors);
        images = images && !vectors;
        add_to(network, names[i], layer);
        if (i > 0 && one_in(8))
            add_twice(network, names[i], dlviz_add());
    }
    if (images && !one_in(8))
        add_to(network, "flat", dlviz_flatten());
    if (!images || !one_in(4))
        add_to(network, "h", dlviz_linear(1 + below(5)));
    (void)CALL(dlviz_network_build(network, a_seed()));
    keep_network(network);
}

static void use_state(dlviz_network *network) {
    int64_t states = dlviz_network_num_states(network);
    const char *name = states > 0 && !one_in(4)
                           ? dlviz_network_state_name(network, below(1 + states % 16))
                           : a_name();
    const char *pattern = a_pattern();
    dlviz_tensor *copy = NULL;
    uint64_t before;
    switch (below(6)) {
    case 0:
        MAKE(tensor, dlviz_network_get_state(network, name, out));
        break;
    case 1:
        MAKE(tensor, dlviz_network_get_gradient(network, name, out));
        break;
    case 2:
    case 3:
        before = states_of(network);
        spare_allocations(true);
        dlviz_status status = dlviz_network_get_state(network, name, &copy);
        spare_allocations(false);
        borrow(copy);
        const dlviz_tensor *tensor =
            status == DLVIZ_OK ? fitting(dlviz_tensor_dtype(copy), dlviz_tensor_ndim(copy),
                                         dlviz_tensor_dims(copy), FILL_SHARES)
                               : a_tensor();
        if (CALL(dlviz_network_set_state(network, name, tensor)) == DLVIZ_OK)
            require(is_finite_tensor(tensor), "states are finite");
        else
            require(states_of(network) == before, "a state that is refused changes nothing");
        break;
    case 4:
        if (CALL(dlviz_network_freeze(network, pattern)) == DLVIZ_OK && strcmp(pattern, "*") == 0)
            require(states == 0 ||
                        dlviz_network_is_frozen(network, dlviz_network_state_name(network, 0)),
                    "frozen");
        break;
    default:
        (void)CALL(dlviz_network_unfreeze(network, pattern));
    }
}

/* -- Evaluation, which leaves the states as they are -------------------------------------------- */

static void evaluate(dlviz_network *network) {
    const dlviz_dataset *dataset = a_dataset();
    const char *layer = a_name();
    if (!is_small_network(network) || !is_small_dataset(dataset))
        return;
    uint64_t before = states_of(network);
    double loss = 0, metric = 0;
    const dlviz_tensor *inputs;
    dlviz_status status;
    switch (below(8)) {
    case 0:
        MAKE(tensor, dlviz_network_predict(network, dataset, out));
        break;
    case 1:
        MAKE(tensor, dlviz_network_features(network, layer, dataset, out));
        break;
    case 2:
        inputs = inputs_of(network, few_rows());
        MAKE(tensor, dlviz_network_forward(network, inputs, out));
        break;
    case 3:
        inputs = inputs_of(network, few_rows());
        MAKE(tensor, dlviz_network_forward_to(network, layer, inputs, out));
        break;
    case 4:
    case 5:
        (void)CALL(dlviz_network_evaluate(network, dataset, one_in(4) ? NULL : &loss,
                                          one_in(4) ? NULL : &metric));
        break;
    case 6: {
        dlviz_tensor *outputs = NOT_MADE, *features = NOT_MADE;
        status = CALL(
            dlviz_network_inspect(network, dataset, layer, &loss, &metric, &outputs, &features));
        bool made = was_made(status, true, outputs);
        if (made)
            keep_tensor(outputs);
        if (status != DLVIZ_OK)
            require(features == NULL, "a failure gives NULL");
        else if (features)
            keep_tensor(features);
        break;
    }
    default: {
        const char *name =
            a_bool() ? dlviz_loss_metric_name(dlviz_network_loss(network), below(3)) : a_text();
        (void)CALL(dlviz_network_measure(network, dataset, name, &metric));
    }
    }
    if (is_live_network(network))
        require(states_of(network) == before, "evaluation leaves the states as they are");
}

void call_network(void) {
    dlviz_network *network = a_network();
    if (!network && !one_in(8)) {
        if (one_in(3))
            make_network();
        else
            make_a_training();
        return;
    }
    switch (below(14)) {
    case 0:
        make_network();
        break;
    case 1:
    case 2:
        add_layer();
        break;
    case 3:
    case 4:
        make_sensible_network();
        break;
    case 5:
        (void)CALL(dlviz_network_build(network, a_seed()));
        break;
    case 6:
        see_network(network);
        break;
    case 7:
    case 8:
        use_state(network);
        break;
    case 9: {
        const dlviz_dataset *dataset = a_dataset();
        (void)CALL(dlviz_network_describe_data(network, dataset));
        break;
    }
    case 10: {
        dlviz_dataset *dataset = a_dataset();
        (void)CALL(dlviz_network_prepare_data(network, dataset));
        break;
    }
    case 11:
        drop_network();
        break;
    default:
        evaluate(network);
    }
}

/* -- Predictors --------------------------------------------------------------------------------- */

static void predict(dlviz_predictor *predictor) {
    enum { MOST = 4096 };
    static float inputs[MOST], outputs[MOST];
    int64_t in = 1, out = 1, count = 1 + below(5);
    const int64_t *dims = dlviz_predictor_input_dims(predictor);
    for (int d = 0; d < dlviz_predictor_input_ndim(predictor); d++)
        in *= dims[d];
    dims = dlviz_predictor_output_dims(predictor);
    for (int d = 0; d < dlviz_predictor_output_ndim(predictor); d++)
        out *= dims[d];
    if (in * count > MOST || out * count > MOST)
        return;
    (void)CALL(dlviz_predictor_forward_into(predictor, one_in(16) ? -count : count,
                                            one_in(30) ? NULL : inputs,
                                            one_in(30) ? NULL : outputs));
}

void call_predictor(void) {
    dlviz_predictor *predictor = a_predictor();
    dlviz_network *network = a_network();
    const char *layer;
    int64_t count;
    if (!network && !one_in(8)) {
        make_a_training();
        return;
    }
    switch (!predictor && !one_in(8) ? 0 : below(8)) {
    case 0:
    case 1:
        layer = a_bool() ? NULL : a_name();
        if (is_small_network(network))
            MAKE(predictor, dlviz_predictor_create(out, network, layer));
        break;
    case 2:
        MAKE(predictor, dlviz_predictor_share(predictor, out));
        break;
    case 3:
        count = a_bool() ? 1 + below(2) : an_int();
        if (count < 3 || count > 256) {
            if (CALL(dlviz_predictor_set_num_threads(predictor, count)) == DLVIZ_OK)
                require(dlviz_predictor_num_threads(predictor) == count && count >= 0,
                        "a number of threads");
        }
        break;
    case 4:
        count = a_size();
        if (count < 1000 || count > 1 << 30)
            (void)CALL(dlviz_predictor_reserve(predictor, count));
        break;
    case 5:
    case 6:
        predict(predictor);
        break;
    default:
        drop_predictor();
    }
    see_text(dlviz_predictor_layer(predictor = a_predictor()));
    see_dims(dlviz_predictor_input_ndim(predictor), dlviz_predictor_input_dims(predictor));
    see_dims(dlviz_predictor_output_ndim(predictor), dlviz_predictor_output_dims(predictor));
}
