/* SPDX-License-Identifier: MIT */
/*
 * Answers ARP and ICMP echo for 10.0.0.2 until a ping of the payload "stop"
 * comes; then tells how many it answered. A full send queue is waited for, so
 * no answer is lost here.
 */
#include "guests/lib/guest.h"

GUEST_MANIFEST(1 << 20, {DENALI_DEV_CONSOLE, 0, "console"}, {DENALI_DEV_NIC, 0, "nic"});

#define FRAME_MAX 1514
#define ETH 14
#define IP (ETH + 20)

static const uint8_t address[4] = {10, 0, 0, 2};
static uint8_t frame[FRAME_MAX];
static const volatile struct denali_device *nic;
static unsigned answered;

static void send(uint32_t len)
{
    while (guest_out(nic->port + DENALI_PORT_SEND, (uint32_t)frame, len, 0) == DENALI_AGAIN)
        guest_idle(1000000);
}

/* To whom it came from, from us. */
static void turn_ethernet(void)
{
    memcpy(frame, frame + 6, 6);
    for (unsigned i = 0; i < 6; i++)
        frame[6 + i] = nic->mac[i];
}

static void arp(uint32_t len)
{
    static const uint8_t request[8] = {0, 1, 8, 0, 6, 4, 0, 1};
    if (len < ETH + 28 || memcmp(frame + ETH, request, 8) || memcmp(frame + ETH + 24, address, 4))
        return;
    turn_ethernet();
    frame[ETH + 7] = 2;
    memcpy(frame + ETH + 18, frame + ETH + 8, 10);
    memcpy(frame + ETH + 8, frame + 6, 6);
    memcpy(frame + ETH + 14, address, 4);
    send(ETH + 28);
}

/* RFC 1624: the checksum when a word of the data falls by `by`. */
static void checksum_add(uint8_t *sum, uint32_t by)
{
    uint32_t s = (uint32_t)(sum[0] << 8 | sum[1]) + by;
    s += s >> 16;
    sum[0] = (uint8_t)(s >> 8);
    sum[1] = (uint8_t)s;
}

/* True when the ping asks for the end. */
static bool ping(uint32_t len)
{
    if (len < IP + 8 || frame[ETH] != 0x45 || frame[ETH + 9] != 1 || frame[IP] != 8 ||
        memcmp(frame + ETH + 16, address, 4))
        return false;
    turn_ethernet();
    memcpy(frame + ETH + 16, frame + ETH + 12, 4);
    memcpy(frame + ETH + 12, address, 4);
    frame[IP] = 0;
    checksum_add(frame + IP + 2, 0x0800);
    send(len);
    answered++;
    return len >= IP + 12 && !memcmp(frame + IP + 8, "stop", 4);
}

static bool one(uint32_t len)
{
    if (frame[12] == 8 && frame[13] == 6)
        arp(len);
    return frame[12] == 8 && frame[13] == 0 && ping(len);
}

int guest_main(void)
{
    nic = guest_need(DENALI_DEV_NIC, "nic");
    for (;;) {
        /* The mark first: a frame that comes after the look leaves a mark, and idle returns. */
        __asm__ volatile("lock andl %1, %0"
                         : "+m"(guest_regs.pending)
                         : "ir"(~DENALI_IRQ_NIC)
                         : "cc");
        int32_t len = guest_in(nic->port + DENALI_PORT_RECEIVE, frame, sizeof(frame));
        if (len > 0 && one((uint32_t)len))
            break;
        if (len <= 0)
            guest_idle(UINT64_MAX);
    }
    guest_print("net: answered %u\n", answered);
    return 0;
}
