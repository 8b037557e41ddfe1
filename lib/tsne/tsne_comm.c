/* What ranks that fit together have to have in common. */
#include "base/base.h"
#include "comm/comm.h"
#include "comm/digest.h"
#include "comm/enter.h"
#include "tsne/tsne_internal.h"

#define TEXT_SIZE 2048

dlviz_status dlviz_tsne_set_comm(dlviz_tsne *tsne, dlviz_comm *comm) {
    DLZ_REQUIRE(tsne);
    DLZ_HOLD_ALONE(&tsne->busy, "t-SNE handle");
    dlviz_comm *before = tsne->comm;
    tsne->comm = dlz_comm_hold(comm);
    dlviz_comm_destroy(before);
    return DLVIZ_OK;
}

dlviz_comm *dlviz_tsne_comm(const dlviz_tsne *tsne) {
    return tsne ? tsne->comm : NULL;
}

dlviz_status dlz_tsne_agree(dlviz_comm *comm, dlviz_status status) {
    /* Where one is cancelled and another has failed, both have failed. */
    DLZ_TRY(dlz_comm_agree(comm, status == DLVIZ_CANCELLED ? DLVIZ_OK : status));
    return dlz_comm_agree(comm, status);
}

dlviz_status dlz_tsne_enter(dlviz_comm *comm, const char *who, dlviz_status status) {
    DLZ_TRY(dlz_comm_enter(comm, who, status == DLVIZ_CANCELLED ? DLVIZ_OK : status));
    return dlz_comm_agree(comm, status);
}

/* A text that grows in a buffer. */
typedef struct text {
    char characters[TEXT_SIZE];
    size_t length;
} text;

static void append(text *to, const char *format, ...) DLZ_PRINTF(2, 3);
static void append(text *to, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int length =
        dlz_vsnprintf(to->characters + to->length, TEXT_SIZE - to->length, format, arguments);
    va_end(arguments);
    if (length > 0)
        to->length +=
            (size_t)length < TEXT_SIZE - to->length ? (size_t)length : TEXT_SIZE - to->length - 1;
}

static void describe(const dlviz_tsne *tsne, text *to) {
    const dlz_tsne_settings *s = &tsne->settings;
    append(to, "dimensions %d, perplexities", s->dimensions);
    for (int i = 0; i < s->perplexity_count; i++)
        append(to, " %.17g", s->perplexities[i]);
    append(to, ", distance %d, iterations %d, early exaggeration %.17g for %d", s->distance,
           s->iterations, s->early_factor, s->early_iterations);
    append(to, ", late exaggeration %.17g for %d, learning rate %.17g", s->late_factor,
           s->late_iterations, s->learning_rate);
    append(to, ", momentum %.17g then %.17g, degrees of freedom %.17g", s->early_momentum,
           s->late_momentum, s->a);
    append(to, ", init %d, seed %llu, method %d, angle %.17g, cell size %.17g", s->init,
           (unsigned long long)s->seed, s->method, s->angle, s->cell);
    append(to, ", stopping %.17g or %d, progress every %d", s->least_gradient, s->patience,
           s->every);
    append(to, tsne->initial_map ? ", an initial map" : ", no initial map");
    append(to,
           ", transform perplexity %.17g, iterations %d, learning rate %.17g, exaggeration %.17g",
           s->transform_perplexity, s->transform_iterations, s->transform_learning_rate,
           s->transform_exaggeration);
}

dlviz_status dlz_tsne_require_same(const dlviz_tsne *tsne, const char *who, int count,
                                   const char *const *names, const dlviz_tensor *const *tensors) {
    if (dlz_comm_size(tsne->comm) == 1)
        return DLVIZ_OK;
    text settings = {.length = 0};
    describe(tsne, &settings);
    DLZ_TRY(dlz_comm_require_same(tsne->comm, who, "the settings", settings.characters));
    if (tsne->initial_map)
        DLZ_TRY(
            dlz_comm_require_same_tensor(tsne->comm, who, "the initial map", tsne->initial_map));
    for (int i = 0; i < count; i++)
        DLZ_TRY(dlz_comm_require_same_tensor(tsne->comm, who, names[i], tensors[i]));
    return DLVIZ_OK;
}
