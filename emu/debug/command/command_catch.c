/* SPDX-License-Identifier: MIT */
/* Catchpoints: events of the machine that are no place in the program. */
#include "emu/debug/command/command_private.h"
#include "emu/debug/names.h"

#include <ctype.h>
#include <stdlib.h>

#define NO_NAMES (-1)

/* What may be caught of a kind. */
struct which {
    const char *name; /* of the kind, for people */
    const char *what; /* of a number of it */
    int names;        /* enum names_kind, NO_NAMES */
    int64_t low, high;
};

static const struct which faults = {"fault", "a processor's fault", NO_NAMES, 0, 31};
static const struct which interrupts = {"interrupt", "a set of interrupts' bits", NAMES_INTERRUPT,
                                        1, 127};
static const struct which hypercalls = {"hypercall", "a virtual instruction", NAMES_HYPERCALL, 0,
                                        UINT16_MAX};
static const struct which ports = {"port", "a port", NO_NAMES, 0, UINT16_MAX};
static const struct which syscalls = {"syscall", "a system call", NAMES_SYSCALL, 0, INT32_MAX};

/* A number, or a name of that kind; empty: any. */
static int take_which(struct session *s, const char *args, const struct which *which, uint32_t *out,
                      struct why *why)
{
    int64_t n;
    *out = BREAKPOINT_ANY;
    if (!*args)
        return 0;
    if (which->names != NO_NAMES && names_find((enum names_kind)which->names, args, out))
        return 0;
    int err = session_number(s, args, NULL, which->what, which->low, which->high, &n, why);
    if (!err)
        *out = (uint32_t)n;
    return err && err != -ERANGE
               ? why_fail(why, -EINVAL, "\"%.40s\" is neither a number nor a name for this", args)
               : err;
}

/* A PC's events are its own system's: there are no others. */
static int check_machine(struct session *s, const struct which *which, struct why *why)
{
    if (!s->target)
        return why_fail(why, -ESRCH, "there is no VM");
    if (!target_cpu(s->target)->flat)
        return why_fail(why, -ENOTSUP,
                        "%ss can be caught in Denali VMs only; of a PC, break at its handler",
                        which->name);
    return 0;
}

static int add(struct session *s, struct breakpoint *like, const char *what, const char *args,
               struct command_out *out, struct why *why)
{
    char spec[160];
    struct breakpoint *bp;
    snprintf(spec, sizeof(spec), "%s%s%.100s", what, *args ? " " : "", args);
    like->kind = BREAKPOINT_CATCH;
    like->enabled = true;
    like->spec = spec;
    like->target = s->target->id;
    int err = breakpoints_add(s->breakpoints, like, &bp, why);
    if (err)
        return err;
    out_text(out, "Catchpoint %u (%s)\n", bp->number, bp->spec);
    out_number(out, "breakpoint", bp->number);
    return 0;
}

static int add_which(struct session *s, enum breakpoint_catch what, const struct which *which,
                     const char *args, struct command_out *out, struct why *why)
{
    struct breakpoint like = {.what = (uint8_t)what};
    int err = check_machine(s, which, why);
    if (!err)
        err = take_which(s, args, which, &like.which, why);
    return err ? err : add(s, &like, which->name, args, out, why);
}

static int run_fault(struct session *s, const char *args, struct command_out *out, struct why *why)
{
    return add_which(s, CATCH_FAULT, &faults, args, out, why);
}

static int run_interrupt(struct session *s, const char *args, struct command_out *out,
                         struct why *why)
{
    return add_which(s, CATCH_INTERRUPT, &interrupts, args, out, why);
}

static int run_hypercall(struct session *s, const char *args, struct command_out *out,
                         struct why *why)
{
    return add_which(s, CATCH_HYPERCALL, &hypercalls, args, out, why);
}

static int run_port(struct session *s, const char *args, struct command_out *out, struct why *why)
{
    return add_which(s, CATCH_PORT, &ports, args, out, why);
}

