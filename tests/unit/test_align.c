/* Laying one map over another: by turning, mirroring and moving it, and by no more than that. */
#include "support/maps.h"

#include <math.h>
#include <string.h>

#define INVALID DLVIZ_ERROR_INVALID_ARGUMENT

/* In the plane of two axes; `mirrored` turns the first axis round. */
static dlviz_tensor *turned(const dlviz_tensor *map, int p, int q, double angle, bool mirrored,
                            double shift) {
    int64_t n = dlviz_tensor_dim(map, 0), e = dlviz_tensor_dim(map, 1);
    dlviz_tensor *to;
    ck_ok(dlviz_tensor_copy(map, &to));
    for (int64_t i = 0; i < n; i++) {
        float *row = dlviz_tensor_float(to) + i * e;
        double a = row[p], b = row[q];
        if (p != q) {
            row[p] = (float)(cos(angle) * a - sin(angle) * b);
            row[q] = (float)(sin(angle) * a + cos(angle) * b);
        }
        row[0] = mirrored ? -row[0] : row[0];
        for (int64_t c = 0; c < e; c++)
            row[c] += (float)(shift * (double)(c + 1));
    }
    return to;
}

START_TEST(what_was_turned_is_turned_back) {
    for (int64_t e = 1; e <= 3; e++)
        for (int round = 0; round < 24; round++) {
            int p = 0, q = e == 1 ? 0 : 1 + round % (int)(e - 1);
            dlviz_tensor *map = random_map(5 + 20 * round, e, (uint64_t)round);
            dlviz_tensor *other = turned(map, p, q, 0.3 * round, round % 2, round), *back;
            ck_ok(dlviz_align(other, map, &back));
            ck_assert_double_lt(distance_of(back, map), 1e-9 * (double)(1 + round * round));
            dlviz_tensor_destroy(back);
            dlviz_tensor_destroy(other);
            dlviz_tensor_destroy(map);
        }
}
END_TEST

/* Of two maps that differ: no other turning, in small steps, mirrored or not, comes nearer. */
START_TEST(no_other_turning_is_nearer) {
    for (uint64_t seed = 1; seed <= 20; seed++) {
        dlviz_tensor *map = random_map(40, 2, seed), *reference = random_map(40, 2, seed + 100);
        dlviz_tensor *aligned, *checked;
        ck_ok(dlviz_align(map, reference, &aligned));
        double least = distance_of(aligned, reference);
        for (int mirrored = 0; mirrored < 2; mirrored++) {
            dlviz_tensor *mirror = turned(aligned, 0, 1, 0, mirrored, 0);
            for (int step = 0; step < 360; step++) {
                checked = turned(mirror, 0, 1, step * 3.14159265358979 / 180, false, 0);
                /* About the reference's mean, where the aligned map's is. */
                double mean[2] = {0}, wanted[2] = {0};
                for (int i = 0; i < 80; i++) {
                    mean[i % 2] += dlviz_tensor_float(checked)[i] / 40;
                    wanted[i % 2] += dlviz_tensor_float(reference)[i] / 40;
                }
                for (int i = 0; i < 80; i++)
                    dlviz_tensor_float(checked)[i] += (float)(wanted[i % 2] - mean[i % 2]);
                ck_assert_double_ge(distance_of(checked, reference), least * (1 - 1e-5));
                dlviz_tensor_destroy(checked);
            }
            dlviz_tensor_destroy(mirror);
        }
        dlviz_tensor_destroy(aligned);
        dlviz_tensor_destroy(map);
        dlviz_tensor_destroy(reference);
    }
}
END_TEST

/* Turns what lies behind the rotation about the line: by an angle, and mirrored or not. In the plane the line itself can
 * only be mirrored about. */
static double trace_behind(int e, const double *rotation, const double *line, double angle,
                           bool mirrored) {
    double trace = 0, one[3] = {0}, other[3] = {0};
    /* Two directions, or in the plane one, across the line. */
    if (e == 2) {
        one[0] = -line[1];
        one[1] = line[0];
    } else {
        double length = hypot(line[0], line[1]);
        one[0] = -line[1] / length;
        one[1] = line[0] / length;
        other[0] = -line[2] * one[1];
        other[1] = line[2] * one[0];
        other[2] = line[0] * one[1] - line[1] * one[0];
    }
    for (int i = 0; i < e; i++) {
        double along = 0, a = 0, b = 0;
        for (int c = 0; c < e; c++) {
            along += rotation[i * e + c] * line[c];
            a += rotation[i * e + c] * one[c];
            b += rotation[i * e + c] * other[c];
        }
        double turned_a = e == 2 ? a : cos(angle) * a - sin(angle) * b;
        double turned_b = e == 2 ? 0 : sin(angle) * a + cos(angle) * b;
        turned_a = mirrored ? -turned_a : turned_a;
        trace += along * line[i] + turned_a * one[i] + turned_b * other[i];
    }
    return trace;
}

/* A reference on a line leaves it open how to turn about that line, whether or not its floats lie on it exactly. The
 * map's points are one on each axis to both sides, so that where they go to tells the rotation. */
