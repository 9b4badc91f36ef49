/* SPDX-License-Identifier: MIT */
/*
 * Turns a decoded instruction into the operands a disassembler shows and holds
 * them against Capstone's. Registers are compared as names, so that a wrong
 * width shows as a wrong register. The functions named excuse_* are the whole
 * list of where Capstone 4 is not followed, each with its reason.
 */
#include <capstone/capstone.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "testsuite/unit/isa_oracle.h"

struct oracle {
    csh handle[2]; /* 16, 32 bits */
    cs_insn *insn[2];
    char text[256];
};

struct oracle *oracle_create(void)
{
    struct oracle *o = calloc(1, sizeof(*o));
    if (!o)
        return NULL;
    static const cs_mode modes[2] = {CS_MODE_16, CS_MODE_32};
    for (int i = 0; i < 2; i++) {
        if (cs_open(CS_ARCH_X86, modes[i], &o->handle[i]) != CS_ERR_OK)
            return NULL;
        cs_option(o->handle[i], CS_OPT_DETAIL, CS_OPT_ON);
        o->insn[i] = cs_malloc(o->handle[i]);
    }
    return o;
}

void oracle_destroy(struct oracle *oracle)
{
    for (int i = 0; i < 2; i++) {
        cs_free(oracle->insn[i], 1);
        cs_close(&oracle->handle[i]);
    }
    free(oracle);
}

static const cs_insn *disassemble(struct oracle *o, const uint8_t *buf, size_t len, bool code32)
{
    uint64_t address = 0;
    return cs_disasm_iter(o->handle[code32], &buf, &len, &address, o->insn[code32])
               ? o->insn[code32]
               : NULL;
}

unsigned oracle_length(struct oracle *o, const uint8_t *buf, size_t len, bool code32)
{
    const cs_insn *cs = disassemble(o, buf, len, code32);
    return cs ? cs->size : 0;
}

bool oracle_knows_as_later(struct oracle *o, const uint8_t *buf, size_t len, bool code32)
{
    static const char *const later[] = {
        "rdseed",    "rdrand",    "rdtscp",    "swapgs",  "syscall",   "sysret",     "xgetbv",
        "xsetbv",    "xsave",     "xsavec",    "xsaves",  "xsaveopt",  "xrstor",     "xrstors",
        "clac",      "stac",      "encls",     "enclu",   "getsec",    "invpcid",    "movbe",
        "montmul",   "xsha1",     "xsha256",   "xstore",  "xstorerng", "xcryptecb",  "xcryptcbc",
        "xcryptctr", "xcryptcfb", "xcryptofb", "xtest",   "xend",      "vmcall",     "popcnt",
        "monitor",   "mwait",     "femms",     "pcommit", "clwb",      "clflushopt", "rdfsbase",
        "fisttp",    "insertq",   "extrq",     "bndmov",  "bndmk",     "bndcl",      "bndcu",
        "bndldx",    "bndstx",    "rdpkru",    "wrpkru",  "clzero",    "skinit",     "invlpga",
        "vmload",    "vmsave",    "vmrun",     "vmmcall", "stgi",      "clgi",       "crc32",
    };
    const cs_insn *cs = disassemble(o, buf, len, code32);
    if (!cs)
        return false;
    /* MOV of CR1 and others that do not exist, MOV to CS (SDM volume 2, MOV): #UD. */
    if ((buf[0] == 0x0F && (buf[1] & 0xFD) == 0x20) || (buf[0] == 0x8E && (buf[1] & 0x38) == 8))
        return true;
    for (unsigned i = 0; i < ARRAY_LEN(later); i++)
        if (!strcmp(cs->mnemonic, later[i]))
            return true;
    /* VEX, EVEX and XOP forms of what SSE2 knows too, in no group of Capstone 4. */
    if (cs->mnemonic[0] == 'v' && (buf[0] == 0xC4 || buf[0] == 0xC5 || buf[0] == 0x62))
        return true;
    for (unsigned i = 0; i < cs->detail->groups_count; i++) {
        unsigned g = cs->detail->groups[i];
        if (g >= X86_GRP_VM && g != X86_GRP_MMX && g != X86_GRP_SSE1 && g != X86_GRP_SSE2 &&
            g != X86_GRP_MODE32 && g != X86_GRP_NOT64BITMODE && g != X86_GRP_CMOV)
            return true;
    }
    return false;
}

