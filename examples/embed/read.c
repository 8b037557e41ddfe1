/* What the program reads besides labels: points, lines of text, pictures. */
#include "embed.h"
#include "../run/try.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool ends_with(const char *path, const char *ending) {
    size_t length = strlen(path), own = strlen(ending);
    return length > own && strcasecmp(path + length - own, ending) == 0;
}

static dlviz_status no_memory(const char *what) {
    return dlviz_fail(DLVIZ_ERROR_OUT_OF_MEMORY, "no memory for %s", what);
}

/* -- Points --------------------------------------------------------------------------------------
 */

/* As float32, exactly, or with a sentence that says what float32 would lose. */
static dlviz_status to_floats(dlviz_tensor *read, dlviz_tensor **numbers) {
    dlviz_status status = dlviz_tensor_convert(read, DLVIZ_FLOAT32, numbers);
    dlviz_tensor_destroy(read);
    return status;
}

static dlviz_status read_npy(const char *path, bool differences, dlviz_tensor **numbers) {
    dlviz_tensor *read;
    if (differences)
        return dlviz_tensor_read_npy_shifted(numbers, path, NULL);
    TRY(dlviz_tensor_read_npy(&read, path));
    return to_floats(read, numbers);
}

/* The one that was named, or the only one. */
static dlviz_status choose_array(const dlviz_npz *npz, const char *path, const char *asked,
                                 const char **name) {
    *name = asked ? asked : dlviz_npz_array_name(npz, 0);
    if (asked || dlviz_npz_num_arrays(npz) == 1)
        return DLVIZ_OK;
    char names[256] = "";
    for (int64_t i = 0; i < dlviz_npz_num_arrays(npz); i++) {
        size_t length = strlen(names);
        snprintf(names + length, sizeof names - length, "%s%s", i > 0 ? ", " : "",
                 dlviz_npz_array_name(npz, i));
    }
    return dlviz_fail(DLVIZ_ERROR_NOT_FOUND, "'%s' has %lld arrays; --array names one: %s", path,
                      (long long)dlviz_npz_num_arrays(npz), names);
}

static dlviz_status read_array(const dlviz_npz *npz, const char *name, bool differences,
                               dlviz_tensor **numbers) {
    dlviz_tensor *read;
    if (differences)
        return dlviz_npz_read_shifted(npz, name, numbers, NULL);
    TRY(dlviz_npz_read(npz, name, &read));
    return to_floats(read, numbers);
}

static dlviz_status read_npz(const struct settings *set, const char *path, bool differences,
                             dlviz_tensor **numbers) {
    dlviz_npz *npz;
    const char *name;
    TRY(dlviz_npz_open(&npz, path));
    dlviz_status status = choose_array(npz, path, set->array, &name);
    if (status == DLVIZ_OK)
        status = read_array(npz, name, differences, numbers);
    dlviz_npz_destroy(npz);
    return status;
}

/* Without the column of the labels, where --labels names one. */
static dlviz_status read_csv(const struct settings *set, const char *path, bool differences,
                             dlviz_tensor **numbers) {
    dlviz_csv_reader *reader;
    TRY(dlviz_csv_reader_create(&reader));
    dlviz_status status = DLVIZ_OK;
    if (set->labels && !strchr(set->labels, '/') && path == set->in) {
        FILE *file = fopen(set->labels, "rb"); /* a file goes before a column */
        if (file)
            fclose(file);
        else
            status = dlviz_csv_reader_set_label_column(reader, set->labels);
    }
    if (status == DLVIZ_OK)
        status = differences ? dlviz_tensor_read_csv_shifted(numbers, path, reader, NULL)
                             : dlviz_tensor_read_csv(numbers, path, reader);
    dlviz_csv_reader_destroy(reader);
    return status;
}

static dlviz_status read_any(const struct settings *set, const char *path, bool differences,
                             dlviz_tensor **numbers) {
    if (ends_with(path, ".npz"))
        return read_npz(set, path, differences, numbers);
    if (ends_with(path, ".csv") || ends_with(path, ".tsv"))
        return read_csv(set, path, differences, numbers);
    return read_npy(path, differences, numbers);
}

