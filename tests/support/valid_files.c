#include "support/valid_files.h"
#include "report/page.h"
#include "support/netspec.h"
#include "support/process.h"
#include "support/zip.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

/* Linked to each other, they are not lost. */
typedef struct kept {
    void *bytes;
    struct kept *before;
} kept;

void keep_sample(samples *to, void *bytes, size_t size) {
    static kept *last;
    kept *added = malloc(sizeof *added);
    *added = (kept){bytes, last};
    last = added;
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

/* The other layers. */
static dlviz_network *many_kinds(void) {
    dlviz_network *network;
    ck_ok(dlviz_network_create(&network, 3, (int64_t[]){2, 6, 6}));
    dlviz_layer *depthwise = dlviz_conv2d(4, 3, 0);
    ck_ok(dlviz_conv2d_set_groups(depthwise, 2));
    dlviz_layer *const layers[] = {dlviz_pad(1, 0, 2, 1),  depthwise,
                                   dlviz_instancenorm2d(), dlviz_gelu(),
                                   dlviz_upsample(2, 2),   dlviz_dropout2d(0.5),
                                   dlviz_silu(),           dlviz_layernorm(),
                                   dlviz_elu(1),           dlviz_leaky_relu(0.1),
                                   dlviz_hardswish(),      dlviz_global_avgpool2d(),
                                   dlviz_softplus(),       dlviz_gelu_tanh(),
                                   dlviz_tanh(),           dlviz_linear(4),
                                   dlviz_sigmoid(),        dlviz_reshape(3, (int64_t[]){1, 2, 2}),
                                   dlviz_maxpool2d(2),     dlviz_flatten(),
                                   dlviz_linear(3),        dlviz_log_softmax()};
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) {
        char name[8];
        snprintf(name, sizeof name, "l%zu", i);
        dlviz_network_add(network, name, layers[i]);
    }
    dlviz_network_add_from(network, "product", dlviz_multiply(), 2, (const char *[]){"l20", "l21"});
    ck_ok(dlviz_network_set_loss(network, dlviz_mse()));
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
    network = many_kinds();
    keep_network(to, network);
    dlviz_network_destroy(network);
}

static void keep_architecture(samples *to, dlviz_network *network) {
    void *bytes;
    size_t size;
    ck_ok(dlviz_network_save_architecture_memory(network, &bytes, &size));
    keep_sample(to, bytes, size);
    dlviz_network_destroy(network);
}

