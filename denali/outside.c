/* SPDX-License-Identifier: MIT */
/*
 * The gate. Exchanges are matched one by one: replaying, the next event of the tape
 * must be this kind of exchange at this count, with the same words from the guest; anything
 * else is a difference, which ends the VM with both sides named.
 *
 * Arrivals carry whether a delivery was due anyway when they came, because what arrives
 * before a delivery is in it and what arrives after it is not. So order within one count
 * of instructions is kept without a finer coordinate.
 */
#include "denali/outside.h"
#include "denali/vm_private.h"

#include "emu/base/host.h"
#include "emu/base/host_thread.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Counted time is compared with the host's after so many instructions. */
#define FOLLOW_INSNS 1000000u
/* Ahead of the host by this much: time slows down to a quarter. */
#define AHEAD_NS 100000000u
#define RATE_MIN (TIME_RATE_ONE / 16)
#define RATE_MAX (TIME_RATE_ONE * 8)
/* An exchange must come within so many instructions of where the tape has it. */
#define SLACK 4096u
/* Recording: how often sums are taken, at the least and by what they cost; how long events may be
 * kept back from the file. */
#define CHECK_NS 1000000000u
#define CHECK_SHARE 50u
#define FLUSH_NS 100000000u

static uint64_t now(const struct vm *vm)
{
    return vm->cpu->icount;
}

static void note(struct vm *vm, struct tape_event *e)
{
    if (vm->outside.mode != OUTSIDE_RECORD)
        return;
    e->icount = now(vm);
    e->due = tape_is_arrival(e) && vm->due;
    tape_put(vm->outside.tape, e);
    int err = tape_error(vm->outside.tape);
    if (err && vm_end_host(vm, err, "cannot go on with the recording"))
        vm->outside.mode = OUTSIDE_LIVE;
}

void outside_init(struct vm *vm, const struct vm_config *config)
{
    struct outside *o = &vm->outside;
    o->tape = config->tape;
    o->follows = vm->counted && !vm->deterministic && !vm->scripted;
    o->mode = !o->tape ? OUTSIDE_LIVE : config->replay ? OUTSIDE_REPLAY : OUTSIDE_RECORD;
}

static const char *kind_name(unsigned kind)
{
    static const char *const names[] = {[TAPE_WRITE] = "console output",
                                        [TAPE_READ] = "console input",
                                        [TAPE_MODE] = "terminal mode",
                                        [TAPE_SEND] = "frame out",
                                        [TAPE_RECEIVE] = "frame in",
                                        [TAPE_DISK] = "disk",
                                        [TAPE_NEWS] = "interrupts",
                                        [TAPE_READY] = "readiness",
                                        [TAPE_TIME] = "time",
                                        [TAPE_GATHER] = "delivery",
                                        [TAPE_CHECK] = "check",
                                        [TAPE_END] = "end"};
    return kind < ARRAY_LEN(names) && names[kind] ? names[kind] : "unknown event";
}

static void differ(struct vm *vm, const struct tape_event *is, const struct tape_event *was,
                   const char *what)
{
    struct outside *o = &vm->outside;
    int err = why_fail(&o->differs, -EPROTO,
                       "the replay differs from the recording at instruction %llu: %s%s (%s); "
                       "recorded: %s at %llu",
                       (unsigned long long)now(vm), kind_name(is->kind), what,
                       vm->engine->ops->name, was ? kind_name(was->kind) : "nothing more",
                       was ? (unsigned long long)was->icount : 0);
    vm->end.why = o->differs;
    if (err)
        vm_end_with(vm, VM_END_HOST);
}

/* Arrivals take effect. */

static void apply_news(struct vm *vm, const struct tape_event *e)
{
    vm->raised |= (uint32_t)e->a;
    vm->raised_signals |= (uint32_t)e->b;
    if (e->len == 8) {
        memcpy(&vm->window[0], e->data, 4);
        memcpy(&vm->window[1], e->data + 4, 4);
    }
}

static void apply_ready(struct vm *vm, unsigned device, short revents)
{
    struct vdev *dev = device < vm->devices ? vm->device[device] : NULL;
    if (dev && dev->ops->ready)
        dev->ops->ready(dev, revents);
}

static void apply_check(struct vm *vm, const struct tape_event *e)
{
    uint64_t sum;
    if (now(vm) < vm->outside.checked_icount)
        return; /* been here */
    vm->outside.checked_icount = now(vm);
    if (vm_state_sum(vm, &sum) || sum != e->sum)
        differ(vm, e, e, ": the state is another one");
    else
        vm->outside.checks++;
}

