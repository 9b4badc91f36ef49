/* SPDX-License-Identifier: MIT */
/*
 * The channels: task file, data register, bus master (after the PIIX3's data
 * sheet and ATA-6). Media answer at once: a command is over, or its data is there,
 * when the write to the command register returns.
 *
 * Invariants: a drive's chunk lies in buffer[at..end); in phases IN, OUT and
 * PACKET DRQ is set; the channel's line is up while `intrq` is set and nIEN clear.
 */
#include "devices/pc/ide_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { CONTROL_NIEN = 2, CONTROL_RESET = 4, CONTROL_HOB = 0x80 };
enum { BM_START = 1, BM_TO_MEMORY = 8, BM_ACTIVE = 1, BM_ERROR = 2, BM_INTERRUPT = 4 };
#define DEVICE_SLAVE 0x10

struct ide {
    struct board_device dev;
    struct board *board;
    struct pci_function function;
    struct ide_channel channel[2];
};

void ide_put_word(uint8_t *to, unsigned word, unsigned value)
{
    to[2 * word] = (uint8_t)value;
    to[2 * word + 1] = (uint8_t)(value >> 8);
}

void ide_put_text(uint8_t *to, unsigned word, unsigned words, const char *text)
{
    size_t len = strlen(text);
    for (unsigned i = 0; i < 2 * words; i++)
        to[2 * word + (i ^ 1)] = i < len ? (uint8_t)text[i] : ' ';
}

struct ide_geometry ide_geometry(uint64_t sectors)
{
    uint64_t cylinders = sectors / (16 * 63);
    struct ide_geometry g = {cylinders > 16383 ? 16383
                             : cylinders       ? (unsigned)cylinders
                                               : 1,
                             16, 63};
    return g;
}

static void update_irq(struct ide_channel *c)
{
    irq_set(&c->irq, c->intrq && !(c->control & CONTROL_NIEN));
}

void ide_interrupt(struct ide_drive *d)
{
    struct ide_channel *c = d->channel;
    c->intrq = 1;
    c->bm_status |= BM_INTERRUPT;
    update_irq(c);
}

void ide_finish(struct ide_drive *d)
{
    d->phase = IDE_IDLE;
    d->status = IDE_READY | IDE_DSC;
    ide_interrupt(d);
}

void ide_abort(struct ide_drive *d, uint8_t error)
{
    d->phase = IDE_IDLE;
    d->error = error;
    d->status = IDE_READY | IDE_DSC | IDE_ERR;
    ide_interrupt(d);
}

/* The next chunk of an IN; false: the medium failed, and that was told. */
static bool load_chunk(struct ide_drive *d)
{
    uint32_t n = d->bytes < d->chunk ? (uint32_t)d->bytes : d->chunk;
    if (medium_read(d->image, d->position, d->buffer, n)) {
        ide_abort(d, IDE_BAD);
        return false;
    }
    d->at = 0;
    d->end = n;
    d->position += n;
    d->bytes -= n;
    return true;
}

static void announce_in(struct ide_drive *d)
{
    d->phase = IDE_IN;
    d->status = IDE_READY | IDE_DSC | IDE_DRQ;
    if (d->packet)
        atapi_announce(d);
    ide_interrupt(d);
}

void ide_begin_in(struct ide_drive *d)
{
    if (!d->from_image || load_chunk(d))
        announce_in(d);
}

void ide_begin_out(struct ide_drive *d)
{
    d->phase = IDE_OUT;
    d->at = 0;
    d->end = d->bytes < d->chunk ? (uint32_t)d->bytes : d->chunk;
    d->status = IDE_READY | IDE_DSC | IDE_DRQ;
}

static void in_drained(struct ide_drive *d)
{
    if (d->from_image && d->bytes)
        ide_begin_in(d);
    else if (d->packet)
        atapi_finish(d);
    else { /* the last sector was announced by its own interrupt */
        d->phase = IDE_IDLE;
        d->status = IDE_READY | IDE_DSC;
    }
}

