/* SPDX-License-Identifier: MIT */
/*
 * Ilwaco's own primitives: what every room (files, sockets, threads) is built on.
 *
 * One processor; the kernel is never preempted and runs with interrupts off.
 * It gives the processor away only in wait_on() and its relatives, so code
 * between two waits is a critical section, and "test, then wait_on" cannot
 * lose a wake-up. Handlers of interrupts and timers run between system calls
 * (and while everybody sleeps); they must not wait.
 *
 * There is one address space. A user address is a uint32_t; it is read and
 * written only through the copy functions, which answer -EFAULT for whatever
 * is not the program's own memory.
 *
 * Errors are negative values of errno.h.
 */
#ifndef ILWACO_KERNEL_H
#define ILWACO_KERNEL_H

#include "guests/ilwaco/errno.h"
#include "guests/ilwaco/lib.h"
#include "guests/ilwaco/machine.h"

/* ---- memory of the kernel ---- */

/* Aligned to 16; kmalloc's contents are undefined; NULL when memory is used up. kfree(NULL) is
 * harmless. */
void *kmalloc(size_t bytes);
void *kzalloc(size_t bytes);
void kfree(void *p);
/* For what is written again and again while it lives, as every user of it is counted: it lies apart
 * from what is not, so that a clone writes few pages. */
void *kzalloc_lively(size_t bytes);
/* The program begins: all objects of from now on are such. */
void heap_has_begun(void);
/* Whole pages, zeroed, aligned; NULL when memory is used up. */
void *page_alloc(uint32_t pages);
/* The same for contents of files: NULL while there is still something left for the kernel itself.
 */
void *page_alloc_bulk(uint32_t pages);
void page_free(void *p, uint32_t pages);

/* ---- user memory ---- */

/* 0 or -EFAULT; after a fault a part may have been copied. */
int copy_from_user(void *dst, uint32_t src, size_t n);
int copy_to_user(uint32_t dst, const void *src, size_t n);
int clear_user(uint32_t dst, size_t n);
/* Length without the NUL, -EFAULT, or -ENAMETOOLONG if `room` (NUL included) does not do. */
int copy_string_from_user(char *dst, uint32_t src, size_t room);

/*
 * The buffers of one read or write: where the next bytes come from or go to.
 * The parts lie in user memory unless `kernel` is set.
 */
struct uio_part {
    uint32_t base, len; /* Linux's struct iovec */
};
struct uio {
    const struct uio_part *part; /* the current one; in kernel memory */
    uint32_t parts;              /* with the current one */
    uint32_t offset;             /* done of the current one */
    uint32_t left;               /* bytes in all that are still to do */
    bool kernel;
    /* Instead of memory: takes n bytes at `src` and off `left`, before anybody waits; as uio_put.
     */
    int (*sink)(struct uio *uio, const void *src, uint32_t n);
};
#define UIO_MAX_PARTS 1024

/* One buffer. `part` must live as long as the uio. */
void uio_init(struct uio *uio, struct uio_part *part, uint32_t base, uint32_t len, bool kernel);
/* From the vector of a readv or sendmsg. *heap is NULL or to be kfreed after use. -EINVAL, -EFAULT,
 * -ENOMEM. */
int uio_from_user(struct uio *uio, uint32_t iov, uint32_t count, struct uio_part **heap);
/* Moves n <= uio->left bytes: to the reader, from the writer, zeroes to the reader. 0 or -EFAULT.
 */
int uio_put(struct uio *uio, const void *src, uint32_t n);
int uio_get(struct uio *uio, void *dst, uint32_t n);
int uio_zero(struct uio *uio, uint32_t n);

/* ---- time and timers ---- */

#define TIME_NEVER UINT64_MAX
#define NS_PER_SEC 1000000000u
#define NS_PER_MS 1000000u

uint64_t time_now(void);       /* ns since the VM started; monotonic; no exit to the host */
int64_t time_wall_ns(void);    /* Unix time */
uint64_t time_wall_base(void); /* Unix ns at time 0 (settimeofday moves it) */

/* A timer is the caller's memory, zeroed before its first use; fn runs once, as an interrupt does,
 * and may arm it anew. */
struct timer {
    uint64_t when;
    void (*fn)(struct timer *timer);
    struct timer *child, *next, *prev; /* pairing heap */
    bool armed;
};
void timer_arm(struct timer *timer, uint64_t when_ns); /* moves it if it is armed */
void timer_cancel(struct timer *timer);

/* ---- waiting ---- */

