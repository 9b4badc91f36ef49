/* SPDX-License-Identifier: MIT */
/*
 * 82077AA after Intel's data sheet: command, execution and result phases. A drive is as
 * large as its image says; formats of other sizes are not there. Transfers go by DMA, or
 * byte by byte through the FIFO where the guest switched DMA off.
 *
 * Invariant: `phase` says what the data register is for; in EXECUTE, `at` counts bytes of the
 * sector in `sector`.
 */
#include "devices/pc/floppy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SECTOR 512u

enum phase { COMMAND, EXECUTE_IN, EXECUTE_OUT, RESULT };
enum { DOR_RESET = 4, DOR_IRQ = 8 };
enum { MSR_BUSY = 0x10, MSR_NO_DMA = 0x20, MSR_IN = 0x40, MSR_READY = 0x80 };
enum { ST0_SEEK_END = 0x20, ST0_ABNORMAL = 0x40, ST0_INVALID = 0x80, ST0_NOT_READY = 0x08 };

struct geometry {
    uint8_t tracks, heads, sectors, type;
};

struct floppy {
    struct board_device dev;
    struct board *board;
    struct floppy_config c;
    uint8_t dor, rate, phase;
    uint8_t in[16], in_count, in_need;
    uint8_t out[16], out_count, out_at;
    uint8_t track[2], sense_st0, sense_pending,
        resets; /* `resets`: senses that are due after one */
    uint8_t no_dma, head, sector_number, last_sector, many;
    uint8_t changed[2], locked, irq;
    uint8_t config[3];
    uint16_t at;
    uint8_t sector[SECTOR];
};

static struct floppy *self(struct board_device *dev)
{
    return CONTAINER_OF(dev, struct floppy, dev);
}

static struct geometry geometry_of(const struct medium *medium)
{
    static const struct {
        uint32_t sectors;
        struct geometry g;
    } row[] = {{320, {40, 1, 8, 1}},   {360, {40, 1, 9, 1}},   {640, {40, 2, 8, 1}},
               {720, {40, 2, 9, 1}},   {1440, {80, 2, 9, 3}},  {2400, {80, 2, 15, 2}},
               {2880, {80, 2, 18, 4}}, {3360, {80, 2, 21, 4}}, {5760, {80, 2, 36, 5}}};
    uint64_t sectors = medium ? (medium_bytes(medium) + SECTOR - 1) / SECTOR : 0;
    for (unsigned i = 0; i < ARRAY_LEN(row); i++) {
        if (row[i].sectors >= sectors)
            return row[i].g;
    }
    return row[6].g; /* of a larger image the first 1.44 MB are seen */
}

uint8_t floppy_type(const struct medium *medium)
{
    return medium ? geometry_of(medium).type : 0;
}

static unsigned drive(const struct floppy *f)
{
    return f->in[1] & 1;
}

static struct medium *medium_in(const struct floppy *f, unsigned n)
{
    return n < 2 ? f->c.medium[n] : NULL;
}

static void set_irq(struct floppy *f, bool level)
{
    f->irq = level;
    irq_set(&f->c.irq6, level && (f->dor & DOR_IRQ));
}

static void begin_result(struct floppy *f, const uint8_t *bytes, unsigned count)
{
    memcpy(f->out, bytes, count);
    f->out_count = (uint8_t)count;
    f->out_at = 0;
    f->phase = RESULT;
}

static void end_command(struct floppy *f)
{
    f->phase = COMMAND;
    f->in_count = 0;
}

static uint8_t status0(const struct floppy *f)
{
    return (uint8_t)((f->in[1] & 3) | (f->head & 1) << 2);
}

/* The seven bytes that every transfer ends with. */
static void end_transfer(struct floppy *f, uint8_t st0, uint8_t st1)
{
    unsigned n = drive(f);
    uint8_t result[7] = {
        (uint8_t)(status0(f) | st0), st1, 0, f->track[n], f->head, f->sector_number, 2};
    begin_result(f, result, sizeof(result));
    set_irq(f, true);
}

