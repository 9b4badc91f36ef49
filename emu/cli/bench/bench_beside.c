/* SPDX-License-Identifier: MIT */
/*
 * The other half of bench interrupts: one processor, and VMs that never idle. Each walks a buffer
 * as large as a processor's own cache, again and again, and after so many walks sends a frame to
 * any other of them. Synchronously each frame takes the processor from its sender; in batches it
 * waits for its VM's turn. So this shows what an early switch costs, by itself: no client, whose
 * bursts make batches of their own in either arm, and nothing that depends on what else
 * the machine does. What is counted is frames, hence work done, by the time that the processor was
 * had.
 */
#include "emu/cli/bench/bench_beside.h"

#include "emu/base/host.h"
#include "emu/cli/bench/bench_guests.h"

#include <errno.h>
#include <string.h>

#define WALK "131072"
#define FRAME_LEN 60u
#define SETTLE_NS 100000000u
#define LOOK_NS 20000000u
#define TOLD_NS 100000u
#define TOLD 0xa5 /* as in guests/load.c */
#define HEAD 22u  /* IPv4 in an Ethernet frame, from its type to the end of its addresses */

/* Until the processor has been had for so long. */
static void wait_worked(struct bench_guests *g, uint64_t ns, struct pool_counters *out)
{
    pool_count(g->pool, out);
    for (uint64_t end = out->worker_ns + ns; out->worker_ns < end; pool_count(g->pool, out))
        host_poll(NULL, 0, LOOK_NS);
}

static uint32_t number_of(struct bench_guests *g, uint32_t vm)
{
    uint8_t mac[6];
    lan_port_mac(pool_vm_port(g->vm[vm]), mac);
    return (uint32_t)mac[3] << 16 | (uint32_t)mac[4] << 8 | mac[5];
}

/* Each begins when it is told of the others. */
static int start(struct bench_guests *g, struct why *why)
{
    uint32_t first = number_of(g, 0);
    for (uint32_t i = 0; i < g->vms; i++) {
        uint8_t bytes[FRAME_LEN - 12] = {0x08, 0, 0x45};
        uint32_t ip = BENCH_GUEST_IP + i;
        if (number_of(g, i) != first + i)
            return why_fail(why, -EINVAL, "the VMs' ports are not in a row");
        for (unsigned k = 0; k < 4; k++)
            bytes[18 + k] = (uint8_t)(ip >> (24 - 8 * k));
        memcpy(bytes + HEAD, &first, 4);
        memcpy(bytes + HEAD + 4, &g->vms, 4);
        bytes[HEAD + 8] = TOLD;
        bench_guests_tell(g, i, bytes, sizeof(bytes));
        while (lan_waits(pool_vm_port(g->vm[i])))
            host_poll(NULL, 0, TOLD_NS); /* one after the other: else all are urgent for ever */
    }
    return 0;
}

static void measure(struct bench_guests *g, struct bench_beside_result *out)
{
    struct pool_counters before, after;
    struct lan_counters from, to;
    wait_worked(g, SETTLE_NS + g->vms * (uint64_t)1000000, &before);
    lan_count(g->lan, &from);
    wait_worked(g, BENCH_BESIDE_NS, &after);
    lan_count(g->lan, &to);
    double s = (double)(after.worker_ns - before.worker_ns) / 1e9;
    uint64_t batches = after.batches - before.batches, frames = to.frames - from.frames;
    *out = (struct bench_beside_result){
        .frames_per_s = (double)frames / s,
        .dropped = frames ? (double)(to.dropped - from.dropped) / (double)frames : 0,
        .switches = frames ? (double)(after.switches - before.switches) / (double)frames : 0,
        .batch = batches ? (double)(after.interrupts - before.interrupts) / (double)batches : 0};
}

int bench_beside(const struct bench_options *o, uint32_t vms, bool sync,
                 struct bench_beside_result *out, struct why *why)
{
    const char *const words[] = {"compute", WALK, NULL};
    struct bench_options one = *o;
    struct bench_guests g;
    one.workers = 1;
    one.sync_interrupts = sync;
    int err = bench_guests_init(&g, &one, words, why);
    if (!err)
        err = bench_guests_add(&g, vms, why);
    if (!err)
        err = start(&g, why);
    if (!err)
        measure(&g, out);
    bench_guests_fini(&g);
    return err;
}
