#include "kernels/gemm/gemm.h"

#include "kernels/gemm/gemm_tile.h"

/* Blocks. The packed rows of A (ROW_BLOCK x DEPTH) and columns of B (DEPTH x COLUMN_BLOCK) share
 * the scratch and stay in a second-level cache; one panel of B (DEPTH x OUTER_COLUMNS) stays in the
 * first. Only DEPTH and DOT_DEPTH enter the numbers. */
enum {
    DEPTH = DLZ_GEMM_DEPTH,
    ROW_BLOCK = 128,
    COLUMN_BLOCK = 256,
    DOT_DEPTH = 1024,
    DOT_ROW_BLOCK = 64,
    DOT_FROM = 96, /* the least k for which dot products beat packing B^T */
    FEW_TERMS = 64,
    SCRATCH_A = ROW_BLOCK * DEPTH + LANES * LANES,
    SCRATCH_B = COLUMN_BLOCK * DEPTH
};
_Static_assert(sizeof(float) * (SCRATCH_A + SCRATCH_B) <= DLZ_GEMM_SCRATCH_BYTES, "scratch");
_Static_assert(COLUMN_BLOCK % OUTER_COLUMNS == 0, "whole panels");

typedef void outer_fn(int64_t k, const float *a, int64_t row_step, int64_t a_step, const float *b,
                      int64_t b_step, const gemm_place *place, int last);
typedef void dot_fn(int64_t k, const float *a, int64_t lda, const float *b, int64_t ldb,
                    const gemm_place *place);

#define OUTER(rows, vectors, unit)                                                                 \
    static void outer_##rows##_##vectors##_##unit(int64_t k, const float *a, int64_t row_step,     \
                                                  int64_t a_step, const float *b, int64_t b_step,  \
                                                  const gemm_place *place, int last) {             \
        outer(rows, vectors, unit, k, a, row_step, a_step, b, b_step, place, last);                \
    }
#define OUTERS(rows) OUTER(rows, 1, 0) OUTER(rows, 1, 1) OUTER(rows, 2, 0) OUTER(rows, 2, 1)
#define DOT(rows, columns)                                                                         \
    static void dot_##rows##_##columns(int64_t k, const float *a, int64_t lda, const float *b,     \
                                       int64_t ldb, const gemm_place *place) {                     \
        dot(rows, columns, k, a, lda, b, ldb, place);                                              \
    }

#define OUTER_NAMES(rows)                                                                          \
    {                                                                                              \
        {outer_##rows##_1_0, outer_##rows##_1_1}, {                                                \
            outer_##rows##_2_0, outer_##rows##_2_1                                                 \
        }                                                                                          \
    }

/* Formatting would move these lists at every call. */
/* clang-format off */
OUTERS(1) OUTERS(2) OUTERS(3) OUTERS(4) OUTERS(5) OUTERS(6)
#if DLZ_REGISTERS == 32
OUTERS(7) OUTERS(8) OUTERS(9) OUTERS(10) OUTERS(11) OUTERS(12)
#endif
#if DLZ_LANES == 16
OUTERS(13) OUTERS(14)
#endif
    /* clang-format on */

    /* [rows − 1][vectors − 1][rows of A next to each other] */
    static outer_fn *const outer_tiles[OUTER_ROWS][2][2] = {
        OUTER_NAMES(1),  OUTER_NAMES(2),  OUTER_NAMES(3),
        OUTER_NAMES(4),  OUTER_NAMES(5),  OUTER_NAMES(6),
#if DLZ_REGISTERS == 32
        OUTER_NAMES(7),  OUTER_NAMES(8),  OUTER_NAMES(9),
        OUTER_NAMES(10), OUTER_NAMES(11), OUTER_NAMES(12),
#endif
#if DLZ_LANES == 16
        OUTER_NAMES(13), OUTER_NAMES(14),
#endif
};

