/* SPDX-License-Identifier: MIT */
/*
 * The flat machine's own control flow: INT n as a jump inside guest memory,
 * and virtual instructions. The words it uses lie in guest memory (struct
 * cpu_flat) and may hold anything; every value is only ever an address or a
 * truth value, so none is trusted.
 */
#include "emu/cpu/interp/interp.h"

#include "emu/cpu/engine.h"

enum cpu_status interp_int(struct cpu *cpu, const struct isa_insn *insn)
{
    uint32_t number = insn->imm & 0xff;
    if (number == CPU_BP)
        return cpu_raise(cpu, CPU_BP);
    const struct cpu_flat *flat = cpu->flat;
    uint32_t entry = cpu_flat_read(cpu, flat->trap_entry);
    if (!entry)
        return cpu_raise_error(cpu, CPU_GP, number * 8 + 2);
    cpu_flat_write(cpu, flat->trap_eip, cpu->eip);
    cpu_flat_write(cpu, flat->trap_number, number);
    cpu_flat_write(cpu, flat->trap_enabled, cpu_flat_read(cpu, flat->intr_enabled));
    cpu_flat_write(cpu, flat->intr_enabled, 0);
    cpu->eip = entry;
    return CPU_OK;
}

/* Interrupts may just have been enabled: if one waits, the kernel delivers it at once. */
static enum cpu_status after_enable(struct cpu *cpu, uint8_t code)
{
    bool enabled = cpu_flat_read(cpu, cpu->flat->intr_enabled);
    if (!enabled || !cpu_flat_read(cpu, cpu->flat->pending))
        return CPU_OK;
    cpu->exit.hypercall = code;
    return interp_exit(cpu, ENGINE_EXIT_HYPERCALL);
}

static enum cpu_status trap_return(struct cpu *cpu)
{
    const struct cpu_flat *flat = cpu->flat;
    cpu_flat_write(cpu, flat->intr_enabled, cpu_flat_read(cpu, flat->trap_enabled));
    cpu->eip = cpu_flat_read(cpu, flat->trap_eip);
    return after_enable(cpu, flat->trapret_code);
}

/* The context of RESUME, word by word. */
enum context_word { CTX_EIP, CTX_EFLAGS, CTX_GPR, CTX_ENABLED = CTX_GPR + 8, CTX_WORDS = 12 };

static enum cpu_status resume(struct cpu *cpu)
{
    uint32_t word[CTX_WORDS];
    for (unsigned i = 0; i < CTX_WORDS; i++) {
        uint32_t at = cpu->gpr[ISA_EAX] + i * 4;
        enum cpu_status status = cpu_read_int(cpu, ISA_DS, at, 4, &word[i]);
        if (status)
            return status;
    }
    memcpy(cpu->gpr, &word[CTX_GPR], sizeof(cpu->gpr));
    cpu->eip = word[CTX_EIP];
    flags_load_user(cpu, word[CTX_EFLAGS], 4);
    cpu_flat_write(cpu, cpu->flat->intr_enabled, word[CTX_ENABLED]);
    return after_enable(cpu, cpu->flat->resume_code);
}

/* UD1 with a register operand: a virtual instruction here, undefined on a PC. */
enum cpu_status interp_virt(struct cpu *cpu, const struct isa_insn *insn)
{
    uint8_t code = (uint8_t)(insn->reg << 3 | insn->rm);
    if (!cpu->flat)
        return cpu_raise(cpu, CPU_UD);
    if (code == cpu->flat->trapret_code)
        return trap_return(cpu);
    if (code == cpu->flat->resume_code)
        return resume(cpu);
    cpu->exit.hypercall = code;
    return interp_exit(cpu, ENGINE_EXIT_HYPERCALL);
}
