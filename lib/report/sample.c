/* Which points have a picture, where not all can have one. */
#include "report/sprite.h"

#include <stdlib.h>
#include <string.h>

/* Whether the last frame of a run gets a point wrong. */
static bool is_wrong(const dlviz_report *report, int64_t point) {
    uint16_t label = report->labels ? report->labels[point] : DLZ_REPORT_NO_CLASS;
    for (int64_t r = 0; label != DLZ_REPORT_NO_CLASS && r < report->num_runs; r++) {
        const dlviz_report_run *run = report->runs[r];
        const uint16_t *predictions =
            run->num_frames > 0 ? run->frames[run->num_frames - 1].predictions : NULL;
        if (predictions && predictions[point] != label)
            return true;
    }
    return false;
}

/* A place among the thumbnails, and its point's class: sorted by it, equal steps through the list
 * take of each class its share. */
typedef struct entry {
    uint16_t class;
    uint32_t place;
} entry;

static int by_class(const void *a, const void *b) {
    const entry *x = a, *y = b;
    if (x->class != y->class)
        return x->class < y->class ? -1 : 1;
    return (x->place > y->place) - (x->place < y->place);
}

/* Returns how many were chosen. */
static int64_t choose(const dlviz_report *report, bool wrong, int64_t most, entry *list,
                      bool *chosen) {
    const dlz_thumbnails *thumbnails = &report->thumbnails;
    int64_t length = 0;
    for (int64_t t = 0; t < thumbnails->count; t++) {
        int64_t point = dlz_thumbnail_point(thumbnails, t);
        if (is_wrong(report, point) == wrong)
            list[length++] = (entry){report->labels ? report->labels[point] : 0, (uint32_t)t};
    }
    if (length > 0)
        qsort(list, (size_t)length, sizeof *list, by_class);
    int64_t count = dlz_min_i64(most, length);
    for (int64_t i = 0; i < count; i++)
        chosen[list[(2 * i + 1) * length / (2 * count)].place] = true;
    return count;
}

dlviz_status dlz_sprite_sample(const dlviz_report *report, int64_t count, bool *chosen) {
    uint64_t size = (uint64_t)report->thumbnails.count;
    entry *list = dlz_alloc_array(size, sizeof *list);
    if (!list)
        return dlz_fail_memory("a sample of the images", size * sizeof *list);
    int64_t wrong = choose(report, true, count, list, chosen);
    choose(report, false, count - wrong, list, chosen);
    dlz_free(list);
    return DLVIZ_OK;
}