static void out_filled(struct ide_drive *d)
{
    if (d->phase == IDE_PACKET) {
        atapi_packet(d);
        return;
    }
    if (medium_write(d->image, d->position, d->buffer, d->end)) {
        ide_abort(d, IDE_ABORTED);
        return;
    }
    d->position += d->end;
    d->bytes -= d->end;
    if (!d->bytes) {
        ide_finish(d);
        return;
    }
    ide_begin_out(d);
    ide_interrupt(d);
}

static uint32_t data_read(struct ide_drive *d, unsigned size)
{
    uint32_t v = 0;
    if (d->phase != IDE_IN)
        return 0;
    for (unsigned i = 0; i < size && d->at + i < d->end; i++)
        v |= (uint32_t)d->buffer[d->at + i] << (8 * i);
    d->at = d->at + size < d->end ? d->at + size : d->end;
    if (d->at == d->end)
        in_drained(d);
    return v;
}

static void data_write(struct ide_drive *d, unsigned size, uint32_t v)
{
    if (d->phase != IDE_OUT && d->phase != IDE_PACKET)
        return;
    for (unsigned i = 0; i < size && d->at + i < d->end; i++)
        d->buffer[d->at + i] = (uint8_t)(v >> (8 * i));
    d->at = d->at + size < d->end ? d->at + size : d->end;
    if (d->at == d->end)
        out_filled(d);
}

static struct ide_drive *selected(struct ide_channel *c)
{
    return &c->drive[c->selected];
}

static uint8_t task_file(const struct ide_channel *c, const struct ide_drive *d, unsigned offset)
{
    unsigned hob = c->control & CONTROL_HOB ? 1 : 0;
    switch (offset) {
    case 1:
        return d->error;
    case 2:
        return d->count[hob];
    case 3:
        return d->low[hob];
    case 4:
        return d->mid[hob];
    case 5:
        return d->high[hob];
    case 6:
        return d->device;
    default:
        return d->status;
    }
}

/* Where no drive is, nothing drives the bus: zeroes. */
static uint32_t channel_read(void *opaque, uint32_t offset, unsigned size)
{
    struct ide_channel *c = opaque;
    struct ide_drive *d = selected(c);
    if (offset == 0)
        return d->exists ? data_read(d, size) : UINT32_MAX;
    if (size != 1)
        return UINT32_MAX;
    if (!d->exists)
        return offset == 6 && c->drive[0].exists ? d->device : 0;
    if (offset == 7) {
        c->intrq = 0;
        update_irq(c);
    }
    return task_file(c, d, offset);
}

static void write_pair(uint8_t reg[2], uint8_t v)
{
    reg[1] = reg[0];
    reg[0] = v;
}

/* The task file is written to both drives. */
static void write_task_file(struct ide_drive *d, unsigned offset, uint8_t v)
{
    switch (offset) {
    case 1:
        d->features = v;
        break;
    case 2:
        write_pair(d->count, v);
        break;
    case 3:
        write_pair(d->low, v);
        break;
    case 4:
        write_pair(d->mid, v);
        break;
    case 5:
        write_pair(d->high, v);
        break;
    case 6:
        d->device = v | 0xa0;
        break;
    }
}

static void channel_write(void *opaque, uint32_t offset, unsigned size, uint32_t v)
{
    struct ide_channel *c = opaque;
    if (offset == 0) {
        data_write(selected(c), size, v);
        return;
    }
    if (size != 1)
        return;
    if (offset == 7) {
        c->intrq = 0;
        update_irq(c);
        if (selected(c)->exists || v == 0x90)
            ata_command(selected(c), (uint8_t)v);
        return;
    }
    c->control &= (uint8_t)~CONTROL_HOB;
    for (unsigned i = 0; i < 2; i++)
        write_task_file(&c->drive[i], offset, (uint8_t)v);
    if (offset == 6)
        c->selected = v & DEVICE_SLAVE ? 1 : 0;
}

static uint32_t control_read(void *opaque, uint32_t offset, unsigned size)
{
    struct ide_channel *c = opaque;
    (void)offset, (void)size;
    return selected(c)->exists ? selected(c)->status : 0;
}

