/* SPDX-License-Identifier: MIT */
/*
 * Which wire leads where. An ISA interrupt goes to the PIC's input and to the I/O
 * APIC's of the same number (the timer's to 2); PCI's four wires are routed to ISA
 * interrupts by the PIIX3. With a local APIC the PIC asks through it.
 */
#include "devices/pc/machine_pc_private.h"

#include "devices/pc/floppy.h"
#include "devices/pc/i8042.h"
#include "devices/pc/ide.h"
#include "devices/pc/ne2000.h"
#include "devices/pc/parallel.h"
#include "devices/pc/test_device.h"
#include "devices/pc/uart.h"
#include "devices/pc/vga.h"
#include "devices/pc/virtio.h"
#include "emu/cpu/model.h"

#include <errno.h>
#include <string.h>

const uint8_t pc_pirq_irq[4] = {10, 10, 11, 11};

static void isa_set(void *opaque, unsigned n, bool level)
{
    struct pc *pc = opaque;
    struct irq_line line = pic_line(pc->pic, n);
    irq_set(&line, level);
    if (!pc->ioapic)
        return;
    line = ioapic_line(pc->ioapic, n ? n : 2);
    irq_set(&line, level);
}

struct irq_line pc_isa_line(struct pc *pc, unsigned n)
{
    return (struct irq_line){isa_set, pc, n};
}

/* Without a local APIC the PIC drives the processor's pin itself. */
static void pin_set(void *opaque, unsigned number, bool level)
{
    struct pc *pc = opaque;
    (void)number;
    pc->pin.intr = level;
}

static uint8_t ack_pic(void *opaque)
{
    struct pc *pc = opaque;
    return pic_ack(pc->pic);
}

static void init_cpu(void *opaque)
{
    struct pc *pc = opaque;
    cpu_init_signal(pc->cpu);
}

static bool has_apic(const struct pc *pc)
{
    return !pc->c.isa && cpu_has(pc->cpu, CPU_F_APIC);
}

static int make_controllers(struct pc *pc)
{
    struct irq_line intr = {pin_set, pc, 0};
    int err = 0;
    pc->pin.ack = ack_pic;
    pc->pin.opaque = pc;
    if (has_apic(pc)) {
        struct lapic_config config = {.pin = &pc->pin,
                                      .ack_pic = ack_pic,
                                      .ack_opaque = pc,
                                      .init = init_cpu,
                                      .init_opaque = pc};
        err = lapic_create(&pc->board, &config, &pc->lapic);
        if (!err)
            err = ioapic_create(&pc->board, pc->lapic, &pc->ioapic);
        if (!err)
            intr = lapic_lint0(pc->lapic);
    }
    return err ? err : pic_create(&pc->board, true, intr, &pc->pic);
}

static int make_serials(struct pc *pc)
{
    static const uint16_t base[PC_SERIALS] = {0x3f8, 0x2f8, 0x3e8, 0x2e8};
    static const uint8_t irq[PC_SERIALS] = {4, 3, 4, 3};
    int err = 0;
    for (unsigned i = 0; !err && i < PC_SERIALS; i++) {
        if (pc->c.serial[i] || i == 0)
            err = uart_create(&pc->board, base[i], pc_isa_line(pc, irq[i]), pc->c.serial[i]);
    }
    return err;
}

/* Interrupt 7, but 5 for the second. */
static int make_parallels(struct pc *pc)
{
    int err = 0;
    for (unsigned i = 0; !err && i < PC_PARALLELS; i++) {
        const struct pc_parallel *p = &pc->c.parallel[i];
        if (p->paper)
            err = parallel_create(&pc->board, p->port, pc_isa_line(pc, p->port == 0x278 ? 5 : 7),
                                  p->paper);
    }
    return err;
}

/* The lines behind the PIC's are the I/O APIC's alone. */
static int make_test_device(struct pc *pc)
{
    struct irq_line line[TEST_DEVICE_LINES] = {{0}};
    for (unsigned i = 0; i < TEST_DEVICE_LINES; i++) {
        if (i < 16)
            line[i] = pc_isa_line(pc, i);
        else if (pc->ioapic)
            line[i] = ioapic_line(pc->ioapic, i);
    }
    return pc->c.exit_port ? test_device_create(&pc->board, line) : 0;
}

static int make_debug_ports(struct pc *pc)
{
    struct debug_ports_config config = {.exit_port = pc->c.exit_port, .debugcon = pc->c.debugcon};
    return debug_ports_create(&pc->board, &config, &pc->debug_ports);
}

static int make_chipset(struct pc *pc)
{
    struct irq_line isa[16];
    struct piix3 *piix3;
    for (unsigned i = 0; i < 16; i++)
        isa[i] = pc_isa_line(pc, i);
    int err = pci_create(&pc->board, &pc->pci);
    if (!err)
        err = host_bridge_create(&pc->board, pc->pci, pc->c.bios, pc->c.bios_len, &pc->bridge);
    if (!err)
        host_bridge_put_card_rom(pc->bridge, pc->c.vga_rom, pc->c.vga_rom_len);
    if (!err)
        err = piix3_create(&pc->board, pc->pci, isa, &piix3);
    if (!err)
        err = pm_create(&pc->board, pc->pci, isa[PM_SCI], &pc->pm);
    return err;
}

