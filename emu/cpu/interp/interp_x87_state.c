/* SPDX-License-Identifier: MIT */
/*
 * x87 control, environment and state: FNSTENV's and FNSAVE's images, FXSAVE's
 * 512 bytes. The tag word of the old images has two bits a
 * register; the processor keeps one (empty or not) and works out the rest.
 */
#include "emu/cpu/interp/interp_x87.h"

#define MXCSR_MASK 0xffffu

/* ---- control ---- */

enum cpu_status interp_x87_fwait(struct cpu *cpu, const struct isa_insn *insn)
{
    bool waits = (cpu->sys.cr0 & (CR0_MP | CR0_TS)) == (CR0_MP | CR0_TS);

    (void)insn;
    return waits ? cpu_raise(cpu, CPU_NM) : x87_pending(cpu);
}

/* What the 287 and 8087 did here is nothing today; they do not even wait. */
enum cpu_status interp_x87_fneni(struct cpu *cpu, const struct isa_insn *insn)
{
    (void)insn;
    return x87_usable(cpu);
}

enum cpu_status interp_x87_fninit(struct cpu *cpu, const struct isa_insn *insn)
{
    enum cpu_status status = x87_usable(cpu);

    (void)insn;
    if (status == CPU_OK)
        x87_init(&cpu->fpu);
    return status;
}

enum cpu_status interp_x87_fnclex(struct cpu *cpu, const struct isa_insn *insn)
{
    enum cpu_status status = x87_usable(cpu);

    (void)insn;
    if (status == CPU_OK)
        cpu->fpu.status &= (uint16_t) ~(X87_EXCEPTIONS | X87_SF | X87_ES | X87_B);
    return status;
}

enum cpu_status interp_x87_fldcw(struct cpu *cpu, const struct isa_insn *insn)
{
    struct x87 x;
    uint16_t value;
    enum cpu_status status = x87_begin(&x, cpu, insn);

    if (status == CPU_OK)
        status = interp_read_wide(cpu, insn, x87_mem_operand(insn), &value, 2);
    if (status)
        return status;
    cpu->fpu.control = x87_control_of(value);
    x87_update_summary(&cpu->fpu);
    return CPU_OK;
}

/* FNSTCW and FNSTSW, to memory or AX. */
enum cpu_status interp_x87_store_word(struct cpu *cpu, const struct isa_insn *insn)
{
    enum cpu_status status = x87_usable(cpu);
    uint16_t value = insn->row->sem == ISA_SEM_FNSTCW ? cpu->fpu.control : cpu->fpu.status;

    if (status)
        return status;
    if (insn->has_mem)
        return interp_write_wide(cpu, insn, x87_mem_operand(insn), &value, 2);
    interp_set_reg(cpu, ISA_EAX, 2, value);
    return CPU_OK;
}

/* ---- environment ---- */

enum tag { TAG_VALID, TAG_ZERO, TAG_SPECIAL, TAG_EMPTY };

static enum tag tag_of(const struct cpu_fpu *fpu, unsigned i)
{
    struct softfp_num num = x87_get(fpu, i);

    if (x87_empty(fpu, i))
        return TAG_EMPTY;
    if (num.kind == SOFTFP_ZERO)
        return TAG_ZERO;
    return num.kind == SOFTFP_FINITE && !num.denormal ? TAG_VALID : TAG_SPECIAL;
}

static uint16_t full_tags(const struct cpu_fpu *fpu)
{
    unsigned top = fpu->status >> 11 & 7, tags = 0;

    for (unsigned i = 0; i < 8; i++)
        tags |= (unsigned)tag_of(fpu, i) << ((top + i) % 8 * 2);
    return (uint16_t)tags;
}

static uint8_t abridged_tags(uint16_t tags)
{
    unsigned out = 0;

    for (unsigned i = 0; i < 8; i++)
        out |= (unsigned)((tags >> i * 2 & 3) != TAG_EMPTY) << i;
    return (uint8_t)out;
}

