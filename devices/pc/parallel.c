/* SPDX-License-Identifier: MIT */
/*
 * The parallel port of a PC with a printer at its end: data, status, control. The printer takes a
 * byte when the strobe falls (its bit in the control register rises), is ready for the next one at
 * once, and acknowledges with an interrupt if it may.
 *
 * Test programs without an operating system write bytes to the data port and nothing else. Until
 * the control register was written for the first time since the reset, each such byte is printed:
 * nobody there means to strobe. Drivers, and firmware that looks for the port, write it first.
 */
#include "devices/pc/parallel.h"

#include <errno.h>
#include <stdlib.h>

/* Control, as it is written; the wires of the first, second and fourth bit are inverted. */
enum { STROBE = 0x01, INIT = 0x04, SELECT = 0x08, IRQ_ENABLE = 0x10, INPUT = 0x20 };
#define CONTROL_ONES 0xc0u /* what no register is behind */
#define READY 0xdfu        /* neither busy nor out of paper, no error, selected */

struct parallel {
    struct board_device dev;
    struct irq_line irq;
    struct serial_backend *paper;
    uint8_t data, control;
    uint8_t driven; /* the control register was written */
};

static struct parallel *self(struct board_device *dev)
{
    return CONTAINER_OF(dev, struct parallel, dev);
}

static void print(struct parallel *p)
{
    serial_write(p->paper, &p->data, 1);
}

static uint32_t parallel_read(void *opaque, uint32_t offset, unsigned size)
{
    const struct parallel *p = opaque;
    (void)size;
    switch (offset) {
    case 0:
        return p->control & INPUT ? 0xff : p->data; /* a printer drives no data */
    case 1:
        return READY;
    default:
        return CONTROL_ONES | p->control;
    }
}

static void write_control(struct parallel *p, uint8_t v)
{
    uint8_t before = p->control;
    p->control = v & (uint8_t)~CONTROL_ONES;
    p->driven = 1;
    if ((v & STROBE) && !(before & STROBE) && (v & INIT) && !(v & INPUT))
        print(p);
    if (!(v & STROBE) && (before & STROBE) && (v & IRQ_ENABLE))
        irq_pulse(&p->irq);
}

static void parallel_write(void *opaque, uint32_t offset, unsigned size, uint32_t v)
{
    struct parallel *p = opaque;
    (void)size;
    if (offset == 0) {
        p->data = (uint8_t)v;
        if (!p->driven)
            print(p);
    } else if (offset == 2) {
        write_control(p, (uint8_t)v);
    }
}

static const struct bus_ops parallel_ops = {parallel_read, parallel_write, 1};

static void parallel_reset(struct board_device *dev)
{
    struct parallel *p = self(dev);
    p->data = 0;
    p->control = INIT | SELECT;
    p->driven = 0;
}

static void parallel_destroy(struct board_device *dev)
{
    free(self(dev));
}

static int parallel_poll_fd(const struct board_device *dev, unsigned which, short *events)
{
    const struct parallel *p = CONTAINER_OF(dev, const struct parallel, dev);
    return which ? -1 : serial_poll_fd(p->paper, false, events);
}

static void parallel_ready(struct board_device *dev)
{
    serial_flush(self(dev)->paper);
}

static const struct state_field fields[] = {STATE_U(struct parallel, data),
                                            STATE_U(struct parallel, control),
                                            STATE_U(struct parallel, driven)};
static const struct state_list state = {"parallel", 1, ARRAY_LEN(fields), fields};
static const struct board_device_ops ops = {.name = "parallel",
                                            .reset = parallel_reset,
                                            .destroy = parallel_destroy,
                                            .state = &state,
                                            .poll_fd = parallel_poll_fd,
                                            .ready = parallel_ready};

int parallel_create(struct board *board, uint16_t base, struct irq_line irq,
                    struct serial_backend *paper)
{
    struct parallel *p = calloc(1, sizeof(*p));
    if (!p)
        return -ENOMEM;
    p->dev.ops = &ops;
    p->irq = irq;
    p->paper = paper;
    board_add(board, &p->dev);
    parallel_reset(&p->dev);
    return bus_add_ports(board->bus, "parallel", base, 3, &parallel_ops, p);
}
