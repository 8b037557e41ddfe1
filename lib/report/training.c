/* What a run's network and training were: layers and curves. */
#include "network/network.h"
#include "report/report.h"
#include "train/trainer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* -- The network ---------------------------------------------------------------------------------
 */

static int64_t parameters_of(const dlviz_network *network, const dlz_node *node) {
    int64_t count = 0;
    for (int j = 0; j < node->num_states; j++) {
        const dlz_state *state = &network->states[node->first_state + j];
        count += state->spec.trainable ? state->size : 0;
    }
    return count;
}

/* Into `table`, of which only the layers are used. */
static dlviz_status list_layers(dlviz_report_run *table, const dlviz_network *network) {
    for (int i = 0; i < network->graph.num_nodes; i++) {
        const dlz_node *node = &network->graph.nodes[i];
        DLZ_TRY(dlz_report_add_layer(table, node->name, node->layer->type->name, node->out.ndim,
                                     node->out.dims, parameters_of(network, node)));
    }
    return DLVIZ_OK;
}

static dlviz_status find_layer(const char *who, const dlviz_network *network, const char *layer) {
    bool found;
    dlz_graph_find(&network->graph, layer, &found);
    if (found)
        return DLVIZ_OK;
    char names[400];
    dlz_graph_list_names(&network->graph, names, sizeof names);
    return dlz_fail(DLVIZ_ERROR_NOT_FOUND, "%s: no layer is named '%s'; there are %s", who, layer,
                    names);
}

/* A network's names for the classes, unless the report has some. */
static dlviz_status copy_classes(const char *who, const dlviz_report *report,
                                 const dlviz_network *network, dlz_report_texts *classes) {
    *classes = (dlz_report_texts){0};
    const dlz_data_description *data = &network->data;
    if (!data->class_names || data->num_class_names > DLZ_REPORT_MAX_CLASSES ||
        report->classes.count > 0)
        return DLVIZ_OK;
    return dlz_report_copy_texts(who, data->num_class_names, (const char *const *)data->class_names,
                                 classes);
}

static void take_network(dlviz_report_run *run, dlviz_report_run *table, char *layer,
                         const dlz_report_texts *classes) {
    dlz_report_release_layers(run->layers, run->num_layers);
    run->layers = table->layers;
    run->num_layers = table->num_layers;
    dlz_free(run->layer);
    run->layer = layer;
    if (classes->count > 0)
        run->report->classes = *classes;
}

dlviz_status dlviz_report_run_set_network(dlviz_report_run *run, const dlviz_network *network,
                                          const char *layer) {
    DLZ_REQUIRE(run);
    DLZ_TRY(dlz_require_built(network, __func__));
    DLZ_HOLD_SHARED(&network->busy, "network");
    if (layer)
        DLZ_TRY(find_layer(__func__, network, layer));
    dlz_report_texts classes;
    DLZ_TRY(copy_classes(__func__, run->report, network, &classes));
    dlviz_report_run table = {0};
    char *copy = layer ? dlz_strdup(layer) : NULL;
    dlviz_status status = layer && !copy ? dlz_fail_memory("a layer's name", strlen(layer) + 1)
                                         : list_layers(&table, network);
    if (status == DLVIZ_OK) {
        take_network(run, &table, copy, &classes);
        return DLVIZ_OK;
    }
    dlz_free(copy);
    dlz_report_release_layers(table.layers, table.num_layers);
    dlz_report_release_texts(&classes);
    return status;
}

const char *dlviz_report_run_layer(const dlviz_report_run *run) {
    return run ? run->layer : NULL;
}

/* -- The history ---------------------------------------------------------------------------------
 */

/* Which curve of which panel a figure is; NULL for what no curve is made of. `panel` is a copy, NULL
 * when out of memory. */
static const char *place(const char *figure, char **panel) {
    static const struct {
        const char *begins, *curve;
    } kinds[] = {
        {"train_", "training"}, {"validation_", "validation"}, {"learning_rate", "learning rate"}};
    *panel = NULL;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        size_t length = strlen(kinds[k].begins);
        if (strncmp(figure, kinds[k].begins, length) != 0)
            continue;
        *panel = dlz_strdup(figure[length] ? figure + length : kinds[k].curve);
        for (char *c = *panel; c && *c; c++)
            if (*c == '_')
                *c = ' ';
        return kinds[k].curve;
    }
    return NULL;
}

/* Whether a figure counts the class among so many of the likeliest that it is always among them. */
static bool is_always_right(const dlviz_network *network, const char *figure) {
    static const char *const begins[] = {"train_top", "validation_top"};
    const dlz_node *last = &network->graph.nodes[network->graph.num_nodes - 1];
    for (size_t i = 0; i < sizeof begins / sizeof *begins; i++) {
        size_t length = strlen(begins[i]);
        char *end;
        if (strncmp(figure, begins[i], length) != 0 || figure[length] < '1' || figure[length] > '9')
            continue;
        long long k = strtoll(figure + length, &end, 10);
        return strcmp(end, "_accuracy") == 0 && last->out.ndim > 0 && k >= last->out.dims[0];
    }
    return false;
}

static dlviz_status add_figure(dlviz_report_run *run, const dlviz_trainer *trainer,
                               const char *figure, double *y) {
    int64_t epochs = dlviz_trainer_num_epochs(trainer);
    if (is_always_right(trainer->network, figure))
        return DLVIZ_OK;
    bool any = false;
    for (int64_t e = 0; e < epochs; e++) {
        y[e] = dlviz_trainer_history(trainer, e, figure);
        any |= !isnan(y[e]);
    }
    char *panel;
    const char *curve = place(figure, &panel);
    if (!curve)
        return DLVIZ_OK;
    dlviz_status status = DLVIZ_OK;
    if (!panel)
        status = dlz_fail_memory("a curve", strlen(figure));
    else if (any)
        status = dlz_report_add_curve(run, panel, curve, epochs, NULL, y, true);
    dlz_free(panel);
    return status;
}

static dlviz_status add_figures(dlviz_report_run *run, const dlviz_trainer *trainer) {
    uint64_t epochs = (uint64_t)dlviz_trainer_num_epochs(trainer);
    double *y = dlz_alloc_array(epochs, sizeof *y);
    if (!y)
        return dlz_fail_memory("a curve", epochs * sizeof *y);
    dlviz_status status = DLVIZ_OK;
    for (int64_t i = 0; status == DLVIZ_OK && i < dlviz_trainer_num_figures(trainer); i++)
        status = add_figure(run, trainer, dlviz_trainer_figure_name(trainer, i), y);
    dlz_free(y);
    return status;
}

/* The curves first … count − 1 that came from a trainer, or as they are. */
static void drop_history(dlviz_report_run *run, int64_t first, int64_t end) {
    int64_t kept = first;
    for (int64_t i = first; i < run->num_curves; i++)
        if (i < end && run->curves[i].history)
            dlz_report_release_curve(&run->curves[i]);
        else
            run->curves[kept++] = run->curves[i];
    run->num_curves = kept;
}

dlviz_status dlviz_report_run_set_history(dlviz_report_run *run, const dlviz_trainer *trainer) {
    DLZ_REQUIRE(run);
    DLZ_REQUIRE(trainer);
    DLZ_HOLD_SHARED(&trainer->busy, "trainer");
    int64_t before = run->num_curves;
    dlviz_status status = add_figures(run, trainer);
    if (status == DLVIZ_OK)
        drop_history(run, 0, before);
    else
        drop_history(run, before, run->num_curves);
    return status;
}
