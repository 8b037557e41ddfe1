/* What is said of a run beside its maps: facts, measures, curves, layers. */
#include "report/report.h"
#include "base/grow.h"

#include <math.h>
#include <string.h>

/* `items` of this size with room for one more; NULL when out of memory, and the old ones stay. */
static void *grow(void *items, int64_t count, size_t size) {
    void *more = dlz_list_grow(items, count, 1, size);
    if (!more)
        dlz_fail_memory("a line of a report", ((uint64_t)count + 1) * size);
    return more;
}

/* Two texts, or neither. */
static dlviz_status copy_both(const char *a, const char *b, char **copy_a, char **copy_b) {
    *copy_a = dlz_strdup(a);
    *copy_b = dlz_strdup(b);
    if (*copy_a && *copy_b)
        return DLVIZ_OK;
    dlz_free(*copy_a);
    dlz_free(*copy_b);
    return dlz_fail_memory("a line of a report", strlen(a) + strlen(b) + 2);
}

dlviz_status dlz_report_add_fact(dlviz_report_run *run, const char *name, const char *value) {
    char *(*all)[2] = grow(run->facts, run->num_facts, sizeof *all);
    if (!all)
        return DLVIZ_ERROR_OUT_OF_MEMORY;
    run->facts = all;
    DLZ_TRY(copy_both(name, value, &all[run->num_facts][0], &all[run->num_facts][1]));
    run->num_facts++;
    return DLVIZ_OK;
}

dlviz_status dlviz_report_run_add_fact(dlviz_report_run *run, const char *name, const char *value) {
    DLZ_REQUIRE(run);
    DLZ_TRY(dlz_report_check_text(__func__, "name", name));
    DLZ_TRY(dlz_report_check_text(__func__, "value", value));
    return dlz_report_add_fact(run, name, value);
}

int64_t dlviz_report_run_num_facts(const dlviz_report_run *run) {
    return run ? run->num_facts : 0;
}

void dlviz_report_run_fact(const dlviz_report_run *run, int64_t index, const char **name,
                           const char **value) {
    bool there = index >= 0 && index < dlviz_report_run_num_facts(run);
    if (name)
        *name = there ? run->facts[index][0] : NULL;
    if (value)
        *value = there ? run->facts[index][1] : NULL;
}

dlviz_status dlz_report_add_measure(dlviz_report_run *run, const char *name, const char *unit,
                                    const char *meaning, const double values[3]) {
    dlz_report_measure *all = grow(run->measures, run->num_measures, sizeof *all);
    if (!all)
        return DLVIZ_ERROR_OUT_OF_MEMORY;
    run->measures = all;
    dlz_report_measure *measure = &all[run->num_measures];
    DLZ_TRY(copy_both(name, unit, &measure->name, &measure->unit));
    measure->meaning = meaning ? dlz_strdup(meaning) : NULL;
    if (meaning && !measure->meaning) {
        dlz_free(measure->name);
        dlz_free(measure->unit);
        return dlz_fail_memory("what a measure means", strlen(meaning) + 1);
    }
    measure->value = values[0];
    measure->untrained = values[1];
    measure->pixels = values[2];
    run->num_measures++;
    return DLVIZ_OK;
}

dlviz_status dlviz_report_run_add_measure(dlviz_report_run *run, const char *name, const char *unit,
                                          const char *meaning, double value, double untrained,
                                          double pixels) {
    DLZ_REQUIRE(run);
    DLZ_TRY(dlz_report_check_text(__func__, "name", name));
    DLZ_TRY(dlz_report_check_text(__func__, "unit", unit));
    if (meaning)
        DLZ_TRY(dlz_report_check_text(__func__, "meaning", meaning));
    return dlz_report_add_measure(run, name, unit, meaning, (double[]){value, untrained, pixels});
}

int64_t dlviz_report_run_num_measures(const dlviz_report_run *run) {
    return run ? run->num_measures : 0;
}

void dlviz_report_run_measure(const dlviz_report_run *run, int64_t index, const char **name,
                              const char **unit, const char **meaning, double *value,
                              double *untrained, double *pixels) {
    dlz_report_measure measure = {NULL, NULL, NULL, NAN, NAN, NAN};
    if (index >= 0 && index < dlviz_report_run_num_measures(run))
        measure = run->measures[index];
    if (name)
        *name = measure.name;
    if (unit)
        *unit = measure.unit;
    if (meaning)
        *meaning = measure.meaning;
    if (value)
        *value = measure.value;
    if (untrained)
        *untrained = measure.untrained;
    if (pixels)
        *pixels = measure.pixels;
}

