/* SPDX-License-Identifier: MIT */
/* A PC's devices in lockstep: asked once, answered as often as needed. */
#include "dbt/lockstep/lockstep_devices.h"

#include <stdlib.h>
#include <string.h>

#include "dbt/lockstep/lockstep.h"

/* The interrupt controller's answer, among the accesses. */
#define ACCESS_ACK BUS_ACCESS_KINDS

/* Room for `need` elements; false: no memory. */
MUST_CHECK static bool make_room(void **array, uint32_t *room, uint64_t need, size_t size)
{
    if (need <= *room)
        return true;
    uint64_t more = *room ? 2 * (uint64_t)*room : 64;
    while (more < need)
        more *= 2;
    void *grown = more <= UINT32_MAX / 2 ? realloc(*array, more * size) : NULL;
    if (!grown)
        return false;
    *array = grown;
    *room = (uint32_t)more;
    return true;
}

static void keep(struct lockstep_devices *d, const struct bus_access *access)
{
    void *array = d->access;
    if (make_room(&array, &d->room, (uint64_t)d->count + 1, sizeof(*d->access))) {
        d->access = array;
        d->access[d->count++] = *access;
    } else {
        d->lost = true;
    }
}

static bool room_for_effect(struct lockstep_devices *d, uint64_t len)
{
    void *effects = d->effect, *bytes = d->bytes;
    bool ok = make_room(&effects, &d->effect_room, (uint64_t)d->effects + 1, sizeof(*d->effect));
    d->effect = effects;
    ok = ok && make_room(&bytes, &d->byte_room, d->used + len, 1);
    d->bytes = bytes;
    return ok;
}

static void keep_effect(struct lockstep_devices *d, gpa_t gpa, const void *bytes, uint64_t len)
{
    if (!bytes || !room_for_effect(d, len)) {
        d->lost = true;
        return;
    }
    d->effect[d->effects++] = (struct lockstep_effect){d->count, d->used, gpa, len};
    memcpy(d->bytes + d->used, bytes, len);
    d->used += (uint32_t)len;
}

static void play_effects(struct lockstep_devices *d, uint32_t access)
{
    enum tap_mode mode = d->mode;
    d->mode = TAP_SELF;
    for (; d->next_effect < d->effects; d->next_effect++) {
        const struct lockstep_effect *e = &d->effect[d->next_effect];
        if (e->access != access)
            break;
        int err = ram_write(d->lc->cpu->ram, e->gpa, d->bytes + e->at, e->len);
        BUG_ON(err, "a PC's RAM can always be written");
    }
    d->mode = mode;
}

static void play(struct lockstep_devices *d, struct bus_access *access)
{
    const struct bus_access *kept = d->next < d->count ? &d->access[d->next] : NULL;
    bool writes = access->kind == BUS_WRITE || access->kind == BUS_OUT;
    if (!kept || kept->kind != access->kind || kept->address != access->address ||
        kept->size != access->size || (writes && kept->value != access->value)) {
        d->differs = true;
        return;
    }
    access->value = kept->value;
    play_effects(d, d->next++);
}

static bool on_asked(void *opaque, struct bus_access *access)
{
    struct lockstep_devices *d = opaque;
    if (d->depth)
        d->depth++;
    if (d->mode == TAP_OUTSIDE || d->mode == TAP_SELF || d->depth)
        return false;
    d->asked = true;
    if (d->mode == TAP_REPLAY)
        play(d, access);
    d->depth = d->mode == TAP_RECORD;
    return !d->depth;
}

/* A kick that came with it is taken at once: nothing is to pause for it. */
static void on_answered(void *opaque, const struct bus_access *access)
{
    struct lockstep_devices *d = opaque;
    if (!d->depth || --d->depth)
        return;
    d->kicked |= __atomic_exchange_n(&d->lc->cpu->stop_request, 0, __ATOMIC_ACQUIRE);
    keep(d, access);
}

static const struct bus_tap tap = {on_asked, on_answered};

/* Devices, and the machine's loader and debugger. Of the engines' own writes only page walks come
 * with their bytes: accessed and dirty bits, which the subject may set where the reference does
 * not.
 */
static void on_host_write(void *opaque, gpa_t gpa, const void *bytes, uint64_t len)
{
    struct lockstep_devices *d = opaque;
    if (d->mode == TAP_OUTSIDE) {
        lockstep_mirror_expect(&d->lc->mirror, gpa, len);
    } else if (d->depth) {
        lockstep_log_note(&d->lc->log, gpa, len);
        keep_effect(d, gpa, bytes, len);
    } else if (d->mode == TAP_REPLAY && bytes) {
        lockstep_log_note_subject(&d->lc->log, gpa);
    }
}

static uint8_t on_ack(void *opaque)
{
    struct lockstep_devices *d = opaque;
    struct bus_access access = {.kind = ACCESS_ACK};
    d->asked = true;
    if (d->mode == TAP_REPLAY) {
        play(d, &access);
    } else if (d->mode == TAP_RECORD) {
        access.value = d->real_pin->ack(d->real_pin->opaque);
        keep(d, &access);
    }
    return (uint8_t)access.value;
}

static bool is_real(const struct lockstep_devices *d)
{
    return d->mode == TAP_RECORD || d->mode == TAP_OUTSIDE;
}

static void on_fpu_error(void *opaque, bool raised)
{
    struct lockstep_devices *d = opaque;
    d->asked = true;
    if (is_real(d) && d->real_hooks && d->real_hooks->fpu_error)
        d->real_hooks->fpu_error(d->real_hooks->opaque, raised);
}

static void on_apic_base(void *opaque, uint64_t value)
{
    struct lockstep_devices *d = opaque;
    d->asked = true;
    if (is_real(d) && d->real_hooks && d->real_hooks->apic_base)
        d->real_hooks->apic_base(d->real_hooks->opaque, value);
}

void lockstep_devices_attach(struct lockstep_devices *d, struct lockstep_cpu *lc)
{
    struct cpu *cpu = lc->cpu;
    *d = (struct lockstep_devices){.lc = lc};
    d->real_pin = cpu->pc.pin;
    d->pin = (struct irq_pin){.ack = on_ack, .opaque = d};
    cpu->pc.pin = &d->pin;
    d->real_hooks = cpu->pc.hooks;
    d->hooks = (struct cpu_hooks){d, on_fpu_error, on_apic_base, NULL};
    cpu->pc.hooks = &d->hooks;
    bus_set_tap(cpu->pc.bus, &tap, d);
    ram_on_host_write(cpu->ram, on_host_write, d);
}

void lockstep_devices_detach(struct lockstep_devices *d)
{
    struct cpu *cpu = d->lc->cpu;
    ram_on_host_write(cpu->ram, NULL, NULL);
    bus_set_tap(cpu->pc.bus, NULL, NULL);
    cpu->pc.pin = d->real_pin;
    cpu->pc.hooks = d->real_hooks;
    free(d->access);
    free(d->effect);
    free(d->bytes);
}

void lockstep_devices_begin(struct lockstep_devices *d)
{
    d->asked = d->lost = d->differs = d->map_changed = d->kicked = false;
    d->count = d->next = d->effects = d->next_effect = d->used = 0;
    d->pin.intr = d->real_pin->intr;
    d->pin.nmi = d->real_pin->nmi;
    d->pin_before = d->pin;
}

void lockstep_devices_again(struct lockstep_devices *d)
{
    d->pin = d->pin_before;
    d->next = d->next_effect = 0;
    d->differs = false;
    d->mode = TAP_REPLAY;
}
