#include "layers/resample_op.h"
#include "base/base.h"
#include "base/parallel.h"
#include "onnx/onnx.h"

#include <assert.h>

/* Numbers a tile reads or writes, about. */
#define TILE 16384
/* Of an axis: a file may ask for any number of them, and they are counted one by one. */
#define MOST_TAPS (INT64_C(1) << 24)

/* -- What the axes are made of --------------------------------------------------------------------
 */

void dlz_axis_tap(dlz_axis_writer *to, int64_t at, double weight) {
    if (to->axis.taps)
        to->axis.taps[to->taps] = (dlz_tap){(int32_t)at, (float)weight};
    to->taps++;
}

bool dlz_axis_end(dlz_axis_writer *to, int64_t divisor) {
    if (to->axis.taps) {
        to->axis.divisors[to->outputs] = (float)divisor;
        to->axis.first[to->outputs + 1] = (int32_t)to->taps;
    }
    to->outputs++;
    return to->taps <= MOST_TAPS;
}

static int64_t extent(const dlz_value *value, int axis) {
    return axis == 0 ? value->height : value->width;
}

static const dlz_resample_type *type_of(const dlz_op *op) {
    return (const dlz_resample_type *)op->type;
}

static void describe(const dlz_op *op, int axis, dlz_axis_writer *to) {
    type_of(op)->describe(op->layer, axis, extent(op->in, axis), extent(op->out, axis), to);
}

static dlviz_status ask_axis(dlz_axis *axis, int64_t outputs, int64_t taps, int first, int last,
                             dlz_memory *memory) {
    DLZ_TRY(
        dlz_memory_ask_array(memory, &axis->first, outputs + 1, sizeof *axis->first, first, last));
    return dlz_memory_ask_array(memory, &axis->taps, taps + 1, sizeof *axis->taps, first, last);
}

dlviz_status dlz_resample_plan(dlz_op *op, const dlz_setup *setup) {
    dlz_resample_op *own = op->own;
    bool backward = setup->mode.gradients && op->in->needs_gradient;
    int first = setup->forward_time, last = backward ? setup->backward_time : first;
    for (int axis = 0; axis < 2; axis++) {
        int64_t outputs = extent(op->out, axis);
        dlz_axis_writer count = {.outputs = 0};
        describe(op, axis, &count);
        if (count.taps > MOST_TAPS)
            return dlz_fail(DLVIZ_ERROR_SHAPE,
                            "the windows of all places hold more than %lld numbers in one row or "
                            "column",
                            (long long)MOST_TAPS);
        DLZ_TRY(ask_axis(&own->forward[axis], outputs, count.taps, first, last, setup->memory));
        DLZ_TRY(dlz_memory_ask_array(setup->memory, &own->forward[axis].divisors, outputs,
                                     sizeof(float), first, last));
        if (backward)
            DLZ_TRY(ask_axis(&own->backward[axis], extent(op->in, axis), count.taps, last, last,
                             setup->memory));
    }
    DLZ_TRY(dlz_op_ask_output(op, setup));
    return dlz_op_ask_input_gradients(op, setup);
}

/* The other way round: each input's taps are the outputs that it is in, in their order. */
static void turn_round(const dlz_axis *axis, int64_t outputs, int64_t inputs, dlz_axis *back) {
    int32_t *first = back->first;
    for (int64_t i = 0; i <= inputs; i++)
        first[i] = 0;
    for (int32_t i = 0; i < axis->first[outputs]; i++)
        first[axis->taps[i].at + 1]++;
    for (int64_t i = 0; i < inputs; i++)
        first[i + 1] += first[i];
    /* Fill each list from its start, which moves to the next one's; then move all back. */
    for (int64_t o = 0; o < outputs; o++)
        for (int32_t i = axis->first[o]; i < axis->first[o + 1]; i++)
            back->taps[first[axis->taps[i].at]++] =
                (dlz_tap){(int32_t)o, axis->taps[i].weight / axis->divisors[o]};
    for (int64_t i = inputs; i > 0; i--)
        first[i] = first[i - 1];
    first[0] = 0;
}

