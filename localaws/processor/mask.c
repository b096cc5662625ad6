/*
 * Hides instructions from the process that this library is preloaded into: what is beyond AVX2, or beyond AVX-512.
 *
 * Libraries choose their code by the CPUID instruction. The kernel can make it fault for a thread
 * (arch_prctl(2), ARCH_SET_CPUID). The fault arrives as SIGSEGV, and the handler here answers in its place, with the
 * processor's own answer less the bits in the tables below. fork and clone inherit the setting and the handler; exec
 * resets both, and loads this library again because LD_PRELOAD is in the environment.
 *
 * XGETBV cannot be masked. It states which registers the system saves, and still names those of AVX-512 and AMX.
 * This does no harm: an instruction may only be used if its CPUID bit is set as well (Intel SDM vol. 1, "Detection of
 * AVX-512 Foundation Instructions"), and cpuinfo, oneDNN, OpenBLAS, NumPy and GCC check both. For the same reason the
 * sizes in leaf 0xD stay: XSAVE still writes that much.
 *
 * SLIMCEPTION_PROCESSOR=avx2 or avx512 chooses what is shown. If the variable is missing or the kernel refuses, the
 * process continues without a mask, and mask_status() says so.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define LENGTH(array) (sizeof(array) / sizeof *(array))

enum shown { EVERYTHING, UP_TO_AVX512, UP_TO_AVX2 };
enum reg { EAX, EBX, ECX, EDX };

struct feature {
    uint32_t leaf, subleaf;
    enum reg reg;
    int bit;
    enum shown hidden_at; /* this level, and all after it */
    const char *name;     /* the kernel's, in /proc/cpuinfo */
};

/* Intel SDM vol. 2A, CPUID, "Structured Extended Feature Flags"; AMD APM vol. 3, appendix E, has the same bits. */
static const struct feature FEATURES[] = {
    {7, 0, EBX, 16, UP_TO_AVX2, "avx512f"},
    {7, 0, EBX, 17, UP_TO_AVX2, "avx512dq"},
    {7, 0, EBX, 21, UP_TO_AVX2, "avx512ifma"},
    {7, 0, EBX, 26, UP_TO_AVX2, "avx512pf"},
    {7, 0, EBX, 27, UP_TO_AVX2, "avx512er"},
    {7, 0, EBX, 28, UP_TO_AVX2, "avx512cd"},
    {7, 0, EBX, 30, UP_TO_AVX2, "avx512bw"},
    {7, 0, EBX, 31, UP_TO_AVX2, "avx512vl"},
    {7, 0, ECX, 1, UP_TO_AVX2, "avx512vbmi"},
    {7, 0, ECX, 6, UP_TO_AVX2, "avx512_vbmi2"},
    {7, 0, ECX, 8, UP_TO_AVX2, "gfni"},
    {7, 0, ECX, 11, UP_TO_AVX2, "avx512_vnni"},
    {7, 0, ECX, 12, UP_TO_AVX2, "avx512_bitalg"},
    {7, 0, ECX, 14, UP_TO_AVX2, "avx512_vpopcntdq"},
    {7, 0, EDX, 2, UP_TO_AVX2, "avx512_4vnniw"},
    {7, 0, EDX, 3, UP_TO_AVX2, "avx512_4fmaps"},
    {7, 0, EDX, 8, UP_TO_AVX2, "avx512_vp2intersect"},
    {7, 0, EDX, 22, UP_TO_AVX512, "amx_bf16"},
    {7, 0, EDX, 23, UP_TO_AVX2, "avx512_fp16"},
    {7, 0, EDX, 24, UP_TO_AVX512, "amx_tile"},
    {7, 0, EDX, 25, UP_TO_AVX512, "amx_int8"},
    {7, 1, EAX, 4, UP_TO_AVX2, "avx_vnni"},
    {7, 1, EAX, 5, UP_TO_AVX2, "avx512_bf16"},
    {7, 1, EAX, 21, UP_TO_AVX512, "amx_fp16"},
    {7, 1, EAX, 23, UP_TO_AVX2, "avx_ifma"},
    {7, 1, EDX, 4, UP_TO_AVX2, "avx_vnni_int8"},
    {7, 1, EDX, 5, UP_TO_AVX2, "avx_ne_convert"},
    {7, 1, EDX, 8, UP_TO_AVX512, "amx_complex"},
    {7, 1, EDX, 10, UP_TO_AVX2, "avx_vnni_int16"},
    {7, 1, EDX, 19, UP_TO_AVX512, "avx10"},
};

