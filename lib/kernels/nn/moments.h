/* kernels/nn/moments.h - mean and variance of each channel, taken piece by piece.
 *
 * A block describes some values of every channel: how many there are, then each channel's mean,
 * then each channel's sum of squared deviations from that mean. A sum of squares about any number
 * that is not near the mean would lose the variance's digits; deviations from the piece's own mean
 * keep them. */
#ifndef DLZ_KERNELS_NN_MOMENTS_H
#define DLZ_KERNELS_NN_MOMENTS_H

#include <stdint.h>

/* Doubles in a block. */
static inline int64_t dlz_moments_size(int64_t channels) {
    return 1 + 2 * channels;
}

/* Makes a block of `count` values a channel whose sums of value − pivot and of (value − pivot)²
 * stand in the places of the means and of the deviations; the pivot is one of the values or close
 * to them. Does so for the channels first … end − 1; who has channel 0 also sets the count. */
static inline void dlz_moments_finish(double *block, int64_t count, int64_t channels, int64_t first,
                                      int64_t end, const float *pivot) {
    if (first == 0)
        block[0] = (double)count;
    double *means = block + 1, *deviations = means + channels;
    for (int64_t c = first; c < end; c++) {
        double shift = means[c] / (double)count, rest = deviations[c] - shift * means[c];
        means[c] = (double)pivot[c] + shift;
        deviations[c] = rest < 0 ? 0 : rest; /* NaN stays */
    }
}

/* Of one channel. */
typedef struct dlz_moments {
    double count, mean, deviations;
} dlz_moments;

/* Both together (Chan, Golub and LeVeque, 1983). */
static inline dlz_moments dlz_moments_join(dlz_moments a, dlz_moments b) {
    double count = a.count + b.count, distance = b.mean - a.mean;
    return (dlz_moments){count, a.mean + distance * (b.count / count),
                         a.deviations +
                             (b.deviations + distance * distance * (a.count * b.count / count))};
}

/* Several blocks' together, in their order, all channels at once: a block like them. Each channel's are
 * those of dlz_moments_of. */
static inline void dlz_moments_join_blocks(const double *blocks, int64_t num_blocks,
                                           int64_t channels, double *total) {
    int64_t size = dlz_moments_size(channels);
    double *restrict means = total + 1, *restrict deviations = means + channels;
    for (int64_t i = 0; i < size; i++)
        total[i] = 0;
    for (int64_t i = 0; i < num_blocks; i++, blocks += size) {
        const double *others = blocks + 1, *theirs = others + channels;
        double count = total[0] + blocks[0], share = blocks[0] / count;
        double product = total[0] * blocks[0] / count;
        for (int64_t c = 0; c < channels; c++) {
            double distance = others[c] - means[c];
            means[c] += distance * share;
            deviations[c] += theirs[c] + distance * distance * product;
        }
        total[0] = count;
    }
}

/* Several blocks' together, in their order. */
static inline dlz_moments dlz_moments_of(const double *blocks, int64_t num_blocks, int64_t channels,
                                         int64_t c) {
    int64_t stride = dlz_moments_size(channels);
    dlz_moments total = {0, 0, 0};
    for (int64_t i = 0; i < num_blocks; i++, blocks += stride)
        total = dlz_moments_join(total,
                                 (dlz_moments){blocks[0], blocks[1 + c], blocks[1 + channels + c]});
    return total;
}

#endif
