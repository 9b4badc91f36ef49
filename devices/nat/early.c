/* SPDX-License-Identifier: MIT */
/*
 * See early.h. Invariant: after end_ms no client is added, and each that is
 * left is sent one last time, so that whatever the guest answers then counts.
 */
#include "devices/nat/early.h"

#include <string.h>

#define ETHERNET 14u
#define FIRST_WAIT_MS 10
#define LONGEST_WAIT_MS 160
#define TCP_FLAGS 13u
#define SYN 0x02u
#define RST 0x04u
#define ACK 0x10u

/* The TCP header of an IPv4 frame that is long enough to have one, or NULL. */
static const uint8_t *tcp_of(const uint8_t *frame, size_t len)
{
    if (len < ETHERNET + 20 || frame[12] != 8 || frame[13] != 0 || frame[ETHERNET] >> 4 != 4 ||
        frame[ETHERNET + 9] != 6)
        return NULL;
    size_t at = ETHERNET + (frame[ETHERNET] & 15u) * 4u;
    return at >= ETHERNET + 20 && at + 20 <= len ? frame + at : NULL;
}

/* The client whose SYN went from the first port to the second. */
static struct early_client *find(struct early *early, const uint8_t from[2], const uint8_t to[2])
{
    for (unsigned i = 0; i < EARLY_CLIENTS; i++) {
        struct early_client *c = &early->client[i];
        const uint8_t *tcp = c->len ? tcp_of(c->syn, c->len) : NULL;
        if (tcp && !memcmp(tcp, from, 2) && !memcmp(tcp + 2, to, 2))
            return c;
    }
    return NULL;
}

static struct early_client *find_free(struct early *early)
{
    for (unsigned i = 0; i < EARLY_CLIENTS; i++)
        if (!early->client[i].len)
            return &early->client[i];
    return NULL;
}

void early_init(struct early *early, int64_t now_ms)
{
    memset(early, 0, sizeof(*early));
    early->end_ms = now_ms + EARLY_MS;
}

void early_note_out(struct early *early, const uint8_t *frame, size_t len, int64_t now_ms)
{
    const uint8_t *tcp = now_ms < early->end_ms ? tcp_of(frame, len) : NULL;
    if (!tcp || (tcp[TCP_FLAGS] & (SYN | ACK | RST)) != SYN || len > EARLY_SYN_MAX ||
        find(early, tcp, tcp + 2))
        return;
    struct early_client *c = find_free(early);
    if (!c)
        return;
    memcpy(c->syn, frame, len);
    c->len = (uint8_t)len;
    c->wait_ms = FIRST_WAIT_MS;
    c->due_ms = now_ms + c->wait_ms;
}

bool early_note_in(struct early *early, const uint8_t *frame, size_t len, int64_t now_ms)
{
    const uint8_t *tcp = tcp_of(frame, len);
    if (!tcp || !(tcp[TCP_FLAGS] & (SYN | RST)))
        return false;
    struct early_client *c = find(early, tcp + 2, tcp);
    if (!c)
        return false;
    if ((tcp[TCP_FLAGS] & RST) && now_ms < early->end_ms)
        return true;
    c->len = 0;
    return false;
}

int64_t early_run(struct early *early, int64_t now_ms, early_send_fn send, void *opaque)
{
    int64_t next = INT64_MAX;
    for (unsigned i = 0; i < EARLY_CLIENTS; i++) {
        struct early_client *c = &early->client[i];
        if (!c->len)
            continue;
        if (c->due_ms <= now_ms) {
            send(opaque, c->syn, c->len);
            if (now_ms >= early->end_ms) {
                c->len = 0;
                continue;
            }
            c->wait_ms = c->wait_ms < LONGEST_WAIT_MS ? c->wait_ms * 2 : c->wait_ms;
            c->due_ms = now_ms + c->wait_ms;
        }
        next = c->due_ms < next ? c->due_ms : next;
    }
    return next;
}
