/* SPDX-License-Identifier: MIT */
/*
 * What a signal handler finds on its stack, as Linux i386 lays it out: the
 * plain frame (sigreturn) or, with SA_SIGINFO, the one with siginfo and
 * ucontext (rt_sigreturn); above both the FPU's state, in FSAVE form with an
 * FXSAVE image behind.
 */
#include "guests/ilwaco/memory.h"
#include "guests/ilwaco/syscall.h"
#include "guests/ilwaco/sys.h"
#include "guests/ilwaco/thread.h"

#define SS_ONSTACK 1u
#define SS_DISABLE 2u
#define EFLAGS_USER 0x40dd5u /* CF PF AF ZF SF TF DF OF AC: what sigreturn takes */

struct sigcontext {
    uint32_t gs, fs, es, ds;
    uint32_t edi, esi, ebp, esp, ebx, edx, ecx, eax;
    uint32_t trapno, err, eip, cs, eflags, esp_at_signal, ss;
    uint32_t fpstate, oldmask, cr2;
};

struct fpstate {
    uint32_t cw, sw, tag, ipoff, cssel, dataoff, datasel;
    uint8_t st[8][10];
    uint16_t status, magic;
    uint8_t fxsave[512];
};

struct ucontext {
    uint32_t flags, link;
    struct signal_stack stack;
    struct sigcontext context;
    sigset_t64 mask;
};

struct plain_frame {
    uint32_t restorer, signal;
    struct sigcontext context;
    uint8_t fpstate_unused[624];
    uint32_t mask_high;
    uint8_t code[8];
};

struct info_frame {
    uint32_t restorer, signal, info_addr, ucontext_addr;
    struct siginfo info;
    struct ucontext ucontext;
    uint8_t code[8];
};

_Static_assert(sizeof(struct sigcontext) == 88, "sigcontext");
_Static_assert(sizeof(struct fpstate) == 624, "fpstate");
_Static_assert(sizeof(struct siginfo) == 128, "siginfo");
_Static_assert(sizeof(struct signal_stack) == 12 && offsetof(struct ucontext, context) == 20, "uc");

/* Two tag bits per register, from the one of FXSAVE and the value. */
static uint32_t full_tags(const uint8_t *fx)
{
    uint32_t tags = 0, top = fx[3] >> 3 & 7;
    for (uint32_t physical = 0; physical < 8; physical++) {
        uint32_t tag = 3;
        if (fx[4] >> physical & 1) {
            const uint8_t *st = fx + 32 + ((physical - top) & 7) * 16;
            uint32_t exponent = (st[8] | st[9] << 8) & 0x7fff, low, high;
            memcpy(&low, st, 4);
            memcpy(&high, st + 4, 4);
            tag = exponent == 0x7fff || !(high >> 31) ? 2 : 0;
            if (!exponent && !low && !high)
                tag = 1;
        }
        tags |= tag << (physical * 2);
    }
    return tags;
}

static void fpu_save(struct fpstate *out)
{
    uint8_t fx[512] __attribute__((aligned(16)));
    __asm__ volatile("fxsave %0" : "=m"(fx));
    memset(out, 0, sizeof *out - sizeof fx);
    out->cw = 0xffff0000u | (fx[0] | fx[1] << 8);
    out->sw = 0xffff0000u | (uint32_t)(fx[2] | fx[3] << 8);
    out->tag = 0xffff0000u | full_tags(fx);
    memcpy(&out->ipoff, fx + 8, 4);
    memcpy(&out->dataoff, fx + 16, 4);
    out->datasel = 0xffff0000u;
    for (int i = 0; i < 8; i++)
        memcpy(out->st[i], fx + 32 + i * 16, 10);
    out->status = (uint16_t)(fx[2] | fx[3] << 8);
    memcpy(out->fxsave, fx, sizeof fx);
}

/* The state of a fresh program: what a handler starts with, too. */
static void fpu_reset(void)
{
    static const uint8_t fresh[512]
        __attribute__((aligned(16))) = {0x7f, 0x03, [25] = 0x1f, [24] = 0x80};
    __asm__ volatile("fxrstor %0" : : "m"(fresh));
}

