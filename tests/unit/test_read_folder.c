/* Folders of images: what is found in them and in which order, what is refused, what is skipped. */
#include "support/failing.h"
#include "support/images.h"
#include "support/restless.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static dlviz_dataset *read_all(const char *name, dlviz_image_reader *reader) {
    dlviz_dataset *dataset;
    ck_ok(dlviz_dataset_read_folder(&dataset, scratch_path(name), reader));
    return dataset;
}

static void fails_to_read(const char *name, dlviz_image_reader *reader, dlviz_status status,
                          const char *words) {
    dlviz_dataset *dataset;
    ck_fails(dlviz_dataset_read_folder(&dataset, scratch_path(name), reader), status, words);
    ck_assert_ptr_null(dataset);
}

static dlviz_image_reader *make_reader(int64_t height, int64_t width) {
    dlviz_image_reader *reader;
    ck_ok(dlviz_image_reader_create(&reader));
    ck_ok(dlviz_image_reader_set_size(reader, height, width));
    return reader;
}

/* The samples are these patterns, of these paths and classes. */
static void expect_samples(const dlviz_dataset *dataset, int64_t count, const char *const *paths,
                           const int64_t *classes, const uint64_t *seeds) {
    ck_assert_int_eq(dlviz_dataset_num_samples(dataset), count);
    dlviz_tensor *samples;
    ck_ok(dlviz_dataset_samples(dataset, 0, count, &samples));
    const int64_t *dims = dlviz_dataset_dims(dataset);
    const float *values = dlviz_tensor_const_data(samples);
    for (int64_t i = 0; i < count; i++) {
        ck_assert_str_eq(dlviz_dataset_sample_path(dataset, i), paths[i]);
        if (classes)
            ck_assert_int_eq(
                ((const int64_t *)dlviz_tensor_const_data(dlviz_dataset_labels(dataset)))[i],
                classes[i]);
        for (int64_t c = 0; c < dims[0]; c++)
            for (int64_t y = 0; y < dims[1]; y++)
                for (int64_t x = 0; x < dims[2]; x++)
                    ck_assert_float_eq(*values++, (float)pattern_value(seeds[i], y, x, c) / 255);
    }
    dlviz_tensor_destroy(samples);
    ck_assert_ptr_null(dlviz_dataset_sample_path(dataset, count));
    ck_assert_ptr_null(dlviz_dataset_sample_path(dataset, -1));
}

/* Images 00.png, 01.png … of a folder, of so many pixels each way. */
static void put_many(const char *folder, int count, int64_t size) {
    char name[64];
    for (int i = 0; i < count; i++) {
        snprintf(name, sizeof name, "%s/%02d.png", folder, i);
        put_image(name, pattern_png(size, size, 3, (uint64_t)i));
    }
}

START_TEST(classes_and_order) {
    put_image("order/b/2.png", pattern_png(5, 4, 3, 1));
    put_image("order/b/10.PNG", pattern_png(5, 4, 3, 2));
    put_image("order/b/sub/1.png", pattern_png(5, 4, 3, 3));
    put_image("order/b/sub-2/0.png", pattern_png(5, 4, 3, 4));
    put_image("order/b/sub/a/0.jpeg", pattern_png(5, 4, 3, 5)); /* a PNG, whatever it is called */
    put_image("order/a/z.png", pattern_png(5, 4, 3, 6));
    put_image("order/B/x.jpg", pattern_png(5, 4, 3, 7));
    put_image("order/\xC3\xA4/x.Jpg", pattern_png(5, 4, 3, 8));
    put_image("order/b/x.png/inside.png", pattern_png(5, 4, 3, 9)); /* a folder called so */
    put_image("order/b/z/0.png", pattern_png(5, 4, 3, 10));
    put_image("order/b/.hidden.png", pattern_png(9, 9, 3, 1));
    put_image("order/.hidden/1.png", pattern_png(9, 9, 3, 1));
    put_image("order/b/.sub/1.png", pattern_png(9, 9, 3, 1));
    put_text("order/b/notes.txt", "no image");
    put_text("order/README.md", "no image");
    put_text("order/b/png", "no image");
    put_text("order/b/1.gif", "no image");
    ck_assert_int_eq(symlink("z.png", scratch_path("order/a/again.png")), 0);
    dlviz_dataset *dataset = read_all("order", NULL);
    static const char *const paths[] = {"B/x.jpg",       "a/again.png",    "a/z.png",
                                        "b/10.PNG",      "b/2.png",        "b/sub/1.png",
                                        "b/sub-2/0.png", "b/sub/a/0.jpeg", "b/x.png/inside.png",
                                        "b/z/0.png",     "\xC3\xA4/x.Jpg"};
    static const char *const classes[] = {"B", "a", "b", "\xC3\xA4"};
    ck_assert_int_eq(dlviz_dataset_num_classes(dataset), 4);
    for (int c = 0; c < 4; c++)
        ck_assert_str_eq(dlviz_dataset_class_name(dataset, c), classes[c]);
    expect_samples(dataset, 11, paths, (const int64_t[]){0, 1, 1, 2, 2, 2, 2, 2, 2, 2, 3},
                   (const uint64_t[]){7, 6, 6, 2, 1, 3, 4, 5, 9, 10, 8});
    dlviz_dataset_destroy(dataset);
}
END_TEST

