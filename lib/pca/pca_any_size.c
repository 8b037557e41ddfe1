/* Principal components of data whose unit, and whose distance from 0, do not matter. */
#include "pca/pca.h"
#include "base/base.h"
#include "tensor/tensor.h"

#include <float.h>
#include <math.h>

/* The largest difference of a value from the first of its column; with `enough` above 0, the first one
 * that is no less, which in most data is found at once. */
static double find_difference(const dlviz_tensor *data, double enough) {
    int64_t n = data->dims[0], d = data->dims[1];
    const float *first = data->data, *row = first;
    double largest = 0;
    for (int64_t i = 1; i < n && !(enough > 0 && largest >= enough); i++) {
        row += d;
        for (int64_t c = 0; c < d; c++)
            largest = fmax(largest, fabs((double)row[c] - first[c]));
    }
    return largest;
}

/* (value - its column's first, or 0) x factor. */
static dlviz_status change(const dlviz_tensor *data, bool from_first, double factor,
                           dlviz_tensor **changed) {
    int64_t n = data->dims[0], d = data->dims[1];
    DLZ_TRY(dlz_tensor_create_raw(changed, DLVIZ_FLOAT32, 2, data->dims));
    const float *from = data->data;
    float *to = (*changed)->data;
    for (int64_t i = 0; i < n; i++)
        for (int64_t c = 0; c < d; c++) {
            double origin = from_first ? from[c] : 0;
            to[i * d + c] = (float)((from[i * d + c] - origin) * factor);
        }
    return DLVIZ_OK;
}

dlviz_status dlz_pca_project_any_size(dlviz_pca *pca, const dlviz_tensor *data, double factor,
                                      dlviz_tensor **projected) {
    /* Two rows that differ so much have a variance that float32 holds, whatever the others are. */
    double enough = sqrt(2 * (double)data->dims[0] * (double)FLT_MIN) / factor;
    double difference = find_difference(data, enough);
    bool from_first = difference > 0 && difference < enough;
    if (from_first) {
        int exponent;
        frexp(difference, &exponent);
        factor = ldexp(1, -exponent);
    }
    if (factor == 1)
        return dlviz_pca_fit_transform(pca, data, projected);
    dlviz_tensor *changed;
    DLZ_TRY(change(data, from_first, factor, &changed));
    dlviz_status status = dlviz_pca_fit_transform(pca, changed, projected);
    dlviz_tensor_destroy(changed);
    return status;
}
