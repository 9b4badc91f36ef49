/* SPDX-License-Identifier: MIT */
/*
 * libslirp parses what hostile guests send, so a hole in it must lead nowhere: no
 * files, no programs, no other processes. Sockets of the host are its work and remain.
 * Published ports are bound by now, so root's rights are of no more use.
 */
#include "devices/nat/sandbox.h"
#include "emu/base/host_sandbox.h"

#include <sys/syscall.h>

#define CALL(name)                                                                                 \
    {                                                                                              \
        .number = SYS_##name                                                                       \
    }
static const struct host_sandbox_call calls[] = {
    CALL(poll),
    CALL(recvmmsg),
    CALL(sendmmsg),
    CALL(recvfrom),
    CALL(sendto),
    CALL(recvmsg),
    CALL(sendmsg),
    CALL(read),
    CALL(write),
    CALL(close),
    CALL(accept),
    CALL(accept4),
    CALL(socket),
    CALL(connect),
    CALL(bind),
    CALL(listen),
    CALL(shutdown),
    CALL(setsockopt),
    CALL(getsockopt),
    CALL(getsockname),
    CALL(getpeername),
    CALL(fcntl),
    CALL(ioctl),
    CALL(ppoll),
    CALL(clock_gettime),
    CALL(gettimeofday),
    CALL(time),
    CALL(mmap),
    CALL(munmap),
    CALL(mremap),
    CALL(brk),
    CALL(madvise),
    CALL(futex),
    CALL(openat),
    CALL(open),
    CALL(stat),
    CALL(fstat),
    CALL(newfstatat),
    CALL(lseek),
    CALL(getrandom),
    CALL(getpid),
    CALL(gettid),
    CALL(restart_syscall),
    CALL(rt_sigreturn),
    CALL(rt_sigaction),
    CALL(rt_sigprocmask),
    CALL(exit),
    CALL(exit_group),
};

void nat_sandbox_enter(void)
{
    /* /etc: resolv.conf. */
    const struct host_sandbox sandbox = {
        .call = calls, .calls = ARRAY_LEN(calls), .readable = "/etc", .keep_descriptors = true};
    (void)host_sandbox_enter(&sandbox);
}