START_TEST(names_and_paths_come_along) {
    for (int i = 0; i < 12; i++) {
        char name[40];
        snprintf(name, sizeof name, "along/%s/%02d.png", i % 3 ? "some" : "other", i);
        put_image(name, pattern_png(3, 3, 1, (uint64_t)i));
    }
    dlviz_dataset *all = read_all("along", NULL), *rest, *holdout, *few;
    ck_ok(dlviz_dataset_split(all, 3, 5, &rest, &holdout));
    ck_ok(dlviz_dataset_select(all, 3, (const int64_t[]){11, 0, 11}, &few));
    dlviz_dataset_destroy(all);
    const dlviz_dataset *parts[] = {rest, holdout, few};
    for (int p = 0; p < 3; p++) {
        ck_assert_str_eq(dlviz_dataset_class_name(parts[p], 0), "other");
        ck_assert_str_eq(dlviz_dataset_class_name(parts[p], 1), "some");
        for (int64_t i = 0; i < dlviz_dataset_num_samples(parts[p]); i++) {
            const char *path = dlviz_dataset_sample_path(parts[p], i);
            int64_t class =
                ((const int64_t *)dlviz_tensor_const_data(dlviz_dataset_labels(parts[p])))[i];
            ck_assert_int_eq(strncmp(path, class ? "some/" : "other/", class ? 5 : 6), 0);
            dlviz_dataset *one;
            ck_ok(dlviz_dataset_take(parts[p], i, 1, &one));
            uint64_t seed = (uint64_t)atoi(strchr(path, '/') + 1);
            expect_samples(one, 1, &path, &class, &seed);
            dlviz_dataset_destroy(one);
        }
    }
    ck_assert_str_eq(dlviz_dataset_sample_path(few, 0), "some/11.png");
    ck_assert_str_eq(dlviz_dataset_sample_path(few, 2), "some/11.png");
    dlviz_dataset_destroy(rest);
    dlviz_dataset_destroy(holdout);
    dlviz_dataset_destroy(few);
}
END_TEST

START_TEST(names_go_into_model_files) {
    put_image("model/cat/1.png", pattern_png(4, 4, 1, 1));
    put_image("model/dog/1.png", pattern_png(4, 4, 1, 2));
    dlviz_dataset *dataset = read_all("model", NULL);
    dlviz_network *network, *opened;
    ck_ok(dlviz_network_create(&network, 3, (const int64_t[]){1, 4, 4}));
    dlviz_network_add(network, "flat", dlviz_flatten());
    dlviz_network_add(network, "fc", dlviz_linear(2));
    ck_ok(dlviz_network_build(network, 1));
    ck_ok(dlviz_network_describe_data(network, dataset));
    void *bytes;
    size_t size;
    ck_ok(dlviz_network_save_memory(network, &bytes, &size));
    ck_ok(dlviz_network_open_memory(&opened, bytes, size));
    ck_assert_int_eq(dlviz_network_num_class_names(opened), 2);
    ck_assert_str_eq(dlviz_network_class_name(opened, 0), "cat");
    ck_assert_str_eq(dlviz_network_class_name(opened, 1), "dog");
    dlviz_free(bytes);
    dlviz_network_destroy(opened);
    dlviz_network_destroy(network);
    dlviz_dataset_destroy(dataset);
}
END_TEST

START_TEST(images_alone) {
    put_image("alone/2.png", pattern_png(3, 4, 1, 2));
    put_image("alone/1.png", pattern_png(3, 4, 1, 1));
    put_text("alone/notes.txt", "no image");
    dlviz_dataset *dataset = read_all("alone", NULL);
    ck_assert_ptr_null(dlviz_dataset_labels(dataset));
    ck_assert_int_eq(dlviz_dataset_num_classes(dataset), 0);
    ck_assert_int_eq(dlviz_dataset_dims(dataset)[0], 1);
    expect_samples(dataset, 2, (const char *const[]){"1.png", "2.png"}, NULL,
                   (const uint64_t[]){1, 2});
    dlviz_dataset_destroy(dataset);
    /* With a slash at the end, as shells complete it. */
    dataset = read_all("alone/", NULL);
    ck_assert_str_eq(dlviz_dataset_sample_path(dataset, 0), "1.png");
    dlviz_dataset_destroy(dataset);
}
END_TEST

