/* tensor/element.h - the element types that files may hold, and how they become a tensor's. */
#ifndef DLZ_ELEMENT_H
#define DLZ_ELEMENT_H

#include "base/base.h"
#include <dlviz/tensor.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
enum { DLZ_HOST_IS_BIG_ENDIAN = 1 };
#else
enum { DLZ_HOST_IS_BIG_ENDIAN = 0 };
#endif

typedef enum dlz_element {
    DLZ_ELEMENT_F64,
    DLZ_ELEMENT_F32,
    DLZ_ELEMENT_F16,
    DLZ_ELEMENT_BF16,
    DLZ_ELEMENT_BOOL,
    DLZ_ELEMENT_U8,
    DLZ_ELEMENT_I8,
    DLZ_ELEMENT_U16,
    DLZ_ELEMENT_I16,
    DLZ_ELEMENT_U32,
    DLZ_ELEMENT_I32,
    DLZ_ELEMENT_U64,
    DLZ_ELEMENT_I64,
    DLZ_ELEMENT_COUNT
} dlz_element;

/* Bytes of one in a file. */
size_t dlz_element_size(dlz_element element);
/* The dtype it is read as: float32 for real numbers, uint8 for bool and uint8, int64 for the
 * others. */
dlviz_dtype dlz_element_dtype(dlz_element element);
dlz_element dlz_element_of_dtype(dlviz_dtype dtype);

/* One float64 of a file, which needs no alignment. */
double dlz_element_double(bool big_endian, const void *from);

/* Reads `count` elements, which need no alignment, into an array of dlz_element_dtype(element).
 * Fails with DLVIZ_ERROR_NUMERIC at a value that does not fit: a finite float64 beyond float32's
 * range, a uint64 beyond int64's; with DLVIZ_ERROR_FORMAT at a bool that is neither 0 nor 1. */
dlviz_status dlz_element_decode(dlz_element element, bool big_endian, const void *from,
                                int64_t count, void *to);

/* Puts a tensor's elements in little-endian order. */
void dlz_element_encode(dlviz_dtype dtype, const void *from, int64_t count, void *to);

#endif
