/* SPDX-License-Identifier: MIT */
/*
 * The physical address space and the ports of a PC: which device answers
 * where. A processor asks bus_find_page once for each page (and keeps the
 * answer in its TLB until it is told that the map changed); what has no host
 * memory behind it, or not the right, goes through bus_read and bus_write.
 *
 * Regions lie over RAM, and over each other by priority, so that a window of
 * a guest's choosing can never do harm: it only hides what is below. Regions
 * of memory are whole pages. What nobody answers reads as ones and swallows
 * writes.
 *
 * One thread at a time: that of the processor. Functions of a device are
 * called on it and may call back (map and unmap regions, raise interrupts).
 */
#ifndef DENALI_BUS_H
#define DENALI_BUS_H

#include "emu/base/base.h"
#include "emu/machine/ram.h"

struct bus;
struct bus_region;

enum bus_space { BUS_MEMORY, BUS_PORTS };

/*
 * `sizes` is the sum of the access sizes (1, 2, 4) that a device knows; it
 * never sees another one, nor one that does not lie wholly inside its region.
 * The bus splits what is too wide into narrower accesses, low address first;
 * a read that is too narrow is cut out of a wider aligned one, such a write
 * is lost. Accesses may be unaligned. `offset` is from the region's begin.
 */
struct bus_ops {
    uint32_t (*read)(void *opaque, uint32_t offset, unsigned size);
    void (*write)(void *opaque, uint32_t offset, unsigned size, uint32_t value);
    uint8_t sizes;
};

/* Higher ones hide lower ones; RAM is below all. Equals: the region created later is on top. */
enum bus_priority { BUS_LOW = 0, BUS_NORMAL = 1, BUS_HIGH = 2 };

struct bus_region_config {
    const char *name; /* not copied */
    enum bus_space space;
    uint64_t len; /* bytes or ports; memory: whole pages, below 4 GiB */
    const struct bus_ops *ops;
    void *opaque;
    /*
     * Memory only: `len` bytes that the processor may use itself as `rights`
     * (HOST_R, HOST_W) say; other accesses are calls. NULL: all are.
     */
    uint8_t *host;
    unsigned rights;
    enum bus_priority priority;
};

/* `ram` lies at 0; not owned. -ENOMEM. */
MUST_CHECK int bus_create(struct ram *ram, struct bus **out);
void bus_destroy(struct bus *bus); /* its regions with it */
struct ram *bus_ram(const struct bus *bus);

/* A region is created unmapped. -ENOMEM, -ENOSPC (more than BUS_MAX_REGIONS of a space). */
#define BUS_MAX_REGIONS 255
MUST_CHECK int bus_region_create(struct bus *bus, const struct bus_region_config *config,
                                 struct bus_region **out);
/* Where it answers from now on. A range that leaves the space (64K ports, 4 GiB) is not mapped. */
void bus_region_map(struct bus_region *region, uint64_t base);
void bus_region_unmap(struct bus_region *region);
bool bus_region_is_mapped(const struct bus_region *region, uint64_t *base);
/* Changes what the processor may do without a call. */
void bus_region_set_host(struct bus_region *region, uint8_t *host, unsigned rights);

/* Create and map ports, for devices that stay where they are; no handle. */
MUST_CHECK int bus_add_ports(struct bus *bus, const char *name, uint16_t first, unsigned count,
                             const struct bus_ops *ops, void *opaque);

/* What a processor finds at a page. */
struct bus_page {
    uint8_t *host;   /* of the page's first byte; NULL: all accesses are calls */
    unsigned rights; /* HOST_R, HOST_W: through `host`; what lacks is a call */
    bool is_ram;     /* `host` is ram_base + gpa: code marks (ram.h) bind before a write */
};
void bus_find_page(struct bus *bus, gpa_t gpa, struct bus_page *out);

/* Physical memory by size 1, 2, 4; within one page. RAM too. */
uint32_t bus_read(struct bus *bus, gpa_t gpa, unsigned size);
void bus_write(struct bus *bus, gpa_t gpa, unsigned size, uint32_t value);

/* Any length, any pages: what a device's DMA or a loader moves. */
void bus_read_bytes(struct bus *bus, gpa_t gpa, void *out, uint64_t len);
void bus_write_bytes(struct bus *bus, gpa_t gpa, const void *in, uint64_t len);

/* Ports by size 1, 2, 4. Ports wrap at 64K. */
uint32_t bus_in(struct bus *bus, uint16_t port, unsigned size);
void bus_out(struct bus *bus, uint16_t port, unsigned size, uint32_t value);

/*
 * The gate of address line 20: bit 20 of every physical address of the
 * processor is and-ed with it. Open (true) at the beginning. The processor
 * applies it (bus_find_page and the others do not).
 */
void bus_set_a20(struct bus *bus, bool open);
bool bus_a20(const struct bus *bus);

/*
 * Told after pages [gpa, gpa+len) changed their meaning (TLB entries and translations made from
 * them are stale), and after A20 changed. One listener; may be NULL.
 */
struct bus_listener {
    void (*map_changed)(void *opaque, gpa_t gpa, uint64_t len);
    void (*a20_changed)(void *opaque, bool open);
};
void bus_listen(struct bus *bus, const struct bus_listener *listener, void *opaque);

/* Told before a device is called, so that counted time can be brought up to date. */
void bus_before_access(struct bus *bus, void (*fn)(void *opaque), void *opaque);

/* Told of each access to a port when it has been made, for who looks on; NULL: nobody. */
struct bus_access;
void bus_on_port(struct bus *bus, void (*fn)(void *opaque, const struct bus_access *access),
                 void *opaque);

/*
 * Who runs the processor's code twice (lockstep) and must call devices once: he is asked first
 * about each access that would reach a device, or memory that is a device's to write, and may
 * answer it himself (true; `value` of a read is filled in). What a device answered he is told.
 * Accesses that devices make meanwhile come, too. While there is a tap, bus_find_page shows no such
 * memory.
 */
enum bus_access_kind { BUS_READ, BUS_WRITE, BUS_IN, BUS_OUT, BUS_ACCESS_KINDS };
struct bus_access {
    enum bus_access_kind kind;
    unsigned size;
    gpa_t address;
    uint32_t value;
};
struct bus_tap {
    bool (*asked)(void *opaque, struct bus_access *access);
    void (*answered)(void *opaque, const struct bus_access *access);
};
void bus_set_tap(struct bus *bus, const struct bus_tap *tap, void *opaque);

/* One line for each mapped region, low address first, to a FILE *. */
void bus_print(const struct bus *bus, void *out);

#endif
