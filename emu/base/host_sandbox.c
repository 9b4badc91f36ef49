/* SPDX-License-Identifier: MIT */
/*
 * The filter is a straight line of comparisons; calls that pass whatever their
 * arguments are cost nothing on kernels that remember them (5.11 and later).
 */
#include "emu/base/host_sandbox.h"

#if defined(__linux__) && defined(__x86_64__)

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The sanitizers map terabytes and look at themselves. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                         \
    __has_feature(memory_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

/* Landlock's first version knows these 13 rights of files. */
#define RIGHTS_ALL ((1u << 13) - 1)

/* What is not there needs no rule. */
static void keep_below(long ruleset, const char *folder, uint64_t rights)
{
    struct landlock_path_beneath_attr keep = {.allowed_access = rights,
                                              .parent_fd = open(folder, O_PATH | O_CLOEXEC)};
    if (keep.parent_fd < 0)
        return;
    syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &keep, 0);
    close(keep.parent_fd);
}

static bool files_give_up(const struct host_sandbox *s)
{
    struct landlock_ruleset_attr rules = {
        .handled_access_fs = s->programs ? LANDLOCK_ACCESS_FS_EXECUTE : RIGHTS_ALL};
    if (s->keep_files)
        return true;
    long fd = syscall(SYS_landlock_create_ruleset, &rules, sizeof rules, 0);
    if (fd < 0)
        return false;
    if (s->readable)
        keep_below(fd, s->readable, LANDLOCK_ACCESS_FS_READ_FILE);
    for (const char *const *folder = s->programs; folder && *folder; folder++)
        keep_below(fd, *folder, LANDLOCK_ACCESS_FS_EXECUTE);
    bool ok = syscall(SYS_landlock_restrict_self, fd, 0) == 0;
    close((int)fd);
    return ok;
}

#define ARCH_AT ((uint32_t)offsetof(struct seccomp_data, arch))
#define NUMBER_AT ((uint32_t)offsetof(struct seccomp_data, nr))
#define ARGUMENT_AT(n) ((uint32_t)(offsetof(struct seccomp_data, args) + 8u * (n)))
#define ROW_MAX 6u

static unsigned put(struct sock_filter *code, unsigned at, uint16_t op, uint32_t k, uint8_t yes,
                    uint8_t no)
{
    code[at] = (struct sock_filter){op, yes, no, k};
    return at + 1;
}

/* One row: returns ALLOW, or goes on behind itself with the number loaded. */
static unsigned put_call(struct sock_filter *code, unsigned n, const struct host_sandbox_call *call)
{
    bool absent = call->test == HOST_SANDBOX_ABSENT;
    if (call->test == HOST_SANDBOX_ANY || absent) {
        uint32_t answer = absent ? SECCOMP_RET_ERRNO | ENOSYS : SECCOMP_RET_ALLOW;
        n = put(code, n, BPF_JMP | BPF_JEQ | BPF_K, call->number, 0, 1);
        return put(code, n, BPF_RET | BPF_K, answer, 0, 0);
    }
    bool is = call->test == HOST_SANDBOX_IS;
    n = put(code, n, BPF_JMP | BPF_JEQ | BPF_K, call->number, 0, 5);
    n = put(code, n, BPF_LD | BPF_W | BPF_ABS, ARGUMENT_AT(call->argument), 0, 0);
    n = put(code, n, BPF_ALU | BPF_AND | BPF_K, call->mask, 0, 0);
    n = put(code, n, BPF_JMP | BPF_JEQ | BPF_K, call->value, is ? 0 : 1, is ? 1 : 0);
    n = put(code, n, BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
    return put(code, n, BPF_LD | BPF_W | BPF_ABS, NUMBER_AT, 0, 0);
}

static bool calls_give_up(const struct host_sandbox *s)
{
    struct sock_filter code[HOST_SANDBOX_MAX_CALLS * ROW_MAX + 8];
    unsigned n = 0;
    BUG_ON(s->calls > HOST_SANDBOX_MAX_CALLS, "a list of system calls that is too long");
    n = put(code, n, BPF_LD | BPF_W | BPF_ABS, ARCH_AT, 0, 0);
    n = put(code, n, BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0);
    n = put(code, n, BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS, 0, 0);
    n = put(code, n, BPF_LD | BPF_W | BPF_ABS, NUMBER_AT, 0, 0);
    for (unsigned i = 0; i < s->calls; i++)
        n = put_call(code, n, &s->call[i]);
    n = put(code, n, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM, 0, 0);
    struct sock_fprog program = {(unsigned short)n, code};
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) == 0;
}

static bool rights_give_up(uint64_t but)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct set[_LINUX_CAPABILITY_U32S_3] = {{0, 0, 0}, {0, 0, 0}};
    if (but && syscall(SYS_capget, &head, set))
        return false;
    for (unsigned i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
        set[i].permitted &= (uint32_t)(but >> (32 * i));
        set[i].effective = set[i].permitted;
        set[i].inheritable = 0;
    }
    return syscall(SYS_capset, &head, set) == 0;
}

static bool limits_give_up(void)
{
    static const __rlimit_resource_t resource[] = {RLIMIT_CORE, RLIMIT_MEMLOCK, RLIMIT_RTPRIO,
                                                   RLIMIT_MSGQUEUE};
    const struct rlimit none = {0, 0};
    bool ok = true;
    for (unsigned i = 0; i < ARRAY_LEN(resource); i++)
        ok = setrlimit(resource[i], &none) == 0 && ok;
    return ok;
}

bool host_descriptors_give_up(void)
{
    DIR *all = opendir("/proc/self/fd");
    struct dirent *entry;
    if (!all)
        return false;
    while ((entry = readdir(all))) {
        int fd = atoi(entry->d_name); /* "." is 0 */
        int flags = fd > STDERR_FILENO ? fcntl(fd, F_GETFD) : -1;
        if (flags >= 0 && !(flags & FD_CLOEXEC))
            close(fd);
    }
    closedir(all);
    return true;
}

bool host_sandbox_enter(const struct host_sandbox *sandbox)
{
    if (SANITIZED)
        return false;
    bool ok = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
    if (!sandbox->keep_descriptors)
        ok = host_descriptors_give_up() && ok;
    ok = limits_give_up() && ok;
    if (!sandbox->keep_rights)
        ok = rights_give_up(sandbox->rights) && ok;
    ok = files_give_up(sandbox) && ok;
    return calls_give_up(sandbox) && ok;
}

#else

bool host_descriptors_give_up(void)
{
    return false;
}

bool host_sandbox_enter(const struct host_sandbox *sandbox)
{
    (void)sandbox;
    return false;
}

#endif
