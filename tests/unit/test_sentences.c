/* What the library says to mistakes that are often made: what was wrong, and what would do. */
#include "base/base.h"
#include "support/netspec.h"
#include "support/support.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define INVALID DLVIZ_ERROR_INVALID_ARGUMENT
#define SHAPE DLVIZ_ERROR_SHAPE
#define FORMAT DLVIZ_ERROR_FORMAT

/* -- Layers --------------------------------------------------------------------------------------
 */

START_TEST(inputs_are_named) {
    dlviz_network *network;
    ck_ok(dlviz_network_create(&network, 3, (int64_t[]){1, 4, 4}));
    ck_fails(dlviz_network_add_from(network, "c", dlviz_add(), 2, (const char *[]){"a", "b"}),
             DLVIZ_ERROR_NOT_FOUND, "layer 'c' reads 'a'");
    ck_assert_ptr_nonnull(strstr(dlviz_last_error(), "before it: there are none"));
    dlviz_network_destroy(network);
    ck_ok(dlviz_network_create(&network, 3, (int64_t[]){1, 4, 4}));
    ck_ok(dlviz_network_add(network, "conv1", dlviz_relu()));
    ck_ok(dlviz_network_add(network, "conv2", dlviz_relu()));
    ck_fails(
        dlviz_network_add_from(network, "sum", dlviz_add(), 2, (const char *[]){"conv2", "conv3"}),
        DLVIZ_ERROR_NOT_FOUND, "'conv3', which is neither 'input' nor a layer before it");
    ck_assert_ptr_nonnull(strstr(dlviz_last_error(), "there are conv1, conv2"));
    ck_fails(
        dlviz_network_add_from(network, "sum", dlviz_add(), 2, (const char *[]){"conv2", NULL}),
        INVALID, "layer 'sum': the name of input 1 is NULL");
    dlviz_network_destroy(network);
}
END_TEST

/* Of many layers as many are named as there is room for. */
START_TEST(many_names_are_counted) {
    dlviz_network *network;
    char name[40];
    ck_ok(dlviz_network_create(&network, 1, (int64_t[]){4}));
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof name, "layer_with_a_long_name_%d", i);
        ck_ok(dlviz_network_add(network, name, dlviz_relu()));
    }
    ck_ok(dlviz_network_build(network, 1));
    dlviz_tensor *x, *y;
    ck_ok(dlviz_tensor_create(&x, DLVIZ_FLOAT32, 2, (int64_t[]){1, 4}));
    ck_fails(dlviz_network_backward_from(network, "none", x, x, 0, 0, &y), DLVIZ_ERROR_NOT_FOUND,
             "layer_with_a_long_name_9, ");
    int left = 0, last = -1;
    const char *rest = strstr(dlviz_last_error(), ", and ");
    ck_assert_ptr_nonnull(rest);
    ck_assert_int_eq(sscanf(rest, ", and %d more", &left), 1);
    while (*rest != '_')
        rest--;
    ck_assert_int_eq(sscanf(rest, "_%d", &last), 1);
    ck_assert_int_eq(last + 1 + left, 300);
    dlviz_tensor_destroy(x);
    dlviz_network_destroy(network);
}
END_TEST

START_TEST(a_vector_is_no_image) {
    dlviz_layer *const layers[] = {dlviz_conv2d(4, 3, 1), dlviz_conv_transpose2d(4, 3, 2),
                                   dlviz_maxpool2d(2), dlviz_upsample(2, 2)};
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) {
        dlviz_network *network;
        ck_ok(dlviz_network_create(&network, 1, (int64_t[]){64}));
        ck_ok(dlviz_network_add(network, "x", layers[i]));
        ck_fails(dlviz_network_build(network, 1), SHAPE, "put a reshape layer in front");
        dlviz_network_destroy(network);
    }
}
END_TEST

/* -- Files that are no .safetensors ------------------------------------------------------------ */

