/* SPDX-License-Identifier: MIT */
/*
 * DWARF of a module by libdw: opened at the first question, from the bytes
 * that were read when the module was added. An index of the units' ranges is
 * made once, since not every compiler writes .debug_aranges.
 *
 * libdw follows references in a hostile file as they stand, but recurses into
 * nested entries; symbols_unit_at refuses units that nest deeper than any
 * compiler's, before libdw walks them.
 */
#include "emu/debug/symbols/symbols_private.h"

#include <stdlib.h>

#if HAVE_LIBDW

#define MAX_RANGES 1000000u

static bool add_range(struct symbols_module *m, uint64_t low, uint64_t high, Dwarf_Off unit)
{
    if (low >= high || high > UINT32_MAX || m->ranges >= MAX_RANGES)
        return true;
    if (!(m->ranges & (m->ranges - 1))) {
        size_t room = m->ranges ? m->ranges * 2 : 1;
        void *bigger = realloc(m->range, room * sizeof(*m->range));
        if (!bigger)
            return false;
        m->range = bigger;
    }
    m->range[m->ranges++] = (struct symbols_unit_range){(uint32_t)low, (uint32_t)high, unit};
    return true;
}

static bool index_unit(struct symbols_module *m, Dwarf_Die *unit)
{
    Dwarf_Addr base, low, high;
    ptrdiff_t offset = 0;
    while ((offset = dwarf_ranges(unit, offset, &base, &low, &high)) > 0)
        if (!add_range(m, low, high, dwarf_dieoffset(unit)))
            return false;
    return true;
}

static int by_low(const void *a, const void *b)
{
    const struct symbols_unit_range *x = a, *y = b;
    return x->low < y->low ? -1 : x->low > y->low;
}

bool symbols_next_unit(struct symbols_module *m, Dwarf_CU **at, Dwarf_Die *unit)
{
    uint8_t type;
    Dwarf_Die sub;
    if (!m->dwarf)
        return false;
    while (dwarf_get_units(m->dwarf, *at, at, NULL, &type, unit, &sub) == 0)
        if (dwarf_tag(unit) == DW_TAG_compile_unit)
            return true;
    return false;
}

static void make_index(struct symbols_module *m)
{
    Dwarf_CU *at = NULL;
    Dwarf_Die unit;
    while (symbols_next_unit(m, &at, &unit) && index_unit(m, &unit))
        ;
    if (m->ranges)
        qsort(m->range, m->ranges, sizeof(*m->range), by_low);
}

Dwarf *symbols_dwarf(struct symbols_module *m)
{
    if (m->dwarf_tried)
        return m->dwarf;
    m->dwarf_tried = true;
    elf_version(EV_CURRENT);
    m->elf = elf_memory((char *)m->bytes, m->len);
    m->dwarf = m->elf ? dwarf_begin_elf(m->elf, DWARF_C_READ, NULL) : NULL;
    if (m->elf)
        m->eh_frames = dwarf_getcfi_elf(m->elf);
    if (m->dwarf) {
        m->frames = dwarf_getcfi(m->dwarf);
        make_index(m);
    }
    return m->dwarf;
}

void symbols_dwarf_close(struct symbols_module *m)
{
    if (m->eh_frames)
        dwarf_cfi_end(m->eh_frames);
    if (m->dwarf)
        dwarf_end(m->dwarf);
    if (m->elf)
        elf_end(m->elf);
    free(m->range);
}

bool symbols_unit_at(struct symbols_module *m, uint32_t pc, Dwarf_Die *unit)
{
    size_t low = 0, high;
    if (!symbols_dwarf(m))
        return false;
    high = m->ranges;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (m->range[mid].low <= pc)
            low = mid + 1;
        else
            high = mid;
    }
    /* Ranges of units do not overlap in an honest file. */
    return low && pc < m->range[low - 1].high &&
           dwarf_offdie(m->dwarf, m->range[low - 1].unit, unit) != NULL;
}

#else

void symbols_dwarf_close(struct symbols_module *m)
{
    (void)m;
}

#endif