struct thread;

/* Zeroed memory is an empty queue. */
struct wait_queue {
    struct waiter *first;
};

struct waiter {
    struct wait_queue *queue; /* NULL: on none */
    struct waiter *next, **link;
    void (*fn)(
        struct waiter *waiter); /* what wake() calls; it must not take others off the queue */
    struct thread *thread;
};

/*
 * Sleeps until wake(queue), the time `deadline` (TIME_NEVER: none), or a signal.
 * 0: woken (test the condition again); -ETIMEDOUT; -ERESTARTSYS.
 */
int wait_on(struct wait_queue *queue, uint64_t deadline_ns);
/* The same, with signals left alone: for waits that end soon by themselves (the disk). */
void wait_on_disk(struct wait_queue *queue);
/* Wakes all who wait. Also from interrupt handlers. */
void wake(struct wait_queue *queue);
/* Wakes the one that waits longest (accept, a mutex); 0 or 1. Pollers on the queue wake as well. */
int wake_one(struct wait_queue *queue);

/* By hand, for those who wait on several queues. */
void waiter_add(struct waiter *waiter, struct wait_queue *queue);
void waiter_remove(struct waiter *waiter); /* harmless on no queue */

/* ---- poll ---- */

enum poll_event {
    POLLIN = 0x001,
    POLLPRI = 0x002,
    POLLOUT = 0x004,
    POLLERR = 0x008,
    POLLHUP = 0x010,
    POLLNVAL = 0x020,
    POLLRDNORM = 0x040,
    POLLRDBAND = 0x080,
    POLLWRNORM = 0x100,
    POLLWRBAND = 0x200,
    POLLRDHUP = 0x2000,
};

struct poll_set;

/* Called by file_ops.poll for every queue whose wake() may change the answer. `set` may be NULL. */
void poll_add(struct poll_set *set, struct wait_queue *queue);

/* ---- open files ---- */

struct dentry;
struct file;
struct dir_sink;

/* Everything that the stat family tells. */
struct kstat {
    uint64_t dev, ino, rdev, size, blocks;
    uint32_t mode, nlink, uid, gid, blksize;
    int64_t atime_ns, mtime_ns, ctime_ns;
};

/*
 * An absent member gives the usual answer (read and write -EINVAL, poll
 * "always ready", ioctl -ENOTTY, stat from the dentry, seek -ESPIPE).
 * read and write return bytes, 0 at the end, or an error; they honour
 * O_NONBLOCK of file->flags by -EAGAIN. A write to a closed pipe or socket
 * returns -EPIPE: the caller raises SIGPIPE (signal_raise_pipe) itself, as
 * MSG_NOSIGNAL asks otherwise.
 */
struct file_ops {
    const char *name; /* "socket:" and the like, for /proc/self/fd */
    int (*read)(struct file *file, struct uio *uio, uint64_t *pos);
    int (*write)(struct file *file, struct uio *uio, uint64_t *pos);
    /* The events that hold now (POLLIN | ...); queues to wait on through poll_add. */
    uint32_t (*poll)(struct file *file, struct poll_set *set);
    int (*ioctl)(struct file *file, uint32_t command, uint32_t arg);
    int (*stat)(struct file *file, struct kstat *stat);
    int64_t (*seek)(struct file *file, int64_t offset, int whence);
    /* getdents: emits entries from *pos on until emit answers false. */
    int (*readdir)(struct file *file, struct dir_sink *sink);
    int (*truncate)(struct file *file, uint64_t size);
    /* The last reference is gone: frees file->data. */
    void (*close)(struct file *file);
    /* FIONBIO and F_SETFL changed file->flags (may be absent). */
    void (*flags_changed)(struct file *file);
};

struct file {
    const struct file_ops *ops;
    uint32_t refs;
    uint32_t flags;                /* O_ACCMODE, O_APPEND, O_NONBLOCK, ... */
    uint64_t pos;                  /* what read and write without an offset get */
    struct dentry *dentry;         /* its name in the tree; NULL: has none */
    void *data;                    /* the ops' own */
    struct wait_queue epoll_links; /* see epoll.c: told at close */
};

