/* SPDX-License-Identifier: MIT */
/*
 * Copy-on-write layers: what was written is there, whatever happens. Processes are
 * killed at random moments; a host's crash is played by files whose pages are, each by
 * chance, as they were at any moment since the last flush.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "devices/disk.h"
#include "emu/base/host.h"
#include "emu/base/host_thread.h"

#define BLOCKS 300u

static char dir[64], base[96], top[96], second[96];
static struct disk *disk;
static struct why why;

static void path_of(char out[96], const char *name)
{
    snprintf(out, 96, "%s/%s", dir, name);
}

/* Contents: a block is told by its number and a tag; tag 0: as in the base. */
static void fill(uint8_t data[4096], uint32_t block, uint32_t tag)
{
    uint64_t x = (uint64_t)block << 32 | tag;
    for (unsigned i = 0; i < 4096; i += 8) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        memcpy(data + i, &x, 8);
    }
    memcpy(data, &tag, 4);
    memcpy(data + 4, &block, 4);
}

static uint32_t tag_of(const uint8_t data[4096], uint32_t block)
{
    uint8_t want[4096];
    uint32_t tag;
    memcpy(&tag, data, 4);
    fill(want, block, tag);
    ck_assert_msg(!memcmp(want, data, 4096), "block %u is damaged (tag %u)", block, tag);
    return tag;
}

