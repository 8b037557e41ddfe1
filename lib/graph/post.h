/* graph/post.h - the operation that follows others: batch norm, activation, 2 x 2 max pool and
 * dropout, any of them, in one pass over memory. */
#ifndef DLZ_GRAPH_POST_H
#define DLZ_GRAPH_POST_H

#include "graph/op.h"

/* What the layers that are its stages say of it (dlz_layer_type.join); what is planned is its own.
 */
struct dlz_post_op {
    bool has_batchnorm, relu, pool, dropout;
    const struct dlz_activation *activation; /* another than relu, or NULL */
    bool pending; /* writes nothing: leaves scale, shift and relu on its output */
    dlz_batchnorm_state batchnorm;
    double p; /* of the dropout */
    uint64_t stream;
    /* planned */
    float *mean, *scale, *shift, *a, *b, *d;
    float *reach;   /* on the way back: dlz_post.reach, 1 where deviations need none */
    float *ones;    /* channels of them, and as many zeros; with an activation and a dropout */
    double *sums;   /* a block a tile: moments on the way forward, sums on the way back */
    double *parts;  /* the same of each part of the batch whose tiles are summed up by themselves */
    double *total;  /* the same of the batch */
    int64_t images; /* of a tile */
    uint8_t *codes;
    int64_t tiles;
};

extern const dlz_op_type dlz_post_op_type;

#endif
