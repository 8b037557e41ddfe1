/* plot/figure.h - the inside of a figure: what it shows and how. Nothing here needs cairo. */
#ifndef DLZ_FIGURE_H
#define DLZ_FIGURE_H

#include <dlviz/plot.h>

enum {
    DLZ_MAX_LABELS = 1 << 24,
    DLZ_MAX_POINT_SETS = 3, /* in addition to the first */
    DLZ_MAX_MATRIX = 256,   /* classes of a matrix, whose cells are to be seen */
    DLZ_MAX_PANELS = 16,
    DLZ_MAX_CURVES = 10,
    DLZ_MAX_TILES = 4096,
    DLZ_MAX_HEAT_MAPS = 16 /* of each image */
};

typedef enum dlz_figure_kind {
    DLZ_FIGURE_SCATTER,
    DLZ_FIGURE_CURVES,
    DLZ_FIGURE_MATRIX,
    DLZ_FIGURE_IMAGES
} dlz_figure_kind;

typedef struct dlz_names {
    char **items;
    int count;
} dlz_names;

/* Points that were added to a map, from `first` to the next set's. */
typedef struct dlz_point_set {
    char *name;
    int64_t first;
} dlz_point_set;

typedef struct dlz_scatter {
    float *points;  /* n x dims, those of added sets after the first's */
    int32_t *class; /* n, or NULL; below 0 for a point without a class */
    int64_t n;
    int dims;                               /* 1 to 3 */
    dlz_point_set sets[DLZ_MAX_POINT_SETS]; /* in addition to the first */
    int num_sets;
    double point_size, opacity; /* 0: chosen by n */
    bool ticks, counts, clip;
    int marks;                         /* -1: chosen by the number of classes */
    dlviz_tensor *values, *thumbnails; /* of the first points, or NULL */
    char *values_name;
    uint32_t *colors; /* of the classes 0 ... num_colors - 1 */
    dlviz_marker *markers;
    double *shares;
    int64_t num_colors, num_markers, num_shares;
} dlz_scatter;

typedef struct dlz_curve {
    char *name;
    double *x, *y;
    int64_t n;
} dlz_curve;

typedef struct dlz_panel {
    char *name;
    bool logarithmic, steps;
    dlz_curve curves[DLZ_MAX_CURVES];
    int count;
} dlz_panel;

typedef struct dlz_curves {
    dlz_panel panels[DLZ_MAX_PANELS];
    int count;
} dlz_curves;

typedef struct dlz_matrix {
    int64_t *counts; /* classes x classes */
    int classes;
} dlz_matrix;

/* One heat map of each image, of the images' size. */
typedef struct dlz_heat_maps {
    char *name;    /* NULL: none */
    float *values; /* n x height x width */
    float *limits; /* n: the size that has the full color */
} dlz_heat_maps;

typedef struct dlz_images {
    float *values; /* n x channels x height x width */
    int64_t n, channels, height, width;
    double low, high; /* of all values */
    int columns;      /* 0: chosen */
    int shared_range; /* -1: chosen by the values */
    dlz_names captions;
    dlz_heat_maps heat_maps[DLZ_MAX_HEAT_MAPS];
    int num_heat_maps;
} dlz_images;

struct dlviz_figure {
    dlz_figure_kind kind;
    char *title, *subtitle, *footnote, *x_label, *y_label; /* NULL: none */
    dlz_names class_names;
    dlviz_colormap colormap;
    int width, height; /* pixels; 0 until set */
    union {
        dlz_scatter scatter;
        dlz_curves curves;
        dlz_matrix matrix;
        dlz_images images;
    } of;
};

/* DLVIZ_ERROR_UNSUPPORTED in a build that cannot draw. */
dlviz_status dlz_plot_check_supported(void);
/* "curves" and so on, for messages. */
const char *dlz_figure_kind_name(dlz_figure_kind kind);
/* Fails unless the figure is of this kind; `who` is the function's name. */
dlviz_status dlz_figure_require(const char *who, const dlviz_figure *figure, dlz_figure_kind kind);

/* A new figure of this kind, with nothing in it. */
dlviz_status dlz_figure_new(dlviz_figure **out, dlz_figure_kind kind);
/* Whether all images have one range of colors, be it that this was set or chosen. */
bool dlz_images_share_range(const dlviz_figure *figure);
/* Frees what heat maps hold. */
void dlz_drop_heat_maps(dlz_heat_maps *maps);

/* Fails unless the text is what the header says text is; NULL passes. */
dlviz_status dlz_check_text(const char *who, const char *name, const char *text);
/* Replaces *slot by a copy of the text, NULL for NULL or "". */
dlviz_status dlz_set_text(const char *who, const char *name, char **slot, const char *text);
dlviz_status dlz_set_names(const char *who, const char *name, dlz_names *slot, int count,
                           const char *const *items);

#endif
