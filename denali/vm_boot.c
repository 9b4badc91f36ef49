/* SPDX-License-Identifier: MIT */
/*
 * What a guest finds when it starts: the register page, its arguments and
 * environment at the end of RAM, the stack below them, and the processor at the
 * image's entry with interrupts off (ABI.md, "Start").
 */
#include "denali/vm_private.h"

#include "emu/base/host.h"

#include <errno.h>
#include <stdlib.h>
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

/* Other arguments. */

/* What a guest finds at its start, copied: the strings and two NULL-ended lists of them. */
struct found {
    uint64_t addr, len;
    char *bytes;       /* a NUL behind them */
    const char **args; /* then the new ones */
    const char **env;
};

static void found_fini(struct found *f)
{
    free(f->bytes);
    free(f->args);
    free(f->env);
}

static size_t count_list(const char *const *list)
{
    size_t n = 0;
    while (list[n])
        n++;
    return n;
}

static int found_init(struct vm *vm, const char *const *args, struct found *f)
{
    const volatile struct denali_regs *regs = vm_regs(vm);
    uint64_t args_len = regs->args_len, env_len = regs->env_len;
    uint32_t envs = regs->env_count;
    size_t more = count_list(args);
    *f = (struct found){.addr = regs->args_addr, .len = args_len + env_len};
    if (f->len > MAX_STRINGS || envs > env_len || !regs->args_count)
        return -EINVAL;
    f->bytes = calloc(1, f->len + 1);
    f->args = calloc(more + 2, sizeof(*f->args));
    f->env = calloc((size_t)envs + 1, sizeof(*f->env));
    int err =
        f->bytes && f->args && f->env ? ram_read(vm->ram, f->addr, f->bytes, f->len) : -ENOMEM;
    if (err)
        return err;
    f->args[0] = f->bytes;
    memcpy(f->args + 1, args, more * sizeof(*args));
    const char *at = f->bytes + args_len;
    for (uint32_t n = 0; n < envs && at < f->bytes + f->len; n++, at += strlen(at) + 1)
        f->env[n] = at;
    return 0;
}

/* The old ones are wiped out: a guest counts on memory that is zero. */
static int replace_strings(struct vm *vm, const struct found *f, struct why *why)
{
    const struct vm_config config = {.args = (const char *const *)f->args,
                                     .env = (const char *const *)f->env};
    volatile struct denali_regs *regs = vm_regs_write(vm);
    uint64_t start;
    char *zeros = regs ? calloc(1, f->len + 1) : NULL;
    int err = zeros ? ram_write(vm->ram, f->addr, zeros, f->len) : -ENOMEM;
    free(zeros);
    if (err)
        return why_fail(why, err, "no memory");
    err = place_strings(vm, &config, regs, &start, why);
    if (!err)
        vm->cpu->gpr[ISA_ESP] = (uint32_t)start;
    else if (ram_write(vm->ram, f->addr, f->bytes, f->len))
        err = why_fail(why, -EIO, "the old arguments cannot be put back");
    return err;
}

int vm_set_args(struct vm *vm, const char *const *args, struct why *why)
{
    struct found found = {.bytes = NULL};
    if (vm->cpu->icount)
        return why_fail(why, -EBUSY, "arguments are given before the first instruction");
    int err = found_init(vm, args, &found);
    if (err)
        why_fail(why, err, "the guest's arguments cannot be changed: %s", strerror(-err));
    else
        err = replace_strings(vm, &found, why);
    found_fini(&found);
    return err;
}
