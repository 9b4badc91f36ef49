/* SPDX-License-Identifier: MIT */
/*
 * The ways in which guests have got out of other emulators' devices, each tried on
 * every device of ours that could have it: a test is called after its class. What a
 * sanitizer sees, it reports; without one, what may be read and where a write may
 * land is checked here.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dbt/dbt.h"
#include "devices/pc/i8042.h"
#include "devices/pc/vga.h"
#include "emu/cpu/cpu.h"
#include "testsuite/unit/board_rig.h"

#define RAM_BYTES (2 * MIB)
#define TOP 0xfffffff0u /* of the 32-bit space: the firmware's last bytes */

static struct board_rig rig;

/* A card's other end: frames of all sizes come; one that is none must not leave. */
struct wire {
    struct net_backend base;
    unsigned waiting, sent;
};

static int wire_send(struct net_backend *net, const void *frame, size_t len)
{
    struct wire *w = CONTAINER_OF(net, struct wire, base);
    static volatile uint8_t sum;
    ck_assert_uint_le(len, NET_FRAME_MAX);
    for (size_t i = 0; i < len; i++)
        sum = (uint8_t)(sum + ((const uint8_t *)frame)[i]);
    w->sent++;
    return 0;
}

static int wire_receive(struct net_backend *net, void *frame, size_t room)
{
    struct wire *w = CONTAINER_OF(net, struct wire, base);
    size_t len = 14 + w->waiting * 97u % 1501u;
    if (!w->waiting)
        return -EAGAIN;
    w->waiting--;
    len = len < room ? len : room;
    memset(frame, 0xff, len);
    return (int)len;
}

static int wire_fd(const struct net_backend *net)
{
    (void)net;
    return 0; /* see arrive(): nobody polls it */
}

static void wire_destroy(struct net_backend *net)
{
    (void)net;
}

static const struct net_backend_ops wire_ops = {"test", wire_send, wire_receive, wire_fd,
                                                wire_destroy};
static struct wire wire;

static void make(const char *nic)
{
    struct pc_config config = {.ram_bytes = RAM_BYTES, .net = &wire.base, .nic = nic};
    wire = (struct wire){.base = {&wire_ops}};
    board_rig_make_config(&rig, &config);
}

static void setup(void)
{
    make("virtio");
}

static void teardown(void)
{
    board_rig_end(&rig);
}

#define IN(port) pc_in(&rig, port, 1)
#define OUT(port, value) pc_out(&rig, port, 1, value)

static void out_many(uint16_t port, unsigned size, unsigned count, uint32_t value)
{
    while (count--)
        pc_out(&rig, port, size, value);
}

static void in_many(uint16_t port, unsigned size, unsigned count)
{
    while (count--)
        (void)pc_in(&rig, port, size);
}

static void arrive(unsigned frames)
{
    short events;
    wire.waiting = frames;
    for (struct board_device *d = rig.board->first; d; d = d->next) {
        if (d->ops->ready && d->ops->poll_fd && d->ops->poll_fd(d, 0, &events) >= 0)
            d->ops->ready(d);
    }
}

/* Index out of a FIFO. */

START_TEST(fifo_index_16550)
{
    OUT(0x3fc, 0x10); /* to itself */
    OUT(0x3fa, 0xc1);
    for (unsigned i = 0; i < 100; i++)
        OUT(0x3f8, i);
    ck_assert_uint_eq(IN(0x3fd) & 3, 3); /* data, and some was lost */
    for (unsigned i = 0; i < 16; i++)
        ck_assert_uint_eq(IN(0x3f8), i);
    ck_assert_uint_eq(IN(0x3fd) & 1, 0);
    in_many(0x3f8, 1, 100);
    for (unsigned round = 0; round < 40; round++) { /* its depth changes while it is full */
        out_many(0x3f8, 1, round, round);
        OUT(0x3fa, round & 1 ? 0xc1 : 0);
        in_many(0x3f8, 1, round / 2);
    }
    OUT(0x3fa, 7);
    ck_assert_uint_eq(IN(0x3fd) & 1, 0);
}
END_TEST

