/* The runs of another page about the same points. */
#include "base/arena.h"
#include "base/file.h"
#include "base/json.h"
#include "base/names.h"
#include "base/reading.h"
#include "report/page.h"
#include "report/parse.h"
#include "report/sprite.h"
#include "tensor/safetensors.h"

#include <stdio.h>
#include <string.h>

/* -- The page's two blocks -----------------------------------------------------------------------
 */

typedef struct span {
    const char *text;
    size_t length;
} span;

/* Where `what` begins, or NULL. */
static const char *find(const char *text, size_t length, const char *what) {
    return memmem(text, length, what, strlen(what));
}

/* What stands between `begin` and the end of its element. */
static bool find_block(const char *page, size_t size, const char *begin, span *block) {
    const char *start = find(page, size, begin);
    if (!start)
        return false;
    start += strlen(begin);
    const char *end = find(start, (size_t)(page + size - start), DLZ_PAGE_ENDS);
    *block = (span){start, end ? (size_t)(end - start) : 0};
    return end != NULL;
}

static dlviz_status read_json(span data, json_t **root) {
    dlz_json_fault fault;
    dlviz_status status = dlz_json_read("a page's data", data.text, data.length, root, &fault);
    if (status == DLVIZ_ERROR_FORMAT)
        return dlz_fail(status, "its data are not valid JSON: %s at byte %zu", fault.reason,
                        fault.byte);
    return status;
}

static dlviz_status read_page(const char *bytes, size_t size, dlviz_report **page) {
    span data, sprite;
    json_t *root;
    *page = NULL;
    if (!find_block(bytes, size, DLZ_PAGE_DATA_BEGINS, &data) ||
        !find_block(data.text, (size_t)(bytes + size - data.text), DLZ_PAGE_SPRITE_BEGINS, &sprite))
        return dlz_fail(DLVIZ_ERROR_FORMAT,
                        "it is no page of dlviz_report_write, or one that was cut short");
    DLZ_TRY(read_json(data, &root));
    dlviz_status status = dlz_report_parse(root, page);
    if (status == DLVIZ_OK)
        status = dlz_report_parse_sprite(root, sprite.text, sprite.length, *page);
    json_decref(root);
    if (status != DLVIZ_OK) {
        dlviz_report_destroy(*page);
        *page = NULL;
    }
    return status;
}

/* -- Whether it is about the same points ---------------------------------------------------------
 */

/* A page without names of classes has their numbers in their place. */
static void forget_numbers(dlz_report_texts *classes) {
    for (int64_t i = 0; i < classes->count; i++) {
        char number[24];
        snprintf(number, sizeof number, "%lld", (long long)i);
        if (strcmp(classes->items[i], number) != 0)
            return;
    }
    dlz_report_release_texts(classes);
}

/* Where both have names these tell how many classes there are; where one has, the other may know of
 * fewer. `there`: how many the page has. */
static dlviz_status compare_classes(const dlviz_report *report, const dlviz_report *page,
                                    int64_t there) {
    const dlz_report_texts *a = &report->classes, *b = &page->classes;
    int64_t here = dlz_report_num_classes(report);
    bool fit = a->count > 0 && b->count > 0 ? here == there
               : a->count > 0               ? there <= here
               : b->count > 0               ? here <= there
                                            : true;
    if (!fit)
        return dlz_fail(DLVIZ_ERROR_SHAPE, "it has %lld classes, and the report %lld",
                        (long long)there, (long long)here);
    for (int64_t i = 0; i < b->count && i < a->count; i++)
        if (strcmp(a->items[i], b->items[i]) != 0)
            return dlz_fail(DLVIZ_ERROR_SHAPE, "class %lld is '%s' there and '%s' in the report",
                            (long long)i, b->items[i], a->items[i]);
    return DLVIZ_OK;
}

static dlviz_status compare_labels(const dlviz_report *report, const dlviz_report *page) {
    for (int64_t i = 0; report->labels && page->labels && i < report->n; i++)
        if (report->labels[i] != page->labels[i])
            return dlz_fail(DLVIZ_ERROR_SHAPE,
                            "point %lld is of class %d there and %d in the report (%d: none)",
                            (long long)i, page->labels[i], report->labels[i], DLZ_REPORT_NO_CLASS);
    return DLVIZ_OK;
}

static dlviz_status compare_names(const dlviz_report *report, const dlviz_report *page) {
    bool both = report->names.count > 0 && page->names.count > 0;
    for (int64_t i = 0; both && i < report->n; i++)
        if (strcmp(report->names.items[i], page->names.items[i]) != 0)
            return dlz_fail(DLVIZ_ERROR_SHAPE, "point %lld is '%s' there and '%s' in the report",
                            (long long)i, page->names.items[i], report->names.items[i]);
    return DLVIZ_OK;
}

/* -- Pictures ------------------------------------------------------------------------------------
 */