static void apply(struct vm *vm, const struct tape_event *e)
{
    struct outside *o = &vm->outside;
    switch (e->kind) {
    case TAPE_NEWS:
        apply_news(vm, e);
        break;
    case TAPE_READY:
        apply_ready(vm, e->device, (short)e->a);
        break;
    case TAPE_TIME:
        if (e->a < 0 || e->b < (int64_t)RATE_MIN || e->b > (int64_t)RATE_MAX)
            differ(vm, e, e, ": impossible");
        else
            vm_time_jump(vm, (uint64_t)e->a, (uint64_t)e->b);
        break;
    case TAPE_CHECK:
        apply_check(vm, e);
        return;
    case TAPE_END:
        o->over = true;
        return;
    case TAPE_MARK:
        return;
    default:
        differ(vm, e, e, ": unknown");
        return;
    }
    o->news = true;
}

/* Exchanges. */

/* Replaying: true, and *e as it was. What arrived while the VM stood in the middle of this
 * exchange comes first. */
static bool recall(struct vm *vm, struct tape_event *e)
{
    struct tape_event was;
    struct outside *o = &vm->outside;
    if (o->mode != OUTSIDE_REPLAY)
        return false;
    bool more = tape_peek(o->tape, &was);
    while (more && tape_is_arrival(&was) && was.icount == now(vm) && was.kind != TAPE_GATHER &&
           !o->over) {
        tape_next(o->tape);
        apply(vm, &was);
        more = tape_peek(o->tape, &was);
    }
    if (!more || o->over) {
        o->over = true;
        e->a = -EAGAIN;
        return true;
    }
    if (was.kind != e->kind || was.icount != now(vm) || was.device != e->device) {
        differ(vm, e, &was, "");
        e->a = -EIO;
        return true;
    }
    if (was.sum != e->sum && was.kind != TAPE_DISK)
        differ(vm, e, &was, ": the guest says something else");
    tape_next(o->tape);
    *e = was;
    return true;
}

static uint64_t sum_for(const struct vm *vm, const void *data, size_t len)
{
    return vm->outside.mode == OUTSIDE_LIVE ? 0 : tape_sum(data, len) ^ len;
}

/* What the guest wrote when this was recorded is shown once, however often it is replayed. */
static void show(struct vm *vm, unsigned stream, const uint8_t *data, int64_t len)
{
    struct console_backend *console = vm->console;
    if (!console || len <= 0 || now(vm) <= vm->outside.shown_icount)
        return;
    vm->outside.shown_icount = now(vm);
    for (int tries = 0; len > 0 && tries < 1000;) {
        int64_t n = console->ops->write(console, stream, data, (size_t)len);
        struct pollfd p = {.fd = console->ops->out_fd(console, stream), .events = POLLOUT};
        if (n == -EAGAIN && host_poll(&p, 1, 10000000u) >= 0) {
            tries++;
            continue;
        }
        if (n <= 0)
            return;
        data += n;
        len -= n;
    }
}

int64_t outside_write(struct vm *vm, unsigned stream, const void *data, size_t len)
{
    struct console_backend *b = vm->console;
    struct tape_event e = {.kind = TAPE_WRITE, .device = (uint8_t)stream};
    e.sum = sum_for(vm, data, len);
    if (recall(vm, &e)) {
        if (e.a > (int64_t)len)
            e.a = (int64_t)len;
        show(vm, stream, data, e.a);
        return e.a;
    }
    e.a = b ? b->ops->write(b, stream, data, len) : (int64_t)len;
    note(vm, &e);
    if (vm->outside.shown_icount != UINT64_MAX)
        vm->outside.shown_icount = now(vm);
    return e.a;
}

/* The bytes of an exchange that was recalled, as many as there is room for. */
static int64_t recalled(const struct tape_event *e, void *to, size_t room)
{
    if (e->a <= 0)
        return e->a;
    if ((uint64_t)e->a != e->len || e->len > room)
        return -EIO;
    memcpy(to, e->data, e->len);
    return e->a;
}

int64_t outside_read(struct vm *vm, void *to, size_t room, bool *ended)
{
    struct console_backend *b = vm->console;
    struct tape_event e = {.kind = TAPE_READ};
    if (recall(vm, &e)) {
        *ended = e.b != 0;
        return recalled(&e, to, room);
    }
    e.a = b ? b->ops->read(b, to, room) : 0;
    e.b = !b || b->ops->ended(b);
    e.data = to;
    e.len = e.a > 0 ? (uint32_t)e.a : 0;
    note(vm, &e);
    *ended = e.b != 0;
    return e.a;
}

