/* tensor/shape.h - the shape of one sample, and what layers require of it. */
#ifndef DLZ_SHAPE_H
#define DLZ_SHAPE_H

#include <dlviz/status.h>

/* 3 dimensions (channels, height, width), or 1. */
typedef struct dlz_shape {
    int ndim;
    int64_t dims[3];
} dlz_shape;

int64_t dlz_shape_size(const dlz_shape *shape);
bool dlz_shapes_equal(const dlz_shape *a, const dlz_shape *b);

/* Fails unless the input has three dimensions. */
dlviz_status dlz_require_image(const dlz_shape *in);
/* Fails with a sentence that says what is needed and names both shapes: input 0's and input i's. */
dlviz_status dlz_fail_shapes(const char *needed, const dlz_shape *first, int i,
                             const dlz_shape *other);
dlviz_status dlz_require_equal_shapes(const dlz_shape *first, int i, const dlz_shape *other);
/* The number of places of a window sliding over one dimension; 0 when the window does not fit. */
int64_t dlz_window_count(int64_t size, int64_t kernel, int64_t stride, int64_t padding,
                         int64_t dilation);

#endif
