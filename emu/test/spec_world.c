/* SPDX-License-Identifier: MIT */
/* The keys of what stands around the guest: the PC that it runs on, the peers in its network. */
#include "emu/test/spec_private.h"

#include <string.h>

#define KEYS(what, rows)                                                                           \
    {                                                                                              \
        what, rows, ARRAY_LEN(rows)                                                                \
    }

/* ---- the PC ---- */

/* A medium: a path, perhaps with ",snapshot" and the like behind it. What a test writes is
 * forgotten unless it says otherwise. */
static int key_medium(struct spec_reader *r, const struct toml *v, void *to)
{
    const char **path = to;
    int err = spec_key_path(r, v, to);
    if (err || strchr(*path, ','))
        return err;
    *path = arena_print(&r->spec->arena, "%s,snapshot", *path);
    return *path ? 0 : spec_no_memory(r);
}

#define PC(member) offsetof(struct spec_pc, member)
static const struct spec_key pc_rows[] = {
    {"kernel", spec_key_path, PC(kernel)},
    {"initrd", spec_key_path, PC(initrd)},
    {"append", spec_key_text, PC(append)},
    {"bios", spec_key_path, PC(bios)},
    {"vgabios", spec_key_path, PC(vgabios)},
    {"boot", spec_key_text, PC(boot)},
    {"cpu", spec_key_text, PC(cpu)},
    {"machine", spec_key_text, PC(machine)},
    {"hda", key_medium, PC(hd[0])},
    {"hdb", key_medium, PC(hd[1])},
    {"hdc", key_medium, PC(hd[2])},
    {"hdd", key_medium, PC(hd[3])},
    {"cdrom", spec_key_path, PC(cdrom)},
    {"fda", key_medium, PC(fd[0])},
    {"fdb", key_medium, PC(fd[1])},
    {"nic", spec_key_text, PC(nic)},
    {"exit-port", spec_key_yes, PC(exit_port)},
};
const struct spec_keys spec_pc_keys = KEYS("pc", pc_rows);

int spec_key_pc(struct spec_reader *r, const struct toml *v, void *to)
{
    (void)to;
    r->spec->kind = SPEC_PC;
    return spec_read_table(r, v, &spec_pc_keys, &r->spec->pc);
}

/* ---- peers ---- */

static int step_begin(struct spec_reader *r, const struct toml *v, struct spec_peer_step *step,
                      enum spec_peer_act act)
{
    if (step->line)
        return spec_fail(r, v, "a step does one thing; make another one for \"%s\"", v->key);
    step->act = act;
    step->line = v->line;
    return 0;
}

static int step_bytes(struct spec_reader *r, const struct toml *v, struct spec_peer_step *step,
                      enum spec_peer_act act)
{
    int err = step_begin(r, v, step, act);
    return err ? err : spec_key_bytes(r, v, &step->data);
}

static int step_send(struct spec_reader *r, const struct toml *v, void *to)
{
    return step_bytes(r, v, to, PEER_SEND);
}

static int step_expect(struct spec_reader *r, const struct toml *v, void *to)
{
    return step_bytes(r, v, to, PEER_EXPECT);
}

static int step_after(struct spec_reader *r, const struct toml *v, void *to)
{
    return step_bytes(r, v, to, PEER_AFTER);
}

static int step_send_hex(struct spec_reader *r, const struct toml *v, void *to)
{
    struct spec_peer_step *step = to;
    int err = step_begin(r, v, step, PEER_SEND);
    return err ? err : spec_key_hex(r, v, &step->data);
}

static int step_like(struct spec_reader *r, const struct toml *v, void *to)
{
    struct spec_peer_step *step = to;
    struct spec_list list = {0};
    int err = step_begin(r, v, step, PEER_LIKE);
    if (!err)
        err = spec_want(r, v, TOML_STRING);
    if (!err)
        err = spec_key_regex(r, v, &list);
    if (!err)
        step->data = list.item[0];
    return err;
}

static int step_close(struct spec_reader *r, const struct toml *v, void *to)
{
    bool yes = false;
    int err = step_begin(r, v, to, PEER_CLOSE);
    if (!err)
        err = spec_key_yes(r, v, &yes);
    return err || yes ? err : spec_fail(r, v, "close = true, or nothing");
}

static int step_wait(struct spec_reader *r, const struct toml *v, void *to)
{
    struct spec_peer_step *step = to;
    int err = step_begin(r, v, step, PEER_WAIT);
    return err ? err : spec_key_time(r, v, &step->wait_ns);
}

static const struct spec_key step_rows[] = {
    {"send", step_send, 0},         {"send-hex", step_send_hex, 0}, {"expect", step_expect, 0},
    {"expect-match", step_like, 0}, {"close", step_close, 0},       {"wait", step_wait, 0},
    {"after", step_after, 0},
};
static const struct spec_keys step_keys = KEYS("a step of a peer", step_rows);

static int key_steps(struct spec_reader *r, const struct toml *v, void *to)
{
    struct spec_peer *peer = to;
    return spec_read_tables(r, v, &step_keys, sizeof(struct spec_peer_step), (void **)&peer->step,
                            &peer->steps);
}

static int port(struct spec_reader *r, const struct toml *v, struct spec_peer *peer, bool listens)
{
    uint64_t n = 0;
    if (peer->port)
        return spec_fail(r, v, "a peer listens or connects, not both");
    int err = spec_key_count(r, v, &n);
    if (!err && (!n || n > 65535))
        err = spec_fail(r, v, "a port is 1 to 65535");
    peer->port = (uint16_t)n;
    peer->listens = listens;
    return err;
}

static int key_listen(struct spec_reader *r, const struct toml *v, void *to)
{
    return port(r, v, to, true);
}

static int key_connect(struct spec_reader *r, const struct toml *v, void *to)
{
    return port(r, v, to, false);
}

#define PEER(member) offsetof(struct spec_peer, member)
static const struct spec_key peer_rows[] = {
    {"name", spec_key_text, PEER(name)}, {"ip", spec_key_ipv4, PEER(ip)},
    {"udp", spec_key_yes, PEER(udp)},    {"listen", key_listen, 0},
    {"connect", key_connect, 0},         {"steps", key_steps, 0},
};
static const struct spec_keys peer_keys = KEYS("a peer", peer_rows);

int spec_key_peers(struct spec_reader *r, const struct toml *v, void *to)
{
    struct spec *spec = r->spec;
    (void)to;
    int err = spec_read_tables(r, v, &peer_keys, sizeof(struct spec_peer), (void **)&spec->peer,
                               &spec->peers);
    for (unsigned i = 0; !err && i < spec->peers; i++) {
        struct spec_peer *peer = &spec->peer[i];
        peer->line = v->line;
        peer->ip = peer->ip ? peer->ip : 0x0a000202;
        if (!peer->port)
            err =
                spec_fail(r, v, "peer %u: listen = PORT, or connect = PORT (of the guest)", i + 1);
    }
    return err;
}
