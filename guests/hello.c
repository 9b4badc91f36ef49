/* SPDX-License-Identifier: MIT */
/* The smallest guest: says hello and ends with status 0. */
#include "guests/lib/guest.h"

GUEST_MANIFEST(1 << 20, {DENALI_DEV_CONSOLE, 0, "console"});

int guest_main(void)
{
    guest_print("Hello from a Denali virtual machine.\n");
    return 0;
}
