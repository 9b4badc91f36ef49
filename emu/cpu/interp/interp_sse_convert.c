/* SPDX-License-Identifier: MIT */
/* All CVT instructions: one walker over a table of element types. */
#include "emu/cpu/interp/interp_sse.h"

enum element_type { INT32, FLOAT32, FLOAT64 };

static const uint8_t type_bytes[] = {[INT32] = 4, [FLOAT32] = 4, [FLOAT64] = 8};

static const struct conversion {
    uint8_t to, from, count;
    bool chop;
    bool clear_upper; /* of an XMM destination; CVTxx2PD and so on fill it */
} conversions[ISA_SEMS] = {
    [ISA_SEM_CVTDQ2PS] = {FLOAT32, INT32, 4, false, false},
    [ISA_SEM_CVTDQ2PD] = {FLOAT64, INT32, 2, false, false},
    [ISA_SEM_CVTPS2DQ] = {INT32, FLOAT32, 4, false, false},
    [ISA_SEM_CVTTPS2DQ] = {INT32, FLOAT32, 4, true, false},
    [ISA_SEM_CVTPD2DQ] = {INT32, FLOAT64, 2, false, true},
    [ISA_SEM_CVTTPD2DQ] = {INT32, FLOAT64, 2, true, true},
    [ISA_SEM_CVTPS2PD] = {FLOAT64, FLOAT32, 2, false, false},
    [ISA_SEM_CVTPD2PS] = {FLOAT32, FLOAT64, 2, false, true},
    [ISA_SEM_CVTSS2SD] = {FLOAT64, FLOAT32, 1, false, false},
    [ISA_SEM_CVTSD2SS] = {FLOAT32, FLOAT64, 1, false, false},
    [ISA_SEM_CVTSI2SS] = {FLOAT32, INT32, 1, false, false},
    [ISA_SEM_CVTSI2SD] = {FLOAT64, INT32, 1, false, false},
    [ISA_SEM_CVTSS2SI] = {INT32, FLOAT32, 1, false, false},
    [ISA_SEM_CVTTSS2SI] = {INT32, FLOAT32, 1, true, false},
    [ISA_SEM_CVTSD2SI] = {INT32, FLOAT64, 1, false, false},
    [ISA_SEM_CVTTSD2SI] = {INT32, FLOAT64, 1, true, false},
    [ISA_SEM_CVTPI2PS] = {FLOAT32, INT32, 2, false, false},
    [ISA_SEM_CVTPI2PD] = {FLOAT64, INT32, 2, false, false},
    [ISA_SEM_CVTPS2PI] = {INT32, FLOAT32, 2, false, false},
    [ISA_SEM_CVTTPS2PI] = {INT32, FLOAT32, 2, true, false},
    [ISA_SEM_CVTPD2PI] = {INT32, FLOAT64, 2, false, false},
    [ISA_SEM_CVTTPD2PI] = {INT32, FLOAT64, 2, true, false},
};

static uint64_t convert(const struct conversion *c, uint64_t bits, struct softfp_env *env)
{
    struct softfp_num num;

    if (c->from == INT32)
        num = softfp_from_int((int32_t)bits);
    else
        num = sse_unpack(bits, type_bytes[c->from], env);
    if (c->to == INT32)
        return (uint64_t)softfp_to_int(&num, 32, env);
    num = softfp_convert(&num, env);
    return sse_round_pack(&num, type_bytes[c->to], env);
}

/* Writes the converted elements, `bytes` of them, to a register of any kind. */
static void deliver(struct simd *s, const struct conversion *c, const uint8_t *result,
                    unsigned bytes)
{
    uint8_t *dest;

    if (s->insn->row->op[0].method == ISA_M_G) {
        interp_set_reg(s->cpu, s->insn->reg, 4, (uint32_t)simd_lane(result, 0, 4));
        return;
    }
    dest = simd_dest(s);
    memcpy(dest, result, bytes);
    if (c->clear_upper)
        memset(dest + bytes, 0, 16 - bytes);
}

enum cpu_status interp_sse_convert(struct cpu *cpu, const struct isa_insn *insn)
{
    const struct conversion *c = &conversions[insn->row->sem];
    unsigned from = type_bytes[c->from], to = type_bytes[c->to];
    struct softfp_env env;
    struct sse_flags flags = {0};
    uint8_t result[16];
    struct simd s;
    enum cpu_status status = simd_begin(&s, cpu, insn);

    if (status == CPU_OK)
        status = interp_read_wide(cpu, insn, 1, s.src, from * c->count);
    if (status)
        return status;
    sse_env(cpu, &env);
    if (c->chop)
        env.rounding = SOFTFP_CHOP;
    for (unsigned i = 0; i < c->count; i++) {
        simd_set_lane(result, i, to, convert(c, simd_lane(s.src, i, from), &env));
        sse_collect(&flags, &env);
    }
    simd_commit(&s); /* also when #XM follows */
    status = sse_raise(cpu, &flags);
    if (status == CPU_OK)
        deliver(&s, c, result, to * c->count);
    return status;
}
