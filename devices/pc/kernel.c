/* SPDX-License-Identifier: MIT */
/* What both kinds of kernels share: the memory map, the ACPI tables, the segments. */
#include "devices/pc/kernel.h"

#include "devices/pc/acpi_tables.h"

#include <errno.h>
#include <string.h>

unsigned kernel_memory_map(uint64_t ram_bytes, struct kernel_range out[8])
{
    unsigned n = 0;
    out[n++] = (struct kernel_range){0, KERNEL_LOW_END, KERNEL_RAM};
    out[n++] = (struct kernel_range){KERNEL_LOW_END, 0xa0000 - KERNEL_LOW_END, KERNEL_RESERVED};
    out[n++] =
        (struct kernel_range){KERNEL_ACPI_BASE, 0x100000 - KERNEL_ACPI_BASE, KERNEL_RESERVED};
    if (ram_bytes > MIB)
        out[n++] = (struct kernel_range){MIB, ram_bytes - MIB, KERNEL_RAM};
    return n;
}

static int put_acpi(const struct kernel_config *c, struct ram *ram, struct why *why)
{
    static const size_t room = 0x10000;
    uint8_t *at = ram_span_write(ram, KERNEL_ACPI_BASE, room);
    struct acpi_config acpi = {.base = KERNEL_ACPI_BASE, .apic = c->apic};
    memcpy(acpi.pirq_irq, c->pirq_irq, sizeof(acpi.pirq_irq));
    BUG_ON(!at, "a PC has more than 1 MiB");
    if (!acpi_build(&acpi, at, room))
        return why_fail(why, -ENOSPC, "no room for ACPI tables");
    return 0;
}

/* The BIOS data area: base memory, and where the extended one begins. */
static int put_bios_data(struct ram *ram)
{
    uint8_t bda[2] = {(KERNEL_LOW_END >> 10) & 0xff, KERNEL_LOW_END >> 18};
    uint8_t ebda[2] = {(KERNEL_LOW_END >> 4) & 0xff, KERNEL_LOW_END >> 12};
    int err = ram_write(ram, 0x413, bda, 2);
    return err ? err : ram_write(ram, 0x40e, ebda, 2);
}

int kernel_load(const struct kernel_config *c, struct ram *ram, struct kernel_start *out,
                struct why *why)
{
    int err = put_bios_data(ram);
    memset(out, 0, sizeof(*out));
    if (!err && c->acpi)
        err = put_acpi(c, ram, why);
    if (err)
        return err;
    if (kernel_is_linux(c))
        return kernel_load_linux(c, ram, out, why);
    if (kernel_find_multiboot(c) >= 0)
        return kernel_load_multiboot(c, ram, out, why);
    return why_fail(why, -ENOEXEC, "%s is neither a Linux bzImage nor has it a Multiboot header",
                    c->name);
}
