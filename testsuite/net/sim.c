/* SPDX-License-Identifier: MIT */
/* Two stacks, one wire, virtual time. Frames in flight are a binary heap by arrival. */
#include "testsuite/net/sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct flying {
    uint64_t due, order;
    unsigned to;
    uint32_t len;
    uint8_t bytes[1514];
};

struct side {
    struct sim *sim;
    unsigned number;
    struct netstack *ns;
    uint32_t pages, in_flight;
    uint64_t line_free; /* when the last frame has left */
    bool was_full;
};

struct sim {
    struct side side[2];
    struct sim_fault fault;
    uint64_t now, random, frames;
    bool cut;
    void (*seen)(void *arg, unsigned to, const uint8_t *frame, size_t len);
    void *seen_arg;
    struct flying **heap;
    size_t count, room;
};

void sim_fail(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: not true: %s\n", file, line, what);
    exit(1);
}

__attribute__((noreturn)) void kernel_bug(const char *file, int line, const char *message);
void kernel_bug(const char *file, int line, const char *message)
{
    fprintf(stderr, "%s:%d: %s\n", file, line, message);
    abort();
}

uint64_t sim_random(struct sim *sim)
{
    uint64_t z = sim->random += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static bool chance(struct sim *sim, uint32_t of_65536)
{
    return (sim_random(sim) & 0xffff) < of_65536;
}

/* ---- the heap ---- */

static bool before(const struct flying *a, const struct flying *b)
{
    return a->due < b->due || (a->due == b->due && a->order < b->order);
}

static void heap_push(struct sim *sim, struct flying *f)
{
    if (sim->count == sim->room) {
        sim->room = sim->room ? sim->room * 2 : 256;
        sim->heap = realloc(sim->heap, sim->room * sizeof *sim->heap);
        REQUIRE(sim->heap);
    }
    size_t at = sim->count++;
    for (; at && before(f, sim->heap[(at - 1) / 2]); at = (at - 1) / 2)
        sim->heap[at] = sim->heap[(at - 1) / 2];
    sim->heap[at] = f;
}

static struct flying *heap_pop(struct sim *sim)
{
    struct flying *top = sim->heap[0], *f = sim->heap[--sim->count];
    size_t at = 0, child;
    while ((child = 2 * at + 1) < sim->count) {
        if (child + 1 < sim->count && before(sim->heap[child + 1], sim->heap[child]))
            child++;
        if (!before(sim->heap[child], f))
            break;
        sim->heap[at] = sim->heap[child];
        at = child;
    }
    sim->heap[at] = f;
    return top;
}

/* ---- the wire ---- */

static uint32_t sum_of(const uint8_t *p, size_t len, uint32_t sum)
{
    for (size_t i = 0; i + 1 < len; i += 2)
        sum += (uint32_t)(p[i] << 8 | p[i + 1]);
    return len & 1 ? sum + (uint32_t)(p[len - 1] << 8) : sum;
}

static void tcp_checksum(uint8_t *ip)
{
    size_t len = (size_t)(ip[2] << 8 | ip[3]) - 20;
    uint8_t *tcp = ip + 20;
    tcp[16] = tcp[17] = 0;
    uint32_t sum = sum_of(ip + 12, 8, 6 + (uint32_t)len);
    sum = sum_of(tcp, len, sum);
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    tcp[16] = (uint8_t)(~sum >> 8);
    tcp[17] = (uint8_t)~sum;
}

/* Strikes options out of a SYN, as some middle boxes do. */
static void strike_options(const struct sim_fault *fault, uint8_t *frame, size_t len)
{
    uint8_t *ip = frame + 14, *tcp = ip + 20;
    if (len < 54 || frame[12] != 8 || frame[13] != 0 || ip[9] != 6 || !(tcp[13] & 2))
        return;
    uint8_t *p = tcp + 20, *end = tcp + (tcp[12] >> 4) * 4;
    while (p < end && *p) {
        uint8_t size = *p == 1 ? 1 : p[1];
        bool strike = (*p == 4 && fault->no_sack) || (*p == 8 && fault->no_timestamps) ||
                      (*p == 3 && fault->no_scale);
        if (strike)
            memset(p, 1, size);
        p += size;
    }
    tcp_checksum(ip);
}

static void fly(struct sim *sim, unsigned to, const void *frame, size_t len, uint64_t due)
{
    struct flying *f = malloc(sizeof *f);
    REQUIRE(f);
    f->due = due;
    f->order = sim->frames;
    f->to = to;
    f->len = (uint32_t)len;
    memcpy(f->bytes, frame, len);
    strike_options(&sim->fault, f->bytes, len);
    sim->side[!to].in_flight++;
    heap_push(sim, f);
}

static int wire_output(void *arg, const void *frame, size_t len)
{
    struct side *side = arg;
    struct sim *sim = side->sim;
    const struct sim_fault *fault = &sim->fault;
    REQUIRE(len >= 14 && len <= 1514);
    if (fault->room && side->in_flight >= fault->room) {
        side->was_full = true;
        return -11;
    }
    sim->frames++;
    if (side->line_free < sim->now)
        side->line_free = sim->now;
    side->line_free += len * fault->byte_ns;
    uint64_t due = side->line_free + fault->delay_ns;
    uint8_t copy[1514];
    memcpy(copy, frame, len);
    if (sim->cut || chance(sim, fault->loss))
        return 0;
    if (chance(sim, fault->reorder))
        due += sim_random(sim) % (2 * fault->delay_ns + 1);
    if (chance(sim, fault->corrupt))
        copy[sim_random(sim) % len] ^= (uint8_t)(1u << (sim_random(sim) & 7));
    fly(sim, !side->number, copy, len, due);
    if (chance(sim, fault->duplicate))
        fly(sim, !side->number, copy, len, due + sim_random(sim) % (fault->delay_ns + 1));
    return 0;
}

/* ---- the host of a stack ---- */

static uint64_t host_clock(void *arg)
{
    return ((struct side *)arg)->sim->now;
}

static void *host_pages(void *arg, uint32_t pages)
{
    struct side *side = arg;
    void *p = aligned_alloc(4096, pages * 4096u);
    REQUIRE(p);
    memset(p, 0, pages * 4096u);
    side->pages += pages;
    return p;
}

static void host_pages_free(void *arg, void *p, uint32_t pages)
{
    ((struct side *)arg)->pages -= pages;
    free(p);
}

static void side_create(struct sim *sim, unsigned number)
{
    struct side *side = &sim->side[number];
    struct netstack_host host = {side,        host_clock, host_pages, host_pages_free,
                                 wire_output, NULL,       NULL};
    struct netstack_config config = {
        .mac = {2, 0, 0, 0, 0, (uint8_t)(number + 1)},
        .mtu = 1500,
        .addr = sim->fault.dhcp && !number ? 0 : NET_IP(10, 0, 0, 1) + number,
        .mask = 0xffffff00,
        .max_pages = 4096,
    };
    for (unsigned i = 0; i < 16; i++)
        config.secret[i] = (uint8_t)sim_random(sim);
    side->sim = sim;
    side->number = number;
    side->ns = aligned_alloc(16, (netstack_bytes() + 15) & ~(size_t)15);
    REQUIRE(side->ns);
    netstack_init(side->ns, &config, &host);
}

struct sim *sim_create(uint64_t seed, const struct sim_fault *fault)
{
    struct sim *sim = calloc(1, sizeof *sim);
    REQUIRE(sim);
    sim->random = seed;
    sim->now = 1000000000u + (sim_random(sim) & 0xffffffffffff);
    sim->fault = *fault;
    side_create(sim, 0);
    side_create(sim, 1);
    return sim;
}

void sim_destroy(struct sim *sim)
{
    for (unsigned i = 0; i < 2; i++) {
        netstack_fini(sim->side[i].ns);
        REQUIRE(sim->side[i].pages == 0);
        free(sim->side[i].ns);
    }
    while (sim->count)
        free(heap_pop(sim));
    free(sim->heap);
    free(sim);
}

struct netstack *sim_stack(struct sim *sim, unsigned side)
{
    return sim->side[side].ns;
}

uint64_t sim_now(const struct sim *sim)
{
    return sim->now;
}

uint64_t sim_frames(const struct sim *sim)
{
    return sim->frames;
}

uint32_t sim_pages(const struct sim *sim, unsigned side)
{
    return sim->side[side].pages;
}

void sim_cut(struct sim *sim, bool cut)
{
    sim->cut = cut;
}

void sim_watch(struct sim *sim,
               void (*seen)(void *arg, unsigned to, const uint8_t *frame, size_t len), void *arg)
{
    sim->seen = seen;
    sim->seen_arg = arg;
}

static void deliver(struct sim *sim, struct flying *f)
{
    struct side *from = &sim->side[!f->to];
    if (sim->seen)
        sim->seen(sim->seen_arg, f->to, f->bytes, f->len);
    netstack_input(sim->side[f->to].ns, f->bytes, f->len);
    from->in_flight--;
    if (from->was_full) {
        from->was_full = false;
        netstack_output_ready(from->ns);
    }
    free(f);
}

static uint64_t next_event(const struct sim *sim)
{
    uint64_t next = sim->count ? sim->heap[0]->due : UINT64_MAX;
    for (unsigned i = 0; i < 2; i++) {
        uint64_t due = netstack_deadline(sim->side[i].ns);
        next = due < next ? due : next;
    }
    return next;
}

void sim_step_until(struct sim *sim, uint64_t next)
{
    uint64_t event = next_event(sim);
    next = event < next ? event : next;
    if (next > sim->now)
        sim->now = next;
    while (sim->count && sim->heap[0]->due <= sim->now)
        deliver(sim, heap_pop(sim));
    netstack_poll(sim->side[0].ns);
    netstack_poll(sim->side[1].ns);
}

bool sim_step(struct sim *sim)
{
    if (next_event(sim) == UINT64_MAX)
        return false;
    sim_step_until(sim, UINT64_MAX);
    return true;
}

/* ---- io ---- */

static int copy_out(struct net_io *io, void *kernel, size_t n)
{
    struct sim_io *s = (struct sim_io *)io;
    memcpy(s->at, kernel, n);
    s->at += n;
    s->io.left -= n;
    return 0;
}

static int copy_in(struct net_io *io, void *kernel, size_t n)
{
    struct sim_io *s = (struct sim_io *)io;
    memcpy(kernel, s->at, n);
    s->at += n;
    s->io.left -= n;
    return 0;
}

void sim_io_read(struct sim_io *io, void *buffer, size_t room)
{
    *io = (struct sim_io){{copy_out, room}, buffer};
}

void sim_io_write(struct sim_io *io, const void *buffer, size_t len)
{
    *io = (struct sim_io){{copy_in, len}, (uint8_t *)(uintptr_t)buffer};
}
