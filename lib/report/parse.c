#include "report/parse.h"
#include "report/encode.h"
#include "report/values.h"
#include "data/image.h"

#include <math.h>
#include <string.h>

/* What all parts of a page agree on. */
typedef struct context {
    dlviz_report *page;
    int64_t n, num_classes;
    int class_size;
} context;

static const json_t *get(const json_t *object, const char *key) {
    return json_object_get(object, key);
}

/* -- Texts and numbers of a run ------------------------------------------------------------------
 */

static dlviz_status parse_facts(const json_t *list, dlviz_report_run *run) {
    int64_t count;
    DLZ_TRY(dlz_value_array(list, "facts", 0, &count));
    for (int64_t i = 0; i < count; i++) {
        const json_t *pair = json_array_get(list, (size_t)i);
        const char *name, *value;
        DLZ_TRY(dlz_value_text(json_array_get(pair, 0), "facts", &name));
        DLZ_TRY(dlz_value_text(json_array_get(pair, 1), "facts", &value));
        DLZ_TRY(dlz_report_add_fact(run, name, value));
    }
    return DLVIZ_OK;
}

static dlviz_status parse_measures(const json_t *list, dlviz_report_run *run) {
    int64_t count;
    DLZ_TRY(dlz_value_array(list, "measures", 0, &count));
    for (int64_t i = 0; i < count; i++) {
        const json_t *measure = json_array_get(list, (size_t)i);
        const json_t *said = get(measure, "meaning");
        const char *name, *unit, *meaning = NULL;
        double values[3];
        DLZ_TRY(dlz_value_text(get(measure, "name"), "name", &name));
        DLZ_TRY(dlz_value_text(get(measure, "unit"), "unit", &unit));
        if (said) /* optional */
            DLZ_TRY(dlz_value_text(said, "meaning", &meaning));
        DLZ_TRY(dlz_value_real(get(measure, "value"), "value", &values[0]));
        DLZ_TRY(dlz_value_real(get(measure, "untrained"), "untrained", &values[1]));
        DLZ_TRY(dlz_value_real(get(measure, "pixels"), "pixels", &values[2]));
        DLZ_TRY(dlz_report_add_measure(run, name, unit, meaning, values));
    }
    return DLVIZ_OK;
}

/* Into `to`, which has room for `count`. */
static dlviz_status parse_reals(const json_t *list, const char *what, int64_t count, double *to) {
    int64_t there;
    DLZ_TRY(dlz_value_array(list, what, count, &there));
    if (there != count)
        return dlz_fail(DLVIZ_ERROR_FORMAT, "a curve has %lld numbers '%s' and %lld others",
                        (long long)there, what, (long long)count);
    for (int64_t i = 0; i < count; i++)
        DLZ_TRY(dlz_value_real(json_array_get(list, (size_t)i), what, &to[i]));
    return DLVIZ_OK;
}

static dlviz_status parse_points(const json_t *curve, const char *panel, const char *name,
                                 int64_t count, double *x, dlviz_report_run *run) {
    double *y = x + count;
    DLZ_TRY(parse_reals(get(curve, "x"), "x", count, x));
    DLZ_TRY(parse_reals(get(curve, "y"), "y", count, y));
    for (int64_t i = 0; i < count; i++)
        if (!isfinite(x[i]))
            return dlz_fail(DLVIZ_ERROR_FORMAT, "a curve has an x that is no number");
    return dlz_report_add_curve(run, panel, name, count, x, y, false);
}

static dlviz_status parse_curve(const json_t *curve, dlviz_report_run *run) {
    const char *panel, *name;
    int64_t count;
    DLZ_TRY(dlz_value_text(get(curve, "panel"), "panel", &panel));
    DLZ_TRY(dlz_value_text(get(curve, "name"), "name", &name));
    DLZ_TRY(dlz_value_array(get(curve, "x"), "x", 1, &count));
    double *numbers = dlz_alloc_array((uint64_t)count, 2 * sizeof *numbers);
    if (!numbers)
        return dlz_fail_memory("a curve", (uint64_t)count * 2 * sizeof *numbers);
    dlviz_status status = parse_points(curve, panel, name, count, numbers, run);
    dlz_free(numbers);
    return status;
}

