/* Films: which epochs, what a film keeps, saves and refuses, and its frames on a page. */
#include "support/failing.h"
#include "support/maps.h"
#include "support/netspec.h"
#include "support/tsne.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define INVALID DLVIZ_ERROR_INVALID_ARGUMENT

/* -- Epochs --------------------------------------------------------------------------------------
 */

START_TEST(epochs_of_a_film) {
    const int64_t twenty[] = {0, 1, 2, 3, 5, 8, 13, 20};
    int at = 0;
    for (int64_t epoch = -1; epoch <= 25; epoch++)
        if (dlviz_film_wants(epoch, 20))
            ck_assert_int_eq(epoch, twenty[at++]);
    ck_assert_int_eq(at, 8);
    for (int64_t last = 0; last < 3000; last += last < 300 ? 1 : 97) {
        int count = 0;
        for (int64_t epoch = 0; epoch <= last; epoch++)
            count += dlviz_film_wants(epoch, last);
        ck_assert(dlviz_film_wants(0, last) && dlviz_film_wants(last, last));
        ck_assert(!dlviz_film_wants(last + 1, last) && !dlviz_film_wants(-1, last));
        ck_assert_int_le(count, 12);
        ck_assert_int_ge(count, last < 4 ? last + 1 : last < 144 ? 5 : 12);
    }
    ck_assert(dlviz_film_wants(1000000000, 1000000000));
    ck_assert(!dlviz_film_wants(0, -1));
}
END_TEST

/* -- Frames --------------------------------------------------------------------------------------
 */

enum { N = 90, D = 8, C = 3 };

/* Features in which classes grow apart from epoch to epoch. */
static dlviz_tensor *features_at(int64_t epoch) {
    dlviz_tensor *features = blobs(N, D, 1);
    for (int64_t i = 0; i < N * D; i++)
        dlviz_tensor_float(features)[i] += (float)epoch * (float)(i % D == i / D % 4) * 2;
    return features;
}

static dlviz_status add(dlviz_film *film, int64_t epoch, bool with_outputs) {
    dlviz_tensor *features = features_at(epoch), *outputs = matrix(N, C, NULL);
    fill_uniform(dlviz_tensor_float(outputs), N * C, (uint64_t)epoch);
    dlviz_status status = dlviz_film_add(film, epoch, features, with_outputs ? outputs : NULL);
    dlviz_tensor_destroy(features);
    dlviz_tensor_destroy(outputs);
    return status;
}

static dlviz_film *film_of(int64_t count, const int64_t *epochs) {
    dlviz_film *film;
    ck_ok(dlviz_film_create(&film));
    for (int64_t i = 0; i < count; i++)
        ck_ok(add(film, epochs[i], true));
    ck_ok(dlviz_film_set_num_later_iterations(film, 60));
    return film;
}

static dlviz_tsne *quick_tsne(void) {
    dlviz_tsne *tsne;
    ck_ok(dlviz_tsne_create(&tsne));
    ck_ok(dlviz_tsne_set_perplexity(tsne, 10));
    ck_ok(dlviz_tsne_set_num_iterations(tsne, 200));
    ck_ok(dlviz_tsne_set_early_exaggeration(tsne, 12, 80));
    return tsne;
}

static void expect_equal(const dlviz_tensor *a, const dlviz_tensor *b) {
    ck_assert((a == NULL) == (b == NULL));
    if (!a)
        return;
    ck_assert_int_eq(dlviz_tensor_num_elements(a), dlviz_tensor_num_elements(b));
    ck_assert_int_eq(dlviz_tensor_dim(a, 1), dlviz_tensor_dim(b, 1));
    ck_assert_mem_eq(dlviz_tensor_const_data(a), dlviz_tensor_const_data(b),
                     (size_t)dlviz_tensor_num_elements(a) * sizeof(float));
}

static void expect_equal_films(const dlviz_film *a, const dlviz_film *b) {
    ck_assert_int_eq(dlviz_film_num_frames(a), dlviz_film_num_frames(b));
    ck_assert_int_eq(dlviz_film_num_points(a), dlviz_film_num_points(b));
    ck_assert_int_eq(dlviz_film_num_later_iterations(a), dlviz_film_num_later_iterations(b));
    for (int64_t i = 0; i < dlviz_film_num_frames(a); i++) {
        ck_assert_int_eq(dlviz_film_epoch(a, i), dlviz_film_epoch(b, i));
        expect_equal(dlviz_film_components(a, i), dlviz_film_components(b, i));
        expect_equal(dlviz_film_outputs(a, i), dlviz_film_outputs(b, i));
        expect_equal(dlviz_film_pca_map(a, i), dlviz_film_pca_map(b, i));
        expect_equal(dlviz_film_tsne_map(a, i), dlviz_film_tsne_map(b, i));
        double x = dlviz_film_kl_divergence(a, i), y = dlviz_film_kl_divergence(b, i);
        ck_assert((isnan(x) && isnan(y)) || x == y);
    }
}

