/* SPDX-License-Identifier: MIT */
/* A kernel without the socket room: every call answers that there is no network. Weak, so that
 * sys_socket.c takes their place where it is built in. */
#include "guests/ilwaco/kernel.h"

#define WEAK __attribute__((weak))

WEAK void net_init(void)
{
}

WEAK int32_t sys_socketcall(uint32_t call, uint32_t args)
{
    (void)call;
    (void)args;
    return -EAFNOSUPPORT;
}

WEAK int32_t sys_socket(uint32_t family, uint32_t type, uint32_t protocol)
{
    (void)family;
    (void)type;
    (void)protocol;
    return -EAFNOSUPPORT;
}

WEAK int32_t sys_socketpair(uint32_t family, uint32_t type, uint32_t protocol, uint32_t fds)
{
    (void)family;
    (void)type;
    (void)protocol;
    (void)fds;
    return -EAFNOSUPPORT;
}

WEAK int32_t sys_bind(uint32_t fd, uint32_t addr, uint32_t len)
{
    (void)fd;
    (void)addr;
    (void)len;
    return -EAFNOSUPPORT;
}

WEAK int32_t sys_connect(uint32_t fd, uint32_t addr, uint32_t len)
{
    (void)fd;
    (void)addr;
    (void)len;
    return -EAFNOSUPPORT;
}

WEAK int32_t sys_listen(uint32_t fd, uint32_t backlog)
{
    (void)fd;
    (void)backlog;
    return -EAFNOSUPPORT;
}

WEAK int32_t sys_accept4(uint32_t fd, uint32_t addr, uint32_t len, uint32_t flags)
{
    (void)fd;
    (void)addr;
    (void)len;
    (void)flags;
    return -EAFNOSUPPORT;
}

WEAK int32_t sys_getsockopt(uint32_t fd, uint32_t level, uint32_t name, uint32_t value,
                            uint32_t len)
{
    (void)fd;
    (void)level;
    (void)name;
    (void)value;
    (void)len;
    return -EAFNOSUPPORT;
}

WEAK int32_t sys_setsockopt(uint32_t fd, uint32_t level, uint32_t name, uint32_t value,
                            uint32_t len)
{
    (void)fd;
    (void)level;
    (void)name;
    (void)value;
    (void)len;
    return -EAFNOSUPPORT;
}

WEAK int32_t sys_getsockname(uint32_t fd, uint32_t addr, uint32_t len)
{
    (void)fd;
    (void)addr;
    (void)len;
    return -EAFNOSUPPORT;
}

WEAK int32_t sys_getpeername(uint32_t fd, uint32_t addr, uint32_t len)
{
    (void)fd;
    (void)addr;
    (void)len;
    return -EAFNOSUPPORT;
}

WEAK int32_t sys_sendto(uint32_t fd, uint32_t buf, uint32_t len, uint32_t flags, uint32_t addr,
                        uint32_t addr_len)
{
    (void)fd;
    (void)buf;
    (void)len;
    (void)flags;
    (void)addr;
    (void)addr_len;
    return -EAFNOSUPPORT;
}

WEAK int32_t sys_sendmsg(uint32_t fd, uint32_t msg, uint32_t flags)
{
    (void)fd;
    (void)msg;
    (void)flags;
    return -EAFNOSUPPORT;
}

WEAK int32_t sys_recvfrom(uint32_t fd, uint32_t buf, uint32_t len, uint32_t flags, uint32_t addr,
                          uint32_t addr_len)
{
    (void)fd;
    (void)buf;
    (void)len;
    (void)flags;
    (void)addr;
    (void)addr_len;
    return -EAFNOSUPPORT;
}

WEAK int32_t sys_recvmsg(uint32_t fd, uint32_t msg, uint32_t flags)
{
    (void)fd;
    (void)msg;
    (void)flags;
    return -EAFNOSUPPORT;
}

WEAK int32_t sys_shutdown(uint32_t fd, uint32_t how)
{
    (void)fd;
    (void)how;
    return -EAFNOSUPPORT;
}

WEAK int32_t sys_sendmmsg(uint32_t fd, uint32_t msgs, uint32_t count, uint32_t flags)
{
    (void)fd;
    (void)msgs;
    (void)count;
    (void)flags;
    return -EAFNOSUPPORT;
}

WEAK int32_t sys_recvmmsg(uint32_t fd, uint32_t msgs, uint32_t count, uint32_t flags,
                          uint32_t timeout)
{
    (void)fd;
    (void)msgs;
    (void)count;
    (void)flags;
    (void)timeout;
    return -EAFNOSUPPORT;
}

WEAK int32_t sys_recvmmsg_time64(uint32_t fd, uint32_t msgs, uint32_t count, uint32_t flags,
                                 uint32_t timeout)
{
    (void)fd;
    (void)msgs;
    (void)count;
    (void)flags;
    (void)timeout;
    return -EAFNOSUPPORT;
}
