/* dlviz/plot.h - figures: maps, training curves, confusion matrices, image grids.
 *
 * One line for the common case:
 *
 *     dlviz_plot_scatter(map, labels, 0, NULL, "MNIST, t-SNE", "tsne.png");
 *
 * and a figure handle for the rest:
 *
 *     dlviz_figure *figure;
 *     dlviz_figure_create_scatter(&figure, map, labels);
 *     dlviz_figure_set_title(figure, "MNIST, features of relu5");
 *     dlviz_figure_set_axis_shares(figure, 2, (double[]){0.331, 0.210});
 *     dlviz_figure_write(figure, "pca.png");
 *     dlviz_figure_write(figure, "pca.svg");
 *     dlviz_figure_destroy(figure);
 *
 * A figure keeps copies of everything it is given. All text is UTF-8, in any script: it is set by
 * Pango in the fonts that fontconfig finds, right-to-left scripts included; what no font has is a
 * box with the character's number, and where letters are drawn, not written down as in an SVG, a
 * warning in the log (dlviz_set_log) names the first such text. Text that is too long for its place
 * is wrapped, shrunk or cut, never clipped. The same figure gives the same bytes on the same
 * machine, whatever the locale, the environment, the date and the number of threads. One figure is
 * used by one thread at a time, different figures by different threads at the same time.
 *
 * Where no font is installed no figure is drawn: that is DLVIZ_ERROR_UNSUPPORTED, with a sentence.
 * GLib, which Pango is made of, ends the process where it gets no memory; so a figure is refused
 * with DLVIZ_ERROR_OUT_OF_MEMORY where less than 8 MiB of memory or 320 MiB of addresses (32 MiB on
 * 32-bit machines) are left to the process. Unless the program has had fontconfig read its
 * settings, the first figure does, twice, to notice what was left out for want of memory, and a
 * third time where the two differ. Where no two agree, that is DLVIZ_ERROR_OUT_OF_MEMORY as well,
 * and the next figure tries again.
 *
 * In a build without cairo and Pango, the functions that create a figure or plot at once return
 * DLVIZ_ERROR_UNSUPPORTED. */
#ifndef DLVIZ_PLOT_H
#define DLVIZ_PLOT_H

#include <dlviz/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A figure: what it shows, and how. */
typedef struct dlviz_figure dlviz_figure;

/** Whether this build can draw (it was built with cairo and Pango). */
DLVIZ_API bool dlviz_plot_supported(void);

/* ---- In one line ----------------------------------------------------------------------------- */

/** Draws a map with a color and a marker for each class; see dlviz_figure_create_scatter for map
 *  and labels, dlviz_figure_set_class_names for the names and dlviz_figure_write for the path.
 *  @param class_names  num_class_names of them; 0 and NULL: classes go by their numbers
 *  @param title        may be NULL
 *  Returns every status that those three return. */
DLVIZ_CHECKED dlviz_status dlviz_plot_scatter(const dlviz_tensor *map, const dlviz_tensor *labels,
                                              int64_t num_class_names,
                                              const char *const *class_names, const char *title,
                                              const char *path);

/** Draws a confusion matrix; see dlviz_figure_create_matrix. */
DLVIZ_CHECKED dlviz_status dlviz_plot_matrix(const dlviz_tensor *counts, const char *title,
                                             const char *path);

/** Draws a grid of images; see dlviz_figure_create_images. */
DLVIZ_CHECKED dlviz_status dlviz_plot_images(const dlviz_tensor *images, const char *title,
                                             const char *path);

/* ---- Figures --------------------------------------------------------------------------------- */