static const int64_t some_epochs[] = {0, 1, 2, 5};

/* A map whose wider axis has a deviation of 1e-4. */
static dlviz_tensor *shrunk(const dlviz_tensor *map) {
    dlviz_tensor *start;
    double largest = 0;
    ck_ok(dlviz_tensor_copy(map, &start));
    float *values = dlviz_tensor_float(start);
    for (int c = 0; c < 2; c++) {
        double sum = 0, squares = 0;
        for (int i = c; i < 2 * N; i += 2)
            sum += values[i];
        for (int i = c; i < 2 * N; i += 2)
            squares += (values[i] - sum / N) * (values[i] - sum / N);
        largest = fmax(largest, sqrt(squares / N));
    }
    for (int i = 0; i < 2 * N; i++)
        values[i] = (float)(values[i] * (1e-4 / largest));
    return start;
}

/* The maps beside the same chain made by hand, with public functions alone. */
START_TEST(maps_are_made_forwards) {
    dlviz_film *film = film_of(4, some_epochs);
    dlviz_tsne *tsne = quick_tsne(), *hand = quick_tsne();
    ck_ok(dlviz_film_fit(film, tsne));
    dlviz_tensor *maps[4];
    for (int64_t i = 0; i < 4; i++) {
        if (i > 0) {
            dlviz_tensor *start = shrunk(maps[i - 1]);
            ck_ok(dlviz_tsne_set_initial_map(hand, start));
            ck_ok(dlviz_tsne_set_num_iterations(hand, 60));
            ck_ok(dlviz_tsne_set_early_exaggeration(hand, 12, 24));
            dlviz_tensor_destroy(start);
        }
        ck_ok(dlviz_tsne_fit(hand, dlviz_film_components(film, i), &maps[i]));
        ck_assert_double_eq(dlviz_film_kl_divergence(film, i), dlviz_tsne_kl_divergence(hand));
    }
    for (int64_t i = 0; i < 4; i++) {
        dlviz_tensor *aligned;
        if (i < 3)
            ck_ok(dlviz_align(maps[i], maps[3], &aligned));
        else
            ck_ok(dlviz_tensor_copy(maps[3], &aligned));
        expect_equal(dlviz_film_tsne_map(film, i), aligned);
        dlviz_tensor_destroy(aligned);
    }
    /* The handle is as it was, but for the last frame's fit. */
    int64_t early;
    double factor;
    dlviz_tsne_early_exaggeration(tsne, &factor, &early);
    ck_assert(early == 80 && factor == 12);
    ck_assert_int_eq(dlviz_tsne_num_iterations(tsne), 200);
    ck_assert_ptr_null(dlviz_tsne_initial_map(tsne));
    ck_assert_double_eq(dlviz_tsne_kl_divergence(tsne), dlviz_tsne_kl_divergence(hand));
    dlviz_tensor *again;
    ck_ok(dlviz_tsne_transform(tsne, dlviz_film_components(film, 3), &again));
    dlviz_tensor_destroy(again);
    for (int i = 0; i < 4; i++)
        dlviz_tensor_destroy(maps[i]);
    dlviz_tsne_destroy(tsne);
    dlviz_tsne_destroy(hand);
    dlviz_film_destroy(film);
}
END_TEST

/* Each is two columns of the components, moved as a whole. */
START_TEST(pca_maps_lie_on_the_last) {
    dlviz_film *film = film_of(4, some_epochs);
    dlviz_tsne *tsne = quick_tsne();
    ck_ok(dlviz_film_fit(film, tsne));
    for (int64_t i = 0; i < 4; i++) {
        const dlviz_tensor *components = dlviz_film_components(film, i);
        ck_assert_int_eq(dlviz_tensor_dim(components, 1), D);
        dlviz_tensor *first = matrix(N, 2, NULL);
        for (int64_t j = 0; j < 2 * N; j++)
            dlviz_tensor_float(first)[j] = dlviz_tensor_const_float(components)[j / 2 * D + j % 2];
        expect_same_shape_of(dlviz_film_pca_map(film, i), first);
        dlviz_tensor_destroy(first);
    }
    dlviz_tsne_destroy(tsne);
    dlviz_film_destroy(film);
}
END_TEST