START_TEST(fifo_index_8042)
{
    for (unsigned i = 0; i < 100; i++)
        OUT(0x64, i & 1 ? 0x20 : 0xaa); /* answers that nobody takes */
    for (unsigned i = 0; i < 100; i++)
        OUT(0x60, i & 1 ? 0xf2 : 0xff);
    for (unsigned i = 0; i < 100; i++) {
        OUT(0x64, 0xd4);
        OUT(0x60, i & 1 ? 0xe9 : 0xff);
        i8042_key(pc_i8042(rig.pc), i, true);
        i8042_move(pc_i8042(rig.pc), (int)(i << 24), -1, (int)(i << 28), i);
    }
    unsigned taken = 0;
    while (IN(0x64) & 1 && taken < 1000) {
        (void)IN(0x60);
        taken++;
    }
    ck_assert_uint_le(taken, 1 + 4 + 2 * 64);
    OUT(0x64, 0xaa);
    ck_assert_uint_eq(IN(0x60), 0x55);
}
END_TEST

START_TEST(fifo_index_floppy)
{
    OUT(0x3f2, 0);
    OUT(0x3f2, 0x1c);
    for (unsigned command = 0; command < 256; command++) {
        out_many(0x3f5, 1, 40, command); /* more than any command is long */
        in_many(0x3f5, 1, 40);           /* more than any answer is */
        OUT(0x3f4, 0x80);
    }
    static const uint8_t no_dma[] = {3, 0xdf, 3}, read[] = {0xe6, 0, 0, 0, 1, 2, 18, 0x1b, 0xff};
    for (unsigned i = 0; i < sizeof(no_dma); i++)
        OUT(0x3f5, no_dma[i]);
    for (unsigned i = 0; i < sizeof(read); i++)
        OUT(0x3f5, read[i]);
    in_many(0x3f5, 1, 36 * 512 + 1000);
    OUT(0x3f4, 0x80);
    ck_assert_uint_eq(IN(0x3f4) & 0xc0, 0x80);
}
END_TEST

START_TEST(fifo_index_atapi_packet)
{
    static const uint16_t limits[] = {0, 1, 2, 2047, 0xfffe, 0xffff};
    for (unsigned i = 0; i < 256 * ARRAY_LEN(limits); i++) {
        uint16_t limit = limits[i / 256];
        OUT(0x176, 0xa0);
        OUT(0x174, limit);
        OUT(0x175, limit >> 8);
        OUT(0x177, 0xa0);
        pc_out(&rig, 0x170, 2, i & 255);
        out_many(0x170, 4, 40, i % 3 ? 0 : UINT32_MAX); /* a packet has 12 bytes */
        in_many(0x170, 4, 700);
        OUT(0x376, 4);
        OUT(0x376, 0);
    }
    ck_assert_uint_eq(IN(0x177) & 0x80, 0);
}
END_TEST

START_TEST(fifo_index_ata_sector)
{
    static const uint8_t commands[] = {0x20, 0x24, 0x29, 0x30, 0x34, 0x39, 0xc4, 0xc5, 0xec};
    for (unsigned i = 0; i < 256 * ARRAY_LEN(commands); i++) {
        OUT(0x1f6, 0xe0);
        OUT(0x1f2, i); /* 0 means 256 */
        OUT(0x1f7, 0xc6);
        OUT(0x1f3, i);
        OUT(0x1f2, i * 7);
        OUT(0x1f7, commands[i % ARRAY_LEN(commands)]);
        in_many(0x1f0, 4, 140);
        out_many(0x1f0, 4, 140, i);
    }
    OUT(0x1f2, 0); /* no sectors on a track */
    OUT(0x1f7, 0x91);
    OUT(0x1f6, 0xa0);
    OUT(0x1f3, 1);
    OUT(0x1f7, 0x20);
    in_many(0x1f0, 2, 300);
}
END_TEST

