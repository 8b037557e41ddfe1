/* A run: its stages, one after the other. */
#include "run.h"
#include "again.h"
#include "augment.h"
#include "blas.h"
#include "folder.h"
#include "interrupt.h"
#include "lock.h"
#include "networks.h"
#include "print.h"
#include "ranks.h"
#include "sources.h"
#include "text.h"
#include "try.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

const char *const stage_names[NUM_STAGES] = {"load",   "train",   "evaluate",  "pca",     "tsne",
                                             "pixels", "quality", "neighbors", "figures", "page"};

static void release_run(struct run *run) {
    dlviz_trainer_destroy(run->trainer);
    dlviz_optimizer_destroy(run->optimizer);
    dlviz_network_destroy(run->network);
    dlviz_film_destroy(run->film);
    release_data(&run->data);
    dlviz_tensor *const tensors[] = {run->logits,     run->features,  run->confusion,
                                     run->components, run->pca_map,   run->tsne_map,
                                     run->neighbors,  run->pixel_map, run->pixel_components};
    for (size_t i = 0; i < sizeof tensors / sizeof *tensors; i++)
        dlviz_tensor_destroy(tensors[i]);
    dlviz_pca_destroy(run->pca);
    unlock_folder(run->lock);
}

/* -- Time ----------------------------------------------------------------------------------------
 */

/* Seconds on one thread of a machine such as they are in these years; what was measured is known
 * better, and what is not is a guess until then. */
#define TSNE_SECONDS 2.5e-7  /* a point and iteration */
#define MEASURE_SECONDS 4e-8 /* a pair of points, all measures of three maps */
#define PAGE_SECONDS 1.5e-4  /* a point, with its picture */
#define FIGURES_SECONDS 3.0

static double estimate(const struct run *run, enum stage stage) {
    double n = (double)dlviz_dataset_num_samples(run->data.test);
    double threads = (double)dlviz_num_threads();
    double tsne = n * (double)run->options.tsne_iterations * TSNE_SECONDS / threads;
    switch (stage) {
    case EVALUATE:
        return run->pass_seconds;
    case TSNE: {
        double frames = 1;
        for (int64_t i = 1; i <= run->options.epochs; i++)
            frames += 0.3 * dlviz_film_wants(i, run->options.epochs);
        return tsne * frames;
    }
    case PIXELS:
        return tsne;
    case QUALITY:
        return n * (n < 10000 ? n : 10000) * MEASURE_SECONDS / threads;
    case FIGURES:
        return dlviz_plot_supported() ? FIGURES_SECONDS : 0;
    case PAGE:
        return n * PAGE_SECONDS;
    default:
        return 0;
    }
}

double seconds_from(const struct run *run, enum stage first) {
    double sum = 0;
    for (int stage = (int)first; stage < NUM_STAGES; stage++)
        sum += estimate(run, (enum stage)stage);
    return sum;
}

bool go_on(struct run *run, const char *what, double share) {
    show_share(&run->terminal, what, share, run->started);
    return !interrupted;
}

static bool on_progress(const dlviz_progress_event *event, void *user) {
    struct run *run = user;
    double share = dlviz_progress_event_share(event);
    if (share <= 0) /* another call begins */
        run->started = seconds_now();
    return go_on(run, dlviz_progress_event_task(event), share);
}

/* -- Before hours of training, not after ---------------------------------------------------------
 */

/* What it says, all learn by agree_on. */
static int refuse(const struct run *run, int status, const char *why) {
    if (run->writes)
        complain("%s: %s\n", run->options.program, why);
    return dlviz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s", why) == DLVIZ_OK ? EXIT_DONE : status;
}

static int check_layer_of(const struct run *run, const dlviz_network *network, const char *layer) {
    if (dlviz_network_layer_ndim(network, layer) > 0)
        return EXIT_DONE;
    char text[4096];
    int used =
        snprintf(text, sizeof text, "--layer %s: there is no such layer; the network has", layer);
    for (int64_t i = 0; i < dlviz_network_num_layers(network) && used < (int)sizeof text; i++)
        used += snprintf(text + used, sizeof text - (size_t)used, "%s %s", i > 0 ? "," : "",
                         dlviz_network_layer_name(network, i));
    return refuse(run, EXIT_USAGE, text);
}

