/* SPDX-License-Identifier: MIT */
/*
 * What the daemon says. An operation is quick and done by the loop, or may block
 * and is a job; either way it is answered once, with the same "seq".
 */
#include "denali/host/spec.h"
#include "denali/host/worker_private.h"

#include "emu/base/host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LIST_MAX 100000u

static uint64_t number(const json_t *o, const char *member)
{
    return (uint64_t)json_integer_value(json_object_get(o, member));
}

/* Takes `answer` over. */
static void answer(struct worker *w, const json_t *message, json_t *answer)
{
    json_t *seq = json_object_get(message, "seq");
    if (answer && seq)
        json_object_set_new(answer, "seq", json_copy(seq)); /* who sends it may be another thread */
    worker_post(w, answer);
}

static void refuse(struct worker *w, const json_t *message, const char *text)
{
    json_t *reason = json_string(text);
    answer(w, message, json_pack("{s:o}", "error", reason ? reason : json_string("refused")));
}

static void done(struct worker *w, const json_t *message)
{
    answer(w, message, json_pack("{s:b}", "ok", 1));
}

/* Jobs. A value of jansson's belongs to one thread: its count is no barrier. */

struct job {
    struct io_job io;
    struct worker *worker;
    json_t *message;
    void (*run)(struct worker *w, const json_t *message);
};

static void run_job(struct io_job *io)
{
    struct job *job = CONTAINER_OF(io, struct job, io);
    job->run(job->worker, job->message);
    json_decref(job->message);
    free(job);
}

static void begin_job(struct worker *w, json_t *message,
                      void (*run)(struct worker *w, const json_t *message))
{
    struct job *job = calloc(1, sizeof(*job));
    if (job) {
        *job = (struct job){{.run = run_job}, w, json_deep_copy(message), run};
        if (job->message && !io_pool_submit(w->jobs, &w->job_queue, &job->io))
            return;
        json_decref(job->message);
        free(job);
    }
    refuse(w, message, "the worker has no memory or threads left");
}

static void run_check(struct worker *w, const json_t *message)
{
    const json_t *spec = json_object_get(message, "spec");
    struct worker_machine machine;
    struct why why = {""};
    int count = 0;
    char **words = spec_words(spec, &count);
    int err = words ? w->config.wiring->open(count, words, &machine, &why)
                    : why_fail(&why, -ENOMEM, "no memory");
    spec_words_free(words);
    if (!err)
        w->config.wiring->close(&machine);
    if (err)
        refuse(w, message, why.text);
    else
        done(w, message);
}

static void note_failure(json_t *failed, uint64_t id, const char *why)
{
    json_t *text = json_string(why);
    json_array_append_new(failed, json_pack("{s:I, s:o}", "id", (json_int_t)id, "error",
                                            text ? text : json_string("refused")));
}

static void add_all(struct worker *w, const json_t *message, struct origin *origin,
                    struct network *network, json_t *failed)
{
    const json_t *spec = json_object_get(message, "spec"), *item;
    const json_t *list = json_object_get(message, "vms"), *tty = json_object_get(spec, "tty");
    for (size_t i = 0; i < json_array_size(list) && i < LIST_MAX; i++) {
        struct why why = {""};
        item = json_array_get(list, i);
        const char *name = spec_text(item, "name");
        const struct vm_wish wish = {.id = number(item, "id"),
                                     .run = number(item, "run"),
                                     .name = name ? name : "denali",
                                     .ip = (uint32_t)number(item, "ip"),
                                     .api_ip = (uint32_t)number(item, "api_ip"),
                                     .tty = !tty || json_is_true(tty),
                                     .spec = spec};
        if (worker_add(w, origin, network, &wish, &why))
            note_failure(failed, wish.id, why.text);
    }
}

/* A VM with the capability is told where the API is; a new reference. */
static json_t *spec_with_api(const json_t *message)
{
    json_t *spec = json_object_get(message, "spec");
    uint32_t ip = (uint32_t)number(json_array_get(json_object_get(message, "vms"), 0), "api_ip");
    char text[40];
    if (!ip)
        return json_incref(spec);
    spec = json_copy(spec);
    json_t *env =
        json_object_get(spec, "env") ? json_copy(json_object_get(spec, "env")) : json_array();
    snprintf(text, sizeof(text), "DENALI_API=%u.%u.%u.%u", ip >> 24, ip >> 16 & 255, ip >> 8 & 255,
             ip & 255);
    json_array_append_new(env, json_string(text));
    json_object_set_new(spec, "env", env);
    return spec;
}

static void run_start(struct worker *w, const json_t *message)
{
    json_t *spec = spec_with_api(message);
    struct origin *origin = NULL;
    struct network *network = NULL;
    struct why why = {""};
    json_t *failed = json_array();
    int err = network_open(w, message, spec, &network, &why);
    if (!err)
        err = origin_open(w, spec, &origin, &why);
    if (!err)
        add_all(w, message, origin, network, failed);
    if (origin)
        origin_release(w, origin);
    if (network)
        network_release(w, network);
    if (err) {
        json_decref(failed);
        refuse(w, message, why.text);
    } else {
        answer(w, message, json_pack("{s:b, s:o}", "ok", 1, "failed", failed));
    }
    json_decref(spec);
}

