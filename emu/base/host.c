/* SPDX-License-Identifier: MIT */
/*
 * Memory and clocks of a POSIX host. Signals and threads of the engines are in
 * host_signal.c. Reservations are MAP_NORESERVE so that a 4 GiB window costs
 * address space only.
 */
#define _GNU_SOURCE
#include "emu/base/host.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

void base_bug(const char *file, int line, const char *message)
{
    fprintf(stderr, "denali: bug: %s:%d: %s\n", file, line, message);
    abort();
}

static int prot_bits(unsigned prot)
{
    return ((prot & HOST_R) ? PROT_READ : 0) | ((prot & HOST_W) ? PROT_WRITE : 0) |
           ((prot & HOST_X) ? PROT_EXEC : 0);
}

int host_reserve(uint64_t len, uint64_t align, void **out)
{
    uint64_t span = len + align;
    uint8_t *raw = mmap(NULL, span, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (raw == MAP_FAILED)
        return -errno;

    uint8_t *aligned = (uint8_t *)(((uintptr_t)raw + align - 1) & ~(uintptr_t)(align - 1));
    uint64_t head = (uint64_t)(aligned - raw);
    uint64_t tail = span - head - len;
    if (head)
        munmap(raw, head);
    if (tail)
        munmap(aligned + len, tail);
    *out = aligned;
    return 0;
}

static int map_fixed(void *addr, uint64_t len, unsigned prot, int flags, int fd, uint64_t offset)
{
    void *at = mmap(addr, len, prot_bits(prot), flags | MAP_FIXED, fd, (off_t)offset);
    return at == MAP_FAILED ? -errno : 0;
}

int host_commit(void *addr, uint64_t len, unsigned prot)
{
    return map_fixed(addr, len, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

int host_decommit(void *addr, uint64_t len)
{
    return map_fixed(addr, len, HOST_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

int host_protect(void *addr, uint64_t len, unsigned prot)
{
    return mprotect(addr, len, prot_bits(prot)) ? -errno : 0;
}

void host_release(void *addr, uint64_t len)
{
    munmap(addr, len);
}

int host_memobj_create(const char *name, uint64_t len)
{
    int fd = memfd_create(name, MFD_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (ftruncate(fd, (off_t)len)) {
        int err = -errno;
        close(fd);
        return err;
    }
    return fd;
}

int host_map_fd(void *addr, uint64_t len, unsigned prot, int fd, uint64_t offset, bool shared)
{
    return map_fixed(addr, len, prot, shared ? MAP_SHARED : MAP_PRIVATE | MAP_NORESERVE, fd,
                     offset);
}

static uint64_t clock_ns(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t host_monotonic_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

uint64_t host_wall_ns(void)
{
    return clock_ns(CLOCK_REALTIME);
}
