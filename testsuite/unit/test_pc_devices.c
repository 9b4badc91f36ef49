/* SPDX-License-Identifier: MIT */
/*
 * The PC's devices as a guest meets them, register by register, as the data
 * sheets have them; and a guest that does nothing but harm.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "devices/pc/i8042.h"
#include "devices/pc/vga.h"
#include "testsuite/unit/board_rig.h"

static struct board_rig rig;

static void setup(void)
{
    board_rig_make(&rig);
}

static void teardown(void)
{
    board_rig_end(&rig);
}

#define IN(port) pc_in(&rig, (port), 1)
#define OUT(port, value) pc_out(&rig, (port), 1, (value))

START_TEST(bus_splits_and_ends)
{
    ck_assert_uint_eq(pc_in(&rig, 0x1234, 1), 0xff);
    ck_assert_uint_eq(pc_in(&rig, 0x1234, 4), UINT32_MAX);
    pc_out(&rig, 0x21, 2, 0x1234); /* two 8-bit devices: only the first is one */
    ck_assert_uint_eq(IN(0x21), 0x34);
    ck_assert_uint_eq(pc_in(&rig, 0xffff, 4) & 0xff, 0xff); /* over the end of the ports */
    bus_write(rig.bus, 0x1000, 4, 0x12345678);
    ck_assert_uint_eq(bus_read(rig.bus, 0x1001, 2), 0x3456);
    ck_assert_uint_eq(bus_read(rig.bus, 0x80000000, 4), UINT32_MAX);
}
END_TEST

START_TEST(pic_priorities)
{
    pc_setup_pics(&rig);
    ck_assert_int_eq(pc_interrupt(&rig), -1);
    OUT(0x61, 0);
    /* The timer, 100 Hz. */
    OUT(0x43, 0x34);
    OUT(0x40, 0x9c);
    OUT(0x40, 0x2e);
    pc_pass_ns(&rig, 10100000);
    ck_assert_int_eq(pc_interrupt(&rig), 0x20);
    i8042_key(pc_i8042(rig.pc), 0x1e, true);
    ck_assert_int_eq(pc_interrupt(&rig), -1); /* the keyboard waits for the timer's end */
    OUT(0x20, 0x0b);
    ck_assert_uint_eq(IN(0x20), 1); /* in service */
    pc_end_interrupt(&rig, 0x20);
    ck_assert_int_eq(pc_interrupt(&rig), 0x21);
    ck_assert_uint_eq(IN(0x60), 0x1e);
    pc_end_interrupt(&rig, 0x21);
    OUT(0x21, 0xff);
    pc_pass_ns(&rig, 30000000);
    ck_assert_int_eq(pc_interrupt(&rig), -1); /* masked */
    OUT(0x20, 0x0a);
    ck_assert_uint_eq(IN(0x20) & 1, 1); /* but asked for */
    OUT(0x21, 0xfe);
    OUT(0x20, 0x0c); /* poll */
    ck_assert_uint_eq(IN(0x20), 0x80);
    pc_end_interrupt(&rig, 0x20);
}
END_TEST

START_TEST(pit_counts)
{
    OUT(0x43, 0x34);
    OUT(0x40, 0x00);
    OUT(0x40, 0x10); /* 4096 */
    pc_pass_ns(&rig, 1000000);
    OUT(0x43, 0x00);
    unsigned low = IN(0x40), count = low | IN(0x40) << 8;
    ck_assert_uint_ge(count, 4096 - 1194 - 2);
    ck_assert_uint_le(count, 4096 - 1193 + 2);
    OUT(0x43, 0xe2); /* status of counter 0 */
    ck_assert_uint_eq(IN(0x40) & 0x3f, 0x34);
    /* One shot on counter 2, seen through port 61h. */
    OUT(0x61, 1);
    OUT(0x43, 0xb0);
    OUT(0x42, 100);
    OUT(0x42, 0);
    ck_assert_uint_eq(IN(0x61) & 0x20, 0);
    pc_pass_ns(&rig, 90000);
    ck_assert_uint_eq(IN(0x61) & 0x20, 0x20);
}
END_TEST