START_TEST(threads_do_not_matter) {
    dlviz_film *films[2];
    dlviz_tsne *tsne = quick_tsne();
    for (int i = 0; i < 2; i++) {
        ck_ok(dlviz_set_num_threads(1 + 3 * i));
        films[i] = film_of(3, some_epochs);
        ck_ok(dlviz_film_fit(films[i], tsne));
    }
    expect_equal_films(films[0], films[1]);
    for (int i = 0; i < 2; i++)
        dlviz_film_destroy(films[i]);
    dlviz_tsne_destroy(tsne);
}
END_TEST

/* A run that is resumed from epoch 1 repeats 2 and 5; another may not go back to 3. */
START_TEST(frames_are_replaced_and_thinned) {
    dlviz_film *film = film_of(4, some_epochs), *repeated = film_of(4, some_epochs);
    dlviz_tsne *tsne = quick_tsne();
    ck_ok(dlviz_film_fit(repeated, tsne));
    ck_ok(add(repeated, 2, true));
    ck_ok(add(repeated, 5, true));
    expect_equal_films(repeated, film); /* and the maps are gone */
    ck_fails(add(repeated, 3, true), INVALID, "'epoch' is 3 and the film has come to 5");
    ck_fails(add(repeated, -1, true), INVALID, "'epoch' is -1");
    ck_ok(add(repeated, 2, false));
    ck_assert_ptr_null(dlviz_film_outputs(repeated, 2));
    ck_assert_ptr_nonnull(dlviz_film_outputs(repeated, 1));
    dlviz_film_destroy(repeated);

    /* Planned for 20, gone on to 60: 13 frames. */
    const int64_t all[] = {0, 1, 2, 3, 5, 8, 13, 20, 21, 34, 37, 55, 60};
    dlviz_film *longer = film_of(13, all);
    ck_fails(dlviz_film_thin(longer, 59), INVALID, "the film has epoch 60");
    ck_ok(dlviz_film_thin(longer, 60));
    const int64_t kept[] = {0, 1, 2, 3, 5, 8, 13, 21, 34, 55, 60};
    ck_assert_int_eq(dlviz_film_num_frames(longer), 11);
    for (int64_t i = 0; i < 11; i++)
        ck_assert_int_eq(dlviz_film_epoch(longer, i), kept[i]);
    ck_ok(dlviz_film_fit(longer, tsne));
    ck_ok(dlviz_film_thin(longer, 60));
    ck_assert_ptr_nonnull(dlviz_film_tsne_map(longer, 4));
    ck_ok(dlviz_film_thin(longer, 1000000));
    ck_assert_int_le(dlviz_film_num_frames(longer), 12);
    ck_assert_int_eq(dlviz_film_epoch(longer, dlviz_film_num_frames(longer) - 1), 60);
    ck_assert_int_eq(dlviz_film_epoch(longer, 0), 0);
    dlviz_film_destroy(longer);
    /* Ended early, at 7, which was not planned. */
    const int64_t early[] = {0, 1, 2, 3, 5, 7};
    longer = film_of(6, early);
    ck_ok(dlviz_film_thin(longer, 7));
    ck_assert_int_eq(dlviz_film_num_frames(longer), 6);
    dlviz_film_destroy(longer);
    dlviz_tsne_destroy(tsne);
    dlviz_film_destroy(film);
}
END_TEST

START_TEST(saved_films_are_opened) {
    dlviz_film *film = film_of(4, some_epochs), *again, *empty;
    dlviz_tsne *tsne = quick_tsne();
    ck_ok(add(film, 2, false));
    void *bytes;
    size_t size;
    for (int fitted = 0; fitted < 2; fitted++) {
        ck_ok(dlviz_film_save_memory(film, &bytes, &size));
        ck_ok(dlviz_film_open_memory(&again, bytes, size));
        expect_equal_films(film, again);
        if (!fitted) { /* goes on as the one that was saved would */
            ck_ok(dlviz_film_fit(again, tsne));
            ck_ok(dlviz_film_fit(film, tsne));
            expect_equal_films(film, again);
        }
        dlviz_film_destroy(again);
        ((unsigned char *)bytes)[size - 5] ^= 1;
        ck_fails(dlviz_film_open_memory(&again, bytes, size), DLVIZ_ERROR_FORMAT, "checksum");
        ck_assert_ptr_null(again);
        ck_fails(dlviz_film_open_memory(&again, bytes, size / 2), DLVIZ_ERROR_FORMAT,
                 "dlviz_film_open_memory");
        dlviz_free(bytes);
    }
    const char *path = scratch_path("film.safetensors");
    ck_ok(dlviz_film_save(film, path));
    ck_ok(dlviz_film_open(&again, path));
    expect_equal_films(film, again);
    dlviz_film_destroy(again);
    ck_ok(dlviz_film_create(&empty));
    ck_ok(dlviz_film_save(empty, path));
    ck_ok(dlviz_film_open(&again, path));
    ck_assert_int_eq(dlviz_film_num_frames(again), 0);
    dlviz_film_destroy(again);
    dlviz_film_destroy(empty);
    dlviz_network *network = net_from_text("4", "fc:linear,out=2");
    ck_ok(dlviz_network_save(network, path));
    ck_fails(dlviz_film_open(&again, path), DLVIZ_ERROR_FORMAT, "not a saved film");
    dlviz_network_destroy(network);
    dlviz_tsne_destroy(tsne);
    dlviz_film_destroy(film);
}
END_TEST

