/* What test_unloading.c loads: a module that uses the library, which the program itself does not. */
#include "limits/plugin.h"
#include "limits/work.h"

#include <stdio.h>

const char *plugin_run(const char *place, int round) {
    static char trouble[300];
    const work *what = &works[round % num_works];
    uint64_t digest = 0;
    if (what->draws && !dlviz_plot_supported())
        return NULL;
    if (dlviz_set_num_threads(3) == DLVIZ_OK && what->run(place, &digest) == DLVIZ_OK)
        return NULL;
    snprintf(trouble, sizeof trouble, "%s: %s", what->name, dlviz_last_error());
    return trouble;
}

int plugin_num_works(void) {
    return num_works;
}
