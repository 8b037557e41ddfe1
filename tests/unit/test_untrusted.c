/* Files of others: none takes more memory than dlviz_set_file_limit allows, whoever reads it; none is believed
 * what it announces; no number of names takes long; and memory that ends is never taken for damage. */
#include "support/readers.h"

#include <jansson.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* -- What the library holds, and asks for --------------------------------------------------------
 */

static atomic_llong held, most_held, largest;

static void *allocate(size_t size, void *user) {
    (void)user;
    if ((long long)size > largest)
        largest = (long long)size;
    void *block = size < 1u << 30 ? malloc(size) : NULL;
    long long now = atomic_fetch_add(&held, block ? (long long)malloc_usable_size(block) : 0);
    now += block ? (long long)malloc_usable_size(block) : 0;
    if (now > most_held)
        most_held = now;
    return block;
}

static void release(void *block, void *user) {
    (void)user;
    atomic_fetch_sub(&held, (long long)malloc_usable_size(block));
    free(block);
}

static void begin(samples *files, const reader *of) {
    *files = (samples){0};
    prepare_readers();
    of->make(files);
    ck_ok(dlviz_set_allocator(allocate, release, NULL));
}

static void end(void) {
    ck_ok(dlviz_set_allocator(NULL, NULL, NULL));
}

/* -- The limit -----------------------------------------------------------------------------------
 */

/* malloc rounds up, and some of the readers make a handle of settings, or one to be filled, before. */
enum { BESIDES = 600 };

static long long held_by(const reader *of, const char *path, const sample *file,
                         dlviz_status *status) {
    long long before = held;
    most_held = before;
    *status = of->read(path, file->bytes, file->size);
    return most_held - before;
}

static int64_t walk_limit(const reader *of, const sample *file) {
    const char *path = place_file(of, file->bytes, file->size);
    int64_t limit = 64, failures = 0;
    for (;; limit += limit / 4 + 64) {
        dlviz_status status;
        ck_ok(dlviz_set_file_limit(limit));
        long long most = held_by(of, path, file, &status);
        ck_assert_msg(most <= limit + limit / 16 + BESIDES,
                      "%s: %lld bytes are held, the limit is %lld", of->name, most,
                      (long long)limit);
        if (status == DLVIZ_OK)
            break;
        failures++;
        ck_assert_msg(status == DLVIZ_ERROR_OUT_OF_MEMORY &&
                          strstr(dlviz_last_error(), "(dlviz_set_file_limit)"),
                      "%s with %lld bytes: '%s' (%s)", of->name, (long long)limit,
                      dlviz_last_error(), dlviz_status_name(status));
        ck_assert_msg(strstr(dlviz_last_error(), scratch_folder()) ||
                          strstr(dlviz_last_error(), "the file in memory"),
                      "%s: '%s' does not name the file", of->name, dlviz_last_error());
        ck_assert_msg(limit < 1 << 30, "%s: '%s'", of->name, dlviz_last_error());
    }
    ck_ok(dlviz_set_file_limit(0));
    ck_assert_msg(failures > 0, "%s: 64 bytes are enough", of->name);
    return limit;
}

START_TEST(the_limit_holds_for_every_reader) {
    for (const reader *of = all_readers; of->name; of++) {
        samples files;
        int taken = 0;
        begin(&files, of);
        for (int i = 0; i < files.count; i++) {
            const char *path = place_file(of, files.all[i].bytes, files.all[i].size);
            if (of->read(path, files.all[i].bytes, files.all[i].size) != DLVIZ_OK)
                continue; /* not all files suit all readers */
            int64_t enough = walk_limit(of, &files.all[i]);
            if (getenv("DLVIZ_TEST_VERBOSE"))
                fprintf(stderr, "%-28s %8zu bytes, limit %9lld\n", of->name, files.all[i].size,
                        (long long)enough);
            taken++;
        }
        end();
        ck_assert_msg(taken > 0, "%s reads none of its files", of->name);
    }
}
END_TEST

