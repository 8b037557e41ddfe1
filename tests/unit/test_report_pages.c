/* Pages written, merged, made smaller and refused. */
#include "support/failing.h"
#include "support/netspec.h"
#include "support/page.h"
#include "support/process.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static dlviz_tensor *uniform(int64_t rows, int64_t columns, uint64_t seed) {
    dlviz_tensor *made;
    ck_ok(dlviz_tensor_create(&made, DLVIZ_FLOAT32, 2, (int64_t[]){rows, columns}));
    fill_uniform(dlviz_tensor_float(made), rows * columns, seed);
    return made;
}

static dlviz_tensor *labels_of(int64_t n, int64_t classes) {
    dlviz_tensor *made;
    ck_ok(dlviz_tensor_create(&made, DLVIZ_INT64, 1, &n));
    for (int64_t i = 0; i < n; i++)
        ((int64_t *)dlviz_tensor_data(made))[i] = i % 11 == 10 ? -1 : i % classes;
    return made;
}

/* Noise, which nothing compresses. */
static dlviz_tensor *noise(int64_t n, int64_t channels, int64_t height, int64_t width) {
    dlviz_tensor *made;
    ck_ok(dlviz_tensor_create(&made, DLVIZ_UINT8, 4, (int64_t[]){n, channels, height, width}));
    uint8_t *to = dlviz_tensor_data(made);
    uint64_t state = 88172645463325252u;
    for (int64_t i = 0; i < dlviz_tensor_num_elements(made); i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        to[i] = (uint8_t)(state >> 32);
    }
    return made;
}

static dlviz_status add_whole_run(dlviz_report *report, const char *name, int64_t n,
                                  int64_t classes, uint64_t seed) {
    dlviz_report_run *run;
    dlviz_tensor *maps[2] = {uniform(n, 2, seed), uniform(n, 2, seed + 1)};
    dlviz_tensor *outputs = uniform(n, classes, seed + 2), *near, *looked = uniform(2, 12, seed);
    dlviz_tensor *shaped;
    ck_ok(dlviz_tensor_create(&near, DLVIZ_INT64, 2, (int64_t[]){n, 4}));
    ck_ok(dlviz_tensor_reshape(looked, 3, (int64_t[]){2, 3, 4}, &shaped));
    for (int64_t i = 0; i < 4 * n; i++)
        ((int64_t *)dlviz_tensor_data(near))[i] = (i * 7 + (int64_t)seed) % n;
    dlviz_status status = dlviz_report_add_run(report, name, &run);
#define STEP(call) status = status == DLVIZ_OK ? (call) : status
    STEP(dlviz_report_run_add_map(run, "t-SNE"));
    STEP(dlviz_report_run_add_map(run, "PCA"));
    STEP(dlviz_report_run_add_frame(run, 0, 2, (const dlviz_tensor *const *)maps, outputs));
    STEP(dlviz_report_run_add_frame(run, 5, 2, (const dlviz_tensor *const *)maps, outputs));
    STEP(dlviz_report_run_set_neighbors(run, near));
    STEP(dlviz_report_run_set_attribution(run, 2, (int64_t[]){0, n - 1}, shaped));
    STEP(dlviz_report_run_add_fact(run, "seed", "</script>"));
    STEP(dlviz_report_run_add_measure(run, "a", "%", "what <b>", 0.1 + 0.2, NAN, 1e-7 / 3));
    STEP(dlviz_report_run_add_curve(run, "loss", "training", 3, NULL,
                                    (double[]){1 / 3.0, NAN, 2e20 / 7}));
    dlviz_tensor *tensors[] = {maps[0], maps[1], outputs, near, looked, shaped};
    for (size_t i = 0; i < 6; i++)
        dlviz_tensor_destroy(tensors[i]);
    return status;
}

typedef struct contents {
    int64_t n, classes;
    dlviz_tensor *labels, *images;
    bool names;
} contents;

static dlviz_status fill_points(dlviz_report *report, const contents *c) {
    if (c->labels)
        TRY(dlviz_report_set_labels(report, c->labels));
    if (c->images)
        TRY(dlviz_report_set_images(report, c->images));
    if (c->names) {
        const char *names[] = {"a", "b<", "c\"", "d", "e", "f", "g", "h", "i", "j"};
        TRY(dlviz_report_set_class_names(report, c->classes, names));
        const char **points = malloc((size_t)c->n * sizeof *points);
        for (int64_t i = 0; i < c->n; i++)
            points[i] = names[i * 3 % 10];
        dlviz_status status = dlviz_report_set_point_names(report, c->n, points);
        free(points);
        return status;
    }
    return DLVIZ_OK;
}

static dlviz_report *whole_report(const contents *c, uint64_t seed) {
    dlviz_report *report;
    ck_ok(dlviz_report_create(&report, "whole", c->n));
    ck_ok(fill_points(report, c));
    char name[32];
    snprintf(name, sizeof name, "run %d", (int)seed);
    ck_ok(add_whole_run(report, name, c->n, c->classes, seed));
    return report;
}

static void *bytes_of(const dlviz_report *report, size_t *size) {
    void *bytes;
    ck_ok(dlviz_report_write_memory(report, &bytes, size));
    return bytes;
}

static void expect_same(const dlviz_report *a, const dlviz_report *b) {
    size_t size, other;
    void *x = bytes_of(a, &size), *y = bytes_of(b, &other);
    ck_assert_int_eq(size, other);
    ck_assert_int_eq(memcmp(x, y, size), 0);
    dlviz_free(x);
    dlviz_free(y);
}

/* -- Merging -------------------------------------------------------------------------------------
 */