static unsigned cmos(unsigned at)
{
    OUT(0x70, at);
    return IN(0x71);
}

START_TEST(rtc_time)
{
    ck_assert_uint_eq(cmos(9), 0x26);
    ck_assert_uint_eq(cmos(0x32), 0x20);
    ck_assert_uint_eq(cmos(8), 1);
    ck_assert_uint_eq(cmos(7), 1);
    ck_assert_uint_eq(cmos(0), 0);
    pc_pass_ns(&rig, UINT64_C(61000000000));
    ck_assert_uint_eq(cmos(0), 1);
    ck_assert_uint_eq(cmos(2), 1);
    pc_setup_pics(&rig);
    OUT(0x70, 0x0b);
    OUT(0x71, 0x42); /* periodic, 1024 Hz */
    cmos(0x0c);
    pc_pass_ns(&rig, 2000000);
    ck_assert_int_eq(pc_interrupt(&rig), 0x28);
    ck_assert_uint_eq(cmos(0x0c) & 0xc0, 0xc0);
    ck_assert_uint_eq(cmos(0x0c), 0);
    /* Leap day, set and kept. */
    OUT(0x70, 0x0b);
    OUT(0x71, 0x82);
    static const uint8_t set[][2] = {{0, 0x59}, {2, 0x59}, {4, 0x23},   {7, 0x28},
                                     {8, 2},    {9, 0x28}, {0x32, 0x20}};
    for (unsigned i = 0; i < ARRAY_LEN(set); i++) {
        OUT(0x70, set[i][0]);
        OUT(0x71, set[i][1]);
    }
    OUT(0x70, 0x0b);
    OUT(0x71, 0x02);
    pc_pass_ns(&rig, UINT64_C(1000000000));
    ck_assert_uint_eq(cmos(7), 0x29);
    ck_assert_uint_eq(cmos(8), 2);
    ck_assert_uint_eq(cmos(4), 0);
}
END_TEST

static unsigned key_byte(void)
{
    ck_assert_uint_eq(IN(0x64) & 1, 1);
    return IN(0x60);
}

START_TEST(keyboard_and_mouse)
{
    OUT(0x64, 0xaa);
    ck_assert_uint_eq(key_byte(), 0x55);
    OUT(0x60, 0xff);
    ck_assert_uint_eq(key_byte(), 0xfa);
    ck_assert_uint_eq(key_byte(), 0xaa);
    i8042_key(pc_i8042(rig.pc), 0x1e, true);
    i8042_key(pc_i8042(rig.pc), 0xc8, false);
    ck_assert_uint_eq(key_byte(), 0x1e);
    ck_assert_uint_eq(key_byte(), 0xe0);
    ck_assert_uint_eq(key_byte(), 0xc8);
    ck_assert_uint_eq(IN(0x64) & 1, 0);
    OUT(0x64, 0xa8);
    OUT(0x64, 0xd4);
    OUT(0x60, 0xf4);
    ck_assert_uint_eq(IN(0x64) & 0x21, 0x21);
    ck_assert_uint_eq(key_byte(), 0xfa);
    i8042_move(pc_i8042(rig.pc), 5, 3, 0, 1);
    ck_assert_uint_eq(key_byte(), 0x29); /* left button; down is negative */
    ck_assert_uint_eq(key_byte(), 5);
    ck_assert_uint_eq(key_byte(), 0xfd);
    /* A20 through the output port. */
    OUT(0x64, 0xd1);
    OUT(0x60, 0xdd);
    ck_assert(!bus_a20(rig.bus));
    OUT(0x92, 2);
    ck_assert(bus_a20(rig.bus));
    OUT(0x64, 0xfe);
    ck_assert_int_eq(rig.board->request, BOARD_RESET);
}
END_TEST

