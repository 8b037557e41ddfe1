/* train/optimizer.h - the inside of an optimizer. */
#ifndef DLZ_TRAIN_OPTIMIZER_H
#define DLZ_TRAIN_OPTIMIZER_H

#include <dlviz/optimizer.h>
#include <dlviz/safetensors.h>

typedef enum dlz_rule { DLZ_ADAM, DLZ_ADAMW, DLZ_SGD, DLZ_RMSPROP } dlz_rule;

struct dlviz_optimizer {
    dlz_rule rule;
    double learning_rate, weight_decay;
    double beta1, beta2, eps;
    double momentum, dampening, alpha;
    bool nesterov;
    int64_t steps;
    const dlviz_network *network; /* the one it serves, once it has stepped it */
    int64_t size;
    float *first, *second; /* moments, laid out as the network's parameters; NULL if not needed */
};

const char *dlz_rule_name(dlz_rule rule);
/* Moments to and from a checkpoint. Taking needs the network that will be stepped, and checks
 * before it changes anything. */
dlviz_status dlz_optimizer_add_states(const dlviz_optimizer *optimizer, dlviz_safetensors *set);
typedef struct dlz_optimizer_moments {
    dlviz_tensor *first, *second;
} dlz_optimizer_moments;
dlviz_status dlz_optimizer_read_moments(dlviz_optimizer *optimizer, const dlviz_network *network,
                                        const dlviz_safetensors *set,
                                        dlz_optimizer_moments *moments);
/* Cannot fail after a successful read; destroys the moments. */
void dlz_optimizer_take_moments(dlviz_optimizer *optimizer, dlz_optimizer_moments *moments);

#endif
