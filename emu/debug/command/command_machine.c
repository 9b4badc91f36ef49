/* SPDX-License-Identifier: MIT */
/* The machine: devices by their declared state, interrupts, translations, other VMs. */
#include "emu/debug/command/command_private.h"

#include "emu/cpu/pc/sysregs.h"

#include <stdlib.h>

#define SHOWN_BYTES 32u
#define SHOWN_ELEMENTS 64u

static uint64_t element(const struct state_field *f, const void *object, unsigned n)
{
    uint64_t value = 0;
    memcpy(&value, (const char *)object + f->offset + (size_t)n * f->size,
           f->size > 8 ? 8 : f->size);
    return value;
}

static void show_bytes(const struct state_field *f, const void *object, struct command_out *out)
{
    const uint8_t *bytes = (const uint8_t *)object + f->offset;
    size_t len = (size_t)f->size * f->count;
    for (size_t i = 0; i < len && i < SHOWN_BYTES; i++)
        out_text(out, "%s%02x", i ? " " : "", bytes[i]);
    if (len > SHOWN_BYTES)
        out_text(out, " ... (%zu bytes)", len);
}

static void show_field(const struct state_field *f, const void *object, struct command_out *out)
{
    out_text(out, "  %-20s ", f->name);
    if (f->kind == STATE_BYTES) {
        show_bytes(f, object, out);
    } else if (f->count == 1) {
        uint64_t n = element(f, object, 0);
        out_text(out, n < 10 ? "%llu" : "%llu (0x%llx)", (unsigned long long)n,
                 (unsigned long long)n);
        out_number(out, f->name, (int64_t)n);
    } else {
        out_list(out, f->name);
        for (unsigned i = 0; i < f->count && i < SHOWN_ELEMENTS; i++) {
            out_text(out, "%s0x%llx", i ? " " : "", (unsigned long long)element(f, object, i));
            out_number(out, NULL, (int64_t)element(f, object, i));
        }
        out_close(out);
    }
    out_text(out, "\n");
}

void command_show_state(const struct target_state *state, struct command_out *out)
{
    out_object(out, state->name);
    for (unsigned i = 0; i < state->list->fields; i++)
        show_field(&state->list->field[i], state->object, out);
    out_close(out);
}

static int need_target(struct session *s, struct why *why)
{
    return s->target ? 0 : why_fail(why, -ESRCH, "there is no VM");
}

static int run_devices(struct session *s, const char *args, struct command_out *out,
                       struct why *why)
{
    struct target_state state;
    unsigned shown = 0;
    int err = need_target(s, why);
    if (err)
        return err;
    out_object(out, "devices");
    for (unsigned n = 0; s->target->ops->describe && s->target->ops->describe(s->target, n, &state);
         n++) {
        if (*args && strcmp(args, state.name))
            continue;
        out_text(out, "%s (%s)\n", state.name, state.list->name);
        command_show_state(&state, out);
        shown++;
    }
    out_close(out);
    if (!shown)
        return why_fail(why, -ENOENT,
                        *args ? "there is no device \"%.40s\"; \"info devices\" lists them"
                              : "this machine tells nothing of its devices%.0s",
                        args);
    return 0;
}

/* A field of a described group by its name. */
static bool field_value(struct session *s, const char *group, const char *name, uint64_t *out)
{
    struct target_state state;
    for (unsigned n = 0; s->target->ops->describe && s->target->ops->describe(s->target, n, &state);
         n++) {
        if (strcmp(state.name, group))
            continue;
        for (unsigned i = 0; i < state.list->fields; i++) {
            if (!strcmp(state.list->field[i].name, name)) {
                *out = element(&state.list->field[i], state.object, 0);
                return true;
            }
        }
    }
    return false;
}

static void tell_bits(const char *label, uint64_t bits, struct command_out *out)
{
    static const char *const names[] = {"timer", "keyboard", "console", "nic",
                                        "disk",  "signal",   "identity"};
    out_text(out, "%-10s 0x%llx", label, (unsigned long long)bits);
    for (unsigned i = 0; i < ARRAY_LEN(names); i++)
        if (bits >> i & 1)
            out_text(out, " %s", names[i]);
    out_text(out, "\n");
    out_number(out, label, (int64_t)bits);
}

static int flat_interrupts(struct session *s, struct command_out *out, struct why *why)
{
    const struct cpu_flat *flat = target_cpu(s->target)->flat;
    uint32_t enabled = 0, pending = 0;
    uint64_t n;
    if (s->target->ops->read(s->target, TARGET_PHYSICAL, flat->intr_enabled, &enabled, 4) ||
        s->target->ops->read(s->target, TARGET_PHYSICAL, flat->pending, &pending, 4))
        return why_fail(why, -EFAULT, "the page of virtual registers cannot be read");
    out_text(out, "%-10s %s\n", "enabled", enabled ? "yes" : "no");
    out_bool(out, "enabled", enabled != 0);
    tell_bits("pending", pending, out);
    if (field_value(s, "regs", "delivered", &n))
        tell_bits("delivered", n, out);
    if (field_value(s, "vm", "arrived", &n))
        tell_bits("arrived", n, out);
    if (field_value(s, "regs", "upcall_entry", &n)) {
        char text[SYMBOLS_TEXT];
        out_text(out, "%-10s 0x%llx%s\n", "upcall", (unsigned long long)n,
                 symbols_text(session_symbols(s), (uint32_t)n, text));
    }
    return 0;
}

