/* SPDX-License-Identifier: MIT */
/*
 * The mechanics of the x87: its stack in the FXSAVE image, status and tags,
 * stack faults, pending exceptions.
 *
 * As current processors do: FCS and FDS are zero; FIP is kept by every
 * instruction but the control ones; FOP and FDP only by an instruction that
 * leaves an unmasked exception behind.
 */
#include "emu/cpu/interp/interp_x87.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the FXSAVE image is used in place");

enum cpu_status x87_usable(struct cpu *cpu)
{
    return cpu->sys.cr0 & (CR0_EM | CR0_TS) ? cpu_raise(cpu, CPU_NM) : CPU_OK;
}

enum cpu_status sse_usable(struct cpu *cpu)
{
    if (cpu->sys.cr0 & CR0_EM || (!cpu->flat && !(cpu->sys.cr4 & CR4_OSFXSR)))
        return cpu_raise(cpu, CPU_UD);
    return cpu->sys.cr0 & CR0_TS ? cpu_raise(cpu, CPU_NM) : CPU_OK;
}

/* With CR0.NE clear a PC is told by a line, and an interrupt comes of it. */
enum cpu_status x87_pending(struct cpu *cpu)
{
    if (!(cpu->fpu.status & X87_ES))
        return CPU_OK;
    if (cpu->flat || (cpu->sys.cr0 & CR0_NE))
        return cpu_raise(cpu, CPU_MF);
    if (cpu->pc.hooks && cpu->pc.hooks->fpu_error)
        cpu->pc.hooks->fpu_error(cpu->pc.hooks->opaque, true);
    return CPU_OK;
}

enum cpu_status x87_begin(struct x87 *x, struct cpu *cpu, const struct isa_insn *insn)
{
    static const uint8_t precisions[4] = {24, 64, 53, 64};
    unsigned control = cpu->fpu.control;
    enum cpu_status status = x87_usable(cpu);

    *x = (struct x87){.cpu = cpu,
                      .insn = insn,
                      .env = {.rounding = control >> 10 & 3,
                              .precision = precisions[control >> 8 & 3],
                              .masks = control & X87_EXCEPTIONS}};
    return status ? status : x87_pending(cpu);
}

static void note_last(struct x87 *x)
{
    struct cpu_fpu *fpu = &x->cpu->fpu;
    const struct isa_insn *insn = x->insn;

    if (x->cpu->no_fpu_pointers)
        return;
    fpu->ip = x->cpu->eip - insn->len;
    if (!(x->env.flags & ~x->env.masks))
        return;
    fpu->opcode = (uint16_t)((insn->opcode & 7) << 8 | insn->bytes[insn->modrm_at]);
    if (insn->has_mem)
        fpu->dp = interp_address(x->cpu, insn);
}

enum cpu_status x87_finish(struct x87 *x)
{
    struct cpu_fpu *fpu = &x->cpu->fpu;
    unsigned c1 = x->keep_c1 && !x->stack_fault ? fpu->status & X87_C1 : 0;
    unsigned status = (fpu->status & ~(unsigned)(X87_C1 | x->cc_mask)) | c1;

    status |= x->cc | x->env.flags;
    status |= x->env.up ? X87_C1 : 0;
    status |= x->stack_fault ? X87_SF : 0;
    fpu->status = (uint16_t)status;
    x87_update_summary(fpu);
    note_last(x);
    return CPU_OK;
}

void x87_stack_fault(struct x87 *x, bool overflow)
{
    x->env.flags |= SOFTFP_IE;
    x->env.up = overflow;
    x->stack_fault = true;
}

void x87_update_summary(struct cpu_fpu *fpu)
{
    bool pending = fpu->status & ~fpu->control & X87_EXCEPTIONS;

    fpu->status &= (uint16_t) ~(X87_ES | X87_B);
    fpu->status |= pending ? X87_ES | X87_B : 0;
}

uint16_t x87_control_of(uint16_t value)
{
    return (value & 0x1f3f) | 0x40;
}

/* ---- registers ---- */

