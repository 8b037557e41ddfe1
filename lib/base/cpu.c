#include "base/cpu.h"
#include "base/base.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[DLZ_ISA_COUNT] = {"generic", "neon", "avx2", "avx512"};

const char *dlz_isa_name(dlz_isa isa) {
    return names[isa];
}

int dlz_isa_available(dlz_isa isa) {
    switch (isa) {
    case DLZ_ISA_GENERIC:
        return 1;
#if defined(__aarch64__)
    case DLZ_ISA_NEON:
        return 1;
#elif defined(__x86_64__)
    /* These builtins also ask whether the operating system saves the wide registers. */
    case DLZ_ISA_AVX2:
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case DLZ_ISA_AVX512:
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
               __builtin_cpu_supports("fma");
#endif
    default:
        return 0;
    }
}

static dlz_isa chosen;

static void choose(void) {
    for (int isa = 0; isa < DLZ_ISA_COUNT; isa++)
        if (dlz_isa_available((dlz_isa)isa))
            chosen = (dlz_isa)isa;
    const char *wanted = getenv("DLVIZ_ISA");
    if (!wanted || !*wanted)
        return;
    for (int isa = 0; isa < DLZ_ISA_COUNT; isa++)
        if (strcmp(wanted, names[isa]) == 0) {
            if (dlz_isa_available((dlz_isa)isa))
                chosen = (dlz_isa)isa;
            else
                dlz_log(DLVIZ_LOG_LEVEL_WARNING,
                        "DLVIZ_ISA=%s: this machine or build lacks it; using %s", wanted,
                        names[chosen]);
            return;
        }
    dlz_log(DLVIZ_LOG_LEVEL_WARNING,
            "DLVIZ_ISA=%s is unknown (generic, neon, avx2, avx512 are known); using %s", wanted,
            names[chosen]);
}

dlz_isa dlz_isa_chosen(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, choose);
    return chosen;
}

const char *dlviz_isa(void) {
    return names[dlz_isa_chosen()];
}
