/* Where fontconfig lacks memory while it reads its settings, it leaves out the rule, the file or
 * the folder, and says so on standard error alone; what it has read it keeps for as long as the
 * process lives. All figures would then be drawn in other fonts. errno tells only that some call
 * has failed, for files that are looked for and missing take the place of ENOMEM in it; so what
 * was read is compared with what a second reading gives. Files, folders and fonts are compared
 * one by one, rules by what they make of requests for a figure's text, for fontconfig does not
 * show them: one that makes nothing of these, such as a rule for a single size, could still be
 * missing. */
#include "plot/fonts.h"
#include "base/base.h"
#include "base/fork.h"

#include <errno.h>
#include <fontconfig/fontconfig.h>
#include <pthread.h>
#include <string.h>

/* Settings that were read within dlz_fonts_find, and have not been compared yet. */
static struct {
    pthread_mutex_t lock;
    bool doubtful;
} current = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void after_fork(void) {
    pthread_mutex_init(&current.lock, NULL);
}

DLZ_AFTER_FORK(after_fork)

/* ---- Comparing ------------------------------------------------------------------------------- */

/* Takes the lists over. */
static bool same_names(FcStrList *first, FcStrList *second) {
    bool same = first && second;
    while (same) {
        const FcChar8 *a = FcStrListNext(first), *b = FcStrListNext(second);
        if (!a && !b)
            break;
        same = a && b && FcStrCmp(a, b) == 0;
    }
    if (first)
        FcStrListDone(first);
    if (second)
        FcStrListDone(second);
    return same;
}

/* Of a file that was found, all rules are missing where its XML could not be taken apart. */
static bool same_rule_files(FcConfig *first, FcConfig *second) {
#if FC_VERSION >= 21291
    FcConfigFileInfoIter at[2];
    FcConfig *const configs[] = {first, second};
    for (int i = 0; i < 2; i++)
        FcConfigFileInfoIterInit(configs[i], &at[i]);
    for (;;) {
        FcChar8 *names[2] = {NULL, NULL};
        FcBool there[2], used[2] = {FcFalse, FcFalse};
        for (int i = 0; i < 2; i++)
            there[i] = FcConfigFileInfoIterGet(configs[i], &at[i], &names[i], NULL, &used[i]);
        bool same = there[0] == there[1] && used[0] == used[1] &&
                    (!there[0] || (names[0] && names[1] && FcStrCmp(names[0], names[1]) == 0));
        for (int i = 0; i < 2; i++)
            FcStrFree(names[i]);
        if (!same || !there[0])
            return same;
        for (int i = 0; i < 2; i++)
            FcConfigFileInfoIterNext(configs[i], &at[i]);
    }
#else
    (void)first;
    (void)second;
    return true;
#endif
}

/* FcPatternEqual crashes on fonts of two caches (fontconfig 2.14): these are compared without
 * it. */
static bool same_font(const FcPattern *first, const FcPattern *second) {
    FcChar8 *files[2] = {NULL, NULL};
    int indexes[2] = {0, 0};
    const FcPattern *const fonts[] = {first, second};
    if (first == second)
        return true;
    for (int i = 0; i < 2; i++)
        if (FcPatternGetString(fonts[i], FC_FILE, 0, &files[i]) != FcResultMatch ||
            FcPatternGetInteger(fonts[i], FC_INDEX, 0, &indexes[i]) != FcResultMatch)
            return false;
    return FcStrCmp(files[0], files[1]) == 0 && indexes[0] == indexes[1] &&
           FcPatternHash(first) == FcPatternHash(second);
}

static bool same_fonts(const FcFontSet *first, const FcFontSet *second) {
    if (!first || !second)
        return first == second;
    bool same = first->nfont == second->nfont;
    for (int i = 0; i < first->nfont && same; i++)
        same = same_font(first->fonts[i], second->fonts[i]);
    return same;
}

/* In all languages at once, for the rules that are about one of them. */
static bool add_languages(FcPattern *pattern) {
    FcStrSet *all = FcGetLangs();
    FcStrList *list = all ? FcStrListCreate(all) : NULL;
    bool done = list;
    const FcChar8 *language;
    while (done && (language = FcStrListNext(list)))
        done = FcPatternAddString(pattern, FC_LANG, language);
    if (list)
        FcStrListDone(list);
    if (all)
        FcStrSetDestroy(all);
    return done;
}

/* What a figure's text is set in; NULL for want of memory. */
static FcPattern *make_request(int weight, bool all_languages) {
    FcPattern *request = FcPatternCreate();
    if (!request)
        return NULL;
    if (FcPatternAddString(request, FC_FAMILY, (const FcChar8 *)"sans-serif") &&
        FcPatternAddInteger(request, FC_WEIGHT, weight) &&
        (all_languages ? add_languages(request)
                       : FcPatternAddString(request, FC_LANG, (const FcChar8 *)"en")))
        return request;
    FcPatternDestroy(request);
    return NULL;
}

/* Which fonts a request comes to, by the rules for requests, and how the first of them are
 * drawn, by those for fonts. */
