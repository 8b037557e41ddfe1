/* dlviz/report.h - one HTML page that shows a map, and what a network says of its points.
 *
 *     dlviz_report *report;
 *     dlviz_report_run *run;
 *     dlviz_report_create(&report, "MNIST", dlviz_dataset_num_samples(test));
 *     dlviz_report_set_images_of(report, test);
 *     dlviz_report_set_labels(report, dlviz_dataset_labels(test));
 *     dlviz_report_add_run(report, "relu5, 20 epochs", &run);
 *     dlviz_report_run_add_film(run, film);       // see dlviz/film.h, where one is made
 *     dlviz_report_run_set_network(run, network, "relu5");
 *     dlviz_report_run_set_history(run, trainer);
 *     dlviz_report_write(report, "report.html");
 *     dlviz_report_destroy(report);
 *
 * The page is one file without any other: pictures, numbers and program are in it, it asks for
 * nothing from anywhere, and it opens from a disk. A report keeps copies of what it is given, as
 * the page will have them: maps in steps of 1/65536 of their width, probabilities in 256 steps.
 * The same report gives the same bytes, whatever the locale, the date and the number of threads.
 *
 * What belongs to the points (images, labels, names) is the report's; what belongs to one training
 * (maps, outputs, curves) is a run's, and a page may have several: dlviz_report_merge adds those
 * of another page. All text is UTF-8 and may hold anything, such as "</script>". One report, its
 * runs included, is used by one thread at a time, different reports by different threads at the
 * same time. No cairo is needed.
 *
 * Texts that getters return belong to the report, and are valid until what they name is set anew or
 * the report is destroyed; NULL where there is none. Getters of a NULL handle give 0, NULL or NaN.
 * Before a report made with 0 points has merged a page, whatever is given to it fails with
 * DLVIZ_ERROR_STATE. */
#ifndef DLVIZ_REPORT_H
#define DLVIZ_REPORT_H

#include <dlviz/dataset.h>
#include <dlviz/film.h>
#include <dlviz/network.h>
#include <dlviz/tensor.h>
#include <dlviz/trainer.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A page that is being put together. */
typedef struct dlviz_report dlviz_report;
/** A training, or whatever else made maps of a report's points; owned by the report. */
typedef struct dlviz_report_run dlviz_report_run;

/** Begins a report.
 *  @param out         receives it, NULL on failure; free it with dlviz_report_destroy
 *  @param title       what the points are ("MNIST"); NULL: that of the first page that is merged
 *  @param num_points  1 to 2^31 - 1; 0: as many as the first page that is merged has, and nothing
 *                     else can be given before that
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT or DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_CHECKED dlviz_status dlviz_report_create(dlviz_report **out, const char *title,
                                               int64_t num_points);
/** Destroys the report and its runs. NULL is allowed. */
DLVIZ_API void dlviz_report_destroy(dlviz_report *report);
DLVIZ_API const char *dlviz_report_title(const dlviz_report *report);
DLVIZ_API int64_t dlviz_report_num_points(const dlviz_report *report);

/* ---- What the points are --------------------------------------------------------------------- */

/** The points' pictures. The page has thumbnails of at most 64 x 64 pixels, larger images being
 *  made smaller by averaging over areas. Above 20,000 points it has a sample of them: those that a
 *  run's last frame gets wrong, then as many of each class as its share. A page that would pass 10
 *  MB gets 16 shades of gray instead of 256, or fewer colors, and then fewer pictures.
 *  @param images  n x c x h x w, c 1 or 3, all sizes 1 or more; uint8, or float32 of 0 … 1, beyond
 *                 which values count as 0 or 1 (DLVIZ_ERROR_NUMERIC for NaN). Not what
 *                 dlviz_dataset_samples gives of a normalized dataset, whose colors are not those
 *                 of the images: dlviz_report_set_images_of takes the dataset itself
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT, DLVIZ_ERROR_SHAPE, DLVIZ_ERROR_NUMERIC or
 *  DLVIZ_ERROR_OUT_OF_MEMORY; the report is then as before. */
DLVIZ_CHECKED dlviz_status dlviz_report_set_images(dlviz_report *report,
                                                   const dlviz_tensor *images);
