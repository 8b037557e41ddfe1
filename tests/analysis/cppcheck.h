/* analysis/cppcheck.h - what cppcheck reads in place of what it cannot: expressions made of statements. */
#define DLZ_BASE_AGAIN_H
#define DLZ_AGAIN(call) (call)
