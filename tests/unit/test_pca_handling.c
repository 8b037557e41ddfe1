#include "support/failing.h"
#include "support/pca.h"
#include "support/support.h"

#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

START_TEST(wrong_settings_are_refused) {
    dlviz_pca *pca = (dlviz_pca *)&pca;
    ck_fails(dlviz_pca_create(NULL, 2), DLVIZ_ERROR_INVALID_ARGUMENT, "'out' is NULL");
    ck_fails(dlviz_pca_create(&pca, -1), DLVIZ_ERROR_INVALID_ARGUMENT, "'num_wanted' is -1");
    ck_assert_ptr_null(pca);
    dlviz_pca_destroy(NULL);
    ck_ok(dlviz_pca_create(&pca, 2));
    ck_fails(dlviz_pca_set_num_wanted(pca, -5), DLVIZ_ERROR_INVALID_ARGUMENT, "-5");
    ck_fails(dlviz_pca_set_num_wanted(NULL, 5), DLVIZ_ERROR_INVALID_ARGUMENT, "NULL");
    double fractions[] = {0, 1, -0.5, 1.5, NAN};
    for (int i = 0; i < 5; i++)
        ck_fails(dlviz_pca_set_variance_fraction(pca, fractions[i]), DLVIZ_ERROR_INVALID_ARGUMENT,
                 "between 0 and 1");
    ck_fails(dlviz_pca_set_variance_fraction(NULL, 0.5), DLVIZ_ERROR_INVALID_ARGUMENT, "NULL");
    ck_fails(dlviz_pca_set_solver(pca, (dlviz_pca_solver_kind)4), DLVIZ_ERROR_INVALID_ARGUMENT,
             "4");
    ck_fails(dlviz_pca_set_solver(pca, (dlviz_pca_solver_kind)-1), DLVIZ_ERROR_INVALID_ARGUMENT,
             "-1");
    ck_fails(dlviz_pca_set_solver(NULL, DLVIZ_PCA_SOLVER_AUTO), DLVIZ_ERROR_INVALID_ARGUMENT,
             "NULL");
    ck_fails(dlviz_pca_set_randomized(pca, -1, 0), DLVIZ_ERROR_INVALID_ARGUMENT, "'oversampling'");
    ck_fails(dlviz_pca_set_randomized(pca, 1001, 0), DLVIZ_ERROR_INVALID_ARGUMENT, "1001");
    ck_fails(dlviz_pca_set_randomized(pca, 5, -1), DLVIZ_ERROR_INVALID_ARGUMENT,
             "'num_iterations'");
    ck_fails(dlviz_pca_set_randomized(pca, 5, 1001), DLVIZ_ERROR_INVALID_ARGUMENT, "1001");
    ck_fails(dlviz_pca_set_randomized(NULL, 5, 0), DLVIZ_ERROR_INVALID_ARGUMENT, "NULL");
    ck_fails(dlviz_pca_set_whiten(NULL, true), DLVIZ_ERROR_INVALID_ARGUMENT, "NULL");
    ck_fails(dlviz_pca_set_seed(NULL, 1), DLVIZ_ERROR_INVALID_ARGUMENT, "NULL");
    ck_fails(dlviz_pca_set_progress(NULL, NULL, NULL), DLVIZ_ERROR_INVALID_ARGUMENT, "NULL");
    dlviz_pca_destroy(pca);
}
END_TEST

START_TEST(nothing_is_known_before_a_fit) {
    dlviz_pca *pca;
    ck_ok(dlviz_pca_create(&pca, 2));
    dlviz_tensor *x = make_points(10, 4, 4, 0.9, 0, 1), *y;
    ck_fails(dlviz_pca_transform(pca, x, &y), DLVIZ_ERROR_STATE, "not fitted");
    ck_assert_ptr_null(y);
    ck_fails(dlviz_pca_inverse_transform(pca, x, &y), DLVIZ_ERROR_STATE, "not fitted");
    ck_fails(dlviz_pca_save(pca, scratch_path("none")), DLVIZ_ERROR_STATE, "not fitted");
    ck_assert_ptr_null(dlviz_pca_mean(pca));
    ck_assert_ptr_null(dlviz_pca_components(pca));
    ck_assert_ptr_null(dlviz_pca_explained_variance(pca));
    ck_assert_ptr_null(dlviz_pca_explained_variance_ratio(pca));
    ck_assert_ptr_null(dlviz_pca_singular_values(pca));
    ck_assert_int_eq(dlviz_pca_num_components(pca) + dlviz_pca_num_features(pca) +
                         dlviz_pca_num_samples(pca),
                     0);
    ck_assert_double_eq(dlviz_pca_noise_variance(pca) + dlviz_pca_total_variance(pca), 0);
    dlviz_pca_destroy(pca);
    dlviz_tensor_destroy(x);
}
END_TEST

