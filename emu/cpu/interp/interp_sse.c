/* SPDX-License-Identifier: MIT */
/*
 * SSE and SSE2 arithmetic and comparison, by element and in software. The
 * exceptions of all elements are collected first; only then is the destination
 * written, or #XM raised with the destination as it was.
 */
#include "emu/cpu/interp/interp_sse.h"

#define CR4_OSXMMEXCPT 0x400u

void sse_env(const struct cpu *cpu, struct softfp_env *env)
{
    uint32_t mxcsr = cpu->fpu.mxcsr;

    env->rounding = mxcsr >> 13 & 3;
    env->precision = 0;
    env->masks = mxcsr >> 7 & 0x3f;
    env->sse = true;
    env->daz = mxcsr >> 6 & 1;
    env->ftz = mxcsr >> 15 & 1;
    env->flags = 0;
    env->up = false;
}

void sse_collect(struct sse_flags *all, struct softfp_env *env)
{
    all->pre |= env->flags & SOFTFP_PRE;
    all->post |= env->flags & SOFTFP_POST;
    env->flags = 0;
}

enum cpu_status sse_raise(struct cpu *cpu, const struct sse_flags *all)
{
    unsigned masks = cpu->fpu.mxcsr >> 7 & 0x3f;
    unsigned raised = all->pre & ~masks ? all->pre : all->pre | all->post;

    cpu->fpu.mxcsr |= raised;
    if (!(raised & ~masks))
        return CPU_OK;
    if (!cpu->flat && !(cpu->sys.cr4 & CR4_OSXMMEXCPT))
        return cpu_raise(cpu, CPU_UD);
    return cpu_raise(cpu, CPU_XM);
}

struct softfp_num sse_unpack(uint64_t bits, unsigned size, const struct softfp_env *env)
{
    return size == 8 ? softfp_unpack_f64(bits, env) : softfp_unpack_f32((uint32_t)bits, env);
}

uint64_t sse_round_pack(const struct softfp_num *exact, unsigned size, struct softfp_env *env)
{
    struct softfp_num num = softfp_round(exact, size == 8 ? &softfp_f64 : &softfp_f32, env);

    if (env->flags & ~env->masks & (SOFTFP_PRE | SOFTFP_OE | SOFTFP_UE))
        return 0;
    return size == 8 ? softfp_pack_f64(&num) : softfp_pack_f32(&num);
}

/* ---- arithmetic ---- */

enum sse_op { ADD, SUB, MUL, DIV, MIN, MAX, SQRT, CMP };

