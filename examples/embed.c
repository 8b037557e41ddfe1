/* embed.c - PCA and t-SNE of a .npy file from the command line. */
#include <dlviz.h>

#include <errno.h>
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { DONE = 0, FAILED = 1, USAGE = 2, INTERRUPTED = 130 };

static const char help[] =
    "Usage: embed pca  IN.npy OUT.npy [--components K | --variance F] [options]\n"
    "       embed tsne IN.npy OUT.npy [options]\n\n"
    "Reads n x d numbers, writes their n x K principal components or their t-SNE map.\n\n"
    "Both:\n"
    "  --labels L.npy         n classes: colours of the figure, and quality of the map\n"
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
    dlviz_tensor *data, *labels, *reduced, *start, *result;
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
    TRY(dlviz_pca_set_solver(work->pca, (dlviz_pca_solver)set->solver));
    TRY(dlviz_pca_set_seed(work->pca, set->seed));
    TRY(dlviz_pca_set_whiten(work->pca, set->whiten));
    return !isnan(set->variance) ? dlviz_pca_set_variance_fraction(work->pca, set->variance)
                                 : DLVIZ_OK;
}

static dlviz_status configure_tsne(struct work *work) {
    const struct settings *set = &work->set;
    TRY(dlviz_tsne_create(&work->tsne));
    TRY(dlviz_tsne_set_dimensions(work->tsne, set->dimensions));
    TRY(dlviz_tsne_set_perplexity(work->tsne, set->perplexity));
    TRY(dlviz_tsne_set_iterations(work->tsne, set->iterations));
    TRY(dlviz_tsne_set_metric(work->tsne, (dlviz_tsne_metric)set->metric));
    TRY(dlviz_tsne_set_method(work->tsne, (dlviz_tsne_method)set->method));
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
    for (int64_t i = 0; i < dlviz_tensor_size(ratios); i++)
        total += (double)dlviz_tensor_const_float(ratios)[i];
    if (!work->set.quiet)
        printf("%lld components explain %.2f %% of the variance\n",
               (long long)dlviz_tensor_size(ratios), 100 * total);
    return DLVIZ_OK;
}

static bool during_tsne(int iteration, int iterations, double kl_divergence, double gradient_norm,
                        const dlviz_tensor *map, void *user) {
    (void)gradient_norm;
    (void)map;
    const struct work *work = user;
    if (work->live)
        fprintf(stderr, "\riteration %d/%d  KL divergence %.4f\033[K%s", iteration, iterations,
                kl_divergence, iteration == iterations ? "\r\033[K" : "");
    return !interrupted;
}

static dlviz_status set_start(struct work *work) {
    const char *init = work->set.init;
    if (!init || strcmp(init, "pca") == 0)
        return dlviz_tsne_set_init(work->tsne, DLVIZ_TSNE_INIT_PCA);
    if (strcmp(init, "random") == 0)
        return dlviz_tsne_set_init(work->tsne, DLVIZ_TSNE_INIT_RANDOM);
    TRY(read_matrix(init, false, &work->start));
    return dlviz_tsne_set_initial_map(work->tsne, work->start);
}

static dlviz_status run_tsne(struct work *work) {
    const struct settings *set = &work->set;
    const char *terminal = getenv("TERM");
    work->live = !set->quiet && isatty(STDERR_FILENO) && terminal && strcmp(terminal, "dumb") != 0;
    TRY(dlviz_tsne_set_progress(work->tsne, 20, during_tsne, work));
    TRY(set_start(work));
    if (set->reduce)
        TRY(dlviz_pca_fit_transform(work->pca, work->data, &work->reduced));
    const dlviz_tensor *points = work->reduced ? work->reduced : work->data;
    TRY(dlviz_tsne_fit(work->tsne, points, &work->result));
    double neighbours, affinities, iterations;
    dlviz_tsne_seconds(work->tsne, &neighbours, &affinities, &iterations);
    if (!set->quiet)
        printf("KL divergence %.4f after %d iterations; %.2f s (neighbours %.2f, affinities %.2f, "
               "iterations %.2f)\n",
               dlviz_tsne_kl_divergence(work->tsne), dlviz_tsne_iterations(work->tsne),
               neighbours + affinities + iterations, neighbours, affinities, iterations);
    return DLVIZ_OK;
}