START_TEST(wrong_data_are_refused_and_the_earlier_fit_stays) {
    dlviz_tensor *x = make_points(10, 4, 4, 0.9, 0, 1), *bytes, *row, *cube, *y, *narrow;
    ck_ok(dlviz_tensor_create(&bytes, DLVIZ_UINT8, 2, (int64_t[]){10, 4}));
    ck_ok(dlviz_tensor_slice(x, 0, 1, &row));
    ck_ok(dlviz_tensor_reshape(x, 3, (int64_t[]){5, 2, 4}, &cube));
    ck_ok(dlviz_tensor_reshape(x, 2, (int64_t[]){20, 2}, &narrow));
    dlviz_pca *pca = fitted(x, 3, DLVIZ_PCA_SOLVER_AUTO);
    const dlviz_tensor *before = dlviz_pca_components(pca);
    ck_fails(dlviz_pca_fit(NULL, x), DLVIZ_ERROR_INVALID_ARGUMENT, "'pca' is NULL");
    ck_fails(dlviz_pca_fit(pca, NULL), DLVIZ_ERROR_INVALID_ARGUMENT, "'data' is NULL");
    ck_fails(dlviz_pca_fit(pca, bytes), DLVIZ_ERROR_SHAPE, "uint8, needs float32");
    ck_fails(dlviz_pca_fit(pca, row), DLVIZ_ERROR_SHAPE, "1 row");
    ck_fails(dlviz_pca_fit(pca, cube), DLVIZ_ERROR_SHAPE, "5 x 2 x 4");
    ck_fails(dlviz_pca_fit(pca, narrow), DLVIZ_ERROR_INVALID_ARGUMENT,
             "3 components of data with 20 rows and 2 columns; 1 to 2");
    ck_fails(dlviz_pca_fit_transform(pca, x, NULL), DLVIZ_ERROR_INVALID_ARGUMENT, "'projected'");
    ck_fails(dlviz_pca_fit_transform(pca, cube, &y), DLVIZ_ERROR_SHAPE, "5 x 2 x 4");
    ck_assert_ptr_null(y);
    ck_fails(dlviz_pca_transform(pca, narrow, &y), DLVIZ_ERROR_SHAPE, "2 columns");
    ck_fails(dlviz_pca_transform(pca, NULL, &y), DLVIZ_ERROR_INVALID_ARGUMENT, "'data' is NULL");
    ck_fails(dlviz_pca_transform(NULL, x, &y), DLVIZ_ERROR_INVALID_ARGUMENT, "'pca' is NULL");
    ck_fails(dlviz_pca_transform(pca, x, NULL), DLVIZ_ERROR_INVALID_ARGUMENT, "'projected'");
    ck_fails(dlviz_pca_inverse_transform(pca, x, &y), DLVIZ_ERROR_SHAPE, "4 columns");
    ck_fails(dlviz_pca_inverse_transform(pca, x, NULL), DLVIZ_ERROR_INVALID_ARGUMENT, "'data'");
    for (int bad = 0; bad < 3; bad++) {
        float saved = ((float *)x->data)[4 * 6 + 1];
        ((float *)x->data)[4 * 6 + 1] = bad == 0 ? NAN : bad == 1 ? INFINITY : -INFINITY;
        for (size_t s = 0; s < 4; s++) {
            ck_ok(dlviz_pca_set_solver(pca, solvers[s]));
            ck_fails(dlviz_pca_fit(pca, x), DLVIZ_ERROR_NUMERIC, "row 6, column 1");
        }
        ck_ok(dlviz_pca_transform(pca, x, &y));
        for (int64_t i = 0; i < 30; i++)
            ck_assert(!isfinite(values_of(y)[i]) == (i / 3 == 6));
        dlviz_tensor_destroy(y);
        ((float *)x->data)[4 * 6 + 1] = saved;
    }
    ck_assert_ptr_eq(dlviz_pca_components(pca), before);
    dlviz_pca_destroy(pca);
    dlviz_tensor_destroy(bytes);
    dlviz_tensor_destroy(row);
    dlviz_tensor_destroy(cube);
    dlviz_tensor_destroy(narrow);
    dlviz_tensor_destroy(x);
}
END_TEST

