/* SPDX-License-Identifier: MIT */
/*
 * DHCP (RFC 2131), answered by the switch itself: a port has one address, which the
 * switch knows, so there is nothing to lease and nothing to remember. The answer goes
 * to the port that asked and nowhere else; the question leaves the LAN by no uplink.
 */
#include "denali/lan/switch_private.h"

#include <string.h>

#define IP_VERSION_AND_WORDS 0x45u /* no options */
#define UDP (ETH_HEAD + 20u)
#define BOOTP (UDP + 8u)
#define OPTIONS (BOOTP + 240u)
#define ANSWER_BYTES (OPTIONS + 60u)
#define COOKIE 0x63825363u
#define LEASE_S 86400u

enum dhcp_type { NONE, DISCOVER, OFFER, REQUEST, DECLINE, ACK, NAK, RELEASE, INFORM };

enum dhcp_option {
    OPT_MASK = 1,
    OPT_ROUTER = 3,
    OPT_DNS = 6,
    OPT_ADDRESS = 50,
    OPT_LEASE = 51,
    OPT_TYPE = 53,
    OPT_SERVER = 54,
    OPT_END = 255
};

struct question {
    const uint8_t *bootp;
    unsigned type;   /* enum dhcp_type */
    uint32_t wanted; /* address; 0: none named */
    uint32_t server; /* 0: none named */
};

static void put16(uint8_t *p, uint32_t value)
{
    p[0] = (uint8_t)(value >> 8);
    p[1] = (uint8_t)value;
}

static void put32(uint8_t *p, uint32_t value)
{
    put16(p, value >> 16);
    put16(p + 2, value);
}

static bool is_question(const struct lan_seen *f)
{
    return f->type == ETH_IP && f->len >= OPTIONS && f->bytes[ETH_HEAD] == IP_VERSION_AND_WORDS &&
           f->bytes[ETH_HEAD + 9] == 17 && !(lan_get16(f->bytes + ETH_HEAD + 6) & 0x3fff) &&
           lan_get16(f->bytes + UDP) == 68 && lan_get16(f->bytes + UDP + 2) == 67;
}

static void read_option(struct question *q, unsigned code, const uint8_t *value, unsigned len)
{
    if (code == OPT_TYPE && len == 1)
        q->type = value[0];
    else if (code == OPT_ADDRESS && len == 4)
        q->wanted = lan_get32(value);
    else if (code == OPT_SERVER && len == 4)
        q->server = lan_get32(value);
}

/* False: no DHCP. */
static bool read_question(const struct lan_seen *f, struct question *q)
{
    *q = (struct question){.bootp = f->bytes + BOOTP};
    if (q->bootp[0] != 1 || q->bootp[1] != 1 || q->bootp[2] != 6 ||
        lan_get32(q->bootp + 236) != COOKIE)
        return false;
    for (size_t at = OPTIONS; at + 1 < f->len && f->bytes[at] != OPT_END;) {
        unsigned len = f->bytes[at + 1];
        if (!f->bytes[at]) { /* padding */
            at++;
            continue;
        }
        if (at + 2 + len > f->len)
            break;
        read_option(q, f->bytes[at], f->bytes + at + 2, len);
        at += 2 + len;
    }
    if (!q->wanted)
        q->wanted = lan_get32(q->bootp + 12);
    return q->type != NONE;
}

/* Who answers: the gateway's address, or else the subnet's first. */
static uint32_t server_ip(const struct lan_subnet *s)
{
    return s->gateway ? s->gateway : s->net + 1;
}

static uint8_t *option(uint8_t *at, unsigned code, uint32_t value)
{
    at[0] = (uint8_t)code;
    at[1] = 4;
    put32(at + 2, value);
    return at + 6;
}

static void write_options(const struct lan *lan, uint8_t *at, enum dhcp_type type)
{
    const struct lan_subnet *s = &lan->subnet;
    static const uint8_t head[] = {OPT_TYPE, 1};
    memcpy(at, head, sizeof(head));
    at[2] = (uint8_t)type;
    at = option(at + 3, OPT_SERVER, server_ip(s));
    if (type != NAK) {
        at = option(at, OPT_LEASE, LEASE_S);
        at = option(at, OPT_MASK, ~0u << (32 - s->prefix));
        if (s->gateway)
            at = option(at, OPT_ROUTER, s->gateway);
        if (s->dns)
            at = option(at, OPT_DNS, s->dns);
    }
    *at = OPT_END;
}

static void write_ip(uint8_t *ip, uint32_t from)
{
    uint32_t sum = 0;
    ip[0] = IP_VERSION_AND_WORDS;
    put16(ip + 2, ANSWER_BYTES - ETH_HEAD);
    ip[8] = 64;
    ip[9] = 17;
    put32(ip + 12, from);
    put32(ip + 16, UINT32_MAX);
    for (unsigned i = 0; i < 20; i += 2)
        sum += lan_get16(ip + i);
    sum = (sum & 0xffff) + (sum >> 16);
    put16(ip + 10, ~(sum + (sum >> 16)));
}

static void write_answer(const struct lan_port *port, const struct question *q, enum dhcp_type type,
                         uint8_t answer[ANSWER_BYTES])
{
    const struct lan *lan = port->lan;
    uint8_t *bootp = answer + BOOTP;
    memset(answer, 0, ANSWER_BYTES);
    lan_port_mac(port, answer);
    lan_port_mac(port, answer + 6);
    memset(answer + 9, 0xff, 3); /* the switch's own number */
    put16(answer + 12, ETH_IP);
    write_ip(answer + ETH_HEAD, server_ip(&lan->subnet));
    put16(answer + UDP, 67);
    put16(answer + UDP + 2, 68);
    put16(answer + UDP + 4, ANSWER_BYTES - UDP); /* no checksum */
    memcpy(bootp, q->bootp, 44);                 /* ids, flags, addresses, chaddr */
    bootp[0] = 2;
    put32(bootp + 16, type == NAK || q->type == INFORM ? 0 : port->ip);
    put32(bootp + 20, server_ip(&lan->subnet));
    put32(bootp + 236, COOKIE);
    write_options(lan, answer + OPTIONS, type);
}

static enum dhcp_type answer_to(const struct lan_port *port, const struct question *q)
{
    if (q->type == DISCOVER)
        return OFFER;
    if (q->type == INFORM)
        return ACK;
    if (q->type != REQUEST || (q->server && q->server != server_ip(&port->lan->subnet)))
        return NONE;
    return q->wanted == port->ip ? ACK : NAK;
}

bool lan_dhcp(struct lan_lane *lane, struct lan_port *port, const struct lan_seen *f)
{
    struct question q;
    uint8_t answer[ANSWER_BYTES];
    if (!port->lan->subnet.prefix || !port->ip || !is_question(f))
        return false;
    enum dhcp_type type = read_question(f, &q) ? answer_to(port, &q) : NONE;
    if (type != NONE) {
        write_answer(port, &q, type, answer);
        lan_deliver(lane, port, port, answer, sizeof(answer));
        lane->counters.dhcp++;
    }
    return true;
}
