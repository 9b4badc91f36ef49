/* SPDX-License-Identifier: MIT */
/*
 * Linked into an Ilwaco of this folder's test: every call into the TCP/IP stack, and everything
 * that the stack asks of its user meanwhile, becomes a line on the console's error stream. replay.c
 * makes the same calls natively.
 *
 *     @call NAME ARGUMENTS...    @ret RESULTS...
 *     @clock NS    @pages COUNT    @free COUNT    @frame BYTES RESULT    @copy BYTES RESULT
 *
 * A socket is called by its address here. Only calls from outside are told, not those that the
 * stack makes of itself: `depth`.
 */
#include "guests/ilwaco/machine.h"
#include "guests/ilwaco/net/netstack.h"

#include "guests/ilwaco/lib.h"

#define ROOM 65536

static struct {
    char text[ROOM];
    size_t used;
    unsigned depth;
    const struct netstack_host *host;
} tape SELDOM_WRITTEN;

static void put(const char *fmt, ...) PRINTF_LIKE(1, 2);
static void put(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    tape.used += (size_t)kvsnprintf(tape.text + tape.used, ROOM - tape.used, fmt, args);
    va_end(args);
    BUG_ON(tape.used >= ROOM, "a call that says too much for the tape");
}

static void flush(void)
{
    const volatile struct denali_device *console = machine_device(DENALI_DEV_CONSOLE, NULL);
    machine_port_out(console->port, (uint32_t)tape.text, (uint32_t)tape.used, 2);
    tape.used = 0;
}

static void put_bytes(const void *bytes, size_t len)
{
    if (tape.used > ROOM / 2)
        flush();
    const uint8_t *p = bytes;
    put(" ");
    for (size_t i = 0; i < len; i++)
        put("%02x", p[i]);
    if (!len)
        put("-");
}

/* Whether this call is one from outside. */
static bool enter(void)
{
    return !tape.depth++;
}

static void leave(bool outside)
{
    tape.depth--;
    if (!outside)
        return;
    flush();
}

/* BODY between the two lines of a call from outside. */
#define TOLD(call_line, body, ret_line)                                                            \
    do {                                                                                           \
        bool outside = enter();                                                                    \
        if (outside)                                                                               \
            put call_line;                                                                         \
        body;                                                                                      \
        if (outside)                                                                               \
            put ret_line;                                                                          \
        leave(outside);                                                                            \
    } while (0)

/* ---- what the stack asks ---- */

static uint64_t told_clock(void *arg)
{
    uint64_t ns = tape.host->clock_ns(arg);
    put("@clock %llu\n", (unsigned long long)ns);
    return ns;
}

static void *told_pages(void *arg, uint32_t pages)
{
    void *p = tape.host->pages_alloc(arg, pages);
    put("@pages %u %u\n", pages, !!p);
    return p;
}

static void told_free(void *arg, void *p, uint32_t pages)
{
    put("@free %u\n", pages);
    tape.host->pages_free(arg, p, pages);
}

static int told_output(void *arg, const void *frame, size_t len)
{
    int result = tape.host->output(arg, frame, len);
    put("@frame");
    put_bytes(frame, len);
    put(" %d\n", result);
    return result;
}

static void told_configured(void *arg)
{
    tape.host->configured(arg);
}

/* A caller's buffer. */
struct told_io {
    struct net_io io, *under;
};

static int told_copy(struct net_io *io, void *kernel, size_t n)
{
    struct told_io *told = CONTAINER_OF(io, struct told_io, io);
    int result = told->under->copy(told->under, kernel, n);
    io->left = told->under->left;
    put("@copy");
    put_bytes(kernel, n);
    put(" %d\n", result);
    return result;
}

/* ---- the stack ---- */

void __real_netstack_init(struct netstack *, const struct netstack_config *,
                          const struct netstack_host *);
