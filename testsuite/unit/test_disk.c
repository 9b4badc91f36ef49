/* SPDX-License-Identifier: MIT */
/*
 * Disks: image files and the virtual device before them, with and without
 * threads; wrong requests one by one; a random load held against a model.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "emu/base/host.h"
#include "emu/base/host_thread.h"
#include "testsuite/unit/vm_rig.h"

#define BLOCKS 40u
#define TAIL 100u /* bytes of the last block */
#define REQS 0x40000u
#define BUFS 0x50000u

static const struct denali_manifest_device wish = {DENALI_DEV_DISK, 0, "data"};
static char path[64];
static uint8_t content[BLOCKS * 4096];
static struct disk *disk;
static struct io_pool *pool;
static struct rig rig;
static struct why why;

static void start(bool readonly, bool threads)
{
    memset(content, 0, sizeof(content));
    for (unsigned i = 0; i < (BLOCKS - 1) * 4096 + TAIL; i++)
        content[i] = (uint8_t)(i * 13 + i / 509);
    rig_file(content, (BLOCKS - 1) * 4096 + TAIL, path);
    ck_assert_int_eq(disk_open(path, readonly, &disk, &why), 0);
    if (threads)
        ck_assert_int_eq(io_pool_create(3, &pool), 0);
    const struct vm_resource res = {.kind = DENALI_DEV_DISK, .name = "data", .disk = disk};
    struct vm_config config = {
        .resource = &res, .resources = 1, .pool = pool, .mem_bytes = 4 * MIB};
    rig_start_config(&rig, &config, &wish, 1);
}

static void stop(void)
{
    rig_stop(&rig);
    io_pool_destroy(pool);
    pool = NULL;
    disk_close(disk);
    unlink(path);
}

static struct denali_disk_request *req(unsigned i)
{
    return (struct denali_disk_request *)rig_mem(&rig, REQS) + i;
}

static uint8_t *buf(unsigned i)
{
    return rig_mem(&rig, BUFS + i * 4096);
}

static void fill(unsigned i, uint32_t op, uint64_t block)
{
    *req(i) = (struct denali_disk_request){.op = op,
                                           .buffer = BUFS + i * 4096,
                                           .block = block,
                                           .bytes = op == DENALI_DISK_FLUSH ? 0 : 4096,
                                           .status = DENALI_DISK_BUSY};
}

static int32_t submit(unsigned n)
{
    return rig_out(&rig, 0, DENALI_PORT_SUBMIT, REQS, n, 0);
}

static void wait_for(unsigned n)
{
    uint64_t end = host_monotonic_ns() + 20000000000u;
    for (unsigned i = 0; i < n; i++) {
        while (*(volatile int32_t *)&req(i)->status == DENALI_DISK_BUSY) {
            vm_run(rig.vm, 0);
            ck_assert_uint_lt(host_monotonic_ns(), end);
        }
    }
}

static void read_everything(void)
{
    for (unsigned i = 0; i < BLOCKS; i++)
        fill(i, DENALI_DISK_READ, BLOCKS - 1 - i);
    for (unsigned i = 0; i < 10; i++) /* a part in ascending order: one run */
        fill(i, DENALI_DISK_READ, i);
    ck_assert_int_eq(submit(BLOCKS), BLOCKS);
    wait_for(BLOCKS);
    for (unsigned i = 0; i < BLOCKS; i++) {
        unsigned block = (unsigned)req(i)->block;
        ck_assert_int_eq(req(i)->status, 0);
        ck_assert_int_eq(memcmp(buf(i), content + block * 4096, 4096), 0);
    }
    vm_run(rig.vm, 0);
    ck_assert_uint_eq(rig_regs(&rig)->pending, DENALI_IRQ_DISK);
}

START_TEST(reads)
{
    start(_i & 1, _i & 2);
    read_everything();
    stop();
}
END_TEST

START_TEST(writes)
{
    start(false, _i & 1);
    for (unsigned i = 0; i < 8; i++) {
        unsigned block = i < 7 ? 3 + i : BLOCKS - 1; /* the last one lengthens the file */
        memset(buf(i), 0x30 + (int)i, 4096);
        memset(content + block * 4096, 0x30 + (int)i, 4096);
        fill(i, DENALI_DISK_WRITE, block);
    }
    ck_assert_int_eq(submit(8), 8);
    memset(buf(0), 0xee, 4096); /* the block is as it was at submission */
    wait_for(8);
    fill(0, DENALI_DISK_FLUSH, 0);
    ck_assert_int_eq(submit(1), 1);
    wait_for(1);
    ck_assert_int_eq(req(0)->status, 0);
    struct stat st;
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(st.st_size, BLOCKS * 4096);
    read_everything();
    stop();
}
END_TEST