START_TEST(uart_registers)
{
    OUT(0x3ff, 0x5a);
    ck_assert_uint_eq(IN(0x3ff), 0x5a);
    OUT(0x3fb, 0x83);
    OUT(0x3f8, 1);
    OUT(0x3f9, 0);
    ck_assert_uint_eq(IN(0x3f8), 1);
    OUT(0x3fb, 3);
    OUT(0x3fa, 0x01);
    ck_assert_uint_eq(IN(0x3fa), 0xc1);
    ck_assert_uint_eq(IN(0x3fd) & 0x61, 0x60);
    OUT(0x3fc, 0x1b); /* loop, DTR, RTS, OUT2 */
    ck_assert_uint_eq(IN(0x3fe) & 0xf0, 0xb0);
    for (unsigned i = 0; i < 20; i++)
        OUT(0x3f8, i);
    ck_assert_uint_eq(IN(0x3fd) & 3, 3); /* overrun */
    for (unsigned i = 0; i < 16; i++)
        ck_assert_uint_eq(IN(0x3f8), i);
    ck_assert_uint_eq(IN(0x3fd) & 3, 0);
    OUT(0x3fc, 0x0b);
    pc_setup_pics(&rig);
    OUT(0x3f9, 2);
    ck_assert_int_eq(pc_interrupt(&rig), 0x24);
    ck_assert_uint_eq(IN(0x3fa) & 15, 2);
    ck_assert_uint_eq(IN(0x3fa) & 15, 1);
}
END_TEST

static void ide_select(unsigned device, unsigned count, unsigned lba)
{
    OUT(0x1f6, 0xe0 | device << 4);
    OUT(0x1f2, count);
    OUT(0x1f3, lba);
    OUT(0x1f4, lba >> 8);
    OUT(0x1f5, lba >> 16);
}

START_TEST(ide_pio)
{
    uint16_t word[256];
    ide_select(0, 1, 7);
    OUT(0x1f7, 0x20);
    ck_assert_uint_eq(IN(0x1f7), 0x58);
    for (unsigned i = 0; i < 256; i++)
        word[i] = (uint16_t)pc_in(&rig, 0x1f0, 2);
    ck_assert_uint_eq(word[0], 7);
    ck_assert_uint_eq(IN(0x1f7), 0x50);
    ide_select(0, 1, 9);
    OUT(0x1f7, 0x30);
    for (unsigned i = 0; i < 128; i++)
        pc_out(&rig, 0x1f0, 4, 0x01020304);
    ck_assert_uint_eq(IN(0x1f7), 0x50);
    ide_select(0, 1, 9);
    OUT(0x1f7, 0x20);
    ck_assert_uint_eq(pc_in(&rig, 0x1f0, 4), 0x01020304);
    ide_select(0, 1, 8192); /* behind the end */
    OUT(0x1f7, 0x20);
    ck_assert_uint_eq(IN(0x1f7) & 1, 1);
    ck_assert_uint_eq(IN(0x1f1), 0x10);
    ide_select(0, 1, 0);
    OUT(0x1f7, 0xec);
    for (unsigned i = 0; i < 256; i++)
        word[i] = (uint16_t)pc_in(&rig, 0x1f0, 2);
    ck_assert_uint_eq(word[60], 8192);
    ck_assert_uint_eq(word[49] & 0x300, 0x300);
    ide_select(1, 1, 0); /* no slave */
    ck_assert_uint_eq(IN(0x1f7), 0);
}
END_TEST

START_TEST(ide_bus_master)
{
    unsigned devfn = 1 << 3 | 1;
    pc_config_write(&rig, devfn, 0x20, 4, UINT32_MAX);
    ck_assert_uint_eq(pc_config_read(&rig, devfn, 0x20, 4), 0xfffffff1);
    pc_config_write(&rig, devfn, 0x20, 4, 0xc000);
    pc_config_write(&rig, devfn, 4, 2, 5);
    bus_write(rig.bus, 0x10000, 4, 0x20000); /* two regions of a sector each */
    bus_write(rig.bus, 0x10004, 4, 512);
    bus_write(rig.bus, 0x10008, 4, 0x30000);
    bus_write(rig.bus, 0x1000c, 4, 0x80000200);
    pc_out(&rig, 0xc004, 4, 0x10000);
    OUT(0xc000, 8);
    ide_select(0, 2, 100);
    OUT(0x1f7, 0xc8);
    OUT(0xc000, 9);
    ck_assert_uint_eq(IN(0xc002) & 7, 4);
    ck_assert_uint_eq(bus_read(rig.bus, 0x20000, 4), 100);
    ck_assert_uint_eq(bus_read(rig.bus, 0x30000, 4), 101);
    ck_assert_uint_eq(IN(0x1f7), 0x50);
}
END_TEST