static void try_merging(contents c) {
    dlviz_report *first = whole_report(&c, 1), *second = whole_report(&c, 9),
                 *both = whole_report(&c, 1), *read, *from_disk;
    ck_ok(add_whole_run(both, "run 9", c.n, c.classes, 9));
    const char *path = scratch_path("second.html");
    ck_ok(dlviz_report_write(second, path));
    /* Into a report, and into one that knows nothing. */
    ck_ok(dlviz_report_merge(first, path));
    ck_assert_int_eq(dlviz_report_num_runs(first), 2);
    ck_assert_str_eq(dlviz_report_run_name(dlviz_report_run_at(first, 1)), "run 9");
    expect_same(first, both);
    size_t size;
    void *bytes = bytes_of(both, &size);
    unsigned char *odd = malloc(size + 1);
    memcpy(odd + 1, bytes, size);
    ck_ok(dlviz_report_create(&read, NULL, 0));
    ck_ok(dlviz_report_merge_memory(read, odd + 1, size));
    ck_assert(dlviz_report_num_points(read) == c.n && dlviz_report_num_runs(read) == 2);
    ck_assert_str_eq(dlviz_report_title(read), "whole");
    expect_same(read, both);
    free(odd);
    dlviz_free(bytes);
    /* What was merged can be added to. */
    ck_ok(dlviz_report_create(&from_disk, "whole", c.n));
    ck_ok(dlviz_report_merge(from_disk, path));
    ck_ok(add_whole_run(from_disk, "run 1", c.n, c.classes, 1));
    ck_assert_int_eq(dlviz_report_num_class_names(from_disk), c.names ? c.classes : 0);
    dlviz_report_destroy(first), dlviz_report_destroy(second), dlviz_report_destroy(both);
    dlviz_report_destroy(read), dlviz_report_destroy(from_disk);
}

/* What a report takes is read again: the first and the last epochs that there are. */
START_TEST(any_epochs_are_merged) {
    static const int64_t epochs[][2] = {{-1, -1}, {0, 1}, {INT64_MAX - 1, INT64_MAX}};
    static const float places[] = {0, 1, 2, 3};
    dlviz_tensor *map;
    ck_ok(dlviz_tensor_from_data(&map, DLVIZ_FLOAT32, 2, (int64_t[]){2, 2}, places));
    for (int i = 0; i < 3; i++) {
        dlviz_report *report, *merged;
        dlviz_report_run *run;
        ck_ok(dlviz_report_create(&report, "epochs", 2));
        ck_ok(dlviz_report_add_run(report, "r", &run));
        ck_ok(dlviz_report_run_add_map(run, "map"));
        for (int frame = 0; frame < (i > 0 ? 2 : 1); frame++)
            ck_ok(dlviz_report_run_add_frame(run, epochs[i][frame], 1,
                                             (const dlviz_tensor *[]){map}, NULL));
        size_t size;
        void *bytes = bytes_of(report, &size);
        ck_ok(dlviz_report_create(&merged, NULL, 0));
        ck_ok(dlviz_report_merge_memory(merged, bytes, size));
        expect_same(merged, report);
        dlviz_free(bytes);
        dlviz_report_destroy(report), dlviz_report_destroy(merged);
    }
    dlviz_tensor_destroy(map);
}
END_TEST

START_TEST(merged_runs_are_the_same) {
    dlviz_tensor *labels = labels_of(37, 4), *images = noise(37, 3, 5, 8),
                 *gray = noise(37, 1, 9, 9);
    dlviz_tensor *many = labels_of(300, 290), *one = labels_of(1, 1);
    try_merging((contents){37, 4, labels, images, true});
    try_merging((contents){37, 4, labels, gray, false});
    try_merging((contents){37, 20, NULL, NULL, false});
    try_merging((contents){300, 300, many, NULL, false});
    try_merging((contents){1, 1, one, NULL, false});
    dlviz_tensor_destroy(labels), dlviz_tensor_destroy(images), dlviz_tensor_destroy(gray);
    dlviz_tensor_destroy(many), dlviz_tensor_destroy(one);
}
END_TEST

static void expect_refused(const contents *a, const contents *b, const char *words) {
    dlviz_report *report = whole_report(a, 1), *same = whole_report(a, 1),
                 *other = whole_report(b, 2);
    const char *path = scratch_path("other.html");
    ck_ok(dlviz_report_write(other, path));
    ck_fails(dlviz_report_merge(report, path), DLVIZ_ERROR_SHAPE, words);
    ck_assert_ptr_nonnull(strstr(dlviz_last_error(), "other.html"));
    expect_same(report, same);
    dlviz_report_destroy(report), dlviz_report_destroy(same), dlviz_report_destroy(other);
}

/* Of runs with the same name the later ones get numbers, none of them another's. */
START_TEST(runs_have_names_of_their_own) {
    static const char *const given[] = {"a", "a (2)", "b"};
    static const char *const wanted[] = {"a", "a (2)", "b", "a (3)", "a (2) (2)", "b (2)"};
    dlviz_report *report;
    dlviz_report_run *run;
    size_t size;
    ck_ok(dlviz_report_create(&report, "names", 5));
    for (int i = 0; i < 3; i++)
        ck_ok(add_whole_run(report, given[i], 5, 3, (uint64_t)i));
    ck_fails(dlviz_report_add_run(report, "b", &run), DLVIZ_ERROR_INVALID_ARGUMENT,
             "a run named 'b' already");
    ck_assert(!run && dlviz_report_num_runs(report) == 3);
    void *bytes = bytes_of(report, &size);
    ck_ok(dlviz_report_merge_memory(report, bytes, size));
    ck_assert_int_eq(dlviz_report_num_runs(report), 6);
    for (int i = 0; i < 6; i++)
        ck_assert_str_eq(dlviz_report_run_name(dlviz_report_run_at(report, i)), wanted[i]);
    dlviz_free(bytes);
    dlviz_report_destroy(report);
}
END_TEST

/* A report of 20 points: classes with names or numbers alone, labels and outputs that need some. */
static dlviz_report *classes_report(int64_t names, int64_t label_classes, int64_t outputs) {
    static const char *const all[] = {"a", "b", "c", "d", "e", "f"};
    dlviz_report *report;
    ck_ok(dlviz_report_create(&report, "classes", 20));
    dlviz_tensor *labels = labels_of(20, label_classes > 0 ? label_classes : 1);
    if (label_classes > 0)
        ck_ok(dlviz_report_set_labels(report, labels));
    if (names > 0)
        ck_ok(dlviz_report_set_class_names(report, names, all));
    ck_ok(add_whole_run(report, "r", 20, outputs, 1));
    dlviz_tensor_destroy(labels);
    return report;
}

