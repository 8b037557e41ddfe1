#include "limits/work.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

_Thread_local void (*work_call_begins)(void);
_Thread_local void (*work_call_ends)(void);

static void begin(void) {
    if (work_call_begins)
        work_call_begins();
}

static dlviz_status end(dlviz_status status) {
    if (work_call_ends)
        work_call_ends();
    return status;
}

#define TRY(call)                                                                                  \
    do {                                                                                           \
        begin();                                                                                   \
        dlviz_status try_status = end(call);                                                       \
        if (try_status != DLVIZ_OK)                                                                \
            return try_status;                                                                     \
    } while (0)
/* Of a call that returns nothing. */
#define DO(call)                                                                                   \
    do {                                                                                           \
        begin();                                                                                   \
        call;                                                                                      \
        end(DLVIZ_OK);                                                                             \
    } while (0)
/* A function of this file. */
#define OWN(call)                                                                                  \
    do {                                                                                           \
        dlviz_status own_status = (call);                                                          \
        if (own_status != DLVIZ_OK)                                                                \
            return own_status;                                                                     \
    } while (0)
/* A call that has to fail so. */
#define FAIL(call, wanted)                                                                         \
    do {                                                                                           \
        begin();                                                                                   \
        if (end(call) != (wanted))                                                                 \
            return DLVIZ_ERROR_STATE;                                                              \
    } while (0)

enum { POINTS = 150, WIDTH = 12, SIDE = 8, CLASSES = 5, NAME_SIZE = 300 };

static void digest_bytes(uint64_t *digest, const void *bytes, size_t size) {
    const unsigned char *at = bytes;
    for (size_t i = 0; i < size; i++)
        *digest = (*digest ^ at[i]) * UINT64_C(0x100000001b3);
}

static void digest_tensor(uint64_t *digest, const dlviz_tensor *tensor) {
    digest_bytes(digest, dlviz_tensor_const_data(tensor),
                 (size_t)dlviz_tensor_num_elements(tensor) *
                     dlviz_dtype_size(dlviz_tensor_dtype(tensor)));
}

/* Digests the result and gives it back. */
static void take(uint64_t *digest, dlviz_tensor *tensor) {
    digest_tensor(digest, tensor);
    DO(dlviz_tensor_destroy(tensor));
}

static void take_bytes(uint64_t *digest, void *bytes, size_t size) {
    digest_bytes(digest, bytes, size);
    DO(dlviz_free(bytes));
}

static const char *file_name(char name[NAME_SIZE], const char *place, const char *what) {
    snprintf(name, NAME_SIZE, "%s%s", place, what);
    return name;
}

/* Numbers that look random, from -1 to 1. */
static float number(uint64_t i) {
    i = (i + 1) * UINT64_C(0x9e3779b97f4a7c15);
    i = (i ^ i >> 31) * UINT64_C(0xbf58476d1ce4e5b9);
    return (float)((double)(i >> 40) / (1 << 23) - 1);
}

static dlviz_status make_points(dlviz_tensor **points, int64_t n, int64_t d, uint64_t seed) {
    TRY(dlviz_tensor_create(points, DLVIZ_FLOAT32, 2, (int64_t[]){n, d}));
    for (int64_t i = 0; i < n * d; i++)
        dlviz_tensor_float(*points)[i] =
            number(seed * 1000003 + (uint64_t)i) + (i % d == i / d % CLASSES ? 4.0f : 0);
    return DLVIZ_OK;
}

static dlviz_status make_labels(dlviz_tensor **labels, int64_t n) {
    TRY(dlviz_tensor_create(labels, DLVIZ_INT64, 1, &n));
    for (int64_t i = 0; i < n; i++)
        ((int64_t *)dlviz_tensor_data(*labels))[i] = i % CLASSES;
    return DLVIZ_OK;
}

static dlviz_status make_images(dlviz_tensor **images, int64_t n) {
    TRY(dlviz_tensor_create(images, DLVIZ_UINT8, 4, (int64_t[]){n, 1, SIDE, SIDE}));
    unsigned char *pixels = dlviz_tensor_data(*images);
    for (int64_t i = 0; i < n * SIDE * SIDE; i++)
        pixels[i] = (unsigned char)(127 + 120 * number((uint64_t)i));
    return DLVIZ_OK;
}

