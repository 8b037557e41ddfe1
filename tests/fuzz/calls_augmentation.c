/* Calls of dlviz/augmentation.h. */
#include "calls.h"

#include <math.h>

typedef double (*number_getter)(const dlviz_augmentation *);
typedef void (*range_getter)(const dlviz_augmentation *, double *, double *);
typedef dlviz_status (*range_setter)(dlviz_augmentation *, double, double);

static const number_getter numbers[] = {
    dlviz_random_horizontal_flip_probability,
    dlviz_random_vertical_flip_probability,
    dlviz_random_affine_degrees,
    dlviz_random_brightness_amount,
    dlviz_random_contrast_amount,
    dlviz_random_noise_deviation,
    dlviz_random_erase_probability,
    dlviz_random_erase_fill,
    dlviz_mixup_alpha,
};
static const range_getter ranges[] = {
    dlviz_random_affine_scale, dlviz_random_affine_shear, dlviz_random_affine_translation,
    dlviz_random_erase_area,   dlviz_random_erase_aspect,
};
static const range_setter range_setters[] = {
    dlviz_random_affine_set_scale,       dlviz_random_affine_set_shear,
    dlviz_random_affine_set_translation, dlviz_random_erase_set_area,
    dlviz_random_erase_set_aspect,
};

void see_augmentation(const dlviz_augmentation *augmentation) {
    require(!augmentation == !dlviz_augmentation_name(augmentation), "a name");
    see_text(dlviz_augmentation_name(augmentation));
    for (int64_t i = 0; i < COUNT(numbers); i++)
        require(augmentation || isnan(numbers[i](augmentation)), "no number of NULL");
    for (int64_t i = 0; i < COUNT(ranges); i++) {
        double least, most;
        ranges[i](augmentation, &least, &most);
        ranges[i](augmentation, NULL, NULL);
        require(augmentation || (isnan(least) && isnan(most)), "no range of NULL");
    }
    see_number((double)dlviz_random_shift_vertical(augmentation));
    see_number((double)dlviz_random_shift_horizontal(augmentation));
    see_number((double)dlviz_random_crop_padding(augmentation));
}

static dlviz_augmentation *make_augmentation(void) {
    switch (below(11)) {
    case 0:
        return dlviz_random_shift(an_index(), an_index());
    case 1:
        return dlviz_random_crop(an_index());
    case 2:
        return dlviz_random_horizontal_flip(a_share());
    case 3:
        return dlviz_random_vertical_flip(a_share());
    case 4:
        return dlviz_random_affine(30 * a_share());
    case 5:
        return dlviz_random_brightness(a_share());
    case 6:
        return dlviz_random_contrast(a_share());
    case 7:
        return dlviz_random_noise(a_share());
    case 8:
        return dlviz_random_erase(a_share());
    case 9:
        return dlviz_mixup(a_share());
    default:
        return dlviz_mixup(a_number());
    }
}

static void add(void) {
    dlviz_dataset *dataset = a_dataset();
    int64_t before = dlviz_dataset_num_augmentations(dataset);
    dlviz_augmentation *augmentation = take_augmentation();
    dlviz_status status = CALL(dlviz_dataset_add_augmentation(dataset, augmentation));
    require(dlviz_dataset_num_augmentations(dataset) == before + (status == DLVIZ_OK), "one more");
    if (status != DLVIZ_OK)
        return;
    for (int64_t i = 0; i < COUNT(numbers); i++) {
        double number = numbers[i](augmentation);
        require(isnan(number) || fabs(number) <= 1e30, "a number that is accepted is one");
    }
    see_augmentation(augmentation);
    if (a_bool()) { /* what is owned is neither set nor added again, nor destroyed */
        require(CALL(dlviz_dataset_add_augmentation(dataset, augmentation)) != DLVIZ_OK,
                "added twice");
        require(CALL(dlviz_random_erase_set_fill(augmentation, 0)) != DLVIZ_OK,
                "set by an owner's back");
        dlviz_augmentation_destroy(augmentation);
        see_augmentation(augmentation);
    }
}

void call_augmentation(void) {
    dlviz_augmentation *augmentation;
    dlviz_dataset *dataset;
    double fill;
    augmentation = a_augmentation();
    switch (!augmentation && !one_in(8) ? 0 : below(9)) {
    case 0:
    case 1:
        augmentation = make_augmentation();
        see_augmentation(augmentation);
        keep_augmentation(augmentation);
        break;
    case 2:
        augmentation = a_augmentation();
        (void)CALL(range_setters[below(COUNT(range_setters))](augmentation, a_share(), a_share()));
        break;
    case 3:
        augmentation = a_augmentation();
        fill = a_number();
        if (CALL(dlviz_random_erase_set_fill(augmentation, fill)) == DLVIZ_OK)
            require(dlviz_random_erase_fill(augmentation) == fill, "a setting");
        break;
    case 4:
    case 5:
        add();
        break;
    case 6:
        dataset = a_dataset();
        fill = a_number();
        if (CALL(dlviz_dataset_set_fill(dataset, fill)) == DLVIZ_OK)
            require(fabs(dlviz_dataset_fill(dataset)) <= 1e30, "a fill that is a number");
        break;
    case 7: {
        dataset = a_dataset();
        int64_t label = an_int();
        if (CALL(dlviz_dataset_set_label_fill(dataset, label)) == DLVIZ_OK)
            require(dlviz_dataset_label_fill(dataset) == label, "a label");
        break;
    }
    default:
        if (one_in(3))
            drop_augmentation();
        else if (CALL(dlviz_dataset_clear_augmentations(dataset = a_dataset())) == DLVIZ_OK)
            require(dlviz_dataset_num_augmentations(dataset) == 0, "none are left");
    }
}