static void look(void)
{
    static struct vga_picture picture;
    static char text[VGA_TEXT_MAX];
    picture.pixel = malloc(sizeof(uint32_t) * VGA_MAX_WIDTH * VGA_MAX_HEIGHT);
    ck_assert_ptr_nonnull(picture.pixel);
    ck_assert_uint_le(vga_text(pc_vga(rig.pc), text, sizeof(text)), sizeof(text));
    vga_draw(pc_vga(rig.pc), &picture);
    ck_assert_uint_le(picture.width, VGA_MAX_WIDTH);
    ck_assert_uint_le(picture.height, VGA_MAX_HEIGHT);
    free(picture.pixel);
}

static void dispi(unsigned index, uint32_t value)
{
    pc_out(&rig, 0x1ce, 2, index);
    pc_out(&rig, 0x1cf, 2, value);
}

START_TEST(register_index_vga)
{
    static const uint16_t ports[] = {0x3c0, 0x3c4, 0x3ce, 0x3d4, 0x3b4, 0x3c8};
    for (unsigned i = 0; i < 256 * ARRAY_LEN(ports); i++) {
        OUT(ports[i / 256], i);
        OUT((uint16_t)(ports[i / 256] + 1), 0xff);
        (void)IN((uint16_t)(ports[i / 256] + 1));
        if (i % 16 == 0)
            look();
    }
    for (unsigned i = 0; i < 0x10000; i += i < 64 ? 1 : 4093) {
        dispi(i, 0xffff);
        (void)pc_in(&rig, 0x1cf, 2);
    }
}
END_TEST

/* The banked window at its last bank, and the visible part at the virtual one's end. */
START_TEST(window_out_of_memory_vga)
{
    for (unsigned bpp = 4; bpp <= 32; bpp += 4) {
        dispi(4, 0);
        dispi(1, 1024);
        dispi(2, 768);
        dispi(3, bpp);
        dispi(4, 0x41);
        dispi(6, 0xffff);
        dispi(8, 0xffff);
        dispi(9, 0xffff);
        for (unsigned bank = 0; bank < 0x10000; bank += 251) {
            dispi(5, bank);
            bus_write(rig.bus, 0xaffff, 1, bank);
            bus_write(rig.bus, 0xafffc, 4, bank);
            (void)bus_read(rig.bus, 0xbffff, 1);
        }
        look();
    }
}
END_TEST

START_TEST(register_index_cmos_and_apic)
{
    for (unsigned i = 0; i < 256; i++) {
        OUT(0x70, i);
        OUT(0x71, 0xff);
        OUT(0x72, i);
        OUT(0x73, 0xff);
        (void)IN(0x73);
        bus_write(rig.bus, 0xfec00000, 4, i);
        bus_write(rig.bus, 0xfec00010, 4, UINT32_MAX);
        (void)bus_read(rig.bus, 0xfec00010, 4);
        bus_write(rig.bus, 0xfee00000 + i * 16, 4, UINT32_MAX);
        (void)bus_read(rig.bus, 0xfee00000 + i * 16, 4);
        pc_config_write(&rig, i, 0xfc, 4, UINT32_MAX);
    }
    pc_pass_ns(&rig, 3000000);
}
END_TEST

/* Lengths and addresses that wrap. */

#define BUS_MASTER 0xc000u

static void start_bus_master(bool in, uint32_t table)
{
    OUT(BUS_MASTER, 0);
    pc_out(&rig, BUS_MASTER + 4, 4, table);
    OUT(BUS_MASTER, in ? 8 : 0);
    OUT(0x1f6, 0xe0);
    OUT(0x1f2, 200);
    OUT(0x1f3, 0);
    OUT(0x1f4, 0);
    OUT(0x1f5, 0);
    OUT(0x1f7, in ? 0xc8 : 0xca);
    OUT(BUS_MASTER, in ? 9 : 1);
}

