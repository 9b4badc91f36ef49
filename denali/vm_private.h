/* SPDX-License-Identifier: MIT */
/* The inside of a VM, shared by the files of this folder. */
#ifndef DENALI_VM_PRIVATE_H
#define DENALI_VM_PRIVATE_H

#include "denali/outside.h"
#include "denali/snapshot.h"
#include "denali/trace.h"
#include "denali/vdev.h"
#include "denali/vm.h"
#include "emu/base/bucket.h"
#include "emu/machine/clock.h"

#include <stdatomic.h>

/* Of the guest's time: how it follows from the host's TSC (vm_time.c). */
struct vm_time {
    bool tsc; /* the guest may use the host's TSC */
    bool started;
    uint32_t mul;                 /* as regs.tsc_mul */
    uint64_t base_ns, base_tsc;   /* as regs.time_ns, regs.time_tsc */
    uint64_t first_ns, first_tsc; /* of the first sample */
    uint64_t refresh_tsc;         /* ticks after which the base is moved */
    uint64_t paused_ns;           /* when vm_pause stopped it */
    /* Counted: it was anchor_ns at anchor_icount, and each instruction since takes
     * rate / TIME_RATE_ONE ns. */
    uint64_t anchor_ns, anchor_icount, rate;
};
#define TIME_RATE_ONE ((uint64_t)1 << 32)
#define TIME_MAX_NS ((uint64_t)1 << 62) /* a counted VM sleeps no longer */

#define VM_UNKNOWN_MAX 64
#define VM_UNKNOWN_NAME 32

/* What the guest was asked for and does not have (DENALI_FN_UNKNOWN). */
struct vm_unknown {
    uint32_t number;
    uint64_t count;
    char name[VM_UNKNOWN_NAME];
};

struct vm_counters {
    uint64_t exits[ENGINE_EXITS];
    uint64_t idles, upcalls, faults, posted;
    uint64_t console_bytes, keyboard_bytes;
    uint64_t unknown_others; /* beyond the table */
};

struct vm {
    struct image *image;
    const struct snapshot *snapshot; /* it was made from; NULL */
    struct engine *engine;
    struct console_backend *console;
    struct io_pool *pool;
    const struct vm_hooks *hooks;
    void *hooks_opaque;
    struct ram *ram;
    struct cpu *cpu;
    struct clock *clock;
    bool deterministic, scripted;
    bool counted; /* time counts instructions; slices do not matter */
    bool attached, one_by_one;
    uint64_t mem_bytes;

    _Atomic uint32_t arrived; /* posted, not yet in the guest's register */
    _Atomic uint32_t arrived_signals;
    /* Counted: what has passed the gate, or is of the VM's own making. */
    uint32_t raised, raised_signals;
    uint32_t window[2]; /* columns and rows, as last heard; 0 */
    bool stopping;      /* this slice ends after what the engine came back for */
    bool trap_due;      /* a single-step trap comes first */
    bool due;           /* something happened after which what is pending is delivered */
    struct outside outside;
    struct trace *trace;            /* NULL: nobody wants to know */
    _Atomic uint64_t next_event_ns; /* of the clock; read by the driver's watcher too */

    bool idle;
    uint64_t idle_until_ns;
    uint64_t horizon_ns;  /* idle time does not move beyond by itself */
    uint32_t regs_addr;   /* of the register page */
    struct cpu_flat flat; /* its words */
    struct vdev *blocked; /* the console, in the middle of a write */
    uint64_t blocked_until_ns;

    unsigned devices;
    struct vdev *device[DENALI_MAX_DEVICES];

    struct vm_time time;
    uint64_t created_ns, boot_ns; /* host's; from vm_create to the first instruction */
    uint32_t protect_edges;       /* places in RAM where rights change */
    struct vm_end end;
    unsigned catches;      /* enum vm_event bits */
    enum vm_event caught;  /* the last one */
    enum engine_exit held; /* caught and not dealt with yet; ENGINE_EXIT_BUDGET: none */
    struct vm_counters counters;
    struct vm_unknown *unknown; /* VM_UNKNOWN_MAX, made at the first */
    unsigned unknowns;
};

/*
 * The register page. Whatever is read from it is the guest's word; every field
 * is read once, through this volatile pointer, into a variable.
 */
static inline const volatile struct denali_regs *vm_regs(const struct vm *vm)
{
    return (const volatile void *)(ram_base(vm->ram) + vm->regs_addr);
}

/* The same to write; NULL only when the host fails, and then the VM has ended. */
MUST_CHECK volatile struct denali_regs *vm_regs_write(struct vm *vm);

/* vm.c */
void vm_end_with(struct vm *vm, enum vm_end_reason reason);
MUST_CHECK int vm_end_host(struct vm *vm, int err, const char *what);
void vm_rearm(struct vm *vm);

/* vm_boot.c: register page, arguments, start state. */
MUST_CHECK int vm_boot(struct vm *vm, const struct vm_config *config, struct why *why);
/* The words of the register page, which lies at regs_addr, as the processor uses them. */
struct cpu_flat vm_flat_at(uint32_t regs_addr);

/* bind.c: makes the devices that the manifest wishes. */
MUST_CHECK int vm_bind(struct vm *vm, const struct vm_config *config, struct why *why);

/* The same for the devices that a snapshot's VM had. */
MUST_CHECK int vm_bind_saved(struct vm *vm, const struct vm_config *config,
                             const struct vm_saved_device *saved, unsigned count, struct why *why);

/* vm_deliver.c */
void vm_gather(struct vm *vm);
void vm_raise(struct vm *vm, uint32_t irq); /* from its own thread */
void vm_fault(struct vm *vm);               /* cpu->fault reaches the guest, or ends the VM */
void vm_raise_gp(struct vm *vm);
void vm_raise_ud(struct vm *vm);

/* vm_state.c: as vm_state_save, without what engines may differ in. */
void vm_state_strict(struct vm *vm, uint8_t *out);
/* The processor's part of what vm_state_save wrote. */
MUST_CHECK int vm_state_read_cpu(const uint8_t *in, size_t len, struct cpu *out);

/* vm_sum.c: sets the bits of all pages that may hold anything but zeroes. */
MUST_CHECK int vm_find_pages(struct vm *vm, uint8_t *bits);
static inline size_t vm_page_bits(const struct vm *vm)
{
    return (size_t)(vm->mem_bytes >> PAGE_BITS) / 8 + 1;
}

/* hypercall.c */
void vm_hypercall(struct vm *vm);

/* vm_time.c */
void vm_time_init(struct vm *vm);               /* before the engine sees the processor */
void vm_time_refresh(struct vm *vm);            /* before every entry to the guest */
uint64_t vm_time_guest_ns(const struct vm *vm); /* the latest that the guest may have seen */
void vm_time_set(struct vm *vm, uint64_t now_ns);
/* Counted VMs: the clock follows cpu->icount; moves on by `ns`, and at this rate from here; how
 * many instructions there are until `when_ns`; whether the guest's registers want to be refreshed.
 */
void vm_time_count(struct vm *vm);
void vm_time_jump(struct vm *vm, uint64_t ns, uint64_t rate);
uint64_t vm_time_until(const struct vm *vm, uint64_t when_ns);
uint64_t vm_time_refresh_at(const struct vm *vm);

/* What `len` bytes of RAM at `gpa` are for the guest's own use: the register page and the hole are
 * not. */
static inline bool vm_in_ram(const struct vm *vm, uint32_t gpa, uint64_t len)
{
    return gpa >= DENALI_RAM_START && gpa <= vm->mem_bytes && len <= vm->mem_bytes - gpa;
}

#endif