/* One operand as a disassembler shows it. */
struct view {
    enum { VIEW_NONE, VIEW_REG, VIEW_MEM, VIEW_IMM } kind;
    char reg[8];
    uint32_t imm;
    unsigned bytes;
    const char *seg, *base, *index;
    unsigned scale;
    uint32_t disp;
};

static const char *general_name(unsigned reg, unsigned bytes)
{
    static const char *const names[3][8] = {
        {"al", "cl", "dl", "bl", "ah", "ch", "dh", "bh"},
        {"ax", "cx", "dx", "bx", "sp", "bp", "si", "di"},
        {"eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"},
    };
    return names[bytes == 1 ? 0 : bytes == 2 ? 1 : 2][reg];
}

static const char *segment_name(unsigned reg)
{
    static const char *const names[8] = {"es", "cs", "ss", "ds", "fs", "gs", "?", ""};
    return names[reg];
}

static void view_set_name(struct view *v, const char *name)
{
    v->kind = VIEW_REG;
    snprintf(v->reg, sizeof(v->reg), "%s", name);
}

static void view_set_number(struct view *v, const char *format, unsigned n)
{
    char name[sizeof(v->reg)];
    snprintf(name, sizeof(name), format, n);
    view_set_name(v, name);
}

static void view_set_mem(struct view *v, const struct isa_insn *insn)
{
    v->kind = VIEW_MEM;
    v->seg = segment_name(insn->segover);
    v->base = insn->base == ISA_NOREG ? "" : general_name(insn->base, insn->adsize);
    v->index = insn->index == ISA_NOREG ? "" : general_name(insn->index, insn->adsize);
    v->scale = insn->scale;
    v->disp = insn->disp;
}

static void view_set_string(struct view *v, const struct isa_insn *insn, unsigned reg)
{
    v->kind = VIEW_MEM;
    v->seg = reg == ISA_EDI ? "es" : segment_name(insn->segover);
    v->base = general_name(reg, insn->adsize);
}

static void view_set_rm(struct view *v, const struct isa_insn *insn, const char *format)
{
    if (insn->has_mem)
        view_set_mem(v, insn);
    else if (format)
        view_set_number(v, format, insn->rm);
    else
        view_set_name(v, general_name(insn->rm, v->bytes ? v->bytes : insn->opsize));
}

static void view_set_imm(struct view *v, uint32_t imm)
{
    v->kind = VIEW_IMM;
    v->imm = imm;
}

/* Operands that modrm or the opcode name; false if the method is another. */
static bool view_register_operand(struct view *v, const struct isa_insn *insn,
                                  const struct isa_operand_spec *op)
{
    switch (op->method) {
    case ISA_M_G:
        view_set_name(v, general_name(insn->reg, v->bytes));
        return true;
    case ISA_M_Z:
        view_set_name(v, general_name(insn->opcode & 7, v->bytes));
        return true;
    case ISA_M_REG:
        view_set_name(v, general_name(op->fixed, v->bytes));
        return true;
    case ISA_M_P:
        view_set_number(v, "mm%u", insn->reg);
        return true;
    case ISA_M_V:
        view_set_number(v, "xmm%u", insn->reg);
        return true;
    case ISA_M_S:
        view_set_name(v, segment_name(insn->reg));
        return true;
    case ISA_M_SREG:
        view_set_name(v, segment_name(op->fixed));
        return true;
    case ISA_M_C:
        view_set_number(v, "cr%u", insn->reg);
        return true;
    case ISA_M_D:
        view_set_number(v, "dr%u", insn->reg);
        return true;
    case ISA_M_STI:
        view_set_number(v, "st(%u)", insn->rm);
        return true;
    default:
        return false;
    }
}

