/* SPDX-License-Identifier: MIT */
/*
 * DHCP client (RFC 2131, 2132): asks, renews at half of the lease, asks anybody at
 * seven eighths, gives the address up at the end and begins again.
 *
 * Answers are believed only with our transaction number and our MAC address, and
 * only in the state that waits for them. Times are in seconds as the lease has
 * them, deadlines in ns.
 */
#include "guests/ilwaco/net/internal.h"

#define DHCP_COOKIE 0x63825363u
#define DHCP_MESSAGE 300 /* BOOTP relays want as much */
#define DHCP_PATIENCE 3  /* messages without an answer before programs no longer wait */

enum dhcp_type { DISCOVER = 1, OFFER = 2, REQUEST = 3, DECLINE = 4, ACK = 5, NAK = 6 };

enum dhcp_option {
    OPT_PAD = 0,
    OPT_MASK = 1,
    OPT_ROUTER = 3,
    OPT_DNS = 6,
    OPT_HOSTNAME = 12,
    OPT_REQUESTED = 50,
    OPT_LEASE = 51,
    OPT_TYPE = 53,
    OPT_SERVER = 54,
    OPT_WANTED = 55,
    OPT_T1 = 58,
    OPT_T2 = 59,
    OPT_END = 255,
};

struct dhcp_head {
    uint8_t op, hardware, hardware_len, hops;
    uint32_t xid;
    uint16_t seconds, flags;
    uint32_t client, yours, server, relay;
    uint8_t mac[16], name[64], file[128];
    uint32_t cookie;
} WIRE;

/* What an answer says; 0 where it says nothing. */
struct dhcp_answer {
    uint32_t type, server, yours, mask, router, dns[2], lease, t1, t2;
};

static uint8_t *option_put(uint8_t *p, uint8_t code, const void *value, uint8_t len)
{
    *p++ = code;
    *p++ = len;
    memcpy(p, value, len);
    return p + len;
}

static uint8_t *option_put_ip(uint8_t *p, uint8_t code, uint32_t ip)
{
    uint32_t wire = be32(ip);
    return option_put(p, code, &wire, 4);
}

static uint8_t *dhcp_options(struct netstack *ns, uint8_t *p, uint8_t type)
{
    static const uint8_t wanted[] = {OPT_MASK, OPT_ROUTER, OPT_DNS, OPT_LEASE, OPT_T1, OPT_T2};
    const struct dhcp *d = &ns->dhcp;
    size_t name = strnlen(ns->config.hostname, sizeof ns->config.hostname);
    p = option_put(p, OPT_TYPE, &type, 1);
    if (d->state == DHCP_REQUESTING) {
        p = option_put_ip(p, OPT_REQUESTED, d->offered);
        p = option_put_ip(p, OPT_SERVER, d->server);
    }
    if (name)
        p = option_put(p, OPT_HOSTNAME, ns->config.hostname, (uint8_t)name);
    p = option_put(p, OPT_WANTED, wanted, sizeof wanted);
    *p++ = OPT_END;
    return p;
}

static void dhcp_send(struct netstack *ns, uint8_t type)
{
    struct dhcp *d = &ns->dhcp;
    union {
        struct dhcp_head head;
        uint8_t bytes[sizeof(struct dhcp_head) + 128];
    } m;
    bool ours = d->state == DHCP_RENEWING || d->state == DHCP_REBINDING;
    memset(&m, 0, sizeof m);
    m.head.op = 1;
    m.head.hardware = 1;
    m.head.hardware_len = 6;
    m.head.xid = d->xid;
    m.head.seconds = be16((uint16_t)((ns->now - d->began) >> 30));
    m.head.client = ours ? be32(ns->info.addr) : 0;
    m.head.cookie = be32(DHCP_COOKIE);
    memcpy(m.head.mac, ns->info.mac, 6);
    uint8_t *end = dhcp_options(ns, m.bytes + sizeof m.head, type);
    size_t len = (size_t)(end - m.bytes);
    struct net_addr from = {ours ? ns->info.addr : 0, 68};
    struct net_addr to = {d->state == DHCP_RENEWING ? d->server : 0xffffffffu, 67};
    udp_send_raw(ns, &from, &to, m.bytes, len < DHCP_MESSAGE ? DHCP_MESSAGE : len, 0, 0);
}