/* clang-format off */
DOT(1, 1) DOT(1, 2) DOT(1, 3)
DOT(2, 1) DOT(2, 2) DOT(2, 3)
DOT(3, 1) DOT(3, 2) DOT(3, 3)
#if DLZ_REGISTERS == 32
DOT(1, 4) DOT(1, 5) DOT(1, 6)
DOT(2, 4) DOT(2, 5) DOT(2, 6)
DOT(3, 4) DOT(3, 5) DOT(3, 6)
DOT(4, 1) DOT(4, 2) DOT(4, 3) DOT(4, 4) DOT(4, 5) DOT(4, 6)
#elif DLZ_LANES == 8
DOT(1, 4) DOT(2, 4) DOT(3, 4)
#endif
    /* clang-format on */

    static dot_fn *const dot_tiles[DOT_ROWS][DOT_COLUMNS] = {
#if DLZ_REGISTERS == 32
        {dot_1_1, dot_1_2, dot_1_3, dot_1_4, dot_1_5, dot_1_6},
        {dot_2_1, dot_2_2, dot_2_3, dot_2_4, dot_2_5, dot_2_6},
        {dot_3_1, dot_3_2, dot_3_3, dot_3_4, dot_3_5, dot_3_6},
        {dot_4_1, dot_4_2, dot_4_3, dot_4_4, dot_4_5, dot_4_6},
#elif DLZ_LANES == 8
        {dot_1_1, dot_1_2, dot_1_3, dot_1_4},
        {dot_2_1, dot_2_2, dot_2_3, dot_2_4},
        {dot_3_1, dot_3_2, dot_3_3, dot_3_4},
#else
        {dot_1_1, dot_1_2, dot_1_3},
        {dot_2_1, dot_2_2, dot_2_3},
        {dot_3_1, dot_3_2, dot_3_3},
#endif
};

static int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}
static int64_t up(int64_t a, int64_t b) {
    return (a + b - 1) / b * b;
}

/* `total` cut into the fewest parts of at most `most`, as equal as can be: where part i begins. */
static int64_t parts(int64_t total, int64_t most) {
    return (total + most - 1) / most;
}
static int64_t part_start(int64_t total, int64_t count, int64_t i) {
    int64_t size = total / count, longer = total % count;
    return i * size + least(i, longer);
}

/* What the first block over k starts from; later ones start from C. */
static gemm_place place_of(const dlz_gemm *g, int64_t i, int64_t j, bool first) {
    gemm_place place = {g->c + i * g->ldc + j, g->ldc, NULL, 0};
    if (g->accumulate || !first) {
        place.start = place.c;
        place.start_step = g->ldc;
    } else if (g->bias)
        place.start = g->bias + j;
    return place;
}

/* No terms to add: C = its start. */
static void no_terms(const dlz_gemm *g) {
    for (int64_t i = 0; i < g->m && !g->accumulate; i++)
        for (int64_t j = 0; j < g->n; j++)
            g->c[i * g->ldc + j] = g->bias ? g->bias[j] : 0.0f;
}

/* `rows` <= OUTER_ROWS rows, contiguous in k, to [k][rows]. Writes up to LANES floats beyond. */
static void pack_rows(int64_t rows, int64_t k, const float *a, int64_t lda, float *to) {
    for (int64_t p = 0; p < k; p += LANES) {
        int64_t count = least(LANES, k - p);
        dlz_v block[(OUTER_ROWS + LANES - 1) / LANES][LANES];
        int64_t groups = parts(rows, LANES);
        for (int64_t group = 0; group < groups; group++) {
            for (int64_t i = 0; i < LANES; i++) {
                int64_t row = least(group * LANES + i, rows - 1);
                block[group][i] = count == LANES ? dlz_load(a + row * lda + p)
                                                 : dlz_load_first(a + row * lda + p, (int)count);
            }
            dlz_transpose(block[group]);
        }
        /* A vector that is too long by some lanes is overwritten there by the next one. */
        for (int64_t q = 0; q < count; q++, to += rows)
            for (int64_t group = 0; group < groups; group++)
                dlz_store(to + group * LANES, block[group][q]);
    }
}

/* `rows` rows, next to each other for each k, to [k][rows]. */
static void pack_columns(int64_t rows, int64_t k, const float *a, int64_t lda, float *to) {
    if (rows == OUTER_ROWS)
        for (int64_t p = 0; p < k; p++, a += lda, to += OUTER_ROWS)
            memcpy(to, a, OUTER_ROWS * sizeof *to);
    else
        for (int64_t p = 0; p < k; p++, a += lda, to += rows)
            for (int64_t i = 0; i < rows; i++)
                to[i] = a[i];
}