/* Merges either way round. */
static void expect_classes(const int64_t a[3], const int64_t b[3], const char *words) {
    for (int turned = 0; turned < 2; turned++) {
        const int64_t *x = turned ? b : a, *y = turned ? a : b;
        dlviz_report *report = classes_report(x[0], x[1], x[2]),
                     *other = classes_report(y[0], y[1], y[2]);
        size_t size;
        void *bytes = bytes_of(other, &size);
        if (words)
            ck_fails(dlviz_report_merge_memory(report, bytes, size), DLVIZ_ERROR_SHAPE, words);
        else
            ck_ok(dlviz_report_merge_memory(report, bytes, size));
        dlviz_free(bytes);
        dlviz_report_destroy(report), dlviz_report_destroy(other);
    }
}

/* Names tell how many classes there are: labels or outputs of more are of other points, in whichever
 * of the two the names are. */
START_TEST(classes_beyond_the_names_are_refused) {
    expect_classes((int64_t[]){3, 0, 3}, (int64_t[]){0, 5, 3}, "classes, and the report");
    expect_classes((int64_t[]){3, 0, 3}, (int64_t[]){0, 0, 5}, "classes, and the report");
    expect_classes((int64_t[]){4, 0, 3}, (int64_t[]){3, 0, 3}, "classes, and the report");
    expect_classes((int64_t[]){5, 0, 3}, (int64_t[]){0, 5, 5}, NULL);
    expect_classes((int64_t[]){5, 0, 3}, (int64_t[]){0, 0, 2}, NULL);
    expect_classes((int64_t[]){0, 5, 3}, (int64_t[]){0, 0, 2}, NULL);
}
END_TEST

START_TEST(other_points_are_refused) {
    dlviz_tensor *labels = labels_of(20, 4), *others = labels_of(20, 4),
                 *images = noise(20, 1, 4, 4), *other_images, *small = noise(20, 1, 4, 3),
                 *fewer = labels_of(19, 4);
    ((int64_t *)dlviz_tensor_data(others))[13] = 2;
    ck_ok(dlviz_tensor_copy(images, &other_images));
    ((uint8_t *)dlviz_tensor_data(other_images))[13 * 16 + 5] ^= 1;
    contents c = {20, 4, labels, images, false}, d = c;
    d.n = 19, d.labels = fewer, d.images = NULL;
    expect_refused(&c, &d, "it has 19 points, and the report 20");
    d = c, d.labels = others;
    expect_refused(&c, &d, "point 13 is of class 2 there and 1 in the report");
    d = c, d.images = other_images;
    expect_refused(&c, &d, "point 13 has another picture there");
    d = c, d.images = small;
    expect_refused(&c, &d, "thumbnails are 4 x 3 with 1 channels, and the report's 4 x 4");
    c.names = d.names = true, d = c, d.classes = 5;
    expect_refused(&c, &d, "it has 5 classes, and the report 4");
    dlviz_report *report = whole_report(&c, 1), *other;
    ck_ok(dlviz_report_create(&other, "o", 20));
    ck_ok(dlviz_report_set_class_names(other, 4, (const char *[]){"a", "x", "c", "d"}));
    ck_ok(add_whole_run(other, "r", 20, 4, 1));
    ck_ok(dlviz_report_write(other, scratch_path("o.html")));
    ck_fails(dlviz_report_merge(report, scratch_path("o.html")), DLVIZ_ERROR_SHAPE,
             "class 1 is 'x' there and 'b<' in the report");
    dlviz_report_destroy(report), dlviz_report_destroy(other);
    dlviz_tensor *all[] = {labels, others, images, other_images, small, fewer};
    for (size_t i = 0; i < 6; i++)
        dlviz_tensor_destroy(all[i]);
}
END_TEST

/* A page in which a text is replaced by another of any length. */
static void expect_damaged(const char *whole, size_t size, const char *what, const char *by,
                           dlviz_status status, const char *words) {
    dlviz_report *report;
    const char *at = memmem(whole, size, what, strlen(what));
    ck_assert_msg(at != NULL, "no %s", what);
    size_t before = (size_t)(at - whole), rest = size - before - strlen(what);
    char *other = malloc(size + strlen(by) + 1);
    memcpy(other, whole, before);
    memcpy(other + before, by, strlen(by));
    memcpy(other + before + strlen(by), at + strlen(what), rest);
    ck_ok(dlviz_report_create(&report, NULL, 0));
    ck_fails(dlviz_report_merge_memory(report, other, before + strlen(by) + rest), status, words);
    ck_assert_int_eq(dlviz_report_num_runs(report), 0);
    ck_assert_int_eq(dlviz_report_num_points(report), 0);
    dlviz_report_destroy(report);
    free(other);
}

