/* SPDX-License-Identifier: MIT */
/* Commands of a disk (ATA-6), and those that a CD drive shares with it. */
#include "devices/pc/ide_private.h"

#include <errno.h>
#include <string.h>

#define MAX_MULTIPLE 16u
#define LBA 0x40

static uint64_t sectors_of(const struct ide_drive *d)
{
    return d->image ? (medium_bytes(d->image) + IDE_SECTOR - 1) / IDE_SECTOR : 0;
}

/* The registers of a drive after a reset tell its kind. */
void ata_set_signature(struct ide_drive *d)
{
    d->error = 1;
    d->count[0] = d->low[0] = 1;
    d->mid[0] = d->cdrom ? 0x14 : 0;
    d->high[0] = d->cdrom ? 0xeb : 0;
    d->device = 0xa0;
    d->status = d->cdrom ? 0 : IDE_READY | IDE_DSC;
    if (!d->exists)
        d->status = 0;
}

void ata_reset(struct ide_drive *d)
{
    struct ide_geometry g = ide_geometry(sectors_of(d));
    d->phase = IDE_IDLE;
    d->packet = d->lba48 = 0;
    d->at = d->end = 0;
    d->bytes = 0;
    d->cylinders = (uint16_t)g.cylinders;
    d->heads = (uint16_t)g.heads;
    d->sectors = (uint16_t)g.sectors;
    d->multiple = MAX_MULTIPLE;
    memset(d->count, 0, sizeof(d->count));
    memset(d->low, 0, sizeof(d->low));
    memset(d->mid, 0, sizeof(d->mid));
    memset(d->high, 0, sizeof(d->high));
}

static void identify(struct ide_drive *d)
{
    uint64_t sectors = sectors_of(d);
    uint32_t small = sectors > 0xfffffff ? 0xfffffff : (uint32_t)sectors;
    uint32_t chs = (uint32_t)d->cylinders * d->heads * d->sectors;
    struct ide_geometry g = ide_geometry(sectors);
    uint8_t *id = d->buffer;
    memset(id, 0, IDE_SECTOR);
    ide_put_word(id, 0, 0x0040);
    ide_put_word(id, 1, g.cylinders);
    ide_put_word(id, 3, g.heads);
    ide_put_word(id, 6, g.sectors);
    ide_put_text(id, 10, 10, "DN00001");
    ide_put_text(id, 23, 4, "1.0");
    ide_put_text(id, 27, 20, "DENALI HARDDISK");
    ide_put_word(id, 47, 0x8000 | MAX_MULTIPLE);
    ide_put_word(id, 48, 1);
    ide_put_word(id, 49, 0x0f00); /* IORDY, LBA, DMA */
    ide_put_word(id, 50, 0x4000);
    ide_put_word(id, 51, 0x0200);
    ide_put_word(id, 53, 7);
    ide_put_word(id, 54, d->cylinders);
    ide_put_word(id, 55, d->heads);
    ide_put_word(id, 56, d->sectors);
    ide_put_word(id, 57, chs & 0xffff);
    ide_put_word(id, 58, chs >> 16);
    ide_put_word(id, 59, 0x100u | d->multiple);
    ide_put_word(id, 60, small & 0xffff);
    ide_put_word(id, 61, small >> 16);
    ide_put_word(id, 63, 0x0007); /* multiword DMA 0 to 2 */
    ide_put_word(id, 64, 0x0003);
    for (unsigned w = 65; w <= 68; w++)
        ide_put_word(id, w, 120);
    ide_put_word(id, 80, 0x007e); /* ATA-1 to 6 */
    ide_put_word(id, 82, 0x4020); /* NOP, write cache */
    ide_put_word(id, 83, 0x7400); /* FLUSH (EXT), 48 bits */
    ide_put_word(id, 84, 0x4000);
    ide_put_word(id, 85, 0x4020);
    ide_put_word(id, 86, 0x3400);
    ide_put_word(id, 87, 0x4000);
    ide_put_word(id, 88, 0x203f); /* Ultra DMA 0 to 5, 5 chosen */
    ide_put_word(id, 93, 0x6001);
    for (unsigned i = 0; i < 4; i++)
        ide_put_word(id, 100 + i, (unsigned)(sectors >> (16 * i) & 0xffff));
}

static void send_identity(struct ide_drive *d)
{
    if (d->cdrom)
        atapi_identify(d);
    else
        identify(d);
    d->from_image = 0;
    d->packet = 0;
    d->bytes = 0;
    d->at = 0;
    d->end = IDE_SECTOR;
    ide_begin_in(d);
}

