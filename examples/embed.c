/* embed.c - PCA and t-SNE of a .npy file from the command line. */
#include "embed/embed.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

static const char help[] =
    "Usage: embed pca  IN.npy OUT.npy [--components K | --variance F] [options]\n"
    "       embed tsne IN.npy OUT.npy [options]\n\n"
    "Reads n x d numbers, writes their n x K principal components or their t-SNE map.\n\n"
    "Both:\n"
    "  --labels L.npy         n classes: colors of the figure, and quality of the map;\n"
    "                         whole numbers, -1 for points in no class\n"
    "  --figure F             the first two columns as .png, .svg or .pdf\n"
    "  --title TEXT           of the figure\n"
    "  --threads N            (default: one a processor)\n"
    "  --seed N               (default: 0)\n"
    "  --quality              prints how faithful the result is\n"
    "  --quiet                errors only\n"
    "  --help, --version\n"
    "pca:\n"
    "  --components K         how many (default: 2)\n"
    "  --variance F           as many as explain this fraction of the variance\n"
    "  --solver NAME          auto, covariance, svd or randomized (default: auto)\n"
    "  --whiten               components with variance 1\n"
    "tsne:\n"
    "  --perplexity X         (default: 30)\n"
    "  --iterations N         in all (default: 1000)\n"
    "  --dimensions N         of the map, 1 to 3 (default: 2)\n"
    "  --pca K                first reduces the data to K components\n"
    "  --metric NAME          euclidean or cosine (default: euclidean)\n"
    "  --method NAME          auto, exact, barnes-hut or grid (default: auto)\n"
    "  --init NAME            pca, random, or a .npy file with the map to start from (default: "
    "pca)\n"
    "  --learning-rate X      (default: automatic)\n"
    "  --early-exaggeration X of the first 250 iterations (default: 12)\n"
    "  --late-exaggeration X  of all others (default: 1)\n"
    "  --degrees-of-freedom X (default: 1)\n\n"
    "Exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted.\n";

#define EARLY_ITERATIONS 250

struct settings {
    bool tsne, quiet, quality, whiten;
    const char *in, *out, *labels, *figure, *title, *init;
    int threads, dimensions, iterations;
    int64_t components, reduce;
    uint64_t seed;
    double variance, perplexity, learning_rate, early, late, freedom;
    int solver, metric, method;
};

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number) {
    interrupted = 1;
    signal(number, SIG_DFL);
}

static void wrong(const char *option, const char *text, const char *accepted) {
    fprintf(stderr, "embed: --%s %s: %s\n", option, text, accepted);
    exit(USAGE);
}

static int64_t whole(const char *option, const char *text, int64_t least, int64_t most) {
    char *end, accepted[80];
    errno = 0;
    long long value = strtoll(text, &end, 10);
    snprintf(accepted, sizeof accepted, "a whole number from %lld to %lld is accepted",
             (long long)least, (long long)most);
    if (errno || end == text || *end || value < least || value > most)
        wrong(option, text, accepted);
    return value;
}

static double real(const char *option, const char *text) {
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end || !isfinite(value))
        wrong(option, text, "a number is accepted");
    return value;
}

/* The place of `text` among names, which end with NULL. */
static int choice(const char *option, const char *text, const char *const *names,
                  const char *accepted) {
    for (int i = 0; names[i]; i++)
        if (strcmp(text, names[i]) == 0)
            return i;
    wrong(option, text, accepted);
    return 0;
}

/* A figure that cannot be written is better refused now than after the work. */
static const char *figure_path(const char *text) {
    const char *dot = strrchr(text, '.');
    if (!dot || (strcasecmp(dot, ".png") && strcasecmp(dot, ".svg") && strcasecmp(dot, ".pdf")))
        wrong("figure", text, "a name that ends in .png, .svg or .pdf is accepted");
    return text;
}

