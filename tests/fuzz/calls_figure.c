/* Calls of dlviz/plot.h. Drawing takes long, so that it is rare. */
#include "calls.h"

#include <math.h>

DECLARE_SETTINGS(figure)

static const struct text_setting {
    dlviz_status (*set)(dlviz_figure *, const char *);
    const char *(*get)(const dlviz_figure *);
} texts[] = {
    {dlviz_figure_set_title, dlviz_figure_title},
    {dlviz_figure_set_subtitle, dlviz_figure_subtitle},
    {dlviz_figure_set_footnote, dlviz_figure_footnote},
};
static const figure_flag flags[] = {
    {dlviz_figure_set_clip_outliers, dlviz_figure_clip_outliers},
    {dlviz_figure_set_ticks, dlviz_figure_ticks},
    {dlviz_figure_set_class_counts, dlviz_figure_class_counts},
    {dlviz_figure_set_class_marks, dlviz_figure_class_marks},
    {dlviz_figure_set_shared_range, dlviz_figure_shared_range},
};
static const figure_number numbers[] = {
    {dlviz_figure_set_point_size, dlviz_figure_point_size, 0, 100},
    {dlviz_figure_set_opacity, dlviz_figure_opacity, 0, 1},
};

static void see_figure(const dlviz_figure *figure) {
    int64_t index = an_index(), height, width;
    const char *x, *y;
    const dlviz_tensor *values;
    for (int64_t i = 0; i < COUNT(texts); i++)
        see_text(texts[i].get(figure));
    for (int64_t i = 0; i < COUNT(flags); i++)
        require(figure || !flags[i].get(figure), "no flag of NULL");
    dlviz_figure_size(figure, &height, &width);
    dlviz_figure_size(figure, NULL, NULL);
    see_count(height);
    see_count(width);
    dlviz_figure_axis_labels(figure, &x, &y);
    dlviz_figure_axis_labels(figure, NULL, NULL);
    see_text(x);
    see_text(y);
    dlviz_figure_values(figure, &values, &x);
    dlviz_figure_values(figure, NULL, NULL);
    see_tensor(values);
    see_text(x);
    see_tensor(dlviz_figure_thumbnails(figure));
    see_count(dlviz_figure_num_class_names(figure));
    see_text(dlviz_figure_class_name(figure, index));
    see_count(dlviz_figure_num_class_colors(figure));
    require(dlviz_figure_class_color(figure, index) <= 0xffffff, "a color");
    see_count(dlviz_figure_num_class_markers(figure));
    require((unsigned)dlviz_figure_class_marker(figure, index) < 7, "a marker");
    see_count(dlviz_figure_num_axis_shares(figure));
    see_number(dlviz_figure_axis_share(figure, index));
    see_count(dlviz_figure_num_captions(figure));
    see_text(dlviz_figure_caption(figure, index));
    see_count(dlviz_figure_num_columns(figure));
    require((unsigned)dlviz_figure_colormap(figure) < 6, "colors");
    (void)dlviz_figure_log_scale(figure, a_text());
    (void)dlviz_figure_steps(figure, a_text());
    (void)dlviz_plot_supported();
}

static const dlviz_tensor *some_images(void) {
    int64_t dims[] = {1 + below(4), 1 + below(4), 1 + below(6), 1 + below(6)};
    return fitting(DLVIZ_FLOAT32, a_bool() ? 4 : 3, dims, FILL_SMALL);
}

static const dlviz_tensor *some_counts(void) {
    int64_t classes = 1 + below(5);
    return fitting(DLVIZ_INT64, 2, (int64_t[]){classes, classes}, FILL_LABELS);
}

static void make_figure(void) {
    int64_t rows = few_rows();
    const dlviz_tensor *first, *second;
    switch (below(5)) {
    case 0:
        MAKE(figure, dlviz_figure_create_curves(out));
        break;
    case 1:
        first = some_counts();
        MAKE(figure, dlviz_figure_create_matrix(out, first));
        break;
    case 2:
        first = some_images();
        MAKE(figure, dlviz_figure_create_images(out, first));
        break;
    default:
        first = floats(rows, 1 + below(3));
        second = one_in(3) ? NULL : labels_of(rows);
        MAKE(figure, dlviz_figure_create_scatter(out, first, second));
    }
}

static void add(dlviz_figure *figure) {
    int64_t rows = few_rows();
    double x[8], y[8];
    const char *name = a_text(), *panel = a_text();
    for (int i = 0; i < 8; i++) {
        x[i] = one_in(20) ? a_number() : i;
        y[i] = one_in(8) ? a_number() : a_share();
    }
    switch (below(3)) {
    case 0: {
        const dlviz_tensor *map = floats(rows, 1 + below(3)),
                           *labels = one_in(3) ? NULL : labels_of(rows);
        (void)CALL(dlviz_figure_add_points(figure, name, map, labels));
        break;
    }
    case 1:
        (void)CALL(dlviz_figure_add_curve(figure, panel, name, below(10) - 1 > 8 ? 8 : below(9),
                                          one_in(3) ? NULL : x, one_in(30) ? NULL : y));
        break;
    default:
        (void)CALL(dlviz_figure_add_heat_maps(figure, name, some_images()));
    }
}

