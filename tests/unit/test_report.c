/* The page: everything that went into it is read out of it again, by jansson, zlib and a base64 of the test's own. */
#include "support/netspec.h"
#include "support/page.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static dlviz_tensor *tensor(dlviz_dtype dtype, int ndim, const int64_t *dims) {
    dlviz_tensor *made;
    ck_ok(dlviz_tensor_create(&made, dtype, ndim, dims));
    return made;
}

static dlviz_tensor *uniform(int64_t rows, int64_t columns, uint64_t seed) {
    dlviz_tensor *made = tensor(DLVIZ_FLOAT32, 2, (int64_t[]){rows, columns});
    fill_uniform(dlviz_tensor_float(made), rows * columns, seed);
    return made;
}

/* A point's label: 0 … classes − 1 in turn, each 7th without one where `gaps`. */
static dlviz_tensor *some_labels(int64_t n, int64_t classes, bool gaps) {
    dlviz_tensor *made = tensor(DLVIZ_INT64, 1, &n);
    for (int64_t i = 0; i < n; i++)
        ((int64_t *)dlviz_tensor_data(made))[i] = gaps && i % 7 == 3 ? -5 : i % classes;
    return made;
}

static dlviz_tensor *some_images(int64_t n, int64_t channels, int64_t height, int64_t width) {
    dlviz_tensor *made = tensor(DLVIZ_UINT8, 4, (int64_t[]){n, channels, height, width});
    uint8_t *pixels = dlviz_tensor_data(made);
    for (int64_t i = 0; i < dlviz_tensor_num_elements(made); i++)
        pixels[i] = (uint8_t)((i * 37 + i * i / 11) & 255);
    return made;
}

static void add_frame(dlviz_report_run *run, int64_t epoch, const dlviz_tensor *map,
                      const dlviz_tensor *outputs) {
    ck_ok(dlviz_report_run_add_frame(run, epoch, 1, &map, outputs));
}

/* A report with one run, of which a page can be written. */
static dlviz_report *small_report(int64_t n, dlviz_report_run **run) {
    dlviz_report *report;
    dlviz_tensor *map = uniform(n, 2, 3);
    ck_ok(dlviz_report_create(&report, "small", n));
    ck_ok(dlviz_report_add_run(report, "a run", run));
    ck_ok(dlviz_report_run_add_map(*run, "t-SNE"));
    add_frame(*run, 0, map, NULL);
    dlviz_tensor_destroy(map);
    return report;
}

/* -- Maps ----------------------------------------------------------------------------------------
 */

static const json_t *frame_of(const page *p, size_t run, size_t frame) {
    return json_array_get(json_object_get(page_run(p, run), "frames"), frame);
}

/* The map lies in its place up to rounding: one scale and one shift for both axes. */
static void expect_map(const page *p, const json_t *frame, size_t which, const float *points,
                       int64_t n) {
    size_t size;
    uint8_t *bytes = page_bytes(json_array_get(json_object_get(frame, "maps"), which), &size);
    ck_assert_int_eq(size, 4 * n);
    double least[2] = {INFINITY, INFINITY}, most[2] = {-INFINITY, -INFINITY};
    for (int64_t i = 0; i < 2 * n; i++) {
        least[i % 2] = fmin(least[i % 2], points[i]);
        most[i % 2] = fmax(most[i % 2], points[i]);
    }
    double half = fmax(most[0] - least[0], most[1] - least[1]) / 2;
    for (int64_t i = 0; i < 2 * n; i++) {
        double middle = (least[i % 2] + most[i % 2]) / 2;
        double wanted = 32768 + (points[i] - middle) / half * 0.48 * 65535;
        ck_assert(fabs((double)page_number(bytes, i, 2) - (half > 0 ? wanted : 32768)) <= 1);
    }
    (void)p;
    free(bytes);
}

START_TEST(maps_keep_their_shape) {
    int64_t n = 500;
    dlviz_report *report;
    dlviz_report_run *run;
    dlviz_tensor *maps[3] = {uniform(n, 2, 1), uniform(n, 2, 2), uniform(n, 2, 3)};
    for (int64_t i = 0; i < n; i++) {
        dlviz_tensor_float(maps[1])[2 * i] = 3;       /* upright */
        dlviz_tensor_float(maps[2])[2 * i] = -1e-30f; /* all in one place */
        dlviz_tensor_float(maps[2])[2 * i + 1] = 4e37f;
    }
    ck_ok(dlviz_report_create(&report, NULL, n));
    ck_ok(dlviz_report_add_run(report, "r", &run));
    const char *names[] = {"t-SNE", "PCA", "\xc3\xa4 <b>"};
    for (int m = 0; m < 3; m++)
        ck_ok(dlviz_report_run_add_map(run, names[m]));
    ck_ok(dlviz_report_run_add_frame(run, -1, 3, (const dlviz_tensor *const *)maps, NULL));
    page p = page_of(report);
    for (size_t m = 0; m < 3; m++) {
        expect_map(&p, frame_of(&p, 0, 0), m, dlviz_tensor_float(maps[m]), n);
        ck_assert_str_eq(page_text(json_array_get(json_object_get(page_run(&p, 0), "maps"), m)),
                         names[m]);
        ck_assert_int_eq(
            page_integer(json_array_get(json_object_get(frame_of(&p, 0, 0), "outside"), m)), 0);
        dlviz_tensor_destroy(maps[m]);
    }
    ck_assert_int_eq(page_integer(json_object_get(frame_of(&p, 0, 0), "epoch")), -1);
    ck_assert_ptr_null(json_object_get(frame_of(&p, 0, 0), "predictions"));
    ck_assert_ptr_null(json_object_get(page_run(&p, 0), "probabilities"));
    ck_assert_ptr_null(json_object_get(p.root, "labels"));
    ck_assert_int_eq(json_array_size(json_object_get(p.root, "classes")), 0);
    page_close(&p);
    dlviz_report_destroy(report);
}
END_TEST

