/* base/random.h - counter-based random numbers (Philox4x32-10, Salmon et al., SC 2011).
 *
 * A number is a function of (seed, stream, counter) and of nothing else, so results do not depend
 * on which thread draws it or in which order. */
#ifndef DLZ_RANDOM_H
#define DLZ_RANDOM_H

#include <stdint.h>

/* Streams: one a purpose, so that two uses of one seed never share numbers. */
enum {
    DLZ_STREAM_INIT = 1,    /* parameter initialization: + parameter index << 8 */
    DLZ_STREAM_SHUFFLE = 2, /* + epoch << 8 */
    DLZ_STREAM_DROPOUT = 3, /* + node index << 8 */
    DLZ_STREAM_SPLIT = 4,
    DLZ_STREAM_EMBED = 5,
    DLZ_STREAM_AUGMENT = 16 /* + index of the augmentation << 8 + epoch << 32 */
};

static inline void dlz_philox(uint64_t seed, uint64_t stream, uint64_t counter, uint32_t out[4]) {
    uint32_t c0 = (uint32_t)counter, c1 = (uint32_t)(counter >> 32);
    uint32_t c2 = (uint32_t)stream, c3 = (uint32_t)(stream >> 32);
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
        uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0, n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c0 = n0;
        c1 = (uint32_t)p1;
        c2 = n2;
        c3 = (uint32_t)p0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

/* A sequence of numbers, for code that draws one after another. */
typedef struct dlz_random {
    uint64_t seed, stream, counter;
    uint32_t block[4];
    int left;
} dlz_random;

static inline dlz_random dlz_random_start(uint64_t seed, uint64_t stream) {
    return (dlz_random){.seed = seed, .stream = stream};
}

uint32_t dlz_random_u32(dlz_random *random);
/* Uniform in 0 … bound − 1, without bias; bound > 0. */
uint64_t dlz_random_below(dlz_random *random, uint64_t bound);
/* Uniform in [0, 1): a multiple of 2^-24 (float), 2^-53 (double). */
float dlz_random_float(dlz_random *random);
double dlz_random_double(dlz_random *random);
/* Standard normal (Box-Muller). */
double dlz_random_normal(dlz_random *random);
/* Fisher-Yates. */
void dlz_random_shuffle(dlz_random *random, int64_t *items, int64_t count);

#endif
