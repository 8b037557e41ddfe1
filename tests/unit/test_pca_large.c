/* PCA of files that are not to be in memory: what a fit and a projection take of it, and that what
 * was written to a mapped tensor stays. */
#include "support/npy_file.h"
#include "support/pca.h"
#include "support/resident.h"
#include "support/support.h"
#include "tensor/pages.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

enum { COLUMNS = 128, EVERY = 50 };

/* A file of so many megabytes, of which most rows are holes, which are zeros; NULL where the disk
 * has no room for it. */
static const char *make_file(const char *name, int64_t size) {
    const char *path = scratch_path(name);
    int64_t n = size * (1 << 20) / COLUMNS / 4;
    FILE *file = make_sparse_npy(path, DLVIZ_FLOAT32, 2, (int64_t[]){n, COLUMNS});
    if (!file)
        return NULL;
    for (int64_t i = 3; i < n; i += EVERY) {
        float row[COLUMNS];
        fill_uniform(row, COLUMNS, (uint64_t)i);
        for (int c = 0; c < COLUMNS; c++)
            row[c] *= 1.0f / (float)(c / 3 + 1);
        ck_assert_int_eq(fseeko(file, (off_t)(NPY_HEADER + i * COLUMNS * 4), SEEK_SET), 0);
        ck_assert_uint_eq(fwrite(row, sizeof row, 1, file), 1);
    }
    ck_assert_int_eq(fclose(file), 0);
    return path;
}

typedef struct fitted_file {
    dlviz_pca *pca;
    const char *projected;
} fitted_file;

static fitted_file work_on(const dlviz_tensor *x, dlviz_pca_solver_kind solver, const char *name) {
    fitted_file fitted;
    static char paths[2][512];
    static int turn;
    char *path = paths[turn++ % 2];
    snprintf(path, 512, "%s", scratch_path(name));
    fitted.projected = path;
    ck_ok(dlviz_pca_create(&fitted.pca, 3));
    ck_ok(dlviz_pca_set_solver(fitted.pca, solver));
    ck_ok(dlviz_pca_set_randomized(fitted.pca, 10, 3));
    ck_ok(dlviz_pca_fit(fitted.pca, x));
    ck_ok(dlviz_pca_transform_to_npy(fitted.pca, x, path));
    return fitted;
}

static void ck_same_files(const char *a, const char *b) {
    dlviz_tensor *left, *right;
    ck_ok(dlviz_tensor_read_npy(&left, a));
    ck_ok(dlviz_tensor_read_npy(&right, b));
    ck_assert_int_eq(left->dims[0], right->dims[0]);
    ck_same_bits(left, right);
    dlviz_tensor_destroy(left);
    dlviz_tensor_destroy(right);
}

/* Memory of the process's own cannot be more than the limit says, which counts the mapping; and of
 * the file there may be no more in memory at any time than the kernel has counted. */
static void ck_small(const char *path, dlviz_pca_solver_kind solver, double most_file,
                     double most_own, fitted_file *fitted) {
    dlviz_tensor *mapped;
    struct rlimit before, limit;
    ck_ok(dlviz_tensor_map_npy(&mapped, path));
    double own = megabytes("VmData"), resident = megabytes("VmRSS");
    bool counted = MEMORY_IS_OURS && own > 0 && forget_peak() && megabytes("VmHWM") > 0;
    ck_assert_int_eq(getrlimit(RLIMIT_DATA, &before), 0);
    limit = before;
    if (counted) {
        limit.rlim_cur = (rlim_t)((own + most_own) * 0x1p20);
        ck_assert_int_eq(setrlimit(RLIMIT_DATA, &limit), 0);
    }
    *fitted = work_on(mapped, solver, "mapped.npy");
    ck_assert_int_eq(setrlimit(RLIMIT_DATA, &before), 0);
    if (counted) {
        double peak = megabytes("VmHWM") - resident;
        ck_assert_msg(peak < most_file, "solver %d: %.0f MB are in memory", (int)solver, peak);
    } else {
        printf("SKIP: memory is not counted here\n");
    }
    dlviz_tensor_destroy(mapped);
}

START_TEST(a_mapped_file_need_not_be_in_memory) {
    enum { SIZE = 400 };
    const char *made = make_file("large.npy", SIZE);
    if (!made)
        return;
    char path[512];
    snprintf(path, sizeof path, "%s", made);
    ck_ok(dlviz_set_num_threads(2));
    for (size_t s = 1; s < 4; s++) {
        dlviz_tensor *read;
        ck_ok(dlviz_tensor_read_npy(&read, path));
        fitted_file truth = work_on(read, solvers[s], "read.npy"), fitted;
        dlviz_tensor_destroy(read);
        ck_small(path, solvers[s], 100, 100, &fitted);
        ck_same_bits(dlviz_pca_components(truth.pca), dlviz_pca_components(fitted.pca));
        ck_same_bits(dlviz_pca_explained_variance(truth.pca),
                     dlviz_pca_explained_variance(fitted.pca));
        ck_same_files(truth.projected, fitted.projected);
        dlviz_pca_destroy(truth.pca);
        dlviz_pca_destroy(fitted.pca);
    }
    ck_ok(dlviz_set_num_threads(0));
    remove(path);
}
END_TEST