#define ENV_WORDS 7

/*
 * The image's seven words, in four layouts (SDM volume 1, figures 8-9 to 8-12).
 * Protected mode has the pointers as offset and selector. Real and virtual-8086
 * mode have them as linear addresses, cut in two around the opcode.
 */
struct env_layout {
    unsigned width; /* bytes of a word, 2 or 4 */
    bool real;
};

static struct env_layout env_layout(const struct cpu *cpu, const struct isa_insn *insn)
{
    bool real = !cpu->flat && (!(cpu->sys.cr0 & CR0_PE) || (cpu->eflags & EFLAGS_VM));

    return (struct env_layout){insn->opsize, real};
}

static void env_to_bytes(const struct cpu_fpu *fpu, struct env_layout layout, uint8_t *out)
{
    uint32_t opcode = fpu->opcode & 0x7ff, high = 0xffff0000u;
    uint32_t words[ENV_WORDS] = {high | fpu->control,    high | fpu->status,
                                 high | full_tags(fpu),  fpu->ip,
                                 fpu->cs | opcode << 16, fpu->dp,
                                 high | fpu->ds};

    if (layout.real) {
        words[3] |= high;
        words[4] = fpu->ip >> 16 << 12 | opcode;
        words[5] |= high;
        words[6] = fpu->dp >> 16 << 12;
    }
    for (unsigned i = 0; i < ENV_WORDS; i++)
        memcpy(out + i * layout.width, &words[i], layout.width);
}

static void env_from_bytes(struct cpu_fpu *fpu, struct env_layout layout, const uint8_t *in)
{
    uint32_t words[ENV_WORDS] = {0};
    unsigned top;

    for (unsigned i = 0; i < ENV_WORDS; i++)
        memcpy(&words[i], in + i * layout.width, layout.width);
    top = words[1] >> 11 & 7;
    x87_turn(fpu, (int)(top - (fpu->status >> 11 & 7)));
    fpu->control = x87_control_of((uint16_t)words[0]);
    fpu->status = (uint16_t)words[1];
    fpu->tag = abridged_tags((uint16_t)words[2]);
    fpu->ip = words[3];
    fpu->opcode = words[4] >> 16 & 0x7ff;
    fpu->dp = words[5];
    if (layout.real) {
        fpu->ip = (words[3] & 0xffff) | (words[4] >> 12 & 0xffff) << 16;
        fpu->opcode = words[4] & 0x7ff;
        fpu->dp = (words[5] & 0xffff) | (words[6] >> 12 & 0xffff) << 16;
    }
    fpu->cs = fpu->ds = 0;
    x87_update_summary(fpu);
}

/* After a load: where nobody keeps the pointers of the last instruction, they are 0. */
static void drop_pointers(struct cpu *cpu)
{
    if (cpu->no_fpu_pointers)
        cpu->fpu.ip = cpu->fpu.dp = cpu->fpu.opcode = 0;
}

#define STATE_MAX 108

/* FNSTENV and FNSAVE. */
enum cpu_status interp_x87_save(struct cpu *cpu, const struct isa_insn *insn)
{
    bool all = insn->row->sem == ISA_SEM_FNSAVE;
    unsigned env = insn->opsize * ENV_WORDS;
    uint8_t image[STATE_MAX];
    enum cpu_status status = x87_usable(cpu);

    if (status)
        return status;
    env_to_bytes(&cpu->fpu, env_layout(cpu, insn), image);
    for (unsigned i = 0; i < 8; i++)
        memcpy(image + env + i * 10, cpu->fpu.st[i], 10);
    status = interp_write_wide(cpu, insn, x87_mem_operand(insn), image, all ? env + 80 : env);
    if (status)
        return status;
    if (all) {
        x87_init(&cpu->fpu);
    } else {
        cpu->fpu.control |= X87_EXCEPTIONS;
        x87_update_summary(&cpu->fpu);
    }
    return CPU_OK;
}