START_TEST(damaged_pages_are_refused) {
    dlviz_tensor *labels = labels_of(12, 4), *images = noise(12, 1, 4, 4);
    dlviz_report *report = whole_report(&(contents){12, 4, labels, images, true}, 1), *into;
    size_t size;
    char *whole = bytes_of(report, &size);
    static const struct {
        const char *what, *by, *words;
    } damages[] = {
        {"\"n\":12", "\"n\":13", "'labels' of 13"},
        {"\"n\":12", "\"n\":0", "'n'"},
        {"\"n\":12", "\"n\":2147483648", "'n'"},
        {"\"n\":12", "\"n\":12,\"n\":12", "JSON"},
        {"\"format\":1", "\"format\":\"1\"", "'format'"},
        {"\"labels\":\"AAEC", "\"labels\":\"AA_C", "base64"},
        {"\"labels\":\"AAEC", "\"labels\":\"AAEE", "4 or more"},
        {"\"wide\":false", "\"wide\":true", "'wide'"},
        {"\"frames\":[{", "\"frames\":[],\"x\":[{", "'frames'"},
        {"\"epoch\":5", "\"epoch\":0", "'epoch'"},
        {"\"epoch\":0", "\"epoch\":-1", "behind one without an epoch"},
        {"\"epoch\":0", "\"epoch\":-2", "'epoch'"},
        {"\"epoch\":0", "\"epoch\":9223372036854775807", "behind the last epoch"},
        {"\"outside\":[0,0]", "\"outside\":[0]", "'outside'"},
        {"\"outside\":[0,0]", "\"outside\":[0,13]", "'outside'"},
        {"{\"k\":4,\"values\"", "{\"k\":3,\"values\"", "'values'"},
        {"{\"k\":4,\"wide\"", "{\"k\":5,\"wide\"", "'indices'"},
        {"{\"k\":4,\"wide\"", "{\"k\":9223372036854775807,\"wide\"", "'k'"},
        {"\"count\":12", "\"count\":11", "'points'"},
        {"\"columns\":4", "\"columns\":3", "picture"},
        {"\"columns\":4", "\"columns\":0", "'columns'"},
        {"\"channels\":1", "\"channels\":3", "picture"},
        {"\"name\":\"run 1\"", "\"name\":1", "'name'"},
        {"\"name\":\"run 1\"", "\"name\":\"\"", "'name' of a run is empty"},
        {"\"sprite\">iVBO", "\"sprite\">iVBA", "PNG"},
        {"\"sprite\">iVBO", "\"sprite\">", "picture"},
        {"\"sprite\">iVBO", "\"sprite\">/9j/", "PNG"},
        {"\"channels\":1,\"count", "\"channels\":3,\"count",
         "of 1 channels, and its thumbnails are 12 x 16 of 3"},
        {"<script type=\"text/plain\" id=\"sprite\">", "", "page"},
        {"\"measures\":[{", "\"measures\":[[],{", "'name'"},
        {"\"value\":", "\"value\":1e999,\"x\":", "JSON"},
        {"\"x\":[1,2,3]", "\"x\":[1,2,null]", "no number"},
        {"\"x\":[1,2,3]", "\"x\":[1,2]", "curve"},
        {"\"title\":\"whole\"", "\"title\":\"wh\xff\"", "JSON"},
        {"\"classes\":[\"a\"", "\"classes\":[7", "'classes'"},
        {"\"names\":[\"a\"", "\"names\":[\"z\",\"a\"", "13 names and 12 points"},
    };
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++)
        expect_damaged(whole, size, damages[i].what, damages[i].by, DLVIZ_ERROR_FORMAT,
                       damages[i].words);
    expect_damaged(whole, size, "\"format\":1", "\"format\":2", DLVIZ_ERROR_UNSUPPORTED,
                   "format 2");
    ck_ok(dlviz_report_create(&into, NULL, 0));
    for (size_t length = 0; length < size - 9; length += 1 + size / 200)
        if (!memmem(whole, length, "id=\"sprite\">", 12) ||
            !memmem(memmem(whole, length, "id=\"sprite\">", 12), 20, "</script>", 9)) {
            char *part = malloc(length + 1);
            memcpy(part, whole, length);
            dlviz_status status = dlviz_report_merge_memory(into, part, length);
            if (memmem(whole, length, "id=\"sprite\">", 12) && status == DLVIZ_OK) {
                free(part); /* the end of the page alone is missing */
                break;
            }
            ck_assert_int_eq(status, DLVIZ_ERROR_FORMAT);
            free(part);
        }
    ck_fails(dlviz_report_merge(report, "/nowhere.html"), DLVIZ_ERROR_IO, "nowhere.html");
    dlviz_free(whole);
    dlviz_report_destroy(report), dlviz_report_destroy(into);
    dlviz_tensor_destroy(labels), dlviz_tensor_destroy(images);
}
END_TEST

/* -- Large pages ---------------------------------------------------------------------------------
 */

/* The points that a page has pictures of. */
static bool *pictured(const page *p, int64_t n, int64_t *count) {
    const json_t *sprite = json_object_get(p->root, "sprite");
    bool *there = calloc((size_t)n, 1);
    size_t size;
    *count = page_integer(json_object_get(sprite, "count"));
    uint8_t *points = page_bytes(json_object_get(sprite, "points"), &size);
    ck_assert_int_eq(size, 4 * *count);
    for (int64_t i = 0; i < *count; i++)
        there[page_number(points, i, 4)] = true;
    free(points);
    return there;
}

/* 30,000 points of which two runs get some wrong: all of these have pictures. */
START_TEST(many_points_have_a_sample_of_pictures) {
    int64_t n = 30000, shown, of_class[4] = {0};
    dlviz_tensor *map = uniform(n, 2, 1), *images = noise(n, 1, 2, 2), *labels = labels_of(n, 4);
    dlviz_report *report, *merged;
    ck_ok(dlviz_report_create(&report, "many", n));
    ck_ok(dlviz_report_set_images(report, images));
    ck_ok(dlviz_report_set_labels(report, labels));
    for (int64_t r = 0; r < 2; r++) {
        dlviz_report_run *run;
        dlviz_tensor *outputs;
        ck_ok(dlviz_tensor_create(&outputs, DLVIZ_FLOAT32, 2, (int64_t[]){n, 4}));
        for (int64_t i = 0; i < n; i++)
            dlviz_tensor_float(outputs)[4 * i + (i + (i % 50 == 7 * r)) % 4] = 5;
        ck_ok(dlviz_report_add_run(report, r ? "b" : "a", &run));
        ck_ok(dlviz_report_run_add_map(run, "map"));
        ck_ok(dlviz_report_run_add_frame(run, 1, 1, (const dlviz_tensor *[]){map}, outputs));
        dlviz_tensor_destroy(outputs);
    }
    page p = page_of(report);
    bool *there = pictured(&p, n, &shown);
    ck_assert_int_eq(shown, 20000);
    for (int64_t i = 0; i < n; i++) {
        if (i % 11 != 10 && (i % 50 == 0 || i % 50 == 7))
            ck_assert(there[i]);
        of_class[i % 4] += there[i];
    }
    for (int c = 0; c < 4; c++)
        ck_assert_int_le(llabs(of_class[c] - 5000), 200);
    picture drawn = page_picture(&p);
    const json_t *sprite = json_object_get(p.root, "sprite");
    int64_t columns = page_integer(json_object_get(sprite, "columns")), t = 0;
    for (int64_t i = 0; i < n; i++)
        if (there[i]) {
            int64_t at = (t / columns * 2 + 1) * drawn.width + t % columns * 2 + 1;
            ck_assert_int_eq(drawn.pixels[at], ((uint8_t *)dlviz_tensor_data(images))[4 * i + 3]);
            t++;
        }
    ck_ok(dlviz_report_create(&merged, NULL, 0));
    ck_ok(dlviz_report_merge_memory(merged, p.bytes, p.size));
    dlviz_tensor *back;
    ck_fails(dlviz_report_get_images(merged, &back), DLVIZ_ERROR_STATE, "20000 of its 30000");
    expect_same(merged, report);
    free(there), free(drawn.pixels);
    page_close(&p);
    dlviz_report_destroy(report), dlviz_report_destroy(merged);
    dlviz_tensor_destroy(map), dlviz_tensor_destroy(images), dlviz_tensor_destroy(labels);
}
END_TEST

