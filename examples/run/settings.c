/* What a run must have in common with the one that it goes on with and that the checkpoint does not
 * know: else a page would show epochs of different things as one film. */
#include "again.h"
#include "folder.h"
#include "json_text.h"
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
#define KEPT "checkpoint kept" /* no setting that two runs must share */

enum { MOST_BYTES = 1 << 16 };

/* Tells samples apart by their number, their classes and their files' names, in order. */
static void put_samples(struct json_text *json, const char *key, const dlviz_dataset *set) {
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

/* Each has a line of its own in the file. */
static void list_settings(struct json_text *json, const struct run *run) {
    const struct options *options = &run->options;
    put_open(json, NULL, '{');
    put_text(json, "layer", run->layer);
    put_number(json, "learning rate", options->learning_rate);
    put_text(json, "augmentation", options->augment ? options->augment : "none");
    put_samples(json, "samples to train on", run->data.train);
    put_samples(json, "samples to validate on", run->data.validation);
    put_samples(json, "samples to test on", run->data.test);
    put_bool(json, KEPT, options->keep_checkpoint);
    put_close(json, '{');
}

dlviz_status write_settings(const struct run *run) {
    struct json_text json = {0};
    list_settings(&json, run);
    dlviz_status status = write_json(&json, result_path(run->options.out, SETTINGS));
    release_json(&json);
    return status;
}

/* -- Reading: what a run has written itself, line by line ----------------------------------------
 */

/* With a '\0' behind it; longer ones are none. */
static dlviz_status read_file(const char *path, char text[MOST_BYTES]) {
    size_t size = 0;
    ssize_t got = 1;
    int file = AGAIN(open(path, O_RDONLY | O_CLOEXEC));
    while (file >= 0 && got > 0 && size < MOST_BYTES - 1) {
        got = AGAIN(read(file, text + size, MOST_BYTES - 1 - size));
        size += got > 0 ? (size_t)got : 0;
    }
    int error = errno;
    if (file >= 0)
        close(file);
    text[size] = '\0';
    return file >= 0 && got >= 0
               ? DLVIZ_OK
               : dlviz_fail(DLVIZ_ERROR_IO, "cannot resume from '%s': %s", path, strerror(error));
}

/* The value that a line sets, and its length; NULL where it sets none. */
static const char *value_of(const char *line, const char *key, int *length) {
    size_t key_length = strlen(key), behind = strcspn(line, "\n");
    const char *end = line + behind;
    line += strspn(line, " ");
    if (line[0] != '"' || strncmp(line + 1, key, key_length) != 0 ||
        strncmp(line + 1 + key_length, "\": ", 3) != 0)
        return NULL;
    line += key_length + 4;
    while (end > line && strchr(",\r ", end[-1]))
        end--;
    *length = (int)(end - line);
    return line;
}

static const char *find_value(const char *lines, const char *key, int *length) {
    const char *found = NULL;
    for (; lines && !found; lines = strchr(lines, '\n') ? strchr(lines, '\n') + 1 : NULL)
        found = value_of(lines, key, length);
    *length = found ? *length : 0;
    return found;
}

static bool is_value(const char *text, int length, const char *value) {
    return text && (size_t)length == strlen(value) && strncmp(text, value, (size_t)length) == 0;
}

static dlviz_status compare(const char *path, const char *there, const char *here) {
    static const char *const keys[] = {"layer",
                                       "learning rate",
                                       "augmentation",
                                       "samples to train on",
                                       "samples to validate on",
                                       "samples to test on"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        int was_length, is_length;
        const char *was = find_value(there, keys[i], &was_length);
        const char *is = find_value(here, keys[i], &is_length);
        if (was && is && was_length == is_length && strncmp(was, is, (size_t)is_length) == 0)
            continue;
        return dlviz_fail(
            DLVIZ_ERROR_STATE, "cannot resume from '%s': %s: %.*s in the file and %.*s here", path,
            keys[i], was ? was_length : 7, was ? was : "nothing", is_length, is ? is : "");
    }
    return DLVIZ_OK;
}

/* Once asked for, the checkpoint is kept: also by a run that goes on and does not ask again. */
static dlviz_status keep_asking(struct run *run, const char *there) {
    int length;
    const char *kept = find_value(there, KEPT, &length);
    bool asked = is_value(kept, length, "true");
    if (asked == run->options.keep_checkpoint)
        return DLVIZ_OK;
    run->options.keep_checkpoint = true;
    return asked ? DLVIZ_OK : write_settings(run);
}

dlviz_status compare_settings(struct run *run) {
    const char *path = result_path(run->options.out, SETTINGS);
    struct json_text json = {0};
    char there[MOST_BYTES];
    TRY(read_file(path, there));
    list_settings(&json, run);
    char *here = json_lines(&json);
    release_json(&json);
    dlviz_status status = here ? compare(path, there, here)
                               : dlviz_fail(DLVIZ_ERROR_OUT_OF_MEMORY, "no memory for settings");
    free(here);
    return status == DLVIZ_OK ? keep_asking(run, there) : status;
}
