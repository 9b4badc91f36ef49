/* SPDX-License-Identifier: MIT */
/*
 * Joins the TCP/IP stack to this machine: frames from and to the NIC, time,
 * memory, boot parameters.
 *
 * The stack is driven from three places: the NIC's interrupt, one timer, and the
 * end of each socket call. All three end in net_after_call, so the timer always
 * stands at the stack's next deadline and an idle VM wakes for nothing else.
 */
#include "guests/ilwaco/socket.h"
#include "guests/ilwaco/boot_params.h"
#include "guests/ilwaco/fs/vfs.h"
#include "guests/ilwaco/thread.h"

#define FRAME_ROOM 1514
#define FRAME_BATCH 64
#define STACK_SHARE 8 /* of memory the stack may hold one part in so many */
#define STACK_PAGES_MAX 32768u
#define DHCP_WAIT (5ull * NS_PER_SEC)

static struct {
    struct netstack *stack;
    struct timer timer;
    struct wait_queue configured;
    uint16_t port; /* of the NIC; 0: there is none */
    bool full;     /* it had no room for a frame */
} net;

/* The one that comes in lies last: of most only the head is written. */
static struct {
    uint8_t out[NETSTACK_FRAME] __attribute__((aligned(4)));
    uint8_t in[2 + FRAME_ROOM] __attribute__((aligned(4)));
} frames WRITTEN_LAST;

/* ---- what the stack asks of us ---- */

static uint64_t link_clock(void *arg)
{
    (void)arg;
    return time_now() + 1; /* never 0 */
}

static void *link_pages(void *arg, uint32_t pages)
{
    (void)arg;
    return page_alloc(pages);
}

static void link_pages_free(void *arg, void *p, uint32_t pages)
{
    (void)arg;
    page_free(p, pages);
}

static int link_output(void *arg, const void *frame, size_t len)
{
    (void)arg;
    int32_t result = machine_port_out(net.port, (uint32_t)frame, (uint32_t)len, 0);
    net.full |= result == DENALI_AGAIN;
    return result == DENALI_AGAIN ? -EAGAIN : 0;
}

static void link_configured(void *arg)
{
    (void)arg;
    wake(&net.configured);
}

static const struct netstack_host link_host = {
    .clock_ns = link_clock,
    .pages_alloc = link_pages,
    .pages_free = link_pages_free,
    .output = link_output,
    .configured = link_configured,
    .frame = frames.out,
};

struct netstack *net_stack(void)
{
    return net.stack;
}

const struct netstack_host *net_host(void)
{
    return &link_host;
}

/* ---- driving it ---- */

void net_after_call(void)
{
    netstack_poll(net.stack);
    uint64_t due = netstack_deadline(net.stack);
    if (due == UINT64_MAX)
        timer_cancel(&net.timer);
    else if (!net.timer.armed || net.timer.when != due)
        timer_arm(&net.timer, due);
}

static void link_timer(struct timer *timer)
{
    (void)timer;
    net_after_call();
}

/* Takes a batch in; whether there may be more. */
static bool link_receive(void)
{
    for (unsigned n = 0; n < FRAME_BATCH; n++) {
        int32_t len = machine_port_in(net.port, frames.in + 2, FRAME_ROOM);
        if (len <= 0)
            return false;
        netstack_input(net.stack, frames.in + 2, (size_t)len);
    }
    return true;
}

static void link_interrupt(void)
{
    if (net.full) {
        net.full = false;
        netstack_output_ready(net.stack);
    }
    while (link_receive())
        netstack_poll(net.stack);
    net_after_call();
}

int net_wait_configured(void)
{
    struct netstack_info info;
    uint64_t limit = time_now() + DHCP_WAIT;
    for (;;) {
        netstack_info(net.stack, &info);
        if (!info.waiting)
            return 0;
        int err = wait_on(&net.configured, limit);
        if (err)
            return err == -ETIMEDOUT ? 0 : err;
    }
}

/* ---- the end ---- */

/* No thread runs any more, so this waits by hand: for the NIC and the stack's own times. */
void net_finish(uint64_t patience_ns)
{
    if (!net.stack || !net.port)
        return;
    uint64_t limit = time_now() + patience_ns, now;
    netstack_finish(net.stack);
    for (;;) {
        net_after_call();
        interrupts_poll();
        now = time_now();
        if (!netstack_busy(net.stack) || now >= limit)
            return;
        uint64_t due = netstack_deadline(net.stack);
        due = due < limit ? due : limit;
        machine_idle(due > now ? due - now : 0);
    }
}

/* ---- boot ---- */

/* A decimal number up to `most` at *text, which moves behind it; -1: none. */
static int number_read(const char **text, unsigned most)
{
    unsigned value = 0;
    const char *p = *text;
    for (; *p >= '0' && *p <= '9' && value <= most; p++)
        value = value * 10 + (unsigned)(*p - '0');
    if (p == *text || value > most)
        return -1;
    *text = p;
    return (int)value;
}