static void parse(int argc, char **argv, struct settings *set) {
    static const char *const solvers[] = {"auto", "covariance", "svd", "randomized", NULL};
    static const char *const metrics[] = {"euclidean", "cosine", NULL};
    static const char *const methods[] = {"auto", "exact", "barnes-hut", "grid", NULL};
    enum {
        LABELS = 256,
        FIGURE,
        TITLE,
        THREADS,
        SEED,
        QUALITY,
        QUIET,
        HELP,
        VERSION,
        COMPONENTS,
        VARIANCE,
        SOLVER,
        WHITEN,
        PERPLEXITY,
        ITERATIONS,
        DIMENSIONS,
        REDUCE,
        METRIC,
        METHOD,
        INIT,
        RATE,
        EARLY,
        LATE,
        FREEDOM
    };
    static const struct option common[] = {
        {"labels", 1, NULL, LABELS},   {"figure", 1, NULL, FIGURE}, {"title", 1, NULL, TITLE},
        {"threads", 1, NULL, THREADS}, {"seed", 1, NULL, SEED},     {"quality", 0, NULL, QUALITY},
        {"quiet", 0, NULL, QUIET},     {"help", 0, NULL, HELP},     {"version", 0, NULL, VERSION}};
    static const struct option of_pca[] = {{"components", 1, NULL, COMPONENTS},
                                           {"variance", 1, NULL, VARIANCE},
                                           {"solver", 1, NULL, SOLVER},
                                           {"whiten", 0, NULL, WHITEN}};
    static const struct option of_tsne[] = {{"perplexity", 1, NULL, PERPLEXITY},
                                            {"iterations", 1, NULL, ITERATIONS},
                                            {"dimensions", 1, NULL, DIMENSIONS},
                                            {"pca", 1, NULL, REDUCE},
                                            {"metric", 1, NULL, METRIC},
                                            {"method", 1, NULL, METHOD},
                                            {"init", 1, NULL, INIT},
                                            {"learning-rate", 1, NULL, RATE},
                                            {"early-exaggeration", 1, NULL, EARLY},
                                            {"late-exaggeration", 1, NULL, LATE},
                                            {"degrees-of-freedom", 1, NULL, FREEDOM}};
    struct option all[sizeof common / sizeof *common + sizeof of_tsne / sizeof *of_tsne + 1] = {0};
    memcpy(all, common, sizeof common);
    *set = (struct settings){.components = 2,
                             .dimensions = 2,
                             .iterations = 1000,
                             .perplexity = 30,
                             .early = 12,
                             .late = 1,
                             .freedom = 1,
                             .variance = NAN};
    const char *command = argc > 1 ? argv[1] : "";
    set->tsne = strcmp(command, "tsne") == 0;
    bool known = set->tsne || strcmp(command, "pca") == 0;
    memcpy(all + sizeof common / sizeof *common, set->tsne ? of_tsne : of_pca,
           set->tsne ? sizeof of_tsne : sizeof of_pca);
    for (int c; (c = getopt_long(argc, argv, "", all, NULL)) != -1;)
        switch (c) {
        case LABELS:
            set->labels = optarg;
            break;
        case FIGURE:
            set->figure = figure_path(optarg);
            break;
        case TITLE:
            set->title = optarg;
            break;
        case THREADS:
            set->threads = (int)whole("threads", optarg, 1, 256);
            break;
        case SEED:
            set->seed = (uint64_t)whole("seed", optarg, 0, INT64_MAX);
            break;
        case QUALITY:
            set->quality = true;
            break;
        case QUIET:
            set->quiet = true;
            break;
        case HELP:
            fputs(help, stdout);
            exit(DONE);
        case VERSION:
            printf("embed (libdlviz) %s\n", dlviz_version());
            exit(DONE);
        case COMPONENTS:
            set->components = whole("components", optarg, 1, INT32_MAX);
            break;
        case VARIANCE:
            set->variance = real("variance", optarg);
            break;
        case SOLVER:
            set->solver = choice("solver", optarg, solvers,
                                 "auto, covariance, svd or randomized is accepted");
            break;
        case WHITEN:
            set->whiten = true;
            break;
        case PERPLEXITY:
            set->perplexity = real("perplexity", optarg);
            break;
        case ITERATIONS:
            set->iterations = (int)whole("iterations", optarg, 0, INT32_MAX);
            break;
        case DIMENSIONS:
            set->dimensions = (int)whole("dimensions", optarg, 1, 3);
            break;
        case REDUCE:
            set->reduce = whole("pca", optarg, 1, INT32_MAX);
            break;
        case METRIC:
            set->metric = choice("metric", optarg, metrics, "euclidean or cosine is accepted");
            break;
        case METHOD:
            set->method =
                choice("method", optarg, methods, "auto, exact, barnes-hut or grid is accepted");
            break;
        case INIT:
            set->init = optarg;
            break;
        case RATE:
            set->learning_rate = real("learning-rate", optarg);
            break;
        case EARLY:
            set->early = real("early-exaggeration", optarg);
            break;
        case LATE:
            set->late = real("late-exaggeration", optarg);
            break;
        case FREEDOM:
            set->freedom = real("degrees-of-freedom", optarg);
            break;
        default:
            fputs("Try 'embed --help'.\n", stderr);
            exit(USAGE);
        }
    if (known && argc - optind > 3) {
        fprintf(stderr, "embed: '%s' is one word too many\nTry 'embed --help'.\n",
                argv[optind + 3]);
        exit(USAGE);
    }
    if (!known || argc - optind < 3) {
        fputs(known ? "embed: needs IN.npy and OUT.npy\n"
                    : "embed: the first word is 'pca' or 'tsne'\n",
              stderr);
        fputs("Try 'embed --help'.\n", stderr);
        exit(USAGE);
    }
    set->in = argv[optind + 1];
    set->out = argv[optind + 2];
}

