/* Datasets of folders of images. */
#include "base/failures.h"
#include "base/parallel.h"
#include "base/reading.h"
#include "data/dataset.h"
#include "data/image_files.h"
#include "data/image_list.h"
#include "data/image_reader.h"
#include "tensor/tensor.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

typedef struct reading reading;

/* What is done with each file, by any thread. */
typedef dlviz_status (*file_fn)(const reading *r, int64_t file, int worker);

struct reading {
    const char *who, *folder;
    dlviz_image_reader *reader;
    dlz_image_list list;
    char **reasons; /* of each file, why it is left out; NULL: it is not */
    bool *again;    /* of each, whether it has another try, when no other is read */
    bool last_try;
    dlz_image_header *headers; /* of each, upright */
    dlz_image_form form;
    dlviz_tensor *samples; /* of all, or NULL: they are not kept, and have a room for each worker */
    uint8_t *rooms;
    int workers;
    uint32_t *checks; /* of each; NULL where they are kept */
    file_fn function;
    dlz_failures failures;
};

static void release(reading *r) {
    for (int64_t i = 0; r->reasons && i < r->list.count; i++)
        dlz_free(r->reasons[i]);
    dlz_free(r->reasons);
    dlz_free(r->again);
    dlz_free(r->headers);
    dlviz_tensor_destroy(r->samples);
    dlz_free(r->rooms);
    dlz_free(r->checks);
    dlz_image_list_release(&r->list);
}

/* -- A pass over all files -----------------------------------------------------------------------
 */

/* Files are left out for what is wrong with them, as is one that takes more memory than any file may, but
 * not for what the machine or the build lacks. */
static bool is_skipped(const reading *r, dlviz_status status, bool too_large) {
    return r->reader->skips &&
           (status == DLVIZ_ERROR_FORMAT || status == DLVIZ_ERROR_IO || too_large);
}

/* What the limit refused because of other files' memory has another try, when that is free again: whether a
 * folder is read does not depend on how many threads read it, nor on which files are read together. */
static void visit(void *context, int64_t file, int worker) {
    reading *r = context;
    if (dlz_failures_before(&r->failures, file))
        return;
    dlz_reading of_file;
    dlz_reading_begin_within(
        &of_file, (dlz_reading_name){.folder = r->folder, .file = r->list.paths[file].text});
    dlviz_status status = r->function(r, file, worker);
    dlz_reading_end(&of_file);
    bool refused = status == DLVIZ_ERROR_OUT_OF_MEMORY && atomic_load(&of_file.refused) > 0;
    bool by_others = refused && atomic_load(&of_file.by_outer);
    if (by_others && !r->last_try) {
        r->again[file] = true;
        return;
    }
    if (is_skipped(r, status, refused && !by_others)) {
        r->reasons[file] = dlz_strdup(dlviz_last_error());
        status = r->reasons[file] ? DLVIZ_OK : dlz_fail_memory("a reason", DLZ_SENTENCE_SIZE);
    }
    dlz_failures_note(&r->failures, file, status);
}

/* Moves what there is of a file to the place of one that was left out. */
static void move(reading *r, int64_t from, int64_t to) {
    if (from == to)
        return;
    r->list.paths[to] = r->list.paths[from];
    r->list.paths[from].text = NULL;
    r->headers[to] = r->headers[from];
    if (r->checks)
        r->checks[to] = r->checks[from];
    size_t size = dlz_image_form_size(&r->form);
    if (r->samples)
        memcpy((uint8_t *)r->samples->data + (size_t)to * size,
               (const uint8_t *)r->samples->data + (size_t)from * size, size);
}

/* Takes out what was left out, and lists it. */
static dlviz_status close_ranks(reading *r) {
    dlviz_status status = DLVIZ_OK;
    int64_t kept = 0, count = r->list.count;
    for (int64_t i = 0; status == DLVIZ_OK && i < count; i++) {
        if (!r->reasons[i]) {
            move(r, i, kept++);
            continue;
        }
        dlz_fail(DLVIZ_ERROR_FORMAT, "%s", r->reasons[i]);
        status = dlz_image_reader_skip(r->reader, r->list.paths[i].text);
        dlz_free(r->reasons[i]);
        r->reasons[i] = NULL;
        dlz_free(r->list.paths[i].text);
        r->list.paths[i].text = NULL;
    }
    if (status == DLVIZ_OK)
        r->list.count = kept;
    if (status == DLVIZ_OK && kept == 0)
        status = dlz_fail_within(DLVIZ_ERROR_FORMAT,
                                 "%s: none of the images in '%s' can be read, for example", r->who,
                                 r->folder);
    return status;
}

static dlviz_status pass(reading *r, file_fn function) {
    r->function = function;
    dlz_failures_init(&r->failures);
    r->last_try = false;
    memset(r->again, 0, (size_t)r->list.count * sizeof *r->again);
    dlz_parallel_for(r->list.count, r->workers, visit, r);
    r->last_try = true;
    for (int64_t file = 0; file < r->list.count; file++)
        if (r->again[file])
            visit(r, file, 0);
    DLZ_TRY(dlz_failures_tell(&r->failures));
    return close_ranks(r);
}

