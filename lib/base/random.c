#include "base/random.h"

#include <math.h>

uint32_t dlz_random_u32(dlz_random *random) {
    if (random->left == 0) {
        dlz_philox(random->seed, random->stream, random->counter++, random->block);
        random->left = 4;
    }
    return random->block[4 - random->left--];
}

static uint64_t next_u64(dlz_random *random) {
    uint64_t high = dlz_random_u32(random);
    return high << 32 | dlz_random_u32(random);
}

uint64_t dlz_random_below(dlz_random *random, uint64_t bound) {
    /* Numbers under `reject` would make the low remainders likelier. */
    uint64_t reject = -bound % bound, value;
    do
        value = next_u64(random);
    while (value < reject);
    return value % bound;
}

float dlz_random_float(dlz_random *random) {
    return (float)(dlz_random_u32(random) >> 8) * 0x1p-24f;
}

double dlz_random_double(dlz_random *random) {
    return (double)(next_u64(random) >> 11) * 0x1p-53;
}

double dlz_random_normal(dlz_random *random) {
    double radius = sqrt(-2.0 * log(1.0 - dlz_random_double(random)));
    return radius * cos(2.0 * 3.14159265358979323846 * dlz_random_double(random));
}

void dlz_random_shuffle(dlz_random *random, int64_t *items, int64_t count) {
    for (int64_t i = count - 1; i > 0; i--) {
        int64_t j = (int64_t)dlz_random_below(random, (uint64_t)i + 1);
        int64_t swapped = items[i];
        items[i] = items[j];
        items[j] = swapped;
    }
}
