/* SPDX-License-Identifier: MIT */
/*
 * A VM's state as bytes: one section for each declared list (the VM, its
 * processor, each device), each behind a head with the list's name, version and
 * length, so that a state of another machine or version is told apart.
 *
 * A state may come from a file, so what is loaded is untrusted: whatever the
 * fields say must be harmless, or is refused here.
 */
#include "denali/vm_private.h"

#include "emu/base/host.h"

#include <errno.h>
#include <string.h>

/* What survives of struct vm itself. Times are the VM's. */
struct saved {
    uint64_t mem_bytes, guest_ns, idle_until_ns;
    uint32_t arrived, arrived_signals, protect_edges;
    uint8_t idle, deterministic, counted, due, started, trap_due;
    uint8_t blocked; /* 1 + the device's index */
    /* Counted VMs: how time follows from here. */
    uint64_t anchor_ns, anchor_icount, rate, base_ns;
};

static const struct state_field saved_fields[] = {
    STATE_U(struct saved, mem_bytes),
    STATE_U(struct saved, guest_ns),
    STATE_U(struct saved, idle_until_ns),
    STATE_U(struct saved, arrived),
    STATE_U(struct saved, arrived_signals),
    STATE_U(struct saved, protect_edges),
    STATE_U(struct saved, idle),
    STATE_U(struct saved, deterministic),
    STATE_U(struct saved, counted),
    STATE_U(struct saved, due),
    STATE_U(struct saved, started),
    STATE_U(struct saved, trap_due),
    STATE_U(struct saved, blocked),
    STATE_U(struct saved, anchor_ns),
    STATE_U(struct saved, anchor_icount),
    STATE_U(struct saved, rate),
    STATE_U(struct saved, base_ns),
};
static const struct state_list saved_list = {"vm", 2, ARRAY_LEN(saved_fields), saved_fields};

struct head {
    char name[DENALI_NAME_LEN];
    uint32_t version, len;
};
static const struct state_field head_fields[] = {
    STATE_RAW(struct head, name),
    STATE_U(struct head, version),
    STATE_U(struct head, len),
};
static const struct state_list head_list = {"head", 1, ARRAY_LEN(head_fields), head_fields};
#define HEAD_BYTES (DENALI_NAME_LEN + 8u)

static struct head head_of(const struct state_list *list)
{
    struct head head = {.version = list->version, .len = (uint32_t)state_size(list)};
    memcpy(head.name, list->name, strnlen(list->name, DENALI_NAME_LEN - 1));
    return head;
}

static uint8_t *put(uint8_t *out, const struct state_list *list, const void *object)
{
    struct head head = head_of(list);
    state_save(&head_list, &head, out);
    state_save(list, object, out + HEAD_BYTES);
    return out + HEAD_BYTES + head.len;
}

struct reader {
    const uint8_t *at;
    size_t left;
};

static int get(struct reader *r, const struct state_list *list, void *object)
{
    struct head want = head_of(list), have;
    if (r->left < HEAD_BYTES + want.len)
        return -EINVAL;
    state_load(&head_list, &have, r->at);
    if (state_compare(&head_list, &want, &have))
        return -EINVAL;
    state_load(list, object, r->at + HEAD_BYTES);
    r->at += HEAD_BYTES + want.len;
    r->left -= HEAD_BYTES + want.len;
    return 0;
}

size_t vm_state_size(const struct vm *vm)
{
    size_t size = 2 * HEAD_BYTES + state_size(&saved_list) + state_size(&cpu_state_list);
    for (unsigned i = 0; i < vm->devices; i++) {
        if (vm->device[i]->ops->state)
            size += HEAD_BYTES + state_size(vm->device[i]->ops->state);
    }
    return size;
}

static uint8_t blocked_index(const struct vm *vm)
{
    for (unsigned i = 0; i < vm->devices; i++) {
        if (vm->device[i] == vm->blocked)
            return (uint8_t)(1 + i);
    }
    return 0;
}

bool vm_is_busy(const struct vm *vm)
{
    for (unsigned i = 0; i < vm->devices; i++) {
        const struct vdev *dev = vm->device[i];
        if (dev->ops->busy && dev->ops->busy(dev))
            return true;
    }
    return false;
}

/* What has not passed a counted VM's gate is still outside. */
static struct saved gather_saved(const struct vm *vm)
{
    struct saved saved = {.mem_bytes = vm->mem_bytes,
                          .guest_ns = vm_time_guest_ns(vm),
                          .idle_until_ns = vm->idle_until_ns,
                          .arrived = vm->raised | (vm->counted ? 0 : vm->arrived),
                          .arrived_signals =
                              vm->raised_signals | (vm->counted ? 0 : vm->arrived_signals),
                          .protect_edges = vm->protect_edges,
                          .idle = vm->idle,
                          .deterministic = vm->deterministic,
                          .counted = vm->counted,
                          .due = vm->due,
                          .trap_due = vm->trap_due,
                          .blocked = blocked_index(vm)};
    if (vm->counted) {
        saved.started = vm->time.started;
        saved.anchor_ns = vm->time.anchor_ns;
        saved.anchor_icount = vm->time.anchor_icount;
        saved.rate = vm->time.rate;
        saved.base_ns = vm->time.base_ns;
    }
    return saved;
}

static uint8_t *put_all(struct vm *vm, const struct cpu *cpu, uint8_t *out)
{
    struct saved saved = gather_saved(vm);
    out = put(out, &saved_list, &saved);
    out = put(out, &cpu_state_list, cpu);
    for (unsigned i = 0; i < vm->devices; i++) {
        if (vm->device[i]->ops->state)
            out = put(out, vm->device[i]->ops->state, vm->device[i]);
    }
    return out;
}

