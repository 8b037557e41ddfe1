/* faults/stages_pictures.c - the report's page, and figures. */
#include "faults/pipeline.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { POINTS = 24 };

/* -- The page -- */

static struct {
    dlviz_dataset *dataset;
    dlviz_network *network;
    dlviz_tensor *labels, *map, *outputs, *shown;
    dlviz_report *report, *second, *merged;
    dlviz_report_run *run, *other;
} r;

static void prepare_page(void) {
    r.dataset = make_dataset(POINTS, 2);
    r.network = make_network(2);
    r.labels = make_labels(POINTS, 3);
    r.map = make_points(POINTS, 2, 3);
    r.outputs = make_points(POINTS, 3, 4);
}

static dlviz_status run_page(attempt *a) {
    static const char *const names[] = {"one", "two", "three"};
    const dlviz_tensor *map = r.map;
    STEP(a, dlviz_report_create(&r.report, "points", POINTS));
    STEP(a, dlviz_report_set_images_of(r.report, r.dataset));
    STEP(a, dlviz_report_set_labels(r.report, r.labels));
    STEP(a, dlviz_report_set_class_names(r.report, 3, names));
    STEP(a, dlviz_report_add_run(r.report, "a run", &r.run));
    STEP(a, dlviz_report_run_add_map(r.run, "t-SNE"));
    STEP(a, dlviz_report_run_add_frame(r.run, 0, 1, &map, r.outputs));
    STEP(a, dlviz_report_run_set_network(r.run, r.network, "pool"));
    STEP(a, dlviz_report_run_add_curve(r.run, "loss", "training", 2, NULL, (double[]){2, 1}));
    STEP(a, dlviz_report_run_add_fact(r.run, "batch size", "8"));
    STEP(a, dlviz_report_write(r.report, output_path("first.html")));
    STEP(a, dlviz_report_create(&r.merged, NULL, 0));
    STEP(a, dlviz_report_merge(r.merged, output_path("first.html")));
    STEP(a, dlviz_report_add_run(r.merged, "another", &r.other));
    STEP(a, dlviz_report_run_add_map(r.other, "t-SNE"));
    STEP(a, dlviz_report_run_add_frame(r.other, 0, 1, &map, NULL));
    STEP(a, dlviz_report_write(r.merged, output_path("both.html")));
    return DLVIZ_OK;
}

static void note_page(void) {
    note_number((double)dlviz_report_num_points(r.merged));
}

static void release_page(void) {
    dlviz_report_destroy(r.report);
    dlviz_report_destroy(r.merged);
    dlviz_tensor *tensors[] = {r.labels, r.map, r.outputs};
    for (int i = 0; i < 3; i++)
        dlviz_tensor_destroy(tensors[i]);
    dlviz_dataset_destroy(r.dataset);
    dlviz_network_destroy(r.network);
}

static const char *const page_files[] = {"first.html", "both.html", NULL};
const stage page_stage = {"page", prepare_page, run_page, note_page, release_page, page_files};

/* -- Figures: every kind, with and without text, in each format -- */

static struct {
    dlviz_tensor *map, *labels, *images, *heat, *counts;
    dlviz_figure *scatter, *bare, *curves, *matrix, *pictures;
} f;

static void make_figure_data(void) {
    f.map = make_points(POINTS, 2, 3);
    f.labels = make_labels(POINTS, 3);
    dlviz_tensor *images = make_images(4, 8, 1);
    must(dlviz_tensor_convert(images, DLVIZ_FLOAT32, &f.images));
    dlviz_tensor_destroy(images);
    f.heat = make_points(4, 64, 2);
    dlviz_tensor *maps;
    must(dlviz_tensor_reshape(f.heat, 3, (int64_t[]){4, 8, 8}, &maps));
    dlviz_tensor_destroy(f.heat);
    f.heat = maps;
    must(dlviz_tensor_create(&f.counts, DLVIZ_INT64, 2, (int64_t[]){3, 3}));
    for (int i = 0; i < 9; i++)
        ((int64_t *)dlviz_tensor_data(f.counts))[i] = i % 4 == 0 ? 20 : i % 3;
}

/* What a process draws once, and keeps, such as fontconfig's fonts. */
static void prepare_figures(void) {
    make_figure_data();
    must(dlviz_plot_scatter(f.map, f.labels, 0, NULL, "before", output_path("before.png")));
    remove(output_path("before.png"));
}

