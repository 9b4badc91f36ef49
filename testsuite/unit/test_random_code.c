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
#include "testsuite/unit/vm_rig.h"

#define CODE 0x40000u
#define CODE_BYTES 0x3000u
#define ON_FAULT 0x60000u
#define ON_INTERRUPT 0x60100u

static const struct denali_manifest_device devices[] = {{DENALI_DEV_CONSOLE, 0, "console"},
                                                        {DENALI_DEV_KEYBOARD, 0, "keyboard"},
                                                        {DENALI_DEV_TIMER, 0, "timer"}};

/* Starts of instructions: what follows is random. */
static const uint8_t starts[][3] = {
    {0xe8},
    {0xeb},
    {0x74},
    {0x0f, 0x84},
    {0xc3},
    {0x50},
    {0x5b},
    {0x89},
    {0x8b},
    {0x01},
    {0xf3, 0xa4},
    {0xf3, 0xab},
    {0xcd, 0x80},
    {0x0f, 0xb9, 0xc2},
    {0x0f, 0xb9, 0xc3},
    {0xed},
    {0xef},
    {0xe2},
    {0xff},
    {0x64, 0x8b},
    {0xd9},
    {0xdd},
    {0x0f, 0x28},
    {0x66, 0x0f},
    {0xa5},
    {0xaa},
    {0xc8},
    {0xc9},
    {0x60},
    {0x61},
    {0x9d},
    {0x9c},
    {0x0f, 0xb9},
    {0xf0, 0x01},
    {0x0f, 0xae},
};

static struct rig rig;

static uint32_t word(void)
{
    return (uint32_t)rand() << 16 ^ (uint32_t)rand();
}

static void write_code(void)
{
    uint8_t *code = rig_mem(&rig, CODE);
    for (unsigned i = 0; i < CODE_BYTES; i++)
        code[i] = (uint8_t)rand();
    for (unsigned i = 0; i + 3 < CODE_BYTES; i += 1 + (unsigned)rand() % 6) {
        const uint8_t *start = starts[(unsigned)rand() % ARRAY_LEN(starts)];
        for (unsigned n = 0; n < 3 && (n == 0 || start[n]); n++)
            code[i + n] = start[n];
    }
}

/* Clears fault_active, steps over a byte, resumes; and for interrupts, only resumes. */
static void write_handlers(void)
{
    static const uint8_t on_fault[] = {0xc7, 0x05, 0xa8, 0,    0,    0,    0,    0,
                                       0,    0,    0xff, 0x05, 0x30, 0x01, 0,    0,
                                       0xb8, 0x30, 0x01, 0,    0,    0x0f, 0xb9, 0xc2};
    static const uint8_t on_interrupt[] = {0xb8, 0, 0x01, 0, 0, 0x0f, 0xb9, 0xc2};
    volatile struct denali_regs *r = rig_regs(&rig);
    memcpy(rig_mem(&rig, ON_FAULT), on_fault, sizeof(on_fault));
    memcpy(rig_mem(&rig, ON_INTERRUPT), on_interrupt, sizeof(on_interrupt));
    r->fault_entry = rand() % 8 ? ON_FAULT : CODE + word() % CODE_BYTES;
    r->fault_stack = rand() % 4 ? 0x68000 : 0;
    r->upcall_entry = rand() % 4 ? ON_INTERRUPT : CODE + word() % CODE_BYTES;
    r->upcall_stack = rand() % 4 ? 0x69000 : 0;
    r->intr_enabled = 1;
    r->trap_entry = rand() % 2 ? CODE + word() % CODE_BYTES : 0;
    r->gs_base = rand() % 4 ? 0 : word();
}

static void set_registers(void)
{
    struct cpu *cpu = vm_cpu(rig.vm);
    for (unsigned g = 0; g < 8; g++)
        cpu->gpr[g] = rand() % 3 ? CODE + word() % 0x4000 : word();
    cpu->gpr[ISA_EDX] = DENALI_PORT_BASE + word() % 24;
    cpu->eip = CODE;
}

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
        rig_start_config(&rig, &config, devices, 3);
        write_code();
        write_handlers();
        set_registers();
        enum vm_slice slice = VM_BUDGET;
        for (unsigned n = 0; n < 4 && slice != VM_ENDED; n++) {
            vm_post(rig.vm, word() & 0x3f);
            slice = _i & 2 ? run_free() : vm_run(rig.vm, word() % 3000);
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
