/* Calls of dlviz/tsne.h and film.h. */
#include "calls.h"

#include <math.h>

DECLARE_SETTINGS(tsne)

enum { MOST_ITERATIONS = 10 };

static const tsne_number numbers[] = {
    {dlviz_tsne_set_perplexity, dlviz_tsne_perplexity, 1, 1e6},
    {dlviz_tsne_set_learning_rate, dlviz_tsne_learning_rate, 0, 1e12},
    {dlviz_tsne_set_degrees_of_freedom, dlviz_tsne_degrees_of_freedom, 0.05, 1e4},
    {dlviz_tsne_set_angle, dlviz_tsne_angle, 0, 1},
    {dlviz_tsne_set_cell_size, dlviz_tsne_cell_size, 0, 10},
    {dlviz_tsne_set_transform_perplexity, dlviz_tsne_transform_perplexity, 1, 1e6},
    {dlviz_tsne_set_transform_learning_rate, dlviz_tsne_transform_learning_rate, ABOVE_0, 1e12},
    {dlviz_tsne_set_transform_exaggeration, dlviz_tsne_transform_exaggeration, ABOVE_0, 1e6},
};
static const tsne_count counts[] = {
    {dlviz_tsne_set_num_dimensions, dlviz_tsne_num_dimensions},
    {dlviz_tsne_set_num_iterations, dlviz_tsne_num_iterations},
    {dlviz_tsne_set_num_transform_iterations, dlviz_tsne_num_transform_iterations},
};
static const struct exaggeration {
    dlviz_status (*set)(dlviz_tsne *, double, int64_t);
    void (*get)(const dlviz_tsne *, double *, int64_t *);
} exaggerations[] = {
    {dlviz_tsne_set_early_exaggeration, dlviz_tsne_early_exaggeration},
    {dlviz_tsne_set_late_exaggeration, dlviz_tsne_late_exaggeration},
    {dlviz_tsne_set_stopping, dlviz_tsne_stopping},
};

/* So that a fit is short. */
static void limit(dlviz_tsne *tsne) {
    dlviz_status status = DLVIZ_OK;
    if (dlviz_tsne_num_iterations(tsne) > MOST_ITERATIONS)
        status = dlviz_tsne_set_num_iterations(tsne, below(MOST_ITERATIONS + 1));
    if (dlviz_tsne_num_transform_iterations(tsne) > MOST_ITERATIONS)
        status = dlviz_tsne_set_num_transform_iterations(tsne, below(MOST_ITERATIONS + 1));
    require(status == DLVIZ_OK, "fewer iterations");
}

static bool progress(const dlviz_tsne_event *event, void *user) {
    see_count(dlviz_tsne_event_iteration(event));
    see_count(dlviz_tsne_event_num_iterations(event));
    see_number(dlviz_tsne_event_kl_divergence(event));
    see_number(dlviz_tsne_event_gradient_norm(event));
    see_tensor(dlviz_tsne_event_map(event));
    if (one_in(8)) {
        disturb();
        require(CALL(dlviz_tsne_set_seed(user, 1)) == DLVIZ_ERROR_STATE,
                "a handle in use is refused");
    }
    return !one_in(16);
}

static void see_tsne(const dlviz_tsne *tsne) {
    double number, other;
    int64_t count;
    see_number(dlviz_tsne_kl_divergence(tsne));
    see_count(dlviz_tsne_num_iterations_done(tsne));
    see_count(dlviz_tsne_num_neighbors(tsne));
    see_number(dlviz_tsne_perplexity_used(tsne));
    require((unsigned)dlviz_tsne_method_used(tsne) < 4, "a method");
    require(dlviz_tsne_seconds(tsne, (dlviz_tsne_stage)an_enum(3)) >= 0, "seconds");
    see_tensor(dlviz_tsne_initial_map(tsne));
    const double *perplexities = dlviz_tsne_perplexities(tsne);
    for (int64_t i = 0; i < dlviz_tsne_num_perplexities(tsne); i++)
        require(perplexities[i] >= 1, "a perplexity");
    for (int64_t i = 0; i < COUNT(exaggerations); i++) {
        exaggerations[i].get(tsne, &number, &count);
        exaggerations[i].get(tsne, NULL, NULL);
    }
    dlviz_tsne_momentum(tsne, &number, &other);
    dlviz_tsne_momentum(tsne, NULL, NULL);
    (void)dlviz_tsne_seed(tsne);
    (void)dlviz_tsne_comm(tsne);
}

