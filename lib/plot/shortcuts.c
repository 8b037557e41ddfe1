/* Figures in one call. */
#include "base/base.h"
#include "plot/figure.h"

static dlviz_status finish(dlviz_status created, dlviz_figure *figure, const char *title,
                           const char *path) {
    dlviz_status status = created;
    if (status == DLVIZ_OK)
        status = dlviz_figure_set_title(figure, title);
    if (status == DLVIZ_OK)
        status = dlviz_figure_write(figure, path);
    dlviz_figure_destroy(figure);
    return status;
}

dlviz_status dlviz_plot_scatter(const dlviz_tensor *map, const dlviz_tensor *labels,
                                int64_t num_class_names, const char *const *class_names,
                                const char *title, const char *path) {
    DLZ_REQUIRE(map);
    DLZ_REQUIRE(path);
    dlviz_figure *figure;
    dlviz_status status = dlviz_figure_create_scatter(&figure, map, labels);
    if (status == DLVIZ_OK)
        status = dlviz_figure_set_class_names(figure, num_class_names, class_names);
    return finish(status, figure, title, path);
}

dlviz_status dlviz_plot_matrix(const dlviz_tensor *counts, const char *title, const char *path) {
    DLZ_REQUIRE(counts);
    DLZ_REQUIRE(path);
    dlviz_figure *figure;
    dlviz_status status = dlviz_figure_create_matrix(&figure, counts);
    return finish(status, figure, title, path);
}

dlviz_status dlviz_plot_images(const dlviz_tensor *images, const char *title, const char *path) {
    DLZ_REQUIRE(images);
    DLZ_REQUIRE(path);
    dlviz_figure *figure;
    dlviz_status status = dlviz_figure_create_images(&figure, images);
    return finish(status, figure, title, path);
}
