#include "plot/scales.h"
#include "base/base.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define MINUS "\xE2\x88\x92" /* U+2212 */
#define TIMES "\xC2\xB7"     /* U+00B7 */

/* Ranges beyond these are cut: differences of doubles stay finite and steps stay normal numbers. */
static const double largest = 1e300, smallest = 1e-290;

static void write_exponent(dlz_tick *tick, int exponent) {
    snprintf(tick->exponent, sizeof tick->exponent, "%s%d", exponent < 0 ? MINUS : "",
             exponent < 0 ? -exponent : exponent);
}

/* Writes whole x 10^power exactly, from the digits of the whole number: no rounding, no locale. */
static void write_plain(dlz_tick *tick, int64_t whole, int power) {
    char digits[32];
    int count = snprintf(digits, sizeof digits, "%lld", (long long)(whole < 0 ? -whole : whole));
    const char *sign = whole < 0 ? MINUS : "";
    if (power >= 0) {
        snprintf(tick->text, sizeof tick->text, "%s%s%.*s", sign, digits, whole ? power : 0,
                 "000000000");
        return;
    }
    char padded[48];
    int zeros = dlz_max_i64(0, 1 - power - count) > 0 ? 1 - power - count : 0;
    snprintf(padded, sizeof padded, "%.*s%s", zeros, "0000000000", digits);
    int before = (int)strlen(padded) + power;
    snprintf(tick->text, sizeof tick->text, "%s%.*s.%s", sign, before, padded, padded + before);
}

static void write_scientific(dlz_tick *tick, int64_t whole, int power) {
    if (whole == 0) {
        strcpy(tick->text, "0");
        return;
    }
    while (whole % 10 == 0) {
        whole /= 10;
        power++;
    }
    char digits[32];
    int count = snprintf(digits, sizeof digits, "%lld", (long long)(whole < 0 ? -whole : whole));
    const char *sign = whole < 0 ? MINUS : "";
    if (strcmp(digits, "1") == 0)
        snprintf(tick->text, sizeof tick->text, "%s10", sign);
    else
        snprintf(tick->text, sizeof tick->text, "%s%c%s%s" TIMES "10", sign, digits[0],
                 count > 1 ? "." : "", digits + 1);
    write_exponent(tick, power + count - 1);
}

static double power_of_ten(int power) {
    return power < 0 ? 1 / pow(10, -power) : pow(10, power);
}

void dlz_axis_place_ticks(dlz_axis *axis, int most, bool whole) {
    axis->count = 0;
    double raw = (axis->high - axis->low) / most;
    int power = (int)floor(log10(raw));
    double share = raw / power_of_ten(power);
    int multiple = share <= 1 + 1e-9 ? 1 : share <= 2 + 1e-9 ? 2 : share <= 5 + 1e-9 ? 5 : 10;
    if (multiple == 10) {
        multiple = 1;
        power++;
    }
    if (whole && power < 0) {
        multiple = 1;
        power = 0;
    }
    double step = multiple * power_of_ten(power);
    double furthest = fmax(fabs(axis->low), fabs(axis->high));
    bool scientific = power > 5 || furthest >= 1e7 || furthest < 1e-3 || power < -9;
    int64_t first = (int64_t)ceil(axis->low / step - 1e-6);
    int64_t last = (int64_t)floor(axis->high / step + 1e-6);
    for (int64_t k = first; k <= last && axis->count < DLZ_MAX_TICKS; k++) {
        dlz_tick *tick = &axis->ticks[axis->count++];
        *tick = (dlz_tick){0};
        int64_t digits = k * multiple;
        tick->value =
            power < 0 ? (double)digits / pow(10, -power) : (double)digits * power_of_ten(power);
        if (scientific)
            write_scientific(tick, digits, power);
        else
            write_plain(tick, digits, power);
    }
}

void dlz_axis_linear(dlz_axis *axis, double low, double high, double padding, int most,
                     bool whole) {
    low = fmax(fmin(low, largest), -largest);
    high = fmax(fmin(high, largest), -largest);
    /* Closer together than this, labels would need more digits than a double has. */
    double furthest = fmax(fabs(low), fabs(high)), length = high - low;
    if (length <= furthest * 1e-10 || length < smallest) {
        double around = whole ? 0.5 : furthest < smallest ? 1 : furthest * 0.1;
        around = fmax(around, furthest * 1e-10);
        low -= around;
        high += around;
    } else {
        low -= padding * length;
        high += padding * length;
    }
    *axis = (dlz_axis){.low = low, .high = high};
    dlz_axis_place_ticks(axis, most, whole);
}

static void add_log_tick(dlz_axis *axis, int multiple, int power, bool label) {
    double value = power < 0 ? multiple / pow(10, -power) : multiple * pow(10, power);
    if (value < axis->low * (1 - 1e-9) || value > axis->high * (1 + 1e-9) ||
        axis->count == DLZ_MAX_TICKS)
        return;
    dlz_tick *tick = &axis->ticks[axis->count++];
    *tick = (dlz_tick){.value = value};
    if (!label)
        return;
    if (power >= -2 && power <= 3)
        write_plain(tick, multiple, power);
    else
        write_scientific(tick, multiple, power);
}

void dlz_axis_log(dlz_axis *axis, double low, double high, double padding, int most) {
    low = fmin(fmax(low, smallest), largest);
    high = fmin(fmax(high, low), largest);
    double from = log10(low), to = log10(high), length = to - from;
    double around = length < 1e-6 ? 0.55 : padding * length;
    *axis = (dlz_axis){.low = pow(10, fmax(from - around, -305)),
                       .high = pow(10, fmin(to + around, 305)),
                       .logarithmic = true};
    from = log10(axis->low);
    to = log10(axis->high);
    int first = (int)floor(from), last = (int)floor(to);
    int powers = (int)floor(to + 1e-9) - (int)ceil(from - 1e-9) + 1;
    if (powers >= 3 || (powers == 2 && to - from > 1.6)) {
        int stride = (powers + most - 1) / most;
        for (int power = first; power <= last; power++)
            for (int multiple = 1; multiple < 10; multiple++)
                if (multiple == 1 ? power % stride == 0 : stride == 1 && powers <= 6)
                    add_log_tick(axis, multiple, power, multiple == 1);
        return;
    }
    for (int power = first; power <= last; power++)
        for (int multiple = 1; multiple < 10; multiple++)
            if (multiple == 1 || multiple == 2 || multiple == 5)
                add_log_tick(axis, multiple, power, true);
    if (axis->count < 2)
        dlz_axis_place_ticks(axis, most, false);
}

double dlz_axis_at(const dlz_axis *axis, double value) {
    if (axis->logarithmic)
        return (log(value) - log(axis->low)) / (log(axis->high) - log(axis->low));
    return (value - axis->low) / (axis->high - axis->low);
}
