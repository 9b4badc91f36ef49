/* SPDX-License-Identifier: MIT */
/*
 * Descriptors as they lie in memory, and segment registers loaded from them.
 * Reads and marks go with the system's rights, whatever the present privilege.
 */
#ifndef DENALI_DESC_H
#define DENALI_DESC_H

#include "emu/cpu/pc/pc.h"

struct desc {
    uint32_t low, high;
    uint32_t linear; /* where it lies */
};

/* The selector without its RPL: what error codes tell. */
static inline uint32_t desc_error(uint32_t selector)
{
    return selector & 0xfffc;
}

static inline bool desc_is_null(uint32_t selector)
{
    return !(selector & 0xfffc);
}

static inline uint16_t desc_attr(const struct desc *d)
{
    return (uint16_t)(d->high >> 8 & 0xf0ff);
}

static inline unsigned desc_dpl(const struct desc *d)
{
    return d->high >> 13 & 3;
}

static inline bool desc_present(const struct desc *d)
{
    return d->high >> 15 & 1;
}

/* System type, or 16 for code and data. */
static inline unsigned desc_system_type(const struct desc *d)
{
    return d->high & (SEG_S << 8) ? 16 : d->high >> 8 & 15;
}

static inline bool desc_is_code(const struct desc *d)
{
    return (desc_attr(d) & (SEG_S | SEG_CODE)) == (SEG_S | SEG_CODE);
}

static inline bool desc_is_conforming(const struct desc *d)
{
    return desc_is_code(d) && (desc_attr(d) & SEG_CONFORMING);
}

static inline bool desc_is_writable(const struct desc *d)
{
    return (desc_attr(d) & (SEG_S | SEG_CODE | SEG_WRITABLE)) == (SEG_S | SEG_WRITABLE);
}

static inline bool desc_is_readable(const struct desc *d)
{
    return (desc_attr(d) & SEG_S) && (!(desc_attr(d) & SEG_CODE) || (desc_attr(d) & SEG_READABLE));
}

uint32_t desc_base(const struct desc *d);
uint32_t desc_limit(const struct desc *d); /* in bytes */
struct cpu_seg desc_segment(uint32_t selector, const struct desc *d);

/* Gates: where they lead. 286 gates have no upper half of the offset. */
static inline uint32_t gate_selector(const struct desc *d)
{
    return d->low >> 16;
}
uint32_t gate_offset(const struct desc *d);

/* Reads what `selector` names. *found is false (and nothing is raised) outside of the table. */
MUST_CHECK enum cpu_status desc_find(struct cpu *cpu, uint32_t selector, struct desc *out,
                                     bool *found);
/* The same, but outside of the table raises `vector` with `error`. */
MUST_CHECK enum cpu_status desc_read(struct cpu *cpu, uint32_t selector, enum cpu_vector vector,
                                     uint32_t error, struct desc *out);
/* Sets or clears type bits of the descriptor in memory, if they are not so already. */
MUST_CHECK enum cpu_status desc_set_type(struct cpu *cpu, struct desc *d, uint32_t set,
                                         uint32_t clear);

/* A segment register as real and virtual-8086 mode load it. */
void seg_load_real(struct cpu *cpu, unsigned seg, uint32_t selector);
/* The null selector: the register holds it, and every use faults. */
void seg_load_null(struct cpu *cpu, unsigned seg, uint32_t selector);

/* DS, ES, FS, GS and SS from a descriptor: checks; and the same with the register loaded. */
MUST_CHECK enum cpu_status seg_check_data(struct cpu *cpu, uint32_t selector, unsigned cpl,
                                          enum cpu_vector vector, struct desc *out);
/* `ext` is added to error codes; a null selector and bad privilege raise `vector`. */
MUST_CHECK enum cpu_status seg_check_stack(struct cpu *cpu, uint32_t selector, unsigned cpl,
                                           enum cpu_vector vector, uint32_t ext, struct desc *out);

/* MOV, POP, LDS and their kin, in every mode. Not CS. */
MUST_CHECK enum cpu_status seg_load(struct cpu *cpu, unsigned seg, uint32_t selector);

/* A checked code segment: marks it accessed, loads CS with `rpl`, and the code size. */
MUST_CHECK enum cpu_status seg_enter_code(struct cpu *cpu, uint32_t selector, struct desc *d,
                                          unsigned rpl);
/* CS of real and virtual-8086 mode. */
void seg_enter_code_real(struct cpu *cpu, uint32_t selector);

#endif
