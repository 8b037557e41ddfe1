/* dlviz/optimizer.h - the rules by which gradients change parameters, as PyTorch defines them. */
#ifndef DLVIZ_OPTIMIZER_H
#define DLVIZ_OPTIMIZER_H

#include <dlviz/network.h>

#ifdef __cplusplus
extern "C" {
#endif

/** An optimizer and its moments. It serves the first network it steps, and that one only, and holds
 *  it: a network that is destroyed earlier lives until its optimizer is. To be used by one thread
 *  at a time: a setter fails with DLVIZ_ERROR_STATE while another thread takes a step, or trains.
 *
 *  A setting of one kind of optimizer is DLVIZ_ERROR_INVALID_ARGUMENT for another kind, and its
 *  getter then gives NaN or false. */
typedef struct dlviz_optimizer dlviz_optimizer;

/** Adam (Kingma & Ba 2015): m ← β₁m + (1 − β₁)g, v ← β₂v + (1 − β₂)g²,
 *  p ← p − lr/(1 − β₁ᵗ) · m / (√v/√(1 − β₂ᵗ) + eps); β₁ 0.9, β₂ 0.999, eps 1e-8. Weight decay, 0
 *  unless set, is added to the gradient.
 *  @param learning_rate  0 to 1e30; else DLVIZ_ERROR_INVALID_ARGUMENT */
DLVIZ_CHECKED dlviz_status dlviz_adam_create(dlviz_optimizer **out, double learning_rate);
/** AdamW (Loshchilov & Hutter 2019): as Adam, but with p ← p − lr·decay·p first; decay 0.01. */
DLVIZ_CHECKED dlviz_status dlviz_adamw_create(dlviz_optimizer **out, double learning_rate);
/** β₁ and β₂ of Adam and AdamW, each in [0, 1). */
DLVIZ_CHECKED dlviz_status dlviz_adam_set_betas(dlviz_optimizer *optimizer, double beta1,
                                                double beta2);
DLVIZ_API void dlviz_adam_betas(const dlviz_optimizer *optimizer, double *beta1, double *beta2);
/** eps of Adam and AdamW, 1e-30 to 1e30. */
DLVIZ_CHECKED dlviz_status dlviz_adam_set_eps(dlviz_optimizer *optimizer, double eps);
DLVIZ_API double dlviz_adam_eps(const dlviz_optimizer *optimizer);
/** Whether Adam and AdamW divide by the root of the largest v so far (Reddi et al. 2018). Off
 *  unless set; to be set before the first step, else DLVIZ_ERROR_STATE. */
DLVIZ_CHECKED dlviz_status dlviz_adam_set_amsgrad(dlviz_optimizer *optimizer, bool amsgrad);
DLVIZ_API bool dlviz_adam_amsgrad(const dlviz_optimizer *optimizer);

/** NAdam (Dozat 2016): Adam with Nesterov's look-ahead. m and v as Adam's; with
 *  μₜ = β₁(1 − 0.96^(t·momentum_decay)/2), p ← p − lr·((1 − μₜ)/(1 − μ₁⋯μₜ) · g +
 *  μₜ₊₁/(1 − μ₁⋯μₜ₊₁) · m) / (√v/√(1 − β₂ᵗ) + eps); β₁ 0.9, β₂ 0.999, eps 1e-8, momentum_decay
 *  0.004. Weight decay, 0 unless set, is added to the gradient. A setting that is changed between
 *  steps counts as if it had been so from the first. (PyTorch before 2.0 has μₜ twice in the second
 *  product, unless its "foreach" is set.) */
DLVIZ_CHECKED dlviz_status dlviz_nadam_create(dlviz_optimizer **out, double learning_rate);
/** β₁ and β₂, each in [0, 1). */
DLVIZ_CHECKED dlviz_status dlviz_nadam_set_betas(dlviz_optimizer *optimizer, double beta1,
                                                 double beta2);
DLVIZ_API void dlviz_nadam_betas(const dlviz_optimizer *optimizer, double *beta1, double *beta2);
/** eps, 1e-30 to 1e30. */
DLVIZ_CHECKED dlviz_status dlviz_nadam_set_eps(dlviz_optimizer *optimizer, double eps);
DLVIZ_API double dlviz_nadam_eps(const dlviz_optimizer *optimizer);
/** How fast μ grows from about β₁/2 to β₁: 0 to 1e30. */
DLVIZ_CHECKED dlviz_status dlviz_nadam_set_momentum_decay(dlviz_optimizer *optimizer, double decay);
DLVIZ_API double dlviz_nadam_momentum_decay(const dlviz_optimizer *optimizer);

/** RAdam (Liu et al. 2020): Adam whose steps are rectified while v is the average of few gradients.
 *  With ρ = 2/(1 − β₂) − 1 and ρₜ = ρ − 2tβ₂ᵗ/(1 − β₂ᵗ), p ← p − lr/(1 − β₁ᵗ) · m while ρₜ is 5 or
 *  less, then p ← p − lr/(1 − β₁ᵗ) · √((ρₜ − 4)(ρₜ − 2)ρ / ((ρ − 4)(ρ − 2)ρₜ)) · m ·
 *  √(1 − β₂ᵗ)/(√v + eps); β₁ 0.9, β₂ 0.999, eps 1e-8. Weight decay, 0 unless set, is added to the
 *  gradient. */
DLVIZ_CHECKED dlviz_status dlviz_radam_create(dlviz_optimizer **out, double learning_rate);
/** β₁ and β₂, each in [0, 1). */
DLVIZ_CHECKED dlviz_status dlviz_radam_set_betas(dlviz_optimizer *optimizer, double beta1,
                                                 double beta2);
DLVIZ_API void dlviz_radam_betas(const dlviz_optimizer *optimizer, double *beta1, double *beta2);
/** eps, 1e-30 to 1e30. */
DLVIZ_CHECKED dlviz_status dlviz_radam_set_eps(dlviz_optimizer *optimizer, double eps);
DLVIZ_API double dlviz_radam_eps(const dlviz_optimizer *optimizer);

/** Lion (Chen et al. 2023): p ← p − lr·decay·p − lr·sign(β₁m + (1 − β₁)g), then
 *  m ← β₂m + (1 − β₂)g; β₁ 0.9, β₂ 0.99, decay 0 unless set. Every parameter moves by lr, so that
 *  rates are a third to a tenth of AdamW's, and decays as many times larger. */
DLVIZ_CHECKED dlviz_status dlviz_lion_create(dlviz_optimizer **out, double learning_rate);
/** β₁ and β₂, each in [0, 1). */
DLVIZ_CHECKED dlviz_status dlviz_lion_set_betas(dlviz_optimizer *optimizer, double beta1,
                                                double beta2);
DLVIZ_API void dlviz_lion_betas(const dlviz_optimizer *optimizer, double *beta1, double *beta2);

/** Stochastic gradient descent with momentum 0: p ← p − lr·g. */
DLVIZ_CHECKED dlviz_status dlviz_sgd_create(dlviz_optimizer **out, double learning_rate);
/** b ← momentum·b + (1 − dampening)·g, starting as b = g; p ← p − lr·b, or with Nesterov's
 *  look-ahead p ← p − lr·(g + momentum·b), which needs a momentum above 0 and no dampening. To be
 *  set before the first step, else DLVIZ_ERROR_STATE. Momentum 0 to 1e30, dampening 0 to 1. */
DLVIZ_CHECKED dlviz_status dlviz_sgd_set_momentum(dlviz_optimizer *optimizer, double momentum,
                                                  double dampening, bool nesterov);
DLVIZ_API void dlviz_sgd_momentum(const dlviz_optimizer *optimizer, double *momentum,
                                  double *dampening, bool *nesterov);

/** RMSprop (Hinton 2012): v ← α·v + (1 − α)g², d = g/(√v + eps), p ← p − lr·d; α 0.99, eps 1e-8. */
DLVIZ_CHECKED dlviz_status dlviz_rmsprop_create(dlviz_optimizer **out, double learning_rate);
/** α in [0, 1), eps 1e-30 to 1e30. */
DLVIZ_CHECKED dlviz_status dlviz_rmsprop_set_smoothing(dlviz_optimizer *optimizer, double alpha,
                                                       double eps);
DLVIZ_API void dlviz_rmsprop_smoothing(const dlviz_optimizer *optimizer, double *alpha,
                                       double *eps);
/** b ← momentum·b + d, starting as b = 0; p ← p − lr·b. 0 unless set; to 1e30. This and the next
 *  are to be set before the first step, else DLVIZ_ERROR_STATE. */
DLVIZ_CHECKED dlviz_status dlviz_rmsprop_set_momentum(dlviz_optimizer *optimizer, double momentum);
DLVIZ_API double dlviz_rmsprop_momentum(const dlviz_optimizer *optimizer);
/** Whether the average of gradients is taken out (Graves 2013): a ← α·a + (1 − α)g, and √(v − a²)
 *  in the place of √v. Off unless set. */
DLVIZ_CHECKED dlviz_status dlviz_rmsprop_set_centered(dlviz_optimizer *optimizer, bool centered);
DLVIZ_API bool dlviz_rmsprop_centered(const dlviz_optimizer *optimizer);

/** Destroys the optimizer and its moments, once no trainer holds it any more. NULL is allowed. */
DLVIZ_API void dlviz_optimizer_destroy(dlviz_optimizer *optimizer);

/** Weight decay: 0 to 1e30. */
DLVIZ_CHECKED dlviz_status dlviz_optimizer_set_weight_decay(dlviz_optimizer *optimizer,
                                                            double decay);
DLVIZ_API double dlviz_optimizer_weight_decay(const dlviz_optimizer *optimizer);
/** Learning rate of the steps from now on: 0 to 1e30. */
DLVIZ_CHECKED dlviz_status dlviz_optimizer_set_learning_rate(dlviz_optimizer *optimizer,
                                                             double learning_rate);
DLVIZ_API double dlviz_optimizer_learning_rate(const dlviz_optimizer *optimizer);

/** A factor of the learning rate for the parameters whose names match a pattern: 0 to 1e30;
 *  1 for those that match none. In a pattern, which is matched against whole names such as
 *  "conv1.weight", '*' stands for any run of characters, dots too, and '?' for one. Where several
 *  patterns match, the last call holds; one with the pattern of an earlier call replaces it, and is
 *  then the last. Factors may change between steps.
 *
 *      dlviz_optimizer_set_rate_factor(optimizer, "features.*", 0.1);
 *
 *  A pattern that matches no parameter is DLVIZ_ERROR_NOT_FOUND, with the names there are: here
 *  once the optimizer serves a network, else in the first step or when a trainer is made. Other
 *  failures are DLVIZ_ERROR_INVALID_ARGUMENT, DLVIZ_ERROR_STATE (another thread uses the optimizer)
 *  and DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_CHECKED dlviz_status dlviz_optimizer_set_rate_factor(dlviz_optimizer *optimizer,
                                                           const char *pattern, double factor);
/** Takes all these factors back. Returns DLVIZ_ERROR_INVALID_ARGUMENT or DLVIZ_ERROR_STATE. */
DLVIZ_CHECKED dlviz_status dlviz_optimizer_clear_rate_factors(dlviz_optimizer *optimizer);
/** How many patterns have one. */
DLVIZ_API int64_t dlviz_optimizer_num_rate_factors(const dlviz_optimizer *optimizer);
/** Pattern 0 … num_rate_factors − 1, in the order of the calls; NULL beyond. Owned by the
 *  optimizer. */
DLVIZ_API const char *dlviz_optimizer_rate_factor_pattern(const dlviz_optimizer *optimizer,
                                                          int64_t index);
/** Its factor; NaN beyond. */
DLVIZ_API double dlviz_optimizer_rate_factor(const dlviz_optimizer *optimizer, int64_t index);
/** Takes all these factors back. Returns DLVIZ_ERROR_INVALID_ARGUMENT or DLVIZ_ERROR_STATE. */
DLVIZ_CHECKED dlviz_status dlviz_optimizer_clear_decay_factors(dlviz_optimizer *optimizer);
/** A factor of the weight decay, likewise. It holds whatever the next setting says. */
DLVIZ_CHECKED dlviz_status dlviz_optimizer_set_decay_factor(dlviz_optimizer *optimizer,
                                                            const char *pattern, double factor);
DLVIZ_API int64_t dlviz_optimizer_num_decay_factors(const dlviz_optimizer *optimizer);
DLVIZ_API const char *dlviz_optimizer_decay_factor_pattern(const dlviz_optimizer *optimizer,
                                                           int64_t index);
DLVIZ_API double dlviz_optimizer_decay_factor(const dlviz_optimizer *optimizer, int64_t index);
/** Whether weight decay is for parameters of two or more dimensions alone, the usual recipe: none
 *  on biases, batch norms and group norms, which have one dimension. (A layer norm's have as many
 *  as its input.) Off unless set; may change between steps. */
DLVIZ_CHECKED dlviz_status dlviz_optimizer_set_decay_weights_only(dlviz_optimizer *optimizer,
                                                                  bool weights_only);
DLVIZ_API bool dlviz_optimizer_decay_weights_only(const dlviz_optimizer *optimizer);

/** How many steps it has taken. */
DLVIZ_API int64_t dlviz_optimizer_num_steps(const dlviz_optimizer *optimizer);

/** Changes the network's parameters by the gradients that dlviz_network_backward left, which serve
 *  one step. Returns DLVIZ_ERROR_STATE when there are none, when a step has used them already, when
 *  parameters were loaded since, or when the optimizer serves another network;
 *  DLVIZ_ERROR_NOT_FOUND when a factor's pattern matches no parameter; DLVIZ_ERROR_OUT_OF_MEMORY
 *  (at the first step, and at the first with other factors). */
DLVIZ_CHECKED dlviz_status dlviz_optimizer_step(dlviz_optimizer *optimizer, dlviz_network *network);

#ifdef __cplusplus
}
#endif
#endif
