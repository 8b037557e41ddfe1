/* report/encode.h - texts and numbers in the page: JSON, HTML, base64. Failures are kept by the file,
 * whose commit reports them. */
#ifndef DLZ_REPORT_ENCODE_H
#define DLZ_REPORT_ENCODE_H

#include "base/file.h"

/* A JSON string with its quotes. Nothing in it can end the element that it stands in: '<' is written
 * as an escape. */
void dlz_encode_json(dlz_file *file, const char *text);
/* Text between tags or in an attribute. Control characters, and those that would turn the direction of
 * what follows, are left out. */
void dlz_encode_html(dlz_file *file, const char *text);
/* With the digits, 17 at most, that tell it from any other: a program that rounds what it has itself, and the
 * page, which rounds what it reads, show the same. null for what is not finite. */
void dlz_encode_number(dlz_file *file, double value);

/* Base64, without quotes, of bytes, or of unsigned numbers of `size` bytes as numbers of `written`
 * bytes that begin with the lowest. */
void dlz_encode_bytes(dlz_file *file, const void *bytes, size_t size);
void dlz_encode_numbers(dlz_file *file, const void *numbers, int64_t count, int size, int written);
/* How long that is. */
uint64_t dlz_encoded_size(uint64_t bytes);

/* What base64 stands for: `size` bytes exactly. False where it is anything else. */
bool dlz_decode_bytes(const char *text, size_t length, void *bytes, size_t size);

#endif
