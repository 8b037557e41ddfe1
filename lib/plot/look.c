#include "plot/look.h"

dlz_look dlz_look_of(const dlz_scatter *scatter, int label) {
    dlz_look look = dlz_class_look(label);
    if (label >= 0 && label < scatter->num_colors)
        look.color = dlz_color_of_rgb(scatter->colors[label]);
    if (label >= 0 && label < scatter->num_markers && scatter->markers[label]) {
        look.marker = scatter->markers[label];
        look.hollow = false;
    }
    return look;
}

/* Viridis ends in a yellow that is hardly seen on white. */
dlz_color dlz_value_color(const dlviz_figure *figure, double share) {
    if (figure->colormap == DLVIZ_COLORMAP_AUTO)
        return dlz_colormap_at(DLVIZ_COLORMAP_VIRIDIS, 0.9 * share);
    return dlz_colormap_at(figure->colormap, share);
}
