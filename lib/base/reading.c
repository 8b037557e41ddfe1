#include "base/reading.h"

static atomic_int_fast64_t file_limit; /* 0: none */
static atomic_uint_fast64_t last_id;
static _Thread_local dlz_reading *now;

dlviz_status dlviz_set_file_limit(int64_t num_bytes) {
    if (num_bytes < 0)
        return dlz_fail(
            DLVIZ_ERROR_INVALID_ARGUMENT,
            "dlviz_set_file_limit: %lld bytes; 1 or more are accepted, and 0 for no limit",
            (long long)num_bytes);
    atomic_store(&file_limit, num_bytes);
    return DLVIZ_OK;
}

int64_t dlviz_file_limit(void) {
    return atomic_load(&file_limit);
}

dlz_reading *dlz_reading_now(void) {
    return now;
}

void dlz_reading_set_now(dlz_reading *reading) {
    now = reading;
}

static void begin(dlz_reading *reading, const char *name, uint64_t limit) {
    reading->name = name;
    reading->id = atomic_fetch_add(&last_id, 1) + 1;
    reading->limit = limit;
    reading->failures = dlz_num_failures();
    atomic_init(&reading->used, 0);
    atomic_init(&reading->refused, 0);
    now = reading;
}

void dlz_reading_begin(dlz_reading *reading, const char *name) {
    int64_t limit = dlviz_file_limit();
    reading->id = 0;
    if (limit > 0 && !now)
        begin(reading, name, (uint64_t)limit);
}

void dlz_reading_begin_own(dlz_reading *reading) {
    reading->id = 0;
    if (!now)
        begin(reading, NULL, UINT64_MAX);
}

/* The call has failed with what it lacked memory for; it was the limit that refused it. */
static void name_limit(const dlz_reading *reading) {
    dlz_fail_within(DLVIZ_ERROR_OUT_OF_MEMORY,
                    "%s%s%s takes more memory than the %llu bytes that reading a file may take "
                    "(dlviz_set_file_limit): %llu more were asked for",
                    reading->name ? "'" : "", reading->name ? reading->name : "the file in memory",
                    reading->name ? "'" : "", (unsigned long long)reading->limit,
                    (unsigned long long)atomic_load(&reading->refused));
}

void dlz_reading_end(dlz_reading *reading) {
    if (reading->id == 0)
        return;
    now = NULL;
    if (atomic_load(&reading->refused) > 0 && dlz_num_failures() != reading->failures &&
        dlz_last_status() == DLVIZ_ERROR_OUT_OF_MEMORY)
        name_limit(reading);
}

bool dlz_reading_take(dlz_reading *reading, uint64_t bytes) {
    if (!reading)
        return true;
    uint64_t used = atomic_load_explicit(&reading->used, memory_order_relaxed);
    do
        if (bytes > reading->limit - used) {
            atomic_store(&reading->refused, bytes > 0 ? bytes : 1);
            return false;
        }
    while (!atomic_compare_exchange_weak(&reading->used, &used, used + bytes));
    return true;
}

void dlz_reading_give_back(dlz_reading *reading, uint64_t bytes) {
    if (reading)
        atomic_fetch_sub(&reading->used, bytes);
}

bool dlz_reading_charge(uint64_t bytes) {
    return dlz_reading_take(now, bytes);
}

void dlz_reading_discharge(uint64_t bytes) {
    dlz_reading_give_back(now, bytes);
}
