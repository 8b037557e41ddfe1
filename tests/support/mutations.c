#include "support/mutations.h"
#include "support/random_cases.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { MOST_GROWTH = 1 << 16 };

static void *allocated(size_t size) {
    void *block = malloc(size ? size : 1);
    if (!block)
        abort();
    return block;
}

mutant copy_bytes(dlz_random *random, const unsigned char *bytes, size_t size) {
    size_t offset = (size_t)random_between(random, 0, 15);
    mutant copy = {.size = size, .block = allocated(size + offset)};
    copy.bytes = (unsigned char *)copy.block + offset;
    if (size > 0)
        memcpy(copy.bytes, bytes, size);
    return copy;
}

static size_t place(dlz_random *random, size_t size) {
    return size ? (size_t)dlz_random_below(random, size) : 0;
}

/* -- Bytes ---------------------------------------------------------------------------------------
 */

static const unsigned char strange[] = {0,   1,   0x7F, 0x80, 0xFF, '"', '{', '}',  '[',  ']',
                                        ',', ':', '\\', '0',  '9',  '-', 'e', '\n', '\'', '('};

/* `bytes` has room for more. Returns the new size. */
static size_t change_bytes(dlz_random *random, unsigned char *bytes, size_t size) {
    size_t at = place(random, size), length = place(random, 64);
    /* Mostly where the headers are. */
    if (random_chance(random, 0.5) && size > 64)
        at = place(random, 64);
    if (size == 0)
        return 0;
    if (length > size - at)
        length = size - at;
    switch (random_between(random, 0, 8)) {
    case 0:
        bytes[at] ^= (unsigned char)(1u << random_between(random, 0, 7));
        return size;
    case 1:
        bytes[at] = strange[place(random, sizeof strange)];
        return size;
    case 2:
        bytes[at] = (unsigned char)random_between(random, 0, 255);
        return size;
    case 3: /* deleted */
        memmove(bytes + at, bytes + at + length, size - at - length);
        return size - length;
    case 4: /* doubled */
        memmove(bytes + at + length, bytes + at, size - at);
        return size + length;
    case 5: /* over others */
        memmove(bytes + at, bytes + place(random, size - length + 1), length);
        return size;
    case 6:
        return at;
    case 7:
        memset(bytes + at, strange[place(random, sizeof strange)], length);
        return size;
    default: /* a number of several bytes */
        for (size_t i = 0; i < length && i < 8; i++)
            bytes[at + i] = random_chance(random, 0.5) ? 0xFF : (unsigned char)(i == 0);
        return size;
    }
}

mutant mutate_bytes(dlz_random *random, const unsigned char *bytes, size_t size) {
    unsigned char *work = allocated(size + MOST_GROWTH);
    memcpy(work, bytes, size);
    for (int64_t i = random_between(random, 1, 4); i > 0; i--)
        size = change_bytes(random, work, size);
    mutant made = copy_bytes(random, work, size);
    free(work);
    return made;
}

/* Length, type, data and checksum of each chunk behind the signature, as far as there are whole ones. */
void mend_png_checksums(unsigned char *bytes, size_t size) {
    if (size < 8 || memcmp(bytes, "\x89PNG", 4) != 0)
        return;
    for (size_t at = 8; at < size && size - at >= 12;) {
        size_t length = (size_t)bytes[at] << 24 | (size_t)bytes[at + 1] << 16 |
                        (size_t)bytes[at + 2] << 8 | bytes[at + 3];
        if (length > size - at - 12)
            return;
        unsigned long sum = crc32(0, bytes + at + 4, (unsigned)length + 4);
        for (size_t i = 0; i < 4; i++)
            bytes[at + 8 + length + i] = (unsigned char)(sum >> (24 - 8 * i));
        at += length + 12;
    }
}

mutant mutate_png(dlz_random *random, const unsigned char *bytes, size_t size) {
    mutant made = mutate_bytes(random, bytes, size);
    if (random_between(random, 0, 7) > 0)
        mend_png_checksums(made.bytes, made.size);
    return made;
}

/* -- JSON ----------------------------------------------------------------------------------------
 */

