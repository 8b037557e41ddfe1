/* Calls that ranks make together, where one rank comes with something else, or does not come: all
 * learn of it, and none waits. */
#include "comm/exchange.h"
#include "film/film.h"
#include "network/network.h"
#include "pca/pca.h"
#include "support/ranks.h"
#include "support/support.h"
#include "train/trainer.h"
#include "tsne/tsne_internal.h"

#include <stdio.h>
#include <string.h>

#define POINTS 48
#define COLUMNS 5

/* -- What a rank has ------------------------------------------------------------------------------
 */

typedef struct equipment {
    dlviz_comm *comm;
    dlviz_tensor *points, *share, *map, *labels; /* all, this rank's, in a plane, and classes */
    dlviz_tensor *indices, *distances, *offsets, *columns, *values;
    dlviz_pca *pca;
    dlviz_tsne *tsne;
    dlviz_film *film;
    dlviz_network *network;
    dlviz_optimizer *optimizer;
    dlviz_trainer *trainer;
    dlviz_dataset *samples;
} equipment;

static dlviz_status make_tensors(equipment *e) {
    float numbers[POINTS * COLUMNS];
    int64_t first, count;
    fill_uniform(numbers, POINTS * COLUMNS, 3);
    dlviz_comm_share(e->comm, POINTS, &first, &count);
    TRY(dlviz_tensor_from_data(&e->points, DLVIZ_FLOAT32, 2, (int64_t[]){POINTS, COLUMNS},
                               numbers));
    TRY(dlviz_tensor_from_data(&e->share, DLVIZ_FLOAT32, 2, (int64_t[]){count, COLUMNS},
                               numbers + first * COLUMNS));
    TRY(dlviz_tensor_from_data(&e->map, DLVIZ_FLOAT32, 2, (int64_t[]){POINTS, 2}, numbers));
    TRY(dlviz_tensor_create(&e->labels, DLVIZ_INT64, 1, (int64_t[]){POINTS}));
    for (int64_t i = 0; i < POINTS; i++)
        ((int64_t *)dlviz_tensor_data(e->labels))[i] = i % 3;
    return dlviz_neighbors(e->points, 6, 1, &e->indices, &e->distances);
}

/* A ring of points. */
static dlviz_status make_affinities(equipment *e) {
    TRY(dlviz_tensor_create(&e->offsets, DLVIZ_INT64, 1, (int64_t[]){POINTS + 1}));
    TRY(dlviz_tensor_create(&e->columns, DLVIZ_INT64, 1, (int64_t[]){POINTS}));
    TRY(dlviz_tensor_create(&e->values, DLVIZ_FLOAT32, 1, (int64_t[]){POINTS}));
    int64_t *offsets = dlviz_tensor_data(e->offsets), *columns = dlviz_tensor_data(e->columns);
    for (int64_t i = 0; i <= POINTS; i++)
        offsets[i] = i;
    for (int64_t i = 0; i < POINTS; i++) {
        columns[i] = (i + 1) % POINTS;
        dlviz_tensor_float(e->values)[i] = 1;
    }
    return DLVIZ_OK;
}

/* A t-SNE that has been fitted, so that it can transform. */
static dlviz_status make_analyses(equipment *e) {
    dlviz_tensor *map;
    TRY(dlviz_pca_create(&e->pca, 2));
    TRY(dlviz_pca_set_comm(e->pca, e->comm));
    TRY(dlviz_tsne_create(&e->tsne));
    TRY(dlviz_tsne_set_perplexity(e->tsne, 5));
    TRY(dlviz_tsne_set_num_iterations(e->tsne, 3));
    TRY(dlviz_tsne_set_num_transform_iterations(e->tsne, 3));
    TRY(dlviz_tsne_fit(e->tsne, e->points, &map));
    dlviz_tensor_destroy(map);
    TRY(dlviz_tsne_set_comm(e->tsne, e->comm));
    TRY(dlviz_film_create(&e->film));
    return dlviz_film_add(e->film, 0, e->points, e->map);
}

static dlviz_status make_training(equipment *e) {
    TRY(dlviz_dataset_create(&e->samples, e->points, e->labels));
    TRY(dlviz_network_create(&e->network, 1, (int64_t[]){COLUMNS}));
    TRY(dlviz_network_add(e->network, "out", dlviz_linear(3)));
    TRY(dlviz_network_build(e->network, 1));
    TRY(dlviz_sgd_create(&e->optimizer, 0.1));
    TRY(dlviz_trainer_create(&e->trainer, e->network, e->optimizer));
    TRY(dlviz_trainer_set_batch_size(e->trainer, 16));
    return dlviz_trainer_set_comm(e->trainer, e->comm);
}

static dlviz_status make_equipment(equipment *e) {
    TRY(make_tensors(e));
    TRY(make_affinities(e));
    TRY(make_analyses(e));
    return make_training(e);
}

