/* SPDX-License-Identifier: MIT */
/*
 * getsockopt and setsockopt. Most options are one int, kept by the family; the
 * tables say which. Options that change nothing a program could see here are
 * taken and forgotten (OPTION_TAKEN); unknown ones answer -ENOPROTOOPT.
 */
#include "guests/ilwaco/socket.h"
#include "guests/ilwaco/user_time.h"

enum option_level { SOL_IP = 0, SOL_SOCKET = 1, SOL_TCP = 6, SOL_RAW = 255 };

enum socket_option {
    SO_DEBUG = 1,
    SO_REUSEADDR = 2,
    SO_TYPE = 3,
    SO_ERROR = 4,
    SO_DONTROUTE = 5,
    SO_BROADCAST = 6,
    SO_SNDBUF = 7,
    SO_RCVBUF = 8,
    SO_KEEPALIVE = 9,
    SO_OOBINLINE = 10,
    SO_PRIORITY = 12,
    SO_LINGER = 13,
    SO_REUSEPORT = 15,
    SO_PASSCRED = 16,
    SO_PEERCRED = 17,
    SO_RCVLOWAT = 18,
    SO_RCVTIMEO_OLD = 20,
    SO_SNDTIMEO_OLD = 21,
    SO_TIMESTAMP = 29,
    SO_ACCEPTCONN = 30,
    SO_SNDBUFFORCE = 32,
    SO_RCVBUFFORCE = 33,
    SO_PROTOCOL = 38,
    SO_DOMAIN = 39,
    SO_RXQ_OVFL = 40,
    SO_BUSY_POLL = 46,
    SO_INCOMING_CPU = 49,
    SO_RCVTIMEO_NEW = 66,
    SO_SNDTIMEO_NEW = 67,
};

enum ip_option {
    IP_TOS = 1,
    IP_TTL = 2,
    IP_MTU_DISCOVER = 10,
    IP_RECVERR = 11,
    IP_RECVTTL = 12,
    IP_RECVTOS = 13,
    IP_FREEBIND = 15,
    IP_BIND_ADDRESS_NO_PORT = 24,
    IP_MULTICAST_TTL = 33,
    IP_MULTICAST_LOOP = 34,
};

enum tcp_option {
    TCP_NODELAY = 1,
    TCP_MAXSEG = 2,
    TCP_CORK = 3,
    TCP_KEEPIDLE = 4,
    TCP_KEEPINTVL = 5,
    TCP_KEEPCNT = 6,
    TCP_SYNCNT = 7,
    TCP_LINGER2 = 8,
    TCP_DEFER_ACCEPT = 9,
    TCP_WINDOW_CLAMP = 10,
    TCP_INFO = 11,
    TCP_QUICKACK = 12,
    TCP_CONGESTION = 13,
    TCP_USER_TIMEOUT = 18,
    TCP_FASTOPEN = 23,
    TCP_NOTSENT_LOWAT = 25,
};

/* How an option that is one int is kept. */
enum option_kind { OPTION_INT = 1, OPTION_TAKEN = 2 };

struct option_row {
    uint16_t level, name;
    uint8_t kind;
    uint8_t option; /* enum net_option */
};

