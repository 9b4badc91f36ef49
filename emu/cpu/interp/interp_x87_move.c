/* SPDX-License-Identifier: MIT */
/* x87 loads, stores, constants and register moves. */
#include "emu/cpu/interp/interp_x87.h"

/*
 * Pushes `value` unless the stack is full or an unmasked invalid operand was
 * found. A denormal is loaded even where that exception is unmasked.
 */
static enum cpu_status push_checked(struct x87 *x, const struct softfp_num *value)
{
    struct cpu_fpu *fpu = &x->cpu->fpu;
    struct softfp_num nan = softfp_default_nan();

    if (!x87_empty(fpu, 7)) {
        x->env.flags = 0;
        x87_stack_fault(x, true);
        value = &nan;
    }
    if (!(x->env.flags & ~x->env.masks & SOFTFP_IE))
        x87_push(fpu, value);
    return x87_finish(x);
}

static enum cpu_status read_bcd(struct x87 *x, struct softfp_num *value)
{
    uint8_t buf[10];
    enum cpu_status status = interp_read_wide(x->cpu, x->insn, x87_mem_operand(x->insn), buf, 10);

    if (status == CPU_OK)
        *value = softfp_from_bcd(buf);
    return status;
}

/* FILD and FBLD. */
enum cpu_status interp_x87_load_int(struct cpu *cpu, const struct isa_insn *insn)
{
    struct softfp_num value;
    struct x87 x;
    enum cpu_status status = x87_begin(&x, cpu, insn);

    if (status == CPU_OK)
        status = insn->row->sem == ISA_SEM_FBLD ? read_bcd(&x, &value) : x87_read_int(&x, &value);
    return status ? status : push_checked(&x, &value);
}

/* A register's bits as they are: also what softfp_num cannot carry. */
static enum cpu_status push_raw(struct x87 *x, struct softfp_ext raw)
{
    struct cpu_fpu *fpu = &x->cpu->fpu;
    struct softfp_num value = softfp_unpack_ext(raw);
    enum cpu_status status = push_checked(x, &value);

    if (!x->stack_fault)
        x87_set_raw(fpu, 0, raw);
    return status;
}

static enum cpu_status load_register(struct x87 *x)
{
    struct cpu_fpu *fpu = &x->cpu->fpu;

    if (x87_empty(fpu, x->insn->rm)) {
        struct softfp_num nan = softfp_default_nan();
        x87_stack_fault(x, false);
        if (!x87_stopped(x))
            x87_push(fpu, &nan);
        return x87_finish(x);
    }
    return push_raw(x, x87_raw(fpu, x->insn->rm));
}

static enum cpu_status load_extended(struct x87 *x)
{
    struct softfp_ext raw;
    uint8_t buf[10];
    enum cpu_status status = interp_read_wide(x->cpu, x->insn, x87_mem_operand(x->insn), buf, 10);

    if (status)
        return status;
    memcpy(&raw.sig, buf, 8);
    memcpy(&raw.se, buf + 8, 2);
    return push_raw(x, raw);
}

enum cpu_status interp_x87_load(struct cpu *cpu, const struct isa_insn *insn)
{
    struct softfp_num value;
    struct x87 x;
    enum cpu_status status = x87_begin(&x, cpu, insn);

    if (status)
        return status;
    if (!insn->has_mem)
        return load_register(&x);
    if (isa_operand_bytes(insn, x87_mem_operand(insn)) == 10)
        return load_extended(&x);
    status = x87_read_real(&x, &value);
    if (status)
        return status;
    value = softfp_convert(&value, &x.env);
    return push_checked(&x, &value);
}

/* ---- constants ---- */

/* Rounded to nearest, and whether the true value lies above it: SDM volume 1, 8.3.8. */
static const struct constant {
    struct softfp_ext value;
    int8_t beyond; /* 1: the true value is greater than `value`, -1: smaller, 0: exact */
} constants[ISA_SEMS] = {
    [ISA_SEM_FLDZ] = {{0, 0}, 0},
    [ISA_SEM_FLD1] = {{0x8000000000000000, 0x3fff}, 0},
    [ISA_SEM_FLDPI] = {{0xc90fdaa22168c235, 0x4000}, -1},
    [ISA_SEM_FLDL2T] = {{0xd49a784bcd1b8afe, 0x4000}, 1},
    [ISA_SEM_FLDL2E] = {{0xb8aa3b295c17f0bc, 0x3fff}, -1},
    [ISA_SEM_FLDLG2] = {{0x9a209a84fbcff799, 0x3ffd}, -1},
    [ISA_SEM_FLDLN2] = {{0xb17217f7d1cf79ac, 0x3ffe}, -1},
};

