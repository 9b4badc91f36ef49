/* SPDX-License-Identifier: MIT */
/*
 * VMs of many kinds in one pool: fresh images and snapshots, each with a console
 * and disks of its own, told to stop, to wait, to be saved, and removed, while
 * there are fewer windows than VMs.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dbt/dbt.h"
#include "denali/pool/pool.h"
#include "emu/base/host.h"
#include "emu/base/host_thread.h"

#define PATIENCE_NS 20000000000u

/* A console between threads. */
struct term {
    struct console_backend base;
    struct host_lock lock;
    char out[8192], in[256];
    size_t out_len, in_len, room;
    bool ended;
};

static struct term *term_of(const struct console_backend *base)
{
    return (struct term *)(uintptr_t)base;
}

static int64_t term_write(struct console_backend *base, enum console_stream stream,
                          const void *data, size_t len)
{
    struct term *t = term_of(base);
    (void)stream;
    host_lock_enter(&t->lock);
    size_t n = len < t->room ? len : t->room;
    ck_assert_uint_le(t->out_len + n, sizeof(t->out));
    memcpy(t->out + t->out_len, data, n);
    t->out_len += n;
    t->room -= n;
    host_lock_leave(&t->lock);
    return n || !len ? (int64_t)n : -EAGAIN;
}

static int64_t term_read(struct console_backend *base, void *data, size_t room)
{
    struct term *t = term_of(base);
    host_lock_enter(&t->lock);
    size_t n = t->in_len < room ? t->in_len : room;
    memcpy(data, t->in, n);
    memmove(t->in, t->in + n, t->in_len - n);
    t->in_len -= n;
    int64_t result = n || t->ended ? (int64_t)n : -EAGAIN;
    host_lock_leave(&t->lock);
    return result;
}

static bool term_ended(const struct console_backend *base)
{
    struct term *t = term_of(base);
    host_lock_enter(&t->lock);
    bool ended = t->ended && !t->in_len;
    host_lock_leave(&t->lock);
    return ended;
}

static bool no(const struct console_backend *base)
{
    (void)base;
    return false;
}

static int no_mode(struct console_backend *base, unsigned mode)
{
    (void)base, (void)mode;
    return -ENOTTY;
}

static bool no_size(const struct console_backend *base, unsigned *columns, unsigned *rows)
{
    (void)base, (void)columns, (void)rows;
    return false;
}

static const struct console_backend_ops term_ops = {.name = "term",
                                                    .write = term_write,
                                                    .read = term_read,
                                                    .ended = term_ended,
                                                    .in_is_tty = no,
                                                    .out_is_tty = no,
                                                    .set_mode = no_mode,
                                                    .size = no_size};

static void term_init(struct term *t)
{
    memset(t, 0, sizeof(*t));
    t->base.ops = &term_ops;
    t->room = SIZE_MAX;
    ck_assert_int_eq(host_lock_init(&t->lock), 0);
}

static void type(struct term *t, struct pool_vm *vm, const char *text)
{
    host_lock_enter(&t->lock);
    memcpy(t->in + t->in_len, text, strlen(text));
    t->in_len += strlen(text);
    t->ended = !*text;
    host_lock_leave(&t->lock);
    pool_post(vm, DENALI_IRQ_KEYBOARD);
}

static bool shows(struct term *t, const char *text)
{
    host_lock_enter(&t->lock);
    bool same = t->out_len == strlen(text) && !memcmp(t->out, text, t->out_len);
    host_lock_leave(&t->lock);
    return same;
}

static void await(struct term *t, const char *text)
{
    uint64_t end = host_monotonic_ns() + PATIENCE_NS;
    while (!shows(t, text)) {
        ck_assert_msg(host_monotonic_ns() < end, "want \"%s\", have \"%.*s\"", text,
                      (int)t->out_len, t->out);
        host_poll(NULL, 0, 200000);
    }
}

/* The pool. */

struct ending {
    struct pool_vm *vm;
    enum vm_end_reason reason;
    uint32_t status;
    char report[200];
};

static struct engine *engine;
static struct pool *pool;
static struct io_pool *io;
static struct host_lock ends_lock;
static struct ending ends[64];
static unsigned ends_seen;