static const struct option_row rows[] = {
    {SOL_SOCKET, SO_REUSEADDR, OPTION_INT, NET_OPT_REUSEADDR},
    {SOL_SOCKET, SO_BROADCAST, OPTION_INT, NET_OPT_BROADCAST},
    {SOL_SOCKET, SO_KEEPALIVE, OPTION_INT, NET_OPT_KEEPALIVE},
    {SOL_SOCKET, SO_DEBUG, OPTION_TAKEN, 0},
    {SOL_SOCKET, SO_DONTROUTE, OPTION_TAKEN, 0},
    {SOL_SOCKET, SO_OOBINLINE, OPTION_TAKEN, 0},
    {SOL_SOCKET, SO_PRIORITY, OPTION_TAKEN, 0},
    {SOL_SOCKET, SO_PASSCRED, OPTION_TAKEN, 0},
    {SOL_SOCKET, SO_RCVLOWAT, OPTION_TAKEN, 1},
    {SOL_SOCKET, SO_TIMESTAMP, OPTION_TAKEN, 0},
    {SOL_SOCKET, SO_BUSY_POLL, OPTION_TAKEN, 0},
    {SOL_SOCKET, SO_REUSEPORT, OPTION_TAKEN, 0}, /* one process: nobody to share with */
    {SOL_SOCKET, SO_RXQ_OVFL, OPTION_TAKEN, 0},
    {SOL_SOCKET, SO_INCOMING_CPU, OPTION_TAKEN, 0},
    {SOL_IP, IP_TOS, OPTION_INT, NET_OPT_TOS},
    {SOL_IP, IP_TTL, OPTION_INT, NET_OPT_TTL},
    {SOL_IP, IP_MTU_DISCOVER, OPTION_TAKEN, 1},
    {SOL_IP, IP_RECVERR, OPTION_TAKEN, 0},
    {SOL_IP, IP_RECVTTL, OPTION_TAKEN, 0},
    {SOL_IP, IP_RECVTOS, OPTION_TAKEN, 0},
    {SOL_IP, IP_FREEBIND, OPTION_TAKEN, 0},
    {SOL_IP, IP_BIND_ADDRESS_NO_PORT, OPTION_TAKEN, 0},
    {SOL_IP, IP_MULTICAST_TTL, OPTION_TAKEN, 1},
    {SOL_IP, IP_MULTICAST_LOOP, OPTION_TAKEN, 1},
    {SOL_TCP, TCP_NODELAY, OPTION_INT, NET_OPT_NODELAY},
    {SOL_TCP, TCP_MAXSEG, OPTION_INT, NET_OPT_MAXSEG},
    {SOL_TCP, TCP_CORK, OPTION_INT, NET_OPT_CORK},
    {SOL_TCP, TCP_KEEPIDLE, OPTION_INT, NET_OPT_KEEPIDLE},
    {SOL_TCP, TCP_KEEPINTVL, OPTION_INT, NET_OPT_KEEPINTVL},
    {SOL_TCP, TCP_KEEPCNT, OPTION_INT, NET_OPT_KEEPCNT},
    {SOL_TCP, TCP_LINGER2, OPTION_INT, NET_OPT_LINGER2},
    {SOL_TCP, TCP_QUICKACK, OPTION_INT, NET_OPT_QUICKACK},
    {SOL_TCP, TCP_USER_TIMEOUT, OPTION_INT, NET_OPT_USER_TIMEOUT},
    {SOL_TCP, TCP_SYNCNT, OPTION_TAKEN, 6},
    {SOL_TCP, TCP_DEFER_ACCEPT, OPTION_TAKEN, 0},
    {SOL_TCP, TCP_WINDOW_CLAMP, OPTION_TAKEN, 0},
    {SOL_TCP, TCP_FASTOPEN, OPTION_TAKEN, 0},
    {SOL_TCP, TCP_NOTSENT_LOWAT, OPTION_TAKEN, 0},
    {SOL_RAW, 1 /* ICMP_FILTER: a raw socket hears more than it asked for */, OPTION_TAKEN, 0},
};

static const struct option_row *row_find(uint32_t level, uint32_t name)
{
    for (uint32_t i = 0; i < ARRAY_LEN(rows); i++)
        if (rows[i].level == level && rows[i].name == name)
            return &rows[i];
    return NULL;
}

/* ---- set ---- */

struct linger {
    int32_t on, seconds;
};

static int linger_set(struct socket *s, uint32_t value, uint32_t len)
{
    struct linger linger;
    if (len < sizeof linger)
        return -EINVAL;
    if (copy_from_user(&linger, value, sizeof linger))
        return -EFAULT;
    return s->ops->set(s, NET_OPT_LINGER, linger.on ? linger.seconds : -1);
}

static int timeout_set(uint64_t *out, uint32_t value, uint32_t len, bool wide)
{
    uint64_t ns;
    if (len < (wide ? 16u : 8u))
        return -EINVAL;
    int err;
    if (wide) { /* two 64-bit words: seconds and microseconds */
        int64_t time[2];
        err = copy_from_user(time, value, sizeof time);
        if (!err && (time[0] < 0 || time[1] < 0 || time[1] >= 1000000))
            err = -EDOM;
        ns = err || time[0] > 1000000000
                 ? 0
                 : (uint64_t)time[0] * NS_PER_SEC + (uint64_t)time[1] * 1000;
    } else {
        err = user_get_timeval(value, &ns);
    }
    if (!err)
        *out = ns;
    return err;
}

