/* What comes along when datasets are cut from datasets, and which samples a split holds out. */
#include "base/random.h"
#include "data/dataset.h"
#include "support/datasets.h"
#include "support/netspec.h"

#include <stdlib.h>
#include <string.h>

/* The targets and weights that belong to sample `id` of the chains below. */
static int64_t label_for(int64_t id) {
    return id * id % 11 - 2;
}
static float target_for(int64_t id, int64_t j) {
    return (float)(3 * id + j) / 7;
}
static float weight_for(int64_t id) {
    return (float)(id % 5) / 4;
}

static dlviz_dataset *chain_start(int64_t n, dlz_targets kind) {
    dlviz_dataset *dataset = numbered_samples(n);
    int64_t *labels = malloc((size_t)n * sizeof *labels);
    float *floats = malloc((size_t)n * 2 * sizeof *floats);
    float *weights = malloc((size_t)n * sizeof *weights);
    for (int64_t i = 0; i < n; i++) {
        labels[i] = label_for(i);
        floats[2 * i] = target_for(i, 0);
        floats[2 * i + 1] = target_for(i, 1);
        weights[i] = weight_for(i);
    }
    dlviz_tensor *tensor;
    if (kind == DLZ_TARGETS_LABELS) {
        set_labels(dataset, labels);
        ck_ok(dlviz_dataset_set_num_classes(dataset, 12));
    } else if (kind == DLZ_TARGETS_FLOATS) {
        tensor = float_tensor(2, (int64_t[]){n, 2}, floats);
        ck_ok(dlviz_dataset_set_targets(dataset, tensor));
        dlviz_tensor_destroy(tensor);
    } else if (kind == DLZ_TARGETS_SAMPLES)
        ck_ok(dlviz_dataset_set_targets_to_samples(dataset));
    tensor = float_tensor(1, (int64_t[]){n}, weights);
    ck_ok(dlviz_dataset_set_weights(dataset, tensor));
    dlviz_tensor_destroy(tensor);
    free(labels);
    free(floats);
    free(weights);
    return dataset;
}

/* Whether the dataset has the samples `ids`, and with each what belongs to it. */
static void expect_chain(const dlviz_dataset *dataset, dlz_targets kind, int64_t n,
                         const int64_t *ids) {
    ck_assert_int_eq(dlviz_dataset_num_samples(dataset), n);
    ck_assert_int_eq(dlz_dataset_target_kind(dataset), kind);
    const float *weights = dlviz_tensor_const_float(dlviz_dataset_weights(dataset));
    dlviz_tensor *samples, *targets = NULL;
    ck_ok(dlviz_dataset_samples(dataset, 0, n, &samples));
    if (kind != DLZ_TARGETS_NONE)
        ck_ok(dlviz_dataset_targets(dataset, 0, n, &targets));
    int64_t smallest = INT64_MAX, largest = INT64_MIN, low, high;
    for (int64_t i = 0; i < n; i++) {
        ck_assert_float_eq(dlviz_tensor_float(samples)[i], (float)ids[i]);
        ck_assert_float_eq(weights[i], weight_for(ids[i]));
        if (kind == DLZ_TARGETS_LABELS) {
            ck_assert_int_eq(labels_of(dataset)[i], label_for(ids[i]));
            ck_assert_int_eq(((int64_t *)dlviz_tensor_data(targets))[i], label_for(ids[i]));
            smallest = label_for(ids[i]) < smallest ? label_for(ids[i]) : smallest;
            largest = label_for(ids[i]) > largest ? label_for(ids[i]) : largest;
        } else if (kind == DLZ_TARGETS_FLOATS) {
            ck_assert_float_eq(dlviz_tensor_float(targets)[2 * i], target_for(ids[i], 0));
            ck_assert_float_eq(dlviz_tensor_float(targets)[2 * i + 1], target_for(ids[i], 1));
        } else if (kind == DLZ_TARGETS_SAMPLES)
            ck_assert_float_eq(dlviz_tensor_float(targets)[i], (float)ids[i]);
    }
    ck_assert_int_eq(dlz_dataset_label_range(dataset, &low, &high), kind == DLZ_TARGETS_LABELS);
    if (kind == DLZ_TARGETS_LABELS)
        ck_assert(low == smallest && high == largest);
    ck_assert_int_eq(dlviz_dataset_num_classes(dataset), kind == DLZ_TARGETS_LABELS ? 12 : 0);
    dlviz_tensor_destroy(samples);
    dlviz_tensor_destroy(targets);
}

