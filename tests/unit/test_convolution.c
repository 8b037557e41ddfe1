#include "base/base.h"
#include "tsne/convolution.h"
#include "support/support.h"

#include <math.h>
#include <stdlib.h>

static double bell(void *context, int64_t i, int64_t j) {
    double width = *(double *)context;
    return 1 / (1 + (double)(i * i + 2 * j * j) / width);
}

static void check_variant(dlz_isa isa) {
    const int64_t sizes[][2] = {{1, 1}, {16, 16}, {17, 40}, {100, 23}, {61, 150}, {33, 257}};
    dlz_convolution convolution = {.kernel = dlz_fft_of(isa)};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        int64_t rows = sizes[s][0], columns = sizes[s][1];
        double width = 5 + (double)s;
        ck_ok(dlz_convolution_prepare(&convolution, rows, columns, 0, bell, &width));
        int64_t stride = dlz_convolution_stride(&convolution);
        ck_assert_int_ge(stride, columns);
        int64_t all = dlz_max_i64(rows, 2 * convolution.y.n);
        float *values = dlz_alloc_array_zero((size_t)(all * stride), sizeof *values);
        float *random = malloc((size_t)(rows * columns) * sizeof *random);
        float *truth = malloc((size_t)(rows * columns) * sizeof *truth);
        float *found = malloc((size_t)(rows * columns) * sizeof *found);
        fill_uniform(random, rows * columns, s);
        for (int64_t i = 0; i < rows * columns; i++)
            values[i / columns * stride + i % columns] = random[i];
        for (int64_t i = 0; i < rows * columns; i++) {
            double sum = 0;
            for (int64_t j = 0; j < rows * columns; j++)
                sum +=
                    random[j] * bell(&width, i / columns - j / columns, i % columns - j % columns);
            truth[i] = (float)sum;
        }
        ck_ok(dlz_convolution_run(&convolution, rows, columns, NULL, values));
        for (int64_t i = 0; i < rows * columns; i++)
            found[i] = values[i / columns * stride + i % columns];
        double error = relative_error(found, truth, rows * columns);
        ck_assert_msg(error < 3e-6, "%lld x %lld: off by %g", (long long)rows, (long long)columns,
                      error);
        dlz_free(values);
        free(random);
        free(truth);
        free(found);
    }
    dlz_convolution_free(&convolution);
}

START_TEST(every_variant_convolves_as_the_definition_says) {
    for (int isa = 0; isa < DLZ_ISA_COUNT; isa++)
        if (dlz_isa_available((dlz_isa)isa))
            check_variant((dlz_isa)isa);
}
END_TEST

START_TEST(splines_are_smooth_and_sum_to_one) {
    for (int order = 2; order <= 6; order++)
        for (double x = 0; x < 1; x += 0.07) {
            double sum = 0, mean = 0;
            for (int i = -order; i <= order; i++) {
                sum += dlz_bspline(order, x - i);
                mean += i * dlz_bspline(order, x - i);
            }
            ck_assert_double_eq_tol(sum, 1, 1e-14);
            ck_assert_double_eq_tol(mean, x, 1e-14);
        }
    ck_assert_double_eq_tol(dlz_bspline(6, 0), 66.0 / 120, 1e-15);
    ck_assert_double_eq_tol(dlz_bspline(6, 2), 1.0 / 120, 1e-15);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {every_variant_convolves_as_the_definition_says,
                                  splines_are_smooth_and_sum_to_one, NULL};
    return run_tests("convolution", tests);
}