START_TEST(a_line_turns_no_more_than_it_must) {
    for (int e = 2; e <= 3; e++)
        for (uint64_t seed = 0; seed < 200; seed++) {
            dlz_random random = dlz_random_start(seed, 11);
            dlviz_tensor *map = matrix(2 * e, e, NULL), *reference = matrix(2 * e, e, NULL);
            dlviz_tensor *aligned;
            double line[3] = {1, 1, 1}, length = 0, rotation[9], trace = 0;
            for (int c = 0; c < e; c++) {
                line[c] = seed % 2 ? dlz_random_normal(&random) : c == 0 || seed % 4 ? 1 : -1;
                length += line[c] * line[c];
            }
            for (int c = 0; c < e; c++)
                line[c] /= sqrt(length);
            for (int i = 0; i < 2 * e; i++) {
                double place = dlz_random_normal(&random);
                dlviz_tensor_float(map)[i * e + i / 2] = i % 2 ? -1.0f : 1.0f;
                for (int c = 0; c < e; c++)
                    dlviz_tensor_float(reference)[i * e + c] = (float)(place * line[c]);
            }
            ck_ok(dlviz_align(map, reference, &aligned));
            for (int i = 0; i < e * e; i++) {
                const float *to = dlviz_tensor_const_float(aligned) + i / e * 2 * e + i % e;
                rotation[i] = ((double)to[0] - (double)to[e]) / 2;
                trace += i / e == i % e ? rotation[i] : 0;
            }
            for (int step = 0; step < (e == 2 ? 1 : 90); step++)
                for (int mirrored = 0; mirrored < 2; mirrored++) {
                    double other = trace_behind(e, rotation, line, step * 0.07, mirrored);
                    ck_assert_msg(other <= trace + 2e-6, "%d dimensions, seed %d: %g, and %g", e,
                                  (int)seed, trace, other);
                }
            dlviz_tensor_destroy(map);
            dlviz_tensor_destroy(reference);
            dlviz_tensor_destroy(aligned);
        }
}
END_TEST

/* Points at one place, on a line, or one point alone: distances stay, and nothing is NaN. */
START_TEST(flat_maps_are_aligned) {
    for (int64_t e = 1; e <= 3; e++)
        for (int kind = 0; kind < 9; kind++) {
            int64_t n = kind % 3 == 2 ? 1 : 12;
            dlviz_tensor *map = random_map(n, e, 3), *reference = random_map(n, e, 4), *aligned;
            float *flat[] = {dlviz_tensor_float(map), dlviz_tensor_float(reference)};
            for (int which = 0; which < 2; which++)
                for (int64_t i = 0; i < n * e; i++)
                    if (kind / 3 == which || kind / 3 == 2)
                        flat[which][i] = kind % 3 == 0 ? (float)which : flat[which][i / e * e];
            ck_ok(dlviz_align(map, reference, &aligned));
            expect_same_shape_of(aligned, map);
            dlviz_tensor_destroy(aligned);
            dlviz_tensor_destroy(map);
            dlviz_tensor_destroy(reference);
        }
    /* What nothing says how to turn stays as it is. */
    dlviz_tensor *map = random_map(12, 2, 3), *point = matrix(12, 2, NULL), *aligned;
    ck_ok(dlviz_align(map, point, &aligned));
    double mean[2] = {0};
    for (int i = 0; i < 24; i++)
        mean[i % 2] += dlviz_tensor_float(map)[i] / 12;
    for (int i = 0; i < 24; i++)
        ck_assert_float_eq_tol(dlviz_tensor_float(aligned)[i],
                               (float)(dlviz_tensor_float(map)[i] - mean[i % 2]), 1e-5f);
    dlviz_tensor_destroy(aligned);
    dlviz_tensor_destroy(map);
    dlviz_tensor_destroy(point);
}
END_TEST

START_TEST(alignments_that_are_refused) {
    dlviz_tensor *map = random_map(4, 2, 1), *other = random_map(5, 2, 1),
                 *wide = matrix(4, 4, NULL);
    dlviz_tensor *aligned = map;
    ck_fails(dlviz_align(NULL, map, &aligned), INVALID, "'map' is NULL");
    ck_assert_ptr_null(aligned);
    ck_fails(dlviz_align(map, NULL, &aligned), INVALID, "'reference' is NULL");
    ck_fails(dlviz_align(map, map, NULL), INVALID, "'aligned' is NULL");
    ck_fails(dlviz_align(map, other, &aligned), DLVIZ_ERROR_SHAPE, "4 x 2 and 'reference' 5 x 2");
    ck_fails(dlviz_align(wide, wide, &aligned), DLVIZ_ERROR_SHAPE, "4 columns");
    dlviz_tensor_float(other)[4] = NAN;
    ck_fails(dlviz_align(other, other, &aligned), DLVIZ_ERROR_NUMERIC, "'map' has nan in row 2");
    dlviz_tensor_destroy(map);
    dlviz_tensor_destroy(other);
    dlviz_tensor_destroy(wide);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {what_was_turned_is_turned_back,    no_other_turning_is_nearer,
                                  a_line_turns_no_more_than_it_must, flat_maps_are_aligned,
                                  alignments_that_are_refused,       NULL};
    return run_tests("align", tests);
}