static void on_end(void *opaque, struct pool_vm *vm, const struct pool_end *end)
{
    (void)opaque;
    host_lock_enter(&ends_lock);
    struct ending *e = &ends[ends_seen++];
    *e = (struct ending){.vm = vm, .reason = end->reason, .status = end->status};
    snprintf(e->report, sizeof(e->report), "%s", end->report);
    host_lock_leave(&ends_lock);
}

static void start(uint32_t windows)
{
    struct why why = {""};
    ends_seen = 0;
    if (dbt_create(NULL, &engine))
        ck_assert_int_eq(interp_create(&engine), 0);
    ck_assert_int_eq(host_lock_init(&ends_lock), 0);
    ck_assert_int_eq(io_pool_create(2, &io), 0);
    struct pool_config config = {.engine = engine,
                                 .workers = 2,
                                 .memory_bytes = GIB,
                                 .max_windows = windows,
                                 .io = io,
                                 .ended = on_end};
    ck_assert_int_eq(sched_round_robin(2000000, &config.sched), 0);
    ck_assert_msg(!pool_create(&config, &pool, &why), "%s", why.text);
}

static void stop(void)
{
    pool_destroy(pool);
    io_pool_destroy(io);
    engine->ops->destroy(engine);
    host_lock_fini(&ends_lock);
}

static struct pool_origin *guest(const char *name, const char *arg, const struct vm_resource *disk,
                                 unsigned disks)
{
    char path[512];
    struct image *image;
    struct why why = {""};
    struct pool_origin *origin;
    const char *args[] = {name, arg, NULL};
    snprintf(path, sizeof(path), "%s/guests/%s", getenv("BUILD"), name);
    ck_assert_msg(!image_open(path, &image, &why), "%s", why.text);
    const struct pool_origin_config config = {
        .image = image, .args = args, .disk = disk, .disks = disks};
    ck_assert_msg(!pool_origin_add(pool, &config, &origin, &why), "%s", why.text);
    image_close(image);
    return origin;
}

static struct pool_vm *add(struct pool_origin *origin, struct term *t)
{
    struct pool_vm *vm;
    const struct pool_vm_config config = {.origin = origin, .console = t ? &t->base : NULL};
    if (t)
        term_init(t);
    ck_assert_int_eq(pool_add(pool, &config, &vm), 0);
    return vm;
}

static const struct ending *ending(struct pool_vm *vm)
{
    ck_assert(pool_wait(vm, PATIENCE_NS));
    for (unsigned i = 0; i < ends_seen; i++) {
        if (ends[i].vm == vm)
            return &ends[i];
    }
    ck_abort_msg("nobody was told of the end");
    return NULL;
}

START_TEST(images_run_to_their_end)
{
    static struct term t[6];
    struct pool_vm *vm[6];
    start(2);
    struct pool_origin *hello = guest("hello", NULL, NULL, 0),
                       *args = guest("args", "a b", NULL, 0);
    for (unsigned i = 0; i < 6; i++)
        vm[i] = add(i % 2 ? args : hello, &t[i]);
    for (unsigned i = 0; i < 6; i++) {
        const struct ending *e = ending(vm[i]);
        ck_assert_int_eq(e->reason, VM_END_EXIT);
        ck_assert(strstr(t[i].out, i % 2 ? "a b" : "ello"));
        ck_assert_int_eq(pool_origin_remove(i % 2 ? args : hello), -EBUSY);
        ck_assert_int_eq(pool_remove(vm[i]), 0);
    }
    ck_assert_int_eq(pool_origin_remove(hello), 0);
    ck_assert_int_eq(pool_origin_remove(args), 0);
    stop();
}
END_TEST

