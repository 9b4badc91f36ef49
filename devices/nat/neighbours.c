/* SPDX-License-Identifier: MIT */
/* A table by the last bits of the address: who shares them with another overwrites it, and is
 * asked on the LAN. */
#include "devices/nat/neighbours.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t arp_head[8] = {0, 1, 8, 0, 6, 4, 0, 1};

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void put32(uint8_t *p, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        p[i] = (uint8_t)(value >> (24 - 8 * i));
}

int neighbours_init(struct neighbours *n, uint32_t net, unsigned prefix)
{
    n->net = net;
    n->mask = ~0u << (32 - prefix);
    n->of = calloc(NEIGHBOURS, sizeof(*n->of));
    return n->of ? 0 : -ENOMEM;
}

void neighbours_fini(struct neighbours *n)
{
    free(n->of);
}

static struct neighbour *place_of(const struct neighbours *n, uint32_t ip)
{
    return &n->of[ip % NEIGHBOURS];
}

static bool is_arp(const uint8_t *frame, size_t len)
{
    return len >= NEIGHBOUR_ANSWER_BYTES && frame[12] == 8 && frame[13] == 6 &&
           !memcmp(frame + 14, arp_head, 7);
}

void neighbours_note_in(struct neighbours *n, const uint8_t *frame, size_t len)
{
    uint32_t ip = 0;
    if (is_arp(frame, len))
        ip = get32(frame + 28);
    else if (len >= 34 && frame[12] == 8 && frame[13] == 0)
        ip = get32(frame + 26);
    if ((ip & n->mask) != n->net || frame[6] & 1)
        return;
    struct neighbour *at = place_of(n, ip);
    at->ip = ip;
    memcpy(at->mac, frame + 6, 6);
}

bool neighbours_note_out(struct neighbours *n, const uint8_t *frame, size_t len)
{
    if (!is_arp(frame, len) || frame[21] != 1)
        return false;
    uint32_t ip = get32(frame + 38);
    if (place_of(n, ip)->ip != ip || n->count == NEIGHBOUR_QUESTIONS)
        return false;
    memcpy(n->asker, frame + 22, 6);
    n->asker_ip = get32(frame + 28);
    n->question[(n->first + n->count++) % NEIGHBOUR_QUESTIONS] = ip;
    return true;
}

bool neighbours_answer(struct neighbours *n, uint8_t answer[NEIGHBOUR_ANSWER_BYTES])
{
    if (!n->count)
        return false;
    uint32_t ip = n->question[n->first];
    n->first = (n->first + 1) % NEIGHBOUR_QUESTIONS;
    n->count--;
    const struct neighbour *of = place_of(n, ip);
    memcpy(answer, n->asker, 6);
    memcpy(answer + 6, of->mac, 6);
    answer[12] = 8;
    answer[13] = 6;
    memcpy(answer + 14, arp_head, sizeof(arp_head));
    answer[21] = 2;
    memcpy(answer + 22, of->mac, 6);
    put32(answer + 28, ip);
    memcpy(answer + 32, n->asker, 6);
    put32(answer + 38, n->asker_ip);
    return true;
}