/* Leaves that describe a feature which is hidden: all zero, as on a processor that has no such leaf. */
static const struct feature LEAVES[] = {
    {0x1D, 0, EAX, 0, UP_TO_AVX512, "tiles of AMX"},
    {0x1E, 0, EAX, 0, UP_TO_AVX512, "tile multiplication of AMX"},
    {0x24, 0, EAX, 0, UP_TO_AVX512, "versions of AVX10"},
};

/* Parts of the registers that XSAVE can save: a bit of leaf 0xD, subleaf 0, and a subleaf (Intel SDM vol. 1, 13.1). */
static const struct feature COMPONENTS[] = {
    {0xD, 5, EAX, 5, UP_TO_AVX2, "AVX-512's masks"},
    {0xD, 6, EAX, 6, UP_TO_AVX2, "AVX-512's upper halves of 16 registers"},
    {0xD, 7, EAX, 7, UP_TO_AVX2, "AVX-512's other 16 registers"},
    {0xD, 17, EAX, 17, UP_TO_AVX512, "AMX's configuration"},
    {0xD, 18, EAX, 18, UP_TO_AVX512, "AMX's tiles"},
};

/* The tests build this file with other definitions of these three: see test_mask.c. */
#ifndef ALLOW_CPUID
#define ARCH_SET_CPUID 0x1012 /* asm/prctl.h of Linux 4.12 and later */
#define ALLOW_CPUID(yes) syscall(SYS_arch_prctl, ARCH_SET_CPUID, yes)
#endif
#ifndef FAULT_CODE
#define FAULT_CODE SI_KERNEL /* of a general protection fault, which a forbidden CPUID is */
#endif
#ifdef READ_CPUID
void READ_CPUID(uint32_t leaf, uint32_t subleaf, uint32_t *regs);
#else
#define READ_CPUID read_cpuid
static void read_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t *regs)
{
    __asm__ volatile("cpuid"
                     : "=a"(regs[EAX]), "=b"(regs[EBX]), "=c"(regs[ECX]), "=d"(regs[EDX])
                     : "a"(leaf), "c"(subleaf));
}
#endif

static enum shown shown = EVERYTHING;
static int status = -1;
static struct sigaction others; /* SIGSEGV's handler as the rest of the process has set it */

static void hide(uint32_t leaf, uint32_t subleaf, uint32_t *regs)
{
    for (size_t i = 0; i < LENGTH(FEATURES); i++) {
        const struct feature *f = &FEATURES[i];
        if (f->leaf == leaf && f->subleaf == subleaf && shown >= f->hidden_at)
            regs[f->reg] &= ~(1u << f->bit);
    }
    for (size_t i = 0; i < LENGTH(LEAVES); i++)
        if (LEAVES[i].leaf == leaf && shown >= LEAVES[i].hidden_at)
            memset(regs, 0, 4 * sizeof *regs);
    for (size_t i = 0; i < LENGTH(COMPONENTS); i++) {
        const struct feature *c = &COMPONENTS[i];
        if (c->leaf != leaf || shown < c->hidden_at)
            continue;
        if (subleaf == 0)
            regs[c->reg] &= ~(1u << c->bit);
        else if (subleaf == c->subleaf)
            memset(regs, 0, 4 * sizeof *regs);
    }
}

static int (*real_sigaction(void))(int, const struct sigaction *, struct sigaction *)
{
    static int (*found)(int, const struct sigaction *, struct sigaction *);
    if (!found)
        *(void **)&found = dlsym(RTLD_NEXT, "sigaction");
    return found;
}

