/* SPDX-License-Identifier: MIT */
/*
 * The cache of packed roots. An image's name comes from the root's path, its
 * superblock holds a key of the root's state; a different key, and it is made
 * anew under a temporary name and renamed. A lock file keeps two packers apart;
 * running VMs keep the image they opened.
 */
#include "emu/base/text.h"
#include "emu/cli/pack/pack_root.h"

#include "emu/cli/pack/pack_image.h"
#include "emu/cli/pack/pack_source.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct pack {
    char *source; /* absolute */
    bool is_folder;
    uint64_t key;
    char *image, *lock, *temporary;
    struct why *why;
};

static void pack_fini(struct pack *pack)
{
    free(pack->source);
    free(pack->image);
    free(pack->lock);
    free(pack->temporary);
}

/* ---- the cache folder ---- */

static char *cache_folder(void)
{
    const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (xdg && *xdg == '/')
        return text_format("%s/denali", xdg);
    if (home && *home == '/')
        return text_format("%s/.cache/denali", home);
    return text_format("/tmp/denali-%u", (unsigned)getuid());
}

static int make_folder(char *path)
{
    for (char *at = path + 1;; at++) {
        char c = *at;
        if (c && c != '/')
            continue;
        *at = 0;
        int err = mkdir(path, 0700) && errno != EEXIST ? -errno : 0;
        *at = c;
        if (err || !c)
            return err;
    }
}

/* Ours, and nobody else may write there: else an image could be planted. */
static int check_folder(const char *path)
{
    struct stat st;
    if (stat(path, &st))
        return -errno;
    return S_ISDIR(st.st_mode) && st.st_uid == getuid() && !(st.st_mode & 022) ? 0 : -EPERM;
}

static int prepare_folder(struct pack *pack)
{
    char *folder = cache_folder();
    if (!folder)
        return why_fail(pack->why, -ENOMEM, "no memory");
    int err = make_folder(folder);
    if (!err)
        err = check_folder(folder);
    if (err) {
        why_fail(pack->why, err,
                 "the cache folder %s cannot be used (%s); set XDG_CACHE_HOME to one that can",
                 folder, strerror(-err));
    } else {
        uint64_t name = rootfs_hash(ROOTFS_HASH_START, pack->source, strlen(pack->source));
        pack->image = text_format("%s/root-%016llx.img", folder, (unsigned long long)name);
        pack->lock = text_format("%s/root-%016llx.lock", folder, (unsigned long long)name);
        pack->temporary =
            text_format("%s/root-%016llx.%d.tmp", folder, (unsigned long long)name, (int)getpid());
        if (!pack->image || !pack->lock || !pack->temporary)
            err = why_fail(pack->why, -ENOMEM, "no memory");
    }
    free(folder);
    return err;
}

/* ---- is there one already? ---- */

static bool is_current(const struct pack *pack)
{
    struct rootfs_super super;
    struct stat st;
    int fd = open(pack->image, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool good = !fstat(fd, &st) && pread(fd, &super, sizeof(super), 0) == sizeof(super) &&
                pack_super_is_good(&super, (uint64_t)st.st_size) && super.source_key == pack->key;
    close(fd);
    return good;
}

static int read_key(struct pack *pack)
{
    return pack->is_folder ? pack_folder_key(pack->source, &pack->key, pack->why)
                           : pack_tar_key(pack->source, &pack->key, pack->why);
}

/* ---- making one ---- */

static int fill(struct pack *pack, int fd)
{
    struct pack_writer writer;
    struct pack_tree tree;
    struct pack_skips skips = {0};
    int err = pack_tree_init(&tree);
    if (err)
        return why_fail(pack->why, err, "no memory");
    err = pack_writer_init(&writer, fd);
    if (err)
        why_fail(pack->why, err, "no memory");
    else
        err = pack->is_folder ? pack_folder(pack->source, &writer, &tree, &skips, pack->why)
                              : pack_tar(pack->source, &writer, &tree, &skips, pack->why);
    if (!err && (err = pack_write_tree(&writer, &tree, pack->key)))
        why_fail(pack->why, err, "the packed root %s cannot be written: %s", pack->temporary,
                 strerror(-err));
    if (!err && skips.count)
        fprintf(stderr, "denali: %u files of %s cannot be read and are left out (%s%s)\n",
                skips.count, pack->source, skips.first, skips.count > 1 ? ", ..." : "");
    pack_writer_fini(&writer);
    pack_tree_fini(&tree);
    return err;
}

static int make_image(struct pack *pack)
{
    int fd = open(pack->temporary, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return why_fail(pack->why, -errno, "the packed root %s cannot be written: %s",
                        pack->temporary, strerror(errno));
    int err = fill(pack, fd);
    close(fd);
    if (!err && rename(pack->temporary, pack->image))
        err = why_fail(pack->why, -errno, "the packed root cannot be renamed to %s: %s",
                       pack->image, strerror(errno));
    if (err)
        unlink(pack->temporary);
    return err;
}

/* Under the lock. Another packer may have done the work while we waited for it. */
static int make_locked(struct pack *pack)
{
    int fd = open(pack->lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return why_fail(pack->why, -errno, "%s cannot be made: %s", pack->lock, strerror(errno));
    int err;
    do
        err = flock(fd, LOCK_EX) ? -errno : 0;
    while (err == -EINTR);
    if (err)
        why_fail(pack->why, err, "%s cannot be locked: %s", pack->lock, strerror(-err));
    else if (!is_current(pack))
        err = make_image(pack);
    close(fd);
    return err;
}

static int open_source(struct pack *pack, const char *root)
{
    struct stat st;
    pack->source = realpath(root, NULL);
    if (!pack->source || stat(pack->source, &st))
        return why_fail(pack->why, -errno, "the root %s cannot be read: %s", root, strerror(errno));
    pack->is_folder = S_ISDIR(st.st_mode);
    if (!pack->is_folder && !S_ISREG(st.st_mode))
        return why_fail(pack->why, -EINVAL, "the root %s is neither a folder nor a tar file", root);
    return read_key(pack);
}

int pack_root(const char *root, char **image, struct why *why)
{
    struct pack pack = {.why = why};
    *image = NULL;
    int err = open_source(&pack, root);
    if (!err)
        err = prepare_folder(&pack);
    if (!err && !is_current(&pack))
        err = make_locked(&pack);
    if (!err) {
        *image = pack.image;
        pack.image = NULL;
    }
    pack_fini(&pack);
    return err;
}