static void set_arrays(dlviz_figure *figure) {
    uint32_t colors[8];
    dlviz_marker markers[8];
    double shares[8];
    int64_t count = below(10) - 1;
    count = count > 8 ? 8 : count;
    for (int i = 0; i < 8; i++) {
        colors[i] = one_in(20) ? UINT32_MAX : a_byte();
        markers[i] = (dlviz_marker)an_enum(7);
        shares[i] = one_in(8) ? a_number() : a_share();
    }
    const char *const *names = some_names();
    switch (below(5)) {
    case 0:
        (void)CALL(dlviz_figure_set_class_colors(figure, count, one_in(20) ? NULL : colors));
        break;
    case 1:
        (void)CALL(dlviz_figure_set_class_markers(figure, count, one_in(20) ? NULL : markers));
        break;
    case 2:
        if (CALL(dlviz_figure_set_axis_shares(figure, count, one_in(20) ? NULL : shares)) ==
                DLVIZ_OK &&
            count > 0)
            require(dlviz_figure_axis_share(figure, 0) >= 0 &&
                        dlviz_figure_axis_share(figure, 0) <= 1,
                    "a share");
        break;
    case 3:
        (void)CALL(dlviz_figure_set_captions(figure, count, one_in(20) ? NULL : names));
        break;
    default:
        (void)CALL(dlviz_figure_set_class_names(figure, count, one_in(20) ? NULL : names));
    }
}

static void set(dlviz_figure *figure) {
    const char *text = a_text(), *other = a_text();
    int64_t rows = few_rows();
    switch (below(10)) {
    case 0: {
        const struct text_setting *setting = &texts[below(COUNT(texts))];
        const char *before = setting->get(figure);
        if (CALL(setting->set(figure, text)) != DLVIZ_OK)
            require(setting->get(figure) == before, "a text that is refused leaves the former one");
        break;
    }
    case 1:
        SET_FLAG(figure, flags[below(COUNT(flags))], figure, a_bool());
        break;
    case 2:
        SET_NUMBER(figure, numbers[below(COUNT(numbers))], figure,
                   a_bool() ? a_number() : a_share());
        break;
    case 3:
        SET_COUNT(figure, ((figure_count){dlviz_figure_set_num_columns, dlviz_figure_num_columns}),
                  figure, a_size());
        break;
    case 4: {
        int64_t height = one_in(8) ? an_int() : 200, width = one_in(8) ? an_int() : 210, got[2];
        if (CALL(dlviz_figure_set_size(figure, height, width)) == DLVIZ_OK) {
            dlviz_figure_size(figure, &got[0], &got[1]);
            require(got[0] == height && got[1] == width && height >= 200 && width >= 200, "a size");
        }
        break;
    }
    case 5:
        (void)CALL(dlviz_figure_set_axis_labels(figure, text, other));
        break;
    case 6: {
        dlviz_colormap colormap = (dlviz_colormap)an_enum(6);
        if (CALL(dlviz_figure_set_colormap(figure, colormap)) == DLVIZ_OK)
            require((unsigned)colormap < 6, "colors");
        break;
    }
    case 7:
        if (a_bool())
            (void)CALL(dlviz_figure_set_log_scale(figure, text, a_bool()));
        else
            (void)CALL(dlviz_figure_set_steps(figure, text, a_bool()));
        break;
    case 8: {
        const dlviz_tensor *values =
            one_in(4) ? NULL : fitting(DLVIZ_FLOAT32, 1, &rows, FILL_SHARES);
        (void)CALL(dlviz_figure_set_values(figure, values, text));
        break;
    }
    default:
        (void)CALL(dlviz_figure_set_thumbnails(figure, one_in(4) ? NULL : some_images()));
    }
}

static void draw(dlviz_figure *figure) {
    dlviz_figure_format format = (dlviz_figure_format)an_enum(3);
    const char *path = a_path(), *title = a_text();
    const dlviz_tensor *first;
    int64_t height, width;
    if (!one_in(8))
        return;
    dlviz_figure_size(figure, &height, &width);
    if (figure && height != 200 && CALL(dlviz_figure_set_size(figure, 200, 210)) != DLVIZ_OK)
        return;
    switch (below(8)) {
    case 0:
        (void)CALL(dlviz_figure_write(figure, path));
        break;
    case 1: {
        first = floats(4, 2);
        const dlviz_tensor *labels = labels_of(4);
        (void)CALL(dlviz_plot_scatter(first, labels, below(NUM_NAMES), some_names(), title, path));
        break;
    }
    case 2:
        first = some_counts();
        (void)CALL(dlviz_plot_matrix(first, title, path));
        break;
    case 3:
        first = some_images();
        (void)CALL(dlviz_plot_images(first, title, path));
        break;
    default:
        WRITE(dlviz_figure_write_memory(figure, format, bytes, size));
    }
}

void call_figure(void) {
    dlviz_figure *figure = a_figure();
    switch (!figure && !one_in(8) ? 0 : below(12)) {
    case 0:
    case 1:
        make_figure();
        break;
    case 2:
    case 3:
        add(figure);
        break;
    case 4:
        set_arrays(figure);
        break;
    case 5:
    case 6:
    case 7:
        set(figure);
        break;
    case 8:
    case 9:
        draw(figure);
        break;
    case 10:
        see_figure(figure);
        break;
    default:
        drop_figure();
    }
}
