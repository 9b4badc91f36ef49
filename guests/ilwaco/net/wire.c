/* SPDX-License-Identifier: MIT */
/* Checksums (RFC 1071). Sums are kept in 32 bits, folded after each part. */
#include "guests/ilwaco/net/wire.h"

static uint32_t sum_fold(uint64_t sum)
{
    sum = (sum & 0xffffffffu) + (sum >> 32);
    sum = (sum & 0xffffffffu) + (sum >> 32);
    return (uint32_t)((sum & 0xffff) + (sum >> 16));
}

uint32_t wire_sum(const void *data, size_t len, uint32_t sum)
{
    const uint8_t *p = data;
    uint64_t total = sum;
    uint32_t word[4];
    for (; len >= sizeof word; len -= sizeof word, p += sizeof word) {
        memcpy(word, p, sizeof word);
        total += (uint64_t)word[0] + word[1];
        total += (uint64_t)word[2] + word[3];
    }
    for (; len >= 2; len -= 2, p += 2) {
        uint16_t half;
        memcpy(&half, p, sizeof half);
        total += half;
    }
    if (len)
        total += *p;
    return sum_fold(total);
}

uint16_t wire_fold(uint32_t sum)
{
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

uint32_t wire_pseudo(uint32_t src, uint32_t dst, uint8_t protocol, size_t len)
{
    uint64_t sum = (uint64_t)src + dst + be16(protocol) + be16((uint16_t)len);
    return sum_fold(sum);
}