/** The same of the samples of a dataset: as a network sees them, but neither normalized nor
 *  enlarged. Each is made smaller as soon as it is loaded, with all threads, so that this takes
 *  little memory also where samples are decoded from files. Nothing but the pictures is taken;
 *  labels are dlviz_dataset_labels, names dlviz_dataset_class_name and dlviz_dataset_sample_path.
 *  @param dataset  of n images with 1 or 3 channels, in the order of the points; where float
 *                  samples go beyond 0 … 1, the least of all is black and the largest white. It may
 *                  be destroyed afterwards
 *  Returns as dlviz_report_set_images; and DLVIZ_ERROR_IO or DLVIZ_ERROR_FORMAT where samples are
 *  decoded from files, or DLVIZ_CANCELLED (dlviz_set_progress). */
DLVIZ_CHECKED dlviz_status dlviz_report_set_images_of(dlviz_report *report,
                                                      const dlviz_dataset *dataset);
/** A copy of the thumbnails.
 *  @param images  receives them, uint8, n x c x h x w; destroy it with dlviz_tensor_destroy
 *  Returns DLVIZ_ERROR_STATE where there are none, or only of some points, as a page that was
 *  merged may have them. */
DLVIZ_CHECKED dlviz_status dlviz_report_get_images(const dlviz_report *report,
                                                   dlviz_tensor **images);

/** The points' true classes.
 *  @param labels  n, uint8 or int64, each 0 to 65,533, or below 0 for a point without a class
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT (a label too large, or without a name where
 *  dlviz_report_set_class_names has given names), DLVIZ_ERROR_SHAPE or DLVIZ_ERROR_OUT_OF_MEMORY;
 *  the report is then as before. */
DLVIZ_CHECKED dlviz_status dlviz_report_set_labels(dlviz_report *report,
                                                   const dlviz_tensor *labels);
/** A copy: n int64, −1 for a point without a class; destroy it with dlviz_tensor_destroy. Returns
 *  DLVIZ_ERROR_STATE where there are no labels. */
DLVIZ_CHECKED dlviz_status dlviz_report_get_labels(const dlviz_report *report,
                                                   dlviz_tensor **labels);

/** The names of the classes 0 … num_classes − 1: at least as many as labels and outputs need,
 *  65,534 at most. Without this, classes have the names that a run's network knows, else their
 *  numbers.
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT, DLVIZ_ERROR_STATE (a report without points) or
 *  DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_CHECKED dlviz_status dlviz_report_set_class_names(dlviz_report *report, int64_t num_classes,
                                                        const char *const *names);
DLVIZ_API int64_t dlviz_report_num_class_names(const dlviz_report *report);
/** NULL for a class without a name. */
DLVIZ_API const char *dlviz_report_class_name(const dlviz_report *report, int64_t index);

/** The points' own names, such as those of their files.
 *  @param num_names  the number of points
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT or DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_CHECKED dlviz_status dlviz_report_set_point_names(dlviz_report *report, int64_t num_names,
                                                        const char *const *names);
/** 0 or the number of points. */
DLVIZ_API int64_t dlviz_report_num_point_names(const dlviz_report *report);
DLVIZ_API const char *dlviz_report_point_name(const dlviz_report *report, int64_t index);

/* ---- Runs ------------------------------------------------------------------------------------ */

/** Adds a run.
 *  @param name  what tells it from the report's others ("learning rate 1e-3"); not empty, and no
 *               other run's
 *  @param run   receives it, NULL on failure; owned by the report
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT or DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_CHECKED dlviz_status dlviz_report_add_run(dlviz_report *report, const char *name,
                                                dlviz_report_run **run);
DLVIZ_API int64_t dlviz_report_num_runs(const dlviz_report *report);
/** Run 0 … num_runs − 1, in the order in which they came; NULL beyond. */
DLVIZ_API dlviz_report_run *dlviz_report_run_at(dlviz_report *report, int64_t index);
DLVIZ_API const char *dlviz_report_run_name(const dlviz_report_run *run);

/** Says what a map is called ("t-SNE", "PCA"). The maps of every frame are those added here, in
 *  this order, so this comes before the first frame, else DLVIZ_ERROR_STATE.
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT, DLVIZ_ERROR_STATE or DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_CHECKED dlviz_status dlviz_report_run_add_map(dlviz_report_run *run, const char *name);
DLVIZ_API int64_t dlviz_report_run_num_maps(const dlviz_report_run *run);
DLVIZ_API const char *dlviz_report_run_map_name(const dlviz_report_run *run, int64_t index);

/** Adds what the network was like at an epoch. Epochs ascend.
 *  @param epoch     0 is the untrained network; −1: there are no epochs, and this is the one frame
 *  @param num_maps  as many as were added
 *  @param maps      n x 2 float32 each, all finite. Points far beyond all others, at most one of
 *                   1000, or a few of a small map, are drawn at the border, and counted there
 *  @param outputs   n x C float32 as the network gives them before softmax (C up to 65,534, the
 *                   same in all frames), or NULL. The prediction is the first of the largest; NaN
 *                   has the probability 0
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT, DLVIZ_ERROR_STATE (no map was added),
 *  DLVIZ_ERROR_SHAPE, DLVIZ_ERROR_NUMERIC (naming the row of a map that is not finite) or
 *  DLVIZ_ERROR_OUT_OF_MEMORY; the run is then as before. */