/* The first sector that the registers name; UINT64_MAX: no such place. */
static uint64_t address(const struct ide_drive *d)
{
    uint64_t low = d->low[0] | (uint64_t)d->mid[0] << 8 | (uint64_t)d->high[0] << 16;
    if (d->lba48)
        return low | (uint64_t)d->low[1] << 24 | (uint64_t)d->mid[1] << 32 |
               (uint64_t)d->high[1] << 40;
    if (d->device & LBA)
        return low | (uint64_t)(d->device & 15) << 24;
    unsigned cylinder = d->mid[0] | (unsigned)d->high[0] << 8, head = d->device & 15;
    if (!d->low[0] || d->low[0] > d->sectors || head >= d->heads)
        return UINT64_MAX;
    return ((uint64_t)cylinder * d->heads + head) * d->sectors + d->low[0] - 1;
}

static uint32_t count_of(const struct ide_drive *d)
{
    uint32_t n = d->lba48 ? d->count[0] | (uint32_t)d->count[1] << 8 : d->count[0];
    return n ? n : d->lba48 ? 65536 : 256;
}

/* Sets position and length; false: not on the disk, and that was told. */
static bool find_place(struct ide_drive *d)
{
    uint64_t first = address(d), sectors = sectors_of(d);
    uint32_t n = count_of(d);
    if (first >= sectors || n > sectors - first) {
        ide_abort(d, IDE_NOT_FOUND);
        return false;
    }
    d->packet = 0;
    d->from_image = 1;
    d->position = first * IDE_SECTOR;
    d->bytes = (uint64_t)n * IDE_SECTOR;
    return true;
}

enum kind { READ_PIO = 1, WRITE_PIO, READ_MULTIPLE, WRITE_MULTIPLE, READ_DMA, WRITE_DMA };

static void transfer(struct ide_drive *d, enum kind kind, bool lba48)
{
    bool multiple = kind == READ_MULTIPLE || kind == WRITE_MULTIPLE;
    bool writes = kind == WRITE_PIO || kind == WRITE_MULTIPLE || kind == WRITE_DMA;
    d->lba48 = lba48;
    if ((multiple && !d->multiple) || (writes && medium_is_readonly(d->image))) {
        ide_abort(d, IDE_ABORTED);
        return;
    }
    if (!find_place(d))
        return;
    d->chunk = (multiple ? d->multiple : 1) * IDE_SECTOR;
    if (kind == READ_DMA || kind == WRITE_DMA)
        ide_begin_dma(d, kind == READ_DMA);
    else if (writes)
        ide_begin_out(d);
    else
        ide_begin_in(d);
}

static bool transfer_command(struct ide_drive *d, uint8_t command)
{
    static const struct {
        uint8_t command, kind, lba48;
    } row[] = {{0x20, READ_PIO, 0},       {0x21, READ_PIO, 0},      {0x24, READ_PIO, 1},
               {0x25, READ_DMA, 1},       {0x29, READ_MULTIPLE, 1}, {0x30, WRITE_PIO, 0},
               {0x31, WRITE_PIO, 0},      {0x34, WRITE_PIO, 1},     {0x35, WRITE_DMA, 1},
               {0x39, WRITE_MULTIPLE, 1}, {0xc4, READ_MULTIPLE, 0}, {0xc5, WRITE_MULTIPLE, 0},
               {0xc8, READ_DMA, 0},       {0xc9, READ_DMA, 0},      {0xca, WRITE_DMA, 0},
               {0xcb, WRITE_DMA, 0}};
    for (unsigned i = 0; i < ARRAY_LEN(row); i++) {
        if (row[i].command == command) {
            transfer(d, row[i].kind, row[i].lba48);
            return true;
        }
    }
    return false;
}

static void verify(struct ide_drive *d, bool lba48)
{
    d->lba48 = lba48;
    if (find_place(d)) {
        d->bytes = 0;
        ide_finish(d);
    }
}

static void native_max(struct ide_drive *d, bool lba48)
{
    uint64_t last = sectors_of(d) - 1, bound = lba48 ? UINT64_MAX : 0xfffffff;
    last = last < bound ? last : bound;
    for (unsigned i = 0; i < 2; i++) {
        d->low[i] = (uint8_t)(last >> (24 * i));
        d->mid[i] = (uint8_t)(last >> (24 * i + 8));
        d->high[i] = (uint8_t)(last >> (24 * i + 16));
    }
    if (!lba48)
        d->device = (uint8_t)((d->device & 0xf0) | (last >> 24 & 15));
    ide_finish(d);
}

