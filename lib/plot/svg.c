/* What cairo's SVG writer leaves to wish for. */
#include "plot/output.h"

#include <ctype.h>
#include <string.h>

enum { MOST_IDS = 9 };

typedef struct id_list {
    unsigned long seen[MOST_IDS];
    int count;
} id_list;

/* The length of a name that cairo numbers through the life of the process: surface5 and image6
 * until version 1.16, source-7 in 1.18. What else has a number (glyph-0-3, clip-1, …) begins anew
 * in every file. */
static size_t numbered_name(const unsigned char *from, size_t left) {
    static const char *const names[] = {"surface", "image", "source-"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t length = strlen(names[i]);
        if (left > length && memcmp(from, names[i], length) == 0 && isdigit(from[length]))
            return length;
    }
    return 0;
}

/* Such names count from 1 here, in the order of the file. New numbers have no more digits than old
 * ones: a figure has fewer than ten. Returns how many bytes of the old text were replaced, 0 where
 * there is no such number. */
static size_t renumber(id_list *ids, const unsigned char *from, size_t left, unsigned char *to,
                       size_t *written) {
    size_t word = numbered_name(from, left);
    if (word == 0)
        return 0;
    size_t end = word;
    unsigned long number = 0;
    while (end < left && isdigit(from[end]))
        number = 10 * number + (unsigned long)(from[end++] - '0');
    int index = 0;
    while (index < ids->count && ids->seen[index] != number)
        index++;
    if (index == ids->count) {
        if (index == MOST_IDS)
            return 0;
        ids->seen[ids->count++] = number;
    }
    memmove(to, from, word);
    to[word] = (unsigned char)('1' + index);
    *written = word + 1;
    return end;
}

/* "M 12.5 3 L 12.5 3 ", a dot drawn as a line without length, becomes "M12.5 3h0": half of what a
 * map of points takes. Returns as renumber does. */
static size_t shorten_dot(const unsigned char *from, size_t left, unsigned char *to,
                          size_t *written) {
    enum { LONGEST = 64 };
    if (left < 9 || from[0] != 'M' || from[1] != ' ')
        return 0;
    const unsigned char *place = from + 2;
    const unsigned char *line = memchr(place, 'L', left - 2 < LONGEST ? left - 2 : LONGEST);
    if (!line || line[-1] != ' ')
        return 0;
    size_t length = (size_t)(line - 1 - place), whole = 2 + length + 3 + length + 1;
    if (whole > left || memcmp(line + 2, place, length) != 0 || line[2 + length] != ' ')
        return 0;
    to[0] = 'M';
    memmove(to + 1, place, length);
    memcpy(to + 1 + length, "h0", 2);
    *written = length + 3;
    return whole;
}

void dlz_svg_tidy(dlz_bytes *bytes) {
    id_list ids = {0};
    unsigned char *data = bytes->data, before = 0;
    size_t to = 0, at = 0;
    while (at < bytes->size) {
        size_t written = 0, taken = 0;
        if (before == '"' || before == '#')
            taken = renumber(&ids, data + at, bytes->size - at, data + to, &written);
        if (taken == 0 && (before == '"' || before == ' '))
            taken = shorten_dot(data + at, bytes->size - at, data + to, &written);
        if (taken == 0) {
            before = data[at];
            data[to++] = data[at++];
            continue;
        }
        before = data[at + taken - 1];
        to += written;
        at += taken;
    }
    bytes->size = to;
}
