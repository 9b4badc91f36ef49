/* SPDX-License-Identifier: MIT */
/*
 * What one host instruction may do. Default deny: an instruction set and a
 * category must be listed, every operand that Zydis names (hidden ones too)
 * must be shown harmless. Bounds are those of the window's guards.
 */
#include "dbt/verify_private.h"

#include "config.h"

#if HAVE_ZYDIS

#include "dbt/rewrite.h"
#include "emu/machine/ram.h"

/* An access of at most 512 bytes this far from the window is still among its guards. */
#define REACH ((int64_t)RAM_REACH)
/* rsp may move this far from where the stack was last accessed. */
#define STEP ((int64_t)REWRITE_MAX_DELTA + 65536 + 64)

/* rsp: an access near it, a step, an access near it again. */
_Static_assert(RAM_REACH + REWRITE_MAX_DELTA + 65536 + 64 + 512 <= RAM_GUARD,
               "bounded steps from the window end among the guards");

enum { RSP = 4, RCX = 1, RSI = 6, RDI = 7, FIRST_FIXED = VERIFY_TRACKED };
enum { R11 = 11, R14 = 14, R15 = 15 };

/* How wide a general register is in bytes; 0 for other registers. Zydis orders each width by
 * number, with AH..BH between the first four bytes and the rest. */
static unsigned gpr_bytes(ZydisRegister reg)
{
    if (reg >= ZYDIS_REGISTER_AL && reg <= ZYDIS_REGISTER_R15B)
        return 1;
    if (reg >= ZYDIS_REGISTER_AX && reg <= ZYDIS_REGISTER_R15W)
        return 2;
    if (reg >= ZYDIS_REGISTER_EAX && reg <= ZYDIS_REGISTER_R15D)
        return 4;
    return reg >= ZYDIS_REGISTER_RAX && reg <= ZYDIS_REGISTER_R15 ? 8 : 0;
}

int verify_gpr(ZydisRegister reg)
{
    switch (gpr_bytes(reg)) {
    case 1:
        return (int)(reg < ZYDIS_REGISTER_AH ? reg - ZYDIS_REGISTER_AL : reg - ZYDIS_REGISTER_AH);
    case 2:
        return (int)(reg - ZYDIS_REGISTER_AX);
    case 4:
        return (int)(reg - ZYDIS_REGISTER_EAX);
    case 8:
        return (int)(reg - ZYDIS_REGISTER_RAX);
    default:
        return -1;
    }
}

static bool is_narrow(const struct verify_state *state, int reg)
{
    return reg >= 0 && reg != RSP && reg < FIRST_FIXED && state->reg[reg] == VERIFY_NARROW;
}

static bool is_within(int64_t value, int64_t low, int64_t high)
{
    return value >= low && value <= high;
}

/* What kind of instruction. */

static bool set_is_allowed(ZydisISASet set)
{
    switch (set) {
    case ZYDIS_ISA_SET_I86:
    case ZYDIS_ISA_SET_I186:
    case ZYDIS_ISA_SET_I386:
    case ZYDIS_ISA_SET_I486:
    case ZYDIS_ISA_SET_I486REAL:
    case ZYDIS_ISA_SET_PENTIUMREAL:
    case ZYDIS_ISA_SET_PENTIUMMMX:
    case ZYDIS_ISA_SET_CMOV:
    case ZYDIS_ISA_SET_PPRO:
    case ZYDIS_ISA_SET_LAHF:
    case ZYDIS_ISA_SET_FAT_NOP:
    case ZYDIS_ISA_SET_PAUSE:
    case ZYDIS_ISA_SET_PREFETCH_NOP:
    case ZYDIS_ISA_SET_X87:
    case ZYDIS_ISA_SET_FCMOV:
    case ZYDIS_ISA_SET_FXSAVE:
    case ZYDIS_ISA_SET_SSE:
    case ZYDIS_ISA_SET_SSE2:
    case ZYDIS_ISA_SET_SSE2MMX:
    case ZYDIS_ISA_SET_SSEMXCSR:
    case ZYDIS_ISA_SET_SSE_PREFETCH:
    case ZYDIS_ISA_SET_CLFSH:
    case ZYDIS_ISA_SET_BMI2:
        return true;
    default:
        return false;
    }
}

