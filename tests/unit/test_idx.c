#include "support/failing.h"
#include "support/support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

static const unsigned char images[] = {0, 0, 8, 3,  0,   0,   0,   2,   0, 0, 0, 2, 0, 0,
                                       0, 3, 0, 51, 102, 153, 204, 255, 1, 2, 3, 4, 5, 6};
static const unsigned char labels[] = {0, 0, 8, 1, 0, 0, 0, 2, 7, 3};

/* One gzip member of `bytes`; returns its size. */
static size_t compress_gzip(const void *bytes, size_t size, unsigned char *out, size_t room) {
    z_stream stream = {0};
    ck_assert_int_eq(deflateInit2(&stream, 9, Z_DEFLATED, 31, 9, Z_DEFAULT_STRATEGY), Z_OK);
    stream.next_in = (unsigned char *)(uintptr_t)bytes;
    stream.avail_in = (unsigned)size;
    stream.next_out = out;
    stream.avail_out = (unsigned)room;
    ck_assert_int_eq(deflate(&stream, Z_FINISH), Z_STREAM_END);
    deflateEnd(&stream);
    return room - stream.avail_out;
}

static const char *store(const char *name, const void *bytes, size_t size) {
    const char *path = scratch_path(name);
    write_file(path, bytes, size);
    return path;
}

static void expect_the_images(const char *images_path, const char *labels_path) {
    dlviz_dataset *dataset;
    ck_ok(dlviz_dataset_read_idx(&dataset, images_path, labels_path));
    ck_assert_int_eq(dlviz_dataset_num_samples(dataset), 2);
    ck_assert_int_eq(dlviz_dataset_ndim(dataset), 3);
    const int64_t *dims = dlviz_dataset_dims(dataset);
    ck_assert(dims[0] == 1 && dims[1] == 2 && dims[2] == 3);
    dlviz_tensor *samples;
    ck_ok(dlviz_dataset_samples(dataset, 0, 2, &samples));
    for (int i = 0; i < 12; i++)
        ck_assert_float_eq(dlviz_tensor_float(samples)[i], (float)images[16 + i] / 255);
    dlviz_tensor_destroy(samples);
    if (labels_path) {
        ck_assert_int_eq(dlviz_dataset_num_classes(dataset), 8);
        const int64_t *label = dlviz_tensor_const_data(dlviz_dataset_labels(dataset));
        ck_assert(label[0] == 7 && label[1] == 3);
    } else {
        ck_assert_int_eq(dlviz_dataset_num_classes(dataset), 0);
        ck_assert_ptr_null(dlviz_dataset_labels(dataset));
    }
    dlviz_dataset_destroy(dataset);
}

START_TEST(plain_and_compressed_files_are_told_by_contents) {
    unsigned char packed[512];
    size_t size = compress_gzip(images, sizeof images, packed, sizeof packed);
    const char *plain = store("images", images, sizeof images);
    const char *label_path = store("labels", labels, sizeof labels);
    expect_the_images(plain, label_path);
    expect_the_images(plain, NULL);
    expect_the_images(store("packed.gz", packed, size), label_path);
    expect_the_images(store("packed", packed, size), label_path);
    expect_the_images(store("plain.gz", images, sizeof images), label_path);
}
END_TEST

START_TEST(members_follow_one_another) {
    unsigned char packed[2048];
    size_t size = 0;
    const size_t cuts[] = {0, 3, 3, 17, sizeof images};
    for (int i = 0; i < 4; i++)
        size += compress_gzip(images + cuts[i], cuts[i + 1] - cuts[i], packed + size,
                              sizeof packed - size);
    expect_the_images(store("members", packed, size), NULL);
    dlviz_dataset *dataset;
    memcpy(packed + size, "junk", 4);
    ck_fails(dlviz_dataset_read_idx(&dataset, store("members", packed, size + 4), NULL),
             DLVIZ_ERROR_FORMAT, "damaged");
    size += compress_gzip("x", 1, packed + size, sizeof packed - size);
    ck_fails(dlviz_dataset_read_idx(&dataset, store("members", packed, size), NULL),
             DLVIZ_ERROR_FORMAT, "goes on");
}
END_TEST

