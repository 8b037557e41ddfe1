/* Means and deviations of datasets, against long double. */
#include "support/support.h"

#include <math.h>
#include <stdlib.h>

/* Of each channel of samples as a network sees them, in two passes. */
static void expect_measures(const dlviz_dataset *dataset, double allowed) {
    dlviz_tensor *means, *deviations, *samples;
    ck_ok(dlviz_dataset_measure(dataset, &means, &deviations));
    int64_t n = dlviz_dataset_num_samples(dataset), pixels = 1;
    const int64_t *dims = dlviz_dataset_dims(dataset);
    for (int d = 1; d < dlviz_dataset_ndim(dataset); d++)
        pixels *= dims[d];
    ck_assert_int_eq(dlviz_tensor_ndim(means), 1);
    ck_assert_int_eq(dlviz_tensor_num_elements(means), dims[0]);
    ck_assert_int_eq(dlviz_tensor_num_elements(deviations), dims[0]);
    ck_ok(dlviz_dataset_samples(dataset, 0, n, &samples));
    const float *values = dlviz_tensor_const_data(samples);
    for (int64_t c = 0; c < dims[0]; c++) {
        long double sum = 0, squares = 0;
        for (int64_t i = 0; i < n; i++)
            for (int64_t p = 0; p < pixels; p++)
                sum += values[(i * dims[0] + c) * pixels + p];
        long double mean = sum / (n * pixels);
        for (int64_t i = 0; i < n; i++)
            for (int64_t p = 0; p < pixels; p++) {
                long double apart = values[(i * dims[0] + c) * pixels + p] - mean;
                squares += apart * apart;
            }
        double deviation = (double)sqrtl(squares / (n * pixels));
        double got = ((const float *)dlviz_tensor_const_data(means))[c],
               spread = ((const float *)dlviz_tensor_const_data(deviations))[c];
        ck_assert_msg(fabs(got - (double)mean) <= allowed * fabs((double)mean) + 1e-12,
                      "mean %.9g, not %.9g", got, (double)mean);
        ck_assert_msg(fabs(spread - deviation) <= allowed * deviation, "deviation %.9g, not %.9g",
                      spread, deviation);
    }
    dlviz_tensor_destroy(means);
    dlviz_tensor_destroy(deviations);
    dlviz_tensor_destroy(samples);
}

static dlviz_dataset *make(dlviz_dtype dtype, int ndim, const int64_t *dims, double offset) {
    dlviz_tensor *samples;
    dlviz_dataset *dataset;
    ck_ok(dlviz_tensor_create(&samples, dtype, ndim, dims));
    int64_t count = dlviz_tensor_num_elements(samples);
    float *values = malloc((size_t)count * sizeof *values);
    fill_uniform(values, count, 5);
    for (int64_t i = 0; i < count; i++)
        if (dtype == DLVIZ_UINT8)
            ((uint8_t *)dlviz_tensor_data(samples))[i] = (uint8_t)(127 + 120 * values[i]);
        else
            ((float *)dlviz_tensor_data(samples))[i] = (float)(values[i] + offset);
    free(values);
    ck_ok(dlviz_dataset_create(&dataset, samples, NULL));
    dlviz_tensor_destroy(samples);
    return dataset;
}

START_TEST(images) {
    static const int64_t counts[] = {1, 3, 64, 65, 131};
    for (int i = 0; i < 5; i++)
        for (int type = 0; type < 2; type++) {
            dlviz_dataset *dataset = make(type ? DLVIZ_FLOAT32 : DLVIZ_UINT8, 4,
                                          (const int64_t[]){counts[i], 3, 5, 7}, 0.25);
            expect_measures(dataset, 1e-6);
            ck_ok(dlviz_dataset_set_image_size(dataset, 4, 11));
            expect_measures(dataset, 1e-6);
            dlviz_dataset_destroy(dataset);
        }
}
END_TEST

START_TEST(vectors) {
    dlviz_dataset *dataset = make(DLVIZ_FLOAT32, 2, (const int64_t[]){200, 11}, -3);
    expect_measures(dataset, 1e-6);
    dlviz_dataset_destroy(dataset);
}
END_TEST