static json_t *strange_value(dlz_random *random) {
    static const json_int_t wholes[] = {
        0,          1,         -1,        2,        3,          255, 65536, INT32_MAX,  INT32_MIN,
        4294967296, INT64_MAX, INT64_MIN, 16777217, 1000000007, 7,   46341, 3037000500, 8};
    static const double reals[] = {0.5, -0.0, 1e308, 1e-320, 3.5e38, 1.0, -1.5, 1e39};
    static const char *const texts[] = {"",
                                        "input",
                                        "conv",
                                        "relu",
                                        "*",
                                        "F32",
                                        "I64",
                                        "inf",
                                        "conv2d",
                                        "linear",
                                        "mse",
                                        "l1",
                                        "pad",
                                        "cross_entropy",
                                        "gelu",
                                        "conv_transpose2d",
                                        "layernorm",
                                        "reshape",
                                        "fc",
                                        "a.b",
                                        "instancenorm2d",
                                        "concat",
                                        "upsample",
                                        "kl_divergence",
                                        "\xc3\xa4",
                                        "dropout2d"};
    switch (random_between(random, 0, 7)) {
    case 0:
        return json_real(reals[place(random, sizeof reals / sizeof *reals)]);
    case 1:
        return json_string(texts[place(random, sizeof texts / sizeof *texts)]);
    case 2:
        return json_null();
    case 3:
        return json_boolean(random_chance(random, 0.5));
    case 4:
        return json_array();
    case 5:
        return json_object();
    default:
        return json_integer(wholes[place(random, sizeof wholes / sizeof *wholes)]);
    }
}

static size_t count_slots(json_t *value) {
    size_t count = 0, index;
    const char *key;
    json_t *part;
    json_object_foreach(value, key, part) count += 1 + count_slots(part);
    json_array_foreach(value, index, part) count += 1 + count_slots(part);
    return count;
}

/* Where a value lies in a tree. */
typedef struct slot {
    json_t *holder, *value;
    const char *key; /* or NULL: an array's element */
    size_t index;
} slot;

static bool find_slot(json_t *tree, size_t *number, slot *found) {
    size_t index;
    const char *key;
    json_t *part;
    json_object_foreach(tree, key, part) {
        *found = (slot){.holder = tree, .value = part, .key = key};
        if ((*number)-- == 0 || find_slot(part, number, found))
            return true;
    }
    json_array_foreach(tree, index, part) {
        *found = (slot){.holder = tree, .value = part, .index = index};
        if ((*number)-- == 0 || find_slot(part, number, found))
            return true;
    }
    return false;
}

static void put(const slot *to, json_t *value) {
    if (to->key)
        json_object_set_new(to->holder, to->key, value);
    else
        json_array_set_new(to->holder, to->index, value);
}

static json_t *near_value(dlz_random *random, json_t *value) {
    json_int_t step = random_chance(random, 0.5) ? 1 : -1;
    json_int_t whole = json_integer_value(value);
    if (json_is_integer(value) && whole > INT32_MIN && whole < INT32_MAX)
        return json_integer(random_chance(random, 0.5) ? whole + step : whole * 2);
    return strange_value(random);
}

static void change_tree(dlz_random *random, json_t *tree) {
    size_t count = count_slots(tree), number = place(random, count), other;
    slot one, two;
    if (count == 0 || !find_slot(tree, &number, &one))
        return;
    switch (random_between(random, 0, 5)) {
    case 0:
        if (one.key)
            json_object_del(one.holder, one.key);
        else
            json_array_remove(one.holder, one.index);
        break;
    case 1: /* beside itself */
        if (one.key)
            json_object_set_new(one.holder, "copy", json_deep_copy(one.value));
        else
            json_array_insert_new(one.holder, one.index, json_deep_copy(one.value));
        break;
    case 2: /* what another has */
        other = place(random, count);
        if (find_slot(tree, &other, &two))
            put(&one, json_deep_copy(two.value));
        break;
    case 3:
        put(&one, near_value(random, one.value));
        break;
    default:
        put(&one, strange_value(random));
        break;
    }
}

/* What a tree cannot be: keys twice, broken syntax, deep nesting. Consumes the text. */
static char *change_text(dlz_random *random, char *text) {
    size_t length = strlen(text), at = place(random, length);
    char *changed = allocated(length + MOST_GROWTH + 1);
    memcpy(changed, text, length + 1);
    char *colon = strchr(changed + at, ':'), *comma = colon ? strchr(colon, ',') : NULL;
    int64_t way = random_between(random, 0, 3);
    if (way == 0 && comma && comma - changed < MOST_GROWTH) { /* what ends there once more */
        char *quote = colon;
        while (quote > changed && *quote != ',' && *quote != '{')
            quote--;
        size_t part = (size_t)(comma - quote);
        char *copy = allocated(part);
        memcpy(copy, quote, part);
        memmove(comma + part, comma, strlen(comma) + 1);
        memcpy(comma, copy, part);
        *comma = ',';
        free(copy);
    } else if (way == 1 && colon) {
        size_t depth = (size_t)random_between(random, 1, 3000);
        memmove(colon + 1 + depth, colon + 1, strlen(colon + 1) + 1);
        memset(colon + 1, random_chance(random, 0.5) ? '[' : '{', depth);
    } else {
        size_t size = change_bytes(random, (unsigned char *)changed, length);
        changed[size] = '\0';
    }
    free(text);
    return changed;
}

