/* support/ten_networks.h - the networks that bench_networks times, and that networks_torch.py has too. */
#ifndef DLZ_TESTS_TEN_NETWORKS_H
#define DLZ_TESTS_TEN_NETWORKS_H

#include <dlviz.h>

typedef struct ten_network {
    const char *name, *title;
    int ndim;
    int64_t dims[3];     /* of one input */
    bool reconstructs;   /* trained by the mean squared error to give its input; else 10 classes */
    int64_t least_batch; /* in training: a batch norm of vectors needs two */
    void (*add)(dlviz_network *network);
} ten_network;

extern const ten_network ten_networks[];
extern const int ten_networks_count;

/* NULL where there is none of this name. */
const ten_network *ten_networks_find(const char *name);
/* Makes one and builds it. */
dlviz_status ten_networks_create(const ten_network *which, dlviz_network **out);

#endif
