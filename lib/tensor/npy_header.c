/* The header of the .npy format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
 */
#include "tensor/npy.h"
#include "tensor/tensor.h"

#include <string.h>

enum { PREFIX = 8 /* magic and version */ };
static const char magic[] = "\x93NUMPY";

/* The header is a Python dictionary literal; what is left of it lies between the two pointers. */
typedef struct cursor {
    const char *start, *at, *end;
} cursor;

static dlviz_status syntax_error(const cursor *c, const char *expected) {
    return dlz_fail(DLVIZ_ERROR_FORMAT, "the header needs %s at its byte %d", expected,
                    (int)(c->at - c->start));
}

static void skip_spaces(cursor *c) {
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\n' || *c->at == '\t' || *c->at == '\r'))
        c->at++;
}

static bool accept(cursor *c, char wanted) {
    skip_spaces(c);
    if (c->at == c->end || *c->at != wanted)
        return false;
    c->at++;
    return true;
}

static bool accept_word(cursor *c, const char *word) {
    size_t length = strlen(word);
    skip_spaces(c);
    if ((size_t)(c->end - c->at) < length || memcmp(c->at, word, length) != 0)
        return false;
    c->at += length;
    return true;
}

/* A short string without escapes, in either kind of quotes. */
static dlviz_status parse_string(cursor *c, char *text, size_t room) {
    skip_spaces(c);
    if (c->at == c->end || (*c->at != '\'' && *c->at != '"'))
        return syntax_error(c, "a quoted string");
    const char *first = c->at + 1, *last = memchr(first, *c->at, (size_t)(c->end - first));
    if (!last || (size_t)(last - first) >= room || memchr(first, '\\', (size_t)(last - first)))
        return syntax_error(c, "a short string without escapes");
    memcpy(text, first, (size_t)(last - first));
    text[last - first] = '\0';
    c->at = last + 1;
    return DLVIZ_OK;
}

static dlviz_status parse_descr(cursor *c, dlz_npy_header *header) {
    static const struct {
        char name[3];
        dlz_element element;
    } kinds[] = {{"f4", DLZ_ELEMENT_F32}, {"f8", DLZ_ELEMENT_F64},  {"f2", DLZ_ELEMENT_F16},
                 {"u1", DLZ_ELEMENT_U8},  {"b1", DLZ_ELEMENT_BOOL}, {"i1", DLZ_ELEMENT_I8},
                 {"u2", DLZ_ELEMENT_U16}, {"i2", DLZ_ELEMENT_I16},  {"u4", DLZ_ELEMENT_U32},
                 {"i4", DLZ_ELEMENT_I32}, {"u8", DLZ_ELEMENT_U64},  {"i8", DLZ_ELEMENT_I64}};
    skip_spaces(c);
    if (c->at < c->end && *c->at == '[')
        return dlz_fail(DLVIZ_ERROR_UNSUPPORTED,
                        "the array is structured (it has fields); plain numbers are accepted");
    char text[16];
    DLZ_TRY(parse_string(c, text, sizeof text));
    const char *name = text;
    if (*name && strchr("<>|=", *name))
        name++;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(name, kinds[i].name) != 0)
            continue;
        header->element = kinds[i].element;
        header->big_endian = *text == '>';
        /* '|' says that byte order does not apply, '=' that it is the writer's own, which is lost.
         */
        bool one_byte = dlz_element_size(header->element) == 1;
        if (!one_byte && *text != '<' && *text != '>')
            return dlz_fail(DLVIZ_ERROR_FORMAT, "dtype '%s' does not give its byte order", text);
        return DLVIZ_OK;
    }
    return dlz_fail(DLVIZ_ERROR_UNSUPPORTED,
                    "dtype '%s'; float16, 32 and 64, integers and bool are accepted", text);
}

static dlviz_status parse_size(cursor *c, int64_t *size) {
    skip_spaces(c);
    const char *first = c->at;
    int64_t value = 0;
    bool overflows = false;
    for (; c->at < c->end && *c->at >= '0' && *c->at <= '9'; c->at++)
        overflows |= __builtin_mul_overflow(value, 10, &value) ||
                     __builtin_add_overflow(value, *c->at - '0', &value);
    if (c->at == first)
        return syntax_error(c, "a size (digits)");
    if (overflows)
        return dlz_fail(DLVIZ_ERROR_FORMAT, "a dimension is larger than 2^63 - 1");
    if (c->at < c->end && *c->at == 'L') /* how Python 2 wrote long integers */
        c->at++;
    *size = value;
    return DLVIZ_OK;
}

static dlviz_status parse_shape(cursor *c, dlz_npy_header *header) {
    if (!accept(c, '('))
        return syntax_error(c, "a tuple");
    bool comma = true;
    header->ndim = 0;
    while (!accept(c, ')')) {
        if (!comma)
            return syntax_error(c, "',' or ')'");
        if (header->ndim == DLVIZ_MAX_DIMS)
            return dlz_fail(DLVIZ_ERROR_UNSUPPORTED, "the array has more than %d dimensions",
                            DLVIZ_MAX_DIMS);
        DLZ_TRY(parse_size(c, &header->dims[header->ndim++]));
        comma = accept(c, ',');
    }
    if (header->ndim == 1 && !comma)
        return syntax_error(c, "',' after the size of a tuple of one");
    return DLVIZ_OK;
}

