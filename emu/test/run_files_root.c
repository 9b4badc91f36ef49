/* SPDX-License-Identifier: MIT */
/*
 * Files that a test gives its program: a root of their own, packed for this run alone and gone
 * after it.
 */
#include "emu/test/run_private.h"
#include "emu/test/story_private.h"
#include "guests/ilwaco/rootfs_format.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int copy_into(FILE *to, const char *path)
{
    char part[65536];
    size_t n;
    FILE *from = fopen(path, "rbe");
    if (!from)
        return -errno;
    while ((n = fread(part, 1, sizeof(part), from)) > 0 && fwrite(part, 1, n, to) == n)
        ;
    int err = ferror(from) || ferror(to) ? -EIO : 0;
    fclose(from);
    return err;
}

static int write_file(const char *path, const struct spec_file *f)
{
    FILE *file = fopen(path, "wbe");
    int err = file ? 0 : -errno;
    if (!err && f->copy)
        err = copy_into(file, f->copy);
    else if (!err && fwrite(f->content.data, 1, f->content.len, file) != f->content.len)
        err = -EIO;
    if (file && fclose(file) && !err)
        err = -errno;
    return err || !chmod(path, f->mode) ? err : -errno;
}

/* Times must not be the host's: the guest can read them. */
static void set_time(const char *path)
{
    const struct timespec times[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
    (void)utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW);
}

static int make_file(struct run *run, const struct spec_file *f)
{
    char *path = NULL;
    if (asprintf(&path, "%s%s", run->root, f->path) < 0)
        return why_fail(&run->why, -ENOMEM, "no memory");
    char *slash = strrchr(path, '/');
    *slash = 0;
    int err = story_make_folder(path);
    *slash = '/';
    if (!err)
        err = write_file(path, f);
    free(path);
    return err ? why_fail(&run->why, err, "the file %s%s%s cannot be made: %s", f->path,
                          f->copy ? ", a copy of " : "", f->copy ? f->copy : "", strerror(-err))
               : 0;
}

static int touch(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    set_time(path);
    return 0;
}

int run_make_root(struct run *run)
{
    const struct spec *spec = run->spec;
    char folder[] = "/tmp/denali-files-XXXXXX", *tmp = NULL;
    int err = 0;
    if (!spec->guest_files)
        return 0;
    if (!mkdtemp(folder) || !(run->root = strdup(folder)))
        return why_fail(&run->why, -errno, "no temporary folder: %s", strerror(errno));
    if (asprintf(&tmp, "%s/tmp", folder) >= 0) { /* as programs expect it */
        (void)!mkdir(tmp, 01777);
        free(tmp);
    }
    for (unsigned i = 0; !err && i < spec->guest_files; i++)
        err = make_file(run, &spec->guest_file[i]);
    nftw(folder, touch, 16, FTW_DEPTH | FTW_PHYS);
    run->options.root = run->root;
    return err;
}

/* Nothing of this host's may be in what the guest reads: whose the files are, and the packer's key.
 */
static int make_same(int fd, struct rootfs_super *super)
{
    size_t len = super->meta_bytes;
    uint8_t *meta = malloc(len + 1);
    struct rootfs_inode *inode = (void *)meta;
    bool good = meta && pread(fd, meta, len, (off_t)super->meta_offset) == (ssize_t)len &&
                super->inode_count <= len / sizeof(*inode);
    for (uint32_t i = 0; good && i < super->inode_count; i++)
        inode[i].uid = inode[i].gid = 0;
    super->source_key = 0;
    super->meta_checksum = good ? rootfs_hash(ROOTFS_HASH_START, meta, len) : 0;
    super->super_checksum =
        rootfs_hash(ROOTFS_HASH_START, super, offsetof(struct rootfs_super, super_checksum));
    good = good && pwrite(fd, meta, len, (off_t)super->meta_offset) == (ssize_t)len &&
           pwrite(fd, super, sizeof(*super), 0) == sizeof(*super);
    free(meta);
    return good ? 0 : -EIO;
}

int run_settle_root(struct run *run)
{
    struct rootfs_super super;
    if (!run->root || !run->boot.root)
        return 0;
    int fd = open(run->boot.root, O_RDWR | O_CLOEXEC);
    int err = fd < 0 ? -errno : 0;
    if (!err && pread(fd, &super, sizeof(super), 0) != sizeof(super))
        err = -EIO;
    if (!err)
        err = make_same(fd, &super);
    if (fd >= 0)
        close(fd);
    return err ? why_fail(&run->why, err, "the files of the test cannot be packed: %s",
                          strerror(-err))
               : 0;
}

static int drop(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    (void)remove(path);
    return 0;
}

/* The packed root and its lock: ROOT.img, ROOT.lock. */
static void drop_packed(const char *image)
{
    const char *dot = strrchr(image, '.');
    char *lock = NULL;
    unlink(image);
    if (dot && asprintf(&lock, "%.*s.lock", (int)(dot - image), image) >= 0) {
        unlink(lock);
        free(lock);
    }
}

void run_drop_root(struct run *run)
{
    if (!run->root)
        return;
    if (run->boot.root)
        drop_packed(run->boot.root);
    nftw(run->root, drop, 16, FTW_DEPTH | FTW_PHYS);
    free(run->root);
    run->root = NULL;
}
