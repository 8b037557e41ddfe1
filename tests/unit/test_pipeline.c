/* From files to figures, as an application does it, while one allocation after another fails. */
#include "support/failing.h"
#include "support/figures.h"
#include "support/support.h"

#include <stdio.h>
#include <string.h>

enum { SIDE = 8, TRAIN = 40, TEST = 24 };

static void write_idx(const char *name, int kind, int count, int row) {
    unsigned char bytes[16 + TRAIN * SIDE * SIDE] = {0, 0, 8, (unsigned char)kind};
    size_t size = 8;
    bytes[7] = (unsigned char)count;
    if (kind == 3) {
        bytes[11] = bytes[15] = SIDE;
        size = 16;
    }
    for (int i = 0; i < count * row; i++)
        bytes[size++] = (unsigned char)(kind == 3 ? i * 37 % 251 + i / row % 3 * 2 : i % 3);
    write_file(scratch_path(name), bytes, size);
}

static void write_images(void) {
    write_idx("train-images-idx3-ubyte", 3, TRAIN, SIDE * SIDE);
    write_idx("train-labels-idx1-ubyte", 1, TRAIN, 1);
    write_idx("t10k-images-idx3-ubyte", 3, TEST, SIDE * SIDE);
    write_idx("t10k-labels-idx1-ubyte", 1, TEST, 1);
}

/* All that the pipeline makes; NULL until then. */
typedef struct pipeline {
    dlviz_dataset *all, *train, *validation, *test;
    dlviz_network *network;
    dlviz_optimizer *optimizer;
    dlviz_trainer *trainer;
    dlviz_tensor *features, *logits, *confusion, *components, *map;
    dlviz_pca *pca;
    dlviz_tsne *tsne;
    dlviz_figure *figure;
} pipeline;

static dlviz_status load(pipeline *p) {
    TRY(dlviz_dataset_read_mnist(&p->all, scratch_folder(), DLVIZ_DATASET_PART_TRAIN));
    TRY(dlviz_dataset_read_mnist(&p->test, scratch_folder(), DLVIZ_DATASET_PART_TEST));
    TRY(dlviz_dataset_set_image_size(p->all, 10, 10));
    TRY(dlviz_dataset_set_image_size(p->test, 10, 10));
    return dlviz_dataset_split(p->all, 8, 1, &p->train, &p->validation);
}

static dlviz_status build(pipeline *p) {
    TRY(dlviz_network_create(&p->network, 3, dlviz_dataset_dims(p->train)));
    dlviz_network_add(p->network, "conv", dlviz_conv2d(4, 3, DLVIZ_PAD_SAME));
    dlviz_network_add(p->network, "bn", dlviz_batchnorm());
    dlviz_network_add(p->network, "relu", dlviz_relu());
    dlviz_network_add(p->network, "pool", dlviz_maxpool2d(2));
    dlviz_network_add(p->network, "drop", dlviz_dropout(0.25));
    dlviz_network_add(p->network, "flat", dlviz_flatten());
    dlviz_network_add(p->network, "fc", dlviz_linear(3));
    return dlviz_network_build(p->network, 1);
}

static dlviz_status train(pipeline *p) {
    TRY(dlviz_adam_create(&p->optimizer, 1e-3));
    TRY(dlviz_trainer_create(&p->trainer, p->network, p->optimizer));
    dlviz_schedule *schedule = dlviz_plateau(0.1, 3);
    TRY(schedule ? dlviz_trainer_set_schedule(p->trainer, schedule) : DLVIZ_ERROR_OUT_OF_MEMORY);
    TRY(dlviz_trainer_set_validation(p->trainer, p->validation));
    TRY(dlviz_trainer_set_batch_size(p->trainer, 16));
    TRY(dlviz_trainer_fit(p->trainer, p->train, 1));
    TRY(dlviz_trainer_write_history(p->trainer, scratch_path("history.csv")));
    return dlviz_network_save(p->network, scratch_path("model.safetensors"));
}