/* Some points far away leave the others the room. */
static void try_outliers(int64_t n, int64_t far, int64_t wanted) {
    dlviz_report *report;
    dlviz_report_run *run;
    dlviz_tensor *map = uniform(n, 2, 9);
    float *points = dlviz_tensor_float(map);
    for (int64_t i = 0; i < far; i++)
        points[2 * (i * 17 % n)] = i % 2 ? 1e6f : -3e38f;
    ck_ok(dlviz_report_create(&report, "far", n));
    ck_ok(dlviz_report_add_run(report, "r", &run));
    ck_ok(dlviz_report_run_add_map(run, "map"));
    add_frame(run, 3, map, NULL);
    page p = page_of(report);
    size_t size;
    uint8_t *bytes =
        page_bytes(json_array_get(json_object_get(frame_of(&p, 0, 0), "maps"), 0), &size);
    int64_t outside =
        page_integer(json_array_get(json_object_get(frame_of(&p, 0, 0), "outside"), 0));
    ck_assert_int_eq(outside, wanted);
    int64_t inside = 0, at_border = 0;
    for (int64_t i = 0; i < n; i++) {
        double x = (double)page_number(bytes, 2 * i, 2);
        double y = (double)page_number(bytes, 2 * i + 1, 2);
        inside += fmin(x, y) >= 0.02 * 65535 - 1 && fmax(x, y) <= 0.98 * 65535 + 1;
        at_border += x == 0 || x == 65535;
    }
    if (wanted > 0) {
        ck_assert_int_eq(inside, n - far);
        ck_assert_int_eq(at_border, far);
        /* What is not far away fills the map. */
        double least = 65535, most = 0;
        for (int64_t i = 0; i < n; i++) {
            least = fmin(least, (double)page_number(bytes, 2 * i + 1, 2));
            most = fmax(most, (double)page_number(bytes, 2 * i + 1, 2));
        }
        ck_assert(most - least > 0.9 * 65535);
    }
    free(bytes);
    page_close(&p);
    dlviz_tensor_destroy(map);
    dlviz_report_destroy(report);
}

START_TEST(outliers_lie_at_the_border) {
    try_outliers(100, 1, 1);
    try_outliers(5000, 5, 5);
    try_outliers(100000, 100, 100);
    try_outliers(10, 1, 0); /* of ten points none is an exception */
    try_outliers(1000, 0, 0);
}
END_TEST

/* -- Outputs -------------------------------------------------------------------------------------
 */

/* In long double, by another way than the library's. */
static long double probability(const float *row, int64_t count, int64_t c) {
    long double sum = 0;
    for (int64_t j = 0; j < count; j++)
        sum += expl((long double)row[j] - (long double)row[c]);
    return 1 / sum;
}

static void expect_outputs(int64_t n, int64_t classes) {
    dlviz_report_run *run;
    dlviz_report *report = small_report(n, &run);
    dlviz_tensor *map = uniform(n, 2, 1), *outputs = uniform(n, classes, 5),
                 *labels = some_labels(n, classes, true);
    float *rows = dlviz_tensor_float(outputs);
    for (int64_t i = 0; i < n * classes; i++)
        rows[i] *= 8;
    rows[classes - 1] = rows[0] = 9; /* two largest: the first counts */
    ck_ok(dlviz_report_set_labels(report, labels));
    add_frame(run, 7, map, outputs);
    page p = page_of(report);
    bool wide = classes > 254;
    ck_assert_int_eq(json_is_true(json_object_get(p.root, "wide")), wide);
    ck_assert_int_eq(json_array_size(json_object_get(p.root, "classes")), classes);
    const json_t *frame = frame_of(&p, 0, 1),
                 *last = json_object_get(page_run(&p, 0), "probabilities");
    int64_t k = classes > 16 ? 5 : classes, right = 0, labeled = 0;
    ck_assert_int_eq(page_integer(json_object_get(last, "k")), k);
    ck_assert_int_eq(json_object_get(last, "classes") != NULL, classes > 16);
    size_t size;
    uint8_t *said = page_bytes(json_object_get(frame, "predictions"), &size);
    ck_assert_int_eq(size, n * (wide ? 2 : 1));
    uint8_t *sure = page_bytes(json_object_get(frame, "confidence"), &size);
    ck_assert_int_eq(size, n);
    uint8_t *values = page_bytes(json_object_get(last, "values"), &size);
    ck_assert_int_eq(size, n * k);
    uint8_t *which = classes > 16 ? page_bytes(json_object_get(last, "classes"), &size) : NULL;
    uint8_t *truth = page_bytes(json_object_get(p.root, "labels"), &size);
    ck_assert_int_eq(size, n * (wide ? 2 : 1));
    for (int64_t i = 0; i < n; i++) {
        const float *row = rows + i * classes;
        int64_t best = 0, none = wide ? 65535 : 255;
        for (int64_t c = 1; c < classes; c++)
            best = row[c] > row[best] ? c : best;
        ck_assert_int_eq(page_number(said, i, wide ? 2 : 1), best);
        ck_assert(fabsl(sure[i] - 255 * probability(row, classes, best)) <= 0.5001);
        ck_assert_int_eq(page_number(truth, i, wide ? 2 : 1), i % 7 == 3 ? none : i % classes);
        labeled += i % 7 != 3;
        right += i % 7 != 3 && best == i % classes;
        float before = INFINITY;
        for (int64_t j = 0; j < k; j++) {
            int64_t c = which ? page_number(which, i * k + j, wide ? 2 : 1) : j;
            ck_assert(fabsl(values[i * k + j] - 255 * sqrtl(probability(row, classes, c))) <=
                      0.5001);
            int64_t larger = 0;
            for (int64_t other = 0; which && other < classes; other++)
                larger += row[other] > row[c] || (row[other] == row[c] && other < c);
            ck_assert(!which || (larger == j && row[c] <= before));
            before = row[c];
        }
    }
    double accuracy = json_number_value(json_object_get(frame, "accuracy"));
    ck_assert_double_eq_tol(accuracy, (double)right / (double)labeled, 1e-8);
    ck_assert_double_eq_tol(dlviz_report_run_accuracy(run, 1), accuracy, 1e-8);
    ck_assert(isnan(dlviz_report_run_accuracy(run, 0)) && isnan(dlviz_report_run_accuracy(run, 2)));
    free(said), free(sure), free(values), free(which), free(truth);
    page_close(&p);
    dlviz_tensor_destroy(map), dlviz_tensor_destroy(outputs), dlviz_tensor_destroy(labels);
    dlviz_report_destroy(report);
}

