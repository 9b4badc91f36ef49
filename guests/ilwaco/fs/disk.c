/* SPDX-License-Identifier: MIT */
/* Requests to the machine's disks, in batches; the caller sleeps until all of a batch have ended.
 */
#include "guests/ilwaco/fs/disk.h"

#define BATCH 32u

static struct disk disks[DISK_MAX] SELDOM_WRITTEN;
static uint32_t disk_count;
static struct wait_queue finished;

static void disk_interrupt(void)
{
    wake(&finished);
}

void disk_init(void)
{
    for (uint32_t i = 0; i < machine_regs.device_count && i < DENALI_MAX_DEVICES; i++) {
        const volatile struct denali_device *device = &machine_regs.device[i];
        if (device->kind != DENALI_DEV_DISK)
            continue;
        struct disk *disk = &disks[disk_count++];
        disk->port = device->port;
        disk->read_only = device->flags & DENALI_DEVF_READONLY;
        disk->blocks = device->blocks;
        disk->bytes = device->bytes;
        memcpy(disk->name, (const char *)device->name, sizeof disk->name);
    }
    irq_attach(DENALI_IRQ_DISK, disk_interrupt);
}

struct disk *disk_at(uint32_t index)
{
    return index < disk_count ? &disks[index] : NULL;
}

struct disk *disk_by_name(const char *name)
{
    for (uint32_t i = 0; i < disk_count; i++)
        if (!strcmp(disks[i].name, name))
            return &disks[i];
    return NULL;
}

static int ended(volatile struct denali_disk_request *request, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        while (request[i].status == DENALI_DISK_BUSY)
            wait_on_disk(&finished);
    for (uint32_t i = 0; i < n; i++)
        if (request[i].status < 0)
            return request[i].status == DENALI_RO ? -EROFS : -EIO;
    return 0;
}

/* At most BATCH requests. Those that the queue had no room for are submitted again. */
static int submit(struct disk *disk, struct denali_disk_request *request, uint32_t n)
{
    uint32_t accepted = 0;
    while (accepted < n) {
        int32_t more =
            machine_port_out(disk->port, (uint32_t)(request + accepted), n - accepted, 0);
        if (more < 0)
            break;
        accepted += (uint32_t)more;
        if (accepted < n && !more)
            wait_on_disk(&finished);
    }
    int err = ended(request, accepted);
    return accepted < n ? -EIO : err;
}

static int transfer(struct disk *disk, uint32_t op, uint64_t block, uint32_t n, uint32_t memory)
{
    struct denali_disk_request request[BATCH];
    if (block > disk->blocks || n > disk->blocks - block)
        return -EINVAL;
    while (n) {
        uint32_t part = n < BATCH ? n : BATCH;
        for (uint32_t i = 0; i < part; i++)
            request[i] = (struct denali_disk_request){.op = op,
                                                      .buffer = memory + i * BLOCK_SIZE,
                                                      .block = block + i,
                                                      .bytes = BLOCK_SIZE,
                                                      .status = DENALI_DISK_BUSY};
        int err = submit(disk, request, part);
        if (err)
            return err;
        block += part;
        memory += part * BLOCK_SIZE;
        n -= part;
    }
    return 0;
}

int disk_read(struct disk *disk, uint64_t block, uint32_t n, void *dst)
{
    return transfer(disk, DENALI_DISK_READ, block, n, (uint32_t)dst);
}

int disk_write(struct disk *disk, uint64_t block, uint32_t n, const void *src)
{
    return disk->read_only ? -EROFS : transfer(disk, DENALI_DISK_WRITE, block, n, (uint32_t)src);
}

int disk_flush(struct disk *disk)
{
    struct denali_disk_request request = {.op = DENALI_DISK_FLUSH, .status = DENALI_DISK_BUSY};
    return submit(disk, &request, 1);
}
