/* SPDX-License-Identifier: MIT */
/*
 * A Linux program's signals, as gdb is used to them: it hears of one before the
 * program does, and says whether the program is to have it.
 *
 * A fault of the program's is caught at its instruction, before the kernel
 * hears. Any other signal is caught at the entry of the kernel's function that
 * sends it; not passing it is returning from there at once. A program that dies
 * of a signal says so at the function that ends it.
 */
#include "emu/debug/gdb/gdb_private.h"

#include <errno.h>
#include <string.h>

/* Linux's numbers (i386) and gdb's, where they differ. */
static const struct {
    uint8_t guest, gdb;
} differing[] = {{7, 10},  {10, 30}, {12, 31}, {17, 20}, {18, 19}, {19, 17}, {20, 18},
                 {23, 16}, {29, 23}, {30, 32}, {31, 12}, {32, 77}, {64, 78}};

static unsigned signal_for_gdb(uint32_t number)
{
    for (size_t i = 0; i < ARRAY_LEN(differing); i++)
        if (differing[i].guest == number)
            return differing[i].gdb;
    if (number > 32 && number < 64)
        return number + 12;
    return number && number <= 32 ? number : GDB_SIGUNKNOWN;
}

/* QPassSignals:NUMBER;NUMBER...: those that gdb does not want to hear of. */
void gdb_handle_pass_signals(struct gdb *gdb, const char *packet)
{
    bool pass[GDB_SIGNALS] = {false};
    const char *at = packet + strlen("QPassSignals:");
    uint64_t number;
    while (*at) {
        if (!gdb_take_hex(&at, &number) || (*at && !gdb_take_char(&at, ';'))) {
            gdb_put_error(gdb, -EINVAL);
            return;
        }
        if (number < GDB_SIGNALS)
            pass[number] = true;
    }
    memcpy(gdb->signals.pass, pass, sizeof(pass));
    gdb_put(gdb, "OK");
}

/* What the kernel says. */

static bool kernel_word(struct gdb *gdb, struct target *target, enum gdb_linux_word what,
                        uint32_t *out)
{
    return gdb->config.linux_word &&
           gdb->config.linux_word(gdb->config.command_opaque, target, what, out);
}

bool gdb_kernel_range(struct gdb *gdb, struct target *target, uint32_t *start, uint32_t *end)
{
    return gdb_is_linux(target) && kernel_word(gdb, target, GDB_KERNEL_START, start) &&
           kernel_word(gdb, target, GDB_KERNEL_END, end);
}

bool gdb_is_in_kernel(struct gdb *gdb, struct target *target)
{
    uint32_t start, end, eip = target_eip(target);
    return gdb_kernel_range(gdb, target, &start, &end) && eip >= start && eip < end;
}

void gdb_catch(struct gdb *gdb, struct target *target)
{
    bool hears = gdb_is_linux(target) && target_cpu(target)->flat;
    bool steps = gdb->step.target == target;
    target_catch(target, TARGET_CATCHER_GDB,
                 (hears ? TARGET_CATCH_FAULT : 0u) | (steps ? TARGET_CATCH_INTERRUPT : 0u));
}

static void watch_function(struct gdb *gdb, struct target *target, enum gdb_linux_word what,
                           uint8_t type)
{
    struct gdb_point p = {.target = target, .type = type};
    if (kernel_word(gdb, target, what, &p.addr) && gdb_insert_point(gdb, &p))
        return; /* no memory: its signals are not heard of */
}

void gdb_watch_signals(struct gdb *gdb, struct target *target)
{
    if (!gdb_is_linux(target) || !target_cpu(target)->flat)
        return;
    watch_function(gdb, target, GDB_SIGNAL_SEND, GDB_POINT_SIGNAL);
    watch_function(gdb, target, GDB_SIGNAL_DEATH, GDB_POINT_DEATH);
    gdb_catch(gdb, target);
}

void gdb_ignore_signals(struct gdb *gdb, struct target *target)
{
    gdb_remove_kind(gdb, target, GDB_POINT_SIGNAL);
    gdb_remove_kind(gdb, target, GDB_POINT_DEATH);
    target_catch(target, TARGET_CATCHER_GDB, 0);
    if (gdb->signals.at == target)
        gdb->signals.at = NULL;
}

