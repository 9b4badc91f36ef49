/* SPDX-License-Identifier: MIT */
/*
 * Threads of Ilwaco, by its own symbols and types: its list `all` of struct
 * thread, each at the high end of its kernel stack, with the program's registers
 * (struct denali_context) just below it while the thread is in the kernel.
 * All is the guest's memory and may be nonsense: the walk is bounded.
 */
#include "emu/debug/session_run.h"

#include <string.h>

#define CONTEXT_WORDS 12u /* eip eflags eax ecx edx ebx esp ebp esi edi intr_enabled reserved */
#define MAX_THREADS 4096u

struct walk {
    struct session *session;
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

static bool begin(struct session *s, struct walk *w)
{
    struct symbols_symbol symbol;
    struct symbols *symbols = session_symbols(s);
    memset(w, 0, sizeof(*w));
    w->session = s;
    if (!symbols || !symbols_find(symbols, "thread_next", 0, &symbol) ||
        !type_find(symbols, "struct thread", &w->type))
        return false;
    w->context.source = (struct frame_source){s->target, symbols};
    w->context.frame.eip = w->context.frame.where = symbol.address;
    return number(w, "(u32)&all", &w->head) && number(w, "(u32)thread_current", &w->current);
}

static bool word(struct walk *w, uint32_t address, uint32_t *out)
{
    struct target *t = w->session->target;
    return t->ops->read(t, TARGET_LINEAR, address, out, 4) == 0;
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
    return member(w, thread, name, &v) && !value_number(w->session->target, &v, out, NULL);
}

/* "THREAD_WAITING" as "waiting". */
static void tell_state(struct walk *w, uint32_t thread, char *text, size_t room)
{
    struct value v;
    int64_t n;
    const char *name = NULL;
    if (member(w, thread, "state", &v) && !value_number(w->session->target, &v, &n, NULL))
        name = type_enumerator(&v.type, n);
    const char *mark = name ? strchr(name, '_') : NULL;
    snprintf(text, room, "%s", mark ? mark + 1 : "?");
    for (char *c = text; *c; c++)
        *c |= 0x20;
}

static void take_processor(struct walk *w, struct target_thread *out)
{
    const struct cpu *cpu = target_cpu(w->session->target);
    memcpy(out->gpr, cpu->gpr, sizeof(out->gpr));
    out->eip = target_eip(w->session->target);
    out->eflags = cpu->eflags;
}

static bool take_saved(struct walk *w, uint32_t thread, struct target_thread *out)
{
    static const uint8_t at[8] = {ISA_EAX, ISA_ECX, ISA_EDX, ISA_EBX,
                                  ISA_ESP, ISA_EBP, ISA_ESI, ISA_EDI};
    uint32_t context[CONTEXT_WORDS];
    struct target *t = w->session->target;
    if (t->ops->read(t, TARGET_LINEAR, thread - sizeof(context), context, sizeof(context)))
        return false;
    out->eip = context[0];
    out->eflags = context[1];
    for (unsigned i = 0; i < 8; i++)
        out->gpr[at[i]] = context[2 + i];
    return true;
}

static bool take_thread(struct walk *w, uint32_t thread, struct target_thread *out)
{
    struct value name;
    int64_t tid;
    memset(out, 0, sizeof(*out));
    if (!member_number(w, thread, "tid", &tid))
        return false;
    out->number = (unsigned)tid;
    out->running = thread == w->current;
    if (member(w, thread, "name", &name) &&
        value_read(w->session->target, &name, out->name, 16, NULL))
        out->name[0] = 0;
    out->name[16] = 0;
    for (char *c = out->name; *c; c++)
        if (*c < ' ' || *c == 127)
            *c = '?';
    tell_state(w, thread, out->state, sizeof(out->state));
    if (!out->running)
        return take_saved(w, thread, out);
    take_processor(w, out);
    return true;
}

bool session_thread(struct session *s, unsigned n, struct target_thread *out)
{
    struct walk w;
    struct type_member link;
    uint32_t at;
    if (!s->target)
        return false;
    if (s->target->ops->thread)
        return s->target->ops->thread(s->target, n, out);
    if (n >= MAX_THREADS || !begin(s, &w) || !type_find_member(&w.type, "all", &link) ||
        !word(&w, w.head, &at))
        return false;
    for (; at && at != w.head; n--) {
        if (!n)
            return take_thread(&w, at - link.offset, out);
        if (!word(&w, at, &at))
            return false;
    }
    return false;
}