/* More readers than windows: each key finds its VM, wherever it is. */
START_TEST(keys_wake_whoever_they_are_for)
{
    static struct term t[12];
    struct pool_vm *vm[12];
    char want[64] = "", text[8];
    start(3);
    struct pool_origin *echo = guest("echo", NULL, NULL, 0), *other = guest("echo", "x", NULL, 0);
    for (unsigned i = 0; i < 12; i++)
        vm[i] = add(i % 2 ? other : echo, &t[i]);
    for (unsigned round = 0; round < 5; round++) {
        snprintf(text, sizeof(text), "r%u;", round);
        strcat(want, text);
        for (unsigned i = 0; i < 12; i++)
            type(&t[i], vm[i], text);
        for (unsigned i = 0; i < 12; i++)
            await(&t[i], want);
    }
    struct pool_counters c;
    pool_count(pool, &c);
    ck_assert_uint_le(c.windows, 3);
    ck_assert_uint_gt(c.parks, 12);
    for (unsigned i = 0; i < 12; i++)
        type(&t[i], vm[i], "");
    for (unsigned i = 0; i < 12; i++) {
        ck_assert_int_eq(ending(vm[i])->reason, VM_END_EXIT);
        ck_assert_uint_eq(ending(vm[i])->status, 0);
    }
    stop();
}
END_TEST

START_TEST(a_full_console_holds_up_only_its_vm)
{
    static struct term full, other;
    struct pool_figures f;
    start(1);
    struct pool_origin *echo = guest("echo", NULL, NULL, 0);
    struct pool_vm *vm = add(echo, &full), *second = add(echo, &other);
    full.room = 3;
    type(&full, vm, "abcdef");
    await(&full, "abc");
    type(&other, second, "x");
    await(&other,
          "x"); /* there is one window: the other one was parked in the middle of its write */
    pool_figures(vm, &f);
    ck_assert_str_eq(pool_state_name(f.state), "parked");
    host_lock_enter(&full.lock);
    full.room = 100;
    host_lock_leave(&full.lock);
    pool_poke(vm);
    await(&full, "abcdef");
    stop();
}
END_TEST

START_TEST(spinners_are_killed_and_paused)
{
    struct pool_figures a, b, c;
    start(4);
    struct pool_origin *spin = guest("spin", NULL, NULL, 0), *echo = guest("echo", NULL, NULL, 0);
    struct pool_vm *first = add(spin, NULL), *second = add(spin, NULL);
    static struct term t;
    struct pool_vm *asleep = add(echo, &t);
    host_poll(NULL, 0, 20000000);
    pool_pause(first);
    do {
        host_poll(NULL, 0, 1000000);
        pool_figures(first, &a);
    } while (a.state == POOL_RUNNING);
    host_poll(NULL, 0, 20000000);
    pool_figures(first, &b);
    ck_assert(b.paused);
    ck_assert_uint_eq(a.run_ns, b.run_ns);
    pool_resume(first);
    host_poll(NULL, 0, 50000000);
    pool_figures(first, &c);
    ck_assert_uint_gt(c.run_ns, b.run_ns);
    ck_assert_int_eq(pool_remove(first), -EBUSY);
    pool_park_idle(pool);
    struct pool_vm *all[] = {first, second, asleep};
    for (unsigned i = 0; i < 3; i++)
        pool_kill(all[i]);
    for (unsigned i = 0; i < 3; i++) {
        ck_assert_int_eq(ending(all[i])->reason, VM_END_KILLED);
        ck_assert_int_eq(pool_remove(all[i]), 0);
    }
    ck_assert_uint_eq(ends_seen, 3);
    stop();
}
END_TEST

/* A computing guest hears its timer though nobody else wants its processor. */
START_TEST(timers_reach_a_lonely_spinner)
{
    static struct term t;
    start(4);
    struct pool_vm *vm = add(guest("spin", "ticks", NULL, 0), &t);
    ck_assert_int_eq(ending(vm)->reason, VM_END_EXIT);
    ck_assert(shows(&t, "spin: ok\n"));
    stop();
}
END_TEST

START_TEST(a_fault_is_reported)
{
    start(4);
    struct pool_vm *vm = add(guest("fault", "read", NULL, 0), NULL);
    ck_assert_int_eq(ending(vm)->reason, VM_END_FAULT);
    ck_assert_uint_gt(strlen(ending(vm)->report), 20);
    stop();
}
END_TEST

