#include "data.h"
#include "data_checks.h"
#include "mark.h"
#include "sources.h"
#include "try.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VALIDATION_SHARE 12 /* of the report's training images: 5,000 of 60,000 */
#define MNIST_MEAN 0.1307f
#define MNIST_DEVIATION 0.3081f
enum { MOST_PIXELS = 32 /* each way, of what a map of pixels is made of */ };

void release_data(struct data *data) {
    free(data->test_rows);
    dlviz_dataset_destroy(data->train);
    dlviz_dataset_destroy(data->validation);
    dlviz_dataset_destroy(data->test);
}

/* -- The report's --------------------------------------------------------------------------------
 */

/* The set is known by its first test labels: a copy of Fashion-MNIST is not to be called MNIST. */
static dlviz_status name_mnist(dlviz_dataset *train, dlviz_dataset *test, struct data *data) {
    static const int64_t mnist[] = {7, 2, 1, 0, 4, 1, 4, 9}, fashion[] = {9, 2, 1, 1, 6, 1, 4, 6};
    static const char *const clothes[] = {"T-shirt", "trouser", "pullover", "dress", "coat",
                                          "sandal",  "shirt",   "sneaker",  "bag",   "boot"};
    const int64_t *labels = dlviz_tensor_const_data(dlviz_dataset_labels(test));
    bool enough = dlviz_dataset_num_samples(test) >= 8;
    if (enough && memcmp(labels, mnist, sizeof mnist) == 0)
        snprintf(data->name, sizeof data->name, "MNIST");
    if (enough && memcmp(labels, fashion, sizeof fashion) == 0) {
        snprintf(data->name, sizeof data->name, "Fashion-MNIST");
        TRY(dlviz_dataset_set_class_names(train, 10, clothes));
        TRY(dlviz_dataset_set_class_names(test, 10, clothes));
    }
    return DLVIZ_OK;
}

/* Tells data apart whose labels are the same: other columns, or another file. A thousand samples of
 * each part do, as they are before they are scaled; images that are files are known by their names.
 */
static dlviz_status mark_numbers(struct data *data, const dlviz_dataset *train) {
    enum { MOST_MARKED = 1024 };
    const dlviz_dataset *const parts[] = {train, data->validation, data->test};
    data->mark = MARK_OF_NOTHING;
    for (int i = 0; i < 3; i++) {
        int64_t n = parts[i] ? dlviz_dataset_num_samples(parts[i]) : 0;
        if (n == 0 || dlviz_dataset_sample_path(parts[i], 0))
            continue;
        int64_t count = n < MOST_MARKED ? n : MOST_MARKED;
        for (int64_t k = 0; k < count; k++) {
            dlviz_tensor *sample;
            TRY(dlviz_dataset_samples(parts[i], k * (n / count), 1, &sample));
            data->mark = mark_more(data->mark, dlviz_tensor_const_float(sample),
                                   (size_t)dlviz_tensor_num_elements(sample) * sizeof(float));
            dlviz_tensor_destroy(sample);
        }
    }
    return DLVIZ_OK;
}

/* Replaces a dataset by its first `limit` samples. */
static dlviz_status limit(dlviz_dataset **dataset, int64_t limit) {
    if (limit == 0 || limit >= dlviz_dataset_num_samples(*dataset))
        return DLVIZ_OK;
    dlviz_dataset *first;
    TRY(dlviz_dataset_take(*dataset, 0, limit, &first));
    dlviz_dataset_destroy(*dataset);
    *dataset = first;
    return DLVIZ_OK;
}

static dlviz_status prepare(dlviz_dataset **dataset, const struct options *options, int64_t count) {
    TRY(limit(dataset, count));
    TRY(dlviz_dataset_set_image_size(*dataset, options->height, options->width));
    return dlviz_dataset_set_normalization(*dataset, MNIST_MEAN, MNIST_DEVIATION);
}

static void note_original(struct data *data, const dlviz_dataset *set) {
    bool images = dlviz_dataset_ndim(set) == 3;
    for (int i = 0; i < 2; i++)
        data->original[i] = images ? dlviz_dataset_dims(set)[1 + i] : 0;
}

