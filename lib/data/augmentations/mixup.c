#include "base/base.h"
#include "data/augmentation.h"

#include <math.h>

typedef struct mixup {
    dlviz_augmentation base;
    double alpha;
} mixup;

static dlviz_status check(const dlviz_augmentation *augmentation) {
    double alpha = ((const mixup *)augmentation)->alpha;
    return dlz_augmentation_check_number("parameter alpha", alpha, 1e-3, 1e3);
}

/* The logarithm of a number from the gamma distribution with this shape (Marsaglia and Tsang 2000).
 * Where the shape is below 1 the number may be too small for a double. */
static double log_gamma_number(dlz_random *random, double shape) {
    double more = shape < 1 ? log(1 - dlz_random_double(random)) / shape : 0;
    double d = (shape < 1 ? shape + 1 : shape) - 1.0 / 3, c = 1 / sqrt(9 * d);
    for (;;) {
        double x = dlz_random_normal(random), v = 1 + c * x;
        if (v <= 0)
            continue;
        v = v * v * v;
        if (log(1 - dlz_random_double(random)) < x * x / 2 + d * (1 - v + log(v)))
            return log(d * v) + more;
    }
}

/* a/(a + b) of two gamma numbers is from the Beta distribution. */
static double share(const dlviz_augmentation *augmentation, dlz_random *random) {
    double alpha = ((const mixup *)augmentation)->alpha;
    double a = log_gamma_number(random, alpha), b = log_gamma_number(random, alpha);
    return 1 / (1 + exp(-fabs(a - b)));
}

static const dlz_setting settings[] = {
    {"alpha", DLZ_SETTING_REAL, offsetof(mixup, alpha), true},
    {0},
};

static const dlz_augmentation_type mixup_type = {
    .name = "mixup",
    .size = sizeof(mixup),
    .settings = settings,
    .check = check,
    .takes_vectors = true,
    .share = share,
};

dlviz_augmentation *dlviz_mixup(double alpha) {
    dlviz_augmentation *augmentation = dlz_augmentation_create(&mixup_type);
    if (augmentation)
        ((mixup *)augmentation)->alpha = alpha;
    return dlz_augmentation_checked(augmentation);
}

double dlviz_mixup_alpha(const dlviz_augmentation *augmentation) {
    return dlz_augmentation_real(augmentation, &mixup_type, offsetof(mixup, alpha));
}
