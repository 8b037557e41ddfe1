/* Images a second of the networks of ten_networks.c, in training or inference, on a batch that lies ready.
 *
 *     bench_networks --network NAME [--batch N] [--threads T] [--seconds S] [--inference] [--profile]
 *     bench_networks --network NAME [--save FILE] [--export-onnx FILE] [--inputs FILE --outputs FILE]
 *
 * A step of training is forward pass, loss, backward pass and Adam's step; one of inference gives a
 * predictor's outputs for the batch. With --serve each line of standard input is a number of seconds: for so
 * long steps are made, and a line of JSON says how fast they were. --profile gives of each operation and of
 * the whole step the shortest time, and of an inference of more than 64 images one part of 64 or fewer.
 * compare_networks.py sets it beside others. */
#include "profile.h"
#include "support/ten_networks.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Labels change from step to step, so that gradients never vanish. */
enum { TARGETS = 16 };

typedef struct options {
    const ten_network *which;
    int64_t batch;
    int threads;
    double seconds;
    int64_t steps; /* or 0: as many as the seconds hold */
    bool inference, profile, serve;
    const char *save, *onnx, *inputs, *outputs;
} options;

typedef struct bench {
    options set;
    dlviz_network *network;
    dlviz_optimizer *adam;
    dlviz_predictor *predictor; /* of inference; then without network, unless profiled */
    float *outputs;
    dlviz_tensor *inputs, *targets[TARGETS];
    uint64_t step;
    double *times; /* of the steps of one measurement */
    int64_t capacity;
    struct {
        dlz_plan *plan;                    /* or NULL: no profile is wanted */
        double (*seen)[2], (*shortest)[2]; /* of each operation: before this step; of all steps */
        double optimizer, shortest_optimizer;
    } profile;
} bench;

static void die(void) {
    fprintf(stderr, "bench_networks: %s\n", dlviz_last_error());
    exit(1);
}

static void check(dlviz_status status) {
    if (status != DLVIZ_OK)
        die();
}

/* -- Arguments -----------------------------------------------------------------------------------
 */

static int64_t whole(const char *text, const char *option) {
    char *end;
    long long value = strtoll(text, &end, 10);
    if (*end || end == text || value < 1) {
        fprintf(stderr, "bench_networks: --%s %s: a whole number above 0 is accepted\n", option,
                text);
        exit(2);
    }
    return value;
}

static double positive(const char *text, const char *option) {
    char *end;
    double value = strtod(text, &end);
    if (*end || end == text || !(value > 0)) {
        fprintf(stderr, "bench_networks: --%s %s: a number above 0 is accepted\n", option, text);
        exit(2);
    }
    return value;
}

static const ten_network *named(const char *text) {
    const ten_network *found = ten_networks_find(text);
    if (!found) {
        fprintf(stderr, "bench_networks: --network %s: --list prints those there are\n", text);
        exit(2);
    }
    return found;
}

/* One a line: name, dimensions, the least batch in training, title. */
static void list(void) {
    for (int i = 0; i < ten_networks_count; i++) {
        const ten_network *net = &ten_networks[i];
        printf("%s\t", net->name);
        for (int d = 0; d < net->ndim; d++)
            printf("%s%lld", d ? "x" : "", (long long)net->dims[d]);
        printf("\t%lld\t%s\n", (long long)net->least_batch, net->title);
    }
    exit(0);
}

static void usage(void) {
    puts("usage: bench_networks --network NAME [--batch N] [--threads T] [--seconds S] "
         "[--steps N]\n"
         "                      [--inference] [--profile] [--serve] [--save FILE] [--export-onnx "
         "FILE]\n"
         "                      [--inputs FILE --outputs FILE] [--list]");
    exit(0);
}

static options parse(int argc, char **argv) {
    static const struct option long_options[] = {{"network", required_argument, NULL, 'n'},
                                                 {"batch", required_argument, NULL, 'b'},
                                                 {"threads", required_argument, NULL, 't'},
                                                 {"seconds", required_argument, NULL, 's'},
                                                 {"steps", required_argument, NULL, 'c'},
                                                 {"inference", no_argument, NULL, 'f'},
                                                 {"profile", no_argument, NULL, 'p'},
                                                 {"serve", no_argument, NULL, 'r'},
                                                 {"save", required_argument, NULL, 'w'},
                                                 {"export-onnx", required_argument, NULL, 'x'},
                                                 {"inputs", required_argument, NULL, 'i'},
                                                 {"outputs", required_argument, NULL, 'o'},
                                                 {"list", no_argument, NULL, 'l'},
                                                 {"help", no_argument, NULL, 'h'},
                                                 {NULL, 0, NULL, 0}};
    options set = {.batch = 64, .seconds = 1};
    for (int c; (c = getopt_long(argc, argv, "", long_options, NULL)) != -1;)
        switch (c) {
        case 'n':
            set.which = named(optarg);
            break;
        case 'b':
            set.batch = whole(optarg, "batch");
            break;
        case 't':
            set.threads = (int)whole(optarg, "threads");
            break;
        case 's':
            set.seconds = positive(optarg, "seconds");
            break;
        case 'c':
            set.steps = whole(optarg, "steps");
            break;
        case 'f':
            set.inference = true;
            break;
        case 'p':
            set.profile = true;
            break;
        case 'r':
            set.serve = true;
            break;
        case 'w':
            set.save = optarg;
            break;
        case 'x':
            set.onnx = optarg;
            break;
        case 'i':
            set.inputs = optarg;
            break;
        case 'o':
            set.outputs = optarg;
            break;
        case 'l':
            list();
            break;
        case 'h':
            usage();
            break;
        default:
            exit(2);
        }
    if (!set.which || !set.inputs != !set.outputs) {
        fprintf(stderr, "bench_networks: --network is needed, and --inputs with --outputs\n");
        exit(2);
    }
    return set;
}

