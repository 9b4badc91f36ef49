/* SPDX-License-Identifier: MIT */
/* The MC146818 clock with its CMOS memory: 256 bytes, the upper half at ports 72h and 73h. */
#ifndef DENALI_PC_RTC_H
#define DENALI_PC_RTC_H

#include "devices/pc/board.h"

enum { RTC_BYTES = 256 };

struct rtc;

/* The first 14 bytes of `cmos` (NULL: zeroes) are the clock's registers and are not taken. */
MUST_CHECK int rtc_create(struct board *board, const uint8_t cmos[RTC_BYTES], struct irq_line irq8,
                          struct rtc **out);
/* CMOS memory as firmware finds it; `at` is 14 to 255. */
void rtc_set(struct rtc *rtc, unsigned at, uint8_t value);
/* All bytes as the guest would read them now. */
void rtc_dump(const struct rtc *rtc, uint8_t out[RTC_BYTES]);

#endif
