/* tensor/safetensors.h - the inside of a safetensors file, shared by what reads its header and what
 * uses it. */
#ifndef DLZ_SAFETENSORS_H
#define DLZ_SAFETENSORS_H

#include "base/arena.h"
#include "base/names.h"
#include "tensor/element.h"
#include <dlviz/safetensors.h>

#include <jansson.h>

struct dlz_file;

enum { DLZ_SAFETENSORS_LENGTH = 8 /* bytes of the header's length */ };
#define DLZ_SAFETENSORS_MAX_HEADER INT64_C(100000000)

/* A header of 100 MB has up to two million of them, of which each takes little memory. */
typedef struct dlz_safetensors_entry {
    char *name; /* of the contents' arena, or `own_name` */
    dlz_element element;
    int ndim;
    const int64_t *dims; /* of the arena */
    int64_t size;
    size_t begin;              /* offset in the file's data */
    const unsigned char *data; /* little-endian; in the file's block, or `own` */
    void *own;
    bool own_name;
} dlz_safetensors_entry;

typedef struct dlz_safetensors_pair {
    char *key, *value;
    bool own_key, own_value; /* blocks of dlz_alloc; otherwise the arena's */
} dlz_safetensors_pair;

struct dlviz_safetensors {
    dlz_safetensors_entry *entries;
    dlz_names *names; /* of the entries */
    dlz_arena arena;
    dlz_safetensors_pair *pairs;
    dlz_names *keys; /* of the pairs */
    size_t count, room, pair_count, pair_room;
    void *block; /* the file, when there was one */
    char *path;  /* and its name; NULL where it was in memory */
};

/* What the metadata are called among the tensors of a header, and so no tensor can be. */
#define DLZ_SAFETENSORS_METADATA "__metadata__"
/* The metadata with checksums, which hold for the tensors as a file had them. */
#define DLZ_SAFETENSORS_CHECKSUMS "dlviz.crc32"
/* The metadata with the description of a network. */
#define DLZ_NETWORK_KEY "dlviz.network"

/* The dtype's name in the header. */
const char *dlz_safetensors_dtype(dlz_element element);

/* Makes room for so many entries. */
dlviz_status dlz_safetensors_expect(dlviz_safetensors *contents, size_t count);
/* A new last entry, all zero; NULL when out of memory. */
dlz_safetensors_entry *dlz_safetensors_grow(dlviz_safetensors *contents);
/* Makes room for so many metadata. */
dlviz_status dlz_safetensors_expect_pairs(dlviz_safetensors *contents, size_t count);
/* Adds to the metadata what is not there yet; false when out of memory. */
bool dlz_safetensors_add_pair(dlviz_safetensors *contents, const dlz_safetensors_pair *pair);

/* The bytes of a tensor's elements. */
static inline size_t dlz_safetensors_bytes(const dlz_safetensors_entry *entry) {
    return (size_t)entry->size * dlz_element_size(entry->element);
}

/* The tensor of this name, or NULL. */
const dlz_safetensors_entry *dlz_safetensors_find(const dlviz_safetensors *contents,
                                                  const char *name);

/* Fills empty contents from the bytes of a file, in the order of the file. Entries point into the
 * bytes. */
dlviz_status dlz_safetensors_parse(dlviz_safetensors *contents, const unsigned char *bytes,
                                   size_t size);

/* As dlviz_safetensors_open_memory, for the public function `who`; entries point into the bytes, which
 * are not copied and must outlive the contents. */
dlviz_status dlz_safetensors_view(dlviz_safetensors **out, const char *who, const void *bytes,
                                  size_t size);

/* Takes a pair out of the metadata, if it is there. */
void dlz_safetensors_remove_metadata(dlviz_safetensors *contents, const char *key);

/* As dlviz_safetensors_save, up to where the new file is whole and on the disk: dlz_file_commit then puts
 * it in the place of the old one. */
dlviz_status dlz_safetensors_prepare(const dlviz_safetensors *contents, const char *path,
                                     struct dlz_file **out);

/* -- safetensors_json.c ------------------------------------------------------------------------ */

/* A value as text (dlz_free); NULL when out of memory, or for NULL. Jansson's own json_dumps leaves keys
 * out where it lacks memory for them and says nothing, and its text is for whoever may have replaced
 * its allocator to free. */
char *dlz_json_text(const json_t *value, size_t flags);
/* Sets metadata to a JSON object, whose reference it takes; NULL means that there was no memory
 * for it. */
dlviz_status dlz_safetensors_set_json(dlviz_safetensors *contents, const char *key, json_t *value);
/* Fails with DLVIZ_ERROR_FORMAT when there is no such metadata or it is no JSON object. */
dlviz_status dlz_safetensors_get_json(const dlviz_safetensors *contents, const char *key,
                                      json_t **value);
/* Compares settings by name and fails with DLVIZ_ERROR_FORMAT at the first that differs: "<what>:
 * <name> is <value> in the file and <value> here". The one named may_differ (or NULL) is let pass;
 * `file` need not be an object. */
dlviz_status dlz_settings_compare(const char *what, json_t *file, json_t *here,
                                  const char *may_differ);

/* -- safetensors_checksum.c -------------------------------------------------------------------- */

/* Notes a checksum of each tensor in the metadata; the contents are then ready to be written. */
dlviz_status dlz_safetensors_add_checksums(dlviz_safetensors *contents);
/* Fails with DLVIZ_ERROR_FORMAT, naming the tensor, where one differs from its checksum; contents
 * without checksums pass. */
dlviz_status dlz_safetensors_verify(const dlviz_safetensors *contents);

#endif
