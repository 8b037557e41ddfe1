/* A build without libjpeg says so, of the files that it cannot read. */
#include "support/support.h"

#include <sys/stat.h>

START_TEST(what_is_missing_is_said) {
    ck_assert(dlviz_images_supported(DLVIZ_IMAGE_FORMAT_PNG));
    ck_assert(!dlviz_images_supported(DLVIZ_IMAGE_FORMAT_JPEG));
    ck_assert_int_eq(mkdir(scratch_path("jpeg"), 0777), 0);
    write_file(scratch_path("jpeg/1.png"), "\xFF\xD8\xFF\xE0 rest", 9);
    dlviz_image_reader *reader;
    dlviz_dataset *dataset;
    ck_ok(dlviz_image_reader_create(&reader));
    for (int skips = 0; skips < 2; skips++) {
        ck_ok(dlviz_image_reader_set_skip_unreadable(reader, skips));
        ck_fails(dlviz_dataset_read_folder(&dataset, scratch_path("jpeg"), reader),
                 DLVIZ_ERROR_UNSUPPORTED, "without libjpeg");
        ck_assert_ptr_null(dataset);
    }
    dlviz_image_reader_destroy(reader);
}
END_TEST

int main(void) {
    return run_tests("images_unsupported", (const TTest *const[]){what_is_missing_is_said, NULL});
}
