#include "base/base.h"
#include "data/augmentation.h"

#include <math.h>

typedef struct random_contrast {
    dlviz_augmentation base;
    double amount;
} random_contrast;

static dlviz_status check(const dlviz_augmentation *augmentation) {
    double amount = ((const random_contrast *)augmentation)->amount;
    return dlz_augmentation_check_number("amount", amount, 0, 1e3);
}

/* In four sums, for speed. */
static double mean_of(const float *values, int64_t count) {
    double sums[4] = {0}, sum = 0;
    int64_t i = 0;
    for (; i + 4 <= count; i += 4)
        for (int lane = 0; lane < 4; lane++)
            sums[lane] += (double)values[i + lane];
    for (; i < count; i++)
        sum += (double)values[i];
    return (sum + sums[0] + sums[1] + sums[2] + sums[3]) / (double)count;
}

/* A number less such a mean, or a smaller one, is within float32: beside its largest the mean is
 * lost. */
#define NEAR_MEAN 0x1p100

/* For deviations that float32 may not hold where it holds the numbers, before and after. */
static void change_far(float *values, int64_t count, double mean, double factor) {
    for (int64_t i = 0; i < count; i++)
        values[i] = (float)(mean + factor * ((double)values[i] - mean));
}

static void change(const dlviz_augmentation *augmentation, dlz_random *random,
                   const dlz_picture *picture) {
    double amount = ((const random_contrast *)augmentation)->amount;
    float factor = (float)dlz_random_between(random, fmax(0, 1 - amount), 1 + amount);
    int64_t count = picture->channels * picture->height * picture->width;
    float mean = (float)mean_of(picture->values, count), *values = picture->values;
    if (fabs((double)mean) > NEAR_MEAN)
        change_far(values, count, (double)mean, (double)factor);
    else
        for (int64_t i = 0; i < count; i++)
            values[i] = mean + factor * (values[i] - mean);
    if (picture->limited)
        for (int64_t i = 0; i < count; i++)
            values[i] = values[i] < 0 ? 0 : values[i] > 1 ? 1 : values[i];
}

static const dlz_setting settings[] = {
    {"amount", DLZ_SETTING_REAL, offsetof(random_contrast, amount), true},
    {0},
};

static const dlz_augmentation_type contrast_type = {
    .name = "random_contrast",
    .size = sizeof(random_contrast),
    .settings = settings,
    .check = check,
    .change = change,
};

dlviz_augmentation *dlviz_random_contrast(double amount) {
    dlviz_augmentation *augmentation = dlz_augmentation_create(&contrast_type);
    if (augmentation)
        ((random_contrast *)augmentation)->amount = amount;
    return dlz_augmentation_checked(augmentation);
}

double dlviz_random_contrast_amount(const dlviz_augmentation *augmentation) {
    return dlz_augmentation_real(augmentation, &contrast_type, offsetof(random_contrast, amount));
}
