/* embed/sort.h - sorts short lists of 64-bit numbers. */
#ifndef DLZ_SORT_H
#define DLZ_SORT_H

#include <stdint.h>

/* Ascending, in place. Quicksort on medians of three down to short stretches, then insertion; a few
 * hundred numbers in no special order are what it is for. */
static inline void dlz_sort_u64(uint64_t *items, int64_t count) {
    struct {
        int64_t first, last;
    } stack[64];
    int depth = 0;
    int64_t first = 0, last = count - 1;
    for (;;) {
        while (last - first > 16) {
            uint64_t a = items[first], b = items[first + (last - first) / 2], c = items[last];
            uint64_t pivot = a < b ? (b < c ? b : (a < c ? c : a)) : (a < c ? a : (b < c ? c : b));
            int64_t i = first, j = last;
            while (i <= j) {
                while (items[i] < pivot)
                    i++;
                while (pivot < items[j])
                    j--;
                if (i <= j) {
                    uint64_t t = items[i];
                    items[i++] = items[j];
                    items[j--] = t;
                }
            }
            /* The longer part waits, so that the stack stays short. */
            if (j - first > last - i) {
                stack[depth].first = first;
                stack[depth++].last = j;
                first = i;
            } else {
                stack[depth].first = i;
                stack[depth++].last = last;
                last = j;
            }
        }
        if (depth == 0)
            break;
        first = stack[--depth].first;
        last = stack[depth].last;
    }
    for (int64_t i = 1; i < count; i++) {
        uint64_t item = items[i];
        int64_t j = i;
        for (; j > 0 && items[j - 1] > item; j--)
            items[j] = items[j - 1];
        items[j] = item;
    }
}

#endif
