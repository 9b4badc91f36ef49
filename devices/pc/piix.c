/* SPDX-License-Identifier: MIT */
/*
 * PIIX3: routes the four PCI interrupt wires to ISA interrupts (registers 60h to 63h). Each ISA
 * line is up while any wire that is routed to it is.
 *
 * PIIX4 power management: PM1 status, enable and control, the 3.579545 MHz timer, a GPE block
 * without events, the APM ports by which a guest switches ACPI on.
 */
#include "devices/pc/chipset.h"

#include <errno.h>
#include <stdlib.h>

#define PM_HZ 3579545u
enum { ROUTE = 0x60 };

struct piix3 {
    struct board_device dev;
    struct pci_function function;
    struct irq_line irq[16];
    uint8_t level[4];
};

static bool routed_level(const struct piix3 *p, unsigned irq)
{
    bool level = false;
    for (unsigned i = 0; i < 4; i++)
        level |= p->level[i] && p->function.config[ROUTE + i] == irq;
    return level;
}

static void set_pirq(void *opaque, unsigned pirq, bool level)
{
    struct piix3 *p = opaque;
    uint8_t route = p->function.config[ROUTE + pirq];
    p->level[pirq] = level;
    if (route < 16) /* bit 7: not routed */
        irq_set(&p->irq[route], routed_level(p, route));
}

/* Lines that nobody is routed to any more fall; the others follow. */
static void piix3_written(struct pci_function *f, unsigned at, unsigned size)
{
    struct piix3 *p = CONTAINER_OF(f, struct piix3, function);
    if (at > ROUTE + 3 || at + size <= ROUTE)
        return;
    for (unsigned irq = 3; irq < 16; irq++) {
        if (p->irq[irq].set && ((1u << irq) & 0xdef8))
            irq_set(&p->irq[irq], routed_level(p, irq));
    }
}

static void piix3_destroy(struct board_device *dev)
{
    free(CONTAINER_OF(dev, struct piix3, dev));
}

static const struct state_field piix3_fields[] = {
    {"config", offsetof(struct piix3, function.config), 256, 1, STATE_BYTES, 0},
    STATE_RAW(struct piix3, level)};
static const struct state_list piix3_state = {"piix3", 1, ARRAY_LEN(piix3_fields), piix3_fields};
static const struct board_device_ops piix3_ops = {
    .name = "piix3", .destroy = piix3_destroy, .state = &piix3_state};

int piix3_create(struct board *board, struct pci *pci, const struct irq_line irq[16],
                 struct piix3 **out)
{
    static const struct pci_identity identity = {.vendor = 0x8086,
                                                 .device = 0x7000,
                                                 .subsystem_vendor = 0x1af4,
                                                 .subsystem = 0x1100,
                                                 .class_code = 0x060100,
                                                 .header_type = 0x80};
    struct piix3 *p = calloc(1, sizeof(*p));
    if (!p)
        return -ENOMEM;
    p->dev.ops = &piix3_ops;
    for (unsigned i = 0; i < 16; i++)
        p->irq[i] = irq[i];
    board_add(board, &p->dev);
    pci_function_init(&p->function, &identity);
    for (unsigned i = 0; i < 4; i++) {
        p->function.config[ROUTE + i] = 0x80;
        p->function.writable[ROUTE + i] = 0x8f;
    }
    p->function.written = piix3_written;
    pci_add(pci, PCI_DEVFN(1, 0), &p->function);
    pci_set_router(pci, set_pirq, p);
    *out = p;
    return 0;
}

enum { PM_TMR = 1, PM_GBL = 0x20, PM_PWRBTN = 0x100, PM_RTC = 0x400, PM_WAKE = 0x8000 };
enum { CNT_SCI_EN = 1, CNT_SLP_EN = 0x2000 };
enum { ACPI_ON = 0xf1, ACPI_OFF = 0xf0 };

struct pm {
    struct board_device dev;
    struct board *board;
    struct pci_function function;
    struct bus_region *ports, *gpe;
    struct irq_line sci;
    struct clock_event *overflow;
    uint64_t seen_ticks; /* up to here overflows are in `status` */
    uint16_t status, enable, control;
    uint8_t apm[2];
};

static struct pm *pm_of(struct board_device *dev)
{
    return CONTAINER_OF(dev, struct pm, dev);
}

