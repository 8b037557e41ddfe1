#include "base/base.h"
#include "data/augmentation.h"

typedef struct random_crop {
    dlviz_augmentation base;
    int64_t padding;
} random_crop;

static dlviz_status check(const dlviz_augmentation *augmentation) {
    return dlz_check_integer("padding", ((const random_crop *)augmentation)->padding, 0, INT32_MAX);
}

/* The padded image is larger by twice the padding: so many places has the crop, and one. */
static double place(dlz_random *random, int64_t padding) {
    return (double)((int64_t)dlz_random_below(random, 2 * (uint64_t)padding + 1) - padding);
}

static void map(const dlviz_augmentation *augmentation, dlz_random *random, int64_t height,
                int64_t width, dlz_map *to) {
    (void)height;
    (void)width;
    int64_t padding = ((const random_crop *)augmentation)->padding;
    to->y0 = place(random, padding);
    to->x0 = place(random, padding);
}

static const dlz_setting settings[] = {
    {"padding", DLZ_SETTING_INTEGER, offsetof(random_crop, padding), true},
    {0},
};

static const dlz_augmentation_type crop_type = {
    .name = "random_crop",
    .size = sizeof(random_crop),
    .settings = settings,
    .check = check,
    .map = map,
};

dlviz_augmentation *dlviz_random_crop(int64_t padding) {
    dlviz_augmentation *augmentation = dlz_augmentation_create(&crop_type);
    if (augmentation)
        ((random_crop *)augmentation)->padding = padding;
    return dlz_augmentation_checked(augmentation);
}

int64_t dlviz_random_crop_padding(const dlviz_augmentation *augmentation) {
    const random_crop *own = dlz_augmentation_as(augmentation, &crop_type);
    return own ? own->padding : 0;
}
