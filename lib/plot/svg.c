/* What cairo's SVG writer leaves to wish for: it draws letters as shapes, numbers things through the
 * life of the process, and writes dots twice. */
#include "plot/svg.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

/* ---- Text ------------------------------------------------------------------------------------ */

static void add_attribute(dlz_bytes *to, const char *name, double value) {
    dlz_bytes_add_text(to, " ");
    dlz_bytes_add_text(to, name);
    dlz_bytes_add_text(to, "=\"");
    dlz_bytes_add_number(to, value, 2);
    dlz_bytes_add_text(to, "\"");
}

static void add_color(dlz_bytes *to, dlz_color color) {
    static const char digits[] = "0123456789abcdef";
    const double parts[] = {color.r, color.g, color.b};
    char text[] = " fill=\"#000000\"";
    for (int i = 0; i < 3; i++) {
        int level = (int)lround(255 * parts[i]);
        text[8 + 2 * i] = digits[level / 16];
        text[9 + 2 * i] = digits[level % 16];
    }
    dlz_bytes_add_text(to, text);
}

/* An anchor keeps the text in its place where a viewer knows nothing of its length. For text that
 * runs leftwards the start is at the right. */
static const char *anchor(const dlz_text_line *line, double align) {
    if (align > 0.25 && align < 0.75)
        return " text-anchor=\"middle\"";
    return (align >= 0.75) != line->leftwards ? " text-anchor=\"end\"" : "";
}

void dlz_svg_add_text(const dlz_canvas *canvas, double x, double y, const dlz_text_line *line,
                      double width, const dlz_style *style) {
    dlz_bytes *to = canvas->svg_text;
    double scale = 1, none = 0;
    cairo_user_to_device(canvas->cr, &x, &y);
    cairo_user_to_device_distance(canvas->cr, &scale, &none);
    dlz_bytes_add_text(to, "<text");
    add_attribute(to, "x", x);
    add_attribute(to, "y", y + DLZ_BASELINE_DROP * line->size * scale);
    add_attribute(to, "font-size", line->size * scale);
    if (line->bold)
        dlz_bytes_add_text(to, " font-weight=\"bold\"");
    add_color(to, style->color);
    dlz_bytes_add_text(to, anchor(line, style->align));
    if (line->leftwards)
        dlz_bytes_add_text(to, " direction=\"rtl\"");
    add_attribute(to, "textLength", width * scale);
    dlz_bytes_add_text(to, " lengthAdjust=\"spacingAndGlyphs\"");
    if (style->turn != 0) {
        dlz_bytes_add_text(to, " transform=\"rotate(");
        dlz_bytes_add_number(to, style->turn * 180 / M_PI, 2);
        dlz_bytes_add_text(to, " ");
        dlz_bytes_add_number(to, x, 2);
        dlz_bytes_add_text(to, " ");
        dlz_bytes_add_number(to, y, 2);
        dlz_bytes_add_text(to, ")\"");
    }
    if (style->halo > 0) {
        dlz_bytes_add_text(to, " stroke=\"#fff\" stroke-linejoin=\"round\" paint-order=\"stroke\"");
        add_attribute(to, "stroke-opacity", DLZ_HALO_OPACITY);
        add_attribute(to, "stroke-width", 2 * style->halo * scale);
    }
    dlz_bytes_add_text(to, ">");
    dlz_bytes_add_xml(to, line->text, line->length);
    dlz_bytes_add_text(to, "</text>\n");
}

/* ---- Cairo's part ---------------------------------------------------------------------------- */

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
    to[1 + length] = 'h';
    to[2 + length] = '0';
    *written = length + 3;
    return whole;
}

static void tidy(dlz_bytes *bytes) {
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

/* ---- The document ---------------------------------------------------------------------------- */

static void add_element(dlz_bytes *to, const char *name, const char *text, size_t length) {
    dlz_bytes_add_text(to, "<");
    dlz_bytes_add_text(to, name);
    dlz_bytes_add_text(to, ">");
    dlz_bytes_add_xml(to, text, length);
    dlz_bytes_add_text(to, "</");
    dlz_bytes_add_text(to, name);
    dlz_bytes_add_text(to, ">\n");
}

/* Where the first element's tag ends, and where its end begins. */
static bool find_root(const dlz_bytes *file, size_t *begin, size_t *end) {
    static const char first[] = "<svg", last[] = "</svg>";
    const unsigned char *tag = memmem(file->data, file->size, first, sizeof first - 1);
    if (!tag)
        return false;
    const unsigned char *close = memchr(tag, '>', file->size - (size_t)(tag - file->data));
    if (!close)
        return false;
    *begin = (size_t)(close - file->data) + 1;
    for (*end = file->size - (sizeof last - 1); *end > *begin; --*end)
        if (memcmp(file->data + *end, last, sizeof last - 1) == 0)
            return true;
    return false;
}

void dlz_svg_complete(dlz_bytes *file, const dlz_canvas *canvas, const char *title,
                      const dlz_bytes *description) {
    size_t begin, end;
    tidy(file);
    if (file->out_of_memory || !find_root(file, &begin, &end))
        return;
    dlz_bytes whole = {0};
    dlz_bytes_reserve(&whole, file->size + canvas->svg_text->size + description->size + 4096);
    dlz_bytes_add(&whole, file->data, begin);
    dlz_bytes_add_text(&whole, "\n");
    if (title)
        add_element(&whole, "title", title, strlen(title));
    add_element(&whole, "desc", (const char *)description->data, description->size);
    dlz_bytes_add(&whole, file->data + begin + (file->data[begin] == '\n'),
                  end - begin - (file->data[begin] == '\n'));
    if (canvas->svg_text->size > 0) {
        const char *family = dlz_type_family(canvas->type);
        dlz_bytes_add_text(&whole, "<g font-family=\"");
        if (!strpbrk(family, "'\\") && strcmp(family, "DejaVu Sans") != 0) {
            dlz_bytes_add_text(&whole, "'");
            dlz_bytes_add_xml(&whole, family, strlen(family));
            dlz_bytes_add_text(&whole, "', ");
        }
        dlz_bytes_add_text(&whole, "'DejaVu Sans', Verdana, sans-serif\" "
                                   "xml:space=\"preserve\" style=\"white-space:pre\">\n");
        dlz_bytes_add(&whole, canvas->svg_text->data, canvas->svg_text->size);
        dlz_bytes_add_text(&whole, "</g>\n");
    }
    dlz_bytes_add(&whole, file->data + end, file->size - end);
    whole.out_of_memory |= canvas->svg_text->out_of_memory || description->out_of_memory;
    dlz_bytes_free(file);
    *file = whole;
}
