/* predict.c - another program uses a model: it opens the file that a report has written, which says all
 * there is to know, and predicts the images of an IDX file. */
#include <dlviz.h>
#include <stdio.h>
#include <stdlib.h>

static void fail(const char *why) {
    fprintf(stderr, "predict: %s\n", why);
    exit(EXIT_FAILURE);
}

static void check(dlviz_status status) {
    if (status != DLVIZ_OK)
        fail(dlviz_last_error());
}

int main(int argc, char **argv) {
    if (argc != 3) {
        fprintf(stderr, "usage: predict MODEL.safetensors IMAGES.idx[.gz]\n");
        return 2;
    }
    dlviz_network *net;
    dlviz_dataset *images;
    dlviz_tensor *logits, *classes;
    check(dlviz_network_open(&net, argv[1]));
    const char *last = dlviz_network_layer_name(net, dlviz_network_num_layers(net) - 1);
    if (dlviz_network_layer_ndim(net, last) != 1 || dlviz_network_layer_dims(net, last)[0] < 2)
        fail("the model's output is no vector of classes");
    check(dlviz_dataset_read_idx(&images, argv[2], NULL));
    check(dlviz_network_prepare_data(net, images)); /* size and normalization as in training */
    check(dlviz_network_predict(net, images, &logits));
    check(dlviz_tensor_argmax(logits, &classes));

    const int64_t *labels = dlviz_tensor_const_data(classes);
    for (int64_t i = 0; i < dlviz_dataset_num_samples(images); i++) {
        const char *name = dlviz_network_class_name(net, labels[i]);
        char shown[200]; /* a name may come from anybody */
        name ? printf("%s\n", dlviz_printable(shown, sizeof shown, name))
             : printf("%lld\n", (long long)labels[i]);
    }
    dlviz_tensor_destroy(logits), dlviz_tensor_destroy(classes), dlviz_dataset_destroy(images);
    dlviz_network_destroy(net);
    if (fflush(stdout) != 0 || ferror(stdout))
        return fprintf(stderr, "cannot write to standard output\n"), EXIT_FAILURE;
}