void __wrap_netstack_init(struct netstack *ns, const struct netstack_config *config,
                          const struct netstack_host *host)
{
    struct netstack_host told = {.arg = host->arg,
                                 .clock_ns = told_clock,
                                 .pages_alloc = told_pages,
                                 .pages_free = told_free,
                                 .output = told_output,
                                 .configured = told_configured,
                                 .frame = host->frame};
    tape.host = host;
    bool outside = enter();
    put("@call init");
    put_bytes(config, sizeof *config);
    put("\n");
    __real_netstack_init(ns, config, &told);
    put("@ret\n");
    leave(outside);
}

void __real_netstack_input(struct netstack *, const void *, size_t);
void __wrap_netstack_input(struct netstack *ns, const void *frame, size_t len)
{
    bool outside = enter();
    put("@call input");
    put_bytes(frame, len);
    put("\n");
    __real_netstack_input(ns, frame, len);
    put("@ret\n");
    leave(outside);
}

void __real_netstack_poll(struct netstack *);
void __wrap_netstack_poll(struct netstack *ns)
{
    TOLD(("@call poll\n"), __real_netstack_poll(ns), ("@ret\n"));
}

uint64_t __real_netstack_deadline(const struct netstack *);
uint64_t __wrap_netstack_deadline(const struct netstack *ns)
{
    uint64_t due = 0;
    TOLD(("@call deadline\n"), due = __real_netstack_deadline(ns),
         ("@ret %llu\n", (unsigned long long)due));
    return due;
}

void __real_netstack_output_ready(struct netstack *);
void __wrap_netstack_output_ready(struct netstack *ns)
{
    TOLD(("@call output_ready\n"), __real_netstack_output_ready(ns), ("@ret\n"));
}

void __real_netstack_finish(struct netstack *);
void __wrap_netstack_finish(struct netstack *ns)
{
    TOLD(("@call finish\n"), __real_netstack_finish(ns), ("@ret\n"));
}

bool __real_netstack_busy(const struct netstack *);
bool __wrap_netstack_busy(const struct netstack *ns)
{
    bool busy = false;
    TOLD(("@call busy\n"), busy = __real_netstack_busy(ns), ("@ret %u\n", busy));
    return busy;
}

void __real_netstack_info(const struct netstack *, struct netstack_info *);
void __wrap_netstack_info(const struct netstack *ns, struct netstack_info *out)
{
    TOLD(("@call info\n"), __real_netstack_info(ns, out),
         ("@ret %x %llu %llu\n", out->addr, (unsigned long long)out->rx_frames,
          (unsigned long long)out->tx_frames));
}

/* ---- sockets ---- */

#define ID(sk) ((uint32_t)(sk))

int __real_net_socket(struct netstack *, enum net_type, unsigned, struct net_sock **);
int __wrap_net_socket(struct netstack *ns, enum net_type type, unsigned protocol,
                      struct net_sock **out)
{
    int err = 0;
    TOLD(("@call socket %u %u\n", type, protocol), err = __real_net_socket(ns, type, protocol, out),
         ("@ret %d %x\n", err, err ? 0 : ID(*out)));
    return err;
}

void __real_net_close(struct net_sock *);
void __wrap_net_close(struct net_sock *sk)
{
    TOLD(("@call close %x\n", ID(sk)), __real_net_close(sk), ("@ret\n"));
}

void __real_net_watch(struct net_sock *, void (*)(void *, unsigned), void *);
void __wrap_net_watch(struct net_sock *sk, void (*notify)(void *, unsigned), void *arg)
{
    TOLD(("@call watch %x\n", ID(sk)), __real_net_watch(sk, notify, arg), ("@ret\n"));
}

unsigned __real_net_ready(const struct net_sock *);
unsigned __wrap_net_ready(const struct net_sock *sk)
{
    unsigned events = 0;
    TOLD(("@call ready %x\n", ID(sk)), events = __real_net_ready(sk), ("@ret %u\n", events));
    return events;
}

