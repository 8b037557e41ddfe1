/* analysis/model/quality.h - a tensor that passed a check is there. */
#include "metrics/quality.h"
#include "model.h"

#define dlz_require_points(who, name, points, least)                                               \
    DLZ_MODEL_REQUIRED(points, dlz_require_points(who, name, points, least))
#define dlz_require_labels(who, name, labels, n)                                                   \
    DLZ_MODEL_REQUIRED(labels, dlz_require_labels(who, name, labels, n))
