/* tsne/repulsion_tree.h - the repulsion by the algorithm of Barnes and Hut. */
#ifndef DLZ_REPULSION_TREE_H
#define DLZ_REPULSION_TREE_H

#include "tsne/repulsion.h"

typedef struct dlz_tree_node dlz_tree_node;

/* Keeps its memory between calls; a zeroed struct is ready. */
typedef struct dlz_tree_repulsion {
    int64_t capacity; /* points there is room for */
    int workers;
    int64_t node_capacity, nodes;
    dlz_tree_node *tree;
    uint64_t *codes, *scratch;
    int32_t *order;
    float *points; /* dimensions x padded, along the curve */
    float *lists;  /* a worker: points and cells to sum */
    double *sums;
    float *shared;    /* other ranks' sums and forces, and this one's; NULL where there are none */
    int64_t *offsets; /* ranks + 1: of theirs, in bytes */
} dlz_tree_repulsion;

dlviz_status dlz_tree_compute(dlz_tree_repulsion *tree, const dlz_repulsion_settings *settings,
                              const float *map, float *forces, double *z);
void dlz_tree_free(dlz_tree_repulsion *tree);

#endif
