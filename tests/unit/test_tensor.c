#include "support/failing.h"
#include "support/support.h"
#include "tensor/tensor.h"

#include <math.h>
#include <pthread.h>
#include <string.h>

static const int64_t two_by_three[] = {2, 3};

START_TEST(a_new_tensor_is_zero) {
    const dlviz_dtype dtypes[] = {DLVIZ_FLOAT32, DLVIZ_UINT8, DLVIZ_INT64};
    const size_t sizes[] = {4, 1, 8};
    for (int d = 0; d < 3; d++) {
        dlviz_tensor *tensor;
        ck_ok(dlviz_tensor_create(&tensor, dtypes[d], 2, two_by_three));
        ck_assert_int_eq(dlviz_tensor_dtype(tensor), dtypes[d]);
        ck_assert_int_eq(dlviz_tensor_ndim(tensor), 2);
        ck_assert_int_eq(dlviz_tensor_num_elements(tensor), 6);
        ck_assert_int_eq(dlviz_tensor_dims(tensor)[1], 3);
        ck_assert_int_eq(dlviz_tensor_dim(tensor, 0), 2);
        ck_assert_int_eq(dlviz_tensor_dim(tensor, -1), 3);
        ck_assert_int_eq(dlviz_tensor_dim(tensor, 2), 0);
        ck_assert_int_eq(dlviz_tensor_dim(tensor, -3), 0);
        ck_assert_uint_eq(dlviz_dtype_size(dtypes[d]), sizes[d]);
        const char *bytes = dlviz_tensor_const_data(tensor);
        ck_assert_uint_eq((uintptr_t)bytes % 64, 0);
        for (size_t i = 0; i < 6 * sizes[d]; i++)
            ck_assert_int_eq(bytes[i], 0);
        ck_assert_int_eq(dlviz_tensor_float(tensor) != NULL, d == 0);
        ck_assert_int_eq(dlviz_tensor_const_float(tensor) != NULL, d == 0);
        dlviz_tensor_destroy(tensor);
    }
    dlviz_tensor_destroy(NULL);
}
END_TEST

START_TEST(scalars_and_empty_tensors_exist) {
    dlviz_tensor *tensor;
    ck_ok(dlviz_tensor_create(&tensor, DLVIZ_INT64, 0, NULL));
    ck_assert_int_eq(dlviz_tensor_num_elements(tensor), 1);
    dlviz_tensor_destroy(tensor);
    ck_ok(dlviz_tensor_create(&tensor, DLVIZ_FLOAT32, 2, (int64_t[]){0, INT64_MAX}));
    ck_assert_int_eq(dlviz_tensor_num_elements(tensor), 0);
    ck_assert_ptr_nonnull(dlviz_tensor_data(tensor));
    dlviz_tensor_destroy(tensor);
}
END_TEST

static void *no_memory(size_t size, void *user) {
    (void)size, (void)user;
    return NULL;
}

static void no_release(void *block, void *user) {
    (void)block, (void)user;
}

