#include "scores/curve.h"

#include <math.h>
#include <string.h>

/* The upper half orders as the scores do, of which 0 and −0 are one; the lower half is 1 for a
 * positive. */
uint64_t dlz_scored(float score, bool positive) {
    const uint32_t sign = UINT32_C(1) << 31;
    uint32_t bits;
    score += 0.0f;
    memcpy(&bits, &score, sizeof bits);
    return (uint64_t)(bits & sign ? ~bits : bits | sign) << 32 | positive;
}

static bool is_positive(uint64_t scored) {
    return scored & 1;
}

static bool are_tied(uint64_t a, uint64_t b) {
    return a >> 32 == b >> 32;
}

enum { DIGIT_BITS = 11, DIGITS = 1 << DIGIT_BITS, PASSES = 3 };

static int digit_of(uint64_t scored, int pass) {
    return (int)(scored >> (32 + pass * DIGIT_BITS) & (DIGITS - 1));
}

/* Passes of counting, back and forth between the two arrays. */
void dlz_scored_sort(int64_t count, uint64_t *scored, uint64_t *spare) {
    uint64_t *from = scored, *to = spare;
    for (int pass = 0; pass < PASSES; pass++) {
        int64_t starts[DIGITS] = {0}, total = 0;
        for (int64_t i = 0; i < count; i++)
            starts[digit_of(from[i], pass)]++;
        for (int digit = 0; digit < DIGITS; digit++) {
            int64_t here = starts[digit];
            starts[digit] = total;
            total += here;
        }
        for (int64_t i = 0; i < count; i++)
            to[starts[digit_of(from[i], pass)]++] = from[i];
        uint64_t *swap = from;
        from = to;
        to = swap;
    }
    memcpy(scored, from, (size_t)count * sizeof *scored);
}

double dlz_roc_area(int64_t count, const uint64_t *scored) {
    double won = 0, positives = 0, negatives = 0;
    for (int64_t i = 0, start = 0; i < count; start = i) {
        double here = 0, there = 0; /* of one score */
        for (; i < count && are_tied(scored[i], scored[start]); i++)
            *(is_positive(scored[i]) ? &here : &there) += 1;
        won += here * (negatives + 0.5 * there);
        positives += here;
        negatives += there;
    }
    return positives > 0 && negatives > 0 ? won / (positives * negatives) : NAN;
}

double dlz_precision_area(int64_t count, const uint64_t *scored) {
    double sum = 0, positives = 0;
    for (int64_t i = count, start = count; i > 0; start = i) {
        double here = 0; /* positives of one score */
        for (; i > 0 && are_tied(scored[i - 1], scored[start - 1]); i--)
            here += is_positive(scored[i - 1]);
        positives += here;
        sum += here * (positives / (double)(count - i));
    }
    return positives > 0 ? sum / positives : 0;
}
