/* SPDX-License-Identifier: MIT */
/* Quotas as a configuration writes them. */
#include "denali/pool/quota.h"

#include "denali/pool/sched.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int set_number(uint64_t *out, const char *value, uint64_t most)
{
    char *end;
    if (*value < '0' || *value > '9')
        return -EINVAL;
    errno = 0;
    unsigned long long n = strtoull(value, &end, 10);
    if (*end || errno || n > most)
        return -EINVAL;
    *out = n;
    return 0;
}

static int set_unsigned(unsigned *out, const char *value, uint64_t most)
{
    uint64_t n = 0;
    int err = set_number(&n, value, most);
    if (!err)
        *out = (unsigned)n;
    return err;
}

static int set_wire(struct wire_config *wire, const char *value)
{
    struct wire_config config = {.seed = 1};
    char *copy = strdup(value);
    if (!copy)
        return -ENOMEM;
    for (char *p = copy; *p; p++)
        *p = *p == ';' ? ',' : *p;
    int err = wire_config_parse(&config, copy);
    free(copy);
    if (!err)
        *wire = config;
    return err;
}

int quota_set(struct quota *q, const char *name, const char *value)
{
    if (!strcmp(name, "weight"))
        return set_unsigned(&q->weight, value, SCHED_MAX_WEIGHT);
    if (!strcmp(name, "cap"))
        return set_unsigned(&q->cap, value, UINT16_MAX);
    if (!strcmp(name, "disk"))
        return set_number(&q->disk_blocks_per_s, value, UINT32_MAX);
    if (!strcmp(name, "console"))
        return set_number(&q->console_bytes_per_s, value, UINT32_MAX);
    if (!strcmp(name, "send"))
        return set_wire(&q->to_lan, value);
    if (!strcmp(name, "receive"))
        return set_wire(&q->from_lan, value);
    return -EINVAL;
}

const struct wire_config *quota_wire(const struct wire_config *c)
{
    bool perfect = !(c->loss | c->duplicate | c->reorder | c->corrupt) && !c->delay_ns &&
                   !c->jitter_ns && !c->bytes_per_s && !c->frames_per_s;
    return perfect ? NULL : c;
}