/* Stops. */

/* The n-th argument of the function at whose entry it stands, from 1. */
static bool argument(struct target *target, unsigned n, uint32_t *out)
{
    uint32_t at = target_cpu(target)->gpr[ISA_ESP] + 4 * n;
    return target->ops->read(target, TARGET_LINEAR, at, out, 4) == 0;
}

bool gdb_signal_info(struct gdb *gdb, struct target *target, uint32_t *out)
{
    return gdb_stands_at_signal(gdb, target) && argument(target, 2, out);
}

/* SIGKILL and SIGSTOP are nobody's business but the kernel's. */
static bool passes_sent(struct gdb *gdb, struct target *target)
{
    struct gdb_signals *s = &gdb->signals;
    uint32_t info, number;
    if (!argument(target, 2, &info) ||
        target->ops->read(target, TARGET_LINEAR, info, &number, sizeof(number)))
        return true;
    unsigned signal = signal_for_gdb(number);
    if (signal == GDB_SIGKILL || signal >= GDB_SIGNALS || s->pass[signal])
        return true;
    s->at = target;
    s->told = signal;
    return false;
}

static bool passes_fault(struct gdb *gdb, struct target *target)
{
    struct gdb_signals *s = &gdb->signals;
    if (gdb_is_in_kernel(gdb, target))
        return true; /* it met a bad address of the program's, and knows what to do */
    bool again = s->again == target && s->again_eip == target->stop.eip;
    s->again = NULL;
    return again || s->pass[gdb_fault_signal(&target->stop.fault)];
}

bool gdb_passes_signal(struct gdb *gdb, struct target *target)
{
    const struct target_stop *stop = &target->stop;
    struct gdb_signals *s = &gdb->signals;
    uint32_t number;
    s->told = 0;
    s->at = NULL;
    if (stop->kind == TARGET_STOP_FAULT && gdb_is_linux(target) && !stop->fatal)
        return passes_fault(gdb, target);
    if (stop->kind != TARGET_STOP_BREAKPOINT || gdb_has_point(gdb, target, 0, stop->eip) ||
        gdb_has_point(gdb, target, 1, stop->eip))
        return false;
    if (gdb_has_point(gdb, target, GDB_POINT_SIGNAL, stop->eip))
        return passes_sent(gdb, target);
    if (!gdb_has_point(gdb, target, GDB_POINT_DEATH, stop->eip))
        return false;
    s->dies = argument(target, 1, &number) ? target : NULL;
    s->death = signal_for_gdb(number);
    return true;
}

bool gdb_stands_at_signal(const struct gdb *gdb, const struct target *target)
{
    return gdb->signals.at == target && target->stop.kind == TARGET_STOP_BREAKPOINT;
}

unsigned gdb_death_signal(const struct gdb *gdb, const struct target *target)
{
    return gdb->signals.dies == target ? gdb->signals.death : 0;
}

/* Going on. */

/* The function that sends it returns at once. */
static void leave_function(struct target *target)
{
    struct cpu *cpu = target_cpu(target);
    uint32_t back;
    if (target->ops->read(target, TARGET_LINEAR, cpu->gpr[ISA_ESP], &back, sizeof(back)))
        return;
    cpu->eip = back;
    cpu->gpr[ISA_ESP] += 4;
}

/* The fault is not held as it was caught: registers may have been changed meanwhile, and gdb may
 * first call a function of the program's. So the instruction is tried again. */
static void leave_fault(struct target *target)
{
    if (target->ops->forget_caught && !target->stop.fatal)
        target->ops->forget_caught(target);
}

void gdb_leave_signal(struct gdb *gdb, struct target *target, bool pass)
{
    struct gdb_signals *s = &gdb->signals;
    bool stands = gdb_stands_at_signal(gdb, target);
    if (!gdb_is_linux(target))
        return;
    if (target->stop.kind == TARGET_STOP_FAULT)
        leave_fault(target);
    else if (stands && !pass)
        leave_function(target);
    s->again = pass ? target : NULL;
    s->again_eip = target_eip(target);
    if (stands)
        s->at = NULL;
}