/* `count` columns of B^T, contiguous in k, to [k][step]; lanes beyond count are 0. */
static void pack_turned(int64_t count, int64_t k, const float *b, int64_t ldb, int64_t step,
                        float *to) {
    for (int64_t p = 0; p < k; p += LANES) {
        int64_t deep = least(LANES, k - p);
        dlz_v block[LANES];
        for (int64_t i = 0; i < LANES; i++) {
            block[i] = (dlz_v){0};
            if (i < count)
                block[i] = deep == LANES ? dlz_load(b + i * ldb + p)
                                         : dlz_load_first(b + i * ldb + p, (int)deep);
        }
        dlz_transpose(block);
        for (int64_t q = 0; q < deep; q++)
            dlz_store(to + (p + q) * step, block[q]);
    }
}

/* Columns j0 ... j0 + n of op(B), rows p0 ... p0 + k, to panels [k][OUTER_COLUMNS], the last one
 * [k][LANES] if that is enough; what lies beyond n is 0. Panel j begins at to + j * k. */
static void pack_block(const dlz_gemm *g, int64_t p0, int64_t k, int64_t j0, int64_t n, float *to) {
    int64_t whole = n / LANES * LANES, last_panel = (n - 1) / OUTER_COLUMNS * OUTER_COLUMNS;
    int64_t last_step = n - last_panel > LANES ? OUTER_COLUMNS : LANES;
    if (g->transpose_b) {
        const float *b = g->b + j0 * g->ldb + p0;
        for (int64_t j = 0; j < n; j += LANES) {
            int64_t panel = j / OUTER_COLUMNS * OUTER_COLUMNS;
            pack_turned(least(LANES, n - j), k, b + j * g->ldb, g->ldb,
                        panel == last_panel ? last_step : OUTER_COLUMNS,
                        to + panel * k + j - panel);
        }
        return;
    }
    /* Row by row, so that the hardware sees long runs of memory and fetches ahead. */
    const float *b = g->b + p0 * g->ldb + j0;
    for (int64_t p = 0; p < k; p++, b += g->ldb) {
        int64_t j = 0;
        for (; j < last_panel; j += OUTER_COLUMNS) {
            dlz_store(to + j * k + p * OUTER_COLUMNS, dlz_load(b + j));
            dlz_store(to + j * k + p * OUTER_COLUMNS + LANES, dlz_load(b + j + LANES));
        }
        float *last = to + j * k + p * last_step;
        for (; j < whole; j += LANES, last += LANES)
            dlz_store(last, dlz_load(b + j));
        if (j < n)
            dlz_store(last, dlz_load_first(b + j, (int)(n - j)));
    }
}

/* A product of blocks: rows i0 ... i0 + m times columns j0 ... j0 + n, k terms from p0 on. */
typedef struct block_product {
    const dlz_gemm *g;
    int64_t i0, m, j0, n, p0, k;
    const float *a, *b; /* packed; a NULL: A's rows are read where they are */
    int64_t panels;     /* of rows */
} block_product;

DLZ_INLINE void multiply_tile(const block_product *block, int64_t panel, int64_t j) {
    const dlz_gemm *g = block->g;
    int64_t i = part_start(block->m, block->panels, panel);
    int64_t rows = part_start(block->m, block->panels, panel + 1) - i, k = block->k;
    int64_t columns = least(OUTER_COLUMNS, block->n - j);
    int vectors = columns > LANES ? 2 : 1;
    int last = (int)(columns - (vectors - 1) * LANES);
    gemm_place place = place_of(g, block->i0 + i, block->j0 + j, block->p0 == 0);
    const float *b = block->b + j * k;
    if (block->a)
        outer_tiles[rows - 1][vectors - 1][1](k, block->a + i * k, 1, rows, b, vectors * LANES,
                                              &place, last);
    else
        outer_tiles[rows - 1][vectors - 1][0](k, g->a + (block->i0 + i) * g->lda + block->p0,
                                              g->lda, 1, b, vectors * LANES, &place, last);
}

/* A is packed when each of its numbers is used often enough. Columns of B stay in the first cache
 * for all rows; but where terms are few, C is most of what moves, and its rows are written in long
 * runs. */
