/* In place of all drawing in a build without cairo: no figure can be made, so none can be written.
 */
#include "plot/figure.h"
#include "base/base.h"

bool dlviz_plot_supported(void) {
    return false;
}

dlviz_status dlz_plot_check_supported(void) {
    return dlz_fail(
        DLVIZ_ERROR_UNSUPPORTED,
        "this build of libdlviz draws no figures: it was built without cairo and Pango");
}

dlviz_status dlviz_figure_write(const dlviz_figure *figure, const char *path) {
    (void)figure;
    (void)path;
    return dlz_plot_check_supported();
}

dlviz_status dlviz_figure_write_memory(const dlviz_figure *figure, dlviz_figure_format format,
                                       void **bytes, size_t *size) {
    (void)figure;
    (void)format;
    if (bytes)
        *bytes = NULL;
    if (size)
        *size = 0;
    return dlz_plot_check_supported();
}