static dlviz_status parse_curves(const json_t *list, dlviz_report_run *run) {
    int64_t count;
    DLZ_TRY(dlz_value_array(list, "curves", 0, &count));
    for (int64_t i = 0; i < count; i++)
        DLZ_TRY(parse_curve(json_array_get(list, (size_t)i), run));
    return DLVIZ_OK;
}

static dlviz_status parse_layer(const json_t *layer, dlviz_report_run *run) {
    const char *name, *type;
    int64_t ndim, parameters, dims[DLVIZ_MAX_DIMS];
    const json_t *output = get(layer, "output");
    DLZ_TRY(dlz_value_text(get(layer, "name"), "name", &name));
    DLZ_TRY(dlz_value_text(get(layer, "type"), "type", &type));
    DLZ_TRY(dlz_value_integer(get(layer, "parameters"), "parameters", 0, INT64_MAX, &parameters));
    DLZ_TRY(dlz_value_array(output, "output", 0, &ndim));
    if (ndim > DLVIZ_MAX_DIMS)
        return dlz_fail(DLVIZ_ERROR_FORMAT, "the output of layer '%s' has %lld dimensions", name,
                        (long long)ndim);
    for (int64_t d = 0; d < ndim; d++)
        DLZ_TRY(
            dlz_value_integer(json_array_get(output, (size_t)d), "output", 0, INT64_MAX, &dims[d]));
    return dlz_report_add_layer(run, name, type, (int)ndim, dims, parameters);
}

static dlviz_status parse_layers(const json_t *object, dlviz_report_run *run) {
    const json_t *list = get(object, "layers"), *layer = get(object, "layer");
    const char *name;
    int64_t count;
    DLZ_TRY(dlz_value_array(list, "layers", 0, &count));
    for (int64_t i = 0; i < count; i++)
        DLZ_TRY(parse_layer(json_array_get(list, (size_t)i), run));
    if (!layer)
        return DLVIZ_OK;
    DLZ_TRY(dlz_value_text(layer, "layer", &name));
    run->layer = dlz_strdup(name);
    return run->layer ? DLVIZ_OK : dlz_fail_memory("a layer's name", strlen(name) + 1);
}

/* -- Frames --------------------------------------------------------------------------------------
 */

static dlviz_status parse_maps(const json_t *object, const context *c, const dlviz_report_run *run,
                               dlz_report_frame *frame) {
    const json_t *maps = get(object, "maps"), *outside = get(object, "outside");
    int64_t count;
    DLZ_TRY(dlz_value_array(maps, "maps", run->maps.count, &count));
    for (int64_t m = 0; m < run->maps.count; m++) {
        frame->maps[m] =
            dlz_value_numbers(json_array_get(maps, (size_t)m), "maps", 2 * c->n, 2, 2, 65536, 0);
        if (!frame->maps[m])
            return dlz_last_status();
        DLZ_TRY(dlz_value_integer(json_array_get(outside, (size_t)m), "outside", 0, c->n,
                                  &frame->outside[m]));
    }
    return DLVIZ_OK;
}

static dlviz_status parse_predictions(const json_t *object, const context *c,
                                      dlz_report_frame *frame) {
    if (!get(object, "predictions"))
        return DLVIZ_OK;
    frame->predictions = dlz_value_numbers(get(object, "predictions"), "predictions", c->n,
                                           c->class_size, 2, (uint32_t)c->num_classes, 0);
    if (!frame->predictions)
        return dlz_last_status();
    frame->confidence =
        dlz_value_numbers(get(object, "confidence"), "confidence", c->n, 1, 1, 256, 0);
    return frame->confidence ? DLVIZ_OK : dlz_last_status();
}

static dlviz_status parse_frame_into(const json_t *object, const context *c, dlviz_report_run *run,
                                     dlz_report_frame *frame) {
    int64_t before = run->num_frames ? run->frames[run->num_frames - 1].epoch : -2;
    if (before == -1)
        return dlz_fail(DLVIZ_ERROR_FORMAT, "it has a frame behind one without an epoch");
    if (before == INT64_MAX)
        return dlz_fail(DLVIZ_ERROR_FORMAT, "it has a frame behind the last epoch that can be");
    DLZ_TRY(dlz_value_integer(get(object, "epoch"), "epoch", before + 1, INT64_MAX, &frame->epoch));
    DLZ_TRY(parse_maps(object, c, run, frame));
    DLZ_TRY(parse_predictions(object, c, frame));
    return dlz_report_take_frame(run, frame);
}

