#include "base/base.h"
#include "data/augmentation.h"

#include <math.h>

typedef struct random_brightness {
    dlviz_augmentation base;
    double amount;
} random_brightness;

static dlviz_status check(const dlviz_augmentation *augmentation) {
    double amount = ((const random_brightness *)augmentation)->amount;
    return dlz_augmentation_check_number("amount", amount, 0, 1e3);
}

static void change(const dlviz_augmentation *augmentation, dlz_random *random,
                   const dlz_picture *picture) {
    double amount = ((const random_brightness *)augmentation)->amount;
    float factor = (float)dlz_random_between(random, fmax(0, 1 - amount), 1 + amount);
    int64_t count = picture->channels * picture->height * picture->width;
    for (int64_t i = 0; i < count; i++)
        picture->values[i] *= factor;
    if (picture->limited)
        for (int64_t i = 0; i < count; i++)
            picture->values[i] = picture->values[i] < 0   ? 0
                                 : picture->values[i] > 1 ? 1
                                                          : picture->values[i];
}

static const dlz_setting settings[] = {
    {"amount", DLZ_SETTING_REAL, offsetof(random_brightness, amount), true},
    {0},
};

static const dlz_augmentation_type brightness_type = {
    .name = "random_brightness",
    .size = sizeof(random_brightness),
    .settings = settings,
    .check = check,
    .change = change,
};

dlviz_augmentation *dlviz_random_brightness(double amount) {
    dlviz_augmentation *augmentation = dlz_augmentation_create(&brightness_type);
    if (augmentation)
        ((random_brightness *)augmentation)->amount = amount;
    return dlz_augmentation_checked(augmentation);
}

double dlviz_random_brightness_amount(const dlviz_augmentation *augmentation) {
    return dlz_augmentation_real(augmentation, &brightness_type,
                                 offsetof(random_brightness, amount));
}