/* Calls of a socket and an address, which goes in. */
#define WITH_ADDRESS(name)                                                                         \
    int __real_net_##name(struct net_sock *, const struct net_addr *);                             \
    int __wrap_net_##name(struct net_sock *sk, const struct net_addr *addr)                        \
    {                                                                                              \
        int err = 0;                                                                               \
        TOLD(("@call " #name " %x %x %u\n", ID(sk), addr->ip, addr->port),                         \
             err = __real_net_##name(sk, addr), ("@ret %d\n", err));                               \
        return err;                                                                                \
    }
WITH_ADDRESS(bind)
WITH_ADDRESS(connect)

int __real_net_disconnect(struct net_sock *);
int __wrap_net_disconnect(struct net_sock *sk)
{
    int err = 0;
    TOLD(("@call disconnect %x\n", ID(sk)), err = __real_net_disconnect(sk), ("@ret %d\n", err));
    return err;
}

/* Calls of a socket and a number. */
#define WITH_NUMBER(name, number_type)                                                             \
    int __real_net_##name(struct net_sock *, number_type);                                         \
    int __wrap_net_##name(struct net_sock *sk, number_type n)                                      \
    {                                                                                              \
        int err = 0;                                                                               \
        TOLD(("@call " #name " %x %u\n", ID(sk), n), err = __real_net_##name(sk, n),               \
             ("@ret %d\n", err));                                                                  \
        return err;                                                                                \
    }
WITH_NUMBER(listen, uint32_t)
WITH_NUMBER(shutdown, unsigned)

int __real_net_accept(struct net_sock *, struct net_sock **);
int __wrap_net_accept(struct net_sock *sk, struct net_sock **out)
{
    int err = 0;
    TOLD(("@call accept %x\n", ID(sk)), err = __real_net_accept(sk, out),
         ("@ret %d %x\n", err, err ? 0 : ID(*out)));
    return err;
}

int __real_net_send(struct net_sock *, struct net_io *, unsigned, const struct net_addr *);
int __wrap_net_send(struct net_sock *sk, struct net_io *io, unsigned flags,
                    const struct net_addr *to)
{
    int n = 0;
    struct told_io told = {{told_copy, io->left}, io};
    TOLD(("@call send %x %u %u %u %x %u\n", ID(sk), (uint32_t)io->left, flags, !!to,
          to ? to->ip : 0, to ? to->port : 0u),
         n = __real_net_send(sk, &told.io, flags, to), ("@ret %d\n", n));
    return n;
}

int __real_net_recv(struct net_sock *, struct net_io *, unsigned, struct net_addr *);
int __wrap_net_recv(struct net_sock *sk, struct net_io *io, unsigned flags, struct net_addr *from)
{
    int n = 0;
    struct told_io told = {{told_copy, io->left}, io};
    TOLD(("@call recv %x %u %u %u\n", ID(sk), (uint32_t)io->left, flags, !!from),
         n = __real_net_recv(sk, &told.io, flags, from), ("@ret %d\n", n));
    return n;
}

void __real_net_local(const struct net_sock *, struct net_addr *);
void __wrap_net_local(const struct net_sock *sk, struct net_addr *out)
{
    TOLD(("@call local %x\n", ID(sk)), __real_net_local(sk, out),
         ("@ret %x %u\n", out->ip, out->port));
}

int __real_net_remote(const struct net_sock *, struct net_addr *);
int __wrap_net_remote(const struct net_sock *sk, struct net_addr *out)
{
    int err = 0;
    TOLD(("@call remote %x\n", ID(sk)), err = __real_net_remote(sk, out),
         ("@ret %d %x %u\n", err, err ? 0 : out->ip, err ? 0u : out->port));
    return err;
}

int __real_net_set(struct net_sock *, enum net_option, int);
int __wrap_net_set(struct net_sock *sk, enum net_option option, int value)
{
    int err = 0;
    TOLD(("@call set %x %u %d\n", ID(sk), option, value), err = __real_net_set(sk, option, value),
         ("@ret %d\n", err));
    return err;
}

int __real_net_get(struct net_sock *, enum net_option, int *);
int __wrap_net_get(struct net_sock *sk, enum net_option option, int *value)
{
    int err = 0;
    TOLD(("@call get %x %u\n", ID(sk), option), err = __real_net_get(sk, option, value),
         ("@ret %d %d\n", err, err ? 0 : *value));
    return err;
}
