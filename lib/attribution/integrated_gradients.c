/* The mean gradient on the way from a baseline: M. Sundararajan et al., "Axiomatic attribution for
 * deep networks", 2017. */
#include "attribution/attribution.h"
#include "attribution/way.h"
#include "base/base.h"
#include "base/progress.h"
#include "tensor/tensor.h"

static void aim(void *context, dlz_plan *plan, const int64_t *samples) {
    const dlz_attribution *of = context;
    int64_t targets[DLZ_EVALUATION_BATCH];
    for (int64_t row = 0; row < dlz_plan_run(plan)->n; row++)
        targets[row] = of->targets[samples[row]];
    dlz_attribution_aim(plan, targets);
}

/* What was shared out, less what was to be. */
static dlviz_status find_gaps(const dlz_attribution *of, const dlviz_tensor *baselines,
                              const double *totals, float *gaps) {
    dlviz_tensor *outputs;
    DLZ_TRY(dlz_network_outputs(of->network, baselines, &outputs));
    dlviz_status status = dlz_attribution_check(of->who, "the outputs of baseline", outputs);
    int64_t size = of->outputs->size / of->n;
    const float *ends = of->outputs->data, *starts = outputs->data;
    for (int64_t i = 0; status == DLVIZ_OK && i < of->n; i++) {
        int64_t target = of->targets[i], start = baselines->dims[0] > 1 ? i * size : 0;
        gaps[i] =
            (float)(totals[i] - ((double)ends[i * size + target] - (double)starts[start + target]));
    }
    dlviz_tensor_destroy(outputs);
    return status;
}

/* `gaps` NULL: not wanted. */
static dlviz_status integrate(dlz_attribution *of, const dlviz_tensor *baselines, int64_t num_steps,
                              dlviz_tensor *maps, dlviz_tensor *gaps) {
    dlz_way way = {.network = of->network,
                   .node = of->network->graph.num_nodes - 1,
                   .inputs = of->inputs,
                   .baselines = baselines,
                   .steps = num_steps,
                   .aim = aim,
                   .context = of};
    double *totals = dlz_alloc_array((uint64_t)of->n, sizeof *totals);
    dlviz_status status = totals ? dlz_share_out(&way, maps->data, totals)
                                 : dlz_fail_memory("sums", (uint64_t)of->n * sizeof *totals);
    if (status == DLVIZ_OK)
        status = dlz_attribution_check(of->who, "the map of sample", maps);
    if (status == DLVIZ_OK && gaps)
        status = find_gaps(of, baselines, totals, gaps->data);
    dlz_free(totals);
    return status;
}

/* Makes the results, both or none. */
static dlviz_status with_results(dlz_attribution *of, const dlviz_tensor *baselines,
                                 int64_t num_steps, dlviz_tensor **maps, dlviz_tensor **gaps) {
    dlviz_tensor *map, *gap = NULL;
    DLZ_TRY(dlz_tensor_create_raw(&map, DLVIZ_FLOAT32, of->inputs->ndim, of->inputs->dims));
    dlviz_status status = DLVIZ_OK;
    if (gaps)
        status = dlz_tensor_create_raw(&gap, DLVIZ_FLOAT32, 1, &of->n);
    if (status == DLVIZ_OK)
        status = integrate(of, baselines, num_steps, map, gap);
    if (status != DLVIZ_OK) {
        dlviz_tensor_destroy(map);
        dlviz_tensor_destroy(gap);
        return status;
    }
    *maps = map;
    if (gaps)
        *gaps = gap;
    return DLVIZ_OK;
}

static dlviz_status from_baselines(dlz_attribution *of, const dlviz_tensor *baselines,
                                   int64_t num_steps, dlviz_tensor **maps, dlviz_tensor **gaps) {
    dlviz_tensor *taken;
    DLZ_TRY(dlz_take_baselines(of->who, of->inputs, baselines, &taken));
    dlviz_status status = with_results(of, taken, num_steps, maps, gaps);
    dlviz_tensor_destroy(taken);
    return status;
}

dlviz_status dlviz_network_integrated_gradients(dlviz_network *network, const dlviz_tensor *inputs,
                                                const dlviz_tensor *baselines,
                                                const dlviz_tensor *targets, int64_t num_steps,
                                                dlviz_tensor **maps, dlviz_tensor **gaps) {
    if (gaps)
        *gaps = NULL;
    DLZ_REQUIRE_OUT(maps);
    DLZ_USE_STATES(__func__, network);
    DLZ_TASK("integrated gradients");
    DLZ_TRY(dlz_check_steps(__func__, num_steps));
    dlz_attribution of;
    dlviz_status status =
        dlz_attribution_begin(&of, __func__, network, inputs, targets, gaps != NULL);
    if (status == DLVIZ_OK)
        status = from_baselines(&of, baselines, num_steps, maps, gaps);
    dlz_attribution_end(&of);
    return status;
}
