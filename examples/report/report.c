#include "report.h"
#include "network.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define VALIDATION_SHARE 12 /* of the training images: 5,000 of 60,000 */
#define MNIST_MEAN 0.1307f
#define MNIST_DEVIATION 0.3081f
#define TSNE_COMPONENTS 50

#define TRY(call)                                                                                  \
    do {                                                                                           \
        dlviz_status try_status = (call);                                                          \
        if (try_status != DLVIZ_OK)                                                                \
            return try_status;                                                                     \
    } while (0)

static volatile sig_atomic_t interrupted;

/* The first Ctrl-C asks to stop, a second one ends the program as usual. */
static void on_interrupt(int signal_number) {
    interrupted = 1;
    signal(signal_number, SIG_DFL);
}

const char *result_path(const struct report *report, const char *name) {
    static char paths[4][4352];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", report->options.out, name);
    return path;
}

static void report_release(struct report *report) {
    dlviz_trainer_destroy(report->trainer);
    dlviz_optimizer_destroy(report->optimizer);
    dlviz_network_destroy(report->network);
    dlviz_dataset_destroy(report->all);
    dlviz_dataset_destroy(report->train);
    dlviz_dataset_destroy(report->validation);
    dlviz_dataset_destroy(report->test);
    dlviz_tensor_destroy(report->logits);
    dlviz_tensor_destroy(report->features);
    dlviz_tensor_destroy(report->confusion);
    dlviz_tensor_destroy(report->components);
    dlviz_tensor_destroy(report->pca_map);
    dlviz_tensor_destroy(report->tsne_map);
    dlviz_pca_destroy(report->pca);
    dlviz_tsne_destroy(report->tsne);
}

/* mkdir -p; -1 with errno set. */
static int make_folder(const char *path) {
    char partial[4096];
    size_t length = strlen(path);
    if (length == 0 || length >= sizeof partial) {
        errno = length == 0 ? ENOENT : ENAMETOOLONG;
        return -1;
    }
    for (size_t i = 1; i <= length; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        memcpy(partial, path, i);
        partial[i] = '\0';
        if (mkdir(partial, 0777) != 0 && errno != EEXIST)
            return -1;
    }
    return access(path, W_OK | X_OK);
}

/* -- Data ----------------------------------------------------------------------------------------
 */

/* The set is known by its first test labels: a copy of Fashion-MNIST is not to be called MNIST. */
static dlviz_status name_dataset(dlviz_dataset *train, dlviz_dataset *test, const char **name) {
    static const int64_t mnist[] = {7, 2, 1, 0, 4, 1, 4, 9}, fashion[] = {9, 2, 1, 1, 6, 1, 4, 6};
    static const char *const clothes[] = {"T-shirt", "trouser", "pullover", "dress", "coat",
                                          "sandal",  "shirt",   "sneaker",  "bag",   "boot"};
    const int64_t *labels = dlviz_tensor_const_data(dlviz_dataset_labels(test));
    *name = "images";
    if (dlviz_dataset_num_samples(test) >= 8 && memcmp(labels, mnist, sizeof mnist) == 0)
        *name = "MNIST";
    if (dlviz_dataset_num_samples(test) >= 8 && memcmp(labels, fashion, sizeof fashion) == 0) {
        *name = "Fashion-MNIST";
        TRY(dlviz_dataset_set_class_names(train, 10, clothes));
        TRY(dlviz_dataset_set_class_names(test, 10, clothes));
    }
    return DLVIZ_OK;
}

/* Replaces a dataset by its first `limit` samples. */
static dlviz_status limit(dlviz_dataset **dataset, int64_t limit) {
    if (limit == 0 || limit >= dlviz_dataset_num_samples(*dataset))
        return DLVIZ_OK;
    dlviz_dataset *first;
    TRY(dlviz_dataset_take(*dataset, 0, limit, &first));
    dlviz_dataset_destroy(*dataset);
    *dataset = first;
    return DLVIZ_OK;
}

static dlviz_status prepare(dlviz_dataset **dataset, const struct options *options, int64_t count) {
    TRY(limit(dataset, count));
    TRY(dlviz_dataset_set_image_size(*dataset, options->image_size, options->image_size));
    return dlviz_dataset_set_normalization(*dataset, MNIST_MEAN, MNIST_DEVIATION);
}