START_TEST(length_wrap_ide_bus_master)
{
    static const uint32_t at[] = {0,          RAM_BYTES - 2, RAM_BYTES, 0xa0000,
                                  0xfffffffe, TOP,           0xfec00000};
    pc_config_write(&rig, 1 << 3 | 1, 0x20, 4, BUS_MASTER);
    pc_config_write(&rig, 1 << 3 | 1, 4, 2, 5);
    for (unsigned i = 0; i < 4 * ARRAY_LEN(at); i++) {
        bus_write(rig.bus, 0x10000, 4, at[i / 4]);
        bus_write(rig.bus, 0x10004, 4, i & 2 ? 0 : 0xfffe); /* 0: 64 KiB; never the last one */
        memset(ram_base(pc_processor(rig.pc)->ram) + 0x10008, i & 1 ? 0xff : 0, 0x8000);
        start_bus_master(i & 1, i % 5 ? 0x10000 : UINT32_MAX - 3);
        OUT(0x3f6, 4);
        OUT(0x3f6, 0);
    }
}
END_TEST

START_TEST(length_wrap_fw_cfg)
{
    static const uint64_t to[] = {0, RAM_BYTES - 1, 0xffffffff, UINT64_MAX, UINT64_MAX - 511};
    for (unsigned i = 0; i < 4 * ARRAY_LEN(to); i++) {
        uint8_t block[16] = {0, (uint8_t)(i & 1 ? 0x19 : 0), 0, (uint8_t)(i & 2 ? 0x0e : 0x0a)};
        memset(block + 4, 0xff, 4);
        block[4] = block[5] = i == 4 ? 0xff : 0; /* what is not memory takes long */
        for (unsigned k = 0; k < 8; k++)
            block[8 + k] = (uint8_t)(to[i / 4] >> (56 - 8 * k));
        bus_write_bytes(rig.bus, 0x10000, block, sizeof(block));
        pc_out(&rig, 0x514, 4, i % 3 ? 0 : UINT32_MAX);
        pc_out(&rig, 0x518, 4, __builtin_bswap32(i % 5 ? 0x10000 : UINT32_MAX));
        in_many(0x511, 1, 20);
    }
}
END_TEST

START_TEST(length_wrap_isa_dma)
{
    static const uint8_t read[] = {0xe6, 0, 0, 0, 1, 2, 18, 0x1b, 0xff};
    OUT(0x3f2, 0);
    OUT(0x3f2, 0x1c);
    for (unsigned mode = 0; mode < 256; mode += 5) {
        OUT(0x0c, 0);
        OUT(0x0b, (mode & 0xfc) | 2);
        out_many(0x04, 1, 2, 0xff);
        OUT(0x81, mode & 1 ? 0xff : 0x0f);
        out_many(0x05, 1, 2, 0xff);
        OUT(0x0a, 2);
        for (unsigned i = 0; i < sizeof(read); i++)
            OUT(0x3f5, read[i]);
        in_many(0x3f5, 1, 20);
        OUT(0x3f4, 0x80);
    }
}
END_TEST

#define NE2000 0xc080u

static void ne2000_page(unsigned page, unsigned at, uint8_t value)
{
    OUT(NE2000, 0x22 | page << 6);
    OUT((uint16_t)(NE2000 + at), value);
    OUT(NE2000, 0x22);
}

/* Rings that end before they begin, lie outside of the card, or are full; remote DMA at the end. */
START_TEST(length_wrap_ne2000)
{
    static const uint8_t page[] = {0, 1, 0x3f, 0x40, 0x46, 0x7f, 0x80, 0xff};
    board_rig_end(&rig);
    make("ne2k");
    pc_config_write(&rig, 3 << 3, 0x10, 4, NE2000);
    pc_config_write(&rig, 3 << 3, 4, 2, 5);
    for (unsigned i = 0; i < 4096; i++) {
        ne2000_page(0, 1, page[i % 8]);
        ne2000_page(0, 2, page[i / 8 % 8]);
        ne2000_page(0, 3, page[i / 64 % 8]);
        ne2000_page(1, 7, page[i / 512 % 8]);
        ne2000_page(0, 0x0c, 0x1f);
        ne2000_page(0, 0x0d, 0);
        arrive(3);
        ne2000_page(0, 4, page[i % 8]);
        ne2000_page(0, 5, 0xff);
        ne2000_page(0, 6, i & 1 ? 0xff : 5);
        OUT(NE2000, 0x26); /* transmit */
        ne2000_page(0, 8, 0xfe);
        ne2000_page(0, 9, page[i % 8]);
        ne2000_page(0, 0x0a, 0xff);
        ne2000_page(0, 0x0b, 0xff);
        OUT(NE2000, i & 1 ? 0x0a : 0x12);
        for (unsigned k = 0; k < 8; k++) {
            pc_out(&rig, NE2000 + 0x10, 1u << k % 3, k);
            (void)pc_in(&rig, NE2000 + 0x10, 1u << k % 3);
        }
    }
    ck_assert_uint_gt(wire.sent, 0);
}
END_TEST

