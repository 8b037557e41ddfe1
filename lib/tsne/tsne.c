#include "base/base.h"
#include "tsne/tsne_internal.h"
#include "tensor/tensor.h"

#include <math.h>
#include <string.h>

#define REQUIRE_THAT(condition, ...)                                                               \
    do {                                                                                           \
        DLZ_REQUIRE(tsne);                                                                         \
        if (!(condition))                                                                          \
            return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, __VA_ARGS__);                            \
    } while (0)

dlviz_status dlviz_tsne_create(dlviz_tsne **out) {
    DLZ_REQUIRE_OUT(out);
    dlviz_tsne *tsne = dlz_alloc_zero(sizeof *tsne);
    if (!tsne)
        return dlz_fail_memory("a t-SNE handle", sizeof *tsne);
    tsne->settings = (dlz_tsne_settings){
        .dimensions = 2,
        .perplexity_count = 1,
        .perplexities = {30},
        .iterations = 1000,
        .early_factor = 12,
        .early_iterations = 250,
        .late_factor = 1,
        .early_momentum = 0.5,
        .late_momentum = 0.8,
        .a = 1,
        .angle = 0.5,
        .transform_perplexity = 5,
        .transform_iterations = 250,
        .transform_learning_rate = 0.1,
        .transform_exaggeration = 1.5,
    };
    *out = tsne;
    return DLVIZ_OK;
}

void dlz_tsne_forget(dlviz_tsne *tsne) {
    dlz_free(tsne->result.points);
    dlz_free(tsne->result.map);
    dlz_free(tsne->result.history);
    tsne->result = (dlz_tsne_result){0};
    tsne->fitted = false;
}

void dlviz_tsne_destroy(dlviz_tsne *tsne) {
    if (!tsne)
        return;
    dlz_tsne_forget(tsne);
    dlviz_tensor_destroy(tsne->initial_map);
    dlz_free(tsne);
}

dlviz_status dlviz_tsne_set_dimensions(dlviz_tsne *tsne, int dimensions) {
    REQUIRE_THAT(dimensions >= 1 && dimensions <= 3, "%s: %d dimensions; 1 to 3 are accepted",
                 __func__, dimensions);
    tsne->settings.dimensions = dimensions;
    return DLVIZ_OK;
}

dlviz_status dlviz_tsne_set_perplexity(dlviz_tsne *tsne, double perplexity) {
    REQUIRE_THAT(perplexity >= 1 && perplexity <= 1e6, "%s: perplexity %g; 1 to 1e6 are accepted",
                 __func__, perplexity);
    tsne->settings.perplexity_count = 1;
    tsne->settings.perplexities[0] = perplexity;
    return DLVIZ_OK;
}

dlviz_status dlviz_tsne_set_perplexities(dlviz_tsne *tsne, int count, const double *perplexities) {
    REQUIRE_THAT(count >= 1 && count <= DLZ_TSNE_MAX_PERPLEXITIES,
                 "%s: %d perplexities; 1 to %d are accepted", __func__, count,
                 DLZ_TSNE_MAX_PERPLEXITIES);
    DLZ_REQUIRE(perplexities);
    for (int i = 0; i < count; i++)
        REQUIRE_THAT(perplexities[i] >= 1 && perplexities[i] <= 1e6,
                     "%s: perplexity %d is %g; 1 to 1e6 are accepted", __func__, i,
                     perplexities[i]);
    tsne->settings.perplexity_count = count;
    memcpy(tsne->settings.perplexities, perplexities, (size_t)count * sizeof *perplexities);
    return DLVIZ_OK;
}

dlviz_status dlviz_tsne_set_metric(dlviz_tsne *tsne, dlviz_tsne_metric metric) {
    REQUIRE_THAT(metric == DLVIZ_TSNE_EUCLIDEAN || metric == DLVIZ_TSNE_COSINE,
                 "%s: metric %d is not a dlviz_tsne_metric", __func__, (int)metric);
    tsne->settings.metric = metric;
    return DLVIZ_OK;
}

dlviz_status dlviz_tsne_set_iterations(dlviz_tsne *tsne, int iterations) {
    REQUIRE_THAT(iterations >= 0, "%s: %d iterations; 0 or more are accepted", __func__,
                 iterations);
    tsne->settings.iterations = iterations;
    return DLVIZ_OK;
}

