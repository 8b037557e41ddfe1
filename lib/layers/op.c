#include "layers/op.h"

int64_t dlz_value_size(const dlz_value *value) {
    return value->height * value->width * value->channels;
}

dlviz_status dlz_op_ask_output(dlz_op *op, const dlz_setup *setup) {
    /* Kept until the producer's own backward pass: the consumer may put the gradient in its place. */
    int last = setup->training ? setup->backward_time : setup->forward_time + 1;
    return dlz_memory_ask_array(setup->memory, &op->out->data, setup->n * dlz_value_size(op->out),
                                sizeof(float), setup->forward_time, last);
}

dlviz_status dlz_op_ask_input_gradient(dlz_op *op, const dlz_setup *setup) {
    /* One step longer than to its producer: a pending one hands it on to its own. */
    if (!setup->training || !op->in->needs_gradient)
        return DLVIZ_OK;
    return dlz_memory_ask_array(setup->memory, &op->in->dy, setup->n * dlz_value_size(op->in),
                                sizeof(float), setup->backward_time, setup->backward_time + 2);
}
