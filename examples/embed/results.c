/* The figure and the page. */
#include "embed.h"
#include "../run/class_lines.h"
#include "../run/rows.h"
#include "../run/text.h"
#include "../run/try.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NEIGHBORS = 10, MOST_EXACT = 20000 };

/* The first two columns of a matrix; one column lies on the horizontal axis. */
static dlviz_status two_columns(const dlviz_tensor *result, dlviz_tensor **map) {
    int64_t n = dlviz_tensor_dim(result, 0), width = dlviz_tensor_dim(result, 1);
    TRY(dlviz_tensor_create(map, DLVIZ_FLOAT32, 2, (int64_t[]){n, 2}));
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < 2 && j < width; j++)
            dlviz_tensor_float(*map)[2 * i + j] = dlviz_tensor_const_float(result)[i * width + j];
    return DLVIZ_OK;
}

/* -- Figure --------------------------------------------------------------------------------------
 */

static const char *map_name(const struct settings *set) {
    static const char *const names[] = {"PCA", "t-SNE", "t-SNE", "map"};
    return names[set->command];
}

static dlviz_status set_axes(dlviz_figure *figure, const struct shown *shown) {
    static const char *const axes[][2] = {{"component 1", "component 2"},
                                          {"t-SNE 1", "t-SNE 2"},
                                          {"t-SNE 1", "t-SNE 2"},
                                          {NULL, NULL}};
    const char *const *axis = axes[shown->set->command];
    TRY(dlviz_figure_set_axis_labels(figure, axis[0], axis[1]));
    double shares[3] = {0};
    int64_t count = shown->shares ? dlviz_tensor_num_elements(shown->shares) : 0;
    for (int64_t i = 0; i < count && i < 3; i++)
        shares[i] = (double)dlviz_tensor_const_float(shown->shares)[i];
    return dlviz_figure_set_axis_shares(figure, count < 3 ? count : 3, shares);
}

static dlviz_status set_up(dlviz_figure *figure, const struct shown *shown) {
    TRY(dlviz_figure_set_title(figure, shown->set->title));
    TRY(set_axes(figure, shown));
    bool named = shown->labels && shown->labels->names;
    return named ? set_class_lines(figure, shown->labels->num_names,
                                   (const char *const *)shown->labels->names)
                 : DLVIZ_OK;
}

/* Of more than three columns the first two. */
static dlviz_status write_figure_of(const struct shown *shown) {
    dlviz_figure *figure = NULL;
    dlviz_tensor *two = NULL;
    dlviz_status status = DLVIZ_OK;
    if (dlviz_tensor_dim(shown->map, 1) > 3)
        status = two_columns(shown->map, &two);
    if (status == DLVIZ_OK)
        status = dlviz_figure_create_scatter(&figure, two ? two : shown->map,
                                             shown->labels ? shown->labels->of_figure : NULL);
    if (status == DLVIZ_OK)
        status = set_up(figure, shown);
    if (status == DLVIZ_OK)
        status = dlviz_figure_write(figure, shown->set->figure);
    dlviz_figure_destroy(figure);
    dlviz_tensor_destroy(two);
    return status;
}

static dlviz_status try_figure_of(const struct shown *shown) {
    dlviz_figure *figure = NULL;
    dlviz_status status = dlviz_figure_create_scatter(
        &figure, shown->map, shown->labels ? shown->labels->of_figure : NULL);
    if (status == DLVIZ_OK)
        status = set_up(figure, shown);
    dlviz_figure_destroy(figure);
    return status;
}

/* Of one point. */
dlviz_status try_figure(const struct settings *set) {
    struct shown shown = {.set = set};
    dlviz_tensor *map;
    TRY(dlviz_tensor_create(&map, DLVIZ_FLOAT32, 2, (int64_t[]){1, 2}));
    shown.map = map;
    dlviz_status status = try_figure_of(&shown);
    dlviz_tensor_destroy(map);
    return status;
}

/* -- Page ----------------------------------------------------------------------------------------
 */