/* -- What the files say of themselves ------------------------------------------------------------
 */

static dlviz_status probe(const reading *r, int64_t file, int worker) {
    (void)worker;
    dlz_image_header *header = &r->headers[file];
    DLZ_TRY(dlz_image_probe(r->folder, r->list.paths[file].text, header));
    /* What no limit will let pass is left out before all images get the first one's size. */
    uint64_t size = (uint64_t)(header->height * header->width * header->channels);
    if (!dlz_reading_charge(size))
        return dlz_fail_memory("an image", size);
    dlz_reading_discharge(size);
    if (dlz_orientation_is_transposed(header->orientation))
        *header = (dlz_image_header){
            .height = header->width, .width = header->height, .channels = header->channels};
    return DLVIZ_OK;
}

static dlviz_status find_size(const reading *r, dlz_image_form *form) {
    form->height = r->reader->height;
    form->width = r->reader->width;
    if (form->height > 0)
        return DLVIZ_OK;
    const dlz_image_header *first = &r->headers[0];
    form->height = first->height;
    form->width = first->width;
    for (int64_t i = 1; i < r->list.count; i++) {
        const dlz_image_header *other = &r->headers[i];
        if (other->height != first->height || other->width != first->width)
            return dlz_fail(DLVIZ_ERROR_SHAPE,
                            "%s: '%s' is %lld pixels wide and %lld high, and '%s' %lld and %lld; "
                            "dlviz_image_reader_set_size gives all images one size",
                            r->who, r->list.paths[0].text, (long long)first->width,
                            (long long)first->height, r->list.paths[i].text,
                            (long long)other->width, (long long)other->height);
    }
    return DLVIZ_OK;
}

static int64_t find_channels(const reading *r) {
    int64_t channels = 1;
    for (int64_t i = 0; i < r->list.count; i++)
        channels = dlz_max_i64(channels, r->headers[i].channels);
    return r->reader->num_channels ? r->reader->num_channels : channels;
}

static dlviz_status find_form(reading *r) {
    r->headers = dlz_alloc_array((uint64_t)r->list.count, sizeof *r->headers);
    r->reasons = dlz_alloc_array_zero((uint64_t)r->list.count, sizeof *r->reasons);
    r->again = dlz_alloc_array((uint64_t)r->list.count, sizeof *r->again);
    if (!r->headers || !r->reasons || !r->again)
        return dlz_fail_memory("the images of a folder",
                               (uint64_t)r->list.count * sizeof *r->headers);
    DLZ_TRY(pass(r, probe));
    r->form.channels = find_channels(r);
    r->form.fit = r->reader->fit;
    r->form.background = (int)r->reader->background;
    return find_size(r, &r->form);
}

/* -- Samples -------------------------------------------------------------------------------------
 */

static dlviz_status decode(const reading *r, int64_t file, int worker) {
    size_t size = dlz_image_form_size(&r->form);
    uint8_t *sample = r->samples ? (uint8_t *)r->samples->data + (size_t)file * size
                                 : r->rooms + (size_t)worker * size;
    DLZ_TRY(dlz_image_decode(r->folder, r->list.paths[file].text, &r->form, sample));
    if (r->checks)
        r->checks[file] = dlz_image_check(&r->form, sample);
    return DLVIZ_OK;
}

static dlviz_status make_room(reading *r) {
    int64_t count = r->list.count, limit = r->reader->memory_limit;
    uint64_t size = dlz_image_form_size(&r->form), threads = (uint64_t)r->workers;
    if (limit == 0 || (uint64_t)count * size <= (uint64_t)limit)
        return dlz_tensor_create_raw(
            &r->samples, DLVIZ_UINT8, 4,
            (int64_t[]){count, r->form.channels, r->form.height, r->form.width});
    r->rooms = dlz_alloc_array(threads, size);
    r->checks = dlz_alloc_array((uint64_t)count, sizeof *r->checks);
    return r->rooms && r->checks ? DLVIZ_OK
                                 : dlz_fail_memory("the images of a folder", threads * size);
}

/* -- The dataset ---------------------------------------------------------------------------------
 */

/* Where samples are read again, the program may be in another folder then. */
static dlviz_status copy_folder(const reading *r, char **copy) {
    char whole[PATH_MAX];
    *copy = dlz_strdup(r->checks && realpath(r->folder, whole) ? whole : r->folder);
    return *copy ? DLVIZ_OK : dlz_fail_memory("the name of a folder", strlen(r->folder) + 1);
}

static dlviz_status copy_paths(const reading *r, char ***paths) {
    const char **texts = dlz_alloc_array((uint64_t)r->list.count, sizeof *texts);
    if (!texts)
        return dlz_fail_memory("names of files", (uint64_t)r->list.count * sizeof *texts);
    for (int64_t i = 0; i < r->list.count; i++)
        texts[i] = r->list.paths[i].text;
    dlviz_status status = dlz_copy_names(r->list.count, texts, paths);
    dlz_free(texts);
    return status;
}

