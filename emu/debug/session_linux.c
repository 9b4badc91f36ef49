/* SPDX-License-Identifier: MIT */
/* What gdb asks of a Linux program, by the names and types of Ilwaco under it. */
#include "emu/debug/monitor.h"
#include "emu/debug/session_run.h"

/* Evaluated as if inside `function`, whose file's statics count. */
static bool kernel_number(struct session *s, struct target *target, const char *function,
                          const char *expression, uint32_t *out)
{
    struct session_vm *vm = session_vm(s, target);
    struct symbols_symbol symbol;
    struct expr_context context = {.source = {target, vm ? vm->symbols : NULL}};
    int64_t n;
    if (!vm || !vm->symbols || !symbols_find(vm->symbols, function, 0, &symbol))
        return false;
    context.frame.eip = context.frame.where = symbol.address;
    if (expr_number(&context, expression, NULL, &n, NULL))
        return false;
    *out = (uint32_t)n;
    return true;
}

bool monitor_gdb_linux(void *opaque, struct target *target, enum gdb_linux_word what, uint32_t *out)
{
    struct session *s = opaque;
    static const char *const names[] = {
        [GDB_SYSCALL_ENTRY] = "trap_entry", [GDB_KERNEL_START] = "boot_place",
        [GDB_KERNEL_END] = "kernel_end",    [GDB_PROGRAM_START] = "trap_resume_frame",
        [GDB_SIGNAL_SEND] = "signal_send",  [GDB_SIGNAL_DEATH] = "process_die"};
    struct session_vm *vm = session_vm(s, target);
    struct symbols_symbol symbol;
    if (what == GDB_AUXV_START)
        return kernel_number(s, target, "exec_stack", "info.auxv_start", out);
    if (what == GDB_AUXV_END)
        return kernel_number(s, target, "exec_stack", "info.auxv_end", out);
    if (!vm || !vm->symbols || !symbols_find(vm->symbols, names[what], 0, &symbol))
        return false;
    *out = symbol.address;
    return true;
}

unsigned monitor_gdb_threads(void *opaque, struct target *target, struct target_thread *out,
                             unsigned room)
{
    return session_threads(opaque, target, out, room);
}
