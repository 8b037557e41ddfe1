/* regression.c - learns a function of five numbers from noisy examples of it. */
#include <dlviz.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static void check(dlviz_status status) {
    if (status != DLVIZ_OK) {
        fprintf(stderr, "%s\n", dlviz_last_error());
        exit(EXIT_FAILURE);
    }
}

static double uniform(void) { /* 0 to 1 */
    static unsigned long long state = 1;
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (double)(state >> 11) * 0x1p-53;
}

/* J. Friedman, "Multivariate adaptive regression splines", 1991. */
static double truth(const float *x) {
    return 10 * sin(3.14159265 * x[0] * x[1]) + 20 * (x[2] - 0.5) * (x[2] - 0.5) + 10 * x[3] +
           5 * x[4];
}

static dlviz_dataset *examples(int64_t n, double noise) {
    dlviz_tensor *samples, *targets;
    dlviz_dataset *set;
    check(dlviz_tensor_create(&samples, DLVIZ_FLOAT32, 2, (int64_t[]){n, 5}));
    check(dlviz_tensor_create(&targets, DLVIZ_FLOAT32, 2, (int64_t[]){n, 1}));
    float *x = dlviz_tensor_float(samples), *y = dlviz_tensor_float(targets);
    for (int64_t i = 0; i < n; i++) {
        for (int j = 0; j < 5; j++)
            x[5 * i + j] = (float)uniform();
        double normal = sqrt(-2 * log(1 - uniform())) * cos(6.28318531 * uniform());
        y[i] = (float)(truth(x + 5 * i) + noise * normal);
    }
    check(dlviz_dataset_create(&set, samples, targets)); /* shares both */
    dlviz_tensor_destroy(samples), dlviz_tensor_destroy(targets);
    return set;
}

int main(void) {
    dlviz_dataset *train = examples(5000, 1), *test = examples(2000, 0);
    dlviz_network *net;
    check(dlviz_network_create(&net, 1, dlviz_dataset_dims(train)));
    dlviz_network_add(net, "hidden1", dlviz_linear(64));
    dlviz_network_add(net, "silu1", dlviz_silu());
    dlviz_network_add(net, "hidden2", dlviz_linear(64));
    dlviz_network_add(net, "silu2", dlviz_silu());
    dlviz_network_add(net, "out", dlviz_linear(1));
    check(dlviz_network_set_loss(net, dlviz_huber(1)));
    check(dlviz_network_build(net, 1)); /* the first error of all of the above */

    dlviz_optimizer *adam;
    dlviz_trainer *trainer;
    check(dlviz_adam_create(&adam, 3e-3));
    check(dlviz_trainer_create(&trainer, net, adam));
    check(dlviz_trainer_set_validation(trainer, test));
    check(dlviz_trainer_fit(trainer, train, 40));
    for (int64_t epoch = 0; epoch < dlviz_trainer_num_epochs(trainer); epoch += 10)
        printf("epoch %2lld: R2 %.4f\n", (long long)epoch + 1,
               dlviz_trainer_history(trainer, epoch, "validation_r2"));
    int64_t last = dlviz_trainer_num_epochs(trainer) - 1;
    printf("without noise: R2 %.4f, mean absolute error %.3f (the noise had a deviation of 1)\n",
           dlviz_trainer_history(trainer, last, "validation_r2"),
           dlviz_trainer_history(trainer, last, "validation_mae"));

    dlviz_trainer_destroy(trainer), dlviz_optimizer_destroy(adam), dlviz_network_destroy(net);
    dlviz_dataset_destroy(train), dlviz_dataset_destroy(test);
    if (fflush(stdout) != 0 || ferror(stdout))
        return fprintf(stderr, "cannot write to standard output\n"), EXIT_FAILURE;
    return 0;
}
