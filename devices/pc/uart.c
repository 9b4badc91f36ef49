/* SPDX-License-Identifier: MIT */
/*
 * 16550A after the data sheet. A byte that is written is sent at once: the
 * transmitter is always ready, for guests poll it and give up. Reception is not
 * paced: bytes come as the guest takes them, at most a FIFO full at a time.
 *
 * Invariant: `irq` is the level that the registers say (update), gated by OUT2
 * as a PC's card does.
 */
#include "devices/pc/uart.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#define FIFO 16u

enum { IER_RX = 1, IER_TX = 2, IER_LINE = 4, IER_MODEM = 8 };
enum { LSR_DATA = 1, LSR_OVERRUN = 2, LSR_BREAK = 0x10, LSR_THR = 0x20, LSR_IDLE = 0x40 };
enum { MCR_DTR = 1, MCR_RTS = 2, MCR_OUT1 = 4, MCR_OUT2 = 8, MCR_LOOP = 0x10 };
enum { MSR_CTS = 0x10, MSR_DSR = 0x20, MSR_RI = 0x40, MSR_DCD = 0x80 };
enum { LCR_BREAK = 0x40, LCR_DLAB = 0x80 };
enum { FCR_ENABLE = 1, FCR_CLEAR_RX = 2, FCR_CLEAR_TX = 4 };

struct uart {
    struct board_device dev;
    struct irq_line irq;
    struct serial_backend *serial;
    uint16_t divisor;
    uint8_t ier, fcr, lcr, mcr, scratch;
    uint8_t overrun, broke; /* line status to be told */
    uint8_t thr_event;      /* the holding register became empty and nobody was told */
    uint8_t msr_delta, msr_lines;
    uint8_t first, count; /* of what was received */
    uint8_t fifo[FIFO];
};

static struct uart *self(struct board_device *dev)
{
    return CONTAINER_OF(dev, struct uart, dev);
}

static unsigned depth(const struct uart *u)
{
    return u->fcr & FCR_ENABLE ? FIFO : 1;
}

/* What is received but below the trigger is told as the character timeout would, at once. */
static unsigned identify(const struct uart *u)
{
    static const uint8_t trigger[] = {1, 4, 8, 14};
    bool fifo = u->fcr & FCR_ENABLE;
    if ((u->ier & IER_LINE) && (u->overrun || u->broke))
        return 6;
    if ((u->ier & IER_RX) && u->count)
        return fifo && u->count < trigger[u->fcr >> 6] ? 12 : 4;
    if ((u->ier & IER_TX) && u->thr_event)
        return 2;
    if ((u->ier & IER_MODEM) && u->msr_delta)
        return 0;
    return 1;
}

static void update(struct uart *u)
{
    bool gate = (u->mcr & (MCR_OUT2 | MCR_LOOP)) == MCR_OUT2;
    irq_set(&u->irq, gate && identify(u) != 1);
}

static void receive(struct uart *u, uint8_t byte)
{
    if (u->count == depth(u)) {
        u->overrun = 1;
        if (u->fcr & FCR_ENABLE)
            return; /* the FIFO keeps what it has */
        u->count = 0;
    }
    u->fifo[(u->first + u->count++) % FIFO] = byte;
}

/* Takes from the host what there is room for. */
static void fill(struct uart *u)
{
    uint8_t data[FIFO];
    if (!u->serial || (u->mcr & MCR_LOOP) || u->count == depth(u))
        return;
    size_t n = serial_read(u->serial, data, depth(u) - u->count);
    for (size_t i = 0; i < n; i++)
        receive(u, data[i]);
}

static uint8_t modem_lines(const struct uart *u)
{
    if (!(u->mcr & MCR_LOOP))
        return u->serial ? MSR_CTS | MSR_DSR | MSR_DCD : 0;
    return (uint8_t)((u->mcr & MCR_RTS ? MSR_CTS : 0) | (u->mcr & MCR_DTR ? MSR_DSR : 0) |
                     (u->mcr & MCR_OUT1 ? MSR_RI : 0) | (u->mcr & MCR_OUT2 ? MSR_DCD : 0));
}

/* Changes of the modem's lines become delta bits; of RI only its fall. */
static void sense_lines(struct uart *u)
{
    uint8_t now = modem_lines(u), change = now ^ u->msr_lines;
    if (now & MSR_RI)
        change &= (uint8_t)~MSR_RI;
    u->msr_delta |= change >> 4;
    u->msr_lines = now;
}

static uint8_t read_data(struct uart *u)
{
    if (!u->count)
        return 0;
    uint8_t byte = u->fifo[u->first];
    u->first = (u->first + 1) % FIFO;
    u->count--;
    if (!u->count)
        fill(u);
    return byte;
}

static uint8_t read_identity(struct uart *u)
{
    unsigned id = identify(u);
    if (id == 2)
        u->thr_event = 0;
    return (uint8_t)(id | (u->fcr & FCR_ENABLE ? 0xc0 : 0));
}

static uint8_t read_line_status(struct uart *u)
{
    if (!u->count)
        fill(u);
    uint8_t v = (uint8_t)(LSR_THR | LSR_IDLE | (u->count ? LSR_DATA : 0) |
                          (u->overrun ? LSR_OVERRUN : 0) | (u->broke ? LSR_BREAK : 0));
    u->overrun = u->broke = 0;
    return v;
}

static uint8_t read_modem_status(struct uart *u)
{
    uint8_t v = u->msr_lines | u->msr_delta;
    u->msr_delta = 0;
    return v;
}