START_TEST(outputs_are_softmax) {
    int64_t classes[] = {1, 2, 10, 16, 17, 254, 255, 700};
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        expect_outputs(211, classes[i]);
    expect_outputs(1, 10);
}
END_TEST

START_TEST(outputs_may_be_no_numbers) {
    const float rows[5][3] = {{NAN, NAN, NAN},
                              {NAN, 1, -INFINITY},
                              {INFINITY, 0, INFINITY},
                              {-INFINITY, -INFINITY, -INFINITY},
                              {3e38f, -3e38f, 0}};
    const int said[] = {0, 1, 0, 0, 0}, sure[] = {0, 255, 128, 85, 255};
    dlviz_report_run *run;
    dlviz_report *report = small_report(5, &run);
    dlviz_tensor *map = uniform(5, 2, 1), *outputs;
    ck_ok(dlviz_tensor_from_data(&outputs, DLVIZ_FLOAT32, 2, (int64_t[]){5, 3}, rows));
    add_frame(run, 1, map, outputs);
    page p = page_of(report);
    size_t size;
    uint8_t *predictions = page_bytes(json_object_get(frame_of(&p, 0, 1), "predictions"), &size);
    uint8_t *confidence = page_bytes(json_object_get(frame_of(&p, 0, 1), "confidence"), &size);
    for (int i = 0; i < 5; i++)
        ck_assert(predictions[i] == said[i] && confidence[i] == sure[i]);
    /* Classes without labels: numbers, and no accuracy. */
    ck_assert_int_eq(json_array_size(json_object_get(p.root, "classes")), 3);
    ck_assert_ptr_null(json_object_get(frame_of(&p, 0, 1), "accuracy"));
    free(predictions), free(confidence);
    page_close(&p);
    dlviz_tensor_destroy(map), dlviz_tensor_destroy(outputs);
    dlviz_report_destroy(report);
}
END_TEST

/* -- Pictures ------------------------------------------------------------------------------------
 */

/* What is in a page is what was given. `coarse`: in how many steps of 255. */
static void expect_pictures(const dlviz_report *report, const dlviz_tensor *images, int tolerance) {
    page p = page_of(report);
    const json_t *sprite = json_object_get(p.root, "sprite");
    int64_t width = page_integer(json_object_get(sprite, "width"));
    int64_t height = page_integer(json_object_get(sprite, "height"));
    int64_t columns = page_integer(json_object_get(sprite, "columns"));
    int64_t count = page_integer(json_object_get(sprite, "count"));
    int64_t channels = page_integer(json_object_get(sprite, "channels"));
    const int64_t *dims = dlviz_tensor_dims(images);
    const uint8_t *given = dlviz_tensor_const_data(images);
    ck_assert(channels == dims[1] && height == dims[2] && width == dims[3]);
    picture drawn = page_picture(&p);
    ck_assert_int_eq(drawn.width, columns * width);
    ck_assert_int_eq(drawn.height, (count + columns - 1) / columns * height);
    ck_assert_int_eq(drawn.channels, channels);
    uint8_t *points = NULL;
    size_t size;
    if (count < dims[0])
        points = page_bytes(json_object_get(sprite, "points"), &size);
    else
        ck_assert_ptr_null(json_object_get(sprite, "points"));
    for (int64_t t = 0; t < count; t++) {
        int64_t point = points ? page_number(points, t, 4) : t;
        ck_assert(point < dims[0] && (t == 0 || !points || point > page_number(points, t - 1, 4)));
        for (int64_t c = 0; c < channels; c++)
            for (int64_t y = 0; y < height; y++)
                for (int64_t x = 0; x < width; x++) {
                    int64_t row = t / columns * height + y, column = t % columns * width + x;
                    int there = drawn.pixels[(row * drawn.width + column) * channels + c];
                    int wanted = given[((point * channels + c) * height + y) * width + x];
                    ck_assert_int_le(abs(there - wanted), tolerance);
                }
    }
    free(points);
    free(drawn.pixels);
    page_close(&p);
}

START_TEST(pictures_are_whole) {
    static const int64_t shapes[][4] = {{1, 1, 1, 1},  {9, 1, 28, 28}, {10, 3, 5, 7},
                                        {7, 3, 64, 3}, {50, 1, 3, 64}, {257, 1, 2, 2}};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        dlviz_report_run *run;
        dlviz_report *report = small_report(shapes[s][0], &run);
        dlviz_tensor *images = some_images(shapes[s][0], shapes[s][1], shapes[s][2], shapes[s][3]);
        dlviz_tensor *floats, *back;
        ck_ok(dlviz_report_set_images(report, images));
        expect_pictures(report, images, 0);
        ck_ok(dlviz_report_get_images(report, &back));
        ck_assert_int_eq(memcmp(dlviz_tensor_data(back), dlviz_tensor_data(images),
                                (size_t)dlviz_tensor_num_elements(images)),
                         0);
        ck_ok(dlviz_tensor_convert(images, DLVIZ_FLOAT32, &floats));
        for (int64_t i = 0; i < dlviz_tensor_num_elements(floats); i++)
            dlviz_tensor_float(floats)[i] /= 255;
        ck_ok(dlviz_report_set_images(report, floats));
        expect_pictures(report, images, 0);
        dlviz_tensor_destroy(images), dlviz_tensor_destroy(floats), dlviz_tensor_destroy(back);
        dlviz_report_destroy(report);
    }
}
END_TEST

