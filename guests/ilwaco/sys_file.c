/* SPDX-License-Identifier: MIT */
/* System calls on open files: moving bytes, positions, descriptors' flags. */
#include "guests/ilwaco/fd.h"
#include "guests/ilwaco/fs/vfs.h"
#include "guests/ilwaco/linux_abi.h"
#include "guests/ilwaco/sys.h"

#define COPY_BYTES 16384u

enum fcntl_command {
    F_DUPFD = 0,
    F_GETFD = 1,
    F_SETFD = 2,
    F_GETFL = 3,
    F_SETFL = 4,
    F_GETLK = 5,
    F_SETLK = 6,
    F_SETLKW = 7,
    F_SETOWN = 8,
    F_GETOWN = 9,
    F_SETSIG = 10,
    F_GETSIG = 11,
    F_GETLK64 = 12,
    F_SETLK64 = 13,
    F_SETLKW64 = 14,
    F_OFD_GETLK = 36,
    F_OFD_SETLK = 37,
    F_OFD_SETLKW = 38,
    F_DUPFD_CLOEXEC = 1030,
    F_SETPIPE_SZ = 1031,
    F_GETPIPE_SZ = 1032,
    F_ADD_SEALS = 1033,
    F_GET_SEALS = 1034,
};
#define F_UNLCK 2
#define SETTABLE (O_APPEND | O_NONBLOCK | O_ASYNC | O_DIRECT | O_NOATIME)

/* ---- reading and writing ---- */

typedef int (*transfer_fn)(struct file *file, struct uio *uio, uint64_t *pos);

static int transfer(struct file *file, struct uio *uio, uint64_t *pos, bool write)
{
    transfer_fn fn = write ? file->ops->write : file->ops->read;
    if ((file->flags & O_PATH) || (file->flags & O_ACCMODE) == (write ? O_RDONLY : O_WRONLY))
        return -EBADF;
    if (!fn)
        return -EINVAL;
    file_hold(file);
    int result = fn(file, uio, pos);
    file_release(file);
    if (result == -EPIPE && write)
        signal_raise_pipe();
    return result;
}

static int32_t one_buffer(uint32_t fd, uint32_t buffer, uint32_t n, bool write)
{
    struct uio uio;
    struct uio_part part;
    struct file *file = fd_file(fd);
    if (!file)
        return -EBADF;
    uio_init(&uio, &part, buffer, n < INT32_MAX ? n : INT32_MAX & ~PAGE_MASK, false);
    return transfer(file, &uio, &file->pos, write);
}

int32_t sys_read(uint32_t fd, uint32_t buffer, uint32_t n)
{
    return one_buffer(fd, buffer, n, false);
}

int32_t sys_write(uint32_t fd, uint32_t buffer, uint32_t n)
{
    return one_buffer(fd, buffer, n, true);
}

static int32_t vector(uint32_t fd, uint32_t iov, uint32_t count, uint64_t *pos, bool write)
{
    struct uio uio;
    struct uio_part *heap;
    struct file *file = fd_file(fd);
    if (!file)
        return -EBADF;
    int32_t result = uio_from_user(&uio, iov, count, &heap);
    if (!result && count)
        result = transfer(file, &uio, pos ? pos : &file->pos, write);
    kfree(heap);
    return result;
}

int32_t sys_readv(uint32_t fd, uint32_t iov, uint32_t count)
{
    return vector(fd, iov, count, NULL, false);
}

int32_t sys_writev(uint32_t fd, uint32_t iov, uint32_t count)
{
    return vector(fd, iov, count, NULL, true);
}

static int can_seek(uint32_t fd)
{
    struct file *file = fd_file(fd);
    if (!file)
        return -EBADF;
    return file->ops->seek ? 0 : -ESPIPE;
}

static int32_t at_offset(uint32_t fd, uint32_t buffer, uint32_t n, uint64_t pos, bool write)
{
    struct uio uio;
    struct uio_part part;
    int err = can_seek(fd);
    if (err)
        return err;
    if ((int64_t)pos < 0)
        return -EINVAL;
    uio_init(&uio, &part, buffer, n < INT32_MAX ? n : INT32_MAX & ~PAGE_MASK, false);
    return transfer(fd_file(fd), &uio, &pos, write);
}

int32_t sys_pread64(uint32_t fd, uint32_t buffer, uint32_t n, uint32_t low, uint32_t high)
{
    return at_offset(fd, buffer, n, (uint64_t)high << 32 | low, false);
}

int32_t sys_pwrite64(uint32_t fd, uint32_t buffer, uint32_t n, uint32_t low, uint32_t high)
{
    return at_offset(fd, buffer, n, (uint64_t)high << 32 | low, true);
}