static void wrong(int32_t status)
{
    ck_assert_int_eq(submit(1), 1);
    if (status)
        vm_run(rig.vm, 0);
    else
        wait_for(1);
    ck_assert_int_eq(req(0)->status, status);
    fill(0, DENALI_DISK_READ, 1);
}

START_TEST(wrong_requests)
{
    start(false, _i);
    fill(0, DENALI_DISK_READ, BLOCKS);
    wrong(DENALI_RANGE);
    req(0)->block = UINT64_MAX;
    wrong(DENALI_RANGE);
    req(0)->block = 1ull << 52; /* its byte offset wraps */
    wrong(DENALI_RANGE);
    req(0)->bytes = 4095;
    wrong(DENALI_RANGE);
    req(0)->bytes = 8192;
    wrong(DENALI_RANGE);
    req(0)->bytes = 0;
    wrong(DENALI_RANGE);
    req(0)->buffer++;
    wrong(DENALI_RANGE);
    req(0)->buffer = 0;
    wrong(DENALI_FAULT);
    req(0)->buffer = 0x1000;
    wrong(DENALI_FAULT);
    req(0)->buffer = 4 * MIB;
    wrong(DENALI_FAULT);
    req(0)->buffer = 0xfffff000;
    wrong(DENALI_FAULT);
    req(0)->op = 0;
    wrong(DENALI_INVAL);
    req(0)->op = 4;
    wrong(DENALI_INVAL);
    req(0)->status = 0;
    wrong(DENALI_INVAL);
    req(0)->op = DENALI_DISK_FLUSH;
    wrong(DENALI_RANGE);
    req(0)->buffer = 4 * MIB - 4096; /* the last page is a good one */
    wrong(0);
    stop();
}
END_TEST

START_TEST(wrong_arrays)
{
    start(false, true);
    ck_assert_int_eq(rig_out(&rig, 0, 0, 4 * MIB - 31, 1, 0), DENALI_FAULT);
    ck_assert_int_eq(rig_out(&rig, 0, 0, 4 * MIB - 32, 2, 0), DENALI_FAULT);
    ck_assert_int_eq(rig_out(&rig, 0, 0, 0xfffffff0, 1, 0), DENALI_FAULT);
    ck_assert_int_eq(rig_out(&rig, 0, 0, 0, 1, 0), DENALI_FAULT);
    ck_assert_int_eq(rig_out(&rig, 0, 0, REQS, 0, 0), 0);
    /* 2^27 requests wrap 32 bits; more than the queue holds are not taken. */
    for (unsigned i = 0; i < 300; i++)
        fill(i, DENALI_DISK_READ, i % BLOCKS);
    ck_assert_int_eq(submit(0x8000000), DENALI_DISK_QUEUE);
    wait_for(DENALI_DISK_QUEUE);
    ck_assert_int_eq(req(DENALI_DISK_QUEUE)->status, DENALI_DISK_BUSY);
    ck_assert_int_eq(rig_out(&rig, 0, 1, REQS, 1, 0), REQS); /* no such port: a fault */
    ck_assert_int_eq(vm_end(rig.vm)->reason, VM_END_FAULT);
    stop();
}
END_TEST

START_TEST(readonly)
{
    start(true, true);
    fill(0, DENALI_DISK_WRITE, 1);
    wrong(DENALI_RO);
    fill(0, DENALI_DISK_FLUSH, 1);
    ck_assert_int_eq(submit(1), 1);
    wait_for(1);
    ck_assert_int_eq(req(0)->status, 0);
    stop();
}
END_TEST

/* The status page, or the buffer, is taken away while the request is on its way. */
START_TEST(memory_goes_away)
{
    start(false, true);
    for (unsigned round = 0; round < 20; round++) {
        for (unsigned i = 0; i < 32; i++)
            fill(i, i % 2 ? DENALI_DISK_WRITE : DENALI_DISK_READ, i);
        ck_assert_int_ge(submit(32), 0); /* fewer when those of the last round still run */
        ck_assert_int_eq(rig_call(&rig, DENALI_FN_PROTECT, BUFS, 32 * 4096, 0), 0);
        ck_assert_int_eq(rig_call(&rig, DENALI_FN_PROTECT, REQS, 4096, round % 2), 0);
        vm_run(rig.vm, 0);
        ck_assert_int_eq(rig_call(&rig, DENALI_FN_PROTECT, BUFS, 32 * 4096, 3), 0);
        ck_assert_int_eq(rig_call(&rig, DENALI_FN_PROTECT, REQS, 4096, 3), 0);
    }
    fill(0, DENALI_DISK_WRITE, 0);
    submit(1); /* and the VM ends with requests in flight */
    stop();
}
END_TEST