START_TEST(bad_shapes_are_refused) {
    dlviz_tensor *tensor = (void *)1;
    ck_fails(dlviz_tensor_create(&tensor, (dlviz_dtype)7, 2, two_by_three),
             DLVIZ_ERROR_INVALID_ARGUMENT, "dtype 7");
    ck_assert_ptr_null(tensor);
    ck_fails(dlviz_tensor_create(&tensor, DLVIZ_FLOAT32, 9, two_by_three),
             DLVIZ_ERROR_INVALID_ARGUMENT, "9 dimensions");
    ck_fails(dlviz_tensor_create(&tensor, DLVIZ_FLOAT32, -1, two_by_three),
             DLVIZ_ERROR_INVALID_ARGUMENT, "-1 dimensions");
    ck_fails(dlviz_tensor_create(&tensor, DLVIZ_FLOAT32, 2, NULL), DLVIZ_ERROR_INVALID_ARGUMENT,
             "'dims' is NULL");
    ck_fails(dlviz_tensor_create(&tensor, DLVIZ_FLOAT32, 2, (int64_t[]){2, -3}),
             DLVIZ_ERROR_INVALID_ARGUMENT, "dimension 1 is -3");
    ck_fails(dlviz_tensor_create(NULL, DLVIZ_FLOAT32, 2, two_by_three),
             DLVIZ_ERROR_INVALID_ARGUMENT, "'out' is NULL");
    /* Products that wrap: to 0, to something small, only once the element size is counted. */
    const int64_t wraps[][2] = {{INT64_C(1) << 32, INT64_C(1) << 32},
                                {(INT64_C(1) << 32) + 1, (INT64_C(1) << 32) + 1},
                                {INT64_C(1) << 61, 1}};
    for (int i = 0; i < 3; i++)
        ck_fails(dlviz_tensor_create(&tensor, DLVIZ_INT64, 2, wraps[i]), DLVIZ_ERROR_OUT_OF_MEMORY,
                 "too large");
    if (sizeof(size_t) < 8) /* wraps to 0 bytes there */
        ck_fails(dlviz_tensor_create(&tensor, DLVIZ_FLOAT32, 2, (int64_t[]){65536, 65536}),
                 DLVIZ_ERROR_OUT_OF_MEMORY, "too large");
    ck_ok(dlviz_set_allocator(no_memory, no_release, NULL));
    ck_fails(dlviz_tensor_create(&tensor, DLVIZ_UINT8, 1, (int64_t[]){PTRDIFF_MAX - 8}),
             DLVIZ_ERROR_OUT_OF_MEMORY, "memory");
    ck_ok(dlviz_set_allocator(NULL, NULL, NULL));
}
END_TEST

static void count_release(void *data, void *user) {
    ck_assert_float_eq(*(float *)data, 1);
    ++*(int *)user;
}

START_TEST(wrapped_memory_is_released_once) {
    float data[] = {1, 2, 3, 4, 5, 6};
    int released = 0;
    dlviz_tensor *tensor, *view, *slice;
    ck_ok(
        dlviz_tensor_wrap(&tensor, DLVIZ_FLOAT32, 2, two_by_three, data, count_release, &released));
    ck_assert_ptr_eq(dlviz_tensor_data(tensor), data);
    ck_ok(dlviz_tensor_reshape(tensor, 1, (int64_t[]){6}, &view));
    ck_ok(dlviz_tensor_slice(view, 4, 2, &slice));
    dlviz_tensor_destroy(tensor);
    dlviz_tensor_destroy(view);
    ck_assert_int_eq(released, 0);
    ck_assert_float_eq(dlviz_tensor_float(slice)[1], 6);
    dlviz_tensor_destroy(slice);
    ck_assert_int_eq(released, 1);
    ck_fails(dlviz_tensor_wrap(&tensor, DLVIZ_FLOAT32, 1, (int64_t[]){1}, (char *)data + 1,
                               count_release, &released),
             DLVIZ_ERROR_INVALID_ARGUMENT, "aligned");
    ck_fails(dlviz_tensor_wrap(&tensor, DLVIZ_FLOAT32, 1, (int64_t[]){-1}, data, count_release,
                               &released),
             DLVIZ_ERROR_INVALID_ARGUMENT, "dimension 0");
    ck_assert_int_eq(released, 1);
}
END_TEST

