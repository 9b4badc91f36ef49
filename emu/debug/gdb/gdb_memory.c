/* SPDX-License-Identifier: MIT */
/* Memory of the guest, by linear addresses. What is partly out of reach is read up to there. */
#include "emu/debug/gdb/gdb_private.h"

#include <errno.h>
#include <string.h>

/* Bytes read from `addr` on, at most `len`. */
static uint32_t read_some(struct target *target, uint64_t addr, uint8_t *out, uint32_t len)
{
    uint32_t done = 0;
    while (done < len) {
        uint32_t room = PAGE_SIZE - (uint32_t)((addr + done) & PAGE_MASK);
        uint32_t n = len - done < room ? len - done : room;
        if (target->ops->read(target, TARGET_LINEAR, addr + done, out + done, n))
            break;
        done += n;
    }
    return done;
}

static void handle_read(struct gdb *gdb, uint64_t addr, uint64_t len)
{
    uint8_t bytes[GDB_PACKET_MAX / 2];
    uint32_t most = len < sizeof(bytes) ? (uint32_t)len : (uint32_t)sizeof(bytes);
    if (addr + most > (uint64_t)UINT32_MAX + 1)
        most = addr > UINT32_MAX ? 0 : (uint32_t)(UINT32_MAX - addr + 1);
    uint32_t got = read_some(gdb->general.target, addr, bytes, most);
    if (got || !len)
        gdb_put_hex(gdb, bytes, got);
    else
        gdb_put_error(gdb, -EFAULT);
}

static void handle_write(struct gdb *gdb, uint64_t addr, const void *bytes, uint64_t len)
{
    bool inside = addr <= UINT32_MAX && len <= (uint64_t)UINT32_MAX + 1 - addr;
    int err = -EFAULT;
    if (inside)
        err = len ? gdb->general.target->ops->write(gdb->general.target, TARGET_LINEAR, addr, bytes,
                                                    len)
                  : 0;
    gdb_forget_threads(gdb);
    if (err)
        gdb_put_error(gdb, err);
    else
        gdb_put(gdb, "OK");
}

static void handle_write_hex(struct gdb *gdb, uint64_t addr, uint64_t len, const char *at)
{
    uint8_t bytes[GDB_PACKET_MAX / 2];
    if (len > sizeof(bytes) || !gdb_take_bytes(&at, bytes, len) || *at)
        gdb_put_error(gdb, -EINVAL);
    else
        handle_write(gdb, addr, bytes, len);
}

static void handle_write_binary(struct gdb *gdb, uint64_t addr, uint64_t len, const char *at)
{
    if (len != (uint64_t)(gdb->in + gdb->in_len - at))
        gdb_put_error(gdb, -EINVAL);
    else
        handle_write(gdb, addr, at, len);
}

void gdb_handle_memory(struct gdb *gdb, const char *packet)
{
    const char *at = packet + 1;
    uint64_t addr, len;
    bool good = gdb_take_hex(&at, &addr) && gdb_take_char(&at, ',') && gdb_take_hex(&at, &len);
    if (!good || (*packet != 'm' && !gdb_take_char(&at, ':')))
        gdb_put_error(gdb, -EINVAL);
    else if (*packet == 'm')
        handle_read(gdb, addr, len);
    else if (*packet == 'M')
        handle_write_hex(gdb, addr, len, at);
    else
        handle_write_binary(gdb, addr, len, at);
}