enum cpu_status interp_x87_constant(struct cpu *cpu, const struct isa_insn *insn)
{
    const struct constant *constant = &constants[insn->row->sem];
    struct softfp_ext value = constant->value;
    struct x87 x;
    enum cpu_status status = x87_begin(&x, cpu, insn);

    if (status)
        return status;
    if (constant->beyond > 0 && x.env.rounding == SOFTFP_UP)
        value.sig++;
    if (constant->beyond < 0 && (x.env.rounding == SOFTFP_DOWN || x.env.rounding == SOFTFP_CHOP))
        value.sig--;
    return push_raw(&x, value);
}

/* ---- stores ---- */

/* What a store delivers to memory. */
struct stored {
    uint8_t bytes[10];
    unsigned size;
};

static void store_real(struct x87 *x, struct softfp_num value, struct stored *out)
{
    const struct softfp_format *format = out->size == 4 ? &softfp_f32 : &softfp_f64;
    uint64_t bits;

    value = softfp_convert_store(&value, &x->env);
    value = softfp_round(&value, format, &x->env);
    if (x->env.flags & ~x->env.masks & (SOFTFP_PRE | SOFTFP_OE | SOFTFP_UE))
        return;
    bits = out->size == 4 ? softfp_pack_f32(&value) : softfp_pack_f64(&value);
    memcpy(out->bytes, &bits, out->size);
}

static void store_extended(struct softfp_ext raw, struct stored *out)
{
    memcpy(out->bytes, &raw.sig, 8);
    memcpy(out->bytes + 8, &raw.se, 2);
}

static void store_value(struct x87 *x, struct stored *out)
{
    const struct cpu_fpu *fpu = &x->cpu->fpu;
    struct softfp_num value = x87_get(fpu, 0);
    int64_t integer;

    if (x87_empty(fpu, 0)) {
        x87_stack_fault(x, false);
        value = softfp_default_nan();
    }
    switch (x->insn->row->sem) {
    case ISA_SEM_FIST:
    case ISA_SEM_FISTP:
        integer = softfp_to_int(&value, out->size * 8, &x->env);
        memcpy(out->bytes, &integer, out->size);
        break;
    case ISA_SEM_FBSTP:
        softfp_to_bcd(&value, out->bytes, &x->env);
        break;
    default:
        if (out->size == 10)
            store_extended(x->stack_fault ? softfp_pack_ext(&value) : x87_raw(fpu, 0), out);
        else
            store_real(x, value, out);
    }
}

/* Ten bytes are stored as eight and two, as the processor does it: a fault between them is seen. */
static enum cpu_status store_bytes(struct x87 *x, unsigned n, const struct stored *stored)
{
    struct cpu *cpu = x->cpu;
    const struct isa_insn *insn = x->insn;
    uint32_t at = interp_address(cpu, insn);

    if (stored->size != 10)
        return interp_write_wide(cpu, insn, n, stored->bytes, stored->size);
    enum cpu_status status = cpu_write(cpu, insn->seg, at, stored->bytes, 8);
    return status ? status : cpu_write(cpu, insn->seg, at + 8, stored->bytes + 8, 2);
}

/* All stores to memory: FST, FSTP, FIST, FISTP, FBSTP. */
static enum cpu_status store_memory(struct x87 *x, bool pop)
{
    const struct isa_insn *insn = x->insn;
    unsigned n = x87_mem_operand(insn);
    struct stored stored = {.size = isa_operand_bytes(insn, n)};
    enum cpu_status status;

    store_value(x, &stored);
    if (x->env.flags & ~x->env.masks & (SOFTFP_PRE | SOFTFP_OE | SOFTFP_UE))
        return x87_finish(x);
    status = store_bytes(x, n, &stored);
    if (status)
        return status;
    if (pop)
        x87_pop(&x->cpu->fpu);
    return x87_finish(x);
}

/* FSTPNCE raises nothing: it pops also what is empty. */
static enum cpu_status store_unchecked(struct x87 *x)
{
    struct cpu_fpu *fpu = &x->cpu->fpu;

    if (!x87_empty(fpu, 0))
        x87_set_raw(fpu, x->insn->rm, x87_raw(fpu, 0));
    x87_pop(fpu);
    return x87_finish(x);
}

static enum cpu_status store_register(struct x87 *x, bool pop)
{
    struct cpu_fpu *fpu = &x->cpu->fpu;
    struct softfp_num nan = softfp_default_nan();
    struct softfp_ext value = x87_raw(fpu, 0);