START_TEST(reshaping_shares_and_infers) {
    const float data[] = {0, 1, 2, 3, 4, 5};
    dlviz_tensor *tensor, *view;
    ck_ok(dlviz_tensor_from_data(&tensor, DLVIZ_FLOAT32, 2, two_by_three, data));
    ck_ok(dlviz_tensor_reshape(tensor, 3, (int64_t[]){3, -1, 1}, &view));
    ck_assert_int_eq(dlviz_tensor_dim(view, 1), 2);
    dlviz_tensor_float(view)[5] = 50;
    ck_assert_float_eq(dlviz_tensor_float(tensor)[5], 50);
    dlviz_tensor_destroy(view);
    view = (void *)1;
    ck_fails(dlviz_tensor_reshape(tensor, 2, (int64_t[]){4, -1}, &view), DLVIZ_ERROR_SHAPE,
             "2 x 3 has 6 elements");
    ck_assert_ptr_null(view);
    ck_fails(dlviz_tensor_reshape(tensor, 1, (int64_t[]){5}, &view), DLVIZ_ERROR_SHAPE,
             "6 elements");
    ck_fails(dlviz_tensor_reshape(tensor, 0, NULL, &view), DLVIZ_ERROR_SHAPE, "6 elements");
    ck_fails(dlviz_tensor_reshape(tensor, 2, (int64_t[]){-1, 0}, &view), DLVIZ_ERROR_SHAPE, "6");
    ck_fails(dlviz_tensor_reshape(tensor, 3, (int64_t[]){-1, INT64_MAX, 2}, &view),
             DLVIZ_ERROR_SHAPE, "6 elements");
    ck_fails(dlviz_tensor_reshape(tensor, 2, (int64_t[]){-1, -1}, &view),
             DLVIZ_ERROR_INVALID_ARGUMENT, "one may be -1");
    ck_fails(dlviz_tensor_reshape(tensor, 9, two_by_three, &view), DLVIZ_ERROR_INVALID_ARGUMENT,
             "9 dimensions");
    ck_fails(dlviz_tensor_reshape(NULL, 2, two_by_three, &view), DLVIZ_ERROR_INVALID_ARGUMENT,
             "'tensor' is NULL");
    dlviz_tensor_destroy(tensor);
}
END_TEST

START_TEST(slices_are_checked) {
    const float data[] = {0, 1, 2, 3, 4, 5};
    dlviz_tensor *tensor, *slice, *scalar;
    ck_ok(dlviz_tensor_from_data(&tensor, DLVIZ_FLOAT32, 2, two_by_three, data));
    ck_ok(dlviz_tensor_slice(tensor, 1, 1, &slice));
    ck_assert_int_eq(dlviz_tensor_dim(slice, 0), 1);
    ck_assert_float_eq(dlviz_tensor_float(slice)[0], 3);
    dlviz_tensor_destroy(slice);
    ck_ok(dlviz_tensor_slice(tensor, 2, 0, &slice));
    ck_assert_int_eq(dlviz_tensor_num_elements(slice), 0);
    dlviz_tensor_destroy(slice);
    const int64_t bad[][2] = {{-1, 1}, {0, -1}, {0, 3}, {3, 0}, {1, 2}, {1, INT64_MAX}};
    for (int i = 0; i < 6; i++)
        ck_fails(dlviz_tensor_slice(tensor, bad[i][0], bad[i][1], &slice),
                 DLVIZ_ERROR_INVALID_ARGUMENT, "the tensor has 2");
    ck_ok(dlviz_tensor_create(&scalar, DLVIZ_UINT8, 0, NULL));
    ck_fails(dlviz_tensor_slice(scalar, 0, 1, &slice), DLVIZ_ERROR_SHAPE, "scalar");
    dlviz_tensor_destroy(scalar);
    dlviz_tensor_destroy(tensor);
}
END_TEST

START_TEST(copies_are_their_own) {
    const float data[] = {0, 1, 2, 3, 4, 5};
    dlviz_tensor *tensor, *slice, *copy;
    ck_ok(dlviz_tensor_from_data(&tensor, DLVIZ_FLOAT32, 2, two_by_three, data));
    ck_ok(dlviz_tensor_slice(tensor, 1, 1, &slice));
    ck_ok(dlviz_tensor_copy(slice, &copy));
    dlviz_tensor_float(slice)[0] = 9;
    ck_assert_float_eq(dlviz_tensor_float(copy)[0], 3);
    ck_assert_int_eq(dlviz_tensor_dim(copy, 0), 1);
    dlviz_tensor_destroy(tensor);
    dlviz_tensor_destroy(slice);
    dlviz_tensor_destroy(copy);
}
END_TEST

