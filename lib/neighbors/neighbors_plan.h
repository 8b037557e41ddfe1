/* neighbors/neighbors_plan.h - a search for neighbors, as its three parts share it: how points and
 * queries enter the products (neighbors_panels.c), which exact distances are taken of what these
 * leave open (neighbors_exact.c), and the tiles of queries (neighbors.c). */
#ifndef DLZ_NEIGHBORS_PLAN_H
#define DLZ_NEIGHBORS_PLAN_H

#include "neighbors/neighbors_bytes.h"
#include "neighbors/neighbors_clusters.h"
#include "neighbors/neighbors_ties.h"

typedef struct dlz_knn_plan dlz_knn_plan;

/* What a worker works in. */
typedef struct dlz_knn_workspace {
    const dlz_knn_plan *plan;
    /* groups of a tile x d x DLZ_KNN_GROUP: queries as given, and about an origin */
    float *given, *groups;
    int32_t *byte_groups;  /* groups x words x DLZ_KNN_GROUP */
    int8_t *rounded;       /* DLZ_KNN_BLOCK x 4 words */
    double *turned;        /* dlz_knn_frame_scratch */
    uint64_t *entries;     /* DLZ_KNN_TILE x capacity */
    dlz_knn_found *best;   /* DLZ_KNN_TILE x keep */
    dlz_knn_found *merged; /* capacity + keep, as are the next two */
    dlz_knn_found *equal;  /* those whose distances are the same float */
    uint64_t *order;
    uint64_t *scratch;
    int64_t measured; /* distances */
    bool failed;      /* a squared distance is beyond float32 */
} dlz_knn_workspace;

struct dlz_knn_plan {
    dlviz_comm *comm; /* that shares the work, or NULL */
    const dlz_knn_kernel *kernel;
    const float *points, *queries; /* distinct points */
    int64_t n, m, d, panels;
    int keep, capacity;
    dlz_knn_ties ties;
    const dlz_knn_clusters *clusters; /* NULL: all points are looked at */
    /* Points and queries enter the products as scale (x - origin), with an origin for each cluster,
     * amid its points, so that products of near points cancel little. */
    float *origins, *packed, *half_norms; /* packed: panels x d x DLZ_KNN_PANEL */
    float scale;
    /* Or they enter as bytes, all about one origin, where that decides nearly as much. */
    bool bytes;
    dlz_knn_frame frame;
    uint8_t *byte_panels; /* panels x words x DLZ_KNN_PANEL x 4 */
    int32_t *byte_norms;
    double *byte_errors; /* a cluster: the largest error of a point */
    double byte_error;   /* the largest */
    dlz_knn_workspace *workspaces;
    int workers;
    int64_t measured; /* exact distances */
    int32_t *indices;
    float *distances;
};

/* The point in a place of the packed panels, n or more for none. */
static inline int64_t dlz_knn_point_at(const dlz_knn_plan *s, int64_t slot) {
    return s->clusters ? s->clusters->points[slot] : slot;
}

static inline int64_t dlz_knn_cluster_count(const dlz_knn_plan *s) {
    return s->clusters ? s->clusters->count : 1;
}

static inline int64_t dlz_knn_first_panel(const dlz_knn_plan *s, int64_t cluster) {
    return s->clusters ? s->clusters->first_panel[cluster] : cluster * s->panels;
}

/* ---- How points enter the products ----------------------------------------------------------- */

/* Finds the scale, a power of two that keeps squares of all differences in the middle of float's
 * range: neither do the largest overflow, nor those of data of any usual scale vanish. This and
 * what else ranks share below fails on all of them or on none. */
dlviz_status dlz_knn_plan_find_scale(dlz_knn_plan *s);
/* Decides whether rounding is small enough beside the distances of neighbors. */
dlviz_status dlz_knn_plan_choose_bytes(dlz_knn_plan *s);
/* Lay out all points; as bytes, which ranks share, they need the workspaces. */
dlviz_status dlz_knn_plan_prepare_bytes(dlz_knn_plan *s);
dlviz_status dlz_knn_plan_prepare_floats(dlz_knn_plan *s);

/* The queries of a tile, rounded. */
void dlz_knn_round_queries(const dlz_knn_plan *s, dlz_knn_workspace *w, dlz_knn_buffer *buffers);
/* Compares the points of a cluster with a tile's first `used` groups of queries. */
void dlz_knn_scan_cluster(const dlz_knn_plan *s, dlz_knn_workspace *w, int64_t cluster,
                          int64_t used, dlz_knn_buffer *buffers);

/* ---- Exact distances ------------------------------------------------------------------------- */

/* As dlz_knn_buffer's settle; context is a workspace. */
void dlz_knn_settle(dlz_knn_buffer *buffer, void *context);

#endif
