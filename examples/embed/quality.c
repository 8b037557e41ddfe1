/* How faithful a map is, at all points or at a sample of them. A measure that has no meaning for
 * the points at hand is no failure: it is named, and the others are printed. */
#include "embed.h"
#include "../run/interrupt.h"
#include "../run/print.h"
#include "../run/text.h"

#include <stdio.h>
#include <string.h>

enum { NEIGHBORS = 10, MOST_MEASURED = 10000 };

static const char *program;
static struct terminal *terminal;

/* Prints a measure that was taken; false when it failed. */
static bool print_value(const char *name, dlviz_status status, const double *value) {
    wipe(terminal);
    if (status == DLVIZ_OK)
        print("%s %.4f\n", name, *value);
    else if (status != DLVIZ_CANCELLED)
        complain("%s: %s: %s\n", program, name, plain_error());
    return status == DLVIZ_OK;
}

/* Whether there are enough points; else says so. */
static bool enough(const char *name, int64_t n, int64_t least, const char *points) {
    if (n < least)
        complain("%s: no %s: it needs %lld %s, there are %lld\n", program, name, (long long)least,
                 points, (long long)n);
    return n >= least;
}

static bool print_of_points(const dlviz_tensor *points, const dlviz_tensor *map, uint64_t seed) {
    static const struct {
        const char *name;
        dlviz_status (*take)(const dlviz_tensor *, const dlviz_tensor *, int64_t, int64_t, uint64_t,
                             double *, double *);
        int64_t least;
    } measures[] = {
        {"trustworthiness@10", dlviz_metrics_trustworthiness_sampled, 2 * NEIGHBORS + 1},
        {"continuity@10", dlviz_metrics_continuity_sampled, 2 * NEIGHBORS + 1},
        {"neighbor preservation@10", dlviz_metrics_neighbor_preservation_sampled, NEIGHBORS + 1}};
    int64_t n = dlviz_tensor_dim(points, 0);
    bool done = true;
    double value;
    for (int i = 0; i < 3 && !interrupted; i++)
        if (enough(measures[i].name, n, measures[i].least, "points"))
            done &= print_value(
                measures[i].name,
                measures[i].take(points, map, NEIGHBORS, MOST_MEASURED, seed, &value, NULL),
                &value);
    const char *correlation = "distance correlation";
    if (!interrupted && enough(correlation, n, 3, "points"))
        done &= print_value(
            correlation, dlviz_metrics_distance_correlation(points, map, 0, seed, &value), &value);
    return done;
}

static bool print_of_classes(const dlviz_tensor *map, const dlviz_tensor *label, int64_t classes,
                             uint64_t seed) {
    int64_t n = dlviz_tensor_dim(map, 0);
    const char *accuracy = "10-nearest-neighbor accuracy", *silhouette = "silhouette";
    bool done = true;
    double value;
    if (!interrupted && enough(accuracy, n, NEIGHBORS + 1, "points with a class"))
        done &= print_value(accuracy,
                            dlviz_metrics_neighbor_accuracy_sampled(
                                map, label, NEIGHBORS, MOST_MEASURED, seed, &value, NULL),
                            &value);
    if (interrupted)
        return done;
    if (classes >= 2 && classes < n)
        done &= print_value(
            silhouette,
            dlviz_metrics_silhouette_sampled(map, label, MOST_MEASURED, seed, &value, NULL),
            &value);
    else
        complain("%s: no silhouette: it needs 2 classes or more, fewer than points\n", program);
    return done;
}

/* The rows of the map, and the labels, of points that have a class. */
static bool leave_out_noise(const dlviz_tensor *map, const dlviz_tensor *all, int64_t kept,
                            dlviz_tensor **rows, dlviz_tensor **label) {
    int64_t n = dlviz_tensor_dim(map, 0), columns = dlviz_tensor_dim(map, 1), at = 0;
    *label = NULL;
    if (dlviz_tensor_create(rows, DLVIZ_FLOAT32, 2, (int64_t[]){kept, columns}) != DLVIZ_OK ||
        dlviz_tensor_create(label, DLVIZ_INT64, 1, &kept) != DLVIZ_OK) {
        complain("%s: %s\n", program, plain_error());
        return false;
    }
    const int64_t *given = dlviz_tensor_const_data(all);
    int64_t *to = dlviz_tensor_data(*label);
    for (int64_t i = 0; i < n; i++)
        if (given[i] != -1) {
            memcpy(dlviz_tensor_float(*rows) + at * columns,
                   dlviz_tensor_const_float(map) + i * columns, (size_t)columns * sizeof(float));
            to[at++] = given[i];
        }
    return true;
}

bool print_quality(const char *name, struct terminal *shown, const dlviz_tensor *points,
                   const dlviz_tensor *map, const struct labels *labels, uint64_t seed) {
    program = name;
    terminal = shown;
    if (dlviz_tensor_dim(points, 0) > MOST_MEASURED)
        complain("%s: measured at %d points drawn from the %lld\n", program, MOST_MEASURED,
                 (long long)dlviz_tensor_dim(points, 0));
    bool done = print_of_points(points, map, seed);
    if (!labels || interrupted)
        return done && !interrupted;
    if (labels->noise == 0)
        return print_of_classes(map, labels->all, labels->classes, seed) && done && !interrupted;
    complain("%s: classes are measured without the %lld points labeled -1\n", program,
             (long long)labels->noise);
    dlviz_tensor *rows, *label;
    done &=
        leave_out_noise(map, labels->all, dlviz_tensor_num_elements(labels->all) - labels->noise,
                        &rows, &label) &&
        print_of_classes(rows, label, labels->classes, seed);
    dlviz_tensor_destroy(rows);
    dlviz_tensor_destroy(label);
    return done && !interrupted;
}