typedef struct watch {
    int calls, stop_at;
    double last;
} watch;

static bool on_progress(const dlviz_pca_event *event, void *user) {
    watch *w = user;
    double done = dlviz_pca_event_done(event);
    ck_assert(done >= w->last && done <= 1);
    w->last = done;
    return ++w->calls != w->stop_at;
}

START_TEST(progress_rises_and_can_cancel) {
    dlviz_tensor *x = make_points(900, 300, 300, 0.97, 0, 2);
    for (size_t s = 0; s < 4; s++) {
        dlviz_pca *pca;
        ck_ok(dlviz_pca_create(&pca, 5));
        ck_ok(dlviz_pca_set_solver(pca, solvers[s]));
        watch w = {0};
        ck_ok(dlviz_pca_set_progress(pca, on_progress, &w));
        ck_ok(dlviz_pca_fit(pca, x));
        ck_assert_double_eq(w.last, 1);
        int calls = w.calls;
        ck_assert_int_ge(calls, 3);
        const dlviz_tensor *before = dlviz_pca_components(pca);
        for (int stop = 1; stop <= calls; stop++) {
            w = (watch){.stop_at = stop};
            ck_fails(dlviz_pca_fit(pca, x), DLVIZ_CANCELLED, "cancelled");
            ck_assert_int_eq(w.calls, stop);
            ck_assert_ptr_eq(dlviz_pca_components(pca), before);
        }
        dlviz_pca_destroy(pca);
    }
    dlviz_tensor_destroy(x);
}
END_TEST

START_TEST(a_saved_analysis_projects_to_the_same_bits) {
    dlviz_tensor *x = make_points(60, 12, 12, 0.8, 30, 5), *y, *z;
    const char *path = scratch_path("pca.safetensors");
    dlviz_pca *pca = fitted(x, 5, DLVIZ_PCA_SOLVER_AUTO), *loaded;
    ck_ok(dlviz_pca_set_whiten(pca, true));
    ck_ok(dlviz_pca_save(pca, path));
    ck_ok(dlviz_pca_open(&loaded, path));
    ck_ok(dlviz_pca_transform(pca, x, &y));
    ck_ok(dlviz_pca_transform(loaded, x, &z));
    ck_same_bits(y, z);
    dlviz_tensor_destroy(y);
    dlviz_tensor_destroy(z);
    ck_ok(dlviz_pca_partial_fit(pca, x));
    ck_ok(dlviz_pca_partial_fit(loaded, x));
    ck_same_bits(dlviz_pca_components(pca), dlviz_pca_components(loaded));
    ck_same_bits(dlviz_pca_explained_variance_ratio(pca),
                 dlviz_pca_explained_variance_ratio(loaded));
    ck_assert_int_eq(dlviz_pca_num_samples(loaded), 120);
    dlviz_pca_destroy(pca);
    dlviz_pca_destroy(loaded);
    dlviz_tensor_destroy(x);
}
END_TEST

START_TEST(variances_beyond_float_are_refused) {
    const float scales[] = {1e25f, 1e-25f};
    for (size_t s = 0; s < 2 * sizeof solvers / sizeof *solvers; s++) {
        dlviz_tensor *x = make_points(40, 6, 3, 0.9, 0, 1);
        for (int64_t i = 0; i < x->size; i++)
            ((float *)x->data)[i] *= scales[s % 2];
        dlviz_pca *pca;
        ck_ok(dlviz_pca_create(&pca, 2));
        ck_ok(dlviz_pca_set_solver(pca, solvers[s / 2]));
        ck_fails(dlviz_pca_fit(pca, x), DLVIZ_ERROR_NUMERIC, "are accepted");
        ck_fails(dlviz_pca_partial_fit(pca, x), DLVIZ_ERROR_NUMERIC, "multiply the data");
        dlviz_pca_destroy(pca);
        dlviz_tensor_destroy(x);
    }
}
END_TEST

enum { NUMBERS = 12 };
static const double sound[NUMBERS] = {3, 0, 0, 0, 2, 1,
                                      1, 0, 0, 0, 1, 0}; /* as dlviz_pca_save orders */

