#include "base/base.h"
#include "data/augmentation.h"

typedef struct random_shift {
    dlviz_augmentation base;
    int64_t vertical, horizontal;
} random_shift;

static dlviz_status check(const dlviz_augmentation *augmentation) {
    const random_shift *own = (const random_shift *)augmentation;
    DLZ_TRY(dlz_check_integer("largest vertical shift", own->vertical, 0, INT32_MAX));
    return dlz_check_integer("largest horizontal shift", own->horizontal, 0, INT32_MAX);
}

/* Uniform in −most … most. */
static double pixels(dlz_random *random, int64_t most) {
    return (double)((int64_t)dlz_random_below(random, 2 * (uint64_t)most + 1) - most);
}

static void map(const dlviz_augmentation *augmentation, dlz_random *random, int64_t height,
                int64_t width, dlz_map *to) {
    (void)height;
    (void)width;
    const random_shift *own = (const random_shift *)augmentation;
    to->y0 = pixels(random, own->vertical);
    to->x0 = pixels(random, own->horizontal);
}

static const dlz_setting settings[] = {
    {"vertical", DLZ_SETTING_INTEGER, offsetof(random_shift, vertical), true},
    {"horizontal", DLZ_SETTING_INTEGER, offsetof(random_shift, horizontal), true},
    {0},
};

static const dlz_augmentation_type shift_type = {
    .name = "random_shift",
    .size = sizeof(random_shift),
    .settings = settings,
    .check = check,
    .map = map,
};

dlviz_augmentation *dlviz_random_shift(int64_t vertical, int64_t horizontal) {
    dlviz_augmentation *augmentation = dlz_augmentation_create(&shift_type);
    random_shift *own = (random_shift *)augmentation;
    if (own) {
        own->vertical = vertical;
        own->horizontal = horizontal;
    }
    return dlz_augmentation_checked(augmentation);
}

static const random_shift *as_shift(const dlviz_augmentation *augmentation) {
    return dlz_augmentation_as(augmentation, &shift_type);
}

int64_t dlviz_random_shift_vertical(const dlviz_augmentation *augmentation) {
    const random_shift *own = as_shift(augmentation);
    return own ? own->vertical : 0;
}

int64_t dlviz_random_shift_horizontal(const dlviz_augmentation *augmentation) {
    const random_shift *own = as_shift(augmentation);
    return own ? own->horizontal : 0;
}