static void send_packet(const uint8_t packet[12], unsigned limit)
{
    OUT(0x176, 0xa0);
    OUT(0x171, 0);
    OUT(0x174, limit);
    OUT(0x175, limit >> 8);
    OUT(0x177, 0xa0);
    ck_assert_uint_eq(IN(0x177) & 8, 8);
    for (unsigned i = 0; i < 12; i += 2)
        pc_out(&rig, 0x170, 2, packet[i] | (unsigned)packet[i + 1] << 8);
}

START_TEST(atapi_reads)
{
    static const uint8_t read[12] = {0x28, 0, 0, 0, 0, 5, 0, 0, 2}, toc[12] = {0x43, [8] = 12};
    static const uint8_t far[12] = {0x28, 0, 0, 1, 0, 0, 0, 0, 1}, sense[12] = {3, [4] = 18};
    uint16_t word[9];
    send_packet(read, 2048);
    ck_assert_uint_eq(IN(0x172), 2);
    ck_assert_uint_eq(IN(0x174) | IN(0x175) << 8, 2048);
    ck_assert_uint_eq(pc_in(&rig, 0x170, 4), 5);
    for (unsigned i = 1; i < 512; i++)
        pc_in(&rig, 0x170, 4);
    ck_assert_uint_eq(pc_in(&rig, 0x170, 4), 6);
    for (unsigned i = 1; i < 512; i++)
        pc_in(&rig, 0x170, 4);
    ck_assert_uint_eq(IN(0x172), 3);
    ck_assert_uint_eq(IN(0x177), 0x50);
    send_packet(toc, 2048);
    ck_assert_uint_eq(IN(0x174), 12);
    for (unsigned i = 0; i < 6; i++)
        pc_in(&rig, 0x170, 2);
    send_packet(far, 2048);
    ck_assert_uint_eq(IN(0x177) & 1, 1);
    send_packet(sense, 2048);
    for (unsigned i = 0; i < 9; i++)
        word[i] = (uint16_t)pc_in(&rig, 0x170, 2);
    ck_assert_uint_eq(word[1] & 15, 5);
    ck_assert_uint_eq(word[6] & 0xff, 0x21);
}
END_TEST

static void floppy_command(const uint8_t *bytes, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        ck_assert_uint_eq(IN(0x3f4) & 0xc0, 0x80);
        OUT(0x3f5, bytes[i]);
    }
}

START_TEST(floppy_reads_by_dma)
{
    static const uint8_t sense[] = {8}, seek[] = {0x0f, 0, 1};
    static const uint8_t read[] = {0xe6, 0, 1, 0, 3, 2, 18, 0x1b, 0xff};
    OUT(0x3f2, 0);
    OUT(0x3f2, 0x1c);
    for (unsigned i = 0; i < 4; i++) {
        floppy_command(sense, 1);
        ck_assert_uint_eq(IN(0x3f5), 0xc0 | i);
        IN(0x3f5);
    }
    floppy_command(seek, 3);
    floppy_command(sense, 1);
    ck_assert_uint_eq(IN(0x3f5), 0x20);
    ck_assert_uint_eq(IN(0x3f5), 1);
    OUT(0x0c, 0);
    OUT(0x0b, 0x46);
    OUT(0x04, 0);
    OUT(0x04, 0x40);
    OUT(0x81, 2);
    OUT(0x05, 0xff);
    OUT(0x05, 3); /* two sectors */
    OUT(0x0a, 2);
    floppy_command(read, 9);
    ck_assert_uint_eq(IN(0x3f5) & 0xc0, 0);
    for (unsigned i = 0; i < 6; i++)
        IN(0x3f5);
    ck_assert_uint_eq(IN(0x3f4) & 0xd0, 0x80);
    ck_assert_uint_eq(bus_read(rig.bus, 0x24000, 4), 36 + 2);
    ck_assert_uint_eq(bus_read(rig.bus, 0x24200, 4), 36 + 3);
}
END_TEST

