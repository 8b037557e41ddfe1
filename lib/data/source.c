#include "data/source.h"
#include "base/again.h"
#include "base/cancel.h"
#include "base/file.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

enum {
    BUFFER_SIZE = 1 << 16,
    GZIP_ONLY = 15 + 16,  /* zlib's window bits: the largest window, a gzip header and trailer */
    GREATEST_RATIO = 1032 /* of deflate: 258 bytes from two bits */
};

struct dlz_source {
    const char *path;
    int descriptor;
    int64_t size;
    bool compressed, in_member; /* in_member: a gzip member has begun and not ended */
    bool padded;                /* zeros have come after the last member */
    void *piped;                /* all that a pipe gave, or NULL */
    const char *memory;         /* that, or the caller's bytes, or NULL: a file is read */
    size_t memory_used;
    z_stream stream; /* next_in, avail_in: what of `buffer` is not used up, in either case */
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

/* Reads on when the buffer is used up; leaves it empty at the end of the file. */
static dlviz_status refill(dlz_source *source) {
    DLZ_NOT_CANCELLED;
    if (source->stream.avail_in > 0)
        return DLVIZ_OK;
    ssize_t got;
    if (source->memory) {
        got = (ssize_t)dlz_min_i64(BUFFER_SIZE, source->size - (int64_t)source->memory_used);
        memcpy(source->buffer, source->memory + source->memory_used, (size_t)got);
        source->memory_used += (size_t)got;
    } else {
        got = DLZ_AGAIN(read(source->descriptor, source->buffer, BUFFER_SIZE));
        if (got < 0)
            return dlz_fail_io("cannot read", source->path, errno);
    }
    source->stream.next_in = source->buffer;
    source->stream.avail_in = (unsigned)got;
    return DLVIZ_OK;
}

static dlviz_status start(dlz_source *source) {
    DLZ_TRY(refill(source));
    const unsigned char *first = source->buffer;
    if (source->stream.avail_in < 2 || first[0] != 0x1F || first[1] != 0x8B)
        return DLVIZ_OK;
    source->stream.zalloc = allocate;
    source->stream.zfree = release;
    if (inflateInit2(&source->stream, GZIP_ONLY) != Z_OK)
        return dlz_fail_memory("decompression", 0);
    source->compressed = source->in_member = true;
    return DLVIZ_OK;
}

static dlviz_status allocate_source(dlz_source **out, const char *path, int descriptor,
                                    int64_t size) {
    dlz_source *source = dlz_alloc(sizeof *source);
    if (!source)
        return dlz_fail_memory("a read buffer", sizeof *source);
    memset(source, 0, offsetof(dlz_source, buffer));
    source->path = path;
    source->descriptor = descriptor;
    source->size = size;
    *out = source;
    return DLVIZ_OK;
}

/* Of an open file, which is closed whatever the outcome, or with the source. */
static dlviz_status open_descriptor(dlz_source **out, const char *path, int descriptor,
                                    int64_t size) {
    dlz_source *source = NULL;
    dlviz_status status = allocate_source(&source, path, descriptor, size);
    if (status != DLVIZ_OK) {
        close(descriptor);
        return status;
    }
    if (size < 0) { /* as a pipe, whose size must be known before what it announces is believed */
        size_t length = 0;
        status = dlz_pipe_read(path, descriptor, INT64_MAX, &source->piped, &length);
        source->memory = source->piped;
        source->size = (int64_t)length;
    } else if (size == 0) {
        status = dlz_fail(DLVIZ_ERROR_FORMAT, "'%s' is empty", path);
    }
    if (status == DLVIZ_OK)
        status = start(source);
    if (status != DLVIZ_OK)
        dlz_source_close(source);
    else
        *out = source;
    return status;
}

static dlviz_status open_path(dlz_source **out, const char *path, bool regular) {
    DLZ_NOT_CANCELLED;
    *out = NULL;
    int descriptor;
    int64_t size;
    DLZ_TRY(regular ? dlz_file_open_regular(path, &descriptor, &size)
                    : dlz_file_open(path, &descriptor, &size));
    return open_descriptor(out, path, descriptor, size);
}

dlviz_status dlz_source_open(dlz_source **out, const char *path) {
    return open_path(out, path, false);
}

dlviz_status dlz_source_open_regular(dlz_source **out, const char *path) {
    return open_path(out, path, true);
}

dlviz_status dlz_source_open_memory(dlz_source **out, const char *name, const void *bytes,
                                    size_t size) {
    uint64_t length = size;
    *out = NULL;
    if (length == 0 || length > INT64_MAX)
        return dlz_fail(DLVIZ_ERROR_FORMAT, "'%s' has %zu bytes", name, size);
    dlz_source *source = NULL;
    DLZ_TRY(allocate_source(&source, name, -1, (int64_t)size));
    source->memory = bytes;
    dlviz_status status = start(source);
    if (status != DLVIZ_OK)
        dlz_source_close(source);
    else
        *out = source;
    return status;
}

void dlz_source_close(dlz_source *source) {
    DLZ_NOT_CANCELLED;
    if (!source)
        return;
    if (source->compressed)
        inflateEnd(&source->stream);
    if (source->descriptor >= 0)
        close(source->descriptor);
    dlz_free(source->piped);
    dlz_free(source);
}

bool dlz_source_is_compressed(const dlz_source *source) {
    return source->compressed;
}

int64_t dlz_source_bound(const dlz_source *source) {
    int64_t ratio = source->compressed ? GREATEST_RATIO : 1;
    return source->size > INT64_MAX / ratio ? INT64_MAX : source->size * ratio;
}

static dlviz_status damaged(const dlz_source *source) {
    return dlz_fail(DLVIZ_ERROR_FORMAT, "'%s' is damaged: its compressed data are invalid (%s)",
                    source->path, source->stream.msg ? source->stream.msg : "no gzip data");
}

/* Tape drives and archivers fill the last block up with zeros. */
static void skip_padding(dlz_source *source) {
    for (z_stream *stream = &source->stream; stream->avail_in > 0 && *stream->next_in == 0;
         stream->next_in++, stream->avail_in--)
        source->padded = true;
}

/* One step of decompression, which may cross from one gzip member into the next. */
static dlviz_status inflate_some(dlz_source *source, bool *at_end) {
    z_stream *stream = &source->stream;
    DLZ_TRY(refill(source));
    *at_end = stream->avail_in == 0;
    if (*at_end)
        return DLVIZ_OK;
    if (!source->in_member) {
        skip_padding(source);
        if (stream->avail_in == 0)
            return DLVIZ_OK; /* the next step looks for more */
        if (source->padded)
            return dlz_fail(DLVIZ_ERROR_FORMAT,
                            "'%s' is damaged: its compressed data end in zeros and something else",
                            source->path);
        if (inflateReset(stream) != Z_OK)
            return damaged(source);
        source->in_member = true;
    }
    switch (inflate(stream, Z_NO_FLUSH)) {
    case Z_STREAM_END:
        source->in_member = false;
        return DLVIZ_OK;
    case Z_OK:
    case Z_BUF_ERROR: /* no progress without more input or more room: the caller brings either */
        return DLVIZ_OK;
    case Z_MEM_ERROR:
        return dlz_fail_memory("decompression", 0);
    default:
        return damaged(source);
    }
}

/* Reads up to `size` bytes; fewer only at the end. */
static dlviz_status read_up_to(dlz_source *source, unsigned char *bytes, size_t size, size_t *got) {
    z_stream *stream = &source->stream;
    size_t done = 0;
    bool at_end = false;
    while (done < size && !at_end) {
        size_t wanted = size - done;
        if (source->compressed) {
            unsigned room = wanted < BUFFER_SIZE ? (unsigned)wanted : BUFFER_SIZE;
            stream->next_out = bytes + done;
            stream->avail_out = room;
            DLZ_TRY(inflate_some(source, &at_end));
            done += room - stream->avail_out;
        } else {
            DLZ_TRY(refill(source));
            at_end = stream->avail_in == 0;
            size_t part = wanted < stream->avail_in ? wanted : stream->avail_in;
            memcpy(bytes + done, stream->next_in, part);
            stream->next_in += part;
            stream->avail_in -= (unsigned)part;
            done += part;
        }
    }
    *got = done;
    return DLVIZ_OK;
}

dlviz_status dlz_source_read(dlz_source *source, void *bytes, size_t size) {
    size_t got;
    DLZ_TRY(read_up_to(source, bytes, size, &got));
    if (got < size)
        return dlz_fail(DLVIZ_ERROR_FORMAT, "'%s' is cut short: %zu more bytes are needed",
                        source->path, size - got);
    return DLVIZ_OK;
}

dlviz_status dlz_source_finish(dlz_source *source) {
    unsigned char byte;
    size_t got;
    DLZ_TRY(read_up_to(source, &byte, 1, &got));
    if (got > 0)
        return dlz_fail(DLVIZ_ERROR_FORMAT, "'%s' goes on after the last element that it announces",
                        source->path);
    if (source->in_member)
        return dlz_fail(DLVIZ_ERROR_FORMAT, "'%s' is cut short within its compressed data",
                        source->path);
    return DLVIZ_OK;
}
