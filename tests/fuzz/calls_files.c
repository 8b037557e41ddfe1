/* Calls of dlviz/dataset_files.h, safetensors.h and npz.h. */
#include "calls.h"

#include <stdio.h>
#include <string.h>

DECLARE_SETTINGS(image_reader)

static const char *const tables[] = {
    "a,b,c\n1,2,3\n4,5,6\n",
    "x\ty\n0\t1\n1\t0\n2\t1\n",
    "1;2;cat\n3;4;dog\n5;6;cat\n",
    "a,b\n1,NaN\n",
    "\"a\"\"b\",c\n\"1\",2\n",
    "",
    "\n\n",
    "1e39\n2\n",
    "1700000000.25,1\n1700000001.25,2\n1700000002.5,3\n",
    "c0,1\nc1,2\nc0,3\n",
    "0,1,2\n3,4,5\n",
};

/* Two images of 3 x 4, and their labels. */
static const unsigned char idx_images[] = {0,  0,  8,  3,  0,  0,  0,  2,  0,  0,  0,  3, 0, 0,
                                           0,  4,  1,  2,  3,  4,  5,  6,  7,  8,  9,  0, 9, 8,
                                           11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22};
static const unsigned char idx_labels[] = {0, 0, 8, 1, 0, 0, 0, 2, 5, 7};

/* What NumPy makes of savez_compressed(a=float32 of 3 x 2, b=uint8 of 3). */
static const unsigned char npz_bytes[] = {
    80,  75,  3,   4,   20,  0,   0,   0,   8,   0,   0,   0,   33,  0,   204, 202, 156, 189, 85,
    0,   0,   0,   152, 0,   0,   0,   5,   0,   0,   0,   97,  46,  110, 112, 121, 155, 236, 23,
    234, 27,  16,  201, 200, 80,  198, 80,  173, 158, 146, 90,  156, 92,  164, 110, 165, 160, 110,
    147, 102, 162, 174, 163, 160, 158, 150, 95,  84,  82,  148, 152, 23,  159, 95,  148, 146, 10,
    18,  119, 75,  204, 41,  78,  5,   138, 23,  103, 36,  22,  164, 2,   249, 26,  198, 58,  10,
    70,  154, 58,  10,  181, 10,  100, 3,   46,  6,   48,  104, 176, 7,   18,  14,  64,  4,   196,
    13,  64,  188, 192, 1,   0,   80,  75,  3,   4,   20,  0,   0,   0,   8,   0,   0,   0,   33,
    0,   72,  234, 102, 236, 71,  0,   0,   0,   131, 0,   0,   0,   5,   0,   0,   0,   98,  46,
    110, 112, 121, 155, 236, 23,  234, 27,  16,  201, 200, 80,  198, 80,  173, 158, 146, 90,  156,
    92,  164, 110, 165, 160, 94,  83,  106, 168, 174, 163, 160, 158, 150, 95,  84,  82,  148, 152,
    23,  159, 95,  148, 146, 10,  18,  119, 75,  204, 41,  78,  5,   138, 23,  103, 36,  22,  164,
    2,   249, 26,  198, 58,  154, 58,  10,  181, 10,  20,  0,   46,  6,   70,  38,  0,   80,  75,
    1,   2,   20,  3,   20,  0,   0,   0,   8,   0,   0,   0,   33,  0,   204, 202, 156, 189, 85,
    0,   0,   0,   152, 0,   0,   0,   5,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,
    128, 1,   0,   0,   0,   0,   97,  46,  110, 112, 121, 80,  75,  1,   2,   20,  3,   20,  0,
    0,   0,   8,   0,   0,   0,   33,  0,   72,  234, 102, 236, 71,  0,   0,   0,   131, 0,   0,
    0,   5,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   128, 1,   120, 0,   0,   0,
    98,  46,  110, 112, 121, 80,  75,  5,   6,   0,   0,   0,   0,   2,   0,   2,   0,   102, 0,
    0,   0,   226, 0,   0,   0,   0,   0,
};

