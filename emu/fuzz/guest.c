/* SPDX-License-Identifier: MIT */
/*
 * Boot, snapshot, run. Faults are caught only to know where the last one was:
 * under an operating system of its own the guest's program dies by a signal,
 * and the VM ends with nothing but a status.
 */
#include "emu/fuzz/guest.h"

#include "denali/record/rewind.h"
#include "emu/base/host_thread.h"
#include "emu/cpu/debug.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A guest that is idle and has a timer gets its time, so often and so much of it in one run: what
 * it does beyond that is not an answer to the input but patience. */
#define MAX_SLEEPS 1000u
#define MAX_SLEPT_NS 200000000u
#define BOOT_SLEEPS 1000000u

struct fuzz_guest {
    struct fuzz_guest_config config;
    struct vm_resource *resource;
    struct snapshot *snapshot;
    struct rewind *rewind;
    struct vm *vm; /* the one that boots, then rewind's */
    uint64_t start_icount;
    uint32_t return_to, return_esp;
    bool stopped;
};

static int plug(struct fuzz_guest *g, struct why *why)
{
    const struct fuzz_guest_config *c = &g->config;
    unsigned count = c->vm.resources;
    g->resource = calloc(count + 1u, sizeof(*g->resource));
    if (!g->resource)
        return why_fail(why, -ENOMEM, "no memory");
    if (count)
        memcpy(g->resource, c->vm.resource, count * sizeof(*g->resource));
    int err = c->way->ops->plug ? c->way->ops->plug(c->way, g->resource, &count, why) : 0;
    g->config.vm.resource = g->resource;
    g->config.vm.resources = count;
    g->config.vm.console = &c->way->console.base;
    g->config.vm.deterministic = true;
    return err;
}

/* To the start. */

static int ended_early(struct vm *vm, const struct fuzz_way *way, struct why *why)
{
    const struct vm_end *end = vm_end(vm);
    char tail[FUZZ_TAIL + 1];
    fuzz_console_tail(&way->console, tail);
    if (end->reason == VM_END_EXIT)
        return why_fail(
            why, -EINVAL,
            "the guest ended with status %u before it got to its start. It said: %.300s",
            end->status, tail);
    return why_fail(why, -EINVAL, "the guest died before it got to its start. It said: %.300s",
                    tail);
}

/* 1: the place to begin at is here. */
static int is_start(struct fuzz_guest *g, enum vm_slice slice)
{
    struct fuzz_way *way = g->config.way;
    if (g->config.start == FUZZ_START_ADDRESS)
        return slice == VM_BREAKPOINT;
    return way->ops->wants && way->ops->wants(way, g->vm, slice);
}

static bool has_more(struct fuzz_guest *g)
{
    struct fuzz_way *way = g->config.way;
    return way->ops->more && way->ops->more(way, g->vm);
}

static int boot_on(struct fuzz_guest *g, struct why *why)
{
    uint64_t limit = g->config.boot_limit;
    for (unsigned sleeps = 0; sleeps < BOOT_SLEEPS;) {
        uint64_t done = vm_cpu(g->vm)->icount;
        enum vm_slice slice = vm_run(g->vm, done < limit ? limit - done : 0);
        if (slice == VM_ENDED)
            return ended_early(g->vm, g->config.way, why);
        if (is_start(g, slice))
            return 0;
        if (slice == VM_BUDGET)
            return why_fail(why, -ETIMEDOUT,
                            "the guest did not get to its start in %llu instructions",
                            (unsigned long long)limit);
        if (slice == VM_IDLE && has_more(g)) {
            sleeps++;
            continue;
        }
        uint64_t wait = slice == VM_IDLE ? vm_wait_ns(g->vm) : 0;
        if (slice == VM_BLOCKED || wait == HOST_FOREVER)
            return why_fail(why, -EINVAL, "the guest waits for %s before it got to its start",
                            slice == VM_BLOCKED ? "console input" : "something that never comes");
        if (wait)
            vm_slept(g->vm, wait);
        sleeps += wait != 0;
    }
    return why_fail(why, -ETIMEDOUT, "the guest sleeps on and on before it got to its start");
}

