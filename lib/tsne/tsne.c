#include "base/base.h"
#include "tsne/tsne_internal.h"
#include "tensor/tensor.h"

#include <math.h>
#include <string.h>

/* What every setter begins with. */
#define BEGIN_SETTING(tsne)                                                                        \
    DLZ_REQUIRE(tsne);                                                                             \
    DLZ_HOLD_ALONE(&tsne->busy, "t-SNE handle")

#define REQUIRE_THAT(condition, ...)                                                               \
    do {                                                                                           \
        if (!(condition))                                                                          \
            return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, __VA_ARGS__);                            \
    } while (0)

/* Iterations are counted in ints inside. */
#define REQUIRE_ITERATIONS(count)                                                                  \
    REQUIRE_THAT((count) >= 0 && (count) <= INT32_MAX,                                             \
                 "%s: %lld iterations; 0 to %d are accepted", __func__, (long long)(count),        \
                 INT32_MAX)

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

void dlz_tsne_release(dlz_tsne_result *result) {
    dlz_free(result->points);
    dlz_free(result->map);
    dlz_free(result->history);
    *result = (dlz_tsne_result){0};
}

void dlz_tsne_forget(dlviz_tsne *tsne) {
    dlz_tsne_release(&tsne->result);
    tsne->fitted = false;
}

void dlviz_tsne_destroy(dlviz_tsne *tsne) {
    if (!tsne)
        return;
    dlz_tsne_forget(tsne);
    dlviz_tensor_destroy(tsne->initial_map);
    dlviz_comm_destroy(tsne->comm);
    dlz_free(tsne);
}

dlviz_status dlviz_tsne_set_num_dimensions(dlviz_tsne *tsne, int64_t num_dimensions) {
    BEGIN_SETTING(tsne);
    REQUIRE_THAT(num_dimensions >= 1 && num_dimensions <= 3,
                 "%s: %lld dimensions; 1 to 3 are accepted", __func__, (long long)num_dimensions);
    tsne->settings.dimensions = (int)num_dimensions;
    return DLVIZ_OK;
}

dlviz_status dlviz_tsne_set_perplexity(dlviz_tsne *tsne, double perplexity) {
    BEGIN_SETTING(tsne);
    REQUIRE_THAT(perplexity >= 1 && perplexity <= 1e6, "%s: perplexity %g; 1 to 1e6 are accepted",
                 __func__, perplexity);
    tsne->settings.perplexity_count = 1;
    tsne->settings.perplexities[0] = perplexity;
    return DLVIZ_OK;
}

dlviz_status dlviz_tsne_set_perplexities(dlviz_tsne *tsne, int64_t num_perplexities,
                                         const double *perplexities) {
    BEGIN_SETTING(tsne);
    REQUIRE_THAT(num_perplexities >= 1 && num_perplexities <= DLZ_TSNE_MAX_PERPLEXITIES,
                 "%s: %lld perplexities; 1 to %d are accepted", __func__,
                 (long long)num_perplexities, DLZ_TSNE_MAX_PERPLEXITIES);
    DLZ_REQUIRE(perplexities);
    int count = (int)num_perplexities;
    for (int i = 0; i < count; i++)
        REQUIRE_THAT(perplexities[i] >= 1 && perplexities[i] <= 1e6,
                     "%s: perplexity %d is %g; 1 to 1e6 are accepted", __func__, i,
                     perplexities[i]);
    memmove(tsne->settings.perplexities, perplexities, (size_t)count * sizeof *perplexities);
    tsne->settings.perplexity_count = count;
    return DLVIZ_OK;
}

dlviz_status dlviz_tsne_set_distance(dlviz_tsne *tsne, dlviz_tsne_distance_kind distance) {
    BEGIN_SETTING(tsne);
    REQUIRE_THAT(distance == DLVIZ_TSNE_DISTANCE_EUCLIDEAN ||
                     distance == DLVIZ_TSNE_DISTANCE_COSINE,
                 "%s: distance %d is not a dlviz_tsne_distance_kind", __func__, (int)distance);
    tsne->settings.distance = distance;
    return DLVIZ_OK;
}