/* Where the current sector lies; UINT64_MAX: not on the disk. */
static uint64_t sector_place(const struct floppy *f)
{
    unsigned n = drive(f);
    struct geometry g = geometry_of(medium_in(f, n));
    if (f->track[n] >= g.tracks || f->head >= g.heads || !f->sector_number ||
        f->sector_number > g.sectors)
        return UINT64_MAX;
    return (((uint64_t)f->track[n] * g.heads + f->head) * g.sectors + f->sector_number - 1) *
           SECTOR;
}

/* False: the command has ended, in failure. */
static bool load_sector(struct floppy *f)
{
    uint64_t place = sector_place(f);
    f->at = 0;
    if (place == UINT64_MAX || medium_read(medium_in(f, drive(f)), place, f->sector, SECTOR)) {
        end_transfer(f, ST0_ABNORMAL, 0x04); /* no such sector */
        return false;
    }
    return true;
}

static bool store_sector(struct floppy *f)
{
    struct medium *m = medium_in(f, drive(f));
    uint64_t place = sector_place(f);
    f->at = 0;
    if (place == UINT64_MAX)
        end_transfer(f, ST0_ABNORMAL, 0x04);
    else if (medium_is_readonly(m) || medium_write(m, place, f->sector, SECTOR))
        end_transfer(f, ST0_ABNORMAL, 0x02); /* not writable */
    else
        return true;
    return false;
}

/* To the sector after this one; false: that was the last. */
static bool next_sector(struct floppy *f)
{
    if (f->sector_number < f->last_sector) {
        f->sector_number++;
        return true;
    }
    f->sector_number = 1;
    if (f->many && !f->head) {
        f->head = 1;
        return true;
    }
    f->head = f->many ? 0 : f->head;
    f->track[drive(f)]++;
    return false;
}

static void run_dma_in(struct floppy *f)
{
    bool ended = false;
    while (!ended && load_sector(f)) {
        uint32_t n = dma_transfer(f->c.dma, 2, true, f->sector, SECTOR, &ended);
        bool more = n == SECTOR && next_sector(f);
        if (ended || n < SECTOR || !more) {
            end_transfer(f, ended ? 0 : ST0_ABNORMAL, ended ? 0 : n < SECTOR ? 0x10 : 0x80);
            return;
        }
    }
}

static void run_dma_out(struct floppy *f)
{
    bool ended = false;
    while (!ended) {
        memset(f->sector, 0, SECTOR);
        uint32_t n = dma_transfer(f->c.dma, 2, false, f->sector, SECTOR, &ended);
        if (n && !store_sector(f))
            return;
        bool more = n && next_sector(f);
        if (ended || n < SECTOR || !more) {
            end_transfer(f, ended ? 0 : ST0_ABNORMAL, ended ? 0 : n < SECTOR ? 0x10 : 0x80);
            return;
        }
    }
}

static void begin_transfer(struct floppy *f, bool in)
{
    unsigned n = drive(f);
    f->many = f->in[0] >> 7;
    f->track[n] = f->in[2];
    f->head = f->in[3] & 1;
    f->sector_number = f->in[4];
    f->last_sector = f->in[6];
    if ((f->in[1] & 3) > 1 || !medium_in(f, n)) {
        end_transfer(f, ST0_ABNORMAL | ST0_NOT_READY, 0x01);
        return;
    }
    if (!f->no_dma) {
        if (in)
            run_dma_in(f);
        else
            run_dma_out(f);
        return;
    }
    f->at = 0;
    if (in && !load_sector(f))
        return;
    f->phase = in ? EXECUTE_IN : EXECUTE_OUT;
    set_irq(f, true);
}