static bool category_is_allowed(ZydisInstructionCategory category)
{
    switch (category) {
    case ZYDIS_CATEGORY_CALL:
    case ZYDIS_CATEGORY_RET:
    case ZYDIS_CATEGORY_PUSH:
    case ZYDIS_CATEGORY_POP:
    case ZYDIS_CATEGORY_INTERRUPT:
    case ZYDIS_CATEGORY_IO:
    case ZYDIS_CATEGORY_IOSTRINGOP:
    case ZYDIS_CATEGORY_SEGOP:
    case ZYDIS_CATEGORY_SYSCALL:
    case ZYDIS_CATEGORY_SYSRET:
    case ZYDIS_CATEGORY_SYSTEM:
    case ZYDIS_CATEGORY_RDWRFSGS:
    case ZYDIS_CATEGORY_XSAVE:
    case ZYDIS_CATEGORY_UNCOND_BR:
    case ZYDIS_CATEGORY_COND_BR:
    case ZYDIS_CATEGORY_INVALID:
        return false;
    default:
        return true;
    }
}

/* Prefixes that mean nothing, come twice or contradict each other are where decoders and processors
 * disagree; none is ever emitted. */
static bool prefixes_are_plain(const ZydisDecodedInstruction *d)
{
    unsigned seen = 0;
    for (unsigned i = 0; i < d->raw.prefix_count; i++) {
        uint8_t value = d->raw.prefixes[i].value;
        unsigned group = value == 0x66                                     ? 1
                         : value == 0x67                                   ? 2
                         : value == 0xf0 || value == 0xf2 || value == 0xf3 ? 4
                         : (value & 0xf0) == 0x40                          ? 8
                                                                           : 16;
        if ((seen & (group | 8)) || d->raw.prefixes[i].type == ZYDIS_PREFIX_TYPE_IGNORED)
            return false;
        seen |= group;
    }
    return true;
}

/* Newer processors gave meanings to most of what once was a NOP; these two stay what they are. */
static bool is_lasting_nop(const ZydisDecodedInstruction *d)
{
    enum { HOST_NOP = 0x90, HOST_LONG_NOP = 0x1f };
    if (d->opcode_map == ZYDIS_OPCODE_MAP_DEFAULT)
        return d->opcode == HOST_NOP;
    return d->opcode == HOST_LONG_NOP && d->raw.modrm.reg == 0 && d->raw.modrm.mod != 3;
}

static const char *check_kind(const ZydisDecodedInstruction *d)
{
    if (!prefixes_are_plain(d))
        return "its prefixes are ambiguous";
    switch (d->mnemonic) {
    case ZYDIS_MNEMONIC_RDTSC:
        return NULL;
    case ZYDIS_MNEMONIC_NOP:
        return is_lasting_nop(d) ? NULL : "a NOP that may get a meaning";
    case ZYDIS_MNEMONIC_CLI:
    case ZYDIS_MNEMONIC_STI:
    case ZYDIS_MNEMONIC_CPUID:
    case ZYDIS_MNEMONIC_RDPMC:
    case ZYDIS_MNEMONIC_UD0:
    case ZYDIS_MNEMONIC_UD1:
    case ZYDIS_MNEMONIC_UD2:
    case ZYDIS_MNEMONIC_ENTER:
    case ZYDIS_MNEMONIC_LEAVE:
    case ZYDIS_MNEMONIC_FNSAVE: /* tells where the host's unit was */
    case ZYDIS_MNEMONIC_FNSTENV:
    case ZYDIS_MNEMONIC_FXSAVE:
    case ZYDIS_MNEMONIC_FXRSTOR: /* loads more than the guest has */
        return "the instruction is not among those that may be emitted";
    default:
        break;
    }
    if (!set_is_allowed(d->meta.isa_set) || !category_is_allowed(d->meta.category))
        return "the instruction is not among those that may be emitted";
    return NULL;
}

/* Memory. */

static bool is_string(const ZydisDecodedInstruction *d)
{
    return d->meta.category == ZYDIS_CATEGORY_STRINGOP;
}

/* A bit number in a register reaches beyond any bound. */
static bool is_far_bit(const struct verify_insn *insn)
{
    ZydisMnemonic m = insn->d.mnemonic;
    bool bit = m == ZYDIS_MNEMONIC_BT || m == ZYDIS_MNEMONIC_BTS || m == ZYDIS_MNEMONIC_BTR ||
               m == ZYDIS_MNEMONIC_BTC;
    return bit && insn->op[0].type == ZYDIS_OPERAND_TYPE_MEMORY &&
           insn->op[1].type == ZYDIS_OPERAND_TYPE_REGISTER;
}

