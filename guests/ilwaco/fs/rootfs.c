/* SPDX-License-Identifier: MIT */
/*
 * The packed root as the lower part of the tree. The image is taken for
 * hostile: every offset and count is checked against the disk before use, so a
 * damaged one gives I/O errors, not wild reads.
 */
#include "guests/ilwaco/boot_params.h"
#include "guests/ilwaco/fs/disk.h"
#include "guests/ilwaco/fs/vfs.h"
#include "guests/ilwaco/rootfs_format.h"

/* A first read is often only of a header; one further in goes on. */
#define FIRST_AHEAD (16u * 1024)
#define SEQUENTIAL_AHEAD (128u * 1024)

static struct disk *disk;
static struct rootfs_super super SELDOM_WRITTEN;

static const struct inode_ops packed_ops, packed_dir_ops;

static bool inside(uint64_t offset, uint64_t n)
{
    return offset <= super.image_bytes && n <= super.image_bytes - offset;
}

static int read_inode(uint32_t number, struct rootfs_inode *out)
{
    if (number - 1 >= super.inode_count)
        return -EIO;
    int err = cache_read(disk, super.meta_offset + (uint64_t)(number - 1) * sizeof *out, out,
                         sizeof *out);
    if (err)
        return err;
    return inside(out->offset, out->size) ? 0 : -EIO;
}

/* Hard links: one inode in memory for all names. */
static struct inode *known[64];

static struct inode *find_known(uint32_t number)
{
    struct inode *inode = known[number % ARRAY_LEN(known)];
    while (inode && inode->ino != number)
        inode = (struct inode *)(uint32_t)inode->lower[1];
    return inode;
}

static void remember(struct inode *inode)
{
    struct inode **head = &known[inode->ino % ARRAY_LEN(known)];
    inode->lower[1] = (uint32_t)*head;
    *head = inode;
}

static void packed_destroy(struct inode *inode)
{
    struct inode **link = &known[inode->ino % ARRAY_LEN(known)], *next;
    while (*link && *link != inode)
        link = (struct inode **)(void *)&(*link)->lower[1];
    if (*link) {
        next = (struct inode *)(uint32_t)inode->lower[1];
        *link = next;
    }
}

static int load(uint32_t number, struct inode **out)
{
    struct rootfs_inode packed;
    struct inode *inode = find_known(number);
    if (inode) {
        inode_hold(inode);
        *out = inode;
        return 0;
    }
    int err = read_inode(number, &packed);
    if (err)
        return err;
    bool dir = (packed.mode & S_IFMT) == S_IFDIR;
    inode = inode_create(dir ? &packed_dir_ops : &packed_ops, packed.mode & (S_IFMT | 07777));
    if (!inode)
        return -ENOMEM;
    inode->ino = number;
    inode->nlink = packed.nlink;
    inode->uid = packed.uid;
    inode->gid = packed.gid;
    inode->size = dir ? packed.shown_size : packed.size;
    inode->lower[1] = dir ? packed.size : 0;
    inode->rdev = (uint64_t)packed.rdev_major << 8 | (packed.rdev_minor & 0xff);
    inode->mtime_ns = packed.mtime_sec * (int64_t)NS_PER_SEC + packed.mtime_nsec;
    inode->atime_ns = inode->ctime_ns = inode->mtime_ns;
    inode->lower[0] = packed.offset;
    inode->data = (void *)packed.count;
    if (packed.nlink > 1 && inode_type(inode) != S_IFDIR)
        remember(inode);
    *out = inode;
    return 0;
}

static int read_dirent(struct inode *dir, uint32_t index, struct rootfs_dirent *entry,
                       char name[ROOTFS_NAME_MAX + 1])
{
    int err =
        cache_read(disk, dir->lower[0] + (uint64_t)index * sizeof *entry, entry, sizeof *entry);
    if (err)
        return err;
    if (entry->name_len > ROOTFS_NAME_MAX ||
        !inside(dir->lower[0] + entry->name_offset, entry->name_len))
        return -EIO;
    name[entry->name_len] = 0;
    return cache_read(disk, dir->lower[0] + entry->name_offset, name, entry->name_len);
}

static int compare(const char *a, uint32_t a_len, const char *b, uint32_t b_len)
{
    int order = memcmp(a, b, a_len < b_len ? a_len : b_len);
    return order ? order : (int)a_len - (int)b_len;
}

