/* SPDX-License-Identifier: MIT */
/*
 * The guest reads time without a trap: now = time_ns + ((rdtsc - time_tsc) *
 * tsc_mul >> 32). The base is moved often enough for the product to fit 64 bits
 * and for the factor, measured against the host's clock over an ever longer
 * span, to stay right.
 *
 * Invariant: what the guest computes never goes back. Where the factor was too
 * fast, the new base is what the guest computed, and a slower factor makes up
 * for it over the next second.
 *
 * Counted VMs, and hosts without a steady TSC, have a virtual TSC of two
 * ticks a nanosecond. Counted time is a function of the instructions done since
 * an anchor, so it does not matter where the VM stopped in between.
 */
#include "denali/vm_private.h"

#include "emu/base/host.h"
#include "emu/base/host_thread.h"

#define VIRTUAL_HZ 2000000000u
#define VIRTUAL_MUL 0x80000000u
#define SECOND_NS 1000000000u
#define REFRESH_NS (SECOND_NS / 8)
/* A first factor from a span this long is right to about 300 in a million. */
#define MIN_SPAN_NS 100000u

struct sample {
    uint64_t ns, tsc;
};

/* Both clocks at one moment: the closest pair of three, to about 20 ns. */
static struct sample take_sample(const struct vm *vm)
{
    struct sample best = {0, 0};
    uint64_t width = UINT64_MAX;
    for (int i = 0; i < 3; i++) {
        uint64_t before = host_tsc();
        uint64_t ns = clock_now_ns(vm->clock);
        uint64_t after = host_tsc();
        if (after - before < width) {
            width = after - before;
            best = (struct sample){ns, before + width / 2};
        }
    }
    return best;
}

static uint64_t scale(uint64_t ticks, uint32_t mul)
{
    return (uint64_t)(((unsigned __int128)ticks * mul) >> 32);
}

static uint32_t factor(uint64_t ns, uint64_t ticks)
{
    uint64_t mul = ticks ? (uint64_t)(((unsigned __int128)ns << 32) / ticks) : 0;
    return mul > UINT32_MAX ? UINT32_MAX : (uint32_t)mul;
}

static uint64_t counted_ns(const struct vm *vm)
{
    const struct vm_time *t = &vm->time;
    uint64_t insns = vm->cpu->icount - t->anchor_icount;
    return t->anchor_ns + (uint64_t)((unsigned __int128)insns * t->rate / TIME_RATE_ONE);
}

void vm_time_count(struct vm *vm)
{
    uint64_t ns = counted_ns(vm), now = clock_now_ns(vm->clock);
    if (ns > now)
        clock_advance_ns(vm->clock, ns - now);
}

void vm_time_jump(struct vm *vm, uint64_t ns, uint64_t rate)
{
    struct vm_time *t = &vm->time;
    uint64_t now = clock_now_ns(vm->clock);
    clock_advance_ns(vm->clock, ns < TIME_MAX_NS && now < TIME_MAX_NS ? ns : 0);
    t->anchor_ns = clock_now_ns(vm->clock);
    t->anchor_icount = vm->cpu->icount;
    t->rate = rate;
}

uint64_t vm_time_until(const struct vm *vm, uint64_t when_ns)
{
    const struct vm_time *t = &vm->time;
    uint64_t done = vm->cpu->icount - t->anchor_icount;
    if (when_ns == CLOCK_NEVER)
        return ENGINE_UNLIMITED;
    uint64_t ns = when_ns > t->anchor_ns ? when_ns - t->anchor_ns : 0;
    unsigned __int128 insns = ((unsigned __int128)ns * TIME_RATE_ONE + t->rate - 1) / t->rate;
    if (insns <= done)
        return 0;
    return insns - done > INT64_MAX ? ENGINE_UNLIMITED : (uint64_t)(insns - done);
}

uint64_t vm_time_refresh_at(const struct vm *vm)
{
    return vm->time.started ? vm->time.base_ns + REFRESH_NS : 0;
}

static uint64_t virtual_tsc(void *opaque)
{
    const struct vm *vm = opaque;
    return 2 * (vm->counted ? counted_ns(vm) : clock_now_ns(vm->clock));
}

static void init_virtual(struct vm *vm)
{
    vm->cpu->virtual_tsc = 1;
    vm->cpu->read_tsc = virtual_tsc;
    vm->cpu->read_tsc_opaque = vm;
    vm->time.mul = VIRTUAL_MUL;
    vm->time.refresh_tsc = VIRTUAL_HZ / 8;
}

