/* SPDX-License-Identifier: MIT */
/*
 * Looks a name up in a packed root, on the host. The image comes from the user's
 * cache folder; still, nothing in it is believed: every offset is checked.
 */
#include "emu/cli/pack/pack_image.h"
#include "emu/cli/pack/pack_root.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINKS_MAX 40

struct image {
    const uint8_t *data;
    uint64_t bytes;
    struct rootfs_super super;
};

bool pack_super_is_good(const struct rootfs_super *super, uint64_t file_bytes)
{
    uint64_t sum =
        rootfs_hash(ROOTFS_HASH_START, super, offsetof(struct rootfs_super, super_checksum));
    return super->magic == ROOTFS_MAGIC && super->version == ROOTFS_VERSION &&
           super->super_checksum == sum && super->image_bytes == file_bytes &&
           super->meta_offset <= file_bytes &&
           super->meta_bytes <= file_bytes - super->meta_offset &&
           super->inode_count <= super->meta_bytes / sizeof(struct rootfs_inode);
}

static bool open_image(const char *path, struct image *image)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool good = fd >= 0 && !fstat(fd, &st) && st.st_size >= (off_t)sizeof(image->super);
    void *data = good ? mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
    if (fd >= 0)
        close(fd);
    if (data == MAP_FAILED)
        return false;
    image->data = data;
    image->bytes = (uint64_t)st.st_size;
    memcpy(&image->super, data, sizeof(image->super));
    if (pack_super_is_good(&image->super, image->bytes))
        return true;
    munmap(data, image->bytes);
    return false;
}

static const uint8_t *span(const struct image *image, uint64_t offset, uint64_t n)
{
    return offset <= image->bytes && n <= image->bytes - offset ? image->data + offset : NULL;
}

static bool get_inode(const struct image *image, uint32_t number, struct rootfs_inode *out)
{
    if (number - 1 >= image->super.inode_count)
        return false;
    memcpy(out, image->data + image->super.meta_offset + (number - 1) * sizeof(*out), sizeof(*out));
    return span(image, out->offset, out->size);
}

static int compare(const char *a, size_t a_len, const uint8_t *b, size_t b_len)
{
    int order = memcmp(a, b, a_len < b_len ? a_len : b_len);
    return order ? order : (a_len > b_len) - (a_len < b_len);
}

/* The inode's number of a name in a directory; 0: not there. */
static uint32_t find(const struct image *image, const struct rootfs_inode *dir, const char *name,
                     size_t len)
{
    uint32_t low = 0, high = dir->count;
    if (!S_ISDIR(dir->mode) || dir->count > dir->size / sizeof(struct rootfs_dirent))
        return 0;
    while (low < high) {
        struct rootfs_dirent entry;
        uint32_t mid = low + (high - low) / 2;
        memcpy(&entry, image->data + dir->offset + mid * sizeof(entry), sizeof(entry));
        const uint8_t *found = span(image, dir->offset + entry.name_offset, entry.name_len);
        if (!found)
            return 0;
        int order = compare(name, len, found, entry.name_len);
        if (!order)
            return entry.inode;
        if (order < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return 0;
}

/* A walk: the numbers of the folders that lead to where it is, so that ".." can go back. */
struct walk {
    uint32_t stack[PATH_MAX / 2];
    unsigned depth;
    int links;
};

static bool walk_path(const struct image *image, struct walk *walk, const char *path);

static bool walk_link(const struct image *image, struct walk *walk,
                      const struct rootfs_inode *inode)
{
    char target[PATH_MAX];
    const uint8_t *from = span(image, inode->offset, inode->size);
    if (!from || inode->size >= sizeof(target) || ++walk->links > LINKS_MAX)
        return false;
    memcpy(target, from, inode->size);
    target[inode->size] = 0;
    if (*target == '/')
        walk->depth = 0;
    return walk_path(image, walk, target);
}

static bool walk_name(const struct image *image, struct walk *walk, const char *name, size_t len)
{
    struct rootfs_inode dir, inode;
    if (len == 1 && *name == '.')
        return true;
    if (len == 2 && !memcmp(name, "..", 2)) {
        walk->depth -= walk->depth > 0;
        return true;
    }
    if (!get_inode(image, walk->stack[walk->depth], &dir))
        return false;
    uint32_t number = find(image, &dir, name, len);
    if (!number || !get_inode(image, number, &inode))
        return false;
    if (S_ISLNK(inode.mode))
        return walk_link(image, walk, &inode);
    if (walk->depth + 1 >= ARRAY_LEN(walk->stack))
        return false;
    walk->stack[++walk->depth] = number;
    return true;
}

static bool walk_path(const struct image *image, struct walk *walk, const char *path)
{
    while (*path) {
        size_t len = strcspn(path, "/");
        if (len && !walk_name(image, walk, path, len))
            return false;
        path += len + (path[len] == '/');
    }
    return true;
}

/* A regular file's inode, links followed. */
static bool find_file(const struct image *image, const char *path, struct rootfs_inode *out)
{
    struct walk walk = {.stack = {ROOTFS_ROOT}};
    return walk_path(image, &walk, path) && get_inode(image, walk.stack[walk.depth], out) &&
           S_ISREG(out->mode);
}

static void close_image(struct image *image)
{
    munmap((void *)(uintptr_t)image->data, image->bytes);
}

bool pack_root_has_program(const char *path, const char *program)
{
    struct image image;
    struct rootfs_inode inode;
    if (!open_image(path, &image))
        return false;
    bool has = find_file(&image, program, &inode) && (inode.mode & 0111);
    close_image(&image);
    return has;
}

int pack_root_open(const char *path, const char *file, uint64_t *offset, uint64_t *size)
{
    struct image image;
    struct rootfs_inode inode;
    if (!open_image(path, &image))
        return -ENOENT;
    bool found = find_file(&image, file, &inode);
    close_image(&image);
    if (!found)
        return -ENOENT;
    *offset = inode.offset;
    *size = inode.size;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd >= 0 ? fd : -errno;
}
