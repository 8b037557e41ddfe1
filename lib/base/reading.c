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

static void begin(dlz_reading *reading, dlz_reading *outer, dlz_reading_name name, uint64_t limit) {
    reading->outer = outer;
    reading->name = name;
    reading->id = atomic_fetch_add(&last_id, 1) + 1;
    reading->limit = limit;
    reading->failures = dlz_num_failures();
    atomic_init(&reading->used, 0);
    atomic_init(&reading->refused, 0);
    atomic_init(&reading->in_use, 0);
    atomic_init(&reading->by_outer, false);
    now = reading;
}

void dlz_reading_begin(dlz_reading *reading, dlz_reading_name name) {
    int64_t limit = dlviz_file_limit();
    reading->id = 0;
    if (limit > 0 && !now)
        begin(reading, NULL, name, (uint64_t)limit);
}

void dlz_reading_begin_own(dlz_reading *reading) {
    reading->id = 0;
    if (!now)
        begin(reading, NULL, (dlz_reading_name){.file = NULL}, UINT64_MAX);
}

void dlz_reading_begin_within(dlz_reading *reading, dlz_reading_name name) {
    reading->id = 0;
    atomic_init(&reading->refused, 0);
    if (now)
        begin(reading, now, name, now->limit);
}

/* Leaves it in place of the sentence, for one that has it. */
static const char *say_name(const dlz_reading_name *of) {
    if (!of->file)
        dlz_fail(DLVIZ_ERROR_OUT_OF_MEMORY, "the file in memory");
    else
        dlz_fail(DLVIZ_ERROR_OUT_OF_MEMORY, "'%s%s%s'", of->folder ? of->folder : "",
                 of->folder ? "/" : "", of->file);
    if (of->part)
        dlz_fail(DLVIZ_ERROR_OUT_OF_MEMORY, "%s '%s' of %s", of->kind, of->part,
                 dlviz_last_error());
    return dlviz_last_error();
}

/* The call has failed with what it lacked memory for; it was a limit that refused it. */
static void name_limit(const dlz_reading *reading) {
    const dlz_reading *whole = atomic_load(&reading->by_outer) ? reading->outer : reading;
    dlz_failure asked; /* what for */
    bool part = whole != reading;
    const char *name = part ? say_name(&reading->name) : "";
    dlz_fail(DLVIZ_ERROR_OUT_OF_MEMORY, "%llu were asked for while %llu were in use%s%s",
             (unsigned long long)atomic_load(&reading->refused),
             (unsigned long long)atomic_load(&reading->in_use), part ? ", for " : "", name);
    dlz_failure_keep(&asked);
    dlz_fail(DLVIZ_ERROR_OUT_OF_MEMORY,
             "%s takes more memory than the %llu byte%s that reading a file may take "
             "(dlviz_set_file_limit): %s",
             say_name(&whole->name), (unsigned long long)whole->limit, whole->limit == 1 ? "" : "s",
             asked.sentence);
}

void dlz_reading_end(dlz_reading *reading) {
    if (reading->id == 0)
        return;
    now = reading->outer;
    if (atomic_load(&reading->refused) > 0 && dlz_num_failures() != reading->failures &&
        dlz_last_status() == DLVIZ_ERROR_OUT_OF_MEMORY)
        name_limit(reading);
}

static bool take(dlz_reading *reading, uint64_t bytes, uint64_t *used) {
    *used = atomic_load_explicit(&reading->used, memory_order_relaxed);
    do
        if (bytes > reading->limit - *used)
            return false;
    while (!atomic_compare_exchange_weak(&reading->used, used, *used + bytes));
    return true;
}

bool dlz_reading_take(dlz_reading *reading, uint64_t bytes) {
    for (dlz_reading *by = reading; by; by = by->outer) {
        uint64_t used;
        if (take(by, bytes, &used))
            continue;
        for (dlz_reading *taken = reading; taken != by; taken = taken->outer)
            atomic_fetch_sub(&taken->used, bytes);
        atomic_store(&reading->by_outer, by != reading);
        atomic_store(&reading->in_use, used);
        atomic_store(&reading->refused, bytes > 0 ? bytes : 1);
        return false;
    }
    return true;
}

void dlz_reading_give_back(dlz_reading *reading, uint64_t bytes) {
    for (; reading; reading = reading->outer)
        atomic_fetch_sub(&reading->used, bytes);
}

bool dlz_reading_charge(uint64_t bytes) {
    return dlz_reading_take(now, bytes);
}

void dlz_reading_discharge(uint64_t bytes) {
    dlz_reading_give_back(now, bytes);
}
