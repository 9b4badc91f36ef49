/* SPDX-License-Identifier: MIT */
/*
 * A CD-ROM drive: packets of 12 bytes (SFF-8020, MMC). The disc is one data
 * track of 2048-byte sectors. A reply is a chunk in the drive's buffer; sectors are
 * read from the image chunk by chunk, as large as the host allows.
 */
#include "devices/pc/ide_private.h"

#include <string.h>

enum { NOT_READY = 2, MEDIUM_ERROR = 3, ILLEGAL = 5, ATTENTION = 6 };
enum {
    NO_DISC = 0x3a,
    BAD_OPCODE = 0x20,
    BAD_ADDRESS = 0x21,
    BAD_FIELD = 0x24,
    DISC_CHANGED = 0x28
};

static uint32_t big(const uint8_t *from, unsigned bytes)
{
    uint32_t v = 0;
    for (unsigned i = 0; i < bytes; i++)
        v = v << 8 | from[i];
    return v;
}

static void put_big(uint8_t *to, unsigned bytes, uint32_t v)
{
    for (unsigned i = 0; i < bytes; i++)
        to[i] = (uint8_t)(v >> (8 * (bytes - 1 - i)));
}

void atapi_identify(struct ide_drive *d)
{
    uint8_t *id = d->buffer;
    memset(id, 0, IDE_SECTOR);
    ide_put_word(id, 0, 0x85c0); /* a CD-ROM, removable, DRQ soon, 12 bytes */
    ide_put_text(id, 10, 10, "DN00002");
    ide_put_text(id, 23, 4, "1.0");
    ide_put_text(id, 27, 20, "DENALI CD-ROM");
    ide_put_word(id, 48, 1);
    ide_put_word(id, 49, 0x0f00);
    ide_put_word(id, 53, 7);
    ide_put_word(id, 63, 0x0007);
    ide_put_word(id, 64, 0x0003);
    for (unsigned w = 65; w <= 68; w++)
        ide_put_word(id, w, 120);
    ide_put_word(id, 80, 0x001e);
    ide_put_word(id, 82, 0x4210);
    ide_put_word(id, 83, 0x4000);
    ide_put_word(id, 84, 0x4000);
    ide_put_word(id, 85, 0x4210);
    ide_put_word(id, 87, 0x4000);
    ide_put_word(id, 88, 0x203f);
}

/* Interrupt reason: bit 0 command, bit 1 to the host. */
static void set_reason(struct ide_drive *d, uint8_t reason)
{
    d->count[0] = reason;
}

void atapi_begin(struct ide_drive *d)
{
    if (d->features & 2) { /* overlapped */
        ide_abort(d, IDE_ABORTED);
        return;
    }
    d->packet = 1;
    d->phase = IDE_PACKET;
    d->at = 0;
    d->end = 12;
    d->bytes = 0;
    d->from_image = 0;
    d->status = IDE_READY | IDE_DRQ | IDE_DSC;
    set_reason(d, 1);
}

void atapi_finish(struct ide_drive *d)
{
    set_reason(d, 3);
    d->packet = 0;
    d->sense = d->sense_code = 0;
    ide_finish(d);
}

static void fail(struct ide_drive *d, uint8_t sense, uint8_t code)
{
    d->sense = sense;
    d->sense_code = code;
    set_reason(d, 3);
    d->packet = 0;
    ide_abort(d, (uint8_t)(sense << 4 | IDE_ABORTED));
}

void atapi_announce(struct ide_drive *d)
{
    set_reason(d, 2);
    d->mid[0] = (uint8_t)d->end;
    d->high[0] = (uint8_t)(d->end >> 8);
}

/* The host's bound on a chunk: even, unless all fits. */
static uint32_t host_limit(const struct ide_drive *d)
{
    uint32_t limit = d->mid[0] | (uint32_t)d->high[0] << 8;
    if (limit == 0 || limit == 0xffff)
        return 0xfffe;
    return limit > 1 ? limit & ~1u : 2;
}

static void begin(struct ide_drive *d)
{
    d->chunk = host_limit(d);
    if (d->features & 1)
        ide_begin_dma(d, true);
    else
        ide_begin_in(d);
}

/* `len` bytes are in the buffer; the host wants `wanted`. Replies are short: one chunk. */
static void reply(struct ide_drive *d, uint32_t len, uint32_t wanted)
{
    d->from_image = 0;
    d->at = 0;
    d->end = len < wanted ? len : wanted;
    if (d->end)
        begin(d);
    else
        atapi_finish(d);
}

static uint32_t disc_sectors(const struct ide_drive *d)
{
    uint64_t n = (medium_bytes(d->image) + IDE_CD_SECTOR - 1) / IDE_CD_SECTOR;
    return n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}

static void read_sectors(struct ide_drive *d, uint32_t first, uint32_t count)
{
    uint32_t sectors = disc_sectors(d);
    if (first > sectors || count > sectors - first) {
        fail(d, ILLEGAL, BAD_ADDRESS);
        return;
    }
    if (!count) {
        atapi_finish(d);
        return;
    }
    d->from_image = 1;
    d->position = (uint64_t)first * IDE_CD_SECTOR;
    d->bytes = (uint64_t)count * IDE_CD_SECTOR;
    begin(d);
}

