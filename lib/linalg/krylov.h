/* linalg/krylov.h - the few largest eigenvalues of a large symmetric matrix that is only known by
 * what it does to vectors: randomized block Lanczos with full orthogonalization and restarts. */
#ifndef DLZ_KRYLOV_H
#define DLZ_KRYLOV_H

#include <dlviz/status.h>

/* product[count x size] = rows[count x size] A, for A symmetric and positive semidefinite. Float32
 * arithmetic is good enough unless `precise`. Must give the same bits for any number of threads. */
typedef dlviz_status (*dlz_operator_fn)(void *context, const double *rows, int64_t count,
                                        bool precise, double *product);

typedef struct dlz_krylov {
    dlz_operator_fn apply;
    void *context;
    int64_t size;     /* of A */
    int64_t wanted;   /* eigenvalues */
    int64_t extra;    /* more that are carried along, to tell where the wanted ones end */
    int64_t block;    /* rows of a product; size >= 4 block, size > wanted + extra */
    int iterations;   /* products, before one precise product; 0: until the tolerance is met */
    int limit;        /* products after which to give up; 0 iterations only */
    double tolerance; /* relative error of the eigenvalues */
    uint64_t seed;
} dlz_krylov;

/* values[wanted], falling; vectors[wanted x size], orthonormal rows. *converged: whether the
 * tolerance is met (not a failure: the best result so far is given). */
dlviz_status dlz_krylov_largest(const dlz_krylov *settings, double *values, double *vectors,
                                bool *converged);

#endif
