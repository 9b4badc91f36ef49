/* SPDX-License-Identifier: MIT */
/*
 * A neighbour, for tests of many VMs: good, or bad in a way that a frame tells it.
 * Frames are of an Ethernet type of their own: byte 14 is what to do, 16 to 21 a MAC.
 * Every frame is answered to its sender with what has been done so far.
 */
#include "guests/lib/guest.h"

GUEST_MANIFEST(1 << 20, {DENALI_DEV_CONSOLE, 0, "console"}, {DENALI_DEV_NIC, 0, "nic"},
               {DENALI_DEV_TIMER, 0, "timer"}, {DENALI_DEV_DISK, DENALI_WANT_OPTIONAL, "disk"});

#define FRAME_BYTES 60
#define REQUESTS 32u

static const volatile struct denali_device *nic, *disk;
static uint8_t frame[1514], flood[FRAME_BYTES];
static struct denali_disk_request request[REQUESTS];
static uint8_t block[REQUESTS][DENALI_BLOCK] __attribute__((aligned(DENALI_BLOCK)));
static uint64_t work, next_block;
static uint8_t mode = 'i';

static void spin(void)
{
    for (volatile unsigned i = 0; i < 1000; i++)
        ;
    work++;
}

static void yield(void)
{
    guest_idle(0);
    work++;
}

static void send_flood(void)
{
    guest_out(nic->port + DENALI_PORT_SEND, (uint32_t)flood, FRAME_BYTES, 0);
    work++;
}

static void shout(void)
{
    static const char text[] =
        "All work and no play makes a neighbour a dull one, over and over.\n";
    int32_t n = guest_write(1, text, sizeof(text) - 1);
    work += n > 0 ? (uint32_t)n : 0;
}

static void storm(void)
{
    guest_timer(0);
    guest_idle(UINT64_MAX);
    guest_regs.pending = 0;
    work++;
}

/* Requests for blocks that are apart, so that each is one for the host too. */
static void hammer(void)
{
    guest_regs.pending = 0;
    for (unsigned i = 0; i < REQUESTS; i++) {
        if (request[i].status == DENALI_DISK_BUSY)
            continue;
        next_block = (next_block + 7) % disk->blocks;
        work += request[i].op != 0 && request[i].status == 0;
        guest_disk_request(&request[i], i % 2 ? DENALI_DISK_WRITE : DENALI_DISK_READ, next_block,
                           block[i]);
        if (guest_out(disk->port + DENALI_PORT_SUBMIT, (uint32_t)&request[i], 1, 0) != 1)
            request[i].status = 0, request[i].op = 0;
    }
    guest_idle(1000000);
}

static void do_work(void)
{
    switch (mode) {
    case 's':
        spin();
        break;
    case 'z':
        yield();
        break;
    case 'f':
        send_flood();
        break;
    case 'c':
        shout();
        break;
    case 't':
        storm();
        break;
    case 'd':
        hammer();
        break;
    default:
        guest_idle(UINT64_MAX);
        guest_regs.pending = 0;
        break;
    }
}

/* 'e': only an answer. */
static void obey(void)
{
    if (frame[14] != 'e')
        mode = frame[14];
    memcpy(flood, frame + 16, 6);
}

static void answer(void)
{
    memcpy(frame, frame + 6, 6);
    for (unsigned i = 0; i < 6; i++)
        frame[6 + i] = nic->mac[i];
    memcpy(frame + 16, &work, sizeof(work));
    while (guest_out(nic->port + DENALI_PORT_SEND, (uint32_t)frame, FRAME_BYTES, 0) == DENALI_AGAIN)
        guest_idle(100000);
}

int guest_main(void)
{
    nic = guest_need(DENALI_DEV_NIC, "nic");
    disk = guest_device(DENALI_DEV_DISK, "disk");
    for (unsigned i = 0; i < 6; i++)
        flood[6 + i] = nic->mac[i];
    for (;;) {
        while (guest_in(nic->port + DENALI_PORT_RECEIVE, frame, sizeof(frame)) > 0) {
            if (frame[12] != 0x88 || frame[13] != 0xb5)
                continue;
            obey();
            answer();
        }
        do_work();
    }
}
