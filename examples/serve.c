/* serve.c - a model at work in a program of many threads: each answers one image at a time, all
 * with one set of weights, and nothing is allocated meanwhile. Says how long an answer takes. */
#include <dlviz.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static void fail(const char *why) {
    fprintf(stderr, "serve: %s\n", why);
    exit(EXIT_FAILURE);
}

static void check(dlviz_status status) {
    if (status != DLVIZ_OK)
        fail(dlviz_last_error());
}

typedef struct server {
    pthread_t thread;
    dlviz_predictor *predictor; /* this thread's own */
    const float *images;
    int64_t num_images, size, num_classes;
    float *outputs;      /* for all images, of which it fills its share */
    double *seconds;     /* likewise */
    int64_t first, step; /* its images: first, first + step, ... */
} server;

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void *serve(void *of) {
    server *s = of;
    for (int64_t i = s->first; i < s->num_images; i += s->step) {
        double started = now();
        check(dlviz_predictor_forward_into(s->predictor, 1, s->images + i * s->size,
                                           s->outputs + i * s->num_classes));
        s->seconds[i] = now() - started;
    }
    return NULL;
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv) {
    char *end = "";
    long num_threads = argc == 4 ? strtol(argv[3], &end, 10) : 2;
    if (argc < 3 || argc > 4 || *end || num_threads < 1 || num_threads > 256) {
        fprintf(stderr, "usage: serve MODEL.safetensors IMAGES [THREADS, 1 to 256]\n"
                        "Predicts each image of a file in MNIST's format by itself, from several "
                        "threads.\n");
        return 2;
    }
    dlviz_network *net;
    dlviz_dataset *images;
    dlviz_tensor *inputs;
    dlviz_predictor *predictor;
    check(dlviz_network_open(&net, argv[1]));
    check(dlviz_dataset_read_idx(&images, argv[2], NULL));
    check(dlviz_network_prepare_data(net, images));               /* size and normalization */
    check(dlviz_network_features(net, "input", images, &inputs)); /* as the network sees them */
    check(dlviz_predictor_create(&predictor, net, NULL));
    check(dlviz_predictor_set_num_threads(predictor, 1)); /* of each server */
    dlviz_network_destroy(net), dlviz_dataset_destroy(images);
    if (dlviz_predictor_output_ndim(predictor) != 1)
        fail("the model's output is no vector of classes");

    int64_t n = dlviz_tensor_dims(inputs)[0],
            num_classes = dlviz_predictor_output_dims(predictor)[0];
    float *outputs = malloc((size_t)(n * num_classes) * sizeof *outputs);
    double *seconds = malloc((size_t)n * sizeof *seconds);
    server *servers = calloc((size_t)num_threads, sizeof *servers);
    if (!outputs || !seconds || !servers)
        fail("out of memory");
    for (int i = 0; i < num_threads; i++) {
        servers[i] = (server){.images = dlviz_tensor_const_data(inputs),
                              .num_images = n,
                              .size = dlviz_tensor_dims(inputs)[1],
                              .num_classes = num_classes,
                              .outputs = outputs,
                              .seconds = seconds,
                              .first = i,
                              .step = num_threads};
        check(dlviz_predictor_share(predictor, &servers[i].predictor));
        check(dlviz_predictor_reserve(servers[i].predictor, 1));
    }
    double started = now();
    for (int i = 0; i < num_threads; i++)
        if (pthread_create(&servers[i].thread, NULL, serve, &servers[i]) != 0)
            fail("a thread could not be started");
    for (int i = 0; i < num_threads; i++) {
        pthread_join(servers[i].thread, NULL);
        dlviz_predictor_destroy(servers[i].predictor);
    }
    double took = now() - started;
    qsort(seconds, (size_t)n, sizeof *seconds, compare);
    printf("%lld images, threads: %ld, %.0f images a second\n", (long long)n, num_threads,
           (double)n / took);
    printf("an answer takes %.0f microseconds (median), %.0f (99 of 100)\n", 1e6 * seconds[n / 2],
           1e6 * seconds[n * 99 / 100]);
    free(outputs), free(seconds), free(servers);
    dlviz_predictor_destroy(predictor), dlviz_tensor_destroy(inputs);
    if (fflush(stdout) != 0 || ferror(stdout))
        return fprintf(stderr, "cannot write to standard output\n"), EXIT_FAILURE;
}