static dlviz_status make_dataset(dlviz_dataset **dataset, int64_t n) {
    dlviz_tensor *images, *labels;
    OWN(make_images(&images, n));
    OWN(make_labels(&labels, n));
    TRY(dlviz_dataset_create(dataset, images, labels));
    TRY(dlviz_dataset_set_normalization(*dataset, 0.5f, 0.25f));
    DO(dlviz_tensor_destroy(images));
    DO(dlviz_tensor_destroy(labels));
    return DLVIZ_OK;
}

static dlviz_status make_network(dlviz_network **network, uint64_t seed) {
    TRY(dlviz_network_create(network, 3, (int64_t[]){1, SIDE, SIDE}));
    TRY(dlviz_network_add(*network, "conv1", dlviz_conv2d(8, 3, 1)));
    TRY(dlviz_network_add(*network, "norm", dlviz_batchnorm()));
    TRY(dlviz_network_add(*network, "relu", dlviz_relu()));
    TRY(dlviz_network_add(*network, "pool", dlviz_maxpool2d(2)));
    TRY(dlviz_network_add(*network, "conv2", dlviz_conv2d(8, 5, 2)));
    TRY(dlviz_network_add(*network, "gelu", dlviz_gelu()));
    TRY(dlviz_network_add(*network, "drop", dlviz_dropout(0.2)));
    TRY(dlviz_network_add(*network, "flat", dlviz_flatten()));
    TRY(dlviz_network_add(*network, "out", dlviz_linear(CLASSES)));
    TRY(dlviz_network_build(*network, seed));
    return DLVIZ_OK;
}

/* -- Networks ------------------------------------------------------------------------------------
 */

static dlviz_status train(const char *place, uint64_t *digest, uint64_t seed, bool lion) {
    dlviz_dataset *data, *rest, *held_out;
    dlviz_network *network;
    dlviz_optimizer *optimizer;
    dlviz_trainer *trainer;
    dlviz_tensor *states;
    void *bytes;
    size_t size;
    char name[NAME_SIZE];
    OWN(make_dataset(&data, POINTS));
    TRY(dlviz_dataset_split(data, 30, seed, &rest, &held_out));
    OWN(make_network(&network, seed));
    TRY(lion ? dlviz_lion_create(&optimizer, 1e-3) : dlviz_adamw_create(&optimizer, 1e-3));
    TRY(dlviz_optimizer_set_rate_factor(optimizer, "conv*", 0.5));
    TRY(dlviz_trainer_create(&trainer, network, optimizer));
    TRY(dlviz_trainer_set_batch_size(trainer, 16));
    TRY(dlviz_trainer_set_validation(trainer, held_out));
    TRY(dlviz_trainer_set_schedule(trainer, dlviz_cosine(2)));
    TRY(dlviz_trainer_fit(trainer, rest, 2));
    TRY(dlviz_trainer_save_checkpoint(trainer, file_name(name, place, "checkpoint")));
    TRY(dlviz_trainer_load_checkpoint(trainer, name));
    TRY(dlviz_trainer_write_history(trainer, file_name(name, place, "history.csv")));
    TRY(dlviz_network_get_state(network, "conv1.weight", &states));
    take(digest, states);
    TRY(dlviz_network_save_memory(network, &bytes, &size));
    take_bytes(digest, bytes, size);
    DO(dlviz_trainer_destroy(trainer));
    DO(dlviz_optimizer_destroy(optimizer));
    DO(dlviz_network_destroy(network));
    DO(dlviz_dataset_destroy(rest));
    DO(dlviz_dataset_destroy(held_out));
    DO(dlviz_dataset_destroy(data));
    return DLVIZ_OK;
}

static dlviz_status train_adamw(const char *place, uint64_t *digest) {
    return train(place, digest, 1, false);
}

static dlviz_status train_lion(const char *place, uint64_t *digest) {
    return train(place, digest, 2, true);
}

static dlviz_status infer(const char *place, uint64_t *digest) {
    dlviz_dataset *data;
    dlviz_network *network, *opened;
    dlviz_predictor *predictor;
    dlviz_tensor *outputs, *features;
    char name[NAME_SIZE];
    double loss, metric;
    float inputs[2 * SIDE * SIDE], scores[2 * CLASSES];
    OWN(make_dataset(&data, POINTS));
    OWN(make_network(&network, 3));
    TRY(dlviz_network_save(network, file_name(name, place, "network")));
    TRY(dlviz_network_open(&opened, name));
    TRY(dlviz_network_save_architecture(network, file_name(name, place, "architecture")));
    TRY(dlviz_network_export_onnx(network, file_name(name, place, "onnx")));
    TRY(dlviz_network_inspect(opened, data, "pool", &loss, &metric, &outputs, &features));
    digest_bytes(digest, &loss, sizeof loss);
    take(digest, outputs);
    take(digest, features);
    TRY(dlviz_predictor_create(&predictor, opened, NULL));
    for (int i = 0; i < 2 * SIDE * SIDE; i++)
        inputs[i] = number((uint64_t)i);
    TRY(dlviz_predictor_forward_into(predictor, 2, inputs, scores));
    digest_bytes(digest, scores, sizeof scores);
    DO(dlviz_predictor_destroy(predictor));
    DO(dlviz_network_destroy(opened));
    DO(dlviz_network_destroy(network));
    DO(dlviz_dataset_destroy(data));
    return DLVIZ_OK;
}

