/* kernels/select.h - one table of functions an operation, one variant of it an instruction set.
 *
 * DLZ_KERNEL_TABLE(type, name) declares the variants that kernel sources define as
 * DLZ_VARIANT(name), name_of(isa) to get one by force (for tests; available ISAs only), and name()
 * for the one this process uses. */
#ifndef DLZ_KERNELS_SELECT_H
#define DLZ_KERNELS_SELECT_H

#include "base/cpu.h"

#define DLZ_DECLARE_VARIANT(ID, isa, available, type, name) extern const type name##_##isa;
#define DLZ_CHOOSE_VARIANT(ID, isa, available, type, name)                                         \
    case DLZ_ISA_##ID:                                                                             \
        return &name##_##isa;
#define DLZ_NO_VARIANT(ID, isa, available, type, name)

#define DLZ_KERNEL_TABLE(type, name)                                                               \
    DLZ_ISA_LIST(DLZ_DECLARE_VARIANT, DLZ_NO_VARIANT, type, name)                                  \
    static inline const type *name##_of(dlz_isa wanted) {                                          \
        switch (wanted) {                                                                          \
            DLZ_ISA_LIST(DLZ_CHOOSE_VARIANT, DLZ_NO_VARIANT, type, name)                           \
        default:                                                                                   \
            return &name##_generic;                                                                \
        }                                                                                          \
    }                                                                                              \
    static inline const type *name(void) {                                                         \
        return name##_of(dlz_isa_chosen());                                                        \
    }

#endif
