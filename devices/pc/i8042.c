/* SPDX-License-Identifier: MIT */
/*
 * The controller between two devices and one output buffer.
 *
 * Invariant (update): the output buffer is filled as soon as it is free and
 * somebody has a byte and is not disabled; each interrupt line is up exactly while
 * the buffer holds a byte of its device and the command byte enables it.
 */
#include "devices/pc/i8042.h"

#include "devices/gate.h"

#include "devices/pc/ps2.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    STATUS_FULL = 1,
    STATUS_SYSTEM = 4,
    STATUS_COMMAND = 8,
    STATUS_OPEN = 0x10,
    STATUS_AUX = 0x20
};
enum {
    CB_IRQ1 = 1,
    CB_IRQ12 = 2,
    CB_SYSTEM = 4,
    CB_NO_KEYBOARD = 0x10,
    CB_NO_AUX = 0x20,
    CB_TRANSLATE = 0x40
};

struct i8042 {
    struct board_device dev;
    struct board *board;
    struct irq_line irq1, irq12;
    struct ps2_keyboard keyboard;
    struct ps2_mouse mouse;
    uint8_t ram[32]; /* [0]: the command byte */
    uint8_t pending; /* the command whose argument comes at port 60h; 0: none */
    uint8_t full, from_aux, output;
    uint8_t release;               /* F0h was seen by the translation */
    uint8_t reply_count, reply[4]; /* the controller's own answers: they go first */
    uint8_t last_was_command;
};

static struct i8042 *self(struct board_device *dev)
{
    return CONTAINER_OF(dev, struct i8042, dev);
}

static void put_output(struct i8042 *k, uint8_t byte, bool aux)
{
    k->output = byte;
    k->from_aux = aux;
    k->full = 1;
}

static void take_reply(struct i8042 *k)
{
    put_output(k, k->reply[0], false);
    memmove(k->reply, k->reply + 1, sizeof(k->reply) - 1);
    k->reply_count--;
}

static void take_keyboard(struct i8042 *k)
{
    uint8_t byte = ps2_take(&k->keyboard.queue);
    if (!(k->ram[0] & CB_TRANSLATE) || ps2_translate(&byte, &k->release))
        put_output(k, byte, false);
}

static void fill(struct i8042 *k)
{
    while (!k->full) {
        if (!(k->ram[0] & CB_NO_AUX) && !k->mouse.queue.count)
            ps2_mouse_report(&k->mouse);
        if (k->reply_count)
            take_reply(k);
        else if (k->keyboard.queue.count && !(k->ram[0] & CB_NO_KEYBOARD))
            take_keyboard(k);
        else if (k->mouse.queue.count && !(k->ram[0] & CB_NO_AUX))
            put_output(k, ps2_take(&k->mouse.queue), true);
        else
            return;
    }
}

static void update(struct i8042 *k)
{
    fill(k);
    irq_set(&k->irq1, k->full && !k->from_aux && (k->ram[0] & CB_IRQ1));
    irq_set(&k->irq12, k->full && k->from_aux && (k->ram[0] & CB_IRQ12));
}

static void reply(struct i8042 *k, uint8_t byte)
{
    if (k->reply_count < sizeof(k->reply))
        k->reply[k->reply_count++] = byte;
}

static uint8_t output_port(const struct i8042 *k)
{
    bool irq1 = k->full && !k->from_aux, irq12 = k->full && k->from_aux;
    return (uint8_t)(0xc1 | bus_a20(k->board->bus) << 1 | irq1 << 4 | irq12 << 5);
}

static void write_output_port(struct i8042 *k, uint8_t v)
{
    bus_set_a20(k->board->bus, v & 2);
    if (!(v & 1))
        board_ask(k->board, BOARD_RESET, 0);
}