START_TEST(files_of_other_kinds_are_recognized) {
    static const struct {
        const char *bytes, *words;
    } files[] = {
        {"PK\3\4................................", "zip archive, as torch.save"},
        {"\x80\2\x8a\nl\xfc\x9c................", "Python pickle, as torch.save"},
        {"\x80\4\x95....................", "Python pickle"},
        {"\x93NUMPY\1.v.{'descr': '<f4', 'fortran_order': False", "dlviz_tensor_read_npy"},
        {"\x89HDF\r\n\x1a\n...............", "HDF5"},
        {"\x1f\x8b\x08..................", "gzip"},
        {"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a", "git lfs pull"},
        {"{\"weight_map\": {}, \"metadata\": {}}", "JSON"},
        {"\n<!DOCTYPE html>\n<html><head><title>404", "web page"},
        {"<HTML><head><title>404</title></head></HTML>", "web page"},
        {"a text of no special kind at all", "damaged, or not a .safetensors file"},
    };
    const char *path = scratch_path("other");
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        dlviz_safetensors *contents;
        dlviz_network *network;
        write_file(path, files[i].bytes, strlen(files[i].bytes));
        ck_fails(dlviz_safetensors_open(&contents, path), FORMAT, files[i].words);
        ck_assert_ptr_nonnull(strstr(dlviz_last_error(), path));
        ck_fails(dlviz_network_open(&network, path), FORMAT, files[i].words);
        ck_assert_ptr_nonnull(strstr(dlviz_last_error(), ".safetensors file"));
    }
}
END_TEST

/* -- Losses and targets ------------------------------------------------------------------------ */

static dlviz_loss *weighted(bool classes, int64_t count) {
    static const double weights[12] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    dlviz_loss *loss = classes ? dlviz_cross_entropy() : dlviz_bce_with_logits();
    if (classes)
        dlviz_cross_entropy_set_class_weights(loss, count, weights);
    else
        dlviz_bce_with_logits_set_positive_weights(loss, count, weights);
    return loss;
}

START_TEST(weights_that_do_not_fit_are_told_early) {
    static const char *const words[] = {"3 weights are set, for 5 numbers",
                                        "3 weights are set, for 5 classes"};
    for (int classes = 0; classes < 2; classes++) {
        dlviz_network *network = net_from_text("4", "fc:linear,out=5");
        ck_ok(dlviz_network_set_loss(network, weighted(classes, 5)));
        const dlviz_loss *fits = dlviz_network_loss(network);
        ck_fails(dlviz_network_set_loss(network, weighted(classes, 3)), SHAPE, words[classes]);
        ck_assert_ptr_nonnull(strstr(dlviz_last_error(), "dlviz_network_set_loss"));
        ck_assert_ptr_eq(dlviz_network_loss(network), fits);
        dlviz_network_destroy(network);
        ck_ok(dlviz_network_create(&network, 1, (int64_t[]){4}));
        ck_ok(dlviz_network_set_loss(network, weighted(classes, 3)));
        ck_ok(dlviz_network_add(network, "fc", dlviz_linear(5)));
        ck_fails(dlviz_network_build(network, 1), SHAPE, words[classes]);
        ck_assert_ptr_nonnull(strstr(dlviz_last_error(), "dlviz_network_build"));
        dlviz_network_destroy(network);
    }
}
END_TEST

static dlviz_tensor *zeros(dlviz_dtype dtype, int ndim, const int64_t *dims) {
    dlviz_tensor *tensor;
    ck_ok(dlviz_tensor_create(&tensor, dtype, ndim, dims));
    return tensor;
}

/* By a batch and by a dataset. */
static void target_fails(dlviz_network *network, const dlviz_tensor *x, const dlviz_tensor *y,
                         dlviz_status status, const char *words, bool said) {
    dlviz_dataset *set;
    double loss;
    ck_ok(dlviz_dataset_create(&set, x, y));
    for (int i = 0; i < 2; i++) {
        ck_fails(i ? dlviz_network_evaluate(network, set, &loss, NULL)
                   : dlviz_network_backward(network, x, y, 0, 0, &loss),
                 status, said ? words : "");
        ck_assert((strstr(dlviz_last_error(), words) != NULL) == said);
    }
    dlviz_dataset_destroy(set);
}