static void expect_images(const dlviz_report *report, const dlviz_tensor *wanted) {
    dlviz_tensor *back;
    ck_ok(dlviz_report_get_images(report, &back));
    ck_assert_int_eq(dlviz_tensor_num_elements(back), dlviz_tensor_num_elements(wanted));
    for (int d = 0; d < 4; d++)
        ck_assert_int_eq(dlviz_tensor_dim(back, d), dlviz_tensor_dim(wanted, d));
    ck_assert_mem_eq(dlviz_tensor_const_data(back), dlviz_tensor_const_data(wanted),
                     (size_t)dlviz_tensor_num_elements(back));
    dlviz_tensor_destroy(back);
}

/* Normalized or not, a dataset has the pictures that its images have: as they are, of bytes or of
 * floats, made smaller by a factor that is whole, resized for the network, or made larger for it. */
START_TEST(pictures_of_a_dataset) {
    static const int64_t shapes[][3] = {{1, 28, 28}, {3, 5, 7}, {3, 128, 96}, {1, 1, 64}};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        for (int form = 0; form < 4; form++) {
            const int64_t *shape = shapes[s];
            dlviz_report_run *run;
            dlviz_report *report = small_report(9, &run);
            dlviz_tensor *images = some_images(9, shape[0], shape[1], shape[2]), *wanted;
            dlviz_tensor *floats, *seen;
            dlviz_dataset *data;
            ck_ok(dlviz_tensor_convert(images, DLVIZ_FLOAT32, &floats));
            for (int64_t i = 0; i < dlviz_tensor_num_elements(floats); i++)
                dlviz_tensor_float(floats)[i] /= 255;
            seen = form == 1 ? floats : images;
            ck_ok(dlviz_dataset_create(&data, seen, NULL));
            if (form == 2)
                ck_ok(dlviz_dataset_set_image_size(data, 2 * shape[1] + 1, 2 * shape[2]));
            if (form == 3) {
                ck_ok(dlviz_dataset_set_image_size(data, (shape[1] + 2) / 3, shape[2] / 3));
                ck_ok(dlviz_dataset_samples(data, 0, 9, &seen));
            }
            ck_ok(dlviz_report_set_images(report, seen));
            ck_ok(dlviz_report_get_images(report, &wanted));
            ck_ok(dlviz_dataset_set_normalization(data, 0.3F, 0.2F));
            ck_ok(dlviz_report_set_images_of(report, data));
            expect_images(report, wanted);
            if (form == 3)
                dlviz_tensor_destroy(seen);
            dlviz_tensor_destroy(images), dlviz_tensor_destroy(floats);
            dlviz_tensor_destroy(wanted);
            dlviz_dataset_destroy(data);
            dlviz_report_destroy(report);
        }
}
END_TEST

/* Floats from -1 to 1, as other programs normalize: black and white are the least and the largest. */
START_TEST(float_pictures_have_a_range_of_their_own) {
    dlviz_report_run *run;
    dlviz_report *report = small_report(3, &run);
    dlviz_tensor *images = some_images(3, 3, 16, 16), *floats;
    dlviz_dataset *data;
    uint8_t *bytes = dlviz_tensor_data(images);
    bytes[5] = 0, bytes[2000] = 255;
    ck_ok(dlviz_tensor_convert(images, DLVIZ_FLOAT32, &floats));
    for (int64_t i = 0; i < dlviz_tensor_num_elements(floats); i++)
        dlviz_tensor_float(floats)[i] = dlviz_tensor_float(floats)[i] / 127.5F - 1;
    ck_ok(dlviz_dataset_create(&data, floats, NULL));
    ck_ok(dlviz_report_set_images_of(report, data));
    expect_images(report, images);
    dlviz_dataset_destroy(data);
    dlviz_tensor_destroy(images), dlviz_tensor_destroy(floats);
    dlviz_report_destroy(report);
}
END_TEST

static void expect_no_pictures(const dlviz_tensor *samples, dlviz_status status, const char *why) {
    dlviz_report_run *run;
    dlviz_report *report = small_report(4, &run);
    dlviz_tensor *before = some_images(4, 1, 2, 2);
    dlviz_dataset *data;
    ck_ok(dlviz_report_set_images(report, before));
    ck_ok(dlviz_dataset_create(&data, samples, NULL));
    ck_fails(dlviz_report_set_images_of(report, data), status, why);
    expect_images(report, before);
    dlviz_dataset_destroy(data);
    dlviz_tensor_destroy(before);
    dlviz_report_destroy(report);
}

START_TEST(datasets_without_pictures_are_refused) {
    dlviz_tensor *few = some_images(3, 1, 2, 2), *channels = some_images(4, 2, 2, 2);
    dlviz_tensor *vectors = uniform(4, 6, 1);
    dlviz_tensor *broken = tensor(DLVIZ_FLOAT32, 4, (int64_t[]){4, 1, 2, 2});
    memset(dlviz_tensor_data(broken), 0, 16 * sizeof(float));
    dlviz_tensor_float(broken)[9] = dlviz_tensor_float(broken)[14] = NAN;
    expect_no_pictures(few, DLVIZ_ERROR_SHAPE, "3 samples, and the report 4 points");
    expect_no_pictures(channels, DLVIZ_ERROR_SHAPE, "2 channels");
    expect_no_pictures(vectors, DLVIZ_ERROR_SHAPE, "vectors of 6 numbers");
    expect_no_pictures(broken, DLVIZ_ERROR_NUMERIC, "sample 2 has");
    dlviz_tensor_destroy(few), dlviz_tensor_destroy(channels);
    dlviz_tensor_destroy(vectors), dlviz_tensor_destroy(broken);
}
END_TEST

