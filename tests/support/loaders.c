#include "support/loaders.h"

#include <stdlib.h>
#include <string.h>

#define KB *1024

/* Of memory, JSON takes the most: a byte may open an array. What is compressed stands for 1032 bytes each, and
 * a PNG's of one bit for 8 pixels of three channels; inflating takes a window besides,
 * and an array of NumPy's without rows may have offsets. */
/* clang-format off */
const loader loaders[] = {
    {"open", make_networks, mutate_safetensors, try_open, {64 KB, 256}, 10, "safetensors", 8 KB},
    {"load", make_networks, mutate_safetensors, try_load, {64 KB, 256}, 10, "safetensors", 8 KB},
    {"partial", make_networks, mutate_safetensors, try_partial,
     {64 KB, 256}, 10, "safetensors", 8 KB},
    {"checkpoint", make_checkpoints, mutate_safetensors, try_checkpoint,
     {64 KB, 256}, 4, "safetensors", 16 KB},
    {"architecture", make_architectures, mutate_json, try_architecture,
     {64 KB, 256}, 10, "architecture", 4 KB},
    {"pca", make_pcas, mutate_safetensors, try_pca, {64 KB, 256}, 10, "safetensors", 8 KB},
    {"tsne", make_tsnes, mutate_safetensors, try_tsne, {64 KB, 256}, 10, "safetensors", 8 KB},
    {"film", make_films, mutate_safetensors, try_film, {64 KB, 256}, 10, "safetensors", 16 KB},
    {"page", make_pages, mutate_page, try_page, {64 KB, 256}, 10, "page", 32 KB},
    {"safetensors", make_safetensors, mutate_safetensors, try_safetensors,
     {64 KB, 256}, 10, "safetensors", 8 KB},
    {"safetensors_file", make_safetensors, mutate_safetensors, try_safetensors_file,
     {64 KB, 256}, 2, "safetensors", 8 KB},
    {"npy", make_npys, mutate_bytes, try_npy, {512 KB, 64}, 10, "npy", 1 KB},
    {"npy_file", make_npys, mutate_bytes, try_npy_file, {512 KB, 64}, 2, "npy", 1 KB},
    {"npz", make_npzs, mutate_bytes, try_npz, {768 KB, 1100}, 10, "zip", 4 KB},
    {"unzipped", make_unzipped, mutate_bytes, try_unzipped, {768 KB, 64}, 4, "npy", 1 KB},
    {"idx", make_idxs, mutate_bytes, try_idx, {256 KB, 1100}, 10, "idx", 1 KB},
    {"idx_file", make_idxs, mutate_bytes, try_idx_file, {256 KB, 1100}, 2, "idx", 1 KB},
    {"uncompressed_idx", make_uncompressed_idxs, mutate_bytes, try_uncompressed_idx,
     {512 KB, 1100}, 10, "idx", 1 KB},
    {"mnist", make_mnists, mutate_bytes, try_mnist, {256 KB, 1100}, 2, "idx", 1 KB},
    {"csv", make_csvs, mutate_bytes, try_csv, {64 KB, 64}, 10, "csv", 1 KB},
    {"cifar", make_cifars, mutate_bytes, try_cifar, {256 KB, 64}, 2, "cifar", 16 KB},
    {"cifar_names", make_cifar_names, mutate_bytes, try_cifar_names,
     {256 KB, 64}, 2, "cifar", 1 KB},
#ifdef DLVIZ_TEST_IMAGES
    {"png", make_pngs, mutate_png, try_png, {256 KB, 1032 * 8 * 3}, 10, "png", 2 KB},
    {"jpeg", make_jpegs, mutate_bytes, try_jpeg, {512 KB, 512 * 3}, 10, "jpeg", 4 KB},
    {"folder", make_folder_images, mutate_png, try_folder, {512 KB, 1032 * 8 * 3}, 2, "png", 2 KB},
#endif
    {0},
};
/* clang-format on */

const loader *find_loader(const char *name) {
    for (const loader *each = loaders; each->name; each++)
        if (strcmp(each->name, name) == 0)
            return each;
    return NULL;
}

void loader_attempt(const loader *chosen, const mutant *file) {
    judge_begin(file, chosen->bound);
    chosen->attempt(file);
    judge_end();
}

void loader_start(const loader *chosen, samples *valid) {
    judge_name(chosen->name, " on a valid file");
    chosen->make(valid);
    dlz_random random = dlz_random_start(0, 0);
    for (int round = 0; round < 2; round++) /* what is made once is made in the first */
        for (int i = 0; i < valid->count; i++) {
            mutant same = copy_bytes(&random, valid->all[i].bytes, valid->all[i].size);
            judge_begin(&same, chosen->bound);
            chosen->attempt(&same);
            if (round == 1)
                judge_end();
            free(same.block);
        }
    require(judged_taken > 0, "it takes no valid file");
    judge_name(chosen->name, "");
}
