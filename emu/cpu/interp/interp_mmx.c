/* SPDX-License-Identifier: MIT */
/*
 * Packed integers, MMX and XMM: operations lane by lane. A row of `lanes` is
 * an operation, its lane width, how lanes are extended and how results are
 * fitted back.
 */
#include "emu/cpu/interp/interp_simd.h"

/* ---- shared by all SIMD functions ---- */

#define CR0_EM 4u
#define CR0_TS 8u

/* CVTPI2PS and CVTPI2PD from memory name an MMX operand and leave the x87 alone. */
static bool touches_mmx(const struct isa_insn *insn)
{
    unsigned sem = insn->row->sem;
    bool from_pi = sem == ISA_SEM_CVTPI2PS || sem == ISA_SEM_CVTPI2PD;

    return (insn->row->attr & ISA_T_MMX) && !(from_pi && insn->has_mem);
}

static enum cpu_status mmx_usable(struct cpu *cpu)
{
    if (cpu->sys.cr0 & CR0_EM)
        return cpu_raise(cpu, CPU_UD);
    return cpu->sys.cr0 & CR0_TS ? cpu_raise(cpu, CPU_NM) : CPU_OK;
}

enum cpu_status simd_begin(struct simd *s, struct cpu *cpu, const struct isa_insn *insn)
{
    unsigned method = insn->row->op[0].method;
    enum cpu_status status;

    *s = (struct simd){.cpu = cpu, .insn = insn, .mmx = touches_mmx(insn)};
    s->bytes = method == ISA_M_P || method == ISA_M_Q || method == ISA_M_N ? 8 : 16;
    status = s->mmx ? mmx_usable(cpu) : sse_usable(cpu);
    if (status == CPU_OK && s->mmx)
        status = x87_pending(cpu);
    return status;
}

enum cpu_status simd_source(struct simd *s)
{
    return interp_read_wide(s->cpu, s->insn, 1, s->src, isa_operand_bytes(s->insn, 1));
}

enum cpu_status simd_load(struct simd *s, struct cpu *cpu, const struct isa_insn *insn)
{
    enum cpu_status status = simd_begin(s, cpu, insn);

    return status ? status : simd_source(s);
}

void simd_commit(struct simd *s)
{
    if (s->mmx)
        x87_enter_mmx(&s->cpu->fpu);
}

uint8_t *simd_dest(struct simd *s)
{
    unsigned reg = interp_operand_reg(s->insn, 0);
    uint8_t *dest;

    simd_commit(s);
    if (s->bytes == 16)
        return s->cpu->fpu.xmm[reg];
    dest = interp_mmx(s->cpu, reg);
    memset(dest + 8, 0xff, 2);
    return dest;
}

/* ---- lanes ---- */

typedef int64_t lane_fn(int64_t a, int64_t b);

static int64_t lane_add(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a + (uint64_t)b);
}

static int64_t lane_sub(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a - (uint64_t)b);
}

static int64_t lane_eq(int64_t a, int64_t b)
{
    return -(a == b);
}

static int64_t lane_gt(int64_t a, int64_t b)
{
    return -(a > b);
}

