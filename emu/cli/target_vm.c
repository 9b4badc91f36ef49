/* SPDX-License-Identifier: MIT */
/*
 * Slices, memory and state of a VM for the debugger's loop.
 *
 * A fault that the guest has no handler for would end the VM: it is always
 * caught first, so that the person sees the machine as it was. Against lost
 * wake-ups: a poster writes to the waker whenever the VM does not run, and the
 * loop polls the waker.
 */
#include "emu/cli/target_vm_private.h"

#include "dbt/dbt.h"
#include "emu/base/host.h"
#include "emu/base/host_thread.h"
#include "emu/cli/pack/pack_root.h"
#include "emu/machine/ram.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct target_vm *of(struct target *target)
{
    return CONTAINER_OF(target, struct target_vm, target);
}

static void on_wake(void *opaque, struct vm *vm)
{
    struct target_vm *t = opaque;
    if (atomic_load(&t->running))
        vm_stop(vm);
    host_waker_wake(t->waker);
}

const struct vm_hooks target_vm_hooks = {.wake = on_wake};

static struct cpu *get_cpu(struct target *target)
{
    return vm_cpu(of(target)->vm);
}

/* Memory: the flat machine's linear and physical addresses are the same. */

static int do_read(struct target *target, enum target_space space, uint64_t addr, void *out,
                   uint64_t len)
{
    struct ram *ram = vm_ram(of(target)->vm);
    uint8_t copy[PAGE_SIZE], *to = out;
    (void)space;
    if (addr > ram_size(ram) || len > ram_size(ram) - addr)
        return -EFAULT;
    while (len) {
        uint64_t page = addr & ~(uint64_t)PAGE_MASK, at = addr - page;
        uint64_t n = len < PAGE_SIZE - at ? len : PAGE_SIZE - at;
        const uint8_t *from = ram_peek(ram, page, copy);
        if (!from)
            return -EFAULT;
        memcpy(to, from + at, n);
        addr += n;
        to += n;
        len -= n;
    }
    return 0;
}

/* A page that the guest may not write is opened for the moment. */
static int write_page(struct ram *ram, uint64_t addr, const void *in, uint64_t len)
{
    uint64_t page = addr & ~(uint64_t)PAGE_MASK;
    unsigned rights = ram_access(ram, page);
    if (rights == (HOST_R | HOST_W))
        return ram_write(ram, addr, in, len);
    int err = ram_set_access(ram, page, PAGE_SIZE, HOST_R | HOST_W);
    if (err)
        return err;
    err = ram_write(ram, addr, in, len);
    int back = ram_set_access(ram, page, PAGE_SIZE, rights);
    return err ? err : back;
}

static int do_write(struct target *target, enum target_space space, uint64_t addr, const void *in,
                    uint64_t len)
{
    struct ram *ram = vm_ram(of(target)->vm);
    const uint8_t *from = in;
    int err = 0;
    (void)space;
    if (addr > ram_size(ram) || len > ram_size(ram) - addr)
        return -EFAULT;
    while (len && !err) {
        uint64_t room = PAGE_SIZE - (addr & PAGE_MASK), n = len < room ? len : room;
        err = write_page(ram, addr, from, n);
        addr += n;
        from += n;
        len -= n;
    }
    if (of(target)->history)
        history_changed(of(target)->history);
    return err;
}

static uint64_t get_memory(struct target *target)
{
    return ram_size(vm_ram(of(target)->vm));
}

/* Running. */

static void fill_wait(struct target_vm *t, enum vm_slice slice, struct target_wait *wait)
{
    struct vm_poll poll;
    vm_poll(t->vm, &poll);
    wait->ns = slice == VM_IDLE ? vm_wait_ns(t->vm) : HOST_FOREVER;
    wait->count = poll.count + 1;
    wait->fd[0] = (struct pollfd){.fd = t->waker, .events = POLLIN};
    for (unsigned i = 0; i < poll.count; i++)
        wait->fd[i + 1] = poll.fd[i];
    if (slice == VM_IDLE && vm_has_news(t->vm))
        wait->ns = 0;
}
_Static_assert(VM_POLL_MAX + 1 <= TARGET_WAIT_FDS, "a VM's descriptors fit");

