#include "data/dataset.h"
#include "base/base.h"
#include "base/file.h"
#include "base/reading.h"

#include <dlviz/dataset_files.h>
#include <string.h>

enum { CLASSES = 10 };

/* The first name under which the file exists; the caller frees it. */
static dlviz_status find_file(const char *folder, const char *name, int rank, char **found) {
    for (int form = 0; form < 4; form++) {
        *found = dlz_format("%s/%s%cidx%d-ubyte%s", folder, name, form < 2 ? '-' : '.', rank,
                            form % 2 ? ".gz" : "");
        if (!*found)
            return dlz_fail_memory("a file name", strlen(folder) + 64);
        bool exists;
        dlviz_status status = dlz_file_find(*found, &exists);
        if (status == DLVIZ_OK && exists)
            return DLVIZ_OK;
        dlz_free(*found);
        *found = NULL;
        DLZ_TRY(status);
    }
    dlviz_status status = dlz_folder_check(folder);
    if (status != DLVIZ_OK)
        return dlz_fail_within(status, "no %s-idx%d-ubyte", name, rank);
    return dlz_fail(DLVIZ_ERROR_NOT_FOUND,
                    "no %s-idx%d-ubyte or %s.idx%d-ubyte, plain or with .gz, in the folder '%s'",
                    name, rank, name, rank, folder);
}

static dlviz_status check_labels(const dlviz_dataset *dataset, const char *path) {
    const int64_t *labels = dlviz_tensor_const_data(dlviz_dataset_labels(dataset));
    for (int64_t i = 0; i < dataset->num_samples; i++)
        if (labels[i] >= CLASSES)
            return dlz_fail(DLVIZ_ERROR_FORMAT, "label %lld of '%s' is %lld; 0 to %d are accepted",
                            (long long)i, path, (long long)labels[i], CLASSES - 1);
    return DLVIZ_OK;
}

dlviz_status dlviz_dataset_read_mnist(dlviz_dataset **out, const char *folder,
                                      dlviz_dataset_part part) {
    DLZ_READING(folder);
    DLZ_REQUIRE_OUT(out);
    DLZ_REQUIRE(folder);
    if (part != DLVIZ_DATASET_PART_TRAIN && part != DLVIZ_DATASET_PART_TEST)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: part %d is not DLVIZ_DATASET_PART_TRAIN or DLVIZ_DATASET_PART_TEST",
                        __func__, (int)part);
    bool train = part == DLVIZ_DATASET_PART_TRAIN;
    char *images = NULL, *labels = NULL;
    dlviz_dataset *dataset = NULL;
    dlviz_status status = find_file(folder, train ? "train-images" : "t10k-images", 3, &images);
    if (status == DLVIZ_OK)
        status = find_file(folder, train ? "train-labels" : "t10k-labels", 1, &labels);
    if (status == DLVIZ_OK)
        status = dlz_dataset_read_idx_regular(&dataset, __func__, images, labels);
    if (status == DLVIZ_OK)
        status = check_labels(dataset, labels);
    if (status == DLVIZ_OK)
        status = dlviz_dataset_set_num_classes(dataset, CLASSES);
    dlz_free(images);
    dlz_free(labels);
    if (status != DLVIZ_OK)
        dlviz_dataset_destroy(dataset);
    else
        *out = dataset;
    return status;
}