START_TEST(shadow_ram)
{
    ck_assert_uint_eq(bus_read(rig.bus, 0xc0000, 1), 0xff);
    bus_write(rig.bus, 0xc0000, 1, 0x12);
    ck_assert_uint_eq(bus_read(rig.bus, 0xc0000, 1), 0xff);
    pc_config_write(&rig, 0, 0x5a, 1, 0x02); /* writes go to RAM */
    bus_write(rig.bus, 0xc0000, 1, 0x12);
    ck_assert_uint_eq(bus_read(rig.bus, 0xc0000, 1), 0xff);
    pc_config_write(&rig, 0, 0x5a, 1, 0x01); /* reads come from there */
    bus_write(rig.bus, 0xc0000, 1, 0x13);
    ck_assert_uint_eq(bus_read(rig.bus, 0xc0000, 1), 0x12);
    pc_config_write(&rig, 0, 0x5a, 1, 0x03);
    bus_write(rig.bus, 0xc0000, 1, 0x14);
    ck_assert_uint_eq(bus_read(rig.bus, 0xc0000, 1), 0x14);
}
END_TEST

static void vga_set(unsigned index_port, unsigned index, unsigned value)
{
    OUT(index_port, index);
    OUT(index_port + 1, value);
}

START_TEST(vga_planes_and_text)
{
    char text[VGA_TEXT_MAX];
    vga_enter_text_mode(pc_vga(rig.pc));
    for (unsigned i = 0; i < 5; i++)
        bus_write(rig.bus, 0xb8000 + 160 + 2 * i, 2, 0x0700u | (uint8_t) "Hallo"[i]);
    ck_assert_uint_eq(bus_read(rig.bus, 0xb80a0, 2), 0x0748);
    vga_text(pc_vga(rig.pc), text, sizeof(text));
    ck_assert_ptr_nonnull(strstr(text, "\nHallo\n"));
    /* Planes: write mode 0 with a bit mask, set/reset, and reading by comparison. */
    vga_set(0x3c4, 4, 6);
    vga_set(0x3c4, 2, 15);
    vga_set(0x3ce, 6, 5);
    vga_set(0x3ce, 5, 0);
    vga_set(0x3ce, 0, 0x0a);
    vga_set(0x3ce, 1, 0x0f);
    vga_set(0x3ce, 8, 0x81);
    bus_write(rig.bus, 0xa0000, 1, 0);
    for (unsigned plane = 0; plane < 4; plane++) {
        vga_set(0x3ce, 4, plane);
        ck_assert_uint_eq(bus_read(rig.bus, 0xa0000, 1) & 0x81, 0xa >> plane & 1 ? 0x81 : 0);
    }
    vga_set(0x3ce, 5, 8);
    vga_set(0x3ce, 2, 0x0a);
    vga_set(0x3ce, 7, 0x0f);
    ck_assert_uint_eq(bus_read(rig.bus, 0xa0000, 1) & 0x81, 0x81);
}
END_TEST

static void dispi(unsigned index, unsigned value)
{
    pc_out(&rig, 0x1ce, 2, index);
    pc_out(&rig, 0x1cf, 2, value);
}

START_TEST(vga_linear)
{
    static struct vga_picture picture;
    picture.pixel = malloc(sizeof(uint32_t) * VGA_MAX_WIDTH * VGA_MAX_HEIGHT);
    ck_assert_ptr_nonnull(picture.pixel);
    dispi(1, 640);
    dispi(2, 480);
    dispi(3, 32);
    dispi(4, 0x41);
    pc_config_write(&rig, 2 << 3, 0x10, 4, 0xe0000000);
    pc_config_write(&rig, 2 << 3, 4, 2, 3);
    bus_write(rig.bus, 0xe0000000 + 4 * (640 * 2 + 3), 4, 0x00aabbcc);
    vga_draw(pc_vga(rig.pc), &picture);
    ck_assert_uint_eq(picture.width, 640);
    ck_assert_uint_eq(picture.height, 480);
    ck_assert_uint_eq(picture.pixel[640 * 2 + 3], 0xaabbcc);
    free(picture.pixel);
}
END_TEST

