/* Sums of images and of gradients, of every instruction set this machine has, against plain loops. */
#include "base/random.h"
#include "graph/batch.h"
#include "kernels/nn/sum.h"
#include "support/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 7 * 70, MOST_ADDENDS = 4, EDGE = 16 };
static const float GUARD = -12345.0f;
static const int64_t channel_counts[] = {1, 3, 4, 8, 15, 16, 17, 32, 33, 70};

static float data[MOST_ADDENDS][MOST], scale[MOST_ADDENDS][MOST], shift[MOST_ADDENDS][MOST];
static float gate[MOST], found[MOST + EDGE];

/* Small multiples of 1/8: sums and products are exact, and some are 0. */
static void fill(float *to, dlz_random *random) {
    for (int64_t i = 0; i < MOST; i++)
        to[i] = (float)((int)dlz_random_below(random, 33) - 16) / 8;
}

static void fill_all(uint64_t seed) {
    dlz_random random = dlz_random_start(seed, 1);
    for (int k = 0; k < MOST_ADDENDS; k++) {
        fill(data[k], &random);
        fill(scale[k], &random);
        fill(shift[k], &random);
    }
    fill(gate, &random);
    data[0][5] = NAN;
    data[1][9] = INFINITY;
    gate[7] = NAN;
}

static bool same(float a, float b) {
    return isnan(a) ? isnan(b) : a == b;
}

/* Which of them are pending, and which of those have a relu: a bit each. */
static void check_values(dlz_isa isa, int64_t channels, int count, unsigned pending, unsigned relu,
                         bool out_relu) {
    dlz_addend addends[MOST_ADDENDS];
    for (int k = 0; k < count; k++) {
        bool has_scale = pending >> k & 1;
        addends[k] = (dlz_addend){data[k], has_scale ? scale[k] : NULL, has_scale ? shift[k] : NULL,
                                  has_scale && (relu >> k & 1)};
    }
    int64_t pixels = MOST / channels, first = pixels > 2 ? 1 : 0, some = (pixels - first + 1) / 2;
    for (int64_t i = 0; i < MOST + EDGE; i++)
        found[i] = GUARD;
    dlz_sum_kernels_of(isa)->values(addends, count, channels, out_relu, first, some, found);
    for (int64_t i = 0; i < MOST + EDGE; i++) {
        float truth = 0;
        for (int k = 0; i < MOST && k < count; k++) {
            float value = data[k][i];
            if (addends[k].scale)
                value = value * scale[k][i % channels] + shift[k][i % channels];
            truth += addends[k].relu && value < 0 ? 0 : value;
        }
        truth = out_relu && truth < 0 ? 0 : truth;
        if (i < first * channels || i >= (first + some) * channels)
            truth = GUARD;
        ck_assert_msg(same(found[i], truth),
                      "%s, %lld channels, %d addends, number %lld: %g, not %g", dlz_isa_name(isa),
                      (long long)channels, count, (long long)i, (double)found[i], (double)truth);
    }
}

START_TEST(every_variant_adds_values) {
    fill_all(1);
    for (int isa = 0; isa < DLZ_ISA_COUNT; isa++)
        for (size_t k = 0; dlz_isa_available((dlz_isa)isa) && k < 10; k++)
            for (int count = 1; count <= MOST_ADDENDS; count++)
                for (unsigned bits = 0; bits < 1u << (2 * count); bits++)
                    check_values((dlz_isa)isa, channel_counts[k], count, bits, bits >> count,
                                 (bits & 5) != 0);
}
END_TEST

static void check_gradients(dlz_isa isa, int parts, bool gated, bool in_place, int64_t first,
                            int64_t count) {
    const float *from[MOST_ADDENDS];
    for (int k = 0; k < parts; k++)
        from[k] = data[k];
    for (int64_t i = 0; i < MOST + EDGE; i++)
        found[i] = in_place && i < MOST ? gate[i] : GUARD;
    dlz_sum_kernels_of(isa)->gradients(from, parts,
                                       !gated     ? NULL
                                       : in_place ? found
                                                  : gate,
                                       first, count, found);
    for (int64_t i = 0; i < MOST + EDGE; i++) {
        float truth = in_place && i < MOST ? gate[i] : GUARD;
        if (i >= first && i < first + count) {
            truth = data[0][i];
            for (int k = 1; k < parts; k++)
                truth += data[k][i];
            truth = gated && gate[i] <= 0 ? 0 : truth;
        }
        ck_assert_msg(same(found[i], truth), "%s, %d parts, number %lld: %g, not %g",
                      dlz_isa_name(isa), parts, (long long)i, (double)found[i], (double)truth);
    }
}

START_TEST(every_variant_adds_gradients) {
    fill_all(2);
    for (int isa = 0; isa < DLZ_ISA_COUNT; isa++)
        for (int parts = 1; dlz_isa_available((dlz_isa)isa) && parts <= MOST_ADDENDS; parts++)
            for (int kind = 0; kind < 4; kind++)
                for (int64_t count = 1; count < 70; count++)
                    check_gradients((dlz_isa)isa, parts, kind & 1, kind & 2, 3, count);
}
END_TEST

/* Arrays of which several tiles are made, the last of them cut short: nothing beyond an array's end is read or
 * written, which is where the next one may begin. */
START_TEST(arrays_are_added_by_pairs) {
    static const int64_t sizes[] = {1, 5, 4096, 4097, 10000}, counts[] = {1, 2, 3, 5, 8};
    enum { LONGEST = 10000, GAP = 3, MOST_ARRAYS = 8 };
    static float arrays[MOST_ARRAYS * (LONGEST + GAP)], sum[LONGEST + GAP], truth[LONGEST];
    dlz_random random = dlz_random_start(3, 2);
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (size_t c = 0; c < sizeof counts / sizeof *counts; c++)
            for (int in_place = 0; in_place < 2; in_place++) {
                int64_t size = sizes[s], count = counts[c], stride = size + GAP;
                memset(truth, 0, sizeof truth);
                for (int64_t k = 0; k < count; k++)
                    for (int64_t i = 0; i < stride; i++) {
                        float *at = arrays + k * stride + i;
                        *at = i < size ? (float)dlz_random_below(&random, 64) / 8 : GUARD;
                        if (i < size)
                            truth[i] += *at;
                    }
                for (int64_t i = 0; i < stride; i++)
                    sum[i] = GUARD;
                float *to = in_place ? arrays : sum;
                dlz_sum_pairs(arrays, stride, count, size, 2, to);
                for (int64_t i = 0; i < stride; i++)
                    ck_assert(to[i] == (i < size ? truth[i] : GUARD));
                for (int64_t k = 0; k < count; k++)
                    for (int64_t i = size; i < stride; i++)
                        ck_assert(arrays[k * stride + i] == GUARD);
            }
}
END_TEST

int main(void) {
    const TTest *const tests[] = {every_variant_adds_values, every_variant_adds_gradients,
                                  arrays_are_added_by_pairs, NULL};
    return run_tests("sum kernels", tests);
}
