/* support/zip.h - zip archives made byte by byte, right or wrong as a test wants them. */
#ifndef DLZ_TESTS_ZIP_H
#define DLZ_TESTS_ZIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ZIP_ROOM = 1 << 17, ZIP_STORED = 0, ZIP_DEFLATED = 8 };

/* All zero at first. */
typedef struct zip {
    unsigned char bytes[ZIP_ROOM], directory[ZIP_ROOM];
    size_t size, directory_size;
    int count;
} zip;

/* What an entry says of itself; what is 0 is what is true. */
typedef struct zip_lies {
    uint32_t checksum, packed, unpacked, start;
    int flags, method;
    const char *local_name;
    bool omits_end; /* of the compressed data: its last byte is missing */
} zip_lies;

/* Adds an entry with its line in the directory. */
void zip_add(zip *archive, const char *name, const void *data, size_t size, int method,
             zip_lies lies);
/* Appends the directory and the end, with a comment. Then `bytes` is an archive of `size`. */
void zip_end(zip *archive, const char *comment);

/* A .npy file of version 1.0 with this header's text, and elements. Returns its size. */
size_t make_npy_bytes(unsigned char *to, const char *header, const void *elements, size_t size);

#endif
