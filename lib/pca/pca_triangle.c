#include "base/base.h"
#include "base/failures.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "kernels/embed/center.h"
#include "linalg/linalg.h"
#include "pca/leaves.h"
#include "pca/pca.h"

#include <assert.h>
#include <string.h>

/* QR of tiles of rows, then of pairs of their triangles until a leaf has one, then of pairs of
 * leaves. A leaf of many tiles is worked on PIECE tiles at a time, whose triangles are put together as
 * a binary counter counts; of small leaves several are worked on together. So what it takes does not
 * grow with the rows. */
#define PIECE 16
#define WINDOW 24
#define LEVELS 48 /* more pieces than 2^48 there are not */

typedef struct qr_pass {
    const dlz_pca_input *input;
    dlz_leaves leaves;
    int workers;
    int64_t first_leaf, count; /* the leaves that are worked on */
    int64_t first_tile, tiles; /* of each the tiles, counted from its first */
    int64_t distance;          /* between the partners of a pair */
    double *window;            /* count x tiles triangles */
    double *scratch;           /* a tile a worker */
    dlz_failures failures;
} qr_pass;

static int64_t cells_of(const qr_pass *pass) {
    return pass->input->features * pass->input->features;
}

/* Leaves of a window differ by a tile at most. */
static bool is_there(const qr_pass *pass, int64_t leaf, int64_t tile) {
    const int64_t *tiles = pass->leaves.tiles + pass->first_leaf + leaf;
    return tile < pass->tiles && tiles[0] + pass->first_tile + tile < tiles[1];
}

static void factor_tile(void *context, int64_t job, int worker) {
    qr_pass *pass = context;
    const dlz_pca_input *input = pass->input;
    int64_t d = input->features, leaf = job / pass->tiles, tile = job % pass->tiles;
    if (!is_there(pass, leaf, tile))
        return;
    dlz_rows rows = dlz_leaves_tile(&pass->leaves, pass->leaves.tiles[pass->first_leaf + leaf] +
                                                       pass->first_tile + tile);
    double *scratch = pass->scratch + worker * pass->leaves.tile_rows * d;
    for (int64_t i = 0; i < rows.count; i++) {
        dlz_pages_read(&input->pages, rows.first + i, 1);
        dlz_center()->to_double(input->data + (rows.first + i) * d, input->mean, scratch + i * d,
                                d);
    }
    dlz_pages_done(&input->pages, rows.first, rows.count);
    if (rows.count < d)
        memset(scratch + rows.count * d, 0, (size_t)((d - rows.count) * d) * sizeof *scratch);
    dlz_failures_note(
        &pass->failures, job,
        dlz_qr_r(dlz_max_i64(rows.count, d), d, scratch, pass->window + job * cells_of(pass)));
}

static void merge_pair(void *context, int64_t job, int worker) {
    qr_pass *pass = context;
    (void)worker;
    int64_t pairs = dlz_ceil_div(pass->tiles, 2 * pass->distance), leaf = job / pairs;
    int64_t left = 2 * (job % pairs) * pass->distance, right = left + pass->distance;
    if (!is_there(pass, leaf, right))
        return;
    double *triangles = pass->window + leaf * pass->tiles * cells_of(pass);
    dlz_failures_note(&pass->failures, job,
                      dlz_qr_merge(pass->input->features, triangles + left * cells_of(pass),
                                   triangles + right * cells_of(pass)));
}

static dlviz_status run(qr_pass *pass, int64_t jobs, dlz_tile_fn function) {
    dlz_failures_init(&pass->failures);
    dlviz_status status = dlz_parallel_for_task(jobs, pass->workers, function, pass);
    dlviz_status failed = dlz_failures_tell(&pass->failures);
    return status != DLVIZ_OK ? status : failed;
}

static dlviz_status merge_all(qr_pass *pass) {
    for (pass->distance = 1; pass->distance < pass->tiles; pass->distance *= 2)
        DLZ_TRY(run(pass, pass->count * dlz_ceil_div(pass->tiles, 2 * pass->distance), merge_pair));
    return DLVIZ_OK;
}

