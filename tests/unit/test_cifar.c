#include "support/failing.h"
#include "support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIXELS = 3 * 32 * 32, MOST = 8 };

/* Image i of a file has its own numbers; the sets' real files have 10,000 images. */
static unsigned char pixel(int file, int i, int at) {
    return (unsigned char)(file * 50 + i * 7 + at * 13 + at / 256);
}

static size_t make_records(unsigned char *to, int file, int count, int num_labels) {
    unsigned char *at = to;
    for (int i = 0; i < count; i++) {
        if (num_labels == 2)
            *at++ = (unsigned char)((file + i) % 20);
        *at++ = (unsigned char)(num_labels == 2 ? 99 - (file + i) : (file + i) % 10);
        for (int p = 0; p < PIXELS; p++)
            *at++ = pixel(file, i, p);
    }
    return (size_t)(at - to);
}

static unsigned char records[MOST * (2 + PIXELS)];

static const char *in_folder(const char *folder, const char *name) {
    static char relative[300];
    snprintf(relative, sizeof relative, "%s%s%s", folder, *folder ? "/" : "", name);
    return scratch_path(relative);
}

static void store(const char *folder, const char *name, int file, int count, int num_labels) {
    size_t size = make_records(records, file, count, num_labels);
    write_file(in_folder(folder, name), records, size);
}

static const char *make_folder(const char *name) {
    const char *path = scratch_path(name);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    return path;
}

/* File b of the five has b + 1 images. */
static void make_cifar10(const char *folder) {
    char name[64];
    for (int b = 0; b < 5; b++) {
        snprintf(name, sizeof name, "data_batch_%d.bin", b + 1);
        store(folder, name, b, b + 1, 1);
    }
    store(folder, "test_batch.bin", 5, 2, 1);
}

static void expect_images(const dlviz_dataset *dataset, int64_t first, int file, int count) {
    dlviz_tensor *samples;
    ck_ok(dlviz_dataset_samples(dataset, first, count, &samples));
    ck_assert_int_eq(dlviz_tensor_ndim(samples), 4);
    ck_assert_int_eq(dlviz_tensor_dim(samples, 1), 3);
    ck_assert_int_eq(dlviz_tensor_dim(samples, 3), 32);
    for (int i = 0; i < count; i++)
        for (int p = 0; p < PIXELS; p++)
            ck_assert_float_eq(dlviz_tensor_float(samples)[i * PIXELS + p],
                               (float)pixel(file, i, p) / 255);
    dlviz_tensor_destroy(samples);
}

static int64_t label_of(const dlviz_dataset *dataset, int64_t i) {
    return ((const int64_t *)dlviz_tensor_const_data(dlviz_dataset_labels(dataset)))[i];
}

START_TEST(both_parts_of_cifar10_are_read) {
    make_folder("ten");
    make_cifar10("ten");
    dlviz_dataset *dataset;
    ck_ok(dlviz_dataset_read_cifar10(&dataset, scratch_path("ten"), DLVIZ_DATASET_PART_TRAIN));
    ck_assert_int_eq(dlviz_dataset_num_samples(dataset), 15);
    ck_assert_int_eq(dlviz_dataset_num_classes(dataset), 10);
    int64_t first = 0;
    for (int b = 0; b < 5; first += ++b) {
        expect_images(dataset, first, b, b + 1);
        for (int i = 0; i <= b; i++)
            ck_assert_int_eq(label_of(dataset, first + i), b + i);
    }
    ck_assert_str_eq(dlviz_dataset_class_name(dataset, 0), "airplane");
    ck_assert_str_eq(dlviz_dataset_class_name(dataset, 9), "truck");
    dlviz_dataset_destroy(dataset);
    ck_ok(dlviz_dataset_read_cifar10(&dataset, scratch_path("ten"), DLVIZ_DATASET_PART_TEST));
    ck_assert_int_eq(dlviz_dataset_num_samples(dataset), 2);
    expect_images(dataset, 0, 5, 2);
    dlviz_dataset_destroy(dataset);
}
END_TEST