/* Contents that are whole, and no film's. */
START_TEST(files_that_do_not_fit_together) {
    dlviz_film *film = film_of(3, some_epochs), *again;
    dlviz_tsne *tsne = quick_tsne();
    ck_ok(dlviz_film_fit(film, tsne));
    void *bytes;
    size_t size;
    ck_ok(dlviz_film_save_memory(film, &bytes, &size));
    dlviz_tensor *fewer = random_map(N - 1, 2, 1), *inf = random_map(N, 2, 1),
                 *wide = matrix(N, 51, NULL);
    dlviz_tensor_float(inf)[7] = INFINITY;
    const struct {
        const char *name, *words;
        const dlviz_tensor *tensor;
    } wrong[] = {{"1.tsne", "no '1.tsne'", NULL},
                 {"1.tsne", "'1.tsne' has another type or shape", fewer},
                 {"0.pca", "NaN or infinity", inf},
                 {"2.components", "another type or shape", wide},
                 {"2.outputs", "several widths", wide},
                 {"1.components", "'1.components' has another type or shape", fewer}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        dlviz_safetensors *file;
        void *changed;
        size_t changed_size;
        ck_ok(dlviz_safetensors_open_memory(&file, bytes, size));
        ck_ok(dlviz_safetensors_remove(file, wrong[i].name));
        if (wrong[i].tensor)
            ck_ok(dlviz_safetensors_add(file, wrong[i].name, wrong[i].tensor));
        ck_ok(dlviz_safetensors_save_memory(file, &changed, &changed_size));
        ck_fails(dlviz_film_open_memory(&again, changed, changed_size), DLVIZ_ERROR_FORMAT,
                 wrong[i].words);
        dlviz_free(changed);
        dlviz_safetensors_destroy(file);
    }
    const char *const descriptions[] = {
        "{}",
        "{\"later_iterations\":60,\"epochs\":[0,1,1]}",
        "{\"later_iterations\":60,\"epochs\":[0,2,1]}",
        "{\"later_iterations\":60,\"epochs\":[-1,2,3]}",
        "{\"later_iterations\":60,\"epochs\":[0,1.5,3]}",
        "{\"later_iterations\":-1,\"epochs\":[0,1,3]}",
        "{\"later_iterations\":60,\"epochs\":[0,1,2,3]}",
        "{\"later_iterations\":60,\"epochs\":[0,1,2],\"kl_divergences\":[1,2]}",
        "{\"later_iterations\":60,\"epochs\":[0,1,2],\"kl_divergences\":[1,2,\"3\"]}",
        "{\"later_iterations\":60,\"epochs\":[0,1,2],\"kl_divergences\":[1,2,-3]}"};
    for (size_t i = 0; i < sizeof descriptions / sizeof *descriptions; i++) {
        dlviz_safetensors *file;
        void *changed;
        size_t changed_size;
        ck_ok(dlviz_safetensors_open_memory(&file, bytes, size));
        ck_ok(dlviz_safetensors_set_metadata(file, "dlviz.film", descriptions[i]));
        ck_ok(dlviz_safetensors_save_memory(file, &changed, &changed_size));
        ck_fails(dlviz_film_open_memory(&again, changed, changed_size), DLVIZ_ERROR_FORMAT,
                 "not a saved film");
        dlviz_free(changed);
        dlviz_safetensors_destroy(file);
    }
    dlviz_free(bytes);
    dlviz_tensor_destroy(fewer);
    dlviz_tensor_destroy(inf);
    dlviz_tensor_destroy(wide);
    dlviz_tsne_destroy(tsne);
    dlviz_film_destroy(film);
}
END_TEST

/* -- Hard features -------------------------------------------------------------------------------
 */

