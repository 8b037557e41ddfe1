/* t-SNE handles in files: what is opened transforms and fits to the same bits, and what no fit
 * gives is refused. */
#include "support/failing.h"
#include "support/tsne.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N = 120, D = 5 };

static dlviz_tsne *quick(void) {
    dlviz_tsne *tsne;
    ck_ok(dlviz_tsne_create(&tsne));
    ck_ok(dlviz_tsne_set_perplexity(tsne, 9));
    ck_ok(dlviz_tsne_set_num_iterations(tsne, 90));
    ck_ok(dlviz_tsne_set_early_exaggeration(tsne, 11, 30));
    return tsne;
}

static dlviz_tsne *opened(const dlviz_tsne *tsne) {
    dlviz_tsne *again;
    void *bytes, *other;
    size_t size, other_size;
    ck_ok(dlviz_tsne_save_memory(tsne, &bytes, &size));
    ck_ok(dlviz_tsne_open_memory(&again, bytes, size));
    ck_ok(dlviz_tsne_save_memory(again, &other, &other_size));
    ck_assert_int_eq(size, other_size);
    ck_assert_mem_eq(bytes, other, size);
    dlviz_free(bytes);
    dlviz_free(other);
    return again;
}

static void expect_equal(const dlviz_tensor *a, const dlviz_tensor *b) {
    ck_assert_int_eq(dlviz_tensor_dim(a, 0), dlviz_tensor_dim(b, 0));
    ck_assert_int_eq(dlviz_tensor_dim(a, 1), dlviz_tensor_dim(b, 1));
    ck_assert_mem_eq(dlviz_tensor_const_data(a), dlviz_tensor_const_data(b),
                     (size_t)dlviz_tensor_num_elements(a) * sizeof(float));
}

static void expect_same_number(double a, double b) {
    ck_assert_msg(a == b || (isnan(a) && isnan(b)), "%.17g, not %.17g", a, b);
}

static void expect_same_results(const dlviz_tsne *a, const dlviz_tsne *b) {
    dlviz_tensor *x, *y;
    expect_same_number(dlviz_tsne_kl_divergence(a), dlviz_tsne_kl_divergence(b));
    expect_same_number(dlviz_tsne_perplexity_used(a), dlviz_tsne_perplexity_used(b));
    ck_assert_int_eq(dlviz_tsne_num_iterations_done(a), dlviz_tsne_num_iterations_done(b));
    ck_assert_int_eq(dlviz_tsne_num_neighbors(a), dlviz_tsne_num_neighbors(b));
    ck_assert_int_eq(dlviz_tsne_method_used(a), dlviz_tsne_method_used(b));
    ck_ok(dlviz_tsne_history(a, &x));
    ck_ok(dlviz_tsne_history(b, &y));
    expect_equal(x, y);
    dlviz_tensor_destroy(x);
    dlviz_tensor_destroy(y);
}

static void expect_same_transform(const dlviz_tsne *a, const dlviz_tsne *b,
                                  const dlviz_tensor *points) {
    dlviz_tensor *x, *y;
    ck_ok(dlviz_tsne_transform(a, points, &x));
    ck_ok(dlviz_tsne_transform(b, points, &y));
    expect_equal(x, y);
    dlviz_tensor_destroy(x);
    dlviz_tensor_destroy(y);
}

static void expect_same_fit(dlviz_tsne *a, dlviz_tsne *b, const dlviz_tensor *points) {
    dlviz_tensor *x, *y;
    ck_ok(dlviz_tsne_fit(a, points, &x));
    ck_ok(dlviz_tsne_fit(b, points, &y));
    expect_equal(x, y);
    dlviz_tensor_destroy(x);
    dlviz_tensor_destroy(y);
}