START_TEST(the_folder_of_the_archive_is_found) {
    make_folder("unpacked");
    make_folder("unpacked/cifar-10-batches-bin");
    make_cifar10("unpacked/cifar-10-batches-bin");
    dlviz_dataset *dataset;
    ck_ok(dlviz_dataset_read_cifar10(&dataset, scratch_path("unpacked"), DLVIZ_DATASET_PART_TRAIN));
    ck_assert_int_eq(dlviz_dataset_num_samples(dataset), 15);
    dlviz_dataset_destroy(dataset);
    dataset = (void *)1;
    ck_fails(dlviz_dataset_read_cifar100(&dataset, scratch_path("unpacked"),
                                         DLVIZ_DATASET_PART_TEST, DLVIZ_CIFAR100_LABELS_FINE),
             DLVIZ_ERROR_NOT_FOUND, "no test.bin of CIFAR-100's binary version in the folder");
    ck_assert_ptr_null(dataset);
    ck_assert_ptr_nonnull(strstr(dlviz_last_error(), "unpacked/cifar-100-binary"));
    remove(scratch_path("unpacked/cifar-10-batches-bin/data_batch_4.bin"));
    ck_fails(
        dlviz_dataset_read_cifar10(&dataset, scratch_path("unpacked"), DLVIZ_DATASET_PART_TRAIN),
        DLVIZ_ERROR_NOT_FOUND, "data_batch_4.bin");
}
END_TEST

START_TEST(both_kinds_of_labels_of_cifar100_are_read) {
    make_folder("hundred");
    store("hundred", "train.bin", 0, 5, 2);
    store("hundred", "test.bin", 3, 2, 2);
    for (int part = 0; part < 2; part++)
        for (int coarse = 0; coarse < 2; coarse++) {
            dlviz_dataset *dataset;
            ck_ok(dlviz_dataset_read_cifar100(&dataset, scratch_path("hundred"),
                                              (dlviz_dataset_part)part,
                                              (dlviz_cifar100_labels)coarse));
            ck_assert_int_eq(dlviz_dataset_num_samples(dataset), part ? 2 : 5);
            ck_assert_int_eq(dlviz_dataset_num_classes(dataset), coarse ? 20 : 100);
            for (int i = 0; i < 2; i++)
                ck_assert_int_eq(label_of(dataset, i), coarse ? 3 * part + i : 99 - (3 * part + i));
            expect_images(dataset, 0, 3 * part, 2);
            ck_assert_str_eq(dlviz_dataset_class_name(dataset, 0),
                             coarse ? "aquatic_mammals" : "apple");
            ck_assert_str_eq(dlviz_dataset_class_name(dataset, coarse ? 19 : 99),
                             coarse ? "vehicles_2" : "worm");
            dlviz_dataset_destroy(dataset);
        }
}
END_TEST

static dlviz_status read_test(dlviz_dataset **dataset) {
    *dataset = (void *)1;
    dlviz_status status =
        dlviz_dataset_read_cifar10(dataset, scratch_path("named"), DLVIZ_DATASET_PART_TEST);
    ck_assert((*dataset != NULL) == (status == DLVIZ_OK));
    return status;
}

static void store_names(const char *text) {
    write_file(scratch_path("named/batches.meta.txt"), text, strlen(text));
}

