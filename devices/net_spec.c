/* SPDX-License-Identifier: MIT */
/* What the user writes about networks, turned into backends: --net and -p. */
#include "devices/net_backends.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int net_fail(struct net_error *why, int err, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(why->text, sizeof why->text, format, args);
    va_end(args);
    return err;
}

/* A port, all of `text`, 1 to 65535; 0 if it is none. */
static uint16_t port_parse(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    if (!digits || digits > 5 || text[digits])
        return 0;
    unsigned long port = strtoul(text, NULL, 10);
    return port <= 65535 ? (uint16_t)port : 0;
}

/* Cuts "/tcp" or "/udp" off the end. */
static bool protocol_cut(char *text, bool *udp)
{
    char *slash = strchr(text, '/');
    *udp = false;
    if (!slash)
        return true;
    *udp = !strcmp(slash, "/udp");
    bool known = *udp || !strcmp(slash, "/tcp");
    *slash = 0;
    return known;
}

/* Cuts the last ":" field off and returns it, or NULL. */
static char *field_cut(char *text)
{
    char *colon = strrchr(text, ':');
    if (!colon)
        return NULL;
    *colon = 0;
    return colon + 1;
}

static bool address_read(const char *text, uint32_t *out)
{
    struct in_addr in;
    if (inet_pton(AF_INET, text, &in) != 1)
        return false;
    *out = ntohl(in.s_addr);
    return true;
}

/* Cuts a last field that is an address off, if there is one; what it says is in `out`. */
static bool address_cut(char *text, uint32_t *out)
{
    char *colon = strrchr(text, ':');
    const char *field = colon ? colon + 1 : text;
    if (!strchr(field, '.'))
        return true;
    if (!address_read(field, out))
        return false;
    if (colon)
        *colon = 0;
    else
        *text = 0;
    return true;
}

/* From the end: PORT, perhaps GUEST, HOSTPORT, perhaps ADDR. */
static bool publish_read(char *text, struct net_publish *out)
{
    *out = (struct net_publish){.host_addr = 0x7f000001};
    if (!protocol_cut(text, &out->udp))
        return false;
    char *guest = field_cut(text);
    if (!guest || !address_cut(text, &out->guest_addr))
        return false;
    char *host = field_cut(text);
    if (host && !address_read(text, &out->host_addr))
        return false;
    out->host_port = port_parse(host ? host : text);
    out->guest_port = port_parse(guest);
    return out->host_port && out->guest_port;
}

int net_publish_parse(const char *text, struct net_publish *out, struct net_error *why)
{
    char copy[64];
    if (strlen(text) < sizeof copy) {
        strcpy(copy, text);
        if (publish_read(copy, out))
            return 0;
    }
    return net_fail(why, -EINVAL,
                    "-p %.60s: not a port to publish; write [ADDR:]HOSTPORT:PORT[/udp], as in "
                    "-p 8080:80",
                    text);
}

int net_publish_add(const char *text, struct net_publish *list, unsigned *count,
                    struct net_error *why)
{
    if (*count == NET_MAX_PUBLISH)
        return net_fail(why, -EINVAL, "more than %d published ports", NET_MAX_PUBLISH);
    int err = net_publish_parse(text, &list[*count], why);
    *count += !err;
    return err;
}

/* Cuts the words of a bad wire (",loss=1,reorder=5,delay=10") off `spec`; whether there are any.
 * -EINVAL: one is wrong. */
static int fault_cut(char *spec, struct wire_config *fault)
{
    char *words = strchr(spec, ',');
    if (!words)
        return 0;
    *words++ = 0;
    int err = wire_config_parse(fault, words);
    return err ? err : 1;
}

static int plain_create(const char *spec, const struct net_user_config *user,
                        struct net_backend **out, struct net_error *why)
{
    if (!strcmp(spec, "user"))
        return net_user_create(user, out, why);
    if (user->publish_count)
        return net_fail(why, -EINVAL, "-p needs --net user, not --net %.60s", spec);
    if (!strcmp(spec, "none"))
        return net_none_create(out, why);
    if (!strncmp(spec, "socket:", 7) && spec[7])
        return net_socket_create(spec + 7, out, why);
    if (!strncmp(spec, "tap:", 4) && spec[4])
        return net_tap_create(spec + 4, out, why);
    return net_fail(why, -EINVAL,
                    "--net %.60s: unknown network; choose user, none, socket:PATH or tap:NAME",
                    spec);
}

int net_backend_create(const char *spec, const struct net_user_config *user,
                       struct net_backend **out, struct net_error *why)
{
    struct wire_config fault = {.seed = 1};
    char *copy = strdup(spec);
    if (!copy)
        return net_fail(why, -ENOMEM, "no memory for the network");
    int err, bad = fault_cut(copy, &fault);
    if (bad < 0)
        err = net_fail(
            why, bad,
            "--net %.60s: behind the comma are " WIRE_WORDS ", as in user,loss=1,delay=20", spec);
    else
        err = plain_create(copy, user, out, why);
    free(copy);
    if (err || bad <= 0)
        return err;
    struct net_backend *inner = *out;
    err = net_fault_create(inner, &fault, out, why);
    if (err)
        inner->ops->destroy(inner);
    return err;
}