static dlviz_status look(pipeline *p) {
    TRY(dlviz_network_features(p->network, "flat", p->test, &p->features));
    TRY(dlviz_network_predict(p->network, p->test, &p->logits));
    TRY(dlviz_metrics_confusion(p->logits, dlviz_dataset_labels(p->test), 3, &p->confusion));
    TRY(dlviz_pca_create(&p->pca, 5));
    TRY(dlviz_pca_fit_transform(p->pca, p->features, &p->components));
    TRY(dlviz_tsne_create(&p->tsne));
    TRY(dlviz_tsne_set_perplexity(p->tsne, 5));
    TRY(dlviz_tsne_set_num_iterations(p->tsne, 10));
    TRY(dlviz_tsne_fit(p->tsne, p->components, &p->map));
    return dlviz_tensor_write_npy(p->map, scratch_path("map.npy"));
}

static dlviz_status draw_map(pipeline *p) {
    if (!dlviz_plot_supported())
        return DLVIZ_OK;
    static const char *const names[] = {"one", "two", "three"};
    TRY(dlviz_figure_create_scatter(&p->figure, p->map, dlviz_dataset_labels(p->test)));
    TRY(dlviz_figure_set_size(p->figure, 200, 200));
    TRY(dlviz_figure_set_title(p->figure, "a map"));
    TRY(dlviz_figure_set_class_names(p->figure, 3, names));
    return dlviz_figure_write(p->figure, scratch_path("map.svg"));
}

static dlviz_status draw_loss(pipeline *p) {
    if (!dlviz_plot_supported())
        return DLVIZ_OK;
    double loss = dlviz_trainer_history(p->trainer, 0, "train_loss");
    dlviz_figure_destroy(p->figure);
    p->figure = NULL;
    TRY(dlviz_figure_create_curves(&p->figure));
    TRY(dlviz_figure_set_size(p->figure, 200, 200));
    TRY(dlviz_figure_add_curve(p->figure, "loss", "training", 1, NULL, &loss));
    TRY(dlviz_figure_write(p->figure, scratch_path("loss.png")));
    return dlviz_plot_matrix(p->confusion, "confusion", scratch_path("confusion.svg"));
}

static dlviz_status run_all(pipeline *p) {
    TRY(load(p));
    TRY(build(p));
    TRY(train(p));
    TRY(look(p));
    TRY(draw_map(p));
    return draw_loss(p);
}

static dlviz_status work(void *context) {
    int *finished = context;
    pipeline p = {0};
    dlviz_status status = run_all(&p);
    *finished += status == DLVIZ_OK;
    dlviz_figure_destroy(p.figure);
    dlviz_tsne_destroy(p.tsne);
    dlviz_pca_destroy(p.pca);
    dlviz_tensor *tensors[] = {p.features, p.logits, p.confusion, p.components, p.map};
    for (size_t i = 0; i < sizeof tensors / sizeof *tensors; i++)
        dlviz_tensor_destroy(tensors[i]);
    dlviz_trainer_destroy(p.trainer);
    dlviz_optimizer_destroy(p.optimizer);
    dlviz_network_destroy(p.network);
    dlviz_dataset *sets[] = {p.all, p.train, p.validation, p.test};
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++)
        dlviz_dataset_destroy(sets[i]);
    return status;
}

START_TEST(each_allocation_of_the_pipeline_may_fail) {
    write_images();
    int finished = 0;
    ck_ok(work(&finished));
    int64_t allocations = fail_each_allocation(work, &finished);
    printf("%lld allocations failed in turn\n", (long long)allocations);
    ck_assert_int_gt(allocations, 100);
    /* Before; once with each way of failing beyond the last allocation; and where none fails. */
    ck_assert_int_ge(finished, 4);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {each_allocation_of_the_pipeline_may_fail, NULL};
    return run_tests("pipeline", tests);
}