START_TEST(names_come_from_the_files_list) {
    make_folder("named");
    store("named", "test_batch.bin", 0, 2, 1);
    dlviz_dataset *dataset;
    store_names("a\r\nb c \r\nd\ne\nf\ng\nh\ni\nj\nk\xc3\xa4\n\n\n");
    ck_ok(read_test(&dataset));
    ck_assert_str_eq(dlviz_dataset_class_name(dataset, 0), "a");
    ck_assert_str_eq(dlviz_dataset_class_name(dataset, 1), "b c");
    ck_assert_str_eq(dlviz_dataset_class_name(dataset, 9), "k\xc3\xa4");
    dlviz_dataset_destroy(dataset);
    store_names("a\nb\nc\nd\ne\nf\ng\nh\ni\nj");
    ck_ok(read_test(&dataset));
    dlviz_dataset_destroy(dataset);
    store_names("a\nb\nc\nd\ne\nf\ng\nh\ni\n");
    ck_fails(read_test(&dataset), DLVIZ_ERROR_FORMAT, "9 lines, and CIFAR-10 has 10 classes");
    ck_assert_ptr_nonnull(strstr(dlviz_last_error(), "batches.meta.txt"));
    store_names("a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n\nk\n");
    ck_fails(read_test(&dataset), DLVIZ_ERROR_FORMAT, "12 lines");
    store_names("a\nb\nc\nd\ne\nf\ng\nh\ni\n\xff\n");
    ck_fails(read_test(&dataset), DLVIZ_ERROR_FORMAT, "not UTF-8");
}
END_TEST

START_TEST(wrong_files_are_refused) {
    make_folder("wrong");
    char path[512];
    snprintf(path, sizeof path, "%s", scratch_path("wrong/test_batch.bin"));
    dlviz_dataset *dataset;
    size_t size = make_records(records, 0, 3, 1);
    for (int change = -1; change < 2; change += 2) {
        write_file(path, records, size + (size_t)change);
        ck_fails(
            dlviz_dataset_read_cifar10(&dataset, scratch_path("wrong"), DLVIZ_DATASET_PART_TEST),
            DLVIZ_ERROR_FORMAT, "no whole number of images: with a label before it");
        ck_assert_ptr_nonnull(strstr(dlviz_last_error(), "test_batch.bin"));
        ck_assert_ptr_null(dataset);
    }
    /* Such a file could hold up to 1032 times as many bytes: nobody knows how many images. */
    write_file(path, "\x1f\x8b\x08\0\0\0\0\0\0\0", 10);
    ck_fails(dlviz_dataset_read_cifar10(&dataset, scratch_path("wrong"), DLVIZ_DATASET_PART_TEST),
             DLVIZ_ERROR_UNSUPPORTED, "is compressed; what gunzip makes of it is accepted");
    records[2 * (1 + PIXELS)] = 10;
    write_file(path, records, size);
    ck_fails(dlviz_dataset_read_cifar10(&dataset, scratch_path("wrong"), DLVIZ_DATASET_PART_TEST),
             DLVIZ_ERROR_FORMAT, "the label of image 2 of");
    write_file(path, "", 0);
    ck_fails(dlviz_dataset_read_cifar10(&dataset, scratch_path("wrong"), DLVIZ_DATASET_PART_TEST),
             DLVIZ_ERROR_FORMAT, "is empty");
    /* CIFAR-100's other label is not looked at. */
    size = make_records(records, 0, 3, 2);
    records[0] = 20;
    records[2 + PIXELS + 1] = 100;
    write_file(scratch_path("wrong/test.bin"), records, size);
    ck_fails(dlviz_dataset_read_cifar100(&dataset, scratch_path("wrong"), DLVIZ_DATASET_PART_TEST,
                                         DLVIZ_CIFAR100_LABELS_COARSE),
             DLVIZ_ERROR_FORMAT, "the label of image 0 of");
    ck_fails(dlviz_dataset_read_cifar100(&dataset, scratch_path("wrong"), DLVIZ_DATASET_PART_TEST,
                                         DLVIZ_CIFAR100_LABELS_FINE),
             DLVIZ_ERROR_FORMAT, "is 100; 0 to 99 are accepted");
}
END_TEST