DLVIZ_CHECKED dlviz_status dlviz_report_run_add_frame(dlviz_report_run *run, int64_t epoch,
                                                      int64_t num_maps,
                                                      const dlviz_tensor *const *maps,
                                                      const dlviz_tensor *outputs);
/** Adds a film: the maps "t-SNE" and "PCA", and a frame for each of the film's, with its epoch, its
 *  maps and its outputs.
 *  @param film  of the report's points, in their order, after dlviz_film_fit with maps of 2
 *               dimensions; copied
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT; DLVIZ_ERROR_STATE where the run has maps already, the film
 *  has no frames or no maps, or is in use; and as dlviz_report_run_add_frame. The run is then as
 *  before. */
DLVIZ_CHECKED dlviz_status dlviz_report_run_add_film(dlviz_report_run *run, const dlviz_film *film);
DLVIZ_API int64_t dlviz_report_run_num_frames(const dlviz_report_run *run);
/** The epoch of frame 0 … num_frames − 1; 0 beyond. */
DLVIZ_API int64_t dlviz_report_run_epoch(const dlviz_report_run *run, int64_t frame);
/** The share of the points with a class that a frame gets right; NaN without outputs or labels. */
DLVIZ_API double dlviz_report_run_accuracy(const dlviz_report_run *run, int64_t frame);

/** Which points are near to each in what the maps were made of: dlviz_neighbors finds them, in the
 *  features of a layer, say.
 *  @param indices  n x k int64, k >= 1, each 0 … n − 1, the nearest first
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT (an index beyond the points), DLVIZ_ERROR_SHAPE or
 *  DLVIZ_ERROR_OUT_OF_MEMORY; the run is then as before. */
DLVIZ_CHECKED dlviz_status dlviz_report_run_set_neighbors(dlviz_report_run *run,
                                                          const dlviz_tensor *indices);
/** A copy; destroy it with dlviz_tensor_destroy. Returns DLVIZ_ERROR_STATE without neighbors. */
DLVIZ_CHECKED dlviz_status dlviz_report_run_get_neighbors(const dlviz_report_run *run,
                                                          dlviz_tensor **indices);

/** Takes the table of a network's layers and, where the report's classes have no names yet, theirs
 *  as the network knows them (dlviz_network_describe_data).
 *  @param layer  the one whose features the maps show, or NULL
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT, DLVIZ_ERROR_STATE (not built), DLVIZ_ERROR_NOT_FOUND (no
 *  such layer) or DLVIZ_ERROR_OUT_OF_MEMORY; the run is then as before. */
DLVIZ_CHECKED dlviz_status dlviz_report_run_set_network(dlviz_report_run *run,
                                                        const dlviz_network *network,
                                                        const char *layer);
/** The layer whose features the maps show; NULL where nobody has said so. */
DLVIZ_API const char *dlviz_report_run_layer(const dlviz_report_run *run);

/** Takes the curves of a training's epochs: loss and metrics, training beside validation, and the
 *  learning rate; but none of a top-k accuracy where there are no more than k classes, which is
 *  always 100 %. A second call replaces those of the first.
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT, DLVIZ_ERROR_STATE (another thread uses the trainer) or
 *  DLVIZ_ERROR_OUT_OF_MEMORY; the run is then as before. */
DLVIZ_CHECKED dlviz_status dlviz_report_run_set_history(dlviz_report_run *run,
                                                        const dlviz_trainer *trainer);
/** Adds a curve over epochs.
 *  @param panel       the curves of one panel share their axes ("loss")
 *  @param name        the curve's name in its panel ("training")
 *  @param num_points  1 or more
 *  @param x           finite numbers, or NULL for 1, 2, …, num_points
 *  @param y           those that are not finite leave a gap
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT, DLVIZ_ERROR_NUMERIC (x not finite) or
 *  DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_CHECKED dlviz_status dlviz_report_run_add_curve(dlviz_report_run *run, const char *panel,
                                                      const char *name, int64_t num_points,
                                                      const double *x, const double *y);
DLVIZ_API int64_t dlviz_report_run_num_curves(const dlviz_report_run *run);
/** Curve 0 … num_curves − 1, a trainer's included; zeros and NULL beyond. Texts and numbers belong
 *  to the run, until the curves of a trainer are replaced. */
