/* What an archive holds, by the directory at its end: section 4.3 of PKWARE's APPNOTE.TXT. No byte of it
 * is trusted. */
#include "base/base.h"
#include "tensor/npz.h"

#include <string.h>

enum {
    END_SIZE = 22,
    END64_SIZE = 56,
    LOCATOR_SIZE = 20,
    ENTRY_SIZE = 46,
    LONGEST_COMMENT = 65535,
    EXTRA_ZIP64 = 1,
};
static const char end_mark[] = "PK\5\6", end64_mark[] = "PK\6\6", locator_mark[] = "PK\6\7",
                  entry_mark[] = "PK\1\2";

typedef struct directory {
    uint64_t start, size, count;
    bool count_is_cut; /* to 16 bits */
} directory;

static bool is_marked(const unsigned char *bytes, const char *mark) {
    return memcmp(bytes, mark, 4) == 0;
}

/* -- Where it is ---------------------------------------------------------------------------------
 */

/* The end record is the last thing in the file but for its comment, whose length it has. */
static dlviz_status find_end(const dlz_archive *archive, unsigned char end[END_SIZE],
                             uint64_t *place) {
    uint64_t most = END_SIZE + LONGEST_COMMENT;
    size_t size = (size_t)(archive->size < most ? archive->size : most);
    unsigned char *tail = dlz_alloc(size);
    if (!tail)
        return dlz_fail_memory("the end of an archive", size);
    dlviz_status status = dlz_archive_read(archive, archive->size - size, tail, size);
    bool found = false;
    for (size_t at = size < END_SIZE ? 0 : size - END_SIZE + 1; status == DLVIZ_OK && at-- > 0;) {
        if (!is_marked(tail + at, end_mark) ||
            dlz_zip_number(tail + at + 20, 2) != size - at - END_SIZE)
            continue;
        memcpy(end, tail + at, END_SIZE);
        *place = archive->size - size + at;
        found = true;
        break;
    }
    if (status == DLVIZ_OK && !found) {
        bool begins = size >= 4 && archive->size <= most && is_marked(tail, "PK\3\4");
        status = dlz_fail(DLVIZ_ERROR_FORMAT,
                          begins ? "it is cut short: the archive's directory, at its end, is "
                                   "missing"
                                 : "it is no zip archive, or is cut short: there is no directory "
                                   "at its end");
    }
    dlz_free(tail);
    return status;
}

static dlviz_status in_several_files(void) {
    return dlz_fail(DLVIZ_ERROR_UNSUPPORTED, "it is a part of an archive in several files");
}

/* In the zip64 format, a record before the end has what the end has no room for. */
static dlviz_status read_end64(const dlz_archive *archive, const unsigned char *locator,
                               uint64_t place, directory *found) {
    unsigned char end[END64_SIZE];
    uint64_t start = dlz_zip_number(locator + 8, 8);
    if (dlz_zip_number(locator + 4, 4) != 0 || dlz_zip_number(locator + 16, 4) > 1)
        return in_several_files();
    DLZ_TRY(dlz_archive_read(archive, start, end, END64_SIZE));
    if (!is_marked(end, end64_mark) || start > place)
        return dlz_fail(DLVIZ_ERROR_FORMAT, "it is damaged: it has no zip64 record at byte %llu",
                        (unsigned long long)start);
    if (dlz_zip_number(end + 16, 4) != 0 || dlz_zip_number(end + 20, 4) != 0)
        return in_several_files();
    *found = (directory){.count = dlz_zip_number(end + 32, 8),
                         .size = dlz_zip_number(end + 40, 8),
                         .start = dlz_zip_number(end + 48, 8)};
    return DLVIZ_OK;
}

static dlviz_status find_directory(const dlz_archive *archive, directory *found) {
    unsigned char end[END_SIZE], locator[LOCATOR_SIZE];
    uint64_t place = 0;
    DLZ_TRY(find_end(archive, end, &place));
    uint64_t disk = dlz_zip_number(end + 4, 2);
    *found = (directory){.count = dlz_zip_number(end + 10, 2),
                         .size = dlz_zip_number(end + 12, 4),
                         .start = dlz_zip_number(end + 16, 4),
                         .count_is_cut = true};
    bool zip64 = false;
    if (place >= LOCATOR_SIZE) {
        DLZ_TRY(dlz_archive_read(archive, place - LOCATOR_SIZE, locator, LOCATOR_SIZE));
        zip64 = is_marked(locator, locator_mark);
    }
    if (zip64)
        DLZ_TRY(read_end64(archive, locator, place, found));
    else if (disk != 0 || dlz_zip_number(end + 6, 2) != 0)
        return in_several_files();
    if (found->start > place || found->size > place - found->start)
        return dlz_fail(DLVIZ_ERROR_FORMAT,
                        "it is damaged: its directory of %llu bytes at byte %llu goes beyond byte "
                        "%llu, where it ends",
                        (unsigned long long)found->size, (unsigned long long)found->start,
                        (unsigned long long)place);
    return DLVIZ_OK;
}

/* -- What it says --------------------------------------------------------------------------------
 */