enum file_flags {
    O_RDONLY = 0,
    O_WRONLY = 1,
    O_RDWR = 2,
    O_ACCMODE = 3,
    O_CREAT = 0100,
    O_EXCL = 0200,
    O_NOCTTY = 0400,
    O_TRUNC = 01000,
    O_APPEND = 02000,
    O_NONBLOCK = 04000,
    O_DSYNC = 010000,
    O_ASYNC = 020000,
    O_DIRECT = 040000,
    O_LARGEFILE = 0100000,
    O_DIRECTORY = 0200000,
    O_NOFOLLOW = 0400000,
    O_NOATIME = 01000000,
    O_CLOEXEC = 02000000,
    O_PATH = 010000000,
    O_TMPFILE = 020000000,
};

/* A new open file with one reference and no descriptor; NULL: no memory. */
struct file *file_create(const struct file_ops *ops, uint32_t flags, void *data);
void file_hold(struct file *file);
void file_release(struct file *file);

/* Descriptors. */
struct file *fd_file(uint32_t fd); /* borrowed; NULL: EBADF. Hold it across a wait */
/* Gives the file the lowest free descriptor >= min and takes over the reference. -EMFILE, -ENOMEM
 * (the reference is released then). flags: O_CLOEXEC or 0. */
int fd_install(struct file *file, uint32_t min, uint32_t flags);

/* ---- interrupts ---- */

/* fn runs when the interrupt (one bit of enum denali_irq) was delivered: once a batch, in kernel
 * context, never in the middle of a system call's code unless that waits. */
void irq_attach(uint32_t bit, void (*fn)(void));

/* ---- signals ---- */

/* SIGPIPE to the calling thread. */
void signal_raise_pipe(void);

/* ---- others ---- */

/* Never fails; a generator seeded from the register page. */
void random_bytes(void *out, size_t n);
/* A boot parameter's value ("denali.net=" -> what follows), or NULL. */
const char *boot_param(const char *name);
const char *boot_hostname(void);
/* This VM has become a clone: boot_param answers by the new identity; random numbers, the wall
 * clock and the network's address change. */
void boot_identity_changed(void);
void random_renew(void);
void net_identity_changed(void);
/* Ids of the one user and the one process. */
#define ILWACO_PID 1000

/* ---- the socket room (sys_socket.c, net/) gives these ---- */

void net_init(void); /* at boot, before the program; no waiting: DHCP goes on in the background */
/* The program has ended: what it wrote to its peers is sent, for as long as that may take. */
void net_finish(uint64_t patience_ns);
void net_install_resolv_conf(void); /* at boot, when there is a file tree */
/* What /etc/resolv.conf says (the DNS servers, one a line), NUL-ended; its length. May wait for
 * DHCP's answer. */
int net_resolv_conf(char *out, size_t room);
int32_t sys_socketcall(uint32_t call, uint32_t args);
int32_t sys_socket(uint32_t family, uint32_t type, uint32_t protocol);
int32_t sys_socketpair(uint32_t family, uint32_t type, uint32_t protocol, uint32_t fds);
int32_t sys_bind(uint32_t fd, uint32_t addr, uint32_t len);
int32_t sys_connect(uint32_t fd, uint32_t addr, uint32_t len);
int32_t sys_listen(uint32_t fd, uint32_t backlog);
int32_t sys_accept4(uint32_t fd, uint32_t addr, uint32_t len, uint32_t flags);
int32_t sys_getsockopt(uint32_t fd, uint32_t level, uint32_t name, uint32_t value, uint32_t len);
int32_t sys_setsockopt(uint32_t fd, uint32_t level, uint32_t name, uint32_t value, uint32_t len);
int32_t sys_getsockname(uint32_t fd, uint32_t addr, uint32_t len);
int32_t sys_getpeername(uint32_t fd, uint32_t addr, uint32_t len);
int32_t sys_sendto(uint32_t fd, uint32_t buf, uint32_t len, uint32_t flags, uint32_t addr,
                   uint32_t addr_len);
int32_t sys_sendmsg(uint32_t fd, uint32_t msg, uint32_t flags);
int32_t sys_recvfrom(uint32_t fd, uint32_t buf, uint32_t len, uint32_t flags, uint32_t addr,
                     uint32_t addr_len);
int32_t sys_recvmsg(uint32_t fd, uint32_t msg, uint32_t flags);
int32_t sys_shutdown(uint32_t fd, uint32_t how);
int32_t sys_sendmmsg(uint32_t fd, uint32_t msgs, uint32_t count, uint32_t flags);
int32_t sys_recvmmsg(uint32_t fd, uint32_t msgs, uint32_t count, uint32_t flags, uint32_t timeout);
int32_t sys_recvmmsg_time64(uint32_t fd, uint32_t msgs, uint32_t count, uint32_t flags,
                            uint32_t timeout);

#endif
