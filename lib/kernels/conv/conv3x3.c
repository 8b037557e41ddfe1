/* The plan: which algorithm, how the work is cut, how much memory. Everything follows from the
 * shape and the instruction set, nothing from the number of threads. */
#include "kernels/conv/conv3x3.h"

/* Output tiles that go through the scratch together: enough to reuse the weights from L1, few
 * enough for the transformed data to stay in L2. Weights that are larger than L2 are read anew for
 * each chunk: the more there are, the more tiles share them, up to LARGEST_CHUNK times as many. */
enum { WINOGRAD4_CHUNK = 16, WINOGRAD2_CHUNK = 32, DIRECT_CHUNK_ROWS = 4 };
enum { WEIGHTS_OF_CHUNK = 8192, LARGEST_CHUNK = 4 };
_Static_assert((int)WINOGRAD2_CHUNK *(int)LARGEST_CHUNK <= DLZ_CONV3X3_CHUNK_ROWS,
               "a tile row has one tile at least");
enum { FORWARD_TILES = 32, BACKWARD_TILES = 8 };
/* Floats of weights that take much of L2; output tiles that are worth reading them, and an
 * accumulator. */
enum { LARGE = 192 << 10 };
enum { TILES_TO_WEIGHTS = 8, TILES_TO_LARGE_WEIGHTS = 32 };
enum { TILES_TO_ACCUMULATOR = 8, TILES_TO_LARGE_ACCUMULATOR = 64 };
enum { CHANNELS_OF_PART = 64 };
/* Behind an accumulator, for what kind it is of: a cache line. */
enum { KIND_FLOATS = 16 };

/* What a pass costs, in multiply-adds of vectors, as measured on AVX-512, AVX2 and plain x86-64:
 * `windows` pieces of output, of which each takes so many products of all channels with all and the
 * transforms of each channel. A training step runs `passes` times as long as forward, and transforms
 * each weight there and back, which takes as long as so many; forward alone finds them transformed
 * and reads them once.
 *
 * Forward alone supposes few images, whatever their number is: what is predicted for an image does not
 * depend on those beside it. */
typedef struct cost {
    dlz_conv3x3_algorithm algorithm;
    int64_t size;      /* of a piece */
    double products;   /* of a piece */
    double transforms; /* of a channel */
    double passes, weights;
} cost;

/* Weights beyond this many floats leave the caches before they are used: to read one then takes as
 * long as 1.3 multiply-adds. */
enum { FAR = 1 << 20 };
enum { SUPPOSED_IMAGES = 2 };

static double cost_of(const dlz_conv3x3_plan *plan, const cost *way, bool training) {
    dlz_conv3x3_shape s = plan->shape;
    double lanes = dlz_conv3x3_direct_of(plan->isa)->lanes;
    double pieces = (double)dlz_ceil_div(plan->out_height, way->size) *
                    (double)dlz_ceil_div(plan->out_width, way->size);
    double pairs = (double)s.in_channels * (double)plan->out_padded;
    double floats = way->products * pairs;
    double transforms = way->transforms * (double)(plan->in_padded + plan->out_padded);
    double forward = pieces * (way->products * pairs / lanes + transforms);
    if (!training)
        return SUPPOSED_IMAGES * forward + floats * (floats > FAR ? 1.3 : 0.2);
    return way->passes * (double)s.images * forward +
           way->weights * pairs / lanes * (floats > FAR ? 1.7 : 1);
}

/* With few channels, Winograd's rounding is large beside the sums, and little is gained. */
enum { FEWEST_CHANNELS = 8 };

