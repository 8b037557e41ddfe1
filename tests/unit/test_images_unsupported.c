/* A build without libpng, libjpeg or both says so, of the files that it cannot read. */
#include "support/support.h"

#include <string.h>
#include <sys/stat.h>

static void check_format(dlviz_image_format format, const char *name, const void *bytes,
                         size_t size, const char *library) {
    if (dlviz_images_supported(format))
        return;
    ck_assert_int_eq(mkdir(scratch_path(name), 0777), 0);
    char path[40] = "";
    strcat(strcat(path, name), "/1.png");
    write_file(scratch_path(path), bytes, size);
    dlviz_image_reader *reader;
    dlviz_dataset *dataset;
    ck_ok(dlviz_image_reader_create(&reader));
    for (int skips = 0; skips < 2; skips++) {
        ck_ok(dlviz_image_reader_set_skip_unreadable(reader, skips));
        ck_fails(dlviz_dataset_read_folder(&dataset, scratch_path(name), reader),
                 DLVIZ_ERROR_UNSUPPORTED, library);
        ck_assert_ptr_null(dataset);
    }
    dlviz_image_reader_destroy(reader);
}

START_TEST(what_is_missing_is_said) {
    check_format(DLVIZ_IMAGE_FORMAT_PNG, "png", "\x89PNG\r\n\x1a\n rest", 13, "without libpng");
    check_format(DLVIZ_IMAGE_FORMAT_JPEG, "jpeg", "\xFF\xD8\xFF\xE0 rest", 9, "without libjpeg");
    ck_assert(!dlviz_images_supported(DLVIZ_IMAGE_FORMAT_PNG) ||
              !dlviz_images_supported(DLVIZ_IMAGE_FORMAT_JPEG));
}
END_TEST

int main(void) {
    return run_tests("images_unsupported", (const TTest *const[]){what_is_missing_is_said, NULL});
}