/* -- Data ----------------------------------------------------------------------------------------
 */

/* Uniform in [0, 1), as the autoencoder's outputs are. */
static double uniform(uint64_t *state) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(*state >> 40) / (1 << 24);
}

static void make_data(bench *b) {
    const ten_network *which = b->set.which;
    int64_t dims[4] = {b->set.batch}, n = b->set.batch;
    memcpy(dims + 1, which->dims, (size_t)which->ndim * sizeof *dims);
    check(dlviz_tensor_create(&b->inputs, DLVIZ_FLOAT32, which->ndim + 1, dims));
    uint64_t state = 1;
    float *values = dlviz_tensor_float(b->inputs);
    for (int64_t i = 0; i < dlviz_tensor_num_elements(b->inputs); i++)
        values[i] = (float)uniform(&state);
    for (int t = 0; t < TARGETS && !b->set.inference; t++) {
        if (which->reconstructs) {
            check(dlviz_tensor_reshape(b->inputs, which->ndim + 1, dims, &b->targets[t]));
            continue;
        }
        check(dlviz_tensor_create(&b->targets[t], DLVIZ_INT64, 1, &n));
        int64_t *labels = dlviz_tensor_data(b->targets[t]);
        for (int64_t i = 0; i < n; i++)
            labels[i] = (int64_t)(10 * uniform(&state));
    }
}

/* -- Steps ---------------------------------------------------------------------------------------
 */

static void make_predictor(bench *b) {
    check(dlviz_predictor_create(&b->predictor, b->network, NULL));
    dlviz_network_destroy(b->network);
    b->network = NULL;
    check(dlviz_predictor_reserve(b->predictor, b->set.batch));
    int64_t size = b->set.batch;
    for (int i = 0; i < dlviz_predictor_output_ndim(b->predictor); i++)
        size *= dlviz_predictor_output_dims(b->predictor)[i];
    b->outputs = malloc((size_t)size * sizeof *b->outputs);
    if (!b->outputs)
        exit(1);
}

static void infer(bench *b) {
    if (b->predictor) {
        check(dlviz_predictor_forward_into(b->predictor, b->set.batch,
                                           dlviz_tensor_const_float(b->inputs), b->outputs));
        return;
    }
    dlviz_tensor *outputs;
    check(dlviz_network_forward(b->network, b->inputs, &outputs));
    dlviz_tensor_destroy(outputs);
}

static void train(bench *b) {
    check(dlviz_network_backward(b->network, b->inputs, b->targets[b->step % TARGETS], 1, b->step,
                                 NULL));
    double before = profile_now();
    check(dlviz_optimizer_step(b->adam, b->network));
    b->profile.optimizer = profile_now() - before;
    b->step++;
}

static void step(bench *b) {
    if (b->set.inference)
        infer(b);
    else
        train(b);
}

/* Of each operation the shortest time of all steps: other programs may hold up any of them. */
static void note_operations(bench *b) {
    for (int i = 0; i < dlz_plan_num_ops(b->profile.plan); i++)
        for (int way = 0; way < 2; way++) {
            double total = dlz_plan_seconds(b->profile.plan, i)[way];
            double spent = total - b->profile.seen[i][way], *best = &b->profile.shortest[i][way];
            *best = spent < *best ? spent : *best;
            b->profile.seen[i][way] = total;
        }
    if (b->profile.optimizer < b->profile.shortest_optimizer)
        b->profile.shortest_optimizer = b->profile.optimizer;
}

static void start_profile(bench *b) {
    dlz_plan *plan = b->network->plans.kept[0];
    check(dlz_plan_profile(plan));
    size_t ops = (size_t)dlz_plan_num_ops(plan);
    b->profile.seen = calloc(ops, sizeof *b->profile.seen);
    b->profile.shortest = calloc(ops, sizeof *b->profile.shortest);
    if (!b->profile.seen || !b->profile.shortest)
        exit(1);
    for (size_t i = 0; i < ops; i++)
        b->profile.shortest[i][0] = b->profile.shortest[i][1] = 1e30;
    b->profile.shortest_optimizer = b->set.inference ? 0 : 1e30;
    b->profile.plan = plan;
}

