/* SPDX-License-Identifier: MIT */
/*
 * The state of one virtual processor. It lies with its RAM (ram_context), outside
 * of the window. Both engines work on it.
 *
 * Two kinds of machine use it. The PC machine uses everything. A flat
 * user-level machine (Denali) has no descriptor tables, rings or paging;
 * `flat` tells where in guest memory the few words lie that replace them.
 */
#ifndef DENALI_CPU_H
#define DENALI_CPU_H

#include "emu/base/base.h"
#include "emu/isa/isa.h"
#include "emu/machine/bus.h"
#include "emu/machine/irq.h"
#include "emu/machine/ram.h"
#include "emu/machine/state.h"

/* Vectors of SDM volume 3, table 6-1. */
enum cpu_vector {
    CPU_DE = 0,
    CPU_DB = 1,
    CPU_BP = 3,
    CPU_OF = 4,
    CPU_BR = 5,
    CPU_UD = 6,
    CPU_NM = 7,
    CPU_DF = 8,
    CPU_TS = 10,
    CPU_NP = 11,
    CPU_SS = 12,
    CPU_GP = 13,
    CPU_PF = 14,
    CPU_MF = 16,
    CPU_AC = 17,
    CPU_XM = 19,
};

/* Error code bits of CPU_PF. */
enum cpu_pf {
    CPU_PF_PRESENT = 1,
    CPU_PF_WRITE = 2,
    CPU_PF_USER = 4,
    CPU_PF_RESERVED = 8,
    CPU_PF_FETCH = 16
};

/* A guest's fault is a must-check status; the details are in cpu->fault. */
enum cpu_status { CPU_OK = 0, CPU_FAULT = 1, CPU_EXIT = 2 /* cpu->exit is filled in */ };

#define CPU_EFLAGS_TF 0x100u

struct cpu_fault {
    uint8_t vector;
    uint8_t has_error;
    uint16_t unused;
    uint32_t error;
    uint32_t address; /* CR2 of CPU_PF: the guest address that was refused */
};

/*
 * x87, MMX and SSE state as an FXSAVE image (SDM volume 1, table 10-2), so
 * that the host's own unit loads and stores it. st[i] is ST(i), relative to
 * TOP; `tag` is the abridged tag word, by physical register.
 */
struct cpu_fpu {
    uint16_t control, status;
    uint8_t tag, unused0;
    uint16_t opcode;
    uint32_t ip;
    uint16_t cs, unused1;
    uint32_t dp;
    uint16_t ds, unused2;
    uint32_t mxcsr, mxcsr_mask;
    uint8_t st[8][16]; /* low 10 bytes used; MMi is the low 8 of physical register i */
    uint8_t xmm[8][16];
    uint8_t rest[224];
};

struct cpu_seg {
    uint16_t selector;
    uint16_t attr; /* descriptor bits 40..55 */
    uint32_t base;
    uint32_t limit; /* in bytes, inclusive */
};

struct cpu_table {
    uint32_t base;
    uint16_t limit, selector;
};

/* System registers of the PC machine. */
struct cpu_sys {
    uint32_t cr0, cr2, cr3, cr4;
    uint32_t dr[8];
    struct cpu_table gdt, idt;
    struct cpu_seg ldt, tr;
    uint64_t efer, sysenter_cs, sysenter_esp, sysenter_eip, tsc_offset, pat;
    uint64_t pdpte[4]; /* as CR3's load found them, when PAE paging is on */
    uint64_t apic_base, mtrr_default, mtrr_fixed[11], mtrr_variable[16];
};

struct event;

/* What a PC's processor tells its machine, on its thread; each may be NULL. */
struct cpu_hooks {
    void *opaque;
    void (*fpu_error)(void *opaque, bool raised);    /* the line FERR, while CR0.NE is clear */
    void (*apic_base)(void *opaque, uint64_t value); /* IA32_APIC_BASE was written */
    /* Something is about to go through the interrupt table; for who looks on (event.h). */
    void (*event)(void *opaque, const struct event *event);
};