/* Of two pages each lacks the pictures of a few other points: together they have all. */
START_TEST(samples_that_cover_all_are_all) {
    int64_t n = 20100;
    dlviz_tensor *map = uniform(n, 2, 1), *images = noise(n, 1, 2, 2), *labels, *back;
    dlviz_report *merged;
    ck_ok(dlviz_tensor_create(&labels, DLVIZ_INT64, 1, &n)); /* all 0 */
    ck_ok(dlviz_report_create(&merged, NULL, 0));
    for (int64_t r = 0; r < 2; r++) {
        dlviz_report *report;
        dlviz_report_run *run;
        dlviz_tensor *outputs;
        ck_ok(dlviz_tensor_create(&outputs, DLVIZ_FLOAT32, 2, (int64_t[]){n, 2}));
        for (int64_t i = 0; i < n; i++) /* one half of the points is wrong, so it is kept */
            dlviz_tensor_float(outputs)[2 * i + (i < n / 2 ? r == 0 : r == 1)] = 5;
        ck_ok(dlviz_report_create(&report, "many", n));
        ck_ok(dlviz_report_set_images(report, images));
        ck_ok(dlviz_report_set_labels(report, labels));
        ck_ok(dlviz_report_add_run(report, r ? "b" : "a", &run));
        ck_ok(dlviz_report_run_add_map(run, "map"));
        ck_ok(dlviz_report_run_add_frame(run, 1, 1, (const dlviz_tensor *[]){map}, outputs));
        page p = page_of(report);
        ck_ok(dlviz_report_merge_memory(merged, p.bytes, p.size));
        page_close(&p);
        dlviz_report_destroy(report);
        dlviz_tensor_destroy(outputs);
    }
    ck_ok(dlviz_report_get_images(merged, &back));
    ck_assert_mem_eq(dlviz_tensor_const_data(back), dlviz_tensor_const_data(images),
                     (size_t)dlviz_tensor_num_elements(images));
    dlviz_report_destroy(merged);
    dlviz_tensor_destroy(back), dlviz_tensor_destroy(map), dlviz_tensor_destroy(images),
        dlviz_tensor_destroy(labels);
}
END_TEST

/* Two pages with pictures of other points become one with all of them. */
START_TEST(samples_of_pictures_are_joined) {
    int64_t n = 24000, shown[3], total = 0;
    dlviz_tensor *map = uniform(n, 2, 1), *images = noise(n, 1, 2, 2), *labels = labels_of(n, 4);
    dlviz_report *reports[2], *merged;
    page pages[3];
    bool *there[3];
    for (int64_t r = 0; r < 2; r++) {
        dlviz_report_run *run;
        dlviz_tensor *outputs = uniform(n, 4, 3 + (uint64_t)r); /* three of four are wrong */
        ck_ok(dlviz_report_create(&reports[r], "many", n));
        ck_ok(dlviz_report_set_images(reports[r], images));
        ck_ok(dlviz_report_set_labels(reports[r], labels));
        ck_ok(dlviz_report_add_run(reports[r], "a", &run));
        ck_ok(dlviz_report_run_add_map(run, "map"));
        ck_ok(dlviz_report_run_add_frame(run, 1, 1, (const dlviz_tensor *[]){map}, outputs));
        pages[r] = page_of(reports[r]);
        there[r] = pictured(&pages[r], n, &shown[r]);
        dlviz_tensor_destroy(outputs);
    }
    ck_ok(dlviz_report_create(&merged, NULL, 0));
    for (int r = 0; r < 2; r++)
        ck_ok(dlviz_report_merge_memory(merged, pages[r].bytes, pages[r].size));
    pages[2] = page_of(merged);
    there[2] = pictured(&pages[2], n, &shown[2]);
    ck_assert_int_eq(shown[2], 20000);
    for (int64_t i = 0; i < n; i++) {
        total += there[0][i] || there[1][i];
        ck_assert(!there[2][i] || there[0][i] || there[1][i]);
    }
    ck_assert_int_gt(total, 20000);
    for (int r = 0; r < 3; r++) {
        page_close(&pages[r]);
        free(there[r]);
    }
    dlviz_report_destroy(reports[0]), dlviz_report_destroy(reports[1]),
        dlviz_report_destroy(merged);
    dlviz_tensor_destroy(map), dlviz_tensor_destroy(images), dlviz_tensor_destroy(labels);
}
END_TEST