static int check_layer(const struct run *run) {
    return check_layer_of(run, run->network, run->layer);
}

/* The names of layers do not hang on the samples; only of an archive is the network not known
 * yet. */
static int check_layer_early(const struct run *run, enum source source) {
    const struct options *options = &run->options;
    const char *choice = options->network;
    dlviz_network *network;
    if (!options->layer || source == SOURCE_ARRAYS)
        return EXIT_DONE;
    bool images = source == SOURCE_IMAGES || source == SOURCE_FOLDER;
    if (!choice)
        choice = images ? "report" : "mlp";
    dlviz_status status =
        is_network_file(choice)
            ? open_network(&network, choice)
            : create_network(&network, choice, images ? 3 : 1,
                             images ? (int64_t[]){1, 32, 32} : (int64_t[]){8}, 10, 0);
    if (status != DLVIZ_OK)
        return refuse(run, EXIT_FAILED, plain_error());
    int ending = check_layer_of(run, network, options->layer);
    dlviz_network_destroy(network);
    return ending;
}

/* Networks that a run builds itself, but mlp, are for images. */
static int check_network(const struct run *run, enum source source) {
    const char *choice = run->options.network;
    struct stat info;
    char text[4608];
    if (!choice)
        return EXIT_DONE;
    size_t length = strlen(choice);
    bool named_json = length > 5 && strcmp(choice + length - 5, ".json") == 0;
    if (is_network_file(choice)) {
        if (named_json || AGAIN(stat(choice, &info)) == 0 || !is_missing(errno))
            return EXIT_DONE;
        snprintf(text, sizeof text,
                 "--network %s: report, resnet8, mlp or the path of a FILE.json is accepted",
                 choice);
        return refuse(run, EXIT_USAGE, text);
    }
    if (source != SOURCE_ROWS || strcmp(choice, "mlp") == 0)
        return EXIT_DONE;
    snprintf(text, sizeof text,
             "--network %s: it is for images, and the data are rows of numbers; mlp or a FILE.json "
             "is accepted",
             choice);
    return refuse(run, EXIT_USAGE, text);
}

static int check_source(const struct run *run, enum source source) {
    const struct options *options = &run->options;
    char text[9216];
    if (source == SOURCE_UNKNOWN) {
        snprintf(text, sizeof text,
                 "'%s' is not of a kind that is read: a folder of images, one with MNIST's or "
                 "CIFAR's files, a .npz or a .csv file is accepted",
                 options->data);
        return refuse(run, EXIT_USAGE, text);
    }
    const char *misplaced = misplaced_option(options, source);
    if (misplaced)
        return refuse(run, EXIT_USAGE, misplaced);
    bool trained_on;
    if (find_whether_trained_on(options, &trained_on) != DLVIZ_OK)
        return refuse(run, EXIT_FAILED, plain_error());
    if (!trained_on)
        return EXIT_DONE;
    snprintf(text, sizeof text,
             "--test-folder %s: its images are trained on, as they are in '%s'; a folder of other "
             "images is accepted",
             options->test_folder, options->data);
    return refuse(run, EXIT_USAGE, text);
}

/* Two runs that write to one folder at a time would leave results of both. */
static int lock_out(struct run *run) {
    char text[4608], process[48] = "";
    long owner;
    if (run->lock >= 0 || lock_folder(run->options.out, &run->lock, &owner))
        return EXIT_DONE;
    if (owner > 0)
        snprintf(process, sizeof process, " (process %ld)", owner);
    snprintf(text, sizeof text,
             "'%s' is being written by another run%s; --out names another folder", run->options.out,
             process);
    return refuse(run, EXIT_FAILED, text);
}

