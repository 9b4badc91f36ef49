/* SPDX-License-Identifier: MIT */
/*
 * Who of the guests has which MAC. libslirp remembers sixteen, and asks once for each
 * packet that waits; a LAN has thousands. What guests send tells us, and libslirp's
 * questions are answered here, a few at a time, so that it has used an answer before
 * it forgets it.
 */
#ifndef DENALI_NAT_NEIGHBOURS_H
#define DENALI_NAT_NEIGHBOURS_H

#include "devices/net.h"

#define NEIGHBOURS (1u << 16) /* by the last bits of their addresses */
#define NEIGHBOUR_QUESTIONS 1024u
#define NEIGHBOUR_BATCH 8u
#define NEIGHBOUR_ANSWER_BYTES 42u

struct neighbour {
    uint32_t ip; /* 0: none */
    uint8_t mac[6];
};

struct neighbours {
    uint32_t net, mask;
    struct neighbour *of;
    uint8_t asker[6]; /* libslirp's MAC and address, as it asks */
    uint32_t asker_ip;
    uint32_t first, count; /* questions, a ring */
    uint32_t question[NEIGHBOUR_QUESTIONS];
};

MUST_CHECK int neighbours_init(struct neighbours *n, uint32_t net, unsigned prefix);
void neighbours_fini(struct neighbours *n);
/* A frame came from a guest. */
void neighbours_note_in(struct neighbours *n, const uint8_t *frame, size_t len);
/* A frame goes to a guest; true: it is a question that will be answered here. */
bool neighbours_note_out(struct neighbours *n, const uint8_t *frame, size_t len);
/* The next answer for libslirp; false: no question is left. */
bool neighbours_answer(struct neighbours *n, uint8_t answer[NEIGHBOUR_ANSWER_BYTES]);

#endif
