/* sources.h - what a path can be: a folder of images, one with the files of a known set, an archive of
 * arrays, a table. */
#ifndef RUN_SOURCES_H
#define RUN_SOURCES_H

#include "data.h"

/* Reads what options->data is, into data->train, and into data->test and data->validation where it
 * has such parts; names it. */
dlviz_status read_sources(struct data *data, const struct options *options,
                          struct terminal *terminal);

/* What a path promises to be, before it is read. */
enum source {
    SOURCE_UNKNOWN, /* a file of no kind that is read */
    SOURCE_FOLDER,  /* of images */
    SOURCE_IMAGES,  /* a set of images that is known */
    SOURCE_ROWS,
    SOURCE_ARRAYS /* images or rows */
};
dlviz_status look_at_source(const char *path, enum source *source);

/* What an option is for that has no meaning for such data; NULL: there is none. */
const char *misplaced_option(const struct options *options, enum source source);

/* Fails where the system cannot tell. */
dlviz_status find_folder(const char *path, bool *there);
/* Whether a path lies in what read_sources would read as images, all of it. */
dlviz_status find_whether_read(const char *path, const struct options *options, bool *read);
/* Whether --test-folder has samples that are trained on. */
dlviz_status find_whether_trained_on(const struct options *options, bool *trained_on);

/* -- folders.c -- */
dlviz_status read_image_folder(struct data *data, const struct options *options,
                               struct terminal *terminal);
dlviz_status find_whether_among_images(const char *path, const struct options *options,
                                       bool *among);
/* -- arrays.c -- */
dlviz_status read_table(struct data *data, const struct options *options,
                        struct terminal *terminal);
dlviz_status read_archive(struct data *data, const struct options *options,
                          struct terminal *terminal);

#endif
