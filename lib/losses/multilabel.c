/* F1, exact match and the area under the ROC curve of numbers that are yes or no. */
#include "base/base.h"
#include "losses/loss.h"
#include "tensor/tensor.h"

#include <math.h>
#include <stdlib.h>

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
    double right = 2 * sums[TRUE_POSITIVES];
    values[0] = right > 0 ? right / (right + sums[FALSE_POSITIVES] + sums[FALSE_NEGATIVES]) : 0;
    values[1] = sums[EXACT] / sums[SAMPLES];
}

/* -- The area under the ROC curve ----------------------------------------------------------------
 */

typedef struct scored {
    float score;
    bool positive;
} scored;

static int by_score(const void *a, const void *b) {
    float x = ((const scored *)a)->score, y = ((const scored *)b)->score;
    return (x > y) - (x < y);
}

/* The share of pairs of a positive and a negative in which the positive has the higher score; a tie
 * counts half. NaN without a pair, or with a score that is NaN. */
static double area(int64_t count, scored *all) {
    for (int64_t i = 0; i < count; i++)
        if (isnan(all[i].score))
            return NAN;
    qsort(all, (size_t)count, sizeof *all, by_score);
    double won = 0, positives = 0, negatives = 0;
    for (int64_t start = 0, end; start < count; start = end) {
        double here = 0, there = 0; /* of one score */
        for (end = start; end < count && all[end].score == all[start].score; end++)
            *(all[end].positive ? &here : &there) += 1;
        won += here * (negatives + 0.5 * there);
        positives += here;
        negatives += there;
    }
    return won / (positives * negatives);
}

static dlviz_status judge(const dlviz_tensor *outputs, const dlviz_tensor *targets,
                          double *values) {
    int64_t n = outputs->dims[0], channels = outputs->dims[1],
            pixels = outputs->size / (n * channels), judged = 0;
    scored *all = dlz_alloc_array((uint64_t)(n * pixels), sizeof *all);
    if (!all)
        return dlz_fail_memory("scores", (uint64_t)(n * pixels) * sizeof *all);
    double sum = 0;
    for (int64_t c = 0; c < channels; c++) {
        int64_t positives = 0;
        for (int64_t i = 0; i < n * pixels; i++) {
            int64_t at = (i / pixels * channels + c) * pixels + i % pixels;
            all[i] = (scored){((const float *)outputs->data)[at],
                              ((const float *)targets->data)[at] >= 0.5f};
            positives += all[i].positive;
        }
        if (positives == 0 || positives == n * pixels)
            continue;
        sum += area(n * pixels, all);
        judged++;
    }
    dlz_free(all);
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
