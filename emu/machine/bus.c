/* SPDX-License-Identifier: MIT */
/*
 * The map of a PC's memory and ports.
 *
 * Ports are found in a table of one byte for each port, painted anew when a
 * region moves (rare: firmware and drivers place devices once). Memory regions
 * are a few, and looked through from the top; but most of memory is the gap
 * between two of them, which page walks find at once.
 *
 * Invariant: `order` of each space is sorted from the topmost region down;
 * port_owner[p] is 1 + the index in `region` of the topmost region that covers p,
 * or 0.
 */
#include "emu/machine/bus.h"

#include "emu/base/host.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PORTS 65536u

struct bus_region {
    struct bus *bus;
    struct bus_region_config c;
    uint64_t base;
    bool mapped;
};

struct space {
    struct bus_region *region[BUS_MAX_REGIONS]; /* as created */
    struct bus_region *order[BUS_MAX_REGIONS];  /* topmost first */
    unsigned count;
};

struct bus {
    struct ram *ram;
    struct space space[2]; /* enum bus_space */
    const struct bus_listener *listener;
    void *listener_opaque;
    void (*before)(void *opaque);
    void *before_opaque;
    void (*on_port)(void *opaque, const struct bus_access *access);
    void *on_port_opaque;
    const struct bus_tap *tap;
    void *tap_opaque;
    bool a20;
    gpa_t gap, gap_len; /* no memory region lies in [gap, gap + gap_len); 0: not known */
    uint8_t port_owner[PORTS];
};

int bus_create(struct ram *ram, struct bus **out)
{
    struct bus *bus = calloc(1, sizeof(*bus));
    if (!bus)
        return -ENOMEM;
    bus->ram = ram;
    bus->a20 = true;
    *out = bus;
    return 0;
}

void bus_destroy(struct bus *bus)
{
    if (!bus)
        return;
    for (unsigned s = 0; s < 2; s++) {
        for (unsigned i = 0; i < bus->space[s].count; i++)
            free(bus->space[s].region[i]);
    }
    free(bus);
}

struct ram *bus_ram(const struct bus *bus)
{
    return bus->ram;
}

static void insert_ordered(struct space *space, struct bus_region *region)
{
    unsigned at = 0;
    while (at < space->count && space->order[at]->c.priority > region->c.priority)
        at++;
    memmove(&space->order[at + 1], &space->order[at],
            (space->count - at) * sizeof(space->order[0]));
    space->order[at] = region;
}

int bus_region_create(struct bus *bus, const struct bus_region_config *config,
                      struct bus_region **out)
{
    struct space *space = &bus->space[config->space];
    if (space->count == BUS_MAX_REGIONS)
        return -ENOSPC;
    struct bus_region *region = calloc(1, sizeof(*region));
    if (!region)
        return -ENOMEM;
    region->bus = bus;
    region->c = *config;
    insert_ordered(space, region);
    space->region[space->count++] = region;
    *out = region;
    return 0;
}

static void paint_ports(struct bus *bus)
{
    struct space *space = &bus->space[BUS_PORTS];
    memset(bus->port_owner, 0, sizeof(bus->port_owner));
    for (unsigned i = space->count; i-- > 0;) {
        const struct bus_region *r = space->order[i];
        unsigned id = 0;
        while (space->region[id] != r)
            id++;
        if (r->mapped)
            memset(bus->port_owner + r->base, (int)id + 1, r->c.len);
    }
}

static void tell_changed(struct bus_region *region)
{
    struct bus *bus = region->bus;
    if (region->c.space == BUS_MEMORY)
        bus->gap_len = 0;
    if (region->c.space == BUS_PORTS)
        paint_ports(bus);
    else if (bus->listener && bus->listener->map_changed)
        bus->listener->map_changed(bus->listener_opaque, region->base, region->c.len);
}

void bus_region_unmap(struct bus_region *region)
{
    if (!region->mapped)
        return;
    region->mapped = false;
    tell_changed(region);
}

void bus_region_map(struct bus_region *region, uint64_t base)
{
    uint64_t room = region->c.space == BUS_PORTS ? PORTS : 4 * GIB;
    if (region->mapped && region->base == base)
        return;
    bus_region_unmap(region);
    bool aligned = region->c.space == BUS_PORTS || !(base & PAGE_MASK);
    if (!aligned || base >= room || region->c.len > room - base)
        return;
    region->base = base;
    region->mapped = true;
    tell_changed(region);
}

bool bus_region_is_mapped(const struct bus_region *region, uint64_t *base)
{
    if (base)
        *base = region->base;
    return region->mapped;
}