/* Converts one value; NULL in *out when that fails. */
static dlviz_status convert(dlviz_dtype from, const void *value, dlviz_dtype to,
                            dlviz_tensor **out) {
    dlviz_tensor *tensor;
    ck_ok(dlviz_tensor_from_data(&tensor, from, 0, NULL, value));
    dlviz_status status = dlviz_tensor_convert(tensor, to, out);
    dlviz_tensor_destroy(tensor);
    return status;
}

START_TEST(values_convert_or_do_not_fit) {
    dlviz_tensor *out;
    const float reals[] = {-0.0f, 255, 7};
    const float bad[] = {-1, 256, NAN, INFINITY, -INFINITY, 0.5f, -0.9f, 254.9f};
    const int bytes[] = {0, 255, 7};
    for (int i = 0; i < 3; i++) {
        ck_ok(convert(DLVIZ_FLOAT32, &reals[i], DLVIZ_UINT8, &out));
        ck_assert_int_eq(*(uint8_t *)dlviz_tensor_data(out), bytes[i]);
        dlviz_tensor_destroy(out);
    }
    for (int i = 0; i < 8; i++) {
        ck_fails(convert(DLVIZ_FLOAT32, &bad[i], DLVIZ_UINT8, &out), DLVIZ_ERROR_NUMERIC,
                 "element 0");
        ck_assert(i < 2 || convert(DLVIZ_FLOAT32, &bad[i], DLVIZ_INT64, &out) != DLVIZ_OK);
        ck_assert_ptr_null(out);
    }
    const float edge = -0x1p63f, beyond = 0x1p63f;
    ck_ok(convert(DLVIZ_FLOAT32, &edge, DLVIZ_INT64, &out));
    ck_assert_int_eq(*(int64_t *)dlviz_tensor_data(out), INT64_MIN);
    dlviz_tensor_destroy(out);
    ck_fails(convert(DLVIZ_FLOAT32, &beyond, DLVIZ_INT64, &out), DLVIZ_ERROR_NUMERIC, "int64");
    const int64_t whole = -7, large = 256;
    ck_ok(convert(DLVIZ_INT64, &whole, DLVIZ_FLOAT32, &out));
    ck_assert_float_eq(*dlviz_tensor_float(out), -7);
    dlviz_tensor_destroy(out);
    ck_fails(convert(DLVIZ_INT64, &whole, DLVIZ_UINT8, &out), DLVIZ_ERROR_NUMERIC, "uint8");
    ck_fails(convert(DLVIZ_INT64, &large, DLVIZ_UINT8, &out), DLVIZ_ERROR_NUMERIC, "uint8");
    const uint8_t byte = 200;
    ck_ok(convert(DLVIZ_UINT8, &byte, DLVIZ_INT64, &out));
    ck_assert_int_eq(*(int64_t *)dlviz_tensor_data(out), 200);
    dlviz_tensor_destroy(out);
    ck_ok(convert(DLVIZ_UINT8, &byte, DLVIZ_UINT8, &out));
    ck_assert_int_eq(*(uint8_t *)dlviz_tensor_data(out), 200);
    dlviz_tensor_destroy(out);
    ck_assert_int_eq(convert(DLVIZ_UINT8, &byte, (dlviz_dtype)9, &out),
                     DLVIZ_ERROR_INVALID_ARGUMENT);
}
END_TEST

/* Converts n x columns integers: base + step times a number of 0 to 40. */
static dlviz_status convert_integers(int64_t n, int64_t columns, int64_t base, int64_t stride,
                                     dlviz_tensor **out) {
    dlviz_tensor *tensor;
    ck_ok(dlviz_tensor_create(&tensor, DLVIZ_INT64, 2, (int64_t[]){n, columns}));
    for (int64_t i = 0; i < n * columns; i++)
        ((int64_t *)dlviz_tensor_data(tensor))[i] = base + stride * (i * 7 % 41);
    dlviz_status status = dlviz_tensor_convert(tensor, DLVIZ_FLOAT32, out);
    dlviz_tensor_destroy(tensor);
    return status;
}

