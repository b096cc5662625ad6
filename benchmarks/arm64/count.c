/*
 * A plugin of QEMU's user-mode emulation: counts the AArch64 instructions that a program executes, by class.
 *
 * At the program's end it writes one line to standard error: INSTRUCTIONS, then name=count for each class. If BLOCKS is
 * set in the environment, it also writes a line for each block to the file of that name: the block's address, how often
 * it was executed, and its instructions by class. Each translated block is classified once and counted whole at each
 * execution. Only one thread may compute at a time.
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
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *);
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

/* A translated block. None is freed: they are few, and each is needed until the end. */
static struct block {
    struct block *next;
    uint64_t address, executed;
    uint32_t counts[CLASSES];
} *blocks;

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

static void on_execution(unsigned processor, void *block)
{
    (void)processor;
    ((struct block *)block)->executed++;
}

static void on_translation(plugin_id id, struct qemu_plugin_tb *translated)
{
    struct block *block = calloc(1, sizeof *block);
    (void)id;
    block->address = qemu_plugin_tb_vaddr(translated);
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(translated); i++) {
        uint32_t word = word_of(qemu_plugin_tb_get_insn(translated, i));
        for (size_t j = 0; j < sizeof ENCODINGS / sizeof *ENCODINGS; j++)
            block->counts[ENCODINGS[j].class] += (word & ENCODINGS[j].mask) == ENCODINGS[j].value;
    }
    block->next = blocks;
    blocks = block;
    qemu_plugin_register_vcpu_tb_exec_cb(translated, on_execution, NO_REGISTERS, block);
}

static void write_blocks(FILE *file)
{
    for (const struct block *block = blocks; block; block = block->next) {
        if (!block->executed)
            continue;
        fprintf(file, "%llx %llu", (unsigned long long)block->address, (unsigned long long)block->executed);
        for (int i = 0; i < CLASSES; i++)
            fprintf(file, " %u", block->counts[i]);
        fputc('\n', file);
    }
    fclose(file);
}

static void at_end(plugin_id id, void *unused)
{
    uint64_t executed[CLASSES] = {0};
    const char *path = getenv("BLOCKS");
    FILE *file = path ? fopen(path, "w") : NULL;
    (void)id, (void)unused;
    for (const struct block *block = blocks; block; block = block->next)
        for (int i = 0; i < CLASSES; i++)
            executed[i] += block->executed * block->counts[i];
    fputs("INSTRUCTIONS", stderr);
    for (int i = 0; i < CLASSES; i++)
        fprintf(stderr, " %s=%llu", NAMES[i], (unsigned long long)executed[i]);
    fputc('\n', stderr);
    if (file)
        write_blocks(file);
}

EXPORTED int qemu_plugin_install(plugin_id id, const void *info, int count, char **arguments)
{
    (void)info, (void)count, (void)arguments;
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    qemu_plugin_register_atexit_cb(id, at_end, NULL);
    return 0;
}
