/* SPDX-License-Identifier: MIT */
/* An image whose manifest asks for an ABI version that does not exist. */
#include "guests/lib/guest.h"

GUEST_MANIFEST_VERSION(99, 1 << 20, {DENALI_DEV_CONSOLE, 0, "console"});

int guest_main(void)
{
    guest_print("manifest-version runs\n");
    return 0;
}
