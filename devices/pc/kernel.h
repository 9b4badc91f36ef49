/* SPDX-License-Identifier: MIT */
/*
 * Starts kernels without firmware: Linux bzImage (boot protocol 2.02 and later, 32-bit entry)
 * and Multiboot 1; or has firmware start them: Linux of any protocol, by its real-mode code.
 * Everything is checked before it is believed; what is wrong is said in `why`.
 */
#ifndef DENALI_PC_KERNEL_H
#define DENALI_PC_KERNEL_H

#include "devices/pc/fw_cfg.h"
#include "emu/base/why.h"
#include "emu/machine/ram.h"

#define KERNEL_MAX_MODULES 32u

struct kernel_module {
    const uint8_t *data;
    size_t len;
    const char *text; /* its command line */
};

struct kernel_config {
    const char *name; /* for messages and the command line */
    const uint8_t *data;
    size_t len;
    const char *append;                              /* NULL: none */
    struct kernel_module module[KERNEL_MAX_MODULES]; /* Linux: the first is the initrd */
    unsigned modules;
    bool acpi;     /* the machine is what the ACPI tables describe */
    bool apic;     /* the processor has one */
    bool has_disk; /* a boot device is told */
    uint8_t pirq_irq[4];
};

/* How the processor is to begin: flat 32-bit protected mode, paging and interrupts off. */
struct kernel_start {
    uint32_t eip, eax, ebx, esi, esp;
    uint32_t gdt; /* of four entries; the code and data segments are 10h and 18h */
};

/* Puts it and what it needs into RAM. -ENOEXEC and `why`. */
MUST_CHECK int kernel_load(const struct kernel_config *config, struct ram *ram,
                           struct kernel_start *out, struct why *why);

/*
 * kernel_firmware.c. Wanted: its header tells of no 32-bit entry that may be used (protocols before
 * 2.10: what only looks like Linux stops there), or it is a zImage.
 */
bool kernel_wants_firmware(const struct kernel_config *config);
MUST_CHECK int kernel_give_to_firmware(const struct kernel_config *config, uint64_t ram_bytes,
                                       struct fw_cfg *cfg, struct why *why);

/* kernel_linux.c, kernel_multiboot.c */
bool kernel_is_linux(const struct kernel_config *config);
int kernel_load_linux(const struct kernel_config *config, struct ram *ram, struct kernel_start *out,
                      struct why *why);
/* Offset of the header in the file, or -1. */
int64_t kernel_find_multiboot(const struct kernel_config *config);
int kernel_load_multiboot(const struct kernel_config *config, struct ram *ram,
                          struct kernel_start *out, struct why *why);

/* The memory map that both are told. */
enum { KERNEL_RAM = 1, KERNEL_RESERVED = 2, KERNEL_ACPI = 3 };
struct kernel_range {
    uint64_t base, len;
    uint32_t type;
};
unsigned kernel_memory_map(uint64_t ram_bytes, struct kernel_range out[8]);

/* Where ACPI tables lie, and the rest of the ROM area. */
#define KERNEL_ACPI_BASE 0xe0000u
#define KERNEL_LOW_END 0x9fc00u

static inline uint32_t kernel_get(const uint8_t *at, unsigned bytes)
{
    uint32_t v = 0;
    for (unsigned i = 0; i < bytes; i++)
        v |= (uint32_t)at[i] << (8 * i);
    return v;
}
static inline void kernel_put(uint8_t *at, unsigned bytes, uint64_t v)
{
    for (unsigned i = 0; i < bytes; i++)
        at[i] = (uint8_t)(v >> (8 * i));
}

#endif
