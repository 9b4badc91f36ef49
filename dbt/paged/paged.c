/* SPDX-License-Identifier: MIT */
/* A paged guest's part of the engine: making it, and being told of changed memory. */
#include "dbt/paged/paged.h"

#include <errno.h>
#include <stdlib.h>

#include "emu/machine/ram.h"

static void on_code_write(void *opaque, gpa_t gpa, uint64_t len)
{
    struct paged *p = opaque;
    for (uint64_t frame = gpa >> PAGE_BITS; frame <= (gpa + len - 1) >> PAGE_BITS; frame++)
        paged_drop_frame(p, (uint32_t)frame);
}

int paged_create(struct cpu *cpu, const struct engine_options *options, struct paged **out)
{
    if (!__builtin_cpu_supports("bmi2"))
        return -ENOTSUP;
    struct paged *p = calloc(1, sizeof(*p));
    if (!p)
        return -ENOMEM;
    p->scope.on_trap = paged_on_trap;
    p->options = *options;
    p->options.exact |= options->coverage != NULL; /* what ends a budget is told, too */
    p->cpu = cpu;
    p->cache.fd = -1;
    int err = host_signal_prepare();
    if (!err)
        err = interp_cache_create(&p->interp);
    if (!err)
        err = paged_cache_init(p);
    if (err) {
        paged_destroy(p);
        return err;
    }
    cpu->no_fpu_pointers = 1;
    ram_on_code_write(cpu->ram, on_code_write, p);
    *out = p;
    return 0;
}

void paged_destroy(struct paged *p)
{
    ram_on_code_write(p->cpu->ram, NULL, NULL);
    paged_cache_fini(p);
    if (p->interp)
        interp_cache_destroy(p->interp);
    free(p);
}

void paged_forget(struct paged *p, gpa_t gpa, uint64_t len)
{
    uint64_t end = (gpa + len + PAGE_MASK) >> PAGE_BITS;
    paged_drop_others(p);
    for (uint64_t frame = gpa >> PAGE_BITS; frame < end && frame < p->frames; frame++)
        paged_drop_frame(p, (uint32_t)frame);
}

void paged_add_counters(const struct paged *p, struct engine_counters *sum)
{
    const struct engine_counters *more = &p->counters;
    sum->blocks += more->blocks;
    sum->guest_bytes += more->guest_bytes;
    sum->host_bytes += more->host_bytes;
    sum->misses += more->misses;
    sum->exits += more->exits;
    sum->interpreted += more->interpreted;
    sum->smc += more->smc;
    sum->evictions += more->evictions;
    sum->signals += more->signals;
}