/* FLDENV and FRSTOR. */
enum cpu_status interp_x87_restore(struct cpu *cpu, const struct isa_insn *insn)
{
    bool all = insn->row->sem == ISA_SEM_FRSTOR;
    unsigned env = insn->opsize * ENV_WORDS;
    uint8_t image[STATE_MAX];
    struct x87 x;
    enum cpu_status status = x87_begin(&x, cpu, insn);

    if (status == CPU_OK)
        status = interp_read_wide(cpu, insn, x87_mem_operand(insn), image, all ? env + 80 : env);
    if (status)
        return status;
    env_from_bytes(&cpu->fpu, env_layout(cpu, insn), image);
    drop_pointers(cpu);
    for (unsigned i = 0; i < 8 && all; i++)
        memcpy(cpu->fpu.st[i], image + env + i * 10, 10);
    return CPU_OK;
}

/* ---- FXSAVE ---- */

#define FXSAVE_USED 288 /* up to XMM7; the rest is left as it was */

static enum cpu_status check_fxsave_address(struct cpu *cpu, const struct isa_insn *insn)
{
    uint32_t linear = cpu_seg_base(cpu, insn->seg) + interp_address(cpu, insn);

    return linear & 15 ? cpu_raise_error(cpu, CPU_GP, 0) : CPU_OK;
}

enum cpu_status interp_x87_fxsave(struct cpu *cpu, const struct isa_insn *insn)
{
    struct cpu_fpu image = cpu->fpu;
    enum cpu_status status = x87_usable(cpu);

    if (status == CPU_OK)
        status = check_fxsave_address(cpu, insn);
    if (status == CPU_OK)
        status = interp_check_wide(cpu, insn, x87_mem_operand(insn), 512, true);
    if (status)
        return status;
    image.unused0 = 0;
    image.unused1 = image.unused2 = 0;
    image.mxcsr_mask = MXCSR_MASK;
    for (unsigned i = 0; i < 8; i++)
        memset(image.st[i] + 10, 0, 6);
    return interp_write_wide(cpu, insn, x87_mem_operand(insn), &image, FXSAVE_USED);
}

enum cpu_status interp_x87_fxrstor(struct cpu *cpu, const struct isa_insn *insn)
{
    struct cpu_fpu image;
    enum cpu_status status = x87_usable(cpu);

    if (status == CPU_OK)
        status = check_fxsave_address(cpu, insn);
    if (status == CPU_OK)
        status = interp_read_wide(cpu, insn, x87_mem_operand(insn), &image, sizeof(image));
    if (status)
        return status;
    if (image.mxcsr & ~MXCSR_MASK)
        return cpu_raise_error(cpu, CPU_GP, 0);
    memcpy(&cpu->fpu, &image, FXSAVE_USED);
    cpu->fpu.control = x87_control_of(image.control);
    cpu->fpu.opcode &= 0x7ff;
    cpu->fpu.cs = cpu->fpu.ds = 0;
    cpu->fpu.mxcsr_mask = MXCSR_MASK;
    drop_pointers(cpu);
    x87_update_summary(&cpu->fpu);
    return CPU_OK;
}

/* ---- MXCSR ---- */

enum cpu_status interp_sse_ldmxcsr(struct cpu *cpu, const struct isa_insn *insn)
{
    uint32_t value;
    enum cpu_status status = sse_usable(cpu);

    if (status == CPU_OK)
        status = interp_read_wide(cpu, insn, x87_mem_operand(insn), &value, 4);
    if (status)
        return status;
    if (value & ~MXCSR_MASK)
        return cpu_raise_error(cpu, CPU_GP, 0);
    cpu->fpu.mxcsr = value;
    return CPU_OK;
}

enum cpu_status interp_sse_stmxcsr(struct cpu *cpu, const struct isa_insn *insn)
{
    enum cpu_status status = sse_usable(cpu);

    if (status)
        return status;
    return interp_write_wide(cpu, insn, x87_mem_operand(insn), &cpu->fpu.mxcsr, 4);
}
