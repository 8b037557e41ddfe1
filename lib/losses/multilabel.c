/* F1, exact match and the area under the ROC curve of numbers that are yes or no. */
#include "base/base.h"
#include "losses/loss.h"
#include "scores/curve.h"
#include "scores/hits.h"
#include "tensor/tensor.h"

#include <math.h>

enum { SAMPLES, EXACT, TRUE_POSITIVES, FALSE_POSITIVES, FALSE_NEGATIVES, NUM_SUMS };

static int64_t num_sums(const dlviz_loss *loss, const dlz_shape *shape) {
    (void)loss;
    (void)shape;
    return NUM_SUMS;
}

static dlviz_status add(const dlviz_loss *loss, const dlz_loss_batch *batch, double *sums) {
    (void)loss;
    for (int64_t i = 0; i < batch->n; i++) {
        const float *outputs = batch->outputs + i * batch->size;
        const float *targets = batch->targets + i * batch->size;
        int64_t both = 0, wrongly = 0, missed = 0;
        for (int64_t j = 0; j < batch->size; j++) {
            bool is = targets[j] >= 0.5f, said = outputs[j] > 0;
            both += is && said;
            wrongly += said && !is;
            missed += is && !said;
        }
        sums[SAMPLES] += 1;
        sums[EXACT] += wrongly + missed == 0;
        sums[TRUE_POSITIVES] += (double)both;
        sums[FALSE_POSITIVES] += (double)wrongly;
        sums[FALSE_NEGATIVES] += (double)missed;
    }
    return DLVIZ_OK;
}

static void finish(const dlviz_loss *loss, const dlz_shape *shape, const double *sums,
                   double *values) {
    (void)loss;
    (void)shape;
    values[0] = dlz_f1((dlz_hits){(int64_t)sums[TRUE_POSITIVES], (int64_t)sums[FALSE_POSITIVES],
                                  (int64_t)sums[FALSE_NEGATIVES]});
    values[1] = sums[EXACT] / sums[SAMPLES];
}

/* -- The area under the ROC curve ----------------------------------------------------------------
 */

static dlviz_status judge(const dlviz_tensor *outputs, const dlviz_tensor *targets,
                          double *values) {
    const float *scores = outputs->data, *wanted = targets->data;
    int64_t n = outputs->dims[0], channels = outputs->dims[1],
            pixels = outputs->size / (n * channels), count = n * pixels, judged = 0;
    uint64_t *scored = dlz_alloc_array((uint64_t)count, 2 * sizeof *scored);
    if (!scored)
        return dlz_fail_memory("scores", (uint64_t)count * 2 * sizeof *scored);
    double sum = 0;
    for (int64_t c = 0; c < channels; c++) {
        int64_t positives = 0;
        bool unknown = false;
        for (int64_t i = 0; i < count; i++) {
            int64_t at = (i / pixels * channels + c) * pixels + i % pixels;
            bool positive = wanted[at] >= 0.5f;
            scored[i] = dlz_scored(scores[at], positive);
            positives += positive;
            unknown |= isnan(scores[at]);
        }
        if (positives == 0 || positives == count)
            continue;
        dlz_scored_sort(count, scored, scored + count);
        sum += unknown ? NAN : dlz_roc_area(count, scored);
        judged++;
    }
    dlz_free(scored);
    values[0] = judged > 0 ? sum / (double)judged : NAN;
    return DLVIZ_OK;
}

static const char *const names[] = {"f1", "exact_match", "auc"};

const dlz_metrics dlz_multilabel_metrics = {
    .count = 3,
    .num_whole = 1,
    .names = names,
    .num_sums = num_sums,
    .add = add,
    .finish = finish,
    .judge = judge,
};
