/* support/page.h - a written page, taken apart without the library: its JSON by jansson, its numbers by a
 * base64 of this file's, its picture by zlib. */
#ifndef DLZ_TESTS_PAGE_H
#define DLZ_TESTS_PAGE_H

#include "support/support.h"

#include <jansson.h>

typedef struct page {
    char *bytes; /* the whole file */
    size_t size;
    json_t *root;
    const char *sprite; /* base64 */
    size_t sprite_length;
} page;

/* Asserts that each of the two blocks is there once. */
page page_of(const dlviz_report *report);
void page_close(page *p);

const json_t *page_run(const page *p, size_t index);
/* These assert that the value is one of its kind. */
const char *page_text(const json_t *value);
int64_t page_integer(const json_t *value);
/* What a base64 text stands for; free() it. */
uint8_t *page_bytes(const json_t *value, size_t *size);
/* Number `index` of `size` bytes, the lowest first. */
int64_t page_number(const uint8_t *bytes, int64_t index, int size);

typedef struct picture {
    int64_t height, width, channels; /* 1 or 3 */
    uint8_t *pixels;                 /* 8 bits each; free() */
} picture;

picture page_picture(const page *p);

#endif
