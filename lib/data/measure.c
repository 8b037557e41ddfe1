/* Means and deviations of what a network sees.
 *
 * Of each piece of a dataset, and in it of each sample, the mean and the sum of squared differences from it;
 * two of these become one by the formula of Chan, Golub and LeVeque (1979), in which nothing cancels. */
#include "base/failures.h"
#include "base/parallel.h"
#include "data/dataset.h"
#include "tensor/tensor.h"

#include <math.h>

enum { MOST_PIECES = 64 };

/* Of one channel's numbers. */
typedef struct moments {
    double count, mean, squares; /* squares: of differences from the mean, added up */
} moments;

typedef struct measuring {
    const char *who;
    const dlviz_dataset *dataset;
    int64_t pieces, channels, pixels;
    moments *results; /* pieces x channels */
    float *rooms;     /* for a sample of each worker */
    dlz_failures failures;
} measuring;

static moments moments_of(const float *values, int64_t count) {
    moments m = {.count = (double)count};
    for (int64_t i = 0; i < count; i++)
        m.mean += (double)values[i];
    m.mean /= m.count;
    for (int64_t i = 0; i < count; i++)
        m.squares += ((double)values[i] - m.mean) * ((double)values[i] - m.mean);
    return m;
}

static void add(moments *all, const moments *more) {
    double count = all->count + more->count, apart = more->mean - all->mean;
    if (more->count == 0)
        return;
    all->squares += more->squares + apart * apart * (all->count * more->count / count);
    all->mean += apart * (more->count / count);
    all->count = count;
}

static dlviz_status add_sample(const measuring *m, int64_t position, float *room, moments *piece) {
    const dlviz_dataset *dataset = m->dataset;
    const void *sample;
    void *block;
    DLZ_TRY(dlz_dataset_fetch(dataset, position, &sample, &block));
    dlz_transform_load(&dataset->transform, sample, room);
    dlz_dataset_done(dataset, block);
    for (int64_t channel = 0; channel < m->channels; channel++) {
        moments more = moments_of(room + channel * m->pixels, m->pixels);
        if (!isfinite(more.mean))
            return dlz_check_finite(m->who, "sample", position, dataset->ndim, dataset->dims, room);
        add(&piece[channel], &more);
    }
    return DLVIZ_OK;
}

static dlviz_status measure_piece(const measuring *m, int64_t piece, int worker) {
    int64_t n = m->dataset->num_samples;
    int64_t first = piece * n / m->pieces, end = (piece + 1) * n / m->pieces;
    float *room = m->rooms + worker * m->channels * m->pixels;
    for (int64_t i = first; i < end; i++)
        DLZ_TRY(add_sample(m, i, room, m->results + piece * m->channels));
    return DLVIZ_OK;
}

static void piece_tile(void *context, int64_t piece, int worker) {
    measuring *m = context;
    if (dlz_failures_before(&m->failures, piece))
        return;
    dlz_failures_note(&m->failures, piece, measure_piece(m, piece, worker));
}

static dlviz_status run(measuring *m) {
    uint64_t size = (uint64_t)(m->channels * m->pixels), threads = (uint64_t)dlz_threads();
    m->results = dlz_alloc_array_zero((uint64_t)(m->pieces * m->channels), sizeof *m->results);
    m->rooms = dlz_alloc_array(threads, size * sizeof(float));
    if (!m->results || !m->rooms)
        return dlz_fail_memory("measuring a dataset", threads * size * sizeof(float));
    dlz_failures_init(&m->failures);
    dlz_parallel_for(m->pieces, (int)threads, piece_tile, m);
    DLZ_TRY(dlz_failures_tell(&m->failures));
    for (int64_t piece = 1; piece < m->pieces; piece++)
        for (int64_t channel = 0; channel < m->channels; channel++)
            add(&m->results[channel], &m->results[piece * m->channels + channel]);
    return DLVIZ_OK;
}

static dlviz_status give(const measuring *m, dlviz_tensor **means, dlviz_tensor **deviations) {
    dlviz_tensor *mean, *deviation;
    DLZ_TRY(dlz_tensor_create_raw(&mean, DLVIZ_FLOAT32, 1, &m->channels));
    dlviz_status status = dlz_tensor_create_raw(&deviation, DLVIZ_FLOAT32, 1, &m->channels);
    if (status != DLVIZ_OK) {
        dlviz_tensor_destroy(mean);
        return status;
    }
    for (int64_t channel = 0; channel < m->channels; channel++) {
        const moments *all = &m->results[channel];
        ((float *)mean->data)[channel] = (float)all->mean;
        ((float *)deviation->data)[channel] = (float)sqrt(all->squares / all->count);
    }
    *means = mean;
    *deviations = deviation;
    return DLVIZ_OK;
}

dlviz_status dlviz_dataset_measure(const dlviz_dataset *dataset, dlviz_tensor **means,
                                   dlviz_tensor **deviations) {
    if (means)
        *means = NULL;
    DLZ_REQUIRE_OUT(deviations);
    DLZ_REQUIRE_OUT(means);
    DLZ_REQUIRE(dataset);
    measuring m = {.who = __func__,
                   .dataset = dataset,
                   .pieces = dlz_min_i64(dataset->num_samples, MOST_PIECES),
                   .channels = dataset->dims[0]};
    m.pixels = dlz_dataset_sample_size(dataset) / m.channels;
    dlviz_status status = run(&m);
    if (status == DLVIZ_OK)
        status = give(&m, means, deviations);
    dlz_free(m.results);
    dlz_free(m.rooms);
    return status;
}