/* One triangle for each of the leaves of a window. */
static dlviz_status factor_window(qr_pass *pass) {
    const dlz_leaves *leaves = &pass->leaves;
    double all = (double)leaves->tiles[leaves->count];
    double from = (double)(leaves->tiles[pass->first_leaf] + pass->first_tile);
    double done = 0.05 + 0.5 * (from + (double)(pass->count * pass->tiles)) / all;
    dlz_task_part(0.05 + 0.5 * from / all, done);
    DLZ_TRY(run(pass, pass->count * pass->tiles, factor_tile));
    dlz_task_part(done, done);
    DLZ_TRY(merge_all(pass));
    return dlz_pca_report(pass->input->pca, done < 0.55 ? done : 0.55);
}

/* A leaf of many pieces: the stack's triangles stand for ever fewer of them. */
static dlviz_status factor_pieces(qr_pass *pass, double **stack, double *triangle) {
    int64_t d = pass->input->features, cells = cells_of(pass);
    const int64_t *tiles = pass->leaves.tiles + pass->first_leaf;
    int height = 0;
    pass->count = 1;
    for (int64_t piece = 0; piece * PIECE < tiles[1] - tiles[0]; piece++) {
        pass->first_tile = piece * PIECE;
        pass->tiles = dlz_min_i64(PIECE, tiles[1] - tiles[0] - pass->first_tile);
        DLZ_TRY(factor_window(pass));
        if (!stack[height])
            stack[height] = dlz_alloc_array((uint64_t)cells, sizeof **stack);
        if (!stack[height])
            return dlz_fail_memory("a QR factor", (uint64_t)cells * sizeof **stack);
        memcpy(stack[height++], pass->window, (size_t)cells * sizeof **stack);
        for (int64_t other = piece; other & 1; other >>= 1, height--)
            DLZ_TRY(dlz_qr_merge(d, stack[height - 2], stack[height - 1]));
    }
    for (; height > 1; height--)
        DLZ_TRY(dlz_qr_merge(d, stack[height - 2], stack[height - 1]));
    assert(stack[0]); /* a leaf has pieces */
    memcpy(triangle, stack[0], (size_t)cells * sizeof *triangle);
    return DLVIZ_OK;
}

/* The triangles of this rank's leaves. */
static dlviz_status factor_leaves(qr_pass *pass, double *triangles) {
    const dlz_leaves *leaves = &pass->leaves;
    int64_t cells = cells_of(pass), most = dlz_ceil_div(leaves->most, leaves->tile_rows), together;
    for (int64_t leaf = 0; leaf < leaves->count; leaf += together) {
        pass->first_leaf = leaf;
        together = most > PIECE ? 1 : dlz_min_i64(leaves->count - leaf, WINDOW / most);
        if (most > PIECE) {
            double *stack[LEVELS] = {NULL};
            dlviz_status status = factor_pieces(pass, stack, triangles + leaf * cells);
            for (int level = 0; level < LEVELS; level++)
                dlz_free(stack[level]);
            DLZ_TRY(status);
            continue;
        }
        pass->count = together;
        pass->first_tile = 0;
        pass->tiles = most;
        DLZ_TRY(factor_window(pass));
        for (int64_t i = 0; i < together; i++)
            memcpy(triangles + (leaf + i) * cells, pass->window + i * most * cells,
                   (size_t)cells * sizeof *triangles);
    }
    return DLVIZ_OK;
}