START_TEST(folders_that_are_refused) {
    fails_to_read("missing", NULL, DLVIZ_ERROR_IO, "cannot read the folder");
    put_text("a_file", "text");
    fails_to_read("a_file", NULL, DLVIZ_ERROR_IO, "cannot read the folder");
    put_text("nothing/notes.txt", "no image");
    fails_to_read("nothing", NULL, DLVIZ_ERROR_NOT_FOUND, ".png, .jpg or .jpeg");
    put_image("mixed/1.png", pattern_png(3, 3, 1, 1));
    put_image("mixed/class/1.png", pattern_png(3, 3, 1, 1));
    fails_to_read("mixed", NULL, DLVIZ_ERROR_FORMAT, "'1.png', beside folders, such as 'class'");
    put_image("latin/\xE4/1.png", pattern_png(3, 3, 1, 1));
    fails_to_read("latin", NULL, DLVIZ_ERROR_INVALID_ARGUMENT, "not UTF-8");
    put_image("loop/a/1.png", pattern_png(3, 3, 1, 1));
    ck_assert_int_eq(symlink("..", scratch_path("loop/a/up")), 0);
    fails_to_read("loop", NULL, DLVIZ_ERROR_FORMAT, "is a link to");
    dlviz_dataset *dataset;
    ck_fails(dlviz_dataset_read_folder(&dataset, NULL, NULL), DLVIZ_ERROR_INVALID_ARGUMENT,
             "'folder' is NULL");
}
END_TEST

/* From `name` in the scratch folder to what it leads to, which need not be there. */
static void put_link(const char *target, const char *name) {
    ck_assert_int_eq(symlink(target, scratch_path(name)), 0);
}

/* Each level has two links to the one before it: 2^40 ways lead to one image. */
START_TEST(links_to_links_do_not_multiply) {
    enum { LEVELS = 40 };
    char name[64], target[64];
    put_image("many/a/r/0.png", pattern_png(3, 3, 1, 1));
    for (int level = 1; level <= LEVELS; level++) {
        snprintf(name, sizeof name, "many/a/l%d", level);
        ck_assert_int_eq(mkdir(scratch_path(name), 0700), 0);
        for (int i = 0; i < 2; i++) {
            snprintf(name, sizeof name, "many/a/l%d/%c", level, "xy"[i]);
            snprintf(target, sizeof target, level == 1 ? "../r" : "../l%d", level - 1);
            put_link(target, name);
        }
    }
    dlviz_dataset *dataset = read_all("many", NULL);
    expect_samples(dataset, 1, (const char *const[]){"a/r/0.png"}, (const int64_t[]){0},
                   (const uint64_t[]){1});
    dlviz_dataset_destroy(dataset);
    /* The same where all of it lies outside, behind a class's folder that is a link. */
    ck_assert_int_eq(mkdir(scratch_path("behind"), 0700), 0);
    put_link("../many/a", "behind/b");
    dataset = read_all("behind", NULL);
    expect_samples(dataset, 1, (const char *const[]){"b/r/0.png"}, (const int64_t[]){0},
                   (const uint64_t[]){1});
    dlviz_dataset_destroy(dataset);
    /* And behind a link in one: then the links' names are all there is. */
    put_image("below/c/1.png", pattern_png(3, 3, 1, 2));
    put_link("../../many/a", "below/c/more");
    dataset = read_all("below", NULL);
    ck_assert_int_eq(dlviz_dataset_num_samples(dataset), 2);
    ck_assert_str_eq(dlviz_dataset_sample_path(dataset, 0), "c/1.png");
    dlviz_dataset_destroy(dataset);
}
END_TEST

START_TEST(a_linked_folder_is_read_once_in_each_class) {
    /* Its own name goes before a link's, whichever comes first. */
    put_image("linked/a/z/1.png", pattern_png(3, 3, 1, 1));
    put_link("z", "linked/a/b");
    put_image("linked/a/c/2.png", pattern_png(3, 3, 1, 2));
    put_link("../a/z", "linked/a/c/d");
    /* Two links from elsewhere: the first of them by name. */
    put_image("shared/3.png", pattern_png(3, 3, 1, 3));
    put_image("shared/in/4.png", pattern_png(3, 3, 1, 4));
    put_link("../../shared", "linked/a/y");
    put_link("../../shared", "linked/a/x");
    put_link("../../shared/in", "linked/a/w");
    /* Another class has it again; links to files are files. */
    ck_assert_int_eq(mkdir(scratch_path("linked/b"), 0700), 0);
    put_link("../../shared", "linked/b/s");
    put_link("../a/z/1.png", "linked/b/5.png");
    put_link("5.png", "linked/b/6.png");
    dlviz_dataset *dataset = read_all("linked", NULL);
    expect_samples(dataset, 8,
                   (const char *const[]){"a/c/2.png", "a/w/4.png", "a/x/3.png", "a/z/1.png",
                                         "b/5.png", "b/6.png", "b/s/3.png", "b/s/in/4.png"},
                   (const int64_t[]){0, 0, 0, 0, 1, 1, 1, 1},
                   (const uint64_t[]){2, 4, 3, 1, 1, 1, 3, 4});
    dlviz_dataset_destroy(dataset);
    /* Loops remain errors, also those that begin elsewhere. */
    put_link("../in", "shared/in/up");
    fails_to_read("linked", NULL, DLVIZ_ERROR_FORMAT, "is a link to");
    ck_assert_int_eq(unlink(scratch_path("shared/in/up")), 0);
    put_link("..", "shared/in/up");
    fails_to_read("linked", NULL, DLVIZ_ERROR_FORMAT, "is a link to");
}
END_TEST