/* Pages that somebody may have written to are the only ones that have what was written. */
START_TEST(what_was_written_to_a_mapped_tensor_stays) {
    enum { SIZE = 160 };
    const char *path = make_file("written.npy", SIZE);
    if (!path)
        return;
    ck_assert_int_gt((int64_t)SIZE << 20, (int64_t)DLZ_PAGES_LEAST);
    for (int view = 0; view < 2; view++) {
        dlviz_tensor *mapped, *some, *projected;
        ck_ok(dlviz_tensor_map_npy(&mapped, path));
        ck_assert_ptr_nonnull(dlz_pages_of(mapped).data);
        ck_assert_ptr_nonnull(dlviz_tensor_const_float(mapped));
        ck_assert_ptr_nonnull(dlz_pages_of(mapped).data);
        int64_t n = mapped->dims[0];
        ck_ok(dlviz_tensor_slice(mapped, 100, n - 100, &some));
        float *to = view ? dlviz_tensor_data(some) : dlviz_tensor_float(mapped) + 100 * COLUMNS;
        ck_assert_ptr_null(dlz_pages_of(mapped).data);
        ck_assert_ptr_null(dlz_pages_of(some).data);
        for (int64_t i = 0; i < n - 100; i += 1000)
            to[i * COLUMNS + 5] = 100;
        dlviz_pca *pca = fitted(mapped, 1, DLVIZ_PCA_SOLVER_AUTO);
        double mean = (double)values_of(dlviz_pca_mean(pca))[5];
        ck_assert_double_eq_tol(mean, 0.1, 0.01);
        ck_ok(dlviz_pca_transform(pca, mapped, &projected));
        for (int64_t i = 0; i < n - 100; i += 1000) {
            ck_assert_float_eq(to[i * COLUMNS + 5], 100);
            ck_assert_float_gt(values_of(projected)[100 + i], 90);
        }
        dlviz_pca_destroy(pca);
        dlviz_tensor_destroy(projected);
        dlviz_tensor_destroy(some);
        dlviz_tensor_destroy(mapped);
    }
    remove(path);
}
END_TEST

/* ---- Projections as a file ----------------------------------------------------------------------
 */

START_TEST(a_projection_is_written_as_it_would_be_made) {
    static const int64_t shapes[][3] = {{1, 3, 2}, {127, 9, 9}, {129, 9, 1}, {40000, 30, 30}};
    const char *path = scratch_path("projected.npy");
    for (int whiten = 0; whiten < 2; whiten++)
        for (int i = 0; i < 4; i++) {
            int64_t n = shapes[i][0], d = shapes[i][1];
            dlviz_tensor *x = make_points(n < 200 ? 200 : n, d, d, 0.9, 1, (uint64_t)i);
            dlviz_tensor *some, *expected, *got;
            dlviz_pca *pca = fitted(x, shapes[i][2], DLVIZ_PCA_SOLVER_AUTO);
            ck_ok(dlviz_pca_set_whiten(pca, whiten));
            ck_ok(dlviz_tensor_slice(x, 0, n, &some));
            ck_ok(dlviz_pca_transform(pca, some, &expected));
            ck_ok(dlviz_pca_transform_to_npy(pca, some, path));
            ck_ok(dlviz_tensor_read_npy(&got, path));
            ck_assert_int_eq(got->ndim, 2);
            ck_assert_int_eq(got->dims[0], n);
            ck_assert_int_eq(got->dims[1], shapes[i][2]);
            ck_same_bits(got, expected);
            dlviz_tensor_destroy(got);
            dlviz_tensor_destroy(expected);
            dlviz_tensor_destroy(some);
            dlviz_tensor_destroy(x);
            dlviz_pca_destroy(pca);
        }
    remove(path);
}
END_TEST

static int64_t num_files(const char *path) {
    char folder[512];
    snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(path, '/') - path), path);
    DIR *entries = opendir(folder);
    int64_t count = 0;
    ck_assert_ptr_nonnull(entries);
    while (readdir(entries))
        count++;
    closedir(entries);
    return count;
}

static bool never(const dlviz_progress_event *event, void *user) {
    (void)user;
    return dlviz_progress_event_share(event) < 0;
}

START_TEST(a_projection_that_fails_leaves_no_file) {
    dlviz_tensor *x = make_points(400, 6, 6, 0.9, 0, 1), *other = make_points(4, 5, 5, 0.9, 0, 2);
    dlviz_pca *pca, *unfitted;
    ck_ok(dlviz_pca_create(&unfitted, 2));
    pca = fitted(x, 2, DLVIZ_PCA_SOLVER_AUTO);
    const char *path = scratch_path("none.npy");
    int64_t before = num_files(path);
    ck_fails(dlviz_pca_transform_to_npy(unfitted, x, path), DLVIZ_ERROR_STATE, "not fitted");
    ck_fails(dlviz_pca_transform_to_npy(pca, other, path), DLVIZ_ERROR_SHAPE, "5 columns");
    ck_fails(dlviz_pca_transform_to_npy(pca, NULL, path), DLVIZ_ERROR_INVALID_ARGUMENT, "data");
    ck_fails(dlviz_pca_transform_to_npy(pca, x, NULL), DLVIZ_ERROR_INVALID_ARGUMENT, "path");
    ck_fails(dlviz_pca_transform_to_npy(NULL, x, path), DLVIZ_ERROR_INVALID_ARGUMENT, "pca");
    ck_fails(dlviz_pca_transform_to_npy(pca, x, "/nowhere/at/all.npy"), DLVIZ_ERROR_IO, "nowhere");
    dlviz_set_progress(never, NULL);
    ck_fails(dlviz_pca_transform_to_npy(pca, x, path), DLVIZ_CANCELLED, "cancelled");
    dlviz_set_progress(NULL, NULL);
    ck_assert_int_eq(num_files(path), before);
    dlviz_pca_destroy(pca);
    dlviz_pca_destroy(unfitted);
    dlviz_tensor_destroy(x);
    dlviz_tensor_destroy(other);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        a_mapped_file_need_not_be_in_memory, what_was_written_to_a_mapped_tensor_stays,
        a_projection_is_written_as_it_would_be_made, a_projection_that_fails_leaves_no_file, NULL};
    return run_tests("pca_large", tests);
}
