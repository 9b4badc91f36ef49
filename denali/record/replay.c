/* SPDX-License-Identifier: MIT */
/* The driver of a replay: makes the VM, runs it, and says at the end whether it was the same. */
#include "denali/record/replay.h"
#include "denali/vm_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct replay {
    struct recording *recording;
    struct vm *vm;
    struct vm_resource resource[DENALI_MAX_DEVICES];
    unsigned resources;
    struct why why;
};

static const struct vm_resource *given(const struct replay_config *c, const struct record_device *d)
{
    for (unsigned i = 0; i < c->resources; i++) {
        const struct vm_resource *r = &c->resource[i];
        if (r->kind == d->kind && (!r->name || !strcmp(r->name, d->name)))
            return r;
    }
    return NULL;
}

/* What is not given exists on the tape alone. */
static void make_resources(struct replay *r, const struct replay_config *c)
{
    const struct record_info *info = recording_info(r->recording);
    for (unsigned i = 0; i < info->devices; i++) {
        const struct record_device *d = &info->device[i];
        const struct vm_resource *have = given(c, d);
        if (d->kind != DENALI_DEV_NIC && d->kind != DENALI_DEV_DISK)
            continue;
        r->resource[r->resources++] = (struct vm_resource){.kind = d->kind,
                                                           .name = d->name,
                                                           .net = have ? have->net : NULL,
                                                           .disk = have ? have->disk : NULL,
                                                           .disk_bytes = d->bytes,
                                                           .disk_readonly = d->readonly};
    }
}

static int make_vm(struct replay *r, const struct replay_config *c, struct why *why)
{
    const struct record_info *info = recording_info(r->recording);
    struct vm_config config = {.image = c->image,
                               .snapshot = recording_snapshot(r->recording),
                               .engine = c->engine,
                               .console = c->console,
                               .resource = r->resource,
                               .resources = r->resources,
                               .one_by_one = info->one_by_one,
                               .deterministic = info->deterministic,
                               .tape = recording_tape(r->recording),
                               .replay = true,
                               .hooks = c->hooks,
                               .hooks_opaque = c->hooks_opaque};
    int err = vm_create(&config, &r->vm, why);
    if (!err && !c->show)
        r->vm->outside.shown_icount = UINT64_MAX;
    return err;
}

int replay_create(const char *folder, const struct replay_config *config, struct replay **out,
                  struct why *why)
{
    struct replay *r = calloc(1, sizeof(*r));
    if (!r)
        return why_fail(why, -ENOMEM, "no memory");
    int err = recording_open(folder, &r->recording, why);
    if (!err) {
        make_resources(r, config);
        err = make_vm(r, config, why);
    }
    if (err)
        replay_destroy(r);
    else
        *out = r;
    return err;
}

void replay_destroy(struct replay *r)
{
    if (!r)
        return;
    vm_destroy(r->vm);
    recording_close(r->recording);
    free(r);
}

struct vm *replay_vm(struct replay *r)
{
    return r->vm;
}

const struct recording *replay_recording(const struct replay *r)
{
    return r->recording;
}

static enum replay_result differ(struct replay *r, const char *what)
{
    int err = why_fail(&r->why, -EPROTO, "the replay differs from the recording %s", what);
    return err ? REPLAY_DIFFERS : REPLAY_SAME;
}

/* The VM has ended by itself: what is left on the tape is the last sum and the end. */
static enum replay_result compare_end(struct replay *r)
{
    struct tape_event e;
    struct tape *tape = recording_tape(r->recording);
    uint64_t sum;
    while (tape_peek(tape, &e)) {
        tape_next(tape);
        if (e.kind == TAPE_CHECK && e.icount == r->vm->cpu->icount) {
            if (vm_state_sum(r->vm, &sum) || sum != e.sum)
                return differ(r, "in the state at the end");
            r->vm->outside.checks++;
        } else if (e.kind == TAPE_END && e.icount == r->vm->cpu->icount) {
            return e.a == (int64_t)r->vm->end.reason ? REPLAY_SAME : differ(r, "in how it ends");
        } else {
            return differ(r, "in that the guest ends here");
        }
    }
    return recording_damage(r->recording)[0] ? REPLAY_CUT : differ(r, "in that it ends");
}

static enum replay_result judge_end(struct replay *r)
{
    if (r->vm->outside.differs.text[0])
        return REPLAY_DIFFERS;
    switch (r->vm->end.reason) {
    case VM_END_EXIT:
    case VM_END_FAULT:
    case VM_END_KILLED:
        return compare_end(r);
    case VM_END_DIVERGED:
        return differ(r, "in that the engines differ");
    case VM_END_REJECTED:
        return differ(r, "in that a translation was refused");
    default:
        return differ(r, r->vm->end.why.text);
    }
}

enum replay_result replay_run(struct replay *r, uint64_t until)
{
    struct cpu *cpu = r->vm->cpu;
    while (cpu->icount < until) {
        switch (vm_run(r->vm, until == UINT64_MAX ? until : until - cpu->icount)) {
        case VM_REPLAYED:
            return recording_damage(r->recording)[0] ? REPLAY_CUT : REPLAY_SAME;
        case VM_ENDED:
            return judge_end(r);
        case VM_STOPPED:
            return REPLAY_STOPPED;
        case VM_BREAKPOINT:
            return REPLAY_BREAKPOINT;
        default:
            break; /* the tape brings it on */
        }
    }
    return REPLAY_REACHED;
}

const char *replay_why(const struct replay *r)
{
    return r->vm->outside.differs.text[0] ? r->vm->outside.differs.text : r->why.text;
}

uint64_t replay_checks(const struct replay *r)
{
    return r->vm->outside.checks;
}
