/* SPDX-License-Identifier: MIT */
/*
 * The swap file gives back what it got, or an error: pieces of all lengths in any
 * order, a file that is full, one that somebody damages, one that is taken.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "denali/pool/swap.h"

static char path[64];

static struct swap *start(uint64_t max_bytes)
{
    struct swap *s;
    struct why why = {""};
    snprintf(path, sizeof(path), "/tmp/denali-swap-%d", (int)getpid());
    ck_assert_msg(!swap_open(path, max_bytes, &s, &why), "%s", why.text);
    return s;
}

static void stop(struct swap *s)
{
    struct stat st;
    swap_close(s);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(st.st_size, 0);
    ck_assert_int_eq(st.st_mode & 0777, 0600);
    unlink(path);
}

static uint32_t next(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static void fill(uint8_t *data, uint32_t len, uint32_t seed)
{
    for (uint32_t i = 0; i < len; i++)
        data[i] = (uint8_t)next(&seed);
}

struct piece {
    struct swap_ref ref;
    uint32_t seed;
};

static void check_piece(struct swap *s, const struct piece *p)
{
    static uint8_t want[70000], have[70000];
    fill(want, p->ref.len, p->seed);
    ck_assert_int_eq(swap_read(s, p->ref, have), 0);
    ck_assert_int_eq(memcmp(want, have, p->ref.len), 0);
}

START_TEST(what_goes_in_comes_out)
{
    static uint8_t data[70000];
    struct piece piece[200] = {{{0, 0}, 0}};
    struct swap *s = start(0);
    uint32_t seed = 1;
    for (unsigned turn = 0; turn < 3000; turn++) {
        struct piece *p = &piece[next(&seed) % 200];
        if (p->ref.len) {
            check_piece(s, p);
            swap_free(s, p->ref);
            p->ref.len = 0;
        }
        uint32_t len = 1 + next(&seed) % (turn % 7 ? 9000 : 70000);
        p->seed = next(&seed);
        fill(data, len, p->seed);
        ck_assert_int_eq(swap_write(s, data, len, &p->ref), 0);
    }
    for (unsigned i = 0; i < 200; i++) {
        if (piece[i].ref.len) {
            check_piece(s, &piece[i]);
            swap_free(s, piece[i].ref);
        }
    }
    ck_assert_uint_eq(swap_used_bytes(s), 0);
    stop(s);
}
END_TEST

/* Full by its own bound, or by the host's word; what is in it stays good. */
START_TEST(full)
{
    static uint8_t data[5000];
    struct swap_ref ref[64], last;
    unsigned n = 0;
    int err;
    struct swap *s = start(100000);
    while ((err = swap_write(s, data, sizeof(data), &last)) == 0)
        ref[n++] = last;
    ck_assert_int_eq(err, -ENOSPC);
    ck_assert_uint_eq(n, 100000 / 5120);
    ck_assert_uint_le(swap_used_bytes(s), 100000);
    swap_free(s, ref[7]);
    ck_assert_int_eq(swap_write(s, data, sizeof(data), &ref[7]), 0);
    for (unsigned i = 0; i < n; i++)
        ck_assert_int_eq(swap_read(s, ref[i], data), 0);
    stop(s);
    struct why why = {""};
    if (access("/dev/full", W_OK))
        return;
    while ((err = swap_open("/dev/full", 0, &s, &why)) == -EAGAIN)
        usleep(10000); /* a test beside this one has it */
    ck_assert_msg(!err, "%s", why.text);
    ck_assert_int_eq(swap_write(s, data, sizeof(data), &last), -ENOSPC);
    ck_assert_uint_eq(swap_used_bytes(s), 0);
    swap_close(s);
}
END_TEST

START_TEST(damage_is_noticed)
{
    uint8_t data[3000], byte;
    struct swap_ref ref, other;
    struct swap *s = start(0);
    fill(data, sizeof(data), 5);
    ck_assert_int_eq(swap_write(s, data, sizeof(data), &ref), 0);
    ck_assert_int_eq(swap_write(s, data, sizeof(data), &other), 0);
    int fd = open(path, O_RDWR);
    for (off_t at = (off_t)ref.at * SWAP_UNIT; at < (off_t)ref.at * SWAP_UNIT + 3016; at += 13) {
        ck_assert_int_eq(pread(fd, &byte, 1, at), 1);
        byte ^= 0x10;
        ck_assert_int_eq(pwrite(fd, &byte, 1, at), 1);
        ck_assert_int_eq(swap_read(s, ref, data), -EBADMSG);
        byte ^= 0x10;
        ck_assert_int_eq(pwrite(fd, &byte, 1, at), 1);
    }
    ck_assert_int_eq(swap_read(s, ref, data), 0);
    /* A piece in the place of another one is none. */
    uint8_t block[3016];
    ck_assert_int_eq(pread(fd, block, sizeof(block), (off_t)ref.at * SWAP_UNIT), sizeof(block));
    ck_assert_int_eq(pwrite(fd, block, sizeof(block), (off_t)other.at * SWAP_UNIT), sizeof(block));
    ck_assert_int_eq(swap_read(s, other, data), -EBADMSG);
    ck_assert_int_eq(ftruncate(fd, 1000), 0);
    ck_assert_int_eq(swap_read(s, ref, data), -EBADMSG);
    close(fd);
    stop(s);
}
END_TEST

START_TEST(one_user_at_a_time)
{
    struct swap *s = start(0), *second;
    struct why why = {""};
    ck_assert_int_eq(swap_open(path, 0, &second, &why), -EWOULDBLOCK);
    ck_assert(strstr(why.text, path));
    ck_assert_int_eq(swap_open("/nonexistent/swap", 0, &second, &why), -ENOENT);
    stop(s);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("swap");
    TCase *tc = tcase_create("swap");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, what_goes_in_comes_out);
    tcase_add_test(tc, full);
    tcase_add_test(tc, damage_is_noticed);
    tcase_add_test(tc, one_user_at_a_time);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
