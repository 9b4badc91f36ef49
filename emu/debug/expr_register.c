/* SPDX-License-Identifier: MIT */
/* Registers by name, of the processor or of a frame further up the stack. */
#include "emu/debug/expr.h"

#include <string.h>

enum source { FROM_GPR, FROM_EIP, FROM_EFLAGS, FROM_SEG, FROM_SEG_BASE, FROM_SYS, FROM_ICOUNT };

struct row {
    const char *name;
    uint8_t from; /* enum source */
    uint8_t number;
    uint8_t size, shift; /* bytes and bits of it */
    const char *type;    /* for addresses */
};

static const struct row rows[] = {
    {"eax", FROM_GPR, ISA_EAX, 4, 0, NULL},
    {"ecx", FROM_GPR, ISA_ECX, 4, 0, NULL},
    {"edx", FROM_GPR, ISA_EDX, 4, 0, NULL},
    {"ebx", FROM_GPR, ISA_EBX, 4, 0, NULL},
    {"esp", FROM_GPR, ISA_ESP, 4, 0, "void"},
    {"ebp", FROM_GPR, ISA_EBP, 4, 0, "void"},
    {"esi", FROM_GPR, ISA_ESI, 4, 0, NULL},
    {"edi", FROM_GPR, ISA_EDI, 4, 0, NULL},
    {"eip", FROM_EIP, 0, 4, 0, "<text>"},
    {"eflags", FROM_EFLAGS, 0, 4, 0, NULL},
    {"pc", FROM_EIP, 0, 4, 0, "<text>"},
    {"sp", FROM_GPR, ISA_ESP, 4, 0, "void"},
    {"fp", FROM_GPR, ISA_EBP, 4, 0, "void"},
    {"ax", FROM_GPR, ISA_EAX, 2, 0, NULL},
    {"cx", FROM_GPR, ISA_ECX, 2, 0, NULL},
    {"dx", FROM_GPR, ISA_EDX, 2, 0, NULL},
    {"bx", FROM_GPR, ISA_EBX, 2, 0, NULL},
    {"bp", FROM_GPR, ISA_EBP, 2, 0, NULL},
    {"si", FROM_GPR, ISA_ESI, 2, 0, NULL},
    {"di", FROM_GPR, ISA_EDI, 2, 0, NULL},
    {"al", FROM_GPR, ISA_EAX, 1, 0, NULL},
    {"cl", FROM_GPR, ISA_ECX, 1, 0, NULL},
    {"dl", FROM_GPR, ISA_EDX, 1, 0, NULL},
    {"bl", FROM_GPR, ISA_EBX, 1, 0, NULL},
    {"ah", FROM_GPR, ISA_EAX, 1, 8, NULL},
    {"ch", FROM_GPR, ISA_ECX, 1, 8, NULL},
    {"dh", FROM_GPR, ISA_EDX, 1, 8, NULL},
    {"bh", FROM_GPR, ISA_EBX, 1, 8, NULL},
    {"es", FROM_SEG, ISA_ES, 2, 0, NULL},
    {"cs", FROM_SEG, ISA_CS, 2, 0, NULL},
    {"ss", FROM_SEG, ISA_SS, 2, 0, NULL},
    {"ds", FROM_SEG, ISA_DS, 2, 0, NULL},
    {"fs", FROM_SEG, ISA_FS, 2, 0, NULL},
    {"gs", FROM_SEG, ISA_GS, 2, 0, NULL},
    {"fs_base", FROM_SEG_BASE, ISA_FS, 4, 0, NULL},
    {"gs_base", FROM_SEG_BASE, ISA_GS, 4, 0, NULL},
    {"cr0", FROM_SYS, 0, 4, 0, NULL},
    {"cr2", FROM_SYS, 2, 4, 0, NULL},
    {"cr3", FROM_SYS, 3, 4, 0, NULL},
    {"cr4", FROM_SYS, 4, 4, 0, NULL},
    {"icount", FROM_ICOUNT, 0, 8, 0, NULL},
};

const char *expr_register_name(unsigned n)
{
    return n < ARRAY_LEN(rows) ? rows[n].name : NULL;
}

static uint32_t segment_base(struct target *target, unsigned segment)
{
    const struct cpu *cpu = target_cpu(target);
    uint32_t base = 0;
    if (!cpu->flat)
        return cpu->seg[segment].base;
    uint32_t at = segment == ISA_FS ? cpu->flat->fs_base : cpu->flat->gs_base;
    if (target->ops->read(target, TARGET_PHYSICAL, at, &base, 4))
        return 0;
    return base;
}

static uint32_t control(const struct cpu *cpu, unsigned number)
{
    const uint32_t cr[] = {cpu->sys.cr0, 0, cpu->sys.cr2, cpu->sys.cr3, cpu->sys.cr4};
    return number < ARRAY_LEN(cr) ? cr[number] : 0;
}

static bool fetch(const struct expr_context *c, const struct row *row, uint64_t *out)
{
    struct target *t = c->source.target;
    const struct cpu *cpu = target_cpu(t);
    switch (row->from) {
    case FROM_GPR:
        *out = c->frame.gpr[row->number] >> row->shift;
        return c->frame.known >> row->number & 1;
    case FROM_EIP:
        *out = c->frame.eip;
        return true;
    case FROM_EFLAGS:
        *out = cpu->eflags;
        return c->frame.how == FRAME_FIRST;
    case FROM_SEG:
        *out = cpu->seg[row->number].selector;
        return true;
    case FROM_SEG_BASE:
        *out = segment_base(t, row->number);
        return true;
    case FROM_SYS:
        *out = control(cpu, row->number);
        return true;
    default:
        *out = cpu->icount;
        return true;
    }
}

/* Whole registers of the running frame can be assigned to. */
static void set_place(const struct expr_context *c, const struct row *row, struct value *out)
{
    if (c->frame.how != FRAME_FIRST || row->size != 4)
        return;
    if (row->from == FROM_GPR)
        out->reg = row->number;
    else if (row->from == FROM_EIP)
        out->reg = VALUE_EIP;
    else if (row->from == FROM_EFLAGS)
        out->reg = VALUE_EFLAGS;
    else
        return;
    out->place = VALUE_REGISTER;
}

static bool x87(const struct expr_context *c, const char *name, struct value *out)
{
    if (strncmp(name, "st", 2) || name[2] < '0' || name[2] > '7' || name[3])
        return false;
    *out = (struct value){.place = VALUE_BYTES};
    type_builtin("long double", &out->type);
    memcpy(out->bytes, target_cpu(c->source.target)->fpu.st[name[2] - '0'], 10);
    return true;
}

bool expr_register(const struct expr_context *c, const char *name, struct value *out)
{
    uint64_t number;
    if (x87(c, name, out))
        return true;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct row *row = &rows[i];
        struct type to;
        if (strcmp(row->name, name))
            continue;
        *out = value_integer(0, row->size, false);
        if (row->type && type_builtin(row->type, &to))
            out->type = type_pointer_to(&to);
        if (!fetch(c, row, &number)) {
            out->place = VALUE_LOST;
            return true;
        }
        memcpy(out->bytes, &number, row->size);
        set_place(c, row, out);
        return true;
    }
    return false;
}