START_TEST(targets_of_another_kind) {
    dlviz_network *network = net_from_text("4", "fc:linear,out=3");
    dlviz_tensor *x = zeros(DLVIZ_FLOAT32, 2, (int64_t[]){5, 4});
    dlviz_tensor *labels = zeros(DLVIZ_INT64, 1, (int64_t[]){5});
    dlviz_tensor *rows = zeros(DLVIZ_FLOAT32, 2, (int64_t[]){5, 3});
    dlviz_tensor *numbers = zeros(DLVIZ_FLOAT32, 2, (int64_t[]){5, 2});
    int64_t *label = dlviz_tensor_data(labels);
    label[2] = -1;
    target_fails(network, x, labels, INVALID, "sample 2 has label -1", true);
    target_fails(network, x, labels, INVALID, "dlviz_cross_entropy_set_ignored_label", true);
    label[2] = 3;
    target_fails(network, x, labels, INVALID, "3 outputs allow 0 to 2", true);
    target_fails(network, x, labels, INVALID, "ignored_label", false);
    target_fails(network, x, rows, SHAPE, "one-hot rows", true);
    target_fails(network, x, numbers, SHAPE, "one-hot rows", false);
    dlviz_loss *loss = dlviz_cross_entropy();
    dlviz_cross_entropy_set_ignored_label(loss, -1);
    ck_ok(dlviz_network_set_loss(network, loss));
    label[2] = -1;
    ck_ok(dlviz_network_backward(network, x, labels, 0, 0, NULL));
    dlviz_tensor *const all[] = {x, labels, rows, numbers};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        dlviz_tensor_destroy(all[i]);
    dlviz_network_destroy(network);
}
END_TEST

/* A number for each sample is one whether the output is called (1) or (1, 1, 1), or it is. */
START_TEST(one_number_is_one_in_any_shape) {
    static const char *const layers[] = {"c:conv,out=1,k=4", "c:conv,out=1,k=4 f:flatten"};
    double first = -1;
    for (int n = 0; n < 2; n++)
        for (int shape = 0; shape < 3; shape++) {
            dlviz_network *network = net_from_text("1x4x4", layers[n]);
            fill_states(network, 1, false);
            ck_ok(dlviz_network_set_loss(network, dlviz_mse()));
            const int64_t dims[4] = {6, 1, 1, 1};
            dlviz_tensor *x = zeros(DLVIZ_FLOAT32, 4, (int64_t[]){6, 1, 4, 4});
            dlviz_tensor *y = zeros(DLVIZ_FLOAT32, shape == 2 ? 4 : shape + 1, dims);
            fill_uniform(dlviz_tensor_float(x), 96, 2);
            fill_uniform(dlviz_tensor_float(y), 6, 3);
            dlviz_dataset *set;
            double loss, again;
            ck_ok(dlviz_dataset_create(&set, x, y));
            ck_ok(dlviz_network_backward(network, x, y, 0, 0, &loss));
            ck_ok(dlviz_network_evaluate(network, set, &again, NULL));
            first = first < 0 ? loss : first;
            ck_assert_double_eq(loss, first);
            ck_assert_double_eq_tol(again, first, 1e-6 * first);
            dlviz_dataset_destroy(set);
            dlviz_tensor_destroy(x);
            dlviz_tensor_destroy(y);
            dlviz_network_destroy(network);
        }
    dlviz_network *network = net_from_text("1x4x4", layers[0]);
    ck_ok(dlviz_network_set_loss(network, dlviz_mse()));
    dlviz_tensor *x = zeros(DLVIZ_FLOAT32, 4, (int64_t[]){6, 1, 4, 4});
    dlviz_tensor *y = zeros(DLVIZ_FLOAT32, 2, (int64_t[]){6, 2});
    target_fails(network, x, y, SHAPE, "its targets 2", true);
    dlviz_tensor_destroy(x);
    dlviz_tensor_destroy(y);
    dlviz_network_destroy(network);
}
END_TEST