void make_architectures(samples *to) {
    keep_architecture(to, small_network(3));
    keep_architecture(to, branches());
    keep_architecture(to, many_kinds());
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

static dlviz_tensor *uniform(int64_t n, int64_t d, uint64_t seed) {
    dlviz_tensor *x;
    ck_ok((dlviz_tensor_create(&x, DLVIZ_FLOAT32, 2, (int64_t[]){n, d})));
    fill_uniform(dlviz_tensor_float(x), n * d, seed);
    return x;
}

static dlviz_tsne *small_tsne(int64_t dimensions, dlviz_tsne_distance_kind distance) {
    dlviz_tsne *tsne;
    ck_ok(dlviz_tsne_create(&tsne));
    ck_ok(dlviz_tsne_set_num_iterations(tsne, 6));
    ck_ok(dlviz_tsne_set_num_dimensions(tsne, dimensions));
    ck_ok(dlviz_tsne_set_distance(tsne, distance));
    return tsne;
}

/* Fitted to points by either distance, and not fitted. */
void make_tsnes(samples *to) {
    for (int kind = 0; kind < 3; kind++) {
        dlviz_tsne *tsne = small_tsne(1 + kind, kind == 1 ? DLVIZ_TSNE_DISTANCE_COSINE
                                                          : DLVIZ_TSNE_DISTANCE_EUCLIDEAN);
        dlviz_tensor *x = kind < 2 ? uniform(20, 5, 4) : uniform(9, 3, 1), *map = NULL;
        void *bytes;
        size_t size;
        if (kind < 2)
            ck_ok(dlviz_tsne_fit(tsne, x, &map));
        else
            ck_ok(dlviz_tsne_set_initial_map(tsne, x));
        ck_ok(dlviz_tsne_save_memory(tsne, &bytes, &size));
        keep_sample(to, bytes, size);
        dlviz_tensor_destroy(x);
        dlviz_tensor_destroy(map);
        dlviz_tsne_destroy(tsne);
    }
}

/* With maps and without. */
void make_films(samples *to) {
    for (int fitted = 0; fitted < 2; fitted++) {
        dlviz_film *film;
        dlviz_tsne *tsne = small_tsne(2, DLVIZ_TSNE_DISTANCE_EUCLIDEAN);
        void *bytes;
        size_t size;
        ck_ok(dlviz_film_create(&film));
        ck_ok(dlviz_film_set_num_later_iterations(film, 5));
        for (int64_t epoch = 0; epoch < 3; epoch++) {
            dlviz_tensor *features = uniform(20, 5, 4 + (uint64_t)epoch);
            ck_ok(dlviz_film_add(film, 2 * epoch, features, epoch == 1 ? NULL : features));
            dlviz_tensor_destroy(features);
        }
        if (fitted)
            ck_ok(dlviz_film_fit(film, tsne));
        ck_ok(dlviz_film_save_memory(film, &bytes, &size));
        keep_sample(to, bytes, size);
        dlviz_film_destroy(film);
        dlviz_tsne_destroy(tsne);
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

void make_npzs(samples *to) {
    static const char *const names[] = {"stored", "streamed", "zip64"};
    for (int i = 0; i < 3; i++) {
        char name[64];
        snprintf(name, sizeof name, "npz_%s.npz", names[i]);
        keep_fixture(to, name);
    }
    /* One that is mostly what stands around an array. */
    zip *archive = calloc(1, sizeof *archive);
    unsigned char npy[256];
    size_t size =
        make_npy_bytes(npy, "{'descr': '|u1', 'fortran_order': False, 'shape': (3,), }", "abc", 3);
    zip_add(archive, "a.npy", npy, size, ZIP_STORED, (zip_lies){0});
    zip_add(archive, "b.npy", npy, size, ZIP_DEFLATED, (zip_lies){0});
    zip_end(archive, "");
    keep_sample(to, archive->bytes, archive->size);
}

void make_csvs(samples *to) {
    static const char *const texts[] = {
        "class,a,b\nx,1,2.5\ny,-3e2,4\n\"x\",.5,\"6\"\n",
        "\xef\xbb\xbf\"class; \"\"or\"\" so\";a\r\n1;2\r\n3;4.0000000000000001\r\n\r\n",
        "7\t1700000000\t3\r7\t1700000001\t4\r8\t1700000002\t5",
        "0,1,2\n1,2,3\n",
        "a\n\"1\"\n2\n",
        "3.4e38|1e-45|123456789012345678901234567890\n1|2|3\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        size_t size = strlen(texts[i]);
        keep_sample(to, memcpy(malloc(size), texts[i], size), size);
    }
}

void make_cifars(samples *to) {
    size_t size = 3 * 3073;
    unsigned char *bytes = malloc(size);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (unsigned char)(i % 3073 ? i * 7 : i / 3073);
    keep_sample(to, bytes, size);
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
    ck_ok(dlviz_report_run_add_measure(run, "c", "%", "d", 1, 0.5, 0));
    ck_ok(dlviz_report_run_add_curve(run, "loss", "training", 2, NULL, (double[]){1, 2}));
    dlviz_network_destroy(network);
    dlviz_tensor *all[] = {map, outputs, near, looked};
    for (int i = 0; i < 4; i++)
        dlviz_tensor_destroy(all[i]);
}

/* Without what is the same in all pages, which nobody reads again. */
static void keep_blocks(samples *to, unsigned char *bytes, size_t size) {
    unsigned char *begins = memmem(bytes, size, DLZ_PAGE_DATA_BEGINS, strlen(DLZ_PAGE_DATA_BEGINS)),
                  *sprite =
                      memmem(bytes, size, DLZ_PAGE_SPRITE_BEGINS, strlen(DLZ_PAGE_SPRITE_BEGINS));
    ck_assert(begins && sprite);
    unsigned char *ends =
        memmem(sprite, size - (size_t)(sprite - bytes), DLZ_PAGE_ENDS, strlen(DLZ_PAGE_ENDS));
    keep_sample(to, begins, (size_t)(ends - begins) + strlen(DLZ_PAGE_ENDS));
}

/* Of few classes and of many, with gray and with colored images; the first as a whole page. */
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
        if (i > 0)
            keep_blocks(to, bytes, size);
        else
            keep_sample(to, bytes, size);
        dlviz_report_destroy(report);
        dlviz_tensor_destroy(labels);
        dlviz_tensor_destroy(images);
    }
}
