/* tsne/morton.h - orders points along G. Morton's space-filling curve, neighbors near each other.
 */
#ifndef DLZ_MORTON_H
#define DLZ_MORTON_H

#include <dlviz/status.h>

/* map: n x dimensions (1 to 3), finite. order receives the points' numbers along the curve; equal
 * codes keep the order of their numbers. codes, n of them or NULL, receives the codes in that
 * order: the coordinates' bits interleaved, highest first, DLZ_MORTON_BITS of each, for the square
 * or cube of the given corner and width. scratch: 4 n. */
#define DLZ_MORTON_BITS 16
void dlz_morton_order(const float *map, int64_t n, int dimensions, const float corner[3],
                      double width, int32_t *order, uint64_t *codes, uint64_t *scratch);

#endif