static uint64_t pm_ticks(const struct pm *pm)
{
    return board_ticks(board_now(pm->board), PM_HZ);
}

/* Bit 23 of the timer changed since we looked. */
static void note_overflow(struct pm *pm)
{
    uint64_t now = pm_ticks(pm);
    if (now >> 23 != pm->seen_ticks >> 23)
        pm->status |= PM_TMR;
    pm->seen_ticks = now;
}

static void update_sci(struct pm *pm)
{
    note_overflow(pm);
    bool wants = (pm->enable & PM_TMR) && !(pm->status & PM_TMR);
    uint64_t next = ((pm->seen_ticks >> 23) + 1) << 23;
    board_arm(pm->board, pm->overflow, wants ? board_ticks_ns(next, PM_HZ) : CLOCK_NEVER);
    irq_set(&pm->sci, (pm->control & CNT_SCI_EN) && (pm->status & pm->enable & 0x0521));
}

static void on_overflow(void *opaque, uint64_t now_ns)
{
    (void)now_ns;
    update_sci(opaque);
}

/* S5 is type 0, as SeaBIOS's and our own tables say. */
static void write_control(struct pm *pm, uint16_t v)
{
    pm->control = v & (uint16_t) ~(CNT_SLP_EN | CNT_SCI_EN);
    pm->control |= v & CNT_SCI_EN;
    if ((v & CNT_SLP_EN) && (v >> 10 & 7) == 0)
        board_ask(pm->board, BOARD_POWER_OFF, 0);
    update_sci(pm);
}

static uint32_t pm_read(void *opaque, uint32_t offset, unsigned size)
{
    struct pm *pm = opaque;
    (void)size;
    note_overflow(pm);
    switch (offset) {
    case 0:
        return pm->status;
    case 2:
        return pm->enable;
    case 4:
        return pm->control;
    case 8:
        return (uint32_t)(pm_ticks(pm) & 0xffffff);
    case 10:
        return (uint32_t)(pm_ticks(pm) >> 16 & 0xff);
    default:
        return 0;
    }
}

static void pm_write(void *opaque, uint32_t offset, unsigned size, uint32_t value)
{
    struct pm *pm = opaque;
    (void)size;
    note_overflow(pm);
    if (offset == 0)
        pm->status &= (uint16_t)~value;
    else if (offset == 2)
        pm->enable = value & 0x0521;
    else if (offset == 4)
        write_control(pm, (uint16_t)value);
    update_sci(pm);
}

/* The timer is read whole: two halves would tear. */
static uint32_t pm_read_sized(void *opaque, uint32_t offset, unsigned size)
{
    if (size == 4 && offset == 8)
        return pm_read(opaque, 8, 4);
    if (size == 1)
        return pm_read(opaque, offset & ~1u, 2) >> (8 * (offset & 1)) & 0xff;
    uint32_t low = pm_read(opaque, offset, 2) & 0xffff;
    return size == 2 ? low : low | pm_read(opaque, offset + 2, 2) << 16;
}

static void pm_write_sized(void *opaque, uint32_t offset, unsigned size, uint32_t value)
{
    struct pm *pm = opaque;
    if (size == 1) { /* one byte of a register; of the status only what is written is cleared */
        unsigned shift = 8 * (offset & 1);
        uint32_t other = (offset & ~1u) ? pm_read(pm, offset & ~1u, 2) & (0xff00u >> shift) : 0;
        pm_write(pm, offset & ~1u, 2, other | (value & 0xff) << shift);
        return;
    }
    pm_write(pm, offset, 2, value & 0xffff);
    if (size == 4)
        pm_write(pm, offset + 2, 2, value >> 16);
}

/* No general-purpose events: status and enable are zero. */
static uint32_t gpe_read(void *opaque, uint32_t offset, unsigned size)
{
    (void)opaque, (void)offset, (void)size;
    return 0;
}

static uint32_t apm_read(void *opaque, uint32_t offset, unsigned size)
{
    (void)size;
    return ((struct pm *)opaque)->apm[offset];
}

static void apm_write(void *opaque, uint32_t offset, unsigned size, uint32_t value)
{
    struct pm *pm = opaque;
    (void)size;
    pm->apm[offset] = (uint8_t)value;
    if (offset == 0 && value == ACPI_ON)
        pm->control |= CNT_SCI_EN;
    else if (offset == 0 && value == ACPI_OFF)
        pm->control &= (uint16_t)~CNT_SCI_EN;
    update_sci(pm);
}

