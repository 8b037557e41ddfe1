/* Protobuf and onnx.proto as their descriptions say, without a line of the library's. */
#include "base/base.h"
#include "support/onnx_model.h"

#include <stdlib.h>
#include <string.h>

/* -- Protobuf -------------------------------------------------------------------------------------
 */

enum { VARINT = 0, BYTES = 2, FOUR = 5 };

typedef struct part {
    const uint8_t *at, *end;
} part;

typedef struct entry {
    int field, kind;
    uint64_t number;
    part inside;
} entry;

static uint64_t varint(part *p) {
    uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
        ck_assert_msg(p->at < p->end && shift < 64, "a number is cut off");
        uint8_t byte = *p->at++;
        value |= (uint64_t)(byte & 0x7F) << shift;
        if (!(byte & 0x80))
            return value;
    }
}

/* False at the end. */
static bool next(part *p, entry *e) {
    if (p->at == p->end)
        return false;
    uint64_t key = varint(p);
    *e = (entry){.field = (int)(key >> 3), .kind = (int)(key & 7)};
    if (e->kind == VARINT) {
        e->number = varint(p);
        return true;
    }
    ck_assert_msg(e->kind == BYTES || e->kind == FOUR, "a field is of kind %d", e->kind);
    uint64_t size = e->kind == FOUR ? 4 : varint(p);
    ck_assert_msg(size <= (uint64_t)(p->end - p->at), "a field of %llu bytes reaches over the end",
                  (unsigned long long)size);
    e->inside = (part){p->at, p->at + size};
    p->at += size;
    return true;
}

static void expect(const entry *e, int kind, const char *message) {
    ck_assert_msg(e->kind == kind, "field %d of %s is of kind %d", e->field, message, e->kind);
}

static void unknown(const entry *e, const char *message) {
    ck_abort_msg("%s has a field %d", message, e->field);
}

/* Of a field that may be there but once; of others, all that are there are put together. */
static void once(const entry *e, unsigned *seen, const char *message) {
    ck_assert_msg(e->field < 32 && !(*seen >> e->field & 1), "%s has field %d twice", message,
                  e->field);
    *seen |= 1u << e->field;
}

static char *text(const entry *e) {
    expect(e, BYTES, "a text");
    char *copy = strndup((const char *)e->inside.at, (size_t)(e->inside.end - e->inside.at));
    ck_assert(copy && dlz_is_utf8(copy));
    ck_assert_msg(strlen(copy) == (size_t)(e->inside.end - e->inside.at), "a text has a zero");
    return copy;
}

static int64_t whole(const entry *e) {
    expect(e, VARINT, "a whole number");
    return (int64_t)e->number;
}

