/* SPDX-License-Identifier: MIT */
/*
 * The system calls of a process that runs guests. Each is here because the code
 * below makes it; testsuite/hostile holds the list against what is really made.
 */
#include "emu/cli/run/run_sandbox.h"

#include "emu/base/host.h"
#include "emu/base/host_sandbox.h"

#include "config.h"

#if defined(__linux__) && defined(__x86_64__)

#include <linux/capability.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
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
/* Capabilities, for who runs it as root: others' files; low ports and pings, of the NAT. */
#define FILE_RIGHTS (1ull << CAP_DAC_OVERRIDE | 1ull << CAP_DAC_READ_SEARCH)
#define NET_RIGHTS (1ull << CAP_NET_BIND_SERVICE | 1ull << CAP_NET_RAW)
#define NAMESPACES                                                                                 \
    (CLONE_NEWNS | CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS |     \
     CLONE_NEWCGROUP)
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
    CALL(writev),
    CALL(pread64),
    CALL(pwrite64),
    CALL(preadv),
    CALL(preadv2),
    CALL(pwritev),
    CALL(recvfrom),
    CALL(sendto),
    CALL(recvmsg),
    CALL(sendmsg),
    CALL(recvmmsg),
    CALL(sendmmsg),
    CALL(fsync),
    CALL(fdatasync),
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
    CALL(sigaltstack),
    CALL_IF(prctl, 0, ALL_BITS, PR_SET_NAME),
    CALL_IF(arch_prctl, 0, ALL_BITS, 0x1001), /* ARCH_SET_GS */
    CALL(exit),
    CALL(exit_group),
    CALL(wait4),
    /* Chance, and how much memory there is. */
    CALL(getrandom),
    CALL(sysinfo),
    CALL(sched_getaffinity),
    CALL(eventfd2),
};

/* Files, by name. */
static const struct host_sandbox_call file_calls[] = {
    CALL(openat),  CALL(open),     CALL(newfstatat),     CALL(stat),       CALL(lstat),
    CALL(access),  CALL(readlink), CALL(readlinkat),     CALL(getdents64), CALL(getcwd),
    CALL(unlink),  CALL(rename),   CALL(mkdir),          CALL(link),       CALL(flock),
    CALL(umask),   CALL(fchmod),   CALL(dup2),           CALL(fstatfs),    CALL(sendfile),
    CALL(geteuid), CALL(getuid),   CALL(timerfd_create), CALL(signalfd4),  CALL(pipe2),
};

/* Programs, and what they need until they enter sandboxes of their own. */
static const struct host_sandbox_call worker_calls[] = {
    CALL_IF(clone, 0, NAMESPACES, 0),
    CALL(vfork),
    CALL(fallocate),
    CALL(execve),
    CALL(waitid),
    CALL(kill),
    CALL(setsid),
    CALL(set_tid_address),
    CALL(prlimit64),
    CALL(arch_prctl),
    CALL(socket),
    CALL(socketpair),
    CALL(connect),
    CALL(bind),
    CALL(listen),
    CALL(accept),
    CALL(setsockopt),
    CALL(getsockname),
    CALL(getpeername),
    CALL(ioctl),
    CALL(gettimeofday),
    CALL(time),
    CALL(epoll_create1),
    CALL(epoll_ctl),
    CALL(epoll_wait),
    CALL(epoll_pwait),
    CALL_IF(prctl, 0, ALL_BITS, PR_SET_NO_NEW_PRIVS),
    CALL_IF(prctl, 0, ALL_BITS, PR_SET_PDEATHSIG),
    CALL_IF(prctl, 0, ALL_BITS, PR_SET_DUMPABLE),
    CALL(close_range),
    CALL(seccomp),
    CALL(landlock_create_ruleset),
    CALL(landlock_add_rule),
    CALL(landlock_restrict_self),
    CALL(capget),
    CALL(capset),
};

/* A window: the screen's server, the graphics card, and what their libraries ask. */
static const struct host_sandbox_call window_calls[] = {
    CALL(ioctl),
    CALL_IF(socket, 0, ALL_BITS, AF_UNIX),
    CALL(connect),
    CALL(setsockopt),
    CALL(getsockname),
    CALL(getpeername),
    CALL(socketpair),
    CALL(shmget),
    CALL(shmat),
    CALL(shmdt),
    CALL(shmctl),
    CALL(epoll_create1),
    CALL(epoll_ctl),
    CALL(epoll_wait),
    CALL(epoll_pwait),
    CALL(statx),
    CALL(faccessat),
    CALL(faccessat2),
    CALL(unlinkat),
    CALL(renameat),
    CALL(mkdirat),
    CALL(dup),
    CALL(dup3),
    CALL(statfs),
    CALL(fadvise64),
    CALL(select),
    CALL(pselect6),
    CALL(nanosleep),
    CALL(inotify_init1),
    CALL(inotify_add_watch),
    CALL(inotify_rm_watch),
    CALL(timerfd_gettime),
    CALL(uname),
    CALL(getppid),
    CALL(getgid),
    CALL(getegid),
    CALL(getdents),
    CALL(readahead),
    CALL(fgetxattr),
    CALL(kcmp),
    CALL(membarrier),
    CALL(msync),
    CALL(sched_setaffinity),
    CALL(sched_getparam),
    CALL(sched_getscheduler),
    CALL(gettimeofday),
    CALL(time),
    CALL(clock_getres),
    CALL_UNLESS(mprotect, 2, WRITE_EXEC, WRITE_EXEC),
};

