/* SPDX-License-Identifier: MIT */
/* An image whose manifest asks for a device named twice. */
#include "guests/lib/guest.h"

GUEST_MANIFEST(1 << 20, {DENALI_DEV_CONSOLE, 0, "one"}, {DENALI_DEV_TIMER, 0, "one"});

int guest_main(void)
{
    guest_print("manifest-twice runs\n");
    return 0;
}
