/* Calls of dlviz/report.h. */
#include "calls.h"

#include <math.h>

enum { MOST_POINTS = 32 };

static void see_report(dlviz_report *report) {
    int64_t index = an_index(), count;
    const char *texts[3] = {NULL, NULL, NULL};
    const double *x, *y;
    double numbers[3];
    see_text(dlviz_report_title(report));
    see_count(dlviz_report_num_points(report));
    see_count(dlviz_report_num_class_names(report));
    see_text(dlviz_report_class_name(report, index));
    see_count(dlviz_report_num_point_names(report));
    see_text(dlviz_report_point_name(report, index));
    for (int64_t r = -1; r < dlviz_report_num_runs(report); r++) {
        dlviz_report_run *run = dlviz_report_run_at(report, r);
        require((r < 0) == !run, "a run");
        see_text(dlviz_report_run_name(run));
        see_text(dlviz_report_run_map_name(run, index));
        see_count(dlviz_report_run_num_maps(run));
        for (int64_t i = 0; i < dlviz_report_run_num_frames(run); i++) {
            double accuracy = dlviz_report_run_accuracy(run, i);
            require(isnan(accuracy) || (accuracy >= 0 && accuracy <= 1), "an accuracy");
            (void)dlviz_report_run_epoch(run, i);
        }
        (void)dlviz_report_run_epoch(run, index);
        see_number(dlviz_report_run_accuracy(run, index));
        see_text(dlviz_report_run_layer(run));
        for (int64_t i = 0; i < dlviz_report_run_num_curves(run); i++) {
            dlviz_report_run_curve(run, i, &texts[0], &texts[1], &count, &x, &y);
            for (int64_t k = 0; k < count; k++)
                require(isfinite(x[k]), "a place on the axis");
        }
        dlviz_report_run_curve(run, index, &texts[0], &texts[1], &count, &x, &y);
        dlviz_report_run_curve(run, index, NULL, NULL, NULL, NULL, NULL);
        see_count(dlviz_report_run_num_facts(run));
        dlviz_report_run_fact(run, index, &texts[0], &texts[1]);
        dlviz_report_run_fact(run, index, NULL, NULL);
        see_text(texts[0]);
        see_count(dlviz_report_run_num_measures(run));
        dlviz_report_run_measure(run, index, &texts[0], &texts[1], &texts[2], &numbers[0],
                                 &numbers[1], &numbers[2]);
        dlviz_report_run_measure(run, index, NULL, NULL, NULL, NULL, NULL, NULL);
        for (int i = 0; i < 3; i++)
            see_text(texts[i]);
    }
}

static void set_points(dlviz_report *report) {
    int64_t points = dlviz_report_num_points(report), count = one_in(8) ? below(NUM_NAMES) : points;
    const char *const *names = some_names();
    if (points > MOST_POINTS)
        points = MOST_POINTS;
    if (count > NUM_NAMES)
        count = NUM_NAMES;
    int64_t dims[] = {points, a_bool() ? 1 : 3, 1 + below(5), 1 + below(5)};
    switch (below(7)) {
    case 0:
        (void)CALL(dlviz_report_set_images(
            report, fitting(a_bool() ? DLVIZ_UINT8 : DLVIZ_FLOAT32, 4, dims, FILL_SHARES)));
        break;
    case 1: {
        const dlviz_dataset *dataset = a_dataset();
        if (is_small_dataset(dataset))
            (void)CALL(dlviz_report_set_images_of(report, dataset));
        break;
    }
    case 2:
        (void)CALL(dlviz_report_set_labels(report, labels_of(points)));
        break;
    case 3:
        (void)CALL(
            dlviz_report_set_class_names(report, one_in(8) ? -1 : below(NUM_NAMES + 1), names));
        break;
    case 4:
        (void)CALL(dlviz_report_set_point_names(report, count, names));
        break;
    case 5:
        MAKE(tensor, dlviz_report_get_images(report, out));
        break;
    default:
        MAKE(tensor, dlviz_report_get_labels(report, out));
    }
}

static void add_run(dlviz_report *report) {
    const char *name = a_text();
    int64_t before = dlviz_report_num_runs(report);
    dlviz_report_run *run = NOT_MADE;
    dlviz_status status = CALL(dlviz_report_add_run(report, name, &run));
    was_made(status, true, run);
    require(dlviz_report_num_runs(report) == before + (status == DLVIZ_OK), "one run more");
}

/* A report that can be written: a run with a map and a frame. */
static void make_report(void) {
    int64_t points = 3 + below(6);
    dlviz_report *report = NULL;
    dlviz_report_run *run = NULL;
    const dlviz_tensor *map = floats(points, 2), *outputs = one_in(3) ? NULL : floats(points, 3);
    if (CALL(dlviz_report_create(&report, "points", points)) != DLVIZ_OK)
        return;
    if (CALL(dlviz_report_add_run(report, "run", &run)) == DLVIZ_OK &&
        CALL(dlviz_report_run_add_map(run, "t-SNE")) == DLVIZ_OK)
        (void)CALL(dlviz_report_run_add_frame(run, a_bool() ? 0 : -1, 1, &map, outputs));
    keep_report(report);
}