/** A map of points, the same scale on all axes.
 *
 *  A map of one column is drawn as a strip: values from left to right, and those that would cover
 *  each other stacked, class by class, evenly above and below a line. A map of three columns is
 *  drawn as three panels: column 2 against 1, 3 against 1 and 3 against 2.
 *
 *  A class has the same color in every figure. There are ten colors, each with a contrast of 3:1 or
 *  more both to white and to black, which readers of every kind of color vision tell apart; six
 *  markers, by which those that are alike in gray print differ; and markers that are filled and
 *  hollow: 120 in all, which then repeat. Points so small that markers could not be seen are all
 *  circles. Class names are also written on the map, on their classes, or beside those that they
 *  would hide. A legend that has no room beside the map goes below it; of more classes than there
 *  is room for it has the largest, and tells how many others there are.
 *
 *  Points far from all others do not squeeze the map: up to one in a hundred of 8 points or more
 *  may lie outside of the frame, if it would otherwise be several times as large, and if there are
 *  not ten of them together. Then an arrow at the border shows the way to each, and a line below
 *  the frame tells how many there are; see dlviz_figure_set_clip_outliers. That line also says
 *  where points have exactly the same place, which the map shows as rings around it.
 *  @param out     receives the figure, NULL on failure; free it with dlviz_figure_destroy
 *  @param map     n x 1, n x 2 or n x 3 float32, n >= 1, all finite
 *  @param labels  n classes, uint8 or int64, each 0 to 2^24 - 1, or below 0, down to -2^31, for a
 *                 point without a class, which is drawn in gray beneath the others; NULL where none
 *                 has a class
 *
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT, DLVIZ_ERROR_SHAPE (shape or dtype, or the numbers of rows
 *  and labels differ), DLVIZ_ERROR_NUMERIC (naming the first row that is not finite),
 *  DLVIZ_ERROR_OUT_OF_MEMORY or DLVIZ_ERROR_UNSUPPORTED. */
DLVIZ_CHECKED dlviz_status dlviz_figure_create_scatter(dlviz_figure **out, const dlviz_tensor *map,
                                                       const dlviz_tensor *labels);

/** Adds another set of points to a map: new points beside old, a test set beside a training set.
 *  Its points have the colors and markers of their classes, are drawn over all earlier ones, and
 *  have an outline: one line around each point of the first set that is added, two around the
 *  second's, three around the third's; more are not accepted.
 *  @param name    the set's name in the legend; not empty
 *  @param map     m x columns float32 with the columns of the figure's map, m >= 1, all finite
 *  @param labels  m classes, or NULL, as of dlviz_figure_create_scatter. If one set has labels and
 *                 another has none, the points of that one are without a class
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT (also for a figure that is no map), DLVIZ_ERROR_SHAPE,
 *  DLVIZ_ERROR_NUMERIC or DLVIZ_ERROR_OUT_OF_MEMORY; the figure is then as before. */
DLVIZ_CHECKED dlviz_status dlviz_figure_add_points(dlviz_figure *figure, const char *name,
                                                   const dlviz_tensor *map,
                                                   const dlviz_tensor *labels);

/** Curves over a common horizontal axis (epochs), in panels one above the other; empty at first.
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT, DLVIZ_ERROR_OUT_OF_MEMORY or DLVIZ_ERROR_UNSUPPORTED. */
DLVIZ_CHECKED dlviz_status dlviz_figure_create_curves(dlviz_figure **out);

/** Adds a curve.
 *  @param panel       the panel's name, written at its vertical axis ("loss"); a name that is new
 *                     adds a panel below the others; 16 panels at most
 *  @param name        the curve's name in the legend ("training"); at most 10 curves in a panel.
 *                     Curves of one name have one color throughout the figure.
 *  @param num_points  1 or more
 *  @param x           finite numbers, or NULL for 1, 2, …, num_points
 *  @param y           those that are not finite leave a gap, as do those <= 0 on a logarithmic
 *                     axis. Axes show numbers up to 1e300, and differences, or on a
 *                     logarithmic axis numbers, down to 1e-290; what lies beyond is drawn at
 *                     the border
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT (also for a figure that does not show curves),
 *  DLVIZ_ERROR_NUMERIC (x not finite) or DLVIZ_ERROR_OUT_OF_MEMORY; the figure is then as
 *  before. */
DLVIZ_CHECKED dlviz_status dlviz_figure_add_curve(dlviz_figure *figure, const char *panel,
                                                  const char *name, int64_t num_points,
                                                  const double *x, const double *y);

/** Gives a panel that has a curve a logarithmic vertical axis (or a linear one again).
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT, or DLVIZ_ERROR_NOT_FOUND for a panel without curves, of
 *  which the getter gives false. */
DLVIZ_CHECKED dlviz_status dlviz_figure_set_log_scale(dlviz_figure *figure, const char *panel,
                                                      bool logarithmic);
DLVIZ_API bool dlviz_figure_log_scale(const dlviz_figure *figure, const char *panel);

/** Draws the curves of a panel as steps (or as lines again): each value holds from half way to the
 *  point before it to half way to the next, as a learning rate does, which changes at once.
 *  Returns as dlviz_figure_set_log_scale. */
