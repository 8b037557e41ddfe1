/* What a communicator's ranks must have in common. */
#include "base/cpu.h"
#include "comm/exchange.h"

#include <dlviz/version.h>

#include <stdio.h>

/* What bits depend on. The compiler chooses which products are added unrounded. */
void dlz_comm_describe_library(char *text, size_t size) {
    snprintf(text, size, "libdlviz %s, %s, compiled by %s", dlviz_version(),
             dlz_isa_name(dlz_isa_chosen()), __VERSION__);
}