static void command(struct i8042 *k, uint8_t v)
{
    k->pending = 0;
    switch (v) {
    case 0xa7:
        k->ram[0] |= CB_NO_AUX;
        break;
    case 0xa8:
        k->ram[0] &= (uint8_t)~CB_NO_AUX;
        break;
    case 0xa9:
    case 0xab: /* the wires are good */
        reply(k, 0);
        break;
    case 0xaa:
        k->ram[0] |= CB_SYSTEM;
        reply(k, 0x55);
        break;
    case 0xad:
        k->ram[0] |= CB_NO_KEYBOARD;
        break;
    case 0xae:
        k->ram[0] &= (uint8_t)~CB_NO_KEYBOARD;
        break;
    case 0xc0:
        reply(k, 0x80); /* the keyboard is not locked */
        break;
    case 0xd0:
        reply(k, output_port(k));
        break;
    case 0xd1:
    case 0xd2:
    case 0xd3:
    case 0xd4:
        k->pending = v;
        break;
    case 0xdd:
    case 0xdf:
        bus_set_a20(k->board->bus, v == 0xdf);
        break;
    default:
        if (v >= 0x20 && v < 0x40)
            reply(k, k->ram[v & 31]);
        else if (v >= 0x60 && v < 0x80)
            k->pending = v;
        else if (v >= 0xf0 && !(v & 1))
            board_ask(k->board, BOARD_RESET, 0);
    }
}

static void data(struct i8042 *k, uint8_t v)
{
    uint8_t to = k->pending;
    k->pending = 0;
    if (to >= 0x60 && to < 0x80)
        k->ram[to & 31] = v;
    else if (to == 0xd1)
        write_output_port(k, v);
    else if (to == 0xd2)
        reply(k, v);
    else if (to == 0xd3)
        put_output(k, v, true);
    else if (to == 0xd4)
        ps2_mouse_write(&k->mouse, v);
    else {
        k->ram[0] &= (uint8_t)~CB_NO_KEYBOARD;
        ps2_keyboard_write(&k->keyboard, v);
    }
}

static uint32_t data_read(void *opaque, uint32_t offset, unsigned size)
{
    struct i8042 *k = opaque;
    (void)offset, (void)size;
    uint8_t v = k->output;
    k->full = 0;
    irq_lower(&k->irq1); /* an edge for the next byte */
    irq_lower(&k->irq12);
    update(k);
    return v;
}

static void data_write(void *opaque, uint32_t offset, unsigned size, uint32_t v)
{
    struct i8042 *k = opaque;
    (void)offset, (void)size;
    k->last_was_command = 0;
    data(k, (uint8_t)v);
    update(k);
}

static uint32_t status_read(void *opaque, uint32_t offset, unsigned size)
{
    const struct i8042 *k = opaque;
    (void)offset, (void)size;
    uint8_t v = STATUS_OPEN | (k->ram[0] & CB_SYSTEM);
    if (k->full)
        v |= k->from_aux ? STATUS_FULL | STATUS_AUX : STATUS_FULL;
    return k->last_was_command ? v | STATUS_COMMAND : v;
}

static void status_write(void *opaque, uint32_t offset, unsigned size, uint32_t v)
{
    struct i8042 *k = opaque;
    (void)offset, (void)size;
    k->last_was_command = 1;
    command(k, (uint8_t)v);
    update(k);
}

static uint32_t port92_read(void *opaque, uint32_t offset, unsigned size)
{
    (void)offset, (void)size;
    return (uint32_t)bus_a20(((struct i8042 *)opaque)->board->bus) << 1;
}

static void port92_write(void *opaque, uint32_t offset, unsigned size, uint32_t v)
{
    struct i8042 *k = opaque;
    (void)offset, (void)size;
    bus_set_a20(k->board->bus, v & 2);
    if (v & 1)
        board_ask(k->board, BOARD_RESET, 0);
}

bool i8042_key(struct i8042 *k, unsigned key, bool down)
{
    struct gate_event e = {.kind = GATE_KEY, .a = (int64_t)key * 2 + down};
    if (!gate_arrives(k->board->gate, &e))
        return true;
    bool taken = ps2_keyboard_key(&k->keyboard, key, down);
    update(k);
    return taken;
}

void i8042_move(struct i8042 *k, int right, int down, int wheel, unsigned buttons)
{
    const int32_t moved[4] = {right, down, wheel, (int32_t)buttons};
    struct gate_event e = {.kind = GATE_MOUSE, .data = moved, .len = sizeof(moved)};
    if (!gate_arrives(k->board->gate, &e))
        return;
    ps2_mouse_move(&k->mouse, right, down, wheel, buttons);
    update(k);
}