static int32_t vector_at(uint32_t fd, uint32_t iov, uint32_t count, uint64_t pos, bool write)
{
    int err = can_seek(fd);
    return err ? err : vector(fd, iov, count, &pos, write);
}

int32_t sys_preadv(uint32_t fd, uint32_t iov, uint32_t count, uint32_t low, uint32_t high)
{
    return vector_at(fd, iov, count, (uint64_t)high << 32 | low, false);
}

int32_t sys_pwritev(uint32_t fd, uint32_t iov, uint32_t count, uint32_t low, uint32_t high)
{
    return vector_at(fd, iov, count, (uint64_t)high << 32 | low, true);
}

int32_t sys_preadv2(uint32_t fd, uint32_t iov, uint32_t count, uint32_t low, uint32_t high,
                    uint32_t flags)
{
    if (flags)
        return -EOPNOTSUPP;
    return low == UINT32_MAX && high == UINT32_MAX ? sys_readv(fd, iov, count)
                                                   : sys_preadv(fd, iov, count, low, high);
}

int32_t sys_pwritev2(uint32_t fd, uint32_t iov, uint32_t count, uint32_t low, uint32_t high,
                     uint32_t flags)
{
    if (flags)
        return -EOPNOTSUPP;
    return low == UINT32_MAX && high == UINT32_MAX ? sys_writev(fd, iov, count)
                                                   : sys_pwritev(fd, iov, count, low, high);
}

/* ---- positions ---- */

static int64_t seek(uint32_t fd, int64_t offset, uint32_t whence)
{
    struct file *file = fd_file(fd);
    if (!file || (file->flags & O_PATH))
        return -EBADF;
    return file->ops->seek ? file->ops->seek(file, offset, (int)whence) : -ESPIPE;
}

int32_t sys_lseek(uint32_t fd, uint32_t offset, uint32_t whence)
{
    int64_t pos = seek(fd, (int32_t)offset, whence);
    return pos > INT32_MAX ? -EOVERFLOW : (int32_t)pos;
}

int32_t sys_llseek(uint32_t fd, uint32_t high, uint32_t low, uint32_t result, uint32_t whence)
{
    int64_t pos = seek(fd, (int64_t)((uint64_t)high << 32 | low), whence);
    return pos < 0 ? (int32_t)pos : copy_to_user(result, &pos, sizeof pos);
}

/* ---- file to file ---- */

/* A reader that writes what it reads at once. */
struct relay {
    struct uio uio;
    struct file *out;
    uint64_t *pos;
    int result; /* of the last write */
};

static int relay_put(struct uio *uio, const void *src, uint32_t n)
{
    struct relay *relay = CONTAINER_OF(uio, struct relay, uio);
    struct uio from;
    struct uio_part part;
    uio_init(&from, &part, (uint32_t)src, n, true);
    relay->result = transfer(relay->out, &from, relay->pos, true);
    if (relay->result > 0)
        uio->left -= (uint32_t)relay->result;
    return relay->result == (int)n ? 0 : -EFAULT;
}

/* Contents that are in memory go out from where they lie. */
static int32_t copy_directly(struct file *in, uint64_t *in_pos, struct file *out, uint64_t *out_pos,
                             uint32_t n)
{
    struct relay relay = {.uio = {.left = n, .sink = relay_put}, .out = out, .pos = out_pos};
    int result = transfer(in, &relay.uio, in_pos, false);
    return result <= 0 && relay.result < 0 ? relay.result : result;
}

/* Who writes to it does not wait, so that a block that is read stays where it is meanwhile. */
static bool never_waits(const struct file *out)
{
    return (out->flags & O_NONBLOCK) && out->ops != &regular_ops;
}

/* Copies up to n bytes; bytes moved, or the first error. */
static int32_t copy_files(struct file *in, uint64_t *in_pos, struct file *out, uint64_t *out_pos,
                          uint32_t n)
{
    uint32_t done = 0;
    int result = 0;
    if (in->ops == &regular_ops && never_waits(out))
        return copy_directly(in, in_pos, out, out_pos, n);
    char *buffer = page_alloc(COPY_BYTES / PAGE_SIZE);
    if (!buffer)
        return -ENOMEM;
    while (done < n) {
        struct uio uio;
        struct uio_part part;
        uint64_t before = *in_pos;
        uint32_t want = n - done < COPY_BYTES ? n - done : COPY_BYTES;
        uio_init(&uio, &part, (uint32_t)buffer, want, true);
        result = transfer(in, &uio, in_pos, false);
        if (result <= 0)
            break;
        uint32_t got = (uint32_t)result;
        uio_init(&uio, &part, (uint32_t)buffer, got, true);
        result = transfer(out, &uio, out_pos, true);
        if (result > 0)
            done += (uint32_t)result;
        if (result < (int)got) {
            *in_pos = before + (result > 0 ? (uint32_t)result : 0);
            break;
        }
    }
    page_free(buffer, COPY_BYTES / PAGE_SIZE);
    return done ? (int32_t)done : result;
}

