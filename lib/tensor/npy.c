/* The .npy format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html */
#include "base/file.h"
#include "tensor/element.h"
#include "tensor/narrow.h"
#include "tensor/tensor.h"

#include <stdio.h>
#include <string.h>

enum { ALIGNMENT = 64, PREFIX = 8 /* magic and version */ };
static const char magic[] = "\x93NUMPY";

typedef struct array_header {
    dlz_element element;
    bool big_endian, fortran;
    int ndim;
    int64_t dims[DLVIZ_MAX_DIMS], size;
    size_t offset; /* of the elements in the file */
} array_header;

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

static dlviz_status parse_descr(cursor *c, array_header *header) {
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

static dlviz_status parse_shape(cursor *c, array_header *header) {
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

static dlviz_status parse_dictionary(cursor *c, array_header *header) {
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

static dlviz_status check_extent(array_header *header, size_t file_size) {
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

static dlviz_status parse_file(const unsigned char *bytes, size_t size, array_header *header) {
    size_t shorter = size < PREFIX - 2 ? size : PREFIX - 2;
    if (memcmp(bytes, magic, shorter) != 0)
        return dlz_fail(DLVIZ_ERROR_FORMAT, "it does not start as a .npy file does");
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
    const char *text = (const char *)bytes + PREFIX + field;
    header->offset = PREFIX + field + length;
    DLZ_TRY(parse_dictionary(&(cursor){text, text, text + length}, header));
    return check_extent(header, size);
}

/* `from` holds the elements of `to` with the first index running fastest. */
static void from_fortran_order(const char *from, dlviz_tensor *to) {
    size_t element = dlviz_dtype_size(to->dtype), strides[DLVIZ_MAX_DIMS], stride = element;
    for (int i = 0; i < to->ndim; i++) {
        strides[i] = stride;
        stride *= (size_t)to->dims[i];
    }
    int64_t index[DLVIZ_MAX_DIMS] = {0};
    char *target = to->data;
    for (int64_t n = 0; n < to->size; n++, target += element) {
        memcpy(target, from, element);
        for (int axis = to->ndim - 1; axis >= 0; axis--) {
            from += strides[axis];
            if (++index[axis] < to->dims[axis])
                break;
            from -= strides[axis] * (size_t)to->dims[axis];
            index[axis] = 0;
        }
    }
}

/* The numbers of the file as rows and columns. */
static dlz_wide wide_numbers(const array_header *header, const unsigned char *elements) {
    dlz_wide wide =
        dlz_wide_of(header->element, header->ndim, header->dims, header->size, elements);
    wide.big_endian = header->big_endian;
    wide.column_major = header->fortran;
    return wide;
}

/* Puts a tensor that was filled in the file's order into its own. */
static dlviz_status reorder(const array_header *header, dlviz_tensor **tensor) {
    if (!header->fortran || (*tensor)->ndim < 2)
        return DLVIZ_OK;
    dlviz_tensor *ordered;
    DLZ_TRY(dlz_tensor_create_raw(&ordered, (*tensor)->dtype, (*tensor)->ndim, (*tensor)->dims));
    from_fortran_order((*tensor)->data, ordered);
    dlviz_tensor_destroy(*tensor);
    *tensor = ordered;
    return DLVIZ_OK;
}

static dlviz_status decode(const array_header *header, const unsigned char *elements,
                           dlviz_tensor **out) {
    if (header->element == DLZ_ELEMENT_F64) {
        dlz_wide wide = wide_numbers(header, elements);
        DLZ_TRY(dlz_check_narrow(&wide, "read it with dlviz_tensor_read_npy_shifted, or subtract "
                                        "an offset before writing it"));
    }
    dlviz_tensor *tensor;
    DLZ_TRY(dlz_tensor_create_raw(&tensor, dlz_element_dtype(header->element), header->ndim,
                                  header->dims));
    dlviz_status status = dlz_element_decode(header->element, header->big_endian, elements,
                                             header->size, tensor->data);
    if (status == DLVIZ_OK)
        status = reorder(header, &tensor);
    if (status != DLVIZ_OK) {
        dlviz_tensor_destroy(tensor);
        return status;
    }
    *out = tensor;
    return DLVIZ_OK;
}

static void free_file(void *data, void *block) {
    (void)data;
    dlz_free(block);
}

/* The file's own bytes serve as the tensor's storage where they can. */
static bool usable_as_they_are(const array_header *header) {
    bool order = dlz_element_size(header->element) == 1 ||
                 header->big_endian == (DLZ_HOST_IS_BIG_ENDIAN != 0);
    return order && header->element == dlz_element_of_dtype(dlz_element_dtype(header->element)) &&
           !(header->fortran && header->ndim > 1) && header->offset % ALIGNMENT == 0;
}

/* Fills both in the file's order, then puts them into theirs. */
static dlviz_status decode_shifted(const array_header *header, const unsigned char *elements,
                                   dlviz_tensor **tensor, dlviz_tensor **offsets) {
    int columns = header->ndim > 0 ? header->ndim - 1 : 0;
    DLZ_TRY(dlz_tensor_create_raw(tensor, DLVIZ_FLOAT32, header->ndim, header->dims));
    DLZ_TRY(dlviz_tensor_create(offsets, DLVIZ_FLOAT32, columns, header->dims + 1));
    dlz_wide wide = wide_numbers(header, elements);
    DLZ_TRY(dlz_narrow_shifted(&wide, (*tensor)->data, (*offsets)->data));
    DLZ_TRY(reorder(header, tensor));
    return reorder(header, offsets);
}

/* Numbers that float32 holds need no offset. */
static dlviz_status decode_exact(const array_header *header, const unsigned char *elements,
                                 dlviz_tensor **tensor, dlviz_tensor **offsets) {
    int columns = header->ndim > 0 ? header->ndim - 1 : 0;
    dlviz_tensor *read;
    DLZ_TRY(dlviz_tensor_create(offsets, DLVIZ_FLOAT32, columns, header->dims + 1));
    DLZ_TRY(decode(header, elements, &read));
    if (read->dtype == DLVIZ_FLOAT32) {
        *tensor = read;
        return DLVIZ_OK;
    }
    dlviz_status status = dlviz_tensor_convert(read, DLVIZ_FLOAT32, tensor);
    dlviz_tensor_destroy(read);
    return status;
}

static dlviz_status read_shifted(const array_header *header, const unsigned char *elements,
                                 dlviz_tensor **out, dlviz_tensor **offsets) {
    dlviz_tensor *tensor = NULL, *subtracted = NULL;
    dlviz_status status = (dlz_is_wide(header->element) ? decode_shifted : decode_exact)(
        header, elements, &tensor, &subtracted);
    if (status == DLVIZ_OK)
        *out = tensor;
    else
        dlviz_tensor_destroy(tensor);
    if (status == DLVIZ_OK && offsets)
        *offsets = subtracted;
    else
        dlviz_tensor_destroy(subtracted);
    return status;
}

/* -- From files ----------------------------------------------------------------------------------
 */

/* Reads the file into *block, the caller's to free also after failures, and its header. */
static dlviz_status open_file(const char *path, void **block, array_header *header) {
    size_t size;
    DLZ_TRY(dlz_file_read(path, INT64_MAX, block, &size));
    dlviz_status status = parse_file(*block, size, header);
    return status == DLVIZ_OK ? status : dlz_fail_within(status, "cannot read '%s'", path);
}

dlviz_status dlviz_tensor_read_npy(dlviz_tensor **out, const char *path) {
    DLZ_REQUIRE_OUT(out);
    DLZ_REQUIRE(path);
    void *block = NULL;
    array_header header = {0};
    dlviz_status status = open_file(path, &block, &header);
    const unsigned char *elements = (const unsigned char *)block + header.offset;
    if (status == DLVIZ_OK && usable_as_they_are(&header)) {
        status = dlviz_tensor_wrap(out, dlz_element_dtype(header.element), header.ndim, header.dims,
                                   (void *)elements, free_file, block);
        if (status == DLVIZ_OK)
            return DLVIZ_OK;
    } else if (status == DLVIZ_OK) {
        status = decode(&header, elements, out);
        if (status != DLVIZ_OK)
            status = dlz_fail_within(status, "cannot read '%s'", path);
    }
    dlz_free(block);
    return status;
}

dlviz_status dlviz_tensor_read_npy_shifted(dlviz_tensor **out, const char *path,
                                           dlviz_tensor **offsets) {
    if (offsets)
        *offsets = NULL;
    DLZ_REQUIRE_OUT(out);
    DLZ_REQUIRE(path);
    void *block = NULL;
    array_header header = {0};
    dlviz_status status = open_file(path, &block, &header);
    if (status == DLVIZ_OK) {
        const unsigned char *elements = (const unsigned char *)block + header.offset;
        status = read_shifted(&header, elements, out, offsets);
        if (status != DLVIZ_OK)
            status = dlz_fail_within(status, "cannot read '%s'", path);
    }
    dlz_free(block);
    return status;
}

/* -- From memory ---------------------------------------------------------------------------------
 */

dlviz_status dlviz_tensor_read_npy_memory(dlviz_tensor **out, const void *bytes, size_t size) {
    DLZ_REQUIRE_OUT(out);
    DLZ_REQUIRE(bytes);
    array_header header = {0};
    dlviz_status status = parse_file(bytes, size, &header);
    if (status == DLVIZ_OK)
        status = decode(&header, (const unsigned char *)bytes + header.offset, out);
    return status == DLVIZ_OK
               ? status
               : dlz_fail_within(status, "%s: cannot read the %zu bytes", __func__, size);
}

dlviz_status dlviz_tensor_read_npy_shifted_memory(dlviz_tensor **out, const void *bytes,
                                                  size_t size, dlviz_tensor **offsets) {
    if (offsets)
        *offsets = NULL;
    DLZ_REQUIRE_OUT(out);
    DLZ_REQUIRE(bytes);
    array_header header = {0};
    dlviz_status status = parse_file(bytes, size, &header);
    if (status == DLVIZ_OK)
        status = read_shifted(&header, (const unsigned char *)bytes + header.offset, out, offsets);
    return status == DLVIZ_OK
               ? status
               : dlz_fail_within(status, "%s: cannot read the %zu bytes", __func__, size);
}
