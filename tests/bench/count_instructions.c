/* A plugin for qemu-aarch64: how many instructions a program executes, and how many of them are multiply-adds
 * of vectors and of single numbers. With one thread the counts are exact. See count_instructions.py. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* -- The part of QEMU's plugin interface, version 1, that is used --------------------------------
 */

struct tb;   /* a block of instructions that are always executed together */
struct insn; /* one of them, while it is translated */

void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id, void (*done)(uint64_t id, struct tb *tb));
void qemu_plugin_register_atexit_cb(uint64_t id, void (*done)(uint64_t id, void *user), void *user);
void qemu_plugin_register_vcpu_tb_exec_inline(struct tb *tb, int op, void *counter, uint64_t by);
size_t qemu_plugin_tb_n_insns(const struct tb *tb);
struct insn *qemu_plugin_tb_get_insn(const struct tb *tb, size_t index);
const void *qemu_plugin_insn_data(const struct insn *insn);

enum { ADD_U64 = 0 };

__attribute__((visibility("default"))) int qemu_plugin_version = 1;
__attribute__((visibility("default"))) int qemu_plugin_install(uint64_t id, const void *info,
                                                               int argc, char **argv);

/* -- Counting ------------------------------------------------------------------------------------
 */

enum { ALL, VECTORS, SCALARS, COUNTERS };

static uint64_t counters[COUNTERS];

/* fmla of vectors, by vectors and by an element. */
static int is_vector_fma(uint32_t code) {
    return (code & 0xbfa0fc00) == 0x0e20cc00 || (code & 0xbf80f400) == 0x0f801000 ||
           (code & 0xbfa0fc00) == 0x0ea0cc00 || (code & 0xbf80f400) == 0x0f805000;
}

/* fmadd, fmsub, fnmadd, fnmsub. */
static int is_scalar_fma(uint32_t code) {
    return (code & 0xff000000) == 0x1f000000;
}

static void translated(uint64_t id, struct tb *tb) {
    (void)id;
    size_t count = qemu_plugin_tb_n_insns(tb);
    uint64_t of[COUNTERS] = {[ALL] = count};
    for (size_t i = 0; i < count; i++) {
        uint32_t code;
        memcpy(&code, qemu_plugin_insn_data(qemu_plugin_tb_get_insn(tb, i)), sizeof code);
        of[VECTORS] += is_vector_fma(code) ? 1 : 0;
        of[SCALARS] += is_scalar_fma(code) ? 1 : 0;
    }
    for (int i = 0; i < COUNTERS; i++)
        if (of[i])
            qemu_plugin_register_vcpu_tb_exec_inline(tb, ADD_U64, &counters[i], of[i]);
}

static void ended(uint64_t id, void *user) {
    (void)id;
    (void)user;
    fprintf(stderr, "instructions: %" PRIu64 "\nvector_fma: %" PRIu64 "\nscalar_fma: %" PRIu64 "\n",
            counters[ALL], counters[VECTORS], counters[SCALARS]);
}

int qemu_plugin_install(uint64_t id, const void *info, int argc, char **argv) {
    (void)info;
    (void)argc;
    (void)argv;
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, ended, NULL);
    return 0;
}
