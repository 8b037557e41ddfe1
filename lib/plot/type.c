/* Text by Pango. What Pango would take from the locale or the environment is set here instead: the
 * kind of font map, the resolution, and the languages by which fonts are chosen. GLib, which Pango
 * is made of, ends the process where it gets no memory; so it is asked beforehand whether there is
 * some. */
#include "plot/type.h"
#include "base/base.h"
#include "plot/fonts.h"

#include <errno.h>
#include <fontconfig/fontconfig.h>
#include <math.h>
#include <pango/pangocairo.h>
#include <pango/pangofc-fontmap.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* What a figure's text takes: little memory, but Pango starts threads, and a thread's stack and heap
 * reserve the addresses of what they may come to need. */
static const size_t memory_of_text = (size_t)8 << 20;
static const size_t addresses_of_text = (size_t)(sizeof(void *) > 4 ? 320 : 32) << 20;

struct dlz_type {
    PangoFontMap *fonts;
    PangoContext *context;
    PangoLayout *layout;
    PangoFontDescription *plain, *bold;
    char *family;
    cairo_status_t status; /* the first failure of a font that was used */
    bool warned;           /* of letters that no font has */
};

/* ---- Is there memory? ------------------------------------------------------------------------- */

/* HarfBuzz, Pango and cairo go on without some of what they had no memory for, and say nothing:
 * letters that are not joined, boxes, a PDF without a font. What tells is errno, which malloc sets.
 * So it is 0 when a drawing begins, and looked at after each line and at the end. */
void dlz_type_note_failures(dlz_type *type) {
    if (errno == ENOMEM && type->status == CAIRO_STATUS_SUCCESS)
        type->status = CAIRO_STATUS_NO_MEMORY;
    errno = 0;
}

static dlviz_status check_memory(void) {
    void *probe = malloc(memory_of_text);
    free(probe);
    if (!probe)
        return dlz_fail_memory("the text of a figure", memory_of_text);
    void *place = mmap(NULL, addresses_of_text, PROT_NONE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (place == MAP_FAILED)
        return dlz_fail_memory(
            "addresses that the text of a figure reserves (ulimit -v limits them)",
            addresses_of_text);
    munmap(place, addresses_of_text);
    return DLVIZ_OK;
}

/* GLib also ends the process where it gets no thread. */
static void *do_nothing(void *argument) {
    return argument;
}

static dlviz_status begin_a_thread(void) {
    pthread_t thread;
    int error = pthread_create(&thread, NULL, do_nothing, NULL);
    if (error != 0) {
        errno = error;
        return dlz_fail(DLVIZ_ERROR_OUT_OF_MEMORY,
                        "cannot begin a thread, which the text of a figure takes (ulimit -u "
                        "limits their number): %m");
    }
    pthread_join(thread, NULL);
    return DLVIZ_OK;
}

/* ---- Languages ------------------------------------------------------------------------------- */

/* Fonts of one script differ by language; Pango asks the environment which one is meant. */
static const char *language_of(GUnicodeScript script, const char *chinese) {
    static const struct {
        GUnicodeScript script;
        const char *language;
    } known[] = {
        {G_UNICODE_SCRIPT_HAN, NULL},         {G_UNICODE_SCRIPT_HIRAGANA, "ja"},
        {G_UNICODE_SCRIPT_KATAKANA, "ja"},    {G_UNICODE_SCRIPT_HANGUL, "ko"},
        {G_UNICODE_SCRIPT_BOPOMOFO, "zh-tw"}, {G_UNICODE_SCRIPT_ARABIC, "ar"},
        {G_UNICODE_SCRIPT_HEBREW, "he"},      {G_UNICODE_SCRIPT_CYRILLIC, "ru"},
        {G_UNICODE_SCRIPT_GREEK, "el"},       {G_UNICODE_SCRIPT_DEVANAGARI, "hi"},
        {G_UNICODE_SCRIPT_BENGALI, "bn"},     {G_UNICODE_SCRIPT_TAMIL, "ta"},
        {G_UNICODE_SCRIPT_TELUGU, "te"},      {G_UNICODE_SCRIPT_GUJARATI, "gu"},
        {G_UNICODE_SCRIPT_GURMUKHI, "pa"},    {G_UNICODE_SCRIPT_THAI, "th"},
        {G_UNICODE_SCRIPT_ARMENIAN, "hy"},    {G_UNICODE_SCRIPT_GEORGIAN, "ka"},
        {G_UNICODE_SCRIPT_ETHIOPIC, "am"},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].script == script)
            return known[i].language ? known[i].language : chinese;
    return "en";
}