/* Writes a file of 3 features and 2 components. */
static void write_numbers(const char *path, int64_t samples, const double numbers[NUMBERS]) {
    int64_t bits[NUMBERS];
    memcpy(bits, numbers, sizeof bits);
    dlviz_safetensors *file;
    ck_ok(dlviz_safetensors_create(&file));
    ck_ok(dlviz_safetensors_set_metadata(file, "format", "dlviz-pca-1"));
    const struct {
        const char *name;
        dlviz_dtype dtype;
        int ndim;
        int64_t dims[2];
        const void *data;
    } parts[] = {{"components", DLVIZ_FLOAT32, 2, {2, 3}, (float[6]){1, 0, 0, 0, 1, 0}},
                 {"exact", DLVIZ_INT64, 1, {12}, bits},
                 {"numbers", DLVIZ_INT64, 1, {2}, (int64_t[]){samples, 0}}};
    for (int i = 0; i < 3; i++) {
        dlviz_tensor *part;
        ck_ok(dlviz_tensor_from_data(&part, parts[i].dtype, parts[i].ndim, parts[i].dims,
                                     parts[i].data));
        ck_ok(dlviz_safetensors_add(file, parts[i].name, part));
        dlviz_tensor_destroy(part);
    }
    ck_ok(dlviz_safetensors_save(file, path));
    dlviz_safetensors_destroy(file);
}

/* With one number of it changed. */
static void write_analysis(const char *path, int64_t samples, int place, double value) {
    double numbers[NUMBERS];
    memcpy(numbers, sound, sizeof numbers);
    numbers[place] = value;
    write_numbers(path, samples, numbers);
}

