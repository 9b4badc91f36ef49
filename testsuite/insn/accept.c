/* SPDX-License-Identifier: MIT */
/*
 * Whether the decoder and the host's CPU agree on what is an instruction:
 * every opcode of the one-byte and the 0F map with every modrm.reg in a
 * register and a memory form, under each prefix that can make the difference.
 * What the decoder accepts must not be #UD; what it refuses must be #UD, or
 * one of the instructions that came after SSE2, which are listed here.
 *
 *   accept [--native FILE] [--show N]      exit 0, 1, or 77 without a native runner
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emu/isa/isa.h"
#include "testsuite/insn/options.h"

#define CODE_AT 0x800u

/* What a later processor than the table's executes. */
static bool is_later(const struct isa_insn *insn, const uint8_t *code)
{
    const uint8_t *op = code;
    while (*op == 0x66 || *op == 0xF2 || *op == 0xF3 || *op == 0xF0)
        op++;
    unsigned reg = op[1] >> 3 & 7, reg0f = op[2] >> 3 & 7;
    bool repeat = insn->seen & (ISA_SEEN_F2 | ISA_SEEN_F3);
    if (op[0] == 0xC6 || op[0] == 0xC7) /* XABORT, XBEGIN */
        return op[1] == 0xF8;
    if (op[0] == 0xDB || op[0] == 0xDD || op[0] == 0xDF) /* FISTTP */
        return reg == 1 && op[1] < 0xC0;
    if (op[0] != 0x0F)
        return false;
    switch (op[1]) {
    case 0x01: /* VMCALL, XGETBV, SERIALIZE, RDTSCP, ... */
        return op[2] >= 0xC0 || (reg0f == 5 && repeat);
    case 0x38: /* SSSE3 and on */
    case 0x3A:
        return true;
    case 0x12: /* MOVSLDUP, MOVDDUP, MOVSHDUP */
    case 0x16:
    case 0xB8: /* POPCNT */
    case 0x7C: /* HADDPS, ADDSUBPS, LDDQU */
    case 0x7D:
    case 0xD0:
    case 0xF0:
        return repeat || (insn->seen & ISA_SEEN_66);
    case 0xAE: /* XSAVE, RDFSBASE, CLWB, UMONITOR, INCSSP, ... */
        return true;
    case 0xC7: /* RDRAND, RDSEED, XSAVEC, RDPID, ... */
        return reg0f != 1;
    case 0x09: /* WBNOINVD */
        return repeat;
    default:
        return false;
    }
}

/* What the decoder accepts though the processor refuses it in this mode. */
static bool is_refused_here(const struct isa_row *row)
{
    return (row->attr & (ISA_T_UNDEF | ISA_T_VIRTUAL)) || row->sem == ISA_SEM_RSM;
}

/* Branches might not come back, SYSENTER and INT enter the kernel. */
static bool is_left_out(bool map_0f, unsigned opcode)
{
    if (map_0f)
        return opcode == 0x05 || opcode == 0x34 || (opcode & 0xF0) == 0x80;
    return (opcode & 0xF0) == 0x70 || (opcode >= 0xE0 && opcode <= 0xE3) || opcode == 0xE8 ||
           opcode == 0xE9 || opcode == 0xEB || opcode == 0xCD || opcode == 0x0F;
}

static bool is_prefix(unsigned opcode)
{
    return (opcode & 0xE7) == 0x26 || (opcode >= 0x64 && opcode <= 0x67) || opcode == 0xF0 ||
           opcode == 0xF2 || opcode == 0xF3;
}

struct scan {
    struct runner *native;
    unsigned show, checked, wrong;
    unsigned count;
    struct insn_case cases[INSN_BATCH];
    struct insn_outcome outcomes[INSN_BATCH];
};

static void judge(struct scan *s, const struct insn_case *c, const struct insn_outcome *o)
{
    struct isa_insn insn;
    bool ours = isa_decode(c->code, c->code_len, true, &insn) == ISA_OK;
    bool cpu = !(o->vector == 6 && o->state.eip == c->state.eip);
    s->checked++;
    if (ours == cpu || (ours ? is_refused_here(insn.row) : is_later(&insn, c->code)))
        return;
    if (s->wrong++ >= s->show)
        return;
    printf("%s:", ours ? "accepted, but #UD on the processor" : "refused, but executed");
    for (unsigned i = 0; i < c->code_len; i++)
        printf(" %02x", c->code[i]);
    printf("\n");
}

static int flush(struct scan *s)
{
    int err = s->native->run(s->native, s->cases, s->count, s->outcomes);
    for (unsigned i = 0; !err && i < s->count; i++)
        judge(s, &s->cases[i], &s->outcomes[i]);
    s->count = 0;
    return err;
}

static int add(struct scan *s, const uint8_t *code, unsigned n)
{
    struct insn_case *c = &s->cases[s->count++];
    memset(c, 0, sizeof(*c));
    for (unsigned i = 0; i < 8; i++)
        c->state.gpr[i] = INSN_DATA + INSN_PAGE;
    c->state.eflags = 0x202;
    c->state.eip = INSN_CODE + CODE_AT;
    c->state.fpu.control = 0x37F;
    c->state.fpu.mxcsr = 0x1F80;
    c->patch_at = INSN_PAGE; /* zeros at ESP: IRET and RETF find no selector to load */
    c->patch_len = 64;
    c->code_at = CODE_AT;
    c->code_len = n;
    memcpy(c->code, code, n);
    return s->count == INSN_BATCH ? flush(s) : 0;
}

/* One opcode under one prefix: modrm with every reg, [eax] and eight registers. */
static int scan_opcode(struct scan *s, uint8_t prefix, bool map_0f, uint8_t opcode)
{
    int err = 0;
    for (unsigned modrm = 0; modrm < 256 && !err; modrm++) {
        uint8_t code[8] = {0};
        unsigned n = 0;
        if (modrm >= 0x40 && modrm < 0xC0)
            continue;
        if (modrm < 0x40 && (modrm & 7) != 0)
            continue;
        if (prefix)
            code[n++] = prefix;
        if (map_0f)
            code[n++] = 0x0F;
        code[n++] = opcode;
        code[n++] = (uint8_t)modrm;
        err = add(s, code, sizeof(code));
    }
    return err;
}

static int scan_all(struct scan *s)
{
    static const uint8_t prefixes[] = {0, 0x66, 0xF3, 0xF2, 0xF0};
    int err = 0;
    for (unsigned p = 0; p < ARRAY_LEN(prefixes); p++)
        for (unsigned opcode = 0; opcode < 512 && !err; opcode++) {
            bool map_0f = opcode >= 256;
            if (is_left_out(map_0f, opcode & 0xFF) || (!map_0f && is_prefix(opcode)))
                continue;
            err = scan_opcode(s, prefixes[p], map_0f, (uint8_t)opcode);
        }
    return err ? err : flush(s);
}

int main(int argc, char **argv)
{
    struct options options;
    struct runners runners;
    if (!options_parse(&options, 0, argc, argv))
        return 2;
    options.runners = "";
    int status = runners_open(&runners, &options);
    struct scan *s = calloc(1, sizeof(*s));
    if (status || !s)
        return status ? status : 2;
    s->native = runners.native;
    s->show = options.show < 20 ? 20 : options.show;
    int err = scan_all(s);
    printf("%u encodings, %u wrong%s\n", s->checked, s->wrong, err ? "; the runner failed" : "");
    status = err || s->wrong ? 1 : 0;
    runners_close(&runners);
    free(s);
    return status;
}