static void fill_run(dlviz_report *report) {
    dlviz_report_run *run = dlviz_report_run_at(report, one_in(3));
    if (!run && !one_in(8)) {
        add_run(report);
        return;
    }
    int64_t points = dlviz_report_num_points(report), maps = dlviz_report_run_num_maps(run);
    int64_t frames = dlviz_report_run_num_frames(run), chosen[4] = {an_index(), 0, 1, 2};
    const char *text = a_text(), *other = a_text();
    double x[8], y[8];
    points = points > MOST_POINTS ? MOST_POINTS : points;
    for (int i = 0; i < 8; i++) {
        x[i] = one_in(20) ? a_number() : i;
        y[i] = one_in(8) ? a_number() : a_share();
    }
    switch (below(13)) {
    case 0:
    case 1:
        (void)CALL(dlviz_report_run_add_map(run, text));
        break;
    case 2:
    case 3: {
        const dlviz_tensor *all[4] = {NULL};
        int64_t count = one_in(8) ? below(4) : maps;
        for (int i = 0; i < 4; i++)
            all[i] = i < count ? floats(points, 2) : NULL;
        int64_t epoch = one_in(8) ? an_int() : frames;
        const dlviz_tensor *outputs = one_in(3) ? NULL : floats(points, 3);
        dlviz_status status =
            CALL(dlviz_report_run_add_frame(run, epoch, count > 4 ? 4 : count, all, outputs));
        require(dlviz_report_run_num_frames(run) == frames + (status == DLVIZ_OK),
                "one frame more");
        break;
    }
    case 4: {
        const dlviz_film *film = a_film();
        if (CALL(dlviz_report_run_add_film(run, film)) != DLVIZ_OK)
            require(dlviz_report_run_num_frames(run) == frames, "the run is as before");
        break;
    }
    case 5:
        (void)CALL(dlviz_report_run_set_neighbors(
            run, fitting(DLVIZ_INT64, 2, (int64_t[]){points, 1 + below(3)}, FILL_LABELS)));
        break;
    case 6:
        MAKE(tensor, dlviz_report_run_get_neighbors(run, out));
        break;
    case 7: {
        const dlviz_network *network = a_network();
        const char *layer = a_bool() ? NULL : a_name();
        (void)CALL(dlviz_report_run_set_network(run, network, layer));
        break;
    }
    case 8: {
        const dlviz_trainer *trainer = a_trainer();
        (void)CALL(dlviz_report_run_set_history(run, trainer));
        break;
    }
    case 9:
        (void)CALL(dlviz_report_run_add_curve(run, text, other,
                                              one_in(8) ? -below(2) : 1 + below(8),
                                              a_bool() ? NULL : x, one_in(20) ? NULL : y));
        break;
    case 10:
        (void)CALL(dlviz_report_run_add_fact(run, text, other));
        break;
    case 11:
        (void)CALL(dlviz_report_run_add_measure(run, text, a_text(), other, y[0], y[1], y[2]));
        break;
    default: {
        int64_t count = below(4);
        const dlviz_tensor *maps_of =
            fitting(DLVIZ_FLOAT32, 3, (int64_t[]){count, 3, 3}, FILL_SMALL);
        (void)CALL(dlviz_report_run_set_attribution(run, count, chosen, maps_of));
    }
    }
}

void call_report(void) {
    dlviz_report *report = a_report();
    const char *path = a_path(), *title = a_text();
    blob file;
    switch (!report && !one_in(8) ? 0 : below(16)) {
    case 0:
        make_report();
        break;
    case 1: {
        int64_t points = one_in(16) ? an_int() : one_in(6) ? 0 : 2 + below(8);
        MAKE(report, dlviz_report_create(out, title, points));
        break;
    }
    case 2:
    case 3:
    case 4:
        set_points(report);
        break;
    case 5:
        add_run(report);
        break;
    case 6:
    case 7:
    case 8:
    case 9:
    case 10:
        fill_run(report);
        break;
    case 11:
        see_report(report);
        break;
    case 12:
        if (one_in(3))
            (void)CALL(dlviz_report_write(report, path));
        break;
    case 13:
        if (one_in(3))
            WRITE(dlviz_report_write_memory(report, bytes, size));
        break;
    case 14: {
        int64_t runs = dlviz_report_num_runs(report);
        file = a_blob();
        dlviz_status status = a_bool()
                                  ? CALL(dlviz_report_merge(report, path))
                                  : CALL(dlviz_report_merge_memory(report, file.bytes, file.size));
        require(status == DLVIZ_OK || dlviz_report_num_runs(report) == runs,
                "the report is as before");
        break;
    }
    default:
        drop_report();
    }
}
