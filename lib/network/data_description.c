/* What a network knows of its data: how samples are normalized and what the classes are called. It is
 * taken from the training set and goes into the network's files, so that another program can prepare
 * its own data alike. */
#include "base/base.h"
#include "base/busy.h"
#include "data/dataset.h"
#include "network/network.h"
#include "tensor/keys.h"

#include <math.h>
#include <string.h>

void dlz_data_description_release(dlz_data_description *data) {
    dlz_free(data->means);
    dlz_free(data->class_names);
    *data = (dlz_data_description){.known = false};
}

static dlviz_status set_normalization(dlz_data_description *data, int64_t count) {
    if (count == 0)
        return DLVIZ_OK;
    data->means = dlz_alloc_array((uint64_t)count, 2 * sizeof(float));
    if (!data->means)
        return dlz_fail_memory("means and deviations", (uint64_t)count * 2 * sizeof(float));
    data->deviations = data->means + count;
    data->num_normal = count;
    return DLVIZ_OK;
}

/* -- Datasets ------------------------------------------------------------------------------------
 */

/* Images go with images of any size, if the channels are as many. */
static dlviz_status check_fits(const dlviz_network *network, const char *who,
                               const dlviz_dataset *dataset) {
    const dlz_shape *in = &network->graph.in;
    if (dataset->ndim == in->ndim && dataset->dims[0] == in->dims[0])
        return DLVIZ_OK;
    static const char *const kinds[] = {"vectors of", "images with"};
    bool images = in->ndim == 3, given = dataset->ndim == 3;
    return dlz_fail(DLVIZ_ERROR_SHAPE,
                    "%s: the dataset has %s %lld %s; the network takes %s %lld %s", who,
                    kinds[given], (long long)dataset->dims[0], given ? "channels" : "numbers",
                    kinds[images], (long long)in->dims[0], images ? "channels" : "numbers");
}

static dlviz_status copy_dataset(const dlviz_dataset *dataset, dlz_data_description *data) {
    data->known = true;
    DLZ_TRY(set_normalization(data, dlviz_dataset_normalization(dataset, 0, NULL, NULL)));
    dlviz_dataset_normalization(dataset, data->num_normal, data->means, data->deviations);
    if (!dataset->class_names)
        return DLVIZ_OK;
    DLZ_TRY(dlz_copy_names(dataset->num_classes, (const char *const *)dataset->class_names,
                           &data->class_names));
    data->num_class_names = dataset->num_classes;
    return DLVIZ_OK;
}

/* Not normalized is mean 0 and deviation 1. */
static void normalization_of(int64_t count, const float *means, const float *deviations, int64_t i,
                             float pair[2]) {
    pair[0] = count == 0 ? 0 : means[count == 1 ? 0 : i];
    pair[1] = count == 0 ? 1 : deviations[count == 1 ? 0 : i];
}

void dlz_data_description_compare(const dlz_data_description *known, const char *who,
                                  const dlviz_dataset *dataset) {
    const dlz_transform *given = &dataset->transform;
    int64_t count = dlz_max_i64(1, dlz_max_i64(known->num_normal, given->normal_count));
    for (int64_t i = 0; known->known && i < count; i++) {
        float own[2], other[2];
        normalization_of(known->num_normal, known->means, known->deviations, i, own);
        normalization_of(given->normal_count, given->means, given->deviations, i, other);
        if (own[0] == other[0] && own[1] == other[1])
            continue;
        dlz_log(DLVIZ_LOG_LEVEL_WARNING,
                "%s: the dataset is normalized by mean %g and deviation %g, the network's training "
                "data by %g and %g; dlviz_network_prepare_data makes them alike",
                who, (double)other[0], (double)other[1], (double)own[0], (double)own[1]);
        return;
    }
}

void dlz_network_warn_of_data(const dlviz_network *network, const char *who,
                              const dlviz_dataset *dataset) {
    dlz_data_description_compare(&network->data, who, dataset);
}

dlviz_status dlz_data_description_of(const dlviz_dataset *dataset, dlz_data_description *data) {
    *data = (dlz_data_description){.known = false};
    dlviz_status status = copy_dataset(dataset, data);
    if (status != DLVIZ_OK)
        dlz_data_description_release(data);
    return status;
}

void dlz_network_note_data(dlviz_network *network, int64_t num_classes,
                           dlz_data_description *data) {
    dlz_data_description *old = &network->data;
    /* Names stay where the dataset has the classes, but no names. */
    if (data->known && !data->class_names && old->num_class_names == num_classes) {
        data->class_names = old->class_names;
        data->num_class_names = old->num_class_names;
        old->class_names = NULL;
    }
    dlz_network_take_data_description(network, data);
}

dlviz_status dlviz_network_describe_data(dlviz_network *network, const dlviz_dataset *dataset) {
    DLZ_REQUIRE(network);
    DLZ_REQUIRE(dataset);
    DLZ_USE_NETWORK(__func__, network);
    DLZ_TRY(check_fits(network, __func__, dataset));
    dlz_data_description data;
    DLZ_TRY(dlz_data_description_of(dataset, &data));
    dlz_network_note_data(network, dataset->num_classes, &data);
    return DLVIZ_OK;
}

dlviz_status dlviz_network_prepare_data(const dlviz_network *network, dlviz_dataset *dataset) {
    static const float zero = 0, one = 1;
    DLZ_REQUIRE(network);
    DLZ_REQUIRE(dataset);
    DLZ_HOLD_SHARED(&network->busy, "network");
    DLZ_TRY(check_fits(network, __func__, dataset));
    const dlz_data_description *data = &network->data;
    const int64_t *size = network->graph.in.ndim == 3 ? network->graph.in.dims + 1 : NULL;
    if (data->known && data->num_normal == 0)
        return dlz_dataset_prepare(dataset, __func__, size, 1, &zero, &one);
    return dlz_dataset_prepare(dataset, __func__, size, data->num_normal, data->means,
                               data->deviations);
}

