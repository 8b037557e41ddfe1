/* report/report.h - the inside of a report: everything as the page will have it. */
#ifndef DLZ_REPORT_H
#define DLZ_REPORT_H

#include "base/base.h"
#include <dlviz/report.h>

enum {
    DLZ_REPORT_FORMAT = 1,
    DLZ_REPORT_MAX_CLASSES = 65534,
    DLZ_REPORT_NO_CLASS = 65535,  /* among labels and predictions */
    DLZ_REPORT_NARROW = 254,      /* of more classes, each takes two bytes */
    DLZ_REPORT_TRIPLES = 3 << 10, /* a number of numbers that are whole groups of base64 */
    DLZ_REPORT_THUMBNAIL = 64,    /* pixels at most, each way */
    DLZ_REPORT_COARSE = 32, /* by how much a picture in few colors may be from the one it was */
    DLZ_REPORT_ALL_OUTPUTS = 16, /* of more, the likeliest few alone are kept */
    DLZ_REPORT_LIKELIEST = 5,
};

/* Texts, each owned. */
typedef struct dlz_report_texts {
    int64_t count;
    char **items;
} dlz_report_texts;

/* Pictures of the points, or of some. */
typedef struct dlz_thumbnails {
    int64_t height, width, channels, count; /* count 0: none */
    uint32_t *points;                       /* ascending; NULL: all */
    uint8_t *pixels;                        /* count x height x width x channels */
    bool coarse;                            /* of a page that had fewer shades or colors */
} dlz_thumbnails;

typedef struct dlz_report_frame {
    int64_t epoch;
    uint16_t **maps; /* x, y of each point: one for each of the run's maps */
    int64_t *outside;
    uint16_t *predictions; /* NULL without outputs */
    uint8_t *confidence;
} dlz_report_frame;

typedef struct dlz_report_measure {
    char *name, *unit;
    char *meaning; /* NULL: none was given */
    double value, untrained, pixels;
} dlz_report_measure;

typedef struct dlz_report_curve {
    char *panel, *name;
    int64_t count;
    double *x, *y;
    bool history; /* came from a trainer */
} dlz_report_curve;

typedef struct dlz_report_layer {
    char *name, *type;
    int ndim;
    int64_t dims[DLVIZ_MAX_DIMS];
    int64_t parameters;
} dlz_report_layer;

typedef struct dlz_report_attribution {
    int64_t count, height, width; /* count 0: none */
    uint32_t *points;
    int8_t *maps;
} dlz_report_attribution;

/* Probabilities of the last frame: of all classes in their order, or of the likeliest. */
typedef struct dlz_report_probabilities {
    int64_t k;         /* 0: none */
    uint8_t *values;   /* n x k, round(255 sqrt(p)) */
    uint16_t *classes; /* n x k, or NULL */
} dlz_report_probabilities;

struct dlviz_report_run {
    dlviz_report *report;
    char *name;
    int64_t num_facts, num_measures, num_curves, num_layers, num_frames;
    char *(*facts)[2];
    dlz_report_measure *measures;
    dlz_report_curve *curves;
    char *layer;
    dlz_report_layer *layers;
    dlz_report_texts maps;
    dlz_report_frame *frames;
    int64_t num_outputs; /* of frames that have some; 0: none has */
    dlz_report_probabilities probabilities;
    int64_t num_neighbors; /* of each point; 0: none */
    uint32_t *neighbors;
    dlz_report_attribution attribution;
};

struct dlviz_report {
    char *title;
    int64_t n;
    dlz_thumbnails thumbnails;
    uint16_t *labels;          /* NULL: none */
    int64_t num_label_classes; /* the largest label + 1 */
    dlz_report_texts classes, names;
    bool classes_given; /* not a network's */
    int64_t num_runs;
    dlviz_report_run **runs;
};

/* -- checks.c ------------------------------------------------------------------------------------
 */

/* Fails where the report does not know yet how many points it has. */
dlviz_status dlz_report_require_points(const char *who, const dlviz_report *report);
/* As many classes as labels and outputs need; the same, or as many as have names. */
int64_t dlz_report_num_needed(const dlviz_report *report);
int64_t dlz_report_num_classes(const dlviz_report *report);
/* Fails where classes have been named, and fewer than `needed`. */
dlviz_status dlz_report_check_classes(const char *who, const dlviz_report *report, const char *what,
                                      int64_t needed);