bool verify_is_table_entry(const ZydisDecodedOperandMem *mem, const struct verify_state *state)
{
    return mem->type == ZYDIS_MEMOP_TYPE_MEM && mem->segment == ZYDIS_REGISTER_DS &&
           verify_gpr(mem->base) == R14 && is_narrow(state, verify_gpr(mem->index)) &&
           mem->scale == 8 && mem->disp.value == 0;
}

/* base r15 or nothing-but-gs, an optional narrow part, a bounded displacement. */
static bool is_window(const ZydisDecodedOperandMem *mem, const struct verify_state *state)
{
    int base = verify_gpr(mem->base), index = verify_gpr(mem->index);
    int64_t disp = mem->disp.value;
    if (mem->segment == ZYDIS_REGISTER_GS)
        return is_narrow(state, base) && index < 0 && is_within(disp, -REACH, REACH);
    if (mem->segment != ZYDIS_REGISTER_DS && mem->segment != ZYDIS_REGISTER_SS)
        return false;
    if (base != R15)
        return false;
    if (index < 0)
        return is_within(disp, -REACH, INT32_MAX);
    return mem->scale == 1 && is_narrow(state, index) && is_within(disp, -REACH, REACH);
}

static bool is_near_stack(const ZydisDecodedOperandMem *mem)
{
    return verify_gpr(mem->base) == RSP && mem->index == ZYDIS_REGISTER_NONE &&
           mem->segment == ZYDIS_REGISTER_SS && is_within(mem->disp.value, -REACH / 2, REACH / 2);
}

static bool is_string_pointer(const struct verify_insn *insn, const ZydisDecodedOperandMem *mem,
                              const struct verify_state *state)
{
    int base = verify_gpr(mem->base);
    return is_string(&insn->d) && (base == RSI || base == RDI) &&
           state->reg[base] == VERIFY_POINTER && mem->index == ZYDIS_REGISTER_NONE &&
           mem->disp.value == 0 &&
           (mem->segment == ZYDIS_REGISTER_DS || mem->segment == ZYDIS_REGISTER_ES);
}

/* These name memory without reading it: they prove nothing about rsp. */
static bool may_not_access(const ZydisDecodedInstruction *d)
{
    return d->meta.category == ZYDIS_CATEGORY_PREFETCH || d->mnemonic == ZYDIS_MNEMONIC_MASKMOVQ ||
           d->mnemonic == ZYDIS_MNEMONIC_MASKMOVDQU;
}

/* A counter of the image's: one byte, at a constant place. */
static bool is_hit_counter(const struct verify_insn *insn, const ZydisDecodedOperandMem *mem)
{
    const int64_t low = -(int64_t)IMAGE_HITS_BELOW;
    return (insn->d.mnemonic == ZYDIS_MNEMONIC_MOVZX || insn->d.mnemonic == ZYDIS_MNEMONIC_MOV) &&
           insn->d.address_width == 64 && mem->type == ZYDIS_MEMOP_TYPE_MEM &&
           mem->segment == ZYDIS_REGISTER_DS && mem->base == ZYDIS_REGISTER_R14 &&
           mem->index == ZYDIS_REGISTER_NONE &&
           is_within(mem->disp.value, low, low + IMAGE_HITS - 1) &&
           (insn->op[0].size == 8 || insn->op[1].size == 8);
}

static const char *check_memory(const struct verify_insn *insn, const ZydisDecodedOperandMem *mem,
                                struct verify_state *state)
{
    if (mem->type == ZYDIS_MEMOP_TYPE_AGEN || insn->d.mnemonic == ZYDIS_MNEMONIC_NOP)
        return NULL;
    if (mem->type != ZYDIS_MEMOP_TYPE_MEM || is_far_bit(insn))
        return "its memory operand has no bound";
    if (insn->d.address_width == 32)
        return mem->segment == ZYDIS_REGISTER_GS ? NULL : "a truncated address without the window";
    if (is_near_stack(mem)) {
        if (!may_not_access(&insn->d))
            state->touched = true;
        return NULL;
    }
    if (is_window(mem, state) || is_string_pointer(insn, mem, state) || is_hit_counter(insn, mem))
        return NULL;
    return "its memory operand is not shown to lie in the window";
}

/* Registers. */

