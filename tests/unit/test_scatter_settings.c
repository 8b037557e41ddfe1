/* Settings of maps: what is refused, what getters tell, and that a failure changes nothing. */
#include "base/base.h"
#include "support/failing.h"
#include "support/figures.h"

#include <math.h>
#include <string.h>

static dlviz_tensor *filled(int ndim, const int64_t *dims, uint64_t seed) {
    dlviz_tensor *tensor = tensor_of(DLVIZ_FLOAT32, ndim, dims);
    fill_uniform(dlviz_tensor_float(tensor), dlviz_tensor_num_elements(tensor), seed);
    return tensor;
}

START_TEST(maps_of_one_to_three_columns_are_taken) {
    for (int64_t columns = 1; columns <= 5; columns++) {
        dlviz_tensor *map = filled(2, (int64_t[]){6, columns}, 3);
        dlviz_figure *figure;
        if (columns <= 3) {
            ck_ok(dlviz_figure_create_scatter(&figure, map, NULL));
            dlviz_tensor_float(map)[5 * columns + columns - 1] = NAN;
            char column[20];
            snprintf(column, sizeof column, "column %lld", (long long)columns - 1);
            dlviz_figure *none;
            ck_fails(dlviz_figure_create_scatter(&none, map, NULL), DLVIZ_ERROR_NUMERIC, column);
            dlviz_figure_destroy(figure);
        } else {
            ck_fails(dlviz_figure_create_scatter(&figure, map, NULL), DLVIZ_ERROR_SHAPE,
                     "n x 1, n x 2 or n x 3");
        }
        dlviz_tensor_destroy(map);
    }
}
END_TEST

START_TEST(getters_tell_what_was_set) {
    dlviz_figure *figure = scatter_figure(10, 3), *other = curves_figure(2);
    const dlviz_tensor *kept = (const dlviz_tensor *)figure;
    const char *name = "";
    dlviz_figure_values(figure, &kept, &name);
    ck_assert(!kept && !name && !dlviz_figure_thumbnails(figure));
    dlviz_tensor *values = filled(1, (int64_t[]){10}, 4);
    dlviz_tensor *images = filled(3, (int64_t[]){10, 2, 3}, 5);
    ck_ok(dlviz_figure_set_values(figure, values, "weight"));
    dlviz_figure_values(figure, &kept, NULL);
    dlviz_figure_values(figure, NULL, &name);
    ck_assert(kept != values && dlviz_tensor_num_elements(kept) == 10);
    ck_assert_str_eq(name, "weight");
    ck_ok(dlviz_figure_set_values(figure, NULL, "ignored"));
    dlviz_figure_values(figure, &kept, &name);
    ck_assert(!kept && !name);
    ck_ok(dlviz_figure_set_thumbnails(figure, images));
    ck_assert_int_eq(dlviz_tensor_num_elements(dlviz_figure_thumbnails(figure)), 60);
    ck_ok(dlviz_figure_set_thumbnails(figure, NULL));
    ck_assert_ptr_null(dlviz_figure_thumbnails(figure));

    const uint32_t colors[2] = {0x010203, 0xffffff};
    const dlviz_marker markers[2] = {DLVIZ_MARKER_PLUS, DLVIZ_MARKER_AUTO};
    uint32_t second = dlviz_figure_class_color(figure, 1),
             third = dlviz_figure_class_color(figure, 2);
    ck_assert_uint_ne(second, third);
    ck_ok(dlviz_figure_set_class_colors(figure, 2, colors));
    ck_ok(dlviz_figure_set_class_markers(figure, 2, markers));
    ck_assert_int_eq(dlviz_figure_num_class_colors(figure), 2);
    ck_assert_int_eq(dlviz_figure_num_class_markers(figure), 2);
    ck_assert_uint_eq(dlviz_figure_class_color(figure, 0), 0x010203);
    ck_assert_uint_eq(dlviz_figure_class_color(figure, 1), 0xffffff);
    ck_assert_uint_eq(dlviz_figure_class_color(figure, 2), third);
    ck_assert_uint_eq(dlviz_figure_class_color(figure, -1), 0);
    ck_assert_int_eq(dlviz_figure_class_marker(figure, 0), DLVIZ_MARKER_PLUS);
    ck_assert_int_eq(dlviz_figure_class_marker(figure, 1), DLVIZ_MARKER_SQUARE);
    ck_assert_int_eq(dlviz_figure_class_marker(figure, 1 << 24), DLVIZ_MARKER_AUTO);
    ck_ok(dlviz_figure_set_class_colors(figure, 0, NULL));
    ck_assert_uint_eq(dlviz_figure_class_color(figure, 1), second);
    ck_assert_int_eq(dlviz_figure_num_class_colors(figure), 0);

    ck_assert(isnan(dlviz_figure_axis_share(figure, 0)));
    ck_ok(dlviz_figure_set_axis_shares(figure, 3, (double[]){0.5, 0.25, 0}));
    ck_assert_int_eq(dlviz_figure_num_axis_shares(figure), 3);
    ck_assert_double_eq(dlviz_figure_axis_share(figure, 1), 0.25);
    ck_assert(isnan(dlviz_figure_axis_share(figure, 3)));
    ck_assert(isnan(dlviz_figure_axis_share(figure, -1)));
    ck_assert(dlviz_figure_clip_outliers(figure));
    ck_ok(dlviz_figure_set_clip_outliers(figure, false));
    ck_assert(!dlviz_figure_clip_outliers(figure));

    /* Of another kind there is nothing to get. */
    dlviz_figure_values(other, &kept, &name);
    ck_assert(!kept && !name && !dlviz_figure_thumbnails(other));
    ck_assert(dlviz_figure_class_color(other, 0) == 0 && !dlviz_figure_clip_outliers(other));
    ck_assert(dlviz_figure_class_marker(other, 0) == DLVIZ_MARKER_AUTO);
    ck_assert(isnan(dlviz_figure_axis_share(other, 0)));
    dlviz_figure_destroy(figure);
    dlviz_figure_destroy(other);
    dlviz_tensor_destroy(values);
    dlviz_tensor_destroy(images);
}
END_TEST

