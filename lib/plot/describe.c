/* A figure in a sentence or two. */
#include "plot/draw.h"
#include "base/base.h"

#include <stdio.h>

enum { MOST_CLASSES = 40 };

/* 12345 as 12,345. */
static void add_count(dlz_bytes *to, int64_t count) {
    char digits[32];
    int length = snprintf(digits, sizeof digits, "%lld", (long long)count);
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            dlz_bytes_add_text(to, ",");
        dlz_bytes_add(to, digits + i, 1);
    }
}

static void add_things(dlz_bytes *to, int64_t count, const char *one, const char *many) {
    add_count(to, count);
    dlz_bytes_add_text(to, " ");
    dlz_bytes_add_text(to, count == 1 ? one : many);
}

static void add_names(const dlviz_figure *figure, dlz_bytes *to, int classes) {
    for (int i = 0; i < classes; i++) {
        char number[16];
        dlz_bytes_add_text(to, i == 0 ? ": " : ", ");
        dlz_bytes_add_text(to, dlz_class_name(figure, i, number));
    }
}

static void describe_scatter(const dlviz_figure *figure, dlz_bytes *to) {
    const dlz_scatter *scatter = &figure->of.scatter;
    int64_t counts[MOST_CLASSES] = {0}, without = 0, classes = 0;
    int largest = -1;
    for (int64_t i = 0; scatter->class && i < scatter->n; i++) {
        int class = scatter->class[i];
        without += class < 0;
        largest = class > largest ? class : largest;
        if (class >= 0 && class < MOST_CLASSES)
            classes += counts[class]++ == 0;
    }
    dlz_bytes_add_text(to, "A map of ");
    add_things(to, scatter->n, "point", "points");
    if (largest >= MOST_CLASSES) {
        dlz_bytes_add_text(to, " in classes up to ");
        add_count(to, largest);
    } else if (classes > 0) {
        dlz_bytes_add_text(to, " in ");
        add_things(to, classes, "class", "classes");
        const char *between = ": ";
        for (int i = 0; i < MOST_CLASSES; i++) {
            char number[16];
            if (counts[i] == 0)
                continue;
            dlz_bytes_add_text(to, between);
            dlz_bytes_add_text(to, dlz_class_name(figure, i, number));
            dlz_bytes_add_text(to, " (");
            add_count(to, counts[i]);
            dlz_bytes_add_text(to, ")");
            between = ", ";
        }
    }
    if (without > 0) {
        dlz_bytes_add_text(to, "; ");
        add_count(to, without);
        dlz_bytes_add_text(to, " without a class");
    }
}

static void describe_curves(const dlviz_figure *figure, dlz_bytes *to) {
    const dlz_curves *curves = &figure->of.curves;
    dlz_bytes_add_text(to, "Curves over ");
    dlz_bytes_add_text(to, figure->x_label ? figure->x_label : "a common axis");
    for (int i = 0; i < curves->count; i++) {
        dlz_bytes_add_text(to, i == 0 ? ": " : "; ");
        dlz_bytes_add_text(to, curves->panels[i].name);
        for (int j = 0; j < curves->panels[i].count; j++) {
            const dlz_curve *curve = &curves->panels[i].curves[j];
            dlz_bytes_add_text(to, j == 0 ? " (" : ", ");
            dlz_bytes_add_text(to, curve->name);
            dlz_bytes_add_text(to, ", ");
            add_things(to, curve->n, "point", "points");
        }
        dlz_bytes_add_text(to, ")");
    }
}

static void describe_matrix(const dlviz_figure *figure, dlz_bytes *to) {
    const dlz_matrix *matrix = &figure->of.matrix;
    double all = 0, right = 0;
    for (int i = 0; i < matrix->classes * matrix->classes; i++) {
        all += (double)matrix->counts[i];
        right += i % (matrix->classes + 1) == 0 ? (double)matrix->counts[i] : 0;
    }
    dlz_bytes_add_text(to, "A confusion matrix of ");
    add_things(to, matrix->classes, "class", "classes");
    char number[DLZ_NUMBER_SIZE];
    dlz_bytes_add_text(to, ", ");
    dlz_bytes_add_text(to, dlz_number(number, right, 15));
    dlz_bytes_add_text(to, " of ");
    dlz_bytes_add_text(to, dlz_number(number, all, 15));
    dlz_bytes_add_text(to, " on its diagonal");
    if (figure->class_names.count > 0 && matrix->classes <= MOST_CLASSES)
        add_names(figure, to, matrix->classes);
}

static void describe_images(const dlviz_figure *figure, dlz_bytes *to) {
    const dlz_images *images = &figure->of.images;
    dlz_bytes_add_text(to, "A grid of ");
    add_things(to, images->n, "image", "images");
    dlz_bytes_add_text(to, ", each ");
    if (images->channels > 1) {
        add_count(to, images->channels);
        dlz_bytes_add_text(to, " channels of ");
    }
    add_count(to, images->height);
    dlz_bytes_add_text(to, " by ");
    add_things(to, images->width, "pixel", "pixels");
    for (int i = 0; i < images->num_heat_maps; i++) {
        dlz_bytes_add_text(to, i == 0 ? ", with heat maps: " : ", ");
        dlz_bytes_add_text(to, images->heat_maps[i].name ? images->heat_maps[i].name : "unnamed");
    }
}

static void (*const describers[])(const dlviz_figure *figure, dlz_bytes *text) = {
    [DLZ_FIGURE_SCATTER] = describe_scatter,
    [DLZ_FIGURE_CURVES] = describe_curves,
    [DLZ_FIGURE_MATRIX] = describe_matrix,
    [DLZ_FIGURE_IMAGES] = describe_images,
};

void dlz_describe(const dlviz_figure *figure, dlz_bytes *text) {
    describers[figure->kind](figure, text);
    dlz_bytes_add_text(text, ".");
    if (figure->subtitle) {
        dlz_bytes_add_text(text, " ");
        dlz_bytes_add_text(text, figure->subtitle);
    }
}