static void multiply_block(block_product block, float *packed_a) {
    const dlz_gemm *g = block.g;
    int64_t m = block.m, k = block.k;
    block.panels = parts(m, OUTER_ROWS);
    bool packs = g->transpose_a || block.n > 2 * OUTER_COLUMNS;
    block.a = packs ? packed_a : NULL;
    for (int64_t panel = 0; packs && panel < block.panels; panel++) {
        int64_t i = part_start(m, block.panels, panel);
        int64_t rows = part_start(m, block.panels, panel + 1) - i;
        if (g->transpose_a)
            pack_columns(rows, k, g->a + block.p0 * g->lda + block.i0 + i, g->lda,
                         packed_a + i * k);
        else
            pack_rows(rows, k, g->a + (block.i0 + i) * g->lda + block.p0, g->lda, packed_a + i * k);
    }
    if (k <= FEW_TERMS)
        for (int64_t panel = 0; panel < block.panels; panel++)
            for (int64_t j = 0; j < block.n; j += OUTER_COLUMNS)
                multiply_tile(&block, panel, j);
    else
        for (int64_t j = 0; j < block.n; j += OUTER_COLUMNS)
            for (int64_t panel = 0; panel < block.panels; panel++)
                multiply_tile(&block, panel, j);
}

static void gemm_outer(const dlz_gemm *g, const float *packed_b, float *scratch) {
    float *packed_a = scratch, *block_b = scratch + SCRATCH_A;
    int64_t depths = parts(g->k, DEPTH), row_blocks = parts(g->m, ROW_BLOCK);
    for (int64_t j = 0; j < g->n; j += COLUMN_BLOCK) {
        int64_t n = least(COLUMN_BLOCK, g->n - j);
        for (int64_t depth = 0; depth < depths; depth++) {
            int64_t p = part_start(g->k, depths, depth);
            int64_t k = part_start(g->k, depths, depth + 1) - p;
            const float *b = block_b;
            if (packed_b)
                b = packed_b + p * up(g->n, LANES) + j * k;
            else
                pack_block(g, p, k, j, n, block_b);
            for (int64_t block = 0; block < row_blocks; block++) {
                int64_t i = part_start(g->m, row_blocks, block);
                int64_t m = part_start(g->m, row_blocks, block + 1) - i;
                multiply_block((block_product){g, i, m, j, n, p, k, NULL, b, 0}, packed_a);
            }
        }
    }
}

static void thin_tile(const dlz_gemm *g, int64_t j, int64_t p, int64_t k, const float *b,
                      int64_t b_step, int64_t pair_step) {
    int64_t row_step = g->transpose_a ? 1 : g->lda, a_step = g->transpose_a ? g->lda : 1;
    gemm_place place = place_of(g, 0, j, p == 0);
    const float *a = g->a + p * a_step;
    if (g->m == 1)
        thin(1, k, a, row_step, a_step, b, b_step, pair_step, &place);
    else
        thin(2, k, a, row_step, a_step, b, b_step, pair_step, &place);
}

/* The columns of a product of few rows that whole strips hold; returns how many they are. */
static int64_t gemm_thin(const dlz_gemm *g) {
    int64_t depths = parts(g->k, DEPTH), columns = g->n / THIN_COLUMNS * THIN_COLUMNS;
    for (int64_t depth = 0; depth < depths; depth++) {
        int64_t p = part_start(g->k, depths, depth);
        int64_t k = part_start(g->k, depths, depth + 1) - p;
        for (int64_t j = 0; j < columns; j += THIN_COLUMNS)
            thin_tile(g, j, p, k, g->b + p * g->ldb + j, g->ldb, 2 * LANES);
    }
    return columns;
}

/* Panels by THIN_VECTORS vectors, then those that are left. */
static void gemm_thin_packed(const dlz_gemm *g, const float *packed) {
    int64_t depths = parts(g->k, DEPTH);
    for (int64_t depth = 0; depth < depths; depth++) {
        int64_t p = part_start(g->k, depths, depth), j = 0;
        int64_t k = part_start(g->k, depths, depth + 1) - p;
        const float *b = packed + p * up(g->n, LANES);
        for (; j + THIN_COLUMNS <= g->n; j += THIN_COLUMNS)
            thin_tile(g, j, p, k, b + j * k, 2 * LANES, 2 * LANES * k);
        block_product rest = {g, 0, g->m, 0, g->n, p, k, NULL, b, 1};
        for (; j < g->n; j += OUTER_COLUMNS)
            multiply_tile(&rest, 0, j);
    }
}

