#include "neighbors/neighbors_plan.h"
#include "base/base.h"
#include "base/sort.h"
#include "kernels/embed/distance.h"

#include <math.h>
#include <string.h>

#define FETCHED 256 /* columns of a row; what is beyond comes in order */

#define NEARER(a, b)                                                                               \
    ((a).distance < (b).distance || ((a).distance == (b).distance && (a).key < (b).key))
DLZ_DEFINE_SORT(sort_found, dlz_knn_found, NEARER)

/* So that a list's rows are on their way while the list before is computed. */
static void fetch_rows(const dlz_knn_plan *s, const dlz_knn_found *found, int64_t count) {
    for (int64_t r = 0; r < count; r++) {
        const float *row = s->points + found[r].point * s->d;
        for (int64_t i = 0; i < s->d && i < FETCHED; i += 16)
            __builtin_prefetch(row + i);
    }
}

/* Takes exact distances, a list of points at a time, of the entries first ... last; returns how
 * many those are, in `to`. */
static int64_t measure(const dlz_knn_plan *s, const dlz_knn_buffer *buffer, uint64_t first,
                       uint64_t last, dlz_knn_found *to) {
    const float *query = s->queries + buffer->query * s->d;
    int64_t count = 0;
    for (int32_t i = 0; i < buffer->count; i++) {
        uint64_t entry = buffer->entries[i];
        if (entry < first || entry > last)
            continue;
        int64_t point = dlz_knn_point_at(s, (uint32_t)entry);
        to[count].key = dlz_knn_tie_key(&s->ties, buffer->query, point);
        to[count++].point = (int32_t)point;
    }
    fetch_rows(s, to, dlz_min_i64(count, DLZ_DISTANCE_LIST));
    for (int64_t at = 0; at < count; at += DLZ_DISTANCE_LIST) {
        const float *rows[DLZ_DISTANCE_LIST];
        double squares[DLZ_DISTANCE_LIST];
        int64_t here = dlz_min_i64(DLZ_DISTANCE_LIST, count - at);
        fetch_rows(s, to + at + here, dlz_min_i64(DLZ_DISTANCE_LIST, count - at - here));
        for (int64_t r = 0; r < DLZ_DISTANCE_LIST; r++)
            rows[r] = s->points + to[at + (r < here ? r : 0)].point * s->d;
        dlz_distance()->list(query, rows, s->d, squares);
        for (int64_t r = 0; r < here; r++)
            to[at + r].distance = sqrt(squares[r]);
    }
    return count;
}

static void lower_limit(const dlz_knn_plan *s, dlz_knn_buffer *buffer, double distance) {
    double scaled = distance * (double)s->scale;
    buffer->limit = fmin(buffer->limit, scaled * scaled / 2);
    if (s->bytes)
        dlz_knn_bytes_aim(buffer);
    else
        dlz_knn_aim(buffer);
}

/* Takes exact distances of the entries that may be among the nearest. */
static int64_t measure_near(const dlz_knn_plan *s, dlz_knn_buffer *buffer, dlz_knn_found *to) {
    if (!s->bytes) {
        float most =
            (float)(buffer->limit * (1 + buffer->relative) + (double)buffer->largest_slack);
        return measure(s, buffer, 0,
                       buffer->relative < 0.25 ? dlz_knn_last_entry(most) : UINT64_MAX, to);
    }
    if (buffer->best_count > 0 || buffer->count <= buffer->keep)
        return measure(s, buffer, 0, dlz_knn_bytes_entry(buffer->below, 0) - 1, to);
    /* The most likely ones' distances leave out many others. */
    uint64_t first = dlz_knn_bytes()->bound(buffer);
    int64_t count = measure(s, buffer, 0, first, to), likely = count;
    double largest = 0;
    for (int64_t i = 0; i < count; i++)
        largest = fmax(largest, to[i].distance);
    lower_limit(s, buffer, largest);
    int64_t end = count + measure(s, buffer, first + 1, dlz_knn_bytes_entry(buffer->below, 0) - 1,
                                  to + count);
    for (int64_t i = likely; i < end; i++)
        if (to[i].distance <= largest)
            to[count++] = to[i];
    return count;
}

/* The `keep` nearest of those found, in order. Almost always their distances differ as floats, and
 * then sorting short numbers is enough. */
static int64_t choose_nearest(const dlz_knn_workspace *w, int64_t count, int64_t keep,
                              dlz_knn_found *to) {
    for (int64_t i = 0; i < count; i++) {
        float distance = (float)w->merged[i].distance;
        uint32_t bits;
        memcpy(&bits, &distance, sizeof bits);
        w->order[i] = (uint64_t)bits << 32 | (uint64_t)i;
    }
    dlz_sort_u64(w->order, count);
    for (int64_t i = 0; i < count && i < keep;) {
        int64_t end = i + 1;
        while (end < count && w->order[end] >> 32 == w->order[i] >> 32)
            end++;
        if (end > i + 1) {
            for (int64_t j = i; j < end; j++)
                w->equal[j - i] = w->merged[(uint32_t)w->order[j]];
            sort_found(w->equal, end - i);
        }
        for (int64_t j = i; j < end && j < keep; j++)
            to[j] = end > i + 1 ? w->equal[j - i] : w->merged[(uint32_t)w->order[j]];
        i = end;
    }
    return dlz_min_i64(count, keep);
}

void dlz_knn_settle(dlz_knn_buffer *buffer, void *context) {
    dlz_knn_workspace *w = context;
    const dlz_knn_plan *s = w->plan;
    memcpy(w->merged, buffer->best, (size_t)buffer->best_count * sizeof *w->merged);
    int64_t known = buffer->best_count, last = known + measure_near(s, buffer, w->merged + known);
    int64_t count = known;
    w->measured += last - known;
    for (int64_t i = known; i < last; i++)
        if (known < buffer->keep || NEARER(w->merged[i], buffer->best[known - 1]))
            w->merged[count++] = w->merged[i];
    buffer->best_count = (int32_t)choose_nearest(w, count, buffer->keep, buffer->best);
    buffer->count = 0;
    buffer->largest_slack = 0;
    if (buffer->best_count == buffer->keep)
        lower_limit(s, buffer, buffer->best[buffer->keep - 1].distance);
    else
        lower_limit(s, buffer, INFINITY);
}