/* Drivers turn the page with neither START nor STOP: the card goes on receiving. */
START_TEST(a_page_turn_does_not_stop_the_ne2000)
{
    board_rig_end(&rig);
    make("ne2k");
    pc_config_write(&rig, 3 << 3, 0x10, 4, NE2000);
    pc_config_write(&rig, 3 << 3, 4, 2, 5);
    ne2000_page(0, 1, 0x46);
    ne2000_page(0, 2, 0x80);
    ne2000_page(0, 3, 0x46);
    ne2000_page(1, 7, 0x47);
    ne2000_page(0, 0x0c, 0x1f);
    ne2000_page(0, 0x0d, 0);
    OUT(NE2000, 0x40);
    unsigned before = IN(NE2000 + 7);
    arrive(1);
    ck_assert_uint_gt(IN(NE2000 + 7), before);
    OUT(NE2000, 0x41); /* but it does as it is told */
    before = IN(NE2000 + 7);
    OUT(NE2000, 0x40);
    arrive(1);
    ck_assert_uint_eq(IN(NE2000 + 7), before);
}
END_TEST

/* Descriptors. */

#define VIRTIO_BLOCK 0xd000u
#define VIRTIO_NET 0xd100u
#define RING 0x20000u

static unsigned virtio_at(unsigned devfn, unsigned base)
{
    pc_config_write(&rig, devfn, 0x10, 4, base);
    pc_config_write(&rig, devfn, 4, 2, 5);
    return pc_config_read(&rig, devfn, 0, 2) == 0x1af4;
}

struct descriptor {
    uint64_t gpa;
    uint32_t len;
    uint16_t flags, next;
};

/* All 256 descriptors alike, and the ring says that everything is available. */
static void offer(unsigned base, unsigned queue, const struct descriptor *d, uint32_t pfn)
{
    for (unsigned i = 0; i < 256; i++) {
        struct descriptor own = *d;
        own.next = d->next == 0xfffe ? (uint16_t)(i + 1) : d->next;
        bus_write_bytes(rig.bus, RING + 16 * i, &own, sizeof(own));
        bus_write(rig.bus, RING + 0x1000 + 4 + 2 * i, 2, i % 3 ? i : 0xffff);
    }
    OUT((uint16_t)(base + 18), 0);
    OUT((uint16_t)(base + 18), 7);
    pc_out(&rig, (uint16_t)(base + 14), 2, queue);
    pc_out(&rig, (uint16_t)(base + 8), 4, pfn);
    bus_write(rig.bus, RING + 0x1002, 2, queue ? 260 : 4);
    pc_out(&rig, (uint16_t)(base + 16), 2, queue);
    arrive(3);
}

static const uint32_t pfns[] = {
    RING >> 12, (RAM_BYTES >> 12) - 1, RAM_BYTES >> 12, UINT32_MAX, 0xa0, 0xfffff};

