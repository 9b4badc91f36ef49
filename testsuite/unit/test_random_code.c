/* SPDX-License-Identifier: MIT */
/*
 * Guests made of random bytes and of instructions that matter, with handlers
 * that step over every fault and go on: whatever they do, a VM goes on or ends
 * with a report, and the host stays. Under both engines, counted and free.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "emu/base/host_thread.h"
#include "testsuite/unit/random_guest.h"

static struct rig rig;

static void stop_soon(void *opaque)
{
    (void)opaque;
    usleep(300);
    vm_stop(rig.vm);
}

/* Runs without a count until another thread stops it. */
static enum vm_slice run_free(void)
{
    struct host_thread thread;
    ck_assert_int_eq(host_thread_start(&thread, "stopper", stop_soon, NULL), 0);
    enum vm_slice slice = vm_run(rig.vm, ENGINE_UNLIMITED);
    host_thread_join(&thread);
    return slice;
}

static void look_at_report(void)
{
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);
    vm_report(rig.vm, f);
    fclose(f);
    ck_assert_uint_lt(len, 8000);
    free(text);
}

START_TEST(random_code)
{
    unsigned went_on = 0;
    srand(100 + (unsigned)_i);
    for (unsigned i = 0; i < 150; i++) {
        struct vm_config config = {.hooks = NULL};
        rig.translated = _i & 1;
        rig_start_config(&rig, &config, random_guest_devices, 3);
        random_guest_write(&rig);
        enum vm_slice slice = VM_BUDGET;
        for (unsigned n = 0; n < 4 && slice != VM_ENDED; n++) {
            vm_post(rig.vm, random_word() & 0x3f);
            slice = _i & 2 ? run_free() : vm_run(rig.vm, random_word() % 3000);
        }
        enum vm_end_reason reason = vm_end(rig.vm)->reason;
        ck_assert(reason == VM_END_NONE || reason == VM_END_EXIT || reason == VM_END_FAULT);
        went_on += reason == VM_END_NONE;
        if (reason == VM_END_FAULT)
            look_at_report();
        rig_stop(&rig);
    }
    ck_assert_uint_gt(went_on, 20); /* else the handlers do not do their work */
}
END_TEST

int main(void)
{
    Suite *s = suite_create("random_code");
    TCase *t = tcase_create("random_code");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, random_code, 0, 4);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