/* A network that dies: constant features; then one column that lives, then few points, one dimension. */
START_TEST(constant_features_have_maps) {
    dlviz_film *film;
    dlviz_tsne *tsne = quick_tsne();
    for (int dimensions = 1; dimensions <= 3; dimensions++) {
        ck_ok(dlviz_film_create(&film));
        ck_ok(dlviz_tsne_set_num_dimensions(tsne, dimensions));
        dlviz_tensor *features = features_at(0);
        ck_ok(dlviz_film_add(film, 0, features, NULL));
        for (int64_t i = 0; i < N * D; i++)
            dlviz_tensor_float(features)[i] = 3;
        ck_ok(dlviz_film_add(film, 1, features, NULL));
        for (int64_t i = 0; i < N; i++)
            dlviz_tensor_float(features)[i * D] = (float)i;
        ck_ok(dlviz_film_add(film, 2, features, NULL));
        ck_ok(dlviz_film_fit(film, tsne));
        for (int64_t i = 0; i < 3; i++) {
            check_map(dlviz_film_tsne_map(film, i), N, dimensions);
            check_map(dlviz_film_pca_map(film, i), N, dimensions);
            ck_assert(isfinite(dlviz_film_kl_divergence(film, i)));
        }
        dlviz_tensor_destroy(features);
        dlviz_film_destroy(film);
    }
    /* A dead network from the beginning, and one feature of two points. */
    for (int64_t n = 2; n <= 40; n += 38) {
        ck_ok(dlviz_film_create(&film));
        dlviz_tensor *one = matrix(n, 1, NULL);
        for (int64_t epoch = 0; epoch < 2; epoch++) {
            ck_ok(dlviz_film_add(film, epoch, one, one));
            dlviz_tensor_float(one)[1] = 1;
        }
        ck_ok(dlviz_film_fit(film, tsne));
        check_map(dlviz_film_tsne_map(film, 0), n, 3);
        ck_assert_int_eq(dlviz_tensor_dim(dlviz_film_components(film, 1), 1), 1);
        dlviz_tensor_destroy(one);
        dlviz_film_destroy(film);
    }
    dlviz_tsne_destroy(tsne);
}
END_TEST

/* A network that has nearly died: what float32 cannot square still tells points apart. */
START_TEST(tiny_features_have_the_maps_of_others) {
    dlviz_tsne *tsne = quick_tsne();
    dlviz_film *films[3];
    static const int exponents[] = {0, -60, -110};
    for (int f = 0; f < 3; f++) {
        ck_ok(dlviz_film_create(&films[f]));
        dlviz_tensor *features = features_at(0);
        float *values = dlviz_tensor_float(features);
        for (int64_t i = 0; i < N * D; i++)
            values[i] = ldexpf(roundf(16 * values[i]), exponents[f]);
        ck_ok(dlviz_film_add(films[f], 0, features, NULL));
        ck_ok(dlviz_film_fit(films[f], tsne));
        dlviz_tensor_destroy(features);
        check_map(dlviz_film_tsne_map(films[f], 0), N, 2);
        ck_assert_mem_eq(dlviz_tensor_const_data(dlviz_film_tsne_map(films[f], 0)),
                         dlviz_tensor_const_data(dlviz_film_tsne_map(films[0], 0)),
                         N * 2 * sizeof(float));
    }
    for (int f = 0; f < 3; f++)
        dlviz_film_destroy(films[f]);
    dlviz_tsne_destroy(tsne);
}
END_TEST

/* Few points, whose start early exaggeration loses: where nothing was learned nothing moves, however
 * short the later frames' exaggeration is, which is a quarter of their iterations. */
START_TEST(what_stays_the_same_stays_in_its_place) {
    enum { n = 60 };
    dlviz_tensor *features = random_map(n, 5, 3);
    for (int64_t later = 180; later <= 220; later += 10) {
        dlviz_film *film;
        dlviz_tsne *tsne;
        ck_ok(dlviz_film_create(&film));
        ck_ok(dlviz_tsne_create(&tsne));
        ck_ok(dlviz_film_set_num_later_iterations(film, later));
        for (int64_t epoch = 0; epoch < 3; epoch++)
            ck_ok(dlviz_film_add(film, epoch, features, NULL));
        ck_ok(dlviz_film_fit(film, tsne));
        const dlviz_tensor *last = dlviz_film_tsne_map(film, 2);
        double squares = 0;
        for (int64_t i = 0; i < 2 * n; i++)
            squares += pow((double)dlviz_tensor_const_float(last)[i], 2);
        for (int64_t i = 0; i < 2; i++) {
            double moved = sqrt(distance_of(dlviz_film_tsne_map(film, i), last) / squares);
            ck_assert_msg(moved < 0.1, "%d iterations, frame %d: moved by %g", (int)later, (int)i,
                          moved);
        }
        dlviz_tsne_destroy(tsne);
        dlviz_film_destroy(film);
    }
    dlviz_tensor_destroy(features);
}
END_TEST