START_TEST(the_limit_is_a_setting) {
    ck_assert_int_eq(dlviz_file_limit(), 0);
    ck_ok(dlviz_set_file_limit(INT64_MAX));
    ck_assert_int_eq(dlviz_file_limit(), INT64_MAX);
    ck_fails(dlviz_set_file_limit(-1), DLVIZ_ERROR_INVALID_ARGUMENT, "-1 bytes; 1 or more");
    ck_assert_int_eq(dlviz_file_limit(), INT64_MAX);
    /* A call that succeeds leaves the sentence, and what is no reading has no limit. */
    ck_ok(dlviz_set_file_limit(1));
    dlviz_tensor *tensor;
    ck_ok((dlviz_tensor_create(&tensor, DLVIZ_FLOAT32, 1, (int64_t[]){1000})));
    dlviz_tensor_destroy(tensor);
    ck_assert_ptr_nonnull(strstr(dlviz_last_error(), "-1 bytes"));
    /* Damage stays damage. */
    ck_ok(dlviz_set_file_limit(10000));
    ck_fails(dlviz_tensor_read_npy_memory(&tensor, "nonsense", 8), DLVIZ_ERROR_FORMAT, "bytes");
    ck_assert_ptr_null(strstr(dlviz_last_error(), "dlviz_set_file_limit"));
    ck_ok(dlviz_set_file_limit(0));
}
END_TEST

/* One sentence, with the file, the limit, what was asked for and what there was; and what is taken out of a
 * file is named with the file. */
START_TEST(the_sentence_of_the_limit) {
    dlviz_tensor *tensor, *taken;
    dlviz_safetensors *set;
    char path[300], words[700];
    ck_ok((dlviz_tensor_create(&tensor, DLVIZ_FLOAT32, 1, (int64_t[]){4000})));
    snprintf(path, sizeof path, "%s", scratch_path("limit.npy"));
    ck_ok(dlviz_tensor_write_npy(tensor, path));
    ck_ok(dlviz_set_file_limit(1000));
    ck_fails(dlviz_tensor_read_npy(&taken, path), DLVIZ_ERROR_OUT_OF_MEMORY, "limit.npy'");
    long long asked, used;
    snprintf(words, sizeof words,
             "'%s' takes more memory than the 1000 bytes that reading a file may take "
             "(dlviz_set_file_limit): %%lld were asked for while %%lld were in use",
             path);
    ck_assert_int_eq(sscanf(dlviz_last_error(), words, &asked, &used), 2);
    ck_assert_int_gt(asked, 16000);
    ck_assert_int_eq(used, 0);
    snprintf(words, sizeof words,
             "'%s' takes more memory than the 1000 bytes that reading a file may take "
             "(dlviz_set_file_limit): %lld were asked for while 0 were in use",
             path, asked);
    ck_assert_str_eq(dlviz_last_error(), words);
    ck_ok(dlviz_set_file_limit(1));
    ck_fails(dlviz_tensor_read_npy(&taken, path), DLVIZ_ERROR_OUT_OF_MEMORY,
             "than the 1 byte that");
    ck_ok(dlviz_set_file_limit(0));

    snprintf(path, sizeof path, "%s", scratch_path("limit.safetensors"));
    ck_ok(dlviz_safetensors_create(&set));
    ck_ok(dlviz_safetensors_add(set, "part", tensor));
    ck_ok(dlviz_safetensors_save(set, path));
    dlviz_safetensors_destroy(set);
    ck_ok(dlviz_safetensors_open(&set, path));
    ck_ok(dlviz_set_file_limit(1000));
    snprintf(words, sizeof words, "tensor 'part' of '%s' takes more memory than the 1000", path);
    ck_fails(dlviz_safetensors_get(set, "part", &taken), DLVIZ_ERROR_OUT_OF_MEMORY, words);
    dlviz_safetensors_destroy(set);
    ck_ok(dlviz_set_file_limit(0));

    dlviz_tensor_destroy(tensor);
}
END_TEST

START_TEST(a_description_of_a_huge_network_meets_the_limit) {
    static const char text[] =
        "{\"version\":1,\"input\":[1000],\"layers\":[{\"name\":\"fc\",\"type\":\"linear\","
        "\"settings\":{\"out_features\":268435456,\"bias\":true}}]}";
    dlviz_network *network;
    ck_ok(dlviz_network_open_architecture_memory(&network, text, strlen(text)));
    dlviz_network_destroy(network);
    ck_ok(dlviz_set_file_limit(INT64_C(1) << 40));
    ck_fails(dlviz_network_open_architecture_memory(&network, text, strlen(text)),
             DLVIZ_ERROR_OUT_OF_MEMORY, "1099511627776 bytes");
    ck_assert_ptr_null(network);
    ck_ok(dlviz_set_file_limit(INT64_C(1) << 43));
    ck_ok(dlviz_network_open_architecture_memory(&network, text, strlen(text)));
    dlviz_network_destroy(network);
    ck_ok(dlviz_set_file_limit(0));
}
END_TEST

