/* Numbers from text, in any locale. */
#include "base/base.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FIRST_DIGITS = 19, /* so many always fit 64 bits */
    EXACT_POWER = 22,  /* 10^22 is the largest power of ten that a double holds */
    /* Between two doubles lies a number of up to 767 digits; what comes after 800 can only say that it is
     * not exactly there. */
    MOST_DIGITS = 800,
};
/* No text has digits enough to bring back a number that this power makes 0 or infinite. */
#define LARGEST_POWER INT64_C(100000000000000000)

/* A number as it stands in the text: ± digits, with a point among them, times a power of ten. */
typedef struct decimal {
    const char *digits, *end; /* digits and at most one point */
    bool negative;
    uint64_t first; /* the first digits from one that is not 0 on, as a number */
    int64_t power;  /* of ten: that number times it is the value, if `all` */
    int64_t written_power;
    bool all; /* no other digits follow but zeros */
} decimal;

static bool is_digit(const char *at, const char *end) {
    return at < end && *at >= '0' && *at <= '9';
}

/* Reads digits and a point; false where there are no digits. */
static bool read_digits(const char **at, const char *end, decimal *d) {
    bool any = false, point = false;
    int count = 0;
    d->digits = *at;
    for (;; (*at)++) {
        if (!point && *at < end && **at == '.') {
            point = true;
            continue;
        }
        if (!is_digit(*at, end))
            break;
        any = true;
        int digit = **at - '0';
        if (count < FIRST_DIGITS) {
            d->first = d->first * 10 + (uint64_t)digit;
            count += d->first != 0;
            d->power -= point;
        } else {
            d->all = d->all && digit == 0;
            d->power += !point;
        }
    }
    d->end = *at;
    return any;
}

/* Reads "e", a sign and digits, if they are there; false where the digits are missing. */
static bool read_power(const char **at, const char *end, decimal *d) {
    if (*at == end || (**at != 'e' && **at != 'E'))
        return true;
    (*at)++;
    bool negative = *at < end && **at == '-';
    if (*at < end && (**at == '-' || **at == '+'))
        (*at)++;
    if (!is_digit(*at, end))
        return false;
    int64_t power = 0;
    for (; is_digit(*at, end); (*at)++)
        power = dlz_min_i64(power * 10 + (**at - '0'), LARGEST_POWER);
    d->written_power = negative ? -power : power;
    d->power += d->written_power;
    return true;
}

/* The number without a point, which differs between locales, and with no more digits than count. */
static void plain_text(const decimal *d, char text[MOST_DIGITS + 40]) {
    char *to = text;
    int64_t power = d->written_power;
    bool point = false, more = false;
    int count = 0;
    if (d->negative)
        *to++ = '-';
    for (const char *at = d->digits; at < d->end; at++) {
        if (*at == '.') {
            point = true;
            continue;
        }
        if (count < MOST_DIGITS) {
            count += count > 0 || *at != '0';
            if (count > 0)
                *to++ = *at;
            power -= point;
        } else {
            more = more || *at != '0';
            power += !point;
        }
    }
    if (count == 0)
        *to++ = '0';
    if (more) {
        *to++ = '1';
        power--;
    }
    snprintf(to, 32, "e%lld", (long long)power);
}

/* A double that lies just in the middle between two floats, but from which the text lies to one side, is
 * moved to that side. */
static double lean(const decimal *d, double value) {
    char text[MOST_DIGITS + 40];
    plain_text(d, text);
    float nearest = strtof(text, NULL);
    return (float)value == nearest ? value : nextafter(value, (double)nearest);
}

static bool may_be_a_middle(double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    double magnitude = fabs(value);
    return (bits & 0x1FFFFFFF) == 0x10000000 || (magnitude < (double)FLT_MIN && magnitude > 0);
}

static double value_of(const decimal *d) {
    static const double powers[EXACT_POWER + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                   1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                                   1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    /* Both are exact, so that the result is rounded once. */
    if (d->all && d->first <= (UINT64_C(1) << DBL_MANT_DIG) && d->power >= -EXACT_POWER &&
        d->power <= EXACT_POWER) {
        double magnitude = d->power < 0 ? (double)d->first / powers[-d->power]
                                        : (double)d->first * powers[d->power];
        return d->negative ? -magnitude : magnitude;
    }
    char text[MOST_DIGITS + 40];
    plain_text(d, text);
    return strtod(text, NULL);
}

static bool read_decimal(const char *text, size_t size, decimal *d) {
    const char *at = text, *end = text + size;
    *d = (decimal){.all = true};
    d->negative = at < end && *at == '-';
    if (at < end && (*at == '-' || *at == '+'))
        at++;
    return read_digits(&at, end, d) && read_power(&at, end, d) && at == end;
}

bool dlz_read_double(const char *text, size_t size, double *number) {
    decimal d;
    if (!read_decimal(text, size, &d))
        return false;
    *number = value_of(&d);
    return true;
}

bool dlz_read_number(const char *text, size_t size, double *number) {
    decimal d;
    if (!read_decimal(text, size, &d))
        return false;
    double value = value_of(&d);
    *number = may_be_a_middle(value) ? lean(&d, value) : value;
    return true;
}