static const char *write_gpr(const struct verify_insn *insn, const ZydisDecodedOperand *op,
                             struct verify_state *state)
{
    int reg = verify_gpr(op->reg.value);
    unsigned bytes = gpr_bytes(op->reg.value);
    if (reg >= FIRST_FIXED)
        return "a fixed register is changed";
    if (reg == RSP)
        return "rsp is changed other than by a bounded lea";
    if (bytes == 4) {
        state->reg[reg] = VERIFY_NARROW;
    } else if (bytes == 8) {
        /* A string instruction moves its pointers along memory that it has accessed, and counts
         * rcx down to zero: none of them leaves its class. */
        bool hidden = op->visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN;
        bool ok = is_string(&insn->d) && hidden &&
                  (state->reg[reg] == VERIFY_POINTER || (reg == RCX && is_narrow(state, reg)));
        if (!ok)
            return "a 64-bit result has no bound";
    } else if (state->reg[reg] != VERIFY_NARROW) {
        state->reg[reg] = VERIFY_UNKNOWN;
    }
    return NULL;
}

static const char *write_register(const struct verify_insn *insn, const ZydisDecodedOperand *op,
                                  struct verify_state *state)
{
    ZydisRegister reg = op->reg.value;
    if (gpr_bytes(reg))
        return write_gpr(insn, op, state);
    if ((reg >= ZYDIS_REGISTER_ST0 && reg <= ZYDIS_REGISTER_ST7) ||
        (reg >= ZYDIS_REGISTER_MM0 && reg <= ZYDIS_REGISTER_MM7) ||
        (reg >= ZYDIS_REGISTER_XMM0 && reg <= ZYDIS_REGISTER_XMM7))
        return NULL;
    switch (reg) {
    case ZYDIS_REGISTER_FLAGS:
    case ZYDIS_REGISTER_EFLAGS:
    case ZYDIS_REGISTER_RFLAGS:
    case ZYDIS_REGISTER_MXCSR:
    case ZYDIS_REGISTER_X87CONTROL:
    case ZYDIS_REGISTER_X87STATUS:
    case ZYDIS_REGISTER_X87TAG:
        return NULL;
    default:
        return "a register that is not the guest's is changed";
    }
}

/* The scratch registers are the host's until the block writes them. */
static bool is_host_value(const struct verify_state *state, int reg)
{
    return reg >= FIRST_FIXED || (reg >= 8 && state->reg[reg] != VERIFY_NARROW);
}

/* No address of the host's and nothing else of it may end up with the guest. */
static const char *read_register(const struct verify_insn *insn, const ZydisDecodedOperand *op,
                                 const struct verify_state *state)
{
    ZydisRegister reg = op->reg.value;
    if (reg >= ZYDIS_REGISTER_XMM8 && reg <= ZYDIS_REGISTER_XMM15)
        return "a vector register that is not the guest's";
    if (reg >= ZYDIS_REGISTER_ES && reg <= ZYDIS_REGISTER_GS)
        return "a segment register is read";
    if (!gpr_bytes(reg) ||
        (is_string(&insn->d) && op->visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN))
        return NULL;
    if (gpr_bytes(reg) == 8 || is_host_value(state, verify_gpr(reg)))
        return "a value of the host's is read";
    return NULL;
}

/* The window itself is the base that an access has; where an address is a result, nothing is. */
static const char *read_address(const struct verify_insn *insn, const ZydisDecodedOperandMem *mem,
                                const struct verify_state *state)
{
    int base = verify_gpr(mem->base);
    bool access = mem->type != ZYDIS_MEMOP_TYPE_AGEN && insn->d.address_width == 64;
    bool own = (access && base == R15) || is_hit_counter(insn, mem);
    bool host =
        (is_host_value(state, base) && !own) || is_host_value(state, verify_gpr(mem->index));
    return host ? "an address depends on a value of the host's" : NULL;
}

static const char *check_reads(const struct verify_insn *insn, const struct verify_state *state)
{
    const char *wrong = NULL;
    for (unsigned i = 0; i < insn->d.operand_count && !wrong; i++) {
        const ZydisDecodedOperand *op = &insn->op[i];
        if (op->type == ZYDIS_OPERAND_TYPE_MEMORY)
            wrong = read_address(insn, &op->mem, state);
        else if (op->type == ZYDIS_OPERAND_TYPE_REGISTER &&
                 (op->actions & ZYDIS_OPERAND_ACTION_MASK_READ))
            wrong = read_register(insn, op, state);
    }
    return wrong;
}

