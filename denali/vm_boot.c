/* SPDX-License-Identifier: MIT */
/*
 * What a guest finds when it starts: the register page, its arguments and
 * environment at the end of RAM, the stack below them, and the processor at the
 * image's entry with interrupts off (ABI.md, "Start").
 */
#include "denali/vm_private.h"

#include "emu/base/host.h"

#include <errno.h>
#include <string.h>

#define MAX_STRINGS (2 * MIB)
#define MIN_STACK (16 * KIB)

#define REG(member) (regs_addr + (uint32_t)offsetof(struct denali_regs, member))
struct cpu_flat vm_flat_at(uint32_t regs_addr)
{
    return (struct cpu_flat){
        .fs_base = REG(fs_base),
        .gs_base = REG(gs_base),
        .trap_entry = REG(trap_entry),
        .trap_eip = REG(trap_eip),
        .trap_number = REG(trap_number),
        .trap_enabled = REG(trap_enabled),
        .intr_enabled = REG(intr_enabled),
        .pending = REG(pending),
        .trapret_code = DENALI_FN_TRAPRET,
        .resume_code = DENALI_FN_RESUME,
    };
}

struct strings {
    uint64_t len;
    uint32_t count;
};

static struct strings measure(const char *const *list)
{
    struct strings s = {0, 0};
    for (; list && *list && s.len <= MAX_STRINGS; list++, s.count++)
        s.len += strlen(*list) + 1;
    return s;
}

static int put_strings(struct vm *vm, uint64_t at, const char *const *list, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        size_t len = strlen(list[i]) + 1;
        int err = ram_write(vm->ram, at, list[i], len);
        if (err)
            return err;
        at += len;
    }
    return 0;
}

/* Arguments, then the environment, in whole pages at the end of RAM; the start of these pages. */
static int place_strings(struct vm *vm, const struct vm_config *config,
                         volatile struct denali_regs *regs, uint64_t *start, struct why *why)
{
    struct strings args = measure(config->args), env = measure(config->env);
    uint64_t len = args.len + env.len;
    if (len > MAX_STRINGS)
        return why_fail(why, -E2BIG, "the arguments and the environment are longer than 2 MiB");
    uint64_t room = vm->mem_bytes - image_end(vm->image);
    if (len + PAGE_SIZE + MIN_STACK > room)
        return why_fail(why, -EINVAL,
                        "%llu KiB of memory leave no room for arguments and a stack; "
                        "give more by -m",
                        (unsigned long long)(vm->mem_bytes / KIB));
    *start = (vm->mem_bytes - len) & ~(uint64_t)PAGE_MASK;
    regs->args_addr = (uint32_t)*start;
    regs->args_len = (uint32_t)args.len;
    regs->args_count = args.count;
    regs->env_addr = (uint32_t)(*start + args.len);
    regs->env_len = (uint32_t)env.len;
    regs->env_count = env.count;
    int err = put_strings(vm, *start, config->args, args.count);
    return err ? err : put_strings(vm, *start + args.len, config->env, env.count);
}

static void fill_registers(struct vm *vm, const struct vm_config *config,
                           volatile struct denali_regs *regs)
{
    unsigned columns = 0, rows = 0;
    regs->magic = DENALI_ABI_MAGIC;
    regs->version = DENALI_ABI_VERSION;
    regs->mem_bytes = vm->mem_bytes;
    regs->wall_base_ns =
        vm->deterministic || vm->scripted ? 1000000000ull * 1000000000 : host_wall_ns();
    regs->random[0] = config->seed[0];
    regs->random[1] = config->seed[1];
    if (vm->console && vm->console->ops->size(vm->console, &columns, &rows)) {
        regs->console_columns = columns;
        regs->console_rows = rows;
    }
}

int vm_boot(struct vm *vm, const struct vm_config *config, struct why *why)
{
    volatile struct denali_regs *regs = vm_regs_write(vm);
    uint64_t strings = 0;
    if (!regs)
        return why_fail(why, -ENOMEM, "no memory for the register page");
    fill_registers(vm, config, regs);
    int err = place_strings(vm, config, regs, &strings, why);
    if (err)
        return err;
    vm->cpu->eip = image_entry(vm->image);
    vm->cpu->gpr[ISA_ESP] = (uint32_t)strings;
    return 0;
}