static dlz_conv3x3_algorithm choose(const dlz_conv3x3_plan *plan, bool training) {
    if (dlz_min_i64(plan->shape.in_channels, plan->shape.out_channels) < FEWEST_CHANNELS)
        return DLZ_CONV3X3_DIRECT;
    bool narrow = dlz_conv3x3_direct_of(plan->isa)->lanes < 8;
    const cost ways[] = {{DLZ_CONV3X3_DIRECT, 1, 9, 0.5, 4, 900},
                         {DLZ_CONV3X3_WINOGRAD2, 2, 16, narrow ? 14 : 8, 3, 1280},
                         {DLZ_CONV3X3_WINOGRAD4, 4, 36, narrow ? 40 : 24, 3, 2048}};
    const cost *best = ways;
    for (const cost *way = ways + 1; way < ways + 3; way++)
        if (cost_of(plan, way, training) < cost_of(plan, best, training))
            best = way;
    return best->algorithm;
}

static void plan_direct(dlz_conv3x3_plan *plan) {
    dlz_conv3x3_shape s = plan->shape;
    plan->kernels = dlz_conv3x3_direct_of(plan->isa);
    plan->tile_rows = plan->out_height;
    plan->tile_columns = plan->out_width;
    plan->chunk_rows = dlz_min_i64(DIRECT_CHUNK_ROWS, plan->out_height);
    plan->forward_weight_floats = 9 * s.in_channels * plan->out_padded;
    plan->backward_weight_floats = 9 * s.out_channels * plan->in_padded;
    int64_t line = (plan->out_width + 2) * s.in_channels;
    int64_t gradient_line = (plan->out_width + 2 * dlz_conv3x3_border(plan, 1)) * plan->out_padded;
    plan->scratch_floats = (plan->chunk_rows + 2) * (line + gradient_line) + plan->out_padded + 32;
}

static void plan_winograd(dlz_conv3x3_plan *plan, int64_t m, int64_t chunk) {
    dlz_conv3x3_shape s = plan->shape;
    int64_t frequencies = (m + 2) * (m + 2);
    plan->kernels =
        m == 4 ? dlz_conv3x3_winograd4_of(plan->isa) : dlz_conv3x3_winograd2_of(plan->isa);
    int64_t lanes = plan->kernels->lanes;
    plan->tile_rows = dlz_ceil_div(plan->out_height, m);
    plan->tile_columns = dlz_ceil_div(plan->out_width, m);
    chunk *= dlz_max_i64(
        1, dlz_min_i64(s.in_channels * s.out_channels / WEIGHTS_OF_CHUNK, LARGEST_CHUNK));
    plan->chunk_rows = dlz_max_i64(1, chunk / plan->tile_columns);
    plan->chunk_rows = dlz_min_i64(plan->chunk_rows, plan->tile_rows * s.images);
    plan->forward_step = s.in_channels * plan->out_padded + 16;
    plan->backward_step = s.out_channels * plan->in_padded + 16;
    plan->forward_weight_floats = frequencies * plan->forward_step;
    plan->backward_weight_floats = frequencies * plan->backward_step;
    int64_t tiles = plan->chunk_rows * plan->tile_columns, columns = m * plan->tile_columns + 2;
    int64_t matrices = tiles * (plan->in_padded + plan->out_padded) + 32;
    int64_t strips = plan->chunk_rows * columns * (plan->in_padded + plan->out_padded) + 32;
    plan->scratch_floats = (m + 2) * (matrices + strips) + 2 * columns * plan->in_padded +
                           9 * dlz_max_i64(s.in_channels, s.out_channels) * 2 * lanes +
                           plan->out_padded;
}

/* Whether the transformed weights, or their gradient, take much of L2 or more. */
static bool is_large(const dlz_conv3x3_plan *plan) {
    return plan->algorithm != DLZ_CONV3X3_DIRECT && plan->forward_weight_floats > LARGE;
}

/* Into how many parts, by channels, tiles are cut when there are few. Each part transforms the data
 * again. */
static int64_t most_parts(int64_t channels, int64_t tiles) {
    int64_t parts = tiles == 1 ? 4 : tiles <= 4 ? 2 : 1;
    return dlz_max_i64(1, dlz_min_i64(channels / CHANNELS_OF_PART, parts));
}