/* A's rows against B^T's, both contiguous in k: nothing is packed. */
static void gemm_dot(const dlz_gemm *g) {
    int64_t row_blocks = parts(g->m, DOT_ROW_BLOCK), panels = parts(g->n, DOT_COLUMNS);
    for (int64_t block = 0; block < row_blocks; block++) {
        int64_t i0 = part_start(g->m, row_blocks, block);
        int64_t m = part_start(g->m, row_blocks, block + 1) - i0, strips = parts(m, DOT_ROWS);
        for (int64_t p = 0; p < g->k; p += DOT_DEPTH) {
            int64_t k = least(DOT_DEPTH, g->k - p);
            for (int64_t panel = 0; panel < panels; panel++) {
                int64_t j = part_start(g->n, panels, panel);
                int64_t columns = part_start(g->n, panels, panel + 1) - j;
                for (int64_t strip = 0; strip < strips; strip++) {
                    int64_t i = i0 + part_start(m, strips, strip);
                    int64_t rows = i0 + part_start(m, strips, strip + 1) - i;
                    gemm_place place = place_of(g, i, j, p == 0);
                    dot_tiles[rows - 1][columns - 1](k, g->a + i * g->lda + p, g->lda,
                                                     g->b + j * g->ldb + p, g->ldb, &place);
                }
            }
        }
    }
}

/* One term each: rows of C are written one after the other. */
static void gemm_one_term(const dlz_gemm *g) {
    for (int64_t i = 0; i < g->m; i++) {
        gemm_place place = place_of(g, i, 0, true);
        dlz_v value = dlz_splat(g->a[g->transpose_a ? i : i * g->lda]);
        for (int64_t j = 0; j < g->n; j += LANES) {
            dlz_v sum = dlz_fma(value, dlz_load_up_to(g->b + j, g->n - j), (dlz_v){0});
            if (place.start)
                sum += dlz_load_up_to(place.start + j, g->n - j);
            dlz_store_up_to(place.c + j, sum, g->n - j);
        }
    }
}

static void gemm_few_rows(const dlz_gemm *product, void *scratch) {
    dlz_gemm rest = *product;
    int64_t done = product->m > 0 ? gemm_thin(product) : product->n;
    rest.n -= done;
    rest.b += done;
    rest.c += done;
    rest.bias = rest.bias ? rest.bias + done : NULL;
    gemm_outer(&rest, NULL, scratch);
}

static void gemm(const dlz_gemm *product, void *scratch) {
    if (product->k <= 0)
        no_terms(product);
    else if (product->transpose_b && !product->transpose_a && product->k >= DOT_FROM)
        gemm_dot(product);
    else if (product->k == 1 && !product->transpose_b)
        gemm_one_term(product);
    else if (product->m <= THIN_ROWS && !product->transpose_b)
        gemm_few_rows(product, scratch);
    else
        gemm_outer(product, NULL, scratch);
}

static size_t packed_size(int64_t k, int64_t n) {
    return (size_t)k * (size_t)up(n, LANES);
}

static void pack(const dlz_gemm *product, float *packed) {
    int64_t depths = product->k > 0 ? parts(product->k, DEPTH) : 0;
    for (int64_t depth = 0; depth < depths; depth++) {
        int64_t p = part_start(product->k, depths, depth);
        int64_t k = part_start(product->k, depths, depth + 1) - p;
        pack_block(product, p, k, 0, product->n, packed + p * up(product->n, LANES));
    }
}

static void gemm_packed(const dlz_gemm *product, const float *packed, void *scratch) {
    if (product->k <= 0)
        no_terms(product);
    else if (product->m > 0 && product->m <= THIN_ROWS && !product->transpose_a)
        gemm_thin_packed(product, packed);
    else
        gemm_outer(product, packed, scratch);
}

const dlz_gemm_table DLZ_VARIANT(dlz_gemm_kernels) = {
    .gemm = gemm,
    .packed_size = packed_size,
    .pack = pack,
    .gemm_packed = gemm_packed,
};
