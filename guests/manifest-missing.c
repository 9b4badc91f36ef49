/* SPDX-License-Identifier: MIT */
/* An image whose manifest asks for a disk that the user must name, and an optional one that need
 * not exist. */
#include "guests/lib/guest.h"

GUEST_MANIFEST(1 << 20, {DENALI_DEV_CONSOLE, 0, "console"}, {DENALI_DEV_DISK, 0, "wanted"},
               {DENALI_DEV_DISK, DENALI_WANT_OPTIONAL, "extra"});

int guest_main(void)
{
    guest_print("manifest-missing runs\n");
    return 0;
}
