/* embed.c - PCA and t-SNE of a file's points from the command line; maps drawn, and added to. */
#include "embed/embed.h"
#include "run/blas.h"
#include "run/interrupt.h"
#include "run/print.h"
#include "run/ranks.h"
#include "run/terminal.h"
#include "run/text.h"
#include "run/try.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EARLY_ITERATIONS 250

/* Everything that is read or made; NULL until then. */
struct work {
    struct settings set;
    struct terminal terminal;
    double started;
    dlviz_comm *comm; /* of the processes that do this together; NULL: there is one */
    dlviz_tensor *data, *reduced, *start, *result;
    bool written; /* the result, as it was made; no tensor has it */
    struct labels labels;
    dlviz_pca *pca;
    dlviz_tsne *tsne;
};

/* -- Settings: wrong values are wrong usage ------------------------------------------------------
 */

static dlviz_status configure_pca(struct work *work, int64_t components) {
    const struct settings *set = &work->set;
    TRY(dlviz_pca_create(&work->pca, components));
    TRY(dlviz_pca_set_solver(work->pca, (dlviz_pca_solver_kind)set->solver));
    TRY(dlviz_pca_set_seed(work->pca, (uint64_t)set->seed));
    TRY(dlviz_pca_set_whiten(work->pca, set->whiten));
    return !isnan(set->variance) ? dlviz_pca_set_variance_fraction(work->pca, set->variance)
                                 : DLVIZ_OK;
}

static dlviz_status configure_tsne(struct work *work) {
    const struct settings *set = &work->set;
    TRY(dlviz_tsne_create(&work->tsne));
    TRY(dlviz_tsne_set_comm(work->tsne, work->comm));
    TRY(dlviz_tsne_set_num_dimensions(work->tsne, set->dimensions));
    TRY(dlviz_tsne_set_perplexity(work->tsne, set->perplexity));
    TRY(dlviz_tsne_set_num_iterations(work->tsne, set->iterations));
    TRY(dlviz_tsne_set_distance(work->tsne, (dlviz_tsne_distance_kind)set->metric));
    TRY(dlviz_tsne_set_method(work->tsne, (dlviz_tsne_method_kind)set->method));
    TRY(dlviz_tsne_set_seed(work->tsne, (uint64_t)set->seed));
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
    if (set->command == EMBED_TSNE)
        return configure_tsne(work);
    return set->command == EMBED_PCA ? configure_pca(work, set->components) : DLVIZ_OK;
}

/* -- Reading: what does not fit is refused before the work ---------------------------------------
 */

static bool init_is_file(const struct settings *set) {
    return set->init && strcmp(set->init, "pca") && strcmp(set->init, "random");
}

static dlviz_status check_all_paths(const struct settings *set) {
    const struct path paths[] = {
        {"IN", set->in, false},
        {"T.safetensors", set->model, false},
        {"--labels", labels_are_inside(set) ? NULL : set->labels, false},
        {"--init", init_is_file(set) ? set->init : NULL, false},
        {"--images", set->images, false},
        {"--names", set->names, false},
        {"OUT.npy", set->out, true},
        {"--figure", set->figure, true},
        {"--html", set->html, true},
        {"--save", set->save, true},
        {"the PCA beside --save", set->save ? pca_path(set->save) : NULL, true}};
    TRY(check_paths(paths, (int)(sizeof paths / sizeof *paths)));
    return set->save ? check_pca_path(pca_path(set->save)) : DLVIZ_OK;
}

static dlviz_status set_start(struct work *work) {
    const struct settings *set = &work->set;
    if (!init_is_file(set))
        return dlviz_tsne_set_init(work->tsne, set->init && strcmp(set->init, "random") == 0
                                                   ? DLVIZ_TSNE_INIT_RANDOM
                                                   : DLVIZ_TSNE_INIT_PCA);
    TRY(read_matrix(set, set->init, false, &work->start));
    int64_t rows = dlviz_tensor_dim(work->start, 0), columns = dlviz_tensor_dim(work->start, 1);
    int64_t n = dlviz_tensor_dim(work->data, 0), dimensions = set->dimensions;
    if (dlviz_tensor_ndim(work->start) == 2 && (rows != n || columns != dimensions))
        return dlviz_fail(DLVIZ_ERROR_SHAPE,
                          "'%s' is %lld x %lld; %lld x %lld is accepted as the start", set->init,
                          (long long)rows, (long long)columns, (long long)n, (long long)dimensions);
    return dlviz_tsne_set_initial_map(work->tsne, work->start);
}