static void describe_caught(struct target_vm *t, struct target_stop *stop)
{
    const struct cpu *cpu = vm_cpu(t->vm);
    struct vm_group regs;
    switch (vm_caught(t->vm)) {
    case VM_EVENT_FAULT:
        stop->kind = TARGET_STOP_FAULT;
        stop->fault = cpu->fault;
        stop->has_fault = true;
        stop->fatal = vm_fault_is_fatal(t->vm);
        snprintf(stop->text, sizeof(stop->text), "%s%s", cpu_vector_name(cpu->fault.vector),
                 stop->fatal ? "; the guest has no handler, and ends if it goes on" : "");
        break;
    case VM_EVENT_INTERRUPT:
        stop->kind = TARGET_STOP_INTERRUPT;
        if (vm_describe(t->vm, 0, &regs)) {
            const struct denali_regs *r = regs.object;
            stop->number = r->delivered;
            stop->from_eip = r->intr_context.eip;
            stop->from_esp = r->intr_context.esp;
        }
        break;
    case VM_EVENT_HYPERCALL:
        stop->kind = TARGET_STOP_HYPERCALL;
        stop->number = cpu->exit.hypercall;
        break;
    case VM_EVENT_PORT:
        stop->kind = TARGET_STOP_PORT;
        stop->number = cpu->exit.port;
        stop->write = cpu->exit.port_write;
        break;
    }
}

static void describe_end(struct target_vm *t, struct target_stop *stop)
{
    const struct vm_end *end = vm_end(t->vm);
    stop->kind = end->reason == VM_END_EXIT ? TARGET_STOP_EXITED : TARGET_STOP_DIED;
    stop->status = (int)end->status;
    switch (end->reason) {
    case VM_END_FAULT:
        stop->fault = end->fault;
        stop->has_fault = true;
        snprintf(stop->text, sizeof(stop->text), "died of a fault: %s",
                 cpu_vector_name(end->fault.vector));
        break;
    case VM_END_KILLED:
        snprintf(stop->text, sizeof(stop->text), "killed");
        break;
    case VM_END_DIVERGED:
        snprintf(stop->text, sizeof(stop->text), "the interpreter and the translator differ");
        break;
    case VM_END_REJECTED:
        snprintf(stop->text, sizeof(stop->text), "the verifier refused a translation");
        break;
    default:
        snprintf(stop->text, sizeof(stop->text), "%.190s", end->why.text);
    }
}

/* A caught fault that nobody asked for and that the guest can take. */
bool target_vm_goes_on(struct target_vm *t, enum vm_slice slice)
{
    return slice == VM_CAUGHT && vm_caught(t->vm) == VM_EVENT_FAULT &&
           !(t->catches & TARGET_CATCH_FAULT) && !vm_fault_is_fatal(t->vm);
}

static enum vm_slice run_vm_once(struct target_vm *t, uint64_t budget)
{
    return t->history ? history_run(t->history, budget) : vm_run(t->vm, budget);
}

static enum vm_slice run_vm(struct target_vm *t, uint64_t budget)
{
    uint64_t *icount = &vm_cpu(t->vm)->icount, begin = *icount;
    enum vm_slice slice = run_vm_once(t, budget);
    while (target_vm_goes_on(t, slice)) {
        uint64_t done = *icount - begin;
        slice = run_vm_once(t, budget == ENGINE_UNLIMITED ? budget : budget - done);
    }
    return slice;
}

enum target_slice target_vm_tell(struct target_vm *t, enum vm_slice slice, struct target_stop *stop)
{
    *stop = (struct target_stop){.icount = vm_cpu(t->vm)->icount};
    switch (slice) {
    case VM_IDLE:
    case VM_BLOCKED:
        return TARGET_IDLE;
    case VM_BREAKPOINT:
        stop->kind = TARGET_STOP_BREAKPOINT;
        break;
    case VM_WATCHPOINT:
        stop->kind = TARGET_STOP_WATCHPOINT;
        stop->hit = vm_cpu(t->vm)->debug->now.hit;
        break;
    case VM_CAUGHT:
        describe_caught(t, stop);
        break;
    case VM_REPLAYED:
        stop->kind = TARGET_STOP_HISTORY;
        break;
    case VM_ENDED:
        describe_end(t, stop);
        break;
    case VM_BUDGET:
    case VM_STOPPED:
        return TARGET_RAN;
    }
    stop->eip = target_eip(&t->target);
    return slice == VM_ENDED ? TARGET_ENDED : TARGET_STOPPED;
}

static enum target_slice run_slice(struct target *target, uint64_t budget, struct target_wait *wait,
                                   struct target_stop *stop)
{
    struct target_vm *t = of(target);
    atomic_store(&t->running, true);
    enum vm_slice slice = run_vm(t, budget);
    atomic_store(&t->running, false);
    fill_wait(t, slice, wait);
    return target_vm_tell(t, slice, stop);
}