static void seek(struct floppy *f, uint8_t track)
{
    unsigned n = drive(f);
    f->track[n] = track;
    f->changed[n] = 0;
    f->sense_st0 = (uint8_t)(ST0_SEEK_END | (f->in[1] & 7));
    if ((f->in[1] & 3) > 1 || !medium_in(f, n))
        f->sense_st0 |= ST0_ABNORMAL | 0x10;
    f->sense_pending = 1;
    end_command(f);
    set_irq(f, true);
}

static void sense_interrupt(struct floppy *f)
{
    uint8_t result[2] = {ST0_INVALID, f->track[drive(f)]};
    unsigned count = 1;
    if (f->resets) { /* after a reset each of four drives is told */
        result[0] = (uint8_t)(0xc0 | (4 - f->resets));
        result[1] = 0;
        f->resets--;
        count = 2;
    } else if (f->sense_pending) {
        result[0] = f->sense_st0;
        result[1] = f->track[f->sense_st0 & 1];
        f->sense_pending = 0;
        count = 2;
    }
    set_irq(f, false);
    begin_result(f, result, count);
}

static void sense_drive(struct floppy *f)
{
    unsigned n = drive(f);
    const struct medium *m = medium_in(f, n);
    uint8_t st3 = (uint8_t)(0x28 | (f->in[1] & 7) | (f->track[n] == 0) << 4 |
                            (m && medium_is_readonly(m)) << 6);
    begin_result(f, &st3, 1);
}

static void read_id(struct floppy *f)
{
    unsigned n = drive(f);
    struct geometry g = geometry_of(medium_in(f, n));
    f->head = f->in[1] >> 2 & 1;
    f->sector_number = 1;
    if ((f->in[1] & 3) > 1 || !medium_in(f, n) || f->track[n] >= g.tracks || f->head >= g.heads)
        end_transfer(f, ST0_ABNORMAL, 0x01);
    else
        end_transfer(f, 0, 0);
}

/* Formatting fills the track; the sector numbers that the guest wants are taken and ignored. */
static void format_track(struct floppy *f)
{
    unsigned n = drive(f), count = f->in[3];
    bool ended;
    f->head = f->in[1] >> 2 & 1;
    for (f->sector_number = 1; f->sector_number <= count; f->sector_number++) {
        uint8_t id[4];
        dma_transfer(f->c.dma, 2, false, id, 4, &ended);
        memset(f->sector, f->in[5], SECTOR);
        if (!medium_in(f, n) || !store_sector(f)) {
            if (f->phase != RESULT)
                end_transfer(f, ST0_ABNORMAL | ST0_NOT_READY, 0x01);
            return;
        }
    }
    end_transfer(f, 0, 0);
}

static void dump_registers(struct floppy *f)
{
    uint8_t r[10] = {
        f->track[0],  f->track[1], 0, 0, 0, f->no_dma, f->last_sector, (uint8_t)(f->locked << 7),
        f->config[1], f->config[2]};
    begin_result(f, r, sizeof(r));
}

static void invalid(struct floppy *f)
{
    uint8_t st0 = ST0_INVALID;
    begin_result(f, &st0, 1);
}

static void version(struct floppy *f)
{
    uint8_t v = 0x90; /* an 82077 */
    begin_result(f, &v, 1);
}

static void lock(struct floppy *f)
{
    f->locked = f->in[0] >> 7;
    uint8_t v = (uint8_t)(f->locked << 4);
    begin_result(f, &v, 1);
}

/* Bytes of a command, with its first. */
static unsigned length_of(uint8_t first)
{
    switch (first & 0x1f) {
    case 0x02: /* read track */
    case 0x05: /* write */
    case 0x06: /* read */
    case 0x09: /* write deleted */
    case 0x0c: /* read deleted */
    case 0x16: /* verify */
        return 9;
    case 0x0d: /* format */
        return 6;
    case 0x03: /* specify */
    case 0x0f: /* seek */
        return 3;
    case 0x04: /* sense drive */
    case 0x07: /* recalibrate */
    case 0x0a: /* read id */
    case 0x12: /* perpendicular mode */
        return 2;
    case 0x13: /* configure */
        return 4;
    default:
        return 1;
    }
}

