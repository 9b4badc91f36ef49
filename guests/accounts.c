/* SPDX-License-Identifier: MIT */
/*
 * A guest with a planted bug, for docs/DEBUGGING.md and the debugger's tests: it
 * books amounts into accounts and finds at the end that money is missing.
 * remember() copies a memo that is longer than its place. Compiled without
 * optimization (testsuite/debug/rules.mk), so that each line is a stop.
 */
#include "guests/lib/guest.h"

GUEST_MANIFEST(1 << 20, {DENALI_DEV_CONSOLE, 0, "console"});

#define ACCOUNTS 4
#define MEMO 8

struct account {
    const char *name;
    int balance;
    unsigned bookings;
    char memo[MEMO]; /* of the last booking */
};

struct booking {
    unsigned account;
    int amount;
    const char *memo;
};

static struct account accounts[ACCOUNTS] = {
    {.name = "rent"}, {.name = "food"}, {.name = "books"}, {.name = "travel"}};

static const struct booking bookings[] = {
    {0, 700, "march"}, {1, 45, "bread"}, {2, 30, "novel"},          {1, 12, "milk"},
    {3, 90, "train"},  {1, 8, "tea"},    {2, 25, "dictionary abc"}, {0, 700, "april"},
};
#define BOOKINGS (sizeof(bookings) / sizeof(bookings[0]))

static void remember(struct account *account, const char *memo)
{
    char *to = account->memo;
    while ((*to++ = *memo++))
        ;
}

static int post(struct account *account, int amount, const char *memo)
{
    account->balance += amount;
    account->bookings++;
    remember(account, memo);
    return account->balance;
}

static int audit(void)
{
    int sum = 0;
    for (unsigned i = 0; i < ACCOUNTS; i++)
        sum += accounts[i].balance;
    return sum;
}

int guest_main(void)
{
    int expected = 0;
    for (unsigned i = 0; i < BOOKINGS; i++) {
        const struct booking *b = &bookings[i];
        expected += b->amount;
        post(&accounts[b->account], b->amount, b->memo);
    }
    int sum = audit();
    guest_print("booked %d, found %d\n", expected, sum);
    return sum != expected;
}