/* Sizes and places that are all ones stand, with 64 bits, in an extra field, in this order. */
static dlviz_status read_zip64_extra(const unsigned char *extra, size_t size,
                                     dlz_npz_entry *entry) {
    uint64_t *const fields[] = {&entry->unpacked, &entry->packed, &entry->start};
    size_t at = 0;
    while (at + 4 <= size) {
        uint64_t id = dlz_zip_number(extra + at, 2);
        size_t length = (size_t)dlz_zip_number(extra + at + 2, 2);
        if (length > size - at - 4)
            break;
        const unsigned char *from = extra + at + 4, *end = from + length;
        for (int i = 0; id == EXTRA_ZIP64 && i < 3; i++) {
            if (*fields[i] != UINT32_MAX)
                continue;
            if (end - from < 8)
                return dlz_fail(DLVIZ_ERROR_FORMAT, "it is damaged: the sizes of '%s' are missing",
                                entry->file);
            *fields[i] = dlz_zip_number(from, 8);
            from += 8;
        }
        if (id == EXTRA_ZIP64)
            return DLVIZ_OK;
        at += 4 + length;
    }
    return DLVIZ_OK;
}

/* The array's name, or NULL for a file that is none. */
static dlviz_status name_array(dlz_npz_entry *entry, size_t length) {
    static const char suffix[] = ".npy";
    size_t end = sizeof suffix - 1;
    if (length < end || memcmp(entry->file + length - end, suffix, end) != 0)
        return DLVIZ_OK;
    if (strlen(entry->file) != length || !dlz_is_utf8(entry->file))
        return dlz_fail(DLVIZ_ERROR_FORMAT, "the name of one of its arrays is no UTF-8");
    entry->name = dlz_strdup(entry->file);
    if (!entry->name)
        return dlz_fail_memory("the name of an array", length);
    entry->name[length - end] = '\0';
    return DLVIZ_OK;
}

/* Reads the entry at *at and goes on behind it. */
static dlviz_status read_entry(const unsigned char *bytes, size_t size, size_t *at,
                               dlz_npz_entry *entry) {
    const unsigned char *e = bytes + *at;
    size_t rest = size - *at;
    if (rest < ENTRY_SIZE || !is_marked(e, entry_mark))
        return dlz_fail(DLVIZ_ERROR_FORMAT, "it is damaged: its directory breaks off at byte %zu",
                        *at);
    size_t name = (size_t)dlz_zip_number(e + 28, 2), extra = (size_t)dlz_zip_number(e + 30, 2),
           comment = (size_t)dlz_zip_number(e + 32, 2);
    if (rest - ENTRY_SIZE < name + extra + comment)
        return dlz_fail(DLVIZ_ERROR_FORMAT, "it is damaged: its directory breaks off at byte %zu",
                        *at);
    *entry = (dlz_npz_entry){.flags = (int)dlz_zip_number(e + 8, 2),
                             .method = (int)dlz_zip_number(e + 10, 2),
                             .checksum = (uint32_t)dlz_zip_number(e + 16, 4),
                             .packed = dlz_zip_number(e + 20, 4),
                             .unpacked = dlz_zip_number(e + 24, 4),
                             .start = dlz_zip_number(e + 42, 4),
                             .file = dlz_alloc(name + 1)};
    if (!entry->file)
        return dlz_fail_memory("the name of an array", name + 1);
    memcpy(entry->file, e + ENTRY_SIZE, name);
    entry->file[name] = '\0';
    *at += ENTRY_SIZE + name + extra + comment;
    DLZ_TRY(read_zip64_extra(e + ENTRY_SIZE + name, extra, entry));
    return name_array(entry, name);
}

/* Keeps an entry that is an array. */
static dlviz_status keep(dlviz_npz *npz, const dlz_npz_entry *entry) {
    if (dlz_names_find(npz->names, entry->name) >= 0)
        return dlz_fail(DLVIZ_ERROR_FORMAT, "it has two files '%s'", entry->file);
    if (!dlz_names_add(&npz->names, entry->name, npz->num_entries))
        return dlz_fail_memory("the list of arrays", strlen(entry->name));
    npz->entries[npz->num_entries++] = *entry;
    return DLVIZ_OK;
}

static dlviz_status read_entries(dlviz_npz *npz, const directory *d, const unsigned char *bytes) {
    uint64_t count = 0, most = d->size / ENTRY_SIZE;
    npz->entries = dlz_alloc_array(most, sizeof *npz->entries);
    if (!npz->entries)
        return dlz_fail_memory("the list of arrays", most * sizeof *npz->entries);
    for (size_t at = 0; at < d->size; count++) {
        dlz_npz_entry entry = {0};
        dlviz_status status = read_entry(bytes, (size_t)d->size, &at, &entry);
        if (status == DLVIZ_OK && entry.name)
            status = keep(npz, &entry);
        if (status != DLVIZ_OK || !entry.name) {
            dlz_free(entry.name);
            dlz_free(entry.file);
        }
        DLZ_TRY(status);
    }
    if (d->count_is_cut ? (count & 0xFFFF) != d->count : count != d->count)
        return dlz_fail(DLVIZ_ERROR_FORMAT,
                        "it is damaged: its directory has %llu files and should have %llu",
                        (unsigned long long)count, (unsigned long long)d->count);
    return DLVIZ_OK;
}

dlviz_status dlz_npz_read_directory(dlviz_npz *npz) {
    directory found;
    DLZ_TRY(find_directory(&npz->archive, &found));
    if (found.size > PTRDIFF_MAX)
        return dlz_fail_memory("an archive's directory", found.size);
    unsigned char *bytes = dlz_alloc((size_t)found.size);
    if (!bytes)
        return dlz_fail_memory("an archive's directory", found.size);
    dlviz_status status = dlz_archive_read(&npz->archive, found.start, bytes, (size_t)found.size);
    if (status == DLVIZ_OK)
        status = read_entries(npz, &found, bytes);
    dlz_free(bytes);
    return status;
}