/* Do what would have happened without this library. */
static void forward(int number, siginfo_t *info, void *context)
{
    struct sigaction next = others;
    int sent = info->si_code <= 0; /* by kill(2) or its kin, so that it does not repeat itself on return */
    if (next.sa_flags & SA_RESETHAND)
        others = (struct sigaction){.sa_handler = SIG_DFL};
    if (next.sa_flags & SA_SIGINFO) {
        next.sa_sigaction(number, info, context);
    } else if (next.sa_handler != SIG_DFL && next.sa_handler != SIG_IGN) {
        next.sa_handler(number);
    } else if (next.sa_handler == SIG_DFL || !sent) {
        real_sigaction()(SIGSEGV, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
        if (sent)
            raise(number);
    }
}

static void on_fault(int number, siginfo_t *info, void *context)
{
    greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;
    const uint8_t *code = (const uint8_t *)regs[REG_RIP];
    int saved_errno = errno;
    if (info->si_code != FAULT_CODE || code[0] != 0x0F || code[1] != 0xA2) { /* cpuid */
        forward(number, info, context);
        return;
    }
    uint32_t leaf = (uint32_t)regs[REG_RAX], subleaf = (uint32_t)regs[REG_RCX], answer[4];
    ALLOW_CPUID(1);
    READ_CPUID(leaf, subleaf, answer);
    ALLOW_CPUID(0);
    hide(leaf, subleaf, answer);
    regs[REG_RAX] = answer[EAX];
    regs[REG_RBX] = answer[EBX];
    regs[REG_RCX] = answer[ECX];
    regs[REG_RDX] = answer[EDX];
    regs[REG_RIP] += 2;
    errno = saved_errno;
}

/* In place of the C library's, so that a later handler (Python's faulthandler, say) comes after the one here. */
__attribute__((visibility("default"))) int sigaction(int number, const struct sigaction *act, struct sigaction *old)
{
    if (number != SIGSEGV || status != 0)
        return real_sigaction()(number, act, old);
    struct sigaction before = others;
    if (act)
        others = *act;
    if (old)
        *old = before;
    return 0;
}

__attribute__((visibility("default"))) sighandler_t signal(int number, sighandler_t handler)
{
    if (number != SIGSEGV || status != 0) {
        sighandler_t (*found)(int, sighandler_t);
        *(void **)&found = dlsym(RTLD_NEXT, "signal");
        return found(number, handler);
    }
    sighandler_t before = others.sa_handler;
    others = (struct sigaction){.sa_handler = handler, .sa_flags = SA_RESTART};
    return before;
}

/* 0: this process is masked. -1: no mask was requested. Otherwise the kernel's errno, ENODEV on most processors. */
__attribute__((visibility("default"))) int mask_status(void)
{
    return status;
}

/* Whether CPUID, as this process sees it, has the bit of a feature; -1 if the name is not in the table. */
__attribute__((visibility("default"))) int mask_shows(const char *name)
{
    for (size_t i = 0; i < LENGTH(FEATURES); i++) {
        const struct feature *f = &FEATURES[i];
        uint32_t regs[4];
        if (strcmp(f->name, name) != 0)
            continue;
        READ_CPUID(f->leaf, f->subleaf, regs);
        return regs[f->reg] >> f->bit & 1;
    }
    return -1;
}

__attribute__((constructor)) static void install(void)
{
    const char *wanted = getenv("SLIMCEPTION_PROCESSOR");
    if (wanted && strcmp(wanted, "avx2") == 0)
        shown = UP_TO_AVX2;
    else if (wanted && strcmp(wanted, "avx512") == 0)
        shown = UP_TO_AVX512;
    else
        return;
    /* SA_ONSTACK: a handler that expects its own stack, after an overflow, gets it. SA_NODEFER: one that faults
     * itself, or leaves by longjmp, does not end the process. */
    struct sigaction ours = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    real_sigaction()(SIGSEGV, &ours, &others);
    status = ALLOW_CPUID(0) == 0 ? 0 : errno;
    if (status != 0)
        real_sigaction()(SIGSEGV, &others, NULL);
}
