/* neighbors/neighbors_clusters.h - what neighbors.c needs to know of clusters to look only at the
 * near ones. */
#ifndef DLZ_NEIGHBORS_CLUSTERS_H
#define DLZ_NEIGHBORS_CLUSTERS_H

#include "neighbors/equal_rows.h"
#include "neighbors/neighbors.h"

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
    double reach;     /* how far the last neighbor is of a point amid the others; 0 when unknown */
    int64_t tile_count;
    dlz_knn_tile *tiles;
} dlz_knn_clusters;

/* What to look for once it is known which of the points, n x d, are equal. */
typedef struct dlz_knn_job {
    dlviz_comm *comm; /* of ranks that share the work; NULL: one process alone */
    const float *points;
    int64_t d;
    int k;
    const dlz_equal_rows *rows;
    const dlz_knn_clusters *clusters; /* of the distinct points; NULL: all points are looked at */
    const uint64_t *tie_seed;         /* ties are drawn from it; NULL: the lowest indices come in */
    int64_t *measured;                /* NULL, or receives how many exact distances it took */
} dlz_knn_job;

/* dlz_knn_query among points that are known to be distinct. */
dlviz_status dlz_knn_query_distinct(dlviz_comm *comm, const float *points, int64_t n,
                                    const float *queries, int64_t m, int64_t d, int k,
                                    int32_t *indices, float *squared_distances);

/* As dlz_knn_exact, among the points of the clusters that each visits. 1 <= k < n. */
dlviz_status dlz_knn_in_clusters(const dlz_knn_job *job, int32_t *indices,
                                 float *squared_distances);

#endif