void bus_region_set_host(struct bus_region *region, uint8_t *host, unsigned rights)
{
    if (region->c.host == host && region->c.rights == rights)
        return;
    region->c.host = host;
    region->c.rights = rights;
    if (region->mapped)
        tell_changed(region);
}

int bus_add_ports(struct bus *bus, const char *name, uint16_t first, unsigned count,
                  const struct bus_ops *ops, void *opaque)
{
    struct bus_region_config config = {.name = name,
                                       .space = BUS_PORTS,
                                       .len = count,
                                       .ops = ops,
                                       .opaque = opaque,
                                       .priority = BUS_NORMAL};
    struct bus_region *region;
    int err = bus_region_create(bus, &config, &region);
    if (!err)
        bus_region_map(region, first);
    return err;
}

static bool covers(const struct bus_region *r, gpa_t gpa)
{
    return r->mapped && gpa - r->base < r->c.len;
}

/* No region covers gpa: how far is that so, on both sides? */
static void find_gap(struct bus *bus, gpa_t gpa)
{
    const struct space *space = &bus->space[BUS_MEMORY];
    gpa_t from = 0, to = UINT64_MAX;
    for (unsigned i = 0; i < space->count; i++) {
        const struct bus_region *r = space->order[i];
        if (r->mapped && r->base > gpa && r->base < to)
            to = r->base;
        if (r->mapped && r->base < gpa && r->base + r->c.len > from)
            from = r->base + r->c.len;
    }
    bus->gap = from;
    bus->gap_len = to - from;
}

/* The topmost region at gpa, or NULL. */
static struct bus_region *find(struct bus *bus, gpa_t gpa)
{
    struct space *space = &bus->space[BUS_MEMORY];
    if (gpa - bus->gap < bus->gap_len)
        return NULL;
    for (unsigned i = 0; i < space->count; i++) {
        if (covers(space->order[i], gpa))
            return space->order[i];
    }
    find_gap(bus, gpa);
    return NULL;
}

/* From the processor, while there is a tap: what writes could be made to twice. */
static bool is_hidden(const struct bus *bus, const struct bus_region *r)
{
    return bus->tap && (r->c.rights & HOST_W) && r->c.host != ram_base(bus->ram) + r->base;
}

static bool is_tapped(const struct bus *bus, struct bus_access *access)
{
    return bus->tap && bus->tap->asked(bus->tap_opaque, access);
}

static void tell_tap(const struct bus *bus, const struct bus_access *access)
{
    if (bus->tap)
        bus->tap->answered(bus->tap_opaque, access);
}

static bool in_ram(const struct bus *bus, gpa_t gpa, uint64_t len)
{
    uint64_t size = ram_size(bus->ram);
    return gpa < size && len <= size - gpa;
}

void bus_find_page(struct bus *bus, gpa_t gpa, struct bus_page *out)
{
    gpa &= ~(gpa_t)PAGE_MASK;
    const struct bus_region *r = find(bus, gpa);
    *out = (struct bus_page){0};
    if (r && r->c.host && !is_hidden(bus, r)) {
        out->host = r->c.host + (gpa - r->base);
        out->rights = r->c.rights;
        out->is_ram = out->host == ram_base(bus->ram) + gpa;
    } else if (!r && in_ram(bus, gpa, PAGE_SIZE)) {
        out->host = ram_base(bus->ram) + gpa;
        out->rights = HOST_R | HOST_W;
        out->is_ram = true;
    }
}

static uint32_t ones(unsigned size)
{
    return UINT32_MAX >> (32 - 8 * size);
}

static uint32_t region_read(const struct bus_region *r, uint32_t offset, unsigned size);
static void region_write(const struct bus_region *r, uint32_t offset, unsigned size,
                         uint32_t value);

/* A device that knows only wider accesses. */
static uint32_t read_narrow(const struct bus_region *r, uint32_t offset, unsigned size)
{
    unsigned wide = (r->c.ops->sizes & 2) && size == 1 ? 2 : 4;
    uint32_t first = offset & ~(wide - 1), shift = 8 * (offset - first);
    if (!(r->c.ops->sizes & wide) || offset - first + size > wide || first + wide > r->c.len)
        return ones(size);
    return (r->c.ops->read(r->c.opaque, first, wide) >> shift) & ones(size);
}

static uint32_t region_read(const struct bus_region *r, uint32_t offset, unsigned size)
{
    unsigned half = size / 2;
    if (!r->c.ops || !r->c.ops->read || r->c.len - offset < size)
        return ones(size);
    if (r->c.ops->sizes & size)
        return r->c.ops->read(r->c.opaque, offset, size) & ones(size);
    if (!(r->c.ops->sizes & (size - 1)))
        return read_narrow(r, offset, size);
    uint32_t low = region_read(r, offset, half);
    return low | region_read(r, offset + half, half) << (8 * half);
}

