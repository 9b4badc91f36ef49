/* SPDX-License-Identifier: MIT */
/*
 * What a Linux program's signal brings along ($_siginfo): of one that the
 * kernel sends, its own siginfo, which is Linux's; of a fault, which gdb hears
 * of before the kernel does, what the kernel is going to say.
 */
#include "emu/debug/gdb/gdb_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SIGINFO_WORDS 32u /* signo, errno, code, then what depends on it */

enum {
    LINUX_SIGBUS = 7,
    LINUX_ILL_ILLOPN = 2,
    LINUX_FPE_INTDIV = 1,
    LINUX_SEGV_MAPERR = 1,
    LINUX_SEGV_ACCERR = 2,
    LINUX_TRAP_BRKPT = 1,
    LINUX_SI_KERNEL = 128,
};

/* Whether a range of /proc/PID/maps holds the address. */
static bool is_in_maps(const char *maps, uint32_t address)
{
    for (const char *line = maps; line && *line; line = strchr(line, '\n')) {
        char *end;
        line += *line == '\n';
        unsigned long from = strtoul(line, &end, 16);
        unsigned long to = *end == '-' ? strtoul(end + 1, NULL, 16) : 0;
        if (address >= from && address < to)
            return true;
    }
    return false;
}

static bool is_mapped(struct gdb *gdb, struct target *target, uint32_t address)
{
    char *maps = NULL;
    size_t len;
    FILE *out = gdb->config.proc ? open_memstream(&maps, &len) : NULL;
    if (!out)
        return false;
    bool known = gdb->config.proc(gdb->config.command_opaque, target, "maps", out);
    known &= fclose(out) == 0;
    bool mapped = known && is_in_maps(maps, address);
    free(maps);
    return mapped;
}

static void tell_fault(struct gdb *gdb, struct target *target, uint32_t info[SIGINFO_WORDS])
{
    const struct cpu_fault *fault = &target->stop.fault;
    uint32_t eip = target->stop.eip;
    unsigned signal = gdb_fault_signal(fault);
    info[0] = signal == GDB_SIGBUS ? LINUX_SIGBUS : signal;
    info[2] = LINUX_SI_KERNEL;
    if (signal == GDB_SIGILL || signal == GDB_SIGFPE) {
        info[2] = signal == GDB_SIGILL ? LINUX_ILL_ILLOPN : LINUX_FPE_INTDIV;
        info[3] = eip;
    } else if (fault->vector == CPU_PF) {
        bool mapped = is_mapped(gdb, target, fault->address);
        info[2] = mapped ? LINUX_SEGV_ACCERR : LINUX_SEGV_MAPERR;
        info[3] = fault->address;
    }
}

static bool tell(struct gdb *gdb, struct target *target, uint32_t info[SIGINFO_WORDS])
{
    uint32_t at;
    memset(info, 0, SIGINFO_WORDS * sizeof(*info));
    if (!gdb_is_linux(target))
        return false;
    if (gdb_stands_at_signal(gdb, target))
        return gdb_signal_info(gdb, target, &at) &&
               !target->ops->read(target, TARGET_LINEAR, at, info, SIGINFO_WORDS * sizeof(*info));
    if (target->stop.kind == TARGET_STOP_FAULT) {
        tell_fault(gdb, target, info);
        return true;
    }
    info[0] = target->stop.kind == TARGET_STOP_ASKED ? GDB_SIGINT : GDB_SIGTRAP;
    info[2] = target->stop.kind == TARGET_STOP_ASKED ? LINUX_SI_KERNEL : LINUX_TRAP_BRKPT;
    return true;
}

void gdb_handle_siginfo(struct gdb *gdb, uint64_t offset, uint64_t length)
{
    uint32_t info[SIGINFO_WORDS];
    if (tell(gdb, gdb->general.target, info))
        gdb_put_piece(gdb, info, sizeof(info), offset, length);
    else
        gdb_put_error(gdb, -ENOTSUP);
}