static dlviz_status write_scatter(attempt *a, const char *extension) {
    char name[32];
    snprintf(name, sizeof name, "scatter.%s", extension);
    STEP(a, dlviz_figure_write(f.scatter, output_path(name)));
    return DLVIZ_OK;
}

static dlviz_status run_scatter(attempt *a) {
    static const char *const names[] = {"one", "two", "three"};
    STEP(a, dlviz_figure_create_scatter(&f.scatter, f.map, f.labels));
    STEP(a, dlviz_figure_set_size(f.scatter, 240, 320));
    STEP(a, dlviz_figure_set_title(f.scatter, "a map"));
    STEP(a, dlviz_figure_set_class_names(f.scatter, 3, names));
    dlviz_status status = write_scatter(a, "png");
    if (status == DLVIZ_OK)
        status = write_scatter(a, "svg");
    return status == DLVIZ_OK ? write_scatter(a, "pdf") : status;
}

static dlviz_status run_figures(attempt *a) {
    dlviz_status status = run_scatter(a);
    if (status != DLVIZ_OK)
        return status;
    STEP(a, dlviz_figure_create_scatter(&f.bare, f.map, NULL));
    STEP(a, dlviz_figure_set_size(f.bare, 200, 200));
    STEP(a, dlviz_figure_write(f.bare, output_path("bare.png")));
    STEP(a, dlviz_figure_write(f.bare, output_path("bare.pdf")));
    STEP(a, dlviz_figure_create_curves(&f.curves));
    STEP(a, dlviz_figure_add_curve(f.curves, "loss", "training", 3, NULL, (double[]){3, 2, 1}));
    STEP(a, dlviz_figure_write(f.curves, output_path("curves.svg")));
    STEP(a, dlviz_figure_create_matrix(&f.matrix, f.counts));
    STEP(a, dlviz_figure_write(f.matrix, output_path("matrix.png")));
    STEP(a, dlviz_figure_create_images(&f.pictures, f.images));
    STEP(a, dlviz_figure_add_heat_maps(f.pictures, "saliency", f.heat));
    STEP(a, dlviz_figure_write(f.pictures, output_path("pictures.png")));
    STEP(a, dlviz_figure_write(f.pictures, output_path("pictures.svg")));
    return DLVIZ_OK;
}

/* The files are what has come of it. */
static void note_figures(void) {}

static void release_figures(void) {
    dlviz_figure *figures[] = {f.scatter, f.bare, f.curves, f.matrix, f.pictures};
    for (int i = 0; i < 5; i++)
        dlviz_figure_destroy(figures[i]);
    dlviz_tensor *tensors[] = {f.map, f.labels, f.images, f.heat, f.counts};
    for (int i = 0; i < 5; i++)
        dlviz_tensor_destroy(tensors[i]);
}

static const char *const figures_files[] = {
    "scatter.png", "scatter.svg", "scatter.pdf",  "bare.png",     "bare.pdf",
    "curves.svg",  "matrix.png",  "pictures.png", "pictures.svg", NULL};
const stage figures_stage = {"figures",    prepare_figures, run_figures,
                             note_figures, release_figures, figures_files};

static const char *const first_figure_files[] = {"scatter.png", "scatter.svg", "scatter.pdf", NULL};
const stage first_figure_stage = {"first figure", make_figure_data, run_scatter,
                                  note_figures,   release_figures,  first_figure_files};

/* -- Letters: with the settings of fontconfig that inputs.py writes, each of whose files slants them a bit more -- */

static void prepare_letters(void) {
    make_figure_data();
    char *settings = realpath(input_path("fonts/fonts.conf"), NULL);
    if (!settings || setenv("FONTCONFIG_FILE", settings, 1) != 0)
        abort();
    free(settings);
}

static dlviz_status run_letters(attempt *a) {
    STEP(a, dlviz_figure_create_scatter(&f.bare, f.map, NULL));
    STEP(a, dlviz_figure_set_size(f.bare, 200, 200));
    STEP(a, dlviz_figure_set_title(f.bare, "letters"));
    STEP(a, dlviz_figure_write(f.bare, output_path("letters.png")));
    return DLVIZ_OK;
}

static const char *const letters_files[] = {"letters.png", NULL};
const stage letters_stage = {"letters",    prepare_letters, run_letters,
                             note_figures, release_figures, letters_files};
