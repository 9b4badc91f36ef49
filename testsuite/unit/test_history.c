/* SPDX-License-Identifier: MIT */
/*
 * Random guests with random input, stopped at random places, gone back and forth: at every place
 * the machine is what a straight run makes of the same tape, by either engine.
 * HISTORY_COUNT: as many guests as it takes for so many comparisons (make check-history).
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "denali/record/history.h"
#include "denali/record/tape.h"
#include "emu/cpu/debug.h"
#include "testsuite/unit/random_guest.h"

#define PLACES 12u

struct place {
    uint64_t icount, sum;
};

struct round {
    struct rig rig;
    struct tape *tape;
    struct history *history;
    struct place place[PLACES];
    unsigned places;
    struct why why;
};

/* Of all tests, each of which is a process. */
static uint64_t *compared;
#define TESTS 6u /* 4 and 2 processes that make comparisons */

/* Whether a test that began when there were `before` is to go on with round i of usually `rounds`.
 */
static bool goes_on(unsigned i, unsigned rounds, uint64_t before)
{
    const char *count = getenv("HISTORY_COUNT");
    return count ? *compared - before < strtoull(count, NULL, 10) / TESTS + 1 : i < rounds;
}

static uint64_t sum(struct vm *vm)
{
    uint64_t value;
    ck_assert_int_eq(vm_state_sum(vm, &value), 0);
    return value;
}

/* Equal seeds make equal machines. */
static void start_guest(struct rig *rig, unsigned seed, bool translated, struct tape *tape,
                        bool replay)
{
    struct vm_config config = {.tape = tape, .replay = replay, .deterministic = seed & 4};
    memset(rig, 0, sizeof(*rig));
    rig->translated = translated;
    rig_start_config(rig, &config, random_guest_devices, 3);
    rig_regs(rig)->wall_base_ns = 1;
    srand(seed);
    random_guest_write(rig);
}

static void start(struct round *r, unsigned seed)
{
    memset(r, 0, sizeof(*r));
    ck_assert_int_eq(tape_create(&r->tape), 0);
    start_guest(&r->rig, seed, seed & 1, r->tape, false);
    r->rig.console.in = "some input for the guest";
    r->rig.console.in_len = 24;
    ck_assert_int_eq(history_create(r->rig.vm, 0, &r->history, &r->why), 0);
}

static void stop(struct round *r)
{
    history_destroy(r->history);
    rig_stop(&r->rig);
    tape_destroy(r->tape);
}

static void note_place(struct round *r)
{
    r->place[r->places++] = (struct place){vm_cpu(r->rig.vm)->icount, sum(r->rig.vm)};
}

/* The run that is the measure of everything. */
static void run_forward(struct round *r)
{
    enum vm_slice slice = VM_BUDGET;
    for (unsigned n = 0; n < 40 && slice != VM_ENDED && r->places < PLACES; n++) {
        vm_post(r->rig.vm, random_word() & 0x3f);
        slice = history_run(r->history, 1 + random_word() % 3000);
        vm_slept(r->rig.vm, random_word() % 100000);
        if (slice == VM_BUDGET)
            note_place(r);
    }
}

static void check_place(struct round *r, const struct place *p, const char *how)
{
    ++*compared;
    ck_assert_msg(vm_cpu(r->rig.vm)->icount == p->icount, "%s: at %llu instead of %llu", how,
                  (unsigned long long)vm_cpu(r->rig.vm)->icount, (unsigned long long)p->icount);
    ck_assert_msg(sum(r->rig.vm) == p->sum, "%s: another machine at %llu", how,
                  (unsigned long long)p->icount);
}

static void seek(struct round *r, uint64_t icount)
{
    ck_assert_msg(history_seek(r->history, icount, &r->why) == 0, "%s", r->why.text);
}

static const struct place *any_place(struct round *r)
{
    return &r->place[random_word() % r->places];
}

/* There, a step back and forth, and from far before. */
static void go_about(struct round *r)
{
    const struct place *p = any_place(r);
    seek(r, p->icount);
    check_place(r, p, "seek");
    if (p->icount == history_first(r->history))
        return;
    seek(r, p->icount - 1);
    ck_assert_uint_eq(vm_cpu(r->rig.vm)->icount, p->icount - 1);
    while (vm_cpu(r->rig.vm)->icount < p->icount)
        history_run(r->history, 1);
    check_place(r, p, "a step back and forth");
}

static void save_and_restore(struct round *r)
{
    const struct place *a = any_place(r), *b = any_place(r);
    seek(r, a->icount);
    ck_assert_int_eq(history_save(r->history, "here", &r->why), 0);
    seek(r, b->icount);
    check_place(r, b, "elsewhere");
    ck_assert_int_eq(history_restore(r->history, "here", &r->why), 0);
    check_place(r, a, "restored");
}

/* A fresh machine that hears the same. (By the same engine: random code looks at flags that the
 * manual leaves undefined.) */