int outside_set_mode(struct vm *vm, unsigned mode)
{
    struct console_backend *b = vm->console;
    struct tape_event e = {.kind = TAPE_MODE, .b = mode};
    if (recall(vm, &e))
        return (int)e.a;
    e.a = b ? b->ops->set_mode(b, mode) : -ENOTTY;
    note(vm, &e);
    return (int)e.a;
}

static uint8_t index_of(const struct vdev *dev)
{
    uint8_t i = 0;
    while (i < dev->vm->devices && dev->vm->device[i] != dev)
        i++;
    return i;
}

int outside_send(struct vdev *dev, struct net_backend *net, const void *frame, size_t len)
{
    struct tape_event e = {.kind = TAPE_SEND, .device = index_of(dev)};
    e.sum = sum_for(dev->vm, frame, len);
    if (!recall(dev->vm, &e)) {
        e.a = net ? net->ops->send(net, frame, len) : -EPIPE;
        note(dev->vm, &e);
    }
    if (dev->vm->trace)
        trace_frame(dev->vm->trace, dev->vm->cpu, index_of(dev), true, frame, len, e.a);
    return (int)e.a;
}

static int receive(struct vdev *dev, struct net_backend *net, void *frame, size_t room)
{
    struct tape_event e = {.kind = TAPE_RECEIVE, .device = index_of(dev)};
    if (recall(dev->vm, &e))
        return (int)recalled(&e, frame, room);
    e.a = net ? net->ops->receive(net, frame, room) : -EPIPE;
    e.data = frame;
    e.len = e.a > 0 ? (uint32_t)e.a : 0;
    note(dev->vm, &e);
    return (int)e.a;
}

int outside_receive(struct vdev *dev, struct net_backend *net, void *frame, size_t room)
{
    int n = receive(dev, net, frame, room);
    if (dev->vm->trace && n > 0)
        trace_frame(dev->vm->trace, dev->vm->cpu, index_of(dev), false, frame, (size_t)n, n);
    return n;
}

/* Disks. What was read is on the tape, so a replay needs no disk. */

static int do_disk(const struct outside_disk *q, struct iovec *iov)
{
    if (!q->disk)
        return -EIO;
    switch (q->op) {
    case DENALI_DISK_READ:
        return disk_read(q->disk, q->block, iov, q->count, q->nowait);
    case DENALI_DISK_WRITE:
        return disk_write(q->disk, q->block, iov, q->count);
    default:
        return disk_flush(q->disk);
    }
}

static uint64_t sum_of_blocks(const struct outside_disk *q)
{
    uint64_t sum = q->op;
    for (unsigned i = 0; i < q->count; i++)
        sum = sum * 31 + tape_sum(q->iov[i].iov_base, q->iov[i].iov_len);
    return sum;
}

static int recall_disk(struct vm *vm, const struct outside_disk *q, const struct tape_event *e)
{
    bool read = q->op == DENALI_DISK_READ && e->a == 0;
    if (e->b != (int64_t)q->block || (read && e->len != q->count * DENALI_BLOCK) ||
        (q->op == DENALI_DISK_WRITE && e->sum != sum_of_blocks(q))) {
        differ(vm, e, e, ": another request");
        return -EIO;
    }
    for (unsigned i = 0; read && i < q->count; i++)
        memcpy(q->iov[i].iov_base, e->data + (size_t)i * DENALI_BLOCK, DENALI_BLOCK);
    return (int)e->a;
}

static int note_read(struct vm *vm, const struct outside_disk *q, struct tape_event *e)
{
    uint8_t *copy = malloc((size_t)q->count * DENALI_BLOCK);
    if (!copy)
        return vm_end_host(vm, -ENOMEM, "cannot go on with the recording");
    for (unsigned i = 0; i < q->count; i++)
        memcpy(copy + (size_t)i * DENALI_BLOCK, q->iov[i].iov_base, DENALI_BLOCK);
    e->data = copy;
    e->len = q->count * DENALI_BLOCK;
    note(vm, e);
    free(copy);
    return 0;
}

int outside_disk(struct vdev *dev, const struct outside_disk *q)
{
    struct iovec used[DENALI_DISK_QUEUE];
    struct vm *vm = dev->vm;
    struct tape_event e = {.kind = TAPE_DISK, .device = index_of(dev), .b = (int64_t)q->block};
    memcpy(used, q->iov, q->count * sizeof(used[0]));
    if (vm->outside.mode == OUTSIDE_LIVE)
        return do_disk(q, used);
    if (recall(vm, &e))
        return recall_disk(vm, q, &e);
    if (q->op == DENALI_DISK_WRITE)
        e.sum = sum_of_blocks(q);
    e.a = do_disk(q, used);
    if (q->op == DENALI_DISK_READ && e.a == 0)
        return note_read(vm, q, &e);
    note(vm, &e);
    return (int)e.a;
}

