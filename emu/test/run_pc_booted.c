/* SPDX-License-Identifier: MIT */
/*
 * Tests of a PC often begin with the same boot: the same machine, of which the same things are
 * waited for until something is done to it for the first time. There its whole state is kept; the
 * next such test begins with it.
 *
 * Invariant: this changes how long a test takes, and nothing else that anybody could see. So
 * nothing is kept of a machine whose time is the host's, whose way there is looked at (places), or
 * that writes to files that stay.
 */
#include "emu/test/run_pc_private.h"

#include "emu/cpu/cpu.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LEAST_INSTRUCTIONS 3000000u /* a shorter boot is as fast as a copy of its memory */
#define MOST_BYTES (GIB)

/* ---- the key ---- */

static void put_text(struct buffer *b, const char *text)
{
    buffer_put_number(b, text != NULL);
    if (text)
        buffer_put_bytes(b, text, strlen(text));
}

static void put_machine(const struct run *run, struct buffer *b)
{
    const struct pc_options *o = &run->pc->options;
    const char *const texts[] = {
        o->memory, o->machine, o->cpu,   o->bios,  o->vgabios, o->kernel,
        o->initrd, o->append,  o->cdrom, o->boot,  o->nic,     o->fd[0],
        o->fd[1],  o->hd[0],   o->hd[1], o->hd[2], o->hd[3],   run->pc->engine_name};
    for (unsigned i = 0; i < ARRAY_LEN(texts); i++)
        put_text(b, texts[i]);
    buffer_put_number(b, o->exit_port);
}

/* All before the step that acts first, and what that one waits for. */
static void put_waits(const struct run *run, struct buffer *b)
{
    for (unsigned i = 0; i <= run->pc->boot_step; i++) {
        const struct spec_step *s = &run->spec->step[i];
        buffer_put_number(b, s->after.data != NULL);
        buffer_put_bytes(b, s->after.data, s->after.len);
        buffer_put_number(b, s->has_at);
        buffer_put_number(b, s->at_ns);
        buffer_put_number(b, s->delay_ns);
    }
}

static bool stays(const char *spec)
{
    return spec && !strstr(spec, ",snapshot") && !strstr(spec, ",ro");
}

/* Whether it may be kept at all. */
static bool is_fit(const struct run *run)
{
    const struct pc_options *o = &run->pc->options;
    bool fit = o->deterministic && !run->wish->fresh && !run->places && !run->net &&
               run->pc->boot_step < run->spec->steps && strcmp(run->pc->engine_name, "lockstep");
    for (unsigned i = 0; i < PC_DRIVES; i++)
        fit = fit && !stays(o->hd[i]);
    return fit && !stays(o->fd[0]) && !stays(o->fd[1]);
}

static unsigned first_act(const struct spec *spec)
{
    unsigned i = 0;
    while (i < spec->steps && !spec->step[i].act)
        i++;
    return i;
}

/* Empty: it may not be kept. */
static void make_key(const struct run *run, struct buffer *key)
{
    if (!is_fit(run))
        return;
    put_machine(run, key);
    put_waits(run, key);
    if (key->failed)
        buffer_clear(key);
}

/* ---- the rest ---- */

static void save_rest(struct run *run, struct buffer *to)
{
    const struct run_pc *p = run->pc;
    const struct script *s = &run->script;
    const uint64_t numbers[] = {p->state, p->turns, p->next_key_ns, s->step, s->heard, s->since_ns};
    for (unsigned i = 0; i < ARRAY_LEN(numbers); i++)
        buffer_put_number(to, numbers[i]);
    buffer_put_bytes(to, s->seen.data, s->seen.len);
    buffer_put_bytes(to, run->out->serial.data, run->out->serial.len);
    buffer_put_bytes(to, run->out->out.data, run->out->out.len);
    put_text(to, p->screen);
}

static void load_rest(struct run *run, struct buffer_reader *from)
{
    struct run_pc *p = run->pc;
    struct script *s = &run->script;
    struct buffer screen = {0};
    p->state = (enum pc_state)buffer_get_number(from);
    p->turns = (unsigned)buffer_get_number(from);
    p->next_key_ns = buffer_get_number(from);
    s->step = (unsigned)buffer_get_number(from);
    s->heard = buffer_get_number(from);
    s->since_ns = buffer_get_number(from);
    buffer_get_bytes(from, &s->seen);
    buffer_get_bytes(from, &run->out->serial);
    buffer_get_bytes(from, &run->out->out);
    if (buffer_get_number(from)) {
        buffer_get_bytes(from, &screen);
        p->screen = strdup(buffer_string(&screen));
    }
    buffer_free(&screen);
}

/* ---- keeping ---- */

static int add_state(void *opaque, void *data, size_t len)
{
    struct buffer *b = opaque;
    if (b->len + len > MOST_BYTES)
        return -EFBIG;
    buffer_add(b, data, len);
    return b->failed ? -ENOMEM : 0;
}

static void keep(struct run *run, struct buffer *key)
{
    struct booted *b = booted_new(&run->runner->booted);
    const struct pc_stream to = {add_state, &b->state};
    struct why ignored;
    int err = pc_save(run->pc->pc, &to, &ignored);
    err = err ? err : run_pc_save_disks(run, &b->rest);
    save_rest(run, &b->rest);
    b->instructions = run->cpu->icount;
    buffer_add(&b->key, key->data, key->len);
    if (err || b->rest.failed || b->key.failed)
        booted_drop(b); /* then everybody boots by himself */
}

void run_pc_keep(struct run *run)
{
    struct run_pc *p = run->pc;
    struct buffer key = {0};
    if (p->is_booted || run->script.step != p->boot_step)
        return;
    p->is_booted = true;
    if (!run->wish->alone && run->cpu->icount >= LEAST_INSTRUCTIONS)
        make_key(run, &key);
    if (key.len)
        keep(run, &key);
    buffer_free(&key);
}

/* ---- going on ---- */

static int take_state(void *opaque, void *data, size_t len)
{
    struct buffer_reader *r = opaque;
    if ((size_t)(r->end - r->at) < len)
        return -EBADMSG;
    memcpy(data, r->at, len);
    r->at += len;
    return 0;
}

static int go_on(struct run *run, const struct booted *b)
{
    struct buffer_reader state = {b->state.data, b->state.data + b->state.len, false};
    struct buffer_reader rest = {b->rest.data, b->rest.data + b->rest.len, false};
    const struct pc_stream from = {take_state, &state};
    int err = pc_load(run->pc->pc, &from, &run->why);
    if (!err && run_pc_load_disks(run, &rest))
        err = why_fail(&run->why, -EIO, "a disk cannot be put back to what it was after booting");
    if (err)
        return err;
    load_rest(run, &rest);
    BUG_ON(rest.bad || rest.at != rest.end, "a booted machine that is not whole");
    run->pc->is_booted = true;
    run->out->booted = true;
    return 0;
}

/* A test whose limits end it before that has not come so far. */
static bool is_within(const struct run *run, const struct booted *b)
{
    return b->instructions < run->spec->max_instructions && b->rest.len < run->spec->max_output;
}

int run_pc_resume(struct run *run)
{
    struct buffer key = {0};
    run->pc->boot_step = first_act(run->spec);
    make_key(run, &key);
    const struct booted *b = booted_find(&run->runner->booted, &key);
    buffer_free(&key);
    return b && is_within(run, b) ? go_on(run, b) : 0;
}
