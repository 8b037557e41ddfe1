/* graph/placement.h - where in one block of memory the buffers of a plan lie. */
#ifndef DLZ_GRAPH_PLACEMENT_H
#define DLZ_GRAPH_PLACEMENT_H

#include "base/base.h"

/* A buffer that is needed from time first to time last, both included, and the pointer that is to
 * be set to it. */
typedef struct dlz_request {
    void *slot;
    size_t bytes, offset;
    int first, last; /* 0 or more */
    int number;      /* in the order of asking: decides between requests that are alike */
} dlz_request;

/* Sets the offsets so that no two buffers that are needed at one time overlap: the largest first,
 * each at the lowest free place. Changes the requests' order. *total is the size of the block. The
 * time grows like n log n for n requests, unless the lifetimes leave many gaps. Fails with
 * DLVIZ_ERROR_OUT_OF_MEMORY; *total is SIZE_MAX where addresses do not reach. */
dlviz_status dlz_place(dlz_request *requests, int count, size_t *total);

#endif
