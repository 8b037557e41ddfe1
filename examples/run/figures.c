/* A run's figures, each as PNG and as SVG. */
#include "class_lines.h"
#include "folder.h"
#include "run.h"
#include "text.h"
#include "try.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_MATRIX_CLASSES = 256, MOST_TILES = 1024 };

/* Titles the figure and writes it twice; destroys it whatever happens. */
static dlviz_status finish(const struct run *run, dlviz_figure *figure, const char *what,
                           const char *footnote, const char *name) {
    char title[256], subtitle[224], file[64];
    snprintf(title, sizeof title, "%s: %s", run->data.name, what);
    snprintf(subtitle, sizeof subtitle, "%s · test accuracy %.2f %%", run->title,
             100 * run->test_accuracy);
    dlviz_status status = dlviz_figure_set_title(figure, title);
    if (status == DLVIZ_OK)
        status = dlviz_figure_set_subtitle(figure, subtitle);
    if (status == DLVIZ_OK && footnote)
        status = dlviz_figure_set_footnote(figure, footnote);
    static const char *const extensions[] = {"png", "svg"};
    for (int i = 0; status == DLVIZ_OK && i < 2; i++) {
        snprintf(file, sizeof file, "%s.%s", name, extensions[i]);
        status = dlviz_figure_write(figure, result_path(run->options.out, file));
    }
    dlviz_figure_destroy(figure);
    return status;
}

static dlviz_status set_names(const struct run *run, dlviz_figure *figure) {
    int64_t classes = dlviz_dataset_num_classes(run->data.test);
    if (!dlviz_dataset_class_name(run->data.test, 0))
        return DLVIZ_OK;
    const char **names = calloc((size_t)classes, sizeof *names);
    if (!names)
        return dlviz_fail(DLVIZ_ERROR_OUT_OF_MEMORY, "no memory for the names of classes");
    for (int64_t i = 0; i < classes; i++)
        names[i] = dlviz_dataset_class_name(run->data.test, i);
    dlviz_status status = set_class_lines(figure, classes, names);
    free(names);
    return status;
}

static dlviz_status draw_map(const struct run *run, const dlviz_tensor *map, const char *x,
                             const char *y, const double *shares, const char *what,
                             const char *footnote, const char *name) {
    dlviz_figure *figure;
    TRY(dlviz_figure_create_scatter(&figure, map, dlviz_dataset_labels(run->data.test)));
    dlviz_status status = dlviz_figure_set_axis_labels(figure, x, y);
    if (status == DLVIZ_OK && shares)
        status = dlviz_figure_set_axis_shares(figure, 2, shares);
    if (status == DLVIZ_OK)
        status = set_names(run, figure);
    if (status != DLVIZ_OK) {
        dlviz_figure_destroy(figure);
        return status;
    }
    return finish(run, figure, what, footnote, name);
}

static dlviz_status draw_pca(const struct run *run) {
    const dlviz_tensor *ratios = dlviz_pca_explained_variance_ratio(run->pca);
    int64_t count = dlviz_tensor_num_elements(ratios);
    double shares[2] = {(double)dlviz_tensor_const_float(ratios)[0], 0};
    char layer[64], what[96];
    if (count > 1)
        shares[1] = (double)dlviz_tensor_const_float(ratios)[1];
    dlviz_printable(layer, sizeof layer, run->layer);
    snprintf(what, sizeof what, "PCA of the features at %s", layer);
    return draw_map(run, run->pca_map, "component 1", "component 2", shares, what, NULL, "pca");
}

/* Never what was learned alone: what there was without it stands beside it. */
static dlviz_status draw_tsne(const struct run *run) {
    const struct quality *quality = &run->learned;
    char layer[64], what[96], footnote[320];
    dlviz_printable(layer, sizeof layer, run->layer);
    snprintf(what, sizeof what, "t-SNE of the features at %s", layer);
    snprintf(
        footnote, sizeof footnote,
        "perplexity %g · KL divergence %.3f · the %d nearest neighbors vote for the right class "
        "for %.2f %% (untrained network %.2f %%, %s %.2f %%) · %.1f %% of them are neighbors in "
        "the features · trustworthiness %.3f",
        run->perplexity, quality->kl_divergence, QUALITY_NEIGHBORS,
        100 * quality->neighbor_accuracy, 100 * run->untrained.neighbor_accuracy,
        run->data.original[0] > 0 ? "pixels" : "columns", 100 * run->pixels.neighbor_accuracy,
        100 * quality->preservation, quality->trustworthiness);
    bool measured = quality->trustworthiness == quality->trustworthiness; /* no NaN */
    return draw_map(run, run->tsne_map, "t-SNE 1", "t-SNE 2", NULL, what,
                    measured ? footnote : NULL, "tsne");
}

