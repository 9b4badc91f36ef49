/* SPDX-License-Identifier: MIT */
/* System calls about the one process and the system it seems to run on. */
#include "guests/ilwaco/boot_params.h"
#include "guests/ilwaco/fd.h"
#include "guests/ilwaco/fs/disk.h"
#include "guests/ilwaco/linux_abi.h"
#include "guests/ilwaco/memory.h"
#include "guests/ilwaco/sys.h"
#include "guests/ilwaco/thread.h"
#include "guests/ilwaco/user_time.h"

#define NAME_BYTES 65u

/* ---- who ---- */

int32_t sys_getpid(void)
{
    return ILWACO_PID;
}

int32_t sys_getppid(void)
{
    return 1;
}

/* getuid and its relatives, and calls that succeed by doing nothing. */
int32_t sys_zero(void)
{
    return 0;
}

int32_t sys_getpgid(uint32_t pid)
{
    return pid == 0 || pid == ILWACO_PID ? ILWACO_PID : -ESRCH;
}

int32_t sys_getpgrp(void)
{
    return ILWACO_PID;
}

int32_t sys_setpgid(uint32_t pid)
{
    return pid == 0 || pid == ILWACO_PID ? 0 : -ESRCH;
}

int32_t sys_setsid(void)
{
    return -EPERM; /* it leads its group already */
}

int32_t sys_getresid(uint32_t real, uint32_t effective, uint32_t saved)
{
    return put_user32(real, 0) || put_user32(effective, 0) || put_user32(saved, 0) ? -EFAULT : 0;
}

int32_t sys_getgroups(uint32_t size, uint32_t list)
{
    (void)size;
    (void)list;
    return 0;
}

int32_t sys_wait4(void)
{
    return -ECHILD;
}

int32_t sys_capget(uint32_t header, uint32_t data)
{
    uint32_t version, sets[6] = {UINT32_MAX, UINT32_MAX, 0, 0x1ff, 0x1ff, 0};
    if (get_user32(&version, header))
        return -EFAULT;
    if (version != 0x20080522 && version != 0x20071026 && version != 0x19980330)
        return put_user32(header, 0x20080522) ? -EFAULT : -EINVAL;
    return data ? copy_to_user(data, sets, version == 0x19980330 ? 12 : 24) : 0;
}

/* ---- the system ---- */

static void put_name(char *field, const char *name)
{
    memcpy(field, name, strnlen(name, NAME_BYTES - 1));
}

int32_t sys_uname(uint32_t out)
{
    char names[6][NAME_BYTES] = {{0}};
    put_name(names[0], "Linux");
    put_name(names[1], boot_hostname());
    put_name(names[2], "5.10.0-ilwaco");
    put_name(names[3], "#1 SMP Denali");
    put_name(names[4], "i686");
    put_name(names[5], "(none)");
    return copy_to_user(out, names, sizeof names);
}

static uint64_t memory_used(void)
{
    return page_bytes_used() + vma_bytes();
}

int32_t sys_sysinfo(uint32_t out)
{
    uint64_t total = machine_regs.mem_bytes, used = memory_used();
    struct sysinfo info = {
        .uptime = (uint32_t)div_u64(time_now(), NS_PER_SEC, NULL),
        .totalram = (uint32_t)(total / PAGE_SIZE),
        .freeram = (uint32_t)((used < total ? total - used : 0) / PAGE_SIZE),
        .bufferram = (uint32_t)(cache_bytes() / PAGE_SIZE),
        .procs = (uint16_t)thread_count(),
        .mem_unit = PAGE_SIZE,
    };
    return copy_to_user(out, &info, sizeof info);
}

int32_t sys_sethostname(void)
{
    return -EPERM;
}

/* ---- limits ---- */

#define LIMITS 16u
#define INFINITY32 UINT32_MAX
enum rlimit_resource { RLIMIT_STACK = 3, RLIMIT_CORE = 4, RLIMIT_NPROC = 6, RLIMIT_NOFILE = 7 };

static uint64_t soft_limit(uint32_t resource)
{
    switch (resource) {
    case RLIMIT_STACK:
        return STACK_BYTES;
    case RLIMIT_CORE:
        return 0;
    case RLIMIT_NOFILE:
        return fd_limit();
    default:
        return UINT64_MAX;
    }
}

static uint64_t hard_limit(uint32_t resource)
{
    return resource == RLIMIT_NOFILE ? FD_MAX : UINT64_MAX;
}

static int32_t set_limit(uint32_t resource, uint64_t soft)
{
    if (resource == RLIMIT_NOFILE) {
        if (soft > FD_MAX)
            return -EPERM;
        fd_set_limit((uint32_t)soft);
    }
    return 0;
}

static uint32_t narrow(uint64_t limit, bool old)
{
    uint32_t most = old ? INT32_MAX : INFINITY32;
    return limit > most ? most : (uint32_t)limit;
}