/* Arrivals. */

static void arrive(struct vm *vm, struct tape_event *e)
{
    note(vm, e);
    apply(vm, e);
}

void outside_ready(struct vm *vm, unsigned device, short revents)
{
    struct tape_event e = {.kind = TAPE_READY, .device = (uint8_t)device, .a = revents};
    if (vm->outside.mode != OUTSIDE_REPLAY)
        arrive(vm, &e);
}

static void jump(struct vm *vm, uint64_t ns, uint64_t rate)
{
    struct tape_event e = {.kind = TAPE_TIME, .a = (int64_t)ns, .b = (int64_t)rate};
    if (vm->outside.mode != OUTSIDE_REPLAY && (ns || rate != vm->time.rate))
        arrive(vm, &e);
}

/* How far the guest's time is behind the host's; negative: ahead. */
static int64_t behind(const struct vm *vm, uint64_t host_ns)
{
    const struct outside *o = &vm->outside;
    uint64_t want = o->seen_guest_ns + (host_ns - o->seen_host_ns);
    return (int64_t)(want - clock_now_ns(vm->clock));
}

/* The measured speed, less what makes up for being ahead. */
static uint64_t new_rate(const struct vm *vm, uint64_t host_ns, int64_t ahead)
{
    uint64_t insns = now(vm) - vm->outside.seen_icount, ran = host_ns - vm->outside.seen_host_ns;
    uint64_t rate = (uint64_t)((unsigned __int128)ran * TIME_RATE_ONE / insns);
    if (ahead > AHEAD_NS * 3 / 4)
        ahead = AHEAD_NS * 3 / 4;
    if (ahead > 0)
        rate -= (uint64_t)((unsigned __int128)rate * (uint64_t)ahead / AHEAD_NS);
    rate &= ~(uint64_t)0xffff; /* small numbers on the tape */
    return rate < RATE_MIN ? RATE_MIN : rate > RATE_MAX ? RATE_MAX : rate;
}

static void seen(struct vm *vm, uint64_t host_ns, uint64_t guest_ns)
{
    vm->outside.seen_icount = now(vm);
    vm->outside.seen_host_ns = host_ns;
    vm->outside.seen_guest_ns = guest_ns;
}

void outside_rebase(struct vm *vm)
{
    seen(vm, host_monotonic_ns(), clock_now_ns(vm->clock));
}

/* After running for a while. `seen_guest_ns` stays the time that is wanted. */
static void follow(struct vm *vm)
{
    struct outside *o = &vm->outside;
    if (!o->follows || now(vm) - o->seen_icount < FOLLOW_INSNS)
        return;
    uint64_t host_ns = host_monotonic_ns();
    int64_t late = behind(vm, host_ns);
    uint64_t want = clock_now_ns(vm->clock) + (uint64_t)late;
    uint64_t rate = new_rate(vm, host_ns, -late);
    jump(vm, late > 0 ? (uint64_t)late : 0, rate);
    seen(vm, host_ns, want);
}

static void flush_sometimes(struct vm *vm, uint64_t host_ns)
{
    struct outside *o = &vm->outside;
    if (o->mode != OUTSIDE_RECORD || host_ns - o->flushed_ns < FLUSH_NS)
        return;
    o->flushed_ns = host_ns;
    tape_flush(o->tape);
}

void outside_slept(struct vm *vm, uint64_t ns)
{
    struct outside *o = &vm->outside;
    if (o->mode == OUTSIDE_REPLAY)
        return;
    if (!o->follows) {
        jump(vm, ns, vm->time.rate);
        return;
    }
    uint64_t host_ns = host_monotonic_ns();
    int64_t late = behind(vm, host_ns);
    uint64_t want = clock_now_ns(vm->clock) + (uint64_t)late;
    jump(vm, late > 0 ? (uint64_t)late : 0, vm->time.rate);
    seen(vm, host_ns, want);
    flush_sometimes(vm, host_ns);
}

void outside_skip(struct vm *vm, uint64_t ns)
{
    jump(vm, ns, vm->time.rate);
}