static void ready(struct target *target, const struct target_wait *wait, uint64_t slept_ns)
{
    struct target_vm *t = of(target);
    struct vm_poll poll;
    if (wait->fd[0].revents)
        host_waker_clear(t->waker);
    vm_slept(t->vm, slept_ns < wait->ns ? slept_ns : wait->ns);
    vm_poll(t->vm, &poll);
    for (unsigned i = 0; i < poll.count && i + 1 < wait->count; i++)
        poll.fd[i].revents = poll.fd[i].fd == wait->fd[i + 1].fd ? wait->fd[i + 1].revents : 0;
    vm_poll_ready(t->vm, &poll);
}

static void do_stop(struct target *target)
{
    vm_stop(of(target)->vm);
}

static void do_kill(struct target *target)
{
    vm_kill(of(target)->vm);
}

static void do_pause(struct target *target, bool paused)
{
    vm_pause(of(target)->vm, paused);
}

static void catch_events(struct target *target, unsigned catches)
{
    struct target_vm *t = of(target);
    unsigned events = VM_EVENT_FAULT;
    events |= (catches & TARGET_CATCH_INTERRUPT) ? VM_EVENT_INTERRUPT : 0;
    events |= (catches & TARGET_CATCH_HYPERCALL) ? VM_EVENT_HYPERCALL : 0;
    events |= (catches & TARGET_CATCH_PORT) ? VM_EVENT_PORT : 0;
    t->catches = catches;
    vm_catch(t->vm, events);
}

static void forget_caught(struct target *target)
{
    vm_forget_caught(of(target)->vm);
}

static int set_args(struct target *target, const char *const *args, struct why *why)
{
    int err = vm_set_args(of(target)->vm, args, why);
    if (of(target)->history)
        history_changed(of(target)->history);
    return err;
}

static int open_file(struct target *target, const char *path, uint64_t *offset, uint64_t *size)
{
    const char *root = of(target)->root;
    return root ? pack_root_open(root, path, offset, size) : -ENOENT;
}

static bool describe(struct target *target, unsigned n, struct target_state *out)
{
    struct vm_group group;
    if (!vm_describe(of(target)->vm, n, &group))
        return false;
    *out = (struct target_state){
        .list = group.list, .object = group.object, .writable = group.writable};
    snprintf(out->name, sizeof(out->name), "%s", group.name);
    return true;
}

static void counters(struct target *target, void *out)
{
    vm_print_stats(of(target)->vm, out, false);
}

static void translation(struct target *target, uint32_t eip, void *out)
{
    struct cpu *cpu = get_cpu(target);
    dbt_dump_block(cpu->engine, cpu, eip, out);
}

static const struct target_ops ops = {
    .cpu = get_cpu,
    .read = do_read,
    .write = do_write,
    .memory = get_memory,
    .run_slice = run_slice,
    .ready = ready,
    .stop = do_stop,
    .kill = do_kill,
    .pause = do_pause,
    .catch_events = catch_events,
    .forget_caught = forget_caught,
    .set_args = set_args,
    .open_file = open_file,
    .describe = describe,
    .counters = counters,
    .translation = translation,
};

int target_vm_create(const char *name, struct target_vm **out, struct why *why)
{
    struct target_vm *t = calloc(1, sizeof(*t));
    if (!t)
        return why_fail(why, -ENOMEM, "no memory");
    t->target.ops = &ops;
    t->target.name = name;
    t->waker = host_waker_create();
    if (t->waker < 0) {
        int err = t->waker;
        free(t);
        return why_fail(why, err, "no descriptors left: %s", strerror(-err));
    }
    *out = t;
    return 0;
}

void target_vm_attach(struct target_vm *t, struct vm *vm)
{
    t->vm = vm;
    catch_events(&t->target, 0);
    t->target.stop = (struct target_stop){.kind = TARGET_STOP_START};
    t->target.stop.eip = target_eip(&t->target);
    if (t->tape)
        target_vm_keep_history(t);
}

void target_vm_set_root(struct target_vm *t, const char *image)
{
    t->root = image;
}

void target_vm_add_file(struct target_vm *t, const char *path, bool kernel)
{
    if (t->target.files < TARGET_FILES)
        t->target.file[t->target.files++] = (struct target_file){.path = path, .kernel = kernel};
}

void target_vm_destroy(struct target_vm *t)
{
    if (!t)
        return;
    history_destroy(t->history);
    tape_destroy(t->tape);
    close(t->waker);
    free(t);
}

struct tape *target_vm_tape(struct target_vm *t)
{
    if (!t->tape && tape_create(&t->tape))
        return NULL;
    return t->tape;
}

struct target *target_vm_target(struct target_vm *t)
{
    return &t->target;
}

struct vm *target_vm_vm(struct target_vm *t)
{
    return t->vm;
}