/* Whether there is something else in the way than a run to go on with. */
static int check_results(struct run *run, const char *there) {
    const struct options *options = &run->options;
    char text[9216];
    run->replaces = true;
    if (options->force)
        return EXIT_DONE;
    bool resumable = has_checkpoint(options->out), finished = has_finished(options->out);
    bool interruption = resumable && !finished;
    if (options->resume && finished)
        snprintf(text, sizeof text,
                 "--resume: the run in '%s' is finished, and --keep-checkpoint, which would have "
                 "left checkpoint.safetensors to go on with, was not given; --force begins anew",
                 options->out);
    else
        snprintf(text, sizeof text, "'%s' has %s: %s; %s--force %s, --out names another folder",
                 options->out,
                 interruption ? "an interrupted training" : "the results of an earlier run", there,
                 interruption ? "--resume goes on with it, "
                 : resumable  ? "--resume goes on with more epochs, "
                              : "",
                 interruption ? "begins anew" : "replaces them");
    return refuse(run, EXIT_FAILED, text);
}

/* What an earlier run left is neither mixed with this one's results nor lost by mistake. */
static int check_folder(struct run *run) {
    struct options *options = &run->options;
    char there[256], text[9216];
    bool read = false;
    if (!run->experiment && find_whether_read(options->out, options, &read) != DLVIZ_OK)
        return refuse(run, EXIT_FAILED, plain_error());
    if (read) {
        snprintf(text, sizeof text,
                 "--out %s lies in '%s': the figures there would be read as images another time; "
                 "a folder beside it is accepted",
                 options->out, options->data);
        return refuse(run, EXIT_USAGE, text);
    }
    int ending = lock_out(run);
    if (ending != EXIT_DONE)
        return ending;
    enum folder_state state = look_into_folder(options->out, there);
    if (state == FOLDER_BLOCKED)
        return refuse(run, EXIT_FAILED, there);
    if (options->resume && has_checkpoint(options->out))
        return EXIT_DONE;
    if (state == FOLDER_HAS_RESULTS)
        ending = check_results(run, there);
    if (ending == EXIT_DONE && options->resume) {
        say(&run->terminal, "nothing to resume in '%s': the training begins", options->out);
        options->resume = false;
    }
    return ending;
}

/* Another run may have come to the same folder since it was looked for. */
static int make_out(struct run *run) {
    char text[4608];
    if (make_folder(run->options.out) == 0)
        return run->lock >= 0 ? EXIT_DONE : check_folder(run);
    snprintf(text, sizeof text, "cannot write to the folder '%s': %s", run->options.out,
             strerror(errno));
    return refuse(run, EXIT_FAILED, text);
}

static int check_augment(const struct run *run, enum source source) {
    const char *list = run->options.augment;
    bool rows = source == SOURCE_ROWS;
    if (list && check_augmentations(list) != DLVIZ_OK)
        return refuse(run, EXIT_USAGE, plain_error());
    if (list) { /* an augmentation remembers what is wrong with it */
        dlviz_dataset *one = NULL;
        dlviz_tensor *sample;
        dlviz_status status =
            rows ? dlviz_tensor_create(&sample, DLVIZ_FLOAT32, 2, (int64_t[]){1, 8})
                 : dlviz_tensor_create(&sample, DLVIZ_UINT8, 4, (int64_t[]){1, 1, 32, 32});
        if (status == DLVIZ_OK)
            status = dlviz_dataset_create(&one, sample, NULL);
        if (status == DLVIZ_OK)
            status = add_augmentations(one, list);
        dlviz_tensor_destroy(sample);
        dlviz_dataset_destroy(one);
        if (status != DLVIZ_OK)
            return refuse(run, EXIT_USAGE, plain_error());
    }
    return EXIT_DONE;
}