static float four_bytes(const uint8_t *at) {
    uint32_t bits = 0;
    float value;
    for (int i = 3; i >= 0; i--)
        bits = bits << 8 | at[i];
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* A new last element, all zero. */
static void *grow(void *array, int *count, size_t size) {
    char **to = array;
    *to = realloc(*to, (size_t)(*count + 1) * size);
    ck_assert(*to != NULL);
    return memset(*to + (size_t)(*count)++ * size, 0, size);
}

/* -- Messages -------------------------------------------------------------------------------------
 */

static void read_attribute(part p, onnx_attribute *to) {
    entry e;
    unsigned seen = 0;
    while (next(&p, &e)) {
        if (e.field != 8)
            once(&e, &seen, "an attribute");
        switch (e.field) {
        case 1:
            to->name = text(&e);
            break;
        case 2:
            expect(&e, FOUR, "an attribute");
            to->real = four_bytes(e.inside.at);
            break;
        case 3:
            to->whole = whole(&e);
            break;
        case 4:
            to->text = text(&e);
            break;
        case 8:
            ck_assert(to->count < 8);
            to->list[to->count++] = whole(&e);
            break;
        case 20:
            to->kind = (int)whole(&e);
            break;
        default:
            unknown(&e, "an attribute");
        }
    }
    ck_assert_msg(to->name && (to->kind == 1 || to->kind == 2 || (to->kind == 3 && to->text) ||
                               (to->kind == 7 && to->count > 0)),
                  "an attribute is of kind %d", to->kind);
}

static void read_node(part p, onnx_node *to) {
    entry e;
    unsigned seen = 0;
    while (next(&p, &e)) {
        if (e.field != 1 && e.field != 5)
            once(&e, &seen, "a node");
        switch (e.field) {
        case 1:
            *(char **)grow(&to->inputs, &to->num_inputs, sizeof *to->inputs) = text(&e);
            break;
        case 2:
            to->output = text(&e);
            break;
        case 3:
            to->name = text(&e);
            break;
        case 4:
            to->op = text(&e);
            break;
        case 5:
            expect(&e, BYTES, "a node");
            read_attribute(e.inside,
                           grow(&to->attributes, &to->num_attributes, sizeof *to->attributes));
            break;
        default:
            unknown(&e, "a node");
        }
    }
    ck_assert_msg(to->op && to->name && to->output && *to->output, "a node lacks something");
}

/* Numbers of 4 or 8 bytes, the lowest first. */
static void read_numbers(part p, onnx_value *to) {
    size_t bytes = to->is_whole ? 8 : 4;
    ck_assert_msg((uint64_t)(p.end - p.at) == (uint64_t)to->size * bytes,
                  "'%s' has %td bytes for %lld numbers", to->name, p.end - p.at,
                  (long long)to->size);
    to->numbers = malloc((size_t)to->size * sizeof *to->numbers + 1);
    for (int64_t i = 0; i < to->size; i++) {
        const uint8_t *at = p.at + (size_t)i * bytes;
        uint64_t bits = 0;
        for (int k = 7; to->is_whole && k >= 0; k--)
            bits = bits << 8 | at[k];
        to->numbers[i] = to->is_whole ? (double)(int64_t)bits : (double)four_bytes(at);
    }
}

static void read_tensor(part p, onnx_value *to) {
    entry e;
    part raw = {NULL, NULL};
    int64_t kind = 0;
    to->size = 1;
    to->is_constant = true;
    unsigned seen = 0;
    while (next(&p, &e)) {
        if (e.field != 1)
            once(&e, &seen, "a tensor");
        switch (e.field) {
        case 1:
            ck_assert(to->ndim < ONNX_MAX_DIMS);
            to->dims[to->ndim] = whole(&e);
            ck_assert(to->dims[to->ndim] > 0);
            to->size *= to->dims[to->ndim++];
            break;
        case 2:
            kind = whole(&e);
            break;
        case 8:
            to->name = text(&e);
            break;
        case 9:
            raw = e.inside;
            break;
        default:
            unknown(&e, "a tensor");
        }
    }
    ck_assert_msg(to->name && *to->name && raw.at && (kind == 1 || kind == 7),
                  "a tensor is of type %lld", (long long)kind);
    to->is_whole = kind == 7;
    read_numbers(raw, to);
}

static part inside(part p, int field, const char *message) {
    entry e;
    ck_assert(next(&p, &e));
    expect(&e, BYTES, message);
    ck_assert_msg(e.field == field && p.at == p.end, "%s has field %d", message, e.field);
    return e.inside;
}

static void read_info(part p, onnx_info *to) {
    entry e;
    part type = {NULL, NULL}, shape = {NULL, NULL};
    unsigned seen = 0;
    while (next(&p, &e)) {
        once(&e, &seen, "a value's description");
        if (e.field == 1)
            to->name = text(&e);
        else if (e.field == 2)
            type = e.inside;
        else
            unknown(&e, "a value's description");
    }
    ck_assert(to->name && type.at);
    type = inside(type, 1, "a type");
    seen = 0;
    while (next(&type, &e)) {
        once(&e, &seen, "a tensor's type");
        if (e.field == 1)
            ck_assert_int_eq(whole(&e), 1);
        else if (e.field == 2)
            shape = e.inside;
        else
            unknown(&e, "a tensor's type");
    }
    ck_assert(shape.at != NULL);
    while (next(&shape, &e)) {
        ck_assert(e.field == 1 && to->ndim < ONNX_MAX_DIMS);
        part dim = e.inside;
        ck_assert(next(&dim, &e) && dim.at == dim.end);
        char *name = e.field == 2 ? text(&e) : NULL;
        ck_assert(name ? strcmp(name, "n") == 0 : e.field == 1);
        to->dims[to->ndim++] = name ? -1 : whole(&e);
        free(name);
    }
}

static void read_graph(part p, onnx_model *to) {
    entry e;
    while (next(&p, &e)) {
        expect(&e, BYTES, "the graph");
        switch (e.field) {
        case 1:
            read_node(e.inside, grow(&to->nodes, &to->num_nodes, sizeof *to->nodes));
            break;
        case 2:
            to->graph_name = text(&e);
            break;
        case 5:
            read_tensor(e.inside, grow(&to->values, &to->num_values, sizeof *to->values));
            break;
        case 11:
            read_info(e.inside, grow(&to->inputs, &to->num_inputs, sizeof *to->inputs));
            break;
        case 12:
            read_info(e.inside, grow(&to->outputs, &to->num_outputs, sizeof *to->outputs));
            break;
        case 13:
            read_info(e.inside, grow(&to->infos, &to->num_infos, sizeof *to->infos));
            break;
        default:
            unknown(&e, "the graph");
        }
    }
}

static void read_opset(part p, onnx_model *to) {
    entry e;
    while (next(&p, &e))
        if (e.field == 1)
            ck_assert_msg(e.inside.at == e.inside.end, "operators are not ONNX's own");
        else if (e.field == 2)
            to->opset = whole(&e);
        else
            unknown(&e, "the set of operators");
}

static void read_property(part p, onnx_model *to) {
    entry e;
    for (int i = 1; i <= 2; i++) {
        ck_assert(next(&p, &e) && e.field == i);
        *(char **)grow(&to->properties, &to->num_properties, sizeof *to->properties) = text(&e);
    }
    ck_assert(p.at == p.end);
}

static void read_model(part p, onnx_model *to) {
    entry e;
    part graph = {NULL, NULL};
    while (next(&p, &e))
        switch (e.field) {
        case 1:
            to->ir_version = whole(&e);
            break;
        case 2:
            to->producer = text(&e);
            break;
        case 3:
            to->producer_version = text(&e);
            break;
        case 7:
            ck_assert_msg(!graph.at, "there are two graphs");
            graph = e.inside;
            break;
        case 8:
            read_opset(e.inside, to);
            break;
        case 14:
            read_property(e.inside, to);
            break;
        default:
            unknown(&e, "the model");
        }
    ck_assert(graph.at && to->producer && to->producer_version && to->ir_version && to->opset);
    read_graph(graph, to);
    ck_assert(to->graph_name && *to->graph_name);
}

/* -- Soundness ------------------------------------------------------------------------------------
 */

onnx_value *onnx_find(const onnx_model *model, const char *name) {
    for (int i = 0; i < model->num_values; i++)
        if (strcmp(model->values[i].name, name) == 0)
            return &model->values[i];
    return NULL;
}

static void add_value(onnx_model *model, const char *name) {
    ck_assert_msg(!onnx_find(model, name), "there are two values '%s'", name);
    onnx_value *value = grow(&model->values, &model->num_values, sizeof *model->values);
    value->name = strdup(name);
}

static void check_values(onnx_model *model) {
    for (int i = 0; i < model->num_values; i++)
        ck_assert_msg(onnx_find(model, model->values[i].name) == &model->values[i],
                      "there are two constants '%s'", model->values[i].name);
    ck_assert(model->num_inputs == 1 && model->num_outputs == 1);
    add_value(model, model->inputs[0].name);
    for (int i = 0; i < model->num_nodes; i++) {
        const onnx_node *node = &model->nodes[i];
        for (int k = 0; k < node->num_inputs; k++) {
            onnx_value *value = onnx_find(model, node->inputs[k]);
            ck_assert_msg(value || !*node->inputs[k], "'%s' reads '%s', which is not there yet",
                          node->name, node->inputs[k]);
            if (value)
                value->num_readers++;
        }
        for (int k = 0; k < i; k++)
            ck_assert_msg(strcmp(model->nodes[k].name, node->name) != 0, "there are two nodes '%s'",
                          node->name);
        add_value(model, node->output);
    }
    onnx_value *output = onnx_find(model, model->outputs[0].name);
    ck_assert_msg(output && !output->is_constant, "the output is not there");
    output->num_readers++;
    for (int i = 0; i < model->num_values; i++)
        ck_assert_msg(model->values[i].num_readers > 0, "nobody reads '%s'", model->values[i].name);
}

onnx_model *onnx_read(const void *bytes, size_t size) {
    onnx_model *model = calloc(1, sizeof *model);
    ck_assert(model != NULL);
    read_model((part){bytes, (const uint8_t *)bytes + size}, model);
    check_values(model);
    return model;
}

const char *onnx_property(const onnx_model *model, const char *key) {
    for (int i = 0; i < model->num_properties; i += 2)
        if (strcmp(model->properties[i], key) == 0)
            return model->properties[i + 1];
    return NULL;
}

static void free_node(onnx_node *node) {
    for (int i = 0; i < node->num_inputs; i++)
        free(node->inputs[i]);
    for (int i = 0; i < node->num_attributes; i++) {
        free(node->attributes[i].name);
        free(node->attributes[i].text);
    }
    free(node->inputs);
    free(node->attributes);
    free(node->name);
    free(node->op);
    free(node->output);
}

static void free_infos(onnx_info *infos, int count) {
    for (int i = 0; i < count; i++)
        free(infos[i].name);
    free(infos);
}

void onnx_free(onnx_model *model) {
    for (int i = 0; i < model->num_nodes; i++)
        free_node(&model->nodes[i]);
    for (int i = 0; i < model->num_values; i++) {
        free(model->values[i].name);
        free(model->values[i].numbers);
    }
    for (int i = 0; i < model->num_properties; i++)
        free(model->properties[i]);
    free_infos(model->inputs, model->num_inputs);
    free_infos(model->outputs, model->num_outputs);
    free_infos(model->infos, model->num_infos);
    free(model->properties);
    free(model->nodes);
    free(model->values);
    free(model->producer);
    free(model->producer_version);
    free(model->graph_name);
    free(model);
}
