/* SPDX-License-Identifier: MIT */
/*
 * The LANs of a worker. A group's is shared by its VMs; a VM without a group has
 * one of its own, with the addresses that `denali run` gives. Both lead out by a
 * NAT, which lan_net.h keeps alive. Ports are published for a VM while it lives.
 */
#include "denali/host/spec.h"
#include "denali/host/worker_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct network *find(struct worker *w, const char *name)
{
    struct network *n = w->networks;
    while (n && (!n->name || strcmp(n->name, name)))
        n = n->next;
    return n;
}

static void network_free(struct network *n)
{
    lan_net_destroy(n->net);
    free(n->name);
    free(n);
}

static int open_lan(struct network *n, uint32_t subnet, struct why *why)
{
    static const char *const user[] = {"user"};
    char text[32];
    if (subnet)
        snprintf(text, sizeof(text), "10.%u.0.0/16", subnet & 255);
    const struct lan_net_config config = {
        .subnet = subnet ? text : "10.0.2.0/24", .uplink = user, .uplinks = 1};
    return lan_net_create(&config, &n->net, why);
}

static int make(struct worker *w, const json_t *message, const char *name, struct network **out,
                struct why *why)
{
    uint32_t subnet = (uint32_t)json_integer_value(json_object_get(message, "subnet"));
    struct network *n = calloc(1, sizeof(*n));
    if (!n || (name && !(n->name = strdup(name)))) {
        free(n);
        return why_fail(why, -ENOMEM, "no memory");
    }
    n->worker = w;
    n->users = 1;
    int err = open_lan(n, subnet, why);
    if (err) {
        network_free(n);
        return err;
    }
    *out = n;
    return 0;
}

static bool wants_none(const json_t *spec)
{
    const char *net = spec_text(spec, "net");
    return net && !strcmp(net, "none");
}

static int check_kind(const json_t *spec, struct why *why)
{
    const char *net = spec_text(spec, "net");
    if (net && strcmp(net, "none") && strcmp(net, "user"))
        return why_fail(why, -EINVAL,
                        "\"net\" may be \"user\" or \"none\" here, not \"%.40s\"; say a group for "
                        "a LAN",
                        net);
    return 0;
}

/* Networks are made one at a time, so that a group never has two. */
int network_open(struct worker *w, const json_t *message, const json_t *spec, struct network **out,
                 struct why *why)
{
    const char *name = spec_text(message, "group");
    *out = NULL;
    int err = check_kind(spec, why);
    if (err || wants_none(spec))
        return err;
    host_lock_enter(&w->network_lock);
    host_lock_enter(&w->lock);
    struct network *there = name ? find(w, name) : NULL;
    if (there)
        there->users++;
    host_lock_leave(&w->lock);
    *out = there;
    err = there ? 0 : make(w, message, name, out, why);
    if (!err && !there) {
        host_lock_enter(&w->lock);
        (*out)->next = w->networks;
        w->networks = *out;
        host_lock_leave(&w->lock);
    }
    host_lock_leave(&w->network_lock);
    return err;
}

void network_release(struct worker *w, struct network *network)
{
    host_lock_enter(&w->network_lock);
    host_lock_enter(&w->lock);
    bool last = --network->users == 0;
    struct network **at = &w->networks;
    while (last && *at != network)
        at = &(*at)->next;
    if (last)
        *at = network->next;
    host_lock_leave(&w->lock);
    if (last)
        network_free(network);
    host_lock_leave(&w->network_lock);
}

/* Ports. */

static int publish_one(struct network *n, const char *text, uint32_t ip, struct why *why)
{
    struct net_publish p;
    struct net_error error = {""};
    if (net_publish_parse(text, &p, &error))
        return why_fail(why, -EINVAL, "%s", error.text);
    if (p.guest_addr && p.guest_addr != ip)
        return why_fail(why, -EINVAL, "%s: a VM publishes its own ports alone", text);
    p.guest_addr = ip;
    return lan_net_publish(n->net, &p, why);
}

int network_publish(struct network *n, const json_t *spec, uint32_t ip, struct why *why)
{
    const json_t *list = json_object_get(spec, "publish");
    int err = 0;
    for (size_t i = 0; !err && i < json_array_size(list); i++)
        err = publish_one(n, json_string_value(json_array_get(list, i)), ip, why);
    if (err)
        network_withdraw(n, ip);
    return err;
}

void network_withdraw(struct network *n, uint32_t ip)
{
    lan_net_unpublish_all(n->net, ip);
}

/* One whose NAT was started again since the last look; NULL: none. */
static struct network *find_restarted(struct worker *w, int *pid)
{
    for (struct network *n = w->networks; n; n = n->next) {
        uint32_t restarts = 0;
        *pid = lan_net_nat_pid(n->net, &restarts);
        if (restarts == n->restarts)
            continue;
        n->restarts = restarts;
        return n;
    }
    return NULL;
}

void networks_watch(struct worker *w)
{
    char text[160];
    int pid;
    host_lock_enter(&w->lock);
    struct network *n = find_restarted(w, &pid);
    if (n)
        snprintf(text, sizeof(text), "the NAT process of %s%.63s died; it is now process %d",
                 n->name ? "group " : "a VM", n->name ? n->name : "", pid);
    host_lock_leave(&w->lock);
    if (n)
        worker_post(w, json_pack("{s:s, s:s}", "event", "note", "text", text));
}
