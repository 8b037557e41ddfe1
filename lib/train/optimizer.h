/* train/optimizer.h - what an optimizer is to the library: a type, which says everything about the
 * optimizers of its kind, and settings and moments, which are the optimizer's own.
 *
 * An optimizer's file (lib/train/optimizers/) defines a struct that begins with a dlviz_optimizer,
 * the constructor and setters of that struct, a dlz_optimizer_type, and the loop that changes
 * parameters. Nothing else in the library knows the kind. */
#ifndef DLZ_TRAIN_OPTIMIZER_H
#define DLZ_TRAIN_OPTIMIZER_H

#include "base/busy.h"
#include "graph/batch.h"
#include "tensor/settings.h"
#include "train/groups.h"
#include "train/update.h"

#include <dlviz/optimizer.h>
#include <dlviz/safetensors.h>

#include <jansson.h>
#include <stdatomic.h>

/* A number that is kept of each parameter, from step to step; it begins as 0. */
typedef struct dlz_moment {
    const char *name; /* in files: ".optimizer.<name>.<parameter>" */
    bool not_negative;
} dlz_moment;

/* What a step is besides the optimizer's own settings. */
typedef struct dlz_step_terms {
    int64_t number; /* 1 is the first */
    double learning_rate, weight_decay;
} dlz_step_terms;

/* What all optimizers of a kind have in common. What is optional may be NULL. */
typedef struct dlz_optimizer_type {
    const char *name;
    size_t size; /* of the struct that begins with a dlviz_optimizer */
    /* Optional: the settings as files keep them, besides the weight decay; the last has no name. */
    const dlz_setting *settings;

    /* Up to DLZ_MAX_MOMENTS; the last has no name. */
    const dlz_moment *moments;
    /* Optional: whether the settings ask for a moment; without it, for all. Settings that decide
     * over it come before the first step. */
    bool (*keeps)(const dlviz_optimizer *optimizer, int moment);

    /* A step: what it needs is worked out once, in double, and put into step_size bytes; then the
     * loop of an instruction set runs over the parameters. */
    size_t step_size;
    void (*prepare)(const dlviz_optimizer *optimizer, const dlz_step_terms *terms, void *step);
    const dlz_optimizer_table *(*updates)(dlz_isa isa);
} dlz_optimizer_type;

struct dlviz_optimizer {
    const dlz_optimizer_type *type;
    atomic_int references; /* the user's handle, and trainers */
    dlz_busy busy;
    double learning_rate, weight_decay;
    int64_t steps;
    dlviz_network *network; /* the one it serves, and holds, once it has stepped it */
    dlz_spreads spreads; /* of which processes that train together have each some of the moments */
    float *moments[DLZ_MAX_MOMENTS]; /* laid out as the network's parameters; NULL: not kept */
    int64_t *missed;                 /* of each of its states, the steps made while it was frozen */
    void *step;                      /* what the type prepares, for each pair of factors */
    int step_blocks;                 /* how many there is room for */
    dlz_groups groups;
    dlz_parameter_runs runs; /* of the network it serves */
    bool regroup;            /* they are those of other groups */
    int64_t freezes;         /* the network's, when they were made */
};

/* -- For optimizers' files -----------------------------------------------------------------------
 */

/* An optimizer of type->size bytes with its settings zero. Checks `out` and the rate. */
dlviz_status dlz_optimizer_create(const char *who, const dlz_optimizer_type *type,
                                  dlviz_optimizer **out, double learning_rate);
/* The optimizer as one of the type, or NULL: for setters and getters. */
const void *dlz_optimizer_as(const dlviz_optimizer *optimizer, const dlz_optimizer_type *type);
/* For setters: fails when there is no optimizer, or none of the right type. */
dlviz_status dlz_optimizer_require(const char *who, const dlviz_optimizer *optimizer,
                                   const void *as_its_type);
/* What a setter begins with; a callback of the fit that steps with it may call one. */
#define DLZ_CHANGE_OPTIMIZER(optimizer, as_its_type)                                               \
    DLZ_TRY(dlz_optimizer_require(__func__, optimizer, as_its_type));                              \
    DLZ_HOLD_NESTED(&(optimizer)->busy, "optimizer")
