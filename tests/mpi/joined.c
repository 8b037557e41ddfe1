#include "mpi/joined.h"
#include "support/support.h"

#include <string.h>

enum { SAMPLES = 101, SIDE = 16, CLASSES = 4 };

/* Samples first … first + count − 1 of all. */
static dlviz_status make_dataset(int64_t first, int64_t count, dlviz_dataset **out) {
    const int64_t dims[] = {count, 1, SIDE, SIDE};
    dlviz_tensor *samples, *labels;
    TRY(dlviz_tensor_create(&samples, DLVIZ_UINT8, 4, dims));
    TRY(dlviz_tensor_create(&labels, DLVIZ_INT64, 1, dims));
    unsigned char *pixels = dlviz_tensor_data(samples);
    for (int64_t i = 0; i < count; i++) {
        for (int64_t k = 0; k < SIDE * SIDE; k++)
            pixels[i * SIDE * SIDE + k] =
                (unsigned char)((first + i) * (k + 3) * 2654435761U >> 24);
        ((int64_t *)dlviz_tensor_data(labels))[i] = (first + i) % CLASSES;
    }
    dlviz_status status = dlviz_dataset_create(out, samples, labels);
    dlviz_tensor_destroy(samples);
    dlviz_tensor_destroy(labels);
    return status;
}

static dlviz_status add_layers(dlviz_network *network) {
    TRY(dlviz_network_add(network, "c1", dlviz_conv2d(8, 3, DLVIZ_PAD_SAME)));
    TRY(dlviz_network_add(network, "b1", dlviz_batchnorm()));
    TRY(dlviz_network_add(network, "r1", dlviz_relu()));
    TRY(dlviz_network_add(network, "f", dlviz_flatten()));
    TRY(dlviz_network_add(network, "l1", dlviz_linear(64)));
    TRY(dlviz_network_add(network, "r2", dlviz_relu()));
    return dlviz_network_add(network, "l2", dlviz_linear(CLASSES));
}

static dlviz_status train(dlviz_comm *comm, const dlviz_dataset *dataset, void **bytes,
                          size_t *size) {
    static const int64_t dims[] = {1, SIDE, SIDE};
    dlviz_network *network;
    dlviz_optimizer *optimizer;
    dlviz_trainer *trainer;
    TRY(dlviz_network_create(&network, 3, dims));
    TRY(add_layers(network));
    TRY(dlviz_network_build(network, 1));
    TRY(dlviz_adam_create(&optimizer, 1e-3));
    TRY(dlviz_trainer_create(&trainer, network, optimizer));
    TRY(dlviz_trainer_set_batch_size(trainer, 16));
    TRY(dlviz_trainer_set_validation(trainer, dataset));
    TRY(dlviz_trainer_set_comm(trainer, comm));
    TRY(dlviz_trainer_fit(trainer, dataset, 2));
    dlviz_status status = dlviz_network_save_memory(network, bytes, size);
    dlviz_trainer_destroy(trainer);
    dlviz_optimizer_destroy(optimizer);
    dlviz_network_destroy(network);
    return status;
}

/* Uneven parts: each rank has more than those before it. */
static int64_t first_of(int64_t rank, int64_t ranks) {
    return SAMPLES * rank * (rank + 1) / (ranks * (ranks + 1));
}

dlviz_status joined_training(dlviz_comm *comm) {
    int64_t rank = dlviz_comm_rank(comm), ranks = dlviz_comm_num_ranks(comm);
    int64_t first = first_of(rank, ranks), end = first_of(rank + 1, ranks);
    dlviz_dataset *own, *joined, *whole;
    void *together, *alone;
    size_t sizes[2];
    TRY(make_dataset(first, end - first, &own));
    TRY(dlviz_dataset_join(&joined, comm, own));
    dlviz_dataset_destroy(own);
    TRY(train(comm, joined, &together, &sizes[0]));
    TRY(make_dataset(0, SAMPLES, &whole));
    TRY(train(NULL, whole, &alone, &sizes[1]));
    bool same = sizes[0] == sizes[1] && memcmp(together, alone, sizes[0]) == 0;
    dlviz_dataset_destroy(joined);
    dlviz_dataset_destroy(whole);
    dlviz_free(together);
    dlviz_free(alone);
    return same ? DLVIZ_OK : dlviz_fail(DLVIZ_ERROR_STATE, "ranks have trained another network");
}