static char *dumped(dlz_random *random, json_t *tree, double broken) {
    char *text = json_dumps(tree, JSON_COMPACT | JSON_REAL_PRECISION(17) | JSON_ENCODE_ANY);
    if (!text)
        abort();
    return random_chance(random, broken) ? change_text(random, text) : text;
}

mutant mutate_json(dlz_random *random, const unsigned char *bytes, size_t size) {
    json_t *tree = NULL;
    if (!random_chance(random, 0.2))
        tree = json_loadb((const char *)bytes, size, 0, NULL);
    if (!tree)
        return mutate_bytes(random, bytes, size);
    for (int64_t i = random_between(random, 1, 3); i > 0; i--)
        change_tree(random, tree);
    char *text = dumped(random, tree, 0.1);
    json_decref(tree);
    mutant made = copy_bytes(random, (const unsigned char *)text, strlen(text));
    free(text);
    return made;
}

/* A metadata text that is an object is changed as a tree of its own. False where it is another. */
static bool change_metadata(dlz_random *random, json_t *metadata) {
    const char *key;
    json_t *value;
    size_t number = place(random, json_object_size(metadata));
    json_object_foreach(metadata, key, value) if (number-- == 0) {
        json_t *tree = json_is_string(value) ? json_loads(json_string_value(value), 0, NULL) : NULL;
        if (!tree)
            return false;
        for (int64_t i = random_between(random, 1, 3); i > 0; i--)
            change_tree(random, tree);
        char *text = dumped(random, tree, 0.1);
        json_decref(tree);
        json_t *changed = json_string(text);
        free(text);
        if (changed)
            json_object_set_new(metadata, key, changed);
        return true;
    }
    return false;
}

static mutant assemble(dlz_random *random, const char *header, const unsigned char *data,
                       size_t data_size) {
    size_t length = strlen(header), size = 8 + length + data_size;
    unsigned char *work = allocated(size);
    uint64_t announced = length;
    if (random_chance(random, 0.03))
        announced += (uint64_t)random_between(random, -9, 9);
    for (int i = 0; i < 8; i++)
        work[i] = (unsigned char)(announced >> 8 * i);
    memcpy(work + 8, header, length);
    if (data_size > 0)
        memcpy(work + 8 + length, data, data_size);
    mutant made = copy_bytes(random, work, size);
    free(work);
    return made;
}

mutant mutate_safetensors(dlz_random *random, const unsigned char *bytes, size_t size) {
    size_t length = 0;
    for (size_t i = size < 8 ? 0 : 8; i-- > 0;)
        length = length << 8 | bytes[i];
    json_t *header = NULL;
    if (size >= 8 && length <= size - 8 && !random_chance(random, 0.1))
        header = json_loadb((const char *)bytes + 8, length, 0, NULL);
    if (!header)
        return mutate_bytes(random, bytes, size);
    json_t *metadata = json_object_get(header, "__metadata__");
    if (random_chance(random, 0.85))
        json_object_del(metadata, "dlviz.crc32");
    size_t data_size = size - 8 - length;
    unsigned char *data = allocated(data_size + MOST_GROWTH);
    memcpy(data, bytes + 8 + length, data_size);
    bool changed = random_chance(random, 0.6) && change_metadata(random, metadata);
    if (random_chance(random, changed ? 0.1 : 0.5))
        change_tree(random, header);
    else if (!changed)
        change_bytes(random, data, data_size);
    char *text = dumped(random, header, 0.08);
    json_decref(header);
    mutant made = assemble(random, text, data, data_size);
    free(text);
    free(data);
    return made;
}

/* -- Pages ---------------------------------------------------------------------------------------
 */

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static size_t decode(const char *text, size_t length, unsigned char *to) {
    unsigned bits = 0, count = 0;
    size_t size = 0;
    const char *digit;
    for (size_t i = 0; i < length && (digit = memchr(digits, text[i], 64)); i++) {
        bits = (bits << 6 | (unsigned)(digit - digits)) & 0xffffff;
        count += 6;
        if (count >= 8)
            to[size++] = (unsigned char)(bits >> (count -= 8));
    }
    return size;
}

