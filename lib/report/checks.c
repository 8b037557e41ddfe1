/* What the arguments of a report's functions have in common: texts, points, classes. */
#include "report/report.h"

#include <string.h>

dlviz_status dlz_report_require_points(const char *who, const dlviz_report *report) {
    if (report->n > 0)
        return DLVIZ_OK;
    return dlz_fail(DLVIZ_ERROR_STATE,
                    "%s: the report was made without a number of points; a page has to be merged "
                    "first",
                    who);
}

int64_t dlz_report_num_needed(const dlviz_report *report) {
    int64_t needed = report->num_label_classes;
    for (int64_t r = 0; r < report->num_runs; r++)
        needed = dlz_max_i64(needed, report->runs[r]->num_outputs);
    return needed;
}

int64_t dlz_report_num_classes(const dlviz_report *report) {
    return dlz_max_i64(report->classes.count, dlz_report_num_needed(report));
}

dlviz_status dlz_report_check_classes(const char *who, const dlviz_report *report, const char *what,
                                      int64_t needed) {
    if (report->classes_given && needed > report->classes.count)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: %s needs %lld classes, and %lld have names", who, what,
                        (long long)needed, (long long)report->classes.count);
    return DLVIZ_OK;
}

dlviz_status dlz_report_check_text(const char *who, const char *what, const char *text) {
    if (!text)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: '%s' is NULL", who, what);
    if (!dlz_is_utf8(text))
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: '%s' is not UTF-8", who, what);
    return DLVIZ_OK;
}

void dlz_report_release_texts(dlz_report_texts *texts) {
    for (int64_t i = 0; i < texts->count; i++)
        dlz_free(texts->items[i]);
    dlz_free(texts->items);
    *texts = (dlz_report_texts){0};
}

dlviz_status dlz_report_copy_texts(const char *who, int64_t count, const char *const *texts,
                                   dlz_report_texts *copy) {
    *copy = (dlz_report_texts){0};
    for (int64_t i = 0; i < count; i++)
        if (!texts[i] || !dlz_is_utf8(texts[i]))
            return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: name %lld is %s", who, (long long)i,
                            texts[i] ? "not UTF-8" : "NULL");
    dlz_report_texts made = {.items = dlz_alloc_array((uint64_t)count, sizeof *made.items)};
    for (; made.items && made.count < count; made.count++)
        if (!(made.items[made.count] = dlz_strdup(texts[made.count])))
            break;
    if (made.items && made.count == count) {
        *copy = made;
        return DLVIZ_OK;
    }
    dlz_report_release_texts(&made);
    return dlz_fail(DLVIZ_ERROR_OUT_OF_MEMORY, "out of memory for %lld names", (long long)count);
}
