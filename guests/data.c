/* SPDX-License-Identifier: MIT */
/* Initialised data arrives as written, the rest is zero, and RAM beyond the image is zero. */
#include "guests/lib/guest.h"

GUEST_MANIFEST(4 << 20, {DENALI_DEV_CONSOLE, 0, "console"});

static const char constant[] = "constant";
static char initialised[5000] = {1, 2, 3, [4999] = 77};
static uint32_t zeroed[5000];
static const char *pointer = constant;

int guest_main(void)
{
    GUEST_CHECK(initialised[0] == 1 && initialised[2] == 3 && initialised[4999] == 77);
    for (unsigned i = 3; i < 4999; i++)
        GUEST_CHECK_EQ(initialised[i], 0);
    for (unsigned i = 0; i < 5000; i++)
        GUEST_CHECK_EQ(zeroed[i], 0);
    GUEST_CHECK_EQ(strcmp(pointer, "constant"), 0);
    initialised[1] = 9;
    zeroed[4999] = 9;
    GUEST_CHECK(initialised[1] == 9 && zeroed[4999] == 9);
    GUEST_CHECK_EQ(guest_regs.mem_bytes, 4 << 20);
    /* Arguments may lie anywhere in RAM; here there are only the image's name and no environment,
     * so all but a page of what follows the image is zero. */
    unsigned dirty = 0;
    for (char *page = __heap; (uint32_t)page < guest_regs.mem_bytes; page += 4096) {
        const uint32_t *word = (const uint32_t *)page;
        unsigned any = 0;
        for (unsigned i = 0; i < 1024; i++)
            any |= word[i];
        dirty += any != 0;
    }
    GUEST_CHECK(dirty <= 1);
    uint32_t *heap = (uint32_t *)__heap;
    *heap = 0x12345678;
    GUEST_CHECK_EQ(*heap, 0x12345678);
    guest_print("data: ok\n");
    return 0;
}
