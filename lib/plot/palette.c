#include "plot/palette.h"

#include <math.h>

static dlz_color from_hex(unsigned hex) {
    return (dlz_color){(double)(hex >> 16) / 255, (double)(hex >> 8 & 255) / 255,
                       (double)(hex & 255) / 255};
}

/* Ten colors that stay apart for color-blind readers too (Petroff, arXiv:2107.02270). */
static const unsigned petroff10[10] = {0x3f90da, 0xffa90e, 0xbd1f01, 0x94a4a2, 0x832db6,
                                       0xa96b59, 0xe76300, 0xb9ac70, 0x717581, 0x92dadd};

dlz_color dlz_color_mix(dlz_color from, dlz_color to, double share) {
    return (dlz_color){from.r + share * (to.r - from.r), from.g + share * (to.g - from.g),
                       from.b + share * (to.b - from.b)};
}

/* Every ten classes step through three kinds of lightness and four markers; 3 and 4 share no
 * factor, so a pair comes back only after twelve steps. */
dlz_color dlz_class_color(int class) {
    dlz_color color = from_hex(petroff10[class % 10]);
    switch (class / 10 % 3) {
    case 1:
        return dlz_color_mix(color, (dlz_color){0, 0, 0}, 0.4);
    case 2:
        return dlz_color_mix(color, (dlz_color){1, 1, 1}, 0.45);
    default:
        return color;
    }
}

dlz_marker dlz_class_marker(int class) {
    return (dlz_marker)(class / 10 % DLZ_MARKER_COUNT);
}

static const unsigned blues[] = {0xffffff, 0xe3ecf8, 0xbfd6ee, 0x8fb8e0,
                                 0x5b94cd, 0x326fb1, 0x174b8b, 0x0b2a5b};
static const unsigned viridis[] = {0x440154, 0x472d7b, 0x3b528b, 0x2c728e, 0x21918c,
                                   0x28ae80, 0x5ec962, 0xaddc30, 0xfde725};
static const unsigned gray[] = {0x000000, 0xffffff};
static const unsigned diverging[] = {0x14376f, 0x2f6cb3, 0x82b1de, 0xc9def0, 0xf7f7f7,
                                     0xf8d7c8, 0xe99a7d, 0xc24a3a, 0x7c0f21};

dlz_color dlz_colormap_at(dlviz_colormap map, double t) {
    const unsigned *stops = blues;
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
    return dlz_color_mix(from_hex(stops[below]), from_hex(stops[below + 1]), place - below);
}

static double linear_light(double v) {
    return v <= 0.04045 ? v / 12.92 : pow((v + 0.055) / 1.055, 2.4);
}

double dlz_luminance(dlz_color color) {
    return 0.2126 * linear_light(color.r) + 0.7152 * linear_light(color.g) +
           0.0722 * linear_light(color.b);
}
