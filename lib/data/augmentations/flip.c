/* Left and right exchanged, or top and bottom. */
#include "base/base.h"
#include "data/augmentation.h"

typedef struct random_flip {
    dlviz_augmentation base;
    double probability;
} random_flip;

static dlviz_status check(const dlviz_augmentation *augmentation) {
    double probability = ((const random_flip *)augmentation)->probability;
    return dlz_augmentation_check_number("probability", probability, 0, 1);
}

static bool flips(const dlviz_augmentation *augmentation, dlz_random *random) {
    return dlz_random_double(random) < ((const random_flip *)augmentation)->probability;
}

static void map_horizontally(const dlviz_augmentation *augmentation, dlz_random *random,
                             int64_t height, int64_t width, dlz_map *to) {
    (void)height;
    (void)width;
    to->xx = flips(augmentation, random) ? -1 : 1;
}

static void map_vertically(const dlviz_augmentation *augmentation, dlz_random *random,
                           int64_t height, int64_t width, dlz_map *to) {
    (void)height;
    (void)width;
    to->yy = flips(augmentation, random) ? -1 : 1;
}

static const dlz_setting settings[] = {
    {"probability", DLZ_SETTING_REAL, offsetof(random_flip, probability), true},
    {0},
};

static const dlz_augmentation_type horizontal_type = {
    .name = "random_horizontal_flip",
    .size = sizeof(random_flip),
    .settings = settings,
    .check = check,
    .map = map_horizontally,
};

static const dlz_augmentation_type vertical_type = {
    .name = "random_vertical_flip",
    .size = sizeof(random_flip),
    .settings = settings,
    .check = check,
    .map = map_vertically,
};

static dlviz_augmentation *create(const dlz_augmentation_type *type, double probability) {
    dlviz_augmentation *augmentation = dlz_augmentation_create(type);
    if (augmentation)
        ((random_flip *)augmentation)->probability = probability;
    return dlz_augmentation_checked(augmentation);
}

dlviz_augmentation *dlviz_random_horizontal_flip(double probability) {
    return create(&horizontal_type, probability);
}

dlviz_augmentation *dlviz_random_vertical_flip(double probability) {
    return create(&vertical_type, probability);
}

double dlviz_random_horizontal_flip_probability(const dlviz_augmentation *augmentation) {
    return dlz_augmentation_real(augmentation, &horizontal_type,
                                 offsetof(random_flip, probability));
}

double dlviz_random_vertical_flip_probability(const dlviz_augmentation *augmentation) {
    return dlz_augmentation_real(augmentation, &vertical_type, offsetof(random_flip, probability));
}