void vm_time_init(struct vm *vm)
{
    vm->time.tsc = !vm->counted && host_tsc_steady();
    vm->time.rate = TIME_RATE_ONE;
    if (!vm->time.tsc) {
        init_virtual(vm);
        return;
    }
    struct sample first = take_sample(vm);
    vm->time.first_ns = first.ns;
    vm->time.first_tsc = first.tsc;
}

/* seq is odd while the pair changes, for guests that look at it from an interrupt. */
static void publish(struct vm *vm)
{
    volatile struct denali_regs *regs = vm_regs_write(vm);
    if (!regs)
        return;
    uint32_t seq = regs->time_seq;
    regs->time_seq = seq | 1;
    regs->tsc_mul = vm->time.mul;
    regs->time_ns = vm->time.base_ns;
    regs->time_tsc = vm->time.base_tsc;
    regs->time_seq = (seq | 1) + 1;
}

static void publish_hz(struct vm *vm)
{
    volatile struct denali_regs *regs = vm_regs_write(vm);
    if (regs && vm->time.mul)
        regs->cpu_hz = ((uint64_t)SECOND_NS << 32) / vm->time.mul;
}

static void start_tsc(struct vm *vm)
{
    struct vm_time *t = &vm->time;
    struct sample now = take_sample(vm);
    while (now.ns - t->first_ns < MIN_SPAN_NS)
        now = take_sample(vm);
    t->mul = factor(now.ns - t->first_ns, now.tsc - t->first_tsc);
    t->refresh_tsc = ((uint64_t)SECOND_NS << 32) / t->mul / 8;
    t->base_ns = now.ns;
    t->base_tsc = now.tsc;
}

/* Before the first instruction: what lies between (making the devices) is the first span. */
static void start(struct vm *vm)
{
    vm->time.started = true;
    if (vm->time.tsc)
        start_tsc(vm);
    publish(vm);
    publish_hz(vm);
    vm->boot_ns = host_monotonic_ns() - vm->created_ns;
}

static void move_tsc_base(struct vm_time *t, struct sample now)
{
    uint64_t guest_ns = t->base_ns + scale(now.tsc - t->base_tsc, t->mul);
    uint32_t right = factor(now.ns - t->first_ns, now.tsc - t->first_tsc);
    uint64_t ahead = guest_ns > now.ns ? guest_ns - now.ns : 0;
    if (ahead > SECOND_NS / 2)
        ahead = SECOND_NS / 2;
    t->mul = right - (uint32_t)(right * ahead / SECOND_NS);
    t->base_ns = guest_ns > now.ns ? guest_ns : now.ns;
    t->base_tsc = now.tsc;
}

void vm_time_refresh(struct vm *vm)
{
    struct vm_time *t = &vm->time;
    if (!t->started) {
        start(vm);
        return;
    }
    if (t->tsc) {
        if (host_tsc() - t->base_tsc < t->refresh_tsc)
            return;
        move_tsc_base(t, take_sample(vm));
    } else {
        uint64_t now = clock_now_ns(vm->clock);
        if (now - t->base_ns < REFRESH_NS)
            return;
        t->base_ns = now;
        t->base_tsc = 2 * now;
    }
    publish(vm);
}

uint64_t vm_time_guest_ns(const struct vm *vm)
{
    const struct vm_time *t = &vm->time;
    uint64_t now = clock_now_ns(vm->clock);
    uint64_t guest =
        t->started && t->tsc ? t->base_ns + scale(host_tsc() - t->base_tsc, t->mul) : 0;
    return guest > now ? guest : now;
}

/* The measured factor stays good: its first sample moves along. */
void vm_time_set(struct vm *vm, uint64_t now_ns)
{
    struct vm_time *t = &vm->time;
    uint64_t shift = now_ns - clock_now_ns(vm->clock);
    clock_set_ns(vm->clock, now_ns);
    t->first_ns += shift;
    t->base_ns = now_ns;
    t->base_tsc = t->tsc ? host_tsc() : 2 * now_ns;
    t->anchor_ns = now_ns;
    t->anchor_icount = vm->cpu->icount;
    if (!t->started)
        return;
    publish(vm);
    publish_hz(vm); /* the guest may have been saved before it was started */
}

void vm_pause(struct vm *vm, bool paused)
{
    if (paused)
        vm->time.paused_ns = vm_time_guest_ns(vm);
    else if (vm->counted)
        outside_rebase(vm);
    else
        vm_time_set(vm, vm->time.paused_ns);
}