static unsigned physical(const struct cpu_fpu *fpu, unsigned i)
{
    return ((fpu->status >> 11) + i) & 7;
}

bool x87_empty(const struct cpu_fpu *fpu, unsigned i)
{
    return !(fpu->tag >> physical(fpu, i) & 1);
}

struct softfp_ext x87_raw(const struct cpu_fpu *fpu, unsigned i)
{
    struct softfp_ext value;

    memcpy(&value.sig, fpu->st[i], 8);
    memcpy(&value.se, fpu->st[i] + 8, 2);
    return value;
}

void x87_set_raw(struct cpu_fpu *fpu, unsigned i, struct softfp_ext value)
{
    memcpy(fpu->st[i], &value.sig, 8);
    memcpy(fpu->st[i] + 8, &value.se, 2);
    fpu->tag |= (uint8_t)(1u << physical(fpu, i));
}

struct softfp_num x87_get(const struct cpu_fpu *fpu, unsigned i)
{
    return softfp_unpack_ext(x87_raw(fpu, i));
}

void x87_set(struct cpu_fpu *fpu, unsigned i, const struct softfp_num *value)
{
    x87_set_raw(fpu, i, softfp_pack_ext(value));
}

void x87_free(struct cpu_fpu *fpu, unsigned i)
{
    fpu->tag &= (uint8_t) ~(1u << physical(fpu, i));
}

void x87_turn(struct cpu_fpu *fpu, int delta)
{
    unsigned top = (fpu->status >> 11) & 7, by = (unsigned)delta & 7;
    uint8_t old[8][16];

    memcpy(old, fpu->st, sizeof(old));
    for (unsigned i = 0; i < 8; i++) /* copies of constant length, for speed */
        memcpy(fpu->st[i], old[(i + by) & 7], 16);
    fpu->status = (uint16_t)((fpu->status & ~X87_TOP) | ((top + by) & 7) << 11);
}

void x87_pop(struct cpu_fpu *fpu)
{
    x87_free(fpu, 0);
    x87_turn(fpu, 1);
}

void x87_push(struct cpu_fpu *fpu, const struct softfp_num *value)
{
    x87_turn(fpu, -1);
    x87_set(fpu, 0, value);
}

void x87_init(struct cpu_fpu *fpu)
{
    x87_turn(fpu, -(fpu->status >> 11 & 7));
    fpu->control = 0x37f;
    fpu->status = 0;
    fpu->tag = 0;
    fpu->opcode = 0;
    fpu->ip = fpu->dp = 0;
    fpu->cs = fpu->ds = 0;
}

void x87_enter_mmx(struct cpu_fpu *fpu)
{
    x87_turn(fpu, -(fpu->status >> 11 & 7));
    fpu->tag = 0xff;
}

/* ---- memory operands ---- */

enum cpu_status x87_read_real(struct x87 *x, struct softfp_num *out)
{
    unsigned n = x87_mem_operand(x->insn), bytes = isa_operand_bytes(x->insn, n);
    struct softfp_ext raw = {0};
    enum cpu_status status;
    uint8_t buf[10];

    status = interp_read_wide(x->cpu, x->insn, n, buf, bytes);
    if (status)
        return status;
    memcpy(&raw.sig, buf, bytes < 8 ? bytes : 8);
    if (bytes == 4) {
        *out = softfp_unpack_f32((uint32_t)raw.sig, &x->env);
    } else if (bytes == 8) {
        *out = softfp_unpack_f64(raw.sig, &x->env);
    } else {
        memcpy(&raw.se, buf + 8, 2);
        *out = softfp_unpack_ext(raw);
    }
    return CPU_OK;
}

enum cpu_status x87_read_int(struct x87 *x, struct softfp_num *out)
{
    unsigned n = x87_mem_operand(x->insn), bytes = isa_operand_bytes(x->insn, n);
    uint64_t raw = 0;
    enum cpu_status status = interp_read_wide(x->cpu, x->insn, n, &raw, bytes);
    unsigned unused = 64 - bytes * 8;

    *out = softfp_from_int((int64_t)(raw << unused) >> unused);
    return status;
}
