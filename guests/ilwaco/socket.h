/* SPDX-License-Identifier: MIT */
/*
 * Sockets as the system calls see them, whatever their family.
 *
 * sys_socket.c has the calls, waits (the families never do) and knows descriptors;
 * socket_options.c has getsockopt and setsockopt; socket_inet.c is AF_INET over
 * net/, socket_unix.c is AF_UNIX, socket_netlink.c tells about interfaces; net_link.c joins net/ to
 * the NIC and the clock.
 */
#ifndef ILWACO_SOCKET_H
#define ILWACO_SOCKET_H

#include "guests/ilwaco/kernel.h"
#include "guests/ilwaco/net/netstack.h"

enum socket_family { AF_UNIX = 1, AF_INET = 2, AF_NETLINK = 16 };

enum socket_type {
    SOCK_STREAM = 1,
    SOCK_DGRAM = 2,
    SOCK_RAW = 3,
    SOCK_SEQPACKET = 5,
    SOCK_TYPE_MASK = 15,
    SOCK_NONBLOCK = O_NONBLOCK,
    SOCK_CLOEXEC = O_CLOEXEC,
};

enum message_flag {
    MSG_OOB = 0x1,
    MSG_PEEK = 0x2,
    MSG_DONTROUTE = 0x4,
    MSG_CTRUNC = 0x8,
    MSG_TRUNC = 0x20,
    MSG_DONTWAIT = 0x40,
    MSG_EOR = 0x80,
    MSG_WAITALL = 0x100,
    MSG_ERRQUEUE = 0x2000,
    MSG_NOSIGNAL = 0x4000,
    MSG_MORE = 0x8000,
    MSG_WAITFORONE = 0x10000,
};

/* An address as programs write it. */
#define SOCKET_ADDR_MAX 128
struct socket_addr {
    uint32_t len; /* 0: none */
    union {
        uint16_t family;
        uint8_t bytes[SOCKET_ADDR_MAX];
        struct {
            uint16_t family, port; /* port and ip in network order */
            uint32_t ip;
            uint8_t zero[8];
        } in;
        struct {
            uint16_t family;
            char path[108];
        } un;
    };
};
#define SOCKET_IN_LEN 16u

/* What one send or receive moves. */
struct socket_message {
    struct uio *uio;
    uint32_t flags; /* MSG_ of the caller; receive adds MSG_TRUNC for the answer */
    struct socket_addr addr;
};

struct socket;

/* None of these waits: -EAGAIN (connect: -EINPROGRESS) tells the caller to. */
struct socket_ops {
    void (*close)(struct socket *s);
    uint32_t (*poll)(struct socket *s); /* POLLIN | ... that hold now */
    int (*bind)(struct socket *s, const struct socket_addr *addr);
    int (*connect)(struct socket *s, const struct socket_addr *addr);
    int (*listen)(struct socket *s, uint32_t backlog);
    int (*accept)(struct socket *s, struct socket **out);
    int (*name)(struct socket *s, bool peer, struct socket_addr *out);
    int (*send)(struct socket *s, struct socket_message *m); /* bytes */
    int (*receive)(struct socket *s, struct socket_message *m);
    int (*shutdown)(struct socket *s, unsigned how); /* enum net_shutdown */
    uint32_t (*queued)(struct socket *s);            /* FIONREAD */
    /* Options that the family keeps; -ENOPROTOOPT. */
    int (*set)(struct socket *s, enum net_option option, int value);
    int (*get)(struct socket *s, enum net_option option, int *value);
};

struct socket {
    const struct socket_ops *ops;
    uint16_t family, type, protocol;
    struct wait_queue in, out;              /* woken when it can be read; written */
    uint64_t in_timeout_ns, out_timeout_ns; /* 0: none */
    bool listening;
    void *data; /* the family's */
};

/* New sockets of a family, without a descriptor. */
int socket_inet_create(uint32_t type, uint32_t protocol, struct socket **out);
int socket_unix_create(uint32_t type, uint32_t protocol, struct socket **out);
int socket_netlink_create(uint32_t type, uint32_t protocol, struct socket **out);
int socket_unix_pair(uint32_t type, uint32_t protocol, struct socket *out[2]);
struct socket *socket_new(const struct socket_ops *ops, uint16_t family, uint32_t type,
                          uint32_t protocol); /* NULL: no memory */

/* The socket behind a descriptor; its file is held: file_release(*file) after use. NULL: *err is
 * -EBADF or -ENOTSOCK. */
struct socket *socket_of_fd(uint32_t fd, struct file **file, int *err);

/* Events of netstack.h as poll's. */
uint32_t socket_poll_events(unsigned events);
void socket_wake(struct socket *s, unsigned events);

/* Interface ioctls (SIOCGIFCONF and so on); -ENOTTY. */
int socket_inet_ioctl(uint32_t command, uint32_t arg);
/* struct tcp_info; -EOPNOTSUPP. */
int socket_inet_tcp_info(struct socket *s, struct net_tcp_info *out);

/* net_link.c */
struct netstack *net_stack(void);
void net_after_call(void); /* after calls into the stack: what they set going */
/* Waits until the interface has an address or none is to be expected. 0, -ERESTARTSYS. */
int net_wait_configured(void);
const struct netstack_host *net_host(void); /* the stack's memory, for UNIX sockets as well */

#endif
