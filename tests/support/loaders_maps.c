/* Principal components, t-SNE, films and pages. */
#include "support/loaders.h"

#include <math.h>
#include <string.h>

static dlviz_tensor *some_points(int64_t n, int64_t d) {
    dlviz_tensor *x;
    must(dlviz_tensor_create(&x, DLVIZ_FLOAT32, 2, (int64_t[]){n, d}), "points");
    fill_uniform(dlviz_tensor_float(x), n * d, 1);
    return x;
}

/* Points there and back, and more points to learn from. */
static void use_pca(dlviz_pca *pca) {
    dlviz_tensor *x = some_points(3, dlviz_pca_num_features(pca)), *y, *z;
    for (int more = 0; more < 2; more++) {
        dlviz_status status = dlviz_pca_transform(pca, x, &y);
        require(status == DLVIZ_OK || status == DLVIZ_ERROR_NUMERIC, "it does not transform");
        if (status == DLVIZ_OK) {
            status = dlviz_pca_inverse_transform(pca, y, &z);
            require(status == DLVIZ_OK || status == DLVIZ_ERROR_NUMERIC, "there is no way back");
            dlviz_tensor_destroy(z);
        }
        dlviz_tensor_destroy(y);
        if (more == 0) {
            status = dlviz_pca_partial_fit(pca, x);
            require(status == DLVIZ_OK || status == DLVIZ_ERROR_NUMERIC ||
                        status == DLVIZ_ERROR_INVALID_ARGUMENT,
                    "it does not go on: '%s'", dlviz_status_name(status));
        }
    }
    dlviz_tensor_destroy(x);
}

void try_pca(const mutant *file) {
    dlviz_pca *pca, *again;
    if (!JUDGED(dlviz_pca_open_memory(&pca, file->bytes, file->size), pca))
        return;
    void *bytes;
    size_t size;
    require(dlviz_pca_num_components(pca) >= 1 && dlviz_pca_num_features(pca) >= 1, "it has none");
    must(dlviz_pca_save_memory(pca, &bytes, &size), "what was opened is not saved");
    must(dlviz_pca_open_memory(&again, bytes, size), "what was saved is not opened");
    use_pca(again);
    dlviz_free(bytes);
    dlviz_pca_destroy(pca);
    dlviz_pca_destroy(again);
}

void try_tsne(const mutant *file) {
    dlviz_tsne *tsne, *again;
    if (!JUDGED(dlviz_tsne_open_memory(&tsne, file->bytes, file->size), tsne))
        return;
    void *bytes;
    size_t size;
    must(dlviz_tsne_save_memory(tsne, &bytes, &size), "what was opened is not saved");
    must(dlviz_tsne_open_memory(&again, bytes, size), "what was saved is not opened");
    must(dlviz_tsne_set_num_transform_iterations(again, 3), "a few iterations");
    for (int64_t d = 1; d <= 8; d++) { /* what it was fitted to is not told */
        dlviz_tensor *x = some_points(2, d), *y;
        dlviz_status status = dlviz_tsne_transform(again, x, &y);
        require(status == DLVIZ_OK || status == DLVIZ_ERROR_SHAPE || status == DLVIZ_ERROR_STATE,
                "it does not transform");
        for (int64_t i = 0; y && i < dlviz_tensor_num_elements(y); i++)
            require(isfinite(dlviz_tensor_float(y)[i]), "a place that is none");
        dlviz_tensor_destroy(x);
        dlviz_tensor_destroy(y);
    }
    dlviz_free(bytes);
    dlviz_tsne_destroy(tsne);
    dlviz_tsne_destroy(again);
}

void try_film(const mutant *file) {
    dlviz_film *film, *again;
    dlviz_tsne *tsne;
    if (!JUDGED(dlviz_film_open_memory(&film, file->bytes, file->size), film))
        return;
    void *bytes;
    size_t size;
    must(dlviz_film_save_memory(film, &bytes, &size), "what was opened is not saved");
    must(dlviz_film_open_memory(&again, bytes, size), "what was saved is not opened");
    must(dlviz_film_set_num_later_iterations(again, 2), "a few iterations");
    must(dlviz_tsne_create(&tsne), "t-SNE");
    must(dlviz_tsne_set_num_iterations(tsne, 3), "a few iterations");
    dlviz_status status = dlviz_film_fit(again, tsne);
    require(status == DLVIZ_OK || status == DLVIZ_ERROR_NUMERIC ||
                (status == DLVIZ_ERROR_STATE && dlviz_film_num_frames(again) == 0),
            "it is not fitted");
    must(dlviz_film_thin(again, INT64_MAX), "it is not thinned");
    dlviz_free(bytes);
    dlviz_tsne_destroy(tsne);
    dlviz_film_destroy(film);
    dlviz_film_destroy(again);
}

/* What is taken is written and read again as the same. */
static void use_report(const dlviz_report *report) {
    void *bytes, *again;
    size_t size, other;
    dlviz_report *second;
    must(dlviz_report_write_memory(report, &bytes, &size), "what was merged is not written");
    must(dlviz_report_create(&second, NULL, 0), "a report");
    must(dlviz_report_merge_memory(second, bytes, size), "what was written is not merged");
    must(dlviz_report_write_memory(second, &again, &other), "it is not written again");
    require(size == other && memcmp(bytes, again, size) == 0, "it is another page");
    dlviz_free(bytes);
    dlviz_free(again);
    dlviz_report_destroy(second);
}

void try_page(const mutant *file) {
    dlviz_report *report;
    must(dlviz_report_create(&report, NULL, 0), "a report");
    if (JUDGED_STATUS(dlviz_report_merge_memory(report, file->bytes, file->size)))
        use_report(report);
    else
        require(dlviz_report_num_runs(report) == 0 && dlviz_report_num_points(report) == 0 &&
                    !dlviz_report_title(report),
                "it changed the report");
    dlviz_report_destroy(report);
}