START_TEST(numbers_that_no_fit_gives_are_refused) {
    const char *path = scratch_path("made.safetensors");
    dlviz_pca *loaded;
    write_analysis(path, 8, 0, 3);
    ck_ok(dlviz_pca_open(&loaded, path));
    dlviz_tensor *x = make_points(20, 3, 3, 0.8, 0, 5);
    ck_ok(dlviz_pca_partial_fit(loaded, x));
    dlviz_tensor_destroy(x);
    dlviz_pca_destroy(loaded);
    static const struct {
        int place;
        double value;
        const char *words;
    } bad[] = {{6, 1e200, "beyond float32"},
               {7, 0.5, "length is not 1"},
               {6, 0, "length is not 1"},
               {1, 1e39, "beyond float32"},
               {0, INFINITY, "infinity"},
               {4, NAN, "NaN"},
               {5, -1, "negative variance"},
               {0, -1, "negative variance"},
               {5, 2.5, "do not fall"},
               {4, 2.5, "more variance than the data"},
               {0, 2.5, "more variance than the data"},
               {0, 1e-39, "below what float32 holds"},
               {0, 4.9e-324, "below what float32 holds"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        write_analysis(path, 8, bad[i].place, bad[i].value);
        ck_fails(dlviz_pca_open(&loaded, path), DLVIZ_ERROR_FORMAT, bad[i].words);
    }
    write_analysis(path, INT64_MAX, 0, 3);
    ck_fails(dlviz_pca_open(&loaded, path), DLVIZ_ERROR_FORMAT, "do not fit");
    write_numbers(path, 8, (double[NUMBERS]){3, 0, 0, 0, 2, 1, 1, 0, 0, 0.6, 0.8, 0});
    ck_fails(dlviz_pca_open(&loaded, path), DLVIZ_ERROR_FORMAT, "right angles");
    write_numbers(path, 8, (double[NUMBERS]){3, 0, 0, 0, 1e-70, 0, 1, 0, 0, 0, 1, 0});
    ck_fails(dlviz_pca_open(&loaded, path), DLVIZ_ERROR_FORMAT, "below what float32 holds");
    write_numbers(path, 8, (double[NUMBERS]){0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0});
    ck_ok(dlviz_pca_open(&loaded, path)); /* of rows that are all the same */
    dlviz_pca_destroy(loaded);
}
END_TEST

static void require_finite(const dlviz_tensor *tensor, int place, double value) {
    const float *numbers = tensor ? tensor->data : NULL;
    for (int64_t i = 0; tensor && i < tensor->size; i++)
        ck_assert_msg(isfinite(numbers[i]), "number %d as %g gives %g", place, value,
                      (double)numbers[i]);
}

/* Results, or a sentence, and an end. */
static void use_analysis(dlviz_pca *pca, const dlviz_tensor *x, int place, double value) {
    for (int whiten = 0; whiten < 2; whiten++) {
        dlviz_tensor *projected, *back = NULL;
        ck_ok(dlviz_pca_set_whiten(pca, whiten != 0));
        dlviz_status status = dlviz_pca_transform(pca, x, &projected);
        ck_assert(status == DLVIZ_OK || status == DLVIZ_ERROR_NUMERIC);
        require_finite(projected, place, value);
        if (projected) {
            status = dlviz_pca_inverse_transform(pca, projected, &back);
            ck_assert(status == DLVIZ_OK || status == DLVIZ_ERROR_NUMERIC);
            require_finite(back, place, value);
        }
        dlviz_tensor_destroy(projected);
        dlviz_tensor_destroy(back);
    }
    dlviz_status status = dlviz_pca_partial_fit(pca, x);
    ck_assert(status == DLVIZ_OK || status == DLVIZ_ERROR_NUMERIC);
    require_finite(dlviz_pca_components(pca), place, value);
    require_finite(dlviz_pca_explained_variance(pca), place, value);
    require_finite(dlviz_pca_explained_variance_ratio(pca), place, value);
    require_finite(dlviz_pca_mean(pca), place, value);
}

START_TEST(whatever_a_file_says_can_be_used) {
    static const double values[] = {1e308,    1.7976931348623157e308,
                                    INFINITY, NAN,
                                    4.9e-324, 1e-310,
                                    2.3e-308, -0.0,
                                    1e-100,   1e-60,
                                    1.2e-38,  1e-20,
                                    1e20,     3e38,
                                    3.5e38,   -3e38,
                                    1,        2,
                                    1e154,    1e-154};
    static const int64_t samples[] = {2, 8, INT64_C(1) << 53};
    const char *path = scratch_path("extreme.safetensors");
    dlviz_tensor *x = make_points(5, 3, 3, 0.8, 0, 5);
    int taken = 0;
    for (size_t s = 0; s < 3; s++)
        for (int place = 0; place < NUMBERS; place++)
            for (size_t v = 0; v < sizeof values / sizeof *values; v++) {
                double numbers[NUMBERS];
                memcpy(numbers, sound, sizeof numbers);
                numbers[place] = values[v];
                /* All variances with the one, so that it may be taken. */
                if (place == 0)
                    numbers[4] = numbers[5] = values[v] / 2;
                dlviz_pca *loaded;
                write_numbers(path, samples[s], numbers);
                dlviz_status status = dlviz_pca_open(&loaded, path);
                ck_assert(status == DLVIZ_OK || status == DLVIZ_ERROR_FORMAT);
                if (!loaded)
                    continue;
                use_analysis(loaded, x, place, values[v]);
                taken++;
                dlviz_pca_destroy(loaded);
            }
    ck_assert_int_gt(taken, 100);
    dlviz_tensor_destroy(x);
}
END_TEST

/* What is saved can be opened, also of rows that say little. */
START_TEST(every_fit_can_be_opened_again) {
    for (int kind = 0; kind < 6; kind++)
        for (size_t s = 0; s < sizeof solvers / sizeof *solvers; s++)
            for (int batches = 1; batches < 4; batches++) {
                dlviz_tensor *x = make_points(12, 9, kind == 0 ? 1 : 9, kind == 1 ? 1e-3 : 0.9,
                                              kind == 2 ? 1e6f : 0, 7);
                float *numbers = x->data;
                for (int64_t i = 0; i < x->size; i++)
                    numbers[i] = kind == 3   ? 1e6f
                                 : kind == 4 ? (float)(i % 9 == 4 ? i / 9 % 2 : 3)
                                 : kind == 5 ? numbers[i] * 1e-18f
                                             : numbers[i];
                dlviz_pca *pca, *again;
                void *bytes;
                size_t size;
                ck_ok(dlviz_pca_create(&pca, batches == 2 ? 3 : 0));
                ck_ok(dlviz_pca_set_solver(pca, solvers[s]));
                if (batches == 1)
                    ck_ok(dlviz_pca_fit(pca, x));
                for (int b = 0; batches > 1 && b < 2 * batches; b++)
                    ck_ok(dlviz_pca_partial_fit(pca, x));
                ck_ok(dlviz_pca_save_memory(pca, &bytes, &size));
                ck_ok(dlviz_pca_open_memory(&again, bytes, size));
                dlviz_free(bytes);
                dlviz_pca_destroy(pca);
                dlviz_pca_destroy(again);
                dlviz_tensor_destroy(x);
            }
}
END_TEST

START_TEST(damaged_files_are_refused) {
    dlviz_tensor *x = make_points(20, 4, 4, 0.8, 0, 5);
    const char *path = scratch_path("damaged.safetensors");
    dlviz_pca *pca = fitted(x, 2, DLVIZ_PCA_SOLVER_AUTO), *loaded;
    ck_fails(dlviz_pca_save(NULL, path), DLVIZ_ERROR_INVALID_ARGUMENT, "NULL");
    ck_fails(dlviz_pca_save(pca, NULL), DLVIZ_ERROR_INVALID_ARGUMENT, "'path' is NULL");
    ck_fails(dlviz_pca_open(&loaded, NULL), DLVIZ_ERROR_INVALID_ARGUMENT, "'path' is NULL");
    ck_fails(dlviz_pca_open(NULL, path), DLVIZ_ERROR_INVALID_ARGUMENT, "'out' is NULL");
    ck_fails(dlviz_pca_open(&loaded, scratch_path("missing")), DLVIZ_ERROR_IO, "missing");
    ck_ok(dlviz_pca_save(pca, path));
    FILE *file = fopen(path, "rb");
    char bytes[4096];
    size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    ck_assert_uint_lt(size, sizeof bytes);
    for (size_t cut = 0; cut < size; cut += 7) {
        write_file(path, bytes, cut);
        ck_fails(dlviz_pca_open(&loaded, path), DLVIZ_ERROR_FORMAT, "");
        ck_assert_ptr_null(loaded);
    }
    /* Whatever bit of a number flips is noticed, and whatever flips in front of them ends nothing. */
    size_t numbers = 8 + (unsigned char)bytes[0] + 256 * (size_t)(unsigned char)bytes[1];
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (char)(bytes[i] ^ 1 << i % 8);
        dlviz_status status = dlviz_pca_open_memory(&loaded, bytes, size);
        if (i >= numbers)
            ck_assert_msg(status == DLVIZ_ERROR_FORMAT, "byte %zu", i);
        dlviz_pca_destroy(loaded);
        bytes[i] = (char)(bytes[i] ^ 1 << i % 8);
    }
    ck_ok(dlviz_tensor_write_npy(x, path));
    ck_fails(dlviz_pca_open(&loaded, path), DLVIZ_ERROR_FORMAT, "");
    dlviz_pca_destroy(pca);
    dlviz_tensor_destroy(x);
}
END_TEST