static void setup(void)
{
    uint8_t data[4096];
    strcpy(dir, "/tmp/denali-layer-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    path_of(base, "base");
    path_of(top, "top");
    path_of(second, "second");
    FILE *f = fopen(base, "w");
    for (uint32_t b = 0; b < BLOCKS; b++) {
        fill(data, b, 0);
        fwrite(data, sizeof(data), 1, f);
    }
    ck_assert_int_eq(fclose(f), 0);
}

static void teardown(void)
{
    char command[128];
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    ck_assert_int_eq(system(command), 0);
}

static void open_top(void)
{
    const char *layer[] = {top};
    int err = disk_open_layers(base, layer, 1, false, &disk, &why);
    ck_assert_msg(!err, "%s", why.text);
}

static void put(uint32_t block, uint32_t tag)
{
    uint8_t data[4096];
    struct iovec iov = {data, sizeof(data)};
    fill(data, block, tag);
    ck_assert_int_eq(disk_write(disk, block, &iov, 1), 0);
}

static uint32_t get(uint32_t block)
{
    uint8_t data[4096];
    struct iovec iov = {data, sizeof(data)};
    ck_assert_int_eq(disk_read(disk, block, &iov, 1, false), 0);
    return tag_of(data, block);
}

START_TEST(writes_stay_above)
{
    open_top();
    ck_assert_uint_eq(disk_blocks(disk), BLOCKS);
    put(7, 1);
    put(299, 2);
    put(7, 3);
    ck_assert_uint_eq(get(7), 3);
    ck_assert_uint_eq(get(8), 0);
    disk_close(disk);
    open_top();
    ck_assert_uint_eq(get(7), 3);
    ck_assert_uint_eq(get(299), 2);
    disk_close(disk);
    ck_assert_int_eq(disk_open(base, true, &disk, &why), 0);
    ck_assert_uint_eq(get(7), 0);
    disk_close(disk);
}
END_TEST

START_TEST(layers_on_layers)
{
    const char *both[] = {top, second};
    char spec[400];
    open_top();
    put(1, 1);
    put(2, 1);
    disk_close(disk);
    ck_assert_int_eq(disk_open_layers(base, both, 2, false, &disk, &why), 0);
    put(2, 2);
    put(3, 2);
    ck_assert_uint_eq(get(1), 1);
    disk_close(disk);
    snprintf(spec, sizeof(spec), "%s,cow=%s,cow=%s", base, top, second);
    ck_assert_msg(!disk_open_spec(spec, &disk, &why), "%s", why.text);
    ck_assert_uint_eq(get(0) * 1000 + get(1) * 100 + get(2) * 10 + get(3), 122);
    struct disk *other;
    ck_assert_int_eq(disk_open_spec(spec, &other, &why), -EBUSY); /* the last is written */
    snprintf(spec, sizeof(spec), "%s,cow=%s", base, top);
    ck_assert_int_eq(disk_open_spec(spec, &other, &why), -EBUSY); /* it is below another */
    disk_close(disk);
    /* The lower one changes: the upper one does not fit any more. */
    open_top();
    put(9, 1);
    disk_close(disk);
    ck_assert_int_eq(disk_open_layers(base, both, 2, false, &disk, &why), -EINVAL);
    ck_assert_ptr_nonnull(strstr(why.text, "does not belong"));
}
END_TEST

/* Any number of VMs on one image. */
START_TEST(bases_are_shared)
{
    struct disk *d[20];
    char path[96], name[16];
    const char *layer[] = {path};
    for (unsigned i = 0; i < 20; i++) {
        snprintf(name, sizeof(name), "vm%u", i);
        path_of(path, name);
        ck_assert_int_eq(disk_open_layers(base, layer, 1, false, &d[i], &why), 0);
        disk = d[i];
        put(5, i + 1);
    }
    for (unsigned i = 0; i < 20; i++) {
        disk = d[i];
        ck_assert_uint_eq(get(5), i + 1);
        ck_assert_uint_eq(get(6), 0);
    }
    ck_assert_int_eq(disk_open(base, false, &disk, &why), -EBUSY);
    for (unsigned i = 0; i < 20; i++)
        disk_close(d[i]);
}
END_TEST

/* Random runs against a model, with flushes and new beginnings. */
START_TEST(random_load)
{
    static uint8_t data[256][4096];
    struct iovec iov[256];
    uint32_t model[BLOCKS] = {0}, tag = 0;
    struct disk_layer_info info;
    srand(11);
    open_top();
    for (unsigned round = 0; round < 1500; round++) {
        unsigned n = 1 + (unsigned)rand() % 40, first = (unsigned)rand() % (BLOCKS - n);
        bool writes = rand() % 2;
        for (unsigned i = 0; i < n; i++) {
            iov[i] = (struct iovec){data[i], 4096};
            if (writes)
                fill(data[i], first + i, ++tag);
            if (writes)
                model[first + i] = tag;
        }
        ck_assert_int_eq(
            writes ? disk_write(disk, first, iov, n) : disk_read(disk, first, iov, n, false), 0);
        for (unsigned i = 0; !writes && i < n; i++)
            ck_assert_uint_eq(tag_of(data[i], first + i), model[first + i]);
        if (round % 50 == 0)
            ck_assert_int_eq(disk_flush(disk), 0);
        if (round % 200 == 0) {
            disk_close(disk);
            open_top();
        }
    }
    for (uint32_t b = 0; b < BLOCKS; b++)
        ck_assert_uint_eq(get(b), model[b]);
    disk_close(disk);
    ck_assert_int_eq(disk_layer_check(top, &info, &why), 0);
    ck_assert_uint_eq(info.damaged, 0);
    ck_assert_uint_le(info.used, BLOCKS);
    ck_assert_uint_le(info.used + info.free, 3000); /* superseded blocks are used again */
}
END_TEST

START_TEST(zeroes_cost_nothing)
{
    static const uint8_t zero[4096];
    uint8_t data[4096];
    struct iovec iov = {(void *)(uintptr_t)zero, 4096}, in = {data, 4096};
    struct disk_layer_info info;
    open_top();
    ck_assert_int_eq(disk_write(disk, 3, &iov, 1), 0);
    disk_close(disk);
    open_top();
    ck_assert_int_eq(disk_read(disk, 3, &in, 1, true), 0);
    ck_assert_mem_eq(data, zero, 4096);
    disk_close(disk);
    ck_assert_int_eq(disk_layer_info(top, &info, &why), 0);
    ck_assert_uint_eq(info.used, 0);
}
END_TEST

/* kill -9. */

#define MAX_TAGS 100000u

struct word {
    uint32_t block, tag; /* tag: 0 flush; high bit: begun, else complete */
};

static void child_writes(int fd, unsigned seed)
{
    uint8_t data[8][4096];
    struct iovec iov[8];
    srand(seed);
    open_top();
    for (uint32_t tag = 1; tag < MAX_TAGS;) {
        unsigned n = 1 + (unsigned)rand() % 8, first = (unsigned)rand() % (BLOCKS - n);
        for (unsigned i = 0; i < n; i++, tag++) {
            struct word w = {first + i, (seed << 20) + tag + 0x80000000u};
            fill(data[i], first + i, (seed << 20) + tag);
            iov[i] = (struct iovec){data[i], 4096};
            if (write(fd, &w, sizeof(w)) != sizeof(w))
                _exit(1);
        }
        if (disk_write(disk, first, iov, n) || (rand() % 64 == 0 && disk_flush(disk)))
            _exit(2);
        for (unsigned i = 0; i < n; i++) {
            struct word w = {first + i, (seed << 20) + tag - n + i};
            if (write(fd, &w, sizeof(w)) != sizeof(w))
                _exit(1);
        }
    }
    _exit(0);
}

static uint32_t complete[BLOCKS], begun[BLOCKS];

static void read_words(int fd)
{
    struct word w;
    while (read(fd, &w, sizeof(w)) == sizeof(w)) {
        if (w.tag & 0x80000000u)
            begun[w.block] = w.tag & 0x7fffffffu;
        else
            complete[w.block] = w.tag;
    }
}

/* A pipe would make the child wait: its words go to a file. */
START_TEST(killed_at_random_moments)
{
    char words[96];
    path_of(words, "words");
    memset(complete, 0, sizeof(complete));
    srand((unsigned)getpid());
    for (unsigned trial = 1; trial <= 150; trial++) {
        int fd = open(words, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        pid_t pid = fork();
        if (!pid)
            child_writes(fd, trial);
        host_poll(NULL, 0, (uint64_t)(rand() % 12000) * 1000 + 500000);
        kill(pid, SIGKILL);
        int status;
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert(WIFSIGNALED(status));
        memcpy(begun, complete, sizeof(begun));
        lseek(fd, 0, SEEK_SET);
        read_words(fd);
        close(fd);
        open_top();
        for (uint32_t b = 0; b < BLOCKS; b++) {
            uint32_t tag = get(b);
            ck_assert_msg(tag == complete[b] || tag == begun[b],
                          "trial %u, block %u: %x, not %x or %x", trial, b, tag, complete[b],
                          begun[b]);
            complete[b] = tag;
        }
        disk_close(disk);
    }
    struct disk_layer_info info;
    ck_assert_int_eq(disk_layer_check(top, &info, &why), 0);
    ck_assert_uint_eq(info.damaged, 0);
}
END_TEST

/* The host's crash. */

#define VERSIONS 24u

struct version {
    uint8_t *bytes;
    size_t len;
};

static struct version read_file(const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY);
    ck_assert_int_eq(fstat(fd, &st), 0);
    struct version v = {malloc((size_t)st.st_size), (size_t)st.st_size};
    ck_assert_int_eq(read(fd, v.bytes, v.len), (ssize_t)v.len);
    close(fd);
    return v;
}

static void write_file(const char *path, const void *bytes, size_t len)
{
    FILE *f = fopen(path, "w");
    ck_assert_uint_eq(fwrite(bytes, 1, len, f), len);
    ck_assert_int_eq(fclose(f), 0);
}

/* Each page as in any of the versions, the length of any. */
static void mix(const struct version *v, unsigned count)
{
    const struct version *size = &v[(unsigned)rand() % count];
    uint8_t *out = calloc(1, size->len);
    for (size_t at = 0; at < size->len; at += 4096) {
        const struct version *from = &v[(unsigned)rand() % count];
        size_t len = size->len - at < 4096 ? size->len - at : 4096;
        if (at + len <= from->len)
            memcpy(out + at, from->bytes + at, len);
    }
    write_file(top, out, size->len);
    free(out);
}

START_TEST(the_host_crashes)
{
    static uint32_t can_be[VERSIONS][BLOCKS];
    uint32_t now[BLOCKS] = {0}, tag = 0;
    srand((unsigned)_i + 77);
    for (unsigned trial = 0; trial < 60; trial++) {
        struct version v[VERSIONS];
        unsigned count = 2 + (unsigned)rand() % (VERSIONS - 2);
        open_top();
        for (unsigned i = 0; i < 60; i++) {
            uint32_t b = (uint32_t)rand() % BLOCKS;
            put(b, now[b] = ++tag);
        }
        ck_assert_int_eq(disk_flush(disk), 0);
        for (unsigned k = 0; k < count; k++) {
            v[k] = read_file(top);
            memcpy(can_be[k], now, sizeof(now));
            for (unsigned i = 0; i < 6; i++) {
                uint32_t b = (uint32_t)rand() % 40;
                put(b, now[b] = ++tag);
            }
        }
        disk_close(disk);
        mix(v, count);
        open_top();
        for (uint32_t b = 0; b < BLOCKS; b++) {
            bool known = false;
            now[b] = get(b);
            for (unsigned k = 0; k < count; k++)
                known = known || can_be[k][b] == now[b];
            ck_assert_msg(known, "trial %u: block %u has tag %u", trial, b, now[b]);
        }
        disk_close(disk);
        for (unsigned k = 0; k < count; k++)
            free(v[k].bytes);
    }
}
END_TEST

/* Damage: any byte of the file. Refused, or an error of that block, or nobody notices; never wrong
 * contents. */
START_TEST(damage_is_told)
{
    uint8_t data[4096];
    unsigned refused = 0, failed = 0;
    srand(5);
    open_top();
    for (uint32_t b = 0; b < 100; b++)
        put(b, b + 1);
    ck_assert_int_eq(disk_flush(disk), 0);
    for (uint32_t b = 0; b < 50; b++)
        put(b, b + 1001);
    ck_assert_int_eq(disk_flush(disk), 0);
    disk_close(disk);
    struct version good = read_file(top);
    for (unsigned trial = 0; trial < 600; trial++) {
        const char *layer[] = {top};
        size_t at = trial < 200 ? trial % 80 + trial / 100 * 4096 : /* headers */
                        trial < 400 ? 8192 + (size_t)rand() % 3200
                                    : (size_t)rand() % good.len;
        struct version bad = {malloc(good.len), good.len};
        memcpy(bad.bytes, good.bytes, good.len);
        if (trial % 10 == 9)
            bad.len = (size_t)rand() % good.len;
        else
            bad.bytes[at] ^= (uint8_t)(1u << rand() % 8);
        write_file(top, bad.bytes, bad.len);
        free(bad.bytes);
        if (disk_open_layers(base, layer, 1, trial % 2, &disk, &why)) {
            refused++;
            continue;
        }
        for (uint32_t b = 0; b < BLOCKS; b++) {
            struct iovec iov = {data, sizeof(data)};
            if (disk_read(disk, b, &iov, 1, false))
                failed++;
            else
                ck_assert_uint_eq(tag_of(data, b), b < 50 ? b + 1001 : b < 100 ? b + 1 : 0);
        }
        disk_close(disk);
    }
    ck_assert_uint_gt(refused, 100);
    ck_assert_uint_gt(failed, 20);
    free(good.bytes);
}
END_TEST

START_TEST(wrong_files)
{
    char other[96];
    const char *layer[] = {other};
    struct why w;
    path_of(other, "other");
    open_top();
    put(1, 1);
    disk_close(disk);
    write_file(other, "", 0);
    ck_assert_int_eq(disk_open_layers(base, layer, 1, false, &disk, &w), -EINVAL);
    ck_assert_int_eq(disk_open_layers(other, layer, 1, false, &disk, &w), -EINVAL);
    layer[0] = base;
    ck_assert_int_lt(disk_open_layers(base, layer, 1, false, &disk, &w), 0);
    ck_assert_int_lt(disk_open_spec(",cow=x", &disk, &w), 0);
    ck_assert_int_eq(disk_open_layers("/nonexistent", layer, 1, false, &disk, &w), -ENOENT);
    /* A guest that writes a layer's head into its raw disk has a raw disk. */
    struct version v = read_file(top);
    write_file(other, v.bytes, v.len);
    free(v.bytes);
    ck_assert_int_eq(disk_open(other, false, &disk, &w), 0);
    ck_assert_uint_eq(disk_bytes(disk), v.len);
    disk_close(disk);
    /* The base changes where it is looked at. */
    int fd = open(base, O_WRONLY);
    ck_assert_int_eq(pwrite(fd, "x", 1, 0), 1);
    close(fd);
    layer[0] = top;
    ck_assert_int_eq(disk_open_layers(base, layer, 1, false, &disk, &w), -EINVAL);
}
END_TEST

/* No room: an error of that write, and all is as before. */
START_TEST(no_room)
{
    uint8_t data[4096];
    unsigned failed = 0;
    struct rlimit was, limit;
    open_top();
    put(1, 1);
    getrlimit(RLIMIT_FSIZE, &was);
    limit = was;
    limit.rlim_cur = (2 + 3 + 40) * 4096;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &limit);
    for (uint32_t b = 0; b < BLOCKS; b++) {
        struct iovec iov = {data, sizeof(data)};
        fill(data, b, 2);
        int err = disk_write(disk, b, &iov, 1);
        failed += err != 0;
        if (err && err != -EFBIG && err != -ENOSPC)
            failed += 1000;
    }
    setrlimit(RLIMIT_FSIZE, &was);
    ck_assert_uint_eq(failed, BLOCKS - 40);
    unsigned right = 0;
    for (uint32_t b = 0; b < BLOCKS; b++)
        right += get(b) == 2;
    ck_assert_uint_eq(right, BLOCKS - failed);
    put(200, 9); /* there is room again */
    disk_close(disk);
    open_top();
    ck_assert_uint_eq(get(200), 9);
    ck_assert_uint_eq(get(299), 0);
    disk_close(disk);
}
END_TEST

