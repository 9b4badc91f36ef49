/* SPDX-License-Identifier: MIT */
/*
 * What counts as equal: registers, EIP, status flags and DF less the undefined
 * ones, x87 and SSE state, the data pages, the fault. Not the x87 instruction
 * and data pointers and opcode, which no program depends on and which
 * processors differ in.
 */
#include "testsuite/insn/compare.h"

#include <capstone/capstone.h>
#include <stdlib.h>
#include <string.h>

#define EFLAGS_COMPARED 0x0CD5u /* status flags and DF */

static const char *const reg_names[8] = {"eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"};

/* The undefined flags of a shift by CL, by the count it had. */
static uint32_t undef_by_cl(const uint32_t gpr[8], const struct isa_insn *insn)
{
    struct isa_insn by_count = *insn;
    struct isa_row row = *insn->row;
    by_count.row = &row;
    by_count.imm = gpr[ISA_ECX] & 0xFF;
    for (unsigned i = 1; i < ARRAY_LEN(row.op); i++)
        if (row.op[i].method == ISA_M_REG && row.op[i].fixed == ISA_ECX)
            row.op[i].method = ISA_M_I;
    return isa_flags(&by_count).undef;
}

static bool is_shift_by_cl(const struct isa_row *row)
{
    for (unsigned i = 1; i < ARRAY_LEN(row->op); i++)
        if (row->op[i].method == ISA_M_REG && row->op[i].fixed == ISA_ECX &&
            row->op[i].width == ISA_W_b)
            return true;
    return false;
}

static uint32_t operand_address(const uint32_t gpr[8], const struct isa_insn *insn)
{
    uint32_t a = insn->disp;
    if (insn->base != ISA_NOREG)
        a += gpr[insn->base];
    if (insn->index != ISA_NOREG)
        a += gpr[insn->index] * insn->scale;
    if (insn->adsize == 2)
        a &= 0xFFFF;
    return a + (insn->seg == ISA_FS ? INSN_FS_BASE : insn->seg == ISA_GS ? INSN_GS_BASE : 0);
}

/* The pointers in the images that FNSTENV, FNSAVE and FXSAVE store. */
static void ignore_pointers(struct compare_mask *m, const uint32_t gpr[8],
                            const struct isa_insn *insn)
{
    unsigned sem = insn->row->sem, word = insn->opsize;
    if (!insn->has_mem)
        return;
    uint32_t at = operand_address(gpr, insn) - INSN_DATA;
    if (sem == ISA_SEM_FNSTENV || sem == ISA_SEM_FNSAVE) {
        m->ignore_at = at + 3 * word;
        m->ignore_len = 4 * word;
    } else if (sem == ISA_SEM_FXSAVE) {
        m->ignore_at = at + 6;
        m->ignore_len = 18;
    }
}

/*
 * Operands that the processor accesses in several steps: which byte of a page
 * faults first, and what was stored before, differ from model to model.
 */
static bool is_several_accesses(const struct isa_row *row)
{
    unsigned width = row->op[0].width;
    return width == ISA_W_e || width == ISA_W_f || width == ISA_W_x ||
           row->sem == ISA_SEM_MASKMOVQ || row->sem == ISA_SEM_MASKMOVDQU;
}

static void allow_torn(struct compare_mask *m, const uint32_t gpr[8], const struct isa_insn *insn)
{
    if (insn->row->sem == ISA_SEM_PUSHA || insn->row->sem == ISA_SEM_ENTER) {
        m->torn_len = 4 * 32; /* at most 31 frame pointers and one more */
        m->torn_at = gpr[ISA_ESP] - INSN_DATA - m->torn_len;
    }
    if (!is_several_accesses(insn->row))
        return;
    m->page_only = true;
    if (insn->has_mem) {
        m->torn_at = operand_address(gpr, insn) - INSN_DATA;
        m->torn_len = isa_operand_bytes(insn, 0);
    }
}

struct compare_mask compare_mask_of(const uint32_t gpr[8], const struct isa_insn *insn)
{
    struct compare_mask m = {0};
    if (!insn->row)
        return m;
    m.undef = is_shift_by_cl(insn->row) ? undef_by_cl(gpr, insn) : isa_flags(insn).undef;
    ignore_pointers(&m, gpr, insn);
    allow_torn(&m, gpr, insn);
    m.torn_registers = insn->row->sem == ISA_SEM_POPA;
    return m;
}

/* One difference; the name is printed only if there is an out. */
struct differ {
    FILE *out;
    const char *a, *b;
    bool any;
};

static void differ_word(struct differ *d, const char *name, uint32_t a, uint32_t b)
{
    if (a == b)
        return;
    d->any = true;
    if (d->out)
        fprintf(d->out, "    %-10s %s %08x   %s %08x\n", name, d->a, a, d->b, b);
}

static void print_bytes(FILE *out, const uint8_t *p, unsigned n)
{
    for (unsigned i = n; i-- > 0;)
        fprintf(out, "%02x", p[i]);
}

