#include "data/image_list.h"
#include "base/again.h"
#include "base/cancel.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

static bool is_image_name(const char *name) {
    static const char *const ends[] = {".png", ".jpg", ".jpeg"};
    size_t length = strlen(name);
    for (int i = 0; i < 3; i++) {
        size_t end = strlen(ends[i]);
        if (length > end && strcasecmp(name + length - end, ends[i]) == 0)
            return true;
    }
    return false;
}

/* -- Lists that grow -----------------------------------------------------------------------------
 */

static dlviz_status make_room(void *list, int64_t count, int64_t *room, size_t size) {
    if (count < *room)
        return DLVIZ_OK;
    void **block = list;
    int64_t wanted = *room ? *room * 2 : 64;
    void *larger = dlz_realloc_array(*block, (uint64_t)wanted, size);
    if (!larger)
        return dlz_fail_memory("the images of a folder", (uint64_t)wanted * size);
    *block = larger;
    *room = wanted;
    return DLVIZ_OK;
}

static char *join(const char *folder, const char *name) {
    return *folder ? dlz_format("%s/%s", folder, name) : dlz_strdup(name);
}

static dlviz_status add_image(dlz_image_list *list, const char *below, const char *name,
                              int64_t class) {
    if (list->count == INT32_MAX)
        return dlz_fail(DLVIZ_ERROR_UNSUPPORTED, "the folder has more than %d images", INT32_MAX);
    DLZ_TRY(make_room(&list->paths, list->count, &list->room, sizeof *list->paths));
    char *text = join(below, name);
    if (!text)
        return dlz_fail_memory("the name of an image", strlen(below) + strlen(name) + 2);
    list->paths[list->count++] =
        (dlz_image_path){.text = text, .folder = (int32_t)strlen(below), .class = (int32_t) class};
    return DLVIZ_OK;
}

static dlviz_status add_class(dlz_image_list *list, const char *name) {
    DLZ_TRY(
        make_room(&list->classes, list->num_classes, &list->classes_room, sizeof *list->classes));
    char *copy = dlz_strdup(name);
    if (!copy)
        return dlz_fail_memory("the name of a class", strlen(name) + 1);
    list->classes[list->num_classes++] = copy;
    return DLVIZ_OK;
}

void dlz_image_list_release(dlz_image_list *list) {
    for (int64_t i = 0; i < list->count; i++)
        dlz_free(list->paths[i].text);
    for (int64_t i = 0; i < list->num_classes; i++)
        dlz_free(list->classes[i]);
    dlz_free(list->paths);
    dlz_free(list->classes);
    *list = (dlz_image_list){.paths = NULL};
}

/* -- Folders -------------------------------------------------------------------------------------
 */

/* A folder that is being walked through, and those it is in. */
typedef struct place {
    const struct place *outer;
    const char *path;  /* as the system takes it */
    const char *below; /* from the class's folder's own folder on */
    dev_t device;
    ino_t number;
    int depth;
} place;

/* What is done with an entry of a folder. */
typedef dlviz_status (*visit_fn)(dlz_image_list *list, const place *at, const char *name,
                                 bool is_folder, int64_t class);

/* Links are followed. What is gone, or leads nowhere, is no folder. */
static dlviz_status find_kind(const place *at, const struct dirent *entry, bool *folder) {
    *folder = entry->d_type == DT_DIR;
    if (*folder || entry->d_type == DT_REG)
        return DLVIZ_OK;
    char *path = join(at->path, entry->d_name);
    if (!path)
        return dlz_fail_memory("the name of a file", strlen(entry->d_name));
    struct stat info;
    dlviz_status status = DLVIZ_OK;
    int result = DLZ_AGAIN(stat(path, &info));
    bool nowhere = result != 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP);
    *folder = result == 0 && S_ISDIR(info.st_mode);
    if (result != 0 && !nowhere)
        status = dlz_fail_io("cannot read", path, errno);
    dlz_free(path);
    return status;
}

static dlviz_status visit_entries(dlz_image_list *list, const place *at, DIR *entries,
                                  visit_fn visit, int64_t class) {
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(entries);
        if (!entry)
            return errno == 0 ? DLVIZ_OK : dlz_fail_io("cannot read the folder", at->path, errno);
        if (entry->d_name[0] == '.')
            continue;
        bool folder;
        DLZ_TRY(find_kind(at, entry, &folder));
        DLZ_TRY(visit(list, at, entry->d_name, folder, class));
    }
}