static dlviz_status parse_frame(const json_t *object, const context *c, dlviz_report_run *run) {
    uint64_t maps = (uint64_t)run->maps.count;
    dlz_report_frame frame = {
        .maps = dlz_alloc_array_zero(maps, sizeof(uint16_t *)),
        .outside = dlz_alloc_array_zero(maps, sizeof(int64_t)),
    };
    dlviz_status status = frame.maps && frame.outside
                              ? parse_frame_into(object, c, run, &frame)
                              : dlz_fail_memory("a frame of a page", maps * sizeof(int64_t));
    if (status != DLVIZ_OK)
        dlz_report_frame_release(run, &frame);
    return status;
}

static dlviz_status parse_frames(const json_t *object, const context *c, dlviz_report_run *run) {
    const json_t *names = get(object, "maps"), *list = get(object, "frames");
    int64_t count;
    DLZ_TRY(dlz_value_array(names, "maps", 1, &count));
    for (int64_t m = 0; m < count; m++) {
        const char *name;
        DLZ_TRY(dlz_value_text(json_array_get(names, (size_t)m), "maps", &name));
        DLZ_TRY(dlz_report_add_map_name(run, name));
    }
    DLZ_TRY(dlz_value_array(list, "frames", 1, &count));
    for (int64_t f = 0; f < count; f++)
        DLZ_TRY(parse_frame(json_array_get(list, (size_t)f), c, run));
    return DLVIZ_OK;
}

/* -- What belongs to the last frame --------------------------------------------------------------
 */

static dlviz_status parse_probabilities(const json_t *object, const context *c,
                                        dlviz_report_run *run) {
    dlz_report_probabilities *p = &run->probabilities;
    const json_t *classes = get(object, "classes");
    int64_t k, most = dlz_min_i64(c->num_classes, DLZ_REPORT_ALL_OUTPUTS);
    if (!object)
        return DLVIZ_OK;
    DLZ_TRY(dlz_value_integer(get(object, "k"), "k", classes ? DLZ_REPORT_LIKELIEST : 1,
                              classes ? DLZ_REPORT_LIKELIEST : most, &k));
    if (classes && c->num_classes <= DLZ_REPORT_ALL_OUTPUTS)
        return dlz_fail(DLVIZ_ERROR_FORMAT,
                        "it has the likeliest of its %lld classes alone; of so few, all are needed",
                        (long long)c->num_classes);
    p->values = dlz_value_numbers(get(object, "values"), "values", c->n * k, 1, 1, 256, 0);
    if (!p->values)
        return dlz_last_status();
    if (classes)
        p->classes = dlz_value_numbers(classes, "classes", c->n * k, c->class_size, 2,
                                       (uint32_t)c->num_classes, 0);
    p->k = k;
    return p->classes || !classes ? DLVIZ_OK : dlz_last_status();
}

/* How many outputs there were: of many it is not said, and all classes are taken for them. */
static dlviz_status count_outputs(const context *c, dlviz_report_run *run) {
    const dlz_report_probabilities *p = &run->probabilities;
    run->num_outputs = p->k > 0 && !p->classes ? p->k : 0;
    int64_t limit = run->num_outputs ? run->num_outputs : c->num_classes;
    for (int64_t f = 0; f < run->num_frames; f++) {
        const uint16_t *predictions = run->frames[f].predictions;
        for (int64_t i = 0; predictions && i < c->n; i++)
            if (predictions[i] >= limit)
                return dlz_fail(DLVIZ_ERROR_FORMAT,
                                "it predicts class %d, and has outputs for %lld", predictions[i],
                                (long long)limit);
        if (predictions)
            run->num_outputs = limit;
    }
    bool last = run->frames[run->num_frames - 1].predictions != NULL;
    return last == (p->k > 0) ? DLVIZ_OK
                              : dlz_fail(DLVIZ_ERROR_FORMAT, "its last frame has %s",
                                         last ? "predictions without probabilities"
                                              : "probabilities without predictions");
}

