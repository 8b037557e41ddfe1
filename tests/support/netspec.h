/* support/netspec.h - networks written as text, and the numbers they are filled with.
 *
 * "conv1:conv,out=32,k=3,pad=same bn1:bn relu1:relu flat:flatten fc:linear,out=10": see
 * tests/parity/fixtures/layers.txt, which tests/parity/generate.py reads too. */
#ifndef DLZ_TESTS_NETSPEC_H
#define DLZ_TESTS_NETSPEC_H

#include "support/support.h"

typedef enum { CONV, BATCHNORM, RELU, POOL, DROPOUT, LINEAR, FLATTEN } layer_kind;

typedef struct layer_spec {
    char name[32];
    layer_kind kind;
    int64_t out, kernel[2], stride[2], padding[2], dilation[2];
    bool same, bias;
    double eps, momentum, p;
    int ndim; /* of the output */
    int64_t dims[3];
} layer_spec;

#define MAX_LAYERS 32
typedef struct net_spec {
    int ndim;
    int64_t dims[3];
    int count;
    layer_spec layers[MAX_LAYERS];
} net_spec;

int64_t product(int ndim, const int64_t *dims);

/* Dimensions are written "3x28x28" or "12". Bad text fails the test. */
void parse_net(net_spec *spec, const char *dims, const char *layers);
/* A new network, built with this seed. */
dlviz_network *build_net(const net_spec *spec, uint64_t seed);
/* Both together, with seed 1. */
dlviz_network *net_from_text(const char *dims, const char *layers);

/* The network of the report (2,169,194 parameters at size 32) with its dropout rates 0.25, 0.25 and
 * 0.5 multiplied by p_scale; as text, as a specification, built with seed 1. */
const char *report_text(double p_scale);
void report_spec(net_spec *spec, int64_t size, double p_scale);
dlviz_network *report_network(int64_t size, double p_scale);

/* Values of "uniform" kind are fill_uniform's; those of "ties" are multiples of a half. */
void fill_values(float *values, int64_t count, uint64_t seed, bool ties);
/* Overwrites every state tensor but num_batches_tracked by numbers that depend on its name and the
 * seed; generate.py makes the same ones. */
void fill_states(dlviz_network *network, uint64_t seed, bool ties);
void fill_labels(int64_t *labels, int64_t count, int64_t classes, uint64_t seed);

/* New tensors: n inputs of the network's shape, n labels, copies of given numbers. */
dlviz_tensor *input_tensor(const net_spec *spec, int64_t n, uint64_t seed, bool ties);
dlviz_tensor *label_tensor(int64_t n, int64_t classes, uint64_t seed);
dlviz_tensor *float_tensor(int ndim, const int64_t *dims, const float *values);
dlviz_tensor *int64_tensor(int64_t n, const int64_t *values);

/* Rows first … first + n − 1 (modulo 64) of the committed 64 digits, normalized: n × 1 × 32 × 32,
 * and their labels as int64. Either may be NULL. */
void digits(int64_t first, int64_t n, dlviz_tensor **inputs, dlviz_tensor **labels);

/* Every state tensor and every gradient, one after the other, as bytes: for comparisons to the
 * bit. Free with free(). */
void *all_states(const dlviz_network *network, size_t *size);
void *all_gradients(const dlviz_network *network, size_t *size);
/* Asserts that two networks have the same states to the bit, and names the first that differs. */
void assert_same_states(const dlviz_network *a, const dlviz_network *b);

bool is_trainable(const char *state_name);

#endif