/* -- Running --------------------------------------------------------------------------------------
 */

typedef struct resample_pass {
    dlz_resample resample;
    dlz_frame frame;
    bool framed;
    const dlz_resample_table *kernel;
    const float *from;
    float *to;
    int64_t from_size, to_size; /* of one sample */
    /* A tile is some rows of a sample, or all of some samples. */
    int64_t samples, samples_together, rows, rows_together, tiles_together;
} resample_pass;

static void run_tile(void *context, int64_t tile, int worker) {
    (void)worker;
    const resample_pass *pass = context;
    int64_t sample = tile / pass->tiles_together * pass->samples_together;
    int64_t end = dlz_min_i64(sample + pass->samples_together, pass->samples);
    int64_t first = tile % pass->tiles_together * pass->rows_together;
    int64_t last = dlz_min_i64(first + pass->rows_together, pass->rows);
    for (; sample < end; sample++) {
        const float *from = pass->from + sample * pass->from_size;
        float *to = pass->to + sample * pass->to_size;
        if (pass->framed)
            pass->kernel->frame(&pass->frame, from, first, last, to);
        else
            pass->kernel->rows(&pass->resample, from, first, last, to);
    }
}

/* Whether an axis is a run of places that are copies of as many in the source, one beside the other,
 * and before and after it of nothing. *at: the source's place of the first. */
static bool find_copied(const dlz_axis *axis, int64_t outputs, int64_t *first, int64_t *end,
                        int64_t *at) {
    *first = *end = *at = 0;
    for (int64_t i = 0; i < outputs; i++) {
        const dlz_tap *tap = axis->taps + axis->first[i];
        int32_t taps = axis->first[i + 1] - axis->first[i];
        if (taps == 0)
            continue;
        if (taps > 1 || tap->weight != 1 || (axis->divisors && axis->divisors[i] != 1))
            return false;
        if (*end == 0) {
            *first = *end = i;
            *at = tap->at;
        }
        if (*end != i || tap->at != *at + (i - *first))
            return false;
        *end = i + 1;
    }
    return true;
}

static bool find_frame(const dlz_resample *resample, int64_t height, dlz_frame *frame) {
    int64_t channels = resample->channels, row, column;
    if (!find_copied(&resample->rows, height, &frame->top, &frame->bottom, &row) ||
        !find_copied(&resample->columns, resample->out_width, &frame->left, &frame->right, &column))
        return false;
    frame->left *= channels;
    frame->right *= channels;
    frame->in_row = resample->in_width * channels;
    frame->out_row = resample->out_width * channels;
    frame->start = row * frame->in_row + column * channels;
    frame->empty = resample->empty;
    return true;
}

/* `from` and `to` say the shapes alone. */
static void resample(const dlz_run *run, const dlz_axis axes[2], float empty, const dlz_value *from,
                     const float *source, const dlz_value *to, float *result) {
    resample_pass pass = {
        .resample = {.in_width = from->width,
                     .out_width = to->width,
                     .channels = to->channels,
                     .rows = axes[0],
                     .columns = axes[1],
                     .empty = empty},
        .kernel = dlz_resample_kernel(),
        .from = source,
        .to = result,
        .from_size = dlz_value_size(from),
        .to_size = dlz_value_size(to),
        .samples = run->n,
        .rows = to->height,
    };
    assert(pass.rows > 0);
    int64_t work = dlz_max_i64(pass.from_size, pass.to_size) / pass.rows + 1;
    pass.framed = find_frame(&pass.resample, pass.rows, &pass.frame);
    pass.rows_together = dlz_min_i64(dlz_ceil_div(TILE, work), pass.rows);
    pass.tiles_together = dlz_ceil_div(pass.rows, pass.rows_together);
    pass.samples_together = pass.tiles_together > 1 ? 1 : dlz_max_i64(1, TILE / (work * pass.rows));
    dlz_parallel_for(dlz_ceil_div(run->n, pass.samples_together) * pass.tiles_together,
                     run->workers, run_tile, &pass);
}