START_TEST(a_class_without_images) {
    put_image("empty/b/1.png", pattern_png(3, 3, 1, 1));
    put_text("empty/a/notes.txt", "no image");
    put_text("empty/c/notes.txt", "no image");
    fails_to_read("empty", NULL, DLVIZ_ERROR_NOT_FOUND, "no image in the folder 'a'");
    dlviz_image_reader *reader = make_reader(0, 0);
    ck_ok(dlviz_image_reader_set_skip_unreadable(reader, true));
    dlviz_dataset *dataset = read_all("empty", reader);
    ck_assert_int_eq(dlviz_dataset_num_classes(dataset), 3);
    ck_assert_str_eq(dlviz_dataset_class_name(dataset, 2), "c");
    expect_samples(dataset, 1, (const char *const[]){"b/1.png"}, (const int64_t[]){1},
                   (const uint64_t[]){1});
    ck_assert_int_eq(dlviz_image_reader_num_skipped(reader), 2);
    ck_assert_str_eq(dlviz_image_reader_skipped_path(reader, 0), "a");
    ck_assert_str_eq(dlviz_image_reader_skipped_path(reader, 1), "c");
    dlviz_image_reader_destroy(reader);
    dlviz_dataset_destroy(dataset);
}
END_TEST

/* What is called like an image, and is none. */
static void make_junk(const char *folder) {
    char name[100];
    const char *at = name;
#define NAME(text) (snprintf(name, sizeof name, "%s/%s", folder, text), at)
    put_image(NAME("a/1.png"), pattern_png(6, 6, 3, 1));
    put_text(NAME("a/2-text.png"), "text");
    put_text(NAME("a/3-empty.jpg"), "");
    image_file cut = pattern_png(6, 6, 3, 2);
    cut.size -= 20;
    put_image(NAME("a/4-cut.png"), cut);
    put_image(NAME("a/5.png"), pattern_png(6, 6, 3, 5));
    ck_assert_int_eq(symlink("nowhere.png", scratch_path(NAME("a/6-link.png"))), 0);
    ck_assert_int_eq(symlink("7-self.png", scratch_path(NAME("a/7-self.png"))), 0);
    ck_assert_int_eq(mkfifo(scratch_path(NAME("a/8-fifo.png")), 0666), 0);
    ck_assert_int_eq(symlink("/dev/zero", scratch_path(NAME("a/9-zero.png"))), 0);
    put_image(NAME("b/1.png"), pattern_png(6, 6, 3, 3));
#undef NAME
}

START_TEST(junk_is_an_error) {
    make_junk("junk");
    fails_to_read("junk", NULL, DLVIZ_ERROR_FORMAT, "a/2-text.png' is no image");
    /* Damage behind the header comes to light last. */
    static const char *const names[] = {"a/2-text.png", "a/3-empty.jpg", "a/6-link.png",
                                        "a/7-self.png", "a/8-fifo.png",  "a/9-zero.png",
                                        "a/4-cut.png"};
    for (int i = 0; i < 7; i++) {
        char name[40];
        fails_to_read("junk", NULL, i < 2 || i == 6 ? DLVIZ_ERROR_FORMAT : DLVIZ_ERROR_IO,
                      names[i]);
        snprintf(name, sizeof name, "junk/%s", names[i]);
        ck_assert_int_eq(unlink(scratch_path(name)), 0);
    }
    dlviz_dataset_destroy(read_all("junk", NULL));
}
END_TEST

static void skip_junk(int64_t memory_limit) {
    dlviz_image_reader *reader = make_reader(0, 0);
    ck_ok(dlviz_image_reader_set_skip_unreadable(reader, true));
    ck_ok(dlviz_image_reader_set_memory_limit(reader, memory_limit));
    for (int twice = 0; twice < 2; twice++) {
        ck_fails(dlviz_image_reader_set_background(reader, 256), DLVIZ_ERROR_INVALID_ARGUMENT,
                 "256");
        dlviz_dataset *dataset = read_all("skipped", reader);
        ck_assert_msg(strstr(dlviz_last_error(), "256"), "a call that succeeds leaves '%s'",
                      dlviz_last_error());
        expect_samples(dataset, 3, (const char *const[]){"a/1.png", "a/5.png", "b/1.png"},
                       (const int64_t[]){0, 0, 1}, (const uint64_t[]){1, 5, 3});
        dlviz_dataset_destroy(dataset);
        ck_assert_int_eq(dlviz_image_reader_num_skipped(reader), 7);
        static const struct {
            const char *path, *reason;
        } skipped[] = {{"a/2-text.png", "is no image"},  {"a/3-empty.jpg", "is empty"},
                       {"a/6-link.png", "cannot open"},  {"a/7-self.png", "cannot open"},
                       {"a/8-fifo.png", "it is a pipe"}, {"a/9-zero.png", "it is a device"},
                       {"a/4-cut.png", "cut short"}};
        for (int i = 0; i < 7; i++) {
            ck_assert_str_eq(dlviz_image_reader_skipped_path(reader, i), skipped[i].path);
            ck_assert_ptr_nonnull(
                strstr(dlviz_image_reader_skipped_reason(reader, i), skipped[i].reason));
        }
        ck_assert_ptr_null(dlviz_image_reader_skipped_path(reader, 7));
        ck_assert_ptr_null(dlviz_image_reader_skipped_reason(reader, -1));
    }
    /* Another folder, another list. */
    dlviz_dataset_destroy(read_all("skipped/b", reader));
    ck_assert_int_eq(dlviz_image_reader_num_skipped(reader), 0);
    dlviz_image_reader_destroy(reader);
}