static uint8_t read_register(struct uart *u, uint32_t offset)
{
    switch (offset) {
    case 0:
        return u->lcr & LCR_DLAB ? (uint8_t)u->divisor : read_data(u);
    case 1:
        return u->lcr & LCR_DLAB ? (uint8_t)(u->divisor >> 8) : u->ier;
    case 2:
        return read_identity(u);
    case 3:
        return u->lcr;
    case 4:
        return u->mcr;
    case 5:
        return read_line_status(u);
    case 6:
        return read_modem_status(u);
    default:
        return u->scratch;
    }
}

static uint32_t uart_read(void *opaque, uint32_t offset, unsigned size)
{
    (void)size;
    uint8_t v = read_register(opaque, offset);
    update(opaque);
    return v;
}

static void send(struct uart *u, uint8_t byte)
{
    if (u->mcr & MCR_LOOP)
        receive(u, byte);
    else if (u->serial)
        serial_write(u->serial, &byte, 1);
    u->thr_event = 1;
}

static void write_fcr(struct uart *u, uint8_t v)
{
    if ((v ^ u->fcr) & FCR_ENABLE)
        v |= FCR_CLEAR_RX | FCR_CLEAR_TX;
    if (v & FCR_CLEAR_RX)
        u->count = 0;
    u->fcr = v & FCR_ENABLE ? v & 0xc9 : 0;
}

static void write_ier(struct uart *u, uint8_t v)
{
    if ((v & IER_TX) && !(u->ier & IER_TX))
        u->thr_event = 1; /* it is empty now, and that is told */
    u->ier = v & 15;
}

static void write_lcr(struct uart *u, uint8_t v)
{
    if ((u->mcr & MCR_LOOP) && (v & LCR_BREAK) && !(u->lcr & LCR_BREAK)) {
        u->broke = 1;
        receive(u, 0);
    }
    u->lcr = v;
}

static void write_register(struct uart *u, uint32_t offset, uint8_t v)
{
    bool dlab = u->lcr & LCR_DLAB;
    switch (offset) {
    case 0:
        if (dlab)
            u->divisor = (uint16_t)((u->divisor & 0xff00) | v);
        else
            send(u, v);
        break;
    case 1:
        if (dlab)
            u->divisor = (uint16_t)((u->divisor & 0xff) | v << 8);
        else
            write_ier(u, v);
        break;
    case 2:
        write_fcr(u, v);
        break;
    case 3:
        write_lcr(u, v);
        break;
    case 4:
        u->mcr = v & 0x1f;
        sense_lines(u);
        break;
    case 7:
        u->scratch = v;
        break;
    }
}

static void uart_write(void *opaque, uint32_t offset, unsigned size, uint32_t v)
{
    (void)size;
    write_register(opaque, offset, (uint8_t)v);
    update(opaque);
}

static const struct bus_ops uart_ops = {uart_read, uart_write, 1};

static void uart_reset(struct board_device *dev)
{
    struct uart *u = self(dev);
    *u = (struct uart){.dev = u->dev, .irq = u->irq, .serial = u->serial, .divisor = 12};
    u->msr_lines = modem_lines(u);
    update(u);
}

static void uart_destroy(struct board_device *dev)
{
    free(self(dev));
}

static int uart_poll_fd(const struct board_device *dev, unsigned which, short *events)
{
    const struct uart *u = CONTAINER_OF(dev, const struct uart, dev);
    bool wants = u->count < depth(u) && !(u->mcr & MCR_LOOP);
    return which || !u->serial ? -1 : serial_poll_fd(u->serial, wants, events);
}

static void uart_ready(struct board_device *dev)
{
    struct uart *u = self(dev);
    serial_flush(u->serial);
    fill(u);
    update(u);
}

static const struct state_field fields[] = {
    STATE_U(struct uart, divisor),   STATE_U(struct uart, ier),
    STATE_U(struct uart, fcr),       STATE_U(struct uart, lcr),
    STATE_U(struct uart, mcr),       STATE_U(struct uart, scratch),
    STATE_U(struct uart, overrun),   STATE_U(struct uart, broke),
    STATE_U(struct uart, thr_event), STATE_U(struct uart, msr_delta),
    STATE_U(struct uart, msr_lines), STATE_U(struct uart, first),
    STATE_U(struct uart, count),     STATE_RAW(struct uart, fifo),
};
static const struct state_list state = {"uart", 1, ARRAY_LEN(fields), fields};

static bool uart_valid(const struct board_device *dev)
{
    const struct uart *u = CONTAINER_OF(dev, const struct uart, dev);
    return u->first < FIFO && u->count <= depth(u);
}

static void uart_loaded(struct board_device *dev)
{
    update(self(dev));
}

static const struct board_device_ops ops = {.name = "uart",
                                            .reset = uart_reset,
                                            .destroy = uart_destroy,
                                            .state = &state,
                                            .valid = uart_valid,
                                            .loaded = uart_loaded,
                                            .poll_fd = uart_poll_fd,
                                            .ready = uart_ready};

int uart_create(struct board *board, uint16_t base, struct irq_line irq,
                struct serial_backend *serial)
{
    struct uart *u = calloc(1, sizeof(*u));
    if (!u)
        return -ENOMEM;
    u->dev.ops = &ops;
    u->irq = irq;
    u->serial = serial;
    board_add(board, &u->dev);
    uart_reset(&u->dev);
    return bus_add_ports(board->bus, "uart", base, 8, &uart_ops, u);
}