/* What can be known before the samples are read. */
static int check_options(const struct run *run) {
    enum source source = SOURCE_IMAGES;
    if (!run->experiment && look_at_source(run->options.data, &source) != DLVIZ_OK)
        return refuse(run, EXIT_FAILED, plain_error());
    int ending = run->experiment ? EXIT_DONE : check_source(run, source);
    if (ending == EXIT_DONE)
        ending = check_augment(run, source);
    if (ending == EXIT_DONE)
        ending = check_network(run, source);
    return ending == EXIT_DONE ? check_layer_early(run, source) : ending;
}

/* -- Loading -------------------------------------------------------------------------------------
 */

static void make_report_title(struct run *run) {
    const struct experiment *experiment = run->experiment;
    int64_t epochs = run->options.epochs;
    char what[48], images[48] = "";
    if (epochs == experiment->epochs)
        snprintf(what, sizeof what, "%lld epoch%s", (long long)epochs, epochs == 1 ? "" : "s");
    else
        snprintf(what, sizeof what, "%lld instead of %d epoch%s", (long long)epochs,
                 experiment->epochs, experiment->epochs == 1 ? "" : "s");
    if (run->options.train_limit)
        snprintf(images, sizeof images, ", %lld images",
                 (long long)dlviz_dataset_num_samples(run->data.train));
    snprintf(run->title, sizeof run->title, "%s, %s%s", experiment->rate, what, images);
}

/* With the epochs that there were: they may have ended before their number. */
static void make_train_title(struct run *run) {
    const struct options *options = &run->options;
    int64_t epochs = dlviz_trainer_num_epochs(run->trainer);
    const char *slash = strrchr(options->network, '/');
    char network[64], rate[64] = "";
    dlviz_printable(network, sizeof network, slash ? slash + 1 : options->network);
    if (options->schedule != SCHEDULE_CONSTANT)
        snprintf(rate, sizeof rate, ", %s", schedule_names[options->schedule]);
    snprintf(run->title, sizeof run->title, "%s, %lld epoch%s%s", network, (long long)epochs,
             epochs == 1 ? "" : "s", rate);
}

/* A description says what its network takes. */
static dlviz_status take_network_dims(struct options *options) {
    int64_t dims[3];
    int ndim;
    TRY(read_network_dims(options->network, &ndim, dims));
    if (ndim != 3)
        return DLVIZ_OK;
    if (options->height > 0 && (options->height != dims[1] || options->width != dims[2]))
        return dlviz_fail(
            DLVIZ_ERROR_INVALID_ARGUMENT,
            "--image-size: the network of '%s' takes images %lld pixels wide and %lld high",
            options->network, (long long)dims[2], (long long)dims[1]);
    if (options->channels > 0 && options->channels != dims[0])
        return dlviz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                          "--channels %lld: the network of '%s' takes images with %lld",
                          (long long)options->channels, options->network, (long long)dims[0]);
    options->channels_of_network = options->channels == 0;
    options->channels = dims[0];
    options->height = dims[1];
    options->width = dims[2];
    return DLVIZ_OK;
}

/* Batch norms need some steps to know what their inputs are like: small sets get small batches. */
static void choose_batch_size(struct run *run) {
    enum { USUAL = 64, LEAST = 8, STEPS = 20 };
    int64_t n = dlviz_dataset_num_samples(run->data.train), size = USUAL;
    if (run->options.batch_size > 0)
        return;
    while (size > LEAST && n / size < STEPS)
        size /= 2;
    run->options.batch_size = size;
    if (size < USUAL)
        say(&run->terminal,
            "Few samples to train on: batches of %lld instead of %d (--batch-size sets their size)",
            (long long)size, USUAL);
}

/* Their rates are those of so many epochs, and of no other number. */
static void say_no_more_epochs(struct run *run) {
    int schedule = run->options.schedule;
    if (run->options.keep_checkpoint &&
        (schedule == SCHEDULE_ONE_CYCLE || schedule == SCHEDULE_COSINE))
        say(&run->terminal,
            "--keep-checkpoint: with %s, more epochs cannot follow the last of %lld",
            schedule_names[schedule], (long long)run->options.epochs);
}