START_TEST(junk_is_skipped) {
    make_junk("skipped");
    skip_junk(0);
    skip_junk(1);
}
END_TEST

START_TEST(nothing_is_left) {
    put_text("bad/1.png", "text");
    put_text("bad/2.png", "text");
    dlviz_image_reader *reader = make_reader(0, 0);
    ck_ok(dlviz_image_reader_set_skip_unreadable(reader, true));
    fails_to_read("bad", reader, DLVIZ_ERROR_FORMAT, "none of the images");
    ck_assert_int_eq(dlviz_image_reader_num_skipped(reader), 2);
    dlviz_image_reader_destroy(reader);
}
END_TEST

/* -- The limit for files -------------------------------------------------------------------------
 */

enum { PNG_RGB_ALPHA = 6 };

/* A file that takes 4 bytes a pixel to decode: 16 bits of RGB with alpha, of zeros. */
static image_file transparent_png(int64_t side) {
    uint16_t *values = calloc((size_t)(side * side), 4 * sizeof *values);
    image_file file = make_png(
        &(png_kind){.height = side, .width = side, .bits = 8, .color_type = PNG_RGB_ALPHA}, values);
    free(values);
    return file;
}

static void make_bombs(const char *folder) {
    char name[64];
    for (int class = 0; class < 2; class ++)
        for (int i = 0; i < 6; i++) {
            snprintf(name, sizeof name, "%s/%c/%d.png", folder, "ab"[class], i);
            put_image(name, pattern_png(6, 6, 3, (uint64_t)(6 * class + i)));
        }
    /* One whose header tells, and one that is not found to be too large before it is decoded. */
    snprintf(name, sizeof name, "%s/a/0-large.png", folder);
    put_image(name, pattern_png(1200, 1200, 1, 1));
    snprintf(name, sizeof name, "%s/b/9-late.png", folder);
    put_image(name, transparent_png(500));
}

/* One file that takes more than any may is an error of this file, or left out. */
START_TEST(an_image_beyond_the_limit_is_named_or_skipped) {
    make_bombs("bombs");
    for (int kept = 0; kept < 2; kept++) {
        dlviz_image_reader *reader = make_reader(6, 6);
        ck_ok(dlviz_image_reader_set_memory_limit(reader, kept));
        ck_ok(dlviz_set_file_limit(1000000));
        fails_to_read(
            "bombs", reader, DLVIZ_ERROR_OUT_OF_MEMORY,
            "bombs/a/0-large.png' takes more memory than the 1000000 bytes that reading a "
            "file may take (dlviz_set_file_limit): 1440000 were asked for while ");
        ck_ok(dlviz_image_reader_set_skip_unreadable(reader, true));
        dlviz_dataset *dataset = read_all("bombs", reader);
        ck_ok(dlviz_set_file_limit(0));
        ck_assert_int_eq(dlviz_dataset_num_samples(dataset), 12);
        ck_assert_str_eq(dlviz_dataset_sample_path(dataset, 0), "a/0.png");
        ck_assert_int_eq(dlviz_image_reader_num_skipped(reader), 2);
        ck_assert_str_eq(dlviz_image_reader_skipped_path(reader, 0), "a/0-large.png");
        ck_assert_str_eq(dlviz_image_reader_skipped_path(reader, 1), "b/9-late.png");
        for (int i = 0; i < 2; i++)
            ck_assert_msg(
                strstr(dlviz_image_reader_skipped_reason(reader, i),
                       i ? "bombs/b/9-late.png' takes more memory than the 1000000 bytes"
                         : "bombs/a/0-large.png' takes more memory than the 1000000 byte"),
                "'%s'", dlviz_image_reader_skipped_reason(reader, i));
        dlviz_dataset_destroy(dataset);
        dlviz_image_reader_destroy(reader);
    }
}
END_TEST

/* What is refused because of others' memory is no fault of the file. */
START_TEST(a_folder_beyond_the_limit_is_an_error) {
    put_many("whole", 40, 100);
    dlviz_image_reader *reader = make_reader(100, 100);
    ck_ok(dlviz_image_reader_set_skip_unreadable(reader, true));
    ck_ok(dlviz_set_file_limit(1000000));
    fails_to_read("whole", reader, DLVIZ_ERROR_OUT_OF_MEMORY,
                  "whole' takes more memory than the 1000000 bytes");
    ck_assert_ptr_null(strstr(dlviz_last_error(), ".png"));
    ck_assert_int_eq(dlviz_image_reader_num_skipped(reader), 0);
    /* The samples fit, and with them one image does not, which would alone. */
    ck_ok(dlviz_set_file_limit(1600000));
    put_image("whole/large.png", pattern_png(500, 500, 3, 1));
    fails_to_read("whole", reader, DLVIZ_ERROR_OUT_OF_MEMORY,
                  "whole' takes more memory than the 1600000 bytes");
    ck_assert_msg(strstr(dlviz_last_error(), "in use, for '") &&
                      strstr(dlviz_last_error(), "whole/large.png'"),
                  "'%s'", dlviz_last_error());
    ck_ok(dlviz_set_file_limit(0));
    dlviz_image_reader_destroy(reader);
}
END_TEST