/* -- Training ------------------------------------------------------------------------------------
 */

START_TEST(the_dimension_of_the_batch_is_missed) {
    dlviz_network *network = net_from_text("3x4x5", "f:flatten fc:linear,out=2"),
                  *vectors = net_from_text("4", "fc:linear,out=2");
    dlviz_tensor *image, *vector, *y;
    ck_ok(dlviz_tensor_create(&image, DLVIZ_FLOAT32, 3, (int64_t[]){3, 4, 5}));
    ck_ok(dlviz_tensor_create(&vector, DLVIZ_FLOAT32, 1, (int64_t[]){4}));
    ck_fails(
        dlviz_network_forward(network, image, &y), SHAPE,
        "'inputs' is 3 x 4 x 5, one sample without the dimension of the batch; the shape 1 x 3 "
        "x 4 x 5 is accepted");
    ck_fails(dlviz_network_forward(vectors, vector, &y), SHAPE, "the shape 1 x 4 is accepted");
    dlviz_tensor_destroy(image);
    dlviz_tensor_destroy(vector);
    dlviz_network_destroy(network);
    dlviz_network_destroy(vectors);
}
END_TEST

START_TEST(a_nan_is_in_the_validation_set) {
    dlviz_network *network = net_from_text("4", "fc:linear,out=3");
    dlviz_tensor *x, *labels = label_tensor(6, 3, 1);
    dlviz_dataset *train, *validation;
    dlviz_optimizer *sgd;
    dlviz_trainer *trainer;
    ck_ok(dlviz_tensor_create(&x, DLVIZ_FLOAT32, 2, (int64_t[]){6, 4}));
    ck_ok(dlviz_dataset_create(&train, x, labels));
    dlviz_tensor_destroy(x);
    ck_ok(dlviz_tensor_create(&x, DLVIZ_FLOAT32, 2, (int64_t[]){6, 4}));
    dlviz_tensor_float(x)[9] = NAN;
    ck_ok(dlviz_dataset_create(&validation, x, labels));
    ck_ok(dlviz_sgd_create(&sgd, 1e-3));
    ck_ok(dlviz_trainer_create(&trainer, network, sgd));
    ck_ok(dlviz_trainer_set_validation(trainer, validation));
    ck_fails(dlviz_trainer_fit(trainer, train, 1), DLVIZ_ERROR_NUMERIC,
             "the validation set: dlviz_trainer_fit: NaN in sample 2");
    dlviz_trainer_destroy(trainer);
    dlviz_optimizer_destroy(sgd);
    dlviz_dataset_destroy(train);
    dlviz_dataset_destroy(validation);
    dlviz_tensor_destroy(x);
    dlviz_tensor_destroy(labels);
    dlviz_network_destroy(network);
}
END_TEST

