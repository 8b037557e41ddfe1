/* Augmentations: settings, owners, marks, and memory that there is not. What they do to samples is
 * test_augmented_samples.c's, training with them test_augmented_training.c's. */
#include "base/random.h"
#include "data/dataset.h"
#include "support/augmented.h"
#include "support/failing.h"
#include "support/memory.h"
#include "support/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define INVALID DLVIZ_ERROR_INVALID_ARGUMENT

/* -- Settings and owners -------------------------------------------------------------------------
 */

/* What it remembers is what a dataset says that is to take it. */
static void remembers(dlviz_augmentation *augmentation, const char *words) {
    dlviz_dataset *set = make_set(DLVIZ_UINT8, 2, 1, 4, 4);
    ck_fails(dlviz_dataset_add_augmentation(set, augmentation), INVALID, words);
    ck_assert_int_eq(dlviz_dataset_num_augmentations(set), 0);
    dlviz_dataset_destroy(set);
}

START_TEST(settings_are_checked) {
    remembers(dlviz_random_shift(-1, 0), "dlviz_random_shift: largest vertical shift is -1; 0 to");
    remembers(dlviz_random_shift(0, INT64_MAX), "largest horizontal shift is 9223372036854775807");
    remembers(dlviz_random_crop(-3), "dlviz_random_crop: padding is -3");
    remembers(dlviz_random_horizontal_flip(1.5), "the probability is 1.5; 0 to 1 is accepted");
    remembers(dlviz_random_vertical_flip(NAN),
              "dlviz_random_vertical_flip: the probability is nan");
    remembers(dlviz_random_affine(181), "the number of degrees is 181; 0 to 180");
    remembers(dlviz_random_erase(-0.5), "dlviz_random_erase: the probability is -0.5");
    remembers(dlviz_random_brightness(-1), "dlviz_random_brightness: the amount is -1; 0 to 1000");
    remembers(dlviz_random_contrast(INFINITY), "the amount is inf");
    remembers(dlviz_random_noise(NAN), "dlviz_random_noise: the deviation is nan");
    remembers(dlviz_mixup(0), "dlviz_mixup: the parameter alpha is 0; 0.001 to 1000 is accepted");
    remembers(dlviz_mixup(INFINITY), "inf");
    remembers(NULL, "dlviz_dataset_add_augmentation: 'augmentation' is NULL");

    dlviz_augmentation *affine = dlviz_random_affine(5);
    ck_fails(
        dlviz_random_affine_set_scale(affine, 0.5, 0.4), INVALID,
        "dlviz_random_affine_set_scale: the scale is from 0.5 to 0.4; ranges that go up, within "
        "0.001 to 1000, are accepted");
    ck_fails(dlviz_random_affine_set_shear(affine, 0, 90), INVALID, "scale is from 0.5");
    ck_assert_double_eq(dlviz_random_affine_degrees(affine), 5);
    double least, most;
    dlviz_random_affine_scale(affine, &least, &most);
    ck_assert(least == 1 && most == 1);
    remembers(affine, "the scale is from 0.5 to 0.4");
    affine = dlviz_random_affine(5);
    ck_fails(dlviz_random_affine_set_shear(affine, 90, 0), INVALID, "the vertical shear is 90");
    dlviz_augmentation_destroy(affine);
    affine = dlviz_random_affine(5);
    ck_fails(dlviz_random_affine_set_translation(affine, 0, 1.25), INVALID,
             "the horizontal translation is 1.25; 0 to 1 is accepted");
    dlviz_augmentation_destroy(affine);
    dlviz_augmentation *erase = dlviz_random_erase(1);
    ck_fails(dlviz_random_erase_set_area(erase, 0, 0.5), INVALID, "the area is from 0 to 0.5");
    remembers(erase, "the area is from 0 to 0.5");
    erase = dlviz_random_erase(1);
    ck_fails(dlviz_random_erase_set_area(erase, 0.5, 1.0001), INVALID, "the area is from 0.5 to 1");
    dlviz_augmentation_destroy(erase);
    erase = dlviz_random_erase(1);
    ck_fails(dlviz_random_erase_set_aspect(erase, 2, 1), INVALID, "the aspect is from 2 to 1");
    dlviz_augmentation_destroy(erase);
    erase = dlviz_random_erase(1);
    ck_fails(dlviz_random_erase_set_fill(erase, NAN), INVALID, "the fill is nan");
    dlviz_augmentation_destroy(erase);
    ck_fails(dlviz_random_erase_set_fill(NULL, 1), INVALID, "'augmentation' is NULL");
    erase = dlviz_random_erase(1);
    ck_fails(dlviz_random_affine_set_scale(erase, 1, 1), INVALID,
             "the augmentation is random_erase, needs random_affine");
    dlviz_augmentation_destroy(erase);
}
END_TEST

