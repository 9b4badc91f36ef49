/* SPDX-License-Identifier: MIT */
/* MMX and SSE moves: whole registers, parts, lanes; shuffles; stores under a mask. */
#include "emu/cpu/interp/interp_simd.h"

/* ---- plain moves ---- */

/* Bytes of a move; loads into a register clear the rest, except MOVSS and MOVSD between registers.
 */
static const uint8_t move_bytes[ISA_SEMS] = {
    [ISA_SEM_MOVD] = 4,    [ISA_SEM_MOVQ] = 8,     [ISA_SEM_MOVNTQ] = 8,   [ISA_SEM_MOVSS] = 4,
    [ISA_SEM_MOVSD_X] = 8, [ISA_SEM_MOVQ2DQ] = 8,  [ISA_SEM_MOVDQ2Q] = 8,  [ISA_SEM_MOVDQA] = 16,
    [ISA_SEM_MOVDQU] = 16, [ISA_SEM_MOVAPS] = 16,  [ISA_SEM_MOVAPD] = 16,  [ISA_SEM_MOVUPS] = 16,
    [ISA_SEM_MOVUPD] = 16, [ISA_SEM_MOVNTDQ] = 16, [ISA_SEM_MOVNTPS] = 16, [ISA_SEM_MOVNTPD] = 16,
};

static bool is_general(unsigned method)
{
    return method == ISA_M_E || method == ISA_M_R;
}

enum cpu_status interp_mmx_move(struct cpu *cpu, const struct isa_insn *insn)
{
    unsigned sem = insn->row->sem, bytes = move_bytes[sem];
    bool merges = !insn->has_mem && (sem == ISA_SEM_MOVSS || sem == ISA_SEM_MOVSD_X);
    struct simd s;
    enum cpu_status status = simd_begin(&s, cpu, insn);
    uint8_t *dest;

    if (status == CPU_OK)
        status = interp_read_wide(cpu, insn, 1, s.src, bytes);
    if (status)
        return status;
    if (s.mmx) /* before a store can fault, as processors do */
        x87_turn(&cpu->fpu, -(cpu->fpu.status >> 11 & 7));
    if (interp_is_mem(insn, 0) || is_general(insn->row->op[0].method)) {
        status = interp_write_wide(cpu, insn, 0, s.src, bytes);
        if (status == CPU_OK)
            simd_commit(&s);
        return status;
    }
    dest = simd_dest(&s);
    memcpy(dest, s.src, merges ? bytes : s.bytes);
    return CPU_OK;
}

/* MOVLPS, MOVHPS, MOVLPD, MOVHPD, MOVHLPS, MOVLHPS: eight bytes between halves. */
enum cpu_status interp_mmx_move_half(struct cpu *cpu, const struct isa_insn *insn)
{
    unsigned sem = insn->row->sem;
    bool high = sem == ISA_SEM_MOVHPS || sem == ISA_SEM_MOVHPD;
    bool store = interp_is_mem(insn, 0);
    unsigned from = sem == ISA_SEM_MOVHLPS || (high && store) ? 8 : 0;
    unsigned to = sem == ISA_SEM_MOVLHPS || high ? 8 : 0;
    struct simd s;
    enum cpu_status status = simd_begin(&s, cpu, insn);

    if (status == CPU_OK)
        status = interp_read_wide(cpu, insn, 1, s.src, insn->has_mem && !store ? 8 : 16);
    if (status)
        return status;
    if (store)
        return interp_write_wide(cpu, insn, 0, s.src + from, 8);
    memcpy(simd_dest(&s) + to, s.src + from, 8);
    return CPU_OK;
}

/* ---- lanes and general registers ---- */

/* PMOVMSKB, MOVMSKPS, MOVMSKPD: the top bits of the lanes. */
static const uint8_t mask_lane[ISA_SEMS] = {
    [ISA_SEM_PMOVMSKB] = 1,
    [ISA_SEM_MOVMSKPS] = 4,
    [ISA_SEM_MOVMSKPD] = 8,
};

