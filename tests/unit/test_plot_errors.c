/* Figures: what is refused, and what happens when writing or memory fails. */
#include "base/base.h"
#include "support/failing.h"
#include "support/figures.h"

#include <dirent.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- What is refused ------------------------------------------------------------------------- */

START_TEST(bad_maps_are_refused) {
    dlviz_tensor *map, *labels, *four = tensor_of(DLVIZ_FLOAT32, 2, (int64_t[]){5, 4});
    dlviz_tensor *empty = tensor_of(DLVIZ_FLOAT32, 2, (int64_t[]){0, 2});
    dlviz_figure *figure = (dlviz_figure *)&map;
    make_map(50, 5, &map, &labels);
    ck_fails(dlviz_figure_create_scatter(&figure, four, NULL), DLVIZ_ERROR_SHAPE,
             "5 x 4, needs to be float32 n x 1, n x 2 or n x 3 with n >= 1; dlviz_tsne_fit");
    ck_assert_ptr_null(figure);
    ck_fails(dlviz_figure_create_scatter(&figure, empty, NULL), DLVIZ_ERROR_SHAPE, "0 x 2");
    ck_fails(dlviz_figure_create_scatter(&figure, NULL, NULL), DLVIZ_ERROR_INVALID_ARGUMENT, "map");
    ck_fails(dlviz_figure_create_scatter(NULL, map, NULL), DLVIZ_ERROR_INVALID_ARGUMENT, "out");
    ck_fails(dlviz_figure_create_scatter(&figure, labels, NULL), DLVIZ_ERROR_SHAPE, "int64 50");
    ck_fails(dlviz_figure_create_scatter(&figure, map, map), DLVIZ_ERROR_SHAPE, "labels");
    dlviz_tensor *fewer;
    ck_ok(dlviz_tensor_slice(labels, 0, 49, &fewer));
    ck_fails(dlviz_figure_create_scatter(&figure, map, fewer), DLVIZ_ERROR_SHAPE, "50 entries");
    ((int64_t *)dlviz_tensor_data(labels))[7] = 1 << 24;
    ck_fails(dlviz_figure_create_scatter(&figure, map, labels), DLVIZ_ERROR_INVALID_ARGUMENT,
             "label 7 is 16777216; 0 to 16777215");
    ((int64_t *)dlviz_tensor_data(labels))[7] = (int64_t)INT32_MIN - 1;
    ck_fails(dlviz_figure_create_scatter(&figure, map, labels), DLVIZ_ERROR_INVALID_ARGUMENT,
             "label 7 is -2147483649");
    const float odd[] = {NAN, INFINITY, -INFINITY};
    for (int i = 0; i < 3; i++) {
        dlviz_tensor_float(map)[2 * 33 + 1] = odd[i];
        ck_fails(dlviz_plot_scatter(map, NULL, 0, NULL, "t", scratch_path("nan.png")),
                 DLVIZ_ERROR_NUMERIC, "row 33");
    }
    ck_assert_int_ne(access(scratch_path("nan.png"), F_OK), 0);
    dlviz_tensor_destroy(map);
    dlviz_tensor_destroy(labels);
    dlviz_tensor_destroy(four);
    dlviz_tensor_destroy(empty);
    dlviz_tensor_destroy(fewer);
}
END_TEST

START_TEST(bad_contents_of_other_figures_are_refused) {
    dlviz_figure *figure;
    dlviz_tensor *counts = tensor_of(DLVIZ_INT64, 2, (int64_t[]){3, 3});
    dlviz_tensor *oblong = tensor_of(DLVIZ_INT64, 2, (int64_t[]){3, 4});
    dlviz_tensor *large = tensor_of(DLVIZ_INT64, 2, (int64_t[]){257, 257});
    dlviz_tensor *images = tensor_of(DLVIZ_FLOAT32, 3, (int64_t[]){4, 5, 5});
    dlviz_tensor *many = tensor_of(DLVIZ_FLOAT32, 4, (int64_t[]){65, 64, 1, 1});
    ck_fails(dlviz_figure_create_matrix(&figure, oblong), DLVIZ_ERROR_SHAPE, "3 x 4");
    ck_fails(dlviz_figure_create_matrix(&figure, large), DLVIZ_ERROR_SHAPE, "257");
    ck_fails(dlviz_figure_create_matrix(&figure, images), DLVIZ_ERROR_SHAPE, "float32 4 x 5 x 5");
    ((int64_t *)dlviz_tensor_data(counts))[5] = -2;
    ck_fails(dlviz_figure_create_matrix(&figure, counts), DLVIZ_ERROR_NUMERIC, "row 1, column 2");
    ck_fails(dlviz_figure_create_images(&figure, counts), DLVIZ_ERROR_SHAPE, "int64 3 x 3");
    ck_fails(dlviz_figure_create_images(&figure, many), DLVIZ_ERROR_SHAPE, "65 x 64");
    dlviz_tensor_float(images)[60] = NAN;
    ck_fails(dlviz_figure_create_images(&figure, images), DLVIZ_ERROR_NUMERIC, "image 2");
    ck_ok(dlviz_figure_create_curves(&figure));
    ck_fails(dlviz_figure_write(figure, scratch_path("none.png")), DLVIZ_ERROR_STATE, "no curves");
    double x[2] = {1, INFINITY}, y[2] = {0};
    ck_fails(dlviz_figure_add_curve(figure, "p", "c", 2, x, y), DLVIZ_ERROR_NUMERIC, "x[1]");
    ck_fails(dlviz_figure_add_curve(figure, "p", "c", 0, NULL, y), DLVIZ_ERROR_INVALID_ARGUMENT,
             "0");
    ck_fails(dlviz_figure_add_curve(figure, "p", NULL, 2, NULL, y), DLVIZ_ERROR_INVALID_ARGUMENT,
             "name");
    ck_fails(dlviz_figure_set_log_scale(figure, "p", true), DLVIZ_ERROR_NOT_FOUND, "'p'");
    for (int i = 0; i < 10; i++)
        ck_ok(dlviz_figure_add_curve(figure, "p", "c", 2, NULL, y));
    ck_fails(dlviz_figure_add_curve(figure, "p", "c", 2, NULL, y), DLVIZ_ERROR_INVALID_ARGUMENT,
             "no room");
    dlviz_figure_destroy(figure);
    dlviz_figure_destroy(NULL);
    dlviz_tensor_destroy(counts);
    dlviz_tensor_destroy(oblong);
    dlviz_tensor_destroy(large);
    dlviz_tensor_destroy(images);
    dlviz_tensor_destroy(many);
}
END_TEST