unsigned i8042_key_of(uint32_t character)
{
    static const struct {
        const char *plain, *shifted;
        uint8_t first;
    } row[] = {{"1234567890-=\b\t", "!@#$%^&*()_+\b\t", 0x02},
               {"qwertyuiop[]\n", "QWERTYUIOP{}\n", 0x10},
               {"asdfghjkl;'`", "ASDFGHJKL:\"~", 0x1e},
               {"\\zxcvbnm,./", "|ZXCVBNM<>?", 0x2b},
               {" ", " ", 0x39},
               {"\033", "\033", 0x01}};
    if (character == '\r')
        character = '\n';
    for (unsigned i = 0; character && character < 128 && i < ARRAY_LEN(row); i++) {
        const char *at = strchr(row[i].plain, (int)character);
        if (at)
            return row[i].first + (unsigned)(at - row[i].plain);
        at = strchr(row[i].shifted, (int)character);
        if (at)
            return (row[i].first + (unsigned)(at - row[i].shifted)) | I8042_SHIFT;
    }
    return 0;
}

static const struct bus_ops data_ops = {data_read, data_write, 1};
static const struct bus_ops status_ops = {status_read, status_write, 1};
static const struct bus_ops port92_ops = {port92_read, port92_write, 1};

static void i8042_reset(struct board_device *dev)
{
    struct i8042 *k = self(dev);
    ps2_keyboard_reset(&k->keyboard);
    ps2_mouse_reset(&k->mouse);
    memset(k->ram, 0, sizeof(k->ram));
    k->ram[0] = CB_IRQ1 | CB_IRQ12 | CB_SYSTEM | CB_TRANSLATE;
    k->pending = k->full = k->from_aux = k->output = k->release = 0;
    k->reply_count = k->last_was_command = 0;
    bus_set_a20(k->board->bus, true);
    update(k);
}

static void i8042_destroy(struct board_device *dev)
{
    free(self(dev));
}

static bool i8042_valid(const struct board_device *dev)
{
    const struct i8042 *k = CONTAINER_OF(dev, const struct i8042, dev);
    return ps2_valid(&k->keyboard.queue) && ps2_mouse_valid(&k->mouse) &&
           k->reply_count <= sizeof(k->reply);
}

static void i8042_loaded(struct board_device *dev)
{
    update(self(dev));
}

static const struct state_field fields[] = {
    STATE_RAW(struct i8042, keyboard),
    STATE_RAW(struct i8042, mouse),
    STATE_RAW(struct i8042, ram),
    STATE_U(struct i8042, pending),
    STATE_U(struct i8042, full),
    STATE_U(struct i8042, from_aux),
    STATE_U(struct i8042, output),
    STATE_U(struct i8042, release),
    STATE_U(struct i8042, reply_count),
    STATE_RAW(struct i8042, reply),
    STATE_U(struct i8042, last_was_command),
};
static const struct state_list state = {"i8042", 1, ARRAY_LEN(fields), fields};
static const struct board_device_ops ops = {.name = "i8042",
                                            .reset = i8042_reset,
                                            .destroy = i8042_destroy,
                                            .state = &state,
                                            .valid = i8042_valid,
                                            .loaded = i8042_loaded};

int i8042_create(struct board *board, struct irq_line irq1, struct irq_line irq12,
                 struct i8042 **out)
{
    struct i8042 *k = calloc(1, sizeof(*k));
    if (!k)
        return -ENOMEM;
    k->dev.ops = &ops;
    k->board = board;
    k->irq1 = irq1;
    k->irq12 = irq12;
    board_add(board, &k->dev);
    i8042_reset(&k->dev);
    *out = k;
    int err = bus_add_ports(board->bus, "keyboard", 0x60, 1, &data_ops, k);
    if (!err)
        err = bus_add_ports(board->bus, "keyboard", 0x64, 1, &status_ops, k);
    return err ? err : bus_add_ports(board->bus, "port92", 0x92, 1, &port92_ops, k);
}
