/* SPDX-License-Identifier: MIT */
/*
 * A step is told when the next one begins: only then is it known where a call led. What is
 * written goes through stdio's buffer with a blocking write; an error is kept and told at
 * the end.
 */
#include "denali/trace.h"
#include "denali/disasm.h"
#include "emu/cpu/cpu.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUFFER (256 * KIB)
#define TEXTS 8192u
#define CALLS 64u

struct line {
    struct trace_spec spec;
    FILE *out;
};

/* Text of instructions, by address; Capstone is slow. */
struct text {
    uint32_t eip;
    uint8_t len, bits, bytes[ISA_MAX_LENGTH];
    char text[80];
};

struct trace {
    struct line line[TRACE_KINDS * 8];
    unsigned lines;
    unsigned kinds; /* bits */
    trace_call_name_fn call_name;
    struct text *text;
    /* The instruction before this one. */
    bool stepped, jumped;
    enum isa_sem sem;
    uint32_t eip, next;
    uint64_t icount;
    /* System calls under way: where each returns to, and (of a PC) in which address space. */
    struct {
        uint32_t back, space, number;
        uint64_t icount;
    } call[CALLS];
    unsigned calls;
};

/* The specification. */

static const char *const kind_names[TRACE_KINDS] = {"instruction", "block",     "call",  "syscall",
                                                    "port",        "interrupt", "packet"};

static bool ends_in(const char *text, const char *end)
{
    size_t len = strlen(text), n = strlen(end);
    return len >= n && !strcmp(text + len - n, end);
}

static int parse_filter(const char *word, struct trace_spec *out)
{
    const char *value = strchr(word, '=');
    char *end = NULL;
    if (!strcmp(word, "json")) {
        out->json = true;
        return 0;
    }
    if (!value++ || !*value)
        return -EINVAL;
    if (!strncmp(word, "in=", 3)) {
        if (strlen(value) >= sizeof(out->symbol))
            return -EINVAL;
        strcpy(out->symbol, value);
        return 0;
    }
    uint64_t n = strtoull(value, &end, 0);
    if (*end)
        return -EINVAL;
    if (!strncmp(word, "from=", 5) && n <= UINT32_MAX)
        out->from = (uint32_t)n;
    else if (!strncmp(word, "to=", 3) && n <= UINT32_MAX)
        out->to = (uint32_t)n;
    else if (!strncmp(word, "first=", 6))
        out->first = n;
    else if (!strncmp(word, "last=", 5))
        out->last = n;
    else
        return -EINVAL;
    return 0;
}

static int parse_words(char *words, struct trace_spec *out, const char *text, struct why *why)
{
    char *save = NULL;
    const char *file = strtok_r(words, ",", &save);
    if (!file || strlen(file) >= sizeof(out->file))
        return why_fail(why, -EINVAL, "--trace %s: which file? KIND:FILE", text);
    strcpy(out->file, file);
    out->json = ends_in(file, ".json") || ends_in(file, ".jsonl");
    for (char *word; (word = strtok_r(NULL, ",", &save));) {
        if (parse_filter(word, out))
            return why_fail(why, -EINVAL,
                            "--trace %s: there is no \"%s\"; filters are json, from=ADDR, to=ADDR, "
                            "in=FUNCTION, first=N, last=N",
                            text, word);
    }
    return 0;
}

int trace_parse(const char *text, struct trace_spec *out, struct why *why)
{
    size_t len = strcspn(text, ":");
    memset(out, 0, sizeof(*out));
    out->to = UINT32_MAX;
    out->last = UINT64_MAX;
    out->kind = TRACE_KINDS;
    for (unsigned k = 0; k < TRACE_KINDS; k++) {
        if (strlen(kind_names[k]) == len && !strncmp(kind_names[k], text, len))
            out->kind = (enum trace_kind)k;
    }
    if (out->kind == TRACE_KINDS || !text[len])
        return why_fail(why, -EINVAL,
                        "--trace %s: say KIND:FILE, with one of instruction, block, call, "
                        "syscall, port, interrupt, packet",
                        text);
    char *words = strdup(text + len + 1);
    int err = words ? parse_words(words, out, text, why) : why_fail(why, -ENOMEM, "no memory");
    free(words);
    return err;
}

/* Life. */

static int open_line(struct trace *t, const struct trace_spec *spec, struct why *why)
{
    struct line *l = &t->line[t->lines];
    l->spec = *spec;
    l->out = !strcmp(spec->file, "-") ? stdout : fopen(spec->file, "we");
    if (!l->out)
        return why_fail(why, -errno, "cannot write the trace %s: %s", spec->file, strerror(errno));
    if (l->out != stdout)
        setvbuf(l->out, NULL, _IOFBF, BUFFER);
    t->kinds |= 1u << spec->kind;
    t->lines++;
    return 0;
}

