/* SPDX-License-Identifier: MIT */
/*
 * The socket calls. Families answer at once; all waiting is here, in wait_ready,
 * so that timeouts, signals and O_NONBLOCK mean the same everywhere.
 */
#include "guests/ilwaco/socket.h"
#include "guests/ilwaco/fd.h"
#include "guests/ilwaco/user_time.h"

#define MMSG_MAX 1024u
#define S_IFSOCK_ALL (0140000u | 0777u)

extern const struct file_ops socket_file_ops;

/* ---- sockets and descriptors ---- */

struct socket *socket_new(const struct socket_ops *ops, uint16_t family, uint32_t type,
                          uint32_t protocol)
{
    struct socket *s = kzalloc_lively(sizeof *s);
    if (!s)
        return NULL;
    s->ops = ops;
    s->family = family;
    s->type = (uint16_t)type;
    s->protocol = (uint16_t)protocol;
    return s;
}

static void socket_destroy(struct socket *s)
{
    s->ops->close(s);
    kfree(s);
}

struct socket *socket_of_fd(uint32_t fd, struct file **file, int *err)
{
    *file = fd_file(fd);
    *err = !*file ? -EBADF : (*file)->ops != &socket_file_ops ? -ENOTSOCK : 0;
    if (*err)
        return NULL;
    file_hold(*file);
    return (*file)->data;
}

/* A descriptor for a new socket, which is destroyed if there is none. */
static int32_t socket_install(struct socket *s, uint32_t flags)
{
    struct file *file = file_create(&socket_file_ops, O_RDWR | (flags & O_NONBLOCK), s);
    if (!file) {
        socket_destroy(s);
        return -ENOMEM;
    }
    return fd_install(file, 0, flags & O_CLOEXEC);
}

uint32_t socket_poll_events(unsigned events)
{
    return (events & NET_IN ? POLLIN | POLLRDNORM : 0) |
           (events & NET_OUT ? POLLOUT | POLLWRNORM : 0) | (events & NET_ERR ? POLLERR : 0) |
           (events & NET_HUP ? POLLHUP : 0) | (events & NET_RDHUP ? POLLRDHUP : 0);
}

void socket_wake(struct socket *s, unsigned events)
{
    if (events & (NET_IN | NET_ERR | NET_HUP | NET_RDHUP))
        wake(&s->in);
    if (events & (NET_OUT | NET_ERR | NET_HUP))
        wake(&s->out);
}

/* ---- waiting ---- */

static uint64_t deadline_of(uint64_t timeout_ns)
{
    return timeout_ns ? deadline_after(timeout_ns) : TIME_NEVER;
}

static bool must_not_wait(const struct file *file, uint32_t flags)
{
    return file->flags & O_NONBLOCK || flags & (MSG_DONTWAIT | MSG_ERRQUEUE);
}

/* 0: try again; else the call's answer. A call with a time limit is not restarted. */
static int wait_ready(struct wait_queue *queue, uint64_t deadline)
{
    int err = wait_on(queue, deadline);
    if (err == -ETIMEDOUT)
        return -EAGAIN;
    return err == -ERESTARTSYS && deadline != TIME_NEVER ? -EINTR : err;
}

static int receive_once(struct file *file, struct socket *s, struct socket_message *m)
{
    uint64_t deadline = deadline_of(s->in_timeout_ns);
    for (;;) {
        uint32_t flags = m->flags;
        int n = s->ops->receive(s, m);
        if (n != -EAGAIN || must_not_wait(file, flags))
            return n;
        m->flags = flags;
        int err = wait_ready(&s->in, deadline);
        if (err)
            return err;
    }
}

static int socket_receive(struct file *file, struct socket *s, struct socket_message *m)
{
    bool all = m->flags & MSG_WAITALL && s->type == SOCK_STREAM && !(m->flags & MSG_PEEK);
    int done = receive_once(file, s, m);
    while (all && done > 0 && m->uio->left) {
        int n = receive_once(file, s, m);
        if (n <= 0)
            break;
        done += n;
    }
    return done;
}

/* A stream's send that may wait sends everything. */
static int socket_send(struct file *file, struct socket *s, struct socket_message *m)
{
    uint64_t deadline = deadline_of(s->out_timeout_ns);
    bool stream = s->type == SOCK_STREAM, wait = !must_not_wait(file, m->flags);
    int done = 0;
    for (;;) {
        int n = s->ops->send(s, m);
        if (n >= 0)
            done += n;
        if (n >= 0 && (!stream || !m->uio->left))
            return done;
        if (n < 0 && n != -EAGAIN)
            return done ? done : n;
        if (!wait)
            return done ? done : -EAGAIN;
        int err = n < 0 ? wait_ready(&s->out, deadline) : 0;
        if (err)
            return done ? done : err;
    }
}

