/* embed/neighbours_clusters.h - what neighbours.c needs to know of clusters to look only at the
 * near ones. */
#ifndef DLZ_NEIGHBOURS_CLUSTERS_H
#define DLZ_NEIGHBOURS_CLUSTERS_H

#include "embed/neighbours.h"

#define DLZ_KNN_TILE 96 /* queries searched for together */

typedef struct dlz_knn_tile {
    int64_t first, count; /* places */
    int64_t cluster;
} dlz_knn_tile;

/* Points in places: cluster after cluster, each filled up to whole panels. */
typedef struct dlz_knn_clusters {
    int64_t count;
    int64_t *first_panel; /* count + 1 */
    int32_t *points;      /* the point in each place; n in those that fill up */
    int32_t *nearest; /* count x count: clusters by distance from each, itself first or near it */
    int64_t *visits;  /* how many of them each looks at */
    int64_t tile_count;
    dlz_knn_tile *tiles;
} dlz_knn_clusters;

/* As dlz_knn_exact, among the points of the clusters that each visits; among all, in their order,
 * when clusters is NULL. 1 <= k < n. */
dlviz_status dlz_knn_in_clusters(const float *points, int64_t n, int64_t d, int k,
                                 const dlz_knn_clusters *clusters, int32_t *indices,
                                 float *squared_distances);

#endif
