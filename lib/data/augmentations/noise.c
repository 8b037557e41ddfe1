#include "base/base.h"
#include "data/augmentation.h"

#include <math.h>

typedef struct random_noise {
    dlviz_augmentation base;
    double deviation;
} random_noise;

static dlviz_status check(const dlviz_augmentation *augmentation) {
    double deviation = ((const random_noise *)augmentation)->deviation;
    return dlz_augmentation_check_number("deviation", deviation, 0, 1e30);
}

/* Two standard normal numbers of each pair of random ones (Box and Muller): this runs over every
 * pixel, so in float. */
static void add_two(dlz_random *random, float deviation, float to[2]) {
    float radius = deviation * sqrtf(-2.0f * logf(1.0f - dlz_random_float(random)));
    float angle = 6.28318531f * dlz_random_float(random);
    to[0] += radius * cosf(angle);
    to[1] += radius * sinf(angle);
}

static void change(const dlviz_augmentation *augmentation, dlz_random *random,
                   const dlz_picture *picture) {
    float deviation = (float)((const random_noise *)augmentation)->deviation;
    int64_t count = picture->channels * picture->height * picture->width, i = 0;
    for (; i + 2 <= count; i += 2)
        add_two(random, deviation, picture->values + i);
    if (i < count) {
        float last[2] = {picture->values[i]};
        add_two(random, deviation, last);
        picture->values[i] = last[0];
    }
}

static const dlz_setting settings[] = {
    {"deviation", DLZ_SETTING_REAL, offsetof(random_noise, deviation), true},
    {0},
};

static const dlz_augmentation_type noise_type = {
    .name = "random_noise",
    .size = sizeof(random_noise),
    .settings = settings,
    .check = check,
    .takes_vectors = true,
    .input_only = true,
    .change = change,
};

dlviz_augmentation *dlviz_random_noise(double deviation) {
    dlviz_augmentation *augmentation = dlz_augmentation_create(&noise_type);
    if (augmentation)
        ((random_noise *)augmentation)->deviation = deviation;
    return dlz_augmentation_checked(augmentation);
}

double dlviz_random_noise_deviation(const dlviz_augmentation *augmentation) {
    return dlz_augmentation_real(augmentation, &noise_type, offsetof(random_noise, deviation));
}
