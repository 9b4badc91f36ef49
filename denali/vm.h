/* SPDX-License-Identifier: MIT */
/*
 * A virtual machine of the Denali architecture (ABI.md) as an object: mechanism
 * only. It is made from an image and host resources, run in slices by one thread
 * at a time, and told about the world by vm_post from any thread. It owns no
 * thread and waits for nothing; who runs it when is the caller's policy (solo.h
 * is the policy for a single VM).
 *
 * Resources, image and engine must outlive the VM and may be shared as their
 * own headers say.
 */
#ifndef DENALI_VM_H
#define DENALI_VM_H

#include "denali/image.h"
#include "devices/console.h"
#include "devices/disk.h"
#include "devices/io_pool.h"
#include "devices/net.h"
#include "emu/base/why.h"
#include "emu/cpu/engine.h"
#include "emu/machine/state.h"

#include <poll.h>

struct vm;

/* A host resource that the image's manifest may name. */
struct vm_resource {
    uint16_t kind;    /* DENALI_DEV_NIC or DENALI_DEV_DISK */
    const char *name; /* NULL: whatever the first wish of that kind calls it */
    struct net_backend *net;
    uint8_t mac[6];
    struct disk *disk; /* NULL: of a replay, which has only its size: */
    uint64_t disk_bytes;
    bool disk_readonly;
};

/* What the VM tells its driver. Any may be NULL. */
struct vm_hooks {
    /* An interrupt was posted. From the poster's thread. */
    void (*wake)(void *opaque, struct vm *vm);
    /* There is one more descriptor to poll, or the next event is sooner than it was. From the
     * thread in vm_run. */
    void (*rearm)(void *opaque, struct vm *vm);
};

#define VM_DEFAULT_MEMORY (16 * MIB)
#define VM_MIN_MEMORY (128 * KIB)
#define VM_MAX_MEMORY (4 * GIB - 64 * KIB)

struct snapshot;
struct tape;

struct vm_config {
    struct image *image; /* IMAGE_DENALI; with a snapshot: for symbols, or NULL */
    /* NULL, or: the VM goes on from there. mem_bytes, args, env and seed are the snapshot's. Every
     * NIC and disk that it had must be among the resources. */
    const struct snapshot *snapshot;
    struct engine *engine;
    uint64_t mem_bytes;      /* 0: what the image wishes, else VM_DEFAULT_MEMORY */
    const char *const *args; /* NULL-ended; NULL: none */
    const char *const *env;
    struct console_backend *console; /* NULL: output vanishes, there is no input */
    const struct vm_resource *resource;
    unsigned resources;
    struct io_pool *pool; /* NULL: disks are read and written in vm_run */
    bool one_by_one;      /* each upcall delivers one interrupt, not all that are pending */
    bool deterministic;   /* time counts instructions, 1 ns each; needs an engine that counts */
    bool counted;         /* the same at a rate that follows the host's clock, from one place to
                             the next; with a tape it is so in any case */
    bool scripted;        /* as deterministic, by a driver that is the whole world: what arrives
                             (its backends' doing, and vm_post) does so at counts of instructions
                             that it chooses, so a read need not wait for it; see vm_set_horizon */
    struct tape *tape;    /* NULL, or: what comes from outside is noted there (outside.h), */
    bool replay;          /* or comes from there, in a VM made from the recording's snapshot */
    uint64_t seed[2];     /* of the guest's random registers */
    const struct vm_hooks *hooks;
    void *hooks_opaque;
};

/* 0, or a negative errno and `why`: -ENOEXEC: this image cannot be run (so); -EINVAL: the config
 * does not fit it. */
MUST_CHECK int vm_create(const struct vm_config *config, struct vm **out, struct why *why);
/* Before its first instruction: other arguments behind the first one, its name (`args` ends with a
 * NULL). Of a VM that counts. An error changes nothing. */
MUST_CHECK int vm_set_args(struct vm *vm, const char *const *args, struct why *why);
/* Waits for disk requests in flight. NULL is harmless. */
void vm_destroy(struct vm *vm);

