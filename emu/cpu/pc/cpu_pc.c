/* SPDX-License-Identifier: MIT */
/*
 * A PC's processor: making it, resetting it (SDM volume 3, table 9-1), and
 * everything that is worked out from its declared state and never saved.
 */
#include <errno.h>
#include <string.h>

#include "emu/base/host.h"
#include "emu/cpu/pc/debugreg.h"
#include "emu/cpu/engine.h"
#include "emu/cpu/pc/mmu.h"
#include "emu/cpu/model.h"
#include "emu/cpu/pc/pc.h"
#include "emu/cpu/pc/sysregs.h"

#define REAL_DATA_ATTR (SEG_PRESENT | SEG_S | SEG_WRITABLE | SEG_ACCESSED)
#define APIC_BASE_RESET 0xfee00900u /* enabled; the bootstrap processor */
#define PAT_RESET 0x0007040600070406u

#define FIELD(member) STATE_U(struct cpu, member)

static const struct state_field pc_fields[] = {
    STATE_U_ARRAY(struct cpu, sys.pdpte),
    FIELD(sys.apic_base),
    FIELD(sys.mtrr_default),
    STATE_U_ARRAY(struct cpu, sys.mtrr_fixed),
    STATE_U_ARRAY(struct cpu, sys.mtrr_variable),
    FIELD(pc.pending_debug),
    FIELD(pc.shadow),
    FIELD(pc.halted),
    FIELD(pc.shutdown),
    FIELD(pc.nmi_blocked),
};

const struct state_list cpu_pc_state_list = {"cpu_pc", 1, ARRAY_LEN(pc_fields), pc_fields};

/* Translations made from what was there are stale, too. */
static void map_changed(void *opaque, gpa_t gpa, uint64_t len)
{
    struct cpu *cpu = opaque;
    mmu_flush_frame(cpu, gpa, len, false);
    if (cpu->engine)
        cpu->engine->ops->forget(cpu->engine, cpu, gpa, len);
}

static void a20_changed(void *opaque, bool open)
{
    struct cpu *cpu = opaque;
    cpu->pc.a20_mask = open ? UINT32_MAX : ~(uint32_t)MIB;
    mmu_flush(cpu, true);
}

static const struct bus_listener listener = {map_changed, a20_changed};

static void reset_segments(struct cpu *cpu)
{
    for (unsigned i = 0; i < ARRAY_LEN(cpu->seg); i++)
        cpu->seg[i] = (struct cpu_seg){0, REAL_DATA_ATTR, 0, 0xffff};
    cpu->seg[ISA_CS].selector = 0xf000;
    cpu->seg[ISA_CS].base = 0xffff0000u;
}

static void reset_system(struct cpu *cpu)
{
    struct cpu_sys *sys = &cpu->sys;
    uint32_t caches = cpu_has(cpu, CPU_F_486) ? CR0_CD | CR0_NW : 0;
    sys->cr0 = caches | CR0_ET;
    sys->cr2 = sys->cr3 = sys->cr4 = 0;
    sys->gdt = sys->idt = (struct cpu_table){.limit = 0xffff};
    sys->ldt = (struct cpu_seg){0, SEG_PRESENT | SYS_LDT, 0, 0xffff};
    sys->tr = (struct cpu_seg){0, SEG_PRESENT | SYS_TSS32_BUSY, 0, 0xffff};
    memset(sys->dr, 0, sizeof(sys->dr));
    sys->dr[6] = DR6_FIXED;
    sys->dr[7] = DR7_FIXED;
}

void cpu_init_signal(struct cpu *cpu)
{
    memset(cpu->gpr, 0, sizeof(cpu->gpr));
    cpu->gpr[ISA_EDX] = cpu->pc.model->signature;
    cpu->eip = 0xfff0;
    cpu->eflags = EFLAGS_FIXED;
    cpu->cpl = 0;
    reset_segments(cpu);
    reset_system(cpu);
    cpu->pc.shadow = cpu->pc.shadow_now = cpu->pc.halted = 0;
    cpu->pc.shutdown = cpu->pc.nmi_blocked = 0;
    cpu->pc.pending_debug = 0;
    cpu_refresh(cpu);
}

static void reset_fpu(struct cpu *cpu)
{
    memset(&cpu->fpu, 0, sizeof(cpu->fpu));
    cpu->fpu.control = 0x40;
    cpu->fpu.tag = 0xff;
    cpu->fpu.mxcsr = 0x1f80;
    cpu->fpu.mxcsr_mask = 0xffff;
}

void cpu_reset(struct cpu *cpu)
{
    struct cpu_sys *sys = &cpu->sys;
    memset(sys, 0, sizeof(*sys));
    sys->apic_base = APIC_BASE_RESET;
    sys->pat = PAT_RESET;
    reset_fpu(cpu);
    cpu_init_signal(cpu);
}

void cpu_refresh(struct cpu *cpu)
{
    cpu->pc.a20_mask = bus_a20(cpu->pc.bus) ? UINT32_MAX : ~(uint32_t)MIB;
    cpu->pc.code_frame = CPU_NO_FRAME;
    cpu->code32 = (cpu->seg[ISA_CS].attr & SEG_BIG) != 0;
    mmu_select(cpu);
    pc_update_alignment(cpu);
    debugreg_refresh(cpu);
}

void pc_update_alignment(struct cpu *cpu)
{
    bool armed = cpu->cpl == 3 && (cpu->sys.cr0 & CR0_AM) && (cpu->eflags & EFLAGS_AC);
    cpu->pc.align_mask = armed ? UINT32_MAX : 0;
}

void pc_set_cpl(struct cpu *cpu, unsigned cpl)
{
    cpu->cpl = (uint8_t)cpl;
    mmu_select(cpu);
    pc_update_alignment(cpu);
}

void pc_set_eflags(struct cpu *cpu, uint32_t value, uint32_t mask)
{
    mask &= cpu_model_eflags(cpu->pc.model);
    cpu->eflags = (cpu->eflags & ~mask) | (value & mask) | EFLAGS_FIXED;
    pc_update_alignment(cpu);
}

int cpu_init_pc(const struct cpu_config *config, struct cpu **out)
{
    const struct cpu_model *model = cpu_model_find(config->model);
    struct ram *ram = bus_ram(config->bus);
    struct cpu *cpu = ram_context(ram);
    if (!model)
        return -EINVAL;
    memset(cpu, 0, sizeof(*cpu));
    cpu->ram = ram;
    cpu->code_page = CPU_NO_PAGE;
    cpu->pc.bus = config->bus;
    cpu->pc.pin = config->pin;
    cpu->pc.hooks = config->hooks;
    cpu->pc.model = model;
    int err = mmu_create(&cpu->pc.mmu);
    if (err)
        return err;
    bus_listen(config->bus, &listener, cpu);
    cpu_reset(cpu);
    *out = cpu;
    return 0;
}

void cpu_fini_pc(struct cpu *cpu)
{
    bus_listen(cpu->pc.bus, NULL, NULL);
    mmu_destroy(cpu->pc.mmu);
    cpu->pc.mmu = NULL;
}
