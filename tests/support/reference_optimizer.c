/* The optimizers' rules, one number at a time, as PyTorch states them. */
#include "support/reference.h"

#include <math.h>

/* Half a unit in the last place, relative. */
#define ROUNDING 0x1p-24
/* The smallest number above 0. */
#define SMALLEST 0x1p-149

double reference_step(const rule_settings *s, int t, double p, double g, double *first,
                      double *second, double *error) {
    double step, noise; /* of the step, relative to the learning rate */
    double decayed = p;
    if (s->kind == RULE_ADAMW)
        decayed = p * (1 - s->rate * s->decay);
    else
        g += s->decay * p;
    double parts = fabs(g) + 2 * fabs(s->decay * p); /* what g is the sum of */
    switch (s->kind) {
    case RULE_ADAM:
    case RULE_ADAMW: {
        parts = s->beta1 * fabs(*first) + (1 - s->beta1) * parts;
        *first = s->beta1 * *first + (1 - s->beta1) * g;
        *second = s->beta2 * *second + (1 - s->beta2) * g * g;
        double size = sqrt(*second) / sqrt(1 - pow(s->beta2, t)) + s->eps;
        step = *first / (1 - pow(s->beta1, t)) / size;
        noise = parts / (1 - pow(s->beta1, t)) / size;
        break;
    }
    case RULE_RMSPROP:
        *second = s->alpha * *second + (1 - s->alpha) * g * g;
        step = g / (sqrt(*second) + s->eps);
        noise = parts / (sqrt(*second) + s->eps);
        break;
    default:
        noise = s->momentum * fabs(*first) + parts;
        if (s->kind == RULE_SGD) {
            step = g;
            break;
        }
        *first = t == 1 ? g : s->momentum * *first + (1 - s->dampening) * g;
        step = s->kind == RULE_NESTEROV ? g + s->momentum * *first : *first;
        noise += s->momentum * fabs(*first);
    }
    /* The moments carry the roundings of earlier steps, and may be too small for normal numbers. */
    bool divides = s->kind == RULE_ADAM || s->kind == RULE_ADAMW || s->kind == RULE_RMSPROP;
    double tiny = SMALLEST * (1 + (1 + s->rate) / (divides ? s->eps : 1));
    *error = ROUNDING * (4 * fabs(p) + 32 * t * s->rate * noise) + 4 * t * tiny;
    return decayed - s->rate * step;
}