static dlviz_status parse_neighbors(const json_t *object, const context *c, dlviz_report_run *run) {
    int64_t k;
    if (!object)
        return DLVIZ_OK;
    DLZ_TRY(dlz_value_integer(get(object, "k"), "k", 1, INT32_MAX, &k));
    run->neighbors = dlz_value_numbers(get(object, "indices"), "indices", c->n * k,
                                       c->n > 65536 ? 4 : 2, 4, (uint32_t)c->n, 0);
    run->num_neighbors = k;
    return run->neighbors ? DLVIZ_OK : dlz_last_status();
}

static dlviz_status parse_attribution(const json_t *object, const context *c,
                                      dlviz_report_run *run) {
    dlz_report_attribution *a = &run->attribution;
    const json_t *points = get(object, "points");
    if (!object)
        return DLVIZ_OK;
    DLZ_TRY(dlz_value_integer(get(object, "width"), "width", 1, DLZ_REPORT_THUMBNAIL, &a->width));
    DLZ_TRY(
        dlz_value_integer(get(object, "height"), "height", 1, DLZ_REPORT_THUMBNAIL, &a->height));
    /* Four bytes each, and base64 of them tells their number. */
    int64_t length = (int64_t)json_string_length(points);
    int64_t count = length / 4 * 3 / 4;
    if (count < 1)
        return dlz_fail(DLVIZ_ERROR_FORMAT, "its attribution has no points");
    a->points = dlz_value_numbers(points, "points", count, 4, 4, (uint32_t)c->n, 0);
    if (!a->points)
        return dlz_last_status();
    a->maps =
        dlz_value_numbers(get(object, "maps"), "maps", count * a->height * a->width, 1, 1, 256, 0);
    a->count = count;
    return a->maps ? DLVIZ_OK : dlz_last_status();
}

static dlviz_status parse_run_into(const json_t *object, const context *c, dlviz_report_run *run) {
    DLZ_TRY(parse_facts(get(object, "facts"), run));
    DLZ_TRY(parse_measures(get(object, "measures"), run));
    DLZ_TRY(parse_curves(get(object, "curves"), run));
    DLZ_TRY(parse_layers(object, run));
    DLZ_TRY(parse_frames(object, c, run));
    DLZ_TRY(parse_probabilities(get(object, "probabilities"), c, run));
    DLZ_TRY(count_outputs(c, run));
    DLZ_TRY(parse_neighbors(get(object, "neighbors"), c, run));
    return parse_attribution(get(object, "attribution"), c, run);
}

static dlviz_status parse_run(const json_t *object, const context *c) {
    const char *name;
    dlviz_report_run *run;
    DLZ_TRY(dlz_value_text(get(object, "name"), "name", &name));
    if (!name[0])
        return dlz_fail(DLVIZ_ERROR_FORMAT, "the 'name' of a run is empty");
    DLZ_TRY(dlz_report_run_create(c->page, name, &run));
    dlviz_status status = parse_run_into(object, c, run);
    if (status == DLVIZ_OK)
        status = dlz_report_take_runs(c->page, 1, &run);
    if (status != DLVIZ_OK)
        dlz_report_run_destroy(run);
    return status;
}

/* -- The points ----------------------------------------------------------------------------------
 */

static dlviz_status parse_texts(const json_t *list, const char *what, dlz_report_texts *texts) {
    int64_t count = (int64_t)json_array_size(list);
    texts->items = dlz_alloc_array_zero((uint64_t)count, sizeof *texts->items);
    if (!texts->items)
        return dlz_fail_memory(what, (uint64_t)count * sizeof *texts->items);
    for (int64_t i = 0; i < count; i++) {
        const char *text;
        DLZ_TRY(dlz_value_text(json_array_get(list, (size_t)i), what, &text));
        if (!(texts->items[i] = dlz_strdup(text)))
            return dlz_fail_memory(what, strlen(text) + 1);
        texts->count = i + 1;
    }
    return DLVIZ_OK;
}