START_TEST(settings_can_be_got) {
    dlviz_augmentation *a = dlviz_random_shift(2, 3);
    ck_assert_str_eq(dlviz_augmentation_name(a), "random_shift");
    ck_assert_int_eq(dlviz_random_shift_vertical(a), 2);
    ck_assert_int_eq(dlviz_random_shift_horizontal(a), 3);
    ck_assert_int_eq(dlviz_random_crop_padding(a), 0);
    ck_assert(isnan(dlviz_mixup_alpha(a)));
    dlviz_augmentation_destroy(a);
    a = dlviz_random_affine(30);
    double x, y;
    dlviz_random_affine_shear(a, &x, &y);
    ck_assert(x == 0 && y == 0);
    ck_ok(dlviz_random_affine_set_scale(a, 0.5, 2));
    ck_ok(dlviz_random_affine_set_shear(a, 10, 20));
    ck_ok(dlviz_random_affine_set_translation(a, 0.25, 0.125));
    dlviz_random_affine_scale(a, &x, NULL);
    dlviz_random_affine_scale(a, NULL, &y);
    ck_assert(x == 0.5 && y == 2);
    dlviz_random_affine_shear(a, &x, &y);
    ck_assert(x == 10 && y == 20);
    dlviz_random_affine_translation(a, &x, &y);
    ck_assert(x == 0.25 && y == 0.125);
    dlviz_augmentation_destroy(a);
    a = dlviz_random_erase(0.5);
    dlviz_random_erase_area(a, &x, &y);
    ck_assert(x == 0.02 && y == 0.33);
    dlviz_random_erase_aspect(a, &x, &y);
    ck_assert(x == 0.3 && y == 3.3);
    ck_assert_double_eq(dlviz_random_erase_fill(a), 0);
    ck_ok(dlviz_random_erase_set_fill(a, -2));
    ck_assert_double_eq(dlviz_random_erase_fill(a), -2);
    ck_assert_double_eq(dlviz_random_erase_probability(a), 0.5);
    dlviz_random_affine_scale(a, &x, &y);
    ck_assert(isnan(x) && isnan(y));
    dlviz_augmentation_destroy(a);
    dlviz_augmentation_destroy(NULL);
    dlviz_dataset *set = make_set(DLVIZ_UINT8, 2, 1, 4, 4);
    ck_assert_double_eq(dlviz_dataset_fill(set), 0);
    ck_assert_int_eq(dlviz_dataset_label_fill(set), -100);
    ck_ok(dlviz_dataset_set_fill(set, 0.5));
    ck_ok(dlviz_dataset_set_label_fill(set, 255));
    ck_assert_double_eq(dlviz_dataset_fill(set), 0.5);
    ck_assert_int_eq(dlviz_dataset_label_fill(set), 255);
    ck_fails(dlviz_dataset_set_fill(set, INFINITY), INVALID, "the fill is inf");
    ck_fails(dlviz_dataset_set_label_fill(set, INT64_C(1) << 24), INVALID, "label 16777216");
    dlviz_dataset_destroy(set);
}
END_TEST