START_TEST(large_images_are_averaged) {
    /* 128 x 96 becomes 64 x 48: means of 2 x 2; 100 x 1 becomes 64 x 1: parts of pixels. */
    dlviz_report_run *run;
    dlviz_report *report = small_report(2, &run);
    dlviz_tensor *images = some_images(2, 3, 128, 96), *back, *thin = some_images(2, 1, 100, 1);
    const uint8_t *from = dlviz_tensor_const_data(images);
    ck_ok(dlviz_report_set_images(report, images));
    ck_ok(dlviz_report_get_images(report, &back));
    ck_assert(dlviz_tensor_dim(back, 2) == 64 && dlviz_tensor_dim(back, 3) == 48);
    const uint8_t *to = dlviz_tensor_const_data(back);
    for (int64_t i = 0; i < 6 * 64 * 48; i++) {
        int64_t at = i / (64 * 48) * 128 * 96 + i / 48 % 64 * 2 * 96 + i % 48 * 2;
        int sum = from[at] + from[at + 1] + from[at + 96] + from[at + 97];
        ck_assert_int_eq(to[i], (sum + 2) / 4);
    }
    dlviz_tensor_destroy(back);
    ck_ok(dlviz_report_set_images(report, thin));
    ck_ok(dlviz_report_get_images(report, &back));
    ck_assert_int_eq(dlviz_tensor_dim(back, 2), 64);
    from = dlviz_tensor_const_data(thin);
    to = dlviz_tensor_const_data(back);
    for (int i = 0; i < 64; i++) { /* in 16ths of a pixel: 25 are one of the new */
        int sum = 0;
        for (int s = 25 * i; s < 25 * i + 25; s++)
            sum += from[s / 16];
        ck_assert_int_le(abs(to[i] - (int)lround(sum / 25.0)), 1);
    }
    dlviz_tensor_destroy(images), dlviz_tensor_destroy(thin), dlviz_tensor_destroy(back);
    dlviz_report_destroy(report);
}
END_TEST

/* -- Everything else of a run --------------------------------------------------------------------
 */

START_TEST(neighbors_and_attribution) {
    int64_t n = 40, k = 3;
    dlviz_report_run *run;
    dlviz_report *report = small_report(n, &run);
    dlviz_tensor *indices = tensor(DLVIZ_INT64, 2, (int64_t[]){n, k}), *back;
    int64_t *to = dlviz_tensor_data(indices);
    for (int64_t i = 0; i < n * k; i++)
        to[i] = (i * 13 + 5) % n;
    ck_ok(dlviz_report_run_set_neighbors(run, indices));
    ck_ok(dlviz_report_run_get_neighbors(run, &back));
    ck_assert_int_eq(memcmp(dlviz_tensor_data(back), to, (size_t)(n * k) * sizeof *to), 0);
    dlviz_tensor *maps = tensor(DLVIZ_FLOAT32, 4, (int64_t[]){2, 2, 3, 4});
    fill_uniform(dlviz_tensor_float(maps), 24, 5); /* the second map is 0 throughout */
    ck_ok(dlviz_report_run_set_attribution(run, 2, (int64_t[]){39, 7}, maps));
    page p = page_of(report);
    const json_t *near = json_object_get(page_run(&p, 0), "neighbors");
    const json_t *looked = json_object_get(page_run(&p, 0), "attribution");
    size_t size;
    uint8_t *bytes = page_bytes(json_object_get(near, "indices"), &size);
    ck_assert_int_eq(size, 2 * n * k);
    for (int64_t i = 0; i < n * k; i++)
        ck_assert_int_eq(page_number(bytes, i, 2), to[i]);
    ck_assert(json_is_false(json_object_get(near, "wide")));
    free(bytes);
    bytes = page_bytes(json_object_get(looked, "points"), &size);
    ck_assert(size == 8 && page_number(bytes, 0, 4) == 39 && page_number(bytes, 1, 4) == 7);
    free(bytes);
    ck_assert_int_eq(page_integer(json_object_get(looked, "width")), 4);
    ck_assert_int_eq(page_integer(json_object_get(looked, "height")), 3);
    bytes = page_bytes(json_object_get(looked, "maps"), &size);
    ck_assert_int_eq(size, 24);
    const float *values = dlviz_tensor_const_float(maps);
    double largest = 0;
    for (int i = 0; i < 12; i++)
        largest = fmax(largest, fabs((double)values[i] + (double)values[12 + i]));
    for (int i = 0; i < 24; i++) {
        double wanted = i < 12 ? 127 * ((double)values[i] + (double)values[12 + i]) / largest : 0;
        ck_assert(fabs((int8_t)bytes[i] - wanted) <= 0.5001);
    }
    free(bytes);
    page_close(&p);
    dlviz_tensor_destroy(indices), dlviz_tensor_destroy(back), dlviz_tensor_destroy(maps);
    dlviz_report_destroy(report);
}
END_TEST

START_TEST(many_points_have_wide_neighbors) {
    int64_t n = 65537;
    dlviz_report_run *run;
    dlviz_report *report = small_report(n, &run);
    dlviz_tensor *indices = tensor(DLVIZ_INT64, 2, (int64_t[]){n, 1});
    for (int64_t i = 0; i < n; i++)
        ((int64_t *)dlviz_tensor_data(indices))[i] = n - 1 - i;
    ck_ok(dlviz_report_run_set_neighbors(run, indices));
    page p = page_of(report);
    const json_t *near = json_object_get(page_run(&p, 0), "neighbors");
    size_t size;
    uint8_t *bytes = page_bytes(json_object_get(near, "indices"), &size);
    ck_assert(json_is_true(json_object_get(near, "wide")) && size == 4 * (size_t)n);
    int64_t same = 0;
    for (int64_t i = 0; i < n; i++)
        same += page_number(bytes, i, 4) == n - 1 - i;
    ck_assert_int_eq(same, n);
    free(bytes);
    page_close(&p);
    dlviz_tensor_destroy(indices);
    dlviz_report_destroy(report);
}
END_TEST

