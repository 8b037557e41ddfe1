/* The palette of all figures: what it promises, from the definitions of contrast, lightness, OKLab
 * and color vision without one kind of cones. */
#include "plot/palette.h"
#include "support/support.h"

#include <math.h>
#include <string.h>

/* ---- Definitions ----------------------------------------------------------------------------- */

typedef struct triple {
    double v[3];
} triple;

static triple linear(uint32_t rgb) {
    triple light;
    for (int k = 0; k < 3; k++) {
        double v = (double)(rgb >> (16 - 8 * k) & 255) / 255;
        light.v[k] = v <= 0.04045 ? v / 12.92 : pow((v + 0.055) / 1.055, 2.4);
    }
    return light;
}

static double luminance(uint32_t rgb) {
    triple light = linear(rgb);
    return 0.2126 * light.v[0] + 0.7152 * light.v[1] + 0.0722 * light.v[2];
}

/* CIE L*, what is left of a color in gray print. */
static double lightness(uint32_t rgb) {
    return 116 * cbrt(luminance(rgb)) - 16;
}

static triple product(const double matrix[3][3], triple v) {
    triple result;
    for (int k = 0; k < 3; k++)
        result.v[k] = matrix[k][0] * v.v[0] + matrix[k][1] * v.v[1] + matrix[k][2] * v.v[2];
    return result;
}

/* Machado, Oliveira and Fernandes 2009, severity 1: without L, M and S cones. */
static const double seen[4][3][3] = {{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
                                     {{0.152286, 1.052583, -0.204868},
                                      {0.114503, 0.786281, 0.099216},
                                      {-0.003882, -0.048116, 1.051998}},
                                     {{0.367322, 0.860646, -0.227968},
                                      {0.280085, 0.672501, 0.047413},
                                      {-0.011820, 0.042940, 0.968881}},
                                     {{1.255528, -0.076749, -0.178779},
                                      {-0.078411, 0.930809, 0.147602},
                                      {0.004733, 0.691367, 0.303900}}};

static triple oklab(triple light) {
    static const double cones[3][3] = {{0.4122214708, 0.5363325363, 0.0514459929},
                                       {0.2119034982, 0.6806995451, 0.1073969566},
                                       {0.0883024619, 0.2817188376, 0.6299787005}};
    static const double axes[3][3] = {{0.2104542553, 0.7936177850, -0.0040720468},
                                      {1.9779984951, -2.4285922050, 0.4505937099},
                                      {0.0259040371, 0.7827717662, -0.8086757660}};
    triple response = product(cones, light);
    for (int k = 0; k < 3; k++)
        response.v[k] = cbrt(response.v[k]);
    return product(axes, response);
}

static double distance(uint32_t a, uint32_t b, int vision) {
    triple colors[2] = {product(seen[vision], linear(a)), product(seen[vision], linear(b))};
    double sum = 0;
    for (int i = 0; i < 2; i++) {
        for (int k = 0; k < 3; k++)
            colors[i].v[k] = fmin(fmax(colors[i].v[k], 0), 1);
        colors[i] = oklab(colors[i]);
    }
    for (int k = 0; k < 3; k++)
        sum += (colors[0].v[k] - colors[1].v[k]) * (colors[0].v[k] - colors[1].v[k]);
    return sqrt(sum);
}

START_TEST(the_definitions_are_right) {
    ck_assert_double_eq_tol(luminance(0xffffff), 1, 1e-9);
    ck_assert_double_eq_tol(lightness(0x777777), 50.03, 0.01);
    triple white = oklab(linear(0xffffff)), red = oklab(linear(0xff0000));
    ck_assert_double_eq_tol(white.v[0], 1, 1e-4);
    ck_assert_double_eq_tol(white.v[1], 0, 1e-4);
    ck_assert_double_eq_tol(red.v[0], 0.62796, 1e-4);
    ck_assert_double_eq_tol(red.v[1], 0.22486, 1e-4);
    /* Red and a dark olive are alike without M cones. */
    ck_assert_double_lt(distance(0xe00000, 0x95800a, 2), 0.3 * distance(0xe00000, 0x95800a, 0));
}
END_TEST

/* ---- Colors ---------------------------------------------------------------------------------- */

START_TEST(every_color_is_seen_on_white_and_on_black) {
    for (int i = 0; i < DLZ_NUM_COLORS; i++) {
        double light = luminance(dlz_class_rgb[i]);
        ck_assert_double_ge(1.05 / (light + 0.05), 3);
        ck_assert_double_ge((light + 0.05) / 0.05, 3);
        ck_assert_double_eq_tol(dlz_luminance(dlz_class_color(i)), light, 1e-9);
    }
}
END_TEST

START_TEST(any_two_colors_differ_for_every_reader) {
    const double least[4] = {0.11, 0.088, 0.088, 0.1};
    for (int vision = 0; vision < 4; vision++)
        for (int i = 0; i < DLZ_NUM_COLORS; i++)
            for (int j = 0; j < i; j++) {
                double d = distance(dlz_class_rgb[i], dlz_class_rgb[j], vision);
                ck_assert_msg(d >= least[vision], "vision %d, colors %d and %d: %.4f", vision, i, j,
                              d);
            }
}
END_TEST

START_TEST(ten_classes_differ_in_gray_print) {
    for (int i = 0; i < DLZ_NUM_COLORS; i++)
        for (int j = 0; j < i; j++) {
            double d = fabs(lightness(dlz_class_rgb[i]) - lightness(dlz_class_rgb[j]));
            ck_assert_msg(dlz_class_look(i).marker != dlz_class_look(j).marker || d >= 10,
                          "classes %d and %d have one marker and are %.2f apart in gray", i, j, d);
        }
}
END_TEST

START_TEST(a_hundred_and_twenty_classes_look_different) {
    for (int i = 0; i < 240; i++) {
        dlz_look a = dlz_class_look(i);
        ck_assert(a.marker >= DLVIZ_MARKER_CIRCLE && a.marker <= DLVIZ_MARKER_PLUS);
        for (int j = 0; j < i; j++) {
            dlz_look b = dlz_class_look(j);
            bool same = dlz_rgb_of_color(a.color) == dlz_rgb_of_color(b.color) &&
                        a.marker == b.marker && a.hollow == b.hollow;
            ck_assert_msg(same == (i - j == 120), "classes %d and %d", i, j);
        }
    }
    dlz_look none = dlz_class_look(-5);
    ck_assert(none.marker == DLVIZ_MARKER_CIRCLE && !none.hollow);
    ck_assert(none.color.b - none.color.r < 0.05);
}
END_TEST

START_TEST(color_maps_rise_in_lightness) {
    /* The first colors of the map, and no step back in gray print. */
    const dlviz_colormap maps[] = {DLVIZ_COLORMAP_VIRIDIS, DLVIZ_COLORMAP_GRAY};
    for (int m = 0; m < 2; m++)
        for (int i = 1; i <= 100; i++)
            ck_assert_double_gt(dlz_luminance(dlz_colormap_at(maps[m], i / 100.0)),
                                dlz_luminance(dlz_colormap_at(maps[m], (i - 1) / 100.0)));
}
END_TEST

int main(void) {
    const TTest *const tests[] = {the_definitions_are_right,
                                  every_color_is_seen_on_white_and_on_black,
                                  any_two_colors_differ_for_every_reader,
                                  ten_classes_differ_in_gray_print,
                                  a_hundred_and_twenty_classes_look_different,
                                  color_maps_rise_in_lightness,
                                  NULL};
    return run_tests("palette", tests);
}
