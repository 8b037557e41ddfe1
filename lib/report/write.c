/* The page, from its template and what the report has. */
#include "report/encode.h"
#include "report/page.h"
#include "report/report.h"
#include "report/sprite.h"

#include <dlviz/version.h>
#include <math.h>
#include <string.h>

/* -- Words of JSON -------------------------------------------------------------------------------
 */

static void put(dlz_file *file, const char *text) {
    dlz_file_write(file, text, strlen(text));
}

static void put_key(dlz_file *file, const char *key) {
    dlz_file_printf(file, ",\n\"%s\":", key);
}

static void put_integer(dlz_file *file, const char *key, int64_t value) {
    put_key(file, key);
    dlz_file_printf(file, "%lld", (long long)value);
}

/* Numbers of `size` bytes in base64, as ones of `written` bytes. */
static void put_numbers(dlz_file *file, const void *numbers, int64_t count, int size, int written) {
    put(file, "\"");
    dlz_encode_numbers(file, numbers, count, size, written);
    put(file, "\"");
}

static void put_texts(dlz_file *file, const dlz_report_texts *texts) {
    for (int64_t i = 0; i < texts->count; i++) {
        put(file, i ? "," : "[");
        dlz_encode_json(file, texts->items[i]);
    }
    put(file, texts->count ? "]" : "[]");
}

/* Bytes of a class. */
static int class_size(const dlviz_report *report) {
    return dlz_report_num_classes(report) > DLZ_REPORT_NARROW ? 2 : 1;
}

/* -- The points ----------------------------------------------------------------------------------
 */

/* Classes without a name have their numbers. */
static void put_classes(dlz_file *file, const dlviz_report *report) {
    int64_t count = dlz_report_num_classes(report);
    put_key(file, "classes");
    put(file, "[");
    for (int64_t i = 0; i < count; i++) {
        put(file, i ? "," : "");
        if (i < report->classes.count)
            dlz_encode_json(file, report->classes.items[i]);
        else
            dlz_file_printf(file, "\"%lld\"", (long long)i);
    }
    put(file, "]");
    put_key(file, "wide");
    put(file, class_size(report) == 2 ? "true" : "false");
}

static void put_points_of(dlz_file *file, const dlviz_report *report, const dlz_sprite *sprite) {
    put_key(file, "points");
    put(file, "\"");
    for (int64_t i = 0; i < sprite->count; i += DLZ_REPORT_TRIPLES) {
        uint32_t points[DLZ_REPORT_TRIPLES];
        int64_t count = dlz_min_i64(sprite->count - i, DLZ_REPORT_TRIPLES);
        for (int64_t j = 0; j < count; j++)
            points[j] = (uint32_t)dlz_thumbnail_point(&report->thumbnails, sprite->places[i + j]);
        dlz_encode_numbers(file, points, count, 4, 4);
    }
    put(file, "\"");
}

static void put_sprite(dlz_file *file, const dlviz_report *report, const dlz_sprite *sprite) {
    const dlz_thumbnails *thumbnails = &report->thumbnails;
    if (sprite->count == 0)
        return;
    put_key(file, "sprite");
    dlz_file_printf(
        file, "{\"width\":%lld,\"height\":%lld,\"columns\":%lld,\"channels\":%lld,\"count\":%lld",
        (long long)thumbnails->width, (long long)thumbnails->height, (long long)sprite->columns,
        (long long)thumbnails->channels, (long long)sprite->count);
    if (sprite->count < report->n)
        put_points_of(file, report, sprite);
    put(file, "}");
}

/* -- A run ---------------------------------------------------------------------------------------
 */

static void put_facts(dlz_file *file, const dlviz_report_run *run) {
    put_key(file, "facts");
    put(file, "[");
    for (int64_t i = 0; i < run->num_facts; i++) {
        put(file, i ? ",[" : "[");
        dlz_encode_json(file, run->facts[i][0]);
        put(file, ",");
        dlz_encode_json(file, run->facts[i][1]);
        put(file, "]");
    }
    put(file, "]");
}

