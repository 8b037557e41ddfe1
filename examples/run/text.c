#include "text.h"

#include <dlviz.h>
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
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

bool is_utf8(const char *text) {
    size_t length = 1;
    for (; *text && length > 0; text += length)
        length = length_of(text);
    return length > 0;
}

/* -- Sentences of the library ----------------------------------------------------------------------
 */

enum { SENTENCE_SIZE = 2048 };

/* What is said otherwise to those who have a command line. */
static const struct {
    const char *library, *here;
} translations[] = {
    {"dlviz_image_reader_set_skip_unreadable", "--skip-unreadable"},
    {"dlviz_image_reader_set_size", "--image-size"},
    {"; dlviz_npz_open reads .npz files", ", whose name ends in .npz"},
    {"read it with dlviz_tensor_read_npy_shifted, or subtract", "subtract"},
    {"read it with dlviz_tensor_read_csv_shifted, or subtract", "subtract"},
    {", as dlviz_network_save and Python's safetensors.torch.save_file write it", ""},
    {"'points' has ", "it has "},
    {"; the fit had ", "; the points of the map have "}};

/* Puts `here`, which is no longer than it, in the place of a part of a text. */
static void put(char *at, size_t length, const char *here) {
    size_t own = strlen(here);
    memmove(at + own, at + length, strlen(at + length) + 1);
    memcpy(at, here, own);
}

static size_t length_of_name(const char *name) {
    size_t length = 0;
    while (isalnum((unsigned char)name[length]) || name[length] == '_')
        length++;
    return length;
}

/* Whether something stands in quotes, as the paths do that people give. What opens them has no
 * letter before it, and what closes them none behind: others are apostrophes ("the network's"). */
static bool is_quoted(const char *text, const char *at) {
    bool quoted = false;
    for (const char *next = text; next < at; next++) {
        bool before = next > text && isalnum((unsigned char)next[-1]);
        bool behind = isalnum((unsigned char)next[1]);
        if (*next == '\'' && (quoted ? !behind : !before))
            quoted = !quoted;
    }
    return quoted;
}

/* Leaves out the part of a sentence that names a function: up to the next semicolon, or in brackets. */
static void leave_out(char *text, char *name) {
    char *start = name;
    while (start > text && strncmp(start, "; ", 2) != 0 && strncmp(start, ", ", 2) != 0 &&
           strncmp(start, " (", 2) != 0)
        start--;
    if (start == text) /* it is the whole */
        return;
    char *end = strstr(name, start[1] == '(' ? ")" : "; ");
    put(start, end ? (size_t)(end - start) + (start[1] == '(') : strlen(start), "");
}

const char *plain_sentence(const char *sentence) {
    static char text[SENTENCE_SIZE];
    snprintf(text, sizeof text, "%s", sentence);
    size_t name = strncmp(text, "dlviz_", 6) == 0 ? length_of_name(text) : 0;
    if (name > 0 && strncmp(text + name, ": ", 2) == 0)
        put(text, name + 2, "");
    for (size_t i = 0; i < sizeof translations / sizeof *translations; i++) {
        char *at = strstr(text, translations[i].library);
        if (at && !is_quoted(text, at))
            put(at, strlen(translations[i].library), translations[i].here);
    }
    for (char *at = strstr(text, "dlviz_"); at; at = strstr(at + 1, "dlviz_"))
        if (!is_quoted(text, at)) {
            size_t before = strlen(text);
            leave_out(text, at);
            if (strlen(text) < before)
                at = text;
        }
    return text;
}

const char *plain_error(void) {
    return plain_sentence(dlviz_last_error());
}
