/* support/fixture.h - reads .safetensors files without the library's reader, and compares with what
 * tests/parity/generate.py stored in them. */
#ifndef DLZ_TESTS_FIXTURE_H
#define DLZ_TESTS_FIXTURE_H

#include "support/support.h"

typedef struct fixture fixture;

/* A committed fixture; failing the test when there is none. */
fixture *fixture_open(const char *name);
/* Any .safetensors file. */
fixture *fixture_open_path(const char *path);
void fixture_close(fixture *file);

/* The entries in the order of the file's header. */
int fixture_count(const fixture *file);
/* "F32", "F64", "I64" or "U8", and the shape; false beyond the last entry. */
bool fixture_entry(const fixture *file, int index, const char **name, const char **dtype, int *ndim,
                   int64_t dims[8]);

/* The elements of one tensor of that many elements; its absence or another size fails the test. */
const uint8_t *fixture_bytes(const fixture *file, const char *name, int64_t count);
const float *fixture_floats(const fixture *file, const char *name, int64_t count);
const double *fixture_doubles(const fixture *file, const char *name, int64_t count);
/* Whether there is a reference of this name to compare with. */
bool fixture_has(const fixture *file, const char *name);

/* How far values are from PyTorch's float64 ones. */
typedef struct distance {
    double
        error; /* |values − reference| in the Euclidean norm, estimated when the tensor is large */
    double norm;  /* |reference| */
    double torch; /* |PyTorch's float32 result − reference| */
} distance;
distance fixture_compare(const fixture *file, const char *name, const float *values, int64_t count);

/* Whether the relative error is at most `tolerance`, or at most twice PyTorch's float32 one where
 * that is more: there, float32 arithmetic gets no nearer. A reference below `zero` in norm counts
 * as 0, and the error itself may then be as large as `zero`. Prints the figures when not, or when
 * `verbose`. */
bool is_near(const fixture *file, const char *name, const float *values, int64_t count,
             double tolerance, double zero, bool verbose);
/* is_near for a float32 tensor, which is destroyed. */
bool tensor_is_near(const fixture *file, const char *name, dlviz_tensor *tensor, double tolerance,
                    double zero, bool verbose);

#endif