DLVIZ_CHECKED dlviz_status dlviz_figure_set_steps(dlviz_figure *figure, const char *panel,
                                                  bool steps);
DLVIZ_API bool dlviz_figure_steps(const dlviz_figure *figure, const char *panel);

/** A confusion matrix: counts in the cells, colored by their share of the row on a cube-root scale,
 *  so that rare confusions show; the recall of each class beside its row.
 *  @param counts  C x C int64, C from 1 to 256, all >= 0; row = true class, column = predicted one
 *
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT, DLVIZ_ERROR_SHAPE, DLVIZ_ERROR_NUMERIC (a negative count),
 *  DLVIZ_ERROR_OUT_OF_MEMORY or DLVIZ_ERROR_UNSUPPORTED. */
DLVIZ_CHECKED dlviz_status dlviz_figure_create_matrix(dlviz_figure **out,
                                                      const dlviz_tensor *counts);

/** A grid of images: in blue, white and red, symmetric around 0 and on one scale, with a bar, where
 *  there are negative values, else gray, each image from its smallest value to its largest; see
 *  dlviz_figure_set_shared_range and dlviz_figure_set_colormap.
 *  @param images  n x h x w or n x c x h x w float32, all finite, n·c at most 4096. Each channel is
 *                 an image of its own; those of one n stand side by side, and where a row would
 *                 make them too small, in several rows.
 *
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT, DLVIZ_ERROR_SHAPE, DLVIZ_ERROR_NUMERIC,
 *  DLVIZ_ERROR_OUT_OF_MEMORY or DLVIZ_ERROR_UNSUPPORTED. */
DLVIZ_CHECKED dlviz_status dlviz_figure_create_images(dlviz_figure **out,
                                                      const dlviz_tensor *images);

/** Adds a heat map of each image to a grid of images, beside the image and the maps added before,
 *  drawn over a pale copy of it: red where it is above 0, blue where it is below, colorless at 0.
 *  Each map has its own range of colors, up to what 99 of 100 of its pixels are within. So the maps
 *  of dlviz/attribution.h show what speaks for an output and what against it. Images are then gray,
 *  or in color where they have three channels, unless a color map is set.
 *  @param name  a caption for each of the maps ("Grad-CAM"); may be NULL
 *  @param maps  n x h x w, or n x c x h x w whose channels are added up; float32, all finite, with
 *               n that of the images. Maps of another size than the images are resized as by
 *               dlviz_tensor_resize
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT (also for a figure that does not show images, or images
 *  that have neither 1 nor 3 channels), DLVIZ_ERROR_SHAPE, DLVIZ_ERROR_NUMERIC or
 *  DLVIZ_ERROR_OUT_OF_MEMORY; the figure is then as before. */
DLVIZ_CHECKED dlviz_status dlviz_figure_add_heat_maps(dlviz_figure *figure, const char *name,
                                                      const dlviz_tensor *maps);

/** Destroys the figure. NULL is allowed. */
DLVIZ_API void dlviz_figure_destroy(dlviz_figure *figure);

/** Draws the figure into a file: PNG, SVG or PDF by the path's extension (.png, .svg, .pdf, in
 *  either case). A PNG has the figure's size in pixels, SVG and PDF half as many points. The file
 *  is written under a temporary name and renamed when complete, so that an earlier file survives a
 *  failure. May be called any number of times.
 *
 *  An SVG has its text as text, which can be searched and read aloud, with the figure's title and a
 *  description of what it shows; each line keeps its width in whatever font a viewer has. A PNG has
 *  a palette where 256 colors are enough to show the same: no channel of a pixel is then off by
 *  more than 16 of 255 at the edges in a drawing, nor by more than 2 anywhere else or in a grid of
 *  images.
 *
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT (NULL, or another extension), DLVIZ_ERROR_STATE (a figure
 *  of curves without a curve), DLVIZ_ERROR_IO, DLVIZ_ERROR_OUT_OF_MEMORY or DLVIZ_ERROR_UNSUPPORTED
 *  (there is no font, or cairo refuses; the sentence says why). */
DLVIZ_CHECKED dlviz_status dlviz_figure_write(const dlviz_figure *figure, const char *path);

typedef enum dlviz_figure_format {
    DLVIZ_FIGURE_FORMAT_PNG = 0,
    DLVIZ_FIGURE_FORMAT_SVG = 1,
    DLVIZ_FIGURE_FORMAT_PDF = 2
} dlviz_figure_format;