/* For setters that decide which moments there are: fails after the first step. */
dlviz_status dlz_optimizer_require_unstepped(const char *who, const dlviz_optimizer *optimizer,
                                             const char *setting);
/* Both are in [0, 1). */
dlviz_status dlz_optimizer_check_eps(const char *who, double eps);
/* Whole setters; what they set is NULL where the optimizer is of another kind. */
dlviz_status dlz_optimizer_set_betas(const char *who, dlviz_optimizer *optimizer, double betas[2],
                                     double beta1, double beta2);
dlviz_status dlz_optimizer_set_eps(const char *who, dlviz_optimizer *optimizer, double *eps,
                                   double value);
dlviz_status dlz_optimizer_check_momentum(const char *who, double momentum);

static inline void dlz_give(double *to, double value) {
    if (to)
        *to = value;
}

/* -- For whoever trains --------------------------------------------------------------------------
 */

static inline bool dlz_is_learning_rate(double rate) {
    return rate >= 0 && rate <= 1e30;
}
dlviz_status dlz_check_learning_rate(const char *who, double rate);
/* Whether a moment of the type's is kept. */
bool dlz_optimizer_keeps(const dlviz_optimizer *optimizer, int moment);
/* Fails with DLVIZ_ERROR_STATE unless the optimizer serves this network or none yet, and with
 * DLVIZ_ERROR_NOT_FOUND when one of its groups has no parameter there. */
dlviz_status dlz_optimizer_check_network(const dlviz_optimizer *optimizer,
                                         const dlviz_network *network);
/* Keeps the optimizer alive, whoever destroys their handle; dlviz_optimizer_destroy ends that too.
 */
dlviz_optimizer *dlz_optimizer_hold(dlviz_optimizer *optimizer);

/* -- optimizer_state.c ------------------------------------------------------------------------- */

/* What a run that goes on must have the same, as a new JSON object; NULL when out of memory. The
 * learning rate is none of it: schedules change it, and a checkpoint restores it. */
json_t *dlz_optimizer_settings(const dlviz_optimizer *optimizer);
/* Fails with DLVIZ_ERROR_NUMERIC, naming the moment and the parameter, where one is not finite. */
dlviz_status dlz_optimizer_check_moments(const dlviz_optimizer *optimizer);
/* Gives all processes all moments, where they have trained each some of the parameters. */
dlviz_status dlz_optimizer_join_moments(dlviz_optimizer *optimizer, const dlviz_network *network);
/* A number that tells moments apart. */
unsigned long dlz_optimizer_digest(const dlviz_optimizer *optimizer);
/* A tensor for each moment of each parameter, ".optimizer.first_moment.<parameter>" and so on, and,
 * where some were frozen, one of the steps that each state has missed. */
dlviz_status dlz_optimizer_add_states(const dlviz_optimizer *optimizer, dlviz_safetensors *set);
/* Whether a tensor of this name can be one of those, for this network. */
bool dlz_optimizer_owns(const dlviz_optimizer *optimizer, const dlviz_network *network,
                        const char *name);

/* In blocks that are laid out as the network's parameters; NULL for those that are not kept. */
typedef struct dlz_optimizer_moments {
    float *blocks[DLZ_MAX_MOMENTS];
    int64_t *missed; /* NULL: nothing */
} dlz_optimizer_moments;

/* Reads and checks them and changes nothing; zeros if the optimizer had made no steps yet. */
dlviz_status dlz_optimizer_read_moments(const dlviz_optimizer *optimizer,
                                        const dlviz_network *network, const dlviz_safetensors *set,
                                        int64_t steps, dlz_optimizer_moments *moments);
void dlz_optimizer_drop_moments(dlz_optimizer_moments *moments);
/* Cannot fail; what was read belongs to the optimizer then, which serves this network. */
void dlz_optimizer_take_moments(dlviz_optimizer *optimizer, dlviz_network *network,
                                dlz_optimizer_moments *moments);

#endif