/* Classes of the page are those of the figure, with the names that they have there. */
static dlviz_status set_labels(dlviz_report *report, const struct labels *labels) {
    TRY(dlviz_report_set_labels(report, labels->of_figure));
    return labels->names ? dlviz_report_set_class_names(report, labels->num_names,
                                                        (const char *const *)labels->names)
                         : DLVIZ_OK;
}

static dlviz_status set_names(dlviz_report *report, const char *path, int64_t n) {
    char **names;
    int64_t count;
    TRY(read_lines(path, n, &names, &count));
    dlviz_status status =
        count == n ? dlviz_report_set_point_names(report, n, (const char *const *)names)
                   : dlviz_fail(DLVIZ_ERROR_SHAPE, "'%s' has %lld names; there are %lld points",
                                path, (long long)count, (long long)n);
    free_lines(names, count);
    return status;
}

/* First the new points, by their names or their rows, then those of the map. */
static dlviz_status name_old_and_new(dlviz_report *report, const struct shown *shown, int64_t n) {
    int64_t count = 0;
    char **given = NULL;
    if (shown->set->names)
        TRY(read_lines(shown->set->names, shown->num_new, &given, &count));
    char(*texts)[40] = calloc((size_t)n + 1, sizeof *texts);
    const char **names = calloc((size_t)n + 1, sizeof *names);
    for (int64_t i = 0; texts && names && i < n; i++) {
        bool is_new = i < shown->num_new;
        snprintf(texts[i], sizeof *texts, is_new ? "new: row %lld" : "map: row %lld",
                 (long long)(is_new ? i : i - shown->num_new) + 1);
        names[i] = is_new && i < count ? given[i] : texts[i];
    }
    dlviz_status status =
        texts && names ? dlviz_report_set_point_names(report, n, names)
                       : dlviz_fail(DLVIZ_ERROR_OUT_OF_MEMORY, "no memory for the names of points");
    free(names);
    free(texts);
    free_lines(given, count);
    return status;
}

/* Of the first `count` of n points there are some; the others get empty ones. */
static dlviz_status set_images(dlviz_report *report, const char *path, int64_t count, int64_t n) {
    dlviz_tensor *images, *all;
    TRY(read_images(path, count, &images));
    dlviz_dtype type = dlviz_tensor_dtype(images);
    const int64_t *dims = dlviz_tensor_dims(images);
    dlviz_status status =
        dlviz_tensor_create(&all, type, 4, (int64_t[]){n, dims[1], dims[2], dims[3]});
    if (status == DLVIZ_OK) {
        size_t size = dlviz_dtype_size(type), part = (size_t)dlviz_tensor_num_elements(images);
        memset(dlviz_tensor_data(all), 0, (size_t)dlviz_tensor_num_elements(all) * size);
        memcpy(dlviz_tensor_data(all), dlviz_tensor_const_data(images), part * size);
        status = dlviz_report_set_images(report, all);
        dlviz_tensor_destroy(all);
    }
    dlviz_tensor_destroy(images);
    return status;
}

static dlviz_status set_neighbors(dlviz_report_run *run, const dlviz_tensor *points) {
    dlviz_tensor *indices;
    int64_t n = dlviz_tensor_dim(points, 0);
    if (n < 2)
        return DLVIZ_OK;
    TRY(dlviz_neighbors(points, n > NEIGHBORS ? NEIGHBORS : n - 1, n <= MOST_EXACT ? 1 : 0.99,
                        &indices, NULL));
    dlviz_status status = dlviz_report_run_set_neighbors(run, indices);
    dlviz_tensor_destroy(indices);
    return status;
}

static dlviz_status add_facts(dlviz_report_run *run, const struct shown *shown) {
    const struct settings *set = shown->set;
    char text[64];
    if (shown->points) {
        snprintf(text, sizeof text, "%lld", (long long)dlviz_tensor_dim(shown->points, 1));
        TRY(dlviz_report_run_add_fact(run, "dimensions of the points", text));
    }
    if (set->command != EMBED_TSNE)
        return DLVIZ_OK;
    snprintf(text, sizeof text, "%g",
             floor(10 * dlviz_tsne_perplexity_used(shown->tsne) + 0.5) / 10);
    TRY(dlviz_report_run_add_fact(run, "perplexity", text));
    snprintf(text, sizeof text, "%lld", (long long)set->seed);
    TRY(dlviz_report_run_add_fact(run, "seed", text));
    snprintf(text, sizeof text, "%.4f", dlviz_tsne_kl_divergence(shown->tsne));
    return dlviz_report_run_add_fact(run, "KL divergence", text);
}

