/* tensor/safetensors.h - the inside of a safetensors file, shared by what reads its header and what
 * uses it. */
#ifndef DLZ_SAFETENSORS_H
#define DLZ_SAFETENSORS_H

#include "tensor/element.h"
#include <dlviz/safetensors.h>

enum { DLZ_SAFETENSORS_LENGTH = 8 /* bytes of the header's length */ };
#define DLZ_SAFETENSORS_MAX_HEADER INT64_C(100000000)

typedef struct dlz_safetensors_entry {
    char *name;
    dlz_element element;
    int ndim;
    int64_t dims[DLVIZ_MAX_DIMS], size;
    size_t bytes, begin;       /* begin: offset in the file's data */
    const unsigned char *data; /* little-endian; in the file's block, or `own` */
    void *own;
} dlz_safetensors_entry;

typedef struct dlz_safetensors_pair {
    char *key, *value;
} dlz_safetensors_pair;

struct dlviz_safetensors {
    dlz_safetensors_entry *entries;
    dlz_safetensors_pair *pairs;
    size_t count, room, pair_count, pair_room;
    void *block; /* the file, when there was one */
};

/* The dtype's name in the header. */
const char *dlz_safetensors_dtype(dlz_element element);

/* New last entries, all zero; NULL when out of memory. */
dlz_safetensors_entry *dlz_safetensors_grow(dlviz_safetensors *contents);
dlz_safetensors_pair *dlz_safetensors_grow_pairs(dlviz_safetensors *contents);

/* Fills empty contents from the bytes of a file, in the order of the file. Entries point into the
 * bytes. */
dlviz_status dlz_safetensors_parse(dlviz_safetensors *contents, const unsigned char *bytes,
                                   size_t size);

#endif