static void inquiry(struct ide_drive *d, const uint8_t *packet)
{
    uint8_t *b = d->buffer;
    memset(b, 0, 36);
    b[0] = 5;
    b[1] = 0x80;
    b[3] = 0x21;
    b[4] = 31;
    memcpy(b + 8, "DENALI  CD-ROM          1.0 ", 28);
    reply(d, 36, packet[4]);
}

static void request_sense(struct ide_drive *d, const uint8_t *packet)
{
    uint8_t *b = d->buffer;
    memset(b, 0, 18);
    b[0] = 0x70;
    b[2] = d->sense;
    b[7] = 10;
    b[12] = d->sense_code;
    reply(d, 18, packet[4]);
}

static void put_address(uint8_t *to, uint32_t sector, bool msf)
{
    uint32_t frames = sector + 150;
    if (!msf) {
        put_big(to, 4, sector);
        return;
    }
    to[0] = 0;
    to[1] = (uint8_t)(frames / 75 / 60);
    to[2] = (uint8_t)(frames / 75 % 60);
    to[3] = (uint8_t)(frames % 75);
}

/* One data track, then the lead-out. */
static uint32_t toc_tracks(struct ide_drive *d, uint8_t first, bool msf)
{
    uint8_t *b = d->buffer;
    uint32_t len = 4;
    b[2] = b[3] = 1;
    for (unsigned i = first <= 1 ? 0 : 1; i < 2; i++) {
        memset(b + len, 0, 8);
        b[len + 1] = 0x14;
        b[len + 2] = i ? 0xaa : 1;
        put_address(b + len + 4, i ? disc_sectors(d) : 0, msf);
        len += 8;
    }
    put_big(b, 2, len - 2);
    return len;
}

static uint32_t toc_sessions(struct ide_drive *d, bool msf)
{
    uint8_t *b = d->buffer;
    memset(b, 0, 12);
    b[1] = 10;
    b[2] = b[3] = 1;
    b[5] = 0x14;
    b[6] = 1;
    put_address(b + 8, 0, msf);
    return 12;
}

static uint32_t toc_full(struct ide_drive *d)
{
    uint8_t *b = d->buffer;
    static const uint8_t point[4] = {0xa0, 0xa1, 0xa2, 1};
    memset(b, 0, 4 + 11 * 4);
    b[1] = 2 + 11 * 4;
    b[2] = b[3] = 1;
    for (unsigned i = 0; i < 4; i++) {
        uint8_t *e = b + 4 + 11 * i, at[4];
        e[0] = 1;
        e[1] = 0x14;
        e[3] = point[i];
        put_address(at, i == 2 ? disc_sectors(d) : 0, true);
        if (i < 2)
            e[8] = 1; /* the first and last track's numbers */
        else
            memcpy(e + 8, at + 1, 3);
    }
    return 4 + 11 * 4;
}

static void read_toc(struct ide_drive *d, const uint8_t *packet)
{
    bool msf = packet[1] & 2;
    unsigned format = packet[2] & 15 ? packet[2] & 15 : packet[9] >> 6;
    uint32_t wanted = big(packet + 7, 2);
    if (format == 0 && packet[6] > 1 && packet[6] != 0xaa)
        fail(d, ILLEGAL, BAD_FIELD);
    else if (format == 0)
        reply(d, toc_tracks(d, packet[6], msf), wanted);
    else if (format == 1)
        reply(d, toc_sessions(d, msf), wanted);
    else if (format == 2)
        reply(d, toc_full(d), wanted);
    else
        fail(d, ILLEGAL, BAD_FIELD);
}

static void read_capacity(struct ide_drive *d)
{
    put_big(d->buffer, 4, disc_sectors(d) - 1);
    put_big(d->buffer + 4, 4, IDE_CD_SECTOR);
    reply(d, 8, 8);
}

/* Page 2Ah: what the drive can do; page 01h: error recovery. */
static void mode_sense(struct ide_drive *d, const uint8_t *packet)
{
    uint8_t *b = d->buffer, page = packet[2] & 0x3f;
    bool ten = packet[0] == 0x5a;
    uint32_t head = ten ? 8 : 4, len = head, wanted = ten ? big(packet + 7, 2) : packet[4];
    memset(b, 0, 64);
    if (page == 0x01 || page == 0x3f) {
        b[len] = 1;
        b[len + 1] = 6;
        b[len + 3] = 5;
        len += 8;
    }
    if (page == 0x2a || page == 0x3f) {
        b[len] = 0x2a;
        b[len + 1] = 0x12;
        b[len + 6] = 0x29; /* a tray that can be locked */
        put_big(b + len + 8, 2, 706);
        put_big(b + len + 12, 2, 128);
        put_big(b + len + 14, 2, 706);
        len += 20;
    }
    if (len == head) {
        fail(d, ILLEGAL, BAD_FIELD);
        return;
    }
    if (ten)
        put_big(b, 2, len - 2);
    else
        b[0] = (uint8_t)(len - 1);
    b[ten ? 2 : 1] = d->image ? 1 : 0x70;
    reply(d, len, wanted);
}

