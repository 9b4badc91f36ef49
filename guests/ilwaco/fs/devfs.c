/* SPDX-License-Identifier: MIT */
/* /dev: a handful of devices, the terminal, and the further disks as block devices. */
#include "guests/ilwaco/boot_params.h"
#include "guests/ilwaco/fs/disk.h"
#include "guests/ilwaco/fs/vfs.h"
#include "guests/ilwaco/linux_abi.h"

#define RDEV(major, minor) ((uint64_t)(major) << 8 | (minor))
#define DISK_MAJOR 259u
#define DISK_AHEAD (64u * 1024)

static int zero_read(struct file *file, struct uio *uio, uint64_t *pos)
{
    uint32_t n = uio->left;
    (void)file;
    (void)pos;
    return uio_zero(uio, n) ? -EFAULT : (int)n;
}

static int null_read(struct file *file, struct uio *uio, uint64_t *pos)
{
    (void)file;
    (void)uio;
    (void)pos;
    return 0;
}

static int null_write(struct file *file, struct uio *uio, uint64_t *pos)
{
    (void)file;
    (void)pos;
    return (int)uio->left;
}

static int full_write(struct file *file, struct uio *uio, uint64_t *pos)
{
    (void)file;
    (void)uio;
    (void)pos;
    return -ENOSPC;
}

static int random_read(struct file *file, struct uio *uio, uint64_t *pos)
{
    uint8_t bytes[256];
    int done = 0;
    (void)file;
    (void)pos;
    while (uio->left) {
        uint32_t n = uio->left < sizeof bytes ? uio->left : sizeof bytes;
        random_bytes(bytes, n);
        if (uio_put(uio, bytes, n))
            return -EFAULT;
        done += (int)n;
    }
    return done;
}

static int64_t device_seek(struct file *file, int64_t offset, int whence)
{
    (void)file;
    (void)offset;
    (void)whence;
    return 0;
}

static const struct file_ops null_ops = {
    .name = "null", .read = null_read, .write = null_write, .seek = device_seek};
static const struct file_ops zero_ops = {
    .name = "zero", .read = zero_read, .write = null_write, .seek = device_seek};
static const struct file_ops full_ops = {
    .name = "full", .read = zero_read, .write = full_write, .seek = device_seek};
static const struct file_ops random_ops = {
    .name = "random", .read = random_read, .write = null_write, .seek = device_seek};

/* ---- disks ---- */

static int disk_file_read(struct file *file, struct uio *uio, uint64_t *pos)
{
    struct disk *disk = file->data;
    if (*pos >= disk->bytes)
        return 0;
    uint64_t rest = disk->bytes - *pos;
    uint32_t n = uio->left < rest ? uio->left : (uint32_t)rest;
    int err = cache_read_uio(disk, *pos, uio, n, rest - n);
    if (err)
        return err;
    *pos += n;
    return (int)n;
}

static int write_block(struct disk *disk, char *block, uint64_t pos, struct uio *uio, uint32_t n)
{
    uint32_t at = (uint32_t)pos & (BLOCK_SIZE - 1);
    int err = n < BLOCK_SIZE ? disk_read(disk, pos / BLOCK_SIZE, 1, block) : 0;
    if (!err)
        err = uio_get(uio, block + at, n);
    if (!err)
        err = disk_write(disk, pos / BLOCK_SIZE, 1, block);
    cache_forget(disk, pos / BLOCK_SIZE, 1);
    return err;
}

static int disk_file_write(struct file *file, struct uio *uio, uint64_t *pos)
{
    struct disk *disk = file->data;
    uint32_t before = uio->left;
    int err = 0;
    char *block = page_alloc(1);
    if (!block)
        return -ENOMEM;
    while (!err && uio->left && *pos < disk->bytes) {
        uint32_t room = BLOCK_SIZE - ((uint32_t)*pos & (BLOCK_SIZE - 1));
        uint64_t rest = disk->bytes - *pos;
        uint32_t n = room < uio->left ? room : uio->left;
        n = n < rest ? n : (uint32_t)rest;
        err = write_block(disk, block, *pos, uio, n);
        *pos += err ? 0 : n;
    }
    page_free(block, 1);
    uint32_t done = before - uio->left;
    return done && !err ? (int)done : err ? err : before ? -ENOSPC : 0;
}

static int64_t disk_file_seek(struct file *file, int64_t offset, int whence)
{
    struct disk *disk = file->data;
    offset += whence == 1 ? (int64_t)file->pos : whence == 2 ? (int64_t)disk->bytes : 0;
    if (offset < 0 || whence > 2)
        return -EINVAL;
    file->pos = (uint64_t)offset;
    return offset;
}

static int disk_file_ioctl(struct file *file, uint32_t command, uint32_t arg)
{
    struct disk *disk = file->data;
    uint32_t sector = BLOCK_SIZE;
    if (command == BLKGETSIZE64)
        return copy_to_user(arg, &disk->bytes, 8);
    return command == BLKSSZGET ? copy_to_user(arg, &sector, 4) : -ENOTTY;
}

static const struct file_ops disk_ops = {
    .name = "disk",
    .read = disk_file_read,
    .write = disk_file_write,
    .seek = disk_file_seek,
    .ioctl = disk_file_ioctl,
};

static int disk_inode_open(struct inode *inode, struct file *file)
{
    file->ops = &disk_ops;
    file->data = disk_at((uint32_t)inode->lower[0]);
    return 0;
}

static const struct inode_ops disk_inode_ops = {.open = disk_inode_open};

/* The program's disk, and standard input's, is a regular file: its bytes, copied by whoever maps
 * them. */
