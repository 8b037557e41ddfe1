/* neighbors/neighbors_bytes.h - points rounded to bytes, for kernels/embed/knn_bytes.h. */
#ifndef DLZ_NEIGHBORS_BYTES_H
#define DLZ_NEIGHBORS_BYTES_H

#include "kernels/embed/knn_bytes.h"

#include <dlviz/comm.h>

#define DLZ_KNN_BLOCK 16 /* points rounded together */

/* What the points are rounded in: whole steps, up to 127, about an origin, of coordinates that may
 * have been turned. Where few coordinates are much wider than the others, as principal components
 * are, a turn makes all alike, and steps shorter. */
typedef struct dlz_knn_frame {
    int64_t d, words;   /* words: of four bytes, a point */
    int stages;         /* of the turn; 0: none */
    int32_t *pairs;     /* stages x d: coordinates that a stage turns by 45 degrees, two by two */
    const float *start; /* a point, which is subtracted first */
    double *origin;     /* d: subtracted afterwards */
    double step;        /* 0 when the points have no extent */
} dlz_knn_frame;

/* Finds a frame that reaches all points; they stay the caller's, and are needed as long. Ranks
 * share the work, and fail together. */
dlviz_status dlz_knn_frame_find(dlviz_comm *comm, dlz_knn_frame *frame, const float *points,
                                int64_t n, int64_t d);
void dlz_knn_frame_free(dlz_knn_frame *frame);
/* An error that rounding hardly exceeds, as a distance. */
double dlz_knn_frame_error(const dlz_knn_frame *frame);

/* How many doubles dlz_knn_frame_round needs to work in. */
int64_t dlz_knn_frame_scratch(const dlz_knn_frame *frame);
/* Rounds points; NULL ones become zeros. rounded is DLZ_KNN_BLOCK x 4 words; errors are the
 * distances of the points from what they are rounded to. */
void dlz_knn_frame_round(const dlz_knn_frame *frame, const float *const points[DLZ_KNN_BLOCK],
                         double *scratch, int8_t *rounded, double errors[DLZ_KNN_BLOCK]);

/* Writes a rounded point into a column of a panel. Returns half its squared norm; of no point
 * (NULL) DLZ_KNN_BYTES_MOST, which is its product with any query then. */
int32_t dlz_knn_frame_pack(const dlz_knn_frame *frame, const int8_t *rounded, int64_t column,
                           uint8_t *panel);
/* Writes a rounded query into a place of a group. Returns the base of its products. */
double dlz_knn_frame_query(const dlz_knn_frame *frame, const int8_t *rounded, int64_t place,
                           int32_t *group);

#endif