/* Chinese characters are Japanese beside kana, and Korean beside Hangul. */
static const char *language_of_han(const char *text, const char *end) {
    const char *found = "zh-cn";
    for (const char *at = text; at < end; at = g_utf8_next_char(at)) {
        GUnicodeScript script = g_unichar_get_script(g_utf8_get_char(at));
        if (script == G_UNICODE_SCRIPT_HIRAGANA || script == G_UNICODE_SCRIPT_KATAKANA)
            return "ja";
        if (script == G_UNICODE_SCRIPT_HANGUL)
            found = "ko";
    }
    return found;
}

static PangoAttrList *languages_of(const char *text, size_t length) {
    PangoAttrList *list = pango_attr_list_new();
    const char *end = text + length, *from = text, *language = "en", *han = NULL;
    for (const char *at = text; at <= end; at = at < end ? g_utf8_next_char(at) : at + 1) {
        GUnicodeScript script =
            at < end ? g_unichar_get_script(g_utf8_get_char(at)) : G_UNICODE_SCRIPT_UNKNOWN;
        if (script == G_UNICODE_SCRIPT_COMMON || script == G_UNICODE_SCRIPT_INHERITED)
            continue;
        if (script == G_UNICODE_SCRIPT_HAN && !han)
            han = language_of_han(text, end);
        const char *here = language_of(script, han);
        if (at < end && here == language)
            continue;
        if (at > from) {
            PangoAttribute *attribute =
                pango_attr_language_new(pango_language_from_string(language));
            attribute->start_index = (guint)(from - text);
            attribute->end_index = (guint)(at - text);
            pango_attr_list_insert(list, attribute);
        }
        from = at;
        language = here;
    }
    return list;
}

/* To the language of the text, fontconfig adds those of the locale; which font has a letter is not
 * to depend on them. */
static void keep_first_language(FcPattern *pattern, gpointer user) {
    (void)user;
    FcChar8 *first = NULL;
    if (FcPatternGetString(pattern, FC_LANG, 0, &first) != FcResultMatch)
        return;
    FcChar8 *kept = FcStrCopy(first);
    if (!kept)
        return;
    FcPatternDel(pattern, FC_LANG);
    FcPatternAddString(pattern, FC_LANG, kept);
    FcStrFree(kept);
}

/* ---- The typesetter -------------------------------------------------------------------------- */

/* Letters are placed alike in all formats and at all sizes: no hinting, no rounding. */
static void set_font_options(PangoContext *context) {
    cairo_font_options_t *options = cairo_font_options_create();
    cairo_font_options_set_antialias(options, CAIRO_ANTIALIAS_GRAY);
    cairo_font_options_set_hint_style(options, CAIRO_HINT_STYLE_NONE);
    cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF);
    pango_cairo_context_set_font_options(context, options);
    cairo_font_options_destroy(options);
    pango_context_set_round_glyph_positions(context, FALSE);
}

static PangoFontDescription *describe(bool bold) {
    PangoFontDescription *description = pango_font_description_new();
    pango_font_description_set_family_static(description, "sans-serif");
    pango_font_description_set_weight(description, bold ? PANGO_WEIGHT_BOLD : PANGO_WEIGHT_NORMAL);
    return description;
}

/* The first font's family. */
static dlviz_status find_family(dlz_type *type) {
    pango_font_description_set_absolute_size(type->plain, 12 * PANGO_SCALE);
    PangoFont *font = pango_context_load_font(type->context, type->plain);
    if (!font)
        return dlz_fail(DLVIZ_ERROR_UNSUPPORTED,
                        "Pango finds no font to draw a figure's text with");
    PangoFontDescription *description = pango_font_describe(font);
    const char *family = pango_font_description_get_family(description);
    type->family = dlz_strdup(family ? family : "sans-serif");
    pango_font_description_free(description);
    g_object_unref(font);
    return type->family ? DLVIZ_OK : dlz_fail_memory("a font's name", 64);
}

