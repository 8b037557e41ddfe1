/* support/mutations.h - valid files changed at random: bytes, and for safetensors files the JSON of the
 * header and of the metadata in it, so that what lies behind their first checks is reached. Whatever is
 * not as its kind should be is changed as bytes. */
#ifndef DLZ_TESTS_MUTATIONS_H
#define DLZ_TESTS_MUTATIONS_H

#include "base/random.h"

#include <stddef.h>

/* The bytes end where the block ends and begin at any alignment, so that AddressSanitizer sees every
 * read beyond them. */
typedef struct mutant {
    unsigned char *bytes;
    size_t size;
    void *block; /* free() */
} mutant;

/* Some bytes set, flipped, inserted, deleted, copied elsewhere, or the file cut short or too long. */
mutant mutate_bytes(dlz_random *random, const unsigned char *bytes, size_t size);
/* The same, and then mostly with checksums as a PNG's chunks need them. */
mutant mutate_png(dlz_random *random, const unsigned char *bytes, size_t size);
void mend_png_checksums(unsigned char *bytes, size_t size);
/* Values of the header's JSON, or of the JSON in its metadata, replaced, taken out, doubled, exchanged or
 * nested deeply; mostly without checksums, which would find everything. */
mutant mutate_safetensors(dlz_random *random, const unsigned char *bytes, size_t size);
/* The same of a text that is JSON. */
mutant mutate_json(dlz_random *random, const unsigned char *bytes, size_t size);
/* The same of a page of dlviz_report_write: its JSON, the numbers in it, the picture's bytes, these with
 * checksums that fit. */
mutant mutate_page(dlz_random *random, const unsigned char *bytes, size_t size);
/* Unchanged. */
mutant copy_bytes(dlz_random *random, const unsigned char *bytes, size_t size);

#endif