static void make_title(struct report *report) {
    const struct experiment *experiment = report->experiment;
    int epochs = report->options.epochs;
    char run[48], images[48] = "";
    if (epochs == experiment->epochs)
        snprintf(run, sizeof run, "%d epoch%s", epochs, epochs == 1 ? "" : "s");
    else
        snprintf(run, sizeof run, "%d instead of %d epoch%s", epochs, experiment->epochs,
                 experiment->epochs == 1 ? "" : "s");
    if (report->options.train_limit)
        snprintf(images, sizeof images, ", %lld images",
                 (long long)dlviz_dataset_num_samples(report->train));
    snprintf(report->title, sizeof report->title, "%s, %s%s", experiment->rate, run, images);
}

static dlviz_status load(struct report *report) {
    const struct options *options = &report->options;
    TRY(dlviz_set_num_threads(options->threads));
    report->advice = "examples/reproduce.sh fetches MNIST, --data names another folder";
    TRY(dlviz_dataset_read_mnist(&report->all, options->data, DLVIZ_DATASET_PART_TRAIN));
    TRY(dlviz_dataset_read_mnist(&report->test, options->data, DLVIZ_DATASET_PART_TEST));
    report->advice = NULL;
    TRY(name_dataset(report->all, report->test, &report->dataset_name));
    TRY(prepare(&report->all, options, options->train_limit));
    TRY(prepare(&report->test, options, options->test_limit));
    int64_t held_out = dlviz_dataset_num_samples(report->all) / VALIDATION_SHARE;
    TRY(dlviz_dataset_split(report->all, held_out, options->seed, &report->train,
                            &report->validation));
    make_title(report);
    say(&report->terminal, "%s: %lld images to train on, %lld to validate, %lld to test",
        report->dataset_name, (long long)dlviz_dataset_num_samples(report->train),
        (long long)dlviz_dataset_num_samples(report->validation),
        (long long)dlviz_dataset_num_samples(report->test));
    return DLVIZ_OK;
}

/* -- Training ------------------------------------------------------------------------------------
 */

static bool after_batch(const dlviz_trainer_event *event, void *user) {
    struct report *report = user;
    show_batches(&report->terminal, dlviz_trainer_event_trainer(event), report->options.epochs);
    return !interrupted;
}

/* What a later run goes on from, and the history so far. */
static dlviz_status save_progress(struct report *report) {
    TRY(dlviz_trainer_save_checkpoint(report->trainer,
                                      result_path(report, "checkpoint.safetensors")));
    report->has_checkpoint = true;
    return dlviz_trainer_write_history(report->trainer, result_path(report, "history.csv"));
}

static bool after_epoch(const dlviz_trainer_event *event, void *user) {
    struct report *report = user;
    say_epoch(&report->terminal, dlviz_trainer_event_trainer(event), report->options.epochs);
    return save_progress(report) == DLVIZ_OK && !interrupted;
}

static dlviz_status build(struct report *report) {
    const struct options *options = &report->options;
    TRY(report_network_create(&report->network, options->image_size, options->seed));
    say(&report->terminal, "\n%s", dlviz_network_summary(report->network));
    TRY(dlviz_adam_create(&report->optimizer, report->experiment->learning_rate));
    TRY(dlviz_trainer_create(&report->trainer, report->network, report->optimizer));
    if (report->experiment->adaptive)
        TRY(dlviz_trainer_set_schedule(report->trainer, dlviz_plateau(0.1, 3)));
    TRY(dlviz_trainer_set_batch_size(report->trainer, options->batch_size));
    TRY(dlviz_trainer_set_seed(report->trainer, options->seed));
    TRY(dlviz_trainer_set_validation(report->trainer, report->validation));
    TRY(dlviz_trainer_set_batch_callback(report->trainer, after_batch, report));
    return dlviz_trainer_set_epoch_callback(report->trainer, after_epoch, report);
}

static dlviz_status train(struct report *report) {
    if (report->options.resume) {
        dlviz_status loaded = dlviz_trainer_load_checkpoint(
            report->trainer, result_path(report, "checkpoint.safetensors"));
        if (loaded != DLVIZ_OK)
            report->advice = "without --resume the training starts anew";
        TRY(loaded);
        report->has_checkpoint = true;
        say(&report->terminal, "going on after epoch %lld, batch %lld",
            (long long)dlviz_trainer_num_epochs(report->trainer),
            (long long)dlviz_trainer_batches_done(report->trainer));
    }
    int64_t left = report->options.epochs - dlviz_trainer_num_epochs(report->trainer);
    dlviz_status status =
        left > 0 ? dlviz_trainer_fit(report->trainer, report->train, left) : DLVIZ_OK;
    wipe(&report->terminal);
    TRY(status);
    /* Interrupted, or after_epoch could not write: then this fails again and says why. */
    if (dlviz_trainer_stop_reason(report->trainer) == DLVIZ_STOP_REASON_CALLBACK) {
        TRY(save_progress(report));
        return DLVIZ_CANCELLED;
    }
    return dlviz_network_save(report->network, result_path(report, "model.safetensors"));
}

