/* SPDX-License-Identifier: MIT */
/*
 * What public test suites for a PC's processor expect beside the exit port, as their host's test
 * device has it: a latch of four ports at E0h, a word at E4h that would drop a page's mapping
 * (nothing is to be dropped here), a port at 2000h + n that drives interrupt line n, and 64 KiB of
 * plain memory at FF000000h that is reached as a device's.
 */
#ifndef DENALI_PC_TEST_DEVICE_H
#define DENALI_PC_TEST_DEVICE_H

#include "devices/pc/board.h"

#define TEST_DEVICE_LINES 24u

/* `line[n]` as the I/O APIC counts; a zeroed one leads nowhere. */
MUST_CHECK int test_device_create(struct board *board,
                                  const struct irq_line line[TEST_DEVICE_LINES]);

#endif
