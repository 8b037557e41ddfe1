/* base/sort.h - sorts short lists. */
#ifndef DLZ_SORT_H
#define DLZ_SORT_H

#include <stdint.h>

/* Defines static inline void name(type *items, int64_t count): ascending by before(a, b), in place.
 * Quicksort on medians of three down to short stretches, then insertion; a few hundred items in no
 * special order are what it is for. */
#define DLZ_DEFINE_SORT(name, type, before)                                                        \
    static inline void name(type *items, int64_t count) {                                          \
        struct {                                                                                   \
            int64_t first, last;                                                                   \
        } stack[64];                                                                               \
        int depth = 0;                                                                             \
        int64_t first = 0, last = count - 1;                                                       \
        for (;;) {                                                                                 \
            while (last - first > 16) {                                                            \
                type a = items[first], b = items[first + (last - first) / 2], c = items[last];     \
                type pivot = before(a, b) ? (before(b, c) ? b : (before(a, c) ? c : a))            \
                                          : (before(a, c) ? a : (before(b, c) ? c : b));           \
                int64_t i = first, j = last;                                                       \
                while (i <= j) {                                                                   \
                    while (before(items[i], pivot))                                                \
                        i++;                                                                       \
                    while (before(pivot, items[j]))                                                \
                        j--;                                                                       \
                    if (i <= j) {                                                                  \
                        type t = items[i];                                                         \
                        items[i++] = items[j];                                                     \
                        items[j--] = t;                                                            \
                    }                                                                              \
                }                                                                                  \
                /* The longer part waits, so that the stack stays short. */                        \
                if (j - first > last - i) {                                                        \
                    stack[depth].first = first;                                                    \
                    stack[depth++].last = j;                                                       \
                    first = i;                                                                     \
                } else {                                                                           \
                    stack[depth].first = i;                                                        \
                    stack[depth++].last = last;                                                    \
                    last = j;                                                                      \
                }                                                                                  \
            }                                                                                      \
            if (depth == 0)                                                                        \
                break;                                                                             \
            first = stack[--depth].first;                                                          \
            last = stack[depth].last;                                                              \
        }                                                                                          \
        for (int64_t i = 1; i < count; i++) {                                                      \
            type item = items[i];                                                                  \
            int64_t j = i;                                                                         \
            for (; j > 0 && before(item, items[j - 1]); j--)                                       \
                items[j] = items[j - 1];                                                           \
            items[j] = item;                                                                       \
        }                                                                                          \
    }

#define DLZ_LESS(a, b) ((a) < (b))
DLZ_DEFINE_SORT(dlz_sort_u64, uint64_t, DLZ_LESS)

#endif