/* Names and pictures are read again for the page; what does not fit is to be known now. */
static dlviz_status check_page(const struct settings *set, int64_t n) {
    char **names = NULL;
    int64_t count = n;
    dlviz_tensor *images = NULL;
    dlviz_report *page;
    if (set->names)
        TRY(read_lines(set->names, n, &names, &count));
    dlviz_status status =
        count == n ? DLVIZ_OK
                   : dlviz_fail(DLVIZ_ERROR_SHAPE, "'%s' has %lld names; '%s' has %lld points",
                                set->names, (long long)count, set->in, (long long)n);
    if (status == DLVIZ_OK && set->html) {
        status = dlviz_report_create(&page, set->title, n);
        if (status == DLVIZ_OK && names)
            status = dlviz_report_set_point_names(page, n, (const char *const *)names);
        dlviz_report_destroy(page);
    }
    free_lines(names, count);
    TRY(status);
    if (set->images)
        TRY(read_images(set->images, n, &images));
    dlviz_tensor_destroy(images);
    return DLVIZ_OK;
}

/* Angles, unlike distances, hang on where 0 is; and new points must be where the old ones were. */
static bool differences_count(const struct settings *set) {
    if (set->command == EMBED_PCA)
        return true;
    bool angles = set->metric == (int)DLVIZ_TSNE_DISTANCE_COSINE && !set->reduce;
    return set->command == EMBED_TSNE && !angles && !set->save;
}

/* There are no more components than rows or columns. */
static dlviz_status check_components(const struct work *work) {
    const struct settings *set = &work->set;
    bool pca = set->command == EMBED_PCA && isnan(set->variance);
    int64_t asked = pca ? set->components : set->command == EMBED_TSNE ? set->reduce : 0;
    int64_t rows = dlviz_tensor_dim(work->data, 0), columns = dlviz_tensor_dim(work->data, 1);
    int64_t most = rows < columns ? rows : columns;
    if (asked <= most)
        return DLVIZ_OK;
    return dlviz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                      "--%s %lld: '%s' has %lld rows and %lld columns; 1 to %lld are accepted",
                      pca ? "components" : "pca", (long long)asked, set->in, (long long)rows,
                      (long long)columns, (long long)most);
}

static dlviz_status read_everything(struct work *work) {
    const struct settings *set = &work->set;
    if (set->figure)
        TRY(try_figure(set));
    if (set->model) {
        dlviz_status status = dlviz_tsne_open(&work->tsne, set->model);
        if (status == DLVIZ_ERROR_FORMAT)
            return dlviz_fail(status, "%s; what 'tsne --save' wrote is accepted", plain_error());
        TRY(status);
    }
    TRY(read_matrix(set, set->in, differences_count(set), &work->data));
    int64_t n = dlviz_tensor_dim(work->data, 0);
    if (set->labels)
        TRY(read_labels(&work->labels, set, n));
    if (set->labels)
        TRY(try_classes(set, &work->labels, n));
    TRY(check_page(set, n));
    TRY(check_components(work));
    int64_t columns = dlviz_tensor_dim(work->data, 1);
    if (set->command == EMBED_PLOT && (columns < 1 || columns > 3))
        return dlviz_fail(
            DLVIZ_ERROR_SHAPE,
            "'%s' has %lld columns; a map of 1 to 3 is accepted, such as pca and tsne "
            "make of more",
            set->in, (long long)columns);
    return set->command == EMBED_TSNE ? set_start(work) : DLVIZ_OK;
}

/* -- Work ----------------------------------------------------------------------------------------
 */

static bool on_progress(const dlviz_progress_event *event, void *user) {
    struct work *work = user;
    const char *task = dlviz_progress_event_task(event);
    if (strcmp(task, "t-SNE") != 0 || work->set.command != EMBED_TSNE) /* during_tsne knows more */
        show_share(&work->terminal, task, dlviz_progress_event_share(event), work->started);
    return !interrupted;
}

/* The process of those that work together which writes and says what came out. */
static bool is_first(const struct work *work) {
    return dlviz_comm_rank(work->comm) == 0;
}

/* What each has come to by itself, or all of those that work together have. */
static dlviz_status agree(const struct work *work, dlviz_status status) {
    return work->comm ? dlviz_comm_agree(work->comm, status) : status;
}

/* Each process sees its own rows. */
static dlviz_status fit_shared(struct work *work) {
    dlviz_tensor *own;
    int64_t first, count;
    dlviz_comm_share(work->comm, dlviz_tensor_dim(work->data, 0), &first, &count);
    TRY(dlviz_tensor_slice(work->data, first, count, &own));
    dlviz_status status = dlviz_pca_set_comm(work->pca, work->comm);
    if (status == DLVIZ_OK)
        status = dlviz_pca_fit(work->pca, own);
    dlviz_tensor_destroy(own);
    TRY(status);
    return dlviz_pca_set_comm(work->pca, NULL);
}