static struct view view_operand(const struct isa_insn *insn, unsigned n, unsigned shown_len,
                                bool code32)
{
    const struct isa_operand_spec *op = &insn->row->op[n];
    struct view v = {.bytes = isa_operand_bytes(insn, n), .seg = "", .base = "", .index = ""};
    if (view_register_operand(&v, insn, op))
        return v;
    switch (op->method) {
    case ISA_M_E:
    case ISA_M_M:
    case ISA_M_R:
        view_set_rm(&v, insn, NULL);
        break;
    case ISA_M_N:
    case ISA_M_Q:
        view_set_rm(&v, insn, "mm%u");
        break;
    case ISA_M_U:
    case ISA_M_W:
        view_set_rm(&v, insn, "xmm%u");
        break;
    case ISA_M_O:
        view_set_mem(&v, insn);
        break;
    case ISA_M_X:
        view_set_string(&v, insn, ISA_ESI);
        break;
    case ISA_M_Y:
        view_set_string(&v, insn, ISA_EDI);
        break;
    case ISA_M_I:
        view_set_imm(&v, n > 0 && insn->row->op[n - 1].method == ISA_M_I ? insn->imm2 : insn->imm);
        break;
    case ISA_M_J: /* shown as the target; the instruction as shown lies at 0 */
        view_set_imm(&v, insn->imm + shown_len);
        v.bytes = code32 ? insn->opsize : 2; /* in 16-bit code cut to 16 bits */
        break;
    case ISA_M_ONE:
        view_set_imm(&v, 1);
        break;
    default:
        break;
    }
    return v;
}

/* The address size means nothing to it; LOOP and JCXZ take their counter's width from it. */
static bool is_plain_branch(const struct isa_insn *insn)
{
    unsigned s = insn->row->sem;
    return (s == ISA_SEM_JCC || s == ISA_SEM_JMP || s == ISA_SEM_CALL) && !insn->has_mem;
}

/*
 * The instruction with its prefixes in the order that Capstone 4 understands.
 * It honours a mandatory prefix only directly before the opcode, not at all in
 * 16-bit code, forgets 66 beside F2 and F3, and lets 67 truncate branch targets;
 * prefixes may come in any order (SDM volume 2, 2.1.1), and the address size does
 * not concern a branch. So mandatory prefixes move to the front of the opcode,
 * those without a meaning go, and 16-bit code that has a mandatory prefix is
 * shown as 32-bit code with the other address size, which is the same bytes.
 */
static size_t excuse_prefix_order(const struct isa_insn *insn, bool *code32, uint8_t *out)
{
    const struct isa_row *row = insn->row;
    size_t n = 0;
    bool mandatory = row->prefix != ISA_P_ANY, repeats = row->attr & ISA_T_REP;
    if (mandatory)
        *code32 = true;
    if (insn->segover != ISA_SEG_NONE)
        out[n++] = (const uint8_t[]){0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65}[insn->segover];
    if ((insn->adsize == 4) != *code32 && !is_plain_branch(insn))
        out[n++] = 0x67;
    if (insn->seen & ISA_SEEN_LOCK)
        out[n++] = 0xF0;
    if (repeats && (insn->seen & ISA_SEEN_F3))
        out[n++] = 0xF3;
    if (repeats && (insn->seen & ISA_SEEN_F2))
        out[n++] = 0xF2;
    if (mandatory ? row->prefix == ISA_P_66 : (insn->opsize == 4) != *code32)
        out[n++] = 0x66;
    if (row->prefix == ISA_P_F3)
        out[n++] = 0xF3;
    if (row->prefix == ISA_P_F2)
        out[n++] = 0xF2;
    unsigned from = insn->opcode_at - (row->map == ISA_MAP_0F ? 1u : 0u);
    memcpy(out + n, insn->bytes + from, insn->len - from);
    return n + insn->len - from;
}

