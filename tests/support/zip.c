#include "support/zip.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static void put(unsigned char **at, uint64_t number, int size) {
    for (int i = 0; i < size; i++)
        *(*at)++ = i < 8 ? (unsigned char)(number >> 8 * i) : 0;
}

static size_t pack(const void *data, size_t size, unsigned char *to, size_t room) {
    z_stream stream = {0};
    if (deflateInit2(&stream, 9, Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY) != Z_OK)
        abort();
    stream.next_in = (unsigned char *)(uintptr_t)data;
    stream.avail_in = (unsigned)size;
    stream.next_out = to;
    stream.avail_out = (unsigned)room;
    if (deflate(&stream, Z_FINISH) != Z_STREAM_END)
        abort();
    deflateEnd(&stream);
    return room - stream.avail_out;
}

/* Version to extract, flags, method, time and date, checksum, sizes: the same in both headers. */
static void put_facts(unsigned char **at, int flags, int method, uint32_t checksum, size_t packed,
                      size_t unpacked) {
    put(at, 20, 2);
    put(at, (uint64_t)flags, 2);
    put(at, (uint64_t)method, 2);
    put(at, 0, 4);
    put(at, checksum, 4);
    put(at, packed, 4);
    put(at, unpacked, 4);
}

void zip_add(zip *archive, const char *name, const void *data, size_t size, int method,
             zip_lies lies) {
    size_t start = archive->size, length = strlen(name);
    const char *local = lies.local_name ? lies.local_name : name;
    unsigned char *body = archive->bytes + start + 30 + strlen(local);
    size_t packed = size;
    if (method == ZIP_DEFLATED)
        packed = pack(data, size, body, ZIP_ROOM - start - 30 - strlen(local)) - lies.omits_end;
    else
        memcpy(body, data, size);
    uint32_t checksum = lies.checksum ? lies.checksum : (uint32_t)crc32_z(0, data, size);
    size_t said = lies.packed ? lies.packed : packed,
           becomes = lies.unpacked ? lies.unpacked : size;
    int how = lies.method ? lies.method : method;
    unsigned char *at = archive->bytes + start;
    put(&at, 0x04034b50, 4);
    put_facts(&at, lies.flags, how, checksum, said, becomes);
    put(&at, strlen(local), 2);
    put(&at, 0, 2);
    memcpy(at, local, strlen(local));
    archive->size = (size_t)(body - archive->bytes) + packed;
    at = archive->directory + archive->directory_size;
    put(&at, 0x02014b50, 4);
    put(&at, 20, 2);
    put_facts(&at, lies.flags, how, checksum, said, becomes);
    put(&at, length, 2);
    put(&at, 0, 2 + 2 + 2 + 2 + 4); /* no extra field, comment or attributes; the first disk */
    put(&at, lies.start ? lies.start : start, 4);
    memcpy(at, name, length);
    archive->directory_size = (size_t)(at - archive->directory) + length;
    archive->count++;
}

void zip_end(zip *archive, const char *comment) {
    size_t start = archive->size, length = strlen(comment);
    unsigned char *at = archive->bytes + start;
    memcpy(at, archive->directory, archive->directory_size);
    at += archive->directory_size;
    put(&at, 0x06054b50, 4);
    put(&at, 0, 4);
    put(&at, (uint64_t)archive->count, 2);
    put(&at, (uint64_t)archive->count, 2);
    put(&at, archive->directory_size, 4);
    put(&at, start, 4);
    put(&at, length, 2);
    memcpy(at, comment, length);
    archive->size = (size_t)(at - archive->bytes) + length;
}

size_t make_npy_bytes(unsigned char *to, const char *header, const void *elements, size_t size) {
    unsigned char *at = to;
    memcpy(at, "\x93NUMPY\1", 8);
    at += 8;
    put(&at, strlen(header), 2);
    memcpy(at, header, strlen(header));
    at += strlen(header);
    if (size > 0)
        memcpy(at, elements, size);
    return (size_t)(at - to) + size;
}