static dlviz_status attribute(const char *place, uint64_t *digest) {
    (void)place;
    enum { IMAGES = 4 };
    dlviz_network *network;
    dlviz_tensor *images, *targets, *baselines, *maps, *gaps;
    int64_t n = IMAGES;
    OWN(make_network(&network, 4));
    TRY(dlviz_tensor_create(&images, DLVIZ_FLOAT32, 4, (int64_t[]){n, 1, SIDE, SIDE}));
    for (int64_t i = 0; i < n * SIDE * SIDE; i++)
        dlviz_tensor_float(images)[i] = number((uint64_t)i);
    TRY(dlviz_tensor_create(&baselines, DLVIZ_FLOAT32, 4, (int64_t[]){1, 1, SIDE, SIDE}));
    OWN(make_labels(&targets, n));
    TRY(dlviz_network_saliency(network, images, targets, &maps));
    take(digest, maps);
    TRY(dlviz_network_grad_cam(network, "conv2", images, targets, &maps));
    take(digest, maps);
    TRY(dlviz_network_integrated_gradients(network, images, NULL, targets, 8, &maps, &gaps));
    take(digest, maps);
    take(digest, gaps);
    DO(dlviz_tensor_destroy(images));
    DO(dlviz_tensor_destroy(baselines));
    DO(dlviz_tensor_destroy(targets));
    DO(dlviz_network_destroy(network));
    return DLVIZ_OK;
}

/* -- Maps ----------------------------------------------------------------------------------------
 */

static dlviz_status project(const char *place, uint64_t *digest, dlviz_pca_solver_kind solver) {
    enum { FEATURES = 80 };
    dlviz_tensor *points, *projected, *again;
    dlviz_pca *pca, *opened;
    char name[NAME_SIZE];
    OWN(make_points(&points, POINTS, FEATURES, 1));
    TRY(dlviz_pca_create(&pca, solver == DLVIZ_PCA_SOLVER_COVARIANCE ? FEATURES - 10 : 6));
    TRY(dlviz_pca_set_solver(pca, solver));
    TRY(dlviz_pca_fit_transform(pca, points, &projected));
    TRY(dlviz_pca_save(pca, file_name(name, place, "pca")));
    TRY(dlviz_pca_open(&opened, name));
    TRY(dlviz_pca_transform_to_npy(opened, points, file_name(name, place, "projected.npy")));
    TRY(dlviz_pca_inverse_transform(opened, projected, &again));
    take(digest, projected);
    take(digest, again);
    TRY(dlviz_pca_set_num_wanted(pca, 4));
    TRY(dlviz_pca_partial_fit(pca, points));
    DO(dlviz_pca_destroy(pca));
    DO(dlviz_pca_destroy(opened));
    DO(dlviz_tensor_destroy(points));
    return DLVIZ_OK;
}

static dlviz_status project_by_covariance(const char *place, uint64_t *digest) {
    return project(place, digest, DLVIZ_PCA_SOLVER_COVARIANCE);
}

static dlviz_status project_by_svd(const char *place, uint64_t *digest) {
    return project(place, digest, DLVIZ_PCA_SOLVER_SVD);
}

static dlviz_status project_at_random(const char *place, uint64_t *digest) {
    return project(place, digest, DLVIZ_PCA_SOLVER_RANDOMIZED);
}