/* ---- as files ---- */

static int file_read(struct file *file, struct uio *uio, uint64_t *pos)
{
    struct socket_message m = {.uio = uio};
    (void)pos;
    return socket_receive(file, file->data, &m);
}

static int file_write(struct file *file, struct uio *uio, uint64_t *pos)
{
    struct socket_message m = {.uio = uio};
    (void)pos;
    return socket_send(file, file->data, &m);
}

static uint32_t file_poll_socket(struct file *file, struct poll_set *set)
{
    struct socket *s = file->data;
    poll_add(set, &s->in);
    poll_add(set, &s->out);
    return s->ops->poll(s);
}

#define SOCKET_FIONREAD 0x541bu
#define SOCKET_SIOCOUTQ 0x5411u
#define SOCKET_SIOCATMARK 0x8905u

static int file_ioctl(struct file *file, uint32_t command, uint32_t arg)
{
    struct socket *s = file->data;
    int value = 0;
    if (command == SOCKET_FIONREAD)
        value = (int)s->ops->queued(s);
    else if (command == SOCKET_SIOCOUTQ)
        s->ops->get(s, NET_OPT_UNSENT, &value);
    else if (command != SOCKET_SIOCATMARK)
        return socket_inet_ioctl(command, arg);
    return copy_to_user(arg, &value, sizeof value);
}

static int file_stat(struct file *file, struct kstat *stat)
{
    *stat = (struct kstat){
        .ino = (uint32_t)file->data, .mode = S_IFSOCK_ALL, .nlink = 1, .blksize = 4096};
    return 0;
}

static void file_close(struct file *file)
{
    socket_destroy(file->data);
}

const struct file_ops socket_file_ops = {
    .name = "socket:",
    .read = file_read,
    .write = file_write,
    .poll = file_poll_socket,
    .ioctl = file_ioctl,
    .stat = file_stat,
    .close = file_close,
};

/* ---- addresses ---- */

static int address_from_user(struct socket_addr *out, uint32_t addr, uint32_t len)
{
    memset(out, 0, sizeof *out);
    if (len > SOCKET_ADDR_MAX)
        return -EINVAL;
    out->len = len;
    return copy_from_user(out->bytes, addr, len);
}

/* Writes as much as the caller's room takes, and the real length. addr 0: nobody asked. */
static int address_to_user(const struct socket_addr *from, uint32_t addr, uint32_t len_addr)
{
    int32_t room;
    if (!addr)
        return 0;
    if (copy_from_user(&room, len_addr, sizeof room))
        return -EFAULT;
    if (room < 0)
        return -EINVAL;
    uint32_t n = from->len < (uint32_t)room ? from->len : (uint32_t)room;
    if (copy_to_user(addr, from->bytes, n))
        return -EFAULT;
    return copy_to_user(len_addr, &from->len, sizeof from->len);
}

/* ---- making ---- */

int32_t sys_socket(uint32_t family, uint32_t type, uint32_t protocol)
{
    struct socket *s;
    uint32_t flags = type & ~(uint32_t)SOCK_TYPE_MASK;
    int err;
    type &= SOCK_TYPE_MASK;
    if (flags & ~(uint32_t)(SOCK_NONBLOCK | SOCK_CLOEXEC))
        return -EINVAL;
    if (family == AF_INET)
        err = socket_inet_create(type, protocol, &s);
    else if (family == AF_UNIX)
        err = socket_unix_create(type, protocol, &s);
    else if (family == AF_NETLINK)
        err = socket_netlink_create(type, protocol, &s);
    else
        return -EAFNOSUPPORT;
    return err ? err : socket_install(s, flags);
}

int32_t sys_socketpair(uint32_t family, uint32_t type, uint32_t protocol, uint32_t fds)
{
    struct socket *pair[2];
    uint32_t flags = type & ~(uint32_t)SOCK_TYPE_MASK;
    int32_t fd[2];
    if (flags & ~(uint32_t)(SOCK_NONBLOCK | SOCK_CLOEXEC))
        return -EINVAL;
    if (family != AF_UNIX)
        return family == AF_INET ? -EOPNOTSUPP : -EAFNOSUPPORT;
    int err = socket_unix_pair(type & SOCK_TYPE_MASK, protocol, pair);
    if (err)
        return err;
    fd[0] = socket_install(pair[0], flags);
    if (fd[0] < 0) {
        socket_destroy(pair[1]);
        return fd[0];
    }
    fd[1] = socket_install(pair[1], flags);
    if (fd[1] < 0) {
        fd_close((uint32_t)fd[0]);
        return fd[1];
    }
    return copy_to_user(fds, fd, sizeof fd);
}

