/* SPDX-License-Identifier: MIT */
/*
 * Kernels without firmware: a bzImage or a Multiboot file, with modules and a command line, is
 * refused with a reason or put into the RAM.
 * fuzz: max_len=32768
 */
#include "devices/pc/kernel.h"
#include "testsuite/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#define MEMORY (4 * MIB)

static struct ram *the_ram(void)
{
    static struct ram *ram;
    if (!ram)
        FUZZ_REQUIRE(ram_create(MEMORY, &ram) == 0);
    return ram;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct fuzz_in in = {data, len};
    struct kernel_config config = {.name = "kernel", .append = "console=ttyS0 root=/dev/sda"};
    struct kernel_start start;
    struct why why = {""};
    uint8_t flags = fuzz_u8(&in);
    size_t module_len = fuzz_u8(&in);
    uint8_t *module = fuzz_exact(in.at, module_len < in.left ? module_len : in.left);
    (void)fuzz_bytes(&in, module_len, &module_len);
    uint8_t *kernel = fuzz_exact(in.at, in.left);
    config.data = kernel;
    config.len = in.left;
    config.modules = flags & 3;
    for (unsigned i = 0; i < config.modules; i++)
        config.module[i] = (struct kernel_module){module, module_len, "module"};
    config.acpi = flags & 4;
    config.apic = flags & 8;
    config.has_disk = flags & 16;
    if (kernel_load(&config, the_ram(), &start, &why)) {
        FUZZ_REQUIRE(why.text[0]);
    } else {
        FUZZ_REQUIRE(start.gdt < MEMORY);
    }
    FUZZ_REQUIRE(ram_discard(the_ram(), 0, MEMORY) == 0);
    free(kernel);
    free(module);
    return 0;
}
