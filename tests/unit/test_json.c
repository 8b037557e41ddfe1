/* JSON that is read: right, or refused, also where jansson finds no memory. */
#include "support/support.h"
#include "tensor/safetensors.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static long made, failing;

static void *allocate(size_t size) {
    if (++made == failing) {
        errno = ENOMEM;
        return NULL;
    }
    return malloc(size);
}

static const char *const texts[] = {
    "{\"a\": \"47e1cfcd\", \"bn.running_mean_of_all\": 1.5, \"x\": [1, 2, {\"y\": null}]}",
    "[12345678901234567, -0.12345678901234567890123456789e-5, true]",
    "{\"quoted \\\"and\\\" \\\\ long enough to need room\": \"\\u00e4pfel und andere Fr\xc3\xbc"
    "chte\"}",
    "[[[\"a word of seventeen\"], \"and one of more than thirty-two letters\", {}], 1E5]"};

static json_t *parse(const char *text, json_error_t *error, bool *lacked_memory) {
    return dlz_json_parse(text, strlen(text), 0, error, lacked_memory);
}

START_TEST(nothing_is_left_out_where_memory_is_short) {
    json_error_t error;
    bool lacked;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        json_t *whole = parse(texts[i], &error, &lacked), *plain = json_loads(texts[i], 0, NULL);
        ck_assert(whole && !lacked && json_equal(whole, plain));
        json_decref(plain);
        json_set_alloc_funcs(allocate, free);
        long failures = 0;
        for (failing = 1, made = failing; made >= failing; failing++) {
            made = 0;
            json_t *value = parse(texts[i], &error, &lacked);
            failures += value == NULL;
            ck_assert_msg(value ? json_equal(value, whole) : lacked,
                          "text %zu with allocation %ld missing: %s", i, failing,
                          value ? "another value" : error.text);
            ck_assert(!value || !lacked);
            json_decref(value);
        }
        ck_assert_int_gt(failures, 5);
        json_set_alloc_funcs(malloc, free);
        json_decref(whole);
    }
}
END_TEST

START_TEST(what_is_no_json_is_said_as_by_jansson) {
    static const char *const wrong[] = {
        "",      "{",        "[1, 2",  "{\"a\" 1}", "{\"a\": 1} 2",
        "1",     "\"word\"", "[1], 2", "1], [2",    "{\"a\":1,\"a\":2}",
        "[\"a]", "[1]]",     "[tru]",  "\"\\",      "\"\"\"\""};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        json_error_t error, plain;
        bool lacked;
        ck_assert_msg(!parse(wrong[i], &error, &lacked), "'%s' is taken", wrong[i]);
        ck_assert(!json_loads(wrong[i], JSON_REJECT_DUPLICATES, &plain));
        ck_assert_str_eq(error.text, plain.text);
        ck_assert_int_eq(error.position, plain.position);
        ck_assert(!lacked);
    }
}
END_TEST

START_TEST(a_value_alone_is_taken_where_that_is_asked_for) {
    json_error_t error;
    bool lacked;
    json_t *value = dlz_json_parse("0.1", 3, JSON_DECODE_ANY, &error, &lacked);
    ck_assert(json_is_real(value) && json_real_value(value) == 0.1);
    json_decref(value);
    ck_assert(!dlz_json_parse("0.1, 2", 6, JSON_DECODE_ANY, &error, &lacked) && !lacked);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {nothing_is_left_out_where_memory_is_short,
                                  what_is_no_json_is_said_as_by_jansson,
                                  a_value_alone_is_taken_where_that_is_asked_for, NULL};
    return run_tests("json", tests);
}