START_TEST(everything_comes_along_through_chains_of_subsets) {
    enum { N = 60 };
    for (uint64_t seed = 0; seed < 40; seed++) {
        dlz_random random = dlz_random_start(seed, 77);
        dlz_targets kind = (dlz_targets)(seed % 4);
        int64_t ids[N], next[N], n = N;
        for (int64_t i = 0; i < n; i++)
            ids[i] = i;
        dlviz_dataset *dataset = chain_start(N, kind);
        for (int step = 0; step < 6; step++) {
            dlviz_dataset *cut, *other = NULL;
            int64_t count = 1 + (int64_t)dlz_random_below(&random, (uint64_t)n);
            if (step % 3 == 0) {
                int64_t first = (int64_t)dlz_random_below(&random, (uint64_t)(n - count + 1));
                ck_ok(dlviz_dataset_take(dataset, first, count, &cut));
                memcpy(next, ids + first, (size_t)count * sizeof *ids);
            } else if (step % 3 == 1 || n < 2) {
                int64_t indices[N];
                count = N; /* more than there are: some come twice */
                for (int64_t i = 0; i < count; i++) {
                    indices[i] = (int64_t)dlz_random_below(&random, (uint64_t)n);
                    next[i] = ids[indices[i]];
                }
                ck_ok(dlviz_dataset_select(dataset, count, indices, &cut));
            } else {
                ck_ok(dlviz_dataset_split(dataset, n / 2, seed, &cut, &other));
                count = dlviz_dataset_num_samples(cut);
                dlviz_tensor *samples;
                ck_ok(dlviz_dataset_samples(cut, 0, count, &samples));
                for (int64_t i = 0; i < count; i++)
                    next[i] = (int64_t)dlviz_tensor_float(samples)[i];
                dlviz_tensor_destroy(samples);
            }
            dlviz_dataset_destroy(dataset);
            dlviz_dataset_destroy(other);
            dataset = cut;
            n = count;
            memcpy(ids, next, (size_t)n * sizeof *ids);
            expect_chain(dataset, kind, n, ids);
        }
        dlviz_dataset_destroy(dataset);
    }
}
END_TEST

/* What a split holds out, found the plain way: class after class over all samples, and the largest
 * remainder looked for again for each sample that is left. */
static void plain_split(int64_t n, const int64_t *labels, int64_t total, uint64_t seed,
                        bool *held) {
    int64_t *classes = malloc((size_t)n * sizeof *classes), *members = malloc((size_t)n * 8);
    int64_t *shares = malloc((size_t)n * 8), *fractions = malloc((size_t)n * 8);
    int64_t num_classes = 0, left = total, largest = -1;
    for (int64_t i = 0; i < n; i++) {
        held[i] = false;
        largest = labels[i] > largest ? labels[i] : largest;
    }
    for (int64_t c = -1; c <= largest; c++) {
        int64_t count = 0;
        for (int64_t i = 0; i < n; i++)
            count += (labels[i] < 0 ? -1 : labels[i]) == c;
        if (count == 0)
            continue;
        classes[num_classes] = c;
        shares[num_classes] = total * count / n;
        fractions[num_classes] = total * count % n;
        left -= shares[num_classes++];
    }
    for (; left > 0; left--) {
        int64_t best = 0;
        for (int64_t c = 1; c < num_classes; c++)
            best = fractions[c] > fractions[best] ? c : best;
        shares[best]++;
        fractions[best] = -1;
    }
    for (int64_t c = 0; c < num_classes; c++) {
        int64_t found = 0;
        for (int64_t i = 0; i < n; i++)
            if ((labels[i] < 0 ? -1 : labels[i]) == classes[c])
                members[found++] = i;
        uint64_t stream = classes[c] < 0 ? 0xFFFFFFFFu : (uint64_t)classes[c];
        dlz_random random = dlz_random_start(seed, DLZ_STREAM_SPLIT + (stream << 8));
        dlz_random_shuffle(&random, members, found);
        for (int64_t i = 0; i < shares[c]; i++)
            held[members[i]] = true;
    }
    free(classes);
    free(members);
    free(shares);
    free(fractions);
}

