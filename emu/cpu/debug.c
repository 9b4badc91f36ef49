/* SPDX-License-Identifier: MIT */
/*
 * What is set, and when an engine has to notice. The engine hears of
 * breakpoints when run() begins, so that a front end which takes all of them
 * away at each stop and puts them back costs nothing.
 *
 * Invariants: `breaks` is sorted and has no address twice; one with count 0 is
 * there only until the engine knows. The marks in RAM are those that `watch`
 * asks for, at all times; pages are armed only while translated code runs.
 */
#include "emu/cpu/debug.h"

#include "emu/cpu/mem.h"
#include "emu/cpu/pc/mmu.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The first of the sorted breakpoints that is not below `linear`. */
static uint32_t lower_bound(const struct cpu_debug *d, uint32_t linear)
{
    uint32_t low = 0, high = d->breaks_count;
    while (low < high) {
        uint32_t mid = (low + high) / 2;
        if (d->breaks[mid].linear < linear)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static struct cpu_break *find_break(const struct cpu_debug *d, uint32_t linear)
{
    uint32_t at = lower_bound(d, linear);
    return at < d->breaks_count && d->breaks[at].linear == linear ? &d->breaks[at] : NULL;
}

/* One more element for a growing array; NULL: no memory. */
static void *grow(void *array, uint32_t count, uint32_t *room, size_t size)
{
    if (count < *room)
        return array;
    uint32_t more = *room ? *room * 2 : 8;
    void *bigger = realloc(array, more * size);
    if (bigger)
        *room = more;
    return bigger;
}

int cpu_debug_open(struct cpu *cpu)
{
    struct cpu_debug *d = cpu->debug;
    if (!d)
        d = calloc(1, sizeof(*d));
    if (!d)
        return -ENOMEM;
    d->cpu = cpu;
    d->users++;
    if (cpu->debug)
        return 0;
    cpu->debug = d;
    cpu->engine->ops->debug(cpu->engine, cpu, 0, 0);
    return 0;
}

static void unmark_all(struct cpu_debug *d);

void cpu_debug_close(struct cpu *cpu)
{
    struct cpu_debug *d = cpu->debug;
    if (!d || --d->users)
        return;
    cpu_debug_disarm(cpu);
    unmark_all(d);
    cpu->debug = NULL;
    if (cpu->engine)
        cpu->engine->ops->debug(cpu->engine, cpu, 0, 0);
    free(d->breaks);
    free(d->watch);
    free(d->watch_page);
    free(d);
}

/* Breakpoints. */

static struct cpu_break *insert_break(struct cpu_debug *d, uint32_t linear)
{
    void *bigger = grow(d->breaks, d->breaks_count, &d->breaks_room, sizeof(*d->breaks));
    if (!bigger)
        return NULL;
    d->breaks = bigger;
    uint32_t at = lower_bound(d, linear);
    struct cpu_break *b = &d->breaks[at];
    memmove(b + 1, b, (d->breaks_count - at) * sizeof(*b));
    d->breaks_count++;
    *b = (struct cpu_break){.linear = linear};
    return b;
}

int cpu_debug_break(struct cpu *cpu, uint32_t linear)
{
    struct cpu_debug *d = cpu->debug;
    struct cpu_break *b = find_break(d, linear);
    if (!b)
        b = insert_break(d, linear);
    if (!b)
        return -ENOMEM;
    b->count++;
    d->dirty = true;
    return 0;
}

int cpu_debug_unbreak(struct cpu *cpu, uint32_t linear)
{
    struct cpu_break *b = cpu->debug ? find_break(cpu->debug, linear) : NULL;
    if (!b || !b->count)
        return -ENOENT;
    b->count--;
    cpu->debug->dirty = true;
    return 0;
}

bool cpu_debug_has_break(const struct cpu *cpu, uint32_t linear)
{
    const struct cpu_break *b = cpu->debug ? find_break(cpu->debug, linear) : NULL;
    return b && b->count;
}

bool cpu_debug_divides(const struct cpu_debug *debug, uint32_t linear)
{
    const struct cpu_break *b = find_break(debug, linear);
    return b && b->count;
}

/* Tells the engine what has changed, and drops what is gone. */
static void tell_engine(struct cpu_debug *d)
{
    struct cpu *cpu = d->cpu;
    uint32_t kept = 0;
    d->dirty = false;
    for (uint32_t i = 0; i < d->breaks_count; i++) {
        struct cpu_break b = d->breaks[i];
        if (b.known != (b.count != 0)) {
            d->generation++;
            cpu->engine->ops->debug(cpu->engine, cpu, b.linear, 1);
        }
        b.known = b.count != 0;
        if (b.known)
            d->breaks[kept++] = b;
    }
    d->breaks_count = kept;
}

static uint32_t linear_eip(const struct cpu *cpu)
{
    return cpu_seg_base(cpu, ISA_CS) + cpu->eip;
}

void cpu_debug_pass(struct cpu *cpu)
{
    struct cpu_debug *d = cpu->debug;
    d->now.passes = true;
    d->now.pass_eip = linear_eip(cpu);
    d->now.pass_esp = cpu->gpr[ISA_ESP];
}

bool cpu_debug_stops_here(struct cpu *cpu)
{
    struct cpu_debug *d = cpu->debug;
    uint32_t linear = linear_eip(cpu);
    bool passes =
        d->now.passes && d->now.pass_eip == linear && d->now.pass_esp == cpu->gpr[ISA_ESP];
    if (!cpu_debug_divides(d, linear))
        return false;
    d->now.passes = false;
    return !passes;
}

/* Watchpoints. */

static bool overlaps(uint32_t a, uint32_t a_len, uint32_t b, uint32_t b_len)
{
    return (uint64_t)a < (uint64_t)b + b_len && (uint64_t)b < (uint64_t)a + a_len;
}

unsigned cpu_debug_page_watched(const struct cpu_debug *debug, uint32_t page)
{
    unsigned access = 0;
    for (uint32_t i = 0; i < debug->watch_count; i++) {
        const struct cpu_watch *w = &debug->watch[i];
        if (overlaps(w->linear, w->len, page << PAGE_BITS, PAGE_SIZE))
            access |= w->access;
    }
    return access;
}

static int mark_page(struct cpu_debug *d, uint32_t page)
{
    unsigned access = cpu_debug_page_watched(d, page);
    unsigned marks = ((access & CPU_WATCH_READ) ? RAM_WATCH_READ : 0) |
                     ((access & CPU_WATCH_WRITE) ? RAM_WATCH_WRITE : 0);
    if (!d->cpu->flat || page >= ram_view(d->cpu->ram)->pages)
        return 0; /* what is not RAM faults anyway */
    return ram_watch(d->cpu->ram, (gpa_t)page << PAGE_BITS, marks);
}

static uint32_t first_page(const struct cpu_watch *w)
{
    return w->linear >> PAGE_BITS;
}

static uint32_t last_page(const struct cpu_watch *w)
{
    return (w->linear + w->len - 1) >> PAGE_BITS;
}

static int mark_pages(struct cpu_debug *d, const struct cpu_watch *w)
{
    int err = 0;
    for (uint32_t page = first_page(w); !err && page <= last_page(w); page++)
        err = mark_page(d, page);
    return err;
}

static void unmark_all(struct cpu_debug *d)
{
    d->watch_count = 0;
    for (uint32_t i = 0; i < d->watch_pages; i++)
        if (mark_page(d, d->watch_page[i]))
            BUG_ON(true, "the rights of a page that nobody watches any more cannot be restored");
}

static int compare_pages(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* All pages of all watchpoints, each once. */
static int list_pages(struct cpu_debug *d)
{
    uint32_t count = 0, kept = 0;
    for (uint32_t i = 0; i < d->watch_count; i++)
        count += last_page(&d->watch[i]) - first_page(&d->watch[i]) + 1;
    uint32_t *page = realloc(d->watch_page, (count + 1) * sizeof(*page));
    if (!page)
        return -ENOMEM;
    d->watch_page = page;
    count = 0;
    for (uint32_t i = 0; i < d->watch_count; i++)
        for (uint32_t p = first_page(&d->watch[i]); p <= last_page(&d->watch[i]); p++)
            page[count++] = p;
    qsort(page, count, sizeof(*page), compare_pages);
    for (uint32_t i = 0; i < count; i++)
        if (!i || page[i] != page[i - 1])
            page[kept++] = page[i];
    d->watch_pages = kept;
    return 0;
}

static struct cpu_watch *find_watch(const struct cpu_debug *d, uint32_t linear, uint32_t len,
                                    enum cpu_watch_access access)
{
    for (uint32_t i = 0; i < d->watch_count; i++) {
        struct cpu_watch *w = &d->watch[i];
        if (w->linear == linear && w->len == len && w->access == access)
            return w;
    }
    return NULL;
}

static void drop_watch(struct cpu_debug *d, struct cpu_watch *w)
{
    struct cpu_watch gone = *w;
    *w = d->watch[--d->watch_count];
    if (mark_pages(d, &gone) || list_pages(d))
        BUG_ON(true, "less to watch needs no more memory");
}

static int add_watch(struct cpu_debug *d, const struct cpu_watch *watch)
{
    void *bigger = grow(d->watch, d->watch_count, &d->watch_room, sizeof(*d->watch));
    if (!bigger)
        return -ENOMEM;
    d->watch = bigger;
    d->watch[d->watch_count++] = *watch;
    int err = list_pages(d);
    if (!err)
        err = mark_pages(d, watch);
    if (err)
        drop_watch(d, &d->watch[d->watch_count - 1]);
    return err;
}

static bool is_watchable(const struct cpu_watch *w)
{
    return w->len && w->access && w->len - 1 <= UINT32_MAX - w->linear &&
           last_page(w) - first_page(w) < CPU_WATCH_MAX_PAGES;
}

int cpu_debug_watch(struct cpu *cpu, uint32_t linear, uint32_t len, enum cpu_watch_access access)
{
    struct cpu_watch watch = {.linear = linear, .len = len, .access = (uint8_t)access, .count = 1};
    struct cpu_watch *w = find_watch(cpu->debug, linear, len, access);
    if (!is_watchable(&watch))
        return -EINVAL;
    if (!w)
        return add_watch(cpu->debug, &watch);
    w->count++;
    return 0;
}

int cpu_debug_unwatch(struct cpu *cpu, uint32_t linear, uint32_t len, enum cpu_watch_access access)
{
    struct cpu_watch *w = cpu->debug ? find_watch(cpu->debug, linear, len, access) : NULL;
    if (!w)
        return -ENOENT;
    if (!--w->count)
        drop_watch(cpu->debug, w);
    return 0;
}

bool cpu_debug_arm(struct cpu *cpu)
{
    struct cpu_debug *d = cpu->debug;
    uint32_t pages = ram_view(cpu->ram)->pages;
    if (d->armed || !d->watch_pages || !cpu->flat || d->looked_for)
        return true;
    d->armed = true;
    for (uint32_t i = 0; i < d->watch_pages; i++)
        if (d->watch_page[i] < pages &&
            ram_arm(cpu->ram, (gpa_t)d->watch_page[i] << PAGE_BITS, true))
            return false;
    return true;
}

void cpu_debug_disarm(struct cpu *cpu)
{
    struct cpu_debug *d = cpu->debug;
    uint32_t pages = ram_view(cpu->ram)->pages;
    if (!d->armed)
        return;
    d->armed = false;
    for (uint32_t i = 0; i < d->watch_pages; i++)
        if (d->watch_page[i] < pages &&
            ram_arm(cpu->ram, (gpa_t)d->watch_page[i] << PAGE_BITS, false))
            BUG_ON(true, "the host does not give a page back");
}

/* Hits. */

/* A watched byte as it is now; NULL: a device's, which may not be asked what it would say. */
static const uint8_t *find_byte(struct cpu *cpu, uint32_t linear)
{
    struct bus_page page;
    gpa_t gpa;
    if (cpu->flat)
        return cpu_page_raw(cpu, linear, 1, 0);
    if (!mmu_peek(cpu, linear, &gpa))
        return NULL;
    bus_find_page(cpu->pc.bus, gpa, &page);
    return page.host ? page.host + (gpa & PAGE_MASK) : NULL;
}

static bool is_memory(struct cpu *cpu, const struct cpu_watch *w)
{
    for (uint32_t i = 0; i < w->len; i++)
        if (!find_byte(cpu, w->linear + i))
            return false;
    return true;
}

static uint8_t values_of(struct cpu *cpu, const struct cpu_watch *w)
{
    if (!is_memory(cpu, w))
        return 0;
    return (uint8_t)(w->len < CPU_WATCH_VALUE ? w->len : CPU_WATCH_VALUE);
}

static void look(struct cpu *cpu, const struct cpu_watch_hit *hit, uint8_t *out)
{
    for (uint32_t i = 0; i < hit->values; i++) {
        const uint8_t *at = find_byte(cpu, hit->at + i);
        out[i] = at ? *at : 0;
    }
}

static void begin_hit(struct cpu *cpu, const struct cpu_watch *w, uint32_t linear, uint32_t len)
{
    struct cpu_watch_hit *hit = &cpu->debug->now.hit;
    uint32_t from = linear > w->linear ? linear : w->linear;
    uint64_t end = (uint64_t)linear + len, w_end = (uint64_t)w->linear + w->len;
    *hit = (struct cpu_watch_hit){
        .linear = from,
        .len = (uint32_t)((end < w_end ? end : w_end) - from),
        .at = w->linear,
        .at_len = w->len,
        .at_access = w->access,
        .values = values_of(cpu, w),
    };
    look(cpu, hit, hit->before);
    cpu->debug->now.touched = true;
    cpu->code_written = 1; /* the interpreter's block ends after this instruction */
}

void cpu_debug_touch(struct cpu *cpu, uint32_t linear, uint32_t len, enum cpu_watch_access access)
{
    struct cpu_debug *d = cpu->debug;
    for (uint32_t i = 0; i < d->watch_count; i++) {
        const struct cpu_watch *w = &d->watch[i];
        if (!(w->access & access) || !overlaps(w->linear, w->len, linear, len))
            continue;
        if (!d->now.touched)
            begin_hit(cpu, w, linear, len);
        if (d->now.hit.at == w->linear && d->now.hit.at_len == w->len &&
            d->now.hit.at_access == w->access)
            d->now.hit.access |= (uint8_t)access;
    }
}

static bool has_changed(const struct cpu_watch_hit *hit)
{
    return memcmp(hit->before, hit->after, hit->values) != 0;
}

/* The hit is complete: it is told now. */
static enum engine_exit take_hit(struct cpu *cpu)
{
    struct cpu_debug *d = cpu->debug;
    d->now.touched = false;
    d->now.passes = false;
    return ENGINE_EXIT_WATCHPOINT;
}

enum engine_exit cpu_debug_after(struct cpu *cpu, uint32_t eip, enum cpu_status status,
                                 enum engine_exit exit)
{
    struct cpu_debug *d = cpu->debug;
    if (!d || !d->now.touched)
        return exit;
    d->now.hit.eip = eip;
    look(cpu, &d->now.hit, d->now.hit.after);
    if (status == CPU_EXIT)
        return exit; /* first what the instruction asks for; cpu_debug_enter tells the rest */
    if (status == CPU_FAULT && !has_changed(&d->now.hit)) {
        d->now.touched = false;
        return exit;
    }
    d->now.trap = status == CPU_OK && exit == ENGINE_EXIT_FAULT;
    d->now.faulted = status == CPU_FAULT && exit == ENGINE_EXIT_FAULT;
    d->now.fault = cpu->fault;
    d->now.fault_eip = cpu->eip;
    return take_hit(cpu);
}

/* Not by doing the instruction again: it may have overwritten itself. */
static bool take_fault(struct cpu *cpu, enum engine_exit *exit)
{
    struct cpu_debug_now *now = &cpu->debug->now;
    now->faulted = false;
    if (cpu->eip != now->fault_eip)
        return false; /* the debugger has sent it elsewhere */
    cpu->fault = now->fault;
    *exit = ENGINE_EXIT_FAULT;
    return true;
}

bool cpu_debug_enter(struct cpu *cpu, enum engine_exit *exit)
{
    struct cpu_debug *d = cpu->debug;
    if (d->dirty)
        tell_engine(d);
    if (d->now.touched) {
        *exit = take_hit(cpu);
        return true;
    }
    if (d->now.faulted)
        return take_fault(cpu, exit);
    if (!d->now.trap)
        return false;
    d->now.trap = false;
    cpu->fault = (struct cpu_fault){.vector = CPU_DB};
    *exit = ENGINE_EXIT_FAULT;
    return true;
}
