#include "neighbors/neighbors_bytes.h"
#include "base/base.h"
#include "base/parallel.h"
#include "base/random.h"
#include "comm/comm.h"
#include "comm/tiles.h"

#include <math.h>
#include <string.h>

#define LARGEST 127
#define BLOCK DLZ_KNN_BLOCK
#define TILE 8192   /* points whose extent is found together */
#define SAMPLE 4096 /* that decide whether to turn */
#define WORTH 0.8   /* of the step, below which turning pays */
#define SLACK 1e-6  /* of a step: far more than what doubles round */
#define HALF_ROOT 0.70710678118654752440
#define STREAM (DLZ_STREAM_EMBED + (7 << 8))

/* Random pairs for each stage; one more than would spread a coordinate over all others if pairs
 * never met again. */
static dlviz_status choose_pairs(dlz_knn_frame *frame) {
    int64_t d = frame->d;
    frame->stages = 1;
    while (INT64_C(1) << (frame->stages - 1) < d)
        frame->stages++;
    frame->pairs = dlz_alloc_array((uint64_t)frame->stages, (uint64_t)d * sizeof *frame->pairs);
    if (!frame->pairs)
        return dlz_fail_memory("the search for neighbors",
                               (uint64_t)(frame->stages * d) * sizeof *frame->pairs);
    dlz_random random = dlz_random_start(0, STREAM);
    for (int stage = 0; stage < frame->stages; stage++) {
        int32_t *pairs = frame->pairs + stage * d;
        for (int64_t i = 0; i < d; i++) {
            int64_t j = (int64_t)dlz_random_below(&random, (uint64_t)i + 1);
            pairs[i] = pairs[j];
            pairs[j] = (int32_t)i;
        }
    }
    return DLVIZ_OK;
}

/* Coordinates of a block, [d][BLOCK], turned but not yet about the origin. */
static void turn(const dlz_knn_frame *frame, const float *const points[BLOCK], double *to) {
    int64_t d = frame->d;
    for (int p = 0; p < BLOCK; p++)
        for (int64_t i = 0; i < d; i++)
            to[i * BLOCK + p] = points[p] ? (double)points[p][i] - (double)frame->start[i] : 0;
    for (int stage = 0; stage < frame->stages; stage++)
        for (int64_t i = 0; i + 1 < d; i += 2) {
            double *a = to + (int64_t)frame->pairs[stage * d + i] * BLOCK;
            double *b = to + (int64_t)frame->pairs[stage * d + i + 1] * BLOCK;
            for (int p = 0; p < BLOCK; p++) {
                double x = a[p], y = b[p];
                a[p] = (x + y) * HALF_ROOT;
                b[p] = (x - y) * HALF_ROOT;
            }
        }
}

/* -- The extent of the points */

typedef struct extent {
    const dlz_knn_frame *frame;
    const float *points;
    int64_t n, stride; /* every stride-th point */
    double *scratch;   /* a worker: d x BLOCK */
    double *ranges;    /* a tile: least and greatest of each coordinate */
} extent;

static void extent_tile(void *context, int64_t tile, int worker) {
    const extent *e = context;
    int64_t d = e->frame->d, last = dlz_min_i64((tile + 1) * TILE, e->n);
    double *least = e->ranges + tile * 2 * d, *greatest = least + d;
    double *block = e->scratch + worker * d * BLOCK;
    for (int64_t i = 0; i < d; i++) {
        least[i] = INFINITY;
        greatest[i] = -INFINITY;
    }
    for (int64_t first = tile * TILE; first < last; first += BLOCK) {
        const float *points[BLOCK];
        for (int64_t p = 0; p < BLOCK; p++)
            points[p] = e->points + dlz_min_i64(first + p, last - 1) * e->stride * d;
        turn(e->frame, points, block);
        for (int64_t i = 0; i < d; i++) {
            double low = block[i * BLOCK], high = low;
            for (int p = 1; p < BLOCK; p++) {
                double value = block[i * BLOCK + p];
                low = value < low ? value : low;
                high = value > high ? value : high;
            }
            least[i] = low < least[i] ? low : least[i];
            greatest[i] = high > greatest[i] ? high : greatest[i];
        }
    }
}

/* The step that reaches every stride-th point, and the middle between them. */
static dlviz_status find_extent(dlviz_comm *comm, dlz_knn_frame *frame, const float *points,
                                int64_t n, int64_t stride) {
    int64_t d = frame->d, count = n / stride, tiles = dlz_ceil_div(count, TILE);
    int workers = (int)dlz_min_i64(dlz_threads(), tiles);
    extent e = {frame, points, count, stride, NULL, NULL};
    e.scratch = dlz_alloc_array((uint64_t)workers, (uint64_t)d * BLOCK * sizeof(double));
    e.ranges = dlz_alloc_array((uint64_t)tiles, (uint64_t)d * 2 * sizeof(double));
    dlz_comm_tiles extents = {.count = tiles,
                              .workers = workers,
                              .cost = (double)(count * d * (frame->stages + 1)),
                              .run = extent_tile,
                              .context = &e,
                              .data = e.ranges,
                              .things = tiles,
                              .a_tile = 1,
                              .thing_size = (size_t)d * 2 * sizeof(double)};
    dlviz_status status = e.scratch && e.ranges ? DLVIZ_OK
                                                : dlz_fail_memory("the search for neighbors",
                                                                  (uint64_t)(tiles * d) * 16);
    status = dlz_comm_run_tiles(comm, status, &extents);
    if (status == DLVIZ_OK) {
        double widest = 0;
        for (int64_t i = 0; i < d; i++) {
            double least = INFINITY, greatest = -INFINITY;
            for (int64_t tile = 0; tile < tiles; tile++) {
                least = fmin(least, e.ranges[tile * 2 * d + i]);
                greatest = fmax(greatest, e.ranges[(tile * 2 + 1) * d + i]);
            }
            frame->origin[i] = (least + greatest) / 2;
            widest = fmax(widest, greatest - least);
        }
        frame->step = widest / (2 * LARGEST);
    }
    dlz_free(e.scratch);
    dlz_free(e.ranges);
    return status;
}

