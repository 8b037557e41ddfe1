/* Patterns of names. */
#include "base/pattern.h"
#include "base/random.h"
#include "support/support.h"

#include <string.h>

START_TEST(patterns_match_what_they_describe) {
    static const struct {
        const char *pattern, *name;
        bool matches;
    } cases[] = {
        {"conv1.weight", "conv1.weight", true},
        {"conv1.weight", "conv1.weights", false},
        {"conv1.weight", "xconv1.weight", false},
        {"conv1.weight", "conv1xweight", false},
        {"features.*", "features.0.weight", true},
        {"features.*", "features.", true},
        {"features.*", "features", false},
        {"features.*", "my.features.0", false},
        {"*.bias", "layer1.0.conv1.bias", true},
        {"*.bias", ".bias", true},
        {"*.bias", "bias", false},
        {"*.bias", "conv.bias.more", false},
        {"*", "", true},
        {"*", "anything.at.all", true},
        {"**", "x", true},
        {"***", "", true},
        {"", "", true},
        {"", "x", false},
        {"?", "", false},
        {"?", "x", true},
        {"?", "xy", false},
        {"conv?.weight", "conv1.weight", true},
        {"conv?.weight", "conv12.weight", false},
        {"conv?weight", "conv.weight", true},
        {"*?", "", false},
        {"*?*?", "ab", true},
        {"?*?", "a", false},
        {"layer?.*.conv*.weight", "layer1.0.conv2.weight", true},
        {"layer?.*.conv*.weight", "layer1.conv2.weight", false},
        {"*ab*ab", "abab", true},
        {"*ab*ab", "aab", false},
        {"*aab", "aaab", true},
        {"a*b*c", "a.b.b.c", true},
        {"a*b*c", "a.c.b", false},
        /* Of a name a star is a character like others. */
        {"\\*", "*", false},
        {"?", "*", true},
        {"a*", "a*b", true},
        /* One character, whatever bytes it has. */
        {"?", "\u00e9", true},
        {"??", "\u00e9", false},
        {"a?c", "a\u20acc", true},
        {"*?c", "\U0001d11ec", true},
        {"*?", "\U0001d11e", true},
        {"*??", "\U0001d11e", false},
        {"\u00e9*", "\u00e9t\u00e9", true},
        {"*\u00e9", "\u00e9t\u00e9", true},
        {"*\u00e8", "\u00e9t\u00e9", false},
        /* Bytes that are no UTF-8 end nothing early and read nothing beyond. */
        {"?", "\xf0", true},
        {"?*", "\x80\x80", true},
        {"\xf0*", "\xf0", true},
        {"*\x80?", "\xc3\x80", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_msg(dlz_matches(cases[i].pattern, cases[i].name) == cases[i].matches,
                      "'%s' and '%s'", cases[i].pattern, cases[i].name);
}
END_TEST

/* By the definition, from the ends: what a star takes is tried in every length. */
static bool matches_by_table(const char *pattern, const char *name) {
    size_t m = strlen(pattern), n = strlen(name);
    bool table[16][16] = {{false}};
    table[m][n] = true;
    for (size_t i = m; i-- > 0;)
        for (size_t j = n + 1; j-- > 0;)
            table[i][j] = pattern[i] == '*' ? table[i + 1][j] || (j < n && table[i][j + 1])
                                            : j < n && table[i + 1][j + 1] &&
                                                  (pattern[i] == '?' || pattern[i] == name[j]);
    return table[0][0];
}

/* `length` of the characters. */
static void draw(dlz_random *random, const char *characters, int length, char *text) {
    size_t count = strlen(characters);
    for (int i = 0; i < length; i++)
        text[i] = characters[dlz_random_below(random, count)];
    text[length] = '\0';
}

START_TEST(random_patterns_match_by_the_definition) {
    dlz_random random = dlz_random_start(1, 0);
    int matches = 0;
    for (int i = 0; i < 200000; i++) {
        char pattern[16], name[16];
        draw(&random, "ab*?", (int)dlz_random_below(&random, 10), pattern);
        draw(&random, "ab", (int)dlz_random_below(&random, 12), name);
        bool expected = matches_by_table(pattern, name);
        matches += expected;
        ck_assert_msg(dlz_matches(pattern, name) == expected, "'%s' and '%s'", pattern, name);
    }
    ck_assert_int_gt(matches, 10000);
    ck_assert_int_lt(matches, 190000);
}
END_TEST

/* Trying every way to share the name out among the stars would take longer than the universe has. */
START_TEST(many_stars_take_no_time) {
    enum { STARS = 2000, LENGTH = 4000 };
    static char pattern[2 * STARS + 2], name[LENGTH + 1];
    for (int i = 0; i < STARS; i++)
        memcpy(pattern + 2 * i, "*a", 2);
    memset(name, 'a', LENGTH);
    ck_assert(dlz_matches(pattern, name));
    strcat(pattern, "b");
    ck_assert(!dlz_matches(pattern, name));
}
END_TEST

int main(void) {
    const TTest *const tests[] = {patterns_match_what_they_describe,
                                  random_patterns_match_by_the_definition, many_stars_take_no_time,
                                  NULL};
    return run_tests("pattern", tests);
}