/** Draws the figure into memory: the bytes of the file that dlviz_figure_write would write.
 *  @param bytes  receives them, NULL on failure; free them with dlviz_free
 *  @param size   receives how many there are
 *  Returns as dlviz_figure_write, but for DLVIZ_ERROR_IO. */
DLVIZ_CHECKED dlviz_status dlviz_figure_write_memory(const dlviz_figure *figure,
                                                     dlviz_figure_format format, void **bytes,
                                                     size_t *size);

/* ---- Settings of every figure ------------------------------------------------------------------
 * Text may be NULL or "" for none; it is otherwise valid UTF-8 of at most 4095 bytes without
 * control characters (U+0001 to U+001F, U+007F to U+009F) but newlines. A box stands for what no
 * font has, and for what is no character, as U+FFFE is none. Each setter returns
 * DLVIZ_ERROR_INVALID_ARGUMENT or DLVIZ_ERROR_OUT_OF_MEMORY and then leaves the figure as it was;
 * each names the figure it cannot be used for, of which its getter gives 0, false or NULL. Text
 * that a getter gives belongs to the figure until it is set again, and is NULL where there is
 * none. */

/** A line above the figure. */
DLVIZ_CHECKED dlviz_status dlviz_figure_set_title(dlviz_figure *figure, const char *title);
DLVIZ_API const char *dlviz_figure_title(const dlviz_figure *figure);
/** A smaller line below the title. */
DLVIZ_CHECKED dlviz_status dlviz_figure_set_subtitle(dlviz_figure *figure, const char *subtitle);
DLVIZ_API const char *dlviz_figure_subtitle(const dlviz_figure *figure);
/** A small line below the figure, e.g. "KL 1.72 · kNN preservation 0.46". */
DLVIZ_CHECKED dlviz_status dlviz_figure_set_footnote(dlviz_figure *figure, const char *footnote);
DLVIZ_API const char *dlviz_figure_footnote(const dlviz_figure *figure);

/** The size in pixels, each 200 to 16384. Text and marks grow with the square root of the area.
 *  Until it is set, the getter gives zeros, and the figure is 1200 high and 1600 wide; image grids
 *  take what they need of that width, and the height for it, and maps the height that their points
 *  fill, at most about as much as the width, with more for a long legend below. */
DLVIZ_CHECKED dlviz_status dlviz_figure_set_size(dlviz_figure *figure, int64_t height,
                                                 int64_t width);
DLVIZ_API void dlviz_figure_size(const dlviz_figure *figure, int64_t *height, int64_t *width);

/** What the axes show. Curves have their panels' names on the vertical axis and take only `x`
 *  ("epoch" by default); a matrix has "predicted" and "true" by default; images have no axes. In a
 *  map they name the first two columns, and "t-SNE 1" and "t-SNE 2" so also a third; see
 *  dlviz_figure_set_axis_shares. */
DLVIZ_CHECKED dlviz_status dlviz_figure_set_axis_labels(dlviz_figure *figure, const char *x,
                                                        const char *y);
DLVIZ_API void dlviz_figure_axis_labels(const dlviz_figure *figure, const char **x, const char **y);

/** The names of the classes 0 … num_classes − 1 of a scatter figure or matrix; a class whose name
 *  is missing, NULL or "" goes by its number. No classes (names may be NULL) takes the names away.
 *  A matrix needs one for each class, else DLVIZ_ERROR_SHAPE. The getter gives NULL for a class
 *  without a name. */
DLVIZ_CHECKED dlviz_status dlviz_figure_set_class_names(dlviz_figure *figure, int64_t num_classes,
                                                        const char *const *names);
DLVIZ_API int64_t dlviz_figure_num_class_names(const dlviz_figure *figure);
DLVIZ_API const char *dlviz_figure_class_name(const dlviz_figure *figure, int64_t index);

typedef enum dlviz_colormap {
    DLVIZ_COLORMAP_AUTO = 0,
    DLVIZ_COLORMAP_BLUES = 1,     /**< white to dark blue; the default of a matrix */
    DLVIZ_COLORMAP_VIRIDIS = 2,   /**< dark violet over green to yellow */
    DLVIZ_COLORMAP_GRAY = 3,      /**< black to white */
    DLVIZ_COLORMAP_DIVERGING = 4, /**< blue, white, red, symmetric around 0; not of a matrix */
    DLVIZ_COLORMAP_RGB = 5        /**< the three channels of n x 3 x h x w images as one color */
} dlviz_colormap;

