/*
 * A plugin of QEMU's user-mode emulation: counts the AArch64 instructions that a program executes, by class.
 *
 * At the program's end it writes one line to standard error: INSTRUCTIONS, then name=count for each class. Each
 * translated block is classified once and counted whole at each execution. Only one thread may compute at a time.
 *
 * Sources: QEMU documentation, "QEMU TCG Plugins"; the declarations are those of QEMU's qemu-plugin.h, which Debian
 * does not package. PLUGIN_API is its version that the emulator takes: 1 before QEMU 9.0, 2 in 9.0, 3 from 9.1 on.
 * Encodings: Arm Architecture Reference Manual (DDI 0487), C4.1, "A64 instruction set encoding".
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, void (*)(plugin_id, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *, void (*)(unsigned, void *), int flags, void *);
void qemu_plugin_register_atexit_cb(plugin_id, void (*)(plugin_id, void *), void *);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
#if PLUGIN_API >= 3
size_t qemu_plugin_insn_data(const struct qemu_plugin_insn *, void *, size_t);
#else
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *);
#endif

#define EXPORTED __attribute__((visibility("default")))
#define NO_REGISTERS 0
EXPORTED int qemu_plugin_version = PLUGIN_API;

enum class { ALL, SIMD, DOT, MULTIPLY_ADD, WIDENING, LOAD_STORE, CLASSES };
static const char *const NAMES[CLASSES] = {"all", "simd", "dot", "multiply_add", "widening", "load_store"};

/* An instruction belongs to the class if `word & mask == value`; it may belong to several. */
static const struct {
    enum class class;
    uint32_t mask, value;
} ENCODINGS[] = {
    {ALL, 0, 0},
    {SIMD, 0x0E000000, 0x0E000000},         /* op0 = x111: data processing, scalar floating point and SIMD */
    {LOAD_STORE, 0x0A000000, 0x08000000},   /* op0 = x1x0 */
    {DOT, 0x9FE0FC00, 0x0E809400},          /* SDOT, UDOT (vector) */
    {DOT, 0x9FC0F400, 0x0F80E000},          /* SDOT, UDOT (by element) */
    {MULTIPLY_ADD, 0xBFA0FC00, 0x0E20CC00}, /* FMLA (vector) */
    {MULTIPLY_ADD, 0xBF80F400, 0x0F801000}, /* FMLA (by element) */
    {WIDENING, 0x9F20FC00, 0x0E208000},     /* SMLAL, UMLAL (vector) */
    {WIDENING, 0x9F00F400, 0x0F002000},     /* SMLAL, UMLAL (by element) */
};

static uint64_t executed[CLASSES];

static uint32_t word_of(const struct qemu_plugin_insn *instruction)
{
    uint32_t word = 0;
#if PLUGIN_API >= 3
    qemu_plugin_insn_data(instruction, &word, sizeof word);
#else
    memcpy(&word, qemu_plugin_insn_data(instruction), sizeof word);
#endif
    return word;
}

static void on_execution(unsigned processor, void *of_block)
{
    const uint32_t *counts = of_block;
    (void)processor;
    for (int i = 0; i < CLASSES; i++)
        executed[i] += counts[i];
}

static void on_translation(plugin_id id, struct qemu_plugin_tb *block)
{
    uint32_t *counts = calloc(CLASSES, sizeof *counts); /* for as long as the block, which is until the end */
    (void)id;
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(block); i++) {
        uint32_t word = word_of(qemu_plugin_tb_get_insn(block, i));
        for (size_t j = 0; j < sizeof ENCODINGS / sizeof *ENCODINGS; j++)
            counts[ENCODINGS[j].class] += (word & ENCODINGS[j].mask) == ENCODINGS[j].value;
    }
    qemu_plugin_register_vcpu_tb_exec_cb(block, on_execution, NO_REGISTERS, counts);
}

static void at_end(plugin_id id, void *unused)
{
    (void)id, (void)unused;
    fputs("INSTRUCTIONS", stderr);
    for (int i = 0; i < CLASSES; i++)
        fprintf(stderr, " %s=%llu", NAMES[i], (unsigned long long)executed[i]);
    fputc('\n', stderr);
}

EXPORTED int qemu_plugin_install(plugin_id id, const void *info, int count, char **arguments)
{
    (void)info, (void)count, (void)arguments;
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    qemu_plugin_register_atexit_cb(id, at_end, NULL);
    return 0;
}
