/* Tensors by name, and NumPy's arrays, in memory and in files. */
#include "support/loaders.h"
#include "support/parts.h"
#include "support/zip.h"

#include <stdlib.h>
#include <string.h>

static bool same_tensors(const dlviz_tensor *a, const dlviz_tensor *b) {
    size_t size = (size_t)dlviz_tensor_num_elements(a) * dlviz_dtype_size(dlviz_tensor_dtype(a));
    return dlviz_tensor_dtype(a) == dlviz_tensor_dtype(b) &&
           dlviz_tensor_ndim(a) == dlviz_tensor_ndim(b) &&
           dlviz_tensor_num_elements(a) == dlviz_tensor_num_elements(b) &&
           (size == 0 || memcmp(dlviz_tensor_const_data(a), dlviz_tensor_const_data(b), size) == 0);
}

/* -- safetensors ---------------------------------------------------------------------------------
 */

void try_safetensors(const mutant *file) {
    dlviz_safetensors *contents, *again;
    if (!JUDGED(dlviz_safetensors_open_memory(&contents, file->bytes, file->size), contents))
        return;
    int64_t count = dlviz_safetensors_num_tensors(contents);
    for (int64_t i = 0; i < count; i++) {
        const char *name = dlviz_safetensors_tensor_name(contents, i);
        dlviz_tensor *tensor;
        require(name && dlviz_safetensors_has(contents, name), "a tensor without its name");
        JUDGED(dlviz_safetensors_get(contents, name, &tensor), tensor);
        dlviz_tensor_destroy(tensor);
    }
    dlviz_status status = dlviz_safetensors_rename(contents, "*", "module.*");
    require((status == DLVIZ_OK) == (count > 0), "it is not renamed");
    status = dlviz_safetensors_remove(contents, "*.bias");
    require(status == DLVIZ_OK || status == DLVIZ_ERROR_NOT_FOUND, "nothing is removed");
    void *bytes;
    size_t size;
    must(dlviz_safetensors_save_memory(contents, &bytes, &size), "it is not saved");
    must(dlviz_safetensors_open_memory(&again, bytes, size), "what was saved is not opened");
    require(dlviz_safetensors_num_tensors(again) == dlviz_safetensors_num_tensors(contents),
            "tensors are lost");
    dlviz_free(bytes);
    dlviz_safetensors_destroy(again);
    dlviz_safetensors_destroy(contents);
}

/* A file gives what its bytes in memory give. */
void try_safetensors_file(const mutant *file) {
    dlviz_safetensors *contents, *same;
    const char *path = scratch_path("tried.safetensors");
    write_file(path, file->bytes, file->size);
    bool taken = JUDGED(dlviz_safetensors_open(&contents, path), contents);
    dlviz_status status = judged_status;
    JUDGED(dlviz_safetensors_open_memory(&same, file->bytes, file->size), same);
    require(judged_status == status, "a file is '%s', and its bytes '%s'",
            dlviz_status_name(status), dlviz_status_name(judged_status));
    if (taken) {
        void *bytes[2];
        size_t sizes[2];
        must(dlviz_safetensors_save_memory(contents, &bytes[0], &sizes[0]), "it is not saved");
        must(dlviz_safetensors_save_memory(same, &bytes[1], &sizes[1]), "it is not saved");
        require(sizes[0] == sizes[1] && memcmp(bytes[0], bytes[1], sizes[0]) == 0,
                "a file has other tensors than its bytes");
        dlviz_free(bytes[0]);
        dlviz_free(bytes[1]);
    }
    dlviz_safetensors_destroy(contents);
    dlviz_safetensors_destroy(same);
}

/* -- .npy ----------------------------------------------------------------------------------------
 */

void try_npy(const mutant *file) {
    dlviz_tensor *tensor, *again, *offsets;
    if (JUDGED(dlviz_tensor_read_npy_memory(&tensor, file->bytes, file->size), tensor)) {
        void *bytes;
        size_t size;
        must(dlviz_tensor_write_npy_memory(tensor, &bytes, &size), "what was read is not written");
        must(dlviz_tensor_read_npy_memory(&again, bytes, size), "what was written is not read");
        require(same_tensors(again, tensor), "what was written is something else");
        dlviz_free(bytes);
        dlviz_tensor_destroy(again);
    }
    dlviz_tensor_destroy(tensor);
    JUDGED(dlviz_tensor_read_npy_shifted_memory(&tensor, file->bytes, file->size, &offsets),
           tensor);
    require((tensor != NULL) == (offsets != NULL), "offsets without numbers, or the reverse");
    dlviz_tensor_destroy(tensor);
    dlviz_tensor_destroy(offsets);
}

