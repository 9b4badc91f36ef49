/* SPDX-License-Identifier: MIT */
/*
 * The host operating system: memory, clocks, signals, threads. host.c and
 * host_*.c are the only files that call it for these. Errors are negative
 * errnos; lengths are bytes and, for memory, multiples of the host page.
 */
#ifndef DENALI_HOST_H
#define DENALI_HOST_H

#include "emu/base/base.h"

enum host_prot { HOST_NONE = 0, HOST_R = 1, HOST_W = 2, HOST_X = 4 };

/*
 * Reserves `len` bytes of address space aligned to `align` (a power of two),
 * with no access and no memory behind it. `*out` is valid until host_release.
 */
MUST_CHECK int host_reserve(uint64_t len, uint64_t align, void **out);

/* Gives [addr, addr+len), inside a reservation, zero-filled private memory. */
MUST_CHECK int host_commit(void *addr, uint64_t len, unsigned prot);

/* Takes the memory back: the range is a reservation again. */
MUST_CHECK int host_decommit(void *addr, uint64_t len);

MUST_CHECK int host_protect(void *addr, uint64_t len, unsigned prot);
void host_release(void *addr, uint64_t len);

/* A descriptor for reading a file or a block device. Nothing else is opened or waited for, as a
 * pipe that a stranger put in a file's place would want: -EISDIR, -ESPIPE, or why it could not be.
 */
MUST_CHECK int host_open_file(const char *path);

/* An anonymous memory object (memfd): returns its descriptor. */
MUST_CHECK int host_memobj_create(const char *name, uint64_t len);

/* Maps a descriptor's bytes, shared or copy-on-write, at a fixed place in a reservation. */
MUST_CHECK int host_map_fd(void *addr, uint64_t len, unsigned prot, int fd, uint64_t offset,
                           bool shared);

/* Pages inside one mapping are again as they were when it was made: zero, or the file's. */
MUST_CHECK int host_refresh(void *addr, uint64_t len);

/*
 * Runs of pages of [addr, addr+len) that have memory of this process's own: not yet touched ones,
 * and copy-on-write ones that are still the file's, have none. Fills in up to `room` runs, as
 * offsets from addr, and how far it looked. Number of runs, or a negative errno (-ENOTSUP: this
 * host cannot tell).
 */
struct host_run {
    uint64_t at, len;
};
MUST_CHECK int host_own_pages(const void *addr, uint64_t len, struct host_run *out, unsigned room,
                              uint64_t *looked);
/* Opens what it reads from: before a sandbox, which must let this ioctl through. */
void host_pages_prepare(void);
#define HOST_PAGES_IOCTL 0xc0606610u

/* Memory that this process has for itself: its private pages and its page tables. -ENOTSUP. */
MUST_CHECK int host_own_memory(uint64_t *bytes);

/* How many mappings (runs of pages with equal rights) this process may have. */
uint32_t host_max_mappings(void);

/* Monotonic and wall clocks, nanoseconds. */
uint64_t host_monotonic_ns(void);
uint64_t host_wall_ns(void);

#endif
