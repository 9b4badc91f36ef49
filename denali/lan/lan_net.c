/* SPDX-License-Identifier: MIT */
/* Reads what the configuration says, and puts the parts together. */
#include "denali/lan/lan_net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* The tag that `denali run` has in its MACs, and 0, that of LANs without a tag. */
#define TAG_OF_RUN 0x6e

struct lan_net {
    struct lan *lan;
    struct lan_subnet subnet;
    struct net_backend *nat; /* inside an uplink, which lives as long; NULL: none */
    struct uplink *uplink[LAN_NET_UPLINKS];
    unsigned uplinks;
};

static int read_subnet(const char *text, struct lan_subnet *out, struct why *why)
{
    char copy[32] = "", *end = NULL;
    struct in_addr net;
    unsigned long prefix = 0;
    if (strlen(text) < sizeof(copy))
        strcpy(copy, text);
    char *slash = strchr(copy, '/');
    if (slash) {
        *slash++ = 0;
        prefix = strtoul(slash, &end, 10);
    }
    if (!slash || *end || end == slash || prefix < 8 || prefix > 29 ||
        inet_pton(AF_INET, copy, &net) != 1)
        return why_fail(why, -EINVAL,
                        "%.40s is not a subnet; write A.B.C.D/N with N from 8 to 29, as in "
                        "10.1.0.0/16",
                        text);
    *out = (struct lan_subnet){.net = ntohl(net.s_addr), .prefix = (unsigned)prefix};
    if (out->net & ((1u << (32 - prefix)) - 1))
        return why_fail(why, -EINVAL, "subnet %.40s: bits behind the prefix are not 0", text);
    return 0;
}

/* "user", alone or with the words of a wire: these words, else NULL. */
static const char *user_words(const char *spec)
{
    if (strncmp(spec, "user", 4) || (spec[4] && spec[4] != ','))
        return NULL;
    return spec[4] ? spec + 5 : spec + 4;
}

static int set_subnet(struct lan_net *n, const struct lan_net_config *c, struct why *why)
{
    struct lan_subnet *s = &n->subnet;
    int err = read_subnet(c->subnet, s, why);
    for (unsigned i = 0; !err && i < c->uplinks; i++) {
        if (user_words(c->uplink[i])) {
            s->gateway = s->net + 1;
            s->dns = s->net + 2;
        }
    }
    if (!err && (err = lan_set_subnet(n->lan, s)))
        why_fail(why, err, "%.40s is no subnet for VMs", c->subnet);
    return err;
}

static int make_nat(struct lan_net *n, const struct lan_net_config *c, const char *words,
                    struct net_backend **out, struct net_error *error)
{
    const struct lan_subnet *s = &n->subnet;
    const struct net_user_side side = {.net = s->net,
                                       .prefix = s->prefix,
                                       .host = s->gateway,
                                       .dns = s->dns,
                                       .guest = s->net + 3,
                                       .loopback = c->host_loopback};
    const struct net_user_config config = {.program = c->nat_program, .side = &side};
    struct wire_config wire = {.seed = 1};
    if (!s->prefix)
        return net_fail(error, -EINVAL, "a LAN with \"user\" needs a subnet");
    if (n->nat)
        return net_fail(error, -EINVAL, "a LAN has \"user\" once");
    if (*words && wire_config_parse(&wire, words))
        return net_fail(error, -EINVAL, "user,%.60s: there are " WIRE_WORDS, words);
    int err = net_nat_create(&config, out, error);
    if (err)
        return err;
    n->nat = *out;
    struct net_backend *nat = *out;
    err = *words ? net_fault_create(nat, &wire, out, error) : 0;
    if (err)
        nat->ops->destroy(nat);
    return err;
}

static int make_backend(struct lan_net *n, const struct lan_net_config *c, unsigned i,
                        struct net_backend **out, struct net_error *error)
{
    const struct net_user_config nobody = {.program = NULL};
    const char *words = user_words(c->uplink[i]);
    int err = words ? make_nat(n, c, words, out, error)
                    : net_backend_create(c->uplink[i], &nobody, out, error);
    if (err || i || !c->pcap)
        return err;
    struct net_backend *inner = *out;
    err = net_pcap_create(inner, c->pcap, out, error);
    if (err)
        inner->ops->destroy(inner);
    return err;
}

static int make_uplinks(struct lan_net *n, const struct lan_net_config *c, struct why *why)
{
    struct net_error error = {""};
    struct net_backend *net;
    if (c->uplinks > LAN_NET_UPLINKS)
        return why_fail(why, -E2BIG, "a LAN has at most %d uplinks", LAN_NET_UPLINKS);
    for (unsigned i = 0; i < c->uplinks; i++) {
        int err = make_backend(n, c, i, &net, &error);
        if (err)
            return why_fail(why, err, "%s", error.text);
        err = uplink_create(n->lan, net, &n->uplink[i]);
        if (err)
            return why_fail(why, err, "cannot make an uplink: %s", strerror(-err));
        n->uplinks++;
    }
    return 0;
}

static uint8_t draw_tag(void)
{
    uint8_t tag = 0;
    while (getrandom(&tag, 1, GRND_NONBLOCK) == 1 && (tag == 0 || tag == TAG_OF_RUN))
        ;
    return tag;
}

int lan_net_create(const struct lan_net_config *config, struct lan_net **out, struct why *why)
{
    struct lan_net *n = calloc(1, sizeof(*n));
    int err = n ? lan_create(&n->lan) : -ENOMEM;
    if (err) {
        free(n);
        return why_fail(why, err, "cannot make a LAN: %s", strerror(-err));
    }
    lan_set_tag(n->lan, draw_tag());
    if (config->subnet)
        err = set_subnet(n, config, why);
    if (!err)
        err = make_uplinks(n, config, why);
    if (err)
        lan_net_destroy(n);
    else
        *out = n;
    return err;
}

void lan_net_destroy(struct lan_net *n)
{
    if (!n)
        return;
    for (unsigned i = 0; i < n->uplinks; i++)
        uplink_destroy(n->uplink[i]);
    lan_destroy(n->lan);
    free(n);
}

struct lan *lan_net_lan(struct lan_net *n)
{
    return n->lan;
}

struct lan_subnet lan_net_subnet(const struct lan_net *n)
{
    return n->subnet;
}

int lan_net_publish(struct lan_net *n, const struct net_publish *p, struct why *why)
{
    if (!n->nat)
        return why_fail(why, -ENOTSUP, "ports are published on LANs with the uplink \"user\"");
    int err = net_nat_publish(n->nat, p, true);
    return err ? why_fail(why, err, "cannot publish port %u%s: %s", p->host_port,
                          p->udp ? "/udp" : "", strerror(-err))
               : 0;
}

int lan_net_unpublish(struct lan_net *n, const struct net_publish *p)
{
    return n->nat ? net_nat_publish(n->nat, p, false) : -ENOENT;
}

void lan_net_unpublish_all(struct lan_net *n, uint32_t guest_addr)
{
    if (n->nat)
        net_nat_unpublish_guest(n->nat, guest_addr);
}

bool lan_net_count(struct lan_net *n, unsigned i, struct uplink_counters *out)
{
    if (i >= n->uplinks)
        return false;
    uplink_count(n->uplink[i], out);
    return true;
}

int lan_net_nat_pid(struct lan_net *n, uint32_t *restarts)
{
    *restarts = 0;
    return n->nat ? net_nat_pid(n->nat, restarts) : 0;
}
