#include "scores/hits.h"

#include <math.h>

static double share(int64_t part, int64_t whole) {
    return part > 0 ? (double)part / (double)whole : 0;
}

double dlz_precision(dlz_hits hits) {
    return share(hits.both, hits.both + hits.wrongly);
}

double dlz_recall(dlz_hits hits) {
    return share(hits.both, hits.both + hits.missed);
}

double dlz_f1(dlz_hits hits) {
    return share(2 * hits.both, 2 * hits.both + hits.wrongly + hits.missed);
}

int64_t dlz_label_place(int64_t classes, const float *outputs, int64_t label) {
    float own = outputs[label];
    int64_t before = isfinite(own) ? 0 : classes;
    for (int64_t c = 0; c < label; c++)
        before += !(outputs[c] < own);
    for (int64_t c = label + 1; c < classes; c++)
        before += !(outputs[c] <= own);
    return before;
}