/* What is refused is not among what is said to be accepted. */
START_TEST(limits_are_told) {
    const double beyond = 1.1e30;
    dlviz_layer *layers[] = {dlviz_batchnorm(), dlviz_layernorm(), dlviz_groupnorm(1),
                             dlviz_instancenorm2d()};
    ck_fails(dlviz_batchnorm_set_eps(layers[0], beyond), INVALID, "1e-60 to 1e30");
    ck_fails(dlviz_layernorm_set_eps(layers[1], beyond), INVALID, "1e-60 to 1e30");
    ck_fails(dlviz_groupnorm_set_eps(layers[2], beyond), INVALID, "1e-60 to 1e30");
    ck_fails(dlviz_instancenorm2d_set_eps(layers[3], beyond), INVALID, "1e-60 to 1e30");
    ck_fails(dlviz_batchnorm_set_eps(layers[0], 1e-61), INVALID, "1e-60 to 1e30");
    ck_fails(dlviz_layernorm_set_eps(layers[1], 1e-61), INVALID, "1e-60 to 1e30");
    ck_fails(dlviz_groupnorm_set_eps(layers[2], 1e-61), INVALID, "1e-60 to 1e30");
    ck_fails(dlviz_instancenorm2d_set_eps(layers[3], 1e-61), INVALID, "1e-60 to 1e30");
    for (int i = 0; i < 4; i++)
        dlviz_layer_destroy(layers[i]);
    dlviz_optimizer *adam, *nadam, *radam, *sgd, *rmsprop;
    ck_fails(dlviz_adam_create(&adam, beyond), INVALID, "0 to 1e30");
    ck_ok(dlviz_adam_create(&adam, 1e30));
    ck_ok(dlviz_nadam_create(&nadam, 1));
    ck_ok(dlviz_radam_create(&radam, 1));
    ck_ok(dlviz_sgd_create(&sgd, 1));
    ck_ok(dlviz_rmsprop_create(&rmsprop, 1));
    ck_fails(dlviz_adam_set_eps(adam, beyond), INVALID, "1e-30 to 1e30");
    ck_fails(dlviz_nadam_set_eps(nadam, beyond), INVALID, "1e-30 to 1e30");
    ck_fails(dlviz_nadam_set_momentum_decay(nadam, beyond), INVALID, "0 to 1e30");
    ck_fails(dlviz_radam_set_eps(radam, beyond), INVALID, "1e-30 to 1e30");
    ck_fails(dlviz_sgd_set_momentum(sgd, beyond, 0, false), INVALID, "0 to 1e30");
    ck_ok(dlviz_sgd_set_momentum(sgd, 1e30, 0, false));
    ck_fails(dlviz_rmsprop_set_smoothing(rmsprop, 0.5, beyond), INVALID, "1e-30 to 1e30");
    ck_fails(dlviz_rmsprop_set_momentum(rmsprop, beyond), INVALID, "0 to 1e30");
    ck_fails(dlviz_optimizer_set_weight_decay(adam, beyond), INVALID, "0 to 1e30");
    ck_fails(dlviz_optimizer_set_learning_rate(adam, beyond), INVALID, "0 to 1e30");
    ck_fails(dlviz_optimizer_set_rate_factor(adam, "*", beyond), INVALID, "0 to 1e30");
    ck_fails(dlviz_optimizer_set_decay_factor(adam, "*", beyond), INVALID, "0 to 1e30");
    ck_fails(dlviz_adam_set_eps(adam, 1e-31), INVALID, "1e-30 to 1e30");
    ck_fails(dlviz_nadam_set_eps(nadam, 1e-31), INVALID, "1e-30 to 1e30");
    ck_fails(dlviz_radam_set_eps(radam, 1e-31), INVALID, "1e-30 to 1e30");
    ck_fails(dlviz_rmsprop_set_smoothing(rmsprop, 0.5, 1e-31), INVALID, "1e-30 to 1e30");
    dlviz_network *network;
    dlviz_trainer *trainer;
    ck_ok(dlviz_network_create(&network, 1, (int64_t[]){4}));
    ck_ok(dlviz_network_add(network, "h", dlviz_linear(2)));
    ck_ok(dlviz_network_build(network, 1));
    ck_ok(dlviz_trainer_create(&trainer, network, adam));
    ck_fails(dlviz_network_clip_gradient_norm(network, beyond, NULL), INVALID, "up to 1e30");
    ck_fails(dlviz_network_clip_gradient_value(network, beyond), INVALID, "up to 1e30");
    ck_fails(dlviz_trainer_set_clip_norm(trainer, beyond), INVALID, "up to 1e30");
    ck_fails(dlviz_trainer_set_clip_value(trainer, beyond), INVALID, "up to 1e30");
    ck_fails(dlviz_trainer_set_early_stopping_threshold(trainer, beyond), INVALID, "0 to 1e30");
    dlviz_schedule *schedule = dlviz_cosine(3);
    double next;
    ck_fails(dlviz_cosine_set_minimum(schedule, beyond), INVALID, "0 to 1e30");
    dlviz_schedule_destroy(schedule);
    schedule = dlviz_cosine(3);
    ck_fails(dlviz_schedule_start(schedule, beyond, 1, &next), INVALID, "0 to 1e30");
    dlviz_schedule_destroy(schedule);
    schedule = dlviz_one_cycle(beyond, 3);
    ck_fails(dlviz_schedule_start(schedule, 1, 1, &next), INVALID, "up to 1e30");
    dlviz_schedule_destroy(schedule);
    dlviz_trainer_destroy(trainer);
    dlviz_network_destroy(network);
    dlviz_optimizer *all[] = {adam, nadam, radam, sgd, rmsprop};
    for (int i = 0; i < 5; i++)
        dlviz_optimizer_destroy(all[i]);
}
END_TEST