/* Everything that is read or made; NULL until then. */
struct work {
    struct settings set;
    bool live; /* stderr is a terminal that can rewrite a line */
    dlviz_tensor *data, *reduced, *start, *result;
    struct labels labels;
    dlviz_pca *pca;
    dlviz_tsne *tsne;
};

#define TRY(call)                                                                                  \
    do {                                                                                           \
        dlviz_status try_status = (call);                                                          \
        if (try_status != DLVIZ_OK)                                                                \
            return try_status;                                                                     \
    } while (0)

static dlviz_status read_as_they_are(const char *path, dlviz_tensor **numbers) {
    dlviz_tensor *read;
    TRY(dlviz_tensor_read_npy(&read, path));
    dlviz_status status = dlviz_tensor_convert(read, DLVIZ_FLOAT32, numbers);
    dlviz_tensor_destroy(read);
    return status;
}

/* Reads a matrix as float32, less an offset of each column where only differences count; a vector
 * becomes one column. */
static dlviz_status read_matrix(const char *path, bool differences, dlviz_tensor **matrix) {
    dlviz_tensor *converted;
    TRY(differences ? dlviz_tensor_read_npy_shifted(&converted, path, NULL)
                    : read_as_they_are(path, &converted));
    int64_t n = dlviz_tensor_dim(converted, 0);
    if (dlviz_tensor_ndim(converted) == 2 || n == 0) {
        *matrix = converted;
        return DLVIZ_OK;
    }
    dlviz_status status = dlviz_tensor_reshape(converted, 2, (int64_t[]){n, -1}, matrix);
    dlviz_tensor_destroy(converted);
    return status;
}

/* -- Settings: wrong values are wrong usage ------------------------------------------------------
 */

static dlviz_status configure_pca(struct work *work, int64_t components) {
    const struct settings *set = &work->set;
    TRY(dlviz_pca_create(&work->pca, components));
    TRY(dlviz_pca_set_solver(work->pca, (dlviz_pca_solver_kind)set->solver));
    TRY(dlviz_pca_set_seed(work->pca, set->seed));
    TRY(dlviz_pca_set_whiten(work->pca, set->whiten));
    return !isnan(set->variance) ? dlviz_pca_set_variance_fraction(work->pca, set->variance)
                                 : DLVIZ_OK;
}