static int32_t do_sendfile(uint32_t out_fd, uint32_t in_fd, uint32_t offset, uint32_t n, bool wide)
{
    struct file *in = fd_file(in_fd), *out = fd_file(out_fd);
    uint64_t pos = 0;
    if (!in || !out)
        return -EBADF;
    if (!in->ops->seek)
        return -EINVAL;
    if (offset && copy_from_user(&pos, offset, wide ? 8 : 4))
        return -EFAULT;
    file_hold(in);
    file_hold(out);
    int32_t result = copy_files(in, offset ? &pos : &in->pos, out, &out->pos, n);
    file_release(in);
    file_release(out);
    if (offset && result >= 0 && copy_to_user(offset, &pos, wide ? 8 : 4))
        return -EFAULT;
    return result;
}

int32_t sys_sendfile(uint32_t out, uint32_t in, uint32_t offset, uint32_t n)
{
    return do_sendfile(out, in, offset, n, false);
}

int32_t sys_sendfile64(uint32_t out, uint32_t in, uint32_t offset, uint32_t n)
{
    return do_sendfile(out, in, offset, n, true);
}

int32_t sys_copy_file_range(uint32_t in_fd, uint32_t in_off, uint32_t out_fd, uint32_t out_off,
                            uint32_t n, uint32_t flags)
{
    struct file *in = fd_file(in_fd), *out = fd_file(out_fd);
    uint64_t in_pos = 0, out_pos = 0;
    if (!in || !out)
        return -EBADF;
    if (flags || in->ops != &regular_ops || out->ops != &regular_ops)
        return -EINVAL;
    if ((in_off && copy_from_user(&in_pos, in_off, 8)) ||
        (out_off && copy_from_user(&out_pos, out_off, 8)))
        return -EFAULT;
    int32_t result =
        copy_files(in, in_off ? &in_pos : &in->pos, out, out_off ? &out_pos : &out->pos, n);
    if (result >= 0 && ((in_off && copy_to_user(in_off, &in_pos, 8)) ||
                        (out_off && copy_to_user(out_off, &out_pos, 8))))
        return -EFAULT;
    return result;
}

/* ---- sizes ---- */

static int32_t truncate_fd(uint32_t fd, uint64_t size)
{
    struct file *file = fd_file(fd);
    if (!file)
        return -EBADF;
    if (!file->ops->truncate || (file->flags & O_ACCMODE) == O_RDONLY || (int64_t)size < 0)
        return -EINVAL;
    return file->ops->truncate(file, size);
}

int32_t sys_ftruncate(uint32_t fd, uint32_t size)
{
    return truncate_fd(fd, (uint64_t)(int32_t)size);
}

int32_t sys_ftruncate64(uint32_t fd, uint32_t low, uint32_t high)
{
    return truncate_fd(fd, (uint64_t)high << 32 | low);
}

enum fallocate_mode { FALLOC_KEEP_SIZE = 1, FALLOC_PUNCH_HOLE = 2, FALLOC_ZERO_RANGE = 16 };

int32_t sys_fallocate(uint32_t fd, uint32_t mode, uint32_t low, uint32_t high, uint32_t len_low,
                      uint32_t len_high)
{
    struct file *file = fd_file(fd);
    uint64_t pos = (uint64_t)high << 32 | low, n = (uint64_t)len_high << 32 | len_low;
    if (!file || (file->flags & O_ACCMODE) == O_RDONLY)
        return -EBADF;
    if (file->ops != &regular_ops)
        return file->ops->seek ? -ENODEV : -ESPIPE;
    if ((int64_t)pos < 0 || (int64_t)n <= 0)
        return -EINVAL;
    struct inode *inode = file->dentry->inode;
    if (mode == (FALLOC_PUNCH_HOLE | FALLOC_KEEP_SIZE))
        return inode_punch(inode, pos, n);
    if (mode & ~(uint32_t)FALLOC_KEEP_SIZE)
        return -EOPNOTSUPP;
    int err = inode_allocate(inode, pos, n);
    if (!err && !mode && pos + n > inode->size)
        err = inode_truncate(inode, pos + n);
    return err;
}

static int32_t only_open(uint32_t fd)
{
    return fd_file(fd) ? 0 : -EBADF;
}

int32_t sys_fsync(uint32_t fd)
{
    struct file *file = fd_file(fd);
    if (!file)
        return -EBADF;
    return file->ops->seek ? 0 : -EINVAL;
}

int32_t sys_sync(void)
{
    return 0;
}

int32_t sys_fadvise64_64(uint32_t fd)
{
    return only_open(fd);
}

int32_t sys_readahead(uint32_t fd)
{
    return only_open(fd);
}