static dlviz_status load_any(struct run *run) {
    struct options *options = &run->options;
    say_no_more_epochs(run);
    if (options->network && is_network_file(options->network))
        TRY(take_network_dims(options));
    TRY(load_train_data(&run->data, options, &run->terminal));
    if (!options->network)
        options->network = dlviz_dataset_ndim(run->data.train) == 3 ? "report" : "mlp";
    else if (dlviz_dataset_ndim(run->data.train) != 3 && !is_network_file(options->network) &&
             strcmp(options->network, "mlp") != 0)
        return dlviz_fail(DLVIZ_ERROR_SHAPE,
                          "--network %s: it is for images, and the data are rows of numbers; mlp "
                          "or a FILE.json is accepted",
                          options->network);
    choose_batch_size(run);
    return DLVIZ_OK;
}

static dlviz_status load(struct run *run) {
    TRY(dlviz_set_num_threads(run->options.threads));
    dlviz_status status;
    if (run->experiment) {
        status = load_report_data(&run->data, &run->options);
        if (status == DLVIZ_OK)
            make_report_title(run);
    } else {
        status = load_any(run);
    }
    run->advice = run->data.advice;
    TRY(status);
    say(&run->terminal, "%s: %lld %s to train on, %lld to validate, %lld to test", run->data.name,
        (long long)dlviz_dataset_num_samples(run->data.train),
        run->data.original[0] > 0 ? "images" : "rows",
        (long long)dlviz_dataset_num_samples(run->data.validation),
        (long long)dlviz_dataset_num_samples(run->data.test));
    return build(run);
}

/* -- The whole -----------------------------------------------------------------------------------
 */

static dlviz_status run_stage(struct run *run, enum stage which,
                              dlviz_status (*function)(struct run *)) {
    double started = seconds_now();
    run->started = started;
    run->terminal.later = which > TRAIN ? seconds_from(run, (enum stage)((int)which + 1)) : 0;
    dlviz_status status = function(run);
    wipe(&run->terminal);
    run->seconds[which] = seconds_now() - started;
    if (status == DLVIZ_OK && interrupted)
        status = dlviz_fail(DLVIZ_CANCELLED, "interrupted");
    return run->comm ? dlviz_comm_agree(run->comm, status) : status;
}

static const char *interruption(const struct run *run) {
    static char text[256];
    if (!run->writes)
        return "";
    snprintf(text, sizeof text, "%.64s: interrupted%s", run->options.program,
             run->has_checkpoint ? "; go on with the same options and --resume" : "");
    return text;
}

static int failure(struct run *run, dlviz_status status) {
    wipe(&run->terminal);
    if (status == DLVIZ_CANCELLED) {
        if (run->writes)
            complain(run->terminal.live ? "\r\033[K%s\n" : "%s\n", interruption(run));
        return EXIT_INTERRUPTED;
    }
    if (tells_failures(run->comm))
        complain("%s: %s%s%s\n", run->options.program, plain_error(), run->advice ? "; " : "",
                 run->advice ? run->advice : "");
    return EXIT_FAILED;
}

void warn(struct run *run, const char *format, ...) {
    va_list arguments;
    wipe(&run->terminal);
    complain("%s: ", run->options.program);
    va_start(arguments, format);
    complain_list(format, arguments);
    va_end(arguments);
    complain("\n");
}

static int finish(struct run *run) {
    dlviz_status status = write_summary(run);
    if (status != DLVIZ_OK)
        return failure(run, status);
    const char *left = run->options.keep_checkpoint ? NULL : remove_checkpoint(run->options.out);
    if (left)
        warn(run, "the results are there, but '%s' cannot be removed: %s",
             result_path(run->options.out, left), strerror(errno));
    say(&run->terminal, "results%s are in %s; open %s", run->has_figures ? " and figures" : "",
        run->options.out, result_path(run->options.out, "report.html"));
    return all_printed(run->options.program) && !left ? EXIT_DONE : EXIT_FAILED;
}