static const struct bus_ops pm_ops = {pm_read_sized, pm_write_sized, 7};
static const struct bus_ops gpe_ops = {gpe_read, NULL, 7};
static const struct bus_ops apm_ops = {apm_read, apm_write, 1};

static void pm_written(struct pci_function *f, unsigned at, unsigned size)
{
    struct pm *pm = CONTAINER_OF(f, struct pm, function);
    uint32_t base = pci_get(f, 0x40, 4) & 0xffc0;
    (void)at, (void)size;
    if (base && (f->config[0x80] & 1))
        bus_region_map(pm->ports, base);
    else
        bus_region_unmap(pm->ports);
}

void pm_enable(struct pm *pm)
{
    pci_write(&pm->function, 0x40, 4, PM_BASE | 1);
    pci_write(&pm->function, 0x80, 1, 1);
}

void pm_press_power(struct pm *pm)
{
    pm->status |= PM_PWRBTN;
    update_sci(pm);
}

static void pm_reset(struct board_device *dev)
{
    struct pm *pm = pm_of(dev);
    pm->status = pm->enable = pm->control = 0;
    pm->apm[0] = pm->apm[1] = 0;
    pm->seen_ticks = pm_ticks(pm);
    update_sci(pm);
}

static void pm_destroy(struct board_device *dev)
{
    clock_event_destroy(pm_of(dev)->overflow);
    free(pm_of(dev));
}

static void pm_loaded(struct board_device *dev)
{
    update_sci(pm_of(dev));
}

static const struct state_field pm_fields[] = {
    {"config", offsetof(struct pm, function.config), 256, 1, STATE_BYTES, 0},
    STATE_U(struct pm, seen_ticks),
    STATE_U(struct pm, status),
    STATE_U(struct pm, enable),
    STATE_U(struct pm, control),
    STATE_RAW(struct pm, apm)};
static const struct state_list pm_state = {"pm", 1, ARRAY_LEN(pm_fields), pm_fields};
static const struct board_device_ops pm_device_ops = {.name = "pm",
                                                      .reset = pm_reset,
                                                      .destroy = pm_destroy,
                                                      .state = &pm_state,
                                                      .loaded = pm_loaded};

static int create_ports(struct pm *pm)
{
    struct bus_region_config config = {.name = "pm",
                                       .space = BUS_PORTS,
                                       .len = 64,
                                       .ops = &pm_ops,
                                       .opaque = pm,
                                       .priority = BUS_NORMAL};
    int err = bus_region_create(pm->board->bus, &config, &pm->ports);
    if (!err)
        err = bus_add_ports(pm->board->bus, "gpe", 0xafe0, 4, &gpe_ops, pm);
    if (!err)
        err = bus_add_ports(pm->board->bus, "apm", 0xb2, 2, &apm_ops, pm);
    return err;
}

int pm_create(struct board *board, struct pci *pci, struct irq_line sci, struct pm **out)
{
    static const struct pci_identity identity = {.vendor = 0x8086,
                                                 .device = 0x7113,
                                                 .subsystem_vendor = 0x1af4,
                                                 .subsystem = 0x1100,
                                                 .class_code = 0x068000,
                                                 .revision = 3,
                                                 .pin = 1};
    struct pm *pm = calloc(1, sizeof(*pm));
    if (!pm)
        return -ENOMEM;
    pm->dev.ops = &pm_device_ops;
    pm->board = board;
    pm->sci = sci;
    board_add(board, &pm->dev);
    *out = pm;
    pci_function_init(&pm->function, &identity);
    pci_put(&pm->function, 0x40, 4, 1);
    pm->function.writable[0x40] = 0xc0;
    pm->function.writable[0x41] = 0xff;
    pm->function.writable[0x80] = 1;
    /* APMC_EN as if firmware had set system management up: there is no such mode here. */
    pm->function.config[0x5b] = 2;
    pm->function.written = pm_written;
    pci_add(pci, PCI_DEVFN(1, 3), &pm->function);
    int err = board_event(board, "pm", on_overflow, pm, &pm->overflow);
    if (!err)
        err = create_ports(pm);
    if (!err)
        pm_reset(&pm->dev);
    return err;
}
