#include "plot/palette.h"

#include <math.h>

dlz_color dlz_color_of_rgb(uint32_t rgb) {
    return (dlz_color){(double)(rgb >> 16 & 255) / 255, (double)(rgb >> 8 & 255) / 255,
                       (double)(rgb & 255) / 255};
}

uint32_t dlz_rgb_of_color(dlz_color color) {
    return (uint32_t)lround(255 * color.r) << 16 | (uint32_t)lround(255 * color.g) << 8 |
           (uint32_t)lround(255 * color.b);
}

/* Found by search for the largest least distance within the luminances that allow the contrasts, at
 * hues that have names: blue, orange, green, red, purple, taupe, plum, sage, magenta, teal. */
const uint32_t dlz_class_rgb[DLZ_NUM_COLORS] = {0x0098ff, 0xca800f, 0x037100, 0xd20210, 0x7436cf,
                                                0x8d6f68, 0x8c4160, 0x879a71, 0xf92ebe, 0x3786a1};
static const uint32_t no_class = 0xb9bdc1;

dlz_color dlz_color_mix(dlz_color from, dlz_color to, double share) {
    return (dlz_color){from.r + share * (to.r - from.r), from.g + share * (to.g - from.g),
                       from.b + share * (to.b - from.b)};
}

/* The first ten classes have five markers, twice each; every ten classes a color has the next of
 * all six, and after sixty the same ones hollow. */
dlz_look dlz_class_look(int class) {
    if (class < 0)
        return (dlz_look){dlz_color_of_rgb(no_class), DLVIZ_MARKER_CIRCLE, false};
    int color = class % DLZ_NUM_COLORS, round = class / DLZ_NUM_COLORS;
    return (dlz_look){.color = dlz_color_of_rgb(dlz_class_rgb[color]),
                      .marker = (dlviz_marker)(1 + (color % 5 + round) % DLZ_NUM_MARKERS),
                      .hollow = round / DLZ_NUM_MARKERS % 2 == 1};
}

dlz_color dlz_class_color(int class) {
    return dlz_class_look(class).color;
}

static const uint32_t blues[] = {0xffffff, 0xe3ecf8, 0xbfd6ee, 0x8fb8e0,
                                 0x5b94cd, 0x326fb1, 0x174b8b, 0x0b2a5b};
static const uint32_t viridis[] = {0x440154, 0x472d7b, 0x3b528b, 0x2c728e, 0x21918c,
                                   0x28ae80, 0x5ec962, 0xaddc30, 0xfde725};
static const uint32_t gray[] = {0x000000, 0xffffff};
static const uint32_t diverging[] = {0x14376f, 0x2f6cb3, 0x82b1de, 0xc9def0, 0xf7f7f7,
                                     0xf8d7c8, 0xe99a7d, 0xc24a3a, 0x7c0f21};

dlz_color dlz_colormap_at(dlviz_colormap map, double t) {
    const uint32_t *stops = blues;
    int count = sizeof blues / sizeof *blues;
    if (map == DLVIZ_COLORMAP_VIRIDIS) {
        stops = viridis;
        count = sizeof viridis / sizeof *viridis;
    } else if (map == DLVIZ_COLORMAP_GRAY) {
        stops = gray;
        count = sizeof gray / sizeof *gray;
    } else if (map == DLVIZ_COLORMAP_DIVERGING) {
        stops = diverging;
        count = sizeof diverging / sizeof *diverging;
    }
    double place = fmin(fmax(t, 0), 1) * (count - 1);
    int below = place >= count - 1 ? count - 2 : (int)place;
    return dlz_color_mix(dlz_color_of_rgb(stops[below]), dlz_color_of_rgb(stops[below + 1]),
                         place - below);
}

static double linear_light(double v) {
    return v <= 0.04045 ? v / 12.92 : pow((v + 0.055) / 1.055, 2.4);
}

double dlz_luminance(dlz_color color) {
    return 0.2126 * linear_light(color.r) + 0.7152 * linear_light(color.g) +
           0.0722 * linear_light(color.b);
}
