#include "text.h"

#include <string.h>

/* The bytes of the character that a text begins with; 0 if it is no UTF-8. */
static size_t length_of(const char *text) {
    const unsigned char *s = (const unsigned char *)text;
    if (s[0] < 0x80)
        return 1;
    size_t length = s[0] >= 0xc2 && s[0] <= 0xdf   ? 2
                    : s[0] >= 0xe0 && s[0] <= 0xef ? 3
                    : s[0] >= 0xf0 && s[0] <= 0xf4 ? 4
                                                   : 0;
    /* Neither forms that are longer than they need be, nor surrogates, nor what lies beyond U+10FFFF. */
    unsigned char low = s[0] == 0xe0 ? 0xa0 : s[0] == 0xf0 ? 0x90 : 0x80;
    unsigned char high = s[0] == 0xed ? 0x9f : s[0] == 0xf4 ? 0x8f : 0xbf;
    if (length == 0 || s[1] < low || s[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    return length;
}

void copy_text(char *to, size_t size, const char *from) {
    static const char more[] = "…";
    size_t used = 0, whole = 0; /* whole: up to where the mark of what is left out has room, too */
    while (*from) {
        size_t length = length_of(from), bytes = length ? length : 1;
        if (used + bytes >= size) {
            memcpy(to + whole, more, sizeof more);
            return;
        }
        if (length == 0)
            to[used] = '?';
        else if ((unsigned char)*from < ' ' || *from == 0x7f)
            to[used] = ' ';
        else
            memcpy(to + used, from, bytes);
        used += bytes;
        from += bytes;
        if (used + sizeof more <= size)
            whole = used;
    }
    to[used] = '\0';
}
