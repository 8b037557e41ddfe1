#include "support/failing.h"
#include "support/process.h"
#include "support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

START_TEST(elements_are_those_of_the_file) {
    const char *const names[] = {"npy_f4.npy",       "npy_u1.npy",     "npy_i8.npy",
                                 "npy_version2.npy", "npy_scalar.npy", "npy_empty.npy"};
    for (int i = 0; i < 6; i++) {
        dlviz_tensor *mapped, *read;
        ck_ok(dlviz_tensor_map_npy(&mapped, fixture_path(names[i])));
        ck_ok(dlviz_tensor_read_npy(&read, fixture_path(names[i])));
        ck_assert_int_eq(dlviz_tensor_dtype(mapped), dlviz_tensor_dtype(read));
        ck_assert_int_eq(dlviz_tensor_ndim(mapped), dlviz_tensor_ndim(read));
        for (int d = 0; d < dlviz_tensor_ndim(read); d++)
            ck_assert_int_eq(dlviz_tensor_dim(mapped, d), dlviz_tensor_dim(read, d));
        ck_assert_int_eq(memcmp(dlviz_tensor_data(mapped), dlviz_tensor_data(read),
                                (size_t)dlviz_tensor_num_elements(read) *
                                    dlviz_dtype_size(dlviz_tensor_dtype(read))),
                         0);
        dlviz_tensor_destroy(mapped);
        dlviz_tensor_destroy(read);
    }
}
END_TEST

/* How many mappings of the file this process has. */
static int num_mappings(const char *path) {
    char line[1024];
    int count = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    if (!maps)
        return -1;
    while (fgets(line, sizeof line, maps))
        count += strstr(line, path) != NULL;
    fclose(maps);
    return count;
}

static const char *large_file(const float *numbers, int64_t count) {
    dlviz_tensor *tensor;
    const char *path = scratch_path("large.npy");
    ck_ok(dlviz_tensor_from_data(&tensor, DLVIZ_FLOAT32, 2, (int64_t[]){count / 4, 4}, numbers));
    ck_ok(dlviz_tensor_write_npy(tensor, path));
    dlviz_tensor_destroy(tensor);
    return path;
}

START_TEST(the_mapping_ends_with_the_last_view) {
    enum { COUNT = 40000 };
    static float numbers[COUNT];
    fill_uniform(numbers, COUNT, 1);
    const char *path = large_file(numbers, COUNT);
    if (num_mappings(path) < 0)
        return;
    dlviz_tensor *mapped, *rows, *flat;
    ck_ok(dlviz_tensor_map_npy(&mapped, path));
    ck_assert_int_ge(num_mappings(path), 1);
    ck_ok(dlviz_tensor_slice(mapped, 9000, 1000, &rows));
    ck_ok(dlviz_tensor_reshape(rows, 1, (int64_t[]){-1}, &flat));
    dlviz_tensor_destroy(mapped);
    dlviz_tensor_destroy(rows);
    ck_assert_int_ge(num_mappings(path), 1);
    ck_assert_int_eq(memcmp(dlviz_tensor_data(flat), numbers + 36000, 4000 * sizeof(float)), 0);
    dlviz_tensor_destroy(flat);
    ck_assert_int_eq(num_mappings(path), 0);
}
END_TEST

START_TEST(writing_changes_memory_and_not_the_file) {
    static float numbers[4096];
    fill_uniform(numbers, 4096, 2);
    const char *path = large_file(numbers, 4096);
    ck_assert_int_eq(chmod(path, 0400), 0);
    dlviz_tensor *mapped, *again;
    ck_ok(dlviz_tensor_map_npy(&mapped, path));
    for (int i = 0; i < 4096; i++)
        dlviz_tensor_float(mapped)[i] = 7;
    ck_ok(dlviz_tensor_map_npy(&again, path));
    ck_assert_int_eq(memcmp(dlviz_tensor_data(again), numbers, sizeof numbers), 0);
    ck_assert_float_eq(dlviz_tensor_float(mapped)[4095], 7);
    dlviz_tensor_destroy(mapped);
    dlviz_tensor_destroy(again);
}
END_TEST

/* A file that another of the same name replaces stays as it was for those who have mapped it. */
START_TEST(a_replaced_file_is_still_there) {
    static float numbers[4096], others[4096];
    fill_uniform(numbers, 4096, 3);
    fill_uniform(others, 4096, 4);
    dlviz_tensor *mapped;
    ck_ok(dlviz_tensor_map_npy(&mapped, large_file(numbers, 4096)));
    large_file(others, 4096);
    ck_assert_int_eq(memcmp(dlviz_tensor_data(mapped), numbers, sizeof numbers), 0);
    dlviz_tensor_destroy(mapped);
}
END_TEST