/* A file that a reader takes, or what was written before. */
static blob some_file(void) {
    const char *text = tables[below(COUNT(tables))];
    switch (below(6)) {
    case 0:
        return (blob){text, strlen(text)};
    case 1:
        return (blob){idx_images, sizeof idx_images};
    case 2:
        return (blob){idx_labels, sizeof idx_labels};
    case 3:
        return (blob){npz_bytes, sizeof npz_bytes};
    default:
        return a_blob();
    }
}

static void put_file(void) {
    const char *path = a_path();
    blob contents = some_file();
    if (a_bool()) {
        (void)CALL(dlviz_file_write(path, contents.bytes, contents.size));
        return;
    }
    FILE *file = path && contents.bytes ? fopen(path, "wb") : NULL;
    if (!file)
        return;
    require(fwrite(contents.bytes, 1, contents.size, file) == contents.size,
            "a file of the target's own");
    fclose(file);
}

static void set_csv_reader(void) {
    dlviz_csv_reader *reader = a_csv_reader();
    const char *const *names = some_names();
    int64_t count = below(NUM_NAMES + 2) - 1;
    if (!reader && !one_in(8)) {
        MAKE(csv_reader, dlviz_csv_reader_create(out));
        return;
    }
    switch (below(6)) {
    case 0: {
        char delimiter = (char)a_byte();
        if (CALL(dlviz_csv_reader_set_delimiter(reader, delimiter)) == DLVIZ_OK)
            require(dlviz_csv_reader_delimiter(reader) == delimiter, "a delimiter");
        break;
    }
    case 1: {
        dlviz_csv_header header = (dlviz_csv_header)an_enum(3);
        if (CALL(dlviz_csv_reader_set_header(reader, header)) == DLVIZ_OK)
            require(dlviz_csv_reader_header(reader) == header && (int)header >= 0 && header < 3,
                    "a header");
        break;
    }
    case 2: {
        const char *column = a_text();
        if (CALL(dlviz_csv_reader_set_label_column(reader, column)) == DLVIZ_OK)
            require(!column == !dlviz_csv_reader_label_column(reader), "a column");
        break;
    }
    case 3:
        if (CALL(dlviz_csv_reader_set_target_columns(reader, count, names)) == DLVIZ_OK)
            require(dlviz_csv_reader_num_target_columns(reader) == count, "columns");
        break;
    case 4:
        if (CALL(dlviz_csv_reader_set_ignored_columns(reader, count, names)) == DLVIZ_OK)
            require(dlviz_csv_reader_num_ignored_columns(reader) == count, "columns");
        break;
    default:
        if (CALL(dlviz_csv_reader_set_class_names(reader, count, names)) == DLVIZ_OK)
            require(dlviz_csv_reader_num_class_names(reader) == count, "names");
    }
    int64_t index = an_index();
    see_text(dlviz_csv_reader_target_column(reader, index));
    see_text(dlviz_csv_reader_ignored_column(reader, index));
    see_text(dlviz_csv_reader_class_name(reader, index));
}

static void set_image_reader(void) {
    static const image_reader_count counts[] = {
        {dlviz_image_reader_set_num_channels, dlviz_image_reader_num_channels},
        {dlviz_image_reader_set_background, dlviz_image_reader_background},
        {dlviz_image_reader_set_memory_limit, dlviz_image_reader_memory_limit},
    };
    dlviz_image_reader *reader = a_image_reader();
    if (!reader && !one_in(8)) {
        MAKE(image_reader, dlviz_image_reader_create(out));
        return;
    }
    switch (below(4)) {
    case 0:
        SET_COUNT(image_reader, counts[below(COUNT(counts))], reader, an_int());
        break;
    case 1:
        SET_FLAG(image_reader,
                 ((image_reader_flag){dlviz_image_reader_set_skip_unreadable,
                                      dlviz_image_reader_skips_unreadable}),
                 reader, a_bool());
        break;
    case 2: {
        int64_t height = a_size(), width = a_size(), h, w;
        if (CALL(dlviz_image_reader_set_size(reader, height, width)) == DLVIZ_OK) {
            dlviz_image_reader_size(reader, &h, &w);
            require(h == height && w == width && h >= 0, "a size");
        }
        dlviz_image_reader_size(reader, NULL, NULL);
        break;
    }
    default: {
        dlviz_image_fit fit = (dlviz_image_fit)an_enum(3);
        if (CALL(dlviz_image_reader_set_fit(reader, fit)) == DLVIZ_OK)
            require(dlviz_image_reader_fit(reader) == fit && (int)fit >= 0 && fit < 3, "a fit");
    }
    }
    int64_t index = an_index();
    see_count(dlviz_image_reader_num_skipped(reader));
    see_text(dlviz_image_reader_skipped_path(reader, index));
    see_text(dlviz_image_reader_skipped_reason(reader, index));
    (void)dlviz_images_supported((dlviz_image_format)an_enum(2));
}