/*
 * Encodings Capstone 4 does not know or gives no modrm byte. UD0 and UD1 have one
 * (SDM volume 2, UD); 0F 0D and 0F 19..1F take any (appendix A, note on reserved
 * NOPs); of the fences the low bits do not matter (the processor's own verdict:
 * testsuite/insn). Their modrm is checked on a neighbour of the same shape.
 */
static bool excuse_unknown(const struct isa_insn *insn)
{
    switch (insn->row->sem) {
    case ISA_SEM_UD0:
    case ISA_SEM_UD1:
    case ISA_SEM_VIRT:
    case ISA_SEM_NOP:
        return insn->row->map == ISA_MAP_0F;
    case ISA_SEM_LFENCE:
    case ISA_SEM_MFENCE:
    case ISA_SEM_SFENCE:
        return insn->rm != 0;
    default:
        return false;
    }
}

/* Widths that Capstone has no number for, or where it is wrong. */
static bool excuse_size(const struct isa_insn *insn, unsigned n)
{
    switch (insn->row->op[n].width) {
    case ISA_W_0: /* it says a byte, or a vector */
    case ISA_W_p: /* 0, or that of the offset */
    case ISA_W_e:
    case ISA_W_f:
    case ISA_W_x: /* 0 or 4 */
        return true;
    default:
        break;
    }
    switch (insn->row->sem) {
    case ISA_SEM_FNSTSW: /* m2byte (SDM volume 2, FSTSW); it says 4 */
    case ISA_SEM_LSL:    /* m16 (LSL); it says the operand size */
    case ISA_SEM_COMISS: /* m32 and m64 (COMISS, COMISD); it says 16 */
    case ISA_SEM_COMISD:
    case ISA_SEM_PUNPCKLBW: /* mm/m32 (PUNPCKLBW); it says 8 */
    case ISA_SEM_PUNPCKLWD:
    case ISA_SEM_PUNPCKLDQ:
        return true;
    default:
        return false;
    }
}

/* A 16-bit source is shown as the 32-bit register that holds it. */
static bool excuse_wide_register(const struct isa_insn *insn)
{
    return insn->row->sem == ISA_SEM_LAR || insn->row->sem == ISA_SEM_LSL ||
           insn->row->sem == ISA_SEM_MOV_SREG || insn->row->sem == ISA_SEM_PINSRW;
}

static const char *reg_text(struct oracle *o, unsigned reg)
{
    return reg == X86_REG_INVALID || reg == X86_REG_EIZ ? "" : cs_reg_name(o->handle[1], reg);
}

static bool same_register(const struct isa_insn *insn, const char *ours, const char *theirs)
{
    if (!strcmp(ours, theirs))
        return true;
    return excuse_wide_register(insn) && theirs[0] == 'e' && !strcmp(ours, theirs + 1);
}

static const char *compare_mem(struct oracle *o, const struct isa_insn *insn, const struct view *v,
                               const cs_x86_op *op, bool check_size)
{
    uint32_t mask = insn->adsize == 2 ? 0xFFFF : 0xFFFFFFFF;
    if (strcmp(v->seg, reg_text(o, op->mem.segment)))
        return "segment";
    if (strcmp(v->base, reg_text(o, op->mem.base)))
        return "base";
    if (strcmp(v->index, reg_text(o, op->mem.index)))
        return "index";
    if (*v->index && v->scale != (unsigned)op->mem.scale)
        return "scale";
    if ((v->disp & mask) != ((uint32_t)op->mem.disp & mask))
        return "displacement";
    return check_size && v->bytes != op->size ? "size" : NULL;
}