static void release(equipment *e) {
    dlviz_tensor *tensors[] = {e->points,    e->share,   e->map,     e->labels, e->indices,
                               e->distances, e->offsets, e->columns, e->values};
    for (size_t i = 0; i < sizeof tensors / sizeof *tensors; i++)
        dlviz_tensor_destroy(tensors[i]);
    dlviz_trainer_destroy(e->trainer);
    dlviz_optimizer_destroy(e->optimizer);
    dlviz_network_destroy(e->network);
    dlviz_dataset_destroy(e->samples);
    dlviz_film_destroy(e->film);
    dlviz_tsne_destroy(e->tsne);
    dlviz_pca_destroy(e->pca);
}

/* -- Calls ----------------------------------------------------------------------------------------
 */

/* What a call is given: `output` false leaves out where the result goes or, where there is none,
 * what it is made of; `handle` false what the communicator was set for. */
typedef struct given {
    bool output, handle;
} given;

static dlviz_status drop(dlviz_status status, dlviz_tensor *const *made) {
    dlviz_tensor_destroy(*made);
    return status;
}

static dlviz_status agree(equipment *e, given g) {
    (void)g;
    return dlviz_comm_agree(e->comm, DLVIZ_OK);
}

static dlviz_status gather(equipment *e, given g) {
    dlviz_tensor *made = NULL;
    return drop(dlviz_comm_gather(e->comm, e->share, g.output ? &made : NULL), &made);
}

static dlviz_status pca_fit(equipment *e, given g) {
    return dlviz_pca_fit(g.handle ? e->pca : NULL, g.output ? e->share : NULL);
}

static dlviz_status pca_fit_transform(equipment *e, given g) {
    dlviz_tensor *made = NULL;
    return drop(
        dlviz_pca_fit_transform(g.handle ? e->pca : NULL, e->share, g.output ? &made : NULL),
        &made);
}

static dlviz_status pca_partial_fit(equipment *e, given g) {
    return dlviz_pca_partial_fit(g.handle ? e->pca : NULL, g.output ? e->share : NULL);
}

static dlviz_status tsne_fit(equipment *e, given g) {
    dlviz_tensor *made = NULL;
    return drop(dlviz_tsne_fit(g.handle ? e->tsne : NULL, e->points, g.output ? &made : NULL),
                &made);
}

static dlviz_status tsne_fit_neighbors(equipment *e, given g) {
    dlviz_tensor *made = NULL;
    return drop(dlviz_tsne_fit_neighbors(g.handle ? e->tsne : NULL, e->indices, e->distances,
                                         g.output ? &made : NULL),
                &made);
}

static dlviz_status tsne_fit_affinities(equipment *e, given g) {
    dlviz_tensor *made = NULL;
    return drop(dlviz_tsne_fit_affinities(g.handle ? e->tsne : NULL, e->offsets, e->columns,
                                          e->values, g.output ? &made : NULL),
                &made);
}

static dlviz_status tsne_transform(equipment *e, given g) {
    dlviz_tensor *made = NULL;
    return drop(dlviz_tsne_transform(g.handle ? e->tsne : NULL, e->points, g.output ? &made : NULL),
                &made);
}

static dlviz_status film_fit(equipment *e, given g) {
    return dlviz_film_fit(g.output ? e->film : NULL, g.handle ? e->tsne : NULL);
}

static dlviz_status neighbors(equipment *e, given g) {
    dlviz_tensor *indices = NULL, *distances = NULL;
    dlviz_status status =
        dlviz_neighbors_shared(e->comm, e->points, 4, 1, g.output ? &indices : NULL, &distances);
    dlviz_tensor_destroy(distances);
    return drop(status, &indices);
}

#define MEASURE(name, other)                                                                       \
    static dlviz_status name(equipment *e, given g) {                                              \
        double result, error;                                                                      \
        return dlviz_metrics_##name##_shared(e->comm, e->points, other, 4, 10, 1,                  \
                                             g.output ? &result : NULL, &error);                   \
    }
MEASURE(trustworthiness, e->map)
MEASURE(continuity, e->map)
MEASURE(neighbor_preservation, e->map)
MEASURE(neighbor_accuracy, e->labels)

static dlviz_status silhouette(equipment *e, given g) {
    double result, error;
    return dlviz_metrics_silhouette_shared(e->comm, e->points, e->labels, 10, 1,
                                           g.output ? &result : NULL, &error);
}

static dlviz_status distance_correlation(equipment *e, given g) {
    double result;
    return dlviz_metrics_distance_correlation_shared(e->comm, e->points, e->map, 100, 1,
                                                     g.output ? &result : NULL);
}

static dlviz_status trainer_fit(equipment *e, given g) {
    return dlviz_trainer_fit(g.handle ? e->trainer : NULL, g.output ? e->samples : NULL, 1);
}