static void set(dlviz_tsne *tsne) {
    double number = a_bool() ? a_number() : a_share(), other = a_share(), got, perplexities[16];
    int64_t count = one_in(4) ? an_int() : below(8), got_count;
    switch (below(14)) {
    case 0:
    case 1:
        SET_NUMBER(tsne, numbers[below(COUNT(numbers))], tsne, number);
        break;
    case 2:
        SET_COUNT(tsne, counts[below(COUNT(counts))], tsne, count);
        break;
    case 3: {
        const struct exaggeration *setting = &exaggerations[below(COUNT(exaggerations))];
        if (CALL(setting->set(tsne, number, count)) == DLVIZ_OK) {
            setting->get(tsne, &got, &got_count);
            require(got == number && got_count == count, "a pair is what it was set to");
        }
        break;
    }
    case 4:
        if (CALL(dlviz_tsne_set_momentum(tsne, number, other)) == DLVIZ_OK)
            require(number >= 0 && number < 1 && other >= 0 && other < 1, "a momentum");
        break;
    case 5:
        for (int i = 0; i < 16; i++)
            perplexities[i] = one_in(20) ? a_number() : 2 + i;
        (void)CALL(
            dlviz_tsne_set_perplexities(tsne, below(18) - 1 > 16 ? 16 : below(17), perplexities));
        break;
    case 6: {
        dlviz_tsne_distance_kind distance = (dlviz_tsne_distance_kind)an_enum(2);
        if (CALL(dlviz_tsne_set_distance(tsne, distance)) == DLVIZ_OK)
            require(dlviz_tsne_distance(tsne) == distance && (unsigned)distance < 2, "a distance");
        break;
    }
    case 7: {
        dlviz_tsne_init_kind init = (dlviz_tsne_init_kind)an_enum(2);
        if (CALL(dlviz_tsne_set_init(tsne, init)) == DLVIZ_OK)
            require(dlviz_tsne_init(tsne) == init && (unsigned)init < 2, "a start");
        break;
    }
    case 8: {
        dlviz_tsne_method_kind method = (dlviz_tsne_method_kind)an_enum(4);
        if (CALL(dlviz_tsne_set_method(tsne, method)) == DLVIZ_OK)
            require(dlviz_tsne_method(tsne) == method && (unsigned)method < 4, "a method");
        break;
    }
    case 9: {
        const dlviz_tensor *map = one_in(3) ? NULL : floats(few_rows(), 1 + below(4));
        if (CALL(dlviz_tsne_set_initial_map(tsne, map)) == DLVIZ_OK)
            require(is_finite_tensor(dlviz_tsne_initial_map(tsne)), "a start is finite");
        break;
    }
    case 10:
        (void)CALL(dlviz_tsne_set_seed(tsne, a_seed()));
        break;
    case 11:
    case 12:
        (void)CALL(dlviz_tsne_set_progress(tsne, one_in(4) ? an_int() : 1 + below(4),
                                           one_in(4) ? NULL : progress, tsne));
        break;
    default: {
        dlviz_comm *comm = a_comm();
        (void)CALL(dlviz_tsne_set_comm(tsne, comm));
    }
    }
}

/* A fit gives a finite map, a cancelled one may give one, and a failure none. */
static void judge_map(dlviz_status status, dlviz_tensor *map) {
    if (status == DLVIZ_OK)
        require(map != NULL && map != NOT_MADE, "a map");
    else if (status != DLVIZ_CANCELLED)
        require(map == NULL, "a failure gives NULL");
    if (map) {
        require(is_finite_tensor(map), "maps are finite");
        keep_tensor(map);
    }
}