static void event_status(struct ide_drive *d, const uint8_t *packet)
{
    uint8_t *b = d->buffer;
    if (!(packet[1] & 1)) {
        fail(d, ILLEGAL, BAD_FIELD);
        return;
    }
    memset(b, 0, 8);
    b[1] = 6;
    b[2] = packet[4] & 0x10 ? 4 : 0x80; /* media events alone are known */
    b[3] = 0x10;
    b[5] = d->image ? 2 : 0;
    if (!(packet[4] & 0x10))
        b[1] = 2;
    reply(d, packet[4] & 0x10 ? 8 : 4, big(packet + 7, 2));
}

static void get_configuration(struct ide_drive *d, const uint8_t *packet)
{
    uint8_t *b = d->buffer;
    memset(b, 0, 20);
    put_big(b + 6, 2, d->image ? 8 : 0); /* the current profile: CD-ROM */
    b[11] = 4;
    b[10] = 3;
    put_big(b + 12, 2, 8);
    b[14] = d->image != NULL;
    put_big(b, 4, 12);
    reply(d, 16, big(packet + 7, 2));
}

static void disc_information(struct ide_drive *d, const uint8_t *packet)
{
    uint8_t *b = d->buffer;
    memset(b, 0, 34);
    b[1] = 32;
    b[2] = 0x0e; /* complete, finalized */
    b[3] = b[4] = b[5] = b[6] = 1;
    b[7] = 0x20;
    reply(d, 34, big(packet + 7, 2));
}

static void mechanism_status(struct ide_drive *d, const uint8_t *packet)
{
    memset(d->buffer, 0, 8);
    d->buffer[5] = 1;
    reply(d, 8, big(packet + 8, 2));
}

static void sub_channel(struct ide_drive *d, const uint8_t *packet)
{
    memset(d->buffer, 0, 4);
    d->buffer[1] = 0x15; /* no audio */
    reply(d, 4, big(packet + 7, 2));
}

static void read_cd(struct ide_drive *d, const uint8_t *packet)
{
    uint8_t what = packet[9] & 0xf8;
    if (what == 0)
        atapi_finish(d);
    else if (what == 0x10)
        read_sectors(d, big(packet + 2, 4), big(packet + 6, 3));
    else
        fail(d, ILLEGAL, BAD_FIELD); /* raw sectors are not in an image */
}

/* Commands that need a disc. */
static bool disc_command(struct ide_drive *d, const uint8_t *packet)
{
    switch (packet[0]) {
    case 0x00: /* test unit ready */
    case 0x2b: /* seek */
        atapi_finish(d);
        return true;
    case 0x25:
        read_capacity(d);
        return true;
    case 0x28:
        read_sectors(d, big(packet + 2, 4), big(packet + 7, 2));
        return true;
    case 0xa8:
        read_sectors(d, big(packet + 2, 4), big(packet + 6, 4));
        return true;
    case 0x42:
        sub_channel(d, packet);
        return true;
    case 0x43:
        read_toc(d, packet);
        return true;
    case 0x51:
        disc_information(d, packet);
        return true;
    case 0xbe:
        read_cd(d, packet);
        return true;
    default:
        return false;
    }
}

static bool needs_disc(uint8_t command)
{
    static const uint8_t list[] = {0x00, 0x25, 0x28, 0x2b, 0x42, 0x43, 0x51, 0xa8, 0xbe};
    return memchr(list, command, sizeof(list));
}

static void drive_command(struct ide_drive *d, const uint8_t *packet)
{
    switch (packet[0]) {
    case 0x03:
        request_sense(d, packet);
        break;
    case 0x12:
        inquiry(d, packet);
        break;
    case 0x1a:
    case 0x5a:
        mode_sense(d, packet);
        break;
    case 0x46:
        get_configuration(d, packet);
        break;
    case 0x4a:
        event_status(d, packet);
        break;
    case 0xbd:
        mechanism_status(d, packet);
        break;
    case 0x1b: /* start, stop: the tray stays shut */
    case 0x1e: /* lock */
    case 0xbb: /* speed */
        atapi_finish(d);
        break;
    default:
        fail(d, ILLEGAL, BAD_OPCODE);
    }
}

void atapi_packet(struct ide_drive *d)
{
    uint8_t packet[12];
    memcpy(packet, d->buffer, sizeof(packet));
    if (needs_disc(packet[0]) && !d->image)
        fail(d, NOT_READY, NO_DISC);
    else if (needs_disc(packet[0]) && d->disc_changed) {
        d->disc_changed = 0;
        fail(d, ATTENTION, DISC_CHANGED);
    } else if (!d->image || !disc_command(d, packet)) {
        drive_command(d, packet);
    }
}