START_TEST(what_cannot_be_used_as_it_lies_is_refused) {
    static const struct {
        const char *name, *words;
    } cases[] = {
        {"npy_f8.npy", "float32, uint8 and int64 are"}, {"npy_i4.npy", "float32, uint8 and"},
        {"npy_bool.npy", "float32, uint8 and"},         {"npy_fortran_f4.npy", "Fortran order"},
        {"npy_fortran_u1.npy", "Fortran order"},
    };
    dlviz_tensor *tensor = (void *)1;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_fails(dlviz_tensor_map_npy(&tensor, fixture_path(cases[i].name)),
                 DLVIZ_ERROR_UNSUPPORTED, cases[i].words);
        ck_assert_ptr_null(tensor);
        ck_assert_ptr_nonnull(strstr(dlviz_last_error(), cases[i].name));
        ck_assert_ptr_nonnull(strstr(dlviz_last_error(), "dlviz_tensor_read_npy reads it"));
    }
    uint32_t one = 1;
    bool big = *(unsigned char *)&one == 0;
    ck_fails(dlviz_tensor_map_npy(&tensor, fixture_path(big ? "npy_i8.npy" : "npy_big_i8.npy")),
             DLVIZ_ERROR_UNSUPPORTED, "byte order");
    ck_fails(dlviz_tensor_map_npy(&tensor, fixture_path("npy_object.npy")), DLVIZ_ERROR_UNSUPPORTED,
             "'|O'");
}
END_TEST

START_TEST(other_files_are_refused) {
    size_t size;
    unsigned char *bytes = file_bytes(fixture_path("npy_f4.npy"), &size);
    dlviz_tensor *tensor = (void *)1;
    const char *path = scratch_path("damaged.npy");
    for (size_t cut = 1; cut < size; cut++) {
        write_file(path, bytes, cut);
        ck_fails(dlviz_tensor_map_npy(&tensor, path), DLVIZ_ERROR_FORMAT, "damaged.npy");
        ck_assert_ptr_null(tensor);
    }
    unsigned char longer[1024] = {0};
    memcpy(longer, bytes, size);
    write_file(path, longer, size + 1);
    ck_fails(dlviz_tensor_map_npy(&tensor, path), DLVIZ_ERROR_FORMAT, "the file has 97");
    /* Spaces of the header taken out: the elements begin at an odd byte. */
    memmove(longer + 127 - 1, longer + 127, size - 127);
    longer[8]--;
    write_file(path, longer, size - 1);
    ck_fails(dlviz_tensor_map_npy(&tensor, path), DLVIZ_ERROR_UNSUPPORTED, "not aligned");
    dlviz_tensor *read;
    ck_ok(dlviz_tensor_read_npy(&read, path));
    ck_assert_float_eq(dlviz_tensor_float(read)[23], 23);
    dlviz_tensor_destroy(read);
    write_file(path, "", 0);
    ck_fails(dlviz_tensor_map_npy(&tensor, path), DLVIZ_ERROR_FORMAT, "empty");
    ck_fails(dlviz_tensor_map_npy(&tensor, scratch_folder()), DLVIZ_ERROR_IO, "a folder");
    ck_fails(dlviz_tensor_map_npy(&tensor, scratch_path("none")), DLVIZ_ERROR_IO, "cannot open");
    free(bytes);
}
END_TEST

static dlviz_status map_it(void *path) {
    dlviz_tensor *tensor;
    TRY(dlviz_tensor_map_npy(&tensor, path));
    dlviz_tensor_destroy(tensor);
    return DLVIZ_OK;
}

START_TEST(nothing_leaks_when_memory_runs_out) {
    static float numbers[4096];
    char path[512];
    snprintf(path, sizeof path, "%s", large_file(numbers, 4096));
    ck_assert_int_ge(fail_each_allocation(map_it, path), 3);
    ck_assert_int_le(num_mappings(path), 0);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {elements_are_those_of_the_file,
                                  the_mapping_ends_with_the_last_view,
                                  writing_changes_memory_and_not_the_file,
                                  a_replaced_file_is_still_there,
                                  what_cannot_be_used_as_it_lies_is_refused,
                                  other_files_are_refused,
                                  nothing_leaks_when_memory_runs_out,
                                  NULL};
    return run_tests("npy_map", tests);
}
