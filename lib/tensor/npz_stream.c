/* The bytes of one entry of an archive, stored or deflated, with their checksum. */
#include "base/base.h"
#include "tensor/npz.h"

#include <string.h>
#include <zlib.h>

enum {
    LOCAL_SIZE = 30,
    STORED = 0,
    DEFLATED = 8,
    FLAG_ENCRYPTED = 1,
    RAW_DEFLATE = -15,     /* zlib's window bits: the largest window, nothing around the data */
    GREATEST_RATIO = 1032, /* of deflate: 258 bytes from two bits */
    BUFFER_SIZE = 1 << 16,
};

struct dlz_npz_stream {
    const dlz_archive *archive;
    const dlz_npz_entry *entry;
    uint64_t at, end;   /* what of the packed bytes has not been read */
    uint64_t remaining; /* unpacked bytes that are still to come */
    uint32_t checksum;
    bool inflating;
    z_stream zlib;
    unsigned char buffer[BUFFER_SIZE];
};

static void *allocate(void *unused, unsigned count, unsigned size) {
    (void)unused;
    return dlz_alloc_array(count, size);
}

static void release(void *unused, void *block) {
    (void)unused;
    dlz_free(block);
}

static dlviz_status check_entry(const dlz_npz_entry *entry) {
    if (entry->flags & FLAG_ENCRYPTED)
        return dlz_fail(DLVIZ_ERROR_UNSUPPORTED, "it is encrypted");
    if (entry->method != STORED && entry->method != DEFLATED)
        return dlz_fail(DLVIZ_ERROR_UNSUPPORTED,
                        "it is compressed by zip's method %d; 0 (stored) and 8 (deflated) are "
                        "accepted",
                        entry->method);
    uint64_t most = entry->packed;
    if (entry->method == DEFLATED)
        most = most > UINT64_MAX / GREATEST_RATIO ? UINT64_MAX : most * GREATEST_RATIO;
    if (entry->unpacked > most || (entry->method == STORED && entry->unpacked != entry->packed))
        return dlz_fail(DLVIZ_ERROR_FORMAT,
                        "it is damaged: %llu bytes in the archive do not become %llu bytes",
                        (unsigned long long)entry->packed, (unsigned long long)entry->unpacked);
    return DLVIZ_OK;
}

/* The packed bytes follow a header that repeats what the directory says; they must lie in the archive. */
static dlviz_status find_bytes(const dlz_archive *archive, const dlz_npz_entry *entry,
                               uint64_t *at) {
    unsigned char local[LOCAL_SIZE];
    DLZ_TRY(dlz_archive_read(archive, entry->start, local, LOCAL_SIZE));
    size_t length = strlen(entry->file);
    bool same = memcmp(local, "PK\3\4", 4) == 0 && dlz_zip_number(local + 26, 2) == length &&
                (int)dlz_zip_number(local + 8, 2) == entry->method;
    if (same) {
        char *name = dlz_alloc(length);
        if (!name)
            return dlz_fail_memory("a name", length);
        dlviz_status status = dlz_archive_read(archive, entry->start + LOCAL_SIZE, name, length);
        same = status == DLVIZ_OK && memcmp(name, entry->file, length) == 0;
        dlz_free(name);
        DLZ_TRY(status);
    }
    if (!same)
        return dlz_fail(DLVIZ_ERROR_FORMAT,
                        "the archive is damaged: there is another file at byte %llu",
                        (unsigned long long)entry->start);
    *at = entry->start + LOCAL_SIZE + length + dlz_zip_number(local + 28, 2);
    if (*at > archive->size || entry->packed > archive->size - *at)
        return dlz_fail(DLVIZ_ERROR_FORMAT, "the archive is cut short or damaged: it ends in it");
    return DLVIZ_OK;
}

dlviz_status dlz_npz_stream_open(dlz_npz_stream **out, const dlz_archive *archive,
                                 const dlz_npz_entry *entry) {
    uint64_t at = 0;
    DLZ_TRY(check_entry(entry));
    DLZ_TRY(find_bytes(archive, entry, &at));
    dlz_npz_stream *stream = dlz_alloc(sizeof *stream);
    if (!stream)
        return dlz_fail_memory("a read buffer", sizeof *stream);
    memset(stream, 0, offsetof(dlz_npz_stream, buffer));
    stream->archive = archive;
    stream->entry = entry;
    stream->at = at;
    stream->end = at + entry->packed;
    stream->remaining = entry->unpacked;
    if (entry->method == DEFLATED) {
        stream->zlib.zalloc = allocate;
        stream->zlib.zfree = release;
        if (inflateInit2(&stream->zlib, RAW_DEFLATE) != Z_OK) {
            dlz_free(stream);
            return dlz_fail_memory("decompression", 0);
        }
        stream->inflating = true;
    }
    *out = stream;
    return DLVIZ_OK;
}

