/* SPDX-License-Identifier: MIT */
/* Ends with the status that its first argument tells. */
#include "guests/lib/guest.h"

GUEST_MANIFEST(1 << 20, {DENALI_DEV_CONSOLE, 0, "console"});

int guest_main(void)
{
    GUEST_CHECK(guest_regs.args_count >= 2);
    const char *arg = (const char *)guest_regs.args_addr;
    arg += strlen(arg) + 1;
    unsigned status = 0;
    while (*arg)
        status = status * 10 + (unsigned)(*arg++ - '0');
    guest_terminate(status);
}