/* Tables of the software TLB (emu/cpu/pc/mmu.h), one for each kind of access. */
enum mmu_kind { MMU_READ, MMU_WRITE, MMU_EXEC, MMU_KINDS };

/* What holds events off for one instruction. */
enum cpu_shadow { CPU_SHADOW_STI = 1 /* interrupts */, CPU_SHADOW_SS = 2 /* and #DB, NMI */ };

/* The PC machine's processor apart from registers. */
struct cpu_pc {
    struct bus *bus;
    struct irq_pin *pin; /* interrupts come from here */
    const struct cpu_hooks *hooks;
    const struct cpu_model *model;
    struct mmu *mmu;
    const uint64_t *tlb[MMU_KINDS]; /* of the current privilege: addends by linear page */
    uint64_t tlb_bias;              /* to be added to every addend: mmu_trap_base */
    uint64_t code_frame;            /* the interpreter's: host page of the running block, */
    uint64_t found_frame;           /* and of the one just looked up */
    uint32_t a20_mask;              /* of physical addresses */
    uint32_t align_mask;            /* all ones while #AC is armed */
    uint32_t pending_debug;         /* DR6 bits of the #DB that follows the instruction */
    uint8_t shadow;                 /* enum cpu_shadow: what the last instruction holds off */
    uint8_t shadow_now;             /* the same, of the instruction that runs */
    uint8_t halted;                 /* HLT waits for an interrupt */
    uint8_t shutdown;               /* a triple fault: only a reset helps */
    uint8_t nmi_blocked;            /* until the next IRET */
    uint8_t single_step;            /* TF was set when the running instruction began */
    uint8_t loaded_flags;           /* the instruction that runs has loaded RF: IRET, a task */
    uint8_t committed;              /* a task switch was: its fault is the new task's */
    uint32_t outside;               /* accesses that found no memory, ever; wraps */
    uint8_t watching;               /* DR7 enables a breakpoint */
};

#define CPU_FLAT_NONE UINT32_MAX
#define CPU_NO_PAGE UINT32_MAX
#define CPU_NO_FRAME UINT64_MAX

/*
 * The flat machine's words in guest memory, as guest physical addresses.
 *
 * fs_base, gs_base: what FS: and GS: overrides add to an address; written by
 * the guest at will. Other segments have base 0. Loading a segment register
 * only remembers the selector.
 *
 * INT n (n not 3): trap_eip = address after it; trap_number = n; trap_enabled =
 * intr_enabled; intr_enabled = 0; eip = trap_entry. No register changes. A
 * trap_entry of 0 makes INT n a CPU_GP fault with error n * 8 + 2.
 *
 * TRAPRET (virtual instruction `trapret_code`): intr_enabled = trap_enabled;
 * eip = trap_eip.
 *
 * RESUME (virtual instruction `resume_code`): EAX = address of a context of 12
 * words {eip, eflags, eax, ecx, edx, ebx, esp, ebp, esi, edi, intr_enabled,
 * reserved}; all are loaded at once. Of eflags only the status flags, DF and
 * TF and AC and ID are taken.
 *
 * After TRAPRET and RESUME the engine exits with ENGINE_EXIT_HYPERCALL and that
 * code when intr_enabled became non-zero and the word at `pending` is non-zero,
 * so that the kernel can deliver at once; eip is then already the new one.
 */
struct cpu_flat {
    uint32_t fs_base, gs_base;
    uint32_t trap_entry, trap_eip, trap_number, trap_enabled;
    uint32_t intr_enabled, pending;
    uint8_t trapret_code, resume_code;
    uint16_t unused; /* 0 */
};
_Static_assert(sizeof(struct cpu_flat) == 36, "no holes: two are compared as bytes");

/* Why run() returned, beyond the reason. */
struct cpu_exit {
    uint8_t reason;     /* enum engine_exit of a CPU_EXIT status: HYPERCALL, PORT, HALT */
    uint32_t hypercall; /* ENGINE_EXIT_HYPERCALL: modrm & 0x3f of the UD1 form; eip is after it */
    uint16_t port;      /* ENGINE_EXIT_PORT; eip is after the instruction */
    uint8_t port_size;  /* 1, 2, 4 */
    uint8_t port_write; /* OUT: value is in EAX; IN: the kernel puts it in EAX */
    uint8_t length;     /* HYPERCALL, PORT: of the instruction; eip - length is where it begins */
    uint8_t trap; /* flat: a single-step trap follows the instruction; cleared by who does it */
};

