/* SPDX-License-Identifier: MIT */
/*
 * The beginning: what firmware is told (fw_cfg), and what is done in its place
 * for a kernel that is started without it: PCI's BARs and routes, shadow RAM, the
 * power management's ports, the PICs, a text screen; then the processor's registers.
 */
#include "devices/pc/machine_pc_private.h"

#include "devices/pc/kernel.h"
#include "devices/pc/vga.h"
#include "emu/cpu/model.h"

#include <errno.h>
#include <string.h>

#define CR0_PE 1u

/* e820 entries as fw_cfg has them: RAM alone. */
static int add_e820(struct pc *pc)
{
    uint8_t entry[20];
    kernel_put(entry, 8, 0);
    kernel_put(entry + 8, 8, pc->c.ram_bytes);
    kernel_put(entry + 16, 4, 1);
    return fw_cfg_add_file(pc->fw_cfg, "etc/e820", entry, sizeof(entry));
}

int pc_add_firmware_files(struct pc *pc)
{
    int err = fw_cfg_add_number(pc->fw_cfg, FW_CFG_RAM_SIZE, pc->c.ram_bytes, 8);
    if (!err)
        err = fw_cfg_add_number(pc->fw_cfg, FW_CFG_CPUS, 1, 2);
    if (!err)
        err = fw_cfg_add_number(pc->fw_cfg, FW_CFG_MAX_CPUS, 1, 2);
    if (!err)
        err = fw_cfg_add_number(pc->fw_cfg, FW_CFG_BOOT_MENU, pc->c.boot_menu, 2);
    return err ? err : add_e820(pc);
}

static void setup_pics(struct pc *pc)
{
    static const struct {
        uint8_t port, value;
    } step[] = {{0x20, 0x11}, {0x21, 0x08}, {0x21, 4}, {0x21, 1},    {0xa0, 0x11},
                {0xa1, 0x70}, {0xa1, 2},    {0xa1, 1}, {0x21, 0xff}, {0xa1, 0xff}};
    for (unsigned i = 0; i < ARRAY_LEN(step); i++)
        bus_out(pc->bus, step[i].port, 1, step[i].value);
}

/* Counter 0 at 18.2 Hz, as firmware leaves it. */
static void setup_timer(struct pc *pc)
{
    bus_out(pc->bus, 0x43, 1, 0x34);
    bus_out(pc->bus, 0x40, 1, 0);
    bus_out(pc->bus, 0x40, 1, 0);
}

static void route_pirqs(struct pc *pc)
{
    for (unsigned i = 0; i < 4; i++) {
        bus_out(pc->bus, 0xcf8, 4, 0x80000800 | 0x60);
        bus_out(pc->bus, 0xcfc + i, 1, pc_pirq_irq[i]);
    }
    bus_out(pc->bus, 0x4d1, 1, 1u << (10 - 8) | 1u << (11 - 8) | 1u << (PM_SCI - 8));
}

static void setup_board(struct pc *pc)
{
    setup_pics(pc);
    setup_timer(pc);
    if (!pc->pci)
        return;
    host_bridge_open_shadow(pc->bridge);
    pci_assign(pc->pci, pc_pirq_irq);
    pm_enable(pc->pm);
    route_pirqs(pc);
    vga_enter_text_mode(pc->vga);
}

static void set_segment(struct cpu *cpu, unsigned seg, uint16_t selector, uint16_t attr)
{
    cpu->seg[seg] =
        (struct cpu_seg){.selector = selector, .attr = attr, .base = 0, .limit = UINT32_MAX};
}

static void enter(struct cpu *cpu, const struct kernel_start *start)
{
    cpu->sys.cr0 |= CR0_PE;
    cpu->sys.gdt = (struct cpu_table){.base = start->gdt, .limit = start->gdt ? 31 : 0};
    for (unsigned seg = 0; seg < 6; seg++)
        set_segment(cpu, seg, seg == ISA_CS ? 0x10 : 0x18, seg == ISA_CS ? 0xcf9b : 0xcf93);
    memset(cpu->gpr, 0, sizeof(cpu->gpr));
    cpu->gpr[ISA_EAX] = start->eax;
    cpu->gpr[ISA_EBX] = start->ebx;
    cpu->gpr[ISA_ESI] = start->esi;
    cpu->gpr[ISA_ESP] = start->esp;
    cpu->eip = start->eip;
    cpu->eflags = 2;
    cpu->code32 = 1;
    cpu->cpl = 0;
    cpu_refresh(cpu);
}

int pc_boot_kernel(struct pc *pc, struct why *why)
{
    struct kernel_config config = *pc->c.kernel;
    struct kernel_start start;
    memcpy(config.pirq_irq, pc_pirq_irq, sizeof(config.pirq_irq));
    config.acpi = pc->pci != NULL;
    config.apic = pc->lapic != NULL;
    config.has_disk = pc->c.drive[0] != NULL;
    setup_board(pc);
    int err = kernel_load(&config, pc->ram, &start, why);
    if (!err)
        enter(pc->cpu, &start);
    return err;
}
