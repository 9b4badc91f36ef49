/* SPDX-License-Identifier: MIT */
/* /proc/net: the interface as ifconfig and route want to read it, and the name servers. */
#include "guests/ilwaco/fs/procfs.h"
#include "guests/ilwaco/socket.h"

void proc_resolv_conf(struct text *text)
{
    char servers[128];
    text_bytes(text, servers, (uint32_t)net_resolv_conf(servers, sizeof servers));
}

static void put_counters(struct text *text, const char *name, const struct netstack_info *i)
{
    text_put(text, "%6s: %llu %llu 0 %llu 0 0 0 0 %llu %llu 0 %llu 0 0 0 0\n", name, i->rx_bytes,
             i->rx_frames, i->rx_dropped, i->tx_bytes, i->tx_frames, i->tx_dropped);
}

void proc_net_dev(struct text *text)
{
    struct netstack_info info, none = {0};
    netstack_info(net_stack(), &info);
    text_put(text, "Inter-|   Receive                                                |  Transmit\n"
                   " face |bytes    packets errs drop fifo frame compressed multicast|bytes    "
                   "packets errs drop fifo colls carrier compressed\n");
    put_counters(text, "lo", &none);
    if (info.mtu)
        put_counters(text, "eth0", &info);
}

/* Addresses are hexadecimal words as they lie in memory. */
static void put_route(struct text *text, uint32_t dst, uint32_t gateway, uint32_t mask)
{
    text_put(text, "eth0\t%08x\t%08x\t%04x\t0\t0\t0\t%08x\t0\t0\t0\n", be32(dst), be32(gateway),
             gateway ? 3 : 1, be32(mask));
}

void proc_net_route(struct text *text)
{
    struct netstack_info info;
    netstack_info(net_stack(), &info);
    text_put(text, "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow"
                   "\tIRTT\n");
    if (info.addr && info.gateway)
        put_route(text, 0, info.gateway, 0);
    if (info.addr)
        put_route(text, info.addr & info.mask, 0, info.mask);
}