START_TEST(bad_settings_are_refused) {
    dlviz_figure *map = scatter_figure(10, 2), *curves = curves_figure(2),
                 *matrix = matrix_figure(3), *images = images_figure(3, (int64_t[]){2, 3, 3});
    const dlviz_status bad = DLVIZ_ERROR_INVALID_ARGUMENT;
    const char *names[] = {"a", "b\xFF", "c"};
    ck_fails(dlviz_figure_set_title(map, "caf\xE9"), bad, "byte 3");
    ck_fails(dlviz_figure_set_title(map, "tab\there"), bad, "control character 0x09");
    ck_fails(dlviz_figure_set_title(map, "x\x7F"), bad, "control character 0x7f at byte 1");
    ck_fails(dlviz_figure_set_title(map, "x\xC2\x80"), bad, "control character 0x80 at byte 1");
    ck_fails(dlviz_figure_set_title(map, "xy\xC2\x9F"), bad, "control character 0x9f at byte 2");
    ck_ok(dlviz_figure_set_title(map, "\xC2\xA0\n\xC3\x80"));
    ck_fails(dlviz_figure_set_title(NULL, "x"), bad, "figure");
    ck_fails(dlviz_figure_set_class_names(map, 3, names), bad, "entry 1");
    ck_fails(dlviz_figure_set_class_names(map, (1 << 24) + 1, names), bad, "16777217");
    ck_fails(dlviz_figure_set_class_names(map, 1, NULL), bad, "NULL");
    ck_fails(dlviz_figure_set_class_names(matrix, 2, names), DLVIZ_ERROR_SHAPE, "3 classes");
    ck_fails(dlviz_figure_set_class_names(images, 1, names), bad, "no classes");
    ck_fails(dlviz_figure_set_size(map, 300, 199), bad, "300 high and 199 wide");
    ck_fails(dlviz_figure_set_size(map, 16385, 300), bad, "16385");
    ck_fails(dlviz_figure_set_axis_labels(images, "x", "y"), bad, "no axes");
    ck_fails(dlviz_figure_set_axis_labels(curves, "x", "y"), bad, "panels");
    ck_fails(dlviz_figure_set_point_size(map, 0.1), bad, "0.5 to 100");
    ck_fails(dlviz_figure_set_point_size(map, NAN), bad, "0.5 to 100");
    ck_fails(dlviz_figure_set_point_size(curves, 3), bad, "a figure of curves");
    ck_fails(dlviz_figure_set_opacity(map, 1.5), bad, "1.5");
    ck_fails(dlviz_figure_set_ticks(matrix, true), bad, "a matrix");
    ck_fails(dlviz_figure_set_class_counts(images, true), bad, "a grid of images");
    ck_fails(dlviz_figure_set_class_marks(images, true), bad, "a grid of images");
    ck_fails(dlviz_figure_set_colormap(curves, DLVIZ_COLORMAP_GRAY), bad, "no colormap");
    ck_fails(dlviz_figure_set_colormap(map, DLVIZ_COLORMAP_RGB), bad, "all but RGB");
    ck_fails(dlviz_figure_set_colormap(matrix, DLVIZ_COLORMAP_DIVERGING), bad, "matrix");
    ck_fails(dlviz_figure_set_colormap(images, DLVIZ_COLORMAP_RGB), bad, "1 channels");
    ck_fails(dlviz_figure_set_colormap(images, (dlviz_colormap)77), bad, "77");
    ck_fails(dlviz_figure_set_captions(images, 3, names), DLVIZ_ERROR_SHAPE, "2 images");
    ck_fails(dlviz_figure_set_num_columns(images, -1), bad, "-1");
    ck_fails(dlviz_figure_set_shared_range(map, true), bad, "a grid of images");
    ck_fails(dlviz_figure_set_steps(images, "p", true), bad, "a figure of curves");
    ck_fails(dlviz_figure_set_steps(curves, NULL, true), bad, "'panel'");
    ck_fails(dlviz_figure_set_steps(curves, "p", true), DLVIZ_ERROR_NOT_FOUND, "'p'");
    ck_fails(dlviz_figure_add_curve(map, "p", "c", 1, NULL, (double[]){1}), bad,
             "a scatter figure");
    dlviz_figure_destroy(map);
    dlviz_figure_destroy(curves);
    dlviz_figure_destroy(matrix);
    dlviz_figure_destroy(images);
}
END_TEST

