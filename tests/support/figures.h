/* support/figures.h - small figures of each kind, for tests. */
#ifndef DLZ_TESTS_FIGURES_H
#define DLZ_TESTS_FIGURES_H

#include "support/support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static inline dlviz_tensor *tensor_of(dlviz_dtype dtype, int ndim, const int64_t *dims) {
    dlviz_tensor *tensor;
    ck_ok(dlviz_tensor_create(&tensor, dtype, ndim, dims));
    return tensor;
}

/* n points, class i % classes, each class a disc of its own on a circle. */
static inline void make_map(int64_t n, int classes, dlviz_tensor **map, dlviz_tensor **labels) {
    *map = tensor_of(DLVIZ_FLOAT32, 2, (int64_t[]){n, 2});
    *labels = tensor_of(DLVIZ_INT64, 1, &n);
    float *points = dlviz_tensor_float(*map);
    fill_uniform(points, 2 * n, 3);
    for (int64_t i = 0; i < n; i++) {
        int64_t class = i % classes;
        ((int64_t *)dlviz_tensor_data(*labels))[i] = class;
        points[2 * i] += (float)(8 * cos(2 * M_PI * (double)class / classes));
        points[2 * i + 1] += (float)(8 * sin(2 * M_PI * (double)class / classes));
    }
}

/* As large as curves and matrices are. */
static inline dlviz_figure *scatter_figure(int64_t n, int classes) {
    dlviz_tensor *map, *labels;
    make_map(n, classes, &map, &labels);
    dlviz_figure *figure;
    ck_ok(dlviz_figure_create_scatter(&figure, map, labels));
    ck_ok(dlviz_figure_set_size(figure, 1200, 1600));
    dlviz_tensor_destroy(map);
    dlviz_tensor_destroy(labels);
    return figure;
}

static inline dlviz_figure *curves_figure(int64_t epochs) {
    double falling[40], rate[40];
    for (int i = 0; i < 40; i++) {
        falling[i] = exp(-i / 4.0) + 0.0125;
        rate[i] = i < 9 ? 1e-3 : 1e-4;
    }
    dlviz_figure *figure;
    ck_ok(dlviz_figure_create_curves(&figure));
    ck_ok(dlviz_figure_add_curve(figure, "loss", "training", epochs, NULL, falling));
    ck_ok(dlviz_figure_add_curve(figure, "loss", "validation", epochs, NULL, falling + 1));
    ck_ok(dlviz_figure_add_curve(figure, "learning rate", "learning rate", epochs, NULL, rate));
    ck_ok(dlviz_figure_set_log_scale(figure, "learning rate", true));
    return figure;
}

static inline dlviz_figure *matrix_figure(int64_t classes) {
    dlviz_tensor *counts = tensor_of(DLVIZ_INT64, 2, (int64_t[]){classes, classes});
    int64_t *values = dlviz_tensor_data(counts);
    for (int64_t i = 0; i < classes; i++) {
        values[i * classes + i] = 990 + i % 7;
        values[i * classes + (i * 3 + 1) % classes] += i % 4;
    }
    dlviz_figure *figure;
    ck_ok(dlviz_figure_create_matrix(&figure, counts));
    dlviz_tensor_destroy(counts);
    return figure;
}

static inline dlviz_figure *images_figure(int ndim, const int64_t *dims) {
    dlviz_tensor *images = tensor_of(DLVIZ_FLOAT32, ndim, dims);
    fill_uniform(dlviz_tensor_float(images), dlviz_tensor_num_elements(images), 5);
    dlviz_figure *figure;
    ck_ok(dlviz_figure_create_images(&figure, images));
    dlviz_tensor_destroy(images);
    return figure;
}

static inline char *read_text(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    ck_assert_msg(file != NULL, "no file %s", path);
    fseek(file, 0, SEEK_END);
    *size = (size_t)ftell(file);
    rewind(file);
    char *text = malloc(*size + 1);
    ck_assert_uint_eq(fread(text, 1, *size, file), *size);
    text[*size] = '\0';
    fclose(file);
    return text;
}

/* n images with two heat maps each, the second of half the size. */
static inline dlviz_figure *heat_maps_figure(int64_t n) {
    dlviz_figure *figure = images_figure(3, (int64_t[]){n, 6, 6});
    for (int64_t size = 6; size >= 3; size -= 3) {
        dlviz_tensor *maps = tensor_of(DLVIZ_FLOAT32, 3, (int64_t[]){n, size, size});
        fill_uniform(dlviz_tensor_float(maps), dlviz_tensor_num_elements(maps), 7);
        ck_ok(dlviz_figure_add_heat_maps(figure, size == 6 ? "saliency" : NULL, maps));
        dlviz_tensor_destroy(maps);
    }
    return figure;
}

#endif