static double processor_seconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void note(bench *b, int64_t index, double seconds) {
    if (index == b->capacity) {
        b->capacity = 2 * b->capacity + 1000;
        b->times = realloc(b->times, (size_t)b->capacity * sizeof *b->times);
        if (!b->times)
            exit(1);
    }
    b->times[index] = seconds;
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

typedef struct result {
    int64_t steps;
    double seconds, processor, median, shortest; /* the last two of a step */
} result;

static result measure(bench *b, double seconds) {
    result found = {0};
    double started = profile_now(), processor = processor_seconds(), last = started;
    while (b->set.steps ? found.steps < b->set.steps
                        : found.steps == 0 || last < started + seconds) {
        step(b);
        if (b->profile.plan)
            note_operations(b);
        double at = profile_now();
        note(b, found.steps++, at - last);
        last = at;
    }
    found.seconds = last - started;
    found.processor = processor_seconds() - processor;
    qsort(b->times, (size_t)found.steps, sizeof *b->times, compare);
    found.median = b->times[found.steps / 2];
    found.shortest = b->times[0];
    return found;
}

/* Of the program alone: getrusage would give that of who started it where that is larger. */
static double peak_megabytes(void) {
    FILE *status = fopen("/proc/self/status", "r");
    char line[128];
    double kilobytes = 0;
    while (status && fgets(line, sizeof line, status))
        if (sscanf(line, "VmHWM: %lf", &kilobytes) == 1)
            break;
    if (status)
        fclose(status);
    return kilobytes / 1024;
}

/* -- What it does --------------------------------------------------------------------------------
 */

static void serve(bench *b) {
    char line[64];
    while (fgets(line, sizeof line, stdin)) {
        result r = measure(b, strtod(line, NULL));
        printf("{\"steps\": %lld, \"seconds\": %.9f, \"processor\": %.9f, \"median\": %.9f, "
               "\"shortest\": %.9f, \"peak\": %.1f}\n",
               (long long)r.steps, r.seconds, r.processor, r.median, r.shortest, peak_megabytes());
        fflush(stdout);
    }
}

static void report(bench *b) {
    if (b->set.profile)
        start_profile(b);
    result r = measure(b, b->set.seconds);
    double images = (double)(r.steps * b->set.batch);
    if (b->set.profile)
        profile_print(b->network, b->profile.plan, !b->set.inference, b->profile.shortest,
                      r.shortest, b->profile.shortest_optimizer);
    printf("threads: %lld  isa: %s  blas: %s\n", (long long)dlviz_num_threads(), dlviz_isa(),
           dlviz_blas());
    printf("images_per_second: %.1f\n", images / r.seconds);
    printf("images_per_processor_second: %.1f\n", images / r.processor);
    printf("step_ms_median: %.4f\n", 1e3 * r.median);
    printf("step_ms_shortest: %.4f\n", 1e3 * r.shortest);
    if (b->set.profile)
        printf("effective_gflops: %.1f\n",
               profile_flops(b->network, b->profile.plan, !b->set.inference) * images / r.seconds *
                   1e-9);
    printf("peak_rss_mb: %.1f\n", peak_megabytes());
}

static void time_steps(bench *b) {
    make_data(b);
    if (b->set.inference && !b->set.profile)
        make_predictor(b);
    for (int i = 0; i < 2; i++) /* memory is touched and threads are started */
        step(b);
    if (b->set.serve)
        serve(b);
    else
        report(b);
}

/* The network after a few steps, so that no parameter and no statistic is what it started as. */
static void write_files(bench *b) {
    b->set.batch = 16;
    b->set.inference = false;
    make_data(b);
    for (int i = 0; i < 3; i++)
        train(b);
    if (b->set.save)
        check(dlviz_network_save(b->network, b->set.save));
    if (b->set.onnx)
        check(dlviz_network_export_onnx(b->network, b->set.onnx));
    if (!b->set.inputs)
        return;
    dlviz_tensor *inputs, *outputs;
    check(dlviz_tensor_read_npy(&inputs, b->set.inputs));
    check(dlviz_network_forward(b->network, inputs, &outputs));
    check(dlviz_tensor_write_npy(outputs, b->set.outputs));
    dlviz_tensor_destroy(inputs);
    dlviz_tensor_destroy(outputs);
}

int main(int argc, char **argv) {
    bench b = {.set = parse(argc, argv)};
    if (b.set.threads)
        check(dlviz_set_num_threads(b.set.threads));
    bool files = b.set.save || b.set.onnx || b.set.inputs;
    check(ten_networks_create(b.set.which, &b.network));
    check(dlviz_adam_create(&b.adam, files ? 1e-2 : 1e-4));
    if (files)
        write_files(&b);
    else
        time_steps(&b);
    for (int t = 0; t < TARGETS; t++)
        dlviz_tensor_destroy(b.targets[t]);
    dlviz_tensor_destroy(b.inputs);
    dlviz_optimizer_destroy(b.adam);
    dlviz_network_destroy(b.network);
    dlviz_predictor_destroy(b.predictor);
    free(b.outputs);
    free(b.times);
    free(b.profile.seen);
    free(b.profile.shortest);
    return 0;
}