static void put_measures(dlz_file *file, const dlviz_report_run *run) {
    put_key(file, "measures");
    put(file, "[");
    for (int64_t i = 0; i < run->num_measures; i++) {
        const dlz_report_measure *measure = &run->measures[i];
        put(file, i ? ",\n{\"name\":" : "{\"name\":");
        dlz_encode_json(file, measure->name);
        put(file, ",\"unit\":");
        dlz_encode_json(file, measure->unit);
        if (measure->meaning) {
            put_key(file, "meaning");
            dlz_encode_json(file, measure->meaning);
        }
        put(file, ",\"value\":");
        dlz_encode_number(file, measure->value);
        put(file, ",\"untrained\":");
        dlz_encode_number(file, measure->untrained);
        put(file, ",\"pixels\":");
        dlz_encode_number(file, measure->pixels);
        put(file, "}");
    }
    put(file, "]");
}

static void put_reals(dlz_file *file, const char *before, const double *values, int64_t count) {
    put(file, before);
    for (int64_t i = 0; i < count; i++) {
        put(file, i ? "," : "[");
        dlz_encode_number(file, values[i]);
    }
    put(file, "]");
}

static void put_curves(dlz_file *file, const dlviz_report_run *run) {
    put_key(file, "curves");
    put(file, "[");
    for (int64_t i = 0; i < run->num_curves; i++) {
        const dlz_report_curve *curve = &run->curves[i];
        put(file, i ? ",\n{\"panel\":" : "{\"panel\":");
        dlz_encode_json(file, curve->panel);
        put(file, ",\"name\":");
        dlz_encode_json(file, curve->name);
        put_reals(file, ",\"x\":", curve->x, curve->count);
        put_reals(file, ",\"y\":", curve->y, curve->count);
        put(file, "}");
    }
    put(file, "]");
}

static void put_layers(dlz_file *file, const dlviz_report_run *run) {
    if (run->layer) {
        put_key(file, "layer");
        dlz_encode_json(file, run->layer);
    }
    put_key(file, "layers");
    put(file, "[");
    for (int64_t i = 0; i < run->num_layers; i++) {
        const dlz_report_layer *layer = &run->layers[i];
        put(file, i ? ",\n{\"name\":" : "{\"name\":");
        dlz_encode_json(file, layer->name);
        put(file, ",\"type\":");
        dlz_encode_json(file, layer->type);
        put(file, ",\"output\":[");
        for (int d = 0; d < layer->ndim; d++)
            dlz_file_printf(file, "%s%lld", d ? "," : "", (long long)layer->dims[d]);
        dlz_file_printf(file, "],\"parameters\":%lld}", (long long)layer->parameters);
    }
    put(file, "]");
}

static void put_frame(dlz_file *file, const dlviz_report_run *run, const dlz_report_frame *frame) {
    const dlviz_report *report = run->report;
    double accuracy = dlz_report_accuracy(report->n, report->labels, frame);
    dlz_file_printf(file, "{\"epoch\":%lld", (long long)frame->epoch);
    if (!isnan(accuracy)) {
        put_key(file, "accuracy");
        dlz_encode_number(file, accuracy);
    }
    put_key(file, "maps");
    for (int64_t m = 0; m < run->maps.count; m++) {
        put(file, m ? "," : "[");
        put_numbers(file, frame->maps[m], 2 * report->n, 2, 2);
    }
    put(file, "]");
    put_key(file, "outside");
    for (int64_t m = 0; m < run->maps.count; m++)
        dlz_file_printf(file, "%s%lld", m ? "," : "[", (long long)frame->outside[m]);
    put(file, "]");
    if (frame->predictions) {
        put_key(file, "predictions");
        put_numbers(file, frame->predictions, report->n, 2, class_size(report));
        put_key(file, "confidence");
        put_numbers(file, frame->confidence, report->n, 1, 1);
    }
    put(file, "}");
}

static void put_frames(dlz_file *file, const dlviz_report_run *run) {
    put_key(file, "maps");
    put_texts(file, &run->maps);
    put_key(file, "frames");
    put(file, "[");
    for (int64_t f = 0; f < run->num_frames; f++) {
        put(file, f ? ",\n" : "");
        put_frame(file, run, &run->frames[f]);
    }
    put(file, "]");
}

static void put_probabilities(dlz_file *file, const dlviz_report_run *run) {
    const dlz_report_probabilities *p = &run->probabilities;
    if (p->k == 0)
        return;
    put_key(file, "probabilities");
    dlz_file_printf(file, "{\"k\":%lld,\"values\":", (long long)p->k);
    put_numbers(file, p->values, run->report->n * p->k, 1, 1);
    if (p->classes) {
        put(file, ",\"classes\":");
        put_numbers(file, p->classes, run->report->n * p->k, 2, class_size(run->report));
    }
    put(file, "}");
}