int trace_create(const struct trace_spec *spec, unsigned count, trace_call_name_fn call_name,
                 struct trace **out, struct why *why)
{
    struct why ignored;
    struct trace *t = calloc(1, sizeof(*t));
    int err = 0;
    if (!t || !(t->text = calloc(TEXTS, sizeof(t->text[0]))))
        err = why_fail(why, -ENOMEM, "no memory for a trace");
    for (unsigned i = 0; !err && i < count && t->lines < ARRAY_LEN(t->line); i++)
        err = open_line(t, &spec[i], why);
    if (err && trace_destroy(t, &ignored))
        return err;
    if (err)
        return err;
    t->call_name = call_name;
    *out = t;
    return 0;
}

bool trace_steps(const struct trace *t)
{
    return t->kinds &
           (1u << TRACE_INSTRUCTION | 1u << TRACE_BLOCK | 1u << TRACE_CALL | 1u << TRACE_SYSCALL);
}

int trace_destroy(struct trace *t, struct why *why)
{
    int err = 0;
    for (unsigned i = 0; t && i < t->lines; i++) {
        FILE *out = t->line[i].out;
        bool bad = ferror(out) || fflush(out);
        if ((out != stdout && fclose(out)) || bad)
            err = why_fail(why, -EIO, "the trace %s is not whole: the file could not be written",
                           t->line[i].spec.file);
    }
    if (t)
        free(t->text);
    free(t);
    return err;
}

/* Lines. */

static bool lets_through(const struct trace_spec *s, uint64_t icount, uint32_t eip)
{
    return icount >= s->first && icount <= s->last && eip >= s->from && eip < s->to;
}

/* The n-th line of a kind that lets it through, from `l` on; NULL. */
static struct line *next_line(struct trace *t, struct line *l, enum trace_kind kind,
                              uint64_t icount, uint32_t eip)
{
    for (l = l ? l + 1 : t->line; l < t->line + t->lines; l++) {
        if (l->spec.kind == kind && lets_through(&l->spec, icount, eip))
            return l;
    }
    return NULL;
}

#define EACH_LINE(t, l, kind, icount, eip)                                                         \
    for (struct line *l = next_line(t, NULL, kind, icount, eip); l;                                \
         l = next_line(t, l, kind, icount, eip))

/* Linear: where a PC's segment does not begin at 0, its base is in it. */
static uint32_t place(const struct cpu *c)
{
    return c->flat ? c->eip : c->seg[ISA_CS].base + c->eip;
}

static const char *text_of(struct trace *t, unsigned bits, uint32_t eip, const uint8_t *bytes,
                           unsigned len)
{
    struct text *x = &t->text[eip % TEXTS];
    if (x->eip == eip && x->bits == bits && x->len == len && !memcmp(x->bytes, bytes, len))
        return x->text;
    x->eip = eip;
    x->bits = (uint8_t)bits;
    x->len = (uint8_t)len;
    memcpy(x->bytes, bytes, len);
    if (!disasm_text(bits, bytes, len, eip, x->text, sizeof(x->text)))
        strcpy(x->text, "(bad)");
    return x->text;
}

static void put_bytes(FILE *out, const uint8_t *bytes, size_t len)
{
    static const char hex[] = "0123456789abcdef";
    for (size_t i = 0; i < len; i++) {
        putc(hex[bytes[i] >> 4], out);
        putc(hex[bytes[i] & 15], out);
    }
}

static bool is_32(const struct cpu *c)
{
    return c->flat || c->code32;
}

static void put_instruction(struct trace *t, struct line *l, const struct cpu *c,
                            const uint8_t *bytes, unsigned len)
{
    const char *text = text_of(t, is_32(c) ? 32 : 16, place(c), bytes, len);
    fprintf(l->out,
            l->spec.json ? "{\"icount\":%" PRIu64 ",\"eip\":%" PRIu32 ",\"bytes\":\""
                         : "%" PRIu64 " %08" PRIx32 " ",
            c->icount, place(c));
    put_bytes(l->out, bytes, len);
    if (l->spec.json)
        fprintf(l->out,
                "\",\"text\":\"%s\",\"eax\":%u,\"ecx\":%u,\"edx\":%u,\"ebx\":%u,\"esp\":%u,"
                "\"ebp\":%u,\"esi\":%u,\"edi\":%u,\"eflags\":%u}\n",
                text, c->gpr[0], c->gpr[1], c->gpr[2], c->gpr[3], c->gpr[4], c->gpr[5], c->gpr[6],
                c->gpr[7], c->eflags);
    else
        fprintf(l->out, " %s\n", text);
}

static void put_block(struct line *l, const struct cpu *c)
{
    fprintf(l->out,
            l->spec.json ? "{\"icount\":%" PRIu64 ",\"eip\":%" PRIu32 "}\n"
                         : "%" PRIu64 " %08" PRIx32 "\n",
            c->icount, place(c));
}

