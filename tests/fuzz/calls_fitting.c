/* Tensors that fit what is wanted of them, so that calls get beyond their first checks. */
#include "calls.h"

#include <float.h>
#include <math.h>

enum { MOST_ELEMENTS = 20000, MOST_BORROWED = 64 };

static float hostile_float(int64_t i) {
    static const float values[] = {0,       NAN,     INFINITY, -INFINITY, 1e30f, -1e30f,
                                   FLT_MAX, FLT_MIN, 1e-45f,   -0.0f,     1e18f, 1e19f,
                                   0.5f,    -1,      1e-30f,   16777216,  255,   1e9f};
    return values[i % COUNT(values)];
}

static int64_t hostile_label(int64_t i) {
    static const int64_t values[] = {
        0, 1, 2, -1, -100, 255, INT64_MAX, INT64_MIN, 65535, 65536, (1 << 24) - 1, 1 << 24, 300};
    return values[i % COUNT(values)];
}

static void fill_tensor(dlviz_tensor *tensor, filling fill) {
    uint32_t state = a_byte() * 2654435761u + 1, from = a_byte();
    void *data = dlviz_tensor_data(tensor);
    for (int64_t i = 0; i < dlviz_tensor_num_elements(tensor); i++) {
        state = state * 1664525u + 1013904223u;
        double unit = (state >> 8) / (double)(1 << 24);
        int64_t label = fill == FILL_HOSTILE ? hostile_label(state >> 20)
                                             : (state >> 20) % (fill == FILL_BITS ? 2 : 3);
        float number = fill == FILL_CONSTANT                      ? 0.25f
                       : fill == FILL_SHARES                      ? (float)unit
                       : fill == FILL_LABELS || fill == FILL_BITS ? (float)label
                       : fill == FILL_SMALL || state >> 30
                           ? (float)(2 * unit - 1)
                           : hostile_float(from + (state >> 20) % 3);
        switch (dlviz_tensor_dtype(tensor)) {
        case DLVIZ_FLOAT32:
            ((float *)data)[i] = number;
            break;
        case DLVIZ_UINT8:
            ((uint8_t *)data)[i] =
                fill == FILL_LABELS || fill == FILL_BITS ? (uint8_t)label : (uint8_t)(state >> 24);
            break;
        default:
            ((int64_t *)data)[i] = label;
        }
    }
}

dlviz_tensor *new_tensor(dlviz_dtype dtype, int ndim, const int64_t *dims, filling fill) {
    int64_t count = 1;
    dlviz_tensor *tensor = NULL;
    for (int d = 0; d < ndim; d++) {
        if (dims[d] < 0 || dims[d] > MOST_ELEMENTS || count * dims[d] > MOST_ELEMENTS)
            return NULL;
        count *= dims[d];
    }
    spare_allocations(true);
    if (CALL(dlviz_tensor_create(&tensor, dtype, ndim, dims)) == DLVIZ_OK)
        fill_tensor(tensor, fill);
    spare_allocations(false);
    return tensor;
}

/* -- Borrowed tensors --------------------------------------------------------------------------- */

static dlviz_tensor *borrowed[MOST_BORROWED];
static int count_borrowed;

dlviz_tensor *borrow(dlviz_tensor *tensor) {
    require(count_borrowed < MOST_BORROWED, "room for borrowed tensors");
    if (tensor)
        borrowed[count_borrowed++] = tensor;
    return tensor;
}

int num_borrowed(void) {
    return count_borrowed;
}

void give_back_borrowed(int down_to) {
    while (count_borrowed > down_to)
        dlviz_tensor_destroy(borrowed[--count_borrowed]);
}

const dlviz_tensor *fitting(dlviz_dtype dtype, int ndim, const int64_t *dims, filling fill) {
    uint8_t byte = a_byte();
    if (byte >= 240)
        return a_tensor();
    return borrow(new_tensor(dtype, ndim, dims, byte >= 232 ? FILL_HOSTILE : fill));
}

const dlviz_tensor *floats(int64_t rows, int64_t columns) {
    return fitting(DLVIZ_FLOAT32, 2, (int64_t[]){rows, columns},
                   one_in(16) ? FILL_CONSTANT : FILL_SMALL);
}

const dlviz_tensor *labels_of(int64_t count) {
    return fitting(a_bool() ? DLVIZ_UINT8 : DLVIZ_INT64, 1, &count, FILL_LABELS);
}

int64_t rows_of(const dlviz_tensor *tensor) {
    int64_t rows = dlviz_tensor_dim(tensor, 0);
    return rows < 1 ? 1 : rows;
}

int64_t few_rows(void) {
    return 2 + below(20);
}

/* -- Networks ----------------------------------------------------------------------------------- */

const dlviz_tensor *batch_of(const dlviz_network *network, const char *layer, int64_t count) {
    int64_t dims[DLVIZ_MAX_DIMS] = {count, 1, 1, 1};
    int ndim = dlviz_network_layer_ndim(network, layer);
    for (int d = 0; d < ndim; d++)
        dims[1 + d] = dlviz_network_layer_dims(network, layer)[d];
    return fitting(DLVIZ_FLOAT32, 1 + ndim, dims, FILL_SMALL);
}

const dlviz_tensor *inputs_of(const dlviz_network *network, int64_t count) {
    return batch_of(network, "input", count);
}

const dlviz_tensor *targets_of(const dlviz_network *network, int64_t count) {
    const char *last = dlviz_network_layer_name(network, dlviz_network_num_layers(network) - 1);
    if (a_byte() < 128)
        return labels_of(count);
    return batch_of(network, last ? last : "input", count);
}

bool is_small_network(const dlviz_network *network) {
    enum { MOST_NUMBERS = 20000 };
    const double most_products = 1e6;
    double numbers = 0, pixels = 1;
    for (int64_t i = -1; i < dlviz_network_num_layers(network); i++) {
        const char *layer = i < 0 ? "input" : dlviz_network_layer_name(network, i);
        int ndim = dlviz_network_layer_ndim(network, layer);
        const int64_t *dims = dlviz_network_layer_dims(network, layer);
        double size = 1, image = ndim == 3 ? (double)dims[1] * (double)dims[2] : 1;
        for (int d = 0; d < ndim; d++)
            size *= (double)dims[d];
        numbers += size;
        pixels = image > pixels ? image : pixels;
    }
    return numbers < MOST_NUMBERS &&
           (double)dlviz_network_num_parameters(network) * pixels < most_products;
}

bool is_small_dataset(const dlviz_dataset *dataset) {
    double size = (double)dlviz_dataset_num_samples(dataset);
    for (int d = 0; d < dlviz_dataset_ndim(dataset); d++)
        size *= (double)dlviz_dataset_dims(dataset)[d];
    return size < MOST_ELEMENTS;
}
