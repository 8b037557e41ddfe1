/* Tables of text, and archives of NumPy's arrays. */
#include "sources.h"
#include "try.h"

#include <math.h>
#include <string.h>

/* -- Tables --------------------------------------------------------------------------------------
 */

/* Whether the library's sentence is about this column, and begins so. */
static bool is_about(const char *begin, const char *column) {
    const char *at = strstr(dlviz_last_error(), begin);
    size_t length = strlen(column);
    return at && strncmp(at + strlen(begin), column, length) == 0 &&
           at[strlen(begin) + length] == '\'';
}

static bool is_among(const struct texts *texts, const char *text) {
    for (int i = 0; i < texts->count; i++)
        if (strcmp(texts->items[i], text) == 0)
            return true;
    return false;
}

/* With the classes of this column, or of the first of the usual ones that there is, which is said.
 * *tried: the last that was looked for. */
static dlviz_status read_labeled(struct data *data, const struct options *options,
                                 dlviz_csv_reader *reader, struct terminal *terminal,
                                 const char **tried) {
    static const char *const usual[] = {"label",   "class",    "target", "labels",
                                        "species", "category", "y"};
    dlviz_status status = DLVIZ_ERROR_NOT_FOUND;
    int count = options->labels ? 1 : (int)(sizeof usual / sizeof *usual);
    for (int i = 0; status == DLVIZ_ERROR_NOT_FOUND && i < count; i++) {
        const char *column = options->labels ? options->labels : usual[i];
        if (!options->labels && is_among(&options->ignored, column))
            continue; /* they are something else, or they would not be left out */
        *tried = column;
        status = dlviz_csv_reader_set_label_column(reader, column);
        if (status == DLVIZ_OK)
            status = dlviz_dataset_read_csv(&data->train, options->data, reader);
        if (status == DLVIZ_OK && !options->labels)
            say(terminal, "The classes are those of the column '%s' (--labels names another)",
                column);
        if (status == DLVIZ_ERROR_FORMAT && strstr(dlviz_last_error(), ", column '") &&
            !is_about(", column '", column))
            data->advice = "--ignore NAME leaves a column out";
        if (!is_about("there is no column '", column)) /* but two, or not one to leave out */
            break;
    }
    return status;
}

/* None of the usual names is a column's: the library's sentence is about the last of them. */
static dlviz_status which_column(const char *path) {
    const char *columns = strstr(dlviz_last_error(), " among the ");
    columns = columns ? strstr(columns, ": ") : NULL;
    return dlviz_fail(DLVIZ_ERROR_NOT_FOUND,
                      "'%s' has no column 'label', 'class', or the like: --labels NAME says which "
                      "one has the classes, --labels '#3' that it is the third%s%s",
                      path, columns ? "; there are" : "", columns ? columns + 1 : "");
}

dlviz_status read_table(struct data *data, const struct options *options,
                        struct terminal *terminal) {
    const struct texts *ignored = &options->ignored;
    dlviz_csv_reader *reader;
    const char *tried = NULL;
    TRY(dlviz_csv_reader_create(&reader));
    dlviz_status status =
        dlviz_csv_reader_set_ignored_columns(reader, ignored->count, ignored->items);
    if (status == DLVIZ_OK)
        status = read_labeled(data, options, reader, terminal, &tried);
    bool none =
        status == DLVIZ_ERROR_NOT_FOUND && (!tried || is_about("there is no column '", tried));
    if (none && !options->labels)
        status = which_column(options->data);
    else if (status == DLVIZ_ERROR_NOT_FOUND)
        data->advice = "--labels NAME says which column has the classes, --ignore NAME which one "
                       "to leave out";
    dlviz_csv_reader_destroy(reader);
    return status;
}

/* -- Archives ------------------------------------------------------------------------------------
 */

static bool has_array(const dlviz_npz *npz, const char *name) {
    for (int64_t i = 0; i < dlviz_npz_num_arrays(npz); i++)
        if (strcmp(dlviz_npz_array_name(npz, i), name) == 0)
            return true;
    return false;
}

/* Labels as one of each sample, n or n x 1, in whole numbers of any type. */
static dlviz_status read_labels(const dlviz_npz *npz, const char *name, dlviz_tensor **labels) {
    dlviz_tensor *read, *flat = NULL;
    dlviz_status unread = dlviz_npz_read(npz, name, &read);
    if (unread == DLVIZ_ERROR_FORMAT || unread == DLVIZ_ERROR_UNSUPPORTED)
        return dlviz_fail(unread,
                          "%s; labels are whole numbers here, such as "
                          "numpy.unique(y, return_inverse=True)[1] makes of words",
                          dlviz_last_error());
    TRY(unread);
    int64_t n = dlviz_tensor_dim(read, 0);
    dlviz_status status = dlviz_tensor_reshape(read, 1, &n, &flat);
    if (status == DLVIZ_OK)
        status = dlviz_tensor_convert(flat, DLVIZ_INT64, labels);
    dlviz_tensor_destroy(flat);
    dlviz_tensor_destroy(read);
    return status;
}

/* Whether channels come last, as NumPy's users mostly have them. */
static bool is_hwc(const dlviz_tensor *samples) {
    if (dlviz_tensor_ndim(samples) != 4)
        return false;
    int64_t second = dlviz_tensor_dim(samples, 1), last = dlviz_tensor_dim(samples, 3);
    return (last == 1 || last == 3) && second != 1 && second != 3;
}

