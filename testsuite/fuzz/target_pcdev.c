/* SPDX-License-Identifier: MIT */
/*
 * Every device of the PC by a guest that does what the input says: ports and device memory with
 * all sizes, PCI configuration, descriptors in RAM, time, keys, reset. The first byte chooses the
 * network card and the kind of machine.
 * fuzz: max_len=2048 rss=4096
 */
#include "devices/pc/i8042.h"
#include "devices/pc/machine_pc.h"
#include "devices/pc/vga.h"
#include "emu/cpu/engine.h"
#include "testsuite/fuzz/fuzz.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define OPS 400u
#define RAM_BYTES (2 * MIB)

/* Ports that lead somewhere: first and how many. */
static const struct {
    uint16_t first, count;
} ports[] = {{0x00, 32},   {0x20, 2},    {0x40, 4},     {0x60, 5},   {0x70, 8},    {0x80, 16},
             {0xa0, 2},    {0xb2, 2},    {0xc0, 32},    {0x170, 8},  {0x1ce, 4},   {0x1f0, 8},
             {0x2e8, 8},   {0x2f8, 8},   {0x300, 32},   {0x376, 1},  {0x3b0, 48},  {0x3f0, 8},
             {0x3f8, 8},   {0x402, 1},   {0x4d0, 2},    {0x510, 12}, {0x600, 64},  {0xae00, 24},
             {0xc000, 64}, {0xc040, 64}, {0xc080, 128}, {0xcf8, 8},  {0xb000, 64}, {0xe000, 64}};

/* Device memory: VGA, ROMs, PCI, APICs. */
static const uint32_t memory[] = {0xa0000,    0xb8000,    0xc0000,    0xe0000,    0xe0000000,
                                  0xf0000000, 0xfd000000, 0xfe000000, 0xfebf0000, 0xfec00000,
                                  0xfee00000, 0xfffc0000, 0x1000,     0x1ff000};

/* A card's other end: gives frames of any length, takes what is one. */
struct wire {
    struct net_backend base;
    unsigned waiting;
};

static int wire_send(struct net_backend *net, const void *frame, size_t len)
{
    static volatile uint8_t sum;
    (void)net;
    FUZZ_REQUIRE(len <= NET_FRAME_MAX);
    for (size_t i = 0; i < len; i++)
        sum = (uint8_t)(sum + ((const uint8_t *)frame)[i]);
    return 0;
}

static int wire_receive(struct net_backend *net, void *frame, size_t room)
{
    struct wire *w = CONTAINER_OF(net, struct wire, base);
    size_t len = 14 + w->waiting * 97u % 1501u;
    if (!w->waiting)
        return -EAGAIN;
    len = len < room ? len : room;
    memset(frame, w->waiting % 3 ? 0xff : 0x52, len);
    w->waiting--;
    return (int)len;
}

static int wire_fd(const struct net_backend *net)
{
    (void)net;
    return 0; /* nobody polls it here; see wakes() */
}

static void wire_destroy(struct net_backend *net)
{
    (void)net;
}

static const struct net_backend_ops wire_ops = {"fuzz", wire_send, wire_receive, wire_fd,
                                                wire_destroy};

struct world {
    struct engine *engine;
    struct medium *disk, *disc, *floppy, *virtio;
    struct serial_backend *serial;
};

/* Whatever is written to a medium is forgotten by the next input's: it is all zero to begin with,
 * and only where it is said to be a snapshot. */
static struct medium *make_medium(size_t bytes, bool readonly)
{
    char path[FUZZ_PATH], spec[64];
    struct medium *medium;
    struct why why;
    uint8_t *zero = calloc(bytes, 1);
    FUZZ_REQUIRE(zero);
    fuzz_file(zero, bytes, path);
    free(zero);
    strcpy(spec, path);
    FUZZ_REQUIRE(medium_open(spec, readonly, &medium, &why) == 0);
    return medium;
}

static struct world *the_world(void)
{
    static struct world w;
    struct why why;
    if (w.engine)
        return &w;
    FUZZ_REQUIRE(interp_create(&w.engine) == 0);
    w.disk = make_medium(256 * 1024, false);
    w.disc = make_medium(64 * 1024, true);
    w.floppy = make_medium(1440 * 1024, false);
    w.virtio = make_medium(64 * 1024, false);
    FUZZ_REQUIRE(serial_open("null", &w.serial, &why) == 0);
    return &w;
}

struct rig {
    struct pc *pc;
    struct bus *bus;
    struct board *board;
    struct wire wire;
};

static uint32_t number(struct fuzz_in *in)
{
    uint8_t v = fuzz_u8(in);
    return v < 0xc0   ? v
           : v < 0xe0 ? 0x1000u + (v & 31u) * 64
           : v < 0xf0 ? fuzz_u16(in)
                      : fuzz_u32(in);
}

static void op_port(struct rig *r, struct fuzz_in *in, bool out)
{
    uint8_t which = fuzz_u8(in), at = fuzz_u8(in);
    unsigned size = 1u << (at >> 6) % 3;
    uint16_t port = (uint16_t)(ports[which % ARRAY_LEN(ports)].first +
                               (at & 63) % ports[which % ARRAY_LEN(ports)].count);
    unsigned times = which >= 240 ? 256 : 1;
    if (port >= 0xf400 || (port >= 0xae00 && port < 0xae18 && out))
        times = 1;
    for (unsigned i = 0; i < times; i++) {
        if (out)
            bus_out(r->bus, port, size, i ? i : number(in));
        else
            (void)bus_in(r->bus, port, size);
    }
}