static const char *compare_operand(struct oracle *o, const struct isa_insn *insn, unsigned n,
                                   const struct view *v, const cs_x86_op *op)
{
    static const x86_op_type types[] = {0, X86_OP_REG, X86_OP_MEM, X86_OP_IMM};
    if (op->type != types[v->kind])
        return "kind of operand";
    if (v->kind == VIEW_REG)
        return same_register(insn, v->reg, reg_text(o, op->reg)) ? NULL : "register";
    if (v->kind == VIEW_MEM)
        return compare_mem(o, insn, v, op, !excuse_size(insn, n));
    uint32_t mask = v->bytes >= 4 ? 0xFFFFFFFF : (1u << v->bytes * 8) - 1;
    return (v->imm ^ (uint32_t)op->imm) & mask ? "immediate" : NULL;
}

/*
 * x87: Capstone shows ST(0) in some forms and not in others, so only ST(i) is
 * compared: the one operand, or of two the one that is not ST(0).
 */
static const char *excuse_st0(struct oracle *o, const struct isa_insn *insn, const cs_x86 *x)
{
    char want[8];
    snprintf(want, sizeof(want), "st(%u)", insn->rm);
    for (unsigned i = 0; i < x->op_count; i++)
        if (x->operands[i].type == X86_OP_REG && !strcmp(want, reg_text(o, x->operands[i].reg)))
            return NULL;
    return "ST(i)";
}

static bool names_st(const struct isa_row *row)
{
    return row->op[0].method == ISA_M_STI || row->op[1].method == ISA_M_STI;
}

/* AAM and AAD by ten are shown without operand. */
static bool excuse_ten(const struct isa_insn *insn)
{
    return (insn->row->sem == ISA_SEM_AAM || insn->row->sem == ISA_SEM_AAD) && insn->imm == 10;
}

/* CMPPS and its like: an immediate below 8 becomes part of the name. */
static bool excuse_predicate(const struct isa_insn *insn)
{
    unsigned s = insn->row->sem;
    return (s == ISA_SEM_CMPPS || s == ISA_SEM_CMPPD || s == ISA_SEM_CMPSS ||
            s == ISA_SEM_CMPSD_X) &&
           insn->imm < 8;
}

static const char *compare_far(const struct isa_insn *insn, const cs_x86 *x)
{
    uint32_t mask = insn->opsize == 2 ? 0xFFFF : 0xFFFFFFFF;
    if (x->op_count != 2 || x->operands[0].type != X86_OP_IMM ||
        (uint16_t)x->operands[0].imm != insn->imm2)
        return "selector";
    return ((uint32_t)x->operands[1].imm ^ insn->imm) & mask ? "offset" : NULL;
}

static const char *compare_list(struct oracle *o, const struct isa_insn *insn, const cs_insn *cs,
                                bool code32)
{
    const cs_x86 *x = &cs->detail->x86;
    unsigned n = 0;
    for (unsigned i = 0; i < ARRAY_LEN(insn->row->op); i++) {
        struct view v = view_operand(insn, i, cs->size, code32);
        if (v.kind == VIEW_NONE ||
            (v.kind == VIEW_IMM && (excuse_predicate(insn) || excuse_ten(insn))))
            continue;
        if (n >= x->op_count)
            return "number of operands";
        /* XCHG shows the accumulator first. */
        unsigned at = insn->row->sem == ISA_SEM_XCHG && v.kind == VIEW_REG &&
                              insn->row->op[0].method == ISA_M_Z
                          ? 1 - n
                          : n;
        const char *why = compare_operand(o, insn, i, &v, &x->operands[at]);
        if (why)
            return why;
        n++;
    }
    return n != x->op_count ? "number of operands" : NULL;
}

static const char *compare_operands(struct oracle *o, const struct isa_insn *insn,
                                    const cs_insn *cs, bool code32)
{
    const cs_x86 *x = &cs->detail->x86;
    if (insn->row->op[0].method == ISA_M_A)
        return compare_far(insn, x);
    return names_st(insn->row) ? excuse_st0(o, insn, x) : compare_list(o, insn, cs, code32);
}

