/* Tensors renamed and left out by patterns of their names, before a network takes them. */
#include "base/base.h"
#include "base/pattern.h"
#include "tensor/safetensors.h"

#include <stdio.h>
#include <string.h>

enum { NAMES_SIZE = 200 };

/* The first names there are, for sentences. */
static const char *some_names(const dlviz_safetensors *contents, char text[NAMES_SIZE]) {
    enum { QUOTES = 4 };
    static const char more[] = ", …";
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < contents->count; i++) {
        const char *name = contents->entries[i].name;
        if (used + strlen(name) + QUOTES > NAMES_SIZE - sizeof more)
            return i == 0 ? "others" : strcat(text, more);
        used += (size_t)snprintf(text + used, NAMES_SIZE - used, "%s'%s'", i ? ", " : "", name);
    }
    return contents->count > 0 ? text : "none";
}

static dlviz_status none_matches(const dlviz_safetensors *contents, const char *who,
                                 const char *pattern) {
    char names[NAMES_SIZE];
    return dlz_fail(DLVIZ_ERROR_NOT_FOUND, "%s: no tensor is called '%s'; there are %s", who,
                    pattern, some_names(contents, names));
}

/* What files say about their tensors by name no longer holds. */
static void forget_names(dlviz_safetensors *contents, dlz_names *names) {
    dlz_names_free(contents->names);
    contents->names = names;
    dlz_safetensors_remove_metadata(contents, DLZ_SAFETENSORS_CHECKSUMS);
    dlz_safetensors_remove_metadata(contents, DLZ_NETWORK_KEY);
}

/* -- Renaming ------------------------------------------------------------------------------------
 */

static dlviz_status check_star(const char *what, const char *pattern) {
    const char *star = strchr(pattern, '*');
    if (!*pattern || !dlz_is_utf8(pattern) || strchr(pattern, '?') ||
        (star && strchr(star + 1, '*')))
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "dlviz_safetensors_rename: %s is '%s'; UTF-8 is accepted that is not empty "
                        "and has one '*' at most and no '?'",
                        what, pattern);
    return DLVIZ_OK;
}

/* The new name of a tensor; *renamed stays NULL where the pattern does not describe the old one. */
static dlviz_status rename_one(const char *name, const char *from, const char *to, char **renamed) {
    if (!dlz_matches(from, name))
        return DLVIZ_OK;
    const char *star = strchr(from, '*'), *place = strchr(to, '*');
    if (star) {
        size_t before = (size_t)(star - from), after = strlen(star + 1);
        *renamed = dlz_format("%.*s%.*s%s", (int)(place - to), to,
                              (int)(strlen(name) - before - after), name + before, place + 1);
    } else {
        *renamed = dlz_strdup(to);
    }
    return *renamed ? DLVIZ_OK : dlz_fail_memory("a tensor's name", strlen(name) + strlen(to));
}

/* Fills `renamed` with the new names, and the table with all that there will be. */
static dlviz_status rename_all(const dlviz_safetensors *contents, const char *from, const char *to,
                               char **renamed, dlz_names **names) {
    bool any = false;
    for (size_t i = 0; i < contents->count; i++) {
        const char *old = contents->entries[i].name;
        DLZ_TRY(rename_one(old, from, to, &renamed[i]));
        any |= renamed[i] != NULL;
        const char *name = renamed[i] ? renamed[i] : old;
        if (!*name || strcmp(name, DLZ_SAFETENSORS_METADATA) == 0)
            return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                            "dlviz_safetensors_rename: '%s' would be called '%s', which no tensor "
                            "can be",
                            old, name);
        int64_t other = dlz_names_find(*names, name);
        if (other >= 0)
            return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                            "dlviz_safetensors_rename: '%s' and '%s' would both be called '%s'",
                            contents->entries[other].name, old, name);
        if (!dlz_names_add(names, name, (int64_t)i))
            return dlz_fail_memory("the list of tensors", contents->count * sizeof name);
    }
    return any ? DLVIZ_OK : none_matches(contents, "dlviz_safetensors_rename", from);
}

dlviz_status dlviz_safetensors_rename(dlviz_safetensors *contents, const char *from,
                                      const char *to) {
    DLZ_REQUIRE(contents);
    DLZ_REQUIRE(from);
    DLZ_REQUIRE(to);
    DLZ_TRY(check_star("'from'", from));
    DLZ_TRY(check_star("'to'", to));
    if (!strchr(from, '*') != !strchr(to, '*'))
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: '%s' to '%s': either both have a '*' or none", __func__, from, to);
    char **renamed = dlz_alloc_array_zero(contents->count, sizeof *renamed);
    if (!renamed)
        return dlz_fail_memory("the names of tensors", contents->count * sizeof *renamed);
    dlz_names *names = NULL;
    dlviz_status status = rename_all(contents, from, to, renamed, &names);
    for (size_t i = 0; i < contents->count; i++)
        if (status == DLVIZ_OK && renamed[i]) {
            if (contents->entries[i].own_name)
                dlz_free(contents->entries[i].name);
            contents->entries[i].name = renamed[i];
            contents->entries[i].own_name = true;
        } else {
            dlz_free(renamed[i]);
        }
    dlz_free(renamed);
    if (status == DLVIZ_OK)
        forget_names(contents, names);
    else
        dlz_names_free(names);
    return status;
}

/* -- Leaving out ---------------------------------------------------------------------------------
 */

static dlviz_status remove_all(dlviz_safetensors *contents, const char *pattern) {
    dlz_names *names = NULL;
    size_t kept = 0;
    for (size_t i = 0; i < contents->count; i++)
        if (!dlz_matches(pattern, contents->entries[i].name) &&
            !dlz_names_add(&names, contents->entries[i].name, (int64_t)kept++)) {
            dlz_names_free(names);
            return dlz_fail_memory("the list of tensors", contents->count * sizeof pattern);
        }
    if (kept == contents->count) {
        dlz_names_free(names);
        return none_matches(contents, "dlviz_safetensors_remove", pattern);
    }
    kept = 0;
    for (size_t i = 0; i < contents->count; i++) {
        dlz_safetensors_entry *entry = &contents->entries[i];
        if (dlz_matches(pattern, entry->name)) {
            if (entry->own_name)
                dlz_free(entry->name);
            dlz_free(entry->own);
        } else {
            contents->entries[kept++] = *entry;
        }
    }
    contents->count = kept;
    forget_names(contents, names);
    return DLVIZ_OK;
}

/* The pattern may be the name of a tensor that goes. */
dlviz_status dlviz_safetensors_remove(dlviz_safetensors *contents, const char *pattern) {
    DLZ_REQUIRE(contents);
    DLZ_REQUIRE(pattern);
    char *own = dlz_strdup(pattern);
    if (!own)
        return dlz_fail_memory("the name of a tensor", strlen(pattern) + 1);
    dlviz_status status = remove_all(contents, own);
    dlz_free(own);
    return status;
}
