/* Random networks: layers that follow each other in every way that the library fuses, and in ways
 * that it does not. Their numbers: random_numbers.c. */
#include "support/random_networks.h"
#include "support/random_network_numbers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Multiplications that one forward pass may cost: most networks are small, so that many can be
 * tried. */
enum { SMALL = 150000, LARGE = 1500000, LONGEST_TEXT = 1800, MOST_LAYERS = 22 };

typedef struct builder {
    dlz_random *random;
    network_case *made;
    const int *channels;
    int num_channels, count;
    double budget;
} builder;

static int64_t between(builder *b, int64_t low, int64_t high) {
    return random_between(b->random, low, high);
}

static bool chance(builder *b, double probability) {
    return random_chance(b->random, probability);
}

static int64_t some_channels(builder *b) {
    return b->channels[between(b, 0, b->num_channels - 1)];
}

static double cost_of(const net_spec *spec) {
    const layer_spec *layer = &spec->layers[spec->count - 1], *before = layer - 1;
    const int64_t *in = spec->count > 1 ? before->dims : spec->dims;
    double outputs = (double)product(layer->ndim, layer->dims);
    if (layer->kind == CONV)
        return outputs * (double)(in[0] * layer->kernel[0] * layer->kernel[1]);
    if (layer->kind == LINEAR)
        return outputs * (double)product(spec->count > 1 ? before->ndim : spec->ndim, in);
    return outputs;
}

/* Appends a layer unless it does not fit or costs too much. */
static bool append(builder *b, const char *layer) {
    network_case *made = b->made;
    char longer[2 * sizeof made->text];
    net_spec spec;
    if (b->count >= MOST_LAYERS || strlen(made->text) + strlen(layer) > LONGEST_TEXT)
        return false;
    snprintf(longer, sizeof longer, "%s%s%s", made->text, made->text[0] ? " " : "", layer);
    parse_net(&spec, made->dims, longer);
    const layer_spec *last = &spec.layers[spec.count - 1];
    for (int i = 0; i < last->ndim; i++)
        if (last->dims[i] < 1)
            return false;
    double cost = last->kind == FLATTEN ? 0 : cost_of(&spec) * (double)made->n;
    if (cost > b->budget)
        return false;
    b->budget -= cost;
    strcpy(made->text, longer);
    made->spec = spec;
    b->count++;
    return true;
}

static bool is_flat(const builder *b) {
    const net_spec *spec = &b->made->spec;
    return (b->count > 0 ? spec->layers[spec->count - 1].ndim : spec->ndim) == 1;
}

/* Numbers that a batch norm would average over. */
static int64_t numbers_a_channel(const builder *b) {
    const net_spec *spec = &b->made->spec;
    const int64_t *dims = b->count > 0 ? spec->layers[spec->count - 1].dims : spec->dims;
    return is_flat(b) ? b->made->n : b->made->n * dims[1] * dims[2];
}

static void add_conv(builder *b) {
    char text[160];
    int64_t out = some_channels(b);
    const char *bias = chance(b, 0.8) ? "" : ",bias=0";
    if (chance(b, 0.6))
        snprintf(text, sizeof text, "c%d:conv,out=%d,k=3,pad=same%s", b->count, (int)out, bias);
    else {
        int p[8];
        for (int i = 0; i < 8; i++) {
            static const int low[8] = {1, 1, 1, 1, 1, 1, 0, 0}, high[8] = {5, 5, 3, 3, 2, 2, 3, 3};
            p[i] = (int)between(b, low[i], high[i]);
        }
        if (chance(b, 0.4)) /* square, stride 1 */
            snprintf(text, sizeof text, "c%d:conv,out=%d,k=%d,pad=%d%s", b->count, (int)out, p[0],
                     p[6], bias);
        else
            snprintf(text, sizeof text,
                     "c%d:conv,out=%d,k=%dx%d,stride=%dx%d,dil=%dx%d,pad=%dx%d%s", b->count,
                     (int)out, p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7], bias);
    }
    append(b, text);
}

static void add_batchnorm(builder *b) {
    static const char *const settings[] = {"",
                                           "",
                                           "",
                                           ",eps=1e-3,momentum=0.01",
                                           ",momentum=1",
                                           ",momentum=0",
                                           ",eps=0.5,momentum=0.3"};
    char text[80];
    snprintf(text, sizeof text, "b%d:bn%s", b->count, settings[between(b, 0, 6)]);
    if (numbers_a_channel(b) > 1)
        append(b, text);
}

static void add_relu(builder *b) {
    char text[40];
    snprintf(text, sizeof text, "r%d:relu", b->count);
    append(b, text);
}

static void add_pool(builder *b) {
    char text[80];
    if (is_flat(b))
        return;
    if (chance(b, 0.65))
        snprintf(text, sizeof text, "p%d:pool,k=2", b->count);
    else {
        int k = (int)between(b, 1, 4), stride = (int)between(b, 1, 4);
        snprintf(text, sizeof text, "p%d:pool,k=%d,stride=%d,pad=%d", b->count, k, stride,
                 (int)between(b, 0, k / 2));
    }
    append(b, text);
}