static void execute(struct floppy *f)
{
    switch (f->in[0] & 0x1f) {
    case 0x02:
    case 0x06:
    case 0x0c:
        begin_transfer(f, true);
        break;
    case 0x16:
        f->head = f->in[3] & 1;
        f->sector_number = f->in[6];
        end_transfer(f, 0, 0);
        break;
    case 0x05:
    case 0x09:
        begin_transfer(f, false);
        break;
    case 0x0d:
        format_track(f);
        break;
    case 0x03:
        f->no_dma = f->in[2] & 1;
        end_command(f);
        break;
    case 0x0f:
        seek(f, f->in[2]);
        break;
    case 0x07:
        seek(f, 0);
        break;
    case 0x08:
        sense_interrupt(f);
        break;
    case 0x04:
        sense_drive(f);
        break;
    case 0x0a:
        read_id(f);
        break;
    case 0x0e:
        dump_registers(f);
        break;
    case 0x10:
        version(f);
        break;
    case 0x12:
        end_command(f);
        break;
    case 0x13:
        memcpy(f->config, f->in + 1, 3);
        end_command(f);
        break;
    case 0x14:
        lock(f);
        break;
    default:
        invalid(f);
    }
}

static void take_command(struct floppy *f, uint8_t v)
{
    if (f->in_count == 0)
        f->in_need = (uint8_t)length_of(v);
    f->in[f->in_count++] = v;
    if (f->in_count < f->in_need)
        return;
    f->in_count = 0;
    execute(f);
}

static void sector_done(struct floppy *f)
{
    bool out = f->phase == EXECUTE_OUT;
    if (out && !store_sector(f))
        return;
    if (!next_sector(f))
        end_transfer(f, 0, 0);
    else if (!out)
        load_sector(f);
}

static uint8_t read_data(struct floppy *f)
{
    uint8_t v = 0;
    if (f->phase == RESULT) {
        set_irq(f, false);
        v = f->out[f->out_at++];
        if (f->out_at == f->out_count)
            end_command(f);
    } else if (f->phase == EXECUTE_IN) {
        v = f->sector[f->at++];
        if (f->at == SECTOR)
            sector_done(f);
    }
    return v;
}

static void write_data(struct floppy *f, uint8_t v)
{
    if (f->phase == COMMAND) {
        take_command(f, v);
    } else if (f->phase == EXECUTE_OUT) {
        f->sector[f->at++] = v;
        if (f->at == SECTOR)
            sector_done(f);
    }
}

static uint8_t main_status(const struct floppy *f)
{
    if (!(f->dor & DOR_RESET))
        return 0;
    uint8_t v = MSR_READY;
    if (f->phase != COMMAND || f->in_count)
        v |= MSR_BUSY;
    if (f->phase == RESULT || f->phase == EXECUTE_IN)
        v |= MSR_IN;
    if (f->phase == EXECUTE_IN || f->phase == EXECUTE_OUT)
        v |= MSR_NO_DMA;
    return v;
}

static void chip_reset(struct floppy *f)
{
    end_command(f);
    f->resets = 4;
    f->sense_pending = 0;
    f->track[0] = f->track[1] = 0;
    f->no_dma = 0;
}

static void write_dor(struct floppy *f, uint8_t v)
{
    bool leaves_reset = (v & DOR_RESET) && !(f->dor & DOR_RESET);
    f->dor = v;
    if (leaves_reset)
        chip_reset(f);
    set_irq(f, leaves_reset || (f->irq && (v & DOR_RESET)));
}

/* Offsets from 3F0h; 6 is the IDE channel's. */
static uint32_t floppy_read(void *opaque, uint32_t offset, unsigned size)
{
    struct floppy *f = opaque;
    (void)size;
    switch (offset) {
    case 2:
        return f->dor;
    case 3:
        return 0;
    case 4:
        return main_status(f);
    case 5:
        return read_data(f);
    default:
        return 0;
    }
}