/* Each of them fits, and eight at a time do not: threads must not make a difference. */
START_TEST(images_that_fit_one_by_one_are_read) {
    put_many("crowd", 24, 300);
    dlviz_image_reader *reader = make_reader(4, 4);
    int64_t threads = dlviz_num_threads();
    ck_ok(dlviz_set_num_threads(8));
    for (int i = 0; i < 5; i++) {
        ck_ok(dlviz_set_file_limit(900000));
        dlviz_dataset *dataset = read_all("crowd", reader);
        ck_ok(dlviz_set_file_limit(0));
        ck_assert_int_eq(dlviz_dataset_num_samples(dataset), 24);
        dlviz_dataset_destroy(dataset);
    }
    ck_ok(dlviz_set_num_threads(threads));
    dlviz_image_reader_destroy(reader);
}
END_TEST

/* What is decoded while a batch is loaded is named with its folder. */
START_TEST(a_sample_beyond_the_limit_is_named) {
    put_image("loaded/a/1.png", pattern_png(100, 100, 3, 1));
    dlviz_image_reader *reader = make_reader(4, 4);
    ck_ok(dlviz_image_reader_set_memory_limit(reader, 1));
    dlviz_dataset *dataset = read_all("loaded", reader);
    dlviz_tensor *samples;
    ck_ok(dlviz_set_file_limit(20000));
    ck_fails(dlviz_dataset_samples(dataset, 0, 1, &samples), DLVIZ_ERROR_OUT_OF_MEMORY,
             "loaded/a/1.png' takes more memory than the 20000 bytes");
    ck_ok(dlviz_set_file_limit(0));
    dlviz_dataset_destroy(dataset);
    dlviz_image_reader_destroy(reader);
}
END_TEST

START_TEST(sizes) {
    put_image("sizes/a/1.png", pattern_png(8, 6, 1, 1));
    put_image("sizes/a/2.png", pattern_png(6, 8, 1, 2));
    fails_to_read("sizes", NULL, DLVIZ_ERROR_SHAPE,
                  "'a/1.png' is 6 pixels wide and 8 high, and 'a/2.png' 8 and 6");
    ck_assert_ptr_nonnull(strstr(dlviz_last_error(), "dlviz_image_reader_set_size"));
    dlviz_image_reader *reader = make_reader(8, 6);
    dlviz_dataset *dataset = read_all("sizes", reader);
    ck_assert_int_eq(dlviz_dataset_num_samples(dataset), 2);
    ck_assert_int_eq(dlviz_dataset_dims(dataset)[1], 8);
    ck_assert_int_eq(dlviz_dataset_dims(dataset)[2], 6);
    dlviz_dataset_destroy(dataset);
    dlviz_image_reader_destroy(reader);
}
END_TEST

/* An image that is turned counts as what it is upright. */
START_TEST(turned_images_have_their_upright_size) {
    uint8_t values[8 * 16] = {0};
    put_image(
        "turned/1.jpg",
        make_jpeg(&(jpeg_kind){.height = 8, .width = 16, .channels = 1, .orientation = 6}, values));
    put_image("turned/2.png", pattern_png(16, 8, 1, 2));
    dlviz_dataset *dataset = read_all("turned", NULL);
    ck_assert_int_eq(dlviz_dataset_dims(dataset)[1], 16);
    ck_assert_int_eq(dlviz_dataset_dims(dataset)[2], 8);
    dlviz_dataset_destroy(dataset);
}
END_TEST

START_TEST(channels) {
    put_image("channels/1.png", pattern_png(4, 4, 1, 1));
    put_image("channels/2.png", pattern_png(4, 4, 3, 2));
    dlviz_dataset *dataset = read_all("channels", NULL);
    ck_assert_int_eq(dlviz_dataset_dims(dataset)[0], 3);
    dlviz_dataset_destroy(dataset);
    dlviz_image_reader *reader = make_reader(0, 0);
    ck_ok(dlviz_image_reader_set_num_channels(reader, 1));
    dataset = read_all("channels", reader);
    ck_assert_int_eq(dlviz_dataset_dims(dataset)[0], 1);
    dlviz_dataset *first;
    ck_ok(dlviz_dataset_take(dataset, 0, 1, &first));
    expect_samples(first, 1, (const char *const[]){"1.png"}, NULL, (const uint64_t[]){1});
    dlviz_dataset_destroy(first);
    dlviz_dataset_destroy(dataset);
    dlviz_image_reader_destroy(reader);
}
END_TEST

