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
    struct session_vm *vm = session_vm(s, target);
    struct symbols_symbol symbol;
    if (what == GDB_AUXV_START)
        return kernel_number(s, target, "exec_stack", "info.auxv_start", out);
    if (what == GDB_AUXV_END)
        return kernel_number(s, target, "exec_stack", "info.auxv_end", out);
    if (!vm || !vm->symbols || !symbols_find(vm->symbols, "trap_entry", 0, &symbol))
        return false;
    *out = symbol.address;
    return true;
}
