/* SPDX-License-Identifier: MIT */
/*
 * The oracle: a 32-bit process that runs test cases on the host's own CPU. Its
 * parent gives it a shared memory object on descriptor 3 and one byte on
 * standard input per batch; it answers with one byte when the batch is done.
 *
 * Everything happens inside one signal handler. A case begins by returning
 * from it with the case's registers in the frame, and ends in INT3 or a fault,
 * which is the next signal. The x87 and SSE state is loaded by a stub in front
 * of the case (FXRSTOR, JMP: no register or flag changes), because the kernel
 * rebuilds parts of that image itself.
 *
 * The handler must not trust GS (the C library's thread pointer, which cases
 * change): the file is compiled without the stack protector, and GS is put
 * right first of all. The program is linked far from the addresses of cases.
 */
#define _GNU_SOURCE /* REG_EAX and so on */

#include <asm/ldt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/ucontext.h>
#include <unistd.h>

#include "testsuite/insn/case.h"

#define STUB 0x00700000u /* FXRSTOR [STUB + 0x100]; JMP */
#define STUB_FPU (STUB + 0x100u)

/* What Linux puts behind mcontext's fpregs on i386: the FSAVE image, then FXSAVE's. */
#define FRAME_FXSAVE 112

static struct {
    struct insn_shared *shared;
    unsigned next; /* case that runs */
    uint16_t libc_gs, case_fs, case_gs, data;
} self;

static uint8_t *at(uint32_t address)
{
    return (uint8_t *)(uintptr_t)address;
}

static void wait_for_batch(void)
{
    uint8_t byte = 0;
    static bool begun;
    alarm(0);
    if (begun && write(1, &byte, 1) != 1)
        _exit(1);
    begun = true;
    if (read(0, &byte, 1) != 1)
        _exit(0);
    self.next = 0;
    alarm(3); /* per batch: no case hangs for ever */
}

static void stub_jump_to(uint32_t target)
{
    static const uint8_t load[3] = {0x0F, 0xAE, 0x0D};
    uint32_t fpu = STUB_FPU, rel = target - (STUB + 12);
    memcpy(at(STUB), load, 3);
    memcpy(at(STUB + 3), &fpu, 4);
    *at(STUB + 7) = 0xE9;
    memcpy(at(STUB + 8), &rel, 4);
}

static void case_begin(const struct insn_case *c, ucontext_t *uc)
{
    greg_t *g = uc->uc_mcontext.gregs;
    static const uint8_t order[8] = {REG_EAX, REG_ECX, REG_EDX, REG_EBX,
                                     REG_ESP, REG_EBP, REG_ESI, REG_EDI};
    memset(at(INSN_CODE), 0xCC, INSN_CODE_BYTES);
    memcpy(at(INSN_CODE + c->code_at), c->code, c->code_len);
    insn_fill(at(INSN_DATA), c->data_seed);
    memcpy(at(INSN_DATA + c->patch_at), c->patch, c->patch_len);
    memset(at(INSN_FIXED), 0, INSN_PAGE);
    memcpy(at(STUB_FPU), &c->state.fpu, sizeof(c->state.fpu));
    for (unsigned i = 0; i < 8; i++)
        g[order[i]] = (greg_t)c->state.gpr[i];
    g[REG_EFL] = (greg_t)c->state.eflags;
    g[REG_EIP] = (greg_t)STUB;
    g[REG_DS] = g[REG_ES] = self.data; /* the case before may have loaded others */
    g[REG_FS] = self.case_fs;
    g[REG_GS] = self.case_gs;
    stub_jump_to(c->state.eip);
}

/* INT3, INTO and INT1 leave EIP after themselves. */
static bool is_trap(const struct insn_outcome *o)
{
    return o->vector == 3 || o->vector == 4 || (o->vector == 1 && *at(o->state.eip - 1) == 0xF1);
}

static void case_end(struct insn_outcome *o, const ucontext_t *uc, bool hung)
{
    const greg_t *g = uc->uc_mcontext.gregs;
    static const uint8_t order[8] = {REG_EAX, REG_ECX, REG_EDX, REG_EBX,
                                     REG_ESP, REG_EBP, REG_ESI, REG_EDI};
    for (unsigned i = 0; i < 8; i++)
        o->state.gpr[i] = (uint32_t)g[order[i]];
    o->state.eip = (uint32_t)g[REG_EIP];
    o->state.eflags = (uint32_t)g[REG_EFL];
    o->vector = hung ? INSN_HUNG : (uint32_t)g[REG_TRAPNO];
    o->error = (uint32_t)g[REG_ERR];
    o->address = o->vector == 14 ? (uint32_t)uc->uc_mcontext.cr2 : 0;
    if (is_trap(o)) /* report it as the instruction's fault */
        o->state.eip--;
    memcpy(&o->state.fpu, (const uint8_t *)uc->uc_mcontext.fpregs + FRAME_FXSAVE,
           sizeof(o->state.fpu));
    memcpy(o->data, at(INSN_DATA), INSN_DATA_BYTES);
}

static void on_signal(int signo, siginfo_t *info, void *frame)
{
    __asm__ volatile(
        "mov %0, %%gs\n\tpushfl\n\tandl $~0x40000, (%%esp)\n\tpopfl" /* no alignment checks */
        ::"r"(self.libc_gs)
        : "cc", "memory");
    (void)info;
    struct insn_shared *s = self.shared;
    if (signo != SIGUSR1)
        case_end(&s->outcomes[self.next++], frame, signo == SIGALRM);
    if (signo == SIGUSR1 || self.next >= s->count)
        wait_for_batch();
    case_begin(&s->cases[self.next], frame);
}

/* A flat data segment with the given base; returns its selector. */
static uint16_t make_segment(uint32_t base)
{
    struct user_desc desc = {.entry_number = (unsigned)-1,
                             .base_addr = base,
                             .limit = 0xFFFFF,
                             .seg_32bit = 1,
                             .limit_in_pages = 1,
                             .useable = 1};
    if (syscall(SYS_set_thread_area, &desc) != 0)
        _exit(2);
    return (uint16_t)(desc.entry_number * 8 + 3);
}

static void map_fixed(uint32_t address, uint32_t len, int prot)
{
    void *p = mmap(at(address), len, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    if (p == MAP_FAILED)
        _exit(3);
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
    __asm__("mov %%ds, %0" : "=r"(self.data));
    self.case_fs = make_segment(INSN_FS_BASE);
    self.case_gs = make_segment(INSN_GS_BASE);
    self.shared = mmap(NULL, sizeof(struct insn_shared), PROT_READ | PROT_WRITE, MAP_SHARED, 3, 0);
    if (self.shared == MAP_FAILED)
        return 4;
    map_fixed(INSN_CODE, INSN_CODE_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC);
    map_fixed(INSN_DATA - INSN_PAGE, INSN_PAGE, PROT_READ);
    map_fixed(INSN_DATA, INSN_DATA_BYTES, PROT_READ | PROT_WRITE);
    map_fixed(INSN_FIXED, INSN_PAGE, PROT_READ | PROT_WRITE);
    map_fixed(STUB, INSN_PAGE, PROT_READ | PROT_WRITE | PROT_EXEC);
    /* Present from the start, so that a refused store finds it so. */
    (void)*(volatile uint8_t *)at(INSN_DATA - INSN_PAGE);
    catch_signals();
    raise(SIGUSR1);
    return 5; /* never: the handler returns into cases only */
}