static dlviz_status map_points(const char *place, uint64_t *digest, dlviz_tsne_method_kind method,
                               int64_t dimensions) {
    dlviz_tensor *points, *map, *placed;
    dlviz_tsne *tsne, *opened;
    char name[NAME_SIZE];
    OWN(make_points(&points, POINTS, WIDTH, 2));
    TRY(dlviz_tsne_create(&tsne));
    TRY(dlviz_tsne_set_method(tsne, method));
    TRY(dlviz_tsne_set_num_dimensions(tsne, dimensions));
    TRY(dlviz_tsne_set_perplexity(tsne, 10));
    TRY(dlviz_tsne_set_num_iterations(tsne, 40));
    TRY(dlviz_tsne_set_num_transform_iterations(tsne, 10));
    TRY(dlviz_tsne_fit(tsne, points, &map));
    TRY(dlviz_tsne_save(tsne, file_name(name, place, "tsne")));
    TRY(dlviz_tsne_open(&opened, name));
    TRY(dlviz_tsne_transform(opened, points, &placed));
    take(digest, map);
    take(digest, placed);
    DO(dlviz_tsne_destroy(tsne));
    DO(dlviz_tsne_destroy(opened));
    DO(dlviz_tensor_destroy(points));
    return DLVIZ_OK;
}

static dlviz_status map_exactly(const char *place, uint64_t *digest) {
    return map_points(place, digest, DLVIZ_TSNE_METHOD_EXACT, 3);
}

static dlviz_status map_by_tree(const char *place, uint64_t *digest) {
    return map_points(place, digest, DLVIZ_TSNE_METHOD_BARNES_HUT, 2);
}

static dlviz_status map_by_grid(const char *place, uint64_t *digest) {
    return map_points(place, digest, DLVIZ_TSNE_METHOD_GRID, 2);
}

static dlviz_status make_film(const char *place, uint64_t *digest) {
    dlviz_tensor *features;
    dlviz_film *film, *opened;
    dlviz_tsne *tsne;
    char name[NAME_SIZE];
    TRY(dlviz_film_create(&film));
    for (int64_t epoch = 0; epoch < 3; epoch++) {
        OWN(make_points(&features, 60, WIDTH, (uint64_t)epoch / 2));
        TRY(dlviz_film_add(film, epoch, features, NULL));
        DO(dlviz_tensor_destroy(features));
    }
    TRY(dlviz_tsne_create(&tsne));
    TRY(dlviz_tsne_set_perplexity(tsne, 8));
    TRY(dlviz_tsne_set_num_iterations(tsne, 30));
    TRY(dlviz_film_set_num_later_iterations(film, 20));
    TRY(dlviz_film_fit(film, tsne));
    TRY(dlviz_film_save(film, file_name(name, place, "film")));
    TRY(dlviz_film_open(&opened, name));
    digest_tensor(digest, dlviz_film_tsne_map(film, 2));
    DO(dlviz_tsne_destroy(tsne));
    DO(dlviz_film_destroy(film));
    DO(dlviz_film_destroy(opened));
    return DLVIZ_OK;
}

static dlviz_status find_neighbors(const char *place, uint64_t *digest) {
    (void)place;
    dlviz_tensor *points, *many, *indices, *distances;
    OWN(make_points(&points, POINTS, WIDTH, 3));
    OWN(make_points(&many, 3000, WIDTH, 3));
    TRY(dlviz_neighbors(points, 7, 1, &indices, &distances));
    take(digest, indices);
    take(digest, distances);
    TRY(dlviz_neighbors(many, 7, 0.9, &indices, &distances));
    take(digest, indices);
    take(digest, distances);
    DO(dlviz_tensor_destroy(points));
    DO(dlviz_tensor_destroy(many));
    return DLVIZ_OK;
}

static dlviz_status measure(const char *place, uint64_t *digest) {
    (void)place;
    dlviz_tensor *points, *map, *labels, *places, *confusion;
    double figures[7];
    OWN(make_points(&points, POINTS, WIDTH, 4));
    OWN(make_points(&map, POINTS, 2, 5));
    OWN(make_labels(&labels, POINTS));
    TRY(dlviz_metrics_trustworthiness(points, map, 5, &figures[0]));
    TRY(dlviz_metrics_continuity(points, map, 5, &figures[1]));
    TRY(dlviz_metrics_distance_correlation(points, map, 500, 1, &figures[2]));
    TRY(dlviz_metrics_silhouette(map, labels, &figures[3]));
    TRY(dlviz_metrics_neighbor_accuracy(points, labels, 5, &figures[4]));
    TRY(dlviz_metrics_top_k_accuracy(points, labels, 2, &figures[5]));
    TRY(dlviz_metrics_neighbor_preservation(points, map, 5, &figures[6]));
    digest_bytes(digest, figures, sizeof figures);
    TRY(dlviz_tensor_argmax(points, &places));
    TRY(dlviz_metrics_confusion(places, labels, WIDTH, &confusion));
    take(digest, confusion);
    DO(dlviz_tensor_destroy(places));
    DO(dlviz_tensor_destroy(points));
    DO(dlviz_tensor_destroy(map));
    DO(dlviz_tensor_destroy(labels));
    return DLVIZ_OK;
}

