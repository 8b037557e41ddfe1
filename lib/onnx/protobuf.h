/* onnx/protobuf.h - the few kinds of fields that an ONNX model is made of, as protobuf writes them: a
 * field is its number with how it is written, then its value. A message inside another is a field
 * of bytes. */
#ifndef DLZ_ONNX_PROTOBUF_H
#define DLZ_ONNX_PROTOBUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A message being written; all zero at first. Once memory was lacking, `failed` is set and nothing is
 * written any more, so that one check at the end is enough. */
typedef struct dlz_message {
    unsigned char *bytes;
    size_t size, room;
    bool failed;
} dlz_message;

void dlz_message_release(dlz_message *message);
/* Empties it and keeps its memory. */
void dlz_message_clear(dlz_message *message);

void dlz_message_integer(dlz_message *to, int field, int64_t value);
void dlz_message_float(dlz_message *to, int field, float value);
void dlz_message_text(dlz_message *to, int field, const char *text);
void dlz_message_inside(dlz_message *to, int field, const dlz_message *inside);
/* The bytes of such a field are `size` more, which the caller appends. */
void dlz_message_open(dlz_message *to, int field, uint64_t size);
void dlz_message_append(dlz_message *to, const void *bytes, size_t size);
/* What a field of so many bytes takes: these, and those that say what follows. */
uint64_t dlz_message_field_size(int field, uint64_t size);

#endif