static dlviz_status split_report(struct data *data, dlviz_dataset **all,
                                 const struct options *options) {
    TRY(name_mnist(*all, data->test, data));
    note_original(data, data->test);
    TRY(mark_numbers(data, *all));
    TRY(prepare(all, options, options->train_limit));
    TRY(prepare(&data->test, options, options->test_limit));
    int64_t held_out = dlviz_dataset_num_samples(*all) / VALIDATION_SHARE;
    return dlviz_dataset_split(*all, held_out, (uint64_t)options->seed, &data->train,
                               &data->validation);
}

dlviz_status load_report_data(struct data *data, const struct options *options) {
    dlviz_dataset *all = NULL;
    snprintf(data->name, sizeof data->name, "images");
    data->advice = "examples/reproduce.sh fetches MNIST, --data names another folder";
    dlviz_status status = dlviz_dataset_read_mnist(&all, options->data, DLVIZ_DATASET_PART_TRAIN);
    if (status == DLVIZ_OK)
        status = dlviz_dataset_read_mnist(&data->test, options->data, DLVIZ_DATASET_PART_TEST);
    if (status == DLVIZ_OK) {
        data->advice = NULL;
        status = split_report(data, &all, options);
    }
    dlviz_dataset_destroy(all);
    return status;
}

/* -- Anybody's -----------------------------------------------------------------------------------
 */

/* So many of n samples, at least one, and leaving one at least. */
static int64_t share_of(double share, int64_t n) {
    int64_t count = (int64_t)(share * (double)n + 0.5);
    return count < 1 ? 1 : count > n - 1 ? n - 1 : count;
}

/* Splits a share of one set off into another. */
static dlviz_status split_off(dlviz_dataset **from, double share, uint64_t seed,
                              dlviz_dataset **part) {
    dlviz_dataset *rest;
    int64_t n = dlviz_dataset_num_samples(*from);
    if (n < 2)
        return dlviz_fail(
            DLVIZ_ERROR_INVALID_ARGUMENT,
            "there is one sample alone; it takes three at least to train, to validate "
            "and to test");
    TRY(dlviz_dataset_split(*from, share_of(share, n), seed, &rest, part));
    dlviz_dataset_destroy(*from);
    *from = rest;
    return DLVIZ_OK;
}

/* Which samples are split off to test on: those that are split off of their numbers alike. */
static dlviz_status find_test_rows(struct data *data, const struct options *options) {
    int64_t n = dlviz_dataset_num_samples(data->train);
    dlviz_tensor *numbers, *taken = NULL;
    dlviz_dataset *all = NULL, *test = NULL;
    if (n < 2 || n > 1 << 24) /* beyond, float32 does not tell them apart */
        return DLVIZ_OK;
    TRY(dlviz_tensor_create(&numbers, DLVIZ_FLOAT32, 2, (int64_t[]){n, 1}));
    for (int64_t i = 0; i < n; i++)
        dlviz_tensor_float(numbers)[i] = (float)i;
    dlviz_status status = dlviz_dataset_create(&all, numbers, dlviz_dataset_labels(data->train));
    if (status == DLVIZ_OK)
        status = dlviz_dataset_set_num_classes(all, dlviz_dataset_num_classes(data->train));
    if (status == DLVIZ_OK)
        status = split_off(&all, options->test, (uint64_t)options->seed, &test);
    int64_t count = status == DLVIZ_OK ? dlviz_dataset_num_samples(test) : 0;
    if (status == DLVIZ_OK)
        status = dlviz_dataset_samples(test, 0, count, &taken);
    if (status == DLVIZ_OK)
        data->test_rows = malloc((size_t)count * sizeof *data->test_rows);
    for (int64_t i = 0; data->test_rows && i < count; i++)
        data->test_rows[i] = (int64_t)dlviz_tensor_const_float(taken)[i];
    dlviz_tensor_destroy(taken);
    dlviz_dataset_destroy(test);
    dlviz_dataset_destroy(all);
    dlviz_tensor_destroy(numbers);
    return status == DLVIZ_OK && !data->test_rows
               ? dlviz_fail(DLVIZ_ERROR_OUT_OF_MEMORY, "no memory for the numbers of rows")
               : status;
}

/* By the mean and the deviation of each channel, or of each number of vectors, in the training part;
 * what never changes stays as it is. */
