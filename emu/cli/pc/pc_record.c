/* SPDX-License-Identifier: MIT */
/*
 * The folder: `options`, a line, the working folder and words, each with a NUL behind it; `cmos`,
 * where the machine was given one;
 * `tape`, chunks of events behind a head with length, count and sum each. Chunks are
 * appended as they fill and every tenth of a second, so who is killed leaves
 * everything but its last moments.
 */
#include "emu/cli/pc/pc_record.h"

#include "denali/record/tape.h"
#include "emu/base/host.h"
#include "emu/cli/pc/pc_snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST_LINE "denali pc recording 1\n"
#define MAGIC 0x43505444u /* "DTPC" */
#define FLUSH_NS UINT64_C(100000000)
#define CHECK_NS UINT64_C(5000000000)
#define MAX_OPTIONS (256 * KIB)
#define MAX_CHUNK (4 * MIB)
#define CMOS_BYTES 256u

struct chunk_head {
    uint32_t magic, len;
    uint64_t icount, sum;
};

struct pc_record {
    struct gate gate;
    struct tape *tape;
    struct tape_sink sink;
    struct pc *pc;
    int fd, error;
    uint64_t flushed_ns, checked_ns;
    unsigned checks;
    bool differs, ended;
    char *folder;    /* of one that is made */
    uint8_t *cmos;   /* of one that was opened; NULL: none */
    char *options;   /* likewise */
    uint8_t *chunks; /* likewise: the tape's file */
    char **argv;
    int argc;
};

static struct pc_record *of_gate(struct gate *gate)
{
    return CONTAINER_OF(gate, struct pc_record, gate);
}

static void on_put(struct gate *gate, const struct gate_event *e)
{
    const struct tape_event event = {.kind = e->kind,
                                     .device = e->device,
                                     .icount = e->icount,
                                     .a = e->a,
                                     .b = (int64_t)e->now_ns,
                                     .sum = e->sum,
                                     .data = e->data,
                                     .len = e->len};
    tape_put(of_gate(gate)->tape, &event);
}

static bool on_peek(struct gate *gate, struct gate_event *out)
{
    struct tape_event e;
    if (!tape_peek(of_gate(gate)->tape, &e))
        return false;
    *out = (struct gate_event){.kind = e.kind,
                               .device = e.device,
                               .icount = e.icount,
                               .a = e.a,
                               .now_ns = (uint64_t)e.b,
                               .sum = e.sum,
                               .data = e.data,
                               .len = e.len};
    return true;
}

static void on_next(struct gate *gate)
{
    tape_next(of_gate(gate)->tape);
}

static bool on_check(struct gate *gate, const struct gate_event *e)
{
    struct pc_record *r = of_gate(gate);
    struct why why;
    uint64_t sum;
    r->ended |= e->kind == GATE_END;
    if (pc_state_hash(r->pc, &sum, &why) || sum != e->sum) {
        r->differs = true;
        return false;
    }
    r->checks++;
    return true;
}