static void differ_bytes(struct differ *d, const char *name, unsigned at, const uint8_t *a,
                         const uint8_t *b, unsigned n)
{
    if (!memcmp(a, b, n))
        return;
    d->any = true;
    if (!d->out)
        return;
    fprintf(d->out, "    %s%-7x %s ", name, at, d->a);
    print_bytes(d->out, a, n);
    fprintf(d->out, "   %s ", d->b);
    print_bytes(d->out, b, n);
    fputc('\n', d->out);
}

static void differ_fpu(struct differ *d, const struct insn_fpu *a, const struct insn_fpu *b)
{
    differ_word(d, "control", a->control, b->control);
    differ_word(d, "status", a->status, b->status);
    differ_word(d, "tag", a->tag, b->tag);
    differ_word(d, "mxcsr", a->mxcsr, b->mxcsr);
    for (unsigned i = 0; i < 8; i++)
        differ_bytes(d, "st", i, a->st[i], b->st[i], 10);
    for (unsigned i = 0; i < 8; i++)
        differ_bytes(d, "xmm", i, a->xmm[i], b->xmm[i], 16);
}

static void differ_data(struct differ *d, const uint8_t *a, const uint8_t *b,
                        const struct compare_mask *mask, bool torn)
{
    if (!memcmp(a, b, INSN_DATA_BYTES))
        return;
    for (unsigned at = 0; at < INSN_DATA_BYTES; at++)
        if (at - mask->ignore_at >= mask->ignore_len &&
            !(torn && at - mask->torn_at < mask->torn_len))
            differ_bytes(d, "data+", at, a + at, b + at, 1);
}

bool compare_outcomes(const struct insn_outcome *a, const struct insn_outcome *b,
                      const struct compare_mask *mask, const char *name_a, const char *name_b,
                      FILE *out)
{
    struct differ d = {out, name_a, name_b, false};
    uint32_t flags = EFLAGS_COMPARED & ~mask->undef;
    uint32_t address = mask->page_only ? ~(INSN_PAGE - 1) : ~0u;
    differ_word(&d, "vector", a->vector, b->vector);
    differ_word(&d, "error", a->error, b->error);
    differ_word(&d, "address", a->address & address, b->address & address);
    differ_word(&d, "eip", a->state.eip, b->state.eip);
    for (unsigned i = 0; i < 8 && !(mask->torn_registers && a->vector == 14); i++)
        differ_word(&d, reg_names[i], a->state.gpr[i], b->state.gpr[i]);
    differ_word(&d, "eflags", a->state.eflags & flags, b->state.eflags & flags);
    differ_fpu(&d, &a->state.fpu, &b->state.fpu);
    differ_data(&d, a->data, b->data, mask, a->vector == 14);
    return !d.any;
}

static void print_listing(const struct insn_case *c, FILE *out)
{
    csh handle;
    cs_insn *insns = NULL;
    if (cs_open(CS_ARCH_X86, CS_MODE_32, &handle) != CS_ERR_OK)
        return;
    size_t n = cs_disasm(handle, c->code, c->code_len, INSN_CODE + c->code_at, 0, &insns);
    for (size_t i = 0; i < n; i++) {
        fprintf(out, "    %08x  ", (unsigned)insns[i].address);
        for (unsigned k = 0; k < insns[i].size; k++)
            fprintf(out, "%02x ", insns[i].bytes[k]);
        fprintf(out, "  %s %s\n", insns[i].mnemonic, insns[i].op_str);
    }
    cs_free(insns, n);
    cs_close(&handle);
}

static void print_fpu(const struct insn_fpu *f, FILE *out)
{
    fprintf(out, "    control %04x status %04x tag %02x mxcsr %04x\n", f->control, f->status,
            f->tag, f->mxcsr);
    for (unsigned i = 0; i < 8; i++) {
        fprintf(out, "    st%u ", i);
        print_bytes(out, f->st[i], 10);
        fprintf(out, "   xmm%u ", i);
        print_bytes(out, f->xmm[i], 16);
        fputc('\n', out);
    }
}

void compare_print_case(const struct insn_case *c, FILE *out)
{
    fputs("    bytes:", out);
    for (unsigned i = 0; i < c->code_len; i++)
        fprintf(out, " %02x", c->code[i]);
    fputc('\n', out);
    print_listing(c, out);
    for (unsigned i = 0; i < 8; i++)
        fprintf(out, "%s%s %08x%s", i & 3 ? "  " : "    ", reg_names[i], c->state.gpr[i],
                (i & 3) == 3 ? "\n" : "");
    fprintf(out, "    eflags %08x  data seed %08x", c->state.eflags, c->data_seed);
    if (c->patch_len) {
        fprintf(out, "  data+%x ", c->patch_at);
        print_bytes(out, c->patch, c->patch_len < 32 ? c->patch_len : 32);
    }
    fputc('\n', out);
    print_fpu(&c->state.fpu, out);
}
