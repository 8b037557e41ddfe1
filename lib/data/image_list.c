#include "data/image_list.h"
#include "base/again.h"
#include "base/arena.h"
#include "base/cancel.h"
#include "base/names.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
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
 *
 * A class is walked through twice: first its own folders, then those that links in it lead to, where there
 * are any. What was visited is not visited again: links that lead to folders with links would else double
 * the samples with each of them. The folders' own names go before those of links to them, and the names of
 * links go by the order of bytes, so that it does not depend on the file system which one samples have.
 */

typedef struct subfolder {
    char *name;
    bool is_link;
} subfolder;

/* The folders in a folder, of which names are in the arena. */
typedef struct subfolders {
    subfolder *all;
    int64_t count, room;
    dlz_arena arena;
} subfolders;

typedef struct walk {
    dlz_image_list *list;
    int64_t class;
    bool follow; /* the second time */
    bool links;  /* to folders: there are some */
    dlz_names *visited;
    dlz_arena numbers; /* of these */
} walk;

/* A folder that is being walked through, and those it is in. */
typedef struct place {
    const struct place *outer;
    const char *path;  /* as the system takes it */
    const char *below; /* from the class's folder's own folder on */
    dev_t device;
    ino_t number;
    int depth;
    bool linked; /* by a link in the class, or within what such a one leads to */
} place;

/* What is done with a file of a folder. */
typedef dlviz_status (*file_fn)(walk *w, const place *at, const char *name);

static dlviz_status add_file(walk *w, const place *at, const char *name) {
    return is_image_name(name) ? add_image(w->list, at->below, name, w->class) : DLVIZ_OK;
}

/* The first time has added it. */
static dlviz_status pass_over(walk *w, const place *at, const char *name) {
    (void)w, (void)at, (void)name;
    return DLVIZ_OK;
}

static dlviz_status add_subfolder(subfolders *inner, const char *name, bool is_link) {
    DLZ_TRY(make_room(&inner->all, inner->count, &inner->room, sizeof *inner->all));
    char *copy = dlz_arena_text(&inner->arena, name, strlen(name));
    if (!copy)
        return dlz_fail_memory("the name of a folder", strlen(name) + 1);
    inner->all[inner->count++] = (subfolder){copy, is_link};
    return DLVIZ_OK;
}

static void release_subfolders(subfolders *inner) {
    dlz_free(inner->all);
    dlz_arena_release(&inner->arena);
}

/* What is gone, or leads nowhere, is no folder. */
static dlviz_status find_kind(const place *at, const struct dirent *entry, bool *folder,
                              bool *link) {
    *folder = entry->d_type == DT_DIR;
    *link = false;
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
    if (*folder) /* some file systems do not tell the kind of an entry */
        *link = DLZ_AGAIN(lstat(path, &info)) == 0 && S_ISLNK(info.st_mode);
    dlz_free(path);
    return status;
}

static dlviz_status read_entries(walk *w, const place *at, DIR *entries, file_fn file,
                                 subfolders *inner) {
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(entries);
        if (!entry)
            return errno == 0 ? DLVIZ_OK : dlz_fail_io("cannot read the folder", at->path, errno);
        if (entry->d_name[0] == '.')
            continue;
        bool folder, link;
        DLZ_TRY(find_kind(at, entry, &folder, &link));
        DLZ_TRY(folder ? add_subfolder(inner, entry->d_name, link) : file(w, at, entry->d_name));
    }
}

/* Links may lead back to a folder that they are in. */
static dlviz_status check_loop(const place *at) {
    for (const place *outer = at->outer; outer; outer = outer->outer)
        if (outer->device == at->device && outer->number == at->number)
            return dlz_fail(DLVIZ_ERROR_FORMAT, "the folder '%s' is a link to '%s', which it is in",
                            at->path, outer->path);
    return DLVIZ_OK;
}

/* Whether the walk has been here, which it has from now on. */
static dlviz_status note_visit(walk *w, const place *at, bool *been) {
    char number[48];
    int length = snprintf(number, sizeof number, "%llx:%llx", (unsigned long long)at->device,
                          (unsigned long long)at->number);
    *been = dlz_names_find(w->visited, number) >= 0;
    if (*been)
        return DLVIZ_OK;
    const char *copy = dlz_arena_text(&w->numbers, number, (size_t)length);
    return copy && dlz_names_add(&w->visited, copy, 0)
               ? DLVIZ_OK
               : dlz_fail_memory("the folders of a class", (uint64_t)length + 1);
}