/* -- What a network that was opened takes to be built --------------------------------------------
 * */

enum { ALL_BEFORE = 150, WIDE = 600, DEEP = 400 };

/* Layers that each read all before them; one of many parameters; many in a row. */
static char *describe(int kind) {
    size_t used = 0, room = (size_t)4 << 20;
    char *text = malloc(room);
    used += (size_t)snprintf(text, room, "{\"input\":[%d],\"layers\":[", kind == 1 ? WIDE : 8);
    int layers = kind == 0 ? ALL_BEFORE : kind == 1 ? 1 : DEEP;
    for (int i = 0; i < layers; i++) {
        used += (size_t)snprintf(text + used, room - used,
                                 "%s{\"name\":\"l%d\",\"type\":", i ? "," : "", i);
        if (kind == 0 && i > 0) {
            used += (size_t)snprintf(text + used, room - used, "\"add\",\"inputs\":[\"input\"");
            for (int k = 0; k < i; k++)
                used += (size_t)snprintf(text + used, room - used, ",\"l%d\"", k);
            used += (size_t)snprintf(text + used, room - used, "]}");
        } else if (kind == 1) {
            used += (size_t)snprintf(text + used, room - used,
                                     "\"linear\",\"settings\":{\"out_features\":%d,\"bias\":true}}",
                                     WIDE);
        } else {
            used += (size_t)snprintf(text + used, room - used, "\"relu\"}");
        }
    }
    snprintf(text + used, room - used, "]}");
    return text;
}

static bool opens(const char *text, int64_t limit, dlviz_network **network) {
    ck_ok(dlviz_set_file_limit(limit));
    dlviz_status status = dlviz_network_open_architecture_memory(network, text, strlen(text));
    ck_assert(status == DLVIZ_OK || status == DLVIZ_ERROR_OUT_OF_MEMORY);
    ck_ok(dlviz_set_file_limit(0));
    return status == DLVIZ_OK;
}

/* Under the least limit that it is opened with. */
START_TEST(a_build_stays_within_the_limit_of_the_file) {
    for (int kind = 0; kind < 3; kind++) {
        char *text = describe(kind);
        int64_t low = 0, high = INT64_C(1) << 28;
        dlviz_network *network;
        while (low + 256 < high) {
            int64_t middle = low + (high - low) / 2;
            bool enough = opens(text, middle, &network);
            if (enough)
                dlviz_network_destroy(network);
            *(enough ? &high : &low) = middle;
        }
        ck_ok(dlviz_set_allocator(allocate, release, NULL));
        long long before = held;
        most_held = before;
        ck_assert(opens(text, high, &network));
        ck_ok(dlviz_network_build(network, 1));
        long long most = most_held - before;
        dlviz_network_destroy(network);
        ck_ok(dlviz_set_allocator(NULL, NULL, NULL));
        ck_assert_msg(most <= high + high / 16, "%d: built in %lld bytes, and opened with %lld",
                      kind, most, (long long)high);
        ck_assert_msg(high <= 2 * most, "%d: built in %lld bytes, and not opened below %lld", kind,
                      most, (long long)high);
        free(text);
    }
}
END_TEST

/* -- What files announce -------------------------------------------------------------------------
 */

enum { LARGEST = 64 << 20, RATIO = 4000 };

static const reader *announcing;
static int64_t num_announced;

static void try_announced(const void *bytes, size_t size) {
    const reader *of = announcing;
    const char *path = of->file ? place_file(of, bytes, size) : NULL; /* others have memory alone */
    largest = 0;
    dlviz_status status = of->read(path, bytes, size);
    long long most = LARGEST + RATIO * (long long)size;
    num_announced++;
    ck_assert_msg(largest <= most, "%s: %lld bytes are asked for, the file has %zu (%s)", of->name,
                  (long long)largest, size, dlviz_last_error());
    ck_assert_msg(status != DLVIZ_ERROR_OUT_OF_MEMORY, "%s: '%s'", of->name, dlviz_last_error());
}

