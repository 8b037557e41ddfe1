#include "neighbors/distances.h"
#include "base/base.h"
#include "tensor/tensor.h"

#include <float.h>
#include <math.h>

dlviz_status dlz_require_distances(const char *who, const char *name, const dlviz_tensor *points) {
    int64_t d = points->dims[1];
    const float *values = points->data;
    float limit = (float)(sqrt(FLT_MAX / (double)d) / 4);
    for (int64_t i = 0; i < points->size; i++)
        if (!(fabsf(values[i]) <= limit))
            return dlz_fail(DLVIZ_ERROR_NUMERIC,
                            "%s: '%s' has %g in row %lld, column %lld; finite values up to %g are "
                            "accepted",
                            who, name, (double)values[i], (long long)(i / d), (long long)(i % d),
                            (double)limit);
    return DLVIZ_OK;
}
