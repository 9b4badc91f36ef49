/* SPDX-License-Identifier: MIT */
/*
 * Copy-on-write layers of a disk whose file lies, with its sums made anew (the whole file is the
 * input, or what is changed in one that was used): it is refused, or
 * blocks can be read, and what is written is read again, now and after it was opened anew.
 * fuzz: max_len=32768
 */
#include "devices/layer.h"
#include "testsuite/fuzz/fuzz.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#define BLOCKS 24u /* of the disk below */

static void seal(uint8_t *file, size_t len)
{
    for (size_t at = 0; at < 2 * DISK_BLOCK && at + sizeof(struct layer_header) <= len;
         at += DISK_BLOCK) {
        struct layer_header h;
        memcpy(&h, file + at, sizeof(h));
        h.crc = (uint32_t)crc32_z(0, (const uint8_t *)&h, offsetof(struct layer_header, crc));
        memcpy(file + at, &h, sizeof(h));
    }
    for (uint64_t block = 0; block < BLOCKS; block++) {
        struct layer_entry e;
        size_t at = LAYER_MAP_AT * DISK_BLOCK + block * sizeof(e);
        if (at + sizeof(e) > len)
            break;
        memcpy(&e, file + at, sizeof(e));
        if (e.crc & 1) { /* the fuzzer says which to leave as they are */
            e.crc = layer_entry_crc(block, &e);
            memcpy(file + at, &e, sizeof(e));
        }
    }
}

static const char *the_base(void)
{
    static char path[FUZZ_PATH];
    static uint8_t bytes[BLOCKS * DISK_BLOCK];
    if (!path[0])
        fuzz_file(bytes, sizeof(bytes), path);
    return path;
}

static int open_on(const char *layer, bool readonly, struct disk **disk)
{
    struct why why = {""};
    int err = disk_open_layers(the_base(), &layer, 1, readonly, disk, &why);
    if (err)
        FUZZ_REQUIRE(why.text[0]);
    return err;
}

static int get(struct disk *disk, uint64_t block, uint8_t data[DISK_BLOCK])
{
    struct iovec iov = {data, DISK_BLOCK};
    return disk_read(disk, block, &iov, 1, false);
}

static void use(struct disk *disk, const uint8_t mark[DISK_BLOCK], uint64_t block)
{
    uint8_t data[DISK_BLOCK];
    struct iovec iov = {(void *)(uintptr_t)mark, DISK_BLOCK};
    FUZZ_REQUIRE(disk_blocks(disk) == BLOCKS);
    for (uint64_t i = 0; i < BLOCKS; i++)
        if (get(disk, i, data)) /* its sum is wrong */
            continue;
    if (disk_write(disk, block, &iov, 1))
        return;
    FUZZ_REQUIRE(get(disk, block, data) == 0 && !memcmp(data, mark, DISK_BLOCK));
    FUZZ_REQUIRE(disk_flush(disk) == 0);
}

/* What is read after opening it again is what was written. */
static void open_and_use(const char *path, uint8_t tag)
{
    uint8_t mark[DISK_BLOCK], seen[DISK_BLOCK];
    uint64_t block = tag % BLOCKS;
    struct disk *disk;
    if (open_on(path, false, &disk))
        return;
    memset(mark, tag, sizeof(mark));
    use(disk, mark, block);
    bool written = get(disk, block, seen) == 0 && !memcmp(seen, mark, DISK_BLOCK);
    disk_close(disk);
    FUZZ_REQUIRE(open_on(path, true, &disk) == 0);
    FUZZ_REQUIRE(!written || (get(disk, block, seen) == 0 && !memcmp(seen, mark, DISK_BLOCK)));
    disk_close(disk);
}

/* A layer that was used: a byte for each write or flush, up to 255. */
static void write_some(const char *path, struct fuzz_in *in)
{
    struct disk *disk;
    uint8_t data[DISK_BLOCK], op;
    if (open_on(path, false, &disk))
        return;
    for (unsigned n = 0; n < 64 && in->left && (op = fuzz_u8(in)) != 255; n++) {
        struct iovec iov = {data, sizeof(data)};
        memset(data, op & 1 ? 0 : op, sizeof(data));
        if (op >= 0xf0)
            (void)!disk_flush(disk);
        else
            (void)!disk_write(disk, op % BLOCKS, &iov, 1);
    }
    disk_close(disk);
}

/* Words of the file are changed: 2 bytes of place, 4 of contents. */
static void spoil(int fd, struct fuzz_in *in)
{
    static uint8_t file[64 * DISK_BLOCK];
    ssize_t len = pread(fd, file, sizeof(file), 0);
    FUZZ_REQUIRE(len > 0);
    while (in->left) {
        size_t at = fuzz_u16(in) * 4u;
        uint32_t value = fuzz_u32(in);
        if (at + 4 <= (size_t)len)
            memcpy(file + at, &value, 4);
    }
    seal(file, (size_t)len);
    fuzz_file_set(fd, file, (size_t)len);
}

static const uint8_t *the_fresh_layer(size_t *len)
{
    static uint8_t file[8 * DISK_BLOCK];
    static size_t bytes;
    char path[64];
    struct disk *disk;
    if (!bytes) {
        snprintf(path, sizeof(path), "/tmp/denali-fuzz-layer.%d", (int)getpid());
        FUZZ_REQUIRE(open_on(path, false, &disk) == 0);
        disk_close(disk);
        FILE *f = fopen(path, "rb");
        FUZZ_REQUIRE(f);
        bytes = fread(file, 1, sizeof(file), f);
        fclose(f);
        unlink(path);
    }
    *len = bytes;
    return file;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char path[FUZZ_PATH];
    struct fuzz_in in = {data, len};
    struct disk_layer_info info;
    struct why why = {""};
    uint8_t tag = fuzz_u8(&in);
    size_t fresh_len;
    const uint8_t *fresh = the_fresh_layer(&fresh_len);
    if (len < 2)
        return 0;
    int fd = fuzz_file(fresh, fresh_len, path);
    if (tag & 1) {
        uint8_t *file = fuzz_exact(in.at, in.left);
        seal(file, in.left);
        fuzz_file_set(fd, file, in.left);
        free(file);
    } else {
        write_some(path, &in);
        spoil(fd, &in);
    }
    if (disk_layer_check(path, &info, &why))
        FUZZ_REQUIRE(why.text[0]);
    open_and_use(path, tag);
    close(fd);
    return 0;
}
