/* support/random_maps.h - random maps, affinities and points of the kinds that t-SNE meets, and of
 * those that it should not. */
#ifndef DLZ_TESTS_RANDOM_MAPS_H
#define DLZ_TESTS_RANDOM_MAPS_H

#include "support/random_cases.h"

/* Places from 1e-6 to 1e6 apart: clouds, clusters, lines; some equal, some far from all others. */
typedef struct random_map {
    int64_t n;
    int dimensions;
    double spread;
    int64_t copies, outliers;
    float *values; /* n x dimensions */
} random_map;

random_map make_random_map(dlz_random *random, int64_t most, double farthest);
void free_random_map(random_map *map);
/* For messages; valid until the next call. */
const char *describe_random_map(const random_map *map);

/* A sparse matrix without a diagonal: few columns a row; some columns in very many rows, or rows of
 * very many columns; values over many magnitudes, 0 among them. */
typedef struct random_graph {
    int64_t n, hubs;
    int64_t *offsets;
    int32_t *columns;
    float *values;
} random_graph;

random_graph make_random_graph(dlz_random *random, int64_t n);
void free_random_graph(random_graph *graph);
const char *describe_random_graph(const random_graph *graph);

/* Clusters with or without their centers, equal rows, whole numbers, constant columns, columns of
 * different magnitude. */
dlviz_tensor *make_random_points(dlz_random *random, int64_t most);

#endif