/* Names Capstone gives to the forms that share a row, and other spellings. */
static const char *const spellings[][2] = {
    {"pusha", "pushal"},
    {"pusha", "pushaw"},
    {"popa", "popal"},
    {"popa", "popaw"},
    {"pushf", "pushfd"},
    {"popf", "popfd"},
    {"iret", "iretd"},
    {"cbw", "cwde"},
    {"cwd", "cdq"},
    {"ins", "insd"},
    {"ins", "insw"},
    {"outs", "outsd"},
    {"outs", "outsw"},
    {"movs", "movsd"},
    {"movs", "movsw"},
    {"cmps", "cmpsd"},
    {"cmps", "cmpsw"},
    {"stos", "stosd"},
    {"stos", "stosw"},
    {"lods", "lodsd"},
    {"lods", "lodsw"},
    {"scas", "scasd"},
    {"scas", "scasw"},
    {"shl", "sal"},
    {"fwait", "wait"},
    {"xlat", "xlatb"},
    {"jcxz", "jecxz"},
    {"fneni", "feni8087_nop"},
    {"fndisi", "fdisi8087_nop"},
    {"fnsetpm", "fsetpm"},
    /* F3 before BSF and BSR is ignored by processors without BMI1 and LZCNT */
    {"bsf", "tzcnt"},
    {"bsr", "lzcnt"},
};

static const char *skip_prefix_words(const char *name)
{
    static const char *const words[] = {"lock ", "rep ",      "repe ",    "repne ",
                                        "bnd ",  "xacquire ", "xrelease "};
    for (unsigned i = 0; i < ARRAY_LEN(words); i++)
        if (!strncmp(name, words[i], strlen(words[i])))
            return skip_prefix_words(name + strlen(words[i]));
    return name;
}

static bool same_condition(const struct isa_insn *insn, const char *theirs)
{
    static const char *const conditions[16] = {"o", "no", "b", "ae", "e", "ne", "be", "a",
                                               "s", "ns", "p", "np", "l", "ge", "le", "g"};
    char want[16];
    int stem = (int)strlen(insn->row->mnemonic) - 2; /* less "cc" */
    snprintf(want, sizeof(want), "%.*s%s", stem, insn->row->mnemonic, conditions[insn->cc]);
    return !strcmp(want, theirs);
}

static bool same_name(const struct isa_insn *insn, const char *theirs)
{
    const char *ours = insn->row->mnemonic;
    theirs = skip_prefix_words(theirs);
    if (insn->row->attr & ISA_T_CC)
        return same_condition(insn, theirs);
    if (excuse_predicate(insn))
        return !strncmp(theirs, "cmp", 3) && !strcmp(ours + 3, theirs + strlen(theirs) - 2);
    for (unsigned i = 0; i < ARRAY_LEN(spellings); i++)
        if (!strcmp(ours, spellings[i][0]) && !strcmp(theirs, spellings[i][1]))
            return true;
    return !strcmp(ours, theirs);
}

/* The same modrm and immediates under IMUL Gv,Ev, which everybody knows. */
static const char *compare_neighbour(struct oracle *o, const struct isa_insn *insn, bool code32)
{
    uint8_t buf[ISA_MAX_LENGTH];
    memcpy(buf, insn->bytes, insn->len);
    buf[insn->opcode_at] = 0xAF;
    return oracle_length(o, buf, insn->len, code32) == insn->len ? NULL : "length of the neighbour";
}

const char *oracle_compare(struct oracle *o, const struct isa_insn *insn, bool code32)
{
    uint8_t buf[ISA_MAX_LENGTH + 2];
    size_t len = excuse_prefix_order(insn, &code32, buf);
    if (excuse_unknown(insn))
        return compare_neighbour(o, insn, code32);
    const cs_insn *cs = disassemble(o, buf, len, code32);
    if (!cs)
        return "unknown to Capstone";
    const char *why = cs->size != len                  ? "length"
                      : !same_name(insn, cs->mnemonic) ? "name"
                                                       : compare_operands(o, insn, cs, code32);
    if (!why)
        return NULL;
    snprintf(o->text, sizeof(o->text), "%s; Capstone: %s %s", why, cs->mnemonic, cs->op_str);
    return o->text;
}