void dlz_npz_stream_close(dlz_npz_stream *stream) {
    if (stream && stream->inflating)
        inflateEnd(&stream->zlib);
    dlz_free(stream);
}

static dlviz_status damaged(const dlz_npz_stream *stream) {
    return dlz_fail(DLVIZ_ERROR_FORMAT, "it is damaged: its compressed data are %s",
                    stream->zlib.msg ? stream->zlib.msg : "too short or too long");
}

static dlviz_status refill(dlz_npz_stream *stream) {
    uint64_t rest = stream->end - stream->at;
    size_t size = rest < BUFFER_SIZE ? (size_t)rest : BUFFER_SIZE;
    DLZ_TRY(dlz_archive_read(stream->archive, stream->at, stream->buffer, size));
    stream->at += size;
    stream->zlib.next_in = stream->buffer;
    stream->zlib.avail_in = (unsigned)size;
    return DLVIZ_OK;
}

/* Inflates what there is room for; *ended where the data say that they end. */
static dlviz_status inflate_some(dlz_npz_stream *stream, bool *ended) {
    z_stream *zlib = &stream->zlib;
    if (zlib->avail_in == 0)
        DLZ_TRY(refill(stream));
    unsigned room = zlib->avail_out, given = zlib->avail_in;
    int result = inflate(zlib, Z_NO_FLUSH);
    *ended = result == Z_STREAM_END;
    if (result == Z_MEM_ERROR)
        return dlz_fail_memory("decompression", 0);
    if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR)
        return damaged(stream);
    bool stuck = zlib->avail_out == room && zlib->avail_in == given && !*ended;
    return stuck ? damaged(stream) : DLVIZ_OK;
}

static dlviz_status inflate_all(dlz_npz_stream *stream, unsigned char *bytes, size_t size) {
    z_stream *zlib = &stream->zlib;
    for (size_t done = 0; done < size;) {
        size_t rest = size - done;
        unsigned room = rest < BUFFER_SIZE ? (unsigned)rest : BUFFER_SIZE;
        bool ended;
        zlib->next_out = bytes + done;
        zlib->avail_out = room;
        DLZ_TRY(inflate_some(stream, &ended));
        done += room - zlib->avail_out;
        if (ended && done < size)
            return damaged(stream);
    }
    return DLVIZ_OK;
}

dlviz_status dlz_npz_stream_read(dlz_npz_stream *stream, void *bytes, size_t size) {
    if (size > stream->remaining)
        return damaged(stream);
    if (stream->inflating) {
        DLZ_TRY(inflate_all(stream, bytes, size));
    } else {
        DLZ_TRY(dlz_archive_read(stream->archive, stream->at, bytes, size));
        stream->at += size;
    }
    stream->remaining -= size;
    stream->checksum = (uint32_t)crc32_z(stream->checksum, bytes, size);
    return DLVIZ_OK;
}

/* Compressed data say themselves where they end: there, and not before the entry does. */
static dlviz_status finish_inflating(dlz_npz_stream *stream) {
    unsigned char beyond;
    bool ended = false;
    stream->zlib.next_out = &beyond;
    stream->zlib.avail_out = 1;
    while (!ended) {
        DLZ_TRY(inflate_some(stream, &ended));
        if (stream->zlib.avail_out == 0)
            return damaged(stream);
    }
    return stream->zlib.avail_in == 0 && stream->at == stream->end ? DLVIZ_OK : damaged(stream);
}

dlviz_status dlz_npz_stream_finish(dlz_npz_stream *stream) {
    if (stream->remaining > 0)
        return damaged(stream);
    if (stream->inflating)
        DLZ_TRY(finish_inflating(stream));
    if (stream->checksum != stream->entry->checksum)
        return dlz_fail(DLVIZ_ERROR_FORMAT,
                        "it is damaged: its checksum is %08lx, and should be "
                        "%08lx",
                        (unsigned long)stream->checksum, (unsigned long)stream->entry->checksum);
    return DLVIZ_OK;
}