int32_t sys_bind(uint32_t fd, uint32_t addr, uint32_t len)
{
    struct file *file;
    struct socket_addr a;
    int err;
    struct socket *s = socket_of_fd(fd, &file, &err);
    if (!s)
        return err;
    err = address_from_user(&a, addr, len);
    if (!err)
        err = s->ops->bind(s, &a);
    file_release(file);
    return err;
}

int32_t sys_listen(uint32_t fd, uint32_t backlog)
{
    struct file *file;
    int err;
    struct socket *s = socket_of_fd(fd, &file, &err);
    if (!s)
        return err;
    err = s->ops->listen ? s->ops->listen(s, backlog) : -EOPNOTSUPP;
    s->listening |= !err;
    file_release(file);
    return err;
}

/* ---- connecting ---- */

/* What became of a connection that was begun. */
static int connect_wait(struct socket *s)
{
    uint64_t deadline = deadline_of(s->out_timeout_ns);
    for (;;) {
        int error = 0;
        uint32_t events = s->ops->poll(s);
        s->ops->get(s, NET_OPT_ERROR, &error);
        if (error)
            return -error;
        if (events & (POLLOUT | POLLHUP | POLLERR))
            return 0;
        int err = wait_on(&s->out, deadline);
        if (err)
            return err == -ETIMEDOUT ? -EINPROGRESS : err == -ERESTARTSYS ? -EINTR : err;
    }
}

int32_t sys_connect(uint32_t fd, uint32_t addr, uint32_t len)
{
    struct file *file;
    struct socket_addr a;
    int err;
    struct socket *s = socket_of_fd(fd, &file, &err);
    if (!s)
        return err;
    err = address_from_user(&a, addr, len);
    if (!err)
        err = s->ops->connect(s, &a);
    if ((err == -EINPROGRESS || err == -EALREADY) && !(file->flags & O_NONBLOCK))
        err = connect_wait(s);
    file_release(file);
    return err;
}

static int accept_once(struct file *file, struct socket *s, struct socket **out)
{
    uint64_t deadline = deadline_of(s->in_timeout_ns);
    for (;;) {
        int err = s->ops->accept ? s->ops->accept(s, out) : -EOPNOTSUPP;
        if (err != -EAGAIN || must_not_wait(file, 0))
            return err;
        err = wait_ready(&s->in, deadline);
        if (err)
            return err;
    }
}

int32_t sys_accept4(uint32_t fd, uint32_t addr, uint32_t len, uint32_t flags)
{
    struct file *file;
    struct socket *child;
    struct socket_addr name;
    int err;
    if (flags & ~(uint32_t)(SOCK_NONBLOCK | SOCK_CLOEXEC))
        return -EINVAL;
    struct socket *s = socket_of_fd(fd, &file, &err);
    if (!s)
        return err;
    err = accept_once(file, s, &child);
    file_release(file);
    if (err)
        return err;
    err = child->ops->name(child, true, &name);
    if (err) /* it has gone already: an address of its family alone */
        name = (struct socket_addr){.len = 2, .family = s->family};
    err = address_to_user(&name, addr, len);
    if (err) {
        socket_destroy(child);
        return err;
    }
    return socket_install(child, flags);
}

static int32_t name_call(uint32_t fd, uint32_t addr, uint32_t len, bool peer)
{
    struct file *file;
    struct socket_addr name;
    int err;
    struct socket *s = socket_of_fd(fd, &file, &err);
    if (!s)
        return err;
    err = s->ops->name(s, peer, &name);
    file_release(file);
    return err ? err : address_to_user(&name, addr, len);
}

int32_t sys_getsockname(uint32_t fd, uint32_t addr, uint32_t len)
{
    return name_call(fd, addr, len, false);
}

int32_t sys_getpeername(uint32_t fd, uint32_t addr, uint32_t len)
{
    return name_call(fd, addr, len, true);
}

int32_t sys_shutdown(uint32_t fd, uint32_t how)
{
    static const uint8_t ways[] = {NET_SHUT_IN, NET_SHUT_OUT, NET_SHUT_IN | NET_SHUT_OUT};
    struct file *file;
    int err;
    if (how >= sizeof ways)
        return -EINVAL;
    struct socket *s = socket_of_fd(fd, &file, &err);
    if (!s)
        return err;
    err = s->ops->shutdown(s, ways[how]);
    file_release(file);
    return err;
}

