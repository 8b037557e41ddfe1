/* dlviz/dataset_files.h - datasets from files: tables of text (CSV), CIFAR, NumPy archives. */
#ifndef DLVIZ_DATASET_FILES_H
#define DLVIZ_DATASET_FILES_H

#include <dlviz/dataset.h>

#ifdef __cplusplus
extern "C" {
#endif

/* -- CSV --------------------------------------------------------------------------------------- */

/** How a table of text is to be read: which columns are what. One reader serves any number of
 *  files. Reading with it from several threads is safe while none sets anything. */
typedef struct dlviz_csv_reader dlviz_csv_reader;

/** Whether the first row of a table names the columns. */
typedef enum dlviz_csv_header {
    DLVIZ_CSV_HEADER_AUTO = 0, /**< found out; see dlviz_csv_reader_set_header */
    DLVIZ_CSV_HEADER_YES = 1,
    DLVIZ_CSV_HEADER_NO = 2
} dlviz_csv_header;

/** Makes a reader with the settings that NULL stands for in dlviz_dataset_read_csv: delimiter and
 *  header are found out, and all columns are numbers of the samples. Free it with
 *  dlviz_csv_reader_destroy. Returns DLVIZ_ERROR_INVALID_ARGUMENT or DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_CHECKED dlviz_status dlviz_csv_reader_create(dlviz_csv_reader **out);
/** NULL is allowed. */
DLVIZ_API void dlviz_csv_reader_destroy(dlviz_csv_reader *reader);

/** Sets what stands between the fields of a row: any printable ASCII character, space or tab that
 *  is no letter, digit, quotation mark, '.', '+' or '-'. 0, the default: that of tab, ';', ',' and
 *  '|' of which the first rows all have the same number, in this order.
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT. */
DLVIZ_CHECKED dlviz_status dlviz_csv_reader_set_delimiter(dlviz_csv_reader *reader, char delimiter);
DLVIZ_API char dlviz_csv_reader_delimiter(const dlviz_csv_reader *reader);

/** Sets whether the first row names the columns. By default it does when it has one of the names
 *  that the reader was told, or when one of its fields is no number while those below in its column
 *  are, or are missing (20 rows are looked at). Beside numbers, a field that begins as one does
 *  ("12a") is a mistyped number and no name. A first row of nothing but 0, 1, 2, …, as pandas
 *  numbers columns, may be either: reading then fails until this is set.
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT. */
DLVIZ_CHECKED dlviz_status dlviz_csv_reader_set_header(dlviz_csv_reader *reader,
                                                       dlviz_csv_header header);
DLVIZ_API dlviz_csv_header dlviz_csv_reader_header(const dlviz_csv_reader *reader);

/** Sets which column holds the samples' classes, as words or as numbers.
 *  @param column  a name of the header, spaces around it left out, or a number: "#1" is the first
 *                 column; NULL, the default, for none. Copied.
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT or DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_CHECKED dlviz_status dlviz_csv_reader_set_label_column(dlviz_csv_reader *reader,
                                                             const char *column);
/** NULL where there is none. Owned by the reader. */
DLVIZ_API const char *dlviz_csv_reader_label_column(const dlviz_csv_reader *reader);

/** Sets which columns hold the numbers that a network is to give, in this order; 0 for none. They
 *  are named as for dlviz_csv_reader_set_label_column.
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT or DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_CHECKED dlviz_status dlviz_csv_reader_set_target_columns(dlviz_csv_reader *reader,
                                                               int64_t num_columns,
                                                               const char *const *columns);
DLVIZ_API int64_t dlviz_csv_reader_num_target_columns(const dlviz_csv_reader *reader);
/** NULL for an index that does not exist. Owned by the reader. */
DLVIZ_API const char *dlviz_csv_reader_target_column(const dlviz_csv_reader *reader, int64_t index);

/** Sets which columns are left out, such as numbers of rows; 0 for none. What stands in them does
 *  not matter.
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT or DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_CHECKED dlviz_status dlviz_csv_reader_set_ignored_columns(dlviz_csv_reader *reader,
                                                                int64_t num_columns,
                                                                const char *const *columns);
DLVIZ_API int64_t dlviz_csv_reader_num_ignored_columns(const dlviz_csv_reader *reader);
DLVIZ_API const char *dlviz_csv_reader_ignored_column(const dlviz_csv_reader *reader,
                                                      int64_t index);

/** Sets which classes there are: what the label column says is looked up among these, and the
 *  place where it is found is the label. So a file in which a class does not occur gets the labels
 *  of the one that a network was trained on; dlviz_dataset_class_name gives the names. By default,
 *  0, the classes are what the file has.
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT (also for the same name twice) or
 *  DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_CHECKED dlviz_status dlviz_csv_reader_set_class_names(dlviz_csv_reader *reader,
                                                            int64_t num_names,
                                                            const char *const *names);
DLVIZ_API int64_t dlviz_csv_reader_num_class_names(const dlviz_csv_reader *reader);
DLVIZ_API const char *dlviz_csv_reader_class_name(const dlviz_csv_reader *reader, int64_t index);

/** Reads a table of text, one sample a row: the columns that are neither label, target nor ignored
 *  are its numbers, in their order, as float32.
 *
 *  The format is that of RFC 4180 and what else is common: fields may be in quotes, in which
 *  delimiters and line breaks are text and two quotes are one; spaces around a field do not count;
 *  lines end in LF, CR LF or CR; UTF-8, with or without a byte order mark; blank lines at the end
 *  are left out; up to 2^20 columns. Numbers are decimal with a point, in any locale, with or
 *  without an exponent, and become the nearest float32.
 *
 *  Labels: where the column holds whole numbers, classes are these in ascending order, and they are
 *  the labels themselves where they are 0 … C-1; otherwise, and where they are words (sorted by
 *  their bytes), labels are places in that order and the words are the names of classes.
 *
 *  What is missing (an empty field, "NA", "N/A", "NaN", "nan", "NAN", "null", "NULL", "?") is an
 *  error, as is what is no finite number, a row with another number of fields, or a quote that is
 *  not closed: the sentence names line and column. Lines are counted as text editors do, from 1.
 *
 *  @param path    of a file or pipe, which is read whole
 *  @param reader  NULL for the defaults: samples without labels and targets
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT (for both labels and targets too); DLVIZ_ERROR_IO;
 *  DLVIZ_ERROR_NOT_FOUND with some of the names there are, where a column does not exist or a name
 *  stands for two; DLVIZ_ERROR_FORMAT as above; DLVIZ_ERROR_NUMERIC for a number beyond float32, or
 *  a column in which rounding to float32 would lose what tells rows apart, by the rule of
 *  dlviz_tensor_read_npy (dlviz_tensor_read_csv_shifted reads such files); or
 *  DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_CHECKED dlviz_status dlviz_dataset_read_csv(dlviz_dataset **out, const char *path,
                                                  const dlviz_csv_reader *reader);
/** The same of the bytes of such a file. */
DLVIZ_CHECKED dlviz_status dlviz_dataset_read_csv_memory(dlviz_dataset **out, const void *bytes,
                                                         size_t size,
                                                         const dlviz_csv_reader *reader);

/** Reads the samples that dlviz_dataset_read_csv reads as a tensor, n x d of float32. Columns of
 *  labels and targets are left out, as those that are ignored are.
 *  Returns as dlviz_dataset_read_csv. */
DLVIZ_CHECKED dlviz_status dlviz_tensor_read_csv(dlviz_tensor **out, const char *path,
                                                 const dlviz_csv_reader *reader);
DLVIZ_CHECKED dlviz_status dlviz_tensor_read_csv_memory(dlviz_tensor **out, const void *bytes,
                                                        size_t size,
                                                        const dlviz_csv_reader *reader);

/** As dlviz_tensor_read_csv, with an offset subtracted from columns that lie far from 0 compared to
 *  their spread, before they are rounded, as dlviz_tensor_read_npy_shifted does it.
 *  @param offsets  NULL, or receives what was subtracted: d of float32, the caller's to destroy */
DLVIZ_CHECKED dlviz_status dlviz_tensor_read_csv_shifted(dlviz_tensor **out, const char *path,
                                                         const dlviz_csv_reader *reader,
                                                         dlviz_tensor **offsets);
DLVIZ_CHECKED dlviz_status dlviz_tensor_read_csv_shifted_memory(dlviz_tensor **out,
                                                                const void *bytes, size_t size,
                                                                const dlviz_csv_reader *reader,
                                                                dlviz_tensor **offsets);

/* -- CIFAR ------------------------------------------------------------------------------------- */

/** Reads a part of CIFAR-10 (https://www.cs.toronto.edu/~kriz/cifar.html) in its binary version:
 *  images of 3 x 32 x 32, uint8, and 10 classes with their names, which are those of
 *  batches.meta.txt where that is there.
 *  @param folder  holds data_batch_1.bin … data_batch_5.bin, or test_batch.bin, or a folder
 *                 cifar-10-batches-bin that does
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT; DLVIZ_ERROR_NOT_FOUND with the name that was looked for;
 *  DLVIZ_ERROR_IO; DLVIZ_ERROR_FORMAT for a file that holds no whole number of images, a label
 *  above 9, or another number of names; DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_CHECKED dlviz_status dlviz_dataset_read_cifar10(dlviz_dataset **out, const char *folder,
                                                      dlviz_dataset_part part);

typedef enum dlviz_cifar100_labels {
    DLVIZ_CIFAR100_LABELS_FINE = 0,  /**< 100 classes: "apple", "aquarium_fish", … */
    DLVIZ_CIFAR100_LABELS_COARSE = 1 /**< 20 classes of 5 of them each: "aquatic_mammals", … */
} dlviz_cifar100_labels;

