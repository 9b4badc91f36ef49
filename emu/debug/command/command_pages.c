/* SPDX-License-Identifier: MIT */
/* The guest's page tables, walked as the processor walks them: two levels, or three with PAE. */
#include "emu/debug/command/command_private.h"

#include "emu/cpu/pc/sysregs.h"

/* How a linear address is translated, in steps. */
struct walk {
    unsigned steps;
    struct {
        const char *name;
        uint64_t at; /* of the entry; unused for the processor's own copy */
        uint64_t entry;
    } step[3];
    bool maps;
    uint64_t physical; /* of the address */
    uint64_t bytes;    /* that the last step covers */
};

#define NO_PLACE UINT64_MAX
#define FRAME UINT64_C(0xffffff000)

static bool is_paged(const struct cpu *cpu)
{
    return !cpu->flat && (cpu->sys.cr0 & CR0_PG);
}

static bool is_pae(const struct cpu *cpu)
{
    return cpu->sys.cr4 & CR4_PAE;
}

/* One step more. False: it leads nowhere, or cannot be read. */
static bool add_step(struct session *s, struct walk *w, const char *name, uint64_t at,
                     unsigned size)
{
    uint64_t entry = 0;
    if (s->target->ops->read(s->target, TARGET_PHYSICAL, at, &entry, size))
        return false;
    w->step[w->steps].name = name;
    w->step[w->steps].at = at;
    w->step[w->steps++].entry = entry;
    return entry & PTE_PRESENT;
}

static void end_walk(struct walk *w, uint32_t linear, uint64_t frame, uint64_t bytes)
{
    w->maps = true;
    w->bytes = bytes;
    w->physical = (frame & ~(bytes - 1)) | (linear & (bytes - 1));
}

/* PSE-36: bits 13 to 20 of a large page's entry are bits 32 to 39 of its address. */
static uint64_t large_frame(const struct cpu *cpu, uint64_t entry)
{
    if (is_pae(cpu))
        return entry & FRAME;
    return (entry & 0xffc00000u) | (entry >> 13 & 15) << 32;
}

static void walk(struct session *s, uint32_t linear, struct walk *w)
{
    const struct cpu *cpu = target_cpu(s->target);
    bool pae = is_pae(cpu);
    unsigned size = pae ? 8 : 4, bits = pae ? 9 : 10;
    uint64_t directory = cpu->sys.cr3 & ~PAGE_MASK;
    *w = (struct walk){0};
    if (pae) {
        uint64_t pdpte = cpu->sys.pdpte[linear >> 30];
        w->step[w->steps].name = "pointer";
        w->step[w->steps].at = NO_PLACE;
        w->step[w->steps++].entry = pdpte;
        if (!(pdpte & PTE_PRESENT))
            return;
        directory = pdpte & FRAME;
    }
    uint32_t index = linear >> (12 + bits) & ((1u << bits) - 1);
    if (!add_step(s, w, "directory", directory + index * size, size))
        return;
    uint64_t pde = w->step[w->steps - 1].entry;
    if (pde & PTE_LARGE && (pae || cpu->sys.cr4 & CR4_PSE)) {
        end_walk(w, linear, large_frame(cpu, pde), UINT64_C(1) << (12 + bits));
        return;
    }
    index = linear >> 12 & ((1u << bits) - 1);
    if (add_step(s, w, "table", (pde & FRAME) + index * size, size))
        end_walk(w, linear, w->step[w->steps - 1].entry & FRAME, PAGE_SIZE);
}

static void tell_entry(const struct cpu *cpu, const struct walk *w, unsigned n,
                       struct command_out *out)
{
    uint64_t entry = w->step[n].entry, at = w->step[n].at;
    if (at == NO_PLACE)
        out_text(out, "%s in the processor: 0x%08llx", w->step[n].name, (unsigned long long)entry);
    else
        out_text(out, "%s at 0x%08llx: 0x%08llx", w->step[n].name, (unsigned long long)at,
                 (unsigned long long)entry);
    if (!(entry & PTE_PRESENT)) {
        out_text(out, " not present\n");
        return;
    }
    if (at != NO_PLACE)
        out_text(out, " %s%s%s%s%s%s%s", entry & PTE_WRITE ? "writable" : "read-only",
                 entry & PTE_USER ? " user" : " system", entry & PTE_ACCESSED ? " accessed" : "",
                 entry & PTE_DIRTY ? " dirty" : "", entry & PTE_LARGE ? " large" : "",
                 entry & PTE_GLOBAL ? " global" : "",
                 is_pae(cpu) && entry & PTE_NX ? " no-execute" : "");
    out_text(out, "\n");
}

