#include "tsne/extent.h"
#include "base/base.h"
#include "kernels/embed/particles.h"

dlviz_status dlz_require_extent(const float *map, int64_t n, int dimensions, float least[3],
                                float greatest[3]) {
    bool inside = dlz_particles()->extent(map, n, dimensions, least, greatest);
    for (int c = 0; inside && c < dimensions; c++)
        inside = least[c] >= -DLZ_WIDEST_MAP && greatest[c] <= DLZ_WIDEST_MAP;
    if (!inside)
        return dlz_fail(DLVIZ_ERROR_NUMERIC,
                        "the map has coordinates beyond %g, or that are no numbers",
                        (double)DLZ_WIDEST_MAP);
    return DLVIZ_OK;
}
