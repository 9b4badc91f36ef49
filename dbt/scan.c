/* SPDX-License-Identifier: MIT */
/*
 * The first two passes: which instructions make a block, and after which of
 * them somebody may look at the flags. Guest memory may change under the scan
 * (a neighbour's device); each instruction is decoded from a copy, once.
 */
#include "dbt/translate.h"

#include <string.h>

#include "emu/cpu/debug.h"
#include "emu/machine/ram.h"

#define MAX_BRANCHES 6u
/* A block that is still shorter than this goes on into code that has a translation already: the few
 * instructions twice cost less than a jump, and than counting once more. */
#define SHORT_BLOCK 8u
/* Only a block that is shorter than this follows a call, and takes in so much of the function:
 * others would be translated again for each place that calls them. Counting makes up for more. */
#define CALLER_INSNS 8u
#define COUNTING_CALLER_INSNS 32u
#define CALLED_INSNS 12u
#define STATUS_FLAGS (ISA_F_C | ISA_F_P | ISA_F_A | ISA_F_Z | ISA_F_S | ISA_F_O)

/* Up to 15 bytes from eip on, as far as they can be fetched. */
static unsigned fetch(const struct ram *ram, uint32_t eip, uint8_t *out)
{
    const void *from = ram_span(ram, eip, ISA_MAX_LENGTH);
    unsigned have = ISA_MAX_LENGTH;
    if (!from) {
        have = PAGE_SIZE - (eip & PAGE_MASK);
        have = have < ISA_MAX_LENGTH ? have : ISA_MAX_LENGTH;
        from = ram_span(ram, eip, have);
    }
    if (!from)
        return 0;
    memcpy(out, from, have);
    return have;
}

/* The register page is never code: the host writes it without telling. */
static bool add_page(struct scan *scan, uint32_t page)
{
    if (page == 0)
        return false;
    for (unsigned i = 0; i < scan->pages; i++)
        if (scan->page[i] == page)
            return true;
    if (scan->pages == BLOCK_MAX_PAGES)
        return false;
    scan->page[scan->pages++] = page;
    return true;
}

static bool add_insn(struct scan *scan, const struct ram *ram, uint32_t eip)
{
    struct scan_insn *at = &scan->at[scan->count];
    uint8_t bytes[ISA_MAX_LENGTH];
    unsigned have = fetch(ram, eip, bytes);
    unsigned pages = scan->pages;

    if (!have || isa_decode(bytes, have, true, &at->insn) != ISA_OK)
        return false;
    if (!add_page(scan, eip >> PAGE_BITS) ||
        !add_page(scan, (eip + at->insn.len - 1) >> PAGE_BITS)) {
        scan->pages = pages;
        return false;
    }
    at->eip = eip;
    scan->count++;
    scan->next = eip + at->insn.len;
    return true;
}

static bool seen_before(const struct scan *scan, uint32_t eip)
{
    for (unsigned i = 0; i < scan->count; i++)
        if (scan->at[i].eip == eip)
            return true;
    return false;
}

bool scan_is_direct(const struct isa_insn *insn)
{
    bool leads = insn->row->sem == ISA_SEM_JMP || insn->row->sem == ISA_SEM_CALL;
    return leads && insn->row->op[0].method == ISA_M_J && insn->opsize == 4;
}

struct bounds {
    unsigned limit; /* instructions */
    unsigned caller, called;
    unsigned branches;
    bool exact;
};

/* A direct jump or call: can its target be part of the block? */
static bool follow(const struct scan *scan, struct bounds *bounds, bool call)
{
    if (bounds->exact)
        return true;
    if (!call)
        return !seen_before(scan, scan->next);
    if (bounds->limit > scan->count + bounds->called)
        bounds->limit = scan->count + bounds->called;
    return scan->count < bounds->caller;
}

/* After the last instruction: does the block go on, and is that worth it? */
static bool goes_on(struct scan *scan, const struct image *image, struct bounds *bounds)
{
    const struct isa_insn *insn = &scan->at[scan->count - 1].insn;
    uint32_t attr = insn->row->attr;
    bool direct = scan_is_direct(insn);
    if (direct)
        scan->next += insn->imm;
    else if (attr & (ISA_T_JUMP | ISA_T_END | ISA_T_IO | ISA_T_UNDEF | ISA_T_PRIV))
        return false;
    if ((image->hits && direct) || ((image->coverage || image->hits) && (attr & ISA_T_BRANCH)))
        return false;
    if ((attr & ISA_T_BRANCH) && ++bounds->branches >= MAX_BRANCHES)
        return false;
    if (image->debug && cpu_debug_divides(image->debug, scan->next))
        return false;
    if (direct && !follow(scan, bounds, attr & ISA_T_CALL))
        return false;
    bool whole = bounds->exact || (image->coverage && !direct); /* basic blocks are told whole */
    return whole || scan->count < SHORT_BLOCK || !image_entry(image, scan->next);
}

/* Could the flags of before this instruction be seen by other than itself: by a fault's handler, by
 * whoever stops here? */
static bool observes(const struct isa_insn *insn)
{
    const struct isa_row *row = insn->row;
    bool in_memory = insn->has_mem && !(row->attr & ISA_T_NOMEM);
    bool divides = row->sem == ISA_SEM_DIV || row->sem == ISA_SEM_IDIV;
    return in_memory || divides || !rewrite_is_plain(insn) ||
           (row->attr & (ISA_T_FPU | ISA_T_MMX | ISA_T_SSE));
}

/* Whatever the flags were before it? What is undefined after it may depend on that; but logical
 * operations clear AF, whatever manuals say. */
static bool renews_flags(const struct isa_insn *insn, struct isa_flags flags)
{
    unsigned sem = insn->row->sem;
    bool logical =
        sem == ISA_SEM_AND || sem == ISA_SEM_OR || sem == ISA_SEM_XOR || sem == ISA_SEM_TEST;
    unsigned kills = flags.kills | (logical ? ISA_F_A : 0u);
    return (kills & STATUS_FLAGS) == STATUS_FLAGS && !(flags.reads & STATUS_FLAGS) &&
           !observes(insn);
}

static void find_live_flags(struct scan *scan)
{
    uint16_t live = STATUS_FLAGS;
    for (unsigned i = scan->count; i-- > 0;) {
        struct scan_insn *at = &scan->at[i];
        struct isa_flags flags = isa_flags(&at->insn);
        at->flags_seen = live != 0;
        live = (live & ~flags.kills) | (flags.reads & STATUS_FLAGS);
        if (!flags.may)
            live &= (uint16_t)~flags.undef; /* nobody can rely on what they become */
        if (observes(&at->insn))
            live = STATUS_FLAGS;
        at->renews_flags = renews_flags(&at->insn, flags);
    }
}

void scan_run(struct scan *scan, const struct image *image, const struct ram *ram, uint32_t eip,
              unsigned limit, bool exact)
{
    struct bounds bounds = {
        .limit = limit,
        .caller = image->counting ? COUNTING_CALLER_INSNS : CALLER_INSNS,
        .called = image->coverage ? BLOCK_MAX_INSNS : CALLED_INSNS,
        .exact = exact,
    };
    scan->count = 0;
    scan->pages = 0;
    scan->next = eip;
    while (scan->count < bounds.limit && add_insn(scan, ram, scan->next))
        if (!goes_on(scan, image, &bounds))
            break;
    find_live_flags(scan);
}