START_TEST(files_cut_anywhere_are_refused) {
    unsigned char packed[512];
    size_t size = compress_gzip(images, sizeof images, packed, sizeof packed);
    dlviz_dataset *dataset = (void *)1;
    for (size_t length = 0; length < sizeof images; length++) {
        const char *path = store("cut", images, length);
        ck_fails(dlviz_dataset_read_idx(&dataset, path, NULL), DLVIZ_ERROR_FORMAT, path);
        ck_assert_ptr_null(dataset);
    }
    for (size_t length = 0; length < size; length++) {
        const char *path = store("cut", packed, length);
        ck_fails(dlviz_dataset_read_idx(&dataset, path, NULL), DLVIZ_ERROR_FORMAT, path);
    }
    const char *whole = store("whole", images, sizeof images);
    for (size_t length = 0; length < sizeof labels; length++)
        ck_fails(dlviz_dataset_read_idx(&dataset, whole, store("cut", labels, length)),
                 DLVIZ_ERROR_FORMAT, "cut'");
}
END_TEST

START_TEST(damage_is_noticed) {
    unsigned char packed[512], damaged[512];
    size_t size = compress_gzip(images, sizeof images, packed, sizeof packed);
    dlviz_dataset *dataset;
    /* The last eight bytes are the checksum and the length. */
    for (size_t i = size - 8; i < size; i++) {
        memcpy(damaged, packed, size);
        damaged[i] ^= 1;
        ck_fails(dlviz_dataset_read_idx(&dataset, store("bad", damaged, size), NULL),
                 DLVIZ_ERROR_FORMAT, "damaged");
    }
    for (size_t i = 10; i < size - 8; i++) {
        memcpy(damaged, packed, size);
        damaged[i] ^= 0x10;
        const char *path = store("bad", damaged, size);
        dlviz_status status = dlviz_dataset_read_idx(&dataset, path, NULL);
        dlviz_dataset_destroy(dataset);
        /* Some bits of the last byte mean nothing. */
        if (status == DLVIZ_OK && i == size - 9)
            expect_the_images(path, NULL);
        else
            ck_assert_int_eq(status, DLVIZ_ERROR_FORMAT);
    }
    memcpy(damaged, images, sizeof images);
    damaged[sizeof images] = 0;
    ck_fails(dlviz_dataset_read_idx(&dataset, store("bad", damaged, sizeof images + 1), NULL),
             DLVIZ_ERROR_FORMAT, "goes on");
}
END_TEST

/* The images file with one byte changed. */
static const char *changed(size_t at, unsigned char value) {
    unsigned char copy[sizeof images];
    memcpy(copy, images, sizeof images);
    copy[at] = value;
    return store("changed", copy, sizeof copy);
}

START_TEST(headers_are_checked) {
    dlviz_dataset *dataset;
    ck_fails(dlviz_dataset_read_idx(&dataset, changed(0, 'P'), NULL), DLVIZ_ERROR_FORMAT,
             "starts with 50 00");
    ck_fails(dlviz_dataset_read_idx(&dataset, changed(2, 0x0D), NULL), DLVIZ_ERROR_FORMAT,
             "float32 (type 0x0d)");
    ck_fails(dlviz_dataset_read_idx(&dataset, changed(2, 0x77), NULL), DLVIZ_ERROR_FORMAT,
             "unknown type (type 0x77)");
    ck_fails(dlviz_dataset_read_idx(&dataset, changed(3, 2), NULL), DLVIZ_ERROR_FORMAT,
             "2 dimensions; images have 3");
    ck_fails(dlviz_dataset_read_idx(&dataset, changed(3, 5), NULL), DLVIZ_ERROR_FORMAT,
             "5 dimensions");
    for (size_t at = 7; at <= 15; at += 4)
        ck_fails(dlviz_dataset_read_idx(&dataset, changed(at, 0), NULL), DLVIZ_ERROR_FORMAT,
                 "is 0");
    ck_fails(dlviz_dataset_read_idx(&dataset, changed(4, 0xFF), NULL), DLVIZ_ERROR_FORMAT,
             "more than it can hold");
    unsigned char huge[] = {0,   0,   8,   3,   255, 255, 255, 255, 255,
                            255, 255, 255, 255, 255, 255, 255, 1};
    ck_fails(dlviz_dataset_read_idx(&dataset, store("huge", huge, sizeof huge), NULL),
             DLVIZ_ERROR_FORMAT, "4294967295 x 4294967295 x 4294967295");
    /* 2^16 x 2^24 x 2^24 wraps to nothing. */
    unsigned char wraps[] = {0, 0, 8, 3, 0, 1, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0};
    ck_fails(dlviz_dataset_read_idx(&dataset, store("wraps", wraps, sizeof wraps), NULL),
             DLVIZ_ERROR_FORMAT, "more than it can hold");
    unsigned char packed[512];
    size_t size = compress_gzip(huge, sizeof huge, packed, sizeof packed);
    ck_fails(dlviz_dataset_read_idx(&dataset, store("huge.gz", packed, size), NULL),
             DLVIZ_ERROR_FORMAT, "more than it can hold");
}
END_TEST