static void control_write(void *opaque, uint32_t offset, unsigned size, uint32_t v)
{
    struct ide_channel *c = opaque;
    bool begins = (v & CONTROL_RESET) && !(c->control & CONTROL_RESET);
    bool ends = !(v & CONTROL_RESET) && (c->control & CONTROL_RESET);
    (void)offset, (void)size;
    c->control = (uint8_t)v;
    for (unsigned i = 0; i < 2; i++) {
        if (begins) {
            ata_reset(&c->drive[i]);
            c->drive[i].status = IDE_BUSY;
        } else if (ends) {
            ata_set_signature(&c->drive[i]);
        }
    }
    if (begins) {
        c->intrq = 0;
        c->selected = 0;
    }
    update_irq(c);
}

static const struct bus_ops channel_ops = {channel_read, channel_write, 7};
static const struct bus_ops control_ops = {control_read, control_write, 1};

/* One entry of the table that the guest laid out: address, length (0: 64 KiB), last. */
struct region {
    uint32_t address, len;
    bool last;
};

static struct region next_region(struct bus *bus, uint32_t *table)
{
    uint8_t raw[8];
    bus_read_bytes(bus, *table, raw, sizeof(raw));
    *table += 8;
    struct region r = {raw[0] | (uint32_t)raw[1] << 8 | (uint32_t)raw[2] << 16 |
                           (uint32_t)raw[3] << 24,
                       (raw[4] | (uint32_t)raw[5] << 8) & 0xfffe, raw[7] & 0x80};
    r.address &= ~1u;
    if (!r.len)
        r.len = 65536;
    return r;
}

/* Moves up to `len` bytes between a chunk and memory; false: the medium failed. */
static bool move_piece(struct ide_drive *d, struct bus *bus, uint32_t address, uint32_t len)
{
    if (d->phase == IDE_DMA_IN) {
        bus_write_bytes(bus, address, d->buffer + d->at, len);
    } else {
        bus_read_bytes(bus, address, d->buffer, len);
        if (medium_write(d->image, d->position, d->buffer, len))
            return false;
        d->position += len;
        d->bytes -= len;
    }
    return true;
}

/* Bytes that can be moved at once now; loads a chunk of an IN if there is none. 0: none left. */
static uint32_t movable(struct ide_drive *d, bool *failed)
{
    if (d->phase == IDE_DMA_OUT)
        return d->bytes < IDE_BUFFER ? (uint32_t)d->bytes : IDE_BUFFER;
    if (d->at == d->end && d->from_image && d->bytes)
        *failed = !load_chunk(d);
    return *failed ? 0 : d->end - d->at;
}

static bool fill_region(struct ide_drive *d, struct bus *bus, const struct region *r)
{
    bool failed = false;
    for (uint32_t done = 0; done < r->len;) {
        uint32_t n = movable(d, &failed), room = r->len - done;
        if (!n)
            return !failed;
        n = n < room ? n : room;
        if (!move_piece(d, bus, r->address + done, n)) {
            ide_abort(d, IDE_ABORTED);
            return false;
        }
        if (d->phase == IDE_DMA_IN)
            d->at += n;
        done += n;
    }
    return true;
}

static bool has_data(const struct ide_drive *d)
{
    return d->bytes || (d->phase == IDE_DMA_IN && d->at < d->end);
}

/* Runs the table to its end, or until all data has moved. A table that never ends is cut off. */
static void run_bus_master(struct ide_channel *c)
{
    struct ide_drive *d = selected(c);
    struct bus *bus = c->ide->board->bus;
    uint32_t table = c->bm_table;
    bool in = c->bm_command & BM_TO_MEMORY;
    if (!(c->bm_status & BM_ACTIVE) || d->phase != (in ? IDE_DMA_IN : IDE_DMA_OUT))
        return;
    for (unsigned entries = 0; has_data(d) && entries < 8192; entries++) {
        struct region r = next_region(bus, &table);
        if (!fill_region(d, bus, &r)) {
            c->bm_status |= BM_ERROR;
            c->bm_status &= (uint8_t)~BM_ACTIVE;
            return;
        }
        if (r.last && has_data(d))
            break; /* too short a table: the drive waits for more */
        if (r.last || !has_data(d)) {
            if (r.last)
                c->bm_status &= (uint8_t)~BM_ACTIVE;
            break;
        }
    }
    if (has_data(d))
        return;
    if (d->packet)
        atapi_finish(d);
    else
        ide_finish(d);
}