static dlviz_status check_depth(const place *at) {
    return at->depth <= DLZ_IMAGE_LIST_DEPTH
               ? DLVIZ_OK
               : dlz_fail(DLVIZ_ERROR_FORMAT, "'%s' lies %d folders deep; at most %d are accepted",
                          at->path, at->depth, DLZ_IMAGE_LIST_DEPTH);
}

/* Reads a folder's files unless it was visited, or is the class's own the second time. */
static dlviz_status visit_open(walk *w, place *at, DIR *entries, subfolders *inner) {
    struct stat info;
    bool been;
    if (DLZ_AGAIN(fstat(dirfd(entries), &info)) != 0)
        return dlz_fail_io("cannot read the folder", at->path, errno);
    at->device = info.st_dev;
    at->number = info.st_ino;
    DLZ_TRY(check_loop(at));
    DLZ_TRY(note_visit(w, at, &been));
    if (been && at->linked)
        return DLVIZ_OK;
    DLZ_TRY(check_depth(at));
    return read_entries(w, at, entries, w->follow && !at->linked ? pass_over : add_file, inner);
}

static dlviz_status list_folder(walk *w, place *at, subfolders *inner) {
    DLZ_NOT_CANCELLED;
    DIR *entries;
    do
        entries = opendir(at->path);
    while (!entries && errno == EINTR);
    if (!entries)
        return dlz_fail_io("cannot read the folder", at->path, errno);
    dlviz_status status = visit_open(w, at, entries, inner);
    closedir(entries);
    return status;
}

static int by_subfolder(const void *a, const void *b) {
    return strcmp(((const subfolder *)a)->name, ((const subfolder *)b)->name);
}

static dlviz_status visit_folder(walk *w, place *at);

static dlviz_status visit_inner(walk *w, const place *at, const subfolder *inner) {
    w->links = w->links || inner->is_link;
    if (inner->is_link && !w->follow)
        return DLVIZ_OK;
    char *path = join(at->path, inner->name), *below = join(at->below, inner->name);
    place there = {.outer = at,
                   .path = path,
                   .below = below,
                   .depth = at->depth + 1,
                   .linked = at->linked || inner->is_link};
    dlviz_status status = path && below
                              ? visit_folder(w, &there)
                              : dlz_fail_memory("the name of a folder", strlen(inner->name));
    dlz_free(path);
    dlz_free(below);
    return status;
}

static dlviz_status visit_folder(walk *w, place *at) {
    subfolders inner = {.all = NULL};
    dlviz_status status = list_folder(w, at, &inner);
    if (status == DLVIZ_OK && inner.count > 0)
        qsort(inner.all, (size_t)inner.count, sizeof *inner.all, by_subfolder);
    for (int64_t i = 0; status == DLVIZ_OK && i < inner.count; i++)
        status = visit_inner(w, at, &inner.all[i]);
    release_subfolders(&inner);
    return status;
}

/* A class's folder, which may be a link itself, and those in it. */
static dlviz_status visit_class(dlz_image_list *list, const place *top, int64_t class) {
    walk w = {.list = list, .class = class};
    const subfolder own = {list->classes[class], false};
    dlviz_status status = visit_inner(&w, top, &own);
    w.follow = true;
    if (status == DLVIZ_OK && w.links)
        status = visit_inner(&w, top, &own);
    dlz_names_free(w.visited);
    dlz_arena_release(&w.numbers);
    return status;
}

/* The folder itself: its folders are classes. */
static dlviz_status visit_top(dlz_image_list *list, place *top) {
    walk w = {.list = list, .class = -1};
    subfolders inner = {.all = NULL};
    dlviz_status status = list_folder(&w, top, &inner);
    for (int64_t i = 0; status == DLVIZ_OK && i < inner.count; i++)
        status = add_class(list, inner.all[i].name);
    release_subfolders(&inner);
    dlz_names_free(w.visited);
    dlz_arena_release(&w.numbers);
    return status;
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
    DLZ_TRY(visit_class(list, top, class));
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
    DLZ_TRY(visit_top(list, top));
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