/* The least that is accepted still keeps numbers from becoming none: those of equal inputs, and parameters whose
 * gradients are 0. */
START_TEST(the_least_eps_makes_no_nan) {
    dlviz_layer *layers[] = {dlviz_batchnorm(), dlviz_layernorm(), dlviz_groupnorm(1),
                             dlviz_instancenorm2d()};
    ck_ok(dlviz_batchnorm_set_eps(layers[0], 1e-60));
    ck_ok(dlviz_layernorm_set_eps(layers[1], 1e-60));
    ck_ok(dlviz_groupnorm_set_eps(layers[2], 1e-60));
    ck_ok(dlviz_instancenorm2d_set_eps(layers[3], 1e-60));
    for (int i = 0; i < 4; i++) {
        dlviz_network *network;
        dlviz_tensor *x, *y;
        dlviz_optimizer *optimizers[4];
        ck_ok(dlviz_network_create(&network, 3, (int64_t[]){1, 3, 3}));
        ck_ok(dlviz_network_add(network, "n", layers[i]));
        ck_ok(dlviz_network_add(network, "f", dlviz_flatten()));
        ck_ok(dlviz_network_add(network, "h", dlviz_linear(2)));
        ck_ok(dlviz_network_build(network, 1));
        ck_ok(dlviz_tensor_create(&x, DLVIZ_FLOAT32, 4, (int64_t[]){4, 1, 3, 3}));
        ck_ok(dlviz_tensor_create(&y, DLVIZ_INT64, 1, (int64_t[]){4}));
        for (int k = 0; k < 36; k++)
            dlviz_tensor_float(x)[k] = 0.5f;
        ck_ok(dlviz_adam_create(&optimizers[0], 0.01));
        ck_ok(dlviz_nadam_create(&optimizers[1], 0.01));
        ck_ok(dlviz_radam_create(&optimizers[2], 0.01));
        ck_ok(dlviz_rmsprop_create(&optimizers[3], 0.01));
        ck_ok(dlviz_adam_set_eps(optimizers[0], 1e-30));
        ck_ok(dlviz_nadam_set_eps(optimizers[1], 1e-30));
        ck_ok(dlviz_radam_set_eps(optimizers[2], 1e-30));
        ck_ok(dlviz_rmsprop_set_smoothing(optimizers[3], 0.9, 1e-30));
        for (uint64_t step = 0; step < 8; step++) { /* RAdam divides from its sixth step on */
            ck_ok(dlviz_network_backward(network, x, y, 1, step, NULL));
            ck_ok(dlviz_optimizer_step(optimizers[i], network));
        }
        ck_ok(dlviz_network_backward(network, x, y, 1, 8, NULL));
        for (int k = 0; k < 4; k++)
            dlviz_optimizer_destroy(optimizers[k]);
        dlviz_network_destroy(network);
        dlviz_tensor_destroy(x);
        dlviz_tensor_destroy(y);
    }
}
END_TEST

/* -- What files and names bring into sentences ---------------------------------------------------
 */

