#include "base/part.h"
#include "base/base.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

dlviz_status dlz_part_remember(dlz_part *part, dlviz_status status) {
    if (status != DLVIZ_OK && part && !part->owned && part->error == DLVIZ_OK) {
        part->error = status;
        snprintf(part->message, sizeof part->message, "%s", dlviz_last_error());
    }
    return status;
}

void dlz_part_check(dlz_part *part) {
    dlviz_status status = part->noun->check(part);
    if (status != DLVIZ_OK)
        dlz_part_remember(part, dlz_fail_within(status, "dlviz_%s", part->kind));
}

dlviz_status dlz_part_first_error(const dlz_part *part) {
    return part->error == DLVIZ_OK ? DLVIZ_OK : dlz_fail(part->error, "%s", part->message);
}

/* As for a layer: what its constructor lacked memory for, another call hands on as NULL. */
static dlviz_status fail_null(const char *who, const dlz_noun *noun) {
    if (dlz_last_status() == DLVIZ_ERROR_OUT_OF_MEMORY)
        return dlz_fail_within(DLVIZ_ERROR_OUT_OF_MEMORY, "%s: '%s'", who, noun->name);
    return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: '%s' is NULL", who, noun->name);
}

static dlviz_status require(const char *who, const dlz_noun *noun, const dlz_part *part,
                            const char *kind) {
    if (!part)
        return fail_null(who, noun);
    if (part->owned)
        return dlz_fail(DLVIZ_ERROR_STATE, "%s: the %s belongs to a %s; settings come before %s",
                        who, noun->name, part->noun->owner, part->noun->taker);
    if (strcmp(part->kind, kind) != 0)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: the %s is %s, needs %s", who, noun->name,
                        part->kind, kind);
    return DLVIZ_OK;
}

dlviz_status dlz_part_require(const char *who, const dlz_noun *noun, dlz_part *part,
                              const char *kind) {
    return dlz_part_remember(part, require(who, noun, part, kind));
}

dlviz_status dlz_part_set(const char *who, const dlz_noun *noun, dlz_part *part, const char *kind,
                          size_t offset, const void *value, size_t size) {
    DLZ_TRY(dlz_part_require(who, noun, part, kind));
    char before[2 * sizeof(double)];
    memcpy(before, (char *)part + offset, size);
    memcpy((char *)part + offset, value, size);
    dlviz_status status = noun->check(part);
    if (status == DLVIZ_OK)
        return DLVIZ_OK;
    memcpy((char *)part + offset, before, size);
    /* What was wrong before is not this call's fault. */
    DLZ_TRY(dlz_part_first_error(part));
    return dlz_part_remember(part, dlz_fail_within(status, "%s", who));
}

dlviz_status dlz_part_check_handed(const char *who, const dlz_noun *noun, const dlz_part *part) {
    if (!part)
        return fail_null(who, noun);
    DLZ_TRY(dlz_part_first_error(part));
    if (part->owned)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: the %s belongs to a %s; each needs one of its own", who, noun->name,
                        part->noun->owner);
    return DLVIZ_OK;
}

double dlz_part_real(const void *own, size_t offset) {
    double value = NAN;
    if (own)
        memcpy(&value, (const char *)own + offset, sizeof value);
    return value;
}