/* A queue in guest memory with one request: head, 512 bytes, status. */
START_TEST(virtio_disk)
{
    unsigned devfn = 4 << 3, base = 0xd000;
    static const uint32_t desc[3][4] = {
        {0x8000, 0, 16, 1 | 1u << 16}, {0x9000, 0, 512, 3 | 2u << 16}, {0x8100, 0, 1, 2}};
    pc_config_write(&rig, devfn, 0x10, 4, base);
    pc_config_write(&rig, devfn, 4, 2, 5);
    ck_assert_uint_eq(pc_in(&rig, (uint16_t)(base + 20), 4), 64);
    OUT((uint16_t)(base + 18), 1);
    OUT((uint16_t)(base + 18), 3);
    pc_out(&rig, (uint16_t)(base + 14), 2, 0);
    ck_assert_uint_eq(pc_in(&rig, (uint16_t)(base + 12), 2), 256);
    pc_out(&rig, (uint16_t)(base + 8), 4, 0x20000 >> 12);
    OUT((uint16_t)(base + 18), 7);
    bus_write_bytes(rig.bus, 0x20000, desc, sizeof(desc));
    bus_write(rig.bus, 0x8000, 4, 0);
    bus_write(rig.bus, 0x8008, 4, 17);
    bus_write(rig.bus, 0x8100, 1, 0xff);
    bus_write(rig.bus, 0x21002, 2, 1); /* one is available: chain 0 */
    pc_out(&rig, (uint16_t)(base + 16), 2, 0);
    ck_assert_uint_eq(bus_read(rig.bus, 0x8100, 1), 0);
    ck_assert_uint_eq(bus_read(rig.bus, 0x9000, 4), 17);
    ck_assert_uint_eq(bus_read(rig.bus, 0x22002, 2), 1);
    ck_assert_uint_eq(IN((uint16_t)(base + 19)), 1);
    ck_assert_uint_eq(IN((uint16_t)(base + 19)), 0);
}
END_TEST

START_TEST(local_apic)
{
    uint32_t base = 0xfee00000;
    OUT(0x21, 0xff);
    OUT(0xa1, 0xff);
    bus_write(rig.bus, base + 0xf0, 4, 0x1ff);
    bus_write(rig.bus, base + 0x3e0, 4, 11); /* divide by 1 */
    bus_write(rig.bus, base + 0x320, 4, 0x40);
    bus_write(rig.bus, base + 0x380, 4, 1000000);
    pc_pass_ns(&rig, 900000);
    ck_assert_int_eq(pc_interrupt(&rig), -1);
    pc_pass_ns(&rig, 200000);
    ck_assert_int_eq(pc_interrupt(&rig), 0x40);
    bus_write(rig.bus, base + 0xb0, 4, 0);
    /* The keyboard through the I/O APIC. */
    bus_write(rig.bus, 0xfec00000, 4, 0x12);
    bus_write(rig.bus, 0xfec00010, 4, 0x51);
    i8042_key(pc_i8042(rig.pc), 0x1e, true);
    ck_assert_int_eq(pc_interrupt(&rig), 0x51);
    bus_write(rig.bus, base + 0x80, 4, 0x60); /* the task's priority holds it off */
    bus_write(rig.bus, base + 0xb0, 4, 0);
    IN(0x60);
    i8042_key(pc_i8042(rig.pc), 0x1e, false);
    ck_assert_int_eq(pc_interrupt(&rig), -1);
    bus_write(rig.bus, base + 0x80, 4, 0);
    ck_assert_int_eq(pc_interrupt(&rig), 0x51);
}
END_TEST

