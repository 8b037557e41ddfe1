/* Datasets of NumPy's archives. */
#include "base/base.h"
#include "base/reading.h"
#include "data/dataset.h"
#include "tensor/npz.h"
#include "tensor/tensor.h"
#include <dlviz/dataset_files.h>
#include <dlviz/npz.h>

/* Labels of n x 1 become n. */
static dlviz_status flatten_labels(dlviz_tensor **targets) {
    const dlviz_tensor *given = *targets;
    if (!given || given->dtype == DLVIZ_FLOAT32 || given->ndim != 2 || given->dims[1] != 1)
        return DLVIZ_OK;
    dlviz_tensor *flat;
    DLZ_TRY(dlviz_tensor_reshape(given, 1, given->dims, &flat));
    dlviz_tensor_destroy(*targets);
    *targets = flat;
    return DLVIZ_OK;
}

/* Makes the dataset, and closes the archive. */
static dlviz_status read_arrays(dlviz_dataset **out, const char *who, dlviz_npz *npz,
                                const char *samples_name, const char *targets_name) {
    dlviz_tensor *samples = NULL, *targets = NULL;
    dlviz_status status = dlz_npz_read_samples(npz, samples_name, &samples);
    if (status == DLVIZ_OK && targets_name)
        status = dlviz_npz_read(npz, targets_name, &targets);
    dlviz_npz_destroy(npz);
    if (status == DLVIZ_OK)
        status = flatten_labels(&targets);
    if (status == DLVIZ_OK)
        status = dlz_dataset_create(out, who, samples, targets);
    dlviz_tensor_destroy(samples);
    dlviz_tensor_destroy(targets);
    return status;
}

dlviz_status dlviz_dataset_read_npz(dlviz_dataset **out, const char *path, const char *samples_name,
                                    const char *targets_name) {
    DLZ_READING(path);
    DLZ_REQUIRE_OUT(out);
    DLZ_REQUIRE(path);
    DLZ_REQUIRE(samples_name);
    dlviz_npz *npz;
    DLZ_TRY(dlviz_npz_open(&npz, path));
    dlviz_status status = read_arrays(out, __func__, npz, samples_name, targets_name);
    return status == DLVIZ_OK ? status : dlz_fail_within(status, "cannot read '%s'", path);
}

dlviz_status dlviz_dataset_read_npz_memory(dlviz_dataset **out, const void *bytes, size_t size,
                                           const char *samples_name, const char *targets_name) {
    DLZ_READING(NULL);
    DLZ_REQUIRE_OUT(out);
    DLZ_REQUIRE(bytes);
    DLZ_REQUIRE(samples_name);
    dlviz_npz *npz;
    DLZ_TRY(dlviz_npz_open_memory(&npz, bytes, size));
    return read_arrays(out, __func__, npz, samples_name, targets_name);
}
