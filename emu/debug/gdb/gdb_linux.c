/* SPDX-License-Identifier: MIT */
/*
 * Linux programs as gdb knows them: stops at system calls, and the auxiliary
 * vector, by which it finds where a program and its libraries lie.
 *
 * INT 0x80 leads to the guest's own kernel without an exit. So the entry of the
 * kernel is a breakpoint, and so is the place behind the INT while a call is
 * under way. At the entry every register is still the program's but eip; gdb is
 * shown the one behind the INT, as Linux does, and sets that one again when it
 * has called a function. Nothing of the machine changes, so a replay may be
 * looked at in this way.
 */
#include "emu/debug/gdb/gdb_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LINUX_SYSCALL_VECTOR 0x80u

/* Which calls. */

static bool take_numbers(struct gdb_syscalls *s, const char *at)
{
    uint64_t number;
    s->numbers = 0;
    while (gdb_take_char(&at, ';')) {
        if (s->numbers == GDB_SYSCALLS || !gdb_take_hex(&at, &number) || number > UINT32_MAX)
            return false;
        s->number[s->numbers++] = (uint32_t)number;
    }
    return !*at;
}

static bool is_wanted(const struct gdb_syscalls *s, uint32_t number)
{
    for (unsigned i = 0; i < s->numbers; i++)
        if (s->number[i] == number)
            return true;
    return s->on && !s->numbers;
}

static int find_entry(struct gdb *gdb, uint32_t *out)
{
    struct target *target = gdb->general.target;
    const struct cpu *cpu = target_cpu(target);
    if (!cpu->flat || !gdb->config.linux_word)
        return -ENOTSUP;
    *out = 0;
    int err = target->ops->read(target, TARGET_PHYSICAL, cpu->flat->trap_entry, out, 4);
    if (!err && *out)
        return 0;
    bool known = gdb->config.linux_word(gdb->config.command_opaque, target, GDB_SYSCALL_ENTRY, out);
    return known ? 0 : -ENOENT;
}

/* QCatchSyscalls:0, QCatchSyscalls:1[;NUMBER]... : of the present process. What is under way is
 * told, or passed over, when it returns. */
void gdb_handle_syscalls(struct gdb *gdb, const char *packet)
{
    struct gdb_syscalls *s = &gdb->syscalls;
    struct gdb_point entry = {.target = gdb->general.target, .type = GDB_POINT_ENTRY};
    const char *at = packet + strlen("QCatchSyscalls:");
    bool on = *at == '1';
    if ((*at != '0' && *at != '1') || !take_numbers(s, at + 1)) {
        gdb_put_error(gdb, -EINVAL);
        return;
    }
    gdb_remove_kind(gdb, gdb->general.target, GDB_POINT_ENTRY);
    s->on = on;
    int err = on ? find_entry(gdb, &entry.addr) : 0;
    if (!err && on)
        err = gdb_insert_point(gdb, &entry);
    if (err)
        gdb_put_error(gdb, err);
    else
        gdb_put(gdb, "OK");
}

/* Stops. */

static bool trap_word(struct target *target, uint32_t where, uint32_t *out)
{
    return target->ops->read(target, TARGET_PHYSICAL, where, out, 4) == 0;
}

/* At the kernel's entry by another INT, or another call than those wanted: it is to go on. */
static bool at_entry(struct gdb *gdb, struct target *target)
{
    const struct cpu *cpu = target_cpu(target);
    struct gdb_syscalls *s = &gdb->syscalls;
    struct gdb_point back = {.target = target,
                             .type = GDB_POINT_RETURN,
                             .len = cpu->gpr[ISA_EAX],
                             .esp = cpu->gpr[ISA_ESP]};
    uint32_t vector;
    if (!trap_word(target, cpu->flat->trap_number, &vector) || vector != LINUX_SYSCALL_VECTOR ||
        !is_wanted(s, cpu->gpr[ISA_EAX]) || !trap_word(target, cpu->flat->trap_eip, &back.addr) ||
        gdb_insert_point(gdb, &back))
        return false;
    s->at = target;
    s->entry = cpu->eip;
    s->shown = back.addr;
    s->told = GDB_SYSCALL_CALLED;
    s->number_told = cpu->gpr[ISA_EAX];
    return true;
}

