/* SPDX-License-Identifier: MIT */
/* See fp_native.h. */
#include "testsuite/unit/fp_native.h"

#if defined(__x86_64__) && defined(__linux__)

#include <string.h>

#include "emu/base/host_signal.h"

/* What the assembly part reads and writes; r15 points to it, which no i386 code can touch. */
struct native {
    struct cpu_fpu fpu;
    uint64_t gpr[8];
    uint64_t flags;
    const void *code;
    struct host_signal_scope scope;
    uint32_t vector;
};

_Static_assert(offsetof(struct native, gpr) == 512, "the assembly part knows it");
_Static_assert(offsetof(struct native, flags) == 576, "the assembly part knows it");
_Static_assert(offsetof(struct native, code) == 584, "the assembly part knows it");

extern const char fp_native_end[];
void fp_native_enter(struct native *n);
__asm__(".text\n"
        ".globl fp_native_enter, fp_native_end\n"
        "fp_native_enter:\n"
        "push %rbx\n push %rbp\n push %r12\n push %r15\n push %r14\n"
        "mov %rdi, %r15\n"
        "fxrstor (%r15)\n"
        "push 576(%r15)\n popfq\n"
        "mov 512(%r15), %rax\n mov 520(%r15), %rcx\n mov 528(%r15), %rdx\n"
        "mov 536(%r15), %rbx\n mov 552(%r15), %rbp\n mov 560(%r15), %rsi\n"
        "mov 568(%r15), %rdi\n"
        "call *584(%r15)\n"
        "fp_native_end:\n"
        "fxsave (%r15)\n"
        "pushfq\n pop 576(%r15)\n"
        "mov %rax, 512(%r15)\n mov %rcx, 520(%r15)\n mov %rdx, 528(%r15)\n"
        "mov %rbx, 536(%r15)\n mov %rbp, 552(%r15)\n mov %rsi, 560(%r15)\n"
        "mov %rdi, 568(%r15)\n"
        "fninit\n push $0x1f80\n ldmxcsr (%rsp)\n add $8, %rsp\n"
        "pop %r14\n pop %r15\n pop %r12\n pop %rbp\n pop %rbx\n"
        "ret\n");

/* A fault ends the instruction: on to the saving part, without the call's return address. */
static bool on_trap(struct host_signal_scope *scope, struct host_frame *frame)
{
    struct native *n = CONTAINER_OF(scope, struct native, scope);

    n->vector = frame->trap;
    frame->rip = (uint64_t)(uintptr_t)fp_native_end;
    frame->gpr[ISA_ESP] += 8;
    return true;
}

#define FLAGS_USER 0x8d5u

void fp_native_run(struct fp_native *state, const void *code)
{
    _Alignas(16) struct native n = {
        .flags = state->flags | 0x202, .code = code, .scope.on_trap = on_trap};

    n.fpu = state->fpu;
    n.vector = FP_NO_VECTOR;
    for (unsigned i = 0; i < 8; i++)
        n.gpr[i] = state->gpr[i];
    BUG_ON(host_signal_prepare() != 0, "no signal handlers");
    host_signal_enter(&n.scope);
    fp_native_enter(&n);
    host_signal_leave(&n.scope);
    state->fpu = n.fpu;
    for (unsigned i = 0; i < 8; i++)
        state->gpr[i] = (uint32_t)n.gpr[i];
    state->flags = (uint32_t)n.flags & FLAGS_USER;
    state->vector = n.vector;
}

#endif