START_TEST(what_is_opened_goes_on) {
    const double scales[] = {1, 1e-30, 1e17};
    dlviz_tensor *points = blobs(N, D, 1), *others = blobs(30, D, 2), *map;
    for (int dimensions = 1; dimensions <= 3; dimensions++)
        for (int distance = 0; distance < 2; distance++)
            for (int scale = 0; scale < 3; scale++) {
                dlviz_tensor *scaled, *new_ones;
                ck_ok(dlviz_tensor_copy(points, &scaled));
                ck_ok(dlviz_tensor_copy(others, &new_ones));
                for (int64_t i = 0; i < N * D; i++)
                    dlviz_tensor_float(scaled)[i] *= (float)scales[scale];
                for (int64_t i = 0; i < 30 * D; i++)
                    dlviz_tensor_float(new_ones)[i] *= (float)scales[scale];
                dlviz_tsne *tsne = quick();
                ck_ok(dlviz_tsne_set_num_dimensions(tsne, dimensions));
                ck_ok(dlviz_tsne_set_distance(tsne, (dlviz_tsne_distance_kind)distance));
                ck_ok(dlviz_tsne_fit(tsne, scaled, &map));
                dlviz_tensor_destroy(map);
                /* Settings that are changed after the fit do not touch it. */
                ck_ok(dlviz_tsne_set_degrees_of_freedom(tsne, 0.7));
                ck_ok(dlviz_tsne_set_num_dimensions(tsne, 2));
                dlviz_tsne *again = opened(tsne);
                expect_same_results(tsne, again);
                expect_same_transform(tsne, again, new_ones);
                expect_same_fit(tsne, again, scaled);
                dlviz_tsne_destroy(tsne);
                dlviz_tsne_destroy(again);
                dlviz_tensor_destroy(scaled);
                dlviz_tensor_destroy(new_ones);
            }
    dlviz_tensor_destroy(points);
    dlviz_tensor_destroy(others);
}
END_TEST

/* From 2000 points on transform reads a grid's potential. */
START_TEST(large_maps_are_read_by_their_grid) {
    dlviz_tensor *points = blobs(2100, 4, 1), *others = blobs(40, 4, 2), *map;
    dlviz_tsne *tsne = quick(), *again;
    ck_ok(dlviz_tsne_set_cell_size(tsne, 0.4));
    ck_ok(dlviz_tsne_fit(tsne, points, &map));
    again = opened(tsne);
    expect_same_transform(tsne, again, others);
    dlviz_tensor *all[] = {points, others, map};
    for (int i = 0; i < 3; i++)
        dlviz_tensor_destroy(all[i]);
    dlviz_tsne_destroy(tsne);
    dlviz_tsne_destroy(again);
}
END_TEST