/** The colors of a matrix, of images, or of the values of a map (dlviz_figure_set_values), which
 *  takes all but RGB and has viridis without its palest part by default; DLVIZ_COLORMAP_AUTO unless
 *  set. */
DLVIZ_CHECKED dlviz_status dlviz_figure_set_colormap(dlviz_figure *figure, dlviz_colormap colormap);
DLVIZ_API dlviz_colormap dlviz_figure_colormap(const dlviz_figure *figure);

/* ---- Settings of scatter figures ------------------------------------------------------------- */

/** Colors points by a number each, with a bar that says which color is which, instead of by their
 *  classes, whose names stay on the map. The bar leaves out values far from all others, as the map
 *  does points, and says so.
 *  @param values  one float32 for each point of the figure, those of added sets after the first's;
 *                 NaN for a point without one, which is drawn in gray beneath the others; at least
 *                 one must be finite, none infinite. NULL takes the values away. Points that are
 *                 added later are without one
 *  @param name    written at the bar ("confidence"); may be NULL
 *  Also DLVIZ_ERROR_SHAPE and DLVIZ_ERROR_NUMERIC. The getter gives the figure's own copy. */
DLVIZ_CHECKED dlviz_status dlviz_figure_set_values(dlviz_figure *figure, const dlviz_tensor *values,
                                                   const char *name);
DLVIZ_API void dlviz_figure_values(const dlviz_figure *figure, const dlviz_tensor **values,
                                   const char **name);

/** Draws small images of points on the map, each at its point, as many as there is room for: none
 *  hides a class's name or another image, and together they cover at most half of what is seen of
 *  any class, besides their own points. Each has a frame in its class's color.
 *  @param images  n x c x h x w, or n x h x w, one for each point as in dlviz_figure_set_values;
 *                 c is 1 (gray) or 3 (red, green, blue); uint8, or float32, all finite, drawn from
 *                 0 to 1, or from the smallest to the largest value if those lie outside. NULL
 *                 takes them away
 *  Also DLVIZ_ERROR_SHAPE and DLVIZ_ERROR_NUMERIC. The getter gives the figure's own copy. */
DLVIZ_CHECKED dlviz_status dlviz_figure_set_thumbnails(dlviz_figure *figure,
                                                       const dlviz_tensor *images);
DLVIZ_API const dlviz_tensor *dlviz_figure_thumbnails(const dlviz_figure *figure);

/** The colors of the classes 0 … num_classes − 1, 0xRRGGBB; further classes have those of every
 *  figure. No classes (the array may be NULL) gives all of them back. The getter tells what color a
 *  class has, of every class from 0 to 2^24 − 1. */
DLVIZ_CHECKED dlviz_status dlviz_figure_set_class_colors(dlviz_figure *figure, int64_t num_classes,
                                                         const uint32_t *colors);
DLVIZ_API int64_t dlviz_figure_num_class_colors(const dlviz_figure *figure);
DLVIZ_API uint32_t dlviz_figure_class_color(const dlviz_figure *figure, int64_t index);

typedef enum dlviz_marker {
    DLVIZ_MARKER_AUTO = 0, /**< that of the class in every figure */
    DLVIZ_MARKER_CIRCLE = 1,
    DLVIZ_MARKER_SQUARE = 2,
    DLVIZ_MARKER_TRIANGLE = 3,
    DLVIZ_MARKER_DIAMOND = 4,
    DLVIZ_MARKER_TRIANGLE_DOWN = 5,
    DLVIZ_MARKER_PLUS = 6
} dlviz_marker;

/** The markers of the classes 0 … num_classes − 1, filled, and drawn however small points are;
 *  further classes have those of every figure. No classes (the array may be NULL) gives all of them
 *  back. The getter tells what marker a class has, as for the colors. */
DLVIZ_CHECKED dlviz_status dlviz_figure_set_class_markers(dlviz_figure *figure, int64_t num_classes,
                                                          const dlviz_marker *markers);
DLVIZ_API int64_t dlviz_figure_num_class_markers(const dlviz_figure *figure);
DLVIZ_API dlviz_marker dlviz_figure_class_marker(const dlviz_figure *figure, int64_t index);