int32_t sys_flock(uint32_t fd)
{
    return only_open(fd); /* one process: nobody to lock out */
}

/* ---- descriptors ---- */

int32_t sys_close(uint32_t fd)
{
    return fd_close(fd);
}

int32_t sys_close_range(uint32_t first, uint32_t last, uint32_t flags)
{
    if (first > last || (flags & ~4u))
        return -EINVAL;
    for (uint32_t fd = first; fd <= last && fd < fd_room(); fd++) {
        if (!fd_file(fd))
            continue;
        if (flags & 4) /* CLOSE_RANGE_CLOEXEC */
            fd_set_cloexec(fd, true);
        else
            fd_close(fd);
    }
    return 0;
}

static int32_t duplicate(uint32_t fd, uint32_t min, uint32_t flags)
{
    struct file *file = fd_file(fd);
    if (!file)
        return -EBADF;
    if (min >= fd_limit())
        return -EINVAL;
    file_hold(file);
    return fd_install(file, min, flags);
}

int32_t sys_dup(uint32_t fd)
{
    return duplicate(fd, 0, 0);
}

int32_t sys_dup3(uint32_t fd, uint32_t to, uint32_t flags)
{
    struct file *file = fd_file(fd);
    if (!file)
        return -EBADF;
    if (fd == to || (flags & ~(uint32_t)O_CLOEXEC))
        return -EINVAL;
    return fd_replace(to, file, flags);
}

int32_t sys_dup2(uint32_t fd, uint32_t to)
{
    if (fd == to)
        return fd_file(fd) ? (int32_t)fd : -EBADF;
    return sys_dup3(fd, to, 0);
}

static int32_t set_flags(struct file *file, uint32_t flags)
{
    file->flags = (file->flags & ~(uint32_t)SETTABLE) | (flags & SETTABLE);
    if (file->ops->flags_changed)
        file->ops->flags_changed(file);
    return 0;
}

/* A lock that would conflict: none, as there is one process. l_type is the first short. */
static int32_t get_lock(uint32_t lock)
{
    uint16_t type = F_UNLCK;
    return copy_to_user(lock, &type, sizeof type);
}

int32_t sys_fcntl64(uint32_t fd, uint32_t command, uint32_t arg)
{
    struct file *file = fd_file(fd);
    if (!file)
        return -EBADF;
    switch (command) {
    case F_DUPFD:
        return duplicate(fd, arg, 0);
    case F_DUPFD_CLOEXEC:
        return duplicate(fd, arg, O_CLOEXEC);
    case F_GETFD:
        return fd_cloexec(fd);
    case F_SETFD:
        fd_set_cloexec(fd, arg & 1);
        return 0;
    case F_GETFL:
        return (int32_t)(file->flags | (file->ops->seek ? O_LARGEFILE : 0));
    case F_SETFL:
        return set_flags(file, arg);
    case F_GETLK:
    case F_GETLK64:
    case F_OFD_GETLK:
        return get_lock(arg);
    case F_SETLK:
    case F_SETLKW:
    case F_SETLK64:
    case F_SETLKW64:
    case F_OFD_SETLK:
    case F_OFD_SETLKW:
    case F_SETOWN:
    case F_SETSIG:
    case F_ADD_SEALS:
        return 0;
    case F_GETOWN:
    case F_GETSIG:
    case F_GET_SEALS:
        return 0;
    case F_SETPIPE_SZ:
    case F_GETPIPE_SZ:
        return 65536;
    default:
        return -EINVAL;
    }
}

static int32_t set_nonblocking(struct file *file, uint32_t arg)
{
    uint32_t on;
    if (copy_from_user(&on, arg, sizeof on))
        return -EFAULT;
    return set_flags(file, on ? file->flags | O_NONBLOCK : file->flags & ~(uint32_t)O_NONBLOCK);
}

/* What a regular file has left to read. */
static int32_t bytes_left(struct file *file, uint32_t arg)
{
    uint64_t size = file->dentry->inode->size;
    uint32_t left = file->pos < size ? (uint32_t)(size - file->pos) : 0;
    return copy_to_user(arg, &left, sizeof left);
}

int32_t sys_ioctl(uint32_t fd, uint32_t command, uint32_t arg)
{
    struct file *file = fd_file(fd);
    if (!file || (file->flags & O_PATH))
        return -EBADF;
    switch (command) {
    case FIONBIO:
        return set_nonblocking(file, arg);
    case FIOCLEX:
    case FIONCLEX:
        fd_set_cloexec(fd, command == FIOCLEX);
        return 0;
    case FIONREAD:
        if (file->ops == &regular_ops)
            return bytes_left(file, arg);
        break;
    default:
        break;
    }
    return file->ops->ioctl ? file->ops->ioctl(file, command, arg) : -ENOTTY;
}
