#include "support/valid_files.h"
#include "support/netspec.h"
#include "support/process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

void keep_sample(samples *to, void *bytes, size_t size) {
    to->all[to->count++] = (sample){bytes, size};
}

static void keep_fixture(samples *to, const char *name) {
    size_t size;
    unsigned char *bytes = file_bytes(fixture_path(name), &size);
    keep_sample(to, bytes, size);
}

static void keep_network(samples *to, dlviz_network *network) {
    void *bytes;
    size_t size;
    ck_ok(dlviz_network_save_memory(network, &bytes, &size));
    keep_sample(to, bytes, size);
}

#define SMALL "conv:conv,out=3,k=3 bn:bn relu:relu pool:pool,k=2 flat:flatten fc:linear,out=2"

dlviz_network *small_network(uint64_t seed) {
    dlviz_network *network = net_from_text("1x8x8", SMALL);
    fill_states(network, seed, false);
    return network;
}

static dlviz_dataset *described_data(void) {
    static const char *const names[] = {"\xc3\xa4pfel", "\xe6\xa2\xa8 \"{}[]\\"};
    dlviz_tensor *x, *labels;
    dlviz_dataset *data;
    ck_ok((dlviz_tensor_create(&x, DLVIZ_UINT8, 3, (int64_t[]){4, 8, 8})));
    ck_ok(
        (dlviz_tensor_from_data(&labels, DLVIZ_UINT8, 1, (int64_t[]){4}, (uint8_t[]){0, 1, 0, 1})));
    ck_ok(dlviz_dataset_create(&data, x, labels));
    ck_ok(dlviz_dataset_set_normalization(data, 0.1307f, 0.3081f));
    ck_ok(dlviz_dataset_set_class_names(data, 2, names));
    dlviz_tensor_destroy(x);
    dlviz_tensor_destroy(labels);
    return data;
}

/* A graph with layers of many kinds. */
static dlviz_network *branches(void) {
    dlviz_network *network;
    ck_ok((dlviz_network_create(&network, 3, (int64_t[]){2, 9, 7})));
    dlviz_layer *conv = dlviz_conv2d(4, 3, 1), *norm = dlviz_batchnorm();
    ck_ok(dlviz_conv2d_set_bias(conv, false));
    dlviz_network_add(network, "layer1.0.conv", conv);
    dlviz_network_add(network, "layer1.0.bn", norm);
    dlviz_network_add(network, "layer1.0.relu", dlviz_relu());
    dlviz_network_add(network, "group", dlviz_groupnorm(2));
    dlviz_network_add_from(network, "sum", dlviz_add(), 2,
                           (const char *[]){"group", "layer1.0.relu"});
    dlviz_network_add_from(network, "both", dlviz_concat(), 2, (const char *[]){"sum", "input"});
    dlviz_network_add(network, "up", dlviz_conv_transpose2d(3, 2, 2));
    dlviz_network_add(network, "pool", dlviz_avgpool2d(2));
    dlviz_network_add(network, "drop", dlviz_dropout(0.25));
    dlviz_network_add(network, "adaptive", dlviz_adaptive_avgpool2d(2, 2));
    dlviz_network_add(network, "flat", dlviz_flatten());
    dlviz_network_add(network, "fc", dlviz_linear(3));
    dlviz_network_add(network, "last", dlviz_softmax());
    ck_ok(dlviz_network_set_loss(network, dlviz_huber(0.5)));
    ck_ok(dlviz_network_build(network, 1));
    return network;
}

void make_networks(samples *to) {
    dlviz_network *network = small_network(3);
    keep_network(to, network);
    dlviz_dataset *data = described_data();
    ck_ok(dlviz_network_describe_data(network, data));
    keep_network(to, network);
    keep_network(to, network);
    dlviz_dataset_destroy(data);
    dlviz_network_destroy(network);
    network = branches();
    keep_network(to, network);
    dlviz_network_destroy(network);
}

void make_safetensors(samples *to) {
    keep_fixture(to, "kinds.safetensors");
    make_networks(to);
}

void make_pcas(samples *to) {
    for (int whiten = 0; whiten < 2; whiten++) {
        dlviz_pca *pca;
        dlviz_tensor *x;
        void *bytes;
        size_t size;
        ck_ok((dlviz_tensor_create(&x, DLVIZ_FLOAT32, 2, (int64_t[]){20, 5})));
        fill_uniform(dlviz_tensor_float(x), 100, 4);
        ck_ok(dlviz_pca_create(&pca, 3));
        ck_ok(dlviz_pca_set_whiten(pca, whiten));
        ck_ok(dlviz_pca_fit(pca, x));
        ck_ok(dlviz_pca_save_memory(pca, &bytes, &size));
        keep_sample(to, bytes, size);
        dlviz_pca_destroy(pca);
        dlviz_tensor_destroy(x);
    }
}