static int pc_interrupts(struct session *s, struct command_out *out)
{
    struct target_state state;
    const struct cpu *cpu = target_cpu(s->target);
    out_text(out, "%-10s %s\n", "enabled", cpu->eflags & ISA_F_I ? "yes" : "no");
    out_bool(out, "enabled", cpu->eflags & ISA_F_I);
    for (unsigned n = 0; s->target->ops->describe && s->target->ops->describe(s->target, n, &state);
         n++) {
        if (!strstr(state.name, "pic"))
            continue;
        out_text(out, "%s\n", state.name);
        command_show_state(&state, out);
    }
    return 0;
}

static int run_interrupts(struct session *s, const char *args, struct command_out *out,
                          struct why *why)
{
    int err = command_no_args(args, why);
    if (!err)
        err = need_target(s, why);
    if (err)
        return err;
    return target_cpu(s->target)->flat ? flat_interrupts(s, out, why) : pc_interrupts(s, out);
}

static int run_block(struct session *s, const char *args, struct command_out *out, struct why *why)
{
    uint32_t at;
    int n = session_place(s, args, false, &at, 1, why);
    if (n < 0)
        return n;
    if (!s->target->ops->translation)
        return why_fail(why, -ENOTSUP, "this engine translates nothing");
    fflush(out->file);
    s->target->ops->translation(s->target, at, out->file);
    return 0;
}

static int run_counters(struct session *s, const char *args, struct command_out *out,
                        struct why *why)
{
    int err = command_no_args(args, why);
    if (!err)
        err = need_target(s, why);
    if (err)
        return err;
    struct cpu *cpu = target_cpu(s->target);
    struct engine_counters c = {0};
    cpu->engine->ops->counters(cpu->engine, &c);
    out_text(out, "instructions  %llu%s\n", (unsigned long long)cpu->icount,
             c.counted ? "" : " (not exact: this engine does not count all)");
    out_number(out, "instructions", (int64_t)cpu->icount);
    if (s->target->ops->counters)
        s->target->ops->counters(s->target, out->file);
    return 0;
}

static int run_vms(struct session *s, const char *args, struct command_out *out, struct why *why)
{
    int err = command_no_args(args, why);
    if (err)
        return err;
    out_list(out, "vms");
    for (unsigned n = 0; n < loop_targets(s->loop); n++) {
        struct target *t = loop_target(s->loop, n);
        struct session_vm *vm = session_vm(s, t);
        char text[SYMBOLS_TEXT] = "";
        if (vm)
            symbols_text(vm->symbols, target_eip(t), text);
        out_text(out, "%c %-4u %-24s %s0x%08x%s\n", t == s->target ? '*' : ' ', t->id, t->name,
                 t->ended ? "ended at " : "", target_eip(t), text);
        out_object(out, NULL);
        out_number(out, "id", t->id);
        out_string(out, "name", "%s", t->name);
        out_bool(out, "ended", t->ended);
        out_number(out, "pc", target_eip(t));
        out_close(out);
    }
    out_close(out);
    return 0;
}

static int run_vm(struct session *s, const char *args, struct command_out *out, struct why *why)
{
    char *end;
    unsigned long id = strtoul(args, &end, 10);
    struct target *t = *args && !*end && id <= UINT32_MAX ? loop_find(s->loop, (unsigned)id) : NULL;
    if (!*args)
        return run_vms(s, args, out, why);
    if (!t)
        return why_fail(why, -ENOENT, "there is no VM \"%.20s\"; \"info vms\" lists them", args);
    session_select(s, t);
    session_tell_stop(s, out);
    return 0;
}

#define ROW(name_, aliases_, syntax_, summary_, help_, example_, complete_, fn)                    \
    {                                                                                              \
        .name = name_, .aliases = aliases_, .syntax = syntax_, .summary = summary_, .help = help_, \
        .example = example_, .group = COMMAND_MACHINE, .complete = complete_, .run = fn            \
    }

const struct command command_machine_rows[] = {
    ROW("info devices", "dev", "[NAME]", "state of the devices, by their declared fields", NULL,
        "info devices", COMPLETE_NOTHING, run_devices),
    ROW("info interrupts", "irq", "", "interrupts that are enabled, pending and delivered", NULL,
        "info interrupts", COMPLETE_NOTHING, run_interrupts),
    ROW("info page", NULL, "ADDRESS", "how a linear address becomes a physical one",
        "Each step through the page tables of a PC; a Denali VM has none.", "info page $esp",
        COMPLETE_EXPRESSION, command_page),
    ROW("info tlb", "pages", "", "all pages that the guest's page tables map", NULL, "info tlb",
        COMPLETE_NOTHING, command_tlb),
    ROW("info block", "translation", "[PLACE]",
        "the translation of the block that begins at a place: guest and host code",
        "Only code that has run translated has one.", "info block", COMPLETE_PLACE, run_block),
    ROW("info counters", "stats", "", "what the VM and the engine have counted", NULL,
        "info counters", COMPLETE_NOTHING, run_counters),
    ROW("info vms", NULL, "", "the VMs of this session", NULL, "info vms", COMPLETE_NOTHING,
        run_vms),
    ROW("vm", NULL, "NUMBER", "select a VM", NULL, "vm 1", COMPLETE_NOTHING, run_vm),
    {.name = NULL},
};