static void put_call(struct trace *t, struct line *l, const struct cpu *c)
{
    const char *what = t->sem == ISA_SEM_CALL ? "call" : "ret";
    fprintf(l->out,
            l->spec.json ? "{\"icount\":%" PRIu64 ",\"what\":\"%s\",\"from\":%" PRIu32
                           ",\"to\":%" PRIu32 ",\"esp\":%" PRIu32 "}\n"
                         : "%" PRIu64 " %-4s %08" PRIx32 " -> %08" PRIx32 " esp %08" PRIx32 "\n",
            t->icount, what, t->eip, place(c), c->gpr[ISA_ESP]);
}

/* System calls: INT leads to the guest's own handler; its TRAPRET comes back behind it. */

static void name_call(const struct trace *t, uint32_t number, char name[32])
{
    const char *known = t->call_name ? t->call_name(number) : NULL;
    if (known)
        snprintf(name, 32, "%s", known);
    else
        snprintf(name, 32, "call_%" PRIu32, number);
}

static void begin_call(struct trace *t, const struct cpu *c, uint32_t number, uint32_t back)
{
    char name[32];
    name_call(t, c->gpr[ISA_EAX], name);
    if (t->calls < CALLS) {
        t->call[t->calls].back = back;
        t->call[t->calls].space = c->sys.cr3;
        t->call[t->calls].number = c->gpr[ISA_EAX];
        t->call[t->calls++].icount = c->icount;
    }
    EACH_LINE(t, l, TRACE_SYSCALL, c->icount, place(c))
    fprintf(l->out,
            l->spec.json ? "{\"icount\":%" PRIu64 ",\"eip\":%" PRIu32
                           ",\"vector\":%u,\"name\":\"%s\",\"args\":[%u,%u,%u,%u,%u,%u]}\n"
                         : "%" PRIu64 " %08" PRIx32 " int %#x %s(%#x, %#x, %#x, %#x, %#x, %#x)\n",
            c->icount, place(c), number, name, c->gpr[ISA_EBX], c->gpr[ISA_ECX], c->gpr[ISA_EDX],
            c->gpr[ISA_ESI], c->gpr[ISA_EDI], c->gpr[ISA_EBP]);
}

static void end_call(struct trace *t, const struct cpu *c)
{
    unsigned i = t->calls;
    char name[32];
    while (i && (t->call[i - 1].back != place(c) || t->call[i - 1].space != c->sys.cr3))
        i--;
    if (!i)
        return;
    name_call(t, t->call[i - 1].number, name);
    EACH_LINE(t, l, TRACE_SYSCALL, c->icount, place(c))
    fprintf(l->out,
            l->spec.json ? "{\"icount\":%" PRIu64 ",\"eip\":%" PRIu32
                           ",\"name\":\"%s\",\"result\":%" PRId32 ",\"began\":%" PRIu64 "}\n"
                         : "%" PRIu64 " %08" PRIx32 " %s = %" PRId32 " (began at %" PRIu64 ")\n",
            c->icount, place(c), name, (int32_t)c->gpr[ISA_EAX], t->call[i - 1].icount);
    memmove(&t->call[i - 1], &t->call[i], (t->calls - i) * sizeof(t->call[0]));
    t->calls--;
}

static bool wants(const struct trace *t, enum trace_kind kind)
{
    return t->kinds >> kind & 1;
}

/* What the instruction before did, now that it is done. */
static void tell_before(struct trace *t, const struct cpu *c)
{
    bool moved = t->stepped && place(c) != t->next;
    if ((t->sem == ISA_SEM_CALL || t->sem == ISA_SEM_RET) && t->stepped && wants(t, TRACE_CALL))
        EACH_LINE(t, l, TRACE_CALL, t->icount, t->eip) put_call(t, l, c);
    if ((!t->stepped || t->jumped || moved) && wants(t, TRACE_BLOCK))
        EACH_LINE(t, l, TRACE_BLOCK, c->icount, place(c)) put_block(l, c);
    if (t->calls && moved)
        end_call(t, c);
}

void trace_step(struct trace *t, const struct cpu *c, const uint8_t *bytes, unsigned have)
{
    struct isa_insn insn;
    if (t->stepped && c->icount == t->icount && place(c) == t->eip)
        return; /* it did not run yet */
    tell_before(t, c);
    bool good = have && isa_decode(bytes, have, is_32(c), &insn) == ISA_OK;
    t->stepped = good;
    if (!good)
        return;
    t->sem = insn.row->sem;
    t->jumped = insn.row->attr & (ISA_T_JUMP | ISA_T_BRANCH);
    t->eip = place(c);
    t->next = t->eip + insn.len;
    t->icount = c->icount;
    EACH_LINE(t, l, TRACE_INSTRUCTION, c->icount, place(c))
    put_instruction(t, l, c, bytes, insn.len);
    if (t->sem == ISA_SEM_INT && wants(t, TRACE_SYSCALL))
        begin_call(t, c, (uint8_t)insn.imm, t->next);
}