START_TEST(labels_are_checked) {
    const char *path = store("images", images, sizeof images);
    unsigned char copy[12];
    memcpy(copy, labels, sizeof labels);
    dlviz_dataset *dataset = (void *)1;
    ck_fails(dlviz_dataset_read_idx(&dataset, path, path), DLVIZ_ERROR_FORMAT,
             "3 dimensions; labels have 1");
    copy[7] = 3;
    copy[10] = 1;
    ck_fails(dlviz_dataset_read_idx(&dataset, path, store("three", copy, 11)), DLVIZ_ERROR_FORMAT,
             "2 images, ");
    ck_assert_ptr_null(dataset);
    ck_fails(dlviz_dataset_read_idx(&dataset, NULL, path), DLVIZ_ERROR_INVALID_ARGUMENT,
             "'images_path' is NULL");
    ck_fails(dlviz_dataset_read_idx(&dataset, path, "/nowhere"), DLVIZ_ERROR_IO, "/nowhere");
    ck_fails(dlviz_dataset_read_idx(&dataset, scratch_folder(), path), DLVIZ_ERROR_IO, "folder");
    ck_fails(dlviz_dataset_read_idx(&dataset, "/dev/zero", path), DLVIZ_ERROR_IO, "device");
}
END_TEST

/* Another process that writes the bytes into a FIFO. */
static pid_t feed(const char *fifo, const unsigned char *bytes, size_t size) {
    pid_t child = fork();
    if (child == 0) {
        int to = open(fifo, O_WRONLY);
        _exit(write(to, bytes, size) != (ssize_t)size);
    }
    return child;
}

START_TEST(pipes_are_read) {
    const char *fifo = scratch_path("fifo"), *path = store("labels", labels, sizeof labels);
    ck_assert_int_eq(mkfifo(fifo, 0600), 0);
    unsigned char packed[512];
    size_t size = compress_gzip(images, sizeof images, packed, sizeof packed);
    for (int gzip = 0; gzip < 2; gzip++) {
        dlviz_dataset *dataset;
        pid_t child = gzip ? feed(fifo, packed, size) : feed(fifo, images, sizeof images);
        ck_ok(dlviz_dataset_read_idx(&dataset, fifo, path));
        ck_assert_int_eq(waitpid(child, NULL, 0), child);
        ck_assert_int_eq(dlviz_dataset_num_samples(dataset), 2);
        dlviz_dataset_destroy(dataset);
    }
    /* What a pipe announces is not believed either. */
    dlviz_dataset *dataset;
    unsigned char huge[] = {0,   0,   8,   3,   255, 255, 255, 255, 255,
                            255, 255, 255, 255, 255, 255, 255, 1};
    pid_t child = feed(fifo, huge, sizeof huge);
    ck_fails(dlviz_dataset_read_idx(&dataset, fifo, NULL), DLVIZ_ERROR_FORMAT, "more than it can");
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
}
END_TEST

START_TEST(gzip_padded_with_zeros_is_read) {
    char path[512];
    snprintf(path, sizeof path, "%s", store("labels", labels, sizeof labels));
    static unsigned char packed[200000];
    for (size_t zeros = 1; zeros <= 150000; zeros = zeros * 7 + 1) {
        memset(packed, 0, sizeof packed);
        size_t size = compress_gzip(images, sizeof images, packed, 512);
        dlviz_dataset *dataset;
        ck_ok(dlviz_dataset_read_idx(&dataset, store("padded.gz", packed, size + zeros), path));
        dlviz_dataset_destroy(dataset);
        if (zeros == 1)
            continue;
        packed[size + zeros - 1] = 7;
        ck_fails(dlviz_dataset_read_idx(&dataset, store("padded.gz", packed, size + zeros), path),
                 DLVIZ_ERROR_FORMAT, "damaged");
    }
}
END_TEST

START_TEST(color_images_have_four_dimensions) {
    unsigned char color[20 + 24] = {0, 0, 8, 4, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 2};
    for (unsigned char i = 0; i < 24; i++)
        color[20 + i] = i;
    dlviz_dataset *dataset;
    ck_ok(dlviz_dataset_read_idx(&dataset, store("color", color, sizeof color), NULL));
    ck_assert_int_eq(dlviz_dataset_dims(dataset)[0], 3);
    dlviz_tensor *samples;
    ck_ok(dlviz_dataset_samples(dataset, 1, 1, &samples));
    ck_assert_int_eq(dlviz_tensor_ndim(samples), 4);
    ck_assert_float_eq(dlviz_tensor_float(samples)[5], 17.0f / 255);
    dlviz_tensor_destroy(samples);
    dlviz_dataset_destroy(dataset);
}
END_TEST