START_TEST(bad_values_and_images_are_refused) {
    dlviz_figure *figure = scatter_figure(10, 3), *other = matrix_figure(3);
    dlviz_tensor *values = filled(1, (int64_t[]){10}, 4), *fewer = filled(1, (int64_t[]){9}, 4);
    const dlviz_status bad = DLVIZ_ERROR_INVALID_ARGUMENT;
    ck_fails(dlviz_figure_set_values(other, values, NULL), bad, "a matrix");
    ck_fails(dlviz_figure_set_values(NULL, values, NULL), bad, "figure");
    ck_fails(dlviz_figure_set_values(figure, fewer, NULL), DLVIZ_ERROR_SHAPE, "10 entries");
    ck_fails(dlviz_figure_set_values(figure, values, "\x01"), bad, "0x01");
    dlviz_tensor_float(values)[7] = -INFINITY;
    ck_fails(dlviz_figure_set_values(figure, values, NULL), DLVIZ_ERROR_NUMERIC, "value 7 is -inf");
    for (int i = 0; i < 10; i++)
        dlviz_tensor_float(values)[i] = NAN;
    ck_fails(dlviz_figure_set_values(figure, values, NULL), DLVIZ_ERROR_NUMERIC, "all values");
    const int64_t shapes[][5] = {{9, 4, 4}, {10, 2, 4, 4}, {10, 3, 4, 4, 1}, {10, 3, 0, 4}};
    const int dims[] = {3, 4, 5, 4};
    for (int i = 0; i < 4; i++) {
        dlviz_tensor *images = tensor_of(DLVIZ_FLOAT32, dims[i], shapes[i]);
        ck_fails(dlviz_figure_set_thumbnails(figure, images), DLVIZ_ERROR_SHAPE, "10 points");
        dlviz_tensor_destroy(images);
    }
    dlviz_tensor *images = filled(4, (int64_t[]){10, 1, 4, 4}, 3);
    dlviz_tensor_float(images)[50] = INFINITY;
    ck_fails(dlviz_figure_set_thumbnails(figure, images), DLVIZ_ERROR_NUMERIC, "image 3");
    ck_fails(dlviz_figure_set_thumbnails(other, images), bad, "a matrix");
    dlviz_tensor_destroy(images);
    dlviz_tensor_destroy(values);
    dlviz_tensor_destroy(fewer);
    dlviz_figure_destroy(figure);
    dlviz_figure_destroy(other);
}
END_TEST

