/* SPDX-License-Identifier: MIT */
#include "testsuite/unit/board_rig.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void make_file(struct board_rig *rig, const char *name, unsigned sector, unsigned count,
                      bool readonly, struct medium **out)
{
    char path[128];
    struct why why;
    uint8_t data[2048] = {0};
    snprintf(path, sizeof(path), "%s/%s", rig->dir, name);
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    for (unsigned i = 0; i < count; i++) {
        memcpy(data, &i, sizeof(i));
        ck_assert_uint_eq(fwrite(data, 1, sector, f), sector);
    }
    fclose(f);
    ck_assert_int_eq(medium_open(path, readonly, out, &why), 0);
}

/* Media and the other end of the serial port. */
static void make_ends(struct board_rig *rig)
{
    struct why why = {""};
    char spec[128];
    strcpy(rig->dir, "/tmp/denali-pc.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(rig->dir));
    make_file(rig, "disk", 512, 8192, false, &rig->disk);
    make_file(rig, "disc", 2048, 64, true, &rig->disc);
    make_file(rig, "floppy", 512, 2880, false, &rig->floppy);
    make_file(rig, "virtio", 512, 64, false, &rig->virtio);
    snprintf(spec, sizeof(spec), "file:%s/serial", rig->dir);
    ck_assert_int_eq(serial_open(spec, &rig->serial, &why), 0);
}

void board_rig_make_config(struct board_rig *rig, struct pc_config *config)
{
    struct why why = {""};
    memset(rig, 0, sizeof(*rig));
    make_ends(rig);
    if (!config->engine)
        ck_assert_int_eq(interp_create(&config->engine), 0);
    rig->engine = config->engine;
    config->ram_bytes = config->ram_bytes ? config->ram_bytes : 16 * MIB;
    config->cpu = "max";
    config->deterministic = config->exit_port = config->is_cdrom[2] = true;
    config->drive[0] = rig->disk;
    config->drive[2] = rig->disc;
    config->floppy[0] = rig->floppy;
    config->virtio_disk = rig->virtio;
    config->serial[0] = config->debugcon = rig->serial;
    ck_assert_msg(pc_create(config, &rig->pc, &why) == 0, "%s", why.text);
    rig->bus = pc_bus(rig->pc);
    rig->board = pc_board(rig->pc);
}

void board_rig_make(struct board_rig *rig)
{
    struct pc_config config = {.ram_bytes = 16 * MIB};
    board_rig_make_config(rig, &config);
}

void board_rig_end(struct board_rig *rig)
{
    static const char *const names[] = {"disk", "disc", "floppy", "virtio", "serial"};
    char path[128];
    pc_destroy(rig->pc);
    rig->engine->ops->destroy(rig->engine);
    medium_close(rig->disk);
    medium_close(rig->disc);
    medium_close(rig->floppy);
    medium_close(rig->virtio);
    serial_close(rig->serial);
    for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
        snprintf(path, sizeof(path), "%s/%s", rig->dir, names[i]);
        unlink(path);
    }
    rmdir(rig->dir);
}

uint32_t pc_in(struct board_rig *rig, uint16_t port, unsigned size)
{
    return bus_in(rig->bus, port, size);
}

void pc_out(struct board_rig *rig, uint16_t port, unsigned size, uint32_t value)
{
    bus_out(rig->bus, port, size, value);
}

void pc_pass_ns(struct board_rig *rig, uint64_t ns)
{
    uint64_t end = clock_now_ns(rig->board->clock) + ns, next;
    while ((next = clock_run_due(rig->board->clock)) <= end)
        clock_advance_ns(rig->board->clock, next - clock_now_ns(rig->board->clock));
    clock_advance_ns(rig->board->clock, end - clock_now_ns(rig->board->clock));
    clock_run_due(rig->board->clock);
}

static void select_config(struct board_rig *rig, unsigned devfn, unsigned at)
{
    pc_out(rig, 0xcf8, 4, 0x80000000u | devfn << 8 | (at & 0xfc));
}

uint32_t pc_config_read(struct board_rig *rig, unsigned devfn, unsigned at, unsigned size)
{
    select_config(rig, devfn, at);
    return pc_in(rig, (uint16_t)(0xcfc + (at & 3)), size);
}

void pc_config_write(struct board_rig *rig, unsigned devfn, unsigned at, unsigned size,
                     uint32_t value)
{
    select_config(rig, devfn, at);
    pc_out(rig, (uint16_t)(0xcfc + (at & 3)), size, value);
}

void pc_setup_pics(struct board_rig *rig)
{
    static const uint8_t step[][2] = {{0x20, 0x11}, {0x21, 0x20}, {0x21, 4}, {0x21, 1},
                                      {0xa0, 0x11}, {0xa1, 0x28}, {0xa1, 2}, {0xa1, 1},
                                      {0x21, 0},    {0xa1, 0}};
    for (unsigned i = 0; i < ARRAY_LEN(step); i++)
        pc_out(rig, step[i][0], 1, step[i][1]);
}

int pc_interrupt(struct board_rig *rig)
{
    struct irq_pin *pin = pc_processor(rig->pc)->pc.pin;
    return pin->intr ? pin->ack(pin->opaque) : -1;
}

void pc_end_interrupt(struct board_rig *rig, int vector)
{
    if (vector >= 0x28)
        pc_out(rig, 0xa0, 1, 0x20);
    pc_out(rig, 0x20, 1, 0x20);
}