static dlviz_status parse_classes(const json_t *root, context *c) {
    const json_t *list = get(root, "classes");
    DLZ_TRY(dlz_value_array(list, "classes", 0, &c->num_classes));
    if (c->num_classes > DLZ_REPORT_MAX_CLASSES)
        return dlz_fail(DLVIZ_ERROR_FORMAT, "it has %lld classes; at most %d are possible",
                        (long long)c->num_classes, DLZ_REPORT_MAX_CLASSES);
    c->class_size = c->num_classes > DLZ_REPORT_NARROW ? 2 : 1;
    if (json_is_true(get(root, "wide")) != (c->class_size == 2))
        return dlz_fail(DLVIZ_ERROR_FORMAT, "its 'wide' does not fit its %lld classes",
                        (long long)c->num_classes);
    return parse_texts(list, "classes", &c->page->classes);
}

static dlviz_status parse_labels(const json_t *value, const context *c) {
    dlviz_report *page = c->page;
    if (!value)
        return DLVIZ_OK;
    page->labels = dlz_value_numbers(value, "labels", c->n, c->class_size, 2,
                                     (uint32_t)c->num_classes, DLZ_REPORT_NO_CLASS);
    if (!page->labels)
        return dlz_last_status();
    for (int64_t i = 0; i < c->n; i++)
        if (page->labels[i] != DLZ_REPORT_NO_CLASS)
            page->num_label_classes = dlz_max_i64(page->num_label_classes, page->labels[i] + 1);
    return DLVIZ_OK;
}

static dlviz_status parse_names(const json_t *list, const context *c) {
    int64_t count;
    if (!list)
        return DLVIZ_OK;
    DLZ_TRY(dlz_value_array(list, "names", c->n, &count));
    if (count != c->n)
        return dlz_fail(DLVIZ_ERROR_FORMAT, "it has %lld names and %lld points", (long long)count,
                        (long long)c->n);
    return parse_texts(list, "names", &c->page->names);
}

static dlviz_status parse_page(const json_t *root, dlviz_report *page) {
    context c = {.page = page, .n = page->n};
    const json_t *runs = get(root, "runs");
    int64_t count;
    DLZ_TRY(parse_classes(root, &c));
    DLZ_TRY(parse_labels(get(root, "labels"), &c));
    DLZ_TRY(parse_names(get(root, "names"), &c));
    DLZ_TRY(dlz_value_array(runs, "runs", 1, &count));
    for (int64_t r = 0; r < count; r++)
        DLZ_TRY(parse_run(json_array_get(runs, (size_t)r), &c));
    return DLVIZ_OK;
}

dlviz_status dlz_report_parse(const json_t *root, dlviz_report **page) {
    int64_t format, n;
    const char *title;
    *page = NULL;
    DLZ_TRY(dlz_value_integer(get(root, "format"), "format", 1, INT64_MAX, &format));
    if (format > DLZ_REPORT_FORMAT)
        return dlz_fail(DLVIZ_ERROR_UNSUPPORTED,
                        "its data have format %lld, and this library reads format %d",
                        (long long)format, DLZ_REPORT_FORMAT);
    DLZ_TRY(dlz_value_integer(get(root, "n"), "n", 1, INT32_MAX, &n));
    DLZ_TRY(dlz_value_text(get(root, "title"), "title", &title));
    dlviz_report *made;
    DLZ_TRY(dlviz_report_create(&made, title, n));
    dlviz_status status = parse_page(root, made);
    if (status == DLVIZ_OK)
        *page = made;
    else
        dlviz_report_destroy(made);
    return status;
}

/* -- The pictures --------------------------------------------------------------------------------
 */

static dlviz_status parse_points_of(const json_t *value, int64_t n, dlz_thumbnails *thumbnails) {
    if (!value && thumbnails->count == n)
        return DLVIZ_OK;
    thumbnails->points =
        dlz_value_numbers(value, "points", thumbnails->count, 4, 4, (uint32_t)n, 0);
    if (!thumbnails->points)
        return dlz_last_status();
    for (int64_t i = 1; i < thumbnails->count; i++)
        if (thumbnails->points[i] <= thumbnails->points[i - 1])
            return dlz_fail(DLVIZ_ERROR_FORMAT, "the points of its pictures do not ascend");
    return DLVIZ_OK;
}

