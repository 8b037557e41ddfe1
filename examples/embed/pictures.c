/* Pictures of the points, for the page. */
#include "../run/try.h"
#include "embed.h"

#include <string.h>

/* n x h x w x c to n x c x h x w. */
static dlviz_status move_channels(const dlviz_tensor *from, dlviz_tensor **to) {
    int64_t n = dlviz_tensor_dim(from, 0),
            pixels = dlviz_tensor_dim(from, 1) * dlviz_tensor_dim(from, 2);
    int64_t c = dlviz_tensor_dim(from, 3);
    size_t size = dlviz_dtype_size(dlviz_tensor_dtype(from));
    TRY(dlviz_tensor_create(
        to, dlviz_tensor_dtype(from), 4,
        (int64_t[]){n, c, dlviz_tensor_dim(from, 1), dlviz_tensor_dim(from, 2)}));
    const char *in = dlviz_tensor_const_data(from);
    char *out = dlviz_tensor_data(*to);
    for (int64_t i = 0; i < n; i++)
        for (int64_t p = 0; p < pixels; p++)
            for (int64_t k = 0; k < c; k++)
                memcpy(out + (size_t)((i * c + k) * pixels + p) * size,
                       in + (size_t)((i * pixels + p) * c + k) * size, size);
    return DLVIZ_OK;
}

static bool is_channels(int64_t size) {
    return size == 1 || size == 3;
}

static dlviz_status arrange(dlviz_tensor *read, const char *path, dlviz_tensor **images) {
    int ndim = dlviz_tensor_ndim(read);
    const int64_t n = dlviz_tensor_dim(read, 0);
    if (ndim == 3)
        return dlviz_tensor_reshape(
            read, 4, (int64_t[]){n, 1, dlviz_tensor_dim(read, 1), dlviz_tensor_dim(read, 2)},
            images);
    if (ndim == 4 && is_channels(dlviz_tensor_dim(read, 1)))
        return dlviz_tensor_copy(read, images);
    if (ndim == 4 && is_channels(dlviz_tensor_dim(read, 3)))
        return move_channels(read, images);
    return dlviz_fail(
        DLVIZ_ERROR_SHAPE,
        "'%s' has %d dimensions; n x h x w, n x h x w x 3 or n x 3 x h x w are accepted", path,
        ndim);
}

/* Numbers of 0 … 255 are bytes that somebody has converted. */
static void scale(dlviz_tensor *images) {
    float *values = dlviz_tensor_float(images), most = 0;
    int64_t count = values ? dlviz_tensor_num_elements(images) : 0;
    for (int64_t i = 0; i < count; i++)
        most = values[i] > most ? values[i] : most;
    for (int64_t i = 0; most > 1 && i < count; i++)
        values[i] /= 255;
}

dlviz_status read_images(const char *path, int64_t n, dlviz_tensor **images) {
    dlviz_tensor *read, *floats = NULL;
    TRY(dlviz_tensor_read_npy(&read, path));
    dlviz_status status = DLVIZ_OK;
    if (dlviz_tensor_dim(read, 0) != n)
        status = dlviz_fail(DLVIZ_ERROR_SHAPE, "'%s' has %lld pictures; there are %lld points",
                            path, (long long)dlviz_tensor_dim(read, 0), (long long)n);
    if (status == DLVIZ_OK && dlviz_tensor_dtype(read) != DLVIZ_UINT8)
        status = dlviz_tensor_convert(read, DLVIZ_FLOAT32, &floats);
    if (status == DLVIZ_OK)
        status = arrange(floats ? floats : read, path, images);
    if (status == DLVIZ_OK && floats)
        scale(*images);
    dlviz_tensor_destroy(floats);
    dlviz_tensor_destroy(read);
    return status;
}