/* What must not arrive, and what stands in its place. */
static const struct {
    const char *said, *shown;
} brought[] = {
    {"a\x1b[31mb", "a?[31mb"},
    {"a\nwarning: b\r\t\a", "a?warning: b???"},
    {"a\x7f", "a?"},
    {"a\xc2\x80\xc2\x9b\xc2\x9f", "a???"},
    {"a\xe2\x80\xa8\xe2\x80\xa9", "a??"},
    {"a\xe2\x80\xaa\xe2\x80\xae\xe2\x81\xa6\xe2\x81\xa9", "a????"},
    {"\xff\xc0\xaf\xed\xa0\x80\xf4\x90\x80\x80", "??????????"},
    {"a\xc3", "a?"},
    {"a\xe2\x82", "a??"},
    /* As it is: what stands next to these. */
    {" ~"
     "\xc2\xa0\xc3\xa9\xe2\x80\xa7\xe2\x80\xaf\xe2\x81\xa5\xe2\x81\xaa\xe2\x80\xa6\xf0\x9f\x98\x80",
     " ~"
     "\xc2\xa0\xc3\xa9\xe2\x80\xa7\xe2\x80\xaf\xe2\x81\xa5\xe2\x81\xaa\xe2\x80\xa6\xf0\x9f\x98"
     "\x80"},
};
enum { NUM_BROUGHT = sizeof brought / sizeof *brought };

static void remember_line(dlviz_log_level level, const char *message, void *user) {
    (void)level;
    snprintf(user, 1024, "%s", message);
}

START_TEST(a_sentence_is_one_line_of_text) {
    char line[1024];
    dlviz_set_log(remember_line, line);
    for (int i = 0; i < NUM_BROUGHT; i++) {
        ck_assert_int_eq(dlviz_fail(INVALID, "<%s>", brought[i].said), INVALID);
        char expected[100];
        snprintf(expected, sizeof expected, "<%s>", brought[i].shown);
        ck_assert_str_eq(dlviz_last_error(), expected);
        dlz_fail(INVALID, "<%s>", brought[i].said);
        ck_assert_str_eq(dlviz_last_error(), expected);
        dlz_fail(INVALID, "x");
        dlz_fail_within(INVALID, "<%s>", brought[i].said);
        ck_assert_str_eq(strcat(expected, ": x"), dlviz_last_error());
        dlz_fail_io("open", brought[i].said, 2);
        ck_assert_ptr_nonnull(strstr(dlviz_last_error(), brought[i].shown));
        expected[strlen(expected) - 3] = '\0';
        dlz_log(DLVIZ_LOG_LEVEL_INFO, "<%s>", brought[i].said);
        ck_assert_str_eq(line, expected);
    }
    dlviz_set_log(NULL, NULL);
}
END_TEST