static int program_read(struct inode *inode, struct uio *uio, uint64_t pos, uint32_t n)
{
    uint64_t ahead = inode->size - pos - n;
    return cache_read_uio(inode->data, pos, uio, n, ahead < DISK_AHEAD ? ahead : DISK_AHEAD);
}

static int program_read_pages(struct inode *inode, uint32_t page, uint32_t n, void *dst)
{
    return disk_read(inode->data, page, n, dst);
}

static int program_open(struct inode *inode, struct file *file)
{
    return memory_ops.open(inode, file);
}

static const struct inode_ops program_ops = {
    .open = program_open, .read = program_read, .read_pages = program_read_pages};

struct dentry *disk_file_dentry(const char *disk_name, const char *name)
{
    struct disk *disk = disk_by_name(disk_name);
    struct inode *inode = disk ? inode_create(&program_ops, S_IFREG | 0755) : NULL;
    if (!inode)
        return NULL;
    inode->data = disk;
    inode->size = disk->bytes;
    return dentry_anonymous(inode, name);
}

/* ---- the tree ---- */

int device_open(struct inode *inode, struct file *file)
{
    switch (inode->rdev) {
    case RDEV(1, 3):
        file->ops = &null_ops;
        return 0;
    case RDEV(1, 5):
        file->ops = &zero_ops;
        return 0;
    case RDEV(1, 7):
        file->ops = &full_ops;
        return 0;
    case RDEV(1, 8):
    case RDEV(1, 9):
        file->ops = &random_ops;
        return 0;
    case RDEV(5, 0):
    case RDEV(5, 1):
    case RDEV(136, 0):
        return console_open(3, file);
    default:
        return -ENXIO;
    }
}

static struct dentry *add(struct dentry *dir, const char *name, struct inode *inode)
{
    struct dentry *old;
    if (!inode || dentry_lookup(dir, name, strlen(name), &old))
        return NULL;
    bool covered = old && old->inode; /* the packed root has one: ours takes its place */
    if (covered)
        dentry_unlink(old);
    if (old)
        dentry_release(old);
    struct dentry *dentry = dentry_link(dir, name, strlen(name), inode);
    if (dentry)
        dentry->upper = !covered;
    return dentry;
}

/* A directory of that name: the packed root's, or a new one. Held. */
static struct dentry *directory(struct dentry *dir, const char *name, uint32_t mode)
{
    struct dentry *found;
    if (dentry_lookup(dir, name, strlen(name), &found))
        return NULL;
    if (found && found->inode && inode_type(found->inode) == S_IFDIR)
        return found;
    if (found)
        dentry_release(found);
    return add(dir, name, inode_create(&memory_ops, S_IFDIR | mode));
}

static int add_device(struct dentry *dir, const char *name, uint64_t rdev)
{
    struct inode *inode = inode_create(&memory_ops, S_IFCHR | 0666);
    if (inode)
        inode->rdev = rdev;
    struct dentry *dentry = add(dir, name, inode);
    if (!dentry)
        return -ENOMEM;
    dentry_release(dentry);
    return 0;
}

static int add_link(struct dentry *dir, const char *name, const char *target)
{
    struct dentry *dentry = add(dir, name, memory_symlink(target, strlen(target)));
    if (!dentry)
        return -ENOMEM;
    dentry_release(dentry);
    return 0;
}

/* Disks that have their use already. */
static bool is_ours(const char *name)
{
    return !strcmp(name, ILWACO_DISK_ROOT) || !strcmp(name, ILWACO_DISK_PROGRAM) ||
           !strcmp(name, ILWACO_DISK_STDIN);
}

static int add_disks(struct dentry *dev)
{
    struct disk *disk;
    for (uint32_t i = 0; (disk = disk_at(i)); i++) {
        if (is_ours(disk->name))
            continue;
        struct inode *inode = inode_create(&disk_inode_ops, S_IFBLK | 0660);
        if (inode) {
            inode->rdev = RDEV(DISK_MAJOR, i);
            inode->lower[0] = i;
        }
        struct dentry *dentry = add(dev, disk->name, inode);
        if (!dentry)
            return -ENOMEM;
        dentry_release(dentry);
    }
    return 0;
}

static const struct {
    const char *name;
    uint16_t rdev;
} devices[] = {
    {"null", RDEV(1, 3)},    {"zero", RDEV(1, 5)}, {"full", RDEV(1, 7)},    {"random", RDEV(1, 8)},
    {"urandom", RDEV(1, 9)}, {"tty", RDEV(5, 0)},  {"console", RDEV(5, 1)},
};
static const char *const links[][2] = {
    {"fd", "/proc/self/fd"},
    {"stdin", "/proc/self/fd/0"},
    {"stdout", "/proc/self/fd/1"},
    {"stderr", "/proc/self/fd/2"},
};

int devfs_mount(struct dentry *root)
{
    struct dentry *dev = directory(root, "dev", 0755), *pts, *shm, *tmp;
    int err = dev ? 0 : -ENOMEM;
    for (uint32_t i = 0; !err && i < ARRAY_LEN(devices); i++)
        err = add_device(dev, devices[i].name, devices[i].rdev);
    for (uint32_t i = 0; !err && i < ARRAY_LEN(links); i++)
        err = add_link(dev, links[i][0], links[i][1]);
    if (err || !(pts = directory(dev, "pts", 0755)) || !(shm = directory(dev, "shm", 01777)) ||
        !(tmp = directory(root, "tmp", 01777)))
        return -ENOMEM;
    if (console_is_tty())
        err = add_device(pts, "0", RDEV(136, 0));
    dentry_release(pts);
    dentry_release(shm);
    dentry_release(tmp);
    if (!err)
        err = add_disks(dev);
    dentry_release(dev);
    return err;
}
