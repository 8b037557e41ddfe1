/* faults/stages_maps.c - principal components, neighbors, t-SNE, films. */
#include "faults/pipeline.h"

enum { POINTS = 40, FEATURES = 7 };

static const char *const no_files[] = {NULL};

static dlviz_tensor *points, *labels;

static void make_all_points(void) {
    points = make_points(POINTS, FEATURES, 11);
    labels = make_labels(POINTS, 3);
}

static void release_points(void) {
    dlviz_tensor_destroy(points);
    dlviz_tensor_destroy(labels);
}

/* -- PCA by all solvers, its file -- */

static struct {
    dlviz_pca *pca, *opened;
    dlviz_tensor *by[3], *back, *again;
} p;

static dlviz_status run_pca(attempt *a) {
    static const dlviz_pca_solver_kind solvers[] = {
        DLVIZ_PCA_SOLVER_COVARIANCE, DLVIZ_PCA_SOLVER_SVD, DLVIZ_PCA_SOLVER_RANDOMIZED};
    STEP(a, dlviz_pca_create(&p.pca, 3));
    for (int i = 0; i < 3; i++) {
        STEP(a, dlviz_pca_set_solver(p.pca, solvers[i]));
        STEP(a, dlviz_pca_fit_transform(p.pca, points, &p.by[i]));
    }
    STEP(a, dlviz_pca_inverse_transform(p.pca, p.by[2], &p.back));
    STEP(a, dlviz_pca_save(p.pca, output_path("pca.safetensors")));
    STEP(a, dlviz_pca_open(&p.opened, output_path("pca.safetensors")));
    STEP(a, dlviz_pca_transform(p.opened, points, &p.again));
    STEP(a, dlviz_pca_transform_to_npy(p.opened, points, output_path("projected.npy")));
    return DLVIZ_OK;
}

static void note_components(const dlviz_pca *pca) {
    note_tensor(dlviz_pca_components(pca));
    note_tensor(dlviz_pca_mean(pca));
    note_tensor(dlviz_pca_explained_variance(pca));
    note_number((double)dlviz_pca_num_samples(pca));
}

static void note_pca(void) {
    note_components(p.pca);
    note_components(p.opened);
    for (int i = 0; i < 3; i++)
        note_tensor(p.by[i]);
    note_tensor(p.back);
    note_tensor(p.again);
}

static void release_pca(void) {
    release_points();
    dlviz_pca_destroy(p.pca);
    dlviz_pca_destroy(p.opened);
    dlviz_tensor *tensors[] = {p.by[0], p.by[1], p.by[2], p.back, p.again};
    for (int i = 0; i < 5; i++)
        dlviz_tensor_destroy(tensors[i]);
}

static const char *const pca_files[] = {"pca.safetensors", "projected.npy", NULL};
const stage pca_stage = {"pca", make_all_points, run_pca, note_pca, release_pca, pca_files};

/* -- PCA in pieces: a piece counts once, whatever became of the call before -- */

static struct {
    dlviz_pca *pca;
    dlviz_tensor *pieces[4];
} b;

static void prepare_batches(void) {
    make_all_points();
    for (int i = 0; i < 4; i++)
        must(dlviz_tensor_slice(points, 10 * i, 10, &b.pieces[i]));
}

static dlviz_status run_batches(attempt *a) {
    STEP(a, dlviz_pca_create(&b.pca, 3));
    for (int i = 0; i < 4; i++)
        STEP(a, dlviz_pca_partial_fit(b.pca, b.pieces[i]));
    return DLVIZ_OK;
}

static void note_batches(void) {
    note_components(b.pca);
}

static void release_batches(void) {
    release_points();
    dlviz_pca_destroy(b.pca);
    for (int i = 0; i < 4; i++)
        dlviz_tensor_destroy(b.pieces[i]);
}

const stage batches_stage = {"partial fit", prepare_batches, run_batches,
                             note_batches,  release_batches, no_files};

/* -- Neighbors, and how good a map is -- */

static struct {
    dlviz_tensor *map, *indices, *distances, *near, *confusion;
    double values[6];
} m;

static void prepare_neighbors(void) {
    make_all_points();
    m.map = make_points(POINTS, 2, 5);
}

static dlviz_status run_neighbors(attempt *a) {
    STEP(a, dlviz_neighbors(points, 5, 1, &m.indices, &m.distances));
    STEP(a, dlviz_neighbors(points, 5, 0.9, &m.near, NULL));
    STEP(a, dlviz_metrics_trustworthiness(points, m.map, 5, &m.values[0]));
    STEP(a, dlviz_metrics_continuity(points, m.map, 5, &m.values[1]));
    STEP(a, dlviz_metrics_neighbor_preservation(points, m.map, 5, &m.values[2]));
    STEP(a, dlviz_metrics_distance_correlation(points, m.map, 100, 1, &m.values[3]));
    STEP(a, dlviz_metrics_neighbor_accuracy(m.map, labels, 5, &m.values[4]));
    STEP(a, dlviz_metrics_silhouette(m.map, labels, &m.values[5]));
    STEP(a, dlviz_metrics_confusion(labels, labels, 3, &m.confusion));
    return DLVIZ_OK;
}

