/* Samples that are soon to be read from a large mapped file: the disk fetches them meanwhile. */
#include "data/dataset.h"
#include "tensor/rows.h"
#include "tensor/tensor.h"

/* Rows that follow one another are one request. */
static void expect(const dlviz_tensor *tensor, const int32_t *rows, const int64_t *indices,
                   int64_t count) {
    int64_t first = 0, end = 0;
    if (!tensor || !dlz_rows_are_read(tensor))
        return;
    for (int64_t i = 0; i < count; i++) {
        int64_t row = rows ? rows[indices[i]] : indices[i];
        if (row != end || i == 0) {
            dlz_rows_expect(tensor, first, end - first);
            first = row;
        }
        end = row + 1;
    }
    dlz_rows_expect(tensor, first, end - first);
}

void dlz_dataset_expect(const dlviz_dataset *dataset, const int64_t *indices, int64_t count) {
    if (dataset->joined) /* which rows are here is found out when they are sent */
        return;
    expect(dataset->samples, dataset->rows, indices, count);
    expect(dataset->targets, dataset->target_rows, indices, count);
}