/* -- Marks of what a call uses --------------------------------------------------------------------
 */

static dlz_busy *of_comm(const equipment *e) {
    return &e->comm->busy;
}
static dlz_busy *of_pca(const equipment *e) {
    return &e->pca->busy;
}
static dlz_busy *of_tsne(const equipment *e) {
    return &e->tsne->busy;
}
static dlz_busy *of_film(const equipment *e) {
    return &e->film->busy;
}
static dlz_busy *of_network(const equipment *e) {
    return &e->network->busy;
}
static dlz_busy *of_trainer(const equipment *e) {
    return &e->trainer->busy;
}

static const struct call {
    const char *name;
    dlviz_status (*make)(equipment *e, given g);
    dlz_busy *(*mark)(const equipment *e);
} calls[] = {
    {"dlviz_comm_agree", agree, of_comm},
    {"dlviz_comm_gather", gather, of_comm},
    {"dlviz_pca_fit", pca_fit, of_pca},
    {"dlviz_pca_fit_transform", pca_fit_transform, of_pca},
    {"dlviz_pca_partial_fit", pca_partial_fit, of_pca},
    {"dlviz_tsne_fit", tsne_fit, of_tsne},
    {"dlviz_tsne_fit_neighbors", tsne_fit_neighbors, of_tsne},
    {"dlviz_tsne_fit_affinities", tsne_fit_affinities, of_tsne},
    {"dlviz_tsne_transform", tsne_transform, of_tsne},
    {"dlviz_film_fit", film_fit, of_film},
    {"dlviz_neighbors_shared", neighbors, of_comm},
    {"dlviz_metrics_trustworthiness_shared", trustworthiness, of_comm},
    {"dlviz_trainer_fit", trainer_fit, of_trainer},
    {"dlviz_metrics_continuity_shared", continuity, of_comm},
    {"dlviz_metrics_neighbor_preservation_shared", neighbor_preservation, of_comm},
    {"dlviz_metrics_neighbor_accuracy_shared", neighbor_accuracy, of_comm},
    {"dlviz_metrics_silhouette_shared", silhouette, of_comm},
    {"dlviz_metrics_distance_correlation_shared", distance_correlation, of_comm},
    {"dlviz_film_fit", film_fit, of_tsne},
    {"dlviz_trainer_fit", trainer_fit, of_network},
};
enum { NUM_CALLS = sizeof calls / sizeof *calls };

/* -- Trouble --------------------------------------------------------------------------------------
 */

enum trouble {
    NOTHING,
    NO_OUTPUT,
    NO_HANDLE,
    BUSY,
    OTHER_CALL,
    OTHER_LIBRARY,
    LEAVES,
    NUM_TROUBLES
};
static const char *const trouble_names[] = {"nothing",      "no output",     "no handle", "busy",
                                            "another call", "other library", "leaves"};

typedef struct scene {
    const struct call *call, *other;
    enum trouble trouble;
    int odd; /* the rank whose trouble it is */
    int ranks;
} scene;

/* As it is while another thread uses what is marked. */
static dlviz_status while_busy(equipment *e, const struct call *call) {
    dlz_busy *mark = call->mark(e);
    atomic_store(&mark->owner, 1);
    atomic_store(&mark->users, -1);
    dlviz_status status = call->make(e, (given){true, true});
    atomic_store(&mark->users, 0);
    atomic_store(&mark->owner, 0);
    return status;
}

static dlviz_status make_call(equipment *e, const scene *s) {
    enum trouble trouble = dlz_comm_rank(e->comm) == s->odd ? s->trouble : NOTHING;
    if (trouble == BUSY)
        return while_busy(e, s->call);
    if (trouble == OTHER_LIBRARY)
        snprintf(e->comm->library, sizeof e->comm->library, "libdlviz of yesterday");
    return (trouble == OTHER_CALL ? s->other : s->call)
        ->make(e, (given){trouble != NO_OUTPUT, trouble != NO_HANDLE});
}

/* Whether the odd one's failure reaches the others by the call itself. */
static bool is_told(const scene *s) {
    switch (s->trouble) {
    case BUSY:
        return s->call->mark != of_comm;
    case NO_HANDLE:
    case LEAVES:
        return false;
    default:
        return true;
    }
}

