#include "support/points.h"
#include "base/cpu.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    NORMAL,
    WHOLE,
    BINARY,
    TENTHS,
    FEW_ROWS,
    HALF_EQUAL,
    FAR_GROUPS,
    ONE_FAR,
    SOME_FAR,
    OFFSET,
    ONE_HOT,
    COUNTER,
    NEIGHBORING_FLOATS,
    COLUMN_SCALES,
    SHELL,
    ALL_EQUAL,
    KINDS
};

static const char *const names[KINDS] = {"normal numbers",
                                         "whole numbers",
                                         "ones and zeros",
                                         "tenths and zeros",
                                         "few different rows",
                                         "half of the rows equal",
                                         "far groups",
                                         "one far value",
                                         "some far points",
                                         "a large offset",
                                         "one-hot rows",
                                         "a counter as a column",
                                         "neighboring floats",
                                         "columns of different scales",
                                         "a shell around a point",
                                         "equal rows"};

static void fill_rows(dlz_random *random, int kind, int64_t n, int64_t d, float *x) {
    for (int64_t i = 0; i < n * d; i++)
        switch (kind) {
        case WHOLE:
            x[i] = (float)random_between(random, -3, 3);
            break;
        case BINARY:
            x[i] = random_chance(random, 0.3);
            break;
        case TENTHS:
            x[i] = random_chance(random, 0.3) ? 0.1f : 0;
            break;
        case ONE_HOT:
        case SHELL:
        case ALL_EQUAL:
            x[i] = 0;
            break;
        case NEIGHBORING_FLOATS:
            x[i] = 1 + (float)random_between(random, 0, 2) * FLT_EPSILON;
            break;
        default:
            x[i] = (float)dlz_random_normal(random);
        }
}

static void copy_row(float *x, int64_t d, int64_t to, int64_t from) {
    if (to != from)
        memcpy(x + to * d, x + from * d, (size_t)d * sizeof *x);
}

static void change_rows(dlz_random *random, int kind, int64_t n, int64_t d, float *x) {
    static const float far[] = {300, 1e5f, 1e8f, 1e17f, 1e37f};
    float distance = far[random_between(random, 0, 4)];
    int64_t groups = random_between(random, 2, 4), few = random_between(random, 1, 9);
    for (int64_t i = 0; i < n; i++)
        switch (kind) {
        case FEW_ROWS:
            copy_row(x, d, i, random_between(random, 0, few < n ? few : n) % n);
            break;
        case HALF_EQUAL:
            if (random_chance(random, 0.5))
                copy_row(x, d, i, 0);
            break;
        case FAR_GROUPS:
            x[i * d + i % groups % d] += fminf(distance, 1e8f);
            break;
        case SOME_FAR:
            if (random_chance(random, 0.03))
                x[i * d + random_between(random, 0, d - 1)] = -distance;
            break;
        case ONE_HOT:
            x[i * d + random_between(random, 0, d - 1)] = 1;
            break;
        case SHELL: /* sums of two squares that differ by less than a float tells */
            for (int c = 0; c < 2 && i > 0; c++)
                x[i * d + random_between(random, 0, d - 1)] =
                    0.70710677f * (1 + (float)random_between(random, 0, 3) * FLT_EPSILON);
            break;
        case COUNTER:
            x[i * d] = (float)i;
            break;
        case COLUMN_SCALES:
        case OFFSET:
            for (int64_t j = 0; j < d; j++)
                x[i * d + j] = kind == OFFSET ? x[i * d + j] + 1e4f * (float)(j % 7 + 1)
                                              : x[i * d + j] * powf(10, (float)(j % 9 - 4));
            break;
        default:
            break;
        }
    if (kind == ONE_FAR)
        x[random_between(random, 0, n * d - 1)] = distance;
}

float *random_points(dlz_random *random, int64_t n, int64_t d, const char **what) {
    static const float scales[] = {1, 1, 1, 4, 0.1f, 1e-3f, 1e-18f, 1e18f};
    int kind = (int)random_between(random, 0, KINDS - 1);
    float *x = malloc((size_t)(n * d) * sizeof *x), scale = scales[random_between(random, 0, 7)];
    float largest = 0, limit = (float)(sqrt(FLT_MAX / (double)d) / 4);
    fill_rows(random, kind, n, d, x);
    change_rows(random, kind, n, d, x);
    for (int64_t i = 0; i < n * d; i++)
        largest = fabsf(x[i]) > largest ? fabsf(x[i]) : largest;
    if (largest > limit / scale)
        scale = limit / largest / 2;
    for (int64_t i = 0; i < n * d; i++)
        x[i] *= scale;
    *what = names[kind];
    return x;
}

void plain_distances(const float *a, const float *b, int64_t n, int64_t d, double *distances) {
    for (int64_t j = 0; j < n; j++) {
        double sum = 0;
        for (int64_t i = 0; i < d; i++) {
            double difference = (double)a[i] - (double)b[j * d + i];
            double square = difference * difference;
            sum += square;
        }
        distances[j] = sqrt(sum);
    }
}

typedef struct place {
    double distance;
    int32_t index;
} place;

static int by_distance(const void *a, const void *b) {
    const place *x = a, *y = b;
    if (x->distance != y->distance)
        return x->distance < y->distance ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

void plain_nearest(const double *distances, int64_t n, int64_t self, int k, int32_t *nearest) {
    place *places = malloc((size_t)n * sizeof *places);
    int64_t count = 0;
    for (int64_t j = 0; j < n; j++)
        if (j != self)
            places[count++] = (place){distances[j], (int32_t)j};
    qsort(places, (size_t)count, sizeof *places, by_distance);
    for (int i = 0; i < k; i++)
        nearest[i] = places[i].index;
    free(places);
}

void choose_isa(uint64_t seed) {
    dlz_isa available[DLZ_ISA_COUNT];
    uint64_t count = 0;
    for (int isa = 0; isa < DLZ_ISA_COUNT; isa++)
        if (dlz_isa_available((dlz_isa)isa))
            available[count++] = (dlz_isa)isa;
    setenv("DLVIZ_ISA", dlz_isa_name(available[seed % count]), 1);
}
