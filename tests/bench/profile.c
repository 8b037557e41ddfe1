#include "profile.h"

#include <stdio.h>
#include <time.h>

double profile_now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* Multiply-adds of one sample, forward. */
static double op_macs(const dlviz_network *network, const dlz_op *op) {
    const dlz_node *node = &network->graph.nodes[op->first_layer];
    if (!op->layer || !op->layer->type->multiply_adds)
        return 0;
    return op->layer->type->multiply_adds(op->layer, node->in, &node->out);
}

double profile_flops(const dlviz_network *network, const dlz_plan *plan, bool training) {
    double sum = 0;
    for (int i = 0; i < dlz_plan_num_ops(plan); i++) {
        const dlz_op *op = dlz_plan_op(plan, i);
        sum += 2 * op_macs(network, op) * (!training ? 1 : op->in->needs_gradient ? 3 : 2);
    }
    return sum;
}

static void print_op(const dlviz_network *network, const dlz_op *op, const double spent[2],
                     bool training, int64_t batch, double seconds) {
    const dlz_node *nodes = network->graph.nodes;
    double flops = 2 * op_macs(network, op) * (double)batch;
    char name[96];
    if (op->first_layer == op->last_layer)
        snprintf(name, sizeof name, "%s", nodes[op->first_layer].name);
    else
        snprintf(name, sizeof name, "%s-%s", nodes[op->first_layer].name,
                 nodes[op->last_layer].name);
    printf("%-32s %10.3f %10.3f", name, 1e3 * spent[0], 1e3 * spent[1]);
    if (flops > 0)
        printf(" %10.1f %10.1f", flops / spent[0] * 1e-9,
               training ? flops * (op->in->needs_gradient ? 2 : 1) / spent[1] * 1e-9 : 0.0);
    else
        printf(" %10s %10s", "", "");
    printf(" %6.1f%%\n", 100 * (spent[0] + spent[1]) / seconds);
}

static void print_rest(const char *what, double spent, double seconds) {
    printf("%-32s %10.3f %10s %10s %10s %6.1f%%\n", what, 1e3 * spent, "", "", "",
           100 * spent / seconds);
}

void profile_print(const dlviz_network *network, dlz_plan *plan, bool training,
                   const double (*spent)[2], double seconds, double optimizer) {
    printf("%-32s %10s %10s %10s %10s %7s\n", "layers", "fwd ms", "bwd ms", "fwd GF/s", "bwd GF/s",
           "share");
    double accounted = optimizer;
    int64_t batch = dlz_plan_run(plan)->n;
    for (int i = 0; i < dlz_plan_num_ops(plan); i++) {
        print_op(network, dlz_plan_op(plan, i), spent[i], training, batch, seconds);
        accounted += spent[i][0] + spent[i][1];
    }
    print_rest("optimizer", optimizer, seconds);
    print_rest("data, loss, rest", seconds - accounted, seconds);
}