/* A header behind more bytes than are read at first. */
START_TEST(a_long_way_to_the_header) {
    uint8_t values[8 * 8] = {0};
    image_file file = make_jpeg(&(jpeg_kind){.height = 8, .width = 8, .channels = 1}, values);
    enum { SEGMENT = 65535, SEGMENTS = 3 };
    size_t size = file.size + SEGMENTS * (SEGMENT + 2);
    unsigned char *bytes = calloc(size, 1), *at = bytes;
    memcpy(at, file.bytes, 2);
    at += 2;
    for (int i = 0; i < SEGMENTS; i++, at += SEGMENT + 2)
        memcpy(at, "\xFF\xE2\xFF\xFF", 4);
    memcpy(at, file.bytes + 2, file.size - 2);
    free(file.bytes);
    put_image("long/1.jpg", (image_file){bytes, size});
    ck_fails(dlviz_dataset_read_folder(NULL, "long", NULL), DLVIZ_ERROR_INVALID_ARGUMENT, "'out'");
    dlviz_dataset *dataset = read_all("long", NULL);
    ck_assert_int_eq(dlviz_dataset_dims(dataset)[1], 8);
    ck_assert_ptr_nonnull(strstr(dlviz_last_error(), "'out'"));
    dlviz_dataset_destroy(dataset);
}
END_TEST

START_TEST(settings) {
    dlviz_image_reader *reader;
    int64_t height, width;
    ck_ok(dlviz_image_reader_create(&reader));
    dlviz_image_reader_size(reader, &height, &width);
    ck_assert(height == 0 && width == 0 && dlviz_image_reader_num_channels(reader) == 0);
    ck_assert_int_eq(dlviz_image_reader_fit(reader), DLVIZ_IMAGE_FIT_CROP);
    ck_assert_int_eq(dlviz_image_reader_background(reader), 255);
    ck_assert_int_eq(dlviz_image_reader_memory_limit(reader), 0);
    ck_assert(!dlviz_image_reader_skips_unreadable(reader));
    ck_assert_int_eq(dlviz_image_reader_num_skipped(reader), 0);
    ck_ok(dlviz_image_reader_set_size(reader, 5, 7));
    ck_ok(dlviz_image_reader_set_fit(reader, DLVIZ_IMAGE_FIT_PAD));
    ck_ok(dlviz_image_reader_set_num_channels(reader, 3));
    ck_ok(dlviz_image_reader_set_background(reader, 9));
    ck_ok(dlviz_image_reader_set_memory_limit(reader, INT64_MAX));
    ck_ok(dlviz_image_reader_set_skip_unreadable(reader, true));
    ck_fails(dlviz_image_reader_set_size(reader, 0, 7), DLVIZ_ERROR_INVALID_ARGUMENT, "0 x 7");
    ck_fails(dlviz_image_reader_set_size(reader, 7, 16385), DLVIZ_ERROR_INVALID_ARGUMENT, "16384");
    ck_fails(dlviz_image_reader_set_fit(reader, (dlviz_image_fit)3), DLVIZ_ERROR_INVALID_ARGUMENT,
             "3 is not");
    ck_fails(dlviz_image_reader_set_num_channels(reader, 4), DLVIZ_ERROR_INVALID_ARGUMENT,
             "4 channels");
    ck_fails(dlviz_image_reader_set_background(reader, 256), DLVIZ_ERROR_INVALID_ARGUMENT, "256");
    ck_fails(dlviz_image_reader_set_background(reader, -1), DLVIZ_ERROR_INVALID_ARGUMENT, "-1");
    ck_fails(dlviz_image_reader_set_memory_limit(reader, -1), DLVIZ_ERROR_INVALID_ARGUMENT, "-1");
    dlviz_image_reader_size(reader, &height, &width);
    ck_assert(height == 5 && width == 7 && dlviz_image_reader_num_channels(reader) == 3);
    ck_assert_int_eq(dlviz_image_reader_fit(reader), DLVIZ_IMAGE_FIT_PAD);
    ck_assert_int_eq(dlviz_image_reader_background(reader), 9);
    ck_assert_int_eq(dlviz_image_reader_memory_limit(reader), INT64_MAX);
    ck_assert(dlviz_image_reader_skips_unreadable(reader));
    put_image("settings/1.png", pattern_png(10, 7, 1, 1));
    dlviz_dataset *dataset = read_all("settings", reader);
    dlviz_tensor *samples;
    ck_ok(dlviz_dataset_samples(dataset, 0, 1, &samples));
    ck_assert_int_eq(dlviz_tensor_num_elements(samples), 3 * 5 * 7);
    /* 10 x 7 to 5 x 3.5, rounded to 4: in the middle of 7 columns, with the background around. */
    const float *values = dlviz_tensor_const_data(samples);
    ck_assert_float_eq(values[0], 9.0f / 255);
    ck_assert_float_eq(values[5], 9.0f / 255);
    dlviz_tensor_destroy(samples);
    dlviz_dataset_destroy(dataset);
    dlviz_image_reader_destroy(reader);
    ck_assert(dlviz_images_supported(DLVIZ_IMAGE_FORMAT_PNG));
    ck_assert(dlviz_images_supported(DLVIZ_IMAGE_FORMAT_JPEG));
    ck_assert(!dlviz_images_supported((dlviz_image_format)2));
}
END_TEST

