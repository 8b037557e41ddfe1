/* support/valid_files.h - small files of every kind that the library reads, for tests that damage them. */
#ifndef DLZ_TESTS_VALID_FILES_H
#define DLZ_TESTS_VALID_FILES_H

#include "support/support.h"

typedef struct sample {
    unsigned char *bytes;
    size_t size;
} sample;

enum { MOST_SAMPLES = 16 };
typedef struct samples {
    sample all[MOST_SAMPLES];
    int count;
} samples;

/* Takes the bytes over; they are never freed. */
void keep_sample(samples *to, void *bytes, size_t size);
void make_networks(samples *to);
void make_safetensors(samples *to);
void make_pcas(samples *to);
/* The networks' descriptions as JSON. */
void make_architectures(samples *to);
void make_tsnes(samples *to);
void make_films(samples *to);
void make_npys(samples *to);
/* Images, plain and compressed. */
void make_idxs(samples *to);
void make_npzs(samples *to);
void make_csvs(samples *to);
/* A file of CIFAR-10. */
void make_cifars(samples *to);
/* Images of many kinds, in builds with libpng and libjpeg. */
void make_pngs(samples *to);
void make_jpegs(samples *to);
void make_pages(samples *to);

/* The first of the networks, filled by another seed. */
dlviz_network *small_network(uint64_t seed);

#endif