dlviz_status dlz_type_create(dlz_type **out) {
    *out = NULL;
    DLZ_TRY(check_memory());
    DLZ_TRY(begin_a_thread());
    DLZ_TRY(dlz_fonts_find());
    dlz_type *type = dlz_alloc_zero(sizeof *type);
    if (!type)
        return dlz_fail_memory("the text of a figure", sizeof *type);
    errno = 0;
    type->fonts = pango_cairo_font_map_new_for_font_type(CAIRO_FONT_TYPE_FT);
    if (!type->fonts) {
        dlz_type_destroy(type);
        return dlz_fail(DLVIZ_ERROR_UNSUPPORTED, "this build of Pango has no FreeType fonts");
    }
    pango_cairo_font_map_set_resolution((PangoCairoFontMap *)type->fonts, 72);
    pango_fc_font_map_set_default_substitute((PangoFcFontMap *)(void *)type->fonts,
                                             keep_first_language, NULL, NULL);
    type->context = pango_font_map_create_context(type->fonts);
    set_font_options(type->context);
    pango_context_set_language(type->context, pango_language_from_string("en"));
    type->layout = pango_layout_new(type->context);
    pango_layout_set_auto_dir(type->layout, FALSE);
    pango_layout_set_wrap(type->layout, PANGO_WRAP_WORD_CHAR);
    type->plain = describe(false);
    type->bold = describe(true);
    dlviz_status status = find_family(type);
    if (status == DLVIZ_OK)
        status = dlz_type_status(type);
    if (status != DLVIZ_OK) {
        dlz_type_destroy(type);
        return status;
    }
    *out = type;
    return DLVIZ_OK;
}

void dlz_type_destroy(dlz_type *type) {
    if (!type)
        return;
    if (type->layout)
        g_object_unref(type->layout);
    if (type->context)
        g_object_unref(type->context);
    if (type->plain)
        pango_font_description_free(type->plain);
    if (type->bold)
        pango_font_description_free(type->bold);
    if (type->fonts)
        g_object_unref(type->fonts);
    dlz_free(type->family);
    dlz_free(type);
}

dlviz_status dlz_type_status(dlz_type *type) {
    dlz_type_note_failures(type);
    if (type->status == CAIRO_STATUS_SUCCESS)
        return DLVIZ_OK;
    if (type->status == CAIRO_STATUS_NO_MEMORY)
        return dlz_fail(DLVIZ_ERROR_OUT_OF_MEMORY,
                        "out of memory while drawing the text of a figure");
    return dlz_fail(DLVIZ_ERROR_UNSUPPORTED, "cairo cannot draw the text of a figure: %s",
                    cairo_status_to_string(type->status));
}

const char *dlz_type_family(const dlz_type *type) {
    return type->family;
}

static bool is_leftward_script(GUnicodeScript script) {
    static const GUnicodeScript known[] = {
        G_UNICODE_SCRIPT_ARABIC,  G_UNICODE_SCRIPT_HEBREW,     G_UNICODE_SCRIPT_SYRIAC,
        G_UNICODE_SCRIPT_THAANA,  G_UNICODE_SCRIPT_NKO,        G_UNICODE_SCRIPT_SAMARITAN,
        G_UNICODE_SCRIPT_ADLAM,   G_UNICODE_SCRIPT_MANDAIC,    G_UNICODE_SCRIPT_IMPERIAL_ARAMAIC,
        G_UNICODE_SCRIPT_AVESTAN, G_UNICODE_SCRIPT_PHOENICIAN, G_UNICODE_SCRIPT_MENDE_KIKAKUI,
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i] == script)
            return true;
    return false;
}