static dlviz_status make_files(reading *r, dlz_image_files **out) {
    dlz_image_files *files = dlz_alloc_zero(sizeof *files);
    if (!files)
        return dlz_fail_memory("the files of a dataset", sizeof *files);
    files->references = 1;
    files->count = r->list.count;
    files->form = r->form;
    dlviz_status status = copy_folder(r, &files->folder);
    if (status == DLVIZ_OK)
        status = copy_paths(r, &files->paths);
    if (status != DLVIZ_OK) {
        dlz_image_files_release(files);
        return status;
    }
    files->checks = r->checks;
    r->checks = NULL;
    *out = files;
    return DLVIZ_OK;
}

static dlviz_status make_labels(const reading *r, dlviz_tensor **labels) {
    DLZ_TRY(dlz_tensor_create_raw(labels, DLVIZ_INT64, 1, &r->list.count));
    for (int64_t i = 0; i < r->list.count; i++)
        ((int64_t *)(*labels)->data)[i] = r->list.paths[i].class;
    return DLVIZ_OK;
}

static dlviz_status set_classes(const reading *r, dlviz_dataset *dataset) {
    if (r->list.num_classes == 0)
        return DLVIZ_OK;
    dlviz_tensor *labels;
    DLZ_TRY(make_labels(r, &labels));
    dlviz_status status = dlz_dataset_set_targets(dataset, r->who, labels);
    dlviz_tensor_destroy(labels);
    DLZ_TRY(status);
    DLZ_TRY(dlviz_dataset_set_num_classes(dataset, r->list.num_classes));
    return dlviz_dataset_set_class_names(dataset, r->list.num_classes,
                                         (const char *const *)r->list.classes);
}

/* Of the samples that were left out at the end, the storage stays. */
static dlviz_status make_dataset(reading *r, dlviz_dataset **out) {
    dlz_image_files *files = NULL;
    dlviz_tensor *kept = NULL;
    dlviz_dataset *dataset = NULL;
    dlviz_status status = make_files(r, &files);
    if (status == DLVIZ_OK && r->samples)
        status = dlviz_tensor_slice(r->samples, 0, r->list.count, &kept);
    if (status == DLVIZ_OK)
        status = dlz_dataset_create_of_files(&dataset, files, kept);
    if (status == DLVIZ_OK)
        status = set_classes(r, dataset);
    dlviz_tensor_destroy(kept);
    dlz_image_files_release(files);
    if (status != DLVIZ_OK)
        dlviz_dataset_destroy(dataset);
    else
        *out = dataset;
    return status;
}

/* -- All of it -----------------------------------------------------------------------------------
 */

/* A class without an image is as one whose images cannot be read. */
static dlviz_status check_classes(const reading *r) {
    int64_t file = 0;
    for (int64_t class = 0; class < r->list.num_classes; class ++) {
        bool empty = file == r->list.count || r->list.paths[file].class != class;
        while (file < r->list.count && r->list.paths[file].class == class)
            file++;
        if (!empty)
            continue;
        const char *name = r->list.classes[class];
        dlviz_status status =
            dlz_fail(DLVIZ_ERROR_NOT_FOUND,
                     "%s: there is no image in the folder '%s' of '%s'; files that end in .png, "
                     ".jpg or .jpeg are looked for, and dlviz_image_reader_set_skip_unreadable "
                     "lets such a class pass",
                     r->who, name, r->folder);
        if (!r->reader->skips)
            return status;
        DLZ_TRY(dlz_image_reader_skip(r->reader, name));
    }
    return DLVIZ_OK;
}

static dlviz_status read_all(reading *r, dlviz_dataset **out) {
    DLZ_TRY(dlz_image_list_read(r->folder, &r->list));
    DLZ_TRY(check_classes(r));
    DLZ_TRY(find_form(r));
    DLZ_TRY(make_room(r));
    DLZ_TRY(pass(r, decode));
    return make_dataset(r, out);
}

static dlviz_status read_folder(dlviz_dataset **out, const char *who, const char *folder,
                                dlviz_image_reader *reader) {
    reading r = {.who = who, .folder = folder, .reader = reader, .workers = dlz_threads()};
    dlz_failure before; /* of what is skipped only the reader tells */
    dlz_failure_keep(&before);
    dlz_image_reader_forget(reader);
    dlviz_status status = read_all(&r, out);
    release(&r);
    if (status == DLVIZ_OK)
        dlz_failure_put_back(&before);
    return status;
}

dlviz_status dlviz_dataset_read_folder(dlviz_dataset **out, const char *folder,
                                       dlviz_image_reader *reader) {
    DLZ_READING(folder);
    DLZ_REQUIRE_OUT(out);
    DLZ_REQUIRE(folder);
    if (reader) {
        DLZ_HOLD_ALONE(&reader->busy, "image reader");
        return read_folder(out, __func__, folder, reader);
    }
    dlviz_image_reader plain;
    dlz_image_reader_init(&plain);
    return read_folder(out, __func__, folder, &plain);
}
