/* What a t-SNE handle tells: its settings, the event of a fit under way, the results of the last
 * fit. A handle that is NULL has no settings: they are 0, NaN or NULL. */
#include "base/base.h"
#include "tsne/tsne_internal.h"

#include <math.h>

int64_t dlviz_tsne_num_dimensions(const dlviz_tsne *tsne) {
    return tsne ? tsne->settings.dimensions : 0;
}

double dlviz_tsne_perplexity(const dlviz_tsne *tsne) {
    return tsne ? tsne->settings.perplexities[0] : NAN;
}

int64_t dlviz_tsne_num_perplexities(const dlviz_tsne *tsne) {
    return tsne ? tsne->settings.perplexity_count : 0;
}

const double *dlviz_tsne_perplexities(const dlviz_tsne *tsne) {
    return tsne ? tsne->settings.perplexities : NULL;
}

dlviz_tsne_distance_kind dlviz_tsne_distance(const dlviz_tsne *tsne) {
    return tsne ? tsne->settings.distance : DLVIZ_TSNE_DISTANCE_EUCLIDEAN;
}

int64_t dlviz_tsne_num_iterations(const dlviz_tsne *tsne) {
    return tsne ? tsne->settings.iterations : 0;
}

static void give(double *to, double value) {
    if (to)
        *to = value;
}

static void give_count(int64_t *to, int64_t value) {
    if (to)
        *to = value;
}

void dlviz_tsne_early_exaggeration(const dlviz_tsne *tsne, double *factor,
                                   int64_t *num_iterations) {
    give(factor, tsne ? tsne->settings.early_factor : NAN);
    give_count(num_iterations, tsne ? tsne->settings.early_iterations : 0);
}

void dlviz_tsne_late_exaggeration(const dlviz_tsne *tsne, double *factor, int64_t *num_iterations) {
    give(factor, tsne ? tsne->settings.late_factor : NAN);
    give_count(num_iterations, tsne ? tsne->settings.late_iterations : 0);
}

double dlviz_tsne_learning_rate(const dlviz_tsne *tsne) {
    return tsne ? tsne->settings.learning_rate : NAN;
}

void dlviz_tsne_momentum(const dlviz_tsne *tsne, double *early, double *late) {
    give(early, tsne ? tsne->settings.early_momentum : NAN);
    give(late, tsne ? tsne->settings.late_momentum : NAN);
}

double dlviz_tsne_degrees_of_freedom(const dlviz_tsne *tsne) {
    return tsne ? tsne->settings.a : NAN;
}

dlviz_tsne_init_kind dlviz_tsne_init(const dlviz_tsne *tsne) {
    return tsne ? tsne->settings.init : DLVIZ_TSNE_INIT_PCA;
}

const dlviz_tensor *dlviz_tsne_initial_map(const dlviz_tsne *tsne) {
    return tsne ? tsne->initial_map : NULL;
}

uint64_t dlviz_tsne_seed(const dlviz_tsne *tsne) {
    return tsne ? tsne->settings.seed : 0;
}

dlviz_tsne_method_kind dlviz_tsne_method(const dlviz_tsne *tsne) {
    return tsne ? tsne->settings.method : DLVIZ_TSNE_METHOD_AUTO;
}

double dlviz_tsne_angle(const dlviz_tsne *tsne) {
    return tsne ? tsne->settings.angle : NAN;
}

double dlviz_tsne_cell_size(const dlviz_tsne *tsne) {
    return tsne ? tsne->settings.cell : NAN;
}

void dlviz_tsne_stopping(const dlviz_tsne *tsne, double *gradient_norm, int64_t *num_iterations) {
    give(gradient_norm, tsne ? tsne->settings.least_gradient : NAN);
    give_count(num_iterations, tsne ? tsne->settings.patience : 0);
}

double dlviz_tsne_transform_perplexity(const dlviz_tsne *tsne) {
    return tsne ? tsne->settings.transform_perplexity : NAN;
}

int64_t dlviz_tsne_num_transform_iterations(const dlviz_tsne *tsne) {
    return tsne ? tsne->settings.transform_iterations : 0;
}

double dlviz_tsne_transform_learning_rate(const dlviz_tsne *tsne) {
    return tsne ? tsne->settings.transform_learning_rate : NAN;
}

double dlviz_tsne_transform_exaggeration(const dlviz_tsne *tsne) {
    return tsne ? tsne->settings.transform_exaggeration : NAN;
}

int64_t dlviz_tsne_event_iteration(const dlviz_tsne_event *event) {
    return event ? event->iteration : 0;
}

int64_t dlviz_tsne_event_num_iterations(const dlviz_tsne_event *event) {
    return event ? event->num_iterations : 0;
}

double dlviz_tsne_event_kl_divergence(const dlviz_tsne_event *event) {
    return event ? event->kl_divergence : NAN;
}

double dlviz_tsne_event_gradient_norm(const dlviz_tsne_event *event) {
    return event ? event->gradient_norm : NAN;
}

const dlviz_tensor *dlviz_tsne_event_map(const dlviz_tsne_event *event) {
    return event ? event->map : NULL;
}

double dlviz_tsne_kl_divergence(const dlviz_tsne *tsne) {
    return tsne && tsne->fitted ? tsne->result.divergence : NAN;
}

int64_t dlviz_tsne_num_iterations_done(const dlviz_tsne *tsne) {
    return tsne && tsne->fitted ? tsne->result.iterations : 0;
}

int64_t dlviz_tsne_num_neighbors(const dlviz_tsne *tsne) {
    return tsne && tsne->fitted ? tsne->result.neighbors : 0;
}

double dlviz_tsne_perplexity_used(const dlviz_tsne *tsne) {
    return tsne && tsne->fitted ? tsne->result.perplexity : NAN;
}

dlviz_tsne_method_kind dlviz_tsne_method_used(const dlviz_tsne *tsne) {
    return tsne && tsne->fitted ? tsne->result.method : DLVIZ_TSNE_METHOD_AUTO;
}

dlviz_status dlviz_tsne_history(const dlviz_tsne *tsne, dlviz_tensor **history) {
    DLZ_REQUIRE_OUT(history);
    DLZ_REQUIRE(tsne);
    DLZ_HOLD_SHARED(&tsne->busy, "t-SNE handle");
    if (!tsne->fitted)
        return dlz_fail(DLVIZ_ERROR_STATE, "%s: there was no fit yet", __func__);
    return dlviz_tensor_from_data(history, DLVIZ_FLOAT32, 2, (int64_t[]){tsne->result.rows, 3},
                                  tsne->result.history);
}

double dlviz_tsne_seconds(const dlviz_tsne *tsne, dlviz_tsne_stage stage) {
    bool known = (int)stage >= DLVIZ_TSNE_STAGE_NEIGHBORS && stage <= DLVIZ_TSNE_STAGE_ITERATIONS;
    return tsne && tsne->fitted && known ? tsne->result.seconds[stage] : 0;
}