void dlz_resample_forward(dlz_op *op, const dlz_run *run) {
    dlz_resample_op *own = op->own;
    for (int axis = 0; axis < 2; axis++) {
        dlz_axis_writer writer = {.axis = own->forward[axis]};
        writer.axis.first[0] = 0;
        describe(op, axis, &writer);
    }
    float empty = type_of(op)->empty ? type_of(op)->empty(op->layer) : 0;
    resample(run, own->forward, empty, op->in, op->in->data, op->out, op->out->data);
}

void dlz_resample_backward(dlz_op *op, const dlz_run *run) {
    if (!op->in->needs_gradient)
        return;
    dlz_resample_op *own = op->own;
    for (int axis = 0; axis < 2; axis++)
        turn_round(&own->forward[axis], extent(op->out, axis), extent(op->in, axis),
                   &own->backward[axis]);
    resample(run, own->backward, 0, op->out, op->out->gradient.dy, op->in, op->in->dy);
    dlz_op_give_gradients(op);
}

/* -- ONNX ----------------------------------------------------------------------------------------
 */

/* Of a matrix: more of them make more than the 2 GiB of a model. */
#define MOST_NUMBERS (INT64_C(1) << 29)

/* What an axis is made of as a matrix: outputs × inputs for rows, inputs × outputs for columns. */
static void fill_matrix(const dlz_axis *axis, bool is_rows, int64_t in, int64_t out,
                        float *matrix) {
    for (int64_t o = 0; o < out; o++)
        for (int32_t i = axis->first[o]; i < axis->first[o + 1]; i++) {
            int64_t at = axis->taps[i].at;
            matrix[is_rows ? o * in + at : at * out + o] +=
                axis->taps[i].weight / axis->divisors[o];
        }
}

static const char *matrix_of(const dlviz_layer *layer, const dlz_resample_type *type, int axis,
                             dlz_onnx *to) {
    int64_t in = dlz_onnx_in(to)->dims[1 + axis], out = dlz_onnx_out(to)->dims[1 + axis], size;
    dlz_axis_writer count = {.outputs = 0}, writer = {.outputs = 0};
    type->describe(layer, axis, in, out, &count);
    const int64_t dims[] = {axis == 0 ? out : in, axis == 0 ? in : out};
    if (count.taps > MOST_TAPS || dlz_product_overflows(2, dims, &size) || size > MOST_NUMBERS) {
        dlz_onnx_refuse(to, "%lld of %lld %s take a matrix that is too large for a model",
                        (long long)out, (long long)in, axis == 0 ? "rows" : "columns");
        return "";
    }
    if (!dlz_onnx_can_hold(to, 2, dims, sizeof(float)))
        return "";
    writer.axis.taps = dlz_alloc_array((uint64_t)count.taps + 1, sizeof(dlz_tap));
    writer.axis.first = dlz_alloc_array_zero((uint64_t)out + 1, sizeof(int32_t));
    writer.axis.divisors = dlz_alloc_array((uint64_t)out, sizeof(float));
    float *matrix = dlz_alloc_array_zero((uint64_t)size, sizeof *matrix);
    const char *name = "";
    if (writer.axis.taps && writer.axis.first && writer.axis.divisors && matrix) {
        type->describe(layer, axis, in, out, &writer);
        fill_matrix(&writer.axis, axis == 0, in, out, matrix);
        name = dlz_onnx_numbers(to, axis == 0 ? "rows" : "columns", 2, dims, matrix);
    } else {
        dlz_onnx_lack_memory(to, (uint64_t)size * sizeof *matrix);
    }
    dlz_free(writer.axis.taps);
    dlz_free(writer.axis.first);
    dlz_free(writer.axis.divisors);
    dlz_free(matrix);
    return name;
}

void dlz_resample_onnx(const dlviz_layer *layer, const dlz_resample_type *type, dlz_onnx *to) {
    const char *columns = matrix_of(layer, type, 1, to), *rows = matrix_of(layer, type, 0, to);
    const char *x = DLZ_ONNX_NODE(to, "MatMul", "columns_done", dlz_onnx_input(to), columns);
    DLZ_ONNX_NODE(to, "MatMul", NULL, rows, x);
}
