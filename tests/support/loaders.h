/* support/loaders.h - everything that the library reads: valid files, what damages them, and what loads
 * them and then uses what came of it. The random cases and the fuzz targets share it.
 *
 * A new one is a function in loaders_<subject>.c and a line in loaders.c. */
#ifndef DLZ_TESTS_LOADERS_H
#define DLZ_TESTS_LOADERS_H

#include "support/judging.h"
#include "support/valid_files.h"

typedef struct loader {
    const char *name;
    void (*make)(samples *to);
    mutant (*mutate)(dlz_random *random, const unsigned char *bytes, size_t size);
    /* Loads the file and uses it; ends the program where something is not as it must be. */
    void (*attempt)(const mutant *file);
    memory_bound bound; /* of a load */
    int cases;          /* that a run of the suite has, of 100 mutations each */
    /* A dictionary of fuzz/ without .dict, and the size that inputs grow to. */
    const char *words;
    int most_bytes;
} loader;

/* The last has no name. */
extern const loader loaders[];
/* NULL where there is none. */
const loader *find_loader(const char *name);

/* Makes the valid files, and takes them all. */
void loader_start(const loader *chosen, samples *valid);
/* One attempt, of which nothing may be left. */
void loader_attempt(const loader *chosen, const mutant *file);

/* What loads and uses a file: of networks and runs; */
void try_open(const mutant *file);
void try_load(const mutant *file);
void try_partial(const mutant *file);
void try_architecture(const mutant *file);
void make_checkpoints(samples *to);
void try_checkpoint(const mutant *file);
/* of maps and pages; */
void try_pca(const mutant *file);
void try_tsne(const mutant *file);
void try_film(const mutant *file);
void try_page(const mutant *file);
/* of arrays; */
void try_safetensors(const mutant *file);
void try_safetensors_file(const mutant *file);
void try_npy(const mutant *file);
void try_npy_file(const mutant *file);
void try_npz(const mutant *file);
void make_unzipped(samples *to);
void try_unzipped(const mutant *file);
/* of datasets; */
void try_idx(const mutant *file);
void try_idx_file(const mutant *file);
void make_uncompressed_idxs(samples *to);
void try_uncompressed_idx(const mutant *file);
void make_mnists(samples *to);
void try_mnist(const mutant *file);
void try_csv(const mutant *file);
void try_cifar(const mutant *file);
void make_cifar_names(samples *to);
void try_cifar_names(const mutant *file);
/* and of images, in builds with libpng and libjpeg. */
void try_png(const mutant *file);
void try_jpeg(const mutant *file);
void make_folder_images(samples *to);
void try_folder(const mutant *file);

#endif
