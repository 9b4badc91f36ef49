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

static bool publish_read(char *text, struct net_publish *out)
{
    if (!protocol_cut(text, &out->udp))
        return false;
    char *guest = field_cut(text);
    if (!guest)
        return false;
    char *host = field_cut(text);
    const char *addr = host ? text : "127.0.0.1";
    struct in_addr in;
    if (inet_pton(AF_INET, addr, &in) != 1)
        return false;
    out->host_addr = ntohl(in.s_addr);
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

/* ---- a bad wire: ",loss=1,reorder=5,delay=10" behind any network ---- */

struct fault_word {
    const char *name;
    size_t at; /* of the field in struct net_fault_config */
};

/* Percentages of frames; delay and seed are read apart. */
static const struct fault_word fault_words[] = {
    {"loss", offsetof(struct net_fault_config, loss)},
    {"duplicate", offsetof(struct net_fault_config, duplicate)},
    {"reorder", offsetof(struct net_fault_config, reorder)},
    {"corrupt", offsetof(struct net_fault_config, corrupt)},
};

/* One "name=value"; false: unknown, or no number. */
static bool fault_word_read(const char *name, const char *value, struct net_fault_config *fault)
{
    char *end;
    double number = strtod(value, &end);
    if (end == value || *end || !(number >= 0 && number <= 1e15))
        return false;
    if (!strcmp(name, "delay"))
        fault->delay_ns = (uint64_t)(number * 1e6);
    else if (!strcmp(name, "seed"))
        fault->seed = (uint64_t)number;
    for (size_t i = 0; i < ARRAY_LEN(fault_words); i++)
        if (!strcmp(name, fault_words[i].name) && number <= 100) {
            uint32_t chance = (uint32_t)(number * 655.36);
            memcpy((char *)fault + fault_words[i].at, &chance, sizeof chance);
            return true;
        }
    return !strcmp(name, "delay") || !strcmp(name, "seed");
}

/* Cuts the words of a bad wire off `spec`; whether there are any. -EINVAL: one is wrong. */
static int fault_cut(char *spec, struct net_fault_config *fault)
{
    char *word = strchr(spec, ',');
    if (!word)
        return 0;
    *word++ = 0;
    while (word) {
        char *next = strchr(word, ','), *value;
        if (next)
            *next++ = 0;
        value = strchr(word, '=');
        if (!value)
            return -EINVAL;
        *value++ = 0;
        if (!fault_word_read(word, value, fault))
            return -EINVAL;
        word = next;
    }
    return 1;
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
    struct net_fault_config fault = {.seed = 1};
    char *copy = strdup(spec);
    if (!copy)
        return net_fail(why, -ENOMEM, "no memory for the network");
    int err, bad = fault_cut(copy, &fault);
    if (bad < 0)
        err = net_fail(
            why, bad,
            "--net %.80s: behind the comma are loss, duplicate, reorder, corrupt (percent), "
            "delay (ms) and seed, as in user,loss=1,delay=20",
            spec);
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