/* The mean of squares less the square of the mean would have no digit left. */
START_TEST(nothing_cancels) {
    dlviz_dataset *dataset = make(DLVIZ_FLOAT32, 4, (const int64_t[]){90, 2, 6, 6}, 1e6);
    expect_measures(dataset, 1e-6);
    dlviz_dataset_destroy(dataset);
}
END_TEST

START_TEST(not_normalized) {
    dlviz_dataset *dataset = make(DLVIZ_UINT8, 4, (const int64_t[]){20, 2, 4, 4}, 0);
    dlviz_tensor *a, *b, *c, *d;
    ck_ok(dlviz_dataset_measure(dataset, &a, &b));
    ck_ok(dlviz_dataset_set_normalization(dataset, 0.5f, 2));
    ck_ok(dlviz_dataset_measure(dataset, &c, &d));
    dlviz_tensor *tensors[] = {a, b, c, d};
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2; j++)
            ck_assert_float_eq(((const float *)dlviz_tensor_const_data(tensors[i]))[j],
                               ((const float *)dlviz_tensor_const_data(tensors[i + 2]))[j]);
    /* What it gives is what makes mean 0 and deviation 1. */
    ck_ok(dlviz_dataset_set_channel_normalization(dataset, 2, dlviz_tensor_const_data(a),
                                                  dlviz_tensor_const_data(b)));
    dlviz_tensor *samples;
    ck_ok(dlviz_dataset_samples(dataset, 0, 20, &samples));
    const float *values = dlviz_tensor_const_data(samples);
    for (int channel = 0; channel < 2; channel++) {
        double sum = 0, squares = 0;
        for (int i = 0; i < 20; i++)
            for (int p = 0; p < 16; p++) {
                double value = (double)values[(i * 2 + channel) * 16 + p];
                sum += value;
                squares += value * value;
            }
        ck_assert_double_le(fabs(sum / 320), 1e-6);
        ck_assert_double_le(fabs(squares / 320 - 1), 1e-5);
    }
    dlviz_tensor_destroy(samples);
    for (int i = 0; i < 4; i++)
        dlviz_tensor_destroy(tensors[i]);
    dlviz_dataset_destroy(dataset);
}
END_TEST

START_TEST(the_same_for_any_number_of_threads) {
    dlviz_dataset *dataset = make(DLVIZ_FLOAT32, 4, (const int64_t[]){150, 3, 5, 5}, 0.1);
    float first[6];
    for (int threads = 1; threads <= 8; threads++) {
        dlviz_tensor *a, *b;
        ck_ok(dlviz_set_num_threads(threads));
        ck_ok(dlviz_dataset_measure(dataset, &a, &b));
        for (int c = 0; c < 3; c++) {
            float mean = ((const float *)dlviz_tensor_const_data(a))[c],
                  deviation = ((const float *)dlviz_tensor_const_data(b))[c];
            if (threads == 1) {
                first[c] = mean;
                first[3 + c] = deviation;
            }
            ck_assert(mean == first[c] && deviation == first[3 + c]);
        }
        dlviz_tensor_destroy(a);
        dlviz_tensor_destroy(b);
    }
    dlviz_dataset_destroy(dataset);
}
END_TEST

START_TEST(one_number_everywhere) {
    float values[24];
    for (int i = 0; i < 24; i++)
        values[i] = 0.1f;
    dlviz_tensor *samples, *means, *deviations;
    dlviz_dataset *dataset;
    ck_ok(
        dlviz_tensor_from_data(&samples, DLVIZ_FLOAT32, 4, (const int64_t[]){6, 1, 2, 2}, values));
    ck_ok(dlviz_dataset_create(&dataset, samples, NULL));
    ck_ok(dlviz_dataset_measure(dataset, &means, &deviations));
    ck_assert_float_eq(*(const float *)dlviz_tensor_const_data(means), 0.1f);
    ck_assert_float_eq(*(const float *)dlviz_tensor_const_data(deviations), 0);
    dlviz_tensor_destroy(means);
    dlviz_tensor_destroy(deviations);
    dlviz_dataset_destroy(dataset);
    dlviz_tensor_destroy(samples);
}
END_TEST

