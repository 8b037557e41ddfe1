/* JSON of the example programs: how it is laid out, and that memory which ends leaves the earlier file, and is told from damage. */
#include "run/json.h"
#include "support/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static long made, fails_at; /* allocations; from 1, 0: none */

static void *allocate(size_t size) {
    return ++made == fails_at ? NULL : malloc(size);
}

static void fail_allocation(long number) {
    made = 0;
    fails_at = number;
    json_set_alloc_funcs(number > 0 ? allocate : malloc, free);
}

static dlviz_status write_example(const char *path) {
    static const char member[] =
        "{\"version\": 1, \"layers\": [{\"name\": \"one of more bytes than "
        "jansson begins with\", \"kernel\": [3, 3], \"settings\": {}}]}";
    struct json_builder json = begin_json();
    put_text(&json, "text", "\xc3\xa9 \"\n\x01");
    put_text(&json, "not UTF-8", "\xc3\xa9\xff]");
    put_number(&json, "real", 1e-6);
    put_bool(&json, "true", true);
    put_open(&json, "numbers", '[');
    put_number(&json, NULL, 0.123456789123);
    put_number(&json, NULL, (double)NAN);
    put_number(&json, NULL, 5);
    put_close(&json);
    put_open(&json, "object", '{');
    put_open(&json, "integers", '[');
    put_integer(&json, NULL, -1);
    put_close(&json);
    put_integer(&json, "integer", 5);
    put_close(&json);
    put_open(&json, "matrix", '[');
    for (int i = 0; i < 2; i++) {
        put_open(&json, NULL, '[');
        put_integer(&json, NULL, i);
        put_text(&json, NULL, "[\n");
        put_close(&json);
    }
    put_close(&json);
    put_member(&json, "layers", member, strlen(member));
    put_open(&json, "empty", '[');
    put_close(&json);
    dlviz_status status = write_json(&json, path);
    release_json(&json);
    return status;
}

static void check_file(const char *path, const char *expected) {
    char text[2048] = "";
    FILE *file = fopen(path, "rb");
    ck_assert(file);
    ck_assert_uint_lt(fread(text, 1, sizeof text - 1, file), sizeof text - 1);
    fclose(file);
    ck_assert_str_eq(text, expected);
}

static const char example[] =
    "{\n"
    "  \"text\": \"\xc3\xa9 \\\"\\n\\u0001\",\n"
    "  \"not UTF-8\": \"???]\",\n"
    "  \"real\": 1e-6,\n"
    "  \"true\": true,\n"
    "  \"numbers\": [0.123456789, null, 5.0],\n"
    "  \"object\": {\n"
    "    \"integers\": [-1],\n"
    "    \"integer\": 5\n"
    "  },\n"
    "  \"matrix\": [\n"
    "    [0, \"[\\n\"],\n"
    "    [1, \"[\\n\"]\n"
    "  ],\n"
    "  \"layers\": [\n"
    "    {\"name\": \"one of more bytes than jansson begins with\", \"kernel\": [3, 3], "
    "\"settings\": {}}\n"
    "  ],\n"
    "  \"empty\": []\n"
    "}\n";

START_TEST(it_is_laid_out_for_people) {
    ck_ok(write_example(scratch_path("laid-out.json")));
    check_file(scratch_path("laid-out.json"), example);
}
END_TEST

START_TEST(it_is_written_whole_or_not_at_all) {
    const char *path = scratch_path("whole.json");
    dlviz_status status = DLVIZ_ERROR_OUT_OF_MEMORY;
    long number = 1;
    ck_ok(dlviz_file_write(path, "earlier", 7));
    for (; status != DLVIZ_OK; number++) {
        fail_allocation(number);
        status = write_example(path);
        ck_assert(status == DLVIZ_OK ? made < number : status == DLVIZ_ERROR_OUT_OF_MEMORY);
        fail_allocation(0);
        check_file(path, status == DLVIZ_OK ? example : "earlier");
    }
    ck_assert_int_gt(number, 50);
}
END_TEST

START_TEST(no_memory_is_no_damage) {
    json_t *value, *right;
    dlviz_status status = DLVIZ_ERROR_OUT_OF_MEMORY;
    size_t size = strlen(example);
    ck_ok(parse_json("a test", example, size, &right));
    for (long number = 1; status != DLVIZ_OK; number++) {
        fail_allocation(number);
        status = parse_json("a test", example, size, &value);
        ck_assert(status == DLVIZ_OK ? made < number : status == DLVIZ_ERROR_OUT_OF_MEMORY);
        ck_assert(status == DLVIZ_OK ? json_equal(value, right) : !value);
        json_decref(value);
    }
    fail_allocation(0);
    json_decref(right);
    ck_fails(parse_json("a test", example, size / 2, &value), DLVIZ_ERROR_FORMAT,
             "cannot read 'a test': line ");
    ck_assert(!value);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {it_is_laid_out_for_people, it_is_written_whole_or_not_at_all,
                                  no_memory_is_no_damage, NULL};
    return run_tests("run_json", tests);
}
