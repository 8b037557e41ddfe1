/* Datasets of IDX files, on disk or in memory. */
#include "base/reading.h"
#include "data/dataset.h"
#include "data/idx.h"
#include "tensor/tensor.h"

#include <dlviz/dataset_files.h>

/* Makes a dataset of what was read, which it frees; the names are for sentences. */
static dlviz_status finish(dlviz_dataset **out, const char *who, dlviz_status status,
                           dlviz_tensor *images, const char *images_name, dlviz_tensor *labels,
                           const char *labels_name) {
    if (status == DLVIZ_OK && labels && labels->size != images->dims[0])
        status =
            dlz_fail(DLVIZ_ERROR_FORMAT, "'%s' has %lld images, '%s' has %lld labels", images_name,
                     (long long)images->dims[0], labels_name, (long long)labels->size);
    if (status == DLVIZ_OK)
        status = dlz_dataset_create(out, who, images, labels);
    dlviz_tensor_destroy(images);
    dlviz_tensor_destroy(labels);
    return status;
}

static dlviz_status add_labels(dlviz_dataset **out, const char *who, dlviz_tensor *images,
                               const char *images_path, const char *labels_path) {
    dlviz_tensor *labels = NULL;
    dlviz_status status =
        labels_path ? dlz_idx_read(labels_path, "labels", 1, 1, &labels) : DLVIZ_OK;
    return finish(out, who, status, images, images_path, labels, labels_path);
}

dlviz_status dlz_dataset_read_idx_regular(dlviz_dataset **out, const char *who,
                                          const char *images_path, const char *labels_path) {
    dlviz_tensor *images, *labels = NULL;
    DLZ_TRY(dlz_idx_read_regular(images_path, "images", 3, 4, &images));
    dlviz_status status = dlz_idx_read_regular(labels_path, "labels", 1, 1, &labels);
    return finish(out, who, status, images, images_path, labels, labels_path);
}

dlviz_status dlviz_dataset_read_idx(dlviz_dataset **out, const char *images_path,
                                    const char *labels_path) {
    DLZ_READING(images_path);
    DLZ_REQUIRE_OUT(out);
    DLZ_REQUIRE(images_path);
    dlviz_tensor *images;
    DLZ_TRY(dlz_idx_read(images_path, "images", 3, 4, &images));
    return add_labels(out, __func__, images, images_path, labels_path);
}

dlviz_status dlviz_dataset_map_idx(dlviz_dataset **out, const char *images_path,
                                   const char *labels_path) {
    DLZ_READING(images_path);
    DLZ_REQUIRE_OUT(out);
    DLZ_REQUIRE(images_path);
    dlviz_tensor *images;
    DLZ_TRY(dlz_idx_map(images_path, "images", 3, 4, &images));
    return add_labels(out, __func__, images, images_path, labels_path);
}

dlviz_status dlviz_dataset_read_idx_memory(dlviz_dataset **out, const void *images,
                                           size_t images_size, const void *labels,
                                           size_t labels_size) {
    DLZ_READING(NULL);
    DLZ_REQUIRE_OUT(out);
    DLZ_REQUIRE(images);
    dlviz_tensor *samples, *targets = NULL;
    dlviz_status status = dlz_idx_read_memory(images, images_size, "images", 3, 4, &samples);
    if (status == DLVIZ_OK && labels)
        status = dlz_idx_read_memory(labels, labels_size, "labels", 1, 1, &targets);
    status = finish(out, __func__, status, samples, "images", targets, "labels");
    return status == DLVIZ_OK ? status : dlz_fail_within(status, "%s", __func__);
}