START_TEST(a_dataset_owns_its_augmentations) {
    watch_memory();
    dlviz_dataset *set = make_set(DLVIZ_UINT8, 6, 1, 5, 5),
                  *other = make_set(DLVIZ_UINT8, 2, 1, 4, 4);
    dlviz_augmentation *shift = dlviz_random_shift(1, 1), *affine = dlviz_random_affine(10);
    with(with(set, shift), affine);
    dlviz_augmentation_destroy(shift); /* the dataset's */
    ck_assert_int_eq(dlviz_dataset_num_augmentations(set), 2);
    ck_assert_ptr_eq(dlviz_dataset_augmentation(set, 0), shift);
    ck_assert_ptr_eq(dlviz_dataset_augmentation(set, 1), affine);
    ck_assert_ptr_null(dlviz_dataset_augmentation(set, 2));
    ck_assert_ptr_null(dlviz_dataset_augmentation(set, -1));
    ck_fails(dlviz_random_affine_set_scale(affine, 1, 2), DLVIZ_ERROR_STATE,
             "the augmentation belongs to a dataset; settings come before "
             "dlviz_dataset_add_augmentation");
    ck_fails(dlviz_dataset_add_augmentation(other, shift), INVALID,
             "the augmentation belongs to a dataset; each needs one of its own");
    ck_fails(dlviz_dataset_add_augmentation(set, shift), INVALID, "each needs one of its own");
    ck_fails(dlviz_dataset_add_augmentation(NULL, dlviz_mixup(1)), INVALID, "'dataset' is NULL");
    with(set, dlviz_mixup(1));
    ck_fails(dlviz_dataset_add_augmentation(set, dlviz_mixup(1)), INVALID,
             "the dataset has a mixup already; one is accepted");
    /* Parts have what the whole has, for as long as they like, and go their own way. */
    dlviz_dataset *part, *rest, *held;
    ck_ok(dlviz_dataset_set_fill(set, 0.25));
    ck_ok(dlviz_dataset_take(set, 1, 4, &part));
    ck_ok(dlviz_dataset_split(set, 2, 1, &rest, &held));
    ck_ok(dlviz_dataset_clear_augmentations(set));
    ck_assert_int_eq(dlviz_dataset_num_augmentations(set), 0);
    ck_assert_double_eq(dlviz_dataset_fill(set), 0.25);
    dlviz_dataset_destroy(set);
    ck_assert_int_eq(dlviz_dataset_num_augmentations(part), 3);
    ck_assert_int_eq(dlviz_dataset_num_augmentations(held), 3);
    ck_assert_double_eq(dlviz_dataset_fill(part), 0.25);
    ck_assert_int_eq(dlviz_random_shift_vertical(dlviz_dataset_augmentation(part, 0)), 1);
    with(part, dlviz_random_noise(1));
    ck_assert_int_eq(dlviz_dataset_num_augmentations(rest), 3);
    ck_ok(dlviz_dataset_clear_augmentations(part));
    with(part, dlviz_mixup(1));
    dlviz_dataset_destroy(part);
    dlviz_dataset_destroy(rest);
    dlviz_dataset_destroy(held);
    dlviz_dataset_destroy(other);
    ck_assert_int_gt(memory_watched(), 0); /* what the last dataset of all has let go is gone */
}
END_TEST

START_TEST(vectors_are_no_images) {
    dlviz_dataset *set = make_set(DLVIZ_FLOAT32, 5, 1, 0, 7);
    ck_fails(dlviz_dataset_add_augmentation(set, dlviz_random_shift(1, 1)), DLVIZ_ERROR_SHAPE,
             "random_shift is for images; the samples are vectors of 7");
    ck_fails(dlviz_dataset_add_augmentation(set, dlviz_random_affine(1)), DLVIZ_ERROR_SHAPE, "");
    ck_fails(dlviz_dataset_add_augmentation(set, dlviz_random_erase(1)), DLVIZ_ERROR_SHAPE, "");
    ck_fails(dlviz_dataset_add_augmentation(set, dlviz_random_contrast(1)), DLVIZ_ERROR_SHAPE, "");
    with(with(set, dlviz_random_noise(0.5)), dlviz_mixup(1));
    dlviz_tensor *before = plain(set), *after = augmented(set, 1, 0);
    ck_assert_int_eq(dlviz_tensor_ndim(after), 2);
    ck_assert(!same(before, after));
    dlviz_tensor_destroy(before);
    dlviz_tensor_destroy(after);
    dlviz_dataset_destroy(set);
}
END_TEST