/* Pictures that would make the page too large lose shades, colors, and at last others beside them. */
static void try_large(int64_t n, int64_t channels, int64_t side, bool smooth, int64_t least,
                      int tolerance) {
    dlviz_tensor *map = uniform(n, 2, 1), *images = noise(n, channels, side, side);
    uint8_t *pixels = dlviz_tensor_data(images);
    int64_t area = side * side, shown = n;
    for (int64_t i = 0; smooth && i < n * channels * area; i++) /* a color an image, some noise */
        pixels[i] = (uint8_t)((i / area * 53 & 127) + (pixels[i] & 63));
    dlviz_report_run *run;
    dlviz_report *report, *merged;
    ck_ok(dlviz_report_create(&report, "large", n));
    ck_ok(dlviz_report_set_images(report, images));
    ck_ok(dlviz_report_add_run(report, "r", &run));
    ck_ok(dlviz_report_run_add_map(run, "map"));
    ck_ok(dlviz_report_run_add_frame(run, -1, 1, (const dlviz_tensor *[]){map}, NULL));
    page p = page_of(report);
    ck_assert_uint_le(p.size, 10000000);
    const json_t *sprite = json_object_get(p.root, "sprite");
    bool *there = NULL;
    if (json_object_get(sprite, "points"))
        there = pictured(&p, n, &shown);
    ck_assert_int_ge(shown, least);
    picture drawn = page_picture(&p);
    ck_assert_int_eq(drawn.channels, channels);
    int64_t columns = page_integer(json_object_get(sprite, "columns")), t = 0;
    double difference = 0;
    int worst = 0;
    for (int64_t i = 0; i < n; i++) {
        if (there && !there[i])
            continue;
        for (int64_t j = 0; j < channels * area; j++) {
            int64_t y = j / channels / side, x = j / channels % side, c = j % channels;
            int64_t at =
                ((t / columns * side + y) * drawn.width + t % columns * side + x) * channels + c;
            int wanted = pixels[(i * channels + c) * area + y * side + x];
            difference += abs(drawn.pixels[at] - wanted);
            worst = abs(drawn.pixels[at] - wanted) > worst ? abs(drawn.pixels[at] - wanted) : worst;
        }
        t++;
    }
    difference /= (double)(t * channels * area);
    ck_assert(channels == 3 || worst <= 8);
    ck_assert_msg(difference <= tolerance, "%lld x %lld: off by %g", (long long)n, (long long)side,
                  difference);
    ck_ok(dlviz_report_create(&merged, "large", n));
    ck_ok(dlviz_report_set_images(merged, images));
    ck_ok(dlviz_report_merge_memory(merged, p.bytes, p.size));
    free(there), free(drawn.pixels);
    page_close(&p);
    dlviz_report_destroy(report), dlviz_report_destroy(merged);
    dlviz_tensor_destroy(map), dlviz_tensor_destroy(images);
}

START_TEST(large_pages_are_made_smaller) {
    try_large(12000, 1, 32, false, 10000, 5); /* noise of 12 MB as 6 */
    try_large(3000, 1, 64, false, 2000, 5);
    try_large(7000, 3, 32, true, 4000, 20);
}
END_TEST

/* -- Files ---------------------------------------------------------------------------------------
 */

START_TEST(the_same_bytes_for_any_number_of_threads) {
    dlviz_tensor *labels = labels_of(3000, 10), *images = noise(3000, 3, 40, 80);
    contents c = {3000, 10, labels, images, true};
    ck_ok(dlviz_set_num_threads(1));
    dlviz_report *one = whole_report(&c, 4);
    size_t size, other, on_disk;
    void *a = bytes_of(one, &size);
    ck_ok(dlviz_set_num_threads(2));
    dlviz_report *two = whole_report(&c, 4);
    void *b = bytes_of(two, &other);
    ck_assert(size == other && memcmp(a, b, size) == 0);
    ck_ok(dlviz_report_write(two, scratch_path("page.html")));
    unsigned char *file = file_bytes(scratch_path("page.html"), &on_disk);
    ck_assert(size == on_disk && memcmp(a, file, size) == 0);
    free(file);
    dlviz_free(a), dlviz_free(b);
    dlviz_report_destroy(one), dlviz_report_destroy(two);
    dlviz_tensor_destroy(labels), dlviz_tensor_destroy(images);
}
END_TEST

START_TEST(a_page_is_written_whole_or_not_at_all) {
    dlviz_report *report, *empty;
    dlviz_report_run *run;
    void *bytes = &report;
    size_t size = 3;
    ck_ok(dlviz_report_create(&empty, "e", 4));
    ck_fails(dlviz_report_write(empty, scratch_path("e.html")), DLVIZ_ERROR_STATE, "has no runs");
    ck_fails(dlviz_report_write_memory(empty, &bytes, &size), DLVIZ_ERROR_STATE, "has no runs");
    ck_assert(bytes == NULL && size == 0);
    ck_ok(dlviz_report_add_run(empty, "nothing", &run));
    ck_fails(dlviz_report_write(empty, scratch_path("e.html")), DLVIZ_ERROR_STATE,
             "'nothing' has no frames");
    ck_assert_int_ne(access(scratch_path("e.html"), F_OK), 0);
    report = whole_report(&(contents){50, 3, NULL, NULL, false}, 1);
    ck_fails(dlviz_report_write(report, "/nowhere/at/all.html"), DLVIZ_ERROR_IO,
             "/nowhere/at/all.html");
    ck_fails(dlviz_report_write(report, scratch_folder()), DLVIZ_ERROR_IO, "folder");
    ck_fails(dlviz_report_write(report, "/dev/full"), DLVIZ_ERROR_IO, "/dev/full");
    ck_fails(dlviz_report_write(report, NULL), DLVIZ_ERROR_INVALID_ARGUMENT, "'path' is NULL");
    dlviz_report_destroy(report), dlviz_report_destroy(empty);
}
END_TEST

/* -- Arguments -----------------------------------------------------------------------------------
 */