START_TEST(bad_lists_are_refused) {
    dlviz_figure *figure = scatter_figure(10, 3), *other = curves_figure(2);
    const dlviz_status bad = DLVIZ_ERROR_INVALID_ARGUMENT;
    const uint32_t colors[2] = {1, 0x1000000};
    const dlviz_marker markers[2] = {DLVIZ_MARKER_PLUS, (dlviz_marker)7};
    ck_fails(dlviz_figure_set_class_colors(figure, 2, colors), bad, "color 1 is 0x1000000");
    ck_fails(dlviz_figure_set_class_colors(figure, 1, NULL), bad, "'colors' is NULL");
    ck_fails(dlviz_figure_set_class_colors(figure, -1, colors), bad, "-1 colors");
    ck_fails(dlviz_figure_set_class_colors(other, 1, colors), bad, "a figure of curves");
    ck_fails(dlviz_figure_set_class_markers(figure, 2, markers), bad, "marker 1 is 7");
    ck_fails(dlviz_figure_set_class_markers(figure, (1 << 24) + 1, NULL), bad, "16777217 markers");
    ck_fails(dlviz_figure_set_axis_shares(figure, 2, (double[]){0.5, 1.01}), bad,
             "share 1 is 1.01");
    ck_fails(dlviz_figure_set_axis_shares(figure, 1, (double[]){NAN}), bad, "nan");
    ck_fails(dlviz_figure_set_axis_shares(other, 1, (double[]){1}), bad, "a figure of curves");
    ck_fails(dlviz_figure_set_clip_outliers(other, true), bad, "a figure of curves");
    ck_assert(dlviz_figure_num_class_colors(figure) == 0 &&
              dlviz_figure_num_class_markers(figure) == 0 &&
              dlviz_figure_num_axis_shares(figure) == 0);
    dlviz_figure_destroy(figure);
    dlviz_figure_destroy(other);
}
END_TEST

START_TEST(bad_sets_are_refused) {
    dlviz_figure *figure = scatter_figure(10, 3), *other = matrix_figure(3);
    dlviz_tensor *map = filled(2, (int64_t[]){4, 2}, 3), *three = filled(2, (int64_t[]){4, 3}, 3);
    dlviz_tensor *labels = tensor_of(DLVIZ_UINT8, 1, (int64_t[]){5});
    const dlviz_status bad = DLVIZ_ERROR_INVALID_ARGUMENT;
    ck_fails(dlviz_figure_add_points(other, "new", map, NULL), bad, "a matrix");
    ck_fails(dlviz_figure_add_points(figure, NULL, map, NULL), bad, "name");
    ck_fails(dlviz_figure_add_points(figure, "", map, NULL), bad, "empty");
    ck_fails(dlviz_figure_add_points(figure, "\xff", map, NULL), bad, "UTF-8");
    ck_fails(dlviz_figure_add_points(figure, "new", NULL, NULL), bad, "map");
    ck_fails(dlviz_figure_add_points(figure, "new", three, NULL), DLVIZ_ERROR_SHAPE,
             "n x 2, as the figure's map");
    ck_fails(dlviz_figure_add_points(figure, "new", map, labels), DLVIZ_ERROR_SHAPE, "4 entries");
    for (int i = 0; i < 3; i++)
        ck_ok(dlviz_figure_add_points(figure, "new", map, NULL));
    ck_fails(dlviz_figure_add_points(figure, "fourth", map, NULL), bad, "no room for 'fourth'");
    dlviz_tensor_float(map)[5] = NAN;
    ck_fails(dlviz_figure_add_points(figure, "new", map, NULL), bad, "no room");
    dlviz_tensor_destroy(map);
    dlviz_tensor_destroy(three);
    dlviz_tensor_destroy(labels);
    dlviz_figure_destroy(figure);
    dlviz_figure_destroy(other);
}
END_TEST