/* Of any size that float32 holds, and as small beside what all have in common. Without iterations the
 * divergence hangs on what the maps are made of alone. */
START_TEST(features_of_any_size_have_maps) {
    dlviz_tsne *tsne = quick_tsne();
    dlviz_tensor *usual = random_map(N, 3, 4), *features = matrix(N, 4, NULL);
    const double commons[] = {0, 1, 1e-8, 3e38, 0, 1e30, 0, 0, -1};
    const double units[] = {1, 1e-21, 1e-29, 1e17, 1e18, 1e19, 1e37, 1e-44, 1e-44};
    double wanted = NAN;
    ck_ok(dlviz_tsne_set_num_iterations(tsne, 0));
    for (size_t k = 0; k < sizeof units / sizeof *units; k++) {
        for (int64_t i = 0; i < N * 4; i++)
            dlviz_tensor_float(features)[i] =
                (float)(i % 4 == 0
                            ? commons[k]
                            : units[k] * (double)dlviz_tensor_float(usual)[i / 4 * 3 + i % 4 - 1]);
        dlviz_film *film;
        ck_ok(dlviz_film_create(&film));
        for (int64_t epoch = 0; epoch < 2; epoch++)
            ck_ok(dlviz_film_add(film, epoch, features, NULL));
        ck_ok(dlviz_film_fit(film, tsne));
        check_map(dlviz_film_pca_map(film, 0), N, 2);
        check_map(dlviz_film_tsne_map(film, 1), N, 2);
        double divergence = dlviz_film_kl_divergence(film, 0);
        wanted = k == 0 ? divergence : wanted;
        /* Denormal numbers have two digits. */
        double tolerance = units[k] > 1e-40 ? 1e-3 : 0.1;
        ck_assert_msg(fabs(divergence - wanted) < tolerance * wanted,
                      "%g by %g: KL %g instead of %g", commons[k], units[k], divergence, wanted);
        dlviz_film_destroy(film);
    }
    dlviz_tensor_destroy(features);
    dlviz_tensor_destroy(usual);
    dlviz_tsne_destroy(tsne);
}
END_TEST

/* -- On a page -----------------------------------------------------------------------------------
 */

static void write_both(const dlviz_report *a, const dlviz_report *b) {
    void *x, *y;
    size_t size, other;
    ck_ok(dlviz_report_write_memory(a, &x, &size));
    ck_ok(dlviz_report_write_memory(b, &y, &other));
    ck_assert(size == other && memcmp(x, y, size) == 0);
    dlviz_free(x);
    dlviz_free(y);
}

static dlviz_report *report_of(int64_t n, dlviz_report_run **run) {
    dlviz_report *report;
    ck_ok(dlviz_report_create(&report, "film", n));
    ck_ok(dlviz_report_add_run(report, "run", run));
    return report;
}

/* The same bytes as of frames that are added one by one. */
START_TEST(films_become_frames_of_a_page) {
    dlviz_film *film = film_of(4, some_epochs);
    dlviz_tsne *tsne = quick_tsne();
    dlviz_report_run *run, *by_hand;
    dlviz_report *report = report_of(N, &run), *other = report_of(N, &by_hand);
    ck_fails(dlviz_report_run_add_film(run, film), DLVIZ_ERROR_STATE, "dlviz_film_fit");
    ck_ok(dlviz_film_fit(film, tsne));
    ck_ok(dlviz_report_run_add_film(run, film));
    ck_ok(dlviz_report_run_add_map(by_hand, "t-SNE"));
    ck_ok(dlviz_report_run_add_map(by_hand, "PCA"));
    for (int64_t i = 0; i < 4; i++) {
        const dlviz_tensor *maps[] = {dlviz_film_tsne_map(film, i), dlviz_film_pca_map(film, i)};
        ck_ok(dlviz_report_run_add_frame(by_hand, some_epochs[i], 2, maps,
                                         dlviz_film_outputs(film, i)));
    }
    write_both(report, other);
    ck_fails(dlviz_report_run_add_film(run, film), DLVIZ_ERROR_STATE, "2 maps already");
    write_both(report, other);
    dlviz_report_destroy(report);
    dlviz_report_destroy(other);
    dlviz_film_destroy(film);
    dlviz_tsne_destroy(tsne);
}
END_TEST