int command_page(struct session *s, const char *args, struct command_out *out, struct why *why)
{
    uint32_t linear;
    struct walk w;
    int err = session_address(s, args, NULL, &linear, why);
    if (err)
        return err;
    const struct cpu *cpu = target_cpu(s->target);
    if (!is_paged(cpu)) {
        out_text(out, "There is no paging: linear 0x%08x is physical 0x%08x\n", linear, linear);
        out_number(out, "physical", linear);
        return 0;
    }
    walk(s, linear, &w);
    for (unsigned n = 0; n < w.steps; n++)
        tell_entry(cpu, &w, n, out);
    if (!w.maps)
        return 0;
    out_text(out, "linear 0x%08x is physical 0x%08llx\n", linear, (unsigned long long)w.physical);
    out_number(out, "physical", (int64_t)w.physical);
    return 0;
}

/* Runs of pages with equal rights. */

struct run {
    uint64_t linear, physical, bytes, bits;
};

static void tell_run(const struct run *r, struct command_out *out)
{
    if (r->bytes)
        out_text(out, "0x%08llx-0x%08llx -> 0x%08llx  %c%c%c%s\n", (unsigned long long)r->linear,
                 (unsigned long long)(r->linear + r->bytes), (unsigned long long)r->physical,
                 r->bits & PTE_USER ? 'u' : 's', r->bits & PTE_WRITE ? 'w' : 'r',
                 r->bits & PTE_GLOBAL ? 'g' : '-', r->bits & PTE_NX ? " nx" : "");
}

/* What a whole walk allows: all levels must, for writing and for the user. */
static uint64_t rights(const struct walk *w)
{
    uint64_t all = PTE_USER | PTE_WRITE, any = 0;
    for (unsigned n = 0; n < w->steps; n++) {
        any |= w->step[n].entry & PTE_NX;
        if (w->step[n].at != NO_PLACE)
            all &= w->step[n].entry;
    }
    return all | any | (w->step[w->steps - 1].entry & PTE_GLOBAL);
}

static void add_pages(struct run *r, uint64_t linear, const struct walk *w, struct command_out *out)
{
    uint64_t bits = rights(w);
    if (r->bytes && r->bits == bits && r->linear + r->bytes == linear &&
        r->physical + r->bytes == w->physical) {
        r->bytes += w->bytes;
        return;
    }
    tell_run(r, out);
    *r = (struct run){linear, w->physical, w->bytes, bits};
}

/* What a walk that ended early or at a large page leaves out as a whole. */
static uint64_t step_bytes(const struct cpu *cpu, const struct walk *w)
{
    if (w->maps)
        return w->bytes;
    unsigned left = (is_pae(cpu) ? 3 : 2) - w->steps, bits = is_pae(cpu) ? 9 : 10;
    return PAGE_SIZE << (left * bits);
}

int command_tlb(struct session *s, const char *args, struct command_out *out, struct why *why)
{
    struct run r = {0};
    struct walk w;
    int err = command_no_args(args, why);
    if (!err && !s->target)
        err = why_fail(why, -ESRCH, "there is no VM");
    if (err)
        return err;
    const struct cpu *cpu = target_cpu(s->target);
    if (!is_paged(cpu)) {
        out_text(out, "There is no paging.\n");
        return 0;
    }
    for (uint64_t linear = 0; linear <= UINT32_MAX; linear += step_bytes(cpu, &w)) {
        walk(s, (uint32_t)linear, &w);
        if (w.maps)
            add_pages(&r, linear, &w, out);
    }
    tell_run(&r, out);
    return 0;
}
