/* SPDX-License-Identifier: MIT */
/*
 * A LAN as a configuration names it: a switch, its subnet, and its ways out. With
 * "user" among them there is one NAT process for all its VMs; the host is the subnet's
 * first address, the name server its second. A NAT process that dies is started again,
 * with the ports that were published; VMs on the LAN go on meanwhile.
 *
 * All functions may be called from any thread.
 */
#ifndef DENALI_LAN_NET_H
#define DENALI_LAN_NET_H

#include "denali/lan/switch.h"
#include "denali/lan/uplink.h"
#include "devices/net_backends.h"
#include "emu/base/why.h"

#define LAN_NET_UPLINKS 4

struct lan_net;

struct lan_net_config {
    const char *subnet; /* "10.1.0.0/16"; NULL: none, addresses are not checked nor given */
    /* As --net has them: "user", "tap:NAME", "socket:PATH", each with the words of a bad wire
     * behind commas. "user" needs a subnet and stands at most once. */
    const char *const *uplink;
    unsigned uplinks;
    /* VMs reach what listens on the host's 127.0.0.1 at the subnet's first address. Others'
     * published ports are among it. */
    bool host_loopback;
    const char *pcap;        /* NULL, or a file: what passes the first uplink */
    const char *nat_program; /* NULL: as net_user_config.program */
};

/* 0, or a negative errno and `why`. */
MUST_CHECK int lan_net_create(const struct lan_net_config *config, struct lan_net **out,
                              struct why *why);
/* All VMs have left it. NULL is harmless. */
void lan_net_destroy(struct lan_net *net);

struct lan *lan_net_lan(struct lan_net *net);
/* The subnet, or one with prefix 0. */
struct lan_subnet lan_net_subnet(const struct lan_net *net);

/* A port of the host leads to a VM (guest_addr) from now on, or no longer. -ENOTSUP: no "user";
 * -EADDRINUSE and the like. */
MUST_CHECK int lan_net_publish(struct lan_net *net, const struct net_publish *publish,
                               struct why *why);
MUST_CHECK int lan_net_unpublish(struct lan_net *net, const struct net_publish *publish);
/* All that lead to this address. */
void lan_net_unpublish_all(struct lan_net *net, uint32_t guest_addr);

/* Of uplink `i`; false: there is none. */
bool lan_net_count(struct lan_net *net, unsigned i, struct uplink_counters *out);
/* The NAT's process, 0: none now; and how often it was started again. */
int lan_net_nat_pid(struct lan_net *net, uint32_t *restarts);

#endif