START_TEST(batches_that_do_not_fit_are_refused) {
    dlviz_tensor *x = make_points(20, 8, 8, 0.9, 0, 1), *one,
                 *other = make_points(20, 9, 8, 0.9, 0, 1);
    ck_ok(dlviz_tensor_slice(x, 0, 1, &one));
    dlviz_pca *pca;
    ck_ok(dlviz_pca_create(&pca, 3));
    ck_fails(dlviz_pca_partial_fit(NULL, x), DLVIZ_ERROR_INVALID_ARGUMENT, "'pca' is NULL");
    ck_fails(dlviz_pca_partial_fit(pca, NULL), DLVIZ_ERROR_INVALID_ARGUMENT, "'batch' is NULL");
    ck_fails(dlviz_pca_partial_fit(pca, one), DLVIZ_ERROR_SHAPE, "1 row");
    ck_ok(dlviz_pca_set_num_wanted(pca, 9));
    ck_fails(dlviz_pca_partial_fit(pca, x), DLVIZ_ERROR_INVALID_ARGUMENT, "9 components");
    ck_ok(dlviz_pca_set_variance_fraction(pca, 0.5));
    ck_fails(dlviz_pca_partial_fit(pca, x), DLVIZ_ERROR_STATE, "fraction");
    ck_ok(dlviz_pca_set_num_wanted(pca, 3));
    ck_assert_int_eq(dlviz_pca_num_components(pca), 0);
    ck_ok(dlviz_pca_partial_fit(pca, x));
    ck_fails(dlviz_pca_partial_fit(pca, other), DLVIZ_ERROR_SHAPE, "9 columns; earlier ones had 8");
    ck_ok(dlviz_pca_partial_fit(pca, one));
    ck_assert_int_eq(dlviz_pca_num_samples(pca), 21);
    ((float *)x->data)[8 * 3 + 5] = INFINITY;
    ck_fails(dlviz_pca_partial_fit(pca, x), DLVIZ_ERROR_NUMERIC, "row 3, column 5");
    ck_assert_int_eq(dlviz_pca_num_samples(pca), 21);
    dlviz_pca_destroy(pca);
    dlviz_tensor_destroy(one);
    dlviz_tensor_destroy(other);
    dlviz_tensor_destroy(x);
}
END_TEST

typedef struct everything {
    const dlviz_tensor *x;
    dlviz_pca_solver_kind solver;
    const char *path;
} everything;