DLVIZ_API void dlviz_report_run_curve(const dlviz_report_run *run, int64_t index,
                                      const char **panel, const char **name, int64_t *num_points,
                                      const double **x, const double **y);

/** Adds something worth knowing of the run, as text: "optimizer", "Adam".
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT or DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_CHECKED dlviz_status dlviz_report_run_add_fact(dlviz_report_run *run, const char *name,
                                                     const char *value);
DLVIZ_API int64_t dlviz_report_run_num_facts(const dlviz_report_run *run);
/** Fact 0 … num_facts − 1; NULL beyond. The texts belong to the run. */
DLVIZ_API void dlviz_report_run_fact(const dlviz_report_run *run, int64_t index, const char **name,
                                     const char **value);

/** Adds a measure, beside what it is without any training.
 *  @param name       "test accuracy"
 *  @param unit       "%", or "" for a plain number
 *  @param meaning    what it tells, in a sentence that the page shows beside it; NULL: none, but
 *                    for the measures that the page itself knows by their names
 *  @param value      of the run
 *  @param untrained  of the network before its training; NaN where that was not measured
 *  @param pixels     of the inputs themselves; NaN likewise
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT or DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_CHECKED dlviz_status dlviz_report_run_add_measure(dlviz_report_run *run, const char *name,
                                                        const char *unit, const char *meaning,
                                                        double value, double untrained,
                                                        double pixels);
DLVIZ_API int64_t dlviz_report_run_num_measures(const dlviz_report_run *run);
/** Measure 0 … num_measures − 1; NULL and NaN beyond. The texts belong to the run; the meaning is
 *  NULL where none was given. */
DLVIZ_API void dlviz_report_run_measure(const dlviz_report_run *run, int64_t index,
                                        const char **name, const char **unit, const char **meaning,
                                        double *value, double *untrained, double *pixels);

/** What the network looked at, of some points (see dlviz/attribution.h), in place of what was set
 *  before.
 *  @param num_points  1 or more
 *  @param points      which ones, each 0 … n − 1
 *  @param maps        num_points x h x w float32, or num_points x c x h x w, whose channels are
 *                     added up; all finite. Each is kept in steps of 1/127 of its own largest
 *                     magnitude; those above 64 x 64 are made smaller like images
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT, DLVIZ_ERROR_SHAPE, DLVIZ_ERROR_NUMERIC or
 *  DLVIZ_ERROR_OUT_OF_MEMORY; the run is then as before. */
DLVIZ_CHECKED dlviz_status dlviz_report_run_set_attribution(dlviz_report_run *run,
                                                            int64_t num_points,
                                                            const int64_t *points,
                                                            const dlviz_tensor *maps);

/* ---- Pages ----------------------------------------------------------------------------------- */

/** Adds the runs of a page that dlviz_report_write wrote behind those that there are; one whose
 *  name another run has gets a number: "adam (2)". The page must be about the same points: their
 *  number, labels, classes, names and images are compared with the report's, and taken over where
 *  it has none.
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT or DLVIZ_ERROR_IO; DLVIZ_ERROR_FORMAT for what is no such
 *  page or a damaged one; DLVIZ_ERROR_UNSUPPORTED for a later format; DLVIZ_ERROR_SHAPE where it is
 *  about other points, saying what differs; DLVIZ_ERROR_OUT_OF_MEMORY. The report is then as
 *  before. */
DLVIZ_CHECKED dlviz_status dlviz_report_merge(dlviz_report *report, const char *path);
/** The same of the bytes of such a page, which are copied. */
DLVIZ_CHECKED dlviz_status dlviz_report_merge_memory(dlviz_report *report, const void *bytes,
                                                     size_t size);

/** Writes the page. An earlier file survives a failure.
 *  @param path  the extension does not matter
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT, DLVIZ_ERROR_STATE (no run, or one without a frame),
 *  DLVIZ_ERROR_IO or DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_CHECKED dlviz_status dlviz_report_write(const dlviz_report *report, const char *path);
/** Writes the same bytes to memory.
 *  @param bytes  receives them, NULL on failure; free them with dlviz_free
 *  @param size   receives how many there are
 *  Returns as dlviz_report_write, but for DLVIZ_ERROR_IO. */
DLVIZ_CHECKED dlviz_status dlviz_report_write_memory(const dlviz_report *report, void **bytes,
                                                     size_t *size);

#ifdef __cplusplus
}
#endif

#endif