START_TEST(exits)
{
    pc_out(&rig, 0xf4, 4, 0x10);
    ck_assert_int_eq(rig.board->request, BOARD_EXIT);
    ck_assert_uint_eq(pc_exit_status(rig.pc), 0x21);
    rig.board->request = BOARD_NONE;
    pc_config_write(&rig, 1 << 3 | 3, 0x40, 4, 0x600);
    pc_config_write(&rig, 1 << 3 | 3, 0x80, 1, 1);
    pc_out(&rig, 0x604, 2, 0x2000);
    ck_assert_int_eq(rig.board->request, BOARD_POWER_OFF);
}
END_TEST

static uint32_t noise(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

/* Ports where something answers, more often than others. */
static uint16_t some_port(uint32_t *seed)
{
    static const uint16_t base[] = {0x00,  0x20,  0x40,  0x60,  0x70,   0x80,   0xa0,  0xc0,
                                    0x170, 0x1f0, 0x1ce, 0x3b0, 0x3c0,  0x3d0,  0x3f0, 0x3f8,
                                    0x4d0, 0x510, 0x600, 0xcf8, 0xc000, 0xd000, 0x370, 0xb0};
    uint32_t r = noise(seed);
    return r % 8 ? (uint16_t)(base[r / 8 % ARRAY_LEN(base)] + (r >> 16) % 16) : (uint16_t)(r >> 16);
}

static uint32_t some_address(uint32_t *seed)
{
    static const uint32_t base[] = {0xa0000,    0xb8000,    0xc0000,    0xe0000000,
                                    0xfec00000, 0xfee00000, 0xfffff000, 0x1000000};
    uint32_t r = noise(seed);
    return base[r % ARRAY_LEN(base)] + ((r >> 8) & 0xffc);
}

START_TEST(hammer)
{
    static struct vga_picture picture;
    uint32_t seed = 0x1234567u + (uint32_t)_i;
    picture.pixel = malloc(sizeof(uint32_t) * VGA_MAX_WIDTH * VGA_MAX_HEIGHT);
    ck_assert_ptr_nonnull(picture.pixel);
    for (unsigned n = 0; n < 150000; n++) {
        uint32_t r = noise(&seed), size = 1u << (r % 3), value = noise(&seed);
        switch (r >> 4 & 7) {
        case 0:
        case 1:
        case 2:
            pc_out(&rig, some_port(&seed), size, value >> (r >> 8 & 24));
            break;
        case 3:
        case 4:
            pc_in(&rig, some_port(&seed), size);
            break;
        case 5:
            bus_write(rig.bus, some_address(&seed), size, value);
            break;
        case 6:
            bus_read(rig.bus, some_address(&seed), size);
            break;
        default:
            i8042_key(pc_i8042(rig.pc), value & 0xff, value & 0x100);
            i8042_move(pc_i8042(rig.pc), (int)value, (int)~value, (int)value, value);
        }
        pc_interrupt(&rig);
        rig.board->request = BOARD_NONE;
        if (n % 512 == 0)
            pc_pass_ns(&rig, value % 3000000);
        if (n % 8192 == 0)
            vga_draw(pc_vga(rig.pc), &picture);
    }
    board_reset(rig.board);
    ck_assert_uint_eq(cmos(0x0d), 0x80);
    free(picture.pixel);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("pc_devices");
    TCase *t = tcase_create("devices");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 120);
    tcase_add_test(t, bus_splits_and_ends);
    tcase_add_test(t, pic_priorities);
    tcase_add_test(t, pit_counts);
    tcase_add_test(t, rtc_time);
    tcase_add_test(t, keyboard_and_mouse);
    tcase_add_test(t, uart_registers);
    tcase_add_test(t, ide_pio);
    tcase_add_test(t, ide_bus_master);
    tcase_add_test(t, atapi_reads);
    tcase_add_test(t, floppy_reads_by_dma);
    tcase_add_test(t, shadow_ram);
    tcase_add_test(t, vga_planes_and_text);
    tcase_add_test(t, vga_linear);
    tcase_add_test(t, virtio_disk);
    tcase_add_test(t, local_apic);
    tcase_add_test(t, exits);
    tcase_add_loop_test(t, hammer, 0, 4);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