/* What of SOL_SOCKET is not one plain int; -ENOPROTOOPT. */
static int socket_level_set(struct socket *s, uint32_t name, uint32_t value, uint32_t len, int word)
{
    switch (name) {
    case SO_LINGER:
        return linger_set(s, value, len);
    case SO_RCVTIMEO_OLD:
    case SO_RCVTIMEO_NEW:
        return timeout_set(&s->in_timeout_ns, value, len, name == SO_RCVTIMEO_NEW);
    case SO_SNDTIMEO_OLD:
    case SO_SNDTIMEO_NEW:
        return timeout_set(&s->out_timeout_ns, value, len, name == SO_SNDTIMEO_NEW);
    case SO_SNDBUF:
    case SO_SNDBUFFORCE:
        return s->ops->set(s, NET_OPT_SNDBUF, word < (1 << 30) ? word * 2 : word);
    case SO_RCVBUF:
    case SO_RCVBUFFORCE:
        return s->ops->set(s, NET_OPT_RCVBUF, word < (1 << 30) ? word * 2 : word);
    default:
        return -ENOPROTOOPT;
    }
}

/* The one congestion control there is. */
static const char congestion_name[16] = "reno";

static int option_set(struct socket *s, uint32_t level, uint32_t name, uint32_t value, uint32_t len)
{
    const struct option_row *row = row_find(level, name);
    int word = 0;
    uint8_t byte;
    if (len >= sizeof word && copy_from_user(&word, value, sizeof word))
        return -EFAULT;
    if (row && row->level == SOL_IP && len >= 1 && len < sizeof word) {
        if (copy_from_user(&byte, value, 1))
            return -EFAULT;
        word = byte;
    } else if (row && len < sizeof word) {
        return -EINVAL;
    }
    if (row)
        return row->kind == OPTION_TAKEN ? 0 : s->ops->set(s, (enum net_option)row->option, word);
    if (level == SOL_SOCKET)
        return socket_level_set(s, name, value, len, word);
    if (level == SOL_TCP && name == TCP_CONGESTION) {
        char text[16] = {0};
        if (copy_from_user(text, value, len < sizeof text ? len : sizeof text - 1))
            return -EFAULT;
        return strcmp(text, congestion_name) ? -ENOENT : 0;
    }
    return -ENOPROTOOPT;
}

int32_t sys_setsockopt(uint32_t fd, uint32_t level, uint32_t name, uint32_t value, uint32_t len)
{
    struct file *file;
    int err;
    struct socket *s = socket_of_fd(fd, &file, &err);
    if (!s)
        return err;
    err = (int32_t)len < 0 ? -EINVAL : option_set(s, level, name, value, len);
    file_release(file);
    return err;
}

/* ---- get ---- */

/* An option's value, ready to be copied out. */
struct option_value {
    uint32_t len;
    union {
        int32_t word;
        struct linger linger;
        int32_t words[3];
        int64_t wide[2];
        char text[16];
        uint8_t bytes[232];
    };
};

static void word_put(struct option_value *out, int word)
{
    out->len = sizeof out->word;
    out->word = word;
}

static void timeout_get(uint64_t ns, bool wide, struct option_value *out)
{
    uint32_t rest, seconds = (uint32_t)div_u64(ns, NS_PER_SEC, &rest);
    out->len = wide ? 16 : 8;
    if (wide) {
        out->wide[0] = seconds;
        out->wide[1] = rest / 1000;
    } else {
        out->words[0] = (int32_t)seconds;
        out->words[1] = (int32_t)(rest / 1000);
    }
}

static int linger_get(struct socket *s, struct option_value *out)
{
    int seconds = -1;
    int err = s->ops->get(s, NET_OPT_LINGER, &seconds);
    out->len = sizeof out->linger;
    out->linger = (struct linger){seconds >= 0, seconds >= 0 ? seconds : 0};
    return err;
}

static int family_int(struct socket *s, enum net_option option, struct option_value *out)
{
    int word = 0;
    int err = s->ops->get(s, option, &word);
    word_put(out, word);
    return err;
}

static int peer_credentials(struct socket *s, struct option_value *out)
{
    if (s->family != AF_UNIX)
        return -ENOPROTOOPT;
    out->len = sizeof out->words;
    out->words[0] = ILWACO_PID;
    out->words[1] = out->words[2] = 0;
    return 0;
}