static void take_news(struct vm *vm)
{
    uint8_t size[8];
    uint32_t bits = atomic_exchange(&vm->arrived, 0);
    unsigned columns = 0, rows = 0;
    struct tape_event e = {.kind = TAPE_NEWS, .a = bits, .data = size};
    if (!bits)
        return;
    if (bits & DENALI_IRQ_SIGNAL)
        e.b = atomic_exchange(&vm->arrived_signals, 0);
    if ((bits & DENALI_IRQ_CONSOLE) && vm->console &&
        vm->console->ops->size(vm->console, &columns, &rows)) {
        memcpy(size, &columns, 4);
        memcpy(size + 4, &rows, 4);
        e.len = 8;
    }
    arrive(vm, &e);
}

void outside_start_checks(struct vm *vm)
{
    vm->outside.keeps_checks = true;
    vm->outside.next_check_ns = host_monotonic_ns() + CHECK_NS;
}

static void take_check(struct vm *vm, uint64_t host_ns)
{
    uint64_t sum;
    if (vm_state_sum(vm, &sum))
        return;
    outside_note_check(vm, sum);
    uint64_t end = host_monotonic_ns(), cost = (end - host_ns) * CHECK_SHARE;
    vm->outside.next_check_ns = end + (cost > CHECK_NS ? cost : CHECK_NS);
}

static void look_after_tape(struct vm *vm)
{
    struct outside *o = &vm->outside;
    if (o->mode != OUTSIDE_RECORD || now(vm) - o->looked_icount < FOLLOW_INSNS)
        return;
    uint64_t host_ns = host_monotonic_ns();
    o->looked_icount = now(vm);
    if (o->keeps_checks && host_ns >= o->next_check_ns)
        take_check(vm, host_ns);
    flush_sometimes(vm, host_ns);
}

static bool let_in_recorded(struct vm *vm)
{
    struct outside *o = &vm->outside;
    struct tape_event e;
    while (!o->over && tape_peek(o->tape, &e)) {
        if (!tape_is_arrival(&e) || e.icount != now(vm) || e.due != vm->due)
            break;
        tape_next(o->tape);
        if (e.kind == TAPE_GATHER)
            return true;
        apply(vm, &e);
    }
    return false;
}

bool outside_let_in(struct vm *vm)
{
    struct tape_event e = {.kind = TAPE_GATHER};
    if (vm->outside.mode == OUTSIDE_REPLAY)
        return let_in_recorded(vm);
    if (atomic_load(&vm->arrived))
        take_news(vm);
    follow(vm);
    look_after_tape(vm);
    if (vm->outside.news)
        note(vm, &e);
    return vm->outside.news;
}

void outside_check_progress(struct vm *vm)
{
    struct outside *o = &vm->outside;
    struct tape_event e;
    if (o->mode != OUTSIDE_REPLAY || o->over || vm->due || !tape_peek(o->tape, &e))
        return;
    struct tape_place place = tape_tell(o->tape);
    if (place.chunk == o->stuck.chunk && place.at == o->stuck.at)
        differ(vm, &e, &e, ": out of order");
    o->stuck = place;
}

bool outside_waits(struct vm *vm)
{
    struct outside *o = &vm->outside;
    struct tape_event e;
    if (o->over || !tape_peek(o->tape, &e)) {
        o->over = true;
        return true;
    }
    return e.icount != now(vm);
}

/* Exchanges come by themselves. */
uint64_t outside_limit(const struct vm *vm)
{
    struct tape_event e;
    if (vm->outside.mode != OUTSIDE_REPLAY)
        return ENGINE_UNLIMITED;
    if (vm->outside.over || !tape_peek(vm->outside.tape, &e))
        return 0;
    uint64_t left = e.icount > now(vm) ? e.icount - now(vm) : 0;
    return tape_is_arrival(&e) ? left : left + SLACK;
}

void outside_go_live(struct vm *vm, bool record)
{
    struct outside *o = &vm->outside;
    if (o->tape)
        tape_cut(o->tape);
    o->mode = record ? OUTSIDE_RECORD : OUTSIDE_LIVE;
    o->over = false;
    if (o->shown_icount != UINT64_MAX)
        o->shown_icount = now(vm);
    outside_rebase(vm);
}

void outside_note_check(struct vm *vm, uint64_t sum)
{
    struct tape_event e = {.kind = TAPE_CHECK, .sum = sum};
    note(vm, &e);
}

void outside_note_mark(struct vm *vm)
{
    struct tape_event e = {.kind = TAPE_MARK};
    note(vm, &e);
}

void outside_note_end(struct vm *vm)
{
    struct tape_event e = {.kind = TAPE_END, .a = vm->end.reason};
    note(vm, &e);
}