static char *encode(const unsigned char *bytes, size_t size) {
    char *text = allocated(size / 3 * 4 + 5), *to = text;
    for (size_t i = 0; i < size; i += 3) {
        unsigned bits = 0;
        for (size_t j = 0; j < 3; j++)
            bits = bits << 8 | (i + j < size ? bytes[i + j] : 0u);
        for (size_t j = 0; j < 4; j++)
            *to++ = (char)(i + j > size ? '=' : digits[bits >> (18 - 6 * j) & 63]);
    }
    *to = '\0';
    return text;
}

/* A byte of a PNG's chunks is changed, and the checksum made to fit. */
static void change_chunk(dlz_random *random, unsigned char *png, size_t size) {
    size_t at = 8, skip = place(random, 3);
    while (at + 12 <= size) {
        size_t length = (size_t)png[at + 2] << 8 | png[at + 3]; /* small pictures */
        if (at + 12 + length > size)
            return;
        if (skip-- == 0 && length > 0) {
            png[at + 8 + place(random, length)] = (unsigned char)random_between(random, 0, 255);
            unsigned long sum = crc32(0, png + at + 4, (unsigned)length + 4);
            for (size_t i = 0; i < 4; i++)
                png[at + 8 + length + i] = (unsigned char)(sum >> (24 - 8 * i));
            return;
        }
        at += length + 12;
    }
}

static char *change_picture(dlz_random *random, const char *base64, size_t length) {
    unsigned char *png = allocated(length + MOST_GROWTH);
    size_t size = decode(base64, length, png);
    if (random_chance(random, 0.7))
        change_chunk(random, png, size);
    else
        size = change_bytes(random, png, size);
    char *text = encode(png, size);
    free(png);
    return text;
}

/* A text of the tree that is long is base64: some numbers in it are others. */
static void change_numbers(dlz_random *random, char *text) {
    for (int64_t i = random_between(random, 1, 5); i > 0; i--) {
        size_t at = place(random, strlen(text));
        if (memchr(digits, text[at], 64))
            text[at] = random_chance(random, 0.3) ? '/' : digits[place(random, 64)];
    }
}

/* NULL where the text is no JSON. */
static char *change_data(dlz_random *random, const char *text, size_t length) {
    json_t *tree = json_loadb(text, length, 0, NULL);
    if (!tree)
        return NULL;
    bool values = random_chance(random, 0.6);
    for (int64_t i = values ? random_between(random, 1, 2) : 0; i > 0; i--)
        change_tree(random, tree);
    char *changed = dumped(random, tree, 0.05);
    json_decref(tree);
    if (!values || random_chance(random, 0.1))
        change_numbers(random, changed);
    return changed;
}

/* Where `what` begins; NULL also for the place that is none. */
static const char *find(const char *from, const char *end, const char *what) {
    return from ? memmem(from, (size_t)(end - from), what, strlen(what)) : NULL;
}

mutant mutate_page(dlz_random *random, const unsigned char *bytes, size_t size) {
    const char *page = (const char *)bytes, *end = page + size;
    const char *data = memmem(page, size, "id=\"data\">", 10);
    if (random_chance(random, 0.1) || !data)
        return mutate_bytes(random, bytes, size);
    data += 10;
    const char *data_end = find(data, end, "</script>");
    const char *sprite = find(data_end, end, "id=\"sprite\">");
    sprite = sprite ? sprite + 12 : NULL;
    const char *sprite_end = find(sprite, end, "</script>");
    if (!sprite_end)
        return mutate_bytes(random, bytes, size);
    bool picture = sprite_end > sprite && random_chance(random, 0.3);
    const char *from = picture ? sprite : data, *to = picture ? sprite_end : data_end;
    char *changed = picture ? change_picture(random, from, (size_t)(to - from))
                            : change_data(random, from, (size_t)(to - from));
    if (!changed)
        return mutate_bytes(random, bytes, size);
    size_t before = (size_t)(from - page), length = strlen(changed), after = (size_t)(end - to);
    unsigned char *work = allocated(before + length + after);
    memcpy(work, bytes, before);
    memcpy(work + before, changed, length);
    memcpy(work + before + length, to, after);
    mutant made = copy_bytes(random, work, before + length + after);
    free(changed);
    free(work);
    return made;
}
