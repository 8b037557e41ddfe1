#include "neighbors/neighbors_ties.h"
#include "base/base.h"
#include "base/random.h"
#include "base/sort.h"

#include <math.h>

#define STREAM (DLZ_STREAM_EMBED | 6 << 8)
/* Of so many times more points than there is room for, some are drawn; of fewer, all get numbers.
 */
#define MANY 8

static uint64_t draw(const dlz_knn_ties *ties, int64_t i, int64_t j) {
    uint32_t random[4];
    dlz_philox(*ties->seed, STREAM, (uint64_t)i << 32 | (uint64_t)j, random);
    return (uint64_t)random[1] << 32 | random[0];
}

uint32_t dlz_knn_tie_key(const dlz_knn_ties *ties, int64_t query, int64_t row) {
    return ties->seed ? (uint32_t)draw(ties, query, row) : (uint32_t)row;
}

int64_t dlz_knn_expand_scratch(const dlz_knn_ties *ties, int64_t keep) {
    const dlz_equal_rows *rows = ties->rows;
    int64_t k = ties->k, points = rows->starts ? rows->starts[rows->count] : rows->count;
    return dlz_max_i64(dlz_min_i64(points, k * dlz_max_i64(keep, 1)), MANY * k);
}

/* Distinct rows that are equally far: the one itself, or a run of those found. */
typedef struct run {
    const dlz_equal_rows *rows;
    const dlz_knn_found *found; /* NULL: the single row `row` */
    int64_t row, length;
} run;

static int64_t row_of(const run *r, int64_t i) {
    return r->found ? r->found[i].point : r->row;
}

static int64_t members_of(const run *r) {
    int64_t total = 0;
    for (int64_t i = 0; i < r->length; i++)
        total += dlz_equal_rows_size(r->rows, row_of(r, i));
    return total;
}

static int32_t member_of(const run *r, int64_t place) {
    int64_t i = 0;
    for (; place >= dlz_equal_rows_size(r->rows, row_of(r, i)); i++)
        place -= dlz_equal_rows_size(r->rows, row_of(r, i));
    return dlz_equal_rows_member(r->rows, row_of(r, i), place);
}

/* The first `room` members by index, but for `self`. */
static int64_t take_lowest(const run *r, int64_t self, int64_t room, uint64_t *chosen) {
    int64_t count = 0;
    for (int64_t i = 0; i < r->length; i++) {
        int64_t u = row_of(r, i), size = dlz_equal_rows_size(r->rows, u), taken = 0;
        for (int64_t m = 0; m < size && taken < room; m++) {
            int32_t member = dlz_equal_rows_member(r->rows, u, m);
            if (member != self) {
                chosen[count++] = (uint64_t)member;
                taken++;
            }
        }
    }
    if (r->length > 1)
        dlz_sort_u64(chosen, count);
    return dlz_min_i64(count, room);
}

/* `room` of the members, but for `self`, drawn; in the order of their indices. */
static int64_t take_drawn(const dlz_knn_ties *ties, const run *r, int64_t self, int64_t room,
                          uint64_t *chosen) {
    int64_t total = members_of(r), count = 0;
    if (total > MANY * room) {
        for (int64_t t = 0; count < room; t++) {
            uint64_t random = draw(ties, self, (int64_t)(UINT32_MAX - (uint32_t)t));
            uint64_t member = (uint64_t)member_of(r, (int64_t)(random % (uint64_t)total));
            int64_t i = 0;
            while (i < count && chosen[i] != member)
                i++;
            if (i == count && (int64_t)member != self)
                chosen[count++] = member;
        }
    } else {
        for (int64_t i = 0; i < total; i++) {
            int32_t member = member_of(r, i);
            if (member != self)
                chosen[count++] = draw(ties, self, member) << 32 | (uint32_t)member;
        }
        dlz_sort_u64(chosen, count);
        count = dlz_min_i64(count, room);
        for (int64_t i = 0; i < count; i++)
            chosen[i] = (uint32_t)chosen[i];
    }
    dlz_sort_u64(chosen, count);
    return count;
}

/* When all rows are distinct: they are the points, already in order. */
static bool copy(int k, const dlz_knn_found *found, int32_t count, int32_t *indices,
                 float *squared_distances) {
    if (count < k)
        return false;
    for (int i = 0; i < k; i++) {
        indices[i] = found[i].point;
        squared_distances[i] = (float)(found[i].distance * found[i].distance);
    }
    return squared_distances[k - 1] < INFINITY;
}

bool dlz_knn_expand(const dlz_knn_ties *ties, int64_t row, int64_t self, const dlz_knn_found *found,
                    int32_t count, uint64_t *scratch, int32_t *indices, float *squared_distances) {
    if (!ties->rows->starts && !ties->seed)
        return copy(ties->k, found, count, indices, squared_distances);
    int64_t out = 0, excluded = ties->exclude_self ? self : -1;
    int32_t at = 0;
    bool own = ties->exclude_self;
    while (out < ties->k && (own || at < count)) {
        run r = {ties->rows, own ? NULL : found + at, row, 1};
        float square = 0;
        if (!own) {
            double distance = found[at].distance;
            while (at + r.length < count && found[at + r.length].distance == distance)
                r.length++;
            at += (int32_t)r.length;
            square = (float)(distance * distance);
            if (!(square < INFINITY))
                return false;
        }
        own = false;
        int64_t room = ties->k - out;
        int64_t taken = ties->seed ? take_drawn(ties, &r, excluded, room, scratch)
                                   : take_lowest(&r, excluded, room, scratch);
        for (int64_t i = 0; i < taken; i++, out++) {
            indices[out] = (int32_t)scratch[i];
            squared_distances[out] = square;
        }
    }
    return out == ties->k;
}
