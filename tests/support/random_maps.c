#include "support/random_maps.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static double random_power(dlz_random *random, double least, double most) {
    return pow(10, least + (most - least) * dlz_random_double(random));
}

random_map make_random_map(dlz_random *random, int64_t most, double farthest) {
    random_map map = {.n = random_chance(random, 0.15) ? random_between(random, 2, 64)
                                                       : random_between(random, 65, most),
                      .dimensions = (int)random_between(random, 1, 3),
                      .spread = random_power(random, -6, log10(farthest) - 0.7)};
    int64_t n = map.n, clusters = random_chance(random, 0.5) ? 1 : random_between(random, 2, 9);
    int dimensions = map.dimensions;
    bool line = random_chance(random, 0.1);
    double width = clusters == 1 ? 1 : 0.1, centers[9][3];
    map.values = malloc((size_t)(n * dimensions) * sizeof *map.values);
    for (int k = 0; k < 9; k++)
        for (int c = 0; c < 3; c++)
            centers[k][c] = clusters == 1 ? 0 : dlz_random_double(random) - 0.5;
    for (int64_t i = 0; i < n; i++) {
        int64_t cluster = random_between(random, 0, clusters - 1);
        double along = dlz_random_double(random) - 0.5;
        for (int c = 0; c < dimensions; c++)
            map.values[i * dimensions + c] =
                (float)(map.spread *
                        (line ? along * (c + 1)
                              : centers[cluster][c] + width * (dlz_random_double(random) +
                                                               dlz_random_double(random) - 1)));
    }
    if (random_chance(random, 0.4))
        map.copies = random_between(random, 1, n);
    int64_t original = random_between(random, 0, n - 1);
    bool single = random_chance(random, 0.5);
    for (int64_t i = 0; i < map.copies; i++) {
        int64_t to = random_between(random, 0, n - 1);
        memmove(map.values + to * dimensions,
                map.values + (single ? original : random_between(random, 0, n - 1)) * dimensions,
                (size_t)dimensions * sizeof *map.values);
    }
    if (random_chance(random, 0.3))
        map.outliers = random_between(random, 1, 3);
    for (int64_t i = 0; i < map.outliers; i++) {
        int64_t to = random_between(random, 0, n - 1);
        double distance = fmin(map.spread * random_power(random, 1, 8), farthest);
        for (int c = 0; c < dimensions; c++)
            map.values[to * dimensions + c] =
                (float)(distance * (2 * dlz_random_double(random) - 1));
    }
    return map;
}

void free_random_map(random_map *map) {
    free(map->values);
    *map = (random_map){0};
}

const char *describe_random_map(const random_map *map) {
    static char text[200];
    snprintf(text, sizeof text, "%lld points, %d dimensions, spread %g, %lld copies, %lld outliers",
             (long long)map->n, map->dimensions, map->spread, (long long)map->copies,
             (long long)map->outliers);
    return text;
}

random_graph make_random_graph(dlz_random *random, int64_t n) {
    random_graph graph = {.n = n};
    int64_t degree = random_between(random, 1, n - 1 < 20 ? n - 1 : 20), entries = 0;
    if (random_chance(random, 0.5))
        graph.hubs = random_between(random, 1, 3);
    int64_t hubs[3], first = random_between(random, 0, n - 1);
    for (int h = 0; h < 3; h++)
        hubs[h] = (first + h * 7) % n;
    bool turned = random_chance(random, 0.3); /* long rows instead of long columns */
    double magnitude = random_power(random, -12, 12), range = random_chance(random, 0.3) ? 3 : 0.3;
    graph.offsets = calloc((size_t)n + 1, sizeof *graph.offsets);
    graph.columns = malloc((size_t)(n * (degree + 4) + 3 * n) * sizeof *graph.columns);
    graph.values = malloc((size_t)(n * (degree + 4) + 3 * n) * sizeof *graph.values);
    char *taken = malloc((size_t)n);
    for (int64_t row = 0; row < n; row++) {
        int64_t start = entries;
        memset(taken, 0, (size_t)n);
        taken[row] = 1;
        for (int64_t i = 0; i < degree; i++) {
            int64_t column = random_between(random, 0, n - 1);
            if (!taken[column])
                graph.columns[entries++] = (int32_t)column;
            taken[column] = 1;
        }
        for (int64_t h = 0; h < graph.hubs; h++) {
            if (!turned && !taken[hubs[h]])
                graph.columns[entries++] = (int32_t)hubs[h];
            taken[hubs[h]] |= !turned;
            for (int64_t column = 0; turned && row == hubs[h] && column < n; column++)
                if (!taken[column]) {
                    graph.columns[entries++] = (int32_t)column;
                    taken[column] = 1;
                }
        }
        for (int64_t e = start; e < entries; e++)
            graph.values[e] = random_chance(random, 0.05)
                                  ? 0
                                  : (float)(magnitude * random_power(random, -range, range));
        graph.offsets[row + 1] = entries;
    }
    if (entries == 0) {
        graph.columns[entries++] = (int32_t)(n - 2);
        graph.offsets[n] = entries;
    }
    graph.values[0] = (float)magnitude; /* not all of them 0 */
    free(taken);
    return graph;
}

void free_random_graph(random_graph *graph) {
    free(graph->offsets);
    free(graph->columns);
    free(graph->values);
    *graph = (random_graph){0};
}

const char *describe_random_graph(const random_graph *graph) {
    static char text[100];
    snprintf(text, sizeof text, "%lld affinities, %lld hubs", (long long)graph->offsets[graph->n],
             (long long)graph->hubs);
    return text;
}

dlviz_tensor *make_random_points(dlz_random *random, int64_t most) {
    int64_t n = random_between(random, 20, most), d = random_between(random, 1, 30);
    int64_t clusters = random_between(random, 1, 5);
    bool whole = random_chance(random, 0.25), centered = random_chance(random, 0.3);
    double apart = random_power(random, -0.5, 1.5),
           unit = whole ? 1 : random_power(random, -18, 15);
    double centers[5][30], units[30];
    for (int64_t c = 0; c < d; c++) {
        units[c] = random_chance(random, 0.1) ? 0 : 1;
        if (!whole && random_chance(random, 0.2))
            units[c] = random_power(random, -2, 2);
        for (int k = 0; k < 5; k++)
            centers[k][c] = apart * dlz_random_normal(random);
    }
    dlviz_tensor *points;
    ck_ok(dlviz_tensor_create(&points, DLVIZ_FLOAT32, 2, (int64_t[]){n, d}));
    float *values = dlviz_tensor_float(points);
    for (int64_t i = 0; i < n; i++) {
        int64_t k = i % clusters;
        double length = 1e-9, direction[30];
        for (int64_t c = 0; c < d; c++) {
            direction[c] = dlz_random_normal(random);
            length += direction[c] * direction[c];
        }
        /* Points on a sphere are all nearer to its center than to each other. */
        double factor = centered ? (i < clusters ? 0 : 2 / sqrt(length)) : 1;
        for (int64_t c = 0; c < d; c++) {
            double value = centers[k][c] + factor * direction[c];
            values[i * d + c] = (float)(units[c] * unit * (whole ? round(value) : value));
        }
    }
    int64_t equal = random_chance(random, 0.4) ? random_between(random, 2, n) : 0;
    int64_t kinds = random_between(random, 1, 4);
    for (int64_t i = 0; i < equal; i++)
        memmove(values + random_between(random, 0, n - 1) * d,
                values + random_between(random, 0, kinds - 1) * d, (size_t)d * sizeof *values);
    return points;
}
