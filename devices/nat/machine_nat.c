/* SPDX-License-Identifier: MIT */
/*
 * denali-nat: the program of the NAT process. It is started by the VM's process
 * (devices/net_user.c) with its socket as descriptor 3, an argument for the guests'
 * side and one for each published port; it says "ok" or the reason of its failure in the first
 * message and ends when the socket does. It gives up what it does not need before it looks at the
 * first frame.
 */
#include "devices/nat/nat.h"
#include "devices/nat/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define NAT_FD 3
#define NAT_MAX_FILES 16384

/* The sanitizers map terabytes and look at themselves: they run without the sandbox. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define NAT_SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define NAT_SANITIZED 1
#endif
#ifndef NAT_SANITIZED
#define NAT_SANITIZED 0
#endif

static void limit_set(int resource, rlim_t value)
{
    struct rlimit limit;
    if (getrlimit(resource, &limit))
        return;
    if (limit.rlim_max > value)
        limit.rlim_max = value;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(resource, &limit);
}

/* A terminal's Ctrl-C is for the VM; we end with our socket. */
static void nat_harden(void)
{
    static const int ignored[] = {SIGINT, SIGQUIT, SIGHUP, SIGPIPE, SIGTSTP};
    for (size_t i = 0; i < ARRAY_LEN(ignored); i++)
        signal(ignored[i], SIG_IGN);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    limit_set(RLIMIT_CORE, 0);
    limit_set(RLIMIT_FSIZE, 0);
    limit_set(RLIMIT_NOFILE, NAT_MAX_FILES);
    if (!NAT_SANITIZED)
        limit_set(RLIMIT_AS, 4 * (rlim_t)GIB);
    close_range(NAT_FD + 1, ~0u, 0);
    /* Standard input and output belong to the guest's console. */
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null >= 0) {
        dup2(null, 0);
        dup2(null, 1);
    }
}

/* "NET/PREFIX,HOST,DNS,GUEST,LOOPBACK" in hexadecimal, but for the prefix. */
static int side_read(const char *text, struct net_user_side *side, struct net_error *why)
{
    unsigned loopback = 0;
    int n = sscanf(text, "%8x/%2u,%8x,%8x,%8x,%1u", &side->net, &side->prefix, &side->host,
                   &side->dns, &side->guest, &loopback);
    side->loopback = loopback;
    if (n == 6 && side->prefix >= 8 && side->prefix <= 30)
        return 0;
    return net_fail(why, -EINVAL, "the NAT process was started with a wrong network");
}

static int arguments_read(int argc, char **argv, struct net_user_side *side,
                          struct net_publish *publish, struct net_error *why)
{
    if (argc < 2 || argc - 2 > NET_MAX_PUBLISH)
        return net_fail(why, -E2BIG, "too many ports");
    int err = side_read(argv[1], side, why);
    for (int i = 2; !err && i < argc; i++)
        err = net_publish_parse(argv[i], &publish[i - 2], why);
    return err;
}

int main(int argc, char **argv)
{
    struct net_publish publish[NET_MAX_PUBLISH];
    struct net_user_side side;
    struct net_error why = {"ok"};
    struct nat *nat = NULL;
    if (fcntl(NAT_FD, F_GETFD) < 0) {
        fputs("denali-nat: started by `denali run --net user`, not by hand\n", stderr);
        return 2;
    }
    nat_harden();
    int err = arguments_read(argc, argv, &side, publish, &why);
    if (!err)
        err = nat_create(NAT_FD, &side, publish, (size_t)(argc - 2), &nat, &why);
    if (!err)
        nat_sandbox_enter();
    send(NAT_FD, why.text, strlen(why.text), MSG_NOSIGNAL);
    if (err)
        return 1;
    nat_run(nat);
    nat_destroy(nat);
    return 0;
}
