/* SPDX-License-Identifier: MIT */
/*
 * What a VM does, as lines in files: text for people or JSON. A trace goes into its file as it
 * happens; if the file is slow, the VM waits, so nothing is lost.
 *
 *     instruction   every instruction, before it runs
 *     block         the first instruction after each jump, call or return
 *     call          calls and returns, when they are done
 *     syscall       INT n with its registers, and its result
 *     port          IN and OUT, with what came of them
 *     interrupt     upcalls and faults that were delivered
 *     packet        frames sent and received
 *
 * The first four look at each instruction: slow, and best with the interpreter. Each line begins
 * with the count of instructions.
 */
#ifndef DENALI_TRACE_H
#define DENALI_TRACE_H

#include "emu/base/base.h"
#include "emu/base/why.h"

enum trace_kind {
    TRACE_INSTRUCTION,
    TRACE_BLOCK,
    TRACE_CALL,
    TRACE_SYSCALL,
    TRACE_PORT,
    TRACE_INTERRUPT,
    TRACE_PACKET,
    TRACE_KINDS
};

struct trace_spec {
    enum trace_kind kind;
    char file[256]; /* "-": standard output */
    bool json;
    uint32_t from, to;    /* instructions whose address is in [from, to) */
    uint64_t first, last; /* counts of instructions */
    char symbol[64];      /* "" or: from and to are those of this function; the caller finds them */
};

/* "KIND:FILE[,json][,from=ADDR][,to=ADDR][,first=N][,last=N][,in=FUNCTION]"; JSON also if FILE ends
 * in .json or .jsonl. -EINVAL and `why`. */
MUST_CHECK int trace_parse(const char *text, struct trace_spec *out, struct why *why);

struct trace;
struct vm;
struct cpu;

/* Names of Linux system calls; NULL: numbers. */
typedef const char *(*trace_call_name_fn)(uint32_t number);

/* Opens the files. */
MUST_CHECK int trace_create(const struct trace_spec *spec, unsigned count,
                            trace_call_name_fn call_name, struct trace **out, struct why *why);
/* Whether each instruction has to be looked at. */
bool trace_steps(const struct trace *trace);
/* Between slices; NULL ends it. */
void vm_set_trace(struct vm *vm, struct trace *trace);
/* Everything is in the files afterwards; or why not. NULL is harmless. */
int trace_destroy(struct trace *trace, struct why *why);

/*
 * For who runs the machine. Addresses are linear: a PC's CS base is in them. Of a PC a system
 * call's result is told when control comes back behind its INT with the CR3 of then.
 */

/* Before the instruction at eip, of which `have` bytes are known. */
void trace_step(struct trace *trace, const struct cpu *cpu, const uint8_t *bytes, unsigned have);
void trace_frame(struct trace *trace, const struct cpu *cpu, unsigned device, bool sent,
                 const void *frame, size_t len, int64_t result);
/* A VM's: after IN or OUT; interrupts and a fault that were delivered. */
void trace_port(struct trace *trace, const struct cpu *cpu);
void trace_upcall(struct trace *trace, const struct cpu *cpu, uint32_t batch);
void trace_fault(struct trace *trace, const struct cpu *cpu);
/* A PC's. `kind` is a word: interrupt, fault, trap, software. */
struct trace_event {
    const char *kind;
    uint8_t vector;
    bool is_fault, has_error, has_address;
    uint32_t error, address;
};
void trace_access(struct trace *trace, const struct cpu *cpu, bool write, uint32_t port,
                  unsigned size, uint32_t value);
void trace_event(struct trace *trace, const struct cpu *cpu, const struct trace_event *event);

#endif