/* Bytes of source register operand 1. */
static unsigned source_bytes(const struct isa_insn *insn)
{
    unsigned method = insn->row->op[1].method;

    return method == ISA_M_N || method == ISA_M_Q || method == ISA_M_P ? 8 : 16;
}

enum cpu_status interp_mmx_mask_bits(struct cpu *cpu, const struct isa_insn *insn)
{
    unsigned size = mask_lane[insn->row->sem], bytes = source_bytes(insn);
    uint32_t mask = 0;
    struct simd s;
    enum cpu_status status = simd_begin(&s, cpu, insn);

    if (status == CPU_OK)
        status = interp_read_wide(cpu, insn, 1, s.src, bytes);
    if (status)
        return status;
    simd_commit(&s);
    for (unsigned i = 0; i < bytes / size; i++)
        mask |= (uint32_t)(s.src[(i + 1) * size - 1] >> 7) << i;
    interp_set_reg(cpu, interp_operand_reg(insn, 0), 4, mask);
    return CPU_OK;
}

enum cpu_status interp_mmx_pextrw(struct cpu *cpu, const struct isa_insn *insn)
{
    unsigned bytes = source_bytes(insn);
    struct simd s;
    enum cpu_status status = simd_begin(&s, cpu, insn);

    if (status == CPU_OK)
        status = interp_read_wide(cpu, insn, 1, s.src, bytes);
    if (status)
        return status;
    simd_commit(&s);
    interp_set_reg(cpu, interp_operand_reg(insn, 0), 4,
                   (uint32_t)simd_lane(s.src, insn->imm & (bytes / 2 - 1), 2));
    return CPU_OK;
}

enum cpu_status interp_mmx_pinsrw(struct cpu *cpu, const struct isa_insn *insn)
{
    struct simd s;
    enum cpu_status status = simd_begin(&s, cpu, insn);

    if (status == CPU_OK)
        status = interp_read_wide(cpu, insn, 1, s.src, 2);
    if (status)
        return status;
    simd_set_lane(simd_dest(&s), insn->imm & (s.bytes / 2 - 1), 2, simd_lane(s.src, 0, 2));
    return CPU_OK;
}

/* ---- interleaving and shuffling ---- */

static const struct unpack_op {
    uint8_t size;
    bool high;
} unpacks[ISA_SEMS] = {
    [ISA_SEM_PUNPCKLBW] = {1, false}, [ISA_SEM_PUNPCKLWD] = {2, false},
    [ISA_SEM_PUNPCKLDQ] = {4, false}, [ISA_SEM_PUNPCKLQDQ] = {8, false},
    [ISA_SEM_PUNPCKHBW] = {1, true},  [ISA_SEM_PUNPCKHWD] = {2, true},
    [ISA_SEM_PUNPCKHDQ] = {4, true},  [ISA_SEM_PUNPCKHQDQ] = {8, true},
    [ISA_SEM_UNPCKLPS] = {4, false},  [ISA_SEM_UNPCKLPD] = {8, false},
    [ISA_SEM_UNPCKHPS] = {4, true},   [ISA_SEM_UNPCKHPD] = {8, true},
};

enum cpu_status interp_mmx_unpack(struct cpu *cpu, const struct isa_insn *insn)
{
    const struct unpack_op *op = &unpacks[insn->row->sem];
    struct simd s;
    enum cpu_status status = simd_load(&s, cpu, insn);
    unsigned pairs = s.bytes / op->size / 2, first = op->high ? pairs : 0;
    uint8_t old[16], *dest;

    if (status)
        return status;
    dest = simd_dest(&s);
    memcpy(old, dest, s.bytes);
    for (unsigned i = 0; i < pairs; i++) {
        simd_set_lane(dest, 2 * i, op->size, simd_lane(old, first + i, op->size));
        simd_set_lane(dest, 2 * i + 1, op->size, simd_lane(s.src, first + i, op->size));
    }
    return CPU_OK;
}