static void set_multiple(struct ide_drive *d)
{
    uint8_t n = d->count[0];
    if (n > MAX_MULTIPLE || (n & (n - 1))) {
        ide_abort(d, IDE_ABORTED);
        return;
    }
    d->multiple = n;
    ide_finish(d);
}

static void set_translation(struct ide_drive *d)
{
    uint16_t heads = (uint16_t)((d->device & 15) + 1), sectors = d->count[0];
    uint64_t per_cylinder = (uint64_t)heads * sectors;
    if (!sectors) {
        ide_abort(d, IDE_ABORTED);
        return;
    }
    uint64_t cylinders = sectors_of(d) / per_cylinder;
    d->heads = heads;
    d->sectors = sectors;
    d->cylinders = (uint16_t)(cylinders > 0xffff ? 0xffff : cylinders);
    ide_finish(d);
}

/* Modes and caches: nothing changes by them. */
static void set_features(struct ide_drive *d)
{
    static const uint8_t known[] = {0x02, 0x03, 0x05, 0x42, 0x55, 0x66,
                                    0x82, 0x85, 0xaa, 0xc2, 0xcc};
    if (memchr(known, d->features, sizeof(known)))
        ide_finish(d);
    else
        ide_abort(d, IDE_ABORTED);
}

static void flush(struct ide_drive *d)
{
    if (d->image && medium_flush(d->image))
        ide_abort(d, IDE_ABORTED);
    else
        ide_finish(d);
}

/* Both drives tell that they are well. */
static void diagnose(struct ide_drive *d)
{
    struct ide_channel *c = d->channel;
    for (unsigned i = 0; i < 2; i++) {
        ata_reset(&c->drive[i]);
        ata_set_signature(&c->drive[i]);
    }
    c->selected = 0;
    if (c->drive[0].exists || c->drive[1].exists)
        ide_interrupt(&c->drive[0]);
}

static bool disk_command(struct ide_drive *d, uint8_t command)
{
    switch (command) {
    case 0x40:
    case 0x41:
        verify(d, false);
        break;
    case 0x42:
        verify(d, true);
        break;
    case 0xf8:
    case 0x27:
        native_max(d, command == 0x27);
        break;
    case 0xc6:
        set_multiple(d);
        break;
    case 0x91:
        set_translation(d);
        break;
    case 0x70: /* seek */
        ide_finish(d);
        break;
    default:
        if ((command & 0xf0) == 0x10) { /* recalibrate */
            ide_finish(d);
            break;
        }
        return transfer_command(d, command);
    }
    return true;
}

static bool cd_command(struct ide_drive *d, uint8_t command)
{
    switch (command) {
    case 0x08: /* device reset: no interrupt */
        ata_reset(d);
        ata_set_signature(d);
        return true;
    case 0xa0:
        atapi_begin(d);
        return true;
    case 0xa1:
        send_identity(d);
        return true;
    case 0xec: /* not a disk: the signature, and aborted */
    case 0x20:
        ata_set_signature(d);
        ide_abort(d, IDE_ABORTED);
        return true;
    default:
        return false;
    }
}

static bool common_command(struct ide_drive *d, uint8_t command)
{
    switch (command) {
    case 0xef:
        set_features(d);
        return true;
    case 0xe7:
    case 0xea:
        flush(d);
        return true;
    case 0xe5: /* power mode: active */
    case 0x98:
        d->count[0] = 0xff;
        ide_finish(d);
        return true;
    case 0xe0:
    case 0xe1:
    case 0xe2:
    case 0xe3:
    case 0xe6:
    case 0x94:
    case 0x95:
    case 0x96:
    case 0x97:
    case 0x99:
        ide_finish(d);
        return true;
    default:
        return false;
    }
}

void ata_command(struct ide_drive *d, uint8_t command)
{
    if (command == 0x90) {
        diagnose(d);
        return;
    }
    if ((d->status & IDE_DRQ) && command != 0x08) /* what was under way is given up */
        d->phase = IDE_IDLE;
    d->error = 0;
    d->packet = 0;
    if (!d->cdrom && command == 0xec)
        send_identity(d);
    else if (!(d->cdrom ? cd_command(d, command) : disk_command(d, command)) &&
             !common_command(d, command))
        ide_abort(d, IDE_ABORTED);
}