struct cpu {
    uint32_t gpr[8]; /* enum isa_reg order */
    uint32_t eip;
    uint32_t eflags;
    uint64_t icount; /* instructions retired; exact in the interpreter and in counting modes */

    struct cpu_fault fault;
    struct cpu_exit exit;

    uint8_t code32; /* CS.D */
    uint8_t cpl;
    uint8_t virtual_tsc;            /* RDTSC comes from the clock, not from the host */
    uint8_t no_fpu_pointers;        /* x87 instruction and operand pointers are always 0 */
    volatile uint32_t stop_request; /* set by engine_stop from any thread */

    struct ram *ram;
    const struct cpu_flat *flat;     /* NULL: PC machine */
    struct engine *engine;           /* the engine that runs it */
    void *engine_state;              /* the engine's own, per processor */
    struct cpu_write_log *write_log; /* NULL, or what the interpreter tells of every write */
    struct cpu_debug *debug;         /* NULL, or debug.h's */
    uint32_t code_page;              /* the interpreter's: page of the running block, */
    uint32_t code_written;           /* and whether an instruction has written to it */
    uint64_t (*read_tsc)(void *opaque);
    void *read_tsc_opaque;

    struct cpu_seg seg[6];
    struct cpu_sys sys;
    struct cpu_pc pc;

    _Alignas(64) struct cpu_fpu fpu;

    /* Scratch of the translator: its host-side slots; nobody else's business. */
    _Alignas(64) uint64_t slot[64];
};

/*
 * Told before the interpreter writes [gpa, gpa+len) of RAM; `len` stays within
 * a page. Lockstep keeps the old contents with it.
 */
struct cpu_write_log {
    void (*before_write)(struct cpu_write_log *log, gpa_t gpa, uint32_t len);
};

/*
 * What survives of a processor. The x87's last instruction and operand
 * pointers are loose: the translator does not keep them.
 */
extern const struct state_list cpu_state_list;
/* What a PC's processor has on top of it. After a load: cpu_refresh. */
extern const struct state_list cpu_pc_state_list;

/*
 * Places a processor in ram's context and sets the flat user-level start state:
 * registers 0, eip 0, selectors as Linux gives them to 32-bit programs, FNINIT
 * and reset MXCSR. Lives as long as `ram`; `flat` is not copied.
 */
struct cpu *cpu_init_flat(struct ram *ram, const struct cpu_flat *flat);

/* What a PC's processor is made of and wired to. Nothing is copied. */
struct cpu_config {
    const char *model; /* emu/cpu/model.h */
    struct bus *bus;   /* its listener is taken */
    struct irq_pin *pin;
    const struct cpu_hooks *hooks; /* or NULL */
};

/*
 * Places a PC's processor in the context of the bus's RAM, in the state after
 * RESET. -ENOMEM; -EINVAL: no such model. Ended by cpu_fini_pc.
 */
MUST_CHECK int cpu_init_pc(const struct cpu_config *config, struct cpu **out);
void cpu_fini_pc(struct cpu *cpu);
/* RESET, or INIT, which leaves the x87, the MSRs and the caches' state alone. */
void cpu_reset(struct cpu *cpu);
void cpu_init_signal(struct cpu *cpu);
/* To be called after the declared state was loaded: works out everything that follows from it. */
void cpu_refresh(struct cpu *cpu);

/* CPUID as the guest sees it (one fixed model: i686 with MMX, SSE, SSE2): EAX, EBX, ECX, EDX. */
void cpu_cpuid(const struct cpu *cpu, uint32_t leaf, uint32_t subleaf, uint32_t out[4]);

/* "general protection" and so on; "reserved" for what has no name. */
const char *cpu_vector_name(unsigned vector);

#endif
