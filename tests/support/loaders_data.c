/* Datasets of files: IDX, MNIST, CSV, CIFAR. */
#include "support/loaders.h"
#include "support/parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

/* -- IDX -----------------------------------------------------------------------------------------
 */

/* Two of them. */
static const unsigned char labels[] = {0, 0, 8, 1, 0, 0, 0, 2, 5, 7};

void try_idx(const mutant *file) {
    dlviz_dataset *dataset;
    JUDGED(dlviz_dataset_read_idx_memory(&dataset, file->bytes, file->size, NULL, 0), dataset);
    use_dataset(dataset);
    dlviz_dataset_destroy(dataset);
    if (JUDGED(
            dlviz_dataset_read_idx_memory(&dataset, file->bytes, file->size, labels, sizeof labels),
            dataset))
        require(dlviz_dataset_num_samples(dataset) == 2, "labels for other images");
    dlviz_dataset_destroy(dataset);
    /* What is mutated are the images, and as well read as labels. */
    JUDGED(
        dlviz_dataset_read_idx_memory(&dataset, file->bytes, file->size, file->bytes, file->size),
        dataset);
    dlviz_dataset_destroy(dataset);
}

static void same_samples(const dlviz_dataset *a, const dlviz_dataset *b) {
    int64_t n = dlviz_dataset_num_samples(a);
    require(n == dlviz_dataset_num_samples(b), "one has more samples than the other");
    dlviz_tensor *x, *y;
    if (n > 100)
        n = 100;
    if (dlviz_dataset_samples(a, 0, n, &x) == DLVIZ_OK) {
        must(dlviz_dataset_samples(b, 0, n, &y), "one loads what the other does not");
        int64_t count = dlviz_tensor_num_elements(x);
        require(count == dlviz_tensor_num_elements(y) &&
                    memcmp(dlviz_tensor_float(x), dlviz_tensor_float(y),
                           (size_t)count * sizeof(float)) == 0,
                "one has other samples than the other");
        dlviz_tensor_destroy(y);
    }
    dlviz_tensor_destroy(x);
}

/* Read, and mapped, which compressed files are not: the same. */
void try_idx_file(const mutant *file) {
    dlviz_dataset *dataset, *mapped;
    char path[1024];
    snprintf(path, sizeof path, "%s", scratch_path("tried-idx3"));
    write_file(path, file->bytes, file->size);
    JUDGED(dlviz_dataset_read_idx(&dataset, path, NULL), dataset);
    if (JUDGED(dlviz_dataset_map_idx(&mapped, path, NULL), mapped)) {
        require(dataset != NULL, "it is mapped and not read");
        same_samples(dataset, mapped);
    }
    use_dataset(mapped);
    dlviz_dataset_destroy(mapped);
    dlviz_dataset_destroy(dataset);
    JUDGED(dlviz_dataset_map_idx(&mapped, path, path), mapped);
    dlviz_dataset_destroy(mapped);
}

/* How it is compressed, and then what is: so that damage lies behind the checksum. */
void make_uncompressed_idxs(samples *to) {
    static const unsigned char forms[] = {0x06, 0x19, 0x21, 0x83};
    for (size_t form = 0; form < sizeof forms; form++) {
        unsigned char *bytes = malloc(17 + 2 * 3 * 4);
        static const unsigned char header[] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4};
        if (!bytes)
            abort();
        bytes[0] = forms[form];
        memcpy(bytes + 1, header, sizeof header);
        for (int i = 17; i < 17 + 2 * 3 * 4; i++)
            bytes[i] = (unsigned char)(i * 11);
        keep_sample(to, bytes, 17 + 2 * 3 * 4);
    }
}

static size_t compress_member(const unsigned char *bytes, size_t size, int level, unsigned char *to,
                              size_t room) {
    z_stream stream = {.next_in = (unsigned char *)(uintptr_t)bytes, .avail_in = (unsigned)size};
    if (deflateInit2(&stream, level, Z_DEFLATED, 9 + 16, 1, Z_DEFAULT_STRATEGY) != Z_OK)
        abort();
    stream.next_out = to;
    stream.avail_out = (unsigned)room;
    if (deflate(&stream, Z_FINISH) != Z_STREAM_END)
        abort();
    deflateEnd(&stream);
    return room - stream.avail_out;
}

/* The first byte: the level, the number of members less one, and how much is cut off in the end. */
void try_uncompressed_idx(const mutant *file) {
    if (file->size == 0)
        return;
    int form = file->bytes[0];
    size_t members = 1 + (size_t)(form >> 4 & 3), cut = (size_t)(form >> 6) * 3,
           room = 2 * file->size + 256, used = 0, size = file->size - 1, done = 0;
    unsigned char *packed = malloc(room);
    if (!packed)
        abort();
    for (size_t i = 1; i <= members; i++) {
        size_t end = size * i / members;
        used += compress_member(file->bytes + 1 + done, end - done, form % 10, packed + used,
                                room - used);
        done = end;
    }
    used -= cut;
    dlz_random random = dlz_random_start(file->size, 0);
    mutant whole = copy_bytes(&random, packed, used);
    free(packed);
    dlviz_dataset *dataset;
    if (JUDGED(dlviz_dataset_read_idx_memory(&dataset, whole.bytes, whole.size, NULL, 0), dataset))
        require(cut == 0, "it takes what was cut short");
    use_dataset(dataset);
    dlviz_dataset_destroy(dataset);
    free(whole.block);
}