/* The call, and the next one; the status and sentence are the call's. */
static dlviz_status play(dlviz_comm *comm, void *user) {
    const scene *s = user;
    equipment e = {.comm = comm};
    bool odd = dlz_comm_rank(comm) == s->odd;
    dlviz_status status = make_equipment(&e), next = DLVIZ_OK;
    if (status == DLVIZ_OK && !(odd && s->trouble == LEAVES))
        status = make_call(&e, s);
    dlz_failure kept;
    dlz_failure_keep(&kept);
    if (is_told(s) && s->trouble != OTHER_LIBRARY)
        next = dlviz_comm_agree(comm, DLVIZ_OK);
    else if (odd &&
             s->trouble == NO_HANDLE) /* as a program does that ends with its first failure */
        next = dlviz_comm_agree(comm, status) == status ? DLVIZ_OK : DLVIZ_ERROR_STATE;
    release(&e);
    if (next != DLVIZ_OK)
        return dlviz_fail(DLVIZ_ERROR_STATE, "the communicator is not as it was: %s",
                          dlviz_last_error());
    dlz_failure_put_back(&kept);
    return status;
}

static void expect(const scene *s, const ranks_result *r, int rank, dlviz_status right,
                   const char *words) {
    ck_assert_msg(r->status == right && strstr(r->sentence, words),
                  "%s, %s on rank %d of %d: rank %d has %s (%s), not %s (...%s...)", s->call->name,
                  trouble_names[s->trouble], s->odd, s->ranks, rank, dlviz_status_name(r->status),
                  r->sentence, dlviz_status_name(right), words);
}

static void expect_odd(const scene *s, const ranks_result *r) {
    static const struct {
        dlviz_status status;
        const char *words;
    } right[] = {[NOTHING] = {DLVIZ_OK, ""},
                 [NO_OUTPUT] = {DLVIZ_ERROR_INVALID_ARGUMENT, "is NULL"},
                 [NO_HANDLE] = {DLVIZ_ERROR_INVALID_ARGUMENT, "is NULL"},
                 [BUSY] = {DLVIZ_ERROR_STATE, "in use by another thread"},
                 [OTHER_CALL] = {DLVIZ_ERROR_INVALID_ARGUMENT, "the call is "},
                 [OTHER_LIBRARY] = {DLVIZ_ERROR_INVALID_ARGUMENT, "the library is "},
                 [LEAVES] = {DLVIZ_OK, ""}};
    expect(s, r, s->odd, right[s->trouble].status, right[s->trouble].words);
}

static void expect_other(const scene *s, const ranks_result *r, int rank) {
    char told[64];
    snprintf(told, sizeof told, "rank %d failed: ", s->odd);
    switch (s->trouble) {
    case NO_OUTPUT:
    case NO_HANDLE:
        expect(s, r, rank, DLVIZ_ERROR_COMM, told);
        expect(s, r, rank, DLVIZ_ERROR_COMM, "is NULL");
        break;
    case BUSY:
        expect(s, r, rank, DLVIZ_ERROR_COMM, is_told(s) ? told : "is gone");
        break;
    case LEAVES:
        expect(s, r, rank, DLVIZ_ERROR_COMM, "is gone");
        break;
    default:
        expect_odd(s, r);
    }
}

/* Whether a call has such a trouble. */
static bool is_scene(const scene *s) {
    if (s->trouble == NO_OUTPUT)
        return s->call->make != agree;
    if (s->trouble == NO_HANDLE)
        return s->call->mark != of_comm;
    if (s->trouble == OTHER_CALL)
        return strcmp(s->call->name, s->other->name) != 0;
    return true;
}

static void see(const scene *s) {
    ranks_result results[3];
    ranks_run(s->ranks, play, (void *)s, results);
    for (int rank = 0; rank < s->ranks; rank++) {
        if (rank == s->odd)
            expect_odd(s, &results[rank]);
        else
            expect_other(s, &results[rank], rank);
    }
}

/* Every call with every trouble. */
START_TEST(one_rank_differs) {
    int scenes = 0;
    ck_ok(dlviz_set_num_threads(1));
    for (int i = 0; i < NUM_CALLS; i++)
        for (int trouble = NOTHING; trouble < NUM_TROUBLES; trouble++)
            for (int ranks = 2; ranks <= 3; ranks++)
                for (int odd = 0; odd < ranks; odd++) {
                    scene s = {&calls[i], &calls[(i + 1) % NUM_CALLS], (enum trouble)trouble, odd,
                               ranks};
                    if (!is_scene(&s))
                        continue;
                    see(&s);
                    scenes++;
                }
    ck_assert_int_eq(scenes, 5 * (7 * NUM_CALLS - 1 - 9));
}
END_TEST

/* Each call beside each other one. */
START_TEST(ranks_make_any_two_calls) {
    ck_ok(dlviz_set_num_threads(1));
    for (int i = 0; i < NUM_CALLS; i++)
        for (int j = 0; j < NUM_CALLS; j++) {
            scene s = {&calls[i], &calls[j], OTHER_CALL, 1, 2};
            if (is_scene(&s))
                see(&s);
        }
}
END_TEST

int main(void) {
    return run_tests("shared_calls",
                     (const TTest *const[]){one_rank_differs, ranks_make_any_two_calls, NULL});
}
