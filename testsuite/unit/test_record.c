/* SPDX-License-Identifier: MIT */
/*
 * The reader of recordings against damage: by accident, where sums tell, and on purpose, where they
 * were made anew. It refuses, or replays what is whole, or says that the guest differs; it never
 * does anything else.
 */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "denali/record/record_format.h"
#include "denali/record/replay.h"
#include "testsuite/unit/random_guest.h"

static char folder[64], tape_path[80], start_path[100];
static uint8_t good[1 << 20];
static size_t good_len;
static struct why why;

static void read_good(void)
{
    int fd = open(tape_path, O_RDONLY);
    ck_assert_int_ge(fd, 0);
    ssize_t n = read(fd, good, sizeof(good));
    close(fd);
    ck_assert(n > (ssize_t)RECORD_HEAD && n < (ssize_t)sizeof(good));
    good_len = (size_t)n;
}

static void write_tape(const uint8_t *bytes, size_t len)
{
    int fd = open(tape_path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, bytes, len), (ssize_t)len);
    close(fd);
}

/* A guest that hears a lot. */
static void record_guest(void)
{
    struct record *record;
    struct rig rig = {.translated = true};
    struct record_info *info = calloc(1, sizeof(*info));
    strcpy(folder, "/tmp/denali-record-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(tape_path, sizeof(tape_path), "%s/tape", folder);
    snprintf(start_path, sizeof(start_path), "%s/start.snapshot", folder);
    ck_assert_int_eq(record_create(folder, &record, &why), 0);
    struct vm_config config = {.tape = record_tape(record)};
    rig_start_config(&rig, &config, random_guest_devices, 3);
    srand(7);
    random_guest_write(&rig);
    ck_assert_int_eq(record_start(record, rig.vm, info, &why), 0);
    for (unsigned i = 0; i < 60; i++) {
        vm_post(rig.vm, random_word() & 0x3f);
        vm_run(rig.vm, 1 + random_word() % 2000);
        vm_slept(rig.vm, 1000);
    }
    ck_assert_int_eq(record_finish(record, rig.vm, &why), 0);
    rig_stop(&rig);
    record_destroy(record);
    free(info);
    read_good();
}

static void forget(void)
{
    unlink(tape_path);
    unlink(start_path);
    rmdir(folder);
}

/* What comes of the tape as it lies there; -1: refused. */
static int replay(void)
{
    struct engine *engine;
    struct replay *r;
    int result = -1;
    ck_assert_int_eq(interp_create(&engine), 0);
    struct replay_config config = {.engine = engine};
    if (replay_create(folder, &config, &r, &why) == 0) {
        result = (int)replay_run(r, UINT64_MAX);
        replay_destroy(r);
    } else {
        ck_assert_uint_gt(strlen(why.text), 10);
    }
    engine->ops->destroy(engine);
    return result;
}

START_TEST(good_one)
{
    record_guest();
    ck_assert_int_eq(replay(), REPLAY_SAME);
    forget();
}
END_TEST

START_TEST(accidents)
{
    static uint8_t bad[sizeof(good)];
    unsigned cut = 0;
    record_guest();
    for (unsigned i = 0; i < 300; i++) {
        size_t len = good_len;
        memcpy(bad, good, good_len);
        if (i % 3 == 0)
            len = random_word() % good_len;
        else
            bad[i % 3 == 1 ? RECORD_HEAD + random_word() % (good_len - RECORD_HEAD)
                           : random_word() % RECORD_HEAD] ^= (uint8_t)(1u << random_word() % 8);
        write_tape(bad, len);
        int result = replay();
        ck_assert_msg(result == -1 || result == REPLAY_CUT, "damage %u: %d", i, result);
        cut += result == REPLAY_CUT;
    }
    (void)cut; /* the recording may be of one chunk */
    forget();
}
END_TEST

/* The first chunk's sums, made anew. */
static void seal(uint8_t *tape)
{
    struct record_chunk c;
    uint8_t *head = tape + RECORD_HEAD;
    state_load(&record_chunk_list, &c, head);
    c.sum = tape_sum(head + RECORD_CHUNK_HEAD, c.len);
    state_save(&record_chunk_list, &c, head);
    c.head_sum = tape_sum(head, RECORD_CHUNK_HEAD - sizeof(c.head_sum));
    state_save(&record_chunk_list, &c, head);
}

START_TEST(malice)
{
    static uint8_t bad[sizeof(good)];
    record_guest();
    for (unsigned i = 0; i < 600; i++) {
        memcpy(bad, good, good_len);
        size_t begin = RECORD_HEAD + RECORD_CHUNK_HEAD;
        for (unsigned n = 1 + random_word() % 4; n; n--)
            bad[begin + random_word() % (good_len - begin)] = (uint8_t)random_word();
        seal(bad);
        write_tape(bad, good_len);
        int result = replay();
        ck_assert_msg(result == -1 || result == REPLAY_CUT || result == REPLAY_DIFFERS ||
                          result == REPLAY_SAME,
                      "%u: %d", i, result);
    }
    forget();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("record");
    TCase *t = tcase_create("record");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, good_one);
    suite_add_tcase(s, t);
    TCase *damage = tcase_create("damage");
    tcase_set_timeout(damage, 60);
    tcase_set_tags(damage, "one_thread");
    tcase_add_test(damage, accidents);
    tcase_add_test(damage, malice);
    suite_add_tcase(s, damage);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