/* Threads on one disk: readers see some writer's whole block. */

struct party {
    struct host_thread thread;
    unsigned seed;
};

static void mingle(void *opaque)
{
    struct party *p = opaque;
    unsigned seed = p->seed;
    for (unsigned i = 0; i < 4000; i++) {
        uint32_t b = (uint32_t)rand_r(&seed) % 20;
        if (i % 3)
            get(b);
        else
            put(b, p->seed * 100000 + i);
        if (i % 500 == 0)
            ck_assert_int_eq(disk_flush(disk), 0);
    }
}

START_TEST(threads)
{
    struct party p[4];
    open_top();
    for (unsigned i = 0; i < 4; i++) {
        p[i].seed = i + 1;
        ck_assert_int_eq(host_thread_start(&p[i].thread, "party", mingle, &p[i]), 0);
    }
    for (unsigned i = 0; i < 4; i++)
        host_thread_join(&p[i].thread);
    disk_close(disk);
}
END_TEST

START_TEST(commit)
{
    open_top();
    for (uint32_t b = 0; b < 100; b++)
        put(b * 3, b + 1);
    disk_close(disk);
    ck_assert_msg(!disk_layer_commit(base, top, &why), "%s", why.text);
    ck_assert_int_eq(disk_open(base, true, &disk, &why), 0);
    for (uint32_t b = 0; b < BLOCKS; b++)
        ck_assert_uint_eq(get(b), b % 3 ? 0 : b / 3 + 1);
    disk_close(disk);
    open_top(); /* empty now, and fits what the base has become */
    put(1, 1);
    ck_assert_uint_eq(get(0), 1);
    disk_close(disk);
    ck_assert_int_eq(truncate(base, 4096), 0);
    ck_assert_int_eq(disk_layer_commit(base, top, &why), -EINVAL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("layer");
    TCase *tc = tcase_create("layer");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, writes_stay_above);
    tcase_add_test(tc, layers_on_layers);
    tcase_add_test(tc, bases_are_shared);
    tcase_add_test(tc, random_load);
    tcase_add_test(tc, zeroes_cost_nothing);
    tcase_add_test(tc, killed_at_random_moments);
    tcase_add_loop_test(tc, the_host_crashes, 0, 3);
    tcase_add_test(tc, damage_is_told);
    tcase_add_test(tc, wrong_files);
    tcase_add_test(tc, no_room);
    tcase_add_test(tc, threads);
    tcase_add_test(tc, commit);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