/* -- What it learned -----------------------------------------------------------------------------
 */

/* The labels of the test images, one byte each. */
static dlviz_status write_labels(const struct report *report) {
    dlviz_tensor *bytes;
    TRY(dlviz_tensor_convert(dlviz_dataset_labels(report->test), DLVIZ_UINT8, &bytes));
    dlviz_status status = dlviz_tensor_write_npy(bytes, result_path(report, "labels.npy"));
    dlviz_tensor_destroy(bytes);
    return status;
}

static dlviz_status evaluate(struct report *report) {
    TRY(dlviz_network_evaluate(report->network, report->test, &report->test_loss,
                               &report->test_accuracy));
    TRY(dlviz_network_predict(report->network, report->test, &report->logits));
    TRY(dlviz_metrics_confusion(report->logits, dlviz_dataset_labels(report->test), 10,
                                &report->confusion));
    TRY(dlviz_tensor_write_npy(report->logits, result_path(report, "logits.npy")));
    TRY(write_labels(report));
    say(&report->terminal, "\ntest accuracy %.2f %%, loss %.4f", 100 * report->test_accuracy,
        report->test_loss);
    return DLVIZ_OK;
}

static dlviz_status take_features(struct report *report) {
    TRY(dlviz_network_features(report->network, report->options.layer, report->test,
                               &report->features));
    return dlviz_tensor_write_npy(report->features, result_path(report, "features.npy"));
}

/* The first two columns, for the figure. */
static dlviz_status first_two(const dlviz_tensor *rows, dlviz_tensor **map) {
    int64_t n = dlviz_tensor_dim(rows, 0), width = dlviz_tensor_dim(rows, 1);
    TRY(dlviz_tensor_create(map, DLVIZ_FLOAT32, 2, (int64_t[]){n, 2}));
    const float *from = dlviz_tensor_const_float(rows);
    float *to = dlviz_tensor_float(*map);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < 2 && j < width; j++)
            to[2 * i + j] = from[i * width + j];
    return DLVIZ_OK;
}

static dlviz_status project(struct report *report) {
    int64_t n = dlviz_tensor_dim(report->features, 0),
            width = dlviz_tensor_dim(report->features, 1);
    int64_t most = n < width ? n : width;
    TRY(dlviz_pca_create(&report->pca, most < TSNE_COMPONENTS ? most : TSNE_COMPONENTS));
    TRY(dlviz_pca_fit_transform(report->pca, report->features, &report->components));
    TRY(first_two(report->components, &report->pca_map));
    TRY(dlviz_tensor_write_npy(report->pca_map, result_path(report, "pca.npy")));
    const dlviz_tensor *ratios = dlviz_pca_explained_variance_ratio(report->pca);
    double explained = 0;
    for (int64_t i = 0; i < dlviz_tensor_num_elements(ratios); i++)
        explained += (double)dlviz_tensor_const_float(ratios)[i];
    say(&report->terminal, "PCA of %lld features at %s: %lld components explain %.1f %%",
        (long long)width, report->options.layer, (long long)dlviz_tensor_num_elements(ratios),
        100 * explained);
    return DLVIZ_OK;
}

typedef struct tsne_watch {
    struct terminal *terminal;
    double started;
} tsne_watch;

static bool during_tsne(const dlviz_tsne_event *event, void *user) {
    tsne_watch *watch = user;
    show_iterations(watch->terminal, dlviz_tsne_event_iteration(event),
                    dlviz_tsne_event_num_iterations(event), dlviz_tsne_event_kl_divergence(event),
                    watch->started);
    return !interrupted;
}

static dlviz_status embed(struct report *report) {
    const struct options *options = &report->options;
    tsne_watch watch = {&report->terminal, seconds_now()};
    TRY(dlviz_tsne_create(&report->tsne));
    TRY(dlviz_tsne_set_perplexity(report->tsne, options->perplexity));
    TRY(dlviz_tsne_set_num_iterations(report->tsne, options->tsne_iterations));
    TRY(dlviz_tsne_set_seed(report->tsne, options->seed));
    TRY(dlviz_tsne_set_progress(report->tsne, 50, during_tsne, &watch));
    TRY(dlviz_tsne_fit(report->tsne, report->components, &report->tsne_map));
    TRY(dlviz_tensor_write_npy(report->tsne_map, result_path(report, "tsne.npy")));
    say(&report->terminal, "t-SNE: KL divergence %.4f after %lld iterations, %.1f s",
        dlviz_tsne_kl_divergence(report->tsne),
        (long long)dlviz_tsne_num_iterations_done(report->tsne), seconds_now() - watch.started);
    return DLVIZ_OK;
}

