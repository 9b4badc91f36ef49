/* SPDX-License-Identifier: MIT */
/*
 * The NAT process: libslirp between one SOCK_SEQPACKET descriptor (a message is
 * an Ethernet frame) and the host's sockets.
 */
#ifndef DENALI_NAT_H
#define DENALI_NAT_H

#include "devices/net_backends.h"

struct nat;

/*
 * Makes a NAT on `fd` for the guests of `side` and binds the ports of `publish`. 0, or a
 * negative errno with `why` filled in.
 */
MUST_CHECK int nat_create(int fd, const struct net_user_side *side,
                          const struct net_publish *publish, size_t count, struct nat **out,
                          struct net_error *why);

/* Moves frames until the other side closes `fd`. */
void nat_run(struct nat *nat);

void nat_destroy(struct nat *nat);

#endif
