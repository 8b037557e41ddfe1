/* The lowest free place for each buffer, largest first.
 *
 * What is taken is kept in a binary tree over time. Each node stands for a span of time and has two
 * lists of taken ranges of memory: those of buffers that live through the whole span, and those of
 * buffers that live at any time within it. A buffer is entered in the nodes on the way to the few
 * largest spans that make up its life, and the same nodes hold all that another buffer of that life
 * can meet. Ranges that touch are joined, so the lists stay short: buffers lie close together. */
#include "graph/placement.h"

#include <stdlib.h>

#define NONE (-1)
/* Most nodes that one life visits: four a level, and a level for each bit of a time. */
#define MAX_LISTS (4 * 32)

typedef struct range {
    size_t start, end;
    int next;
} range;

typedef struct node {
    int through, within; /* the first range of each list, by address */
} node;

typedef struct placer {
    node *nodes; /* node i's halves are 2 i and 2 i + 1 */
    int spans;   /* of the last level: a power of two */
    range *ranges;
    int used, capacity, spare; /* `spare` heads the list of ranges that joined others */
    int lists[MAX_LISTS], num_lists;
} placer;

static int larger_first(const void *left, const void *right) {
    const dlz_request *a = left, *b = right;
    if (a->bytes != b->bytes)
        return a->bytes < b->bytes ? 1 : -1;
    if (a->first != b->first)
        return a->first < b->first ? -1 : 1;
    return a->number < b->number ? -1 : a->number > b->number;
}

static int new_range(placer *p) {
    if (p->spare != NONE) {
        int taken = p->spare;
        p->spare = p->ranges[taken].next;
        return taken;
    }
    if (p->used == p->capacity) {
        int capacity = p->capacity > INT32_MAX / 2 ? INT32_MAX : 2 * p->capacity;
        range *ranges = p->used < capacity
                            ? dlz_realloc_array(p->ranges, (uint64_t)capacity, sizeof *ranges)
                            : NULL;
        if (!ranges)
            return NONE;
        p->ranges = ranges;
        p->capacity = capacity;
    }
    return p->used++;
}

/* Enters start … end, which overlaps no range of the list, or only ranges of other times. */
static bool take(placer *p, int *list, size_t start, size_t end) {
    int before = NONE, at = *list;
    while (at != NONE && p->ranges[at].end < start) {
        before = at;
        at = p->ranges[at].next;
    }
    if (at == NONE || p->ranges[at].start > end) {
        int added = new_range(p);
        if (added == NONE)
            return false;
        p->ranges[added] = (range){start, end, at};
        *(before == NONE ? list : &p->ranges[before].next) = added;
        return true;
    }
    range *joined = &p->ranges[at];
    joined->start = start < joined->start ? start : joined->start;
    joined->end = end > joined->end ? end : joined->end;
    while (joined->next != NONE && p->ranges[joined->next].start <= joined->end) {
        int absorbed = joined->next;
        if (p->ranges[absorbed].end > joined->end)
            joined->end = p->ranges[absorbed].end;
        joined->next = p->ranges[absorbed].next;
        p->ranges[absorbed].next = p->spare;
        p->spare = absorbed;
    }
    return true;
}

/* Node `at` stands for times first … last. */
static bool enter(placer *p, const dlz_request *request, int at, int first, int last) {
    if (request->last < first || last < request->first)
        return true;
    size_t end = request->offset + request->bytes;
    if (!take(p, &p->nodes[at].within, request->offset, end))
        return false;
    if (request->first <= first && last <= request->last)
        return take(p, &p->nodes[at].through, request->offset, end);
    int middle = first + (last - first) / 2;
    return enter(p, request, 2 * at, first, middle) &&
           enter(p, request, 2 * at + 1, middle + 1, last);
}

/* Collects the lists with all that the request can meet. */
static void find_lists(placer *p, const dlz_request *request, int at, int first, int last) {
    if (request->last < first || last < request->first)
        return;
    bool whole = request->first <= first && last <= request->last;
    int list = whole ? p->nodes[at].within : p->nodes[at].through;
    if (list != NONE)
        p->lists[p->num_lists++] = list;
    if (whole)
        return;
    int middle = first + (last - first) / 2;
    find_lists(p, request, 2 * at, first, middle);
    find_lists(p, request, 2 * at + 1, middle + 1, last);
}

/* The lowest place where all the lists leave room: goes round them, moving up past whatever is in
 * the way, until none is. */
static size_t lowest(placer *p, size_t bytes) {
    size_t place = 0;
    for (int i = 0, agree = 0; agree < p->num_lists; i = (i + 1) % p->num_lists) {
        size_t before = place;
        int at = p->lists[i];
        while (at != NONE && p->ranges[at].start < place + bytes) {
            if (p->ranges[at].end > place)
                place = p->ranges[at].end;
            at = p->ranges[at].next;
        }
        p->lists[i] = at;
        agree = place == before ? agree + 1 : 1;
    }
    return place;
}

static dlviz_status place_all(placer *p, dlz_request *requests, int count, size_t *total) {
    for (int i = 0; i < count; i++) {
        dlz_request *request = &requests[i];
        request->offset = 0;
        if (request->bytes == 0)
            continue;
        p->num_lists = 0;
        find_lists(p, request, 1, 0, p->spans - 1);
        request->offset = lowest(p, request->bytes);
        size_t end;
        if (dlz_add_overflows(request->offset, request->bytes, &end) || end > SIZE_MAX / 2) {
            *total = SIZE_MAX;
            return dlz_fail_memory("the activations of a batch", SIZE_MAX);
        }
        if (!enter(p, request, 1, 0, p->spans - 1))
            return dlz_fail_memory("the memory plan", (uint64_t)p->capacity * sizeof *p->ranges);
        *total = end > *total ? end : *total;
    }
    return DLVIZ_OK;
}

dlviz_status dlz_place(dlz_request *requests, int count, size_t *total) {
    *total = 0;
    if (count > 1)
        qsort(requests, (size_t)count, sizeof *requests, larger_first);
    int latest = 0;
    for (int i = 0; i < count; i++)
        latest = requests[i].last > latest ? requests[i].last : latest;
    placer p = {.spans = 1, .spare = NONE, .capacity = 64};
    while (p.spans <= latest)
        p.spans *= 2;
    size_t nodes = 2 * (size_t)p.spans;
    p.nodes = dlz_alloc_array(nodes, sizeof *p.nodes);
    p.ranges = dlz_alloc_array((uint64_t)p.capacity, sizeof *p.ranges);
    for (size_t i = 0; p.nodes && i < nodes; i++)
        p.nodes[i] = (node){NONE, NONE};
    dlviz_status status = p.nodes && p.ranges
                              ? place_all(&p, requests, count, total)
                              : dlz_fail_memory("the memory plan", nodes * sizeof *p.nodes);
    dlz_free(p.nodes);
    dlz_free(p.ranges);
    return status;
}