static void dhcp_wake_at(struct netstack *ns, uint64_t when)
{
    timers_arm(&ns->timers, &ns->dhcp.timer, when);
}

static void dhcp_configured(struct netstack *ns)
{
    if (ns->host.configured)
        ns->host.configured(ns->host.arg);
}

/* Waits 1, 2, 4 ... 64 seconds, each about a quarter longer or shorter by chance. */
static uint64_t dhcp_backoff(struct netstack *ns)
{
    struct dhcp *d = &ns->dhcp;
    unsigned shift = d->tries < 6 ? d->tries : 6;
    uint64_t wait = NET_SECOND << shift;
    d->tries++;
    if (d->tries >= DHCP_PATIENCE && !d->settled) {
        d->settled = true;
        dhcp_configured(ns);
    }
    return ns->now + wait - (wait >> 3) + ((wait >> 10) * (ns_random(ns) & 255));
}

static void dhcp_discover(struct netstack *ns)
{
    struct dhcp *d = &ns->dhcp;
    if (d->state != DHCP_SELECTING) {
        d->state = DHCP_SELECTING;
        d->began = ns->now;
        d->tries = 0;
        d->xid = ns_random(ns);
    }
    dhcp_send(ns, DISCOVER);
    dhcp_wake_at(ns, dhcp_backoff(ns));
}

static void dhcp_lose(struct netstack *ns)
{
    struct netstack_info *info = &ns->info;
    info->addr = info->mask = info->gateway = info->dns[0] = info->dns[1] = 0;
    arp_forget(ns);
    dhcp_configured(ns);
    dhcp_discover(ns);
}

/* Asks for more time: half of what is left, but a minute at least. */
static void dhcp_renew(struct netstack *ns)
{
    struct dhcp *d = &ns->dhcp;
    if (ns->now >= d->expire_at) {
        dhcp_lose(ns);
        return;
    }
    bool late = ns->now >= d->rebind_at;
    uint64_t end = late ? d->expire_at : d->rebind_at, half = (end - ns->now) / 2;
    if (d->state == DHCP_BOUND)
        d->xid = ns_random(ns);
    d->state = late ? DHCP_REBINDING : DHCP_RENEWING;
    dhcp_send(ns, REQUEST);
    dhcp_wake_at(ns, half < 60 * NET_SECOND ? end : ns->now + half);
}

static void dhcp_turn(struct net_timer *timer)
{
    struct netstack *ns = CONTAINER_OF(timer, struct netstack, dhcp.timer);
    struct dhcp *d = &ns->dhcp;
    if (d->state == DHCP_REQUESTING && d->tries < DHCP_PATIENCE) {
        dhcp_send(ns, REQUEST);
        dhcp_wake_at(ns, dhcp_backoff(ns));
    } else if (d->state >= DHCP_BOUND) {
        dhcp_renew(ns);
    } else {
        dhcp_discover(ns);
    }
}

void dhcp_start(struct netstack *ns)
{
    ns->dhcp.timer.fire = dhcp_turn;
    ns->dhcp.state = DHCP_OFF;
    dhcp_discover(ns);
}

static uint32_t option_ip(const uint8_t *value, unsigned len, unsigned index)
{
    uint32_t wire;
    if (len < 4 * index + 4)
        return 0;
    memcpy(&wire, value + 4 * index, 4);
    return be32(wire);
}

static void option_read(struct dhcp_answer *a, uint8_t code, const uint8_t *value, unsigned len)
{
    uint32_t word = option_ip(value, len, 0);
    switch (code) {
    case OPT_TYPE:
        a->type = len ? value[0] : 0;
        break;
    case OPT_SERVER:
        a->server = word;
        break;
    case OPT_MASK:
        a->mask = word;
        break;
    case OPT_ROUTER:
        a->router = word;
        break;
    case OPT_DNS:
        a->dns[0] = word;
        a->dns[1] = option_ip(value, len, 1);
        break;
    case OPT_LEASE:
        a->lease = word;
        break;
    case OPT_T1:
        a->t1 = word;
        break;
    case OPT_T2:
        a->t2 = word;
        break;
    default:
        break;
    }
}