START_TEST(arguments_are_checked) {
    dlviz_report *report, *later;
    dlviz_report_run *run;
    dlviz_tensor *map = uniform(6, 2, 1), *wide = uniform(6, 3, 1), *fewer = uniform(5, 2, 1),
                 *labels = labels_of(6, 6), *images = noise(6, 2, 3, 3), *none;
    const dlviz_tensor *maps[] = {map, map}, *bad[] = {wide}, *short_one[] = {fewer},
                       *missing[] = {NULL};
    ck_fails(dlviz_report_create(&report, "a\xff", 6), DLVIZ_ERROR_INVALID_ARGUMENT,
             "'title' is not UTF-8");
    ck_fails(dlviz_report_create(&report, "a", -1), DLVIZ_ERROR_INVALID_ARGUMENT, "-1 points");
    ck_assert_ptr_null(report);
    ck_ok(dlviz_report_create(&later, NULL, 0));
    ck_fails(dlviz_report_add_run(later, "r", &run), DLVIZ_ERROR_STATE, "a page has to be merged");
    ck_fails(dlviz_report_set_class_names(later, 1, (const char *[]){"a"}), DLVIZ_ERROR_STATE,
             "a page has to be merged");
    ck_fails(dlviz_report_set_labels(later, labels), DLVIZ_ERROR_STATE, "number of points");
    ck_ok(dlviz_report_create(&report, "a", 6));
    ck_fails(dlviz_report_add_run(report, "", &run), DLVIZ_ERROR_INVALID_ARGUMENT, "empty");
    ck_ok(dlviz_report_add_run(report, "r", &run));
    ck_fails(dlviz_report_run_add_frame(run, 0, 1, maps, NULL), DLVIZ_ERROR_STATE, "no maps yet");
    ck_ok(dlviz_report_run_add_map(run, "m"));
    ck_fails(dlviz_report_run_add_frame(run, 0, 2, maps, NULL), DLVIZ_ERROR_INVALID_ARGUMENT,
             "2 maps; the run has 1");
    ck_fails(dlviz_report_run_add_frame(run, 0, 1, bad, NULL), DLVIZ_ERROR_SHAPE,
             "map 'm' is float32 6 x 3");
    ck_fails(dlviz_report_run_add_frame(run, 0, 1, short_one, NULL), DLVIZ_ERROR_SHAPE,
             "5 x 2, needs to be float32 6 x 2");
    ck_fails(dlviz_report_run_add_frame(run, 0, 1, missing, NULL), DLVIZ_ERROR_INVALID_ARGUMENT,
             "map 0 is NULL");
    ck_fails(dlviz_report_run_add_frame(run, -2, 1, maps, NULL), DLVIZ_ERROR_INVALID_ARGUMENT,
             "epoch -2");
    ck_fails(dlviz_report_run_add_frame(run, 0, 1, maps, fewer), DLVIZ_ERROR_SHAPE,
             "'outputs' is float32 5 x 2");
    dlviz_tensor_float(wide)[0] = NAN;
    ck_ok(dlviz_report_run_add_frame(run, 2, 1, maps, wide));
    ck_fails(dlviz_report_run_add_frame(run, 2, 1, maps, NULL), DLVIZ_ERROR_INVALID_ARGUMENT,
             "epoch 2 comes after epoch 2");
    ck_fails(dlviz_report_run_add_frame(run, -1, 1, maps, NULL), DLVIZ_ERROR_INVALID_ARGUMENT,
             "only one");
    ck_fails(dlviz_report_run_add_frame(run, 3, 1, maps, map), DLVIZ_ERROR_SHAPE,
             "has 2 columns, and that of the frames before 3");
    ck_fails(dlviz_report_run_add_map(run, "n"), DLVIZ_ERROR_STATE, "frames already");
    dlviz_tensor_float(map)[7] = INFINITY;
    ck_fails(dlviz_report_run_add_frame(run, 3, 1, maps, NULL), DLVIZ_ERROR_NUMERIC,
             "row 3 of map 'm'");
    dlviz_tensor_float(map)[7] = NAN;
    ck_fails(dlviz_report_run_add_frame(run, 3, 1, maps, NULL), DLVIZ_ERROR_NUMERIC,
             "row 3 of map 'm'");
    ck_assert(dlviz_report_run_num_frames(run) == 1 && dlviz_report_run_epoch(run, 0) == 2);
    ck_fails(dlviz_report_set_images(report, images), DLVIZ_ERROR_SHAPE, "6 x 2 x 3 x 3");
    ck_fails(dlviz_report_set_images(report, map), DLVIZ_ERROR_SHAPE, "needs to be");
    ck_fails(dlviz_report_set_labels(report, map), DLVIZ_ERROR_SHAPE, "6 entries");
    ck_ok(dlviz_report_set_labels(report, labels));
    ck_fails(dlviz_report_set_class_names(report, 5, (const char *[]){"", "", "", "", ""}),
             DLVIZ_ERROR_INVALID_ARGUMENT, "5 names; 6 to 65534");
    ck_fails(dlviz_report_set_class_names(report, 6, (const char *[]){"", "", "\xff", "", "", ""}),
             DLVIZ_ERROR_INVALID_ARGUMENT, "name 2 is not UTF-8");
    ck_ok(dlviz_report_set_class_names(report, 6, (const char *[]){"", "", "", "", "", ""}));
    ((int64_t *)dlviz_tensor_data(labels))[1] = 6;
    ck_fails(dlviz_report_set_labels(report, labels), DLVIZ_ERROR_INVALID_ARGUMENT,
             "label 6 needs 7 classes, and 6 have names");
    ((int64_t *)dlviz_tensor_data(labels))[1] = 65534;
    ck_fails(dlviz_report_set_labels(report, labels), DLVIZ_ERROR_INVALID_ARGUMENT,
             "label 1 is 65534");
    ck_ok(dlviz_report_get_labels(report, &none));
    ck_assert_int_eq(((int64_t *)dlviz_tensor_data(none))[5], 5);
    dlviz_tensor_destroy(none);
    ck_fails(dlviz_report_set_point_names(report, 2, (const char *[]){"a", "b"}),
             DLVIZ_ERROR_INVALID_ARGUMENT, "2 names; the report has 6 points");
    ck_fails(dlviz_report_run_set_neighbors(run, map), DLVIZ_ERROR_SHAPE, "6 x k");
    ck_ok(dlviz_tensor_create(&none, DLVIZ_INT64, 2, (int64_t[]){6, 1}));
    ((int64_t *)dlviz_tensor_data(none))[4] = 6;
    ck_fails(dlviz_report_run_set_neighbors(run, none), DLVIZ_ERROR_INVALID_ARGUMENT,
             "neighbor 4 is point 6; 0 to 5");
    dlviz_tensor_destroy(none);
    ck_fails(dlviz_report_run_get_neighbors(run, &none), DLVIZ_ERROR_STATE, "no neighbors");
    dlviz_tensor *looked = uniform(2, 12, 1), *shaped;
    const int64_t points[] = {5, 6};
    ck_fails(dlviz_report_run_set_attribution(run, 2, points, looked), DLVIZ_ERROR_SHAPE,
             "'maps' is float32 2 x 12, needs to be float32 2 x h x w or 2 x c x h x w");
    ck_ok(dlviz_tensor_reshape(looked, 3, (int64_t[]){2, 3, 4}, &shaped));
    ck_fails(dlviz_report_run_set_attribution(run, 1, points, shaped), DLVIZ_ERROR_SHAPE,
             "float32 1 x h x w");
    ck_fails(dlviz_report_run_set_attribution(run, 2, points, shaped), DLVIZ_ERROR_INVALID_ARGUMENT,
             "entry 1 is point 6; 0 to 5");
    dlviz_tensor_float(looked)[23] = NAN;
    ck_fails(dlviz_report_run_set_attribution(run, 2, (const int64_t[]){5, 0}, shaped),
             DLVIZ_ERROR_NUMERIC, "map 1 has the value nan");
    dlviz_tensor_destroy(shaped);
    dlviz_tensor_destroy(looked);
    ck_fails(dlviz_report_get_images(report, &none), DLVIZ_ERROR_STATE, "0 of its 6");
    ck_fails(dlviz_report_run_add_curve(run, "p", "n", 0, NULL, (double[]){1}),
             DLVIZ_ERROR_INVALID_ARGUMENT, "0 points");
    ck_fails(dlviz_report_run_add_curve(run, "p", "n", 1, (double[]){NAN}, (double[]){1}),
             DLVIZ_ERROR_NUMERIC, "x[0]");
    ck_fails(dlviz_report_run_add_fact(run, "\xc0", ""), DLVIZ_ERROR_INVALID_ARGUMENT,
             "'name' is not UTF-8");
    ck_assert_ptr_null(dlviz_report_run_at(report, 1));
    dlviz_tensor *all[] = {map, wide, fewer, labels, images};
    for (size_t i = 0; i < 5; i++)
        dlviz_tensor_destroy(all[i]);
    dlviz_report_destroy(report), dlviz_report_destroy(later);
}
END_TEST