START_TEST(values_stay_with_their_points) {
    /* Points that are added later have none; then there is one for each of all. */
    dlviz_figure *figure = scatter_figure(10, 3);
    dlviz_tensor *values = filled(1, (int64_t[]){10}, 4), *all = filled(1, (int64_t[]){14}, 4);
    dlviz_tensor *map = filled(2, (int64_t[]){4, 2}, 3);
    ck_ok(dlviz_figure_set_values(figure, values, "weight"));
    ck_ok(dlviz_figure_add_points(figure, "new", map, NULL));
    const dlviz_tensor *kept;
    dlviz_figure_values(figure, &kept, NULL);
    ck_assert_int_eq(dlviz_tensor_num_elements(kept), 14);
    const float *now = dlviz_tensor_data((dlviz_tensor *)kept);
    ck_assert_mem_eq(now, dlviz_tensor_float(values), 10 * sizeof *now);
    for (int i = 10; i < 14; i++)
        ck_assert(isnan(now[i]));
    ck_fails(dlviz_figure_set_values(figure, values, NULL), DLVIZ_ERROR_SHAPE, "14 entries");
    ck_ok(dlviz_figure_set_values(figure, all, NULL));
    dlviz_tensor_destroy(map);
    dlviz_tensor_destroy(values);
    dlviz_tensor_destroy(all);
    dlviz_figure_destroy(figure);
}
END_TEST

/* ---- Memory ---------------------------------------------------------------------------------- */

typedef struct everything {
    dlviz_tensor *maps[3], *labels, *values, *images;
    const char *path;
} everything;

static dlviz_status fill_figure(const everything *all, dlviz_figure *figure, dlviz_tensor *map) {
    static const char *const names[] = {"zero", "one"};
    DLZ_TRY(dlviz_figure_set_class_names(figure, 2, names));
    DLZ_TRY(dlviz_figure_set_values(figure, all->values, "values"));
    DLZ_TRY(dlviz_figure_set_thumbnails(figure, all->images));
    DLZ_TRY(dlviz_figure_set_class_colors(figure, 1, (uint32_t[]){0}));
    DLZ_TRY(dlviz_figure_set_class_markers(figure, 1, (dlviz_marker[]){DLVIZ_MARKER_PLUS}));
    DLZ_TRY(dlviz_figure_set_axis_shares(figure, 1, (double[]){1}));
    DLZ_TRY(dlviz_figure_add_points(figure, "more", map, all->labels));
    return dlviz_figure_write(figure, all->path);
}

static dlviz_status draw_everything(void *context) {
    const everything *all = context;
    for (int i = 0; i < 3; i++) {
        dlviz_figure *figure;
        DLZ_TRY(dlviz_figure_create_scatter(&figure, all->maps[i], i ? all->labels : NULL));
        /* The first takes the size that suits it. */
        dlviz_status status = i ? dlviz_figure_set_size(figure, 200, 300) : DLVIZ_OK;
        if (status == DLVIZ_OK)
            status = fill_figure(all, figure, all->maps[i]);
        dlviz_figure_destroy(figure);
        DLZ_TRY(status);
    }
    return DLVIZ_OK;
}

START_TEST(any_allocation_may_fail) {
    everything all = {.labels = tensor_of(DLVIZ_UINT8, 1, (int64_t[]){40}),
                      .values = filled(1, (int64_t[]){40}, 3),
                      .images = filled(3, (int64_t[]){40, 3, 3}, 3),
                      .path = scratch_path("memory.svg")};
    for (int i = 0; i < 3; i++) {
        all.maps[i] = filled(2, (int64_t[]){40, i + 1}, 3);
        dlviz_tensor_float(all.maps[i])[0] = 1e9F; /* an outlier */
    }
    ck_assert_int_gt(fail_each_allocation(draw_everything, &all), 100);
    for (int i = 0; i < 3; i++)
        dlviz_tensor_destroy(all.maps[i]);
    dlviz_tensor_destroy(all.labels);
    dlviz_tensor_destroy(all.values);
    dlviz_tensor_destroy(all.images);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {maps_of_one_to_three_columns_are_taken,
                                  getters_tell_what_was_set,
                                  bad_values_and_images_are_refused,
                                  bad_lists_are_refused,
                                  bad_sets_are_refused,
                                  values_stay_with_their_points,
                                  any_allocation_may_fail,
                                  NULL};
    return run_tests("scatter_settings", tests);
}
