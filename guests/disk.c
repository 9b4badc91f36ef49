/* SPDX-License-Identifier: MIT */
/*
 * Asynchronous blocks: what is written is read back, many at once and in any
 * order; what the disk cannot do is refused with the right error and touches
 * nothing. "data" is writable, "fixed" is read-only; both hold 10000 bytes
 * more than a whole number of blocks would.
 */
#include "guests/lib/guest.h"

GUEST_MANIFEST(4 << 20, {DENALI_DEV_CONSOLE, 0, "console"}, {DENALI_DEV_DISK, 0, "data"},
               {DENALI_DEV_DISK, 0, "fixed"});

#define MANY 200

static uint8_t block[MANY][DENALI_BLOCK] __attribute__((aligned(DENALI_BLOCK)));
static struct denali_disk_request request[MANY];
static const volatile struct denali_device *data, *fixed;

static int32_t transfer(const volatile struct denali_device *disk, enum denali_disk_op op,
                        uint64_t at, void *buffer)
{
    guest_disk_request(request, op, at, buffer);
    return guest_disk_wait(disk, request);
}

static void fill(uint8_t *to, uint32_t seed)
{
    for (unsigned i = 0; i < DENALI_BLOCK; i++)
        to[i] = (uint8_t)((i + seed) * 2654435761u >> 24);
}

static void check_table(void)
{
    GUEST_CHECK_EQ(data->blocks, (data->bytes + DENALI_BLOCK - 1) / DENALI_BLOCK);
    GUEST_CHECK(!(data->flags & DENALI_DEVF_READONLY));
    GUEST_CHECK(fixed->flags & DENALI_DEVF_READONLY);
    GUEST_CHECK(data->blocks >= MANY);
}

/* The host filled both disks with lines that tell their own offset. */
static void check_read(void)
{
    GUEST_CHECK_EQ(transfer(fixed, DENALI_DISK_READ, 1, block[0]), 0);
    guest_print("block 1 begins %c%c%c%c%c%c%c%c%c%c%c", block[0][0], block[0][1], block[0][2],
                block[0][3], block[0][4], block[0][5], block[0][6], block[0][7], block[0][8],
                block[0][9], block[0][10]);
    /* Beyond the file's end its last block is zero. */
    memset(block[0], 0xff, DENALI_BLOCK);
    GUEST_CHECK_EQ(transfer(fixed, DENALI_DISK_READ, fixed->blocks - 1, block[0]), 0);
    unsigned rest = (unsigned)(fixed->bytes % DENALI_BLOCK);
    GUEST_CHECK(rest != 0);
    for (unsigned i = rest; i < DENALI_BLOCK; i++)
        GUEST_CHECK_EQ(block[0][i], 0);
    GUEST_CHECK(block[0][rest - 1] != 0);
}

static void wait_many(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        volatile int32_t *status = &request[i].status;
        while (*status == DENALI_DISK_BUSY)
            guest_idle(1000000);
        GUEST_CHECK_EQ(*status, 0);
    }
}

/* Submits all, in as many steps as the queue wants. */
static void submit_many(enum denali_disk_op op, unsigned order)
{
    for (unsigned i = 0; i < MANY; i++)
        guest_disk_request(&request[i], op, i * order % MANY, block[i * order % MANY]);
    for (unsigned done = 0; done < MANY;) {
        int32_t n =
            guest_out(data->port + DENALI_PORT_SUBMIT, (uint32_t)&request[done], MANY - done, 0);
        GUEST_CHECK(n >= 0);
        done += (unsigned)n;
        if (!n)
            guest_idle(1000000);
    }
    wait_many(MANY);
}

static void check_many(void)
{
    for (unsigned i = 0; i < MANY; i++)
        fill(block[i], i);
    submit_many(DENALI_DISK_WRITE, 7);
    GUEST_CHECK_EQ(transfer(data, DENALI_DISK_FLUSH, 0, NULL), 0);
    memset(block, 0, sizeof(block));
    submit_many(DENALI_DISK_READ, 13);
    static uint8_t want[DENALI_BLOCK];
    for (unsigned i = 0; i < MANY; i++) {
        fill(want, i);
        GUEST_CHECK_EQ(memcmp(block[i], want, DENALI_BLOCK), 0);
    }
}

static int32_t odd(enum denali_disk_op op, uint64_t at, uint32_t buffer, uint32_t bytes)
{
    guest_disk_request(request, op, at, (void *)buffer);
    request->bytes = bytes;
    return guest_disk_wait(data, request);
}

static void check_refused(void)
{
    uint32_t good = (uint32_t)block[0];
    fill(block[0], 99);
    GUEST_CHECK_EQ(odd(DENALI_DISK_READ, data->blocks, good, DENALI_BLOCK), DENALI_RANGE);
    GUEST_CHECK_EQ(odd(DENALI_DISK_WRITE, data->blocks, good, DENALI_BLOCK), DENALI_RANGE);
    GUEST_CHECK_EQ(odd(DENALI_DISK_READ, UINT64_MAX, good, DENALI_BLOCK), DENALI_RANGE);
    GUEST_CHECK_EQ(odd(DENALI_DISK_READ, 1ull << 52, good, DENALI_BLOCK), DENALI_RANGE);
    GUEST_CHECK_EQ(odd(DENALI_DISK_READ, 0, good, 512), DENALI_RANGE);
    GUEST_CHECK_EQ(odd(DENALI_DISK_READ, 0, good, 2 * DENALI_BLOCK), DENALI_RANGE);
    GUEST_CHECK_EQ(odd(DENALI_DISK_READ, 0, good, 0), DENALI_RANGE);
    GUEST_CHECK_EQ(odd(DENALI_DISK_READ, 0, good + 512, DENALI_BLOCK), DENALI_RANGE);
    GUEST_CHECK_EQ(odd(DENALI_DISK_READ, 0, 0xfffff000, DENALI_BLOCK), DENALI_FAULT);
    GUEST_CHECK_EQ(odd(DENALI_DISK_READ, 0, 0x2000, DENALI_BLOCK), DENALI_FAULT);
    GUEST_CHECK_EQ(odd(99, 0, good, DENALI_BLOCK), DENALI_INVAL);
    GUEST_CHECK_EQ(transfer(fixed, DENALI_DISK_WRITE, 0, block[0]), DENALI_RO);
    static uint8_t want[DENALI_BLOCK];
    fill(want, 99);
    GUEST_CHECK_EQ(memcmp(block[0], want, DENALI_BLOCK), 0);
    /* Requests that lie outside RAM are none. */
    GUEST_CHECK_EQ(guest_out(data->port + DENALI_PORT_SUBMIT, 0xfffffff0, 1, 0), DENALI_FAULT);
    GUEST_CHECK_EQ(guest_out(data->port + DENALI_PORT_SUBMIT, (uint32_t)request, 0, 0), 0);
}

int guest_main(void)
{
    data = guest_need(DENALI_DEV_DISK, "data");
    fixed = guest_need(DENALI_DEV_DISK, "fixed");
    check_table();
    check_read();
    check_many();
    check_refused();
    guest_print("disk: ok\n");
    return 0;
}