static uint32_t entries(const struct inode *dir)
{
    uint32_t count = (uint32_t)dir->data,
             room = (uint32_t)(dir->lower[1] / sizeof(struct rootfs_dirent));
    return count < room ? count : room;
}

static int packed_lookup(struct inode *dir, const char *name, uint32_t len, struct inode **out)
{
    uint32_t low = 0, high = entries(dir);
    while (low < high) {
        struct rootfs_dirent entry;
        char found[ROOTFS_NAME_MAX + 1];
        uint32_t mid = low + (high - low) / 2;
        int err = read_dirent(dir, mid, &entry, found);
        if (err)
            return err;
        int order = compare(name, len, found, entry.name_len);
        if (!order)
            return load(entry.inode, out);
        if (order < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return -ENOENT;
}

static bool packed_list(struct inode *dir, uint32_t index, struct dir_entry *out)
{
    struct rootfs_dirent entry;
    uint32_t listed;
    if (index >= entries(dir) ||
        cache_read(disk,
                   dir->lower[0] + index * sizeof entry + offsetof(struct rootfs_dirent, listed),
                   &listed, sizeof listed) ||
        listed >= entries(dir) || read_dirent(dir, listed, &entry, out->name))
        return false;
    out->ino = entry.inode;
    out->type = entry.type;
    return true;
}

static int packed_readlink(struct inode *inode, char *out, uint32_t room)
{
    if (inode->size + 1 > room)
        return -ENAMETOOLONG;
    int err = cache_read(disk, inode->lower[0], out, (uint32_t)inode->size);
    out[inode->size] = 0;
    return err ? err : (int)inode->size;
}

static int packed_read(struct inode *inode, struct uio *uio, uint64_t pos, uint32_t n)
{
    uint64_t ahead = inode->size - pos - n, likely = pos ? SEQUENTIAL_AHEAD : FIRST_AHEAD;
    return cache_read_uio(disk, inode->lower[0] + pos, uio, n, ahead < likely ? ahead : likely);
}

static int packed_read_pages(struct inode *inode, uint32_t page, uint32_t n, void *dst)
{
    uint64_t offset = inode->lower[0] + (uint64_t)page * PAGE_SIZE;
    if (offset % BLOCK_SIZE)
        return -EIO;
    int err = disk_read(disk, offset / BLOCK_SIZE, n, dst);
    uint64_t end = (uint64_t)(page + n) * PAGE_SIZE;
    if (!err && end > inode->size) {
        uint32_t tail = (uint32_t)(end - inode->size);
        memset((char *)dst + n * PAGE_SIZE - tail, 0, tail);
    }
    return err;
}

static int packed_open(struct inode *inode, struct file *file)
{
    return memory_ops.open(inode, file);
}

static const struct inode_ops packed_dir_ops = {
    .lookup = packed_lookup,
    .list = packed_list,
    .open = packed_open,
    .destroy = packed_destroy,
};

static const struct inode_ops packed_ops = {
    .readlink = packed_readlink,
    .open = packed_open,
    .read = packed_read,
    .read_pages = packed_read_pages,
    .destroy = packed_destroy,
};

static int read_super(void)
{
    int err = cache_read(disk, 0, &super, sizeof super);
    if (err)
        return err;
    uint64_t sum =
        rootfs_hash(ROOTFS_HASH_START, &super, offsetof(struct rootfs_super, super_checksum));
    bool good =
        super.magic == ROOTFS_MAGIC && super.version == ROOTFS_VERSION &&
        super.super_checksum == sum && super.image_bytes <= disk->blocks * BLOCK_SIZE &&
        inside(super.meta_offset, (uint64_t)super.inode_count * sizeof(struct rootfs_inode));
    return good ? 0 : -EINVAL;
}

int rootfs_mount(struct inode **root)
{
    disk = disk_by_name(ILWACO_DISK_ROOT);
    if (!disk) {
        *root = inode_create(&memory_ops, S_IFDIR | 0755);
        return *root ? 0 : -ENOMEM;
    }
    int err = read_super();
    if (!err)
        err = load(ROOTFS_ROOT, root);
    if (!err && inode_type(*root) != S_IFDIR)
        err = -EINVAL;
    return err;
}