static void answer_read(struct dhcp_answer *a, const uint8_t *data, size_t len)
{
    size_t at = sizeof(struct dhcp_head);
    while (at < len && data[at] != OPT_END) {
        if (data[at] == OPT_PAD) {
            at++;
            continue;
        }
        if (len - at < 2 || data[at + 1] > len - at - 2)
            break;
        option_read(a, data[at], data + at + 2, data[at + 1]);
        at += 2u + data[at + 1];
    }
}

/* Whether the address is one that a host can have. */
static bool address_is_usable(uint32_t ip, uint32_t mask)
{
    return ip && !ip_is_loopback(ip) && ip >> 28 < 14 && !(~mask & (~mask + 1)) &&
           (mask >= 0xfffffffeu || ((ip & ~mask) && (ip | mask) != 0xffffffffu));
}

static uint64_t lease_ns(uint32_t seconds)
{
    return seconds == 0xffffffffu ? UINT64_MAX / 4 : seconds * NET_SECOND;
}

static void dhcp_bind(struct netstack *ns, const struct dhcp_answer *a)
{
    struct dhcp *d = &ns->dhcp;
    struct netstack_info *info = &ns->info;
    uint64_t lease = lease_ns(a->lease ? a->lease : 3600);
    bool changed = info->addr != a->yours;
    d->state = DHCP_BOUND;
    d->tries = 0;
    d->settled = true;
    if (a->server)
        d->server = a->server;
    d->renew_at = ns->now + (a->t1 ? lease_ns(a->t1) : lease / 2);
    d->rebind_at = ns->now + (a->t2 ? lease_ns(a->t2) : lease - lease / 8);
    d->expire_at = ns->now + lease;
    info->addr = a->yours;
    info->mask = a->mask ? a->mask : 0xffffff00u;
    info->gateway = a->router;
    memcpy(info->dns, a->dns, sizeof info->dns);
    dhcp_wake_at(ns, d->renew_at < d->expire_at ? d->renew_at : d->expire_at);
    if (changed)
        arp_announce(ns);
    dhcp_configured(ns);
}

static void dhcp_offered(struct netstack *ns, const struct dhcp_answer *a)
{
    struct dhcp *d = &ns->dhcp;
    d->state = DHCP_REQUESTING;
    d->offered = a->yours;
    d->server = a->server;
    d->tries = 0;
    dhcp_send(ns, REQUEST);
    dhcp_wake_at(ns, dhcp_backoff(ns));
}

void dhcp_input(struct netstack *ns, const uint8_t *data, size_t len)
{
    const struct dhcp_head *head = (const struct dhcp_head *)data;
    struct dhcp *d = &ns->dhcp;
    struct dhcp_answer a = {0};
    if (len < sizeof *head || head->op != 2 || head->xid != d->xid ||
        head->cookie != be32(DHCP_COOKIE) || memcmp(head->mac, ns->info.mac, 6))
        return;
    answer_read(&a, data, len);
    a.yours = be32(head->yours);
    bool usable = address_is_usable(a.yours, a.mask ? a.mask : 0xffffff00u);
    bool waiting =
        d->state == DHCP_REQUESTING || d->state == DHCP_RENEWING || d->state == DHCP_REBINDING;
    if (a.type == OFFER && d->state == DHCP_SELECTING && usable && a.server)
        dhcp_offered(ns, &a);
    else if (a.type == ACK && waiting && usable)
        dhcp_bind(ns, &a);
    else if (a.type == NAK && waiting)
        dhcp_lose(ns);
}

void dhcp_stop(struct netstack *ns)
{
    timers_cancel(&ns->timers, &ns->dhcp.timer);
    ns->dhcp.state = DHCP_OFF;
}
