/* Splits a dataset in two, class by class. */
#include "base/base.h"
#include "base/random.h"
#include "data/dataset.h"
#include "tensor/tensor.h"

#include <stdlib.h>
#include <string.h>

/* Samples of one class, or all that belong to none. */
typedef struct group {
    int64_t class;        /* −1: none */
    int64_t first, count; /* in the positions sorted by class */
    int64_t share;        /* how many of them to hold out */
    int64_t fraction;     /* what rounding the share down left, in 1/num_samples */
} group;

static int64_t class_of(const dlviz_dataset *dataset, int64_t position) {
    if (!dataset->labels)
        return 0;
    return dlz_max_i64(((const int64_t *)dataset->labels->data)[position], -1);
}

/* Positions by class, those of one class in their order: a radix sort, since classes may be many
 * and unused ones among them. `other` is room for as many. */
static void sort_by_class(const dlviz_dataset *dataset, int64_t *positions, int64_t *other) {
    enum { BITS = 11, BUCKETS = 1 << BITS };
    int64_t n = dataset->num_samples, starts[BUCKETS + 1];
    for (int64_t i = 0; i < n; i++)
        positions[i] = i;
    for (int shift = 0; dataset->num_classes >> shift > 0; shift += BITS) {
        memset(starts, 0, sizeof starts);
        for (int64_t i = 0; i < n; i++)
            starts[((class_of(dataset, i) + 1) >> shift) % BUCKETS + 1]++;
        for (int b = 0; b < BUCKETS; b++)
            starts[b + 1] += starts[b];
        for (int64_t i = 0; i < n; i++)
            other[starts[((class_of(dataset, positions[i]) + 1) >> shift) % BUCKETS]++] =
                positions[i];
        memcpy(positions, other, (size_t)n * sizeof *positions);
    }
}

/* The groups of sorted positions; writes them unless `groups` is NULL, and returns their number. */
static int64_t find_groups(const dlviz_dataset *dataset, const int64_t *positions, group *groups) {
    int64_t found = 0, n = dataset->num_samples;
    for (int64_t first = 0, end; first < n; first = end, found++) {
        int64_t class = class_of(dataset, positions[first]);
        for (end = first + 1; end < n && class_of(dataset, positions[end]) == class;)
            end++;
        if (groups)
            groups[found] = (group){.class = class, .first = first, .count = end - first};
    }
    return found;
}

/* The larger fraction first, the lower class first among equals. */
static int by_fraction(const void *a, const void *b) {
    const group *left = a, *right = b;
    if (left->fraction != right->fraction)
        return left->fraction > right->fraction ? -1 : 1;
    return left->first < right->first ? -1 : left->first > right->first;
}

/* Shares out `total` in proportion to the groups' counts by largest remainders: whole parts first,
 * then one more to those with the largest fractions. */
static void apportion(group *groups, int64_t num_groups, int64_t size, int64_t total) {
    int64_t left = total;
    for (int64_t g = 0; g < num_groups; g++) {
        /* Both factors are below 2^31. */
        groups[g].share = total * groups[g].count / size;
        groups[g].fraction = total * groups[g].count % size;
        left -= groups[g].share;
    }
    qsort(groups, (size_t)num_groups, sizeof *groups, by_fraction);
    for (int64_t g = 0; g < left; g++)
        groups[g].share++;
}

/* Marks the samples to hold out: of each class, the first of its members in an order drawn for it.
 */
static void mark_held(const group *groups, int64_t num_groups, uint64_t seed, int64_t *positions,
                      bool *held) {
    for (int64_t g = 0; g < num_groups; g++) {
        const group *one = &groups[g];
        uint64_t stream = one->class < 0 ? UINT32_MAX : (uint64_t)one->class;
        dlz_random random = dlz_random_start(seed, DLZ_STREAM_SPLIT + (stream << 8));
        dlz_random_shuffle(&random, positions + one->first, one->count);
        for (int64_t i = 0; i < one->share; i++)
            held[positions[one->first + i]] = true;
    }
}

/* Room for the work on a dataset's split. */
typedef struct split_room {
    int64_t *positions, *other; /* num_samples each */
    bool *held;
    group *groups;
} split_room;

static dlviz_status draw(const dlviz_dataset *dataset, const char *who, int64_t num_holdout,
                         uint64_t seed, split_room *room) {
    uint64_t n = (uint64_t)dataset->num_samples;
    room->positions = dlz_alloc_array(n, sizeof *room->positions);
    room->other = dlz_alloc_array(n, sizeof *room->other);
    room->held = dlz_alloc_array_zero(n, sizeof *room->held);
    int64_t num_groups = 0;
    if (room->positions && room->other && room->held) {
        sort_by_class(dataset, room->positions, room->other);
        num_groups = find_groups(dataset, room->positions, NULL);
        room->groups = dlz_alloc_array((uint64_t)num_groups, sizeof *room->groups);
    }
    if (!room->groups)
        return dlz_fail(DLVIZ_ERROR_OUT_OF_MEMORY, "%s: out of memory for %lld positions", who,
                        (long long)n);
    find_groups(dataset, room->positions, room->groups);
    apportion(room->groups, num_groups, dataset->num_samples, num_holdout);
    mark_held(room->groups, num_groups, seed, room->positions, room->held);
    return DLVIZ_OK;
}

static dlviz_status make_part(const dlviz_dataset *dataset, const bool *held, bool wanted,
                              int64_t *positions, dlviz_dataset **part) {
    int64_t count = 0;
    for (int64_t i = 0; i < dataset->num_samples; i++)
        if (held[i] == wanted)
            positions[count++] = i;
    return dlz_dataset_subset(dataset, count, positions, part);
}

dlviz_status dlviz_dataset_split(const dlviz_dataset *dataset, int64_t num_holdout, uint64_t seed,
                                 dlviz_dataset **rest, dlviz_dataset **holdout) {
    if (rest)
        *rest = NULL;
    DLZ_REQUIRE_OUT(holdout);
    DLZ_REQUIRE_OUT(rest);
    DLZ_REQUIRE(dataset);
    if (num_holdout < 1 || num_holdout >= dataset->num_samples)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: holding out %lld of %lld samples; each part needs 1 or more", __func__,
                        (long long)num_holdout, (long long)dataset->num_samples);
    split_room room = {0};
    dlviz_status status = draw(dataset, __func__, num_holdout, seed, &room);
    if (status == DLVIZ_OK)
        status = make_part(dataset, room.held, false, room.positions, rest);
    if (status == DLVIZ_OK)
        status = make_part(dataset, room.held, true, room.positions, holdout);
    if (status != DLVIZ_OK) {
        dlviz_dataset_destroy(*rest);
        *rest = NULL;
    }
    dlz_free(room.positions);
    dlz_free(room.other);
    dlz_free(room.held);
    dlz_free(room.groups);
    return status;
}