START_TEST(a_compressed_file_larger_than_any_buffer_is_read) {
    size_t count = 1000, size = 16 + count * 784;
    unsigned char *file = calloc(1, size), *packed = malloc(2 * size);
    const unsigned char header[] = {0, 0, 8, 3, 0, 0, 3, 0xE8, 0, 0, 0, 28, 0, 0, 0, 28};
    memcpy(file, header, sizeof header);
    uint32_t state = 1;
    for (size_t i = 16; i < size; i++) {
        state = state * 1664525 + 1013904223;
        file[i] = (unsigned char)(state >> 24);
    }
    const char *path = store("large.gz", packed, compress_gzip(file, size, packed, 2 * size));
    dlviz_dataset *dataset;
    dlviz_tensor *samples;
    ck_ok(dlviz_dataset_read_idx(&dataset, path, NULL));
    ck_ok(dlviz_dataset_samples(dataset, 0, 1000, &samples));
    for (size_t i = 16; i < size; i++)
        ck_assert_float_eq(dlviz_tensor_float(samples)[i - 16], (float)file[i] / 255);
    dlviz_tensor_destroy(samples);
    dlviz_dataset_destroy(dataset);
    /* All zeros: the best that deflate can compress stays within the bound. */
    memset(file + 16, 0, size - 16);
    path = store("zeros.gz", packed, compress_gzip(file, size, packed, 2 * size));
    ck_ok(dlviz_dataset_read_idx(&dataset, path, NULL));
    dlviz_dataset_destroy(dataset);
    free(file);
    free(packed);
}
END_TEST

START_TEST(the_names_of_mnist_are_found) {
    dlviz_dataset *dataset = (void *)1;
    ck_fails(dlviz_dataset_read_mnist(&dataset, scratch_folder(), DLVIZ_DATASET_PART_TRAIN),
             DLVIZ_ERROR_NOT_FOUND, "train-images-idx3-ubyte or train-images.idx3-ubyte");
    ck_assert_ptr_null(dataset);
    ck_assert_ptr_nonnull(strstr(dlviz_last_error(), scratch_folder()));
    store("t10k-images.idx3-ubyte", images, sizeof images);
    ck_fails(dlviz_dataset_read_mnist(&dataset, scratch_folder(), DLVIZ_DATASET_PART_TEST),
             DLVIZ_ERROR_NOT_FOUND, "t10k-labels-idx1-ubyte");
    unsigned char packed[512];
    store("t10k-labels-idx1-ubyte.gz", packed, compress_gzip(labels, sizeof labels, packed, 512));
    ck_ok(dlviz_dataset_read_mnist(&dataset, scratch_folder(), DLVIZ_DATASET_PART_TEST));
    ck_assert_int_eq(dlviz_dataset_num_classes(dataset), 10);
    ck_assert_int_eq(dlviz_dataset_num_samples(dataset), 2);
    dlviz_dataset_destroy(dataset);
    unsigned char wrong[sizeof labels];
    memcpy(wrong, labels, sizeof labels);
    wrong[9] = 10;
    const char *path = store("t10k-labels-idx1-ubyte", wrong, sizeof wrong);
    ck_fails(dlviz_dataset_read_mnist(&dataset, scratch_folder(), DLVIZ_DATASET_PART_TEST),
             DLVIZ_ERROR_FORMAT, "label 1 of");
    remove(path);
    ck_fails(dlviz_dataset_read_mnist(&dataset, scratch_folder(), (dlviz_dataset_part)2),
             DLVIZ_ERROR_INVALID_ARGUMENT, "part 2");
    ck_fails(dlviz_dataset_read_mnist(&dataset, NULL, DLVIZ_DATASET_PART_TEST),
             DLVIZ_ERROR_INVALID_ARGUMENT, "'folder' is NULL");
}
END_TEST

/* A folder may be somebody else's: what is in the place of a file makes nobody wait, nor is read without
 * end. A path that the caller names may be a pipe's, as before. */
