/* JSON as the library reads it: what jansson takes is taken as the same, and what it refuses is refused; what it
 * counts as memory is what jansson's values take, and no allocation that fails becomes damage. */
#include "base/json.h"
#include "base/random.h"
#include "base/reading.h"
#include "support/random_cases.h"
#include "support/support.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static dlviz_status read_text(const char *text, size_t length, json_t **value,
                              dlz_json_fault *fault) {
    return dlz_json_read("a test", text, length, value, fault);
}

static void check_same(const char *text, size_t length) {
    json_error_t error;
    dlz_json_fault fault;
    json_t *own,
        *other = json_loadb(text, length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    dlviz_status status = read_text(text, length, &own, &fault);
    ck_assert_msg((status == DLVIZ_OK) == (other != NULL),
                  "'%.*s': '%s' at byte %zu, jansson: '%s'", (int)length, text, fault.reason,
                  fault.byte, other ? "none" : error.text);
    ck_assert(status == DLVIZ_OK || status == DLVIZ_ERROR_FORMAT);
    ck_assert_msg(status != DLVIZ_OK || json_equal(own, other), "'%.*s' is something else",
                  (int)length, text);
    ck_assert(status == DLVIZ_OK || (strlen(fault.reason) > 4 && fault.byte <= length && !own));
    json_decref(own);
    json_decref(other);
}

static const char *const valid[] = {
    "{}",
    "[]",
    " [ ] ",
    "\t{\n}\r",
    "null",
    "true",
    "false",
    "0",
    "-0",
    "12",
    "-9223372036854775808",
    "9223372036854775807",
    "0.1",
    "-0.0",
    "1e5",
    "1E+5",
    "1.7976931348623157e308",
    "4.9e-324",
    "1e-400",
    "2.2250738585072014e-308",
    "0.30000000000000004",
    "16777217.0000000001",
    "\"\"",
    "\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e4\\u20ac\\ud83d\\ude00\"",
    "\"\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80 \x7f\"",
    "[1,[2,[3,[]]],{\"a\":{\"b\":[null,true,false]}}]",
    "{\"\":1,\"a\":{\"a\":2},\"b\":\"x\"}",
    "{\"version\":1,\"input\":[1,28,28],\"layers\":[{\"name\":\"c\",\"settings\":{\"p\":0.25}}]}",
};

static const char *const invalid[] = {
    "",
    " ",
    "[",
    "{",
    "]",
    "[1,]",
    "[,1]",
    "[1 2]",
    "{\"a\"}",
    "{\"a\":}",
    "{\"a\":1,}",
    "{a:1}",
    "{1:1}",
    "01",
    "-",
    "+1",
    ".5",
    "1.",
    "1e",
    "1e+",
    "0x1",
    "1e400",
    "-1e400",
    "9223372036854775808",
    "nul",
    "nulll",
    "True",
    "NaN",
    "Infinity",
    "\"",
    "\"\\\"",
    "\"\\x\"",
    "\"\\u12\"",
    "\"\\ud800\"",
    "\"\\ud800\\u0041\"",
    "\"\\udc00\"",
    "\"\\u0000\"",
    "\"\n\"",
    "\"\x01\"",
    "\"\xff\"",
    "\"\xc0\x80\"",
    "\"\xed\xa0\x80\"",
    "\"\xf4\x90\x80\x80\"",
    "\"\xe2\x82\"",
    "{} {}",
    "[] x",
    "{\"a\":1,\"a\":2}",
    "{\"a\":1,\"\\u0061\":2}",
    "[1]]",
    "{\"a\":[}",
    "\xef\xbb\xbf{}",
    "'a'",
    "// a\n1",
    "1 //",
};

START_TEST(it_takes_what_jansson_takes) {
    for (size_t i = 0; i < sizeof valid / sizeof *valid; i++) {
        json_t *value;
        dlz_json_fault fault;
        ck_assert_msg(read_text(valid[i], strlen(valid[i]), &value, &fault) == DLVIZ_OK, "'%s': %s",
                      valid[i], fault.reason);
        json_decref(value);
        check_same(valid[i], strlen(valid[i]));
    }
    for (size_t i = 0; i < sizeof invalid / sizeof *invalid; i++) {
        json_t *value;
        dlz_json_fault fault;
        ck_assert_msg(read_text(invalid[i], strlen(invalid[i]), &value, &fault) ==
                          DLVIZ_ERROR_FORMAT,
                      "'%s' is taken", invalid[i]);
        check_same(invalid[i], strlen(invalid[i]));
    }
}
END_TEST

/* Texts that are nearly valid: pieces of them doubled, taken out and put elsewhere. */
START_TEST(it_takes_what_jansson_takes_at_random) {
    static const char bytes[] = "{}[]:,\"\\u0eE+-.19 \nx\xc3\xa4\xed\x80tfn/";
    dlz_random random = random_numbers(24);
    for (int i = 0; i < 200000; i++) {
        char text[512];
        const char *from = valid[random_between(&random, 0, sizeof valid / sizeof *valid - 1)];
        size_t length = strlen(from);
        memcpy(text, from, length);
        for (int64_t edits = random_between(&random, 1, 3); edits > 0; edits--) {
            size_t at = (size_t)random_between(&random, 0, (int64_t)length);
            if (random_between(&random, 0, 2) == 0 && at < length) {
                memmove(text + at, text + at + 1, length - at - 1);
                length--;
            } else {
                memmove(text + at + 1, text + at, length - at);
                text[at] = bytes[random_between(&random, 0, sizeof bytes - 2)];
                length++;
            }
        }
        check_same(text, length);
    }
}
END_TEST

START_TEST(places_are_told) {
    json_t *value;
    dlz_json_fault fault;
    ck_assert_int_eq(read_text("{\"a\":1,\n \"b\":x}", 15, &value, &fault), DLVIZ_ERROR_FORMAT);
    ck_assert_str_eq(fault.reason, "no value");
    ck_assert_uint_eq(fault.byte, 13);
    ck_assert_uint_eq(fault.line, 2);
    /* The bytes end where they end. */
    ck_assert_int_eq(read_text("12345", 3, &value, &fault), DLVIZ_OK);
    ck_assert_int_eq(json_integer_value(value), 123);
    json_decref(value);
    ck_assert_int_eq(read_text("\"\\u00e4\"", 6, &value, &fault), DLVIZ_ERROR_FORMAT);
}
END_TEST

/* What `open` begins and `close` ends, so many times. */
static char *repeated(const char *before, const char *what, size_t times, const char *after,
                      size_t *length) {
    size_t size = strlen(what);
    char *text = malloc(strlen(before) + times * size + strlen(after) + 1);
    size_t used = strlen(strcpy(text, before));
    for (size_t i = 0; i < times; i++, used += size)
        memcpy(text + used, what, size);
    strcpy(text + used, after);
    *length = used + strlen(after);
    return text;
}

static void fails_with(char *text, size_t length, const char *reason) {
    json_t *value;
    dlz_json_fault fault;
    ck_assert_int_eq(read_text(text, length, &value, &fault), DLVIZ_ERROR_FORMAT);
    ck_assert_str_eq(fault.reason, reason);
    ck_assert_ptr_null(value);
    free(text);
}

START_TEST(it_has_limits) {
    size_t length;
    char *text = repeated("", "[", 1000000, "", &length);
    fails_with(text, length, "lists and objects nested more than 128 deep");
    text = repeated("", "{\"a\":", 1000000, "", &length);
    fails_with(text, length, "lists and objects nested more than 128 deep");
    text = repeated("[", "0,", DLZ_JSON_MOST_VALUES, "0]", &length);
    fails_with(text, length, "more values than are accepted");
    text = repeated("", "1", 1000, "", &length);
    fails_with(text, length, "a number of too many digits");
    dlz_json_fault fault;
    json_t *value;
    char deep[300];
    memset(deep, '[', 128);
    memset(deep + 128, ']', 128);
    ck_assert_int_eq(read_text(deep, 256, &value, &fault), DLVIZ_OK);
    json_decref(value);
}
END_TEST

/* -- Memory --------------------------------------------------------------------------------------
 */

static long long held, most_held, made, fails_at;
static bool keeps_failing;

static void *allocate(size_t size) {
    made++;
    if (made == fails_at || (keeps_failing && made > fails_at && fails_at > 0))
        return NULL;
    void *block = malloc(size);
    /* And what malloc itself needs for a block. */
    held += (long long)(malloc_usable_size(block) + sizeof(size_t));
    most_held = held > most_held ? held : most_held;
    return block;
}

static void release(void *block) {
    if (block)
        held -= (long long)(malloc_usable_size(block) + sizeof(size_t));
    free(block);
}

START_TEST(allocations_that_fail_are_told) {
    json_set_alloc_funcs(allocate, release);
    for (size_t i = 0; i < sizeof valid / sizeof *valid; i++)
        for (int keeps = 0; keeps < 2; keeps++) {
            json_error_t error;
            fails_at = 0;
            json_t *value, *right = json_loads(valid[i], JSON_DECODE_ANY, &error);
            dlz_json_fault fault;
            keeps_failing = keeps;
            for (long long n = 1;; n++) {
                long long before = held;
                made = 0;
                fails_at = n;
                dlviz_status status = read_text(valid[i], strlen(valid[i]), &value, &fault);
                fails_at = 0;
                ck_assert(status == DLVIZ_OK || status == DLVIZ_ERROR_OUT_OF_MEMORY);
                ck_assert(status != DLVIZ_OK || (made < n && json_equal(value, right)));
                ck_assert_msg(status == DLVIZ_OK || strstr(dlviz_last_error(), "a test: out of"),
                              "'%s'", dlviz_last_error());
                json_decref(value);
                ck_assert_int_eq(held, before);
                if (status == DLVIZ_OK)
                    break;
            }
            json_decref(right);
        }
    json_set_alloc_funcs(malloc, free);
}
END_TEST

/* The estimate holds, and is no more than a few times what is taken. */
START_TEST(memory_is_estimated_from_above) {
    static const struct {
        const char *before, *what, *after;
    } cases[] = {
        {"[", "0,", "0]"},         {"[", "[],", "0]"},          {"[", "{},", "0]"},
        {"[", "\"\",", "0]"},      {"[", "0.5,", "0]"},         {"[", "[0],", "0]"},
        {"[", "{\"a\":1},", "0]"}, {"\"", "x", "\""},           {"[", "\"abcdefgh\",", "0]"},
        {"{\"", "a", "\":1}"},     {"[", "{\"a\":[{}]},", "0]"}};
    json_set_alloc_funcs(allocate, release);
    ck_ok(dlviz_set_file_limit(INT64_MAX));
    for (size_t i = 0; i <= sizeof cases / sizeof *cases; i++) {
        size_t length, times = 20000;
        bool members = i == sizeof cases / sizeof *cases;
        char *text = members
                         ? malloc(times * 16)
                         : repeated(cases[i].before, cases[i].what, times, cases[i].after, &length);
        if (members) {
            length = (size_t)sprintf(text, "{\"0\":0");
            for (size_t k = 1; k < times; k++)
                length += (size_t)sprintf(text + length, ",\"%zx\":0", k);
            length += (size_t)sprintf(text + length, "}");
        }
        json_t *value;
        dlz_json_fault fault;
        held = most_held = 0;
        DLZ_READING("it");
        ck_assert_int_eq(read_text(text, length, &value, &fault), DLVIZ_OK);
        double used = (double)atomic_load(&dlz_reading_now()->used), most = (double)most_held;
        ck_assert_msg(most <= used && used <= 5 * most + 1000,
                      "case %zu: %g bytes are counted, and %g taken", i, used, most);
        json_decref(value);
        ck_assert_int_eq(held, 0);
        free(text);
    }
    ck_ok(dlviz_set_file_limit(0));
    json_set_alloc_funcs(malloc, free);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {it_takes_what_jansson_takes,
                                  it_takes_what_jansson_takes_at_random,
                                  places_are_told,
                                  it_has_limits,
                                  allocations_that_fail_are_told,
                                  memory_is_estimated_from_above,
                                  NULL};
    return run_tests("json", tests);
}
