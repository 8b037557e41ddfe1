/* What outputs say: the prediction, how sure it is, and the other probabilities. */
#include "base/parallel.h"
#include "report/report.h"
#include "tensor/tensor.h"

#include <math.h>

enum { ROWS = 1024 /* of a tile */ };

int64_t dlz_report_num_kept(int64_t num_outputs) {
    return num_outputs > DLZ_REPORT_ALL_OUTPUTS ? DLZ_REPORT_LIKELIEST : num_outputs;
}

dlviz_status dlz_report_probabilities_create(int64_t n, int64_t num_outputs,
                                             dlz_report_probabilities *p) {
    int64_t k = dlz_report_num_kept(num_outputs);
    *p = (dlz_report_probabilities){.k = k};
    uint64_t count = (uint64_t)n * (uint64_t)k;
    p->values = dlz_alloc_array(count, 1);
    if (k < num_outputs)
        p->classes = dlz_alloc_array(count, sizeof *p->classes);
    if (p->values && (p->classes || k == num_outputs))
        return DLVIZ_OK;
    dlz_report_probabilities_release(p);
    return dlz_fail_memory("probabilities", count * 3);
}

void dlz_report_probabilities_release(dlz_report_probabilities *p) {
    dlz_free(p->values);
    dlz_free(p->classes);
    *p = (dlz_report_probabilities){0};
}

/* exp(output - largest), and where the largest is infinite what that tends to. */
static double weight(float output, float largest) {
    if (!isfinite(largest))
        return output == largest ? 1 : 0;
    return isnan(output) ? 0 : exp((double)output - (double)largest);
}

static double sum_of_weights(const float *row, int64_t count, float largest) {
    double sum = 0;
    for (int64_t c = 0; c < count; c++)
        sum += weight(row[c], largest);
    return sum > 0 ? sum : 1;
}

static uint8_t of_255(double share) {
    return (uint8_t)floor(255 * share + 0.5);
}

/* The places of the k largest numbers, descending, the first of equal ones before the others. */
static void find_largest(const float *row, int64_t count, int64_t k, uint16_t *places) {
    int64_t found = 0;
    for (int64_t c = 0; c < count; c++) {
        int64_t at = found;
        while (at > 0 &&
               (row[c] > row[places[at - 1]] || (isnan(row[places[at - 1]]) && !isnan(row[c])))) {
            if (at < k)
                places[at] = places[at - 1];
            at--;
        }
        if (at < k)
            places[at] = (uint16_t)c;
        found = dlz_min_i64(found + 1, k);
    }
}

typedef struct work {
    int64_t n, num_outputs;
    const float *outputs;
    dlz_report_frame *frame;
    dlz_report_probabilities *p;
} work;

static void predict_row(const work *w, int64_t i) {
    const float *row = w->outputs + i * w->num_outputs;
    int64_t best = dlz_argmax(row, w->num_outputs), k = w->p->k;
    float largest = row[best];
    double sum = sum_of_weights(row, w->num_outputs, largest);
    w->frame->predictions[i] = (uint16_t)best;
    w->frame->confidence[i] = of_255(weight(largest, largest) / sum);
    uint16_t *classes = w->p->classes ? w->p->classes + i * k : NULL;
    if (classes)
        find_largest(row, w->num_outputs, k, classes);
    for (int64_t j = 0; j < k; j++)
        w->p->values[i * k + j] =
            of_255(sqrt(weight(row[classes ? classes[j] : j], largest) / sum));
}

static void predict_tile(void *context, int64_t tile, int worker) {
    (void)worker;
    const work *w = context;
    int64_t end = dlz_min_i64((tile + 1) * ROWS, w->n);
    for (int64_t i = tile * ROWS; i < end; i++)
        predict_row(w, i);
}

void dlz_report_predict(int64_t n, int64_t num_outputs, const float *outputs,
                        dlz_report_frame *frame, dlz_report_probabilities *p) {
    work w = {n, num_outputs, outputs, frame, p};
    dlz_parallel_for(dlz_ceil_div(n, ROWS), dlz_threads(), predict_tile, &w);
}
