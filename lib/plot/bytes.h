/* plot/bytes.h - the bytes of a file in the making. A failure sticks: what is added later is lost,
 * and whoever takes the bytes asks for it. */
#ifndef DLZ_BYTES_H
#define DLZ_BYTES_H

#include <stdbool.h>
#include <stddef.h>

typedef struct dlz_bytes {
    unsigned char *data;
    size_t size, capacity;
    bool out_of_memory;
} dlz_bytes;

/* Room for `more` bytes behind the last; they count once `size` says so. NULL without memory. */
unsigned char *dlz_bytes_reserve(dlz_bytes *bytes, size_t more);
void dlz_bytes_add(dlz_bytes *bytes, const void *data, size_t length);
void dlz_bytes_add_text(dlz_bytes *bytes, const char *text);
/* A number with at most `decimals` (0 to 4) of them and none that are 0, whatever the locale. */
void dlz_bytes_add_number(dlz_bytes *bytes, double value, int decimals);
/* Valid UTF-8 as XML has it between tags or in an attribute's quotes. */
void dlz_bytes_add_xml(dlz_bytes *bytes, const char *text, size_t length);
void dlz_bytes_free(dlz_bytes *bytes);

#endif
