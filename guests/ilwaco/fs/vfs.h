/* SPDX-License-Identifier: MIT */
/*
 * The file tree: one namespace of dentries (names) that lead to inodes.
 *
 * A directory's inode may have a lower part (the packed root, /proc): its
 * lookup is asked for names the tree does not hold yet. What the program
 * makes, changes or removes lives in the tree alone, above it: a dentry
 * without an inode is a whiteout. Everything is in memory and ends with the VM.
 *
 * A dentry stays in the tree until its name is removed, and in memory until
 * its last holder lets go. Lookups return a held dentry.
 */
#ifndef ILWACO_VFS_H
#define ILWACO_VFS_H

#include "guests/ilwaco/kernel.h"

#define NAME_MAX 255u
#define PATH_MAX 4096u
#define LINK_DEPTH_MAX 40

enum mode_bits {
    S_IFMT = 0170000,
    S_IFSOCK = 0140000,
    S_IFLNK = 0120000,
    S_IFREG = 0100000,
    S_IFBLK = 0060000,
    S_IFDIR = 0040000,
    S_IFCHR = 0020000,
    S_IFIFO = 0010000,
    S_ISGID = 02000,
    S_ISVTX = 01000,
};

struct inode;
struct dentry;

/* One name out of a directory. */
struct dir_entry {
    char name[NAME_MAX + 1];
    uint32_t ino;
    uint32_t type; /* mode >> 12, as d_type */
};

struct inode_ops {
    /* Lower part of a directory: a new inode with one reference. -ENOENT. */
    int (*lookup)(struct inode *dir, const char *name, uint32_t len, struct inode **out);
    /* The index-th name of the lower part; false: no more. */
    bool (*list)(struct inode *dir, uint32_t index, struct dir_entry *out);
    /* A symbolic link's target, NUL-ended; its length. */
    int (*readlink)(struct inode *inode, char *out, uint32_t room);
    /* A link that leads to a place no path names (/proc/self/fd/N); held. */
    struct dentry *(*jump)(struct inode *inode);
    /* Chooses file->ops and sets file->data. */
    int (*open)(struct inode *inode, struct file *file);
    /* Regular files that are not in memory: bytes [pos, pos + n), within the size. */
    int (*read)(struct inode *inode, struct uio *uio, uint64_t pos, uint32_t n);
    /* n whole pages at once to page-aligned memory; what lies behind the end is zero. */
    int (*read_pages)(struct inode *inode, uint32_t page, uint32_t n, void *dst);
    void (*destroy)(struct inode *inode);
};

/* A regular file's contents in memory: pages, NULL where nothing was written. */
struct inode_pages {
    void **page;
    uint32_t room;   /* of the array */
    uint32_t used;   /* pages that exist */
    uint32_t shared; /* of them, pages that lie in a VMA_SHARED range */
};

struct inode {
    const struct inode_ops *ops;
    uint32_t refs;
    uint32_t ino, mode, nlink, uid, gid;
    uint64_t size;
    uint64_t rdev;
    int64_t atime_ns, mtime_ns, ctime_ns; /* Unix */
    bool in_memory;                       /* regular: `pages` hold the contents */
    bool uncached; /* directory: names come and go by themselves, the tree must not keep them */
    bool fixed;    /* directory: the program can make and remove nothing here */
    struct inode_pages pages;
    void *data;        /* the ops' own: symlink target, pipe, packed inode... */
    uint64_t lower[2]; /* the ops' own numbers */
};

struct dentry {
    uint32_t refs;
    bool upper; /* a listing shows it although no lower part does: what the program made */
    bool unlinked;
    struct inode *inode; /* NULL: whiteout */
    struct dentry *parent;
    struct dentry *hash_next;
    struct list children, sibling;
    uint32_t serial; /* grows with every name made; the cookie of a listing */
    uint32_t hash;
    char name[];
};

/* ---- inodes (inode.c) ---- */

struct inode *inode_create(const struct inode_ops *ops, uint32_t mode);
void inode_hold(struct inode *inode);
void inode_release(struct inode *inode);
void inode_stat(const struct inode *inode, struct kstat *stat);
static inline uint32_t inode_type(const struct inode *inode)
{
    return inode->mode & S_IFMT;
}

/* ---- contents of regular files (content.c) ---- */

int inode_read(struct inode *inode, struct uio *uio, uint64_t pos);
int inode_write(struct inode *inode, struct uio *uio, uint64_t pos);
int inode_truncate(struct inode *inode, uint64_t size);
/* Makes the contents of [pos, pos + n) exist (fallocate); punch frees whole pages. */
int inode_allocate(struct inode *inode, uint64_t pos, uint64_t n);
int inode_punch(struct inode *inode, uint64_t pos, uint64_t n);
/* Copies pages to page-aligned memory, zero behind the end (mmap). */
int inode_read_pages(struct inode *inode, uint32_t page, uint32_t n, void *dst);
int inode_to_memory(struct inode *inode); /* copy-up */
/* Shared mappings: see content_shared.c. */
int inode_map_shared(struct inode *inode, uint32_t page, uint32_t n, uint32_t at);
uint32_t inode_shared_at(struct inode *inode, uint32_t page, uint32_t n);
/* One of several mappings of the range at `start` is given back; false: it was the last. */
bool inode_shared_release(uint32_t start);
/* A range of the file's own pages is unmapped: they move to kernel memory. 0, or an error: the
 * contents are lost and the RAM is the caller's to clear. */