static dlviz_status configure_tsne(struct work *work) {
    const struct settings *set = &work->set;
    TRY(dlviz_tsne_create(&work->tsne));
    TRY(dlviz_tsne_set_num_dimensions(work->tsne, set->dimensions));
    TRY(dlviz_tsne_set_perplexity(work->tsne, set->perplexity));
    TRY(dlviz_tsne_set_num_iterations(work->tsne, set->iterations));
    TRY(dlviz_tsne_set_distance(work->tsne, (dlviz_tsne_distance_kind)set->metric));
    TRY(dlviz_tsne_set_method(work->tsne, (dlviz_tsne_method_kind)set->method));
    TRY(dlviz_tsne_set_seed(work->tsne, set->seed));
    TRY(dlviz_tsne_set_learning_rate(work->tsne, set->learning_rate));
    TRY(dlviz_tsne_set_early_exaggeration(work->tsne, set->early, EARLY_ITERATIONS));
    if (set->late != 1)
        TRY(dlviz_tsne_set_late_exaggeration(work->tsne, set->late, set->iterations));
    TRY(dlviz_tsne_set_degrees_of_freedom(work->tsne, set->freedom));
    return set->reduce ? configure_pca(work, set->reduce) : DLVIZ_OK;
}

static dlviz_status configure(struct work *work) {
    const struct settings *set = &work->set;
    if (set->method == (int)DLVIZ_TSNE_METHOD_GRID && set->dimensions > 2)
        wrong("method", "grid", "maps of 1 or 2 dimensions are accepted, not of 3");
    if (set->threads)
        TRY(dlviz_set_num_threads(set->threads));
    return set->tsne ? configure_tsne(work) : configure_pca(work, set->components);
}

/* -- Work ----------------------------------------------------------------------------------------
 */

static dlviz_status run_pca(struct work *work) {
    TRY(dlviz_pca_fit_transform(work->pca, work->data, &work->result));
    const dlviz_tensor *ratios = dlviz_pca_explained_variance_ratio(work->pca);
    double total = 0;
    for (int64_t i = 0; i < dlviz_tensor_num_elements(ratios); i++)
        total += (double)dlviz_tensor_const_float(ratios)[i];
    if (!work->set.quiet)
        printf("%lld components explain %.2f %% of the variance\n",
               (long long)dlviz_tensor_num_elements(ratios), 100 * total);
    return DLVIZ_OK;
}

static bool during_tsne(const dlviz_tsne_event *event, void *user) {
    const struct work *work = user;
    long long done = dlviz_tsne_event_iteration(event),
              all = dlviz_tsne_event_num_iterations(event);
    if (work->live)
        fprintf(stderr, "\riteration %lld/%lld  KL divergence %.4f\033[K%s", done, all,
                dlviz_tsne_event_kl_divergence(event), done == all ? "\r\033[K" : "");
    return !interrupted;
}

static dlviz_status set_start(struct work *work) {
    const char *init = work->set.init;
    if (!init || strcmp(init, "pca") == 0)
        return dlviz_tsne_set_init(work->tsne, DLVIZ_TSNE_INIT_PCA);
    if (strcmp(init, "random") == 0)
        return dlviz_tsne_set_init(work->tsne, DLVIZ_TSNE_INIT_RANDOM);
    TRY(read_matrix(init, false, &work->start));
    int64_t rows = dlviz_tensor_dim(work->start, 0), columns = dlviz_tensor_dim(work->start, 1);
    int64_t n = dlviz_tensor_dim(work->data, 0), dimensions = work->set.dimensions;
    if (dlviz_tensor_ndim(work->start) == 2 && (rows != n || columns != dimensions)) {
        fprintf(stderr, "embed: '%s' is %lld x %lld; %lld x %lld is accepted as the start\n", init,
                (long long)rows, (long long)columns, (long long)n, (long long)dimensions);
        exit(FAILED);
    }
    return dlviz_tsne_set_initial_map(work->tsne, work->start);
}

