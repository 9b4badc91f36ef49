/* SPDX-License-Identifier: MIT */
/* Disks made of a base and layers, and what one does with them. */
#include "devices/layer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Whether `l` belongs on `below`, which is its own from then on. */
static int put_on(struct layer *l, const char *path, struct disk *below, struct why *why)
{
    uint8_t state[16];
    int err = layer_state_of(below, state);
    if (err)
        return why_fail(why, err, "cannot read what is below layer %s: %s", path, strerror(-err));
    if (l->disk.bytes != below->bytes || memcmp(state, l->header.below, sizeof(state)))
        return why_fail(why, -EINVAL,
                        "layer %s does not belong on this: it was made on another disk, or that "
                        "was changed since",
                        path);
    l->below = below;
    return 0;
}

/* One more layer on *disk. On failure *disk is as it was. */
static int add_layer(struct disk **disk, const char *path, bool readonly, struct why *why)
{
    struct layer *l = NULL;
    int err = 0;
    if (!readonly && access(path, F_OK))
        err = layer_file_create(path, *disk, why);
    if (!err)
        err = layer_file_open(path, readonly, &l, why);
    if (err)
        return err;
    err = put_on(l, path, *disk, why);
    if (err)
        layer_file_close(l);
    else
        *disk = &l->disk;
    return err;
}

int disk_open_layers(const char *base, const char *const *layer, unsigned layers, bool readonly,
                     struct disk **out, struct why *why)
{
    struct disk *disk;
    int err = disk_open(base, readonly || layers, &disk, why);
    if (err)
        return err;
    for (unsigned i = 0; !err && i < layers; i++)
        err = add_layer(&disk, layer[i], readonly || i + 1 < layers, why);
    if (err)
        disk_close(disk);
    else
        *out = disk;
    return err;
}

/* Cuts the last ",..." off; NULL: there is none of these. */
static char *cut_option(char *spec)
{
    char *comma = strrchr(spec, ',');
    if (!comma || (strcmp(comma, ",ro") && strncmp(comma, ",cow=", 5)))
        return NULL;
    *comma = 0;
    return comma + 1;
}

int disk_open_spec(const char *spec, struct disk **out, struct why *why)
{
    const char *layer[DISK_MAX_LAYERS];
    unsigned layers = 0;
    bool readonly = false;
    char *copy = strdup(spec), *option;
    int err = copy ? 0 : why_fail(why, -ENOMEM, "no memory for a disk");
    while (!err && (option = cut_option(copy))) {
        if (!strcmp(option, "ro"))
            readonly = true;
        else if (layers == DISK_MAX_LAYERS || !option[4])
            err = why_fail(why, -EINVAL, "disk %s: at most %u layers, each a file", spec,
                           DISK_MAX_LAYERS);
        else
            layer[DISK_MAX_LAYERS - ++layers] = option + 4; /* the last comes first */
    }
    if (!err)
        err = disk_open_layers(copy, layer + DISK_MAX_LAYERS - layers, layers, readonly, out, why);
    free(copy);
    return err;
}

/* Tools. */

int disk_create(const char *path, uint64_t bytes, struct why *why)
{
    if (!bytes)
        return why_fail(why, -EINVAL, "a disk of no size");
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    int err = fd < 0 ? -errno : 0;
    if (!err && (ftruncate(fd, (off_t)bytes) || fsync(fd))) {
        err = -errno;
        unlink(path);
    }
    if (fd >= 0)
        close(fd);
    return err ? why_fail(why, err, "cannot make disk %s: %s", path, strerror(-err)) : 0;
}

static void to_hex(const uint8_t *bytes, char text[33])
{
    for (unsigned i = 0; i < 16; i++)
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
}

static uint64_t count_free(const struct layer *l)
{
    uint64_t data = l->end - layer_data_at(l);
    return data > l->used ? data - l->used : 0;
}

static void fill_info(const struct layer *l, struct disk_layer_info *out)
{
    struct stat st;
    *out = (struct disk_layer_info){.bytes = l->disk.bytes,
                                    .blocks = l->disk.blocks,
                                    .used = l->used,
                                    .free = count_free(l),
                                    .host_bytes =
                                        fstat(l->fd, &st) ? 0 : (uint64_t)st.st_blocks * 512};
    to_hex(l->header.state, out->state);
    to_hex(l->header.below, out->below);
}