static dlviz_status add_curve(const struct run *run, dlviz_figure *figure, const char *panel,
                              const char *name, const char *metric, double factor) {
    int64_t epochs = dlviz_trainer_num_epochs(run->trainer);
    double *values = calloc((size_t)epochs, sizeof *values);
    if (!values)
        return dlviz_fail(DLVIZ_ERROR_OUT_OF_MEMORY, "no memory for a curve");
    for (int64_t i = 0; i < epochs; i++)
        values[i] = factor * dlviz_trainer_history(run->trainer, i, metric);
    dlviz_status status = dlviz_figure_add_curve(figure, panel, name, epochs, NULL, values);
    free(values);
    return status;
}

static dlviz_status add_curves(const struct run *run, dlviz_figure *figure) {
    TRY(add_curve(run, figure, "loss", "training", "train_loss", 1));
    if (run->data.validation)
        TRY(add_curve(run, figure, "loss", "validation", "validation_loss", 1));
    TRY(add_curve(run, figure, "accuracy (%)", "training", "train_accuracy", 100));
    if (run->data.validation)
        TRY(add_curve(run, figure, "accuracy (%)", "validation", "validation_accuracy", 100));
    TRY(add_curve(run, figure, "learning rate", "learning rate", "learning_rate", 1));
    /* The other schedules change it all the time. */
    if (run->options.schedule == SCHEDULE_CONSTANT || run->options.schedule == SCHEDULE_PLATEAU)
        TRY(dlviz_figure_set_steps(figure, "learning rate", true));
    return dlviz_figure_set_log_scale(figure, "learning rate", true);
}

static dlviz_status draw_training(const struct run *run) {
    dlviz_figure *figure;
    TRY(dlviz_figure_create_curves(&figure));
    dlviz_status status = add_curves(run, figure);
    if (status != DLVIZ_OK) {
        dlviz_figure_destroy(figure);
        return status;
    }
    return finish(run, figure, "training",
                  "training figures are taken during the epoch, as dropout and augmentation "
                  "leave it; validation figures after it",
                  "training");
}

static dlviz_status draw_confusion(const struct run *run) {
    dlviz_figure *figure;
    if (dlviz_tensor_dim(run->confusion, 0) > MOST_MATRIX_CLASSES)
        return DLVIZ_OK;
    TRY(dlviz_figure_create_matrix(&figure, run->confusion));
    dlviz_status status = set_names(run, figure);
    if (status != DLVIZ_OK) {
        dlviz_figure_destroy(figure);
        return status;
    }
    return finish(run, figure, "confusion matrix of the test samples", NULL, "confusion");
}

/* The weights of the first convolution; "" if there is none. */
static void first_filters(const struct run *run, char layer[64], dlviz_tensor **weights) {
    *weights = NULL;
    for (int64_t i = 0; i < dlviz_network_num_states(run->network); i++) {
        const char *state = dlviz_network_state_name(run->network, i);
        const char *end = strrchr(state, '.');
        if (!end || strcmp(end, ".weight") != 0 ||
            dlviz_network_get_state(run->network, state, weights) != DLVIZ_OK)
            continue;
        int64_t tiles = dlviz_tensor_dim(*weights, 0) * dlviz_tensor_dim(*weights, 1);
        if (dlviz_tensor_ndim(*weights) == 4 && tiles <= MOST_TILES) {
            char name[512];
            snprintf(name, sizeof name, "%.*s", (int)(end - state), state);
            dlviz_printable(layer, 64, name);
            return;
        }
        dlviz_tensor_destroy(*weights);
        *weights = NULL;
    }
}

static dlviz_status draw_filters(const struct run *run) {
    dlviz_tensor *weights;
    dlviz_figure *figure;
    char layer[64], what[128];
    first_filters(run, layer, &weights);
    if (!weights)
        return DLVIZ_OK;
    snprintf(what, sizeof what, "the %lld filters of %s", (long long)dlviz_tensor_dim(weights, 0),
             layer);
    dlviz_status status = dlviz_figure_create_images(&figure, weights);
    dlviz_tensor_destroy(weights);
    TRY(status);
    return finish(run, figure, what, "blue below zero, red above", "filters");
}

/* What fails for want of memory, of threads or of a font is only the drawing; a page needs no figures. */
static bool does_without(dlviz_status status) {
    return status == DLVIZ_ERROR_OUT_OF_MEMORY || status == DLVIZ_ERROR_UNSUPPORTED;
}

dlviz_status write_figures(struct run *run) {
    static dlviz_status (*const draw[])(const struct run *) = {draw_training, draw_pca, draw_tsne,
                                                               draw_confusion, draw_filters};
    remove_figures(run->options.out); /* an earlier run may have drawn others */
    if (!dlviz_plot_supported())
        return DLVIZ_OK;
    for (int i = 0; i < 5; i++) {
        if (!go_on(run, "figures", i / 5.0))
            return DLVIZ_CANCELLED;
        dlviz_status status = draw[i](run);
        if (does_without(status)) {
            remove_figures(run->options.out);
            warn(run, "the figures are left out: %s", plain_error());
            return DLVIZ_OK;
        }
        TRY(status);
    }
    run->has_figures = true;
    return DLVIZ_OK;
}