/* Of the test below: each can be asked for by its place, its parts apart. */
static void check_elements(const dlviz_report_run *run, const double *x, const double *y) {
    const char *name, *other, *meaning;
    double value, untrained, pixels;
    const double *xs, *ys;
    int64_t count;
    dlviz_report_run_fact(run, 0, &name, &other);
    ck_assert_str_eq(name, "optimizer");
    ck_assert_str_eq(other, "Adam");
    dlviz_report_run_fact(run, 1, NULL, &other);
    ck_assert_str_eq(other, "\x01\t\n \"\\");
    dlviz_report_run_measure(run, 0, &name, &other, &meaning, &value, &untrained, &pixels);
    ck_assert_str_eq(name, "accuracy");
    ck_assert_str_eq(other, "%");
    ck_assert_str_eq(meaning, "how many are right");
    ck_assert(value == 99.31 && untrained == 9.8 && isnan(pixels));
    dlviz_report_run_measure(run, 1, &name, NULL, &meaning, NULL, NULL, NULL);
    ck_assert_ptr_null(meaning);
    ck_assert_str_eq(name, "large");
    dlviz_report_run_curve(run, 0, &name, &other, &count, &xs, &ys);
    ck_assert_str_eq(name, "loss");
    ck_assert_str_eq(other, "training");
    ck_assert(count == 3 && xs[0] == x[0] && fabs(ys[0] - y[0]) < 1e-9 && isnan(ys[1]) &&
              !isfinite(ys[2]));
    dlviz_report_run_curve(run, 1, NULL, NULL, NULL, &xs, NULL);
    ck_assert(xs[0] == 1 && xs[2] == 3);
    for (int64_t beyond = -1; beyond <= 3; beyond += 4) {
        dlviz_report_run_fact(run, beyond, &name, &other);
        ck_assert(!name && !other);
        dlviz_report_run_measure(run, beyond, &name, &other, &meaning, &value, &untrained, &pixels);
        ck_assert(!name && !other && !meaning && isnan(value) && isnan(untrained) && isnan(pixels));
        dlviz_report_run_curve(run, beyond, &name, &other, &count, &xs, &ys);
        ck_assert(!name && !other && count == 0 && !xs && !ys);
    }
}

START_TEST(facts_measures_and_curves) {
    dlviz_report_run *run;
    dlviz_report *report = small_report(3, &run);
    const double x[] = {-2.5, 0, 1e300}, y[] = {0.1234567891234, NAN, -INFINITY};
    ck_ok(dlviz_report_run_add_fact(run, "optimizer", "Adam"));
    ck_ok(dlviz_report_run_add_fact(run, "", "\x01\t\n \"\\"));
    ck_ok(
        dlviz_report_run_add_measure(run, "accuracy", "%", "how many are right", 99.31, 9.8, NAN));
    ck_ok(
        dlviz_report_run_add_measure(run, "large", "", NULL, 1.7976931348623157e308, -0.0, 5e-324));
    /* A little less than its 9 digits, 90.055, which would be shown as 90.06. */
    const double middle = 100 * (18011.0 / 20000);
    ck_ok(dlviz_report_run_add_measure(run, "middle", "%", NULL, middle, NAN, NAN));
    ck_ok(dlviz_report_run_add_curve(run, "loss", "training", 3, x, y));
    ck_ok(dlviz_report_run_add_curve(run, "loss", "validation", 3, NULL, y));
    page p = page_of(report);
    const json_t *facts = json_object_get(page_run(&p, 0), "facts");
    ck_assert_str_eq(page_text(json_array_get(json_array_get(facts, 1), 1)), "\x01\t\n \"\\");
    const json_t *measures = json_object_get(page_run(&p, 0), "measures");
    const json_t *first = json_array_get(measures, 0), *second = json_array_get(measures, 1);
    ck_assert_str_eq(page_text(json_object_get(first, "unit")), "%");
    ck_assert_double_eq(json_number_value(json_object_get(first, "value")), 99.31);
    ck_assert_str_eq(page_text(json_object_get(first, "meaning")), "how many are right");
    ck_assert_ptr_null(json_object_get(second, "meaning"));
    ck_assert_double_eq(json_number_value(json_object_get(first, "untrained")), 9.8);
    ck_assert(json_is_null(json_object_get(first, "pixels")));
    ck_assert_double_eq(json_number_value(json_object_get(second, "value")),
                        1.7976931348623157e308);
    ck_assert_double_eq(json_number_value(json_object_get(second, "pixels")), 5e-324);
    ck_assert_double_lt(middle, 90.055);
    ck_assert_double_eq(json_number_value(json_object_get(json_array_get(measures, 2), "value")),
                        middle);
    const json_t *curves = json_object_get(page_run(&p, 0), "curves");
    ck_assert_int_eq(json_array_size(curves), 2);
    const json_t *curve = json_array_get(curves, 0), *other = json_array_get(curves, 1);
    for (size_t i = 0; i < 3; i++) {
        ck_assert_double_eq(json_number_value(json_array_get(json_object_get(curve, "x"), i)),
                            x[i]);
        ck_assert_double_eq(json_number_value(json_array_get(json_object_get(other, "x"), i)),
                            (double)i + 1);
        const json_t *value = json_array_get(json_object_get(curve, "y"), i);
        ck_assert_int_eq(json_is_null(value), i > 0);
    }
    ck_assert_double_eq(json_number_value(json_array_get(json_object_get(curve, "y"), 0)), y[0]);
    ck_assert_str_eq(page_text(json_object_get(other, "name")), "validation");
    ck_assert(dlviz_report_run_num_facts(run) == 2 && dlviz_report_run_num_measures(run) == 3 &&
              dlviz_report_run_num_curves(run) == 2);
    check_elements(run, x, y);
    /* A page that is read again has the same. */
    void *bytes;
    size_t size;
    dlviz_report *again;
    ck_ok(dlviz_report_write_memory(report, &bytes, &size));
    ck_ok(dlviz_report_create(&again, NULL, 0));
    ck_ok(dlviz_report_merge_memory(again, bytes, size));
    check_elements(dlviz_report_run_at(again, 0), x, y);
    dlviz_report_destroy(again);
    dlviz_free(bytes);
    page_close(&p);
    dlviz_report_destroy(report);
}
END_TEST