static FcFontSet *answer(FcConfig *config, FcPattern *request) {
    enum { MOST = 4 };
    FcFontSet *answers = FcFontSetCreate(), *sorted = NULL;
    FcResult result;
    bool done = answers && FcConfigSubstitute(config, request, FcMatchPattern);
    if (done) {
        FcDefaultSubstitute(request);
        sorted = FcFontSort(config, request, FcTrue, NULL, &result);
        done = sorted;
    }
    for (int i = 0; done && i < sorted->nfont && i < MOST; i++) {
        FcPattern *drawn = FcFontRenderPrepare(config, request, sorted->fonts[i]);
        done = drawn && FcFontSetAdd(answers, drawn);
        if (drawn && !done)
            FcPatternDestroy(drawn);
    }
    if (sorted)
        FcFontSetDestroy(sorted);
    if (done || !answers)
        return answers;
    FcFontSetDestroy(answers);
    return NULL;
}

static bool same_answer(FcConfig *first, FcConfig *second, int weight, bool all_languages) {
    FcConfig *const configs[] = {first, second};
    FcPattern *requests[2];
    FcFontSet *answers[2] = {NULL, NULL};
    for (int i = 0; i < 2; i++)
        requests[i] = make_request(weight, all_languages);
    bool same = requests[0] && requests[1];
    for (int i = 0; i < 2 && same; i++) {
        answers[i] = answer(configs[i], requests[i]);
        same = answers[i];
    }
    same =
        same && FcPatternEqual(requests[0], requests[1]) && answers[0]->nfont == answers[1]->nfont;
    for (int i = 0; same && i < answers[0]->nfont; i++)
        same = FcPatternEqual(answers[0]->fonts[i], answers[1]->fonts[i]);
    for (int i = 0; i < 2; i++) {
        if (requests[i])
            FcPatternDestroy(requests[i]);
        if (answers[i])
            FcFontSetDestroy(answers[i]);
    }
    return same;
}

static bool same_settings(FcConfig *first, FcConfig *second) {
    return same_names(FcConfigGetConfigFiles(first), FcConfigGetConfigFiles(second)) &&
           same_names(FcConfigGetFontDirs(first), FcConfigGetFontDirs(second)) &&
           same_rule_files(first, second) &&
           same_fonts(FcConfigGetFonts(first, FcSetSystem),
                      FcConfigGetFonts(second, FcSetSystem)) &&
           same_answer(first, second, FC_WEIGHT_REGULAR, false) &&
           same_answer(first, second, FC_WEIGHT_BOLD, true);
}

/* ---- Reading --------------------------------------------------------------------------------- */

static dlviz_status lacks_memory(void) {
    return dlz_fail(DLVIZ_ERROR_OUT_OF_MEMORY, "out of memory while fontconfig looked for fonts");
}

/* Two readings out of three decide. */
static dlviz_status settle(FcConfig **config) {
    FcConfig *second = FcInitLoadConfigAndFonts(), *third = NULL;
    bool settled = second && same_settings(*config, second);
    if (!settled) {
        third = FcInitLoadConfigAndFonts();
        settled = third && same_settings(*config, third);
    }
    if (!settled && second && third && same_settings(second, third) && FcConfigSetCurrent(third)) {
        FcConfigDestroy(*config);
        *config = FcConfigReference(third);
        settled = true;
    }
    if (second)
        FcConfigDestroy(second);
    if (third)
        FcConfigDestroy(third);
    return settled ? DLVIZ_OK : lacks_memory();
}

/* The current settings, with a reference. Those that are there already, the program's own among
 * them, are taken as they are: nothing is read then, and errno stays what it is. A reading
 * changes it, for not all that fontconfig looks for is there; and where no call failed, none
 * lacked memory. */
static dlviz_status find_settings(FcConfig **out) {
    const int untouched = EDOM; /* which no call for files or memory sets */
    DLZ_WATCH_FORKS();
    pthread_mutex_lock(&current.lock);
    errno = untouched;
    FcConfig *config = FcConfigReference(NULL);
    if (errno != untouched)
        current.doubtful = true;
    dlviz_status status = config ? DLVIZ_OK : lacks_memory();
    if (config && current.doubtful) {
        status = settle(&config);
        current.doubtful = status != DLVIZ_OK;
    }
    pthread_mutex_unlock(&current.lock);
    if (status != DLVIZ_OK && config)
        FcConfigDestroy(config);
    *out = status == DLVIZ_OK ? config : NULL;
    return status;
}

/* ---- Is there a font? ------------------------------------------------------------------------ */

/* Pango draws with outlines, and without any it ends the process. */
static bool has_outlines(const FcPattern *font) {
    FcChar8 *format = NULL;
    FcBool scalable = FcFalse;
    return FcPatternGetString(font, FC_FONTFORMAT, 0, &format) == FcResultMatch &&
           (strcmp((const char *)format, "TrueType") == 0 ||
            strcmp((const char *)format, "CFF") == 0) &&
           FcPatternGetBool(font, FC_SCALABLE, 0, &scalable) == FcResultMatch && scalable;
}

dlviz_status dlz_fonts_find(void) {
    FcConfig *config = NULL;
    DLZ_TRY(find_settings(&config));
    static const FcSetName names[] = {FcSetSystem, FcSetApplication};
    bool found = false;
    for (int i = 0; i < 2 && !found; i++) {
        const FcFontSet *set = FcConfigGetFonts(config, names[i]);
        for (int k = 0; set && k < set->nfont && !found; k++)
            found = has_outlines(set->fonts[k]);
    }
    FcConfigDestroy(config);
    if (found)
        return DLVIZ_OK;
    return dlz_fail(
        DLVIZ_ERROR_UNSUPPORTED,
        "no font is installed that a figure's text could be drawn with; any TrueType or "
        "OpenType font that fontconfig finds will do (Debian: fonts-dejavu-core)");
}