void vm_state_strict(struct vm *vm, uint8_t *out)
{
    struct cpu cpu = *vm->cpu;
    for (unsigned i = 0; i < cpu_state_list.fields; i++) {
        const struct state_field *f = &cpu_state_list.field[i];
        if (f->loose)
            memset((uint8_t *)&cpu + f->offset, 0, (size_t)f->size * f->count);
    }
    put_all(vm, &cpu, out);
}

int vm_state_save(struct vm *vm, uint8_t *out)
{
    if (vm_is_busy(vm) || vm->held != ENGINE_EXIT_BUDGET)
        return -EBUSY;
    put_all(vm, vm->cpu, out);
    return 0;
}

/* To the instruction: nothing is published that was not. */
static int take_counted_time(struct vm *vm, const struct saved *s)
{
    struct vm_time *t = &vm->time;
    uint64_t insns = vm->cpu->icount - s->anchor_icount;
    if (!s->rate || s->rate >> 40 || s->guest_ns >> 63 || s->anchor_ns > s->guest_ns ||
        s->base_ns > s->guest_ns || vm->cpu->icount < s->anchor_icount ||
        (uint64_t)((unsigned __int128)insns * s->rate / TIME_RATE_ONE) > s->guest_ns)
        return -EINVAL;
    clock_set_ns(vm->clock, s->guest_ns);
    t->started = s->started;
    t->anchor_ns = s->anchor_ns;
    t->anchor_icount = s->anchor_icount;
    t->rate = s->rate;
    t->base_ns = s->base_ns;
    t->base_tsc = 2 * s->base_ns;
    return 0;
}

static int take_saved(struct vm *vm, const struct saved *s, uint64_t now_ns)
{
    struct vdev *blocked = NULL;
    if (s->mem_bytes != vm->mem_bytes || (s->deterministic != 0) != vm->deterministic ||
        (s->counted != 0) != vm->counted)
        return -EINVAL;
    if (s->blocked) {
        blocked = s->blocked <= vm->devices ? vm->device[s->blocked - 1] : NULL;
        if (!blocked || !blocked->ops->resume)
            return -EINVAL;
    }
    vm->blocked = blocked;
    vm->idle = s->idle;
    vm->idle_until_ns = s->idle_until_ns;
    vm->due = s->due;
    vm->trap_due = s->trap_due;
    vm->held = ENGINE_EXIT_BUDGET;
    vm->raised = vm->counted ? s->arrived : 0;
    vm->raised_signals = vm->counted ? s->arrived_signals : 0;
    if (!vm->counted) {
        vm->arrived = s->arrived;
        vm->arrived_signals = s->arrived_signals;
    }
    vm->protect_edges = s->protect_edges;
    vm->next_event_ns = CLOCK_NEVER;
    vm->end = (struct vm_end){.reason = VM_END_NONE};
    if (vm->counted && now_ns <= s->guest_ns)
        return take_counted_time(vm, s);
    vm_time_set(vm, now_ns > s->guest_ns ? now_ns : s->guest_ns);
    return 0;
}

static int take_cpu(struct vm *vm, struct reader *r)
{
    struct cpu *cpu = vm->cpu;
    int err = get(r, &cpu_state_list, cpu);
    if (err || !cpu->code32 || cpu->cpl != 3 || cpu->fpu.mxcsr > 0xffff)
        return -EINVAL;
    cpu->code32 = 1;
    cpu->stop_request = 0;
    cpu->code_page = CPU_NO_PAGE;
    return 0;
}

int vm_state_load(struct vm *vm, const uint8_t *in, size_t len, uint64_t now_ns)
{
    struct reader r = {in, len};
    struct saved saved;
    int err = get(&r, &saved_list, &saved);
    if (!err)
        err = take_cpu(vm, &r);
    if (!err)
        err = take_saved(vm, &saved, now_ns);
    for (unsigned i = 0; !err && i < vm->devices; i++) {
        struct vdev *dev = vm->device[i];
        if (dev->ops->state)
            err = get(&r, dev->ops->state, dev);
        if (!err && dev->ops->loaded)
            dev->ops->loaded(dev);
    }
    return err || r.left ? -EINVAL : 0;
}

int vm_state_read_cpu(const uint8_t *in, size_t len, struct cpu *out)
{
    struct reader r = {in, len};
    struct saved saved;
    int err = get(&r, &saved_list, &saved);
    return err ? err : get(&r, &cpu_state_list, out);
}

static struct vdev *first_nic(struct vm *vm, unsigned *index)
{
    for (unsigned i = 0; i < vm->devices; i++) {
        *index = i;
        if (vm->device[i]->ops->kind == DENALI_DEV_NIC)
            return vm->device[i];
    }
    return NULL;
}

int vm_identify(struct vm *vm, const struct vm_identity *identity)
{
    unsigned nic;
    volatile struct denali_regs *regs = vm_regs_write(vm);
    if (!regs || identity->text_len > DENALI_IDENTITY_MAX)
        return regs ? -EINVAL : -ENOMEM;
    for (unsigned i = 0; first_nic(vm, &nic) && i < 6; i++)
        regs->device[nic].mac[i] = identity->mac[i];
    for (unsigned i = 0; i < DENALI_IDENTITY_MAX; i++)
        regs->identity[i] = i < identity->text_len ? identity->text[i] : 0;
    regs->random[0] = identity->seed[0];
    regs->random[1] = identity->seed[1];
    regs->identity_len = identity->text_len;
    regs->identity_count = regs->identity_count + 1;
    if (!vm->deterministic)
        regs->wall_base_ns = host_wall_ns() - clock_now_ns(vm->clock);
    if (!identity->fresh || identity->text_len)
        vm_post(vm, DENALI_IRQ_IDENTITY);
    return 0;
}
