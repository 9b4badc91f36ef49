/* SPDX-License-Identifier: MIT */
/*
 * Which pages of a copy-on-write mapping are this process's own. Linux tells by
 * an ioctl of /proc/self/pagemap (since 6.7), or, slower, by its contents. The
 * ioctl's numbers are written out, because the headers of today's
 * distributions do not have them.
 */
#define _GNU_SOURCE
#include "emu/base/host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

int host_refresh(void *addr, uint64_t len)
{
    return madvise(addr, len, MADV_DONTNEED) ? -errno : 0;
}

#if defined(__linux__)
struct scan_region {
    uint64_t start, end, categories;
};
struct scan_arg {
    uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
    uint64_t inverted, all_of, any_of, returned;
};
#define SCAN _IOWR('f', 16, struct scan_arg)
_Static_assert(SCAN == HOST_PAGES_IOCTL, "the header says the same");
#define SCAN_FILE (1u << 2)
#define SCAN_PRESENT (1u << 3)
#define SCAN_SWAPPED (1u << 4)
#define SCAN_REGIONS 64u

static int scan(int fd, uintptr_t addr, uint64_t len, struct host_run *out, unsigned room,
                uint64_t *looked)
{
    struct scan_region region[SCAN_REGIONS];
    struct scan_arg arg = {
        .size = sizeof(arg),
        .start = addr,
        .end = addr + len,
        .vec = (uintptr_t)region,
        .vec_len = room < SCAN_REGIONS ? room : SCAN_REGIONS,
        .inverted = SCAN_FILE,
        .all_of = SCAN_FILE,
        .any_of = SCAN_PRESENT | SCAN_SWAPPED,
        .returned = SCAN_PRESENT,
    };
    int n = ioctl(fd, SCAN, &arg);
    if (n < 0)
        return -errno;
    for (int i = 0; i < n; i++)
        out[i] = (struct host_run){region[i].start - addr, region[i].end - region[i].start};
    *looked = arg.walk_end - addr;
    return n;
}

#define ENTRY_PRESENT ((uint64_t)1 << 63)
#define ENTRY_SWAPPED ((uint64_t)1 << 62)
#define ENTRY_FILE ((uint64_t)1 << 61)
#define ENTRIES 512u

static bool is_own(uint64_t entry)
{
    return (entry & (ENTRY_PRESENT | ENTRY_SWAPPED)) && !(entry & ENTRY_FILE);
}

/* The same from the file's contents, for one stretch of entries. */
static int read_entries(int fd, uintptr_t addr, uint64_t len, struct host_run *out, unsigned room,
                        uint64_t *looked)
{
    uint64_t entry[ENTRIES];
    uint64_t want = len / PAGE_SIZE < ENTRIES ? len / PAGE_SIZE : ENTRIES;
    unsigned n = 0;
    ssize_t got = pread(fd, entry, want * 8, (off_t)(addr / PAGE_SIZE * 8));
    if (got < 8)
        return got < 0 ? -errno : -EIO;
    uint64_t i = 0;
    for (; i < (uint64_t)got / 8; i++) {
        if (!is_own(entry[i]))
            continue;
        if (n && out[n - 1].at + out[n - 1].len == i * PAGE_SIZE) {
            out[n - 1].len += PAGE_SIZE;
            continue;
        }
        if (n == room)
            break;
        out[n++] = (struct host_run){i * PAGE_SIZE, PAGE_SIZE};
    }
    *looked = i * PAGE_SIZE;
    return (int)n;
}

/* The files are opened once: a sandboxed process could not do it later. A child of fork has memory
 * of its own, hence the process's number beside the descriptor. */
static _Atomic uint64_t opened_map, opened_status;

static int open_once(_Atomic uint64_t *opened, const char *path)
{
    uint64_t self = (uint64_t)(uint32_t)getpid() << 32, seen = atomic_load(opened);
    if ((seen & ~(uint64_t)UINT32_MAX) == self)
        return (int)(uint32_t)seen;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (atomic_compare_exchange_strong(opened, &seen, self | (uint32_t)fd))
        return fd;
    close(fd); /* another thread was first */
    return (int)(uint32_t)seen;
}

static int map_of_process(void)
{
    return open_once(&opened_map, "/proc/self/pagemap");
}

static int status_of_process(void)
{
    return open_once(&opened_status, "/proc/self/status");
}

int host_own_pages(const void *addr, uint64_t len, struct host_run *out, unsigned room,
                   uint64_t *looked)
{
    int fd = map_of_process();
    if (fd < 0)
        return fd == -ENOENT || fd == -EACCES || fd == -EPERM ? -ENOTSUP : fd;
    int n = scan(fd, (uintptr_t)addr, len, out, room, looked);
    if (n == -ENOTTY || n == -EINVAL)
        n = read_entries(fd, (uintptr_t)addr, len, out, room, looked);
    return n;
}

void host_pages_prepare(void)
{
    (void)map_of_process();
    (void)status_of_process();
}

/* The number behind a field's name, in KiB; 0: it is not there. */
static uint64_t field_kib(const char *text, const char *name)
{
    const char *at = strstr(text, name);
    return at ? strtoull(at + strlen(name), NULL, 10) : 0;
}

int host_own_memory(uint64_t *bytes)
{
    char text[4096];
    int fd = status_of_process();
    if (fd < 0)
        return fd;
    ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
    if (n <= 0)
        return -ENOTSUP;
    text[n] = 0;
    uint64_t kib = field_kib(text, "RssAnon:");
    if (!kib)
        return -ENOTSUP;
    *bytes = (kib + field_kib(text, "VmPTE:")) * KIB;
    return 0;
}
#define USUAL_MAX_MAPPINGS 65530u

uint32_t host_max_mappings(void)
{
    char text[32] = {0};
    int fd = open("/proc/sys/vm/max_map_count", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return USUAL_MAX_MAPPINGS;
    ssize_t n = read(fd, text, sizeof(text) - 1);
    close(fd);
    unsigned long long most = n > 0 ? strtoull(text, NULL, 10) : 0;
    return !most ? USUAL_MAX_MAPPINGS : most < UINT32_MAX ? (uint32_t)most : UINT32_MAX;
}
#else
int host_own_memory(uint64_t *bytes)
{
    (void)bytes;
    return -ENOTSUP;
}

int host_own_pages(const void *addr, uint64_t len, struct host_run *out, unsigned room,
                   uint64_t *looked)
{
    (void)addr, (void)len, (void)out, (void)room, (void)looked;
    return -ENOTSUP;
}

void host_pages_prepare(void)
{
}

uint32_t host_max_mappings(void)
{
    return UINT32_MAX;
}
#endif
