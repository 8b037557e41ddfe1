/* fuzz/calls_run.h - what libFuzzer calls, for other programs that run sequences of calls. */
#ifndef DLZ_FUZZ_CALLS_RUN_H
#define DLZ_FUZZ_CALLS_RUN_H

#include <stddef.h>
#include <stdint.h>

/* Once, before the first sequence. */
int LLVMFuzzerInitialize(int *argc, char ***argv);
/* One sequence. Aborts where something does not hold. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

#endif