static void region_write(const struct bus_region *r, uint32_t offset, unsigned size, uint32_t value)
{
    unsigned half = size / 2;
    if (!r->c.ops || !r->c.ops->write || r->c.len - offset < size)
        return;
    if (r->c.ops->sizes & size) {
        r->c.ops->write(r->c.opaque, offset, size, value & ones(size));
        return;
    }
    if (!(r->c.ops->sizes & (size - 1)))
        return;
    region_write(r, offset, half, value & ones(half));
    region_write(r, offset + half, half, value >> (8 * half));
}

static void before_access(struct bus *bus)
{
    if (bus->before)
        bus->before(bus->before_opaque);
}

static uint32_t load(const uint8_t *at, unsigned size)
{
    uint32_t value = 0;
    for (unsigned i = 0; i < size; i++)
        value |= (uint32_t)at[i] << (8 * i);
    return value;
}

static uint32_t ask_region(struct bus *bus, const struct bus_region *r, uint32_t offset,
                           unsigned size)
{
    before_access(bus);
    return region_read(r, offset, size);
}

uint32_t bus_read(struct bus *bus, gpa_t gpa, unsigned size)
{
    const struct bus_region *r = find(bus, gpa);
    if (!r)
        return in_ram(bus, gpa, size) ? load(ram_base(bus->ram) + gpa, size) : ones(size);
    struct bus_access access = {BUS_READ, size, gpa, 0};
    uint64_t offset = gpa - r->base;
    bool direct = r->c.host && (r->c.rights & HOST_R);
    if ((!direct || is_hidden(bus, r)) && is_tapped(bus, &access))
        return access.value;
    if (direct)
        access.value = r->c.len - offset < size ? ones(size) : load(r->c.host + offset, size);
    else
        access.value = ask_region(bus, r, (uint32_t)offset, size);
    if (!direct || is_hidden(bus, r))
        tell_tap(bus, &access);
    return access.value;
}

static void write_ram(struct bus *bus, gpa_t gpa, unsigned size, uint32_t value)
{
    uint8_t raw[4] = {(uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16),
                      (uint8_t)(value >> 24)};
    int err = in_ram(bus, gpa, size) ? ram_write(bus->ram, gpa, raw, size) : 0;
    BUG_ON(err, "a PC's RAM can always be written");
}

static void write_host(const struct bus_region *r, uint64_t offset, unsigned size, uint32_t value)
{
    if (r->c.len - offset < size)
        return;
    for (unsigned i = 0; i < size; i++)
        r->c.host[offset + i] = (uint8_t)(value >> (8 * i));
}

void bus_write(struct bus *bus, gpa_t gpa, unsigned size, uint32_t value)
{
    const struct bus_region *r = find(bus, gpa);
    struct bus_access access = {BUS_WRITE, size, gpa, value};
    bool direct = r && r->c.host && (r->c.rights & HOST_W);
    if (!r || (direct && r->c.host == ram_base(bus->ram) + r->base)) {
        write_ram(bus, gpa, size, value);
        return;
    }
    if (is_tapped(bus, &access))
        return;
    if (!direct)
        before_access(bus);
    if (direct)
        write_host(r, gpa - r->base, size, value);
    else
        region_write(r, (uint32_t)(gpa - r->base), size, value);
    tell_tap(bus, &access);
}

/* Bytes from gpa on that lie in one page. */
static uint64_t piece(gpa_t gpa, uint64_t len)
{
    uint64_t room = PAGE_SIZE - (gpa & PAGE_MASK);
    return len < room ? len : room;
}

void bus_read_bytes(struct bus *bus, gpa_t gpa, void *out, uint64_t len)
{
    for (uint8_t *to = out; len;) {
        uint64_t n = piece(gpa, len);
        struct bus_page page;
        bus_find_page(bus, gpa, &page);
        if (page.host && (page.rights & HOST_R)) {
            memcpy(to, page.host + (gpa & PAGE_MASK), n);
        } else {
            for (uint64_t i = 0; i < n; i++)
                to[i] = (uint8_t)bus_read(bus, gpa + i, 1);
        }
        gpa += n;
        to += n;
        len -= n;
    }
}

void bus_write_bytes(struct bus *bus, gpa_t gpa, const void *in, uint64_t len)
{
    for (const uint8_t *from = in; len;) {
        uint64_t n = piece(gpa, len);
        struct bus_page page;
        bus_find_page(bus, gpa, &page);
        if (page.host && page.is_ram && (page.rights & HOST_W)) {
            int err = ram_write(bus->ram, gpa, from, n);
            BUG_ON(err, "a PC's RAM can always be written");
        } else {
            for (uint64_t i = 0; i < n; i++)
                bus_write(bus, gpa + i, 1, from[i]);
        }
        gpa += n;
        from += n;
        len -= n;
    }
}