/* Forward tiles are whole chunks, unless there would be too few of them for many threads. */
static void cut_forward(dlz_conv3x3_plan *plan) {
    int64_t rows = plan->shape.images * plan->tile_rows;
    int64_t chunks = dlz_ceil_div(rows, plan->chunk_rows);
    bool large = is_large(plan);
    int64_t least =
        dlz_ceil_div(large ? TILES_TO_LARGE_WEIGHTS : TILES_TO_WEIGHTS,
                     plan->algorithm == DLZ_CONV3X3_DIRECT ? TILES_TO_WEIGHTS : plan->tile_columns);
    plan->forward_rows = chunks >= 8 ? plan->chunk_rows * dlz_ceil_div(chunks, FORWARD_TILES)
                                     : dlz_max_i64(least, dlz_ceil_div(rows, 8));
    plan->moment_blocks = dlz_ceil_div(rows, plan->forward_rows);
    plan->forward_parts = large ? most_parts(plan->shape.out_channels, plan->moment_blocks) : 1;
    plan->forward_tiles = plan->moment_blocks * plan->forward_parts;
}

void dlz_conv3x3_plan_backward(dlz_conv3x3_plan *plan, int64_t images) {
    plan->backward_images = images;
    plan->backward_parts = plan->sums = 1;
    plan->accumulators = plan->backward_tiles = dlz_ceil_div(plan->shape.images, images);
    plan->accumulator_stride = plan->forward_weight_floats + plan->out_padded + KIND_FLOATS;
    plan->accumulator_floats = plan->accumulators * plan->accumulator_stride;
}

/* An accumulator is written and read about three times, which takes as long as the products of so
 * many output tiles: those of fewer share one, and are cut into parts by channels instead, each of
 * which transforms the data again. */
static void cut_backward(dlz_conv3x3_plan *plan) {
    dlz_conv3x3_shape s = plan->shape;
    int64_t tiles = s.images * plan->tile_rows * plan->tile_columns, groups = BACKWARD_TILES;
    if (plan->algorithm != DLZ_CONV3X3_DIRECT)
        groups = dlz_min_i64(
            groups, tiles / (is_large(plan) ? TILES_TO_LARGE_ACCUMULATOR : TILES_TO_ACCUMULATOR));
    dlz_conv3x3_plan_backward(plan, dlz_ceil_div(s.images, dlz_max_i64(groups, 1)));
    if (plan->algorithm == DLZ_CONV3X3_DIRECT)
        return;
    plan->backward_parts =
        most_parts(dlz_min_i64(s.in_channels, s.out_channels), plan->accumulators);
    plan->backward_tiles *= plan->backward_parts;
}

static void count_forward(dlz_conv3x3_plan *plan) {
    plan->moment_blocks = dlz_ceil_div(plan->shape.images * plan->tile_rows, plan->forward_rows);
    plan->forward_tiles = plan->moment_blocks * plan->forward_parts;
}

void dlz_conv3x3_plan_part(dlz_conv3x3_plan *plan, int64_t images, int64_t leaf, int64_t groups) {
    int64_t parts = plan->backward_parts, rows = leaf * plan->tile_rows;
    plan->shape.images = images;
    plan->forward_rows = dlz_min_i64(plan->forward_rows, rows);
    while (rows % plan->forward_rows != 0)
        plan->forward_rows--;
    count_forward(plan);
    dlz_conv3x3_plan_backward(plan, images / groups);
    plan->sums = plan->accumulators;
    plan->backward_parts = parts;
    plan->backward_tiles *= parts;
}

static dlviz_status check(dlz_conv3x3_shape shape) {
    const int64_t size[] = {shape.height, shape.width};
    const int64_t dims[] = {shape.images, shape.height, shape.width, shape.in_channels,
                            shape.out_channels};
    for (int i = 0; i < 5; i++)
        if (dims[i] < 1)
            return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                            "conv3x3: a size is %lld, must be 1 or more", (long long)dims[i]);
    for (int i = 0; i < 2; i++)
        if (shape.padding[i] < 0 || shape.padding[i] > INT32_MAX ||
            dlz_min_i64(size[i], 3) + 2 * shape.padding[i] < 3)
            return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                            "conv3x3: a padding of %lld at a size of %lld leaves no output",
                            (long long)shape.padding[i], (long long)size[i]);
    return DLVIZ_OK;
}