/** How much of all variance each column of the map explains: of principal components, in their
 *  order. Axes then tell it after their names, in percent, and are called "PC 1" and so on unless
 *  dlviz_figure_set_axis_labels says otherwise.
 *  @param num_shares  0 takes them away (the array may be NULL); those beyond the map's columns are
 *                     kept and not drawn
 *  @param shares      0 to 1 each
 *  The getter gives NaN where there is none. */
DLVIZ_CHECKED dlviz_status dlviz_figure_set_axis_shares(dlviz_figure *figure, int64_t num_shares,
                                                        const double *shares);
DLVIZ_API int64_t dlviz_figure_num_axis_shares(const dlviz_figure *figure);
DLVIZ_API double dlviz_figure_axis_share(const dlviz_figure *figure, int64_t index);

/** Whether the few points far from all others may lie outside of the frame; on by default. */
DLVIZ_CHECKED dlviz_status dlviz_figure_set_clip_outliers(dlviz_figure *figure, bool clip_outliers);
DLVIZ_API bool dlviz_figure_clip_outliers(const dlviz_figure *figure);

/** The diameter of a point in pixels, 0.5 to 100; 0, the default, chooses by the number of
 *  points. */
DLVIZ_CHECKED dlviz_status dlviz_figure_set_point_size(dlviz_figure *figure, double pixels);
DLVIZ_API double dlviz_figure_point_size(const dlviz_figure *figure);
/** How opaque a point is, above 0 up to 1; 0, the default, chooses by the number of points. */
DLVIZ_CHECKED dlviz_status dlviz_figure_set_opacity(dlviz_figure *figure, double opacity);
DLVIZ_API double dlviz_figure_opacity(const dlviz_figure *figure);
/** Whether the axes have numbers and grid lines; off by default. */
DLVIZ_CHECKED dlviz_status dlviz_figure_set_ticks(dlviz_figure *figure, bool ticks);
DLVIZ_API bool dlviz_figure_ticks(const dlviz_figure *figure);
/** Whether the legend tells how many points a class has; off by default. */
DLVIZ_CHECKED dlviz_status dlviz_figure_set_class_counts(dlviz_figure *figure, bool counts);
DLVIZ_API bool dlviz_figure_class_counts(const dlviz_figure *figure);
/** Whether class names are written on the map; until it is set, those of up to 256 classes are. A
 *  name lies at the median of its class, or where that would cover more than a tenth of any class,
 *  in the nearest free place, with a line to its class if that is away; one that finds no place is
 *  left to the legend, as are all but those of the 256 largest classes. */
DLVIZ_CHECKED dlviz_status dlviz_figure_set_class_marks(dlviz_figure *figure, bool marks);
DLVIZ_API bool dlviz_figure_class_marks(const dlviz_figure *figure);

/* ---- Settings of image grids ----------------------------------------------------------------- */

/** One caption for each image, in the order of the images (of n, where channels have tiles of their
 *  own); 0 captions (the array may be NULL) take them away. Also DLVIZ_ERROR_SHAPE for another
 *  number. */
DLVIZ_CHECKED dlviz_status dlviz_figure_set_captions(dlviz_figure *figure, int64_t num_captions,
                                                     const char *const *captions);
DLVIZ_API int64_t dlviz_figure_num_captions(const dlviz_figure *figure);
DLVIZ_API const char *dlviz_figure_caption(const dlviz_figure *figure, int64_t index);
/** Images in a row, with their heat maps, 1 to 4096; 0, the default, chooses. A row has fewer where
 *  so many do not fit on the page, and more where there would be too many rows. */
DLVIZ_CHECKED dlviz_status dlviz_figure_set_num_columns(dlviz_figure *figure, int64_t num_columns);
DLVIZ_API int64_t dlviz_figure_num_columns(const dlviz_figure *figure);
/** Whether all images have one range of colors, from the smallest value of all to the largest, with
 *  a bar beside the grid that tells which color is which value; else each image, or channel, has
 *  its own. Until it is set, images that are drawn in blue, white and red share one, so that the
 *  filters of a layer can be compared; gray ones and those with heat maps do not. The getter tells
 *  which it is. */
DLVIZ_CHECKED dlviz_status dlviz_figure_set_shared_range(dlviz_figure *figure, bool shared);
DLVIZ_API bool dlviz_figure_shared_range(const dlviz_figure *figure);

#ifdef __cplusplus
}
#endif
#endif
