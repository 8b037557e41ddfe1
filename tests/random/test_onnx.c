/* Layers with random settings as ONNX models, computed in double precision from what is in the model. */
#include "support/onnx_compare.h"
#include "support/onnx_layers.h"
#include "support/random_cases.h"

#include <stdio.h>

static void compare_layer(uint64_t seed) {
    double worst;
    dlviz_network *network = onnx_random_layer(seed);
    dlviz_tensor *inputs = onnx_inputs(network, 1 + (int64_t)(seed % 4), false);
    int far = onnx_compare("seed", network, inputs, &worst);
    if (far > 0)
        printf("%s", dlviz_network_summary(network));
    ck_assert_int_eq(far, 0);
    dlviz_tensor_destroy(inputs);
    dlviz_network_destroy(network);
}

int main(void) {
    const random_test tests[] = {{"onnx_layers", compare_layer, 400}, {NULL, NULL, 0}};
    return run_random_tests("ONNX models of random layers", tests);
}