enum vm_slice {
    VM_BUDGET,     /* the budget is used up */
    VM_STOPPED,    /* vm_stop was called */
    VM_IDLE,       /* nothing to do until vm_wait_until, or an interrupt */
    VM_BLOCKED,    /* waits for the console's reader; see vm_poll */
    VM_BREAKPOINT, /* at a breakpoint of the engine */
    VM_WATCHPOINT, /* the last instruction touched what is watched: cpu->debug->now.hit */
    VM_CAUGHT,     /* what vm_catch asked for has come up: vm_caught */
    VM_REPLAYED,   /* the tape has nothing more */
    VM_ENDED,      /* see vm_end; every further vm_run returns this */
};

/*
 * Runs at most `budget` instructions (ENGINE_UNLIMITED: no bound; else the engine must count). An
 * interrupt or fault that is delivered counts as one too, in cpu->icount as well, so that every
 * state of registers has a count of its own.
 *
 * Where time counts instructions, what happens does not depend on how a run is cut into slices:
 * what is pending is delivered where the guest asks, where its timer is due, at fixed times, and
 * where something arrives from outside. So it returns as soon as the budget is used up, before
 * anything arrives there; a budget of 0 lets in what has arrived, and no more.
 */
enum vm_slice vm_run(struct vm *vm, uint64_t budget);
/* From any thread or a signal handler: vm_run returns VM_STOPPED soon. */
void vm_stop(struct vm *vm);

/* From a function of a backend, which vm_run has called: it returns VM_STOPPED when the guest's
 * request is done, with every engine at the same place. */
void vm_yield(struct vm *vm);

/* From any thread: interrupts (enum denali_irq) have arrived. */
void vm_post(struct vm *vm, uint32_t irq);
/* From any thread: whether something was posted that vm_run has not taken yet; ns until the VM's
 * next timer is due (HOST_FOREVER: none, or its time is not the host's). */
bool vm_has_news(const struct vm *vm);
uint64_t vm_next_event_in_ns(const struct vm *vm);
/* From any thread: the person asks (enum denali_signal). */
void vm_post_signal(struct vm *vm, uint32_t signals);

/* All from here on: from the thread that runs the VM, between slices. */

/* Whether the guest would hear vm_post_signal: it takes interrupts and has taken the last ones. */
bool vm_hears_signals(const struct vm *vm);

/* It does nothing until something arrives or its time is up; also of one from a snapshot. */
bool vm_is_idle(const struct vm *vm);
/* After VM_IDLE: ns from now to the moment when there is something to do; HOST_FOREVER. */
uint64_t vm_wait_ns(struct vm *vm);
/* An idle VM has slept this long: a deterministic one's time moves. */
void vm_slept(struct vm *vm, uint64_t ns);
/* While it is idle, time that counts instructions moves by itself up to here (of vm_now_ns), and no
 * further: something arrives then. HOST_FOREVER, as at first: nothing will. */
void vm_set_horizon(struct vm *vm, uint64_t when_ns);

/* Between the two the VM does not run, and no time passes for it. */
void vm_pause(struct vm *vm, bool paused);

/* The descriptors whose readiness the VM waits for. vm_poll may be called from one more thread. */
#define VM_POLL_MAX (DENALI_MAX_DEVICES + 4)
struct vm_poll {
    unsigned count;
    struct pollfd fd[VM_POLL_MAX];
    uint8_t device[VM_POLL_MAX];
};
void vm_poll(const struct vm *vm, struct vm_poll *poll);
/* After poll() filled in revents: posts what has become ready. */
void vm_poll_ready(struct vm *vm, const struct vm_poll *poll);

enum vm_end_reason {
    VM_END_NONE,     /* still runs */
    VM_END_EXIT,     /* TERMINATE: status */
    VM_END_FAULT,    /* vm_report tells */
    VM_END_KILLED,   /* vm_kill */
    VM_END_DIVERGED, /* lockstep: the engine's report tells */
    VM_END_REJECTED, /* the verifier refused a translation: the engine's report tells */
    VM_END_HOST,     /* the host failed: why */
};

struct vm_end {
    enum vm_end_reason reason;
    uint32_t status;                  /* EXIT */
    struct cpu_fault fault;           /* FAULT; registers are those at the fault */
    bool fault_in_handler;            /* FAULT: while the guest's own handler was at work */
    uint32_t guest_vector, guest_eip; /* then: the fault that the handler was working on, as the
                                         guest's registers have it */
    struct why why;
};

const struct vm_end *vm_end(const struct vm *vm);
void vm_kill(struct vm *vm);

