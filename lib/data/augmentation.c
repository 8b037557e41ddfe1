/* What all augmentations share: making, checking and describing them, and lists of them. */
#include "data/augmentation.h"
#include "base/base.h"

#include <math.h>
#include <string.h>

static dlviz_status check(const dlz_part *part) {
    const dlviz_augmentation *augmentation = (const dlviz_augmentation *)part;
    return augmentation->type->check ? augmentation->type->check(augmentation) : DLVIZ_OK;
}

const dlz_noun dlz_augmentation_noun = {"augmentation", "dataset", "dlviz_dataset_add_augmentation",
                                        check};

dlviz_augmentation *dlz_augmentation_create(const dlz_augmentation_type *type) {
    dlviz_augmentation *augmentation = dlz_alloc_zero(type->size);
    if (!augmentation) {
        dlz_fail_memory(type->name, type->size);
        return NULL;
    }
    augmentation->part = (dlz_part){.noun = &dlz_augmentation_noun, .kind = type->name};
    augmentation->type = type;
    return augmentation;
}

void dlviz_augmentation_destroy(dlviz_augmentation *augmentation) {
    if (augmentation && !augmentation->part.owned)
        dlz_free(augmentation);
}

dlviz_augmentation *dlz_augmentation_checked(dlviz_augmentation *augmentation) {
    if (augmentation)
        dlz_part_check(&augmentation->part);
    return augmentation;
}

dlviz_status dlz_augmentation_set(const char *who, dlviz_augmentation *augmentation,
                                  const dlz_augmentation_type *type, size_t offset,
                                  const void *value, size_t size) {
    return dlz_part_set(who, &dlz_augmentation_noun, (dlz_part *)augmentation, type->name, offset,
                        value, size);
}

const char *dlviz_augmentation_name(const dlviz_augmentation *augmentation) {
    return augmentation ? augmentation->type->name : NULL;
}

/* -- For their files -----------------------------------------------------------------------------
 */

const void *dlz_augmentation_as(const dlviz_augmentation *augmentation,
                                const dlz_augmentation_type *type) {
    return augmentation && augmentation->type == type ? augmentation : NULL;
}

double dlz_augmentation_real(const dlviz_augmentation *augmentation,
                             const dlz_augmentation_type *type, size_t offset) {
    return dlz_part_real(dlz_augmentation_as(augmentation, type), offset);
}

void dlz_augmentation_reals(const dlviz_augmentation *augmentation,
                            const dlz_augmentation_type *type, size_t offset, double *first,
                            double *second) {
    if (first)
        *first = dlz_augmentation_real(augmentation, type, offset);
    if (second)
        *second = dlz_augmentation_real(augmentation, type, offset + sizeof(double));
}

dlviz_status dlz_augmentation_check_number(const char *what, double value, double least,
                                           double most) {
    if (value >= least && value <= most)
        return DLVIZ_OK;
    return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "the %s is %g; %g to %g is accepted", what, value,
                    least, most);
}

dlviz_status dlz_augmentation_check_range(const char *what, const double range[2], double least,
                                          double most) {
    if (range[0] >= least && range[1] >= range[0] && range[1] <= most)
        return DLVIZ_OK;
    return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                    "the %s is from %g to %g; ranges that go up, within %g to %g, are accepted",
                    what, range[0], range[1], least, most);
}

double dlz_random_between(dlz_random *random, double least, double most) {
    return least + (most - least) * dlz_random_double(random);
}

/* -- Lists ---------------------------------------------------------------------------------------
 */

void dlz_augmentations_init(dlz_augmentations *augmentations) {
    *augmentations = (dlz_augmentations){.label_fill = -100};
}

void dlz_augmentations_release(dlz_augmentations *augmentations) {
    for (int64_t i = 0; i < augmentations->count; i++)
        if (atomic_fetch_sub(&augmentations->list[i]->datasets, 1) == 1)
            dlz_free(augmentations->list[i]);
    dlz_free(augmentations->list);
    dlz_augmentations empty = {.fill = augmentations->fill,
                               .label_fill = augmentations->label_fill};
    *augmentations = empty;
}

dlviz_status dlz_augmentations_share(const dlz_augmentations *from, dlz_augmentations *to) {
    *to = *from;
    to->list = NULL;
    to->count = 0;
    if (from->count == 0)
        return DLVIZ_OK;
    to->list = dlz_alloc_array((uint64_t)from->count, sizeof(dlviz_augmentation *));
    if (!to->list) {
        dlz_augmentations_release(to);
        return dlz_fail_memory("augmentations", (uint64_t)from->count * sizeof(void *));
    }
    for (; to->count < from->count; to->count++) {
        to->list[to->count] = from->list[to->count];
        atomic_fetch_add(&to->list[to->count]->datasets, 1);
    }
    return DLVIZ_OK;
}

dlviz_status dlz_augmentations_add(dlz_augmentations *augmentations,
                                   dlviz_augmentation *augmentation) {
    int64_t count = augmentations->count;
    dlviz_augmentation **list =
        dlz_realloc_array(augmentations->list, (uint64_t)count + 1, sizeof *list);
    if (!list)
        return dlz_fail_memory("augmentations", ((uint64_t)count + 1) * sizeof *list);
    list[count] = augmentation;
    augmentations->list = list;
    augmentations->count++;
    augmentations->moves_pixels |= augmentation->type->map != NULL;
    augmentations->input_only |= augmentation->type->input_only;
    if (augmentation->type->share) {
        augmentations->mix = augmentation;
        augmentations->mix_index = count;
    }
    augmentation->part.owned = true;
    atomic_store(&augmentation->datasets, 1);
    return DLVIZ_OK;
}

/* -- What they are set to ------------------------------------------------------------------------
 */

/* Reals are told by their bits. */
void dlz_augmentations_tell(const dlz_augmentations *augmentations,
                            void (*take)(void *context, const char *name, int64_t number),
                            void *context) {
    int64_t number;
    for (int64_t i = 0; i < augmentations->count; i++) {
        const dlviz_augmentation *augmentation = augmentations->list[i];
        take(context, augmentation->type->name, i);
        for (const dlz_setting *setting = augmentation->type->settings; setting->name; setting++) {
            memcpy(&number, (const char *)augmentation + setting->offset, sizeof number);
            take(context, setting->name, number);
        }
    }
    memcpy(&number, &augmentations->fill, sizeof number);
    take(context, "fill", number);
    take(context, "label_fill", augmentations->label_fill);
}