/* Where INT 0x80 leads: as the guest has set it, or as Ilwaco will. */
static int find_trap_entry(struct session *s, uint32_t *out, struct why *why)
{
    const struct cpu *cpu = target_cpu(s->target);
    struct symbols_symbol symbol;
    *out = 0;
    if (s->target->ops->read(s->target, TARGET_PHYSICAL, cpu->flat->trap_entry, out, 4))
        *out = 0;
    if (!*out && symbols_find(session_symbols(s), "trap_entry", 0, &symbol))
        *out = symbol.address;
    return *out ? 0
                : why_fail(why, -ENOENT,
                           "the guest has not yet said where its INT leads; let it run first");
}

static int run_syscall(struct session *s, const char *args, struct command_out *out,
                       struct why *why)
{
    struct breakpoint like = {.what = CATCH_SYSCALL, .places = 1};
    int err = check_machine(s, &syscalls, why);
    if (!err)
        err = take_which(s, args, &syscalls, &like.which, why);
    if (!err)
        err = find_trap_entry(s, &like.place[0], why);
    return err ? err : add(s, &like, "syscall", args, out, why);
}

/* All code of the files, as far as a watchpoint reaches. */
static int run_selfmod(struct session *s, const char *args, struct command_out *out,
                       struct why *why)
{
    struct breakpoint like = {.what = CATCH_WRITE_CODE, .which = BREAKPOINT_ANY};
    const uint32_t most = CPU_WATCH_MAX_PAGES * PAGE_SIZE / 2;
    uint32_t low, high;
    int err = command_no_args(args, why);
    if (err || !session_symbols(s))
        return err ? err : why_fail(why, -ESRCH, "there is no VM");
    for (unsigned n = 0; symbols_code_range(session_symbols(s), n, &low, &high); n++) {
        for (; low < high && like.places < BREAKPOINT_PLACES; low += like.len[like.places++]) {
            like.place[like.places] = low;
            like.len[like.places] = high - low < most ? high - low : most;
        }
    }
    if (!like.places)
        return why_fail(why, -ENOENT, "no code of the guest is known: its file has no segments");
    return add(s, &like, "selfmod", "", out, why);
}

#define ROW(name_, aliases_, syntax_, summary_, help_, example_, words_, fn)                       \
    {                                                                                              \
        .name = name_, .aliases = aliases_, .syntax = syntax_, .summary = summary_, .help = help_, \
        .example = example_, .group = COMMAND_STOPPING, .complete = COMPLETE_WORDS,                \
        .words = words_, .run = fn                                                                 \
    }

const struct command command_catch_rows[] = {
    ROW("catch fault", NULL, "[VECTOR]", "stop when the guest faults, before its handler hears",
        "VECTOR is the processor's number: 14 for a page fault, 6 for an undefined instruction.",
        "catch fault 14", "", run_fault),
    ROW("catch interrupt", NULL, "[NAME | BITS]", "stop when interrupts are delivered",
        "NAME is timer, keyboard, console, nic, disk, signal or identity. It stops at the first\n"
        "instruction of the guest's upcall.",
        "catch interrupt timer", "timer keyboard console nic disk signal identity", run_interrupt),
    ROW("catch hypercall", "virtual", "[NAME | NUMBER]",
        "stop before a virtual instruction is carried out",
        "NAME is idle, terminate, resume, trapret, poll, unknown, protect or discard; those that\n"
        "the processor does by itself (resume, trapret) are seen only when they lead to the "
        "kernel.",
        "catch hypercall terminate", "idle terminate resume trapret poll unknown protect discard",
        run_hypercall),
    ROW("catch syscall", NULL, "[NAME | NUMBER]", "stop at a Linux system call (INT 0x80)",
        "The stop is at the entry of the guest's own handler: EAX is the number, EBX, ECX, EDX,\n"
        "ESI, EDI and EBP are the arguments.",
        "catch syscall write", "", run_syscall),
    ROW("catch port", NULL, "[NUMBER]", "stop before an IN or OUT", NULL, "catch port 0", "",
        run_port),
    ROW("catch selfmod", "self-modification", "",
        "stop when an instruction writes into the guest's code", NULL, "catch selfmod", "",
        run_selfmod),
    {.name = NULL},
};