/* ---- sending and receiving ---- */

static int send_message(struct file *file, struct socket *s, struct socket_message *m)
{
    int n = socket_send(file, s, m);
    if (n == -EPIPE && !(m->flags & MSG_NOSIGNAL) && s->type == SOCK_STREAM)
        signal_raise_pipe();
    return n;
}

int32_t sys_sendto(uint32_t fd, uint32_t buf, uint32_t len, uint32_t flags, uint32_t addr,
                   uint32_t addr_len)
{
    struct file *file;
    struct uio uio;
    struct uio_part part;
    struct socket_message m = {.uio = &uio, .flags = flags};
    int err;
    struct socket *s = socket_of_fd(fd, &file, &err);
    if (!s)
        return err;
    uio_init(&uio, &part, buf, len < INT32_MAX ? len : INT32_MAX, false);
    if (addr)
        err = address_from_user(&m.addr, addr, addr_len);
    if (!err)
        err = send_message(file, s, &m);
    file_release(file);
    return err;
}

int32_t sys_recvfrom(uint32_t fd, uint32_t buf, uint32_t len, uint32_t flags, uint32_t addr,
                     uint32_t addr_len)
{
    struct file *file;
    struct uio uio;
    struct uio_part part;
    struct socket_message m = {.uio = &uio, .flags = flags};
    int err;
    struct socket *s = socket_of_fd(fd, &file, &err);
    if (!s)
        return err;
    uio_init(&uio, &part, buf, len < INT32_MAX ? len : INT32_MAX, false);
    int n = socket_receive(file, s, &m);
    file_release(file);
    err = n < 0 ? n : address_to_user(&m.addr, addr, addr_len);
    return err ? err : n;
}

/* Linux's struct msghdr. */
struct msghdr {
    uint32_t name;
    uint32_t name_len;
    uint32_t iov, iov_count;
    uint32_t control, control_len;
    uint32_t flags;
};

#define MSGHDR_AT(field) ((uint32_t)offsetof(struct msghdr, field))

/* Control data that we know is ours to refuse: descriptors cannot be passed to anybody here. */
static int message_send(struct file *file, struct socket *s, uint32_t msg, uint32_t flags)
{
    struct msghdr head;
    struct uio uio;
    struct uio_part *heap;
    struct socket_message m = {.uio = &uio, .flags = flags};
    if (copy_from_user(&head, msg, sizeof head))
        return -EFAULT;
    if (head.control_len && s->family == AF_UNIX)
        return -EOPNOTSUPP;
    int err = head.name && head.name_len ? address_from_user(&m.addr, head.name, head.name_len) : 0;
    if (err)
        return err;
    err = uio_from_user(&uio, head.iov, head.iov_count, &heap);
    if (err)
        return err;
    int n = send_message(file, s, &m);
    kfree(heap);
    return n;
}

/* Writes what the call learned back into the caller's head. */
static int message_finish(uint32_t msg, const struct msghdr *head, const struct socket_message *m)
{
    uint32_t tail[2] = {0, m->flags & MSG_TRUNC}; /* control_len, flags */
    if (head->name) {
        int err = address_to_user(&m->addr, head->name, msg + MSGHDR_AT(name_len));
        if (err)
            return err;
    }
    return copy_to_user(msg + MSGHDR_AT(control_len), tail, sizeof tail);
}

static int message_receive(struct file *file, struct socket *s, uint32_t msg, uint32_t flags)
{
    struct msghdr head;
    struct uio uio;
    struct uio_part *heap;
    struct socket_message m = {.uio = &uio, .flags = flags};
    if (copy_from_user(&head, msg, sizeof head))
        return -EFAULT;
    int err = uio_from_user(&uio, head.iov, head.iov_count, &heap);
    if (err)
        return err;
    int n = socket_receive(file, s, &m);
    kfree(heap);
    err = n < 0 ? n : message_finish(msg, &head, &m);
    return err ? err : n;
}

typedef int (*message_fn)(struct file *file, struct socket *s, uint32_t msg, uint32_t flags);

static int32_t one_message(uint32_t fd, uint32_t msg, uint32_t flags, message_fn move)
{
    struct file *file;
    int err;
    struct socket *s = socket_of_fd(fd, &file, &err);
    if (!s)
        return err;
    int n = move(file, s, msg, flags);
    file_release(file);
    return n;
}

int32_t sys_sendmsg(uint32_t fd, uint32_t msg, uint32_t flags)
{
    return one_message(fd, msg, flags, message_send);
}

