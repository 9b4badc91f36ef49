/* SPDX-License-Identifier: MIT */
/* Drives and channels, for ide.c, ata.c and atapi.c alone. */
#ifndef DENALI_PC_IDE_PRIVATE_H
#define DENALI_PC_IDE_PRIVATE_H

#include "devices/pc/ide.h"

#define IDE_SECTOR 512u
#define IDE_CD_SECTOR 2048u
#define IDE_BUFFER 65536u

enum {
    IDE_ERR = 0x01,
    IDE_DRQ = 0x08,
    IDE_DSC = 0x10,
    IDE_FAULT = 0x20,
    IDE_READY = 0x40,
    IDE_BUSY = 0x80
};
enum { IDE_ABORTED = 0x04, IDE_NOT_FOUND = 0x10, IDE_BAD = 0x40 };

/* What the host does at the data register, or the bus master with memory. */
enum ide_phase { IDE_IDLE, IDE_IN, IDE_OUT, IDE_PACKET, IDE_DMA_IN, IDE_DMA_OUT };

struct ide_channel;

struct ide_drive {
    struct ide_channel *channel;
    struct medium *image;
    uint8_t exists, cdrom;
    uint8_t error, features, status, device, multiple;
    uint8_t count[2], low[2], mid[2], high[2]; /* [1]: what was written before (48 bits) */
    uint8_t phase, lba48;
    uint8_t sense, sense_code, disc_changed;
    uint8_t packet;           /* a PACKET command is under way */
    uint32_t at, end;         /* of the chunk in `buffer` */
    uint32_t chunk;           /* bytes of a whole one */
    uint64_t position, bytes; /* in the image, of what is still to move after this chunk */
    uint8_t from_image;       /* an IN's next chunk is read from there */
    uint16_t cylinders, heads, sectors; /* the translation that the host set */
    uint8_t buffer[IDE_BUFFER];
};

struct ide_channel {
    struct ide *ide;
    struct ide_drive drive[2];
    struct irq_line irq;
    uint8_t selected, control, intrq;
    uint8_t bm_command, bm_status;
    uint32_t bm_table;
};

/* ide.c */
void ide_interrupt(struct ide_drive *d);
/* The command is over: status, and the interrupt. */
void ide_finish(struct ide_drive *d);
void ide_abort(struct ide_drive *d, uint8_t error);
/* Begins to move d->bytes from d->position on (from_image), or d->buffer[0..end). */
void ide_begin_in(struct ide_drive *d);
void ide_begin_out(struct ide_drive *d);
/* The bus master may run now, if it was started. */
void ide_begin_dma(struct ide_drive *d, bool in);

/* ata.c */
void ata_reset(struct ide_drive *d);
void ata_command(struct ide_drive *d, uint8_t command);
void ata_set_signature(struct ide_drive *d);

/* atapi.c */
void atapi_identify(struct ide_drive *d);
void atapi_begin(struct ide_drive *d);
/* The 12 bytes of the packet are in d->buffer. */
void atapi_packet(struct ide_drive *d);
/* Next chunk of a PIO transfer is to be announced. */
void atapi_announce(struct ide_drive *d);
void atapi_finish(struct ide_drive *d);

/* Words as IDENTIFY has them: text is swapped in pairs and padded with blanks. */
void ide_put_word(uint8_t *to, unsigned word, unsigned value);
void ide_put_text(uint8_t *to, unsigned word, unsigned words, const char *text);

#endif
