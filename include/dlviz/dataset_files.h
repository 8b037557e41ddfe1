/* dlviz/dataset_files.h - datasets from files: folders of images, MNIST, CSV, CIFAR, NumPy.
 *
 * What is read here is not normalized. For training, see dlviz_dataset_measure and
 * dlviz_dataset_set_channel_normalization; for a network that was trained already, also one that
 * was loaded from a file, dlviz_network_prepare_data gives data the size and the normalization that
 * the network learned with.
 *
 * Before files of somebody else's are read, see dlviz_set_file_limit (dlviz/runtime.h): images and
 * compressed files take many times as much memory as their bytes. */
#ifndef DLVIZ_DATASET_FILES_H
#define DLVIZ_DATASET_FILES_H

#include <dlviz/dataset.h>

#ifdef __cplusplus
extern "C" {
#endif

/* -- Folders of images ------------------------------------------------------------------------- */

/** What image files can be. */
typedef enum dlviz_image_format {
    DLVIZ_IMAGE_FORMAT_PNG = 0,
    DLVIZ_IMAGE_FORMAT_JPEG = 1
} dlviz_image_format;

/** Whether this build of the library reads such files. All read PNG; JPEG takes libjpeg. */
DLVIZ_API bool dlviz_images_supported(dlviz_image_format format);

/** How an image becomes one of another shape. */
typedef enum dlviz_image_fit {
    DLVIZ_IMAGE_FIT_STRETCH = 0, /**< as a whole; height and width are scaled each by itself */
    DLVIZ_IMAGE_FIT_CROP = 1,    /**< scaled until it just covers the size; the center is kept */
    DLVIZ_IMAGE_FIT_PAD = 2      /**< scaled until it just fits; the background fills the rest */
} dlviz_image_fit;

/** How image files are read, and what was skipped on the way. To be used by one thread at a time.
 *
 *  What becomes of a file: it is decoded to 8 bits a channel (16 bits are rounded, 1 to 4 bits
 *  spread over 0 … 255, palettes looked up, CMYK turned into RGB, gamma and color profiles left
 *  alone); what is transparent is laid on the background; a JPEG is turned as its EXIF orientation
 *  says; the channels become those that all have; then the size.
 *
 *  Sizes change by the triangle filter, each way by itself, as in Pillow's BILINEAR and PyTorch's
 *  interpolate(mode='bilinear', antialias=True): with s source pixels to one of the result, the
 *  result's pixel i is the mean of the source pixels j, weighted by max(0, 1 - |j - c| / max(s, 1))
 *  with c = start + (i + 1/2) * s - 1/2; beyond the border there is nothing. So an image that
 *  shrinks is averaged and does not alias, and one that grows is interpolated linearly. Computed in
 *  float32 and rounded to 8 bits once, at the end. */
typedef struct dlviz_image_reader dlviz_image_reader;

/** Makes a reader with the defaults that the setters name.
 *  @param out  receives the reader, NULL on failure; free it with dlviz_image_reader_destroy
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT or DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_CHECKED dlviz_status dlviz_image_reader_create(dlviz_image_reader **out);
/** Frees a reader. Datasets that were read with it live on. NULL is allowed. */
DLVIZ_API void dlviz_image_reader_destroy(dlviz_image_reader *reader);

/** Sets the size that all images get, 1 to 16384 each way. 0 and 0, the default, stand for the
 *  images' own, which must be the same for all. A network can see them in another size still
 *  (dlviz_dataset_set_image_size), but that shrinks without averaging.
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT. */
DLVIZ_CHECKED dlviz_status dlviz_image_reader_set_size(dlviz_image_reader *reader, int64_t height,
                                                       int64_t width);
/** The size; either may be NULL. */
DLVIZ_API void dlviz_image_reader_size(const dlviz_image_reader *reader, int64_t *height,
                                       int64_t *width);

/** Sets how images of another shape get the size. DLVIZ_IMAGE_FIT_CROP is the default.
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT. */
DLVIZ_CHECKED dlviz_status dlviz_image_reader_set_fit(dlviz_image_reader *reader,
                                                      dlviz_image_fit fit);
DLVIZ_API dlviz_image_fit dlviz_image_reader_fit(const dlviz_image_reader *reader);

/** Sets the number of channels: 1 (gray: (299 red + 587 green + 114 blue) / 1000), 3 (red, green,
 *  blue), or 0, the default: 1 if all files are gray, else 3. A palette counts as color.
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT. */
DLVIZ_CHECKED dlviz_status dlviz_image_reader_set_num_channels(dlviz_image_reader *reader,
                                                               int64_t num_channels);
DLVIZ_API int64_t dlviz_image_reader_num_channels(const dlviz_image_reader *reader);

/** Sets what shows through where an image is transparent, and what fills the rest around one that
 *  is padded: 0 (black) to 255 (white, the default).
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT. */
DLVIZ_CHECKED dlviz_status dlviz_image_reader_set_background(dlviz_image_reader *reader,
                                                             int64_t value);
DLVIZ_API int64_t dlviz_image_reader_background(const dlviz_image_reader *reader);

/** Sets what becomes of a file that cannot be read, is damaged or cut short, or takes more memory
 *  than dlviz_set_file_limit allows for any file, or of a class's folder without an image: false,
 *  the default, makes it an error that names it; true skips it and lists it. A class that has no
 *  image left remains a class.
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT. */
DLVIZ_CHECKED dlviz_status dlviz_image_reader_set_skip_unreadable(dlviz_image_reader *reader,
                                                                  bool skip);
DLVIZ_API bool dlviz_image_reader_skips_unreadable(const dlviz_image_reader *reader);

/** Sets how many bytes a dataset's images may take in memory; 0, the default, is no limit. A
 *  dataset of more (num_images x channels x height x width bytes) keeps none: images are decoded
 *  from their files, by all threads, whenever a batch of them is loaded. That gives the same bits,
 *  and takes longer. Any call that loads samples then fails where a file has gone or has other
 *  contents than when the folder was read: DLVIZ_ERROR_IO or DLVIZ_ERROR_FORMAT, with a sentence
 *  that names the file.
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT. */
DLVIZ_CHECKED dlviz_status dlviz_image_reader_set_memory_limit(dlviz_image_reader *reader,
                                                               int64_t num_bytes);
DLVIZ_API int64_t dlviz_image_reader_memory_limit(const dlviz_image_reader *reader);

/** What the reader skipped when it was used last: how many files, of each the path from the folder
 *  on, and a sentence that says why. Valid until the reader is used again or destroyed; NULL where
 *  there is no such file. */
DLVIZ_API int64_t dlviz_image_reader_num_skipped(const dlviz_image_reader *reader);
DLVIZ_API const char *dlviz_image_reader_skipped_path(const dlviz_image_reader *reader,
                                                      int64_t index);
DLVIZ_API const char *dlviz_image_reader_skipped_reason(const dlviz_image_reader *reader,
                                                        int64_t index);

/** Reads the images of a folder, each class in a folder of its own, with all threads:
 *
 *      photos/cat/1.jpg    photos/cat/more/2.png    photos/dog/1.png
 *
 *  Classes are the folders in the order of their names' bytes, as in PyTorch's ImageFolder, and are
 *  called as these are. A class's images are the files below its folder that end in .png, .jpg or
 *  .jpeg, in upper or lower case, in the order of the bytes of their folders, then of their names.
 *  What such a file is, its contents say. Other files and those whose names begin with a point are
 *  left out. A folder that has images itself, and no folders, gives a dataset without targets.
 *
 *  Links are followed: a class's folder may be one, and so may images. One that leads back to a
 *  folder that it is in is an error. In a class, each folder is read once, however many links lead
 *  to it: its images are called by its own path where it lies in the class's folder, and otherwise
 *  by that of the first link, in the order of names. (PyTorch's ImageFolder has them once for each
 *  link.) A folder that several classes link to is read for each of them. Since a link may lead
 *  anywhere, a folder that somebody else has made can turn any image that this user may read into a
 *  sample.
 *
 *  Each file is decoded while the folder is read, whatever the limit of memory, so that damage is
 *  found here. Images are at most 65535 high and wide, of at most 2^28 pixels.
 *  @param reader  how to read them, and what receives what was skipped; NULL for the defaults
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT (a class's name is not UTF-8); DLVIZ_ERROR_NOT_FOUND
 *  (there is no image, or a class has none); DLVIZ_ERROR_IO; DLVIZ_ERROR_FORMAT (an image is
 *  damaged, or there are images beside folders); DLVIZ_ERROR_SHAPE (images of several sizes, and
 *  the reader has none); DLVIZ_ERROR_UNSUPPORTED (this build does not read such images);
 *  DLVIZ_ERROR_STATE (another thread uses the reader); DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_CHECKED dlviz_status dlviz_dataset_read_folder(dlviz_dataset **out, const char *folder,
                                                     dlviz_image_reader *reader);

/* -- MNIST ------------------------------------------------------------------------------------- */

/** Reads images and labels in the IDX format of MNIST (http://yann.lecun.com/exdb/mnist), plain or
 *  gzip-compressed, which is told from the contents and not from the name.
 *  @param images_path  unsigned bytes, n x height x width or n x channels x height x width
 *  @param labels_path  unsigned bytes, n; or NULL
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT; DLVIZ_ERROR_IO; DLVIZ_ERROR_FORMAT when a file is damaged,
 *  cut short or too long, when it is of another kind, or when the counts differ;
 *  DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_CHECKED dlviz_status dlviz_dataset_read_idx(dlviz_dataset **out, const char *images_path,
                                                  const char *labels_path);
/** The same of images that are not to be in memory: the file is mapped, and samples are read from
 *  it when they are loaded (see dlviz_dataset: none of a large file is kept).
 *  @param images_path  a regular file that is not compressed
 *  @param labels_path  as for dlviz_dataset_read_idx, also compressed: labels are copied
 *  Returns as dlviz_dataset_read_idx, and DLVIZ_ERROR_UNSUPPORTED where the images are compressed:
 *  decompress them first, as gunzip does. */
DLVIZ_CHECKED dlviz_status dlviz_dataset_map_idx(dlviz_dataset **out, const char *images_path,
                                                 const char *labels_path);
/** The same as dlviz_dataset_read_idx of such files in memory, which are copied.
 *  @param images  `images_size` bytes
 *  @param labels  `labels_size` bytes; or NULL
 *  Returns as dlviz_dataset_read_idx, but for DLVIZ_ERROR_IO. */
DLVIZ_CHECKED dlviz_status dlviz_dataset_read_idx_memory(dlviz_dataset **out, const void *images,
                                                         size_t images_size, const void *labels,
                                                         size_t labels_size);

/** The parts that sets of images are published in. */
typedef enum dlviz_dataset_part {
    DLVIZ_DATASET_PART_TRAIN = 0, /**< what a network is trained on */
    DLVIZ_DATASET_PART_TEST = 1   /**< what it is judged by */
} dlviz_dataset_part;

/** Reads a part of MNIST, or of another set in its format with labels 0 … 9 such as Fashion-MNIST,
 *  from the folder that holds its files under their usual names (train-images-idx3-ubyte and
 *  train-labels-idx1-ubyte for 60,000 to train on, t10k-… for 10,000 to test; or with a point
 *  before "idx", and each also with .gz). It has 10 classes.
 *  Returns DLVIZ_ERROR_NOT_FOUND with the names that were tried; DLVIZ_ERROR_IO, also where what
 *  has such a name is no regular file; or what else dlviz_dataset_read_idx returns. */
DLVIZ_CHECKED dlviz_status dlviz_dataset_read_mnist(dlviz_dataset **out, const char *folder,
                                                    dlviz_dataset_part part);

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
 *  are, or are missing (20 rows are looked at). What stands for no number ("NaN", "None", "-inf",
 *  "#N/A") is no name, and beside numbers neither is a field that begins as one does, or as one
 *  behind a sign, space or currency ("12a", "$5"): it is a mistyped number. A first row of nothing
 *  but 0, 1, 2, …, as pandas numbers columns, may be either: reading then fails until this is set.
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
 *  without an exponent, and become the nearest float32. What rounding may lose is judged as if they
 *  were float64, or int64 in columns of whole numbers of which some are beyond 10^12.
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
 *  DLVIZ_ERROR_IO, also where what has such a name is no regular file; DLVIZ_ERROR_FORMAT for a
 *  file that holds no whole number of images, a label above 9, or another number of names;
 *  DLVIZ_ERROR_UNSUPPORTED for a file that is compressed; DLVIZ_ERROR_OUT_OF_MEMORY. */
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
 *  @param samples_name  an array as for dlviz_dataset_create: uint8, real numbers, or truth
 *                       values (bool), which become float32: 0 and 1
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