static int write_all(int fd, const void *data, size_t len)
{
    const uint8_t *at = data;
    while (len) {
        ssize_t n = write(fd, at, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        at += n;
        len -= (size_t)n;
    }
    return 0;
}

static int on_chunk(struct tape_sink *sink, uint64_t icount, const uint8_t *data, size_t len)
{
    struct pc_record *r = CONTAINER_OF(sink, struct pc_record, sink);
    const struct chunk_head head = {MAGIC, (uint32_t)len, icount, tape_sum(data, len)};
    int err = write_all(r->fd, &head, sizeof(head));
    return err ? err : write_all(r->fd, data, len);
}

static int path_in(char *out, size_t room, const char *folder, const char *name)
{
    int n = snprintf(out, room, "%s/%s", folder, name);
    return n > 0 && (size_t)n < room ? 0 : -ENAMETOOLONG;
}

static int open_in(const char *folder, const char *name, int flags)
{
    char path[4096];
    int err = path_in(path, sizeof(path), folder, name);
    if (err)
        return err;
    int fd = open(path, flags | O_CLOEXEC, 0644);
    return fd < 0 ? -errno : fd;
}

static int write_options(const char *folder, int argc, char **argv)
{
    char cwd[4096];
    int fd = open_in(folder, "options", O_CREAT | O_EXCL | O_WRONLY);
    if (fd < 0)
        return fd;
    int err = getcwd(cwd, sizeof(cwd)) ? write_all(fd, FIRST_LINE, strlen(FIRST_LINE)) : -errno;
    if (!err)
        err = write_all(fd, cwd, strlen(cwd) + 1);
    for (int i = 0; !err && i < argc; i++)
        err = write_all(fd, argv[i], strlen(argv[i]) + 1);
    close(fd);
    return err;
}

static struct pc_record *make(struct why *why)
{
    struct pc_record *r = calloc(1, sizeof(*r));
    if (!r || tape_create(&r->tape)) {
        free(r);
        r = NULL;
    }
    if (!r) {
        (void)why_fail(why, -ENOMEM, "no memory for a recording");
        return NULL;
    }
    r->fd = -1;
    r->gate = (struct gate){.put = on_put, .peek = on_peek, .next = on_next, .check = on_check};
    return r;
}

int pc_record_create(const char *folder, int argc, char **argv, struct pc_record **out,
                     struct why *why)
{
    struct pc_record *r = make(why);
    if (!r)
        return -ENOMEM;
    int err = mkdir(folder, 0755) && errno != EEXIST ? -errno : 0;
    if (!err)
        err = write_options(folder, argc, argv);
    if (!err && !(r->folder = strdup(folder)))
        err = -ENOMEM;
    if (!err)
        r->fd = open_in(folder, "tape", O_CREAT | O_EXCL | O_WRONLY);
    if (!err && r->fd < 0)
        err = r->fd;
    if (err) {
        pc_record_close(r);
        return err == -EEXIST
                   ? why_fail(why, err, "--record %s: there is a recording already", folder)
                   : why_fail(why, err, "--record %s: %s", folder, strerror(-err));
    }
    r->sink.chunk = on_chunk;
    tape_set_sink(r->tape, &r->sink);
    *out = r;
    return 0;
}

int pc_record_put_cmos(struct pc_record *r, const uint8_t *cmos, struct why *why)
{
    if (!cmos)
        return 0;
    int fd = open_in(r->folder, "cmos", O_CREAT | O_EXCL | O_WRONLY);
    int err = fd < 0 ? fd : write_all(fd, cmos, CMOS_BYTES);
    if (fd >= 0)
        close(fd);
    return err ? why_fail(why, err, "%s/cmos: %s", r->folder, strerror(-err)) : 0;
}

const uint8_t *pc_record_cmos(const struct pc_record *r)
{
    return r->cmos;
}

int pc_record_keep(struct pc_record **out, struct why *why)
{
    *out = make(why);
    return *out ? 0 : -ENOMEM;
}

bool pc_record_is_kept(const struct pc_record *r)
{
    return r->fd < 0 && !r->chunks;
}

struct tape *pc_record_tape(struct pc_record *r)
{
    return r->tape;
}

bool pc_record_is(const char *folder)
{
    char line[sizeof(FIRST_LINE)] = "";
    int fd = open_in(folder, "options", O_RDONLY);
    bool is = fd >= 0 && read(fd, line, sizeof(line) - 1) > 0 && !strcmp(line, FIRST_LINE);
    if (fd >= 0)
        close(fd);
    return is;
}

/* The whole file with a NUL behind it. */
static int read_whole(const char *folder, const char *name, uint64_t most, uint8_t **out,
                      size_t *len)
{
    struct stat st;
    int fd = open_in(folder, name, O_RDONLY);
    if (fd < 0)
        return fd;
    int err = fstat(fd, &st) ? -errno : (uint64_t)st.st_size > most ? -EFBIG : 0;
    *out = err ? NULL : malloc((size_t)st.st_size + 1);
    if (!err && !*out)
        err = -ENOMEM;
    *len = 0;
    while (!err && *len < (size_t)st.st_size) {
        ssize_t n = read(fd, *out + *len, (size_t)st.st_size - *len);
        if (n <= 0)
            break;
        *len += (size_t)n;
    }
    if (!err)
        (*out)[*len] = 0;
    close(fd);
    return err;
}

/* The working folder, then the words. */
static int read_options(struct pc_record *r, const char *folder)
{
    size_t len = 0, head = strlen(FIRST_LINE);
    int err = read_whole(folder, "options", MAX_OPTIONS, (uint8_t **)&r->options, &len);
    if (err)
        return err;
    if (len <= head || r->options[len - 1])
        return -EINVAL;
    r->argv = calloc(len, sizeof(*r->argv));
    if (!r->argv)
        return -ENOMEM;
    const char *cwd = r->options + head, *end = r->options + len;
    for (char *at = r->options + head + strlen(cwd) + 1; at < end; at += strlen(at) + 1)
        r->argv[r->argc++] = at;
    return chdir(cwd) ? -errno : 0;
}

/* Most recordings have none. */
static int read_cmos(struct pc_record *r, const char *folder)
{
    size_t len = 0;
    int err = read_whole(folder, "cmos", CMOS_BYTES, &r->cmos, &len);
    if (err == -ENOENT)
        return 0;
    return !err && len != CMOS_BYTES ? -EINVAL : err;
}

/* What is whole; where it ends early, the replay does. */
static int read_tape(struct pc_record *r, const char *folder)
{
    size_t len = 0;
    int err = read_whole(folder, "tape", SIZE_MAX / 2, &r->chunks, &len);
    for (size_t at = 0; !err && len - at >= sizeof(struct chunk_head);) {
        struct chunk_head head;
        memcpy(&head, r->chunks + at, sizeof(head));
        at += sizeof(head);
        if (head.magic != MAGIC || head.len > MAX_CHUNK || head.len > len - at ||
            tape_sum(r->chunks + at, head.len) != head.sum)
            break;
        err = tape_add_chunk(r->tape, head.icount, r->chunks + at, head.len);
        at += head.len;
    }
    return err;
}

int pc_record_open(const char *folder, struct pc_record **out, struct why *why)
{
    struct pc_record *r = make(why);
    if (!r)
        return -ENOMEM;
    r->gate.replays = true;
    int err = read_tape(r, folder);
    if (!err)
        err = read_cmos(r, folder);
    if (!err)
        err = read_options(r, folder);
    if (err) {
        pc_record_close(r);
        return why_fail(why, err, "%s: %s", folder,
                        err == -EINVAL ? "its options or its cmos are damaged" : strerror(-err));
    }
    *out = r;
    return 0;
}

void pc_record_close(struct pc_record *r)
{
    if (!r)
        return;
    tape_destroy(r->tape);
    if (r->fd >= 0)
        close(r->fd);
    free(r->folder);
    free(r->cmos);
    free(r->options);
    free(r->chunks);
    free(r->argv);
    free(r);
}

char **pc_record_argv(struct pc_record *r, int *argc)
{
    *argc = r->argc;
    return r->argv;
}

struct gate *pc_record_gate(struct pc_record *r)
{
    return &r->gate;
}

void pc_record_set_pc(struct pc_record *r, struct pc *pc)
{
    r->pc = pc;
    r->flushed_ns = r->checked_ns = host_monotonic_ns();
}

static int note_sum(struct pc_record *r, unsigned kind, struct why *why)
{
    uint64_t sum;
    int err = pc_state_hash(r->pc, &sum, why);
    if (!err)
        pc_gate_note(r->pc, kind, sum);
    return err;
}

static int flush(struct pc_record *r, struct why *why)
{
    tape_flush(r->tape);
    int err = tape_error(r->tape);
    return err ? why_fail(why, err, "the recording cannot be written: %s", strerror(-err)) : 0;
}

int pc_record_turn(struct pc_record *r, struct why *why)
{
    uint64_t now = host_monotonic_ns();
    int err = 0;
    if (pc_record_is_kept(r))
        return 0;
    if (now - r->checked_ns >= CHECK_NS) {
        err = note_sum(r, GATE_CHECK, why);
        r->checked_ns = now;
    }
    if (err || now - r->flushed_ns < FLUSH_NS)
        return err;
    r->flushed_ns = now;
    return flush(r, why);
}

int pc_record_finish(struct pc_record *r, struct why *why)
{
    int err = note_sum(r, GATE_END, why);
    return err ? err : flush(r, why);
}

bool pc_record_was_same(struct pc_record *r, unsigned *checks, struct why *why)
{
    *checks = r->checks;
    if (r->differs)
        (void)why_fail(why, -EINVAL, "the state differs from the recorded one");
    else if (r->gate.lost)
        (void)why_fail(why, -EINVAL, "the guest did otherwise than recorded");
    else if (!r->ended)
        (void)why_fail(why, -EINVAL,
                       "the recording ends without its end; up to there all was the same");
    return !r->differs && !r->gate.lost && r->ended;
}