/* Links may lead back to a folder that they are in. */
static dlviz_status check_place(const place *at) {
    if (at->depth > DLZ_IMAGE_LIST_DEPTH)
        return dlz_fail(DLVIZ_ERROR_FORMAT, "'%s' lies %d folders deep; at most %d are accepted",
                        at->path, at->depth, DLZ_IMAGE_LIST_DEPTH);
    for (const place *outer = at->outer; outer; outer = outer->outer)
        if (outer->device == at->device && outer->number == at->number)
            return dlz_fail(DLVIZ_ERROR_FORMAT, "the folder '%s' is a link to '%s', which it is in",
                            at->path, outer->path);
    return DLVIZ_OK;
}

static dlviz_status visit_folder(dlz_image_list *list, place *at, visit_fn visit, int64_t class) {
    DLZ_NOT_CANCELLED;
    struct stat info;
    DIR *entries;
    do
        entries = opendir(at->path);
    while (!entries && errno == EINTR);
    if (!entries || DLZ_AGAIN(fstat(dirfd(entries), &info)) != 0) {
        dlviz_status status = dlz_fail_io("cannot read the folder", at->path, errno);
        if (entries)
            closedir(entries);
        return status;
    }
    at->device = info.st_dev;
    at->number = info.st_ino;
    dlviz_status status = check_place(at);
    if (status == DLVIZ_OK)
        status = visit_entries(list, at, entries, visit, class);
    closedir(entries);
    return status;
}

/* A class's folder and those in it. */
static dlviz_status visit_below(dlz_image_list *list, const place *at, const char *name,
                                bool folder, int64_t class) {
    if (!folder)
        return is_image_name(name) ? add_image(list, at->below, name, class) : DLVIZ_OK;
    char *path = join(at->path, name), *below = join(at->below, name);
    place inner = {.outer = at, .path = path, .below = below, .depth = at->depth + 1};
    dlviz_status status = path && below ? visit_folder(list, &inner, visit_below, class)
                                        : dlz_fail_memory("the name of a folder", strlen(name));
    dlz_free(path);
    dlz_free(below);
    return status;
}

/* The folder itself: its folders are classes. */
static dlviz_status visit_top(dlz_image_list *list, const place *at, const char *name, bool folder,
                              int64_t class) {
    if (folder)
        return add_class(list, name);
    return visit_below(list, at, name, false, class);
}

/* -- Order ---------------------------------------------------------------------------------------
 */

static int by_name(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The bytes of the folder, then those of the name. */
static int by_path(const void *a, const void *b) {
    const dlz_image_path *left = a, *right = b;
    size_t shorter = (size_t)dlz_min_i64(left->folder, right->folder);
    int order = memcmp(left->text, right->text, shorter);
    if (order != 0)
        return order;
    if (left->folder != right->folder)
        return left->folder < right->folder ? -1 : 1;
    return strcmp(left->text + shorter, right->text + shorter);
}

static void sort_paths(dlz_image_list *list, int64_t first) {
    if (list->count > first)
        qsort(list->paths + first, (size_t)(list->count - first), sizeof *list->paths, by_path);
}

static dlviz_status read_class(const place *top, int64_t class, dlz_image_list *list) {
    int64_t first = list->count;
    DLZ_TRY(visit_below(list, top, list->classes[class], true, class));
    sort_paths(list, first);
    return DLVIZ_OK;
}

static dlviz_status check_name(const place *top, const char *name) {
    return dlz_is_utf8(name)
               ? DLVIZ_OK
               : dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                          "in '%s', the name of a folder is not UTF-8, as the names of classes are",
                          top->path);
}

static dlviz_status read_all(place *top, dlz_image_list *list) {
    DLZ_TRY(visit_folder(list, top, visit_top, -1));
    if (list->count > 0 && list->num_classes > 0)
        return dlz_fail(DLVIZ_ERROR_FORMAT,
                        "'%s' has images, such as '%s', beside folders, such as '%s'; a folder "
                        "for each class, or images alone, are accepted",
                        top->path, list->paths[0].text, list->classes[0]);
    sort_paths(list, 0);
    if (list->num_classes > 0)
        qsort(list->classes, (size_t)list->num_classes, sizeof *list->classes, by_name);
    for (int64_t class = 0; class < list->num_classes; class ++) {
        DLZ_TRY(check_name(top, list->classes[class]));
        DLZ_TRY(read_class(top, class, list));
    }
    return list->count > 0
               ? DLVIZ_OK
               : dlz_fail(DLVIZ_ERROR_NOT_FOUND,
                          "there is no image in '%s', nor in folders in it; files that end in "
                          ".png, .jpg or .jpeg are looked for",
                          top->path);
}

dlviz_status dlz_image_list_read(const char *folder, dlz_image_list *list) {
    *list = (dlz_image_list){.paths = NULL};
    place top = {.path = folder, .below = ""};
    dlviz_status status = read_all(&top, list);
    if (status != DLVIZ_OK)
        dlz_image_list_release(list);
    return status;
}