static void add_dropout(builder *b) {
    static const double rates[] = {0, 0, 0.1, 0.25, 0.5, 0.9};
    char text[60];
    snprintf(text, sizeof text, "d%d:dropout,p=%g", b->count, rates[between(b, 0, 5)]);
    append(b, text);
}

static void add_linear(builder *b) {
    static const int sizes[] = {1, 2, 3, 7, 10, 16, 33, 64, 65};
    char text[80];
    if (is_flat(b)) {
        snprintf(text, sizeof text, "l%d:linear,out=%d%s", b->count, sizes[between(b, 0, 8)],
                 chance(b, 0.8) ? "" : ",bias=0");
        append(b, text);
    }
}

static void add_flatten(builder *b) {
    char text[40];
    snprintf(text, sizeof text, "f%d:flatten", b->count);
    append(b, text);
}

/* What comes after a convolution or a linear layer: usually in the order that is fused. */
static void add_followers(builder *b) {
    if (chance(b, 0.7)) {
        if (chance(b, 0.7))
            add_batchnorm(b);
        if (chance(b, 0.65))
            add_relu(b);
        if (chance(b, 0.4))
            add_pool(b);
        if (chance(b, 0.25))
            add_dropout(b);
        return;
    }
    void (*const any[])(builder *) = {add_batchnorm, add_batchnorm, add_relu,
                                      add_pool,      add_dropout,   add_flatten};
    for (int64_t more = between(b, 0, 4); more > 0; more--)
        any[between(b, 0, more == 1 ? 5 : 4)](b);
}

static void build_layers(builder *b, bool image) {
    static const int classes[] = {1, 2, 2, 3, 5, 10, 17, 33};
    char text[80];
    if (chance(b, 0.15))
        add_followers(b);
    int64_t blocks = image ? between(b, 1, 3) : 0;
    for (int64_t i = 0; i < blocks && !is_flat(b); i++) {
        add_conv(b);
        add_followers(b);
    }
    if (!is_flat(b) || b->count == 0)
        add_flatten(b);
    for (int64_t i = image ? between(b, 0, 1) : between(b, 0, 3); i > 0; i--) {
        add_linear(b);
        add_followers(b);
    }
    snprintf(text, sizeof text, "o:linear,out=%d", classes[between(b, 0, 7)]);
    if (chance(b, 0.9))
        append(b, text);
}

void network_case_make(network_case *made, uint64_t seed) {
    static const int narrow[] = {1, 2, 3, 4, 5, 6, 7}, wide[] = {8, 9, 15, 16, 17, 24, 31, 32, 33};
    static const int mixed[] = {1, 3, 7, 8, 16, 17, 32};
    static const int images[] = {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33};
    static const int vectors[] = {1, 2, 3, 5, 17, 33, 64, 100};
    static const double shares[DATA_KINDS] = {0.3, 0.2, 0.1, 0.12, 0.1, 0.1, 0.08};
    dlz_random random = random_numbers(seed);
    builder b = {.random = &random, .made = made};
    memset(made, 0, sizeof *made);
    double at = dlz_random_double(&random);
    while (made->kind < DATA_SPARSE && at >= shares[made->kind])
        at -= shares[made->kind++];
    /* Winograd's sums of whole numbers are not exact: ties are for the others. */
    double width = dlz_random_double(&random);
    if (width < (made->kind == DATA_WHOLE ? 0.75 : 0.4))
        b.channels = narrow, b.num_channels = 7;
    else if (width < 0.85)
        b.channels = wide, b.num_channels = 9;
    else
        b.channels = mixed, b.num_channels = 7;
    bool image = chance(&b, 0.85);
    made->n = images[between(&b, 0, b.channels == wide ? 8 : 13)];
    b.budget = chance(&b, 0.1) ? LARGE : SMALL;
    if (image)
        snprintf(made->dims, sizeof made->dims, "%dx%dx%d", (int)some_channels(&b),
                 (int)between(&b, 1, b.budget == LARGE ? 18 : 11),
                 (int)between(&b, 1, b.budget == LARGE ? 18 : 11));
    else
        snprintf(made->dims, sizeof made->dims, "%d", vectors[between(&b, 0, 7)]);
    parse_net(&made->spec, made->dims, "");
    build_layers(&b, image);
    made->classes = made->spec.layers[made->spec.count - 1].dims[0];
    fill_case(made, &random);
}

void network_case_free(network_case *made) {
    free(made->inputs);
    free(made->labels);
    reference_destroy(made->states);
}

void network_case_print(const network_case *made, uint64_t seed) {
    static const char *const rules[RULES] = {
        "SGD", "SGD with momentum", "SGD with Nesterov's momentum", "Adam", "AdamW", "RMSprop"};
    const rule_settings *rule = &made->rule;
    printf("seed %llu: batch %lld of %s | %s\n", (unsigned long long)seed, (long long)made->n,
           made->dims, made->text);
    printf("  data: %s\n  %s, rate %g, decay %g\n", made->data, rules[rule->kind], rule->rate,
           rule->decay);
}
