/* What a network has learned: predictions, features, maps of them, and how good these are beside
 * those of the untrained network and of the pixels. */
#include "folder.h"
#include "interrupt.h"
#include "run.h"
#include "try.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    TSNE_COMPONENTS = 50,
    MOST_EXACT = 20000,   /* points whose neighbors are searched for exactly */
    MOST_MEASURED = 10000 /* points whose neighborhoods are measured */
};

/* A result, of which one process of those that work together writes the file. */
static dlviz_status keep(const struct run *run, const dlviz_tensor *tensor, const char *name) {
    return run->writes ? dlviz_tensor_write_npy(tensor, result_path(run->options.out, name))
                       : DLVIZ_OK;
}

static const dlviz_tensor *test_labels(const struct run *run) {
    return dlviz_dataset_labels(run->data.test);
}

/* -- Predictions and features --------------------------------------------------------------------
 */

/* The labels of the test samples: one byte each where that is enough. */
static dlviz_status write_labels(const struct run *run) {
    dlviz_tensor *labels;
    dlviz_dtype type = dlviz_dataset_num_classes(run->data.test) <= 256 ? DLVIZ_UINT8 : DLVIZ_INT64;
    TRY(dlviz_tensor_convert(test_labels(run), type, &labels));
    dlviz_status status = keep(run, labels, "labels.npy");
    dlviz_tensor_destroy(labels);
    return status;
}

dlviz_status evaluate(struct run *run) {
    int64_t classes = dlviz_dataset_num_classes(run->data.train);
    TRY(dlviz_network_inspect(run->network, run->data.test, run->layer, &run->test_loss,
                              &run->test_accuracy, &run->logits, &run->features));
    TRY(dlviz_film_add(run->film, run->shown_epoch, run->features, run->logits));
    TRY(dlviz_film_thin(run->film, run->shown_epoch));
    TRY(dlviz_metrics_confusion(run->logits, test_labels(run), classes, &run->confusion));
    TRY(dlviz_metrics_accuracy(dlviz_film_outputs(run->film, 0), test_labels(run),
                               &run->untrained_accuracy));
    TRY(keep(run, run->logits, "logits.npy"));
    TRY(keep(run, run->features, "features.npy"));
    TRY(write_labels(run));
    say(&run->terminal, "\ntest accuracy %.2f %%, loss %.4f", 100 * run->test_accuracy,
        run->test_loss);
    return DLVIZ_OK;
}

/* -- Principal components ------------------------------------------------------------------------
 */

/* The first two columns, for the figure. */
static dlviz_status first_two(const dlviz_tensor *rows, dlviz_tensor **map) {
    int64_t n = dlviz_tensor_dim(rows, 0), width = dlviz_tensor_dim(rows, 1);
    TRY(dlviz_tensor_create(map, DLVIZ_FLOAT32, 2, (int64_t[]){n, 2}));
    const float *from = dlviz_tensor_const_float(rows);
    float *to = dlviz_tensor_float(*map);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < 2 && j < width; j++)
            to[2 * i + j] = from[i * width + j];
    return DLVIZ_OK;
}

static dlviz_status reduce(const dlviz_tensor *rows, dlviz_pca **pca, dlviz_tensor **components) {
    int64_t n = dlviz_tensor_dim(rows, 0), width = dlviz_tensor_dim(rows, 1);
    int64_t most = n < width ? n : width;
    TRY(dlviz_pca_create(pca, most < TSNE_COMPONENTS ? most : TSNE_COMPONENTS));
    return dlviz_pca_fit_transform(*pca, rows, components);
}

dlviz_status project(struct run *run) {
    TRY(reduce(run->features, &run->pca, &run->components));
    TRY(first_two(run->components, &run->pca_map));
    TRY(keep(run, run->pca_map, "pca.npy"));
    const dlviz_tensor *ratios = dlviz_pca_explained_variance_ratio(run->pca);
    double explained = 0;
    for (int64_t i = 0; i < dlviz_tensor_num_elements(ratios); i++)
        explained += (double)dlviz_tensor_const_float(ratios)[i];
    say(&run->terminal, "PCA of %lld features at %s: %lld components explain %.1f %%",
        (long long)dlviz_tensor_dim(run->features, 1), run->layer,
        (long long)dlviz_tensor_num_elements(ratios), 100 * explained);
    return DLVIZ_OK;
}

/* -- t-SNE ---------------------------------------------------------------------------------------
 */

static dlviz_status create_tsne(const struct run *run, dlviz_tsne **tsne) {
    TRY(dlviz_tsne_create(tsne));
    TRY(dlviz_tsne_set_comm(*tsne, run->comm));
    TRY(dlviz_tsne_set_perplexity(*tsne, run->options.perplexity));
    TRY(dlviz_tsne_set_num_iterations(*tsne, run->options.tsne_iterations));
    return dlviz_tsne_set_seed(*tsne, (uint64_t)run->options.seed);
}