/* -- Getters -------------------------------------------------------------------------------------
 */

int64_t dlviz_network_normalization(const dlviz_network *network, int64_t capacity, float *means,
                                    float *deviations) {
    if (!network)
        return 0;
    const dlz_data_description *data = &network->data;
    for (int64_t i = 0; i < data->num_normal && i < capacity; i++) {
        if (means)
            means[i] = data->means[i];
        if (deviations)
            deviations[i] = data->deviations[i];
    }
    return data->num_normal;
}

int64_t dlviz_network_num_class_names(const dlviz_network *network) {
    return network ? network->data.num_class_names : 0;
}

const char *dlviz_network_class_name(const dlviz_network *network, int64_t index) {
    bool there = network && index >= 0 && index < network->data.num_class_names;
    return there ? network->data.class_names[index] : NULL;
}

/* -- As JSON -------------------------------------------------------------------------------------
 */

/* Each of these gives NULL when out of memory; jansson then makes nothing of what holds it. */

static json_t *describe_numbers(const float *numbers, int64_t count) {
    json_t *list = json_array();
    for (int64_t i = 0; list && i < count; i++)
        if (json_array_append_new(list, json_real((double)numbers[i])) != 0) {
            json_decref(list);
            list = NULL;
        }
    return list;
}

static json_t *describe_names(const dlz_data_description *data) {
    json_t *list = json_array();
    for (int64_t i = 0; list && i < data->num_class_names; i++)
        if (json_array_append_new(list, json_string(data->class_names[i])) != 0) {
            json_decref(list);
            list = NULL;
        }
    return list;
}

json_t *dlz_data_description_write(const dlz_data_description *data) {
    json_t *object =
        json_pack("{s:o,s:o}", "means", describe_numbers(data->means, data->num_normal),
                  "deviations", describe_numbers(data->deviations, data->num_normal));
    if (object && data->class_names &&
        json_object_set_new(object, "class_names", describe_names(data)) != 0) {
        json_decref(object);
        object = NULL;
    }
    return object;
}

static dlviz_status malformed(const char *what) {
    return dlz_fail(DLVIZ_ERROR_FORMAT, "the description of its data lacks %s, or it is malformed",
                    what);
}

static bool read_number(const json_t *list, size_t index, float *number) {
    const json_t *value = json_array_get(list, index);
    *number = (float)json_number_value(value);
    return json_is_number(value) && isfinite(*number);
}

static dlviz_status read_normalization(const json_t *object, int64_t channels,
                                       dlz_data_description *data) {
    const json_t *means = json_object_get(object, "means"),
                 *deviations = json_object_get(object, "deviations");
    size_t count = json_array_size(means);
    if (!json_is_array(means) || !json_is_array(deviations))
        return malformed("the lists 'means' and 'deviations'");
    if (json_array_size(deviations) != count ||
        (count > 1 && (uint64_t)count != (uint64_t)channels))
        return dlz_fail(DLVIZ_ERROR_FORMAT,
                        "the description of its data has %zu means and %zu deviations; 0, 1 or "
                        "%lld of both are accepted",
                        count, json_array_size(deviations), (long long)channels);
    DLZ_TRY(set_normalization(data, (int64_t)count));
    for (size_t i = 0; i < count; i++)
        if (!read_number(means, i, &data->means[i]) ||
            !read_number(deviations, i, &data->deviations[i]) || !(data->deviations[i] > 0))
            return malformed("finite 'means', and finite 'deviations' above 0");
    return DLVIZ_OK;
}

static dlviz_status read_names(const json_t *list, dlz_data_description *data) {
    if (!list)
        return DLVIZ_OK;
    size_t count = json_array_size(list);
    if (count == 0 || count > (size_t)DLZ_DATASET_MAX_CLASSES)
        return malformed("'class_names' of 1 to 2^24 classes");
    const char **names = dlz_alloc_array(count, sizeof *names);
    if (!names)
        return dlz_fail_memory("names of classes", count * sizeof *names);
    bool texts = true;
    for (size_t i = 0; i < count; i++) {
        names[i] = json_string_value(json_array_get(list, i));
        texts = texts && names[i];
    }
    dlviz_status status = texts ? dlz_copy_names((int64_t)count, names, &data->class_names)
                                : malformed("'class_names' that are texts");
    dlz_free(names);
    if (status == DLVIZ_OK)
        data->num_class_names = (int64_t)count;
    return status;
}

dlviz_status dlz_data_description_read(const json_t *object, int64_t channels,
                                       dlz_data_description *data) {
    *data = (dlz_data_description){.known = true};
    static const char *const keys[] = {"means", "deviations", "class_names", NULL};
    dlviz_status status =
        json_is_object(object) ? dlz_check_keys(object, NULL, keys) : malformed("an object");
    if (status != DLVIZ_OK && json_is_object(object))
        status = dlz_fail_within(status, "the description of its data");
    if (status == DLVIZ_OK)
        status = read_normalization(object, channels, data);
    if (status == DLVIZ_OK)
        status = read_names(json_object_get(object, "class_names"), data);
    if (status != DLVIZ_OK)
        dlz_data_description_release(data);
    return status;
}

void dlz_network_take_data_description(dlviz_network *network, dlz_data_description *data) {
    if (!data->known)
        return;
    dlz_data_description_release(&network->data);
    network->data = *data;
    *data = (dlz_data_description){.known = false};
}
