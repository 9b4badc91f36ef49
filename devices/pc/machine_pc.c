/* SPDX-License-Identifier: MIT */
/*
 * The loop of a PC's thread: run what is due, look at descriptors, let the
 * processor run until the next event, sleep while it waits for an interrupt.
 *
 * Invariant: while the processor runs, the alarm (or, deterministic, its budget)
 * ends the run at the next event; who arms an earlier one stops the processor.
 */
#include "devices/pc/machine_pc_private.h"

#include "devices/pc/kernel.h"

#include "emu/base/host.h"
#include "emu/base/host_thread.h"
#include "emu/cpu/interp/interp_pc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FDS 16u
#define IF 0x200u

static void stop_cpu(void *opaque)
{
    struct pc *pc = opaque;
    engine_stop(pc->cpu);
}

/* A device asks for attention; outside the engine the loop looks anyhow. */
static void kick(void *opaque)
{
    struct pc *pc = opaque;
    if (pc->running)
        engine_stop(pc->cpu);
}

/* Deterministic time: a nanosecond for each instruction. */
static void count_time(void *opaque)
{
    struct pc *pc = opaque;
    clock_advance_ns(pc->clock, pc->cpu->icount - pc->counted);
    pc->counted = pc->cpu->icount;
}

static uint64_t counted_tsc(void *opaque)
{
    struct pc *pc = opaque;
    count_time(pc);
    return clock_now_ns(pc->clock);
}

static void count_instructions(struct pc *pc)
{
    pc->cpu->virtual_tsc = 1;
    pc->cpu->read_tsc = counted_tsc;
    pc->cpu->read_tsc_opaque = pc;
    bus_before_access(pc->bus, count_time, pc);
}

static void apic_base_written(void *opaque, uint64_t value)
{
    struct pc *pc = opaque;
    if (pc->lapic)
        lapic_set_base(pc->lapic, value);
}

/* FERR of a processor without CR0.NE leads to interrupt 13. */
static void fpu_error(void *opaque, bool raised)
{
    struct pc *pc = opaque;
    struct irq_line line = pc_isa_line(pc, 13);
    irq_set(&line, raised);
}

static int make_core(struct pc *pc, struct why *why)
{
    int err = ram_create(pc->c.ram_bytes, &pc->ram);
    if (!err)
        err = clock_create(pc->c.deterministic, &pc->clock);
    if (!err)
        err = bus_create(pc->ram, &pc->bus);
    if (err)
        return why_fail(why, err, "no memory for a PC of %llu MiB",
                        (unsigned long long)(pc->c.ram_bytes >> 20));
    board_init(&pc->board, pc->bus, pc->clock);
    pc->board.kick = kick;
    pc->board.kick_opaque = pc;
    /* A fixed day where a run is to be repeatable: 2026-01-01. */
    pc->board.wall_base_ns = pc->c.deterministic ? UINT64_C(1767225600000000000) : host_wall_ns();
    return 0;
}

static int make_cpu(struct pc *pc, struct why *why)
{
    struct cpu_config config = {
        .model = pc->c.cpu, .bus = pc->bus, .pin = &pc->pin, .hooks = &pc->hooks};
    pc->hooks =
        (struct cpu_hooks){.opaque = pc, .fpu_error = fpu_error, .apic_base = apic_base_written};
    int err = cpu_init_pc(&config, &pc->cpu);
    if (err == -EINVAL)
        return why_fail(why, err, "--cpu %s: there are 286, 386, 486, pentium, pentium3 and max",
                        pc->c.cpu);
    if (!err)
        err = pc->c.engine->ops->attach(pc->c.engine, pc->cpu, 0);
    pc->attached = !err;
    if (err)
        return why_fail(why, err, "the engine does not run this processor: %s", strerror(-err));
    return 0;
}

static int start_kernel(struct pc *pc, struct why *why)
{
    if (!pc->c.kernel_by_firmware)
        return pc_boot_kernel(pc, why);
    return kernel_give_to_firmware(pc->c.kernel, pc->c.ram_bytes, pc->fw_cfg, why);
}

int pc_create(const struct pc_config *config, struct pc **out, struct why *why)
{
    struct pc *pc = calloc(1, sizeof(*pc));
    if (!pc)
        return why_fail(why, -ENOMEM, "no memory for a PC");
    pc->c = *config;
    int err = make_core(pc, why);
    if (!err)
        err = make_cpu(pc, why);
    if (!err)
        err = pc_make_devices(pc, why);
    if (!err && config->gate)
        pc_gate_open(pc);
    if (!err && config->deterministic)
        count_instructions(pc);
    else if (!err && pc_alarm_create(stop_cpu, pc, &pc->alarm))
        err = why_fail(why, -EAGAIN, "cannot start a thread");
    else if (!err)
        pc_time_follow_host(pc);
    if (!err && config->kernel)
        err = start_kernel(pc, why);
    if (err) {
        pc_destroy(pc);
        return err;
    }
    *out = pc;
    return 0;
}