static int index_size(const dlviz_report *report) {
    return report->n > 65536 ? 4 : 2;
}

static void put_neighbors(dlz_file *file, const dlviz_report_run *run) {
    int size = index_size(run->report);
    if (run->num_neighbors == 0)
        return;
    put_key(file, "neighbors");
    dlz_file_printf(file, "{\"k\":%lld,\"wide\":%s,\"indices\":", (long long)run->num_neighbors,
                    size == 4 ? "true" : "false");
    put_numbers(file, run->neighbors, run->report->n * run->num_neighbors, 4, size);
    put(file, "}");
}

static void put_attribution(dlz_file *file, const dlviz_report_run *run) {
    const dlz_report_attribution *a = &run->attribution;
    if (a->count == 0)
        return;
    put_key(file, "attribution");
    dlz_file_printf(file, "{\"width\":%lld,\"height\":%lld,\"points\":", (long long)a->width,
                    (long long)a->height);
    put_numbers(file, a->points, a->count, 4, 4);
    put(file, ",\"maps\":");
    put_numbers(file, a->maps, a->count * a->height * a->width, 1, 1);
    put(file, "}");
}

static void put_run(dlz_file *file, const dlviz_report_run *run) {
    put(file, "{\"name\":");
    dlz_encode_json(file, run->name);
    put_facts(file, run);
    put_measures(file, run);
    put_curves(file, run);
    put_layers(file, run);
    put_frames(file, run);
    put_probabilities(file, run);
    put_neighbors(file, run);
    put_attribution(file, run);
    put(file, "}");
}

/* -- The page ------------------------------------------------------------------------------------
 */

static const char *title_of(const dlviz_report *report) {
    return report->title ? report->title : "";
}

static void put_data(dlz_file *file, const dlviz_report *report, const dlz_sprite *sprite) {
    dlz_file_printf(file, "{\"format\":%d,\"version\":\"%s\",\"title\":", DLZ_REPORT_FORMAT,
                    dlviz_version());
    dlz_encode_json(file, title_of(report));
    put_integer(file, "n", report->n);
    put_classes(file, report);
    if (report->labels) {
        put_key(file, "labels");
        put_numbers(file, report->labels, report->n, 2, class_size(report));
    }
    if (report->names.count > 0) {
        put_key(file, "names");
        put_texts(file, &report->names);
    }
    put_sprite(file, report, sprite);
    put_key(file, "runs");
    for (int64_t r = 0; r < report->num_runs; r++) {
        put(file, r ? ",\n" : "[");
        put_run(file, report->runs[r]);
    }
    put(file, "]}\n");
}

/* What is read where no program may run. */
static void put_words(dlz_file *file, const dlviz_report *report) {
    dlz_encode_html(file, title_of(report));
    dlz_file_printf(file, "%s%lld points.", title_of(report)[0] ? ": " : "", (long long)report->n);
    for (int64_t r = 0; r < report->num_runs; r++) {
        const dlviz_report_run *run = report->runs[r];
        char number[DLZ_NUMBER_SIZE];
        double accuracy = dlviz_report_run_accuracy(run, run->num_frames - 1);
        put(file, " ");
        dlz_encode_html(file, run->name);
        if (!isnan(accuracy))
            dlz_file_printf(file, ": %s %% right", dlz_number(number, 100 * accuracy, 4));
        put(file, ".");
    }
    put(file,
        " This page draws with JavaScript, which is turned off here. The figures that lie beside "
        "it, if the program that wrote it made some, show the maps without.");
}

static void put_page(dlz_file *file, const dlviz_report *report, const dlz_sprite *sprite) {
    for (const dlz_page_part *part = dlz_page;; part++) {
        dlz_file_write(file, part->bytes, part->size);
        switch (part->mark) {
        case DLZ_PAGE_TITLE: /* HTML wants one */
            dlz_encode_html(file, title_of(report)[0] ? title_of(report) : "Untitled");
            break;
        case DLZ_PAGE_NOSCRIPT:
            put_words(file, report);
            break;
        case DLZ_PAGE_DATA:
            put_data(file, report, sprite);
            break;
        case DLZ_PAGE_SPRITE:
            dlz_encode_bytes(file, sprite->png, sprite->size);
            break;
        case DLZ_PAGE_END:
            return;
        }
    }
}

