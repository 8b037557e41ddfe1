/* saliency.c - what a network looked at: trains on MNIST, then draws which pixels spoke for what it
 * made of some test images, in three ways. */
#include <dlviz.h>
#include <stdio.h>
#include <stdlib.h>

static void check(dlviz_status status) {
    if (status != DLVIZ_OK) {
        fprintf(stderr, "%s\n", dlviz_last_error());
        exit(EXIT_FAILURE);
    }
}

static void add_block(dlviz_network *net, const char *conv, const char *bn, const char *relu) {
    dlviz_network_add(net, conv, dlviz_conv2d(32, 3, DLVIZ_PAD_SAME));
    dlviz_network_add(net, bn, dlviz_batchnorm());
    dlviz_network_add(net, relu, dlviz_relu());
}

static dlviz_network *trained(const dlviz_dataset *train) {
    dlviz_network *net;
    dlviz_optimizer *adam;
    dlviz_trainer *trainer;
    check(dlviz_network_create(&net, 3, dlviz_dataset_dims(train)));
    add_block(net, "conv1", "bn1", "relu1");
    dlviz_network_add(net, "pool", dlviz_maxpool2d(2));
    add_block(net, "conv2", "bn2", "relu2");
    add_block(net, "conv3", "bn3", "relu3");
    dlviz_network_add(net, "mean", dlviz_global_avgpool2d());
    dlviz_network_add(net, "fc", dlviz_linear(10));
    check(dlviz_network_build(net, 1));
    check(dlviz_adam_create(&adam, 3e-3));
    check(dlviz_trainer_create(&trainer, net, adam));
    check(dlviz_trainer_fit(trainer, train, 1));
    dlviz_trainer_destroy(trainer), dlviz_optimizer_destroy(adam);
    return net;
}

int main(int argc, char **argv) {
    const char *folder = argc > 1 ? argv[1] : "."; /* with MNIST's four files */
    int64_t images = argc > 2 ? atoll(argv[2]) : 20000, shown = 12;
    dlviz_dataset *all, *train, *test;
    check(dlviz_dataset_read_mnist(&all, folder, DLVIZ_DATASET_PART_TRAIN));
    check(dlviz_dataset_read_mnist(&test, folder, DLVIZ_DATASET_PART_TEST));
    check(dlviz_dataset_take(all, 0, images, &train));
    dlviz_network *net = trained(train);
    dlviz_tensor *x, *outputs, *predicted, *saliency, *shares, *gaps, *cam;
    check(dlviz_dataset_samples(test, 0, shown, &x));
    check(dlviz_network_forward(net, x, &outputs));
    check(dlviz_tensor_argmax(outputs, &predicted));
    check(dlviz_network_saliency(net, x, NULL, &saliency));
    check(dlviz_network_integrated_gradients(net, x, NULL, NULL, 50, &shares, &gaps));
    check(dlviz_network_grad_cam(net, "relu3", x, NULL, &cam));
    char captions[12][40];
    const char *caption[12];
    const int64_t *labels = dlviz_tensor_const_data(dlviz_dataset_labels(test));
    for (int64_t i = 0; i < shown; i++) {
        int best = (int)((const int64_t *)dlviz_tensor_const_data(predicted))[i];
        double output = (double)dlviz_tensor_const_float(outputs)[10 * i + best];
        snprintf(captions[i], sizeof *captions, "%d, predicted %d", (int)labels[i], best);
        caption[i] = captions[i];
        printf("%s: what the pixels share out is off by %.2g of %.3g\n", caption[i],
               dlviz_tensor_const_float(gaps)[i], output);
    }
    dlviz_figure *figure;
    check(dlviz_figure_create_images(&figure, x));
    check(dlviz_figure_set_title(figure, "Red speaks for the prediction, blue against"));
    check(dlviz_figure_set_captions(figure, shown, caption));
    check(dlviz_figure_add_heat_maps(figure, "saliency", saliency));
    check(dlviz_figure_add_heat_maps(figure, "integrated gradients", shares));
    check(dlviz_figure_add_heat_maps(figure, "Grad-CAM", cam));
    check(dlviz_figure_write(figure, "saliency.png"));
    dlviz_figure_destroy(figure), dlviz_tensor_destroy(x), dlviz_tensor_destroy(outputs);
    dlviz_tensor_destroy(predicted);
    dlviz_tensor_destroy(saliency), dlviz_tensor_destroy(shares), dlviz_tensor_destroy(gaps);
    dlviz_tensor_destroy(cam), dlviz_network_destroy(net), dlviz_dataset_destroy(all);
    dlviz_dataset_destroy(train), dlviz_dataset_destroy(test);
    if (fflush(stdout) != 0 || ferror(stdout))
        return fprintf(stderr, "cannot write to standard output\n"), EXIT_FAILURE;
}
