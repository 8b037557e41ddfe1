/* base/cpu.h - which instruction set the kernels use. */
#ifndef DLZ_CPU_H
#define DLZ_CPU_H

#include "isa/list.h"

#define DLZ_ISA_CONSTANT(ID, name, available, a, b) DLZ_ISA_##ID,
typedef enum dlz_isa {
    DLZ_ISA_LIST(DLZ_ISA_CONSTANT, DLZ_ISA_CONSTANT, , ) /* DLZ_ISA_GENERIC first */
    DLZ_ISA_COUNT
} dlz_isa;

const char *dlz_isa_name(dlz_isa isa);
/* Whether this build has kernels for it and this machine and its operating system can run them. */
int dlz_isa_available(dlz_isa isa);
/* The best one available, or what DLVIZ_ISA says; decided once. */
dlz_isa dlz_isa_chosen(void);

#endif