/* A table of text, or some other bytes; or the path of a file. */
static void read_csv(void) {
    const dlviz_csv_reader *reader = a_csv_reader();
    const char *text = tables[below(COUNT(tables))], *path = a_path();
    blob file = one_in(6) ? a_blob() : (blob){text, strlen(text)};
    dlviz_tensor *made = NOT_MADE, *offsets = NOT_MADE;
    dlviz_tensor **wanted = a_bool() ? &offsets : NULL;
    dlviz_status status;
    switch (below(6)) {
    case 0:
        MAKE(dataset, dlviz_dataset_read_csv(out, path, reader));
        return;
    case 1:
        MAKE(tensor, dlviz_tensor_read_csv(out, path, reader));
        return;
    case 2:
        MAKE(dataset, dlviz_dataset_read_csv_memory(out, file.bytes, file.size, reader));
        return;
    case 3:
        MAKE(tensor, dlviz_tensor_read_csv_memory(out, file.bytes, file.size, reader));
        return;
    case 4:
        status = CALL(dlviz_tensor_read_csv_shifted(&made, path, reader, wanted));
        break;
    default:
        status = CALL(
            dlviz_tensor_read_csv_shifted_memory(&made, file.bytes, file.size, reader, wanted));
    }
    if (wanted && was_made(status, true, offsets))
        keep_tensor(offsets);
    if (was_made(status, true, made))
        keep_tensor(made);
}

static void read_dataset(void) {
    const char *path = a_path(), *other = a_path();
    dlviz_dataset_part part = (dlviz_dataset_part)an_enum(2);
    blob file = some_file();
    const char *name = a_name(), *target = a_bool() ? a_name() : NULL;
    dlviz_image_reader *reader;
    switch (below(9)) {
    case 0:
        reader = a_image_reader();
        MAKE(dataset, dlviz_dataset_read_folder(out, path, reader));
        break;
    case 1:
        MAKE(dataset, dlviz_dataset_read_idx(out, path, other));
        break;
    case 2:
        MAKE(dataset, dlviz_dataset_map_idx(out, path, one_in(2) ? NULL : other));
        break;
    case 3: {
        size_t size = sizeof idx_images - (one_in(8) ? 1 : 0);
        const void *labels = one_in(3) ? NULL : idx_labels;
        MAKE(dataset, dlviz_dataset_read_idx_memory(out, idx_images, size, labels,
                                                    labels ? sizeof idx_labels : 0));
        break;
    }
    case 4:
        MAKE(dataset, dlviz_dataset_read_mnist(out, path, part));
        break;
    case 5:
        MAKE(dataset, dlviz_dataset_read_cifar10(out, path, part));
        break;
    case 6: {
        dlviz_cifar100_labels labels = (dlviz_cifar100_labels)an_enum(2);
        MAKE(dataset, dlviz_dataset_read_cifar100(out, path, part, labels));
        break;
    }
    case 7:
        MAKE(dataset, dlviz_dataset_read_npz(out, path, name, target));
        break;
    default:
        MAKE(dataset, dlviz_dataset_read_npz_memory(out, file.bytes, file.size, name, target));
    }
}