/* A file gives what its bytes give; mapped, if it can be, too, and then its rows are used. */
void try_npy_file(const mutant *file) {
    dlviz_tensor *tensor, *same, *mapped, *offsets;
    dlviz_dataset *dataset;
    const char *path = scratch_path("tried.npy");
    write_file(path, file->bytes, file->size);
    bool taken = JUDGED(dlviz_tensor_read_npy(&tensor, path), tensor);
    JUDGED(dlviz_tensor_read_npy_memory(&same, file->bytes, file->size), same);
    require(taken ? same && same_tensors(tensor, same) : !same, "a file is not what its bytes are");
    if (JUDGED(dlviz_tensor_map_npy(&mapped, path), mapped)) {
        require(tensor && same_tensors(tensor, mapped), "a mapped file is not what is read of it");
        if (dlviz_dataset_create(&dataset, mapped, NULL) == DLVIZ_OK)
            use_dataset(dataset);
        dlviz_dataset_destroy(dataset);
    }
    dlviz_tensor_destroy(mapped);
    dlviz_tensor_destroy(same);
    dlviz_tensor_destroy(tensor);
    JUDGED(dlviz_tensor_read_npy_shifted(&tensor, path, &offsets), tensor);
    dlviz_tensor_destroy(tensor);
    dlviz_tensor_destroy(offsets);
}

/* -- .npz ----------------------------------------------------------------------------------------
 */

static void use_npz(const unsigned char *bytes, size_t size) {
    dlviz_npz *npz;
    if (!JUDGED(dlviz_npz_open_memory(&npz, bytes, size), npz))
        return;
    for (int64_t i = 0; i < dlviz_npz_num_arrays(npz); i++) {
        const char *name = dlviz_npz_array_name(npz, i);
        dlviz_tensor *tensor, *offsets;
        require(name != NULL, "an array without its name");
        JUDGED(dlviz_npz_read(npz, name, &tensor), tensor);
        dlviz_tensor_destroy(tensor);
        JUDGED(dlviz_npz_read_shifted(npz, name, &tensor, &offsets), tensor);
        require((tensor != NULL) == (offsets != NULL), "offsets without numbers, or the reverse");
        dlviz_tensor_destroy(tensor);
        dlviz_tensor_destroy(offsets);
    }
    dlviz_npz_destroy(npz);
}

void try_npz(const mutant *file) {
    use_npz(file->bytes, file->size);
}

/* Two arrays, which are zipped when they are tried: so that damage lies behind the checksums. */
void make_unzipped(samples *to) {
    static const struct {
        const char *samples, *targets;
        int sample_size, target_size;
    } arrays[] = {
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }",
         "{'descr': '<i8', 'fortran_order': False, 'shape': (3,), }", 24, 24},
        {"{'descr': '|u1', 'fortran_order': True, 'shape': (2, 1, 3, 3), }",
         "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 1), }", 18, 2},
        {"{'descr': '>f8', 'fortran_order': False, 'shape': (2, 2), }",
         "{'descr': '<f2', 'fortran_order': False, 'shape': (2, 3), }", 32, 12},
    };
    static const unsigned char elements[32] = {0};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
        unsigned char first[256], second[256];
        size_t size = make_npy_bytes(first, arrays[i].samples, elements,
                                     (size_t)arrays[i].sample_size),
               other = make_npy_bytes(second, arrays[i].targets, elements,
                                      (size_t)arrays[i].target_size);
        keep_parts(to, first, size, second, other);
    }
}

void try_unzipped(const mutant *file) {
    parts two = split_parts(file);
    zip *archive = calloc(1, sizeof *archive);
    if (!archive)
        abort();
    zip_add(archive, "x.npy", two.first, two.first_size, ZIP_STORED, (zip_lies){0});
    zip_add(archive, "y.npy", two.second, two.second_size, ZIP_DEFLATED, (zip_lies){0});
    zip_end(archive, "");
    dlz_random random = dlz_random_start(file->size, 0);
    mutant packed = copy_bytes(&random, archive->bytes, archive->size);
    free(archive);
    use_npz(packed.bytes, packed.size);
    dlviz_dataset *dataset;
    dlviz_status status =
        dlviz_dataset_read_npz_memory(&dataset, packed.bytes, packed.size, "x", "y");
    require((dataset != NULL) == (status == DLVIZ_OK), "a dataset, and '%s'",
            dlviz_status_name(status));
    require(status != DLVIZ_ERROR_OUT_OF_MEMORY, "it takes too much memory");
    use_dataset(dataset);
    dlviz_dataset_destroy(dataset);
    free(packed.block);
}
