/* SPDX-License-Identifier: MIT */
#include "emu/cli/fuzz/fuzz_live.h"

#include "emu/base/host.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define VARIABLE "DENALI_FUZZ_LIVE"
#define BYTES ((sizeof(struct fuzz_live) * FUZZ_LIVE_JOBS + PAGE_MASK) & ~(uint64_t)PAGE_MASK)

static struct fuzz_live *map(int fd)
{
    void *at = NULL;
    if (fd < 0 || host_reserve(BYTES, PAGE_SIZE, &at))
        return NULL;
    if (!host_map_fd(at, BYTES, HOST_R | HOST_W, fd, 0, true))
        return at;
    host_release(at, BYTES);
    return NULL;
}

struct fuzz_live *fuzz_live_create(int *fd)
{
    int own = host_memobj_create("denali-fuzz-live", BYTES);
    *fd = own < 0 ? -1 : fcntl(own, F_DUPFD, 3); /* one that children inherit */
    if (own >= 0)
        close(own);
    return map(*fd);
}

void fuzz_live_offer(int fd, unsigned job)
{
    char text[32];
    snprintf(text, sizeof(text), "%d:%u", fd, job);
    setenv(VARIABLE, text, 1);
}

struct fuzz_live *fuzz_live_find(struct fuzz_live *own)
{
    const char *text = getenv(VARIABLE);
    unsigned job = 0;
    int fd = -1;
    off_t size = 0;
    if (text && sscanf(text, "%d:%u", &fd, &job) == 2 && job < FUZZ_LIVE_JOBS)
        size = lseek(fd, 0, SEEK_END);
    struct fuzz_live *all = size == (off_t)BYTES ? map(fd) : NULL;
    return all ? &all[job] : own;
}
