/* SPDX-License-Identifier: MIT */
/*
 * MC146818A after its data sheet. The time of day is an offset to the board's
 * clock; the registers are made from it when they are read. While the guest
 * sets the time (SET), the registers are memory.
 *
 * Invariants: while SET is clear, `offset_s` tells the time; while it is set,
 * `ram[0..9]` does. `tick` is armed at the next full second exactly while somebody
 * could notice (update or alarm interrupts enabled, or their flags clear).
 */
#include "devices/pc/rtc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SECOND UINT64_C(1000000000)
#define UPDATE_NS 244000u /* update in progress is seen this long before the second */

enum { SECONDS = 0, S_ALARM, MINUTES, M_ALARM, HOURS, H_ALARM, WEEKDAY, DAY, MONTH, YEAR };
enum { A = 10, B, C, D, CENTURY = 0x32 };
enum { B_SET = 0x80, B_PIE = 0x40, B_AIE = 0x20, B_UIE = 0x10, B_BINARY = 0x04, B_24H = 0x02 };
enum { C_IRQ = 0x80, C_PF = 0x40, C_AF = 0x20, C_UF = 0x10 };

struct rtc {
    struct board_device dev;
    struct board *board;
    struct irq_line irq8;
    struct clock_event *tick, *periodic;
    int64_t offset_s;
    uint64_t period_start_ns;
    uint8_t index, index_high;
    uint8_t ram[RTC_BYTES];
};

static struct rtc *self(struct board_device *dev)
{
    return CONTAINER_OF(dev, struct rtc, dev);
}

struct date {
    int64_t year;
    unsigned month, day, hour, minute, second, weekday; /* month, day, weekday from 1 */
};

