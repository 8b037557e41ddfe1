/* base/cpu.h - which instruction set the kernels use. */
#ifndef DLZ_CPU_H
#define DLZ_CPU_H

typedef enum dlz_isa {
    DLZ_ISA_GENERIC, /* x86-64 baseline, or whatever the compiler assumes elsewhere */
    DLZ_ISA_NEON,
    DLZ_ISA_AVX2,   /* with FMA */
    DLZ_ISA_AVX512, /* F, DQ, BW, VL */
    DLZ_ISA_COUNT
} dlz_isa;

const char *dlz_isa_name(dlz_isa isa);
/* Whether this build has kernels for it and this machine and its operating system can run them. */
int dlz_isa_available(dlz_isa isa);
/* The best one available, or what DLVIZ_ISA says; decided once. */
dlz_isa dlz_isa_chosen(void);

#endif