/* Whether all processes may go on; those that could are told who could not. */
static int agree_on(struct run *run, int early) {
    if (!run->comm)
        return early;
    dlviz_status own = early == EXIT_DONE ? DLVIZ_OK : DLVIZ_ERROR_INVALID_ARGUMENT;
    dlviz_status all = dlviz_comm_agree(run->comm, own);
    return early == EXIT_DONE && all != DLVIZ_OK ? failure(run, all) : early;
}

/* What the others wait for, to learn how it ends. */
static dlviz_status leave_to_first(struct run *run) {
    (void)run;
    return DLVIZ_OK;
}

static int run_all(struct run *run) {
    static const struct {
        enum stage which;
        dlviz_status (*function)(struct run *);
    } stages[] = {{EVALUATE, evaluate},     {PCA, project},    {TSNE, make_film},
                  {PIXELS, map_pixels},     {QUALITY, judge},  {NEIGHBORS, find_neighbors},
                  {FIGURES, write_figures}, {PAGE, write_page}};
    int early = check_options(run);
    if (early == EXIT_DONE && run->writes)
        early = check_folder(run);
    early = agree_on(run, early);
    if (early != EXIT_DONE)
        return early;
    dlviz_status heard = hear_first(run->comm, &run->options.resume);
    if (heard != DLVIZ_OK)
        return failure(run, heard);
    /* Nothing is lost where no checkpoint is to be written. */
    end_soon_with(interruption(run));
    dlviz_status status = run_stage(run, LOAD, load);
    if (status != DLVIZ_OK)
        return failure(run, status);
    early = check_layer(run);
    if (early == EXIT_DONE && run->writes)
        early = make_out(run);
    early = agree_on(run, early);
    if (early != EXIT_DONE)
        return early;
    end_soon_with(NULL);
    status = run_stage(run, TRAIN, train);
    if (!run->experiment)
        make_train_title(run);
    end_soon_with(interruption(run));
    for (size_t i = 0; status == DLVIZ_OK && i < sizeof stages / sizeof *stages; i++)
        status = run_stage(run, stages[i].which,
                           run->writes || stages[i].which < FIGURES ? stages[i].function
                                                                    : leave_to_first);
    end_soon_with(NULL);
    if (status != DLVIZ_OK)
        return failure(run, status);
    return run->writes ? finish(run) : EXIT_DONE;
}

/* What the library did otherwise than it was asked, once. */
static void note(dlviz_log_level level, const char *message, void *user) {
    struct run *run = user;
    if (level < DLVIZ_LOG_LEVEL_WARNING || strcmp(message, run->noted) == 0)
        return;
    snprintf(run->noted, sizeof run->noted, "%s", message);
    say(&run->terminal, "note: %s", plain_sentence(message));
}

static int run_together(struct run *run) {
    run->lock = -1;
    terminal_start(&run->terminal, run->options.quiet);
    watch_interrupts(run->terminal.live);
    dlviz_set_log(note, run);
    dlviz_set_progress(on_progress, run);
    run->learned = run->untrained = run->pixels =
        (struct quality){NAN, NAN, NAN, NAN, NAN, NAN, NAN};
    int status = run_all(run);
    dlviz_set_progress(NULL, NULL);
    dlviz_set_log(NULL, NULL);
    release_run(run);
    return status;
}

static int run_with(struct run *run) {
    if (!join_ranks(&run->options.program, &run->options.quiet, &run->comm))
        return EXIT_FAILED;
    run->writes = dlviz_comm_rank(run->comm) == 0;
    int ending = run_together(run);
    leave_ranks(run->comm);
    return ending;
}

int report_main(int argc, char **argv, const struct experiment *experiment) {
    do_without_blas_threads(argv);
    struct run run = {.experiment = experiment};
    parse_report_options(argc, argv, experiment, &run.options);
    return run_with(&run);
}

int train_main(int argc, char **argv) {
    do_without_blas_threads(argv);
    struct run run = {0};
    parse_train_options(argc, argv, &run.options);
    return run_with(&run);
}