/* -- Curves --------------------------------------------------------------------------------------
 */

void dlz_report_release_curve(dlz_report_curve *curve) {
    dlz_free(curve->panel);
    dlz_free(curve->name);
    dlz_free(curve->x);
    dlz_free(curve->y);
}

dlviz_status dlz_report_add_curve(dlviz_report_run *run, const char *panel, const char *name,
                                  int64_t count, const double *x, const double *y, bool history) {
    dlz_report_curve *all = grow(run->curves, run->num_curves, sizeof *all);
    if (!all)
        return DLVIZ_ERROR_OUT_OF_MEMORY;
    run->curves = all;
    dlz_report_curve curve = {.count = count, .history = history};
    DLZ_TRY(copy_both(panel, name, &curve.panel, &curve.name));
    curve.x = dlz_alloc_array((uint64_t)count, sizeof *curve.x);
    curve.y = dlz_alloc_array((uint64_t)count, sizeof *curve.y);
    if (!curve.x || !curve.y) {
        dlz_report_release_curve(&curve);
        return dlz_fail_memory("a curve", (uint64_t)count * 2 * sizeof *curve.x);
    }
    for (int64_t i = 0; i < count; i++) {
        curve.x[i] = x ? x[i] : (double)(i + 1);
        curve.y[i] = y[i];
    }
    all[run->num_curves++] = curve;
    return DLVIZ_OK;
}

dlviz_status dlviz_report_run_add_curve(dlviz_report_run *run, const char *panel, const char *name,
                                        int64_t num_points, const double *x, const double *y) {
    DLZ_REQUIRE(run);
    DLZ_TRY(dlz_report_check_text(__func__, "panel", panel));
    DLZ_TRY(dlz_report_check_text(__func__, "name", name));
    DLZ_REQUIRE(y);
    if (num_points < 1)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: %lld points; 1 or more are needed",
                        __func__, (long long)num_points);
    for (int64_t i = 0; x && i < num_points; i++)
        if (!isfinite(x[i]))
            return dlz_fail(DLVIZ_ERROR_NUMERIC, "%s: x[%lld] is %g, which is not finite", __func__,
                            (long long)i, x[i]);
    return dlz_report_add_curve(run, panel, name, num_points, x, y, false);
}

int64_t dlviz_report_run_num_curves(const dlviz_report_run *run) {
    return run ? run->num_curves : 0;
}

void dlviz_report_run_curve(const dlviz_report_run *run, int64_t index, const char **panel,
                            const char **name, int64_t *num_points, const double **x,
                            const double **y) {
    dlz_report_curve curve = {0};
    if (index >= 0 && index < dlviz_report_run_num_curves(run))
        curve = run->curves[index];
    if (panel)
        *panel = curve.panel;
    if (name)
        *name = curve.name;
    if (num_points)
        *num_points = curve.count;
    if (x)
        *x = curve.x;
    if (y)
        *y = curve.y;
}

/* -- Layers --------------------------------------------------------------------------------------
 */

dlviz_status dlz_report_add_layer(dlviz_report_run *run, const char *name, const char *type,
                                  int ndim, const int64_t *dims, int64_t parameters) {
    dlz_report_layer *all = grow(run->layers, run->num_layers, sizeof *all);
    if (!all)
        return DLVIZ_ERROR_OUT_OF_MEMORY;
    run->layers = all;
    dlz_report_layer *layer = &all[run->num_layers];
    *layer = (dlz_report_layer){.ndim = ndim, .parameters = parameters};
    for (int i = 0; i < ndim; i++)
        layer->dims[i] = dims[i];
    DLZ_TRY(copy_both(name, type, &layer->name, &layer->type));
    run->num_layers++;
    return DLVIZ_OK;
}

void dlz_report_release_layers(dlz_report_layer *layers, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        dlz_free(layers[i].name);
        dlz_free(layers[i].type);
    }
    dlz_free(layers);
}

void dlz_report_release_facts(dlviz_report_run *run) {
    for (int64_t i = 0; i < run->num_facts; i++) {
        dlz_free(run->facts[i][0]);
        dlz_free(run->facts[i][1]);
    }
    dlz_free(run->facts);
    for (int64_t i = 0; i < run->num_measures; i++) {
        dlz_free(run->measures[i].name);
        dlz_free(run->measures[i].unit);
        dlz_free(run->measures[i].meaning);
    }
    dlz_free(run->measures);
    for (int64_t i = 0; i < run->num_curves; i++)
        dlz_report_release_curve(&run->curves[i]);
    dlz_free(run->curves);
    dlz_report_release_layers(run->layers, run->num_layers);
}
