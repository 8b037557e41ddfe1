/* support/tiny_font.h - a TrueType font of one letter, a black square as large as the font, so that
 * a test knows whether a font that has a letter is found and used. */
#ifndef DLZ_TESTS_TINY_FONT_H
#define DLZ_TESTS_TINY_FONT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct tiny_font {
    unsigned char bytes[1024];
    size_t size;
} tiny_font;

static inline void put_numbers(tiny_font *font, int count, const int *numbers) {
    for (int i = 0; i < count; i++) {
        font->bytes[font->size++] = (unsigned char)(numbers[i] >> 8 & 0xFF);
        font->bytes[font->size++] = (unsigned char)(numbers[i] & 0xFF);
    }
}

#define PUT(font, ...)                                                                             \
    put_numbers(font, sizeof((const int[]){__VA_ARGS__}) / sizeof(int), (const int[]){__VA_ARGS__})

/* Notes in the directory where a table begins; the one before ends there. */
static inline void begin_table(tiny_font *font, int index, const char *tag) {
    while (font->size % 4 != 0)
        font->bytes[font->size++] = 0;
    unsigned char *entry = font->bytes + 12 + 16 * index;
    memcpy(entry, tag, 4);
    entry[10] = (unsigned char)(font->size >> 8);
    entry[11] = (unsigned char)(font->size & 0xFF);
}

/* A font whose family is "Tiny" and whose only letter is that of the Basic Multilingual Plane. */
static inline void make_tiny_font(tiny_font *font, int letter) {
    enum { TABLES = 8, EM = 1000 };
    static const char *const tags[TABLES] = {"cmap", "glyf", "head", "hhea",
                                             "hmtx", "loca", "maxp", "name"};
    memset(font, 0, sizeof *font);
    PUT(font, 1, 0, TABLES, 128, 3, 0);
    /* The checksum that nobody checks, the offset, and lengths below 64 KiB. */
    font->size = 12 + 16 * TABLES;
    for (int t = 0; t < TABLES; t++) {
        begin_table(font, t, tags[t]);
        size_t first = font->size;
        switch (t) {
        case 0: /* Windows, Unicode; two segments: the letter, and the end */
            PUT(font, 0, 1, 3, 1, 0, 12);
            PUT(font, 4, 32, 0, 4, 4, 1, 0, letter, 0xFFFF, 0, letter, 0xFFFF, 1 - letter, 1, 0, 0);
            break;
        case 1: /* one outline of four points, at whole words from each other */
            PUT(font, 1, 0, 0, EM, EM, 3, 0, 0x0101, 0x0101, 0, 0, EM, 0, 0, EM, 0, -EM);
            break;
        case 2:
            PUT(font, 1, 0, 1, 0, 0, 0, 0x5F0F, 0x3CF5, 3, EM, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, EM,
                EM);
            PUT(font, 0, 8, 2, 0, 0);
            break;
        case 3:
            PUT(font, 1, 0, EM, 0, 0, EM, 0, 0, EM, 1, 0, 0, 0, 0, 0, 0, 0, 2);
            break;
        case 4:
            PUT(font, EM, 0, EM, 0);
            break;
        case 5: /* in words; the glyph for what is missing is empty */
            PUT(font, 0, 0, 17);
            break;
        case 6:
            PUT(font, 1, 0, 2, 4, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0);
            break;
        default:
            PUT(font, 0, 2, 30, 3, 1, 0x409, 1, 8, 0, 3, 1, 0x409, 2, 8, 0);
            PUT(font, 'T', 'i', 'n', 'y');
        }
        size_t length = font->size - first;
        font->bytes[12 + 16 * t + 14] = (unsigned char)(length >> 8);
        font->bytes[12 + 16 * t + 15] = (unsigned char)(length & 0xFF);
    }
}

#endif