/* Here they have the place that the user knows: later ones are among what was split off. */
static dlviz_status check_finite(const char *name, const dlviz_tensor *samples) {
    int64_t rows = dlviz_tensor_dim(samples, 0), n = dlviz_tensor_num_elements(samples);
    const float *numbers = dlviz_tensor_const_float(samples);
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(numbers[i]))
            return dlviz_fail(DLVIZ_ERROR_NUMERIC, "%s[%lld] has %s; finite numbers are accepted",
                              name, (long long)(i / (n / rows)),
                              isnan(numbers[i]) ? "a NaN" : "an infinite number");
    return DLVIZ_OK;
}

static dlviz_status make_set(const char *name, const dlviz_tensor *samples,
                             const dlviz_tensor *labels, dlviz_dataset **set) {
    dlviz_tensor *floats = NULL;
    dlviz_dtype type = dlviz_tensor_dtype(samples);
    if (type != DLVIZ_UINT8 && type != DLVIZ_FLOAT32) {
        TRY(dlviz_tensor_convert(samples, DLVIZ_FLOAT32, &floats));
        samples = floats;
    }
    dlviz_status status = type == DLVIZ_UINT8 ? DLVIZ_OK : check_finite(name, samples);
    if (status == DLVIZ_OK)
        status = is_hwc(samples) ? dlviz_dataset_create_from_hwc(set, samples, labels)
                                 : dlviz_dataset_create(set, samples, labels);
    dlviz_tensor_destroy(floats);
    return status;
}

static dlviz_status read_set(const dlviz_npz *npz, const char *samples_name,
                             const char *labels_name, dlviz_dataset **set) {
    dlviz_tensor *samples, *labels = NULL;
    TRY(dlviz_npz_read(npz, samples_name, &samples));
    dlviz_status status = read_labels(npz, labels_name, &labels);
    if (status == DLVIZ_OK)
        status = make_set(samples_name, samples, labels, set);
    dlviz_tensor_destroy(samples);
    dlviz_tensor_destroy(labels);
    return status;
}

/* How people call samples and labels. */
static const struct {
    const char *samples, *labels;
} usual_parts[][3] =
    {
        {{"x_train", "y_train"}, {"x_test", "y_test"}, {"x_val", "y_val"}},
        {{"X_train", "y_train"}, {"X_test", "y_test"}, {"X_val", "y_val"}},
        {{"train_images", "train_labels"},
         {"test_images", "test_labels"},
         {"val_images", "val_labels"}},
},
  usual_arrays[] = {{"x", "y"},
                    {"X", "y"},
                    {"images", "labels"},
                    {"data", "labels"},
                    {"data", "target"},
                    {"samples", "labels"},
                    {"features", "labels"},
                    {"arr_0", "arr_1"}};

static dlviz_status read_arrays(struct data *data, const struct options *options,
                                const dlviz_npz *npz, struct terminal *terminal) {
    for (size_t i = 0; i < sizeof usual_parts / sizeof *usual_parts; i++) {
        if (!has_array(npz, usual_parts[i][0].samples) || !has_array(npz, usual_parts[i][0].labels))
            continue;
        if (options->labels)
            return dlviz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                              "--labels %s: '%s' has samples and labels in parts, %s and %s and "
                              "the like; without --labels these are taken",
                              options->labels, options->data, usual_parts[i][0].samples,
                              usual_parts[i][0].labels);
        dlviz_dataset **const sets[] = {&data->train, &data->test, &data->validation};
        for (int j = 0; j < 3; j++) {
            const char *samples = usual_parts[i][j].samples, *labels = usual_parts[i][j].labels;
            bool has_samples = has_array(npz, samples), has_labels = has_array(npz, labels);
            if (has_samples && has_labels)
                TRY(read_set(npz, samples, labels, sets[j]));
            else if (has_samples || has_labels)
                say(terminal, "'%s' is left aside: there is no '%s' with it",
                    has_samples ? samples : labels, has_samples ? labels : samples);
        }
        return DLVIZ_OK;
    }
    for (size_t i = 0; i < sizeof usual_arrays / sizeof *usual_arrays; i++) {
        const char *labels = options->labels ? options->labels : usual_arrays[i].labels;
        if (!has_array(npz, usual_arrays[i].samples) || !has_array(npz, labels))
            continue;
        say(terminal, "The samples are those of the array '%s', the classes those of '%s'",
            usual_arrays[i].samples, labels);
        return read_set(npz, usual_arrays[i].samples, labels, &data->train);
    }
    data->advice = "x and y, x_train and y_train, images and labels, and the like are known";
    return dlviz_fail(DLVIZ_ERROR_NOT_FOUND,
                      "'%s' has no arrays whose names say which are samples and which labels",
                      options->data);
}

/* The parts have as many classes as the one that has most. */
static dlviz_status equal_classes(struct data *data) {
    dlviz_dataset *const parts[] = {data->train, data->test, data->validation};
    int64_t most = 0;
    for (int i = 0; i < 3; i++)
        if (dlviz_dataset_num_classes(parts[i]) > most)
            most = dlviz_dataset_num_classes(parts[i]);
    for (int i = 0; i < 3; i++)
        if (parts[i] && dlviz_dataset_num_classes(parts[i]) < most)
            TRY(dlviz_dataset_set_num_classes(parts[i], most));
    return DLVIZ_OK;
}

dlviz_status read_archive(struct data *data, const struct options *options,
                          struct terminal *terminal) {
    dlviz_npz *npz;
    TRY(dlviz_npz_open(&npz, options->data));
    dlviz_status status = read_arrays(data, options, npz, terminal);
    dlviz_npz_destroy(npz);
    return status == DLVIZ_OK ? equal_classes(data) : status;
}