/* What nothing is made of but the file need not be in memory. */
static dlviz_status project(struct work *work) {
    const struct settings *set = &work->set;
    bool is_shown = set->figure || set->html || set->quality;
    if (is_shown && !work->comm)
        return dlviz_pca_fit_transform(work->pca, work->data, &work->result);
    TRY(work->comm ? fit_shared(work) : dlviz_pca_fit(work->pca, work->data));
    if (!is_first(work))
        return DLVIZ_OK;
    if (is_shown)
        return dlviz_pca_transform(work->pca, work->data, &work->result);
    TRY(dlviz_pca_transform_to_npy(work->pca, work->data, set->out));
    work->written = true;
    return DLVIZ_OK;
}

static dlviz_status run_pca(struct work *work) {
    TRY(project(work));
    const dlviz_tensor *ratios = dlviz_pca_explained_variance_ratio(work->pca);
    double total = 0;
    for (int64_t i = 0; i < dlviz_tensor_num_elements(ratios); i++)
        total += (double)dlviz_tensor_const_float(ratios)[i];
    say(&work->terminal, "%lld components explain %.2f %% of the variance",
        (long long)dlviz_tensor_num_elements(ratios), 100 * total);
    return DLVIZ_OK;
}

static bool during_tsne(const dlviz_tsne_event *event, void *user) {
    struct work *work = user;
    double done = (double)dlviz_tsne_event_iteration(event),
           all = (double)dlviz_tsne_event_num_iterations(event);
    char figures[96];
    snprintf(figures, sizeof figures, "iteration %.0f/%.0f, KL divergence %.4f", done, all,
             dlviz_tsne_event_kl_divergence(event));
    double so_far = seconds_now() - work->started;
    show(&work->terminal, "t-SNE", all > 0 ? done / all : 1, figures,
         done > 0 ? so_far * (all - done) / done : NAN);
    return !interrupted;
}

static dlviz_status run_tsne(struct work *work) {
    const struct settings *set = &work->set;
    TRY(dlviz_tsne_set_progress(work->tsne, 20, during_tsne, work));
    if (set->reduce)
        TRY(dlviz_pca_fit_transform(work->pca, work->data, &work->reduced));
    const dlviz_tensor *points = work->reduced ? work->reduced : work->data;
    work->started = seconds_now();
    TRY(dlviz_tsne_fit(work->tsne, points, &work->result));
    double neighbors = dlviz_tsne_seconds(work->tsne, DLVIZ_TSNE_STAGE_NEIGHBORS);
    double affinities = dlviz_tsne_seconds(work->tsne, DLVIZ_TSNE_STAGE_AFFINITIES);
    double iterations = dlviz_tsne_seconds(work->tsne, DLVIZ_TSNE_STAGE_ITERATIONS);
    say(&work->terminal,
        "KL divergence %.4f after %lld iterations; %.2f s (neighbors %.2f, affinities %.2f, "
        "iterations %.2f)",
        dlviz_tsne_kl_divergence(work->tsne), (long long)dlviz_tsne_num_iterations_done(work->tsne),
        neighbors + affinities + iterations, neighbors, affinities, iterations);
    return set->save && is_first(work) ? save_model(work->tsne, work->pca, set->save) : DLVIZ_OK;
}

static dlviz_status run_transform(struct work *work) {
    dlviz_status status;
    TRY(open_pca(&work->pca, work->set.model));
    if (work->pca) {
        status = dlviz_pca_transform(work->pca, work->data, &work->reduced);
        if (status == DLVIZ_ERROR_SHAPE)
            return dlviz_fail(status, "'%s': %s", work->set.in, plain_error());
        TRY(status);
    }
    const dlviz_tensor *points = work->reduced ? work->reduced : work->data;
    status = dlviz_tsne_transform(work->tsne, points, &work->result);
    if (status == DLVIZ_ERROR_SHAPE)
        return dlviz_fail(status, "'%s': %s", work->set.in, plain_error());
    TRY(status);
    say(&work->terminal, "%lld points placed in the map of '%s'",
        (long long)dlviz_tensor_dim(work->result, 0), work->set.model);
    return DLVIZ_OK;
}

static dlviz_status compute(struct work *work) {
    work->started = seconds_now();
    TRY(agree(work, read_everything(work)));
    work->started = seconds_now();
    switch (work->set.command) {
    case EMBED_PCA:
        TRY(run_pca(work));
        break;
    case EMBED_TSNE:
        TRY(run_tsne(work));
        break;
    case EMBED_TRANSFORM:
        TRY(run_transform(work));
        break;
    case EMBED_PLOT:
        work->result = work->data;
        work->data = NULL;
        break;
    }
    return interrupted ? dlviz_fail(DLVIZ_CANCELLED, "interrupted") : DLVIZ_OK;
}