/* The first letter decides, or the first of the marks that are there to decide. */
bool dlz_type_leftwards(const char *text, size_t length) {
    const gunichar leftward_mark = 0x200F, arabic_mark = 0x061C, rightward_mark = 0x200E;
    for (const char *at = text; at < text + length; at = g_utf8_next_char(at)) {
        gunichar letter = g_utf8_get_char(at);
        if (letter == leftward_mark || letter == arabic_mark)
            return true;
        if (letter == rightward_mark)
            return false;
        if (g_unichar_isalpha(letter))
            return is_leftward_script(g_unichar_get_script(letter));
    }
    return false;
}

/* ---- Lines ----------------------------------------------------------------------------------- */

const char dlz_ellipsis[] = {'\xE2', '\x80', '\xA6'};

static bool is_plain(const dlz_text_line *line) {
    for (size_t i = 0; i < line->length; i++)
        if ((unsigned char)line->text[i] >= 0x80)
            return false;
    return true;
}

/* Pango draws boxes with a font that failed, and says nothing. */
static void check_fonts(dlz_type *type, PangoLayoutLine *line) {
    for (GSList *at = line->runs; at && type->status == CAIRO_STATUS_SUCCESS; at = at->next) {
        PangoFont *font = ((PangoLayoutRun *)at->data)->item->analysis.font;
        if (!PANGO_IS_CAIRO_FONT(font))
            continue;
        cairo_scaled_font_t *scaled =
            pango_cairo_font_get_scaled_font((PangoCairoFont *)(void *)font);
        type->status = scaled ? cairo_scaled_font_status(scaled) : CAIRO_STATUS_NO_MEMORY;
    }
}

/* Boxes with numbers in them stand for letters that no font has. Told once for a drawing. */
static void warn_of_boxes(dlz_type *type, const dlz_text_line *line) {
    if (type->warned || pango_layout_get_unknown_glyphs_count(type->layout) == 0)
        return;
    type->warned = true;
    int length = line->length < 200
                     ? (int)line->length
                     : (int)(g_utf8_find_prev_char(line->text, line->text + 200) - line->text);
    dlz_log(DLVIZ_LOG_LEVEL_WARNING,
            "no font here has all letters of '%.*s': the figure shows boxes in their place (fonts "
            "that fontconfig finds are used; Debian has fonts-noto-core and fonts-noto-cjk)",
            length, line->text);
    errno = 0;
}

/* U+FDD0 to U+FDEF, and the last two of each plane. */
static bool is_noncharacter(gunichar letter) {
    return (letter & 0xFFFE) == 0xFFFE || (letter >= 0xFDD0 && letter <= 0xFDEF);
}

static bool has_noncharacters(const char *text, size_t length) {
    for (const char *at = text; at < text + length; at = g_utf8_next_char(at))
        if (is_noncharacter(g_utf8_get_char(at)))
            return true;
    return false;
}

bool dlz_type_replace(const char *text, size_t length, char **replaced) {
    *replaced = NULL;
    if (!has_noncharacters(text, length))
        return true;
    char *copy = dlz_alloc(length + 1);
    if (!copy)
        return false;
    memcpy(copy, text, length);
    copy[length] = '\0';
    for (char *at = copy; at < copy + length; at = g_utf8_next_char(at)) {
        gunichar letter = g_utf8_get_char(at);
        if (is_noncharacter(letter))
            g_unichar_to_utf8(letter > 0xFFFF ? (letter & ~(gunichar)3) | 1 : 0xFFFD, at);
    }
    *replaced = copy;
    return true;
}

static void set_text(dlz_type *type, const dlz_text_line *line) {
    char *replaced = NULL;
    bool plain = is_plain(line);
    if (!plain && !dlz_type_replace(line->text, line->length, &replaced))
        type->status = CAIRO_STATUS_NO_MEMORY;
    pango_layout_set_text(type->layout, replaced ? replaced : line->text, (int)line->length);
    dlz_free(replaced);
    PangoAttrList *languages = plain ? NULL : languages_of(line->text, line->length);
    pango_layout_set_attributes(type->layout, languages);
    if (languages)
        pango_attr_list_unref(languages);
}