static int64_t bytes_of(const dlz_thumbnails *t) {
    return t->height * t->width * t->channels;
}

/* Fewer shades or colors are the same picture: then the mean difference decides. */
static bool is_same_picture(const uint8_t *a, const uint8_t *b, int64_t size, bool coarse) {
    int64_t difference = 0;
    for (int64_t i = 0; i < size; i++)
        difference += a[i] > b[i] ? a[i] - b[i] : b[i] - a[i];
    return difference <= (coarse ? DLZ_REPORT_COARSE * size : 0);
}

/* Goes through two lists of pictures, whose points ascend. With `to`, the pictures of both go there;
 * its count grows. */
static dlviz_status walk(const dlz_thumbnails *a, const dlz_thumbnails *b, dlz_thumbnails *to) {
    int64_t i = 0, j = 0, size = bytes_of(a);
    while (i < a->count || j < b->count) {
        int64_t p = i < a->count ? dlz_thumbnail_point(a, i) : INT64_MAX;
        int64_t q = j < b->count ? dlz_thumbnail_point(b, j) : INT64_MAX;
        const uint8_t *x = a->pixels + i * size, *y = b->pixels + j * size;
        if (p == q && !is_same_picture(x, y, size, a->coarse || b->coarse))
            return dlz_fail(DLVIZ_ERROR_SHAPE, "point %lld has another picture there",
                            (long long)p);
        if (to) {
            memcpy(to->pixels + to->count * size, p <= q ? x : y, (size_t)size);
            to->points[to->count++] = (uint32_t)dlz_min_i64(p, q);
        }
        i += p <= q;
        j += q <= p;
    }
    return DLVIZ_OK;
}

/* Pictures that either has; of both, what the report has. `to` is new, or empty: the report's serve. */
static dlviz_status join_pictures(const dlviz_report *report, const dlviz_report *page,
                                  dlz_thumbnails *to) {
    const dlz_thumbnails *a = &report->thumbnails, *b = &page->thumbnails;
    *to = (dlz_thumbnails){0};
    if (a->count == 0 || b->count == 0)
        return DLVIZ_OK;
    if (a->height != b->height || a->width != b->width || a->channels != b->channels)
        return dlz_fail(
            DLVIZ_ERROR_SHAPE,
            "its thumbnails are %lld x %lld with %lld channels, and the report's %lld x "
            "%lld with %lld",
            (long long)b->height, (long long)b->width, (long long)b->channels, (long long)a->height,
            (long long)a->width, (long long)a->channels);
    DLZ_TRY(walk(a, b, NULL));
    if (a->count == report->n)
        return DLVIZ_OK;
    uint64_t most = (uint64_t)dlz_min_i64(a->count + b->count, report->n);
    *to = (dlz_thumbnails){a->height, a->width, a->channels, 0, NULL, NULL, a->coarse || b->coarse};
    to->points = dlz_alloc_array(most, sizeof *to->points);
    to->pixels = dlz_alloc_array(most, (uint64_t)bytes_of(a));
    if (!to->points || !to->pixels) {
        dlz_thumbnails_release(to);
        return dlz_fail_memory("thumbnails", most * (uint64_t)bytes_of(a));
    }
    DLZ_TRY(walk(a, b, to));      /* as before, so it does not fail */
    if (to->count == report->n) { /* all have one */
        dlz_free(to->points);
        to->points = NULL;
    }
    return DLVIZ_OK;
}

/* -- Names of runs -------------------------------------------------------------------------------
 */

/* Tables of names, for a page may have any number of runs of the same name. */
typedef struct naming {
    dlz_arena texts;
    dlz_names *taken;   /* by runs of the report and of the page, also of those that come later */
    dlz_names *earlier; /* by runs of the report, and those of the page that have been looked at */
    dlz_names *numbers; /* of a name that was given a number: the next one to try */
} naming;

static dlviz_status no_memory_for_names(void) {
    return dlz_fail_memory("the names of runs", 0);
}

static dlviz_status note_names(naming *to, const dlviz_report *report, bool earlier) {
    for (int64_t i = 0; i < report->num_runs; i++) {
        const char *name = report->runs[i]->name;
        const char *text = dlz_arena_text(&to->texts, name, strlen(name));
        if (!text || !dlz_names_add(&to->taken, text, 0) ||
            (earlier && !dlz_names_add(&to->earlier, text, 0)))
            return no_memory_for_names();
    }
    return DLVIZ_OK;
}

