/* isa/isa.h - included by every kernel source, which is compiled once per instruction set.
 *
 * The build defines DLZ_ISA, a name of the list in isa/list.h, and with it isa/<name>.h is what the
 * vocabulary of isa/vector.h is made of. Everything a kernel source defines is static, but for its
 * table, named by DLZ_VARIANT. Kernels call nothing that another file could also define inline (no
 * libm, no memcpy of variable size in a hot loop), so that no wide instruction leaks into code that
 * every machine runs. */
#ifndef DLZ_ISA_H
#define DLZ_ISA_H

#include "isa/list.h"

#define DLZ_PASTE_(a, b) a##_##b
#define DLZ_PASTE(a, b) DLZ_PASTE_(a, b)
#define DLZ_VARIANT(name) DLZ_PASTE(name, DLZ_ISA)

#define DLZ_QUOTE_(text) #text
#define DLZ_QUOTE(text) DLZ_QUOTE_(text)
/* clang-format off */
#include DLZ_QUOTE(isa/DLZ_ISA.h)
/* clang-format on */

#define DLZ_LISTED(ID, name, available, a, b) dlz_listed_##name,
#define DLZ_UNLISTED(ID, name, available, a, b)
enum { DLZ_ISA_LIST(DLZ_LISTED, DLZ_UNLISTED, , ) dlz_num_listed };
_Static_assert((int)DLZ_VARIANT(dlz_listed) < (int)dlz_num_listed, "is in isa/list.h");

#endif