static void floppy_write(void *opaque, uint32_t offset, unsigned size, uint32_t value)
{
    struct floppy *f = opaque;
    uint8_t v = (uint8_t)value;
    (void)size;
    if (offset == 2)
        write_dor(f, v);
    else if (offset == 4 && (v & 0x80)) {
        chip_reset(f);
        set_irq(f, true);
    } else if (offset == 5 && (f->dor & DOR_RESET))
        write_data(f, v);
}

/* Bit 7: the disk was changed since the last seek. */
static uint32_t dir_read(void *opaque, uint32_t offset, unsigned size)
{
    const struct floppy *f = opaque;
    unsigned n = f->dor & 1;
    (void)offset, (void)size;
    return f->changed[n] || !f->c.medium[n] ? 0x80 : 0;
}

static void rate_write(void *opaque, uint32_t offset, unsigned size, uint32_t value)
{
    (void)offset, (void)size;
    ((struct floppy *)opaque)->rate = value & 3;
}

static const struct bus_ops floppy_ops = {floppy_read, floppy_write, 1};
static const struct bus_ops rate_ops = {dir_read, rate_write, 1};

static void floppy_reset(struct board_device *dev)
{
    struct floppy *f = self(dev);
    f->dor = DOR_RESET | DOR_IRQ;
    chip_reset(f);
    f->resets = 0;
    f->changed[0] = f->changed[1] = 1;
    set_irq(f, false);
}

static void floppy_destroy(struct board_device *dev)
{
    free(self(dev));
}

/* A command and an answer lie in their arrays; a sector is under way only where there is a disk. */
static bool floppy_valid(const struct board_device *dev)
{
    const struct floppy *f = CONTAINER_OF(dev, const struct floppy, dev);
    bool moves = f->phase == EXECUTE_IN || f->phase == EXECUTE_OUT;
    if (f->in_count && (f->in_need > sizeof(f->in) || f->in_count >= f->in_need))
        return false;
    if (f->phase == RESULT && (f->out_count > sizeof(f->out) || f->out_at >= f->out_count))
        return false;
    return !moves || (f->at < SECTOR && medium_in(f, drive(f)));
}

#define FIELD(member) STATE_U(struct floppy, member)
#define RAW(member) STATE_RAW(struct floppy, member)
static const struct state_field fields[] = {
    FIELD(dor),         FIELD(rate),    FIELD(phase),     RAW(in),
    FIELD(in_count),    FIELD(in_need), RAW(out),         FIELD(out_count),
    FIELD(out_at),      RAW(track),     FIELD(sense_st0), FIELD(sense_pending),
    FIELD(resets),      FIELD(no_dma),  FIELD(head),      FIELD(sector_number),
    FIELD(last_sector), FIELD(many),    RAW(changed),     FIELD(locked),
    FIELD(irq),         RAW(config),    FIELD(at),        RAW(sector)};
static const struct state_list state = {"floppy", 1, ARRAY_LEN(fields), fields};
static const struct board_device_ops ops = {.name = "floppy",
                                            .reset = floppy_reset,
                                            .destroy = floppy_destroy,
                                            .state = &state,
                                            .valid = floppy_valid};

int floppy_create(struct board *board, const struct floppy_config *config)
{
    struct floppy *f = calloc(1, sizeof(*f));
    if (!f)
        return -ENOMEM;
    f->dev.ops = &ops;
    f->board = board;
    f->c = *config;
    board_add(board, &f->dev);
    floppy_reset(&f->dev);
    int err = bus_add_ports(board->bus, "floppy", 0x3f0, 6, &floppy_ops, f);
    return err ? err : bus_add_ports(board->bus, "floppy-rate", 0x3f7, 1, &rate_ops, f);
}
