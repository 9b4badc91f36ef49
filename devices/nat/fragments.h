/* SPDX-License-Identifier: MIT */
/*
 * Fragments of IP datagrams on their way to libslirp, whose 4.7 puts them together well when they
 * come in order, and writes through pointers that lead nowhere when a datagram's first one to
 * arrive is not its beginning: one frame of a guest ended the process. So a fragment passes only
 * where its datagram has got to, and with a header that libslirp will not refuse; a datagram whose
 * fragments come in another order, or twice, is lost, as on a bad wire.
 */
#ifndef DENALI_NAT_FRAGMENTS_H
#define DENALI_NAT_FRAGMENTS_H

#include "devices/net.h"

#define FRAGMENTS 256u       /* datagrams that are not whole */
#define FRAGMENTS_OF_ONE 16u /* of one guest */
#define FRAGMENTS_LIVE_MS                                                                          \
    20000 /* libslirp gives them up after 30 s, by a clock that may be slow: */
#define FRAGMENTS_BLOCK_MS 120000 /* so a datagram that began is not begun again before this */

struct fragments_datagram {
    uint32_t from, to, id; /* id: with the protocol above it */
    uint32_t next;         /* offset of the fragment that may come; 0: a free place */
    int64_t begun_ms;
};

struct fragments {
    struct fragments_datagram datagram[FRAGMENTS];
};

/* A frame came from a guest, and goes to libslirp if this says so. */
bool fragments_let_pass(struct fragments *f, const uint8_t *frame, size_t len, int64_t now_ms);

#endif