int32_t sys_recvmsg(uint32_t fd, uint32_t msg, uint32_t flags)
{
    return one_message(fd, msg, flags, message_receive);
}

/* struct mmsghdr: a msghdr and the bytes moved. */
#define MMSGHDR_SIZE (sizeof(struct msghdr) + 4)

static int32_t many(uint32_t fd, uint32_t msgs, uint32_t count, uint32_t flags, uint64_t deadline,
                    message_fn one)
{
    struct file *file;
    uint32_t done = 0;
    int n;
    struct socket *s = socket_of_fd(fd, &file, &n);
    if (!s)
        return n;
    if (count > MMSG_MAX)
        count = MMSG_MAX;
    while (done < count) {
        uint32_t at = msgs + done * MMSGHDR_SIZE;
        n = one(file, s, at, flags & ~(uint32_t)MSG_WAITFORONE);
        if (n < 0 || copy_to_user(at + sizeof(struct msghdr), &n, sizeof n))
            break;
        done++;
        if (flags & MSG_WAITFORONE)
            flags |= MSG_DONTWAIT;
        if (time_now() >= deadline)
            break;
    }
    file_release(file);
    return done || n >= 0 ? (int32_t)done : n;
}

int32_t sys_sendmmsg(uint32_t fd, uint32_t msgs, uint32_t count, uint32_t flags)
{
    return many(fd, msgs, count, flags, TIME_NEVER, message_send);
}

static int32_t receive_many(uint32_t fd, uint32_t msgs, uint32_t count, uint32_t flags,
                            uint32_t timeout, bool wide)
{
    uint64_t deadline;
    int err = user_deadline(timeout, wide, &deadline);
    return err ? err : many(fd, msgs, count, flags, deadline, message_receive);
}

int32_t sys_recvmmsg(uint32_t fd, uint32_t msgs, uint32_t count, uint32_t flags, uint32_t timeout)
{
    return receive_many(fd, msgs, count, flags, timeout, false);
}

int32_t sys_recvmmsg_time64(uint32_t fd, uint32_t msgs, uint32_t count, uint32_t flags,
                            uint32_t timeout)
{
    return receive_many(fd, msgs, count, flags, timeout, true);
}

/* ---- socketcall ---- */

static int32_t call_one(uint32_t call, const uint32_t a[6])
{
    switch (call) {
    case 1:
        return sys_socket(a[0], a[1], a[2]);
    case 2:
        return sys_bind(a[0], a[1], a[2]);
    case 3:
        return sys_connect(a[0], a[1], a[2]);
    case 4:
        return sys_listen(a[0], a[1]);
    case 5:
        return sys_accept4(a[0], a[1], a[2], 0);
    case 6:
        return sys_getsockname(a[0], a[1], a[2]);
    case 7:
        return sys_getpeername(a[0], a[1], a[2]);
    case 8:
        return sys_socketpair(a[0], a[1], a[2], a[3]);
    case 9:
        return sys_sendto(a[0], a[1], a[2], a[3], 0, 0);
    case 10:
        return sys_recvfrom(a[0], a[1], a[2], a[3], 0, 0);
    case 11:
        return sys_sendto(a[0], a[1], a[2], a[3], a[4], a[5]);
    case 12:
        return sys_recvfrom(a[0], a[1], a[2], a[3], a[4], a[5]);
    case 13:
        return sys_shutdown(a[0], a[1]);
    case 14:
        return sys_setsockopt(a[0], a[1], a[2], a[3], a[4]);
    case 15:
        return sys_getsockopt(a[0], a[1], a[2], a[3], a[4]);
    case 16:
        return sys_sendmsg(a[0], a[1], a[2]);
    case 17:
        return sys_recvmsg(a[0], a[1], a[2]);
    case 18:
        return sys_accept4(a[0], a[1], a[2], a[3]);
    case 19:
        return sys_recvmmsg(a[0], a[1], a[2], a[3], a[4]);
    default:
        return sys_sendmmsg(a[0], a[1], a[2], a[3]);
    }
}

int32_t sys_socketcall(uint32_t call, uint32_t args)
{
    static const uint8_t words[] = {0, 3, 3, 3, 2, 3, 3, 3, 4, 4, 4, 6, 6, 2, 5, 5, 3, 3, 4, 5, 4};
    uint32_t a[6] = {0};
    if (call < 1 || call >= sizeof words)
        return -EINVAL;
    if (copy_from_user(a, args, words[call] * sizeof a[0]))
        return -EFAULT;
    return call_one(call, a);
}
