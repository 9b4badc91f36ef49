/* SPDX-License-Identifier: MIT */
/*
 * ICMP (RFC 792, 1122): echo is answered, errors are told to whom they concern,
 * our own errors are few (a rate limit) and never answer a broadcast, a fragment
 * or another error.
 */
#include "guests/ilwaco/net/internal.h"

#define QUOTE_MAX 548 /* of the packet that failed: all that fits 576 bytes */

static void icmp_echo(struct netstack *ns, const struct ip_in *in)
{
    struct ip_out out = {.src = in->dst, .dst = in->src, .protocol = NET_ICMP, .tos = in->tos};
    uint8_t *copy = frame_payload(ns);
    bool big = in->len > ip_room(ns, in->src);
    if (big)
        copy = pool_pages(&ns->pool, FRAGMENT_PAGES);
    if (!copy)
        return;
    memcpy(copy, in->data, in->len);
    struct icmp_head *head = (struct icmp_head *)copy;
    head->type = ICMP_ECHO_REPLY;
    head->checksum = 0;
    head->checksum = wire_fold(wire_sum(copy, in->len, 0));
    if (!big) {
        ip_send(ns, &out, in->len);
        return;
    }
    ip_send_bytes(ns, &out, copy, in->len);
    pool_pages_free(&ns->pool, copy, FRAGMENT_PAGES);
}

static int unreachable_error(uint8_t code)
{
    static const uint8_t errors[] = {ENETUNREACH, EHOSTUNREACH, ENOPROTOOPT, ECONNREFUSED,
                                     EMSGSIZE};
    return code < sizeof errors ? errors[code] : EHOSTUNREACH;
}

void icmp_input(struct netstack *ns, const struct ip_in *in)
{
    const struct icmp_head *head = (const struct icmp_head *)in->data;
    if (in->len < ICMP_LEN || wire_fold(wire_sum(in->data, in->len, 0)))
        return;
    const uint8_t *quote = in->data + ICMP_LEN;
    uint32_t quote_len = in->len - ICMP_LEN;
    if (head->type == ICMP_ECHO && !in->broadcast)
        icmp_echo(ns, in);
    else if (head->type == ICMP_UNREACHABLE)
        ip_failed(ns, quote, quote_len, unreachable_error(head->code),
                  head->code == 4 ? be16(head->sequence) : 0);
    else if (head->type == ICMP_TIME_EXCEEDED || head->type == ICMP_PARAMETER)
        ip_failed(ns, quote, quote_len, EHOSTUNREACH, 0);
}

void icmp_unreachable(struct netstack *ns, const struct ip_in *in, uint8_t code)
{
    if (in->broadcast || !in->src || !ns_token_error(ns))
        return;
    size_t head_len = (in->head->version_ihl & 15u) * 4;
    size_t quote = head_len + in->len < QUOTE_MAX ? head_len + in->len : QUOTE_MAX;
    struct icmp_head *head = (struct icmp_head *)frame_payload(ns);
    *head = (struct icmp_head){.type = ICMP_UNREACHABLE, .code = code};
    memcpy(head + 1, in->head, quote);
    head->checksum = wire_fold(wire_sum(head, ICMP_LEN + quote, 0));
    struct ip_out out = {.src = in->dst, .dst = in->src, .protocol = NET_ICMP};
    ip_send(ns, &out, ICMP_LEN + quote);
}