void make_mnists(samples *to) {
    static const unsigned char images[] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2,
                                           0, 0, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8};
    unsigned char packed[2][128];
    keep_parts(to, images, sizeof images, labels, sizeof labels);
    size_t first = compress_member(images, sizeof images, 6, packed[0], sizeof packed[0]),
           second = compress_member(labels, sizeof labels, 6, packed[1], sizeof packed[1]);
    keep_parts(to, packed[0], first, packed[1], second);
}

void try_mnist(const mutant *file) {
    dlviz_dataset *dataset;
    parts two = split_parts(file);
    write_file(scratch_path("t10k-images-idx3-ubyte"), two.first, two.first_size);
    write_file(scratch_path("t10k-labels-idx1-ubyte"), two.second, two.second_size);
    if (JUDGED(dlviz_dataset_read_mnist(&dataset, scratch_folder(), DLVIZ_DATASET_PART_TEST),
               dataset))
        require(dlviz_dataset_num_classes(dataset) == 10, "other classes");
    use_dataset(dataset);
    dlviz_dataset_destroy(dataset);
}

/* -- CSV -----------------------------------------------------------------------------------------
 */

void try_csv(const mutant *file) {
    static dlviz_csv_reader *labels_first, *targets_first;
    if (!labels_first) {
        must(dlviz_csv_reader_create(&labels_first), "a reader");
        must(dlviz_csv_reader_set_label_column(labels_first, "#1"), "a column");
        must(dlviz_csv_reader_create(&targets_first), "a reader");
        must(dlviz_csv_reader_set_target_columns(targets_first, 1, (const char *[]){"#1"}),
             "a column");
    }
    dlviz_tensor *tensor, *offsets;
    dlviz_dataset *dataset;
    JUDGED(dlviz_tensor_read_csv_memory(&tensor, file->bytes, file->size, NULL), tensor);
    dlviz_tensor_destroy(tensor);
    judge_allow(DLVIZ_ERROR_NOT_FOUND); /* names of columns, more than one of which is "#1" */
    JUDGED(dlviz_tensor_read_csv_shifted_memory(&tensor, file->bytes, file->size, labels_first,
                                                &offsets),
           tensor);
    require((tensor != NULL) == (offsets != NULL), "offsets without numbers, or the reverse");
    dlviz_tensor_destroy(tensor);
    dlviz_tensor_destroy(offsets);
    if (JUDGED(dlviz_dataset_read_csv_memory(&dataset, file->bytes, file->size, labels_first),
               dataset))
        require(dlviz_dataset_num_classes(dataset) > 0, "labels without classes");
    use_dataset(dataset);
    dlviz_dataset_destroy(dataset);
    if (JUDGED(dlviz_dataset_read_csv_memory(&dataset, file->bytes, file->size, targets_first),
               dataset))
        require(dlviz_dataset_target_ndim(dataset) == 1, "no targets");
    use_dataset(dataset);
    dlviz_dataset_destroy(dataset);
}

/* -- CIFAR ---------------------------------------------------------------------------------------
 */

void try_cifar(const mutant *file) {
    dlviz_dataset *dataset;
    write_file(scratch_path("test_batch.bin"), file->bytes, file->size);
    write_file(scratch_path("test.bin"), file->bytes, file->size);
    if (JUDGED(dlviz_dataset_read_cifar10(&dataset, scratch_folder(), DLVIZ_DATASET_PART_TEST),
               dataset))
        require((uint64_t)dlviz_dataset_num_samples(dataset) == file->size / 3073, "other images");
    use_dataset(dataset);
    dlviz_dataset_destroy(dataset);
    for (int coarse = 0; coarse < 2; coarse++) {
        if (JUDGED(dlviz_dataset_read_cifar100(&dataset, scratch_folder(), DLVIZ_DATASET_PART_TEST,
                                               (dlviz_cifar100_labels)coarse),
                   dataset))
            require((uint64_t)dlviz_dataset_num_samples(dataset) == file->size / 3074,
                    "other images");
        dlviz_dataset_destroy(dataset);
    }
}

void make_cifar_names(samples *to) {
    static const char names[] = "one\ntwo\nthree\nfour\r\nfive\nsix\nseven\neight\nnine\nten\n\n";
    size_t size = sizeof names - 1;
    unsigned char *bytes = malloc(size);
    if (!bytes)
        abort();
    keep_sample(to, memcpy(bytes, names, size), size);
}

void try_cifar_names(const mutant *file) {
    static const unsigned char image[3073];
    dlviz_dataset *dataset;
    write_file(scratch_path("test_batch.bin"), image, sizeof image);
    write_file(scratch_path("batches.meta.txt"), file->bytes, file->size);
    if (JUDGED(dlviz_dataset_read_cifar10(&dataset, scratch_folder(), DLVIZ_DATASET_PART_TEST),
               dataset))
        for (int64_t i = 0; i < 10; i++)
            require(dlviz_dataset_class_name(dataset, i) != NULL, "a class without its name");
    dlviz_dataset_destroy(dataset);
    remove(scratch_path("batches.meta.txt"));
}
