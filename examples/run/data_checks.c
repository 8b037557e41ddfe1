/* What is wrong with data, said before there is any work. */
#include "data_checks.h"
#include "try.h"

#include <stdio.h>

/* As many as the page can tell apart. */
enum { MOST_CLASSES = 65534 };

static dlviz_status check_labels(const dlviz_dataset *set, const char *which) {
    const dlviz_tensor *labels = set ? dlviz_dataset_labels(set) : NULL;
    if (set && dlviz_dataset_num_samples(set) > 0 && !labels)
        return dlviz_fail(
            DLVIZ_ERROR_INVALID_ARGUMENT,
            "the samples%s have no classes, which those to train on have: a folder for "
            "each class, or labels, are needed",
            which);
    for (int64_t i = 0; labels && i < dlviz_dataset_num_samples(set); i++) {
        int64_t label = ((const int64_t *)dlviz_tensor_const_data(labels))[i];
        if (label < 0)
            return dlviz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                              "sample %lld%s has the label %lld; classes are numbers from 0 on",
                              (long long)i, which, (long long)label);
    }
    return DLVIZ_OK;
}

static bool labels_differ(const dlviz_dataset *set) {
    const int64_t *label = dlviz_tensor_const_data(dlviz_dataset_labels(set));
    for (int64_t i = 1; i < dlviz_dataset_num_samples(set); i++)
        if (label[i] != label[0])
            return true;
    return false;
}

dlviz_status check_classes(const struct data *data) {
    const dlviz_dataset *train = data->train;
    int64_t classes = dlviz_dataset_num_classes(train);
    if (!dlviz_dataset_labels(train))
        return dlviz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                          "the samples have no classes: a folder for each class, or a column or "
                          "array of labels (--labels), is needed");
    TRY(check_labels(train, ""));
    TRY(check_labels(data->validation, " of those to validate on"));
    TRY(check_labels(data->test, " of those to test on"));
    if (classes > MOST_CLASSES)
        return dlviz_fail(
            DLVIZ_ERROR_INVALID_ARGUMENT,
            "there are %lld classes; up to %d are accepted (where classes are numbers, "
            "all from 0 to the largest count)",
            (long long)classes, MOST_CLASSES);
    /* There may be numbers that no sample has: all labels may be 1. */
    if (classes < 2 || !labels_differ(train))
        return dlviz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                          "there is one class alone; a network tells two or more apart");
    return DLVIZ_OK;
}

dlviz_status check_channels(const struct data *data, const struct options *options) {
    int64_t channels = dlviz_dataset_dims(data->train)[0];
    if (options->channels && data->original[0] > 0 && channels != options->channels &&
        options->channels_of_network)
        return dlviz_fail(
            DLVIZ_ERROR_SHAPE,
            "the network of '%s' takes images with %lld channel%s, and these have %lld",
            options->network, (long long)options->channels, options->channels == 1 ? "" : "s",
            (long long)channels);
    if (options->channels && data->original[0] > 0 && channels != options->channels)
        return dlviz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                          "--channels %lld: the images have %lld; only folders of images can be "
                          "read otherwise",
                          (long long)options->channels, (long long)channels);
    return DLVIZ_OK;
}

static void describe(const dlviz_dataset *set, char text[64]) {
    const int64_t *dims = dlviz_dataset_dims(set);
    if (dlviz_dataset_ndim(set) == 3)
        snprintf(text, 64, "images of %lld x %lld x %lld", (long long)dims[0], (long long)dims[1],
                 (long long)dims[2]);
    else
        snprintf(text, 64, "rows of %lld number%s", (long long)dims[0], dims[0] == 1 ? "" : "s");
}

dlviz_status check_shapes(const struct data *data) {
    const dlviz_dataset *const parts[] = {data->validation, data->test}, *train = data->train;
    static const char *const purposes[] = {"validate", "test"};
    for (int i = 0; i < 2; i++) {
        if (!parts[i])
            continue;
        int ndim = dlviz_dataset_ndim(train);
        bool same = dlviz_dataset_ndim(parts[i]) == ndim;
        for (int j = 0; same && j < ndim; j++)
            same = dlviz_dataset_dims(parts[i])[j] == dlviz_dataset_dims(train)[j];
        char there[64], here[64];
        describe(train, there);
        describe(parts[i], here);
        if (!same)
            return dlviz_fail(DLVIZ_ERROR_SHAPE, "there are %s to train on and %s to %s on", there,
                              here, purposes[i]);
    }
    return DLVIZ_OK;
}

void say_unused(const struct data *data, const struct options *options, struct terminal *terminal) {
    if (data->validation && options->validation_given)
        say(terminal, "--validation is left aside: the data have a part to validate on");
    if (data->test && options->test_given)
        say(terminal, "--test is left aside: %s",
            options->test_folder ? "--test-folder has what is tested on"
                                 : "the data have a part to test on");
}

dlviz_status check_test(const struct data *data, bool own) {
    int64_t n = dlviz_dataset_num_samples(data->test);
    if (n >= 2)
        return DLVIZ_OK;
    return dlviz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                      "there is %s to test on; a map takes two samples or more%s",
                      n == 1 ? "one sample alone" : "nothing",
                      own ? "" : " (--test SHARE takes more of all samples)");
}

dlviz_status check_train(const struct data *data) {
    if (dlviz_dataset_num_samples(data->train) >= 2)
        return DLVIZ_OK;
    return dlviz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                      "there is one sample alone to train on; it takes two or more, which smaller "
                      "shares for --validation and --test leave");
}
