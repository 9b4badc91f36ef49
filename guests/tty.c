/* SPDX-License-Identifier: MIT */
/*
 * A person's terminal. Shows each byte of input in hexadecimal, and signals.
 * Arguments: "raw" (bytes as typed, no echo, no signals), "deaf" (no upcall).
 * Input q ends with status 3, f faults, s computes for ever.
 */
#include "guests/lib/guest.h"

GUEST_MANIFEST(1 << 20, {DENALI_DEV_CONSOLE, 0, "console"}, {DENALI_DEV_KEYBOARD, 0, "keyboard"});

static volatile uint32_t signals;

static void on_interrupt(uint32_t batch)
{
    if (batch & DENALI_IRQ_SIGNAL) {
        signals |= guest_regs.signals;
        guest_regs.signals = 0;
    }
}

static bool has_arg(const char *name)
{
    const char *s = (const char *)guest_regs.args_addr;
    for (uint32_t i = 0; i < guest_regs.args_count; i++, s += strlen(s) + 1) {
        if (!strcmp(s, name))
            return true;
    }
    return false;
}

static void set_mode(uint32_t mode)
{
    const volatile struct denali_device *keyboard = guest_need(DENALI_DEV_KEYBOARD, NULL);
    GUEST_CHECK(keyboard->flags & DENALI_DEVF_TTY);
    GUEST_CHECK_EQ(guest_out(keyboard->port + DENALI_PORT_MODE, 0x80000000u, 0, 0), DENALI_INVAL);
    GUEST_CHECK_EQ(guest_out(keyboard->port + DENALI_PORT_MODE, mode, 0, 0), 0);
}

static void show_signals(void)
{
    if (!signals)
        return;
    guest_print("signals %x\n", signals);
    signals = 0;
}

static void show_byte(char c)
{
    guest_print("<%02x>\n", (unsigned char)c);
    if (c == 'q')
        guest_terminate(3);
    if (c == 'f')
        *(volatile uint32_t *)0x5000 = 1;
    while (c == 's')
        show_signals();
}

int guest_main(void)
{
    char c;
    int32_t n;
    if (!has_arg("deaf"))
        guest_interrupts_on(on_interrupt);
    if (has_arg("raw"))
        set_mode(DENALI_TTY_NL_OUT);
    guest_print("ready %ux%u\n", guest_regs.console_columns, guest_regs.console_rows);
    for (;;) {
        while ((n = guest_read(&c, 1)) > 0)
            show_byte(c);
        if (n == DENALI_EOF)
            return 5;
        guest_regs.pending &= ~(uint32_t)(DENALI_IRQ_KEYBOARD | DENALI_IRQ_CONSOLE);
        guest_idle(UINT64_MAX);
        show_signals();
    }
}
