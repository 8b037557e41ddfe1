/* bench_repulsion - error and time of each method's repulsion, on maps as they are.
 *
 *     bench_repulsion [--threads N] [--angle X] [--cell X] MAP.npy...
 *
 * MAP.npy: n x 1, 2 or 3, float32. For each method the error of the force (root of the mean square,
 * relative to the force's) and of Z against sums over all pairs in double, and the milliseconds of
 * one computation: the least of many, maps of the same size before it. */
#include "base/parallel.h"
#include "tsne/repulsion.h"

#include <dlviz.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct exact {
    int64_t n;
    int dimensions;
    const float *map;
    double *forces; /* n x dimensions */
    double *sums;   /* n: a point's share of Z */
} exact;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int fail(const char *why) {
    fprintf(stderr, "bench_repulsion: %s\n", why);
    return 1;
}

static void exact_row(void *context, int64_t i, int worker) {
    const exact *e = context;
    const float *map = e->map;
    int dimensions = e->dimensions;
    double force[3] = {0}, sum = -1;
    (void)worker;
    for (int64_t j = 0; j < e->n; j++) {
        double d[3] = {0}, square = 0;
        for (int c = 0; c < dimensions; c++) {
            d[c] = (double)map[i * dimensions + c] - map[j * dimensions + c];
            square += d[c] * d[c];
        }
        double q = 1 / (1 + square);
        sum += q;
        for (int c = 0; c < dimensions; c++)
            force[c] += q * q * d[c];
    }
    memcpy(e->forces + i * dimensions, force, (size_t)dimensions * sizeof *force);
    e->sums[i] = sum;
}

static int measure(const exact *e, const dlz_repulsion_settings *settings, double true_z) {
    static const char *const names[] = {"auto", "exact", "barnes-hut", "grid"};
    float *forces = malloc((size_t)(e->n * e->dimensions) * sizeof *forces);
    dlz_repulsion *repulsion = NULL;
    double z = 0, best = 1e30;
    if (!forces)
        return fail("out of memory");
    if (dlz_repulsion_create(&repulsion, settings) != DLVIZ_OK) {
        free(forces);
        return fail(dlviz_last_error());
    }
    int status = 0;
    double end = now() + 0.5;
    for (int run = 0; status == 0 && (run < 30 || now() < end); run++) {
        double start = now();
        if (dlz_repulsion_compute(repulsion, e->map, forces, &z) != DLVIZ_OK)
            status = fail(dlviz_last_error());
        best = fmin(best, now() - start);
        if (settings->method == DLVIZ_TSNE_METHOD_EXACT && run > 1)
            break;
    }
    double difference = 0, norm = 0;
    for (int64_t i = 0; status == 0 && i < e->n * e->dimensions; i++) {
        difference += pow(forces[i] - e->forces[i], 2);
        norm += e->forces[i] * e->forces[i];
    }
    if (status == 0)
        printf("  %-10s force %.1e  Z %.1e  %8.3f ms\n", names[settings->method],
               sqrt(difference / norm), fabs(z / true_z - 1), 1e3 * best);
    free(forces);
    dlz_repulsion_destroy(repulsion);
    return status;
}

static int measure_file(const char *path, dlz_repulsion_settings settings) {
    dlviz_tensor *map;
    if (dlviz_tensor_read_npy(&map, path) != DLVIZ_OK)
        return fail(dlviz_last_error());
    exact e = {.n = dlviz_tensor_dim(map, 0), .map = dlviz_tensor_const_float(map)};
    e.dimensions = dlviz_tensor_ndim(map) == 2 ? (int)dlviz_tensor_dim(map, 1) : 0;
    int status = 1;
    if (e.map && e.dimensions >= 1 && e.dimensions <= 3) {
        e.forces = malloc((size_t)(e.n * e.dimensions) * sizeof *e.forces);
        e.sums = malloc((size_t)e.n * sizeof *e.sums);
        status = e.forces && e.sums ? 0 : fail("out of memory");
    } else {
        fprintf(stderr, "%s: wanted n x 1, 2 or 3 float32\n", path);
    }
    if (status == 0) {
        dlz_parallel_for(e.n, dlz_threads(), exact_row, &e);
        double z = 0;
        for (int64_t i = 0; i < e.n; i++)
            z += e.sums[i];
        printf("%s: %lld points, %d dimensions\n", path, (long long)e.n, e.dimensions);
        settings.n = e.n;
        settings.dimensions = e.dimensions;
        for (int method = DLVIZ_TSNE_METHOD_EXACT; method <= DLVIZ_TSNE_METHOD_GRID; method++) {
            settings.method = (dlviz_tsne_method_kind)method;
            if (method != DLVIZ_TSNE_METHOD_GRID || e.dimensions < 3)
                status |= measure(&e, &settings, z);
        }
    }
    free(e.forces);
    free(e.sums);
    dlviz_tensor_destroy(map);
    return status;
}

int main(int count, char **words) {
    dlz_repulsion_settings settings = {.a = 1, .angle = 0.5};
    int status = 0, files = 0;
    for (int i = 1; i < count; i++) {
        const char *value = i + 1 < count ? words[i + 1] : "";
        if (!strcmp(words[i], "--threads")) {
            if (dlviz_set_num_threads(atoi(value)) != DLVIZ_OK)
                status = fail(dlviz_last_error());
            i++;
        } else if (!strcmp(words[i], "--angle")) {
            settings.angle = atof(value);
            i++;
        } else if (!strcmp(words[i], "--cell")) {
            settings.cell = atof(value);
            i++;
        } else {
            status |= measure_file(words[i], settings);
            files++;
        }
    }
    if (files == 0) {
        fprintf(stderr, "usage: bench_repulsion [--threads N] [--angle X] [--cell X] MAP.npy...\n");
        return 2;
    }
    return status;
}