static void op_memory(struct rig *r, struct fuzz_in *in, bool write)
{
    uint32_t at = memory[fuzz_u8(in) % ARRAY_LEN(memory)] + fuzz_u16(in);
    unsigned size = 1u << fuzz_u8(in) % 3;
    if ((at & PAGE_MASK) + size > PAGE_SIZE)
        return;
    if (write)
        bus_write(r->bus, at, size, number(in));
    else
        (void)bus_read(r->bus, at, size);
}

static void op_ram(struct rig *r, struct fuzz_in *in)
{
    size_t got;
    uint32_t at = fuzz_u16(in);
    const uint8_t *bytes = fuzz_bytes(in, fuzz_u8(in) & 63, &got);
    bus_write_bytes(r->bus, at, bytes, got);
}

static void op_config(struct rig *r, struct fuzz_in *in)
{
    uint8_t devfn = fuzz_u8(in) & 63, at = fuzz_u8(in);
    bus_out(r->bus, 0xcf8, 4, 0x80000000u | (uint32_t)devfn << 8 | (at & 0xfcu));
    if (fuzz_u8(in) & 1)
        bus_out(r->bus, (uint16_t)(0xcfc + (at & 3)), 1u << at % 3, number(in));
    else
        (void)bus_in(r->bus, (uint16_t)(0xcfc + (at & 3)), 4);
}

static void op_time(struct rig *r, struct fuzz_in *in)
{
    uint64_t ns = (uint64_t)fuzz_u8(in) << 12, next;
    struct clock *clock = r->board->clock;
    uint64_t end = clock_now_ns(clock) + ns;
    for (unsigned n = 0; n < 100 && (next = clock_run_due(clock)) <= end; n++)
        clock_advance_ns(clock, next > clock_now_ns(clock) ? next - clock_now_ns(clock) : 0);
    if (clock_now_ns(clock) < end)
        clock_advance_ns(clock, end - clock_now_ns(clock));
}

/* As the machine's loop does it: who has something to be polled hears of it. */
static void wakes(struct rig *r)
{
    short events;
    for (struct board_device *d = r->board->first; d; d = d->next)
        if (d->ops->ready && d->ops->poll_fd &&
            (d->ops->poll_fd(d, 0, &events) >= 0 || d->ops->poll_fd(d, 1, &events) >= 0))
            d->ops->ready(d);
}

static void op_person(struct rig *r, struct fuzz_in *in)
{
    uint8_t v = fuzz_u8(in);
    struct i8042 *k = pc_i8042(r->pc);
    if (k && v & 1)
        (void)i8042_key(k, fuzz_u8(in), v & 2);
    else if (k)
        i8042_move(k, (int8_t)fuzz_u8(in), (int8_t)v, v & 3, v >> 3 & 7);
    r->wire.waiting = v >> 4;
    wakes(r);
}

static void op_interrupt(struct rig *r)
{
    struct irq_pin *pin = pc_processor(r->pc)->pc.pin;
    if (pin && pin->intr)
        (void)pin->ack(pin->opaque);
}

/* Text and picture of whatever mode the screen is in. */
static void look(struct rig *r)
{
    static char text[VGA_TEXT_MAX];
    static struct vga_picture picture;
    struct vga *vga = pc_vga(r->pc);
    if (!vga)
        return;
    if (!picture.pixel)
        picture.pixel = malloc(sizeof(uint32_t) * VGA_MAX_WIDTH * VGA_MAX_HEIGHT);
    FUZZ_REQUIRE(picture.pixel && vga_text(vga, text, sizeof(text)) <= sizeof(text));
    vga_draw(vga, &picture);
    FUZZ_REQUIRE(picture.width <= VGA_MAX_WIDTH && picture.height <= VGA_MAX_HEIGHT);
}

static void one(struct rig *r, struct fuzz_in *in)
{
    switch (fuzz_u8(in) & 15) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4:
        op_port(r, in, true);
        break;
    case 5:
    case 6:
        op_port(r, in, false);
        break;
    case 7:
        op_memory(r, in, true);
        break;
    case 8:
        op_memory(r, in, false);
        break;
    case 9:
        op_ram(r, in);
        break;
    case 10:
    case 11:
        op_config(r, in);
        break;
    case 12:
        op_time(r, in);
        break;
    case 13:
        op_person(r, in);
        break;
    case 14:
        op_interrupt(r);
        break;
    default:
        if (fuzz_u8(in) & 1)
            board_reset(r->board);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct world *w = the_world();
    struct fuzz_in in = {data, len};
    struct rig r = {.wire = {.base = {&wire_ops}}};
    struct why why = {""};
    uint8_t flags = fuzz_u8(&in);
    struct pc_config config = {.ram_bytes = RAM_BYTES,
                               .cpu = "max",
                               .engine = w->engine,
                               .isa = (flags & 7) == 7,
                               .deterministic = true,
                               .exit_port = true,
                               .drive = {w->disk, NULL, w->disc},
                               .is_cdrom = {false, false, true},
                               .floppy = {w->floppy},
                               .virtio_disk = w->virtio,
                               .virtio_console = w->serial,
                               .serial = {w->serial},
                               .debugcon = w->serial,
                               .net = &r.wire.base,
                               .nic = flags & 8 ? "ne2k" : "virtio",
                               .mac = {0x52, 0x54, 0, 1, 2, 3}};
    if (config.isa)
        config = (struct pc_config){.ram_bytes = RAM_BYTES,
                                    .cpu = "max",
                                    .engine = w->engine,
                                    .isa = true,
                                    .deterministic = true,
                                    .serial = {w->serial}};
    FUZZ_REQUIRE(pc_create(&config, &r.pc, &why) == 0);
    r.bus = pc_bus(r.pc);
    r.board = pc_board(r.pc);
    for (unsigned n = 0; in.left && n < OPS; n++)
        one(&r, &in);
    if (flags & 16)
        look(&r);
    pc_destroy(r.pc);
    return 0;
}