void pc_destroy(struct pc *pc)
{
    if (!pc)
        return;
    pc_alarm_destroy(pc->alarm);
    board_destroy_devices(&pc->board);
    if (pc->attached)
        pc->c.engine->ops->detach(pc->c.engine, pc->cpu);
    if (pc->cpu)
        cpu_fini_pc(pc->cpu);
    bus_destroy(pc->bus);
    clock_destroy(pc->clock);
    ram_destroy(pc->ram);
    free(pc);
}

/* What devices want to be polled now. */
struct fd_list {
    struct pollfd fd[MAX_FDS];
    struct board_device *dev[MAX_FDS];
    unsigned count;
};

static void collect(struct pc *pc, struct fd_list *list)
{
    list->count = 0;
    for (struct board_device *dev = pc->board.first; dev; dev = dev->next) {
        for (unsigned which = 0; dev->ops->poll_fd && which < 2; which++) {
            short events = 0;
            int fd = dev->ops->poll_fd(dev, which, &events);
            if (fd < 0 || list->count == MAX_FDS)
                continue;
            list->fd[list->count] = (struct pollfd){.fd = fd, .events = events};
            list->dev[list->count++] = dev;
        }
    }
}

/* A machine that is recorded sleeps as long as its guest. */
static void advance_slept(struct pc *pc, uint64_t wait_ns, uint64_t slept_ns)
{
    clock_advance_ns(pc->clock, slept_ns < wait_ns ? slept_ns : wait_ns);
}

static void poll_devices(struct pc *pc, uint64_t wait_ns)
{
    struct fd_list list;
    if (pc_gate_replays(pc)) {
        pc_gate_play_devices(pc);
        return;
    }
    collect(pc, &list);
    uint64_t began = host_monotonic_ns();
    int ready = host_poll(list.fd, list.count, wait_ns);
    if (pc->c.gate)
        advance_slept(pc, wait_ns, host_monotonic_ns() - began);
    if (ready <= 0)
        return;
    for (unsigned i = 0; i < list.count; i++) {
        if (list.fd[i].revents)
            pc_gate_ready(pc, list.dev[i]);
    }
}

static bool can_run(const struct pc *pc)
{
    const struct cpu *cpu = pc->cpu;
    return !cpu->pc.halted || pc->pin.nmi || (pc->pin.intr && (cpu->eflags & IF));
}

bool pc_is_dead(const struct pc *pc)
{
    return pc->cpu->pc.halted && !(pc->cpu->eflags & IF) && !pc->pin.nmi;
}

/* Asleep until the next event, a descriptor, or the limit. */
static void sleep_until(struct pc *pc, uint64_t end_ns)
{
    uint64_t now = clock_now_ns(pc->clock), wait = end_ns > now ? end_ns - now : 0;
    if (!pc->c.deterministic) {
        poll_devices(pc, wait - clock_repay(pc->clock, wait));
        return;
    }
    if (pc->c.gate && !pc_gate_replays(pc)) {
        poll_devices(pc, wait);
        return;
    }
    if (pc->c.gate) {
        uint64_t wake_ns = pc_gate_wake_ns(pc, now + wait);
        wait = wake_ns > now ? wake_ns - now : 0;
        clock_advance_ns(pc->clock, wait);
        poll_devices(pc, 0);
        return;
    }
    poll_devices(pc, 0);
    clock_advance_ns(pc->clock, wait);
}

static void event_comes(void *opaque, const struct event *event)
{
    struct pc *pc = opaque;
    pc->onlooker.event(pc->onlooker.opaque, event);
}

void pc_set_onlooker(struct pc *pc, const struct pc_onlooker *onlooker)
{
    pc->onlooker = onlooker ? *onlooker : (struct pc_onlooker){0};
    pc->hooks.event = pc->onlooker.event ? event_comes : NULL;
    bus_on_port(pc->bus, pc->onlooker.port, pc->onlooker.opaque);
}

static enum engine_exit run_engine(struct pc *pc, uint64_t budget)
{
    enum engine_exit exit = ENGINE_EXIT_BUDGET;
    if (!pc->onlooker.step)
        return engine_run(pc->cpu, budget);
    for (; budget && exit == ENGINE_EXIT_BUDGET; budget--) {
        if (!interp_pc_event_is_due(pc->cpu))
            pc->onlooker.step(pc->onlooker.opaque);
        exit = engine_run(pc->cpu, 1);
    }
    return exit;
}

