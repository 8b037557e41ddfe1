/* What a run must have in common with the one that it goes on with and that the checkpoint does not
 * know: else a page would show epochs of different things as one film. */
#include "again.h"
#include "folder.h"
#include "json.h"
#include "mark.h"
#include "run.h"
#include "try.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SETTINGS "settings.json"
#define TRAINED_ON "samples to train on" /* no other program's file has this */
#define KEPT "checkpoint kept"           /* no setting that two runs must share */

enum { MOST_BYTES = 1 << 16 };

/* Tells samples apart by their number, their classes and their files' names, in order. */
static void put_samples(struct json_builder *json, const char *key, const dlviz_dataset *set) {
    uint64_t mark = MARK_OF_NOTHING;
    int64_t n = dlviz_dataset_num_samples(set);
    const dlviz_tensor *labels = dlviz_dataset_labels(set);
    char text[64];
    for (int64_t i = 0; labels && i < n; i++) {
        const char *path = dlviz_dataset_sample_path(set, i);
        mark =
            mark_more(mark, (const int64_t *)dlviz_tensor_const_data(labels) + i, sizeof(int64_t));
        mark = path ? mark_more(mark, path, strlen(path) + 1) : mark;
    }
    snprintf(text, sizeof text, "%lld of mark %016" PRIx64, (long long)n, mark);
    put_text(json, key, text);
}

/* Of what labels and names do not tell apart: the columns of a table, another file with the same
 * labels. */
static void put_mark(struct json_builder *json, const char *key, uint64_t mark) {
    char text[32];
    snprintf(text, sizeof text, "mark %016" PRIx64, mark);
    put_text(json, key, text);
}

static struct json_builder list_settings(const struct run *run) {
    const struct options *options = &run->options;
    struct json_builder json = begin_json();
    put_text(&json, "layer", run->layer);
    put_number(&json, "learning rate", options->learning_rate);
    put_text(&json, "augmentation", options->augment ? options->augment : "none");
    put_samples(&json, TRAINED_ON, run->data.train);
    put_samples(&json, "samples to validate on", run->data.validation);
    put_samples(&json, "samples to test on", run->data.test);
    put_mark(&json, "numbers of the samples", run->data.mark);
    put_bool(&json, KEPT, options->keep_checkpoint);
    return json;
}

dlviz_status write_settings(const struct run *run) {
    struct json_builder json = list_settings(run);
    dlviz_status status = write_json(&json, result_path(run->options.out, SETTINGS));
    release_json(&json);
    return status;
}

/* -- Reading -------------------------------------------------------------------------------------
 */

/* Longer ones are none: they are cut off. */
static dlviz_status read_file(const char *path, char text[MOST_BYTES], size_t *size) {
    ssize_t got = 1;
    int file = AGAIN(open(path, O_RDONLY | O_CLOEXEC));
    *size = 0;
    while (file >= 0 && got > 0 && *size < MOST_BYTES) {
        got = AGAIN(read(file, text + *size, MOST_BYTES - *size));
        *size += got > 0 ? (size_t)got : 0;
    }
    int error = errno;
    if (file >= 0)
        close(file);
    return file >= 0 && got >= 0
               ? DLVIZ_OK
               : dlviz_fail(DLVIZ_ERROR_IO, "cannot resume from '%s': %s", path, strerror(error));
}

static dlviz_status read_settings(const char *path, json_t **settings) {
    char text[MOST_BYTES];
    size_t size;
    TRY(read_file(path, text, &size));
    return parse_json(path, text, size, settings);
}

bool has_settings(const char *folder) {
    json_t *settings = NULL;
    if (read_settings(result_path(folder, SETTINGS), &settings) != DLVIZ_OK)
        return false;
    bool own = json_is_string(json_object_get(settings, TRAINED_ON));
    json_decref(settings);
    return own;
}

/* As they are written: numbers have more digits here than in the file. */
static dlviz_status compare(const char *path, const char *key, const json_t *there,
                            const json_t *here) {
    char *was = there ? json_line(there) : strdup("nothing"), *is = json_line(here);
    dlviz_status status = DLVIZ_OK;
    if (!was || !is)
        status = dlviz_fail(DLVIZ_ERROR_OUT_OF_MEMORY, "cannot resume from '%s': not enough memory",
                            path);
    else if (strcmp(was, is) != 0)
        status =
            dlviz_fail(DLVIZ_ERROR_STATE, "cannot resume from '%s': %s: %s in the file and %s here",
                       path, key, was, is);
    free(was);
    free(is);
    return status;
}

static dlviz_status compare_all(const char *path, const json_t *there,
                                const struct json_builder *here) {
    const char *key;
    json_t *value;
    if (here->failed)
        return dlviz_fail(DLVIZ_ERROR_OUT_OF_MEMORY, "cannot resume from '%s': not enough memory",
                          path);
    json_object_foreach(here->open[0], key, value) {
        if (strcmp(key, KEPT) != 0)
            TRY(compare(path, key, json_object_get(there, key), value));
    }
    return DLVIZ_OK;
}

/* Once asked for, the checkpoint is kept: also by a run that goes on and does not ask again. */
static dlviz_status keep_asking(struct run *run, bool asked) {
    if (asked == run->options.keep_checkpoint)
        return DLVIZ_OK;
    run->options.keep_checkpoint = true;
    return asked ? DLVIZ_OK : write_settings(run);
}

dlviz_status compare_settings(struct run *run) {
    const char *path = result_path(run->options.out, SETTINGS);
    json_t *there;
    TRY(read_settings(path, &there));
    struct json_builder here = list_settings(run);
    dlviz_status status = compare_all(path, there, &here);
    bool asked = json_is_true(json_object_get(there, KEPT));
    release_json(&here);
    json_decref(there);
    return status == DLVIZ_OK ? keep_asking(run, asked) : status;
}