dlviz_status dlz_conv3x3_plan_create(dlz_conv3x3_plan *plan, dlz_conv3x3_shape shape, dlz_isa isa,
                                     dlz_conv3x3_algorithm algorithm) {
    *plan = (dlz_conv3x3_plan){.shape = shape, .isa = isa};
    DLZ_TRY(check(shape));
    if (dlz_max_i64(shape.height, shape.width) > INT64_MAX / 4096)
        return dlz_fail(DLVIZ_ERROR_OUT_OF_MEMORY, "conv3x3: the sizes are too large");
    plan->out_height = shape.height + 2 * shape.padding[0] - 2;
    plan->out_width = shape.width + 2 * shape.padding[1] - 2;
    int64_t dims[] = {shape.images,
                      dlz_max_i64(shape.height, plan->out_height),
                      dlz_max_i64(shape.width, plan->out_width),
                      shape.in_channels,
                      shape.out_channels,
                      8 * 36};
    int64_t product;
    /* All buffers together stay below this product. */
    if (dlz_product_overflows(6, dims, &product) || product > INT64_MAX / 4096)
        return dlz_fail(DLVIZ_ERROR_OUT_OF_MEMORY, "conv3x3: the sizes are too large");

    int64_t lanes = dlz_conv3x3_direct_of(isa)->lanes;
    plan->in_padded = dlz_ceil_div(shape.in_channels, lanes) * lanes;
    plan->out_padded = dlz_ceil_div(shape.out_channels, lanes) * lanes;
    bool automatic = algorithm == DLZ_CONV3X3_AUTO || algorithm == DLZ_CONV3X3_AUTO_FORWARD;
    plan->algorithm = automatic ? choose(plan, algorithm == DLZ_CONV3X3_AUTO) : algorithm;
    plan->pools = plan->algorithm != DLZ_CONV3X3_DIRECT;
    if (plan->algorithm == DLZ_CONV3X3_DIRECT)
        plan_direct(plan);
    else if (plan->algorithm == DLZ_CONV3X3_WINOGRAD2)
        plan_winograd(plan, 2, WINOGRAD2_CHUNK);
    else
        plan_winograd(plan, 4, WINOGRAD4_CHUNK);

    cut_forward(plan);
    cut_backward(plan);
    /* A weight tile is one vector of out channels by as many in channels. */
    plan->weight_tiles = (plan->in_padded / lanes) * (plan->out_padded / lanes);
    return DLVIZ_OK;
}

/* The first line of a tile row. */
static int64_t line_of(const dlz_conv3x3_plan *plan, int64_t row) {
    int64_t lines = plan->algorithm == DLZ_CONV3X3_WINOGRAD4   ? 4
                    : plan->algorithm == DLZ_CONV3X3_WINOGRAD2 ? 2
                                                               : 1;
    int64_t image = row / plan->tile_rows;
    return image * plan->out_height + (row - image * plan->tile_rows) * lines;
}

dlz_conv3x3_area dlz_conv3x3_forward_area(const dlz_conv3x3_plan *plan, int64_t tile) {
    int64_t index = tile / plan->forward_parts, part = tile - index * plan->forward_parts;
    int64_t row = index * plan->forward_rows, rows = plan->shape.images * plan->tile_rows;
    int64_t panel = 2 * plan->kernels->lanes, panels = dlz_ceil_div(plan->out_padded, panel);
    int64_t end_channel = panels * (part + 1) / plan->forward_parts * panel;
    return (dlz_conv3x3_area){line_of(plan, row) * plan->out_width,
                              line_of(plan, dlz_min_i64(row + plan->forward_rows, rows)) *
                                  plan->out_width,
                              panels * part / plan->forward_parts * panel,
                              dlz_min_i64(end_channel, plan->shape.out_channels)};
}