/* The triangles of `count` leaves or of this rank's, which is as many where it is alone. */
static dlviz_status factor(const dlz_pca_input *input, const dlz_leaves *leaves,
                           double *triangles) {
    uint64_t cells = (uint64_t)input->features * (uint64_t)input->features;
    int64_t most = dlz_ceil_div(leaves->most, leaves->tile_rows);
    uint64_t window =
        most > PIECE ? PIECE : (uint64_t)dlz_min_i64(leaves->count * most, WINDOW / most * most);
    uint64_t tile = (uint64_t)leaves->tile_rows * (uint64_t)input->features;
    qr_pass pass = {.input = input, .leaves = *leaves, .workers = dlz_threads()};
    pass.window = dlz_alloc_array(window * cells, sizeof(double));
    pass.scratch = dlz_alloc_array((uint64_t)pass.workers * tile, sizeof(double));
    dlviz_status status = pass.window && pass.scratch
                              ? dlz_pca_report(input->pca, 0.05)
                              : dlz_fail_memory("QR factors", window * cells * sizeof(double));
    if (status == DLVIZ_OK)
        status = factor_leaves(&pass, triangles);
    dlz_pages_release(&input->pages);
    dlz_free(pass.window);
    dlz_free(pass.scratch);
    return status;
}

/* Of each rank's leaves' triangles, which lie in their places, all go to all. */
static dlviz_status gather_triangles(const dlz_pca_input *input, double *triangles) {
    int ranks = dlz_comm_size(input->comm);
    int64_t bytes = input->features * input->features * (int64_t)sizeof *triangles;
    int64_t *offsets = dlz_alloc_array((uint64_t)ranks + 1, sizeof *offsets);
    dlviz_status status =
        dlz_pca_agree(input, offsets ? DLVIZ_OK
                                     : dlz_fail_memory("places of triangles",
                                                       ((uint64_t)ranks + 1) * sizeof *offsets));
    for (int rank = 0; status == DLVIZ_OK && rank < ranks; rank++)
        offsets[rank] = dlz_comm_leaves(input->comm, rank).first * bytes;
    if (status == DLVIZ_OK) {
        offsets[ranks] = DLZ_LEAVES * bytes;
        status = dlz_comm_gather_pieces(input->comm, triangles, offsets);
    }
    dlz_free(offsets);
    return status;
}

static dlviz_status merge_leaves(const dlz_pca_input *input, double *triangles) {
    qr_pass pass = {.input = input,
                    .workers = dlz_threads(),
                    .count = 1,
                    .tiles = DLZ_LEAVES,
                    .window = triangles};
    pass.leaves = (dlz_leaves){.count = 1, .tiles = {0, DLZ_LEAVES}};
    dlz_task_part(0.55, 0.55);
    return merge_all(&pass);
}

static dlviz_status triangle_of_leaves(const dlz_pca_input *input, int64_t tile_rows,
                                       double *triangle) {
    uint64_t cells = (uint64_t)input->features * (uint64_t)input->features;
    double *triangles = dlz_alloc_array(DLZ_LEAVES * cells, sizeof *triangles);
    dlz_leaves leaves = dlz_leaves_of(input->comm, input->samples, tile_rows);
    dlviz_status status =
        triangles ? DLVIZ_OK
                  : dlz_fail_memory("QR factors", DLZ_LEAVES * cells * sizeof *triangles);
    int64_t first = dlz_comm_leaves(input->comm, dlz_comm_rank(input->comm)).first;
    if (status == DLVIZ_OK && leaves.count > 0)
        status = factor(input, &leaves, triangles + first * (int64_t)cells);
    status = dlz_pca_agree(input, status);
    if (status == DLVIZ_OK && input->comm)
        status = gather_triangles(input, triangles);
    if (status == DLVIZ_OK) {
        status = dlz_pca_leads(input) ? merge_leaves(input, triangles) : DLVIZ_OK;
        status = dlz_pca_agree(input, status);
    }
    if (status == DLVIZ_OK)
        memcpy(triangle, triangles, (size_t)cells * sizeof *triangle);
    dlz_free(triangles);
    return status;
}

dlviz_status dlz_pca_triangle(const dlz_pca_input *input, double *triangle) {
    int64_t d = input->features, tile_rows = dlz_max_i64(4 * d, DLZ_PCA_TILE);
    if (input->samples >= DLZ_PCA_ROWS_FOR_LEAVES * d)
        return triangle_of_leaves(input, tile_rows, triangle);
    dlz_leaves whole = dlz_leaves_whole(input->samples, tile_rows);
    return factor(input, &whole, triangle);
}
