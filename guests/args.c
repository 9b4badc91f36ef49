/* SPDX-License-Identifier: MIT */
/* Prints its arguments and environment, a line for each; the first argument is the image's name. */
#include "guests/lib/guest.h"

GUEST_MANIFEST(1 << 20, {DENALI_DEV_CONSOLE, 0, "console"});

static void print_strings(const char *what, uint32_t addr, uint32_t len, uint32_t count, bool first)
{
    const char *s = (const char *)addr;
    for (uint32_t i = 0; i < count; i++) {
        GUEST_CHECK((uint32_t)s < addr + len);
        if (i || first)
            guest_print("%s %u: %s\n", what, i, s);
        s += strlen(s) + 1;
    }
    GUEST_CHECK_EQ((uint32_t)s, addr + len);
}

int guest_main(void)
{
    GUEST_CHECK(guest_regs.args_count >= 1);
    print_strings("arg", guest_regs.args_addr, guest_regs.args_len, guest_regs.args_count, false);
    print_strings("env", guest_regs.env_addr, guest_regs.env_len, guest_regs.env_count, true);
    return 0;
}