/* In every place, numbers of 2, 4 and 8 bytes of both byte orders. */
static void announce_in_bytes(const sample *file) {
    static const struct {
        unsigned char bytes[8];
        size_t size;
    } numbers[] = {{{0xFF, 0x7F}, 2},
                   {{0xFF, 0xFF, 0xFF, 0x7F}, 4},
                   {{0x7F, 0xFF, 0xFF, 0xFF}, 4},
                   {{0xFF, 0xFF, 0xFF, 0xFF}, 4},
                   {{0, 0, 0, 0, 0, 1, 0, 0}, 8},
                   {{0, 0, 1, 0, 0, 0, 0, 0}, 8},
                   {{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F}, 8}};
    unsigned char *changed = malloc(file->size);
    for (size_t n = 0; n < sizeof numbers / sizeof *numbers; n++)
        for (size_t at = 0; at + numbers[n].size <= file->size && at < 400; at++) {
            memcpy(changed, file->bytes, file->size);
            memcpy(changed + at, numbers[n].bytes, numbers[n].size);
            try_announced(changed, file->size);
        }
    free(changed);
}

static bool is_digit(unsigned char c) {
    return c >= '0' && c <= '9';
}

/* In the place of every number in the text: of the header of a safetensors file, whose length is set anew,
 * or of all of it. */
static void announce_in_text(const sample *file, bool safetensors) {
    static const char *const numbers[] = {"1099511627776", "2147483647", "9223372036854775807"};
    size_t begins = safetensors ? 8 : 0, ends = file->size, length = 0;
    for (int i = 8; safetensors && i-- > 0;)
        length = length << 8 | file->bytes[i];
    ends = safetensors ? 8 + length : ends;
    char *changed = malloc(file->size + 32);
    for (size_t at = begins; at < ends; at++) {
        if (!is_digit(file->bytes[at]) || (at > 0 && is_digit(file->bytes[at - 1])))
            continue;
        size_t digits = 1;
        while (at + digits < ends && is_digit(file->bytes[at + digits]))
            digits++;
        for (size_t n = 0; n < sizeof numbers / sizeof *numbers; n++) {
            size_t more = strlen(numbers[n]);
            memcpy(changed, file->bytes, at);
            memcpy(changed + at, numbers[n], more);
            memcpy(changed + at + more, file->bytes + at + digits, file->size - at - digits);
            for (int i = 0; safetensors && i < 8; i++)
                changed[i] = (char)((length + more - digits) >> 8 * i);
            try_announced(changed, file->size + more - digits);
        }
    }
    free(changed);
}

START_TEST(what_is_announced_is_not_believed) {
    static const char *const texts[] = {"architecture in memory", "page in memory",
                                        "CSV in memory"};
    static const char *const tensors[] = {"network in memory", "safetensors in memory",
                                          "PCA in memory",     "t-SNE in memory",
                                          "film in memory",    "checkpoint in memory"};
    static const char *const binaries[] = {"npy in memory", "npz in memory", "IDX in memory", "PNG",
                                           "JPEG"};
    static const struct {
        const char *const *names;
        size_t count;
        int kind;
    } kinds[] = {{texts, 3, 0}, {tensors, 6, 1}, {binaries, 5, 2}};
    for (size_t k = 0; k < 3; k++)
        for (size_t i = 0; i < kinds[k].count; i++)
            for (const reader *of = all_readers; of->name; of++) {
                if (strcmp(of->name, kinds[k].names[i]) != 0)
                    continue;
                samples files;
                begin(&files, of);
                announcing = of;
                for (int f = 0; f < files.count && f < 2; f++)
                    if (kinds[k].kind == 2)
                        announce_in_bytes(&files.all[f]);
                    else
                        announce_in_text(&files.all[f], kinds[k].kind == 1);
                end();
            }
    ck_assert_int_gt(num_announced, 1000);
}
END_TEST

/* -- JSON without memory -------------------------------------------------------------------------
 */

static long long json_count, json_fails_at;
static bool json_keeps_failing;

static void *allocate_json(size_t size) {
    json_count++;
    bool fails = json_count == json_fails_at || (json_keeps_failing && json_count > json_fails_at);
    return fails ? NULL : malloc(size);
}

static void fail_each_json(const reader *of, const sample *file) {
    const char *path = place_file(of, file->bytes, file->size);
    json_set_alloc_funcs(allocate_json, free);
    for (json_fails_at = 1;; json_fails_at++) {
        dlviz_status status = DLVIZ_OK;
        for (int keeps = 0; keeps < 2; keeps++) {
            json_keeps_failing = keeps;
            json_count = 0;
            status = of->read(path, file->bytes, file->size);
            ck_assert_msg(status == DLVIZ_OK || status == DLVIZ_ERROR_OUT_OF_MEMORY,
                          "%s, allocation %lld of JSON: '%s' (%s)", of->name, json_fails_at,
                          dlviz_last_error(), dlviz_status_name(status));
            ck_assert_msg(status != DLVIZ_OK || json_count < json_fails_at,
                          "%s: it does not mind allocation %lld of JSON", of->name, json_fails_at);
        }
        if (status == DLVIZ_OK)
            break;
    }
    json_set_alloc_funcs(malloc, free);
}