/* Thumbnails one after the other, out of the picture of them all. */
static void cut(const uint8_t *picture, int64_t columns, dlz_thumbnails *to) {
    int64_t row = to->width * to->channels, line = columns * row;
    for (int64_t t = 0; t < to->count; t++)
        for (int64_t y = 0; y < to->height; y++)
            memcpy(to->pixels + (t * to->height + y) * row,
                   picture + (t / columns * to->height + y) * line + t % columns * row,
                   (size_t)row);
}

/* That of these thumbnails and no other, so that what is decoded takes no more memory than they do. */
static dlviz_status read_picture(const dlz_image_bytes *file, int64_t columns, dlz_thumbnails *to,
                                 dlz_image *picture) {
    int64_t height = dlz_ceil_div(to->count, columns) * to->height, width = columns * to->width;
    dlz_image_header header;
    if (!dlz_image_png.is(file))
        return dlz_fail(DLVIZ_ERROR_FORMAT, "'%s' is no PNG", file->name);
    DLZ_TRY(dlz_image_read_header(file, &header));
    if (header.height != height || header.width != width || header.channels != to->channels)
        return dlz_fail(DLVIZ_ERROR_FORMAT,
                        "'%s' is %lld x %lld pixels of %lld channels, and its thumbnails are "
                        "%lld x %lld of %lld",
                        file->name, (long long)header.height, (long long)header.width,
                        (long long)header.channels, (long long)height, (long long)width,
                        (long long)to->channels);
    to->coarse = header.coarse;
    return dlz_image_read_memory(file, 0, picture);
}

static dlviz_status cut_picture(const uint8_t *bytes, size_t size, int64_t columns,
                                dlz_thumbnails *to) {
    dlz_image picture;
    dlviz_status status = read_picture(
        &(dlz_image_bytes){.name = "sprite", .bytes = bytes, .size = size}, columns, to, &picture);
    if (status != DLVIZ_OK)
        return dlz_fail_within(status, "its picture");
    uint64_t each = (uint64_t)(to->height * to->width * to->channels);
    to->pixels = dlz_alloc_array((uint64_t)to->count, each);
    if (to->pixels)
        cut(picture.pixels, columns, to);
    else
        status = dlz_fail_memory("thumbnails", (uint64_t)to->count * each);
    dlz_image_release(&picture);
    return status;
}

static dlviz_status decode_picture(const char *base64, size_t length, int64_t columns,
                                   dlz_thumbnails *to) {
    size_t size = length / 4 * 3;
    size -= length >= 4 && base64[length - 1] == '=';
    size -= length >= 4 && base64[length - 2] == '=';
    uint8_t *bytes = dlz_alloc(size);
    if (!bytes)
        return dlz_fail_memory("a picture", size);
    dlviz_status status = dlz_decode_bytes(base64, length, bytes, size)
                              ? cut_picture(bytes, size, columns, to)
                              : dlz_fail(DLVIZ_ERROR_FORMAT, "its picture is not base64");
    dlz_free(bytes);
    return status;
}

dlviz_status dlz_report_parse_sprite(const json_t *root, const char *base64, size_t length,
                                     dlviz_report *page) {
    const json_t *sprite = get(root, "sprite");
    dlz_thumbnails *to = &page->thumbnails;
    int64_t columns, width, height, channels, count;
    if (!sprite)
        return DLVIZ_OK;
    DLZ_TRY(dlz_value_integer(get(sprite, "width"), "width", 1, DLZ_REPORT_THUMBNAIL, &width));
    DLZ_TRY(dlz_value_integer(get(sprite, "height"), "height", 1, DLZ_REPORT_THUMBNAIL, &height));
    DLZ_TRY(dlz_value_integer(get(sprite, "channels"), "channels", 1, 3, &channels));
    DLZ_TRY(dlz_value_integer(get(sprite, "count"), "count", 1, page->n, &count));
    DLZ_TRY(dlz_value_integer(get(sprite, "columns"), "columns", 1, count, &columns));
    *to = (dlz_thumbnails){height, width, channels, count, NULL, NULL, false};
    DLZ_TRY(parse_points_of(get(sprite, "points"), page->n, to));
    return decode_picture(base64, length, columns, to);
}