/* Days of the civil calendar since 1970, by years that begin in March. */
static int64_t days_from_date(int64_t year, unsigned month, unsigned day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t of_era = year - era * 400;
    int64_t of_year = (153 * ((int64_t)month + (month > 2 ? -3 : 9)) + 2) / 5 + (int64_t)day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static struct date date_from_seconds(int64_t s)
{
    int64_t days = s / 86400, rest = s % 86400;
    if (rest < 0) {
        rest += 86400;
        days--;
    }
    int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t of_era = z - era * 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t m = (5 * of_year + 2) / 153;
    struct date d = {.day = (unsigned)(of_year - (153 * m + 2) / 5 + 1),
                     .month = (unsigned)(m < 10 ? m + 3 : m - 9),
                     .hour = (unsigned)(rest / 3600),
                     .minute = (unsigned)(rest / 60 % 60),
                     .second = (unsigned)(rest % 60)};
    d.year = year + era * 400 + (d.month <= 2);
    d.weekday = (unsigned)(((days + 4) % 7 + 7) % 7 + 1);
    return d;
}

static uint8_t pack(const struct rtc *rtc, unsigned n)
{
    return (uint8_t)(rtc->ram[B] & B_BINARY ? n : (n / 10 % 10) << 4 | n % 10);
}

static unsigned unpack(const struct rtc *rtc, uint8_t v)
{
    return rtc->ram[B] & B_BINARY ? v : (v >> 4) * 10u + (v & 15u);
}

static uint8_t pack_hour(const struct rtc *rtc, unsigned hour)
{
    if (rtc->ram[B] & B_24H)
        return pack(rtc, hour);
    uint8_t v = pack(rtc, hour % 12 ? hour % 12 : 12);
    return hour >= 12 ? v | 0x80 : v;
}

static unsigned unpack_hour(const struct rtc *rtc, uint8_t v)
{
    if (rtc->ram[B] & B_24H)
        return unpack(rtc, v);
    return unpack(rtc, v & 0x7f) % 12 + (v & 0x80 ? 12 : 0);
}

static int64_t seconds_now(const struct rtc *rtc)
{
    return (int64_t)(board_now(rtc->board) / SECOND) + rtc->offset_s;
}

static void date_to_ram(const struct rtc *rtc, uint8_t *ram)
{
    struct date d = date_from_seconds(seconds_now(rtc));
    ram[SECONDS] = pack(rtc, d.second);
    ram[MINUTES] = pack(rtc, d.minute);
    ram[HOURS] = pack_hour(rtc, d.hour);
    ram[WEEKDAY] = pack(rtc, d.weekday);
    ram[DAY] = pack(rtc, d.day);
    ram[MONTH] = pack(rtc, d.month);
    ram[YEAR] = pack(rtc, (unsigned)(d.year % 100));
    ram[CENTURY] = pack(rtc, (unsigned)(d.year / 100 % 100));
}

static void date_from_ram(struct rtc *rtc)
{
    const uint8_t *ram = rtc->ram;
    unsigned month = unpack(rtc, ram[MONTH]);
    int64_t year = unpack(rtc, ram[CENTURY]) * 100 + unpack(rtc, ram[YEAR]);
    int64_t days =
        days_from_date(year, month >= 1 && month <= 12 ? month : 1, unpack(rtc, ram[DAY]));
    int64_t s = days * 86400 + unpack_hour(rtc, ram[HOURS]) * 3600 +
                unpack(rtc, ram[MINUTES]) * 60 + unpack(rtc, ram[SECONDS]);
    rtc->offset_s = s - (int64_t)(board_now(rtc->board) / SECOND);
}

static void update_irq(struct rtc *rtc)
{
    uint8_t *ram = rtc->ram;
    bool asks = ram[C] & ram[B] & (C_PF | C_AF | C_UF); /* flags and enables have the same bits */
    ram[C] = asks ? ram[C] | C_IRQ : ram[C] & (uint8_t)~C_IRQ;
    irq_set(&rtc->irq8, asks);
}

/* The divider runs at the usual base of 32768 Hz. */
static bool divider_runs(const struct rtc *rtc)
{
    return (rtc->ram[A] & 0x70) == 0x20;
}

static void arm_tick(struct rtc *rtc)
{
    const uint8_t *ram = rtc->ram;
    uint8_t wants = ram[B] & (B_AIE | B_UIE), quiet = ram[C] & (C_AF | C_UF);
    bool needed = !(ram[B] & B_SET) && divider_runs(rtc) && (wants || quiet != (C_AF | C_UF));
    uint64_t now = board_now(rtc->board);
    board_arm(rtc->board, rtc->tick, needed ? (now / SECOND + 1) * SECOND : CLOCK_NEVER);
}

static uint32_t periodic_hz(const struct rtc *rtc)
{
    unsigned rate = rtc->ram[A] & 15;
    if (!rate || !divider_runs(rtc))
        return 0;
    return rate <= 2 ? 32768u >> (rate + 6) : 32768u >> (rate - 1);
}

static void arm_periodic(struct rtc *rtc)
{
    uint32_t hz = periodic_hz(rtc);
    bool needed = hz && (rtc->ram[B] & B_PIE);
    if (!needed) {
        board_arm(rtc->board, rtc->periodic, CLOCK_NEVER);
        return;
    }
    uint64_t since = board_now(rtc->board) - rtc->period_start_ns;
    uint64_t next = board_ticks(since, hz) + 1;
    board_arm(rtc->board, rtc->periodic, rtc->period_start_ns + board_ticks_ns(next, hz));
}

static void on_periodic(void *opaque, uint64_t now_ns)
{
    struct rtc *rtc = opaque;
    (void)now_ns;
    rtc->ram[C] |= C_PF;
    update_irq(rtc);
    arm_periodic(rtc);
}

/* Alarm bytes from C0h on match everything. */
static bool alarm_byte(uint8_t alarm, uint8_t now)
{
    return alarm >= 0xc0 || alarm == now;
}

static void on_tick(void *opaque, uint64_t now_ns)
{
    struct rtc *rtc = opaque;
    uint8_t ram[RTC_BYTES];
    (void)now_ns;
    date_to_ram(rtc, ram);
    rtc->ram[C] |= C_UF;
    if (alarm_byte(rtc->ram[S_ALARM], ram[SECONDS]) &&
        alarm_byte(rtc->ram[M_ALARM], ram[MINUTES]) && alarm_byte(rtc->ram[H_ALARM], ram[HOURS]))
        rtc->ram[C] |= C_AF;
    update_irq(rtc);
    arm_tick(rtc);
}

static bool updating(const struct rtc *rtc)
{
    return !(rtc->ram[B] & B_SET) && divider_runs(rtc) &&
           board_now(rtc->board) % SECOND >= SECOND - UPDATE_NS;
}

static bool is_time(unsigned at)
{
    return at <= YEAR ? at != S_ALARM && at != M_ALARM && at != H_ALARM : at == CENTURY;
}

static uint8_t read_flags(struct rtc *rtc)
{
    uint8_t flags = rtc->ram[C];
    rtc->ram[C] = 0;
    update_irq(rtc);
    arm_tick(rtc);
    return flags;
}

static uint8_t rtc_get(struct rtc *rtc, unsigned at)
{
    uint8_t ram[RTC_BYTES];
    if (at == A)
        return (uint8_t)(rtc->ram[A] | updating(rtc) << 7);
    if (at == C)
        return read_flags(rtc);
    if (at == D)
        return 0x80; /* the battery is good */
    if (!is_time(at) || (rtc->ram[B] & B_SET))
        return rtc->ram[at];
    date_to_ram(rtc, ram);
    return ram[at];
}

static void write_b(struct rtc *rtc, uint8_t v)
{
    uint8_t was = rtc->ram[B];
    if ((v & B_SET) && !(was & B_SET))
        date_to_ram(rtc, rtc->ram);
    if (v & B_SET)
        v &= (uint8_t)~B_UIE;
    rtc->ram[B] = v;
    if (!(v & B_SET) && (was & B_SET))
        date_from_ram(rtc);
    if ((v & B_PIE) && !(was & B_PIE))
        rtc->period_start_ns = board_now(rtc->board);
    update_irq(rtc);
    arm_tick(rtc);
    arm_periodic(rtc);
}

static void rtc_put(struct rtc *rtc, unsigned at, uint8_t v)
{
    bool live = is_time(at) && !(rtc->ram[B] & B_SET);
    if (at == B) {
        write_b(rtc, v);
        return;
    }
    if (at == C || at == D)
        return;
    if (live)
        date_to_ram(rtc, rtc->ram);
    rtc->ram[at] = at == A ? v & 0x7f : v;
    if (live)
        date_from_ram(rtc);
    if (at == A) {
        rtc->period_start_ns = board_now(rtc->board);
        arm_tick(rtc);
        arm_periodic(rtc);
    }
}

/* 70h index, 71h data; 72h and 73h the same for the upper half. The top bit of 70h (NMI mask) is
 * nobody's here. */
static uint32_t cmos_read(void *opaque, uint32_t offset, unsigned size)
{
    struct rtc *rtc = opaque;
    (void)size;
    switch (offset) {
    case 1:
        return rtc_get(rtc, rtc->index);
    case 3:
        return rtc->ram[rtc->index_high];
    default:
        return offset ? rtc->index_high & 0x7f : 0xff; /* 70h is written only */
    }
}

static void cmos_write(void *opaque, uint32_t offset, unsigned size, uint32_t v)
{
    struct rtc *rtc = opaque;
    (void)size;
    if (offset == 0)
        rtc->index = v & 0x7f;
    else if (offset == 2)
        rtc->index_high = (uint8_t)(v | 0x80);
    else if (offset == 1)
        rtc_put(rtc, rtc->index, (uint8_t)v);
    else
        rtc->ram[rtc->index_high] = (uint8_t)v;
}

void rtc_set(struct rtc *rtc, unsigned at, uint8_t value)
{
    BUG_ON(at < 14 || at >= RTC_BYTES, "the clock's registers are not CMOS memory");
    rtc->ram[at] = value;
}

void rtc_dump(const struct rtc *rtc, uint8_t out[RTC_BYTES])
{
    memcpy(out, rtc->ram, RTC_BYTES);
    if (!(rtc->ram[B] & B_SET))
        date_to_ram(rtc, out);
}

static const struct bus_ops cmos_ops = {cmos_read, cmos_write, 1};

/* The battery keeps the time and the memory; reset clears the enables. */
static void rtc_reset(struct board_device *dev)
{
    struct rtc *rtc = self(dev);
    rtc->ram[B] &= (uint8_t) ~(B_PIE | B_AIE | B_UIE);
    rtc->ram[C] = 0;
    rtc->index = 0;
    update_irq(rtc);
    arm_tick(rtc);
    arm_periodic(rtc);
}

static void rtc_destroy(struct board_device *dev)
{
    struct rtc *rtc = self(dev);
    clock_event_destroy(rtc->tick);
    clock_event_destroy(rtc->periodic);
    free(rtc);
}

static void rtc_loaded(struct board_device *dev)
{
    arm_tick(self(dev));
    arm_periodic(self(dev));
}

static const struct state_field fields[] = {
    STATE_U(struct rtc, offset_s), STATE_U(struct rtc, period_start_ns),
    STATE_U(struct rtc, index),    STATE_U(struct rtc, index_high),
    STATE_RAW(struct rtc, ram),
};
static const struct state_list state = {"rtc", 1, ARRAY_LEN(fields), fields};
static const struct board_device_ops ops = {.name = "rtc",
                                            .reset = rtc_reset,
                                            .destroy = rtc_destroy,
                                            .state = &state,
                                            .loaded = rtc_loaded};

int rtc_create(struct board *board, const uint8_t cmos[RTC_BYTES], struct irq_line irq8,
               struct rtc **out)
{
    struct rtc *rtc = calloc(1, sizeof(*rtc));
    if (!rtc)
        return -ENOMEM;
    rtc->dev.ops = &ops;
    rtc->board = board;
    rtc->irq8 = irq8;
    board_add(board, &rtc->dev);
    if (cmos)
        memcpy(rtc->ram + D + 1, cmos + D + 1, RTC_BYTES - D - 1);
    rtc->ram[A] = 0x26; /* 32768 Hz, 1024 per second */
    rtc->ram[B] = B_24H;
    rtc->index_high = 0x80;
    rtc->offset_s = (int64_t)(board->wall_base_ns / SECOND);
    *out = rtc;
    int err = board_event(board, "rtc", on_tick, rtc, &rtc->tick);
    if (!err)
        err = board_event(board, "rtc-periodic", on_periodic, rtc, &rtc->periodic);
    if (err)
        return err;
    rtc_reset(&rtc->dev);
    return bus_add_ports(board->bus, "cmos", 0x70, 4, &cmos_ops, rtc);
}