START_TEST(bad_ranges_are_refused) {
    dlviz_dataset *set = make_set(DLVIZ_UINT8, 5, 1, 4, 4);
    dlviz_tensor *samples = (void *)1;
    ck_fails(dlviz_dataset_augmented_samples(set, 1, -1, 0, 5, &samples), INVALID, "epoch -1");
    ck_assert_ptr_null(samples);
    ck_fails(dlviz_dataset_augmented_samples(set, 1, 0, 0, 6, &samples), INVALID,
             "6 samples from 0 on");
    ck_fails(dlviz_dataset_augmented_samples(set, 1, 0, 5, 1, &samples), INVALID, "has 5");
    ck_fails(dlviz_dataset_augmented_samples(set, 1, 0, -1, 1, &samples), INVALID, "from -1");
    ck_fails(dlviz_dataset_augmented_samples(set, 1, 0, 0, 0, &samples), INVALID, "0 samples");
    ck_fails(dlviz_dataset_augmented_samples(set, 1, 0, 1, INT64_MAX, &samples), INVALID, "");
    /* Without augmentations samples are what they are. */
    dlviz_tensor *before = plain(set), *after = augmented(set, 7, INT64_MAX);
    ck_assert(same(before, after));
    dlviz_tensor_destroy(before);
    dlviz_tensor_destroy(after);
    dlviz_dataset_destroy(set);
}
END_TEST

static dlviz_status make_and_use(void *context) {
    dlviz_dataset *set = context, *part = NULL;
    dlviz_tensor *samples = NULL;
    dlviz_status status = dlviz_dataset_take(set, 0, 3, &part);
    dlviz_augmentation *(*const makers[])(double) = {dlviz_random_affine, dlviz_random_erase,
                                                     dlviz_random_noise, dlviz_mixup};
    for (int i = 0; status == DLVIZ_OK && i < 4; i++) {
        dlviz_augmentation *made = makers[i](0.5);
        status = made ? dlviz_dataset_add_augmentation(part, made) : DLVIZ_ERROR_OUT_OF_MEMORY;
    }
    if (status == DLVIZ_OK)
        status = dlviz_dataset_augmented_samples(part, 1, 0, 0, 3, &samples);
    dlviz_tensor_destroy(samples);
    dlviz_dataset_destroy(part);
    return status;
}

START_TEST(each_allocation_fails_once) {
    dlviz_dataset *set = make_set(DLVIZ_UINT8, 3, 1, 4, 4);
    with(set, dlviz_random_shift(1, 1));
    dlviz_tensor *samples = augmented(set, 1, 0); /* threads are there */
    dlviz_tensor_destroy(samples);
    ck_assert_int_gt(fail_each_allocation(make_and_use, set), 8);
    dlviz_dataset_destroy(set);
}
END_TEST

/* What is different has another mark, and settings say what. */
START_TEST(marks_tell) {
    dlviz_dataset *set = make_set(DLVIZ_UINT8, 3, 1, 4, 4);
    uint32_t marks[8] = {dlz_dataset_mark(set)};
    ck_ok(dlviz_dataset_set_fill(set, 0.5)); /* of nothing that moves */
    ck_assert(dlz_dataset_mark(set) == marks[0]);
    with(set, dlviz_random_shift(1, 2));
    marks[1] = dlz_dataset_mark(set);
    ck_ok(dlviz_dataset_set_fill(set, 0));
    marks[2] = dlz_dataset_mark(set);
    ck_ok(dlviz_dataset_set_label_fill(set, 0));
    marks[3] = dlz_dataset_mark(set);
    ck_ok(dlviz_dataset_clear_augmentations(set));
    ck_assert(dlz_dataset_mark(set) == marks[0]);
    with(set, dlviz_random_shift(2, 1));
    marks[4] = dlz_dataset_mark(set);
    with(set, dlviz_random_erase(0.5));
    marks[5] = dlz_dataset_mark(set);
    for (int i = 0; i < 6; i++)
        for (int j = 0; j < i; j++)
            ck_assert_uint_ne(marks[i], marks[j]);
    dlviz_dataset_destroy(set);
}
END_TEST

int main(void) {
    return run_tests("augmentation",
                     (const TTest *[]){settings_are_checked, settings_can_be_got,
                                       a_dataset_owns_its_augmentations, vectors_are_no_images,
                                       bad_ranges_are_refused, each_allocation_fails_once,
                                       marks_tell, NULL});
}
