/* tensor/pages.h - what passes over the rows of a mapped file do for its pages.
 *
 * A pass tells of each piece of work before it reads its rows. Pages some way ahead are then asked
 * for, so that the disk reads while the pass computes, and pages some way behind are let go: however
 * large the file is, a pass holds but a few megabytes of it for each of its threads. Small files,
 * and tensors that are no mapped file's or may have been written to, are left alone. */
#ifndef DLZ_PAGES_H
#define DLZ_PAGES_H

#include "tensor/tensor.h"

/* Files smaller than this may stay in memory whole. */
#define DLZ_PAGES_LEAST ((size_t)128 << 20)

typedef struct dlz_pages {
    unsigned char *data; /* NULL: nothing is to be done */
    size_t size, row;    /* bytes */
} dlz_pages;

/* The pages of a tensor's rows: entries of its first dimension. */
dlz_pages dlz_pages_of(const dlviz_tensor *tensor);
/* These rows are about to be read. */
void dlz_pages_read(const dlz_pages *pages, int64_t first, int64_t count);
/* These have been read, and more than a few: another piece of work may go on elsewhere. */
void dlz_pages_done(const dlz_pages *pages, int64_t first, int64_t count);
/* The pass is over. */
void dlz_pages_release(const dlz_pages *pages);

#endif