static void fit(dlviz_tsne *tsne) {
    int64_t rows = few_rows(), k = 1 + below(6);
    dlviz_tensor *map = NOT_MADE;
    const dlviz_tensor *indices, *distances;
    dlviz_status status;
    limit(tsne);
    switch (below(5)) {
    case 0: {
        spare_allocations(true);
        dlviz_tensor *found = NULL, *far = NULL,
                     *points = new_tensor(DLVIZ_FLOAT32, 2, (int64_t[]){rows, 3}, FILL_SMALL);
        status = dlviz_neighbors(points, k, 1, &found, &far);
        spare_allocations(false);
        borrow(points);
        borrow(found);
        borrow(far);
        indices = one_in(8) ? fitting(DLVIZ_INT64, 2, (int64_t[]){rows, k}, FILL_LABELS) : found;
        distances = one_in(8) ? floats(rows, k) : far;
        status = CALL(dlviz_tsne_fit_neighbors(tsne, indices, distances, &map));
        break;
    }
    case 1: {
        /* A ring: each row has one entry, the next. */
        int64_t next = rows + 1;
        dlviz_tensor *offsets = borrow(new_tensor(DLVIZ_INT64, 1, &next, FILL_LABELS));
        dlviz_tensor *columns = borrow(new_tensor(DLVIZ_INT64, 1, &rows, FILL_LABELS));
        const dlviz_tensor *values = fitting(DLVIZ_FLOAT32, 1, &rows, FILL_SHARES);
        if (!offsets || !columns)
            return;
        for (int64_t i = 0; i <= rows; i++)
            ((int64_t *)dlviz_tensor_data(offsets))[i] = i;
        for (int64_t i = 0; i < rows; i++)
            ((int64_t *)dlviz_tensor_data(columns))[i] = (i + 1) % rows;
        if (one_in(8))
            ((int64_t *)dlviz_tensor_data(one_in(2) ? offsets : columns))[below(rows)] = an_int();
        status = CALL(dlviz_tsne_fit_affinities(tsne, offsets, columns, values, &map));
        break;
    }
    default:
        status = CALL(dlviz_tsne_fit(tsne, floats(one_in(8) ? 1 : rows, 1 + below(6)), &map));
    }
    judge_map(status, map);
}

void call_tsne(void) {
    dlviz_tsne *tsne = a_tsne();
    const char *path = a_path();
    blob file;
    switch (!tsne && !one_in(8) ? 0 : below(14)) {
    case 0:
    case 1:
        MAKE(tsne, dlviz_tsne_create(out));
        break;
    case 2:
    case 3:
    case 4:
    case 5:
        set(tsne);
        break;
    case 6:
    case 7:
    case 8:
        fit(tsne);
        break;
    case 9: {
        dlviz_tensor *map = NOT_MADE;
        limit(tsne);
        dlviz_status status =
            CALL(dlviz_tsne_transform(tsne, floats(1 + below(5), 1 + below(6)), &map));
        judge_map(status, map);
        break;
    }
    case 10:
        MAKE(tensor, dlviz_tsne_history(tsne, out));
        break;
    case 11:
        if (a_bool())
            (void)CALL(dlviz_tsne_save(tsne, path));
        else
            WRITE(dlviz_tsne_save_memory(tsne, bytes, size));
        break;
    case 12:
        if (a_bool()) {
            MAKE(tsne, dlviz_tsne_open(out, path));
        } else {
            file = a_blob();
            MAKE(tsne, dlviz_tsne_open_memory(out, file.bytes, file.size));
        }
        break;
    default:
        drop_tsne();
    }
    see_tsne(a_tsne());
}

/* -- Films -------------------------------------------------------------------------------------- */

