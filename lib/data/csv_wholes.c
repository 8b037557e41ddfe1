/* Columns of large whole numbers, which differ by what would be noise of real ones, or by less than
 * float64 shows: kept as int64. */
#include "data/csv.h"

#include <math.h>
#include <string.h>

/* Beyond it not all whole numbers are float64's. */
#define MOST_EXACT 0x1p53

static bool keeps_numbers(const dlz_csv_table *table, const dlz_csv_column *column) {
    return column->role == DLZ_CSV_SAMPLES || (column->role == DLZ_CSV_TARGETS && table->targets);
}

/* Where the number is of a column that keeps them. */
static double *place_of(const dlz_csv_table *table, const dlz_csv_column *column, int64_t row) {
    return column->role == DLZ_CSV_SAMPLES
               ? &table->samples[row * table->num_samples + column->place]
               : &table->targets[row * table->num_targets + column->place];
}

/* Digits and a sign, of what int64 holds. */
static bool read_whole(const dlz_csv_field *field, int64_t *whole) {
    const char *p = field->start;
    bool negative = p < field->end && *p == '-';
    p += negative || (p < field->end && *p == '+');
    *whole = 0;
    if (p == field->end)
        return false;
    for (; p < field->end; p++) {
        int64_t digit = *p - '0';
        if (digit < 0 || digit > 9 || __builtin_mul_overflow(*whole, 10, whole) ||
            __builtin_add_overflow(*whole, negative ? -digit : digit, whole))
            return false;
    }
    return true;
}

/* Of a column's numbers, as float64; 0 where one is no whole number. */
static double largest_whole(const dlz_csv_table *table, const dlz_csv_column *column) {
    double largest = 0;
    for (int64_t row = 0; keeps_numbers(table, column) && row < table->num_rows; row++) {
        const double *number = place_of(table, column, row);
        if (*number != rint(*number))
            return 0;
        largest = fmax(largest, fabs(*number));
    }
    return largest;
}

static void keep_exact(dlz_csv_table *table, const dlz_csv_column *column) {
    for (int64_t row = 0; row < table->num_rows; row++) {
        double *number = place_of(table, column, row);
        int64_t whole = (int64_t)*number;
        memcpy(number, &whole, sizeof whole);
    }
}

/* Reads the columns that are marked from the text: unmarks those with anything else, or keeps
 * them. */
static void walk(dlz_csv_table *table, bool keep) {
    const char *at = table->rows;
    for (int64_t row = 0; row < table->num_rows; row++)
        for (int64_t j = 0; j < table->num_columns; j++) {
            dlz_csv_column *column = &table->columns[j];
            dlz_csv_field field;
            int64_t whole;
            dlz_csv_next(&table->text, &at, &field);
            if (!column->from_text)
                continue;
            column->is_whole = column->from_text = read_whole(&field, &whole);
            if (keep)
                memcpy(place_of(table, column, row), &whole, sizeof whole);
        }
}

void dlz_csv_keep_wholes(dlz_csv_table *table) {
    bool any = false;
    for (int64_t j = 0; j < table->num_columns; j++) {
        dlz_csv_column *column = &table->columns[j];
        double largest = largest_whole(table, column);
        column->is_whole = largest >= DLZ_CSV_LARGE;
        if (column->is_whole && largest < MOST_EXACT)
            keep_exact(table, column);
        column->from_text = largest >= MOST_EXACT;
        any = any || column->from_text;
    }
    if (any) {
        walk(table, false);
        walk(table, true);
    }
    for (int64_t j = 0; j < table->num_columns; j++)
        table->exact = table->exact && !table->columns[j].is_whole;
}
