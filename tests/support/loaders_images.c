/* Images by themselves, and in folders. */
#include "data/image.h"
#include "support/images.h"
#include "support/loaders.h"

#include <stdlib.h>
#include <string.h>

static void try_image(const mutant *file) {
    dlz_image image;
    dlz_image_bytes bytes = {.name = "it", .bytes = file->bytes, .size = file->size};
    if (!JUDGED(dlz_image_read_memory(&bytes, 255, &image), image.pixels))
        return;
    int64_t pixels = image.height * image.width;
    require(pixels >= 1 && (image.channels == 1 || image.channels == 3), "an image of no size");
    dlz_image_form form = {.channels = 4 - image.channels, .height = 8, .width = 5};
    form.fit = (dlviz_image_fit)(pixels % 3);
    uint8_t fitted[8 * 5 * 3];
    must(dlz_image_set_channels(&image, form.channels), "it has no other channels");
    must(dlz_image_fit_to(&image, &form, fitted), "it does not fit");
    dlz_image_release(&image);
}

void try_png(const mutant *file) {
    try_image(file);
}

void try_jpeg(const mutant *file) {
    try_image(file);
}

/* -- Folders -------------------------------------------------------------------------------------
 */

void make_folder_images(samples *to) {
    make_pngs(to);
    make_jpegs(to);
}

static dlviz_image_reader *reader_of(bool skips, int64_t memory_limit) {
    dlviz_image_reader *reader;
    must(dlviz_image_reader_create(&reader), "a reader");
    must(dlviz_image_reader_set_size(reader, 6, 5), "a size");
    must(dlviz_image_reader_set_skip_unreadable(reader, skips), "to skip");
    must(dlviz_image_reader_set_memory_limit(reader, memory_limit), "a limit");
    return reader;
}

/* Samples that are decoded when they are loaded, of which one has become another file. */
static void load_another(dlviz_dataset *dataset, const mutant *file) {
    dlviz_tensor *some;
    must(dlviz_dataset_samples(dataset, 0, 2, &some), "images that are not kept do not load");
    dlviz_tensor_destroy(some);
    put_image("folder/a/1.png", pattern_png(4, 4, 1, file->size));
    dlviz_status status = dlviz_dataset_samples(dataset, 0, 1, &some);
    require(status == DLVIZ_ERROR_FORMAT, "another file's contents give '%s'",
            dlviz_status_name(status));
}

/* One file that is tried, in one class, and one that is valid, in another. */
void try_folder(const mutant *file) {
    static bool made;
    if (!made)
        put_image("folder/b/1.png", pattern_png(6, 7, 3, 1));
    if (!made)
        put_image("folder/a/1.png", pattern_png(6, 7, 3, 1));
    made = true;
    dlviz_dataset *dataset;
    char folder[1024];
    strcpy(folder, scratch_path("folder"));
    write_file(scratch_path("folder/a/1.png"), file->bytes, file->size);
    dlviz_image_reader *reader = reader_of(true, 0);
    if (JUDGED(dlviz_dataset_read_folder(&dataset, folder, reader), dataset))
        require(dlviz_dataset_num_samples(dataset) + dlviz_image_reader_num_skipped(reader) >= 2,
                "a file is neither read nor skipped");
    dlviz_dataset_destroy(dataset);
    dlviz_image_reader_destroy(reader);
    reader = reader_of(false, 1);
    if (JUDGED(dlviz_dataset_read_folder(&dataset, folder, reader), dataset))
        load_another(dataset, file);
    dlviz_dataset_destroy(dataset);
    dlviz_image_reader_destroy(reader);
}