/** As dlviz_dataset_read_cifar10, of CIFAR-100: train.bin or test.bin, in the folder or in one
 *  called cifar-100-binary in it; the names are those of fine_label_names.txt or
 *  coarse_label_names.txt where these are there. */
DLVIZ_CHECKED dlviz_status dlviz_dataset_read_cifar100(dlviz_dataset **out, const char *folder,
                                                       dlviz_dataset_part part,
                                                       dlviz_cifar100_labels labels);

/* -- NumPy archives ---------------------------------------------------------------------------- */

/** Makes a dataset of arrays of an .npz file, as dlviz_npz_read reads them (npz.h).
 *  @param samples_name  an array as for dlviz_dataset_create: uint8, or real numbers
 *  @param targets_name  an array as for dlviz_dataset_set_targets, or NULL. Integers are labels,
 *                       also where they are n x 1, as Keras keeps them; real numbers are targets.
 *  Returns as dlviz_npz_open, dlviz_npz_read and dlviz_dataset_create. */
DLVIZ_CHECKED dlviz_status dlviz_dataset_read_npz(dlviz_dataset **out, const char *path,
                                                  const char *samples_name,
                                                  const char *targets_name);
/** The same of the bytes of such a file. */
DLVIZ_CHECKED dlviz_status dlviz_dataset_read_npz_memory(dlviz_dataset **out, const void *bytes,
                                                         size_t size, const char *samples_name,
                                                         const char *targets_name);

#ifdef __cplusplus
}
#endif
#endif