static void note_neighbors(void) {
    note_tensor(m.indices);
    note_tensor(m.distances);
    note_tensor(m.near);
    note_tensor(m.confusion);
    note_bytes(m.values, sizeof m.values);
}

static void release_neighbors(void) {
    release_points();
    dlviz_tensor *tensors[] = {m.map, m.indices, m.distances, m.near, m.confusion};
    for (int i = 0; i < 5; i++)
        dlviz_tensor_destroy(tensors[i]);
}

const stage neighbors_stage = {"neighbors",    prepare_neighbors, run_neighbors,
                               note_neighbors, release_neighbors, no_files};

/* -- t-SNE, and points that join its map -- */

static struct {
    dlviz_tsne *tsne, *opened;
    dlviz_tensor *by[3], *joined, *history, *new_points;
    double divergence[3];
} t;

static void prepare_tsne(void) {
    make_all_points();
    t.new_points = make_points(4, FEATURES, 12);
}

static dlviz_status run_tsne(attempt *a) {
    static const dlviz_tsne_method_kind methods[] = {
        DLVIZ_TSNE_METHOD_EXACT, DLVIZ_TSNE_METHOD_BARNES_HUT, DLVIZ_TSNE_METHOD_GRID};
    STEP(a, dlviz_tsne_create(&t.tsne));
    STEP(a, dlviz_tsne_set_perplexity(t.tsne, 5));
    STEP(a, dlviz_tsne_set_num_iterations(t.tsne, 12));
    for (int i = 0; i < 3; i++) {
        STEP(a, dlviz_tsne_set_method(t.tsne, methods[i]));
        STEP(a, dlviz_tsne_fit(t.tsne, points, &t.by[i]));
        t.divergence[i] = dlviz_tsne_kl_divergence(t.tsne);
    }
    STEP(a, dlviz_tsne_history(t.tsne, &t.history));
    STEP(a, dlviz_tsne_save(t.tsne, output_path("tsne.safetensors")));
    STEP(a, dlviz_tsne_open(&t.opened, output_path("tsne.safetensors")));
    STEP(a, dlviz_tsne_transform(t.opened, t.new_points, &t.joined));
    return DLVIZ_OK;
}

static void note_tsne(void) {
    for (int i = 0; i < 3; i++)
        note_tensor(t.by[i]);
    note_tensor(t.joined);
    note_tensor(t.history);
    note_number(t.divergence[2]);
}

static void release_tsne(void) {
    release_points();
    dlviz_tsne_destroy(t.tsne);
    dlviz_tsne_destroy(t.opened);
    dlviz_tensor *tensors[] = {t.by[0], t.by[1], t.by[2], t.joined, t.history, t.new_points};
    for (int i = 0; i < 6; i++)
        dlviz_tensor_destroy(tensors[i]);
}

static const char *const tsne_files[] = {"tsne.safetensors", NULL};
const stage tsne_stage = {"t-sne", prepare_tsne, run_tsne, note_tsne, release_tsne, tsne_files};

/* -- A film -- */

static struct {
    dlviz_film *film, *opened;
    dlviz_tsne *tsne;
    dlviz_tensor *features[3], *aligned;
} f;

static void prepare_film(void) {
    make_all_points();
    for (int i = 0; i < 3; i++)
        f.features[i] = make_points(POINTS, FEATURES, 20 + (uint64_t)i);
    must(dlviz_tsne_create(&f.tsne));
    must(dlviz_tsne_set_perplexity(f.tsne, 5));
    must(dlviz_tsne_set_num_iterations(f.tsne, 8));
}

static dlviz_status run_film(attempt *a) {
    STEP(a, dlviz_film_create(&f.film));
    for (int i = 0; i < 3; i++)
        STEP(a, dlviz_film_add(f.film, i, f.features[i], i == 1 ? NULL : f.features[i]));
    STEP(a, dlviz_film_fit(f.film, f.tsne));
    STEP(a, dlviz_film_save(f.film, output_path("film.safetensors")));
    STEP(a, dlviz_film_open(&f.opened, output_path("film.safetensors")));
    STEP(a, dlviz_align(dlviz_film_tsne_map(f.opened, 0), dlviz_film_pca_map(f.opened, 1),
                        &f.aligned));
    return DLVIZ_OK;
}

static void note_film(void) {
    for (int64_t i = 0; i < 3; i++) {
        note_tensor(dlviz_film_tsne_map(f.opened, i));
        note_tensor(dlviz_film_pca_map(f.film, i));
        note_tensor(dlviz_film_outputs(f.opened, i));
    }
    note_number((double)dlviz_film_num_frames(f.film));
    note_tensor(f.aligned);
}

static void release_film(void) {
    release_points();
    dlviz_film_destroy(f.film);
    dlviz_film_destroy(f.opened);
    dlviz_tsne_destroy(f.tsne);
    for (int i = 0; i < 3; i++)
        dlviz_tensor_destroy(f.features[i]);
    dlviz_tensor_destroy(f.aligned);
}

static const char *const film_files[] = {"film.safetensors", NULL};
const stage film_stage = {"film", prepare_film, run_film, note_film, release_film, film_files};