/* -- Frames */

/* From a sample, which every rank looks at alone. */
static dlviz_status choose_turn(dlz_knn_frame *frame, const float *points, int64_t n) {
    int64_t stride = dlz_ceil_div(n, SAMPLE);
    frame->origin = dlz_alloc_array((uint64_t)frame->d, sizeof *frame->origin);
    if (!frame->origin)
        return dlz_fail_memory("the search for neighbors", (uint64_t)frame->d * sizeof(double));
    DLZ_TRY(find_extent(NULL, frame, points, n, stride));
    double plain = frame->step;
    DLZ_TRY(choose_pairs(frame));
    DLZ_TRY(find_extent(NULL, frame, points, n, stride));
    if (!(frame->step < WORTH * plain))
        frame->stages = 0;
    return DLVIZ_OK;
}

dlviz_status dlz_knn_frame_find(dlviz_comm *comm, dlz_knn_frame *frame, const float *points,
                                int64_t n, int64_t d) {
    *frame = (dlz_knn_frame){.d = d, .words = dlz_ceil_div(d, 4), .start = points};
    DLZ_TRY(dlz_comm_agree(comm, choose_turn(frame, points, n)));
    return find_extent(comm, frame, points, n, 1);
}

void dlz_knn_frame_free(dlz_knn_frame *frame) {
    dlz_free(frame->pairs);
    dlz_free(frame->origin);
    *frame = (dlz_knn_frame){0};
}

double dlz_knn_frame_error(const dlz_knn_frame *frame) {
    return frame->step * sqrt((double)frame->d / 12) * 1.1;
}

int64_t dlz_knn_frame_scratch(const dlz_knn_frame *frame) {
    return frame->d * BLOCK;
}

void dlz_knn_frame_round(const dlz_knn_frame *frame, const float *const points[BLOCK],
                         double *scratch, int8_t *rounded, double errors[BLOCK]) {
    /* Added and taken away again, it leaves a whole number: the nearest. */
    const double rounder = 0x1.8p52;
    double inverse = 1 / frame->step, sums[BLOCK] = {0};
    int64_t width = frame->words * 4;
    turn(frame, points, scratch);
    memset(rounded, 0, (size_t)(width * BLOCK));
    for (int64_t i = 0; i < frame->d; i++)
        for (int p = 0; p < BLOCK; p++) {
            double place = (scratch[i * BLOCK + p] - frame->origin[i]) * inverse;
            double whole = place + rounder - rounder;
            whole = whole < LARGEST ? whole : LARGEST;
            whole = whole > -LARGEST ? whole : -LARGEST;
            rounded[p * width + i] = (int8_t)whole;
            sums[p] += (place - whole) * (place - whole);
        }
    for (int p = 0; p < BLOCK; p++)
        errors[p] = frame->step * (sqrt(sums[p]) + SLACK * sqrt((double)frame->d));
}

int32_t dlz_knn_frame_pack(const dlz_knn_frame *frame, const int8_t *rounded, int64_t column,
                           uint8_t *panel) {
    int32_t norm = 0;
    for (int64_t w = 0; w < frame->words; w++) {
        uint8_t four[4] = {0};
        for (int i = 0; rounded && i < 4; i++) {
            /* NOLINTNEXTLINE(bugprone-signed-char-misuse,cert-str34-c): a number, no character */
            int value = rounded[w * 4 + i];
            four[i] = (uint8_t)(value + 128);
            norm += value * value;
        }
        memcpy(panel + (w * DLZ_KNN_PANEL + column) * 4, four, sizeof four);
    }
    return rounded ? norm / 2 : DLZ_KNN_BYTES_MOST;
}

double dlz_knn_frame_query(const dlz_knn_frame *frame, const int8_t *rounded, int64_t place,
                           int32_t *group) {
    int64_t norm = 0, sum = 0;
    for (int64_t w = 0; w < frame->words; w++) {
        int8_t four[4];
        for (int i = 0; i < 4; i++) {
            /* NOLINTNEXTLINE(bugprone-signed-char-misuse,cert-str34-c): a number, no character */
            int value = rounded[w * 4 + i];
            four[i] = (int8_t)-value;
            norm += value * value;
            sum += value;
        }
        memcpy(group + w * DLZ_KNN_GROUP + place, four, sizeof four);
    }
    return 128 * (double)sum + (double)norm / 2;
}
