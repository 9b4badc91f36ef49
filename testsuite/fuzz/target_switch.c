/* SPDX-License-Identifier: MIT */
/*
 * The switch between VMs: ports come and go, send frames of every kind, receive, get bad wires.
 * Nobody hears a frame in a name that is not its sender's; nothing that was counted gets lost.
 * fuzz: max_len=2048
 */
#include "denali/lan/switch.h"
#include "emu/base/host.h"
#include "testsuite/fuzz/fuzz.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PORTS 6u
#define OPS 300u
#define NET 0x0a010000u

struct world {
    struct lan *lan;
    struct lan_port port[PORTS];
    bool there[PORTS], addressed[PORTS], uplink[PORTS];
    uint8_t mac[PORTS][6];
};

static void bell(struct lan_port *port)
{
    (void)port;
}

static void port_add(struct world *w, unsigned i, uint8_t how)
{
    uint32_t ip = how & 3 ? how & 2 ? LAN_ANY_IP : NET + 10 + (how >> 4) : 0;
    bool uplink = (how & 12) == 12;
    if (lan_port_add(w->lan, &w->port[i], uplink ? 0 : ip, uplink ? LAN_UPLINK : 0, bell))
        return;
    w->there[i] = true;
    w->addressed[i] = !uplink && ip;
    w->uplink[i] = uplink;
    lan_port_mac(&w->port[i], w->mac[i]);
}

static void port_remove(struct world *w, unsigned i)
{
    struct lan_port_counters c;
    lan_port_count(&w->port[i], &c);
    lan_port_remove(&w->port[i]);
    w->there[i] = false;
}

/* A frame with the sender's or another's MAC and address, so that some pass. */
static void send_frame(struct world *w, unsigned i, struct fuzz_in *in)
{
    uint8_t frame[NET_FRAME_MAX + 32] = {0}, how = fuzz_u8(in);
    size_t got, len = fuzz_u8(in);
    const uint8_t *bytes = fuzz_bytes(in, len, &got);
    memcpy(frame, bytes, got);
    len = how & 1 ? got : got < 60 ? 60 : got;
    if (how & 2)
        len = how & 4 ? NET_FRAME_MAX : 600;
    if (how & 8)
        memcpy(frame + 6, w->mac[i], 6);
    if (how & 16)
        memcpy(frame, w->mac[fuzz_u8(in) % PORTS], 6);
    if (how & 32 && w->port[i].ip != LAN_ANY_IP) {
        uint32_t ip = w->port[i].ip;
        unsigned at = frame[12] == 8 && frame[13] == 6 ? 28 : 26;
        for (unsigned n = 0; n < 4; n++)
            frame[at + n] = (uint8_t)(ip >> (24 - 8 * n));
    }
    uint8_t *exact = fuzz_exact(frame, len);
    lan_send(&w->port[i], exact, len);
    free(exact);
}

static bool is_known(const struct world *w, const uint8_t mac[6])
{
    for (unsigned i = 0; i < PORTS; i++)
        if (!memcmp(w->mac[i], mac, 6))
            return true;
    return false;
}

/* Without an uplink, every frame is in the name of a port, or the switch's own (DHCP). */
static void receive(struct world *w, unsigned i, size_t room)
{
    uint8_t frame[NET_FRAME_MAX];
    bool uplinks = false, strangers = false;
    size_t n = lan_receive(&w->port[i], frame, room);
    FUZZ_REQUIRE(n <= room);
    for (unsigned p = 0; p < PORTS; p++) {
        uplinks |= w->uplink[p];
        strangers |= w->there[p] && !w->addressed[p];
    }
    if (n < 34 || uplinks || strangers || memcmp(frame + 26, "\x0a\x01", 2))
        return;
    bool dhcp = frame[12] == 8 && !frame[13] && frame[23] == 17 && frame[35] == 67;
    FUZZ_REQUIRE(dhcp || is_known(w, frame + 6));
}

static void shape(struct world *w, unsigned i, struct fuzz_in *in)
{
    struct wire_config c = {
        .seed = fuzz_u8(in), .loss = fuzz_u16(in) / 2u, .duplicate = fuzz_u16(in)};
    c.delay_ns = fuzz_u8(in) & 1 ? 1 : 0;
    c.bytes_per_s = fuzz_u8(in) & 1 ? 100000 : 0;
    c.queue = fuzz_u8(in);
    c.corrupt = fuzz_u8(in);
    w->uplink[i] |= c.corrupt; /* from now on names may be damaged on the way */
    (void)!lan_port_shape(&w->port[i], c.seed & 1 ? &c : NULL, c.seed & 2 ? &c : NULL);
}

static void one(struct world *w, struct fuzz_in *in)
{
    uint8_t op = fuzz_u8(in), mac[6];
    unsigned i = (op >> 4) % PORTS;
    struct lan_counters c;
    if (!w->there[i]) {
        port_add(w, i, fuzz_u8(in));
        return;
    }
    switch (op & 15) {
    case 0:
        port_remove(w, i);
        break;
    case 1:
        shape(w, i, in);
        break;
    case 2:
        (void)lan_find(w->lan, NET + fuzz_u8(in), mac);
        lan_count(w->lan, &c);
        break;
    case 3:
    case 4:
        receive(w, i, fuzz_u8(in) * 6u);
        break;
    case 5:
        while (lan_waits(&w->port[i]))
            receive(w, i, NET_FRAME_MAX);
        break;
    default:
        send_frame(w, i, in);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct fuzz_in in = {data, len};
    struct world w = {0};
    const struct lan_subnet subnet = {NET, NET + 1, NET + 2, 16};
    FUZZ_REQUIRE(lan_create(&w.lan) == 0);
    if (fuzz_u8(&in) & 1)
        FUZZ_REQUIRE(lan_set_subnet(w.lan, &subnet) == 0);
    for (unsigned n = 0; in.left && n < OPS; n++)
        one(&w, &in);
    for (unsigned i = 0; i < PORTS; i++)
        if (w.there[i])
            port_remove(&w, i);
    lan_destroy(w.lan);
    return 0;
}