START_TEST(settings_come_back) {
    dlviz_tsne *tsne = quick(), *again;
    dlviz_tensor *start = blobs(N, 2, 4);
    ck_ok(dlviz_tsne_set_num_dimensions(tsne, 2));
    ck_ok(dlviz_tsne_set_perplexities(tsne, 3, (const double[]){3, 1.0 / 3 + 2, 20}));
    ck_ok(dlviz_tsne_set_distance(tsne, DLVIZ_TSNE_DISTANCE_COSINE));
    ck_ok(dlviz_tsne_set_num_iterations(tsne, INT32_MAX));
    ck_ok(dlviz_tsne_set_early_exaggeration(tsne, 0.1, 7));
    ck_ok(dlviz_tsne_set_late_exaggeration(tsne, 1.7, 9));
    ck_ok(dlviz_tsne_set_learning_rate(tsne, 1e12));
    ck_ok(dlviz_tsne_set_momentum(tsne, 0.1, 0.2));
    ck_ok(dlviz_tsne_set_degrees_of_freedom(tsne, 1e4));
    ck_ok(dlviz_tsne_set_init(tsne, DLVIZ_TSNE_INIT_RANDOM));
    ck_ok(dlviz_tsne_set_initial_map(tsne, start));
    ck_ok(dlviz_tsne_set_seed(tsne, UINT64_MAX - 5));
    ck_ok(dlviz_tsne_set_method(tsne, DLVIZ_TSNE_METHOD_BARNES_HUT));
    ck_ok(dlviz_tsne_set_angle(tsne, 0.3));
    ck_ok(dlviz_tsne_set_cell_size(tsne, 0.05));
    ck_ok(dlviz_tsne_set_stopping(tsne, 1e-7, 300));
    ck_ok(dlviz_tsne_set_transform_perplexity(tsne, 4.1));
    ck_ok(dlviz_tsne_set_num_transform_iterations(tsne, 77));
    ck_ok(dlviz_tsne_set_transform_learning_rate(tsne, 0.3));
    ck_ok(dlviz_tsne_set_transform_exaggeration(tsne, 1.1));
    again = opened(tsne);
    ck_assert_int_eq(dlviz_tsne_num_perplexities(again), 3);
    ck_assert_mem_eq(dlviz_tsne_perplexities(again), dlviz_tsne_perplexities(tsne),
                     3 * sizeof(double));
    double x, y;
    int64_t i;
    ck_assert_int_eq(dlviz_tsne_num_dimensions(again), 2);
    ck_assert_int_eq(dlviz_tsne_distance(again), DLVIZ_TSNE_DISTANCE_COSINE);
    ck_assert_int_eq(dlviz_tsne_num_iterations(again), INT32_MAX);
    dlviz_tsne_early_exaggeration(again, &x, &i);
    ck_assert(x == 0.1 && i == 7);
    dlviz_tsne_late_exaggeration(again, &x, &i);
    ck_assert(x == 1.7 && i == 9);
    ck_assert_double_eq(dlviz_tsne_learning_rate(again), 1e12);
    dlviz_tsne_momentum(again, &x, &y);
    ck_assert(x == 0.1 && y == 0.2);
    ck_assert_double_eq(dlviz_tsne_degrees_of_freedom(again), 1e4);
    ck_assert_int_eq(dlviz_tsne_init(again), DLVIZ_TSNE_INIT_RANDOM);
    expect_equal(dlviz_tsne_initial_map(again), start);
    ck_assert(dlviz_tsne_seed(again) == UINT64_MAX - 5);
    ck_assert_int_eq(dlviz_tsne_method(again), DLVIZ_TSNE_METHOD_BARNES_HUT);
    ck_assert_double_eq(dlviz_tsne_angle(again), 0.3);
    ck_assert_double_eq(dlviz_tsne_cell_size(again), 0.05);
    dlviz_tsne_stopping(again, &x, &i);
    ck_assert(x == 1e-7 && i == 300);
    ck_assert_double_eq(dlviz_tsne_transform_perplexity(again), 4.1);
    ck_assert_int_eq(dlviz_tsne_num_transform_iterations(again), 77);
    ck_assert_double_eq(dlviz_tsne_transform_learning_rate(again), 0.3);
    ck_assert_double_eq(dlviz_tsne_transform_exaggeration(again), 1.1);
    /* There was no fit. */
    ck_assert(isnan(dlviz_tsne_kl_divergence(again)));
    dlviz_tensor *out;
    ck_fails(dlviz_tsne_transform(again, start, &out), DLVIZ_ERROR_STATE, "needs a fit of points");
    ck_fails(dlviz_tsne_history(again, &out), DLVIZ_ERROR_STATE, "no fit");
    dlviz_tensor_destroy(start);
    dlviz_tsne_destroy(tsne);
    dlviz_tsne_destroy(again);
}
END_TEST

/* Fits of neighbors, of affinities and of a single point. */
START_TEST(handles_without_points) {
    dlviz_tensor *indices, *distances, *offsets, *columns, *values, *map, *out;
    make_rings(40, 3, 1, &indices, &distances, &offsets, &columns, &values);
    dlviz_tsne *tsne = quick(), *again;
    for (int kind = 0; kind < 2; kind++) {
        if (kind == 0)
            ck_ok(dlviz_tsne_fit_neighbors(tsne, indices, distances, &map));
        else
            ck_ok(dlviz_tsne_fit_affinities(tsne, offsets, columns, values, &map));
        again = opened(tsne);
        expect_same_results(tsne, again);
        ck_fails(dlviz_tsne_transform(again, map, &out), DLVIZ_ERROR_STATE,
                 "needs a fit of points");
        dlviz_tensor_destroy(map);
        dlviz_tsne_destroy(again);
    }
    dlviz_tensor *one = matrix(1, 3, (const float[]){1, 2, 3});
    ck_ok(dlviz_tsne_fit(tsne, one, &map));
    again = opened(tsne);
    expect_same_results(tsne, again);
    expect_same_transform(tsne, again, one);
    dlviz_tensor *all[] = {indices, distances, offsets, columns, values, map, one};
    for (int i = 0; i < 7; i++)
        dlviz_tensor_destroy(all[i]);
    dlviz_tsne_destroy(again);
    dlviz_tsne_destroy(tsne);
}
END_TEST