static void use_safetensors(void) {
    dlviz_safetensors *contents = a_safetensors();
    const char *name = a_name(), *other = a_name(), *path;
    int64_t before = dlviz_safetensors_num_tensors(contents), index = an_index();
    dlviz_status status;
    blob file;
    switch (!contents && !one_in(8) ? 0 : below(12)) {
    case 0:
        MAKE(safetensors, dlviz_safetensors_create(out));
        break;
    case 1:
        path = a_path();
        MAKE(safetensors, dlviz_safetensors_open(out, path));
        break;
    case 2:
        file = a_blob();
        MAKE(safetensors, dlviz_safetensors_open_memory(out, file.bytes, file.size));
        break;
    case 3:
        MAKE(tensor, dlviz_safetensors_get(contents, name, out));
        break;
    case 4:
    case 5: {
        const dlviz_tensor *tensor = a_tensor();
        bool had = dlviz_safetensors_has(contents, name);
        status = CALL(dlviz_safetensors_add(contents, name, tensor));
        require(dlviz_safetensors_num_tensors(contents) == before + (status == DLVIZ_OK),
                "a tensor more");
        require(status != DLVIZ_OK || !had, "no name comes twice");
        require(status != DLVIZ_OK || dlviz_safetensors_has(contents, name),
                "what was added is there");
        break;
    }
    case 6:
        name = a_pattern();
        other = a_pattern();
        status = CALL(dlviz_safetensors_rename(contents, name, other));
        require(dlviz_safetensors_num_tensors(contents) == before, "names change, not tensors");
        break;
    case 7:
        status = CALL(dlviz_safetensors_remove(contents, a_pattern()));
        require(dlviz_safetensors_num_tensors(contents) <= before - (status == DLVIZ_OK),
                "a tensor fewer");
        break;
    case 8:
        status = CALL(dlviz_safetensors_set_metadata(contents, name, other));
        require(status != DLVIZ_OK ||
                    strcmp(dlviz_safetensors_metadata(contents, name), other) == 0,
                "metadata are what was set");
        break;
    case 9:
        WRITE(dlviz_safetensors_save_memory(contents, bytes, size));
        break;
    case 10:
        path = a_path();
        (void)CALL(dlviz_safetensors_save(contents, path));
        break;
    default:
        drop_safetensors();
        return;
    }
    contents = a_safetensors(); /* what there was may have been destroyed for another */
    see_text(dlviz_safetensors_tensor_name(contents, index));
    see_count(dlviz_safetensors_num_metadata(contents));
    see_text(dlviz_safetensors_metadata_key(contents, index));
}

static void use_npz(void) {
    dlviz_npz *npz = a_npz();
    const char *path = a_path(), *name;
    blob file = one_in(4) ? a_blob() : (blob){npz_bytes, sizeof npz_bytes};
    int64_t index = an_index();
    see_count(dlviz_npz_num_arrays(npz));
    see_text(dlviz_npz_array_name(npz, index));
    switch (!npz && !one_in(8) ? 1 : below(5)) {
    case 0:
        MAKE(npz, dlviz_npz_open(out, path));
        break;
    case 1:
        MAKE(npz, dlviz_npz_open_memory(out, file.bytes, file.size));
        break;
    case 2:
        name = a_bool() ? dlviz_npz_array_name(npz, index) : a_name();
        MAKE(tensor, dlviz_npz_read(npz, name, out));
        break;
    case 3: {
        dlviz_tensor *made = NOT_MADE, *offsets = NOT_MADE;
        name = a_name();
        dlviz_status status = CALL(dlviz_npz_read_shifted(npz, name, &made, &offsets));
        if (was_made(status, true, offsets) && was_made(status, true, made)) {
            keep_tensor(made);
            keep_tensor(offsets);
        }
        break;
    }
    default:
        drop_npz();
    }
}

void call_files(void) {
    switch (below(14)) {
    case 12:
    case 13:
        put_file();
        break;
    case 0:
        if (a_bool())
            MAKE(csv_reader, dlviz_csv_reader_create(out));
        else
            drop_csv_reader();
        break;
    case 1:
    case 2:
        set_csv_reader();
        break;
    case 3:
    case 4:
        read_csv();
        break;
    case 5:
        if (a_bool())
            MAKE(image_reader, dlviz_image_reader_create(out));
        else
            drop_image_reader();
        break;
    case 6:
        set_image_reader();
        break;
    case 7:
    case 8:
        read_dataset();
        break;
    case 9:
        use_npz();
        break;
    default:
        use_safetensors();
    }
}
