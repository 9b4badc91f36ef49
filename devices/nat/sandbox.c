/* SPDX-License-Identifier: MIT */
/*
 * libslirp parses what hostile guests send, so a hole in it must lead nowhere: no
 * files, no programs, no other processes. Sockets of the host are its work and remain.
 */
#include "devices/nat/sandbox.h"
#include "emu/base/base.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Landlock's first version knows these 13 rights of files. */
#define RIGHTS_ALL ((1u << 13) - 1)

static void files_give_up(void)
{
    struct landlock_ruleset_attr rules = {.handled_access_fs = RIGHTS_ALL};
    struct landlock_path_beneath_attr etc = {
        .allowed_access = LANDLOCK_ACCESS_FS_READ_FILE,
        .parent_fd = open("/etc", O_PATH | O_CLOEXEC),
    };
    long fd = syscall(SYS_landlock_create_ruleset, &rules, sizeof rules, 0);
    if (fd >= 0) {
        if (etc.parent_fd >= 0)
            syscall(SYS_landlock_add_rule, fd, LANDLOCK_RULE_PATH_BENEATH, &etc, 0);
        syscall(SYS_landlock_restrict_self, fd, 0);
        close((int)fd);
    }
    if (etc.parent_fd >= 0)
        close(etc.parent_fd);
}

#if defined(__x86_64__)

/* The frequent ones first: the filter compares in this order. */
static const uint16_t calls[] = {
    SYS_poll,
    SYS_recvmmsg,
    SYS_sendmmsg,
    SYS_recvfrom,
    SYS_sendto,
    SYS_recvmsg,
    SYS_sendmsg,
    SYS_read,
    SYS_write,
    SYS_close,
    SYS_accept,
    SYS_accept4,
    SYS_socket,
    SYS_connect,
    SYS_bind,
    SYS_listen,
    SYS_shutdown,
    SYS_setsockopt,
    SYS_getsockopt,
    SYS_getsockname,
    SYS_getpeername,
    SYS_fcntl,
    SYS_ioctl,
    SYS_ppoll,
    SYS_clock_gettime,
    SYS_gettimeofday,
    SYS_time,
    SYS_mmap,
    SYS_munmap,
    SYS_mremap,
    SYS_brk,
    SYS_madvise,
    SYS_futex,
    SYS_openat,
    SYS_open,
    SYS_stat,
    SYS_fstat,
    SYS_newfstatat,
    SYS_lseek,
    SYS_getrandom,
    SYS_getpid,
    SYS_gettid,
    SYS_restart_syscall,
    SYS_rt_sigreturn,
    SYS_rt_sigaction,
    SYS_rt_sigprocmask,
    SYS_exit,
    SYS_exit_group,
};

#define ARCH_AT ((uint32_t)offsetof(struct seccomp_data, arch))
#define NUMBER_AT ((uint32_t)offsetof(struct seccomp_data, nr))

static void calls_give_up(void)
{
    struct sock_filter code[ARRAY_LEN(calls) + 6];
    unsigned n = 0, count = ARRAY_LEN(calls);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ARCH_AT);
    code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, NUMBER_AT);
    for (unsigned i = 0; i < count; i++) /* a match jumps to the last instruction */
        code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, calls[i],
                                                 (uint8_t)(count - i), 0);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = {(unsigned short)n, code};
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

#else

static void calls_give_up(void)
{
}

#endif

/* Published ports are bound by now: root's rights are of no more use. */
static void rights_give_up(void)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0, 0, 0}, {0, 0, 0}};
    syscall(SYS_capset, &head, none);
}

void nat_sandbox_enter(void)
{
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    rights_give_up();
    files_give_up();
    calls_give_up();
}
