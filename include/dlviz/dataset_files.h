/* dlviz/dataset_files.h - datasets from files: folders of images, and the files of MNIST. */
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

/** Whether this build of the library reads such files: PNG through libpng, JPEG through libjpeg. */
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

/** Sets what becomes of a file that cannot be read, is damaged or cut short, or of a class's folder
 *  without an image: false, the default, makes it an error that names it; true skips it and lists
 *  it. A class that has no image left remains a class.
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
 *  left out. Links are followed, unless they lead back to a folder that they are in, which is an
 *  error. A folder that has images itself, and no folders, gives a dataset without targets.
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
/** The same of such files in memory, which are copied.
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
 *  Returns DLVIZ_ERROR_NOT_FOUND with the names that were tried, or what dlviz_dataset_read_idx
 *  returns. */
DLVIZ_CHECKED dlviz_status dlviz_dataset_read_mnist(dlviz_dataset **out, const char *folder,
                                                    dlviz_dataset_part part);

#ifdef __cplusplus
}
#endif
#endif