START_TEST(descriptor_length_wrap_virtio)
{
    static const struct descriptor wild[] = {{UINT64_MAX, UINT32_MAX, 1, 0xfffe},
                                             {UINT64_MAX - 15, 32, 3, 0xfffe},
                                             {RAM_BYTES - 1, UINT32_MAX, 1, 0xfffe},
                                             {0, UINT32_MAX, 3, 0xfffe},
                                             {0xfffffff8, 16, 3, 0xfffe},
                                             {0x10000, 0, 1, 0xfffe},
                                             {1ull << 63, 1u << 31, 2, 0}};
    ck_assert(virtio_at(3 << 3, VIRTIO_NET) && virtio_at(4 << 3, VIRTIO_BLOCK));
    for (unsigned i = 0; i < ARRAY_LEN(wild) * ARRAY_LEN(pfns); i++) {
        offer(VIRTIO_BLOCK, 0, &wild[i % ARRAY_LEN(wild)], pfns[i / ARRAY_LEN(wild)]);
        offer(VIRTIO_NET, 0, &wild[i % ARRAY_LEN(wild)], pfns[i / ARRAY_LEN(wild)]);
        offer(VIRTIO_NET, 1, &wild[i % ARRAY_LEN(wild)], pfns[i / ARRAY_LEN(wild)]);
    }
}
END_TEST

/* Chains that lead to themselves, to no descriptor, or to tables within tables. */
START_TEST(descriptor_loop_virtio)
{
    static const struct descriptor wild[] = {{0x10000, 512, 1, 0},   {0x10000, 512, 3, 255},
                                             {0x10000, 512, 1, 256}, {0x10000, 512, 3, 0xffff},
                                             {RING, 16 * 256, 4, 0}, {RING, 16 * 256, 5, 0xfffe},
                                             {RING, 15, 4, 0},       {RING, 0, 4, 0}};
    ck_assert(virtio_at(3 << 3, VIRTIO_NET) && virtio_at(4 << 3, VIRTIO_BLOCK));
    for (unsigned i = 0; i < ARRAY_LEN(wild); i++) {
        for (unsigned queue = 0; queue < 4; queue++) {
            offer(VIRTIO_BLOCK, queue, &wild[i], RING >> 12);
            offer(VIRTIO_NET, queue, &wild[i], RING >> 12);
        }
    }
    OUT((uint16_t)(VIRTIO_NET + 18), 0);
    ck_assert_uint_eq(IN((uint16_t)(VIRTIO_NET + 18)), 0);
}
END_TEST

/* Stale translation after a write by a device. */

#define CODE 0x8000u

static uint32_t run_code(void)
{
    struct cpu *cpu = pc_processor(rig.pc);
    cpu->seg[ISA_CS].base = 0;
    cpu->eip = CODE;
    cpu->gpr[ISA_EAX] = 0;
    cpu_refresh(cpu);
    (void)pc_run_count(rig.pc, 50);
    return cpu->gpr[ISA_EAX] & 0xff;
}

static void write_sector(const uint8_t code[4])
{
    OUT(0x1f6, 0xe0);
    OUT(0x1f2, 1);
    OUT(0x1f3, 0);
    OUT(0x1f4, 0);
    OUT(0x1f5, 0);
    OUT(0x1f7, 0x30);
    for (unsigned i = 0; i < 128; i++)
        pc_out(&rig, 0x1f0, 4,
               i ? 0 : code[0] | code[1] << 8 | code[2] << 16 | (uint32_t)code[3] << 24);
}

START_TEST(stale_translation_after_dma)
{
    struct pc_config config = {.ram_bytes = RAM_BYTES, .net = &wire.base, .nic = "virtio"};
    uint8_t code[4] = {0xb0, 1, 0xeb, 0xfe}; /* mov al, 1; jmp . */
    struct engine_options options = {0};
    board_rig_end(&rig);
    if (dbt_create(&options, &config.engine)) {
        make("virtio");
        return;
    }
    board_rig_make_config(&rig, &config);
    pc_config_write(&rig, 1 << 3 | 1, 0x20, 4, BUS_MASTER);
    pc_config_write(&rig, 1 << 3 | 1, 4, 2, 5);
    bus_write_bytes(rig.bus, CODE, code, sizeof(code));
    for (unsigned i = 0; i < 3; i++)
        ck_assert_uint_eq(run_code(), 1);
    for (unsigned i = 2; i < 20; i++) {
        code[1] = (uint8_t)i;
        write_sector(code);
        bus_write(rig.bus, 0x10000, 4, CODE);
        bus_write(rig.bus, 0x10004, 4, 0x80000000 | 200 * 512u);
        start_bus_master(true, 0x10000);
        ck_assert_uint_eq(run_code(), i);
    }
}
END_TEST