void make_npys(samples *to) {
    static const char *const names[] = {"f8",     "big_f4", "fortran_big_i4", "fortran_f4",
                                        "u2",     "bool",   "version2",       "version3",
                                        "halves", "scalar", "big_f2",         "object"};
    const dlviz_dtype dtypes[] = {DLVIZ_FLOAT32, DLVIZ_UINT8, DLVIZ_INT64};
    for (int i = 0; i < 3; i++) {
        dlviz_tensor *tensor;
        void *bytes;
        size_t size;
        ck_ok((dlviz_tensor_create(&tensor, dtypes[i], 3, (int64_t[]){9, 2, 3})));
        ck_ok(dlviz_tensor_write_npy_memory(tensor, &bytes, &size));
        keep_sample(to, bytes, size);
        dlviz_tensor_destroy(tensor);
    }
    for (int i = 0; i < 12; i++) {
        char name[64];
        snprintf(name, sizeof name, "npy_%s.npy", names[i]);
        keep_fixture(to, name);
    }
}

void make_idxs(samples *to) {
    /* 2 images of 3 x 4, as they are and compressed in two members; the labels lie behind. */
    unsigned char plain[40] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4};
    for (int i = 16; i < 40; i++)
        plain[i] = (unsigned char)(i * 11);
    unsigned char *copy = malloc(sizeof plain), *packed = malloc(400);
    memcpy(copy, plain, sizeof plain);
    keep_sample(to, copy, sizeof plain);
    size_t used = 0;
    for (size_t at = 0; at < 40; at += 20) {
        z_stream stream = {.next_in = plain + at, .avail_in = 20};
        deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
        stream.next_out = packed + used;
        stream.avail_out = (unsigned)(400 - used);
        deflate(&stream, Z_FINISH);
        used = 400 - stream.avail_out;
        deflateEnd(&stream);
    }
    keep_sample(to, packed, used);
}

static dlviz_tensor *numbers(dlviz_dtype dtype, int ndim, const int64_t *dims) {
    dlviz_tensor *made;
    ck_ok(dlviz_tensor_create(&made, dtype, ndim, dims));
    if (dtype == DLVIZ_FLOAT32)
        fill_uniform(dlviz_tensor_float(made), dlviz_tensor_num_elements(made), 6);
    return made;
}

static void fill_run(dlviz_report_run *run, int64_t n, int64_t classes) {
    dlviz_tensor *map = numbers(DLVIZ_FLOAT32, 2, (int64_t[]){n, 2}),
                 *outputs = numbers(DLVIZ_FLOAT32, 2, (int64_t[]){n, classes}),
                 *near = numbers(DLVIZ_INT64, 2, (int64_t[]){n, 2}),
                 *looked = numbers(DLVIZ_FLOAT32, 3, (int64_t[]){2, 3, 4});
    const dlviz_tensor *maps[] = {map, map};
    dlviz_network *network = small_network(2);
    ck_ok(dlviz_report_run_add_map(run, "t-SNE"));
    ck_ok(dlviz_report_run_add_map(run, "PCA"));
    ck_ok(dlviz_report_run_add_frame(run, 0, 2, maps, NULL));
    ck_ok(dlviz_report_run_add_frame(run, 3, 2, maps, outputs));
    ck_ok(dlviz_report_run_set_neighbors(run, near));
    ck_ok(dlviz_report_run_set_attribution(run, 2, (int64_t[]){0, 1}, looked));
    ck_ok(dlviz_report_run_set_network(run, network, "fc"));
    ck_ok(dlviz_report_run_add_fact(run, "a", "b"));
    ck_ok(dlviz_report_run_add_measure(run, "c", "%", 1, 0.5, 0));
    ck_ok(dlviz_report_run_add_curve(run, "loss", "training", 2, NULL, (double[]){1, 2}));
    dlviz_network_destroy(network);
    dlviz_tensor *all[] = {map, outputs, near, looked};
    for (int i = 0; i < 4; i++)
        dlviz_tensor_destroy(all[i]);
}

/* Of few classes and of many, with gray and with colored images. */
void make_pages(samples *to) {
    static const int64_t classes[] = {3, 20, 300};
    static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g"};
    for (int i = 0; i < 3; i++) {
        int64_t n = 7;
        dlviz_report *report;
        dlviz_report_run *run;
        dlviz_tensor *labels = numbers(DLVIZ_UINT8, 1, &n),
                     *images = numbers(DLVIZ_UINT8, 4, (int64_t[]){n, i == 1 ? 3 : 1, 5, 4});
        ck_ok(dlviz_report_create(&report, "page", n));
        ck_ok(dlviz_report_set_labels(report, labels));
        ck_ok(dlviz_report_set_point_names(report, n, names));
        if (i < 2)
            ck_ok(dlviz_report_set_images(report, images));
        for (int r = 0; r < 2; r++) {
            ck_ok(dlviz_report_add_run(report, names[r], &run));
            fill_run(run, n, classes[i]);
        }
        void *bytes;
        size_t size;
        ck_ok(dlviz_report_write_memory(report, &bytes, &size));
        keep_sample(to, bytes, size);
        dlviz_report_destroy(report);
        dlviz_tensor_destroy(labels);
        dlviz_tensor_destroy(images);
    }
}