static dlviz_status run_tsne(struct work *work) {
    const struct settings *set = &work->set;
    const char *terminal = getenv("TERM");
    work->live = !set->quiet && isatty(STDERR_FILENO) && terminal && strcmp(terminal, "dumb") != 0;
    TRY(dlviz_tsne_set_progress(work->tsne, 20, during_tsne, work));
    if (set->reduce)
        TRY(dlviz_pca_fit_transform(work->pca, work->data, &work->reduced));
    const dlviz_tensor *points = work->reduced ? work->reduced : work->data;
    TRY(dlviz_tsne_fit(work->tsne, points, &work->result));
    double neighbors = dlviz_tsne_seconds(work->tsne, DLVIZ_TSNE_STAGE_NEIGHBORS);
    double affinities = dlviz_tsne_seconds(work->tsne, DLVIZ_TSNE_STAGE_AFFINITIES);
    double iterations = dlviz_tsne_seconds(work->tsne, DLVIZ_TSNE_STAGE_ITERATIONS);
    if (!set->quiet)
        printf("KL divergence %.4f after %lld iterations; %.2f s (neighbors %.2f, affinities %.2f, "
               "iterations %.2f)\n",
               dlviz_tsne_kl_divergence(work->tsne),
               (long long)dlviz_tsne_num_iterations_done(work->tsne),
               neighbors + affinities + iterations, neighbors, affinities, iterations);
    return DLVIZ_OK;
}

/* -- Results: what fails is said, and the others are written all the same
 * --------------------------
 */

/* The first two columns of a matrix; one column lies on the horizontal axis. */
static dlviz_status two_columns(const dlviz_tensor *result, dlviz_tensor **map) {
    int64_t n = dlviz_tensor_dim(result, 0), width = dlviz_tensor_dim(result, 1);
    TRY(dlviz_tensor_create(map, DLVIZ_FLOAT32, 2, (int64_t[]){n, 2}));
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < 2 && j < width; j++)
            dlviz_tensor_float(*map)[2 * i + j] = dlviz_tensor_const_float(result)[i * width + j];
    return DLVIZ_OK;
}

static dlviz_status set_up(dlviz_figure *figure, const struct work *work) {
    bool tsne = work->set.tsne;
    const struct labels *labels = &work->labels;
    TRY(dlviz_figure_set_title(figure, work->set.title));
    TRY(dlviz_figure_set_axis_labels(figure, tsne ? "t-SNE 1" : "component 1",
                                     tsne ? "t-SNE 2" : "component 2"));
    return labels->names ? dlviz_figure_set_class_names(figure, labels->classes,
                                                        (const char *const *)labels->names)
                         : DLVIZ_OK;
}

static dlviz_status draw(const struct work *work) {
    dlviz_tensor *map;
    dlviz_figure *figure = NULL;
    dlviz_status status = two_columns(work->result, &map);
    if (status == DLVIZ_OK)
        status = dlviz_figure_create_scatter(&figure, map, work->labels.of_figure);
    if (status == DLVIZ_OK)
        status = set_up(figure, work);
    if (status == DLVIZ_OK)
        status = dlviz_figure_write(figure, work->set.figure);
    dlviz_figure_destroy(figure);
    dlviz_tensor_destroy(map);
    return status;
}

/* A figure of one point: it fails on what any figure would fail on, as a title that is no text. */
static dlviz_status try_figure(const struct work *work) {
    dlviz_tensor *map;
    dlviz_figure *figure = NULL;
    dlviz_status status = dlviz_tensor_create(&map, DLVIZ_FLOAT32, 2, (int64_t[]){1, 2});
    if (status == DLVIZ_OK)
        status = dlviz_figure_create_scatter(&figure, map, NULL);
    if (status == DLVIZ_OK)
        status = set_up(figure, work);
    dlviz_figure_destroy(figure);
    dlviz_tensor_destroy(map);
    return status;
}