static const struct bus_region *port_region(const struct bus *bus, uint16_t port)
{
    uint8_t owner = bus->port_owner[port];
    return owner ? bus->space[BUS_PORTS].region[owner - 1] : NULL;
}

/* Whether one region owns all ports of an access. */
static bool is_whole(const struct bus *bus, uint16_t port, unsigned size)
{
    for (unsigned i = 1; i < size; i++) {
        if (port + i >= PORTS || bus->port_owner[port + i] != bus->port_owner[port])
            return false;
    }
    return true;
}

static uint32_t port_read(struct bus *bus, uint16_t port, unsigned size)
{
    if (size > 1 && !is_whole(bus, port, size)) {
        unsigned half = size / 2;
        uint32_t low = port_read(bus, port, half);
        return low | port_read(bus, (uint16_t)(port + half), half) << (8 * half);
    }
    const struct bus_region *r = port_region(bus, port);
    return r ? region_read(r, (uint32_t)(port - r->base), size) : ones(size);
}

static void port_write(struct bus *bus, uint16_t port, unsigned size, uint32_t value)
{
    if (size > 1 && !is_whole(bus, port, size)) {
        unsigned half = size / 2;
        port_write(bus, port, half, value & ones(half));
        port_write(bus, (uint16_t)(port + half), half, value >> (8 * half));
        return;
    }
    const struct bus_region *r = port_region(bus, port);
    if (r)
        region_write(r, (uint32_t)(port - r->base), size, value);
}

static void tell_port(const struct bus *bus, const struct bus_access *access)
{
    if (bus->on_port)
        bus->on_port(bus->on_port_opaque, access);
}

uint32_t bus_in(struct bus *bus, uint16_t port, unsigned size)
{
    struct bus_access access = {BUS_IN, size, port, 0};
    if (is_tapped(bus, &access))
        return access.value;
    before_access(bus);
    access.value = port_read(bus, port, size);
    tell_tap(bus, &access);
    tell_port(bus, &access);
    return access.value;
}

void bus_out(struct bus *bus, uint16_t port, unsigned size, uint32_t value)
{
    struct bus_access access = {BUS_OUT, size, port, value};
    if (is_tapped(bus, &access))
        return;
    before_access(bus);
    port_write(bus, port, size, value);
    tell_tap(bus, &access);
    tell_port(bus, &access);
}

void bus_set_a20(struct bus *bus, bool open)
{
    if (bus->a20 == open)
        return;
    bus->a20 = open;
    if (bus->listener && bus->listener->a20_changed)
        bus->listener->a20_changed(bus->listener_opaque, open);
}

bool bus_a20(const struct bus *bus)
{
    return bus->a20;
}

void bus_listen(struct bus *bus, const struct bus_listener *listener, void *opaque)
{
    bus->listener = listener;
    bus->listener_opaque = opaque;
}

void bus_before_access(struct bus *bus, void (*fn)(void *opaque), void *opaque)
{
    bus->before = fn;
    bus->before_opaque = opaque;
}

void bus_on_port(struct bus *bus, void (*fn)(void *opaque, const struct bus_access *access),
                 void *opaque)
{
    bus->on_port = fn;
    bus->on_port_opaque = opaque;
}

void bus_set_tap(struct bus *bus, const struct bus_tap *tap, void *opaque)
{
    bus->tap = tap;
    bus->tap_opaque = opaque;
}

static int by_base(const void *a, const void *b)
{
    const struct bus_region *x = *(struct bus_region *const *)a;
    const struct bus_region *y = *(struct bus_region *const *)b;
    return x->base < y->base ? -1 : x->base > y->base;
}

void bus_print(const struct bus *bus, void *out)
{
    static const char *const word[] = {"memory", "ports"};
    for (unsigned s = 0; s < 2; s++) {
        const struct bus_region *sorted[BUS_MAX_REGIONS];
        unsigned n = 0;
        for (unsigned i = 0; i < bus->space[s].count; i++) {
            if (bus->space[s].region[i]->mapped)
                sorted[n++] = bus->space[s].region[i];
        }
        qsort(sorted, n, sizeof(sorted[0]), by_base);
        for (unsigned i = 0; i < n; i++)
            fprintf(out, "%s %08llx-%08llx %s\n", word[s], (unsigned long long)sorted[i]->base,
                    (unsigned long long)(sorted[i]->base + sorted[i]->c.len - 1),
                    sorted[i]->c.name);
    }
}