/* Fails unless the text is UTF-8; `what` names the argument. */
dlviz_status dlz_report_check_text(const char *who, const char *what, const char *text);
/* The same of each of `count`, none of which may be NULL. */
dlviz_status dlz_report_copy_texts(const char *who, int64_t count, const char *const *texts,
                                   dlz_report_texts *copy);
void dlz_report_release_texts(dlz_report_texts *texts);

/* -- runs.c --------------------------------------------------------------------------------------
 */

/* A run that no report has yet. */
dlviz_status dlz_report_run_create(dlviz_report *report, const char *name, dlviz_report_run **out);
void dlz_report_run_destroy(dlviz_report_run *run);
/* As before its first frame and its first map. */
void dlz_report_forget_frames(dlviz_report_run *run);
/* The report owns the runs from then on; on failure it has none of them. */
dlviz_status dlz_report_take_runs(dlviz_report *report, int64_t count,
                                  dlviz_report_run *const *runs);
/* Whether another run than `except` has this name. */
bool dlz_report_has_run(const dlviz_report *report, const char *name,
                        const dlviz_report_run *except);
dlviz_status dlz_report_add_map_name(dlviz_report_run *run, const char *name);

/* -- facts.c -------------------------------------------------------------------------------------
 */

dlviz_status dlz_report_add_fact(dlviz_report_run *run, const char *name, const char *value);
dlviz_status dlz_report_add_measure(dlviz_report_run *run, const char *name, const char *unit,
                                    const char *meaning, const double values[3]);
dlviz_status dlz_report_add_curve(dlviz_report_run *run, const char *panel, const char *name,
                                  int64_t count, const double *x, const double *y, bool history);
dlviz_status dlz_report_add_layer(dlviz_report_run *run, const char *name, const char *type,
                                  int ndim, const int64_t *dims, int64_t parameters);
void dlz_report_release_layers(dlz_report_layer *layers, int64_t count);
void dlz_report_release_curve(dlz_report_curve *curve);
void dlz_report_release_facts(dlviz_report_run *run);

/* -- frames.c ------------------------------------------------------------------------------------
 */

/* Room for a frame of n points. On failure there is nothing to release. */
dlviz_status dlz_report_frame_create(const dlviz_report_run *run, int64_t n, bool outputs,
                                     dlz_report_frame *frame);
void dlz_report_frame_release(const dlviz_report_run *run, dlz_report_frame *frame);
/* The run owns the frame's blocks from then on, if that succeeds. */
dlviz_status dlz_report_take_frame(dlviz_report_run *run, const dlz_report_frame *frame);
/* Of n points, classes of the frame's predictions and labels; NaN where there are none. */
double dlz_report_accuracy(int64_t n, const uint16_t *labels, const dlz_report_frame *frame);

/* -- quantize.c ----------------------------------------------------------------------------------
 */

/* Fits n points into 0 … 65535 each way, all but a few in 2 … 98 % of it; *outside: how many are moved
 * to the border. `scratch` has room for n. */
void dlz_report_quantize(int64_t n, const float *points, float *scratch, uint16_t *to,
                         int64_t *outside);

/* -- predictions.c -------------------------------------------------------------------------------
 */

/* How many probabilities of a point are kept. */
int64_t dlz_report_num_kept(int64_t num_outputs);
dlviz_status dlz_report_probabilities_create(int64_t n, int64_t num_outputs,
                                             dlz_report_probabilities *p);
void dlz_report_probabilities_release(dlz_report_probabilities *p);
/* Predictions, confidence and probabilities of n rows of outputs. */
void dlz_report_predict(int64_t n, int64_t num_outputs, const float *outputs,
                        dlz_report_frame *frame, dlz_report_probabilities *p);

/* -- thumbnails.c --------------------------------------------------------------------------------
 */

void dlz_thumbnails_release(dlz_thumbnails *thumbnails);
/* The mean of each of the areas that an image is cut into; from and to are h x w. */
void dlz_shrink(const float *from, int64_t height, int64_t width, float *to, int64_t to_height,
                int64_t to_width);
/* A value as it is kept: 0 … 255 of what is a byte, or of 0 … 1. */
uint8_t dlz_thumbnail_step(float value, bool is_byte);
/* Sizes of at most DLZ_REPORT_THUMBNAIL, and the proportions of the image. */
void dlz_thumbnail_size(int64_t height, int64_t width, int64_t *to_height, int64_t *to_width);

#endif
