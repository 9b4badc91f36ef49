/* SPDX-License-Identifier: MIT */
/*
 * The driver of a single VM: no interrupt is lost between sleeping and running,
 * loops are interrupted by timers and by the time limit, under both engines.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "denali/solo.h"
#include "emu/base/host.h"
#include "emu/base/host_thread.h"
#include "testsuite/unit/vm_rig.h"

#define COUNTER 0x50000u
#define CODE 0x40000u
#define ROUNDS 20000u

static const struct denali_manifest_device timer = {DENALI_DEV_TIMER, 0, "timer"};
static struct rig rig;
static struct solo *solo;

static void start(int translated, uint64_t timeout_ns, const void *code, size_t len)
{
    struct why why;
    const struct solo_config config = {.timeout_ns = timeout_ns, .signals = -1};
    ck_assert_int_eq(solo_create(&config, &solo, &why), 0);
    struct vm_config vm = {.hooks = &solo_hooks, .hooks_opaque = solo};
    rig.translated = translated;
    rig_start_config(&rig, &vm, &timer, 1);
    memcpy(rig_mem(&rig, CODE), code, len);
    vm_cpu(rig.vm)->eip = CODE;
    vm_cpu(rig.vm)->gpr[ISA_EDX] = DENALI_PORT_BASE;
}

static void stop(void)
{
    rig_stop(&rig);
    solo_destroy(solo);
}

/* again: [pending] = 0; [COUNTER]++; if it is not ROUNDS: idle without a bound; again. terminate.
 */
static const uint8_t counts[] = {
    0x31, 0xc0,                                           /* xor eax, eax */
    0x87, 0x05, 0x8c, 0,    0,    0,                      /* xchg [pending], eax */
    0xff, 0x05, 0,    0,    5,    0,                      /* inc dword [COUNTER] */
    0x81, 0x3d, 0,    0,    5,    0,    0x20, 0x4e, 0, 0, /* cmp dword [COUNTER], ROUNDS */
    0x74, 0x0b,                                           /* je end */
    0x31, 0xc0, 0x48, 0x89, 0xc2,                         /* eax = edx = -1 */
    0x0f, 0xb9, 0xc0,                                     /* idle */
    0xeb, 0xdc,                                           /* jmp again */
    0x90, 0x31, 0xc0, 0x0f, 0xb9, 0xc1,                   /* end: terminate */
};

static uint64_t late_ns;

/* Posts when the guest has answered the last one, now and then after it has slept for long. */
static void poster(void *opaque)
{
    volatile uint32_t *counter = rig_mem(&rig, COUNTER);
    (void)opaque;
    for (uint32_t i = 1; i < ROUNDS; i++) {
        uint64_t end = host_monotonic_ns() + 10000000000u;
        while (__atomic_load_n(counter, __ATOMIC_ACQUIRE) < i && host_monotonic_ns() < end)
            ;
        late_ns = host_monotonic_ns() > end ? i : late_ns;
        if (i % 4000 == 0)
            usleep(200000);
        vm_post(rig.vm, DENALI_IRQ_NIC);
    }
}

START_TEST(no_lost_wakeup)
{
    struct host_thread thread;
    start(_i, 50000000000u, counts, sizeof(counts));
    ck_assert_int_eq(host_thread_start(&thread, "poster", poster, NULL), 0);
    ck_assert_int_eq(solo_run(solo, rig.vm), SOLO_ENDED);
    host_thread_join(&thread);
    ck_assert_uint_eq(late_ns, 0);
    ck_assert_int_eq(vm_end(rig.vm)->reason, VM_END_EXIT);
    stop();
}
END_TEST

START_TEST(time_limit)
{
    static const uint8_t loop[] = {0xeb, 0xfe};
    static const uint8_t idle[] = {0x31, 0xc0, 0x48, 0x89, 0xc2, 0x0f, 0xb9, 0xc0, 0xeb, 0xf6};
    uint64_t begin = host_monotonic_ns();
    if (_i & 2)
        start(_i & 1, 100000000, idle, sizeof(idle));
    else
        start(_i & 1, 100000000, loop, sizeof(loop));
    ck_assert_int_eq(solo_run(solo, rig.vm), SOLO_TIMEOUT);
    uint64_t took = host_monotonic_ns() - begin;
    ck_assert_uint_ge(took, 100000000);
    ck_assert_uint_lt(took, 3000000000u);
    stop();
}
END_TEST

/* A loop that only an interrupt can end, by the timer; late in the run, when the watcher is deep.
 */
START_TEST(timer_in_a_loop)
{
    static const uint8_t code[] = {
        0xb8, 0x80, 0x96, 0x98, 0,             /* mov eax, 10 ms */
        0x31, 0xc9,                            /* xor ecx, ecx */
        0xef,                                  /* out dx, eax */
        0x83, 0x3d, 0x8c, 0,    0,    0, 0,    /* loop: cmp dword [pending], 0 */
        0x74, 0xf7,                            /* je loop */
        0x31, 0xc0, 0x87, 0x05, 0x8c, 0, 0, 0, /* xchg [pending], 0 */
        0xb8, 0x00, 0x5e, 0xd0, 0xb2,          /* 3 s: never, but the watcher waits for it */
        0xef,                                  /* out */
        0xb8, 0x00, 0x2d, 0x31, 0x01,          /* 20 ms: sooner than that */
        0xef,                                  /* out */
        0x83, 0x3d, 0x8c, 0,    0,    0, 0,    /* loop: cmp dword [pending], 0 */
        0x74, 0xf7,                            /* je loop */
        0x0f, 0xb9, 0xc1,                      /* terminate */
    };
    start(_i, 20000000000u, code, sizeof(code));
    ck_assert_int_eq(solo_run(solo, rig.vm), SOLO_ENDED);
    ck_assert_int_eq(vm_end(rig.vm)->reason, VM_END_EXIT);
    ck_assert_uint_ge(vm_now_ns(rig.vm), 20000000);
    ck_assert_uint_lt(vm_now_ns(rig.vm), 2000000000u);
    stop();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("solo");
    TCase *t = tcase_create("solo");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, no_lost_wakeup, 0, 2);
    tcase_add_loop_test(t, time_limit, 0, 4);
    tcase_add_loop_test(t, timer_in_a_loop, 0, 2);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