    if (x87_empty(fpu, 0)) {
        x87_stack_fault(x, false);
        value = softfp_pack_ext(&nan);
    }
    if (!x87_stopped(x)) {
        x87_set_raw(fpu, x->insn->rm, value);
        if (pop)
            x87_pop(fpu);
    }
    return x87_finish(x);
}

enum cpu_status interp_x87_store(struct cpu *cpu, const struct isa_insn *insn)
{
    bool pop = insn->row->sem != ISA_SEM_FST && insn->row->sem != ISA_SEM_FIST;
    struct x87 x;
    enum cpu_status status = x87_begin(&x, cpu, insn);

    if (status)
        return status;
    if (insn->row->sem == ISA_SEM_FSTPNCE)
        return store_unchecked(&x);
    return insn->has_mem ? store_memory(&x, pop) : store_register(&x, pop);
}

/* ---- register moves ---- */

/* An empty register becomes the default NaN, where a stack underflow is masked. */
static struct softfp_ext or_nan(struct x87 *x, unsigned i)
{
    struct softfp_num nan = softfp_default_nan();

    if (!x87_empty(&x->cpu->fpu, i))
        return x87_raw(&x->cpu->fpu, i);
    x87_stack_fault(x, false);
    return softfp_pack_ext(&nan);
}

enum cpu_status interp_x87_fxch(struct cpu *cpu, const struct isa_insn *insn)
{
    struct softfp_ext a, b;
    struct x87 x;
    enum cpu_status status = x87_begin(&x, cpu, insn);

    if (status)
        return status;
    a = or_nan(&x, 0);
    b = or_nan(&x, insn->rm);
    if (!x87_stopped(&x)) {
        x87_set_raw(&cpu->fpu, 0, b);
        x87_set_raw(&cpu->fpu, insn->rm, a);
    }
    return x87_finish(&x);
}

/* By semantic: the flags of which any makes FCMOVcc move; negated forms follow. */
static bool cmov_taken(unsigned sem, uint32_t eflags)
{
    switch (sem) {
    case ISA_SEM_FCMOVB:
    case ISA_SEM_FCMOVNB:
        return !(eflags & ISA_F_C) == (sem == ISA_SEM_FCMOVNB);
    case ISA_SEM_FCMOVE:
    case ISA_SEM_FCMOVNE:
        return !(eflags & ISA_F_Z) == (sem == ISA_SEM_FCMOVNE);
    case ISA_SEM_FCMOVBE:
    case ISA_SEM_FCMOVNBE:
        return !(eflags & (ISA_F_C | ISA_F_Z)) == (sem == ISA_SEM_FCMOVNBE);
    default:
        return !(eflags & ISA_F_P) == (sem == ISA_SEM_FCMOVNU);
    }
}

enum cpu_status interp_x87_fcmov(struct cpu *cpu, const struct isa_insn *insn)
{
    struct softfp_num nan = softfp_default_nan();
    struct x87 x;
    enum cpu_status status = x87_begin(&x, cpu, insn);

    if (status)
        return status;
    if (x87_empty(&cpu->fpu, 0) || x87_empty(&cpu->fpu, insn->rm)) {
        x87_stack_fault(&x, false);
        if (!x87_stopped(&x))
            x87_set_raw(&cpu->fpu, 0, softfp_pack_ext(&nan));
    } else if (cmov_taken(insn->row->sem, cpu->eflags)) {
        x87_set_raw(&cpu->fpu, 0, x87_raw(&cpu->fpu, insn->rm));
    }
    x.keep_c1 = true;
    return x87_finish(&x);
}

/* FINCSTP, FDECSTP, FFREE, FFREEP, FNOP. */
enum cpu_status interp_x87_stack(struct cpu *cpu, const struct isa_insn *insn)
{
    struct x87 x;
    enum cpu_status status = x87_begin(&x, cpu, insn);

    if (status)
        return status;
    switch (insn->row->sem) {
    case ISA_SEM_FINCSTP:
        x87_turn(&cpu->fpu, 1);
        break;
    case ISA_SEM_FDECSTP:
        x87_turn(&cpu->fpu, -1);
        break;
    case ISA_SEM_FFREE:
        x87_free(&cpu->fpu, insn->rm);
        break;
    case ISA_SEM_FFREEP:
        x87_free(&cpu->fpu, insn->rm);
        x87_pop(&cpu->fpu);
        break;
    default:
        x.keep_c1 = true;
        break;
    }
    return x87_finish(&x);
}