static uint8_t abridged_tags(uint32_t tags)
{
    uint8_t out = 0;
    for (int i = 0; i < 8; i++)
        out |= (uint8_t)((tags >> i * 2 & 3) != 3) << i;
    return out;
}

/* As Linux: the x87 from the FSAVE part, XMM registers and MXCSR from the FXSAVE image. */
static int fpu_restore(uint32_t addr)
{
    struct fpstate in;
    uint8_t fx[512] __attribute__((aligned(16)));
    if (!addr) {
        fpu_reset();
        return 0;
    }
    if (copy_from_user(&in, addr, sizeof in))
        return -EFAULT;
    memcpy(fx, in.fxsave, sizeof fx);
    memcpy(fx, &in.cw, 2);
    memcpy(fx + 2, &in.sw, 2);
    fx[4] = abridged_tags(in.tag);
    for (int i = 0; i < 8; i++)
        memcpy(fx + 32 + i * 16, in.st[i], 10);
    fx[26] = fx[27] = 0; /* reserved bits of MXCSR fault */
    __asm__ volatile("fxrstor %0" : : "m"(fx));
    return 0;
}

static void context_save(struct sigcontext *out, const struct denali_context *frame,
                         uint32_t fpstate, sigset_t64 mask)
{
    uint32_t fs, gs;
    __asm__ volatile("movl %%fs, %0\n\tmovl %%gs, %1" : "=r"(fs), "=r"(gs));
    *out = (struct sigcontext){
        .gs = gs & 0xffff,
        .fs = fs & 0xffff,
        .es = 0x2b,
        .ds = 0x2b,
        .edi = frame->edi,
        .esi = frame->esi,
        .ebp = frame->ebp,
        .esp = frame->esp,
        .ebx = frame->ebx,
        .edx = frame->edx,
        .ecx = frame->ecx,
        .eax = frame->eax,
        .eip = frame->eip,
        .cs = 0x23,
        .eflags = frame->eflags,
        .esp_at_signal = frame->esp,
        .ss = 0x2b,
        .fpstate = fpstate,
        .oldmask = (uint32_t)mask,
        .trapno = machine_regs.fault_vector,
        .err = machine_regs.fault_error,
        .cr2 = machine_regs.fault_address,
    };
}

static int context_load(struct denali_context *frame, const struct sigcontext *in)
{
    frame->edi = in->edi;
    frame->esi = in->esi;
    frame->ebp = in->ebp;
    frame->esp = in->esp;
    frame->ebx = in->ebx;
    frame->edx = in->edx;
    frame->ecx = in->ecx;
    frame->eax = in->eax;
    frame->eip = in->eip;
    frame->eflags = (in->eflags & EFLAGS_USER) | 0x202;
    frame->reserved = SYSCALL_NONE;
    trap_work |= WORK_FRAME;
    return fpu_restore(in->fpstate);
}

static bool on_signal_stack(uint32_t esp)
{
    const struct signal_stack *stack = &thread_current->signal_stack;
    return !(stack->flags & SS_DISABLE) && esp > stack->base && esp - stack->base <= stack->size;
}

static uint32_t frame_place(uint32_t esp, const struct signal_action *action, uint32_t size)
{
    const struct signal_stack *stack = &thread_current->signal_stack;
    if ((action->flags & SA_ONSTACK) && stack->size && !(stack->flags & SS_DISABLE) &&
        !on_signal_stack(esp))
        esp = stack->base + stack->size;
    return ((esp - size + 4) & ~15u) - 4;
}

/* popl %eax; movl $n, %eax; int $0x80 -- or without the pop. */
static void return_code(uint8_t code[8], bool plain)
{
    static const uint8_t plain_code[8] = {0x58, 0xb8, 119, 0, 0, 0, 0xcd, 0x80};
    static const uint8_t info_code[8] = {0xb8, 173, 0, 0, 0, 0xcd, 0x80, 0};
    memcpy(code, plain ? plain_code : info_code, 8);
}