static dlviz_status fill(dlviz_report *report, const struct shown *shown, int64_t n) {
    const struct settings *set = shown->set;
    dlviz_report_run *run;
    if (shown->labels)
        TRY(set_labels(report, shown->labels));
    if (shown->num_new > 0)
        TRY(name_old_and_new(report, shown, n));
    else
        TRY(set->names ? set_names(report, set->names, n) : name_rows(report, NULL, n));
    if (set->images)
        TRY(set_images(report, set->images, shown->num_new > 0 ? shown->num_new : n, n));
    TRY(dlviz_report_add_run(report, map_name(set), &run));
    TRY(dlviz_report_run_add_map(run, map_name(set)));
    TRY(dlviz_report_run_add_frame(run, -1, 1, &shown->map, NULL));
    if (shown->points && shown->num_new == 0)
        TRY(set_neighbors(run, shown->points));
    return add_facts(run, shown);
}

/* The title, or else the name of the file with the points. */
static const char *page_title(const struct settings *set, char name[256]) {
    if (set->title)
        return set->title;
    const char *slash = strrchr(set->in, '/');
    dlviz_printable(name, 256, slash ? slash + 1 : set->in);
    return name;
}

static dlviz_status write_html_of(const struct shown *shown) {
    dlviz_report *report;
    dlviz_tensor *map;
    char name[256];
    int64_t n = dlviz_tensor_dim(shown->map, 0);
    TRY(two_columns(shown->map, &map));
    struct shown flat = *shown;
    flat.map = map;
    dlviz_status status = dlviz_report_create(&report, page_title(shown->set, name), n);
    if (status == DLVIZ_OK)
        status = fill(report, &flat, n);
    if (status == DLVIZ_OK)
        status = dlviz_report_write(report, shown->set->html);
    dlviz_report_destroy(report);
    dlviz_tensor_destroy(map);
    return status;
}

static dlviz_status try_page_of(const struct shown *shown) {
    dlviz_report *report;
    char name[256];
    TRY(dlviz_report_create(&report, page_title(shown->set, name),
                            dlviz_tensor_dim(shown->map, 0)));
    dlviz_status status = shown->labels ? set_labels(report, shown->labels) : DLVIZ_OK;
    dlviz_report_destroy(report);
    return status;
}

/* -- New points in an old map --------------------------------------------------------------------
 */

/* The rows of one matrix and below them those of another, of as many columns. */
static dlviz_status stack(const dlviz_tensor *above, const dlviz_tensor *below,
                          dlviz_tensor **both) {
    int64_t width = dlviz_tensor_dim(above, 1);
    size_t first = (size_t)dlviz_tensor_num_elements(above),
           second = (size_t)dlviz_tensor_num_elements(below);
    TRY(dlviz_tensor_create(
        both, DLVIZ_FLOAT32, 2,
        (int64_t[]){dlviz_tensor_dim(above, 0) + dlviz_tensor_dim(below, 0), width}));
    memcpy(dlviz_tensor_float(*both), dlviz_tensor_const_float(above), first * sizeof(float));
    memcpy(dlviz_tensor_float(*both) + first, dlviz_tensor_const_float(below),
           second * sizeof(float));
    return DLVIZ_OK;
}

static int64_t largest(const dlviz_tensor *labels) {
    const int64_t *label = dlviz_tensor_const_data(labels);
    int64_t most = -1;
    for (int64_t i = 0; i < dlviz_tensor_num_elements(labels); i++)
        most = label[i] > most ? label[i] : most;
    return most;
}