/* -- What is refused -----------------------------------------------------------------------------
 */

static void *fitted_bytes(size_t *size) {
    dlviz_tensor *points = blobs(N, D, 1), *map;
    dlviz_tsne *tsne = quick();
    void *bytes;
    ck_ok(dlviz_tsne_fit(tsne, points, &map));
    ck_ok(dlviz_tsne_save_memory(tsne, &bytes, size));
    dlviz_tensor_destroy(points);
    dlviz_tensor_destroy(map);
    dlviz_tsne_destroy(tsne);
    return bytes;
}

/* The contents with a tensor taken out, or another in its place, or with other metadata. */
static void expect_refused(const void *bytes, size_t size, const char *name,
                           const dlviz_tensor *tensor, const char *key, const char *value,
                           const char *words) {
    dlviz_safetensors *file;
    dlviz_tsne *tsne;
    void *changed;
    size_t changed_size;
    ck_ok(dlviz_safetensors_open_memory(&file, bytes, size));
    if (name)
        ck_ok(dlviz_safetensors_remove(file, name));
    if (tensor)
        ck_ok(dlviz_safetensors_add(file, name, tensor));
    if (key)
        ck_ok(dlviz_safetensors_set_metadata(file, key, value));
    ck_ok(dlviz_safetensors_save_memory(file, &changed, &changed_size));
    ck_fails(dlviz_tsne_open_memory(&tsne, changed, changed_size), DLVIZ_ERROR_FORMAT, words);
    ck_assert_ptr_null(tsne);
    dlviz_free(changed);
    dlviz_safetensors_destroy(file);
}

START_TEST(tensors_that_do_not_fit) {
    size_t size;
    void *bytes = fitted_bytes(&size);
    dlviz_tensor *other = blobs(N - 1, 2, 1), *wide = blobs(N, 4, 1), *nan = blobs(N, 2, 1);
    dlviz_tensor *huge = matrix(N, D, NULL);
    dlviz_tensor_float(nan)[4] = NAN;
    dlviz_tensor_float(huge)[9] = 1e13f;
    expect_refused(bytes, size, "map", NULL, NULL, NULL, "no map");
    expect_refused(bytes, size, "map", wide, NULL, NULL, "no map of 1 to 3 dimensions");
    expect_refused(bytes, size, "map", nan, NULL, NULL, "'map' has a value that is too large");
    expect_refused(bytes, size, "map", other, NULL, NULL, "'points' has another type or shape");
    dlviz_tensor_float(nan)[4] = 2e7f;
    expect_refused(bytes, size, "map", nan, NULL, NULL, "'map' has a value that is too large");
    expect_refused(bytes, size, "points", other, NULL, NULL, "'points' has another type or shape");
    expect_refused(bytes, size, "points", huge, NULL, NULL, "'points' has a value that is too");
    expect_refused(bytes, size, "history", other, NULL, NULL, "'history' has another type");
    expect_refused(bytes, size, "history", NULL, NULL, NULL, "no history");
    dlviz_tensor *before = matrix(4, 3, NULL);
    dlviz_tensor_float(before)[7] = -1;
    expect_refused(bytes, size, "history", before, NULL, NULL, "history cannot have been");
    dlviz_tensor_destroy(before);
    dlviz_tensor *all[] = {other, wide, nan, huge};
    for (int i = 0; i < 4; i++)
        dlviz_tensor_destroy(all[i]);
    dlviz_free(bytes);
}
END_TEST

/* A copy of a text with one part replaced; fails where it is not there. */
static char *replaced(const char *text, const char *part, const char *by) {
    const char *at = strstr(text, part);
    ck_assert_msg(at != NULL, "no %s in %s", part, text);
    char *copy = malloc(strlen(text) + strlen(by) + 1);
    memcpy(copy, text, (size_t)(at - text));
    strcpy(copy + (at - text), by);
    strcat(copy, at + strlen(part));
    return copy;
}