START_TEST(json_without_memory_is_not_damaged) {
    enum { MOST_READERS = 64 };
    static samples of_readers[MOST_READERS]; /* never freed, see keep_sample */
    for (const reader *of = all_readers; of->name; of++) {
        ck_assert_int_lt(of - all_readers, MOST_READERS);
        samples *files = &of_readers[of - all_readers];
        if (!of->has_json)
            continue;
        prepare_readers();
        of->make(files);
        for (int i = 0; i < files->count && i < 3; i++) {
            const char *path = place_file(of, files->all[i].bytes, files->all[i].size);
            if (of->read(path, files->all[i].bytes, files->all[i].size) == DLVIZ_OK)
                fail_each_json(of, &files->all[i]);
        }
    }
}
END_TEST

/* -- Many names: what takes a look at all others for each would take minutes ----------------------
 */

enum { MANY = 200000 };

START_TEST(many_tensors) {
    dlviz_safetensors *contents, *again;
    dlviz_tensor *tensor;
    char name[40];
    ck_ok(dlviz_safetensors_create(&contents));
    ck_ok((dlviz_tensor_create(&tensor, DLVIZ_UINT8, 1, (int64_t[]){1})));
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "layer.%d.weight", i);
        ck_ok(dlviz_safetensors_add(contents, name, tensor));
        ck_ok(dlviz_safetensors_set_metadata(contents, name, "1"));
    }
    ck_fails(dlviz_safetensors_add(contents, name, tensor), DLVIZ_ERROR_INVALID_ARGUMENT,
             "already");
    dlviz_tensor_destroy(tensor);
    void *bytes;
    size_t size;
    ck_ok(dlviz_safetensors_save_memory(contents, &bytes, &size));
    dlviz_safetensors_destroy(contents);
    ck_ok(dlviz_safetensors_open_memory(&again, bytes, size));
    dlviz_free(bytes);
    ck_assert_int_eq(dlviz_safetensors_num_tensors(again), MANY);
    ck_assert_int_eq(dlviz_safetensors_num_metadata(again), MANY);
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "layer.%d.weight", i);
        ck_assert(dlviz_safetensors_has(again, name));
        ck_assert_str_eq(dlviz_safetensors_metadata(again, name), "1");
        ck_ok(dlviz_safetensors_get(again, name, &tensor));
        dlviz_tensor_destroy(tensor);
    }
    ck_ok(dlviz_safetensors_rename(again, "layer.*", "module.*"));
    ck_assert(dlviz_safetensors_has(again, "module.7.weight"));
    ck_assert(!dlviz_safetensors_has(again, "layer.7.weight"));
    ck_fails(dlviz_safetensors_rename(again, "module.7.weight", "module.8.weight"),
             DLVIZ_ERROR_INVALID_ARGUMENT, "both be called");
    ck_ok(dlviz_safetensors_remove(again, "module.1*"));
    ck_assert(!dlviz_safetensors_has(again, "module.17.weight"));
    ck_assert(dlviz_safetensors_has(again, "module.27.weight"));
    dlviz_safetensors_destroy(again);
}
END_TEST

START_TEST(many_classes_of_a_table) {
    size_t room = 16 * (size_t)MANY, used = 0;
    char *text = malloc(room);
    for (int i = 0; i < MANY; i++)
        used += (size_t)sprintf(text + used, "1,c%d\n", i);
    dlviz_csv_reader *settings;
    dlviz_dataset *dataset;
    ck_ok(dlviz_csv_reader_create(&settings));
    ck_ok(dlviz_csv_reader_set_label_column(settings, "#2"));
    ck_ok(dlviz_dataset_read_csv_memory(&dataset, text, used, settings));
    ck_assert_int_eq(dlviz_dataset_num_classes(dataset), MANY);
    dlviz_dataset_destroy(dataset);
    dlviz_csv_reader_destroy(settings);
    free(text);
}
END_TEST

/* Where the first of the page's runs ends that begins here. */
static const char *end_of_object(const char *at) {
    int depth = 0;
    do
        depth += (*at == '{') - (*at == '}');
    while (at++, depth > 0);
    return at;
}