static dlviz_status parse_bool(cursor *c, bool *value) {
    *value = accept_word(c, "True");
    return *value || accept_word(c, "False") ? DLVIZ_OK : syntax_error(c, "True or False");
}

static dlviz_status parse_dictionary(cursor *c, dlz_npy_header *header) {
    static const char *const keys[] = {"descr", "fortran_order", "shape"};
    bool seen[3] = {false};
    if (!accept(c, '{'))
        return syntax_error(c, "'{'");
    bool comma = true;
    while (!accept(c, '}')) {
        if (!comma)
            return syntax_error(c, "',' or '}'");
        char key[24];
        DLZ_TRY(parse_string(c, key, sizeof key));
        size_t which = 0;
        while (which < 3 && strcmp(key, keys[which]) != 0)
            which++;
        if (which == 3 || seen[which])
            return dlz_fail(DLVIZ_ERROR_FORMAT, "the header has %s key '%s'",
                            which == 3 ? "an unknown" : "a second", key);
        if (!accept(c, ':'))
            return syntax_error(c, "':'");
        DLZ_TRY(which == 0   ? parse_descr(c, header)
                : which == 1 ? parse_bool(c, &header->fortran)
                             : parse_shape(c, header));
        seen[which] = true;
        comma = accept(c, ',');
    }
    for (size_t i = 0; i < 3; i++)
        if (!seen[i])
            return dlz_fail(DLVIZ_ERROR_FORMAT, "the header lacks the key '%s'", keys[i]);
    skip_spaces(c);
    return c->at == c->end ? DLVIZ_OK : syntax_error(c, "nothing but spaces");
}

static dlviz_status check_extent(dlz_npy_header *header, size_t file_size) {
    char text[DLZ_SHAPE_TEXT_SIZE];
    dlz_shape_text(text, header->ndim, header->dims);
    size_t present = file_size - header->offset, element = dlz_element_size(header->element);
    if (dlz_product_overflows(header->ndim, header->dims, &header->size) ||
        (uint64_t)header->size > SIZE_MAX / element)
        return dlz_fail(DLVIZ_ERROR_FORMAT, "a shape of %s is too large for any file", text);
    size_t needed = (size_t)header->size * element;
    if (needed != present)
        return dlz_fail(
            DLVIZ_ERROR_FORMAT,
            "%s elements of %zu bytes need %zu bytes after the header; the file has %zu", text,
            element, needed, present);
    return DLVIZ_OK;
}

/* What stands before the dictionary, and how long both are together. */
static dlviz_status parse_start(const unsigned char *bytes, size_t size, size_t *before,
                                size_t *together) {
    size_t shorter = size < PREFIX - 2 ? size : PREFIX - 2;
    if (memcmp(bytes, magic, shorter) != 0)
        return dlz_fail(DLVIZ_ERROR_FORMAT, "it does not start as a .npy file does%s",
                        size >= 4 && memcmp(bytes, "PK\3\4", 4) == 0
                            ? ", but as an archive; dlviz_npz_open reads .npz files"
                            : "");
    if (size < PREFIX)
        return dlz_fail(DLVIZ_ERROR_FORMAT, "it ends within its first %d bytes", PREFIX);
    int version = bytes[6];
    if (version < 1 || version > 3 || bytes[7] != 0)
        return dlz_fail(DLVIZ_ERROR_UNSUPPORTED,
                        "format version %d.%d; 1.0, 2.0 and 3.0 are accepted", version, bytes[7]);
    size_t field = version == 1 ? 2 : 4, length = 0;
    if (size - PREFIX < field)
        return dlz_fail(DLVIZ_ERROR_FORMAT, "it ends within the header's length");
    for (size_t i = field; i-- > 0;)
        length = length << 8 | bytes[PREFIX + i];
    if (length > size - PREFIX - field)
        return dlz_fail(DLVIZ_ERROR_FORMAT, "its header is %zu bytes long; %zu bytes follow",
                        length, size - PREFIX - field);
    *before = PREFIX + field;
    *together = PREFIX + field + length;
    return DLVIZ_OK;
}

dlviz_status dlz_npy_header_size(const unsigned char *bytes, size_t size, size_t *header_size) {
    size_t before = 0;
    return parse_start(bytes, size, &before, header_size);
}

dlviz_status dlz_npy_parse(const unsigned char *bytes, size_t size, dlz_npy_header *header) {
    size_t before = 0;
    DLZ_TRY(parse_start(bytes, size, &before, &header->offset));
    const char *text = (const char *)bytes;
    DLZ_TRY(
        parse_dictionary(&(cursor){text + before, text + before, text + header->offset}, header));
    return check_extent(header, size);
}