/* "name (2)", or the next number with which no run has that name. */
static dlviz_status rename_run(naming *names, dlviz_report_run *run) {
    int64_t number = dlz_max_i64(dlz_names_find(names->numbers, run->name), 2);
    size_t size = strlen(run->name) + 24;
    char *base = dlz_arena_text(&names->texts, run->name, size - 24), *name = dlz_alloc(size);
    if (base && name) {
        do
            snprintf(name, size, "%s (%lld)", base, (long long)number++);
        while (dlz_names_find(names->taken, name) >= 0);
        char *text = dlz_arena_text(&names->texts, name, strlen(name));
        if (text && dlz_names_add(&names->numbers, base, number) &&
            dlz_names_add(&names->taken, text, 0) && dlz_names_add(&names->earlier, text, 0)) {
            dlz_free(run->name);
            run->name = name;
            return DLVIZ_OK;
        }
    }
    dlz_free(name);
    return no_memory_for_names();
}

static dlviz_status tell_apart(naming *names, const dlviz_report *page) {
    for (int64_t i = 0; i < page->num_runs; i++) {
        dlviz_report_run *run = page->runs[i];
        if (dlz_names_find(names->earlier, run->name) >= 0)
            DLZ_TRY(rename_run(names, run));
        else if (!dlz_names_add(&names->earlier, run->name, 0))
            return no_memory_for_names();
    }
    return DLVIZ_OK;
}

static dlviz_status tell_runs_apart(const dlviz_report *report, const dlviz_report *page) {
    naming names = {.taken = NULL};
    dlviz_status status = note_names(&names, report, true);
    if (status == DLVIZ_OK)
        status = note_names(&names, page, false);
    if (status == DLVIZ_OK)
        status = tell_apart(&names, page);
    dlz_names_free(names.taken);
    dlz_names_free(names.earlier);
    dlz_names_free(names.numbers);
    dlz_arena_release(&names.texts);
    return status;
}

/* -- Taking it over ------------------------------------------------------------------------------
 */

static void take_texts(dlz_report_texts *to, dlz_report_texts *from) {
    if (to->count > 0)
        return;
    *to = *from;
    *from = (dlz_report_texts){0};
}

static void take_pictures(dlviz_report *report, dlviz_report *page, dlz_thumbnails *joined) {
    if (joined->count > 0) {
        dlz_thumbnails_release(&report->thumbnails);
        report->thumbnails = *joined;
    } else if (report->thumbnails.count == 0) {
        report->thumbnails = page->thumbnails;
        page->thumbnails = (dlz_thumbnails){0};
    }
}

/* Cannot fail. */
static void take_points(dlviz_report *report, dlviz_report *page) {
    report->n = page->n;
    if (!report->title) {
        report->title = page->title;
        page->title = NULL;
    }
    if (!report->labels && page->labels) {
        report->labels = page->labels;
        report->num_label_classes = page->num_label_classes;
        page->labels = NULL;
    }
    take_texts(&report->classes, &page->classes);
    take_texts(&report->names, &page->names);
}

static dlviz_status merge(dlviz_report *report, dlviz_report *page) {
    dlz_thumbnails joined;
    if (report->n > 0 && report->n != page->n)
        return dlz_fail(DLVIZ_ERROR_SHAPE, "it has %lld points, and the report %lld",
                        (long long)page->n, (long long)report->n);
    int64_t num_classes = page->classes.count;
    forget_numbers(&page->classes);
    DLZ_TRY(compare_classes(report, page, num_classes));
    DLZ_TRY(compare_labels(report, page));
    DLZ_TRY(compare_names(report, page));
    DLZ_TRY(tell_runs_apart(report, page));
    DLZ_TRY(join_pictures(report, page, &joined));
    dlviz_status status = dlz_report_take_runs(report, page->num_runs, page->runs);
    if (status != DLVIZ_OK) {
        dlz_thumbnails_release(&joined);
        return status;
    }
    page->num_runs = 0;
    take_points(report, page);
    take_pictures(report, page, &joined);
    return DLVIZ_OK;
}

static dlviz_status merge_bytes(dlviz_report *report, const char *bytes, size_t size) {
    dlviz_report *page;
    DLZ_TRY(read_page(bytes, size, &page));
    dlviz_status status = merge(report, page);
    dlviz_report_destroy(page);
    return status;
}

dlviz_status dlviz_report_merge(dlviz_report *report, const char *path) {
    DLZ_READING(path);
    DLZ_REQUIRE(report);
    DLZ_REQUIRE(path);
    void *bytes;
    size_t size;
    DLZ_TRY(dlz_file_read(path, INT64_MAX, &bytes, &size));
    dlviz_status status = merge_bytes(report, bytes, size);
    dlz_free(bytes);
    return status == DLVIZ_OK ? status : dlz_fail_within(status, "cannot merge '%s'", path);
}

dlviz_status dlviz_report_merge_memory(dlviz_report *report, const void *bytes, size_t size) {
    DLZ_READING(NULL);
    DLZ_REQUIRE(report);
    DLZ_REQUIRE(bytes);
    dlviz_status status = merge_bytes(report, bytes, size);
    return status == DLVIZ_OK ? status
                              : dlz_fail_within(status, "%s: cannot merge the %zu byte%s", __func__,
                                                size, size == 1 ? "" : "s");
}