static int32_t put_limit(uint32_t resource, uint32_t out, bool old)
{
    uint32_t pair[2] = {narrow(soft_limit(resource), old), narrow(hard_limit(resource), old)};
    return resource < LIMITS ? copy_to_user(out, pair, sizeof pair) : -EINVAL;
}

int32_t sys_getrlimit(uint32_t resource, uint32_t out)
{
    return put_limit(resource, out, true);
}

int32_t sys_ugetrlimit(uint32_t resource, uint32_t out)
{
    return put_limit(resource, out, false);
}

int32_t sys_setrlimit(uint32_t resource, uint32_t in)
{
    uint32_t soft;
    if (resource >= LIMITS)
        return -EINVAL;
    return get_user32(&soft, in) ? -EFAULT : set_limit(resource, soft);
}

int32_t sys_prlimit64(uint32_t pid, uint32_t resource, uint32_t in, uint32_t out)
{
    uint64_t pair[2] = {soft_limit(resource), hard_limit(resource)}, fresh[2];
    if (pid && pid != ILWACO_PID)
        return -ESRCH;
    if (resource >= LIMITS)
        return -EINVAL;
    if (in && copy_from_user(fresh, in, sizeof fresh))
        return -EFAULT;
    if (out && copy_to_user(out, pair, sizeof pair))
        return -EFAULT;
    return in ? set_limit(resource, fresh[0]) : 0;
}

int32_t sys_getrusage(uint32_t who, uint32_t out)
{
    struct rusage usage = {0};
    uint32_t rest;
    uint64_t ns = 0;
    if (who == 0)
        clock_read(CLOCK_PROCESS_CPUTIME_ID, &ns);
    else if (who == 1)
        ns = thread_cpu_ns(thread_current);
    else if (who != UINT32_MAX)
        return -EINVAL;
    usage.utime[0] = (uint32_t)div_u64(ns, NS_PER_SEC, &rest);
    usage.utime[1] = rest / 1000;
    usage.maxrss = (uint32_t)(memory_used() / 1024);
    return copy_to_user(out, &usage, sizeof usage);
}

int32_t sys_getpriority(void)
{
    return 20; /* nice 0, as the kernel gives it */
}

/* ---- prctl ---- */

enum prctl_option {
    PR_SET_PDEATHSIG = 1,
    PR_GET_PDEATHSIG = 2,
    PR_GET_DUMPABLE = 3,
    PR_SET_DUMPABLE = 4,
    PR_GET_KEEPCAPS = 7,
    PR_SET_NAME = 15,
    PR_GET_NAME = 16,
    PR_CAPBSET_READ = 23,
    PR_SET_TIMERSLACK = 29,
    PR_GET_TIMERSLACK = 30,
    PR_SET_CHILD_SUBREAPER = 36,
    PR_SET_NO_NEW_PRIVS = 38,
    PR_GET_NO_NEW_PRIVS = 39,
    PR_GET_TID_ADDRESS = 40,
    PR_SET_THP_DISABLE = 41,
};

static int32_t set_name(uint32_t addr)
{
    char name[16] = {0};
    int len = copy_string_from_user(name, addr, sizeof name);
    if (len == -EFAULT)
        return len;
    name[sizeof name - 1] = 0;
    memcpy(thread_current->name, name, sizeof name);
    return 0;
}

int32_t sys_prctl(uint32_t option, uint32_t arg)
{
    switch (option) {
    case PR_SET_NAME:
        return set_name(arg);
    case PR_GET_NAME:
        return copy_to_user(arg, thread_current->name, sizeof thread_current->name);
    case PR_GET_DUMPABLE:
    case PR_CAPBSET_READ:
        return 1;
    case PR_GET_TIMERSLACK:
        return 50000;
    case PR_GET_PDEATHSIG:
        return put_user32(arg, 0);
    case PR_GET_TID_ADDRESS:
        return put_user32(arg, thread_current->clear_tid);
    case PR_SET_PDEATHSIG:
    case PR_SET_DUMPABLE:
    case PR_GET_KEEPCAPS:
    case PR_SET_TIMERSLACK:
    case PR_SET_CHILD_SUBREAPER:
    case PR_SET_NO_NEW_PRIVS:
    case PR_GET_NO_NEW_PRIVS:
    case PR_SET_THP_DISABLE:
        return 0;
    default:
        return -EINVAL;
    }
}

int32_t sys_personality(uint32_t persona)
{
    static uint32_t now;
    uint32_t old = now;
    if (persona != UINT32_MAX)
        now = persona;
    return (int32_t)old;
}

/* ---- randomness ---- */

int32_t sys_getrandom(uint32_t out, uint32_t n, uint32_t flags)
{
    uint8_t bytes[256];
    if (flags & ~7u)
        return -EINVAL;
    n = n < INT32_MAX ? n : INT32_MAX;
    for (uint32_t done = 0; done < n;) {
        uint32_t part = n - done < sizeof bytes ? n - done : sizeof bytes;
        random_bytes(bytes, part);
        if (copy_to_user(out + done, bytes, part))
            return done ? (int32_t)done : -EFAULT;
        done += part;
    }
    return (int32_t)n;
}