/* No assertion while the limit is on: Check writes files too. */
START_TEST(no_room)
{
    struct rlimit limit = {4096, RLIM_INFINITY};
    signal(SIGXFSZ, SIG_IGN);
    start(false, _i);
    fill(0, DENALI_DISK_WRITE, BLOCKS - 1);
    int err = setrlimit(RLIMIT_FSIZE, &limit);
    submit(1);
    for (unsigned n = 0; n < 1000 && *(volatile int32_t *)&req(0)->status > 0; n++) {
        struct pollfd none = {.fd = -1};
        host_poll(&none, 1, 1000000);
        vm_run(rig.vm, 0);
    }
    limit.rlim_cur = RLIM_INFINITY;
    err |= setrlimit(RLIMIT_FSIZE, &limit);
    ck_assert_int_eq(err, 0);
    ck_assert_int_eq(req(0)->status, DENALI_FULL);
    stop();
}
END_TEST

START_TEST(file_is_cut)
{
    start(false, _i);
    ck_assert_int_eq(truncate(path, 5 * 4096), 0);
    fill(0, DENALI_DISK_READ, 4);
    fill(1, DENALI_DISK_READ, 20);
    ck_assert_int_eq(submit(2), 2);
    wait_for(2);
    ck_assert_int_eq(req(0)->status, 0);
    ck_assert_int_eq(req(1)->status, DENALI_IO);
    /* Of a run, those that lie behind the cut fail and no others. */
    for (unsigned i = 0; i < 6; i++)
        fill(i, DENALI_DISK_READ, 2 + i);
    ck_assert_int_eq(submit(6), 6);
    wait_for(6);
    for (unsigned i = 0; i < 6; i++)
        ck_assert_int_eq(req(i)->status, i < 3 ? 0 : DENALI_IO);
    stop();
}
END_TEST

START_TEST(locks)
{
    struct disk *other;
    start(false, false);
    ck_assert_int_eq(disk_open(path, false, &other, &why), -EBUSY);
    ck_assert_int_eq(disk_open(path, true, &other, &why), -EBUSY);
    stop();
    start(true, false);
    ck_assert_int_eq(disk_open(path, false, &other, &why), -EBUSY);
    ck_assert_int_eq(disk_open(path, true, &other, &why), 0);
    disk_close(other);
    stop();
}
END_TEST

START_TEST(wrong_files)
{
    char empty[64];
    ck_assert_int_eq(disk_open("/nonexistent", true, &disk, &why), -ENOENT);
    ck_assert_int_eq(disk_open("/tmp", true, &disk, &why), -EINVAL);
    ck_assert_int_eq(disk_open("/dev/null", true, &disk, &why), -EINVAL);
    rig_file("", 0, empty);
    ck_assert_int_eq(disk_open(empty, true, &disk, &why), -EINVAL);
    ck_assert_ptr_nonnull(strstr(why.text, "truncate -s"));
    unlink(empty);
}
END_TEST

/* Batches of random reads and writes; blocks of one batch are distinct, so the model knows. */
START_TEST(random_load)
{
    start(false, true);
    srand(5);
    for (unsigned round = 0; round < 300; round++) {
        unsigned n = 1 + (unsigned)rand() % BLOCKS, first = (unsigned)rand() % BLOCKS;
        for (unsigned i = 0; i < n; i++) {
            uint64_t block = (first + i * (round % 3 ? 1 : 7)) % BLOCKS;
            fill(i, rand() % 2 ? DENALI_DISK_READ : DENALI_DISK_WRITE, block);
            memset(buf(i), rand(), 4096);
            if (req(i)->op == DENALI_DISK_WRITE)
                memcpy(content + block * 4096, buf(i), 4096);
        }
        ck_assert_int_eq(submit(n), n);
        wait_for(n);
        for (unsigned i = 0; i < n; i++) {
            ck_assert_int_eq(req(i)->status, 0);
            ck_assert_int_eq(memcmp(buf(i), content + req(i)->block * 4096, 4096), 0);
        }
    }
    stop();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("disk");
    TCase *t = tcase_create("disk");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, reads, 0, 4);
    tcase_add_loop_test(t, writes, 0, 2);
    tcase_add_loop_test(t, wrong_requests, 0, 2);
    tcase_add_test(t, wrong_arrays);
    tcase_add_test(t, readonly);
    tcase_add_test(t, memory_goes_away);
    tcase_add_loop_test(t, no_room, 0, 2);
    tcase_add_loop_test(t, file_is_cut, 0, 2);
    tcase_add_test(t, locks);
    tcase_add_test(t, wrong_files);
    tcase_add_test(t, random_load);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