/* "10.0.2.15"; false: it is none. */
static bool address_read(const char **text, uint32_t *out)
{
    *out = 0;
    for (unsigned i = 0; i < 4; i++) {
        if (i && *(*text)++ != '.')
            return false;
        int part = number_read(text, 255);
        if (part < 0)
            return false;
        *out = *out << 8 | (uint32_t)part;
    }
    return true;
}

/* ADDR/BITS,GATEWAY,DNS; the last two may be left out. */
static bool static_read(const char *text, struct netstack_config *config)
{
    if (!address_read(&text, &config->addr) || *text++ != '/')
        return false;
    int bits = number_read(&text, 32);
    if (bits < 1)
        return false;
    config->mask = 0xffffffffu << (32 - bits);
    if (*text == ',') {
        text++;
        if (!address_read(&text, &config->gateway))
            return false;
    }
    if (*text == ',') {
        text++;
        if (!address_read(&text, &config->dns[0]))
            return false;
    }
    return !*text;
}

static void config_network(struct netstack_config *config)
{
    const volatile struct denali_device *nic = machine_device(DENALI_DEV_NIC, ILWACO_DEV_NIC);
    const char *param = boot_param(ILWACO_PARAM_NET);
    if (!nic || (param && !strcmp(param, "none")))
        return;
    net.port = nic->port;
    config->mtu = nic->mtu;
    for (unsigned i = 0; i < sizeof config->mac; i++)
        config->mac[i] = nic->mac[i];
    if (!param || !strcmp(param, "dhcp"))
        return;
    if (!static_read(param, config)) {
        klog("denali.net=%s: not ADDR/BITS,GATEWAY,DNS; asking DHCP", param);
        config->addr = 0;
    }
}

void net_init(void)
{
    struct netstack_config config = {0};
    uint64_t share = machine_regs.mem_bytes / STACK_SHARE / PAGE_SIZE;
    config.max_pages = share < STACK_PAGES_MAX ? (uint32_t)share : STACK_PAGES_MAX;
    size_t name = strnlen(boot_hostname(), sizeof config.hostname - 1);
    memcpy(config.hostname, boot_hostname(), name);
    random_bytes(config.secret, sizeof config.secret);
    config_network(&config);
    net.timer.fn = link_timer;
    net.stack = page_alloc((uint32_t)((netstack_bytes() + PAGE_MASK) / PAGE_SIZE));
    BUG_ON(!net.stack, "no memory for the network stack at boot");
    netstack_init(net.stack, &config, &link_host);
    if (net.port)
        irq_attach(DENALI_IRQ_NIC, link_interrupt);
    net_after_call();
}

/* The neighbours hear nothing: a clone's place in the net is its host's business. */
void net_identity_changed(void)
{
    struct netstack_config config = {0};
    config_network(&config);
    random_bytes(config.secret, sizeof config.secret);
    if (net.port && config.addr)
        netstack_readdress(net.stack, &config);
}

/* ---- names ---- */

#define RESOLV_CONF "/etc/resolv.conf"
#define RESOLV_TEXT "/proc/net/resolv.conf"

int net_resolv_conf(char *out, size_t room)
{
    struct netstack_info info;
    size_t at = 0;
    net_wait_configured();
    netstack_info(net.stack, &info);
    if (room)
        *out = 0;
    for (unsigned i = 0; i < ARRAY_LEN(info.dns); i++) {
        uint32_t ip = info.dns[i];
        if (ip && at < room)
            at += (size_t)ksnprintf(out + at, room - at, "nameserver %u.%u.%u.%u\n", ip >> 24,
                                    ip >> 16 & 255, ip >> 8 & 255, ip & 255);
    }
    return (int)(at < room ? at : room);
}

/* A root with an /etc but without a word about name servers gets ours; its times stay. */
void net_install_resolv_conf(void)
{
    struct walk walk;
    if (!net.port || walk_path(vfs_root(), RESOLV_CONF, WALK_NOFOLLOW | WALK_PARENT, &walk))
        return;
    struct inode *dir = walk.parent ? walk.parent->inode : NULL;
    if (dir && !walk.dentry) {
        int64_t changed_ns = dir->mtime_ns;
        struct inode *link = memory_symlink(RESOLV_TEXT, sizeof RESOLV_TEXT - 1);
        struct dentry *name = link ? dentry_link(walk.parent, walk.name, walk.len, link) : NULL;
        if (name) {
            name->upper = false; /* found by those who ask, in no listing: the root has none */
            dentry_release(name);
        }
        dir->mtime_ns = dir->ctime_ns = changed_ns;
    }
    walk_done(&walk);
}