int inode_unmap_shared(uint32_t start, uint32_t end);

/* ---- the tree (dentry.c) ---- */

void vfs_init(struct inode *root);
struct dentry *vfs_root(void);
void dentry_hold(struct dentry *dentry);
void dentry_release(struct dentry *dentry);
/* The dentry of a name: positive, or a whiteout, or NULL in *out if the tree knows nothing.
 * Held. Asks the lower part. Errors are of memory and disk. */
int dentry_lookup(struct dentry *dir, const char *name, uint32_t len, struct dentry **out);
/* What the tree itself knows of a name; not held; the lower part is not asked. */
struct dentry *dentry_peek(struct dentry *dir, const char *name, uint32_t len);
/* Gives a free name to an inode (takes over the reference). Held result, or NULL: no memory, and
 * the inode is released. */
struct dentry *dentry_link(struct dentry *dir, const char *name, uint32_t len, struct inode *inode);
/* Takes the name away: the dentry lives on unlinked for its holders; the lower part's entry is
 * covered. */
int dentry_unlink(struct dentry *dentry);
int dentry_rename(struct dentry *dentry, struct dentry *dir, const char *name, uint32_t len);
int dentry_exchange(struct dentry *a, struct dentry *b);
bool dentry_dir_empty(struct dentry *dir);
bool dentry_is_below(const struct dentry *dentry, const struct dentry *ancestor);
/* A dentry outside the tree: pipes, sockets, the program's disk. Takes over the inode. */
struct dentry *dentry_anonymous(struct inode *inode, const char *name);
/* The absolute path, NUL-ended; its length, or -ERANGE. */
int dentry_path(const struct dentry *dentry, char *out, uint32_t room);

/* ---- listing (readdir.c) ---- */

struct dir_sink {
    uint64_t pos; /* where to go on; updated */
    /* false: no room left, the entry is not consumed. next: pos behind it */
    bool (*emit)(struct dir_sink *sink, const struct dir_entry *entry, uint64_t next);
};
int dentry_list(struct dentry *dir, struct dir_sink *sink);

/* ---- paths (path.c) ---- */

enum walk_flags {
    WALK_NOFOLLOW = 1, /* of the last component, if it is a link */
    WALK_PARENT = 2,   /* the last component need not exist */
};

struct walk {
    struct dentry *parent; /* held; NULL for "/" and "." and a link's jump */
    struct dentry *dentry; /* held; NULL: does not exist (WALK_PARENT) */
    char name[NAME_MAX + 1];
    uint32_t len;
    bool slash; /* a slash follows the last component */
};

/* path: kernel memory. base: where relative paths begin. 0: walk_done must follow. */
int walk_path(struct dentry *base, const char *path, uint32_t flags, struct walk *walk);
void walk_done(struct walk *walk);
/* From system calls: user path, directory descriptor (AT_FDCWD). */
#define AT_FDCWD (-100)
int walk_user(int32_t dirfd, uint32_t path, uint32_t flags, struct walk *walk);
/* Only the dentry, which must exist; held. */
int walk_user_dentry(int32_t dirfd, uint32_t path, uint32_t flags, struct dentry **out);
struct dentry *vfs_cwd(void);
void vfs_set_cwd(struct dentry *dir);          /* takes a reference of its own */
char *path_from_user(uint32_t path, int *err); /* kfree it */

/* ---- opening (open.c) ---- */

int vfs_open_dentry(struct dentry *dentry, uint32_t flags, struct file **out);
int vfs_open(struct dentry *base, const char *path, uint32_t flags, uint32_t mode,
             struct file **out);
uint32_t vfs_umask(void);
extern const struct file_ops regular_ops, directory_ops;
extern const struct inode_ops memory_ops; /* what the program makes */
struct inode *memory_symlink(const char *target, uint32_t len);

/* Console, keyboard: see fs/console.c. */
int console_init(void);
int console_open(uint32_t stream, struct file *file); /* 0..2; 3: the terminal, as /dev/tty */
bool console_is_tty(void);
int console_install(void); /* descriptors 0, 1, 2 */

/* Device files by number; 0, -ENXIO. */
int device_open(struct inode *inode, struct file *file);
int fifo_open(struct inode *inode, struct file *file);

/* ---- parts of the tree, mounted at boot ---- */

int rootfs_mount(struct inode **root); /* the packed root, or an empty one */
int devfs_mount(struct dentry *root);  /* fills /dev */
int procfs_mount(struct dentry *root); /* /proc and /sys */
/* A disk as a regular file outside the tree; NULL: no such disk. */
struct dentry *disk_file_dentry(const char *disk, const char *name);

#endif