static void run_straight(struct round *r, unsigned seed)
{
    struct rig other;
    struct round copy = *r;
    struct tape_event end = {.kind = TAPE_END, .icount = history_last(r->history)};
    tape_put(r->tape, &end);
    tape_seek(r->tape, (struct tape_place){0, 0, 0});
    start_guest(&other, seed, seed & 1, r->tape, true);
    copy.rig = other;
    for (unsigned i = 0; i < r->places; i++) {
        while (vm_cpu(other.vm)->icount < r->place[i].icount) {
            uint64_t left = r->place[i].icount - vm_cpu(other.vm)->icount;
            enum vm_slice slice = vm_run(other.vm, left);
            ck_assert_msg(slice != VM_ENDED && slice != VM_REPLAYED, "ended at %llu: %s",
                          (unsigned long long)vm_cpu(other.vm)->icount, vm_end(other.vm)->why.text);
        }
        check_place(&copy, &r->place[i], "straight");
    }
    rig_stop(&other);
}

START_TEST(random_histories)
{
    unsigned n = 0, went_on = 0;
    uint64_t before = *compared;
    for (unsigned i = 0; goes_on(i, 40, before); i++, n++) {
        struct round r;
        unsigned seed = 1000 + 8 * i + (unsigned)_i;
        start(&r, seed);
        run_forward(&r);
        went_on += r.places > 1;
        for (unsigned k = 0; r.places && k < 6; k++)
            go_about(&r);
        if (r.places)
            save_and_restore(&r);
        run_straight(&r, seed);
        stop(&r);
    }
    ck_assert_uint_gt(went_on * 4, n);
}
END_TEST

/* Stops of a run forwards, and the same ones met backwards. */

#define HITS 12u

static unsigned hits_forward(struct round *r, uint64_t end, uint64_t hit[HITS])
{
    unsigned hits = 0;
    seek(r, history_first(r->history));
    while (vm_cpu(r->rig.vm)->icount < end) {
        enum vm_slice slice = history_run(r->history, end - vm_cpu(r->rig.vm)->icount);
        if (slice == VM_ENDED)
            break;
        if (slice != VM_BREAKPOINT && slice != VM_WATCHPOINT)
            continue;
        if (vm_cpu(r->rig.vm)->icount >= end)
            break;
        if (hits == HITS)
            return HITS + 1;
        hit[hits++] = vm_cpu(r->rig.vm)->icount;
        if (slice == VM_BREAKPOINT)
            cpu_debug_pass(vm_cpu(r->rig.vm));
    }
    return hits;
}

static void hits_backward(struct round *r, uint64_t end, const uint64_t *hit, unsigned hits)
{
    seek(r, end);
    while (hits--) {
        enum vm_slice slice = history_continue_back(r->history);
        ck_assert_msg(slice == VM_BREAKPOINT || slice == VM_WATCHPOINT, "slice %d, hit %u", slice,
                      hits);
        ck_assert_uint_eq(vm_cpu(r->rig.vm)->icount, hit[hits]);
        ++*compared;
    }
    ck_assert_int_eq(history_continue_back(r->history), VM_REPLAYED);
    ck_assert_uint_eq(vm_cpu(r->rig.vm)->icount, history_first(r->history));
}

static void break_at_random(struct round *r, uint64_t end)
{
    struct cpu *cpu = vm_cpu(r->rig.vm);
    uint64_t hit[HITS];
    seek(r, any_place(r)->icount);
    uint32_t eip = cpu->eip;
    ck_assert_int_eq(cpu_debug_break(cpu, eip), 0);
    unsigned hits = hits_forward(r, end, hit);
    if (hits <= HITS)
        hits_backward(r, end, hit, hits);
    ck_assert_int_eq(cpu_debug_unbreak(cpu, eip), 0);
}

static void watch_at_random(struct round *r, uint64_t end)
{
    struct cpu *cpu = vm_cpu(r->rig.vm);
    uint64_t hit[HITS];
    seek(r, any_place(r)->icount);
    /* Not in code: a string instruction that overwrites itself and then faults is told as a hit
     * first, and is another instruction when it goes on. */
    uint32_t at = random_word() % 2 ? cpu->gpr[ISA_ESP] - 4 : 0x68000 - 4 * (random_word() % 16);
    if (cpu_debug_watch(cpu, at, 4, CPU_WATCH_WRITE))
        return;
    unsigned hits = hits_forward(r, end, hit);
    if (hits <= HITS)
        hits_backward(r, end, hit, hits);
    ck_assert_int_eq(cpu_debug_unwatch(cpu, at, 4, CPU_WATCH_WRITE), 0);
    if (!hits || hits > HITS)
        return;
    seek(r, end);
    ck_assert_int_eq(history_last_write(r->history, at, 4), VM_WATCHPOINT);
    ck_assert_uint_eq(cpu->icount, hit[hits - 1]);
}

START_TEST(backwards)
{
    uint64_t before = *compared;
    for (unsigned i = 0; goes_on(i, 30, before); i++) {
        struct round r;
        start(&r, 5000 + 8 * i + (unsigned)_i);
        run_forward(&r);
        if (r.places > 1) {
            uint64_t end = r.place[r.places - 1].icount;
            ck_assert_int_eq(cpu_debug_open(vm_cpu(r.rig.vm)), 0);
            break_at_random(&r, end);
            watch_at_random(&r, end);
            cpu_debug_close(vm_cpu(r.rig.vm));
        }
        stop(&r);
    }
}
END_TEST