/* Why it ended by a fault: reason, registers, instruction, backtrace; to `out` (a FILE *). */
void vm_report(struct vm *vm, void *out);
/* What it did; to `out` (a FILE *), for people or as one JSON object. */
void vm_print_stats(struct vm *vm, void *out, bool json);

/*
 * The VM's state apart from its RAM, as declared fields: what vm_state_save wrote,
 * vm_state_load takes back in a VM with the same devices. `now_ns`: the time there from now on
 * (it does not go back behind what the guest has seen); VM_TIME_SAVED: that of the saving.
 * -EBUSY: a disk request is in flight. -EINVAL: this is no state of such a VM; the VM is then good
 * for nothing but another load.
 */
#define VM_TIME_SAVED 0
size_t vm_state_size(const struct vm *vm);
MUST_CHECK int vm_state_save(struct vm *vm, uint8_t *out);
MUST_CHECK int vm_state_load(struct vm *vm, const uint8_t *in, size_t len, uint64_t now_ns);

/* Makes a clone a VM of its own: MAC of its first NIC, random registers, wall clock, and `text`
 * (NUL-ended strings, at most DENALI_IDENTITY_MAX bytes). The guest hears of it, unless it is
 * `fresh` (it has not executed anything) and there is no text. */
struct vm_identity {
    bool fresh;
    uint8_t mac[6];
    uint64_t seed[2];
    const char *text;
    uint32_t text_len;
};
MUST_CHECK int vm_identify(struct vm *vm, const struct vm_identity *identity);

/*
 * The VM's console and disks are others from now on; no request is in flight. Disks are found by
 * the names in vm_config.resource; -EINVAL: one is missing. `first`: the guest has not seen the old
 * ones, so its device table follows (and it hears of its console).
 */
MUST_CHECK int vm_set_console(struct vm *vm, struct console_backend *console, bool first);
MUST_CHECK int vm_set_disks(struct vm *vm, const struct vm_resource *resource, unsigned resources,
                            bool first);

/* The n-th thing that the guest was asked for and does not have, as it told (DENALI_FN_UNKNOWN):
 * a system call, say. False: there are no more. */
bool vm_unknown(const struct vm *vm, unsigned n, uint32_t *number, const char **name);

/* Rates of its disks (each) and its console, from now on; 0: none. */
void vm_set_rates(struct vm *vm, uint64_t disk_blocks_per_s, uint64_t console_bytes_per_s);
/* After VM_BLOCKED: ns until it may go on; HOST_FOREVER: when its console's reader lets it. */
uint64_t vm_unblocked_in_ns(const struct vm *vm);

/* Whether a disk request is in flight: vm_state_save would fail. */
bool vm_is_busy(const struct vm *vm);

/*
 * For debuggers: vm_run returns VM_CAUGHT for what is in `events`. A fault, virtual instruction or
 * port (cpu->fault, cpu->exit) is then not dealt with yet; the next vm_run does that first, and
 * until then the VM's state cannot be saved. Of interrupts the upcall is entered.
 */
enum vm_event {
    VM_EVENT_FAULT = 1,
    VM_EVENT_INTERRUPT = 2,
    VM_EVENT_HYPERCALL = 4,
    VM_EVENT_PORT = 8,
};
void vm_catch(struct vm *vm, unsigned events);
enum vm_event vm_caught(const struct vm *vm);
/* It is not dealt with, but comes up anew if the processor comes there again. */
void vm_forget_caught(struct vm *vm);
/* After VM_CAUGHT of a fault: the guest has no handler that could take it, and the VM will end. */
bool vm_fault_is_fatal(const struct vm *vm);

/* The n-th group of the VM's state apart from the processor's, as a debugger shows it: the virtual
 * registers (which may be written), then each device that has any. False: there are no more. */
struct vm_group {
    const char *name;
    const struct state_list *list;
    void *object;
    bool writable;
};
bool vm_describe(struct vm *vm, unsigned n, struct vm_group *out);

/* For debuggers and tests. */
struct cpu *vm_cpu(struct vm *vm);
struct ram *vm_ram(struct vm *vm);
struct image *vm_image(struct vm *vm);
uint64_t vm_now_ns(const struct vm *vm);
/* A sum over the declared state and all of RAM that is not zero; equal for equal machines. */
MUST_CHECK int vm_state_sum(struct vm *vm, uint64_t *out);

#endif