static dlviz_status read_and_use(void *context) {
    dlviz_image_reader *reader = NULL;
    dlviz_dataset *dataset = NULL, *subset = NULL;
    dlviz_tensor *samples = NULL, *means = NULL, *deviations = NULL;
    dlviz_status status = dlviz_image_reader_create(&reader);
    if (status == DLVIZ_OK)
        status = dlviz_image_reader_set_size(reader, 4, 5);
    if (status == DLVIZ_OK)
        status = dlviz_image_reader_set_skip_unreadable(reader, true);
    if (status == DLVIZ_OK)
        status = dlviz_image_reader_set_memory_limit(reader, *(const int64_t *)context);
    if (status == DLVIZ_OK)
        status = dlviz_dataset_read_folder(&dataset, scratch_path("memory"), reader);
    if (status == DLVIZ_OK)
        status = dlviz_dataset_take(dataset, 1, 2, &subset);
    if (status == DLVIZ_OK)
        status = dlviz_dataset_samples(subset, 0, 2, &samples);
    if (status == DLVIZ_OK)
        status = dlviz_dataset_measure(subset, &means, &deviations);
    dlviz_tensor_destroy(samples);
    dlviz_tensor_destroy(means);
    dlviz_tensor_destroy(deviations);
    dlviz_dataset_destroy(subset);
    dlviz_dataset_destroy(dataset);
    dlviz_image_reader_destroy(reader);
    return status;
}

START_TEST(without_memory) {
    uint8_t values[8 * 8 * 3] = {0};
    put_image("memory/a/1.png", pattern_png(6, 6, 1, 1));
    put_image("memory/a/2.png", pattern_png(6, 6, 3, 2));
    put_image(
        "memory/b/3.jpg",
        make_jpeg(&(jpeg_kind){.height = 8, .width = 8, .channels = 3, .orientation = 5}, values));
    put_text("memory/b/text.png", "text");
    put_text("memory/c/notes.txt", "a class without an image");
    for (int64_t limit = 0; limit < 2; limit++)
        ck_assert_int_gt(fail_each_allocation(read_and_use, &limit), 30);
}
END_TEST

/* Decoded one by one, into a room for each worker. */
START_TEST(the_number_of_threads_changes_meanwhile) {
    enum { COUNT = 40 };
    put_many("restless", COUNT, 16);
    for (uint64_t seed = 0; seed < 12; seed++) {
        begin_restlessness(seed);
        dlviz_image_reader *reader = make_reader(0, 0);
        ck_ok(dlviz_image_reader_set_memory_limit(reader, 1));
        dlviz_dataset *dataset = read_all("restless", reader);
        dlviz_tensor *samples;
        ck_ok(dlviz_dataset_samples(dataset, 0, COUNT, &samples));
        dlviz_tensor_destroy(samples);
        dlviz_dataset_destroy(dataset);
        dlviz_image_reader_destroy(reader);
        end_restlessness();
    }
}
END_TEST

static int open_descriptors(void) {
    DIR *list = opendir("/proc/self/fd");
    int found = 0;
    while (list && readdir(list))
        found++;
    if (list)
        closedir(list);
    return found;
}

START_TEST(folders_and_files_are_closed_again) {
    put_image("closed/good/a/1.png", pattern_png(6, 6, 1, 1));
    put_image("closed/good/a/deeper/2.png", pattern_png(6, 6, 1, 1));
    put_image("closed/good/b/3.png", pattern_png(6, 6, 1, 1));
    put_text("closed/bad/a/1.png", "text");
    int before = open_descriptors();
    if (before == 0) {
        puts("SKIP: no /proc/self/fd");
        return;
    }
    for (int i = 0; i < 3; i++) {
        dlviz_dataset_destroy(read_all("closed/good", NULL));
        fails_to_read("closed/bad", NULL, DLVIZ_ERROR_FORMAT, "1.png");
        fails_to_read("closed/none", NULL, DLVIZ_ERROR_IO, "none");
    }
    ck_assert_int_eq(open_descriptors(), before);
}
END_TEST

int main(void) {
    return run_tests("read_folder",
                     (const TTest *const[]){classes_and_order,
                                            names_and_paths_come_along,
                                            names_go_into_model_files,
                                            images_alone,
                                            folders_that_are_refused,
                                            links_to_links_do_not_multiply,
                                            a_linked_folder_is_read_once_in_each_class,
                                            a_class_without_images,
                                            junk_is_an_error,
                                            junk_is_skipped,
                                            nothing_is_left,
                                            an_image_beyond_the_limit_is_named_or_skipped,
                                            a_folder_beyond_the_limit_is_an_error,
                                            images_that_fit_one_by_one_are_read,
                                            a_sample_beyond_the_limit_is_named,
                                            sizes,
                                            turned_images_have_their_upright_size,
                                            channels,
                                            a_long_way_to_the_header,
                                            settings,
                                            without_memory,
                                            the_number_of_threads_changes_meanwhile,
                                            folders_and_files_are_closed_again,
                                            NULL});
}