static const struct sse_arith {
    uint8_t op;
    uint8_t size;  /* of an element */
    uint8_t count; /* of elements */
} ariths[ISA_SEMS] = {
#define ARITH(name)                                                                                \
    [ISA_SEM_##name##PS] = {name, 4, 4}, [ISA_SEM_##name##PD] = {name, 8, 2},                      \
    [ISA_SEM_##name##SS] = {name, 4, 1}
    ARITH(ADD),
    ARITH(SUB),
    ARITH(MUL),
    ARITH(DIV),
    ARITH(MIN),
    ARITH(MAX),
    ARITH(SQRT),
    ARITH(CMP),
#undef ARITH
    [ISA_SEM_ADDSD] = {ADD, 8, 1},
    [ISA_SEM_SUBSD] = {SUB, 8, 1},
    [ISA_SEM_MULSD] = {MUL, 8, 1},
    [ISA_SEM_DIVSD] = {DIV, 8, 1},
    [ISA_SEM_MINSD] = {MIN, 8, 1},
    [ISA_SEM_MAXSD] = {MAX, 8, 1},
    [ISA_SEM_SQRTSD] = {SQRT, 8, 1},
    [ISA_SEM_CMPSD_X] = {CMP, 8, 1},
};

/* Predicates 0..3: equal, less, less or equal, unordered; 4..7 their negations. */
static uint64_t predicate(const struct softfp_num *a, const struct softfp_num *b, unsigned which,
                          struct softfp_env *env)
{
    static const uint8_t holds[4] = {
        1u << SOFTFP_EQUAL,
        1u << SOFTFP_LESS,
        1u << SOFTFP_EQUAL | 1u << SOFTFP_LESS,
        1u << SOFTFP_UNORDERED,
    };
    unsigned base = which & 3;
    bool quiet = base == 0 || base == 3;
    bool hit = holds[base] >> softfp_compare(a, b, quiet, env) & 1;

    return hit != (which >> 2 & 1) ? ~(uint64_t)0 : 0;
}

static struct softfp_num compute(unsigned op, const struct softfp_num *a,
                                 const struct softfp_num *b, struct softfp_env *env)
{
    switch (op) {
    case ADD:
        return softfp_add(a, b, env);
    case SUB:
        return softfp_sub(a, b, env);
    case MUL:
        return softfp_mul(a, b, env);
    case DIV:
        return softfp_div(a, b, env);
    default:
        return softfp_sqrt(b, env);
    }
}

/* Operands are delivered as they are, except denormals under DAZ. */
static uint64_t smaller_or_greater(const struct sse_arith *arith, const struct softfp_num *a,
                                   const struct softfp_num *b, struct softfp_env *env)
{
    struct softfp_num r = arith->op == MIN ? softfp_min(a, b, env) : softfp_max(a, b, env);

    return arith->size == 8 ? softfp_pack_f64(&r) : softfp_pack_f32(&r);
}

static uint64_t element(const struct sse_arith *arith, uint64_t abits, uint64_t bbits, unsigned imm,
                        struct softfp_env *env)
{
    struct softfp_num a = sse_unpack(abits, arith->size, env);
    struct softfp_num b = sse_unpack(bbits, arith->size, env);

    if (arith->op == CMP)
        return predicate(&a, &b, imm & 7, env);
    if (arith->op == MIN || arith->op == MAX)
        return smaller_or_greater(arith, &a, &b, env);
    struct softfp_num exact = compute(arith->op, &a, &b, env);
    return sse_round_pack(&exact, arith->size, env);
}

enum cpu_status interp_sse_arith(struct cpu *cpu, const struct isa_insn *insn)
{
    const struct sse_arith *arith = &ariths[insn->row->sem];
    struct softfp_env env;
    struct sse_flags flags = {0};
    uint8_t result[16], *dest;
    struct simd s;
    enum cpu_status status = simd_load(&s, cpu, insn);

    if (status)
        return status;
    sse_env(cpu, &env);
    dest = simd_dest(&s);
    for (unsigned i = 0; i < arith->count; i++) {
        uint64_t r = element(arith, simd_lane(dest, i, arith->size),
                             simd_lane(s.src, i, arith->size), insn->imm, &env);
        simd_set_lane(result, i, arith->size, r);
        sse_collect(&flags, &env);
    }
    status = sse_raise(cpu, &flags);
    if (status == CPU_OK)
        memcpy(dest, result, (size_t)arith->count * arith->size);
    return status;
}

/* COMISS, COMISD, UCOMISS, UCOMISD. */
enum cpu_status interp_sse_comi(struct cpu *cpu, const struct isa_insn *insn)
{
    static const uint32_t eflags[4] = {ISA_F_Z, ISA_F_C, 0, ISA_F_Z | ISA_F_P | ISA_F_C};
    unsigned sem = insn->row->sem;
    unsigned size = sem == ISA_SEM_COMISD || sem == ISA_SEM_UCOMISD ? 8 : 4;
    bool quiet = sem == ISA_SEM_UCOMISS || sem == ISA_SEM_UCOMISD;
    struct softfp_env env;
    struct sse_flags flags = {0};
    struct softfp_num a, b;
    enum softfp_order order;
    struct simd s;
    enum cpu_status status = simd_load(&s, cpu, insn);

    if (status)
        return status;
    sse_env(cpu, &env);
    a = sse_unpack(simd_lane(simd_dest(&s), 0, size), size, &env);
    b = sse_unpack(simd_lane(s.src, 0, size), size, &env);
    order = softfp_compare(&a, &b, quiet, &env);
    sse_collect(&flags, &env);
    status = sse_raise(cpu, &flags);
    if (status == CPU_OK)
        flags_set(cpu, FLAGS_STATUS, eflags[order]);
    return status;
}

/* RCPPS, RCPSS, RSQRTPS, RSQRTSS: no exceptions. */
enum cpu_status interp_sse_approximate(struct cpu *cpu, const struct isa_insn *insn)
{
    unsigned sem = insn->row->sem;
    bool packed = sem == ISA_SEM_RCPPS || sem == ISA_SEM_RSQRTPS;
    bool root = sem == ISA_SEM_RSQRTPS || sem == ISA_SEM_RSQRTSS;
    bool daz = cpu->fpu.mxcsr >> 6 & 1;
    struct simd s;
    enum cpu_status status = simd_load(&s, cpu, insn);
    uint8_t *dest;

    if (status)
        return status;
    dest = simd_dest(&s);
    for (unsigned i = 0; i < (packed ? 4 : 1); i++) {
        uint32_t bits = (uint32_t)simd_lane(s.src, i, 4);

        simd_set_lane(dest, i, 4, root ? hostfp_rsqrt(bits, daz) : hostfp_rcp(bits, daz));
    }
    return CPU_OK;
}