static int boot(struct fuzz_guest *g, struct why *why)
{
    struct fuzz_way *way = g->config.way;
    struct cpu *cpu = vm_cpu(g->vm);
    bool at_address = g->config.start == FUZZ_START_ADDRESS;
    int more = 1;
    if (at_address && (cpu_debug_open(cpu) || cpu_debug_break(cpu, g->config.start_at)))
        return why_fail(why, -ENOMEM, "no memory");
    while (more == 1) {
        int err = g->config.start == FUZZ_START_BOOT ? 0 : boot_on(g, why);
        if (err)
            return err;
        more = way->ops->settle(way, g->vm, why);
    }
    if (!more && g->config.end_at_return &&
        ram_read(vm_ram(g->vm), cpu->gpr[ISA_ESP], &g->return_to, 4))
        return why_fail(why, -EFAULT, "at the start there is no return address on the stack");
    g->return_esp = cpu->gpr[ISA_ESP];
    g->start_icount = cpu->icount;
    return more;
}

static int take_snapshot(struct fuzz_guest *g, struct why *why)
{
    int err = vm_create(&g->config.vm, &g->vm, why);
    if (!err)
        err = boot(g, why);
    if (!err)
        err = snapshot_take(g->vm, &g->snapshot, why);
    vm_destroy(g->vm);
    g->vm = NULL;
    return err;
}

static int set_ends(struct fuzz_guest *g)
{
    struct cpu *cpu = vm_cpu(g->vm);
    int err = g->config.ends || g->return_to ? cpu_debug_open(cpu) : 0;
    for (unsigned i = 0; !err && i < g->config.ends; i++)
        err = cpu_debug_break(cpu, g->config.end[i]);
    if (!err && g->return_to)
        err = cpu_debug_break(cpu, g->return_to);
    return err;
}

static int make(struct fuzz_guest *g, struct why *why)
{
    int err = plug(g, why);
    if (!err)
        err = take_snapshot(g, why);
    struct vm_config config = g->config.vm;
    config.snapshot = g->snapshot;
    if (!err)
        err = rewind_create(&config, &g->rewind, why);
    if (err)
        return err;
    g->vm = rewind_vm(g->rewind);
    vm_catch(g->vm, VM_EVENT_FAULT);
    return set_ends(g) ? why_fail(why, -ENOMEM, "no memory") : 0;
}

int fuzz_guest_create(const struct fuzz_guest_config *config, struct fuzz_guest **out,
                      struct why *why)
{
    struct fuzz_guest *g = calloc(1, sizeof(*g));
    if (!g)
        return why_fail(why, -ENOMEM, "no memory");
    g->config = *config;
    int err = make(g, why);
    if (err) {
        fuzz_guest_destroy(g);
        return err;
    }
    *out = g;
    return 0;
}

void fuzz_guest_destroy(struct fuzz_guest *g)
{
    if (!g)
        return;
    rewind_destroy(g->rewind);
    snapshot_close(g->snapshot);
    free(g->resource);
    free(g);
}

struct vm *fuzz_guest_vm(struct fuzz_guest *g)
{
    return g->vm;
}

int fuzz_guest_rewind(struct fuzz_guest *g, uint32_t *pages)
{
    int err = rewind_go(g->rewind);
    *pages = rewind_pages(g->rewind);
    return err;
}

void fuzz_guest_stop(struct fuzz_guest *g)
{
    __atomic_store_n(&g->stopped, true, __ATOMIC_SEQ_CST);
    vm_stop(g->vm);
}

/* A run. */

/* Ilwaco's last line about a program that a signal ended; 0: it did not say so. */
static uint32_t signal_told(const struct fuzz_way *way)
{
    static const char line[] = "ilwaco: the program was ended by signal ";
    char tail[FUZZ_TAIL + 1];
    fuzz_console_tail(&way->console, tail);
    const char *last = NULL;
    for (const char *at = tail; (at = strstr(at, line)); at++)
        last = at;
    return last ? (uint32_t)strtoul(last + sizeof(line) - 1, NULL, 10) : 0;
}

/* A signal is told as a status from 128 on, as shells do. */
static enum fuzz_end judge_status(const struct fuzz_guest *g, struct fuzz_result *out)
{
    const struct fuzz_guest_config *c = &g->config;
    uint32_t number = out->status == FUZZ_SIGNAL_STATUS ? signal_told(c->way) : 0;
    bool crash = number != 0;
    out->status = number ? 128 + number : out->status;
    for (unsigned i = 0; i < c->crash_statuses; i++)
        crash |= c->crash_status[i] == out->status;
    return crash ? FUZZ_CRASH : FUZZ_DONE;
}

