#include "onnx/protobuf.h"
#include "base/base.h"

#include <string.h>

enum { VARINT = 0, BYTES = 2, FOUR_BYTES = 5 }; /* how a value is written */
enum { LONGEST = 10 };                          /* bytes of a varint */

void dlz_message_release(dlz_message *message) {
    dlz_free(message->bytes);
    *message = (dlz_message){0};
}

void dlz_message_clear(dlz_message *message) {
    message->size = 0;
}

static bool reserve(dlz_message *to, size_t size) {
    size_t wanted;
    if (to->failed || (size <= to->room && to->size <= to->room - size))
        return !to->failed;
    to->failed = dlz_add_overflows(to->size, size, &wanted) || wanted > SIZE_MAX / 2;
    unsigned char *bytes = to->failed ? NULL : dlz_realloc_array(to->bytes, 2 * wanted, 1);
    to->failed = !bytes;
    if (to->failed)
        return false;
    to->bytes = bytes;
    to->room = 2 * wanted;
    return true;
}

void dlz_message_append(dlz_message *to, const void *bytes, size_t size) {
    if (size == 0 || !reserve(to, size))
        return;
    memcpy(to->bytes + to->size, bytes, size); /* cppcheck-suppress uninitvar ; as many are set */
    to->size += size;
}

/* Seven bits a byte, the lowest first; the highest bit says that more follow. */
static size_t encode(uint64_t value, unsigned char bytes[LONGEST]) {
    size_t size = 0;
    do {
        bytes[size++] = (unsigned char)((value & 0x7F) | (value > 0x7F ? 0x80 : 0));
        value >>= 7;
    } while (value);
    return size;
}

static void varint(dlz_message *to, uint64_t value) {
    unsigned char bytes[LONGEST];
    dlz_message_append(to, bytes, encode(value, bytes));
}

static uint64_t key(int field, int kind) {
    return (uint64_t)field << 3 | (uint64_t)kind;
}

void dlz_message_integer(dlz_message *to, int field, int64_t value) {
    varint(to, key(field, VARINT));
    varint(to, (uint64_t)value);
}

void dlz_message_float(dlz_message *to, int field, float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    unsigned char bytes[4];
    for (int i = 0; i < 4; i++)
        bytes[i] = (unsigned char)(bits >> 8 * i);
    varint(to, key(field, FOUR_BYTES));
    dlz_message_append(to, bytes, sizeof bytes);
}

void dlz_message_open(dlz_message *to, int field, uint64_t size) {
    varint(to, key(field, BYTES));
    varint(to, size);
}

void dlz_message_text(dlz_message *to, int field, const char *text) {
    size_t size = strlen(text);
    dlz_message_open(to, field, size);
    dlz_message_append(to, text, size);
}

void dlz_message_inside(dlz_message *to, int field, const dlz_message *inside) {
    to->failed |= inside->failed;
    dlz_message_open(to, field, inside->size);
    dlz_message_append(to, inside->bytes, inside->size);
}

uint64_t dlz_message_field_size(int field, uint64_t size) {
    unsigned char bytes[LONGEST];
    return encode(key(field, BYTES), bytes) + encode(size, bytes) + size;
}