static dlviz_status check_exaggeration(const char *who, double factor, int iterations) {
    if (!(factor > 0 && factor <= 1e6))
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: factor %g; above 0 and up to 1e6 is accepted", who, factor);
    if (iterations < 0)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: %d iterations; 0 or more are accepted",
                        who, iterations);
    return DLVIZ_OK;
}

dlviz_status dlviz_tsne_set_early_exaggeration(dlviz_tsne *tsne, double factor, int iterations) {
    DLZ_REQUIRE(tsne);
    DLZ_TRY(check_exaggeration(__func__, factor, iterations));
    tsne->settings.early_factor = factor;
    tsne->settings.early_iterations = iterations;
    return DLVIZ_OK;
}

dlviz_status dlviz_tsne_set_late_exaggeration(dlviz_tsne *tsne, double factor, int iterations) {
    DLZ_REQUIRE(tsne);
    DLZ_TRY(check_exaggeration(__func__, factor, iterations));
    tsne->settings.late_factor = factor;
    tsne->settings.late_iterations = iterations;
    return DLVIZ_OK;
}

dlviz_status dlviz_tsne_set_learning_rate(dlviz_tsne *tsne, double learning_rate) {
    REQUIRE_THAT(learning_rate >= 0 && learning_rate <= 1e12,
                 "%s: learning rate %g; above 0 and up to 1e12, or 0 for automatic, is accepted",
                 __func__, learning_rate);
    tsne->settings.learning_rate = learning_rate;
    return DLVIZ_OK;
}

dlviz_status dlviz_tsne_set_momentum(dlviz_tsne *tsne, double early, double late) {
    REQUIRE_THAT(early >= 0 && early < 1 && late >= 0 && late < 1,
                 "%s: momentum %g, then %g; at least 0 and below 1 is accepted", __func__, early,
                 late);
    tsne->settings.early_momentum = early;
    tsne->settings.late_momentum = late;
    return DLVIZ_OK;
}

dlviz_status dlviz_tsne_set_degrees_of_freedom(dlviz_tsne *tsne, double a) {
    REQUIRE_THAT(a >= 0.05 && a <= 1e4, "%s: %g degrees of freedom; 0.05 to 1e4 are accepted",
                 __func__, a);
    tsne->settings.a = a;
    return DLVIZ_OK;
}

dlviz_status dlviz_tsne_set_init(dlviz_tsne *tsne, dlviz_tsne_init init) {
    REQUIRE_THAT(init == DLVIZ_TSNE_INIT_PCA || init == DLVIZ_TSNE_INIT_RANDOM,
                 "%s: init %d is not a dlviz_tsne_init", __func__, (int)init);
    tsne->settings.init = init;
    return DLVIZ_OK;
}

dlviz_status dlviz_tsne_set_initial_map(dlviz_tsne *tsne, const dlviz_tensor *map) {
    DLZ_REQUIRE(tsne);
    dlviz_tensor *copy = NULL;
    if (map) {
        DLZ_TRY(dlz_require_matrix(__func__, "map", map));
        if (map->dims[1] > 3)
            return dlz_fail(DLVIZ_ERROR_SHAPE, "%s: 'map' has %lld columns; 1 to 3 are accepted",
                            __func__, (long long)map->dims[1]);
        const float *values = map->data;
        for (int64_t i = 0; i < map->size; i++)
            if (!(fabsf(values[i]) <= 1e6f))
                return dlz_fail(DLVIZ_ERROR_NUMERIC,
                                "%s: 'map' has %g in row %lld; -1e6 to 1e6 is accepted", __func__,
                                (double)values[i], (long long)(i / map->dims[1]));
        DLZ_TRY(dlviz_tensor_copy(map, &copy));
    }
    dlviz_tensor_destroy(tsne->initial_map);
    tsne->initial_map = copy;
    return DLVIZ_OK;
}

dlviz_status dlviz_tsne_set_seed(dlviz_tsne *tsne, uint64_t seed) {
    DLZ_REQUIRE(tsne);
    tsne->settings.seed = seed;
    return DLVIZ_OK;
}

dlviz_status dlviz_tsne_set_method(dlviz_tsne *tsne, dlviz_tsne_method method) {
    REQUIRE_THAT((int)method >= DLVIZ_TSNE_AUTO && method <= DLVIZ_TSNE_GRID,
                 "%s: method %d is not a dlviz_tsne_method", __func__, (int)method);
    tsne->settings.method = method;
    return DLVIZ_OK;
}