START_TEST(a_split_is_what_the_plain_way_gives) {
    enum { N = 3000 };
    static int64_t labels[N];
    static bool held[N];
    /* Few classes, more than one digit of the sort holds, and nearly one a sample. */
    static const int64_t classes[] = {1, 3, 256, 2100, 5000};
    for (uint64_t seed = 0; seed < 10; seed++) {
        dlz_random random = dlz_random_start(seed, 78);
        int64_t n = seed < 5 ? 50 + (int64_t)dlz_random_below(&random, 200) : N;
        for (int64_t i = 0; i < n; i++)
            labels[i] = (int64_t)dlz_random_below(&random, (uint64_t)classes[seed % 5]) -
                        (seed % 2 ? 1 : 0);
        int64_t total = 1 + (int64_t)dlz_random_below(&random, (uint64_t)n - 1), next[2] = {0};
        plain_split(n, labels, total, seed, held);
        dlviz_dataset *whole = numbered_samples(n), *parts[2];
        set_labels(whole, labels);
        ck_ok(dlviz_dataset_split(whole, total, seed, &parts[0], &parts[1]));
        ck_assert_int_eq(dlviz_dataset_num_samples(parts[1]), total);
        ck_assert_int_eq(dlviz_dataset_num_samples(parts[0]), n - total);
        dlviz_tensor *samples[2];
        for (int p = 0; p < 2; p++)
            ck_ok(dlviz_dataset_samples(parts[p], 0, dlviz_dataset_num_samples(parts[p]),
                                        &samples[p]));
        for (int64_t i = 0; i < n; i++)
            ck_assert_float_eq(dlviz_tensor_float(samples[held[i]])[next[held[i]]++], (float)i);
        for (int p = 0; p < 2; p++) {
            dlviz_tensor_destroy(samples[p]);
            dlviz_dataset_destroy(parts[p]);
        }
        dlviz_dataset_destroy(whole);
    }
}
END_TEST

START_TEST(a_split_takes_the_highest_labels_there_are) {
    int64_t labels[40];
    for (int i = 0; i < 40; i++)
        labels[i] = i % 4 == 0 ? 16777215 : i % 4 == 1 ? 8388607 : i % 4 == 2 ? -5 : -2147483648;
    dlviz_dataset *whole = numbered_samples(40), *rest, *holdout;
    set_labels(whole, labels);
    ck_ok(dlviz_dataset_split(whole, 20, 1, &rest, &holdout));
    int counts[3] = {0};
    for (int i = 0; i < 20; i++)
        counts[labels_of(holdout)[i] < 0 ? 0 : labels_of(holdout)[i] == 8388607 ? 1 : 2]++;
    ck_assert(counts[0] == 10 && counts[1] == 5 && counts[2] == 5);
    dlviz_dataset_destroy(whole);
    dlviz_dataset_destroy(rest);
    dlviz_dataset_destroy(holdout);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {everything_comes_along_through_chains_of_subsets,
                                  a_split_is_what_the_plain_way_gives,
                                  a_split_takes_the_highest_labels_there_are, NULL};
    return run_tests("subsets", tests);
}