static int make_drives(struct pc *pc)
{
    struct ide_config config = {.irq14 = pc_isa_line(pc, 14), .irq15 = pc_isa_line(pc, 15)};
    for (unsigned i = 0; i < PC_DRIVES; i++)
        config.drive[i] =
            (struct ide_drive_config){.image = pc->c.drive[i], .cdrom = pc->c.is_cdrom[i]};
    return ide_create(&pc->board, pc->pci, &config);
}

static int make_floppies(struct pc *pc)
{
    struct floppy_config config = {.irq6 = pc_isa_line(pc, 6)};
    memcpy(config.medium, pc->c.floppy, sizeof(config.medium));
    int err = dma_create(&pc->board, &config.dma);
    return err ? err : floppy_create(&pc->board, &config);
}

/* Cards in slots from 3 on. */
static int make_cards(struct pc *pc)
{
    const struct pc_config *c = &pc->c;
    bool ne2000 = c->nic && !strcmp(c->nic, "ne2k");
    int err = 0;
    if (c->net && !ne2000)
        err = virtio_net_create(&pc->board, pc->pci, PCI_DEVFN(3, 0), c->net, c->mac);
    else if (c->net)
        err = ne2000_create(&pc->board, pc->pci, PCI_DEVFN(3, 0), c->net, c->mac);
    if (!err && c->virtio_disk)
        err = virtio_block_create(&pc->board, pc->pci, PCI_DEVFN(4, 0), c->virtio_disk);
    if (!err && c->virtio_console)
        err = virtio_console_create(&pc->board, pc->pci, PCI_DEVFN(5, 0), c->virtio_console);
    return err;
}

/* CMOS memory as an AT's firmware keeps it. */
static void fill_cmos(struct pc *pc)
{
    uint64_t ram = pc->c.ram_bytes, ext = (ram - MIB) >> 10;
    uint64_t high = ram > 16 * MIB ? (ram - 16 * MIB) >> 16 : 0;
    ext = ext > 0xffff ? 0xffff : ext;
    rtc_set(pc->rtc, 0x15, 640 & 0xff);
    rtc_set(pc->rtc, 0x16, 640 >> 8);
    for (unsigned i = 0; i < 2; i++) {
        rtc_set(pc->rtc, 0x17 + i, (uint8_t)(ext >> (8 * i)));
        rtc_set(pc->rtc, 0x30 + i, (uint8_t)(ext >> (8 * i)));
        rtc_set(pc->rtc, 0x34 + i, (uint8_t)(high >> (8 * i)));
    }
    uint8_t a = floppy_type(pc->c.floppy[0]), b = floppy_type(pc->c.floppy[1]);
    rtc_set(pc->rtc, 0x10, (uint8_t)(a << 4 | b));
    /* A coprocessor, a mouse, floppies and how many. */
    rtc_set(pc->rtc, 0x14, (uint8_t)(0x06 | (a || b) | (a && b) << 6));
    rtc_set(pc->rtc, 0x5f, 0); /* one processor */
}

static uint8_t boot_code(char drive)
{
    switch (drive) {
    case 'a':
        return 1;
    case 'c':
        return 2;
    case 'd':
        return 3;
    default:
        return drive == 'n' ? 4 : 0;
    }
}

/* SeaBIOS takes the order of boot from here: three nibbles. */
static void set_boot_order(struct pc *pc)
{
    const char *order = pc->c.boot && *pc->c.boot ? pc->c.boot : "cda";
    uint8_t code[3] = {0};
    for (unsigned i = 0; i < 3 && order[i]; i++)
        code[i] = boot_code(order[i]);
    rtc_set(pc->rtc, 0x3d, (uint8_t)(code[0] | code[1] << 4));
    rtc_set(pc->rtc, 0x38, (uint8_t)(code[2] << 4 | 1)); /* no check of a floppy's signature */
}

static int make_isa(struct pc *pc)
{
    int err = make_controllers(pc);
    if (!err)
        err = pit_create(&pc->board, pc_isa_line(pc, 0), &pc->pit);
    if (!err)
        err = make_serials(pc);
    if (!err)
        err = make_parallels(pc);
    if (!err)
        err = make_debug_ports(pc);
    return err ? err : make_test_device(pc);
}

static int make_whole(struct pc *pc)
{
    int err = rtc_create(&pc->board, pc->c.cmos, pc_isa_line(pc, 8), &pc->rtc);
    if (!err)
        err = i8042_create(&pc->board, pc_isa_line(pc, 1), pc_isa_line(pc, 12), &pc->i8042);
    if (!err)
        err = make_chipset(pc);
    if (!err)
        err = vga_create(&pc->board, pc->pci, PCI_DEVFN(2, 0), pc->c.vga_rom, pc->c.vga_rom_len,
                         &pc->vga);
    if (!err)
        err = make_drives(pc);
    if (!err)
        err = make_floppies(pc);
    if (!err)
        err = make_cards(pc);
    if (!err)
        err = fw_cfg_create(&pc->board, &pc->fw_cfg);
    if (!err)
        err = pc_add_firmware_files(pc);
    if (!err)
        fill_cmos(pc);
    if (!err)
        set_boot_order(pc);
    return err;
}

int pc_make_devices(struct pc *pc, struct why *why)
{
    int err = make_isa(pc);
    if (!err && !pc->c.isa)
        err = make_whole(pc);
    return err ? why_fail(why, err, "cannot make the PC's devices: %s", strerror(-err)) : 0;
}
