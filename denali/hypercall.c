/* SPDX-License-Identifier: MIT */
/*
 * The virtual instructions that leave the guest. RESUME and TRAPRET are done by
 * the engine; they come here only so that what is pending is delivered at once.
 */
#include "denali/vm_private.h"

#include "emu/base/host.h"

#include <stdlib.h>
#include <string.h>

/* A guest that gives every other page its own rights costs the host a mapping each. */
#define MAX_PROTECT_EDGES 4096u
#define DISCARD_PIECE (1u << 20)

static uint32_t reg(const struct vm *vm, enum isa_reg r)
{
    return vm->cpu->gpr[r];
}

static void result(struct vm *vm, int32_t value)
{
    vm->cpu->gpr[ISA_EAX] = (uint32_t)value;
}

static void do_idle(struct vm *vm)
{
    uint64_t ns = (uint64_t)reg(vm, ISA_EDX) << 32 | reg(vm, ISA_EAX);
    uint64_t now = clock_now_ns(vm->clock);
    vm->idle = true;
    vm->idle_until_ns = ns > CLOCK_NEVER - now ? CLOCK_NEVER : now + ns;
    vm->counters.idles++;
}

static void do_terminate(struct vm *vm)
{
    vm->end.status = reg(vm, ISA_EAX);
    vm_end_with(vm, VM_END_EXIT);
}

static void read_name(const struct vm *vm, uint32_t gpa, char name[VM_UNKNOWN_NAME])
{
    size_t i = 0;
    for (; i < VM_UNKNOWN_NAME - 1; i++) {
        const char *c = vm_in_ram(vm, gpa, i + 1) ? ram_span(vm->ram, gpa + i, 1) : NULL;
        if (!c || !*c)
            break;
        name[i] = *c > ' ' && *c <= '~' && *c != '"' && *c != '\\' ? *c : '?';
    }
    name[i] = 0;
}

static struct vm_unknown *find_unknown(struct vm *vm, uint32_t number)
{
    for (unsigned i = 0; i < vm->unknowns; i++) {
        if (vm->unknown[i].number == number)
            return &vm->unknown[i];
    }
    if (!vm->unknown)
        vm->unknown = calloc(VM_UNKNOWN_MAX, sizeof(*vm->unknown));
    if (!vm->unknown || vm->unknowns == VM_UNKNOWN_MAX)
        return NULL;
    struct vm_unknown *u = &vm->unknown[vm->unknowns++];
    u->number = number;
    read_name(vm, reg(vm, ISA_EBX), u->name);
    return u;
}

static void do_unknown(struct vm *vm)
{
    struct vm_unknown *u = find_unknown(vm, reg(vm, ISA_EAX));
    if (u)
        u->count++;
    else
        vm->counters.unknown_others++;
}

/* A range of whole pages of RAM proper, from EAX and ECX. */
static int32_t check_range(const struct vm *vm)
{
    uint32_t gpa = reg(vm, ISA_EAX), len = reg(vm, ISA_ECX);
    if ((gpa | len) & PAGE_MASK)
        return DENALI_RANGE;
    return vm_in_ram(vm, gpa, len) ? 0 : DENALI_FAULT;
}

/* Places in [gpa, gpa+len], its ends included, where the rights of neighbours differ. */
static uint32_t count_edges(const struct vm *vm, uint32_t gpa, uint32_t len)
{
    uint32_t edges = 0;
    unsigned before = ram_access(vm->ram, gpa - PAGE_SIZE);
    for (uint64_t page = gpa; page <= (uint64_t)gpa + len && page < vm->mem_bytes;
         page += PAGE_SIZE) {
        unsigned here = ram_access(vm->ram, page);
        edges += here != before;
        before = here;
    }
    return edges;
}

static int32_t protect(struct vm *vm, unsigned prot)
{
    uint32_t gpa = reg(vm, ISA_EAX), len = reg(vm, ISA_ECX);
    uint32_t before = count_edges(vm, gpa, len);
    if (vm->protect_edges + 2 > before + MAX_PROTECT_EDGES)
        return DENALI_AGAIN;
    int err = ram_set_access(vm->ram, gpa, len, prot);
    uint32_t after = count_edges(vm, gpa, len);
    vm->protect_edges = vm->protect_edges + after > before ? vm->protect_edges + after - before : 0;
    return err ? DENALI_AGAIN : 0;
}

static void do_protect(struct vm *vm)
{
    static const unsigned prot[] = {HOST_NONE, HOST_R, UINT32_MAX, HOST_R | HOST_W};
    uint32_t rights = reg(vm, ISA_EDX);
    int32_t err = check_range(vm);
    if (!err && (rights > 3 || rights == 2))
        err = DENALI_INVAL;
    result(vm, err || !reg(vm, ISA_ECX) ? err : protect(vm, prot[rights]));
}

/* The instruction is not over, and runs again with what is left of its range. */
static void put_off(struct vm *vm, uint32_t gpa, uint32_t len)
{
    struct cpu *cpu = vm->cpu;
    cpu->gpr[ISA_EAX] = gpa;
    cpu->gpr[ISA_ECX] = len;
    cpu->eip -= cpu->exit.length;
    cpu->exit.trap = 0;
}

/* In pieces, for the host takes milliseconds for a large range, and others may want the processor
 * meanwhile. A counted VM does not know when somebody wanted it. */
static void do_discard(struct vm *vm)
{
    uint32_t gpa = reg(vm, ISA_EAX), left = reg(vm, ISA_ECX);
    int32_t err = check_range(vm);
    while (!err && left) {
        uint32_t piece = left < DISCARD_PIECE ? left : DISCARD_PIECE;
        if (ram_discard(vm->ram, gpa, piece))
            err = DENALI_AGAIN;
        gpa += piece;
        left -= piece;
        if (left && vm->cpu->stop_request && !vm->counted) {
            put_off(vm, gpa, left);
            return;
        }
    }
    result(vm, err);
}

/* A counted VM's delivery is a step of its own, which comes next. */
static void deliver(struct vm *vm)
{
    if (!vm->counted)
        vm_gather(vm);
}

void vm_hypercall(struct vm *vm)
{
    static void (*const functions[])(struct vm *) = {
        [DENALI_FN_IDLE] = do_idle,       [DENALI_FN_TERMINATE] = do_terminate,
        [DENALI_FN_RESUME] = deliver,     [DENALI_FN_TRAPRET] = deliver,
        [DENALI_FN_POLL] = deliver,       [DENALI_FN_UNKNOWN] = do_unknown,
        [DENALI_FN_PROTECT] = do_protect, [DENALI_FN_DISCARD] = do_discard,
    };
    uint32_t fn = vm->cpu->exit.hypercall;
    if (fn < ARRAY_LEN(functions))
        functions[fn](vm);
    else
        vm_raise_ud(vm);
}
