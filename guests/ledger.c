/* SPDX-License-Identifier: MIT */
/*
 * Writes numbered entries to blocks of "data" and tells each on the console once it is
 * complete; with the argument "read" it tells what each block holds. A test kills the
 * host's process in between and compares.
 */
#include "guests/lib/guest.h"

GUEST_MANIFEST(1 << 20, {DENALI_DEV_CONSOLE, 0, "console"}, {DENALI_DEV_DISK, 0, "data"});

#define BLOCKS 64u

static uint8_t block[DENALI_BLOCK] __attribute__((aligned(DENALI_BLOCK)));
static struct denali_disk_request request;
static const volatile struct denali_device *data;

static void fill(uint32_t at, uint32_t entry)
{
    uint32_t *word = (uint32_t *)block;
    for (unsigned i = 0; i < DENALI_BLOCK / 4; i++)
        word[i] = entry * 2654435761u + at + i;
    word[0] = entry;
}

static int32_t transfer(enum denali_disk_op op, uint32_t at)
{
    guest_disk_request(&request, op, at, block);
    return guest_disk_wait(data, &request);
}

/* One that does not hold what its first word promises is told as "torn". */
static int read_all(void)
{
    static uint8_t found[DENALI_BLOCK];
    for (uint32_t at = 0; at < BLOCKS; at++) {
        GUEST_CHECK_EQ(transfer(DENALI_DISK_READ, at), 0);
        memcpy(found, block, sizeof(found));
        uint32_t entry = *(uint32_t *)block;
        if (entry)
            fill(at, entry);
        guest_print("%u %u%s\n", at, entry, memcmp(found, block, sizeof(found)) ? " torn" : "");
    }
    return 0;
}

int guest_main(void)
{
    data = guest_need(DENALI_DEV_DISK, "data");
    GUEST_CHECK(data->blocks >= BLOCKS);
    const char *first = (const char *)guest_regs.args_addr;
    if (guest_regs.args_count > 1 && !strcmp(first + strlen(first) + 1, "read"))
        return read_all();
    GUEST_CHECK_EQ(transfer(DENALI_DISK_READ, BLOCKS - 1), 0);
    for (uint32_t entry = *(uint32_t *)block + 1;; entry++) {
        uint32_t at = entry * 40503u % (BLOCKS - 1);
        fill(at, entry);
        int32_t status = transfer(DENALI_DISK_WRITE, at);
        if (status) {
            guest_print("error %d\n", status);
            return 3;
        }
        guest_print("%u %u\n", at, entry);
        if (entry % 16 == 0) {
            fill(BLOCKS - 1, entry); /* where the next run goes on */
            GUEST_CHECK_EQ(transfer(DENALI_DISK_WRITE, BLOCKS - 1), 0);
            GUEST_CHECK_EQ(transfer(DENALI_DISK_FLUSH, 0), 0);
        }
    }
}