void ide_begin_dma(struct ide_drive *d, bool in)
{
    d->phase = in ? IDE_DMA_IN : IDE_DMA_OUT;
    d->status = IDE_READY | IDE_DSC | IDE_DRQ;
    d->chunk = IDE_BUFFER;
    if (d->from_image)
        d->at = d->end = 0;
    run_bus_master(d->channel);
}

static void write_bm_command(struct ide_channel *c, uint8_t v)
{
    bool starts = (v & BM_START) && !(c->bm_command & BM_START);
    c->bm_command = v & (BM_START | BM_TO_MEMORY);
    if (!(v & BM_START))
        c->bm_status &= (uint8_t)~BM_ACTIVE;
    if (!starts)
        return;
    c->bm_status |= BM_ACTIVE;
    run_bus_master(c);
}

static uint32_t bm_read(void *opaque, uint32_t offset, unsigned size)
{
    struct ide *ide = opaque;
    struct ide_channel *c = &ide->channel[offset >> 3];
    unsigned at = offset & 7;
    (void)size;
    if (at == 0)
        return c->bm_command;
    if (at == 2)
        return c->bm_status;
    return at >= 4 ? c->bm_table >> (8 * (at - 4)) & 0xff : 0;
}

static void bm_write(void *opaque, uint32_t offset, unsigned size, uint32_t v)
{
    struct ide *ide = opaque;
    struct ide_channel *c = &ide->channel[offset >> 3];
    unsigned at = offset & 7, shift = 8 * (at & 3);
    (void)size;
    if (at == 0)
        write_bm_command(c, (uint8_t)v);
    else if (at == 2)
        c->bm_status = (uint8_t)((c->bm_status & 1) | (v & 0x60) |
                                 (c->bm_status & ~v & (BM_ERROR | BM_INTERRUPT)));
    else if (at >= 4)
        c->bm_table = ((c->bm_table & ~(0xffu << shift)) | (v & 0xff) << shift) & ~3u;
}

static const struct bus_ops bm_ops = {bm_read, bm_write, 1};

static void ide_reset(struct board_device *dev)
{
    struct ide *ide = CONTAINER_OF(dev, struct ide, dev);
    for (unsigned i = 0; i < 2; i++) {
        struct ide_channel *c = &ide->channel[i];
        c->selected = c->control = c->intrq = c->bm_command = c->bm_status = 0;
        c->bm_table = 0;
        for (unsigned k = 0; k < 2; k++) {
            ata_reset(&c->drive[k]);
            ata_set_signature(&c->drive[k]);
        }
        update_irq(c);
    }
}

static void ide_destroy(struct board_device *dev)
{
    free(CONTAINER_OF(dev, struct ide, dev));
}

static bool drive_valid(const struct ide_drive *d)
{
    bool writes = d->phase == IDE_OUT || d->phase == IDE_DMA_OUT;
    return d->phase <= IDE_DMA_OUT && d->at <= d->end && d->end <= IDE_BUFFER &&
           d->chunk <= IDE_BUFFER && d->multiple <= IDE_BUFFER / IDE_SECTOR &&
           ((!writes && !d->from_image) || (d->image && d->chunk));
}

static bool ide_valid(const struct board_device *dev)
{
    const struct ide *ide = CONTAINER_OF(dev, const struct ide, dev);
    bool valid = ide->channel[0].selected < 2 && ide->channel[1].selected < 2;
    for (unsigned i = 0; i < 4; i++)
        valid = valid && drive_valid(&ide->channel[i / 2].drive[i % 2]);
    return valid;
}

#define DRIVE(c, d, member)                                                                        \
    {                                                                                              \
        "drive." #member, offsetof(struct ide, channel[c].drive[d].member),                        \
            sizeof(((struct ide *)0)->channel[c].drive[d].member), 1, STATE_BYTES, 0               \
    }
#define DRIVE_BUFFER(c, d)                                                                         \
    {                                                                                              \
        "drive.buffer", offsetof(struct ide, channel[c].drive[d].buffer), 4, IDE_BUFFER / 4,       \
            STATE_UINT, 0                                                                          \
    }