START_TEST(numbers_that_no_fit_gives) {
    static const struct {
        const char *key, *part, *by, *words;
    } wrong[] = {
        {"dlviz.tsne.fit", "\"distance\":0", "\"distance\":2", "distance of none"},
        {"dlviz.tsne.fit", "\"distance\":0", "\"distance\":1", "length is not 1"},
        {"dlviz.tsne.fit", "\"iterations\":90", "\"iterations\":-1", "cannot have been"},
        {"dlviz.tsne.fit", "\"neighbors\":27", "\"neighbors\":120", "cannot have been"},
        {"dlviz.tsne.fit", "\"method\":", "\"method\":1", "cannot have been"},
        {"dlviz.tsne.fit", "\"kl_divergence\":", "\"kl_divergence\":-",
         "'kl_divergence' cannot have been"},
        {"dlviz.tsne.fit", "\"kl_divergence\":", "\"kl_divergence\":[],\"other\":",
         "'kl_divergence' cannot have been"},
        {"dlviz.tsne.fit",
         "\"perplexity\":", "\"perplexity\":0.5,\"other\":", "'perplexity' cannot have been"},
        {"dlviz.tsne.fit", "\"scale\":", "\"scale\":3", "scale of none"},
        {"dlviz.tsne.fit", "\"scale\":", "\"scale\":-", "scale of none"},
        {"dlviz.tsne.fit", "\"degrees_of_freedom\":1.0", "\"degrees_of_freedom\":0.0",
         "settings of none"},
        {"dlviz.tsne.fit", "\"cell_size\":0.0", "\"cell_size\":1e-3", "settings of none"},
        {"dlviz.tsne.settings", "\"dimensions\":2", "\"dimensions\":4", "4 dimensions"},
        {"dlviz.tsne.settings", "\"perplexities\":[9.0]", "\"perplexities\":[]", "perplexities"},
        {"dlviz.tsne.settings", "\"perplexities\":[9.0]", "\"perplexities\":[0.5]",
         "perplexity 0 is 0.5"},
        {"dlviz.tsne.settings", "\"distance\":0", "\"distance\":4294967296", "kind of none"},
        {"dlviz.tsne.settings", "\"init\":0", "\"init\":-1", "init -1"},
        {"dlviz.tsne.settings", "\"method\":0", "\"method\":9", "method 9"},
        {"dlviz.tsne.settings", "\"transform_exaggeration\":1.5", "\"transform_exaggeration\":1e9",
         "exaggeration 1e+09"},
        {"dlviz.tsne.settings", "\"transform_learning_rate\":",
         "\"transform_learning_rate\":1e13,\"other\":", "learning rate 1e+13"},
        {"dlviz.tsne.settings", "\"seed\":0,", "", "'seed' is missing"},
    };
    size_t size;
    void *bytes = fitted_bytes(&size);
    dlviz_safetensors *file;
    ck_ok(dlviz_safetensors_open_memory(&file, bytes, size));
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        const char *text = dlviz_safetensors_metadata(file, wrong[i].key);
        ck_assert_ptr_nonnull(text);
        char *other = replaced(text, wrong[i].part, wrong[i].by);
        expect_refused(bytes, size, NULL, NULL, wrong[i].key, other, wrong[i].words);
        free(other);
    }
    /* More than there is room for. */
    enum { MANY = 3000 };
    char *many = malloc(4 * MANY + 64), *end = stpcpy(many, "\"perplexities\":[9.0");
    for (int i = 1; i < MANY; i++)
        end = stpcpy(end, ",9.0");
    strcpy(end, "]");
    const char *settings = dlviz_safetensors_metadata(file, "dlviz.tsne.settings");
    char *other = replaced(settings, "\"perplexities\":[9.0]", many);
    expect_refused(bytes, size, NULL, NULL, "dlviz.tsne.settings", other,
                   "3000 perplexities; 1 to 16");
    free(other);
    free(many);
    expect_refused(bytes, size, NULL, NULL, "format", "dlviz-pca-1", "format is not");
    expect_refused(bytes, size, NULL, NULL, "dlviz.tsne.fit", "[]", "not a JSON object");
    dlviz_safetensors_destroy(file);
    dlviz_tsne *tsne;
    ((unsigned char *)bytes)[size - 3] ^= 4;
    ck_fails(dlviz_tsne_open_memory(&tsne, bytes, size), DLVIZ_ERROR_FORMAT, "checksum");
    dlviz_free(bytes);
}
END_TEST