/* Changing the past makes a new future; it, too, can be gone back in. */
START_TEST(new_future)
{
    struct round r;
    start(&r, 1001);
    run_forward(&r);
    ck_assert_uint_gt(r.places, 3);
    uint64_t middle = r.place[1].icount;
    seek(&r, middle);
    vm_cpu(r.rig.vm)->gpr[ISA_ESI] ^= 0x1000;
    ((uint8_t *)rig_mem(&r.rig, 0x50000))[0] ^= 1;
    history_changed(r.history);
    r.places = 2;
    history_run(r.history, 500);
    ck_assert_uint_eq(history_last(r.history), vm_cpu(r.rig.vm)->icount);
    note_place(&r);
    uint32_t esi = 0;
    seek(&r, middle);
    esi = vm_cpu(r.rig.vm)->gpr[ISA_ESI];
    seek(&r, middle - 1);
    seek(&r, r.place[2].icount);
    check_place(&r, &r.place[2], "the new future");
    seek(&r, r.place[0].icount);
    check_place(&r, &r.place[0], "before the change");
    seek(&r, middle);
    ck_assert_uint_eq(vm_cpu(r.rig.vm)->gpr[ISA_ESI], esi);
    stop(&r);
}
END_TEST

/* A guest that computes while much arrives: the tape does not grow for ever, and what is left of
 * the past can be gone to. */
#define ARRIVALS 40000u
START_TEST(bounded)
{
    struct round r;
    struct history_counters c;
    uint64_t most = 0;
    start(&r, 1001);
    history_destroy(r.history);
    memcpy(rig_mem(&r.rig, RANDOM_CODE), "\xeb\xfe", 2);
    vm_cpu(r.rig.vm)->eip = RANDOM_CODE;
    ck_assert_int_eq(history_create(r.rig.vm, 256 * KIB, &r.history, &r.why), 0);
    for (unsigned n = 0; n < ARRIVALS; n++) {
        vm_post(r.rig.vm, 1u << n % 6);
        ck_assert_int_eq(history_run(r.history, 500), VM_BUDGET);
        history_counters(r.history, &c);
        most = c.tape_bytes > most ? c.tape_bytes : most;
    }
    ck_assert_uint_gt(most, 64 * KIB);
    ck_assert_uint_lt(most, 128 * KIB + 3 * TAPE_CHUNK);
    ck_assert_uint_gt(history_first(r.history), 0);
    note_place(&r);
    seek(&r, history_first(r.history));
    seek(&r, r.place[0].icount);
    check_place(&r, &r.place[0], "after what was forgotten");
    stop(&r);
}
END_TEST

/* Who asks for the end of a search or a seek, at whatever look, finds the machine where it stood.
 */
static bool ask_at_look(void *opaque)
{
    unsigned *looks = opaque;
    return *looks && !--*looks;
}

START_TEST(given_up)
{
    struct round r;
    unsigned looks = 0;
    start(&r, 1001);
    run_forward(&r);
    ck_assert_uint_gt(r.places, 3);
    struct cpu *cpu = vm_cpu(r.rig.vm);
    const struct place *middle = &r.place[2];
    ck_assert_int_eq(cpu_debug_open(cpu), 0);
    ck_assert_int_eq(cpu_debug_break(cpu, 0xfffffff0), 0);
    history_set_asked(r.history, ask_at_look, &looks);
    for (unsigned at = 1; at < 4; at++) {
        seek(&r, middle->icount);
        looks = at;
        enum vm_slice slice = history_continue_back(r.history);
        ck_assert_int_eq(slice, looks ? VM_REPLAYED : VM_STOPPED);
        if (!looks)
            check_place(&r, middle, "a search given up");
        looks = 0;
        seek(&r, middle->icount);
        looks = at;
        int err = history_seek(r.history, r.place[1].icount, &r.why);
        ck_assert_int_eq(err, looks ? 0 : -EINTR);
        check_place(&r, looks ? &r.place[1] : middle, "a seek given up");
        looks = 0;
        seek(&r, r.place[0].icount);
        check_place(&r, &r.place[0], "after that");
    }
    cpu_debug_close(cpu);
    stop(&r);
}
END_TEST

int main(void)
{
    compared =
        mmap(NULL, sizeof(*compared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (compared == MAP_FAILED)
        return 1;
    Suite *s = suite_create("history");
    TCase *t = tcase_create("history");
    tcase_set_timeout(t, getenv("HISTORY_COUNT") ? 36000 : 60);
    tcase_add_loop_test(t, random_histories, 0, 4);
    tcase_add_loop_test(t, backwards, 0, 2);
    tcase_add_test(t, new_future);
    tcase_add_test(t, bounded);
    tcase_add_test(t, given_up);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    printf("history: %llu states and stops held against straight runs, %s\n",
           (unsigned long long)*compared, failed ? "and they differ" : "no difference");
    return failed != 0;
}