/* The maps of all epochs, of which the last is the run's. */
dlviz_status make_film(struct run *run) {
    dlviz_tsne *tsne;
    double started = seconds_now();
    dlviz_status status = create_tsne(run, &tsne);
    if (status == DLVIZ_OK)
        status = dlviz_film_fit(run->film, tsne);
    run->perplexity = dlviz_tsne_perplexity_used(tsne);
    dlviz_tsne_destroy(tsne);
    TRY(status);
    int64_t frames = dlviz_film_num_frames(run->film), last = frames - 1;
    TRY(dlviz_tensor_copy(dlviz_film_tsne_map(run->film, last), &run->tsne_map));
    TRY(keep(run, run->tsne_map, "tsne.npy"));
    run->learned.kl_divergence = dlviz_film_kl_divergence(run->film, last);
    run->untrained.kl_divergence = dlviz_film_kl_divergence(run->film, 0);
    say(&run->terminal, "t-SNE of %lld epochs: KL divergence %.4f, %.1f s", (long long)frames,
        run->learned.kl_divergence, seconds_now() - started);
    return DLVIZ_OK;
}

/* What the pixels show by themselves: what a network has learned is what is better than this. */
dlviz_status map_pixels(struct run *run) {
    dlviz_tensor *pixels;
    dlviz_pca *pca = NULL;
    dlviz_tsne *tsne = NULL;
    TRY(test_pixels(&run->data, &pixels));
    dlviz_status status = reduce(pixels, &pca, &run->pixel_components);
    if (status == DLVIZ_OK)
        status = create_tsne(run, &tsne);
    if (status == DLVIZ_OK)
        status = dlviz_tsne_fit(tsne, run->pixel_components, &run->pixel_map);
    run->pixels.kl_divergence = dlviz_tsne_kl_divergence(tsne);
    dlviz_tsne_destroy(tsne);
    dlviz_pca_destroy(pca);
    dlviz_tensor_destroy(pixels);
    return status;
}

/* -- Measures ------------------------------------------------------------------------------------
 */

/* Without meaning for so few points: they stay NaN. */
static bool can_measure(const struct run *run) {
    return dlviz_dataset_num_samples(run->data.test) > 2 * QUALITY_NEIGHBORS;
}

/* Labels of one class alone, or of one sample each, have no silhouette. */
static dlviz_status measure_silhouette(dlviz_comm *comm, const dlviz_tensor *map,
                                       const dlviz_tensor *labels, uint64_t seed,
                                       double *silhouette) {
    dlviz_status status =
        dlviz_metrics_silhouette_shared(comm, map, labels, MOST_MEASURED, seed, silhouette, NULL);
    if (status != DLVIZ_OK)
        *silhouette = NAN;
    return status == DLVIZ_ERROR_INVALID_ARGUMENT ? DLVIZ_OK : status;
}

/* Of all points up to a number of them, of a sample of so many beyond. */
static dlviz_status measure(const struct run *run, const dlviz_tensor *points,
                            const dlviz_tensor *map, struct quality *quality) {
    const dlviz_tensor *labels = test_labels(run);
    uint64_t seed = (uint64_t)run->options.seed;
    const int64_t k = QUALITY_NEIGHBORS, most = MOST_MEASURED;
    TRY(dlviz_metrics_trustworthiness_shared(run->comm, points, map, k, most, seed,
                                             &quality->trustworthiness, NULL));
    TRY(dlviz_metrics_continuity_shared(run->comm, points, map, k, most, seed, &quality->continuity,
                                        NULL));
    TRY(dlviz_metrics_neighbor_preservation_shared(run->comm, points, map, k, most, seed,
                                                   &quality->preservation, NULL));
    TRY(dlviz_metrics_neighbor_accuracy_shared(run->comm, map, labels, k, most, seed,
                                               &quality->neighbor_accuracy, NULL));
    TRY(measure_silhouette(run->comm, map, labels, seed, &quality->silhouette));
    return dlviz_metrics_distance_correlation_shared(run->comm, points, map, 0, seed,
                                                     &quality->correlation);
}

static void say_quality(struct run *run, const char *whose, const struct quality *quality) {
    char silhouette[16] = "-"; /* of classes of one sample each there is none */
    if (!isnan(quality->silhouette))
        snprintf(silhouette, sizeof silhouette, "%.3f", quality->silhouette);
    say(&run->terminal, "  %-22s %7.2f %% %9.1f %% %16.3f %12s", whose,
        100 * quality->neighbor_accuracy, 100 * quality->preservation, quality->trustworthiness,
        silhouette);
}

dlviz_status judge(struct run *run) {
    if (!can_measure(run)) {
        say(&run->terminal, "The maps are not measured: that takes %d test samples or more",
            2 * QUALITY_NEIGHBORS + 1);
        return DLVIZ_OK;
    }
    TRY(measure(run, run->components, run->tsne_map, &run->learned));
    TRY(measure(run, dlviz_film_components(run->film, 0), dlviz_film_tsne_map(run->film, 0),
                &run->untrained));
    TRY(measure(run, run->pixel_components, run->pixel_map, &run->pixels));
    say(&run->terminal, "%-24s %9s %11s %16s %12s", "t-SNE map of", "right", "neighbors",
        "trustworthiness", "silhouette");
    say_quality(run, "the features", &run->learned);
    say_quality(run, "the untrained network", &run->untrained);
    say_quality(run, run->data.original[0] > 0 ? "the pixels" : "the columns", &run->pixels);
    return DLVIZ_OK;
}

dlviz_status find_neighbors(struct run *run) {
    int64_t n = dlviz_tensor_dim(run->features, 0);
    if (n < 2)
        return DLVIZ_OK;
    return dlviz_neighbors_shared(run->comm, run->features,
                                  n > QUALITY_NEIGHBORS ? QUALITY_NEIGHBORS : n - 1,
                                  n <= MOST_EXACT ? 1 : 0.99, &run->neighbors, NULL);
}