/* `what` so many times, with commas, in place of a part of the page. */
static dlviz_status merge_with(const sample *page, const char *from, const char *to,
                               const char *what, size_t length, size_t times) {
    size_t before = (size_t)(from - (const char *)page->bytes),
           after = page->size - (size_t)(to - (const char *)page->bytes),
           size = before + times * (length + 1) - 1 + after;
    char *text = malloc(size + 1), *at = text + before;
    memcpy(text, page->bytes, before);
    for (size_t i = 0; i < times; i++) {
        memcpy(at, what, length);
        at[length] = ',';
        at += length + 1;
    }
    memcpy(at - 1, to, after);
    dlviz_report *report;
    ck_ok(dlviz_report_create(&report, NULL, 0));
    dlviz_status status = dlviz_report_merge_memory(report, text, size);
    if (status == DLVIZ_OK) {
        char name[40];
        ck_assert_int_eq(dlviz_report_num_runs(report), (int64_t)times + 1);
        snprintf(name, sizeof name, "a (%zu)", times);
        ck_assert_str_eq(dlviz_report_run_name(dlviz_report_run_at(report, (int64_t)times - 1)),
                         name);
    }
    dlviz_report_destroy(report);
    free(text);
    return status;
}

START_TEST(many_runs_and_maps_of_a_page) {
    samples files = {0};
    make_pages(&files);
    const sample *page = &files.all[0];
    const char *run = strstr((const char *)page->bytes, "\"runs\":[") + strlen("\"runs\":[");
    const char *end = end_of_object(run);
    ck_ok(merge_with(page, run, end, run, (size_t)(end - run), 5000));
    const char *maps = strstr(run, "\"maps\":[") + strlen("\"maps\":[");
    ck_fails(merge_with(page, maps, strchr(maps, ']'), "\"\"", 2, 500000), DLVIZ_ERROR_FORMAT,
             "maps");
}
END_TEST

START_TEST(a_header_is_read_in_proportion) {
    /* Two million bytes of a header that says little, and of one that nests. */
    enum { TENSORS = 30000, SIZE = 2000000 };
    char *text = malloc(8 + SIZE + 100);
    size_t used = 8;
    text[used++] = '{';
    for (int i = 0; i < TENSORS; i++)
        used += (size_t)sprintf(text + used,
                                "%s\"%x\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}",
                                i ? "," : "", i);
    text[used++] = '}';
    for (int i = 0; i < 8; i++)
        text[i] = (char)((used - 8) >> 8 * i);
    dlviz_safetensors *contents;
    ck_ok(dlviz_set_file_limit((int64_t)(4 * used)));
    ck_ok(dlviz_safetensors_open_memory(&contents, text, used));
    ck_assert_int_eq(dlviz_safetensors_num_tensors(contents), TENSORS);
    dlviz_safetensors_destroy(contents);
    used = 8 + (size_t)sprintf(text + 8, "{\"a\":{\"dtype\":\"U8\",\"more\":[");
    while (used < SIZE)
        used += (size_t)sprintf(text + used, "[],");
    used += (size_t)sprintf(text + used, "1],\"shape\":[0],\"data_offsets\":[0,0]}}");
    for (int i = 0; i < 8; i++)
        text[i] = (char)((used - 8) >> 8 * i);
    ck_fails(dlviz_safetensors_open_memory(&contents, text, used), DLVIZ_ERROR_FORMAT,
             "more values than are accepted");
    ck_ok(dlviz_set_file_limit(0));
    free(text);
}
END_TEST

START_TEST(nothing_is_no_file) {
    prepare_readers();
    for (const reader *of = all_readers; of->name; of++)
        if (!of->file) /* else it lies in a folder */
            ck_fails(of->read(NULL, NULL, 10), DLVIZ_ERROR_INVALID_ARGUMENT, "is NULL");
}
END_TEST

int main(void) {
    const TTest *const tests[] = {nothing_is_no_file,
                                  the_limit_holds_for_every_reader,
                                  the_limit_is_a_setting,
                                  the_sentence_of_the_limit,
                                  a_description_of_a_huge_network_meets_the_limit,
                                  a_build_stays_within_the_limit_of_the_file,
                                  what_is_announced_is_not_believed,
                                  json_without_memory_is_not_damaged,
                                  many_tensors,
                                  many_classes_of_a_table,
                                  many_runs_and_maps_of_a_page,
                                  a_header_is_read_in_proportion,
                                  NULL};
    return run_tests("untrusted", tests);
}
