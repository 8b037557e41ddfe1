/* What transform needs: the t-SNE, and the PCA that new points go through first, in a file beside it. So
 * that the two are of one run, the PCA's file has a mark of the other's bytes; and so that the one is not
 * used without the other, the t-SNE's says that there is a PCA. */
#include "embed.h"
#include "../run/again.h"
#include "../run/mark.h"
#include "../run/try.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MARK "dlviz-embed.of"
#define NEEDS "dlviz-embed.needs"
enum { MARK_SIZE = 17 };

const char *pca_path(const char *path) {
    static char text[4352];
    size_t length = strlen(path);
    if (ends_with(path, ".safetensors"))
        length -= strlen(".safetensors");
    snprintf(text, sizeof text, "%.*s.pca.safetensors", (int)length, path);
    return text;
}

/* -- Saving --------------------------------------------------------------------------------------
 */

/* To a path, or in its place to memory: a safetensors file with one more entry of metadata. */
static dlviz_status add_metadata(void **bytes, size_t *size, const char *key, const char *value,
                                 const char *path) {
    dlviz_safetensors *file;
    dlviz_status status = dlviz_safetensors_open_memory(&file, *bytes, *size);
    dlviz_free(*bytes);
    *bytes = NULL;
    TRY(status);
    status = dlviz_safetensors_set_metadata(file, key, value);
    if (status == DLVIZ_OK)
        status = path ? dlviz_safetensors_save(file, path)
                      : dlviz_safetensors_save_memory(file, bytes, size);
    dlviz_safetensors_destroy(file);
    return status;
}

static dlviz_status save_pca(const dlviz_pca *pca, const char *mark, const char *path) {
    void *bytes;
    size_t size;
    TRY(dlviz_pca_save_memory(pca, &bytes, &size));
    return add_metadata(&bytes, &size, MARK, mark, path);
}

/* New points would go through what an earlier run has left. */
static dlviz_status remove_pca(const char *path) {
    if (AGAIN(unlink(path)) == 0 || errno == ENOENT)
        return DLVIZ_OK;
    return dlviz_fail(DLVIZ_ERROR_IO, "cannot remove '%s', which is of an earlier map: %s", path,
                      strerror(errno));
}

dlviz_status check_pca_path(const char *path) {
    struct stat info;
    dlviz_safetensors *file = NULL;
    if (AGAIN(stat(path, &info)) != 0)
        return is_missing(errno) || errno == ENAMETOOLONG
                   ? DLVIZ_OK
                   : dlviz_fail(DLVIZ_ERROR_IO, "cannot look at '%s': %s", path, strerror(errno));
    bool own = S_ISREG(info.st_mode) && dlviz_safetensors_open(&file, path) == DLVIZ_OK &&
               dlviz_safetensors_metadata(file, MARK);
    dlviz_safetensors_destroy(file);
    return own ? DLVIZ_OK
               : dlviz_fail(DLVIZ_ERROR_IO,
                            "'%s' lies where --save has its PCA, and 'tsne --save' has not written "
                            "it; move it away, or save under another name",
                            path);
}

dlviz_status save_model(const dlviz_tsne *tsne, const dlviz_pca *pca, const char *path) {
    void *bytes;
    size_t size;
    char mark[MARK_SIZE];
    TRY(dlviz_tsne_save_memory(tsne, &bytes, &size));
    if (pca)
        TRY(add_metadata(&bytes, &size, NEEDS, "pca", NULL));
    snprintf(mark, sizeof mark, "%016" PRIx64, mark_more(MARK_OF_NOTHING, bytes, size));
    dlviz_status status = dlviz_file_write(path, bytes, size);
    dlviz_free(bytes);
    TRY(status);
    return pca ? save_pca(pca, mark, pca_path(path)) : remove_pca(pca_path(path));
}

/* -- Opening -------------------------------------------------------------------------------------
 */

static dlviz_status mark_file(const char *path, char mark[MARK_SIZE]) {
    unsigned char some[4096];
    uint64_t hash = MARK_OF_NOTHING;
    FILE *file = fopen(path, "rb");
    if (!file)
        return dlviz_fail(DLVIZ_ERROR_IO, "cannot open '%s': %s", path, strerror(errno));
    for (size_t got; (got = fread(some, 1, sizeof some, file)) > 0;)
        hash = mark_more(hash, some, got);
    bool failed = ferror(file) != 0;
    int error = errno;
    fclose(file);
    snprintf(mark, MARK_SIZE, "%016" PRIx64, hash);
    return failed ? dlviz_fail(DLVIZ_ERROR_IO, "cannot read '%s': %s", path, strerror(error))
                  : DLVIZ_OK;
}

static dlviz_status check_mark(const char *model, const char *path) {
    char mark[MARK_SIZE];
    dlviz_safetensors *file;
    TRY(mark_file(model, mark));
    TRY(dlviz_safetensors_open(&file, path));
    const char *wanted = dlviz_safetensors_metadata(file, MARK);
    bool same = wanted && strcmp(wanted, mark) == 0;
    dlviz_safetensors_destroy(file);
    return same ? DLVIZ_OK
                : dlviz_fail(DLVIZ_ERROR_FORMAT,
                             "'%s' is of another map than '%s'; 'tsne --save' writes both anew",
                             path, model);
}

/* Whether it is to be without a PCA, of which there is none. */
static dlviz_status check_none_is_needed(const char *model, const char *path) {
    dlviz_safetensors *file;
    TRY(dlviz_safetensors_open(&file, model));
    bool needed = dlviz_safetensors_metadata(file, NEEDS) != NULL;
    dlviz_safetensors_destroy(file);
    return needed ? dlviz_fail(DLVIZ_ERROR_IO,
                               "'%s' is missing, the PCA that points of '%s' go through first; "
                               "'tsne --save' wrote both",
                               path, model)
                  : DLVIZ_OK;
}

dlviz_status open_pca(dlviz_pca **pca, const char *model) {
    const char *path = pca_path(model);
    struct stat info;
    *pca = NULL;
    if (AGAIN(stat(path, &info)) != 0)
        return errno == ENOENT || errno == ENOTDIR || errno == ENAMETOOLONG
                   ? check_none_is_needed(model, path)
                   : dlviz_fail(DLVIZ_ERROR_IO, "cannot read '%s': %s", path, strerror(errno));
    if (!S_ISREG(info.st_mode)) /* nobody has named it: a FIFO would be waited for */
        return dlviz_fail(DLVIZ_ERROR_IO, "cannot read '%s': it is no regular file", path);
    TRY(check_mark(model, path));
    return dlviz_pca_open(pca, path);
}
