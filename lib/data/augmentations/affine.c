#include "base/base.h"
#include "data/augmentation.h"

#include <math.h>

#define PI 3.14159265358979323846

/* Pairs are vertical, horizontal, or least, most. */
typedef struct random_affine {
    dlviz_augmentation base;
    double degrees, scale[2], shear[2], translation[2];
} random_affine;

static dlviz_status check_pair(const char *vertical, const char *horizontal, const double pair[2],
                               double most) {
    DLZ_TRY(dlz_augmentation_check_number(vertical, pair[0], 0, most));
    return dlz_augmentation_check_number(horizontal, pair[1], 0, most);
}

static dlviz_status check(const dlviz_augmentation *augmentation) {
    const random_affine *own = (const random_affine *)augmentation;
    DLZ_TRY(dlz_augmentation_check_number("number of degrees", own->degrees, 0, 180));
    DLZ_TRY(dlz_augmentation_check_range("scale", own->scale, 1e-3, 1e3));
    DLZ_TRY(check_pair("vertical shear", "horizontal shear", own->shear, 89));
    return check_pair("vertical translation", "horizontal translation", own->translation, 1);
}

/* −most … most. */
static double either_way(dlz_random *random, double most) {
    return dlz_random_between(random, -most, most);
}

/* An image point p goes to turn · shear of columns · shear of rows · scale · p + shift, as in
 * torchvision; wanted is the way back. */
static void map(const dlviz_augmentation *augmentation, dlz_random *random, int64_t height,
                int64_t width, dlz_map *to) {
    const random_affine *own = (const random_affine *)augmentation;
    double angle = either_way(random, own->degrees) * (PI / 180);
    double down = either_way(random, own->translation[0]) * (double)height;
    double right = either_way(random, own->translation[1]) * (double)width;
    double scale = dlz_random_between(random, own->scale[0], own->scale[1]);
    double columns = -tan(either_way(random, own->shear[0]) * (PI / 180));
    double rows = -tan(either_way(random, own->shear[1]) * (PI / 180));
    double c = cos(angle) / scale, s = sin(angle) / scale;
    /* The turn back: x = c·x + s·y, y = c·y − s·x; then y −= columns·x; then x −= rows·y. */
    to->yx = -s - columns * c;
    to->yy = c - columns * s;
    to->xx = c - rows * to->yx;
    to->xy = s - rows * to->yy;
    to->x0 = -(to->xx * right + to->xy * down);
    to->y0 = -(to->yx * right + to->yy * down);
}

static const dlz_setting settings[] = {
    {"degrees", DLZ_SETTING_REAL, offsetof(random_affine, degrees), true},
    {"least_scale", DLZ_SETTING_REAL, offsetof(random_affine, scale), true},
    {"most_scale", DLZ_SETTING_REAL, offsetof(random_affine, scale) + sizeof(double), true},
    {"vertical_shear", DLZ_SETTING_REAL, offsetof(random_affine, shear), true},
    {"horizontal_shear", DLZ_SETTING_REAL, offsetof(random_affine, shear) + sizeof(double), true},
    {"vertical_translation", DLZ_SETTING_REAL, offsetof(random_affine, translation), true},
    {"horizontal_translation", DLZ_SETTING_REAL,
     offsetof(random_affine, translation) + sizeof(double), true},
    {0},
};

static const dlz_augmentation_type affine_type = {
    .name = "random_affine",
    .size = sizeof(random_affine),
    .settings = settings,
    .check = check,
    .map = map,
};

dlviz_augmentation *dlviz_random_affine(double degrees) {
    dlviz_augmentation *augmentation = dlz_augmentation_create(&affine_type);
    random_affine *own = (random_affine *)augmentation;
    if (own) {
        own->degrees = degrees;
        own->scale[0] = own->scale[1] = 1;
    }
    return dlz_augmentation_checked(augmentation);
}

static dlviz_status set_pair(const char *who, dlviz_augmentation *augmentation, size_t offset,
                             double first, double second) {
    double pair[2] = {first, second};
    return dlz_augmentation_set(who, augmentation, &affine_type, offset, pair, sizeof pair);
}

dlviz_status dlviz_random_affine_set_scale(dlviz_augmentation *augmentation, double least,
                                           double most) {
    return set_pair(__func__, augmentation, offsetof(random_affine, scale), least, most);
}

dlviz_status dlviz_random_affine_set_shear(dlviz_augmentation *augmentation, double vertical,
                                           double horizontal) {
    return set_pair(__func__, augmentation, offsetof(random_affine, shear), vertical, horizontal);
}

dlviz_status dlviz_random_affine_set_translation(dlviz_augmentation *augmentation, double vertical,
                                                 double horizontal) {
    return set_pair(__func__, augmentation, offsetof(random_affine, translation), vertical,
                    horizontal);
}

double dlviz_random_affine_degrees(const dlviz_augmentation *augmentation) {
    return dlz_augmentation_real(augmentation, &affine_type, offsetof(random_affine, degrees));
}

void dlviz_random_affine_scale(const dlviz_augmentation *augmentation, double *least,
                               double *most) {
    dlz_augmentation_reals(augmentation, &affine_type, offsetof(random_affine, scale), least, most);
}

void dlviz_random_affine_shear(const dlviz_augmentation *augmentation, double *vertical,
                               double *horizontal) {
    dlz_augmentation_reals(augmentation, &affine_type, offsetof(random_affine, shear), vertical,
                           horizontal);
}

void dlviz_random_affine_translation(const dlviz_augmentation *augmentation, double *vertical,
                                     double *horizontal) {
    dlz_augmentation_reals(augmentation, &affine_type, offsetof(random_affine, translation),
                           vertical, horizontal);
}