/* -- Files ---------------------------------------------------------------------------------------
 */

static dlviz_status keep_tensors(const char *place, uint64_t *digest) {
    dlviz_tensor *points, *read;
    dlviz_safetensors *contents;
    char name[NAME_SIZE];
    OWN(make_points(&points, 5000, WIDTH, 6));
    TRY(dlviz_tensor_write_npy(points, file_name(name, place, "points.npy")));
    TRY(dlviz_tensor_read_npy(&read, name));
    take(digest, read);
    TRY(dlviz_tensor_map_npy(&read, name));
    take(digest, read);
    TRY(dlviz_safetensors_create(&contents));
    TRY(dlviz_safetensors_add(contents, "points", points));
    TRY(dlviz_safetensors_save(contents, file_name(name, place, "points.safetensors")));
    DO(dlviz_safetensors_destroy(contents));
    TRY(dlviz_safetensors_open(&contents, name));
    TRY(dlviz_safetensors_get(contents, "points", &read));
    take(digest, read);
    DO(dlviz_safetensors_destroy(contents));
    DO(dlviz_tensor_destroy(points));
    FAIL(dlviz_tensor_read_npy(&read, file_name(name, place, "none.npy")), DLVIZ_ERROR_IO);
    FAIL(dlviz_tensor_map_npy(&read, name), DLVIZ_ERROR_IO);
    FAIL(dlviz_tensor_read_npy(&read, file_name(name, place, "points.safetensors")),
         DLVIZ_ERROR_FORMAT);
    return DLVIZ_OK;
}

/* Once. */
static dlviz_status write_bytes(const char *name, const void *bytes, size_t size) {
    if (access(name, R_OK) == 0)
        return DLVIZ_OK;
    FILE *file = fopen(name, "wb");
    bool good = file && fwrite(bytes, 1, size, file) == size;
    return file && fclose(file) == 0 && good ? DLVIZ_OK : DLVIZ_ERROR_IO;
}

/* A CSV table, and IDX files. */
static dlviz_status read_datasets(const char *place, uint64_t *digest) {
    static const unsigned char head[] = {0, 0, 8, 3, 0, 0, 0, 40, 0, 0, 0, SIDE, 0, 0, 0, SIDE};
    unsigned char images[sizeof head + 40 * SIDE * SIDE];
    char name[NAME_SIZE], table[3000];
    size_t used = 0;
    dlviz_csv_reader *reader;
    dlviz_dataset *dataset;
    dlviz_tensor *samples;
    for (int i = 0; i < 100; i++)
        used += (size_t)snprintf(table + used, sizeof table - used, "%d,%d.5,%d\n", i, i * 7 % 11,
                                 i % CLASSES);
    OWN(write_bytes(file_name(name, place, "table.csv"), table, used));
    TRY(dlviz_csv_reader_create(&reader));
    TRY(dlviz_csv_reader_set_label_column(reader, "#3"));
    TRY(dlviz_dataset_read_csv(&dataset, name, reader));
    TRY(dlviz_dataset_samples(dataset, 0, 100, &samples));
    take(digest, samples);
    DO(dlviz_csv_reader_destroy(reader));
    DO(dlviz_dataset_destroy(dataset));
    memcpy(images, head, sizeof head);
    for (size_t i = sizeof head; i < sizeof images; i++)
        images[i] = (unsigned char)(i * 31);
    OWN(write_bytes(file_name(name, place, "images.idx"), images, sizeof images));
    TRY(dlviz_dataset_read_idx(&dataset, name, NULL));
    TRY(dlviz_dataset_samples(dataset, 0, 40, &samples));
    take(digest, samples);
    DO(dlviz_dataset_destroy(dataset));
    TRY(dlviz_dataset_map_idx(&dataset, name, NULL));
    TRY(dlviz_dataset_samples(dataset, 0, 40, &samples));
    take(digest, samples);
    DO(dlviz_dataset_destroy(dataset));
    FAIL(dlviz_dataset_read_folder(&dataset, file_name(name, place, "no folder"), NULL),
         DLVIZ_ERROR_IO);
    return DLVIZ_OK;
}