/* The layout's first line; it belongs to the layout. `most` below 0: all in one line. */
static PangoLayoutLine *set_line(dlz_type *type, const dlz_text_line *line, double most) {
    PangoFontDescription *font = line->bold ? type->bold : type->plain;
    pango_font_description_set_absolute_size(font, line->size * PANGO_SCALE);
    PangoDirection direction = line->leftwards ? PANGO_DIRECTION_RTL : PANGO_DIRECTION_LTR;
    if (pango_context_get_base_dir(type->context) != direction) {
        pango_context_set_base_dir(type->context, direction);
        pango_layout_context_changed(type->layout);
    }
    pango_layout_set_font_description(type->layout, font);
    pango_layout_set_width(type->layout, most < 0 ? -1 : (int)floor(most * PANGO_SCALE));
    set_text(type, line);
    return pango_layout_get_line_readonly(type->layout, 0);
}

double dlz_type_width(dlz_type *type, const dlz_text_line *line) {
    if (line->length == 0 || !(line->size > 0))
        return 0;
    PangoRectangle logical;
    dlz_type_note_failures(type);
    PangoLayoutLine *set = set_line(type, line, -1);
    check_fonts(type, set);
    pango_layout_line_get_extents(set, NULL, &logical);
    dlz_type_note_failures(type);
    return (double)logical.width / PANGO_SCALE;
}

size_t dlz_type_break(dlz_type *type, const dlz_text_line *line, double most) {
    dlz_type_note_failures(type);
    const PangoLayoutLine *set = set_line(type, line, fmax(most, 1));
    dlz_type_note_failures(type);
    return set->length > 0 ? (size_t)set->length : line->length;
}

static double cut_width(dlz_type *type, const dlz_text_line *line, size_t length, char *buffer) {
    memcpy(buffer, line->text, length);
    memcpy(buffer + length, dlz_ellipsis, sizeof dlz_ellipsis);
    dlz_text_line part = *line;
    part.text = buffer;
    part.length = length + sizeof dlz_ellipsis;
    return dlz_type_width(type, &part);
}

size_t dlz_type_cut(dlz_type *type, const dlz_text_line *line, double most) {
    size_t *ends = dlz_alloc_array(line->length + 1, sizeof *ends);
    char *buffer = dlz_alloc(line->length + sizeof dlz_ellipsis);
    size_t cut = 0;
    if (!ends || !buffer) {
        type->status = CAIRO_STATUS_NO_MEMORY;
    } else {
        /* Where the cursor may stand, but not behind a space. */
        set_line(type, line, -1);
        int count = 0, num_ends = 0;
        const PangoLogAttr *places = pango_layout_get_log_attrs_readonly(type->layout, &count);
        const char *at = line->text;
        for (int i = 0; i < count && at < line->text + line->length; i++) {
            if (places[i].is_cursor_position && (i == 0 || !places[i - 1].is_white))
                ends[num_ends++] = (size_t)(at - line->text);
            at = g_utf8_next_char(at);
        }
        /* The last of them that fits; the first is 0, and stays where nothing fits. */
        int low = 0, high = num_ends;
        while (high - low > 1) {
            int middle = (low + high) / 2;
            if (cut_width(type, line, ends[middle], buffer) <= most)
                low = middle;
            else
                high = middle;
        }
        /* Letters that change shape with their neighbors make widths that do not always grow. */
        while (low > 0 && cut_width(type, line, ends[low], buffer) > most)
            low--;
        cut = num_ends > 0 ? ends[low] : 0;
    }
    dlz_free(ends);
    dlz_free(buffer);
    return cut;
}

void dlz_type_draw(dlz_type *type, cairo_t *cr, double x, double y, const dlz_text_line *line) {
    dlz_type_note_failures(type);
    PangoLayoutLine *set = set_line(type, line, -1);
    check_fonts(type, set);
    cairo_move_to(cr, x, y);
    pango_cairo_show_layout_line(cr, set);
    dlz_type_note_failures(type);
    warn_of_boxes(type, line);
}

void dlz_type_outline(dlz_type *type, cairo_t *cr, double x, double y, const dlz_text_line *line) {
    dlz_type_note_failures(type);
    PangoLayoutLine *set = set_line(type, line, -1);
    check_fonts(type, set);
    cairo_move_to(cr, x, y);
    pango_cairo_layout_line_path(cr, set);
    dlz_type_note_failures(type);
}
