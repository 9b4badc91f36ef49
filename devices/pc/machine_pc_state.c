/* SPDX-License-Identifier: MIT */
/*
 * A PC's whole state, from the declared fields of its processor and devices. One function says
 * what moves, and in which order, for both directions; integers of the frame are little-endian by
 * the state lists or by the host.
 *
 * Loading calls devices' `loaded` functions, which drive wires that lead into other devices: so
 * all fields are loaded once more afterwards, and events and pins come last.
 */
#include "devices/pc/machine_pc_private.h"

#include "emu/base/host.h"
#include "emu/base/host_thread.h"
#include "emu/cpu/pc/mmu.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC "denali-pc-state"
#define VERSION 1u
#define END UINT32_MAX
#define MAX_EVENTS 64u
#define MAX_NS (UINT64_MAX / 4) /* of a machine's time: sums of it do not wrap */

/* What two machines must have in common. */
struct head {
    char magic[16];
    uint32_t version, events;
    uint64_t ram_bytes;
    char cpu[16];
    uint8_t isa, deterministic, unused[6];
};

struct entry {
    char name[24];
    uint32_t version, bytes, memory;
};

/* Of the machine itself. */
struct rest {
    uint64_t now_ns, counted, tsc, wall_base_ns;
    uint8_t a20, intr, nmi, unused[5];
};

static int move(const struct pc_stream *s, void *data, size_t len)
{
    return s->move(s->opaque, data, len);
}

static struct head head_of(const struct pc *pc)
{
    struct head h;
    memset(&h, 0, sizeof(h));
    memcpy(h.magic, MAGIC, sizeof(MAGIC));
    h.version = VERSION;
    h.events = clock_events(pc->clock);
    h.ram_bytes = pc->c.ram_bytes;
    strncpy(h.cpu, pc->c.cpu, sizeof(h.cpu) - 1);
    h.isa = pc->c.isa;
    h.deterministic = pc->c.deterministic;
    return h;
}

static struct entry entry_of(struct board_device *dev)
{
    struct entry e;
    memset(&e, 0, sizeof(e));
    strncpy(e.name, dev->ops->name, sizeof(e.name) - 1);
    if (dev->ops->state) {
        e.version = dev->ops->state->version;
        e.bytes = (uint32_t)state_size(dev->ops->state);
    }
    if (dev->ops->memory)
        dev->ops->memory(dev, &e.memory);
    return e;
}

static int compare_head(const struct pc *pc, const struct pc_stream *from, struct why *why)
{
    struct head want = head_of(pc), got;
    int err = move(from, &got, sizeof(got));
    if (err || memcmp(got.magic, want.magic, sizeof(got.magic)))
        return why_fail(why, -EINVAL, "it is no snapshot of a PC");
    if (got.version != VERSION)
        return why_fail(why, -EINVAL, "it is a snapshot of version %u; this program knows %u",
                        got.version, VERSION);
    if (got.ram_bytes != want.ram_bytes)
        return why_fail(why, -EINVAL, "it was saved with --memory %lluM",
                        (unsigned long long)(got.ram_bytes >> 20));
    if (memcmp(got.cpu, want.cpu, sizeof(got.cpu)))
        return why_fail(why, -EINVAL, "it was saved with --cpu %.15s", got.cpu);
    if (got.isa != want.isa || got.deterministic != want.deterministic)
        return why_fail(why, -EINVAL, "it was saved %s --machine isa and %s --deterministic",
                        got.isa ? "with" : "without", got.deterministic ? "with" : "without");
    return 0;
}

static int compare_devices(struct pc *pc, const struct pc_stream *from, struct why *why)
{
    struct entry got;
    for (struct board_device *dev = pc->board.first; dev; dev = dev->next) {
        struct entry want = entry_of(dev);
        if (move(from, &got, sizeof(got)))
            return why_fail(why, -EINVAL, "it ends too early");
        if (memcmp(&got, &want, sizeof(got)))
            return why_fail(why, -EINVAL,
                            "it was saved from a PC with other devices: %.23s where here is %.23s",
                            *got.name ? got.name : "none", want.name);
    }
    if (move(from, &got, sizeof(got)) || *got.name)
        return why_fail(why, -EINVAL, "it was saved from a PC with more devices: %.23s", got.name);
    return 0;
}

static int write_head(struct pc *pc, const struct pc_stream *to)
{
    struct head head = head_of(pc);
    struct entry end = {{0}, 0, 0, 0};
    int err = move(to, &head, sizeof(head));
    for (struct board_device *dev = pc->board.first; !err && dev; dev = dev->next) {
        struct entry entry = entry_of(dev);
        err = move(to, &entry, sizeof(entry));
    }
    return err ? err : move(to, &end, sizeof(end));
}

/* The fields of everything, one list after the other in one buffer. */

static size_t fields_size(const struct pc *pc)
{
    size_t sum = state_size(&cpu_state_list) + state_size(&cpu_pc_state_list);
    for (struct board_device *dev = pc->board.first; dev; dev = dev->next)
        sum += dev->ops->state ? state_size(dev->ops->state) : 0;
    return sum;
}

