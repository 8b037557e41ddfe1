/* support/failing.h - runs work again and again while one allocation after another fails. */
#ifndef DLZ_TESTS_FAILING_H
#define DLZ_TESTS_FAILING_H

#include <dlviz.h>

/* Runs `work` with its Nth allocation failing, for N = 1, 2, … until it succeeds, once with only
 * that one failing and once with all later ones too; then a few times with none failing. Asserts
 * that each failure is DLVIZ_ERROR_OUT_OF_MEMORY and that every run gives back all memory, also
 * other libraries', where the C library tells. `work` frees what it made, whatever its outcome.
 * Returns the number of allocations that a whole run makes. Nothing allocated earlier may be freed
 * by `work`. */
int64_t fail_each_allocation(dlviz_status (*work)(void *context), void *context);

#endif
