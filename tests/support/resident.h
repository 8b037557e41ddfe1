/* support/resident.h - how much of this process is in memory. */
#ifndef DLZ_TESTS_RESIDENT_H
#define DLZ_TESTS_RESIDENT_H

#include "support/sanitizers.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MEMORY_IS_OURS (!WITH_ADDRESS_SANITIZER && !WITH_THREAD_SANITIZER)

/* "VmRSS", "VmHWM", "VmData"; −1 where the kernel does not say. */
static inline double megabytes(const char *name) {
    char line[256];
    double kilobytes = -1;
    FILE *status = fopen("/proc/self/status", "r");
    while (status && fgets(line, sizeof line, status))
        if (strncmp(line, name, strlen(name)) == 0)
            kilobytes = strtod(line + strlen(name) + 1, NULL);
    if (status)
        fclose(status);
    return kilobytes < 0 ? -1 : kilobytes / 1024;
}

/* Makes the kernel forget the most that has been in memory; false where it cannot. */
static inline bool forget_peak(void) {
    FILE *file = fopen("/proc/self/clear_refs", "w");
    if (!file)
        return false;
    bool written = fputs("5", file) >= 0;
    return fclose(file) == 0 && written;
}

#endif
