#include "data/image_files.h"
#include "base/file.h"
#include "base/reading.h"

#include <string.h>
#include <zlib.h>

enum { START = 1 << 16 /* of a file, in which headers are */ };

/* More than any image of the largest size that is accepted takes. */
#define MOST_BYTES (INT64_C(1) << 31)

dlz_image_files *dlz_image_files_hold(const dlz_image_files *files) {
    dlz_image_files *held = (dlz_image_files *)files;
    if (held)
        atomic_fetch_add(&held->references, 1);
    return held;
}

void dlz_image_files_release(dlz_image_files *files) {
    if (!files || atomic_fetch_sub(&files->references, 1) != 1)
        return;
    dlz_free(files->folder);
    dlz_free(files->paths);
    dlz_free(files->checks);
    dlz_free(files);
}

size_t dlz_image_form_size(const dlz_image_form *form) {
    return (size_t)(form->channels * form->height * form->width);
}

uint32_t dlz_image_check(const dlz_image_form *form, const uint8_t *sample) {
    return (uint32_t)crc32_z(0, sample, dlz_image_form_size(form));
}

/* -- Files ---------------------------------------------------------------------------------------
 */

/* A file's first `most` bytes, and its name for sentences. */
static dlviz_status read_start(const char *folder, const char *path, int64_t most, char **name,
                               dlz_image_bytes *start, bool *whole) {
    *start = (dlz_image_bytes){.bytes = NULL};
    *whole = true;
    *name = dlz_format("%s/%s", folder, path);
    if (!*name)
        return dlz_fail_memory("the name of a file", strlen(folder) + strlen(path) + 2);
    void *bytes;
    DLZ_TRY(dlz_file_read_start(*name, most, MOST_BYTES, &bytes, &start->size, whole));
    start->bytes = bytes;
    start->name = *name;
    return DLVIZ_OK;
}

static dlviz_status decode(const dlz_image_bytes *file, const dlz_image_form *form,
                           uint8_t *sample) {
    dlz_image image;
    DLZ_TRY(dlz_image_read_memory(file, form->background, &image));
    dlviz_status status = dlz_image_set_channels(&image, form->channels);
    if (status == DLVIZ_OK)
        status = dlz_image_fit_to(&image, form, sample);
    dlz_image_release(&image);
    return status;
}

dlviz_status dlz_image_decode(const char *folder, const char *path, const dlz_image_form *form,
                              uint8_t *sample) {
    char *name;
    dlz_image_bytes file;
    bool whole;
    dlviz_status status = read_start(folder, path, MOST_BYTES, &name, &file, &whole);
    if (status == DLVIZ_OK)
        status = decode(&file, form, sample);
    dlz_free((void *)file.bytes);
    dlz_free(name);
    return status;
}

static dlviz_status probe(const char *folder, const char *path, int64_t most,
                          dlz_image_header *header, bool *whole) {
    char *name;
    dlz_image_bytes start;
    dlviz_status status = read_start(folder, path, most, &name, &start, whole);
    if (status == DLVIZ_OK)
        status = dlz_image_read_header(&start, header);
    dlz_free((void *)start.bytes);
    dlz_free(name);
    return status;
}

dlviz_status dlz_image_probe(const char *folder, const char *path, dlz_image_header *header) {
    bool whole;
    dlviz_status status = probe(folder, path, START, header, &whole);
    if (status == DLVIZ_ERROR_FORMAT && !whole)
        status = probe(folder, path, MOST_BYTES, header, &whole);
    return status;
}

dlviz_status dlz_image_files_load(const dlz_image_files *files, int64_t row, uint8_t *sample) {
    DLZ_READING_OF(.folder = files->folder, .file = files->paths[row]);
    DLZ_TRY(dlz_image_decode(files->folder, files->paths[row], &files->form, sample));
    if (dlz_image_check(&files->form, sample) != files->checks[row])
        return dlz_fail(DLVIZ_ERROR_FORMAT,
                        "'%s/%s' is another image than when its folder was read", files->folder,
                        files->paths[row]);
    return DLVIZ_OK;
}