static void take_fields(const struct state_list *list, void *object, uint8_t **at, bool load)
{
    if (load)
        state_load(list, object, *at);
    else
        state_save(list, object, *at);
    *at += state_size(list);
}

static void all_fields(struct pc *pc, uint8_t *at, bool load)
{
    take_fields(&cpu_state_list, pc->cpu, &at, load);
    take_fields(&cpu_pc_state_list, pc->cpu, &at, load);
    for (struct board_device *dev = pc->board.first; dev; dev = dev->next) {
        if (dev->ops->state)
            take_fields(dev->ops->state, dev, &at, load);
    }
}

/* Whose fields are not of a state that it can be in; NULL: nobody's. */
static const char *find_invalid(const struct pc *pc)
{
    if (pc->cpu->cpl > 3 || pc->cpu->code32 > 1 || pc->cpu->fpu.mxcsr > 0xffff)
        return "processor";
    for (const struct board_device *dev = pc->board.first; dev; dev = dev->next) {
        if (dev->ops->valid && !dev->ops->valid(dev))
            return dev->ops->name;
    }
    return NULL;
}

/* Fields have no effect by themselves: devices look at the new ones, and get their own back. */
static int check_fields(struct pc *pc, uint8_t *fields, struct why *why)
{
    uint8_t *own = malloc(fields_size(pc));
    if (!own)
        return why_fail(why, -ENOMEM, "no memory for a snapshot");
    all_fields(pc, own, false);
    all_fields(pc, fields, true);
    const char *bad = find_invalid(pc);
    all_fields(pc, own, true);
    free(own);
    return bad ? why_fail(why, -EINVAL, "it holds a state of the %s that there is not", bad) : 0;
}

/* Memories: pages that are not all zero, each behind its number. */

static bool is_zero(const uint8_t *page)
{
    return !page[0] && !memcmp(page, page + 1, PAGE_SIZE - 1);
}

static int write_pages(const uint8_t *from, uint64_t len, const struct pc_stream *to)
{
    uint32_t end = END;
    int err = 0;
    for (uint64_t at = 0; !err && at < len; at += PAGE_SIZE) {
        uint32_t page = (uint32_t)(at >> PAGE_BITS);
        uint8_t copy[PAGE_SIZE];
        if (is_zero(from + at))
            continue;
        memcpy(copy, from + at, PAGE_SIZE);
        err = move(to, &page, sizeof(page));
        err = err ? err : move(to, copy, PAGE_SIZE);
    }
    return err ? err : move(to, &end, sizeof(end));
}

/* A page of the target: RAM is told of the write, for translations may lie there. */
static int put_page(struct ram *ram, uint8_t *memory, uint64_t at, const uint8_t *bytes)
{
    if (ram)
        return ram_write(ram, at, bytes, PAGE_SIZE);
    memcpy(memory + at, bytes, PAGE_SIZE);
    return 0;
}

static int clear_pages(struct ram *ram, uint8_t *memory, uint64_t from, uint64_t to)
{
    static const uint8_t zeroes[PAGE_SIZE];
    int err = 0;
    for (; !err && from < to; from += PAGE_SIZE) {
        if (!is_zero(memory + from))
            err = put_page(ram, memory, from, zeroes);
    }
    return err;
}

static int read_pages(struct ram *ram, uint8_t *memory, uint64_t len, const struct pc_stream *from)
{
    uint64_t next = 0; /* up to here it is done */
    for (;;) {
        uint32_t page;
        uint8_t bytes[PAGE_SIZE];
        int err = move(from, &page, sizeof(page));
        uint64_t at = page == END ? len : (uint64_t)page << PAGE_BITS;
        if (!err && (at < next || at > len || (page != END && at == len)))
            err = -EBADMSG;
        if (!err)
            err = clear_pages(ram, memory, next, at);
        if (err || page == END)
            return err;
        err = move(from, bytes, PAGE_SIZE);
        if (!err)
            err = put_page(ram, memory, at, bytes);
        if (err)
            return err;
        next = at + PAGE_SIZE;
    }
}

static int all_pages(struct pc *pc, const struct pc_stream *s, bool load)
{
    uint8_t *base = ram_base(pc->ram);
    uint64_t size = ram_size(pc->ram);
    int err = load ? read_pages(pc->ram, base, size, s) : write_pages(base, size, s);
    for (struct board_device *dev = pc->board.first; !err && dev; dev = dev->next) {
        uint32_t len;
        uint8_t *memory = dev->ops->memory ? dev->ops->memory(dev, &len) : NULL;
        if (memory)
            err = load ? read_pages(NULL, memory, len, s) : write_pages(memory, len, s);
    }
    return err;
}

/* The machine itself. */

static struct rest rest_of(const struct pc *pc)
{
    struct rest r;
    memset(&r, 0, sizeof(r));
    r.now_ns = clock_now_ns(pc->clock);
    r.counted = pc->counted;
    r.tsc = pc->c.deterministic ? 0 : host_tsc();
    r.wall_base_ns = pc->board.wall_base_ns;
    r.a20 = bus_a20(pc->bus);
    r.intr = pc->pin.intr;
    r.nmi = pc->pin.nmi;
    return r;
}