/* What never changes becomes 0, whatever it is, and nothing else in the dataset is the worse for it. */
START_TEST(what_is_measured_can_be_set) {
    enum { n = 50 };
    dlviz_dataset *dataset;
    dlviz_tensor *samples, *means, *deviations, *loaded;
    ck_ok(dlviz_tensor_create(&samples, DLVIZ_FLOAT32, 2, (const int64_t[]){n, 4}));
    float *values = dlviz_tensor_float(samples), set[4], scales[4];
    for (int i = 0; i < n; i++) {
        const float row[] = {(float)i, 0.1f, -3e38f, i % 2 ? 1e-30f : 3e-30f};
        for (int c = 0; c < 4; c++)
            values[4 * i + c] = row[c];
    }
    ck_ok(dlviz_dataset_create(&dataset, samples, NULL));
    ck_ok(dlviz_dataset_measure(dataset, &means, &deviations));
    const float *measured = dlviz_tensor_const_float(deviations);
    ck_assert(measured[1] == 0 && measured[2] == 0 && measured[3] > 0);
    ck_ok(dlviz_dataset_set_channel_normalization(dataset, 4, dlviz_tensor_const_float(means),
                                                  measured));
    ck_assert_int_eq(dlviz_dataset_normalization(dataset, 4, set, scales), 4);
    ck_ok(dlviz_dataset_samples(dataset, 0, n, &loaded));
    for (int i = 0; i < n; i++) {
        const float *row = dlviz_tensor_const_float(loaded) + 4 * i;
        ck_assert(row[1] == 0 && row[2] == 0);
        ck_assert_double_eq_tol(fabs((double)row[3]), 1, 1e-5);
    }
    for (int c = 0; c < 4; c++)
        ck_assert_float_eq(scales[c], measured[c] == 0 ? 1 : measured[c]);
    ck_fails(dlviz_dataset_set_normalization(dataset, 0, 0), DLVIZ_ERROR_INVALID_ARGUMENT,
             "above 0");
    ck_fails(dlviz_dataset_set_channel_normalization(dataset, 4, set, (float[]){1, 0, -1, 1}),
             DLVIZ_ERROR_INVALID_ARGUMENT, "above 0");
    dlviz_dataset_destroy(dataset);
    dlviz_tensor *all[] = {samples, means, deviations, loaded};
    for (int i = 0; i < 4; i++)
        dlviz_tensor_destroy(all[i]);
}
END_TEST

START_TEST(numbers_that_are_none) {
    float values[200 * 12] = {0};
    values[77 * 12 + 7] = NAN;
    values[150 * 12] = INFINITY;
    dlviz_tensor *samples, *means, *deviations;
    dlviz_dataset *dataset;
    ck_ok(dlviz_tensor_from_data(&samples, DLVIZ_FLOAT32, 4, (const int64_t[]){200, 3, 2, 2},
                                 values));
    ck_ok(dlviz_dataset_create(&dataset, samples, NULL));
    ck_fails(dlviz_dataset_measure(dataset, &means, &deviations), DLVIZ_ERROR_NUMERIC,
             "NaN in sample 77 (channel 1, row 1, column 1)");
    ck_assert(means == NULL && deviations == NULL);
    ck_fails(dlviz_dataset_measure(dataset, NULL, &deviations), DLVIZ_ERROR_INVALID_ARGUMENT,
             "'means' is NULL");
    dlviz_dataset_destroy(dataset);
    dlviz_tensor_destroy(samples);
}
END_TEST

int main(void) {
    return run_tests("measure", (const TTest *const[]){
                                    images, vectors, nothing_cancels, not_normalized,
                                    the_same_for_any_number_of_threads, one_number_everywhere,
                                    what_is_measured_can_be_set, numbers_that_are_none, NULL});
}