START_TEST(arguments_are_checked) {
    dlviz_dataset *dataset = (void *)1;
    ck_fails(dlviz_dataset_read_cifar10(&dataset, scratch_folder(), (dlviz_dataset_part)2),
             DLVIZ_ERROR_INVALID_ARGUMENT, "part 2");
    ck_assert_ptr_null(dataset);
    ck_fails(dlviz_dataset_read_cifar100(&dataset, scratch_folder(), DLVIZ_DATASET_PART_TEST,
                                         (dlviz_cifar100_labels)2),
             DLVIZ_ERROR_INVALID_ARGUMENT, "labels 2");
    ck_fails(dlviz_dataset_read_cifar10(&dataset, NULL, DLVIZ_DATASET_PART_TEST),
             DLVIZ_ERROR_INVALID_ARGUMENT, "'folder' is NULL");
    ck_fails(dlviz_dataset_read_cifar10(&dataset, scratch_path("nowhere"), DLVIZ_DATASET_PART_TEST),
             DLVIZ_ERROR_NOT_FOUND,
             "test_batch.bin of CIFAR-10's binary version: there is no folder");
    write_file(scratch_path("a_file"), "text", 4);
    ck_fails(dlviz_dataset_read_cifar10(&dataset, scratch_path("a_file"), DLVIZ_DATASET_PART_TEST),
             DLVIZ_ERROR_NOT_FOUND, "a_file' is a file, not a folder");
}
END_TEST

static dlviz_status read_part(dlviz_dataset **out, const char *folder, int set) {
    return set == 2 ? dlviz_dataset_read_cifar100(out, folder, DLVIZ_DATASET_PART_TEST,
                                                  DLVIZ_CIFAR100_LABELS_FINE)
                    : dlviz_dataset_read_cifar10(
                          out, folder, set ? DLVIZ_DATASET_PART_TEST : DLVIZ_DATASET_PART_TRAIN);
}

/* A folder may be somebody else's: what is in the place of a file makes nobody wait, nor is read without
 * end. */
START_TEST(what_is_no_file_is_refused) {
    static const struct {
        int set;
        const char *name;
    } places[] = {{0, "data_batch_1.bin"},    {0, "data_batch_4.bin"}, {0, "batches.meta.txt"},
                  {1, "test_batch.bin"},      {1, "batches.meta.txt"}, {2, "test.bin"},
                  {2, "fine_label_names.txt"}};
    make_folder("no_files");
    make_cifar10("no_files");
    store("no_files", "test.bin", 3, 2, 2);
    char folder[300];
    snprintf(folder, sizeof folder, "%s", scratch_path("no_files"));
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        char path[400], away[420];
        snprintf(path, sizeof path, "%s", in_folder("no_files", places[i].name));
        snprintf(away, sizeof away, "%s.away", path);
        bool was = rename(path, away) == 0;
        for (int device = 0; device < 2; device++) {
            ck_assert_int_eq(device ? symlink("/dev/zero", path) : mkfifo(path, 0600), 0);
            dlviz_dataset *dataset;
            ck_fails(read_part(&dataset, folder, places[i].set), DLVIZ_ERROR_IO,
                     device ? "it is a device or socket, not a regular file"
                            : "it is a pipe, not a regular file");
            ck_assert_ptr_null(dataset);
            ck_assert_ptr_nonnull(strstr(dlviz_last_error(), places[i].name));
            ck_assert_int_eq(unlink(path), 0);
        }
        ck_assert(!was || rename(away, path) == 0);
    }
}
END_TEST

static dlviz_status read_cifar10(void *folder) {
    dlviz_dataset *dataset;
    TRY(dlviz_dataset_read_cifar10(&dataset, folder, DLVIZ_DATASET_PART_TRAIN));
    dlviz_dataset_destroy(dataset);
    return DLVIZ_OK;
}

START_TEST(nothing_leaks_when_memory_runs_out) {
    char folder[512];
    snprintf(folder, sizeof folder, "%s", make_folder("leaks"));
    make_cifar10("leaks");
    write_file(scratch_path("leaks/batches.meta.txt"), "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n", 20);
    ck_assert_int_ge(fail_each_allocation(read_cifar10, folder), 15);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {both_parts_of_cifar10_are_read,
                                  the_folder_of_the_archive_is_found,
                                  both_kinds_of_labels_of_cifar100_are_read,
                                  names_come_from_the_files_list,
                                  wrong_files_are_refused,
                                  arguments_are_checked,
                                  what_is_no_file_is_refused,
                                  nothing_leaks_when_memory_runs_out,
                                  NULL};
    return run_tests("cifar", tests);
}
