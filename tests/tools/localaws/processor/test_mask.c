/*
 * Runs mask.c's handler on a processor that cannot fault. A CPUID instruction at the end of a page that is readable
 * but not executable cannot be fetched: SIGSEGV, as for a forbidden one. The handler reads the bytes, answers from a
 * table in place of the processor, and continues behind them, in the next page, which is executable.
 */
#define _GNU_SOURCE
#include <stdint.h>
static long allowed = 1, calls;
static long allow_cpuid(long yes)
{
    allowed = yes;
    calls++;
    return 0;
}
#define ALLOW_CPUID(yes) allow_cpuid(yes)
#define FAULT_CODE SEGV_ACCERR
#define READ_CPUID every_bit
#include MASK

#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>

static uint8_t *instruction;

void every_bit(uint32_t leaf, uint32_t subleaf, uint32_t *regs)
{
    (void)leaf, (void)subleaf;
    if (!allowed) /* the handler must allow the instruction before it executes it */
        _exit(9);
    for (int i = 0; i < 4; i++)
        regs[i] = 0xFFFFFFFF;
}

static void lay_out(const char *bytes)
{
    long page = sysconf(_SC_PAGESIZE);
    uint8_t *pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    instruction = pages + page - 2;
    memcpy(instruction, bytes, 3);
    mprotect(pages, page, PROT_READ);
    mprotect(pages + page, page, PROT_READ | PROT_EXEC);
}

static void print(uint32_t leaf, uint32_t subleaf)
{
    uint64_t a = leaf, b = UINT64_MAX, c = subleaf, d = UINT64_MAX;
    __asm__ volatile("call *%4" : "+a"(a), "+b"(b), "+c"(c), "+d"(d) : "r"(instruction) : "memory", "cc");
    printf("%x %x %lx %lx %lx %lx\n", leaf, subleaf, a, b, c, d);
    fflush(stdout);
}

static void *in_a_thread(void *unused)
{
    print(7, 0);
    return unused;
}

static void later(int number, siginfo_t *info, void *context)
{
    (void)number, (void)context;
    _exit(info->si_addr == NULL ? 7 : 8);
}

static void plain(int number)
{
    _exit(number == SIGSEGV ? 6 : 8);
}

int main(int count, char **arguments)
{
    const char *what = count > 1 ? arguments[1] : "";
    lay_out(strcmp(what, "other") == 0 ? "\x90\xA2\xC3" : "\x0F\xA2\xC3"); /* cpuid; ret */
    if (mask_status() != 0)
        return 5;
    if (strcmp(what, "table") == 0) {
        static const uint32_t ASKED[][2] = {{0, 0},    {7, 0},    {7, 1},     {0xD, 0},  {0xD, 1},
                                            {0xD, 2},  {0xD, 5},  {0xD, 6},   {0xD, 7},  {0xD, 9},
                                            {0xD, 17}, {0xD, 18}, {0x1D, 1},  {0x1E, 0}, {0x24, 0}};
        for (size_t i = 0; i < LENGTH(ASKED); i++)
            print(ASKED[i][0], ASKED[i][1]);
        return calls == 1 + 2 * (long)LENGTH(ASKED) && !allowed ? 0 : 4;
    }
    if (strcmp(what, "thread") == 0) {
        pthread_t thread;
        pthread_create(&thread, NULL, in_a_thread, NULL);
        return pthread_join(thread, NULL);
    }
    if (strcmp(what, "fork") == 0) {
        int ended;
        if (fork() == 0) {
            print(7, 0);
            _exit(3);
        }
        wait(&ended);
        return WEXITSTATUS(ended);
    }
    if (strcmp(what, "sigaction") == 0) {
        struct sigaction act = {.sa_sigaction = later, .sa_flags = SA_SIGINFO}, found;
        sigaction(SIGSEGV, &act, NULL);
        sigaction(SIGSEGV, NULL, &found);
        if (found.sa_sigaction != later)
            return 4;
        print(7, 0);
    }
    if (strcmp(what, "signal") == 0) {
        if (signal(SIGSEGV, plain) != SIG_DFL)
            return 4;
        print(7, 0);
    }
    if (strcmp(what, "other") == 0)
        print(7, 0);
    if (strcmp(what, "sent") == 0) {
        kill(getpid(), SIGSEGV);
        return 3;
    }
    if (strcmp(what, "ignored") == 0) {
        signal(SIGSEGV, SIG_IGN);
        kill(getpid(), SIGSEGV);
        return 3;
    }
    return *(volatile int *)NULL; /* an ordinary fault */
}