/* -- Memory --------------------------------------------------------------------------------------
 */

typedef struct material {
    dlviz_tensor *labels, *images, *map, *outputs, *near, *looked;
    dlviz_dataset *data;
    dlviz_network *network;
    void *page;
    size_t size;
} material;

static dlviz_status use_report(dlviz_report **report, dlviz_report **other, const material *m,
                               void **bytes) {
    dlviz_report_run *run;
    size_t size;
    const char *names[] = {"a", "b", "c"}, *points[] = {"1", "2", "3", "4", "5", "6", "7", "8"};
    TRY(dlviz_report_create(report, "title", 8));
    TRY(dlviz_report_set_labels(*report, m->labels));
    TRY(dlviz_report_set_images(*report, m->images));
    TRY(dlviz_report_set_images_of(*report, m->data));
    for (int again = 0; again < 2; again++) {
        TRY(dlviz_report_set_class_names(*report, 3, names));
        TRY(dlviz_report_set_point_names(*report, 8, points));
    }
    TRY(dlviz_report_add_run(*report, "r", &run));
    TRY(dlviz_report_run_set_network(run, m->network, "f"));
    TRY(dlviz_report_run_add_map(run, "map"));
    TRY(dlviz_report_run_add_frame(run, 1, 1, (const dlviz_tensor *[]){m->map}, m->outputs));
    TRY(dlviz_report_run_set_neighbors(run, m->near));
    TRY(dlviz_report_run_set_attribution(run, 8, (int64_t[]){0, 1, 2, 3, 4, 5, 6, 7}, m->looked));
    TRY(dlviz_report_run_add_fact(run, "a", "b"));
    TRY(dlviz_report_run_add_measure(run, "a", "b", "c", 1, 2, 3));
    TRY(dlviz_report_run_add_curve(run, "a", "b", 1, NULL, (double[]){1}));
    TRY(dlviz_report_write_memory(*report, bytes, &size));
    TRY(dlviz_report_create(other, NULL, 0));
    TRY(dlviz_report_merge_memory(*other, *bytes, size));
    return dlviz_report_merge_memory(*other, *bytes, size);
}

static dlviz_status use_memory(void *context) {
    dlviz_report *report = NULL, *other = NULL;
    void *bytes = NULL;
    dlviz_status status = use_report(&report, &other, context, &bytes);
    dlviz_free(bytes);
    dlviz_report_destroy(report);
    dlviz_report_destroy(other);
    return status;
}

START_TEST(memory_may_run_out_anywhere) {
    material m = {.labels = labels_of(8, 3),
                  .images = noise(8, 1, 3, 70),
                  .map = uniform(8, 2, 1),
                  .outputs = uniform(8, 3, 1)};
    dlviz_tensor *flat = uniform(8, 6, 3);
    ck_ok(dlviz_tensor_reshape(flat, 3, (int64_t[]){8, 2, 3}, &m.looked));
    ck_ok(dlviz_tensor_create(&m.near, DLVIZ_INT64, 2, (int64_t[]){8, 2}));
    ck_ok(dlviz_dataset_create(&m.data, m.images, NULL));
    m.network = net_from_text("1x6x6", "c:conv,out=2,k=3 f:flatten fc:linear,out=3");
    ck_ok(dlviz_set_num_threads(1));
    ck_assert_int_gt(fail_each_allocation(use_memory, &m), 60);
    dlviz_dataset_destroy(m.data);
    dlviz_network_destroy(m.network);
    dlviz_tensor *all[] = {m.labels, m.images, m.map, m.outputs, m.near, m.looked, flat};
    for (size_t i = 0; i < 7; i++)
        dlviz_tensor_destroy(all[i]);
}
END_TEST

int main(void) {
    return run_tests("report_pages", (const TTest *[]){
                                         any_epochs_are_merged,
                                         merged_runs_are_the_same,
                                         classes_beyond_the_names_are_refused,
                                         runs_have_names_of_their_own,
                                         other_points_are_refused,
                                         damaged_pages_are_refused,
                                         many_points_have_a_sample_of_pictures,
                                         samples_that_cover_all_are_all,
                                         samples_of_pictures_are_joined,
                                         large_pages_are_made_smaller,
                                         the_same_bytes_for_any_number_of_threads,
                                         a_page_is_written_whole_or_not_at_all,
                                         arguments_are_checked,
                                         memory_may_run_out_anywhere,
                                         NULL,
                                     });
}
