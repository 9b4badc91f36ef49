/* SPDX-License-Identifier: MIT */
/*
 * The stack as a whole: its clock, its secrets, frames in, what is due.
 *
 * Time is read once at each entry and is the same for all that the entry does.
 */
#include "guests/ilwaco/net/internal.h"

#define TOKENS_A_SECOND 100

void ns_enter(struct netstack *ns)
{
    ns->now = ns->host.clock_ns(ns->host.arg);
}

/* ---- SipHash-2-4 of two words, keyed with the secret ---- */

static uint64_t rotate(uint64_t x, unsigned by)
{
    return x << by | x >> (64 - by);
}

static void sip_rounds(uint64_t v[4], unsigned rounds)
{
    while (rounds--) {
        v[0] += v[1], v[1] = rotate(v[1], 13) ^ v[0], v[0] = rotate(v[0], 32);
        v[2] += v[3], v[3] = rotate(v[3], 16) ^ v[2];
        v[0] += v[3], v[3] = rotate(v[3], 21) ^ v[0];
        v[2] += v[1], v[1] = rotate(v[1], 17) ^ v[2], v[2] = rotate(v[2], 32);
    }
}

static void sip_word(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    sip_rounds(v, 2);
    v[0] ^= word;
}

uint64_t ns_hash(const struct netstack *ns, uint64_t a, uint64_t b)
{
    uint64_t key[2];
    memcpy(key, ns->config.secret, sizeof key);
    uint64_t v[4] = {key[0] ^ 0x736f6d6570736575u, key[1] ^ 0x646f72616e646f6du,
                     key[0] ^ 0x6c7967656e657261u, key[1] ^ 0x7465646279746573u};
    sip_word(v, a);
    sip_word(v, b);
    sip_word(v, (uint64_t)16 << 56);
    v[2] ^= 0xff;
    sip_rounds(v, 4);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint32_t ns_random(struct netstack *ns)
{
    return (uint32_t)ns_hash(ns, ++ns->random, ns->now);
}

static void tokens_refill(struct netstack *ns)
{
    if (ns->now < ns->tokens_at)
        return;
    ns->tokens_at = ns->now + NET_SECOND;
    /* The number of challenges must not be guessable, or it tells of other connections. */
    ns->challenge_tokens = TOKENS_A_SECOND / 2 + ns_random(ns) % TOKENS_A_SECOND;
    ns->error_tokens = TOKENS_A_SECOND;
}

bool ns_token_error(struct netstack *ns)
{
    tokens_refill(ns);
    if (!ns->error_tokens)
        return false;
    ns->error_tokens--;
    return true;
}

bool ns_token_challenge(struct netstack *ns)
{
    tokens_refill(ns);
    if (!ns->challenge_tokens)
        return false;
    ns->challenge_tokens--;
    return true;
}

/* ---- life ---- */

size_t netstack_bytes(void)
{
    return sizeof(struct netstack);
}

static void interface_address(struct netstack *ns)
{
    struct netstack_info *info = &ns->info;
    const struct netstack_config *c = &ns->config;
    info->addr = c->addr;
    info->mask = c->mask;
    info->gateway = c->gateway;
    memcpy(info->dns, c->dns, sizeof info->dns);
}

void netstack_readdress(struct netstack *ns, const struct netstack_config *config)
{
    struct netstack_config *c = &ns->config;
    memcpy(c->mac, config->mac, sizeof c->mac);
    memcpy(ns->info.mac, config->mac, sizeof c->mac);
    memcpy(c->secret, config->secret, sizeof c->secret);
    memcpy(c->dns, config->dns, sizeof c->dns);
    c->addr = config->addr;
    c->mask = config->mask;
    c->gateway = config->gateway;
    arp_forget(ns);
    interface_address(ns);
}

static void interface_init(struct netstack *ns)
{
    struct netstack_info *info = &ns->info;
    const struct netstack_config *c = &ns->config;
    memcpy(info->mac, c->mac, sizeof info->mac);
    info->mtu = c->mtu < NET_MTU_MAX ? c->mtu : NET_MTU_MAX;
    if (!info->mtu)
        return;
    if (!c->addr) {
        dhcp_start(ns);
        return;
    }
    interface_address(ns);
    arp_announce(ns);
}

void netstack_init(struct netstack *ns, const struct netstack_config *config,
                   const struct netstack_host *host)
{
    memset(ns, 0, sizeof *ns);
    ns->host = *host;
    ns->frame = host->frame ? host->frame : ns->own_frame;
    ns->config = *config;
    ns_enter(ns);
    pool_init(&ns->pool, &ns->host, config->max_pages);
    ns->chunks.pool = &ns->pool;
    ns->chunks.chunks.size = CHUNK_SIZE;
    ns->ranges_kind.size = (sizeof(struct ranges) + 15u) & ~15u;
    ns->dgram_kind.size = (sizeof(struct dgram_sock) + 15u) & ~15u;
    list_init(&ns->udp);
    list_init(&ns->raw);
    ns->loop_end = &ns->loop_first;
    ns->ip_id = (uint16_t)ns_random(ns);
    tcp_init(ns);
    arp_init(ns);
    fragments_init(ns);
    interface_init(ns);
}

void netstack_fini(struct netstack *ns)
{
    arp_forget(ns);
    fragments_clear(ns);
    loopback_clear(ns);
    tcp_fini(ns);
    pool_trim(&ns->pool);
}

void netstack_finish(struct netstack *ns)
{
    ns_enter(ns);
    tcp_finish(ns);
}

bool netstack_busy(const struct netstack *ns)
{
    return ns->arp_pending || tcp_is_busy(ns);
}

/* ---- frames and time ---- */

static bool frame_is_ours(const struct netstack *ns, const struct eth_head *eth)
{
    return !memcmp(eth->dst, ns->info.mac, sizeof eth->dst) || eth->dst[0] & 1;
}

void netstack_input(struct netstack *ns, const void *frame, size_t len)
{
    const struct eth_head *eth = frame;
    ns_enter(ns);
    if (len < ETH_LEN || !ns->info.mtu || !frame_is_ours(ns, eth)) {
        ns->info.rx_dropped++;
        return;
    }
    ns->info.rx_frames++;
    ns->info.rx_bytes += len;
    const uint8_t *data = (const uint8_t *)frame + ETH_LEN;
    if (eth->type == be16(ETH_IP))
        ip_input(ns, data, len - ETH_LEN, false);
    else if (eth->type == be16(ETH_ARP))
        arp_input(ns, data, len - ETH_LEN);
}

void netstack_poll(struct netstack *ns)
{
    struct net_timer *timer;
    ns_enter(ns);
    while ((timer = timers_take(&ns->timers, ns->now)))
        timer->fire(timer);
    tcp_run_output(ns);
    loopback_run(ns);
    tcp_reap(ns);
}

uint64_t netstack_deadline(const struct netstack *ns)
{
    if (ns->loop_first || (!list_empty(&ns->tcp_output) && !ns->output_full))
        return ns->now;
    return timers_next(&ns->timers);
}

void netstack_output_ready(struct netstack *ns)
{
    ns->output_full = false;
    netstack_poll(ns);
}

void netstack_info(const struct netstack *ns, struct netstack_info *out)
{
    *out = ns->info;
    out->waiting = ns->dhcp.state != DHCP_OFF && !ns->dhcp.settled;
    out->pages = ns->pool.pages;
}