static int socket_level_get(struct socket *s, uint32_t name, struct option_value *out)
{
    switch (name) {
    case SO_TYPE:
        word_put(out, s->type);
        return 0;
    case SO_DOMAIN:
        word_put(out, s->family);
        return 0;
    case SO_PROTOCOL:
        word_put(out, s->protocol);
        return 0;
    case SO_ACCEPTCONN:
        word_put(out, s->listening);
        return 0;
    case SO_ERROR:
        return family_int(s, NET_OPT_ERROR, out);
    case SO_SNDBUF:
        return family_int(s, NET_OPT_SNDBUF, out);
    case SO_RCVBUF:
        return family_int(s, NET_OPT_RCVBUF, out);
    case SO_LINGER:
        return linger_get(s, out);
    case SO_PEERCRED:
        return peer_credentials(s, out);
    case SO_RCVTIMEO_OLD:
    case SO_RCVTIMEO_NEW:
        timeout_get(s->in_timeout_ns, name == SO_RCVTIMEO_NEW, out);
        return 0;
    case SO_SNDTIMEO_OLD:
    case SO_SNDTIMEO_NEW:
        timeout_get(s->out_timeout_ns, name == SO_SNDTIMEO_NEW, out);
        return 0;
    default:
        return -ENOPROTOOPT;
    }
}

/* The fields of Linux's struct tcp_info that we know; the rest is 0. */
static int tcp_info_get(struct socket *s, struct option_value *out)
{
    struct net_tcp_info info;
    int err = socket_inet_tcp_info(s, &info);
    if (err)
        return err;
    out->len = 104;
    memset(out->bytes, 0, out->len);
    out->bytes[0] = info.state;
    out->bytes[2] = info.retransmits;
    out->bytes[4] = info.backoff;
    out->bytes[5] =
        (uint8_t)((info.timestamps ? 1 : 0) | (info.sack ? 2 : 0) | (info.wscale ? 4 : 0));
    out->bytes[6] = (uint8_t)(info.snd_wscale | info.rcv_wscale << 4);
    const uint32_t words[][2] = {
        {8, info.rto_us},    {16, info.snd_mss}, {20, info.rcv_mss},   {24, info.unacked},
        {60, 1500},          {68, info.rtt_us},  {72, info.rttvar_us}, {76, info.snd_ssthresh},
        {80, info.snd_cwnd}, {84, info.snd_mss}, {96, info.rcv_space}, {100, info.total_retrans},
    };
    for (uint32_t i = 0; i < ARRAY_LEN(words); i++)
        memcpy(out->bytes + words[i][0], &words[i][1], sizeof words[i][1]);
    return 0;
}

static int option_get(struct socket *s, uint32_t level, uint32_t name, struct option_value *out)
{
    const struct option_row *row = row_find(level, name);
    if (row && row->kind == OPTION_INT)
        return family_int(s, (enum net_option)row->option, out);
    if (row) {
        word_put(out, row->option);
        return 0;
    }
    if (level == SOL_SOCKET)
        return socket_level_get(s, name, out);
    if (level == SOL_TCP && name == TCP_INFO)
        return tcp_info_get(s, out);
    if (level == SOL_TCP && name == TCP_CONGESTION) {
        out->len = sizeof out->text;
        memcpy(out->text, congestion_name, sizeof out->text);
        return 0;
    }
    return -ENOPROTOOPT;
}

static int value_to_user(const struct option_value *v, uint32_t value, uint32_t len_addr)
{
    int32_t room;
    if (copy_from_user(&room, len_addr, sizeof room))
        return -EFAULT;
    if (room < 0)
        return -EINVAL;
    uint32_t n = v->len < (uint32_t)room ? v->len : (uint32_t)room;
    if (copy_to_user(value, v->bytes, n))
        return -EFAULT;
    return copy_to_user(len_addr, &n, sizeof n);
}

int32_t sys_getsockopt(uint32_t fd, uint32_t level, uint32_t name, uint32_t value, uint32_t len)
{
    struct file *file;
    struct option_value out;
    int err;
    struct socket *s = socket_of_fd(fd, &file, &err);
    if (!s)
        return err;
    err = option_get(s, level, name, &out);
    file_release(file);
    return err ? err : value_to_user(&out, value, len);
}
