/* Calls of dlviz/network.h that compute gradients, and of attribution.h. */
#include "calls.h"

#include <math.h>

static void backward(dlviz_network *network) {
    int64_t count = few_rows();
    const dlviz_tensor *inputs = inputs_of(network, count), *targets = targets_of(network, count);
    double loss = 0;
    dlviz_status status;
    if (a_bool()) {
        const dlviz_tensor *weights =
            one_in(4) ? NULL : fitting(DLVIZ_FLOAT32, 1, &count, FILL_SHARES);
        status = CALL(dlviz_network_backward_weighted(network, inputs, targets, weights, a_seed(),
                                                      a_seed(), &loss));
    } else {
        status = CALL(dlviz_network_backward(network, inputs, targets, a_seed(), a_seed(),
                                             one_in(4) ? NULL : &loss));
    }
    require(status != DLVIZ_OK || isfinite(loss), "a loss is finite");
}

static void from_a_layer(dlviz_network *network) {
    const char *layer = a_name();
    int64_t count = few_rows();
    const dlviz_tensor *inputs = inputs_of(network, count),
                       *gradient = batch_of(network, layer, count);
    uint64_t before = states_of(network);
    if (a_bool()) {
        MAKE(tensor, dlviz_network_input_gradient(network, layer, inputs, gradient, out));
        require(!is_live_network(network) || states_of(network) == before,
                "states stay as they are");
        return;
    }
    dlviz_tensor *made = NOT_MADE;
    bool wanted = a_bool();
    dlviz_status status = CALL(dlviz_network_backward_from(
        network, layer, inputs, gradient, a_seed(), a_seed(), wanted ? &made : NULL));
    if (wanted && was_made(status, true, made))
        keep_tensor(made);
}

static void clip(dlviz_network *network) {
    double largest = a_number(), norm = 0;
    dlviz_status status =
        a_bool() ? CALL(dlviz_network_clip_gradient_norm(network, largest, a_bool() ? &norm : NULL))
                 : CALL(dlviz_network_clip_gradient_value(network, largest));
    require(status != DLVIZ_OK || (largest > 0 && norm >= 0), "a limit is above 0");
}

static void attribute(dlviz_network *network) {
    int64_t count = 1 + below(4), steps = one_in(8) ? an_int() : 1 + below(5);
    const dlviz_tensor *inputs = inputs_of(network, count);
    const dlviz_tensor *targets = a_bool() ? NULL : labels_of(count);
    const dlviz_tensor *baselines = a_bool() ? NULL : inputs_of(network, count);
    const char *layer = a_name();
    uint64_t before = states_of(network);
    dlviz_tensor *maps = NOT_MADE, *gaps = NOT_MADE;
    dlviz_status status;
    steps = steps >= 1000 && steps <= 1001 ? 1001 : steps; /* not that many */
    switch (below(4)) {
    case 0:
        status = CALL(dlviz_network_saliency(network, inputs, targets, &maps));
        break;
    case 1: {
        bool wanted = a_bool();
        status = CALL(dlviz_network_integrated_gradients(network, inputs, baselines, targets,
                                                         steps > 8 && steps < 1001 ? 8 : steps,
                                                         &maps, wanted ? &gaps : NULL));
        if (wanted && was_made(status, true, gaps))
            keep_tensor(gaps);
        break;
    }
    case 2:
        status = CALL(dlviz_network_grad_cam(network, layer, inputs, targets, &maps));
        break;
    default: {
        const dlviz_dataset *dataset = a_dataset();
        if (!is_small_dataset(dataset))
            return;
        int64_t points[4] = {below(4), below(8), an_index(), 0};
        const dlviz_tensor *map = floats(rows_of(dlviz_dataset_labels(dataset)), 2);
        int64_t neighbors = a_size();
        status = CALL(dlviz_network_neighborhood(network, layer, dataset, map, below(5), points,
                                                 one_in(2) ? NULL : baselines, neighbors,
                                                 steps > 8 && steps < 1001 ? 8 : steps, &maps));
    }
    }
    if (was_made(status, true, maps)) {
        require(is_finite_tensor(maps), "maps are finite");
        keep_tensor(maps);
    }
    require(!is_live_network(network) || states_of(network) == before, "states stay as they are");
}

void call_gradients(void) {
    dlviz_network *network = a_network();
    if (!network && !one_in(8))
        make_a_training();
    if (!is_small_network(network))
        return;
    switch (below(8)) {
    case 0:
    case 1:
    case 2:
        backward(network);
        break;
    case 3:
        from_a_layer(network);
        break;
    case 4:
        clip(network);
        break;
    default:
        attribute(network);
    }
}
