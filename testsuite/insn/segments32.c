/* SPDX-License-Identifier: MIT */
/*
 * The segment tests' oracle: a 32-bit process whose local descriptor table has 16-bit segments,
 * so that the host's CPU itself runs 16-bit code with real limits. Its parent gives it a shared
 * memory object on descriptor 3 and a byte on standard input for each case.
 *
 * As in native32.c everything happens in one signal handler: a case begins by returning from it
 * and ends in INT3 or a fault, which is the next signal.
 */
#define _GNU_SOURCE /* REG_EAX and so on */

#include <asm/ldt.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/ucontext.h>
#include <unistd.h>

#include "testsuite/insn/segments.h"

static struct {
    struct segments_shared *shared;
    uint16_t libc_gs, libc_fs;
} self;

static const uint8_t gpr_order[8] = {REG_EAX, REG_ECX, REG_EDX, REG_EBX,
                                     REG_ESP, REG_EBP, REG_ESI, REG_EDI};
static const uint8_t seg_order[6] = {REG_ES, REG_CS, REG_SS, REG_DS, REG_FS, REG_GS};

/* Says that it is ready, or that the case is done. */
static void wait_for_case(void)
{
    uint8_t byte = 0;
    alarm(0);
    if (write(1, &byte, 1) != 1)
        _exit(1);
    if (read(0, &byte, 1) != 1)
        _exit(0);
    alarm(60); /* no case hangs for ever */
}

static void case_begin(const struct segments_state *s, greg_t *g)
{
    for (unsigned i = 0; i < 8; i++)
        g[gpr_order[i]] = (greg_t)s->gpr[i];
    for (unsigned i = 0; i < 6; i++)
        g[seg_order[i]] = s->seg[i];
    g[REG_EIP] = (greg_t)s->eip;
    g[REG_EFL] = (greg_t)s->eflags;
}

static void case_end(struct segments_shared *shared, const greg_t *g, bool hung)
{
    struct segments_state *s = &shared->state;
    for (unsigned i = 0; i < 8; i++)
        s->gpr[i] = (uint32_t)g[gpr_order[i]];
    for (unsigned i = 0; i < 6; i++)
        s->seg[i] = (uint16_t)g[seg_order[i]];
    s->eip = (uint32_t)g[REG_EIP];
    s->eflags = (uint32_t)g[REG_EFL];
    shared->vector = hung ? SEGMENTS_HUNG : (uint32_t)g[REG_TRAPNO];
    shared->error = (uint32_t)g[REG_ERR];
}

static void on_signal(int signo, siginfo_t *info, void *frame)
{
    __asm__ volatile(
        "mov %0, %%gs\n\tmov %1, %%fs\n\tpushfl\n\tandl $~0x44000, (%%esp)\n\tpopfl" /* AC, NT */
        ::"r"(self.libc_gs),
        "r"(self.libc_fs)
        : "cc", "memory");
    (void)info;
    greg_t *g = ((ucontext_t *)frame)->uc_mcontext.gregs;
    if (signo != SIGUSR1)
        case_end(self.shared, g, signo == SIGALRM);
    wait_for_case();
    case_begin(&self.shared->state, g);
}

static void make_descriptors(void)
{
    for (unsigned region = 0; region < SEGMENTS_REGIONS; region++) {
        for (unsigned kind = 0; kind < KINDS; kind++) {
            struct segments_desc d = segments_describe(region, kind);
            struct user_desc desc = {.entry_number = segments_selector(region, kind) >> 3,
                                     .base_addr = d.base,
                                     .limit = d.limit,
                                     .seg_32bit = d.wide,
                                     .contents = d.code   ? 2
                                                 : d.down ? 1
                                                          : 0,
                                     .read_exec_only = d.narrow,
                                     .seg_not_present = d.absent,
                                     .useable = 1};
            if (syscall(SYS_modify_ldt, 0x11, &desc, sizeof(desc)) != 0)
                _exit(2);
        }
    }
}

static void map_regions(void)
{
    for (unsigned i = 0; i < SEGMENTS_REGIONS; i++) {
        off_t at = (off_t)(__builtin_offsetof(struct segments_shared, region) + i * SEGMENTS_BYTES);
        void *want = (void *)(uintptr_t)segments_base(i);
        if (mmap(want, SEGMENTS_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_SHARED | MAP_FIXED,
                 3, at) != want)
            _exit(3);
    }
}

static void catch_signals(void)
{
    static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGUSR1, SIGALRM};
    static uint8_t stack[65536];
    stack_t alt = {.ss_sp = stack, .ss_size = sizeof(stack)};
    struct sigaction action = {.sa_flags = SA_SIGINFO | SA_ONSTACK};
    action.sa_sigaction = on_signal;
    sigfillset(&action.sa_mask);
    sigaltstack(&alt, NULL);
    for (unsigned i = 0; i < sizeof(signals) / sizeof(*signals); i++)
        sigaction(signals[i], &action, NULL);
}

int main(void)
{
    __asm__("mov %%gs, %0" : "=r"(self.libc_gs));
    __asm__("mov %%fs, %0" : "=r"(self.libc_fs));
    self.shared = mmap(NULL, sizeof(*self.shared), PROT_READ | PROT_WRITE, MAP_SHARED, 3, 0);
    if (self.shared == MAP_FAILED)
        return 4;
    make_descriptors();
    map_regions();
    catch_signals();
    raise(SIGUSR1);
    return 5; /* never: the handler returns into cases only */
}