/* Keeps the VM from being removed while a job looks at it. */
static struct hosted *find_alive(struct worker *w, const json_t *message)
{
    host_lock_enter(&w->lock);
    struct hosted *h = worker_find(w, number(message, "vm"));
    bool alive = h && h->settled && !h->has_ended;
    if (alive)
        h->held++;
    host_lock_leave(&w->lock);
    return alive ? h : NULL;
}

static void let_go(struct worker *w, struct hosted *h)
{
    host_lock_enter(&w->lock);
    h->held--;
    if (worker_may_remove(h))
        worker_remove(w, h);
    host_lock_leave(&w->lock);
}

/* The VM stands still while its disks are copied. */
static int take_snapshot(struct hosted *h, const char *path, struct why *why)
{
    bool hold = disks_have_writable(h);
    int err = pool_snapshot(h->vm, path, hold, why);
    if (err || !hold)
        return err;
    err = disks_copy(h, path, why);
    pool_resume(h->vm);
    if (err) {
        disks_drop_copies(h, path);
        unlink(path);
    }
    return err;
}

static void run_snapshot(struct worker *w, const json_t *message)
{
    struct hosted *h = find_alive(w, message);
    const char *path = spec_text(message, "path");
    struct why why = {""};
    struct stat st = {0};
    if (!h || !path) {
        refuse(w, message, "the VM has ended");
        if (h)
            let_go(w, h);
        return;
    }
    int err = take_snapshot(h, path, &why);
    json_t *disks = disks_describe(h, path);
    let_go(w, h);
    if (!err)
        stat(path, &st);
    if (err) {
        json_decref(disks);
        refuse(w, message, why.text);
    } else {
        answer(
            w, message,
            json_pack("{s:b, s:I, s:o}", "ok", 1, "bytes", (json_int_t)st.st_size, "disks", disks));
    }
}

/* Quick ones. */

static json_t *figures(struct hosted *h)
{
    struct pool_figures f;
    pool_figures(h->vm, &f);
    return json_pack("{s:I, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "id",
                     (json_int_t)h->id, "name", h->name, "state", pool_state_name(f.state),
                     "cpu_ns", (json_int_t)f.run_ns, "slices", (json_int_t)f.slices,
                     "resident_bytes", (json_int_t)f.resident_bytes, "parked_bytes",
                     (json_int_t)f.parked_bytes, "frames_sent", (json_int_t)f.port.sent,
                     "frames_received", (json_int_t)f.port.received, "frames_dropped",
                     (json_int_t)f.port.dropped, "frames_forged", (json_int_t)f.port.forged,
                     "parks", (json_int_t)f.parks);
}

static void op_stats(struct worker *w, json_t *message)
{
    struct hosted *h = find_alive(w, message);
    if (!h) {
        refuse(w, message, "the VM has ended");
        return;
    }
    answer(w, message, figures(h));
    let_go(w, h);
}

static void op_all_stats(struct worker *w, json_t *message)
{
    json_t *list = json_array();
    host_lock_enter(&w->lock);
    for (unsigned i = 0; i < WORKER_BUCKETS; i++) {
        for (struct hosted *h = w->bucket[i]; h; h = h->next) {
            if (h->settled && !h->has_ended)
                json_array_append_new(list, figures(h));
        }
    }
    host_lock_leave(&w->lock);
    answer(w, message, json_pack("{s:o}", "vms", list));
}

static void op_hello(struct worker *w, json_t *message)
{
    json_t *list = json_array();
    host_lock_enter(&w->lock);
    for (unsigned i = 0; i < WORKER_BUCKETS; i++) {
        for (struct hosted *h = w->bucket[i]; h; h = h->next)
            json_array_append_new(
                list, json_pack("{s:I, s:I}", "id", (json_int_t)h->id, "run", (json_int_t)h->run));
    }
    w->news = true; /* the ends of those that have ended come after this */
    host_lock_leave(&w->lock);
    answer(w, message,
           json_pack("{s:i, s:i, s:o}", "pid", (int)getpid(), "version", 1, "vms", list));
}

static void op_ping(struct worker *w, json_t *message)
{
    struct pool_counters c;
    pool_count(w->pool, &c);
    answer(w, message,
           json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "alive",
                     (json_int_t)(c.vms - c.ended), "idle", (json_int_t)c.idle, "parked",
                     (json_int_t)c.parked, "windows", (json_int_t)c.windows, "used_bytes",
                     (json_int_t)c.used_bytes, "parked_bytes", (json_int_t)c.parked_bytes,
                     "swap_used_bytes", (json_int_t)c.swap_used_bytes, "swap_errors",
                     (json_int_t)c.swap_errors));
}