static int64_t lane_max(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t lane_min(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t lane_avg(int64_t a, int64_t b)
{
    return (a + b + 1) >> 1;
}

static int64_t lane_mul_low(int64_t a, int64_t b)
{
    return a * b;
}

static int64_t lane_mul_high(int64_t a, int64_t b)
{
    return (a * b) >> 16;
}

static int64_t lane_and(int64_t a, int64_t b)
{
    return a & b;
}

static int64_t lane_andn(int64_t a, int64_t b)
{
    return ~a & b;
}

static int64_t lane_or(int64_t a, int64_t b)
{
    return a | b;
}

static int64_t lane_xor(int64_t a, int64_t b)
{
    return a ^ b;
}

/* How lanes are read: U zero-, S sign-extended. US, SS: results are saturated in that range. */
enum lane_range { U, S, US, SS };

static const struct lane_op {
    lane_fn *fn;
    uint8_t size, range;
} lanes[ISA_SEMS] = {
#define LANE(name, size, range, fn) [ISA_SEM_##name] = {lane_##fn, size, range}
    LANE(PADDB, 1, U, add),        LANE(PADDW, 2, U, add),      LANE(PADDD, 4, U, add),
    LANE(PADDQ, 8, U, add),        LANE(PADDSB, 1, SS, add),    LANE(PADDSW, 2, SS, add),
    LANE(PADDUSB, 1, US, add),     LANE(PADDUSW, 2, US, add),   LANE(PSUBB, 1, U, sub),
    LANE(PSUBW, 2, U, sub),        LANE(PSUBD, 4, U, sub),      LANE(PSUBQ, 8, U, sub),
    LANE(PSUBSB, 1, SS, sub),      LANE(PSUBSW, 2, SS, sub),    LANE(PSUBUSB, 1, US, sub),
    LANE(PSUBUSW, 2, US, sub),     LANE(PCMPEQB, 1, S, eq),     LANE(PCMPEQW, 2, S, eq),
    LANE(PCMPEQD, 4, S, eq),       LANE(PCMPGTB, 1, S, gt),     LANE(PCMPGTW, 2, S, gt),
    LANE(PCMPGTD, 4, S, gt),       LANE(PMAXUB, 1, U, max),     LANE(PMAXSW, 2, S, max),
    LANE(PMINUB, 1, U, min),       LANE(PMINSW, 2, S, min),     LANE(PAVGB, 1, U, avg),
    LANE(PAVGW, 2, U, avg),        LANE(PMULLW, 2, S, mul_low), LANE(PMULHW, 2, S, mul_high),
    LANE(PMULHUW, 2, U, mul_high), LANE(PAND, 8, U, and),       LANE(PANDN, 8, U, andn),
    LANE(POR, 8, U, or),           LANE(PXOR, 8, U, xor),       LANE(ANDPS, 8, U, and),
    LANE(ANDPD, 8, U, and),        LANE(ANDNPS, 8, U, andn),    LANE(ANDNPD, 8, U, andn),
    LANE(ORPS, 8, U, or),          LANE(ORPD, 8, U, or),        LANE(XORPS, 8, U, xor),
    LANE(XORPD, 8, U, xor),
#undef LANE
};

static int64_t clamp(int64_t value, int64_t low, int64_t high)
{
    return value < low ? low : value > high ? high : value;
}

static int64_t clamp_signed(int64_t value, unsigned size)
{
    int64_t limit = (int64_t)1 << (size * 8 - 1);

    return clamp(value, -limit, limit - 1);
}

static int64_t clamp_unsigned(int64_t value, unsigned size)
{
    return clamp(value, 0, ((int64_t)1 << size * 8) - 1);
}

enum cpu_status interp_mmx_lanes(struct cpu *cpu, const struct isa_insn *insn)
{
    const struct lane_op *op = &lanes[insn->row->sem];
    bool is_signed = op->range == S || op->range == SS;
    struct simd s;
    enum cpu_status status = simd_load(&s, cpu, insn);
    uint8_t *dest;

    if (status)
        return status;
    dest = simd_dest(&s);
    for (unsigned i = 0; i < s.bytes / op->size; i++) {
        int64_t a =
            is_signed ? simd_lane_signed(dest, i, op->size) : (int64_t)simd_lane(dest, i, op->size);
        int64_t b = is_signed ? simd_lane_signed(s.src, i, op->size)
                              : (int64_t)simd_lane(s.src, i, op->size);
        int64_t r = op->fn(a, b);

        if (op->range == SS)
            r = clamp_signed(r, op->size);
        else if (op->range == US)
            r = clamp_unsigned(r, op->size);
        simd_set_lane(dest, i, op->size, (uint64_t)r);
    }
    return CPU_OK;
}

/* ---- products and sums across lanes ---- */

enum cpu_status interp_mmx_pmaddwd(struct cpu *cpu, const struct isa_insn *insn)
{
    struct simd s;
    enum cpu_status status = simd_load(&s, cpu, insn);
    uint8_t *dest;

    if (status)
        return status;
    dest = simd_dest(&s);
    for (unsigned i = 0; i < s.bytes / 4; i++) {
        int64_t sum = 0;

        for (unsigned j = 2 * i; j < 2 * i + 2; j++)
            sum += simd_lane_signed(dest, j, 2) * simd_lane_signed(s.src, j, 2);
        simd_set_lane(dest, i, 4, (uint64_t)sum);
    }
    return CPU_OK;
}

enum cpu_status interp_mmx_pmuludq(struct cpu *cpu, const struct isa_insn *insn)
{
    struct simd s;
    enum cpu_status status = simd_load(&s, cpu, insn);
    uint8_t *dest;

    if (status)
        return status;
    dest = simd_dest(&s);
    for (unsigned i = 0; i < s.bytes / 8; i++)
        simd_set_lane(dest, i, 8, simd_lane(dest, 2 * i, 4) * simd_lane(s.src, 2 * i, 4));
    return CPU_OK;
}

enum cpu_status interp_mmx_psadbw(struct cpu *cpu, const struct isa_insn *insn)
{
    struct simd s;
    enum cpu_status status = simd_load(&s, cpu, insn);
    uint8_t *dest;

    if (status)
        return status;
    dest = simd_dest(&s);
    for (unsigned i = 0; i < s.bytes / 8; i++) {
        uint64_t sum = 0;

        for (unsigned j = 8 * i; j < 8 * i + 8; j++)
            sum += (uint64_t)(dest[j] > s.src[j] ? dest[j] - s.src[j] : s.src[j] - dest[j]);
        simd_set_lane(dest, i, 8, sum);
    }
    return CPU_OK;
}

/* ---- shifts ---- */

enum shift_kind { LEFT, RIGHT, ARITHMETIC };

static const struct shift_op {
    uint8_t size, kind;
} shifts[ISA_SEMS] = {
    [ISA_SEM_PSLLW] = {2, LEFT},       [ISA_SEM_PSLLD] = {4, LEFT},
    [ISA_SEM_PSLLQ] = {8, LEFT},       [ISA_SEM_PSRLW] = {2, RIGHT},
    [ISA_SEM_PSRLD] = {4, RIGHT},      [ISA_SEM_PSRLQ] = {8, RIGHT},
    [ISA_SEM_PSRAW] = {2, ARITHMETIC}, [ISA_SEM_PSRAD] = {4, ARITHMETIC},
};

/* `count` may be any: beyond the width nothing but sign bits is left. */
static uint64_t shifted(const uint8_t *reg, unsigned i, const struct shift_op *op, uint64_t count)
{
    unsigned width = op->size * 8u;

    if (op->kind == ARITHMETIC)
        return (uint64_t)(simd_lane_signed(reg, i, op->size) >>
                          (count < width ? count : width - 1));
    if (count >= width)
        return 0;
    return op->kind == LEFT ? simd_lane(reg, i, op->size) << count
                            : simd_lane(reg, i, op->size) >> count;
}

enum cpu_status interp_mmx_shift(struct cpu *cpu, const struct isa_insn *insn)
{
    const struct shift_op *op = &shifts[insn->row->sem];
    bool immediate = insn->row->op[1].method == ISA_M_I;
    struct simd s;
    enum cpu_status status = simd_begin(&s, cpu, insn);
    uint64_t count = insn->imm & 0xff;
    uint8_t *dest;

    if (status == CPU_OK && !immediate)
        status = simd_source(&s);
    if (status)
        return status;
    if (!immediate)
        count = simd_lane(s.src, 0, 8);
    dest = simd_dest(&s);
    for (unsigned i = 0; i < s.bytes / op->size; i++)
        simd_set_lane(dest, i, op->size, shifted(dest, i, op, count));
    return CPU_OK;
}

/* PSLLDQ and PSRLDQ: the whole XMM register by bytes. */
enum cpu_status interp_mmx_shift_bytes(struct cpu *cpu, const struct isa_insn *insn)
{
    unsigned count = (insn->imm & 0xff) > 16 ? 16 : insn->imm & 0xff;
    struct simd s;
    enum cpu_status status = simd_begin(&s, cpu, insn);
    uint8_t wide[48] = {0}, *dest;

    if (status)
        return status;
    dest = simd_dest(&s);
    memcpy(wide + 16, dest, 16);
    memcpy(dest, insn->row->sem == ISA_SEM_PSLLDQ ? wide + 16 - count : wide + 16 + count, 16);
    return CPU_OK;
}

/* ---- packing ---- */

static const struct pack_op {
    uint8_t size; /* of the source lanes */
    bool to_unsigned;
} packs[ISA_SEMS] = {
    [ISA_SEM_PACKSSWB] = {2, false},
    [ISA_SEM_PACKSSDW] = {4, false},
    [ISA_SEM_PACKUSWB] = {2, true},
};

enum cpu_status interp_mmx_pack(struct cpu *cpu, const struct isa_insn *insn)
{
    const struct pack_op *op = &packs[insn->row->sem];
    struct simd s;
    enum cpu_status status = simd_load(&s, cpu, insn);
    uint8_t both[32], *dest;

    if (status)
        return status;
    dest = simd_dest(&s);
    memcpy(both, dest, s.bytes);
    memcpy(both + s.bytes, s.src, s.bytes);
    for (unsigned i = 0; i < 2 * s.bytes / op->size; i++) {
        int64_t lane = simd_lane_signed(both, i, op->size);
        unsigned half = op->size / 2u;

        lane = op->to_unsigned ? clamp_unsigned(lane, half) : clamp_signed(lane, half);
        simd_set_lane(dest, i, half, (uint64_t)lane);
    }
    return CPU_OK;
}