static dlviz_status judge(struct report *report) {
    const dlviz_tensor *points = report->components, *map = report->tsne_map;
    const dlviz_tensor *labels = dlviz_dataset_labels(report->test);
    struct quality *quality = &report->quality;
    TRY(dlviz_metrics_trustworthiness(points, map, QUALITY_NEIGHBORS, &quality->trustworthiness));
    TRY(dlviz_metrics_continuity(points, map, QUALITY_NEIGHBORS, &quality->continuity));
    TRY(dlviz_metrics_neighbor_preservation(points, map, QUALITY_NEIGHBORS,
                                            &quality->preservation));
    TRY(dlviz_metrics_neighbor_accuracy(map, labels, QUALITY_NEIGHBORS,
                                        &quality->neighbor_accuracy));
    TRY(dlviz_metrics_silhouette(map, labels, &quality->silhouette));
    return dlviz_metrics_distance_correlation(points, map, 0, report->options.seed,
                                              &quality->correlation);
}

/* -- The whole -----------------------------------------------------------------------------------
 */

static dlviz_status run_stage(struct report *report, enum stage which,
                              dlviz_status (*function)(struct report *)) {
    double started = seconds_now();
    dlviz_status status = function(report);
    report->seconds[which] = seconds_now() - started;
    if (status == DLVIZ_OK && interrupted)
        status = DLVIZ_CANCELLED;
    return status;
}

static dlviz_status draw(struct report *report) {
    return write_figures(report);
}

static dlviz_status load_and_build(struct report *report) {
    TRY(load(report));
    return build(report);
}

/* Before hours of training, not after: the layer exists, the folder can be written. */
static int check_early(struct report *report) {
    const struct options *options = &report->options;
    if (dlviz_network_layer_ndim(report->network, options->layer) == 0) {
        fprintf(stderr, "%s: --layer %s: there is no such layer; the network has", options->program,
                options->layer);
        for (int64_t i = 0; i < dlviz_network_num_layers(report->network); i++)
            fprintf(stderr, "%s %s", i > 0 ? "," : "",
                    dlviz_network_layer_name(report->network, i));
        fputc('\n', stderr);
        return EXIT_USAGE;
    }
    if (make_folder(options->out) != 0) {
        fprintf(stderr, "%s: cannot write to the folder '%s': %s\n", options->program, options->out,
                strerror(errno));
        return EXIT_FAILED;
    }
    return EXIT_DONE;
}

static int failure(struct report *report, dlviz_status status) {
    const char *program = report->options.program;
    wipe(&report->terminal);
    if (status == DLVIZ_CANCELLED && interrupted) {
        fprintf(stderr, "%s: interrupted%s\n", program,
                report->has_checkpoint ? "; go on with the same options and --resume" : "");
        return EXIT_INTERRUPTED;
    }
    fprintf(stderr, "%s: %s%s%s\n", program, dlviz_last_error(), report->advice ? "; " : "",
            report->advice ? report->advice : "");
    return EXIT_FAILED;
}

static int run(struct report *report) {
    static const struct {
        enum stage which;
        dlviz_status (*function)(struct report *);
    } stages[] = {{TRAIN, train}, {EVALUATE, evaluate}, {FEATURES, take_features},
                  {PCA, project}, {TSNE, embed},        {QUALITY, judge},
                  {FIGURES, draw}};
    dlviz_status status = run_stage(report, LOAD, load_and_build);
    if (status != DLVIZ_OK)
        return failure(report, status);
    int early = check_early(report);
    if (early != EXIT_DONE)
        return early;
    for (size_t i = 0; i < sizeof stages / sizeof *stages; i++) {
        status = run_stage(report, stages[i].which, stages[i].function);
        if (status != DLVIZ_OK)
            return failure(report, status);
    }
    if (write_summary(report) != 0)
        return EXIT_FAILED;
    say(&report->terminal, "results and figures are in %s", report->options.out);
    return EXIT_DONE;
}

int report_main(int argc, char **argv, const struct experiment *experiment) {
    struct report report = {.experiment = experiment};
    parse_options(argc, argv, experiment, &report.options);
    terminal_start(&report.terminal, report.options.quiet);
    struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = SA_RESTART};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    int status = run(&report);
    report_release(&report);
    return status;
}
