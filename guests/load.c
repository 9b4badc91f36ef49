/* SPDX-License-Identifier: MIT */
/*
 * The other side of `denali bench`: small loops, one for each thing that is measured.
 *
 *   walk BYTES        reads and writes so many bytes, a word in each 64, and yields; for ever
 *   sink PADS         takes frames, with PADS more port instructions for each
 *   source BYTES PADS sends frames of so many bytes to the port that spoke first; for ever
 *   echo PADS         sends every frame back
 *   compute BYTES     walks without yielding, takes what frames have come after each walk, and
 *                     sends one to some VM like itself after every WALKS_A_FRAME; for ever
 *
 * The pads are instructions that a driver of an emulated NIC would have: each is
 * refused by the NIC and changes nothing.
 */
#include "guests/lib/guest.h"

GUEST_MANIFEST(16 << 20, {DENALI_DEV_CONSOLE, 0, "console"}, {DENALI_DEV_NIC, 0, "nic"},
               {DENALI_DEV_TIMER, 0, "timer"});

/* So long that it is not over at once, and over before the others of some dozen have run. */
#define YIELD_NS 20000
#define WALKS_A_FRAME 24u
#define TOLD 0xa5

static const volatile struct denali_device *nic;
static uint8_t frame[1514], other[1514];

static const char *argument(uint32_t index)
{
    const char *s = (const char *)guest_regs.args_addr;
    GUEST_CHECK(index < guest_regs.args_count);
    while (index--)
        s += strlen(s) + 1;
    return s;
}

static uint32_t number(uint32_t index)
{
    uint32_t n = 0;
    for (const char *s = argument(index); *s >= '0' && *s <= '9'; s++)
        n = n * 10 + (uint32_t)(*s - '0');
    return n;
}

static void walk_once(uint32_t bytes)
{
    volatile uint32_t *at = (volatile uint32_t *)__heap;
    for (uint32_t i = 0; i < bytes / 4; i += 16)
        at[i]++;
}

static void walk(uint32_t bytes)
{
    GUEST_CHECK(bytes <= guest_regs.mem_bytes - (uint32_t)__heap - 65536);
    for (;;) {
        walk_once(bytes);
        guest_idle(YIELD_NS);
    }
}

static void pad(uint32_t count)
{
    while (count--)
        guest_in(nic->port + DENALI_PORT_RECEIVE, frame, 0);
}

static int32_t receive(uint32_t pads)
{
    int32_t n = guest_in(nic->port + DENALI_PORT_RECEIVE, frame, sizeof(frame));
    if (n > 0)
        pad(pads);
    return n;
}

static int32_t receive_wait(uint32_t pads)
{
    int32_t n;
    while ((n = receive(pads)) <= 0) {
        guest_idle(UINT64_MAX);
        guest_regs.pending = 0;
    }
    return n;
}

static void send(uint32_t len, uint32_t pads)
{
    pad(pads);
    while (guest_out(nic->port + DENALI_PORT_SEND, (uint32_t)frame, len, 0) == DENALI_AGAIN)
        guest_idle(100000);
}

/* Back to whom it came from, as IPv4 from us: a switch lets nothing else through. */
static void turn(void)
{
    memcpy(frame, frame + 6, 6);
    for (unsigned i = 0; i < 6; i++)
        frame[6 + i] = nic->mac[i];
    memcpy(frame + 26, frame + 30, 4);
}

/* The frame that begins it says, behind its addresses, the last bytes of the first peer's MAC, and
 * how many there are; then TOLD. */
static void compute(uint32_t bytes)
{
    uint32_t first, peers, random = nic->mac[5] + 1u;
    GUEST_CHECK(bytes <= guest_regs.mem_bytes - (uint32_t)__heap - 65536);
    do /* what others send to who is not told yet does not count */
        receive_wait(0);
    while (frame[42] != TOLD);
    frame[42] = 0;
    memcpy(&first, frame + 34, 4);
    memcpy(&peers, frame + 38, 4);
    turn();
    for (uint32_t walks = 1;; walks++) {
        walk_once(bytes);
        while (guest_in(nic->port + DENALI_PORT_RECEIVE, other, sizeof(other)) > 0)
            continue;
        if (walks % WALKS_A_FRAME)
            continue;
        random = random * 1664525u + 1013904223u;
        uint32_t to = first + (random >> 8) % peers;
        for (unsigned i = 0; i < 3; i++) {
            frame[i] = nic->mac[i];
            frame[3 + i] = (uint8_t)(to >> (16 - 8 * i));
        }
        send(60, 0);
    }
}

int guest_main(void)
{
    const char *what = argument(1);
    nic = guest_need(DENALI_DEV_NIC, "nic");
    if (!strcmp(what, "compute"))
        compute(number(2));
    else if (!strcmp(what, "walk"))
        walk(number(2));
    else if (!strcmp(what, "sink"))
        for (;;)
            receive_wait(number(2));
    else if (!strcmp(what, "source")) {
        receive_wait(0);
        for (turn();;)
            send(number(2), number(3));
    } else if (!strcmp(what, "echo"))
        for (;;) {
            int32_t len = receive_wait(number(2));
            turn();
            send((uint32_t)len, number(2));
        }
    return 1;
}