/* Without a counted clock time goes on from where it was: its counter, too. The wall clock is that
 * of now. */
static void set_rest(struct pc *pc, const struct rest *r)
{
    clock_set_ns(pc->clock, r->now_ns);
    pc->counted = r->counted;
    pc->board.wall_base_ns = pc->c.deterministic ? r->wall_base_ns : host_wall_ns() - r->now_ns;
    if (!pc->c.deterministic)
        pc->cpu->sys.tsc_offset += r->tsc - host_tsc();
}

static void tell_devices(struct pc *pc)
{
    for (struct board_device *dev = pc->board.first; dev; dev = dev->next) {
        if (dev->ops->loaded)
            dev->ops->loaded(dev);
    }
    if (pc->pci)
        pci_reload(pc->pci);
}

static void apply(struct pc *pc, uint8_t *fields, const struct rest *rest,
                  const struct clock_armed *armed)
{
    clock_set_ns(pc->clock, rest->now_ns);
    bus_set_a20(pc->bus, rest->a20);
    all_fields(pc, fields, true);
    tell_devices(pc);
    all_fields(pc, fields, true);
    set_rest(pc, rest);
    clock_set_armed(pc->clock, armed);
    pc->pin.intr = rest->intr;
    pc->pin.nmi = rest->nmi;
    pc->board.request = BOARD_NONE;
    cpu_refresh(pc->cpu);
    mmu_forget(pc->cpu);
    pc->c.engine->ops->forget(pc->c.engine, pc->cpu, 0, ram_size(pc->ram));
}

int pc_save(struct pc *pc, const struct pc_stream *to, struct why *why)
{
    size_t size = fields_size(pc);
    uint8_t *fields = malloc(size);
    struct rest rest = rest_of(pc);
    struct clock_armed armed[MAX_EVENTS];
    BUG_ON(clock_events(pc->clock) > MAX_EVENTS, "more events than a snapshot has room for");
    if (!fields)
        return why_fail(why, -ENOMEM, "no memory for a snapshot");
    all_fields(pc, fields, false);
    clock_get_armed(pc->clock, armed);
    int err = write_head(pc, to);
    err = err ? err : move(to, &rest, sizeof(rest));
    err = err ? err : move(to, armed, clock_events(pc->clock) * sizeof(armed[0]));
    err = err ? err : move(to, fields, size);
    err = err ? err : all_pages(pc, to, false);
    free(fields);
    return err ? why_fail(why, err, "cannot write it: %s", strerror(-err)) : 0;
}

/* All but memories. */
static int read_body(struct pc *pc, const struct pc_stream *from, struct rest *rest,
                     struct clock_armed armed[MAX_EVENTS], uint8_t *fields)
{
    int err = move(from, rest, sizeof(*rest));
    err = err ? err : move(from, armed, clock_events(pc->clock) * sizeof(armed[0]));
    return err ? err : move(from, fields, fields_size(pc));
}

static int load_body(struct pc *pc, const struct pc_stream *from, uint8_t *fields, struct why *why)
{
    struct rest rest;
    struct clock_armed armed[MAX_EVENTS];
    int err = read_body(pc, from, &rest, armed, fields);
    if (err)
        return why_fail(why, err, "cannot read it: %s", strerror(-err));
    err = rest.now_ns > MAX_NS ? why_fail(why, -EINVAL, "its time is not one")
                               : check_fields(pc, fields, why);
    if (err)
        return err;
    err = all_pages(pc, from, true);
    if (err)
        return why_fail(why, err, "cannot read it: %s", strerror(-err));
    apply(pc, fields, &rest, armed);
    return 0;
}

int pc_load(struct pc *pc, const struct pc_stream *from, struct why *why)
{
    int err = compare_head(pc, from, why);
    if (!err)
        err = compare_devices(pc, from, why);
    if (err)
        return err;
    uint8_t *fields = malloc(fields_size(pc));
    if (!fields)
        return why_fail(why, -ENOMEM, "no memory for a snapshot");
    err = load_body(pc, from, fields, why);
    free(fields);
    return err;
}

int pc_look(struct pc *pc, const struct pc_stream *from, struct cpu *cpu, uint8_t *ram,
            struct why *why)
{
    struct rest rest;
    struct clock_armed armed[MAX_EVENTS];
    int err = compare_head(pc, from, why);
    if (!err)
        err = compare_devices(pc, from, why);
    if (err)
        return err;
    uint8_t *fields = malloc(fields_size(pc)), *at = fields;
    if (!fields)
        return why_fail(why, -ENOMEM, "no memory for a snapshot");
    err = read_body(pc, from, &rest, armed, fields);
    if (!err)
        err = read_pages(NULL, ram, ram_size(pc->ram), from);
    if (!err) {
        take_fields(&cpu_state_list, cpu, &at, true);
        take_fields(&cpu_pc_state_list, cpu, &at, true);
    }
    free(fields);
    return err ? why_fail(why, err, "cannot read it: %s", strerror(-err)) : 0;
}
