/* export_onnx.c - a saved network as an ONNX model, which other programs run; in Python, say:
 *
 *     session = onnxruntime.InferenceSession("model.onnx")
 *     outputs = session.run(None, {"input": images})[0]
 *
 * export_onnx [MODEL.safetensors [MODEL.onnx]]; without a model, trains a small one first. */
#include <dlviz.h>
#include <stdio.h>
#include <stdlib.h>

static void check(dlviz_status status) {
    if (status != DLVIZ_OK) {
        fprintf(stderr, "%s\n", dlviz_last_error());
        exit(EXIT_FAILURE);
    }
}

static float noise(void) { /* 0 to 1 */
    static unsigned state = 1;
    state = state * 1664525 + 1013904223;
    return (float)(state >> 8) * 0x1p-24f;
}

/* Learns to tell bars that stand from bars that lie, in noise, and saves what it has learned. */
static void train(const char *path) {
    dlviz_tensor *images, *labels;
    dlviz_dataset *bars;
    check(dlviz_tensor_create(&images, DLVIZ_FLOAT32, 4, (int64_t[]){1000, 1, 8, 8}));
    check(dlviz_tensor_create(&labels, DLVIZ_INT64, 1, (int64_t[]){1000}));
    float *image = dlviz_tensor_float(images);
    int64_t *lies = dlviz_tensor_data(labels);
    for (int64_t i = 0; i < 1000; i++, image += 64) {
        lies[i] = i % 2;
        for (int64_t pixel = 0; pixel < 64; pixel++)
            image[pixel] = noise() + ((lies[i] ? pixel / 8 : pixel % 8) == i / 2 % 8 ? 1 : 0);
    }
    check(dlviz_dataset_create(&bars, images, labels)); /* shares both */
    dlviz_network *net;
    check(dlviz_network_create(&net, 3, dlviz_dataset_dims(bars)));
    dlviz_network_add(net, "conv", dlviz_conv2d(8, 5, DLVIZ_PAD_SAME));
    dlviz_network_add(net, "bn", dlviz_batchnorm());
    dlviz_network_add(net, "relu", dlviz_relu());
    dlviz_network_add(net, "pool", dlviz_global_avgpool2d());
    dlviz_network_add(net, "fc", dlviz_linear(2));
    check(dlviz_network_build(net, 1)); /* the first error of all of the above */
    dlviz_optimizer *adam;
    dlviz_trainer *trainer;
    double accuracy;
    check(dlviz_adam_create(&adam, 1e-2));
    check(dlviz_trainer_create(&trainer, net, adam));
    check(dlviz_trainer_fit(trainer, bars, 8));
    check(dlviz_network_evaluate(net, bars, NULL, &accuracy));
    printf("bars told: %.1f %%\n", 100 * accuracy);
    check(dlviz_network_save(net, path));
    dlviz_trainer_destroy(trainer), dlviz_optimizer_destroy(adam), dlviz_network_destroy(net);
    dlviz_dataset_destroy(bars), dlviz_tensor_destroy(images), dlviz_tensor_destroy(labels);
}

static void print_value(const dlviz_network *net, const char *what, const char *name) {
    char shown[200]; /* a name may come from anybody */
    printf("%s \"%s\": n", what, dlviz_printable(shown, sizeof shown, name));
    for (int i = 0; i < dlviz_network_layer_ndim(net, name); i++)
        printf(" x %lld", (long long)dlviz_network_layer_dims(net, name)[i]);
    printf("\n");
}

int main(int argc, char **argv) {
    const char *model = argc > 1 ? argv[1] : "bars.safetensors";
    const char *onnx = argc > 2 ? argv[2] : "model.onnx";
    if (argc == 1)
        train(model);
    dlviz_network *net;
    check(dlviz_network_open(&net, model)); /* the file says what network it is of */
    check(dlviz_network_export_onnx(net, onnx));
    print_value(net, "takes", "input");
    print_value(net, "gives", dlviz_network_layer_name(net, dlviz_network_num_layers(net) - 1));
    dlviz_network_destroy(net);
    if (fflush(stdout) != 0 || ferror(stdout))
        return fprintf(stderr, "cannot write to standard output\n"), EXIT_FAILURE;
    return 0;
}