dlviz_status dlviz_tsne_set_num_iterations(dlviz_tsne *tsne, int64_t num_iterations) {
    BEGIN_SETTING(tsne);
    REQUIRE_ITERATIONS(num_iterations);
    tsne->settings.iterations = (int)num_iterations;
    return DLVIZ_OK;
}

dlviz_status dlviz_tsne_set_early_exaggeration(dlviz_tsne *tsne, double factor,
                                               int64_t num_iterations) {
    BEGIN_SETTING(tsne);
    REQUIRE_THAT(factor > 0 && factor <= 1e6, "%s: factor %g; above 0 and up to 1e6 is accepted",
                 __func__, factor);
    REQUIRE_ITERATIONS(num_iterations);
    tsne->settings.early_factor = factor;
    tsne->settings.early_iterations = (int)num_iterations;
    return DLVIZ_OK;
}

dlviz_status dlviz_tsne_set_late_exaggeration(dlviz_tsne *tsne, double factor,
                                              int64_t num_iterations) {
    BEGIN_SETTING(tsne);
    REQUIRE_THAT(factor > 0 && factor <= 1e6, "%s: factor %g; above 0 and up to 1e6 is accepted",
                 __func__, factor);
    REQUIRE_ITERATIONS(num_iterations);
    tsne->settings.late_factor = factor;
    tsne->settings.late_iterations = (int)num_iterations;
    return DLVIZ_OK;
}

dlviz_status dlviz_tsne_set_learning_rate(dlviz_tsne *tsne, double learning_rate) {
    BEGIN_SETTING(tsne);
    REQUIRE_THAT(learning_rate >= 0 && learning_rate <= 1e12,
                 "%s: learning rate %g; above 0 and up to 1e12, or 0 for automatic, is accepted",
                 __func__, learning_rate);
    tsne->settings.learning_rate = learning_rate;
    return DLVIZ_OK;
}

dlviz_status dlviz_tsne_set_momentum(dlviz_tsne *tsne, double early, double late) {
    BEGIN_SETTING(tsne);
    REQUIRE_THAT(early >= 0 && early < 1 && late >= 0 && late < 1,
                 "%s: momentum %g, then %g; at least 0 and below 1 is accepted", __func__, early,
                 late);
    tsne->settings.early_momentum = early;
    tsne->settings.late_momentum = late;
    return DLVIZ_OK;
}

dlviz_status dlviz_tsne_set_degrees_of_freedom(dlviz_tsne *tsne, double a) {
    BEGIN_SETTING(tsne);
    REQUIRE_THAT(a >= 0.05 && a <= 1e4, "%s: %g degrees of freedom; 0.05 to 1e4 are accepted",
                 __func__, a);
    tsne->settings.a = a;
    return DLVIZ_OK;
}

dlviz_status dlviz_tsne_set_init(dlviz_tsne *tsne, dlviz_tsne_init_kind init) {
    BEGIN_SETTING(tsne);
    REQUIRE_THAT(init == DLVIZ_TSNE_INIT_PCA || init == DLVIZ_TSNE_INIT_RANDOM,
                 "%s: init %d is not a dlviz_tsne_init_kind", __func__, (int)init);
    tsne->settings.init = init;
    return DLVIZ_OK;
}

dlviz_status dlviz_tsne_set_initial_map(dlviz_tsne *tsne, const dlviz_tensor *map) {
    BEGIN_SETTING(tsne);
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
    BEGIN_SETTING(tsne);
    tsne->settings.seed = seed;
    return DLVIZ_OK;
}

