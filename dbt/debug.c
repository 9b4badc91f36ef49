/* SPDX-License-Identifier: MIT */
/*
 * A processor with a debugger has an image of its own: blocks end before its
 * breakpoints, which nobody else is to pay for. No block begins at a
 * breakpoint, so control comes to run.c there, by a miss or an unchained jump.
 */
#include "dbt/engine_state.h"

#include "emu/base/host_thread.h"

/* Where there is no memory for an image, the interpreter runs until there is. */
static void have_own_image(struct dbt_cpu *d)
{
    d->key = 0;
    if (d->cpu->debug)
        d->cpu->debug->looked_for = false;
    if (d->image && d->image->key) {
        member_leave(d);
        d->expelled = member_join(d, 0) != 0;
    } else if (d->image) {
        d->image->debug = d->cpu->debug;
    }
}

static void retranslate(struct image *image, uint32_t first, uint32_t last)
{
    host_lock_enter(&image->lock);
    member_halt_all(image);
    for (uint32_t page = first; page <= last; page++)
        image_retranslate_page(image, page);
    member_resume_all(image);
    host_lock_leave(&image->lock);
}

void debug_changed(struct dbt_cpu *d, uint32_t linear, uint32_t len)
{
    if (!len)
        have_own_image(d);
    else if (d->image)
        retranslate(d->image, linear >> PAGE_BITS, (linear + (len - 1)) >> PAGE_BITS);
}

/* After so many faults in watched pages, blocks look by themselves. */
#define WATCH_FAULTS 300u

static void retranslate_all(struct image *image)
{
    host_lock_enter(&image->lock);
    member_halt_all(image);
    for (uint32_t i = 0; i < image->log_end; i++)
        image_retranslate_page(image, image->log[i]);
    member_resume_all(image);
    host_lock_leave(&image->lock);
}

/* The host writes the flat machine's words, and translated code does for INT. */
static bool holds_flat_words(const struct cpu *cpu, const struct cpu_watch *w)
{
    uint32_t page = cpu->flat->trap_entry >> PAGE_BITS;
    return w->linear >> PAGE_BITS <= page && (w->linear + (w->len - 1)) >> PAGE_BITS >= page;
}

static bool can_look(const struct dbt_cpu *d)
{
    const struct cpu_debug *debug = d->cpu->debug;
    bool can = host_has_bmi2() && d->image && !d->image->key && debug->watch_count <= IMAGE_WATCHES;
    for (uint32_t i = 0; can && i < debug->watch_count; i++)
        can = !holds_flat_words(d->cpu, &debug->watch[i]);
    return can;
}

static void stop_looking(struct dbt_cpu *d)
{
    d->watch_faults = 0;
    d->cpu->debug->looked_for = false;
    if (!d->image || !d->image->watches)
        return;
    d->image->watches = 0;
    retranslate_all(d->image);
}

static void start_looking(struct dbt_cpu *d)
{
    const struct cpu_debug *debug = d->cpu->debug;
    bool fits = can_look(d);
    d->image->watches = 0;
    d->image->watch_reads = false;
    for (uint32_t i = 0; fits && i < debug->watch_count; i++) {
        d->watch[i] = debug->watch[i];
        d->image->watch_reads |= (debug->watch[i].access & CPU_WATCH_READ) != 0;
        fits = image_watch_at(d->image, debug->watch[i].linear, debug->watch[i].len);
    }
    if (!fits) {
        d->image->watches = 0;
        return;
    }
    retranslate_all(d->image);
    d->cpu->debug->looked_for = true;
}

void debug_count_fault(struct dbt_cpu *d)
{
    if (d->image && ++d->watch_faults == WATCH_FAULTS)
        start_looking(d);
}

static bool same_watches(const struct dbt_cpu *d)
{
    const struct cpu_debug *debug = d->cpu->debug;
    bool same = debug->watch_count == d->image->watches;
    for (uint32_t i = 0; same && i < debug->watch_count; i++)
        same = debug->watch[i].linear == d->watch[i].linear &&
               debug->watch[i].len == d->watch[i].len &&
               debug->watch[i].access == d->watch[i].access;
    return same;
}

void debug_enter(struct dbt_cpu *d)
{
    if (d->cpu->debug->looked_for && !(d->image && same_watches(d)))
        stop_looking(d);
    if (!d->cpu->debug->looked_for && !d->cpu->debug->watch_count)
        d->watch_faults = 0;
}
