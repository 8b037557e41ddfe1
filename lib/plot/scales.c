#include "plot/scales.h"
#include "base/base.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
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
    axis->powers = scientific;
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

/* ---- Logarithmic ones ------------------------------------------------------------------------ */

static bool add_log_tick(dlz_axis *axis, int multiple, int power) {
    double value = power < 0 ? multiple / pow(10, -power) : multiple * pow(10, power);
    if (value < axis->low * (1 - 1e-9) || value > axis->high * (1 + 1e-9) ||
        axis->count == DLZ_MAX_TICKS)
        return false;
    axis->ticks[axis->count++] = (dlz_tick){.value = value};
    return true;
}

static void write_log_label(const dlz_axis *axis, dlz_tick *tick, int multiple, int power) {
    if (axis->powers && power != 0 && power != 1)
        write_scientific(tick, multiple, power);
    else
        write_plain(tick, multiple, power);
}

/* What may be labeled within a decade, from all to little: bit m for the multiple m. */
static const unsigned all_multiples = 0x3FE;
static const unsigned labeled_multiples[] = {0x3FE, 1 << 1 | 1 << 2 | 1 << 3 | 1 << 5 | 1 << 7,
                                             1 << 1 | 1 << 2 | 1 << 5, 1 << 1 | 1 << 3, 1 << 1};

/* How near labels may be, of the room that `most` of them leave each. */
static const double nearest_labels = 0.6;

typedef struct log_place {
    int multiple, power;
} log_place;

/* Whether the labels of these multiples are two or more, no more than `most`, and not too close. */
static bool labels_fit(const dlz_axis *axis, const log_place *places, unsigned multiples,
                       int most) {
    int count = 0;
    double last = 0;
    for (int i = 0; i < axis->count; i++) {
        if (!(multiples >> places[i].multiple & 1))
            continue;
        double at = dlz_axis_at(axis, axis->ticks[i].value);
        if (count > 0 && at - last < nearest_labels / most)
            return false;
        last = at;
        count++;
    }
    return count >= 2 && count <= most;
}

/* A few decades, or less than one: all multiples have lines. False where no labels fit. */
static bool place_in_decades(dlz_axis *axis, int first, int last, int most) {
    log_place places[DLZ_MAX_TICKS];
    assert(axis->count == 0);
    for (int power = first; power <= last; power++)
        for (int multiple = 1; multiple < 10; multiple++)
            if (add_log_tick(axis, multiple, power))
                places[axis->count - 1] = (log_place){multiple, power};
    unsigned chosen = 0;
    for (size_t i = 0; i < sizeof labeled_multiples / sizeof *labeled_multiples && !chosen; i++)
        if (labels_fit(axis, places, labeled_multiples[i] & all_multiples, most))
            chosen = labeled_multiples[i];
    for (int i = 0; i < axis->count; i++)
        if (chosen >> places[i].multiple & 1)
            axis->powers |= places[i].power < -2 || places[i].power > 3;
    for (int i = 0; i < axis->count; i++)
        if (chosen >> places[i].multiple & 1)
            write_log_label(axis, &axis->ticks[i], places[i].multiple, places[i].power);
    return chosen != 0;
}

static void place_powers(dlz_axis *axis, int first, int last, int stride, bool lines) {
    for (int power = first; power <= last; power++)
        if (power % stride == 0 && pow(10, power) >= axis->low * (1 - 1e-9) &&
            pow(10, power) <= axis->high * (1 + 1e-9))
            axis->powers |= power < -2 || power > 3;
    for (int power = first; power <= last; power++)
        for (int multiple = 1; multiple < 10; multiple++)
            if ((multiple == 1 ? power % stride == 0 : lines) &&
                add_log_tick(axis, multiple, power) && multiple == 1)
                write_log_label(axis, &axis->ticks[axis->count - 1], multiple, power);
}

/* A range so short is nearly linear. */
static void place_linear(dlz_axis *axis, int most) {
    for (int wanted = most; wanted <= 20; wanted *= 2) {
        dlz_axis_place_ticks(axis, wanted, false);
        if (axis->count >= 2)
            break;
    }
    double last = -1;
    for (int i = 0; i < axis->count; i++) {
        double at = dlz_axis_at(axis, axis->ticks[i].value);
        if (last >= 0 && at - last < nearest_labels / most)
            axis->ticks[i].text[0] = axis->ticks[i].exponent[0] = '\0';
        else
            last = at;
    }
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
        place_powers(axis, first, last, stride, stride == 1 && powers <= 6);
    } else if (!place_in_decades(axis, first, last, most)) {
        place_linear(axis, most);
    }
}

/* ---- Numbers --------------------------------------------------------------------------------- */

static char *add_superscript(char *to, int number) {
    static const char *const digits[] = {
        "\xE2\x81\xB0", "\xC2\xB9",     "\xC2\xB2",     "\xC2\xB3",     "\xE2\x81\xB4",
        "\xE2\x81\xB5", "\xE2\x81\xB6", "\xE2\x81\xB7", "\xE2\x81\xB8", "\xE2\x81\xB9"};
    char plain[16];
    snprintf(plain, sizeof plain, "%d", number);
    for (const char *c = plain; *c; c++) {
        const char *raised = *c == '-' ? "\xE2\x81\xBB" : digits[*c - '0'];
        strcpy(to, raised);
        to += strlen(raised);
    }
    return to;
}

/* A whole number with `places` of its digits behind the point, without zeros at the end. */
static char *add_decimal(char *to, int64_t whole, int places) {
    dlz_tick tick = {0};
    while (places > 0 && whole % 10 == 0) {
        whole /= 10;
        places--;
    }
    write_plain(&tick, whole, -places);
    strcpy(to, tick.text);
    return to + strlen(to);
}

const char *dlz_axis_number(const dlz_axis *axis, double value, int digits,
                            char text[DLZ_AXIS_NUMBER_SIZE]) {
    if (value == 0 || !isfinite(value)) {
        strcpy(text, value == 0 ? "0" : "\xE2\x80\x93");
        return text;
    }
    /* The digits and the power of the last one, by way of text: rounded once, and exactly. */
    char number[48];
    snprintf(number, sizeof number, "%.*e", digits - 1, value);
    int64_t whole = 0;
    const char *at = number;
    for (; *at && *at != 'e'; at++)
        if (*at >= '0' && *at <= '9')
            whole = 10 * whole + (*at - '0');
    if (number[0] == '-')
        whole = -whole;
    int power = (int)strtol(at + 1, NULL, 10);
    bool plain = !axis->powers && power >= -4 && power <= 9;
    if (plain && power >= digits - 1) {
        add_decimal(text, (int64_t)llround(value), 0);
    } else if (plain) {
        add_decimal(text, whole, digits - 1 - power);
    } else {
        char *to = add_decimal(text, whole, digits - 1);
        bool one = strcmp(text, "1") == 0 || strcmp(text, MINUS "1") == 0;
        to -= one;
        strcpy(to, one ? "10" : TIMES "10");
        add_superscript(to + strlen(to), power);
    }
    return text;
}

double dlz_axis_at(const dlz_axis *axis, double value) {
    if (axis->logarithmic)
        return (log(value) - log(axis->low)) / (log(axis->high) - log(axis->low));
    return (value - axis->low) / (axis->high - axis->low);
}
