/* SPDX-License-Identifier: MIT */
/*
 * Processors and the images they belong to. The lock order is engine, then
 * image. A member goes into the cache without a lock: it says so first, then
 * looks whether the image is halted; who halts says so first, then waits for
 * all who are inside. Both are sequentially consistent, so one sees the other.
 */
#include "dbt/engine_state.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

#include "emu/machine/ram.h"

static bool same_machine(const struct image *image, const struct cpu *cpu)
{
    return !memcmp(&image->flat, cpu->flat, sizeof(image->flat)) &&
           image->virtual_tsc == (cpu->virtual_tsc != 0);
}

static void counters_add(struct engine_counters *sum, const struct engine_counters *more)
{
    sum->blocks += more->blocks;
    sum->guest_bytes += more->guest_bytes;
    sum->host_bytes += more->host_bytes;
    sum->smc += more->smc;
    sum->evictions += more->evictions;
}

static void drop_image(struct dbt *dbt, struct image *image)
{
    struct image **at = &dbt->images;
    while (*at != image)
        at = &(*at)->next;
    *at = image->next;
    counters_add(&dbt->retired, &image->counters);
    image_destroy(image);
}

static void add_member(struct image *image, struct dbt_cpu *d)
{
    d->next = image->members;
    d->image = image;
    d->expelled = false;
    image->members = d;
}

static void remove_member(struct image *image, struct dbt_cpu *d)
{
    struct dbt_cpu **at = &image->members;
    while (*at != d)
        at = &(*at)->next;
    *at = d->next;
    d->image = NULL;
}

/* Joins an image if this processor's memory really holds its code. */
static bool join_existing(struct image *image, struct dbt_cpu *d)
{
    host_lock_enter(&image->lock);
    d->checked = 0;
    bool same = smc_check(image, d);
    if (same)
        add_member(image, d);
    host_lock_leave(&image->lock);
    return same;
}

static bool join_any(struct dbt *dbt, struct dbt_cpu *d, uint64_t key)
{
    for (struct image *image = dbt->images; image; image = image->next)
        if (image->key == key && same_machine(image, d->cpu) && join_existing(image, d))
            return true;
    return false;
}

static int join_new(struct dbt *dbt, struct dbt_cpu *d, uint64_t key)
{
    struct image *image;
    int err = image_create(key, d->cpu, dbt->options.cache_bytes, &image);
    if (err)
        return err;
    if (dbt->options.verify)
        err = verifier_create(&image->verifier);
    if (!err && dbt->options.count)
        err = image_make_ramp(image);
    if (!err && dbt->options.hits)
        err = image_make_hits(image);
    if (err) {
        image_destroy(image);
        return err;
    }
    image->counting = dbt->options.count;
    image->coverage = dbt->options.coverage;
    image->debug = key ? NULL : d->cpu->debug;
    if (d->cpu->debug)
        d->cpu->debug->looked_for = false;
    image->next = dbt->images;
    dbt->images = image;
    d->checked = 0;
    add_member(image, d);
    return 0;
}

int member_join(struct dbt_cpu *d, uint64_t key)
{
    struct dbt *dbt = d->dbt;
    int err = 0;
    host_lock_enter(&dbt->lock);
    if (!key || !join_any(dbt, d, key))
        err = join_new(dbt, d, key);
    host_lock_leave(&dbt->lock);
    return err;
}

void member_leave(struct dbt_cpu *d)
{
    struct dbt *dbt = d->dbt;
    struct image *image = d->image;
    if (!image)
        return;
    host_lock_enter(&dbt->lock);
    host_lock_enter(&image->lock);
    remove_member(image, d);
    bool last = !image->members;
    host_lock_leave(&image->lock);
    if (last)
        drop_image(dbt, image);
    host_lock_leave(&dbt->lock);
}

/* Waits for whoever halted the image, and looks at what is new in it. */
static void look_again(struct image *image, struct dbt_cpu *d)
{
    host_lock_enter(&image->lock);
    if (!d->expelled && !smc_check(image, d))
        d->expelled = true;
    host_lock_leave(&image->lock);
}

bool member_go_inside(struct dbt_cpu *d)
{
    struct image *image = d->image;
    __atomic_store_n(&d->inside, true, __ATOMIC_SEQ_CST);
    if (!__atomic_load_n(&image->halted, __ATOMIC_SEQ_CST) &&
        !__atomic_load_n(&d->expelled, __ATOMIC_SEQ_CST) &&
        d->checked == __atomic_load_n(&image->log_end, __ATOMIC_SEQ_CST))
        return true;
    member_go_outside(d);
    look_again(image, d);
    return false;
}

void member_go_outside(struct dbt_cpu *d)
{
    __atomic_store_n(&d->inside, false, __ATOMIC_SEQ_CST);
}

static void wait_outside(const struct dbt_cpu *d)
{
    while (__atomic_load_n(&d->inside, __ATOMIC_SEQ_CST)) {
        host_signal_kick(&d->scope);
        sched_yield();
    }
}

void member_halt_all(struct image *image)
{
    __atomic_store_n(&image->halted, true, __ATOMIC_SEQ_CST);
    for (struct dbt_cpu *d = image->members; d; d = d->next)
        wait_outside(d);
}

void member_resume_all(struct image *image)
{
    __atomic_store_n(&image->halted, false, __ATOMIC_SEQ_CST);
}

void member_expel(struct dbt_cpu *d)
{
    __atomic_store_n(&d->expelled, true, __ATOMIC_SEQ_CST);
    wait_outside(d);
}