dlviz_status dlviz_tsne_set_method(dlviz_tsne *tsne, dlviz_tsne_method_kind method) {
    BEGIN_SETTING(tsne);
    REQUIRE_THAT((int)method >= DLVIZ_TSNE_METHOD_AUTO && method <= DLVIZ_TSNE_METHOD_GRID,
                 "%s: method %d is not a dlviz_tsne_method_kind", __func__, (int)method);
    tsne->settings.method = method;
    return DLVIZ_OK;
}

dlviz_status dlviz_tsne_set_angle(dlviz_tsne *tsne, double angle) {
    BEGIN_SETTING(tsne);
    REQUIRE_THAT(angle >= 0 && angle <= 1, "%s: angle %g; 0 to 1 is accepted", __func__, angle);
    tsne->settings.angle = angle;
    return DLVIZ_OK;
}

dlviz_status dlviz_tsne_set_cell_size(dlviz_tsne *tsne, double width) {
    BEGIN_SETTING(tsne);
    REQUIRE_THAT(width == 0 || (width >= 0.05 && width <= 10),
                 "%s: width %g; 0.05 to 10, or 0 for automatic, is accepted", __func__, width);
    tsne->settings.cell = width;
    return DLVIZ_OK;
}

dlviz_status dlviz_tsne_set_stopping(dlviz_tsne *tsne, double gradient_norm,
                                     int64_t num_iterations) {
    BEGIN_SETTING(tsne);
    REQUIRE_THAT(gradient_norm >= 0 && gradient_norm < INFINITY,
                 "%s: gradient norm %g; 0 (never) or more, and finite, is accepted", __func__,
                 gradient_norm);
    REQUIRE_ITERATIONS(num_iterations);
    tsne->settings.least_gradient = gradient_norm;
    tsne->settings.patience = (int)num_iterations;
    return DLVIZ_OK;
}

dlviz_status dlviz_tsne_set_transform_perplexity(dlviz_tsne *tsne, double perplexity) {
    BEGIN_SETTING(tsne);
    REQUIRE_THAT(perplexity >= 1 && perplexity <= 1e6, "%s: perplexity %g; 1 to 1e6 are accepted",
                 __func__, perplexity);
    tsne->settings.transform_perplexity = perplexity;
    return DLVIZ_OK;
}

dlviz_status dlviz_tsne_set_num_transform_iterations(dlviz_tsne *tsne, int64_t num_iterations) {
    BEGIN_SETTING(tsne);
    REQUIRE_ITERATIONS(num_iterations);
    tsne->settings.transform_iterations = (int)num_iterations;
    return DLVIZ_OK;
}

dlviz_status dlviz_tsne_set_transform_learning_rate(dlviz_tsne *tsne, double learning_rate) {
    BEGIN_SETTING(tsne);
    REQUIRE_THAT(learning_rate > 0 && learning_rate <= 1e12,
                 "%s: learning rate %g; above 0 and up to 1e12 is accepted", __func__,
                 learning_rate);
    tsne->settings.transform_learning_rate = learning_rate;
    return DLVIZ_OK;
}

dlviz_status dlviz_tsne_set_transform_exaggeration(dlviz_tsne *tsne, double exaggeration) {
    BEGIN_SETTING(tsne);
    REQUIRE_THAT(exaggeration > 0 && exaggeration <= 1e6,
                 "%s: exaggeration %g; above 0 and up to 1e6 is accepted", __func__, exaggeration);
    tsne->settings.transform_exaggeration = exaggeration;
    return DLVIZ_OK;
}

dlviz_status dlviz_tsne_set_progress(dlviz_tsne *tsne, int64_t every,
                                     dlviz_tsne_progress_fn progress, void *user) {
    BEGIN_SETTING(tsne);
    REQUIRE_THAT(!progress || (every >= 1 && every <= INT32_MAX),
                 "%s: every %lld iterations; 1 to %d are accepted", __func__, (long long)every,
                 INT32_MAX);
    tsne->settings.every = progress ? (int)every : 0;
    tsne->settings.progress = progress;
    tsne->settings.user = user;
    return DLVIZ_OK;
}
