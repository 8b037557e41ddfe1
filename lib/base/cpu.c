#include "base/cpu.h"
#include "base/base.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define NAME(ID, name, available, a, b) #name,
static const char *const names[] = {DLZ_ISA_LIST(NAME, NAME, , )};
#define NEXT_NAME(ID, name, available, a, b) ", " #name
static const char all_names[] = DLZ_ISA_LIST(NEXT_NAME, NEXT_NAME, , );

const char *dlz_isa_name(dlz_isa isa) {
    return names[isa];
}

int dlz_isa_available(dlz_isa isa) {
    switch (isa) {
#define IN_BUILD(ID, name, available, a, b)                                                        \
    case DLZ_ISA_##ID:                                                                             \
        return available;
#define NOT_IN_BUILD(ID, name, available, a, b)
        DLZ_ISA_LIST(IN_BUILD, NOT_IN_BUILD, , )
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
    dlz_log(DLVIZ_LOG_LEVEL_WARNING, "DLVIZ_ISA=%s is unknown (%s are known); using %s", wanted,
            all_names + strlen(", "), names[chosen]);
}

dlz_isa dlz_isa_chosen(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, choose);
    return chosen;
}

const char *dlviz_isa(void) {
    return names[dlz_isa_chosen()];
}
