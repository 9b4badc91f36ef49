/* SPDX-License-Identifier: MIT */
/*
 * Linear to physical addresses on the PC machine, and the software TLB that
 * keeps the answers: six tables of 2^20 words (supervisor and user; read, write,
 * execute), indexed by linear page number, reserved whole and present where
 * touched. A word is what must be added to a linear address and to mmu_trap_base
 * to get the host's place of it; 0: ask. So an entry exists only for plain memory that may be
 * accessed without anybody being told: no MMIO, no write to ROM, to a page that
 * is not yet dirty, that holds translated code, or that a debug register
 * watches.
 *
 * The tables say nothing about accesses over a page end: these must be looked
 * up for both pages.
 *
 * Every change of rights made by the guest is flushed by the instruction that
 * makes it (or asks for it: MOV CR, INVLPG, task switches). What the machine
 * changes (the bus's map, marks of code) it must tell.
 */
#ifndef DENALI_MMU_H
#define DENALI_MMU_H

#include "emu/cpu/cpu.h"

struct mmu;

MUST_CHECK int mmu_create(struct mmu **out);
void mmu_destroy(struct mmu *mmu);

/* The table of a privilege and a kind; never moves. */
uint64_t *mmu_table(struct mmu *mmu, bool user, enum mmu_kind kind);

/* A fourth table beside each three, MMU_KINDS * 8 MiB after the first, which is the engine's;
 * it may change its rights. */
uint64_t *mmu_engine_table(struct mmu *mmu, bool user);
/* 4 GiB of address space that nobody can access: translated code that takes a 0 from a table for an
 * addend, unseen, faults there at the linear address. Never moves. */
uint64_t mmu_trap_base(const struct mmu *mmu);
/*
 * How often code was flushed, for who remembers where code lies: `local`, when all but global
 * pages went; `all`, when anything else did that may have held code.
 */
struct mmu_code_changes {
    uint64_t local, all;
};
const struct mmu_code_changes *mmu_code_changes(const struct mmu *mmu);
/* Of a page that the table of executable ones has now: whether it outlasts a change of `local`. */
bool mmu_code_is_global(const struct mmu *mmu, uint32_t linear, bool user);

/* Sets cpu->pc.tlb by the current privilege; whoever changes cpl calls it. */
void mmu_select(struct cpu *cpu);

/* Drops all entries but those of global pages, or those too. */
void mmu_flush(struct cpu *cpu, bool global);
/* After a load of CR3: drops all entries but those of global pages, and fills again what there was
 * when CR3 last held this value and still may be. */
void mmu_reload(struct cpu *cpu, uint32_t old_cr3);
/* Drops all entries and what mmu_reload knows: as after power-on, so that a state that is restored
 * goes on in one way, whatever ran before. */
void mmu_forget(struct cpu *cpu);
/* Drops the page at `linear`, and all of it if it is a large one. */
void mmu_flush_page(struct cpu *cpu, uint32_t linear);
/*
 * Drops what leads to the physical pages of [gpa, gpa+len); with `writes_only`
 * just the right to write there (a page that becomes code).
 */
void mmu_flush_frame(struct cpu *cpu, gpa_t gpa, uint64_t len, bool writes_only);
/* How often anything was dropped: who keeps more than the tables compares it. */
uint64_t mmu_generation(const struct mmu *mmu);

/*
 * For who does something and undoes it: the TLB forgets what it has learned since the mark. False:
 * it dropped something meanwhile; then it is empty now, global pages too.
 */
struct mmu_mark {
    uint32_t local, global;
    uint64_t generation;
};
struct mmu_mark mmu_mark(const struct mmu *mmu);
bool mmu_unlearn(struct cpu *cpu, const struct mmu_mark *mark);

/* An answer: host NULL: the bus must be asked about `gpa`. */
struct mmu_place {
    uint8_t *host;
    gpa_t gpa;
};

/*
 * Translates one address for one kind of access within its page, sets accessed
 * and dirty bits and fills the TLB where that may be. CPU_PF otherwise.
 * `user`: with the rights of ring 3; else of the system, whatever cpl is.
 * For MMU_WRITE `host` is the place to write to only after mmu_before_write.
 */
MUST_CHECK enum cpu_status mmu_lookup(struct cpu *cpu, uint32_t linear, enum mmu_kind kind,
                                      bool user, struct mmu_place *out);

/* Fills the TLB for one address as mmu_lookup does, where that leaves no trace but there: the
 * access is allowed, and the accessed and dirty bits are set. */
void mmu_refill(struct cpu *cpu, uint32_t linear, enum mmu_kind kind, bool user);

/* Tells who must know (code marks, write logs) that [host, host+len), a place for writing within
 * a page, is about to be written. */
void mmu_before_write(struct cpu *cpu, uint8_t *host, uint32_t len);

/* As a debugger looks: no fault, no accessed bits, no TLB. False: not mapped. */
MUST_CHECK bool mmu_peek(struct cpu *cpu, uint32_t linear, gpa_t *out);

/* Physical memory, for page tables and debuggers; over the bus where it is no memory. */
uint32_t mmu_phys_read(struct cpu *cpu, gpa_t gpa, unsigned bytes);
void mmu_phys_write(struct cpu *cpu, gpa_t gpa, unsigned bytes, uint32_t value);

/* Loads the four PDPTEs that CR3 points to; false (nothing changed): a reserved bit is set. */
MUST_CHECK bool mmu_load_pdptes(struct cpu *cpu, uint32_t cr3);

#endif