START_TEST(networks_and_trainings) {
    static const char *const names[] = {"left", "right"};
    dlviz_network *network = net_from_text("1x8x8", "conv:conv,out=3,k=3 bn:bn relu:relu "
                                                    "flat:flatten fc:linear,out=2");
    dlviz_tensor *x = some_images(8, 1, 8, 8), *labels = some_labels(8, 2, false);
    dlviz_dataset *data;
    dlviz_optimizer *optimizer;
    dlviz_trainer *trainer;
    ck_ok(dlviz_dataset_create(&data, x, labels));
    ck_ok(dlviz_dataset_set_class_names(data, 2, names));
    ck_ok(dlviz_network_describe_data(network, data));
    ck_ok(dlviz_sgd_create(&optimizer, 0.01));
    ck_ok(dlviz_trainer_create(&trainer, network, optimizer));
    ck_ok(dlviz_trainer_fit(trainer, data, 2));
    dlviz_report_run *run;
    dlviz_report *report = small_report(8, &run);
    ck_fails(dlviz_report_run_set_network(run, network, "nothing"), DLVIZ_ERROR_NOT_FOUND,
             "conv, bn");
    ck_ok(dlviz_report_run_set_network(run, network, NULL));
    ck_assert_ptr_null(dlviz_report_run_layer(run));
    ck_ok(dlviz_report_run_set_network(run, network, "relu"));
    ck_assert_str_eq(dlviz_report_run_layer(run), "relu");
    ck_assert_str_eq(dlviz_report_class_name(report, 1), "right");
    ck_ok(dlviz_report_run_add_curve(run, "mine", "own", 1, NULL, (double[]){1}));
    ck_ok(dlviz_report_run_set_history(run, trainer));
    int64_t curves = dlviz_report_run_num_curves(run);
    ck_ok(dlviz_report_run_set_history(run, trainer));
    ck_assert_int_eq(dlviz_report_run_num_curves(run), curves);
    ck_assert(curves > 2);
    page p = page_of(report);
    const json_t *layers = json_object_get(page_run(&p, 0), "layers");
    ck_assert_int_eq(json_array_size(layers), 5);
    const json_t *conv = json_array_get(layers, 0);
    ck_assert_str_eq(page_text(json_object_get(conv, "type")), "conv2d");
    ck_assert_int_eq(page_integer(json_object_get(conv, "parameters")), 30);
    for (size_t d = 0; d < 3; d++)
        ck_assert_int_eq(page_integer(json_array_get(json_object_get(conv, "output"), d)),
                         dlviz_network_layer_dims(network, "conv")[d]);
    const json_t *list = json_object_get(page_run(&p, 0), "curves");
    bool found = false;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *curve = json_array_get(list, i), *y = json_object_get(curve, "y");
        if (strcmp(page_text(json_object_get(curve, "panel")), "loss") != 0)
            continue;
        found = true;
        ck_assert_str_eq(page_text(json_object_get(curve, "name")), "training");
        for (int e = 0; e < 2; e++)
            ck_assert_double_eq_tol(json_number_value(json_array_get(y, (size_t)e)),
                                    dlviz_trainer_history(trainer, e, "train_loss"), 1e-6);
    }
    ck_assert(found);
    page_close(&p);
    dlviz_report_destroy(report);
    dlviz_trainer_destroy(trainer);
    dlviz_optimizer_destroy(optimizer);
    dlviz_network_destroy(network);
    dlviz_dataset_destroy(data);
    dlviz_tensor_destroy(x), dlviz_tensor_destroy(labels);
}
END_TEST

static bool has_panel(const dlviz_report_run *run, const char *wanted) {
    for (int64_t i = 0; i < dlviz_report_run_num_curves(run); i++) {
        const char *panel;
        dlviz_report_run_curve(run, i, &panel, NULL, NULL, NULL, NULL);
        if (strcmp(panel, wanted) == 0)
            return true;
    }
    return false;
}

/* Among five classes the right one is always among the first five: no curve. Among six it may not be. */
START_TEST(what_is_always_right_is_no_curve) {
    for (int classes = 2; classes <= 7; classes++) {
        char layers[64];
        snprintf(layers, sizeof layers, "flat:flatten fc:linear,out=%d", classes);
        dlviz_network *network = net_from_text("1x3x3", layers);
        dlviz_tensor *x = some_images(14, 1, 3, 3), *labels = some_labels(14, classes, false);
        dlviz_dataset *data;
        dlviz_optimizer *optimizer;
        dlviz_trainer *trainer;
        dlviz_report_run *run;
        dlviz_report *report = small_report(14, &run);
        ck_ok(dlviz_dataset_create(&data, x, labels));
        ck_ok(dlviz_sgd_create(&optimizer, 0.01));
        ck_ok(dlviz_trainer_create(&trainer, network, optimizer));
        ck_ok(dlviz_trainer_fit(trainer, data, 1));
        ck_assert(!isnan(dlviz_trainer_history(trainer, 0, "train_top5_accuracy")));
        ck_ok(dlviz_report_run_set_history(run, trainer));
        ck_assert(has_panel(run, "loss") && has_panel(run, "accuracy"));
        ck_assert(has_panel(run, "top5 accuracy") == (classes > 5));
        dlviz_report_destroy(report);
        dlviz_trainer_destroy(trainer);
        dlviz_optimizer_destroy(optimizer);
        dlviz_network_destroy(network);
        dlviz_dataset_destroy(data);
        dlviz_tensor_destroy(x), dlviz_tensor_destroy(labels);
    }
}
END_TEST

/* -- Texts ---------------------------------------------------------------------------------------
 */

