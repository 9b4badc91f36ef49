/* SPDX-License-Identifier: MIT */
/*
 * Processor faults and kicks of threads that run code from elsewhere (x86-64
 * Linux). A thread says "from now on faults are for this scope"; the handler
 * runs on an alternate stack, sees the registers, may change them, and says
 * whether the fault was its own. A fault that nobody owns takes the default
 * action at the place where it happened.
 */
#ifndef DENALI_HOST_SIGNAL_H
#define DENALI_HOST_SIGNAL_H

#include "emu/base/base.h"

/* Number of the register in host_frame.gpr: the hardware's. */
enum { HOST_GPRS = 16 };

#define HOST_TRAP_DEBUG 1u  /* single step */
#define HOST_TRAP_PAGE 14u  /* `address` and `error` are good */
#define HOST_TRAP_KICK 256u /* not a fault: host_signal_kick of this thread */
#define HOST_RFLAGS_TF 0x100u

/* The interrupted state. Changes of gpr, rip and rflags take effect on return. */
struct host_frame {
    uint64_t gpr[HOST_GPRS];
    uint64_t rip, rflags;
    uint32_t trap;  /* vector, or HOST_TRAP_KICK */
    uint32_t error; /* the processor's error code */
    uint64_t address;
};

/*
 * For what takes a kick that interrupts C: ThreadSanitizer's own functions, calls of which it puts
 * before each access, may be what was interrupted, and then wait for themselves.
 */
#if defined(__SANITIZE_THREAD__)
#define HOST_SIGNAL_PLAIN __attribute__((no_sanitize("thread")))
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define HOST_SIGNAL_PLAIN __attribute__((no_sanitize("thread"), disable_sanitizer_instrumentation))
#endif
#endif
#ifdef HOST_SIGNAL_PLAIN
#define HOST_THREADS_SANITIZED 1
#else
#define HOST_THREADS_SANITIZED 0
#define HOST_SIGNAL_PLAIN
#endif

struct host_signal_scope {
    /* On the alternate stack, with signals blocked: may touch no lock. False: not mine. */
    bool (*on_trap)(struct host_signal_scope *scope, struct host_frame *frame);
    int32_t tid; /* the thread inside, 0 if none */
    struct host_signal_scope *outer;
};

/* Installs the process's handlers and this thread's stack; cheap when done. Negative errno. */
MUST_CHECK int host_signal_prepare(void);

/* From here to host_signal_leave this thread's faults are the scope's. Nests. */
void host_signal_enter(struct host_signal_scope *scope);
void host_signal_leave(struct host_signal_scope *scope);

/* Interrupts the thread inside `scope`, if there is one: its on_trap sees HOST_TRAP_KICK. Async-
 * signal-safe; a thread that just left may see a kick too many. */
void host_signal_kick(const struct host_signal_scope *scope);

/* Sets this thread's GS base by the kernel, for processors without WRGSBASE. */
void host_set_gs_base(uint64_t base);
bool host_has_wrgsbase(void);

#endif