/* PSHUFW, PSHUFD, PSHUFLW, PSHUFHW: four lanes chosen from four, at an offset; the rest is copied.
 */
static const struct shuffle_op {
    uint8_t size, at;
} shuffles[ISA_SEMS] = {
    [ISA_SEM_PSHUFW] = {2, 0},
    [ISA_SEM_PSHUFD] = {4, 0},
    [ISA_SEM_PSHUFLW] = {2, 0},
    [ISA_SEM_PSHUFHW] = {2, 8},
};

enum cpu_status interp_mmx_shuffle(struct cpu *cpu, const struct isa_insn *insn)
{
    const struct shuffle_op *op = &shuffles[insn->row->sem];
    struct simd s;
    enum cpu_status status = simd_load(&s, cpu, insn);
    uint8_t *dest;

    if (status)
        return status;
    dest = simd_dest(&s);
    memcpy(dest, s.src, s.bytes);
    for (unsigned i = 0; i < 4; i++)
        simd_set_lane(dest + op->at, i, op->size,
                      simd_lane(s.src + op->at, insn->imm >> 2 * i & 3, op->size));
    return CPU_OK;
}

/* SHUFPS, SHUFPD: the lower lanes from the destination, the upper from the source. */
enum cpu_status interp_mmx_shuffle_two(struct cpu *cpu, const struct isa_insn *insn)
{
    unsigned size = insn->row->sem == ISA_SEM_SHUFPS ? 4 : 8, count = 16 / size;
    unsigned bits = count / 2; /* of the immediate, per lane */
    struct simd s;
    enum cpu_status status = simd_load(&s, cpu, insn);
    uint8_t old[16], *dest;

    if (status)
        return status;
    dest = simd_dest(&s);
    memcpy(old, dest, 16);
    for (unsigned i = 0; i < count; i++) {
        unsigned from = insn->imm >> bits * i & (count - 1);

        simd_set_lane(dest, i, size, simd_lane(i < count / 2 ? old : s.src, from, size));
    }
    return CPU_OK;
}

/* ---- the rest ---- */

/* MASKMOVQ, MASKMOVDQU: bytes of operand 0 to DS:eDI where operand 1 has its top bit set. */
enum cpu_status interp_mmx_maskmov(struct cpu *cpu, const struct isa_insn *insn)
{
    unsigned seg = insn->segover == ISA_SEG_NONE ? ISA_DS : insn->segover;
    uint32_t at = interp_reg(cpu, ISA_EDI, insn->adsize);
    uint32_t limit = insn->adsize == 2 ? 0xffff : UINT32_MAX;
    uint8_t data[16], mask[16];
    struct simd s;
    enum cpu_status status = simd_begin(&s, cpu, insn);

    if (status == CPU_OK)
        status = interp_read_wide(cpu, insn, 0, data, s.bytes);
    if (status == CPU_OK)
        status = interp_read_wide(cpu, insn, 1, mask, s.bytes);
    if (status == CPU_OK)
        simd_commit(&s);
    if (status == CPU_OK) /* processors check the whole operand, whatever the mask */
        status = cpu_check_write(cpu, seg, at, s.bytes);
    for (unsigned i = 0; i < s.bytes && status == CPU_OK; i++)
        if (mask[i] & 0x80)
            status = cpu_write(cpu, seg, (at + i) & limit, data + i, 1);
    return status;
}

enum cpu_status interp_mmx_emms(struct cpu *cpu, const struct isa_insn *insn)
{
    struct simd s;
    enum cpu_status status = simd_begin(&s, cpu, insn);

    if (status == CPU_OK) {
        x87_enter_mmx(&cpu->fpu);
        cpu->fpu.tag = 0;
    }
    return status;
}