/* All that a PCA can do, once; stops at the first failure. */
static dlviz_status do_everything(void *context) {
    const everything *all = context;
    dlviz_pca *pca = NULL, *loaded = NULL;
    dlviz_tensor *y = NULL, *back = NULL;
    dlviz_status status = dlviz_pca_create(&pca, 4);
    if (status == DLVIZ_OK)
        status = dlviz_pca_set_solver(pca, all->solver);
    if (status == DLVIZ_OK)
        status = dlviz_pca_fit_transform(pca, all->x, &y);
    if (status == DLVIZ_OK)
        status = dlviz_pca_inverse_transform(pca, y, &back);
    if (status == DLVIZ_OK)
        status = dlviz_pca_partial_fit(pca, all->x);
    if (status == DLVIZ_OK)
        status = dlviz_pca_save(pca, all->path);
    if (status == DLVIZ_OK)
        status = dlviz_pca_open(&loaded, all->path);
    dlviz_tensor_destroy(y);
    dlviz_tensor_destroy(back);
    dlviz_pca_destroy(pca);
    dlviz_pca_destroy(loaded);
    return status;
}

START_TEST(every_allocation_may_fail) {
    const char *path = scratch_path("alloc.safetensors");
    int64_t shapes[][2] = {{130, 110}, {40, 110}, {200, 10}};
    for (size_t c = 0; c < 3; c++)
        for (size_t s = 0; s < 4; s++) {
            dlviz_tensor *x = make_points(shapes[c][0], shapes[c][1], 20, 0.9, 0, c);
            everything all = {x, solvers[s], path};
            ck_assert_int_gt(fail_each_allocation(do_everything, &all), 20);
            dlviz_tensor_destroy(x);
        }
}
END_TEST

/* A fit with its projections is one call: either is there, or what was there before. */
static dlviz_status fit_again(void *context) {
    const everything *all = context;
    dlviz_pca *pca = NULL;
    dlviz_tensor *y = NULL, *part = NULL, *before = NULL;
    dlviz_status status = dlviz_pca_create(&pca, 4);
    if (status == DLVIZ_OK)
        status = dlviz_pca_set_solver(pca, all->solver);
    if (status == DLVIZ_OK)
        status = dlviz_pca_fit(pca, all->x);
    if (status == DLVIZ_OK)
        status = dlviz_tensor_slice(all->x, 0, 35, &part);
    if (status == DLVIZ_OK)
        status = dlviz_tensor_copy(dlviz_pca_components(pca), &before);
    if (status == DLVIZ_OK) {
        status = dlviz_pca_fit_transform(pca, part, &y);
        ck_assert((y != NULL) == (status == DLVIZ_OK));
        int64_t bytes = dlviz_tensor_num_elements(before) * (int64_t)sizeof(float);
        bool stays = memcmp(dlviz_tensor_const_data(before),
                            dlviz_tensor_const_data(dlviz_pca_components(pca)), (size_t)bytes) == 0;
        ck_assert_msg(stays == (status != DLVIZ_OK), "%s: the earlier fit %s",
                      dlviz_status_name(status), stays ? "stays" : "is gone");
    }
    dlviz_tensor_destroy(y);
    dlviz_tensor_destroy(part);
    dlviz_tensor_destroy(before);
    dlviz_pca_destroy(pca);
    return status;
}

START_TEST(a_failed_fit_with_projections_changes_nothing) {
    for (size_t s = 0; s < 4; s++) {
        dlviz_tensor *x = make_points(40, 30, 20, 0.9, 0, s);
        everything all = {.x = x, .solver = solvers[s]};
        ck_assert_int_gt(fail_each_allocation(fit_again, &all), 20);
        dlviz_tensor_destroy(x);
    }
}
END_TEST

/* Its own components may be what a PCA is fitted to: they go when the fit is there. */
START_TEST(its_own_results_are_data_too) {
    dlviz_tensor *x = make_points(40, 30, 20, 0.9, 0, 1), *copy, *y, *expected;
    dlviz_pca *pca, *other;
    ck_ok(dlviz_pca_create(&pca, 8));
    ck_ok(dlviz_pca_create(&other, 4));
    ck_ok(dlviz_pca_fit(pca, x));
    ck_ok(dlviz_tensor_copy(dlviz_pca_components(pca), &copy));
    ck_ok(dlviz_pca_set_num_wanted(pca, 4));
    ck_ok(dlviz_pca_fit_transform(pca, dlviz_pca_components(pca), &y));
    ck_ok(dlviz_pca_fit_transform(other, copy, &expected));
    ck_assert_mem_eq(dlviz_tensor_const_data(y), dlviz_tensor_const_data(expected),
                     8 * 4 * sizeof(float));
    dlviz_tensor_destroy(x);
    dlviz_tensor_destroy(copy);
    dlviz_tensor_destroy(y);
    dlviz_tensor_destroy(expected);
    dlviz_pca_destroy(pca);
    dlviz_pca_destroy(other);
}
END_TEST

