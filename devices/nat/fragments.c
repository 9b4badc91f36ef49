/* SPDX-License-Identifier: MIT */
/* What is not a fragment is not looked at further: libslirp has its own eyes for that. */
#include "devices/nat/fragments.h"

#define ETH 14u
#define IP_MIN 20u
#define IP_MAX 65535u
#define RESERVED 0x8000u
#define MORE 0x2000u

static uint32_t get16(const uint8_t *p)
{
    return (uint32_t)p[0] << 8 | p[1];
}

static uint32_t get32(const uint8_t *p)
{
    return get16(p) << 16 | get16(p + 2);
}

static bool is_fragment(const uint8_t *frame, size_t len)
{
    return len >= ETH + IP_MIN && get16(frame + 12) == 0x0800 &&
           get16(frame + ETH + 6) & (RESERVED | MORE | 0x1fff);
}

static bool sum_is_right(const uint8_t *ip, size_t head)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < head; i += 2)
        sum += get16(ip + i);
    sum = (sum & 0xffff) + (sum >> 16);
    return ((sum & 0xffff) + (sum >> 16)) == 0xffff;
}

/* Bytes of the datagram in it; 0: libslirp would drop it, or it cannot be part of anything. */
static uint32_t payload_of(const uint8_t *ip, size_t len)
{
    size_t head = (ip[0] & 15u) * 4, total = get16(ip + 2);
    uint32_t field = get16(ip + 6), offset = (field & 0x1fff) * 8;
    if (ip[0] >> 4 != 4 || head < IP_MIN || total <= head || total > len || !ip[8] ||
        field & RESERVED || !sum_is_right(ip, head))
        return 0;
    uint32_t payload = (uint32_t)(total - head);
    if ((field & MORE && payload % 8) || offset + payload + head > IP_MAX)
        return 0;
    return payload;
}

static bool is_same(const struct fragments_datagram *a, const struct fragments_datagram *b)
{
    return a->next && a->from == b->from && a->to == b->to && a->id == b->id;
}

/* The datagram's place, or a free one; NULL: the guest, or all of them, have too many. */
static struct fragments_datagram *find(struct fragments *f, const struct fragments_datagram *d,
                                       int64_t now_ms)
{
    struct fragments_datagram *vacant = NULL;
    unsigned own = 0;
    for (unsigned i = 0; i < FRAGMENTS; i++) {
        struct fragments_datagram *at = &f->datagram[i];
        if (at->next && now_ms - at->begun_ms > FRAGMENTS_BLOCK_MS)
            at->next = 0;
        if (is_same(at, d))
            return at;
        own += at->next && at->from == d->from;
        if (!at->next && !vacant)
            vacant = at;
    }
    return own < FRAGMENTS_OF_ONE ? vacant : NULL;
}

bool fragments_let_pass(struct fragments *f, const uint8_t *frame, size_t len, int64_t now_ms)
{
    if (!is_fragment(frame, len))
        return true;
    const uint8_t *ip = frame + ETH;
    uint32_t payload = payload_of(ip, len - ETH), offset = (get16(ip + 6) & 0x1fff) * 8;
    struct fragments_datagram d = {.from = get32(ip + 12),
                                   .to = get32(ip + 16),
                                   .id = get16(ip + 4) << 8 | ip[9],
                                   .begun_ms = now_ms};
    struct fragments_datagram *at = payload ? find(f, &d, now_ms) : NULL;
    if (!at || at->next != offset || (at->next && now_ms - at->begun_ms > FRAGMENTS_LIVE_MS))
        return false;
    if (!at->next)
        *at = d;
    at->next = get16(ip + 6) & MORE ? offset + payload : 0;
    return true;
}