#define DRIVE_FIELDS(c, d)                                                                         \
    DRIVE(c, d, error), DRIVE(c, d, features), DRIVE(c, d, status), DRIVE(c, d, device),           \
        DRIVE(c, d, multiple), DRIVE(c, d, count), DRIVE(c, d, low), DRIVE(c, d, mid),             \
        DRIVE(c, d, high), DRIVE(c, d, phase), DRIVE(c, d, lba48), DRIVE(c, d, sense),             \
        DRIVE(c, d, sense_code), DRIVE(c, d, disc_changed), DRIVE(c, d, packet), DRIVE(c, d, at),  \
        DRIVE(c, d, end), DRIVE(c, d, chunk), DRIVE(c, d, position), DRIVE(c, d, bytes),           \
        DRIVE(c, d, from_image), DRIVE(c, d, cylinders), DRIVE(c, d, heads), DRIVE(c, d, sectors), \
        DRIVE_BUFFER(c, d)
#define CHANNEL_FIELDS(c)                                                                          \
    DRIVE_FIELDS(c, 0), DRIVE_FIELDS(c, 1), STATE_U(struct ide, channel[c].selected),              \
        STATE_U(struct ide, channel[c].control), STATE_U(struct ide, channel[c].intrq),            \
        STATE_U(struct ide, channel[c].bm_command), STATE_U(struct ide, channel[c].bm_status),     \
        STATE_U(struct ide, channel[c].bm_table)
static const struct state_field fields[] = {
    {"config", offsetof(struct ide, function.config), 256, 1, STATE_BYTES, 0},
    CHANNEL_FIELDS(0),
    CHANNEL_FIELDS(1)};
static const struct state_list state = {"ide", 1, ARRAY_LEN(fields), fields};
static const struct board_device_ops ops = {
    .name = "ide", .reset = ide_reset, .destroy = ide_destroy, .state = &state, .valid = ide_valid};

static void init_channel(struct ide *ide, unsigned i, const struct ide_config *config)
{
    struct ide_channel *c = &ide->channel[i];
    c->ide = ide;
    c->irq = i ? config->irq15 : config->irq14;
    for (unsigned k = 0; k < 2; k++) {
        const struct ide_drive_config *from = &config->drive[2 * i + k];
        struct ide_drive *d = &c->drive[k];
        d->channel = c;
        d->image = from->image;
        d->cdrom = from->cdrom;
        d->exists = from->image || from->cdrom;
    }
}

static int add_function(struct ide *ide, struct pci *pci)
{
    static const struct pci_identity identity = {.vendor = 0x8086,
                                                 .device = 0x7010,
                                                 .subsystem_vendor = 0x1af4,
                                                 .subsystem = 0x1100,
                                                 .class_code = 0x010180};
    struct bus_region_config config = {.name = "ide-dma",
                                       .space = BUS_PORTS,
                                       .len = 16,
                                       .ops = &bm_ops,
                                       .opaque = ide,
                                       .priority = BUS_NORMAL};
    struct bus_region *region;
    int err = bus_region_create(ide->board->bus, &config, &region);
    if (err)
        return err;
    pci_function_init(&ide->function, &identity);
    pci_function_set_bar(&ide->function, 4, true, 16, region);
    pci_put(&ide->function, 0x40, 4, 0x80008000); /* both channels decode */
    for (unsigned i = 0x40; i < 0x45; i++)
        ide->function.writable[i] = 0xff;
    pci_add(pci, PCI_DEVFN(1, 1), &ide->function);
    return 0;
}

int ide_create(struct board *board, struct pci *pci, const struct ide_config *config)
{
    struct ide *ide = calloc(1, sizeof(*ide));
    if (!ide)
        return -ENOMEM;
    ide->dev.ops = &ops;
    ide->board = board;
    board_add(board, &ide->dev);
    int err = 0;
    for (unsigned i = 0; !err && i < 2; i++) {
        init_channel(ide, i, config);
        err =
            bus_add_ports(board->bus, "ide", i ? 0x170 : 0x1f0, 8, &channel_ops, &ide->channel[i]);
        if (!err)
            err = bus_add_ports(board->bus, "ide-control", i ? 0x376 : 0x3f6, 1, &control_ops,
                                &ide->channel[i]);
    }
    if (!err && pci)
        err = add_function(ide, pci);
    if (!err)
        ide_reset(&ide->dev);
    return err;
}
