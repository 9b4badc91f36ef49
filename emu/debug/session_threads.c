/* SPDX-License-Identifier: MIT */
/*
 * Threads of Ilwaco, by its own symbols and types: its list `all` of struct
 * thread, each at the high end of its kernel stack, with the program's registers
 * (struct denali_context) just below it while the thread is in the kernel.
 * All is the guest's memory and may be nonsense: the walk is bounded.
 */
#include "emu/debug/session_run.h"

#include <stdlib.h>
#include <string.h>

#define CONTEXT_WORDS 12u /* eip eflags eax ecx edx ebx esp ebp esi edi intr_enabled reserved */
#define MAX_THREADS 4096u

struct walk {
    struct target *target;
    struct expr_context context; /* inside Ilwaco's thread.c, whose statics count */
    struct type type;            /* struct thread */
    uint32_t head, current;
};

static bool number(struct walk *w, const char *expression, uint32_t *out)
{
    int64_t n;
    if (expr_number(&w->context, expression, NULL, &n, NULL))
        return false;
    *out = (uint32_t)n;
    return true;
}

static bool begin(struct session *s, struct target *target, struct walk *w)
{
    struct symbols_symbol symbol;
    struct session_vm *vm = session_vm(s, target);
    struct symbols *symbols = vm ? vm->symbols : NULL;
    memset(w, 0, sizeof(*w));
    w->target = target;
    if (!symbols || !symbols_find(symbols, "thread_next", 0, &symbol) ||
        !type_find(symbols, "struct thread", &w->type))
        return false;
    w->context.source = (struct frame_source){target, symbols};
    w->context.frame.eip = w->context.frame.where = symbol.address;
    return number(w, "(u32)&all", &w->head) && number(w, "(u32)thread_current", &w->current);
}

static bool word(struct walk *w, uint32_t address, uint32_t *out)
{
    return w->target->ops->read(w->target, TARGET_LINEAR, address, out, 4) == 0;
}

static bool member(struct walk *w, uint32_t thread, const char *name, struct value *out)
{
    struct type_member m;
    if (!type_find_member(&w->type, name, &m))
        return false;
    *out = value_in_memory(&m.type, thread + m.offset);
    return true;
}

static bool member_number(struct walk *w, uint32_t thread, const char *name, int64_t *out)
{
    struct value v;
    return member(w, thread, name, &v) && !value_number(w->target, &v, out, NULL);
}

/* "THREAD_WAITING" as "waiting". */
static void tell_state(struct walk *w, uint32_t thread, char *text, size_t room)
{
    struct value v;
    int64_t n;
    const char *name = NULL;
    if (member(w, thread, "state", &v) && !value_number(w->target, &v, &n, NULL))
        name = type_enumerator(&v.type, n);
    const char *mark = name ? strchr(name, '_') : NULL;
    snprintf(text, room, "%s", mark ? mark + 1 : "?");
    for (char *c = text; *c; c++)
        *c |= 0x20;
}

static void tell_name(struct walk *w, uint32_t thread, char text[17])
{
    struct value name;
    if (!member(w, thread, "name", &name) || value_read(w->target, &name, text, 16, NULL))
        text[0] = 0;
    text[16] = 0;
    for (char *c = text; *c; c++)
        if (*c < ' ' || *c == 127)
            *c = '?';
}

static void take_processor(struct target *target, struct target_thread *out)
{
    const struct cpu *cpu = target_cpu(target);
    memcpy(out->gpr, cpu->gpr, sizeof(out->gpr));
    out->eip = target_eip(target);
    out->eflags = cpu->eflags;
}

/* Of a system call the kernel keeps the flags that count as LAHF and SETO give them. */
static uint32_t unpack_flags(uint32_t flags)
{
    if (flags & 2)
        return flags;
    return (flags >> 8 & 0xd5) | (flags & 1) << 11 | 0x202;
}

static bool take_saved(struct walk *w, uint32_t thread, struct target_thread *out)
{
    static const uint8_t at[8] = {ISA_EAX, ISA_ECX, ISA_EDX, ISA_EBX,
                                  ISA_ESP, ISA_EBP, ISA_ESI, ISA_EDI};
    uint32_t context[CONTEXT_WORDS];
    out->saved = thread - (uint32_t)sizeof(context);
    if (w->target->ops->read(w->target, TARGET_LINEAR, out->saved, context, sizeof(context)))
        return false;
    out->eip = context[0];
    out->eflags = unpack_flags(context[1]);
    for (unsigned i = 0; i < 8; i++)
        out->gpr[at[i]] = context[2 + i];
    out->in_call = context[11] != UINT32_MAX;
    return true;
}

static bool take_thread(struct walk *w, uint32_t thread, struct target_thread *out)
{
    struct value fpu;
    int64_t tid, gs;
    memset(out, 0, sizeof(*out));
    if (!member_number(w, thread, "tid", &tid))
        return false;
    out->number = (unsigned)tid;
    out->running = thread == w->current;
    if (member(w, thread, "fpu", &fpu))
        out->fpu = fpu.address;
    if (member_number(w, thread, "gs_base", &gs))
        out->gs_base = (uint32_t)gs;
    tell_name(w, thread, out->name);
    tell_state(w, thread, out->state, sizeof(out->state));
    return take_saved(w, thread, out);
}

unsigned session_threads(struct session *s, struct target *target, struct target_thread *out,
                         unsigned room)
{
    struct walk w;
    struct type_member link;
    unsigned count = 0;
    uint32_t at;
    while (target->ops->thread && count < room && target->ops->thread(target, count, &out[count]))
        count++;
    if (target->ops->thread || !begin(s, target, &w) || !type_find_member(&w.type, "all", &link) ||
        !word(&w, w.head, &at))
        return count;
    while (at && at != w.head && count < room && take_thread(&w, at - link.offset, &out[count])) {
        count++;
        if (!word(&w, at, &at))
            break;
    }
    return count;
}

bool session_thread(struct session *s, unsigned n, struct target_thread *out)
{
    if (!s->target || n >= MAX_THREADS)
        return false;
    struct target_thread *all = malloc((n + 1) * sizeof(*all));
    unsigned count = all ? session_threads(s, s->target, all, n + 1) : 0;
    bool there = n < count;
    if (there)
        *out = all[n];
    if (there && out->running)
        take_processor(s->target, out);
    free(all);
    return there;
}
