/* SPDX-License-Identifier: MIT */
/* Small pieces are gathered in `stage` first: zlib is called for thousands of bytes, not for four.
 */
#include "denali/pool/pool_pack.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LEVEL 1
#define WINDOW_BITS 15
#define MEM_LEVEL 8
#define FIRST_ROOM 16384u
#define TRIAL_BYTES 65536u
#define KEEP_ROOM (128 * KIB) /* small VMs come one after the other */

int pack_prepare(struct pack *p)
{
    if (p->ready)
        return 0;
    if (deflateInit2(&p->deflate, LEVEL, Z_DEFLATED, WINDOW_BITS, MEM_LEVEL, Z_FIXED) != Z_OK)
        return -ENOMEM;
    if (inflateInit(&p->inflate) != Z_OK) {
        deflateEnd(&p->deflate);
        return -ENOMEM;
    }
    p->ready = true;
    return 0;
}

void pack_fini(struct pack *p)
{
    if (p->ready) {
        deflateEnd(&p->deflate);
        inflateEnd(&p->inflate);
    }
    free(p->out);
    p->out = NULL;
}

/* In. */

void pack_begin(struct pack *p, bool squeezed)
{
    if (squeezed) {
        deflateReset(&p->deflate);
        deflateParams(&p->deflate, LEVEL, Z_FIXED);
    }
    p->stored = false;
    p->squeezed = squeezed;
    p->err = 0;
    p->out_len = p->stage_len = 0;
}

void pack_rest(struct pack *p)
{
    p->out_len = 0;
    if (p->out_room <= KEEP_ROOM)
        return;
    free(p->out);
    p->out = NULL;
    p->out_room = 0;
}

static int make_room(struct pack *p, size_t need)
{
    if (p->out_room - p->out_len >= need)
        return 0;
    size_t room = p->out_room + p->out_room / 4 + FIRST_ROOM + need;
    uint8_t *bigger = realloc(p->out, room);
    if (!bigger)
        return -ENOMEM;
    p->out = bigger;
    p->out_room = room;
    return 0;
}

int pack_reserve(struct pack *p, size_t len)
{
    p->out_len = 0;
    return make_room(p, len);
}

static void squeeze(struct pack *p, const void *data, size_t len, int flush)
{
    int status = Z_OK;
    p->deflate.next_in = (void *)(uintptr_t)data;
    p->deflate.avail_in = (uInt)len;
    while (!p->err && status != Z_STREAM_END && (p->deflate.avail_in || flush == Z_FINISH)) {
        p->err = make_room(p, FIRST_ROOM / 2);
        if (p->err)
            return;
        size_t room = p->out_room - p->out_len;
        p->deflate.next_out = p->out + p->out_len;
        p->deflate.avail_out = (uInt)room;
        status = deflate(&p->deflate, flush);
        p->out_len += room - p->deflate.avail_out;
    }
}

/* What does not become smaller is not tried on: it takes twenty times as long as copying it. */
static void give_up_on_noise(struct pack *p)
{
    if (p->stored || p->deflate.total_in < TRIAL_BYTES ||
        p->deflate.total_out < p->deflate.total_in / 10 * 9)
        return;
    p->stored = true;
    p->err = make_room(p, 2 * PACK_STAGE);
    if (p->err)
        return;
    p->deflate.next_in = p->stage;
    p->deflate.avail_in = 0;
    p->deflate.next_out = p->out + p->out_len;
    p->deflate.avail_out = 2 * PACK_STAGE;
    deflateParams(&p->deflate, 0, Z_FIXED);
    p->out_len += 2 * PACK_STAGE - p->deflate.avail_out;
}

static void flush_stage(struct pack *p)
{
    squeeze(p, p->stage, p->stage_len, Z_NO_FLUSH);
    p->stage_len = 0;
    if (!p->err)
        give_up_on_noise(p);
}

static void append(struct pack *p, const void *data, size_t len)
{
    if (!p->err)
        p->err = make_room(p, len);
    if (p->err)
        return;
    memcpy(p->out + p->out_len, data, len);
    p->out_len += len;
}

void pack_put(struct pack *p, const void *data, size_t len)
{
    if (!p->squeezed) {
        append(p, data, len);
        return;
    }
    if (len > PACK_STAGE - p->stage_len)
        flush_stage(p);
    if (len > PACK_STAGE) {
        squeeze(p, data, len, Z_NO_FLUSH);
        return;
    }
    memcpy(p->stage + p->stage_len, data, len);
    p->stage_len += len;
}

int pack_end(struct pack *p)
{
    if (p->squeezed)
        squeeze(p, p->stage, p->stage_len, Z_FINISH);
    return p->err;
}

/* Out. */

void pack_open(struct pack *p, const uint8_t *data, size_t len, bool squeezed)
{
    p->squeezed = squeezed;
    if (squeezed)
        inflateReset(&p->inflate);
    p->err = 0;
    p->stage_len = p->stage_at = 0;
    p->inflate.next_in = (void *)(uintptr_t)data;
    p->inflate.avail_in = (uInt)len;
}

static void fill_stage(struct pack *p)
{
    p->inflate.next_out = p->stage;
    p->inflate.avail_out = PACK_STAGE;
    int status = inflate(&p->inflate, Z_NO_FLUSH);
    p->stage_at = 0;
    p->stage_len = PACK_STAGE - p->inflate.avail_out;
    if ((status != Z_OK && status != Z_STREAM_END) || !p->stage_len)
        p->err = -EIO;
}

static void copy_out(struct pack *p, void *data, size_t len)
{
    if (len > p->inflate.avail_in) {
        p->err = -EIO;
        memset(data, 0, len);
        return;
    }
    memcpy(data, p->inflate.next_in, len);
    p->inflate.next_in += len;
    p->inflate.avail_in -= (uInt)len;
}

void pack_get(struct pack *p, void *data, size_t len)
{
    uint8_t *to = data;
    if (!p->squeezed) {
        copy_out(p, data, len);
        return;
    }
    while (len && !p->err) {
        size_t n = p->stage_len - p->stage_at;
        if (!n) {
            fill_stage(p);
            continue;
        }
        n = n < len ? n : len;
        memcpy(to, p->stage + p->stage_at, n);
        p->stage_at += n;
        to += n;
        len -= n;
    }
    memset(to, 0, len);
}