dlviz_status dlviz_tsne_set_angle(dlviz_tsne *tsne, double angle) {
    REQUIRE_THAT(angle >= 0 && angle <= 1, "%s: angle %g; 0 to 1 is accepted", __func__, angle);
    tsne->settings.angle = angle;
    return DLVIZ_OK;
}

dlviz_status dlviz_tsne_set_cell_size(dlviz_tsne *tsne, double width) {
    REQUIRE_THAT(width == 0 || (width >= 0.05 && width <= 10),
                 "%s: width %g; 0.05 to 10, or 0 for automatic, is accepted", __func__, width);
    tsne->settings.cell = width;
    return DLVIZ_OK;
}

dlviz_status dlviz_tsne_set_stopping(dlviz_tsne *tsne, double gradient_norm, int iterations) {
    REQUIRE_THAT(gradient_norm >= 0 && gradient_norm < INFINITY && iterations >= 0,
                 "%s: gradient norm %g and %d iterations; each is 0 (never) or more, and finite",
                 __func__, gradient_norm, iterations);
    tsne->settings.least_gradient = gradient_norm;
    tsne->settings.patience = iterations;
    return DLVIZ_OK;
}

dlviz_status dlviz_tsne_set_progress(dlviz_tsne *tsne, int every, dlviz_tsne_progress_fn progress,
                                     void *user) {
    REQUIRE_THAT(!progress || every >= 1, "%s: every %d iterations; 1 or more are accepted",
                 __func__, every);
    tsne->settings.every = progress ? every : 0;
    tsne->settings.progress = progress;
    tsne->settings.user = user;
    return DLVIZ_OK;
}

dlviz_status dlviz_tsne_set_transform(dlviz_tsne *tsne, double perplexity, int iterations,
                                      double learning_rate, double exaggeration) {
    REQUIRE_THAT(perplexity >= 1 && perplexity <= 1e6, "%s: perplexity %g; 1 to 1e6 are accepted",
                 __func__, perplexity);
    REQUIRE_THAT(iterations >= 0, "%s: %d iterations; 0 or more are accepted", __func__,
                 iterations);
    REQUIRE_THAT(learning_rate > 0 && learning_rate <= 1e12,
                 "%s: learning rate %g; above 0 and up to 1e12 is accepted", __func__,
                 learning_rate);
    REQUIRE_THAT(exaggeration > 0 && exaggeration <= 1e6,
                 "%s: exaggeration %g; above 0 and up to 1e6 is accepted", __func__, exaggeration);
    tsne->settings.transform_perplexity = perplexity;
    tsne->settings.transform_iterations = iterations;
    tsne->settings.transform_learning_rate = learning_rate;
    tsne->settings.transform_exaggeration = exaggeration;
    return DLVIZ_OK;
}

double dlviz_tsne_kl_divergence(const dlviz_tsne *tsne) {
    return tsne && tsne->fitted ? tsne->result.divergence : NAN;
}

int dlviz_tsne_iterations(const dlviz_tsne *tsne) {
    return tsne && tsne->fitted ? tsne->result.iterations : 0;
}

int dlviz_tsne_neighbours(const dlviz_tsne *tsne) {
    return tsne && tsne->fitted ? tsne->result.neighbours : 0;
}

double dlviz_tsne_perplexity_used(const dlviz_tsne *tsne) {
    return tsne && tsne->fitted ? tsne->result.perplexity : NAN;
}

dlviz_tsne_method dlviz_tsne_method_used(const dlviz_tsne *tsne) {
    return tsne && tsne->fitted ? tsne->result.method : DLVIZ_TSNE_AUTO;
}

dlviz_status dlviz_tsne_history(const dlviz_tsne *tsne, dlviz_tensor **history) {
    DLZ_REQUIRE_OUT(history);
    DLZ_REQUIRE(tsne);
    if (!tsne->fitted)
        return dlz_fail(DLVIZ_ERROR_STATE, "%s: there was no fit yet", __func__);
    return dlviz_tensor_from_data(history, DLVIZ_FLOAT32, 2, (int64_t[]){tsne->result.rows, 3},
                                  tsne->result.history);
}

void dlviz_tsne_seconds(const dlviz_tsne *tsne, double *neighbours, double *affinities,
                        double *iterations) {
    double *outs[3] = {neighbours, affinities, iterations};
    for (int i = 0; i < 3; i++)
        if (outs[i])
            *outs[i] = tsne && tsne->fitted ? tsne->result.seconds[i] : 0;
}