static void note_fault(const struct fuzz_guest *g, const struct cpu_fault *fault,
                       struct fuzz_result *out)
{
    const struct cpu *cpu = vm_cpu(g->vm);
    out->faulted = true;
    out->vector = fault->vector;
    out->eip = cpu->eip;
    out->target = cpu->eip;
    out->wild = fault->vector == CPU_PF && fault->address == cpu->eip &&
                !ram_read(vm_ram(g->vm), cpu->gpr[ISA_ESP], &out->eip, 4);
}

static enum fuzz_end judge(const struct fuzz_guest *g, struct fuzz_result *out)
{
    const struct vm_end *end = vm_end(g->vm);
    out->ended = true;
    switch (end->reason) {
    case VM_END_EXIT:
        out->status = end->status;
        return judge_status(g, out);
    case VM_END_FAULT:
        note_fault(g, &end->fault, out);
        return FUZZ_CRASH;
    default:
        return FUZZ_FAILED;
    }
}

/* The frame of the call that the run began with is gone, or this is another one's return. */
static bool is_over(const struct fuzz_guest *g)
{
    const struct cpu *cpu = vm_cpu(g->vm);
    return !g->return_to || cpu->eip != g->return_to || cpu->gpr[ISA_ESP] > g->return_esp;
}

#define GO_ON FUZZ_FAILED + 1

struct patience {
    unsigned sleeps;
    uint64_t ns;
};

static int on_idle(struct fuzz_guest *g, struct patience *left)
{
    if (!left->sleeps--)
        return FUZZ_DONE;
    if (has_more(g))
        return GO_ON;
    uint64_t wait = vm_wait_ns(g->vm);
    if (wait > left->ns)
        return FUZZ_DONE;
    left->ns -= wait;
    vm_slept(g->vm, wait);
    return GO_ON;
}

static int after_slice(struct fuzz_guest *g, enum vm_slice slice, struct patience *left,
                       struct fuzz_result *out)
{
    switch (slice) {
    case VM_ENDED:
        return judge(g, out);
    case VM_CAUGHT:
        note_fault(g, &vm_cpu(g->vm)->fault, out);
        return GO_ON;
    case VM_BUDGET:
        return FUZZ_HANG;
    case VM_STOPPED:
        return __atomic_load_n(&g->stopped, __ATOMIC_SEQ_CST) ? FUZZ_STOPPED : GO_ON;
    case VM_BREAKPOINT:
        if (is_over(g))
            return FUZZ_DONE;
        cpu_debug_pass(vm_cpu(g->vm));
        return GO_ON;
    case VM_IDLE:
        return on_idle(g, left);
    default:
        return FUZZ_DONE; /* waits for its console, which has nothing more */
    }
}

void fuzz_guest_run(struct fuzz_guest *g, const uint8_t *input, size_t len, struct fuzz_result *out)
{
    struct fuzz_way *way = g->config.way;
    struct patience patience = {MAX_SLEEPS, MAX_SLEPT_NS};
    int end = GO_ON;
    *out = (struct fuzz_result){.end = FUZZ_FAILED};
    if (rewind_go(g->rewind) || way->ops->put(way, g->vm, input, len))
        return;
    __atomic_store_n(&g->stopped, false, __ATOMIC_SEQ_CST);
    while (end == GO_ON) {
        out->insns = vm_cpu(g->vm)->icount - g->start_icount;
        uint64_t left = out->insns < g->config.limit ? g->config.limit - out->insns : 0;
        end = left ? after_slice(g, vm_run(g->vm, left), &patience, out) : FUZZ_HANG;
    }
    out->insns = vm_cpu(g->vm)->icount - g->start_icount;
    out->end = (enum fuzz_end)end;
}

bool fuzz_same_crash(const struct fuzz_result *a, const struct fuzz_result *b)
{
    return a->end == FUZZ_CRASH && b->end == FUZZ_CRASH && a->ended == b->ended &&
           a->status == b->status && a->faulted == b->faulted && a->vector == b->vector &&
           a->wild == b->wild && a->eip == b->eip;
}
