/* Pictures of the points, for the page. */
#include "../run/try.h"
#include "embed.h"

#include <math.h>
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

/* Numbers up to about 255 are bytes that somebody has converted, and perhaps resized. Others beyond 1 are
 * on a scale of their own, whose largest is white; what is below 0 then shows too. */
static dlviz_status scale(dlviz_tensor *images, const char *path) {
    float *values = dlviz_tensor_float(images), least = 0, most = 0;
    int64_t count = values ? dlviz_tensor_num_elements(images) : 0;
    for (int64_t i = 0; i < count; i++) {
        if (isnan(values[i]))
            return dlviz_fail(DLVIZ_ERROR_NUMERIC, "'%s' has NaN in picture %lld", path,
                              (long long)(i / (count / dlviz_tensor_dim(images, 0))));
        most = values[i] > most && isfinite(values[i]) ? values[i] : most;
        least = values[i] < least && isfinite(values[i]) ? values[i] : least;
    }
    bool bytes = most >= 32 && most < 300;
    double black = bytes ? 0 : (double)least, white = bytes ? 255 : (double)most;
    for (int64_t i = 0; most > 1 && i < count; i++)
        values[i] = (float)(((double)values[i] - black) / (white - black));
    return DLVIZ_OK;
}

/* Whether bytes are no levels, but say where something is. */
static bool are_truth_values(const dlviz_tensor *bytes) {
    const unsigned char *value = dlviz_tensor_const_data(bytes);
    for (int64_t i = 0; i < dlviz_tensor_num_elements(bytes); i++)
        if (value[i] > 1)
            return false;
    return true;
}

dlviz_status read_images(const char *path, int64_t n, dlviz_tensor **images) {
    dlviz_tensor *read, *floats = NULL;
    TRY(dlviz_tensor_read_npy(&read, path));
    dlviz_status status = DLVIZ_OK;
    *images = NULL;
    if (dlviz_tensor_dim(read, 0) != n)
        status = dlviz_fail(DLVIZ_ERROR_SHAPE, "'%s' has %lld pictures; there are %lld points",
                            path, (long long)dlviz_tensor_dim(read, 0), (long long)n);
    if (status == DLVIZ_OK && (dlviz_tensor_dtype(read) != DLVIZ_UINT8 || are_truth_values(read)))
        status = dlviz_tensor_convert(read, DLVIZ_FLOAT32, &floats);
    if (status == DLVIZ_OK)
        status = arrange(floats ? floats : read, path, images);
    if (status == DLVIZ_OK && floats)
        status = scale(*images, path);
    dlviz_tensor_destroy(floats);
    dlviz_tensor_destroy(read);
    if (status == DLVIZ_OK)
        return DLVIZ_OK;
    dlviz_tensor_destroy(*images);
    *images = NULL;
    return status;
}
