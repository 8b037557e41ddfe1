#include "support/failing.h"
#include "support/process.h"
#include "support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_big_endian(void) {
    uint32_t one = 1;
    return *(unsigned char *)&one == 0;
}

/* The fixture in this machine's byte order, or in the other. */
static const char *ordered(const char *kind, bool other) {
    static char name[64];
    snprintf(name, sizeof name, "npy_%s%s.npy", is_big_endian() == other ? "" : "big_", kind);
    return fixture_path(name);
}

START_TEST(elements_are_those_of_the_file) {
    const char *const bytes[] = {"npy_u1.npy", "npy_empty.npy", "npy_scalar.npy",
                                 "npy_version2.npy"};
    /* The last ones are float32, little-endian. */
    for (int i = 0; i < (is_big_endian() ? 3 : 6); i++) {
        dlviz_tensor *mapped, *read;
        char path[512];
        snprintf(path, sizeof path, "%s",
                 i == 1   ? ordered("f4", false)
                 : i == 2 ? ordered("i8", false)
                          : fixture_path(bytes[i > 2 ? i - 2 : 0]));
        ck_ok(dlviz_tensor_map_npy(&mapped, path));
        ck_ok(dlviz_tensor_read_npy(&read, path));
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

/* Bytes, for these are in any machine's order. */
enum { LARGE = 40000 };

static const char *large_file(uint8_t *numbers, int seed) {
    dlviz_tensor *tensor;
    const char *path = scratch_path("large.npy");
    for (int i = 0; i < LARGE; i++)
        numbers[i] = (uint8_t)(i * 7 + i / 256 * seed);
    ck_ok(dlviz_tensor_from_data(&tensor, DLVIZ_UINT8, 2, (int64_t[]){LARGE / 4, 4}, numbers));
    ck_ok(dlviz_tensor_write_npy(tensor, path));
    dlviz_tensor_destroy(tensor);
    return path;
}

START_TEST(the_mapping_ends_with_the_last_view) {
    static uint8_t numbers[LARGE];
    const char *path = large_file(numbers, 1);
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
    ck_assert_int_eq(memcmp(dlviz_tensor_data(flat), numbers + 36000, 4000), 0);
    dlviz_tensor_destroy(flat);
    ck_assert_int_eq(num_mappings(path), 0);
}
END_TEST

START_TEST(writing_changes_memory_and_not_the_file) {
    static uint8_t numbers[LARGE];
    const char *path = large_file(numbers, 2);
    ck_assert_int_eq(chmod(path, 0400), 0);
    dlviz_tensor *mapped, *again;
    ck_ok(dlviz_tensor_map_npy(&mapped, path));
    memset(dlviz_tensor_data(mapped), 7, LARGE);
    ck_ok(dlviz_tensor_map_npy(&again, path));
    ck_assert_int_eq(memcmp(dlviz_tensor_data(again), numbers, LARGE), 0);
    ck_assert_int_eq(((uint8_t *)dlviz_tensor_data(mapped))[LARGE - 1], 7);
    dlviz_tensor_destroy(mapped);
    dlviz_tensor_destroy(again);
}
END_TEST

/* A file that another of the same name replaces stays as it was for those who have mapped it. */
START_TEST(a_replaced_file_is_still_there) {
    static uint8_t numbers[LARGE], others[LARGE];
    dlviz_tensor *mapped;
    ck_ok(dlviz_tensor_map_npy(&mapped, large_file(numbers, 3)));
    large_file(others, 4);
    ck_assert_int_ne(memcmp(numbers, others, LARGE), 0);
    ck_assert_int_eq(memcmp(dlviz_tensor_data(mapped), numbers, LARGE), 0);
    dlviz_tensor_destroy(mapped);
}
END_TEST

START_TEST(a_dataset_may_be_mapped) {
    static uint8_t numbers[LARGE];
    dlviz_tensor *mapped, *samples;
    dlviz_dataset *dataset;
    ck_ok(dlviz_tensor_map_npy(&mapped, large_file(numbers, 5)));
    ck_ok(dlviz_dataset_create(&dataset, mapped, NULL));
    dlviz_tensor_destroy(mapped);
    ck_ok(dlviz_dataset_samples(dataset, 9000, 1, &samples));
    ck_assert_float_eq(dlviz_tensor_float(samples)[3], (float)numbers[36003] / 255);
    dlviz_tensor_destroy(samples);
    dlviz_dataset_destroy(dataset);
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
    ck_fails(dlviz_tensor_map_npy(&tensor, ordered("i8", true)), DLVIZ_ERROR_UNSUPPORTED,
             "byte order");
    ck_fails(dlviz_tensor_map_npy(&tensor, fixture_path("npy_object.npy")), DLVIZ_ERROR_UNSUPPORTED,
             "'|O'");
}
END_TEST

START_TEST(other_files_are_refused) {
    size_t size;
    unsigned char *bytes = file_bytes(ordered("f4", false), &size);
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
    static uint8_t numbers[LARGE];
    char path[512];
    snprintf(path, sizeof path, "%s", large_file(numbers, 6));
    ck_assert_int_ge(fail_each_allocation(map_it, path), 3);
    ck_assert_int_le(num_mappings(path), 0);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {elements_are_those_of_the_file,
                                  the_mapping_ends_with_the_last_view,
                                  writing_changes_memory_and_not_the_file,
                                  a_replaced_file_is_still_there,
                                  a_dataset_may_be_mapped,
                                  what_cannot_be_used_as_it_lies_is_refused,
                                  other_files_are_refused,
                                  nothing_leaks_when_memory_runs_out,
                                  NULL};
    return run_tests("npy_map", tests);
}