static const struct host_sandbox_call bridge_calls[] = {
    CALL(poll),
    CALL(ppoll),
    CALL(recvfrom),
    CALL(sendto),
    CALL(sendmsg),
    CALL(read),
    CALL(write),
    CALL(clock_gettime),
    CALL(close),
    CALL(shutdown),
    CALL(socketpair),
    CALL(getrandom),
    CALL(brk),
    CALL(munmap),
    CALL(madvise),
    CALL(restart_syscall),
    CALL(rt_sigreturn),
    CALL(rt_sigprocmask),
    CALL(exit_group),
    CALL(futex),
    CALL_UNLESS(mmap, 2, PROT_EXEC, PROT_EXEC),
    CALL(getpid),
    CALL(gettid),
};

struct list {
    struct host_sandbox_call call[HOST_SANDBOX_MAX_CALLS];
    unsigned calls;
};

static void add(struct list *list, const struct host_sandbox_call *call, unsigned count)
{
    BUG_ON(list->calls + count > HOST_SANDBOX_MAX_CALLS, "too many system calls");
    memcpy(list->call + list->calls, call, count * sizeof(*call));
    list->calls += count;
}

static void add_self(struct list *list)
{
    uint32_t self = (uint32_t)getpid();
    const struct host_sandbox_call to_self[] = {CALL_IF(tgkill, 0, ALL_BITS, self),
                                                CALL_IF(kill, 0, ALL_BITS, self)};
    add(list, to_self, ARRAY_LEN(to_self));
}

bool run_sandbox_enter(void)
{
    struct list list = {.calls = 0};
    host_pages_prepare();
    add(&list, calls, ARRAY_LEN(calls));
    add_self(&list);
    const struct host_sandbox sandbox = {.call = list.call, .calls = list.calls};
    return host_sandbox_enter(&sandbox);
}

bool run_sandbox_enter_with_files(void)
{
    struct list list = {.calls = 0};
    host_pages_prepare();
    add(&list, calls, ARRAY_LEN(calls));
    add(&list, file_calls, ARRAY_LEN(file_calls));
    add_self(&list);
    const struct host_sandbox sandbox = {
        .call = list.call, .calls = list.calls, .keep_files = true, .rights = FILE_RIGHTS};
    return host_sandbox_enter(&sandbox);
}

bool run_sandbox_enter_with_window(void)
{
    struct list list = {.calls = 0};
    host_pages_prepare();
    add(&list, calls, ARRAY_LEN(calls));
    add(&list, file_calls, ARRAY_LEN(file_calls));
    add(&list, window_calls, ARRAY_LEN(window_calls));
    add_self(&list);
    const struct host_sandbox sandbox = {.call = list.call,
                                         .calls = list.calls,
                                         .keep_files = true,
                                         .keep_descriptors = true,
                                         .rights = FILE_RIGHTS};
    return host_sandbox_enter(&sandbox);
}

/* Where this program lies; "" if that is not known. */
static void own_folder(char *path, size_t room)
{
    ssize_t n = readlink("/proc/self/exe", path, room - 1);
    path[n > 0 ? n : 0] = 0;
    char *slash = strrchr(path, '/');
    if (slash)
        *slash = 0;
}

bool run_sandbox_enter_with_programs(void)
{
    struct list list = {.calls = 0};
    char own[4096];
    const char *const programs[] = {own,      DENALI_LIBDIR, "/lib",       "/lib32",
                                    "/lib64", "/usr/lib",    "/usr/lib64", NULL};
    own_folder(own, sizeof(own));
    host_pages_prepare();
    add(&list, calls, ARRAY_LEN(calls));
    add(&list, file_calls, ARRAY_LEN(file_calls));
    add(&list, worker_calls, ARRAY_LEN(worker_calls));
    const struct host_sandbox_call tgkill_any = CALL(tgkill);
    add(&list, &tgkill_any, 1);
    const struct host_sandbox sandbox = {.call = list.call,
                                         .calls = list.calls,
                                         .programs = programs,
                                         .rights = FILE_RIGHTS | NET_RIGHTS};
    return host_sandbox_enter(&sandbox);
}

bool run_sandbox_enter_bridge(void)
{
    const struct host_sandbox sandbox = {
        .call = bridge_calls, .calls = ARRAY_LEN(bridge_calls), .keep_descriptors = true};
    return host_sandbox_enter(&sandbox);
}

#else

bool run_sandbox_enter_with_files(void)
{
    return false;
}

bool run_sandbox_enter_with_window(void)
{
    return false;
}

bool run_sandbox_enter_with_programs(void)
{
    return false;
}

bool run_sandbox_enter_bridge(void)
{
    return false;
}

bool run_sandbox_enter(void)
{
    return false;
}

#endif
