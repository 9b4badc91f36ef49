/* SPDX-License-Identifier: MIT */
/*
 * A processor with a debugger has an image of its own: blocks end before its
 * breakpoints, which nobody else is to pay for. No block begins at a
 * breakpoint, so control comes to run.c there, by a miss or an unchained jump.
 */
#include "dbt/engine_state.h"

#include "emu/cpu/debug.h"

/* Where there is no memory for an image, the interpreter runs until there is. */
static void have_own_image(struct dbt_cpu *d)
{
    d->key = 0;
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