START_TEST(films_that_fit_no_page_change_nothing) {
    dlviz_film *film = film_of(2, some_epochs), *empty;
    dlviz_tsne *tsne = quick_tsne();
    dlviz_report_run *run, *larger;
    dlviz_report *report = report_of(N, &run), *other = report_of(N + 1, &larger);
    ck_ok(dlviz_film_create(&empty));
    ck_fails(dlviz_report_run_add_film(run, empty), DLVIZ_ERROR_STATE, "no frames");
    ck_ok(dlviz_film_fit(film, tsne));
    ck_fails(dlviz_report_run_add_film(larger, film), DLVIZ_ERROR_SHAPE, "90 points");
    /* Outputs of classes without a name: found when the maps have been named. */
    ck_ok(dlviz_report_set_class_names(report, 2, (const char *[]){"a", "b"}));
    ck_assert(dlviz_report_run_add_film(run, film) != DLVIZ_OK);
    ck_assert(dlviz_report_run_num_maps(run) == 0 && dlviz_report_run_num_frames(run) == 0);
    ck_ok(dlviz_report_set_class_names(report, 3, (const char *[]){"a", "b", "c"}));
    ck_ok(dlviz_report_run_add_film(run, film));
    ck_assert(dlviz_report_run_num_maps(run) == 2 && dlviz_report_run_num_frames(run) == 2);
    ck_ok(dlviz_tsne_set_num_dimensions(tsne, 3));
    ck_ok(dlviz_film_fit(film, tsne));
    dlviz_report_run *flat;
    ck_ok(dlviz_report_add_run(report, "3", &flat));
    ck_fails(dlviz_report_run_add_film(flat, film), DLVIZ_ERROR_SHAPE, "3 dimensions");
    dlviz_report_destroy(report);
    dlviz_report_destroy(other);
    dlviz_film_destroy(film);
    dlviz_film_destroy(empty);
    dlviz_tsne_destroy(tsne);
}
END_TEST

static dlviz_status use_page(void *film) {
    dlviz_report *report;
    dlviz_report_run *run;
    dlviz_status status = dlviz_report_create(&report, "film", N);
    if (status == DLVIZ_OK)
        status = dlviz_report_add_run(report, "run", &run);
    if (status == DLVIZ_OK) {
        status = dlviz_report_run_add_film(run, film);
        ck_assert_int_eq(dlviz_report_run_num_maps(run), status == DLVIZ_OK ? 2 : 0);
        ck_assert_int_eq(dlviz_report_run_num_frames(run), status == DLVIZ_OK ? 2 : 0);
    }
    dlviz_report_destroy(report);
    return status;
}

START_TEST(memory_may_lack_for_a_page) {
    dlviz_film *film = film_of(2, some_epochs);
    dlviz_tsne *tsne = quick_tsne();
    ck_ok(dlviz_film_fit(film, tsne));
    ck_ok(dlviz_set_num_threads(1));
    ck_assert_int_gt(fail_each_allocation(use_page, film), 10);
    dlviz_film_destroy(film);
    dlviz_tsne_destroy(tsne);
}
END_TEST

START_TEST(what_is_refused) {
    dlviz_film *film = film_of(1, some_epochs);
    dlviz_tsne *tsne = quick_tsne();
    dlviz_tensor *features = features_at(1), *few = random_map(N - 1, D, 1),
                 *one = matrix(1, D, NULL);
    dlviz_tensor *outputs = matrix(N, C + 1, NULL);
    ck_fails(dlviz_film_add(NULL, 1, features, NULL), INVALID, "'film' is NULL");
    ck_fails(dlviz_film_add(film, 1, NULL, NULL), INVALID, "'features' is NULL");
    ck_fails(dlviz_film_add(film, 1, few, NULL), DLVIZ_ERROR_SHAPE,
             "89 rows; those of epoch 0 had 90");
    ck_fails(dlviz_film_add(film, 1, one, NULL), DLVIZ_ERROR_SHAPE, "1 row");
    ck_fails(dlviz_film_add(film, 1, features, few), DLVIZ_ERROR_SHAPE, "'outputs' has 89 rows");
    ck_fails(dlviz_film_add(film, 1, features, outputs), DLVIZ_ERROR_SHAPE,
             "'outputs' has 4 columns");
    dlviz_tensor_float(outputs)[9] = NAN;
    ck_ok(dlviz_film_add(film, 0, features, NULL)); /* the only frame: others may come */
    ck_fails(dlviz_film_add(film, 1, features, outputs), DLVIZ_ERROR_NUMERIC,
             "'outputs' has nan in row 2, column 1");
    dlviz_tensor_float(features)[D] = -INFINITY;
    ck_fails(dlviz_film_add(film, 1, features, NULL), DLVIZ_ERROR_NUMERIC,
             "'features' has -inf in row 1, column 0");
    ck_assert_int_eq(dlviz_film_num_frames(film), 1);
    ck_fails(dlviz_film_set_num_later_iterations(film, -1), INVALID, "-1 iterations");
    ck_fails(dlviz_film_fit(film, NULL), INVALID, "'tsne' is NULL");
    ck_fails(dlviz_film_fit(NULL, tsne), INVALID, "'film' is NULL");
    dlviz_film_destroy(film);
    ck_ok(dlviz_film_create(&film));
    ck_fails(dlviz_film_fit(film, tsne), DLVIZ_ERROR_STATE, "no frames");
    ck_assert(dlviz_film_epoch(film, 0) == 0 && isnan(dlviz_film_kl_divergence(film, 0)));
    ck_assert(!dlviz_film_tsne_map(film, 0) && !dlviz_film_pca_map(film, -1));
    dlviz_film_destroy(film);
    dlviz_tensor_destroy(features);
    dlviz_tensor_destroy(few);
    dlviz_tensor_destroy(one);
    dlviz_tensor_destroy(outputs);
    dlviz_tsne_destroy(tsne);
}
END_TEST

