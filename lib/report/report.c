/* The report's handle, and what belongs to the points: labels and names. */
#include "report/report.h"
#include "tensor/tensor.h"

#include <stdio.h>
#include <string.h>

dlviz_status dlviz_report_create(dlviz_report **out, const char *title, int64_t num_points) {
    DLZ_REQUIRE_OUT(out);
    if (title)
        DLZ_TRY(dlz_report_check_text(__func__, "title", title));
    if (num_points < 0 || num_points > INT32_MAX)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: %lld points; 1 to %d are accepted, and 0 for as many as a page has",
                        __func__, (long long)num_points, INT32_MAX);
    dlviz_report *report = dlz_alloc_zero(sizeof *report);
    if (!report)
        return dlz_fail_memory("a report", sizeof *report);
    report->n = num_points;
    if (title && !(report->title = dlz_strdup(title))) {
        dlz_free(report);
        return dlz_fail_memory("a report's title", strlen(title) + 1);
    }
    *out = report;
    return DLVIZ_OK;
}

void dlviz_report_destroy(dlviz_report *report) {
    if (!report)
        return;
    for (int64_t i = 0; i < report->num_runs; i++)
        dlz_report_run_destroy(report->runs[i]);
    dlz_free(report->runs);
    dlz_report_release_texts(&report->classes);
    dlz_report_release_texts(&report->names);
    dlz_thumbnails_release(&report->thumbnails);
    dlz_free(report->labels);
    dlz_free(report->title);
    dlz_free(report);
}

const char *dlviz_report_title(const dlviz_report *report) {
    return report ? report->title : NULL;
}

int64_t dlviz_report_num_points(const dlviz_report *report) {
    return report ? report->n : 0;
}

/* -- Labels --------------------------------------------------------------------------------------
 */

static int64_t label_at(const dlviz_tensor *labels, int64_t i) {
    return labels->dtype == DLVIZ_UINT8 ? ((const uint8_t *)labels->data)[i]
                                        : ((const int64_t *)labels->data)[i];
}

static dlviz_status check_labels(const char *who, const dlviz_report *report,
                                 const dlviz_tensor *labels, int64_t *needed) {
    if (labels->dtype == DLVIZ_FLOAT32 || labels->ndim != 1 || labels->dims[0] != report->n) {
        char text[DLZ_SHAPE_TEXT_SIZE];
        return dlz_fail(DLVIZ_ERROR_SHAPE,
                        "%s: 'labels' is %s %s, needs to be uint8 or int64 with %lld entries, one "
                        "a point",
                        who, dlviz_dtype_name(labels->dtype),
                        dlz_shape_text(text, labels->ndim, labels->dims), (long long)report->n);
    }
    *needed = 0;
    for (int64_t i = 0; i < report->n; i++) {
        int64_t label = label_at(labels, i);
        if (label >= DLZ_REPORT_MAX_CLASSES)
            return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                            "%s: label %lld is %lld; 0 to %d are accepted, and below 0 for a point "
                            "without a class",
                            who, (long long)i, (long long)label, DLZ_REPORT_MAX_CLASSES - 1);
        *needed = dlz_max_i64(*needed, label + 1);
    }
    char what[64];
    snprintf(what, sizeof what, "label %lld", (long long)*needed - 1);
    return dlz_report_check_classes(who, report, what, *needed);
}

dlviz_status dlviz_report_set_labels(dlviz_report *report, const dlviz_tensor *labels) {
    DLZ_REQUIRE(report);
    DLZ_REQUIRE(labels);
    DLZ_TRY(dlz_report_require_points(__func__, report));
    int64_t needed;
    DLZ_TRY(check_labels(__func__, report, labels, &needed));
    uint16_t *copy = dlz_alloc_array((uint64_t)report->n, sizeof *copy);
    if (!copy)
        return dlz_fail_memory("a report's labels", (uint64_t)report->n * sizeof *copy);
    for (int64_t i = 0; i < report->n; i++) {
        int64_t label = label_at(labels, i);
        copy[i] = label < 0 ? DLZ_REPORT_NO_CLASS : (uint16_t)label;
    }
    dlz_free(report->labels);
    report->labels = copy;
    report->num_label_classes = needed;
    return DLVIZ_OK;
}

dlviz_status dlviz_report_get_labels(const dlviz_report *report, dlviz_tensor **labels) {
    DLZ_REQUIRE_OUT(labels);
    DLZ_REQUIRE(report);
    if (!report->labels)
        return dlz_fail(DLVIZ_ERROR_STATE, "%s: the report has no labels", __func__);
    DLZ_TRY(dlz_tensor_create_raw(labels, DLVIZ_INT64, 1, &report->n));
    int64_t *to = (*labels)->data;
    for (int64_t i = 0; i < report->n; i++)
        to[i] = report->labels[i] == DLZ_REPORT_NO_CLASS ? -1 : report->labels[i];
    return DLVIZ_OK;
}

/* -- Names ---------------------------------------------------------------------------------------
 */

dlviz_status dlviz_report_set_class_names(dlviz_report *report, int64_t num_classes,
                                          const char *const *names) {
    DLZ_REQUIRE(report);
    DLZ_REQUIRE(names);
    DLZ_TRY(dlz_report_require_points(__func__, report));
    int64_t least = dlz_max_i64(dlz_report_num_needed(report), 1);
    if (num_classes < least || num_classes > DLZ_REPORT_MAX_CLASSES)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: %lld names; %lld to %d are accepted, for labels and outputs have %lld "
                        "classes",
                        __func__, (long long)num_classes, (long long)least, DLZ_REPORT_MAX_CLASSES,
                        (long long)dlz_report_num_needed(report));
    dlz_report_texts copy;
    DLZ_TRY(dlz_report_copy_texts(__func__, num_classes, names, &copy));
    dlz_report_release_texts(&report->classes);
    report->classes = copy;
    report->classes_given = true;
    return DLVIZ_OK;
}

int64_t dlviz_report_num_class_names(const dlviz_report *report) {
    return report ? report->classes.count : 0;
}

static const char *text_at(const dlz_report_texts *texts, int64_t index) {
    return index >= 0 && index < texts->count ? texts->items[index] : NULL;
}

const char *dlviz_report_class_name(const dlviz_report *report, int64_t index) {
    return report ? text_at(&report->classes, index) : NULL;
}

dlviz_status dlviz_report_set_point_names(dlviz_report *report, int64_t num_names,
                                          const char *const *names) {
    DLZ_REQUIRE(report);
    DLZ_REQUIRE(names);
    DLZ_TRY(dlz_report_require_points(__func__, report));
    if (num_names != report->n)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: %lld names; the report has %lld points",
                        __func__, (long long)num_names, (long long)report->n);
    dlz_report_texts copy;
    DLZ_TRY(dlz_report_copy_texts(__func__, num_names, names, &copy));
    dlz_report_release_texts(&report->names);
    report->names = copy;
    return DLVIZ_OK;
}

int64_t dlviz_report_num_point_names(const dlviz_report *report) {
    return report ? report->names.count : 0;
}

const char *dlviz_report_point_name(const dlviz_report *report, int64_t index) {
    return report ? text_at(&report->names, index) : NULL;
}