/* The return that this is, of those that go to one place. */
static const struct gdb_point *find_return(struct gdb *gdb, struct target *target, uint32_t eip)
{
    for (uint32_t i = 0; i < gdb->points; i++) {
        const struct gdb_point *p = &gdb->point[i];
        if (p->target == target && p->type == GDB_POINT_RETURN && p->addr == eip &&
            p->esp == target_cpu(target)->gpr[ISA_ESP])
            return p;
    }
    return NULL;
}

bool gdb_passes_syscall(struct gdb *gdb, struct target *target)
{
    const struct target_stop *stop = &target->stop;
    struct gdb_syscalls *s = &gdb->syscalls;
    s->told = GDB_SYSCALL_NONE;
    if (stop->kind != TARGET_STOP_BREAKPOINT || gdb_has_point(gdb, target, 0, stop->eip) ||
        gdb_has_point(gdb, target, 1, stop->eip))
        return false;
    const struct gdb_point *back = find_return(gdb, target, stop->eip);
    if (back) {
        const struct gdb_point done = *back;
        s->told = s->on ? GDB_SYSCALL_RETURNED : GDB_SYSCALL_NONE;
        s->at = NULL;
        s->number_told = done.len;
        gdb_remove_point(gdb, &done);
        return !s->on;
    }
    if (gdb_find_at(gdb, target, GDB_POINT_RETURN, stop->eip))
        return true; /* another's, or that of a function which gdb has called meanwhile */
    return gdb_find_at(gdb, target, GDB_POINT_ENTRY, stop->eip) && !at_entry(gdb, target);
}

void gdb_put_syscall(struct gdb *gdb)
{
    const struct gdb_syscalls *s = &gdb->syscalls;
    if (s->told != GDB_SYSCALL_NONE)
        gdb_put_format(gdb, "syscall_%s:%x;", s->told == GDB_SYSCALL_CALLED ? "entry" : "return",
                       s->number_told);
}

/* The program's eip while it stands at the entry. */

static bool stands_at_entry(const struct gdb *gdb, struct target *target)
{
    const struct gdb_syscalls *s = &gdb->syscalls;
    return s->at == target && target_cpu(target)->eip == s->entry;
}

bool gdb_shows_syscall(const struct gdb *gdb, struct target *target, uint32_t *eip)
{
    if (!stands_at_entry(gdb, target))
        return false;
    *eip = gdb->syscalls.shown;
    return true;
}

uint32_t gdb_meant_eip(const struct gdb *gdb, struct target *target, uint32_t eip)
{
    const struct gdb_syscalls *s = &gdb->syscalls;
    return s->at == target && eip == s->shown ? s->entry : eip;
}

/* The auxiliary vector. */

#define AUXV_ROOM 512u

/* As it lies in the program's memory: how many bytes; 0: it is not known. */
static uint32_t read_auxv(struct gdb *gdb, struct target *target, uint8_t out[AUXV_ROOM])
{
    uint32_t start, end;
    void *opaque = gdb->config.command_opaque;
    bool known = gdb->config.linux_word &&
                 gdb->config.linux_word(opaque, target, GDB_AUXV_START, &start) &&
                 gdb->config.linux_word(opaque, target, GDB_AUXV_END, &end);
    if (!known || !start || end <= start || end - start > AUXV_ROOM ||
        target->ops->read(target, TARGET_LINEAR, start, out, end - start))
        return 0;
    return end - start;
}

bool gdb_auxv_word(struct gdb *gdb, struct target *target, uint32_t type, uint32_t *out)
{
    uint8_t bytes[AUXV_ROOM];
    uint32_t len = read_auxv(gdb, target, bytes), entry[2];
    for (uint32_t at = 0; at + sizeof(entry) <= len; at += sizeof(entry)) {
        memcpy(entry, bytes + at, sizeof(entry));
        if (entry[0] == type) {
            *out = entry[1];
            return true;
        }
    }
    return false;
}

/* qXfer:auxv:read:: */
void gdb_handle_auxv(struct gdb *gdb, uint64_t offset, uint64_t length)
{
    uint8_t bytes[AUXV_ROOM];
    uint32_t len = read_auxv(gdb, gdb->general.target, bytes);
    if (len)
        gdb_put_piece(gdb, bytes, len, offset, length);
    else
        gdb_put(gdb, "E00");
}