static const char *const hostile[] = {
    "</script><script>alert(1)</script>",
    "<!-- <script>",
    "</title><img src=x onerror=alert(1)>",
    "</noscript>]]>\"'&amp;&lt;",
    "\xe2\x80\xa8\xe2\x80\xa9 line ends \r\n\t\x01\x7f",
    "\xe2\x80\xae turned \xe2\x81\xa6 \xe2\x80\x8f \xd8\x9c",
    "/*TITLE*/ /*NOSCRIPT*/ /*DATA*/ /*SPRITE*/",
    "\\u003c\\/script>\\",
    "{\"n\":1}",
    "\xd9\x85\xd8\xb1\xd8\xad\xd8\xa8\xd8\xa7 \xe4\xbd\xa0\xe5\xa5\xbd \xf0\x9f\x98\x80",
    "",
};
enum { NUM_HOSTILE = sizeof hostile / sizeof *hostile };

static int64_t count_of(const char *text, size_t size, const char *what) {
    int64_t count = 0;
    const char *at = text;
    while ((at = memmem(at, (size_t)(text + size - at), what, strlen(what)))) {
        count++;
        at++;
    }
    return count;
}

/* A page of these texts has as many tags as one of plain texts, and says the same. */
START_TEST(texts_do_not_break_out) {
    static const char *const tags[] = {"<script",    "</script",     "<!--",
                                       "<title",     "</title",      "<img",
                                       "</noscript", "\xe2\x80\xae", "\xe2\x80\xa8"};
    int64_t plain[sizeof tags / sizeof *tags];
    for (int h = -1; h < NUM_HOSTILE; h++) {
        const char *text = h < 0 ? "plain" : hostile[h];
        const char *run_name = text[0] ? text : "r";
        dlviz_report *report;
        dlviz_report_run *run;
        dlviz_tensor *map = uniform(2, 2, 1), *labels = some_labels(2, 2, false);
        ck_ok(dlviz_report_create(&report, text, 2));
        ck_ok(dlviz_report_set_labels(report, labels));
        ck_ok(dlviz_report_set_class_names(report, 2, (const char *[]){text, text}));
        ck_ok(dlviz_report_set_point_names(report, 2, (const char *[]){text, "b"}));
        ck_ok(dlviz_report_add_run(report, run_name, &run));
        ck_ok(dlviz_report_run_add_map(run, text));
        ck_ok(dlviz_report_run_add_fact(run, text, text));
        ck_ok(dlviz_report_run_add_measure(run, text, text, text, 1, 2, 3));
        ck_ok(dlviz_report_run_add_curve(run, text, text, 1, NULL, (double[]){1}));
        add_frame(run, 0, map, NULL);
        page p = page_of(report);
        for (size_t t = 0; t < sizeof tags / sizeof *tags; t++) {
            int64_t count = count_of(p.bytes, p.size, tags[t]);
            if (h < 0)
                plain[t] = count;
            /* The template may be about directions itself; the data hold such characters as they are. */
            else if (t < 7 || t == 8)
                ck_assert_msg(count == plain[t], "text %d: %lld of %s, not %lld", h,
                              (long long)count, tags[t], (long long)plain[t]);
        }
        ck_assert_str_eq(page_text(json_object_get(p.root, "title")), text);
        ck_assert_str_eq(page_text(json_array_get(json_object_get(p.root, "classes"), 1)), text);
        ck_assert_str_eq(page_text(json_array_get(json_object_get(p.root, "names"), 0)), text);
        ck_assert_str_eq(page_text(json_object_get(page_run(&p, 0), "name")), run_name);
        const json_t *curve = json_array_get(json_object_get(page_run(&p, 0), "curves"), 0);
        ck_assert_str_eq(page_text(json_object_get(curve, "panel")), text);
        const char *title = memmem(p.bytes, p.size, "<title>", 7);
        const char *end = memmem(title, p.size - (size_t)(title - p.bytes), "</title>", 8);
        ck_assert_int_eq(count_of(title, (size_t)(end - title), "\xe2\x80\xae"), 0);
        ck_assert_int_eq(count_of(title, (size_t)(end - title), "\xe2\x81\xa6"), 0);
        page_close(&p);
        dlviz_tensor_destroy(map), dlviz_tensor_destroy(labels);
        dlviz_report_destroy(report);
    }
}
END_TEST

START_TEST(the_title_and_the_words_without_scripts) {
    dlviz_report_run *run;
    dlviz_report *report = small_report(3, &run);
    dlviz_tensor *map = uniform(3, 2, 2), *labels = some_labels(3, 3, false), *outputs;
    ck_ok(dlviz_tensor_from_data(&outputs, DLVIZ_FLOAT32, 2, (int64_t[]){3, 3},
                                 (float[]){1, 0, 0, 0, 1, 0, 1, 0, 0}));
    ck_ok(dlviz_report_set_labels(report, labels));
    add_frame(run, 4, map, outputs);
    page p = page_of(report);
    ck_assert_int_eq(count_of(p.bytes, p.size, "<title>small</title>"), 1);
    ck_assert_int_eq(count_of(p.bytes, p.size, "small: 3 points. a run: 66.67 % right."), 1);
    page_close(&p);
    dlviz_tensor_destroy(map), dlviz_tensor_destroy(labels), dlviz_tensor_destroy(outputs);
    dlviz_report_destroy(report);
}
END_TEST

int main(void) {
    return run_tests("report", (const TTest *[]){
                                   maps_keep_their_shape,
                                   outliers_lie_at_the_border,
                                   outputs_are_softmax,
                                   outputs_may_be_no_numbers,
                                   pictures_are_whole,
                                   pictures_of_a_dataset,
                                   float_pictures_have_a_range_of_their_own,
                                   datasets_without_pictures_are_refused,
                                   large_images_are_averaged,
                                   neighbors_and_attribution,
                                   many_points_have_wide_neighbors,
                                   facts_measures_and_curves,
                                   networks_and_trainings,
                                   what_is_always_right_is_no_curve,
                                   texts_do_not_break_out,
                                   the_title_and_the_words_without_scripts,
                                   NULL,
                               });
}