START_TEST(integers_round_unless_rows_would_merge) {
    static const struct {
        int64_t n, base, stride;
        bool good;
    } cases[] = {{20, 0, 1, true},
                 {20, 1 << 24, 1, false}, /* odd numbers become even */
                 {20, 1 << 24, 1000, true},
                 {20, 1700000000, 1, false},
                 {20, 1700000000, 86400, true},
                 {20, -1700000000, 60, false},
                 {20, 0, 1000003, true}, /* counts of millions */
                 {20, INT64_C(1700000000000000000), 1000000000, false},
                 {3, 1700000000, 1, false},
                 {1, 1700000001, 1, true},
                 {20, 1700000001, 0, true}}; /* all the same */
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dlviz_tensor *out;
        if (cases[i].good) {
            ck_ok(convert_integers(cases[i].n, 3, cases[i].base, cases[i].stride, &out));
            for (int64_t e = 0; e < 3 * cases[i].n; e++)
                ck_assert_float_eq(dlviz_tensor_float(out)[e],
                                   (float)(cases[i].base + cases[i].stride * (e * 7 % 41)));
            dlviz_tensor_destroy(out);
        } else {
            ck_fails(convert_integers(cases[i].n, 3, cases[i].base, cases[i].stride, &out),
                     DLVIZ_ERROR_NUMERIC, "subtract an offset");
            ck_assert_ptr_null(out);
        }
    }
}
END_TEST

static void *view_and_drop(void *tensor) {
    for (int i = 0; i < 20000; i++) {
        dlviz_tensor *view;
        if (dlviz_tensor_slice(tensor, i % 2, 1, &view) != DLVIZ_OK ||
            dlviz_tensor_float(view)[0] != (float)(i % 2 * 3))
            return tensor;
        dlviz_tensor_destroy(view);
    }
    return NULL;
}

START_TEST(views_may_come_and_go_on_several_threads) {
    const float data[] = {0, 1, 2, 3, 4, 5};
    dlviz_tensor *tensor;
    ck_ok(dlviz_tensor_from_data(&tensor, DLVIZ_FLOAT32, 2, two_by_three, data));
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, view_and_drop, tensor), 0);
    for (int i = 0; i < 3; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        ck_assert_ptr_null(failed);
    }
    dlviz_tensor_destroy(tensor);
}
END_TEST

START_TEST(shapes_become_text) {
    char text[DLZ_SHAPE_TEXT_SIZE];
    ck_assert_str_eq(dlz_shape_text(text, 0, NULL), "scalar");
    ck_assert_str_eq(dlz_shape_text(text, 2, two_by_three), "2 x 3");
    int64_t longest[DLVIZ_MAX_DIMS];
    for (int i = 0; i < DLVIZ_MAX_DIMS; i++)
        longest[i] = INT64_MIN;
    dlz_shape_text(text, DLVIZ_MAX_DIMS, longest);
    ck_assert_uint_eq(strlen(text), 8 * 20 + 7 * 3);
}
END_TEST

START_TEST(matrices_are_required) {
    dlviz_tensor *tensor;
    ck_fails(dlz_require_matrix("f", "x", NULL), DLVIZ_ERROR_INVALID_ARGUMENT, "f: 'x' is NULL");
    ck_ok(dlviz_tensor_create(&tensor, DLVIZ_UINT8, 2, two_by_three));
    ck_fails(dlz_require_matrix("f", "x", tensor), DLVIZ_ERROR_SHAPE, "holds uint8");
    dlviz_tensor_destroy(tensor);
    ck_ok(dlviz_tensor_create(&tensor, DLVIZ_FLOAT32, 2, (int64_t[]){2, 0}));
    ck_fails(dlz_require_matrix("f", "x", tensor), DLVIZ_ERROR_SHAPE, "is 2 x 0");
    dlviz_tensor_destroy(tensor);
    ck_ok(dlviz_tensor_create(&tensor, DLVIZ_FLOAT32, 2, two_by_three));
    ck_ok(dlz_require_matrix("f", "x", tensor));
    dlviz_tensor_destroy(tensor);
}
END_TEST

