/* Text: lines of a file, and words of NumPy. */
#include "../run/try.h"
#include "embed.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static dlviz_status no_memory(const char *what) {
    return dlviz_fail(DLVIZ_ERROR_OUT_OF_MEMORY, "no memory for %s", what);
}

/* -- Lines ---------------------------------------------------------------------------------------
 */

void free_lines(char **lines, int64_t count) {
    for (int64_t i = 0; lines && i < count; i++)
        free(lines[i]);
    free(lines);
}

/* Without its line break and the spaces around it; a byte order mark is none of it. */
static char *trimmed(char *line, bool first) {
    if (first && strncmp(line, "\xef\xbb\xbf", 3) == 0)
        line += 3;
    while (*line == ' ' || *line == '\t')
        line++;
    size_t length = strlen(line);
    while (length > 0 && strchr(" \t\r\n", line[length - 1]))
        length--;
    return strndup(line, length);
}

static bool keep_line(char ***lines, int64_t *count, char *line) {
    if ((*count & (*count - 1)) == 0) { /* room grows twofold */
        char **more = realloc(*lines, (size_t)(*count ? 2 * *count : 1) * sizeof *more);
        if (!more) {
            free(line);
            return false;
        }
        *lines = more;
    }
    (*lines)[*count] = line;
    *count += line != NULL;
    return line != NULL;
}

dlviz_status read_lines(const char *path, int64_t most, char ***lines, int64_t *count) {
    FILE *file = fopen(path, "r");
    char *line = NULL;
    size_t room = 0;
    *lines = NULL;
    *count = 0;
    if (!file)
        return dlviz_fail(DLVIZ_ERROR_IO, "cannot open '%s': %s", path, strerror(errno));
    bool kept = true;
    while (kept && getline(&line, &room, file) >= 0)
        kept = keep_line(lines, count, trimmed(line, *count == 0));
    bool failed = ferror(file) != 0;
    int error = errno;
    free(line);
    fclose(file);
    while (*count > most && (*lines)[*count - 1][0] == '\0')
        free((*lines)[--*count]);
    if (kept && !failed)
        return DLVIZ_OK;
    free_lines(*lines, *count);
    *lines = NULL;
    *count = 0;
    return kept ? dlviz_fail(DLVIZ_ERROR_IO, "cannot read '%s': %s", path, strerror(error))
                : no_memory("the lines of a file");
}

/* -- Words of NumPy ------------------------------------------------------------------------------
 */

/* UTF-32 in either order, up to its end or a zero, as UTF-8. */
static char *from_utf32(const unsigned char *bytes, size_t letters, bool big) {
    char *word = calloc(letters + 1, 4), *to = word;
    for (size_t i = 0; word && i < letters; i++, bytes += 4) {
        uint32_t c = big ? (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 |
                               (uint32_t)bytes[2] << 8 | bytes[3]
                         : (uint32_t)bytes[3] << 24 | (uint32_t)bytes[2] << 16 |
                               (uint32_t)bytes[1] << 8 | bytes[0];
        if (c == 0)
            break;
        if (c < 0x80) {
            *to++ = (char)c;
            continue;
        }
        int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
        static const unsigned char leads[] = {0, 0xc0, 0xe0, 0xf0};
        *to++ = (char)(leads[more] | (c >> (6 * more) & 0x3f));
        while (more-- > 0)
            *to++ = (char)(0x80 | (c >> (6 * more) & 0x3f));
    }
    return word;
}

/* "'descr': '<U5'" and one dimension: the header of an array of words. */
static bool parse_header(const char *header, char *kind, char *order, long *letters,
                         int64_t *count) {
    const char *at = strstr(header, "'descr': '"), *shape = strstr(header, "'shape': (");
    long long n;
    if (!at || !shape || sscanf(at + 10, "%c%c%ld", order, kind, letters) != 3 ||
        (*kind != 'U' && *kind != 'S') || sscanf(shape + 10, "%lld", &n) != 1)
        return false;
    const char *rest = strchr(shape, ')'), *comma = strchr(shape + 10, ',');
    bool one_dimension = rest && comma && comma + 1 == rest;
    *count = n;
    return one_dimension && *letters > 0 && *letters < 65536 && n >= 0 && n < 1 << 30;
}

static dlviz_status take_words(FILE *file, char kind, char order, size_t letters, int64_t count,
                               char ***words, int64_t *taken) {
    size_t size = letters * (kind == 'U' ? 4 : 1);
    unsigned char *bytes = malloc(size);
    bool kept = bytes != NULL;
    for (int64_t i = 0; kept && i < count; i++) {
        if (fread(bytes, 1, size, file) != size) {
            free(bytes);
            return dlviz_fail(DLVIZ_ERROR_FORMAT, "it is cut short at word %lld of %lld",
                              (long long)i, (long long)count);
        }
        char *word = kind == 'U' ? from_utf32(bytes, letters, order == '>')
                                 : strndup((const char *)bytes, letters);
        kept = keep_line(words, taken, word);
    }
    free(bytes);
    return kept ? DLVIZ_OK : no_memory("words");
}

dlviz_status read_npy_words(const char *path, char ***words, int64_t *count) {
    unsigned char start[12];
    char header[4096], kind, order;
    long letters;
    int64_t n;
    *words = NULL;
    *count = 0;
    FILE *file = fopen(path, "rb");
    if (!file)
        return DLVIZ_OK; /* whoever reads numbers says so */
    bool whole = fread(start, 1, 10, file) == 10 && memcmp(start, "\x93NUMPY", 6) == 0;
    size_t length = whole ? (size_t)start[8] | (size_t)start[9] << 8 : 0;
    whole = whole && start[6] == 1 && length < sizeof header &&
            fread(header, 1, length, file) == length;
    header[whole ? length : 0] = '\0';
    dlviz_status status = DLVIZ_OK;
    if (whole && parse_header(header, &kind, &order, &letters, &n))
        status = take_words(file, kind, order, (size_t)letters, n, words, count);
    fclose(file);
    if (status == DLVIZ_OK)
        return DLVIZ_OK;
    free_lines(*words, *count);
    *words = NULL;
    *count = 0;
    return dlviz_fail(status, "cannot read '%s': %s", path, dlviz_last_error());
}
