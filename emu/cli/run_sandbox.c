/* SPDX-License-Identifier: MIT */
/*
 * The system calls of a process that runs guests. Each is here because the code
 * below makes it; testsuite/hostile holds the list against what is really made.
 */
#include "emu/cli/run_sandbox.h"

#include "emu/base/host.h"
#include "emu/base/host_sandbox.h"

#if defined(__linux__) && defined(__x86_64__)

#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#define CALL(name)                                                                                 \
    {                                                                                              \
        .number = SYS_##name                                                                       \
    }
#define CALL_IF(name, arg, bits, what)                                                             \
    {                                                                                              \
        .number = SYS_##name, .test = HOST_SANDBOX_IS, .argument = arg, .mask = bits,              \
        .value = what                                                                              \
    }
#define CALL_UNLESS(name, arg, bits, what)                                                         \
    {                                                                                              \
        .number = SYS_##name, .test = HOST_SANDBOX_IS_NOT, .argument = arg, .mask = bits,          \
        .value = what                                                                              \
    }

#define ALL_BITS 0xffffffffu
#define WRITE_EXEC (PROT_WRITE | PROT_EXEC)
#define THREAD (CLONE_VM | CLONE_THREAD | CLONE_SIGHAND)

static const struct host_sandbox_call calls[] = {
    /* Sleeping and waking. */
    CALL(poll),
    CALL(ppoll),
    CALL(futex),
    CALL(restart_syscall),
    CALL(clock_gettime),
    CALL(clock_nanosleep),
    CALL(timerfd_settime),
    CALL(sched_yield),
    /* Frames, console, disks: descriptors that are open. */
    CALL(read),
    CALL(write),
    CALL(readv),
    CALL(writev),
    CALL(pread64),
    CALL(pwrite64),
    CALL(preadv),
    CALL(preadv2),
    CALL(pwritev2),
    CALL(pwritev),
    CALL(recvfrom),
    CALL(sendto),
    CALL(recvmsg),
    CALL(sendmsg),
    CALL(recvmmsg),
    CALL(sendmmsg),
    CALL(fsync),
    CALL(fdatasync),
    CALL(fallocate),
    CALL(ftruncate),
    CALL(lseek),
    CALL(fstat),
    CALL_IF(newfstatat, 3, 0x1000, 0x1000), /* AT_EMPTY_PATH: fstat of newer libraries */
    CALL(close),
    CALL(fcntl),
    CALL(accept4),
    CALL(shutdown),
    CALL(getsockopt),
    /* The terminal: size and modes, and no TIOCSTI, which types for the person. */
    CALL_IF(ioctl, 1, ALL_BITS, TCGETS),
    CALL_IF(ioctl, 1, ALL_BITS, TCSETS),
    CALL_IF(ioctl, 1, ALL_BITS, TCSETSW),
    CALL_IF(ioctl, 1, ALL_BITS, TCSETSF),
    CALL_IF(ioctl, 1, ALL_BITS, TIOCGWINSZ),
    CALL_IF(ioctl, 1, ALL_BITS, TIOCGPGRP),
    CALL_IF(ioctl, 1, ALL_BITS, FIONREAD),
    CALL_IF(ioctl, 1, ALL_BITS, FIONBIO),
    /* Which pages of memory were written. */
    CALL_IF(ioctl, 1, ALL_BITS, HOST_PAGES_IOCTL),
    /* Memory: a page is written or run, never both. */
    CALL_UNLESS(mmap, 2, WRITE_EXEC, WRITE_EXEC),
    CALL_UNLESS(mprotect, 2, PROT_EXEC, PROT_EXEC),
    CALL(munmap),
    CALL(mremap),
    CALL(madvise),
    CALL(brk),
    CALL(memfd_create),
    CALL(mincore),
    /* Threads and signals of this process. */
    {.number = SYS_clone3, .test = HOST_SANDBOX_ABSENT},
    CALL_IF(clone, 0, THREAD, THREAD),
    CALL(set_robust_list),
    CALL(rseq),
    CALL(gettid),
    CALL(getpid),

    CALL(rt_sigaction),
    CALL(rt_sigprocmask),
    CALL(rt_sigreturn),
    CALL(rt_sigtimedwait),
    CALL(sigaltstack),
    CALL_IF(prctl, 0, ALL_BITS, PR_SET_NAME),
    CALL_IF(arch_prctl, 0, ALL_BITS, 0x1001), /* ARCH_SET_GS */
    CALL(exit),
    CALL(exit_group),
    CALL(wait4),
    /* Chance, and how much memory there is. */
    CALL(getrandom),
    CALL(sysinfo),
    CALL(getrusage),
    CALL(sched_getaffinity),
    CALL(eventfd2),
};

bool run_sandbox_enter(void)
{
    host_pages_prepare();
    struct host_sandbox_call all[ARRAY_LEN(calls) + 2];
    uint32_t self = (uint32_t)getpid();
    memcpy(all, calls, sizeof(calls));
    all[ARRAY_LEN(calls)] = (struct host_sandbox_call)CALL_IF(tgkill, 0, ALL_BITS, self);
    all[ARRAY_LEN(calls) + 1] = (struct host_sandbox_call)CALL_IF(kill, 0, ALL_BITS, self);
    const struct host_sandbox sandbox = {.call = all, .calls = ARRAY_LEN(all)};
    return host_sandbox_enter(&sandbox);
}

#else

bool run_sandbox_enter(void)
{
    return false;
}

#endif