/* Of whatever length: of sentences both ends are kept, of lines of the log the beginning. */
START_TEST(what_has_no_room_is_cut_between_characters) {
    enum { CHARACTERS = 6000 };
    static const char *const characters[] = {"\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
    static char text[4 * CHARACTERS + 1];
    char line[1024];
    dlviz_set_log(remember_line, line);
    for (int kind = 0; kind < 3; kind++) {
        text[0] = '\0';
        size_t size = strlen(characters[kind]);
        for (int i = 0; i < CHARACTERS; i++)
            memcpy(text + (size_t)i * size, characters[kind], size + 1);
        for (int ahead = 0; ahead < 5; ahead++) {
            dlz_fail(INVALID, "%.*s%s", ahead, "abcd", text);
            ck_assert(dlz_is_utf8(dlviz_last_error()));
            ck_assert_ptr_null(strchr(dlviz_last_error(), '?'));
            ck_assert_uint_gt(strlen(dlviz_last_error()), 1000);
            dlz_log(DLVIZ_LOG_LEVEL_INFO, "%.*s%s", ahead, "abcd", text);
            ck_assert(dlz_is_utf8(line));
            ck_assert_ptr_null(strchr(line, '?'));
            ck_assert_uint_gt(strlen(line), 500);
        }
    }
    dlviz_set_log(NULL, NULL);
}
END_TEST

/* Names that a program shows by itself: in whatever room there is, and in their own place. */
START_TEST(a_name_is_made_printable) {
    char shown[100];
    for (int i = 0; i < NUM_BROUGHT; i++) {
        ck_assert_ptr_eq(dlviz_printable(shown, sizeof shown, brought[i].said), shown);
        ck_assert_str_eq(shown, brought[i].shown);
        snprintf(shown, sizeof shown, "%s", brought[i].said);
        ck_assert_str_eq(dlviz_printable(shown, strlen(shown) + 1, shown), brought[i].shown);
        for (size_t size = 1; size <= strlen(brought[i].shown); size++) {
            memset(shown, '!', sizeof shown);
            dlviz_printable(shown, size, brought[i].said);
            size_t length = strlen(shown), mark = size >= 4 ? 3 : 0;
            ck_assert_uint_lt(length, size);
            ck_assert(dlz_is_utf8(shown));
            ck_assert(mark == 0 || strcmp(shown + length - mark, "…") == 0);
            ck_assert_int_eq(strncmp(shown, brought[i].shown, length - mark), 0);
            for (size_t k = size; k < sizeof shown; k++)
                ck_assert_int_eq(shown[k], '!');
        }
    }
    ck_assert_str_eq(dlviz_printable(shown, sizeof shown, NULL), "");
    ck_assert_str_eq(dlviz_printable(shown, 0, "text"), "");
    ck_assert_str_eq(dlviz_printable(NULL, 10, "text"), "");
}
END_TEST

/* By each way that a name comes in: in the bytes of an array, the JSON of a table or a network, a
 * path. */
START_TEST(files_bring_no_control_characters) {
    dlviz_tensor *tensor;
    dlviz_safetensors *contents;
    dlviz_network *network;
    static const char descr[] =
        "{'descr': '<f\x1b[31m\n', 'fortran_order': False, 'shape': (2,), }";
    char npy[256] = "\x93NUMPY\1";
    npy[8] = (char)(sizeof descr - 1);
    memcpy(npy + 10, descr, sizeof descr);
    ck_fails(dlviz_tensor_read_npy_memory(&tensor, npy, 10 + sizeof descr - 1),
             DLVIZ_ERROR_UNSUPPORTED, "'<f?[31m?'");
    static const char header[] =
        "{\"a\\u001b[31m\\nb\\u202e\":{\"dtype\":\"?\",\"shape\":[],\"data_offsets\":[0,0]}}";
    char table[256] = {(char)(sizeof header - 1)};
    memcpy(table + 8, header, sizeof header);
    ck_fails(dlviz_safetensors_open_memory(&contents, table, 8 + sizeof header - 1),
             DLVIZ_ERROR_UNSUPPORTED, "'a?[31m?b?'");
    static const char json[] = "{\"input\":[4],\"layers\":[{\"name\":\"a\\u009b\\n\","
                               "\"type\":\"b\\u001b\",\"settings\":{}}]}";
    ck_fails(dlviz_network_open_architecture_memory(&network, json, sizeof json - 1), FORMAT,
             "layer 'a?\?' is a 'b?'");
    static const char named[] = "{\"input\":[4],\"layers\":[{\"name\":\"a\\u009b\\n\\u202e\","
                                "\"type\":\"relu\"}]}";
    ck_ok(dlviz_network_open_architecture_memory(&network, named, sizeof named - 1));
    ck_ok(dlviz_network_build(network, 1));
    ck_assert_ptr_nonnull(strstr(dlviz_network_summary(network), "\na?\?\? "));
    dlviz_network_destroy(network);
    ck_fails(dlviz_network_open(&network, "no\x1b[31m\nsuch\xff"), DLVIZ_ERROR_IO, "no?[31m?such?");
}
END_TEST

int main(void) {
    return run_tests(
        "sentences",
        (const TTest *[]){inputs_are_named, many_names_are_counted, a_vector_is_no_image,
                          files_of_other_kinds_are_recognized,
                          weights_that_do_not_fit_are_told_early, targets_of_another_kind,
                          one_number_is_one_in_any_shape, the_dimension_of_the_batch_is_missed,
                          a_nan_is_in_the_validation_set, limits_are_told,
                          the_least_eps_makes_no_nan, a_sentence_is_one_line_of_text,
                          what_has_no_room_is_cut_between_characters, a_name_is_made_printable,
                          files_bring_no_control_characters, NULL});
}