static enum engine_exit run_cpu(struct pc *pc, uint64_t end_ns, uint64_t budget)
{
    uint64_t now = clock_now_ns(pc->clock), wait = end_ns > now ? end_ns - now : 1;
    pc->running = true;
    if (pc->alarm) {
        pc_time_begin(pc);
        pc_alarm_set(pc->alarm, wait);
    }
    if (!pc->alarm && wait < budget)
        budget = wait;
    if (pc_gate_replays(pc))
        budget = pc_gate_budget(pc, budget);
    enum engine_exit exit = run_engine(pc, budget);
    pc->running = false;
    if (pc->c.deterministic)
        count_time(pc);
    return exit;
}

static enum pc_state state_of(enum engine_exit exit)
{
    switch (exit) {
    case ENGINE_EXIT_SHUTDOWN:
        return PC_SHUTDOWN;
    case ENGINE_EXIT_DIVERGED:
        return PC_DIVERGED;
    case ENGINE_EXIT_REJECTED:
        return PC_REJECTED;
    case ENGINE_EXIT_BREAKPOINT:
        return PC_BREAKPOINT;
    case ENGINE_EXIT_WATCHPOINT:
        return PC_WATCHPOINT;
    default:
        return PC_RUNNING;
    }
}

static void reset_all(struct pc *pc)
{
    board_reset(&pc->board);
    cpu_reset(pc->cpu);
}

/* Without firmware the kernel starts again as it did first. */
static enum pc_state do_reset(struct pc *pc)
{
    struct why why;
    reset_all(pc);
    if (pc->c.kernel && !pc->c.kernel_by_firmware && pc_boot_kernel(pc, &why))
        return PC_SHUTDOWN;
    return PC_RESET;
}

static enum pc_state take_request(struct pc *pc)
{
    enum board_request request = pc->board.request;
    pc->board.request = BOARD_NONE;
    switch (request) {
    case BOARD_RESET:
        return do_reset(pc);
    case BOARD_POWER_OFF:
        return PC_OFF;
    case BOARD_EXIT:
        return PC_EXIT;
    default:
        return PC_RUNNING;
    }
}

/* The BIOS's way back from protected mode on processors that had none: a triple fault with a
 * reason in CMOS byte 0Fh is a reset. */
static enum pc_state after_shutdown(struct pc *pc)
{
    uint8_t cmos[RTC_BYTES];
    if (!pc->rtc)
        return PC_SHUTDOWN;
    rtc_dump(pc->rtc, cmos);
    return cmos[0x0f] ? do_reset(pc) : PC_SHUTDOWN;
}

static enum pc_state step(struct pc *pc, uint64_t end_ns, uint64_t budget)
{
    enum pc_state state = pc_gate_replays(pc) ? pc_gate_play_person(pc) : PC_RUNNING;
    if (state != PC_RUNNING)
        return state;
    uint64_t next = clock_run_due(pc->clock);
    if (next < end_ns)
        end_ns = next;
    if (can_run(pc)) {
        poll_devices(pc, 0);
        state = state_of(run_cpu(pc, end_ns, budget));
    } else {
        sleep_until(pc, end_ns);
    }
    if (state == PC_SHUTDOWN)
        return after_shutdown(pc);
    return state == PC_RUNNING ? take_request(pc) : state;
}

enum pc_state pc_run_for(struct pc *pc, uint64_t max_ns)
{
    uint64_t end_ns = clock_now_ns(pc->clock) + max_ns;
    enum pc_state state;
    do
        state = step(pc, end_ns, ENGINE_UNLIMITED);
    while (state == PC_RUNNING && clock_now_ns(pc->clock) < end_ns);
    return state;
}

#define MOMENT_NS 10000000u

enum pc_state pc_run_count(struct pc *pc, uint64_t instructions)
{
    return step(pc, clock_now_ns(pc->clock) + MOMENT_NS, instructions);
}

uint32_t pc_exit_status(const struct pc *pc)
{
    return pc->board.exit_status;
}

uint64_t pc_now_ns(const struct pc *pc)
{
    return clock_now_ns(pc->clock);
}

uint32_t pc_post_code(const struct pc *pc)
{
    return pc->debug_ports ? debug_ports_post(pc->debug_ports) : 0;
}

const struct pc_config *pc_config_of(const struct pc *pc)
{
    return &pc->c;
}

struct cpu *pc_processor(const struct pc *pc)
{
    return pc->cpu;
}

struct board *pc_board(struct pc *pc)
{
    return &pc->board;
}

struct bus *pc_bus(const struct pc *pc)
{
    return pc->bus;
}

struct vga *pc_vga(const struct pc *pc)
{
    return pc->vga;
}

struct i8042 *pc_i8042(const struct pc *pc)
{
    return pc->i8042;
}

void pc_cmos(const struct pc *pc, uint8_t out[256])
{
    memset(out, 0, 256);
    if (pc->rtc)
        rtc_dump(pc->rtc, out);
}

void pc_press_power(struct pc *pc)
{
    if (pc->pm)
        pm_press_power(pc->pm);
}

void pc_reset(struct pc *pc)
{
    board_ask(&pc->board, BOARD_RESET, 0);
}