static dlviz_status print_quality(const struct work *work) {
    double value;
    TRY(dlviz_metrics_trustworthiness(work->data, work->result, 10, &value));
    printf("trustworthiness@10 %.4f\n", value);
    TRY(dlviz_metrics_continuity(work->data, work->result, 10, &value));
    printf("continuity@10 %.4f\n", value);
    TRY(dlviz_metrics_neighbour_preservation(work->data, work->result, 10, &value));
    printf("neighbour preservation@10 %.4f\n", value);
    TRY(dlviz_metrics_distance_correlation(work->data, work->result, 0, work->set.seed, &value));
    printf("distance correlation %.4f\n", value);
    if (!work->labels)
        return DLVIZ_OK;
    TRY(dlviz_metrics_neighbour_accuracy(work->result, work->labels, 10, &value));
    printf("10-nearest-neighbour accuracy %.4f\n", value);
    TRY(dlviz_metrics_silhouette(work->result, work->labels, &value));
    printf("silhouette %.4f\n", value);
    return DLVIZ_OK;
}

/* The first two columns of the result; one column lies on the horizontal axis. */
static dlviz_status draw(const struct work *work) {
    const dlviz_tensor *result = work->result;
    int64_t n = dlviz_tensor_dim(result, 0), width = dlviz_tensor_dim(result, 1);
    dlviz_tensor *map;
    TRY(dlviz_tensor_create(&map, DLVIZ_FLOAT32, 2, (int64_t[]){n, 2}));
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < 2 && j < width; j++)
            dlviz_tensor_float(map)[2 * i + j] = dlviz_tensor_const_float(result)[i * width + j];
    dlviz_figure *figure = NULL;
    dlviz_status status = dlviz_figure_create_scatter(&figure, map, work->labels);
    if (status == DLVIZ_OK)
        status = dlviz_figure_set_title(figure, work->set.title);
    if (status == DLVIZ_OK)
        status = dlviz_figure_set_axis_labels(figure, work->set.tsne ? "t-SNE 1" : "component 1",
                                              work->set.tsne ? "t-SNE 2" : "component 2");
    if (status == DLVIZ_OK)
        status = dlviz_figure_write(figure, work->set.figure);
    dlviz_figure_destroy(figure);
    dlviz_tensor_destroy(map);
    return status;
}

static dlviz_status read_labels(struct work *work) {
    TRY(dlviz_tensor_read_npy(&work->labels, work->set.labels));
    int64_t labels = dlviz_tensor_size(work->labels), points = dlviz_tensor_dim(work->data, 0);
    if (labels == points)
        return DLVIZ_OK;
    fprintf(stderr, "embed: '%s' has %lld labels, '%s' has %lld points\n", work->set.labels,
            (long long)labels, work->set.in, (long long)points);
    exit(FAILED);
}

/* Before the work, so that it is not lost for a folder that is not there. */
static void check_output(const char *path) {
    char folder[PATH_MAX];
    if (!path || snprintf(folder, sizeof folder, "%s", path) >= (int)sizeof folder)
        return; /* writing it will say what is wrong */
    const char *parent = dirname(folder);
    if (access(parent, W_OK) != 0) {
        fprintf(stderr, "embed: cannot write '%s': %s\n", path, strerror(errno));
        exit(FAILED);
    }
}

static dlviz_status run(struct work *work) {
    const struct settings *set = &work->set;
    check_output(set->out);
    check_output(set->figure);
    /* Angles, unlike distances, hang on where 0 is. */
    bool angles = set->tsne && set->metric == (int)DLVIZ_TSNE_COSINE && !set->reduce;
    TRY(read_matrix(set->in, !angles, &work->data));
    if (set->labels)
        TRY(read_labels(work));
    TRY(set->tsne ? run_tsne(work) : run_pca(work));
    if (interrupted)
        return DLVIZ_CANCELLED;
    TRY(dlviz_tensor_write_npy(work->result, set->out));
    if (set->quality)
        TRY(print_quality(work));
    return set->figure ? draw(work) : DLVIZ_OK;
}

int main(int argc, char **argv) {
    struct work work = {0};
    parse(argc, argv, &work.set);
    struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = SA_RESTART};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    dlviz_status status = configure(&work);
    int failure = status == DLVIZ_ERROR_INVALID_ARGUMENT ? USAGE : FAILED;
    if (status == DLVIZ_OK) {
        status = run(&work);
        failure = status == DLVIZ_CANCELLED ? INTERRUPTED : FAILED;
    }
    if (status != DLVIZ_OK)
        fprintf(stderr, "%sembed: %s\n", work.live ? "\r\033[K" : "",
                failure == INTERRUPTED ? "interrupted" : dlviz_last_error());
    dlviz_tensor_destroy(work.data);
    dlviz_tensor_destroy(work.labels);
    dlviz_tensor_destroy(work.reduced);
    dlviz_tensor_destroy(work.start);
    dlviz_tensor_destroy(work.result);
    dlviz_pca_destroy(work.pca);
    dlviz_tsne_destroy(work.tsne);
    return status == DLVIZ_OK ? DONE : failure;
}