static bool succeeded(dlviz_status status) {
    if (status != DLVIZ_OK)
        fprintf(stderr, "embed: %s\n", dlviz_last_error());
    return status == DLVIZ_OK;
}

static int give_results(const struct work *work) {
    const struct settings *set = &work->set;
    bool done = succeeded(dlviz_tensor_write_npy(work->result, set->out));
    if (set->figure)
        done &= succeeded(draw(work));
    if (set->quality)
        done &= print_quality(work->data, work->result, set->labels ? &work->labels : NULL,
                              set->seed, &interrupted);
    if (interrupted)
        fputs("embed: interrupted\n", stderr);
    if (fflush(stdout) != 0) {
        fprintf(stderr, "embed: cannot write to standard output: %s\n", strerror(errno));
        done = false;
    }
    return interrupted ? INTERRUPTED : done ? DONE : FAILED;
}

/* -- All of it -----------------------------------------------------------------------------------
 */

static dlviz_status read_everything(struct work *work) {
    const struct settings *set = &work->set;
    bool init_is_file = set->init && strcmp(set->init, "pca") && strcmp(set->init, "random");
    check_paths(&(struct paths){.in = set->in,
                                .labels = set->labels,
                                .init = init_is_file ? set->init : NULL,
                                .out = set->out,
                                .figure = set->figure});
    if (set->figure)
        TRY(try_figure(work));
    /* Angles, unlike distances, hang on where 0 is. */
    bool angles = set->tsne && set->metric == (int)DLVIZ_TSNE_DISTANCE_COSINE && !set->reduce;
    TRY(read_matrix(set->in, !angles, &work->data));
    if (set->labels && !read_labels(&work->labels, set->labels, set->in,
                                    dlviz_tensor_dim(work->data, 0), set->figure != NULL))
        exit(FAILED);
    return set->tsne ? set_start(work) : DLVIZ_OK;
}

static dlviz_status compute(struct work *work) {
    TRY(read_everything(work));
    TRY(work->set.tsne ? run_tsne(work) : run_pca(work));
    return interrupted ? DLVIZ_CANCELLED : DLVIZ_OK;
}

/* What the library did otherwise than it was asked. */
static void note(dlviz_log_level level, const char *message, void *user) {
    const struct work *work = user;
    if (level >= DLVIZ_LOG_LEVEL_WARNING && !work->set.quiet)
        fprintf(stderr, "%sembed: %s\n", work->live ? "\r\033[K" : "", message);
}

int main(int argc, char **argv) {
    struct work work = {0};
    parse(argc, argv, &work.set);
    struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = SA_RESTART};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    dlviz_set_log(note, &work);
    dlviz_status status = configure(&work);
    int ending = status == DLVIZ_ERROR_INVALID_ARGUMENT ? USAGE : FAILED;
    if (status == DLVIZ_OK) {
        status = compute(&work);
        ending = status == DLVIZ_CANCELLED ? INTERRUPTED : FAILED;
    }
    if (status == DLVIZ_OK)
        ending = give_results(&work);
    else
        fprintf(stderr, "%sembed: %s\n", work.live ? "\r\033[K" : "",
                ending == INTERRUPTED ? "interrupted" : dlviz_last_error());
    dlviz_set_log(NULL, NULL);
    dlviz_tensor_destroy(work.data);
    dlviz_tensor_destroy(work.reduced);
    dlviz_tensor_destroy(work.start);
    dlviz_tensor_destroy(work.result);
    free_labels(&work.labels);
    dlviz_pca_destroy(work.pca);
    dlviz_tsne_destroy(work.tsne);
    return ending;
}