/* Snapshots with inconsistent indices. */

struct stream {
    uint8_t *bytes;
    size_t len, room, at;
};

static int put(void *opaque, void *data, size_t len)
{
    struct stream *s = opaque;
    if (s->len + len > s->room) {
        s->room = 2 * (s->len + len);
        s->bytes = realloc(s->bytes, s->room);
        ck_assert_ptr_nonnull(s->bytes);
    }
    memcpy(s->bytes + s->len, data, len);
    s->len += len;
    return 0;
}

static int get(void *opaque, void *data, size_t len)
{
    struct stream *s = opaque;
    if (len > s->len - s->at)
        return -EIO;
    memcpy(data, s->bytes + s->at, len);
    s->at += len;
    return 0;
}

static struct stream saved;

static int save(void)
{
    const struct pc_stream to = {put, &saved};
    struct why why;
    saved.len = saved.at = 0;
    return pc_save(rig.pc, &to, &why);
}

static int load(void)
{
    const struct pc_stream from = {get, &saved};
    struct why why;
    saved.at = 0;
    return pc_load(rig.pc, &from, &why);
}

static const struct state_field *find_field(struct board_device *dev, const char *name,
                                            unsigned nth)
{
    for (unsigned i = 0; dev->ops->state && i < dev->ops->state->fields; i++) {
        if (!strcmp(dev->ops->state->field[i].name, name) && !nth--)
            return &dev->ops->state->field[i];
    }
    return NULL;
}

static struct board_device *find_device(const char *name)
{
    for (struct board_device *dev = rig.board->first; dev; dev = dev->next) {
        if (!strcmp(dev->ops->name, name))
            return dev;
    }
    ck_abort_msg("there is no %s", name);
}

/* A snapshot in which the bytes of a field are these; the machine is as it was. */
static void save_spoiled(struct board_device *dev, const struct state_field *field, size_t at,
                         const uint8_t *bytes, size_t len)
{
    uint8_t own[8], *to = (uint8_t *)dev + field->offset + at;
    ck_assert_uint_le(len, sizeof(own));
    memcpy(own, to, len);
    memcpy(to, bytes, len);
    ck_assert_int_eq(save(), 0);
    memcpy(to, own, len);
}

START_TEST(snapshot_index_refused)
{
    static const struct {
        const char *device, *field;
        uint32_t nth, at, value, bytes;
    } row[] = {{"uart", "first", 0, 0, 16, 1},
               {"uart", "count", 0, 0, 200, 1},
               {"i8042", "keyboard", 0, 0, 64, 1},
               {"i8042", "mouse", 0, 1, 65, 1},
               {"i8042", "reply_count", 0, 0, 5, 1},
               {"floppy", "in_need", 0, 0, 255, 1},
               {"ide", "drive.at", 0, 0, 1, 4},
               {"ide", "drive.end", 2, 0, 65537, 4},
               {"ide", "drive.chunk", 3, 0, 65537, 4},
               {"ide", "drive.multiple", 0, 0, 129, 1},
               {"ide", "channel[1].selected", 0, 0, 2, 1},
               {"vga", "seq_index", 0, 0, 8, 1},
               {"vga", "dac_step", 0, 0, 3, 1},
               {"vga", "dispi", 0, 8, 1, 2},
               {"vga", "dispi", 0, 10, 256, 2}};
    OUT(0x3f5, 0x46); /* a command of the floppy's has begun */
    for (unsigned i = 0; i < ARRAY_LEN(row); i++) {
        struct board_device *dev = find_device(row[i].device);
        const struct state_field *field = find_field(dev, row[i].field, row[i].nth);
        ck_assert_msg(field != NULL, "%s.%s", row[i].device, row[i].field);
        save_spoiled(dev, field, row[i].at, (const uint8_t *)&row[i].value, row[i].bytes);
        ck_assert_msg(load() == -EINVAL, "%s.%s", row[i].device, row[i].field);
        ck_assert_int_eq(save(), 0);
        ck_assert_int_eq(load(), 0);
    }
}
END_TEST