static int push_plain(uint32_t at, const struct denali_context *frame, uint32_t restorer,
                      int signal, uint32_t fpstate, sigset_t64 mask)
{
    struct plain_frame *out = kzalloc(sizeof *out);
    if (!out)
        return -ENOMEM;
    out->restorer = restorer ? restorer : at + offsetof(struct plain_frame, code);
    out->signal = (uint32_t)signal;
    context_save(&out->context, frame, fpstate, mask);
    out->mask_high = (uint32_t)(mask >> 32);
    return_code(out->code, true);
    int err = copy_to_user(at, out, sizeof *out);
    kfree(out);
    return err;
}

static int push_info(uint32_t at, const struct denali_context *frame, uint32_t restorer,
                     const struct siginfo *info, uint32_t fpstate, sigset_t64 mask)
{
    struct info_frame out = {
        .restorer = restorer ? restorer : at + offsetof(struct info_frame, code),
        .signal = (uint32_t)info->signo,
        .info_addr = at + offsetof(struct info_frame, info),
        .ucontext_addr = at + offsetof(struct info_frame, ucontext),
        .info = *info,
    };
    out.ucontext.stack = thread_current->signal_stack;
    if (on_signal_stack(frame->esp))
        out.ucontext.stack.flags |= SS_ONSTACK;
    out.ucontext.mask = mask;
    context_save(&out.ucontext.context, frame, fpstate, mask);
    return_code(out.code, false);
    return copy_to_user(at, &out, sizeof out);
}

int signal_push_frame(struct denali_context *frame, const struct signal_action *action,
                      const struct siginfo *info, sigset_t64 mask)
{
    bool with_info = action->flags & SA_SIGINFO;
    uint32_t size = with_info ? sizeof(struct info_frame) : sizeof(struct plain_frame);
    uint32_t restorer = action->flags & SA_RESTORER ? action->restorer : 0;
    uint32_t at = frame_place(frame->esp, action, size + sizeof(struct fpstate) + 16);
    uint32_t fp_at = (at + size + 15) & ~15u;
    struct fpstate fpu;
    fpu_save(&fpu);
    int err = copy_to_user(fp_at, &fpu, sizeof fpu);
    if (!err && with_info)
        err = push_info(at, frame, restorer, info, fp_at, mask);
    else if (!err)
        err = push_plain(at, frame, restorer, info->signo, fp_at, mask);
    if (err)
        return err;
    fpu_reset();
    frame->esp = at;
    frame->eip = action->handler;
    frame->eax = (uint32_t)info->signo;
    frame->edx = with_info ? at + offsetof(struct info_frame, info) : 0;
    frame->ecx = with_info ? at + offsetof(struct info_frame, ucontext) : 0;
    frame->eflags &= ~0x500u; /* TF, DF */
    trap_work |= WORK_FRAME;
    return 0;
}

int32_t sys_sigreturn(void)
{
    struct denali_context *frame = thread_frame(thread_current);
    uint32_t at = frame->esp - 8; /* the restorer popped the signal's number, ret the address */
    struct plain_frame in;
    if (copy_from_user(&in, at, offsetof(struct plain_frame, fpstate_unused)) ||
        get_user32(&in.mask_high, at + offsetof(struct plain_frame, mask_high)) ||
        context_load(frame, &in.context)) {
        process_die(SIGSEGV);
    }
    signal_set_blocked((sigset_t64)in.mask_high << 32 | in.context.oldmask);
    return (int32_t)frame->eax;
}

int32_t sys_rt_sigreturn(void)
{
    struct denali_context *frame = thread_frame(thread_current);
    struct ucontext in;
    uint32_t at = frame->esp - 4;
    if (copy_from_user(&in, at + offsetof(struct info_frame, ucontext), sizeof in) ||
        context_load(frame, &in.context))
        process_die(SIGSEGV);
    signal_set_blocked(in.mask);
    in.stack.flags &= SS_DISABLE;
    thread_current->signal_stack = in.stack;
    return (int32_t)frame->eax;
}