/* What leaves the engine. */

void trace_port(struct trace *t, const struct cpu *c)
{
    const char *way = c->exit.port_write ? "out" : "in";
    EACH_LINE(t, l, TRACE_PORT, c->icount, place(c))
    fprintf(l->out,
            l->spec.json
                ? "{\"icount\":%" PRIu64 ",\"eip\":%" PRIu32
                  ",\"way\":\"%s\",\"port\":%u,\"eax\":%u,\"ecx\":%u,\"ebx\":%u,\"edi\":%u}\n"
                : "%" PRIu64 " %08" PRIx32 " %-3s port %#x eax %#x ecx %#x ebx %#x edi %#x\n",
            c->icount, place(c) - c->exit.length, way, c->exit.port, c->gpr[ISA_EAX],
            c->gpr[ISA_ECX], c->gpr[ISA_EBX], c->gpr[ISA_EDI]);
}

void trace_access(struct trace *t, const struct cpu *c, bool write, uint32_t port, unsigned size,
                  uint32_t value)
{
    EACH_LINE(t, l, TRACE_PORT, c->icount, place(c))
    fprintf(l->out,
            l->spec.json ? "{\"icount\":%" PRIu64 ",\"eip\":%" PRIu32
                           ",\"way\":\"%s\",\"port\":%u,\"size\":%u,\"value\":%u}\n"
                         : "%" PRIu64 " %08" PRIx32 " %-3s port %#x size %u value %#x\n",
            c->icount, place(c), write ? "out" : "in", port, size, value);
}

static void put_error(FILE *out, const struct trace_event *e, bool json)
{
    if (e->has_error)
        fprintf(out, json ? ",\"error\":%u" : " error %#x", e->error);
    if (e->has_address)
        fprintf(out, json ? ",\"address\":%u" : " address %08x", e->address);
    fputs(json ? "}\n" : "\n", out);
}

void trace_event(struct trace *t, const struct cpu *c, const struct trace_event *e)
{
    const char *name = e->is_fault ? cpu_vector_name(e->vector) : "";
    t->stepped = false;
    EACH_LINE(t, l, TRACE_INTERRUPT, c->icount, place(c))
    {
        fprintf(l->out,
                l->spec.json ? "{\"icount\":%" PRIu64 ",\"eip\":%" PRIu32
                               ",\"kind\":\"%s\",\"vector\":%u,\"name\":\"%s\""
                             : "%" PRIu64 " %08" PRIx32 " %s %#x %s",
                c->icount, place(c), e->kind, e->vector, name);
        put_error(l->out, e, l->spec.json);
    }
}

void trace_upcall(struct trace *t, const struct cpu *c, uint32_t batch)
{
    t->stepped = false;
    EACH_LINE(t, l, TRACE_INTERRUPT, c->icount, place(c))
    fprintf(l->out,
            l->spec.json ? "{\"icount\":%" PRIu64 ",\"handler\":%" PRIu32 ",\"interrupts\":%u}\n"
                         : "%" PRIu64 " %08" PRIx32 " interrupts %#x\n",
            c->icount, place(c), batch);
}

void trace_fault(struct trace *t, const struct cpu *c)
{
    t->stepped = false;
    EACH_LINE(t, l, TRACE_INTERRUPT, c->icount, place(c))
    fprintf(l->out,
            l->spec.json ? "{\"icount\":%" PRIu64 ",\"eip\":%" PRIu32
                           ",\"fault\":\"%s\",\"error\":%u,\"address\":%u}\n"
                         : "%" PRIu64 " %08" PRIx32 " fault %s error %#x address %08x\n",
            c->icount, place(c), cpu_vector_name(c->fault.vector), c->fault.error,
            c->fault.address);
}

void trace_frame(struct trace *t, const struct cpu *c, unsigned device, bool sent,
                 const void *frame, size_t len, int64_t result)
{
    EACH_LINE(t, l, TRACE_PACKET, c->icount, place(c))
    {
        fprintf(l->out,
                l->spec.json ? "{\"icount\":%" PRIu64
                               ",\"device\":%u,\"way\":\"%s\",\"len\":%zu,\"result\":%" PRId64
                               ",\"data\":\""
                             : "%" PRIu64 " device %u %s %zu bytes, result %" PRId64 " ",
                c->icount, device, sent ? "sent" : "received", len, result);
        put_bytes(l->out, frame, len);
        fputs(l->spec.json ? "\"}\n" : "\n", l->out);
    }
}
