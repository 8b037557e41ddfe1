/* The report's figures, each as PNG and as SVG. */
#include "report.h"

#include <stdio.h>

#define TRY(call)                                                                                  \
    do {                                                                                           \
        dlviz_status try_status = (call);                                                          \
        if (try_status != DLVIZ_OK)                                                                \
            return try_status;                                                                     \
    } while (0)

/* Titles the figure and writes it twice; destroys it whatever happens. */
static dlviz_status finish(const struct report *report, dlviz_figure *figure, const char *what,
                           const char *footnote, const char *name) {
    char title[160], subtitle[160], file[64];
    snprintf(title, sizeof title, "%s: %s", report->dataset_name, what);
    snprintf(subtitle, sizeof subtitle, "%s · test accuracy %.2f %%", report->title,
             100 * report->test_accuracy);
    dlviz_status status = dlviz_figure_set_title(figure, title);
    if (status == DLVIZ_OK)
        status = dlviz_figure_set_subtitle(figure, subtitle);
    if (status == DLVIZ_OK && footnote)
        status = dlviz_figure_set_footnote(figure, footnote);
    static const char *const extensions[] = {"png", "svg"};
    for (int i = 0; status == DLVIZ_OK && i < 2; i++) {
        snprintf(file, sizeof file, "%s.%s", name, extensions[i]);
        status = dlviz_figure_write(figure, result_path(report, file));
    }
    dlviz_figure_destroy(figure);
    return status;
}

static dlviz_status set_names(const struct report *report, dlviz_figure *figure) {
    const char *names[10];
    for (int i = 0; i < 10; i++)
        names[i] = dlviz_dataset_class_name(report->test, i);
    return names[0] ? dlviz_figure_set_class_names(figure, 10, names) : DLVIZ_OK;
}

static dlviz_status draw_map(const struct report *report, const dlviz_tensor *map, const char *x,
                             const char *y, const char *what, const char *footnote,
                             const char *name) {
    dlviz_figure *figure;
    TRY(dlviz_figure_create_scatter(&figure, map, dlviz_dataset_labels(report->test)));
    dlviz_status status = dlviz_figure_set_axis_labels(figure, x, y);
    if (status == DLVIZ_OK)
        status = set_names(report, figure);
    if (status != DLVIZ_OK) {
        dlviz_figure_destroy(figure);
        return status;
    }
    return finish(report, figure, what, footnote, name);
}

static dlviz_status draw_pca(const struct report *report) {
    const dlviz_tensor *ratios = dlviz_pca_explained_variance_ratio(report->pca);
    const float *ratio = dlviz_tensor_const_float(ratios);
    char x[64], y[64], what[96];
    snprintf(x, sizeof x, "component 1 (%.1f %% of the variance)", 100 * (double)ratio[0]);
    snprintf(y, sizeof y, "component 2 (%.1f %%)",
             dlviz_tensor_num_elements(ratios) > 1 ? 100 * (double)ratio[1] : 0.0);
    snprintf(what, sizeof what, "PCA of the features at %s", report->options.layer);
    return draw_map(report, report->pca_map, x, y, what, NULL, "pca");
}

static dlviz_status draw_tsne(const struct report *report) {
    const struct quality *quality = &report->quality;
    char what[96], footnote[256];
    snprintf(what, sizeof what, "t-SNE of the features at %s", report->options.layer);
    snprintf(
        footnote, sizeof footnote,
        "perplexity %g · %lld iterations · KL divergence %.3f · of the %d nearest neighbors %.1f "
        "%% are kept, and vote for the right class for %.2f %% · trustworthiness %.3f",
        report->options.perplexity, (long long)dlviz_tsne_num_iterations_done(report->tsne),
        dlviz_tsne_kl_divergence(report->tsne), QUALITY_NEIGHBORS, 100 * quality->preservation,
        100 * quality->neighbor_accuracy, quality->trustworthiness);
    return draw_map(report, report->tsne_map, "t-SNE 1", "t-SNE 2", what, footnote, "tsne");
}

static dlviz_status add_curve(const struct report *report, dlviz_figure *figure, const char *panel,
                              const char *name, const char *metric, double factor) {
    double values[4096];
    int epochs = (int)dlviz_trainer_num_epochs(report->trainer);
    if (epochs > 4096)
        epochs = 4096;
    for (int i = 0; i < epochs; i++)
        values[i] = factor * dlviz_trainer_history(report->trainer, i, metric);
    return dlviz_figure_add_curve(figure, panel, name, epochs, NULL, values);
}

static dlviz_status add_curves(const struct report *report, dlviz_figure *figure) {
    TRY(add_curve(report, figure, "loss", "training", "train_loss", 1));
    TRY(add_curve(report, figure, "loss", "validation", "validation_loss", 1));
    TRY(add_curve(report, figure, "accuracy (%)", "training", "train_accuracy", 100));
    TRY(add_curve(report, figure, "accuracy (%)", "validation", "validation_accuracy", 100));
    TRY(add_curve(report, figure, "learning rate", "learning rate", "learning_rate", 1));
    return dlviz_figure_set_log_scale(figure, "learning rate", true);
}

static dlviz_status draw_training(const struct report *report) {
    dlviz_figure *figure;
    TRY(dlviz_figure_create_curves(&figure));
    dlviz_status status = add_curves(report, figure);
    if (status != DLVIZ_OK) {
        dlviz_figure_destroy(figure);
        return status;
    }
    return finish(report, figure, "training",
                  "training figures are taken during the epoch, with dropout; validation figures "
                  "after it",
                  "training");
}

static dlviz_status draw_confusion(const struct report *report) {
    dlviz_figure *figure;
    TRY(dlviz_figure_create_matrix(&figure, report->confusion));
    dlviz_status status = set_names(report, figure);
    if (status != DLVIZ_OK) {
        dlviz_figure_destroy(figure);
        return status;
    }
    return finish(report, figure, "confusion matrix of the test images", NULL, "confusion");
}

static dlviz_status draw_filters(const struct report *report) {
    dlviz_tensor *weights;
    dlviz_figure *figure;
    TRY(dlviz_network_get_state(report->network, "conv1.weight", &weights));
    dlviz_status status = dlviz_figure_create_images(&figure, weights);
    dlviz_tensor_destroy(weights);
    TRY(status);
    return finish(report, figure, "the 32 filters of conv1", "blue below zero, red above",
                  "filters");
}

dlviz_status write_figures(const struct report *report) {
    if (!dlviz_plot_supported())
        return DLVIZ_OK;
    TRY(draw_training(report));
    TRY(draw_pca(report));
    TRY(draw_tsne(report));
    TRY(draw_confusion(report));
    return draw_filters(report);
}