START_TEST(a_vm_is_saved_where_it_is)
{
    static struct term t, u;
    struct snapshot *s;
    struct why why = {""};
    char path[64];
    start(2);
    struct pool_vm *vm = add(guest("echo", NULL, NULL, 0), &t);
    type(&t, vm, "one ");
    await(&t, "one ");
    if (_i)
        pool_park_idle(pool);
    snprintf(path, sizeof(path), "/tmp/denali-test-%d", (int)getpid());
    ck_assert_msg(!pool_snapshot(vm, path, false, &why), "%s", why.text);
    type(&t, vm, "two");
    await(&t, "one two");
    ck_assert_msg(!snapshot_open(path, &s, &why), "%s", why.text);
    unlink(path);
    struct pool_origin *origin;
    const struct pool_origin_config config = {.snapshot = s};
    ck_assert_msg(!pool_origin_add(pool, &config, &origin, &why), "%s", why.text);
    struct pool_vm *copy = add(origin, &u);
    type(&u, copy, "copy");
    await(&u, "copy");
    type(&u, copy, "");
    ck_assert_uint_eq(ending(copy)->status, 0);
    pool_kill(vm);
    ck_assert_int_eq(ending(vm)->reason, VM_END_KILLED);
    ck_assert_int_eq(pool_snapshot(vm, path, false, &why), -ESRCH);
    stop();
    snapshot_close(s);
}
END_TEST

static struct disk *make_disk(unsigned bytes, bool readonly)
{
    char path[] = "/tmp/denali-test-XXXXXX";
    struct why why = {""};
    struct disk *disk;
    int fd = mkstemp(path);
    FILE *f = fdopen(fd, "w");
    for (unsigned i = 0; i < bytes; i += 16)
        fprintf(f, "offset %08x\n", i);
    ck_assert_int_eq(ftruncate(fd, bytes) | fclose(f), 0);
    ck_assert_msg(!disk_open(path, readonly, &disk, &why), "%s", why.text);
    unlink(path);
    return disk;
}

/* The origin's disk is smaller than those of its VMs, which have one window for three. */
START_TEST(each_has_its_own_disk)
{
    static struct term t[3];
    struct pool_vm *vm[3];
    struct disk *fixed = make_disk(1810000, true), *small = make_disk(20000, false), *data[3];
    struct vm_resource disk[] = {{.kind = DENALI_DEV_DISK, .name = "data", .disk = small},
                                 {.kind = DENALI_DEV_DISK, .name = "fixed", .disk = fixed}};
    start(1);
    struct pool_origin *origin = guest("disk", NULL, disk, 2);
    for (unsigned i = 0; i < 3; i++) {
        term_init(&t[i]);
        disk[0].disk = data[i] = make_disk(1810000, false);
        const struct pool_vm_config config = {
            .origin = origin, .console = &t[i].base, .disk = disk, .disks = 2};
        ck_assert_int_eq(pool_add(pool, &config, &vm[i]), 0);
    }
    for (unsigned i = 0; i < 3; i++) {
        ck_assert_int_eq(ending(vm[i])->reason, VM_END_EXIT);
        ck_assert_msg(ending(vm[i])->status == 0, "%.*s", (int)t[i].out_len, t[i].out);
        ck_assert(strstr(t[i].out, "disk: ok"));
    }
    stop();
    for (unsigned i = 0; i < 3; i++)
        disk_close(data[i]);
    disk_close(small);
    disk_close(fixed);
}
END_TEST

int main(void)
{
    if (!getenv("BUILD")) {
        printf("BUILD does not say where the guests are\n");
        return 77;
    }
    Suite *suite = suite_create("pool of many kinds");
    TCase *tc = tcase_create("pool");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, images_run_to_their_end);
    tcase_add_test(tc, keys_wake_whoever_they_are_for);
    tcase_add_test(tc, a_full_console_holds_up_only_its_vm);
    tcase_add_test(tc, spinners_are_killed_and_paused);
    tcase_add_test(tc, timers_reach_a_lonely_spinner);
    tcase_add_test(tc, a_fault_is_reported);
    tcase_add_loop_test(tc, a_vm_is_saved_where_it_is, 0, 2);
    tcase_add_test(tc, each_has_its_own_disk);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
