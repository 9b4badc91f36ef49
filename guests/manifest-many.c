/* SPDX-License-Identifier: MIT */
/* An image whose manifest asks for one device more than a VM can have. */
#include "guests/lib/guest.h"

GUEST_MANIFEST(1 << 20, {DENALI_DEV_CONSOLE, 0, "d0"}, {DENALI_DEV_TIMER, 0, "d1"},
               {DENALI_DEV_TIMER, 0, "d2"}, {DENALI_DEV_TIMER, 0, "d3"},
               {DENALI_DEV_TIMER, 0, "d4"}, {DENALI_DEV_TIMER, 0, "d5"},
               {DENALI_DEV_TIMER, 0, "d6"}, {DENALI_DEV_TIMER, 0, "d7"},
               {DENALI_DEV_TIMER, 0, "d8"}, {DENALI_DEV_TIMER, 0, "d9"},
               {DENALI_DEV_TIMER, 0, "d10"}, {DENALI_DEV_TIMER, 0, "d11"},
               {DENALI_DEV_TIMER, 0, "d12"}, {DENALI_DEV_TIMER, 0, "d13"},
               {DENALI_DEV_TIMER, 0, "d14"}, {DENALI_DEV_TIMER, 0, "d15"},
               {DENALI_DEV_TIMER, 0, "d16"});

int guest_main(void)
{
    guest_print("manifest-many runs\n");
    return 0;
}