static bool stop_at(const dlviz_tsne_event *event, void *user) {
    (void)event;
    return --*(int *)user > 0;
}

/* Cancelled by t-SNE's own function, in any frame: the film keeps the maps that it had. */
START_TEST(a_cancelled_fit_changes_nothing) {
    dlviz_film *film = film_of(3, some_epochs), *wanted = film_of(3, some_epochs);
    dlviz_tsne *tsne = quick_tsne();
    ck_ok(dlviz_film_fit(film, tsne));
    ck_ok(dlviz_film_fit(wanted, tsne));
    for (int calls = 1; calls < 9; calls += 3) {
        int left = calls;
        ck_ok(dlviz_tsne_set_progress(tsne, 40, stop_at, &left));
        ck_assert_int_eq(dlviz_film_fit(film, tsne), DLVIZ_CANCELLED);
        expect_equal_films(film, wanted);
        ck_assert_int_eq(dlviz_tsne_num_iterations(tsne), 200);
    }
    dlviz_tsne_destroy(tsne);
    dlviz_film_destroy(film);
    dlviz_film_destroy(wanted);
}
END_TEST

static dlviz_status work(void *context) {
    dlviz_tensor **frames = context;
    dlviz_film *film, *again = NULL;
    dlviz_tsne *tsne = NULL;
    void *bytes = NULL;
    size_t size;
    TRY(dlviz_film_create(&film));
    dlviz_status status = dlviz_tsne_create(&tsne);
    for (int64_t i = 0; status == DLVIZ_OK && i < 2; i++)
        status = dlviz_film_add(film, i, frames[i], frames[i]);
    if (status == DLVIZ_OK)
        status = dlviz_tsne_set_num_iterations(tsne, 3);
    if (status == DLVIZ_OK)
        status = dlviz_film_set_num_later_iterations(film, 2);
    if (status == DLVIZ_OK)
        status = dlviz_film_fit(film, tsne);
    if (status == DLVIZ_OK)
        status = dlviz_film_save_memory(film, &bytes, &size);
    if (status == DLVIZ_OK)
        status = dlviz_film_open_memory(&again, bytes, size);
    dlviz_free(bytes);
    dlviz_film_destroy(again);
    dlviz_film_destroy(film);
    dlviz_tsne_destroy(tsne);
    return status;
}

START_TEST(memory_may_lack) {
    dlviz_tensor *frames[] = {features_at(0), features_at(1)};
    ck_ok(dlviz_set_num_threads(2));
    ck_assert_int_gt(fail_each_allocation(work, frames), 50);
    dlviz_tensor_destroy(frames[0]);
    dlviz_tensor_destroy(frames[1]);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {epochs_of_a_film,
                                  maps_are_made_forwards,
                                  pca_maps_lie_on_the_last,
                                  threads_do_not_matter,
                                  frames_are_replaced_and_thinned,
                                  saved_films_are_opened,
                                  files_that_do_not_fit_together,
                                  constant_features_have_maps,
                                  tiny_features_have_the_maps_of_others,
                                  features_of_any_size_have_maps,
                                  what_stays_the_same_stays_in_its_place,
                                  films_become_frames_of_a_page,
                                  films_that_fit_no_page_change_nothing,
                                  memory_may_lack_for_a_page,
                                  what_is_refused,
                                  a_cancelled_fit_changes_nothing,
                                  memory_may_lack,
                                  NULL};
    return run_tests("film", tests);
}