/* -- How long it becomes, without the pictures ---------------------------------------------------
 */

static uint64_t bytes_of_run(const dlviz_report_run *run) {
    uint64_t n = (uint64_t)run->report->n, wide = (uint64_t)class_size(run->report), bytes = 4000;
    for (int64_t f = 0; f < run->num_frames; f++) {
        bytes += (uint64_t)run->maps.count * dlz_encoded_size(4 * n);
        bytes += run->frames[f].predictions ? dlz_encoded_size(wide * n) + dlz_encoded_size(n) : 0;
    }
    const dlz_report_probabilities *p = &run->probabilities;
    bytes += dlz_encoded_size(n * (uint64_t)p->k * (p->classes ? 1 + wide : 1));
    bytes += dlz_encoded_size(n * (uint64_t)run->num_neighbors * (uint64_t)index_size(run->report));
    const dlz_report_attribution *a = &run->attribution;
    bytes += dlz_encoded_size((uint64_t)(a->count * (a->height * a->width + 4)));
    for (int64_t c = 0; c < run->num_curves; c++)
        bytes += (uint64_t)run->curves[c].count * 16;
    return bytes;
}

static uint64_t bytes_of(const dlviz_report *report) {
    uint64_t bytes = 0;
    for (const dlz_page_part *part = dlz_page; part->mark != DLZ_PAGE_END; part++)
        bytes += part->size;
    for (int64_t i = 0; i < report->names.count; i++)
        bytes += strlen(report->names.items[i]) + 3;
    bytes += dlz_encoded_size((uint64_t)report->n * (uint64_t)class_size(report));
    for (int64_t r = 0; r < report->num_runs; r++)
        bytes += bytes_of_run(report->runs[r]);
    return bytes;
}

/* -- Files ---------------------------------------------------------------------------------------
 */

static dlviz_status check_whole(const char *who, const dlviz_report *report) {
    if (report->num_runs == 0)
        return dlz_fail(DLVIZ_ERROR_STATE,
                        "%s: the report has no runs; dlviz_report_add_run adds one", who);
    for (int64_t r = 0; r < report->num_runs; r++)
        if (report->runs[r]->num_frames == 0)
            return dlz_fail(DLVIZ_ERROR_STATE,
                            "%s: run '%s' has no frames; dlviz_report_run_add_frame adds one", who,
                            report->runs[r]->name);
    return DLVIZ_OK;
}

/* Ends the file. */
static dlviz_status write_page(const dlviz_report *report, const dlz_sprite *sprite,
                               dlz_file *file) {
    dlz_file_expect(file, (size_t)(bytes_of(report) + dlz_encoded_size(sprite->size)));
    put_page(file, report, sprite);
    return dlz_file_commit(file);
}

dlviz_status dlviz_report_write(const dlviz_report *report, const char *path) {
    DLZ_REQUIRE(report);
    DLZ_REQUIRE(path);
    DLZ_TRY(check_whole(__func__, report));
    dlz_file *file;
    DLZ_TRY(dlz_file_create(&file, path));
    dlz_sprite sprite;
    dlviz_status status = dlz_sprite_make(report, bytes_of(report), &sprite);
    if (status == DLVIZ_OK)
        status = write_page(report, &sprite, file);
    else
        dlz_file_discard(file);
    dlz_sprite_release(&sprite);
    return status;
}

dlviz_status dlviz_report_write_memory(const dlviz_report *report, void **bytes, size_t *size) {
    DLZ_REQUIRE_OUT(bytes);
    DLZ_REQUIRE(size);
    *size = 0;
    DLZ_REQUIRE(report);
    DLZ_TRY(check_whole(__func__, report));
    dlz_sprite sprite;
    DLZ_TRY(dlz_sprite_make(report, bytes_of(report), &sprite));
    dlz_file *file;
    dlviz_status status = dlz_file_create_memory(&file, bytes, size);
    if (status == DLVIZ_OK)
        status = write_page(report, &sprite, file);
    dlz_sprite_release(&sprite);
    return status;
}
