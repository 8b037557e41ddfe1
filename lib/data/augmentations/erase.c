#include "base/base.h"
#include "data/augmentation.h"

#include <float.h>
#include <math.h>

typedef struct random_erase {
    dlviz_augmentation base;
    double probability, area[2], aspect[2], fill;
} random_erase;

static dlviz_status check(const dlviz_augmentation *augmentation) {
    const random_erase *own = (const random_erase *)augmentation;
    DLZ_TRY(dlz_augmentation_check_number("probability", own->probability, 0, 1));
    DLZ_TRY(dlz_augmentation_check_range("area", own->area, DBL_MIN, 1));
    DLZ_TRY(dlz_augmentation_check_range("aspect", own->aspect, 1e-3, 1e3));
    return dlz_augmentation_check_number("fill", own->fill, -1e30, 1e30);
}

/* At least a pixel, at most all there are. */
static int64_t side(double length, int64_t most) {
    return dlz_min_i64(dlz_max_i64((int64_t)(length + 0.5), 1), most);
}

static void change(const dlviz_augmentation *augmentation, dlz_random *random,
                   const dlz_picture *picture) {
    const random_erase *own = (const random_erase *)augmentation;
    int64_t height = picture->height, width = picture->width;
    if (dlz_random_double(random) >= own->probability)
        return;
    double area = dlz_random_between(random, own->area[0], own->area[1]);
    double aspect = exp(dlz_random_between(random, log(own->aspect[0]), log(own->aspect[1])));
    double pixels = area * (double)height * (double)width;
    int64_t rows = side(sqrt(pixels * aspect), height),
            columns = side(sqrt(pixels / aspect), width);
    int64_t top = (int64_t)dlz_random_below(random, (uint64_t)(height - rows) + 1);
    int64_t left = (int64_t)dlz_random_below(random, (uint64_t)(width - columns) + 1);
    for (int64_t channel = 0; channel < picture->channels; channel++)
        for (int64_t y = top; y < top + rows; y++) {
            float *row = picture->values + (channel * height + y) * width + left;
            for (int64_t x = 0; x < columns; x++)
                row[x] = (float)own->fill;
        }
}

static const dlz_setting settings[] = {
    {"probability", DLZ_SETTING_REAL, offsetof(random_erase, probability), true},
    {"least_area", DLZ_SETTING_REAL, offsetof(random_erase, area), true},
    {"most_area", DLZ_SETTING_REAL, offsetof(random_erase, area) + sizeof(double), true},
    {"least_aspect", DLZ_SETTING_REAL, offsetof(random_erase, aspect), true},
    {"most_aspect", DLZ_SETTING_REAL, offsetof(random_erase, aspect) + sizeof(double), true},
    {"fill", DLZ_SETTING_REAL, offsetof(random_erase, fill), true},
    {0},
};

static const dlz_augmentation_type erase_type = {
    .name = "random_erase",
    .size = sizeof(random_erase),
    .settings = settings,
    .check = check,
    .input_only = true,
    .change = change,
};

dlviz_augmentation *dlviz_random_erase(double probability) {
    dlviz_augmentation *augmentation = dlz_augmentation_create(&erase_type);
    random_erase *own = (random_erase *)augmentation;
    if (own) {
        own->probability = probability;
        own->area[0] = 0.02;
        own->area[1] = 0.33;
        own->aspect[0] = 0.3;
        own->aspect[1] = 3.3;
    }
    return dlz_augmentation_checked(augmentation);
}

static dlviz_status set_range(const char *who, dlviz_augmentation *augmentation, size_t offset,
                              double least, double most) {
    double range[2] = {least, most};
    return dlz_augmentation_set(who, augmentation, &erase_type, offset, range, sizeof range);
}

dlviz_status dlviz_random_erase_set_area(dlviz_augmentation *augmentation, double least,
                                         double most) {
    return set_range(__func__, augmentation, offsetof(random_erase, area), least, most);
}

dlviz_status dlviz_random_erase_set_aspect(dlviz_augmentation *augmentation, double least,
                                           double most) {
    return set_range(__func__, augmentation, offsetof(random_erase, aspect), least, most);
}

dlviz_status dlviz_random_erase_set_fill(dlviz_augmentation *augmentation, double fill) {
    return dlz_augmentation_set(__func__, augmentation, &erase_type, offsetof(random_erase, fill),
                                &fill, sizeof fill);
}

double dlviz_random_erase_probability(const dlviz_augmentation *augmentation) {
    return dlz_augmentation_real(augmentation, &erase_type, offsetof(random_erase, probability));
}

void dlviz_random_erase_area(const dlviz_augmentation *augmentation, double *least, double *most) {
    dlz_augmentation_reals(augmentation, &erase_type, offsetof(random_erase, area), least, most);
}

void dlviz_random_erase_aspect(const dlviz_augmentation *augmentation, double *least,
                               double *most) {
    dlz_augmentation_reals(augmentation, &erase_type, offsetof(random_erase, aspect), least, most);
}

double dlviz_random_erase_fill(const dlviz_augmentation *augmentation) {
    return dlz_augmentation_real(augmentation, &erase_type, offsetof(random_erase, fill));
}
