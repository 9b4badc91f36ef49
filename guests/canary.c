/* SPDX-License-Identifier: MIT */
/*
 * Memory that must stay as it was left. Arguments: PAGES ROUNDS PAUSE_US. Each page
 * is filled with numbers that follow from this VM's own random register, its place,
 * and how often it was written; each round checks all of them, writes a few anew,
 * and idles. Status 0: all were right in every round. ROUNDS 0: for ever; then each
 * key on the keyboard (if there is one) is answered with the rounds so far.
 */
#include "guests/lib/guest.h"

GUEST_MANIFEST(16 << 20, {DENALI_DEV_CONSOLE, 0, "console"},
               {DENALI_DEV_KEYBOARD, DENALI_WANT_OPTIONAL, "keyboard"});

#define MOST_PAGES 3500u
#define WORDS 1024u
#define REWRITTEN 8u /* every so manieth page, in turn */

static uint32_t page[MOST_PAGES][WORDS] __attribute__((aligned(4096)));
static uint32_t written[MOST_PAGES];
static uint32_t seed;

static uint32_t mix(uint32_t x)
{
    x = (x ^ x >> 16) * 0x7feb352du;
    x = (x ^ x >> 15) * 0x846ca68bu;
    return x ^ x >> 16;
}

static uint32_t first_word(uint32_t number)
{
    return mix(seed + number * 77731u + written[number] * 1000003u);
}

static void fill(uint32_t number)
{
    written[number]++;
    uint32_t x = first_word(number);
    for (uint32_t i = 0; i < WORDS; i++)
        page[number][i] = x = x * 1664525u + 1013904223u;
}

static void check(uint32_t number)
{
    uint32_t x = first_word(number);
    for (uint32_t i = 0; i < WORDS; i++)
        GUEST_CHECK_EQ(page[number][i], x = x * 1664525u + 1013904223u);
}

static uint32_t number_of(const char *text)
{
    uint32_t n = 0;
    while (*text >= '0' && *text <= '9')
        n = n * 10 + (uint32_t)(*text++ - '0');
    return n;
}

static uint32_t argument(unsigned index, uint32_t otherwise)
{
    const char *s = (const char *)guest_regs.args_addr;
    if (index >= guest_regs.args_count)
        return otherwise;
    while (index--)
        s += strlen(s) + 1;
    return number_of(s);
}

/* What has come is heard here: nobody idles beside a key that is pending. */
static void answer_keys(uint32_t round)
{
    char keys[64];
    __atomic_store_n(&guest_regs.pending, 0, __ATOMIC_SEQ_CST);
    if (guest_device(DENALI_DEV_KEYBOARD, NULL) && guest_read(keys, sizeof(keys)) > 0)
        guest_print("%u\n", round);
}

int guest_main(void)
{
    uint32_t pages = argument(1, 16), rounds = argument(2, 10), pause = argument(3, 1000);
    GUEST_CHECK(pages <= MOST_PAGES);
    seed = (uint32_t)guest_regs.random[0];
    for (uint32_t i = 0; i < pages; i++)
        fill(i);
    for (uint32_t round = 1; !rounds || round <= rounds; round++) {
        for (uint32_t i = 0; i < pages; i++)
            check(i);
        for (uint32_t i = round % REWRITTEN; i < pages; i += REWRITTEN)
            fill(i);
        answer_keys(round);
        guest_idle(pause * 1000ull);
    }
    return 0;
}