static bool save_within(const dlviz_tsne_event *event, void *user) {
    (void)event;
    void *bytes = user;
    size_t size = 1;
    ck_fails(dlviz_tsne_save_memory(user, &bytes, &size), DLVIZ_ERROR_STATE, "a fit is under way");
    ck_assert(!bytes && size == 0);
    ck_fails(dlviz_tsne_save(user, scratch_path("early")), DLVIZ_ERROR_STATE, "under way");
    return true;
}

/* A file of settings alone would be taken for the fit. */
START_TEST(not_from_within_a_fit) {
    dlviz_tsne *tsne;
    dlviz_tensor *points = blobs(60, 3, 1), *map;
    ck_ok(dlviz_tsne_create(&tsne));
    ck_ok(dlviz_tsne_set_num_iterations(tsne, 5));
    ck_ok(dlviz_tsne_set_perplexities(tsne, 1, (const double[]){5}));
    ck_ok(dlviz_tsne_set_progress(tsne, 2, save_within, tsne));
    ck_ok(dlviz_tsne_fit(tsne, points, &map));
    ck_ok(dlviz_tsne_save(tsne, scratch_path("late")));
    dlviz_tensor_destroy(points);
    dlviz_tensor_destroy(map);
    dlviz_tsne_destroy(tsne);
}
END_TEST

START_TEST(files_on_disk) {
    dlviz_tsne *tsne = quick(), *again;
    dlviz_tensor *points = blobs(N, D, 1), *map;
    const char *path = scratch_path("tsne.safetensors");
    ck_ok(dlviz_tsne_fit(tsne, points, &map));
    ck_ok(dlviz_tsne_save(tsne, path));
    ck_ok(dlviz_tsne_open(&again, path));
    expect_same_transform(tsne, again, points);
    dlviz_tsne_destroy(again);
    ck_fails(dlviz_tsne_save(tsne, scratch_path("no/folder")), DLVIZ_ERROR_IO, "no/folder");
    ck_fails(dlviz_tsne_open(&again, scratch_path("none")), DLVIZ_ERROR_IO, "none");
    ck_assert_ptr_null(again);
    dlviz_tensor_destroy(points);
    dlviz_tensor_destroy(map);
    dlviz_tsne_destroy(tsne);
}
END_TEST

static dlviz_status work(void *context) {
    dlviz_tsne *again = NULL;
    void *bytes;
    size_t size;
    TRY(dlviz_tsne_save_memory(context, &bytes, &size));
    dlviz_status status = dlviz_tsne_open_memory(&again, bytes, size);
    dlviz_free(bytes);
    dlviz_tsne_destroy(again);
    return status;
}

START_TEST(memory_may_lack) {
    dlviz_tsne *tsne = quick();
    dlviz_tensor *points = blobs(N, D, 1), *map;
    ck_ok(dlviz_tsne_set_initial_map(tsne, NULL));
    ck_ok(dlviz_tsne_fit(tsne, points, &map));
    ck_ok(dlviz_tsne_set_initial_map(tsne, map));
    ck_assert_int_gt(fail_each_allocation(work, tsne), 20);
    dlviz_tensor_destroy(points);
    dlviz_tensor_destroy(map);
    dlviz_tsne_destroy(tsne);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {what_is_opened_goes_on,  large_maps_are_read_by_their_grid,
                                  settings_come_back,      handles_without_points,
                                  tensors_that_do_not_fit, numbers_that_no_fit_gives,
                                  not_from_within_a_fit,   files_on_disk,
                                  memory_may_lack,         NULL};
    return run_tests("tsne_file", tests);
}