static dlviz_status normalize(struct data *data) {
    dlviz_tensor *means, *deviations;
    TRY(dlviz_dataset_measure(data->train, &means, &deviations));
    float *deviation = dlviz_tensor_float(deviations);
    int64_t channels = dlviz_tensor_num_elements(means);
    for (int64_t i = 0; i < channels; i++)
        if (!(deviation[i] > 1e-12f))
            deviation[i] = 1;
    dlviz_dataset *const parts[] = {data->train, data->validation, data->test};
    dlviz_status status = DLVIZ_OK;
    for (int i = 0; status == DLVIZ_OK && i < 3; i++)
        if (parts[i])
            status = dlviz_dataset_set_channel_normalization(
                parts[i], channels, dlviz_tensor_const_float(means), deviation);
    dlviz_tensor_destroy(means);
    dlviz_tensor_destroy(deviations);
    return status;
}

/* Images that are kept as they were read; a folder's had their size while they were read. */
static dlviz_status resize(const struct data *data, const struct options *options) {
    dlviz_dataset *const parts[] = {data->train, data->validation, data->test};
    if (options->height == 0 || data->original[0] == 0)
        return DLVIZ_OK;
    for (int i = 0; i < 3; i++)
        if (parts[i])
            TRY(dlviz_dataset_set_image_size(parts[i], options->height, options->width));
    return DLVIZ_OK;
}

dlviz_status load_train_data(struct data *data, const struct options *options,
                             struct terminal *terminal) {
    TRY(read_sources(data, options, terminal));
    TRY(check_classes(data));
    note_original(data, data->train);
    TRY(mark_numbers(data, data->train));
    TRY(check_channels(data, options));
    TRY(resize(data, options));
    TRY(check_shapes(data));
    say_unused(data, options, terminal);
    uint64_t seed = (uint64_t)options->seed;
    double share = options->validation; /* of what is left once the test samples are taken */
    bool own = data->test != NULL;
    if (!own) {
        if (!dlviz_dataset_sample_path(data->train, 0))
            TRY(find_test_rows(data, options));
        TRY(split_off(&data->train, options->test, seed, &data->test));
        share /= 1 - options->test;
    }
    TRY(check_test(data, own));
    if (!data->validation && share > 0)
        TRY(split_off(&data->train, share, seed + 1, &data->validation));
    TRY(check_train(data));
    return normalize(data);
}

/* -- What a page shows, and what a map of pixels is made of -------------------------------------- */

/* The test samples without normalization, in this size. */
static dlviz_status plain_samples(const struct data *data, int64_t height, int64_t width,
                                  dlviz_dataset **plain) {
    TRY(dlviz_dataset_take(data->test, 0, dlviz_dataset_num_samples(data->test), plain));
    dlviz_status status = dlviz_dataset_set_normalization(*plain, 0, 1);
    if (status == DLVIZ_OK && height > 0)
        status = dlviz_dataset_set_image_size(*plain, height, width);
    if (status == DLVIZ_OK)
        return DLVIZ_OK;
    dlviz_dataset_destroy(*plain);
    *plain = NULL;
    return status;
}

dlviz_status test_pixels(const struct data *data, dlviz_tensor **pixels) {
    dlviz_dataset *plain;
    dlviz_tensor *samples = NULL;
    int64_t n = dlviz_dataset_num_samples(data->test);
    int64_t height = data->original[0], width = data->original[1];
    int64_t longer = height > width ? height : width;
    if (longer > MOST_PIXELS) { /* a map of larger ones would show the same and take long */
        height = height * MOST_PIXELS / longer > 0 ? height * MOST_PIXELS / longer : 1;
        width = width * MOST_PIXELS / longer > 0 ? width * MOST_PIXELS / longer : 1;
    }
    /* Columns of a table have units of their own, and are as the network sees them. */
    if (height == 0)
        return dlviz_dataset_samples(data->test, 0, n, pixels);
    TRY(plain_samples(data, height, width, &plain));
    dlviz_status status = dlviz_dataset_samples(plain, 0, n, &samples);
    if (status == DLVIZ_OK)
        status = dlviz_tensor_reshape(samples, 2, (int64_t[]){n, -1}, pixels);
    dlviz_tensor_destroy(samples);
    dlviz_dataset_destroy(plain);
    return status;
}