static uint32_t noise(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    return *seed ^= *seed << 5;
}

static void use_devices(uint32_t *seed)
{
    static const uint16_t ports[] = {0x00,  0x20,  0x40,  0x60,   0x70,   0x80,  0xc0,
                                     0x170, 0x1ce, 0x1f0, 0x3b0,  0x3c0,  0x3d0, 0x3f0,
                                     0x3f8, 0x510, 0x600, 0xc000, 0xd000, 0xd100};
    for (unsigned n = 0; n < 400; n++) {
        uint32_t r = noise(seed);
        uint16_t port = (uint16_t)(ports[r % ARRAY_LEN(ports)] + (r >> 8 & 15));
        if (r >> 16 & 1)
            pc_out(&rig, port, 1u << (r >> 17) % 3, noise(seed));
        else
            in_many(port, 1u << (r >> 17) % 3, 20);
        rig.board->request = BOARD_NONE;
    }
    bus_write(rig.bus, 0xa0000 + (noise(seed) & 0x1fffc), 4, *seed);
    (void)pc_interrupt(&rig);
    arrive(3);
    pc_pass_ns(&rig, 2000000);
    look();
}

/* Whatever a snapshot says that is taken, the machine lives with it. */
START_TEST(snapshot_fields_at_random)
{
    uint32_t seed = 0x2545f491u + (uint32_t)_i;
    unsigned taken = 0;
    for (unsigned n = 0; n < 60; n++) {
        struct board_device *dev = rig.board->first;
        for (uint32_t skip = noise(&seed) % 32; skip; skip--)
            dev = dev->next ? dev->next : rig.board->first;
        if (!dev->ops->state)
            continue;
        const struct state_field *f =
            &dev->ops->state->field[noise(&seed) % dev->ops->state->fields];
        uint8_t bytes[2] = {noise(&seed) & 1 ? 0xff : (uint8_t)noise(&seed), (uint8_t)noise(&seed)};
        size_t size = (size_t)f->size * f->count, len = size > 1 ? 1 + (noise(&seed) & 1) : 1;
        save_spoiled(dev, f, noise(&seed) % (size - len + 1), bytes, len);
        int err = load();
        ck_assert(err == 0 || err == -EINVAL);
        taken += !err;
        use_devices(&seed);
        board_reset(rig.board);
    }
    ck_assert_uint_gt(taken, 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("pc_escapes");
    TCase *t = tcase_create("classes");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 120);
    tcase_add_test(t, fifo_index_16550);
    tcase_add_test(t, fifo_index_8042);
    tcase_add_test(t, fifo_index_floppy);
    tcase_add_test(t, fifo_index_atapi_packet);
    tcase_add_test(t, fifo_index_ata_sector);
    tcase_add_test(t, register_index_vga);
    tcase_add_test(t, window_out_of_memory_vga);
    tcase_add_test(t, register_index_cmos_and_apic);
    tcase_add_test(t, length_wrap_ide_bus_master);
    tcase_add_test(t, length_wrap_fw_cfg);
    tcase_add_test(t, length_wrap_isa_dma);
    tcase_add_test(t, length_wrap_ne2000);
    tcase_add_test(t, a_page_turn_does_not_stop_the_ne2000);
    tcase_add_test(t, descriptor_length_wrap_virtio);
    tcase_add_test(t, descriptor_loop_virtio);
    tcase_add_test(t, stale_translation_after_dma);
    tcase_add_test(t, snapshot_index_refused);
    tcase_add_loop_test(t, snapshot_fields_at_random, 0, 4);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