START_TEST(what_is_no_file_is_refused_in_a_folder) {
    dlviz_dataset *dataset;
    char path[400];
    store("t10k-images-idx3-ubyte", images, sizeof images);
    for (int device = 0; device < 2; device++)
        for (int part = 0; part < 2; part++) {
            const char *name = part ? "t10k-labels-idx1-ubyte" : "train-images-idx3-ubyte";
            store("train-labels-idx1-ubyte", labels, sizeof labels);
            snprintf(path, sizeof path, "%s", scratch_path(name));
            ck_assert_int_eq(device ? symlink("/dev/zero", path) : mkfifo(path, 0600), 0);
            ck_fails(dlviz_dataset_read_mnist(&dataset, scratch_folder(), (dlviz_dataset_part)part),
                     DLVIZ_ERROR_IO,
                     device ? "it is a device or socket, not a regular file"
                            : "it is a pipe, not a regular file");
            ck_assert_ptr_null(dataset);
            ck_assert_ptr_nonnull(strstr(dlviz_last_error(), name));
            ck_assert_int_eq(unlink(path), 0);
        }
    snprintf(path, sizeof path, "%s/nosuch", scratch_folder());
    ck_fails(dlviz_dataset_read_mnist(&dataset, path, DLVIZ_DATASET_PART_TRAIN),
             DLVIZ_ERROR_NOT_FOUND, "no train-images-idx3-ubyte: there is no folder");
}
END_TEST

static dlviz_status read_and_load(void *folder) {
    dlviz_dataset *dataset;
    dlviz_tensor *samples = NULL;
    dlviz_status status = dlviz_dataset_read_mnist(&dataset, folder, DLVIZ_DATASET_PART_TRAIN);
    if (status == DLVIZ_OK)
        status = dlviz_dataset_samples(dataset, 0, 2, &samples);
    dlviz_tensor_destroy(samples);
    dlviz_dataset_destroy(dataset);
    return status;
}

START_TEST(nothing_leaks_when_memory_runs_out) {
    unsigned char packed[512];
    store("train-images-idx3-ubyte.gz", packed, compress_gzip(images, sizeof images, packed, 512));
    store("train-labels-idx1-ubyte", labels, sizeof labels);
    char folder[512];
    snprintf(folder, sizeof folder, "%s", scratch_folder());
    ck_assert_int_ge(fail_each_allocation(read_and_load, folder), 15);
}
END_TEST

START_TEST(mnist_is_what_it_is_known_to_be) {
    static const int64_t known[2][10] = {
        {5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949},
        {980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009}};
    if (!mnist_folder()) {
        printf("MNIST is missing: the test of the real files is skipped\n");
        return;
    }
    for (int part = 0; part < 2; part++) {
        dlviz_dataset *dataset;
        ck_ok(dlviz_dataset_read_mnist(&dataset, mnist_folder(), (dlviz_dataset_part)part));
        ck_assert_int_eq(dlviz_dataset_num_samples(dataset), part ? 10000 : 60000);
        int64_t counts[10];
        ck_assert_int_eq(dlviz_dataset_class_counts(dataset, 10, counts), 10);
        for (int c = 0; c < 10; c++)
            ck_assert_int_eq(counts[c], known[part][c]);
        dlviz_tensor *samples;
        ck_ok(dlviz_dataset_samples(dataset, 0, dlviz_dataset_num_samples(dataset), &samples));
        double sum = 0, squares = 0, n = (double)dlviz_tensor_num_elements(samples);
        for (int64_t i = 0; i < dlviz_tensor_num_elements(samples); i++) {
            double x = (double)dlviz_tensor_float(samples)[i];
            sum += x;
            squares += x * x;
        }
        double mean = sum / n, deviation = sqrt(squares / n - mean * mean);
        ck_assert_double_eq_tol(mean, part ? 0.1325 : 0.1307, 5e-5);
        ck_assert_double_eq_tol(deviation, part ? 0.3105 : 0.3081, 5e-5);
        dlviz_tensor_destroy(samples);
        dlviz_dataset_destroy(dataset);
    }
}
END_TEST

int main(void) {
    const TTest *const tests[] = {plain_and_compressed_files_are_told_by_contents,
                                  members_follow_one_another,
                                  files_cut_anywhere_are_refused,
                                  damage_is_noticed,
                                  headers_are_checked,
                                  labels_are_checked,
                                  color_images_have_four_dimensions,
                                  pipes_are_read,
                                  gzip_padded_with_zeros_is_read,
                                  a_compressed_file_larger_than_any_buffer_is_read,
                                  the_names_of_mnist_are_found,
                                  what_is_no_file_is_refused_in_a_folder,
                                  nothing_leaks_when_memory_runs_out,
                                  mnist_is_what_it_is_known_to_be,
                                  NULL};
    return run_tests("idx", tests);
}