static void see_film(const dlviz_film *film) {
    int64_t index = an_index();
    for (int64_t i = 0; i < dlviz_film_num_frames(film); i++) {
        see_tensor(dlviz_film_components(film, i));
        see_tensor(dlviz_film_outputs(film, i));
        require(is_finite_tensor(dlviz_film_tsne_map(film, i)) &&
                    is_finite_tensor(dlviz_film_pca_map(film, i)),
                "maps are finite");
        see_tensor(dlviz_film_tsne_map(film, i));
        see_tensor(dlviz_film_pca_map(film, i));
        require(i == 0 || dlviz_film_epoch(film, i) > dlviz_film_epoch(film, i - 1),
                "epochs ascend");
    }
    see_tensor(dlviz_film_components(film, index));
    see_number(dlviz_film_kl_divergence(film, index));
    see_count(dlviz_film_num_points(film));
    (void)dlviz_film_wants(an_int(), an_int());
}

static uint64_t maps_of(const dlviz_film *film) {
    uint64_t mark = 0;
    for (int64_t i = 0; i < dlviz_film_num_frames(film); i++)
        mark = mark_of(dlviz_film_tsne_map(film, i), mark_of(dlviz_film_pca_map(film, i), mark));
    return mark;
}

static void fit_film(dlviz_film *film) {
    dlviz_tsne *tsne = a_tsne();
    if (!tsne && !one_in(8)) {
        MAKE(tsne, dlviz_tsne_create(out));
        return;
    }
    limit(tsne);
    if (dlviz_film_num_later_iterations(film) > MOST_ITERATIONS &&
        dlviz_film_set_num_later_iterations(film, 2) != DLVIZ_OK)
        return;
    uint64_t before = maps_of(film);
    if (CALL(dlviz_film_fit(film, tsne)) != DLVIZ_OK)
        require(maps_of(film) == before, "a fit that fails leaves the former maps");
}

void call_film(void) {
    dlviz_film *film = a_film();
    const char *path = a_path();
    int64_t frames = dlviz_film_num_frames(film), count, rows = dlviz_film_num_points(film);
    blob file;
    switch (!film && !one_in(8) ? 0 : below(12)) {
    case 0:
        MAKE(film, dlviz_film_create(out));
        break;
    case 1:
    case 2:
    case 3: {
        rows = rows > 0 && !one_in(8) ? rows : few_rows();
        const dlviz_tensor *features = floats(rows, 1 + below(6));
        const dlviz_tensor *outputs = a_bool() ? NULL : floats(rows, 3);
        int64_t epoch = one_in(8) ? an_int() : frames + below(2);
        dlviz_status status = CALL(dlviz_film_add(film, epoch, features, outputs));
        require(status == DLVIZ_OK || dlviz_film_num_frames(film) == frames,
                "a frame that is refused");
        break;
    }
    case 4:
        (void)CALL(dlviz_film_thin(film, a_bool() ? an_int() : frames));
        break;
    case 5:
        count = an_int();
        if (CALL(dlviz_film_set_num_later_iterations(film, count)) == DLVIZ_OK)
            require(dlviz_film_num_later_iterations(film) == count && count >= 0, "a setting");
        break;
    case 6:
    case 7:
        fit_film(film);
        break;
    case 8: {
        rows = few_rows();
        count = 1 + below(4);
        const dlviz_tensor *map = floats(rows, count), *reference = floats(rows, count);
        MAKE(tensor, dlviz_align(map, reference, out));
        break;
    }
    case 9:
        if (a_bool())
            (void)CALL(dlviz_film_save(film, path));
        else
            WRITE(dlviz_film_save_memory(film, bytes, size));
        break;
    case 10:
        if (a_bool()) {
            MAKE(film, dlviz_film_open(out, path));
        } else {
            file = a_blob();
            MAKE(film, dlviz_film_open_memory(out, file.bytes, file.size));
        }
        break;
    default:
        drop_film();
    }
    see_film(a_film());
}