/* Every block that the layer has itself. */
typedef int (*block_fn)(void *opaque, struct layer *l, uint64_t block);

static int for_blocks(struct layer *l, block_fn fn, void *opaque)
{
    for (uint64_t block = 0; block < l->disk.blocks; block++) {
        const struct layer_entry *e = layer_entry_at(l, block, false);
        int err = e && e->now != LAYER_NONE ? fn(opaque, l, block) : 0;
        if (err)
            return err;
    }
    return 0;
}

static int check_block(void *opaque, struct layer *l, uint64_t block)
{
    struct disk_layer_info *info = opaque;
    uint8_t data[DISK_BLOCK];
    struct iovec iov = {data, sizeof(data)};
    info->checked++;
    info->damaged += disk_read(&l->disk, block, &iov, 1, false) != 0;
    return 0;
}

static int look_at(const char *path, bool check, struct disk_layer_info *out, struct why *why)
{
    struct layer *l;
    int err = layer_file_open(path, true, &l, why);
    if (err)
        return err;
    fill_info(l, out);
    if (check)
        err = for_blocks(l, check_block, out);
    layer_file_close(l);
    return err;
}

int disk_layer_info(const char *path, struct disk_layer_info *out, struct why *why)
{
    return look_at(path, false, out, why);
}

int disk_layer_check(const char *path, struct disk_layer_info *out, struct why *why)
{
    return look_at(path, true, out, why);
}

/* Commit. */

static int commit_block(void *opaque, struct layer *l, uint64_t block)
{
    struct disk *base = opaque;
    uint8_t data[DISK_BLOCK];
    struct iovec in = {data, sizeof(data)}, out = in;
    int err = disk_read(&l->disk, block, &in, 1, false);
    if (err)
        return err;
    /* The last block of a base may be a part. */
    uint64_t left = base->bytes - block * DISK_BLOCK;
    if (left < DISK_BLOCK)
        out.iov_len = left;
    return disk_write(base, block, &out, 1);
}

/* A layer whose base is being changed says so: then it fits nothing but another commit. */
static int mark_commit(struct layer *l, const uint8_t state[16])
{
    static const uint8_t mark[16] = "being committed";
    if (!memcmp(l->header.below, mark, sizeof(mark)))
        return 0;
    if (memcmp(l->header.below, state, sizeof(mark)))
        return -EINVAL;
    memcpy(l->header.below, mark, sizeof(mark));
    int err = layer_write_header(l);
    return !err && fdatasync(l->fd) ? -errno : err;
}

static int replace_by_empty(const char *path, const struct disk *base, struct why *why)
{
    char temp[4096];
    if (snprintf(temp, sizeof(temp), "%s.new", path) >= (int)sizeof(temp))
        return why_fail(why, -ENAMETOOLONG, "%s: too long a name", path);
    unlink(temp);
    int err = layer_file_create(temp, base, why);
    if (!err && rename(temp, path)) {
        err = why_fail(why, -errno, "cannot replace layer %s: %s", path, strerror(errno));
        unlink(temp);
    }
    return err;
}

static int commit(struct disk *base, struct layer *l, const char *path, struct why *why)
{
    uint8_t state[16];
    int err = layer_state_of(base, state);
    if (!err && l->disk.bytes != base->bytes)
        err = -EINVAL;
    if (!err)
        err = mark_commit(l, state);
    if (err == -EINVAL)
        return why_fail(why, err, "layer %s does not belong on this disk", path);
    if (!err)
        err = for_blocks(l, commit_block, base);
    if (!err)
        err = disk_flush(base);
    if (err)
        return why_fail(why, err, "cannot commit layer %s: %s", path, strerror(-err));
    return replace_by_empty(path, base, why);
}

int disk_layer_commit(const char *base_path, const char *path, struct why *why)
{
    struct disk *base;
    struct layer *l;
    int err = disk_open(base_path, false, &base, why);
    if (err)
        return err;
    err = layer_file_open(path, false, &l, why);
    if (!err) {
        err = commit(base, l, path, why);
        layer_file_close(l);
    }
    disk_close(base);
    return err;
}
