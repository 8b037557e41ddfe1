/* The gradient with respect to the inputs, as a tree of sums over the outputs. */
#include "base/base.h"
#include "kernels/gemm/gemm_linear.h"

/* A tile's sums, and three more of its size, share a second-level cache with what gemm packs. */
enum { MOST_ROWS = 256, NUMBERS = 32768, COLUMNS = 256 };
_Static_assert(3 * NUMBERS * sizeof(float) <=
                   DLZ_LINEAR_TREE_SCRATCH_BYTES - DLZ_GEMM_SCRATCH_BYTES,
               "scratch");

typedef struct sum {
    float *to;
    int64_t step; /* from row to row */
} sum;

typedef struct tree {
    const dlz_linear *layer;
    dlz_gemm product; /* of the tile, but for its terms and where it goes */
    const float *dy, *weight;
    void *scratch;
} tree;

static int64_t columns_of(const dlz_linear *layer) {
    return dlz_min_i64(layer->batch, MOST_ROWS) * COLUMNS > NUMBERS ? COLUMNS / 2 : COLUMNS;
}

int64_t dlz_linear_backward_data_tree_tiles(const dlz_linear *layer) {
    return dlz_ceil_div(layer->batch, MOST_ROWS) * dlz_ceil_div(layer->inputs, columns_of(layer));
}

static int64_t leaf_start(const dlz_linear *layer, int leaf) {
    return layer->outputs * leaf / DLZ_LINEAR_LEAVES;
}

static void multiply_leaf(const tree *t, int leaf, bool accumulate, sum result) {
    int64_t first = leaf_start(t->layer, leaf);
    dlz_gemm product = t->product;
    product.k = leaf_start(t->layer, leaf + 1) - first;
    product.a = t->dy + first;
    product.b = t->weight + first * t->layer->inputs;
    product.c = result.to;
    product.ldc = result.step;
    product.accumulate = accumulate;
    dlz_gemm_kernels()->gemm(&product, t->scratch);
}

static void add(const tree *t, sum to, sum from) {
    for (int64_t i = 0; i < t->product.m; i++) {
        float *restrict own = to.to + i * to.step;
        const float *restrict other = from.to + i * from.step;
        for (int64_t j = 0; j < t->product.n; j++)
            own[j] += other[j];
    }
}

/* Whether a leaf's sum is one block's, which gemm adds to another leaf's as it is. */
static bool is_block(const tree *t, int leaf) {
    return leaf_start(t->layer, leaf + 1) - leaf_start(t->layer, leaf) <= DLZ_GEMM_DEPTH;
}

static void sum_leaves(const tree *t, dlz_linear_leaves leaves, sum result, float *room) {
    if (leaves.count == 1) {
        multiply_leaf(t, leaves.first, false, result);
        return;
    }
    dlz_linear_leaves left = {leaves.first, leaves.count / 2};
    dlz_linear_leaves right = {leaves.first + left.count, left.count};
    sum_leaves(t, left, result, room);
    if (right.count == 1 && is_block(t, right.first)) {
        multiply_leaf(t, right.first, true, result);
        return;
    }
    sum other = {room, t->product.n};
    sum_leaves(t, right, other, room + NUMBERS);
    add(t, result, other);
}

void dlz_linear_backward_data_tree_tile(const dlz_linear *layer, dlz_linear_leaves leaves,
                                        int64_t tile, const float *dy, const float *weight,
                                        float *dx, void *scratch) {
    int64_t most = columns_of(layer), across = dlz_ceil_div(layer->inputs, most);
    int64_t row = tile / across * MOST_ROWS, column = tile % across * most;
    tree t = {.layer = layer,
              .product = {.m = dlz_min_i64(MOST_ROWS, layer->batch - row),
                          .n = dlz_min_i64(most, layer->inputs - column),
                          .lda = layer->outputs,
                          .ldb = layer->inputs},
              .dy = dy + row * layer->outputs,
              .weight = weight + column,
              .scratch = scratch};
    sum result = {dx + row * layer->inputs + column, layer->inputs};
    sum_leaves(&t, leaves, result, (float *)((char *)scratch + DLZ_GEMM_SCRATCH_BYTES));
}