static void op_stop(struct worker *w, json_t *message)
{
    struct hosted *h = find_alive(w, message);
    if (h) {
        pool_signal(h->vm, DENALI_SIGNAL_TERMINATE);
        let_go(w, h);
    }
    done(w, message);
}

static void op_kill(struct worker *w, json_t *message)
{
    struct hosted *h = find_alive(w, message);
    if (h) {
        pool_kill(h->vm);
        let_go(w, h);
    }
    done(w, message);
}

/* Each character of the text is a byte. */
static size_t text_to_bytes(const char *text, size_t len, uint8_t *out)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c >= 0xc2 && c <= 0xc3 && i + 1 < len)
            c = (unsigned char)(c << 6 | (text[++i] & 0x3f));
        out[n++] = c;
    }
    return n;
}

static void op_input(struct worker *w, json_t *message)
{
    struct hosted *h = find_alive(w, message);
    const json_t *bytes = json_object_get(message, "bytes");
    size_t len = json_string_length(bytes);
    uint8_t *raw = json_is_string(bytes) ? malloc(len + 1) : NULL;
    if (!h || !raw) {
        refuse(w, message, h ? "no input" : "the VM has ended");
    } else {
        size_t n = text_to_bytes(json_string_value(bytes), len, raw);
        size_t taken = hub_type(h->hub, raw, n);
        answer(w, message,
               json_pack("{s:I, s:I}", "bytes", (json_int_t)n, "taken", (json_int_t)taken));
    }
    free(raw);
    if (h)
        let_go(w, h);
}

static void op_attach(struct worker *w, json_t *message, int fd)
{
    struct hosted *h = find_alive(w, message);
    int copy = h && fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : -1;
    int err = copy < 0 ? -EMFILE : hub_attach(h->hub, copy, number(message, "token"));
    if (err && copy >= 0)
        close(copy);
    if (!err)
        h->attached = true;
    if (err)
        refuse(w, message, h ? "no more consoles can be attached" : "the VM has ended");
    else
        done(w, message);
    if (h)
        let_go(w, h);
}

/* The daemon knows how it ended. */
static void op_forget(struct worker *w, json_t *message)
{
    host_lock_enter(&w->lock);
    struct hosted *h = worker_find(w, number(message, "vm"));
    if (h && h->run == number(message, "run") && h->has_ended && h->settled && !h->forgotten) {
        h->forgotten = true;
        h->forgotten_ns = host_monotonic_ns();
        if (worker_may_remove(h))
            worker_remove(w, h);
    }
    host_lock_leave(&w->lock);
}

/* A daemon that does not know it; it is forgotten when it has ended. */
static void op_discard(struct worker *w, json_t *message)
{
    struct hosted *h = find_alive(w, message);
    if (!h)
        return;
    pool_kill(h->vm);
    let_go(w, h);
}

static void op_quit(struct worker *w, json_t *message)
{
    uint64_t grace_s = number(message, "grace_s");
    w->quit = true;
    w->quit_ns = host_monotonic_ns() + (grace_s < 3600 ? grace_s : 3600) * 1000000000u;
    host_lock_enter(&w->lock);
    for (unsigned i = 0; i < WORKER_BUCKETS; i++) {
        for (struct hosted *h = w->bucket[i]; h; h = h->next) {
            if (h->settled && !h->has_ended)
                pool_signal(h->vm, DENALI_SIGNAL_TERMINATE);
        }
    }
    host_lock_leave(&w->lock);
    done(w, message);
}

static const struct {
    const char *name;
    void (*run)(struct worker *w, json_t *message);
    void (*job)(struct worker *w, const json_t *message);
} ops[] = {
    {"hello", op_hello, NULL},   {"ping", op_ping, NULL},
    {"check", NULL, run_check},  {"start", NULL, run_start},
    {"stop", op_stop, NULL},     {"kill", op_kill, NULL},
    {"stats", op_stats, NULL},   {"all-stats", op_all_stats, NULL},
    {"input", op_input, NULL},   {"snapshot", NULL, run_snapshot},
    {"forget", op_forget, NULL}, {"discard", op_discard, NULL},
    {"quit", op_quit, NULL},
};

static void dispatch(struct worker *w, json_t *message, int fd)
{
    const char *op = spec_text(message, "op");
    if (op && !strcmp(op, "attach")) {
        op_attach(w, message, fd);
        return;
    }
    for (size_t i = 0; op && i < ARRAY_LEN(ops); i++) {
        if (strcmp(op, ops[i].name))
            continue;
        if (ops[i].run)
            ops[i].run(w, message);
        else
            begin_job(w, message, ops[i].job);
        return;
    }
    refuse(w, message, "this worker does not know that operation");
}

void worker_take(struct worker *w, json_t *message, int fd)
{
    dispatch(w, message, fd);
    json_decref(message);
    if (fd >= 0)
        close(fd);
}