/* -- Pages and figures ---------------------------------------------------------------------------
 */

static dlviz_status write_report(const char *place, uint64_t *digest) {
    dlviz_tensor *map, *labels, *images, *outputs, *neighbors;
    dlviz_report *report, *merged;
    dlviz_report_run *run;
    void *bytes;
    size_t size;
    char name[NAME_SIZE];
    OWN(make_points(&map, POINTS, 2, 7));
    OWN(make_points(&outputs, POINTS, CLASSES, 7));
    OWN(make_labels(&labels, POINTS));
    OWN(make_images(&images, POINTS));
    TRY(dlviz_report_create(&report, "work", POINTS));
    TRY(dlviz_report_set_images(report, images));
    TRY(dlviz_report_set_labels(report, labels));
    TRY(dlviz_report_add_run(report, "a run", &run));
    TRY(dlviz_report_run_add_map(run, "t-SNE"));
    TRY(dlviz_report_run_add_frame(run, 1, 1, (const dlviz_tensor *[]){map}, outputs));
    TRY(dlviz_neighbors(map, 5, 1, &neighbors, NULL));
    TRY(dlviz_report_run_set_neighbors(run, neighbors));
    TRY(dlviz_report_write(report, file_name(name, place, "report.html")));
    TRY(dlviz_report_create(&merged, NULL, 0));
    TRY(dlviz_report_merge(merged, name));
    TRY(dlviz_report_write_memory(merged, &bytes, &size));
    take_bytes(digest, bytes, size);
    DO(dlviz_report_destroy(merged));
    DO(dlviz_report_destroy(report));
    DO(dlviz_tensor_destroy(map));
    DO(dlviz_tensor_destroy(outputs));
    DO(dlviz_tensor_destroy(labels));
    DO(dlviz_tensor_destroy(images));
    DO(dlviz_tensor_destroy(neighbors));
    return DLVIZ_OK;
}

static dlviz_status digest_file(const char *name, uint64_t *digest) {
    unsigned char block[1024];
    size_t size;
    FILE *file = fopen(name, "rb");
    if (!file)
        return DLVIZ_ERROR_IO;
    while ((size = fread(block, 1, sizeof block, file)) > 0)
        digest_bytes(digest, block, size);
    return fclose(file) == 0 ? DLVIZ_OK : DLVIZ_ERROR_IO;
}

static dlviz_status draw(const char *place, uint64_t *digest) {
    static const char *const endings[] = {"figure.png", "figure.svg", "figure.pdf"};
    dlviz_tensor *map, *labels, *counts;
    dlviz_figure *figure;
    char name[NAME_SIZE];
    OWN(make_points(&map, POINTS, 2, 8));
    OWN(make_labels(&labels, POINTS));
    TRY(dlviz_figure_create_scatter(&figure, map, labels));
    TRY(dlviz_figure_set_title(figure, "Work"));
    TRY(dlviz_figure_set_size(figure, 300, 400));
    for (int i = 0; i < 3; i++) {
        TRY(dlviz_figure_write(figure, file_name(name, place, endings[i])));
        if (i < 2) /* a PDF has the time in it */
            OWN(digest_file(name, digest));
    }
    DO(dlviz_figure_destroy(figure));
    TRY(dlviz_tensor_create(&counts, DLVIZ_INT64, 2, (int64_t[]){CLASSES, CLASSES}));
    TRY(dlviz_plot_matrix(counts, "Counts", file_name(name, place, "matrix.svg")));
    OWN(digest_file(name, digest));
    DO(dlviz_tensor_destroy(counts));
    DO(dlviz_tensor_destroy(map));
    DO(dlviz_tensor_destroy(labels));
    return DLVIZ_OK;
}

const work works[] = {
    {"training by AdamW", train_adamw, false},
    {"training by Lion", train_lion, false},
    {"inference", infer, false},
    {"attribution", attribute, false},
    {"PCA by covariance", project_by_covariance, false},
    {"PCA by SVD", project_by_svd, false},
    {"randomized PCA", project_at_random, false},
    {"exact t-SNE", map_exactly, false},
    {"t-SNE by a tree", map_by_tree, false},
    {"t-SNE on a grid", map_by_grid, false},
    {"a film", make_film, false},
    {"neighbors", find_neighbors, false},
    {"metrics", measure, false},
    {"files of tensors", keep_tensors, false},
    {"datasets", read_datasets, false},
    {"a report", write_report, false},
    {"figures", draw, true},
};
const int num_works = sizeof works / sizeof *works;