START_TEST(paths_are_checked_and_old_files_kept) {
    dlviz_figure *figure = scatter_figure(20, 2);
    static const char *const bad[] = {"figure", "figure.jpg", "figure.png.", ".png", "a.png/b", ""};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_fails(dlviz_figure_write(figure, bad[i]), DLVIZ_ERROR_INVALID_ARGUMENT, ".png, .svg");
    ck_fails(dlviz_figure_write(figure, NULL), DLVIZ_ERROR_INVALID_ARGUMENT, "path");
    ck_fails(dlviz_figure_write(figure, "/nowhere/at/all/figure.png"), DLVIZ_ERROR_IO,
             "/nowhere/at/all/figure.png");
    ck_ok(dlviz_figure_write(figure, scratch_path("UPPER.PNG")));

    /* A folder in the way of the name, and an earlier file that a failure leaves alone. */
    ck_assert_int_eq(mkdir(scratch_path("folder.svg"), 0700), 0);
    ck_fails(dlviz_figure_write(figure, scratch_path("folder.svg")), DLVIZ_ERROR_IO, "folder.svg");
    write_file(scratch_path("old.svg"), "old", 3);
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit, tiny;
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    tiny = limit;
    tiny.rlim_cur = 1000;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &tiny), 0);
    dlviz_status status = dlviz_figure_write(figure, scratch_path("old.svg"));
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    ck_fails(status, DLVIZ_ERROR_IO, "old.svg");
    size_t size;
    char *text = read_text(scratch_path("old.svg"), &size);
    ck_assert_str_eq(text, "old");
    free(text);
    DIR *folder = opendir(scratch_folder());
    for (struct dirent *entry; (entry = readdir(folder));)
        ck_assert_msg(!strstr(entry->d_name, "tmp"), "%s was left behind", entry->d_name);
    closedir(folder);
    dlviz_figure_destroy(figure);
}
END_TEST

/* ---- Memory ---------------------------------------------------------------------------------- */

typedef struct everything {
    dlviz_tensor *map, *labels, *counts;
    const char *path;
} everything;

static dlviz_status draw_everything(void *context) {
    const everything *all = context;
    static const char *const names[] = {"zero", "one"};
    dlviz_figure *figure;
    DLZ_TRY(dlviz_plot_scatter(all->map, all->labels, 0, NULL, "title", all->path));
    DLZ_TRY(dlviz_plot_matrix(all->counts, "title", all->path));
    DLZ_TRY(dlviz_plot_images(all->map, NULL, all->path) == DLVIZ_ERROR_SHAPE ? DLVIZ_OK
                                                                              : DLVIZ_ERROR_STATE);
    DLZ_TRY(dlviz_figure_create_matrix(&figure, all->counts));
    dlviz_status status = dlviz_figure_set_class_names(figure, 2, names);
    if (status == DLVIZ_OK)
        status = dlviz_figure_set_axis_labels(figure, "a", "b");
    dlviz_figure_destroy(figure);
    DLZ_TRY(status);
    DLZ_TRY(dlviz_figure_create_curves(&figure));
    status = dlviz_figure_add_curve(figure, "p", "a", 2, NULL, (double[]){1, 2});
    if (status == DLVIZ_OK)
        status = dlviz_figure_add_curve(figure, "p", "b", 2, NULL, (double[]){1, 2});
    if (status == DLVIZ_OK)
        status = dlviz_figure_write(figure, all->path);
    dlviz_figure_destroy(figure);
    return status;
}

START_TEST(any_allocation_may_fail) {
    everything all = {0};
    make_map(40, 2, &all.map, &all.labels);
    all.counts = tensor_of(DLVIZ_INT64, 2, (int64_t[]){2, 2});
    const char *paths[] = {scratch_path("memory.svg"), scratch_path("memory.png")};
    for (int p = 0; p < 2; p++) {
        all.path = paths[p];
        ck_assert_int_gt(fail_each_allocation(draw_everything, &all), 30);
    }
    dlviz_tensor_destroy(all.map);
    dlviz_tensor_destroy(all.labels);
    dlviz_tensor_destroy(all.counts);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        bad_maps_are_refused,     bad_contents_of_other_figures_are_refused,
        bad_settings_are_refused, paths_are_checked_and_old_files_kept,
        any_allocation_may_fail,  NULL};
    return run_tests("plot_errors", tests);
}
