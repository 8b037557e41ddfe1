/* base/entropy.h - numbers that nobody can foresee. */
#ifndef DLZ_ENTROPY_H
#define DLZ_ENTROPY_H

#include <stdint.h>

/* Waits for nothing: where the system has none to give yet, the number comes from the clock. */
uint64_t dlz_entropy(void);

#endif
