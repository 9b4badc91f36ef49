/* SPDX-License-Identifier: MIT */
/* x87 arithmetic, comparison and the instructions that work on ST(0) in place. */
#include "emu/cpu/interp/interp_x87.h"

/* ---- two operands ---- */

enum arith_op { ADD, MUL, SUB, SUBR, DIV, DIVR };

struct arith {
    uint8_t op;
    bool integer; /* the memory operand is an integer */
    bool pop;
};

static const struct arith arith_of[ISA_SEMS] = {
#define ARITH(name)                                                                                \
    [ISA_SEM_F##name] = {name, false, false}, [ISA_SEM_F##name##P] = {name, false, true},          \
    [ISA_SEM_FI##name] = {name, true, false}
    ARITH(ADD), ARITH(MUL), ARITH(SUB), ARITH(SUBR), ARITH(DIV), ARITH(DIVR),
#undef ARITH
};

static struct softfp_num compute(unsigned op, const struct softfp_num *a,
                                 const struct softfp_num *b, struct softfp_env *env)
{
    switch (op) {
    case ADD:
        return softfp_add(a, b, env);
    case MUL:
        return softfp_mul(a, b, env);
    case SUB:
        return softfp_sub(a, b, env);
    case SUBR:
        return softfp_sub(b, a, env);
    case DIV:
        return softfp_div(a, b, env);
    default:
        return softfp_div(b, a, env);
    }
}

/* ST(dest) with a memory operand `b`, or with ST(other) where that is NULL. */
static struct softfp_num arith_result(struct x87 *x, unsigned op, unsigned dest, unsigned other,
                                      const struct softfp_num *b)
{
    const struct cpu_fpu *fpu = &x->cpu->fpu;

    if (x87_empty(fpu, dest) || (!b && x87_empty(fpu, other))) {
        x87_stack_fault(x, false);
        return softfp_default_nan();
    }
    struct softfp_num left = x87_get(fpu, dest), right = x87_get(fpu, other);
    struct softfp_num exact = compute(op, &left, b ? b : &right, &x->env);
    return softfp_round(&exact, &softfp_f80, &x->env);
}

enum cpu_status interp_x87_arith(struct cpu *cpu, const struct isa_insn *insn)
{
    const struct arith *arith = &arith_of[insn->row->sem];
    unsigned dest = insn->row->op[0].method == ISA_M_STI ? insn->rm : 0;
    unsigned other = dest == 0 ? insn->rm : 0;
    struct softfp_num b;
    struct x87 x;
    enum cpu_status status = x87_begin(&x, cpu, insn);

    if (status == CPU_OK && insn->has_mem)
        status = arith->integer ? x87_read_int(&x, &b) : x87_read_real(&x, &b);
    if (status)
        return status;
    struct softfp_num result = arith_result(&x, arith->op, dest, other, insn->has_mem ? &b : NULL);
    if (!x87_stopped(&x)) {
        x87_set(&cpu->fpu, dest, &result);
        if (arith->pop)
            x87_pop(&cpu->fpu);
    }
    return x87_finish(&x);
}

/* ---- comparison ---- */

enum compare_with { STI, INTEGER, ZERO };

struct compare {
    uint8_t with;
    uint8_t pops;
    bool quiet;
    bool eflags; /* the result goes to EFLAGS, not to C0, C2, C3 */
};

static const struct compare compare_of[ISA_SEMS] = {
    [ISA_SEM_FCOM] = {STI, 0, false, false},       [ISA_SEM_FCOMP] = {STI, 1, false, false},
    [ISA_SEM_FCOMPP] = {STI, 2, false, false},     [ISA_SEM_FICOM] = {INTEGER, 0, false, false},
    [ISA_SEM_FICOMP] = {INTEGER, 1, false, false}, [ISA_SEM_FTST] = {ZERO, 0, false, false},
    [ISA_SEM_FUCOM] = {STI, 0, true, false},       [ISA_SEM_FUCOMP] = {STI, 1, true, false},
    [ISA_SEM_FUCOMPP] = {STI, 2, true, false},     [ISA_SEM_FCOMI] = {STI, 0, false, true},
    [ISA_SEM_FCOMIP] = {STI, 1, false, true},      [ISA_SEM_FUCOMI] = {STI, 0, true, true},
    [ISA_SEM_FUCOMIP] = {STI, 1, true, true},
};

static void set_order(struct x87 *x, enum softfp_order order, bool eflags)
{
    static const uint16_t cc[4] = {X87_C3, X87_C0, 0, X87_CC};
    static const uint32_t flags[4] = {ISA_F_Z, ISA_F_C, 0, ISA_F_Z | ISA_F_P | ISA_F_C};

    if (!eflags) {
        x->cc = cc[order];
        x->cc_mask = X87_CC;
    } else { /* also when an exception is unmasked */
        flags_set(x->cpu, FLAGS_STATUS, flags[order]);
    }
}

enum cpu_status interp_x87_compare(struct cpu *cpu, const struct isa_insn *insn)
{
    const struct compare *compare = &compare_of[insn->row->sem];
    bool with_register = compare->with == STI && !insn->has_mem;
    struct softfp_num b = {.kind = SOFTFP_ZERO};
    enum softfp_order order = SOFTFP_UNORDERED;
    struct x87 x;
    enum cpu_status status = x87_begin(&x, cpu, insn);

    if (status == CPU_OK && insn->has_mem)
        status = compare->with == INTEGER ? x87_read_int(&x, &b) : x87_read_real(&x, &b);
    if (status)
        return status;
    if (x87_empty(&cpu->fpu, 0) || (with_register && x87_empty(&cpu->fpu, insn->rm))) {
        x87_stack_fault(&x, false);
    } else {
        if (with_register)
            b = x87_get(&cpu->fpu, insn->rm);
        struct softfp_num a = x87_get(&cpu->fpu, 0);
        order = softfp_compare(&a, &b, compare->quiet, &x.env);
    }
    set_order(&x, order, compare->eflags);
    x.keep_c1 = compare->eflags;
    for (unsigned i = 0; i < compare->pops && !x87_stopped(&x); i++)
        x87_pop(&cpu->fpu);
    return x87_finish(&x);
}

/* ---- ST(0) in place ---- */

static struct softfp_num remainder_of(struct x87 *x, bool nearest)
{
    const struct cpu_fpu *fpu = &x->cpu->fpu;
    struct softfp_num a = x87_get(fpu, 0), b = x87_get(fpu, 1);
    unsigned quotient;
    bool partial;
    struct softfp_num out = softfp_rem(&a, &b, nearest, &quotient, &partial, &x->env);

    if (out.kind == SOFTFP_NAN || x87_stopped(x))
        return out;
    x->cc_mask = X87_CC;
    x->cc = (uint16_t)((quotient & 4 ? X87_C0 : 0) | (quotient & 2 ? X87_C3 : 0) |
                       (partial ? X87_C2 : 0));
    x->env.up = quotient & 1;
    return out;
}

static struct softfp_num in_place(struct x87 *x)
{
    struct softfp_num a = x87_get(&x->cpu->fpu, 0), b;

    switch (x->insn->row->sem) {
    case ISA_SEM_FSQRT:
        b = softfp_sqrt(&a, &x->env);
        return softfp_round(&b, &softfp_f80, &x->env);
    case ISA_SEM_FRNDINT:
        return softfp_round_int(&a, &x->env);
    case ISA_SEM_FSCALE:
        b = x87_get(&x->cpu->fpu, 1);
        return softfp_scale(&a, &b, &x->env);
    default:
        return remainder_of(x, x->insn->row->sem == ISA_SEM_FPREM1);
    }
}

enum cpu_status interp_x87_in_place(struct cpu *cpu, const struct isa_insn *insn)
{
    unsigned sem = insn->row->sem;
    bool unary = sem == ISA_SEM_FSQRT || sem == ISA_SEM_FRNDINT;
    struct softfp_num result = softfp_default_nan();
    struct x87 x;
    enum cpu_status status = x87_begin(&x, cpu, insn);

    if (status)
        return status;
    if (sem == ISA_SEM_FPREM || sem == ISA_SEM_FPREM1)
        x.cc_mask = X87_C2;
    if (x87_empty(&cpu->fpu, 0) || (!unary && x87_empty(&cpu->fpu, 1)))
        x87_stack_fault(&x, false);
    else
        result = in_place(&x);
    if (!x87_stopped(&x))
        x87_set(&cpu->fpu, 0, &result);
    return x87_finish(&x);
}

/* FABS and FCHS: the sign bit of any encoding. */
enum cpu_status interp_x87_sign(struct cpu *cpu, const struct isa_insn *insn)
{
    struct softfp_num nan = softfp_default_nan();
    struct softfp_ext value;
    struct x87 x;
    enum cpu_status status = x87_begin(&x, cpu, insn);

    if (status)
        return status;
    value = x87_raw(&cpu->fpu, 0);
    if (x87_empty(&cpu->fpu, 0)) {
        x87_stack_fault(&x, false);
        value = softfp_pack_ext(&nan);
    } else if (insn->row->sem == ISA_SEM_FABS) {
        value.se &= 0x7fff;
    } else {
        value.se ^= 0x8000;
    }
    if (!x87_stopped(&x))
        x87_set_raw(&cpu->fpu, 0, value);
    return x87_finish(&x);
}

enum cpu_status interp_x87_extract(struct cpu *cpu, const struct isa_insn *insn)
{
    struct softfp_num exponent = softfp_default_nan(), sig = exponent, value;
    struct x87 x;
    enum cpu_status status = x87_begin(&x, cpu, insn);

    if (status)
        return status;
    if (x87_empty(&cpu->fpu, 0))
        x87_stack_fault(&x, false);
    else if (!x87_empty(&cpu->fpu, 7))
        x87_stack_fault(&x, true);
    value = x87_get(&cpu->fpu, 0);
    if (!x.stack_fault)
        sig = softfp_extract(&value, &exponent, &x.env);
    if (!x87_stopped(&x)) {
        x87_set(&cpu->fpu, 0, &exponent);
        x87_push(&cpu->fpu, &sig);
    }
    return x87_finish(&x);
}

static uint16_t class_of(const struct cpu_fpu *fpu)
{
    static const uint16_t codes[] = {[SOFTFP_ZERO] = X87_C3,
                                     [SOFTFP_FINITE] = X87_C2,
                                     [SOFTFP_INF] = X87_C2 | X87_C0,
                                     [SOFTFP_NAN] = X87_C0,
                                     [SOFTFP_UNSUPPORTED] = 0};
    struct softfp_num a = x87_get(fpu, 0);

    if (x87_empty(fpu, 0))
        return X87_C3 | X87_C0;
    return a.denormal ? X87_C3 | X87_C2 : codes[a.kind];
}

enum cpu_status interp_x87_fxam(struct cpu *cpu, const struct isa_insn *insn)
{
    struct x87 x;
    enum cpu_status status = x87_begin(&x, cpu, insn);

    if (status)
        return status;
    x.cc_mask = X87_CC;
    x.cc = class_of(&cpu->fpu);
    x.env.up = x87_raw(&cpu->fpu, 0).se >> 15;
    return x87_finish(&x);
}

/* The transcendentals: the host's own unit works on the whole x87 state. */
enum cpu_status interp_x87_transcendental(struct cpu *cpu, const struct isa_insn *insn)
{
    struct x87 x;
    enum cpu_status status = x87_begin(&x, cpu, insn);
    struct cpu_fpu *fpu = &cpu->fpu;
    unsigned before = fpu->status & X87_EXCEPTIONS;

    if (status)
        return status;
    fpu->status &= (uint16_t)~X87_EXCEPTIONS;
    hostfp_x87(insn->row->sem, cpu);
    x.env.flags = fpu->status & X87_EXCEPTIONS;
    x.env.up = fpu->status & X87_C1;
    fpu->status |= (uint16_t)before;
    return x87_finish(&x);
}