static dlviz_status make_all_kinds(void *data) {
    dlviz_tensor *tensor = NULL, *view = NULL, *copy = NULL, *converted = NULL, *wrapped = NULL;
    dlviz_status status = dlviz_tensor_from_data(&tensor, DLVIZ_FLOAT32, 2, two_by_three, data);
    if (status == DLVIZ_OK)
        status = dlviz_tensor_slice(tensor, 0, 1, &view);
    if (status == DLVIZ_OK)
        status = dlviz_tensor_copy(view, &copy);
    if (status == DLVIZ_OK)
        status = dlviz_tensor_convert(copy, DLVIZ_INT64, &converted);
    if (status == DLVIZ_OK)
        status = dlviz_tensor_wrap(&wrapped, DLVIZ_FLOAT32, 2, two_by_three, data, NULL, NULL);
    dlviz_tensor_destroy(tensor);
    dlviz_tensor_destroy(view);
    dlviz_tensor_destroy(copy);
    dlviz_tensor_destroy(converted);
    dlviz_tensor_destroy(wrapped);
    return status;
}

START_TEST(nothing_leaks_when_memory_runs_out) {
    float data[6] = {0};
    /* Handle, data and storage of three; handle of a view; handle and storage of wrapped memory. */
    ck_assert_int_eq(fail_each_allocation(make_all_kinds, data), 12);
}
END_TEST

START_TEST(the_largest_of_each_row_is_found) {
    const float nan = (float)NAN, inf = (float)INFINITY;
    const float values[] = {1,    3,   3,   -2,  -1,  -3,  nan, 0,     -1,
                            -inf, nan, nan, nan, nan, nan, inf, 1e38f, inf};
    static const int64_t expected[] = {1, 1, 1, 0, 0, 0};
    dlviz_tensor *tensor, *places, *view;
    ck_ok(dlviz_tensor_from_data(&tensor, DLVIZ_FLOAT32, 2, (int64_t[]){6, 3}, values));
    ck_ok(dlviz_tensor_argmax(tensor, &places));
    ck_assert(dlviz_tensor_dtype(places) == DLVIZ_INT64 && dlviz_tensor_ndim(places) == 1);
    ck_assert_mem_eq(dlviz_tensor_const_data(places), expected, sizeof expected);
    dlviz_tensor_destroy(places);
    ck_ok(dlviz_tensor_reshape(tensor, 3, (int64_t[]){2, 3, 3}, &view));
    ck_ok(dlviz_tensor_argmax(view, &places));
    ck_assert(dlviz_tensor_ndim(places) == 2 && dlviz_tensor_dim(places, 1) == 3);
    ck_assert_mem_eq(dlviz_tensor_const_data(places), expected, sizeof expected);
    dlviz_tensor_destroy(places);
    dlviz_tensor_destroy(view);
    dlviz_tensor_destroy(tensor);
    ck_ok(dlviz_tensor_create(&tensor, DLVIZ_INT64, 2, (int64_t[]){2, 2}));
    ck_fails(dlviz_tensor_argmax(tensor, &places), DLVIZ_ERROR_SHAPE, "2 x 2 of int64");
    dlviz_tensor_destroy(tensor);
    ck_ok(dlviz_tensor_create(&tensor, DLVIZ_FLOAT32, 2, (int64_t[]){2, 0}));
    ck_fails(dlviz_tensor_argmax(tensor, &places), DLVIZ_ERROR_SHAPE, "2 x 0");
    ck_assert_ptr_null(places);
    dlviz_tensor_destroy(tensor);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {a_new_tensor_is_zero,
                                  scalars_and_empty_tensors_exist,
                                  bad_shapes_are_refused,
                                  wrapped_memory_is_released_once,
                                  reshaping_shares_and_infers,
                                  slices_are_checked,
                                  copies_are_their_own,
                                  values_convert_or_do_not_fit,
                                  integers_round_unless_rows_would_merge,
                                  views_may_come_and_go_on_several_threads,
                                  shapes_become_text,
                                  matrices_are_required,
                                  nothing_leaks_when_memory_runs_out,
                                  the_largest_of_each_row_is_found,
                                  NULL};
    return run_tests("tensor", tests);
}
