/* support/readers.h - every function that reads what others may have written, with valid files for it. */
#ifndef DLZ_TESTS_READERS_H
#define DLZ_TESTS_READERS_H

#include "support/valid_files.h"

typedef struct reader {
    const char *name;
    void (*make)(samples *to);
    const char *file; /* what the file has to be called, where that counts; NULL: anything */
    bool has_json;
    /* Reads the file, takes all that it has, and drops it again. */
    dlviz_status (*read)(const char *path, const void *bytes, size_t size);
} reader;

/* Ends with one without a name. */
extern const reader all_readers[];

/* Writes a file where the reader expects it. The name is good until the next call. */
const char *place_file(const reader *of, const void *bytes, size_t size);
/* Makes what readers fill, a network and a trainer: to be called before anything is counted. */
void prepare_readers(void);

#endif
