/* faults/pipeline_common.c - data, networks, and digests of results. */
#include "faults/pipeline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_PATH = 600, PATHS = 8, LARGEST_FILE = 8 << 20 };

static const char *input_folder, *output_folder;

void set_folders(const char *input, const char *output) {
    input_folder = input;
    output_folder = output;
}

static const char *join(const char *folder, const char *name) {
    static char paths[PATHS][MOST_PATH];
    static int next;
    char *path = paths[next++ % PATHS];
    snprintf(path, MOST_PATH, "%s/%s", folder, name);
    return path;
}

const char *input_path(const char *name) {
    return join(input_folder, name);
}

const char *output_path(const char *name) {
    return join(output_folder, name);
}

void must(dlviz_status status) {
    if (status == DLVIZ_OK)
        return;
    fprintf(stderr, "what has no faults fails: %s\n", dlviz_last_error());
    exit(3);
}

/* -- Data -- */

static uint32_t draw(uint64_t *state) {
    *state = *state * 6364136223846793005U + 1442695040888963407U;
    return (uint32_t)(*state >> 33);
}

static float draw_float(uint64_t *state) {
    return (float)(draw(state) & 0xFFFF) / 65536.0f;
}

dlviz_tensor *make_images(int64_t n, int64_t size, uint64_t seed) {
    dlviz_tensor *images;
    uint64_t state = seed;
    must(dlviz_tensor_create(&images, DLVIZ_UINT8, 4, (int64_t[]){n, 1, size, size}));
    uint8_t *pixels = dlviz_tensor_data(images);
    for (int64_t i = 0; i < n; i++)
        for (int64_t y = 0; y < size; y++)
            for (int64_t x = 0; x < size; x++) {
                int64_t class = i % 3, where = class == 0 ? x : class == 1 ? y : x + y;
                *pixels++ = (uint8_t)((where % 4 < 2 ? 150 : 0) + draw(&state) % 100);
            }
    return images;
}

dlviz_tensor *make_labels(int64_t n, int64_t classes) {
    dlviz_tensor *labels;
    must(dlviz_tensor_create(&labels, DLVIZ_INT64, 1, &n));
    for (int64_t i = 0; i < n; i++)
        ((int64_t *)dlviz_tensor_data(labels))[i] = i % classes;
    return labels;
}

dlviz_tensor *make_points(int64_t n, int64_t d, uint64_t seed) {
    dlviz_tensor *points;
    uint64_t state = seed;
    must(dlviz_tensor_create(&points, DLVIZ_FLOAT32, 2, (int64_t[]){n, d}));
    float *values = dlviz_tensor_float(points);
    for (int64_t i = 0; i < n * d; i++)
        values[i] = draw_float(&state) + (float)(i / d % 3 * (i % d % 2));
    return points;
}

dlviz_dataset *make_dataset(int64_t n, uint64_t seed) {
    dlviz_dataset *dataset;
    dlviz_tensor *images = make_images(n, 8, seed), *labels = make_labels(n, 3);
    must(dlviz_dataset_create(&dataset, images, labels));
    must(dlviz_dataset_set_normalization(dataset, 0.4f, 0.3f));
    must(dlviz_dataset_set_class_names(dataset, 3, (const char *[]){"one", "two", "three"}));
    dlviz_tensor_destroy(images);
    dlviz_tensor_destroy(labels);
    return dataset;
}

/* -- Networks -- */

dlviz_status add_layers(dlviz_network *network, uint64_t seed) {
    dlviz_network_add(network, "conv", dlviz_conv2d(4, 3, DLVIZ_PAD_SAME));
    dlviz_network_add(network, "bn", dlviz_batchnorm());
    dlviz_network_add(network, "relu", dlviz_relu());
    dlviz_network_add(network, "conv2", dlviz_conv2d(4, 3, DLVIZ_PAD_SAME));
    dlviz_network_add_from(network, "sum", dlviz_add(), 2, (const char *[]){"relu", "conv2"});
    dlviz_network_add(network, "pool", dlviz_maxpool2d(2));
    dlviz_network_add(network, "drop", dlviz_dropout(0.25));
    dlviz_network_add(network, "flat", dlviz_flatten());
    dlviz_network_add(network, "fc", dlviz_linear(3));
    return dlviz_network_build(network, seed);
}

dlviz_network *make_network(uint64_t seed) {
    dlviz_network *network;
    must(dlviz_network_create(&network, 3, (int64_t[]){1, 8, 8}));
    must(add_layers(network, seed));
    return network;
}

/* -- Digests: FNV-1a -- */

static uint64_t notes;

void begin_notes(void) {
    notes = 14695981039346656037U;
}

uint64_t noted(void) {
    return notes;
}

void note_bytes(const void *bytes, size_t size) {
    const unsigned char *byte = bytes;
    for (size_t i = 0; i < size; i++)
        notes = (notes ^ byte[i]) * 1099511628211U;
}

void note_number(double value) {
    note_bytes(&value, sizeof value);
}

void note_text(const char *text) {
    note_bytes(text ? text : "", text ? strlen(text) + 1 : 0);
}

void note_tensor(const dlviz_tensor *tensor) {
    note_number(tensor ? (double)dlviz_tensor_num_elements(tensor) : -1);
    if (tensor)
        note_bytes(dlviz_tensor_const_data(tensor),
                   (size_t)dlviz_tensor_num_elements(tensor) *
                       dlviz_dtype_size(dlviz_tensor_dtype(tensor)));
}

void note_network(const dlviz_network *network) {
    for (int64_t i = 0; i < dlviz_network_num_states(network); i++) {
        dlviz_tensor *state;
        must(dlviz_network_get_state(network, dlviz_network_state_name(network, i), &state));
        note_tensor(state);
        dlviz_tensor_destroy(state);
    }
}

/* -- Files -- */

/* Each line but for its last column, which has seconds. */
static void note_history(const char *text) {
    while (*text) {
        size_t line = strcspn(text, "\n"), end = line;
        while (end > 0 && text[end - 1] != ',')
            end--;
        note_bytes(text, end);
        note_number(text[line] == '\n');
        text += line + (text[line] == '\n');
    }
}

static void note_checkpoint(const char *path) {
    dlviz_safetensors *contents;
    if (dlviz_safetensors_open(&contents, path) != DLVIZ_OK) {
        note_text("damaged");
        return;
    }
    for (int64_t i = 0; i < dlviz_safetensors_num_tensors(contents); i++) {
        const char *name = dlviz_safetensors_tensor_name(contents, i);
        dlviz_tensor *tensor;
        note_text(name);
        if (strncmp(name, ".trainer.", 9) == 0)
            continue; /* seconds too */
        must(dlviz_safetensors_get(contents, name, &tensor));
        note_tensor(tensor);
        dlviz_tensor_destroy(tensor);
    }
    dlviz_safetensors_destroy(contents);
}

uint64_t file_digest(const char *path) {
    uint64_t before = notes;
    FILE *file = fopen(path, "rb");
    if (!file)
        return 0;
    char *text = malloc(LARGEST_FILE + 1);
    size_t size = text ? fread(text, 1, LARGEST_FILE, file) : 0;
    fclose(file);
    if (!text)
        abort();
    text[size] = '\0';
    begin_notes();
    if (strstr(path, "history.csv"))
        note_history(text);
    else if (strstr(path, "checkpoint"))
        note_checkpoint(path);
    else
        note_bytes(text, size);
    free(text);
    uint64_t digest = notes;
    notes = before;
    return digest;
}
