/* SPDX-License-Identifier: MIT */
/* The keyboard, to its end: what is read is written, byte for byte. */
#include "guests/lib/guest.h"

GUEST_MANIFEST(1 << 20, {DENALI_DEV_CONSOLE, 0, "console"}, {DENALI_DEV_KEYBOARD, 0, "keyboard"});

int guest_main(void)
{
    static char buf[10000];
    int32_t got;
    while ((got = guest_read_wait(buf, sizeof(buf))) > 0)
        GUEST_CHECK_EQ(guest_write(1, buf, (uint32_t)got), got);
    GUEST_CHECK_EQ(got, DENALI_EOF);
    GUEST_CHECK_EQ(guest_read(buf, sizeof(buf)), DENALI_EOF);
    return 0;
}