/* The classes of the new points, if they have any, keep their places; the map's points are another. */
static dlviz_status name_classes(const struct labels *given, struct labels *all, int64_t classes) {
    all->names = calloc((size_t)classes + 1, sizeof *all->names);
    if (!all->names)
        return dlviz_fail(DLVIZ_ERROR_OUT_OF_MEMORY, "no memory for the names of classes");
    for (int64_t k = 0; k <= classes; k++) {
        char number[24];
        snprintf(number, sizeof number, "%lld", (long long)k);
        const char *name = k == classes                           ? "points of the map"
                           : !given                               ? "new points"
                           : given->names && k < given->num_names ? given->names[k]
                                                                  : number;
        all->names[k] = strdup(name);
        if (!all->names[k])
            return dlviz_fail(DLVIZ_ERROR_OUT_OF_MEMORY, "no memory for the names of classes");
        all->num_names++;
    }
    return DLVIZ_OK;
}

static dlviz_status label_both(const struct labels *given, int64_t num_new, int64_t n,
                               struct labels *all) {
    int64_t classes = given ? largest(given->of_figure) + 1 : 1;
    if (given && given->num_names > classes)
        classes = given->num_names;
    TRY(dlviz_tensor_create(&all->of_figure, DLVIZ_INT64, 1, &n));
    int64_t *label = dlviz_tensor_data(all->of_figure);
    const int64_t *own = given ? dlviz_tensor_const_data(given->of_figure) : NULL;
    for (int64_t i = 0; i < n; i++)
        label[i] = i >= num_new ? classes : own ? own[i] : 0;
    return name_classes(given, all, classes);
}

/* Both as one, which is what figures and pages are made of; any other map as it is. */
static dlviz_status with_old_points(const struct shown *shown,
                                    dlviz_status (*write)(const struct shown *)) {
    dlviz_safetensors *model;
    dlviz_tensor *old = NULL, *both = NULL;
    struct labels labels = {0};
    struct shown all = *shown;
    if (shown->set->command != EMBED_TRANSFORM)
        return write(shown);
    TRY(dlviz_safetensors_open(&model, shown->set->model));
    all.num_new = dlviz_tensor_dim(shown->map, 0);
    dlviz_status status = dlviz_safetensors_get(model, "map", &old);
    if (status == DLVIZ_OK)
        status = stack(shown->map, old, &both);
    if (status == DLVIZ_OK)
        status = label_both(shown->labels, all.num_new, dlviz_tensor_dim(both, 0), &labels);
    all.map = both;
    all.labels = &labels;
    if (status == DLVIZ_OK)
        status = write(&all);
    free_labels(&labels);
    dlviz_tensor_destroy(both);
    dlviz_tensor_destroy(old);
    dlviz_safetensors_destroy(model);
    return status;
}

dlviz_status write_figure(const struct shown *shown) {
    return with_old_points(shown, write_figure_of);
}

dlviz_status write_html(const struct shown *shown) {
    return with_old_points(shown, write_html_of);
}

/* Of how many columns the map will be, or two of them. */
static dlviz_status width_of_map(const struct settings *set, int64_t *width) {
    dlviz_safetensors *model;
    dlviz_tensor *old = NULL;
    *width = 2;
    if (set->command != EMBED_TRANSFORM)
        return DLVIZ_OK;
    TRY(dlviz_safetensors_open(&model, set->model));
    dlviz_status status = dlviz_safetensors_get(model, "map", &old);
    if (status == DLVIZ_OK)
        *width = dlviz_tensor_dim(old, 1);
    dlviz_tensor_destroy(old);
    dlviz_safetensors_destroy(model);
    return status;
}

dlviz_status try_classes(const struct settings *set, const struct labels *labels, int64_t n) {
    dlviz_tensor *map;
    int64_t width;
    if (!set->figure && !set->html)
        return DLVIZ_OK;
    TRY(width_of_map(set, &width));
    TRY(dlviz_tensor_create(&map, DLVIZ_FLOAT32, 2, (int64_t[]){n, width}));
    const struct shown shown = {.set = set, .map = map, .labels = labels};
    dlviz_status status = set->figure ? with_old_points(&shown, try_figure_of) : DLVIZ_OK;
    if (status == DLVIZ_OK && set->html)
        status = with_old_points(&shown, try_page_of);
    dlviz_tensor_destroy(map);
    return status == DLVIZ_ERROR_INVALID_ARGUMENT
               ? dlviz_fail(status, "'%s': %s", set->labels, plain_error())
               : status;
}