/* -- Results: what fails is said, and the others are written all the same ------------------------
 */

static const char *last_words(const struct work *work) {
    static char text[128];
    if (!is_first(work))
        return "";
    snprintf(text, sizeof text, "%.64s: interrupted", work->set.program);
    return text;
}

static bool succeeded(const struct work *work, dlviz_status status) {
    if (status != DLVIZ_OK && !(status == DLVIZ_CANCELLED && interrupted))
        complain("%s: %s\n", work->set.program, plain_error());
    return status == DLVIZ_OK;
}

static int give_results(struct work *work) {
    const struct settings *set = &work->set;
    const struct shown shown = {
        .set = set,
        .points = work->data,
        .map = work->result,
        .labels = set->labels ? &work->labels : NULL,
        .shares = set->command == EMBED_PCA ? dlviz_pca_explained_variance_ratio(work->pca) : NULL,
        .tsne = work->tsne};
    work->started = seconds_now();
    bool done = !set->out || work->written ||
                succeeded(work, dlviz_tensor_write_npy(work->result, set->out));
    if (set->figure)
        done &= succeeded(work, write_figure(&shown));
    int64_t columns = dlviz_tensor_dim(work->result, 1);
    if (set->html && columns > 2 && !set->quiet)
        complain("%s: the page shows the first two of the map's %lld dimensions\n", set->program,
                 (long long)columns);
    if (set->html && !interrupted)
        done &= succeeded(work, write_html(&shown));
    wipe(&work->terminal);
    if (set->quality && !interrupted)
        done &= print_quality(set->program, &work->terminal, work->data, work->result, shown.labels,
                              (uint64_t)set->seed);
    wipe(&work->terminal);
    if (interrupted && is_first(work))
        complain(work->terminal.live ? "\r\033[K%s\n" : "%s\n", last_words(work));
    done &= all_printed(set->program);
    return interrupted ? EXIT_INTERRUPTED : done ? EXIT_DONE : EXIT_FAILED;
}

/* -- All of it -----------------------------------------------------------------------------------
 */

/* What the library did otherwise than it was asked. */
static void note(dlviz_log_level level, const char *message, void *user) {
    struct work *work = user;
    if (level < DLVIZ_LOG_LEVEL_WARNING || work->set.quiet)
        return;
    wipe(&work->terminal);
    complain("%s: %s\n", work->set.program, plain_sentence(message));
}

static int run(struct work *work) {
    dlviz_status status = configure(work);
    if (status == DLVIZ_OK)
        status = check_all_paths(&work->set);
    status = agree(work, status);
    int ending = status == DLVIZ_ERROR_INVALID_ARGUMENT ? EXIT_USAGE : EXIT_FAILED;
    if (status == DLVIZ_OK) {
        status = agree(work, compute(work));
        ending = status == DLVIZ_CANCELLED ? EXIT_INTERRUPTED : EXIT_FAILED;
    }
    if (status == DLVIZ_OK)
        return is_first(work) ? give_results(work) : EXIT_DONE;
    wipe(&work->terminal);
    if (ending == EXIT_INTERRUPTED && is_first(work))
        complain(work->terminal.live ? "\r\033[K%s\n" : "%s\n", last_words(work));
    else if (ending != EXIT_INTERRUPTED && tells_failures(work->comm))
        complain("%s: %s\n", work->set.program, plain_error());
    return ending;
}

static void release(struct work *work) {
    dlviz_tensor_destroy(work->data);
    dlviz_tensor_destroy(work->reduced);
    dlviz_tensor_destroy(work->start);
    dlviz_tensor_destroy(work->result);
    free_labels(&work->labels);
    dlviz_pca_destroy(work->pca);
    dlviz_tsne_destroy(work->tsne);
}

int main(int argc, char **argv) {
    do_without_blas_threads(argv);
    struct work work = {0};
    parse_settings(argc, argv, &work.set);
    if (!join_ranks(&work.set.program, &work.set.quiet, &work.comm))
        return EXIT_FAILED;
    terminal_start(&work.terminal, work.set.quiet);
    watch_interrupts(work.terminal.live);
    end_soon_with(last_words(&work));
    dlviz_set_log(note, &work);
    dlviz_set_progress(on_progress, &work);
    int ending = run(&work);
    end_soon_with(NULL);
    dlviz_set_progress(NULL, NULL);
    dlviz_set_log(NULL, NULL);
    release(&work);
    leave_ranks(work.comm);
    return ending;
}
