#include "base/cpu.h"
#include "base/base.h"

#include <pthread.h>
#include <stdatomic.h>
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
static const char *ignored; /* what the environment says, where it is not chosen */
static atomic_bool is_untold;

static void choose(void) {
    for (int isa = 0; isa < DLZ_ISA_COUNT; isa++)
        if (dlz_isa_available((dlz_isa)isa))
            chosen = (dlz_isa)isa;
    const char *wanted = getenv("DLVIZ_ISA");
    if (!wanted || !*wanted)
        return;
    ignored = wanted;
    for (int isa = 0; isa < DLZ_ISA_COUNT; isa++)
        if (strcmp(wanted, names[isa]) == 0 && dlz_isa_available((dlz_isa)isa)) {
            chosen = (dlz_isa)isa;
            ignored = NULL;
        }
    atomic_store(&is_untold, ignored != NULL);
}

/* Once the choice is made: whoever receives the line may ask for it. */
static void tell(void) {
    bool known = false;
    if (!atomic_exchange(&is_untold, false))
        return;
    for (int isa = 0; isa < DLZ_ISA_COUNT; isa++)
        known = known || strcmp(ignored, names[isa]) == 0;
    if (known)
        dlz_log(DLVIZ_LOG_LEVEL_WARNING, "DLVIZ_ISA=%s: this machine or build lacks it; using %s",
                ignored, names[chosen]);
    else
        dlz_log(DLVIZ_LOG_LEVEL_WARNING, "DLVIZ_ISA=%s is unknown (%s are known); using %s",
                ignored, all_names + strlen(", "), names[chosen]);
}

dlz_isa dlz_isa_chosen(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, choose);
    if (atomic_load_explicit(&is_untold, memory_order_relaxed))
        tell();
    return chosen;
}

const char *dlviz_isa(void) {
    return names[dlz_isa_chosen()];
}
