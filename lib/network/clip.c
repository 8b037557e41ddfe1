/* Gradients that are held within bounds before a step. */
#include "base/base.h"
#include "base/parallel.h"
#include "network/network.h"

#include <float.h>
#include <math.h>

/* Parameters a tile handles, at least, and most tiles. */
enum { TILE_SIZE = 8192, MOST_TILES = 256 };

typedef struct clip_pass {
    float *gradients;
    int64_t size, tile_size;
    float limit, scale;
    double factor;
    double sums[MOST_TILES]; /* of squares */
} clip_pass;

static void bounds(const clip_pass *pass, int64_t tile, int64_t *first, int64_t *end) {
    *first = tile * pass->tile_size;
    *end = dlz_min_i64(*first + pass->tile_size, pass->size);
}

static void square_tile(void *context, int64_t tile, int worker) {
    (void)worker;
    clip_pass *pass = context;
    int64_t i, end;
    bounds(pass, tile, &i, &end);
    double sums[8] = {0}, sum = 0;
    for (; i + 8 <= end; i += 8)
        for (int lane = 0; lane < 8; lane++) {
            double g = (double)pass->gradients[i + lane];
            sums[lane] += g * g;
        }
    for (; i < end; i++)
        sum += (double)pass->gradients[i] * (double)pass->gradients[i];
    for (int lane = 0; lane < 8; lane++)
        sum += sums[lane];
    pass->sums[tile] = sum;
}

static void limit_tile(void *context, int64_t tile, int worker) {
    (void)worker;
    const clip_pass *pass = context;
    int64_t first, end;
    bounds(pass, tile, &first, &end);
    const float limit = pass->limit, scale = pass->scale;
    float *g = pass->gradients;
    for (int64_t i = first; i < end; i++) {
        float scaled = scale * g[i];
        g[i] = scaled > limit ? limit : scaled < -limit ? -limit : scaled; /* a NaN stays one */
    }
}

/* In double: what the factor makes of a gradient may be a float where the factor is none. */
static void shorten_tile(void *context, int64_t tile, int worker) {
    (void)worker;
    const clip_pass *pass = context;
    int64_t first, end;
    bounds(pass, tile, &first, &end);
    for (int64_t i = first; i < end; i++)
        pass->gradients[i] = (float)(pass->factor * (double)pass->gradients[i]);
}

static void over_tiles(dlviz_network *network, clip_pass *pass, dlz_tile_fn function) {
    pass->gradients = network->gradients;
    pass->size = network->parameter_floats;
    pass->tile_size = dlz_max_i64(TILE_SIZE, dlz_ceil_div(pass->size, MOST_TILES));
    dlz_parallel_for(dlz_ceil_div(pass->size, pass->tile_size), dlz_threads(), function, pass);
}

/* Padding between parameters is 0, and so are the gradients of what is frozen. */
double dlz_network_gradient_norm(dlviz_network *network) {
    clip_pass pass = {.sums = {0}};
    double sum = 0;
    over_tiles(network, &pass, square_tile);
    for (int tile = 0; tile < MOST_TILES; tile++)
        sum += pass.sums[tile];
    return (double)network->gradient_scale * sqrt(sum);
}

void dlz_network_limit_gradients(dlviz_network *network, double limit) {
    over_tiles(network, &(clip_pass){.limit = (float)limit, .scale = network->gradient_scale},
               limit_tile);
    network->gradient_scale = 1;
}

/* They are multiplied when they are used, which saves a pass over them, if a float holds the
 * factor. */
void dlz_network_shorten_gradients(dlviz_network *network, double norm, double largest) {
    double factor = largest / (norm + 1e-6); /* as PyTorch */
    if (factor >= 1)
        return;
    double scale = (double)network->gradient_scale * factor;
    if (scale >= (double)FLT_MIN) {
        network->gradient_scale *= (float)factor;
        return;
    }
    over_tiles(network, &(clip_pass){.factor = scale}, shorten_tile);
    network->gradient_scale = 1;
}

dlviz_status dlz_check_clip(const char *who, const char *what, double limit) {
    if (limit > 0 && limit <= 1e30)
        return DLVIZ_OK;
    return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: %s is %g; above 0, up to 1e30, is accepted",
                    who, what, limit);
}

static dlviz_status require_gradients(const dlviz_network *network, const char *who) {
    if (network->has_gradients)
        return DLVIZ_OK;
    return dlz_fail(DLVIZ_ERROR_STATE,
                    "%s: the network has no gradients; call dlviz_network_backward first", who);
}

dlviz_status dlviz_network_clip_gradient_norm(dlviz_network *network, double largest,
                                              double *norm) {
    if (norm)
        *norm = NAN;
    DLZ_USE_STATES(__func__, network);
    DLZ_TRY(dlz_check_clip(__func__, "the largest norm", largest));
    DLZ_TRY(require_gradients(network, __func__));
    double found = dlz_network_gradient_norm(network);
    if (!isfinite(found))
        return dlz_fail(DLVIZ_ERROR_NUMERIC, "%s: the norm of the gradients is %s", __func__,
                        isnan(found) ? "NaN" : "infinite");
    dlz_network_shorten_gradients(network, found, largest);
    if (norm)
        *norm = found;
    return DLVIZ_OK;
}

dlviz_status dlviz_network_clip_gradient_value(dlviz_network *network, double largest) {
    DLZ_USE_STATES(__func__, network);
    DLZ_TRY(dlz_check_clip(__func__, "the largest value", largest));
    DLZ_TRY(require_gradients(network, __func__));
    dlz_network_limit_gradients(network, largest);
    return DLVIZ_OK;
}
