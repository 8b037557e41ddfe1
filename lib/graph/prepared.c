#include "graph/prepared.h"
#include "base/base.h"

static bool serves(const dlz_prepared *prepared, const dlz_op *op, size_t bytes) {
    return prepared->type == op->type && prepared->first_layer == op->first_layer &&
           prepared->last_layer == op->last_layer && prepared->form == op->form &&
           prepared->bytes == bytes;
}

static dlz_prepared *create(const dlz_op *op, size_t bytes) {
    dlz_prepared *prepared = dlz_alloc_zero(sizeof *prepared);
    char *block = prepared ? dlz_alloc_zero(bytes) : NULL;
    if (!block) {
        dlz_free(prepared);
        return NULL;
    }
    *prepared = (dlz_prepared){.type = op->type,
                               .first_layer = op->first_layer,
                               .last_layer = op->last_layer,
                               .form = op->form,
                               .bytes = bytes,
                               .block = block};
    return prepared;
}

/* With the lock held. */
static dlz_prepared *find(dlz_prepared_set *set, const dlz_op *op, size_t bytes) {
    dlz_prepared *at = set->first;
    while (at && !serves(at, op, bytes))
        at = at->next;
    if (at)
        return at;
    at = create(op, bytes);
    if (!at)
        return NULL;
    at->next = set->first;
    set->first = at;
    return at;
}

dlviz_status dlz_prepared_take(dlz_prepared **out, dlz_prepared_set *set, const dlz_op *op,
                               size_t bytes) {
    dlz_lock_take(&set->lock);
    dlz_prepared *found = find(set, op, bytes);
    if (found)
        found->references++;
    dlz_lock_give_back(&set->lock);
    *out = found;
    return found ? DLVIZ_OK : dlz_fail_memory("weights made ready to run", bytes);
}

void dlz_prepared_drop(dlz_prepared_set *set, dlz_prepared *prepared) {
    dlz_lock_take(&set->lock);
    bool last = --prepared->references == 0;
    for (dlz_prepared **at = &set->first; last && *at; at = &(*at)->next)
        if (*at == prepared) {
            *at = prepared->next;
            break;
        }
    dlz_lock_give_back(&set->lock);
    if (!last)
        return;
    dlz_free(prepared->block);
    dlz_free(prepared);
}

dlviz_status dlz_prepared_set_create(dlz_prepared_set **out) {
    dlz_prepared_set *set = dlz_alloc_zero(sizeof *set);
    if (!set || !dlz_lock_init(&set->lock)) {
        dlz_free(set);
        return dlz_fail_memory("weights made ready to run", sizeof *set);
    }
    *out = set;
    return DLVIZ_OK;
}

void dlz_prepared_set_destroy(dlz_prepared_set *set) {
    if (!set)
        return;
    dlz_lock_destroy(&set->lock);
    dlz_free(set);
}
