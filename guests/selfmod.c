/* SPDX-License-Identifier: MIT */
/*
 * A guest may write its own code: the next call runs what was written last,
 * also when the writer is the written block itself, and when code and data
 * share a page.
 */
#include "guests/lib/guest.h"

GUEST_MANIFEST(1 << 20, {DENALI_DEV_CONSOLE, 0, "console"});

/* A function to copy and to patch; the bytes of its constant begin at template_value. */
__asm__(".pushsection .text.template, \"ax\"\n"
        "template: movl $0x11111111, %eax\n"
        "template_value = . - 4\n"
        "ret\n"
        "template_end:\n"
        ".popsection");
extern char template[], template_value[], template_end[];

typedef uint32_t (*function)(void);

static uint8_t area[3 * 4096] __attribute__((aligned(4096)));

static void set(uint8_t *code, uint32_t value)
{
    memcpy(code + (template_value - template), &value, sizeof(value));
}

static function place(uint8_t *code)
{
    memcpy(code, template, (size_t)(template_end - template));
    return (function)(uintptr_t)code;
}

static void check_patch(uint8_t *code, unsigned rounds)
{
    function f = place(code);
    for (uint32_t i = 0; i < rounds; i++) {
        set(code, i);
        GUEST_CHECK_EQ(f(), i);
    }
}

/* Data beside the code changes with every call. */
static void check_shared_page(void)
{
    function f = place(area);
    volatile uint32_t *counter = (volatile uint32_t *)(area + 2048);
    set(area, 5);
    uint32_t sum = 0;
    for (uint32_t i = 0; i < 2000; i++) {
        *counter += 1;
        sum += f();
    }
    GUEST_CHECK_EQ(sum, 10000);
    GUEST_CHECK_EQ(*counter, 2000);
}

/* The store changes the instruction right after it. */
static uint32_t patch_next(uint32_t value)
{
    uint32_t result;
    __asm__ volatile("movl %1, 1f-4\n"
                     "jmp 2f\n" /* as the manual asks of code that changes itself */
                     "2: movl $0x22222222, %%eax\n"
                     "1:"
                     : "=&a"(result)
                     : "r"(value)
                     : "memory");
    return result;
}

static void check_own_block(void)
{
    for (uint32_t i = 0; i < 1000; i++)
        GUEST_CHECK_EQ(patch_next(i * 3), i * 3);
}

/* A disk or console cannot reach it, but a string move can: replace a whole page of code. */
static void check_page(void)
{
    static uint8_t copy[4096];
    for (uint32_t round = 0; round < 50; round++) {
        for (unsigned at = 0; at + 16 <= 4096; at += 16) {
            memcpy(copy + at, template, (size_t)(template_end - template));
            set(copy + at, round * 1000 + at);
        }
        memcpy(area, copy, 4096);
        for (unsigned at = 0; at + 16 <= 4096; at += 16)
            GUEST_CHECK_EQ(((function)(uintptr_t)(area + at))(), round * 1000 + at);
    }
}

int guest_main(void)
{
    check_patch(area, 3000);
    check_patch(area + 4096 - 3, 3000); /* the constant crosses a page */
    check_shared_page();
    check_own_block();
    check_page();
    guest_print("selfmod: ok\n");
    return 0;
}