/* ---- The program's own BLAS ---------------------------------------------------------------------
 */

extern void openblas_set_num_threads(int threads) __attribute__((weak));
extern int openblas_get_num_threads(void) __attribute__((weak));

static atomic_bool polled_enough;
static atomic_int polled, differed, set_to;

static void *poll_threads(void *unused) {
    while (!atomic_load(&polled_enough)) {
        if (openblas_get_num_threads() != atomic_load(&set_to))
            atomic_fetch_add(&differed, 1);
        atomic_fetch_add(&polled, 1);
    }
    return unused;
}

/* The components of a fit, and of two batches. */
static void fit_all(dlviz_tensor *const *shapes, dlviz_tensor *results[]) {
    int made = 0;
    for (int shape = 0; shape < 2; shape++)
        for (int s = 0; s < 4; s++) {
            dlviz_pca *pca = fitted(shapes[shape], s == 1 ? 150 : 10, solvers[s]);
            ck_ok(dlviz_pca_transform(pca, shapes[shape], &results[made++]));
            dlviz_pca_destroy(pca);
        }
    dlviz_pca *pca;
    ck_ok(dlviz_pca_create(&pca, 12));
    ck_ok(dlviz_pca_partial_fit(pca, shapes[0]));
    ck_ok(dlviz_pca_partial_fit(pca, shapes[0]));
    ck_ok(dlviz_pca_transform(pca, shapes[0], &results[made]));
    dlviz_pca_destroy(pca);
}

/* What another thread of the program sees of its BLAS is what it has set, at any time; and what it
 * has set makes no difference. */
START_TEST(the_programs_blas_is_left_alone) {
    enum { RESULTS = 9 };
    if (!openblas_get_num_threads || !openblas_set_num_threads)
        return;
    int before = openblas_get_num_threads();
    dlviz_tensor *shapes[2] = {make_points(700, 330, 60, 0.97, 1, 3),
                               make_points(160, 900, 60, 0.97, 1, 4)};
    dlviz_tensor *first[RESULTS], *again[RESULTS];
    for (int threads = 1; threads <= 4; threads *= 2) {
        openblas_set_num_threads(threads);
        atomic_store(&set_to, openblas_get_num_threads());
        ck_ok(dlviz_set_num_threads(threads == 4 ? 1 : 2));
        atomic_store(&polled_enough, false);
        atomic_store(&polled, 0);
        pthread_t watcher;
        ck_assert_int_eq(pthread_create(&watcher, NULL, poll_threads, NULL), 0);
        fit_all(shapes, threads == 1 ? first : again);
        while (atomic_load(&polled) == 0)
            sched_yield();
        atomic_store(&polled_enough, true);
        pthread_join(watcher, NULL);
        ck_assert_int_eq(atomic_load(&differed), 0);
        for (int i = 0; i < RESULTS && threads > 1; i++) {
            ck_same_bits(first[i], again[i]);
            dlviz_tensor_destroy(again[i]);
        }
    }
    openblas_set_num_threads(before);
    ck_ok(dlviz_set_num_threads(0));
    for (int i = 0; i < RESULTS; i++)
        dlviz_tensor_destroy(first[i]);
    dlviz_tensor_destroy(shapes[0]);
    dlviz_tensor_destroy(shapes[1]);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {wrong_settings_are_refused,
                                  nothing_is_known_before_a_fit,
                                  wrong_data_are_refused_and_the_earlier_fit_stays,
                                  progress_rises_and_can_cancel,
                                  a_saved_analysis_projects_to_the_same_bits,
                                  variances_beyond_float_are_refused,
                                  damaged_files_are_refused,
                                  numbers_that_no_fit_gives_are_refused,
                                  whatever_a_file_says_can_be_used,
                                  every_fit_can_be_opened_again,
                                  batches_that_do_not_fit_are_refused,
                                  every_allocation_may_fail,
                                  a_failed_fit_with_projections_changes_nothing,
                                  its_own_results_are_data_too,
                                  the_programs_blas_is_left_alone,
                                  NULL};
    return run_tests("pca_handling", tests);
}