/* lea to 64 bits: the window plus a narrow value, or rsp moved by little. */
static const char *check_lea64(const struct verify_insn *insn, struct verify_state *state)
{
    const ZydisDecodedOperandMem *mem = &insn->op[1].mem;
    int dst = verify_gpr(insn->op[0].reg.value);
    int base = verify_gpr(mem->base), index = verify_gpr(mem->index);
    int64_t disp = mem->disp.value;

    if (insn->d.address_width != 64 || dst >= FIRST_FIXED)
        return "a 64-bit address in a form that has no bound";
    if (base == R15 && is_narrow(state, index) && mem->scale == 1 && is_within(disp, -STEP, STEP)) {
        if (dst == RSP)
            state->touched = false;
        else if (disp)
            return "a pointer beside the window";
        else
            state->reg[dst] = VERIFY_POINTER;
        return NULL;
    }
    if (dst == RSP && base == RSP && mem->index == ZYDIS_REGISTER_NONE) {
        if (!state->touched || !is_within(disp, -STEP, STEP))
            return "rsp could drift from the window";
        state->touched = false;
        return NULL;
    }
    return "a 64-bit address in a form that has no bound";
}

/* The budget: it is taken off, and of that some may be given back. So it never grows. */
static bool is_count(const struct verify_insn *insn, int64_t *less)
{
    const ZydisDecodedOperand *from = &insn->op[1];
    bool sub = insn->d.mnemonic == ZYDIS_MNEMONIC_SUB;
    if (insn->op[0].type != ZYDIS_OPERAND_TYPE_REGISTER ||
        insn->op[0].reg.value != ZYDIS_REGISTER_R12)
        return false;
    if (sub && from->type == ZYDIS_OPERAND_TYPE_IMMEDIATE) {
        *less = from->imm.value.s;
        return true;
    }
    *less = -from->mem.disp.value;
    return insn->d.mnemonic == ZYDIS_MNEMONIC_LEA && insn->d.address_width == 64 &&
           from->mem.base == ZYDIS_REGISTER_R12 && from->mem.index == ZYDIS_REGISTER_NONE;
}

static const char *count(int64_t less, struct verify_state *state)
{
    if (!is_within(less, -state->counted, BLOCK_MAX_INSNS * 2))
        return "the budget grows, or falls by more than a block has";
    state->counted += (int32_t)less;
    return NULL;
}

/* The load that faults when the budget is used up, from the ramp below the dispatch table. r12 is
 * never above what it was at the way in. It changes nothing but r11, which nobody may read then. */
static bool is_budget_check(const struct verify_insn *insn)
{
    const ZydisDecodedOperandMem *mem = &insn->op[1].mem;
    return insn->d.mnemonic == ZYDIS_MNEMONIC_MOVZX && insn->d.address_width == 64 &&
           insn->op[0].reg.value == ZYDIS_REGISTER_R11D &&
           insn->op[1].type == ZYDIS_OPERAND_TYPE_MEMORY && insn->op[1].size == 8 &&
           mem->segment == ZYDIS_REGISTER_DS && mem->base == ZYDIS_REGISTER_R14 &&
           mem->index == ZYDIS_REGISTER_R12 && mem->scale == 1 &&
           mem->disp.value == -(int64_t)IMAGE_RAMP;
}

const char *verify_effects(const struct verify_insn *insn, struct verify_state *state)
{
    const char *wrong = check_kind(&insn->d);
    int64_t less;
    if (wrong)
        return wrong;
    if (is_count(insn, &less))
        return count(less, state);
    if (insn->d.mnemonic == ZYDIS_MNEMONIC_LEA && insn->d.operand_width == 64)
        return check_lea64(insn, state);
    if (is_budget_check(insn)) {
        state->reg[R11] = VERIFY_UNKNOWN;
        return NULL;
    }
    wrong = check_reads(insn, state);

    for (unsigned i = 0; i < insn->d.operand_count && !wrong; i++)
        if (insn->op[i].type == ZYDIS_OPERAND_TYPE_MEMORY)
            wrong = check_memory(insn, &insn->op[i].mem, state);
    for (unsigned i = 0; i < insn->d.operand_count && !wrong; i++)
        if (insn->op[i].type == ZYDIS_OPERAND_TYPE_REGISTER &&
            (insn->op[i].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE))
            wrong = write_register(insn, &insn->op[i], state);
    return wrong;
}

#endif
