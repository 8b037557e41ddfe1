#include "base/base.h"
#include "base/random.h"
#include "support/random_cases.h"
#include "support/support.h"

#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static double read_all(const char *text) {
    double number;
    ck_assert_msg(dlz_read_number(text, strlen(text), &number), "'%s' is no number", text);
    return number;
}

/* The C library is the judge, in the C locale. */
static void expect_nearest(const char *text) {
    char *before = strdup(setlocale(LC_NUMERIC, NULL));
    setlocale(LC_NUMERIC, "C");
    double wide = strtod(text, NULL);
    float narrow = strtof(text, NULL);
    setlocale(LC_NUMERIC, before);
    free(before);
    double number = read_all(text);
    ck_assert_msg((float)number == narrow && signbit(number) == signbit(wide),
                  "'%s' becomes the float %a, not %a", text, (double)(float)number, (double)narrow);
    bool leans = (float)wide != narrow;
    ck_assert_msg(number == (leans ? nextafter(wide, (double)narrow) : wide),
                  "'%s' becomes %a, not %a", text, number, wide);
    ck_assert(dlz_read_double(text, strlen(text), &number));
    ck_assert_msg(number == wide && signbit(number) == signbit(wide),
                  "'%s' becomes the double %a, not %a", text, number, wide);
}

START_TEST(what_is_a_number) {
    static const char *const numbers[] = {"0",      "7",       "-7",   "+7",    "1.",
                                          ".5",     "-.5",     "1e3",  "1E+3",  "1.e-3",
                                          "007.50", "1e99999", "0e-5", "-0.0e0"};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        expect_nearest(numbers[i]);
    static const char *const others[] = {
        "",      "-",   "+",   ".",    "e5",   "1e",           "1e+",          "1e5.", "--1",
        "+-1",   "1 ",  " 1",  "1,5",  "0x10", "inf",          "nan",          "1f",   "1_000",
        "1.2.3", "1d5", "INF", "1e5e", "1-",   "\xef\xbc\x91", "\xe2\x88\x92", ".e1"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        double number;
        ck_assert_msg(!dlz_read_number(others[i], strlen(others[i]), &number) &&
                          !dlz_read_double(others[i], strlen(others[i]), &number),
                      "'%s' is a number", others[i]);
    }
    /* Only what belongs to the text is looked at. */
    double number;
    ck_assert(dlz_read_number("12345", 2, &number) && number == 12);
    ck_assert(!dlz_read_number("1e5", 2, &number));
    ck_assert(!dlz_read_number("1\0", 2, &number));
}
END_TEST

START_TEST(limits_are_the_nearest_too) {
    static const char *const numbers[] = {
        "3.4028234663852886e38",
        "3.4028235677973366e38", /* the middle between the largest float and what would follow */
        "3.4028235677973365e38",
        "1.401298464324817e-45",
        "7.006492321624085e-46", /* about the middle between 0 and the smallest float */
        "7.0064923216240853546186479164495e-46",
        "7.0064923216240853546186479164496e-46",
        "1.1754943508222875e-38",
        "1.7976931348623157e308",
        "1.7976931348623159e308",
        "4.9e-324",
        "2.4e-324",
        "9007199254740993",
        "9007199254740992.99999999999999999999999",
        "16777217",
        "16777217.0000000000000000000000000000000000001",
        "16777216.9999999999999999999999999999999999999",
        "16777219",
        "1.00000005960464477539062500000000000000001",
        "1.000000059604644775390625",
        "1.00000005960464477539062499999999999999999",
        "-1.00000005960464477539062500000000000000001",
        "123456789012345678901234567890",
        "0.000000000000000000000000000000000000000000000000012345678901234567890123",
        "100000000000000000000000000000000000000000000000000e-50",
        "99999999999999999999e-1",
        "12345678901234567890",
        "18446744073709551615",
        "18446744073709551616",
    };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        expect_nearest(numbers[i]);
}
END_TEST

/* The middle between 1 and the next float, with a digit behind it that only reading all of them shows. */
START_TEST(no_digit_is_too_far_away) {
    enum { ZEROS = 100000 };
    static char text[ZEROS + 100];
    const char middle[] = "1.000000059604644775390625";
    memcpy(text, middle, sizeof middle - 1);
    memset(text + sizeof middle - 1, '0', ZEROS);
    ck_assert_float_eq((float)read_all(text), 1.0f);
    strcpy(text + sizeof middle - 1 + ZEROS, "1");
    ck_assert_float_eq((float)read_all(text), nextafterf(1.0f, 2));
    /* So many zeros, and a power that makes up for them. */
    memset(text, '0', ZEROS);
    text[1] = '.';
    strcpy(text + ZEROS, "25e100000");
    ck_assert_double_eq(read_all(text), 25);
    memset(text, '0', ZEROS);
    text[0] = '5';
    strcpy(text + ZEROS, "e-100000");
    ck_assert_double_eq(read_all(text), 0.5);
    ck_assert_double_eq(read_all("1e999999999999999999999999"), INFINITY);
    ck_assert_double_eq(read_all("1e-999999999999999999999999"), 0);
    ck_assert_double_eq(read_all("0e999999999999999999999999"), 0);
}
END_TEST

START_TEST(what_is_written_comes_back) {
    dlz_random random = random_numbers(1);
    for (int i = 0; i < 200000; i++) {
        uint64_t bits = dlz_random_below(&random, UINT64_C(1) << 63) * 2 + (uint64_t)(i & 1);
        double value;
        memcpy(&value, &bits, sizeof value);
        if (i % 3 == 0)
            value = ldexp((double)(int64_t)(bits >> 11), (int)random_between(&random, -90, 60));
        if (!isfinite(value))
            continue;
        char text[DLZ_NUMBER_SIZE];
        dlz_number(text, value, 17);
        double number = read_all(text);
        /* Where it leans, it still is the same float. */
        ck_assert_msg(number == value ||
                          ((float)number == (float)value && nextafter(value, number) == number),
                      "%s becomes %a, not %a", text, number, value);
        dlz_number(text, value, (int)random_between(&random, 1, 17));
        expect_nearest(text);
    }
}
END_TEST

/* Middles of floats, and what is next to them in text. */
START_TEST(middles_are_decided_by_the_text) {
    dlz_random random = random_numbers(2);
    for (int i = 0; i < 20000; i++) {
        uint32_t bits = (uint32_t)dlz_random_below(&random, 0x7F7FFFFF);
        if (i % 4 == 0)
            bits &= 0x7FFFFF; /* subnormal */
        float low;
        memcpy(&low, &bits, sizeof low);
        double middle = ((double)low + (double)nextafterf(low, INFINITY)) / 2;
        char text[200];
        /* All digits of it, and then a little more or less. */
        snprintf(text, sizeof text, "%.120e", middle);
        for (char *comma = text; *comma; comma++)
            if (*comma == ',')
                *comma = '.';
        expect_nearest(text);
        text[60] = text[60] == '9' ? '8' : (char)(text[60] + 1);
        expect_nearest(text);
        text[20] = text[20] == '0' ? '1' : (char)(text[20] - 1);
        expect_nearest(text);
    }
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        what_is_a_number,           limits_are_the_nearest_too,      no_digit_is_too_far_away,
        what_is_written_comes_back, middles_are_decided_by_the_text, NULL};
    return run_tests("number", tests);
}