dlviz_status read_matrix(const struct settings *set, const char *path, bool differences,
                         dlviz_tensor **matrix) {
    dlviz_tensor *numbers;
    TRY(read_any(set, path, differences, &numbers));
    int64_t n = dlviz_tensor_dim(numbers, 0);
    if (dlviz_tensor_ndim(numbers) == 2 || n == 0) {
        *matrix = numbers;
        return DLVIZ_OK;
    }
    dlviz_status status = dlviz_tensor_reshape(numbers, 2, (int64_t[]){n, -1}, matrix);
    dlviz_tensor_destroy(numbers);
    return status;
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
        if (!more)
            return false;
        *lines = more;
    }
    (*lines)[*count] = line;
    *count += line != NULL;
    return line != NULL;
}

dlviz_status read_lines(const char *path, char ***lines, int64_t *count) {
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
    while (*count > 0 && (*lines)[*count - 1][0] == '\0')
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

/* -- Pictures ------------------------------------------------------------------------------------
 */

/* n x h x w x c to n x c x h x w. */
static dlviz_status move_channels(const dlviz_tensor *from, dlviz_tensor **to) {
    int64_t n = dlviz_tensor_dim(from, 0),
            pixels = dlviz_tensor_dim(from, 1) * dlviz_tensor_dim(from, 2);
    int64_t c = dlviz_tensor_dim(from, 3);
    size_t size = dlviz_dtype_size(dlviz_tensor_dtype(from));
    TRY(dlviz_tensor_create(
        to, dlviz_tensor_dtype(from), 4,
        (int64_t[]){n, c, dlviz_tensor_dim(from, 1), dlviz_tensor_dim(from, 2)}));
    const char *in = dlviz_tensor_const_data(from);
    char *out = dlviz_tensor_data(*to);
    for (int64_t i = 0; i < n; i++)
        for (int64_t p = 0; p < pixels; p++)
            for (int64_t k = 0; k < c; k++)
                memcpy(out + (size_t)((i * c + k) * pixels + p) * size,
                       in + (size_t)((i * pixels + p) * c + k) * size, size);
    return DLVIZ_OK;
}

static bool is_channels(int64_t size) {
    return size == 1 || size == 3;
}

static dlviz_status arrange(dlviz_tensor *read, const char *path, dlviz_tensor **images) {
    int ndim = dlviz_tensor_ndim(read);
    const int64_t n = dlviz_tensor_dim(read, 0);
    if (ndim == 3)
        return dlviz_tensor_reshape(
            read, 4, (int64_t[]){n, 1, dlviz_tensor_dim(read, 1), dlviz_tensor_dim(read, 2)},
            images);
    if (ndim == 4 && is_channels(dlviz_tensor_dim(read, 1)))
        return dlviz_tensor_copy(read, images);
    if (ndim == 4 && is_channels(dlviz_tensor_dim(read, 3)))
        return move_channels(read, images);
    return dlviz_fail(
        DLVIZ_ERROR_SHAPE,
        "'%s' has %d dimensions; n x h x w, n x h x w x 3 or n x 3 x h x w are accepted", path,
        ndim);
}

/* Numbers of 0 … 255 are bytes that somebody has converted. */
static void scale(dlviz_tensor *images) {
    float *values = dlviz_tensor_float(images), most = 0;
    int64_t count = values ? dlviz_tensor_num_elements(images) : 0;
    for (int64_t i = 0; i < count; i++)
        most = values[i] > most ? values[i] : most;
    for (int64_t i = 0; most > 1 && i < count; i++)
        values[i] /= 255;
}

dlviz_status read_images(const char *path, int64_t n, dlviz_tensor **images) {
    dlviz_tensor *read, *floats = NULL;
    TRY(dlviz_tensor_read_npy(&read, path));
    dlviz_status status = DLVIZ_OK;
    if (dlviz_tensor_dim(read, 0) != n)
        status = dlviz_fail(DLVIZ_ERROR_SHAPE, "'%s' has %lld pictures; there are %lld points",
                            path, (long long)dlviz_tensor_dim(read, 0), (long long)n);
    if (status == DLVIZ_OK && dlviz_tensor_dtype(read) != DLVIZ_UINT8)
        status = dlviz_tensor_convert(read, DLVIZ_FLOAT32, &floats);
    if (status == DLVIZ_OK)
        status = arrange(floats ? floats : read, path, images);
    if (status == DLVIZ_OK && floats)
        scale(*images);
    dlviz_tensor_destroy(floats);
    dlviz_tensor_destroy(read);
    return status;
}
